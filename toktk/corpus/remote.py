"""Files at addresses, such as https:// and s3://: read a range at a time, or downloaded once.

A download is kept in toktk's home as what the address held when the server last gave it a mark (ETag, date,
hash): each load asks for the mark, and downloads again what has another one. A connection that drops costs
a retry, and what has another mark by then is an error.
"""

from __future__ import annotations

import base64
import contextlib
import glob
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from toktk import __version__
from toktk.cache import Store, hold
from toktk.errors import CorpusError, StorageError
from toktk.places import check_bucket, reaching, retried, system_of, without_secrets

_DATASET_PAGE = re.compile(
    r"https?://huggingface\.co/datasets/([\w.-]+/[\w.-]+)(/(tree|viewer|blob)/.*)?/?"
)
_EXTENSIONS = re.compile(r"(\.\w{1,12}){0,2}$")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_SECONDS = 60
"""How long a server may be silent."""
_BLOCK = 1 << 20
_MOST_ASKED = 1 << 23
"""Bytes that are asked for at once: what a drop loses, at most."""

_MARKS = (
    "ETag", "etag", "md5Hash", "generation", "blob_id", "sha", "checksum", "LastModified", "last_modified",
    "mtime", "modified", "modificationTime", "modify", "last_write_time", "updated", "created",
)  # fmt: skip
"""What file systems tell a version of a file by: the first that is there, for the rest depends on how one
asks."""


@contextlib.contextmanager
def _unwatched(address: str, total: int | None) -> Iterator[Callable[[int], None]]:
    yield lambda n_bytes: None


watched: Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]] = _unwatched
"""What shows a download: around one, with its address and its bytes, None if unknown; it yields the
function to call with the bytes that have come since the last call."""


class RemoteFile(ABC):
    """A file at an address.

    Attributes:
        address: where it lies, with what may be secret in it.
        shown: the same without.
        name: its name, which is the server's.
        size: its bytes; None if unknown.
        mark: the server's sign of its version; None where it gives none.
    """

    size: int | None = None
    mark: str | None = None

    def __init__(self, address: str, name: str) -> None:
        self.address, self.name = address, name
        self.shown = without_secrets(address)

    @property
    def own_name(self) -> str:
        """A name for it here, with its extensions."""
        extensions = _EXTENSIONS.search(self.name)
        return f"text{extensions[0] if extensions else ''}"

    def fetch(self, begin: int, end: int) -> bytes:
        """Return its bytes from `begin` to before `end`, all of them.

        Raises:
            CorpusError: they cannot be had, or it has changed.
        """
        with self.reaching():
            return self._fetched(begin, end)

    @abstractmethod
    def _fetched(self, begin: int, end: int) -> bytes: ...

    @abstractmethod
    def check(self) -> None:
        """Ask for the mark again.

        Raises:
            CorpusError: it has changed.
        """

    @abstractmethod
    def download(self) -> Path:
        """Return a copy of it that is kept in toktk's home, downloaded where there is none of its mark.

        Raises:
            CorpusError: it cannot be read.
            StorageError: there is no room.
        """

    def reaching(self) -> AbstractContextManager[None]:
        """Return what says that this file cannot be read, inside a block."""
        return _reading(self.address)

    def _changed(self, now: object) -> CorpusError:
        return CorpusError(
            f"{self.shown} changed while it was in use.",
            f"Found: {now or 'no mark'}; at first: {self.mark}.",
            "Run again when nobody writes to it. Nothing was kept of the changed text.",
        )


