"""A list of tokens that can spell every text, as the kernels of toktk.kernels.unigram_encode read it."""

from __future__ import annotations

import functools
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Int64, read_only
from toktk.arrays import packed as packed
from toktk.errors import FormatError, clipped
from toktk.models.model import ArrayModel


def unpacked(data: Bytes, offsets: Int64) -> list[bytes]:
    """Return the tokens that `packed` packed."""
    raw = data.tobytes()
    return [raw[a:b] for a, b in pairwise(offsets.tolist())]


def build_trie(
    data: Bytes, offsets: Int64, matched: npt.NDArray[np.bool_] | None = None, first_id: int = 0
) -> tuple[Int64, Int64]:
    """Return the hash table of toktk.kernels.unigram_encode, and int64[nodes]: the token ending there, or -1.

    `matched` (bool[n]) are the tokens that take part; errors count ids from `first_id` on.

    Raises:
        FormatError: two tokens are equal, or there are too many bytes.
    """
    from toktk.kernels.unigram_encode import MAX_NODES, fill_trie

    # By length: the nodes near the root, which every walk visits, get neighboring numbers.
    entered = np.argsort(np.diff(offsets), kind="stable")
    if matched is not None:
        entered = entered[matched[entered]]
    if data.size >= MAX_NODES:
        raise FormatError(
            "the vocabulary is too large.",
            f"Found: {data.size:,} bytes of tokens, of at most {MAX_NODES - 1:,}.",
        )
    room = data.size + 1
    while True:  # the second time around the nodes are counted, and the table is small
        table = np.full(max(512, 1 << (2 * room).bit_length()), -1, dtype=np.int64)
        token_at = np.full(room, -1, dtype=np.int64)
        n_nodes = int(fill_trie(data, offsets, entered, table, token_at))
        if n_nodes < 0:
            t = -1 - n_nodes
            raw = data[offsets[t] : offsets[t + 1]].tobytes()
            raise FormatError(
                "tokens must differ from each other.",
                f"Found: token {first_id + t} (of {first_id + offsets.size - 1}) is {clipped(raw)} "
                "once more.",
            )
        if n_nodes == room:
            return read_only(table, np.int64), read_only(token_at, np.int64)
        room = n_nodes


class Vocabulary(ArrayModel):
    """What models have in common that look tokens up by their bytes.

    Attributes:
        special_tokens: ids 0, 1, …; never matched in text.
        data, offsets: uint8[N], int64[n + 1]: the bytes of the ordinary tokens, whose ids follow.
        fallback: None where every single byte is a token. Else int64[256]: the id of the token of
            each byte; these are not matched, but spell characters for which there is no token.

    Raises:
        FormatError: tokens that are empty, cut inside a character, or no complete alphabet. Equal
            tokens are found when `trie` is first used.
    """

    data: Bytes
    offsets: Int64
    fallback: Int64 | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "special_tokens", tuple(self.special_tokens))
        self._freeze(data=np.uint8, offsets=np.int64)
        if self.fallback is not None:
            self._freeze(fallback=np.int64)
        names = self.special_tokens
        if len(set(names)) < len(names) or "" in names:
            raise FormatError(
                "special tokens must be different from each other and not empty.",
                f"Found: {', '.join(map(repr, names))}.",
            )
        if not self.offsets.size or self.offsets[0] or self.offsets[-1] != self.data.size:
            raise FormatError(f"the tokens' offsets must go from 0 to {self.data.size}.")
        empty = np.flatnonzero(np.diff(self.offsets) <= 0)
        if empty.size:
            raise FormatError(f"token {self._named(int(empty[0]))} is empty.")
        if self.fallback is None:
            self._check_bytes()
        else:
            self._check_fallback(self.fallback)

    def _check_bytes(self) -> None:
        present = self.data[self.offsets[:-1][np.diff(self.offsets) == 1]]
        missing = np.setdiff1d(np.arange(256), present)
        if missing.size:
            raise FormatError(
                "a vocabulary without byte fallback needs all 256 bytes as tokens.",
                f"Found: {missing.size} missing, the first is 0x{missing[0]:02X}.",
            )

    def _check_fallback(self, fallback: Int64) -> None:
        tokens = fallback - len(self.special_tokens)
        n = self.offsets.size - 1
        if fallback.shape != (256,) or not ((tokens >= 0) & (tokens < n)).all():
            raise FormatError(
                "byte fallback needs 256 ids of ordinary tokens.",
                f"Found: {fallback.size} from {fallback.min(initial=0)} to "
                f"{fallback.max(initial=0)}, where ordinary tokens have the ids "
                f"{len(self.special_tokens)} to {self.vocab_size - 1}.",
            )
        lengths = np.diff(self.offsets)
        spelled = self.data[self.offsets[tokens]] == np.arange(256)
        wrong = np.flatnonzero(~spelled | (lengths[tokens] != 1))
        if wrong.size:
            raise FormatError(
                f"the fallback of byte 0x{wrong[0]:02X} is another token.",
                f"Found: id {fallback[wrong[0]]}, {clipped(self.tokens[fallback[wrong[0]]])}.",
            )
        # Whole characters one after the other, each token beginning with one: so each is whole.
        ordinary = self.matched
        inside = ordinary & (self.data[self.offsets[:-1]] & 0xC0 == 0x80)
        try:
            self.data[np.repeat(ordinary, lengths)].tobytes().decode()
            broken = np.flatnonzero(inside)
        except UnicodeDecodeError:
            broken = np.flatnonzero(ordinary)
        for t in broken.tolist():
            raw = self.tokens[len(self.special_tokens) + t]
            if inside[t] or raw.decode(errors="replace").encode() != raw:
                raise FormatError(
                    "with byte fallback, tokens are whole characters.",
                    f"Found: token {self._named(t)} is {clipped(raw)}.",
                )

    def _named(self, token: int) -> str:
        return f"{len(self.special_tokens) + token} (of {self.vocab_size})"

    @property
    def vocab_size(self) -> int:
        """Number of ids, special tokens and bytes included."""
        return len(self.special_tokens) + self.offsets.size - 1

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id; a special token's are its name in UTF-8."""
        names = [name.encode() for name in self.special_tokens]
        return names + unpacked(self.data, self.offsets)

    @functools.cached_property
    def matched(self) -> npt.NDArray[np.bool_]:
        """bool[n]: which ordinary tokens are looked for in text: all but those of `fallback`."""
        matched = np.ones(self.offsets.size - 1, dtype=np.bool_)
        if self.fallback is not None:
            matched[self.fallback - len(self.special_tokens)] = False
        return read_only(matched, np.bool_)

    @functools.cached_property
    def trie(self) -> tuple[Int64, Int64]:
        """The hash table of the kernels, and int64[nodes]: the token that ends at each node, or -1."""
        return build_trie(self.data, self.offsets, self.matched, len(self.special_tokens))

    def check(self) -> None:
        """Refuse equal tokens, which the constructor leaves alone; readers of files call this."""
        _ = self.trie

    @functools.cached_property
    def _spelling(self) -> Int64:
        """int64[256]: the `fallback`, -1 without one."""
        return read_only(np.full(256, -1) if self.fallback is None else self.fallback, np.int64)
