import pytest

from toktk.corpus import ReaderOptions, load_corpus
from toktk.corpus.cards import cards, parse_reference, read_card
from toktk.corpus.hub import HubSpec, parse_hub
from toktk.errors import CorpusError

CARD = """
name = "mine"
title = "My corpus"
license = "CC0-1.0"
spec = "data/*.jsonl"
text_column = "content"
"""


@pytest.fixture
def card(tmp_path):
    (tmp_path / "data").mkdir()
    line = '{"content": "hello", "body": "other", "lang": "en"}\n'
    (tmp_path / "data" / "a.jsonl").write_text(line)
    path = tmp_path / "mine.toml"
    path.write_text(CARD)
    return path


def texts(corpus):
    return [text for batch in corpus.batches() for text in batch.column(0).to_pylist()]


def test_the_cards_that_ship_are_well_formed():
    found = cards()
    assert {"fineweb-2", "flores-plus", "wikipedia", "codeparrot"} <= set(found)
    for name, card in found.items():
        assert name == card.name
        assert card.license
        parse_hub(card.spec)


def test_a_card_of_ones_own_reads_beside_itself(card, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    assert texts(load_corpus(str(card))) == ["hello"]
    assert texts(load_corpus(str(card), ReaderOptions(text_column="body"))) == ["other"]


def test_a_card_names_a_hub_dataset():
    corpus = load_corpus("flores-plus/eng_Latn,deu_Latn:devtest", ReaderOptions(limit=5))
    assert corpus.name == "openlanguagedata/flores_plus/eng_Latn,deu_Latn:devtest"
    assert corpus.size == 10
    assert load_corpus("flores-plus").name == "openlanguagedata/flores_plus:dev"
    assert load_corpus("fineweb").name == "HuggingFaceFW/fineweb/sample-10BT:train"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('title = "My corpus"\n', ""), "lacks title"),
        (("license", "licence"), r"unknown key 'licence'.*\(did you mean 'license'\?\)"),
        (('"CC0-1.0"', "7"), "must be a string"),
        (('"CC0-1.0"', "CC0"), "cannot read the corpus card"),
    ],
)
def test_a_malformed_card(card, change, message):
    card.write_text(CARD.replace(*change))
    with pytest.raises(CorpusError, match=message):
        load_corpus(str(card))


def test_a_missing_card(tmp_path):
    with pytest.raises(CorpusError, match="cannot read"):
        read_card(tmp_path / "none.toml")


def test_two_cards_of_one_name(card, tmp_path, monkeypatch):
    (tmp_path / "cards").mkdir()
    for name in ("a", "b"):
        (tmp_path / "cards" / f"{name}.toml").write_text(CARD)
    monkeypatch.setattr("toktk.corpus.cards.corpora_folder", lambda: tmp_path)
    with pytest.raises(CorpusError, match="named 'mine'"):
        cards()


def test_references():
    assert parse_reference("a") == ("a", None, None)
    assert parse_reference("a/b,c:d") == ("a", "b,c", "d")
    assert parse_reference("a:d") == ("a", None, "d")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("hf:org/name", HubSpec("org/name")),
        ("hub:org/name/de", HubSpec("org/name", None, "de")),  # the earlier spelling
        ("hf:org/name@v1.0", HubSpec("org/name", "v1.0")),
        ("hf:org/name@refs%2Fpr%2F1/de", HubSpec("org/name", "refs/pr/1", "de")),
        ("hf:org/name/20231101.de:dev", HubSpec("org/name", None, "20231101.de", "dev")),
        ("hf:o/n@r/c,d:train[:10%]", HubSpec("o/n", "r", "c,d", "train[:10%]")),
    ],
)
def test_hub_specs(spec, expected):
    assert parse_hub(spec) == expected


@pytest.mark.parametrize(
    "spec", ["hf:", "hub:", "hf:name", "hf:org/", "hf:org/name@", "hf:org/name:"]
)
def test_malformed_hub_specs(spec):
    with pytest.raises(CorpusError, match="cannot understand"):
        load_corpus(spec)


def test_hub_rows_are_documents():
    with pytest.raises(CorpusError, match="each row"):
        load_corpus("hf:org/name", ReaderOptions(sample_by="line"))
