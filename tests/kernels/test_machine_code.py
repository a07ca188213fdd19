"""Machine code on disk: what is whole and this user's is read, everything else is compiled anew."""

import ast
import errno
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toktk
from toktk.kernels import machine_code
from toktk.kernels.hash import hash_spans
from toktk.kernels.machine_code import KernelCache, MachineCode

compiled_only = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
with_owners = pytest.mark.skipif(os.name == "nt", reason="files have no modes")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)


@numba.njit
def add(a, b):
    return a + b


def triple(values, result):
    for i in range(values.size):
        result[i] = add(add(values[i], values[i]), values[i])


def run(folder, state="state", remarks=None):
    """Triple numbers with machine code of the folder; return the numbers and whether it was there."""
    code = MachineCode(folder)
    if remarks is not None:
        code.announce(remarks.append)
    kernel = numba.njit(triple)
    kernel._cache = KernelCache(triple, state, code)
    result = np.zeros(3, np.int64)
    kernel(np.arange(3), result)
    return result.tolist(), sum(kernel.stats.cache_hits.values()) == 1


def file_in(folder):
    (file,) = folder.glob("*.code")
    return file


def poisoned(witness):
    class Poison:
        def __reduce__(self):
            return Path.touch, (witness,)

    return pickle.dumps(Poison())


@compiled_only
def test_it_is_compiled_once(tmp_path):
    remarks = []
    assert run(tmp_path / "code", remarks=remarks) == ([0, 3, 6], False)
    assert run(tmp_path / "code", remarks=remarks) == ([0, 3, 6], True)
    assert remarks == ["compiling kernels, once (up to a minute)"]
    assert run(tmp_path / "code", "other sources") == ([0, 3, 6], False)
    assert run(tmp_path / "code", "other sources") == ([0, 3, 6], True)
    assert run(tmp_path / "code") == ([0, 3, 6], True)


@compiled_only
def test_a_file_of_another_key_is_not_read(tmp_path):
    run(tmp_path, "one")
    one = file_in(tmp_path).read_bytes()
    file_in(tmp_path).unlink()
    run(tmp_path, "two")
    file_in(tmp_path).write_bytes(one)
    assert run(tmp_path, "two") == ([0, 3, 6], False)
    assert run(tmp_path, "two") == ([0, 3, 6], True)


DAMAGES = {
    "nothing": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "the last byte": lambda content: content[:-1],
    "no head": lambda content: bytes(64) + content[64:],
    "more": lambda content: content + b"more",
    "a bit": lambda content: content[:-99] + bytes([content[-99] ^ 1]) + content[-98:],
    "zeros": lambda content: bytes(len(content)),
}


@compiled_only
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_damaged_is_compiled_anew(tmp_path, damage):
    run(tmp_path)
    file_in(tmp_path).write_bytes(damage(file_in(tmp_path).read_bytes()))
    assert run(tmp_path) == ([0, 3, 6], False)
    assert run(tmp_path) == ([0, 3, 6], True)


@given(payload=st.binary(max_size=200), data=st.data())
def test_any_damage_is_noticed(tmp_path_factory, payload, data):
    folder = tmp_path_factory.mktemp("code")
    code = MachineCode(folder)
    code.write("name", "key", payload)
    assert code.read("name", "key") == payload
    content = file_in(folder).read_bytes()
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, len(content)))
    changed = content[:start] + data.draw(st.binary(max_size=9)) + content[stop:]
    file_in(folder).write_bytes(changed)
    assert code.read("name", "key") == (payload if changed == content else None)


@compiled_only
@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(None), pickle.dumps((1, 2))])
def test_what_cannot_be_rebuilt_is_compiled_anew(tmp_path, monkeypatch, content):
    with monkeypatch.context() as patch:
        patch.setattr("numba.core.serialize.dumps", lambda reduced: content)
        run(tmp_path)
    assert run(tmp_path) == ([0, 3, 6], False)
    assert run(tmp_path) == ([0, 3, 6], True)


# Whose it is


@pytest.fixture
def witness(tmp_path):
    """Tell whether the pickle that a test put in place was read."""
    return tmp_path / "witness"


@pytest.fixture
def prepared(tmp_path, witness, monkeypatch):
    """A folder whose only file would touch the witness if it were read."""
    folder = tmp_path / "code"
    with monkeypatch.context() as patch:
        patch.setattr("numba.core.serialize.dumps", lambda reduced: poisoned(witness))
        run(folder)
    return folder


@compiled_only
def test_the_poison_works(prepared, witness):
    assert run(prepared) == ([0, 3, 6], False)
    assert witness.exists()


@compiled_only
@with_owners
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_not_read(prepared, witness, mode):
    file_in(prepared).chmod(mode)
    assert run(prepared) == ([0, 3, 6], False)
    assert not witness.exists()
    assert run(prepared) == ([0, 3, 6], True)
    assert file_in(prepared).stat().st_mode & 0o777 == 0o600


@compiled_only
@with_owners
@pytest.mark.parametrize("mode", [0o770, 0o1777])
def test_a_folder_that_others_can_write_is_not_read(prepared, witness, mode):
    prepared.chmod(mode)
    before = file_in(prepared).read_bytes()
    remarks = []
    assert run(prepared, remarks=remarks) == ([0, 3, 6], False)
    assert not witness.exists()
    assert file_in(prepared).read_bytes() == before
    assert remarks == [
        f"compiled kernels are neither read nor kept: {prepared} can be written by others. Each run"
        " compiles them anew (up to a minute). Delete it, or set TOKTK_HOME to a folder of your own."
    ]


