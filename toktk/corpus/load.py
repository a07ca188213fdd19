"""From a spec, what a user types after ``-c``, to a corpus."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from toktk.corpus import hub
from toktk.corpus.cards import CorpusCard, cards, parse_reference, read_card
from toktk.corpus.corpus import Corpus, concat
from toktk.corpus.options import ReaderOptions
from toktk.corpus.readers import COMPRESSIONS, READERS, FileReader
from toktk.corpus.starter import PARTS, starter
from toktk.errors import CorpusError, did_you_mean

Specs = str | Path | Sequence[str | Path]


def load_corpus(spec: Specs, options: ReaderOptions | None = None, **changes: Any) -> Corpus:
    """Return the corpus that `spec` names; text is not read before `Corpus.batches`.

    In this order, `spec` is one of

    - ``starter`` (for training), ``starter:eval``, ``starter:parallel``, ``starter:code``,
      ``starter:words``: what ships with toktk;
    - ``hub:<org>/<name>[@revision][/config[,config…]][:split]``: a Hugging Face dataset, streamed;
    - a file: .txt, .jsonl, .ndjson, .json (all three: one object a line), each also .gz or .zst;
      .parquet, .arrow, .feather; a .toml corpus card; anything else is plain text;
    - a folder: its files of these kinds, .json and .toml left out, with all subfolders, sorted;
    - a glob such as ``'src/**/*.c'``: files of any extension;
    - the name of a corpus card that ships with toktk, ``<card>[/config][:split]``.

    Without a group column the group is the file's stem; below a folder or a glob's fixed part,
    the name of the first subfolder.

    Args:
        spec: one of these, or several, which become one corpus.
        options: how to read; a limit holds for each of several specs.
        **changes: reader options by name, instead of `options` or on top of them:
            ``load_corpus("news.parquet", group_column="lang")``.

    Raises:
        CorpusError: nothing of that name, no file that can be read, or an unknown option.
        MissingExtraError: the starter corpus's word frequencies need the extra ``starter``.
    """
    options = _changed(options or ReaderOptions(), changes)
    return _joined([_load(each, options) for each in _listed(spec)])


def train_and_test(
    specs: Specs, evals: Specs = (), options: ReaderOptions | None = None
) -> tuple[Corpus, Corpus]:
    """Return the text to train on and the text to measure on.

    Args:
        specs: what to train on; see `load_corpus`.
        evals: what to measure on. Without it `HELD_OUT` of each corpus is held out, by a hash of
            each document; the starter corpus has a part of its own for that.
        options: how to read all of them.
    """
    if evals:
        return load_corpus(specs, options), load_corpus(evals, options)
    training, evaluation = [], []
    for spec in _listed(specs):
        corpus = load_corpus(spec, options)
        if spec in ("starter", "starter:train"):
            sides = corpus, load_corpus("starter:eval", options)
        else:
            sides = corpus.split()
        training.append(sides[0])
        evaluation.append(sides[1])
    return _joined(training), _joined(evaluation)


def _listed(specs: Specs) -> list[str]:
    return [str(spec) for spec in ([specs] if isinstance(specs, (str, Path)) else specs)]


def _joined(corpora: Sequence[Corpus]) -> Corpus:
    if len(corpora) == 1:
        return corpora[0]
    return concat(corpora, " + ".join(corpus.name for corpus in corpora))


def _changed(options: ReaderOptions, changes: dict[str, Any]) -> ReaderOptions:
    names = [field.name for field in dataclasses.fields(ReaderOptions)]
    for name in changes:
        if name not in names:
            raise CorpusError(
                f"unknown reader option {name!r}{did_you_mean(name, names)}.",
                f"Options: {', '.join(names)}.",
            )
    return dataclasses.replace(options, **changes)


def _load(spec: str, options: ReaderOptions) -> Corpus:
    corpus = _resolve(spec, options)
    if options.limit is None or corpus.unit == "rows":  # a hub dataset limits itself
        return corpus
    return corpus.limit(options.limit, options.seed)


def _resolve(spec: str, options: ReaderOptions) -> Corpus:
    if spec == "starter" or spec.startswith("starter:"):
        return starter(spec.partition(":")[2] or "train", options)
    if spec.startswith("hub:"):
        return hub.hub_corpus(hub.parse_hub(spec), options)
    path = Path(spec).expanduser()
    if path.is_file():
        if path.suffix == ".toml":
            return _from_card(read_card(path), None, None, options)
        return from_files(spec, [(path, None)], options)
    if path.is_dir():
        return from_files(spec, _folder(path), options)
    if glob.has_magic(spec):
        return from_files(spec, _glob(path), options)
    name, config, split = parse_reference(spec)
    by_name = cards()
    if name in by_name:
        return _from_card(by_name[name], config, split, options)
    starters = ["starter", *(f"starter:{part}" for part in PARTS)]
    raise CorpusError(
        f"unknown corpus {spec!r}{did_you_mean(spec, [*starters, *by_name])}.",
        f"Tried: file or folder (none at {path}), corpus cards ({', '.join(by_name) or 'none'}).",
        "Give a file, a folder, a quoted glob, hub:<org>/<name>, a card, or starter.",
    )


def from_files(name: str, files: list[tuple[Path, str | None]], options: ReaderOptions) -> Corpus:
    """Return the corpus of `files`, each with its group, or None for the file's stem."""
    if not files:
        extensions = set(READERS) - {".json"}
        extensions |= {f"{kind}{end}" for kind in (".txt", ".jsonl") for end in COMPRESSIONS}
        raise CorpusError(
            f"no text in {name}.",
            f"Looked for: {', '.join(sorted(extensions))}.",
            "A glob, such as 'folder/**/*.c', reads other extensions as plain text.",
        )
    readers = [FileReader(path, options, group) for path, group in files]
    return Corpus(_short_name(name), readers, options=options.changed())


