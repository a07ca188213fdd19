"""What tokenizers of a run cost, computed from made-up counts."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from counted_runs import DOCUMENTS, SIZES, made, on_curve, values
from hostile_names import HOSTILE_NAMES

from toktk.costs.models import PRESETS, Model
from toktk.costs.price import Context, serve_flops
from toktk.errors import CostError
from toktk.lab.compare import compare
from toktk.report.cost import COLUMNS
from toktk.report.results import Results
from toktk.visible import visible


@pytest.fixture(scope="module")
def sweep() -> Results:
    return on_curve()


def test_the_published_table_comes_from_counts(sweep: Results) -> None:
    small = replace(PRESETS["125m"], name="small")  # 85 M, 768
    costs = sweep.cost([small, PRESETS["350m"]], context="none")
    assert costs.figures.baseline == "bpe-50k"
    relative = values(costs, "relative_flops[bpe-50k]", "small")
    assert relative == pytest.approx([0.947, 0.918, 0.947, 1, 1.049, 1.198, 1.318], abs=0.002)
    relative = values(costs, "relative_flops[bpe-50k]", "350m")
    assert relative == pytest.approx([1.126, 1.050, 1.011, 1, 1.004, 1.046, 1.088], abs=0.002)
    cheapest, flat = costs.choices
    assert (cheapest.cheapest, cheapest.first, cheapest.second) == (
        "bpe-16k",
        "bpe-50k",
        "bpe-128k",
    )
    assert cheapest.needed == pytest.approx(0.6732, abs=2e-4)
    assert cheapest.ratio == pytest.approx(0.8875, abs=0.003)
    assert cheapest.low < cheapest.ratio < cheapest.high
    assert cheapest.verdict == "does not pay"
    assert "bpe-50k" in flat.flat
    assert "bpe-64k" in flat.flat
    assert "bpe-8k" not in flat.flat
    assert sweep.cost("70b").choices[0].verdict == "pays"


def test_the_flat_region_is_what_the_interval_cannot_tell(sweep: Results) -> None:
    (sure,) = sweep.cost("350m", context="none").choices
    (doubtful,) = on_curve(noise=0.6).cost("350m", context="none").choices
    assert set(sure.flat) < set(doubtful.flat)
    without = replace(sweep, documents=None).cost("350m", context="none")
    (choice,) = without.choices
    relative = dict(zip(choice.sizes, values(without, "relative", "350m"), strict=True))
    least = relative[choice.cheapest]
    assert set(choice.flat) == {label for label, own in relative.items() if own <= 1.01 * least}
    assert (choice.low, choice.verdict) == (None, None)
    assert any("no counts of documents are kept" in note for note in without.figures.notes)


def test_intervals_are_those_of_compare(sweep: Results) -> None:
    costs = sweep.cost("7b", context="none")
    rows = {
        row.candidate: row for row in compare(sweep, "bpe-50k", metrics=["tokens"], groups=["all"])
    }
    for record in costs.where(metric="token_ratio[bpe-50k]"):
        if record.tokenizer != "bpe-50k":
            row = rows[record.tokenizer]
            assert record.value == pytest.approx(1 + row.difference)
            assert (record.low, record.high) == pytest.approx((1 + row.low, 1 + row.high))
            assert (record.n, record.n_effective) == (row.n, row.n_effective)
    # Without attention a relative cost is the ratio of tokens times a constant, and so are its bounds.
    ratios = costs.where(metric="token_ratio[bpe-50k]")
    for ratio, record in zip(ratios, costs.where(metric="relative_flops[bpe-50k]"), strict=True):
        assert record.low / record.value == pytest.approx(ratio.low / ratio.value)
        assert record.high / record.value == pytest.approx(ratio.high / ratio.value)


def test_figures_of_a_model(sweep: Results) -> None:
    costs = sweep.cost("7b", context=4096, serving_ratio=10)
    own = {r.metric.partition("[")[0]: r for r in costs if r.tokenizer == "bpe-128k"}
    q = own["tokens_per_byte"].value
    model, context = PRESETS["7b"], Context(4096, False)
    serve = serve_flops(model, 128_000, q, context)
    assert own["serve_flops_per_byte"].value == serve
    assert own["train_flops_per_byte"].value == pytest.approx(3 * serve)
    assert own["lifetime_flops_per_byte"].value == pytest.approx(13 * serve)
    assert own["lifetime_flops_per_byte"].metric == "lifetime_flops_per_byte[10]"
    assert own["train_flops_per_byte"].high == pytest.approx(3 * serve / 0.95)
    assert own["embedding_parameters"].value == 2 * 128_000 * 4096
    assert own["kv_bytes_per_token"].value == 131_072
    assert own["kv_bytes_per_byte"].value == pytest.approx(131_072 * q)
    assert own["context_tokens"].value == 4096
    assert own["context_bytes"].value == pytest.approx(4096 / q)
    assert own["logits_bytes"].value == 4096 * 128_000 * 4
    assert own["train_flops_per_byte"].unit == "FLOPs/byte"
    assert "context:4096" in own["train_flops_per_byte"].signature
    in_bytes = {r.metric: r for r in sweep.cost("7b") if r.tokenizer == "bpe-128k"}
    assert in_bytes["context_tokens"].value == pytest.approx(8192 * q)
    none = {r.metric: r for r in sweep.cost("7b", context="none") if r.tokenizer == "bpe-128k"}
    assert (none["logits_bytes"].value, none["context_bytes"].value) == (None, None)


def test_a_context_in_tokens_favors_long_tokens(sweep: Results) -> None:
    """Trap: the same context in tokens is more text for a larger vocabulary, in bytes it is the same."""
    q = values(sweep.cost("125m"), "tokens_per_byte", None)
    text = values(sweep.cost("125m", context="8k"), "context_bytes", "125m")
    assert text == pytest.approx([8000 / each for each in q])
    assert set(values(sweep.cost("125m", context="32kB"), "context_bytes", "125m")) == {32_000}
    # So with much context, in bytes, fewer tokens save more than their share.
    relative = [
        values(sweep.cost("125m", context=c), "relative", "125m")[-1]
        for c in ("none", "8kB", "1MB")
    ]
    assert relative == sorted(relative, reverse=True)


@pytest.fixture(scope="module")
def languages() -> Results:
    chance = np.random.default_rng(1)
    tokens = {}
    for label, means in {"bpe-8k": (100, 200), "bpe-16k": (90, 150), "uni-8k": (95, 230)}.items():
        tokens[label] = {
            group: chance.poisson(mean, DOCUMENTS).astype(np.int64)
            for group, mean in zip(("de", "en"), means, strict=True)
        }
    return made(tokens, {"bpe-8k": 8000, "bpe-16k": 16000, "uni-8k": 8000})


def test_weights_of_groups(languages: Results) -> None:
    def rate(weights: Mapping[str, float] | None) -> list[float]:
        return values(languages.cost("1b", weights=weights), "tokens_per_byte", None)

    de, en = rate({"de": 1}), rate({"en": 5})
    assert rate({"de": 3, "en": 1}) == pytest.approx(
        [0.75 * a + 0.25 * b for a, b in zip(de, en, strict=True)]
    )
    assert rate({"de": 1, "en": 1}) == pytest.approx(rate(None))  # the groups have the same bytes
    assert rate({"de": 1, "en": 0}) == de
    one = languages.cost("1b", weights={"de": 1})
    row = compare(languages, "bpe-8k", metrics=["tokens"], groups=["de"]).rows[0]
    ratio = one.where(metric="token_ratio[bpe-8k]", tokenizer=row.candidate)[0]
    assert ratio.group == "weighted"
    assert ratio.value == pytest.approx(1 + row.difference)
    # By another method, the jackknife, and to two digits the same.
    assert math.log(ratio.high / ratio.low) == pytest.approx(
        math.log((1 + row.high) / (1 + row.low)), rel=0.3
    )
    assert "weights:de=1" in ratio.signature
    assert "weighted de=1" in repr(one)


@pytest.mark.parametrize(
    ("weights", "usage"),
    [({"fr": 1}, False), ({"de": -1}, True), ({"de": math.nan}, True), ({"de": 0}, True), ({}, True),
     ({"de": math.inf}, True)],
)  # fmt: skip
def test_weights_that_cannot_be(languages: Results, weights: dict[str, float], usage: bool) -> None:
    with pytest.raises(CostError) as caught:
        languages.cost("1b", weights=weights)
    assert caught.value.is_usage == usage


def test_prices(languages: Results) -> None:
    prices = {"currency": "USD", "prices": {"bpe-*": 2.0, "uni-8k": {"de": 1.0}}}
    costs = languages.cost("1b", prices=prices)
    by_key = {(r.tokenizer, r.group): r for r in costs.where(metric="price_per_million_chars")}
    tokens = languages.where(tokenizer="bpe-8k", group="en", metric="tokens").records[0].value
    assert by_key["bpe-8k", "en"].value == pytest.approx(2 * tokens / (DOCUMENTS * 150))
    assert by_key["bpe-8k", "en"].unit == "USD / 1M characters"
    assert set(by_key) == {(t, g) for t in ("bpe-8k", "bpe-16k") for g in ("de", "en", "all")} | {
        ("uni-8k", "de")
    }
    assert "price of text  USD / 1M characters" in repr(costs)
    for wrong in ({"bpe-9k": 1.0}, {"bpe-8k": {"fr": 1.0}}):
        with pytest.raises(CostError, match="and no such"):
            languages.cost("1b", prices={"prices": wrong})


def test_price_of_the_whole_text(languages: Results) -> None:
    # Each group at its own price; with --weights, at its share of the bytes. A group without a price: none.
    def counted(metric: str, group: str) -> float:
        figure = languages.where(tokenizer="bpe-8k", group=group, metric=metric).records[0].value
        assert figure
        return figure

    def price(of_group: dict[str, float], weights: dict[str, float] | None = None) -> float | None:
        costs = languages.cost("1b", prices={"prices": {"bpe-8k": of_group}}, weights=weights)
        figures = costs.where(metric="price_per_million_chars")
        whole = [r.value for r in figures if r.group not in ("en", "de")]
        return whole[0] if whole else None

    en, de = (
        {metric: counted(metric, group) for metric in ("tokens", "chars", "bytes")}
        for group in ("en", "de")
    )
    paid = 2 * en["tokens"] + 5 * de["tokens"]
    assert price({"*": 2.0, "de": 5.0}) == pytest.approx(paid / (en["chars"] + de["chars"]))
    paid = 3 * 2 * en["tokens"] / en["bytes"] + 5 * de["tokens"] / de["bytes"]
    chars = 3 * en["chars"] / en["bytes"] + de["chars"] / de["bytes"]
    weighted = price({"*": 2.0, "de": 5.0}, {"en": 3.0, "de": 1.0})
    assert weighted == pytest.approx(paid / chars)
    assert price({"de": 5.0}) is None
    assert price({"de": 5.0}, {"en": 1.0}) is None
    assert price({"de": 5.0}, {"de": 1.0}) == pytest.approx(5 * de["tokens"] / de["chars"])


def test_the_legend_speaks_of_families_only_where_there_are_some(languages: Results) -> None:
    tokens = {name: {"en": np.full(DOCUMENTS, mean)} for name, mean in (("one", 100), ("two", 80))}
    costs = made(tokens, {"one": 8000, "two": 16000}).cost("1b")
    assert "costs least, ~ is as cheap" in repr(costs)
    assert "costs least of its family, ~ is as cheap" in repr(languages.cost("1b"))


def test_figures_are_whole_where_many_models_or_long_names_do_not_fit(sweep: Results) -> None:
    names = [f"model-{i}" for i in range(14)] + ["a-very-long-name-" * 4]
    costs = sweep.cost([replace(PRESETS["1b"], name=name) for name in names])
    shown = costs.page(80).text(80)
    assert not re.search(r"\d…\s", shown)
    assert "no room for: bytes/token, model-" in " ".join(shown.split())
    assert "does…" not in shown
    assert "model-13" in costs.to_markdown()


def test_families_are_judged_apart(languages: Results) -> None:
    costs = languages.cost(["1b", "7b"])
    assert {choice.family for choice in costs.choices} == {"bpe"}  # the other has one size
    marked = [
        r.tokenizer for r in costs.where(model="7b", metric="relative_flops[bpe-8k]") if r.note
    ]
    assert marked == ["bpe-16k"]


def test_a_sweep_with_a_tokenizer_that_exists() -> None:
    """It has a row of its own below, and no family to be cheapest of."""
    chance = np.random.default_rng(2)
    rates = {"bpe-8k": 100, "bpe-50k": 80, "o200k": 70}
    tokens = {label: {"en": chance.poisson(rate, DOCUMENTS)} for label, rate in rates.items()}
    results = made(tokens, {"bpe-8k": 8000, "bpe-50k": 50_000, "o200k": 200_000})
    costs = results.cost("70b")
    assert costs.figures.baseline == "bpe-50k"
    assert [choice.family for choice in costs.choices] == ["bpe"]
    lines = repr(costs).splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith("200k"))
    assert "o200k" in lines[row]
    assert "*" not in lines[row]
    assert lines[row - 2].startswith(" 50k")
    against = results.cost("70b", baseline="o200k")
    assert against.where(metric="relative_flops[o200k]", tokenizer="o200k")[0].value == 1


@pytest.mark.parametrize(
    ("wanted", "baseline"),
    [(None, "bpe-50k"), ("128k", "bpe-128k"), (8000, "bpe-8k"), ("bpe-16k", "bpe-16k")],
)
def test_baselines(sweep: Results, wanted: Any, baseline: str) -> None:
    costs = sweep.cost("7b", baseline=wanted)
    assert costs.figures.baseline == baseline
    (choice,) = costs.choices
    ends = ("bpe-8k", "bpe-128k")
    assert {choice.first, choice.second} == ({*ends} if baseline in ends else {baseline, ends[1]})


def test_without_50k_the_middle_size_is_the_baseline(languages: Results, sweep: Results) -> None:
    assert languages.cost().figures.baseline == "bpe-8k"
    others = Results(tuple(r for r in sweep if r.tokenizer != "bpe-50k"), documents=sweep.documents)
    assert others.cost().figures.baseline == "bpe-32k"
    with pytest.raises(CostError, match=r"no tokenizer is called '50k'"):
        others.cost(baseline="50k")


def test_pages_fit(sweep: Results) -> None:
    many = made(
        {
            f"{t}-{s // 1000}k": {"en": np.arange(1, 90) * 3}
            for s in SIZES
            for t in ("bpe", "unigram")
        },
        {f"{t}-{s // 1000}k": s for s in SIZES for t in ("bpe", "unigram")},
    )
    for results in (sweep, many):
        for asked in ({}, {"model": "7b"}, {"model": "moe", "serving_ratio": 2.0, "context": "8k"}):
            text = results.cost(**asked).page(80).text(80)
            assert max(map(len, text.splitlines())) <= 80
            assert "cost, not quality" in text
    first = sweep.cost().page(80).text(80)
    assert "no room for" not in first
    assert "1.000" in first
    assert "0.918*" in sweep.cost(["125m", "1b"], context="none").page(80).text(80)
    assert "8,192 bytes of text for each" in first
    assert "8,000 tokens for each" in sweep.cost(context="8k").page(80).text(80)
    assert "attention is left out" in sweep.cost(context="none").page(80).text(80)


def test_formats(languages: Results) -> None:
    costs = languages.cost(["1b", "moe"], prices={"prices": {"*": 1.0}})
    document = json.loads(costs.to_json())
    assert tuple(document["records"][0]) == COLUMNS
    assert len(document["records"]) == len(costs) == len(costs.to_pandas())
    assert [model["name"] for model in document["models"]] == ["1b", "moe"]
    assert document["choices"][0]["flat"] == ["bpe-16k"]
    rows = list(csv.DictReader(io.StringIO(costs.to_csv())))
    assert {row["model"] for row in rows} == {"", "1b", "moe"}
    assert costs.to_arrow().column("size").type == "int64"
    assert costs.to_markdown().count("| --- |") >= 3
    assert costs.to_latex().count("\\toprule") == 3
    assert costs._repr_html_().count("<table>") == 3
    assert repr(costs) == repr(languages.cost(["1b", "moe"], prices={"prices": {"*": 1.0}}))


def test_what_cannot_be_priced(sweep: Results) -> None:
    with pytest.raises(CostError, match="nothing to price"):
        Results(()).cost()
    with pytest.raises(CostError, match="are not known"):
        sweep.where(metric="chars").cost()
    unsized = Results(tuple(replace(r, size=None) for r in sweep))
    with pytest.raises(CostError, match="nothing to price"):
        unsized.cost()
    some = Results(
        tuple(replace(r, size=None if r.tokenizer == "bpe-8k" else r.size) for r in sweep),
        documents=sweep.documents,
    )
    assert any("bpe-8k" in note for note in some.cost().figures.notes)
    for wrong in (
        {"serving_ratio": -1.0},
        {"model": ["7b", "7b"]},
        {"model": "7x"},
        {"context": "x"},
    ):
        with pytest.raises(CostError) as caught:
            sweep.cost(**wrong)
        assert caught.value.is_usage
    # Compression alone is enough: what other figures a run has does not matter.
    alone = sweep.where(metric="bytes_per_token").cost("7b", context="none")
    assert values(alone, "relative", "7b") == pytest.approx(
        values(sweep.cost("7b", context="none"), "relative", "7b")
    )


def test_lost_text_is_told(sweep: Results) -> None:
    first = sweep.records[0]
    lost = replace(first, metric="lost", value=0.125)
    costs = Results((*sweep.records, lost)).cost("7b")
    assert f"{first.tokenizer} loses 12 % of the text" in repr(costs).replace("\n", " ")


@pytest.mark.parametrize("name", [name for name in HOSTILE_NAMES if name.strip()])
def test_hostile_names_are_shown(name: str) -> None:
    tokens = {
        label: {name: np.arange(1, 60) * times, "en": np.arange(1, 60)}
        for label, times in ((name, 3), ("b-1k", 2), ("b-2k", 1))
    }
    results = made(tokens, {name: 3000, "b-1k": 1000, "b-2k": 2000})
    own = Model.of(name, width=64, layers=1)
    costs = results.cost(
        [own, PRESETS["1b"]], baseline=name, weights={name: 1.0}, prices={"prices": {"b-*": 1.0}}
    )
    for text in (costs.page(80).text(80), costs.to_markdown(), costs.to_latex()):
        assert [visible(line) for line in text.split("\n")] == text.split("\n")
    assert json.loads(costs.to_json())["baseline"] == costs.figures.baseline
