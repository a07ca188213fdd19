"""Comparisons: which figures, what is refused, and what they say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_corpora import SYLLABLES, fresh_home, lines

import toktk
from toktk.errors import MetricError, StorageError
from toktk.lab.baseline import read_baseline, write_baseline
from toktk.lab.compare import Asked, compare_sides
from toktk.lab.differences import difference_of
from toktk.lab.gate import parse_gate
from toktk.lab.side import sides_of
from toktk.report.comparison import Comparison
from toktk.report.records import ALIKE
from toktk.report.results import Results
from toktk.report.unit_sums import BLOCKS, UnitSums, sums_over

EVERY = ["bytes_per_token", "tokens_per_line", "tokens", "fertility", "parity", "gini"]


def corpus_of(
    n: int = 120, copies: int = 1, groups: tuple[str, ...] = (*SYLLABLES,)
) -> toktk.Corpus:
    texts = [(text, g, str(i)) for g in groups for i, text in enumerate(lines(g, n) * copies)]
    columns = list(zip(*texts, strict=True))
    return toktk.Corpus.of(columns[0], groups=columns[1], align=columns[2], name="four")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOKTK_HOME", str(fresh_home(tmp_path_factory.mktemp("home") / "home")))
        yield


@pytest.fixture(scope="module")
def trained(home: None) -> list[toktk.Tokenizer]:
    return [*toktk.train("bpe", corpus_of(), [300, 399, 400]).values()]


@pytest.fixture(scope="module")
def results(trained: list[toktk.Tokenizer]) -> Results:
    return toktk.evaluate(trained, corpus_of())


def rows(*args: object, **options: object) -> dict[tuple[str, str, str], Comparison]:
    compared = toktk.compare(*args, **options)  # type: ignore[arg-type]
    return {(row.candidate, row.metric, row.group): row for row in compared}


def test_differences_are_exact_and_verdicts_have_a_direction(results: Results) -> None:
    found = rows(results, baseline="bpe-400", metrics=EVERY)
    for row in found.values():
        if row.candidate_value is not None and row.baseline_value:
            assert row.difference == row.candidate_value / row.baseline_value - 1
        if row.low is not None:
            assert row.low <= row.difference <= row.high  # type: ignore[operator]
    assert found["bpe-300", "bytes_per_token", "all"].verdict == "worse"
    assert found["bpe-300", "tokens_per_line", "all"].verdict == "worse"
    assert found["bpe-300", "tokens_per_line", "all"].n == 120
    assert found["bpe-399", "bytes_per_token", "de"].verdict == "equivalent"
    better = rows(results, baseline="bpe-300", metrics=["bytes_per_token"])
    assert better["bpe-400", "bytes_per_token", "all"].verdict == "better"
    assert ("bpe-300", "parity[en]", "en") not in found
    null = found["bpe-300", "fertility[ws]", "all"]
    assert (null.difference, null.verdict) == (None, "none")
    assert "without spaces" in (null.note or "")


def test_by_default_parallel_text_is_compared_by_line(results: Results) -> None:
    compared = toktk.compare(results)
    assert {row.metric for row in compared} == {"tokens_per_line"}
    assert [row.group for row in compared][:5] == ["all", *sorted(SYLLABLES)]
    assert {row.baseline for row in compared} == {"bpe-400"}
    assert [rank.tokenizer for rank in compared.ranking] == ["bpe-400", "bpe-399", "bpe-300"]
    assert compared.ranking[-1].low == compared.ranking[-1].high == 3
    assert "bpe-300 against bpe-400" in repr(compared)


def test_statistics_of_all_documents_are_the_figures(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is computed from documents is what the metric says of all text."""
    monkeypatch.setattr("toktk.report.unit_sums._moved", lambda difference, exact: difference)
    one, other, _ = sides_of(results)
    for metric, group in [
        ("parity[en]|macro", "all"),
        ("parity[en]|max", "all"),
        ("parity[en]", "ru"),
        ("gini[tokens_per_line]", "all"),
        ("fertility[ws]|macro", "all"),
    ]:
        values = [side.value(metric, group) or 0.0 for side in (one, other)]
        found = difference_of(one, other, metric, group, 0.005)
        assert found.value == pytest.approx(values[0] / values[1] - 1, rel=1e-12)


def test_a_tokenizer_is_equivalent_to_itself(trained: list[toktk.Tokenizer]) -> None:
    same = toktk.evaluate({"a": trained[0], "b": trained[0]}, corpus_of())
    compared = toktk.compare(same, metrics=EVERY)
    assert {row.verdict for row in compared} <= {"equivalent", "none"}
    assert all(row.difference in (0, None) for row in compared)
    assert any("the same tokenizer" in note for note in compared.notes)


