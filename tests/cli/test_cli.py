from __future__ import annotations

import csv
import errno
import io
import json
import os
import subprocess
import sys
import types
import weakref
from collections.abc import Callable
from pathlib import Path

import click
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from toktk import __version__
from toktk.cli import COMMANDS, main
from toktk.cli.options import run_options, sizes_option
from toktk.cli.output import emit_rows
from toktk.cli.running import RunOptions
from toktk.corpus.cards import cards
from toktk.corpus.starter import PARTS
from toktk.errors import StorageError, ThreadError, ToktkError
from toktk.pretokenizers.patterns import CUTS, PATTERNS


def run(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


@pytest.fixture
def add(monkeypatch: pytest.MonkeyPatch) -> Callable[[click.Command], None]:
    """Make a command available as ``toktk probe``, loaded as any other."""

    def adder(command: click.Command) -> None:
        module = types.ModuleType("toktk.cli.probe")
        module.command = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "toktk.cli.probe", module)
        monkeypatch.setitem(COMMANDS, "probe", "Probe.")

    return adder


@pytest.fixture
def raising(add: Callable[[click.Command], None]) -> Callable[[BaseException], Result]:
    def run_raising(error: BaseException) -> Result:
        def fail() -> None:
            raise error

        add(click.Command("probe", callback=fail))
        return run("probe")

    return run_raising


def test_version_and_help() -> None:
    assert run("--version").stdout == f"toktk {__version__}\n"
    shown = run("--help").stdout
    for name, line in COMMANDS.items():
        assert f"{name} " in shown
        assert line in shown


def test_an_unknown_command_suggests_the_nearest() -> None:
    result = run("swep")
    assert result.exit_code == 2
    assert "no such command 'swep' (did you mean 'sweep'?)" in result.stderr


def test_a_toktk_error_is_a_message_and_exit_1(raising) -> None:
    result = raising(ToktkError("no such thing.", "Found: another.", "Do this."))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "Error: no such thing.\n  Found: another.\n  Do this.\n"


def test_a_full_disk_is_a_message_and_exit_1(raising) -> None:
    result = raising(OSError(errno.ENOSPC, "No space left on device", "/data/run"))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: /data/run: No space left on device.\n  Free space")


@pytest.mark.parametrize("error", [ToktkError("x"), OSError(errno.EACCES, "denied")])
def test_debug_raises(raising, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setenv("TOKTK_DEBUG", "1")
    assert raising(error).exception is error


def test_a_bug_is_not_dressed_up_as_an_error(raising, monkeypatch: pytest.MonkeyPatch) -> None:
    bug = ValueError("a bug\nof two lines")
    bug.add_note("count a.txt")
    bug.add_note("measure")
    result = raising(bug)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "Error: ValueError: a bug of two lines.",
        "  During: count a.txt.",
        "  This is a fault of toktk, or of a plug-in: please report it.",
        "  Set TOKTK_DEBUG=1 to see where this happened.",
    ]
    monkeypatch.setenv("TOKTK_DEBUG", "1")
    assert raising(bug).exception is bug


class Speechless(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            MemoryError("Unable to allocate 8 GiB"),
            "Error: out of memory.\n  Found: MemoryError: Un",
        ),
        (pa.ArrowMemoryError("malloc of size 9"), "Error: out of memory.\n  Found: ArrowMemoryErr"),
        (OSError(errno.ENOMEM, "Cannot allocate"), "Error: out of memory.\n  Found: OSError: [Err"),
        (MemoryError(), "Error: out of memory.\n  Found: MemoryError.\n"),
        (ImportError("libx.so: failed to map."), "Error: a package cannot be loaded.\n  Found: Im"),
        (RecursionError("maximum"), "Error: something is nested too deeply.\n  Found: Recursion"),
        (
            OSError(errno.EMFILE, "Too many open files", "a"),
            "Error: a: Too many open files.\n  Clo",
        ),
        (Speechless(), "Error: Speechless.\n  This is"),
        (ThreadError("no more threads.", "Use fewer."), "Error: no more threads.\n  Use fewer.\n"),
    ],
)
def test_any_error_is_a_message_and_exit_1(raising, error: Exception, said: str) -> None:
    result = raising(error)
    assert result.exit_code == 1
    assert result.stderr.startswith(said)


