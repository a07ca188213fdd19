"""``.tiktoken``, the format of OpenAI's library: a token in base64 and its rank on each line.

The file holds ranks alone. Pattern and special tokens are in ``<name>.tiktoken.json`` beside it, whose
keys are the arguments of ``tiktoken.Encoding`` other than the ranks; `pat_str` may be the name of one of
toktk's patterns. Without it, toktk knows the files of OpenAI by name, and some public ones by what is in
them (toktk.formats.encodings). Kimi's folders have special tokens in a ``tokenizer_config.json``.

Two rules, one result. toktk and Hugging Face tokenizers merge *listed* pairs, the lowest rank
first. tiktoken merges any two neighbors that together spell a token, the lowest rank first, and
takes a piece that is a token for that token at once. If every token, encoded by the first rule,
gives itself, and no two merges spell the same, the two agree on every text: suppose neighbors a and
b spell the token t. What happened so far between the ends of a and b is what happens, step by step,
when t is encoded alone, for no merge crossed those ends. There each step leaves one symbol less, so
two symbols are left just once, right before the last merge, which is t's own: (a, b) is that listed
pair. `agreement` checks the condition. Every vocabulary trained here meets it, since a trained
token is the product of just such merges.

A file is read back by tiktoken's rule.

``tekken.json``, the format of mistral-common, holds ranks for tiktoken too. Its first ids are those
of special tokens; a token's id is its rank and their number. Of the tokens listed, the first
``default_vocab_size - default_num_special_tokens`` count.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk.errors import FormatError, clipped, did_you_mean
from toktk.formats.bpe_texts import differing_tokens, texts_of
from toktk.formats.encodings import (
    ENCODINGS,
    KIMI,
    kimi_tokens,
    named_encoding,
    published_encoding,
)
from toktk.formats.fields import (
    Fields,
    NotNative,
    Parts,
    is_id,
    is_text,
    left_to_library,
    parse_json,
    read_bytes,
    short,
)
from toktk.formats.published import check_read_back, ordinary_tokens, special_ids
from toktk.formats.tokens import check_special_tokens, in_own_order, why_unheld
from toktk.models.bpe import BpeModel
from toktk.models.model import Model
from toktk.models.pairs import PairModel, highest_id
from toktk.paths import atomic_write
from toktk.pretokenizers.automaton import compile_pattern
from toktk.pretokenizers.export import (
    exported_pattern,
    leaves_gaps,
    named_pretokenizer,
    table_notes,
)
from toktk.pretokenizers.patterns import PATTERNS
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.pretokenizers.syntax import without_intersections

if TYPE_CHECKING:
    import tiktoken

_LINES = 100_000  # read at once
_NAME = re.compile(r"\w[\w-]*", re.ASCII)

# Of files that list none, as versions up to v7; the rest is called <SPECIAL_20> and so on.
_SPECIAL_TOKENS = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]",
    "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)  # fmt: skip


@dataclass(frozen=True)
class RankFile:
    """What the file at `path` says, as ``tiktoken.Encoding`` takes it; ranks are ids."""

    path: Path
    pattern: str
    ranks: Mapping[bytes, int]
    special_tokens: Mapping[str, int]
    name: str = ""

    def parts(self) -> Parts:
        """Return the pretokenizer and the model that give the ids that tiktoken gives.

        The model is a BpeModel where ids lie as toktk lays them out, and merging makes every token. A
        pattern that leaves text between its matches is NotNative: tiktoken drops that text.
        """
        with Fields(self.path).blaming("ranks", "one id for each token and for each byte"):
            model = PairModel.from_ranks(self.ranks, self.special_tokens)
        pattern = without_intersections(self.pattern)
        with left_to_library("split pattern"):
            pretokenizer = named_pretokenizer(pattern, "tiktoken")
            if leaves_gaps(compile_pattern(pattern, "tiktoken")):
                raise NotNative(
                    f"the split pattern {clipped(self.pattern, 200)} does not match everywhere"
                )
            if pretokenizer.compile() is None:
                raise NotNative("the split pattern, whose tables are too large")
        own = None
        if not model.whole.any():
            merges = model.pairs[:, :3]
            own = in_own_order(self.special_tokens, model.byte_ids, merges, model.vocab_size)
        return pretokenizer, own or model


def arguments_path(path: Path) -> Path:
    """Return the file beside a ``.tiktoken`` that holds the other arguments of ``tiktoken.Encoding``."""
    return path.with_name(f"{path.name}.json")


def rank_file(raw: bytes, path: Path, is_tekken: bool = False) -> RankFile:
    """Return what the bytes `raw` of a ``.tiktoken`` hold, with what is beside it, or of a ``tekken.json``.

    Of the arguments beside a ``.tiktoken``, only `pat_str` must be there.
    """
    if is_tekken:
        return _tekken_file(raw, path)
    ranks = _parse_ranks(raw, path)
    Fields(path).check_ids("ranks", ranks, len(ranks))
    Fields(path).check_lengths("ranks", ranks)
    beside = arguments_path(path)
    if not beside.exists():
        return _without_arguments(path, ranks)
    fields, arguments = Fields(beside), parse_json(read_bytes(beside), beside)
    name = fields.typed(str, arguments.get("name", path.stem), "name", "a string")
    pattern: Any = arguments.get("pat_str")
    size: Any = arguments.get("explicit_n_vocab") or 0
    special_tokens = fields.typed(dict, arguments.get("special_tokens", {}), "special_tokens")
    are_ids = all(is_text(key) and type(i) is int for key, i in special_tokens.items())
    fields.check(is_text(pattern), "pat_str", pattern, "a split pattern")
    pattern = _pattern_of(fields, pattern)
    fields.check_pattern("pat_str", pattern)
    fields.check(are_ids, "special_tokens", special_tokens, "names with their ids")
    fields.check_ids("special_tokens", special_tokens, len(ranks) + len(special_tokens))
    fields.check(type(size) is int, "explicit_n_vocab", size, "a number")
    ids = {*ranks.values(), *special_tokens.values()}
    n = len(ranks) + len(special_tokens)
    if size and (size != n or len(ids) != n or not 0 <= min(ids) <= max(ids) < n):
        raise FormatError(
            f"{path} and {beside.name} do not belong together.",
            f"Found: {len(ranks):,} ranks and {len(special_tokens):,} special tokens.",
            f"Together they must be the ids 0 to {size - 1:,}, each once.",
        )
    return RankFile(path, pattern, ranks, special_tokens, name=name)


def _pattern_of(fields: Fields, text: str) -> str:
    """Return the pattern that ``pat_str`` is, or names; a name that toktk does not know is an error."""
    known = PATTERNS | {"kimi": KIMI}
    if text not in known and _NAME.fullmatch(text):
        wanted = f"a pattern, or one of the names {', '.join(known)}"
        raise fields.error("pat_str", f"the name {text!r}{did_you_mean(text, known)}", wanted)
    return known.get(text, text)


def _without_arguments(path: Path, ranks: dict[bytes, int]) -> RankFile:
    """Return what is known of ranks by the name of their file, by what they are, or by their folder."""
    config = config_path(path)
    names: dict[int, str] = {}
    is_kimi = False
    if config.is_file():
        settings = parse_json(read_bytes(config), config)
        is_kimi = settings.get("tokenizer_class") == "TikTokenTokenizer"
        names = _config_tokens(Fields(config), settings.get("added_tokens_decoder", {}))
    encoding = named_encoding(path.stem) or published_encoding(ranks)
    n = len(ranks)
    if is_kimi or (encoding is not None and encoding[1] == KIMI):
        foreign = next((i for i in names if not n <= i < n + 256), None)
        wanted = f"ids from {n:,} to {n + 255:,}, behind the ranks"
        Fields(config).check(foreign is None, "added_tokens_decoder", foreign, wanted)
        if names or encoding is None:
            encoding = ("kimi", KIMI, kimi_tokens(n, names))
    if encoding is None:
        example = json.dumps({"pat_str": "llama3", "special_tokens": {"<name>": n}})
        raise FormatError(
            f"cannot read {path}: a .tiktoken file without its pattern.",
            f"Found: neither {arguments_path(path).name} nor an encoding that toktk knows by its name "
            f"({', '.join(ENCODINGS)}) or by its ranks (Llama 3 and 4, Qwen, Kimi, OpenAI's).",
            f"Write {example} there: its pattern, or the name of a pattern (toktk ls pretokenizers).",
        )
    name, pattern, special_tokens = encoding
    return RankFile(path, pattern, ranks, special_tokens, name=name)


def config_path(path: Path) -> Path:
    """Return the file with the settings of a folder that a tokenizer lies in."""
    return path.with_name("tokenizer_config.json")


def _config_tokens(fields: Fields, listed: Any) -> dict[int, str]:
    """Return {id: name} of the field ``added_tokens_decoder``."""
    names = {}
    for key, entry in fields.typed(dict, listed, "added_tokens_decoder").items():
        name: Any = entry.get("content") if isinstance(entry, dict) else None
        is_sound = is_text(name) and re.fullmatch("[0-9]{1,9}", key) is not None
        fields.check(
            is_sound, f"added_tokens_decoder[{short(key)}]", entry, "an id with its content"
        )
        names[int(key)] = name
    return names


def _parse_ranks(raw: bytes, path: Path) -> dict[bytes, int]:
    """Return {token: rank} of a ``.tiktoken`` file; a damaged line is named.

    As in tiktoken, any white space stands between the two, and empty lines mean nothing. Many lines
    are read at once. If one is damaged, they are read one by one, which takes longer.
    """
    listed = raw.removeprefix(b"\xef\xbb\xbf").splitlines()
    lines = [line for line in listed if line and not line.isspace()]
    ranks: dict[bytes, int] = {}
    for first in range(0, len(lines), _LINES):
        ranks |= _ranks_of(lines[first : first + _LINES])
        if len(ranks) < min(first + _LINES, len(lines)):
            break
    if len(ranks) < len(lines):
        ranks = {}
        for number, line in enumerate(listed, start=1):
            words = line.split()
            if not words:
                continue
            token = _base64_token(words[0])
            is_rank = len(words) == 2 and re.fullmatch(rb"\d{1,9}", words[1])
            if not token or token in ranks or not is_rank:
                raise FormatError(
                    f"{path} is damaged: line {number}.",
                    f"Found: {line[:80]!r}.",
                    "Each line is a new token in base64, a space and its rank.",
                )
            ranks[token] = int(words[1])
    missing = next((b for b in range(256) if bytes([b]) not in ranks), None)
    if missing is not None:
        raise FormatError(f"{path} is damaged.", f"Found: no rank for the byte {missing:#04x}.")
    return ranks


def _ranks_of(lines: Sequence[bytes]) -> dict[bytes, int]:
    """Return {token: rank} of lines; nothing if one is damaged."""
    flat = b" ".join(lines).split(b" ")
    if len(flat) != 2 * len(lines) or not flat[1].isdigit():  # more than one blank, or a tab
        lines = [b" ".join(line.split()) for line in lines]
        flat = b" ".join(lines).split(b" ")
    numbers = flat[1::2]
    has_pairs = {line.count(b" ") for line in lines} == {1}
    are_ranks = b"".join(numbers).isdigit() and set(map(len, numbers)) <= set(range(1, 10))
    sound = has_pairs and are_ranks
    return (_all_ranks(flat[::2], list(map(int, numbers))) if sound else None) or {}


def _all_ranks(texts: Sequence[bytes | str], ranks: Sequence[int]) -> dict[bytes, int] | None:
    """Return {token: rank} of tokens in base64; None if one is malformed or not new."""
    try:
        tokens = [binascii.a2b_base64(text, strict_mode=True) for text in texts]
    except (TypeError, ValueError):
        return None
    rank_of = dict(zip(tokens, ranks, strict=True))
    return rank_of if len(rank_of) == len(tokens) and b"" not in rank_of else None


def _base64_token(text: bytes) -> bytes:
    """Return the token that base64 stands for; empty where it is malformed."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return b""


