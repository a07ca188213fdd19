"""``--on``: which options go together, and what a command does with its ranks."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml
from command_line import fails, good

from toktk.cli import main

PAGE = Path(__file__).parents[2] / "docs/clusters.md"

needs_datatrove = pytest.mark.skipif(
    importlib.util.find_spec("datatrove") is None, reason="no datatrove: pip install toktk[cluster]"
)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"line {i} of the text, Zeile {i % 7}\n" for i in range(300)))
    return path


@pytest.fixture
def count(text: Path, tmp_path: Path) -> tuple[object, ...]:
    return "count", "-c", text, "-p", "gpt2", "-o", tmp_path / "out"


def merged(folder: Path) -> dict[str, bytes]:
    root = folder / "merged"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--partition", "cpu"], "--partition goes with --on"),
        (["--dry-run"], "--dry-run goes with --on"),
        (["--cpus", 2], "--cpus goes with --on"),
        (["--on", "ray", "--time", "1:00"], "--time is Slurm's"),
        (["--on", "local", "--sbatch", "account=lab"], "--sbatch is Slurm's"),
        (["--on", "local", "--rank", 1, "--tasks", 4], "leave out --rank"),
        (["--on", "slurm", "--partition", "cpu"], "how many ranks there are to be"),
        (["--on", "slurm", "--tasks", 4], "--partition NAME"),
        (["--on", "slurm", "--sbatch", "=3"], "is not NAME=VALUE"),
        (["--on", "slurm", "--partition", "cpu", "--tasks", 4, "--sbatch", "mem=3G"], "--memory"),
        (["--on", "sge"], "'slurm', 'ray', 'local'"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(
    count: tuple[object, ...], tmp_path: Path, options: list[object], said: str
) -> None:
    assert said in fails(*count, *options, code=2)
    assert not (tmp_path / "out").exists()


def test_the_options_stand_below_the_others() -> None:
    help = good("count", "--help").stdout
    first, title, rest = help.partition("\nOn a cluster:\n")
    assert title
    assert "--on" not in first
    assert "--dry-run" in rest
    assert "count merge" in rest


def test_without_the_extra_all_else_works(
    count: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "toktk[cluster]" in fails(*count, "--on", "local")
    good(*count, "--tasks", 3)
    assert merged(tmp_path / "out")


@needs_datatrove
def test_a_count_in_its_pool_is_that_of_one_rank(
    count: tuple[object, ...], text: Path, tmp_path: Path
) -> None:
    good(*count, "--on", "local", "--tasks", 5, "--workers", 2)
    good("count", "-c", text, "-p", "gpt2", "-o", tmp_path / "alone", "--tasks", 1)
    assert merged(tmp_path / "out") == merged(tmp_path / "alone")
    (tmp_path / "out/done/00003.json").unlink()
    shown = good(*count, "--on", "local", "--dry-run").stdout
    assert shown.startswith("local: 1 of 5 ranks")  # as many as the folder has
    good(*count, "--on", "local")
    assert merged(tmp_path / "out") == merged(tmp_path / "alone")


@needs_datatrove
def test_a_dry_run_of_slurm_shows_ranks_and_merge(
    count: tuple[object, ...], tmp_path: Path
) -> None:
    options = ["--on", "slurm", "--partition", "cpu", "--workers", 4, "--memory", "1GB"]
    script = good(*count, *options, "--partitions", 8, "--dry-run").stdout
    assert re.findall(r"--(?:job-name|array|mem-per-cpu)=(\S+)", script)[:3] == [
        "1705M", "toktk-ranks", "0-31%4",
    ]  # fmt: skip
    assert re.findall(r"job-name=toktk-(\w+)", script)[::2] == ["ranks", "partitions", "merge"]
    assert not (tmp_path / "out").exists()


# docs/clusters.md


def commands_of(page: Path) -> list[str]:
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
    return re.findall(r"^    (toktk .*)$", text, re.M)


def test_the_commands_of_the_page_are_understood() -> None:
    commands = commands_of(PAGE)
    assert len(commands) > 3
    for command in commands:
        _, verb, *args = shlex.split(command, comments=True)
        found = main.get_command(click.Context(main), verb)
        assert found is not None
        found.make_context(verb, args)  # reads them, and runs nothing


def test_the_jobs_of_kubernetes_count_and_merge(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pods run one after the other here, with the variable that Kubernetes sets for each."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    ranks, merge = map(yaml.safe_load, blocks)
    assert ranks["kind"] == merge["kind"] == "Job"
    assert ranks["spec"]["completionMode"] == "Indexed"
    stand_ins = {"s3://bucket/text/": str(text), "s3://bucket/counts": str(tmp_path / "out")}
    for index in range(ranks["spec"]["completions"]):
        monkeypatch.setenv("JOB_COMPLETION_INDEX", str(index))
        run_pod(ranks, stand_ins)
    monkeypatch.delenv("JOB_COMPLETION_INDEX")
    run_pod(merge, stand_ins)
    good("count", "-c", text, "-o", tmp_path / "alone", "--tasks", 1)
    assert merged(tmp_path / "out") == merged(tmp_path / "alone")


def run_pod(job: dict, stand_ins: dict[str, str]) -> None:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    toktk, *args = container["command"]
    assert toktk == "toktk"
    good(*(stand_ins.get(arg, arg) for arg in args))
