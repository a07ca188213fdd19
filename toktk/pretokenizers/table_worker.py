"""The process in which libraries say which code points a character set holds, by their own tables."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from toktk.arrays import Int64
from toktk.child import MEMORY, Refused, serve
from toktk.errors import in_a_line
from toktk.pretokenizers import code_points
from toktk.pretokenizers.code_points import Codes

_STAND_IN = 0xFFFD  # for surrogates, which are in no text
# A letter of ASCII folds to no other's several characters, so what stands beside it does not matter.
_FOLDED = re.compile(r"\(\?i:[A-Za-z']\)")
_COMPLAINTS = (Exception, ValueError, RuntimeError)

Ask = Callable[[str, str], str]


@functools.cache
def _text(codes: Codes) -> str:
    numbers = codes().astype("<u4")
    numbers[code_points.SURROGATES] = _STAND_IN
    return numbers.tobytes().decode("utf-32-le")


def _outside(characters: str, text: str) -> str:
    """Return the code points outside a set, by Hugging Face tokenizers: what is left when it is replaced."""
    from toktk.hf_library import Regex, decoders

    return str(decoders.Replace(Regex(f"(?:{characters})+"), "").decode([text]))


def _numeric(_: str, text: str) -> str:
    """Return the code points that are no digits to the step Digits of Hugging Face tokenizers."""
    from toktk.hf_library import pre_tokenizers

    step = pre_tokenizers.Digits(individual_digits=False)
    # The step cuts between digits and others: behind U+0000, which is none, every second piece is of digits.
    return "".join(piece for piece, _ in step.pre_tokenize_str(text)[::2])


def _inside(characters: str, text: str) -> str:
    """Return the code points in a set, by tiktoken: its tokens drop what the pattern does not match."""
    import tiktoken

    ranks = {bytes([b]): b for b in range(256)}
    settings: dict[str, Any] = {"pat_str": f"(?:{characters})", "mergeable_ranks": ranks}
    encoding = tiktoken.Encoding("set", **settings, special_tokens={})
    ids = encoding.encode_to_numpy(text, disallowed_special=())
    return ids.astype(np.uint8).tobytes().decode()


_ASK: dict[str, tuple[Ask, bool]] = {  # and whether it returns what is inside
    "tokenizers": (_outside, False),
    "tokenizers.Digits": (_numeric, False),
    "tiktoken": (_inside, True),
}


class Session:
    """What the parent asks for."""

    def __init__(self) -> None:
        _text(code_points.few)  # while the parent has no question yet

    def members(self, library: str, sets: list[str]) -> tuple[None, *tuple[bytes, ...]]:
        """Return where the runs of code points in each set begin and end, in turn: int64.

        Raises:
            Refused: the library does not read a set.
        """
        ask, is_inside = _ASK[library]
        look = functools.partial(_look, ask, is_inside)
        # Letters in both cases: where any of them has members, each of them is asked.
        folded = [item for item in sets if _FOLDED.fullmatch(item)]
        places = np.empty(0, dtype=np.int64)
        if len(folded) > 1:
            anywhere = "|".join(folded)
            runs = code_points.edges_of(anywhere, functools.partial(look, anywhere)).reshape(-1, 2)
            places = np.concatenate([np.arange(a, b) for a, b in runs])
        answers = []
        for item in sets:
            if item in folded and places.size and _STAND_IN not in places:
                among = _members(ask, is_inside, item, places)
                edges = _runs(places[among])
            else:
                edges = code_points.edges_of(item, functools.partial(look, item))
            answers.append(edges.tobytes())
        return None, *answers


def _runs(codes: Int64) -> Int64:
    """Return where the runs of ascending numbers begin and end, in turn."""
    begins = codes[np.diff(codes, prepend=-2) != 1]
    ends = codes[np.diff(codes, append=-2) != 1] + 1
    return np.column_stack([begins, ends]).ravel()


def _look(ask: Ask, is_inside: bool, characters: str, codes: Codes) -> Int64:
    """Return where the runs of a set begin and end among code points; see `code_points.edges_of`."""
    members = _members(ask, is_inside, characters, codes(), _text(codes))
    members[code_points.SURROGATES] = members[_STAND_IN]
    return np.flatnonzero(np.diff(members, prepend=False, append=False)).astype(np.int64)


def _members(
    ask: Ask, is_inside: bool, characters: str, codes: Int64, text: str = ""
) -> npt.NDArray[np.bool_]:
    """Return bool[n]: which of the code points are in the set; `text` is of them, if it is there already.

    Raises:
        Refused: the library does not read the set.
    """
    try:
        answer = ask(characters, text or "".join(map(chr, codes.tolist())))
    except BaseException as error:
        if type(error) not in _COMPLAINTS and type(error).__name__ != "PanicException":
            raise
        raise Refused(f"{in_a_line(error):.300}") from error
    told = np.frombuffer(answer.encode("utf-32-le"), dtype="<u4")
    is_told = np.zeros(code_points.CODE_POINTS, dtype=np.bool_)
    is_told[told] = True
    members: npt.NDArray[np.bool_] = is_told[codes] == is_inside
    return members


if __name__ == "__main__":
    serve(Session(), MEMORY)
