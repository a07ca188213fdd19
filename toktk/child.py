"""Child processes for code that may hang, abort or take all memory: libraries, and engines that are timed.

The parent asks and the child answers, in frames over pipes: the length of a header, the header as JSON, and
then raw bytes. A child ends with its parent; what it writes to standard error is kept from the terminal.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import queue
import re
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, TypeVar

from toktk.errors import ToktkError

ENGINE_TIMEOUT = 30.0
"""Seconds; see `engine_timeout`."""

ENGINE_TIMEOUT_VARIABLE = "TOKTK_ENGINE_TIMEOUT"

MEMORY = 0.75
"""Of the machine's: a child for foreign code that wants more is ended, before the machine is out of it."""

_LONGEST = 1e6  # seconds: what a system waits for has its limits
_LENGTH = struct.Struct("<Q")
_LONGEST_COMPLAINT = 1000  # characters of a complaint, which may repeat a whole text
_ERROR = re.compile(r"[\w.]*(Error|Exception|Refused)\b")  # where a traceback says what happened
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG

T = TypeVar("T")
Buffer = Any  # bytes or a contiguous array
Frame = tuple[dict[str, Any], list[bytes]]


def engine_timeout(n_bytes: int = 0) -> float:
    """Return the most seconds that a library, or `regex`, may take for a document of so many bytes.

    ``TOKTK_ENGINE_TIMEOUT`` says how many for a document, and for each MB of a longer one.

    Raises:
        ToktkError: the variable is no such number.
    """
    seconds = _seconds(os.environ.get(ENGINE_TIMEOUT_VARIABLE) or str(ENGINE_TIMEOUT))
    return min(seconds * max(1.0, n_bytes / 1e6), _LONGEST)


def set_engine_timeout(text: str) -> None:
    """Set what `engine_timeout` returns, for this process and its children.

    Raises:
        ToktkError: the text is no number of seconds.
    """
    _seconds(text)
    os.environ[ENGINE_TIMEOUT_VARIABLE] = text


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        seconds = float(text)
        if seconds > 0 and math.isfinite(seconds):
            return seconds
    raise ToktkError(
        "an engine's timeout is a number of seconds above 0.",
        f"Found: {text!r:.80}.",
        f"Give one such as 60 with --engine-timeout or {ENGINE_TIMEOUT_VARIABLE}.",
    )


class Refused(Exception):
    """The code in a child refuses what it was asked; the message is what a library says."""


class ChildEnded(Exception):
    """A child has ended without an answer.

    Attributes:
        how: such as "ended by signal 6 (SIGABRT)" or "took more than 30 s".
        complaint: the last line that it wrote; empty if there is none.
        is_error: whether that line is the one of a Python exception, which ended the process.
        late: whether it was ended for taking too long.
        interrupted: whether `kill_all` ended it.
    """

    def __init__(
        self,
        how: str,
        complaint: str = "",
        is_error: bool = False,
        late: bool = False,
        interrupted: bool = False,
    ) -> None:
        super().__init__(f"{how}: {complaint}" if complaint else how)
        self.how, self.complaint, self.is_error = how, complaint, is_error
        self.late, self.interrupted = late, interrupted


_live: dict[int, subprocess.Popen[bytes]] = {}
_kills = 0


def kill_all() -> None:
    """End all children at once, also those that other threads wait for."""
    global _kills
    _kills += 1
    for process in tuple(_live.values()):
        process.kill()


