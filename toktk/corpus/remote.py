"""Files at addresses, such as https:// and s3://: each is downloaded once, into toktk's home.

A download is kept as what the address held when the server last gave it a mark (ETag, date, hash): each
load asks for the mark, and downloads again what has another one.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from toktk import __version__
from toktk.cache import Store, hold
from toktk.errors import CorpusError, StorageError, ToktkError, clipped, in_a_line
from toktk.places import without_secrets

_DATASET_PAGE = re.compile(
    r"https?://huggingface\.co/datasets/([\w.-]+/[\w.-]+)(/(tree|viewer|blob)/.*)?/?"
)
_EXTENSIONS = re.compile(r"(\.\w{1,12}){0,2}$")
_SECONDS = 60
"""How long a server may be silent."""


class Download(NamedTuple):
    """A file of an address.

    Attributes:
        path: where it lies now.
        address: where it lay, without what may be secret in it.
        below: its folders and its name below what the spec names, for its group.
    """

    path: Path
    address: str
    below: tuple[str, ...]


def download(address: str, wanted: Callable[[Path], bool]) -> list[Download]:
    """Return the files at an address, downloaded: one, those of a folder that are `wanted`, or of a glob.

    Raises:
        CorpusError: it cannot be read, or holds nothing.
        StorageError: there is no room.
    """
    protocol = address.partition("://")[0].lower()
    with _reading(address, protocol):
        if protocol in ("http", "https"):
            return [_over_http(address)]
        return list(_through_fsspec(address, wanted))


@contextlib.contextmanager
def _reading(address: str, protocol: str) -> Iterator[None]:
    """Say what went wrong with an address inside the block, and what to do."""
    what = f"cannot read {without_secrets(address)}."
    try:
        yield
    except ToktkError:
        raise
    except ImportError as error:
        raise CorpusError(
            what,
            f"Found: no driver for {protocol}:// ({in_a_line(error)}).",
            "Install it beside toktk, or download the files and give their folder with -c.",
        ) from error
    # Drivers are foreign code, with errors of their own: of networks, accounts, addresses.
    except Exception as error:
        raise CorpusError(
            what,
            f"Found: {clipped(in_a_line(error) or type(error).__name__, 400)}.",
            "Check the address, the network, and that you may read it; or download the files and give "
            "their folder with -c.",
        ) from error


@contextlib.contextmanager
def _unwatched(address: str, total: int | None) -> Iterator[Callable[[int], None]]:
    yield lambda n_bytes: None


watched: Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]] = _unwatched
"""What shows a download: around one, with its address and its bytes, None if unknown; it yields the
function to call with the bytes that have come since the last call."""


def _copy(stream: Any, to: IO[bytes], address: str, total: int | None) -> None:
    with watched(address, total) as advance:
        while block := stream.read(1 << 20):
            to.write(block)
            advance(len(block))


def _over_http(address: str) -> Download:
    # Imported here, for they bring much that no other text needs.
    from http.client import IncompleteRead
    from urllib.request import Request, urlopen

    if page := _DATASET_PAGE.fullmatch(without_secrets(address)):
        raise CorpusError(
            f"cannot read {without_secrets(address)}: it is a page about a dataset.",
            f"Give the dataset, hf:{page[1]}, or the address of a file, with /resolve/ in it.",
        )
    name = PurePosixPath(unquote(urlsplit(address).path)).name
    request = Request(address, headers={"User-Agent": f"toktk/{__version__}"})
    with urlopen(request, timeout=_SECONDS) as response:
        told = {key: response.headers[key] for key in ("ETag", "Last-Modified", "Content-Length")}

        def copy(file: IO[bytes]) -> None:
            length = told["Content-Length"] or ""
            total = int(length) if length.isascii() and length.isdigit() else None
            _copy(response, file, without_secrets(address), total)
            if told["Content-Length"] not in (None, str(file.tell())):
                raise IncompleteRead(b"", int(told["Content-Length"]) - file.tell())

        marked = told["ETag"] or told["Last-Modified"]
        path = _kept(address, name, told, copy, anew=not marked)
    return Download(path, without_secrets(address), (name or urlsplit(address).hostname or "",))


def _through_fsspec(address: str, wanted: Callable[[Path], bool]) -> Iterator[Download]:
    import fsspec

    system, root = fsspec.core.url_to_fs(address)
    folder = PurePosixPath(root)
    if glob.has_magic(root):
        files = [file for file in system.glob(root) if system.isfile(file)]
        folder = PurePosixPath(*takewhile(lambda part: not glob.has_magic(part), folder.parts))
    elif system.isdir(root):
        files = [file for file in system.find(root) if wanted(Path(PurePosixPath(file).name))]
    else:
        files, folder = [root], folder.parent
    if not files:
        raise CorpusError(
            f"no text in {without_secrets(address)}.",
            "Found: no file whose extension says that it is text.",
            "Give a file, or a quoted glob.",
        )
    for file in sorted(files):
        at = PurePosixPath(file)

        def copy(to: IO[bytes], file: str = file) -> None:
            with system.open(file, "rb") as stream:
                full = system.unstrip_protocol(file)
                _copy(stream, to, without_secrets(full), getattr(stream, "size", None))

        full = system.unstrip_protocol(file)
        path = _kept(full, at.name, system.ukey(file), copy)
        below = at.relative_to(folder).parts if at.is_relative_to(folder) else (at.name,)
        yield Download(path, without_secrets(full), below)


def _kept(
    address: str, name: str, mark: Any, copy: Callable[[IO[bytes]], None], anew: bool = False
) -> Path:
    """Return the file of an address and its mark, downloaded by `copy` where it is not there, or `anew`."""
    # Hashed, for it may hold a password, and the key can be read in the home. The name is the server's.
    key = [hashlib.sha256(address.encode()).hexdigest(), mark]
    extensions = _EXTENSIONS.search(name)
    own_name = f"text{extensions[0] if extensions else ''}"
    problems: list[str] = []
    failures: list[Exception] = []

    def save(folder: Path) -> None:
        with (folder / own_name).open("xb") as file:
            try:
                copy(file)
            except Exception as error:  # not one of the store's, which takes it for a full disk
                failures.append(error)
                raise StorageError("the download failed.") from error

    def find() -> Path | None:
        return Store().read("downloads", key, lambda folder: folder / own_name, code=None)

    path = None if anew else find()
    if path is None:
        Store(problems.append, force=anew).write("downloads", key, save, code=None)
        path = find()
    if failures:
        raise failures[0]
    if path is None:
        raise StorageError(
            f"cannot keep what was downloaded from {without_secrets(address)}.",
            f"Found: {problems[0] if problems else 'more than the cache may hold'}.",
            "Free space, choose another place with TOKTK_HOME=DIR, or set a higher TOKTK_CACHE_LIMIT.",
        )
    hold(path.parent)
    return path
