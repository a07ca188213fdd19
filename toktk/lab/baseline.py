"""The baseline file: what a later comparison needs of tokenizers on a text, small, stable and diffable.

It holds figures, and sums over up to 64 blocks of documents, by hash: so what is measured later on the same
text is still paired. No text is in it, no time and no path: the same figures give the same bytes.

Schema history (`_SCHEMA`):
    1   toktk, corpus, groups (with sums of bytes and words by block) and tokenizers (figures, and tokens
        by block).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toktk import __version__, shapes
from toktk.arrays import Int64
from toktk.errors import StorageError, in_a_line
from toktk.lab.differences import LOWER_IS_BETTER, base_of
from toktk.lab.side import Side
from toktk.metrics.base import UNTRAINED
from toktk.paths import atomic_write
from toktk.report.document_counts import KINDS
from toktk.report.records import Record
from toktk.report.unit_sums import BLOCKS, UnitSums
from toktk.visible import json_text

_SCHEMA = 1
_NAME = "toktk baseline"
_HEAD = {"what": str, "schema": int, "toktk": str}
_SHAPE = {
    **_HEAD,
    "corpus": str,
    "groups": [
        {
            "group": str,
            "kind": str,
            "units": float,
            "documents": int,
            "copies": int,
            "blocks": [int],
            "bytes": [int],
            "words": [int],
        }
    ],
    "tokenizers": {
        ...: {
            "training": (str, None),
            "tokens": {...: [int]},
            "figures": {
                ...: {"unit": str, "signatures": {...: [str]}, "values": {...: (float, None)}}
            },
            "untrained": [str],
        }
    },
}
_NUMBERS = re.compile(r"\[\n\s*(-?\d+(?:,\n\s*-?\d+)*)\n\s*\]")


def write_baseline(sides: Sequence[Side], path: Path) -> None:
    """Write the sides, which are measured on one text, for later comparisons.

    Raises:
        StorageError: the file cannot be written, or a side has no counts of documents.
    """
    blocked: dict[str, UnitSums] = {}
    for side in sides:
        if side.units is None:
            raise _unwritable(path, f"no counts of documents are kept of {side.label}")
        blocked[side.label] = side.units.blocked()
    units = blocked[sides[0].label]
    for label, others in blocked.items():
        if not others.is_paired_with(units):
            raise _unwritable(path, f"{sides[0].label} and {label} are of different texts")
    document = {
        "what": _NAME,
        "schema": _SCHEMA,
        "toktk": __version__,
        "corpus": next(iter(sides[0].records.values())).corpus,
        "groups": _groups(units),
        "tokenizers": {side.label: _tokenizer(side, blocked[side.label]) for side in sides},
    }
    text = json_text(document, indent=1, allow_nan=False)
    # An array of numbers stands in a line: a change of a tokenizer shows as few lines.
    text = _NUMBERS.sub(lambda match: f"[{' '.join(match[1].split())}]", text)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")


def read_baseline(path: Path) -> list[Side]:
    """Read what `write_baseline` wrote: a side for each tokenizer.

    Raises:
        StorageError: the file is missing, damaged, or of another version.
    """
    try:
        document = shapes.parse(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _unreadable(path, in_a_line(error)) from error
    wrong = shapes.misfit(document, _HEAD)
    if wrong or document["what"] != _NAME:
        raise _unreadable(path, wrong or f"it is a {document['what']!r:.60}")
    if document["schema"] != _SCHEMA:
        found = f"schema {document['schema']} of toktk {document['toktk']}; readable is {_SCHEMA}"
        raise _unreadable(path, found)
    wrong = shapes.misfit(document, _SHAPE) or _odd(document)
    if wrong:
        raise _unreadable(path, wrong)
    return [_side(label, of_label, document) for label, of_label in document["tokenizers"].items()]


def _groups(units: UnitSums) -> list[dict[str, Any]]:
    return [
        {
            "group": group,
            "kind": units.kinds[g],
            "units": round(float(units.n_all[g]), 6),
            "documents": int(units.documents[g]),
            "copies": int(units.copies[g]),
            "blocks": units.unit[at].tolist(),
            "bytes": units.bytes[at].tolist(),
            "words": units.words[at].tolist(),
        }
        for g, group in enumerate(units.groups)
        for at in [units.group == g]
    ]


def _tokenizer(side: Side, blocked: UnitSums) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for (metric, group), record in side.records.items():
        if base_of(metric) not in LOWER_IS_BETTER:
            continue
        empty: dict[str, Any] = {"unit": record.unit, "signatures": {}, "values": {}}
        of_metric = figures.setdefault(metric, empty)
        of_metric["signatures"].setdefault(record.signature, []).append(group)
        of_metric["values"][group] = record.value
    untrained = {g for (_, g), record in side.records.items() if record.note == UNTRAINED}
    tokens = {g: blocked.tokens[blocked.group == i].tolist() for i, g in enumerate(blocked.groups)}
    return {
        "training": side.training,
        "tokens": tokens,
        "figures": figures,
        "untrained": sorted(untrained),
    }


def _odd(document: Mapping[str, Any]) -> str:
    """Return what of a baseline does not fit together; empty where all does."""
    names = [group["group"] for group in document["groups"]]
    if len(set(names)) < len(names):
        return "a group stands there twice"
    for group in document["groups"]:
        blocks = group["blocks"]
        lengths = {len(blocks), len(group["bytes"]), len(group["words"])}
        ordered = all(a < b for a, b in itertools.pairwise(blocks))
        in_range = all(0 <= block < BLOCKS for block in blocks)
        counts = (*group["bytes"], *group["words"], group["documents"], group["copies"])
        if len(lengths) > 1 or not ordered or not in_range or min(counts) < 0:
            return f"blocks of {group['group']!r:.60} that are none"
        if group["kind"] not in KINDS or group["units"] < 0:
            return f"{group['group']!r:.60} is of an unknown kind"
    for label, tokenizer in document["tokenizers"].items():
        tokens = tokenizer["tokens"]
        if list(tokens) != names or any(
            len(tokens[g["group"]]) != len(g["blocks"]) or min(tokens[g["group"]], default=0) < 0
            for g in document["groups"]
        ):
            return f"tokens of {label!r:.60} that are not those of the blocks"
    return "" if document["tokenizers"] else "no tokenizer"


def _side(label: str, of_label: Mapping[str, Any], document: Mapping[str, Any]) -> Side:
    groups = document["groups"]
    records = {}
    for metric, figures in of_label["figures"].items():
        signature_of = {g: text for text, those in figures["signatures"].items() for g in those}
        for group, value in figures["values"].items():
            records[metric, group] = Record(
                tokenizer=label,
                family=label,
                corpus=document["corpus"],
                group=group,
                metric=metric,
                value=value,
                unit=figures["unit"],
                note=UNTRAINED if group in of_label["untrained"] else None,
                signature=signature_of.get(group, ""),
            )
    lengths = [len(group["blocks"]) for group in groups]

    def joined(lists: Sequence[Sequence[int]]) -> Int64:
        return np.array([number for numbers in lists for number in numbers], dtype=np.int64)

    units = UnitSums(
        tuple(group["group"] for group in groups),
        np.repeat(np.arange(len(groups)), lengths).astype(np.int32),
        joined([group["blocks"] for group in groups]).astype(np.uint64),
        joined([group["bytes"] for group in groups]),
        joined([group["words"] for group in groups]),
        joined([of_label["tokens"][group["group"]] for group in groups]),
        np.array([group["units"] for group in groups], dtype=np.float64),
        tuple(group["kind"] for group in groups),
        np.array([group["documents"] for group in groups], dtype=np.int64),
        np.array([group["copies"] for group in groups], dtype=np.int64),
        in_blocks=True,
    )
    return Side(label, records, units, of_label["training"], "stored")


def _unwritable(path: Path, found: str) -> StorageError:
    return StorageError(
        f"{path} is not written.",
        f"Found: {found}.",
        "A baseline is of tokenizers that this toktk measured on one text.",
    )


def _unreadable(path: Path, found: str) -> StorageError:
    return StorageError(
        f"cannot read the baseline {path}.",
        f"Found: {found}.",
        "Write it anew with --save-baseline.",
    )
