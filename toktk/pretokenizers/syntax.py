r"""Split patterns as syntax trees: the subset of regular expressions that tokenizers use.

The dialect is that of the `regex` library (version 0 behavior). A construct whose meaning differs
between regex libraries, or that no automaton over characters can follow, is refused by name.

A possessive quantifier is read as a greedy one. The two differ where what follows could match
what the quantifier took; `toktk.pretokenizers.automaton` compares its result with `regex` and
refuses such a pattern.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import regex

from toktk.errors import LimitError, PatternError, clipped

_SPECIAL = frozenset(r"\.[](){}|*+?^$")
_SET_OPERATORS = frozenset({"&&", "--", "||", "~~"})
_MAX_DEPTH = 100
_MAX_SIZE = 100_000  # characters, what is repeated written out; published patterns have hundreds
_QUANTIFIERS: dict[str, tuple[int, int | None]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}

# Four digits: anything larger would not fit an automaton anyway.
_BOUNDS = re.compile(r"\{(\d{1,4})(,(\d{1,4})?)?\}", re.ASCII)
# Any regular expression, in parts, as far as its size needs it.
_PART = re.compile(
    r"(?P<recursion>\(\?(?:R|P?&|P>|[+-]?\d))|(?P<open>\()|(?P<close>\))"
    r"|\{(?P<least>\d{1,9})(?:,\d*)?\}|\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]?|.",
    re.DOTALL,
)
_WORD = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D"
_FOLDED = re.compile(r"\(\?i:\\?(.)\)", re.DOTALL)
_FLAGS = re.compile(r"([is]*)(?:-([is]*))?:")
_HEXADECIMAL = "[0-9a-fA-F]"
_ESCAPE = re.compile(
    r"\\(?:[pP]\{[^}]+\}|[pP](?P<property>[a-zA-Z])|[sSdDwWrntfva]|[\W_]"
    rf"|u{_HEXADECIMAL}{{4}}|x(?P<x>{_HEXADECIMAL}{{2}})|U(?P<U>{_HEXADECIMAL}{{8}}))"
)


@dataclass(frozen=True)
class CharacterSet:
    """One character out of a set; `text` is a regex for it alone, flags included."""

    text: str


@dataclass(frozen=True)
class LookAhead:
    """The next character is in one of `sets` (or the text ends, if `end`); `negated` inverts it."""

    sets: tuple[CharacterSet, ...]
    end: bool
    negated: bool


@dataclass(frozen=True)
class Ahead:
    """The match ends here if `item` matches what follows; the last part of a pattern or of a choice."""

    item: Node


@dataclass(frozen=True)
class Sequence:
    """One item after the other; no item is the empty text."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Alternation:
    """One of `choices`, the earlier preferred."""

    choices: tuple[Node, ...]


@dataclass(frozen=True)
class Repeat:
    """`item` from `least` to `most` times (None: no limit), more preferred if `greedy`."""

    item: Node
    least: int
    most: int | None
    greedy: bool


Node: TypeAlias = CharacterSet | LookAhead | Ahead | Sequence | Alternation | Repeat
END_OF_TEXT = LookAhead((), end=True, negated=False)


def check_size(pattern: str) -> None:
    """Refuse a pattern that is a danger to any library: too long, nested too deeply, or recursive.

    It need not be of the subset. Libraries write out what is to be repeated, so ``((a{99}){99}){99}``
    has a million characters.

    Raises:
        LimitError: the pattern exceeds a limit.
    """
    sizes, last = [0], 0  # of the groups around, and of what a quantifier would repeat
    for part in _PART.finditer(pattern):
        if part["recursion"]:
            raise _refused(pattern, part.start(), "a group that calls itself or another")
        if part["open"]:
            sizes.append(1)
            last = 0
        elif part["close"] and len(sizes) > 1:
            last = sizes.pop()
            sizes[-1] += last
        elif part["least"]:
            repeated = last * max(int(part["least"]), 1)
            sizes[-1] += repeated - last
            last = repeated
        else:
            last = len(part[0])
            sizes[-1] += last
        if len(sizes) > _MAX_DEPTH + 1:
            found = f"a group nested more than {_MAX_DEPTH} deep"
            raise _refused(pattern, part.start(), found)
        if sizes[-1] > _MAX_SIZE:
            found = f"more than {_MAX_SIZE:,} characters, what is repeated written out,"
            raise _refused(pattern, part.start(), found)


