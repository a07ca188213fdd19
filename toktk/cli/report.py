"""``toktk report``: the page of one or more runs, charts as pictures, tables for a paper."""

from __future__ import annotations

from pathlib import Path

import click

from toktk.cli.options import parsed, progress_options
from toktk.cli.progress import Progress
from toktk.cli.streams import remark
from toktk.sizes import parse_bytes


@click.command("report")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The page.  [default: report.html in the folder of the only run, else in this folder]",
)
@click.option(
    "--charts",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also write each chart as PNG and SVG, and card.png (1200 x 630) for posts.",
)
@click.option(
    "--tables",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Also write the tables in Markdown and LaTeX, with intervals.",
)
@click.option(
    "--size",
    callback=parsed(lambda size: None if size is None else parse_bytes(size)),
    metavar="SIZE",
    help="How large the page may get, such as 10MB: tokenizers that do not fit cannot be tried in it.  "
    "[default: 2MB, for more than two families up to 5MB]",
)
@progress_options
def command(
    runs: tuple[str, ...],
    output: Path | None,
    charts: Path | None,
    tables: Path | None,
    size: int | None,
    progress: Progress,
) -> None:
    """Write one page of one or more runs that were measured on the same text.

    \b
    toktk report runs/news
    toktk report runs/mine runs/yours -o team.html
    toktk report runs/news --charts pictures/ --tables tables/

    A RUN is a folder that sweep or bench wrote; NAME=RUN names it. Nothing is measured again.
    """  # noqa: D301 - click wants the backspace itself
    from toktk.lab.document import PAGE
    from toktk.lab.meter import Meter
    from toktk.lab.run import document_of, stored_run
    from toktk.lab.sources import run_folder
    from toktk.page.build import page_of, parts_of, write_document
    from toktk.page.contents import Contents
    from toktk.page.paper import write_tables
    from toktk.page.pictures import pictures_of, write_pictures
    from toktk.page.rows import Rows
    from toktk.page.shown import merged, shown_run

    places = [run_folder(run) or (Path(run).name, Path(run)) for run in runs]
    with progress.watching() as watcher:
        meter = Meter(watcher)
        shown = []
        with meter.step("load", "", len(places), "runs") as advance:
            for name, folder in places:
                run = stored_run(folder, document_of(folder))
                shown.append(shown_run(run, Path(name).name))
                advance(1)
        both = merged(shown)
        path = output or (places[0][1] / PAGE if len(places) == 1 else Path(PAGE))
        contents = Contents(both)
        with meter.step("write", path.name, parts_of(contents), "parts") as advance:
            page = page_of(contents, size, advance)
            write_document(page, path)
        written = [path]
        rows = Rows(contents.figures, contents.vocabulary)
        if charts is not None:
            with meter.step("draw", charts.name, pictures_of(rows), "charts") as advance:
                written += write_pictures(contents.figures, rows, contents.answers, charts, advance)
        if tables is not None:
            written += write_tables(contents.figures, rows, contents.comparisons, tables)
    if not progress.quiet:
        for label, why in page.left_out.items():
            remark(f"{label} cannot be tried in the page: {why}.")
        remark(*map(str, written))
