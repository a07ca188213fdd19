"""The run directory: what a run records is written and deleted, and nothing else in the world."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toktk.errors import StorageError
from toktk.lab.document import NAME, read_document, recorded_files, write_document
from toktk.lab.folder import RunFolder, files_in, open_folder
from toktk.lab.run import Run, keep_timings
from toktk.report.records import SCHEMA, Record
from toktk.report.results import Results

LABEL = "bpe-300"
NEW = {"results.parquet": "figures", f"tokenizers/{LABEL}/tokenizer.json": "vocabulary"}
SIGNATURE = "0123456789abcdef" * 4

linux = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")


def document(signature: str = SIGNATURE, **more: Any) -> dict[str, Any]:
    return {
        "schema": SCHEMA, "toktk": "0.0.0", "signature": signature, "evaluation": None,
        "tokenizers": {}, "failed": {}, "steps": [], **more,
    }  # fmt: skip


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def stage_run(stage: Path, files: dict[str, str], signature: str = SIGNATURE) -> None:
    for name, text in files.items():
        write(stage / name, text)
    write_document(stage, document(signature, files=files_in(stage)))


def write_run(path: Path, files: dict[str, str], signature: str = SIGNATURE) -> list[str]:
    """Do what a run with --force does to its folder; return what it leaves as it is."""
    labels = {name.split("/")[1] for name in files if name.startswith("tokenizers/")}
    with open_folder(path) as folder:
        folder.recover()
        folder.make_room(labels)
        with folder.stage() as stage:
            stage_run(stage, files, signature)
            return folder.commit(stage)


def tree(root: Path) -> dict[str, str]:
    """Return everything below a folder, no link followed: kind, and contents or target."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            what = "folder"
            if stat.S_ISLNK(mode):
                what = f"link to {path.readlink()}"
            elif stat.S_ISREG(mode):
                what = f"file of {path.read_bytes()!r}"
            found[path.relative_to(root).as_posix()] = what
    return found


# Nothing but what a run recorded ------------------------------------------------------------------

PATHS = [
    "out/precious", "out/inner/tokenizer.json", "run/thesis.txt", "run/src/a.c",
    "run/results.parquet", "run/curves.parquet", "run/report.html", "run/tokenizers/notes.txt",
    "run/tokenizers/mine/notes.txt", "run/tokenizers/mine/tokenizer.json",
    "run/tokenizers/old/tokenizer.json", "run/tokenizers/old/deep/er/file",
    f"run/tokenizers/{LABEL}/tokenizer.json", f"run/tokenizers/{LABEL}/notes.txt",
]  # fmt: skip
LINKS = [
    "run/tokenizers", "run/tokenizers/old", f"run/tokenizers/{LABEL}", "run/run.json",
    "run/tokenizers/old/tokenizer.json", f"run/tokenizers/{LABEL}/tokenizer.json",
    "run/results.parquet", "run/curves.parquet", "run/.toktk-0123456789abcdef/tokenizers",
]  # fmt: skip
TARGETS = ["out", "out/inner", "out/precious", "run/src", "run/thesis.txt", "nowhere", "loop"]
HOSTILE = [
    "..", ".", "", "a/b", "a\\b", "/etc", "\0", "x" * 300, "con", ".hidden", "old", "mine", "src",
    LABEL, "\ud800", "C:", "nul.txt", "a\nb", " old",
]  # fmt: skip

