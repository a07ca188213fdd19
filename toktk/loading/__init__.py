"""Loading: find a tokenizer by its spec, read it, verify it against its library."""
