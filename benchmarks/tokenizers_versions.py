"""Show what toktk would miss in another version of Hugging Face tokenizers.

    python benchmarks/tokenizers_versions.py --python other/bin/python

`--python` is a Python that has that version; it needs no toktk. Printed are the names of
`toktk.hf_library.USED` that it lacks, and which of toktk's ways to use the library fail or give another
result than in this Python's version.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

# What runs in either Python: it gets the names and answers in JSON.
PROBE = r"""
import functools, json, sys

used = json.load(sys.stdin)
import tokenizers

TEXT = ["It's 2026, the cat the hat.", "Größe 東京 👩‍👩‍👧", "ab ab ab abc abc\n"]


def reach(path):
    return functools.reduce(getattr, path.split("."), tokenizers)


def lacks(path):
    try:
        reach(path)
    except AttributeError:
        try:  # a module that nothing has imported yet
            __import__(f"tokenizers.{path.partition('.')[0]}")
            reach(path)
        except (ImportError, AttributeError):
            return True
    return False


def by_byte(model):
    from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers

    library = Tokenizer(model)
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    split = pre_tokenizers.Split(Regex(r" ?\p{L}+|\s+|[^\s\p{L}]"), "isolated")
    library.pre_tokenizer = pre_tokenizers.Sequence([split, last])
    library.decoder = decoders.ByteLevel()
    return library


def train(model, trainer):
    from tokenizers import models, pre_tokenizers, trainers

    library = by_byte(getattr(models, model)(**({"unk_token": "[UNK]"} if model == "WordPiece" else {})))
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    settings = {"vocab_size": 300, "initial_alphabet": alphabet, "show_progress": False}
    library.train_from_iterator(iter(TEXT * 20), getattr(trainers, trainer)(**settings))
    return len(json.loads(library.to_str())["model"]["vocab"]) > 256  # of ties not always the same tokens


def encode():
    from tokenizers import Tokenizer, models

    names = {character: i for i, character in enumerate("abcdefgh")}
    library = by_byte(models.BPE(vocab={**names, "ab": 8}, merges=[("a", "b")]))
    library.add_special_tokens(["<s>"])
    library = Tokenizer.from_str(library.to_str())
    library.encode_special_tokens = True
    library.no_truncation()
    library.no_padding()
    found = library.encode_batch_fast(["abc ab", "<s>ab"], add_special_tokens=False)
    added = {i: token.content for i, token in library.get_added_tokens_decoder().items()}
    return [[e.ids for e in found], added, library.token_to_id("ab"), len(library.get_vocab())]


def normalize():
    from tokenizers import normalizers

    return normalizers.NFKD().normalize_str("é\u2075한")


WAYS = {
    "train BPE": lambda: train("BPE", "BpeTrainer"),
    "train Unigram": lambda: train("Unigram", "UnigramTrainer"),
    "train WordPiece": lambda: train("WordPiece", "WordPieceTrainer"),
    "write and encode": encode,
    "normalize": normalize,
}
answers = {}
for name, way in WAYS.items():
    try:
        answers[name] = ["works", way()]
    except Exception as error:
        answers[name] = ["fails", f"{type(error).__name__}: {error}"[:200]]
print(json.dumps([tokenizers.__version__, [path for path in used if lacks(path)], answers]))
"""


def probe(python: str, used: tuple[str, ...]) -> list[object]:
    """Return the version of the library in a Python, which names it lacks, and what works there."""
    command = [python, "-c", PROBE]
    done = subprocess.run(
        command, input=json.dumps(used), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{python} cannot be asked:\n{done.stderr}")
    answer: list[object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def compared(here: list[object], there: list[object]) -> list[str]:
    """Return a line for each name that is lacking there, and each way that fails or gives other results."""
    version, missing, ways = there
    lines = [f"lacks {name}" for name in missing]
    for name, (state, result) in ways.items():
        if state == "fails":
            lines.append(f"{name} fails: {result}")
        elif [state, result] != here[2][name]:
            lines.append(f"{name} gives another result than {here[0]}")
    return [f"tokenizers {version}: {line}" for line in lines or ["all that toktk uses is there"]]


def main() -> None:
    """Compare the library of another Python with this one's."""
    from toktk.hf_library import USED

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", required=True, help="a Python that has the other version")
    chosen = parser.parse_args()
    lines = compared(probe(sys.executable, USED), probe(chosen.python, USED))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