odd_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(HOSTILE),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(HOSTILE), inner, max_size=2)
        | st.fixed_dictionaries({"folder": st.sampled_from(["..", "/", "tokenizers/../.."])})
    ),
    max_leaves=5,
)
OUTSIDE = [
    "../out/precious", "tokenizers/../thesis.txt", "tokenizers/../../out/precious", "thesis.txt",
    "src/a.c", "tokenizers/notes.txt", "tokenizers/old/deep/er/file", "tokenizers//precious",
    "tokenizers\\mine\\notes.txt", "report.html", "run.json",
]  # fmt: skip
paths_in_lists = (
    st.sampled_from(OUTSIDE)
    | st.sampled_from([path.removeprefix("run/") for path in PATHS])
    | st.sampled_from([f"tokenizers/{label}/tokenizer.json" for label in HOSTILE])
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "schema": st.sampled_from([SCHEMA, 1, "2", None]) | odd_json,
        "toktk": st.just("0.0.0") | odd_json,
        "signature": st.just(SIGNATURE) | odd_json,
        "evaluation": odd_json,
        "tokenizers": odd_json,
        "failed": odd_json,
        "steps": odd_json,
    },
)
whole = st.builds(document)
texts = st.sampled_from(
    ["", "{", "[" * 10_000, "[]", "5", '{"schema": 2, "schema": 2}', '{"schema": NaN}', "\0"]
)


