"""Statistics: arrays of numbers in, intervals and verdicts out; no corpus and no tokenizer in sight.

Counts are exact on the text at hand. What is uncertain is whether a figure holds for text like it, and
the unit of that question is the document. `docs/statistics.md` says what each method assumes, and
`benchmarks/calibrate.py` how often it keeps its word.
"""
