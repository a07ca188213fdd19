"""A slice of the languages that the library trainers are trained on and compared on."""

from toktk.trainers.base import TrainingData


def languages(real_texts):
    return {group: texts for group, texts in real_texts.items() if group != "code"}


def training_slice(real_texts):
    return [text for texts in languages(real_texts).values() for text in texts[:60]]


def data_of(corpus, progress=None):
    return TrainingData(corpus, progress=progress)
