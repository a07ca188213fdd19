"""What readers of files share: bytes, JSON, and checks of fields, so that every complaint names its field."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from toktk.errors import FormatError, LimitError, PatternError, clipped, in_a_line
from toktk.models.model import Model
from toktk.models.pairs import MAX_ID, highest_id
from toktk.paths import kind
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.pretokenizers.syntax import check_size
from toktk.sizes import bytes_label

T = TypeVar("T")
Parts = tuple[Pretokenizer, Model]

# Of a file, in bytes; of a token, in characters or bytes. The largest public tokenizers have some 35 MB and
# tokens of some hundreds. Reading takes up to ten times the memory of a file, and libraries 70 times that
# of a token.
MAX_BYTES = 2**27
MAX_TOKEN = 2**16

# A pipe is not to wait for a writer: it is opened at once, and then refused.
_OPENING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
DEEP = 127  # levels of JSON, as in the library of tokenizer.json
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_KINDS = {dict: "an object", list: "a list", bool: "true or false"}


class NotNative(Exception):
    """Something, in one line, that toktk does not do itself; a library does, so it is no error."""


class Fields:
    """Checks values of the file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def error(self, field: str, found: str, wanted: str) -> FormatError:
        """Return what to raise about `field`."""
        return FormatError(
            f"cannot read {self.path}: {field}.", f"Found: {found}.", f"Readable is: {wanted}."
        )

    def check(self, is_sound: bool, field: str, value: Any, wanted: str) -> None:
        """Refuse the value of a field unless it `is_sound`."""
        if not is_sound:
            raise self.error(field, short(value), wanted)

    def typed(self, kind: type[T], value: Any, field: str, wanted: str = "") -> T:
        """Return `value` if it is of the type `kind`."""
        if not isinstance(value, kind):
            raise self.error(field, short(value), wanted or _KINDS[kind])
        return value

    def flag(self, holder: dict[str, Any], field: str, default: bool = False) -> bool:
        """Return the value that `holder` has under the last part of `field`, if it is true or false."""
        return self.typed(bool, holder.get(field.rpartition(".")[2], default), field)

    def check_pattern(self, field: str, pattern: str) -> None:
        """Refuse a pattern that is a danger to any library."""
        try:
            check_size(pattern)
        except LimitError as error:
            lines = str(error).splitlines()
            raise LimitError(
                f"cannot read {self.path}: {field}.", *map(str.strip, lines)
            ) from error

    def check_lengths(self, field: str, tokens: Collection[str | bytes]) -> None:
        """Refuse a token of more than `MAX_TOKEN` characters, or bytes."""
        longest = max(map(len, tokens), default=0)
        if longest > MAX_TOKEN:
            token = next(token for token in tokens if len(token) == longest)
            raise LimitError(
                f"cannot read {self.path}: {field}.",
                f"Found: a token of {longest:,} characters: {clipped(token)}.",
                f"Readable are tokens of up to {MAX_TOKEN:,}.",
            )

    def check_ids(self, field: str, ids: Mapping[Any, int], n_tokens: int) -> None:
        """Refuse an id so high that memory by id would have nothing to do with the `n_tokens` of a file."""
        highest, most = max(ids.values(), default=0), highest_id(n_tokens)
        if highest > most:
            token = next(token for token, i in ids.items() if i == highest)
            name = clipped(token) if isinstance(token, bytes) else short(token)
            number = f"{highest:,}" if highest < 10**30 else "a number of more than 30 digits"
            raise LimitError(
                f"cannot read {self.path}: {field}[{name}].",
                f"Found: the id {number}, in a file of {n_tokens:,} tokens.",
                f"Readable is: ids up to {most:,}, for memory is taken by id.",
            )

    @contextlib.contextmanager
    def blaming(self, field: str, wanted: str) -> Iterator[None]:
        """Let an error that is raised within name this field."""
        try:
            yield
        except FormatError as error:
            raise self.error(field, in_a_line(error), wanted) from error


