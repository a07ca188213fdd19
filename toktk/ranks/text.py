"""The text that ranks share: each process and machine finds it by itself, by what a user wrote."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toktk.corpus import Corpus, ReaderOptions, load_corpus
from toktk.corpus.piped import open_pipe
from toktk.corpus.shares import inputs_of
from toktk.errors import CorpusError, as_usage
from toktk.places import Place
from toktk.ranks.sealed import digest_of


class Text:
    """A text that other processes and machines find by themselves.

    Args:
        specs, reader: as for `load_corpus`.

    Attributes:
        is_piped: whether it came through a pipe: a file of this machine has it, and it comes no second time.
    """

    def __init__(self, specs: Sequence[str], reader: ReaderOptions) -> None:
        self.specs, self.reader = tuple(specs), reader
        self.is_piped = any(open_pipe(name) is not None for name in self._names())

    @classmethod
    def of(cls, corpus: Corpus) -> Text:
        """Return a text at hand, which is sent as it is."""
        text = cls((), ReaderOptions())
        text.__dict__["corpus"] = corpus
        return text

    def __getstate__(self) -> dict[str, Any]:
        # What is known of its files is found out by each process: another machine may see others.
        left = {"inputs"} if self.is_piped or not self.specs else {"inputs", "corpus"}
        return {key: value for key, value in vars(self).items() if key not in left}

    @functools.cached_property
    def corpus(self) -> Corpus:
        """The corpus.

        Raises:
            CorpusError: it is not there.
        """
        return load_corpus(self.specs, self.reader, in_place=True)

    @functools.cached_property
    def inputs(self) -> list[dict[str, Any]]:
        """Name, bytes and mark of each source; see `inputs_of`."""
        return inputs_of(self.corpus)

    @property
    def n_bytes(self) -> int:
        """The bytes of all sources, as they are stored."""
        return sum(source["bytes"] for source in self.inputs)

    @property
    def digest(self) -> str:
        """The sha256, in hex, of the inputs."""
        return digest_of(self.inputs)

    def check_outside(self, place: Place) -> None:
        """Refuse a place within a folder of the text: a rank would read what others have written there.

        Raises:
            CorpusError: the place is within such a folder.
        """
        folders = [name for name in self._names() if name and Path(name).is_dir()]
        for name in folders:
            if place.folder and place.folder.resolve().is_relative_to(Path(name).resolve()):
                raise as_usage(
                    CorpusError(
                        f"cannot write to {place}.",
                        f"Found: it lies in {name}, so it would become a part of the text.",
                        "Choose a folder elsewhere with -o.",
                    )
                )

    def _names(self) -> list[str]:
        """Return what may name files: each spec, and what follows a name in it."""
        return [name for spec in self.specs for name in (spec, spec.partition("=")[2])]


class TextWork:
    """What works on a text have in common; see `toktk.ranks.work.Work`."""

    text: Text

    @property
    def corpus(self) -> Corpus:
        """What ranks read."""
        return self.text.corpus

    @property
    def size(self) -> int | None:
        """What `run` advances by in all ranks together, in `unit`."""
        return self.corpus.size

    @property
    def unit(self) -> str:
        """See `Corpus.unit`."""
        return self.corpus.unit
