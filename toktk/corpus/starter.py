"""The corpus that ships with toktk: parallel texts, Python's standard library, word frequencies."""

from __future__ import annotations

import contextlib
import functools
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from toktk import arrow
from toktk.arrays import packed
from toktk.arrow import pa
from toktk.corpus.batch import constant_group, make_batch, strings
from toktk.corpus.corpus import Corpus, concat
from toktk.corpus.memory import InMemory
from toktk.corpus.options import LINE_NUMBER, ReaderOptions, check_known
from toktk.corpus.readers import FileReader
from toktk.errors import CorpusError, MissingExtraError

PARTS = {
    "train": ("To train on: nine tenths of the code, and the words", "see its parts"),
    "eval": ("To measure on: the parallel texts, and the other tenth of the code", "see its parts"),
    "parallel": ("Short texts written for toktk, line by line in every language", "Apache-2.0"),
    "code": ("Python's standard library", "PSF-2.0"),
    "words": ("Word frequencies of many languages, from wordfreq", "CC-BY-SA-4.0"),
}
"""Title and license of each part."""

_SKIPPED_FOLDERS = {
    "__pycache__", "dist-packages", "idle_test", "site-packages", "test", "tests",
}  # fmt: skip
_UNSPACED = ("ja", "th", "zh")
_WEIGHT_PER_FREQUENCY = 3e6


def corpora_folder() -> Path:
    """Return the folder of texts and cards: inside the package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_corpora", package.parent / "corpora"):
        if folder.is_dir():
            return folder
    raise CorpusError(
        "the starter corpus is missing from this installation.",
        f"Looked in: {package / '_corpora'}, {package.parent / 'corpora'}.",
        "Install toktk again, or give a corpus with -c.",
    )


def starter(part: str, options: ReaderOptions) -> Corpus:
    """Return one of the `PARTS` of the starter corpus; only the option `errors` applies here.

    Raises:
        MissingExtraError: wordfreq is needed and not installed.
    """
    check_known(part, PARTS, f"the starter corpus has no part {part!r}")
    if part == "train":
        return concat([_code().split()[0], starter("words", options)], "starter")
    if part == "eval":
        return concat([starter("parallel", options), _code().split()[1]], "starter:eval")
    if part == "code":
        return _code()
    if part == "words":
        _wordfreq()  # if it is not installed, say so before an hour of reading
        return Corpus("starter:words", [WordFrequencies("wordfreq", "words")])
    folder = corpora_folder() / "parallel"
    files = sorted(folder.glob("*.txt"), key=lambda path: path.stem)
    if not files:
        raise CorpusError(f"the starter corpus has no parallel texts in {folder}.")
    by_line = ReaderOptions(align_column=LINE_NUMBER, errors=options.errors)
    return Corpus("starter:parallel", [FileReader(path, by_line) for path in files])


@functools.cache  # training and evaluation read the same library
def _code() -> Corpus:
    return Corpus("starter:code", [StandardLibrary(Path(sysconfig.get_path("stdlib")))])


class StandardLibrary(InMemory):
    """The source of the running Python's standard library: one document a file, group "python".

    It leaves out tests, installed packages, build configuration and files that are not UTF-8.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), "python")

    def _build(self) -> Iterator[pa.RecordBatch]:
        folder = Path(self.where)
        documents = []
        for path in sorted(folder.rglob("*.py"), key=Path.as_posix):
            below = path.relative_to(folder)
            # Paths and flags of the machine that built this Python differ between equal Pythons.
            of_build = below.name.startswith("_sysconfigdata")
            of_build |= below.parts[0].startswith("config-")
            if not of_build and not _SKIPPED_FOLDERS.intersection(below.parts):
                raw = path.read_bytes()
                with contextlib.suppress(UnicodeDecodeError):
                    raw.decode()
                    documents.append(raw)
        if not documents:
            raise CorpusError(
                "the starter corpus's code is missing: this Python has no library source.",
                f"Looked in: {self.where}.",
                "Give a corpus with -c.",
            )
        yield make_batch(strings(*packed(documents)), constant_group(self.group, len(documents)))

    def describe(self) -> dict[str, Any]:
        """Return which Python's library it is."""
        import platform

        return {"standard_library": platform.python_version(), "bytes": self.size}


class WordFrequencies(InMemory):
    """Words of 42 languages, each a document that counts as often as it occurs in three million words.

    A word has a space before it, as in running text, except in Chinese, Japanese and Thai.
    """

    def _build(self) -> Iterator[pa.RecordBatch]:
        import pyarrow.compute as pc

        wordfreq = _wordfreq()
        for language in _languages():
            # The list of buckets, not the dictionary: no Python number for each word, and no need of a
            # segmenter. The words of bucket i have the frequency 10 ** (-i / 100).
            buckets = wordfreq.get_frequency_list(language, "small")
            words = pa.array([word for bucket in buckets for word in bucket], pa.large_string())
            if language not in _UNSPACED:
                space = pa.scalar(" ", pa.large_string())
                words = pc.binary_join_element_wise(space, words, pa.scalar("", space.type))
            frequencies = 10.0 ** (-np.arange(len(buckets)) / 100)
            counts = np.maximum(np.rint(frequencies * _WEIGHT_PER_FREQUENCY), 1).astype(np.int64)
            weights = np.repeat(counts, [len(bucket) for bucket in buckets])
            yield make_batch(
                words, constant_group(language, len(words)), weight=arrow.from_numpy(weights)
            )

    def describe(self) -> dict[str, Any]:
        """Return the version of wordfreq and its languages."""
        from importlib.metadata import version

        return {"wordfreq": version("wordfreq"), "languages": _languages(), "bytes": self.size}


def _languages() -> list[str]:
    return sorted(_wordfreq().available_languages("small"))


def _wordfreq() -> Any:
    try:
        import wordfreq
    except ImportError as error:
        raise MissingExtraError(
            "the starter corpus's word frequencies need the package wordfreq.", "starter"
        ) from error
    return wordfreq