def _refused(pattern: str, position: int, found: str) -> LimitError:
    return LimitError(
        f"cannot use the pattern {clipped(pattern)}: {found} at position {position}.",
        "Found: libraries take seconds or gigabytes for such a pattern, or break down.",
        "Write a shorter one.",
    )


def parse(pattern: str) -> Node:
    """Parse `pattern` into a syntax tree.

    Character sets are not looked into beyond their extent: `regex` decides what they hold.

    Raises:
        PatternError: a construct outside the subset, or a malformed pattern.
        LimitError: it is too large (`check_size`).
    """
    return _Parser(pattern).parse()


# Of classes those of the form [a&&[^b]], with two sets and no more; all other parts are passed by.
_INTERSECTION = re.compile(
    r"\\.|\[(?!\^)(?P<first>(?:\\.|[^\[\]\\&]|&(?!&))+)&&\[(?P<outside>\^?)"
    r"(?P<second>(?:\\.|[^\[\]\\&])+)\]\]"
    r"|\[(?:\\.|[^\]\\])*\]",
    re.DOTALL,
)
_FOLDED_INTERSECTION = re.compile(r"\A\(\?[is]*i[is]*\)|\(\?[is]*i[is]*(?:-s)?:[^()]*&&")


def without_intersections(pattern: str) -> str:
    r"""Return an equal pattern that has a look-ahead in place of each class ``[a&&[^b]]``.

    Oniguruma and Rust's engines read such a class as what is in a and not in b, and ``[a&&[b]]`` as
    what is in both; `regex` does not. Where letters are also matched in the other case, engines may
    differ: there, and in other forms, the pattern stays.
    """

    def written(part: re.Match[str]) -> str:
        if part["first"] is None:
            return part[0]
        return f"(?:(?{'!' if part['outside'] else '='}[{part['second']}])[{part['first']}])"

    return pattern if _FOLDED_INTERSECTION.search(pattern) else _INTERSECTION.sub(written, pattern)


def portable(pattern: str) -> str:
    r"""Return an equal pattern that Oniguruma and Rust's engines read as `regex` reads `pattern`.

    Most patterns are returned as they are. Rewritten are, among others, possessive quantifiers
    (Oniguruma takes `{1,3}+` for a repeated group), `$` (there it ends lines) and the flag s.
    Only for a pattern that `toktk.pretokenizers.automaton` compiles: otherwise dropping the
    possessive marks may change what it matches.
    """
    parser = _Parser(pattern)
    tree = parser.parse()
    return pattern if parser.portable else _render(tree)


def spelled_out(pattern: str) -> str:
    r"""Return an equal pattern without ``\w`` and ``\W``, which libraries have different sets for.

    In their place is what Unicode's technical standard 18 says, and `regex` and Rust's engines have:
    Oniguruma leaves out U+200C and U+200D, which stand within words, and takes in ² and ½. A ``\W``
    inside a class stays, and so does a pattern outside the subset.
    """
    try:
        parse(pattern)
    except PatternError:
        return pattern
    inside = False

    def written(part: re.Match[str]) -> str:
        nonlocal inside
        text = part[0]
        if text in ("[", "]"):
            inside = text == "["
        elif text == r"\w":
            return _WORD if inside else f"[{_WORD}]"
        elif text == r"\W" and not inside:
            return f"[^{_WORD}]"
        return text

    return re.sub(r"\\.|[\[\]]", written, pattern, flags=re.DOTALL)


def folds_several(node: Node) -> bool:
    """Tell whether one character may match several letters in Oniguruma, as in ``(?i:st)`` the ligature ﬆ.

    Case folding is of single characters elsewhere.
    """
    match node:
        case CharacterSet(text):
            listed = text.startswith("(?i:") and not text.startswith(("(?i:[^", "(?i:\\"))
            matches = regex.compile(text, regex.V0).match if listed else lambda _: None
            return any(matches(chr(code)) for code in _expansions())
        case Sequence(items):
            folded = [_folded_letter(item) for item in items]
            pairs = {a + b for a, b in itertools.pairwise(folded) if a and b}
            return not pairs.isdisjoint(_expansions().values()) or any(map(folds_several, items))
        case Alternation(choices):
            return any(map(folds_several, choices))
        case Repeat(item) | Ahead(item):
            return folds_several(item)
    return False


def _folded_letter(node: Node) -> str:
    letter = _FOLDED.fullmatch(node.text) if isinstance(node, CharacterSet) else None
    return letter[1].casefold() if letter else ""


