"""The file: figures, charts, tokenizers and the code that shows them, in one HTML document."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from toktk.lab.document import PAGE
from toktk.lab.meter import Meter, costs_line
from toktk.lab.run import Run, document_of
from toktk.page.contents import Contents, comparison_row, throughput_of
from toktk.page.drawings import draw
from toktk.page.figures import Figures
from toktk.page.headline import UNDECIDED, Answer
from toktk.page.packing import deflated, json_of
from toktk.page.packs import Packer, packs_of
from toktk.page.shown import shown_run
from toktk.paths import atomic_write
from toktk.report.records import common_signature
from toktk.runtime import Threads, give_back_memory
from toktk.visible import listed, visible, visible_name

SCHEMA = 1
"""Of the data in a page, for whoever reads it from outside."""

_SCRIPTS = ("encoder.js", "state.js", "rows.js", "chart.js", "table.js", "tokens.js", "page.js")
_UP_TO_TWO, _EACH_MORE, _MOST = 2_000_000, 300_000, 5_000_000  # bytes of a page, by its families
_IN_A_CARD = 3  # answers to one question

SAMPLES = (
    "The Fjords' 3,141 quick-brown foxes naïvely paid €12.50 … twice!",
    "def fib(n: int) -> int:\n    return n if n < 2 else fib(n - 1) + fib(n - 2)",
    "Все люди рождаются свободными. 東京都は日本の首都です。 नमस्ते दुनिया",
    "مرحبا بالعالم · שלום עולם · สวัสดีชาวโลก · 👩\u200d👩\u200d👧 🇩🇪",
)
"""Texts that the page offers to tokenize, beside one's own."""


@dataclass(frozen=True)
class Page:
    """A page, and what was left out of it.

    Attributes:
        html: the document.
        left_out: {tokenizer: why the page cannot encode with it}.
    """

    html: str
    left_out: Mapping[str, str]


