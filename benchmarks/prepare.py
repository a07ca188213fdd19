"""Make the benchmarks' texts from what a Linux distribution packages: help pages and C code.

    python benchmarks/prepare.py help --pages /usr/share/libreoffice/help --out texts/help
    python benchmarks/prepare.py code --source /usr/src/linux-source-6.1.tar.xz --out texts/code.txt

README.md says which packages. The result is the same for the same input, whatever the machine.
"""

from __future__ import annotations

import argparse
import html
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import harness

_UNSEEN = re.compile(r"<!--.*?-->|<(script|style|head)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
# Tags within a sentence; every other tag ends a block of text.
_INLINE = re.compile(
    r"</?(?:a|abbr|b|bdi|bdo|cite|code|em|font|i|kbd|mark|q|s|samp|small|span|strong|sub|sup|tt|u|"
    r"var|wbr)\b[^>]*>",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^>]*>")
_BLANK = re.compile(r"[ \t\r\n\f\v]+")  # not the no-break space, which is text


def blocks(page: str) -> Iterator[str]:
    """Yield the text blocks of an HTML page, one line each, white space runs as one space."""
    text = _UNSEEN.sub("\n", page)
    # Line breaks of the source are spaces; only a tag ends a block.
    text = _TAG.sub("\n", _INLINE.sub("", _BLANK.sub(" ", text)))
    for block in text.split("\n"):
        line = _BLANK.sub(" ", html.unescape(block)).strip()
        if line:
            yield line


def write_help(pages: Path, out: Path, most: int | None) -> None:
    """Write ``<language>.txt`` for each folder of `pages` that holds HTML, its first `most` lines (all)."""
    out.mkdir(parents=True, exist_ok=True)
    for folder in sorted(path for path in pages.iterdir() if path.is_dir()):
        files = sorted(folder.rglob("*.html"))
        lines = [
            line
            for file in files
            for line in blocks(file.read_text(encoding="utf-8", errors="strict"))
        ][:most]
        if not lines:
            continue
        target = out / f"{folder.name}.txt"
        target.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        harness.say(f"{target.name}: {len(files):,} pages, {target.stat().st_size / 1e6:.1f} MB")


def sources(source: Path) -> Iterator[bytes]:
    """Yield the C files of a folder (by name) or of a tar archive (as they stand in it)."""
    if source.is_dir():
        for path in sorted(source.rglob("*.[ch]")):
            if path.is_file():
                yield path.read_bytes()
        return
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith((".c", ".h")):
                file = archive.extractfile(member)
                if file is not None:
                    yield file.read()


def write_code(source: Path, out: Path, limit: int | None) -> None:
    """Write the lines of all C files that are UTF-8, without white space at their ends.

    Then a trainer that keeps the line feed and one that drops it cut the same pieces with the gpt2
    pattern, but for the line feed itself.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    written = files = 0
    with out.open("wb") as target:
        for raw in sources(source):
            try:
                text = raw.decode()
            except UnicodeDecodeError:
                continue
            lines = "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n") + "\n"
            written += target.write(lines.encode())
            files += 1
            if limit is not None and written >= limit:
                break
    harness.say(f"{out.name}: {files:,} files, {written / 1e6:.1f} MB")


def main() -> None:
    """Make what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    pages = kinds.add_parser("help", help="HTML pages, a folder for each language")
    pages.add_argument("--pages", type=Path, required=True)
    pages.add_argument("--out", type=Path, required=True, help="folder")
    pages.add_argument("--lines", type=int, help="of each language, at most")
    code = kinds.add_parser("code", help="C code, a folder or a tar archive")
    code.add_argument("--source", type=Path, required=True)
    code.add_argument("--out", type=Path, required=True, help="file")
    code.add_argument("--bytes", type=harness.size, help="stop after the file that reaches this")
    chosen = parser.parse_args()
    if chosen.kind == "help":
        write_help(chosen.pages, chosen.out, chosen.lines)
    else:
        write_code(chosen.source, chosen.out, chosen.bytes)


if __name__ == "__main__":
    main()
