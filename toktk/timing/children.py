"""The parent's end: a child process that can be asked, and that is stopped if it takes too long."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from types import TracebackType
from typing import Any, Protocol

from toktk.errors import ToktkError
from toktk.timing.contenders import Contender

_ERROR = re.compile(r"[\w.]*(Error|Exception|Refused)\b")  # where a traceback says what happened


class EngineError(ToktkError):
    """An engine failed or was stopped; the message is one line for the table."""


class Held(Protocol):
    """An engine at work, in a process of its own or, in tests, in this one."""

    def ask(self, what: str, limit: float, **arguments: Any) -> Any:
        """Return the answer of the method `what` of a `toktk.timing.worker.Session`.

        Raises:
            EngineError: it failed, or took more than `limit` seconds.
        """

    def close(self) -> None:
        """End it."""


class Child:
    """A fresh process with one engine; a context manager, which ends it."""

    def __init__(self, contender: Contender, jobs: int) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "toktk.timing.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=environment(jobs),
            encoding="utf-8",
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ask(self, what: str, limit: float, **arguments: Any) -> Any:
        """See `Held`."""
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(limit, stop)
        timer.daemon = True
        timer.start()
        try:
            answer = self._exchange(json.dumps({"what": what, "arguments": arguments}))
        finally:
            timer.cancel()
        if answer:
            return json.loads(answer)
        code = self._process.wait()
        raise EngineError(f"stopped after {limit:g} s" if late.is_set() else self._why(code))

    def _exchange(self, request: str) -> str:
        if self._process.stdin is None or self._process.stdout is None:  # never, with PIPE
            return ""
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
        except OSError:  # it has ended
            return ""
        return self._process.stdout.readline()

    def _why(self, code: int) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if _ERROR.match(line)]
        if errors:
            return errors[-1][:200]
        killed = f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"{killed}: {lines[-1][:160]}" if lines else killed

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was not yet read by a child that is gone
                    continue
        self._complaints.close()


def environment(jobs: int) -> dict[str, str]:
    """Return the environment of a child that is to use `jobs` threads.

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
