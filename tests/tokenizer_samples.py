"""Texts and small models that the tests of tokenizers share."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from toktk.models.bpe import BpeModel

TEXT = """\
The quick brown fox jumps over the lazy dog. They're there; it's theirs, isn't it? 1234567 + 3.14
Größe, naïve café, façade. Der schnelle braune Fuchs springt über den faulen Hund.
Быстрая коричневая лиса прыгает через ленивую собаку. Гарантия, гарантии, гарантий.
素早い茶色の狐がのろまな犬を飛び越える。敏捷的棕色狐狸跳过了懒狗。こんにちは世界。
빠른 갈색 여우가 게으른 개를 뛰어넘는다. तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है।
الثعلب البني السريع يقفز فوق الكلب الكسول. สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ
for (int i = 0; i < n; i++) {\r\n\tprintf("%d\\n", a[i]);\r\n}\n\n\n    return 0;  // 😀👍🏽 👨‍👩‍👧
"""

PAIRS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=25, unique=True)


def model_of(choices):
    """Merge the chosen tokens among those that exist: bytes a, b, c and what was made."""
    empty = BpeModel((), np.empty((0, 3), dtype=np.int64))
    known = [int(empty.byte_ids[b]) for b in b"abc"]
    spelled = dict(zip((b"a", b"b", b"c"), known, strict=True))
    strings = {i: text for text, i in spelled.items()}
    merges = {}
    for a, b in choices:
        left, right = known[a % len(known)], known[b % len(known)]
        text = strings[left] + strings[right]
        if len(text) > 12 or (left, right) in merges:
            continue
        new = spelled.setdefault(text, 256 + len(known) - 3)
        if new not in strings:
            strings[new] = text
            known.append(new)
        merges[left, right] = new
    rows = [(left, right, new) for (left, right), new in merges.items()]
    return BpeModel((), np.array(rows, dtype=np.int64).reshape(-1, 3))
