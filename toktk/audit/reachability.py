"""Which tokens no text becomes: those that merging does not make, and those that the pretokenizer cuts.

A token is tried alone: its bytes as a piece that the model encodes, and, where they are whole characters, as
a text of its own. Where the tokenizer puts a space in front of a text, or a token only continues words, it is
tried behind and before other characters, and so is, to say more of it, each token that its own text does not
give. Tokens that are part of a character are no text by themselves, and are tried as pieces alone.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from toktk.arrays import Ids, Int64, packed
from toktk.audit.finding import Finding, Severity
from toktk.audit.subject import Flags, Subject, percent, plural
from toktk.models.bpe import BpeModel
from toktk.models.model import Model
from toktk.models.pairs import PairModel
from toktk.models.symbols import SymbolsModel

BROKEN = 0.05
"""A share of unreachable tokens that says: vocabulary, merges and pretokenizer do not belong together."""

# What a token stands between, in longer texts.
_AROUND = (
    ("a", ""), ("\n", ""), ("1", ""), ("}", ""), (" ", ""), ("«", ""), ("日", ""), ("", "a"),
    ("", " "), ("", "\n"), ("a", "a"), ("}", "a"), ("\n", "a"), ("a", " "), ("日", "日"),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Reach:
    """How the tokens of a vocabulary can be reached.

    Attributes:
        ids: int64[n]: those that were tried: no special tokens, and no bytes that stand in for characters.
        by_model: bool[n]: the model makes the token of its bytes; None where a library runs it.
        by_merging: bool[n]: merging alone does, without taking a whole piece; None where nothing merges.
        alone: bool[n]: its own text gives it; true of what is part of a character.
        pieces: int64[n]: into how many pieces its own text is cut; 0 where a library cuts.
        in_text: bool[n]: some text that was tried gives it; true of what is part of a character.
    """

    ids: Int64
    by_model: Flags | None
    by_merging: Flags | None
    alone: Flags
    pieces: Int64
    in_text: Flags

    @classmethod
    def of(cls, subject: Subject, jobs: int = 1) -> Reach:
        """Try all tokens of a vocabulary."""
        fallback = subject.fallback_ids
        tried = np.array([i not in fallback for i in subject.ordinary.tolist()], dtype=np.bool_)
        ids, is_text = subject.ordinary[tried], subject.is_text[tried]
        tokens = [subject.tokens[i] for i in ids.tolist()]
        by_model = by_merging = None
        if subject.is_native:
            by_model = _made(subject.model, tokens, ids)
            merging = _merging_alone(subject.model)
            by_merging = None if merging is None else _made(merging, tokens, ids)
        alone, in_text = ~is_text, ~is_text
        whole = np.flatnonzero(is_text)
        texts = [tokens[i] for i in whole.tolist()]
        alone[whole] = _equals(ids[whole], *subject.encode(texts, jobs))
        pieces = np.zeros(ids.size, dtype=np.int64)
        if subject.is_native:
            cut = subject.tokenizer.pretokenizer.cut_batch(*packed(texts))
            pieces[whole] = np.diff(cut.documents)
        in_text |= alone
        for before, after in _AROUND:
            left = np.flatnonzero(~in_text)
            if not left.size:
                break
            around = [b"%b%b%b" % (before.encode(), tokens[i], after.encode()) for i in left]
            in_text[left] = _holds(ids[left], *subject.encode(around, jobs))
        if subject.adds_space or subject.continuing_ids:
            alone = in_text.copy()
        return cls(ids, by_model, by_merging, alone, pieces, in_text)


def reachability(subject: Subject, jobs: int = 1) -> list[Finding]:
    """Return what tokens cannot be reached, by the model and through the pretokenizer."""
    reach = Reach.of(subject, jobs)
    return [_by_text(subject, reach), *_by_model(subject, reach)]


def _by_text(subject: Subject, reach: Reach) -> Finding:
    dead = np.flatnonzero(~reach.alone)
    n = int(subject.is_text.sum())
    finding = functools.partial(subject.of_ids, "unreachable", ids=reach.ids[dead].tolist(), of=n)
    if not dead.size:
        return finding(
            "ok", f"each of {plural(n, 'token')} of whole characters is what its text becomes."
        )
    severity: Severity = "error" if dead.size > BROKEN * n else "warning"
    cut = int((reach.pieces[dead] > 1).sum())
    causes = [f"the pretokenizer cuts {cut:,}"] if cut else []
    if subject.is_native and cut < dead.size:
        causes.append(f"the model makes other tokens of {dead.size - cut:,}")
    message = (
        f"{dead.size:,} of {n:,} tokens of whole characters ({percent(dead.size, n)}) are not what their own "
        f"text becomes{': ' if causes else ''}{', '.join(causes)}. "
        f"{_further(int(reach.in_text[dead].sum()), dead.size)}"
    )
    advice = "No text trains these ids, or few: leave them out of what a model may say, or train them apart."
    if severity == "error":
        advice = (
            "So many say that vocabulary, merges and pretokenizer do not belong together: see whether the "
            "file is the one that the vocabulary was trained with."
        )
    return finding(severity, message, advice=advice)


def _further(n: int, of: int) -> str:
    around = f"{len(_AROUND)} surroundings that were tried"
    if not n:
        return f"Nor does one appear in any of the {around}."
    verb = "appears" if n == 1 else "appear"
    return f"{'All' if n == of > 1 else f'{n:,}'} of them {verb} in one of the {around}."


def _by_model(subject: Subject, reach: Reach) -> list[Finding]:
    n = reach.ids.size
    if reach.by_model is None:
        why = f"{subject.tokenizer.engine} runs it, and encodes no single pieces."
        return [subject.not_checked("unmergeable", why)]
    made = reach.by_model if reach.by_merging is None else reach.by_merging
    missed = np.flatnonzero(~made)
    how = "the model" if reach.by_merging is None else "merging alone"
    finding = functools.partial(subject.of_ids, "unmergeable", ids=reach.ids[missed].tolist(), of=n)
    if not missed.size:
        return [finding("ok", f"{how} makes each of {plural(n, 'token')} of its bytes.")]
    whole = int(reach.by_model[missed].sum())
    rest = missed.size - whole
    share = percent(missed.size, n)
    message = f"{how} does not make {missed.size:,} of {n:,} tokens of their bytes ({share})"
    if not rest:
        message += "; a piece that equals one becomes it all the same."
        return [finding("info", message)]
    message += f"; {whole:,} are taken as whole pieces, {rest:,} never." if whole else "."
    severity: Severity = "error" if rest > BROKEN * n else "warning"
    advice = (
        "These ids are in no text: a vocabulary and merges of different trainings look like this."
    )
    return [finding(severity, message, advice=advice)]


def _merging_alone(model: Model) -> Model | None:
    """Return a model that makes tokens by merging and takes no piece as a whole; None where none merges."""
    if isinstance(model, PairModel):
        return replace(model, whole=np.zeros_like(model.whole))
    inner = model.model if isinstance(model, SymbolsModel) else model
    return model if isinstance(inner, BpeModel) else None


def _made(model: Model, tokens: list[bytes], ids: Int64) -> Flags:
    """Return bool[n]: which tokens the model makes of their bytes, taken as a piece."""
    encoded, ends = model.encode_pieces(*packed(tokens))
    return _equals(ids, encoded, np.append(0, ends))


def _equals(wanted: Int64, ids: Ids, ends: Int64) -> Flags:
    """Return bool[D]: whether a document, ``ids[ends[d]:ends[d + 1]]``, is the one id that is wanted."""
    same = np.asarray(np.diff(ends) == 1, dtype=np.bool_)
    same[same] = ids[ends[:-1][same]] == wanted[same]
    return same


def _holds(wanted: Int64, ids: Ids, ends: Int64) -> Flags:
    """Return bool[D]: whether a document holds the id that is wanted."""
    owner = np.repeat(np.arange(wanted.size), np.diff(ends))
    held = np.bincount(owner[ids == wanted[owner]], minlength=wanted.size)
    return np.asarray(held > 0, dtype=np.bool_)
