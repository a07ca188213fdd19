"""Token shards: a corpus as the ids of a tokenizer, in files that training loops read."""
