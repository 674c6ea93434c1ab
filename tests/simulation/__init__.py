"""The deterministic simulator: the real gateway and the real cloud, one clock, one seed, everything against them."""
