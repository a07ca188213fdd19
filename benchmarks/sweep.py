"""A whole sweep of vocabulary sizes, from process start to figures, and what the sizes add to one.

    python benchmarks/sweep.py --eval help33/ --train-bytes 50M

Each contender trains BPE on the same sample of lines, then gives for every size and language bytes
per token (compression), tokens per white-space word (fertility), and tokens relative to English
(parity). The token counts of all contenders must be the same; the script says whether they are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import harness
from harness import Figures, Job, Run, Steps, Table

Arguments = dict[str, Any]
Counts = dict[str, dict[str, int]]
"""Size -> language -> tokens; sizes are strings, as in JSON."""

REMARKS = {
    "toktk": "toktk's Python API, all sizes from one training and one pass over the text.",
    "toktk-one": "the same for the largest size alone.",
    "toktk-records": "toktk.train and toktk.evaluate: all metrics with intervals, as records, from a store "
    "that has compiled kernels and patterns alone, and keeps what they count and measure.",
    "toktk-cli": "the command `toktk sweep --eval`, with intervals; its figures are complete when it has "
    "stored them and its tokenizers. The page is written after that, which the time to its end has.",
    "glue": "gigabpe trains the largest size once; cut to each size as tokenizer.json; gigatoken "
    "encodes every file at every size; words by len(str.split()). gpt2 only.",
    "hf-once": "Hugging Face tokenizers trains the largest size once; cut to each size; encodes "
    "every file at every size.",
    "hf-naive": "Hugging Face tokenizers trains every size and encodes every file at every size.",
}
ENGLISH = ("en", "en-US", "en-GB", "eng")
_LINES_AT_ONCE = 20_000


def figures(
    tokens: Counts, bytes_: dict[str, int], words: dict[str, int], arguments: Arguments
) -> Figures:
    """Return what every contender must deliver; the same arithmetic for all."""
    languages = list(bytes_)
    english = next((name for name in ENGLISH if name in languages), languages[0])
    return {
        "tokens": tokens,
        "bytes": bytes_,
        "words": words,
        "reference": english,
        "table": {
            size: {
                language: (
                    bytes_[language] / n if n else None,
                    n / words[language] if words[language] else None,
                    n / of[english] if of[english] else None,
                )
                for language, n in of.items()
            }
            for size, of in tokens.items()
        },
    }


def toktk(arguments: Arguments, step: Steps) -> tuple[Figures, None]:
    """Sweep with toktk's Python API."""
    with step("import"):
        import toktk.kernels.bpe_encode
        import toktk.kernels.bpe_train  # noqa: F401
        from toktk.corpus import ReaderOptions, load_corpus
        from toktk.evaluation.evaluation import evaluate
        from toktk.pieces.counting import count_corpus
        from toktk.trainers.base import TrainingData
        from toktk.trainers.bpe import BpeTrainer

    jobs, sizes = arguments["threads"], arguments["sizes"]
    options = ReaderOptions(sample_by="line", align_column="line")

    with step("count training text"):
        trainer = BpeTrainer(arguments["pattern"])
        sample = load_corpus(arguments["sample"], options)
        data = TrainingData(sample, jobs=jobs)
        data.pieces(trainer.pretokenizer)
    with step("train"):
        largest = trainer.train(data, sizes).tokenizers[-1]
    with step("count evaluation text"):
        corpus = load_corpus(arguments["eval"], options)
        table = count_corpus(corpus, trainer.pretokenizer, jobs=jobs)
    with step("evaluate"):
        (evaluation,) = evaluate(table, [largest.model], sizes=sizes, jobs=jobs)
        tokens = {
            str(size): dict(zip(evaluation.groups, evaluation.tokens(size).tolist(), strict=True))
            for size in sizes
        }
        found = figures(
            tokens,
            dict(zip(evaluation.groups, evaluation.bytes.tolist(), strict=True)),
            dict(zip(evaluation.groups, evaluation.words.tolist(), strict=True)),
            arguments,
        )
    return found, None


