"""What crosses the wire between gateway, cloud, customer and any third party. No I/O, no clock, no randomness."""
