"""The cache: what is stored is right or not there, and nobody loses what is in use."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from toktk import cache, paths, temporary
from toktk.cache import Store, code_digest, entries, shrink
from toktk.errors import StorageError
from toktk.sizes import bytes_label, parse_bytes

locking = pytest.mark.skipif(sys.platform == "win32", reason="Windows locks by open files")
KEY = {"corpus": "abc", "sizes": [1, 2]}


def save(text: str):
    def fill(folder: Path) -> None:
        (folder / "text").write_text(text)

    return fill


def load(folder: Path) -> str:
    return (folder / "text").read_text()


def cell(store: Store) -> Path:
    (folder,) = (store.root / "cells" / "kind").iterdir()
    return folder


@pytest.fixture
def remarks() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, remarks: list[str]) -> Store:
    return Store(remarks.append, tmp_path)


def test_what_is_written_is_read(store: Store) -> None:
    assert store.read("kind", KEY, load) is None
    store.write("kind", KEY, save("found"))
    assert store.read("kind", KEY, load) == "found"
    assert store.read("kind", {**KEY, "sizes": [1, 2, 3]}, load) is None
    assert store.read("other", KEY, load) is None
    assert json.loads((cell(store) / "cell.json").read_text())["key"] == KEY


@pytest.mark.parametrize("damage", ["change", "delete", "manifest", "no manifest", "not JSON"])
def test_a_damaged_cell_is_made_anew(store: Store, damage: str) -> None:
    store.write("kind", KEY, save("found"))
    folder = cell(store)
    if damage == "change":
        (folder / "text").write_text("fount")
    elif damage == "delete":
        (folder / "text").unlink()
    elif damage == "manifest":
        (folder / "cell.json").write_text("[]")
    elif damage == "no manifest":
        (folder / "cell.json").unlink()
    else:
        (folder / "cell.json").write_text("{")
    assert store.read("kind", KEY, load) is None
    store.write("kind", KEY, save("again"))
    assert store.read("kind", KEY, load) == "again"


def test_a_cell_that_cannot_be_understood_is_made_anew(store: Store) -> None:
    store.write("kind", KEY, save("found"))

    def fail(folder: Path) -> str:
        raise KeyError("of another format")

    assert store.read("kind", KEY, fail) is None
    assert list((store.root / "cells" / "kind").iterdir()) == []


def test_a_failing_save_leaves_nothing_and_is_raised(store: Store) -> None:
    def fail(folder: Path) -> None:
        (folder / "text").write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write("kind", KEY, fail)
    assert list((store.root / "cells" / "kind").iterdir()) == []


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), StorageError("cannot write x.")]
)
def test_a_full_disk_is_remarked_upon_once(
    store: Store, remarks: list[str], error: Exception
) -> None:
    def fail(folder: Path) -> None:
        raise error

    store.write("kind", KEY, fail)
    store.write("kind", KEY, save("later"))
    assert len(remarks) == 1
    assert "interrupted run starts anew" in remarks[0]
    assert store.read("kind", KEY, load) is None
    assert list((store.root / "cells" / "kind").iterdir()) == []


def test_a_home_that_is_a_file(tmp_path: Path, remarks: list[str]) -> None:
    (tmp_path / "file").write_text("")
    store = Store(remarks.append, tmp_path / "file")
    store.write("kind", KEY, save("x"))
    assert store.read("kind", KEY, load) is None
    assert len(remarks) == 1


def test_the_first_of_two_writers_stays(store: Store, remarks: list[str]) -> None:
    def slow(folder: Path) -> None:
        Store(root=store.root).write("kind", KEY, save("first"))
        save("second")(folder)

    store.write("kind", KEY, slow)
    assert store.read("kind", KEY, load) == "first"
    assert remarks == []
    assert len(list((store.root / "cells" / "kind").iterdir())) == 1


def test_force_finds_nothing_and_replaces(store: Store) -> None:
    store.write("kind", KEY, save("old"))
    forced = Store(root=store.root, force=True)
    assert forced.read("kind", KEY, load) is None
    forced.write("kind", KEY, save("new"))
    assert store.read("kind", KEY, load) == "new"


def test_an_entry_may_depend_on_its_key_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("kind", KEY, save("of the key"), code=None)
    assert store.read("kind", KEY, load) is None
    monkeypatch.setattr(cache, "code_digest", lambda package: "edited")
    monkeypatch.setattr(cache, "__version__", "99")
    assert store.read("kind", KEY, load, code=None) == "of the key"


@pytest.mark.skipif(os.name != "posix", reason="permissions of files")
@pytest.mark.parametrize("umask", [0o022, 0o007])
def test_files_are_as_public_as_others(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    before = os.umask(umask)
    try:
        with monkeypatch.context() as patch:
            patch.delattr(os, "umask")  # to ask for it is to set it, for all threads
            store.write("kind", KEY, save("x"))
            with paths.atomic_write(tmp_path / "results") as temporary:
                temporary.write_text("x")
    finally:
        os.umask(before)
    for path in (cell(store) / "cell.json", tmp_path / "results"):
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    assert cell(store).stat().st_mode & 0o777 == 0o777 & ~umask


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_a_home_that_cannot_be_read(store: Store, remarks: list[str]) -> None:
    store.write("kind", KEY, save("x"))
    store.root.chmod(0)
    try:
        assert store.read("kind", KEY, load) is None
        store.write("kind", KEY, save("x"))
        assert len(remarks) == 1
        assert entries(store.root) == []
    finally:
        store.root.chmod(0o700)


# Several processes


PROCESS = """
import sys
from pathlib import Path
from toktk import cache
root, kind = Path(sys.argv[1]), sys.argv[2]
def wait(folder):
    print("ready", flush=True)
    sys.stdin.readline()
    return (folder / "text").read_text()
