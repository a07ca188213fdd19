"""What a split pattern must be, so that other libraries cut text with it as toktk does."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from toktk.arrays import Int64, read_only
from toktk.cache import Store
from toktk.errors import FormatError, PatternError, clipped, in_a_line
from toktk.pretokenizers import syntax, unicode_tables
from toktk.pretokenizers.automaton import Automaton, compile_pattern
from toktk.pretokenizers.patterns import PATTERNS, name_of
from toktk.pretokenizers.pretokenizer import DEFAULT_LIBRARY, Pretokenizer
from toktk.pretokenizers.unicode_tables import NAMES, Library

_CODES = "codes.npy"


@functools.lru_cache(maxsize=16)  # asked before the training, and by each file
def exported_pattern(pretokenizer: Pretokenizer) -> str:
    """Return the pattern as Oniguruma and Rust's engines read it.

    All cut alike at characters that their Unicode tables know alike; `table_notes` has the others.

    Raises:
        FormatError: the pattern is not all, only the `regex` library runs it, it can match the empty
            string, after which every library goes on in its own way, or Oniguruma folds it otherwise.
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
            compile_pattern(pattern, pretokenizer.library)
        except PatternError as error:
            reason = in_a_line(error)
        raise FormatError(
            f"cannot export the split pattern {clipped(pattern, 200)}: it does not compile, so nothing "
            "says that another library reads it alike.",
            reason,
        )
    tree = syntax.parse(pattern)
    if _matches_nothing(tree):
        raise FormatError(
            f"cannot export the split pattern {clipped(pattern, 200)}: it can match the empty string.",
            "Write + instead of *, or leave out the optional whole.",
        )
    if syntax.folds_several(tree):
        raise FormatError(
            f"cannot export the split pattern {clipped(pattern, 200)}: libraries fold case differently.",
            "Found: (?i) over letters for which Hugging Face tokenizers takes one character too, as ß for "
            "ss and ﬆ for st; others do not.",
            "Write each letter in both cases, such as [Ss][Tt].",
        )
    return syntax.portable(pattern)


def strangers(pretokenizer: Pretokenizer, library: Library) -> Int64:
    """Return the code points that `library` has in other classes of the pattern than the pretokenizer.

    Raises:
        PatternError: the pattern is outside the subset, or the library does not read one of its classes.
    """
    pattern, own = pretokenizer.pattern, pretokenizer.library
    if own == library or not unicode_tables.needs_tables(pattern):
        return np.zeros(0, dtype=np.int64)
    # Kept as a whole: reading the tables of each set takes longer than all else at a warm start.
    store, key = Store(), ["strangers", pattern, *map(unicode_tables.release, (own, library))]
    codes = store.read("patterns", key, lambda folder: np.load(folder / _CODES, allow_pickle=False))
    if codes is None:
        codes = _strangers(pattern, own, library)
        store.write("patterns", key, lambda folder: np.save(folder / _CODES, codes))
    return read_only(codes, np.int64)


def _strangers(pattern: str, own: Library, library: Library) -> Int64:
    found = [np.empty(0, dtype=np.int64)]
    for characters in {item.text for item in syntax.character_sets(syntax.parse(pattern))}:
        one = unicode_tables.edges(characters, own)
        other = unicode_tables.edges(characters, library)
        # Between the two of a row, an odd number of edges has been passed.
        runs = np.setxor1d(one, other).reshape(-1, 2)
        found += [np.arange(begin, end) for begin, end in runs.tolist()]
    codes = np.unique(np.concatenate(found))
    return codes[(codes < 0xD800) | (codes >= 0xE000)]


def table_notes(pretokenizer: Pretokenizer, library: Library, file: str) -> tuple[str, ...]:
    """Return where ids can differ in a library since its Unicode tables are others; empty where nowhere.

    Raises:
        FormatError: the library does not read one of the pattern's classes.
    """
    try:
        codes = strangers(pretokenizer, library)
    except PatternError as error:
        raise FormatError(f"cannot write {file}.", *str(error).splitlines()) from error
    if codes.size == 0:
        return ()
    several = "character" if codes.size == 1 else "characters"
    return (
        f"{file}: ids can differ in {NAMES[library]} at {codes.size:,} {several}, such as "
        f"U+{codes[0]:04X}, which its Unicode tables class otherwise than those of "
        f"{unicode_tables.release(pretokenizer.library)}.",
    )


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


def named_pretokenizer(text: str, library: Library = DEFAULT_LIBRARY) -> Pretokenizer:
    """Return the pretokenizer of a pattern in a file that belongs to `library`.

    A known pattern, as it is or as exported, has its name again.
    """
    for name, known in PATTERNS.items():
        if text in (known, canonical_pattern(known)):
            return Pretokenizer(name, known, library=library)
    return Pretokenizer(name_of(text), text, library=library)


def canonical_pattern(pattern: str) -> str:
    """Return the text by which patterns are compared, equal for a pattern written and read again."""
    try:
        return syntax.portable(pattern)
    except PatternError:
        return pattern


def canonical_key(pretokenizer: Pretokenizer) -> str:
    """Return `Pretokenizer.key` with canonical patterns; of a plain one, the canonical pattern."""
    before = tuple(map(canonical_pattern, pretokenizer.before))
    return pretokenizer.key_of(canonical_pattern(pretokenizer.pattern), before)


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


def maybe_pieces(pretokenizer: Pretokenizer, texts: Sequence[bytes]) -> list[int]:
    r"""Return the indices of those of `texts` that may be pieces of some text; all others never are.

    Proof: let one be several pieces where it is all of the text. Let the pattern match everywhere, and
    its look-ahead hold at the end of a text, as ``(?!\S)`` does. If it were a piece of a longer text,
    it would be a match there, and the same match would be possible in this text alone. One that is
    preferred there ends earlier, so what it looks at is the same in the longer text, and it would be
    preferred in that one too. That needs look-ahead over one character at most.
    """
    everyone = list(range(len(texts)))
    if pretokenizer.before or not texts:
        return everyone
    try:
        nodes = [*syntax.every_node(syntax.parse(pretokenizer.pattern))]
        if any(isinstance(node, syntax.Ahead) for node in nodes):
            return everyone
        looks = [node for node in nodes if isinstance(node, syntax.LookAhead)]
        automaton = compile_pattern(pretokenizer.pattern, pretokenizer.library)
    except PatternError:
        return everyone
    if any(look.end == look.negated for look in looks) or leaves_gaps(automaton):
        return everyone
    # A piece is UTF-8, and so is what can be cut.
    known = [i for i in everyone if texts[i].decode(errors="ignore").encode() == texts[i]]
    return [i for i in known if len(pretokenizer.cut_bytes(texts[i])) < 2]


def _matches_nothing(node: syntax.Node) -> bool:
    match node:
        case syntax.Sequence(items):
            return all(map(_matches_nothing, items))
        case syntax.Alternation(choices):
            return any(map(_matches_nothing, choices))
        case syntax.Repeat(item, least):
            return least == 0 or _matches_nothing(item)
    return not isinstance(node, syntax.CharacterSet)
