"""Ids of toktk's own engine are the library's at code points of every age, in eight contexts."""

import importlib.util
import random
from dataclasses import replace
from pathlib import Path

import pytest
import tokenizers

from toktk.loading.load import load, open_tokenizer
from toktk.loading.torture import strange_text
from toktk.pretokenizers.export import strangers
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer

WORDS = r"\w+|[^\w\s]+|\s+"


@pytest.fixture(scope="module")
def points():
    """Return the benchmark that compares all code points."""
    path = Path(__file__).parents[2] / "benchmarks" / "code_points.py"
    spec = importlib.util.spec_from_file_location("code_points", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def some_code_points(pattern):
    """Return code points of all planes, and those that libraries class differently."""
    chance = random.Random(pattern)
    strange = strangers(Pretokenizer.of(pattern), "regex").tolist()
    codes = [*strange[:20], *chance.sample(strange, min(len(strange), 200))]
    codes += [
        0xB2,
        0xBD,
        0x17F,
        0x200C,
        0x200D,
        0x20C1,
        0x212A,
        0x1FAEA,
        0x16EA0,
        0x11DE0,
        0x10FFFF,
    ]
    for top in (0x80, 0x800, 0x3000, 0x10000, 0x20000, 0x110000):
        codes += [chance.randrange(0x20, top) for _ in range(100)]
    return [code for code in codes if not 0xD800 <= code < 0xE000]


@pytest.mark.parametrize("pattern", [PATTERNS["gpt2"], PATTERNS["o200k"], WORDS])
def test_ids_equal_those_of_the_library_that_owns_the_file(points, tmp_path, pattern):
    specs = points.files_of(pattern, tmp_path)
    assert [Path(spec).suffix for spec in specs] == [".json", ".tiktoken"]
    codes = some_code_points(pattern)
    for spec in specs:
        loaded = open_tokenizer(spec)
        assert points.differences(loaded, codes) == []
        # The comparison sees other tables, and so does the check at loading, whatever the documents are.
        other = replace(loaded.native.pretokenizer, library="regex")
        if other.key != loaded.native.pretokenizer.key:
            stranger = replace(loaded, native=replace(loaded.native, pretokenizer=other))
            assert points.differences(stranger, codes)
            checked = stranger.checked(["plain"], cache=False)
            assert checked.why.startswith("ids differ at ")


def test_what_is_saved_and_read_again_is_the_same(train, tmp_path):
    tokenizer = train(size=300, pretokenizer=WORDS)
    notes = tokenizer.save(tmp_path).notes
    assert not [note for note in notes if note.startswith("tokenizer.json")]
    again = load(str(tmp_path / "tokenizer.json"))
    assert (again.engine, again.signature) == ("native", tokenizer.signature)
    library = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    text = "می\u200cخواهم क्\u200dष 10² m³ 1½ " + strange_text(tokenizer.pretokenizer)
    assert library.encode(text).ids == tokenizer.encode(text) == again.encode(text)