store = cache.Store(root=root)
if kind == "read":
    print(store.read("kind", 1, wait, code=None), flush=True)
elif kind == "write":
    def save(folder):
        (folder / "text").write_text("written")
        wait(folder)
    store.write("kind", 2, save, code=None)
    print("done", flush=True)
else:
    cache.hold(root / "kernels" / kind)
    print("ready", flush=True)
    sys.stdin.readline()
    print("done", flush=True)
"""


@contextmanager
def process(root: Path, kind: str) -> Iterator[Callable[[], str]]:
    """Run another process up to where it uses something; yield what lets it end."""
    command = [sys.executable, "-c", PROCESS, str(root), kind]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"

        def end() -> str:
            return other.communicate("\n", timeout=60)[0].strip()

        try:
            yield end
        finally:
            other.kill()


def test_what_another_process_reads_stays(store: Store) -> None:
    store.write("kind", 1, save("in use"), code=None)
    store.write("other", 1, save("not in use"), code=None)
    with process(store.root, "read") as end:
        assert store.read("kind", 1, load, code=None) == "in use"  # many may
        removed, left = shrink(0, store.root)
        assert [entry.kind for entry in removed] == ["other"]
        assert [entry.kind for entry in left] == ["kind"]
        # Not even for one that is forced, or a damaged one.
        Store(root=store.root, force=True).write("kind", 1, save("forced"), code=None)
        with pytest.raises(AssertionError):
            store.read("kind", 1, fail_as_damaged, code=None)
        assert store.read("kind", 1, fail_as_unreadable, code=None) is None
        assert end() == "in use"
    removed, left = shrink(0, store.root)
    assert ([entry.kind for entry in removed], left) == (["kind"], [])


def fail_as_damaged(folder: Path) -> str:
    raise AssertionError


def fail_as_unreadable(folder: Path) -> str:
    raise KeyError("unreadable")


@locking
def test_what_another_process_writes_stays(store: Store) -> None:
    with process(store.root, "write") as end:
        (half,) = (store.root / "cells" / "kind").iterdir()
        for path in (half, *half.iterdir()):
            os.utime(path, (0, 0))  # it takes a long time
        shrink(0, store.root)
        store.write("kind", 3, save("x"))
        assert half.exists()
        assert end() == "done"
    assert store.read("kind", 2, load, code=None) == "written"


@locking
def test_what_a_killed_process_left_goes(store: Store) -> None:
    with process(store.root, "write"):
        pass
    (half,) = (store.root / "cells" / "kind").iterdir()
    assert [(entry.kind, entry.path) for entry in entries(store.root)] == [("temporary", half)]
    shrink(10**9, store.root)
    assert not half.exists()


@locking
@pytest.mark.parametrize("place", ["cells/another kind", "kernels", "kernels/0123", "temporary"])
def test_the_next_process_sweeps_the_whole_home(tmp_path: Path, place: str) -> None:
    left = temporary.beside(tmp_path / place / "a")
    left.mkdir(parents=True)
    (left / "file").touch()
    temporary.beside(tmp_path / place / "b").touch()
    user = tmp_path / place / ".mine"
    user.touch()
    Store(root=tmp_path)
    assert list(left.parent.iterdir()) == [user]


def test_what_an_earlier_version_left_goes_after_a_day(tmp_path: Path) -> None:
    kind = tmp_path / "cells" / "kind"
    old, young = (kind / f".{'0' * 64}.{last * 8}" for last in "ab")
    for folder in (old, young):
        folder.mkdir(parents=True)
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    Store(root=tmp_path)
    assert list(kind.iterdir()) == [young]


def test_a_disk_that_is_full_after_the_entry_costs_nothing(
    store: Store, remarks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    touch = Path.touch

    def full(path: Path, *args: object, **kwargs: object) -> None:
        if path.name == "looked":
            raise OSError(errno.ENOSPC, "No space left on device")
        touch(path, *args, **kwargs)

    monkeypatch.setattr(Path, "touch", full)
    store.write("kind", KEY, save("kept"))
    assert store.read("kind", KEY, load) == "kept"
    assert remarks == []


def test_kernels_in_use_stay(tmp_path: Path) -> None:
    used, free, unlocked, old = ("0123456789abcde" + last for last in "0123")
    for name in (free, unlocked, old):
        (tmp_path / "kernels" / name / "below").mkdir(parents=True)
        (tmp_path / "kernels" / name / "below" / "code.nbc").write_bytes(b"code")
    (tmp_path / "kernels" / free / "cell.json").touch()
    os.utime(tmp_path / "kernels" / old, (0, 0))
    with process(tmp_path, used) as end:
        removed, left = shrink(-1, tmp_path)
        assert {entry.path.name for entry in removed} == {free, old}
        # What does not lock may be in use, by a version that does not lock.
        assert {entry.path.name for entry in left} == {used, unlocked}
        assert end() == "done"
    removed, _ = shrink(-1, tmp_path)
    assert [entry.path.name for entry in removed] == [used]
    assert [entry.kind for entry in entries(tmp_path)] == ["kernels"]


def test_this_process_holds_its_kernels(tmp_path: Path) -> None:
    code = (
        "import toktk.kernels; from toktk.cache import shrink;"
        "folder = toktk.kernels.cache_directory(); shrink(-1); assert folder.is_dir();"
        "assert folder.stat().st_ino"
    )
    home = {**os.environ, "TOKTK_HOME": str(tmp_path)}  # what else the tests have kept stays
    subprocess.run([sys.executable, "-c", code], check=True, env=home)


HAMMER = """
import sys
from pathlib import Path
from toktk import cache
root, me = Path(sys.argv[1]), int(sys.argv[2])
read = made = 0
def save(folder):
    for name in "abc":
        (folder / name).write_text(str(key) * 1000)