def test_an_error_while_arguments_are_read_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.Group, "parse_args", lambda *args: 1 / 0)
    result = run("ls", "metrics")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ZeroDivisionError: division by zero.\n")


def test_what_was_held_is_let_go_before_the_message(add) -> None:
    class Large:
        pass

    held: list[weakref.ref[Large]] = []

    class Error(MemoryError):
        def __str__(self) -> str:
            return f"held: {held[0]() is not None}"

    def fail() -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise Error

    add(click.Command("probe", callback=fail))
    assert "Found: Error: held: False." in run("probe").stderr


def test_interrupt_exits_130_and_says_that_work_is_kept(raising) -> None:
    result = raising(KeyboardInterrupt())
    assert result.exit_code == 130
    assert "run the same command again" in result.stderr


def test_a_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "toktk", "ls", "metrics"],
            stdout=write,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(write)
    assert done.stderr == b""
    assert done.returncode == 1


def test_python_m_toktk() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "toktk", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"toktk {__version__}\n"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["-s", "50k"], [50_000]),
        (["-s", "1.5k,128000"], [1500, 128_000]),
        (["-s", "1M", "--size", "50Ki, 8k"], [8000, 51_200, 1_000_000]),
        (["-s", "32K,32000,2mi"], [32_000, 2_097_152]),
        (["-s", "1_000"], [1000]),
        ([], [8000, 16_000]),
    ],
)
def test_sizes(add, args: list[str], expected: list[int]) -> None:
    @click.command("probe")
    @sizes_option((8_000, 16_000))
    def probe(sizes: tuple[int, ...]) -> None:
        click.echo(json.dumps(sizes))

    add(probe)
    result = run("probe", *args)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("big", "'big' is not a vocabulary size"),
        ("", "'' is not a vocabulary size"),
        ("8k,", "'' is not a vocabulary size"),
        ("-5", "'-5' is not a vocabulary size"),
        ("1e5", "'1e5' is not a vocabulary size"),
        ("1.5", "'1.5' is 1.5 tokens, not a whole number"),
        ("1.0001k", "not a whole number"),
        ("50,000", "a comma separates sizes"),
        ("0", "not between 1 and"),
        ("3000M", "not between 1 and 2,147,483,647"),
        ("٥٠", "not a vocabulary size"),
    ],
)
def test_bad_sizes_are_usage_errors(add, text: str, found: str) -> None:
    @click.command("probe")
    @sizes_option()
    def probe(sizes: tuple[int, ...]) -> None: ...

    add(probe)
    result = run("probe", f"--size={text}")
    assert result.exit_code == 2
    assert found in " ".join(result.stderr.split())


def test_shared_options_and_their_defaults(add) -> None:
    @click.command("probe")
    @run_options("Where to.")
    def probe(options: RunOptions) -> None:
        values = {**vars(options), "progress": options.progress.mode, "quiet": options.quiet}
        click.echo(json.dumps(values, default=str))

    add(probe)
    default = json.loads(run("probe").stdout)
    assert default.pop("jobs") >= 1
    assert default == {
        "format": "table", "output": None, "progress": "plain", "quiet": False, "seed": 0, "force": False,
        "page": True, "memory": None,
    }  # fmt: skip
    given = json.loads(
        run(
            "probe",
            "-f",
            "md",
            "-o",
            "x",
            "-q",
            "--seed",
            "3",
            "--jobs",
            "2",
            "--force",
            "--no-page",
        ).stdout
    )
    assert given == {
        "format": "md", "output": "x", "progress": "none", "quiet": True, "seed": 3, "jobs": 2, "force": True,
        "page": False, "memory": None,
    }  # fmt: skip
    assert run("probe", "--jobs", "0").exit_code == 2


