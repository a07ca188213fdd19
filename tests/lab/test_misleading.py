"""Texts whose figures would lead an honest reader to a wrong conclusion, and what the tables do about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest
from small_corpora import lines

from toktk.corpus import Corpus
from toktk.lab.measures import Measures
from toktk.lab.plan import SweepPlan
from toktk.lab.sweep import Sweep
from toktk.report.results import Results

AMHARIC = ["ሰላም ለዓለም ይሁን", "ውሃ ሕይወት ነው", "ቤት ትልቅ ነው"]


def parallel(languages: Mapping[str, list[str]], code: str = "") -> Corpus:
    """Return lines that say the same in each language, and one document of code, which is not parallel."""
    rows = [
        (text, name, str(i)) for name, texts in languages.items() for i, text in enumerate(texts)
    ]
    rows += [(code, "code", None)] if code else []
    texts, groups, align = zip(*rows, strict=True)
    return Corpus.of(texts, groups, align, name="measured")


TRAINING = Corpus.of(
    [*lines("en", 200), *lines("de", 200)], ["en"] * 200 + ["de"] * 200, name="trained"
)
LANGUAGES = {"en": lines("en", 30), "de": lines("de", 30), "am": [" ".join(AMHARIC)] * 30}


def sweep(measured: Corpus, reference: str | None = None) -> Results:
    plan = SweepPlan(
        TRAINING, measured, (300, 500), ("bpe",), measures=Measures(reference=reference)
    )
    experiment = Sweep(plan)
    experiment.prepare()
    results = experiment.run().results
    assert results is not None
    return results


def page(results: Results) -> str:
    return " ".join(results.page(100).text(100).split())


def value(results: Results, metric: str, group: str = "all", size: int = 500) -> float:
    (record,) = results.where(metric=metric, group=group, size=size)
    assert record.value is not None
    return record.value


@pytest.fixture(scope="module")
def untrained() -> Results:
    return sweep(parallel(LANGUAGES))


def test_a_group_that_was_not_trained_on_stays_out_of_means_and_is_named(
    untrained: Results,
) -> None:
    costs = {g: value(untrained, "tokens_per_line", g) for g in ("en", "de", "am")}
    assert costs["am"] > 2 * costs["de"]
    mean = (costs["en"] + costs["de"]) / 2
    assert math.isclose(value(untrained, "tokens_per_line"), mean)
    assert math.isclose(value(untrained, "parity[en]|macro"), costs["de"] / costs["en"])
    assert math.isclose(value(untrained, "parity[en]|max"), costs["de"] / costs["en"])
    assert value(untrained, "gini[tokens_per_line]") < 0.2
    (am,) = untrained.where(metric="tokens_per_line", group="am", size=500)
    assert am.note is not None
    assert "not in the training text" in am.note
    shown = untrained.page(100).text(100)
    assert "– Not in the training text, and left out of means, worst and Gini: am." in shown
    above, below = shown.split("\nnot in the training text\n")
    assert "\nen " in above
    assert "\nde " in above
    assert below.startswith("am ")


def test_tokens_per_line_comes_first_with_the_number_of_lines(untrained: Results) -> None:
    shown = untrained.page(100).text(100)
    heads = shown.splitlines()[1:3]
    assert heads[0].split()[0] == "tokens/"
    assert "tokens per parallel line (30 lines)" in shown


def test_a_group_that_decides_what_is_pooled_is_named_with_its_share() -> None:
    code = "def function(argument):\n    return argument\n" * 800
    measured = parallel({name: LANGUAGES[name] for name in ("en", "de")}, code)
    n_bytes = sum(len(t.encode()) for name in ("en", "de") for t in LANGUAGES[name])
    share = len(code) / (len(code) + n_bytes)
    results = sweep(measured)
    assert f"– code is {share:.0%} of the bytes and decides bytes/token," in page(results)
    # Code is no language: no mean over languages has it.
    costs = [value(results, "tokens_per_line", g) for g in ("en", "de")]
    assert math.isclose(value(results, "tokens_per_line"), sum(costs) / 2)


def test_a_reference_that_was_not_trained_on_is_named() -> None:
    results = sweep(parallel(LANGUAGES), reference="am")
    assert value(results, "parity[am]|macro") < 1  # which looks fair, and is a bad reference
    assert "– Parity's reference am is one of them: choose another." in page(results)


def test_parity_that_falls_because_the_reference_gets_worse_stands_beside_tokens_per_line() -> None:
    good = sweep(parallel({"en": LANGUAGES["en"], "de": LANGUAGES["de"]}))
    # The same German, beside English that is spelled out of the vocabulary.
    spelled = [" ".join(text.upper()) for text in LANGUAGES["en"]]
    bad = sweep(parallel({"en": spelled, "de": LANGUAGES["de"]}))
    assert value(bad, "parity[en]|macro") < value(good, "parity[en]|macro")
    assert value(bad, "tokens_per_line", "de") == value(good, "tokens_per_line", "de")
    assert value(bad, "tokens_per_line") > value(good, "tokens_per_line")
    assert (
        "parity tokens relative to en, mean and worst of 1 group; less where en costs more"
        in page(bad)
    )


def test_groups_on_one_side_only_and_few_documents_are_said(tmp_path: Path) -> None:
    corpus = Corpus.of(
        [*lines("en", 300), "Ein Text.", *lines("ru", 40)],
        ["en"] * 300 + ["de"] + ["ru"] * 40,
        name="mixed",
    )
    train, test = corpus.split(0.1)
    experiment = Sweep(SweepPlan(train, test, (300,), ("bpe",)))
    experiment.prepare()
    described = experiment.run().described
    assert any("only on the training side" in r for r in described["training"]["remarks"])
    assert any("fewer than 100 documents" in r for r in described["evaluation"]["remarks"])
