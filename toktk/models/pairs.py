"""BPE over any published vocabulary: ids in any order and with holes, pairs with ranks."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.models.bpe import (
    PairTable,
    Spelling,
    byte_spelling,
    encode_ranked,
    first_pairs,
    pair_table,
)
from toktk.models.model import (
    Arrays,
    Bytes,
    Ids,
    Int64,
    pack_names,
    read_only,
    signature_of,
    unpack_names,
)
from toktk.models.vocabulary import packed, unpacked

Bools = npt.NDArray[np.bool_]

# Arrays are made by id, so one absurd number in a file must not take all memory.
MAX_ID = 2**22 - 1


@dataclass(frozen=True, eq=False)
class PairModel:
    """Ranked pairs over a vocabulary whose ids lie anywhere.

    Of the pairs at hand the one of lowest rank merges first, the leftmost of equals.

    Attributes:
        special_tokens, special_ids: names and ids that are never matched in text. Merging may still make
            such an id, where a published file says so.
        data, offsets: uint8[N], int64[ids + 1]: the bytes of every id; none where an id has no token.
        pairs: int64[n, 4]: left, right, new, rank. Of equal pairs the first counts.
        byte_ids: int64[256].
        characters: whether a piece begins as its characters; those that are no token, as the `byte_ids` of
            their bytes. Otherwise it begins as its bytes.
        whole: bool[ids]: a piece that equals the token of such an id becomes it at once. The constructors
            leave out tokens that merging makes anyway, for which it changes nothing.

    Raises:
        FormatError: arrays that do not fit each other; two tokens for one character or whole piece.
    """

    special_tokens: tuple[str, ...]
    special_ids: Int64
    data: Bytes
    offsets: Int64
    pairs: Int64
    byte_ids: Int64
    characters: bool
    whole: Bools

    kind: ClassVar[str] = "pairs"

    def __post_init__(self) -> None:
        object.__setattr__(self, "special_tokens", tuple(self.special_tokens))
        object.__setattr__(self, "characters", bool(self.characters))
        for name in ("special_ids", "offsets", "pairs", "byte_ids"):
            object.__setattr__(self, name, read_only(getattr(self, name), np.int64))
        object.__setattr__(self, "data", read_only(self.data, np.uint8))
        object.__setattr__(self, "whole", read_only(self.whole, np.bool_))
        self._check_shapes()
        self._check_bytes()
        self._check_distinct()

    def _check_shapes(self) -> None:
        from toktk.kernels.bpe_encode import NO_RANK

        n, names = self.offsets.size - 1, self.special_tokens
        ranks = self.pairs[:, 3] if self.pairs.ndim == 2 and self.pairs.shape[1] == 4 else None
        sound = {
            "offsets": n >= 0
            and self.offsets[0] == 0
            and self.offsets[-1] == self.data.size
            and bool((np.diff(self.offsets) >= 0).all()),
            "special_tokens": len(set(names)) == len(names) == self.special_ids.size
            and "" not in names,
            "special_ids": np.unique(self.special_ids).size == self.special_ids.size
            and within(self.special_ids, n),
            "pairs": ranks is not None and within(self.pairs[:, :3], n) and within(ranks, NO_RANK),
            "byte_ids": self.byte_ids.shape == (256,) and within(self.byte_ids, n),
            "whole": self.whole.shape == (n,),
        }
        wrong = [name for name, is_sound in sound.items() if not is_sound]
        if wrong:
            raise FormatError(
                f"these arrays are no vocabulary of pairs: {wrong[0]}.",
                f"Found: ids outside 0 to {n - 1:,}, given twice, or arrays that do not fit.",
            )

    def _check_bytes(self) -> None:
        starts, lengths = self.offsets[self.byte_ids], np.diff(self.offsets)[self.byte_ids]
        wrong = lengths != 1
        wrong[~wrong] = self.data[starts[~wrong]] != np.flatnonzero(~wrong)
        if wrong.any():
            byte = int(wrong.argmax())
            raise FormatError(
                f"the id of the byte 0x{byte:02X} is another token's.",
                f"Found: id {self.byte_ids[byte]}.",
            )

    def _check_distinct(self) -> None:
        """Refuse two tokens for one whole piece or one character: looking them up finds these."""
        _ = self._whole_table, self._character_ids

    @classmethod
    def from_ranks(cls, ranks: Mapping[bytes, int], special_tokens: Mapping[str, int]) -> PairModel:
        """Return the model that encodes as tiktoken does with these ranks, which are the ids.

        See `last_pairs`. The `whole` tokens are those that merging does not make.

        Args:
            ranks: {token: rank}; some ranks may be missing.
            special_tokens: {name: id}.

        Raises:
            FormatError: an id given twice, below 0 or above `MAX_ID`; a byte that has no rank.
        """
        missing = next((b for b in range(256) if bytes([b]) not in ranks), None)
        if missing is not None:
            raise FormatError(f"no rank for the byte {missing:#04x}.", "Needed are all 256.")
        data, offsets = packed(tokens_by_id(ranks, special_tokens))
        byte_ids = np.array([ranks[bytes([b])] for b in range(256)], dtype=np.int64)
        spelled = np.flatnonzero(np.diff(offsets))
        ids = np.arange(offsets.size - 1, dtype=np.int64)
        pairs = last_pairs(data, offsets, ids, spelled, byte_ids, np.empty(0, dtype=np.int32))
        whole = np.diff(offsets) > 1
        whole[pairs[:, 2]] = False
        return cls._of(special_tokens, data, offsets, pairs, byte_ids, False, whole)

    @classmethod
    def from_merges(
        cls,
        tokens: Sequence[bytes],
        merges: Int64,
        special_tokens: Mapping[str, int],
        byte_ids: Int64,
        characters: bool = False,
        whole: Bools | None = None,
    ) -> PairModel:
        """Return the model of a list of merges, by rank, as Hugging Face tokenizers runs it.

        Of equal pairs the last one counts there, and so here.

        Args:
            tokens: the bytes of each id, ``b""`` where there is none. The byte tokens of `byte_ids` are
                never what a merge makes or a character begins as, if `characters` is set.
            merges: int64[n, 2], pairs of ids, or int64[n, 3] with the id that each makes. Without that
                it is the token of their bytes.
            special_tokens: {name: id}; `tokens` may hold bytes for them, as merges can make them.
            byte_ids, characters, whole: as the attributes.

        Raises:
            FormatError: a merge that makes no token; a token that several ids spell, where that matters.
        """
        tokens = [*tokens, *[b""] * (1 + max(special_tokens.values(), default=-1) - len(tokens))]
        data, offsets = packed(tokens)
        merges = np.asarray(merges, dtype=np.int64)
        if not merges.size:
            merges = np.empty((0, 3), dtype=np.int64)
        if not within(merges, len(tokens)):
            raise FormatError("model.merges: ids outside the vocabulary.")
        byte_ids = np.asarray(byte_ids, dtype=np.int64)
        spelled = np.diff(offsets) > 0
        if characters:
            spelled[byte_ids] = False
        if merges.shape[1] == 2:
            new = products(data, offsets, merges, np.flatnonzero(spelled))
            merges = np.column_stack([merges, new])
        check_products(data, offsets, merges)
        _, last = np.unique((merges[::-1, 0] << 32) | merges[::-1, 1], return_index=True)
        ranks = np.sort(len(merges) - 1 - last)
        pairs = np.column_stack([merges[ranks], ranks])
        model = cls._of(special_tokens, data, offsets, pairs, byte_ids, characters)
        return model if whole is None else model._with_whole(whole)

    @classmethod
    def from_scores(
        cls,
        tokens: Sequence[bytes],
        scores: npt.NDArray[np.floating[Any]],
        made: Bools,
        special_tokens: Mapping[str, int],
        byte_ids: Int64,
        whole: Bools | None = None,
    ) -> PairModel:
        """Return the model that encodes as SentencePiece's BPE with byte fallback does.

        The greatest score merges first; see `last_pairs`.

        Args:
            tokens: the bytes of each id, ``b""`` where there is none.
            scores: by id.
            made: bool[ids], which tokens merging may make: not those of bytes, special or matched before.
            special_tokens: {name: id}.
            byte_ids, whole: as the attributes.

        Raises:
            FormatError: a score that is not a number, equal tokens, or one with a character that is none:
                that one would merge there, and is bytes here.
        """
        if np.isnan(scores[made]).any():
            raise FormatError(f"the score of token {int(np.isnan(scores).argmax())} is no number.")
        data, offsets = packed(tokens)
        byte_ids = np.asarray(byte_ids, dtype=np.int64)
        candidates = np.flatnonzero(made)
        token_table(data, offsets, candidates)
        model = cls._of(special_tokens, data, offsets, np.empty((0, 4)), byte_ids, True)
        check_alphabet(tokens, candidates, model._character_ids)
        ranks = np.zeros(len(tokens), dtype=np.int64)
        _, ranks[made] = np.unique(-scores[made], return_inverse=True)
        pairs = last_pairs(data, offsets, ranks, candidates, byte_ids, model._character_ids)
        model = replace(model, pairs=pairs)
        return model if whole is None else model._with_whole(whole)

    @classmethod
    def _of(
        cls,
        special_tokens: Mapping[str, int],
        data: Bytes,
        offsets: Int64,
        pairs: npt.NDArray[Any],
        byte_ids: Int64,
        characters: bool,
        whole: Bools | None = None,
    ) -> PairModel:
        special_ids = np.fromiter(special_tokens.values(), np.int64, len(special_tokens))
        if whole is None:
            whole = np.zeros(offsets.size - 1, dtype=np.bool_)
        names = tuple(special_tokens)
        return cls(names, special_ids, data, offsets, pairs, byte_ids, characters, whole)

    def _with_whole(self, whole: Bools) -> PairModel:
        """Return the model with those of the `whole` tokens that merging does not make."""
        wanted = np.flatnonzero(whole)
        ids, ends = self.encode_pieces(*gathered(self.data, self.offsets, wanted))
        differs = np.diff(ends, prepend=0) != 1
        differs[~differs] = ids[ends[~differs] - 1] != wanted[~differs]
        needed = np.zeros(self.vocab_size, dtype=np.bool_)
        needed[wanted[differs]] = True
        return replace(self, whole=needed)

    @property
    def vocab_size(self) -> int:
        """The highest id plus one."""
        return int(self.offsets.size - 1)

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id, none where it has no token; a special token's are its name in UTF-8."""
        tokens = unpacked(self.data, self.offsets)
        for name, i in zip(self.special_tokens, self.special_ids.tolist(), strict=True):
            tokens[i] = name.encode()
        return tokens

    @functools.cached_property
    def _pair_table(self) -> PairTable:
        return pair_table(self.pairs)

    @functools.cached_property
    def _spelling(self) -> Spelling:
        """How pieces begin (toktk.kernels.pairs)."""
        if self.characters:
            return character_spelling(self._character_ids, self._pair_table, self.byte_ids)
        return byte_spelling(self.pairs, self._pair_table, self.byte_ids, self.vocab_size)

    @functools.cached_property
    def _whole_table(self) -> tuple[Int64, int]:
        """The hash table of `whole` tokens, and the length of the longest in bytes; -1 without any."""
        ids = np.flatnonzero(self.whole)
        lengths = np.diff(self.offsets)[ids]
        if not lengths.all():
            raise FormatError(f"token {ids[lengths.argmin()]} is empty, so no piece equals it.")
        return token_table(self.data, self.offsets, ids), int(lengths.max(initial=-1))

    @functools.cached_property
    def _character_ids(self) -> npt.NDArray[np.int32]:
        """int32[highest code point + 1]: ids of characters, -1 for none; empty for bytes."""
        if not self.characters:
            return read_only(np.empty(0), np.int32)
        return character_ids(self.data, self.offsets, self.byte_ids)

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`."""
        whole = (*self._whole_table, self.data, self.offsets)
        return encode_ranked(data, offsets, self._spelling, self._pair_table, whole)

    def is_prefix_of(self, other: object) -> bool:
        """Tell whether `other` is the same: ranks need not follow ids, so no size is read off another."""
        return other is self or (isinstance(other, PairModel) and other.signature == self.signature)

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of all that determines the ids."""
        return signature_of(self.kind, self.to_arrays())

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `toktk.models.model.Model`."""
        return {
            "special_tokens": pack_names(self.special_tokens),
            "special_ids": self.special_ids,
            "data": self.data,
            "offsets": self.offsets,
            "pairs": self.pairs,
            "byte_ids": self.byte_ids,
            "characters": np.array([self.characters]),
            "whole": self.whole,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> PairModel:
        """See `toktk.models.model.Model`."""
        names = unpack_names(arrays["special_tokens"])
        others = ("special_ids", "data", "offsets", "pairs", "byte_ids", "whole")
        return cls(
            names,
            characters=bool(arrays["characters"][0]),
            **{name: arrays[name] for name in others},
        )


def character_spelling(
    characters: npt.NDArray[np.int32], table: PairTable | None, byte_ids: Int64
) -> Spelling:
    """Return how pieces begin as `characters`, by code point, or as their bytes; see toktk.kernels.pairs.

    `table` is None while it is being filled.
    """
    byte_ids = byte_ids.copy()
    ascii_ids = characters[:128]
    byte_ids[: ascii_ids.size][ascii_ids >= 0] = ascii_ids[ascii_ids >= 0]
    return (
        read_only(byte_ids, np.int64),
        read_only(characters, np.int32),
        True,
        first_pairs(table, byte_ids),
    )


def last_pairs(
    data: Bytes,
    offsets: Int64,
    ranks: Int64,
    made: Int64,
    byte_ids: Int64,
    characters: npt.NDArray[np.int32],
) -> Int64:
    """Return int64[n, 4]: left, right, new, rank of the pair of each token that merging can make.

    tiktoken and SentencePiece merge any two neighbors that together spell a token: first those that spell
    the token of lowest rank, of equals the leftmost. Written out as pairs, one is enough for each token: the
    two symbols that are left just before the end when the token is encoded alone.

    Proof: suppose neighbors a and b spell the token t in some text. No merge has crossed the ends of a and b,
    so the merges within happened in the order in which t alone is encoded: each time the lowest rank, then
    the leftmost, of what is there. Every step leaves one symbol less, so two symbols are left exactly once,
    and they are a and b.

    A token that never comes down to two symbols is made in no text. Only a piece that equals it can become
    it, and tiktoken does that. All steps before the last make shorter tokens, so pairs are found from the
    shortest token to the longest.

    Args:
        data, offsets: the bytes of each id.
        ranks: int64[ids], below `toktk.kernels.bpe_encode.NO_RANK`; tokens may share one.
        made: the ids that merging may make; their bytes must differ from each other.
        byte_ids, characters: how pieces begin, as toktk.kernels.pairs describes it.
    """
    from toktk.kernels.bpe_encode import SHORT, empty_pair_table
    from toktk.kernels.pairs import list_last_pairs

    lengths = np.diff(offsets)[made]
    order = made[np.argsort(lengths, kind="stable")]
    pairs = np.empty((order.size, 4), dtype=np.int64)
    scratch = np.empty(8 * max(SHORT, int(lengths.max(initial=0))), dtype=np.int64)
    n = list_last_pairs(
        order,
        data,
        offsets,
        ranks,
        character_spelling(characters, None, byte_ids),
        empty_pair_table(order.size),
        pairs,
        scratch,
    )
    return pairs[:n][np.argsort(pairs[:n, 3], kind="stable")]


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
    new = np.empty(len(merges), dtype=np.int64)
    find_tokens(joined, starts[::2].copy(), table, data, offsets, new)
    if (new < 0).any():
        raise _no_token(data, offsets, merges, int((new < 0).argmax()))
    return new


def check_products(data: Bytes, offsets: Int64, merges: Int64) -> None:
    """Refuse rows (left, right, new) where new does not spell left and right together.

    Raises:
        FormatError: the first such merge.
    """
    joined, starts = gathered(data, offsets, merges[:, :2].ravel())
    new, ends = gathered(data, offsets, merges[:, 2])
    wrong = np.diff(starts[::2]) != np.diff(ends)
    if not wrong.any():
        row = np.repeat(np.arange(len(merges)), np.diff(ends))
        wrong[row[joined != new]] = True
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
        FormatError: the first such token.
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