@linux
@settings(max_examples=60)
@given(
    data=st.data(),
    present=st.sets(st.sampled_from(PATHS), min_size=5),
    links=st.dictionaries(st.sampled_from(LINKS), st.sampled_from(TARGETS), max_size=2),
    earlier=st.one_of(documents, whole, whole),
    listed=st.none() | odd_json | st.sets(paths_in_lists, max_size=6),
    raw=st.none() | st.none() | texts,
    is_staged=st.booleans(),
)
def test_nothing_that_no_run_recorded_is_touched(
    data: st.DataObject,
    present: set[str],
    links: dict[str, str],
    earlier: dict[str, Any],
    listed: Any,
    raw: str | None,
    is_staged: bool,
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for name in ("out/inner", "run/src"):
            (root / name).mkdir(parents=True)
        for link in sorted(links, key=len):  # the shorter ones hold the others
            path, target = root / link, root / links[link]
            if not leads_away(root, link):
                make_link(path, path if links[link] == "loop" else target)
        for name in sorted(present):
            if not leads_away(root, name):
                write(root / name, f"contents of {name}")
        if isinstance(listed, set):
            listed = {name: record_of(root / "run" / name, data) for name in sorted(listed)}
        if listed is not None:
            earlier = {**earlier, "files": listed}
        stage = root / "run" / ".toktk-0123456789abcdef"
        for folder in [root / "run", stage] if is_staged else [root / "run"]:
            if not os.path.lexists(folder / NAME):
                write(folder / NAME, json.dumps(earlier) if raw is None else raw)
        before = tree(root)
        try:
            write_run(root / "run", NEW)
        except StorageError:
            written = {f"run/{NAME}"} if is_staged else set()
        else:
            written = {f"run/{name}" for name in (*NEW, NAME)}
            assert read_document(root / "run") is not None
            assert recorded_files(read_document(root / "run")).keys() == NEW.keys()
        after = tree(root)
        recorded = may_go(before, listed if isinstance(listed, dict) else {})
        ours = {name for name in before if name.startswith("run/.toktk-")}
        for name, what in before.items():
            changes_what_a_run_has = name in written | recorded and what.startswith("file")
            if name in ours or changes_what_a_run_has or after.get(name) == what:
                continue
            # A folder goes where nothing else was in it.
            inside = {other for other in before if other.startswith(f"{name}/")}
            assert what == "folder", (name, what, after.get(name))
            assert inside <= recorded | {str(Path(other).parent) for other in recorded}
        folders = {"run/tokenizers", f"run/tokenizers/{LABEL}"}
        # What a stage holds that was complete is moved to its place.
        moved = {name.replace("/.toktk-0123456789abcdef", "") for name in ours}
        assert after.keys() - before.keys() <= written | folders | moved


def make_link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def leads_away(root: Path, name: str) -> bool:
    """Tell whether a link, or a file in the place of a folder, is on the way to a name."""
    path = root / name
    above = [one for one in path.parents if root in one.parents]
    in_the_way = any(one.is_symlink() or one.is_file() for one in above)
    return in_the_way or os.path.lexists(path)


def record_of(path: Path, data: st.DataObject) -> Any:
    """Return a right record of a file, or another."""
    right = data.draw(st.booleans())
    try:
        contents = path.read_bytes() if right else b""
    except (OSError, ValueError):
        contents = b""
    sha256 = hashlib.sha256(contents).hexdigest()
    return {"size": len(contents), "sha256": sha256 if right else data.draw(st.text(max_size=3))}


def may_go(before: dict[str, str], listed: dict[str, Any]) -> set[str]:
    """Return the files in before that the list names where runs write, with the hash they have."""
    found = set()
    for name, record in listed.items():
        what = before.get(f"run/{name}", "")
        is_place = name.count("/") == 2 and name.startswith("tokenizers/")
        if what.startswith("file of ") and (is_place or name.endswith(".parquet")):
            contents = eval(what.removeprefix("file of "))
            if (
                isinstance(record, dict)
                and record.get("sha256") == hashlib.sha256(contents).hexdigest()
            ):
                found.add(f"run/{name}")
    return found


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_list_that_no_run_writes_deletes_nothing(tmp_path: Path, name: str) -> None:
    for path in PATHS:
        write(tmp_path / path, "precious")
    record = {"size": 8, "sha256": hashlib.sha256(b"precious").hexdigest()}
    listed = {name: record, "tokenizers/old/tokenizer.json": record}
    write(tmp_path / "run" / NAME, json.dumps(document(files=listed)))
    before = tree(tmp_path)
    write_run(tmp_path / "run", NEW)
    after = tree(tmp_path)
    assert {n for n in before if before[n] != after.get(n)} == {f"run/{n}" for n in (*NEW, NAME)}


@linux
@pytest.mark.parametrize("link", ["tokenizers", f"tokenizers/{LABEL}", "results.parquet", NAME])
@pytest.mark.parametrize("target", ["out", "out/precious", "nowhere"])
def test_a_link_in_the_way_is_refused_before_the_work(
    tmp_path: Path, link: str, target: str
) -> None:
    write(tmp_path / "out" / "precious", "precious")
    make_link(tmp_path / "run" / link, tmp_path / target)
    before = tree(tmp_path)
    with (
        open_folder(tmp_path / "run") as folder,
        pytest.raises(StorageError, match="a link in its place"),
    ):
        folder.make_room([LABEL])
    assert tree(tmp_path) == before


def test_the_run_before_goes_and_the_users_files_are_named(tmp_path: Path) -> None:
    old = {f"tokenizers/{label}/tokenizer.json": label for label in ("bpe-300", "bpe-400", "old")}
    assert write_run(tmp_path, {**old, "curves.parquet": "curves"}) == []
    for name in ("thesis.txt", "tokenizers/old/notes.txt", "tokenizers/own/notes.txt"):
        write(tmp_path / name, "mine")
    (tmp_path / "tokenizers" / "bpe-300" / "notes.txt").write_text("mine")
    left = write_run(tmp_path, NEW, "f" * 64)
    assert left == [
        "thesis.txt", "tokenizers/bpe-300/notes.txt", "tokenizers/old", "tokenizers/own",
    ]  # fmt: skip
    assert set(tree(tmp_path)) == {
        NAME, *NEW, *left, "tokenizers", "tokenizers/bpe-300", "tokenizers/old/notes.txt",
        "tokenizers/own/notes.txt",
    }  # fmt: skip


def test_a_file_that_was_changed_since_stays(tmp_path: Path) -> None:
    write_run(tmp_path, {"tokenizers/old/tokenizer.json": "as written"})
    (tmp_path / "tokenizers" / "old" / "tokenizer.json").write_text("edited")
    assert write_run(tmp_path, NEW) == ["tokenizers/old"]
    assert (tmp_path / "tokenizers" / "old" / "tokenizer.json").read_text() == "edited"


# Killed at every step -----------------------------------------------------------------------------


class Killed(BaseException):
    """Ends a process as far as the folder can tell."""


def test_killed_at_any_move_the_next_run_finds_one_whole_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"results.parquet": "old", "tokenizers/old/tokenizer.json": "old"}
    states = []
    for survived in range(9):
        path = tmp_path / str(survived)
        write_run(path, old, "a" * 64)
        stage = path / ".toktk-00000000000000ff"
        stage_run(stage, NEW, "b" * 64)
        with monkeypatch.context() as patched:
            kill_after(survived, patched)
            try:
                RunFolder(path).commit(stage)
            except Killed:
                states.append(survived)
        with open_folder(path) as folder:
            folder.recover()
            found = folder.find("b" * 64)
        assert found is not None
        assert set(tree(path)) == {NAME, *NEW, "tokenizers", f"tokenizers/{LABEL}"}
    # Two files are moved, one is deleted, and run.json is moved last.
    assert states == [0, 1, 2, 3]


