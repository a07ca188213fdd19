"""Where text comes from: files, Hugging Face datasets, strings, and the corpus that ships with toktk."""

from toktk.corpus.batch import ALIGN, GROUP, TEXT, WEIGHT, spans
from toktk.corpus.corpus import HELD_OUT, Corpus, concat
from toktk.corpus.load import load_corpus, train_and_test
from toktk.corpus.options import ReaderOptions

__all__ = [
    "ALIGN",
    "GROUP",
    "HELD_OUT",
    "TEXT",
    "WEIGHT",
    "Corpus",
    "ReaderOptions",
    "concat",
    "load_corpus",
    "spans",
    "train_and_test",
]