class _OverHttp(RemoteFile):
    def __init__(self, address: str) -> None:
        if page := _DATASET_PAGE.fullmatch(without_secrets(address)):
            raise CorpusError(
                f"cannot read {without_secrets(address)}: it is a page about a dataset.",
                f"Give the dataset, hf:{page[1]}, or the address of a file, with /resolve/ in it.",
            )
        name = PurePosixPath(unquote(urlsplit(address).path)).name
        super().__init__(address, name)
        self.below = (name or urlsplit(address).hostname or "",)

    def has_ranges(self) -> bool:
        """Return whether the server sends ranges of a version; if so, size and mark are known."""
        response = retried(lambda: self._asked(0, 1))
        with response:
            match = _RANGE.fullmatch(response.headers["Content-Range"] or "")
            if response.status != 206 or match is None:
                return False
            self.size, self.mark = int(match[3]), _tag(response.headers)
        return self.mark is not None

    def check(self) -> None:
        self.fetch(0, min(self.size or 0, 1))

    def _fetched(self, begin: int, end: int) -> bytes:
        content = bytearray()

        def more() -> None:
            with self._asked(begin + len(content), end) as response:
                self._check_range(response, begin + len(content))
                while block := response.read(_BLOCK):
                    content.extend(block)
            self._check_length(len(content), end - begin)

        if begin < end:
            retried(more)
        return bytes(content)

    def _asked(self, begin: int = 0, end: int | None = None) -> Any:
        """Return the answer of the server to a request for a range, or for all."""
        # Imported here, for they bring much that no other text needs.
        from urllib.error import HTTPError
        from urllib.request import Request, urlopen

        parts = urlsplit(self.address)
        login, _, host = parts.netloc.rpartition("@")
        request = Request(parts._replace(netloc=host).geturl())
        request.add_header("User-Agent", f"toktk/{__version__}")
        if login:  # the server that it redirects to does not learn it
            basic = base64.b64encode(unquote(login).encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {basic}")
        if begin or end is not None:
            request.add_header("Range", f"bytes={begin}-{'' if end is None else end - 1}")
        try:
            return urlopen(request, timeout=_SECONDS)
        except HTTPError as error:
            error.close()
            if error.code == 416 and self.mark is not None:  # shorter than it was
                raise self._changed(_tag(error.headers)) from error
            if error.code == 416:  # there is no first byte
                request.remove_header("Range")
                return urlopen(request, timeout=_SECONDS)
            raise

    def _check_range(self, response: Any, begin: int) -> None:
        match = _RANGE.fullmatch(response.headers["Content-Range"] or "")
        mark = _tag(response.headers)
        if mark != self.mark or match is None or int(match[1]) != begin:
            raise self._changed(mark)

    @staticmethod
    def _check_length(n_bytes: int, expected: int | None) -> None:
        from http.client import IncompleteRead

        if expected is not None and n_bytes != expected:
            raise IncompleteRead(b"", expected - n_bytes)

    def download(self) -> Path:
        with self.reaching(), retried(self._asked) as response:
            keys = ("ETag", "Last-Modified", "Content-Length")
            told = {key: response.headers[key] for key in keys}
            length = told["Content-Length"] or ""
            self.mark = _tag(response.headers)
            self.size = int(length) if length.isascii() and length.isdigit() else None
            if length and self.size is None:
                raise ValueError(f"a length of {length!r}")
            return _kept(self, told, lambda to: self._copy(response, to), anew=not self.mark)

    def _copy(self, response: Any, to: IO[bytes]) -> None:
        """Copy an answer into a file; where it breaks, the rest of the same version is asked for."""
        answers = [response]
        most = 0
        with watched(self.shown, self.size) as advance:

            def more() -> None:
                nonlocal most
                begin = to.tell() if self.mark else 0
                with answers.pop() if answers else self._asked(begin) as answer:
                    self._go_on(answer, to)
                    while block := answer.read(_BLOCK):
                        to.write(block)
                        advance(max(to.tell() - most, 0))
                        most = max(to.tell(), most)
                self._check_length(to.tell(), self.size)

            retried(more)

    def _go_on(self, answer: Any, to: IO[bytes]) -> None:
        """Empty the file where an answer holds all of it, unless it is another version."""
        if answer.status == 206:
            self._check_range(answer, to.tell())
        elif _tag(answer.headers) != self.mark:
            raise self._changed(_tag(answer.headers))
        else:
            to.seek(0)
            to.truncate()


class _ThroughFsspec(RemoteFile):
    """A file of a file system of fsspec, as `info` of it or a listing tells it."""

    def __init__(
        self, spec: str, address: str, info: Mapping[str, Any], below: tuple[str, ...]
    ) -> None:
        super().__init__(address, PurePosixPath(info["name"]).name)
        self._spec, self._path = spec, info["name"]
        self.size, self.mark, self.below = info.get("size"), _mark_of(info), below

    def check(self) -> None:
        def now() -> str | None:
            system = system_of(self._spec)[0]
            system.invalidate_cache(self._path)
            info = system.info(self._path)
            return None if info.get("size") != self.size else _mark_of(info)

        with self.reaching():
            if (mark := retried(now)) != self.mark:
                raise self._changed(mark)

    def _fetched(self, begin: int, end: int) -> bytes:
        system = system_of(self._spec)[0]
        # A file of the hub reads ahead, unless it is told not to.
        options = {"cache_type": "none"} if "hf" in system.protocol else {}

        def once() -> bytes:
            content = system.cat_file(self._path, start=begin, end=end, **options)
            if len(content) != end - begin:
                raise EOFError(f"{len(content):,} of {end - begin:,} bytes came")
            return bytes(content)

        return retried(once) if begin < end else b""

    def download(self) -> Path:
        with self.reaching():
            return _kept(self, [self.size, self.mark], self._copy, anew=not self.mark)

    def _copy(self, to: IO[bytes]) -> None:
        with watched(self.shown, self.size) as advance:
            for begin in range(0, self.size or 0, _MOST_ASKED):
                block = self._fetched(begin, min(begin + _MOST_ASKED, self.size or 0))
                to.write(block)
                advance(len(block))
            if self.size is None:  # nothing tells whether it is whole
                with system_of(self._spec)[0].open(self._path, "rb") as stream:
                    while block := stream.read(_BLOCK):
                        to.write(block)
                        advance(len(block))
        self.check()


def _tag(headers: Any) -> str | None:
    """Return the mark among the headers of an answer over HTTP."""
    return headers["ETag"] or headers["Last-Modified"] or None


def _mark_of(told: Mapping[str, Any]) -> str | None:
    """Return the mark among what a file system tells of a file."""
    mark = next((told[name] for name in _MARKS if told.get(name)), None)
    if isinstance(mark, datetime):  # of which a listing may give the number
        mark = mark.timestamp()
    return None if mark is None else str(mark)


def _reading(address: str) -> AbstractContextManager[None]:
    return reaching(
        address,
        f"cannot read {without_secrets(address)}.",
        CorpusError,
        "Check the address, the network, and that you may read it; or download the files and give their "
        "folder with -c.",
    )


class Located(NamedTuple):
    """A file of an address.

    Attributes:
        file: the file; None where it was downloaded at once.
        path: where it lies here, or would by its name.
        address: where it lay, without what may be secret in it.
        below: its folders and its name below what the spec names, for its group.
    """

    file: RemoteFile | None
    path: Path
    address: str
    below: tuple[str, ...]


def located(
    address: str, wanted: Callable[[Path], bool], in_place: Callable[[Path], bool]
) -> list[Located]:
    """Return the files at an address: one, those of a folder that are `wanted`, or of a glob.

    They are downloaded, but those that by their name are to be read `in_place` where their server sends
    ranges of a version.

    Raises:
        CorpusError: it cannot be read, or holds nothing.
        StorageError: there is no room.
    """
    with _reading(address):
        if urlsplit(address).scheme in ("http", "https"):
            over_http = _OverHttp(address)
            stays = in_place(Path(over_http.own_name)) and over_http.has_ranges()
            return [_located(over_http, over_http.below, stays)]
        files = _listed(address, wanted)
        return [
            _located(
                file,
                file.below,
                in_place(Path(file.own_name)) and None not in (file.size, file.mark),
            )
            for file in files
        ]


def _located(file: RemoteFile, below: tuple[str, ...], stays: bool) -> Located:
    path = Path(file.own_name) if stays else file.download()
    return Located(file if stays else None, path, file.shown, below)


def _listed(address: str, wanted: Callable[[Path], bool]) -> list[_ThroughFsspec]:
    """Return the files at an address of fsspec, each with what one listing says of it."""
    system, root = system_of(address)

    def listed() -> tuple[PurePosixPath, dict[str, Any]]:
        system.invalidate_cache()
        folder = PurePosixPath(root)
        if glob.has_magic(root):
            fixed = takewhile(lambda part: not glob.has_magic(part), folder.parts)
            return PurePosixPath(*fixed), system.glob(root, detail=True)
        about = system.info(root)
        if about["type"] == "directory":
            below = system.find(root, detail=True)
            return folder, {
                name: info for name, info in below.items() if wanted(Path(PurePosixPath(name).name))
            }
        return folder.parent, {root: {**about, "name": root}}

    folder, infos = retried(listed)
    files = []
    for name in sorted(infos):
        if infos[name]["type"] == "file":
            at = PurePosixPath(name)
            below = at.relative_to(folder).parts if at.is_relative_to(folder) else (at.name,)
            full = system.unstrip_protocol(name)
            files.append(_ThroughFsspec(address, full, infos[name], below))
    if not files:
        retried(lambda: check_bucket(address))
        raise CorpusError(
            f"no text in {without_secrets(address)}.",
            "Found: no file whose extension says that it is text.",
            "Give a file, or a quoted glob.",
        )
    return files


def _kept(
    remote: RemoteFile, mark: Any, copy: Callable[[IO[bytes]], None], anew: bool = False
) -> Path:
    """Return the file of an address and its mark, downloaded by `copy` where it is not there, or `anew`."""
    # Hashed, for it may hold a password, and the key can be read in the home. The name is the server's.
    key = [hashlib.sha256(remote.address.encode()).hexdigest(), mark]
    problems: list[str] = []
    failures: list[Exception] = []

    def save(folder: Path) -> None:
        with (folder / remote.own_name).open("xb") as file:
            try:
                copy(file)
            except Exception as error:  # not one of the store's, which takes it for a full disk
                failures.append(error)
                raise StorageError("the download failed.") from error

    def find() -> Path | None:
        return Store().read("downloads", key, lambda folder: folder / remote.own_name, code=None)

    path = None if anew else find()
    if path is None:
        Store(problems.append, force=anew).write("downloads", key, save, code=None)
        path = find()
    if failures:
        raise failures[0]
    if path is None:
        raise StorageError(
            f"cannot keep what was downloaded from {remote.shown}.",
            f"Found: {problems[0] if problems else 'more than the cache may hold'}.",
            "Free space, choose another place with TOKTK_HOME=DIR, or set a higher TOKTK_CACHE_LIMIT.",
        )
    hold(path.parent)
    return path
