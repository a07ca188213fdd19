"""From a spec, what a user types after ``-c``, to a corpus."""

from __future__ import annotations

import dataclasses
import glob
import os
import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain, takewhile
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from toktk.corpus import hub
from toktk.corpus.cards import CorpusCard, cards, parse_reference, read_card
from toktk.corpus.corpus import Corpus, concat, mixed
from toktk.corpus.find import Listing, files_below, kind_at, matching, not_a_file
from toktk.corpus.folder import Choice, choose, left_out
from toktk.corpus.held_out import EVALUATION, TRAINING, HeldOut, Text, recipe, run_of
from toktk.corpus.in_place import RemoteReader
from toktk.corpus.mixture import Named, parse_share
from toktk.corpus.options import ReaderOptions, check_known
from toktk.corpus.piped import kept, open_pipe
from toktk.corpus.readers import COMPRESSIONS, READERS, FileReader, kind_of
from toktk.corpus.remote import located
from toktk.corpus.starter import PARTS, starter
from toktk.corpus.zipped import is_archive
from toktk.errors import CorpusError, as_usage, did_you_mean, usage
from toktk.paths import FILE, FOLDER
from toktk.places import is_address, local_path, without_secrets

Specs = str | Path | Sequence[str | Path]
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_CARDS = 10
"""How many cards may lead to a text: one names a text, or another card."""


def load_corpus(
    spec: Specs, options: ReaderOptions | None = None, *, in_place: bool = False, **changes: Any
) -> Corpus:
    """Return the corpus that `spec` names; text is not read before `Corpus.batches`.

    In this order, `spec` is one of

    - ``starter`` (for training), ``starter:eval``, ``starter:parallel``, ``starter:code``,
      ``starter:words``: what ships with toktk;
    - ``hf:<org>/<name>[@revision][/config[,config…]][:split]``, or ``hub:``: a Hugging Face dataset,
      streamed;
    - ``-``, standard input, or an open pipe such as a shell's ``<(cat x.txt)``: kept in a temporary
      file, and read as what its first bytes are: JSON Lines, Parquet, Arrow, else plain text;
    - a file: .txt, .jsonl, .ndjson (one object or string a line), .json (that, or an array of them), .csv,
      .tsv, each also .gz, .zst, .bz2 or .xz; .parquet, .arrow, .feather; a .toml corpus card; anything
      else is plain text, unless its first bytes say otherwise;
    - ``<run directory>:held-out``: what a sweep measured on, of files that are as they were;
    - an address: ``https://…``, or what fsspec has a driver for, such as ``s3://bucket/news/*.parquet``:
      a file, a folder or a glob, downloaded once into ``TOKTK_HOME``;
    - a folder: its files of these kinds, with all subfolders, linked ones too, sorted; a .json where
      it begins with a row of the text column. A folder of `datasets`, saved or in its cache, is
      read as `datasets` reads it, one split. What is not read is in `Corpus.remarks`;
    - a zip archive: as a folder of what is in it; also in a folder, a glob, or at an address;
    - a glob such as ``'src/**/*.c'``: files of any extension, each folder entered once;
    - the name of a corpus card that ships with toktk, ``<card>[/config][:split]``.

    ``name=<spec>`` gives a corpus a name, which is its group unless a column names groups. Of several,
    ``<spec>:0.3`` gives each the share that its text is to have: its documents count as often as that
    takes (see `toktk.corpus.mixture`). What exists under the whole of such a name is that.

    Without a group column the group is the file's stem; below a folder or a glob's fixed part,
    the name of the first subfolder.

    Files are listed now. Text is read more than once, so it must lie in regular files, and one that
    is written to between the readings is an error.

    Args:
        spec: one of these, or several, which become one corpus.
        options: how to read; a limit holds for each of several specs.
        in_place: read what lies at addresses where it lies, each pass anew, for what reads a share of it
            once; where a server sends no ranges, and of archives and Arrow, it is downloaded.
        **changes: reader options by name, instead of `options` or on top of them:
            ``load_corpus("news.parquet", group_column="lang")``.

    Raises:
        CorpusError: nothing of that name, no file that can be read, or an unknown option.
        MissingExtraError: the starter corpus's word frequencies need the extra ``starter``.
    """
    names = [field.name for field in dataclasses.fields(ReaderOptions)]
    for name in changes:
        check_known(name, names, f"unknown reader option {name!r}")
    options = dataclasses.replace(options or ReaderOptions(), **changes)
    loaded = _load_all(_texts(spec), options, in_place)
    _check_fit(loaded, options)
    corpus = _joined(loaded)
    corpus.recipe = recipe(_listed(spec), (), options, whole=True)
    return corpus


