"""What a split pattern must be, so that other libraries cut text with it as toktk does."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from toktk.errors import FormatError, PatternError
from toktk.pretokenizers import syntax
from toktk.pretokenizers.automaton import Automaton
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer


def exported_pattern(pretokenizer: Pretokenizer) -> str:
    """Return the pattern as Oniguruma and Rust's engines read it.

    Equal on all characters that the libraries' Unicode tables know alike; a character assigned in
    the last years may be a letter to one and nothing to another.

    Raises:
        FormatError: more than the pattern determines the pieces; or the pattern runs on the `regex`
            library alone, or can match the empty string, after which every library goes on in its
            own way.
    """
    pattern = pretokenizer.pattern
    if not pretokenizer.is_plain:
        raise FormatError(
            f"cannot export the pretokenizer {pretokenizer.name}: its split pattern is not all.",
            f"Found: {_beside_the_pattern(pretokenizer)}.",
            "Keep the file that it was read from.",
        )
    compiled = pretokenizer.compile() is not None
    if not compiled:
        reason = "it does not compile, so nothing says that another library reads it alike"
    elif _matches_nothing(syntax.parse(pattern)):
        reason = "it can match the empty string"
    else:
        return syntax.portable(pattern)
    raise FormatError(
        f"cannot export the split pattern {pattern!r}: {reason}.",
        "Write + instead of *, or leave out the optional whole."
        if compiled
        else _why_not_compiled(pattern),
    )


def exported_pretokenizer(text: str) -> Pretokenizer:
    """Return the pretokenizer whose `exported_pattern` is `text`; a known one has its name again.

    Raises:
        FormatError: libraries may read this pattern differently.
    """
    for name, known in PATTERNS.items():
        if canonical_pattern(known) == text:
            return Pretokenizer(name, known)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    found = Pretokenizer(f"regex-{digest[:8]}", text)
    try:
        again = exported_pattern(found)
    except PatternError as error:
        raise FormatError(str(error)) from error
    if again != text:
        raise FormatError(f"libraries may read the split pattern {text!r} differently.")
    return found


def canonical_pattern(pattern: str) -> str:
    """Return the text by which patterns are compared: `syntax.portable` where that applies.

    So a tokenizer that was written and read again has the signature it had.
    """
    try:
        return syntax.portable(pattern)
    except PatternError:
        return pattern


def canonical_key(pretokenizer: Pretokenizer) -> str:
    """Return `Pretokenizer.key` with canonical patterns; of a plain one, the canonical pattern."""
    canonical = replace(
        pretokenizer,
        pattern=canonical_pattern(pretokenizer.pattern),
        before=tuple(map(canonical_pattern, pretokenizer.before)),
    )
    return canonical.key


def leaves_gaps(automaton: Automaton) -> bool:
    """Tell whether some text has a place at which the pattern does not match.

    There is one if and only if the automaton can die, or the text end, before a match is accepted.
    """
    next_state, accept = automaton.next_state.tolist(), automaton.accept.tolist()
    unmatched = [0]
    for state in unmatched:
        if state != 0 and not accept[state][-1]:
            return True
        for target, accepted in zip(next_state[state], accept[state], strict=False):
            if accepted:
                continue
            if target < 0:
                return True
            if target not in unmatched:
                unmatched.append(target)
    return False


def _beside_the_pattern(pretokenizer: Pretokenizer) -> str:
    found = []
    if pretokenizer.before:
        found.append(f"{len(pretokenizer.before)} patterns that cut before it")
    if not pretokenizer.normalizer.is_identity:
        found.append(f"the normalizer {pretokenizer.normalizer.signature}")
    if pretokenizer.added:
        found.append(f"{len(pretokenizer.added):,} added strings")
    return ", ".join(found)


def _matches_nothing(node: syntax.Node) -> bool:
    match node:
        case syntax.CharacterSet():
            return False
        case syntax.Sequence(items):
            return all(map(_matches_nothing, items))
        case syntax.Alternation(choices):
            return any(map(_matches_nothing, choices))
        case syntax.Repeat(item, least):
            return least == 0 or _matches_nothing(item)
    return True


def _why_not_compiled(pattern: str) -> str:
    from toktk.pretokenizers.automaton import compile_pattern

    try:
        compile_pattern(pattern)
    except PatternError as error:
        return str(error)
    return "Its tables are too large."
