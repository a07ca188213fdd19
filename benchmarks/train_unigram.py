"""Training unigram vocabularies: toktk beside SentencePiece and Hugging Face tokenizers.

    python benchmarks/train.py --model unigram --corpus texts/help.txt --sizes 8k,32k,128k --threads 2

Run by train.py, which reads the options; the children run this file. All train on the same lines,
nine in ten of the text, and pieces begin at spaces. What they learned is judged on the tenth lines by
one function, `quality`, for a faster trainer of a worse vocabulary would prove nothing.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import harness
from harness import Figures, Job, Run, Steps, Table

Arguments = dict[str, Any]
Check = Callable[[], Figures]

FAMILY = "8k,16k,32k,50k,64k,100k,128k"
HELD_OUT = 10  # each tenth line
TIMEOUT = 7200.0  # Hugging Face's trainer takes long
UNKNOWN = "<unk>"
REMARKS = {
    "toktk": 'load_corpus, count_corpus(by_group=False, jobs=threads), UnigramTrainer("metaspace").',
    "sentencepiece": "model_type unigram, character_coverage 0.9995, byte fallback, identity "
    "normalization, no dummy prefix, white space kept, no splitting at scripts and numbers, no <s> "
    "and </s>, num_threads=threads.",
    "sentencepiece-scripts": "the same with its defaults split_by_unicode_script and "
    "split_by_number. ITS TOKENS ARE RESTRICTED FURTHER: none holds two scripts, or digits beside "
    "letters.",
    "hf": "UnigramTrainer over the lines without line feeds, cut at spaces by Split; defaults (1M "
    "seeds, shrinking 0.75, 2 sub-iterations, 16 characters). No byte fallback: every character of "
    "the text is in its alphabet, and it has 256 more ids for other tokens. Threads by "
    "RAYON_NUM_THREADS.",
}
MEASURE = (
    "NLL: negative natural log of a held-out piece's probability, summed over its segmentations, mean "
    "over pieces. Scores are renormalized so that the probabilities of the tokens (bytes and special "
    "tokens aside) sum to 1; a character that is no token costs the lowest score less 10. Bytes per "
    "token: on the best path, where such a character counts a token for each of its bytes."
)


def toktk(arguments: Arguments, step: Steps) -> tuple[Figures, Check]:
    """Train with toktk's Python API, one size or several in one training."""
    with step("import"):
        # As in train.py: importing numba is no part of the work, loading kernels from the cache is.
        import toktk.kernels.count
        import toktk.trainers.unigram_state  # noqa: F401
        from toktk.corpus import ReaderOptions, load_corpus
        from toktk.trainers.base import TrainingData
        from toktk.trainers.unigram import UnigramTrainer

    jobs, sizes = arguments["threads"], arguments["sizes"]

    with step("count"):
        trainer = UnigramTrainer("metaspace")
        corpus = load_corpus(
            arguments["file"], ReaderOptions(sample_by="line", align_column="line")
        )
        data = TrainingData(corpus, jobs=jobs)
        table = data.pieces(trainer.pretokenizer)
    with step("train"):
        trained = trainer.train(data, sizes)

    def check() -> Figures:
        if len(trained.tokenizers) < len(sizes):
            raise RuntimeError(f"the text gives {trained.available:,} tokens, not {max(sizes):,}")
        model = max(
            (tokenizer.model for tokenizer in trained.tokenizers), key=lambda m: m.vocab_size
        )
        n = len(model.special_tokens)
        byte_ids = set(model.fallback.tolist())
        scored = zip(model.tokens[n:], model.scores.tolist(), strict=True)
        found = [entry for i, entry in enumerate(scored, n) if i not in byte_ids]
        return {"distinct": len(table), "pieces": int(table.counts.sum())} | _store(
            arguments, found
        )

    return {}, check


