"""Small tekken.json and .tiktoken files of the shapes that ranks are published in."""

from __future__ import annotations

import base64
import struct
from importlib.util import find_spec
from pathlib import Path

from pair_samples import ranked

from toktk.formats.tiktoken import mergeable_ranks
from toktk.pretokenizers.patterns import PATTERNS

WORDS = [b"ab", b"abc", b"the", b" the", b"he", b"th", b"\xe6\x9d", b"\xe6\x9d\xb1", b"unreached"]


def content(words=WORDS, n_special=30, cut=2, **rest):
    tokens = [bytes([b]) for b in range(256)] + list(words)
    vocab = [
        {"rank": i, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
        for i, token in enumerate(tokens)
    ]
    config = {
        "pattern": PATTERNS["o200k"],
        "num_vocab_tokens": len(vocab),
        "default_vocab_size": len(vocab) - cut + n_special,
        "default_num_special_tokens": n_special,
        "version": "v3",
    }
    return {"config": config, "vocab": vocab} | rest


# Tokens that merging does not make, and one that hides another.
EXTRA = [b"hat that", b"\xe6\x9d\xb1\xe4", b"aaaaaaa", b"  \n", "ß, na".encode(), b"qzx"]


def write(path, ranks):
    path.write_bytes(b"".join(b"%s %d\n" % (base64.b64encode(t), r) for t, r in ranks.items()))
    return path


def published(tokenizer):
    """Ranks as they are published: no special tokens among them, holes, and the extra tokens."""
    words = [token for token in mergeable_ranks(tokenizer.model) if len(token) > 1]
    return ranked([*words[:200], *EXTRA, *words[200:]], step=2)


def _shipped():
    spec = find_spec("quicktok")  # not imported
    places = list(spec.submodule_search_locations or []) if spec else []
    return {
        path.stem: path for place in places for path in sorted(Path(place).glob("data/*.vocab"))
    }


RANK_FILES = _shipped()
"""The vocabularies that quicktok brings, by name; none where it is not installed."""


def shipped_ranks(path):
    """Return {token: rank} of one: a count, and of each token its length, its bytes and its rank."""
    raw, ranks, at = path.read_bytes(), {}, 4
    for _ in range(struct.unpack_from("<I", raw)[0]):
        (length,) = struct.unpack_from("<H", raw, at)
        token = raw[at + 2 : at + 2 + length]
        at += 2 + length + 4
        (ranks[token],) = struct.unpack_from("<I", raw, at - 4)
    return ranks