def _tekken_file(raw: bytes, path: Path) -> RankFile:
    fields, top = Fields(path), parse_json(raw, path)
    config = fields.typed(dict, top.get("config"), "config")
    pattern: Any = config.get("pattern")
    fields.check(is_text(pattern), "config.pattern", pattern, "a split pattern")
    fields.check_pattern("config.pattern", pattern)
    vocab = fields.typed(list, top.get("vocab"), "vocab")
    most = highest_id(len(vocab))
    for key in ("default_vocab_size", "default_num_special_tokens"):
        number = config.get(key)
        wanted = f"a number up to {most:,}, in a file of {len(vocab):,} tokens"
        fields.check(is_id(number, most), f"config.{key}", number, wanted)
    n_special: int = config["default_num_special_tokens"]
    n_ranks = config["default_vocab_size"] - n_special
    if not 256 <= n_ranks <= len(vocab):
        found = f"{len(vocab):,} tokens, of which {n_ranks:,} are to be read"
        raise fields.error("config.default_vocab_size", found, "at least the 256 bytes")
    ranks = _ranks(fields, vocab[:n_ranks])
    fields.check_lengths("vocab", ranks)
    ids = {token: n_special + rank for token, rank in ranks.items()}
    return RankFile(
        path, pattern, ids, _special_tokens(fields, top.get("special_tokens"), n_special)
    )


