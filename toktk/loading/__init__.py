"""Loading: from what a user writes to a tokenizer whose ids are the library's."""