def page_of(
    contents: Contents,
    budget: int | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> Page:
    """Return the page.

    Args:
        budget: bytes that it may have; tokenizers that go beyond are left out of what it can encode with.
            By default 2 MB, and more for more families, up to 5 MB.
        advance: is called `parts_of` times with 1.
    """
    figures = contents.figures
    with Threads(1) as beside:
        drawing = beside.submit(draw, figures)
        data = {
            "schema": SCHEMA,
            "name": visible_name(figures.shown.name),
            **figures.described(),
            "zone": contents.zone,
            "comparisons": [*map(comparison_row, contents.comparisons)],
            "vocabulary": contents.measure_vocabulary(advance),
            "throughput": [*throughput_of(figures.shown)],
            "samples": SAMPLES,
        }
        data["charts"], vega = drawing.result()
    if budget is None:
        more = max(0, len(figures.families) - 2)
        budget = min(_MOST, _UP_TO_TWO + _EACH_MORE * more)
    document = functools.partial(_document, contents=contents, vega=vega)
    empty = document({**data, "packs": [], "counts": {}, "left_out": {}})
    room = budget - len(empty.encode())
    packer = Packer(figures, room)
    packer.pack(advance)
    data |= {"packs": packer.packs, "counts": packer.counts, "left_out": packer.left_out}
    return Page(document(data), packer.left_out)


def parts_of(contents: Contents) -> int:
    """Return how often `page_of` advances: for each vocabulary, and for each pack that may be made."""
    return len(contents.figures.shown.tokenizers) + len(packs_of(contents.figures))


def write_page(run: Run, meter: Meter) -> Path:
    """Write the page of a run into its folder, and return its path; `meter` is told how far it is.

    Raises:
        StorageError: the page cannot be written, or a file of the run cannot be read.
        MemoryLimitError: a limit of address space leaves no room to draw.
    """
    give_back_memory()  # of the run, since drawing takes its own
    document = document_of(run.path)  # with what was timed after the run
    contents = Contents(shown_run(replace(run, document=document)))
    path = run.path / PAGE
    with meter.step("write", PAGE, parts_of(contents), "parts") as advance:
        write_document(page_of(contents, advance=advance), path)
    return path


def write_document(page: Page, path: Path) -> None:
    """Write a page, whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(page.html, encoding="utf-8", newline="\n")


def _document(data: Mapping[str, Any], contents: Contents, vega: str) -> str:
    figures = contents.figures
    shown = figures.shown
    title = f"toktk: {visible_name(shown.name)}"
    parts = {
        "TITLE": html.escape(title),
        "HEADING": html.escape(_heading(figures)),
        "SUBTITLE": html.escape(_subtitle(figures)),
        "ANSWERS": "\n".join(_cards(contents.answers)),
        "PROVENANCE": "\n".join(_provenance(figures)),
        "STYLE": _asset("page.css"),
        "DATA": deflated(json_of(data)),
        "VEGA": vega,
        "SCRIPT": "\n".join(map(_asset, _SCRIPTS)),
    }
    # In one pass: what is put in may hold the mark of another part.
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda mark: parts[mark[1]], _asset("page.html"))


def _heading(figures: Figures) -> str:
    names = [*figures.families]
    if len(names) > 4:
        return f"{len(names)} tokenizers side by side"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _subtitle(figures: Figures) -> str:
    first = next(iter(figures.tokenizers))
    record = figures.tokenizers[first]
    n = figures.value(first, "documents")  # which a run that was asked for other metrics lacks
    groups = len(figures.groups) - 1 + figures.n_left_out
    sizes = sorted({figures.size(label) for label in figures.tokenizers})
    span = f"{sizes[0]:,} ids" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,} ids"
    documents = "" if n is None else f"{int(n):,} documents in "
    largest = f", the largest {len(figures.groups) - 1:,} shown" if figures.n_left_out else ""
    what = f"on {record.corpus}: {documents}{groups:,} group{'s' * (groups != 1)}{largest}; {span}"
    if figures.unsized:
        what += f"; not on this page, as nobody knows their size: {listed(figures.unsized)}"
    return what


def _cards(answers: Sequence[Answer]) -> Iterator[str]:
    """Yield a card for each question, with an answer for each family, of many for the first ones."""
    by_question: dict[str, list[Answer]] = {}
    for answer in answers:
        by_question.setdefault(answer.question, []).append(answer)
    for question, own in by_question.items():
        yield f'<li class="card"><p class="question">{html.escape(question)}</p>'
        for answer in own[:_IN_A_CARD]:
            mark = f'<span class="state">{answer.state}</span>' if answer.state == UNDECIDED else ""
            yield (
                f'<div class="answer {answer.state}"><p class="text">{html.escape(answer.text)}</p>'
                f'<p class="evidence">{html.escape(answer.evidence)}</p>{mark}</div>'
            )
        if (more := len(own) - _IN_A_CARD) > 0:
            yield f'<p class="evidence">And {more} more, in the charts below.</p>'
        yield "</li>"


def _provenance(figures: Figures) -> Iterator[str]:
    """Yield the rows of where the figures come from."""
    common = common_signature([record.signature for record in figures.records])
    rows = [("signature", common)]
    for name, document in figures.shown.documents.items():
        environment = document.get("environment", {})
        packages = {**environment.get("packages", {})}
        where = name if len(figures.shown.documents) > 1 else ""
        for role in ("training", "evaluation"):
            text = document.get(role)
            if text:
                rows.append((f"{role} text", f"{text['name']}, sha256 {text['fingerprint'][:16]}"))
        rows += [
            ("run", f"{visible_name(name)}, {document.get('finished', '')}"),
            (
                "versions",
                ", ".join(
                    f"{package} {release}"
                    for package, release in {"toktk": document["toktk"], **packages}.items()
                ),
            ),
            (
                "machine",
                ", ".join(
                    str(environment[key])
                    for key in ("cpu", "os", "python")
                    if environment.get(key) is not None
                )
                + f", {environment.get('usable_cores', '?')} cores",
            ),
            ("what each step cost", costs_line(document["steps"])),
            ("the same figures again", f"toktk replicate {where or '<the folder of this run>'}"),
        ]
    folders = " ".join(figures.shown.documents)
    several = len(figures.shown.documents) > 1
    rows.append(
        ("this page again", f"toktk report {folders if several else '<the folder of this run>'}")
    )
    for name, value in rows:
        yield f"<dt>{html.escape(name)}</dt><dd>{html.escape(visible(value))}</dd>"


@functools.cache
def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
