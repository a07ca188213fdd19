"""A trainer from another package: listed, swept and measured as toktk's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_corpora import PARALLEL, fresh_home, write_parallel

# Two trainers. One keeps toktk's promise that every size begins the next; the other's vocabularies
# have nothing to do with each other, so each must be measured by itself.
PLUGIN = '''
"""Trainers for the tests."""
import numpy as np
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.models.bpe import BpeModel
from toktk.tokenizer import Tokenizer
from toktk.trainers.base import Trained
from toktk.trainers.bpe import BpeTrainer


class Backwards:
    """BPE on text whose pieces are counted by the trainer itself."""

    def __init__(self, pretokenizer="gpt2", min_frequency=0, seed=0):
        self.inner = BpeTrainer(pretokenizer, min_frequency=min_frequency)

    def train(self, data, sizes):
        return self.inner.train(data, sizes)


class Unrelated:
    """Pairs every byte with one other byte, which hangs on the size."""

    def __init__(self):
        self.pretokenizer = Pretokenizer.of("gpt2")

    def train(self, data, sizes):
        assert sum(map(len, data.texts()))
        made = []
        for size in sizes:
            if size > 400:
                continue
            n = np.arange(size - 256)
            model = BpeModel((), np.stack([n % 256, (n * 7 + size) % 256, 256 + n], axis=1))
            made.append(Tokenizer(f"unrelated-{size}", self.pretokenizer, model))
        return Trained(tuple(made))


class Broken:
    """Returns what was not asked for."""

    def train(self, data, sizes):
        return Unrelated().train(data, [300])
'''

ENTRIES = """[toktk.trainers]
backwards = odd_trainers:Backwards
unrelated = odd_trainers:Unrelated
broken = odd_trainers:Broken
"""


@pytest.fixture
def toktk(tmp_path: Path):
    """Run toktk in a fresh interpreter that sees the plug-in as installed."""
    site = tmp_path / "site"
    info = site / "odd_trainers-0.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-trainers\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    (site / "odd_trainers.py").write_text(PLUGIN)
    home = fresh_home(tmp_path / "home")
    corpus = write_parallel(tmp_path / "four.jsonl")

    def run(*args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        if args[0] == "sweep":
            args = (*args, "-c", str(corpus), *PARALLEL)
        done = subprocess.run(
            [sys.executable, "-m", "toktk", *args],
            env={**os.environ, "PYTHONPATH": str(site), "TOKTK_HOME": str(home)},
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def test_a_trainer_of_another_package_is_listed(toktk) -> None:
    rows = {row["name"]: row for row in json.loads(toktk("ls", "trainers", "-f", "json").stdout)}
    assert rows["unrelated"]["origin"] == "odd-trainers 0.3"
    assert rows["unrelated"]["what"].startswith("Pairs every byte")
    assert rows["bpe"]["origin"] == "toktk"


def test_trainers_of_another_package_are_swept(toktk, tmp_path: Path) -> None:
    sweep = ("sweep", "-t", "bpe", "-t", "backwards", "-s", "300,400", "-f", "json", "-o", "run")
    records = json.loads(toktk(*sweep).stdout)["records"]
    by_key = {(r["tokenizer"], r["group"], r["metric"]): r["value"] for r in records}
    for size in (300, 400):
        for group in ("all", "ja", "ru"):
            mine = by_key[f"bpe-{size}", group, "tokens"]
            assert by_key[f"backwards-{size}", group, "tokens"] == mine
    document = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert document["options"]["trainers"] == {"bpe": "toktk", "backwards": "odd-trainers 0.3"}


def test_unrelated_vocabularies_are_measured_one_by_one(toktk, tmp_path: Path) -> None:
    shown = toktk("sweep", "-t", "unrelated", "-s", "300,350,500", "-o", "run")
    assert "unrelated · gpt2" in shown.stdout
    assert "unrelated does not reach 500." in shown.stderr
    assert "– not reached: 500." in shown.stdout
    # Each size's figures are those of the tokenizer that was written.
    check = f"""
import tokenizers
from toktk.corpus import ReaderOptions, load_corpus
from toktk.report.results import Results
options = ReaderOptions(group_column="lang", align_column="id")
_, test = load_corpus({str(tmp_path / "four.jsonl")!r}, options).split(0.1)
texts = [text for batch in test.batches() for text in batch.column(0).to_pylist()]
from pathlib import Path
for record in Results.read_parquet(Path({str(tmp_path / "run" / "results.parquet")!r})):
    if record.metric == "tokens" and record.group == "all":
        path = {str(tmp_path / "run" / "tokenizers")!r} + f"/{{record.tokenizer}}/tokenizer.json"
        loaded = tokenizers.Tokenizer.from_file(path)
        assert sum(len(loaded.encode(text).ids) for text in texts) == record.value
        print(record.size)
"""
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["300", "350"]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("-t", "unrelated", "-p", "gpt2", "-s", "300"), "takes no pretokenizer"),
        (("-t", "backwards", "--special", "<s>", "-s", "300"), "takes no special tokens"),
        (("-t", "unrelated", "-s", "500"), "reaches none of the sizes"),
        (("-t", "broken", "-s", "350"), "returned sizes that were not asked for"),
    ],
)
def test_what_a_trainer_cannot_do_is_said(toktk, args: tuple[str, ...], expected: str) -> None:
    code = 2 if "takes no" in expected else 1
    assert expected in toktk("sweep", *args, code=code).stderr