class Child:
    """A process that runs the module `module`, which calls `serve`; started here, ended by `close`.

    It ends as well when this object goes away, when this process ends, and when nobody waits for an answer
    any more (Ctrl-C). `environment` is added to this process's own.
    """

    def __init__(self, module: str, environment: Mapping[str, str] | None = None) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        # Linux ends a child with the thread that started it: one that stays.
        arguments = (module, dict(environment or {}), self._complaints)
        self._process = _starter().submit(_start, *arguments).result()
        _live[self._process.pid] = self._process
        self._owner, self._kills = os.getpid(), _kills
        self._close = weakref.finalize(self, _end, self._owner, self._process, self._complaints)
        self._late = False

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process can be asked; it cannot by a process that was forked off."""
        is_there = self._close.alive and self._owner == os.getpid() and self._kills == _kills
        return is_there and self._process.poll() is None

    def ask(
        self,
        what: str,
        *blobs: Buffer,
        limit: float | None = None,
        stream: Iterable[Sequence[Buffer]] | None = None,
        **arguments: Any,
    ) -> tuple[Any, list[bytes]]:
        """Return what the method `what` of the child's session answers: a JSON value, and raw bytes.

        Args:
            blobs: raw bytes, the method's positional arguments.
            limit: seconds after which the child is ended.
            stream: further blobs, which the child gets as ``stream`` while they are made.
            arguments: JSON-able, given by name.

        Raises:
            Refused: the child's code refuses it; the child can be asked again.
            ChildEnded: the child has ended, or took too long.
        """
        before = _kills
        timer = None if limit is None else threading.Timer(limit, self._expire)
        try:
            if timer is not None:
                timer.daemon = True
                timer.start()
            answer = self._exchange(what, blobs, stream, arguments)
            if timer is not None:
                timer.cancel()
                timer.join()  # after this it cannot end the process any more
            if answer is None:
                ended = self._why(limit)
                ended.interrupted = before != _kills
                raise ended
        except BaseException:
            self.close()
            raise
        finally:
            if timer is not None:
                timer.cancel()
        value, parts = answer
        if "refused" in value:
            raise Refused(value["refused"])
        return value["value"], parts

    def close(self) -> None:
        """End the process, whatever it does."""
        self._close()

    def _expire(self) -> None:
        self._late = True
        self._process.kill()

    def _exchange(
        self,
        what: str,
        blobs: Sequence[Buffer],
        stream: Iterable[Sequence[Buffer]] | None,
        arguments: dict[str, Any],
    ) -> Frame | None:
        """Return the answer; None where the process has ended."""
        process = self._process
        if process.stdin is None or process.stdout is None or not self._close.alive:
            return None
        header = {"what": what, "arguments": arguments, "streams": stream is not None}
        sent = _write(process.stdin, header, blobs)
        for item in stream or ():
            sent = sent and _write(process.stdin, {"what": "item"}, item)
            if not sent:
                break
        if stream is not None:
            sent = sent and _write(process.stdin, {"what": "end"}, ())
        return _read(process.stdout) if sent else None

    def _why(self, limit: float | None) -> ChildEnded:
        """Return how the process ended, and what it complained about last."""
        if self._late:
            return ChildEnded(f"took more than {limit:g} s", late=True)
        if not self._close.alive:
            return ChildEnded("not running")
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:  # it does not answer, and does not end either
            self._process.kill()
            code = self._process.wait()
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if _ERROR.match(line)]
        said = errors or lines
        how = f"ended with exit code {code}"
        if code < 0:
            names = {number.value: number.name for number in signal.Signals}
            how = f"ended by signal {-code} ({names.get(-code, 'unknown')})"
        is_error = bool(errors) and code > 0
        complaint = said[-1] if said else ""
        if len(complaint) > _LONGEST_COMPLAINT:
            complaint = f"{complaint[:_LONGEST_COMPLAINT]}…"
        return ChildEnded(how, complaint, is_error)


class Service:
    """A child that all threads share: it starts at the first question, and again after it has ended."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._child: Child | None = None

    @contextlib.contextmanager
    def turn(self) -> Iterator[Child]:
        """Wait until no other thread asks, and yield the child.

        Raises:
            ChildEnded: `kill_all` was called meanwhile.
        """
        before = _kills
        with self._lock:
            if before != _kills:
                raise ChildEnded("was interrupted", interrupted=True)
            if self._child is None or not self._child.running:
                self._child = self._open()
            yield self._child

    def start(self) -> None:
        """Start the child beside other work, for a question that comes soon."""
        thread = threading.Thread(target=self._start, name="toktk-start", daemon=True)
        with contextlib.suppress(RuntimeError):  # the system starts no more threads
            thread.start()

    def _start(self) -> None:
        # What keeps it from starting is said when it is asked. RuntimeError: this process is about to end.
        with contextlib.suppress(ChildEnded, Refused, OSError, RuntimeError), self.turn():
            pass

    def _open(self) -> Child:
        return Child(self._module)


