"""Slow, obvious ways to cut text: by an automaton's tables, and by each engine to be equaled."""

from __future__ import annotations

import functools

import regex
import tiktoken
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split


class AutomatonCutter:
    """Cut by the tables, kept as lists because numpy scalars are slow one at a time."""

    def __init__(self, automaton) -> None:
        self.class_of = automaton.class_of.tolist()
        self.next_state = automaton.next_state.tolist()
        self.accept = automaton.accept.tolist()

    def match_end(self, text: str, start: int) -> int:
        state, end = 0, start
        for position in range(start, len(text)):
            symbol = self.class_of[ord(text[position])]
            if accepted := self.accept[state][symbol]:
                end = position - (accepted - 1)
            state = self.next_state[state][symbol]
            if state < 0:
                return end
        accepted = self.accept[state][-1]
        return len(text) - (accepted - 1) if accepted else end

    def cut(self, text: str) -> list[str]:
        return _pieces(text, self.match_end)


def cut_with_regex(pattern: str, text: str) -> list[str]:
    matcher = compiled(pattern)

    def match_end(text: str, start: int) -> int:
        found = matcher.match(text, start)
        return found.end() if found else start

    return _pieces(text, match_end)


def cut_with_huggingface(pattern: str, text: str) -> list[str]:
    return [piece for piece, _ in _split(pattern).pre_tokenize_str(text)]


def cut_with_tiktoken(pattern: str, texts: list[str]) -> list[list[str]]:
    """Cut with tiktoken, which shows only tokens: here every substring is one, so pieces are."""
    substrings = {
        text[start:end].encode()
        for text in texts
        for start in range(len(text))
        for end in range(start + 1, len(text) + 1)
    }
    single = [bytes([value]) for value in range(256)]
    ranks = {token: rank for rank, token in enumerate([*single, *sorted(substrings - {*single})])}
    encoding = tiktoken.Encoding(
        "all-substrings", pat_str=pattern, mergeable_ranks=ranks, special_tokens={}
    )
    return [
        [token.decode() for token in encoding.decode_tokens_bytes(encoding.encode_ordinary(text))]
        for text in texts
    ]


@functools.cache
def compiled(pattern: str):
    return regex.compile(pattern, regex.V0)


@functools.cache
def _split(pattern: str) -> Split:
    return Split(Regex(pattern), "isolated")


def _pieces(text: str, match_end) -> list[str]:
    pieces: list[str] = []
    start = gap = 0
    while start < len(text):
        end = match_end(text, start)
        if end == start:
            start += 1
            continue
        if gap < start:
            pieces.append(text[gap:start])
        pieces.append(text[start:end])
        start = gap = end
    if gap < len(text):
        pieces.append(text[gap:])
    return pieces
