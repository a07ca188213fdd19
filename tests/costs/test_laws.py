"""What the laws say side by side: all rows stand, and those outside of their fit name no size."""

import json
import math

import pytest

from toktk.costs.curve import MeasuredCurve
from toktk.costs.laws import MEASURED, disagreement, what_laws_say
from toktk.costs.tao import cheapest_size
from toktk.errors import LawError

SIZES = (8_000, 16_000, 32_000, 50_000, 64_000, 100_000, 128_000)
README = MeasuredCurve(
    SIZES, tuple(1 / b for b in (2.363, 2.602, 2.840, 3.030, 3.140, 3.316, 3.414))
)
NAMES = ["measured", "isoflops", "derivative", "loss", "limisiewicz"]


def answers(parameters, width, **asked):
    return dict(zip(NAMES, what_laws_say(parameters, width, README, **asked), strict=True))


def test_all_that_were_fitted_to_the_question_answer():
    rows = answers(1e9, 2048)
    assert rows["measured"].law == MEASURED
    assert [row.key for row in rows.values()] == [
        *("measured", "tao-1", "tao-2", "tao-3", "limisiewicz"),
    ]
    assert rows["measured"].size == cheapest_size(1e9, 2048, README).size
    assert all(row.fit == "inside" and row.size is not None for row in rows.values())
    assert rows["isoflops"].compute == pytest.approx(1.4393e20, rel=1e-3)
    assert rows["derivative"].compute is None
    assert rows["limisiewicz"].compute == pytest.approx(6.06e19, rel=1e-3)
    assert rows["limisiewicz"].bytes_per_token == pytest.approx(4.425, abs=0.001)
    assert rows["limisiewicz"].note == "the largest size measured: a larger one may be better"
    assert "33M to 1.13B parameters" in rows["isoflops"].fitted
    assert all(row.source for row in rows.values())


def test_tokens_per_character_are_held_against_theirs():
    curve = MeasuredCurve(SIZES, README.tokens_per_byte, bytes_per_char=1.2)
    (_, isoflops, *_) = what_laws_say(1e9, 2048, curve)
    assert isoflops.note == "tokens per character at 66,212 ids: 0.237 of its text, 0.381 of this"
    (_, insisted, *_) = what_laws_say(300e9, 16384, curve, insist=True)
    assert "; tokens per character at 128,000 ids: 0.229 of its text" in insisted.note
    (_, refused, *_) = what_laws_say(300e9, 16384, curve)
    assert "tokens per character" not in refused.note


def test_outside_a_law_is_not_asked_and_the_others_stand():
    rows = answers(7e9, 4096)
    for name in NAMES[1:]:
        assert rows[name].size is rows[name].low is rows[name].high is None
        assert rows[name].bytes_per_token is None
        assert rows[name].fit == "not asked"
        assert rows[name].note.startswith("not asked: it was not fitted to ")
    assert "7B parameters" in rows["loss"].note
    assert "5.74e+21 FLOPs" in rows["limisiewicz"].note
    assert rows["measured"].fit == "inside"
    assert rows["measured"].note.endswith("the largest size measured: a larger one may be better")


def test_insisted_on_answers_are_marked():
    rows = answers(7e9, 4096, insist=True)
    sizes = [rows[name].size for name in NAMES[1:4]]
    assert sizes == [62_280, 67_450, 59_547]
    for name in NAMES[1:]:
        assert rows[name].fit == "extrapolated"
        assert rows[name].note.startswith("extrapolated to ")


def test_compute_goes_to_the_laws_that_take_it():
    rows = answers(1e9, 2048, compute=4e20)
    assert rows["isoflops"].compute == rows["limisiewicz"].compute == 4e20
    assert rows["isoflops"].size > answers(1e9, 2048)["isoflops"].size
    assert rows["limisiewicz"].bytes_per_token < answers(1e9, 2048)["limisiewicz"].bytes_per_token
    beyond = answers(1e9, 2048, compute=1e22)
    assert beyond["isoflops"].size is beyond["limisiewicz"].size is None
    assert beyond["derivative"].size is not None


def test_a_script_of_more_bytes_is_asked_fairly():
    """Text of two bytes a letter with twice the bytes per token is the same question."""
    twice = MeasuredCurve(SIZES, tuple(q / 2 for q in README.tokens_per_byte))
    (*_, fair) = what_laws_say(1e9, 2048, twice, parity=2.0, compute=1e21)
    (*_, plain) = what_laws_say(1e9, 2048, README, compute=1e21)
    assert (fair.size, fair.low, fair.high) == (plain.size, plain.low, plain.high)
    assert fair.bytes_per_token == 2 * plain.bytes_per_token
    (*_, unfair) = what_laws_say(1e9, 2048, twice, compute=1e21)
    assert unfair.size == 8_000  # as if its tokens were far too long
    ten = MeasuredCurve(SIZES, tuple(q / 4 for q in README.tokens_per_byte))
    (*_, outside) = what_laws_say(1e9, 2048, ten, compute=1e21)
    assert outside.size is None
    assert "bytes per token" in outside.note


def test_rows_are_json():
    for asked in ({}, {"insist": True}):
        rows = what_laws_say(7e9, 4096, README, **asked)
        texts = json.dumps([row.to_dict() for row in rows], allow_nan=False)
        measured, isoflops, *_ = json.loads(texts)
        assert measured["law"] == MEASURED
        assert isoflops["outside"] == ["7B parameters"]
        assert isoflops["fit"] == ("extrapolated" if asked else "not asked")
        assert isoflops["note"].startswith(isoflops["fit"])


def test_disagreement_is_said():
    assert "from 22,162 to 128,000 ids" in disagreement(what_laws_say(1e9, 2048, README))
    assert disagreement(what_laws_say(7e9, 4096, README)) == ""  # one row names a size
    assert disagreement([]) == ""


@pytest.mark.parametrize("wrong", [0, -1, math.nan, math.inf, 1e300])
def test_what_is_no_model(wrong):
    for asked in (
        {"parameters": wrong},
        {"width": wrong},
        {"compute": wrong},
        {"parity": wrong},
    ):
        question = {"parameters": 1e9, "width": 2048, "curve": README, "insist": True} | asked
        with pytest.raises(LawError, match="above 0"):
            what_laws_say(**question)


@pytest.mark.parametrize("extreme", [1e-9, 1e15])
def test_extremes_end_in_an_answer(extreme):
    for asked in ({"parameters": extreme, "width": 1}, {"parameters": 1e9, "width": extreme}):
        rows = what_laws_say(**asked, curve=README, insist=True)
        assert json.dumps([row.to_dict() for row in rows])
