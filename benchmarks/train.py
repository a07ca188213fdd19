"""Training: toktk beside the trainers of the field, on the same text, pattern and size.

    python benchmarks/train.py --corpus help33/ --corpus code.txt --threads 1,2
    python benchmarks/train.py --corpus help33/ --patterns gpt2,cl100k,o200k --contenders toktk,hf
    python benchmarks/train.py --peak code.txt
    python benchmarks/train.py --model unigram --corpus help.txt --sizes 8k,32k,128k --threads 2

The text is UTF-8, a document a line. Where a trainer reads the file itself and keeps the line feed,
or has an alphabet or a pretokenizer of its own, its row says so. Here is BPE; train_unigram.py has the
unigram contenders.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import train_unigram
from harness import Figures, Job, Run, Steps, Table

Arguments = dict[str, Any]
Check = Callable[[], Figures]
Pair = tuple[bytes, bytes]

REMARKS = {
    "toktk": "load_corpus, count_corpus(by_group=False, jobs=threads), BpeTrainer. Counting uses "
    "the threads, merging one.",
    "hf": "Tokenizer.train_from_iterator over the lines without line feeds, whole byte alphabet; "
    "threads by RAYON_NUM_THREADS.",
    "hf-files": "Tokenizer.train(files): lines keep their line feed, which is then a piece, or "
    "part of one. Threads by RAYON_NUM_THREADS.",
    "gigabpe": "gpt2 only. Lines keep their line feed. Its alphabet is the bytes seen, not all "
    "256, so it is asked for as many ids fewer; then the number of merges is the same.",
    "gigatoken": "gpt2 only. train_bpe with a line feed as separator; threads by "
    "RAYON_NUM_THREADS.",
    "rustbpe": "train_from_iterator over the lines without line feeds. Gives tokens by rank, no "
    "pairs; ids of bytes are their values, so ties fall differently. Threads by RAYON_NUM_THREADS.",
    "bpeasy": "train_bpe over the lines without line feeds. Gives tokens by rank, no pairs. No "
    "option for threads; RAYON_NUM_THREADS is set.",
    "sentencepiece": "NOT THE SAME TASK: characters instead of bytes, with byte fallback, and its "
    "own pretokenization; no comparison of merges makes sense. num_threads=threads.",
}
GPT2_ONLY = ("gigabpe", "gigatoken")
ANY_PATTERN = ("sentencepiece",)


def toktk(arguments: Arguments, step: Steps) -> tuple[Figures, Check]:
    """Train with toktk's Python API."""
    with step("import"):
        # toktk imports numba when it is first needed; here that is not part of the work, as a
        # compiled peer's import is not. Loading the compiled kernels from the cache is.
        import toktk.kernels.count
        import toktk.trainers.merge_loop  # noqa: F401
        from toktk.corpus import ReaderOptions, load_corpus
        from toktk.pieces.counting import count_corpus
        from toktk.trainers.base import TrainingData
        from toktk.trainers.bpe import BpeTrainer

    with step("count"):
        trainer = BpeTrainer(arguments["pattern"])
        corpus = load_corpus(
            arguments["file"], ReaderOptions(sample_by="line", align_column="line")
        )
        count = functools.partial(count_corpus, corpus, jobs=arguments["threads"], by_group=False)
        tables = [count(trainer.pretokenizer)]
        figures = {"distinct": len(tables[0]), "pieces": int(tables[0].counts.sum())}
    with step("merge"):
        # Handed over, as the command does, which has it in its store.
        data = TrainingData(corpus, lambda cut: tables.pop() if tables else count(cut))
        (tokenizer,) = trainer.train(data, [arguments["size"]]).tokenizers

    def check() -> Figures:
        tokens = tokenizer.model.tokens
        pairs = [(tokens[a], tokens[b]) for a, b, _ in tokenizer.model.merges.tolist()]
        ids = {token: i for i, token in enumerate(tokens)}
        return figures | _store(arguments, tokens[256:], pairs, ids)

    return {}, check


