"""Texts in many languages and programs, the same wherever the tests run."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from pathlib import Path

PARALLEL = Path(__file__).parents[1] / "corpora" / "parallel"
# More text of 20 languages, where it is at hand; no test asks for it.
HELP = Path(__file__).parents[2] / "shared" / "data" / "help-20lang.parquet"

SYLLABLES = "ba con de er fi get ing ko le mu node path qu re set str ti un val x y index"
TEMPLATES = [
    'def {a}({b}, {c}={n}):\n    """{line}"""\n    if {b}.{c} != {n}:\n        return {a}[{m}:]\n\n',
    "class {A}({B}):\n    {a} = {n}\n\n    def __init__(self, *{b}, **{c}) -> None:\n"
    "        super().__init__({m}, {b}[-1])  # {line}\n\n\n",
    "for (int i = 0; i < {a}_{b}; i++) {{\r\n\tprintf(\"%d {c}\\n\", {A}->{b}[i] & 0x{h});\r\n}}\r\n",
    '{B} = {{"{a}": {n}, \'{b}\': [{m}, {n}.5e-{m}, None], "{line}": True}}\n',
    "    {a} += {b}({c}[{n}]) if not isinstance({a}, {A}) else ~{m} << 3\n",
    "# {line}\n# {line}\n\n\n",
    "SELECT {a}, COUNT(*) FROM {b}.{c} WHERE {a} >= {n} AND {c} <> '{A}' GROUP BY 1;\n",
    '  <{a} id="{b}{n}"><a href="https://example.org/{b}/{c}?{a}={m}&amp;x=%20">{line}</a></{a}>\n',
]  # fmt: skip


@functools.cache
def languages(most: int = 400) -> dict[str, list[str]]:
    """Return lines by language, at most so many of each: some 60 of 29 languages ship with toktk."""
    texts = parallel()
    for language, text in help_pages():
        lines = texts.setdefault(language, [])
        if len(lines) < most:
            lines.append(text)
    return dict(sorted(texts.items()))


def parallel() -> dict[str, list[str]]:
    paths = sorted(PARALLEL.glob("*.txt"))
    return {path.stem: path.read_text(encoding="utf-8").splitlines() for path in paths}


def help_pages() -> list[tuple[str, str]]:
    if not HELP.exists():
        return []
    import pyarrow.parquet as parquet

    table = parquet.read_table(HELP, columns=["lang", "text"]).to_pydict()
    return list(zip(table["lang"], table["text"], strict=True))


@functools.cache
def code(files: int = 100, statements: int = 150) -> list[str]:
    """Return files that look like programs: names, numbers, strings, indents, comments of any language."""
    chance = random.Random(20)
    syllables = SYLLABLES.split()
    names = ["".join(picks(chance, syllables, 1 + i % 4)) for i in range(8000)]
    lines = [line for rows in parallel().values() for line in rows]
    return [
        "".join(statement(chance, names, lines) for _ in range(statements)) for _ in range(files)
    ]


def statement(chance: random.Random, names: Sequence[str], lines: Sequence[str]) -> str:
    a, b, c = picks(chance, names, 3)
    big, small = (int(10 ** (9 * chance.random())) for _ in "nm")
    (template,), (line,) = picks(chance, TEMPLATES, 1), picks(chance, lines, 1)
    return template.format(
        a=a, b=b, c=f"{c}_{b}", A=a.title() + c.title(), B=b.upper(), n=big, m=small, h=f"{big:X}",
        line=line[:60],
    )  # fmt: skip


def picks(chance: random.Random, stock: Sequence[str], n: int) -> list[str]:
    """Pick from a stock, the first more often. (Of `random` only `random` is the same for ever.)"""
    return [stock[int(len(stock) * chance.random() ** 2)] for _ in range(n)]
