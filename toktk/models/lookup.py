"""The tokens of a published vocabulary, looked up by what they spell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from toktk.arrays import packed
from toktk.errors import FormatError, clipped
from toktk.models.model import Bytes, Int64, read_only
from toktk.pieces.table import gather


class Tokens(NamedTuple):
    """Tokens by id: ``data[offsets[i]:offsets[i + 1]]``, which is empty where an id has no token."""

    data: Bytes
    offsets: Int64

    @property
    def lengths(self) -> Int64:
        """int64[ids], in bytes."""
        return np.diff(self.offsets)

    def spelled(self, i: int) -> bytes:
        """Return the bytes of token i."""
        return self.data[self.offsets[i] : self.offsets[i + 1]].tobytes()

    def gathered(self, ids: Int64) -> tuple[Bytes, Int64]:
        """Return the bytes of the tokens `ids`, one after the other, and int64[n + 1]: where each begins."""
        return gather(self.data, self.offsets, ids)

    def by_id(self, ids: Int64) -> Tokens:
        """Return the tokens, which have the ids `ids`, in the order of ids."""
        n = int(ids.max(initial=-1)) + 1
        if n == ids.size and bool((ids == np.arange(n)).all()):
            return self
        places = np.full(n, ids.size)  # of nothing
        places[ids] = np.arange(ids.size)
        return Tokens(*self.extended(ids.size + 1).gathered(places))

    def extended(self, n: int) -> Tokens:
        """Return `n` tokens: these, and ids that have none."""
        return Tokens(self.data, np.append(self.offsets, np.full(n + 1, self.data.size))[: n + 1])

    def changed(self, tokens: Mapping[int, bytes]) -> Tokens:
        """Return these tokens with others in the places of some ids."""
        if not tokens:
            return self
        data, offsets = packed([*tokens.values()])
        both = read_only(np.concatenate([self.data, data]), np.uint8)
        n = self.offsets.size - 1
        places = np.arange(n)
        places[list(tokens)] = n + np.arange(len(tokens))
        offsets = np.append(self.offsets, self.data.size + offsets[1:])
        return Tokens(*Tokens(both, offsets).gathered(places))

    def table(self, ids: Int64) -> Int64:
        """Return the tokens `ids` as a hash table for toktk.kernels.pairs.

        Raises:
            FormatError: two of them spell the same.
        """
        from toktk.kernels.pairs import fill_token_table, find_token

        table = np.full(1 << max(2 * ids.size, 1).bit_length(), -1, dtype=np.int64)
        double = int(fill_token_table(ids, *self, table))
        if double >= 0:
            start, end = self.offsets[double : double + 2]
            first = int(find_token(self.data, start, end - start, table, *self))
            raise self._double(first, double)
        return read_only(table, np.int64)

    def _double(self, first: int, second: int) -> FormatError:
        return FormatError(
            "two tokens spell the same.",
            f"Found: {clipped(self.spelled(second))}, ids {first} and {second}.",
        )

    def products(self, merges: Int64, ids: Int64) -> Int64:
        """Return the token that each merge (left, right, …) makes, by its bytes: one of `ids`."""
        from toktk.kernels.pairs import find_tokens

        joined, starts = self.gathered(merges[:, :2].ravel())
        new = np.empty(len(merges), dtype=np.int64)
        find_tokens(joined, starts[::2].copy(), self.table(ids), *self, new)
        self._refuse(merges, new < 0)
        return new

    def check_products(self, merges: Int64) -> None:
        """Refuse rows (left, right, new) where new does not spell left and right together."""
        joined, starts = self.gathered(merges[:, :2].ravel())
        new, ends = self.gathered(merges[:, 2])
        wrong = np.diff(starts[::2]) != np.diff(ends)
        if not wrong.any():
            wrong[np.searchsorted(ends, np.flatnonzero(joined != new), side="right") - 1] = True
        self._refuse(merges, wrong)

    def _refuse(self, merges: Int64, wrong: npt.NDArray[np.bool_]) -> None:
        """Refuse the first `wrong` merge."""
        if wrong.any():
            at = int(wrong.argmax())
            left, right = map(self.spelled, merges[at, :2].tolist())
            raise FormatError(
                f"model.merges[{at}] makes no token of the vocabulary.",
                f"Found: {clipped(left)} and {clipped(right)}.",
            )

    def character_ids(self, excluded: Int64) -> npt.NDArray[np.int32]:
        """Return int32[highest code point + 1]: the id of each character that is a token, -1 for others.

        Two tokens that are not `excluded` may not be the same character.
        """
        candidate = (self.lengths > 0) & (self.lengths <= 4)
        candidate[excluded] = False
        ids = np.flatnonzero(candidate)
        codes = self._code_points(ids)
        ids, codes = ids[codes >= 0], codes[codes >= 0]
        table = np.full(int(codes.max(initial=-1)) + 1, -1, dtype=np.int32)
        table[codes[::-1]] = ids[::-1]  # of equal ones the first
        twice = np.flatnonzero(table[codes] != ids)
        if twice.size:
            raise self._double(int(table[codes[twice[0]]]), int(ids[twice[0]]))
        return read_only(table, np.int32)

    def _code_points(self, ids: Int64) -> Int64:
        """Return the code point of each token, of 1 to 4 bytes; -1 for what is not one character in UTF-8."""
        lengths, starts = self.lengths[ids], self.offsets[ids]
        padded = np.append(self.data, np.zeros(3, dtype=np.uint8))
        codes: Int64 = padded[starts].astype(np.int64)
        lead = np.array([0x00, 0xC0, 0xE0, 0xF0])[lengths - 1]
        mask = np.array([0x80, 0xE0, 0xF0, 0xF8])[lengths - 1]
        sound = codes & mask == lead
        codes &= ~mask
        for i in range(1, 4):
            more = lengths > i
            byte = padded[starts[more] + i].astype(np.int64)
            sound[more] &= byte & 0xC0 == 0x80
            codes[more] = codes[more] << 6 | byte & 0x3F
        sound &= codes >= np.array([0, 0x80, 0x800, 0x10000])[lengths - 1]  # in its shortest form
        sound &= (codes < 0xD800) | (codes > 0xDFFF)
        sound &= codes <= 0x10FFFF
        return np.where(sound, codes, -1)

    def check_alphabet(self, ids: Int64, characters: npt.NDArray[np.int32]) -> None:
        """Refuse tokens, all of them UTF-8, that hold a character which is no token (`character_ids`)."""
        alphabet = {chr(code) for code in np.flatnonzero(characters >= 0).tolist()}
        if alphabet.issuperset(self.gathered(ids)[0].tobytes().decode()):
            return
        for i in ids.tolist():
            text = self.spelled(i).decode()
            unknown = set(text) - alphabet
            if unknown:
                raise FormatError(
                    f"token {i} holds a character that is no token by itself.",
                    f"Found: {min(unknown)!r} in {clipped(text)}.",
                )
