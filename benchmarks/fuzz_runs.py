"""Damage to what toktk itself writes or is told: run directories, the cache, corpus cards, names.

Each case makes a sound thing, damages it as the number of the case says, and uses it again. A damaged run or
cache must give the sound figures or an error derived from ToktkError, and no file that toktk did not
write may change. A name must come back from CSV and JSON as it was, and no output may hold a control
character of it.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import random
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

GROUPS = ("en", "de")
BAD = (
    "wrong figures",
    "wrong files",
    "touched what is not its own",
    "name lost in json",
    "name lost in csv",
    "a control character",
)
DAMAGES_OF_A_TREE = 4  # parts of run.json that one case changes at most

LABELS: tuple[Any, ...] = (
    "..", ".", "", "a/b", "a\\b", "/", "/etc", "../outside", "tokenizers", "x\0y", "\x1b[2J", "L" * 5000,
    "bpe-300", "bpe-300/", "./bpe-300", " ", "CON", "mine", "\ud800", "~", "*", "-rf", "\n",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 5, 10**30, 0.5, float("nan"), float("inf"), "", "x", [], {}, [[]], ["a"], {"a": 0},
    {"folder": ".."}, {"folder": "../outside"}, {"folder": 5}, {"files": ["../../mine.txt"]}, {"files": 5},
    {"files": {"mine.txt": "0"}}, "../outside", "/",
)  # fmt: skip
FRAGMENTS = (
    "\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\r", "\n", "\t", "\0", "\b", "\x7f", "\x85", "\u2028",
    "\u202e", "\u200b", "\ufeff", "|", "`", "\\", "[", "]", "(", ")", "<b>", "&", "%", "$", "#", "_", "{",
    "}", "~", "^", "=", "+", "-", "@", ",", ";", '"', "'", " ", "a", "é", "日", "👩‍👩‍👧", "e\u0301", "all",
    "x]|macro", "*", "\ud800", "\U000e0041", "हि",
)  # fmt: skip

Damage = Callable[[bytes, random.Random], bytes]
Result = tuple[str, str]  # outcome and detail


class Runs:
    """A sound run, and the cases that damage it; one of these in a process.

    Args:
        folder: an empty one.
        damage: changes a few bytes.
    """

    def __init__(self, folder: Path, damage: Damage) -> None:
        self.damage = damage
        folder.mkdir()
        self.text = folder / "text.jsonl"
        rows = [
            {"text": f"the quick brown fox {i} jumps over {i * 7} lazy dogs", "lang": GROUPS[i % 2]}
            for i in range(60)
        ]
        self.text.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        self.sound = folder / "sound"
        self.results = self._carry_out(self.sound)
        self.files = files_of(self.sound)

    def _carry_out(self, path: Path, force: bool = False) -> str:
        """Return the figures of the run at `path`, as JSON."""
        from toktk.corpus import ReaderOptions, load_corpus
        from toktk.lab.measures import Measures
        from toktk.lab.plan import SweepPlan
        from toktk.lab.run import carry_out
        from toktk.lab.sweep import Sweep

        corpus = load_corpus(str(self.text), ReaderOptions(group_column="lang"))
        measures = Measures(metrics=("bytes_per_token", "tokens"))
        plan = SweepPlan(corpus, corpus, (260, 300), ("bpe",), measures=measures, force=force)
        results = carry_out(Sweep(plan), path).results
        return "" if results is None else results.to_json()

    def run(self, place: Path, chance: random.Random) -> Result:
        """Damage a run directory, links and strangers' files included, and carry the run out there."""
        from toktk.errors import ToktkError

        path, outside = place / "run", place / "outside"
        shutil.copytree(self.sound, path)
        (outside / "bpe-300").mkdir(parents=True)
        (outside / "bpe-300" / "tokenizer.json").write_text("mine", encoding="utf-8")
        (outside / "results.parquet").write_text("mine", encoding="utf-8")
        (path / "mine.txt").write_text("mine", encoding="utf-8")
        (path / "tokenizers" / "bpe-300" / "mine.txt").write_text("mine", encoding="utf-8")
        for _ in range(chance.choice((1, 1, 2, 3))):
            self._damage(path, outside, chance)
        before = witness(place, self.files)
        try:
            results = self._carry_out(path, force=chance.random() < 0.6)
        except ToktkError as error:
            outcome, detail = useful(error)
        else:
            outcome, detail = "as it was", ""
            if results != self.results:
                return "wrong figures", results[:500]
            now = files_of(path)
            wrong = [name for name, raw in self.files.items() if now.get(name) != raw]
            if wrong:
                return "wrong files", ", ".join(wrong)
        after = witness(place, self.files)
        if after != before:
            changed = {
                name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
            }
            return "touched what is not its own", ", ".join(sorted(changed))
        return outcome, detail

    def _damage(self, path: Path, outside: Path, chance: random.Random) -> None:
        document = path / "run.json"
        present = [
            p for p in sorted(path.rglob("*")) if not p.is_symlink() and p.name != "mine.txt"
        ]
        target = chance.choice(present) if present else path
        match chance.randrange(7):
            case 0 | 1 | 2 if document.is_file() and not document.is_symlink():
                document.write_bytes(damaged_document(document.read_bytes(), chance))
            case 3 if target.is_file():
                target.write_bytes(self.damage(target.read_bytes(), chance))
            case 4 if present:
                remove(target)
            case 5 if present:
                is_folder = target.is_dir()
                remove(target)
                inside = outside / "bpe-300" if is_folder else outside / "results.parquet"
                target.symlink_to(chance.choice((inside, outside, path, path / "nowhere", target)))
            case _:
                (path / chance.choice(("notes", ".hidden", "tokenizers2"))).mkdir(exist_ok=True)

    def entry(self, place: Path, chance: random.Random) -> Result:
        """Damage an entry of the cache, of whatever kind, and carry the run out in a new folder."""
        from toktk import paths

        cells = paths.home() / "cells"
        entries = [path for path in sorted(cells.glob("*/*/*")) if path.is_file()]
        for _ in range(chance.choice((1, 1, 3))):
            file = chance.choice(entries)
            if file.exists():
                damaged = self.damage(file.read_bytes(), chance)
                file.unlink()
                file.write_bytes(damaged)
                (place / f"{file.parent.parent.name}-{file.name}").write_bytes(damaged)
        results = self._carry_out(place / "run")
        if results != self.results:
            return "wrong figures", results[:500]
        return "as it was", ""

    def card(self, place: Path, chance: random.Random) -> Result:
        """Damage a corpus card, and read the corpus that it names."""
        from toktk.corpus import load_corpus
        from toktk.errors import ToktkError

        values: dict[str, Any] = {
            "name": "small", "title": "t", "license": "l", "spec": str(self.text), "group_column": "lang",
        }  # fmt: skip
        for _ in range(chance.choice((0, 1, 2))):
            key = chance.choice(
                (*values, "text_column", "sample_by", "config", "split", "citation", "x")
            )
            values[key] = chance.choice(
                (
                    *VALUES,
                    *LABELS,
                    "small.toml",
                    "{place}",
                    "text",
                    "line",
                    "hub:a",
                    "starter",
                    "starter:x",
                )
            )
        raw = "".join(f"{key} = {toml(value)}\n" for key, value in values.items())
        raw = raw.replace("{place}", str(place / "small.toml"))
        if chance.random() < 0.1:
            raw += f"deep = {'[' * 20_000}\n"
        data = raw.encode(errors="surrogatepass")
        if chance.random() < 0.4:
            data = self.damage(data, chance)
        path = place / "small.toml"
        path.write_bytes(data)
        try:
            corpus = load_corpus(str(path))
            rows = sum(batch.num_rows for batch in corpus.batches())
        except ToktkError as error:
            return useful(error)
        return ("read", str(rows)) if tomllib.loads(data.decode()) else ("read an empty card", "")

    def names(self, place: Path, chance: random.Random) -> Result:
        """Give groups, corpora and tokenizers hostile names, and read every output back."""
        from toktk.errors import ToktkError
        from toktk.report.records import COLUMNS, Record
        from toktk.report.results import Results

        groups = [name_of(chance) for _ in range(3)]
        label, corpus, note = name_of(chance), name_of(chance), name_of(chance)
        try:
            records = [
                Record(
                    tokenizer=label, family=label, size=300, corpus=corpus, group=group, metric=metric,
                    value=2.5, unit="bytes/token", note=note, signature="toktk:0",
                )
                for group in ("all", *dict.fromkeys(groups))
                for metric in ("bytes_per_token", f"parity[{groups[0]}]")
            ]  # fmt: skip
            results = Results(tuple(records))
            as_csv, as_json = written(results)
        except ToktkError as error:
            return useful(error)
        rows = list(csv.DictReader(io.StringIO(as_csv, newline="")))
        of_json = json.loads(as_json)["records"]
        for record, row, parsed in zip(records, rows, of_json, strict=True):
            for column in ("tokenizer", "corpus", "group", "metric", "note"):
                wanted = getattr(record, column)
                if parsed[column] != wanted:
                    return "name lost in json", f"{wanted!r}: {parsed[column]!r}"
                if row[column] != wanted and not SURROGATE.search(wanted):
                    return "name lost in csv", f"{wanted!r}: {row[column]!r}"
        if len(rows) != len(records) or set(rows[0]) != set(COLUMNS):
            return "name lost in csv", f"{len(rows)} rows"
        for color in (False, True):
            text = SGR.sub("", results.page(100).text(100, color)) if color else ""
            text = text or results.page(100).text(100, False)
            if CONTROL.search(text):
                return "a control character", f"{CONTROL.search(text)!r}"
        for text in (results.to_markdown(), results.to_latex(), results._repr_html_()):
            if CONTROL.search(text):
                return "a control character", f"{CONTROL.search(text)!r} of {text[:60]!r}"
        return "read back", ""


