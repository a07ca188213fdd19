r"""Split patterns as syntax trees: the subset of regular expressions that tokenizers use.

The dialect is that of the `regex` library (version 0 behavior). A construct whose meaning differs
between regex libraries, or that no automaton over characters can follow, is refused by name.

A possessive quantifier is read as a greedy one. The two differ where what follows could match
what the quantifier took; `toktk.pretokenizers.automaton` compares its result with `regex` and
refuses such a pattern.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from toktk.errors import PatternError

_SPECIAL = frozenset(r"\.[](){}|*+?^$")
_CLASS_ESCAPES = frozenset("sSdDwW")
_CONTROL_ESCAPES = frozenset("rntfva")
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_SET_OPERATORS = frozenset({"&&", "--", "||", "~~"})
_MAX_DEPTH = 100


@dataclass(frozen=True)
class CharacterSet:
    """One character out of a set; `text` is a regex for it alone, flags included."""

    text: str


@dataclass(frozen=True)
class EndOfText:
    """The end of the text."""


@dataclass(frozen=True)
class LookAhead:
    """The next character is in one of `sets` (or the text ends, if `end`); `negated` inverts it."""

    sets: tuple[CharacterSet, ...]
    end: bool
    negated: bool


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


Node: TypeAlias = CharacterSet | EndOfText | LookAhead | Sequence | Alternation | Repeat


def parse(pattern: str) -> Node:
    """Parse `pattern` into a syntax tree.

    Character sets are not looked into beyond their extent: `regex` decides what they hold.

    Raises:
        PatternError: a construct outside the subset, or a malformed pattern.
    """
    return _Parser(pattern).parse()


def portable(pattern: str) -> str:
    r"""Return an equal pattern that Oniguruma and Rust's engines read as `regex` reads `pattern`.

    Most patterns are returned as they are. Rewritten are, among others, possessive quantifiers
    (Oniguruma takes `{1,3}+` for a repeated group), `$` (there it ends lines) and the flag s.
    Only for a pattern that `toktk.pretokenizers.automaton` compiles: otherwise dropping the
    possessive marks may change what it matches.

    Raises:
        PatternError: as `parse`.
    """
    parser = _Parser(pattern)
    tree = parser.parse()
    return pattern if parser.portable else _render(tree)


def character_sets(node: Node) -> list[CharacterSet]:
    """Return every character set in the tree, repeated ones too."""
    match node:
        case CharacterSet():
            return [node]
        case LookAhead():
            return list(node.sets)
        case Sequence():
            children: tuple[Node, ...] = node.items
        case Alternation():
            children = node.choices
        case Repeat():
            children = (node.item,)
        case EndOfText():
            children = ()
    return [characters for child in children for characters in character_sets(child)]


@dataclass(frozen=True)
class _Flags:
    ignore_case: bool = False
    dot_all: bool = False

    def wrap(self, text: str) -> CharacterSet:
        return CharacterSet(f"(?i:{text})" if self.ignore_case else text)


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.depth = 0
        self.portable = True

    def parse(self) -> Node:
        flags = _Flags()
        if self.pattern.startswith(("(?i)", "(?s)", "(?is)", "(?si)")):
            letters = self.pattern[2 : self.pattern.index(")")]
            flags = _Flags("i" in letters, "s" in letters)
            self.portable = "s" not in letters
            self.position = len(letters) + 3
        tree = self.alternation(flags)
        if self.position < len(self.pattern):
            raise self.error("unbalanced ')'")
        return tree

    def error(self, construct: str, position: int | None = None) -> PatternError:
        at = self.position if position is None else position
        return PatternError(
            f"cannot compile the pattern {self.pattern!r}: {construct} at position {at}.",
            "Compiled are: literals, classes [...], \\p{...}, groups (?:...) (...), flags i and s, "
            "alternation, quantifiers, look-ahead of one character, $ and \\z.",
            "Rewrite that part, or let the regex library run the pattern.",
        )

    def peek(self, length: int = 1) -> str:
        return self.pattern[self.position : self.position + length]

    def take(self, expected: str) -> bool:
        if not self.pattern.startswith(expected, self.position):
            return False
        self.position += len(expected)
        return True

    def alternation(self, flags: _Flags) -> Node:
        choices = [self.sequence(flags)]
        while self.take("|"):
            choices.append(self.sequence(flags))
        return choices[0] if len(choices) == 1 else Alternation(tuple(choices))

    def sequence(self, flags: _Flags) -> Node:
        items: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            start = self.position
            item = self.atom(flags)
            items.append(self.quantified(item, start))
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def quantified(self, item: Node, start: int) -> Node:
        bounds = self.bounds()
        if bounds is None:
            return item
        if isinstance(item, LookAhead | EndOfText):
            raise self.error("a quantifier on an assertion", start)
        greedy = not self.take("?")
        possessive = greedy and self.take("+")
        # Oniguruma reads {m}? as an optional {m}.
        if possessive or (not greedy and bounds[0] == bounds[1]):
            self.portable = False
        if self.peek() in ("*", "+", "?", "{"):
            raise self.error("a quantifier on a quantifier")
        return Repeat(item, *bounds, greedy)

    def bounds(self) -> tuple[int, int | None] | None:
        simple: dict[str, tuple[int, int | None]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}
        character = self.peek()
        if character in simple:
            self.position += 1
            return simple[character]
        if character != "{":
            return None
        end = self.pattern.find("}", self.position)
        least, comma, most = self.pattern[self.position + 1 : end].partition(",")
        if end < 0 or not _is_number(least) or not (most == "" or _is_number(most)):
            raise self.error("'{' that begins no {m}, {m,} or {m,n}")
        limit = int(most) if most else None if comma else int(least)
        if limit is not None and limit < int(least):
            raise self.error("a quantifier whose limits are in the wrong order")
        self.position = end + 1
        return int(least), limit

    def atom(self, flags: _Flags) -> Node:
        character = self.peek()
        if character == "(":
            return self.group(flags)
        if character == "[":
            return flags.wrap(self.bracket())
        if character == "\\":
            if self.take("\\z"):
                return EndOfText()
            return flags.wrap(self.escape())
        if character in ("*", "+", "?", "{"):
            raise self.error("a quantifier with nothing to repeat")
        if character == "^":
            raise self.error("the anchor '^'")
        self.position += 1
        if character == "$":
            self.portable = False
            # In `regex` it also stands before a final line feed; where that changes a match, the
            # comparison of the finished automaton with `regex` refuses the pattern.
            return EndOfText()
        if character == ".":
            return CharacterSet(r"[\s\S]" if flags.dot_all else ".")
        return flags.wrap("\\" + character if character in _SPECIAL else character)

    def escape(self) -> str:
        """Consume an escape that stands for one character or a set; return its text."""
        start = self.position
        self.position += 1
        letter = self.peek()
        self.position += 1
        if letter in ("p", "P"):
            return self.property_escape(start)
        if letter in _HEX_DIGITS:
            digits = self.peek(_HEX_DIGITS[letter])
            self.position += len(digits)
            if len(digits) < _HEX_DIGITS[letter] or not all(d in _HEXADECIMAL for d in digits):
                raise self.error(f"the escape '\\{letter}' without its hexadecimal digits", start)
            if letter != "u":
                return self.literal(int(digits, 16), start)
        elif letter == "" or (letter.isalnum() and letter not in _CLASS_ESCAPES | _CONTROL_ESCAPES):
            raise self.error(f"the escape '\\{letter}'", start)
        return self.pattern[start : self.position]

    def literal(self, code_point: int, start: int) -> str:
        # Oniguruma takes \x for a byte and has no \U.
        self.portable = False
        if code_point <= 0xFFFF:
            return f"\\u{code_point:04X}"
        if code_point > 0x10FFFF:
            raise self.error("an escape beyond the last code point", start)
        return chr(code_point)

    def property_escape(self, start: int) -> str:
        if self.take("{"):
            end = self.pattern.find("}", self.position)
            if end <= self.position:
                raise self.error("a property without a name", start)
            self.position = end + 1
        elif self.peek().isalpha():
            self.portable = False
            self.position += 1
            return f"{self.pattern[start : start + 2]}{{{self.pattern[start + 2]}}}"
        else:
            raise self.error("a property without a name", start)
        return self.pattern[start : self.position]

    def bracket(self) -> str:
        """Consume a class in brackets; return its text."""
        start = self.position
        self.position += 1
        parts = ["[^" if self.take("^") else "["]
        if self.peek() == "]":
            raise self.error("']' as the first character of a class (write '\\]')")
        while self.peek() != "]":
            if self.peek() == "":
                raise self.error("a class without its ']'", start)
            if self.peek() == "[":
                raise self.error("'[' inside a class (write '\\[')")
            if self.peek(2) in _SET_OPERATORS:
                raise self.error(f"{self.peek(2)!r} inside a class")
            if self.peek() == "\\":
                parts.append(self.escape())
            else:
                parts.append(self.peek())
                self.position += 1
        self.position += 1
        return "".join([*parts, "]"])

    def group(self, flags: _Flags) -> Node:
        start = self.position
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error(f"a group nested more than {_MAX_DEPTH} deep")
        self.position += 1
        negated = self.take("?!")
        look_ahead = negated or self.take("?=")
        if not look_ahead and self.take("?"):
            flags = self.group_flags(flags, start)
        body = self.alternation(flags)
        if not self.take(")"):
            raise self.error("a group without its ')'", start)
        self.depth -= 1
        return self.look_ahead(body, negated, start) if look_ahead else body

    def group_flags(self, flags: _Flags, start: int) -> _Flags:
        value = True
        while self.peek() in ("i", "s", "-"):
            if self.take("-"):
                value = False
            elif self.take("i"):
                flags = replace(flags, ignore_case=value)
            elif self.take("s"):
                self.portable = False
                flags = replace(flags, dot_all=value)
        if not self.take(":"):
            raise self.error(f"the group '(?{self.pattern[start + 2 : start + 4]}...'", start)
        return flags

    def look_ahead(self, body: Node, negated: bool, start: int) -> LookAhead:
        choices = body.choices if isinstance(body, Alternation) else (body,)
        sets = tuple(choice for choice in choices if isinstance(choice, CharacterSet))
        end = any(isinstance(choice, EndOfText) for choice in choices)
        if len(sets) + sum(isinstance(choice, EndOfText) for choice in choices) < len(choices):
            raise self.error("look-ahead over other than one character", start)
        return LookAhead(sets, end, negated)


def _render(node: Node) -> str:
    match node:
        case CharacterSet(text):
            return text
        case EndOfText():
            return r"\z"
        case LookAhead(sets, end, negated):
            choices = [*(characters.text for characters in sets), *([r"\z"] if end else [])]
            return f"(?{'!' if negated else '='}{'|'.join(choices)})"
        case Sequence(items):
            return "".join(
                f"(?:{_render(item)})" if isinstance(item, Alternation) else _render(item)
                for item in items
            )
        case Alternation(choices):
            return "|".join(_render(choice) for choice in choices)
        case Repeat(item, least, most, greedy):
            body = _render(item) if isinstance(item, CharacterSet) else f"(?:{_render(item)})"
            lazy = "" if greedy or least == most else "?"
            return body + _quantifier(least, most) + lazy


def _quantifier(least: int, most: int | None) -> str:
    if most == least:
        return f"{{{least}}}"
    short = {(0, 1): "?", (0, None): "*", (1, None): "+"}
    return short.get((least, most), f"{{{least},{'' if most is None else most}}}")


def _is_number(text: str) -> bool:
    # Four digits: anything larger would not fit an automaton anyway.
    return text.isascii() and text.isdigit() and len(text) <= 4