def sentencepiece(arguments: Arguments, step: Steps) -> tuple[Figures, Check]:
    """Train with SentencePiece, from the file."""
    with step("import"):
        import sentencepiece
    prefix = str(Path(arguments["store"]).with_suffix(""))
    with step("train"):
        sentencepiece.SentencePieceTrainer.train(
            input=arguments["file"],
            model_prefix=prefix,
            model_type="unigram",
            vocab_size=arguments["sizes"][-1],
            character_coverage=0.9995,
            byte_fallback=True,
            bos_id=-1,
            eos_id=-1,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            split_by_unicode_script=arguments["scripts"],
            split_by_number=arguments["scripts"],
            max_sentence_length=1 << 30,
            num_threads=arguments["threads"],
            minloglevel=2,
        )

    def check() -> Figures:
        model = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
        ids = range(model.vocab_size())
        ordinary = [
            i for i in ids if not (model.is_unknown(i) or model.is_control(i) or model.is_byte(i))
        ]
        pieces = [model.id_to_piece(i).replace("\u2581", " ").encode() for i in ordinary]
        return _store(
            arguments, list(zip(pieces, [model.get_score(i) for i in ordinary], strict=True))
        )

    return {}, check


def hf(arguments: Arguments, step: Steps) -> tuple[Figures, Check]:
    """Train with Hugging Face tokenizers, from the lines."""
    with step("import"):
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    with step("train"):
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(" [^ ]*|[^ ]+"), "isolated")
        trainer = trainers.UnigramTrainer(
            vocab_size=arguments["sizes"][-1],
            special_tokens=[UNKNOWN],
            unk_token=UNKNOWN,
            show_progress=False,
        )
        tokenizer.train_from_iterator(harness.lines(Path(arguments["file"])), trainer)

    def check() -> Figures:
        vocabulary = json.loads(tokenizer.to_str())["model"]["vocab"]
        return _store(
            arguments, [(token.encode(), score) for token, score in vocabulary if token != UNKNOWN]
        )

    return {}, check


def quality(arguments: Arguments, step: Steps) -> tuple[Figures, None]:
    """Judge stored vocabularies on the same held-out pieces; not a contender."""
    import numpy as np

    from toktk.corpus import ReaderOptions, load_corpus
    from toktk.models.unigram import UnigramModel
    from toktk.models.vocabulary import packed
    from toktk.pieces.counting import count_corpus
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    corpus = load_corpus(
        arguments["held_out"], ReaderOptions(sample_by="line", align_column="line")
    )
    pieces = count_corpus(corpus, Pretokenizer.of("metaspace"), by_group=False)
    counts = pieces.counts
    n_pieces, n_bytes = int(counts.sum()), int(counts @ np.diff(pieces.offsets))
    figures: Figures = {"pieces": n_pieces, "distinct": len(pieces), "bytes": n_bytes}
    for label, store in arguments["stores"].items():
        with Path(store).open("rb") as file:
            learned = pickle.load(file)
        scores = np.array(learned["scores"])
        scores -= np.logaddexp.reduce(scores)
        # Everybody gets the same 256 bytes, which text is spelled by only where nothing else fits.
        data, offsets = packed([bytes([b]) for b in range(256)] + learned["tokens"])
        model = UnigramModel(
            (UNKNOWN,), data, offsets, np.concatenate([np.zeros(256), scores]), 1 + np.arange(256)
        )
        ids, ends = model.encode_pieces(pieces.data, pieces.offsets)
        lengths = np.diff(ends, prepend=0)
        by_bytes = np.repeat(counts, lengths)[ids <= 256].sum()
        figures[label] = {
            "nll": -float(counts @ model.log_likelihood(pieces.data, pieces.offsets)) / n_pieces,
            "bytes_per_token": n_bytes / int(counts @ lengths),
            "tokens": int(counts @ lengths),
            "bytes_as_tokens": int(by_bytes),
            "lowest_score": float(scores.min()),
        }
    return figures, None


