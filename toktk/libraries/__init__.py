"""Models that another library runs: its training, its rules of encoding."""
