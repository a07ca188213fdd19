"""How a command ends before its time: on SIGINT, SIGTERM and SIGHUP.

The first signal raises KeyboardInterrupt in the main thread, which unwinds: children are killed, temporary
files removed. Python runs its handlers between two bytecodes only, so a long call into a library delays
that, and so do threads that have to be waited for. Therefore a thread that the system itself wakes gives
the main thread a moment, and then leaves in its place. A second signal leaves at once. Whatever is
stored is stored whole or not at all, so leaving loses nothing that was finished.

Only the command line installs this; ``import toktk`` never does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading

# Type checkers take this name for true. What is imported here delays the handlers.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import NoReturn

GRACE = 1.5
"""Seconds that the main thread has to unwind."""

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_SIGNALS = [int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name)]
_LINE = "Interrupted. Finished work is kept: run the same command again to resume.\n"
_CLEAR = "\r\x1b[2K\x1b[?25h"  # of a progress bar: its line, and the cursor that it has hidden
# What is called before leaving at once, of the modules that are loaded.
_LAST = (("toktk.child", "kill_all"), ("toktk.temporary", "remove_all"))

_received: list[int] = []
_said: list[str] = []
_saying = threading.RLock()  # its holder writes the line, or has written it
_leaving = threading.Lock()  # taken by the thread that ends the process


def received() -> bool:
    """Say whether a signal has come, whatever the exception that is about."""
    return bool(_received)


def exit_code() -> int:
    """Return 128 and the number of the signal that came first."""
    return 128 + (_received or [int(signal.SIGINT)])[0]


def say() -> None:
    """Write that the command was interrupted to standard error; of one signal, once."""
    # A terminal may be gone, and standard error be a closed file.
    with _saying, contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None and not _said:
            sys.stderr.write(_LINE)
            sys.stderr.flush()
        _said.extend([_LINE] * bool(_received))


def install() -> None:
    """See to the signals from now on; one that is ignored, as under nohup, stays so.

    Only the main thread may call this.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _on_first)
    sys.excepthook, sys.unraisablehook = _uncaught, _unraisable
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget)
    woken, wake = os.pipe()
    if os.name == "posix":
        os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    with contextlib.suppress(RuntimeError):  # no more threads: the handlers have to do
        threading.Thread(target=_watch, args=[woken], name="interruption", daemon=True).start()


def finish() -> None:
    """Note that the command has ended: leave now if it was interrupted, and on a later signal."""
    is_interrupted = (
        sys.exc_info()[0] is KeyboardInterrupt
    )  # Python's own, before `install` was done
    for number in _SIGNALS:
        if signal.getsignal(number) == _on_first:
            signal.signal(number, _on_later)
    if _received or is_interrupted:
        leave(int(signal.SIGINT))


def leave(number: int) -> NoReturn:
    """End this process now, its children and temporary files as well; threads are not waited for.

    The first signal decides the exit code, `number` where there was none.
    """
    if not _leaving.acquire(blocking=False):
        threading.Event().wait()  # for the end that another thread brings
    code = 128 + (_received or [number])[0]
    # What a thread holds may never be let go, and the terminal may take nothing.
    _after(GRACE / 4, os._exit, code)
    for module, function in _LAST:
        with contextlib.suppress(Exception):
            if module in sys.modules:
                getattr(sys.modules[module], function)()
    with _saying, contextlib.suppress(OSError):
        if not _said:
            _said.append(_LINE)
            os.write(2, ((_CLEAR if os.isatty(2) else "") + _LINE).encode())
    os._exit(code)


def _on_first(number: int, frame: FrameType | None) -> None:
    if _received:
        _on_later(number, frame)
    else:
        _received.append(number)
        # Python or a library may warn of an import that ends here.
        with contextlib.suppress(KeyError, AttributeError):
            sys.modules["warnings"].simplefilter("ignore")
        raise KeyboardInterrupt


def _on_later(number: int, frame: FrameType | None) -> None:
    if not _leaving.locked():  # by this thread, which would wait for itself
        leave(number)


def _watch(woken: int) -> None:
    """Wait for the first signal, give the main thread its time, or less if a second one comes."""
    _after(GRACE, leave, _next(woken))
    leave(_next(woken))


def _next(woken: int) -> int:
    """Return the next signal of ours; others that have a handler in Python are told here too."""
    while (number := os.read(woken, 1)[0]) not in _SIGNALS:
        pass
    return number


def _after(seconds: float, function: object, number: int) -> None:
    timer = threading.Timer(seconds, function, [number])  # type: ignore[arg-type]
    timer.daemon = True
    with contextlib.suppress(RuntimeError):
        timer.start()


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Leave if an interruption came before the command, or when it had ended."""
    if issubclass(kind, KeyboardInterrupt) and _received:
        leave(_received[0])
    sys.__excepthook__(kind, error, trace)


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Leave if an interruption came where Python drops every error, such as in a destructor."""
    if unraisable.exc_type is KeyboardInterrupt and _received:
        leave(_received[0])
    sys.__unraisablehook__(unraisable)


def _forget() -> None:
    """Undo in a forked child what would make its signals the parent's."""
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        if signal.getsignal(number) in (_on_first, _on_later):
            signal.signal(number, signal.SIG_DFL)
