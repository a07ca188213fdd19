"""The jobs of `guard.py`: commands of toktk, and work within one process, which this file runs.

    python benchmarks/guard_jobs.py NAME FOLDER THREADS    # prints seconds of the work alone, as JSON

What is imported from toktk here is looked for in both checkouts: an older one may lack it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RUN = ("-q", "-f", "json", "--force", "--jobs", "{threads}", "-o", "{run}")


@dataclass(frozen=True)
class Job:
    """A job: the process `toktk` with these words, or, without any, the function of its name below.

    Attributes:
        what: what it does, for people.
        cold: it begins with a cache that holds kernels alone.
        times: that a run starts the process; a short one is noisy.
    """

    name: str
    what: str
    words: tuple[str, ...] = ()
    cold: bool = False
    times: int = 1


JOBS = (
    Job("help", "toktk --help, 8 times", ("--help",), times=8),
    Job(
        "bench-warm",
        "bench of a tokenizer that toktk knows, 1 MB, with its page",
        ("bench", "{made}/bpe.json", "-c", "{made}/small.txt", "--no-throughput", *RUN),
    ),
    Job(
        "bench-cold",
        "bench of three tokenizers that it does not know",
        (
            *("bench", "{made}/bpe.json", "spm:{made}/unigram.model", "spm:{made}/llama.model"),
            *("-c", "{made}/small.txt", "--no-throughput", "--no-page", *RUN),
        ),
        cold=True,
    ),
    Job(
        "sweep",
        "sweep of two trainers and two sizes on the parallel texts",
        ("sweep", "-c", "{made}/parallel", "-s", "4k,8k", "--no-page", *RUN),
    ),
    Job(
        "train-bpe",
        "BPE of 32,000 ids from 3 MB",
        ("train", "-c", "{made}/texts", "-s", "32k", "--no-page", *RUN),
    ),
    Job(
        "train-unigram",
        "unigram of 8,000 ids from 3 MB",
        ("train", "-c", "{made}/texts", "-t", "unigram", "-s", "8k", "--no-page", *RUN),
    ),
    Job("cut", "pieces of 1 MB in memory, pattern o200k, 600 times"),
    Job("count", "distinct pieces of 3 MB in files, pattern o200k, 16 times"),
    Job("encode-long", "long documents to ids, text that is new to the tokenizer, 6 times"),
    Job("encode-short", "documents of a line to ids, text that it has seen, 32 times"),
)


class Clock:
    """Seconds by the clock and of CPU, of all that ran within it."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add what the block takes."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu


def cut(made: Path, threads: int, clock: Clock) -> None:
    """Cut one text again and again."""
    from toktk.pretokenizers.pretokenizer import Pretokenizer
    from toktk.texts import flat

    documents = flat((made / "small.txt").read_text(encoding="utf-8").split("\n"))
    pretokenizer = Pretokenizer.of("o200k")
    pretokenizer.cut_batch(*documents)
    with clock.running():
        for _ in range(600):
            pretokenizer.cut_batch(*documents)


def count(made: Path, threads: int, clock: Clock) -> None:
    """Read and count the texts, each time from an empty table."""
    from toktk import load_corpus
    from toktk.pieces.counting import count_corpus
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    corpus, pretokenizer = load_corpus(made / "texts"), Pretokenizer.of("o200k")
    count_corpus(load_corpus(made / "small.txt"), pretokenizer, jobs=threads)
    with clock.running():
        for _ in range(16):
            count_corpus(corpus, pretokenizer, jobs=threads)


def encode_long(made: Path, threads: int, clock: Clock) -> None:
    """Encode long documents, each time with a tokenizer that has seen no text but a few words."""
    import toktk

    documents = json.loads((made / "long.json").read_text(encoding="utf-8"))
    for _ in range(6):
        tokenizer = toktk.load(str(made / "bpe.json"))
        tokenizer.encode_batch(["a few words"], jobs=threads)
        with clock.running():
            tokenizer.encode_batch(documents, jobs=threads)


def encode_short(made: Path, threads: int, clock: Clock) -> None:
    """Encode lines with a tokenizer that has seen them."""
    import toktk

    documents = json.loads((made / "short.json").read_text(encoding="utf-8"))
    tokenizer = toktk.load(str(made / "bpe.json"))
    tokenizer.encode_batch(documents, jobs=threads)
    with clock.running():
        for _ in range(32):
            tokenizer.encode_batch(documents, jobs=threads)


WORK: dict[str, Callable[[Path, int, Clock], None]] = {
    "cut": cut,
    "count": count,
    "encode-long": encode_long,
    "encode-short": encode_short,
}

if __name__ == "__main__":
    clock = Clock()
    WORK[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]), clock)
    json.dump(vars(clock), sys.stdout)
