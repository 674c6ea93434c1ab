"""Who may take what at a site: rules as people write them, kept by version and sent to the gateway that decides."""
