"""The added tokens of a ``tokenizer.json``: those that toktk finds exactly where the library does."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.errors import LimitError, clipped
from toktk.formats.fields import Fields, NotNative, is_id, is_text
from toktk.formats.hf_model import Names, ids_among
from toktk.formats.hf_steps import Steps

_FLAGS = ("special", "normalized", "single_word", "lstrip", "rstrip")
HIGHEST = 2**32 - 1
"""Of the ids that a file may state for added tokens: the library reads them, and gives ids anew."""

_MOST = 2**22  # characters in all; published files have some 100,000
_LONGEST = 1000  # characters of a name that is compared with others


@dataclass
class Added:
    """Names and ids of added tokens.

    Special ones are text like any other here. The library still looks for them, to leave them alone, and
    so a special token hides what begins within it. Where that could happen, the library does the work.

    Attributes:
        special: never found in text.
        ordinary: found wherever text holds them, before anything else happens to it.
    """

    special: dict[str, int] = field(default_factory=dict)
    ordinary: dict[str, int] = field(default_factory=dict)

    def if_first(self) -> tuple[str, ...]:
        """Return the special tokens and then the ordinary ones, if these are the first ids in order."""
        if not self.are_first:
            raise NotNative("a model whose added tokens are not its first ids, special ones first")
        return (*self.special, *self.ordinary)

    @property
    def are_first(self) -> bool:
        """Whether the first ids are those of the special tokens, then those of the ordinary ones."""
        ids = [*self.special.values(), *self.ordinary.values()]
        return ids == list(range(len(ids)))


def read_added(fields: Fields, value: Any, vocab: Mapping[str, int], steps: Steps) -> Added:
    """Return what the field ``added_tokens`` says, beside the `vocab` of the model.

    An ordinary token that toktk would not find exactly where the library does is NotNative.
    """
    added = Added()
    sought: defaultdict[tuple[bool, bool], list[str]] = defaultdict(list)
    listed = fields.typed(list, [] if value is None else value, "added_tokens")
    in_model = ids_among([entry["content"] for entry in listed if _is_sound(entry)], vocab)
    highest, is_taken = len(vocab) - 1, _taken(vocab)
    for at, entry in enumerate(listed):
        if not _is_sound(entry):
            _complain(fields, f"added_tokens[{at}]", entry)
        name: str = entry["content"]
        stated: int = entry["id"]
        flags = [flag for flag in _FLAGS if entry.get(flag)]
        if name in added.special or name in added.ordinary:
            raise NotNative(f"added token {clipped(name)}, listed twice")
        # The library gives a new name the id behind all others, and so it is another's if ids have holes.
        i = in_model.get(name, highest + 1)
        if i != stated:
            raise NotNative(f"added token {clipped(name)}: the file says id {stated}, its rule {i}")
        if name not in in_model and i < is_taken.size and is_taken[i]:
            raise NotNative("added tokens that take the ids of others")
        highest = max(highest, i)
        (added.special if "special" in flags else added.ordinary)[name] = i
        sought["normalized" in flags, "special" in flags].append(name)
        widened = [flag for flag in flags if flag not in ("special", "normalized")]
        if widened and "special" not in flags:
            raise NotNative(f"added token {clipped(name)} with {', '.join(widened)}")
    _check_search(sought, steps)
    return added


def _taken(vocab: Mapping[str, int]) -> npt.NDArray[np.bool_]:
    """Return for each id up to the highest whether it is one of the model."""
    of_names = vocab.ids if isinstance(vocab, Names) else None
    ids = np.fromiter(vocab.values(), np.int64, len(vocab)) if of_names is None else of_names
    is_taken = np.zeros(int(ids.max(initial=-1)) + 1, dtype=np.bool_)
    is_taken[ids] = True
    return is_taken


def limit_added(fields: Fields, value: Any) -> None:
    """Refuse names with more characters than the library can look for: it takes some 50 bytes for each."""
    entries = value if isinstance(value, list) else ()
    names = [entry.get("content") for entry in entries if isinstance(entry, dict)]
    total = sum(len(name) for name in names if isinstance(name, str))
    if total > _MOST:
        raise LimitError(
            f"cannot read {fields.path}: added_tokens.",
            f"Found: {len(names):,} names of {total:,} characters in all.",
            f"Readable are up to {_MOST:,}.",
        )


def _is_sound(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and is_text(entry.get("content"))
        and is_id(entry.get("id"), HIGHEST)
        and {type(entry.get(flag, False)) for flag in _FLAGS} == {bool}
    )


def _complain(fields: Fields, path: str, entry: Any) -> None:
    """Raise the FormatError that names what is wrong with an entry."""
    token = fields.typed(dict, entry, path)
    name, stated = token.get("content"), token.get("id")
    fields.check(is_text(name), f"{path}.content", name, "text that is not empty")
    fields.check(is_id(stated, HIGHEST), f"{path}.id", stated, "an id")
    for flag in _FLAGS:
        fields.flag(token, f"{path}.{flag}")


def _check_search(sought: Mapping[tuple[bool, bool], list[str]], steps: Steps) -> None:
    """Refuse names, by whether they are sought in normalized text and are special, that are not found."""
    raw, normalized = sought[False, False], sought[True, False]
    if normalized and not steps.normalizer.is_identity:
        raise NotNative(f"added token {clipped(normalized[0])}, sought in normalized text")
    if steps.first_alone and (raw or normalized):
        raise NotNative(f"added token {clipped((raw or normalized)[0])} behind Metaspace first")
    hides = [(sought[False, True], raw), (sought[True, True], normalized)]
    if raw and normalized:
        # Those in raw text are found first. So they are where all are sought at once, unless one begins
        # within another that begins before it.
        hides += [(normalized, raw), (sought[False, True], normalized)]
    # The leftmost is found, the longest of those: what lies within another or begins within it is hidden.
    for hiding, hidden in hides:
        if hiding and hidden:
            name = hidden_name(hiding, hidden)
            if name is not None:
                raise NotNative(f"added token {clipped(name)}, which another can hide")


def hidden_name(hiding: Sequence[str], hidden: Sequence[str]) -> str | None:
    """Return one of `hidden` that lies within one of `hiding`, or begins within it and can go on behind.

    No string is in both. The time is that of a search for each place at which one may begin.
    """
    long = next((name for name in (*hiding, *hidden) if len(name) > _LONGEST), None)
    if long is not None:
        raise NotNative(f"an added token of {len(long):,} characters, beside others")
    # Where a name begins with another, the shorter one alone decides. Then all that begins with a
    # name stands right behind it in the order.
    names: list[str] = []
    for name in sorted(hidden):
        if not names or not name.startswith(names[-1]):
            names.append(name)
    begins = re.compile(f"[{re.escape(''.join({name[0] for name in names}))}]")
    for other in hiding:
        for match in begins.finditer(other):
            rest = other[match.start() :]
            i = bisect_left(names, rest)
            if i < len(names) and match.start() > 0 and names[i].startswith(rest):
                return names[i]
            if i > 0 and rest.startswith(names[i - 1]):
                return names[i - 1]
    return None
