"""Child processes: what they answer, how they end, and that none is left."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from toktk.child import (
    Child,
    ChildEnded,
    Refused,
    Service,
    engine_timeout,
    kill_all,
    set_engine_timeout,
    whole_or_each,
)
from toktk.errors import ToktkError

LONG = 300.0  # seconds: a test that waits for it has failed
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture
def child():
    with contextlib.closing(Child("fake_child")) as child:
        yield child


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if (
        sys.platform == "linux"
    ):  # where nobody has asked for its exit code, its number is still there
        with contextlib.suppress(FileNotFoundError):
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def wait_for(condition):
    """Wait until something holds; a test that waits in vain fails."""
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_values_and_raw_bytes_come_back(child):
    array = np.arange(100_000, dtype=np.int64)
    value, blobs = child.ask("echo", array, b"", array[:0], b"\0\xff", a="é\ud800", b=[1, None])
    assert value == {"a": "é\ud800", "b": [1, None]}
    assert [*map(len, blobs)] == [800_000, 0, 0, 2]
    assert np.array_equal(np.frombuffer(blobs[0], dtype=np.int64), array)
    assert child.ask("pid")[0] == child.ask("pid")[0] != os.getpid()


def test_a_refusal_leaves_it_running(child):
    with pytest.raises(Refused, match="not this"):
        child.ask("refuse", message="not this")
    assert child.running
    assert child.ask("echo")[0] == {}


def test_a_stream_is_read_while_it_is_made(child):
    made = []

    def items():
        for i in range(200):
            made.append(i)
            yield b"x" * 10_000, b"y"

    assert child.ask("count", stream=items())[0] == 200 * 10_001
    with pytest.raises(Refused, match="no more"):
        child.ask("count", stream=items(), most=3)
    assert child.ask("count", stream=[])[0] == 0
    assert len(made) == 400
    with pytest.raises(ZeroDivisionError):
        child.ask("count", stream=(1 // 0 for _ in range(3)))
    assert not child.running


@pytest.mark.parametrize(
    ("what", "how", "complaint", "is_error"),
    [
        ({"what": "fail"}, "ended with exit code 1", "ValueError: this went wrong", True),
        ({"what": "end", "code": 7}, "ended with exit code 7", "a last word", False),
        pytest.param({"what": "abort"}, "ended by signal 6 (SIGABRT)", "", False, marks=POSIX),
    ],
)
def test_how_it_ended_is_told(child, capfd, what, how, complaint, is_error):
    with pytest.raises(ChildEnded) as caught:
        child.ask(**what)
    ended = caught.value
    assert (ended.how, ended.complaint, ended.is_error) == (how, complaint, is_error)
    assert not ended.late
    assert not child.running
    with pytest.raises(ChildEnded, match="not running"):
        child.ask("pid")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("what", ["sleep", "hold"])
def test_one_that_takes_too_long_is_ended(child, what):
    pid = child.ask("pid")[0]
    with pytest.raises(ChildEnded, match=r"^took more than 0\.2 s$") as caught:
        child.ask(what, limit=0.2)
    assert caught.value.late
    assert not is_there(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_memory_without_end_is_an_error_of_the_child(child):
    with pytest.raises(ChildEnded) as caught:
        child.ask("take_memory")
    assert caught.value.complaint == "MemoryError"


def test_nothing_in_the_current_folder_is_imported(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('foreign code')")
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(Child("fake_child")) as child:
        folders = child.ask("folders")[0]
    assert not {"", str(tmp_path)} & {*folders}


def test_kill_all_ends_what_another_thread_waits_for(child):
    caught, asked = [], threading.Event()

    def stream():
        asked.set()
        yield ()

    def ask():
        with pytest.raises(ChildEnded) as error:
            child.ask("hold", stream=stream())
        caught.append(error.value)

    thread = threading.Thread(target=ask)
    thread.start()
    assert asked.wait(LONG)
    kill_all()
    thread.join(LONG)
    assert caught[0].interrupted


class WatchedLock:
    """A lock that knows how many threads have asked for it."""

    def __init__(self):
        self.lock, self.asked = threading.Lock(), 0

    def __enter__(self):
        self.asked += 1
        self.lock.acquire()

    def __exit__(self, *error):
        self.lock.release()


def test_threads_that_wait_for_their_turn_start_nothing_after_kill_all():
    service, ends = Service("fake_child"), []
    service._lock = WatchedLock()

    def ask():
        with pytest.raises(ChildEnded) as error, service.turn():
            pass
        ends.append(error.value.interrupted)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    with service.turn() as child:
        pid = child.ask("pid")[0]
        for thread in threads:
            thread.start()
        wait_for(lambda: service._lock.asked == 4)
        kill_all()
    for thread in threads:
        thread.join(LONG)
    assert ends == [True] * 3
    wait_for(lambda: not is_there(pid))
    with service.turn() as child:  # and it serves again
        assert child.ask("pid")[0] != pid
        child.close()


def test_a_child_ends_when_nobody_holds_it():
    child = Child("fake_child")
    pid = child.ask("pid")[0]
    del child
    assert not is_there(pid)


def test_a_child_outlives_the_thread_that_started_it():
    children = []

    def start():
        children.append(Child("fake_child"))
        children[0].ask("pid")

    starter = threading.Thread(target=start)
    starter.start()
    starter.join()
    assert children[0].ask("echo")[0] == {}
    children[0].close()


_PARENT = """
import signal
import sys
from toktk.child import Child
# A script in the background of a shell hands on an ignored SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
child = Child("fake_child")
print(child.ask("pid")[0], flush=True)
child.ask(sys.argv[1])
"""


def start_parent(what):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, what],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )
    return parent, int(parent.stdout.readline())


@POSIX
@pytest.mark.parametrize("what", ["sleep", "hold"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_child_at_work_ends_with_its_parent(what, number):
    if what == "hold" and number != signal.SIGINT and sys.platform != "linux":
        pytest.skip("nothing but Linux ends a process that holds the interpreter")
    parent, pid = start_parent(what)
    with parent:
        try:
            parent.send_signal(number)
            errors = parent.communicate(timeout=LONG)[1]
        finally:
            parent.kill()
    wait_for(lambda: not is_there(pid))
    assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)
    assert parent.returncode != 0


def test_items_are_tried_alone_where_all_together_fail():
    asked = []

    def ask(first, last):
        asked.append((first, last))
        if last - first > 2:
            raise ChildEnded("took more than 1 s", late=True)
        return (first, last)

    assert whole_or_each(ask, 3, 5) == [(3, 5)]
    assert whole_or_each(ask, 3, 6) == [(3, 4), (4, 5), (5, 6)]

    def interrupted(first, last):
        raise ChildEnded("was interrupted", interrupted=True)

    with pytest.raises(ChildEnded):
        whole_or_each(interrupted, 0, 9)


def test_the_limit_grows_with_the_document(monkeypatch):
    monkeypatch.delenv("TOKTK_ENGINE_TIMEOUT", raising=False)
    assert engine_timeout() == engine_timeout(1_000_000) == 30
    monkeypatch.setenv("TOKTK_ENGINE_TIMEOUT", "2.5")
    assert engine_timeout(4_000_000) == 10
    set_engine_timeout("7")
    assert engine_timeout() == 7
    assert engine_timeout(10**18) < threading.TIMEOUT_MAX


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "abc", " "])
def test_a_limit_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("TOKTK_ENGINE_TIMEOUT", text)
    with pytest.raises(ToktkError, match=r"seconds above 0\.\n  Found: .*\n  Give"):
        engine_timeout()


def test_a_service_that_is_started_ahead_waits_for_its_first_question():
    service = Service("fake_child")
    service.start()
    wait_for(lambda: service._child is not None)
    started = service._child.pid
    with service.turn() as child:
        assert child.ask("pid")[0] == started
        child.close()


def test_one_that_cannot_be_started_ahead_says_so_when_it_is_asked():
    service = Service("no_such_module")
    service.start()
    with pytest.raises(ChildEnded, match="No module named"), service.turn() as child:
        child.ask("pid")
