import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.kernels.hash import LEAST_LINE, hash_lines, hash_spans, mix

MASK = 2**64 - 1


def oracle(data):
    def finish(h):
        h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & MASK
        return h ^ (h >> 31)

    spread, fold = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
    h = (len(data) + 1) * spread & MASK
    for i in range(0, len(data), 8):
        word = int.from_bytes(data[i : i + 8], "little")
        h = ((h ^ (word * spread & MASK)) * fold) & MASK
        h ^= h >> 32
    return finish(h)


def hashes(parts, before=b"", after=b""):
    data = np.frombuffer(before + b"".join(parts) + after, np.uint8)
    offsets = np.cumsum([len(before), *map(len, parts)], dtype=np.int64)
    return hash_spans(data, offsets)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40)), st.binary(max_size=9), st.binary(max_size=9))
def test_equal_to_the_oracle_wherever_the_span_lies(parts, before, after):
    assert hashes(parts, before, after).tolist() == [oracle(part) for part in parts]


def test_fixed_values():
    # A change here changes every held-out set: never change these numbers.
    assert hashes([b"", b"a", "東京 naïve".encode()]).tolist() == [
        0xE220A8397B1DCDAF,
        0x82489378ADB33FE4,
        0x12E5277702473296,
    ]


def test_short_strings_of_zeros_differ():
    parts = [b"\0" * n for n in range(70)]
    assert len(set(hashes(parts).tolist())) == 70


def test_bits_are_balanced():
    found = hashes([b"%d" % i for i in range(20_000)])
    for values in (found, mix(found, 1), mix(found, 2)):
        assert np.unique(values).size == 20_000
        for bit in range(64):
            share = float(((values >> np.uint64(bit)) & np.uint64(1)).mean())
            assert abs(share - 0.5) < 0.02


def test_salts_are_independent():
    found = hashes([b"%d" % i for i in range(20_000)])
    small = [mix(found, salt) < np.uint64(2**63) for salt in (1, 2)]
    assert abs(float((small[0] & small[1]).mean()) - 0.25) < 0.015


def test_wrong_arrays_are_refused():
    data, offsets = np.zeros(4, np.uint8), np.array([0, 4], np.int64)
    with pytest.raises(TypeError, match="int32"):
        hash_spans(data, offsets.astype(np.int32))
    with pytest.raises(TypeError, match="contiguous"):
        hash_spans(np.zeros(8, np.uint8)[::2], offsets)
    for bad in ([0, 5], [-1, 4], [3, 2], []):
        with pytest.raises(ValueError, match="offset"):
            hash_spans(data, np.array(bad, np.int64))


def lines_of(documents, limit=MASK, before=b""):
    data = np.frombuffer(before + b"".join(documents), np.uint8)
    offsets = np.cumsum([len(before), *map(len, documents)], dtype=np.int64)
    found, lengths, ends = hash_lines(data, offsets, limit)
    lines = list(zip(found.tolist(), lengths.tolist(), strict=True))
    starts = [0, *ends.tolist()]
    assert len(starts) == len(documents) + 1
    assert starts[-1] == len(lines)
    by_document = [lines[a:b] for a, b in itertools.pairwise(starts)]
    assert by_document == [lines_oracle([document], limit) for document in documents]
    return lines


def lines_oracle(documents, limit=MASK):
    found = []
    for line in (line for document in documents for line in document.split(b"\n")):
        line = line.removesuffix(b"\r")
        if len(line) < LEAST_LINE:
            continue
        first, last = (int.from_bytes(part, "little") for part in (line[:8], line[-8:]))
        h = ((first * 0x9E3779B97F4A7C15 & MASK) ^ last) + len(line) * 0x9E3779B97F4A7C15 & MASK
        h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & MASK
        key = h ^ (h >> 31)
        if key <= limit:
            found.append((key >> 32 << 32 | oracle(line) >> 32, len(line)))
    return found


ANY_LINE = st.binary(max_size=90) | st.sampled_from(
    [b"x" * n + end for n in (46, 47, 48, 49, 64) for end in (b"", b"\r", b"\r\r")]
)


@settings(deadline=None)
@given(st.lists(st.lists(ANY_LINE).map(b"\n".join)), st.binary(max_size=9))
def test_lines_are_those_of_the_oracle(documents, before):
    assert lines_of(documents, before=before) == lines_oracle(documents)
    assert lines_of(documents, MASK >> 1, before) == lines_oracle(documents, MASK >> 1)


def test_lines_do_not_depend_on_how_documents_are_cut():
    texts = [b"%d is the number of this line of the text, which is long." % i for i in range(50)]
    expected = lines_of(texts)
    assert len({found for found, _ in expected}) == 50
    assert lines_of([b"\n".join(texts)]) == lines_of([b"\r\n".join(texts) + b"\r\n"]) == expected
    assert lines_of([text + b"\n" for text in texts]) == expected
    with pytest.raises(ValueError, match="hash_lines: the offsets"):
        hash_lines(np.zeros(4, np.uint8), np.array([0, 5], np.int64))
