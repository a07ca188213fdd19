"""Unigram vocabularies (Kudo 2018), from piece counts.

The slow twins of its steps are `toktk.educational.reestimate`, `losses` and `prune`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from toktk.arrays import Int64
from toktk.errors import TrainingError
from toktk.models.unigram import UnigramModel
from toktk.pretokenizers.patterns import DEFAULT_PRETOKENIZER
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.trainers.base import (
    LOWER_FLOOR,
    BaseTrainer,
    Card,
    Reached,
    Trained,
    TrainingData,
    check_range,
    sizes_from,
)
from toktk.trainers.reserved import check_not_bytes

if TYPE_CHECKING:
    from toktk.trainers.seeding import Characters
    from toktk.trainers.unigram_state import Bool, UnigramState

UNKNOWN = "<unk>"
HEADROOM = 1.1
"""The likelihood prunes to this many times the size; the rest goes by score (SentencePiece's constant)."""
MORE_HEADROOM = (1.3, 1.6, 2.0)
"""What is tried where the tokens that text is encoded by turn out fewer than the size."""
CHARACTER_SHARE = 8
"""Frequent characters are tokens in any case as long as they take no more than one in so many ids."""
STEPS = 1024
"""Scores are multiples of 1 / STEPS, so that sums of thousands are exact in float32."""
# Not in tokens of a character alphabet: SentencePiece writes U+2581 for a space, and ends strings with NUL.
_RESERVED = (0, 0x2581)


class UnigramTrainer(BaseTrainer):
    """Unigram (Kudo 2018) in SentencePiece 0.2.3's order of steps, every size from one training.

    Seeds are the substrings of the pieces that cover the most characters (occurrences times
    length), and all whole pieces seen twice. Each round takes two steps of expectation and
    maximization (digamma in the second), and prunes to 0.75 of the vocabulary by what the
    likelihood would lose. The last prune goes to 1.1 times the size. Then tokens that encode no
    text are dropped, and the most likely remain. The path does not depend on the size until its
    last prune. So the sizes branch off one path, and each vocabulary equals that of a training for
    this size alone. No result depends on threads or the order of documents.

    Differences from SentencePiece: pieces come from any pretokenizer; counts are 64 bits wide; sums
    of expectations are exact; seeds come from distinct pieces with their counts, and one that the
    same character always follows is left out; scores are rounded to 1/1024.

    Args:
        pretokenizer: a name or a pattern.
        special_tokens: get the first ids; text is never encoded by them.
        symbols: see `toktk.trainers.base.BaseTrainer`.
        alphabet: "bytes": the 256 bytes are tokens like others, and spell what no longer token
            covers; frequent characters are tokens as long as they take no more than an eighth of
            the ids. "characters", as in SentencePiece: frequent characters are tokens, bytes stand
            in for rare ones only, and "<unk>" is the first special token. None: characters for
            metaspace, else bytes.
        character_coverage: share of the text that these characters make up.
        seed_size: most seeds, whole pieces aside.
        min_frequency: least occurrences of a seed.
        max_token_length: most bytes of a token.
        max_token_chars: most characters of a token, 1 to 32.
        prune: "loss", or "flat": by score (Land and Pinter 2025: compresses better, fits a little worse).
        shrinking_factor: share of the vocabulary that a prune keeps.
        sub_iterations: steps of expectation and maximization between two prunes.
    """

    name = "unigram"
    card = Card(
        pretokenizer="any",
        shared=True,
        model="unigram",
        notes=("Whole pieces are seeds even where seed_size is exceeded.",),
    )

    def __init__(
        self,
        pretokenizer: str | Pretokenizer = DEFAULT_PRETOKENIZER,
        special_tokens: Sequence[str] = (),
        min_frequency: int = 2,
        max_token_length: int | None = None,
        *,
        alphabet: Literal["bytes", "characters"] | None = None,
        character_coverage: float = 0.9995,
        seed_size: int = 1_000_000,
        max_token_chars: int = 16,
        prune: Literal["loss", "flat"] = "loss",
        shrinking_factor: float = 0.75,
        sub_iterations: int = 2,
        symbols: Sequence[str] = (),
    ) -> None:
        super().__init__(pretokenizer, special_tokens, symbols)
        by_name = "characters" if self.pretokenizer.name == "metaspace" else "bytes"
        self.alphabet = alphabet or by_name
        if self.alphabet != "characters":
            check_not_bytes(self.symbols, self.name)
        elif UNKNOWN not in self.special_tokens:
            self.special_tokens = (UNKNOWN, *self.special_tokens)
        self.min_frequency = min_frequency
        self.max_token_length = max_token_length
        self.character_coverage = character_coverage
        self.seed_size = seed_size
        self.max_token_chars = max_token_chars
        self.prune = prune
        self.shrinking_factor = shrinking_factor
        self.sub_iterations = sub_iterations
        check_range("min_frequency", min_frequency, 0)
        check_range("max_token_length", max_token_length, 1)
        check_range("character_coverage", character_coverage, 0.5, 1.0)
        check_range("seed_size", seed_size, 1)
        check_range("max_token_chars", max_token_chars, 1, 32)
        check_range("shrinking_factor", shrinking_factor, 0.5, 0.95)
        check_range("sub_iterations", sub_iterations, 1, 10)
        choices = {"alphabet": ("bytes", "characters"), "prune": ("loss", "flat")}
        for name, values in choices.items():
            if getattr(self, name) not in values:
                raise TrainingError(
                    f"{name} must be {' or '.join(map(repr, values))}, not {getattr(self, name)!r}."
                )

    @property
    def _n_fixed(self) -> int:
        """How many ids special tokens and bytes take."""
        return len(self.special_tokens) + 256

    def train(self, data: TrainingData, sizes: Sequence[int]) -> Trained:
        """See `toktk.trainers.base.Trainer`."""
        from toktk.trainers.seeding import Characters

        data = data.cut_at(self.symbols)
        fixed = f"{self._reserved}, 256 bytes"
        sizes_from(sizes, self._n_fixed, fixed)
        table = data.pieces(self.pretokenizer)
        characters = Characters.of(table.data, table.offsets, table.counts, data.jobs)
        required = self._frequent(characters)
        n_required = int(required.sum()) if self.alphabet == "characters" else 0
        least = self._n_fixed + n_required
        remaining = sizes_from(
            sizes,
            least,
            f"{fixed} and {n_required:,} characters ({self.character_coverage:.2%} of the text)",
            f", or a lower {self._option('character_coverage')}" if n_required else "",
        )
        models, available = self._path(characters, required, remaining, data)
        reached = Reached(models, available, least)
        advice = LOWER_FLOOR if self.min_frequency > 1 else ""
        return self._finish(reached, data, sizes, advice=advice)

    def _frequent(self, characters: Characters) -> Bool:
        """Return bool[C]: the most frequent characters, which make up `character_coverage` of the text."""
        order = np.argsort(-characters.times, kind="stable")
        covered = np.cumsum(characters.times[order])
        goal = self.character_coverage * float(covered[-1]) if covered.size else 0.0
        frequent = np.zeros(characters.distinct.size, dtype=np.bool_)
        frequent[order[: int(np.searchsorted(covered, goal)) + 1]] = True
        return frequent & _allowed(characters, _RESERVED if self.alphabet == "characters" else ())

    def _required_at(self, state: UnigramState, size: int) -> Bool:
        """Return bool[n]: the characters that a vocabulary of `size` ids has whatever happens."""
        if self.alphabet == "characters":
            return state.required
        candidates = np.flatnonzero(state.required)
        times = state.lattices.characters.times[state.home[candidates]]
        most = (size - self._n_fixed) // CHARACTER_SHARE
        required = np.zeros(state.required.size, dtype=np.bool_)
        required[candidates[np.argsort(-times, kind="stable")[:most]]] = True
        return required

    def _path(
        self, characters: Characters, required: Bool, sizes: Sequence[int], data: TrainingData
    ) -> tuple[dict[int, UnigramModel], int]:
        """Go down the path; return the model of each size in reach, and the largest size there is."""
        state = self._seeded(characters, required, data.jobs)
        alphabet = self._n_fixed
        pending = sorted(set(sizes), reverse=True)
        models: dict[int, UnigramModel] = {}
        available = 0
        advance = _Advance(data, sizes, alphabet + len(state))
        while pending:
            for _ in range(self.sub_iterations):
                state.reestimate()
            advance.to(alphabet + len(state))
            smaller = int(self.shrinking_factor * (alphabet + len(state)))
            by_score = self.prune == "flat"
            value = state.score - state.score.min(initial=0.0) if by_score else state.losses()
            due = [size for size in pending if int(HEADROOM * size) >= smaller]
            for size in due:
                required_at = self._required_at(state, size)
                for headroom in (HEADROOM, *MORE_HEADROOM):
                    remaining = state.best(value, int(headroom * size) - alphabet, required_at)
                    available = max(available, self._branch(state, remaining, size, models))
                    if size in models:
                        break
            pending = pending[len(due) :]
            if not pending:
                break
            before = len(state)
            state.prune(state.best(value, smaller - alphabet, state.required))
            # Where a prune drops more than it was asked to, it may have been the last one.
            stuck = len(state) == before
            due = [s for s in pending if stuck or alphabet + len(state) <= int(HEADROOM * s)]
            for size in due:
                available = max(available, self._branch(state, state.alive, size, models))
            pending = pending[len(due) :]
        advance.to(min(sizes))
        return models, available

    def _branch(
        self, state: UnigramState, remaining: Bool, size: int, models: dict[int, UnigramModel]
    ) -> int:
        """Add the model of `size` ids if the tokens `remaining` give so many; return how many they give."""
        tokens = np.flatnonzero(state.reachable(remaining))
        room = size - self._n_fixed
        if tokens.size >= room:
            models[size] = self._model(state, tokens, room, self._required_at(state, size))
        return self._n_fixed + tokens.size

    def _seeded(self, characters: Characters, required: Bool, jobs: int) -> UnigramState:
        """Return the state before the first step."""
        from toktk.trainers.seeding import find_seeds, utf8_lengths
        from toktk.trainers.unigram_state import UnigramState

        by_bytes = self.alphabet == "bytes"
        allowed = _allowed(characters) if by_bytes else required
        seeds = find_seeds(
            characters, allowed, self.seed_size, self.min_frequency, self.max_token_chars,
            self.max_token_length, jobs,
        )  # fmt: skip
        alone = required
        if by_bytes:
            short = utf8_lengths(characters.distinct) <= (self.max_token_length or 4)
            alone = allowed & (characters.distinct >= 0x80) & short
        return UnigramState(characters, seeds, alone, required, by_bytes, jobs)

    def _model(self, state: UnigramState, tokens: Int64, room: int, required: Bool) -> UnigramModel:
        """Return the model of the required `tokens` and the most likely others, `room` in all, by score."""
        order = tokens[np.lexsort((-state.score[tokens], ~required[tokens]))][:room]
        order = order[np.argsort(-state.score[order], kind="stable")]
        data, lengths = state.texts(order)
        by_bytes = self.alphabet == "bytes"
        bytes_ = np.rint(state.byte_score * STEPS) / STEPS if by_bytes else np.zeros(256)
        scores = np.rint(state.score[order] * STEPS) / STEPS
        if by_bytes:  # a character that is a token is not spelled by bytes, however rare it was
            alone = state.length[order] == 1
            spelling = state.spelling[state.home[order[alone]]]
            around = np.append(bytes_, 0.0)[spelling].sum(axis=1)
            scores[alone] = np.maximum(scores[alone], around + 1 / STEPS)
        first = len(self.special_tokens)
        return UnigramModel(
            self.special_tokens,
            np.concatenate([np.arange(256, dtype=np.uint8), data]),
            np.concatenate([np.arange(257), 256 + np.cumsum(lengths)]).astype(np.int64),
            np.concatenate([bytes_, scores]),
            None if by_bytes else np.arange(first, first + 256),
        )


class _Advance:
    """Progress along the path, as ids of the largest size: how far the log of the size has come down."""

    def __init__(self, data: TrainingData, sizes: Sequence[int], start: int) -> None:
        self._data, self._total, self._done = data, max(sizes), 0
        self._start = math.log(max(start, min(sizes) + 1))
        self._span = self._start - math.log(min(sizes))

    def to(self, size: int) -> None:
        """Say that the path has come down to `size`."""
        share = (self._start - math.log(size)) / self._span
        goal = int(self._total * min(max(share, 0.0), 1.0))
        if goal > self._done:
            self._data.advance(goal - self._done)
            self._done = goal


def _allowed(characters: Characters, reserved: Sequence[int] = ()) -> Bool:
    from toktk.kernels.suffixes import INVALID

    distinct = characters.distinct
    return np.asarray((distinct < INVALID) & ~np.isin(distinct, reserved))
