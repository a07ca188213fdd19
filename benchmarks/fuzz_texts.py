"""Tables, archives and folders of text: sound ones, damage to them, and what plain Python reads there.

What owns each format says what is right: Python's csv, json, bz2, lzma, zipfile and codecs, PyArrow for
Parquet, and `datasets` for what it saved. An error of theirs compares with nothing, but for text that
toktk reads where csv or json refuse it.
"""

from __future__ import annotations

import bz2
import copy
import csv
import io
import itertools
import json
import lzma
import random
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz_seeds

WRONG = "toktk reads what its owner refuses"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
UNREADABLE: tuple[type[Exception], ...] = (
    OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError,
    struct.error, KeyError, IndexError, OverflowError,
)  # fmt: skip

Damage = Callable[[bytes, random.Random], bytes]
Tree = Callable[[Any, list[Any], random.Random], Any]


class Texts:
    """The sound files and folders, and the cases that damage them; one of these in a process.

    Args:
        folder: an empty one.
        damage: changes a few bytes.
        damage_tree: changes parts of a JSON document.
    """

    def __init__(self, folder: Path, damage: Damage, damage_tree: Tree) -> None:
        self.damage, self.damage_tree = damage, damage_tree
        folder.mkdir()
        self.texts = [*fuzz_seeds.lines(), *fuzz_seeds.DOCUMENTS]
        self.rows: list[Any] = [
            {"text": text, "lang": ("en", "de")[i % 2], "id": i}
            for i, text in enumerate(self.texts)
        ]
        self.nested: list[Any] = [
            {"messages": [{"role": "x", "content": text}, {"content": None}] * (i % 3)}
            for i, text in enumerate(self.texts)
        ]
        self.saved = {
            "saved": self._saved(folder / "saved"),
            "dict": self._saved(folder / "dict", ("train", "test")),
        }

    def _saved(self, folder: Path, splits: tuple[str, ...] = ()) -> dict[str, bytes]:
        import datasets

        one = datasets.Dataset.from_list(self.rows)
        whole = datasets.DatasetDict(dict.fromkeys(splits, one)) if splits else one
        datasets.disable_progress_bars()
        whole.save_to_disk(str(folder))
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    def case(self, place: Path, chance: random.Random) -> tuple[str, str]:
        """Damage a file or folder, read it, and compare; returns the outcome and what to say of it."""
        from toktk.corpus import ReaderOptions, load_corpus

        make = chance.choice(
            (self._table, self._counts, self._array, self._deep, self._deep_table, self._packed,
             self._encoded, self._archive, self._folder)
        )  # fmt: skip
        name, options = make(place, chance)
        path = place / name
        corpus = load_corpus(str(path), ReaderOptions(**options))
        got = [
            pair
            for batch in corpus.batches()
            for pair in zip(
                batch.column("text").to_pylist(), batch.column("weight").to_pylist(), strict=True
            )
        ]
        corpus.hash_contents()
        wanted = read_plainly(path, options)
        if wanted is None:
            return "read, nothing to compare with", ""
        texts: list[Any] = [text for text, _ in got]
        found = got if any(isinstance(entry, tuple) for entry in wanted) else texts
        if found == wanted:
            return "read", ""
        pairs = zip(found, wanted, strict=False)
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(found), len(wanted)))
        shown = f"{found[at : at + 1]!r}, not {wanted[at : at + 1]!r}"
        return "wrong text", f"{name}, {options}: document {at} of {len(found)}: {shown}"

    def _table(self, place: Path, chance: random.Random) -> tuple[str, dict[str, Any]]:
        name = chance.choice(("rows.csv", "rows.csv", "rows.tsv"))
        delimiter = "\t" if name.endswith("tsv") else chance.choice(",;\t")
        file = io.StringIO()
        ends, quoting = chance.choice(("\n", "\r\n", "\r")), chance.choice((0, 1))
        rows = [["id", "text", "lang"], *([i, t, "de"] for i, t in enumerate(self.texts))]
        if chance.random() < 0.3:
            chance.choice(rows)[1] = chance.choice(('"', "a\rb", "\n", ",;\t", "\0", "\ufeff", " "))
        csv.writer(file, delimiter=delimiter, lineterminator=ends, quoting=quoting).writerows(rows)
        return self._written(place, name, file.getvalue().encode(), chance), {
            "text_column": chance.choice(("text", "text", "1", "lang")),
            "errors": chance.choice(("strict", "replace")),
        }

    def _counts(self, place: Path, chance: random.Random) -> tuple[str, dict[str, Any]]:
        words = [(word, i % 9 + 1) for i, word in enumerate(fuzz_seeds.TEXT.split())]
        if chance.random() < 0.5:
            at = chance.randrange(len(words))
            odd: list[Any] = [0, -1, "", "1_0", "٣", 2**63, 2**64, "0x1", " 2", "1.0", "+1"]
            words[at] = (words[at][0], chance.choice(odd))
        raw = "".join(f"{word}\t{count}\n" for word, count in words).encode()
        return self._written(place, "counts.tsv", raw, chance), {}

    def _array(self, place: Path, chance: random.Random) -> tuple[str, dict[str, Any]]:
        rows = copy.deepcopy(self.rows)
        if chance.random() < 0.3:
            rows = [row["text"] for row in rows]
        if chance.random() < 0.6:
            rows = self.damage_tree(rows, [rows], chance)
        raw = json.dumps(rows, indent=chance.choice((None, 1)), ensure_ascii=chance.random() < 0.5)
        if chance.random() < 0.2:
            raw = "\n".join(map(json.dumps, rows if isinstance(rows, list) else [rows]))
        name = self._written(place, "rows.json", raw.encode(errors="surrogatepass"), chance, 0.3)
        return name, {}

    def _deep(self, place: Path, chance: random.Random) -> tuple[str, dict[str, Any]]:
        rows = self.nested
        if chance.random() < 0.7:
            rows = self.damage_tree(rows, [rows], chance)
        raw = "".join(json.dumps(row) + "\n" for row in rows)
        name = self._written(place, "deep.jsonl", raw.encode(errors="surrogatepass"), chance, 0.3)
        return name, {"text_column": "messages.content"}

    def _deep_table(self, place: Path, chance: random.Random) -> tuple[str, dict[str, Any]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kind = pa.list_(pa.struct([("role", pa.string()), ("content", pa.binary())]))
        rows = [
            [m | {"content": (m["content"] or "").encode()} for m in row["messages"]] or None
            for row in self.nested
        ]
        if chance.random() < 0.5:
            chance.choice([row for row in rows if row])[0]["content"] = b"a\xffb"
        content = pa.array(rows, kind)
        if chance.random() < 0.7:  # strings that nobody checked
            inner = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
            content = _retyped(content, inner)
        out = io.BytesIO()
        pq.write_table(pa.table({"messages": content}), out, row_group_size=4)
        name = self._written(place, "deep.parquet", out.getvalue(), chance, 0.3)
        options = {
            "text_column": "messages.content",
            "errors": chance.choice(("strict", "replace")),
        }
        return name, options

    def _packed(self, place: Path, chance: random.Random) -> tuple[str, dict[str, Any]]:
        ending, pack = chance.choice(((".bz2", bz2.compress), (".xz", lzma.compress)))
        raw = fuzz_seeds.TEXT.encode() * chance.choice((1, 1, 40))
        parts = chance.choice((1, 1, 2))
        packed = b"".join(pack(raw) for _ in range(parts))
        return self._written(place, f"plain.txt{ending}", packed, chance), {}

    def _encoded(self, place: Path, chance: random.Random) -> tuple[str, dict[str, Any]]:
        encoding = chance.choice(
            ("utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "shift_jis", "gb18030", "utf-7")
        )
        raw = fuzz_seeds.TEXT.encode(encoding, "replace")
        options = {"encoding": encoding, "errors": chance.choice(("strict", "replace"))}
        return self._written(place, "plain.txt", raw, chance), options

    def _archive(self, place: Path, chance: random.Random) -> tuple[str, dict[str, Any]]:
        out = io.BytesIO()
        jsonl = "".join(json.dumps(row) + "\n" for row in self.rows).encode()
        files = {"b/plain.txt": fuzz_seeds.TEXT.encode(), "a.jsonl": jsonl, "empty.txt": b""}
        files["c.json"] = json.dumps(self.rows).encode()
        if chance.random() < 0.3:
            name = chance.choice(list(files))
            files[name] = self.damage(files[name], chance)
        odd = ("../x.txt", "/x.txt", "é.txt", "x\n.txt", ".x.txt", "b/", "b/plain.txt", "x.png")
        with zipfile.ZipFile(out, "w", chance.choice(METHODS)) as archive:
            for name, raw in files.items():
                archive.writestr(name, raw)
            if chance.random() < 0.3:
                with warnings.catch_warnings(action="ignore"):  # of a name that is there
                    archive.writestr(chance.choice(odd), b"more\n")
        return self._written(place, "books.zip", out.getvalue(), chance), {}

    def _folder(self, place: Path, chance: random.Random) -> tuple[str, dict[str, Any]]:
        name = chance.choice(list(self.saved))
        damaged = chance.choice(list(self.saved[name]))
        for file, raw in self.saved[name].items():
            path = place / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if file == damaged and file.endswith(".json") and chance.random() < 0.7:
                tree = json.loads(raw)
                raw = json.dumps(self.damage_tree(tree, [tree], chance)).encode(
                    errors="surrogatepass"
                )
            elif file == damaged and chance.random() < 0.9:
                raw = self.damage(raw, chance)
            path.write_bytes(raw)
        return name, {}

    def _written(
        self, place: Path, name: str, raw: bytes, chance: random.Random, share: float = 0.7
    ) -> str:
        raw = self.damage(raw, chance) if chance.random() < share else raw
        (place / name).write_bytes(raw)
        return name


def _retyped(column: Any, kind: Any) -> Any:
    """Return a nested array under another type that has the same buffers."""
    import pyarrow as pa

    structs = column.values
    fields = [structs.field(0), structs.field(1).view(pa.string())]
    inner = pa.StructArray.from_arrays(fields, fields=list(kind.value_type))
    return pa.ListArray.from_arrays(column.offsets, inner, mask=column.is_null())


# What is right ------------------------------------------------------------------------------------


def read_plainly(path: Path, options: dict[str, Any]) -> list[Any] | None:
    """Return the documents, with weights where the file has some; None where nothing compares."""
    if path.is_dir():
        return _saved_texts(path)
    raw = path.read_bytes()
    if path.suffix == ".zip":
        return _archived_texts(raw)
    if path.suffix == ".parquet":
        return _nested_texts(raw)
    try:
        if path.suffix in (".bz2", ".xz"):
            raw = (bz2 if path.suffix == ".bz2" else lzma).decompress(raw)  # type: ignore[attr-defined]
    except UNREADABLE:
        return None
    return _texts_of(path.name, raw, options)


def _texts_of(name: str, raw: bytes, options: dict[str, Any]) -> list[Any] | None:
    try:
        text = raw.decode(options.get("encoding", "utf-8")).removeprefix("\ufeff")
    except UnicodeError:
        return None
    column = options.get("text_column", "text")
    if name.endswith((".csv", ".tsv")):
        return _table_texts(name, text, column)
    if name.endswith((".json", ".jsonl")):
        return _json_texts(name, text, column.split("."))
    return list(io.StringIO(text, newline=None))


def _table_texts(name: str, text: str, column: str) -> list[Any]:
    first = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    is_counts = name.endswith(".tsv") and re.fullmatch(r"[^ \t\r\n\v\f]+\t[1-9][0-9]*", first)
    if is_counts and column == "text":
        rows = [row for row in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if row]
        pairs = [row.split("\t") for row in rows]
        sound = all(
            len(pair) == 2 and re.fullmatch("[0-9]+", pair[1]) and int(pair[1]) < 2**63
            for pair in pairs
        )
        return [(word, int(count)) for word, count in pairs] if sound else [WRONG]
    delimiter = "\t" if name.endswith(".tsv") else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        table = [row for row in reader if row]
    except csv.Error:
        return [WRONG]
    names, rows_ = table[0], table[1:]
    if column.isdecimal():
        numbers = [*map(str, range(len(names)))]
        names, rows_ = numbers, table[names == numbers :]
    if any(len(row) != len(names) for row in rows_) or column not in names:
        return [WRONG]
    return [row[names.index(column)] for row in rows_]


def _json_texts(name: str, text: str, path: list[str]) -> list[Any] | None:
    blank = " \t\r\n\v\f"
    try:
        if name.endswith(".json") and text.lstrip(blank).startswith("["):
            rows = json.loads(text)
        else:
            lines = [line for line in text.split("\n") if line.strip(blank)]
            rows = [json.loads(line.removeprefix("\ufeff")) for line in lines]
    except (ValueError, RecursionError):
        return [WRONG]
    if not rows or {type(row) for row in rows} not in ({dict}, {str}):
        return [WRONG]
    found = [row if isinstance(row, str) else _at(row, path) for row in rows]
    texts = [text for text in found if text is not None]
    # A lone surrogate is an error in toktk.
    return [WRONG] if any(re.search("[\ud800-\udfff]", text) for text in texts) else texts


def _at(value: Any, path: list[str]) -> Any:
    if isinstance(value, list):
        found = [text for item in value if (text := _at(item, path)) is not None]
        return "\n".join(found) if found else None
    if path and isinstance(value, dict):
        return _at(value.get(path[0]), path[1:])
    if value is None or (not path and isinstance(value, str)):
        return value
    return WRONG


def _nested_texts(raw: bytes) -> list[Any] | None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        column = pq.read_table(io.BytesIO(raw)).column("messages").combine_chunks()
        inner = pc.struct_field(column.values, "content")
        inner = (inner.view(pa.binary()) if inner.type == pa.string() else inner).to_pylist()
        starts = column.offsets.to_pylist()
    except (pa.ArrowException, OSError, KeyError, UnicodeDecodeError, AttributeError):
        return None
    found = []
    for i, (start, end) in enumerate(itertools.pairwise(starts)):
        parts = [part for part in inner[start:end] if part is not None]
        if column[i].is_valid and parts:
            found.append("\n".join(part.decode(errors="replace") for part in parts))
    return found


def _archived_texts(raw: bytes) -> list[Any] | None:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            if len(set(names)) < len(names):
                return None
            found: list[Any] = []
            for name in sorted(names, key=lambda name: name.replace("\\", "/")):
                shown = not any(part.startswith(".") for part in name.split("/"))
                if shown and name.endswith((".txt", ".jsonl", ".json")):
                    texts = _texts_of(name, archive.read(name), {})
                    if texts is None:
                        return None
                    found += texts
            return found
    except UNREADABLE:
        return None


def _saved_texts(path: Path) -> list[Any] | None:
    import datasets

    try:
        found = datasets.load_from_disk(str(path))
        rows = found["train"] if isinstance(found, datasets.DatasetDict) else found
        texts = list(rows["text"])
    except Exception:
        return None
    return [text for text in texts if text is not None]
