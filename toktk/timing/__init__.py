"""How fast tokenizers are, timed so that the figures can be compared."""
