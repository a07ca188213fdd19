"""How text is cut into pieces before a tokenizer sees it."""
