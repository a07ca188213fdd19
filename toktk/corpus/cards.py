"""Corpus cards: TOML files that name a text, and say how to read it."""

from __future__ import annotations

import dataclasses
import reprlib
import tomllib
from pathlib import Path

from toktk.corpus.options import check_known
from toktk.corpus.starter import corpora_folder
from toktk.corpus.unchanged import open_file
from toktk.errors import CorpusError

REQUIRED = ("name", "title", "spec", "license")

_CARD_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class CorpusCard:
    """A named corpus.

    Args:
        name: what a user types after ``-c``.
        title: what a reader is told.
        spec: an ``hf:`` spec, or a file, folder or glob relative to the card.
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
    cannot = f"cannot read the corpus card {path}."
    try:
        with open_file(path) as file:
            raw = file.read(_CARD_BYTES + 1)
        if len(raw) > _CARD_BYTES:
            raise CorpusError(cannot, f"Found: more than {_CARD_BYTES:,} bytes; a card is short.")
        values = tomllib.loads(raw.decode())
    except RecursionError as error:
        raise CorpusError(cannot, "Found: values nested too deep.") from error
    except (OSError, ValueError) as error:
        raise CorpusError(cannot, f"Found: {error}.") from error
    keys = [field.name for field in dataclasses.fields(CorpusCard) if field.name != "folder"]
    for key, value in values.items():
        check_known(key, keys, f"unknown key {key!r} in the corpus card {path}")
        if not isinstance(value, str):
            raise CorpusError(
                f"{key!r} in the corpus card {path} must be a string.",
                f"Found: {reprlib.repr(value)}.",
            )
    missing = [key for key in REQUIRED if key not in values]
    if missing:
        raise CorpusError(
            f"the corpus card {path} lacks {', '.join(missing)}.",
            f"Every card has {', '.join(REQUIRED)}.",
        )
    if not values["spec"]:
        raise CorpusError(f"the spec in the corpus card {path} is empty.", "Name a text there.")
    return CorpusCard(**values, folder=path.parent)


def cards() -> dict[str, CorpusCard]:
    """Return the cards that ship with toktk, by name."""
    by_name: dict[str, CorpusCard] = {}
    for path in sorted((corpora_folder() / "cards").glob("*.toml")):
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
