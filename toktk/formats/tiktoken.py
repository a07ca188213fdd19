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
"""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toktk.errors import FormatError
from toktk.formats.fields import check_special_tokens
from toktk.formats.files import read_json
from toktk.formats.ranks import parse_ranks
from toktk.models.bpe import BpeModel, byte_order
from toktk.paths import atomic_write
from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.export import exported_pattern, exported_pretokenizer, leaves_gaps

if TYPE_CHECKING:
    import tiktoken

    from toktk.pieces.table import PieceTable
    from toktk.tokenizer import Tokenizer

_EXAMPLES = 5


def write_tiktoken(tokenizer: Tokenizer, path: Path) -> tuple[Path, Path]:
    """Write the ranks to `path`, pattern and special tokens to the same name with ``.json`` added.

    Equal tokenizers of one name give equal files. Ranks are ids; special tokens have none.

    Returns:
        The two files.

    Raises:
        FormatError: tiktoken cannot run the pattern, or would lose the text that the pattern leaves
            between two matches.
        StorageError: a file cannot be written.
    """
    model = _bpe(tokenizer)
    arguments = _arguments(tokenizer)
    lines = [
        b"%s %d\n" % (base64.b64encode(token), rank)
        for token, rank in mergeable_ranks(model).items()
    ]
    beside = path.with_name(f"{path.name}.json")
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"".join(lines))
    with atomic_write(beside) as temporary:
        text = json.dumps(arguments, ensure_ascii=False, indent=2) + "\n"
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return path, beside


def _arguments(tokenizer: Tokenizer) -> dict[str, Any]:
    check_special_tokens(tokenizer.model.special_tokens)
    pattern = exported_pattern(tokenizer.pretokenizer)
    if leaves_gaps(compile_pattern(tokenizer.pretokenizer.pattern)):
        raise FormatError(
            "cannot write .tiktoken: the split pattern does not match everywhere: "
            f"{tokenizer.pretokenizer.pattern!r}.",
            "Found: tiktoken drops the text between two matches; toktk makes it a piece.",
            r"Add an alternative that matches the rest, such as |\s+|\S.",
        )
    alphabet = {bytes([b]): b for b in range(256)}
    _encoding("pattern", {"pat_str": pattern, "special_tokens": {}}, alphabet)
    return {
        "name": tokenizer.name,
        "pat_str": pattern,
        "special_tokens": {name: i for i, name in enumerate(tokenizer.model.special_tokens)},
        "explicit_n_vocab": tokenizer.vocab_size,
    }


def _bpe(tokenizer: Tokenizer) -> BpeModel:
    if isinstance(tokenizer.model, BpeModel):
        return tokenizer.model
    raise FormatError(
        "cannot write .tiktoken: tiktoken knows ranked merges alone.",
        f"Found: a model of the kind {tokenizer.model.kind!r}, which encodes by another rule.",
    )


def mergeable_ranks(model: BpeModel) -> dict[bytes, int]:
    """Return {token: id} without the special tokens, in the order of ids."""
    n = len(model.special_tokens)
    return {token: i for i, token in enumerate(model.tokens[n:], start=n)}


def load_tiktoken(path: Path | str) -> tiktoken.Encoding:
    """Return the encoding that `write_tiktoken` wrote; the network is not asked.

    tiktoken's own ``load_tiktoken_bpe`` reads the ranks as well, but keeps a copy by path, so that
    a file written anew at the same place is not seen.

    Args:
        path: the ``.tiktoken`` file, or a folder that holds one.

    Raises:
        FormatError: a file is missing or damaged; the error names the line or field.
    """
    _, arguments, ranks = _load(Path(path))
    return _encoding(arguments["name"], arguments, ranks)


def read_tiktoken(path: Path | str, name: str | None = None) -> Tokenizer:
    """Read what `write_tiktoken` wrote; every id is given as tiktoken gives it.

    The merge that makes a token is not in the file. It is found by encoding the token with those of
    lower rank: two symbols are left.

    Args:
        path: the ``.tiktoken`` file, or a folder that holds one.
        name: by default the one it was saved with.

    Raises:
        FormatError: a file is missing or damaged, or tiktoken's rule gives other ids than merging
            listed pairs does.
    """
    from toktk.tokenizer import Tokenizer

    path, arguments, ranks = _load(Path(path))
    special_tokens = sorted(arguments["special_tokens"], key=arguments["special_tokens"].get)
    n = len(special_tokens)
    first = [arguments["special_tokens"][name] for name in special_tokens]
    first += [ranks[bytes([b])] for b in byte_order()]
    if first != list(range(n + 256)):
        raise FormatError(
            f"cannot read {path}: the order of ids.",
            "Readable is: special tokens, then the 256 bytes in the order of their characters.",
        )
    pretokenizer = exported_pretokenizer(arguments["pat_str"])
    if leaves_gaps(compile_pattern(pretokenizer.pattern)):
        raise FormatError(f"cannot read {path}: pat_str.", "Found: it does not match everywhere.")
    tokens = sorted(ranks, key=lambda token: ranks[token])[256:]
    merges = [[*_last_pair(path, token, ranks), ranks[token]] for token in tokens]
    model = BpeModel(tuple(special_tokens), np.array(merges, dtype=np.int64).reshape(-1, 3))
    tokenizer = Tokenizer(name or arguments["name"], pretokenizer, model)
    if not agreement(tokenizer).proven:
        raise _not_listed(path)
    return tokenizer


def _last_pair(path: Path, token: bytes, ranks: dict[bytes, int]) -> tuple[int, int]:
    parts = [token[i : i + 1] for i in range(len(token))]
    own = ranks[token]
    while len(parts) > 2:
        pairs = [ranks.get(a + b, own) for a, b in itertools.pairwise(parts)]
        at = min(range(len(pairs)), key=pairs.__getitem__)
        if pairs[at] >= own:
            raise _not_listed(path)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    left, right = (ranks[part] for part in parts)
    return left, right


def _not_listed(path: Path) -> FormatError:
    return FormatError(
        f"cannot read {path}: merging listed pairs gives other ids than tiktoken does.",
        "Found: tokens that are not what the merges of lower rank make of them.",
    )


def _load(path: Path) -> tuple[Path, dict[str, Any], dict[bytes, int]]:
    """Return the path of the ranks, the arguments beside them, and the ranks."""
    if path.is_dir():
        found = sorted(path.glob("*.tiktoken"))
        if len(found) != 1:
            raise FormatError(
                f"cannot choose a .tiktoken file in {path}.",
                f"Found: {', '.join(one.name for one in found) or 'none'}.",
            )
        path = found[0]
    beside = path.with_name(f"{path.name}.json")
    ranks = parse_ranks(path)
    arguments = _read_arguments(beside, len(ranks))
    size = arguments["explicit_n_vocab"]
    ids = sorted([*ranks.values(), *arguments["special_tokens"].values()])
    if ids != list(range(size)):
        raise FormatError(
            f"{path} and {beside.name} do not belong together.",
            f"Found: {len(ranks):,} ranks and {len(ids) - len(ranks)} special tokens.",
            f"Together they must be the ids 0 to {size - 1:,}, each once.",
        )
    missing = next((b for b in range(256) if bytes([b]) not in ranks), None)
    if missing is not None:
        raise FormatError(f"{path} is damaged.", f"Found: no rank for the byte {missing:#04x}.")
    return path, arguments, ranks


def _read_arguments(path: Path, n_ranks: int) -> dict[str, Any]:
    arguments = read_json(path)
    special_tokens = arguments.get("special_tokens")
    sound = {
        "name": isinstance(arguments.get("name"), str),
        "pat_str": isinstance(arguments.get("pat_str"), str),
        "special_tokens": isinstance(special_tokens, dict)
        and all(type(i) is int for i in special_tokens.values()),
        "explicit_n_vocab": type(arguments.get("explicit_n_vocab")) is int
        # Bounded before a list of that many ids is made.
        and isinstance(special_tokens, dict)
        and arguments["explicit_n_vocab"] == n_ranks + len(special_tokens),
    }
    for field, is_sound in sound.items():
        if not is_sound:
            found = json.dumps(arguments.get(field))[:80]
            raise FormatError(f"{path} is damaged: {field}.", f"Found: {found}.")
    return arguments


def _encoding(name: str, arguments: dict[str, Any], ranks: dict[bytes, int]) -> tiktoken.Encoding:
    import tiktoken

    try:
        return tiktoken.Encoding(
            name,
            pat_str=arguments["pat_str"],
            mergeable_ranks=ranks,
            special_tokens=arguments["special_tokens"],
            explicit_n_vocab=arguments.get("explicit_n_vocab"),
        )
    except ValueError as error:
        raise FormatError(
            f"tiktoken cannot run the split pattern {arguments['pat_str']!r}.", f"Found: {error}."
        ) from error


@dataclass(frozen=True)
class Agreement:
    """How tiktoken's ids compare with the tokenizer's, pieces being cut alike.

    Attributes:
        proven: equal on every text; the rest is then zero.
        tokens: how many tokens do not encode to themselves.
        repeated: how many merges spell a token that exists.
        pieces: distinct pieces on which the two were compared one by one; 0 if none were at hand.
        differing: how many of them differ.
        occurrences: how often those occur.
        examples: the most frequent of them.
    """

    proven: bool
    tokens: int
    repeated: int
    pieces: int = 0
    differing: int = 0
    occurrences: int = 0
    examples: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return the attributes, for run.json."""
        return asdict(self)


