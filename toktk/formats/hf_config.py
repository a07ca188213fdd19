"""``tokenizer_config.json``, by which the library transformers runs a ``tokenizer.json``.

transformers 4 and 5 run the class PreTrainedTokenizerFast (in 5 a name of TokenizersBackend) from the
``tokenizer.json`` as it is; a class of a model would bring steps of its own. They take the special
tokens from there too, and from here what each is for. A name that the vocabulary lacks would get a new
id behind it, so it is refused. Both read it all from this one file: neither needs a
``special_tokens_map.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from toktk.errors import FormatError, clipped
from toktk.models.model import Model
from toktk.models.symbols import symbols_of
from toktk.paths import atomic_write

CONFIG = "tokenizer_config.json"
ROLES = ("unk", "bos", "eos", "pad")
"""What special tokens can be for, by the word of transformers, in the order of their ids."""


def check_roles(roles: Mapping[str, str], model: Model) -> None:
    """Refuse a role that transformers does not know, and a token that is none of the special ones."""
    names = (*model.special_tokens, *symbols_of(model))
    for role, name in roles.items():
        if role not in ROLES:
            raise FormatError(
                f"a special token cannot have the role {clipped(role)}.",
                f"Known: {', '.join(ROLES)}.",
            )
        if name not in names:
            listed = ", ".join(map(clipped, names[:5])) + (", …" if len(names) > 5 else "")
            raise FormatError(
                f"{clipped(name)} cannot be the {role} token.",
                f"Found: the special tokens are {listed or 'none'}.",
                "Train with it among special_tokens: it takes one of the ids.",
            )


def write_config(roles: Mapping[str, str], folder: Path) -> Path:
    """Write what transformers needs beside a ``tokenizer.json`` and return its path.

    Equal roles give equal files.
    """
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        # Some versions of transformers 4 delete spaces before punctuation otherwise, in decoding.
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        **{f"{role}_token": roles[role] for role in ROLES if role in roles},
    }
    path = folder / CONFIG
    with atomic_write(path) as temporary:
        text = json.dumps(settings, ensure_ascii=False, indent=2) + "\n"
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return path
