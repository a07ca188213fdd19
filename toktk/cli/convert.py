"""``toktk convert``: from one library's file to another's."""

from __future__ import annotations

from pathlib import Path

import click

from toktk.errors import StorageError


@click.command("convert")
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="TARGET",
    help="tokenizer.json, NAME.model or NAME.tiktoken; the suffix says which.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def command(source: Path, target: Path, force: bool) -> None:
    """Write a tokenizer in the format of another library, if every id stays the same.

    \b
    toktk convert mine/tokenizers/unigram-50k -o mine.model

    SOURCE is a tokenizer's folder, a tokenizer.json, a .model or a .tiktoken with its .json.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.formats.converting import read_tokenizer, targets, write_as

    there = [path.name for path in targets(target) if path.exists()]
    if there and not force:
        raise StorageError(
            f"{target} exists.", f"Found: {', '.join(there)}.", "Overwrite with --force."
        )
    tokenizer, notes = read_tokenizer(source)
    files, more = write_as(tokenizer, target)
    names = " and ".join(path.name for path in files)
    click.echo(
        f"Wrote {names}: {tokenizer.model.kind}, {tokenizer.vocab_size:,} tokens, "
        f"pretokenizer {tokenizer.pretokenizer.name}.",
        err=True,
    )
    for note in dict.fromkeys([*notes, *more]):
        click.echo(f"Note: {note}", err=True)