def _ranks(fields: Fields, vocab: Sequence[Any]) -> dict[bytes, int]:
    """Return {token: rank} of all entries, read at once; what is wrong is found one by one."""
    try:
        numbers = [entry["rank"] for entry in vocab]
        texts = [entry["token_bytes"] for entry in vocab]
    except (KeyError, TypeError):
        numbers = texts = []
    if numbers == list(range(len(vocab))) and set(map(type, numbers)) == {int}:
        ranks = _all_ranks(texts, numbers)
        if ranks is not None:
            return ranks
    ranks = {}
    for i, entry in enumerate(vocab):
        entry = fields.typed(dict, entry, f"vocab[{i}]")
        rank, text = entry.get("rank"), entry.get("token_bytes")
        fields.check(is_id(rank) and rank == i, f"vocab[{i}].rank", rank, f"{i}")
        token = _base64_token(text.encode()) if is_text(text) else b""
        is_new = token != b"" and token not in ranks
        fields.check(is_new, f"vocab[{i}].token_bytes", text, "a new token in base64")
        ranks[token] = i
    return ranks


def _special_tokens(fields: Fields, listed: Any, n: int) -> dict[str, int]:
    """Return {name: id} of all `n`: those listed, the others by number."""
    if listed is None:
        listed = [{"rank": i, "token_str": name} for i, name in enumerate(_SPECIAL_TOKENS)]
    names: dict[int, str] = {}
    for i, entry in enumerate(fields.typed(list, listed, "special_tokens")):
        entry = fields.typed(dict, entry, f"special_tokens[{i}]")
        name: Any = entry.get("token_str")
        rank: Any = entry.get("rank")
        is_new = is_text(name) and is_id(rank, n - 1) and rank not in names
        fields.check(is_new, f"special_tokens[{i}]", entry, f"new ids below {n} with their names")
        names[rank] = name
    ids = {names.get(i, f"<SPECIAL_{i}>"): i for i in range(n)}
    if len(ids) < n:
        raise fields.error("special_tokens", "a name given twice", "different names")
    return ids


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


