"""What an audit looks at: a tokenizer with its vocabulary sorted out, and a text as it encodes it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Ids, Int64, packed
from toktk.audit.finding import Finding, Severity
from toktk.formats.tokens import byte_names
from toktk.models.bpe import BpeModel
from toktk.models.model import Model
from toktk.models.symbols import SymbolsModel
from toktk.models.vocabulary import Vocabulary
from toktk.pieces.sampled_documents import SampledDocuments
from toktk.pieces.table import gather
from toktk.sizes import bytes_label
from toktk.tokenizer import NATIVE, Tokenizer

if TYPE_CHECKING:
    from toktk.loading.load import Loaded

Flags = npt.NDArray[np.bool_]
_BYTE_NAMES = frozenset(byte_names())

EXAMPLES = 8
"""How many examples a finding gives at most."""

NATIVE_BYTES, LIBRARY_BYTES = 1 << 25, 1 << 21
"""Of a text, so much is encoded document by document: a library is some ten times slower."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A tokenizer that is audited.

    Attributes:
        tokenizer: what gives the ids: toktk's own engine where it is as good as the library, else that.
        loaded: the file that it is from; None for a tokenizer at hand.
    """

    tokenizer: Tokenizer
    loaded: Loaded | None = None

    @property
    def label(self) -> str:
        """What findings call it."""
        return self.tokenizer.name

    @property
    def model(self) -> Model:
        """Its model."""
        return self.tokenizer.model

    @property
    def is_native(self) -> bool:
        """Whether toktk's own engine runs it."""
        return self.tokenizer.engine == NATIVE

    @functools.cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of each id; none where an id has no token."""
        return self.model.tokens

    @functools.cached_property
    def special_ids(self) -> dict[int, str]:
        """The ids of special tokens and of unknown text, with their names."""
        model: Any = self.model
        names = model.special_tokens
        if isinstance(model, BpeModel | SymbolsModel | Vocabulary):
            ids: Iterable[int] = range(len(names))
        elif hasattr(model, "special_ids"):
            ids = model.special_ids.tolist()
        else:
            id_of = {token: i for i, token in reversed([*enumerate(self.tokens)])}
            ids = [id_of[name.encode()] for name in names]
        special = dict(zip(ids, names, strict=True))
        unknown: int | None = getattr(model, "unknown_id", None)
        if unknown is not None and 0 <= unknown < len(self.tokens):
            special.setdefault(unknown, self.tokens[unknown].decode(errors="replace"))
        return special

    @functools.cached_property
    def fallback_ids(self) -> frozenset[int]:
        """The ids of bytes that stand in only where a character is no token."""
        model: Any = self.model
        if isinstance(model, SymbolsModel):
            model = model.model
        if isinstance(model, Vocabulary):
            return frozenset(() if model.fallback is None else model.fallback.tolist())
        if hasattr(model, "byte_ids"):
            spells_characters = getattr(model, "characters", True) and not isinstance(
                model, BpeModel
            )
            return frozenset(model.byte_ids.tolist() if spells_characters else ()) - {-1}
        names = enumerate(getattr(model, "names", ()))
        return frozenset(i for i, n in names if n in _BYTE_NAMES and len(self.tokens[i]) == 1)

    @functools.cached_property
    def continuing_ids(self) -> frozenset[int]:
        """The ids of WordPiece that only continue a word, whose names in the file begin with ``##``."""
        names = enumerate(getattr(self.model, "names", ()))
        return frozenset(
            i for i, n in names if n[:2] == "##" and self.tokens[i] == n[2:].encode() != b""
        )

    @functools.cached_property
    def ordinary(self) -> Int64:
        """int64[n], ascending: the ids that have a token of their own: no special ones, no holes."""
        special = self.special_ids
        ids = [i for i, token in enumerate(self.tokens) if token and i not in special]
        return np.array(ids, dtype=np.int64)

    @functools.cached_property
    def is_text(self) -> Flags:
        """bool[n]: which of the `ordinary` tokens are whole characters."""
        return np.array([is_utf8(self.tokens[i]) for i in self.ordinary.tolist()], dtype=np.bool_)

    @functools.cached_property
    def adds_space(self) -> bool:
        """Whether a space is put in front of every text."""
        return self.spelled("a").startswith(b" ")

    def spelled(self, text: str) -> bytes:
        """Return what the tokens of a text spell."""
        return self.tokenizer.decode_bytes(self.tokenizer.encode_to_numpy(text))

    def encode(self, texts: Sequence[bytes], jobs: int = 1) -> tuple[Ids, Int64]:
        """Return the ids of texts, which are UTF-8, and int64[D + 1], where those of each begin."""
        return self.tokenizer.encode_batch(packed(texts), jobs)

    def decoded(self, ids: Ids, offsets: Int64) -> list[bytes]:
        """Return what the tokens of each document spell; those for unknown text spell nothing."""
        unknown: int | None = getattr(self.model, "unknown_id", None)
        tokens = self.tokens
        numbers = ids.tolist()
        return [
            b"".join([tokens[i] for i in numbers[a:b] if i != unknown])
            for a, b in itertools.pairwise(offsets.tolist())
        ]

    def finding(self, check: str, severity: Severity, message: str, **more: Any) -> Finding:
        """Return a finding of this tokenizer."""
        return Finding(check, severity, self.label, message, **more)

    def not_checked(self, check: str, why: str) -> Finding:
        """Return the finding that says why a check has not been made."""
        return self.finding(check, "info", f"not checked: {why}")

    def of_ids(
        self, check: str, severity: Severity, message: str, ids: Iterable[int], **more: Any
    ) -> Finding:
        """Return a finding of tokens, with their number and some examples."""
        numbers = tuple(sorted(ids))
        examples = tuple(shown(self.tokens[i]) for i in numbers[:EXAMPLES])
        more = {"unit": "tokens", "examples": examples} | more
        return self.finding(check, severity, message, count=len(numbers), ids=numbers, **more)


