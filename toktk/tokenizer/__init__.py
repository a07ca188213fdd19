"""What a tokenizer is: a pretokenizer, a model and a vocabulary."""
