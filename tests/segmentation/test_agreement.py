"""Which tokens are agreed, held against the definition."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from segmented import cut, several

from toktk.segmentation.agreement import (
    AGREED,
    DIFFERS,
    UNKNOWN,
    agreement,
    differing_spans,
    readings,
)


def test_alone_all_is_agreed():
    assert agreement([cut("a", "b")])[0].tolist() == [AGREED, AGREED]
    assert differing_spans([cut("ab")], agreement([cut("ab")])) == []
    assert [a.tolist() for a in agreement([cut(), cut()])] == [[], []]


def test_two_and_three():
    first, second = cut("ab", "c", "de"), cut("a", "b", "c", "de", name="two")
    agreed = agreement([first, second])
    assert [a.tolist() for a in agreed] == [[DIFFERS, AGREED, AGREED], [0, 0, 1, 1]]
    assert differing_spans([first, second], agreed) == [(0, 2)]
    third = cut("ab", "cde", name="three")
    agreed = agreement([first, second, third])
    assert [a.tolist() for a in agreed] == [[0, 0, 0], [0, 0, 0, 0], [0, 0]]
    assert differing_spans([first, second, third], agreed) == [(0, 2), (2, 5)]
    ways = [
        ([t.spelled for t in tokens], names)
        for tokens, names in readings([first, second, third], 0, 2)
    ]
    assert ways == [([b"ab"], ["one", "three"]), ([b"a", b"b"], ["two"])]


def test_a_token_without_text_differs_with_what_follows():
    prefixed = cut("", "ab", "c", name="two")
    agreed = agreement([cut("a", "b", "c"), prefixed])
    assert agreed[1].tolist() == [DIFFERS, DIFFERS, AGREED]
    assert differing_spans([cut("a", "b", "c"), prefixed], agreed) == [(0, 2)]
    agreed = agreement([cut("ab"), cut("", "ab")])
    assert differing_spans([cut("ab"), cut("", "ab")], agreed) == [(0, 0)]


def test_nothing_is_said_where_one_has_no_places():
    seeing, blind = cut("a", "bc", "d"), cut("a", "b", "c", "d", name="two", nowhere=[1, 2])
    assert blind.blind.tolist() == [[1, 3]]
    agreed = agreement([seeing, blind])
    assert [a.tolist() for a in agreed] == [[AGREED, UNKNOWN, AGREED], [1, -1, -1, 1]]
    assert differing_spans([seeing, blind], agreed) == []
    lost = cut("a", "b", nowhere=[0, 1])
    assert lost.blind.tolist() == [[0, 2]]
    assert agreement([cut("ab"), lost])[0].tolist() == [UNKNOWN]


@given(several())
def test_agreement_is_that_of_the_definition(segmentations):
    agreed = agreement(segmentations)
    spans = [[(t.start, t.end) for t in each.tokens()] for each in segmentations]
    for n, own in enumerate(spans):
        for span, state in zip(own, agreed[n].tolist(), strict=True):
            others = [other for m, other in enumerate(spans) if m != n]
            if span == (None, None):
                assert state == UNKNOWN
            elif all(span in other for other in others):
                assert state == AGREED
            else:
                lacking = [m for m, other in enumerate(spans) if m != n and span not in other]
                seen = [m for m in lacking if not meets(span, segmentations[m].blind)]
                assert state == (DIFFERS if seen else UNKNOWN)


@given(several())
def test_agreed_are_the_same_tokens_of_each(segmentations):
    agreed = agreement(segmentations)
    common = [
        {(t.start, t.end) for t, state in zip(each.tokens(), own, strict=True) if state == AGREED}
        for each, own in zip(segmentations, agreed, strict=True)
    ]
    assert all(spans == common[0] for spans in common)


@given(several())
def test_differing_spans_hold_what_differs_and_nothing_else(segmentations):
    agreed = agreement(segmentations)
    spans = differing_spans(segmentations, agreed)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    for each, own in zip(segmentations, agreed, strict=True):
        for token, state in zip(each.tokens(), own, strict=True):
            if state == DIFFERS:
                assert any(a <= token.start and token.end <= b for a, b in spans)
            elif state == AGREED and token.start < token.end:
                assert not any(a < token.end and token.start < b for a, b in spans)
    for start, end in spans:
        ways = readings(segmentations, start, end)
        names = [name for _, who in ways for name in who]
        assert len(names) == len(set(names))
        hidden = [each for each in segmentations if meets((start, end), each.blind)]
        assert len(names) == len(segmentations) - len(hidden)
        assert len(ways) > 1 or hidden


def meets(span, parts):
    return bool(np.any((parts[:, 0] < span[1]) & (parts[:, 1] > span[0])))