def _short_name(spec: str) -> str:
    """Return what a table calls it: the last part of a path, the whole of anything else."""
    return Path(spec).name or spec if not glob.has_magic(spec) else spec


def _folder(folder: Path) -> list[tuple[Path, str | None]]:
    files = [
        path
        for path in folder.rglob("*")
        if _is_corpus_file(path) and not _is_hidden(path, folder) and path.is_file()
    ]
    return _grouped(files, folder)


def _is_corpus_file(path: Path) -> bool:
    bare = path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path
    # A .json in a folder is more often a description of the corpus than a part of it.
    return bare.suffix.lower() in READERS and bare.suffix.lower() != ".json"


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _glob(pattern: Path) -> list[tuple[Path, str | None]]:
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), pattern.parts[:-1]))
    paths = map(Path, glob.glob(str(pattern), recursive=True))  # noqa: PTH207
    return _grouped([path for path in paths if path.is_file()], fixed)


def _grouped(files: list[Path], folder: Path) -> list[tuple[Path, str | None]]:
    def group(path: Path) -> str | None:
        below = path.relative_to(folder).parts
        return below[0] if len(below) > 1 else None

    # By name below the folder, so that the order, and with it the fingerprint, is the same
    # wherever the folder lies.
    ordered = sorted(files, key=lambda path: path.relative_to(folder).as_posix())
    return [(path, group(path)) for path in ordered]


def _from_card(
    card: CorpusCard, config: str | None, split: str | None, options: ReaderOptions
) -> Corpus:
    # The card says how its corpus is laid out; what the user asked for explicitly wins.
    layout = ("text_column", "group_column", "align_column", "sample_by")
    asked = options.changed()
    of_card = {name: getattr(card, name) for name in layout if name not in asked}
    options = dataclasses.replace(
        options, **{name: value for name, value in of_card.items() if value is not None}
    )
    if not card.spec.startswith("hub:"):
        if config or split:
            raise CorpusError(f"the corpus {card.name} has no configs or splits to choose from.")
        path = Path(card.spec).expanduser()
        return _resolve(str(card.folder / path), options)
    spec = hub.parse_hub(card.spec)
    spec = dataclasses.replace(
        spec,
        config=config or card.config or spec.config,
        split=split or card.split or spec.split,
    )
    return hub.hub_corpus(spec, options)
