r"""Which code points a character set holds: each library has Unicode tables of its own, of its own age.

Oniguruma (Hugging Face tokenizers), Rust's regex (tiktoken) and the `regex` package differ in characters
that are younger than the tables of one of them, and in what ``\w`` is. So a library is asked itself, set by
set, over all code points.
"""

from __future__ import annotations

import functools
import re
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import regex

from toktk.arrays import Int64, read_only
from toktk.cache import Store
from toktk.child import ChildEnded, Refused, Service
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


_version = functools.cache(version)  # it reads a file


def release(library: Library) -> str:
    """Return a library's name and version, which its tables come with."""
    return f"{library} {regex.__version__ if library == 'regex' else _version(library)}"


def needs_tables(pattern: str) -> bool:
    """Tell whether a pattern, or a set, says anything that a Unicode table decides."""
    return _LOOKED_UP.search(pattern.replace(_EVERYTHING, "")) is not None


@functools.lru_cache(maxsize=_KEPT)
def edges(characters: str, library: Library) -> Int64:
    """Return where the runs of code points in a set begin and end, in turn, by a library's tables.

    Surrogates, which are in no text, count to a library other than `regex` as U+FFFD does.

    Raises:
        regex.error: the set is malformed; `library` is ``regex``, or it holds nothing to look up.
        PatternError: the library does not read the set.
        ToktkError: the library breaks down at it.
    """
    if library != "regex" and needs_tables(characters):
        return _stored(library, characters)
    if len(characters) == 1 and characters != ".":
        return read_only(np.array([ord(characters), ord(characters) + 1]), np.int64)
    wanted = regex.compile(f"(?:{characters})+", regex.V0)

    def look(codes: Codes) -> Int64:
        runs = wanted.finditer(_text(codes))
        return np.array([edge for run in runs for edge in run.span()], dtype=np.int64)

    return read_only(code_points.edges_of(characters, look), np.int64)


def digits() -> str:
    r"""Return a set of what the step Digits of Hugging Face tokenizers cuts; ``\p{N}`` where it is that."""
    found = _stored("tokenizers", "", step="Digits")
    if np.array_equal(found, edges(r"\p{N}", "tokenizers")):
        return r"\p{N}"
    pairs = found.reshape(-1, 2).tolist()
    return f"[{''.join(f'{chr(a)}-{chr(b - 1)}' for a, b in pairs)}]"


def _stored(library: Library, characters: str, step: str = "") -> Int64:
    key = ["set", 1, release(library), step, characters]
    store = Store()
    found = store.read("patterns", key, _loaded, code=None)
    if found is None:
        found = _asked(library, characters, step)
        store.write("patterns", key, lambda folder: np.save(folder / "edges.npy", found), code=None)
    return read_only(found, np.int64)


def _loaded(folder: Path) -> Int64:
    found = np.load(folder / "edges.npy", allow_pickle=False)
    bounded = np.concatenate([[-1], found, [CODE_POINTS + 1]])
    if found.dtype != np.int64 or found.size % 2 or (np.diff(bounded) <= 0).any():
        raise ValueError("no ascending runs of code points")
    return read_only(found, np.int64)


def _asked(library: Library, characters: str, step: str) -> Int64:
    what = f"cannot look up the character set {characters!r:.200} in {release(library)}."
    arguments = {"library": f"{library}.{step}" if step else library, "characters": characters}
    try:
        with _tables.turn() as child:
            _, (found,) = child.ask("members", limit=_PATIENCE, **arguments)
    except Refused as refusal:
        raise PatternError(what, f"It says: {refusal}.") from refusal
    except (
        ChildEnded
    ) as ended:  # no PatternError, after which `regex` with its own tables would cut
        raise ToktkError(
            what, f"Found: the library {ended.how}.", "Try again, or install the library anew."
        ) from ended
    return np.frombuffer(found, dtype=np.int64)


@functools.cache
def _text(codes: Codes) -> str:
    return codes().astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
