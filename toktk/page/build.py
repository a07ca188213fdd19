"""The file: figures, charts, tokenizers and the code that shows them, in one HTML document."""

from __future__ import annotations

import base64
import functools
import html
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from toktk.cache import Store
from toktk.errors import MetricError
from toktk.lab.compare import Asked, compare_sides
from toktk.lab.document import PAGE
from toktk.lab.meter import Meter, costs_line
from toktk.lab.run import Run, document_of
from toktk.lab.side import Side, sides_of
from toktk.models.bpe import BpeModel
from toktk.page.figures import Figures, short, visible_keys
from toktk.page.headline import UNDECIDED, Answer, answers
from toktk.page.packing import Unpackable, pack_counts, pack_tokenizer
from toktk.page.shown import Shown, shown_run
from toktk.page.vocabulary import vocabulary_use
from toktk.paths import atomic_write
from toktk.report import charts
from toktk.report.comparison import Comparison
from toktk.report.records import common_signature
from toktk.report.results import Results
from toktk.visible import json_text, visible, visible_name

SCHEMA = 1
"""Of what the page holds; its code reads no other."""

_SCRIPTS = ("encoder.js", "state.js", "rows.js", "chart.js", "table.js", "tokens.js", "page.js")
_USUAL_SIZE = 50_000
_ALONE, _PER_FAMILY, _MOST = (
    2_000_000,
    300_000,
    5_000_000,
)  # bytes of a page: up to two families, each more
_IN_A_CARD = 3  # answers to one question
_BYTES_OF_AN_ID = 3.5  # at least, of a packed tokenizer
_LEAST_ROOM = 20_000  # bytes; what is smaller is no reason to leave a tokenizer out
_BUNDLED = "window.vegaEmbed = vegaEmbed;"
_TOO_LARGE = "it would make this page too large"

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


def write_page(run: Run, meter: Meter) -> Path:
    """Write the page of a run into its folder, and return its path; `meter` is told how far it is.

    Raises:
        StorageError: the page cannot be written, or a file of the run cannot be read.
    """
    document = document_of(run.path)  # with what was timed after the run
    contents = Contents(shown_run(replace(run, document=document)))
    path = run.path / PAGE
    with meter.step("write", PAGE, contents.parts, "parts") as advance:
        write_document(contents.page(advance=advance), path)
    return path


def write_document(page: Page, path: Path) -> None:
    """Write a page, whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(page.html, encoding="utf-8", newline="\n")


class Contents:
    """What a page, its pictures and its tables are made of.

    Attributes:
        figures: the figures of the runs.
    """

    def __init__(self, shown: Shown) -> None:
        self.figures = Figures(shown)

    @property
    def parts(self) -> int:
        """How often `page` advances: once for each vocabulary, and once for each pack that may be made."""
        shown = self.figures.shown
        packs = [*_candidates(self.figures, visible_keys(shown.tokenizers))]
        return len(shown.tokenizers) + len(packs)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Comparisons of other families with the first one, size by size."""
        metrics = dict.fromkeys([self.figures.primary, "bytes_per_token"])
        return [row for m in metrics for row in _comparisons(self.figures, self._sides, m)]

    @cached_property
    def answers(self) -> list[Answer]:
        """What is said first."""
        return answers(self.figures, self._sides, self.comparisons)

    @cached_property
    def vocabulary(self) -> dict[str, dict[str, Any]]:
        """What the text uses of each vocabulary; see `toktk.page.vocabulary.vocabulary_use`."""
        return self._vocabulary(lambda n: None)

    @cached_property
    def _sides(self) -> dict[str, Side]:
        return {side.label: side for side in sides_of(_visible(self.figures))}

    def _vocabulary(self, advance: Callable[[int], None]) -> dict[str, dict[str, Any]]:
        uses, shown = {}, self.figures.shown
        for label, tokenizer in shown.tokenizers.items():
            if label in shown.token_counts:
                uses[visible_name(label)] = vocabulary_use(tokenizer, shown.token_counts[label])
            advance(1)
        return uses

    def page(
        self, budget: int | None = None, advance: Callable[[int], None] = lambda n: None
    ) -> Page:
        """Return the page.

        Args:
            budget: bytes that it may have; tokenizers that go beyond are left out of what it can encode with.
                By default 2 MB, and more for more families, up to 5 MB.
            advance: is called `parts` times with 1.
        """
        figures = self.figures
        self.vocabulary = self._vocabulary(advance)
        data = {
            "schema": SCHEMA,
            "name": visible_name(figures.shown.name),
            **figures.described(),
            "comparisons": [*map(_row, self.comparisons)],
            "vocabulary": self.vocabulary,
            "throughput": [*_throughput(figures.shown)],
            "samples": SAMPLES,
            "charts": chart_specs(figures),
        }
        if budget is None:
            more = max(0, len(figures.families) - 2)
            budget = min(_MOST, _ALONE + _PER_FAMILY * more)
        document = functools.partial(_document, figures=figures, answers=self.answers)
        empty = document({**data, "packs": [], "counts": {}, "left_out": {}})
        room = budget - len(empty.encode())
        packs, counts, left_out = packed_tokenizers(figures, room, advance)
        data |= {"packs": packs, "counts": counts, "left_out": left_out}
        return Page(document(data), left_out)