def load(folder):
    return [(folder / name).read_text() for name in "abc"]
for i in range(400):
    key = (i * (me + 1)) % 3
    store = cache.Store(root=root, force=i % 50 == 49)
    found = store.read("kind", key, load, code=None)
    if found is None:
        made += 1
        store.write("kind", key, save, code=None)
    else:
        read += 1
        assert found == [str(key) * 1000] * 3, found
    assert store._writable
    if i % 3 == me:
        cache.shrink(3500, root)
print(read, made)
"""


def test_processes_that_write_read_and_delete_the_same(tmp_path: Path) -> None:
    others = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, str(tmp_path), str(me)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for me in range(3)
    ]
    for other in others:
        stdout, stderr = other.communicate(timeout=120)
        assert other.returncode == 0, stderr
        read, made = map(int, stdout.split())
        assert read
        assert made
    # Nothing is left but entries.
    kinds = tmp_path / "cells" / "kind"
    assert not [path.name for path in kinds.iterdir() if path.name.startswith(".")]


# Size


def fill(root: Path, n: int) -> list[str]:
    """Write entries of about 1 kB whose use lies n, n - 1, ... days back; return their names."""
    store = Store(root=root)
    names = []
    for i in range(n):
        store.write("kind", i, save("x" * 1000), code=None)
        folder = root / "cells" / "kind" / cache.digest(i)
        os.utime(folder / "cell.json", (1e9 + 86400 * i,) * 2)
        names.append(folder.name)
    return names


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    names = fill(tmp_path, 5)
    store = Store(root=tmp_path)
    size = entries(tmp_path)[0].size
    assert [entry.path.name for entry in entries(tmp_path)] == names
    assert [entry.used for entry in entries(tmp_path)] == [1e9 + 86400 * i for i in range(5)]
    assert store.read("kind", 1, load, code=None)  # marks it as used
    removed, left = shrink(3 * size + 10, tmp_path)
    assert [entry.path.name for entry in removed] == [names[0], names[2]]
    assert left == []
    assert {entry.path.name for entry in entries(tmp_path)} == {names[1], names[3], names[4]}
    assert shrink(3 * size + 10, tmp_path) == ([], [])


def test_machine_code_and_earlier_versions_count(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    kernels = tmp_path / "kernels" / "0123456789abcdef"
    cache.hold(tmp_path / "kernels" / "ffffffffffffffff")
    (kernels / "deep").mkdir(parents=True)
    (kernels / "deep" / "code.nbc").write_bytes(bytes(5000))
    (kernels / "cell.json").touch()
    os.utime(kernels / "cell.json", (5e8, 5e8))
    earlier = tmp_path / "patterns" / f"{'0' * 64}-transducer.npz"
    earlier.parent.mkdir()
    earlier.write_bytes(bytes(100))
    os.utime(earlier, (6e8, 6e8))
    found = [(entry.kind, entry.size) for entry in entries(tmp_path)[:3]]
    assert found[:2] == [("kernels", 5000), ("earlier versions", 100)]
    assert found[2][0] == "kind"
    assert len(shrink(2000, tmp_path)[0]) == 1
    assert not kernels.exists()
    shrink(0, tmp_path)
    assert not earlier.exists()


def test_what_is_not_toktks_is_not_touched(tmp_path: Path) -> None:
    mine = ["tokenizers/mine/ranks.npz", "cells/notes.txt", "kernels/notes", "patterns/x.npz", "a"]
    for name in mine:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    assert entries(tmp_path) == []
    assert shrink(-1, tmp_path) == ([], [])
    assert all((tmp_path / name).read_text() == "mine" for name in mine)


def test_the_limit_applies_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = fill(tmp_path, 5)
    monkeypatch.setenv("TOKTK_CACHE_LIMIT", "3kB")
    fill(tmp_path, 1)
    assert len(entries(tmp_path)) == 5  # a process has looked a moment ago
    os.utime(tmp_path / "cells" / "looked", (1e9, 1e9))
    Store(root=tmp_path).write("kind", 9, save("x" * 1000), code=None)
    left = [entry.path.name for entry in entries(tmp_path)]
    assert left == [names[4], cache.digest(9)]
    Store(root=tmp_path).write("kind", 10, save("x" * 1000), code=None)
    assert len(entries(tmp_path)) == 3
    monkeypatch.setattr(cache, "_LOOK_AFTER_BYTES", 2500)
    for i in (11, 12):  # after 1000 bytes before
        Store(root=tmp_path).write("kind", i, save("x" * 1000), code=None)
    left = [entry.path.name for entry in entries(tmp_path)]
    assert left == [cache.digest(11), cache.digest(12)]


@pytest.mark.parametrize("text", ["0", "0 GB"])
def test_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TOKTK_CACHE_LIMIT", text)
    assert cache.limit() is None
    assert len(fill(tmp_path, 3)) == len(entries(tmp_path)) == 3


def test_a_limit_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKTK_CACHE_LIMIT", raising=False)
    assert cache.limit() == 20 * 10**9
    monkeypatch.setenv("TOKTK_CACHE_LIMIT", "much")
    with pytest.raises(StorageError, match="TOKTK_CACHE_LIMIT='much' is not a size"):
        Store()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("5GB", 5 * 10**9), ("500MB", 5 * 10**8), ("2GiB", 2 << 30), ("1.5 kb", 1500), ("12", 12),
        ("3B", 3), ("7k", 7000), ("1TiB", 1 << 40), ("0", 0),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "5 apples", "5GBB", "1e3", "5,0MB", "i5", "5iB"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_bytes(text)


def test_sizes_for_people() -> None:
    sizes = [0, 999, 1000, 1234, 9949, 9950, 999_499, 999_500, 20 * 10**9, 3 * 10**15]
    shown = ["0 B", "999 B", "1.0 kB", "1.2 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "20 GB"]
    assert [bytes_label(size) for size in sizes] == [*shown, "3000 TB"]


def test_the_code_is_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, source in (("one_plugin", "a = 1"), ("two_plugin", "a = 2")):
        (tmp_path / f"{name}.py").write_text(source)
    assert code_digest("one_plugin") != code_digest("two_plugin")
    assert len(code_digest("toktk")) == 64
    assert code_digest("no_such_package_anywhere") == ""
