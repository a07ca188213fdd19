"""Cutting text into pieces, and counting the distinct ones: MB/s on one thread, in memory.

    python benchmarks/pretokenize.py --corpus help33/ --corpus code.txt --bytes 20M

A contender runs in a process of its own: one pass to warm up, then passes one after the other,
each timed alone, until both --passes and --seconds are reached; the process reports the median.
The table gives the median of the processes. The output, piece ends or piece strings, is made within
the time.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import harness
from harness import Figures, Job, Run, Steps, Table

Arguments = dict[str, Any]
Work = Callable[[], Any]
Check = Callable[[Any], Figures]

CUT = {
    "toktk cut": "kernels.scanning.cut_batch; output: int64 piece ends",
    "regex cut": "regex.findall; output: list of str",
    "hf cut": "Split(…).pre_tokenize_str; output: list of (str, span)",
    "gigatoken cut": "gigatoken.pretokenizer; output: list of bytes; gpt2 only",
}
COUNT = {
    "toktk count": "count_corpus from an empty table, text in Arrow batches",
    "regex count": "Counter.update(regex.findall)",
    "gigatoken count": "gigatoken_rs.pretokenized_counts; output: list of (bytes, count); "
    "gpt2 only",
    "gigabpe count": "train_bpe to 300 ids from the file: reads, counts and makes a few merges; "
    "gpt2 only, lines only",
}
GPT2_ONLY = ("gigatoken cut", "gigatoken count", "gigabpe count")
LINES_ONLY = ("gigabpe count",)
REMARKS = (
    "lines: every line is a document, without its line feed. whole: the file is one document. "
    "A number: documents of so many characters.",
    "tiktoken, rustbpe and bpeasy do not show their pieces, Hugging Face tokenizers counts none, "
    "gigabpe has no call that only counts.",
)


def passes(arguments: Arguments, work: Work, check: Check) -> tuple[Figures, Callable[[], Figures]]:
    """Time `work` again and again, and check its last output when the clock has stopped."""
    work()
    seconds: list[float] = []
    while len(seconds) < arguments["passes"] or sum(seconds) < arguments["seconds"]:
        start = time.perf_counter()
        output = work()
        seconds.append(time.perf_counter() - start)
        if len(seconds) < arguments["passes"] or sum(seconds) < arguments["seconds"]:
            del output  # freed outside the time, and never two outputs at once
    return {"seconds": seconds}, lambda: check(output)


def toktk_cut(arguments: Arguments, step: Steps) -> tuple[Figures, Callable[[], Figures]]:
    """Cut with toktk's kernel."""
    import numpy as np

    from toktk.kernels.scan import cut_batch, workspace
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    data, offsets = _documents(arguments)
    transducer = Pretokenizer.of(arguments["pattern"]).compile()
    if transducer is None:
        raise SystemExit(f"the pattern {arguments['pattern']} does not compile")
    tables, scratch = transducer.tables, workspace()
    firsts = np.empty(offsets.size, dtype=np.int64)

    def work() -> Any:
        ends = np.empty(data.size, dtype=np.int64)
        n = cut_batch(data, offsets, tables, scratch, ends, firsts)
        return ends[:n]

    return passes(arguments, work, lambda ends: _ends(ends))


def regex_cut(arguments: Arguments, step: Steps) -> tuple[Figures, Callable[[], Figures]]:
    """Cut with the regex library."""
    import regex

    find = regex.compile(_pattern(arguments)).findall
    texts = _texts(arguments)
    return passes(arguments, lambda: [find(text) for text in texts], _strings)


def hf_cut(arguments: Arguments, step: Steps) -> tuple[Figures, Callable[[], Figures]]:
    """Cut with Hugging Face's Split."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import Split

    from toktk.pretokenizers.syntax import portable

    cut = Split(Regex(portable(_pattern(arguments))), "isolated").pre_tokenize_str
    texts = _texts(arguments)
    return passes(
        arguments,
        lambda: [cut(text) for text in texts],
        lambda found: _strings([[piece for piece, _ in pieces] for pieces in found]),
    )


def gigatoken_cut(arguments: Arguments, step: Steps) -> tuple[Figures, Callable[[], Figures]]:
    """Cut with gigatoken's pretokenizer."""
    import gigatoken

    texts = [text.encode() for text in _texts(arguments)]
    return passes(
        arguments, lambda: [list(gigatoken.pretokenizer(text)) for text in texts], _byte_strings
    )


