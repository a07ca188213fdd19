"""The parent's end of an engine: a process that can be asked, and that is stopped if it takes too long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toktk.child import Child, ChildEnded
from toktk.errors import ToktkError
from toktk.timing.engines import Engine
from toktk.timing.figures import Timing

LOADING, ENCODING = 300.0, 120.0
"""Seconds after which a process that loads, or one that encodes, is given up."""


class EngineError(ToktkError):
    """An engine failed or was stopped; the message is one line for the table."""


class EngineProcess:
    """An engine at work: no process at first; `load` starts one, in place of the one there is."""

    def __init__(self, engine: Engine, jobs: int) -> None:
        self.engine, self.jobs = engine, jobs
        self._child: Child | None = None

    @property
    def running(self) -> bool:
        """Whether there is a process, with the tokenizer loaded or failed at it."""
        return self._child is not None

    def timing(self, tokenizer: str, **figure: Any) -> Timing:
        """Return a figure of this engine."""
        engine = self.engine
        return Timing(tokenizer, engine.name, engine.version, self.jobs, **figure)

    def load(self, limit: float = LOADING) -> Any:
        """Start a fresh process and load the tokenizer in it; see `toktk.timing.worker.Session.load`."""
        self.close()
        self._start()
        engine = self.engine
        return self.ask("load", limit, adapter=engine.adapter, source=engine.source, jobs=self.jobs)

    def encode(self, text: Path, limit: float = ENCODING, check: bool = False) -> Any:
        """Encode a text once; see `toktk.timing.worker.Session.encode`."""
        return self.ask("encode", limit, text=str(text), check=check)

    def ask(self, what: str, limit: float = ENCODING, **arguments: Any) -> Any:
        """Return the answer of the method `what` of a `toktk.timing.worker.Session`.

        Raises:
            EngineError: there is no process, it failed, or it took more than `limit` seconds.
        """
        if self._child is None:
            raise EngineError("not running")
        try:
            return self._child.ask(what, limit=limit, **arguments)[0]
        except ChildEnded as ended:
            if ended.late:
                raise EngineError(f"stopped after {limit:g} s") from ended
            complaint = ended.complaint[:160]
            # An exception's line says it all.
            what = complaint if ended.is_error else f"{ended.how}: {complaint}".rstrip(": ")
            raise EngineError(what) from ended

    def close(self) -> None:
        """End the process, if there is one."""
        if self._child is not None:
            self._child.close()
        self._child = None

    def _start(self) -> None:
        number = str(self.jobs)
        environment = {
            "RAYON_NUM_THREADS": number,
            "OMP_NUM_THREADS": number,
            "TOKENIZERS_PARALLELISM": "true" if self.jobs > 1 else "false",
            "TIKTOKEN_CACHE_DIR": "",  # it would keep a copy of a local file under the path's hash
        }
        self._child = Child("toktk.timing.worker", environment)
