"""BPE over any published vocabulary: ids in any order and with holes, pairs with ranks."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.kernels.constants import LONGEST_ALONE, MAX_ALONE_ID, NO_RANK
from toktk.models.bpe import (
    AloneTable,
    PairLines,
    PairTable,
    Spelling,
    byte_spelling,
    encode_ranked,
    first_pairs,
    pair_lines,
    pair_table,
)
from toktk.models.lookup import Tokens
from toktk.models.model import ArrayModel, Arrays, Bytes, Ids, Int64, read_only
from toktk.models.vocabulary import packed, unpacked

Bools = npt.NDArray[np.bool_]

UNUSED_BYTES = (0xC0, 0xC1, *range(0xF5, 0x100))
"""Bytes that stand in no UTF-8; vocabularies that were trained on text without an alphabet lack them."""

MAX_ID = 2**31 - 2  # so that the size of a vocabulary is an int32


_OF_PAIRS = {"_pair_table", "_spelling", "_lines", "_character_ids"}
"""What a model makes of its pairs, once."""

_TABLES = {"_pair_table", "_spelling", "_lines", "_whole_table", "_alone"}
"""What encoding needs, up to some 30 MB, and can be made again in some 30 ms."""


def highest_id(n_tokens: int) -> int:
    """Return the highest id that a vocabulary of `n_tokens` may have.

    Arrays are made by id, so one absurd number must not take all memory. Published vocabularies
    leave holes, and small ones of tests have the special tokens of large ones.
    """
    return min(max(2**20, 8 * n_tokens) - 1, MAX_ID)


@dataclass(frozen=True, eq=False)
class PairModel(ArrayModel):
    """Ranked pairs over a vocabulary whose ids lie anywhere.

    Of the pairs at hand the one of lowest rank merges first, the leftmost of equals.

    Attributes:
        special_tokens, special_ids: names and ids that are never matched in text. Merging may still
            make such an id, where a published file says so.
        data, offsets: uint8[N], int64[ids + 1]: the bytes of every id; none where an id has no token.
        pairs: int64[n, 4]: left, right, new, rank. Of equal pairs the first counts.
        byte_ids: int64[256]; -1 where there is no token, for bytes that stand in no UTF-8 (`UNUSED_BYTES`).
        characters: whether a piece begins as its characters; those that are no token, as the
            `byte_ids` of their bytes. Otherwise it begins as its bytes.
        whole: bool[ids]: a piece that equals the token of such an id becomes it at once. The
            constructors leave out tokens that merging makes anyway, for which it changes nothing.
        is_looked_through: whether the tokens are known to differ, which is then not asked again.
        alone_ids: int64, the short tokens that encode to themselves, where they are known.

    Raises:
        FormatError: arrays that do not fit each other; two tokens for one character or whole piece.
    """

    special_ids: Int64
    data: Bytes
    offsets: Int64
    pairs: Int64
    byte_ids: Int64
    characters: bool
    whole: Bools
    is_looked_through: InitVar[bool] = False
    alone_ids: InitVar[Int64 | None] = None

    kind: ClassVar[str] = "pairs"
    scalars: ClassVar[tuple[str, ...]] = ("characters",)

    def __post_init__(self, is_looked_through: bool, alone_ids: Int64 | None) -> None:
        object.__setattr__(self, "special_tokens", tuple(self.special_tokens))
        object.__setattr__(self, "characters", bool(self.characters))
        self._freeze(**dict.fromkeys(("special_ids", "offsets", "pairs", "byte_ids"), np.int64))
        self._freeze(data=np.uint8, whole=np.bool_)
        self._check_shapes()
        self._check_bytes()
        self._check_whole()
        self._take_alone(alone_ids)
        if not is_looked_through:
            # Looking tokens up finds two that spell the same.
            _ = self._whole_table, self._character_ids

    def _decisive(self) -> dict[str, npt.NDArray[Any]]:
        return super().to_arrays()

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `Model`. What is kept has `alone_ids` too, which are found out for it."""
        return {**self._decisive(), "alone_ids": self._alone_ids}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """See `Model`. Loads no kernel: the model that gave the arrays was looked through."""
        return cls(**cls._values(arrays), is_looked_through=True, alone_ids=arrays.get("alone_ids"))

    def _check_shapes(self) -> None:
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
            "byte_ids": self.byte_ids.shape == (256,)
            and within(np.delete(self.byte_ids, UNUSED_BYTES), n)
            and within(self.byte_ids + 1, n + 1),
            "whole": self.whole.shape == (n,),
        }
        wrong = [name for name, is_sound in sound.items() if not is_sound]
        if wrong:
            raise FormatError(
                f"these arrays are no vocabulary of pairs: {wrong[0]}.",
                f"Found: ids outside 0 to {n - 1:,}, given twice, or arrays that do not fit.",
            )

    def _check_bytes(self) -> None:
        for byte, i in enumerate(self.byte_ids.tolist()):
            if i >= 0 and self._by_id.spelled(i) != bytes([byte]):
                raise FormatError(
                    f"the id of the byte 0x{byte:02X} is another token's.", f"Found: id {i}."
                )

    def _check_whole(self) -> None:
        empty = np.flatnonzero(self.whole & (self._by_id.lengths == 0))
        if empty.size:
            raise FormatError(f"token {empty[0]} is empty, so no piece equals it.")

    def _take_alone(self, alone_ids: Int64 | None) -> None:
        if alone_ids is None:
            return
        ids = read_only(alone_ids, np.int64)
        is_sound = (
            within(ids, min(self.vocab_size, MAX_ALONE_ID + 1))
            and bool((np.diff(ids) > 0).all())
            and within(self._by_id.lengths[ids] - 1, LONGEST_ALONE)
        )
        if not is_sound:
            raise FormatError("these arrays are no vocabulary of pairs: alone_ids.")
        vars(self)["_alone_ids"] = ids

    @classmethod
    def from_ranks(cls, ranks: Mapping[bytes, int], special_tokens: Mapping[str, int]) -> PairModel:
        """Return the model that encodes as tiktoken does with these ranks, which are the ids.

        Some ranks may be missing. See `last_pairs`.

        Raises:
            FormatError: an id given twice, below 0 or above `highest_id`; a byte that has no rank.
        """
        missing = next((b for b in range(256) if bytes([b]) not in ranks), None)
        if missing is not None:
            raise FormatError(f"no rank for the byte {missing:#04x}.", "Needed are all 256.")
        tokens = Tokens(*packed(tokens_by_id(ranks, special_tokens)))
        byte_ids = np.array([ranks[bytes([b])] for b in range(256)], dtype=np.int64)
        spelled = np.flatnonzero(tokens.lengths)
        ids = np.arange(tokens.lengths.size, dtype=np.int64)
        pairs = last_pairs(tokens, ids, spelled, byte_ids, np.empty(0, dtype=np.int32))
        whole = tokens.lengths > 1
        whole[pairs[:, 2]] = False
        model = cls._of(special_tokens, tokens, pairs, byte_ids, False, whole)
        vars(model)["_alone_ids"] = model._short_ids  # as tiktoken takes a piece that equals one
        return model

    @classmethod
    def from_merges(
        cls,
        tokens: Sequence[bytes] | Tokens,
        merges: Int64,
        special_tokens: Mapping[str, int],
        byte_ids: Int64,
        characters: bool = False,
        whole: Bools | None = None,
    ) -> PairModel:
        """Return the model of a list of merges, by rank, as Hugging Face tokenizers runs it.

        Of equal pairs the last one counts there, and so here.

        Args:
            tokens: the bytes of each id, ``b""`` where there is none. The byte tokens of `byte_ids`
                are never what a merge makes or a character begins as, if `characters` is set.
            merges: int64[n, 2], pairs of ids, or int64[n, 3] with the id that each makes. Without
                that it is the token of their bytes.
            special_tokens: {name: id}; `tokens` may hold bytes for them, as merges can make them.
            byte_ids, characters, whole: as the attributes.

        Raises:
            FormatError: a merge that makes no token; a token that several ids spell, where that matters.
        """
        by_id = tokens if isinstance(tokens, Tokens) else Tokens(*packed(tokens))
        n = max(by_id.lengths.size, 1 + max(special_tokens.values(), default=-1))
        by_id = by_id.extended(n)
        merges = np.asarray(merges, dtype=np.int64)
        if not merges.size:
            merges = np.empty((0, 3), dtype=np.int64)
        if not within(merges, n):
            raise FormatError("model.merges: ids outside the vocabulary.")
        byte_ids = np.asarray(byte_ids, dtype=np.int64)
        spelled = by_id.lengths > 0
        if characters:
            spelled[byte_ids[byte_ids >= 0]] = False
        if merges.shape[1] == 2:
            merges = np.column_stack([merges, by_id.products(merges, np.flatnonzero(spelled))])
        by_id.check_products(merges)
        pairs = np.column_stack([merges, np.arange(len(merges))])
        keys = (merges[:, 0] << 32) | merges[:, 1]
        in_order = np.sort(keys)
        if (in_order[1:] == in_order[:-1]).any():
            _, last = np.unique(keys[::-1], return_index=True)
            pairs = pairs[np.sort(len(merges) - 1 - last)]
        return cls._of(special_tokens, by_id, pairs, byte_ids, characters)._with_whole(whole)

    @classmethod
    def from_scores(
        cls,
        tokens: Sequence[bytes],
        scores: npt.NDArray[np.floating[Any]],
        mergeable: Bools,
        special_tokens: Mapping[str, int],
        byte_ids: Int64,
        whole: Bools | None = None,
    ) -> PairModel:
        """Return the model that encodes as SentencePiece's BPE with byte fallback does.

        The greatest score merges first; see `last_pairs`.

        Args:
            tokens: the bytes of each id, ``b""`` where there is none.
            scores: by id.
            mergeable: bool[ids], what merging may make: no bytes, special tokens or tokens matched before.
            special_tokens: {name: id}.
            byte_ids, whole: as the attributes.

        Raises:
            FormatError: a score that is not a number, equal tokens, or one with a character that is
                none: that one would merge there, and is bytes here.
        """
        if np.isnan(scores[mergeable]).any():
            raise FormatError(f"the score of token {int(np.isnan(scores).argmax())} is no number.")
        by_id = Tokens(*packed(tokens))
        byte_ids = np.asarray(byte_ids, dtype=np.int64)
        candidates = np.flatnonzero(mergeable)
        by_id.table(candidates)
        model = cls._of(special_tokens, by_id, np.empty((0, 4)), byte_ids, True)
        by_id.check_alphabet(candidates, model._character_ids)
        ranks = np.zeros(len(tokens), dtype=np.int64)
        _, ranks[mergeable] = np.unique(-scores[mergeable], return_inverse=True)
        pairs = last_pairs(by_id, ranks, candidates, byte_ids, model._character_ids)
        return replace(model, pairs=pairs)._with_whole(whole)

    @classmethod
    def _of(
        cls,
        special_tokens: Mapping[str, int],
        tokens: Tokens,
        pairs: npt.NDArray[Any],
        byte_ids: Int64,
        characters: bool,
        whole: Bools | None = None,
    ) -> PairModel:
        special_ids = np.fromiter(special_tokens.values(), np.int64, len(special_tokens))
        if whole is None:
            whole = np.zeros(tokens.lengths.size, dtype=np.bool_)
        names = tuple(special_tokens)
        return cls(names, special_ids, *tokens, pairs, byte_ids, characters, whole)

    def _with_whole(self, whole: Bools | None) -> PairModel:
        """Return the model with those of the `whole` tokens that merging does not make."""
        if whole is None:
            return self
        wanted = np.flatnonzero(whole)
        ids, ends = self.encode_pieces(*self._by_id.gathered(wanted))
        differs = np.diff(ends, prepend=0) != 1
        differs[~differs] = ids[ends[~differs] - 1] != wanted[~differs]
        needed = np.zeros(self.vocab_size, dtype=np.bool_)
        needed[wanted[differs]] = True
        model = replace(self, whole=needed)
        # They do not depend on it, and are not made again: of 200,000 tokens they take 20 ms.
        model.__dict__.update({name: self.__dict__[name] for name in _OF_PAIRS & vars(self).keys()})
        return model

    @property
    def _by_id(self) -> Tokens:
        return Tokens(self.data, self.offsets)

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

    @property
    def packed_tokens(self) -> tuple[Bytes, Int64]:
        """The bytes of each of `tokens`, one after the other, and int64[ids + 1]: where they begin."""
        names = [name.encode() for name in self.special_tokens]
        return self._by_id.changed(dict(zip(self.special_ids.tolist(), names, strict=True)))

    @property
    def token_lengths(self) -> Int64:
        """int64[ids]: the bytes of each of `tokens`."""
        lengths = np.array(self._by_id.lengths)
        lengths[self.special_ids] = [len(name.encode()) for name in self.special_tokens]
        return lengths

    @functools.cached_property
    def _pair_table(self) -> PairTable:
        return pair_table(self.pairs)

    @functools.cached_property
    def _spelling(self) -> Spelling:
        """How pieces begin (toktk.kernels.pairs)."""
        # Text is UTF-8, so what stands in for the id of an unused byte is never given out.
        byte_ids = np.where(self.byte_ids < 0, self.byte_ids[0], self.byte_ids)
        if self.characters:
            return character_spelling(self._character_ids, self._pair_table, byte_ids)
        return byte_spelling(self.pairs, self._pair_table, byte_ids, self.vocab_size)

    @functools.cached_property
    def _lines(self) -> PairLines | None:
        return pair_lines(self.pairs, self._spelling[0], self.vocab_size)

    @functools.cached_property
    def _whole_table(self) -> tuple[Int64, int]:
        """The hash table of `whole` tokens, and the length of the longest in bytes; -1 without any."""
        ids = np.flatnonzero(self.whole)
        return self._by_id.table(ids), int(self._by_id.lengths[ids].max(initial=-1))

    @functools.cached_property
    def _alone(self) -> AloneTable:
        """The table of `_alone_ids` (toktk.kernels.alone)."""
        from toktk.kernels.alone import empty_alone, enter_alone

        table: AloneTable = empty_alone(self._alone_ids.size, known=LONGEST_ALONE)
        enter_alone(self._alone_ids, self.data, self.offsets, table)
        return table

    @functools.cached_property
    def _alone_ids(self) -> Int64:
        """The tokens that encode to themselves, of those that there is room for in their table."""
        short = self._short_ids
        ids, ends = self.encode_pieces(*self._by_id.gathered(short))
        is_alone = np.diff(ends, prepend=0) == 1
        is_alone[is_alone] = ids[ends[is_alone] - 1] == short[is_alone]
        return read_only(short[is_alone], np.int64)

    @property
    def _short_ids(self) -> Int64:
        """The tokens that `_alone_ids` is chosen from."""
        lengths = self._by_id.lengths[: MAX_ALONE_ID + 1]
        return read_only(np.flatnonzero((lengths > 0) & (lengths <= LONGEST_ALONE)), np.int64)

    @functools.cached_property
    def _character_ids(self) -> npt.NDArray[np.int32]:
        """int32[highest code point + 1]: ids of characters, -1 for none; empty for bytes."""
        if not self.characters:
            return read_only(np.empty(0), np.int32)
        return self._by_id.character_ids(self.byte_ids[self.byte_ids >= 0])

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """See `toktk.models.model.Model`."""
        whole = (*self._whole_table, self.data, self.offsets)
        alone = self._alone if "_alone_ids" in vars(self) else None
        return encode_ranked(
            data, offsets, self._spelling, self._pair_table, self._lines, whole, alone
        )

    def release_tables(self) -> None:
        """Hold no tables until it encodes again."""
        for name in _TABLES:
            vars(self).pop(name, None)


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
    tokens: Tokens,
    ranks: Int64,
    mergeable: Int64,
    byte_ids: Int64,
    characters: npt.NDArray[np.int32],
) -> Int64:
    """Return int64[n, 4]: left, right, new, rank of the pair of each token that merging can make.

    tiktoken and SentencePiece merge any two neighbors that together spell a token: first those that
    spell the token of lowest rank, of equals the leftmost. Written out as pairs, one is enough for
    each token: the two symbols that are left just before the end when the token is encoded alone.

    Proof: suppose neighbors a and b spell the token t in some text. No merge has crossed the ends of a and b,
    so the merges within happened in the order in which t alone is encoded: each time the lowest
    rank, then the leftmost, of what is there. Every step leaves one symbol less, so two symbols are
    left exactly once, and they are a and b.

    A token that never comes down to two symbols is made in no text. Only a piece that equals it can
    become it, and tiktoken does that. All steps before the last make shorter tokens, so pairs are
    found from the shortest token to the longest.

    Args:
        tokens: by id.
        ranks: int64[ids], below `toktk.kernels.constants.NO_RANK`; tokens may share one.
        mergeable: the ids that merging may make; their bytes must differ from each other.
        byte_ids, characters: how pieces begin, as toktk.kernels.pairs describes it.
    """
    from toktk.kernels.bpe_encode import SHORT, empty_pair_table
    from toktk.kernels.pairs import list_last_pairs

    lengths = tokens.lengths[mergeable]
    order = mergeable[np.argsort(lengths, kind="stable")]
    pairs = np.empty((order.size, 4), dtype=np.int64)
    scratch = np.empty(8 * max(SHORT, int(lengths.max(initial=0))), dtype=np.int64)
    spelling = character_spelling(characters, None, byte_ids)
    table = empty_pair_table(order.size)
    n = list_last_pairs(order, *tokens, ranks, spelling, table, pairs, scratch)
    return pairs[:n][np.argsort(pairs[:n, 3], kind="stable")]


def within(numbers: Int64, n: int) -> bool:
    """Tell whether all are 0 to n - 1."""
    return not numbers.size or (int(numbers.min()) >= 0 and int(numbers.max()) < n)


def tokens_by_id(ids: Mapping[bytes, int], special_tokens: Mapping[str, int]) -> list[bytes]:
    """Return the token of each id, ``b""`` for special tokens and where there is none.

    Raises:
        FormatError: an id given twice, below 0 or above `highest_id`.
    """
    given = [*ids.values(), *special_tokens.values()]
    highest = highest_id(len(given))
    if given and not 0 <= min(given) <= max(given) <= highest:
        outside = next(i for i in given if not 0 <= i <= highest)
        raise FormatError(f"the id {outside} is outside 0 to {highest:,}.")
    if len(set(given)) < len(given):
        owner: dict[int, object] = {}
        for name, i in [*ids.items(), *special_tokens.items()]:
            if owner.setdefault(i, name) != name:
                fault = f"Found: {owner[i]!r:.80} and {name!r:.80}."
                raise FormatError(f"the id {i} is given twice.", fault)
    tokens = [b""] * (1 + max(given, default=-1))
    for token, i in ids.items():
        tokens[i] = token
    return tokens
