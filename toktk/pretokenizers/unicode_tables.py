r"""Which code points a character set holds: each library has Unicode tables of its own, of its own age.

Oniguruma (Hugging Face tokenizers), Rust's regex (tiktoken) and the `regex` package differ in characters
that are younger than the tables of one of them, and in what ``\w`` is. So a library is asked itself, set by
set, over all code points; the sets of a pattern all at once.
"""

from __future__ import annotations

import functools
import itertools
import re
import threading
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import regex

from toktk.arrays import Int64, read_arrays, read_only, write_arrays
from toktk.cache import Store
from toktk.child import ChildEnded, Refused, Service, whole_or_each
from toktk.errors import PatternError, ToktkError
from toktk.pretokenizers import code_points
from toktk.pretokenizers.code_points import CODE_POINTS, Codes

Library = Literal["regex", "tokenizers", "tiktoken"]
NAMES: dict[Library, str] = {
    "regex": "regex",
    "tokenizers": "Hugging Face tokenizers",
    "tiktoken": "tiktoken",
}

_KEPT = 1000  # sets in memory, of some kB
_PATIENCE = 300.0  # seconds for a set, which takes less than one, and for the library to start
# A set without these is listed character by character, so nothing is looked up. `[\s\S]` is everything.
_LOOKED_UP = re.compile(r"\\[pPwWsSdD]|\(\?[is]*i")
_EVERYTHING = r"[\s\S]"

_tables = Service("toktk.pretokenizers.table_worker")
_turn = threading.Lock()
_known: dict[tuple[Library, str], Int64] = {}


_version = functools.cache(version)  # it reads a file


def release(library: Library) -> str:
    """Return a library's name and version, which its tables come with."""
    return f"{library} {regex.__version__ if library == 'regex' else _version(library)}"


def start_ahead() -> None:
    """Have the libraries' process start beside other work, where no pattern was ever compiled."""
    if not (Store().root / "cells" / "patterns").exists():
        _tables.start()


def needs_tables(pattern: str) -> bool:
    """Tell whether a pattern, or a set, says anything that a Unicode table decides."""
    return _LOOKED_UP.search(pattern.replace(_EVERYTHING, "")) is not None


def edges(characters: str, library: Library) -> Int64:
    """Return where the runs of code points in a set begin and end, in turn; see `edges_of_each`."""
    return edges_of_each([characters], library)[0]


def edges_of_each(sets: Sequence[str], library: Library) -> list[Int64]:
    """Return where the runs of code points in each set begin and end, in turn, by a library's tables.

    Surrogates, which are in no text, count to a library other than `regex` as U+FFFD does.

    Raises:
        regex.error: a set is malformed; `library` is ``regex``, or it holds nothing to look up.
        PatternError: the library does not read a set.
        ToktkError: the library breaks down at one.
    """
    with _turn:  # what two patterns share is asked for once
        known = {item: _known[library, item] for item in sets if (library, item) in _known}
        missing = [item for item in dict.fromkeys(sets) if item not in known]
        asked = [item for item in missing if library != "regex" and needs_tables(item)]
        known |= zip(asked, _stored(library, asked), strict=True) if asked else ()
        known |= {item: _by_regex(item) for item in missing if item not in known}
        if len(_known) > _KEPT:
            _known.clear()
        _known.update({(library, item): known[item] for item in missing})
    return [known[item] for item in sets]


def _by_regex(characters: str) -> Int64:
    if len(characters) == 1 and characters != ".":
        return read_only(np.array([ord(characters), ord(characters) + 1]), np.int64)
    wanted = regex.compile(f"(?:{characters})+", regex.V0)

    def look(codes: Codes) -> Int64:
        runs = wanted.finditer(_text(codes))
        return np.array([edge for run in runs for edge in run.span()], dtype=np.int64)

    return read_only(code_points.edges_of(characters, look), np.int64)


def digits() -> str:
    r"""Return a set of what the step Digits of Hugging Face tokenizers cuts; ``\p{N}`` where it is that."""
    (found,) = _stored("tokenizers", [""], step="Digits")
    if np.array_equal(found, edges(r"\p{N}", "tokenizers")):
        return r"\p{N}"
    pairs = found.reshape(-1, 2).tolist()
    return f"[{''.join(f'{chr(a)}-{chr(b - 1)}' for a, b in pairs)}]"


def _stored(library: Library, sets: Sequence[str], step: str = "") -> list[Int64]:
    key = ["sets", 1, release(library), step, *sets]
    store = Store()
    stored = store.read("patterns", key, lambda folder: _loaded(folder, len(sets)), code=None)
    if stored is None:
        answers = whole_or_each(functools.partial(_asked, library, sets, step), 0, len(sets))
        stored = list(itertools.chain.from_iterable(answers))
        arrays = {f"{i}": edges for i, edges in enumerate(stored)}
        store.write("patterns", key, lambda folder: write_arrays(folder, arrays), code=None)
    return [read_only(edges, np.int64) for edges in stored]


def _loaded(folder: Path, n: int) -> list[Int64]:
    arrays, _ = read_arrays(folder)
    for edges in arrays.values():
        bounded = np.concatenate([[-1], edges, [CODE_POINTS + 1]])
        if edges.dtype != np.int64 or edges.size % 2 or (np.diff(bounded) <= 0).any():
            raise ValueError("no ascending runs of code points")
    return [arrays[f"{i}"] for i in range(n)]


def _asked(library: Library, sets: Sequence[str], step: str, first: int, last: int) -> list[Int64]:
    """Return the edges of the sets first..last - 1."""
    what = f"cannot look up the character set {sets[first]!r:.200} in {release(library)}."
    arguments = {"library": f"{library}.{step}" if step else library, "sets": sets[first:last]}
    try:
        with _tables.turn() as child:
            _, answers = child.ask("members", limit=_PATIENCE, **arguments)
    except Refused as refusal:
        if last - first > 1:
            raise
        raise PatternError(what, f"It says: {refusal}.") from refusal
    except ChildEnded as ended:
        if last - first > 1 and not ended.interrupted:
            raise
        # No PatternError, after which `regex` with its own tables would cut.
        raise ToktkError(
            what, f"Found: the library {ended.how}.", "Try again, or install the library anew."
        ) from ended
    return [np.frombuffer(answer, dtype=np.int64) for answer in answers]


@functools.cache
def _text(codes: Codes) -> str:
    return codes().astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
