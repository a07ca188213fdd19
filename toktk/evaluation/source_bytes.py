"""Proof that the bytes of tokens add up to the bytes of a text, or what keeps them from it.

The excess of a document is what its tokens count above its UTF-8 bytes. It falls apart into causes, whose
bytes add up to it: each step of toktk's own normalizer is measured by itself; of what a library does to a
text, the space in front, spaces that three byte tokens spell, special tokens and lost text are told apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Bytes, Ids, Int64, offsets_of
from toktk.arrow import pa
from toktk.corpus import Corpus
from toktk.corpus.batch import GROUP, TEXT, WEIGHT, spans
from toktk.formats.tokens import MARK, READ_AS_SPACE
from toktk.libraries.library import ChangingModel
from toktk.models.model import Model, bytes_lost, special_ids_of, surface_lengths
from toktk.normalizers.normalizer import Normalizer
from toktk.pieces.table import gather
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

PREFIX = "a space is put in front of the text"
MARKED = "U+2581 in the text is read as a space"
BY_BYTES = "a space is spelled by the tokens of 3 bytes"
SPECIAL = "text becomes a special token"
UNKNOWN = "text becomes the unknown token, or is dropped"
DROPPED = "text is dropped"
CHANGED = "the library changes the text"
OTHER = "the tokens do not spell the text"

_MARK = MARK.encode()
_EXCERPT = 30  # characters


@dataclass(frozen=True)
class Cause:
    """What keeps the sum from the text's bytes: in how many documents, and by how many bytes too many."""

    what: str
    documents: int
    excess: int


@dataclass(frozen=True)
class Break:
    """Where the first document whose sum differs stops being what its tokens spell.

    `document` counts from 1 in the order of the corpus, `byte` from 0 in the document; `token` is the id
    that stands there, None behind the last one.
    """

    document: int
    group: str
    byte: int
    text: str
    token: int | None
    spelled: bytes


@dataclass(frozen=True)
class Proof:
    """What the tokens of a corpus count, int64[G] in the order of `groups`, and why that is not its bytes."""

    groups: tuple[str, ...]
    documents: Int64
    bytes: Int64
    token_bytes: Int64
    differing: Int64
    causes: tuple[Cause, ...]
    first: Break | None

    @property
    def holds(self) -> bool:
        """Whether the bytes of the tokens of every document add up to its own."""
        return not self.differing.any()