def kill_after(survived: int, patched: pytest.MonkeyPatch) -> None:
    steps = iter(range(100))
    for name in ("replace", "unlink"):
        do = getattr(Path, name)

        def step(path: Path, *args: Any, do: Any = do) -> Any:
            if next(steps) == survived:
                raise Killed
            return do(path, *args)

        patched.setattr(Path, name, step)


def test_interrupted_between_moves_the_new_run_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, {"results.parquet": "old"}, "a" * 64)
    with monkeypatch.context() as patched:
        do = Path.replace

        def replace(path: Path, target: Path) -> None:
            if target.name == NAME and ".toktk-" not in str(target):
                raise KeyboardInterrupt
            do(path, target)

        patched.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            write_run(tmp_path, NEW, "b" * 64)
    with open_folder(tmp_path) as folder:
        folder.recover()
        assert folder.find("b" * 64) is not None
    assert set(tree(tmp_path)) == {NAME, *NEW, "tokenizers", f"tokenizers/{LABEL}"}


def test_killed_before_the_new_run_is_whole_the_old_one_is_there(tmp_path: Path) -> None:
    write_run(tmp_path, NEW, "a" * 64)
    before = tree(tmp_path)
    write(tmp_path / ".toktk-00000000000000ff" / "results.parquet", "half")
    with open_folder(tmp_path) as folder:
        folder.recover()
        assert folder.find("a" * 64) is not None
    assert tree(tmp_path) == before


def test_a_full_disk_leaves_the_old_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, NEW, "a" * 64)
    before = tree(tmp_path)

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("toktk.paths.Path.replace", full)
    with pytest.raises(StorageError, match="No space left"):
        write_run(tmp_path, {"results.parquet": "new"}, "b" * 64)
    assert tree(tmp_path) == before


# Verified and locked ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["gone", "empty", "flipped", "longer"])
@pytest.mark.parametrize("name", NEW)
def test_a_run_is_complete_only_if_every_file_is_as_written(
    tmp_path: Path, name: str, how: str
) -> None:
    write_run(tmp_path, NEW)
    file = tmp_path / name
    contents = file.read_bytes()
    with open_folder(tmp_path) as folder:
        assert folder.find(SIGNATURE) is not None
        if how == "gone":
            file.unlink()
        else:
            flipped = bytes([contents[0] ^ 16]) + contents[1:]
            file.write_bytes({"empty": b"", "flipped": flipped}.get(how, contents + b"x"))
        assert folder.find(SIGNATURE) is None
    write_run(tmp_path, NEW)
    assert file.read_bytes() == contents


