"""The process in which libraries say which code points a character set holds, by their own tables."""

from __future__ import annotations

import functools
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

    def members(self, library: str, characters: str) -> tuple[None, bytes]:
        """Return where the runs of code points in a set begin and end, in turn: int64.

        Raises:
            Refused: the library does not read the set.
        """

        def look(codes: Codes) -> Int64:
            members = _members(*_ASK[library], characters, _text(codes), codes())
            return np.flatnonzero(np.diff(members, prepend=False, append=False)).astype(np.int64)

        return None, code_points.edges_of(characters, look).tobytes()


def _members(
    ask: Ask, is_inside: bool, characters: str, text: str, codes: Int64
) -> npt.NDArray[np.bool_]:
    """Return bool[n]: which of the code points are in the set; `text` is of them.

    Raises:
        Refused: the library does not read the set.
    """
    try:
        answer = ask(characters, text)
    except BaseException as error:
        if type(error) not in _COMPLAINTS and type(error).__name__ != "PanicException":
            raise
        raise Refused(f"{in_a_line(error):.300}") from error
    told = np.frombuffer(answer.encode("utf-32-le"), dtype="<u4")
    members = np.full(codes.size, not is_inside)
    members[np.searchsorted(codes, told)] = is_inside
    members[code_points.SURROGATES] = members[_STAND_IN]
    return members


if __name__ == "__main__":
    serve(Session(), MEMORY)
