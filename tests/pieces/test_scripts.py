from toktk.corpus import Corpus
from toktk.pieces.counting import count_corpus
from toktk.pieces.scripts import script_of, script_table, scripts_of
from toktk.pretokenizers.pretokenizer import Pretokenizer

TEXTS = {
    "en": "Hello world, 日本!",
    "ru": "Привет, мир: hi",
    "zh": "你好世界 ok",
    "ja": "東京東京カタひらヒラひカ",
    "ko": "안녕하세요",
    "hi": "नमस्ते दुनिया",
    "numbers": "1234 !!",
    "empty": "",
}


def test_the_script_of_most_letters() -> None:
    corpus = Corpus.of(list(TEXTS.values()) * 3, groups=list(TEXTS) * 3)
    found = scripts_of(count_corpus(corpus, Pretokenizer.of("gpt2")))
    assert found == {
        "en": "Latin",
        "ru": "Cyrillic",
        "zh": "Han",
        "ja": "Kana",
        "ko": "Hangul",
        "hi": "Devanagari",
        "numbers": "no letters",
        "empty": "no letters",
    }


def test_the_script_of_a_character_is_that_of_its_block() -> None:
    names, table = script_table()
    assert names[0] == ""
    assert len(set(names)) == len(names)
    text = "aßΣяԱשعहবਗગଗதతಕമසไລཀမგ한ሀកᠠⵣ東かカー"
    scripts = {char: names[table[ord(char)]] for char in text}
    assert scripts == {char: script_of(char) for char in text} | {"ー": "Kana"}
    assert {names[table[ord(char)]] for char in " 1.!?-«»“”、。…€😀"[:-1]} == {""}
