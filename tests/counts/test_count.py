import pytest

from toktk.corpus import ReaderOptions
from toktk.counts.count import default_world_size
from toktk.counts.work import CountWork
from toktk.places import Place
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.ranks.text import Text

MIB = 1 << 20


@pytest.mark.parametrize(
    ("mib", "jobs", "ranks"),
    [
        (0, 2, 1),
        (20, 2, 1),
        (40, 2, 2),
        (40, 8, 2),
        (500, 2, 2),
        (513, 2, 4),
        (1024, 2, 4),
        (1025, 2, 6),
        (9000, 2, 8),
        (9000, 1, 4),
        (9000, 16, 48),
    ],
)
def test_small_text_has_few_ranks_and_each_process_as_many(tmp_path, mib, jobs, ranks):
    text = tmp_path / "text.txt"
    with text.open("wb") as file:
        file.truncate(mib * MIB)
    work = CountWork(Text([str(text)], ReaderOptions()), Pretokenizer.of("gpt2"))
    assert default_world_size(work, Place.of(str(tmp_path / "counts")), jobs) == ranks