@compiled_only
@as_root
def test_what_belongs_to_another_user_is_not_read(prepared, witness):
    os.chown(file_in(prepared), 12345, 12345)
    assert run(prepared) == ([0, 3, 6], False)
    os.chown(prepared, 12345, 12345)
    remarks = []
    assert run(prepared, remarks=remarks) == ([0, 3, 6], False)
    assert not witness.exists()
    assert f"{prepared} belongs to another user." in remarks[0]


@with_owners
def test_a_new_folder_is_its_users_alone(tmp_path):
    mask = os.umask(0)
    try:
        code = MachineCode(tmp_path / "above" / "code")
        code.write("name", "key", b"payload")
    finally:
        os.umask(mask)
    assert (tmp_path / "above" / "code").stat().st_mode & 0o777 == 0o700
    assert file_in(tmp_path / "above" / "code").stat().st_mode & 0o777 == 0o600
    assert code.read("name", "key") == b"payload"


@with_owners
@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_only_a_file_is_read(tmp_path, kind):
    code = MachineCode(tmp_path / "code")
    code.write("name", "key", b"payload")
    file = file_in(tmp_path / "code")
    moved = file.rename(tmp_path / "moved")
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "link":
        file.symlink_to(moved)
    else:
        file.mkdir()
    assert code.read("name", "key") is None


def test_nothing_else_that_is_read_can_be_executed():
    package = Path(toktk.__file__).parent
    executing = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
    found = []
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {getattr(node, "module", None), *(alias.name for alias in node.names)}
                found += [path.stem] * bool(names & executing)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load":
                options = {option.arg: ast.unparse(option.value) for option in node.keywords}
                assert options["allow_pickle"] == "False", path
    # The processes of ranks get their work from their parent through a pipe, never from a file.
    assert sorted(found) == ["cluster", "cluster_worker", "machine_code", "pool", "worker"]


# Where it cannot be written


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "code"
    remarks = []
    code = MachineCode(folder)
    code.announce(remarks.append)
    assert not code.is_kept
    assert code.read("name", "key") is None
    (remark,) = remarks
    assert remark.startswith(f"compiled kernels are not kept: cannot write to {folder}: ")


@compiled_only
def test_a_full_disk_is_told_once(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    remarks = []
    with monkeypatch.context() as patch:
        patch.setattr(machine_code.Path, "write_bytes", full)
        assert run(tmp_path, remarks=remarks) == ([0, 3, 6], False)
    assert remarks == [
        "compiling kernels, once (up to a minute)",
        f"compiled kernels are not kept: cannot write to {tmp_path}: {os.strerror(errno.ENOSPC)}."
        " Each run compiles them anew (up to a minute). Free space, or set TOKTK_HOME to a folder"
        " that you can write.",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"cell.json"}  # nothing half-written


def test_what_a_killed_process_left_is_removed(tmp_path):
    code = MachineCode(tmp_path)
    code.write("name", "key", b"payload")
    old, young = (tmp_path / f".name-{n}.code.0123abcd" for n in (1, 2))
    old.touch()
    young.touch()
    os.utime(old, (1e9, 1e9))
    MachineCode(tmp_path)
    assert not old.exists()
    assert young.exists()
    assert code.read("name", "key") == b"payload"


# The package, from its import on

ASK = """
import numpy as np
from toktk.kernels.hash import _hash_spans, hash_spans
print(hash_spans(np.frombuffer(b"hello", np.uint8), np.array([0, 5]))[0])
stats = getattr(_hash_spans, "stats", None)
print(sum(stats.cache_hits.values()) if stats else 0)
"""


@pytest.fixture
def ask(tmp_path):
    """Hash a word in a process whose toktk is a copy; return the hash and how many kernels were loaded."""
    package = tmp_path / "site" / "toktk"
    package.mkdir(parents=True)
    ground = Path(toktk.__file__).parent
    for source in ground.glob("*.py"):
        shutil.copy(source, package)
    pycache = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ground / "kernels", package / "kernels", ignore=pycache)

    def run(home, **options):
        options |= {
            "PYTHONPATH": str(package.parent),
            "TOKTK_HOME": str(home),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        answer = subprocess.run(
            [sys.executable, "-c", ASK],
            env={**os.environ, **options},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stderr == ""
        return [int(line) for line in answer.stdout.split()]

    run.package = package
    return run


def hash_of(word):
    return int(hash_spans(np.frombuffer(word, np.uint8), np.array([0, len(word)]))[0])


@compiled_only
def test_kernels_are_of_their_sources_and_the_package_stays_as_it_is(ask, tmp_path):
    before = sorted(ask.package.rglob("*"))
    assert ask(tmp_path / "home") == [hash_of(b"hello"), 0]
    # A kernel that calls kernels is loaded, whatever folder numba is told of.
    assert ask(tmp_path / "home", NUMBA_CACHE_DIR=str(tmp_path / "numba")) == [hash_of(b"hello"), 1]

    # The next release changes another file than that of the kernel, and its folder cannot be made.
    memory = ask.package / "kernels" / "memory.py"
    changed = memory.read_text().replace(
        "\n    return word\n", "\n    return word ^ np.uint64(1)\n"
    )
    memory.write_text(changed)
    kernels = tmp_path / "home" / "kernels"
    kernels.rename(tmp_path / "earlier")
    kernels.touch()
    assert ask(tmp_path / "home", NUMBA_CACHE_DIR=str(tmp_path / "numba")) == [hash_of(b"iello"), 0]

    assert sorted(ask.package.rglob("*")) == before
    assert not (tmp_path / "numba").exists()
