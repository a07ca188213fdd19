"""The parent's end of an engine: a process that can be asked, and that is stopped if it takes too long."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any

from toktk.errors import ToktkError
from toktk.timing.engines import Engine

LOADING = 300.0
"""Seconds after which a process that loads is given up."""

ENCODING = 120.0
"""Seconds after which a process that encodes is given up."""

_ERROR = re.compile(r"[\w.]*(Error|Exception|Refused)\b")  # where a traceback says what happened


class EngineError(ToktkError):
    """An engine failed or was stopped; the message is one line for the table."""


class EngineProcess:
    """An engine at work: no process at first; `load` starts one, in place of the one there is."""

    def __init__(self, engine: Engine, jobs: int) -> None:
        self.engine, self.jobs = engine, jobs
        self._process: subprocess.Popen[str] | None = None
        self._complaints: IO[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether there is a process, with the tokenizer loaded or failed at it."""
        return self._process is not None

    def load(self, limit: float = LOADING) -> dict[str, Any]:
        """Start a fresh process and load the tokenizer in it; see `toktk.timing.worker.Session.load`."""
        self.close()
        self._start()
        engine = self.engine
        source = dict(engine.source)
        answer: dict[str, Any] = self.ask(
            "load", limit, adapter=engine.adapter, source=source, jobs=self.jobs
        )
        return answer

    def encode(self, text: Path, limit: float = ENCODING, check: bool = False) -> dict[str, Any]:
        """Encode a text once; see `toktk.timing.worker.Session.encode`."""
        answer: dict[str, Any] = self.ask("encode", limit, text=str(text), check=check)
        return answer

    def ask(self, what: str, limit: float = ENCODING, **arguments: Any) -> Any:
        """Return the answer of the method `what` of a `toktk.timing.worker.Session`.

        Raises:
            EngineError: there is no process, it failed, or it took more than `limit` seconds.
        """
        process = self._process
        if process is None:
            raise EngineError("not running")
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(limit, stop)
        timer.daemon = True
        timer.start()
        try:
            answer = _exchange(process, json.dumps({"what": what, "arguments": arguments}))
        finally:
            timer.cancel()
        if answer:
            return json.loads(answer)
        code = process.wait()
        raise EngineError(f"stopped after {limit:g} s" if late.is_set() else self._why(code))

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is None or self._complaints is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was not yet read by a process that is gone
                    continue
        self._complaints.close()
        self._process = None

    def _start(self) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "toktk.timing.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=_environment(self.jobs),
            encoding="utf-8",
        )

    def _why(self, code: int) -> str:
        """Return what a process that ended by itself complained about last."""
        if self._complaints is None:
            return f"exit code {code}"
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if _ERROR.match(line)]
        if errors:
            return errors[-1][:200]
        killed = f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"{killed}: {lines[-1][:160]}" if lines else killed


def _exchange(process: subprocess.Popen[str], request: str) -> str:
    """Return the line that answers a request; nothing of a process that has ended."""
    if process.stdin is None or process.stdout is None:  # never, with PIPE
        return ""
    try:
        process.stdin.write(request + "\n")
        process.stdin.flush()
    except OSError:  # it has ended
        return ""
    return process.stdout.readline()


def _environment(jobs: int) -> dict[str, str]:
    """Return the environment of a process that is to use `jobs` threads.

    It finds the modules that this process finds, and none in the folder it happens to be in.
    """
    number = str(jobs)
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONIOENCODING": "utf-8",
        "RAYON_NUM_THREADS": number,
        "OMP_NUM_THREADS": number,
        "TOKENIZERS_PARALLELISM": "true" if jobs > 1 else "false",
        "TIKTOKEN_CACHE_DIR": "",  # it would keep a copy of a local file under the path's hash
    }
