"""Check toktk against figures that others published, and write a table of both.

    python benchmarks/truth.py --ranks folder/ --nanochat tok_eval.py
    python benchmarks/truth.py --flores flores200_dataset/ --lengths tokenization_lengths.csv
    python benchmarks/truth.py --timtc timtc_vocabs_models/tokencounts/

`--ranks` is a folder with OpenAI's r50k_base.tiktoken, cl100k_base.tiktoken and o200k_base.tiktoken;
`--nanochat` is a copy of scripts/tok_eval.py of nanochat, whose five texts are read and not run. Neither
is part of this repository. The table goes to results/truth.md; the exit code is 1 if a figure differs.

The second form needs the text of FLORES-200 and the table of tokens that Petrov et al. published; see
README.md. It prints what `toktk bench` gives beside that table, language by language.

The third form needs the token counts that Schmidt et al. published for 54 vocabularies on MiniPile, files of
`<arm>_<rank>_<size>_token_counts.tsv`; it computes their sums and entropies with toktk's metrics.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness
from harness import Table

if TYPE_CHECKING:
    from toktk.tokenizer import Tokenizer

TIKTOKEN = "OpenAI's rank files, counted with tiktoken 0.14"
NANOCHAT = "nanochat, scripts/tok_eval.py"
OWN_NOTE = "tiktoken 0.14 on nanochat's texts"
SCORER = "tokenization-scorer, test.py"

ENCODINGS = ("r50k_base", "cl100k_base", "o200k_base")

# Text -> its bytes of UTF-8, then tokens by r50k, cl100k, o200k.
NANOCHAT_TEXTS = {
    "news": (1819, 404, 387, 379),
    "korean": (893, 745, 364, 219),
    "code": (1259, 576, 309, 307),
    "math": (1834, 936, 832, 836),
    "science": (1112, 260, 249, 239),
}

# Encoding -> ranks, tokens that are no UTF-8, unreachable through the pattern, unreachable by merging.
VOCABULARIES = {
    "r50k_base": (50_256, 344, 0, 0),
    "cl100k_base": (100_256, 773, 0, 0),
    "o200k_base": (199_998, 1562, 12, 0),
}

# Text, then its entropy in bits and its efficiency over the types seen, of order 2.5; the same of order 1.
SCORED = (
    ("pick @@ed pick @@l @@ed pick @@les", 1.653012966845049, 0.8265064834225245,
     1.8423709931771088, 0.9211854965885544),
    ("pick @@e @@d pick @@l @@e @@d pick @@l @@e @@s", 2.1372977167241545, 0.9204840242168808,
     2.2312702546075758, 0.9609557933859342),
)  # fmt: skip
NEAR = 1e-12

TIMTC = "a first computation on the counts of timtc_vocabs_models"

# Arm, rank and size -> the tokens of MiniPile, then Rényi efficiency of order 2.5 and Shannon efficiency over
# all ids; None: not known.
COUNTED: dict[str, tuple[int, float | None, float | None]] = {
    "bpe_merge_3_40960": (1_493_057_228, 0.4464, 0.7420),
    "unigram_likelihood_2_40960": (1_768_682_189, 0.3163, 0.6423),
    "pathpiecel_initbpe_firstspace_1_40960": (1_460_385_025, 0.4570, 0.7498),
    "wordpiece_5_40960": (1_507_266_829, 0.4481, 0.7499),
    "sage_initbpe_firstspace_6_40960": (1_763_468_302, 0.4126, 0.6837),
    "pathpiecer_none_18_40960": (1_262_918_933, 0.5351, 0.8951),
    "pathpiecer_spacedigit_12_40960": (2_303_121_079, 0.1330, 0.5075),
    "bpe_merge_3_32768": (1_519_396_666, None, None),
    "bpe_merge_3_49152": (1_474_249_173, None, None),
}


@dataclass(frozen=True)
class Check:
    """A published figure and ours."""

    figure: str
    published: float
    source: str
    ours: float

    @property
    def is_equal(self) -> bool:
        """Whether counts are the same, and real numbers but for rounding."""
        if isinstance(self.published, int):
            return self.ours == self.published
        return abs(self.ours - self.published) < NEAR

    def row(self) -> tuple[str, ...]:
        """Return the cells of its row."""
        shown = [
            f"{number:,}" if isinstance(number, int) else f"{number:.9f}"
            for number in (self.published, self.ours)
        ]
        return self.figure, shown[0], self.source, shown[1], "yes" if self.is_equal else "NO"


# The checks ---------------------------------------------------------------------------------------


def encoding_of(folder: Path, name: str) -> Tokenizer:
    """Return an encoding by toktk's own engine, from its rank file."""
    from toktk.loading.load import open_tokenizer

    loaded = open_tokenizer(str(folder / f"{name}.tiktoken"))
    if loaded.native is None:
        raise SystemExit(f"{name} does not run on toktk's engine: {loaded.why}")
    return loaded.native