def test_a_stored_baseline_is_small_stable_and_paired(results: Results, tmp_path: Path) -> None:
    path, again = tmp_path / "base.json", tmp_path / "again.json"
    write_baseline(sides_of(results), path)
    write_baseline(sides_of(results), again)
    assert path.read_bytes() == again.read_bytes()
    assert path.stat().st_size < 40_000
    assert max(len(side.units or ()) for side in read_baseline(path)) <= BLOCKS * 4
    write_baseline(read_baseline(path), again)
    assert path.read_bytes() == again.read_bytes()
    stored = rows(results, baseline=path, metrics=["bytes_per_token", "gini"])
    assert {row.verdict for row in stored.values()} == {"equivalent"}
    write_baseline(sides_of(results)[2:], path)
    against_one = rows(results, baseline=path, metrics=["bytes_per_token"])
    assert {key[0] for key in against_one} == {"bpe-400"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"schema": 2, "toktk": "9.9"}, "schema 2 of toktk 9.9"),
        ({"what": "else"}, "'else'"),
        ({"groups": []}, "tokens of"),
        ({"tokenizers": {}}, "no tokenizer"),
        ({"corpus": None}, "corpus"),
    ],
)
def test_a_baseline_of_another_kind_is_refused(
    results: Results, tmp_path: Path, change: dict[str, object], found: str
) -> None:
    path = tmp_path / "base.json"
    write_baseline(sides_of(results), path)
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(document | change), encoding="utf-8")
    with pytest.raises(StorageError, match=found):
        toktk.compare(results, baseline=path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(StorageError, match="cannot read the baseline"):
        toktk.compare(results, baseline=path)


def test_other_text_is_refused_and_allowed_with_a_mark(
    results: Results, trained: list[toktk.Tokenizer]
) -> None:
    other = toktk.evaluate(trained, corpus_of(100))
    with pytest.raises(MetricError, match="they differ in corpus") as error:
        toktk.compare(results, baseline=other)
    assert "--allow corpus" in str(error.value)
    compared = toktk.compare(
        results, baseline=other, allow=["corpus"], metrics=["tokens_per_line", "gini"]
    )
    assert any("differs in corpus" in note for note in compared.notes)
    assert any("not paired" in note for note in compared.notes)
    unpaired = next(row for row in compared if row.metric == "tokens_per_line")
    assert unpaired.low is not None
    assert next(row for row in compared if row.metric.startswith("gini")).note == (
        "needs the same documents on both sides"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("unit", "unit:tokens/word"), ("normalization", "norm:NFC"), ("specials", "specials:found")],
)
def test_what_differs_is_named(results: Results, name: str, value: str) -> None:
    field = value.partition(":")[0]
    changed = tuple(
        replace(
            r,
            signature="|".join(
                [*(p for p in r.signature.split("|") if not p.startswith(f"{field}:")), value]
            ),
        )
        for r in results
    )
    other = Results(changed, results.about, results.documents)
    with pytest.raises(MetricError, match=f"differ in {name}"):
        toktk.compare(results, baseline=other)
    assert (
        toktk.compare(results, baseline=other, allow=[name])
        .notes[0]
        .startswith(f"differs in {name}")
    )


def test_few_documents_have_no_interval_and_a_reason(trained: list[toktk.Tokenizer]) -> None:
    for n in (1, 5):
        few = toktk.evaluate(trained, corpus_of(n))
        for row in toktk.compare(few, metrics=["bytes_per_token"]):
            assert (row.verdict, row.low, row.p) == ("none", None, None)
            assert row.difference is not None
            assert "effective documents" in (row.note or "")


def test_repeated_documents_are_said_and_add_nothing(trained: list[toktk.Tokenizer]) -> None:
    texts = lines("de", 30) * 40
    repeated = toktk.evaluate(trained, toktk.Corpus.of(texts, groups="de", name="repeated"))
    compared = toktk.compare(repeated)
    assert {row.metric for row in compared} == {"bytes_per_token"}
    assert all(row.n == 30 for row in compared)
    assert any("1,200 documents are 30 different ones" in note for note in compared.notes)


