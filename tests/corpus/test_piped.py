"""What comes through a pipe is kept, and read as often as a file."""

import gzip
import os
import subprocess
import sys
import threading

import pytest

from toktk.corpus import load_corpus
from toktk.corpus.piped import kept, open_pipe
from toktk.errors import CorpusError

pytestmark = [
    pytest.mark.usefixtures("home"),
    pytest.mark.skipif(not os.path.exists("/dev/fd/0"), reason="descriptors have no names here"),  # noqa: PTH110
]


def texts(corpus):
    return [text for batch in corpus.batches() for text in batch.column(0).to_pylist()]


@pytest.fixture
def pipe_of():
    """Return the path of a pipe that gives some bytes."""
    opened, writers = [], []

    def make(content):
        read, write = os.pipe()

        def fill():
            with os.fdopen(write, "wb") as file:
                file.write(content)

        opened.append(read)
        writers.append(threading.Thread(target=fill))
        writers[-1].start()
        return f"/dev/fd/{read}"

    yield make
    for writer in writers:
        writer.join()
    for descriptor in opened:
        os.close(descriptor)


JSON = b'{"text": "a"}\n{"text": "b"}\n'


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"one\ntwo\n" * 50_000, ["one\n", "two\n"] * 50_000),
        (JSON, ["a", "b"]),
        (b"{not json\n", ["{not json\n"]),
        (b'{"text": "' + b"x" * 100_000 + b'"}\n', ["x" * 100_000]),
    ],
)
def test_a_pipe_is_read_more_than_once(pipe_of, content, expected):
    spec = pipe_of(content)
    corpus = load_corpus(spec)
    assert texts(corpus) == texts(corpus) == texts(load_corpus(spec)) == expected
    assert corpus.name == "pipe"
    assert corpus.fingerprint == load_corpus(pipe_of(content)).fingerprint
    assert kept(open_pipe(spec)).read_bytes() == content


def test_what_is_compressed_is_refused(pipe_of):
    with pytest.raises(CorpusError, match=r"compressed(?s:.*)gzip(?s:.*)Decompress it on the way"):
        load_corpus(pipe_of(gzip.compress(JSON)))


def test_standard_input_is_kept_and_leaves_nothing(home):
    code = (
        "from toktk.corpus import train_and_test\n"
        "train, test = train_and_test('-', '/dev/stdin')\n"
        "print(train.name, *[sum(b.num_rows for b in side.batches()) for side in (train, test)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=b"one\ntwo\n",
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == [b"stdin", b"2", b"2"], done.stderr
    assert list((home / "temporary").iterdir()) == []


def test_no_room_for_it(pipe_of, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("toktk.corpus.piped.shutil.copyfileobj", full)
    with pytest.raises(CorpusError, match=r"cannot keep(?s:.*)No space left(?s:.*)TOKTK_HOME"):
        load_corpus(pipe_of(b"one\n"))


@pytest.mark.parametrize(
    "spec", ["/dev/fd/987654", "/dev/fd/99999999999999999999", "x.txt", "/dev/zero"]
)
def test_what_is_no_open_pipe(spec):
    assert open_pipe(spec) is None
