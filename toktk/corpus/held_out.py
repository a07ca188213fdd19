"""The texts of a run, once more: what it measured on is ``runs/news:held-out``.

run.json says what was read and how; text is split by hash, so the same files give the same split.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toktk import shapes
from toktk.corpus.corpus import Corpus
from toktk.corpus.find import kind_at
from toktk.corpus.hub import PREFIXES
from toktk.corpus.mixture import parse_share
from toktk.corpus.options import ReaderOptions
from toktk.corpus.piped import open_pipe
from toktk.errors import CorpusError
from toktk.paths import FOLDER
from toktk.places import is_address, without_secrets
from toktk.visible import without_surrogates

ENDING = ":held-out"

Text = tuple[str | None, str, float | None]
"""Name, spec and share, as `parse_share` tells them apart."""

_TEXTS = [{"name": (str, None), "spec": str, "share": (float, None)}]
_SOURCES = [{"name": str, "fingerprint": str}]
_RECIPE = {
    "texts": _TEXTS,
    "evals": _TEXTS,
    "options": dict,
    "sources": _SOURCES,
    "whole?": bool,
    "temperature?": str,
}
_TEXT = ({"name": str, "fingerprint": str, "recipe?": _RECIPE}, None)
_SHAPE = {"evaluation": _TEXT, "training?": _TEXT, "started_in?": (str, None)}

TRAINING, EVALUATION = "training", "evaluation"
_ROLES = {EVALUATION: "held-out text", TRAINING: "training text"}


def recipe(
    specs: Sequence[str], evals: Sequence[str], options: ReaderOptions, whole: bool = False
) -> dict[str, Any]:
    """Return what makes the texts to train and to measure on, JSON-able; one that is `whole` is not split.

    Nothing where a pipe is part of it, an address with a secret, which no file should hold, or a name that is
    no UTF-8, which JSON cannot hold.
    """
    for _, spec, _ in map(parse_share, (*specs, *evals)):
        if without_surrogates(spec) != spec:
            return {}
        if open_pipe(spec) is not None or (is_address(spec) and without_secrets(spec) != spec):
            return {}
    texts, measured = (
        [dict(zip(("name", "spec", "share"), parse_share(spec), strict=True)) for spec in side]
        for side in (specs, evals)
    )
    made = {"texts": texts, "evals": measured, "options": options.changed()}
    return {**made, "whole": True} if whole else made


def run_of(spec: str) -> Path | None:
    """Return the run directory of which a spec means the held-out text; None for another spec."""
    if not spec.endswith(ENDING) or kind_at(Path(spec)):
        return None
    return Path(os.path.expanduser(spec.removesuffix(ENDING)))  # noqa: PTH111 - as in load


@dataclass(frozen=True)
class HeldOut:
    """What a run directory says of a text of its own.

    Attributes:
        folder: the run directory.
        role: `EVALUATION`, what it measured on, or `TRAINING`.
        name, fingerprint, sources: of the text; see `Corpus.sources_told`.
        texts, evals, options, whole, temperature: what it was made of; see `recipe` and `Corpus.balanced`.
            That of a training text from before it was recorded is None.
    """

    folder: Path
    role: str
    name: str
    fingerprint: str
    sources: Sequence[Mapping[str, str]]
    texts: Sequence[Text]
    evals: Sequence[Text]
    options: Mapping[str, Any]
    whole: bool = False
    temperature: str | None = None

    @classmethod
    def of(cls, folder: Path, role: str = EVALUATION, again: bool = False) -> HeldOut:
        """Read what run.json says.

        Args:
            again: for a run that is to be repeated, whose text need not have been held out.

        Raises:
            CorpusError: there is none, or it does not say how to read the text.
        """
        what = f"cannot read the {_ROLES[role]} of {folder}."
        file = folder / "run.json"
        try:
            document = shapes.parse(file.read_bytes())
        except (OSError, ValueError) as error:
            found = "no run.json in it" if kind_at(folder) == FOLDER else "no such folder"
            reason = found if isinstance(error, OSError) else f"{file} is damaged: {error}"
            raise CorpusError(
                what,
                f"Found: {reason}.",
                "Give the folder that toktk sweep wrote, such as runs/news.",
            ) from error
        if wrong := shapes.misfit(document, _SHAPE):
            raise CorpusError(what, f"Found: {file} is damaged: {wrong}.", "Run the sweep again.")
        text = document.get(role) or {}
        made = text.get("recipe")
        if (
            made is None and role == TRAINING and text
        ):  # as runs before this was recorded: the other side
            made = (document["evaluation"] or {}).get("recipe")
        if made is None or (made.get("whole") and not again):
            why = "it was not written by toktk sweep, or its text came from a pipe or a secret address"
            if not text:
                why = "that run measured nothing" if role == EVALUATION else "it trained nothing"
            elif "counts" in text:
                why = "its counts were read, and not the text"
            elif again:
                why = (
                    "it does not say where its text came from: a pipe, a secret address, or an earlier "
                    "toktk wrote it"
                )
            advice = "Give the text itself with -c."
            if again:
                advice = "Run it once more from files; later runs can be repeated."
            raise CorpusError(what, f"Found: {why}.", advice)
        # Relative paths are of the folder that the run was started in, wherever this process is.
        base = folder / (document.get("started_in") or ".")
        texts, evals = (
            [(text["name"], _placed(text["spec"], base), text["share"]) for text in made[side]]
            for side in ("texts", "evals")
        )
        return cls(
            folder,
            role,
            text["name"],
            text["fingerprint"],
            made["sources"],
            texts,
            evals,
            made["options"],
            bool(made.get("whole")),
            made.get("temperature"),
        )

    @property
    def kind(self) -> str:
        """What the text is, in words."""
        return _ROLES[self.role]

    def check_options(self, options: ReaderOptions) -> None:
        """Refuse options of reading other than the run's; a limit is taken of what it held out.

        Raises:
            CorpusError: there is one.
        """
        for name, value in options.changed().items():
            if name not in ("limit", "seed") and self.options.get(name) != value:
                raise CorpusError(
                    f"{name}={value!r} does not fit {self.folder}{ENDING}.",
                    "Found: it is read as the run read it.",
                    "Leave the option out, or give the text itself.",
                )

    def check(self, corpus: Corpus) -> None:
        """Compare a text with the one that was measured on.

        Raises:
            CorpusError: it is another.
        """
        if corpus.hash_contents() == self.fingerprint:
            return
        before, now = _by_name(self.sources), _by_name(corpus.sources_told())
        changes = {
            "changed": [n for n in now if before.get(n, now[n]) != now[n]],
            "gone": [n for n in before if n not in now],
            "new": [n for n in now if n not in before],
        }
        found = [f"{how}: {', '.join(names[:5])}" for how, names in changes.items() if names]
        did = "measured" if self.role == EVALUATION else "trained"
        otherwise = "the same files, which are read in another way"
        if self.role == TRAINING and self.temperature is None:
            otherwise += ", such as with --temperature, which earlier versions did not record"
        raise CorpusError(
            f"the text that {self.folder} {did} on is not there any more.",
            f"Found: {'; '.join(found) or otherwise}.",
            "Bring the files back, or run the same command again on what they are now.",
        )


def _by_name(sources: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    marks: dict[str, list[str]] = {}
    for source in sources:
        marks.setdefault(source["name"], []).append(source["fingerprint"])
    return marks


def _placed(spec: str, base: Path) -> str:
    """Return a spec with a relative path below `base`; what names no path stays."""
    names_text = spec.startswith(("starter:", *PREFIXES)) or spec == "starter" or is_address(spec)
    path = Path(os.path.expanduser(spec))  # noqa: PTH111 - as in load
    if names_text or path.is_absolute():
        return spec
    placed = str(base / path)
    exists = kind_at(Path(placed)) or run_of(placed) or glob.has_magic(spec)
    return (
        placed if exists else spec
    )  # a card, or what has gone: an error names it as it was written