def train_and_test(
    specs: Specs,
    evals: Specs = (),
    options: ReaderOptions | None = None,
    temperature: float | None = None,
) -> tuple[Corpus, Corpus]:
    """Return the text to train on and the text to measure on.

    Args:
        specs: what to train on; see `load_corpus`.
        evals: what to measure on. Without it `HELD_OUT` of each corpus is held out, by a hash of
            each document; the starter corpus has a part of its own for that. What is held out is
            not weighted.
        options: how to read all of them; an option has to fit one of them.
        temperature: of the text to train on; see `Corpus.balanced`.
    """
    options = options or ReaderOptions()
    train, test = _sides(_texts(specs), _texts(evals), options)
    train.recipe = test.recipe = recipe(_listed(specs), _listed(evals), options)
    return train if temperature is None else train.balanced(temperature), test


def _sides(
    texts: Sequence[Text], evals: Sequence[Text], options: ReaderOptions
) -> tuple[Corpus, Corpus]:
    loaded, measured = _load_all(texts, options), _load_all(evals, options)
    _check_fit([*loaded, *measured], options)
    if measured:
        return _joined(loaded), _joined(measured)
    training, evaluation = [], []
    for part in loaded:
        if part.spec in ("starter", "starter:train"):
            sides = part.corpus, _load("starter:eval", options)
        else:
            sides = part.corpus.split()
        training.append(part._replace(corpus=sides[0]))
        evaluation.append(part._replace(corpus=sides[1], share=None))
    return _joined(training), _joined(evaluation)


class _Part(NamedTuple):
    """One of the texts that make up a corpus: its spec without name and share, and the share."""

    spec: str
    corpus: Corpus
    share: float | None


def _texts(specs: Specs) -> list[Text]:
    return [parse_share(each) for each in _listed(specs)]


def _load_all(texts: Sequence[Text], options: ReaderOptions, in_place: bool = False) -> list[_Part]:
    return [
        _Part(spec, _named(_load(spec, options, in_place), name, options), share)
        for name, spec, share in texts
    ]


def _load(spec: str, options: ReaderOptions, in_place: bool = False) -> Corpus:
    corpus = _resolve(spec, options, in_place)
    if options.limit is not None and corpus.unit != "rows":  # a hub dataset limits itself
        return corpus.limit(options.limit, options.seed)
    return corpus


_UNFIT = {
    "text_column": "it has no columns",
    "group_column": "it has no columns",
    "weight_column": "it has no columns",
    "quotes": "it is no CSV or TSV",
    "encoding": "what it holds is UTF-8 by definition",
}


@usage()
def _check_fit(parts: Sequence[_Part], options: ReaderOptions) -> None:
    """Refuse an option that none of the texts takes: it would be ignored.

    Raises:
        CorpusError: there is one.
    """
    changed = options.changed()
    sources = [source for part in parts for source in part.corpus.sources]
    if not sources:
        return
    what = f"{sources[0].where}{' and the others' * (len(sources) > 1)}"
    for name, reason in _UNFIT.items():
        # By value: what ships with toktk is read in its own way.
        if name in changed and not any(
            name in source.of_folders
            or (name in source.takes and getattr(source.options, name) == changed[name])
            for source in sources
        ):
            raise CorpusError(
                f"{_shown(name, changed[name])} does not fit {what}.",
                f"Found: {reason}.",
                "Leave the option out, or give another file; JSON Lines has columns and any encoding.",
            )
    if options.split is not None and not any(_may_have_splits(part.spec) for part in parts):
        raise CorpusError(
            f"--split {options.split!r} does not fit {what}.",
            "Found: no folder and no dataset of the hub, which alone have splits.",
            "Leave it out, or give the folder of the dataset.",
        )


def _shown(name: str, value: object) -> str:
    return "--no-quotes" if name == "quotes" else f"--{name.replace('_', '-')} {value!r}"


def _may_have_splits(spec: str) -> bool:
    path = Path(os.path.expanduser(spec))  # noqa: PTH111 - as in _resolve
    starters = spec.partition(":")[0] == "starter"
    return (
        not starters and kind_at(path) != FILE and not glob.has_magic(spec)
    ) or path.suffix.lower() in (".toml", ".zip")


def _listed(specs: Specs) -> list[str]:
    return [str(spec) for spec in ([specs] if isinstance(specs, (str, Path)) else specs)]


def _named(corpus: Corpus, name: str | None, options: ReaderOptions) -> Corpus:
    """Return the corpus under a name, which is its only group unless a column names the groups."""
    if name is None:
        return corpus
    return Corpus(name, [corpus], None if options.group_column else Named(name))


