"""Compare toktk's ids with the libraries' on published tokenizers, token by token, and write a table.

    python benchmarks/real_tokenizers.py --tokenizers folder/ --text texts/help --text code.txt --bytes 10M

The folder holds tokenizer files, and folders with a tokenizer.json each; none is part of this repository. A
text is a file, or a folder of .txt files, each of which is compared by itself; documents are whole lines,
some 2,000 bytes together. Every document of every text must give the very ids that the tokenizer's own
library gives. The table goes to results/real-tokenizers.md. What is done is kept beside it, in .json: called
again, the script goes on where it was, and compares anew what depends on changed code, files or texts. The
exit code is 1 if ids differ.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness
import numpy as np

if TYPE_CHECKING:
    from toktk.loading.load import Loaded
    from toktk.pretokenizers.pretokenizer import Pretokenizer

RECORD = harness.RESULTS / "real-tokenizers.json"
COLUMNS = ("tokenizer", "ids", "cut by", "library", "engine", "tokens compared", "equal")
DOCUMENT = 2000  # bytes
BLOCK = 1 << 20  # bytes that are encoded at once

Row = dict[str, Any]


def found(folder: Path) -> list[Path]:
    """Return folders with a tokenizer.json, then files of tokenizers."""
    entries = sorted(folder.iterdir())
    folders = [path for path in entries if (path / "tokenizer.json").exists()]
    endings = {".json", ".tiktoken", ".model"}
    files = [path for path in entries if path.is_file() and endings & set(path.suffixes)]
    return folders + [path for path in files if not path.name.endswith(".tiktoken.json")]


def blocks(file: Path) -> Iterator[list[bytes]]:
    """Yield some documents at a time: whole lines, with their line feeds."""
    documents: list[bytes] = []
    document, size = b"", 0
    with file.open("rb") as read:
        for line in read:
            document += line
            if len(document) >= DOCUMENT:
                documents.append(document)
                document, size = b"", size + len(document)
            if size >= BLOCK:
                yield documents
                documents, size = [], 0
    if document or documents:
        yield [*documents, document] if document else documents


def compare(loaded: Loaded, texts: list[Path]) -> Row:
    """Return how many tokens were compared, and the first difference in words, "" for none."""
    from toktk.encoder import Encoder
    from toktk.loading.torture import TORTURE
    from toktk.models.vocabulary import packed
    from toktk.tokenizer import NATIVE

    native, reference = loaded.native, loaded.reference
    row: Row = {"library": loaded.library, "engine": "library", "why": loaded.why}
    row |= {"ids": reference.vocab_size, "tokens": 0, "cut": "", "differs": ""}
    if native is None:
        return row
    checked = loaded.checked(cache=False)
    row |= {"ids": native.vocab_size, "cut": cutting(native.pretokenizer), "why": ""}
    row["engine"] = "native" if checked.engine == NATIVE else "library"
    if checked.engine != NATIVE:
        return row | {"differs": checked.why}
    encoder = Encoder(native.pretokenizer, native.model)
    torture = [[text.encode() for text in TORTURE]]
    for name, groups in [
        ("torture", iter(torture)),
        *((text.stem, blocks(text)) for text in texts),
    ]:
        for documents in groups:
            data, offsets = packed(documents)
            ids, ours = encoder.encode_batch(data, offsets)
            wanted, ends = reference.model.encode_pieces(data, offsets)
            row["tokens"] += int(wanted.size)
            theirs = np.append(0, ends)
            if np.array_equal(ids, wanted) and np.array_equal(ours, theirs):
                continue
            d = first_difference((ids, ours), (wanted, theirs))
            return row | {"differs": f"{name}: {documents[d].decode()[:60]!r}"}
    return row


def first_difference(ours: tuple[Any, Any], theirs: tuple[Any, Any]) -> int:
    """Return the first document whose ids differ; of both: ids, and where each document begins and ends."""
    (ids, starts), (wanted, ends) = ours, theirs
    return next(
        d
        for d in range(len(starts) - 1)
        if not np.array_equal(ids[starts[d] : starts[d + 1]], wanted[ends[d] : ends[d + 1]])
    )


def cutting(pretokenizer: Pretokenizer) -> str:
    """Return in words what a pretokenizer does."""
    normalizer = pretokenizer.normalizer
    parts = [normalizer.form] if normalizer.form else []
    parts += {"always": ["space in front"], "unless_space": ["space in front"]}.get(
        normalizer.prefix, []
    )
    parts += [f"added strings: {len(pretokenizer.added)}"] if pretokenizer.added else []
    before = f"{len(pretokenizer.before)} before " if pretokenizer.before else ""
    return ", ".join([*parts, before + pretokenizer.name])


def key(loaded: Loaded, texts: list[dict[str, Any]]) -> str:
    """Return a hash of all that decides a row."""
    from toktk.cache import code_digest

    digests = [text["sha256"] for text in texts]
    parts = (loaded.digest, loaded.library, code_digest("toktk"), *digests)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--tokenizers", type=Path, required=True, help="folder of tokenizers")
    add("--text", type=Path, action="append", required=True, help="file or folder; several times")
    add("--bytes", type=harness.size, help="so much of each text; all by default")
    add("--fresh", action="store_true", help="forget what an earlier call compared")
    return parser.parse_args()


def texts_of(source: Path, limit: int | None, folder: Path) -> list[Path]:
    """Return the text files of a source, each of them cut to its share of the limit."""
    files = sorted(source.glob("*.txt")) if source.is_dir() else [source]
    share = limit and limit // max(1, len(files))
    texts = []
    for file in files:
        own = folder / source.stem if source.is_dir() else folder
        own.mkdir(exist_ok=True)
        texts.append(harness.material(file, share, own))
    return texts


def compare_all(chosen: argparse.Namespace, texts: list[Path], head: dict[str, Any]) -> list[Row]:
    """Return a row for each tokenizer; write table and record after each."""
    from toktk.loading.load import open_tokenizer

    known = {}
    if RECORD.exists() and not chosen.fresh:
        known = {row["key"]: row for row in json.loads(RECORD.read_text())["rows"]}
    rows: list[Row] = []
    for path in found(chosen.tokenizers):
        loaded = open_tokenizer(f"{path.name.removesuffix('.json')}={path}")
        made = key(loaded, head["texts"])
        start = time.perf_counter()
        row = known.get(made) or compare(loaded, texts) | {"key": made}
        row["tokenizer"] = loaded.label
        rows.append(row)
        RECORD.parent.mkdir(exist_ok=True)
        record = {"schema": 1, "name": "real-tokenizers", **head, "rows": rows}
        # What was known and is not reached yet stays, so that this call can be broken off too.
        waiting = [row for row in known.values() if row["key"] not in {row["key"] for row in rows}]
        kept = json.dumps(record | {"rows": rows + waiting}, ensure_ascii=False, indent=1) + "\n"
        RECORD.write_text(kept, encoding="utf-8")
        seconds = time.perf_counter() - start
        harness.say(f"{len(rows)} {' '.join(cells(row))} ({seconds:.0f} s)")
    record = json.dumps({**record, "rows": rows}, ensure_ascii=False, indent=1) + "\n"
    RECORD.write_text(record, encoding="utf-8")
    RECORD.with_suffix(".md").write_text(markdown(head, rows), encoding="utf-8")
    return rows


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as strings."""
    engine = row["engine"] + (f": {row['why']}" if row["why"] else "")
    equal = row["differs"] or ("yes" if row["engine"] == "native" else "–")
    tokens = f"{row['tokens']:,}" if row["tokens"] else "–"
    ids = f"{row['ids']:,}"
    shown = (row["tokenizer"], ids, row["cut"] or "–", row["library"], engine, tokens, equal)
    return tuple(cell.replace("|", "\\|") for cell in shown)


