"""Tokens and their ids, looked up by what they spell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.models.model import Bytes, Int64, read_only

# Arrays are made by id, so one absurd number in a file must not take all memory.
MAX_ID = 2**22 - 1


def within(numbers: Int64, n: int) -> bool:
    """Tell whether all are 0 to n - 1."""
    return not numbers.size or (int(numbers.min()) >= 0 and int(numbers.max()) < n)


def tokens_by_id(ids: Mapping[bytes, int], special_tokens: Mapping[str, int]) -> list[bytes]:
    """Return the token of each id, ``b""`` for special tokens and where there is none.

    Raises:
        FormatError: an id given twice, below 0 or above `MAX_ID`.
    """
    _check_ids(ids, special_tokens)
    tokens = [b""] * (1 + max([*ids.values(), *special_tokens.values()], default=-1))
    for token, i in ids.items():
        tokens[i] = token
    return tokens


def _check_ids(ids: Mapping[bytes, int], special_tokens: Mapping[str, int]) -> None:
    given = [*ids.values(), *special_tokens.values()]
    if given and not 0 <= min(given) <= max(given) <= MAX_ID:
        outside = next(i for i in given if not 0 <= i <= MAX_ID)
        raise FormatError(f"the id {outside} is outside 0 to {MAX_ID:,}.")
    if len(set(given)) == len(given):
        return
    owner: dict[int, object] = {}
    for name, i in [*ids.items(), *special_tokens.items()]:
        if owner.setdefault(i, name) != name:
            raise FormatError(f"the id {i} is given twice.", f"Found: {owner[i]!r} and {name!r}.")


def gathered(data: Bytes, offsets: Int64, ids: Int64) -> tuple[Bytes, Int64]:
    """Return the bytes of the tokens `ids`, one after the other, and int64[n + 1]: where each begins."""
    lengths = np.diff(offsets)[ids]
    starts = np.append(0, np.cumsum(lengths)).astype(np.int64)
    at = np.arange(starts[-1]) + np.repeat(offsets[ids] - starts[:-1], lengths)
    return data[at], starts


def token_table(data: Bytes, offsets: Int64, ids: Int64) -> Int64:
    """Return the tokens `ids` as a hash table for toktk.kernels.pairs.

    Raises:
        FormatError: two of them spell the same.
    """
    from toktk.kernels.pairs import fill_token_table, find_token

    table = np.full(1 << max(2 * ids.size, 1).bit_length(), -1, dtype=np.int64)
    double = int(fill_token_table(ids, data, offsets, table))
    if double >= 0:
        start, n = offsets[double], offsets[double + 1] - offsets[double]
        first = int(find_token(data, start, n, table, data, offsets))
        raise double_token(data[start : start + n].tobytes(), first, double)
    return read_only(table, np.int64)


def double_token(token: bytes, first: int, second: int) -> FormatError:
    """Return what to raise where two ids spell the same."""
    return FormatError("two tokens spell the same.", f"Found: {token!r}, ids {first} and {second}.")


def products(data: Bytes, offsets: Int64, merges: Int64, ids: Int64) -> Int64:
    """Return the token that each merge (left, right, …) makes, by its bytes: one of `ids`.

    Raises:
        FormatError: two of `ids` spell the same, or a merge makes no token.
    """
    from toktk.kernels.pairs import find_tokens

    table = token_table(data, offsets, ids)
    joined, starts = gathered(data, offsets, merges[:, :2].ravel())
    found = np.empty(len(merges), dtype=np.int64)
    find_tokens(joined, starts[::2].copy(), table, data, offsets, found)
    if (found < 0).any():
        raise _no_token(data, offsets, merges, int((found < 0).argmax()))
    return found


def check_products(data: Bytes, offsets: Int64, merges: Int64) -> None:
    """Refuse rows (left, right, new) of which new does not spell left and right together.

    Raises:
        FormatError: naming the first such merge.
    """
    joined, starts = gathered(data, offsets, merges[:, :2].ravel())
    made, ends = gathered(data, offsets, merges[:, 2])
    wrong = np.diff(starts[::2]) != np.diff(ends)
    if not wrong.any():
        row = np.repeat(np.arange(len(merges)), np.diff(ends))
        wrong[row[joined != made]] = True
    if wrong.any():
        raise _no_token(data, offsets, merges, int(wrong.argmax()))


def _no_token(data: Bytes, offsets: Int64, merges: Int64, at: int) -> FormatError:
    left, right = (data[offsets[i] : offsets[i + 1]].tobytes() for i in merges[at, :2].tolist())
    return FormatError(
        f"model.merges[{at}] makes no token of the vocabulary.", f"Found: {left!r} and {right!r}."
    )


def character_ids(data: Bytes, offsets: Int64, excluded: Int64) -> npt.NDArray[np.int32]:
    """Return int32[highest code point + 1]: the id of each character that is a token, -1 for others.

    Raises:
        FormatError: two tokens that are not `excluded` are the same character.
    """
    lengths = np.diff(offsets)
    candidate = (lengths > 0) & (lengths <= 4)
    candidate[excluded] = False
    ids = np.flatnonzero(candidate)
    codes = _code_points(data, offsets, ids)
    ids, codes = ids[codes >= 0], codes[codes >= 0]
    table = np.full(int(codes.max(initial=-1)) + 1, -1, dtype=np.int32)
    table[codes[::-1]] = ids[::-1]  # of equal ones the first
    twice = np.flatnonzero(table[codes] != ids)
    if twice.size:
        second = int(ids[twice[0]])
        raw = data[offsets[second] : offsets[second + 1]].tobytes()
        raise double_token(raw, int(table[codes[twice[0]]]), second)
    return read_only(table, np.int32)


def _code_points(data: Bytes, offsets: Int64, ids: Int64) -> Int64:
    """Return the code point of each token, of 1 to 4 bytes; -1 for what is not one character in UTF-8."""
    lengths = np.diff(offsets)[ids]
    padded = np.append(data, np.zeros(3, dtype=np.uint8))
    codes: Int64 = padded[offsets[ids]].astype(np.int64)
    lead = np.array([0x00, 0xC0, 0xE0, 0xF0])[lengths - 1]
    mask = np.array([0x80, 0xE0, 0xF0, 0xF8])[lengths - 1]
    sound = codes & mask == lead
    codes &= ~mask
    for i in range(1, 4):
        more = lengths > i
        byte = padded[offsets[ids[more]] + i].astype(np.int64)
        sound[more] &= byte & 0xC0 == 0x80
        codes[more] = codes[more] << 6 | byte & 0x3F
    sound &= codes >= np.array([0, 0x80, 0x800, 0x10000])[lengths - 1]  # in its shortest form
    sound &= (codes < 0xD800) | (codes > 0xDFFF)
    sound &= codes <= 0x10FFFF
    return np.where(sound, codes, -1)


def check_alphabet(tokens: Sequence[bytes], ids: Int64, characters: npt.NDArray[np.int32]) -> None:
    """Refuse tokens, all of them UTF-8, that hold a character which is no token (see `character_ids`).

    Raises:
        FormatError: naming the first.
    """
    alphabet = {chr(code) for code in np.flatnonzero(characters >= 0).tolist()}
    if alphabet.issuperset(b"".join([tokens[i] for i in ids.tolist()]).decode()):
        return
    for i in ids.tolist():
        text = tokens[i].decode()
        unknown = set(text) - alphabet
        if unknown:
            raise FormatError(
                f"token {i} holds a character that is no token by itself.",
                f"Found: {min(unknown)!r} in {text!r}.",
            )