@dataclass(frozen=True, eq=False)
class Text:
    """Documents of a corpus, and what a tokenizer makes of them.

    Attributes:
        name: of the corpus.
        data, offsets: uint8 and int64[D + 1]: the documents, in the order of their hashes.
        unit: uint64[D], ascending: the hash of each, or of its aligned line.
        groups, group: names of the groups, and int32[D], in which each is.
        n_all: documents of the whole corpus, which these may be a part of; those that are equal are one.
        ids, ends: uint32 and int64[D + 1]: the ids of document d are ``ids[ends[d]:ends[d + 1]]``.
    """

    name: str
    data: Bytes
    offsets: Int64
    unit: npt.NDArray[np.uint64]
    groups: tuple[str, ...]
    group: npt.NDArray[np.int32]
    n_all: int
    ids: Ids = field(default_factory=lambda: np.empty(0, np.uint32))
    ends: Int64 = field(default_factory=lambda: np.zeros(1, np.int64))

    def __len__(self) -> int:
        return self.offsets.size - 1

    @property
    def is_all(self) -> bool:
        """Whether these are all documents of the corpus."""
        return len(self) == self.n_all

    @property
    def described(self) -> str:
        """What was read, in words: ``1,000 documents (2.1 MB) of news``."""
        part = "" if self.is_all else f" of {self.n_all:,}"
        n = f"{len(self):,}{part} different documents" if len(self) != 1 else "one document"
        return f"{n} ({bytes_label(int(self.offsets[-1]))}) of {self.name}"

    @classmethod
    def of(
        cls, name: str, sample: SampledDocuments, subject: Subject, jobs: int, most: int = 0
    ) -> Text:
        """Return the documents of a sample, up to `most` bytes of them, encoded.

        They are taken in the order of their hashes, so what is left out is left out by chance.
        """
        most = most or (NATIVE_BYTES if subject.is_native else LIBRARY_BYTES)
        order = np.lexsort((sample.group, sample.unit))
        sizes = np.cumsum(np.diff(sample.offsets)[order])
        chosen = order[: max(1, int(np.searchsorted(sizes, most, side="right")))]
        data, offsets = gather(sample.data, sample.offsets, chosen)
        ids, ends = subject.tokenizer.encode_batch((data, offsets), jobs)
        n_all = len(sample) if chosen.size == len(sample) and not sample.levels.any() else 0
        return cls(
            name,
            data,
            offsets,
            sample.unit[chosen],
            sample.groups,
            sample.group[chosen],
            n_all or max(int(sample.n_all.sum()), len(sample)),
            ids,
            ends,
        )

    def document(self, d: int) -> bytes:
        """Return the bytes of a document."""
        return self.data[self.offsets[d] : self.offsets[d + 1]].tobytes()


def shown(raw: bytes) -> str:
    r"""Return bytes as an example: text, with a byte of no character as a surrogate such as ``\udce2``."""
    return raw.decode("utf-8", "surrogateescape")


def is_utf8(raw: bytes) -> bool:
    """Tell whether bytes are whole characters."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def percent(part: float, whole: float) -> str:
    """Return a share as ``12.3%``, or ``0%`` of nothing."""
    share = 100 * part / whole if whole else 0.0
    return f"{share:.2g}%" if share < 0.1 else f"{share:.1f}%"


def plural(n: int, what: str, many: str = "") -> str:
    """Return ``1 token`` or ``2,000 tokens``."""
    return f"{n:,} {what if n == 1 else many or f'{what}s'}"
