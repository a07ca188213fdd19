"""A slice of the help pages that the library trainers are trained on and compared on."""

from toktk.trainers.base import TrainingData


def languages(real_texts):
    """Texts by language; without the help pages, the code is all there is."""
    found = {group: texts for group, texts in real_texts.items() if group != "code"}
    return found or {"code": [text[:20_000] for text in real_texts["code"][:20]]}


def training_slice(real_texts):
    return [text for texts in languages(real_texts).values() for text in texts[:60]]


def data_of(corpus, progress=None):
    return TrainingData(corpus, progress=progress)
