"""The model card: what is said of a tokenizer in its folder, in Markdown.

Equal runs give equal cards: none holds a date, a path of the machine or what a step took. All that
comes from outside stands in cells of tables, which are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toktk import __version__
from toktk.errors import in_a_line
from toktk.formats.files import Saved
from toktk.formats.hf_config import ROLES
from toktk.lab.outcome import Outcome
from toktk.models.model import Model
from toktk.models.symbols import symbols_of
from toktk.pieces.table import POOLED
from toktk.registry import OWN
from toktk.report.records import Record
from toktk.report.tabular import Cell, to_markdown
from toktk.tokenizer import Tokenizer
from toktk.trainers import TRAINERS
from toktk.trainers.base import versions_of

CARD = "README.md"
_BY_GROUP = ("tokens_per_line", "parity", "bytes_per_token")  # what a group has a row for

_LOADING = {
    "tokenizer.json": """Hugging Face tokenizers:

```python
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file("tokenizer.json")
```""",
    "tokenizer_config.json": """transformers, 4 and 5:

```python
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
```""",
    ".tiktoken": """tiktoken:

```python
from base64 import b64decode
from json import loads
from pathlib import Path

from tiktoken import Encoding

encoding = Encoding(**loads(Path("FILE.json").read_text("utf-8")), mergeable_ranks={b64decode(token): int(rank) for token, rank in map(bytes.split, Path("FILE").read_bytes().splitlines())})
```""",  # noqa: E501 - it is to be one line
    ".model": """SentencePiece:

```python
from sentencepiece import SentencePieceProcessor

processor = SentencePieceProcessor("FILE")
```""",
}
_FOUND_IN_TEXT = (
    "Hugging Face tokenizers and transformers find special tokens in text wherever they stand; toktk, and "
    "encode_ordinary of tiktoken, take them for text there."
)


def model_card(
    tokenizer: Tokenizer,
    about: Mapping[str, Any],
    outcome: Outcome,
    records: Sequence[Record],
    saved: Saved,
) -> str:
    """Return the card of a tokenizer that was trained: its text, options, figures, and how it is loaded.

    Args:
        about: what run.json says of it.
        records: its figures; none where nothing was measured.
        saved: its files.
    """
    training, evaluation = (outcome.described[role] for role in ("training", "evaluation"))
    options = outcome.described["options"]
    parts = [
        f"# {tokenizer.name}",
        f"A tokenizer of {tokenizer.vocab_size:,} tokens, trained by toktk {__version__}.",
        "## Training",
        to_markdown(("what", "value"), _training(about, options)),
    ]
    if tokens := _named_tokens(tokenizer.model, options["roles"]):
        parts.append(to_markdown(("id", "token", "what it is"), tokens))
    parts += ["## Text", to_markdown(("trained on", "value"), _text(training))]
    if by_group := _bytes_by_group(training):
        parts.append(to_markdown(("group", "bytes of its files"), sorted(by_group.items())))
    if records:
        parts += ["## Figures", to_markdown(("measured on", "value"), _text(evaluation))]
        parts += _figures(records)
    parts += ["## Loading", "Paths are relative to this folder.", *_loading(saved)]
    if tokenizer.model.special_tokens:
        parts.append(_FOUND_IN_TEXT)
    if saved.notes:
        parts += ["## Notes", to_markdown(("note",), [(in_a_line(note),) for note in saved.notes])]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _training(about: Mapping[str, Any], options: Mapping[str, Any]) -> list[tuple[str, Cell]]:
    """Return by what a tokenizer was trained; options only where they were given."""
    name, given = about["trainer"], dict(options["parameters"])
    for key in ("special_tokens", "symbols"):  # they have a table of their own
        given.pop(key, None)
    given |= options["trainer_options"].get(name, {})
    versions = versions_of(TRAINERS.load(name))
    optional = {
        "trainer's package": options["trainers"][name],
        "versions": ", ".join(f"{package} {number}" for package, number in versions.items()),
        **{key.replace("_", " "): str(value) for key, value in given.items()},
        "normal form": options["normal_form"],
        "inference": "" if about["inference"] == "own" else about["inference"],
    }
    return [
        ("trainer", name),
        ("cut", about["pretokenizer"]),
        *[(key, value) for key, value in optional.items() if value and value != OWN],
        ("special tokens end pieces of the text", "yes" if options["split_special"] else "no"),
        ("seed", options["seed"]),
        ("signature", about["signature"]),
    ]


def _named_tokens(model: Model, roles: Mapping[str, str]) -> list[tuple[Cell, ...]]:
    """Return id, name and use of the special tokens, and of the symbols that follow them."""
    special, symbols = model.special_tokens, symbols_of(model)
    rows: list[tuple[Cell, ...]] = []
    for i, name in enumerate((*special, *symbols)):
        kinds = ["special" if i < len(special) else "symbol"]
        kinds += [role for role in ROLES if roles.get(role) == name]
        rows.append((i, name, ", ".join(kinds)))
    return rows


def _text(corpus: Mapping[str, Any]) -> list[tuple[str, Cell]]:
    whole = corpus["name"]
    rows: list[tuple[str, Cell]] = [("text", whole)]
    if corpus["size"] is not None:
        rows.append(("size of its files", f"{corpus['size']:,} {corpus['unit']}"))
    for part in _within(corpus):
        if "selection" in part:
            of = "" if part["name"] == whole else f"{part['name']}: "
            rows.append(("taken of them", f"{of}{part['selection']}"))
    languages = sorted({name for part in _within(corpus) for name in part.get("languages", ())})
    rows += [("languages", ", ".join(languages))] if languages else []
    groups = corpus.get("groups", ())
    if len(groups) > 1 and not _bytes_by_group(corpus):  # else these have a table of their own
        rows.append((f"its {len(groups):,} groups", ", ".join(groups)))
    if further := sum(part.get("further_parts", 0) for part in _within(corpus)):
        rows.append(("texts that are not told here", f"{further:,}"))
    return [*rows, ("fingerprint", corpus["fingerprint"])]


def _within(corpus: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the description of a corpus, and of all its parts."""
    yield corpus
    for part in corpus.get("parts", ()):
        yield from _within(part)


