"""What is known of the text that a tokenizer was trained on, beside the text that is measured.

The share of the text that it was trained on is found by its lines; groups that its training text lacks, by
their names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.corpus import Corpus
from toktk.corpus.lines import LineSet
from toktk.errors import ToktkError
from toktk.lab.counted import CountedCorpora
from toktk.lab.document import LINES, read_document, recorded_files
from toktk.lab.folder import TOKENIZERS
from toktk.lab.meter import Meter
from toktk.lab.units import unit_hashes
from toktk.loading.spec import find_file, parse_spec
from toktk.pieces.sampled_documents import SampledDocuments
from toktk.report.results import Results
from toktk.visible import listed

WORTH_SAYING = 0.1
"""The least share that is told: files of one code base have some 7 % of such lines in common anyway."""

_SEEN = 0.5


@dataclass(frozen=True)
class TrainingText:
    """What the run directory of a tokenizer keeps of the text that it was trained on.

    Attributes:
        lines: its lines; None where the file of them is missing or damaged.
        groups: its groups; none where they are not recorded.
    """

    lines: LineSet | None
    groups: tuple[str, ...]

    def lacks(self, groups: Sequence[str]) -> list[str]:
        """Return which of `groups` it lacks; none where it has none of them: names tell nothing then."""
        lacking = [group for group in groups if group not in self.groups]
        return lacking if len(lacking) < len(groups) else []

    def describe(self) -> list[Any]:
        """Return what figures, and what is said of them, depend on."""
        raw = b"" if self.lines is None else self.lines.to_bytes()
        return [hashlib.sha256(raw).hexdigest(), *self.groups]


def trained_on(spec: str) -> TrainingText | None:
    """Return what is known of the text that the tokenizer of a spec was trained on.

    None where there is no run directory around it, such as for a public tokenizer, or a damaged one.
    """
    try:
        parsed = parse_spec(spec)
        if parsed.source not in ("path", "spm"):
            return None
        folder = find_file(parsed).resolve().parent
        run = folder.parent.parent
        document = read_document(run)
        if document is None or folder.parent.name != TOKENIZERS:
            return None
        groups = (document.get("training") or {}).get("groups", ())
        return TrainingText(_lines(run, document), tuple(groups))
    except (ToktkError, OSError, ValueError):
        return None  # who loads the tokenizer says what is wrong with it


def _lines(run: Path, document: dict[str, Any]) -> LineSet | None:
    record = recorded_files(document).get(LINES)
    if record is None:
        return None
    raw = (run / LINES).read_bytes()
    is_as_written = hashlib.sha256(raw).hexdigest() == record["sha256"]
    return LineSet.from_bytes(raw) if is_as_written else None


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


def add_figures_without(
    overlap: Mapping[str, dict[str, Any]],
    known: Mapping[str, LineSet],
    results: Results,
    documents: SampledDocuments,
    meter: Meter,
) -> None:
    """Add to `overlaps` the figure on documents that a tokenizer was not trained on, where that can be told.

    A document was trained on if half of its bytes are in lines of the training text. One without a line that
    is long enough to tell is on neither side.
    """
    counts = results.documents
    if counts is None:
        return
    labels = [label for label in overlap if label in known and label in counts.tokens]
    sets = {id(lines): lines for lines in (known[label] for label in labels) if not lines.halvings}
    shares: dict[int, npt.NDArray[np.float64]] = {}
    total = len(documents) * len(sets)
    with meter.step("look for documents", "trained on", total, "documents") as advance:
        order = np.lexsort((unit_hashes(documents), documents.group))  # as `counts` are
        for key, lines in sets.items():
            own = lines.share_of(documents.data, documents.offsets, advance)
            if own is not None:
                shares[key] = own[order]
    for label in labels:
        found, tokens = overlap[label], counts.tokens[label]
        if id(known[label]) not in shares:
            continue
        unseen = shares[id(known[label])] < _SEEN
        if not unseen.any():
            continue
        n_bytes, n_tokens = (
            int((values * counts.copies)[unseen].sum()) for values in (counts.bytes, tokens)
        )
        found["unseen"] = {
            "documents": int(counts.copies[unseen].sum()),
            "bytes_per_token": n_bytes / n_tokens if n_tokens else None,
        }


def overlap_lines(overlap: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what is said of `overlaps`: a sentence for the tokenizers of each share."""
    labels: dict[str, list[str]] = {}
    for label, found in overlap.items():
        about = "about " if found["estimated"] else ""
        labels.setdefault(f"{about}{100 * found['share']:.0f} %", []).append(label)
    sentences = [_sentence(names, share) for share, names in labels.items()]
    by_number: dict[int, list[str]] = {}
    for label, found in overlap.items():
        unseen = found.get("unseen")
        if unseen is not None and unseen["bytes_per_token"] is not None:
            figure = f"{label} {unseen['bytes_per_token']:.3f}"
            by_number.setdefault(unseen["documents"], []).append(figure)
    return sentences + [
        f"bytes per token on the {n:,} documents that were not trained on: {', '.join(figures)}."
        for n, figures in by_number.items()
    ]


def _sentence(labels: list[str], share: str) -> str:
    was, its = ("were", "their") if len(labels) > 1 else ("was", "its")
    return f"{listed(labels)} {was} trained on {share} of this text: {its} figures are too good."


def lacking_lines(lacking: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what is said of groups that training texts lack: a sentence for the tokenizers of each list."""
    labels: dict[tuple[str, ...], list[str]] = {}
    for label, groups in lacking.items():
        labels.setdefault(tuple(groups), []).append(label)
    return [
        f"{listed(names)} {'were' if len(names) > 1 else 'was'} trained on no text of {listed(groups)}: "
        f"{'their' if len(names) > 1 else 'its'} means over groups count that too."
        for groups, names in labels.items()
    ]