def test_one_language_has_no_gini_and_runs_without_counts_no_interval(
    results: Results, trained: list[toktk.Tokenizer]
) -> None:
    single = toktk.evaluate(trained, corpus_of(groups=("de",)))
    (row, _) = toktk.compare(single, metrics=["gini"])
    assert (row.difference, row.verdict) == (None, "none")
    assert "fewer than two" in (row.note or "")
    old = Results(results.records, results.about)
    assert {row.note for row in toktk.compare(old)} == {
        "no counts of documents are kept: measure again with this toktk"
    }
    assert {row.verdict for row in toktk.compare(old)} == {"none"}


def test_what_is_asked_wrongly_is_refused(results: Results) -> None:
    for options, what in [
        ({"metrics": ["bytes_per_tokn"]}, "did you mean 'bytes_per_token'"),
        ({"metrics": ["utilization"]}, "cannot be compared"),
        ({"metrics": ["numbers"]}, "cannot be compared"),
        ({"metrics": ["digit_alignment[right,4-8]"]}, "-m digit_alignment`"),
        ({"fail_if": ["vocabulary < -1%"]}, "'vocabulary' cannot be compared"),
        ({"groups": ["dee"]}, "did you mean 'de'"),
        ({"allow": ["units"]}, "did you mean 'unit'"),
        ({"baseline": "bpe-4000"}, "did you mean 'bpe-400'"),
        ({"zone": 2.0}, "zone"),
        ({"fail_if": ["< -1%"]}, "is no gate"),
        ({"fail_if": ["bytes_per_token < -1"]}, "is no gate"),
        ({"fail_if": ["bites < -1%"]}, "unknown metric"),
        ({"fail_if": ["bytes_per_token:xx < -1%"]}, "no group is called"),
    ]:
        with pytest.raises(MetricError, match=what):
            toktk.compare(results, **options)  # type: ignore[arg-type]
    with pytest.raises(MetricError, match="two tokenizers"):
        toktk.compare(results.where(tokenizer="bpe-300"))


def test_gates_fail_by_the_interval(results: Results) -> None:
    row = rows(results, baseline="bpe-300", metrics=["bytes_per_token"], groups=["all"])
    low = row["bpe-399", "bytes_per_token", "all"].low or 0
    high = row["bpe-399", "bytes_per_token", "all"].high or 0
    point = row["bpe-399", "bytes_per_token", "all"].difference or 0

    def broken(sign: str, limit: float) -> bool | None:
        gate = f"bytes_per_token {sign} {100 * limit:+.6f}%"
        only = Results(tuple(r for r in results if r.tokenizer != "bpe-400"), {}, results.documents)
        (judged,) = toktk.compare(only, baseline="bpe-300", fail_if=[gate]).gates
        return judged.broken

    assert broken("<", high + 0.001) is True
    assert broken("<", (point + high) / 2) is False  # the point is beyond, not all of the interval
    assert broken(">", low - 0.001) is True
    assert broken(">", (point + low) / 2) is False


def test_gates_of_each_group_have_wider_intervals(results: Results) -> None:
    gates = toktk.compare(results, baseline="bpe-400", fail_if=["bytes_per_token:* < -1%"]).gates
    assert {(g.candidate, g.group) for g in gates} == {
        (label, group) for label in ("bpe-300", "bpe-399") for group in SYLLABLES
    }
    assert all(gate.broken for gate in gates if gate.candidate == "bpe-300")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("bytes_per_token < -1%", ("bytes_per_token", "all", "<", -0.01)),
        (" fertility[ws]:de>=+2.5 % ", ("fertility[ws]", "de", ">=", 0.025)),
        ("tokens_per_line:a b:c <= 0%", ("tokens_per_line", "a b:c", "<=", 0.0)),
    ],
)
def test_gates_are_parsed(text: str, parts: tuple[object, ...]) -> None:
    gate = parse_gate(text)
    assert (gate.metric, gate.group, gate.sign, gate.limit) == parts


def test_languages_at_large_are_a_figure_of_their_own(trained: list[toktk.Tokenizer]) -> None:
    texts = [(line, f"{g}{i % 3}") for g in SYLLABLES for i, line in enumerate(lines(g, 300))]
    corpus = toktk.Corpus.of([t for t, _ in texts], groups=[g for _, g in texts], name="twelve")
    compared = toktk.compare(toktk.evaluate(trained[::2], corpus), metrics=["languages"])
    row = compared.rows[-1]
    assert (row.metric, row.n, row.verdict) == ("languages[bytes_per_token]", 12, "worse")
    pooled = compared.rows[0]
    assert (row.high or 0) - (row.low or 0) > (pooled.high or 0) - (pooled.low or 0)