def prove(
    tokenizer: Tokenizer,
    corpus: Corpus,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Proof:
    """Encode a corpus, and hold the sum of token bytes against the bytes of each document.

    A document counts as often as its weight says.

    Raises:
        CorpusError: the text cannot be read.
        FormatError: the library that runs the tokenizer fails at the text.
    """
    prover = _Prover(tokenizer, jobs)
    for batch in corpus.batches(progress):
        prover.see(batch)
    return prover.finish()


@dataclass
class _Prover:
    """Sums over the batches of a corpus."""

    tokenizer: Tokenizer
    jobs: int
    by_group: dict[str, Int64] = field(
        default_factory=lambda: defaultdict(lambda: np.zeros(4, dtype=np.int64))
    )
    causes: dict[str, Int64] = field(
        default_factory=lambda: defaultdict(lambda: np.zeros(2, dtype=np.int64))
    )
    first: Break | None = None
    n_seen: int = 0

    def __post_init__(self) -> None:
        self.lengths = self.tokenizer.token_bytes().astype(np.int64)

    def see(self, batch: pa.RecordBatch) -> None:
        """Encode the documents of a batch, and add what they tell."""
        data, offsets = spans(batch.column(TEXT))
        ids, ends = self.tokenizer.encode_batch(batch.column(TEXT), self.jobs)
        n_bytes, sums = np.diff(offsets), _sums(self.lengths[ids], ends)
        weights, group = arrow.to_numpy(batch.column(WEIGHT)), batch.column(GROUP)
        names, numbers = group.dictionary.to_pylist(), arrow.to_numpy(group.indices)
        differs = sums != n_bytes
        columns = np.column_stack([np.ones_like(sums), n_bytes, sums, differs]) * weights[:, None]
        of_group = np.zeros((len(names), columns.shape[1]), dtype=np.int64)
        np.add.at(of_group, numbers, columns)
        for number in np.flatnonzero(np.bincount(numbers)).tolist():
            self.by_group[names[number]] += of_group[number]
        if differs.any():
            chosen = np.flatnonzero(differs)
            documents = _Documents(
                *gather(data, offsets, chosen),
                ids[np.repeat(differs, np.diff(ends))],
                offsets_of(np.diff(ends)[chosen]),
            )
            self._explain(documents, (sums - n_bytes)[chosen], weights[chosen])
            if self.first is None:
                d = int(chosen[0])
                self.first = self._break(documents, self.n_seen + d + 1, names[numbers[d]])
        self.n_seen += n_bytes.size

    def _explain(self, documents: _Documents, excess: Int64, weights: Int64) -> None:
        parts = documents.causes(self.tokenizer)
        rest = excess - sum(parts.values())
        is_library = isinstance(self.tokenizer.model, ChangingModel)
        if not is_library:
            parts[UNKNOWN] = np.where(documents.have_unknown(self.tokenizer.model), rest, 0)
            rest = rest - parts[UNKNOWN]
        parts[CHANGED if is_library else OTHER] = rest
        for what, part in parts.items():
            self.causes[what] += [(weights * (part != 0)).sum(), (weights * part).sum()]

    def _break(self, documents: _Documents, number: int, group: str) -> Break:
        """Return where the first of these documents is no longer what its tokens spell."""
        tokens = self.tokenizer.model.tokens
        text = documents.data[: documents.offsets[1]].tobytes()
        at, token = 0, None
        for i in documents.ids[: documents.ends[1]].tolist():
            spelled = tokens[i] if self.lengths[i] else b""
            if not spelled or not text.startswith(spelled, at):
                token = i
                break
            at += len(spelled)
        rest = text[at:].decode(errors="replace")[:_EXCERPT]
        return Break(number, group, at, rest, token, b"" if token is None else tokens[token])

    def finish(self) -> Proof:
        """Return what all batches told."""
        groups = tuple(sorted(self.by_group))
        totals = np.array([self.by_group[name] for name in groups], dtype=np.int64).reshape(-1, 4)
        causes = [Cause(what, *part.tolist()) for what, part in self.causes.items() if part[0]]
        causes.sort(key=lambda cause: (-cause.documents, cause.what))
        documents, n_bytes, sums, differing = totals.T
        return Proof(groups, documents, n_bytes, sums, differing, tuple(causes), self.first)


@dataclass(frozen=True)
class _Documents:
    """Documents and their ids, packed one after the other; `offsets` and `ends` are int64[D + 1] from 0."""

    data: Bytes
    offsets: Int64
    ids: Ids
    ends: Int64

    def have_unknown(self, model: Model) -> npt.NDArray[np.bool_]:
        """Return bool[D]: which documents have tokens of unknown text."""
        unknown = getattr(model, "unknown_id", None)
        is_unknown = np.zeros_like(self.ids) if unknown is None else self.ids == unknown
        return _sums(is_unknown.astype(np.int64), self.ends) > 0

    def causes(self, tokenizer: Tokenizer) -> dict[str, Int64]:
        """Return int64[D] for each cause that can be told apart: the bytes that it adds."""
        model = tokenizer.model
        special = np.zeros(len(model.tokens), dtype=np.int64)
        special[special_ids_of(model)] = surface_lengths(model)[special_ids_of(model)]
        parts = {SPECIAL: -_sums(special[self.ids], self.ends)}
        if not isinstance(model, ChangingModel):
            return parts | self._normalized(tokenizer.pretokenizer)
        parts[PREFIX] = self._prefixed(model.tokens)
        if READ_AS_SPACE in model.changes:
            parts |= self._marked(model.tokens)
        lost = bytes_lost(model, self.data, self.offsets, self.ids, self.ends[1:])
        is_unknown = self.have_unknown(model)
        parts[UNKNOWN] = -np.where(is_unknown, lost, 0)
        parts[DROPPED] = -np.where(is_unknown, 0, lost)
        return parts

    def _normalized(self, pretokenizer: Pretokenizer) -> dict[str, Int64]:
        """Return what each step of toktk's normalizer adds."""
        whole = pretokenizer.normalizer
        steps = {
            f"the normalizer {whole.form} changes the text": Normalizer(form=whole.form),
            MARKED: replace(whole, prefix="never"),
            PREFIX: whole,
        }
        parts, before = {}, np.diff(self.offsets)
        for what, step in steps.items():
            cut = replace(pretokenizer, normalizer=step, before=())
            _, edges, owner, _ = cut.prepare(self.data, self.offsets)
            after = np.diff(edges)
            if owner is not None:
                after = np.bincount(owner, after, self.offsets.size - 1).astype(np.int64)
            parts[what] = after - before
            before = after
        return parts

    def _prefixed(self, tokens: list[bytes]) -> Int64:
        """Return 1 for the documents whose tokens begin with one space more than the text."""
        gains = np.zeros(self.offsets.size - 1, dtype=np.int64)
        ids = [i for i, token in enumerate(tokens) if token.startswith(b" ")]
        begins = np.zeros(self.ids.size + 1, dtype=np.bool_)
        begins[:-1] = np.isin(self.ids, ids)
        for d in np.flatnonzero(begins[self.ends[:-1]] & (np.diff(self.ends) > 0)).tolist():
            text = self.data[self.offsets[d] : self.offsets[d + 1]].tobytes().decode()
            n = len(text) - len(text.lstrip(f" {MARK}"))
            spelled = b""
            for i in self.ids[self.ends[d] : self.ends[d + 1]].tolist():
                spelled += tokens[i]
                if len(spelled) > n + 1 or spelled.lstrip(b" "):
                    break
            gains[d] = len(spelled) - len(spelled.lstrip(b" ")) == n + 1
        return gains

    def _marked(self, tokens: list[bytes]) -> dict[str, Int64]:
        """Return what U+2581 in the text takes away, and what spaces add that its three bytes spell."""
        in_text = _places(self.data, [*_MARK])
        in_tokens = np.empty(0, dtype=np.int64)
        if all(bytes([b]) in tokens for b in _MARK):
            in_tokens = _places(self.ids, [tokens.index(bytes([b])) for b in _MARK])
        n = self.offsets.size - 1
        own = np.bincount(np.searchsorted(self.offsets, in_text, side="right") - 1, minlength=n)
        spelled = np.bincount(np.searchsorted(self.ends, in_tokens, side="right") - 1, minlength=n)
        return {
            BY_BYTES: 2 * np.maximum(spelled - own, 0),
            MARKED: -2 * np.maximum(own - spelled, 0),
        }


def _places(values: npt.NDArray[np.unsignedinteger], wanted: list[int]) -> Int64:
    """Return int64[n]: where the three values `wanted` stand one after the other."""
    a, b, c = wanted
    is_first: Int64 = np.flatnonzero((values[:-2] == a) & (values[1:-1] == b) & (values[2:] == c))
    return is_first


def _sums(values: Int64, ends: Int64) -> Int64:
    """Return int64[D], the sums of ``values[ends[d]:ends[d + 1]]``."""
    sums: Int64 = np.diff(np.concatenate([[0], np.cumsum(values)])[ends])
    return sums
