"""The whole job: published tokenizers on a text of many languages, from process start to figures.

    python benchmarks/bench.py --text help-20lang.parquet --tokenizers gpt2/tokenizer.json …
    python benchmarks/bench.py … --glotscope venv/bin/python --more gpt2/tokenizer.json r50k.tiktoken

toktk is the command `toktk bench`. Beside it stand the script that one would write with Hugging Face
tokenizers, and glotscope, an evaluation tool of the field. The token counts of every tokenizer in every
language must be the same; the script says whether they are, and of what else was compared.

--more measures what one more tokenizer costs that cuts text as the first does, on the text and on the
text repeated (--repeat-corpus).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness
from harness import Figures, Job, Run, Steps, Table

Arguments = dict[str, Any]
Counts = dict[str, dict[str, int]]
"""Tokenizer -> language -> tokens."""

REMARKS = {
    "toktk cold": "toktk: `toktk bench --force` with an empty TOKTK_HOME, but for compiled kernels: "
    "split patterns are compiled, tokenizer files parsed, and each tokenizer held against its library. "
    "The page is written after the figures are complete; the time to its end has that.",
    "toktk warm": "toktk: the same where it ran before on this text: compiled patterns, parsed tokenizers "
    "and what came of holding them against the library are kept. Text is read, cut and counted anew, and "
    "all figures are computed.",
    "hf": "Hugging Face tokenizers: encode_batch_fast on the lines of each language, ids counted with numpy "
    "bincount, figures with numpy; without single-token words and unknowns, which toktk's time includes.",
    "glotscope": "glotscope: `glotscope analyze`, a process for each tokenizer, with the whitespace "
    "segmenter, parity, Gini and Rényi. It measures round trips and words encoded by themselves as well. "
    "It has no option for threads; RAYON_NUM_THREADS is set.",
}
ENGLISH = ("en", "en-us", "en-US", "eng", "eng_Latn")
_LINES_AT_ONCE = 20_000
_NEAR = 1e-9


# Contenders ---------------------------------------------------------------------------------------


def hf(arguments: Arguments, step: Steps) -> tuple[Figures, None]:
    """Measure with Hugging Face tokenizers and numpy."""
    with step("import"):
        import numpy as np
        from tokenizers import Tokenizer
    with step("read"):
        texts = {file.stem: list(harness.lines(file)) for file in _files(arguments["text"])}
        bytes_ = {name: sum(len(line.encode()) for line in text) for name, text in texts.items()}
        words = {name: sum(len(line.split()) for line in text) for name, text in texts.items()}
    tokens: Counts = {}
    used, renyi, gini = {}, {}, {}
    for label, path in arguments["tokenizers"].items():
        with step("load"):
            tokenizer = Tokenizer.from_file(path)
            tokenizer.encode_special_tokens = True  # in text they are ordinary text
            tokenizer.no_truncation()
            tokenizer.no_padding()
            size = max(tokenizer.get_vocab().values()) + 1
        counts = np.zeros(size, dtype=np.int64)
        tokens[label] = {}
        for language, text in texts.items():
            total = 0
            for batch in _batches(text):
                with step("encode"):
                    found = tokenizer.encode_batch_fast(batch, add_special_tokens=False)
                with step("count"):
                    n = sum(map(len, found))
                    ids = itertools.chain.from_iterable(encoding.ids for encoding in found)
                    counts += np.bincount(np.fromiter(ids, np.int64, n), minlength=size)
                    total += n
            tokens[label][language] = total
        with step("figures"):
            seen = counts[counts > 0] / counts.sum()
            used[label] = int((counts > 0).sum())
            entropy = np.log2((seen**2.5).sum()) / (1 - 2.5)
            renyi[label] = float(entropy / np.log2(tokenizer.get_vocab_size()))
            gini[label] = _gini(np.sort(list(tokens[label].values())))
    english = arguments["reference"]
    figures = {
        "bytes_per_token": {
            a: {b: bytes_[b] / n for b, n in of.items()} for a, of in tokens.items()
        },
        "fertility": {a: {b: n / words[b] for b, n in of.items()} for a, of in tokens.items()},
        "parity": {a: {b: n / of[english] for b, n in of.items()} for a, of in tokens.items()},
        "gini": gini,
        "renyi": renyi,
        "used": used,
    }
    return {"tokens": tokens, "bytes": bytes_, "words": words, **figures}, None


def _gini(ordered: Any) -> float:
    import numpy as np

    n = len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * ordered.sum()))


def _batches(text: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(text), _LINES_AT_ONCE):
        yield text[at : at + _LINES_AT_ONCE]


def glotscope(arguments: Arguments, step: Steps) -> tuple[Figures, None]:
    """Measure with glotscope's command, tokenizer by tokenizer; what it refuses is left out."""
    folder = Path(arguments["root"])
    languages = [file.stem for file in _files(arguments["text"])]
    tokens: Counts = {}
    refused: dict[str, str] = {}
    for label, path in arguments["tokenizers"].items():
        with step(label):
            done = subprocess.run(
                [
                    *(arguments["glotscope"], "-c", "from glotscope.cli import main; exit(main())"),
                    *("analyze", path, "--corpus", "flores_plus", "--corpus-root", str(folder)),
                    *("--languages", ",".join(languages), "--segmenter", "whitespace"),
                    *("--no-leading-space", "--no-add-special-tokens", "--normalization", "none"),
                    *("--parity-reference", arguments["reference"], "--gini"),
                    *("--renyi-alpha", "2.5", "--renyi-normalizer", "observed"),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            refused[label] = (done.stderr.strip().splitlines() or ["nothing said"])[-1][:200]
            continue
        measured = json.loads(done.stdout)["tier1"]["per_language"]
        tokens[label] = {name: int(measured[name]["ctc"]) for name in languages}
    return {"tokens": tokens, "refused": refused}, None


def one_more(arguments: Arguments, step: Steps) -> tuple[Figures, None]:
    """Measure with one tokenizer, then see what a second one adds that cuts alike."""
    os.environ["TOKTK_HOME"] = arguments["home"]
    with step("import"):
        import toktk.kernels.bpe_encode
        import toktk.kernels.pairs  # noqa: F401
        from toktk.cache import Store
        from toktk.corpus.load import load_corpus
        from toktk.lab.bench import Bench
        from toktk.lab.measures import Measures
        from toktk.lab.plan import BenchPlan
        from toktk.loading.load import open_tokenizer
        from toktk.loading.sample import first_documents

    corpus = load_corpus(arguments["text"], align_column="line")
    with step("fingerprint and sample of the text"):
        documents = first_documents(corpus, Store(lambda _: None))
    plan = BenchPlan(
        arguments["specs"],
        corpus,
        Measures(reference=arguments["reference"]),
        jobs=arguments["threads"],
        force=True,
    )
    bench = Bench(plan)
    for which, (label, spec) in zip(("first", "one more"), plan.labels.items(), strict=True):
        with step(f"load, {which}"):
            bench.loaded[label] = open_tokenizer(spec)
        with step(f"check, {which}"):
            bench.tokenizers[label] = bench.loaded[label].checked(documents)
    if len({tokenizer.pretokenizer.key for tokenizer in bench.tokenizers.values()}) > 1:
        raise ValueError("the two tokenizers of --more do not cut text alike")
    outcome = bench.run()
    which = dict(zip(plan.labels, ("first", "one more"), strict=True))
    for cost in bench.meter.costs:
        name = f"measure, {which[cost.what]}" if cost.step == "measure" else cost.step
        step.seconds[name] = step.seconds.get(name, 0.0) + cost.wall
    tokens: Counts = {}
    for record in outcome.results:
        if record.metric == "tokens" and record.group != "all" and record.value is not None:
            tokens.setdefault(record.tokenizer, {})[record.group] = int(record.value)
    return {"tokens": tokens}, None


def prepare(arguments: Arguments, step: Steps) -> tuple[Figures, None]:
    """Write the text, a file a language and an aligned line a document; not a contender."""
    source, target = Path(arguments["source"]), Path(arguments["target"])
    target.mkdir(parents=True)
    limit, repeat = arguments["lines"], arguments["repeat"]
    texts = _parallel(source) if source.suffix == ".parquet" else _folder(source)
    sizes = {}
    for language, lines in texts:
        data = "".join(f"{line}\n" for line in lines[:limit]).encode()
        with (target / f"{language}.txt").open("wb") as file:
            for _ in range(repeat):
                file.write(data)
        sizes[language] = {"bytes": len(data) * repeat, "lines": len(lines[:limit]) * repeat}
    return {"languages": sizes}, None


def _parallel(source: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the languages of a Parquet file with columns id, lang and text: the ids that all have."""
    import pyarrow.parquet as pq

    languages: dict[str, dict[str, str]] = {}
    for row in pq.read_table(source, columns=["id", "lang", "text"]).to_pylist():
        languages.setdefault(row["lang"], {})[row["id"]] = row["text"]
    common = set.intersection(*map(set, languages.values()))
    for language, lines in sorted(languages.items()):
        yield language, [text.replace("\n", " ") for i, text in lines.items() if i in common]


def _folder(source: Path) -> Iterator[tuple[str, list[str]]]:
    for file in _files(source):
        yield file.stem, list(harness.lines(file))


def _files(folder: Path | str) -> list[Path]:
    return sorted(Path(folder).glob("*.txt"))


CONTENDERS: dict[str, harness.Contender] = {
    "hf": hf,
    "glotscope": glotscope,
    "one-more": one_more,
    "prepare": prepare,
}


# The parent ---------------------------------------------------------------------------------------


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--tokenizers", type=Path, nargs="+", default=[], help="tokenizer.json files or folders")
    add("--text", type=Path, required=True, help="folder of <language>.txt, or help-20lang.parquet")
    add("--lines", type=harness.size, help="lines of each language, at most")
    add("--threads", type=harness.sizes, default=[1, 2], help="comma-separated (1,2)")
    add("--contenders", default=",".join(REMARKS))
    add("--once", default="glotscope", help="contenders to run in the first turn only (glotscope)")
    add("--glotscope", type=Path, help="the Python that has glotscope; left out without it")
    add("--more", nargs=2, metavar="SPEC", help="two tokenizers that cut text alike")
    add("--repeat-corpus", type=int, default=10, help="for --more, repeat the text this often (10)")
    add("--repeats", type=int, default=5)
    add("--timeout", type=float, default=1800)
    add("--name", default="bench", help="of the result files")
    chosen = parser.parse_args()
    unknown = set(harness.names(chosen.contenders)) - set(REMARKS)
    if unknown:
        parser.error(
            f"unknown contenders {', '.join(sorted(unknown))}; known: {', '.join(REMARKS)}"
        )
    if not chosen.tokenizers and not chosen.more:
        parser.error("give --tokenizers, --more or both")
    return chosen


def labeled(paths: list[Path]) -> dict[str, str]:
    """Return tokenizer.json files by label: the folder's name, or the file's."""
    found = {}
    for path in paths:
        file = path / "tokenizer.json" if path.is_dir() else path
        label = file.resolve().parent.name if file.name == "tokenizer.json" else file.stem
        if label in found or not file.is_file():
            raise SystemExit(f"{file}: no such file, or a second one called {label}")
        found[label] = str(file.resolve())
    return found


class Homes:
    """Cache folders for toktk that share the compiled kernels of the user's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = 0

    def empty(self) -> str:
        """Return a new one with nothing but kernels."""
        from toktk.paths import home

        self.made += 1
        made = self.folder / f"home-{self.made}"
        made.mkdir(parents=True)
        (home() / "kernels").mkdir(parents=True, exist_ok=True)
        (made / "kernels").symlink_to(home() / "kernels")
        return str(made)


def toktk_job(label: str, home: str, arguments: Arguments, threads: int) -> Job:
    """Return the command `toktk bench` with this cache folder."""
    specs = [f"{name}={path}" for name, path in arguments["tokenizers"].items()]
    command = (
        *("env", f"TOKTK_HOME={home}", sys.executable, "-m", "toktk", "bench", *specs),
        *("-q", "-f", "json", "-c", arguments["text"], "--align-column", "line"),
        *("--reference", arguments["reference"], "--jobs", str(threads)),
        *("-o", "{folder}/run", "--force", *arguments["flags"]),
    )
    return Job(label, label, arguments, threads, command)


def jobs(chosen: Any, turn: int, arguments: Arguments, homes: Homes, warm: str) -> list[Job]:
    """Return the jobs of a turn, from 0; each has an empty cache folder of its own where it is cold."""
    made = []
    for threads in chosen.threads:
        for name in harness.names(chosen.contenders):
            if turn and name in harness.names(chosen.once):
                continue
            label = f"{name}, {threads} threads" if threads > 1 else f"{name}, 1 thread"
            # It has no threads of its own to choose: the most it may use, then.
            if name == "glotscope" and (not chosen.glotscope or threads < max(chosen.threads)):
                continue
            if name.startswith("toktk"):
                home = warm if name == "toktk warm" else homes.empty()
                made.append(toktk_job(label, home, arguments, threads))
            else:
                made.append(Job(label, name, arguments, threads))
    return made


def in_turn(
    script: Path, turns: Iterator[list[Job]], timeout: float
) -> tuple[list[Job], dict[str, list[Run]]]:
    """Run each turn's jobs one after the other; a job that failed is not run again."""
    todo: list[Job] = []
    runs: dict[str, list[Run]] = {}
    for turn in turns:
        todo = todo or turn
        going = [job for job in turn if not harness.failed(runs.get(job.label, []))]
        for label, done in harness.interleave(script, going, 1, timeout).items():
            runs.setdefault(label, []).extend(done)
    return todo, runs


# What is compared ---------------------------------------------------------------------------------


def tokens_of(run: Run) -> Counts:
    """Return the token counts of a run; the command line prints records."""
    found = run["figures"]
    if "tokens" in found:
        return dict(found["tokens"])
    counts: Counts = {}
    for record in found["records"]:
        if record["metric"] == "tokens" and record["group"] != "all":
            counts.setdefault(record["tokenizer"], {})[record["group"]] = int(record["value"])
    return counts


def verdict(runs: list[Run], expected: Run) -> str:
    """Say whether all token counts equal the reference's, and the other figures of `hf`."""
    ours = tokens_of(expected)
    for run in runs:
        for name, of in tokens_of(run).items():
            if set(of) != set(ours[name]):
                return f"DIFFERENT: {name} has other languages"
            for language, n in of.items():
                if n != ours[name][language]:
                    return f"DIFFERENT: {name}, {language}: {n:,}, not {ours[name][language]:,}"
        if difference := other_figures(run["figures"], expected["figures"]):
            return difference
    one = tokens_of(runs[0])
    languages = len(next(iter(one.values()), {}))
    return f"equal: {len(one)} tokenizers × {languages} languages"


def other_figures(theirs: Figures, ours: Figures) -> str | None:
    """Compare fertility, parity, Gini and Rényi where they were computed; None if they are equal."""
    if "parity" not in theirs:
        return None
    found = {
        (r["tokenizer"], r["metric"].partition("[")[0], r["group"]): r for r in ours["records"]
    }
    for key, metric in (
        ("bytes_per_token", "bytes_per_token"),
        ("fertility", "fertility"),
        ("parity", "parity"),
    ):
        for label, of in theirs[key].items():
            for language, value in of.items():
                record = found[label, metric, language]
                # Fertility is null where words have no spaces between them.
                if record["value"] is not None and abs(record["value"] - value) > _NEAR:
                    return f"DIFFERENT {key}: {label}, {language}: {value}, not {record['value']}"
    for key, metric in (("gini", "gini"), ("renyi", "renyi_efficiency")):
        for label, value in theirs[key].items():
            record = found[label, metric, "all"]
            if abs(record["value"] - value) > _NEAR:
                return f"DIFFERENT {key}: {label}: {value}, not {record['value']}"
    return None


# Tables -------------------------------------------------------------------------------------------


def time_table(todo: list[Job], runs: dict[str, list[Run]], title: str) -> Table:
    """Return the whole job's cost by contender and threads."""
    table = Table(
        title,
        ("contender", "process start to figures, s", "× toktk cold", "× toktk warm", "to its end, s",
         "CPU, s", "peak, MB", "token counts and figures"),
    )  # fmt: skip
    expected = next((found[0] for label, found in runs.items()
                     if label.startswith("toktk") and not harness.failed(found)), None)  # fmt: skip
    for job in todo:
        found = runs[job.label]
        if why := harness.failed(found):
            table.rows.append((job.label, f"failed: {why}", "–", "–", "–", "–", "–", "–"))
            continue
        threads = job.label.partition(", ")[2]
        partial = [name for run in found for name in run["figures"].get("refused", {})]
        ratios = [
            # What does less work than toktk is compared with nothing.
            "–" if partial else harness.ratio_cell(found, runs.get(f"{name}, {threads}", []), _wall)
            for name in ("toktk cold", "toktk warm")
        ]
        table.rows.append(
            (
                job.label,
                harness.spread([_wall(run) for run in found]),
                *ratios,
                harness.spread([run["exit"]["wall"] for run in found]) if job.command else "–",
                harness.spread([_used(run)["cpu"] for run in found]),
                harness.spread([_used(run)["peak"] / 1e6 for run in found], 0),
                verdict(found, expected) if expected else "–",
            )
        )
        for name, why in found[0]["figures"].get("refused", {}).items():
            table.remarks.append(f"{job.label} does not measure {name}: {why}")
        if found[0]["steps"]:
            parts = [
                f"{name} {harness.median([run['steps'][name] for run in found]):.2f}"
                for name in found[0]["steps"]
            ]
            table.remarks.append(f"Steps of {job.label}, median seconds: {', '.join(parts)}.")
    used = {job.label.partition(", ")[0]: None for job in todo}
    table.remarks = [f"{REMARKS[name]}" for name in used] + table.remarks
    return table


def _wall(run: Run) -> float:
    return float(run["process"]["wall"])


def _used(run: Run) -> dict[str, float]:
    """Return what the process and those it started have used."""
    return run["exit"] if "refused" in run["figures"] else run["process"]


def more_table(runs: dict[str, list[Run]], repeat: int, specs: list[str]) -> Table:
    """Return what one more tokenizer costs, on the text and on the text repeated."""
    first, second = (Path(spec).stem for spec in specs)
    if first == second:
        first, second = (Path(spec).parent.name for spec in specs)
    table = Table(
        f"One more tokenizer of the same pretokenizer: {second} after {first}",
        ("step", "the text, s", f"{repeat} times the text, s", "ratio, run by run"),
    )
    once, often = runs["once"], runs["repeated"]
    if why := harness.failed(once) or harness.failed(often):
        table.rows.append((f"failed: {why}", "–", "–", "–"))
        return table

    def added(run: Run) -> float:
        return sum(s for name, s in run["steps"].items() if name.endswith("one more"))

    measures = [
        (name, lambda run, name=name: run["steps"].get(name, 0.0)) for name in once[0]["steps"]
    ]
    for name, measure in [*measures, ("all that one more tokenizer adds", added)]:
        small = [measure(run) for run in once]
        both = zip(small, [measure(run) for run in often], strict=False)
        table.rows.append(
            (
                name,
                harness.spread(small, 3),
                harness.spread([measure(run) for run in often], 3),
                harness.spread([b / a for a, b in both], 3) if min(small) > 0 else "–",
            )
        )
    same = all(
        {name: n * repeat for name, n in of.items()} == tokens_of(often[0])[label]
        for label, of in tokens_of(once[0]).items()
    )
    table.remarks.append(
        f"Tokens of the repeated text are {'exactly' if same else 'NOT'} {repeat} times as many. "
        "TOKTK_HOME is empty but for compiled kernels."
    )
    return table


def text_of(script: Path, chosen: Any, folder: Path, repeat: int) -> tuple[Path, Figures]:
    """Prepare the text, `repeat` times over; return its folder and its sizes."""
    target = folder / f"text-{repeat}"
    arguments = {
        "source": str(chosen.text.resolve()),
        "target": str(target),
        "lines": chosen.lines,
        "repeat": repeat,
    }
    made = harness.run(script, Job("prepare", "prepare", arguments), chosen.timeout)
    if "error" in made:
        raise SystemExit(f"the text cannot be prepared: {made['error']}")
    return target, made["figures"]


def flags() -> tuple[str, ...]:
    """Return the flags that leave out of `toktk bench` what is not about quality."""
    known = harness.subcommand("bench")
    if known is None:
        raise SystemExit("this toktk has no `bench`")
    return ("--no-throughput",) if "--no-throughput" in known else ()


def main() -> None:
    """Run everything that was asked for."""
    chosen = options()
    script = Path(__file__)
    head = harness.facts() | {"command": harness.command_line()}
    tables: list[Table] = []
    record: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        homes = Homes(folder)
        text, sizes = text_of(script, chosen, folder, 1)
        record["text"] = sizes
        languages = list(sizes["languages"])
        root = folder / "glotscope" / "flores_plus" / "2024.08"
        root.mkdir(parents=True)
        (root / "devtest").symlink_to(text)
        arguments = {
            "tokenizers": labeled(chosen.tokenizers),
            "text": str(text),
            "reference": next((lang for lang in ENGLISH if lang in languages), languages[0]),
            "flags": flags(),
            "glotscope": str(chosen.glotscope),
            "root": str(folder / "glotscope"),
        }
        if chosen.tokenizers:
            warm = homes.empty()
            harness.say("warming up: kernels are compiled once, the text comes into the page cache")
            first = toktk_job("warming up", warm, arguments, max(chosen.threads))
            harness.interleave(script, [first], 1, chosen.timeout)
            turns = (jobs(chosen, i, arguments, homes, warm) for i in range(chosen.repeats))
            todo, runs = in_turn(script, turns, chosen.timeout)
            megabytes = sum(of["bytes"] for of in sizes["languages"].values()) / 1e6
            title = (
                f"{len(arguments['tokenizers'])} tokenizers × {len(languages)} languages, "
                f"{megabytes:,.1f} MB: {', '.join(arguments['tokenizers'])}"
            )
            tables.append(time_table(todo, runs, title))
            record["runs"] = _slim(runs)
        if chosen.more:
            repeated, _ = text_of(script, chosen, folder, chosen.repeat_corpus)
            specs = [str(Path(s).resolve()) if Path(s).exists() else s for s in chosen.more]

            def pair() -> list[Job]:
                own = {"specs": specs, "reference": arguments["reference"]}
                return [
                    Job(label, "one-more", own | {"text": str(of), "home": homes.empty()}, 1)
                    for label, of in (("once", text), ("repeated", repeated))
                ]

            turns = (pair() for _ in range(chosen.repeats))
            _, more = in_turn(script, turns, chosen.timeout)
            tables.append(more_table(more, chosen.repeat_corpus, chosen.more))
            record["more"] = _slim(more)
    harness.report(chosen.name, head, tables, record)


def _slim(runs: dict[str, list[Run]]) -> dict[str, list[Run]]:
    """Leave out all figures but the token counts of each contender's first run."""
    slim = {label: [dict(run) for run in some] for label, some in runs.items()}
    for some in slim.values():
        for i, run in enumerate(some):
            if "figures" in run:
                run["figures"] = {"tokens": tokens_of(run)} if i == 0 else {}
    return slim


if __name__ == "__main__" and not harness.serve(CONTENDERS):
    main()
