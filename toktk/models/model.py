"""What a model is: the part of a tokenizer that turns a piece into ids."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes as Bytes
from toktk.arrays import Ids as Ids
from toktk.arrays import Int64 as Int64
from toktk.arrays import packed
from toktk.arrays import read_only as read_only
from toktk.errors import FormatError

Arrays = Mapping[str, npt.NDArray[Any]]

# The classes of models that the store can keep, by kind; imported when a model is read.
KINDS = {
    "bpe": "toktk.models.bpe:BpeModel",
    "pairs": "toktk.models.pairs:PairModel",
    "unigram": "toktk.models.unigram:UnigramModel",
    "fused-unigram": "toktk.models.fused_unigram:FusedUnigramModel",
    "greedy": "toktk.models.greedy:GreedyModel",
    "symbols": "toktk.models.symbols:SymbolsModel",
    "hf": "toktk.libraries.huggingface:HfModel",
    "sentencepiece": "toktk.libraries.sentencepiece:SentencePieceModel",
    "hf-documents": "toktk.libraries.huggingface:HfDocumentsModel",
    "tiktoken-documents": "toktk.libraries.tiktoken:TiktokenDocumentsModel",
    "sentencepiece-documents": "toktk.libraries.sentencepiece:SentencePieceDocumentsModel",
    "counts": "toktk.models.counts:CountsModel",
}


class Model(Protocol):
    """Pieces to ids over a fixed vocabulary. The `kind` names the class in the store and in files."""

    kind: ClassVar[str]

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """Names of ids that are never found in text: 0, 1, … in what is trained here, else anywhere."""

    @property
    def vocab_size(self) -> int:
        """Number of ids, special tokens and alphabet included: the highest id plus one."""

    @property
    def tokens(self) -> list[bytes]:
        """The bytes of each id; a special token's are its name in UTF-8."""

    @property
    def signature(self) -> str:
        """The sha256, in hex, of all that determines ids."""

    def encode_pieces(self, data: Bytes, offsets: Int64) -> tuple[Ids, Int64]:
        """Encode the pieces ``data[offsets[p]:offsets[p + 1]]``.

        Returns:
            The ids of all pieces, one after the other, and int64[n]: where those of each piece end.

        Raises:
            ValueError: offsets that do not ascend from 0 to ``data.size``.
        """

    def is_prefix_of(self, other: Any) -> bool:
        """Tell whether one evaluation of `other` gives this model's figures too.

        The two are the same, or `other` is this model trained further and both encode by ranked merges.
        """

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all there is to know, for the store; no array holds objects."""

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Model:
        """Return the model whose `to_arrays` gave these."""


@dataclass(frozen=True, eq=False)
class ArrayModel:
    """A model whose fields are all there is to know: arrays, names, and `scalars`.

    A field that has its default value is not stored.
    """

    special_tokens: tuple[str, ...]

    kind: ClassVar[str]
    scalars: ClassVar[tuple[str, ...]] = ()

    def _freeze(self, **dtypes: npt.DTypeLike) -> None:
        """Make the arrays of these names what kernels take."""
        for name, dtype in dtypes.items():
            object.__setattr__(self, name, read_only(getattr(self, name), dtype))

    @functools.cached_property
    def signature(self) -> str:
        """The sha256, in hex, of all that determines the ids."""
        digest = hashlib.sha256(self.kind.encode())
        for name, array in sorted(self._decisive().items()):
            digest.update(f"{name} {array.size} ".encode() + array.tobytes())
        return digest.hexdigest()

    def _decisive(self) -> dict[str, npt.NDArray[Any]]:
        """Return what of `to_arrays` determines the ids."""
        return self.to_arrays()

    def is_prefix_of(self, other: object) -> bool:
        """Tell whether `other` is the same: no smaller size can be read off another such model."""
        return other is self or (type(other) is type(self) and other.signature == self.signature)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """See `Model`."""
        arrays = {"special_tokens": pack_names(self.special_tokens)}
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if value is not field.default:
                arrays[field.name] = np.array([value]) if field.name in self.scalars else value
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """See `Model`."""
        return cls(**cls._values(arrays))

    @classmethod
    def _values(cls, arrays: Arrays) -> dict[str, Any]:
        """Return the arguments that make the model."""
        values: dict[str, Any] = {"special_tokens": unpack_names(arrays["special_tokens"])}
        for field in fields(cls)[1:]:
            if field.name in arrays or field.default is MISSING:
                array = arrays[field.name]
                values[field.name] = array.item() if field.name in cls.scalars else array
        return values


def model_from_arrays(kind: str, arrays: Arrays, signature: str | None = None) -> Model:
    """Return the model that `to_arrays` of a model of this kind described.

    `signature` is that model's, where it is known: to compute it takes as long as all else.

    Raises:
        FormatError: an unknown kind, or arrays that describe no model.
    """
    if kind not in KINDS:
        raise FormatError(f"no model is of the kind {kind!r}.", f"Known: {', '.join(KINDS)}.")
    class_ = _class_of(kind)
    model: Model = class_.from_arrays(arrays)
    if signature and isinstance(class_.signature, functools.cached_property):
        vars(model)["signature"] = signature
    return model


def is_storable(model: object) -> bool:
    """Tell whether `model_from_arrays` can bring `model` back; it cannot for a class of a plug-in."""
    kind = getattr(model, "kind", None)
    return kind in KINDS and type(model) is _class_of(kind)


def spells_all(model: object) -> bool:
    """Tell whether the tokens of every piece spell all its bytes, so that no text is lost.

    toktk's own models do: their constructors refuse a vocabulary that cannot spell every character,
    unless it has a token for unknown text. A pretokenizer drops nothing, and no `Normalizer` deletes.
    """
    is_own = isinstance(model, ArrayModel) and is_storable(model)
    return is_own and getattr(model, "unknown_id", None) is None


def bytes_lost(model: Model, data: Bytes, offsets: Int64, ids: Ids, ends: Int64) -> Int64:
    """Return int64[n]: the bytes of each piece that none of its tokens, `ids`, stands for.

    A model that changes its text before it encodes it has a method ``lost`` with the arguments after
    `model`. Of any other, the tokens spell what is left of a piece; one for unknown text spells nothing.
    """
    measure = getattr(model, "lost", None)
    if measure is not None:
        return np.asarray(measure(data, offsets, ids, ends), dtype=np.int64)
    spelled = np.concatenate([[0], np.cumsum(surface_lengths(model)[ids])])
    kept = np.diff(spelled[ends], prepend=0)
    return np.asarray(np.maximum(np.diff(offsets) - kept, 0), dtype=np.int64)


def packed_tokens(model: Model) -> tuple[Bytes, Int64]:
    """Return the bytes of ``model.tokens``, one after the other, and int64[ids + 1]: where each begins.

    A model that knows them without a list of its tokens has an attribute ``packed_tokens``.
    """
    own: tuple[Bytes, Int64] | None = getattr(model, "packed_tokens", None)
    return packed(model.tokens) if own is None else own


def token_lengths(model: Model) -> Int64:
    """Return int64[ids]: the bytes of each of ``model.tokens``; 0 where an id has none.

    A model that knows them without a list of its tokens has an attribute ``token_lengths``.
    """
    own = getattr(model, "token_lengths", None)
    if own is not None:
        return np.array(own, dtype=np.int64)
    return np.fromiter(map(len, model.tokens), dtype=np.int64, count=len(model.tokens))


def surface_lengths(model: Model) -> Int64:
    """Return int64[ids]: the bytes of text that each token stands for; of one for unknown text none."""
    lengths = token_lengths(model)
    unknown_id: int | None = getattr(model, "unknown_id", None)
    if unknown_id is not None and 0 <= unknown_id < lengths.size:
        lengths[unknown_id] = 0
    return lengths


def release_tables(model: Model) -> None:
    """Have a model hold no tables that it makes again when it encodes next, if it has such."""
    release = getattr(model, "release_tables", None)
    if release is not None:
        release()


def special_ids_of(model: Model) -> Int64:
    """Return int64[n]: the ids of the special tokens, in the order of their names."""
    own = getattr(model, "special_ids", None)
    return np.arange(len(model.special_tokens)) if own is None else np.asarray(own, dtype=np.int64)


def token_bytes(model: Model) -> npt.NDArray[np.int32]:
    """Return int32[ids]: the bytes of text that each id stands for; special tokens and holes have 0.

    The token of unknown text has 0 too: what it stands for differs from text to text.
    """
    lengths = surface_lengths(model)
    lengths[special_ids_of(model)] = 0
    return lengths.astype(np.int32)


def library_of(model: object) -> str:
    """Return the library that runs a model and its version, which decide the ids too; empty for toktk."""
    return str(getattr(model, "library", ""))


def _class_of(kind: str) -> Any:
    module, _, name = KINDS[kind].partition(":")
    return getattr(importlib.import_module(module), name)


def pack_names(names: tuple[str, ...]) -> Bytes:
    """Return strings as uint8: an array of strings would lose NULs at their ends."""
    return np.frombuffer(json.dumps(names).encode("ascii"), dtype=np.uint8)


def unpack_names(packed: npt.NDArray[Any]) -> tuple[str, ...]:
    """Return what `pack_names` packed."""
    return tuple(json.loads(packed.tobytes()))


def checked_pieces(data: Bytes, offsets: Int64) -> tuple[Bytes, Int64, int]:
    """Return pieces as kernels take them, and the length of the longest.

    Raises:
        ValueError: offsets that do not ascend from 0 to ``data.size``.
    """
    data, offsets = read_only(data, np.uint8), read_only(offsets, np.int64)
    lengths = np.diff(offsets)
    if not offsets.size or offsets[0] or offsets[-1] != data.size or (lengths < 0).any():
        raise ValueError(f"offsets must ascend from 0 to {data.size}")
    return data, offsets, int(lengths.max(initial=0))
