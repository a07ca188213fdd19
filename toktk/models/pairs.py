"""BPE over any published vocabulary: ids in any order and with holes, pairs with ranks."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from toktk.errors import FormatError
from toktk.models.model import (
    Arrays,
    Bytes,
    Ids,
    Int64,
    pack_names,
    read_only,
    unpack_names,
)
from toktk.models.neighbors import last_pairs
from toktk.models.ranked import (
    PairTable,
    Spelling,
    byte_spelling,
    character_spelling,
    encode_ranked,
    pair_table,
)
from toktk.models.spelling import (
    character_ids,
    check_alphabet,
    check_products,
    gathered,
    products,
    token_table,
    tokens_by_id,
    within,
)
from toktk.models.vocabulary import packed

Bools = npt.NDArray[np.bool_]


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
        self._whole_table  # noqa: B018 - refuses tokens listed twice
        self._character_ids  # noqa: B018

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

    @classmethod
    def from_ranks(cls, ranks: Mapping[bytes, int], special_tokens: Mapping[str, int]) -> PairModel:
        """Return the model that encodes as tiktoken does with these ranks, which are the ids.

        See `toktk.models.neighbors`. The `whole` tokens are those that merging does not make.

        Args:
            ranks: {token: rank}; holes between ranks are well.
            special_tokens: {name: id}.

        Raises:
            FormatError: an id given twice, below 0 or above `MAX_ID` of toktk.models.spelling; a byte
                that has no rank.
        """
        missing = next((b for b in range(256) if bytes([b]) not in ranks), None)
        if missing is not None:
            raise FormatError(f"no rank for the byte {missing:#04x}.", "Needed are all 256.")
        data, offsets = packed(tokens_by_id(ranks, special_tokens))
        byte_ids = np.array([ranks[bytes([b])] for b in range(256)], dtype=np.int64)
        made = np.flatnonzero(np.diff(offsets))
        ids = np.arange(offsets.size - 1, dtype=np.int64)
        pairs = last_pairs(data, offsets, ids, made, byte_ids, np.empty(0, dtype=np.int32))
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
            FormatError: a merge that makes no token; tokens that several ids spell, where that matters.
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
            made = products(data, offsets, merges, np.flatnonzero(spelled))
            merges = np.column_stack([merges, made])
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

        The greatest score merges first; see `toktk.models.neighbors`.

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
        """The highest id and one."""
        return int(self.offsets.size - 1)

    @functools.cached_property
    def base_size(self) -> int:
        """Special tokens, bytes, and characters where pieces begin as such."""
        characters = self._character_ids[self._character_ids >= 0]
        return len({*self.special_ids.tolist(), *self.byte_ids.tolist(), *characters.tolist()})

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id, none where it has no token; a special token's are its name in UTF-8."""
        raw = self.data.tobytes()
        found = [raw[a:b] for a, b in pairwise(self.offsets.tolist())]
        for name, i in zip(self.special_tokens, self.special_ids.tolist(), strict=True):
            found[i] = name.encode()
        return found

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
        """The hash table of `whole` tokens, and the bytes of the longest: -1 without any."""
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
        digest = hashlib.sha256(self.kind.encode())
        for name, array in sorted(self.to_arrays().items()):
            digest.update(f"{name} {array.size} ".encode() + array.tobytes())
        return digest.hexdigest()

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
        rest = {name: arrays[name] for name in ("special_ids", "data", "offsets", "pairs")}
        characters = bool(arrays["characters"][0])
        return cls(names, **rest, byte_ids=arrays["byte_ids"], characters=characters,
                   whole=arrays["whole"])  # fmt: skip
