"""Which files of a folder are its text: by kind, as `datasets` saved them, and of which split."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from toktk.corpus.find import Listing, unreadable
from toktk.corpus.nested import outer
from toktk.corpus.options import ReaderOptions, check_known
from toktk.corpus.readers import FileReader, kind_of
from toktk.corpus.streams import STREAM_FAILURES
from toktk.corpus.zipped import Member, expanded, opened
from toktk.errors import CorpusError

_STATE, _DICT, _INFO = "state.json", "dataset_dict.json", "dataset_info.json"
_ABOUT_BYTES = 1 << 24
"""What a file about a dataset holds, at most, in bytes: it may have a checksum for each file."""

_UNREADABLE: tuple[type[Exception], ...] = (OSError, *STREAM_FAILURES)

_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""How files are named after splits: one of these words, set apart."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """The files of a folder that are its text.

    Attributes:
        files: what is read.
        remarks: what is not, and why.
        groups: of files whose own name says nothing, such as ``data-00000-of-00001.arrow``.
        members: the members of zip archives among the files.
    """

    files: list[Path]
    remarks: Sequence[str] = ()
    groups: dict[Path, str] = dataclasses.field(default_factory=dict)
    members: dict[Path, Member] = dataclasses.field(default_factory=dict)


def choose(folder: Path, listing: Listing, options: ReaderOptions) -> Choice:
    """Return the files of `folder`, or of a zip archive, that are text.

    Raises:
        CorpusError: a split that there is not, a saved dataset that lacks a file, or an archive that
            cannot be read.
    """
    name = folder.name or str(folder)
    listing, members = expanded(listing)
    saved = _Saved(folder, listing.files, options.split, members)
    rest = [path for path in listing.files if path not in saved.dealt_with]
    kinds = {path: _unread(path, options, members.get(path)) for path in rest}
    files = [path for path, unread in kinds.items() if unread is None]
    files, of_splits = _by_split(folder, files, options.split, bool(saved.groups))
    unread = Counter(kind for kind in kinds.values() if kind is not None)
    twice = _unpacked_beside(folder, members)
    remarks = [*saved.remarks, *of_splits, *left_out(name, listing, unread), *twice]
    return Choice([*saved.groups, *files], remarks, saved.groups, members)


def _unpacked_beside(folder: Path, members: Mapping[Path, Member]) -> list[str]:
    """Return a remark on each archive in `folder` that may have been unpacked there, too."""
    archives = sorted({member.archive for member in members.values()} - {folder})
    return [
        f"{archive.name} and the folder {archive.stem} beside it are both read: is it the same text?"
        for archive in archives
        if archive.with_suffix("").is_dir()
    ]


def left_out(name: str, listing: Listing, unread: Counter[str] | None = None) -> list[str]:
    """Return the remark that says what of a folder or glob is not read, if anything."""
    counts = Counter(unread or {})
    counts["hidden"] += listing.hidden
    counts["pipe, socket or device"] += len(listing.odd)
    counts["link that leads nowhere"] += len(listing.nowhere)
    shown = [f"{n:,} {kind}" for kind, n in counts.most_common() if n]
    if not shown:
        return []
    named = ", ".join(str(path) for path in listing.nowhere[:3])
    more = ", …" if len(listing.nowhere) > 3 else ""
    nowhere = f" Nothing is at {named}{more}." if named else ""
    return [f"not read of {name}: {', '.join(shown)}.{nowhere}"]


def _unread(path: Path, options: ReaderOptions, member: Member | None) -> str | None:
    """Return the kind of a file that is not read; None of one that is."""
    if member is not None and not member.is_file:
        return "link or device in an archive"
    kind, compression, _ = kind_of(path)
    extensions = path.suffixes[-2:] if compression else path.suffixes[-1:]
    shown = "".join(extensions).lower() or "without extension"
    if kind is None:
        return shown
    if ".json" in extensions[:1] and not _has_rows(path, options, member):
        return f"{shown} without rows of {options.text_column!r}"
    return None


def _has_rows(path: Path, options: ReaderOptions, member: Member | None) -> bool:
    """Return whether a .json begins with a row, as no description of a dataset does."""
    head = FileReader(path, options, member=member).head().lstrip()
    first, feed, _ = head.partition(b"\n")
    if head.startswith(b"[") or (not feed and first.startswith(b"{")):
        # An item spans lines, and a row may be longer than what was read.
        parts = options.text_column.split(".")
        names = (".".join(parts[:n]) for n in range(1, len(parts) + 1))
        return any(json.dumps(name).encode() in head for name in names)
    row = _parsed(first)
    return isinstance(row, dict) and outer(options.text_column, row) is not None


class _Saved:
    """What the folders of `datasets` say of their files, wherever they lie below `folder`.

    Attributes:
        groups: the files to read, each with its group.
        dealt_with: these, and those not to read.
        remarks: which split was chosen.
    """

    def __init__(
        self,
        folder: Path,
        files: Sequence[Path],
        split: str | None,
        members: Mapping[Path, Member],
    ) -> None:
        self.groups: dict[Path, str] = {}
        self.dealt_with: set[Path] = set()
        self.remarks: list[str] = []
        self._folder, self._split = folder, split
        self._by_folder: dict[Path, list[Path]] = {}
        for path in files:
            self._by_folder.setdefault(path.parent, []).append(path)
        about = {
            path: _about(path, members.get(path))
            for path in files
            if path.name in (_STATE, _DICT, _INFO)
        }
        of_dict: dict[Path, Path] = {}
        for path, values in about.items():
            if path.name == _DICT and _is_names(values.get("splits")):
                chosen = self._chosen(path.parent, values["splits"])
                self.dealt_with.add(path)
                for name in values["splits"]:
                    of_dict[path.parent / name] = path.parent
                    if name != chosen:
                        self._leave(path.parent / name, files)
                for beside in dict.fromkeys(other.parent for other in about):
                    if beside.parent == path.parent and beside.name not in values["splits"]:
                        self._leave(beside, files)
                        self.remarks.append(
                            f"{beside.name} in {folder.name or folder} is not read: {_DICT} does not name it."
                        )
        for path, values in about.items():
            if path in self.dealt_with:
                continue
            owner = of_dict.get(path.parent, path.parent)
            if path.name == _STATE and isinstance(values.get("_data_files"), list):
                self._read_saved(path.parent, values, owner)
            elif path.name == _INFO and isinstance(values.get("splits"), dict):
                self._read_cached(path.parent, values["splits"])

    def _leave(self, folder: Path, files: Sequence[Path]) -> None:
        self.dealt_with |= {file for file in files if folder in file.parents}

    def _chosen(self, folder: Path, splits: Collection[str]) -> str:
        """Return the split to read, and remark on it where there are others."""
        split = self._split
        if split is None:
            split = "train" if "train" in splits or len(splits) > 1 else next(iter(splits), "train")
        check_known(split, splits, f"{folder} has no split {split!r}", "Choose with --split.")
        if len(splits) > 1:
            others = ", ".join(name for name in splits if name != split)
            self.remarks.append(
                f"of {folder.name or folder} the split {split} is read; --split chooses another: {others}."
            )
        return split

    def _read_saved(self, folder: Path, state: dict[str, Any], owner: Path) -> None:
        """Read what `datasets` saved in a folder: the files that its state names."""
        if owner == folder and self._split is not None:
            own = state.get("_split")
            known = [own] if isinstance(own, str) else []
            check_known(self._split, known, f"{folder} has no split {self._split!r}")
        if state.get("_indices_data_files"):
            raise CorpusError(
                f"cannot read {folder}: it was saved as a choice of rows.",
                f"Found: _indices_data_files in {_STATE}.",
                "Save it anew: dataset.flatten_indices().save_to_disk(…).",
            )
        listed = state["_data_files"]
        names = [file.get("filename") if isinstance(file, dict) else file for file in listed]
        there = {path.name: path for path in self._by_folder[folder]}
        taken: dict[str, Path] = {}
        for name in names:
            if not isinstance(name, str) or name not in there:
                raise _not_whole(folder, f"no file {name!r:.80}, which {_STATE} names")
            if name in taken:
                raise _not_whole(folder, f"{name!r:.80} twice in {_STATE}")
            taken[name] = there[name]
        self._take([*taken.values()], folder, owner)

    def _read_cached(self, folder: Path, splits: dict[str, Any]) -> None:
        """Read one split of a folder of the cache of `datasets`."""
        arrows = [path for path in self._by_folder[folder] if path.suffix == ".arrow"]
        of_split = {
            name: [path for path in arrows if re.fullmatch(_cached_as(name), path.name)]
            for name in splits
        }
        present = [name for name, paths in of_split.items() if paths]
        if present:
            self._take(of_split[self._chosen(folder, present)], folder, folder)

    def _take(self, paths: list[Path], folder: Path, owner: Path) -> None:
        below = owner.relative_to(self._folder).parts
        group = below[0] if below else self._folder.resolve().name
        self.groups |= dict.fromkeys(paths, group)
        # What else lies there is about them, or made of them, such as cache-….arrow.
        self.dealt_with |= {*self._by_folder[folder]}


def _not_whole(folder: Path, found: str) -> CorpusError:
    return CorpusError(
        f"the dataset in {folder} is not whole.",
        f"Found: {found}.",
        "Save it anew, or copy the whole folder.",
    )


def _cached_as(split: str) -> str:
    return rf"(?!cache-).+-{re.escape(split)}(-\d{{5}}-of-\d{{5}})?\.arrow"


def _by_split(
    folder: Path, files: list[Path], split: str | None, others: bool
) -> tuple[list[Path], list[str]]:
    """Return the files that are named after `split`, or all; and a remark where there are several."""
    of_split: dict[str, list[Path]] = {}
    names = [*_SPLITS] if split is None else [_known_as(split)]
    for path in files:
        words = re.split(r"[^a-z0-9]+", path.relative_to(folder).as_posix().lower())
        for name in names:
            if any(word in words for word in _SPLITS.get(name, (name.lower(),))):
                of_split.setdefault(name, []).append(path)
                break
    if split is None:
        if len(of_split) < 2:
            return files, []
        counts = ", ".join(f"{name} ({len(paths):,})" for name, paths in of_split.items())
        return files, [
            f"{folder.name or folder} has files named after splits, and all are read: {counts}. "
            "--split reads one."
        ]
    found = of_split.get(names[0], [])
    if not found and not others:
        raise CorpusError(
            f"{folder} has no split {split!r}.",
            f"Found: {len(files):,} files, none of which is named after it.",
            "Leave --split out, or give the files by a glob.",
        )
    return found, []


def _known_as(split: str) -> str:
    return next((name for name, words in _SPLITS.items() if split in words), split)


def _about(path: Path, member: Member | None) -> dict[str, Any]:
    """Return what a small JSON file holds; nothing where it is no object."""
    try:
        with opened(path, member) as (_, content):
            values = _parsed(content.read(_ABOUT_BYTES) or b"")
    except _UNREADABLE as error:
        raise unreadable(path, error) from error
    return values if isinstance(values, dict) else {}


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _is_names(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
