"""Counts that ranks made together: the merged folder, and the text that was counted, without the text."""
