"""``toktk sweep`` and ``toktk train`` from end to end, as a user runs them."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import fails, good, run
from held import Gate
from small_corpora import PARALLEL, write_nasty, write_parallel

import toktk
from toktk.kernels.machine_code import MachineCode
from toktk.report.results import Results

SIZES = "300,340,400"


pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def corpus(tmp_path: Path) -> list[str]:
    return ["-c", str(write_parallel(tmp_path / "four.jsonl")), *PARALLEL]


def document(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def test_a_sweep_shows_tables_and_writes_a_run(corpus: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    result = good("sweep", *corpus, "-t", "bpe", "-s", SIZES, "-o", folder)
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert not any(line != line.rstrip() for line in lines)
    assert "\x1b" not in result.stdout
    assert lines[0] == "bpe · o200k  on the held-out part of four.jsonl (40 documents, 4 groups)"
    for size in SIZES.split(","):
        assert re.search(rf"^ *{size} +\d+\.\d +\d\.\d\d\d ", result.stdout, re.M)
    for language in ("de", "en", "ja", "ru"):
        assert sum(line.startswith(f"{language} ") for line in lines) == 1
    assert "relative to en" in result.stdout
    summary, page, place = result.stderr.splitlines()[-3:]
    assert page == f"{place}/report.html"
    assert place == str(folder)
    for step in ("fingerprint", "count", "train", "measure", "write"):
        assert re.search(rf"{step} \d+\.\d s [\d.]+ [MG]B", summary)
    found = document(folder)
    assert found["training"]["name"] == "four.jsonl (train)"
    assert found["evaluation"]["replaced"] == 0
    assert found["options"]["sizes"] == [300, 340, 400]
    assert found["environment"]["packages"]["numpy"]
    assert {step["step"] for step in found["steps"]} >= {"count", "train", "measure", "write"}
    assert all(step["peak_memory"] for step in found["steps"])
    assert list(found["tokenizers"]) == ["bpe-300", "bpe-340", "bpe-400"]
    assert sorted(p.name for p in folder.iterdir()) == [
        "curves.parquet", "documents.parquet", "report.html", "results.parquet", "run.json",
        "token-counts.parquet", "tokenizers", "training-lines.bin",
    ]  # fmt: skip


def test_machine_code_that_cannot_be_kept_is_told_once(
    corpus: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("toktk.lab.run.MACHINE_CODE", MachineCode(tmp_path / "file" / "code"))
    stderr = good("sweep", *corpus, "-t", "bpe", "-s", 300, "-o", tmp_path / "run").stderr
    assert stderr.count("compiled kernels are not kept: cannot write to") == 1
    assert "compiling" not in stderr
    assert good("sweep", *corpus, "-q", "-t", "bpe", "-s", 300, "-o", tmp_path / "run").stderr == ""


def test_formats_hold_the_same_records(corpus: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shown = {
        form: good("sweep", *corpus, "-s", SIZES, "-o", folder, "-f", form, "-q")
        for form in ("table", "json", "csv", "md", "latex")
    }
    assert all(result.stderr == "" for result in shown.values())
    found = json.loads(shown["json"].stdout)
    assert found["schema"] == 3
    assert (
        found["records"] == Results.read_parquet(folder / "results.parquet").to_arrow().to_pylist()
    )
    rows = list(csv.DictReader(io.StringIO(shown["csv"].stdout)))
    assert len(rows) == len(found["records"])
    for row in rows:
        if (row["metric"], row["group"]) == ("bytes_per_token", "all"):
            figure = f" {float(row['value']):.3f} "
            assert all(figure in shown[form].stdout for form in ("table", "md", "latex"))
    assert "\\bottomrule" in shown["latex"].stdout
    assert {"tokens", "bytes", "parity[en]|macro"} <= {row["metric"] for row in rows}


def test_a_second_run_computes_nothing(corpus: list[str], tmp_path: Path) -> None:
    command = ["sweep", *corpus, "-s", SIZES, "-o", tmp_path / "run"]
    first = good(*command)
    before = (tmp_path / "run" / "results.parquet").stat()
    second = good(*command)
    assert second.stdout == first.stdout
    assert "nothing was computed" in second.stderr
    assert (tmp_path / "run" / "results.parquet").stat().st_mtime_ns == before.st_mtime_ns
    # In another folder, everything comes from the store and is the same to the byte.
    other = good(*command[:-1], tmp_path / "other")
    assert other.stdout == first.stdout
    assert "train reused · measure reused" in other.stderr
    for name in ("results.parquet", "curves.parquet"):
        one, two = ((tmp_path / run / name).read_bytes() for run in ("run", "other"))
        assert one == two
    forced = good(*command, "--force")
    assert "reused" not in forced.stderr
    assert forced.stdout == first.stdout
    assert (tmp_path / "run" / "results.parquet").stat().st_mtime_ns != before.st_mtime_ns


def test_the_default_folder_tells_runs_apart(corpus: list[str], tmp_path: Path) -> None:
    first = good("sweep", *corpus, "-s", "300").stderr.splitlines()[-1]
    second = good("sweep", *corpus, "-s", "340").stderr.splitlines()[-1]
    assert re.fullmatch(r"runs/four\.jsonl-[0-9a-f]{8}", first)
    assert first != second
    assert (tmp_path / first / "run.json").is_file()


def test_another_run_in_the_folder_is_not_overwritten(corpus: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    good("sweep", *corpus, "-t", "bpe", "-s", "300,340", "-o", folder)
    refused = run("sweep", *corpus, "-t", "bpe", "-s", "400", "-o", folder)
    assert refused.exit_code == 1
    assert f"{folder} holds another run" in refused.stderr
    assert "--force" in refused.stderr
    assert document(folder)["options"]["sizes"] == [300, 340]
    good("sweep", *corpus, "-t", "bpe", "-s", "400", "-o", folder, "--force")
    assert document(folder)["options"]["sizes"] == [400]
    tokenizers = folder / "tokenizers"
    assert {p.name for p in tokenizers.iterdir()} == {"bpe-400"}


def test_a_folder_that_is_no_run_is_left_alone(corpus: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.tex").write_text("mine")
    refused = run("sweep", *corpus, "-s", "300", "-o", folder)
    assert refused.exit_code == 1
    assert "not a run directory" in refused.stderr
    assert [p.name for p in folder.iterdir()] == ["chapter.tex"]
    good("sweep", *corpus, "-s", "300", "-o", folder, "--force")
    assert (folder / "chapter.tex").read_text() == "mine"


@pytest.mark.parametrize("lost", ["results.parquet", "curves.parquet", "run.json"])
def test_a_damaged_run_is_written_anew(corpus: list[str], tmp_path: Path, lost: str) -> None:
    folder = tmp_path / "run"
    command = ["sweep", *corpus, "-s", "300", "-o", folder]
    first = good(*command)
    (folder / lost).unlink()
    if lost == "results.parquet":
        (folder / lost).write_bytes(b"PAR1 and no more")
    again = good(*command)
    assert again.stdout == first.stdout
    assert "train reused" in again.stderr
    assert (folder / lost).stat().st_size > 20


def test_several_pretokenizers_and_patterns(corpus: list[str]) -> None:
    shown = good(
        "sweep", *corpus, "-s", "300", "-p", "gpt2", "-p", "gpt2", "--pattern", r"\S+|\s+", "-m",
        "bytes_per_token",
    ).stdout  # fmt: skip
    assert re.search(r"^ 300  bpe +gpt2 +\d", shown, re.M)
    assert re.search(r"^      unigram +regex-[0-9a-f]{8} +\d", shown, re.M)
    assert "parity" not in shown


def test_metrics_reference_and_specials(corpus: list[str]) -> None:
    found = good(
        "sweep", *corpus, "-s", "300", "-m", "parity", "--reference", "ru", "--special", "<s>",
        "--special", "</s>", "--min-frequency", "2", "--max-token-length", "4", "-f", "json",
    )  # fmt: skip
    metrics = {record["metric"] for record in json.loads(found.stdout)["records"]}
    assert metrics == {"parity[ru]", "parity[ru]|macro", "parity[ru]|max"}
    folder = Path(found.stderr.splitlines()[-1])
    assert document(folder)["options"]["parameters"] == {
        "special_tokens": ["<s>", "</s>"], "min_frequency": 2, "max_token_length": 4,
    }  # fmt: skip


def test_nasty_text_on_its_own(tmp_path: Path) -> None:
    path = write_nasty(tmp_path / "nasty.jsonl")
    args = ["-c", path, "--eval", path, "--group-column", "lang", "-s", "256,300"]
    result = good("sweep", *args, "-o", tmp_path / "run")
    assert "were trained on 100 % of this text" in result.stderr
    assert "bytes per token" in result.stdout


def test_text_without_words_or_tokens_has_no_columns_of_dashes(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text('{"text": ""}\n' * 40)
    result = good("sweep", "-c", path, "--eval", path, "-s", "256", "-o", tmp_path / "run")
    assert re.search(r"^ *256  bpe +o200k +0.0%$", result.stdout, re.M)
    assert re.search(r"^ +unigram +o200k +0.0%$", result.stdout, re.M)
    assert "– bytes/token, of ceiling: no tokens." in result.stdout
    assert "nan" not in result.stdout


def test_sizes_never_reached_are_said_on_both_streams(corpus: list[str], tmp_path: Path) -> None:
    command = ["sweep", *corpus, "-t", "bpe", "-s", "300,90k,100k", "-o", tmp_path / "run"]
    for _ in range(2):
        result = good(*command)
        assert re.search(
            r"– not reached: 90k, 100k; the text gives \d,\d\d\d tokens", result.stdout
        )
    assert (
        run("sweep", *corpus, "-t", "bpe", "-s", "300,90k,100k", "-o", tmp_path / "other").exit_code
        == 0
    )
    fresh = good("sweep", *corpus, "-t", "bpe", "-s", "300,90k", "-o", tmp_path / "third")
    assert re.search(r"bpe does not reach 90k: the text gives \d,\d\d\d tokens", fresh.stderr)


def test_a_limit_is_a_sample_by_the_seed_whose_default_is_said(
    corpus: list[str], tmp_path: Path
) -> None:
    fingerprints = []
    for i, seed in enumerate(([], ["--seed", "0"], ["--seed", "1"])):
        folder = tmp_path / f"run {i}"
        good("sweep", *corpus, "--limit", "60", *seed, "-s", "300", "-o", folder)
        fingerprints.append(document(folder)["training"]["fingerprint"])
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


def test_train_writes_tokenizers_and_measures_nothing(corpus: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    result = good("train", *corpus, "-s", "300,340", "-o", folder, "-f", "json")
    assert [row["tokenizer"] for row in json.loads(result.stdout)] == ["bpe-300", "bpe-340"]
    found = document(folder)
    assert found["evaluation"] is None
    # All of the text: nothing is held out.
    assert found["training"]["name"] == "four.jsonl"
    assert not (folder / "results.parquet").exists()
    again = good("train", *corpus, "-s", "300,340", "-o", folder, "-f", "json")
    assert again.stdout == result.stdout
    assert "nothing was computed" in again.stderr
    assert run("train", *corpus, "-s", "300").exit_code == 2
    assert run("train", *corpus, "-o", folder).exit_code == 2


def test_train_refuses_what_no_file_can_hold_before_it_trains(
    corpus: list[str], tmp_path: Path
) -> None:
    grouped = r"\d{1,3}(?=(?:\d{3})*(?!\d))|\D+"
    command = [*corpus, "--pattern", grouped, "-s", "300", "-o", tmp_path / "run", "-q"]
    for trainer in ("bpe", "unigram", "hf-bpe"):
        result = run("train", *command, "-t", trainer)
        assert result.exit_code == 2
        assert "cannot export the split pattern" in result.stderr
        assert not list(tmp_path.glob("run/*"))
    good("sweep", *command, "-t", "bpe")  # which measures


def test_train_ends_with_an_error_where_a_tokenizer_has_no_file(
    corpus: list[str], tmp_path: Path
) -> None:
    special = [
        "--special",
        "a",
        "-q",
    ]  # an ordinary token as well, which one dictionary cannot hold
    result = run("train", *corpus, *special, "-s", "300", "-o", tmp_path / "run")
    assert result.exit_code == 1
    assert "not written: bpe-300." in result.stderr
    assert document(tmp_path / "run")["tokenizers"]["bpe-300"]["folder"] is None
    again = run("train", *corpus, *special, "-s", "300", "-o", tmp_path / "run")
    assert (again.exit_code, again.stderr) == (1, result.stderr)


def test_options_of_one_trainer_are_part_of_the_run(corpus: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = ["train", *corpus, "-s", "300", "-o", folder]
    good(*command, "-O", "bpe.max_token_length=3")
    longest = document(folder)["options"]["trainer_options"]
    assert longest == {"bpe": {"max_token_length": "3"}}
    tokens = toktk.load(str(folder / "tokenizers" / "bpe-300")).model.tokens
    assert max(map(len, tokens)) == 3
    assert "holds another run" in run(*command, "-O", "bpe.max_token_length=2").stderr
    assert "no such option" in run(*command, "-O", "bpe.longest=2").stderr
    assert "the trainers are bpe" in run(*command, "-O", "unigram.seed_size=9").stderr
    assert run(*command, "-O", "bpe=2").exit_code == 2
    listed = good("ls", "trainers", "-f", "json").stdout
    assert "character_coverage=0.9995" in json.loads(listed)[1]["options"]


def test_sizes_too_small_are_left_out_and_named(corpus: list[str], tmp_path: Path) -> None:
    sizes = ["-s", "100,300,900k", "-o", tmp_path / "run"]
    result = good("train", *corpus, *sizes)
    line = r"bpe does not reach 100, 900k: 256 ids are taken before anything is learned, the text gives"
    assert re.search(line, result.stderr)
    assert list(document(tmp_path / "run")["tokenizers"]) == ["bpe-300"]


def test_a_normal_form_is_trained_written_and_measured(tmp_path: Path) -> None:
    path = tmp_path / "forms.txt"
    lines = [f"un cafe\u0301 et {n} caf\u00e9 au lait\n" for n in range(200)]
    path.write_text("".join(lines), encoding="utf-8")
    command = ["-c", path, "-s", "270", "-o", tmp_path / "run", "--normalize", "nfc"]
    good("sweep", *command, "-t", "bpe", "-t", "unigram")
    written = json.loads((tmp_path / "run/tokenizers/bpe-270/tokenizer.json").read_text("utf-8"))
    assert written["normalizer"] == {"type": "NFC"}
    refused = run("sweep", *command, "-t", "bpe", "-t", "sp-bpe")
    assert "takes no normal form" in refused.stderr


# Stopped half-way, as another process sees it -----------------------------------------------------

MANY = ["-s", SIZES, "-p", "gpt2", "-p", "o200k", "-p", "llama3", "-p", "qwen2", "-p", "cl100k"]


def stopped(args: list[object], home: Path, how: signal.Signals) -> tuple[int, str]:
    """Start toktk, signal it when the first counted text is stored; return its exit code and stderr.

    It stores no training, however late the signal is.
    """
    gate = Gate(home / "gate", "cells/training/")
    process = subprocess.Popen(
        [sys.executable, "-m", "toktk", *map(str, args)],
        env={**gate.environment, "TOKTK_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background of a shell hand on an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    end = time.monotonic() + 120
    while not list((home / "cells").glob("pieces/[0-9a-f]*/cell.json")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.002)
    process.send_signal(how)
    return process.wait(timeout=60), process.communicate()[1]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on_where_it_was(
    tmp_path: Path, home: Path, how: signal.Signals
) -> None:
    path = write_parallel(tmp_path / "four.jsonl", 1500)
    folder = tmp_path / "run"
    command = ["sweep", "-t", "bpe", "-c", path, *PARALLEL, *MANY, "-o", folder]
    code, stderr = stopped(command, home, how)
    assert "Traceback" not in stderr
    if how == signal.SIGINT:
        assert code == 130
        assert "run the same command again" in stderr
    else:
        assert code == -signal.SIGKILL
    assert not (folder / "run.json").exists()
    good(*command)
    steps = document(folder)["steps"]
    assert any(step["reused"] for step in steps)
    assert any(step["step"] == "train" and not step["reused"] for step in steps)
    undisturbed = tmp_path / "undisturbed"
    good(*command[:-1], undisturbed, "--force")
    for name in ("results.parquet", "curves.parquet"):
        assert (folder / name).read_bytes() == (undisturbed / name).read_bytes()


def test_what_the_training_text_lacks_stays_out_of_the_means(tmp_path: Path) -> None:
    lines = write_parallel(tmp_path / "four.jsonl").read_text("utf-8").splitlines()
    rows = map(json.loads, lines)
    some = [row for row in rows if row["lang"] in ("de", "en")]
    train = tmp_path / "two.jsonl"
    train.write_text("".join(f"{json.dumps(row)}\n" for row in some))
    where = ["-c", train, "--eval", tmp_path / "four.jsonl", *PARALLEL, "-t", "bpe", "-s", 400]
    records = json.loads(good("sweep", *where, "-f", "json", "-o", tmp_path / "run").stdout)[
        "records"
    ]
    values = {(r["group"], r["metric"]): r for r in records}
    of_two = [values[group, "tokens_per_line"]["value"] for group in ("de", "en")]
    assert values["all", "tokens_per_line"]["value"] == pytest.approx(sum(of_two) / 2)
    assert values["all", "parity[en]|macro"]["n"] == 1
    assert values["ja", "parity[en]"]["note"] == "not in the training text"
    # The groups of the training text come from the store, and are the same.
    again = json.loads(good("sweep", *where, "-f", "json", "-o", tmp_path / "again").stdout)[
        "records"
    ]
    assert again == records
    both = [*where, "-t", "hf-bpe", "-f", "json", "-o", tmp_path / "both"]
    theirs = json.loads(good("sweep", *both).stdout)["records"]
    of_theirs = {(r["group"], r["metric"]): r["n"] for r in theirs if r["trainer"] == "hf-bpe"}
    assert of_theirs["all", "parity[en]|macro"] == 1


def test_a_pair_score_is_another_training(corpus: list[str], tmp_path: Path) -> None:
    found = {}
    for score in ("count", "ratio", "count*length"):
        folder = tmp_path / score.replace("*", "_")
        good("train", *corpus, "-s", 400, "-o", folder, "--pair-score", score)
        assert document(folder)["options"]["parameters"] == {"score": score}
        found[score] = (folder / "tokenizers" / "bpe-400" / "tokenizer.json").read_text("utf-8")
    good("train", *corpus, "-s", 400, "-o", tmp_path / "default")
    default = tmp_path / "default" / "tokenizers" / "bpe-400" / "tokenizer.json"
    assert default.read_text("utf-8") == found["count"]
    assert len(set(found.values())) == 3
    result = run("sweep", *corpus, "-t", "bpe", "-s", 400, "--pair-score", "ration")
    assert result.exit_code == 2
    assert "unknown pair score 'ration' (did you mean 'ratio'?)" in result.stderr


# Every trainer behind one face ------------------------------------------------------------------

SEVEN = ("bpe", "unigram", "hf-bpe", "hf-unigram", "hf-wordpiece", "sp-bpe", "sp-unigram")


def test_all_trainers_in_one_table_and_nothing_twice(corpus: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    trainers = [part for name in SEVEN for part in ("-t", name)]
    command = ["sweep", *corpus, *trainers, "-s", "520,540", "-o", folder]
    first = good(*command)
    lines = first.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("7 tokenizers side by side  on the held-out part of four.jsonl")
    for name in SEVEN:
        cut = {"sp-bpe": "metaspace", "sp-unigram": "none"}.get(name, "o200k")
        assert (
            len(re.findall(rf"^.{{4}} +{name} +{cut} +\d+\.\d +\d\.\d\d\d ", first.stdout, re.M))
            == 2
        )
    found = document(folder)
    assert found["failed"] == {}
    assert list(found["tokenizers"]) == [f"{name}-{size}" for name in SEVEN for size in (520, 540)]
    for one in found["tokenizers"].values():
        assert list((folder / one["folder"]).iterdir())
    second = good(*command)
    assert second.stdout == first.stdout
    assert "nothing was computed" in second.stderr
    (folder / "run.json").unlink()
    third = good(*command)
    assert third.stdout == first.stdout
    assert "train reused · measure reused" in third.stderr


def test_a_sweep_trains_bpe_and_unigram_and_train_bpe(corpus: list[str], tmp_path: Path) -> None:
    good("sweep", *corpus, "-s", "300", "-o", tmp_path / "sweep")
    assert list(document(tmp_path / "sweep")["tokenizers"]) == ["bpe-300", "unigram-300"]
    good("train", *corpus, "-s", "300", "-o", tmp_path / "train")
    assert list(document(tmp_path / "train")["tokenizers"]) == ["bpe-300"]


def test_what_one_trainer_cannot_do_is_said_after_the_others_figures(
    corpus: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    command = ["sweep", *corpus, "-t", "hf-wordpiece", "-t", "bpe", "-s", "300", "-o", folder]
    for again in (False, True):
        result = run(*command)
        assert result.exit_code == 1
        assert "bpe · o200k" in result.stdout
        assert "Error: without figures: hf-wordpiece." in result.stderr
        assert "hf-wordpiece: cannot train 300 tokens. Found: 512 are taken by" in result.stderr
        assert ("reused" in result.stderr) == again
    assert list(document(folder)["failed"]) == ["hf-wordpiece"]
    only = run("sweep", *corpus, "-t", "bpe", "-s", "300", "-o", tmp_path / "only")
    assert only.exit_code == 0
    assert "train reused · measure reused" in only.stderr


def test_inference_is_crossed_with_trainers(corpus: list[str], tmp_path: Path) -> None:
    crossed = ["--inference", "own", "--inference", "greedy"]
    shown = good("sweep", *corpus, *crossed, "-s", "300", "-o", tmp_path / "run").stdout
    rows = [line.split()[:2] for line in shown.splitlines()]
    assert ["bpe-greedy", "o200k"] in rows
    assert ["unigram-greedy", "o200k"] in rows
    refused = run("sweep", *corpus, "--inference", "merges", "-s", "300")
    assert refused.exit_code == 2
    assert "unigram-merges: the vocabularies of unigram cannot be run so" in refused.stderr


def test_baselines_stand_below_what_is_trained_with_the_figures_of_a_bench(
    corpus: list[str], tmp_path: Path
) -> None:
    good("train", *corpus, "-s", "310", "-o", tmp_path / "public")
    public = tmp_path / "public" / "tokenizers" / "bpe-310"
    shutil.copytree(public, tmp_path / "copy")
    command = ["sweep", *corpus, "-t", "bpe", "-s", "300,400", "-o", tmp_path / "run"]
    command += ["--baseline", f"llama={tmp_path / 'copy'}", "--baseline", f"mine={public}"]
    first = good(*command)
    shown = first.stdout.splitlines()
    assert shown[0].startswith("3 tokenizers side by side")
    rows = [line.split()[:2] for line in shown if " o200k " in line]
    assert rows == [["300", "bpe"], ["400", "bpe"], ["310", "llama"], ["310", "mine"]]
    (head,) = (line.split() for line in shown if line.startswith("group "))
    assert head == ["group", "300", "400", "310", "310"]
    assert max(map(len, shown)) <= 100
    # What one was trained on is known of its own run, not of a copy.
    found = document(tmp_path / "run")
    assert found["overlap"] == {"mine": {"share": 1.0, "estimated": False}}
    assert "mine was trained on 100 % of this text: its figures are too good." in first.stderr
    assert list(found["tokenizers"]) == ["bpe-300", "bpe-400", "llama", "mine"]
    assert found["tokenizers"]["llama"]["engine"] == "native"
    assert found["options"]["baselines"] == [f"llama={tmp_path / 'copy'}", f"mine={public}"]
    # The same figures as by a bench on the same text, which computes none of them.
    benched = good("bench", f"llama={tmp_path / 'copy'}", "-c", f"{tmp_path / 'run'}:held-out",
                   "--no-throughput", "-o", tmp_path / "bench")  # fmt: skip
    assert "measure reused" in benched.stderr
    swept = Results.read_parquet(tmp_path / "run" / "results.parquet")
    other = Results.read_parquet(tmp_path / "bench" / "results.parquet")
    assert swept.where(tokenizer="llama").records == other.records
    again = good(*command)
    assert again.stdout == first.stdout
    assert "nothing was computed" in again.stderr
    assert "mine was trained on 100 %" in again.stderr
    assert (
        "Error" not in good(*command[:-4], "--force").stderr
    )  # the run without baselines is another


@pytest.mark.parametrize("label", ["bpe", "BPE-300", "bpe-300"])
def test_a_baseline_is_not_called_as_what_is_trained(
    corpus: list[str], tmp_path: Path, label: str
) -> None:
    command = ["sweep", *corpus, "-t", "bpe", "-s", "300", "-o", tmp_path / "run"]
    message = fails(*command, "--baseline", f"{label}=tiktoken:o200k_base", code=2)
    assert f"a baseline is called {label!r}, as what is trained here." in message
    assert f"--baseline {label}-baseline=tiktoken:o200k_base" in message


def test_a_baseline_that_cannot_be_had_is_an_error_before_the_training(
    corpus: list[str], tmp_path: Path
) -> None:
    command = ["sweep", *corpus, "-t", "bpe", "-s", "300", "-o", tmp_path / "run"]
    good("train", *corpus, "-s", "310", "-o", tmp_path / "public")
    missing = ["--baseline", f"gone={tmp_path / 'gone.json'}"]
    message = fails(*command, *missing)
    assert "gone.json" in message
    assert not (tmp_path / "run").exists()
    assert "bytes_per_token" not in message
    there = tmp_path / "public" / "tokenizers" / "bpe-310"
    result = run(*command, *missing, "--baseline", f"there={there}")
    assert result.exit_code == 1
    assert "gone.json is left out" in result.stderr
    assert "without figures: gone=" in result.stderr
    assert " there " in result.stdout
