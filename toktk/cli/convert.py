"""``toktk convert``: from one library's file to another's."""

from __future__ import annotations

from pathlib import Path

import click

from toktk.cli.streams import say
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

    SOURCE is any file that toktk bench reads, or a folder with one: a tokenizer.json, a tekken.json, a
    SentencePiece .model, or a .tiktoken of a known name or with its .json.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.formats.files import read_to_convert, targets, write_as

    there = [path.name for path in targets(target) if path.exists()]
    if there and not force:
        raise StorageError(
            f"{target} exists.", f"Found: {', '.join(there)}.", "Overwrite with --force."
        )
    (pretokenizer, model), notes = read_to_convert(source)
    files, more = write_as(pretokenizer, model, target)
    names = " and ".join(path.name for path in files)
    what = f"{model.kind}, {model.vocab_size:,} tokens, pretokenizer {pretokenizer.name}"
    say(f"Wrote {names}: {what}.", *(f"Note: {note}" for note in dict.fromkeys([*notes, *more])))