def whole_or_each(ask: Callable[[int, int], T], first: int, last: int) -> list[T]:
    """Return ``[ask(first, last)]``, or, where that fails, what `ask` returns for each of them alone.

    So a limit is one of an item, not of all together, and an error can name the item: where `ask` is asked
    for one alone, it is to raise an error of its own.
    """
    try:
        return [ask(first, last)]
    except (Refused, ChildEnded) as why:
        if isinstance(why, ChildEnded) and why.interrupted:
            raise
    return [ask(i, i + 1) for i in range(first, last)]


@functools.cache
def _starter() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="toktk-child")


def _start(
    module: str, environment: dict[str, str], complaints: IO[bytes]
) -> subprocess.Popen[bytes]:
    # The child finds the modules that this process finds, and none in the folder it happens to be in.
    own = {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONIOENCODING": "utf-8",
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        env={**os.environ, **own, **environment},
    )


if hasattr(os, "register_at_fork"):  # the thread is not there in a process that is forked off
    os.register_at_fork(after_in_child=_starter.cache_clear)


def _end(owner: int, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
    if owner != os.getpid():  # this one was forked off, and owns no child
        return
    _live.pop(process.pid, None)
    process.kill()
    # A process that is gone has not read all that is in its pipe.
    with contextlib.suppress(OSError), process:
        pass
    complaints.close()


def _write(file: IO[bytes], header: dict[str, Any], blobs: Sequence[Buffer]) -> bool:
    """Write a frame; return False where nobody reads it."""
    views = [memoryview(blob) for blob in blobs]
    text = json.dumps({**header, "sizes": [view.nbytes for view in views]}).encode()
    try:
        file.write(_LENGTH.pack(len(text)) + text)
        for view in views:
            if view.nbytes:  # an empty array cannot be written
                file.write(view)
        file.flush()
    except (OSError, ValueError):  # ValueError: the file was closed by another thread
        return False
    return True


def _read(file: IO[bytes]) -> Frame | None:
    """Read a frame; return None at the end of the file."""
    length = file.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    text = file.read(*_LENGTH.unpack(length))
    try:
        header = json.loads(text)
    except ValueError:  # cut off
        return None
    blobs = [file.read(size) for size in header["sizes"]]
    whole = [len(blob) for blob in blobs] == header["sizes"]
    return (header, blobs) if whole else None


# In the child -------------------------------------------------------------------------------------


def serve(session: object, memory: float | None = None) -> None:
    """Answer what the parent asks by methods of `session`, until the parent ends.

    A method returns a JSON-able value, or a tuple: that value, then raw bytes. It may raise `Refused`; any
    other error ends the process. `memory` is the share of the machine's memory that the process may take.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    end_with(int(sys.argv[1]))
    if memory is not None:
        _limit_memory(memory)
    frames: queue.Queue[Frame] = queue.Queue(maxsize=2)
    threading.Thread(target=_receive, args=(requests, frames), daemon=True).start()
    while True:
        header, blobs = frames.get()
        method: Callable[..., Any] = getattr(session, header["what"])
        items = _items(frames) if header["streams"] else iter(())
        stream = {"stream": items} if header["streams"] else {}
        try:
            answer = method(*blobs, **stream, **header["arguments"])
            value, *parts = answer if isinstance(answer, tuple) else (answer,)
            reply = {"value": value}
        except Refused as refusal:
            reply, parts = {"refused": str(refusal)}, []
        for _ in items:  # what the method did not want
            pass
        _write(answers, reply, parts)


def _items(frames: queue.Queue[Frame]) -> Iterator[list[bytes]]:
    while True:
        header, blobs = frames.get()
        if header["what"] == "end":
            return
        yield blobs


def _receive(requests: IO[bytes], frames: queue.Queue[Frame]) -> None:
    """Pass on what the parent sends; where it has ended, end this process, whatever it does."""
    while frame := _read(requests):
        frames.put(frame)
    os._exit(0)


def end_with(parent: int) -> None:
    """Have Linux end this process with its parent: a library need not let the thread above run."""
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, int(signal.SIGKILL))
    if os.getppid() != parent:  # it has ended already
        os._exit(0)


def _limit_memory(share: float) -> None:
    """Have allocations fail beyond a share of the machine's memory, before the machine runs out of it."""
    if sys.platform != "linux":
        return
    import resource

    most = int(share * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min([most, *limits]), hard))