def toktk_count(arguments: Arguments, step: Steps) -> tuple[Figures, Callable[[], Figures]]:
    """Count with toktk, from Arrow batches in memory."""
    from toktk.corpus import Corpus, ReaderOptions, load_corpus
    from toktk.pieces.counting import count_corpus
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    options = ReaderOptions(sample_by="document")
    if arguments["documents"] == "lines":  # without line feeds
        options = ReaderOptions(sample_by="line", align_column="line")
    source = load_corpus(arguments["file"], options)
    import pyarrow as pa

    # A batch is valid until the next one is read, so keep a copy.
    batches = [pa.RecordBatch.from_arrays(_copied(b), schema=b.schema) for b in source.batches()]

    class InMemory(Corpus):
        def batches(self, progress: Any = None) -> Iterator[Any]:
            yield from batches

    corpus = InMemory("in memory", [])
    pretokenizer = Pretokenizer.of(arguments["pattern"])

    def check(table: Any) -> Figures:
        return {"distinct": len(table), "pieces": int(table.counts.sum())}

    return passes(
        arguments, lambda: count_corpus(corpus, pretokenizer, jobs=1, by_group=False), check
    )


def regex_count(arguments: Arguments, step: Steps) -> tuple[Figures, Callable[[], Figures]]:
    """Count with the regex library and a Counter."""
    from collections import Counter

    import regex

    find = regex.compile(_pattern(arguments)).findall
    texts = _texts(arguments)

    def work() -> Any:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(find(text))
        return counts

    return passes(arguments, work, lambda c: {"distinct": len(c), "pieces": sum(c.values())})


def gigatoken_count(arguments: Arguments, step: Steps) -> tuple[Figures, Callable[[], Figures]]:
    """Count with gigatoken's internal function."""
    from gigatoken import gigatoken_rs

    text = Path(arguments["file"]).read_bytes()
    separator = b"\n" if arguments["documents"] == "lines" else None
    return passes(
        arguments,
        lambda: gigatoken_rs.pretokenized_counts(text, separator),
        lambda counts: {"distinct": len(counts), "pieces": sum(n for _, n in counts)},
    )


def gigabpe_count(arguments: Arguments, step: Steps) -> tuple[Figures, Callable[[], Figures]]:
    """Train gigabpe to a vocabulary so small that counting is nearly all there is to do."""
    import gigabpe

    def work() -> Any:
        return gigabpe.train_bpe(
            [arguments["file"]], 300, pretokenizer="bytelevel", special_tokens=[], threads=1
        )

    return passes(arguments, work, lambda _: {})


CONTENDERS: dict[str, harness.Contender] = {
    "toktk cut": toktk_cut,
    "regex cut": regex_cut,
    "hf cut": hf_cut,
    "gigatoken cut": gigatoken_cut,
    "toktk count": toktk_count,
    "regex count": regex_count,
    "gigatoken count": gigatoken_count,
    "gigabpe count": gigabpe_count,
}


def _documents(arguments: Arguments) -> tuple[Any, Any]:
    """Return (data, offsets) of all documents, without line feeds where lines are documents.

    A number cuts the text into documents of so many characters.
    """
    import numpy as np

    from toktk.kernels.lines import split_lines

    data = np.fromfile(arguments["file"], dtype=np.uint8)
    if arguments["documents"] == "lines":
        return split_lines(data, keep_feeds=False)
    if arguments["documents"].isdigit():
        begins = np.flatnonzero(data & 0xC0 != 0x80)[:: int(arguments["documents"])]
        return data, np.append(begins, data.size)
    return data, np.array([0, data.size], dtype=np.int64)


def _copied(batch: Any) -> list[Any]:
    import pyarrow as pa

    return [pa.concat_arrays([column, column.slice(0, 0)]) for column in batch.columns]


def _texts(arguments: Arguments) -> list[str]:
    text = Path(arguments["file"]).read_bytes().decode()
    if arguments["documents"].isdigit():
        size = int(arguments["documents"])
        return [text[at : at + size] for at in range(0, len(text), size)]
    return text.removesuffix("\n").split("\n") if arguments["documents"] == "lines" else [text]


def _pattern(arguments: Arguments) -> str:
    from toktk.pretokenizers.pretokenizer import Pretokenizer

    return Pretokenizer.of(arguments["pattern"]).pattern


def _ends(ends: Any) -> Figures:
    return {"pieces": int(ends.size), "digest": hashlib.sha256(ends.tobytes()).hexdigest()}


def _strings(documents: list[list[str]]) -> Figures:
    return _byte_strings([[piece.encode() for piece in pieces] for pieces in documents])


def _byte_strings(documents: list[list[bytes]]) -> Figures:
    import numpy as np

    lengths = [len(piece) for pieces in documents for piece in pieces]
    return _ends(np.cumsum(lengths, dtype=np.int64))


