"""``toktk convert``: from one library's file to another's."""

from __future__ import annotations

from pathlib import Path

import click

from toktk.cli.options import progress_options
from toktk.cli.progress import Progress
from toktk.cli.streams import remark
from toktk.errors import StorageError


@click.command("convert")
@click.argument("source")
@click.option(
    "-o",
    "--output",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="TARGET",
    help="tokenizer.json, vocab.json, NAME.model or NAME.tiktoken: the name says which.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@progress_options
def command(source: str, target: Path, force: bool, progress: Progress) -> None:
    """Write a tokenizer in the format of another library, if every id stays the same.

    \b
    toktk convert mine/tokenizers/unigram-50k -o mine.model
    toktk convert tiktoken:cl100k_base -o tokenizer.json

    SOURCE is any spec that toktk bench reads: a file, a folder, tiktoken:NAME or hf:ORG/NAME. With
    vocab.json goes merges.txt. Where an id would change, the first one is named and nothing is written.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.formats.files import targets
    from toktk.loading.convert import convert

    there = [path.name for path in targets(target) if path.exists()]
    if there and not force:
        raise StorageError(
            f"{target} exists.", f"Found: {', '.join(there)}.", "Overwrite with --force."
        )
    with progress.step("convert", source):
        tokenizer, files, notes = convert(source, target)
    if progress.quiet:
        return
    names = " and ".join(path.name for path in files)
    what = f"{tokenizer.model.kind}, {tokenizer.vocab_size:,} tokens"
    what += f", pretokenizer {tokenizer.pretokenizer.name}"
    remark(f"Wrote {names}: {what}.", *(f"Note: {note}" for note in dict.fromkeys(notes)))
