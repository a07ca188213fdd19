"""Audits: what is wrong with a tokenizer or a text, as findings."""
