"""Names of tokens in a ``tokenizer.json``, as the bytes that they stand for.

There are hundreds of thousands, so what can be is done to all characters of all names at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from toktk.formats.fallback import byte_names
from toktk.formats.public_steps import MARK, NotNative, Steps
from toktk.models.bpe import byte_characters
from toktk.models.model import Int64


@dataclass
class Tokens:
    """The tokens of a BPE model by their bytes.

    `vocab` is {name: id}; names have UTF-8, and ids differ.

    Attributes:
        spelled: the bytes of each id; none for an id that has no token.
        dead: ids of tokens that are found in no text.
        byte_ids: int64[256].
        characters: whether names are text, and no characters that stand for bytes.

    Raises:
        NotNative: a byte has no token.
    """

    spelled: list[bytes]
    dead: set[int]
    byte_ids: Int64
    characters: bool

    def __init__(self, vocab: Mapping[str, int], steps: Steps) -> None:
        self.spelled = [b""] * (max(vocab.values()) + 1)
        self.dead = set()
        self.characters = not steps.byte_level
        if self.characters:
            self._as_characters(vocab, steps.normalizer.marks)
        else:
            self._as_bytes(vocab)

    def _as_bytes(self, vocab: Mapping[str, int]) -> None:
        characters = byte_characters()
        ids = [vocab.get(character, -1) for character in characters]
        if -1 in ids:
            raise NotNative(f"model BPE without a token for the byte 0x{ids.index(-1):02X}")
        self.byte_ids = np.array(ids, dtype=np.int64)
        as_byte = np.full(1 + ord(max(characters)) + 1, -1, dtype=np.int64)  # the last: any other
        as_byte[[ord(character) for character in characters]] = np.arange(256)
        codes, ends = _characters(vocab)
        found = as_byte[np.minimum(codes, as_byte.size - 1)]
        raw = found.astype(np.uint8).tobytes()
        for i, (a, b) in zip(vocab.values(), pairwise(ends.tolist()), strict=True):
            self.spelled[i] = raw[a:b]
        for name, i in _holding(vocab, found < 0, ends):
            self.dead.add(i)
            self.spelled[i] = name.encode()

    def _as_characters(self, vocab: Mapping[str, int], marks: bool) -> None:
        ids = []
        for b, name in enumerate(byte_names()):
            # A character of one byte that is a token has no use for the byte's.
            i = vocab.get(name, vocab.get(_marked(chr(b), marks), -1) if b < 128 else -1)
            if i < 0:
                raise NotNative(f"model BPE without a token for the byte 0x{b:02X}")
            ids.append(i)
        self.byte_ids = np.array(ids, dtype=np.int64)
        text = "".join(vocab)
        codes, ends = _characters(vocab)
        spaces = codes == ord(" ")
        if marks:
            text = text.replace(MARK, " ")
            codes[codes == ord(MARK)] = ord(" ")
        widths = 1 + sum((codes >= limit).astype(np.int64) for limit in (0x80, 0x800, 0x10000))
        raw, at = text.encode(), np.append(0, np.cumsum(widths))[ends].tolist()
        for i, (a, b) in zip(vocab.values(), pairwise(at), strict=True):
            self.spelled[i] = raw[a:b]
        byte_tokens = set(ids)
        dead = [("", vocab[""])] if "" in vocab else []
        for name, i in dead + (_holding(vocab, spaces, ends) if marks else []):
            if i not in byte_tokens:
                self.dead.add(i)
                self.spelled[i] = name.encode() if len(name) > 1 else b""
        for b, i in enumerate(ids):
            self.spelled[i] = bytes([b])

    def reach_over_spaces(self, made: Int64) -> bool:
        """Tell whether one of the ids `made` holds a space behind something else."""
        wanted = np.zeros(len(self.spelled), dtype=np.bool_)
        wanted[made] = True
        # 0xFF stands in no UTF-8.
        joined = b"\xff".join([self.spelled[i] for i in np.flatnonzero(wanted).tolist()])
        return re.search(rb"[^ \xff] ", joined) is not None


def _marked(text: str, marks: bool) -> str:
    return text.replace(" ", MARK) if marks else text


def _characters(names: Iterable[str]) -> tuple[Int64, Int64]:
    """Return the code points of all names, and int64[n + 1]: where those of each begin."""
    text = "".join(names)
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    return codes, np.cumsum([0, *map(len, names)], dtype=np.int64)


def _holding(
    vocab: Mapping[str, int], wanted: npt.NDArray[np.bool_], ends: Int64
) -> list[tuple[str, int]]:
    """Return the tokens that hold one of the `wanted` characters, with their ids."""
    tokens = np.unique(np.searchsorted(ends, np.flatnonzero(wanted), side="right") - 1)
    if not tokens.size:
        return []
    listed = list(vocab.items())
    return [listed[token] for token in tokens.tolist()]
