"""Segmentation: how a text falls apart into tokens, where each lies, and how it is drawn."""
