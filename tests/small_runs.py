"""Small runs whose pages tests look at."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from small_corpora import PARALLEL, SYLLABLES, lines, write_parallel

from toktk.cli import main
from toktk.lab.run import Run, document_of, stored_run


def toktk(*args: object, code: int = 0) -> Result:
    """Run a command in this process, which must end with `code`."""
    result = CliRunner().invoke(main, [str(arg) for arg in args], catch_exceptions=False)
    assert result.exit_code == code, result.stderr
    return result


def opened(folder: Path) -> Run:
    return stored_run(folder, document_of(folder))


def swept(folder: Path, *more: object, n: int = 600, sizes: str = "300,340,400") -> Path:
    """Sweep bpe and unigram over parallel text in four languages; return the run."""
    corpus = write_parallel(folder / "text.jsonl", n)
    toktk("sweep", "-c", corpus, *PARALLEL, "-t", "bpe", "-t", "unigram", "-s", sizes,
          "-o", folder / "run", "-q", *more)  # fmt: skip
    return folder / "run"


def write_text(path: Path, n: int = 60) -> Path:
    """Write text in four languages that is not parallel."""
    rows = [
        {"text": text, "lang": language} for language in SYLLABLES for text in lines(language, n)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def benched(folder: Path, run: Path, *more: object) -> Path:
    """Bench two tokenizers of a run on text that is not parallel; return the run."""
    corpus = write_text(folder / "other.jsonl")
    made = run / "tokenizers"
    pair = (f"one={made / 'bpe-400'}", f"two={made / 'unigram-400'}")
    toktk("bench", *pair, "-c", corpus, "--group-column", "lang", "--no-throughput",
          "-o", folder / "bench", "-q", *more)  # fmt: skip
    return folder / "bench"


def held_by(page: str) -> Any:
    """Return what a page holds for its code."""
    packed = re.search(r'id="data">([^<]*)<', page)
    assert packed is not None
    return json.loads(zlib.decompress(base64.b85decode(packed[1].replace(",", "<"))))


def data_of(path: Path) -> Any:
    """Return what the page in a file holds for its code."""
    return held_by(path.read_text(encoding="utf-8"))