def markdown(head: dict[str, Any], rows: list[Row]) -> str:
    """Return the page."""
    native = [row for row in rows if row["engine"] == "native"]
    differing = sum(bool(row["differs"]) for row in rows)
    tokens = sum(row["tokens"] for row in rows)
    commit = f" ({head['commit']})" if head["commit"] else ""
    libraries = sorted({row["library"] for row in rows})
    return "\n".join(
        [
            "# real-tokenizers",
            "",
            f"Ids of published tokenizers, toktk's beside the library's own. {head['date']}, toktk "
            f"{head['versions']['toktk']}{commit}; {', '.join(libraries)}. "
            f"Command: `{head['command']}`",
            "",
            f"{len(rows)} tokenizers, {len(native)} by toktk's own engine; {tokens:,} tokens compared one by"
            f" one, {differing} tokenizers differ. The text of traps (toktk.loading.torture) comes first;"
            " documents are whole lines, some 2,000 bytes together.",
            "",
            "| text | bytes | sha256 |",
            "|---|---|---|",
            *(f"| {t['name']} | {t['bytes']:,} | {t['sha256']} |" for t in head["texts"]),
            "",
            "| " + " | ".join(COLUMNS) + " |",
            "|" + "---|" * len(COLUMNS),
            *("| " + " | ".join(cells(row)) + " |" for row in rows),
            "",
        ]
    )


def main() -> None:
    """Compare all tokenizers on all texts."""
    chosen = options()
    with tempfile.TemporaryDirectory() as name:
        texts = [t for one in chosen.text for t in texts_of(one, chosen.bytes, Path(name))]
        facts = [harness.text_facts(text) for text in texts]
        head = {**harness.facts(), "command": harness.command_line(), "texts": facts}
        rows = compare_all(chosen, texts, head)
    raise SystemExit(1 if any(row["differs"] for row in rows) else 0)


if __name__ == "__main__":
    main()