def nanochat_texts(path: Path) -> dict[str, str]:
    """Return the texts of nanochat's script by name: every ``<name>_text = "…".strip()`` of the file."""
    texts = {}
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        name, stem, rest = statement.targets[0].id.partition("_text")
        value = statement.value
        strip = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)
        if strip and value.func.attr == "strip" and not value.args:
            value = value.func.value
        if stem and not rest and isinstance(value, ast.Constant) and isinstance(value.value, str):
            texts[name] = value.value.strip() if strip else value.value
    missing = [name for name in NANOCHAT_TEXTS if name not in texts]
    if missing:
        raise SystemExit(f"{path} has no {missing[0]}_text. Give nanochat's scripts/tok_eval.py.")
    return texts


def check_nanochat(path: Path, encodings: dict[str, Tokenizer]) -> list[Check]:
    """Count the tokens of nanochat's five texts."""
    found, texts = [], nanochat_texts(path)
    for name, (size, *published) in NANOCHAT_TEXTS.items():
        text = texts[name]
        found.append(Check(f"{name}: bytes", size, NANOCHAT, len(text.encode())))
        for (encoding, tokenizer), n in zip(encodings.items(), published, strict=True):
            # nanochat reports GPT-2, which is r50k, and GPT-4, which is cl100k.
            source = OWN_NOTE if encoding == "o200k_base" else NANOCHAT
            found.append(
                Check(f"{name}: tokens of {encoding}", n, source, len(tokenizer.encode(text)))
            )
    return found


def check_vocabularies(encodings: dict[str, Tokenizer]) -> list[Check]:
    """Count the tokens of each vocabulary, those that are no UTF-8 and those no text gives, as audits do."""
    from toktk.audit.reachability import Reach
    from toktk.audit.subject import Subject

    found = []
    for encoding, (ranks, invalid, by_text, by_merging) in VOCABULARIES.items():
        subject = Subject(encodings[encoding])
        reach = Reach.of(subject)
        assert reach.by_merging is not None
        for what, published, ours in (
            ("ranks", ranks, subject.ordinary.size),
            ("tokens that are no UTF-8", invalid, int((~subject.is_text).sum())),
            ("tokens unreachable through the pattern", by_text, int((~reach.alone).sum())),
            ("tokens unreachable by merging", by_merging, int((~reach.by_merging).sum())),
        ):
            found.append(Check(f"{encoding}: {what}", published, TIKTOKEN, ours))
    return found


def check_entropies() -> list[Check]:
    """Compute the unit values of tokenization-scorer."""
    from toktk.metrics.vocabulary import renyi_efficiency, renyi_entropy

    found = []
    for text, bits, efficiency, shannon, shannon_efficiency in SCORED:
        counts = list(Counter(text.split()).values())
        for what, published, ours in (
            ("Rényi entropy, a = 2.5, bits", bits, renyi_entropy(counts, 2.5)),
            ("Rényi efficiency, a = 2.5, of types seen", efficiency,
             renyi_efficiency(counts, 2.5)),
            ("Shannon entropy, bits", shannon, renyi_entropy(counts, 1)),
            ("Shannon efficiency, of types seen", shannon_efficiency,
             renyi_efficiency(counts, 1)),
        ):  # fmt: skip
            found.append(Check(f"“{text}”: {what}", published, SCORER, ours or 0.0))
    return found


