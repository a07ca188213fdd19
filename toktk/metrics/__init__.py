"""Definitions of what is measured; each is registered by name in `toktk.registry.METRICS`."""
