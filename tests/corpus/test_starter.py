import builtins
import encodings
import re
from pathlib import Path

import pytest

import toktk
from toktk.corpus import ReaderOptions, load_corpus, starter
from toktk.errors import CorpusError, MissingExtraError


def columns(corpus, *indices, only=None):
    found = [[] for _ in indices]
    for batch in corpus.batches():
        # Two million words are slow as Python strings.
        if only and not set(batch.column(1).dictionary.to_pylist()) & only:
            continue
        for values, index in zip(found, indices, strict=True):
            values += batch.column(index).to_pylist()
    return found


def test_parallel_texts_are_parallel():
    corpus = load_corpus("starter:parallel")
    texts, groups, ids = columns(corpus, 0, 1, 2)
    by_group = {}
    for group, line in zip(groups, ids, strict=True):
        by_group.setdefault(group, []).append(line)
    assert "en" in by_group
    assert len(by_group) >= 2
    for group, lines in by_group.items():
        assert lines == by_group["en"], group
    assert all(texts)
    assert sum(1 for _ in corpus.batches()) == len(by_group)


def test_code_is_the_standard_library_without_tests(tmp_path):
    texts, groups, weights = columns(load_corpus("starter:code"), 0, 1, 3)
    assert set(groups) == {"python"}
    assert set(weights) == {1}
    assert len(texts) > 300
    assert any("class JSONDecoder" in text for text in texts)
    for name in (
        "json/decoder.py",
        "test/x.py",
        "lib2to3/tests/data/x.py",
        "site-packages/x.py",
        "_sysconfigdata_x.py",
        "config-3/x.py",
        "idlelib/idle_test/x.py",
        "a.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9")
    library = starter.StandardLibrary(tmp_path)
    assert [text for b in library.batches() for text in b.column(0).to_pylist()] == [
        "a.py",
        "json/decoder.py",
    ]
    assert library.size == len("a.pyjson/decoder.py")
    with pytest.raises(CorpusError, match="no library source"):
        list(starter.StandardLibrary(tmp_path / "none").batches())


def test_words_are_weighted_by_frequency():
    wordfreq = pytest.importorskip("wordfreq")
    corpus = load_corpus("starter:words")
    assert len({batch.column(1)[0].as_py() for batch in corpus.batches()}) >= 40
    texts, groups, weights = columns(corpus, 0, 1, 3, only={"de", "ja"})
    found = {(g, t): w for t, g, w in zip(texts, groups, weights, strict=True)}
    german = wordfreq.get_frequency_dict("de", "small")
    assert len(german) == sum(group == "de" for group, _ in found)
    for word in ("die", "haus", "jahr"):
        assert found["de", f" {word}"] == pytest.approx(german[word] * 3e6, rel=1e-2)
    assert ("ja", "の") in found
    assert min(weights) >= 1
    consumed = []
    list(corpus.batches(consumed.append))
    assert sum(consumed) == corpus.size
    assert corpus.describe()["parts"][0]["wordfreq"]


def test_training_and_evaluation_share_no_code(monkeypatch):
    pytest.importorskip("wordfreq")
    # Some hundred small files: hashing the whole library takes a minute where nothing is compiled.
    monkeypatch.setattr(
        starter.sysconfig, "get_path", lambda _: str(Path(encodings.__file__).parent)
    )
    train, evaluation = load_corpus("starter"), load_corpus("starter:eval")
    seen = [set(columns(corpus, 0, only={"python"})[0]) for corpus in (train, evaluation)]
    assert not seen[0] & seen[1]
    assert seen[0] | seen[1] == set(columns(load_corpus("starter:code"), 0)[0])
    assert 0.05 < len(seen[1]) / len(seen[0] | seen[1]) < 0.15
    assert train.fingerprint == load_corpus("starter").fingerprint != evaluation.fingerprint


def test_a_limit_keeps_parallel_text_parallel():
    groups, ids = columns(load_corpus("starter:parallel", ReaderOptions(limit=3)), 1, 2)
    assert len(set(ids)) == 3
    assert len(ids) == 3 * len(set(groups))


def test_an_unknown_part():
    with pytest.raises(CorpusError, match="did you mean 'parallel'"):
        load_corpus("starter:paralel")


def test_without_wordfreq(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "wordfreq":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for spec in ("starter", "starter:words"):
        with pytest.raises(MissingExtraError, match=r"pip install 'toktk\[starter\]'"):
            load_corpus(spec)
    load_corpus("starter:eval")


def test_the_folder_is_in_the_package_or_beside_it(tmp_path, monkeypatch):
    package = tmp_path / "toktk" / "corpus"
    package.mkdir(parents=True)
    monkeypatch.setattr(starter, "__file__", str(package / "starter.py"))
    with pytest.raises(CorpusError, match="missing from this installation"):
        starter.corpora_folder()
    (tmp_path / "corpora").mkdir()
    assert starter.corpora_folder() == tmp_path / "corpora"
    (tmp_path / "toktk" / "_corpora").mkdir()
    assert starter.corpora_folder() == tmp_path / "toktk" / "_corpora"


def test_the_texts_are_clean():
    folder = starter.corpora_folder()
    for path in sorted((folder / "parallel").glob("*.txt")):
        raw = path.read_bytes()
        assert raw.endswith(b"\n"), path.name
        assert b"\r" not in raw, path.name
        assert re.fullmatch(r"[a-z]{2,3}(-[A-Z][a-z]{3})?", path.stem), path.name
    assert (folder / "README.md").is_file()
    assert Path(toktk.__file__).parent.name == "toktk"
