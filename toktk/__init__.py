"""toktk: train tokenizers at every vocabulary size and measure what each costs."""

__version__ = "0.1.0"
