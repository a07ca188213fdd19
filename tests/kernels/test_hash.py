import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toktk.kernels.hash import hash_spans, mix

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
