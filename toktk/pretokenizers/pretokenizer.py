"""Pretokenizer: a named split pattern, compiled to tables or run by the `regex` library."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import regex

from toktk import paths
from toktk.errors import PatternError, StorageError
from toktk.pretokenizers import automaton, patterns, transducer

_FORMAT = 2


@dataclass(frozen=True)
class Pretokenizer:
    """A split pattern: matches are pieces, and what lies between two matches is a piece too.

    Nothing is dropped: the pieces of a text, joined, are the text.

    Attributes:
        name: as listed by ``toktk ls pretokenizers``, or ``regex-<hash>``.
        pattern: a regular expression in the syntax of the `regex` library.
    """

    name: str
    pattern: str

    @classmethod
    def of(cls, name_or_regex: str) -> Pretokenizer:
        """Return the pretokenizer of a known name, of a plug-in, or of a pattern.

        Raises:
            PatternError: an unknown name, or a pattern that even the `regex` library refuses.
        """
        from toktk.registry import PRETOKENIZERS

        if name_or_regex not in patterns.PATTERNS and name_or_regex in PRETOKENIZERS.names():
            target = PRETOKENIZERS.load(name_or_regex)
            made = target() if callable(target) else cls(name_or_regex, str(target))
            if not isinstance(made, cls):
                raise PatternError(
                    f"the pretokenizer plug-in {name_or_regex!r} gave a {type(made).__name__}.",
                    "It must be a pattern, or a function that returns a toktk Pretokenizer.",
                )
            return made
        return cls(*patterns.resolve(name_or_regex))

    @functools.cached_property
    def transducer(self) -> transducer.Transducer | None:
        """The compiled tables, or None where the pattern runs on the `regex` library."""
        try:
            return _transducer(self.pattern)
        except PatternError:
            self.matcher  # noqa: B018 - a pattern that nobody understands is an error here
            return None

    @functools.cached_property
    def matcher(self) -> Any:
        """The pattern compiled by the `regex` library."""
        try:
            return regex.compile(self.pattern, regex.V0)
        except regex.error as error:
            raise PatternError(
                f"cannot compile the pattern {self.pattern!r}.",
                f"The regex library says: {error}.",
            ) from error

    @property
    def signature(self) -> str:
        """Name, hash of the pattern and version of the character tables."""
        digest = hashlib.sha256(self.pattern.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return f"{self.name}@{digest}|regex:{regex.__version__}"

    def cut(self, text: str) -> list[str]:
        """Return the pieces of `text`.

        Raises:
            PatternError: the text holds a lone surrogate, which has no UTF-8.
        """
        try:
            return [piece.decode() for piece in self.cut_bytes(text.encode())]
        except UnicodeEncodeError as error:
            raise PatternError(
                "cannot cut text that holds a lone surrogate.",
                f"Found: U+{ord(text[error.start]):04X} at character {error.start}.",
                "Decode the text with errors='replace'.",
            ) from error

    def cut_bytes(self, text: bytes) -> list[bytes]:
        """Return the pieces of `text`, which must be UTF-8."""
        tables = self.transducer
        if tables is None:
            return [piece.encode() for piece in self.spans(text.decode())]
        from toktk.kernels.scanning import cut_document

        data = np.frombuffer(text, dtype=np.uint8)
        ends = np.empty(data.size + 2, dtype=np.int64)
        resume = np.empty(4, dtype=np.int64)
        n = cut_document(data, 0, data.size, tables.tables, resume, ends)
        starts = [0, *ends[:n].tolist()]
        return [text[a:b] for a, b in itertools.pairwise(starts)]

    def spans(self, text: str) -> Iterator[str]:
        """Yield the pieces by the `regex` library: slower, for patterns that do not compile."""
        match: Callable[..., Any] = self.matcher.match
        gap = at = 0
        while at < len(text):
            found = match(text, at)
            if found is None or found.end() == at:
                at += 1
                continue
            if gap < at:
                yield text[gap:at]
            yield found.group()
            gap = at = found.end()
        if gap < at:
            yield text[gap:at]


@functools.lru_cache(maxsize=32)
def _transducer(pattern: str) -> transducer.Transducer:
    compiled = automaton.compile_pattern(pattern)
    key = f"{_FORMAT}\0{compiled.unicode_version}\0{pattern}".encode("utf-8", "surrogatepass")
    path = paths.home() / "patterns" / f"{hashlib.sha256(key).hexdigest()}-transducer.npz"
    stored = _load(path)
    if stored is None:
        stored = transducer.build(compiled)
        with (
            contextlib.suppress(StorageError),
            paths.atomic_write(path) as temporary,
            temporary.open("wb") as file,
        ):
            np.savez_compressed(file, allow_pickle=False, **stored.arrays())
    return stored


def _load(path: Path) -> transducer.Transducer | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return transducer.from_arrays(dict(arrays))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