@pytest.mark.parametrize(
    "kind",
    ["trainers", "pretokenizers", "metrics", "corpora", "pair-scores", "inference"],
)
def test_ls_lists_in_every_format(kind: str) -> None:
    rows = json.loads(run("ls", kind, "-f", "json").stdout)
    assert rows
    assert all(row["name"] for row in rows)
    assert list(csv.DictReader(io.StringIO(run("ls", kind, "-f", "csv").stdout))) == rows
    for format in ("table", "md", "latex"):
        result = run("ls", kind, "-f", format)
        assert result.exit_code == 0
        assert "name" in result.stdout
        assert result.stderr == ""


def test_ls_corpora_has_every_part_of_the_starter_corpus_and_every_card() -> None:
    names = {row["name"] for row in json.loads(run("ls", "corpora", "-f", "json").stdout)}
    assert names == {f"starter:{part}" for part in PARTS} | set(cards())


def test_ls_keeps_brackets_and_does_not_fold_in_a_pipe() -> None:
    lines = run("ls", "metrics").stdout.splitlines()
    assert sum(line.startswith("fertility[ws] ") for line in lines) == 1
    rows = json.loads(run("ls", "metrics", "-f", "json").stdout)
    assert lines.index("") == 2 + len(rows)
    for row in rows:
        assert f"{row['name']}: {row['formula']}" in lines
        assert f"{row['name']}: {row['trap']}" in lines


def test_ls_alone_lists_its_kinds() -> None:
    kinds = json.loads(run("ls", "-f", "json").stdout)
    for row in kinds:
        assert row["kind"] in run("ls").stdout
        assert run("ls", row["kind"]).exit_code == 0
        assert row["option"] in run("sweep", "--help").stdout
    assert run("ls", "metric").exit_code == 2
    assert "metrics" in run("ls", "metric").stderr


def test_ls_pretokenizers_says_what_each_does_and_quotes_its_pattern() -> None:
    rows = {row["name"]: row for row in json.loads(run("ls", "pretokenizers", "-f", "json").stdout)}
    assert set(CUTS) == set(PATTERNS) <= set(rows)
    for name, pattern in PATTERNS.items():
        assert rows[name]["pattern"] == pattern
        assert all(rows[name][what] for what in ("words", "digits", "spaces", "case"))
    lines = run("ls", "pretokenizers").stdout.splitlines()
    assert "metaspace: ' [^ ]*|[^ ]+'" in lines
    assert any(line.startswith("gpt2: \"'s|'t|") for line in lines)


def test_ls_shows_a_broken_plugin_as_a_row(tmp_path: Path) -> None:
    info = tmp_path / "greek-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greek\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[toktk.metrics]\nbad = no_such_module_anywhere:X\n")
    done = subprocess.run(
        [sys.executable, "-m", "toktk", "ls", "metrics", "-f", "json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["bad"]["origin"] == "greek 1.2"
    assert "No module named 'no_such_module_anywhere'" in rows["bad"]["what"]
    assert rows["tokens"]["unit"] == "tokens"


def test_output_goes_to_a_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "metrics.csv"
    result = run("ls", "metrics", "-f", "csv", "-o", str(path))
    assert result.stdout == ""
    assert path.read_text(encoding="utf-8") == run("ls", "metrics", "-f", "csv").stdout


def test_an_output_that_cannot_be_written_is_a_clean_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("ls", "metrics", "-o", str(tmp_path / "file" / "below"))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: cannot write")
    with pytest.raises(StorageError):
        emit_rows(("a",), [("1",)], "csv", tmp_path / "file" / "below")


def test_env_in_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKTK_HOME", str(tmp_path))
    found = json.loads(run("env", "-f", "json").stdout)
    assert found["toktk"] == __version__
    table = run("env").stdout
    assert found["packages"]["numpy"] in table
    assert "unicode" in table
    assert run("env", "-f", "csv").stdout.startswith("what,value\n")
