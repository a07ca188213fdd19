"""The first documents of a corpus: the text on which a tokenizer is verified first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, zip_longest
from typing import TYPE_CHECKING

import numpy as np

from toktk import arrow
from toktk.arrays import read_arrays, write_arrays
from toktk.corpus.batch import GROUP, TEXT

if TYPE_CHECKING:
    from toktk.arrow import pa
    from toktk.cache import Store
    from toktk.corpus import Corpus

DOCUMENTS = 100
PER_GROUP = 20
BYTES = 200_000
_LONGEST = 8_000  # characters of one document: one book must not be all of the sample
_BATCHES = 4  # of at most 16 MiB: groups that begin later in the text are not looked for


def first_documents(corpus: Corpus, store: Store) -> list[str]:
    """Return some documents of each group: at most 20 of one, 100 in all, and 200 kB of UTF-8.

    They come in turn from the groups that the first 64 MiB of text hold. A long document is cut.

    Raises:
        CorpusError: the text cannot be read, or there is none.
    """
    key = {"corpus": corpus.fingerprint}
    stored = store.read("sample", key, read_arrays)
    if stored is not None:
        kept: list[str] = stored[1]["documents"]
        return kept
    documents = documents_of(corpus.batches())
    store.write("sample", key, lambda folder: write_arrays(folder, {}, documents=documents))
    return documents


def documents_of(batches: Iterable[pa.RecordBatch]) -> list[str]:
    """Return what `first_documents` does, of a text's batches."""
    by_group: dict[str, list[str]] = {}
    for _, batch in zip(range(_BATCHES), batches, strict=False):
        text, group = batch.column(TEXT), batch.column(GROUP)
        names = group.dictionary.to_pylist()
        indices = arrow.to_numpy(group.indices)
        for i in dict.fromkeys(indices[np.sort(np.unique(indices, return_index=True)[1])].tolist()):
            if len(by_group) == DOCUMENTS and names[i] not in by_group:
                continue  # no turn would reach it
            of_group = by_group.setdefault(names[i], [])
            for at in np.flatnonzero(indices == i)[: PER_GROUP - len(of_group)].tolist():
                of_group.append(text[at].as_py()[:_LONGEST])
    turns = zip_longest(*by_group.values())
    documents = [document for turn in turns for document in turn if document is not None]
    sizes = accumulate(len(document.encode()) for document in documents[:DOCUMENTS])
    return documents[: sum(size <= BYTES for size in sizes)]