def token_counts(path: Path) -> list[int]:
    """Return the counts of a file of lines ``token <tab> count``, whatever characters tokens hold."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return [int(line.rpartition("\t")[2]) for line in lines if line]


def check_counted(folder: Path) -> list[Check]:
    """Add up published token counts, and compute how evenly they are used."""
    from toktk.metrics.vocabulary import renyi_efficiency

    found = []
    for arm, (published, renyi, shannon) in COUNTED.items():
        path = folder / f"{arm}_token_counts.tsv"
        if not path.is_file():
            raise SystemExit(f"{folder} has no {path.name}. Give the folder tokencounts.")
        counts, size = token_counts(path), int(arm.rpartition("_")[2])
        found.append(Check(f"{arm}: tokens of MiniPile", published, TIMTC, sum(counts)))
        counts += [0] * (size - len(counts))  # ids that MiniPile never uses are possible as well
        for name, order, efficiency in (("Rényi, a = 2.5", 2.5, renyi), ("Shannon", 1, shannon)):
            if efficiency is not None:
                ours = round(renyi_efficiency(counts, order) or 0.0, 4)
                found.append(Check(f"{arm}: {name} efficiency", efficiency, TIMTC, ours))
    return found


# FLORES-200 ---------------------------------------------------------------------------------------


def prepare_flores(source: Path, target: Path) -> list[str]:
    """Write each language as Petrov et al. read it: dev and devtest, every line end a space.

    A file of one line for each language, without a line feed at its end; the space of the files' own
    last line feeds stays, as it does there. Returns the languages, sorted as there.
    """
    languages = sorted(file.stem for file in (source / "dev").glob("*.dev"))
    if not languages:
        raise SystemExit(f"{source} has no dev/<language>.dev. Give the folder flores200_dataset.")
    target.mkdir(parents=True, exist_ok=True)
    for language in languages:
        # As text, so that CR LF and CR are line ends as well.
        parts = [
            (source / split / f"{language}.{split}").read_text(encoding="utf-8")
            for split in ("dev", "devtest")
        ]
        joined = "\n".join(parts).replace("\n", " ")
        (target / f"{language}.txt").write_text(joined, encoding="utf-8", newline="")
    return languages


def published_lengths(path: Path) -> list[dict[str, int | str]]:
    """Return the rows of tokenization_lengths.csv, in its order: by the code of the language."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        {key: value if key == "Language" else int(value) for key, value in row.items()}
        for row in rows
    ]


def bench_command(tokenizers: list[str], folder: Path) -> list[str]:
    """Return the `toktk bench` that measures prepared text: one document, one aligned line, a language."""
    return [
        *("toktk", "bench", *tokenizers, "-c", str(folder)),
        *("--align-column", "line", "--reference", "eng_Latn"),
    ]


