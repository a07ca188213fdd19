"""Normalizer and pretokenizer of any ``tokenizer.json``, as far as toktk does exactly the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from toktk.errors import FormatError, LimitError, clipped
from toktk.formats.fields import DEEP, Fields, NotNative, left_to_library, short, word
from toktk.formats.tokens import MARK
from toktk.normalizers.normalizer import Normalizer
from toktk.pretokenizers import syntax
from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.export import (
    exported_pattern,
    leaves_gaps,
    named_pretokenizer,
)
from toktk.pretokenizers.patterns import PATTERNS, name_of
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.pretokenizers.unicode_tables import digits

# A plus after these repeats them in Oniguruma, where elsewhere it makes them possessive.
_REPEATED = re.compile(r"\{[\d,]*\}\+")
_MANY = 2000  # objects and lists in a list of steps; published ones have a hundred
_SPACES_TO_MARKS = {"pattern": {"String": " "}, "content": MARK}
_FORMS = ("NFC", "NFD", "NFKC", "NFKD")


def limit_steps(fields: Fields, value: Any, name: str) -> None:
    """Refuse steps that are nested too deeply, too many, or have a pattern that is too large for anybody."""
    waiting, n_parts = [(value, name, 1)], 0
    while waiting:
        value, at, depth = waiting.pop()
        if not isinstance(value, dict | list):
            continue
        n_parts += 1
        if depth > DEEP or n_parts > _MANY:
            raise LimitError(
                f"cannot read {fields.path}: {at if len(at) <= 80 else f'{at:.80}…'}.",
                f"Found: {f'parts nested {depth} deep' if depth > DEEP else f'over {_MANY:,} parts'}.",
                f"Readable are up to {_MANY:,} parts, nested up to {DEEP} deep.",
            )
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in entries:
            if key == "Regex" and isinstance(inner, str):
                fields.check_pattern(at, inner)
            waiting.append(
                (inner, f"{at}.{key}" if isinstance(key, str) else f"{at}[{key}]", depth + 1)
            )


class Steps:
    """What happens to a text before the model sees it, as ``normalizer`` and ``pre_tokenizer`` say.

    Attributes:
        normalizer: what happens to the text as a whole.
        cuts: patterns that cut it, one after the other.
        byte_level: whether each byte becomes a character at last.
        first_alone: whether the prefix goes to the beginning of the text, but not to what follows
            an added token.
    """

    def __init__(self, fields: Fields, normalizer: Any, pretokenizer: Any) -> None:
        self._fields = fields
        self.normalizer = Normalizer()
        self.cuts: list[str] = []
        self.byte_level = self.first_alone = False
        self._normalize(self._listed(normalizer, "normalizer", "normalizers"))
        self._pretokenize(self._listed(pretokenizer, "pre_tokenizer", "pretokenizers"))

    def pretokenizer(self, last: str = "none", added: tuple[str, ...] = ()) -> Pretokenizer:
        """Return these steps; the pattern named `last` cuts what comes out, for the model's sake."""
        cuts = list(self.cuts)
        if last != "none" or not cuts:
            cuts.append(PATTERNS[last])
        *before, pattern = cuts
        name = name_of(json.dumps(cuts) if before else pattern)
        return Pretokenizer(
            name, pattern, tuple(before), self.normalizer, added, library="tokenizers"
        )

    def _change(self, **changes: Any) -> None:
        self.normalizer = replace(self.normalizer, **changes)

    def _flag(self, step: dict[str, Any], name: str, default: bool) -> bool:
        return self._fields.flag(step, f"{step['type']}.{name}", default)

    def _listed(self, value: Any, name: str, parts: str) -> list[dict[str, Any]]:
        """Return the steps of a field: none, one, or those of a Sequence, however deep."""
        steps: list[dict[str, Any]] = []
        waiting = [] if value is None else [(value, name)]
        while waiting:
            value, at = waiting.pop()
            step = self._fields.typed(dict, value, at)
            if step.get("type", "") is None:
                raise NotNative(f"{at}.type null")
            kind = self._fields.typed(str, step.get("type"), f"{at}.type", "the name of a step")
            if kind != "Sequence":
                steps.append(step)
                continue
            inner = self._fields.typed(list, step.get(parts), f"{at}.{parts}")
            waiting += [(inner[i], f"{at}.{parts}[{i}]") for i in reversed(range(len(inner)))]
        return steps

    def _normalize(self, listed: list[dict[str, Any]]) -> None:
        prepended = False
        for step in listed:
            kind = step["type"]
            if kind in _FORMS and step is listed[0]:
                self._change(form=kind)
            elif kind == "Prepend" and step.get("prepend") == MARK and not prepended:
                prepended = True
            elif kind == "Replace" and step.items() >= _SPACES_TO_MARKS.items():
                self._change(marks=True)
            else:
                raise NotNative(f"normalizer {_named(step)}")
        if prepended:
            if not self.normalizer.marks:
                raise NotNative("normalizer Prepend without Replace")
            self._change(prefix="always")

    def _pretokenize(self, listed: list[dict[str, Any]]) -> None:
        for step in listed:
            kind = step["type"]
            if self.byte_level:
                raise NotNative(f"pretokenizer {word(kind)} after ByteLevel")
            if kind == "ByteLevel":
                self._read_byte_level(step, step is listed[0])
            elif kind == "Metaspace":
                self._read_metaspace(step, step is listed[0])
            elif kind == "Split":
                self._read_split(step)
            elif kind == "Digits":
                each = self._flag(step, "individual_digits", False)
                with left_to_library("pretokenizer Digits"):
                    self.cuts.append(digits() + ("" if each else "+"))
            else:  # Punctuation too: its table is of an old Unicode
                raise NotNative(f"pretokenizer {_named(step)}")

    def _read_byte_level(self, step: dict[str, Any], is_first: bool) -> None:
        if self.normalizer.marks:
            raise NotNative("pretokenizer ByteLevel after U+2581 for spaces")
        if self._flag(step, "add_prefix_space", True):
            if not is_first:  # each piece would get one
                raise NotNative("pretokenizer ByteLevel with add_prefix_space after others")
            self._change(prefix="unless_space")
        if self._flag(step, "use_regex", True):
            self.cuts.append(PATTERNS["gpt2"])
        self.byte_level = True

    def _read_metaspace(self, step: dict[str, Any], is_first: bool) -> None:
        if step.get("replacement", MARK) != MARK:
            raise NotNative("pretokenizer Metaspace with another mark")
        # Before there was a scheme, there was a flag.
        old = "always" if self._flag(step, "add_prefix_space", True) else "never"
        scheme = step.get("prepend_scheme", old)
        wanted = '"always", "first" or "never"'
        is_scheme = scheme in ("always", "first", "never")
        self._fields.check(is_scheme, "Metaspace.prepend_scheme", scheme, wanted)
        if not is_first and (scheme != "never" or self.cuts):
            raise NotNative("pretokenizer Metaspace after others")
        self._change(marks=True)
        if scheme != "never" and self.normalizer.prefix == "never":
            self._change(prefix="unless_space")
            self.first_alone = scheme == "first"
        if self._flag(step, "split", True):
            self.cuts.append(PATTERNS["metaspace"])

    def _read_split(self, step: dict[str, Any]) -> None:
        pattern, behavior = step.get("pattern"), step.get("behavior")
        inverted = self._flag(step, "invert", False)
        entries: list[Any] = [*pattern.items()] if isinstance(pattern, dict) else []
        kind, text = entries[0] if len(entries) == 1 else ("", "")
        is_pattern = kind in ("Regex", "String") and isinstance(text, str)
        self._fields.check(is_pattern, "Split.pattern", pattern, '{"Regex": …} or {"String": …}')
        behavior = self._fields.typed(str, behavior, "Split.behavior", "the name of a behavior")
        if kind == "String" and " " in text and self.normalizer.marks and not inverted:
            return  # no space is left to be found
        if self.normalizer.marks:
            raise NotNative("pretokenizer Split after U+2581 for spaces")
        if kind == "String":
            raise NotNative("pretokenizer Split at a string")
        drops = (behavior, inverted) == ("Removed", True)
        if behavior != "Isolated" and not drops:
            raise NotNative(f"pretokenizer Split {word(behavior)}{' inverted' if inverted else ''}")
        with left_to_library("pretokenizer Split"):
            self.cuts.append(_read_alike(text))
            if drops and leaves_gaps(compile_pattern(self.cuts[-1], "tokenizers")):
                raise NotNative("pretokenizer Split that drops text")


def _read_alike(text: str) -> str:
    """Return a pattern that Oniguruma reads like the `regex` library, or raise FormatError.

    Possessive quantifiers are among these, but for those after braces.
    """
    text = syntax.without_intersections(text)
    greedy = text
    for mark in "?*+":
        greedy = greedy.replace(f"{mark}+", mark)
    possessive = greedy != text and not _REPEATED.search(text)
    if possessive and syntax.portable(greedy) == greedy:
        compiled = Pretokenizer("", text, library="tokenizers").compile()
        if compiled and not syntax.folds_several(syntax.parse(text)):
            return text
    pretokenizer = named_pretokenizer(text)
    if exported_pattern(pretokenizer) != text:
        raise FormatError(f"libraries may read the split pattern {clipped(text, 200)} differently.")
    return pretokenizer.pattern


def _named(step: dict[str, Any]) -> str:
    """Return the kind of a step, and what it does if that is short."""
    kind = word(step["type"])
    rest = {key: value for key, value in step.items() if key != "type"}
    text = short(rest, 60, ascii=False)
    return f"{kind} {text}" if rest and not text.endswith("...") else kind
