"""Normalizer and pretokenizer of any ``tokenizer.json``, as far as toktk does exactly the same."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toktk.errors import FormatError, PatternError
from toktk.formats.fields import Fields, NotNative, short
from toktk.normalizers.normalizer import Normalizer
from toktk.pretokenizers import syntax
from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.export import exported_pretokenizer, leaves_gaps, pattern_name
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer

MARK = "\u2581"  # SentencePiece's space; where toktk's models have a space

# The library asks Rust's char::is_numeric, which is the category N.
_DIGITS = {True: r"\p{N}", False: r"\p{N}+"}
# A plus after these repeats them in Oniguruma, where elsewhere it makes them possessive.
_REPEATED = re.compile(r"\{[\d,]*\}\+")
_WORDS = re.compile(r"(?<!\\)(?:\\\\)*\\[wWbB]")
_FORMS = ("NFC", "NFD", "NFKC", "NFKD")


@dataclass
class Steps:
    r"""What happens to a text before the model sees it.

    Attributes:
        normalizer: what happens to the text as a whole.
        cuts: patterns that cut it, one after the other.
        byte_level: whether each byte becomes a character at last.
        first_alone: whether the prefix goes to the beginning of the text, but not to what follows an added
            token.
        words: whether a pattern asks for ``\w`` or ``\b``. In the library, ² and ½ are among the former.
    """

    normalizer: Normalizer = field(default_factory=Normalizer)
    cuts: list[str] = field(default_factory=list)
    byte_level: bool = False
    first_alone: bool = False
    words: bool = False

    def change(self, **changes: Any) -> None:
        """Set fields of the normalizer."""
        self.normalizer = replace(self.normalizer, **changes)


def read_steps(path: Path, normalizer: Any, pretokenizer: Any) -> Steps:
    """Return what the fields ``normalizer`` and ``pre_tokenizer`` say.

    Raises:
        NotNative: they ask for what toktk does not do.
        FormatError: they are malformed.
    """
    reader = _Reader(path)
    steps = Steps()
    reader.normalize(steps, normalizer)
    reader.pretokenize(steps, pretokenizer)
    return steps


def pretokenizer_of(steps: Steps, last: str, added: tuple[str, ...]) -> Pretokenizer:
    """Return the pretokenizer of `steps`; `last` cuts what comes out of them, for the model's sake."""
    cuts = list(steps.cuts)
    if last != PATTERNS["none"] or not cuts:
        cuts.append(last)
    *before, pattern = cuts
    name = next((name for name, known in PATTERNS.items() if known == pattern), "")
    if before or not name:
        name = pattern_name(json.dumps(cuts) if before else pattern)
    return Pretokenizer(
        name, pattern, before=tuple(before), normalizer=steps.normalizer, added=added
    )