def _joined(parts: Sequence[_Part]) -> Corpus:
    corpora = [part.corpus for part in parts]
    given = [part.share for part in parts if part.share is not None]
    if given and len(given) < len(parts):
        without = [part.corpus.name for part in parts if part.share is None]
        raise as_usage(
            CorpusError(
                "some texts have a weight and others have none.",
                f"Found: no weight of {', '.join(without)}.",
                "Give each a weight, such as -c de:0.3 -c en:0.7, or none.",
            )
        )
    if len(given) > 1:
        corpora = mixed(corpora, given)
    if len(corpora) == 1:
        return corpora[0]
    return concat(corpora, " + ".join(corpus.name for corpus in corpora))


def _resolve(
    spec: str, options: ReaderOptions, in_place: bool = False, cards_read: int = 0
) -> Corpus:
    if not spec:
        raise as_usage(
            CorpusError(
                "a corpus has no name.", "Found: an empty one.", "For this folder, give a dot: -c ."
            )
        )
    if spec == "starter" or spec.startswith("starter:"):
        return starter(spec.partition(":")[2] or "train", options)
    if spec.startswith(hub.PREFIXES) and not is_address(spec):
        return hub.hub_corpus(hub.parse_hub(spec), options)
    if (run := run_of(spec)) is not None:
        return _held_out(HeldOut.of(run), options)
    if (descriptor := open_pipe(spec)) is not None:
        path = kept(descriptor)
        name = path.name.partition(".")[0]
        if is_archive(path):
            return _from_files(name, _of_archive(path, options), path, options)
        return _from_files(name, Choice([path]), path.parent, options)
    if (local := local_path(spec)) is not None:
        spec = str(local)
    if is_address(spec):
        return _from_address(spec, options, in_place)
    path = Path(os.path.expanduser(spec))  # noqa: PTH111 - Path's own raises where there is no such user
    found = kind_at(path)
    if found == FILE:
        if path.suffix == ".toml":
            return _from_card(read_card(path), None, None, options, in_place, cards_read)
        if is_archive(path):
            return _from_files(path.name, _of_archive(path, options), path, options)
        return _from_files(path.name, Choice([path]), path.parent, options)
    if found == FOLDER:
        chosen = choose(path, files_below(path), options)
        return _from_files(path.name or spec, chosen, path, options)
    if found:
        raise not_a_file(path, found)
    if glob.has_magic(spec):
        fixed = Path(*takewhile(lambda part: not glob.has_magic(part), path.parts[:-1]))
        # Where the folder lies is this machine's business.
        name = Path(fixed.name, *path.parts[len(fixed.parts) :]).as_posix()
        return _from_files(name, _of_glob(spec, matching(path), options), fixed, options)
    name, config, split = parse_reference(spec)
    by_name = cards()
    if name in by_name:
        return _from_card(by_name[name], config, split, options, in_place)
    starters = ["starter", *(f"starter:{part}" for part in PARTS)]
    is_text = kind_of(path)[0] is not None or is_archive(path)
    on_hub = f"hf:{spec}" if _HUB_NAME.fullmatch(spec) and not is_text else None
    raise CorpusError(
        f"unknown corpus {spec!r}{did_you_mean(spec, [*starters, *by_name])}.",
        f"Tried: file or folder (none at {path}), corpus cards ({', '.join(by_name) or 'none'}).",
        "Give a file, a folder, a quoted glob, an address, hf:<org>/<name>, a card, or starter.",
        *([f"Did you mean {on_hub}, a dataset of the Hugging Face hub?"] if on_hub else []),
    )


def _held_out(run: HeldOut, options: ReaderOptions) -> Corpus:
    run.check_options(options)
    corpus = corpus_again(run)
    run.check(corpus)
    return corpus


def corpus_again(run: HeldOut) -> Corpus:
    """Return a text of a run, made once more of what is there now: `HeldOut.check` compares it.

    Raises:
        CorpusError: its files are gone, or are to be read in a way that this toktk does not know.
    """
    try:
        read_so = ReaderOptions(**run.options)
        temperature = None if run.temperature is None else float(run.temperature)
    except (TypeError, ValueError) as error:
        raise CorpusError(
            f"cannot read the {run.kind} of {run.folder}.",
            f"Found: reader options that this toktk does not have: {error}.",
            "Run the same command again.",
        ) from error
    if run.whole:
        corpus = _joined(_load_all(run.texts, read_so))
    else:
        corpus = _sides(run.texts, run.evals, read_so)[run.role == EVALUATION]
    if temperature is not None and run.role == TRAINING:
        corpus = corpus.balanced(temperature)
    return Corpus(run.name, [corpus])


def _of_archive(path: Path, options: ReaderOptions) -> Choice:
    return choose(path, Listing([path], [], []), options)


def _of_glob(spec: str, listing: Listing, options: ReaderOptions) -> Choice:
    """Return the files of a glob: all, whatever their kind, and what is text in the archives among them."""
    files = [path for path in listing.files if not is_archive(path)]
    chosen = [_of_archive(path, options) for path in listing.files if is_archive(path)]
    return Choice(
        [*files, *chain.from_iterable(part.files for part in chosen)],
        [*left_out(spec, listing), *chain.from_iterable(part.remarks for part in chosen)],
        dict(chain.from_iterable(part.groups.items() for part in chosen)),
        dict(chain.from_iterable(part.members.items() for part in chosen)),
    )


