"""The process in which libraries say which code points a character set holds, by their own tables."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from toktk.child import MEMORY, Refused, serve
from toktk.errors import in_a_line

_SURROGATES = slice(0xD800, 0xE000)  # in no text
_STAND_IN = 0xFFFD
_COMPLAINTS = (Exception, ValueError, RuntimeError)

Ask = Callable[[str], str]


@functools.cache
def _characters() -> str:
    codes = np.arange(0x110000, dtype="<u4")
    codes[_SURROGATES] = _STAND_IN
    return codes.tobytes().decode("utf-32-le")


def _outside(characters: str) -> str:
    """Return the code points outside a set, by Hugging Face tokenizers: what is left when it is replaced."""
    from toktk.hf_library import Regex, decoders

    return str(decoders.Replace(Regex(f"(?:{characters})+"), "").decode([_characters()]))


def _numeric(_: str) -> str:
    """Return the code points that are no digits to the step Digits of Hugging Face tokenizers."""
    from toktk.hf_library import pre_tokenizers

    step = pre_tokenizers.Digits(individual_digits=False)
    # The step cuts between digits and others: behind U+0000, which is none, every second piece is of digits.
    return "".join(piece for piece, _ in step.pre_tokenize_str(_characters())[::2])


def _inside(characters: str) -> str:
    """Return the code points in a set, by tiktoken: its tokens drop what the pattern does not match."""
    import tiktoken

    ranks = {bytes([b]): b for b in range(256)}
    settings: dict[str, Any] = {"pat_str": f"(?:{characters})", "mergeable_ranks": ranks}
    encoding = tiktoken.Encoding("set", **settings, special_tokens={})
    ids = encoding.encode_to_numpy(_characters(), disallowed_special=())
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
        ask, is_inside = _ASK[library]
        try:
            text = ask(characters)
        except BaseException as error:
            if type(error) not in _COMPLAINTS and type(error).__name__ != "PanicException":
                raise
            raise Refused(f"{in_a_line(error):.300}") from error
        members = np.full(0x110000 + 2, not is_inside)
        members[np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.int64) + 1] = (
            is_inside
        )
        members[0xD801:0xE001] = members[_STAND_IN + 1]
        members[[0, -1]] = False
        return None, np.flatnonzero(members[1:] != members[:-1]).astype(np.int64).tobytes()


if __name__ == "__main__":
    serve(Session(), MEMORY)