CONTENDERS: dict[str, harness.Contender] = {
    "toktk": toktk,
    "sentencepiece": sentencepiece,
    "sentencepiece-scripts": sentencepiece,
    "hf": hf,
    "quality": quality,
}


def _store(arguments: Arguments, scored: Sequence[tuple[bytes, float]]) -> Figures:
    """Store tokens and scores for `quality`; return their hash, which must not change."""
    tokens, scores = [token for token, _ in scored], [float(score) for _, score in scored]
    with Path(arguments["store"]).open("wb") as file:
        pickle.dump({"tokens": tokens, "scores": scores}, file)
    digest = hashlib.sha256(repr(sorted(zip(tokens, scores, strict=True))).encode()).hexdigest()
    return {"digest": digest, "tokens": len(tokens)}


# The parent ---------------------------------------------------------------------------------------


def divide(file: Path, folder: Path) -> tuple[Path, Path]:
    """Write each tenth line to one file and the others to another; return (others, tenths)."""
    others, tenths = folder / f"{file.stem}-train.txt", folder / f"{file.stem}-held-out.txt"
    with file.open("rb") as read, others.open("wb") as most, tenths.open("wb") as few:
        for i, line in enumerate(read, 1):
            (most if i % HELD_OUT else few).write(line)
    return others, tenths


def jobs(file: Path, size: int, threads: int, chosen: Any, store: Path) -> list[Job]:
    """Return a job for each contender, and for all sizes of the family where `size` is its largest."""
    made = []
    for name in harness.names(chosen.contenders):
        plans = {name: [size]}
        if name == "toktk" and len(chosen.family) > 1 and chosen.family[-1] == size:
            plans[f"toktk, {len(chosen.family)} sizes"] = chosen.family
        for label, sizes in plans.items():
            arguments = {
                "file": str(file),
                "sizes": sizes,
                "scripts": name == "sentencepiece-scripts",
                "store": str(store / f"{label}.pickle"),
            }
            made.append(Job(label, name, arguments, threads))
    return made


def take_turns(script: Path, todo: Sequence[Job], chosen: Any) -> dict[str, list[Run]]:
    """Run all jobs in turn, those of `--once` in the first turn only."""
    once = harness.names(chosen.once)
    runs = harness.interleave(script, todo, 1, chosen.timeout)
    again = [
        job for job in todo if job.contender not in once and not harness.failed(runs[job.label])
    ]
    for label, more in harness.interleave(
        script, again, chosen.repeats - 1, chosen.timeout
    ).items():
        runs[label] += more
    return runs


def row(job: Job, runs: list[Run], reference: list[Run], judged: Figures) -> tuple[str, ...]:
    """Return a contender's row."""
    why = harness.failed(runs)
    if why:
        return (job.label, f"failed: {why}", *["–"] * 9)

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
        *_quality_cells(judged.get(job.label), judged.get("sentencepiece")),
    )


def _quality_cells(own: Figures | None, other: Figures | None) -> tuple[str, ...]:
    """Return NLL and its difference to SentencePiece's, bytes per token and theirs."""
    cells = []
    for measure in ("nll", "bytes_per_token"):
        cells.append(f"{own[measure]:.4f}" if own else "–")
        both = own and other
        cells.append(f"{100 * (own[measure] / other[measure] - 1):+.2f}" if both else "–")
    return tuple(cells)


