"""Determinism: the same text encoded again, in threads, alone, and in another process."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from toktk.arrays import Ids, Int64, packed
from toktk.audit.finding import Finding
from toktk.audit.subject import Subject, Text, plural
from toktk.encoder import Encoder
from toktk.loading.torture import TORTURE
from toktk.paths import temporary_folder
from toktk.timing.engines import engines_for
from toktk.timing.process import EngineError, EngineProcess
from toktk.timing.slices import write_text
from toktk.timing.worker import digest_of

_DOCUMENTS = 200  # of a corpus, beside the tricky texts


def determinism(subject: Subject, text: Text | None, jobs: int = 1) -> list[Finding]:
    """Return whether a text has the same ids however it is encoded."""
    n = 0 if text is None else min(len(text), _DOCUMENTS)
    documents = [each.encode() for each in TORTURE]
    documents += [text.document(d) for d in range(n)] if text is not None else []
    ids, ends = subject.encode(documents, 1)
    ways = {
        "a second time": subject.encode(documents, 1),
        f"in {max(2, jobs)} threads": subject.encode(documents, max(2, jobs)),
        "one document at a time": _one_by_one(subject, documents),
    }
    differing = {how: _differing(ids, ends, *other) for how, other in ways.items()}
    elsewhere = _in_another_process(subject, documents, _digests(ids, ends))
    if isinstance(elsewhere, str):
        skipped = [
            subject.finding("determinism", "info", f"not checked in another process: {elsewhere}")
        ]
    else:
        skipped, differing["in another process"] = [], elsewhere
    wrong = {how: those for how, those in differing.items() if those}
    if not wrong:
        message = (
            f"{plural(len(documents), 'document')} had the same ids "
            f"{', '.join([*differing][:-1])} and {[*differing][-1]}."
        )
        counted = {"count": 0, "of": len(documents), "unit": "documents"}
        return [*skipped, subject.finding("determinism", "ok", message, **counted)]
    all_wrong = sorted(set(itertools.chain.from_iterable(wrong.values())))
    told = ", ".join(f"{len(those):,} {how}" for how, those in wrong.items())
    return [
        *skipped,
        subject.finding(
            "determinism", "error", f"of {plural(len(documents), 'document')} other ids: {told}.",
            advice="Figures of such a tokenizer cannot be repeated: look for dropout or random merges.",
            count=len(all_wrong), of=len(documents), unit="documents",
            examples=tuple(documents[d].decode()[:60] for d in all_wrong[:5]),
        ),
    ]  # fmt: skip


def _one_by_one(subject: Subject, documents: Sequence[bytes]) -> tuple[Ids, Int64]:
    """Encode with tables of its own, document by document, the last one first."""
    encoder = Encoder(subject.tokenizer.pretokenizer, subject.model)
    each = [encoder.encode_batch(*packed([document]))[0] for document in documents[::-1]][::-1]
    return np.concatenate(each), np.cumsum([0, *(ids.size for ids in each)], dtype=np.int64)


def _differing(ids: Ids, ends: Int64, others: Ids, other_ends: Int64) -> list[int]:
    ours, theirs = _digests(ids, ends), _digests(others, other_ends)
    return [d for d, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]


def _digests(ids: Ids, ends: Int64) -> list[str]:
    return [digest_of(ids[a:b]) for a, b in itertools.pairwise(ends.tolist())]


def _in_another_process(
    subject: Subject, documents: Sequence[bytes], wanted: Sequence[str]
) -> list[int] | str:
    """Return the documents that have other ids in a fresh process, or why that is not known."""
    if subject.loaded is None:
        return "the tokenizer is at hand, and in no file."
    with temporary_folder() as folder:
        engines = engines_for(subject.loaded, folder)
        wanted_engine = "toktk" if subject.is_native else engines[0].name
        engine = next(engine for engine in engines if engine.name == wanted_engine)
        process = EngineProcess(engine, 1)
        try:
            process.load()
            found = process.ask("digests", text=str(write_text(folder / "text.npz", documents)))
        except EngineError as error:
            return f"{error}."
        finally:
            process.close()
    return [d for d, (a, b) in enumerate(zip(wanted, found, strict=True)) if a != b]
