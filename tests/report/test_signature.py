from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toktk import __version__
from toktk.cache import digest
from toktk.errors import MetricError
from toktk.report.records import common_signature, parse_signature, short_signature, signature


def test_signature_is_readable_and_ordered() -> None:
    made = signature(
        unit="tokens/line", corpus="b" * 64, alpha=2.5, tok="0123abcd" * 8, agg="macro"
    )
    assert made == (
        f"toktk:{__version__}|tok:0123abcd|corpus:bbbbbbbb|unit:tokens/line|agg:macro|alpha:2.5"
    )


def test_signature_leaves_none_out_and_keeps_fields_apart() -> None:
    assert signature(agg=None, unit="a|b%") == f"toktk:{__version__}|unit:a%7Cb%25"


@given(st.dictionaries(st.sampled_from(["tok", "corpus", "zeta", "beta"]), st.text()))
def test_signature_does_not_depend_on_order(fields: dict[str, str]) -> None:
    assert signature(**fields) == signature(**dict(reversed(fields.items())))


@given(st.dictionaries(st.sampled_from(["tok", "corpus", "zeta", "unit", "norm"]), st.text()))
def test_signatures_are_parsed_back_in_both_forms(fields: dict[str, str]) -> None:
    text = signature(**fields)
    assert parse_signature(text) == {"toktk": __version__, **fields}
    assert parse_signature(short_signature(text)) == parse_signature(text)
    assert len(short_signature(text)) < len(text)


def test_the_short_form_is_readable() -> None:
    text = signature(tok="0123abcd" * 8, unit="a|b", agg="sum", norm="NFC", specials="text")
    assert short_signature(text) == f"v:{__version__}|t:0123abcd|u:a%7Cb|a:sum|n:NFC|s:text"


@pytest.mark.parametrize("text", ["", "toktk", "toktk:1|", "toktk:1|unit:a|u:b", ":x"])
def test_what_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(MetricError, match="is no signature"):
        parse_signature(text)


def test_what_signatures_have_in_common() -> None:
    one, other = signature(tok="a", unit="x"), signature(tok="b", unit="x", norm="NFC")
    assert common_signature([one, other]) == f"toktk:{__version__}|unit:x"


def test_digest_is_fixed_across_runs_and_versions() -> None:
    # Addresses of stored cells: a change here orphans every cache.
    assert digest({"b": [1, 2.5, None], "a": "é"}) == (
        "84afbf1d4853005f9dd0c81cb1819b53ce86978340764c062160f6e8356665de"
    )


def test_digest_ignores_key_order_and_tells_values_apart() -> None:
    assert digest({"a": 1, "b": (1, 2)}) == digest({"b": [1, 2], "a": 1})
    assert len({digest(x) for x in (1, "1", None, [1], {"a": 1}, True, 1.5, "\ud800")}) == 8


@pytest.mark.parametrize(("value", "error"), [({1, 2}, TypeError), (float("nan"), ValueError)])
def test_digest_refuses_what_has_no_canonical_form(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        digest({"x": value})