# The parent ---------------------------------------------------------------------------------------


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--corpus", action="append", type=Path, required=True, help="text file or folder of .txt")
    add("--bytes", type=harness.size, default=20_000_000, help="of each corpus (20M)")
    add("--patterns", default="gpt2,cl100k,o200k")
    add(
        "--documents",
        default="lines,whole,200,4000",
        help="lines, whole, or so many characters each",
    )
    add("--contenders", default=",".join([*CUT, *COUNT]), help="such as 'toktk cut,regex cut'")
    add("--repeats", type=int, default=5, help="processes of each contender")
    add("--passes", type=int, default=3, help="timed passes in a process, at least")
    add("--seconds", type=float, default=0.5, help="timed seconds in a process, at least")
    add("--timeout", type=float, default=600)
    add("--name", default="pretokenize", help="of the result files")
    chosen = parser.parse_args()
    unknown = set(harness.names(chosen.contenders)) - set(CONTENDERS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(CONTENDERS)}")
    return chosen


def _per_pass(run: Run) -> float:
    return statistics.median(run["figures"]["seconds"])


def verdict(found: Figures, ours: Figures | None) -> str:
    """Say whether the pieces are toktk's."""
    shown = ", ".join(f"{found[k]:,} {k}" for k in ("pieces", "distinct") if k in found)
    if ours is None or "pieces" not in found:
        return shown or "–"
    same = all(found[k] == ours[k] for k in ("pieces", "distinct", "digest") if k in found)
    return f"{shown}: {'equal' if same else 'DIFFERENT'}"


def one_table(
    script: Path, file: Path, facts: dict[str, Any], pattern: str, documents: str, kind: Any,
    chosen: Any,
) -> tuple[Table, dict[str, Any]]:  # fmt: skip
    """Run one text, pattern and kind of document through all contenders of one kind of work."""
    what = "cutting" if kind is CUT else "counting"
    megabytes = facts["bytes"] / 1e6
    table = Table(
        f"{what}: {facts['name']}, {megabytes:,.1f} MB, {pattern}, {documents}",
        ("contender", "MB/s", "time × toktk", "peak, MB", "pieces"),
    )
    arguments = {
        "file": str(file),
        "pattern": pattern,
        "documents": documents,
        "passes": chosen.passes,
        "seconds": chosen.seconds,
    }
    todo = [
        Job(name, name, arguments)
        for name in harness.names(chosen.contenders)
        if name in kind
        and (pattern == "gpt2" or name not in GPT2_ONLY)
        and (documents == "lines" or name not in LINES_ONLY)
    ]
    harness.say(table.title)
    # Compiles kernels where they are not in the cache yet.
    ours = [job for job in todo if job.label.startswith("toktk")]
    harness.interleave(script, ours, 1, chosen.timeout)
    runs = harness.interleave(script, todo, chosen.repeats, chosen.timeout)
    reference = runs[ours[0].label] if ours else []
    expected = reference[0]["figures"] if reference and not harness.failed(reference) else None
    for job in todo:
        found = runs[job.label]
        if why := harness.failed(found):
            table.rows.append((job.label, f"failed: {why}", "–", "–", "–"))
            continue
        table.rows.append(
            (
                job.label,
                harness.spread([megabytes / _per_pass(run) for run in found], 1),
                harness.ratio_cell(found, reference, _per_pass),
                harness.spread([run["process"]["peak"] / 1e6 for run in found], 0),
                verdict(found[0]["figures"], expected if job not in ours else None),
            )
        )
    table.remarks = [f"{job.label}: {kind[job.label]}" for job in todo]
    raw = {"text": facts, "pattern": pattern, "documents": documents, "work": what, "runs": runs}
    return table, raw


def main() -> None:
    """Run everything that was asked for."""
    chosen = options()
    head = harness.facts() | {"command": harness.command_line()}
    tables, raw = [], []
    with tempfile.TemporaryDirectory() as folder:
        for corpus in chosen.corpus:
            file = harness.material(corpus, chosen.bytes, Path(folder))
            facts = harness.text_facts(file)
            for kind in (CUT, COUNT):
                if not set(kind) & set(harness.names(chosen.contenders)):
                    continue
                for pattern in harness.names(chosen.patterns):
                    for documents in harness.names(chosen.documents):
                        if kind is COUNT and documents.isdigit():
                            continue  # the readers of text files make no such documents
                        table, found = one_table(
                            Path(__file__), file, facts, pattern, documents, kind, chosen
                        )
                        tables.append(table)
                        raw.append(found)
    if tables:
        tables[-1].remarks += REMARKS
    harness.report(chosen.name, head, tables, raw)


if __name__ == "__main__" and not harness.serve(CONTENDERS):
    main()
