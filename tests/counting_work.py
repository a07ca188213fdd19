"""Work for ranks that needs no text: each writes its number, and fails or dies where it is told to."""

import functools
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from toktk.errors import CorpusError
from toktk.places import Place
from toktk.ranks.folder import RankFolder, delivered, rank_name


@dataclass
class NumberWork:
    """Rank r writes r as text to ``numbers/0000r.txt``.

    `fails`: ranks that raise an error. `dies`: a file for each rank that kills its own process, once for each
    line of the file. `waits`: seconds that each takes. `stalls_in`: a process in which none ends.
    """

    manifest: dict = field(default_factory=lambda: {"what": "numbers"})
    fails: tuple = ()
    dies: str = ""
    waits: float = 0.0
    stalls_in: int = 0
    length: int = 1000
    name = "numbers"
    command = "toktk number"
    size = None
    unit = "bytes"

    def run(self, rank, world_size, place, advance):
        begin, end = (self.length * r // world_size for r in (rank, rank + 1))
        advance((end - begin) // 2)
        time.sleep(self.waits)
        while os.getpid() == self.stalls_in:
            time.sleep(0.01)
            advance(0)
        if rank in self.fails:
            raise CorpusError(f"rank {rank} reads nothing.", "Found: \x1b[31m.", "Give text.")
        deaths = Path(self.dies) / f"{rank}"
        if self.dies and deaths.exists() and (left := deaths.read_text().splitlines()):
            deaths.write_text("\n".join(left[1:]))
            os.kill(os.getpid(), signal.SIGKILL)
        files = {}
        with delivered(place, f"numbers/{rank_name(rank)}.txt", files) as path:
            path.write_text(str(rank))
        advance(end - begin - (end - begin) // 2)
        return {"share": {"begin": begin, "end": end, "of": self.length}, "files": files}


def count_numbers(where):
    """Return what counts the ranks that are done, into ``total``; it can be pickled."""
    return functools.partial(_count_numbers, where)


def _count_numbers(where, task, n_tasks):
    place = Place.of(where)
    manifest, markers = RankFolder(place, "numbers", "toktk number").complete()
    assert manifest["what"] == "numbers"
    place.write("total", str(len(markers)).encode())
