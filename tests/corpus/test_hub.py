"""The hub path end to end: the real client libraries against a repository on loopback."""

import io
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_server import COMMIT, serve

README = """---
configs:
- config_name: one
  data_files:
  - split: train
    path: one/*.parquet
- config_name: two
  data_files:
  - split: dev
    path: two/*.parquet
dataset_info:
- config_name: one
- config_name: two
  features:
  - name: text
    dtype: string
  - name: lang
    dtype:
      class_label:
        names:
          '0': de
          '1': en
  - name: id
    dtype: int64
---
"""

READ = """
import json, sys
import datasets
from toktk.corpus import ReaderOptions, load_corpus
from toktk.errors import ToktkError

# After a shuffled pass the library waits five seconds for its threads; here none is left.
datasets.config.SLEEP_TIME_ON_THREADS_SHUTDOWN = 0

def read(spec, options):
    steps = []
    try:
        corpus = load_corpus(spec, ReaderOptions(**options))
        rows = []
        for batch in corpus.batches(steps.append):
            rows += zip(*(batch.column(i).to_pylist() for i in range(3)))
        again = sum(batch.num_rows for batch in corpus.batches())
        assert again == len(rows)
        described = corpus.describe()
    except ToktkError as error:
        return {"error": str(error)}
    return {"rows": rows, "steps": sum(steps), "described": described, "size": corpus.size}

print(json.dumps([read(spec, options) for spec, options in json.loads(sys.argv[1])]))
"""

TEXTS = ["plain", None, "naïve 東京 🙂", *(f"line {i}" for i in range(2500))]


SHARES = """
import json, sys
from toktk.corpus import ReaderOptions, load_corpus
from toktk.corpus.shares import inputs_of, share_of

def rows(corpus):
    return [row for b in corpus.batches() for row in b.column(0).to_pylist()]

def shared(spec, n):
    corpus = load_corpus(spec, in_place=True)
    shares = [rows(share_of(corpus, rank, n)) for rank in range(n)]
    return {"shares": shares, "inputs": inputs_of(corpus)}

print(json.dumps([shared(spec, n) for spec, n in json.loads(sys.argv[1])]))
"""


