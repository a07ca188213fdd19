"""Where text comes from: files, Hugging Face datasets, strings, and the corpus that ships with toktk."""

from toktk.corpus.batch import spans
from toktk.corpus.corpus import Corpus, concat
from toktk.corpus.load import load_corpus, train_and_test
from toktk.corpus.options import ReaderOptions

__all__ = ["Corpus", "ReaderOptions", "concat", "load_corpus", "spans", "train_and_test"]