def toktk_records(arguments: Arguments, step: Steps) -> tuple[Figures, Callable[[], Figures]]:
    """Sweep with toktk's public functions, which measure with intervals."""
    home = Path(os.environ.get("TOKTK_HOME", Path.home() / ".cache" / "toktk"))
    own = Path(tempfile.mkdtemp())
    (own / "cells").mkdir()
    for kept in ("kernels", "cells/patterns"):
        (own / kept).symlink_to(home / kept)
    os.environ["TOKTK_HOME"] = str(own)
    with step("import"):
        import toktk

    options: dict[str, Any] = {"sample_by": "line", "align_column": "line"}
    with step("train"):
        text = toktk.load_corpus(arguments["sample"], **options)
        jobs, pattern = arguments["threads"], arguments["pattern"]
        trained = toktk.train("bpe", text, arguments["sizes"], pretokenizer=pattern, jobs=jobs)
    with step("evaluate"):
        corpus = toktk.load_corpus(arguments["eval"], **options)
        results = toktk.evaluate([*trained.values()], corpus, jobs=jobs)

    def check() -> Figures:
        shutil.rmtree(own)
        return {"records": json.loads(results.where(metric="tokens").to_json())["records"]}

    return {}, check


def glue(arguments: Arguments, step: Steps) -> tuple[Figures, None]:
    """Sweep with gigabpe and gigatoken, the fastest packages that can be put together."""
    with step("import"):
        import gigabpe
        import gigatoken
    with step("train"):
        _, merges = gigabpe.train_bpe(
            [arguments["sample"]],
            max(arguments["sizes"]),
            pretokenizer="bytelevel",
            special_tokens=[],
            threads=arguments["threads"],
        )
    tokens: Counts = {}
    for size in arguments["sizes"]:
        with step("cut"):
            tokenizer = gigatoken.Tokenizer.from_json(_tokenizer_json(merges, size))
        with step("encode"):
            tokens[str(size)] = {
                file.stem: _gigatoken_count(tokenizer, file, arguments["threads"])
                for file in _files(arguments)
            }
    with step("words"):
        bytes_, words = _bytes_and_words(arguments)
    return figures(tokens, bytes_, words, arguments), None


def _gigatoken_count(tokenizer: Any, file: Path, threads: int) -> int:
    import gigatoken

    source = gigatoken.TextFileSource([file], separator="\n")
    encoded = tokenizer.encode_files(source, parallel=threads > 1)
    layout = encoded.layout  # lists by offsets: the last one is the number of ids in all
    return int(layout.offsets[-1]) - int(layout.offsets[0])


def _byte_characters() -> list[str]:
    """Return the 256 characters that stand for bytes (GPT-2), in the order of their ids."""
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


def _tokenizer_json(merges: Any, size: int) -> str:
    """Return a byte-level tokenizer.json of `size` ids: 256 bytes, then the first merges."""
    vocabulary = {character: i for i, character in enumerate(_byte_characters())}
    kept = []
    for left, right in merges:
        if len(vocabulary) == size:
            break
        kept.append([left, right])
        vocabulary.setdefault(left + right, len(vocabulary))
    if len(vocabulary) < size:
        raise SystemExit(f"{len(vocabulary):,} ids were learned, {size:,} are wanted")
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": byte_level | {"use_regex": True},
            "post_processor": None,
            "decoder": byte_level | {"use_regex": True},
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": False,
                "vocab": vocabulary,
                "merges": kept,
            },
        }
    )


def hf_once(arguments: Arguments, step: Steps) -> tuple[Figures, None]:
    """Sweep with Hugging Face tokenizers, trained once and cut."""
    with step("import"):
        import tokenizers
    with step("train"):
        largest = json.loads(_hf_train(arguments, max(arguments["sizes"])).to_str())
    tokens: Counts = {}
    for size in arguments["sizes"]:
        with step("cut"):
            cut = json.loads(_tokenizer_json(largest["model"]["merges"], size))
            whole = largest | {"model": largest["model"] | cut["model"]}
            tokenizer = tokenizers.Tokenizer.from_str(json.dumps(whole))
        with step("encode"):
            tokens[str(size)] = _hf_count(tokenizer, arguments)
    with step("words"):
        bytes_, words = _bytes_and_words(arguments)
    return figures(tokens, bytes_, words, arguments), None


