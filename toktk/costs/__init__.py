"""Costs: what a tokenizer costs a model, in arithmetic, memory and money; laws of the size."""