def _bytes_by_group(corpus: Mapping[str, Any]) -> dict[str, int]:
    """Return the bytes of the files of each group; {} where files hold several, or are not all told."""
    if any("further_parts" in part for part in _within(corpus)):
        return {}
    sizes: dict[str, int] = {}
    for part in _within(corpus):
        if part.get("group") is not None and "bytes" in part:
            sizes[part["group"]] = sizes.get(part["group"], 0) + part["bytes"]
    return sizes if sizes.keys() <= {*corpus.get("groups", sizes)} else {}


def _figures(records: Sequence[Record]) -> list[str]:
    """Return a table of what holds for the whole text, and one with a row for each group."""
    whole = [(r.metric, r.value, r.unit, r.n, r.note) for r in records if r.group == POOLED]
    tables = [to_markdown(("metric", "value", "unit", "over", "note"), whole)]
    cells: dict[str, dict[str, Cell]] = {}
    for r in records:
        if r.group != POOLED and r.metric.partition("[")[0] in _BY_GROUP:
            cells.setdefault(r.group, {})[r.metric] = r.value
    metrics = list(dict.fromkeys(metric for row in cells.values() for metric in row))
    if cells:
        rows = [(group, *map(row.get, metrics)) for group, row in cells.items()]
        tables.append(to_markdown(("group", *metrics), rows))
    return tables


def _loading(saved: Saved) -> list[str]:
    """Return a section for each library that reads one of the files."""
    names = [path.name for path in saved.files]
    return [
        text.replace("FILE", name)
        for ending, text in _LOADING.items()
        for name in names
        if name.endswith(ending)
    ]
