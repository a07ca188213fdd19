"""Models: what turns a piece into ids, and how a vocabulary can be run."""
