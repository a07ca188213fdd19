"""Conversion: any tokenizer that can be loaded, in the format of another library, or of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toktk.errors import FormatError
from toktk.formats.files import check_targets, targets, write_as
from toktk.formats.sentencepiece import by_pieces, sentencepiece_notes
from toktk.formats.tiktoken import RankFile, write_ranks
from toktk.loading.load import open_tokenizer
from toktk.loading.token_bytes import doubts, holds_token_bytes, write_token_bytes
from toktk.models.counts import COUNTS_ALONE, CountsModel
from toktk.models.pairs import PairModel
from toktk.models.unigram import UnigramModel
from toktk.paths import atomic_write
from toktk.tokenizer import Tokenizer


def convert(spec: str, target: Path) -> tuple[Tokenizer, tuple[Path, ...], tuple[str, ...]]:
    """Write the tokenizer of a spec in the format that the name of `target` says.

    Return it, the files, and where ids can differ. A published tokenizer is written in its own
    format as it is, with the settings beside it in it. Of token bytes, the notes say why they may not add
    up to the bytes of a text.

    Raises:
        FormatError: there is no such tokenizer, or an id would change; the first one is named.
        StorageError: a file cannot be written.
    """
    check_targets(target)
    loaded = open_tokenizer(spec)
    if isinstance(loaded.build(), CountsModel):
        raise FormatError(f"cannot convert {spec}.", f"Found: {COUNTS_ALONE}.")
    if holds_token_bytes(target):
        tokenizer = loaded.checked()
        write_token_bytes(tokenizer, target)
        return tokenizer, (target,), doubts(tokenizer)
    native = loaded.native
    is_published = native is None or isinstance(native.model, PairModel)
    if is_published and _copied(loaded.build(), target):
        return native or loaded.reference, targets(target), loaded.notes
    if native is None:
        raise FormatError(
            f"cannot convert {spec}.",
            f"Found: {loaded.why}.",
            "toktk leaves that to the file's library, and has no way to write it for another.",
        )
    parts, notes = (native.pretokenizer, native.model), loaded.notes
    if loaded.library.startswith("sentencepiece") and isinstance(native.model, UnigramModel):
        source: Any = loaded.build()
        parts = by_pieces(source.proto, target, parts)
        notes += sentencepiece_notes(parts[1]) if isinstance(parts[1], UnigramModel) else ()
    files, more = write_as(*parts, target)
    return Tokenizer(loaded.label, *parts), files, (*notes, *more)


def _copied(source: Any, target: Path) -> bool:
    """Write what a library runs in the library's own format, if that is what `target` names."""
    if source.kind == "tiktoken-documents" and target.suffix == ".tiktoken":
        write_ranks(
            RankFile(target, source.pattern, source.ranks, source.special, target.stem), target
        )
        return True
    if source.kind == "hf-documents" and target.suffix == ".json" and len(targets(target)) == 1:
        content = source.document.encode("utf-8", "surrogatepass")
    elif source.kind == "sentencepiece-documents" and target.suffix == ".model":
        content = source.proto
    else:
        return False
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)
    return True
