"""``tekken.json``, the format of mistral-common: tiktoken's ranks, and special tokens before them.

The first ids are those of special tokens; a token's id is its rank and their number. Of the tokens
listed, the first ``default_vocab_size - default_num_special_tokens`` count.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toktk.formats.fields import Fields, is_id, is_text, parse_json
from toktk.formats.tiktoken import RankFile, all_ranks, base64_token
from toktk.models.pairs import MAX_ID

# Of files that list none, as versions up to v7; the rest is called <SPECIAL_20> and so on.
_SPECIAL_TOKENS = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]",
    "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)  # fmt: skip


def tekken_file(path: Path, raw: bytes) -> RankFile:
    """Return what a ``tekken.json`` of the bytes `raw` holds."""
    fields, top = Fields(path), parse_json(raw, path)
    config = fields.typed(dict, top.get("config"), "config")
    pattern: Any = config.get("pattern")
    fields.check(is_text(pattern), "config.pattern", pattern, "a split pattern")
    for key in ("default_vocab_size", "default_num_special_tokens"):
        number = config.get(key)
        fields.check(is_id(number), f"config.{key}", number, f"a number up to {MAX_ID:,}")
    n_special: int = config["default_num_special_tokens"]
    n_ranks = config["default_vocab_size"] - n_special
    vocab = fields.typed(list, top.get("vocab"), "vocab")
    if not 256 <= n_ranks <= len(vocab):
        found = f"{len(vocab):,} tokens, of which {n_ranks:,} are to be read"
        raise fields.error("config.default_vocab_size", found, "at least the 256 bytes")
    ranks = _ranks(fields, vocab[:n_ranks])
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
        ranks = all_ranks(texts, numbers)
        if ranks is not None:
            return ranks
    ranks = {}
    for i, entry in enumerate(vocab):
        entry = fields.typed(dict, entry, f"vocab[{i}]")
        rank, text = entry.get("rank"), entry.get("token_bytes")
        fields.check(is_id(rank) and rank == i, f"vocab[{i}].rank", rank, f"{i}")
        token = base64_token(text.encode()) if is_text(text) else b""
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
