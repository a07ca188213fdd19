"""How vocabularies are built."""
