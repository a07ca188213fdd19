"""What all tests share: a cache of their own, and small nasty texts."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sample_texts
from hypothesis import HealthCheck, settings
from nasty import NASTY_TEXTS
from small_corpora import fresh_home

if TYPE_CHECKING:
    from servers import Between

    from toktk.tokenizer import Tokenizer

# Set before any kernel is imported, for that is when the folder of compiled code is chosen.
_KEPT = os.environ.get("TOKTK_TEST_HOME")
_HOME = Path(_KEPT or tempfile.mkdtemp(prefix="toktk-test-"))
os.environ["TOKTK_HOME"] = os.environ["TOKTK_TEST_HOME"] = str(_HOME)  # for workers too

# The first call of a kernel compiles it, which no deadline allows for.
settings.register_profile(
    "toktk",
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("toktk")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests that compile nothing where the second of two workers begins.

    Both would compile the same kernels at the same time otherwise; so it finds those of the first.
    """
    compiling, others = [], []
    for item in items:
        (others if "corpus" in item.path.parts else compiling).append(item)
    half = len(items) // 2
    items[:] = [*compiling[:half], *others, *compiling[half:]]


def pytest_unconfigure() -> None:
    if not _KEPT:
        shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def nasty_texts() -> list[str]:
    return list(NASTY_TEXTS)


@pytest.fixture(scope="session")
def corpus_of():
    """Make a corpus of documents at hand: ``corpus_of(documents, batch_rows=1000)``.

    A document is (text, group, weight) or (text, group, weight, align).
    """
    from toktk.corpus import Corpus, concat

    def of(rows):
        texts, groups, weights, align = zip(*((*row, None)[:4] for row in rows), strict=True)
        return Corpus.of(texts, groups, align, weights)

    def build(documents, batch_rows=1000):
        starts = range(0, len(documents), batch_rows)
        return concat([of(documents[at : at + batch_rows]) for at in starts], "tested")

    return build


@pytest.fixture(scope="session")
def real_texts() -> dict[str, list[str]]:
    """Texts by group: lines in many languages, and "code"."""
    return {"code": sample_texts.code(), **sample_texts.languages()}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own that shares the compiled kernels and patterns of the session."""
    home = fresh_home(tmp_path / "home")
    monkeypatch.setenv("TOKTK_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Tokenizer]:
    """Train a tokenizer on `text`; options are the trainer's."""
    from tokenizer_samples import TEXT

    from toktk.corpus import ReaderOptions, load_corpus
    from toktk.trainers.base import TrainingData
    from toktk.trainers.bpe import BpeTrainer

    def run(text: str = TEXT, size: int = 700, **options: object) -> Tokenizer:
        path = tmp_path_factory.mktemp("corpus") / "text.txt"
        path.write_text(text, encoding="utf-8", newline="")
        data = TrainingData(load_corpus(str(path), ReaderOptions(sample_by="document")))
        trainer = BpeTrainer(**options)  # type: ignore[arg-type]
        return trainer.train(data, [size]).tokenizers[0]

    return run


@pytest.fixture(scope="session")
def tokenizer(train: Callable[..., Tokenizer]) -> Tokenizer:
    """A small tokenizer of the default pattern, with two special tokens."""
    return train(special_tokens=["<|endoftext|>", "<|填|>"])


@pytest.fixture
def crafted() -> Callable[..., Tokenizer]:
    """Build a tokenizer from pairs of strings, by rank; repeated spellings keep their first id."""
    import numpy as np

    from toktk.models.bpe import BpeModel
    from toktk.pretokenizers.pretokenizer import Pretokenizer
    from toktk.tokenizer import Tokenizer

    def build(
        pairs: Sequence[tuple[str | bytes, str | bytes]],
        special_tokens: tuple[str, ...] = (),
        pattern: str = "none",
    ) -> Tokenizer:
        empty = BpeModel(special_tokens, np.empty((0, 3), dtype=np.int64))
        ids = {bytes([b]): int(i) for b, i in enumerate(empty.byte_ids)}
        merges = []
        for pair in pairs:
            left, right = (part.encode() if isinstance(part, str) else part for part in pair)
            new = ids.setdefault(left + right, empty.base_size - 256 + len(ids))
            merges.append((ids[left], ids[right], new))
        model = BpeModel(special_tokens, np.array(merges, dtype=np.int64).reshape(-1, 3))
        return Tokenizer("crafted", Pretokenizer.of(pattern), model)

    return build


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Between]:
    """A server of S3, and what stands before it, which drops connections on demand."""
    pytest.importorskip("s3fs", reason="addresses of S3 need the extra cloud")
    server_of = pytest.importorskip(
        "moto.server", reason="a server of S3 comes with the extra test"
    )
    from servers import Between

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_of.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    between = Between(server.get_host_and_port()[1])
    yield between
    between.close()
    server.stop()


@pytest.fixture
def s3(s3_server: Between, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Between]:
    """The server of S3 with an empty bucket named ``bucket``; nothing is waited for."""
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3_server.port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",  # so that it is toktk that tries again
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "*",
        "TOKTK_HOME": str(tmp_path / "home"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("toktk.places.WAITS", (0, 0, 0))
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    system = s3fs.S3FileSystem()  # the same one for all tests, as it takes a second to make
    if system.exists("bucket"):
        system.rm("bucket", recursive=True)
    system.mkdir("bucket")
    yield s3_server
    s3_server.drops.clear()
    s3_server.upload_drops.clear()