def read(specs, endpoint, home, script=READ, **environment):
    offline = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_TOKEN", "HTTP_PROXY", "http_proxy")
    kept = {key: value for key, value in os.environ.items() if key not in offline}
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(specs)],
        env={
            **kept,
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(home / "hf"),
            "TOKTK_HOME": str(home / "toktk"),
            "NO_PROXY": "127.0.0.1",
            "NUMBA_DISABLE_JIT": "0",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    table = {"text": TEXTS, "lang": [i % 2 for i in range(len(TEXTS))], "id": range(len(TEXTS))}
    file = io.BytesIO()
    pq.write_table(pa.table({k: pa.array(v) for k, v in table.items()}), file, row_group_size=700)
    files = {
        "README.md": README.encode(),
        "one/a.parquet": file.getvalue(),
        "one/b.parquet": file.getvalue(),
        "two/a.parquet": file.getvalue(),
    }
    specs = {
        "whole": ["hf:org/name/one", {}],
        "limited": [
            f"hf:org/name@{COMMIT}/two:dev",
            {"limit": 4, "group_column": "lang", "align_column": "id"},
        ],
        "sample": ["hf:org/name/two:dev", {"limit": 50, "seed": 1}],
        "sample again": ["hf:org/name/two:dev", {"limit": 50, "seed": 1}],
        "other sample": ["hf:org/name/two:dev", {"limit": 50, "seed": 2}],
        "column": ["hf:org/name/two:dev", {"text_column": "txet"}],
        "not text": ["hf:org/name/two:dev", {"text_column": "id"}],
        "no config": ["hf:org/name", {}],
        "split": ["hf:org/name/one:dev", {}],
        "dataset": ["hf:org/other", {}],
    }
    home = tmp_path_factory.mktemp("hub")
    with serve("org/name", files) as (endpoint, asked):
        found = dict(zip(specs, read(list(specs.values()), endpoint, home), strict=True))
    found["asked"] = asked
    return found


def test_a_whole_dataset(answers):
    whole = answers["whole"]
    expected = [[text, "one", None] for text in TEXTS if text is not None]
    assert whole["rows"] == expected * 2
    assert whole["steps"] == 2 * len(TEXTS)
    assert whole["size"] is None
    assert whole["described"]["null_rows"] == 2
    assert whole["described"]["unit"] == "rows"
    assert whole["described"]["parts"] == [
        {
            "dataset": "org/name",
            "revision": None,
            "config": "one",
            "split": "train",
            "commit": COMMIT,
        }
    ]


def test_nothing_was_downloaded_but_what_was_read(answers):
    assert any("/resolve/" in request for request in answers["asked"])
    assert not any(request.startswith("GET /datasets/org/other") for request in answers["asked"])


def test_a_limit_with_class_labels_as_groups(answers):
    limited = answers["limited"]
    assert {group for _, group, _ in limited["rows"]} <= {"de", "en"}
    assert len(limited["rows"]) == limited["steps"] == limited["size"] == 4
    assert limited["described"]["options"]["limit"] == 4


def test_a_seeded_sample(answers):
    first, again, other = (answers[k]["rows"] for k in ("sample", "sample again", "other sample"))
    assert first == again != other
    assert len(first) == 50
    prints = [answers[k]["described"]["fingerprint"] for k in ("sample", "sample again")]
    assert prints[0] == prints[1] != answers["other sample"]["described"]["fingerprint"]


@pytest.mark.parametrize(
    ("case", "parts"),
    [
        ("column", ["'txet'", "did you mean 'text'", "Known: text, lang, id"]),
        ("not text", ["does not hold text", "int64"]),
        ("no config", ["cannot read hf:org/name:train", "one", "two"]),
        ("split", ["cannot read hf:org/name/one:dev", "train"]),
        ("dataset", ["cannot read hf:org/other:train", "-c <folder>"]),
    ],
)
def test_what_can_go_wrong(answers, case, parts):
    for part in parts:
        assert part in answers[case]["error"]


@pytest.mark.parametrize("offline", [{}, {"HF_HUB_OFFLINE": "1"}], ids=["refused", "offline"])
def test_without_a_network(tmp_path, offline):
    [answer] = read([["hf:org/name", {}]], "http://127.0.0.1:9", tmp_path, **offline)
    assert "cannot read hf:org/name:train" in answer["error"]
    assert "Without a network: download" in answer["error"]


def test_shares(tmp_path):
    def parquet(name, n):
        file = io.BytesIO()
        pq.write_table(
            pa.table({"text": [f"{name} {i} {200 * name}" for i in range(n)]}),
            file,
            7,
            compression="none",
        )
        return file.getvalue()

    names = ["a", "b", "c"]
    files = {f"one/{name}.parquet": parquet(name, 20) for name in names}
    files["README.md"] = README.encode()
    texts = [f"{name} {i} {200 * name}" for name in names for i in range(20)]
    by_files, by_rows = "hf:org/name/one", "hf://datasets/org/name/one/*.parquet"
    cases = [*((by_files, n) for n in (1, 2, 3, 5)), ("hf:org/name/one,one", 4), (by_rows, 12)]
    with serve("org/name", files) as (endpoint, _):
        *whole, twice, address = read(cases, endpoint, tmp_path, SHARES)
    for answer in [*whole, address]:
        assert [text for share in answer["shares"] for text in share] == texts
    assert [len(share) for share in whole[-1]["shares"]] == [20, 20, 20, 0, 0]
    source = {"name": f"{by_files}:train", "bytes": 0, "mark": COMMIT, "group": "one"}
    assert whole[-1]["inputs"] == [source]
    # The first files of the two configurations do not go to the same rank.
    assert [len(share) for share in twice["shares"]] == [20, 40, 40, 20]
    assert sorted(text for share in twice["shares"] for text in share) == sorted(2 * texts)
    # At an address a file is shared out by its row groups.
    assert max(len(share) for share in address["shares"]) < 20
    assert [each["name"] for each in address["inputs"]] == [f"{name}.parquet" for name in names]
    assert len({each["mark"] for each in address["inputs"]}) == 3
