from toktk.corpus import Corpus
from toktk.pieces.counting import count_corpus
from toktk.pieces.scripts import scripts_of
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
