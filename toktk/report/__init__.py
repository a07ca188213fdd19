"""What a run looks like: tables on the terminal, progress."""