@functools.cache
def _expansions() -> dict[int, str]:
    """Return {code point: first two letters} of what case folding makes several letters of."""
    found = {}
    characters = np.arange(0x20000, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    for first in range(0, len(characters), 256):
        block = characters[first : first + 256]
        if len(block.casefold()) > len(block):
            folded = {character: character.casefold() for character in block}
            found.update({ord(one): text[:2] for one, text in folded.items() if len(text) > 1})
    return found


def every_node(node: Node) -> Iterator[Node]:
    """Yield every node of the tree, repeated ones too."""
    children: tuple[Node, ...]
    yield node
    match node:
        case Repeat(item) | Ahead(item):
            yield from every_node(item)
        case LookAhead(children) | Sequence(children) | Alternation(children):
            for child in children:
                yield from every_node(child)


def character_sets(node: Node) -> list[CharacterSet]:
    """Return every character set in the tree, repeated ones too."""
    return [found for found in every_node(node) if isinstance(found, CharacterSet)]


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.depth = 0
        self.flags: frozenset[str] = frozenset()
        self.portable = True

    def parse(self) -> Node:
        check_size(self.pattern)
        if self.pattern.startswith(("(?i)", "(?s)", "(?is)", "(?si)")):
            self.position = self.pattern.index(")") + 1
            self.set_flags(self.pattern[2 : self.position - 1])
        tree = self.alternation()
        if self.position < len(self.pattern):
            raise self.error("unbalanced ')'")
        if _looks_within(tree):
            raise self.error("look-ahead over several characters, with more behind it", 0)
        return tree

    def set_flags(self, added: str, removed: str = "") -> None:
        self.flags = (self.flags | {*added}) - {*removed}
        if "s" in added + removed:
            self.portable = False

    def error(self, construct: str, position: int | None = None) -> PatternError:
        at = self.position if position is None else position
        return PatternError(
            f"cannot compile the pattern {clipped(self.pattern, 200)}: {construct} at position {at}.",
            "Compiled are: literals, classes [...], \\p{...}, groups (?:...) (...), flags i and s, "
            "alternation, quantifiers, look-ahead of one character, at the end of several, $ and \\z.",
            "Rewrite that part, or let the regex library run the pattern.",
        )

    def peek(self, length: int = 1) -> str:
        return self.pattern[self.position : self.position + length]

    def take(self, expected: str) -> bool:
        if not self.pattern.startswith(expected, self.position):
            return False
        self.position += len(expected)
        return True

    def alternation(self) -> Node:
        choices = [self.sequence()]
        while self.take("|"):
            choices.append(self.sequence())
        return choices[0] if len(choices) == 1 else Alternation(tuple(choices))

    def sequence(self) -> Node:
        items: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            items.append(self.quantified())
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def quantified(self) -> Node:
        start = self.position
        item = self.atom()
        character = self.peek()
        if character in _QUANTIFIERS:
            self.position += 1
            least, most = _QUANTIFIERS[character]
        elif character == "{":
            match = _BOUNDS.match(self.pattern, self.position)
            if match is None:
                raise self.error("'{' that begins no {m}, {m,} or {m,n}")
            least = int(match[1])
            most = int(match[3]) if match[3] else None if match[2] else least
            if most is not None and most < least:
                raise self.error("a quantifier whose limits are in the wrong order")
            self.position = match.end()
        else:
            return item
        if isinstance(item, LookAhead | Ahead):
            raise self.error("a quantifier on an assertion", start)
        greedy = not self.take("?")
        possessive = greedy and self.take("+")
        # Oniguruma reads {m}? as an optional {m}.
        if possessive or (not greedy and least == most):
            self.portable = False
        if self.peek() in (*_QUANTIFIERS, "{"):
            raise self.error("a quantifier on a quantifier")
        return Repeat(item, least, most, greedy)

    def atom(self) -> Node:
        character = self.peek()
        if character == "(":
            return self.group()
        if character in (*_QUANTIFIERS, "{"):
            raise self.error("a quantifier with nothing to repeat")
        if character == "^":
            raise self.error("the anchor '^'")
        if self.take("\\z"):
            return END_OF_TEXT
        if self.take("$"):
            self.portable = False
            # In `regex` it also stands before a final line feed; where that changes a match, the
            # comparison of the finished automaton with `regex` refuses the pattern.
            return END_OF_TEXT
        if self.take("."):
            return CharacterSet(r"[\s\S]" if "s" in self.flags else ".")
        if character == "[":
            text = self.bracket()
        elif character == "\\":
            text = self.escape()
        else:
            self.position += 1
            text = "\\" + character if character in _SPECIAL else character
        return CharacterSet(f"(?i:{text})" if "i" in self.flags else text)

    def escape(self) -> str:
        """Consume an escape that stands for one character or a set; return its text."""
        match = _ESCAPE.match(self.pattern, self.position)
        if match is None:
            letter = self.peek(2)[1:]
            if letter in ("p", "P"):
                raise self.error("a property without a name")
            lack = " without its hexadecimal digits" if letter in ("x", "u", "U") else ""
            raise self.error(f"the escape '\\{letter}'{lack}")
        text = match[0]
        if match["property"]:
            self.portable = False
            text = f"{text[:2]}{{{text[2]}}}"
        elif match["x"] or match["U"]:
            # Oniguruma takes \x for a byte and has no \U.
            self.portable = False
            code_point = int(text[2:], 16)
            if code_point > 0x10FFFF:
                raise self.error("an escape beyond the last code point")
            text = chr(code_point) if code_point > 0xFFFF else f"\\u{code_point:04X}"
        self.position = match.end()
        return text

    def bracket(self) -> str:
        """Consume a class in brackets; return its text."""
        start = self.position
        self.position += 1
        text = "[^" if self.take("^") else "["
        if self.peek() == "]":
            raise self.error("']' as the first character of a class (write '\\]')")
        while not self.take("]"):
            character = self.peek()
            if character == "":
                raise self.error("a class without its ']'", start)
            if character == "[":
                raise self.error("'[' inside a class (write '\\[')")
            if self.peek(2) in _SET_OPERATORS:
                raise self.error(f"{self.peek(2)!r} inside a class")
            if character == "\\":
                text += self.escape()
            else:
                text += character
                self.position += 1
        return text + "]"

    def group(self) -> Node:
        start = self.position
        outer_flags = self.flags
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error(f"a group nested more than {_MAX_DEPTH} deep")
        self.position += 1
        negated = self.take("?!")
        is_look_ahead = negated or self.take("?=")
        if not is_look_ahead and self.take("?"):
            match = _FLAGS.match(self.pattern, self.position)
            if match is None:
                raise self.error(f"the group '(?{self.peek(2)}...'", start)
            self.position = match.end()
            self.set_flags(match[1], match[2] or "")
        body = self.alternation()
        if not self.take(")"):
            raise self.error("a group without its ')'", start)
        self.depth -= 1
        self.flags = outer_flags
        if not is_look_ahead:
            return body
        choices = body.choices if isinstance(body, Alternation) else (body,)
        sets = tuple(choice for choice in choices if isinstance(choice, CharacterSet))
        n_ends = choices.count(END_OF_TEXT)
        if len(sets) + n_ends == len(choices):
            return LookAhead(sets, n_ends > 0, negated)
        has_bound = all(getattr(node, "most", 0) is not None for node in every_node(body))
        if negated or not has_bound:
            how = "negative look-ahead over several" if negated else "look-ahead over any number of"
            raise self.error(f"{how} characters", start)
        return Ahead(body)


def _looks_within(node: Node, is_last: bool = True) -> bool:
    """Tell whether something stands behind an `Ahead`, or another one within it."""
    match node:
        case Ahead(item):
            return not is_last or _looks_within(item, False)
        case Sequence(items):
            return any(_looks_within(item, is_last and item is items[-1]) for item in items)
        case Alternation(choices):
            return any(_looks_within(choice, is_last) for choice in choices)
        case Repeat(item):
            return _looks_within(item, False)
    return False


def _render(node: Node) -> str:
    match node:
        case CharacterSet(text):
            return text
        case LookAhead(sets, end, negated):
            if node == END_OF_TEXT:
                return r"\z"
            choices = [*(characters.text for characters in sets), *([r"\z"] if end else [])]
            return f"(?{'!' if negated else '='}{'|'.join(choices)})"
        case Ahead(item):
            return f"(?={_render(item)})"
        case Sequence(items):
            return "".join(
                f"(?:{_render(item)})" if isinstance(item, Alternation) else _render(item)
                for item in items
            )
        case Alternation(choices):
            return "|".join(_render(choice) for choice in choices)
        case Repeat(item, least, most, greedy):
            body = _render(item) if isinstance(item, CharacterSet) else f"(?:{_render(item)})"
            if most == least:
                return f"{body}{{{least}}}"
            short = {bounds: mark for mark, bounds in _QUANTIFIERS.items()}
            bounds = f"{{{least},{'' if most is None else most}}}"
            return body + short.get((least, most), bounds) + ("" if greedy else "?")