def check_flores(
    source: Path, lengths: Path, ranks: Path | None, folder: Path, columns: list[str]
) -> list[Check]:
    """Compare bytes and tokens of every language with the published table."""
    languages = prepare_flores(source, folder)
    rows = published_lengths(lengths)
    if len(rows) != len(languages):
        raise SystemExit(f"{lengths} has {len(rows)} languages, {source} {len(languages)}.")
    specs = [
        f"{name}={ranks / f'{name}.tiktoken'}" if ranks else f"tiktoken:{name}" for name in columns
    ]
    verb = bench_command(specs, folder)
    harness.say(" ".join(["+", *verb]))
    runs = folder.parent / "run"
    command = [sys.executable, "-m", *verb, "-q", "-f", "json", "-m", "tokens", "-o", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    ours = {
        (record["tokenizer"], record["group"]): int(record["value"])
        for record in json.loads(done.stdout)["records"]
        if record["metric"] == "tokens"
    }
    table = "Petrov et al. 2023, tokenization_lengths.csv"
    found = []
    for language, row in zip(languages, rows, strict=True):
        size = (folder / f"{language}.txt").stat().st_size
        shown = f"{row['Language']} ({language})"
        # ByT5 has a token for each byte. The table holds no end of text, neither here nor for CANINE, which
        # equals the characters (UTF-32). Equal bytes say that row and file are the same language.
        found.append(Check(f"{shown}: bytes", int(row["ByT5"]), table, size))
        for name in columns:
            published = int(row[name])
            found.append(Check(f"{shown}: {name}", published, table, ours[name, language]))
    return found


# The command line ---------------------------------------------------------------------------------


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--ranks", type=Path, help="folder with the .tiktoken files")
    add("--nanochat", type=Path, help="nanochat's scripts/tok_eval.py")
    add("--flores", type=Path, help="folder flores200_dataset, with dev/ and devtest/")
    add("--lengths", type=Path, help="assets/tokenization_lengths.csv of tokenization-fairness")
    add("--timtc", type=Path, help="folder tokencounts of timtc_vocabs_models")
    add("--prepared", type=Path, help="keep the prepared text of FLORES-200 in this folder")
    chosen = parser.parse_args()
    if bool(chosen.flores) != bool(chosen.lengths):
        parser.error("--flores and --lengths go together")
    if not (chosen.flores or chosen.ranks or chosen.timtc):
        parser.error("give --ranks, --timtc, or --flores with --lengths")
    return chosen


def markdown(checks: list[Check], head: dict[str, Any]) -> str:
    """Return the page."""
    differing = [check for check in checks if not check.is_equal]
    commit = f" ({head['commit']})" if head["commit"] else ""
    return "\n".join(
        [
            "# truth",
            "",
            f"Published figures beside toktk's. {head['date']}, toktk {head['versions']['toktk']}"
            f"{commit}. Command: `{harness.command_line()}`",
            "",
            f"{len(checks) - len(differing)} of {len(checks)} are equal.",
            "",
            "| figure | published | source | toktk | equal |",
            "|---|---|---|---|---|",
            *("| " + " | ".join(check.row()) + " |" for check in checks),
            "",
            "A token is unreachable through the pattern if its bytes, taken as a document, do not give it"
            " alone; tokens that are no UTF-8 are left out there. It is unreachable by merging if its bytes,"
            " taken as a piece, do not merge into it when no piece is taken whole. The figures of o200k_base"
            " on nanochat's texts are ours, by tiktoken: nanochat has none.",
            "",
        ]
    )


def main() -> None:
    """Compare everything for which files were given."""
    chosen = options()
    checks: list[Check] = []
    if chosen.ranks:
        encodings = {name: encoding_of(chosen.ranks, name) for name in ENCODINGS}
        if chosen.nanochat:
            checks += check_nanochat(chosen.nanochat, encodings)
        checks += check_vocabularies(encodings)
        checks += check_entropies()
        page = harness.RESULTS / "truth.md"
        page.write_text(markdown(checks, harness.facts()), encoding="utf-8")
    if chosen.timtc:
        checks += check_counted(chosen.timtc)
    if chosen.flores:
        with tempfile.TemporaryDirectory() as name:
            folder = chosen.prepared or Path(name) / "flores"
            columns = ["r50k_base", "cl100k_base"]
            checks += check_flores(chosen.flores, chosen.lengths, chosen.ranks, folder, columns)
    table = Table("", ("figure", "published", "source", "toktk", "equal"))
    table.rows = [check.row() for check in checks]
    print(harness.plain(table))
    wrong = sum(not check.is_equal for check in checks)
    harness.say(f"{len(checks) - wrong} of {len(checks)} figures are equal")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
