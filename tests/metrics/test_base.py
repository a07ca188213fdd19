from __future__ import annotations

import math
import re

import pytest
from fake_evaluation import FakeEvaluation
from pair_samples import BYTES
from sampled_texts import sample_of

from toktk.errors import MetricError
from toktk.metrics import METRICS, topic_of, topics
from toktk.metrics.base import Case, Figure, MetricOptions, metric, over_groups
from toktk.models.pairs import PairModel
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.tokenizer import Tokenizer

TOKENIZER = Tokenizer("bytes", Pretokenizer.of("none"), PairModel.from_ranks(BYTES, {}))
NEED_NO_TEXT = ("utilization", "token_types", "variant_tokens")


def figures(**values: float | None) -> list[Figure]:
    return [Figure(group, "m", value, "x", 1) for group, value in values.items()]


def test_summaries_skip_the_pooled_figure_nulls_and_what_is_left_out() -> None:
    given = figures(de=2.0, en=1.0, ja=None, fi=4.0, all=99.0)
    mean, _ = over_groups(given, leave_out=("en",))
    assert (mean.group, mean.metric, mean.value, mean.n) == ("all", "m|macro", 3.0, 2)
    _, worst = over_groups(given)
    assert (worst.metric, worst.value, worst.n, worst.note) == ("m|max", 4.0, 3, "fi")


def test_a_summary_of_nothing_defined_is_null() -> None:
    for summary in over_groups(figures(ja=None)):
        assert summary.value is None
        assert summary.n == 0
        assert summary.note == "defined for no group"


@pytest.mark.parametrize(
    "given", [[], [Figure("en", "a", 1.0, "x", 1), Figure("en", "b", 1.0, "x", 1)]]
)
def test_a_summary_needs_exactly_one_metric(given: list[Figure]) -> None:
    with pytest.raises(MetricError, match="exactly one metric"):
        over_groups(given)


OF_COUNTS = [name for name in METRICS.names() if topic_of(name) != "ngram"]
"""Those that need no n-gram models."""


@pytest.mark.parametrize("name", topics()["standard"])
def test_every_metric_stays_defined_or_null_on_empty_text(name: str) -> None:
    counts = ("documents", "bytes", "chars", "words", "pieces", "word_pieces", "nonspace")
    zeros = {key: [0, 0] for key in counts}
    empty = FakeEvaluation(["en", "de"], [0, 0], aligned_lines=0, token_counts=[0] * 256, **zeros)
    metric = METRICS.load(name)
    sample = sample_of({"en": [""], "de": [""]})
    found = metric.compute(empty, 256, MetricOptions(tokenizer=TOKENIZER, sample=sample))
    assert metric.applies(empty)
    assert found
    for figure in found:
        assert figure.value is None or math.isfinite(figure.value)
        # A quotient of nothing is not measured; a count of nothing, or of ids used, is 0.
        if metric.unit != name and name not in NEED_NO_TEXT:
            assert figure.value is None
            assert figure.note
            assert figure.reason == "empty"


@pytest.mark.parametrize("name", METRICS.names())
def test_every_metric_is_named_as_registered_and_described(name: str) -> None:
    metric = METRICS.load(name)
    assert metric.name == name
    assert metric.description.endswith(".")
    assert metric.formula[-1:] not in ("", ".")
    assert metric.trap.endswith(".")
    assert metric.source[-1:] not in ("", ".")
    assert metric.better in ("higher", "lower", None)


@pytest.mark.parametrize("name", OF_COUNTS)
@pytest.mark.parametrize("groups", [("en", "ja"), ("de", "ja")])
def test_every_figure_is_named_after_its_metric(name: str, groups: tuple[str, ...]) -> None:
    counts = [1] * 256
    evaluation = FakeEvaluation(
        groups, [4, 9], aligned_lines=2, unspaced=[0, 90], token_counts=counts
    )
    metric = METRICS.load(name)
    sample = sample_of({group: ["Some text."] for group in groups})
    found = metric.compute(evaluation, 256, MetricOptions(tokenizer=TOKENIZER, sample=sample))
    assert found
    for figure in found:
        assert re.fullmatch(re.escape(name) + r"(\[[^]]+\])?(\|macro|\|max)?", figure.metric)
        assert topic_of(figure.metric) == metric.topic
        assert figure.unit == metric.unit
        assert (figure.reason is None) == (figure.value is not None)


def test_a_definition_states_its_name_once() -> None:
    @metric("pairs", "pairs/token", None, pieces=True)
    def pairs(case: Case) -> list[Figure]:
        """Half the tokens.

        Nothing else.
        """
        return case.ratios(case.tokens, 2 * case.tokens, "no tokens")

    assert pairs.description == "Half the tokens. Nothing else."
    assert pairs.pieces
    assert not pairs.parallel
    assert pairs.compute.__module__ == __name__  # what the store knows a plug-in's code by
    found = pairs.compute(FakeEvaluation(["en", "de"], [3, 0]), 9, MetricOptions())
    assert found == [
        Figure("en", "pairs", 0.5, "pairs/token", 1),
        Figure("de", "pairs", None, "pairs/token", 1, "no tokens", "empty"),
        Figure("all", "pairs", 0.5, "pairs/token", 2),
    ]


def test_what_is_no_metric_of_toktk_has_no_topic() -> None:
    assert topic_of("average_rank") == topic_of("tokens_of_mine") == topic_of("") == ""
    assert topic_of("fertility[ws]|macro") == topic_of("fertility[ws]") == "standard"


@pytest.mark.parametrize("name", [*topics()["numbers"], *topics()["code"]])
def test_a_metric_of_the_tokenizer_needs_it(name: str) -> None:
    with pytest.raises(MetricError, match="only its counts"):
        METRICS.load(name).compute(FakeEvaluation(["en"], [3]), 9, MetricOptions())
