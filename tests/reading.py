"""Files of any format as tokenizers, and tokenizers as files."""

from __future__ import annotations

from pathlib import Path

from toktk.errors import FormatError
from toktk.formats.fields import NotNative, read_bytes
from toktk.formats.files import file_contents, file_of, prepared, read
from toktk.formats.hf_write import write_tokenizer_json
from toktk.formats.sentencepiece import by_pieces, write_sentencepiece
from toktk.tokenizer import Tokenizer

# What a reader raises about a file that toktk does not read.
UNREAD = (FormatError, NotNative)


def read_file(path, format=None):
    """Read a file, or a folder with one, as `toktk bench` does."""
    path = file_of(Path(path))
    raw, found = (read_bytes(path), format) if format else file_contents(path)
    return Tokenizer(path.stem, *read(prepared(raw, path, found)[0], path, found))


def read_by_pieces(path):
    """Read a file as `toktk convert` does."""
    raw, format = file_contents(Path(path))
    parts = read(raw, Path(path), format)
    return Tokenizer(
        Path(path).stem, *by_pieces(raw, Path(path), parts) if format == "sentencepiece" else parts
    )


def write_json(tokenizer, path):
    return write_tokenizer_json(tokenizer.pretokenizer, tokenizer.model, path)


def write_model(tokenizer, path):
    return write_sentencepiece(tokenizer.pretokenizer, tokenizer.model, path)
