"""What laws say of the tokenizers of a run, and what losses are worth at what they cost to serve."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counted_runs import DOCUMENTS, made, on_curve
from hostile_names import HOSTILE_NAMES

from toktk.costs.curve import MeasuredCurve
from toktk.costs.flop_equivalent import LossCurve, fit_losses
from toktk.costs.laws import what_laws_say
from toktk.costs.models import PRESETS, Model
from toktk.costs.price import body_parameters
from toktk.errors import CostError, LawError
from toktk.report.cost import Costs
from toktk.report.results import Results
from toktk.visible import visible

KEYS = ["measured", "tao-1", "tao-2", "tao-3", "limisiewicz"]
BUDGETS = (1e18, 1e19, 1e20)
PLANTED = {
    "bpe-8k": (30.0, 0.1, 0.62),
    "bpe-50k": (30.0, 0.1, 0.6),
    "bpe-128k": (24.0, 0.094, 0.59),
}


@pytest.fixture(scope="module")
def sweep() -> Results:
    return on_curve()


@pytest.fixture(scope="module")
def languages() -> Results:
    chance = np.random.default_rng(1)
    means = {"bpe-8k": (100, 200), "bpe-16k": (90, 150), "uni-8k": (95, 230), "uni-32k": (80, 99)}
    tokens = {
        label: {
            group: chance.poisson(mean, DOCUMENTS).astype(np.int64)
            for group, mean in zip(("de", "en"), both, strict=True)
        }
        for label, both in means.items()
    }
    sizes = {label: 1000 * int(label.rpartition("-")[2][:-1]) for label in means}
    return made(tokens, sizes)


def losses(planted: dict[str, tuple[float, float, float]] = PLANTED) -> list[LossCurve]:
    return [
        fit_losses(label, BUDGETS, [a * flops**-b + c for flops in BUDGETS])
        for label, (a, b, c) in planted.items()
    ]


def rates(costs: Costs, family: str = "bpe") -> dict[int, float]:
    own = costs.where(metric="tokens_per_byte", family=family)
    return {r.size: r.value for r in own if r.size is not None and r.value is not None}


def sizes_of(costs: Costs, family: str = "bpe") -> dict[str, int | None]:
    return {
        a.key: a.size for own in costs.figures.laws if own.family == family for a in own.answers
    }


# Laws ---------------------------------------------------------------------------------------------


def test_laws_are_asked_with_the_curve_of_the_run(sweep: Results) -> None:
    costs = sweep.cost("1b")
    (own,) = costs.figures.laws
    curve = rates(costs)
    model = PRESETS["1b"]
    expected = what_laws_say(
        body_parameters(model), model.width, MeasuredCurve((*curve,), (*curve.values(),), 2.0)
    )
    assert [*own.answers] == expected
    assert [answer.key for answer in own.answers] == KEYS
    assert own.family == "bpe"
    for answer in own.answers:
        (record,) = costs.where(metric=f"law_size[{answer.key}]")
        assert (record.value, record.note) == (answer.size, answer.note or None)
        assert (record.tokenizer, record.size, record.family) == (None, None, "bpe")
        assert (record.model, record.unit, record.low, record.high) == ("1b", "ids", None, None)
        ends = [costs.where(metric=f"law_{end}[{answer.key}]") for end in ("low", "high")]
        shown = [own[0].value for own in ends if own]
        assert shown == [end for end in (answer.low, answer.high) if end is not None]
    # It is of no tokenizer and of no context.
    assert record.signature == "toktk:0.1.0|corpus:5e6f|unit:ids"


def test_only_active_experts_count(sweep: Results) -> None:
    sparse = replace(PRESETS["moe"], name="sparse")
    active = sizes_of(sweep.cost(sparse))
    answers = what_laws_say(
        body_parameters(sparse), sparse.width, MeasuredCurve((8000, 16000), (0.4, 0.3))
    )
    assert active["tao-2"] == answers[2].size


def test_laws_are_asked_of_one_model_and_of_several_sizes(sweep: Results) -> None:
    for several in ({}, {"model": ["1b", "7b"]}):
        costs = sweep.cost(**several)
        assert costs.figures.laws == ()
        assert not [r for r in costs if r.tokenizer is None]
        assert "as with --model 1b, laws of the size are asked as well" in repr(costs)
    assert "--model 1b" not in repr(sweep.cost("1b"))
    one = Results(tuple(r for r in sweep if r.size == 50_000), documents=sweep.documents)
    costs = one.cost("1b")
    assert (costs.figures.laws, costs.figures.notes) == ((), ())
    assert "what laws say" not in repr(costs)
    assert "laws of the size" not in repr(one.cost())
    assert any("no law answers" in note for note in one.cost("1b", insist=True).figures.notes)
    # Tokenizers that were not trained here are no family of sizes.
    chance = np.random.default_rng(0)
    others = made({label: {"en": chance.poisson(9, 50)} for label in "ab"}, {"a": 1000, "b": 2000})
    assert others.cost("1b").figures.laws == ()
    assert "laws of the size" not in repr(others.cost())


def test_outside_of_a_law_it_is_refused_and_marked_if_insisted(sweep: Results) -> None:
    costs = sweep.cost("7b")
    sizes = sizes_of(costs)
    assert sizes.pop("measured") is not None
    assert {*sizes.values()} == {None}
    (record,) = costs.where(metric="law_size[tao-1]")
    assert record.value is None
    assert record.note == "not asked: it was not fitted to 6.98B parameters"
    row = next(line for line in repr(costs).splitlines() if line.startswith("tao-1"))
    assert "not asked" in row
    assert "6.98B parameters" in row
    insisted = sweep.cost("7b", insist=True)
    assert all(size is not None for size in sizes_of(insisted).values())
    row = next(line for line in repr(insisted).splitlines() if line.startswith("tao-1"))
    assert "extrapolated" in row
    (record,) = insisted.where(metric="law_size[tao-1]")
    assert (record.note or "").startswith("extrapolated to 6.98B parameters")


def test_compute_and_parity_go_to_the_laws(sweep: Results) -> None:
    plain = sizes_of(sweep.cost("1b"))
    more = sizes_of(sweep.cost("1b", compute=4e20))
    assert (more["tao-1"] or 0) > (plain["tao-1"] or 0)
    assert more["tao-2"] == plain["tao-2"]
    (record,) = sweep.cost("1b", compute=4e20).where(metric="law_size[tao-1]")
    assert "compute:4e+20" in record.signature
    short, long = (sizes_of(sweep.cost("1b", compute=1e21, parity=p)) for p in (0.8, 1.0))
    assert (short.pop("limisiewicz") or 0) < (long.pop("limisiewicz") or 0)
    assert short == long


def test_weights_are_those_of_the_curve(languages: Results) -> None:
    answers = {}
    for group, weights in (("de", {"de": 1.0}), ("en", {"en": 1.0}), ("both", None)):
        costs = languages.cost("125m", weights=weights)
        curve = rates(costs)
        expected = what_laws_say(
            body_parameters(PRESETS["125m"]), 768, MeasuredCurve((*curve,), (*curve.values(),), 2.0)
        )
        assert sizes_of(costs) == {answer.key: answer.size for answer in expected}
        answers[group] = sizes_of(costs, "uni")["measured"]
    assert answers["de"] != answers["en"]
    (record,) = languages.cost("125m", weights={"de": 1}).where(
        metric="law_size[measured]", family="uni"
    )
    assert "weights:de=1" in record.signature
    assert record.group == "weighted"


def test_characters_of_the_text_are_held_against_those_of_the_law(languages: Results) -> None:
    costs = languages.cost("125m", weights={"de": 3, "en": 1})
    (record,) = costs.where(metric="law_size[tao-1]", family="bpe")
    (measured,) = costs.where(metric="law_size[measured]", family="bpe")
    assert measured.value == 16_000
    here = 2 * rates(costs)[16_000]  # two bytes a character
    assert f"{here:.3f} of this" in (record.note or "")
    # English with a byte a character: weights are of bytes, 3/4 of which have half a character.
    ascii_english = [
        replace(r, value=2 * r.value) if r.metric == "chars" and r.group == "en" else r
        for r in languages
    ]
    mixed = Results(tuple(ascii_english), documents=languages.documents)
    costs = mixed.cost("125m", weights={"de": 3, "en": 1})
    (record,) = costs.where(metric="law_size[tao-1]", family="bpe")
    assert f"{rates(costs)[16_000] / (0.75 / 2 + 0.25):.3f} of this" in (record.note or "")
    without = languages.where(metric="bytes_per_token").cost("125m")
    assert not [r for r in without if "of this" in (r.note or "")]


def test_where_laws_disagree_all_stand_and_a_note_says_so(
    sweep: Results, languages: Results
) -> None:
    costs = sweep.cost("1b")
    lowest, highest = (f([s for s in sizes_of(costs).values() if s]) for f in (min, max))
    said = [note for note in costs.figures.notes if "answers lie" in note]
    assert len(said) == 1
    assert f"bpe: answers lie from {lowest:,} to {highest:,} ids" in said[0]
    assert said[0] in json.loads(costs.to_json())["notes"]
    assert not [n for n in sweep.cost("7b").figures.notes if "answers lie" in n]  # one answers
    page = languages.cost("1b").page(80).text(80)
    for family in ("bpe", "uni"):
        (row,) = [
            line
            for line in page.splitlines()
            if line.startswith(f"{family} ") and "measured" in line
        ]
        assert row.split()[1] == "measured"


# Losses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [None, 0.0, 0.5, 3.0, 6.0])
def test_planted_losses_come_back_at_what_serving_leaves(
    sweep: Results, ratio: float | None
) -> None:
    costs = sweep.cost("1b", losses=losses(), serving_ratio=ratio)
    rho = 1.0 if ratio is None else ratio / 3
    served = {r.tokenizer: r.value for r in costs.where(metric="relative_flops[bpe-50k]")}
    budget = min(1e20 / (1 + rho * (1 - served[label])) for label in PLANTED)
    for label, (a, b, c) in PLANTED.items():
        (record,) = costs.where(metric="febpb[bpe-50k]", tokenizer=label)
        (left,) = costs.where(metric="febpb_train_flops[bpe-50k]", tokenizer=label)
        assert left.value == pytest.approx(budget * (1 + rho * (1 - served[label])))
        assert record.value == pytest.approx(a * left.value**-b + c, abs=1e-6)
        assert record.unit == "bits/byte"
        assert "rho:" in record.signature
    assert {r.tokenizer for r in costs.where(metric="febpb[bpe-50k]")} == {*PLANTED}


def test_all_have_the_same_arithmetic_in_training_and_service(sweep: Results) -> None:
    """The ratio is of bytes: of the text that the baseline is trained on, so many times is served by each."""
    ratio = 2.5
    costs = sweep.cost("3b", losses=losses(), serving_ratio=ratio, context="32kB")

    def value(metric: str, label: str) -> float:
        (record,) = costs.where(metric=metric, tokenizer=label)
        assert record.value is not None
        return record.value

    budget = value("febpb_train_flops[bpe-50k]", "bpe-50k")
    served = ratio * budget / value("train_flops_per_byte", "bpe-50k")
    wholes = [
        value("febpb_train_flops[bpe-50k]", label) + served * value("serve_flops_per_byte", label)
        for label in PLANTED
    ]
    assert wholes == pytest.approx([wholes[0]] * 3, rel=1e-9)


def test_a_tokenizer_that_costs_too_much_to_serve_is_infeasible(sweep: Results) -> None:
    assert "1,000 bytes served" in repr(sweep.cost("7b", losses=losses(), serving_ratio=1000))
    costs = sweep.cost("7b", losses=losses(), serving_ratio=30)
    (record,) = costs.where(metric="febpb[bpe-50k]", tokenizer="bpe-8k")
    assert record.value is None
    assert (record.note or "").startswith("infeasible: it costs 1.27 times the reference")
    (left,) = costs.where(metric="febpb_train_flops[bpe-50k]", tokenizer="bpe-8k")
    assert (left.value, left.note) == (None, record.note)
    page = costs.page(80).text(80)
    (row,) = [line for line in page.splitlines() if "infeasible" in line and "bpe-8k" in line]
    assert row.split()[3:5] == ["–", "–"]
    assert page.count("nothing is left to train on") == 1


def test_beyond_the_losses_nothing_is_told_unless_insisted(sweep: Results) -> None:
    costs = sweep.cost("1b", losses=losses(), compute=1e21)
    (record,) = costs.where(metric="febpb[bpe-50k]", tokenizer="bpe-50k")
    assert record.value is None
    assert record.note == "not asked: its losses do not reach 1e+21 FLOPs"
    assert "--insist extrapolates" in " ".join(repr(costs).split())
    costs = sweep.cost("1b", losses=losses(), compute=1e21, insist=True)
    (record,) = costs.where(metric="febpb[bpe-50k]", tokenizer="bpe-50k")
    assert record.value == pytest.approx(30 * 1e21**-0.1 + 0.6, abs=1e-5)
    assert record.note == "extrapolated to 1e+21 FLOPs"
    inside = sweep.cost("1b", losses=losses(), compute=2e19)
    assert all(r.value and not r.note for r in inside.where(metric="febpb[bpe-50k]"))


def test_losses_that_do_not_tell_their_exponent_are_doubtful(sweep: Results) -> None:
    steep = dict.fromkeys(PLANTED, (3e17, 0.99, 0.9))
    assert "doubtful" in repr(sweep.cost("1b", losses=losses(steep)))


def test_losses_of_a_bench(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    tokens = {label: {"en": chance.poisson(n, 50)} for label, n in (("a", 90), ("b", 80))}
    results = made(tokens, {"a": 1000, "b": 2000})
    rows = [
        {"tokenizer": label, "flops": flops, "bpb": 30 * flops**-0.1 + c}
        for label, c in (("a", 0.6), ("b", 0.61))
        for flops in BUDGETS
    ]
    path = tmp_path / "losses.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    costs = results.cost("1b", losses=path, baseline="b")
    assert [r.tokenizer for r in costs.where(metric="febpb[b]")] == ["a", "b"]
    document = json.loads(costs.to_json())
    assert [each["curve"]["b"] for each in document["flop_equivalents"]] == [0.1, 0.1]
    assert document["rho"] == 1
    assert document["laws"] == []


# What is wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"model": ["1b", "7b"]},
    ],
)
@pytest.mark.parametrize(
    "of_laws", [{"compute": 1e20}, {"insist": True}, {"parity": 2.0}, {"losses": []}]
)
def test_laws_need_one_model(sweep: Results, asked: Any, of_laws: Any) -> None:
    with pytest.raises(CostError, match="asked for one model") as refusal:
        sweep.cost(**asked, **of_laws)
    assert refusal.value.is_usage


@pytest.mark.parametrize("number", [0, -1e20, math.nan, math.inf])
@pytest.mark.parametrize("name", ["compute", "parity"])
def test_numbers_that_are_none(sweep: Results, name: str, number: float) -> None:
    with pytest.raises(LawError, match=f"needs {name} above 0") as refusal:
        sweep.cost("1b", **{name: number})
    assert refusal.value.is_usage


def test_losses_of_what_the_run_lacks(sweep: Results) -> None:
    unknown = losses({**PLANTED, "bpe-51k": (30.0, 0.1, 0.6)})
    with pytest.raises(
        CostError, match=r"'bpe-51k', which the run lacks \(did you mean"
    ) as refusal:
        sweep.cost("1b", losses=unknown)
    assert not refusal.value.is_usage
    with pytest.raises(CostError, match="no losses are of 'bpe-64k'"):
        sweep.cost("1b", losses=losses(), baseline="64k")
    with pytest.raises(CostError, match="no losses are of 'bpe-50k'"):
        sweep.cost("1b", losses=[])


# Output -------------------------------------------------------------------------------------------


def test_rows_hold_a_figure_each(languages: Results) -> None:
    curves = losses(dict.fromkeys(("bpe-8k", "uni-8k"), (30.0, 0.1, 0.6)))
    costs = languages.cost("1b", losses=curves, baseline="bpe-8k", insist=True)
    rows = list(csv.DictReader(io.StringIO(costs.to_csv())))
    keys = [(r["tokenizer"], r["family"], r["group"], r["model"], r["metric"]) for r in rows]
    assert len(keys) == len(set(keys)) == len(costs)
    laws = [row for row in rows if row["metric"].startswith("law_size")]
    assert [row["metric"] for row in laws] == [f"law_size[{key}]" for key in KEYS] * 2
    assert {(row["tokenizer"], row["size"]) for row in laws} == {("", "")}
    table = costs.to_arrow()
    of_law = [m.startswith("law_") for m in table["metric"].to_pylist()]
    assert [size is None for size in table["size"].to_pylist()] == of_law
    document = json.loads(costs.to_json())
    assert document["schema"] == 2
    assert [(e["family"], e["key"]) for e in document["laws"]] == [
        (family, key) for family in ("bpe", "uni") for key in KEYS
    ]
    for entry, row in zip(document["laws"], laws, strict=True):
        assert f"{entry['size']}" == row["value"].removesuffix(".0")
    for text in (costs.to_markdown(), costs.to_latex(), costs._repr_html_()):
        assert "what laws say of the size" in text
        assert "feBPB" in text


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("model", ["125m", "1b", "7b", "70b", "moe"])
def test_pages_fit(languages: Results, sweep: Results, model: str, width: int) -> None:
    of_two = losses(dict.fromkeys(("bpe-8k", "uni-32k"), (30.0, 0.1, 0.6)))
    for results, curves, base in ((sweep, losses(), "50k"), (languages, of_two, "8k")):
        for asked in ({}, {"insist": True, "compute": 1e25}, {"compute": 1e20, "parity": 3.0}):
            costs = results.cost(model, losses=curves, baseline=base, **asked)
            text = costs.page(width).text(width)
            assert max(map(len, text.splitlines())) <= width
            laws = text[text.index("what laws say") : text.index("flop-equivalent")]
            for own in costs.figures.laws:
                for answer in own.answers:  # nothing is cut
                    assert f"{answer.key} " in laws
                    assert answer.size is None or f"{answer.size:,}" in laws
                    assert answer.fit in laws or answer.key == "measured"
                    assert answer.low is None or f"{answer.low:,}…{answer.high:,}" in laws


@pytest.mark.parametrize("name", [name for name in HOSTILE_NAMES if name.strip()])
def test_hostile_names_are_shown(name: str) -> None:
    label = f"{name}-8k"
    tokens = {label: {"en": np.arange(1, 60) * 3}, f"{name}-9k": {"en": np.arange(1, 60) * 2}}
    results = made(tokens, {label: 8000, f"{name}-9k": 9000})
    own = Model.of(name, width=64, layers=1)
    costs = results.cost(own, baseline=label, losses=losses({label: (30.0, 0.1, 0.6)}))
    for text in (costs.page(80).text(80), costs.to_markdown(), costs.to_latex()):
        assert [visible(line) for line in text.split("\n")] == text.split("\n")
    assert json.loads(costs.to_json())["laws"][0]["family"] == name
