"""What a page shows: the figures of a run and the tokenizers that made them, or those of several runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from toktk import __version__, arrow
from toktk.arrays import Int64
from toktk.errors import StorageError, ToktkError, in_a_line
from toktk.lab.bench import Bench
from toktk.lab.document import CURVES, TOKEN_COUNTS, recorded_files
from toktk.lab.environment import environment
from toktk.lab.outcome import Outcome
from toktk.lab.run import Run, described_outcome
from toktk.lab.token_counts import read_token_counts
from toktk.loading.load import open_tokenizer
from toktk.loading.spec import placed
from toktk.models.bpe import BpeModel
from toktk.report.document_counts import DocumentCounts
from toktk.report.records import Record
from toktk.report.results import Results
from toktk.tokenizer import Tokenizer

if TYPE_CHECKING:
    import pyarrow as pa

CHANGED = "it is no longer the one that was measured"


@dataclass(frozen=True)
class Shown:
    """The figures of a run, or of several on one text.

    Attributes:
        name: what it is called, such as the name of its folder.
        documents: run.json of each run, by the name of the run.
        facts: {label: what run.json says of the tokenizer}.
        curves: as in `toktk.lab.family.FamilyFigures`; None without any.
        token_counts: {label: int64[ids]}, how often each id occurs in the text; of earlier runs none.
        tokenizers: {label: the tokenizer}, of those that can be had.
        missing: {label: why the tokenizer cannot be had}.
    """

    name: str
    results: Results
    documents: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Mapping[str, Any]]
    curves: pa.Table | None = None
    token_counts: Mapping[str, Int64] = field(default_factory=dict)
    tokenizers: Mapping[str, Tokenizer] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


def shown_run(run: Run, name: str = "") -> Shown:
    """Return what a page shows of a run; tokenizers that the run does not hold are loaded.

    Raises:
        StorageError: nothing was measured, or a file of the run cannot be read.
    """
    if run.results is None:
        raise StorageError(
            f"{run.path} has no figures to show.",
            "Found: a run that trained and did not measure.",
            "Measure its tokenizers: toktk bench.",
        )
    document = run.document
    name = name or run.path.resolve().name
    files = recorded_files(document)
    facts = document["tokenizers"]
    curves = arrow.read_parquet(run.path / CURVES) if CURVES in files else None
    counts: Mapping[str, Int64] = {}
    if TOKEN_COUNTS in files:
        sizes = {label: about["size"] or 0 for label, about in facts.items()}
        counts = read_token_counts(run.path / TOKEN_COUNTS, sizes)
    tokenizers, missing = dict(run.tokenizers), dict[str, str]()
    for label in sorted(facts, key=lambda label: -(facts[label]["size"] or 0)):
        if label in tokenizers:
            continue
        try:
            tokenizers[label] = _loaded(run, label, tokenizers)
        except ToktkError as error:
            missing[label] = in_a_line(error)
    tokenizers = {label: tokenizers[label] for label in facts if label in tokenizers}
    return Shown(name, run.results, {name: document}, facts, curves, counts, tokenizers, missing)


def shown_bench(bench: Bench, outcome: Outcome) -> Shown:
    """Return what a page shows of a bench that wrote no run."""
    document = {
        **described_outcome(outcome, bench.meter, outcome.tokenizers),
        "toktk": __version__,
        "environment": environment(),
    }
    name = " and ".join(outcome.tokenizers)
    return Shown(
        name,
        outcome.results or Results(()),
        {name: document},
        outcome.tokenizers,
        token_counts=outcome.token_counts,
        tokenizers=bench.tokenizers,
    )


def _loaded(run: Run, label: str, others: Mapping[str, Tokenizer]) -> Tokenizer:
    """Return a tokenizer of a run: the first merges of a larger one, or from its files or its spec."""
    about = run.document["tokenizers"][label]
    size, signature = about["size"] or 0, about.get("signature")
    for other in others.values():
        model = other.model
        if isinstance(model, BpeModel) and model.base_size <= size <= model.vocab_size:
            smaller = replace(other, name=label, model=model.cut(size))
            if smaller.signature == signature:
                return smaller
    if about.get("folder"):
        spec = str(run.path / about["folder"])
    elif about.get("spec"):
        spec = placed(about["spec"], run.path / (run.document.get("started_in") or "."))
    else:
        raise StorageError("it has no file.")
    tokenizer = open_tokenizer(spec).checked([])
    if tokenizer.signature != signature:
        raise StorageError(CHANGED)
    return replace(tokenizer, name=label)


def merged(runs: Sequence[Shown]) -> Shown:
    """Return the figures of several runs as one; where labels are alike, the run's name is added.

    A tokenizer that two runs have alike, to the hash, is shown once.

    Raises:
        StorageError: the runs were measured on different texts.
    """
    if len(runs) == 1:
        return runs[0]
    texts = {shown.name: _text_of(shown) for shown in runs}
    if len(set(texts.values())) > 1:
        listed = "; ".join(f"{run}: {name} ({hash_[:8]})" for run, (name, hash_) in texts.items())
        raise StorageError(
            "these runs cannot be shown on one page: they were measured on different texts.",
            f"Found: {listed}.",
            "Make a page of each, or measure all of them on one text: toktk bench … -c TEXT.",
        )
    first, *others = [_told_apart(shown, runs) for shown in runs]
    for other in others:
        first = _joined(first, other)
    return first


def _text_of(shown: Shown) -> tuple[str, str]:
    document = next(iter(shown.documents.values()))
    return document["evaluation"]["name"], document["evaluation"]["fingerprint"]


def _told_apart(shown: Shown, runs: Sequence[Shown]) -> Shown:
    """Return a run without what one before it has too, and with labels that none before it has."""
    before = list(runs[: runs.index(shown)])
    known = {about.get("signature") for other in before for about in other.facts.values()} - {None}
    kept = [n for n, about in shown.facts.items() if about.get("signature") not in known]
    taken = {n for other in before for n in (*other.facts, *_families(other.results))}

    def named(label: str) -> str:
        return f"{label} ({shown.name})" if label in taken else label

    records = tuple(
        replace(record, tokenizer=named(record.tokenizer), family=named(record.family))
        for record in shown.results
        if record.tokenizer in kept
    )
    curves = shown.curves
    if curves is not None:
        import pyarrow as pa

        families = {record.family for record in shown.results if record.tokenizer in kept}
        labels = curves.column("tokenizer").to_pylist()
        curves = curves.filter(pa.array([label in families for label in labels], pa.bool_()))
        renamed = [named(label) for label in labels if label in families]
        curves = curves.set_column(0, "tokenizer", arrow.from_list(renamed, pa.string()))
    return replace(
        shown,
        results=replace(
            shown.results,
            records=records,
            documents=_renamed_documents(shown.results.documents, kept, named),
        ),
        facts={named(n): shown.facts[n] for n in kept},
        curves=curves,
        token_counts={named(n): own for n, own in shown.token_counts.items() if n in kept},
        tokenizers={named(n): own for n, own in shown.tokenizers.items() if n in kept},
        missing={named(n): why for n, why in shown.missing.items() if n in kept},
    )


def _families(records: Iterable[Record]) -> set[str]:
    return {record.family for record in records}


def _renamed_documents(
    documents: DocumentCounts | None, kept: Sequence[str], named: Callable[[str], str]
) -> DocumentCounts | None:
    if documents is None:
        return None
    tokens = {named(n): own for n, own in documents.tokens.items() if n in kept}
    return replace(documents, tokens=tokens)


def _joined(first: Shown, second: Shown) -> Shown:
    import pyarrow as pa

    curves = [shown.curves for shown in (first, second) if shown.curves is not None]
    results = Results(
        (*first.results.records, *second.results.records),
        {**second.results.about, **first.results.about},
        _joined_documents(first.results.documents, second.results.documents),
    )
    return Shown(
        f"{first.name} and {second.name}",
        results,
        {**first.documents, **second.documents},
        {**first.facts, **second.facts},
        pa.concat_tables(curves) if curves else None,
        {**first.token_counts, **second.token_counts},
        {**first.tokenizers, **second.tokenizers},
        {**first.missing, **second.missing},
    )


def _joined_documents(
    first: DocumentCounts | None, second: DocumentCounts | None
) -> DocumentCounts | None:
    """Return the counts of both, whose documents are the same; None where they are not."""
    if first is None or second is None or not _alike(first, second):
        return None
    return replace(first, tokens={**first.tokens, **second.tokens})


def _alike(first: DocumentCounts, second: DocumentCounts) -> bool:
    import numpy as np

    return first.groups == second.groups and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in ("group", "unit")
    )