def test_no_flipped_bit_of_run_json_passes(tmp_path: Path) -> None:
    write_run(tmp_path, NEW)
    file = tmp_path / NAME
    contents = file.read_bytes()
    refused = 0
    for at in range(0, 8 * len(contents), 13):
        flipped = bytearray(contents)
        flipped[at // 8] ^= 1 << at % 8
        file.write_bytes(flipped)
        try:
            assert RunFolder(tmp_path).find(SIGNATURE) is None
        except StorageError:
            refused += 1
    assert refused > len(contents) / 13


def test_another_process_holds_the_folder(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    hold = """if True:
        import sys
        from pathlib import Path
        from toktk.lab.folder import open_folder
        with open_folder(Path(sys.argv[1])):
            print("held", flush=True)
            sys.stdin.read()
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"held"
        with open_folder(tmp_path) as folder:
            assert folder.busy
            with pytest.raises(StorageError, match="another run is being written"):
                folder.refuse_if_busy()
    finally:
        holder.kill()
        holder.communicate()
    with open_folder(tmp_path) as folder:  # the lock went with its process
        assert folder.locked
    assert list(tmp_path.iterdir()) == []


def test_timings_are_kept_only_with_the_run_that_they_are_of(tmp_path: Path) -> None:
    write_run(tmp_path, NEW)
    mine = read_document(tmp_path)
    assert mine is not None
    timed = Results(
        (
            Record(
                tokenizer="bpe", family="bpe", size=300, corpus="text", group="all",
                metric="warm[toktk 0.1.0, 1 thread]", value=2.5, unit="MB/s", n=3, signature="s",
            ),
        )
    )  # fmt: skip
    keep_timings(Run(tmp_path, mine, None), {"asked": {}, "timings": []}, timed)
    assert Results.read_parquet(tmp_path / "results.parquet") == timed
    with open_folder(tmp_path) as folder:
        assert (folder.find(SIGNATURE) or {})["throughput"] == {"asked": {}, "timings": []}
    write_run(tmp_path, NEW, "f" * 64)
    with pytest.raises(StorageError, match="holds another run by now"):
        keep_timings(Run(tmp_path, mine, None), {"asked": {}, "timings": []}, timed)
    assert "throughput" not in (read_document(tmp_path) or {})


# run.json of odd types ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"signature": 5}, "'signature' is not a string but 5"),
        ({"tokenizers": []}, "'tokenizers' is not an object but a list"),
        ({"tokenizers": {"a": 3}}, "'tokenizers.a' is not an object but 3"),
        ({"tokenizers": {"..": {"size": 1, "pretokenizer": None}}}, "begins with a dot"),
        ({"tokenizers": {"a": {"size": 1, "pretokenizer": None, "folder": ".."}}}, "folder '..'"),
        ({"failed": None}, "'failed' is not an object but None"),
        ({"steps": [{"step": "count"}]}, "'steps.0' has no field 'wall'"),
        ({"files": {"a": 1}}, "'files.a' is not an object but 1"),
        ({"throughput": {}}, "'throughput' has no field 'asked'"),
        ({"schema": 10**30}, "'schema' is not an integer"),
        ({"schema": SCHEMA + 1}, "readable are schemas"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    tmp_path: Path, changes: dict[str, Any], found: str
) -> None:
    (tmp_path / NAME).write_text(json.dumps({**document(), **changes}))
    with pytest.raises(StorageError) as error:
        read_document(tmp_path)
    assert found in str(error.value)
    assert "--force" in str(error.value)


@settings(max_examples=100)
@given(
    odd_json | documents | st.builds(lambda d, o: {**document(), **d, **o}, documents, documents)
)
@example({"signature": 5, "tokenizers": []})
def test_any_document_is_read_or_refused(value: Any) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / NAME).write_text(json.dumps(value))
        try:
            found = read_document(Path(temporary))
        except StorageError:
            return
        assert found == value
        recorded_files(found)


def fail_in(path: Path) -> None:
    with open_folder(path):
        assert path.is_dir()
        raise StorageError("the run fails")


def test_a_folder_that_was_made_and_stays_empty_goes(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for place in ("new/deep/run", "there/run"):
        with pytest.raises(StorageError):
            fail_in(tmp_path / place)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]
    with open_folder(tmp_path / "there"):
        pass
    with open_folder(tmp_path / "new" / "run"):
        write(tmp_path / "new" / "run" / "kept", "figures")
    assert (tmp_path / "new" / "run" / "kept").is_file()
    assert (tmp_path / "there").is_dir()
