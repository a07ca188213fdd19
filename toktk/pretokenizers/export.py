"""What a split pattern must be, so that other libraries cut text with it as toktk does."""

from __future__ import annotations

from dataclasses import replace

from toktk.errors import FormatError, PatternError, clipped, in_a_line
from toktk.pretokenizers import syntax
from toktk.pretokenizers.automaton import Automaton, compile_pattern
from toktk.pretokenizers.patterns import PATTERNS, name_of
from toktk.pretokenizers.pretokenizer import Pretokenizer


def exported_pattern(pretokenizer: Pretokenizer) -> str:
    """Return the pattern as Oniguruma and Rust's engines read it.

    All cut alike at characters that their Unicode tables know alike. A character assigned in the
    last years may be a letter to one and nothing to another.

    Raises:
        FormatError: the pattern is not all, only the `regex` library runs it, or it can match the
            empty string, after which every library goes on in its own way.
    """
    pattern = pretokenizer.pattern
    if not pretokenizer.is_plain:
        raise FormatError(
            f"cannot export the pretokenizer {pretokenizer.name}: its split pattern is not all.",
            f"Found: {beside_the_pattern(pretokenizer)}.",
            "Keep the file that it was read from.",
        )
    if pretokenizer.compile() is None:
        reason = "Its tables are too large."
        try:
            compile_pattern(pattern)
        except PatternError as error:
            reason = in_a_line(error)
        raise FormatError(
            f"cannot export the split pattern {clipped(pattern, 200)}: it does not compile, so nothing "
            "says that another library reads it alike.",
            reason,
        )
    if _matches_nothing(syntax.parse(pattern)):
        raise FormatError(
            f"cannot export the split pattern {clipped(pattern, 200)}: it can match the empty string.",
            "Write + instead of *, or leave out the optional whole.",
        )
    return syntax.portable(pattern)


def beside_the_pattern(pretokenizer: Pretokenizer) -> str:
    """Return what else than the pattern determines the pieces; empty for a plain pretokenizer."""
    steps = []
    if pretokenizer.before:
        steps.append(f"{len(pretokenizer.before)} patterns that cut before it")
    if not pretokenizer.normalizer.is_identity:
        steps.append(f"the normalizer {pretokenizer.normalizer.signature}")
    if pretokenizer.added:
        steps.append(f"{len(pretokenizer.added):,} added strings")
    return ", ".join(steps)


def named_pretokenizer(text: str) -> Pretokenizer:
    """Return the pretokenizer of a pattern; a known one, as it is or as exported, has its name again."""
    for name, known in PATTERNS.items():
        if text in (known, canonical_pattern(known)):
            return Pretokenizer(name, known)
    return Pretokenizer(name_of(text), text)


def canonical_pattern(pattern: str) -> str:
    """Return the text by which patterns are compared, equal for a pattern written and read again."""
    try:
        return syntax.portable(pattern)
    except PatternError:
        return pattern


def canonical_key(pretokenizer: Pretokenizer) -> str:
    """Return `Pretokenizer.key` with canonical patterns; of a plain one, the canonical pattern."""
    pattern = canonical_pattern(pretokenizer.pattern)
    before = tuple(map(canonical_pattern, pretokenizer.before))
    return replace(pretokenizer, pattern=pattern, before=before).key


def leaves_gaps(automaton: Automaton) -> bool:
    """Tell whether some text has a place at which the pattern does not match.

    There is one if and only if the automaton can die, or the text can end, before a match is accepted.
    """
    next_state, accept = automaton.next_state.tolist(), automaton.accept.tolist()
    unmatched = [0]  # states that are reached before any match; the loop appends to them
    for state in unmatched:
        targets = {
            target
            for target, is_accepted in zip(next_state[state], accept[state], strict=False)
            if not is_accepted
        }
        if min(targets, default=0) < 0 or (state != 0 and not accept[state][-1]):
            return True
        unmatched += targets.difference(unmatched)
    return False


def _matches_nothing(node: syntax.Node) -> bool:
    match node:
        case syntax.Sequence(items):
            return all(map(_matches_nothing, items))
        case syntax.Alternation(choices):
            return any(map(_matches_nothing, choices))
        case syntax.Repeat(item, least):
            return least == 0 or _matches_nothing(item)
    return not isinstance(node, syntax.CharacterSet)