def remarks(
    todo: Sequence[Job], runs: dict[str, list[Run]], facts: Figures, judged: Figures
) -> list[str]:
    """Return what a reader of the table must know."""
    found = [f"{job.label}: {REMARKS[job.label]}" for job in todo if job.label in REMARKS]
    digests = {
        job.label: {run["figures"]["digest"] for run in runs[job.label]}
        for job in todo
        if not harness.failed(runs[job.label])
    }
    for job in todo:
        if len(digests.get(job.label, ())) > 1:
            found.append(f"{job.label}: VOCABULARIES DIFFER FROM RUN TO RUN; the last is judged.")
        sizes = job.arguments["sizes"]
        if len(sizes) > 1 and job.label in digests:
            same = "equals" if digests[job.label] == digests.get("toktk") else "DIFFERS FROM"
            listed = ", ".join(f"{size:,}" for size in sizes)
            found.append(
                f"{job.label}: {listed} from one training; the ratio is to the largest alone. "
                f"The largest vocabulary {same} that of its own training."
            )
    if judged:
        unknown = [
            f"{label} {judged[label]['bytes_as_tokens']:,}" for label in digests if label in judged
        ]
        found.append(
            f"Held out: {facts['held_out']['bytes'] / 1e6:,.1f} MB, {judged['pieces']:,} pieces "
            f"({judged['distinct']:,} distinct). {MEASURE} So spelled, in bytes: "
            f"{'; '.join(unknown)}."
        )
    return found


def one_table(
    script: Path, facts: Figures, files: tuple[Path, Path | None], size: int, threads: int,
    chosen: Any,
) -> tuple[Table, dict[str, Any]]:  # fmt: skip
    """Run one text, size and thread count through all contenders, then judge what they learned."""
    table = Table(
        f"{facts['name']}, {facts['bytes'] / 1e6:,.1f} MB, unigram, {size:,} ids, "
        f"{threads} thread{'s' * (threads > 1)}",
        ("trainer", "text to vocabulary, s", "× toktk", "process CPU, s", "peak, MB", "import, s",
         "process, s", "NLL per held-out piece", "% to SentencePiece's", "bytes per token",
         "% to SentencePiece's"),
    )  # fmt: skip
    harness.say(table.title)
    with tempfile.TemporaryDirectory() as folder:
        todo = jobs(files[0], size, threads, chosen, Path(folder))
        runs = take_turns(script, todo, chosen)
        stores = {
            job.label: job.arguments["store"] for job in todo if not harness.failed(runs[job.label])
        }
        judge = Job("quality", "quality", {"held_out": str(files[1]), "stores": stores})
        found = harness.run(script, judge, chosen.timeout) if files[1] and stores else {}
    if "error" in found:
        table.remarks.append(f"Quality failed: {found['error']}")
    judged = found.get("figures", {})
    table.rows = [row(job, runs[job.label], runs.get("toktk", []), judged) for job in todo]
    table.remarks += remarks(todo, runs, facts, judged)
    return table, {"text": facts, "size": size, "threads": threads, "quality": found, "runs": runs}


def tables(chosen: Any) -> tuple[list[Table], list[dict[str, Any]]]:
    """Run everything that was asked for."""
    script = Path(__file__)
    made, raw = [], []
    with tempfile.TemporaryDirectory() as name:
        for corpus in chosen.corpus:
            folder = Path(tempfile.mkdtemp(dir=name))
            files: tuple[Path, Path | None] = (
                harness.material(corpus, chosen.bytes, folder),
                None,
            )
            if chosen.held_out:
                files = divide(files[0], folder)
            facts = harness.text_facts(files[0])
            if files[1]:
                facts["held_out"] = harness.text_facts(files[1])
            warm_up = [
                job
                for job in jobs(files[0], chosen.sizes[0], chosen.threads[-1], chosen, folder)
                if job.label == "toktk"
            ]
            if not made:
                harness.say("warming up (kernels are compiled once, not in a timed run)")
                harness.interleave(script, warm_up, 1, chosen.timeout)
            for size in chosen.sizes:
                for threads in chosen.threads:
                    table, found = one_table(script, facts, files, size, threads, chosen)
                    made.append(table)
                    raw.append(found)
    return made, raw


if __name__ == "__main__" and not harness.serve(CONTENDERS):
    raise SystemExit("run benchmarks/train.py --model unigram")
