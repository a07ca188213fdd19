"""Lines of a text: the same whatever it is cut into, a sample of bounded size, and shares by bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toktk.arrays import packed
from toktk.corpus import lines as module
from toktk.corpus.lines import Lines, LineSet

TEXTS = [
    f"{i} is the number of this line, which has many {'more ' * (i % 7)}words." for i in range(900)
]


def lines_of(texts: list[str], batch: int = 1000) -> Lines:
    lines = Lines()
    for at in range(0, len(texts), batch):
        lines.add(*packed([text.encode() for text in texts[at : at + batch]]))
    return lines


def size(texts: list[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def test_the_share_is_that_of_bytes_and_repeats_count() -> None:
    known = lines_of(["\n".join(TEXTS[:300])]).as_set()
    measured = [*TEXTS[100:600], *TEXTS[100:150]]
    trained = [*TEXTS[100:300], *TEXTS[100:150]]
    assert lines_of(measured).share_in(known) == size(trained) / size(measured)
    assert lines_of(TEXTS[300:]).share_in(known) == 0
    assert lines_of(TEXTS[:5]).share_in(known) == 1
    assert lines_of(["short", ""]).share_in(known) is None
    # One long line does not stand for a text of short ones.
    assert lines_of([TEXTS[0], "short\n" * 40]).share_in(known) is None
    assert lines_of([TEXTS[0], "short\n" * 10]).share_in(known) == 1
    assert lines_of(TEXTS).share_in(lines_of(["short"]).as_set()) == 0


def test_a_long_text_is_sampled_alike_whatever_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 200)
    whole = lines_of(TEXTS)
    backwards = lines_of(TEXTS[::-1], 70)
    apart = Lines()
    apart.merge([lines_of(TEXTS[:500], 90), lines_of(TEXTS[400:])])
    sets = [lines.as_set() for lines in (whole, backwards, apart)]
    assert len({found.to_bytes() for found in sets}) == 1
    assert sets[0].halvings > 0
    assert 0 < sets[0].hashes.size <= 200
    assert whole.is_estimate(sets[0])
    # Half of the text, by a sample of a fourth or fewer lines.
    share = lines_of(TEXTS[450:] + [f"{text} And more." for text in TEXTS[450:]]).share_in(sets[0])
    assert share == pytest.approx(0.47, abs=0.15)
    assert lines_of(TEXTS[:20]).share_in(sets[0]) is None  # too few to tell
    assert whole.share_in(sets[0]) == 1


def test_a_set_is_read_as_it_was_written_and_damage_is_refused(tmp_path: Path) -> None:
    lines = lines_of(TEXTS)
    known = lines.as_set()
    again = LineSet.from_bytes(known.to_bytes())
    assert (again.halvings, again.hashes.tolist()) == (0, known.hashes.tolist())
    assert len(known.to_bytes()) == 4 * (1 + len(TEXTS))
    lines.save(tmp_path)
    assert Lines.load(tmp_path).as_set().to_bytes() == known.to_bytes()
    assert Lines.load(tmp_path).n_bytes == size(TEXTS)
    assert LineSet.from_bytes(lines_of([]).as_set().to_bytes()).hashes.size == 0
    falling = np.array([0, 5, 4], "<u4").tobytes()
    for damaged in (b"", b"abc", known.to_bytes()[:-1], b"\xff" * 8, falling, bytes(4 << 20)):
        with pytest.raises(ValueError, match="set of lines"):
            LineSet.from_bytes(damaged)


def test_the_share_of_each_document_that_is_known() -> None:
    known = lines_of(TEXTS[:300]).as_set()
    documents = [TEXTS[5], TEXTS[400], f"{TEXTS[6]}\n{TEXTS[500]}", "short", ""]
    shares = known.share_of(*packed([text.encode() for text in documents]))
    assert shares is not None
    assert shares[:2].tolist() == [1, 0]
    assert shares[2] == size([TEXTS[6]]) / size([TEXTS[6], TEXTS[500]])
    assert np.isnan(shares[3:]).all()  # nobody can tell
    sample = LineSet(1, known.hashes)
    assert sample.share_of(*packed([TEXTS[5].encode()])) is None
    assert known.share_of(*packed([])).tolist() == []  # type: ignore[union-attr]
