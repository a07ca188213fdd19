"""``tekken.json``, the format of mistral-common: tiktoken's ranks, and special tokens before them.

The first ids are those of special tokens; a token's id is its rank and their number. Of the tokens
listed, the first ``default_vocab_size - default_num_special_tokens`` count.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toktk.formats.fields import Fields, is_text, parse_json, read_bytes, short
from toktk.formats.tiktoken_read import RankFile, base64_token
from toktk.models.pairs import MAX_ID

# Of files that list none, as versions up to v7; the rest is called <SPECIAL_20> and so on.
_SPECIAL_TOKENS = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]",
    "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)  # fmt: skip


def tekken_file(path: Path, raw: bytes | None = None) -> RankFile:
    """Return what a ``tekken.json`` holds.

    Args:
        path: the file.
        raw: its bytes, where they were read before.

    Raises:
        FormatError: the file is missing or damaged; the error names the field.
    """
    reader = _Reader(path)
    top = parse_json(read_bytes(path) if raw is None else raw, path)
    config = reader.as_object(top.get("config"), "config")
    if not is_text(config.get("pattern")):
        raise reader.error("config.pattern", short(config.get("pattern")), "a split pattern")
    size = reader.number(config, "default_vocab_size")
    n_special = reader.number(config, "default_num_special_tokens")
    vocab = reader.as_list(top.get("vocab"), "vocab")
    if not 256 <= size - n_special <= len(vocab):
        found = f"{len(vocab):,} tokens, of which {size - n_special:,} are to be read"
        raise reader.error("config.default_vocab_size", found, "at least the 256 bytes")
    ranks = reader.ranks(vocab[: size - n_special])
    special_tokens = reader.special_tokens(top.get("special_tokens"), n_special)
    return RankFile(path, config["pattern"], ranks, special_tokens, n_special)


class _Reader(Fields):
    def number(self, config: dict[str, Any], key: str) -> int:
        value = config.get(key)
        if type(value) is not int or not 0 <= value <= MAX_ID:
            raise self.error(f"config.{key}", short(value), f"a number up to {MAX_ID:,}")
        return value

    def ranks(self, vocab: Sequence[Any]) -> dict[bytes, int]:
        """Return {token: rank} of all entries, read at once; what is wrong is found one by one."""
        try:
            numbers = [entry["rank"] for entry in vocab]
            tokens = [
                binascii.a2b_base64(entry["token_bytes"], strict_mode=True) for entry in vocab
            ]
        except (KeyError, TypeError, ValueError):
            return self.each_rank(vocab)
        ranks = dict(zip(tokens, numbers, strict=True))
        ordered = numbers == list(range(len(vocab))) and set(map(type, numbers)) <= {int}
        sound = ordered and len(ranks) == len(vocab) and b"" not in ranks
        return ranks if sound else self.each_rank(vocab)

    def each_rank(self, vocab: Sequence[Any]) -> dict[bytes, int]:
        """Read entry by entry, which takes longer, to name the one that is damaged."""
        ranks: dict[bytes, int] = {}
        for i, entry in enumerate(vocab):
            field = f"vocab[{i}]"
            entry = self.as_object(entry, field)
            if type(entry.get("rank")) is not int or entry["rank"] != i:
                raise self.error(f"{field}.rank", short(entry.get("rank")), f"{i}")
            text = entry.get("token_bytes")
            token = base64_token(text.encode()) if is_text(text) else b""
            if not token:
                raise self.error(f"{field}.token_bytes", short(text), "bytes in base64")
            if ranks.setdefault(token, i) != i:
                raise self.error(f"{field}.token_bytes", f"{token!r} once more", "new tokens")
        return ranks

    def special_tokens(self, listed: Any, n: int) -> dict[str, int]:
        """Return {name: id} of all `n`: those listed, the others by number."""
        if listed is None:
            listed = [{"rank": i, "token_str": name} for i, name in enumerate(_SPECIAL_TOKENS)]
        names: dict[int, str] = {}
        for i, entry in enumerate(self.as_list(listed, "special_tokens")):
            entry = self.as_object(entry, f"special_tokens[{i}]")
            name, rank = entry.get("token_str"), entry.get("rank")
            if not is_text(name) or type(rank) is not int or not 0 <= rank < n or rank in names:
                wanted = f"new ids below {n}, with their names"
                raise self.error(f"special_tokens[{i}]", short(entry), wanted)
            names[rank] = name
        ids = {names.get(i, f"<SPECIAL_{i}>"): i for i in range(n)}
        if len(ids) < n:
            raise self.error("special_tokens", "a name given twice", "different names")
        return ids
