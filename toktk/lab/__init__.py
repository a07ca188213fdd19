"""The experiments, and the records, signatures and surroundings of what they find."""
