"""Corpora and groups in proportion: whole factors, right to 1 %, exact sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk.corpus import Corpus, load_corpus, train_and_test
from toktk.corpus.mixture import bytes_of_groups, parse_share, whole_factors
from toktk.errors import CorpusError


def shares(corpus):
    totals = bytes_of_groups(corpus.batches)
    return {group: n / sum(totals.values()) for group, n in totals.items()}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, lines in (("de", 100), ("en", 1000), ("ja", 37)):
        (tmp_path / name).mkdir()
        text = "".join(f"{name} {i} é\n" for i in range(lines))
        (tmp_path / name / "x.txt").write_text(text, encoding="utf-8")
    return tmp_path


@given(st.lists(st.floats(1e-4, 1), min_size=1, max_size=8))
def test_factors_are_the_least_that_are_right_to_one_percent(wanted):
    factors = np.array(whole_factors(wanted))
    ratios = np.array(wanted) / min(wanted)
    least = int(min(factors))
    assert np.abs(factors / (least * ratios) - 1).max() <= 0.01
    for fewer in range(1, least):
        assert np.abs(np.rint(fewer * ratios) / (fewer * ratios) - 1).max() > 0.01


def test_factors_too_far_apart():
    with pytest.raises(CorpusError, match="too far apart"):
        whole_factors([1, 1e-7])


def test_corpora_in_proportion(folder):
    corpus = load_corpus(["de=de:0.3", "en=en:.6", "ja=ja:0.1"])
    assert shares(corpus) == pytest.approx({"de": 0.3, "en": 0.6, "ja": 0.1}, rel=0.03)
    assert corpus.name == "de + en + ja"
    assert len(corpus.remarks) == 3
    assert "every document counts" in corpus.remarks[0]
    others = [["de=de:0.3", "en=en:.6", "ja=ja:0.2"], ["de=de", "en=en", "ja=ja"]]
    assert len({load_corpus(o).fingerprint for o in others} | {corpus.fingerprint}) == 3
    (alone,) = shares(load_corpus("de:5"))
    assert alone == "x"


def test_what_is_held_out_is_not_weighted(folder):
    train, test = train_and_test(["de=de:0.5", "en=en:0.5"])
    assert shares(train) == pytest.approx({"de": 0.5, "en": 0.5}, rel=0.03)
    assert shares(test)["en"] > 0.8
    assert {w for batch in test.batches() for w in batch.column("weight").to_pylist()} == {1}


def test_some_with_a_weight_and_some_without(folder):
    with pytest.raises(CorpusError, match=r"no weight of en(?s:.*)-c de:0.3 -c en:0.7"):
        load_corpus(["de:0.3", "en"])
    with pytest.raises(CorpusError, match="is 0"):
        load_corpus(["de:0.3", "en:0"])


def test_what_exists_is_read_whatever_its_name_looks_like(folder):
    (folder / "de:0.3").write_text("x\n")
    (folder / "lang=de").mkdir()
    (folder / "lang=de" / "a.txt").write_text("x\n")
    for spec in ("de:0.3", "lang=de", "lang=*/a.txt"):
        assert parse_share(spec) == (None, spec, None)
    assert parse_share("lang=de:2") == (None, "lang=de", 2)
    assert parse_share("a=hf:org/name/config:train:0.5") == ("a", "hf:org/name/config:train", 0.5)
    assert parse_share("hf:org/name:train") == (None, "hf:org/name:train", None)


def test_a_temperature_over_groups():
    texts = ["a" * 100] * 90 + ["b" * 50] * 20
    groups = ["x"] * 90 + ["y"] * 20
    corpus = Corpus.of(texts, groups)
    assert shares(corpus) == {"x": 0.9, "y": 0.1}
    assert shares(corpus.balanced(1)) == {"x": 0.9, "y": 0.1}
    assert shares(corpus.balanced(2)) == pytest.approx({"x": 0.75, "y": 0.25}, rel=0.03)
    assert shares(corpus.balanced(float("inf"))) == pytest.approx({"x": 0.5, "y": 0.5}, rel=0.03)
    assert len({c.fingerprint for c in (corpus, corpus.balanced(1), corpus.balanced(2))}) == 3
    for bad in (0, -1, float("nan")):
        with pytest.raises(CorpusError, match="temperature"):
            corpus.balanced(bad)
