"""The sufficient statistic: which pieces a corpus has, and how often."""
