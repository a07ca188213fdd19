"""The libraries that define public tokenizers, behind the face of a model."""