def _visible(figures: Figures) -> Results:
    """Return the results with names as the page shows them."""
    documents = figures.shown.results.documents
    if documents is not None:
        groups = tuple(map(visible_name, documents.groups))
        documents = replace(documents, groups=groups, tokens=visible_keys(documents.tokens))
    return replace(figures.shown.results, records=tuple(figures.records), documents=documents)


def _comparisons(figures: Figures, sides: dict[str, Side], metric: str) -> Sequence[Comparison]:
    """Return the comparisons of one metric: of other families with the first one, size by size."""
    first, *others = figures.families.values()
    pairs = []
    for label in (label for labels in others for label in labels):
        size = figures.size(label)
        nearest = min(first, key=lambda n: abs(figures.size(n) - size))
        pairs.append((sides[label], sides[nearest]))
    if not pairs:
        return ()
    try:
        return compare_sides(pairs, Asked((metric,))).rows
    except MetricError:  # no figures to compare, or figures that must not be
        return ()


def _row(row: Comparison) -> list[Any]:
    return [
        row.candidate,
        row.baseline,
        row.metric,
        row.group,
        *(short(x) for x in (row.difference, row.low, row.high, row.least, row.text_needed)),
        row.verdict,
    ]


def _throughput(shown: Shown) -> Iterator[dict[str, Any]]:
    for document in shown.documents.values():
        for timing in document.get("throughput", {}).get("timings", ()):
            if timing["unit"] == "MB/s" and timing["value"] is not None:
                names = ("what", "threads", "value", "low", "high", "unit", "note")
                labels = ("tokenizer", "engine", "version")
                yield {
                    **{name: visible_name(str(timing[name])) for name in labels},
                    **{name: timing[name] for name in names},
                }


def chart_specs(figures: Figures) -> dict[str, Any]:
    """Return the charts of a page as Vega specifications, with data sets that the page fills."""
    key = ["charts", [*figures.families], figures.is_parallel, figures.reference]

    def load(folder: Path) -> dict[str, Any]:
        specs: dict[str, Any] = json.loads((folder / "charts.json").read_bytes())
        return specs

    store = Store()
    specs = store.read("assets", key, load)
    if specs is None:
        specs = _chart_specs(figures)
        text = json_text(specs)
        store.write("assets", key, lambda folder: _write_text(folder / "charts.json", text))
    return specs


def _chart_specs(figures: Figures) -> dict[str, Any]:
    import vl_convert

    families = [*figures.families]
    unit = "tokens per line" if figures.is_parallel else "bytes per token"
    relative = figures.reference is not None
    title = f"tokens, relative to {figures.reference}" if relative else unit
    made = {
        "curve": charts.size_curve("curve", "points", "knees", "at", families, unit),
        "languages": charts.languages("rows", families, title, 1.0 if relative else None),
        "gains": charts.gains("rows", families),
        "ranks": charts.ranks("rows", families),
        "lengths": charts.lengths("rows"),
        "scripts": charts.scripts("rows"),
        "parameters": charts.trade_off(
            "points", "front", families, "parameters of the embedding", unit
        ),
        "speed": charts.trade_off("points", "front", families, "throughput (MB/s)", unit),
    }
    specs = {name: vl_convert.vegalite_to_vega(chart.to_dict()) for name, chart in made.items()}
    for spec in specs.values():
        del spec["background"]  # the page has its own
    return specs


# Tokenizers ---------------------------------------------------------------------------------------


