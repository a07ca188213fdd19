"""Segmentation: a text, its tokens, and where in the text each of them lies."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toktk.arrays import Ids, Int64, read_only
from toktk.kernels.constants import CHARS, N_TOTALS, NONSPACE, UNSPACED, WORDS
from toktk.pieces.table import UNSPACED_LIMIT


@dataclass(frozen=True)
class Token:
    """One token of a text.

    Attributes:
        spelled: its bytes; the name of a token for unknown text.
        start, end: the bytes of the text that it stands for; None where nobody can tell.
        is_unknown: whether it stands for text that the vocabulary lacks.
    """

    id: int
    spelled: bytes
    start: int | None
    end: int | None
    is_unknown: bool

    @property
    def text(self) -> str | None:
        """What it spells; None where its bytes are no UTF-8, as those of a part of a character are."""
        try:
            return self.spelled.decode()
        except UnicodeDecodeError:
            return None


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The tokens of a text by one tokenizer.

    A token lies at the bytes of the text that it stands for. Where the tokenizer changes the text before it
    encodes it, that is known wherever a token begins and ends between characters that are changed by
    themselves; a space that is put in front of the text lies nowhere, so the first token may be empty.

    Attributes:
        name, vocab_size, engine, why: see `toktk.tokenizer.Tokenizer`.
        cut: how it cuts; None where a library runs it.
        text: UTF-8.
        ids: uint32[n].
        starts, ends: int64[n], bytes of the text; both -1 where nobody can tell.
        vocabulary: the bytes of each id.
        unknown_id: the id of text that the vocabulary lacks.
    """

    name: str
    vocab_size: int
    cut: str | None
    engine: str
    why: str
    text: bytes
    ids: Ids
    starts: Int64
    ends: Int64
    vocabulary: Sequence[bytes]
    unknown_id: int | None = None

    def __len__(self) -> int:
        return int(self.ids.size)

    def tokens(self, which: slice | Int64 = slice(None)) -> list[Token]:
        """Return the tokens, or those of some positions."""
        columns = (column[which].tolist() for column in (self.ids, self.starts, self.ends))
        return [
            Token(i, self.vocabulary[i], a, b, i == self.unknown_id)
            if a >= 0
            else Token(i, self.vocabulary[i], None, None, i == self.unknown_id)
            for i, a, b in zip(*columns, strict=True)
        ]

    @functools.cached_property
    def spelled(self) -> bytes:
        """What the tokens spell: the text, or what became of it."""
        return b"".join([self.vocabulary[i] for i in self.ids.tolist()])

    @functools.cached_property
    def is_exact(self) -> bool:
        """Whether the tokens spell the text byte for byte."""
        return self.spelled == self.text

    @functools.cached_property
    def n_unknown(self) -> int:
        """How many tokens stand for text that the vocabulary lacks."""
        return 0 if self.unknown_id is None else int(np.sum(self.ids == self.unknown_id))

    @functools.cached_property
    def blind(self) -> Int64:
        """int64[m, 2]: the parts of the text, in order, where nobody can tell where tokens lie."""
        is_lost = self.starts < 0
        firsts = np.flatnonzero(is_lost & ~np.append(False, is_lost[:-1]))
        lasts = np.flatnonzero(is_lost & ~np.append(is_lost[1:], False))
        begins = np.append(self.ends, 0)[firsts - 1]
        ends = np.append(self.starts, len(self.text))[lasts + 1]
        return np.stack([begins, ends], axis=1)


def totals(text: bytes) -> tuple[int, int | None]:
    """Return the characters of a text and its white-space words; None in a script without spaces."""
    from toktk.kernels.text_totals import add_totals

    data = np.frombuffer(text, dtype=np.uint8)
    offsets, weights = np.array([0, data.size]), np.ones(1, dtype=np.int64)
    row = np.zeros((1, N_TOTALS), dtype=np.int64)
    # The types of arguments that counting has, so that the kernel compiles once.
    add_totals(
        data, read_only(offsets, np.int64), np.zeros(1, dtype=np.int32), read_only(weights, np.int64),
        np.empty(data.size, dtype=np.uint8), row,
    )  # fmt: skip
    is_unspaced = row[0, UNSPACED] > UNSPACED_LIMIT * row[0, NONSPACE]
    return int(row[0, CHARS]), None if is_unspaced else int(row[0, WORDS])
