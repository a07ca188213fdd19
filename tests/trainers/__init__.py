"""A package, because a test file of the same name lies in another folder."""
