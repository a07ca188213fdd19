"""The public face: what `import toktk` offers, and how results show themselves."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from small_corpora import fresh_home, lines

import toktk
from toktk.errors import FormatError, MetricError, ToktkError, TrainingError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = fresh_home(tmp_path / "home")
    monkeypatch.setenv("TOKTK_HOME", str(home))
    return home


@pytest.fixture
def corpus() -> toktk.Corpus:
    texts = [*lines("en"), *lines("de")]
    groups = ["en"] * len(lines("en")) + ["de"] * len(lines("de"))
    return toktk.Corpus.of(texts, groups=groups, name="two languages")


@pytest.fixture
def results(corpus: toktk.Corpus) -> toktk.Results:
    sizes = toktk.train("bpe", corpus, [300, 340])
    return toktk.evaluate(list(sizes.values()), corpus)


def test_every_name_is_there() -> None:
    assert set(toktk.__all__) <= set(dir(toktk))
    for name in toktk.__all__:
        assert getattr(toktk, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        toktk.trian  # noqa: B018 - asking is the test


def test_training_gives_a_tokenizer_for_each_size(corpus: toktk.Corpus) -> None:
    trained = toktk.train(
        "bpe", corpus, [340, 300, 340], pretokenizer="gpt2", special_tokens=["<s>"]
    )
    assert {size: t.vocab_size for size, t in trained.items()} == {300: 300, 340: 340}
    assert [t.name for t in trained.values()] == ["bpe-300", "bpe-340"]
    assert trained[300].pretokenizer.name == "gpt2"
    assert trained[300].model.special_tokens == ("<s>",)
    assert isinstance(trained[300].encode("der Zug"), list)


def test_a_size_out_of_reach_is_left_out_with_a_warning(corpus: toktk.Corpus) -> None:
    with pytest.warns(UserWarning, match="bpe does not reach 900k: the text gives"):
        trained = toktk.train("bpe", corpus, [300, 900_000])
    assert list(trained) == [300]
    with pytest.raises(TrainingError, match="takes no depth"):
        toktk.train("bpe", corpus, [300], depth=3)


def test_a_training_is_computed_once(corpus: toktk.Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    first = toktk.train("bpe", corpus, [300])
    monkeypatch.setattr("toktk.lab.train.Trainings._train", None)
    assert toktk.train("bpe", corpus, [300])[300].signature == first[300].signature


def test_results_are_those_of_each_tokenizer(results: toktk.Results, corpus: toktk.Corpus) -> None:
    trained = toktk.train("bpe", corpus, [300, 340])
    tokens = {r.tokenizer: r.value for r in results.where(metric="tokens", group="all")}
    texts = [text for batch in corpus.batches() for text in batch.column(0).to_pylist()]
    assert tokens == {t.name: sum(map(t.count, texts)) for t in trained.values()}
    assert {(r.family, r.inference) for r in results} == {("bpe-300", "own"), ("bpe-340", "own")}


def test_labels_and_what_cannot_be_measured(corpus: toktk.Corpus) -> None:
    tokenizer = toktk.train("bpe", corpus, [300])[300]
    named = toktk.evaluate({"mine": tokenizer, "again": tokenizer}, corpus, metrics=["tokens"])
    assert {record.tokenizer for record in named} == {"mine", "again"}
    for wrong in ([], [tokenizer, tokenizer]):
        with pytest.raises(FormatError, match="different names"):
            toktk.evaluate(wrong, corpus)
    with pytest.raises(MetricError, match="parallel"):
        toktk.evaluate([tokenizer], corpus, reference="en")


def test_results_print_the_commands_table(results: toktk.Results) -> None:
    shown = repr(results).splitlines()
    assert shown[0] == "2 tokenizers  on two languages (240 documents, 2 groups)"
    assert any(line.startswith("bpe-340") and " native " in line for line in shown)
    assert repr(toktk.Results(())) == "Results(no records)"


def test_results_draw_themselves_in_a_notebook(results: toktk.Results) -> None:
    html = results._repr_html_()
    assert html.count("<table>") == html.count("</table>") == 2
    assert ">bpe-300</td>" in html
    hostile = toktk.evaluate(
        {"<script>": toktk.train("bpe", toktk.Corpus.of(lines("en")), [300])[300]},
        toktk.Corpus.of(lines("en")),
    )
    assert "<script>" not in hostile._repr_html_()


def test_results_speak_arrow(results: toktk.Results, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pa.table(results).equals(results.to_arrow())
    frame = results.to_pandas()
    assert frame["value"].tolist() == pytest.approx([r.value for r in results], nan_ok=True)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ToktkError, match="pip install polars"):
        results.to_polars()


def test_results_choose_records_and_draw_them(results: toktk.Results) -> None:
    assert {r.group for r in results.where(metric="tokens", group="de")} == {"de"}
    with pytest.raises(ToktkError, match="no column 'langage'"):
        results.where(langage="de")
    chart = results.plot("tokens", group="de").to_dict()
    assert [layer["mark"]["type"] for layer in chart["layer"]] == ["bar", "rule"]
    for layer in chart["layer"]:
        rows = chart["datasets"][layer["data"]["name"]]
        assert [row["label"] for row in rows] == ["bpe-300", "bpe-340"]
    trained = [replace(record, family="bpe") for record in results]
    sweep = toktk.Results(tuple(trained)).plot("tokens", group="de").to_dict()
    assert {layer["mark"]["type"] for layer in sweep["layer"]} >= {"area", "line", "point"}
    with pytest.raises(MetricError, match="did you mean 'tokens'"):
        results.plot("token")
