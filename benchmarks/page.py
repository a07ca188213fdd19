"""What the page of a run costs: bytes, seconds to write and to open it, frames a second of the slider.

    python benchmarks/page.py           # the default sweep of the starter corpus
    python benchmarks/page.py --wide    # 35 languages x 7 families, and a bench of 10 tokenizers

The page is opened from disk in headless Chromium, with the network off. Opening ends when the page says that
it is ready and the first chart is drawn. Frames are counted while the slider goes to and fro, a step a
frame, with the charts over languages on the screen.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from toktk.cli import main as toktk
from toktk.lab.run import document_of, stored_run
from toktk.page.build import page_of, write_document
from toktk.page.contents import Contents
from toktk.page.shown import merged, shown_run

PARALLEL = Path(__file__).parents[1] / "corpora" / "parallel"
CUTS = ("o200k", "gpt2", "llama3", "cl100k")
LANGUAGES = 35
NAMES = ("chromium", "chromium-browser", "google-chrome")
FRAMES = 120

MOVE = """(frames) => new Promise((done) => {
  const slider = document.getElementById("size");
  const most = Number(slider.max);
  let n = 0;
  const began = performance.now();
  const step = () => {
    slider.value = String(Math.round(most * (0.5 + 0.5 * Math.sin(n / 9))));
    slider.dispatchEvent(new Event("input"));
    if (++n < frames) requestAnimationFrame(step);
    else done(frames * 1000 / (performance.now() - began));
  };
  requestAnimationFrame(step);
})"""


def run(*args: object) -> None:
    """Run a command of toktk and show none of its figures."""
    with contextlib.redirect_stdout(io.StringIO()):
        toktk([str(arg) for arg in args], standalone_mode=False)


def languages(path: Path) -> Path:
    """Write the starter's parallel text, some languages once more under other names, up to `LANGUAGES`."""
    files = sorted(PARALLEL.glob("*.txt"))
    texts = [(file.stem, file.read_text(encoding="utf-8").splitlines()) for file in files]
    texts += [(f"{name}-again", own) for name, own in texts[: LANGUAGES - len(texts)]]
    rows = [
        {"text": text, "lang": name, "id": str(i)}
        for name, own in texts
        for i, text in enumerate(own)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def pages(folder: Path, wide: bool) -> Iterator[tuple[str, list[Path]]]:
    """Yield the name of each page and the runs that it shows, which are carried out."""
    if not wide:
        run("sweep", "-o", folder / "first", "-q", "--no-page")
        yield "default sweep", [folder / "first"]
        return
    text = languages(folder / "languages.jsonl")
    read = ("--eval", text, "--group-column", "lang", "--align-column", "id", "-q", "--no-page")
    cuts = [arg for cut in CUTS for arg in ("-p", cut)]
    run("sweep", "-t", "bpe", *cuts, *read, "-o", folder / "bpe")
    run("sweep", "-t", "unigram", *cuts[:-2], *read, "-o", folder / "unigram")
    yield f"{LANGUAGES} languages x 7 families", [folder / "bpe", folder / "unigram"]
    made = [
        path
        for name in ("bpe", "unigram")
        for size in ("128k", "64k")
        for path in sorted((folder / name / "tokenizers").glob(f"*-{size}"))
    ][:10]
    specs = [f"t{i}={path}" for i, path in enumerate(made)]
    run("bench", *specs, "-c", text, "--group-column", "lang", "--align-column", "id", "--no-throughput",
        "-q", "--no-page", "-o", folder / "bench")  # fmt: skip
    yield "bench of 10 tokenizers", [folder / "bench"]


def opened(browser: Any, path: Path) -> tuple[float, float | None]:
    """Return the seconds that a page takes to open, and frames a second, None where there is no slider."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_offline(True)
    page = context.new_page()
    began = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_function("window.toktk && window.toktk.isReady")
    page.locator("#curve").scroll_into_view_if_needed()
    page.wait_for_selector("#curve canvas")
    seconds = time.perf_counter() - began
    frames = None
    if page.locator("#size").is_visible():
        page.locator("#languages").scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        frames = page.evaluate(MOVE, FRAMES)
    context.close()
    return seconds, frames


@click.command()
@click.option(
    "--wide", is_flag=True, help="35 languages x 7 families, and a bench of 10 tokenizers."
)
@click.option(
    "--repeats", default=5, show_default=True, help="How often each page is written and opened."
)
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Folder that keeps the runs and the pages."
)
def main(wide: bool, repeats: int, keep: Path | None) -> None:
    """Print size, seconds to write and to open, and frames a second of pages."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("TOKTK_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)))
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        place = keep or Path(temporary)
        place.mkdir(exist_ok=True)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        print(f"Chromium {browser.version}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
        for name, folders in pages(place, wide):
            loads, writes, opens, frames = [], [], [], []
            for _ in range(repeats):
                began = time.perf_counter()
                runs = [shown_run(stored_run(folder, document_of(folder))) for folder in folders]
                loads.append(time.perf_counter() - began)
                path = place / f"{name.replace(' ', '-')}.html"
                write_document(page_of(Contents(merged(runs))), path)
                writes.append(time.perf_counter() - began - loads[-1])
                seconds, rate = opened(browser, path)
                opens.append(seconds)
                frames += [] if rate is None else [rate]
            size = path.stat().st_size / 1e6
            print(f"{name}: {size:.2f} MB")
            for what, values, unit in (
                ("loaded", loads, "s"), ("written", writes, "s"), ("opened", opens, "s"),
                ("slider", frames, "frames/s"),
            ):  # fmt: skip
                if values:
                    print(f"  {what}: {statistics.median(values):.2f} {unit}"
                          f" ({min(values):.2f} to {max(values):.2f}, n={len(values)})")  # fmt: skip


if __name__ == "__main__":
    main()