def write_tiktoken(
    name: str, pretokenizer: Pretokenizer, model: Model, path: Path
) -> tuple[str, ...]:
    """Write the ranks to `path`, pattern and special tokens to the same name with ``.json`` added.

    Return where ids can differ in tiktoken though pieces that are cut alike have the same.

    Equal tokenizers of one name give equal files. Ranks are ids; special tokens have none. FormatError is
    raised where tiktoken would lose the text that the pattern leaves between two matches, too.
    """
    ranks: Mapping[bytes, int] = {}
    lines: bytes | memoryview | None = None
    if isinstance(model, BpeModel):
        special_tokens, texts = _numbered(model.special_tokens), texts_of(model)
        if texts.are_distinct:
            lines = texts.lines(model.vocab_size)
        else:
            ranks = mergeable_ranks(model)
    elif isinstance(model, PairModel) and not model.characters:
        special_tokens = special_ids(model)
        ranks = {token: i for i, token in ordinary_tokens(model).items()}
    else:
        raise FormatError(
            "cannot write .tiktoken: tiktoken knows ranked merges alone.",
            why_unheld(model),
        )
    pattern = exported_pattern(pretokenizer)
    if leaves_gaps(compile_pattern(pretokenizer.pattern, pretokenizer.library)):
        raise FormatError(
            "cannot write .tiktoken: the split pattern does not match everywhere: "
            f"{clipped(pretokenizer.pattern, 200)}.",
            "Found: tiktoken drops the text between two matches; toktk makes it a piece.",
            r"Add an alternative that matches the rest, such as |\s+|\S.",
        )
    # Can tiktoken run it?
    _encoding(RankFile(path, pattern, {bytes([b]): b for b in range(256)}, {}))
    notes = table_notes(pretokenizer, "tiktoken", path.name)
    check_special_tokens(model.special_tokens)
    if isinstance(model, PairModel):
        read = functools.partial(PairModel.from_ranks, ranks, special_tokens)
        check_read_back(".tiktoken", model, read, "tiktoken")
    file = RankFile(path, pattern, ranks, special_tokens, name)
    if lines is None:
        write_ranks(file, path)
    else:
        _write(file, path, lines, model.vocab_size)
    return notes


