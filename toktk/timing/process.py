"""The parent's end of an engine: a process that can be asked, and that is stopped if it takes too long."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

from toktk.errors import ToktkError
from toktk.timing.engines import Engine
from toktk.timing.figures import Timing

LOADING, ENCODING = 300.0, 120.0
"""Seconds after which a process that loads, or one that encodes, is given up."""

_ERROR = re.compile(r"[\w.]*(Error|Exception|Refused)\b")  # where a traceback says what happened


class EngineError(ToktkError):
    """An engine failed or was stopped; the message is one line for the table."""


class EngineProcess:
    """An engine at work: no process at first; `load` starts one, in place of the one there is."""

    def __init__(self, engine: Engine, jobs: int) -> None:
        self.engine, self.jobs = engine, jobs
        self._process: subprocess.Popen[str] | None = None
        self._complaints: IO[bytes] = io.BytesIO()

    @property
    def running(self) -> bool:
        """Whether there is a process, with the tokenizer loaded or failed at it."""
        return self._process is not None

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
        process = self._process
        if process is None:
            raise EngineError("not running")
        timer = threading.Timer(limit, process.kill)
        timer.daemon = True
        start = time.monotonic()
        timer.start()
        try:
            request = json.dumps({"what": what, "arguments": arguments})
            print(request, file=process.stdin, flush=True)
            answer = process.stdout.readline() if process.stdout else ""
        except OSError:  # the process has ended
            answer = ""
        finally:
            timer.cancel()
        if answer:
            return json.loads(answer)
        code, late = process.wait(), time.monotonic() - start >= limit
        raise EngineError(f"stopped after {limit:g} s" if late else self._why(code))

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is None:
            return
        # A process that is gone has not read all that is in its pipe.
        with contextlib.suppress(OSError), self._process:
            self._process.kill()
        self._complaints.close()
        self._process = None

    def _start(self) -> None:
        number = str(self.jobs)
        # The process finds the modules that this one finds, and none in the folder it happens to be in.
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTHONIOENCODING": "utf-8",
            "RAYON_NUM_THREADS": number,
            "OMP_NUM_THREADS": number,
            "TOKENIZERS_PARALLELISM": "true" if self.jobs > 1 else "false",
            "TIKTOKEN_CACHE_DIR": "",  # it would keep a copy of a local file under the path's hash
        }
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "toktk.timing.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=environment,
            encoding="utf-8",
        )

    def _why(self, code: int) -> str:
        """Return what a process that ended by itself complained about last."""
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if _ERROR.match(line)]
        if errors:
            return errors[-1][:200]
        ended = f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"{ended}: {lines[-1][:160]}" if lines else ended
