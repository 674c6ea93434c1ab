"""From a signed batch of leaves to a cosignature: verified, de-duplicated, stored and posted in one transaction."""