def _numbered(names: Sequence[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


def write_ranks(file: RankFile, path: Path) -> None:
    """Write ranks to `path`, and the other arguments of ``tiktoken.Encoding`` beside it."""
    ids = {*file.ranks.values(), *file.special_tokens.values()}
    ranked = sorted(file.ranks.items(), key=operator.itemgetter(1))
    lines = [b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in ranked]
    # With holes, the library wants no number.
    _write(file, path, b"".join(lines), len(ids) if len(ids) == max(ids) + 1 else None)


def _write(file: RankFile, path: Path, lines: bytes | memoryview, n_ids: int | None) -> None:
    arguments: dict[str, Any] = {
        "name": file.name.encode(errors="replace").decode(),  # a file's name can be no UTF-8
        "pat_str": file.pattern,
        "special_tokens": dict(file.special_tokens),
    }
    if n_ids is not None:
        arguments["explicit_n_vocab"] = n_ids
    with atomic_write(path) as temporary:
        temporary.write_bytes(lines)
    with atomic_write(arguments_path(path)) as temporary:
        text = json.dumps(arguments, ensure_ascii=False, indent=2) + "\n"
        temporary.write_text(text, encoding="utf-8", newline="\n")


def mergeable_ranks(model: BpeModel) -> dict[bytes, int]:
    """Return {token: id} without the special tokens, in the order of ids."""
    n = len(model.special_tokens)
    return {token: i for i, token in enumerate(model.tokens[n:], start=n)}


def load_tiktoken(path: Path | str) -> tiktoken.Encoding:
    """Return the encoding of a ``.tiktoken`` file, or of the only one in a folder, without a network.

    tiktoken's own ``load_tiktoken_bpe`` keeps a copy by path: it does not see a file written anew.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(path.glob("*.tiktoken"))
        if len(files) != 1:
            names = ", ".join(file.name for file in files) or "none"
            raise FormatError(f"cannot choose a .tiktoken file in {path}.", f"Found: {names}.")
        path = files[0]
    return _encoding(rank_file(read_bytes(path), path))


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
            f"tiktoken cannot run the split pattern {clipped(file.pattern, 200)}.",
            f"Found: {error}.",
        ) from error


def agreement(model: BpeModel) -> Agreement:
    """Find out by proof (see the module) whether tiktoken gives equal ids on every text."""
    repeated = len(model.merges) - (model.vocab_size - model.base_size)
    differing = texts_of(model).differing(model)
    tokens = len(differing_tokens(model) if differing is None else differing)
    return Agreement(not (repeated or tokens), tokens, repeated)
