"""What this machine makes of the gateway and the cloud, measured against bare limits in the same run."""
