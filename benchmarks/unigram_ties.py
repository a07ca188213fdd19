"""Compare ids with SentencePiece's on random unigram models whose paths nearly tie, in long documents.

A model has some 20 to 200 tokens over a few letters, whose scores are sums of few numbers and a little
more; so nearly every word has several paths that differ by no more than rounding in float32. Documents go
far beyond the sum of -100,000 at which SentencePiece begins anew. Each is encoded document by
document, and twice by an encoder that keeps what is certain. The exit code is 1 if an id differs.

    python benchmarks/unigram_ties.py --models 1000
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

import numpy as np
import sentencepiece

from toktk.encoder import Encoder
from toktk.formats import sentencepiece_proto as proto
from toktk.formats.sentencepiece import read_sentencepiece
from toktk.formats.sentencepiece_proto import encode_field, encode_message

LETTERS = "abcdeé東𝄞"
LENGTHS = (0, 1, 30, 3000, 30_000)  # words of a document


def model_of(chance: random.Random) -> tuple[bytes, list[str]]:
    """Return a ``.model`` and the letters of its tokens."""
    letters = chance.sample(LETTERS, chance.randint(2, 6))
    n_tokens = chance.randint(20, 200)
    tokens = {" ", *letters[1:]}  # one letter is spelled by its bytes
    for _ in range(n_tokens):
        word = "".join(chance.choices(letters, k=chance.randint(1, 5)))
        tokens.add(chance.choice(["", "", " "]) + word)
    pieces = [("<unk>", 0.0, proto.UNKNOWN)]
    pieces += [(f"<0x{byte:02X}>", 0.0, proto.BYTE) for byte in range(256)]
    for token in sorted(tokens):
        score = chance.choice([0.7, 1.1, 2.3, 3.9]) * chance.randint(1, 3)
        score += chance.choice([0.0, 1e-6, 1e-4, 1.0]) * chance.random()
        pieces.append((token.replace(" ", "\u2581"), -score, proto.NORMAL))
    fields = [
        encode_message({proto.TEXT: text, proto.SCORE: score, proto.TYPE: kind})
        for text, score, kind in pieces
    ]
    trainer = {
        proto.MODEL_TYPE: proto.UNIGRAM,
        proto.VOCAB_SIZE: len(pieces),
        proto.BYTE_FALLBACK: True,
    }
    normalizer = {
        proto.NAME: "identity",
        proto.DUMMY_PREFIX: chance.random() < 0.5,
        proto.REMOVE_WHITESPACES: False,
        proto.ESCAPE: True,
    }
    specs = {proto.TRAINER: encode_message(trainer), proto.NORMALIZER: encode_message(normalizer)}
    raw = b"".join(encode_field(proto.PIECE, field) for field in fields) + encode_message(specs)
    return raw, letters


def compare(seed: int) -> tuple[int, int]:
    """Return the number of tokens compared, and how many of the comparisons differ."""
    chance = random.Random(seed)
    raw, letters = model_of(chance)
    library = sentencepiece.SentencePieceProcessor(model_proto=raw)
    pretokenizer, model = read_sentencepiece(raw, Path(f"{seed}.model"))
    words = ["".join(chance.choices([*letters, "z"], k=chance.randint(1, 12))) for _ in range(50)]
    documents = [" ".join(chance.choices(words, k=n)) for n in LENGTHS]
    wanted = np.concatenate([library.Encode(text, return_type="numpy") for text in documents])
    encoded = [text.encode() for text in documents]
    data = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    encoder = Encoder(pretokenizer, model)
    text, starts, _, _ = pretokenizer.prepare(data, offsets)
    found = [encoder.encode_batch(data, offsets, jobs)[0] for jobs in (1, 2)]
    found.append(model.encode_pieces(text, starts)[0])
    return wanted.size, sum(not np.array_equal(ids, wanted) for ids in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first model (0)")
    options = parser.parse_args()
    start, n_tokens, differing = time.monotonic(), 0, []
    for seed in range(options.first, options.first + options.models):
        n, wrong = compare(seed)
        n_tokens += n
        if wrong:
            differing.append(seed)
            print(f"model {seed}: {wrong} of 3 ways differ", flush=True)
        if (seed + 1) % 100 == 0:
            print(f"{seed + 1:,} models, {n_tokens:,} tokens", file=sys.stderr, flush=True)
    print(
        f"{options.models:,} models, {n_tokens:,} tokens, sentencepiece {sentencepiece.__version__}: "
        f"{len(differing)} models differ ({time.monotonic() - start:.0f} s)"
    )
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
