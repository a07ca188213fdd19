"""``.tiktoken``, the format of OpenAI's library: a token in base64 and its rank on each line.

The file holds ranks alone; pattern and special tokens go to ``<name>.tiktoken.json`` beside it,
whose keys are the arguments of ``tiktoken.Encoding`` other than the ranks.

Two rules, one result. toktk and Hugging Face tokenizers merge *listed* pairs, the lowest rank
first. tiktoken merges any two neighbors that together spell a token, the lowest rank first, and
takes a piece that is a token for that token at once. If every token, encoded by the first rule,
gives itself, and no two merges spell the same, the two agree on every text: suppose neighbors a and
b spell the token t. What happened so far between the ends of a and b is what happens, step by step,
when t is encoded alone, for no merge crossed those ends. There each step leaves one symbol less, so
two symbols are left just once, right before the last merge, which is t's own: (a, b) is that listed
pair. `agreement` checks the condition. Every vocabulary trained here meets it, since a trained
token is the product of just such merges.

A file is read back by tiktoken's rule (toktk.formats.tiktoken_read).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toktk.errors import FormatError
from toktk.formats.tiktoken_read import RankFile, arguments_path, rank_file
from toktk.formats.tokens import check_special_tokens, why_unheld
from toktk.models.bpe import BpeModel
from toktk.models.model import Model
from toktk.models.vocabulary import packed
from toktk.paths import atomic_write
from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.export import exported_pattern, leaves_gaps
from toktk.pretokenizers.pretokenizer import Pretokenizer

if TYPE_CHECKING:
    import tiktoken


@dataclass(frozen=True)
class Agreement:
    """How tiktoken's ids compare with a tokenizer's, pieces being cut alike.

    Attributes:
        proven: equal on every text; the rest is then zero.
        tokens: how many tokens do not encode to themselves.
        repeated: how many merges spell a token that exists.
    """

    proven: bool
    tokens: int
    repeated: int


def write_tiktoken(name: str, pretokenizer: Pretokenizer, model: Model, path: Path) -> None:
    """Write the ranks to `path`, pattern and special tokens to the same name with ``.json`` added.

    Equal tokenizers of one name give equal files. Ranks are ids; special tokens have none. FormatError is
    raised where tiktoken would lose the text that the pattern leaves between two matches, too.
    """
    if not isinstance(model, BpeModel):
        raise FormatError(
            "cannot write .tiktoken: tiktoken knows ranked merges alone.", why_unheld(model)
        )
    pattern = exported_pattern(pretokenizer)
    if leaves_gaps(compile_pattern(pretokenizer.pattern)):
        raise FormatError(
            "cannot write .tiktoken: the split pattern does not match everywhere: "
            f"{pretokenizer.pattern!r}.",
            "Found: tiktoken drops the text between two matches; toktk makes it a piece.",
            r"Add an alternative that matches the rest, such as |\s+|\S.",
        )
    # Can tiktoken run it?
    _encoding(RankFile(path, pattern, {bytes([b]): b for b in range(256)}, {}))
    check_special_tokens(model.special_tokens)
    arguments = {
        "name": name,
        "pat_str": pattern,
        "special_tokens": {name: i for i, name in enumerate(model.special_tokens)},
        "explicit_n_vocab": model.vocab_size,
    }
    with atomic_write(path) as temporary:
        ranks = mergeable_ranks(model).items()
        lines = [b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in ranks]
        temporary.write_bytes(b"".join(lines))
    with atomic_write(arguments_path(path)) as temporary:
        text = json.dumps(arguments, ensure_ascii=False, indent=2) + "\n"
        temporary.write_text(text, encoding="utf-8", newline="\n")


def mergeable_ranks(model: BpeModel) -> dict[bytes, int]:
    """Return {token: id} without the special tokens, in the order of ids."""
    n = len(model.special_tokens)
    return {token: i for i, token in enumerate(model.tokens[n:], start=n)}


def load_tiktoken(path: Path | str) -> tiktoken.Encoding:
    """Return the encoding of a ``.tiktoken`` file, or of the only one in a folder, without a network.

    tiktoken's own ``load_tiktoken_bpe`` reads the ranks as well, but keeps a copy by path, so that
    a file written anew at the same place is not seen.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(path.glob("*.tiktoken"))
        if len(files) != 1:
            names = ", ".join(file.name for file in files) or "none"
            raise FormatError(f"cannot choose a .tiktoken file in {path}.", f"Found: {names}.")
        path = files[0]
    return _encoding(rank_file(path))


def _encoding(file: RankFile) -> tiktoken.Encoding:
    import tiktoken

    try:
        return tiktoken.Encoding(
            file.name,
            pat_str=file.pattern,
            mergeable_ranks=dict(file.ranks),
            special_tokens=dict(file.special_tokens),
        )
    except ValueError as error:
        raise FormatError(
            f"tiktoken cannot run the split pattern {file.pattern!r}.", f"Found: {error}."
        ) from error


def agreement(model: BpeModel) -> Agreement:
    """Find out by proof (see the module) whether tiktoken gives equal ids on every text."""
    repeated = len(model.merges) - (model.vocab_size - model.base_size)
    tokens = len(differing_tokens(model))
    return Agreement(not (repeated or tokens), tokens, repeated)


def differing_tokens(model: BpeModel) -> list[int]:
    """Return the ids of the ordinary tokens that do not encode to themselves."""
    n = len(model.special_tokens)
    ids, ends = model.encode_pieces(*packed(model.tokens[n:]))
    whole = np.diff(ends, prepend=0) == 1
    whole &= ids[ends - 1] == np.arange(n, model.vocab_size)
    return (np.flatnonzero(~whole) + n).tolist()