def hf_naive(arguments: Arguments, step: Steps) -> tuple[Figures, None]:
    """Sweep with Hugging Face tokenizers, size by size."""
    with step("import"):
        import tokenizers  # noqa: F401
    tokens: Counts = {}
    for size in arguments["sizes"]:
        with step("train"):
            tokenizer = _hf_train(arguments, size)
        with step("encode"):
            tokens[str(size)] = _hf_count(tokenizer, arguments)
    with step("words"):
        bytes_, words = _bytes_and_words(arguments)
    return figures(tokens, bytes_, words, arguments), None


def _hf_train(arguments: Arguments, size: int) -> Any:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    if arguments["pattern"] == "gpt2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    else:
        from toktk.pretokenizers.pretokenizer import Pretokenizer
        from toktk.pretokenizers.syntax import portable

        pattern = Regex(portable(Pretokenizer.of(arguments["pattern"]).pattern))
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        split = pre_tokenizers.Split(pattern, "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_lines(Path(arguments["sample"])), trainer)
    return tokenizer


def _hf_count(tokenizer: Any, arguments: Arguments) -> dict[str, int]:
    counts = {}
    for file in _files(arguments):
        total, batch = 0, []
        for line in _lines(file):
            batch.append(line)
            if len(batch) == _LINES_AT_ONCE:
                total += sum(map(len, tokenizer.encode_batch_fast(batch, add_special_tokens=False)))
                batch.clear()
        total += sum(map(len, tokenizer.encode_batch_fast(batch, add_special_tokens=False)))
        counts[file.stem] = total
    return counts


def _lines(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8", newline="\n") as read:
        for line in read:
            yield line.removesuffix("\n")


def _files(arguments: Arguments) -> list[Path]:
    return sorted(Path(arguments["eval"]).glob("*.txt"))


def _bytes_and_words(arguments: Arguments) -> tuple[dict[str, int], dict[str, int]]:
    """Return bytes without line feeds, and white-space words, of every language."""
    bytes_, words = {}, {}
    for file in _files(arguments):
        text = file.read_bytes()
        bytes_[file.stem] = len(text) - text.count(b"\n")
        words[file.stem] = len(text.decode().split())
    return bytes_, words


def sample(arguments: Arguments, step: Steps) -> tuple[Figures, None]:
    """Write every so many-th line of every file, spread evenly; not a contender."""
    files = _files(arguments)
    total = sum(file.stat().st_size for file in files)
    share = min(1.0, arguments["train_bytes"] / total)
    digest, size = hashlib.sha256(), 0
    with Path(arguments["sample"]).open("wb") as out:
        for file in files:
            due = 0.0
            with file.open("rb") as read:
                for line in read:
                    due += share
                    if due >= 1:
                        due -= 1
                        line = line.removesuffix(b"\n") + b"\n"
                        out.write(line)
                        digest.update(line)
                        size += len(line)
    facts = {"bytes": size, "sha256": digest.hexdigest(), "files": len(files)}
    return facts | {"eval_bytes": total}, None


CONTENDERS: dict[str, harness.Contender] = {
    "toktk": toktk,
    "toktk-records": toktk_records,
    "toktk-one": toktk,
    "glue": glue,
    "hf-once": hf_once,
    "hf-naive": hf_naive,
    "sample": sample,
}


# The parent ---------------------------------------------------------------------------------------


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add(
        "--eval",
        type=Path,
        required=True,
        help="folder of .txt files with as many lines, one a language",
    )
    add("--eval-bytes", type=harness.size, help="use this much, shared evenly by the languages")
    add("--train-bytes", type=harness.size, default=50_000_000, help="lines to train on (50M)")
    add("--sizes", type=harness.sizes, default=harness.sizes("8k,16k,32k,50k,64k,100k,128k"))
    add("--pattern", default="gpt2", help="gpt2 is the only one that the glued contender knows")
    add("--threads", type=int, default=2)
    add("--contenders", default=",".join(REMARKS))
    add("--repeats", type=int, default=5)
    add("--timeout", type=float, default=1800)
    add("--name", default="sweep", help="of the result files")
    chosen = parser.parse_args()
    unknown = set(harness.names(chosen.contenders)) - set(REMARKS)
    if unknown:
        parser.error(
            f"unknown contenders {', '.join(sorted(unknown))}; known: {', '.join(REMARKS)}"
        )
    return chosen


def languages(chosen: Any, folder: Path) -> Path:
    """Return the folder to evaluate on, cut to --eval-bytes where given."""
    if chosen.eval_bytes is None:
        return Path(chosen.eval)
    files = sorted(chosen.eval.glob("*.txt"))
    target = folder / "eval"
    target.mkdir()
    for file in files:
        harness.material(file, chosen.eval_bytes // len(files), target)
    return target


def jobs(chosen: Any, arguments: Arguments) -> list[Job]:
    """Return a job for each contender that can do this pattern."""
    made = []
    for name in harness.names(chosen.contenders):
        if name == "glue" and chosen.pattern != "gpt2":
            continue
        command = None
        own = arguments
        if name == "toktk-one":
            own = arguments | {"sizes": [max(chosen.sizes)]}
        if name == "toktk-cli":
            if harness.subcommand("sweep") is None:
                harness.say("toktk-cli is left out: this toktk has no `sweep`")
                continue
            # A folder of its own and --force, or it would find the work done.
            command = (
                *(sys.executable, "-m", "toktk", "sweep", "-q", "-f", "json", "-t", "bpe"),
                *("-c", arguments["sample"], "--eval", arguments["eval"], "-p", chosen.pattern),
                *(
                    "--sample-by",
                    "line",
                    "--align-column",
                    "line",
                ),  # without line feeds, as others do
                *("-s", ",".join(map(str, chosen.sizes)), "--jobs", str(chosen.threads)),
                *("-o", "{folder}/run", "--force"),
            )
        made.append(Job(name, name, own, chosen.threads, command))
    return made


def tokens_of(run: Run) -> Counts:
    """Return the token counts of a run; the command line prints records."""
    found = run["figures"]
    if "tokens" in found:
        return dict(found["tokens"])
    counts: Counts = {}
    for record in found["records"]:
        if record["metric"] == "tokens" and record["group"] != "all":
            label = record["tokenizer"].rpartition("-")[2]
            counts.setdefault(str(harness.size(label)), {})[record["group"]] = int(record["value"])
    return counts


def verdict(runs: list[Run], expected: Run) -> str:
    """Say whether tokens, and words and bytes where they are given, equal the reference's."""
    ours = tokens_of(expected)
    differences = []
    for run in runs:
        theirs = tokens_of(run)
        for size, of in theirs.items():
            if set(of) != set(ours[size]):
                differences.append(f"size {size}: other languages")
                continue
            differences += [
                f"{language} at {size}: {n:,} and not {ours[size][language]:,} tokens"
                for language, n in of.items()
                if n != ours[size][language]
            ]
        for what in ("bytes", "words"):
            mine, other = expected["figures"].get(what), run["figures"].get(what)
            if mine and other and mine != other:
                wrong = [language for language in mine if mine[language] != other.get(language)]
                differences.append(f"{what} of {', '.join(wrong)}")
    if differences:
        return f"DIFFERENT in {len(differences)} places, first: {differences[0]}"
    one = tokens_of(runs[0])
    return f"equal: {len(one)} sizes × {len(next(iter(one.values())))} languages"


def time_table(
    todo: list[Job], runs: dict[str, list[Run]], expected: Run | None, title: str
) -> Table:
    """Return the whole job's cost by contender, with the time of each step."""
    table = Table(
        title,
        ("contender", "process start to figures, s", "× toktk", "to its end, s", "CPU, s", "peak, MB",
         "without the import, s", "token counts"),
    )  # fmt: skip
    reference = runs.get("toktk", [])
    for job in todo:
        found = runs[job.label]
        if why := harness.failed(found):
            table.rows.append((job.label, f"failed: {why}", "–", "–", "–", "–", "–", "–"))
            continue
        worked = [harness.working(run) for run in found]
        table.rows.append(
            (
                job.label,
                harness.spread([run["process"]["wall"] for run in found]),
                harness.ratio_cell(found, reference, lambda run: run["process"]["wall"]),
                harness.spread([run["exit"]["wall"] for run in found]) if job.command else "–",
                harness.spread([run["process"]["cpu"] for run in found]),
                harness.spread([run["process"]["peak"] / 1e6 for run in found], 0),
                harness.spread(worked) if all(worked) else "–",
                verdict(found, expected) if expected else "–",
            )
        )
    table.remarks = [f"{job.label}: {REMARKS[job.label]}" for job in todo]
    for job in todo:
        found = runs[job.label]
        if harness.failed(found) or not found[0]["steps"]:
            continue
        parts = [
            f"{name} {harness.median([run['steps'][name] for run in found]):.2f}"
            for name in found[0]["steps"]
        ]
        table.remarks.append(f"Steps of {job.label}, median seconds: {', '.join(parts)}.")
    return table


def sizes_table(runs: dict[str, list[Run]], sizes: list[int]) -> Table | None:
    """Return what a sweep costs beside the largest size alone."""
    many, one = runs.get("toktk", []), runs.get("toktk-one", [])
    if not many or not one or harness.failed(many) or harness.failed(one):
        return None
    table = Table(
        f"{len(sizes)} sizes beside the largest alone, train and measure, in toktk",
        ("measure", f"{len(sizes)} sizes, s", "largest alone, s", "ratio, run by run"),
    )
    for name, measure in (
        ("text to figures, without the import", harness.working),
        ("process start to figures", lambda run: run["process"]["wall"]),
        ("CPU of the process", lambda run: run["process"]["cpu"]),
    ):
        table.rows.append(
            (
                name,
                harness.spread([measure(run) for run in many]),
                harness.spread([measure(run) for run in one]),
                harness.spread(harness.ratios(many, one, measure), 3),
            )
        )
    return table


def figures_table(expected: Run, sizes: list[int]) -> Table:
    """Return the figures themselves, at the smallest and the largest size."""
    found = expected["figures"]
    ends = [str(size) for size in sorted({min(sizes), max(sizes)})]
    kinds = ("bytes/token", "tokens/word", f"tokens/{found['reference']}")
    columns = [f"{kind} at {int(size):,}" for size in ends for kind in kinds]
    table = Table("The figures", ("language", "MB", *columns))
    for language, n in found["bytes"].items():
        cells = [value for size in ends for value in found["table"][size][language]]
        shown = ["–" if value is None else f"{value:.3f}" for value in cells]
        table.rows.append((language, f"{n / 1e6:.2f}", *shown))
    return table


def main() -> None:
    """Run everything that was asked for."""
    chosen = options()
    script = Path(__file__)
    head = harness.facts() | {"command": harness.command_line()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        evaluated = languages(chosen, folder)
        arguments = {
            "sample": str(folder / "sample.txt"),
            "eval": str(evaluated),
            "sizes": chosen.sizes,
            "pattern": chosen.pattern,
            "train_bytes": chosen.train_bytes,
        }
        made = harness.run(script, Job("sample", "sample", arguments), chosen.timeout)
        if "error" in made:
            raise SystemExit(f"the sample failed: {made['error']}")
        text = made["figures"]
        todo = jobs(chosen, arguments)
        harness.say("warming up: kernels are compiled once, the text comes into the page cache")
        ours = [job for job in todo if job.label.startswith("toktk")]
        harness.interleave(script, ours, 1, chosen.timeout)
        runs = harness.interleave(script, todo, chosen.repeats, chosen.timeout)
    mine = runs.get("toktk", [])
    expected = mine[0] if mine and not harness.failed(mine) else None
    title = (
        f"BPE on {text['bytes'] / 1e6:,.1f} MB, {len(chosen.sizes)} sizes of "
        f"{min(chosen.sizes):,} to {max(chosen.sizes):,}, measured on {text['files']} languages, "
        f"{text['eval_bytes'] / 1e6:,.1f} MB; {chosen.pattern}, {chosen.threads} threads"
    )
    tables = [time_table(todo, runs, expected, title)]
    if (beside := sizes_table(runs, chosen.sizes)) is not None:
        tables.append(beside)
    if expected:
        tables.append(figures_table(expected, chosen.sizes))
    harness.report(chosen.name, head, tables, {"text": text, "runs": _slim(runs)})


def _slim(runs: dict[str, list[Run]]) -> dict[str, list[Run]]:
    """Leave out all figures but the first of toktk: the others equal them, or it was said."""
    slim = {label: [dict(run) for run in some] for label, some in runs.items()}
    for label, some in slim.items():
        for i, run in enumerate(some):
            if label != "toktk" or i:
                run.pop("figures", None)
    return slim


if __name__ == "__main__" and not harness.serve(CONTENDERS):
    main()
