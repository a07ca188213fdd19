"""The model in ``tokenizer.json`` where it is greedy: WordPiece without a prefix.

Such a WordPiece looks for the longest entry from the left, as toktk does, and over all bytes always
finds one. It finds special tokens too, if characters that stand for bytes spell their names; those
are refused. (Its search takes time with the square of a piece's length, and more.)
"""

from __future__ import annotations

from typing import Any

from toktk.errors import FormatError
from toktk.formats.fields import Fields, check_distinct, short
from toktk.models.bpe import byte_characters
from toktk.models.greedy import GreedyModel
from toktk.models.vocabulary import packed

# A word of more characters would be unknown.
_UNBOUNDED = 2**62


def write_wordpiece(model: GreedyModel) -> dict[str, Any]:
    """Return the object under ``model``.

    Raises:
        FormatError: byte fallback, or a special token that text could spell.
    """
    if model.fallback is not None:
        raise FormatError(
            "tokenizer.json cannot hold a greedy model with byte fallback.",
            "Found: WordPiece has a token for unknown words, and none for bytes.",
        )
    characters = byte_characters()
    names = list(model.special_tokens)
    spelled = next((name for name in names if set(name) <= set(characters)), None)
    if spelled is not None:
        raise FormatError(
            f"tokenizer.json cannot hold a greedy model with the special token {spelled!r}.",
            "Found: WordPiece would take its name in text for the special token.",
            "Give it a name with a character that no byte stands for, such as a space or 填.",
        )
    names += ["".join([characters[b] for b in token]) for token in model.tokens[len(names) :]]
    check_distinct(names, model.special_tokens, "tokenizer.json")
    return {
        "type": "WordPiece",
        "unk_token": "<unk>",
        "continuing_subword_prefix": "",
        "max_input_chars_per_word": _UNBOUNDED,
        "vocab": {name: i for i, name in enumerate(names)},
    }


def read_wordpiece(
    fields: Fields, holder: dict[str, Any], special_tokens: tuple[str, ...]
) -> GreedyModel:
    """Return the model that the object under ``model`` describes.

    Raises:
        FormatError: another shape; the error names the field.
    """
    wanted = {"continuing_subword_prefix": "", "max_input_chars_per_word": _UNBOUNDED}
    for key, value in wanted.items():
        if holder.get(key) != value:
            raise fields.error(f"model.{key}", short(holder.get(key)), short(value))
    vocab = fields.as_object(holder.get("vocab"), "model.vocab")
    if any(type(i) is not int for i in vocab.values()):
        raise fields.error("model.vocab", "an id that is no integer", "integers")
    names = sorted(vocab, key=lambda name: vocab[name])
    n = len(special_tokens)
    if [vocab[name] for name in names] != list(range(len(names))):
        raise fields.error("model.vocab", "other ids", f"0 to {len(names) - 1:,}, each once")
    if tuple(names[:n]) != special_tokens:
        raise fields.error("model.vocab", short(names[:n]), "the special tokens first")
    byte_of = {character: b for b, character in enumerate(byte_characters())}
    wrong = next((name for name in names[n:] if not byte_of.keys() >= set(name)), None)
    if wrong is not None:
        raise fields.error("model.vocab", short(wrong), "characters that stand for bytes")
    tokens = [bytes([byte_of[character] for character in name]) for name in names[n:]]
    try:
        model = GreedyModel(special_tokens, *packed(tokens))
        model.check()
        write_wordpiece(model)
    except FormatError as error:
        raise fields.error("model.vocab", str(error), "a vocabulary as toktk writes it") from error
    return model
