"""Which share of the text that is measured a tokenizer was trained on: found by its lines, and said."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from toktk.corpus import Corpus
from toktk.corpus.lines import LineSet
from toktk.errors import ToktkError
from toktk.lab.counted import CountedCorpora
from toktk.lab.document import LINES, read_document, recorded_files
from toktk.lab.folder import TOKENIZERS
from toktk.loading.spec import find_file, parse_spec
from toktk.visible import listed

WORTH_SAYING = 0.1
"""The least share that is told: files of one code base have some 7 % of such lines in common anyway."""


def trained_on(spec: str) -> LineSet | None:
    """Return the lines that the tokenizer of a spec was trained on, as its run directory keeps them.

    None where there is none, such as for a public tokenizer, or where it is damaged.
    """
    try:
        parsed = parse_spec(spec)
        if parsed.source not in ("path", "spm"):
            return None
        folder = find_file(parsed).resolve().parent
        run = folder.parent.parent
        record = recorded_files(read_document(run)).get(LINES)
        if folder.parent.name != TOKENIZERS or record is None:
            return None
        raw = (run / LINES).read_bytes()
        is_as_written = hashlib.sha256(raw).hexdigest() == record["sha256"]
        return LineSet.from_bytes(raw) if is_as_written else None
    except (ToktkError, OSError, ValueError):
        return None  # who loads the tokenizer says what is wrong with it


def overlaps(
    corpus: Corpus, known: Mapping[str, LineSet], counted: CountedCorpora
) -> dict[str, dict[str, Any]]:
    """Return the share of a text's bytes that each tokenizer was trained on, for run.json.

    Tokenizers that were trained on less than `WORTH_SAYING` of it, or of which nobody can tell, are left
    out. Of the text, lines of 48 bytes and more count.
    """
    lines = counted.lines(corpus) if known else None
    if lines is None:
        return {}
    sets = {id(of_label): of_label for of_label in known.values()}  # those of one run share theirs
    shares = {key: lines.share_in(of_label) for key, of_label in sets.items()}
    return {
        label: {"share": round(share, 4), "estimated": lines.is_estimate(of_label)}
        for label, of_label in known.items()
        if (share := shares[id(of_label)]) is not None and share >= WORTH_SAYING
    }


def overlap_lines(overlap: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what is said of `overlaps`: a sentence for the tokenizers of each share."""
    labels: dict[str, list[str]] = {}
    for label, found in overlap.items():
        about = "about " if found["estimated"] else ""
        labels.setdefault(f"{about}{100 * found['share']:.0f} %", []).append(label)
    return [_sentence(names, share) for share, names in labels.items()]


def _sentence(labels: list[str], share: str) -> str:
    was, its = ("were", "their") if len(labels) > 1 else ("was", "its")
    return f"{listed(labels)} {was} trained on {share} of this text: {its} figures are too good."
