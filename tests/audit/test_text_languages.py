import pytest
import sample_texts

from toktk.audit.text_languages import _LANGUAGES, language_of
from toktk.pieces.scripts import script_table

# Coefficients of Arnett et al. 2024, by FLORES.
PREMIUMS = {
    "de": 1.1800, "fr": 1.2329, "ru": 1.9720, "hi": 2.5464, "ja": 1.2678, "ko": 1.1992, "zh": 0.9148,
    "th": 2.7416,
    "my": 3.5090, "el": 2.1634, "et": 1.0037, "eo": 1.0137, "eu": 1.0596, "am": 1.7193, "af": 1.0684,
}  # fmt: skip


@pytest.mark.parametrize(("code", "premium"), PREMIUMS.items())
def test_premiums_are_those_that_others_published(code, premium):
    assert language_of(code).premium == pytest.approx(premium, rel=0.013)


def test_names_of_groups():
    codes = {
        "de": "de", "deu_Latn": "de", "en-us": "en", "zh-cn": "zh", "cmn_Hani": "zh", "pt-BR": "pt",
        "EN": "en", "ekk_Latn": "et", "srp_Cyrl": "sr", "sr": "sr", "jpn_Jpan": "ja", "ceb": "ceb",
    }  # fmt: skip
    assert {name: language_of(name).code for name in codes} == codes
    unknown = [
        "",
        "python",
        "news",
        "wiki.txt",
        "srp_Latn",
        "uzn_Cyrl",
        "-",
        "_",
        "german",
        "\ufffd",
    ]
    assert [name for name in unknown if language_of(name)] == []


def test_the_table():
    names, _ = script_table()
    rows = [line.split() for line in _LANGUAGES.strip().splitlines()]
    codes = [code for row in rows for code in (row[0], *row[1].split(",")) if code != "-"]
    assert len(codes) == len(set(codes))
    for code, _, n_bytes, *scripts in rows:
        assert 200_000 < int(n_bytes) < 1_000_000, code
        assert {name for of in scripts for name in of.split(",")} <= set(names), code
    assert set(sample_texts.parallel()) <= set(codes)
    assert language_of("en").premium == 1
