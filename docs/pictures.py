"""Make the pictures of README and docs from the starter corpus: ``python docs/pictures.py``.

A sweep of the starter corpus is carried out, or found in the cache, and drawn as charts; beside it what
`toktk show` prints. Each picture holds a stamp of what it shows, which tests/test_docs.py compares with what
the code gives.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from toktk.lab.run import document_of, stored_run
from toktk.page.contents import Contents
from toktk.page.pictures import pictures as chart_pictures
from toktk.page.rows import Rows
from toktk.page.shown import shown_run

FOLDER = Path(__file__).parent / "pictures"
TEXT = "12345 naïve cafés in 東京, Привет!"
SHOWN = ("bpe-50k", "unigram-50k")

_WIDTH = 80
_STAMP = re.compile(r"<!-- toktk ([0-9a-f]{16}) -->")
# As rich writes a terminal, but with no font from anywhere.
_TERMINAL = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
    font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
    font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
<rect fill="#fff" stroke="#bbb" x="1" y="1" width="{terminal_width}" height="{terminal_height}" rx="8"/>
<g transform="translate({terminal_x}, 8)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def starter_run(folder: Path) -> Path:
    """Carry out ``toktk sweep``, which takes from the cache what is there; return the run directory."""
    run = folder / "first"
    command = [sys.executable, "-m", "toktk", "sweep", "-o", str(run), "-q", "--no-page"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return run


def pictures(run: Path) -> dict[str, tuple[Any, str]]:
    """Return {name: (what a picture shows, its SVG)}."""
    import vl_convert

    shown = shown_run(stored_run(run, document_of(run)))
    contents = Contents(shown)
    rows = Rows(contents.figures, contents.vocabulary)
    drawn = dict(chart_pictures(contents.figures, rows))
    figures = {"size-curve": [rows.curve(), rows.points()], "languages": rows.languages()}
    made: dict[str, tuple[Any, str]] = {}
    for name, what in figures.items():
        spec = {**drawn[name].properties(width=720).to_dict(), "background": "white"}
        made[name] = what, vl_convert.vegalite_to_svg(spec)
    first, *others = (shown.tokenizers[label] for label in SHOWN)
    text = first.show(TEXT, *others).text(_WIDTH, color=True)
    made["show"] = text, _terminal(text)
    return made


def stamp_of(what: object) -> str:
    """Return the hash of figures, to five digits: no processor's rounding changes it."""
    text = json.dumps(what, default=str)
    rounded = re.sub(r"-?\d+\.\d+(?:e-?\d+)?", lambda number: f"{float(number[0]):.5g}", text)
    return hashlib.sha256(rounded.encode()).hexdigest()[:16]


def stamps() -> dict[str, str]:
    """Return the stamp of each picture that is there, by name."""
    return {
        path.stem: stamp[1]
        for path in sorted(FOLDER.glob("*.svg"))
        if (stamp := _STAMP.search(path.read_text(encoding="utf-8"))) is not None
    }


def _terminal(text: str) -> str:
    """Return text with colors for a terminal as SVG."""
    from rich.console import Console
    from rich.terminal_theme import DEFAULT_TERMINAL_THEME
    from rich.text import Text

    console = Console(
        record=True, width=_WIDTH, file=io.StringIO(), color_system="truecolor", force_terminal=True
    )
    console.print(Text.from_ansi(text))
    return console.export_svg(
        theme=DEFAULT_TERMINAL_THEME, code_format=_TERMINAL, unique_id="toktk"
    )


def write() -> None:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, (what, svg) in pictures(starter_run(Path(folder))).items():
            path = FOLDER / f"{name}.svg"
            head, end, rest = svg.partition(">")
            path.write_text(
                f"{head}{end}<!-- toktk {stamp_of(what)} -->{rest.rstrip()}\n", encoding="utf-8"
            )


if __name__ == "__main__":
    write()
