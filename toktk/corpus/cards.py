"""Corpus cards: a TOML file that names a corpus, its license and how to read it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from toktk.corpus import starter
from toktk.corpus.options import check_known
from toktk.errors import CorpusError

REQUIRED = ("name", "title", "spec", "license")


@dataclass(frozen=True)
class CorpusCard:
    """A named corpus.

    Args:
        name: what a user types after ``-c``.
        title: what a reader is told.
        spec: a ``hub:`` spec, or a file, folder or glob relative to the card.
        license: an SPDX name, or words where there is none.
        languages: how many, which, or which codes the configs use.
        notes: anything to know before use.
        text_column, group_column, align_column, sample_by: reader options, where not the default.
        config, split: of a hub dataset, unless the user names others.
        folder: where the card lies.
    """

    name: str
    title: str
    spec: str
    license: str
    languages: str = ""
    notes: str = ""
    text_column: str | None = None
    group_column: str | None = None
    align_column: str | None = None
    sample_by: str | None = None
    config: str | None = None
    split: str | None = None
    folder: Path = Path()


def read_card(path: Path) -> CorpusCard:
    """Return the card in the TOML file at `path`; raise a `CorpusError` if it is not a card."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorpusError(f"cannot read the corpus card {path}.", f"Found: {error}.") from error
    keys = [field.name for field in fields(CorpusCard) if field.name != "folder"]
    for key, value in values.items():
        check_known(key, keys, f"unknown key {key!r} in the corpus card {path}")
        if not isinstance(value, str):
            raise CorpusError(
                f"{key!r} in the corpus card {path} must be a string.", f"Found: {value!r}."
            )
    missing = [key for key in REQUIRED if key not in values]
    if missing:
        raise CorpusError(
            f"the corpus card {path} lacks {', '.join(missing)}.",
            f"Every card has {', '.join(REQUIRED)}.",
        )
    return CorpusCard(**values, folder=path.parent)


def cards() -> dict[str, CorpusCard]:
    """Return the cards that ship with toktk, by name."""
    by_name: dict[str, CorpusCard] = {}
    for path in sorted((starter.corpora_folder() / "cards").glob("*.toml")):
        card = read_card(path)
        if card.name in by_name:
            raise CorpusError(f"two corpus cards are named {card.name!r}; one is {path}.")
        by_name[card.name] = card
    return by_name


def parse_reference(reference: str) -> tuple[str, str | None, str | None]:
    """Return ``(name, config, split)`` of ``<card>[/config][:split]``; absent parts are None."""
    rest, _, split = reference.partition(":")
    name, _, config = rest.partition("/")
    return name, config or None, split or None
