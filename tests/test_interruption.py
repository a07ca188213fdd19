"""Signals: the process unwinds, or is left by force where it does not; the exit code tells which signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

LINE = "Interrupted. Finished work is kept: run the same command again to resume."
# {work} runs as a command does: under the entry point's handlers, and what ends it.
SCRIPT = """
import hashlib, os, signal, sys, threading, time, types
from toktk import interruption, temporary
from toktk.cli.ending import ended
interruption.GRACE = {grace}
def ready():
    print("ready", flush=True)
def stuck():  # in C, which no signal gets Python out of, while other threads run
    ready()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
def go_on():  # as libraries do that catch anything
    try:
        ready()
        time.sleep(60)
    except BaseException:
        time.sleep(60)
interruption.install()
try:
    with ended():
{work}
finally:
    interruption.finish()
    {after}
"""


def interrupted(
    work: str,
    *signals: int,
    after: str = "pass",
    grace: float = 0.2,
    ignored: bool = False,
) -> tuple[int, str, list[str]]:
    """Signal a process that says "ready", once for each; return exit code, output and error lines."""
    script = SCRIPT.format(
        work=textwrap.indent(textwrap.dedent(work), " " * 8), after=after, grace=grace
    )

    def as_it_starts() -> None:  # whatever those ignore that start the tests, such as nohup
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)

    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_it_starts,
    ) as process:
        assert process.stdout is not None
        try:
            for number in signals:
                assert process.stdout.readline() == "ready\n", process.communicate()[1]
                process.send_signal(number)
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, stdout, stderr.splitlines()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_unwinds_and_is_the_exit_code(name: str) -> None:
    work = """
        try:
            ready()
            time.sleep(60)
        finally:
            print("unwound", flush=True)
    """
    number = getattr(signal, name)
    assert interrupted(work, number, grace=60) == (128 + number, "unwound\n", [LINE])


@pytest.mark.parametrize(
    "work",
    [
        "stuck()",
        "with threading.Lock() as lock:\n  stuck()",
        "go_on()",
        # Unwinding may wait for what does not end.
        """
        try:
            ready()
            time.sleep(60)
        finally:
            time.sleep(60)
        """,
    ],
)
def test_what_does_not_unwind_is_left(work: str) -> None:
    assert interrupted(work, signal.SIGINT) == (130, "", [LINE])


def test_threads_are_not_waited_for() -> None:
    # Not before it is started: a signal within `Thread.start` can be lost there.
    work = """
        begun = threading.Event()
        threading.Thread(target=lambda: begun.wait() and stuck()).start()
        begun.set()
        time.sleep(60)
    """
    assert interrupted(work, signal.SIGTERM, grace=60) == (143, "", [LINE])


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_leaves_at_once(second: int) -> None:
    work = """
        try:
            ready()
            time.sleep(60)
        finally:
            stuck()
    """
    assert interrupted(work, signal.SIGINT, second, grace=3600) == (130, "", [LINE])


def test_an_error_that_the_interruption_sets_off_is_no_error() -> None:
    work = """
        try:
            ready()
            time.sleep(60)
        finally:
            raise OSError(5, "the terminal is gone")
    """
    assert interrupted(work, signal.SIGHUP, grace=60) == (129, "", [LINE])


def test_an_interruption_that_python_drops_still_ends() -> None:
    work = """
        class Slow:
            def __del__(self):
                ready()
                time.sleep(60)
        Slow()
        time.sleep(60)
    """
    assert interrupted(work, signal.SIGINT, grace=3600) == (130, "", [LINE])


def test_after_the_command_a_signal_ends_at_once() -> None:
    code = interrupted("pass", signal.SIGINT, after="ready(); time.sleep(60)", grace=3600)
    assert code == (130, "", [LINE])


def test_what_is_ignored_stays_ignored() -> None:
    work = """
        ready()
        sys.stdin.readline()
        os.kill(os.getpid(), signal.SIGINT)
        print("went on", flush=True)
    """
    assert interrupted(work, signal.SIGINT, ignored=True) == (0, "went on\n", [])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_the_signals_of_a_forked_child_are_its_own() -> None:
    work = """
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, b"x")
            time.sleep(60)
            os._exit(0)
        os.read(read, 1)
        os.kill(child, signal.SIGTERM)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        time.sleep(0.1)  # in which the parent would hear of it
    """
    assert interrupted(work, grace=0) == (0, "-15\n", [])


def test_leaving_removes_what_the_process_owns_and_kills_its_children(tmp_path: Path) -> None:
    work = f"""
        from pathlib import Path
        killed = types.ModuleType("toktk.child")
        killed.kill_all = lambda: print("children killed", flush=True)
        sys.modules["toktk.child"] = killed
        with temporary.owned(Path({str(tmp_path)!r}) / "a", folder=True) as unfinished:
            (unfinished / "file").write_text("x")
            stuck()
    """
    assert interrupted(work, signal.SIGINT) == (130, "children killed\n", [LINE])
    assert list(tmp_path.iterdir()) == []


def test_cleaning_up_cannot_hold_the_process() -> None:
    work = """
        held = types.ModuleType("toktk.child")
        held.kill_all = lambda: time.sleep(3600)
        sys.modules["toktk.child"] = held
        go_on()
    """
    assert interrupted(work, signal.SIGINT) == (130, "", [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_this_is_installed(number: signal.Signals) -> None:
    """Between the first handler and the last step, a thread, lies most of the time it takes."""
    code = textwrap.dedent(f"""
        import os, threading
        from toktk.__main__ import main
        start = threading.Thread.start
        def signaled(thread):
            threading.Thread.start = start
            os.kill(os.getpid(), {int(number)})
        threading.Thread.start = signaled
        main()
    """)
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (ended.returncode, ended.stderr) == (128 + number, f"{LINE}\n")


def test_what_an_interruption_breaks_warns_no_more() -> None:
    work = """
        import warnings
        try:
            ready()
            time.sleep(60)
        except KeyboardInterrupt:
            warnings.warn("an import failed")
            raise
    """
    assert interrupted(work, signal.SIGINT, grace=60) == (130, "", [LINE])


def test_importing_toktk_installs_nothing() -> None:
    code = (
        "import signal; before = [signal.getsignal(n) for n in (2, 15)]; import toktk, toktk.cli,"
        "toktk.__main__; assert before == [signal.getsignal(n) for n in (2, 15)];"
        "assert signal.set_wakeup_fd(-1) == -1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