SURROGATE = re.compile("[\ud800-\udfff]")
SGR = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(
    "[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def written(results: Any) -> tuple[str, str]:
    """Return a result as CSV and as JSON."""
    return results.to_csv(), results.to_json()


def useful(error: Exception) -> Result:
    """Return an error as an outcome; one without a message, or with all too long a one, is bad."""
    text = str(error)
    if not text.strip() or "Traceback" in text or len(text) > 20_000:
        return "crash", f"an error without use: {text[:500]!r}"
    return "refused", " ".join(text.split())[:300]


def damaged_document(raw: bytes, chance: random.Random) -> bytes:
    """Change parts of run.json: values, labels, keys that stand twice; or cut it off."""
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    if not isinstance(tree, dict) or chance.random() < 0.1:
        return chance.choice(
            (b"", b"[]", b"{}", b"5", b"null", raw[: len(raw) // 2], b"[" * 50_000)
        )
    for _ in range(chance.randrange(1, DAMAGES_OF_A_TREE + 1)):
        tokenizers = tree.get("tokenizers")
        if isinstance(tokenizers, dict) and chance.random() < 0.5:
            value: Any = copy.deepcopy(chance.choice((*tokenizers.values(), *VALUES)))
            tokenizers[chance.choice(LABELS)] = value
            continue
        node: Any = tree
        key: Any = chance.choice(list(tree)) if tree else "x"
        while isinstance(node.get(key), dict) and node[key] and chance.random() < 0.6:
            node = node[key]
            key = chance.choice(list(node))
        if chance.random() < 0.2:
            node.pop(key, None)
        else:
            node[key] = copy.deepcopy(chance.choice((*VALUES, *LABELS)))
    text = json.dumps(tree)
    if chance.random() < 0.2:  # the last of two equal keys counts for Python, the first for others
        text = '{"tokenizers": {"..": {}}, "signature": 5, ' + text[1:]
    return text.encode(errors="surrogatepass")


def name_of(chance: random.Random) -> str:
    """Return a hostile name, sometimes an empty one."""
    return "".join(chance.choices(FRAGMENTS, k=chance.choice((0, 1, 1, 2, 3, 8))))


def toml(value: Any) -> str:
    """Return a value as TOML; what TOML lacks as something near."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return "''" if value is None else json.dumps(value, ensure_ascii=False)


def files_of(path: Path) -> dict[str, bytes]:
    """Return the files that a run wrote, but for run.json, which has times in it."""
    files = [
        p for p in sorted(path.rglob("*")) if p.is_file() and p.name not in ("run.json", "mine.txt")
    ]
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in files}


def witness(place: Path, own: dict[str, bytes]) -> dict[str, str | bytes]:
    """Return all below `place` that is not a file of the run itself: links by target, files by contents."""
    seen: dict[str, str | bytes] = {}
    mine = {f"run/{name}" for name in own} | {"run/run.json"}
    for folder, folders, files in os.walk(place):
        for name in (*folders, *files):
            path = Path(folder, name)
            below = path.relative_to(place).as_posix()
            if path.is_symlink():
                # A link in the place of a file of the run may go; what it points to may not.
                if below not in mine:
                    seen[below] = f"-> {path.readlink()}"
            elif path.is_file() and below not in mine:
                seen[below] = path.read_bytes()
    return seen


def remove(path: Path) -> None:
    """Delete a file, a link or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
