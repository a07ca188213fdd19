"""Kernels are compiled in two processes, the first time: each takes a core for half a minute."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from toktk.child import Child, ChildEnded, Refused
from toktk.kernels import MACHINE_CODE

COMPILED = ("bpe", "unigram")
"""The trainers whose kernels can be compiled ahead."""


@contextlib.contextmanager
def compiled_ahead(trainers: Sequence[str], jobs: int) -> Iterator[None]:
    """Have another process compile what training and measuring need, while this one counts.

    Nothing is done where machine code is there already, is not kept, or where one thread is wanted. What the
    other one has not compiled when it is needed, or cannot, is compiled here.
    """
    chosen = [name for name in dict.fromkeys(trainers) if name in COMPILED]
    if not chosen or jobs < 2 or not (MACHINE_CODE.is_kept and MACHINE_CODE.is_empty):
        yield
        return
    child = Child("toktk.lab.compile_worker")

    def compile_there() -> None:
        with contextlib.suppress(ChildEnded, Refused):
            child.ask("compile", trainers=chosen)

    thread = threading.Thread(target=compile_there, name="toktk-compile", daemon=True)
    thread.start()
    try:
        yield
    finally:
        child.close()
