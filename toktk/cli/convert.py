"""``toktk convert``: from one library's file to another's, or to the bytes of each token."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toktk.cli.compare import GATE_FAILED
from toktk.cli.options import format_option, progress_options, reader_options
from toktk.cli.output import emit_json, emit_rows
from toktk.cli.progress import Progress
from toktk.cli.streams import remark
from toktk.errors import StorageError
from toktk.runtime import usable_cores
from toktk.visible import visible_name

if TYPE_CHECKING:
    from toktk.corpus import ReaderOptions
    from toktk.evaluation.source_bytes import Proof
    from toktk.report.tabular import Cell


@click.command("convert")
@click.argument("source")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="TARGET",
    help="tokenizer.json, vocab.json, NAME.model or NAME.tiktoken: the name says which. "
    "token_bytes.json or NAME.npy: the bytes of text that each id stands for, for bits per byte.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@click.option(
    "--prove",
    "specs",
    multiple=True,
    metavar="SPEC",
    help="Encode a corpus, and end with 3 unless the bytes of the tokens add up to those of each document. "
    "Repeatable; without -o, or with that of token bytes. The options below say how to read it.",
)
@reader_options
@format_option
@progress_options
def command(
    source: str,
    target: Path | None,
    force: bool,
    specs: tuple[str, ...],
    reader: ReaderOptions,
    format: str,
    progress: Progress,
) -> None:
    """Write a tokenizer in the format of another library, if every id stays the same.

    \b
    toktk convert mine/tokenizers/unigram-50k -o mine.model
    toktk convert tiktoken:cl100k_base -o tokenizer.json
    toktk convert mine/tokenizers/bpe-50k -o token_bytes.npy --prove news/

    SOURCE is any spec that toktk bench reads: a file, a folder, tiktoken:NAME or hf:ORG/NAME. With
    vocab.json goes merges.txt. Where an id would change, the first one is named and nothing is written.

    Token bytes are an array or a list with one number for each id: the bytes of UTF-8 text that it stands
    for, 0 for special tokens. A note says where they cannot be right, and --prove how wrong they are.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.formats.files import targets
    from toktk.loading.convert import convert
    from toktk.loading.token_bytes import FILE, holds_token_bytes

    if specs and target is not None and not holds_token_bytes(target):
        raise click.UsageError(
            f"--prove is about token bytes: write {FILE} or NAME.npy, or nothing."
        )
    there = [path.name for path in targets(target) if path.exists()] if target else []
    if there and not force:
        raise StorageError(
            f"{target} exists.", f"Found: {', '.join(there)}.", "Overwrite with --force."
        )
    if specs:
        _prove(source, target, specs, reader, format, progress)
        return
    if target is None:
        raise click.UsageError("Missing option '-o' / '--output', or '--prove'.")
    with progress.step("convert", source):
        tokenizer, files, notes = convert(source, target)
    if progress.quiet:
        return
    names = " and ".join(path.name for path in files)
    what = f"{tokenizer.model.kind}, {tokenizer.vocab_size:,} tokens"
    what += f", pretokenizer {tokenizer.pretokenizer.name}"
    remark(f"Wrote {names}: {what}.", *(f"Note: {note}" for note in dict.fromkeys(notes)))


def _prove(
    source: str,
    target: Path | None,
    specs: tuple[str, ...],
    reader: ReaderOptions,
    format: str,
    progress: Progress,
) -> None:
    """Write the token bytes, if asked to, and hold them against a corpus."""
    from toktk.cache import Store
    from toktk.corpus import load_corpus
    from toktk.evaluation.source_bytes import prove
    from toktk.formats.files import check_targets
    from toktk.lab.meter import Meter
    from toktk.loading.load import load
    from toktk.loading.sample import first_documents
    from toktk.loading.token_bytes import doubts, write_token_bytes

    if target is not None:
        check_targets(target)
    progress.watch_downloads()
    with progress.opening(*specs):
        corpus = load_corpus(specs, reader)
    with progress.watching() as watcher:
        meter = Meter(watcher)
        with meter.step("load", source):
            tokenizer = load(source, first_documents(corpus, Store(meter.remark)))
        if target is not None:
            write_token_bytes(tokenizer, target)
        with meter.step("prove", corpus.name, corpus.size, corpus.unit) as advance:
            proof = prove(tokenizer, corpus, usable_cores(), advance)
    _show(proof, format)
    if not progress.quiet and target is not None:
        notes = (f"Note: {doubt}." for doubt in doubts(tokenizer))
        remark(f"Wrote {target.name}: {tokenizer.vocab_size:,} tokens.", *notes)
    if not proof.holds:
        remark(*_broken(proof))
        sys.exit(GATE_FAILED)
    if not progress.quiet:
        remark("Proven: the bytes of the tokens add up to those of every document.")


def _show(proof: Proof, format: str) -> None:
    import numpy as np

    from toktk.pieces.table import POOLED

    totals = proof.documents, proof.bytes, proof.token_bytes
    columns = [*totals, proof.token_bytes - proof.bytes, proof.differing]
    names = ("group", "documents", "bytes", "token_bytes", "difference", "differing")
    numbers: list[list[int]] = np.array(columns).T.tolist()
    rows: list[list[Cell]] = [
        [group, *own] for group, own in zip(proof.groups, numbers, strict=True)
    ]
    if format == "json":
        first = proof.first and {**asdict(proof.first), "spelled": proof.first.spelled.hex()}
        emit_json(
            {
                "holds": proof.holds,
                "groups": [dict(zip(names, row, strict=True)) for row in rows],
                "causes": [asdict(cause) for cause in proof.causes],
                "first": first,
            }
        )
        return
    if len(rows) > 1:
        rows.insert(0, [POOLED, *(int(column.sum()) for column in columns)])
    emit_rows(names, rows, format)


def _broken(proof: Proof) -> list[str]:
    """Return what to say of sums that are not the bytes of the text."""
    from toktk.evaluation.source_bytes import PREFIX

    n, of_all = int(proof.differing.sum()), _documents(int(proof.documents.sum()))
    lines = [
        f"Not proven: in {n:,} of {of_all} the bytes of the tokens do not add up to the text's."
    ]
    lines += [
        f"  {cause.what}: {_documents(cause.documents)}, {cause.excess:+,} bytes."
        for cause in proof.causes
    ]
    if (first := proof.first) is not None:
        token = "the tokens end"
        if first.token is not None:
            token = f"the token {first.token}, {first.spelled!r:.60}, stands"
        where = (
            f"document {first.document:,} (group {visible_name(first.group)}), byte {first.byte:,}"
        )
        lines.append(f"  First: {where}: {token} at {first.text!r}.")
    if [cause.what for cause in proof.causes] == [PREFIX]:
        lines.append("  All else adds up: take one byte off for each of these documents.")
    lines.append("  Divide by the bytes of the text itself where you can: docs/bits-per-byte.md.")
    return lines


def _documents(n: int) -> str:
    return f"{n:,} document{'' if n == 1 else 's'}"
