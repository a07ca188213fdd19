"""Published tokenizers: each loads, and its ids are the library's.

Those that mistral-common carries, where it is installed (the extra `real`), and those of a folder:
``TOKTK_REAL_TOKENIZERS`` names one of tokenizer files, and of folders with a tokenizer.json each.
By default each is tried on a few lines of every language at hand, code and the torture text;
with ``TOKTK_REAL_FULL=1`` on all.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from nasty import NASTY_TEXTS
from sample_texts import code, languages

from toktk.corpus import Corpus
from toktk.encoder import Encoder
from toktk.evaluation import source_bytes
from toktk.evaluation.source_bytes import prove
from toktk.formats.tokens import MARK, READ_AS_SPACE, SPACE_IN_FRONT
from toktk.loading.load import load, open_tokenizer
from toktk.loading.token_bytes import doubts
from toktk.loading.torture import TORTURE
from toktk.models.vocabulary import packed

FOLDER = os.environ.get("TOKTK_REAL_TOKENIZERS", "")
FULL = os.environ.get("TOKTK_REAL_FULL") == "1"
ENDINGS = (".json", ".tiktoken", ".model", ".v1", ".v2", ".v3", ".v7", ".v7m1")


def found():
    folders = [Path(FOLDER)] if FOLDER else []
    spec = find_spec("mistral_common")  # not imported
    folders += [Path(place) / "data" for place in (spec and spec.submodule_search_locations) or []]
    return [path for folder in folders for path in in_folder(folder)]


def in_folder(folder):
    entries = sorted(folder.iterdir())
    folders = [path for path in entries if (path / "tokenizer.json").exists()]
    return folders + [path for path in entries if path.is_file() and path.suffix in ENDINGS]


def lines():
    if FULL:
        return {"code": code(), **languages(most=10**6)}
    few = {name: rows[:: max(1, len(rows) // 20)][:20] for name, rows in languages().items()}
    return {"code": [text[:3000] for text in code()[::12]], **few}


@pytest.fixture(scope="module")
def texts():
    return {"torture": [*TORTURE, *NASTY_TEXTS], **lines()}


@pytest.mark.skipif(
    not found(), reason="no mistral-common, and TOKTK_REAL_TOKENIZERS names no folder"
)
@pytest.mark.parametrize("path", found(), ids=lambda path: path.name)
def test_ids_equal_the_librarys(path, texts, record_property):
    loaded = open_tokenizer(str(path))
    checked = loaded.checked([rows[0] for rows in texts.values()])
    record_property("engine", checked.engine)
    record_property("why", checked.why)
    print(f"{loaded.label}: {checked.engine} {checked.why}")
    if loaded.native is None:
        assert loaded.why
        return
    assert checked.engine == "native", checked.why
    encoder, reference = (
        Encoder(loaded.native.pretokenizer, loaded.native.model),
        loaded.reference.model,
    )
    for group, rows in texts.items():
        data, offsets = packed([text.encode() for text in rows])
        ids, ours = encoder.encode_batch(data, offsets)
        wanted, ends = reference.encode_pieces(data, offsets)
        theirs = np.append(0, ends)
        for d, text in enumerate(rows):
            mine, others = ids[ours[d] : ours[d + 1]], wanted[theirs[d] : theirs[d + 1]]
            assert np.array_equal(mine, others), (group, text[:200])


@pytest.mark.skipif(
    not found(), reason="no mistral-common, and TOKTK_REAL_TOKENIZERS names no folder"
)
@pytest.mark.parametrize("path", found(), ids=lambda path: path.name)
def test_bytes_of_tokens_add_up(path, texts):
    """Where a tokenizer only puts a space in front, the sum is off by one byte a document, else by none."""
    tokenizer = load(str(path))
    documents = [text for rows in texts.values() for text in rows]
    proof = prove(tokenizer, Corpus.of(documents), jobs=2)
    if not doubts(tokenizer):
        assert proof.holds
    told = {source_bytes.PREFIX, source_bytes.MARKED}
    if not (set(doubts(tokenizer)) - {SPACE_IN_FRONT, READ_AS_SPACE}):
        assert told >= {cause.what for cause in proof.causes}
        n_marks = sum(text.count(MARK) for text in documents)
        n_prefixed = (
            len(list(filter(None, documents))) if SPACE_IN_FRONT in doubts(tokenizer) else 0
        )
        of_marks = 2 * n_marks if READ_AS_SPACE in doubts(tokenizer) else 0
        assert (proof.token_bytes - proof.bytes).sum() == n_prefixed - of_marks
    assert sum(cause.excess for cause in proof.causes) == (proof.token_bytes - proof.bytes).sum()