def _from_address(address: str, options: ReaderOptions, in_place: bool) -> Corpus:
    """Return the corpus of the files at an address, with groups as those of local files."""
    name, unread = without_secrets(address), Counter[str]()
    if options.split is not None:
        raise CorpusError(
            f"cannot choose a split of {name}.",
            f"Found: --split {options.split}.",
            "Give the files of the split by a glob.",
        )

    def wanted(path: Path) -> bool:
        known = kind_of(path)[0] is not None or is_archive(path)
        unread[path.suffix.lower() or "without extension"] += not known
        return known

    def stays(path: Path) -> bool:
        kind = kind_of(path)[0]
        return not (is_archive(path) or (kind is not None and kind.mapped))

    readers: list[FileReader] = []
    of_archives: list[str] = []
    for file, path, where, below in located(
        address, wanted, stays if in_place else lambda _: False
    ):
        group = below[0] if len(below) > 1 else kind_of(Path(below[0]))[2]
        if file is not None:
            readers.append(RemoteReader(file, options, group))
            continue
        if not is_archive(path):
            readers.append(FileReader(path, options, group, where))
            continue
        chosen = _of_archive(path, options)
        of_archives += chosen.remarks
        # Alone it is as a folder; beside others, one group.
        readers += _readers(chosen, path, options, where, group if len(below) > 1 else None)
    remarks = [*left_out(name, Listing([], [], []), unread), *of_archives]
    return Corpus(name, readers, options=options.changed(), remarks=remarks)


def _from_files(name: str, chosen: Choice, folder: Path, options: ReaderOptions) -> Corpus:
    """Return the corpus of files; the group is the first subfolder of `folder`, else the stem."""
    if not chosen.files:
        extensions = (
            set(READERS)
            | {f"{kind}{end}" for kind in (".txt", ".jsonl") for end in COMPRESSIONS}
            | {".zip"}
        )
        raise CorpusError(
            f"no text in {name}.",
            *chosen.remarks,
            f"Looked for: {', '.join(sorted(extensions))}.",
            "A glob, such as 'folder/**/*.c', reads other extensions as plain text.",
        )
    readers = _readers(chosen, folder, options)
    return Corpus(name, readers, options=options.changed(), remarks=chosen.remarks)


def _readers(
    chosen: Choice,
    folder: Path,
    options: ReaderOptions,
    where: str | None = None,
    group: str | None = None,
) -> list[FileReader]:
    """Return the readers of files below a folder or archive, which is called `where`; all of one `group`."""
    readers = []
    # By name below the folder, so that the order, and with it the fingerprint, is the same
    # wherever the folder lies.
    for path in sorted(chosen.files, key=lambda path: path.relative_to(folder).as_posix()):
        below, member = path.relative_to(folder).parts, chosen.members.get(path)
        first = below[0] if len(below) > 1 else None
        if member is not None and folder / below[0] == member.archive:
            first = member.archive.stem  # as of a folder that it were unpacked to
        own = group or chosen.groups.get(path) or first
        called = f"{where}/{PurePosixPath(*below)}" if where else None
        readers.append(FileReader(path, options, own, called, member))
    return readers


def _from_card(
    card: CorpusCard,
    config: str | None,
    split: str | None,
    options: ReaderOptions,
    in_place: bool,
    cards_read: int = 0,
) -> Corpus:
    if cards_read == _CARDS:
        raise CorpusError(
            f"the corpus card {card.name} leads to no text.",
            f"Found: {_CARDS} cards, each of which names the next.",
            "Name a file, a folder, a glob or an hf: spec in its spec.",
        )
    # The card says how its corpus is laid out; what the user asked for explicitly wins.
    of_card = {
        name: getattr(card, name)
        for name in ("text_column", "group_column", "align_column", "sample_by")
        if getattr(card, name) is not None
    }
    options = dataclasses.replace(options, **of_card | options.changed())
    if is_address(card.spec):
        return _resolve(card.spec, options, in_place)
    if card.spec.startswith(hub.PREFIXES):
        spec = hub.parse_hub(card.spec)
        config = config or card.config or spec.config
        split = split or card.split or spec.split
        return hub.hub_corpus(dataclasses.replace(spec, config=config, split=split), options)
    if config or split:
        raise CorpusError(f"the corpus {card.name} has no configs or splits to choose from.")
    target = card.folder / os.path.expanduser(card.spec)  # noqa: PTH111 - as in _resolve
    return _resolve(str(target), options, in_place, cards_read + 1)