@contextlib.contextmanager
def left_to_library(what: str) -> Iterator[None]:
    """Turn an error that is raised within into NotNative, which says `what`, what was asked and found."""
    try:
        yield
    except LimitError:
        raise
    except (FormatError, PatternError) as error:
        asked, *more = map(str.strip, str(error).splitlines())
        found = [line for line in more if line.startswith("Found: ")]
        raise NotNative(f"{what}: {' '.join([asked, *found])}") from error


def short(value: Any, most: int = 80, ascii: bool = True) -> str:
    """Return `value` as JSON, cut to `most` characters; no more of it is looked at."""
    if isinstance(value, str):
        value = value[: most + 1]
    text = ""
    for part in json.JSONEncoder(ensure_ascii=ascii).iterencode(value):
        text += part[: most + 1]
        if len(text) > most:
            return f"{text[: most - 3]}..."
    return text


def word(value: str) -> str:
    """Return a name of a kind or a rule as `short` has it, without quotes."""
    return short(value, ascii=False)[1:].removesuffix('"')


def has_surrogate(text: str) -> bool:
    """Tell whether `text` holds a surrogate, for which UTF-8 has no bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def is_text(value: Any) -> TypeGuard[str]:
    """Tell whether a value of a JSON file is a string that has UTF-8 and is not empty."""
    return isinstance(value, str) and value != "" and not has_surrogate(value)


def is_id(value: Any, highest: int = MAX_ID) -> TypeGuard[int]:
    """Tell whether a value of a JSON file is an integer from 0 to `highest`."""
    return type(value) is int and 0 <= value <= highest


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a regular file of at most `MAX_BYTES`, or raise FormatError."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, _OPENING)) as file:
            status = os.fstat(file.fileno())
            check_regular(path, status.st_mode, "Save the tokenizer to a file first.")
            if status.st_size > MAX_BYTES:
                raise FormatError(
                    f"cannot read {path}: it is too large for a tokenizer.",
                    f"Found: {bytes_label(status.st_size)}.",
                    f"Readable are files of up to {bytes_label(MAX_BYTES)}.",
                )
            raw = file.read(status.st_size + 1)
    except OSError as error:
        raise FormatError(f"cannot read {path}.", f"Found: {error.strerror or error}.") from error
    if len(raw) != status.st_size:
        raise FormatError(
            f"cannot read {path}: it changes.",
            f"Found: {len(raw):,} bytes or more, where its size is {status.st_size:,}.",
            "Copy it to a file that nothing writes to.",
        )
    return raw


def check_regular(path: Path, mode: int, advice: str) -> None:
    """Refuse what is no regular file: its `mode` is that of a folder, a device, a pipe or a socket."""
    if not stat.S_ISREG(mode):
        raise FormatError(
            f"cannot use {path}: it is no regular file.",
            f"Found: {kind(mode)}.",
            advice,
        )


def parse_json(raw: bytes, path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds, or raise FormatError.

    Of equal keys the last counts, as in the libraries that own the formats.
    """
    what = f"{path} is not valid JSON."
    try:
        document = json.loads(raw)
    except RecursionError as error:
        found = (
            f"Found: arrays and objects nested more than {DEEP} deep, at byte {_deep_at(raw):,}."
        )
        raise FormatError(what, found, "Libraries read no deeper ones either.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise FormatError(what, f"Found: {error}.") from error
    except ValueError as error:  # all that is left: see sys.get_int_max_str_digits
        raise FormatError(what, "Found: a whole number of thousands of digits.") from error
    return Fields(path).typed(dict, document, "the file")


def _deep_at(raw: bytes) -> int:
    """Return the place where arrays and objects are nested more than `DEEP` deep."""
    depth = 0
    for match in _NESTING.finditer(raw):
        depth += (match[0] in b"[{") - (match[0] in b"]}")
        if depth > DEEP:
            return match.start()
    return len(raw)