def hf(arguments: Arguments, step: Steps) -> tuple[Figures, Check]:
    """Train with Hugging Face tokenizers, from the lines or from the file."""
    with step("import"):
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    with step("train"):
        tokenizer = Tokenizer(models.BPE())
        if arguments["pattern"] == "gpt2":
            cut = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        else:
            cut = pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Split(Regex(_portable(arguments)), "isolated"),
                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
                ]
            )
        tokenizer.pre_tokenizer = cut
        trainer = trainers.BpeTrainer(
            vocab_size=arguments["size"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        if arguments["from_file"]:
            tokenizer.train([arguments["file"]], trainer)
        else:
            tokenizer.train_from_iterator(harness.lines(Path(arguments["file"])), trainer)

    def check() -> Figures:
        import json

        model = json.loads(tokenizer.to_str())["model"]
        return _store_strings(arguments, model["vocab"], model["merges"])

    return {}, check


def gigabpe(arguments: Arguments, step: Steps) -> tuple[Figures, Check]:
    """Train with gigabpe, from the file."""
    with step("import"):
        import gigabpe
    with step("train"):
        vocabulary, merges = gigabpe.train_bpe(
            [arguments["file"]],
            arguments["size"] - 256 + arguments["distinct_bytes"],
            pretokenizer="bytelevel",
            special_tokens=[],
            threads=arguments["threads"],
        )
    return {}, lambda: _store_strings(arguments, vocabulary, merges)


def gigatoken(arguments: Arguments, step: Steps) -> tuple[Figures, Check]:
    """Train with gigatoken, from the file."""
    with step("import"):
        import gigatoken
    with step("train"):
        source = gigatoken.TextFileSource([arguments["file"]], separator="\n")
        vocabulary, pairs = gigatoken.train_bpe(source, arguments["size"], [])

    def check() -> Figures:
        merged = {left + right for left, right in pairs}
        ordered = [token for _, token in sorted(vocabulary.items()) if token in merged]
        ids = {token: i for i, token in vocabulary.items()}
        return _store(arguments, ordered, pairs, ids)

    return {}, check


def rustbpe(arguments: Arguments, step: Steps) -> tuple[Figures, Check]:
    """Train with rustbpe."""
    with step("import"):
        import rustbpe
    with step("train"):
        tokenizer = rustbpe.Tokenizer()
        tokenizer.train_from_iterator(
            harness.lines(Path(arguments["file"])), arguments["size"], pattern=_portable(arguments)
        )

    def check() -> Figures:
        ids = {bytes(token): rank for token, rank in tokenizer.get_mergeable_ranks()}
        return _store(arguments, _by_rank(ids), None, ids)

    return {}, check


def bpeasy(arguments: Arguments, step: Steps) -> tuple[Figures, Check]:
    """Train with bpeasy."""
    with step("import"):
        import bpeasy
    with step("train"):
        ids = bpeasy.train_bpe(
            harness.lines(Path(arguments["file"])), _portable(arguments), 1 << 30, arguments["size"]
        )
    return {}, lambda: _store(arguments, _by_rank(ids), None, ids)


def sentencepiece(arguments: Arguments, step: Steps) -> tuple[Figures, Check]:
    """Train with SentencePiece's BPE, its own way."""
    with step("import"):
        import sentencepiece
    prefix = str(Path(arguments["store"]).with_suffix(""))
    with step("train"):
        sentencepiece.SentencePieceTrainer.train(
            input=arguments["file"],
            model_prefix=prefix,
            model_type="bpe",
            vocab_size=arguments["size"],
            character_coverage=1.0,
            byte_fallback=True,
            normalization_rule_name="identity",
            max_sentence_length=1 << 30,
            num_threads=arguments["threads"],
            minloglevel=2,
        )
    return {}, lambda: {"digest": hashlib.sha256(Path(f"{prefix}.model").read_bytes()).hexdigest()}


def compare(arguments: Arguments, step: Steps) -> tuple[Figures, None]:
    """Compare stored merges with toktk's; not a contender."""
    with Path(arguments["reference"]).open("rb") as file:
        ours = pickle.load(file)
    with Path(arguments["store"]).open("rb") as file:
        theirs = pickle.load(file)
    kind = "tokens" if theirs["pairs"] is None else "pairs"
    a, b = ours[kind], theirs[kind]
    shorter = min(len(a), len(b))
    common = next((i for i in range(shorter) if a[i] != b[i]), shorter)
    same_set = len(set(ours["tokens"]) & set(theirs["tokens"]))
    return {
        "kind": kind,
        "ours": len(a),
        "theirs": len(b),
        "common": common,
        "shared_tokens": same_set,
        "same_ids": ours["ids"] == theirs["ids"],
        "same_merged_ids": _merged(ours["ids"]) == _merged(theirs["ids"]),
    }, None


CONTENDERS: dict[str, harness.Contender] = {
    "toktk": toktk,
    "hf": hf,
    "hf-files": hf,
    "gigabpe": gigabpe,
    "gigatoken": gigatoken,
    "rustbpe": rustbpe,
    "bpeasy": bpeasy,
    "sentencepiece": sentencepiece,
    "compare": compare,
}


def _portable(arguments: Arguments) -> str:
    from toktk.pretokenizers.pretokenizer import Pretokenizer
    from toktk.pretokenizers.syntax import portable

    return portable(Pretokenizer.of(arguments["pattern"]).pattern)


def _merged(ids: dict[bytes, int]) -> dict[bytes, int]:
    return {token: i for token, i in ids.items() if len(token) > 1}


def _by_rank(ids: dict[bytes, int]) -> list[bytes]:
    """Return the tokens above the 256 bytes in the order of their ids."""
    return [token for token, rank in sorted(ids.items(), key=lambda item: item[1]) if rank > 255]


def _store_strings(arguments: Arguments, vocabulary: dict[str, int], merges: Any) -> Figures:
    """Store a byte-level vocabulary written in GPT-2's characters."""
    from toktk.models.bpe import byte_characters

    byte_of = {ord(character): b for b, character in enumerate(byte_characters())}

    def raw(token: str) -> bytes:
        return token.translate(byte_of).encode("latin-1")

    pairs = [(raw(left), raw(right)) for left, right in merges]
    ids = {raw(token): i for token, i in vocabulary.items()}
    ordered = [token for token, _ in sorted(ids.items(), key=lambda item: item[1])]
    return _store(arguments, [token for token in ordered if len(token) > 1], pairs, ids)


def _store(
    arguments: Arguments, tokens: list[bytes], pairs: list[Pair] | None, ids: dict[bytes, int]
) -> Figures:
    """Store what was learned for `compare`; return its hash, which must not change between runs."""
    pairs = None if pairs is None else [(bytes(a), bytes(b)) for a, b in pairs]
    learned = {"tokens": tokens, "pairs": pairs, "ids": ids}
    with Path(arguments["store"]).open("wb") as file:
        pickle.dump(learned, file)
    digest = hashlib.sha256(repr((tokens, pairs, sorted(ids.items()))).encode()).hexdigest()
    return {"digest": digest, "merges": len(tokens if pairs is None else pairs)}


# The parent ---------------------------------------------------------------------------------------


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--model", choices=("bpe", "unigram"), default="bpe")
    add("--corpus", action="append", type=Path, default=[], help="text file, or folder of .txt")
    add("--bytes", type=harness.size, help="use this much of each corpus, such as 20M")
    add("--size", type=harness.size, default=128_000, help="vocabulary size (128k)")
    add("--sizes", type=harness.sizes, help="unigram: a table for each, instead of --size")
    add("--patterns", default="gpt2", help="bpe: of gpt2, cl100k, o200k, …; comma-separated")
    add("--threads", type=harness.sizes, default=[1, 2], help="thread counts (1,2)")
    add("--contenders", help="comma-separated; all but hf-files")
    add("--repeats", type=int, default=5)
    add("--timeout", type=float, help="seconds for one run (1800, unigram 7200)")
    add("--once", default="", help="unigram: run these contenders once, not --repeats times")
    add(
        "--held-out",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="unigram: keep each tenth line from training and judge the vocabularies on them",
    )
    add(
        "--family",
        type=harness.sizes,
        default=train_unigram.FAMILY,
        help=f"unigram: toktk trains these at once too, beside the largest ({train_unigram.FAMILY})",
    )
    add("--peak", type=Path, help="one large file, toktk alone")
    add("--name", help="of the result files (train, train-peak or train-unigram)")
    chosen = parser.parse_args()
    if chosen.peak:
        chosen.corpus, chosen.contenders = [chosen.peak], "toktk"
    if not chosen.corpus:
        parser.error("give --corpus or --peak")
    unigram = chosen.model == "unigram"
    known = list(train_unigram.REMARKS if unigram else REMARKS)
    chosen.contenders = chosen.contenders or ",".join(n for n in known if n != "hf-files")
    chosen.timeout = chosen.timeout or (train_unigram.TIMEOUT if unigram else 1800.0)
    if chosen.sizes and not unigram:
        parser.error("--sizes goes with --model unigram; BPE has one --size")
    chosen.sizes = chosen.sizes or [chosen.size]
    unknown = set(harness.names(f"{chosen.contenders},{chosen.once}")) - set(known)
    if unknown:
        parser.error(f"unknown contenders {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    return chosen


def jobs(
    file: Path, facts: dict[str, Any], pattern: str, threads: int, chosen: Any, store: Path
) -> list[Job]:
    """Return a job for each contender that can do this pattern."""
    made = []
    for name in harness.names(chosen.contenders):
        if name in GPT2_ONLY and pattern != "gpt2":
            continue
        if name in ANY_PATTERN and pattern != harness.names(chosen.patterns)[0]:
            continue
        arguments = {
            "file": str(file),
            "pattern": pattern,
            "size": chosen.size,
            "distinct_bytes": facts["distinct_bytes"],
            "from_file": name == "hf-files",
            "store": str(store / f"{name}.pickle"),
        }
        made.append(Job(name, name, arguments, threads))
    return made


def equality(script: Path, job: Job, runs: list[Run], reference: Path, timeout: float) -> Figures:
    """Compare a contender's merges with toktk's in a process of its own."""
    stable = len({run["figures"]["digest"] for run in runs}) == 1
    if job.contender in ANY_PATTERN or job.contender == "toktk" or not reference.exists():
        return {"stable": stable}
    asked = Job("compare", "compare", {"reference": str(reference), **job.arguments})
    return {"stable": stable} | harness.run(script, asked, timeout)["figures"]


def verdict(found: Figures) -> str:
    """Say in a few words what `equality` found."""
    unstable = "" if found["stable"] else "; DIFFERS FROM RUN TO RUN"
    if "kind" not in found:
        return ("–" if found["stable"] else "") + unstable.removeprefix("; ")
    n, what = max(found["ours"], found["theirs"]), found["kind"]
    if found["common"] == n:
        text = f"all {n:,} {what} equal"
    else:
        text = f"first {found['common']:,} of {n:,} {what} equal"
        text += f" ({found['shared_tokens']:,} tokens in common)"
    if found["same_ids"]:
        ids = "all ids equal"
    else:
        ids = "ids equal but those of bytes" if found["same_merged_ids"] else "ids differ"
    return f"{text}, {ids}{unstable}"


def row(job: Job, runs: list[Run], reference: list[Run], found: Figures | None) -> tuple[str, ...]:
    """Return a contender's row."""
    why = harness.failed(runs)
    if why or found is None:
        return (job.label, f"failed: {why}", "–", "–", "–", "–", "–", "–", "–")

    def cell(measure: Callable[[Run], float], digits: int = 2) -> str:
        return harness.spread([measure(run) for run in runs], digits)

    return (
        job.label,
        cell(harness.working),
        harness.ratio_cell(runs, reference, harness.working),
        cell(lambda run: run["process"]["cpu"]),
        cell(lambda run: run["process"]["peak"] / 1e6, 0),
        cell(lambda run: run["steps"]["import"]),
        cell(lambda run: run["process"]["wall"]),
        f"{runs[0]['figures'].get('merges', 0):,}" if job.contender not in ANY_PATTERN else "–",
        verdict(found),
    )


def one_table(
    script: Path, file: Path, facts: dict[str, Any], pattern: str, threads: int, chosen: Any
) -> tuple[Table, dict[str, Any]]:
    """Run one text, pattern and thread count through all contenders."""
    table = Table(
        f"{facts['name']}, {facts['bytes'] / 1e6:,.1f} MB, {pattern}, {chosen.size:,} ids, "
        f"{threads} thread{'s' * (threads > 1)}",
        ("trainer", "text to merges, s", "× toktk", "process CPU, s", "peak, MB", "import, s",
         "process, s", "merges", "against toktk's"),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        todo = jobs(file, facts, pattern, threads, chosen, store)
        warm_up = [job for job in todo if job.contender == "toktk"]
        harness.say(f"{table.title}: warming up (kernels are compiled once, not in a timed run)")
        harness.interleave(script, warm_up, 1, chosen.timeout)
        runs = harness.interleave(script, todo, chosen.repeats, chosen.timeout)
        checks = {
            job.label: equality(
                script, job, runs[job.label], store / "toktk.pickle", chosen.timeout
            )
            for job in todo
            if not harness.failed(runs[job.label])
        }
    reference = runs.get("toktk", [])
    table.rows = [row(job, runs[job.label], reference, checks.get(job.label)) for job in todo]
    table.remarks = [f"{job.label}: {REMARKS[job.label]}" for job in todo]
    if facts["ragged_lines"]:
        table.remarks.append(
            f"{facts['ragged_lines']:,} of {facts['lines']:,} lines end in white space; there the "
            "trainers that keep the line feed see other pieces, so their merges may differ."
        )
    raw = {"text": facts, "pattern": pattern, "threads": threads, "checks": checks, "runs": runs}
    return table, raw


def bpe_tables(chosen: Any) -> tuple[list[Table], list[dict[str, Any]]]:
    """Run everything that was asked for."""
    script = Path(__file__)
    tables, raw = [], []
    with tempfile.TemporaryDirectory() as folder:
        for corpus in chosen.corpus:
            file = harness.material(corpus, chosen.bytes, Path(folder))
            facts = harness.text_facts(file)
            for pattern in harness.names(chosen.patterns):
                for threads in chosen.threads:
                    table, found = one_table(script, file, facts, pattern, threads, chosen)
                    tables.append(table)
                    raw.append(found)
    return tables, raw


def main() -> None:
    """Run the chosen model's tables and write them."""
    chosen = options()
    unigram = chosen.model == "unigram"
    head = harness.facts() | {"command": harness.command_line()}
    tables, raw = train_unigram.tables(chosen) if unigram else bpe_tables(chosen)
    name = "train-unigram" if unigram else "train"
    harness.report(chosen.name or name + "-peak" * bool(chosen.peak), head, tables, raw)


if __name__ == "__main__" and not harness.serve(CONTENDERS):
    main()