def packed_tokenizers(
    figures: Figures, room: int, advance: Callable[[int], None]
) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, str]]:
    """Return packs, counts of their tokens by label, and why others are left out, within `room` bytes.

    Every family comes once before any comes twice; of several sizes the one nearest to 50,000 ids is first,
    then the smaller ones. All sizes of a BPE family are one pack.
    """
    shown = figures.shown
    tokenizers, counted = visible_keys(shown.tokenizers), visible_keys(shown.token_counts)
    left_out = {label: visible(why) for label, why in visible_keys(shown.missing).items()}
    packs: list[dict[str, Any]] = []
    counts: dict[str, Any] = {}
    for _, family, labels in sorted(_candidates(figures, tokenizers), key=lambda each: each[0]):
        advance(1)
        largest = tokenizers[labels[-1]]
        if _BYTES_OF_AN_ID * largest.vocab_size > max(room, _LEAST_ROOM):
            left_out |= dict.fromkeys(labels, _TOO_LARGE)
            continue
        sizes = {label: figures.size(label) for label in labels} if len(labels) > 1 else None
        try:
            pack = pack_tokenizer(largest, sizes)
        except Unpackable as why:
            left_out |= dict.fromkeys(labels, str(why))
            continue
        own = {label: pack_counts(counted[label]) for label in labels if label in counted}
        needed = _size_in_page({"pack": pack, "counts": own})
        if needed > max(room, _LEAST_ROOM if not packs else 0):
            left_out |= dict.fromkeys(labels, _TOO_LARGE)
            continue
        room -= needed
        packs.append({"family": family, "labels": labels, **pack})
        counts |= own
    return packs, counts, left_out


def _candidates(
    figures: Figures, tokenizers: Mapping[str, Any]
) -> Iterator[tuple[tuple[int, int], str, list[str]]]:
    """Yield (order, family, labels of one pack), the labels ascending by size."""
    for family, all_labels in figures.families.items():
        labels = [label for label in all_labels if label in tokenizers]
        if not labels:
            continue
        models = {label: tokenizers[label].model for label in labels}
        if isinstance(models[labels[-1]], BpeModel) and all(
            model.is_prefix_of(models[labels[-1]]) for model in models.values()
        ):
            yield (0, 0), family, labels
            continue
        usual = min(labels, key=lambda label: abs(figures.size(label) - _USUAL_SIZE))
        rest = [usual, *(label for label in labels if label != usual)]
        for i, label in enumerate(rest):
            yield (min(i, 1), figures.size(label) if i else 0), family, [label]


def _size_in_page(value: object) -> int:
    # What is in base64 hardly deflates, but back to its own size, and is in base64 once more.
    return len(_packed(value))


# The document -------------------------------------------------------------------------------------


def _packed(value: object) -> str:
    data = json_text(value, separators=(",", ":"), allow_nan=False).encode()
    return base64.b64encode(zlib.compress(data, 9)).decode("ascii")


def _document(data: Mapping[str, Any], figures: Figures, answers: Sequence[Answer]) -> str:
    shown = figures.shown
    title = f"toktk: {visible_name(shown.name)}"
    parts = {
        "TITLE": html.escape(title),
        "HEADING": html.escape(_heading(figures)),
        "SUBTITLE": html.escape(_subtitle(figures)),
        "ANSWERS": "\n".join(_cards(answers)),
        "PROVENANCE": "\n".join(_provenance(figures)),
        "STYLE": _asset("page.css"),
        "DATA": _packed(data),
        "VEGA": _vega(),
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
    n = int(figures.value(first, "documents") or 0)
    groups = len(figures.groups) - 1
    sizes = sorted({figures.size(label) for label in figures.tokenizers})
    span = f"{sizes[0]:,} ids" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,} ids"
    return f"on {record.corpus}: {n:,} documents in {groups} group{'s' * (groups != 1)}; {span}"


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


@functools.cache
def _vega() -> str:
    """Return Vega's JavaScript, deflated and in base64; vl-convert bundles it, which takes a second."""
    key = ["vega", version("vl-convert-python")]
    store = Store()

    def load(folder: Path) -> str:
        return (folder / "vega.txt").read_text(encoding="ascii")

    packed = store.read("assets", key, load, code=None)
    if packed is None:
        import vl_convert

        packed = base64.b64encode(
            zlib.compress(vl_convert.javascript_bundle(_BUNDLED).encode(), 9)
        ).decode()
        bundle = packed
        store.write(
            "assets", key, lambda folder: _write_text(folder / "vega.txt", bundle), code=None
        )
    return packed


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
