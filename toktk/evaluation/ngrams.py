"""N-gram models over the ids of one tokenizer: counted on some documents, and asked what others cost in bits.

Interpolated modified Kneser-Ney of the orders 1 to 3 (Chen and Goodman 1999), with the choices of KenLM
(Heafield et al. 2013): n-grams at the beginning of a document keep their counts in lower orders, and what the
first order leaves goes to all outcomes alike. `toktk.educational.kneser_ney` says it in a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from toktk.arrays import Bytes, Ids, Int64
from toktk.encoder import Encoder, number_pieces
from toktk.models.unigram_float32 import Float32Pieces
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

ORDERS = (1, 2, 3)

Float64 = npt.NDArray[np.float64]


class NgramCounts:
    """N-grams of one to three ids, counted document by document.

    What is priced are the ids of a document, and its end, which is the outcome `n_ids`; so a context has
    ``n_ids + 1`` outcomes, whether or not they were seen. The beginning is context only.

    Args:
        n_ids: of the vocabulary, those included that no text becomes.
    """

    def __init__(self, n_ids: int) -> None:
        from toktk.kernels.ngrams import PairTable

        self.n_ids = n_ids
        self._end, self._begin = n_ids, n_ids + 1
        self._unigrams = np.zeros(n_ids + 2, dtype=np.int64)
        self._before = np.zeros(n_ids + 2, dtype=np.int64)  # different tokens before each
        self._pairs, self._triples = PairTable(self._begin), PairTable(self._begin)
        self._before_pairs = np.zeros(0, dtype=np.int64)

    def add(self, tokens: Int64) -> None:
        """Count documents, each as ``n_ids + 1``, its ids, ``n_ids``; one after the other.

        Raises:
            TypeError, ValueError: tokens that are no such documents.
        """
        self._unigrams += np.bincount(tokens, minlength=self.n_ids + 2)
        pairs = self._pairs.count(tokens, tokens, tokens, self._before)
        missing = len(self._pairs) - self._before_pairs.size
        if missing > 0:
            room = np.zeros(missing + len(self._pairs), dtype=np.int64)  # doubles
            self._before_pairs = np.concatenate([self._before_pairs, room])
        self._triples.count(pairs, tokens, pairs, self._before_pairs)

    def estimate(self) -> NgramModel:
        """Return the probabilities that the counts so far give."""
        keys, n = self._pairs.keys, len(self._pairs)
        at_beginning = keys >> np.uint64(32) == np.uint64(self._begin)
        continued = np.where(at_beginning, self._pairs.counts, self._before_pairs[:n])
        n_tokens = self.n_ids + 2
        unigrams = [self._first(counts) for counts in (self._unigrams, self._before)]
        return NgramModel(
            self,
            unigrams[0],
            unigrams[1],
            _Level.of(keys, self._pairs.counts, n_tokens),
            _Level.of(keys, continued, n_tokens),
            _Level.of(self._triples.keys, self._triples.counts, n),
        )

    def _first(self, counts: Int64) -> Float64:
        """Return float64[n_ids + 2]: the probabilities of the first order; the last one means nothing."""
        counts = counts[: self._begin]
        keys = np.arange(counts.size, dtype=np.uint64)  # of one context, 0
        level = _Level.of(keys, counts, 1)
        return np.append(level.weights + level.backoffs[0] / (self.n_ids + 1), 1.0)


@dataclass(frozen=True, eq=False)
class _Level:
    """One order: the weight of each n-gram, and what each context leaves to the order below."""

    weights: Float64
    backoffs: Float64

    @classmethod
    def of(cls, keys: npt.NDArray[np.uint64], counts: Int64, n_contexts: int) -> _Level:
        from toktk.kernels.ngrams import context_sums, pair_weights

        counts = np.ascontiguousarray(counts)
        off = np.array(discounts(counts))
        totals, kinds = context_sums(keys, counts, n_contexts)
        left = kinds @ off
        backoffs = np.divide(left, totals, out=np.ones(n_contexts), where=totals > 0)
        return cls(pair_weights(keys, counts, totals, off), backoffs)


@dataclass(frozen=True, eq=False)
class NgramModel:
    """Probabilities of all three orders; each order above the first goes on with those below it.

    Attributes:
        counts: what numbers n-grams.
        unigrams, continued: float64, of the first order where it stands alone, and below others.
        pairs, continued_pairs: the second order, where it is the highest, and below the third.
        triples: the third.
    """

    counts: NgramCounts
    unigrams: Float64
    continued: Float64
    pairs: _Level
    continued_pairs: _Level
    triples: _Level

    def probabilities(self, tokens: Int64) -> list[Float64]:
        """Return float64[N] for each of `ORDERS`: the probability of each token, given those before it.

        Args:
            tokens: documents as `NgramCounts.add` takes them. Where one begins, the number says nothing.
        """
        from toktk.kernels.ngrams import interpolate

        counts = self.counts
        pairs = counts._pairs.find(tokens, tokens)
        triples = counts._triples.find(pairs, tokens)
        second, third = self.continued[tokens], self.continued[tokens]
        interpolate(tokens, pairs, self.pairs.weights, self.pairs.backoffs, second)
        below = self.continued_pairs
        interpolate(tokens, pairs, below.weights, below.backoffs, third)
        interpolate(pairs, triples, self.triples.weights, self.triples.backoffs, third)
        return [self.unigrams[tokens], second, third]

    def bits(self, tokens: Int64) -> Float64:
        """Return float64[3, D], for each of `ORDERS`: what the ids and the end of each document cost."""
        from toktk.kernels.ngrams import bits_of

        begin = self.counts.n_ids + 1
        return np.stack([bits_of(tokens, begin, p) for p in self.probabilities(tokens)])


def discounts(counts: Int64) -> tuple[float, float, float]:
    """Return what is taken from counts of 1, 2, and more; see `toktk.educational.kneser_ney_discounts`."""
    n1, n2, n3, n4 = (int((counts == i).sum()) for i in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return (0.75, 0.75, 0.75)
    y = n1 / (n1 + 2 * n2)
    one, two, more = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    return min(max(one, 0.1), 0.99), min(max(two, 0.1), 1.99), min(max(more, 0.1), 2.99)


class CutDocuments:
    """Documents as the pieces that one pretokenizer cuts them into: each tokenizer encodes a piece once.

    Args:
        data, offsets: uint8 and int64[D + 1], the documents.
    """

    def __init__(self, pretokenizer: Pretokenizer, data: Bytes, offsets: Int64) -> None:
        self._pretokenizer = pretokenizer
        self._text = data, offsets

    @cached_property
    def _pieces(self) -> tuple[npt.NDArray[np.int32], Int64, Bytes, Int64]:
        return number_pieces(self._pretokenizer, *self._text)

    def tokens(self, tokenizer: Tokenizer, jobs: int = 1) -> Int64:
        """Return the documents as `NgramCounts.add` takes them, by a tokenizer that cuts so."""
        from toktk.kernels.ngrams import stream

        model, n = tokenizer.model, tokenizer.vocab_size
        if Float32Pieces.of(self._pretokenizer, model) is None:
            numbers, ends, data, offsets = self._pieces
            return stream(numbers, ends, *model.encode_pieces(data, offsets), n)
        # What stands before a piece decides on its ids: the encoder takes whole documents.
        encoder = Encoder(self._pretokenizer, model)
        ids, ends = encoder.encode_batch(*self._text, jobs)
        return stream(*_each_a_piece(ids, ends), n)


def _each_a_piece(ids: Ids, ends: Int64) -> tuple[npt.NDArray[np.int32], Int64, Ids, Int64]:
    """Return documents as `stream` takes them, each of which is one piece."""
    n = ends.size - 1
    return np.arange(n, dtype=np.int32), np.arange(n + 1), ids, ends[1:]


@dataclass(frozen=True, eq=False)
class NgramBits:
    """What held-out documents cost under the n-gram models of one tokenizer.

    Attributes:
        groups: of the text, in the order of its evaluation.
        about: what is learned from and what is priced, in words; `learned`: the former in bytes.
        documents: int64[G], the documents that are priced.
        bytes: int64[G], theirs in UTF-8, before any normalizer; a document counts as often as others of its
            group for which it stands.
        bits: int64[3, G], for each of `ORDERS`, in thousandths.
        half: int64[3, G], as `bits`, learned from half of the text; 0 where that holds no document.
        changed: int64[G], documents that do not come back from their ids.
        scale: int64[D], for how many each sampled document stands, beside those that the sample says; 0
            where it is not priced.
        of_rows: int64[3, D], as `bits`, of one copy of each sampled document, times `scale`.
    """

    groups: tuple[str, ...]
    about: str
    learned: int
    documents: Int64
    bytes: Int64
    bits: Int64
    half: Int64
    changed: Int64
    scale: Int64
    of_rows: Int64