class _Reader(Fields):
    def listed(self, value: Any, name: str, parts: str) -> list[dict[str, Any]]:
        """Return the steps of a field: none, one, or those of a Sequence, however deep."""
        if value is None:
            return []
        steps: list[dict[str, Any]] = []
        waiting = [(value, name)]
        while waiting:
            step, at = waiting.pop()
            step = self.as_object(step, at)
            if step.get("type", "") is None:
                raise NotNative(f"{at}.type null")
            if not isinstance(step.get("type"), str):
                raise self.error(f"{at}.type", short(step.get("type")), "the name of a step")
            if step["type"] != "Sequence":
                steps.append(step)
                continue
            inner = self.as_list(step.get(parts), f"{at}.{parts}")
            waiting += [(inner[i], f"{at}.{parts}[{i}]") for i in reversed(range(len(inner)))]
        return steps

    def flag(self, step: dict[str, Any], name: str, default: bool) -> bool:
        value = step.get(name, default)
        if not isinstance(value, bool):
            raise self.error(f"{step['type']}.{name}", short(value), "true or false")
        return value

    def normalize(self, steps: Steps, value: Any) -> None:
        listed = self.listed(value, "normalizer", "normalizers")
        prepended = False
        for step in listed:
            kind = step["type"]
            if kind in _FORMS and step is listed[0]:
                steps.change(form=kind)
            elif kind == "Prepend" and step.get("prepend") == MARK and not prepended:
                prepended = True
            elif kind == "Replace" and _replaces_spaces(step):
                steps.change(marks=True)
            else:
                raise NotNative(f"normalizer {_named(step)}")
        if prepended:
            if not steps.normalizer.marks:
                raise NotNative("normalizer Prepend without Replace")
            steps.change(prefix="always")

    def pretokenize(self, steps: Steps, value: Any) -> None:
        listed = self.listed(value, "pre_tokenizer", "pretokenizers")
        for step in listed:
            kind = step["type"]
            if steps.byte_level:
                raise NotNative(f"pretokenizer {kind} after ByteLevel")
            if kind == "ByteLevel":
                self.byte_level(steps, step, step is listed[0])
            elif kind == "Metaspace":
                self.metaspace(steps, step, step is listed[0])
            elif kind == "Split":
                self.split(steps, step)
            elif kind == "Digits":
                steps.cuts.append(_DIGITS[self.flag(step, "individual_digits", False)])
            else:  # Punctuation too: its table is of an old Unicode
                raise NotNative(f"pretokenizer {_named(step)}")

    def byte_level(self, steps: Steps, step: dict[str, Any], first: bool) -> None:
        if steps.normalizer.marks:
            raise NotNative("pretokenizer ByteLevel after U+2581 for spaces")
        if self.flag(step, "add_prefix_space", True):
            if not first:  # each piece would get one
                raise NotNative("pretokenizer ByteLevel with add_prefix_space after others")
            steps.change(prefix="unless_space")
        if self.flag(step, "use_regex", True):
            steps.cuts.append(PATTERNS["gpt2"])
        steps.byte_level = True

    def metaspace(self, steps: Steps, step: dict[str, Any], first: bool) -> None:
        if step.get("replacement", MARK) != MARK:
            raise NotNative("pretokenizer Metaspace with another mark")
        # Before there was a scheme, there was a flag.
        old = "always" if self.flag(step, "add_prefix_space", True) else "never"
        scheme = step.get("prepend_scheme", old)
        if scheme not in ("always", "first", "never"):
            wanted = '"always", "first" or "never"'
            raise self.error("Metaspace.prepend_scheme", short(scheme), wanted)
        if not first and (scheme != "never" or steps.cuts):
            raise NotNative("pretokenizer Metaspace after others")
        steps.change(marks=True)
        if scheme != "never" and steps.normalizer.prefix == "never":
            steps.change(prefix="unless_space")
            steps.first_alone = scheme == "first"
        if self.flag(step, "split", True):
            steps.cuts.append(PATTERNS["metaspace"])

    def split(self, steps: Steps, step: dict[str, Any]) -> None:
        pattern = step.get("pattern")
        behavior, invert = step.get("behavior"), self.flag(step, "invert", False)
        entries = list(pattern.items()) if isinstance(pattern, dict) else []
        kind, text = entries[0] if len(entries) == 1 else (None, None)
        if kind not in ("Regex", "String") or not isinstance(text, str):
            raise self.error("Split.pattern", short(pattern), '{"Regex": …} or {"String": …}')
        if not isinstance(behavior, str):
            raise self.error("Split.behavior", short(behavior), "the name of a behavior")
        if kind == "String" and " " in text and steps.normalizer.marks and not invert:
            return  # no space is left to be found
        if steps.normalizer.marks:
            raise NotNative("pretokenizer Split after U+2581 for spaces")
        if kind == "String":
            raise NotNative("pretokenizer Split at a string")
        steps.cuts.append(_isolating(text, behavior, invert))
        steps.words |= _WORDS.search(text) is not None


def _isolating(text: str, behavior: str, invert: bool) -> str:
    """Return the pattern in toktk's dialect, if the split keeps all of the text."""
    drops = (behavior, invert) == ("Removed", True)
    if behavior != "Isolated" and not drops:
        raise NotNative(f"pretokenizer Split {behavior}{' inverted' if invert else ''}")
    try:
        pattern = _read_alike(text)
        if drops and leaves_gaps(compile_pattern(pattern)):
            raise NotNative("pretokenizer Split that drops text")
    except (FormatError, PatternError) as error:
        raise NotNative(f"pretokenizer Split: {str(error).splitlines()[0]}") from error
    return pattern


def _read_alike(text: str) -> str:
    """Return a pattern that Oniguruma reads like the `regex` library.

    Possessive quantifiers are among these, but for those after braces.

    Raises:
        FormatError: it may be read differently.
    """
    greedy = text
    for mark in "?*+":
        greedy = greedy.replace(f"{mark}+", mark)
    possessive = greedy != text and not _REPEATED.search(text)
    if possessive and syntax.portable(greedy) == greedy and Pretokenizer("", text).compile():
        return text
    return exported_pretokenizer(text).pattern


def _replaces_spaces(step: dict[str, Any]) -> bool:
    return step.get("pattern") == {"String": " "} and step.get("content") == MARK


def _named(step: dict[str, Any]) -> str:
    """Return the kind of a step, and what it does if that is short."""
    rest = {key: value for key, value in step.items() if key != "type"}
    text = json.dumps(rest, ensure_ascii=False)
    return f"{step['type']} {text}" if rest and len(text) <= 60 else str(step["type"])