def test_every_format_holds_all_rows_and_fits(results: Results) -> None:
    compared = toktk.compare(results, metrics=EVERY, fail_if=["gini > 1%"])
    document = json.loads(compared.to_json())
    assert len(document["comparisons"]) == len(compared) == compared.to_csv().count("\n") - 1
    assert document["gates"][0]["gate"] == "gini > 1%"
    for width in (80, 100, 160):
        text = compared.page(width).text(width)
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text.replace(" … ", " ")
        assert "no room for" not in text
    assert "| all" in compared.to_markdown()
    assert "\\toprule" in compared.to_latex()


def units_of(rows: list[int], n_all: list[int], hashes: int = 2**40) -> UnitSums:
    """UnitSums of so many documents a group, as a sample leaves them: their hashes begin with zeros."""
    chance = np.random.default_rng(0)
    n = sum(rows)
    counts = chance.integers(1, 100, n)
    return UnitSums(
        tuple(f"g{i}" for i in range(len(rows))),
        np.repeat(np.arange(len(rows)), rows).astype(np.int32),
        chance.integers(0, hashes, n).astype(np.uint64),
        counts * 4,
        counts,
        counts * 2,
        np.array(n_all, dtype=np.float64),
        ("documents",) * len(rows),
        np.array(rows),
        np.array(rows),
    )


def test_groups_that_are_sampled_differently_count_by_their_text() -> None:
    units = units_of([50, 200], [2_000, 200])
    sums = sums_over(units, units.groups)
    tokens = sums.of(units.tokens)
    weighted = 40 * units.tokens[:50].sum() + units.tokens[50:].sum()
    assert tokens.sum() == pytest.approx(weighted)
    assert (sums.n, sums.n_all, tokens.size) == (250, 2_200, 2_200)
    even = sums_over(units_of([50, 200], [100, 400]), units.groups)
    assert (even.n, even.n_all, even.of(units.tokens).size) == (250, 500, 250)


def test_tokenizers_of_one_text_share_how_its_documents_are_summed_up(results: Results) -> None:
    a, b = (side.units for side in sides_of(results)[:2])
    assert a is not None
    assert b is not None
    sums = sums_over(a, a.groups)
    assert sums_over(b, list(b.groups)) is sums
    assert sums_over(a, a.groups[:1]) is not sums
    for n in range(300):  # not all are kept
        sums_over(a, [f"no group {n}"])
    again = sums_over(b, b.groups)
    assert again is not sums
    assert np.array_equal(again.of(b.tokens), sums.of(b.tokens))


def test_blocks_are_many_where_hashes_begin_alike() -> None:
    for hashes in (2**63, 2**40, 500):  # of all documents, of a sample, numbers of blocks
        units = units_of([500, 300], [1_000, 300], hashes)
        blocks = units.blocked()
        assert len(blocks) > 1.8 * BLOCKS
        assert blocks.tokens.sum() == units.tokens.sum()
        assert blocks.n_all[0] == 2 * np.count_nonzero(blocks.group == 0)
        assert blocks.is_paired_with(units.blocked())


def test_unequal_training_text_is_named(results: Results) -> None:
    one, other, third = sides_of(results, {"bpe-300": "a" * 64, "bpe-400": "b" * 64})
    compared = compare_sides([(one, third), (other, third)], Asked())
    assert sum("not trained on the same text" in note for note in compared.notes) == 1


def test_intervals_allow_for_neighbors_that_are_alike(trained: list[toktk.Tokenizer]) -> None:
    """Lines of pages, against the same lines in any order."""
    kinds = lines("de", 2), lines("ru", 2)
    of_page = np.random.default_rng(0).integers(0, 2, 60)
    texts = [f"{kinds[of_page[p]][i % 2]} {20 * p + i:04}" for p in range(60) for i in range(20)]
    order = np.random.default_rng(0).permutation(len(texts))
    in_order, shuffled = (
        toktk.evaluate(trained, toktk.Corpus.of(own, name="pages"))
        for own in (texts, [texts[i] for i in order])
    )
    key = "bpe-300", "bytes_per_token", "all"
    row, plain = (rows(r, baseline="bpe-400", metrics=[key[1]])[key] for r in (in_order, shuffled))
    assert row.note is not None
    assert row.note.startswith(ALIKE)
    assert plain.note is None
    factor = float(row.note.removeprefix(ALIKE))
    widths = [
        np.log1p(one.high) - np.log1p(one.low) for one in (row, plain) if one.high and one.low
    ]
    assert widths[0] / widths[1] == pytest.approx(factor, rel=0.05)
    shown = toktk.compare(in_order, baseline="bpe-400", metrics=[key[1]]).to_markdown()
    assert "neighboring documents are alike" in shown
