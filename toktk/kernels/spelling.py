"""Holding tokens against the text that they were made of: what they spell, and what none stands for.

The surface of token i is ``surfaces[starts[i]:starts[i + 1]]``; the tokens of document d are
``ids[ends[d - 1]:ends[d]]``.
"""

from __future__ import annotations

import numpy as np

from toktk.kernels import kernel
from toktk.kernels.memory import char_length, code_point

UNDECIDED = -1
_SPACE = 32


@kernel
def find_spelled(data, offsets, ids, ends, surfaces, starts, lost):
    """Set `lost` (int64, by document) to 0 where tokens spell the text, or a space and the text.

    Elsewhere it becomes `UNDECIDED`.
    """
    first = np.int64(0)
    for d in range(ends.size):
        begin, stop, last = offsets[d], offsets[d + 1], ends[d]
        lost[d] = UNDECIDED
        for lead in range(2):
            i, t = begin - lead, first
            while t < last:
                at, until = starts[ids[t]], starts[ids[t] + 1]
                while at < until and i < stop:
                    if surfaces[at] != (_SPACE if i < begin else data[i]):
                        break
                    at, i = at + 1, i + 1
                if at < until:
                    break
                t += 1
            if t == last and i == stop:
                lost[d] = 0
                break
        first = last


@kernel
def mark_characters(data, marks):
    """Set `marks` (by code point) to 0 at each character of UTF-8 text."""
    i = np.int64(0)
    while i < data.size:
        width = min(char_length(data[i]), data.size - i)
        code = code_point(data, i, width)
        if code < marks.size:
            marks[code] = 0
        i += width


@kernel
def count_lost(data, offsets, ids, ends, surfaces, starts, characters, unknown, lost):
    """Count the bytes that no token stands for, of documents whose `lost` is `UNDECIDED`.

    `characters` is ``(index, forms, form_starts, cuts)``. Of a character, by code point, ``index`` is the
    number of what it becomes, below 0 where that is not known; that is text as in `surfaces`. Tokens must
    spell what the characters become. Of characters that become nothing, those are lost that do not lie
    inside a token. The token `unknown` spells nothing: it stands for a word, which is lost; a character
    that ``cuts`` (uint8, by number) is a word of its own, or none. A document for which this does not
    come out even stays `UNDECIDED`.
    """
    index, forms, form_starts, cuts = characters
    first = np.int64(0)
    for d in range(ends.size):
        t, last = first, ends[d]
        first = last
        if lost[d] != UNDECIDED:
            continue
        i, stop = offsets[d], offsets[d + 1]
        at = until = n = np.int64(0)
        even, in_unknown = True, False
        while even and i < stop:
            width = min(char_length(data[i]), stop - i)
            code = code_point(data, i, width)
            c = index[code] if code < index.size else -1
            i += width
            even = c >= 0
            if not even:
                break
            in_unknown = in_unknown and cuts[c] == 0
            k, form_end = form_starts[c], form_starts[c + 1]
            if in_unknown or (k == form_end and at == until):
                n += width
            elif k < form_end and at == until and t < last and ids[t] == unknown:
                n += width
                t += 1
                in_unknown = cuts[c] == 0
            else:
                while even and k < form_end:
                    if at == until and t < last:
                        at, until = starts[ids[t]], starts[ids[t] + 1]
                        t += 1
                    if at == until or surfaces[at] != forms[k]:
                        even = False
                    at, k = at + 1, k + 1
        if even and at == until and t == last:
            lost[d] = n