def agreement(tokenizer: Tokenizer, pieces: PieceTable | None = None) -> Agreement:
    """Find out whether tiktoken gives equal ids: by proof, else on `pieces`, where given.

    The proof (see the module) takes one encoding of the vocabulary; where it holds, the pieces are
    not looked at.
    """
    model = _bpe(tokenizer)
    repeated = len(model.merges) - (model.vocab_size - model.base_size)
    tokens = len(differing_tokens(model))
    if not (repeated or tokens) or pieces is None:
        return Agreement(not (repeated or tokens), tokens, repeated)
    differing = _differing(model, pieces)
    counts = pieces.counts[differing]
    frequent = [differing[i] for i in np.argsort(-counts, kind="stable")[:_EXAMPLES]]
    examples = tuple(pieces.piece(p).decode(errors="replace") for p in frequent)
    return Agreement(
        False, tokens, repeated, len(pieces), len(differing), int(counts.sum()), examples
    )


def differing_tokens(model: BpeModel) -> list[int]:
    """Return the ids of the ordinary tokens that do not encode to themselves."""
    n = len(model.special_tokens)
    tokens = model.tokens[n:]
    data = np.frombuffer(b"".join(tokens), dtype=np.uint8)
    offsets = np.cumsum([0, *map(len, tokens)], dtype=np.int64)
    ids, ends = model.encode_pieces(data, offsets)
    whole = np.diff(ends, prepend=0) == 1
    whole &= ids[ends - 1] == np.arange(n, n + len(tokens))
    return (np.flatnonzero(~whole) + n).tolist()


def differing_pieces(tokenizer: Tokenizer, pieces: PieceTable) -> list[bytes]:
    """Return the pieces that tiktoken encodes otherwise: each is given to tiktoken, whole."""
    return [pieces.piece(p) for p in _differing(_bpe(tokenizer), pieces)]


def _differing(model: BpeModel, pieces: PieceTable) -> list[int]:
    ids, ends = model.encode_pieces(pieces.data, pieces.offsets)
    arguments = {"pat_str": r"[\s\S]+", "special_tokens": {}}
    encode = _encoding("pieces", arguments, mergeable_ranks(model)).encode_ordinary
    numbers, starts = ids.tolist(), [0, *ends.tolist()]
    return [
        p
        for p in range(len(pieces))
        if encode(pieces.piece(p).decode()) != numbers[starts[p] : starts[p + 1]]
    ]
