"""Give the commands hostile files, options and folders, and see that each answers soon, small and clearly.

    python benchmarks/hostile.py
    python benchmarks/hostile.py --only nested --only device --results benchmarks/results/hostile.md

Each case makes its own input in a new folder and runs one command. A fault is: more than 10 seconds, more
than 1 GB of memory (of the command or a process that it starts), a traceback, another exit code than the
one that the case names, or an error that does not begin with "Error:" (or "Usage:", of a wrong usage).
"""

from __future__ import annotations

import argparse
import base64
import concurrent.futures
import gzip
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS, BYTES = 10.0, 10**9
HARD_LIMIT = 60.0  # seconds after which a command is killed

Command = Sequence[str]
Make = Callable[[Path], Command]

CASES: dict[str, tuple[Make, tuple[int, ...]]] = {}


def case(name: str, *codes: int) -> Callable[[Make], Make]:
    """Register a case, whose command may end with one of `codes`."""

    def register(make: Make) -> Make:
        CASES[name] = make, codes or (1,)
        return make

    return register


# Tokenizers ---------------------------------------------------------------------------------------

BENCH = ("--no-throughput", "-q", "-f", "csv", "-m", "tokens", "--engine-timeout", "2", "-o", "run")


def byte_names() -> list[str]:
    """Return the character of each byte in a byte-level vocabulary."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(others)) for b in range(256)]


def tokenizer(pattern: str | None = None, **model: Any) -> dict[str, Any]:
    """Return a small sound tokenizer.json, cut by `pattern`, with other fields of its model."""
    names = byte_names()
    vocab = {name: i for i, name in enumerate(names)} | {"he": 256, "the": 257}
    cut: list[dict[str, Any]] = [
        {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": not pattern,
        }
    ]
    if pattern:
        split = {
            "type": "Split",
            "pattern": {"Regex": pattern},
            "behavior": "Isolated",
            "invert": False,
        }
        cut.insert(0, split)
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": cut}, "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": vocab, "merges": ["h e", "t he"], **model,
        },
    }  # fmt: skip


def added(i: int, content: str) -> dict[str, Any]:
    """Return an added token."""
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": i, "content": content, **flags, "special": True}


def bench(folder: Path, contents: Any, name: str = "tokenizer.json") -> Command:
    """Write a tokenizer and a text; return the command that measures the one on the other."""
    raw = contents if isinstance(contents, bytes) else json.dumps(contents).encode()
    (folder / name).write_bytes(raw)
    return bench_spec(folder, name)


def bench_spec(folder: Path, spec: str, text: str = "the quick brown fox\n" * 500) -> Command:
    """Write a text; return the command that measures a tokenizer on it."""
    (folder / "text.txt").write_text(text, encoding="utf-8")
    return ("bench", spec, "-c", "text.txt", *BENCH)


def json_cases() -> None:
    """Register the cases of tokenizer.json."""
    vocab: dict[str, int] = tokenizer()["model"]["vocab"]
    for value in (2**30, 2**31, 2**32 - 1, 2**64, -1, 1.0, True, 10**400):
        at = f"10^{len(str(value)) - 1}" if value > 2**64 else json.dumps(value)

        def with_id(folder: Path, value: Any = value) -> Command:
            text = json.dumps(tokenizer(vocab={**vocab, "the": 99_999})).replace(
                "99999", json.dumps(value)
            )
            return bench(folder, text.encode())

        def with_added(folder: Path, value: Any = value) -> Command:
            document = {**tokenizer(), "added_tokens": [added(99_999, "<|z|>")]}
            return bench(folder, json.dumps(document).replace("99999", json.dumps(value)).encode())

        case(f"id {at} in the vocabulary")(with_id)
        # The library gives an added token that its model lacks the next id, whatever the file says.
        case(f"id {at} of an added token", 0, 1)(with_added)
    document = json.dumps(tokenizer())[:-1]
    opened, closed = "[" * 1_000_000, "]" * 1_000_000
    case("nested JSON, 1,000,000 deep")(lambda f: bench(f, f'{{"a":{opened}{closed}}}'.encode()))
    case("nested JSON in an unknown field", 0, 1)(
        lambda f: bench(f, f'{document},"x":{opened}{closed}}}'.encode())
    )
    deep: Any = {"type": "Digits", "individual_digits": True}
    for _ in range(400):
        deep = {"type": "Sequence", "pretokenizers": [deep]}
    case("pre_tokenizers nested 400 deep", 0, 1)(
        lambda f: bench(f, {**tokenizer(), "pre_tokenizer": deep})
    )
    many = [added(300 + i, f"<|{i}|>") for i in range(200_000)]
    case("200,000 added tokens", 0)(lambda f: bench(f, {**tokenizer(), "added_tokens": many}))
    case("an added token of 50 MB", 0, 1)(
        lambda f: bench(f, {**tokenizer(), "added_tokens": [added(300, "x" * 50_000_000)]})
    )
    case("a token of 20 MB in the vocabulary", 0, 1)(
        lambda f: bench(f, tokenizer(vocab={**vocab, "y" * 20_000_000: 258}))
    )
    case("a version of 100 MB", 0, 1)(
        lambda f: bench(f, {**tokenizer(), "version": "v" * 100_000_000})
    )
    case("a number of 5,000,000 digits", 0, 1)(
        lambda f: bench(f, f'{document},"x":{"9" * 5_000_000}}}'.encode())
    )
    case("a token twice", 0, 1)(
        lambda f: bench(f, (document.replace('"he": 256', '"he": 256, "he": 255') + "}").encode())
    )
    case("a model twice", 0, 1)(
        lambda f: bench(f, f'{document},"model":{json.dumps({})}}}'.encode())
    )
    case("a merge at which the library aborts")(
        lambda f: bench(f, tokenizer(continuing_subword_prefix="a"))
    )
    for name, pattern in {
        "(a+)\\1+b": r"(a+)\1+b",
        ".*.*.*.*.*=.*|.": ".*.*.*.*.*=.*|.",
        "(a|a|b)*c|.": "(a|a|b)*c|.",
    }.items():

        def hang(folder: Path, pattern: str = pattern) -> Command:
            bench(folder, tokenizer(pattern))
            return bench_spec(folder, "tokenizer.json", f"{'a' * 100_000}\n" * 3)

        case(f"the pattern {name} on 100 kB of one letter", 0, 1)(hang)
    nested = {
        "5,000 nested groups": f"{'(' * 5000}a{')' * 5000}",
        "(?R)": "(?R)",
        "((a{1000}){1000}){1000}": "((a{1000}){1000}){1000}|.",
        "a pattern of 1 MB": "|".join(f"a{i}" for i in range(140_000)),
    }
    for name, pattern in nested.items():
        case(name, 0, 1)(lambda f, pattern=pattern: bench(f, tokenizer(pattern)))


def other_formats() -> None:
    """Register the cases of .tiktoken, tekken and SentencePiece."""
    ranks = [base64.b64encode(bytes([i])) + b" %d\n" % i for i in range(256)]
    case("a rank of 999,999,999")(
        lambda f: bench(f, b"".join([*ranks[:-1], b"/w== 999999999\n"]), "x.tiktoken")
    )
    case("3,000,000 equal lines")(lambda f: bench(f, b"YQ== 0\n" * 3_000_000, "x.tiktoken"))
    case("a line of 100 MB")(lambda f: bench(f, b"A" * 100_000_000 + b" 0\n", "x.tiktoken"))

    def beside(folder: Path, text: str) -> Command:
        (folder / "x.tiktoken.json").write_text(text, encoding="utf-8")
        return bench(folder, b"".join(ranks), "x.tiktoken")

    case("nested JSON beside a .tiktoken")(lambda f: beside(f, "[" * 1_000_000))
    hang = {"name": "x", "pat_str": "(?:.*)*.*.*.*.*=.*", "special_tokens": {"<|e|>": 256}}
    case("a pattern that backtracks beside a .tiktoken", 0, 1)(
        lambda f: beside(f, json.dumps(hang))
    )

    def tekken(folder: Path, **config: Any) -> Command:
        vocab = [
            {"rank": i, "token_bytes": base64.b64encode(bytes([i])).decode(), "token_str": "x"}
            for i in range(256)
        ]
        about = {
            "pattern": ".", "num_vocab_tokens": 256, "default_vocab_size": 256,
            "default_num_special_tokens": 0, "version": "v3", **config,
        }  # fmt: skip
        return bench(folder, {"config": about, "vocab": vocab}, "tekken.json")

    case("tekken with 10^12 tokens", 0, 1)(
        lambda f: tekken(f, num_vocab_tokens=10**12, default_vocab_size=10**12)
    )
    case("tekken with 10^9 special tokens", 0, 1)(
        lambda f: tekken(f, default_num_special_tokens=10**9)
    )
    case("tekken with (a+)+$", 0, 1)(lambda f: tekken(f, pattern="(a+)+$|."))
    huge = b"\n\xff\xff\xff\xff\x0f"
    case("a SentencePiece piece of 4 GiB by its length")(
        lambda f: bench(f, huge + b"x" * 1000, "x.model")
    )
    case("a SentencePiece number without end")(
        lambda f: bench(f, b"\n" + b"\x80" * 1_000_000, "x.model")
    )
    case("500,000 nested groups of a SentencePiece model")(
        lambda f: bench(f, b"\n\x02\n\x00" + b"\x0b" * 500_000, "x.model")
    )


def odd_files() -> None:
    """Register what is no regular file, and labels."""
    case("/dev/zero as a tokenizer")(lambda f: bench_spec(f, "/dev/zero"))
    case("/dev/stdin as a tokenizer")(lambda f: bench_spec(f, "/dev/stdin"))
    case("/etc/passwd as a tokenizer")(lambda f: bench_spec(f, "/etc/passwd"))

    def fifo(folder: Path, name: str) -> Command:
        os.mkfifo(folder / name)
        return bench_spec(folder, name)

    case("a FIFO as a tokenizer")(lambda f: fifo(f, "tokenizer.json"))
    case("a FIFO as a SentencePiece model")(lambda f: fifo(f, "x.model"))

    def bound(folder: Path) -> Command:
        socket.socket(socket.AF_UNIX).bind(str(folder / "tokenizer.json"))
        return bench_spec(folder, "tokenizer.json")

    case("a socket as a tokenizer")(bound)
    for label in ("..", ".", "a/b", "a\x1b]0;P\x07b", "x" * 300, "a\nb"):

        def labeled(folder: Path, label: str = label) -> Command:
            bench(folder, tokenizer())
            return bench_spec(folder, f"{label}=tokenizer.json")

        case(f"the label {label[:12]!r}", 1, 2)(labeled)
    for spec in ("hf:../..", "hf:../../etc", "tiktoken:../../etc/passwd", "spm:/etc/passwd"):
        case(f"the spec {spec}", 1, 2)(lambda f, spec=spec: bench_spec(f, spec))


# Text and options ---------------------------------------------------------------------------------

SWEEP = ("-t", "bpe", "-s", "300", "-q", "-f", "csv", "-m", "tokens", "-o", "run")


def sweep(folder: Path, corpus: str, raw: bytes | None = None, *options: str) -> Command:
    """Write a corpus, unless it is there; return the command that trains and measures on it."""
    if raw is not None:
        (folder / corpus).write_bytes(raw)
    return ("sweep", "-c", corpus, *SWEEP, *options)


TEXT = "".join(f"the quick brown fox {i} jumps\n" for i in range(2000)).encode()


def corpora() -> None:
    """Register the cases of text."""
    case("1 MB of gz, one line of 1 GB")(lambda f: sweep(f, "a.txt.gz", zeros(f)))
    case("the same as JSON Lines")(
        lambda f: sweep(f, "a.jsonl.gz", zeros(f, b'{"text": "', b'"}\n'))
    )

    def zst(folder: Path) -> Command:
        import pyarrow as pa

        with pa.CompressedOutputStream(str(folder / "a.txt.zst"), "zstd") as stream:
            for _ in range(1000):
                stream.write(b"a" * 1_000_000)
        return sweep(folder, "a.txt.zst")

    case("31 kB of zst, one line of 1 GB")(zst)
    case("JSON Lines nested 100,000 deep")(
        lambda f: sweep(f, "a.jsonl", b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
    )
    card = 'name="x"\ntitle="t"\nlicense="l"\nspec="self.toml"\n'
    case("a card that names itself")(lambda f: sweep(f, "self.toml", card.encode()))
    case("a card nested 100,000 deep")(
        lambda f: sweep(f, "deep.toml", (card + f"x={'[' * 100_000}").encode())
    )

    def loops(folder: Path) -> Command:
        (folder / "a.txt").write_bytes(TEXT)
        for name in "xy":
            (folder / name).symlink_to(".")
        return sweep(folder, f"{folder}/**/*.txt")

    case("** over looped links", 0)(loops)
    case("an empty name", 1, 2)(lambda f: sweep(f, ""))
    case("~nosuchuser")(lambda f: sweep(f, "~nosuchuser/x"))
    case("/dev/zero as text")(lambda f: sweep(f, "/dev/zero"))

    def fifo(folder: Path) -> Command:
        os.mkfifo(folder / "a.txt")
        return sweep(folder, "a.txt")

    case("a FIFO as text")(fifo)
    case("-s 2000000000", 0, 1)(lambda f: sweep(f, "a.txt", TEXT, "-s", "2000000000"))
    case("-s 2000000000, hf-bpe", 0, 1)(
        lambda f: sweep(f, "a.txt", TEXT, "-s", "2000000000", "-t", "hf-bpe")
    )
    case("-s 2000000000, unigram", 0, 1)(
        lambda f: sweep(f, "a.txt", TEXT, "-s", "2000000000", "-t", "unigram")
    )
    case("-s 10^30", 1, 2)(lambda f: sweep(f, "a.txt", TEXT, "-s", str(10**30)))
    case("--min-frequency 10^30", 1, 2)(
        lambda f: sweep(f, "a.txt", TEXT, "--min-frequency", str(10**30))
    )
    case("--special of invalid UTF-8", 1, 2)(
        lambda f: sweep(f, "a.txt", TEXT, "--special", "\udcff")
    )
    case("--pattern (?R)", 1, 2)(lambda f: sweep(f, "a.txt", TEXT, "--pattern", "(?R)"))
    case("--pattern of 5,000 groups", 0, 1, 2)(
        lambda f: sweep(f, "a.txt", TEXT, "--pattern", f"{'(' * 5000}.{')' * 5000}")
    )
    case("--pattern (a+)\\1+b", 0, 1)(
        lambda f: sweep(
            f, "a.txt", b"a" * 200_000, "--pattern", r"(a+)\1+b", "--engine-timeout", "2"
        )
    )

    def odd_run(folder: Path, document: str) -> Command:
        (folder / "run").mkdir()
        (folder / "run" / "run.json").write_text(document, encoding="utf-8")
        return sweep(folder, "a.txt", TEXT)

    for document in ('{"signature": 5, "tokenizers": []}', "[]", "[" * 100_000, "\0"):
        case(f"run.json {document[:20]!r}")(lambda f, document=document: odd_run(f, document))


def zeros(folder: Path, before: bytes = b"", after: bytes = b"\n") -> bytes:
    """Return a gz file of 1 GB of one letter in a line."""
    path = folder / "zeros"
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(before)
        for _ in range(1000):
            file.write(b"a" * 1_000_000)
        file.write(after)
    raw = path.read_bytes()
    path.unlink()
    return raw


# Running ------------------------------------------------------------------------------------------


@dataclass
class Answer:
    """What a command did: its exit code, seconds, peak memory in bytes, and what it said."""

    code: int
    seconds: float
    memory: int
    stderr: str

    def faults(self, codes: Sequence[int]) -> list[str]:
        """Return what is wrong with it."""
        faults = []
        if self.code not in codes:
            faults.append(f"exit code {self.code}")
        if self.seconds > SECONDS:
            faults.append(f"{self.seconds:.0f} s")
        if self.memory > BYTES:
            faults.append(f"{self.memory / 1e9:.1f} GB")
        if "Traceback" in self.stderr or "panicked" in self.stderr:
            faults.append("a traceback")
        if self.code and not any(word in self.stderr for word in ("Error:", "Usage:")):
            faults.append("no error message")
        if any(ord(c) < 32 and c != "\n" for c in self.stderr):
            faults.append("a control character")
        return faults


def answer_of(command: Command, folder: Path) -> Answer:
    """Run a command in `folder`; memory is that of the largest of its processes."""
    arguments = [sys.executable, "-P", "-m", "toktk", *command]
    with (folder / "stderr").open("wb") as stderr:
        start = time.monotonic()
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        code = None
        while code is None and time.monotonic() - start < HARD_LIMIT:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
            else:
                time.sleep(0.02)
        if code is None:
            process.kill()
            _, status, usage = os.wait4(process.pid, 0)
            code = os.waitstatus_to_exitcode(status)
        process.returncode = code
        seconds = time.monotonic() - start
    said = (folder / "stderr").read_text(encoding="utf-8", errors="replace")
    return Answer(code, seconds, 1024 * usage.ru_maxrss, said)


def made(name: str, folder: Path) -> Command:
    """Make the input of a case; return its command."""
    return CASES[name][0](folder)


def main() -> None:
    """Run the cases and print what each answered."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", help="run the cases whose name holds this")
    parser.add_argument("--results", type=Path, help="a Markdown file to write the answers to")
    chosen = parser.parse_args()
    for register in (json_cases, other_formats, odd_files, corpora):
        register()
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="toktk-hostile-") as place:  # kernels are compiled here
        answer_of(sweep(Path(place), "a.txt", TEXT, "-t", "unigram"), Path(place))
        answer_of(bench(Path(place), tokenizer()), Path(place))
    rows, bad = [], 0
    for name, (_, codes) in CASES.items():
        if chosen.only and not any(part in name for part in chosen.only):
            continue
        with tempfile.TemporaryDirectory(prefix="toktk-hostile-") as place:
            # Linux gives a child its parent's peak memory as a floor, so another process makes the input.
            with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
                command = pool.submit(made, name, Path(place)).result()
            answer = answer_of(command, Path(place))
        faults = answer.faults(codes)
        bad += bool(faults)
        said = next((line for line in answer.stderr.splitlines() if line.strip()), "")
        line = f"{answer.seconds:5.1f} s {answer.memory / 1e6:5.0f} MB  {answer.code}  {name}: {said[:120]!r}"
        print(line + (f"   FAULT: {', '.join(faults)}" if faults else ""), flush=True)
        row = (
            name.replace("|", "\\|"),
            str(answer.code),
            f"{answer.seconds:.1f}",
            f"{answer.memory / 1e6:.0f}",
        )
        rows.append((*row, ", ".join(faults) or "none"))
    print(f"{len(rows)} cases, {bad} with faults")
    if chosen.results:
        head = ("case", "exit code", "s", "MB", "faults")
        lines = ["| " + " | ".join(row) + " |" for row in (head, ("---",) * 5, *rows)]
        title = "# Hostile input\n\nWritten by `benchmarks/hostile.py`.\n\n"
        chosen.results.write_text(title + "\n".join(lines) + "\n", encoding="utf-8")
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
