"""What the jobs of `guard.py` read: made text, and tokenizers that libraries train on it.

    python benchmarks/guard_material.py FOLDER

No code of toktk runs here, so that both checkouts read the same files, whichever they are.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from pathlib import Path

PARALLEL = Path(__file__).resolve().parents[1] / "corpora" / "parallel"
BYTES = 3_000_000  # of text, all languages together
NEW = 0.1  # of the words: halves of two different words, since every real text has words not seen before
SMALL = 1_000_000  # bytes
LINES_OF_LONG = 400  # of a long document
VOCABULARY = 16_000


def make(folder: Path, text: Path | None) -> None:
    """Write ``parallel/``, ``texts/``, ``small.txt``, ``short.json``, ``long.json`` and three tokenizers."""
    shutil.copytree(PARALLEL, folder / "parallel")
    texts = folder / "texts"
    texts.mkdir(parents=True)
    if text is None:
        write_texts(texts, BYTES)
    else:
        for file in files_of(text):
            shutil.copyfile(file, texts / f"{file.stem}.txt")
    lines = mixed(texts)
    write_small(folder / "small.txt", lines, SMALL)
    blocks = range(0, len(lines), LINES_OF_LONG)
    long = ["\n".join(lines[i : i + LINES_OF_LONG]) for i in blocks]
    for name, documents in (("short", lines), ("long", long)):
        (folder / f"{name}.json").write_text(json.dumps(documents), encoding="utf-8")
    train_tokenizers(folder, lines)


def files_of(text: Path) -> list[Path]:
    """Return the files of a text: itself, or the .txt files of a folder."""
    files = sorted(text.glob("*.txt")) if text.is_dir() else [text]
    return [file for file in files if file.is_file()]


def write_texts(folder: Path, size: int) -> None:
    """Write `size` bytes in all, a file a language: words of the starter corpus in random order."""
    files = sorted(PARALLEL.glob("*.txt"))
    for file in files:
        chance = random.Random(file.stem)
        space = "" if file.stem in ("ja", "th", "zh") else " "
        words = file.read_text(encoding="utf-8").split()
        if not space:
            joined = "".join(words)
            words = [joined[i : i + 4] for i in range(0, len(joined), 4)]
        n_bytes = 0
        with (folder / file.name).open("w", encoding="utf-8", newline="\n") as out:
            while n_bytes < size // len(files):
                line = chance.choices(words, k=chance.randint(5, 40))
                for i in range(len(line)):
                    if chance.random() < NEW:
                        a, b = chance.choices(words, k=2)
                        line[i] = a[: (len(a) + 1) // 2] + b[len(b) // 2 :]
                text = space.join(line) + "\n"
                n_bytes += len(text.encode())
                out.write(text)


def mixed(texts: Path) -> list[str]:
    """Return the lines of all texts in random order, always the same."""
    lines = [
        line
        for file in sorted(texts.glob("*.txt"))
        for line in file.read_text(encoding="utf-8").split("\n")
        if line
    ]
    random.Random(0).shuffle(lines)
    return lines


def write_small(path: Path, lines: list[str], size: int) -> None:
    """Write the first lines, as many as `size` bytes hold."""
    n_bytes = 0
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for line in lines:
            n_bytes += len(line.encode()) + 1
            if n_bytes > size:
                break
            out.write(line + "\n")


def train_tokenizers(folder: Path, lines: list[str]) -> None:
    """Train ``bpe.json`` (tokenizers), ``unigram.model`` and ``llama.model`` (SentencePiece)."""
    import sentencepiece
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.save(str(folder / "bpe.json"))
    for name, kind in (("unigram", "unigram"), ("llama", "bpe")):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_prefix=str(folder / name),
            model_type=kind,
            vocab_size=VOCABULARY // 2,
            byte_fallback=True,
            character_coverage=0.9995,
            hard_vocab_limit=False,
            minloglevel=2,
            num_threads=1,
        )
        (folder / f"{name}.vocab").unlink()


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2:] else None)
