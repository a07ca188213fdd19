"""Documents -> ids in the type of a file, batch by batch and in order, by threads that share nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk import arrow
from toktk.arrays import Ids, Int64
from toktk.arrow import pa
from toktk.corpus.batch import GROUP, TEXT, WEIGHT, spans
from toktk.counts.documents import DocumentSum
from toktk.encoder import Encoder
from toktk.errors import CorpusError, FormatError
from toktk.runtime import Threads
from toktk.tokenizer import Tokenizer

NARROW = 1 << 16
"""Ids from here on take four bytes each."""


def dtype_of(vocab_size: int) -> np.dtype[Any]:
    """Return the type that ids of such a vocabulary are stored in: uint16 where all fit, else uint32."""
    return np.dtype("<u2" if vocab_size <= NARROW else "<u4")


@dataclass(frozen=True, eq=False)
class EncodedDocuments:
    """Some documents and their ids, special tokens around them included.

    Attributes:
        tokens: uint16[n] or uint32[n].
        offsets: int64[D + 1]; the tokens of document d are ``tokens[offsets[d]:offsets[d + 1]]``.
        lengths: int64[D], the bytes of each document in UTF-8.
        groups: int32[D], numbers into `group_names`.
        fingerprint: of the documents of the whole batch.
    """

    tokens: npt.NDArray[Any]
    offsets: Int64
    lengths: Int64
    groups: npt.NDArray[np.int32]
    group_names: list[str]
    fingerprint: DocumentSum

    def __len__(self) -> int:
        return self.lengths.size

    def part(self, first: int, last: int) -> EncodedDocuments:
        """Return the documents first..last - 1."""
        offsets = self.offsets[first : last + 1]
        return EncodedDocuments(
            self.tokens[offsets[0] : offsets[-1]],
            offsets - offsets[0],
            self.lengths[first:last],
            self.groups[first:last],
            self.group_names,
            self.fingerprint,
        )


class DocumentEncoder:
    """What encodes batches of a corpus; calls from several threads are safe.

    Args:
        before, after: ids of special tokens around each document.
    """

    def __init__(
        self, tokenizer: Tokenizer, before: Iterable[int] = (), after: Iterable[int] = ()
    ) -> None:
        self.dtype = dtype_of(tokenizer.vocab_size)
        self._name, self._n_ids = tokenizer.name, tokenizer.vocab_size
        self._encoder = Encoder(tokenizer.pretokenizer, tokenizer.model)
        self._before, self._after = (np.array([*ids], dtype=np.uint32) for ids in (before, after))

    def encode(self, batch: pa.RecordBatch) -> EncodedDocuments:
        """Return the documents of a batch of a corpus.

        Raises:
            CorpusError: a document counts more than once, or not at all.
            FormatError: the library that runs the tokenizer fails at the text.
        """
        if batch.num_rows and (arrow.to_numpy(batch.column(WEIGHT)) != 1).any():
            raise CorpusError(
                "cannot write documents that count more than once, or not at all.",
                "Found: weights other than 1.",
                "Leave out --weight-column and shares of texts; the loop that reads the shards can weigh.",
            )
        data, offsets = spans(batch.column(TEXT))
        ids, ends = self._encoder.encode_batch(data, offsets)
        if ids.size and int(ids.max()) >= self._n_ids:  # of a plug-in; it may not fit the type
            raise FormatError(
                f"{self._name} gives the id {int(ids.max())}.",
                f"Found: a vocabulary of {self._n_ids:,} ids.",
            )
        group, fingerprint = batch.column(GROUP), DocumentSum()
        fingerprint.add(batch)
        return EncodedDocuments(
            *self._surrounded(ids, ends),
            np.diff(offsets),
            arrow.to_numpy(group.indices),
            group.dictionary.to_pylist(),
            fingerprint,
        )

    def _surrounded(self, ids: Ids, ends: Int64) -> tuple[npt.NDArray[Any], Int64]:
        n_around = self._before.size + self._after.size
        if not n_around:
            return ids.astype(self.dtype, copy=False), ends
        from toktk.kernels.surround import surround

        tokens = np.empty(ids.size + n_around * (ends.size - 1), dtype=self.dtype)
        surround(ids, ends, self._before, self._after, tokens)
        return tokens, ends + n_around * np.arange(ends.size)


def encode_batches(
    batches: Iterable[pa.RecordBatch], encoder: DocumentEncoder, jobs: int
) -> Iterator[EncodedDocuments]:
    """Yield the batches of a corpus encoded by `jobs` threads, in order; few of them are in memory."""
    with Threads(jobs) as pool:
        pending = deque[Any]()
        for batch in batches:
            pending.append(pool.submit(encoder.encode, batch))
            if len(pending) > jobs + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
