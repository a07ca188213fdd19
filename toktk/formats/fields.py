"""What readers of files share: bytes, JSON, and checks of fields, so that every complaint names its field."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from toktk.errors import FormatError, PatternError, in_a_line
from toktk.models.model import Model
from toktk.models.pairs import MAX_ID
from toktk.pretokenizers.pretokenizer import Pretokenizer

T = TypeVar("T")
Parts = tuple[Pretokenizer, Model]

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

    @contextlib.contextmanager
    def blaming(self, field: str, wanted: str) -> Iterator[None]:
        """Let an error that is raised within name this field."""
        try:
            yield
        except FormatError as error:
            raise self.error(field, in_a_line(error), wanted) from error


@contextlib.contextmanager
def left_to_library(what: str) -> Iterator[None]:
    """Turn an error that is raised within into NotNative, which says `what` and the error's first line."""
    try:
        yield
    except (FormatError, PatternError) as error:
        raise NotNative(f"{what}: {str(error).splitlines()[0]}") from error


def short(value: Any) -> str:
    """Return `value` as JSON, cut to a line."""
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


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
    """Return the bytes of a file, or raise FormatError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormatError(f"cannot read {path}.", f"Found: {error.strerror or error}.") from error


def parse_json(raw: bytes, path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds, or raise FormatError."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not valid JSON.", f"Found: {error}.") from error
    return Fields(path).typed(dict, document, "the file")
