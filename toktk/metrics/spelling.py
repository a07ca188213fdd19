"""Spelling: whether a model can see in the tokens that "the", " the", "The" and "THE" are one word.

A model that reads two spellings as other ids learns from data alone that they belong together. It can
tell where both hold a common token. None of these figures is known to predict what a model can do.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from toktk.arrays import Ids, Int64
from toktk.metrics.base import Case, Figure, metric, ratio
from toktk.models.splits import text_tokens
from toktk.pieces.table import POOLED
from toktk.pieces.text_sample import MOST_OF_ALL, TextSample

Bools = npt.NDArray[np.bool_]
Encoded = tuple[Ids, Int64]

MOST_WORDS = 1000
"""Words of a group whose variants are looked at."""
LEAST_WORDS = 20
"""A group with fewer has no figure: the foreign words in a script without capitals tell little."""

_WORD = r"\p{L}[\p{L}\p{M}]+"
_PLURAL = re.compile("[a-z]*[a-rt-z]")

VARIANTS: dict[str, Callable[[str], str]] = {
    "capital": lambda word: f" {word[0].title()}{word[1:]}",
    "upper": lambda word: f" {word.upper()}",
    "bare": lambda word: word,
    "plural": lambda word: f" {word}s" if _PLURAL.fullmatch(word) else "",
}
"""What a word with a space before it is compared with, by name; nothing where a word has no such variant."""

_OF_WORDS = (
    "w being the most frequent words of the sampled texts of a group (1,000 at most and 20 at least, "
    "of two letters or more, that have small and capital letters), in small letters with a space before them"
)
_KINDS = (
    "The name gives the variant: [capital] ' The', [upper] ' THE', [bare] 'the' at the beginning of a "
    "text, [plural] an s behind, of words of the letters a to z that do not end in s"
)


@metric(
    "variant_tokens",
    "share",
    "lower",
    formula="tokens with a letter that another token equals but for case (Unicode case folding) and one "
    "space in front / tokens that are UTF-8 with a letter",
    trap="It is about the vocabulary and not about the text. A large vocabulary has more of them, and each "
    "may be frequent: read it beside utilization.",
    source="toktk; needs no text",
    topic="spelling",
)
def variant_tokens(case: Case) -> list[Figure]:
    """How much of the vocabulary is one more spelling of another token: 'the', ' the', 'The', ' THE'."""
    plain = []
    for token in text_tokens(case.tokenizer.model).values():
        try:
            text = token.decode()
        except UnicodeDecodeError:  # a part of a character
            continue
        if any(map(str.isalpha, text)):
            plain.append(text.removeprefix(" ").casefold())
    times = Counter(plain)
    double = sum(n for n in times.values() if n > 1)
    value = ratio(double, len(plain))
    return [case.figure(POOLED, value, len(plain), "no token with a letter")]


@metric(
    "disjoint_variants",
    "share",
    "lower",
    formula=f"words w whose variant has no id in common with w but white space and the unknown token / "
    f"words w, {_OF_WORDS}. {_KINDS}",
    trap="What is in common may be a single letter, which says little: small vocabularies have less of it. "
    "Words are of the sampled beginnings of documents; without intervals.",
    source="toktk",
    topic="spelling",
)
def disjoint_variants(case: Case) -> list[Figure]:
    """How many frequent words have no token in common with their capitals, plural or bare form."""
    tokens, unknown = case.tokenizer.model.tokens, getattr(case.tokenizer.model, "unknown_id", None)

    def differ(own: Encoded, other: Encoded) -> Bools:
        saying = [i for i in np.unique(own[0]).tolist() if i != unknown and tokens[i].strip()]
        return _disjoint(own, other, np.array(saying, dtype=np.int64))

    return _over_words(case, differ)


@metric(
    "single_token_variants",
    "share",
    None,
    formula=f"words w that are one token and whose variant is another one / words w, {_OF_WORDS}. {_KINDS}",
    trap="They are a part of disjoint_variants. A vocabulary pays an id for each, and spells frequent words "
    "in fewer tokens for it.",
    source="toktk",
    topic="spelling",
)
def single_token_variants(case: Case) -> list[Figure]:
    """How many frequent words are one token, and another one in their capital, plural or bare form."""
    return _over_words(case, _single)


def _over_words(case: Case, tell: Callable[[Encoded, Encoded], Bools]) -> list[Figure]:
    """Return figures of the share of words for which `tell` holds, by variant and group."""
    words = words_of(case.sample)
    flat = [word for of_group in words.values() for word in of_group]
    bounds = np.cumsum([0, *map(len, words.values())]).tolist()
    encode = case.tokenizer.encode_batch
    own = encode([f" {word}" for word in flat])
    figures = []
    for kind, vary in VARIANTS.items():
        variants = [*map(vary, flat)]
        has = np.array([*map(bool, variants)], dtype=np.bool_)
        holds = tell(own, encode(variants)) & has
        counts = {}
        for group, a, b in zip(words, bounds[:-1], bounds[1:], strict=True):
            n = int(has[a:b].sum())
            counts[group] = (int(holds[a:b].sum()), n, n) if n >= LEAST_WORDS else (0, 0, n)
        empty = f"fewer than {LEAST_WORDS} words that vary so"
        figures += case.sampled_ratios(kind, counts, empty)
    return figures


def _disjoint(own: Encoded, other: Encoded, saying: Int64) -> Bools:
    """Return bool[words]: which have none of the ids `saying` in both encodings."""
    (own_ids, own_starts), (other_ids, other_starts) = own, other
    n = own_starts.size - 1
    own_rows, other_rows = (np.repeat(np.arange(n), np.diff(s)) for s in (own_starts, other_starts))
    common = np.isin(own_rows << 32 | own_ids, other_rows << 32 | other_ids)
    common &= np.isin(own_ids, saying)
    disjoint = np.ones(n, dtype=np.bool_)
    disjoint[own_rows[common]] = False
    return disjoint


def _single(own: Encoded, other: Encoded) -> Bools:
    """Return bool[words]: which are one id here and another one there."""
    single: Bools = (np.diff(own[1]) == 1) & (np.diff(other[1]) == 1)
    rows = np.flatnonzero(single)
    single[rows] = own[0][own[1][rows]] != other[0][other[1][rows]]
    return single


@functools.lru_cache(maxsize=1)  # tokenizers of one text follow one another
def words_of(sample: TextSample) -> dict[str, list[str]]:
    """Return {group: its most frequent words in small letters}; equally frequent ones by code points."""
    import regex

    word = regex.compile(_WORD, regex.V0)
    most = max(1, min(MOST_WORDS, MOST_OF_ALL // max(len(sample.texts), 1)))
    words = {}
    for group, texts in sample.texts.items():
        times = Counter(found.lower() for text in texts for found in word.findall(text))
        varying = [w for w in times if w != w.upper() and w != w[0].title() + w[1:]]
        words[group] = sorted(varying, key=lambda word: (-times[word], word))[:most]
    return words
