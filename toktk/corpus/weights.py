"""How often a document counts: whole numbers, which a column holds as numbers or as their digits."""

from __future__ import annotations

from toktk.arrays import Int64
from toktk.arrow import pa
from toktk.corpus.batch import as_string
from toktk.errors import CorpusError


def whole_numbers(
    values: pa.Array, name: str, where: str, rows: Int64, called: str = "row"
) -> pa.Array:
    """Return a column as int64, all 0 or more and none null; `rows` are the numbers of its rows.

    Raises:
        CorpusError: another value; it names the row.
    """
    import pyarrow.compute as pc

    digits = as_string(values, name)
    whole = pc.match_substring_regex(digits, "^[0-9]{1,18}$").fill_null(False)
    if whole.true_count < len(whole):
        first = whole.index(False).as_py()
        raise CorpusError(
            f"{name!r} of {where}, {called} {rows[first]}, cannot be how often a document counts.",
            f"Found: {digits[first].as_py()!r}.",
            "Give whole numbers of 0 or more in a column of weights.",
        )
    return digits.cast(pa.int64())
