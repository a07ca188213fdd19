"""The process that carries out ranks for `toktk.ranks.pool`, one after another."""

from __future__ import annotations

import mmap
import pickle
from pathlib import Path
from typing import Any

from toktk.child import serve
from toktk.errors import ToktkError
from toktk.places import Place
from toktk.ranks.work import Work, run_rank


class Session:
    """What the process can be asked."""

    def load(self, work: bytes, counter: str, slot: int) -> None:
        """Take the work, pickled by the parent, and the file in which to count what is done."""
        self._work: Work = pickle.loads(work)
        with Path(counter).open("r+b") as file:
            self._numbers = memoryview(mmap.mmap(file.fileno(), 0)).cast("q")
        self._slot = slot

    def run(self, where: str, world_size: int, rank: int) -> dict[str, Any]:
        """Carry out a rank; return nothing, or the error that it raised."""
        self._numbers[self._slot] = 0
        try:
            run_rank(self._work, Place.of(where), rank, world_size, self._advance)
        except ToktkError as error:
            # A subclass outside of the errors' own file is taken for its base.
            kinds = (
                kind for kind in type(error).__mro__ if kind.__module__ == ToktkError.__module__
            )
            name = next(kinds).__name__
            return {"error": name, "args": [*map(str, error.args)], "is_usage": error.is_usage}
        return {}

    def _advance(self, amount: int) -> None:
        self._numbers[self._slot] += amount


if __name__ == "__main__":
    serve(Session())
