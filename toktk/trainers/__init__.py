"""Trainers: from text to vocabularies of any size."""

from toktk.registry import Registry

DEFAULT_TRAINERS = ("bpe", "unigram")

TRAINERS = Registry(
    "toktk.trainers",
    {
        "bpe": "toktk.trainers.bpe:BpeTrainer",
        "unigram": "toktk.trainers.unigram:UnigramTrainer",
        "hf-bpe": "toktk.trainers.huggingface:HfBpeTrainer",
        "hf-unigram": "toktk.trainers.huggingface:HfUnigramTrainer",
        "hf-wordpiece": "toktk.trainers.huggingface:HfWordPieceTrainer",
        "sp-bpe": "toktk.trainers.sentencepiece:SpBpeTrainer",
        "sp-unigram": "toktk.trainers.sentencepiece:SpUnigramTrainer",
    },
)
