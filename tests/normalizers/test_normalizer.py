import itertools

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from toktk.errors import PatternError
from toktk.normalizers.normalizer import Normalizer

FORMS = ["NFC", "NFD", "NFKC", "NFKD"]
texts = st.one_of(
    st.text("ab \n\u2581\u2580\u2681"),
    st.text("ae \u0301\u0323é\u2581ﬁ①가\u1100\u1161Å\0"),
    st.text(st.characters(codec="utf-8")),
)
normalizers = st.builds(
    Normalizer,
    form=st.sampled_from([None, *FORMS]),
    marks=st.booleans(),
    prefix=st.sampled_from(["never", "always", "unless_space"]),
)


def batch(documents, before=""):
    """Return the documents as a part of a larger buffer."""
    raw = [document.encode() for document in (before, *documents, "after\u2581")]
    offsets = np.cumsum([0, *map(len, raw)], dtype=np.int64)
    return np.frombuffer(b"".join(raw), np.uint8), offsets[1:-1]


def strings(data, offsets):
    return [bytes(data[a:b]).decode() for a, b in itertools.pairwise(offsets.tolist())]


@given(normalizers, st.lists(texts, max_size=5), texts)
def test_equals_the_reference(normalizer, documents, before):
    data, offsets = batch(documents, before)
    expected = [reference.normalize(normalizer, document) for document in documents]
    changed, new_offsets = normalizer.apply(data, offsets)
    assert strings(changed, new_offsets) == expected
    assert changed.dtype == np.uint8
    assert new_offsets.dtype == np.int64
    if normalizer.is_identity:
        assert changed is data
        assert new_offsets is offsets


@given(normalizers, st.lists(st.tuples(texts, st.booleans()), max_size=5))
def test_atoms_lose_their_marks_alone(normalizer, documents):
    data, offsets = batch([text for text, _ in documents])
    atoms = np.array([is_atom for _, is_atom in documents], dtype=bool)
    plain = Normalizer(marks=normalizer.marks)
    expected = [
        reference.normalize(plain if is_atom else normalizer, text) for text, is_atom in documents
    ]
    assert strings(*normalizer.apply(data, offsets, atoms)) == expected


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_copied_where_nothing_changes(form):
    data, offsets = batch(["plain text", "", "東京 Москва"], "e\u0301\u2581 not among them")
    changed, new_offsets = Normalizer(form, marks=True).apply(data, offsets)
    assert changed is data
    assert new_offsets is offsets
    prefix = Normalizer(prefix="unless_space")
    data, offsets = batch([" a", "", "  b"])
    assert prefix.apply(data, offsets)[0] is data


def test_documents_are_not_normalized_across_their_borders():
    data, offsets = batch(["e", "\u0301", "e\u0301"])
    assert strings(*Normalizer("NFC").apply(data, offsets)) == ["e", "\u0301", "é"]


@pytest.mark.parametrize("form", FORMS)
def test_forms_are_those_of_hugging_face(form, nasty_texts):
    import tokenizers

    library = getattr(tokenizers.normalizers, form)()
    expected = [library.normalize_str(text) for text in nasty_texts]
    assert strings(*Normalizer(form).apply(*batch(nasty_texts))) == expected


def test_prepend_and_replace_are_those_of_hugging_face(nasty_texts):
    from tokenizers import normalizers

    library = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    texts = [*nasty_texts, " a", "▁a▁ b", "▁"]
    expected = [library.normalize_str(text).replace("▁", " ") for text in texts]
    normalizer = Normalizer(marks=True, prefix="always")
    assert strings(*normalizer.apply(*batch(texts))) == expected


def test_signature():
    assert Normalizer().signature == ""
    assert Normalizer().is_identity
    signature = Normalizer("NFC", marks=True, prefix="always").signature
    assert signature.startswith("NFC:unicode")
    assert signature.endswith("+marks+prefix:always")
    assert Normalizer(marks=True).signature == "marks"


@pytest.mark.parametrize("wrong", [{"form": "nfc"}, {"prefix": "sometimes"}, {"prefix": None}])
def test_unknown_values_are_refused(wrong):
    with pytest.raises(PatternError, match="unknown"):
        Normalizer(**wrong)
