"""Training: the tokenizers of a family, from the store or from its trainer."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toktk.arrays import read_arrays, write_arrays
from toktk.cache import digest
from toktk.corpus import Corpus
from toktk.errors import TrainingError
from toktk.lab.counted import CountedCorpora
from toktk.lab.meter import Meter
from toktk.lab.plan import Family, SweepPlan
from toktk.lab.reading import Reading
from toktk.models.bpe import BpeModel
from toktk.models.inference import Inference
from toktk.models.model import Model, is_storable, model_from_arrays
from toktk.models.symbols import SymbolsModel
from toktk.normalizers.normalizer import Form
from toktk.pieces.table import without_pieces
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.registry import guarded
from toktk.runtime import give_back_memory, usable_cores
from toktk.sizes import size_label, why_unreached
from toktk.tokenizer import Tokenizer
from toktk.trainers.base import Trained, TrainingData

if TYPE_CHECKING:
    from toktk.pieces.table import PieceTable


def train(
    name: str,
    corpus: Corpus,
    sizes: Sequence[int],
    *,
    pretokenizer: str | Pretokenizer | None = None,
    normal_form: Form | None = None,
    split_special: bool = True,
    seed: int = 0,
    jobs: int | None = None,
    **parameters: Any,
) -> dict[int, Tokenizer]:
    """Train on a corpus, one training for all sizes where the trainer can.

    What was trained before on the same text is taken from the cache, as by ``toktk train``. A size
    that the text cannot fill is left out, with a warning.

    Args:
        name: a trainer's, as listed by ``toktk ls trainers``.
        sizes: vocabulary sizes, special tokens and alphabet included.
        pretokenizer: a name or a pattern; by default o200k, for trainers that take one.
        normal_form: the Unicode normal form, such as NFC, that text is put into before it is cut.
        split_special: cut documents at the special tokens that stand in them, and learn nothing there.
        seed: given to trainers that take one.
        jobs: threads, by default one for each usable core; they change no result.
        parameters: further parameters of the trainer.

    Returns:
        {size: tokenizer}, ascending.

    Raises:
        TrainingError: a parameter is impossible, or no size can be reached.
        CorpusError: the text cannot be read.
    """
    plan = SweepPlan(
        training=corpus,
        evaluation=None,
        sizes=tuple(sorted(set(sizes))),
        trainers=(name,),
        pretokenizers=() if pretokenizer is None else (Pretokenizer.of(pretokenizer),),
        parameters=parameters,
        normal_form=normal_form,
        split_special=split_special,
        seed=seed,
        jobs=jobs or usable_cores(),
    )
    plan.check()
    corpus.hash_files(jobs=plan.jobs)
    (family,) = plan.families
    training = Trainings(plan, CountedCorpora(Meter(), plan.jobs)).of(family)
    missing, line = training.unreached(family.label, plan.sizes)
    if missing:
        warnings.warn(line, stacklevel=2)
    return {t.vocab_size: t for t in training.labelled(family.label).values()}


@dataclass(frozen=True)
class Training:
    """What a trainer returned.

    Attributes:
        tokenizers: one for each size that was reached, ascending.
        available: ids that the text gives, where the trainer told and a size is too large.
        least: ids that are taken before anything is learned, where a size is too small.
        reading: of the pass over the training text; None where the trainer read it itself.
    """

    tokenizers: tuple[Tokenizer, ...]
    available: int | None
    reading: Reading | None
    least: int | None = None

    @property
    def nested(self) -> bool:
        """Whether each tokenizer is the beginning of the last: then one encoding serves all."""
        last = self.tokenizers[-1]
        return all(
            tokenizer.pretokenizer == last.pretokenizer and tokenizer.model.is_prefix_of(last.model)
            for tokenizer in self.tokenizers
        )

    def labelled(self, family: str) -> dict[str, Tokenizer]:
        """Return the tokenizers by the labels that tables use, such as ``bpe-50k``."""
        labels = [f"{family}-{size_label(tokenizer.vocab_size)}" for tokenizer in self.tokenizers]
        named = zip(labels, self.tokenizers, strict=True)
        return {label: replace(tokenizer, name=label) for label, tokenizer in named}

    def unreached(self, family: str, sizes: Sequence[int]) -> tuple[list[int], str]:
        """Return those of `sizes` that the text does not fill, and what is said of them."""
        reached = {tokenizer.vocab_size for tokenizer in self.tokenizers}
        missing = [size for size in sizes if size not in reached]
        why = why_unreached(self.available, self.least)
        why = f": {why}" if why else ""
        return missing, f"{family} does not reach {', '.join(map(size_label, missing))}{why}."

    @property
    def storable(self) -> bool:
        """Whether every model is of a known kind; a plug-in may bring another."""
        return all(is_storable(tokenizer.model) for tokenizer in self.tokenizers)

    def save(self, folder: Path) -> None:
        """Write the models, merges only once if they are nested."""
        last = self.tokenizers[-1].model
        one_list = self.nested and isinstance(last, BpeModel)
        stored = self.tokenizers[-1:] if one_list else self.tokenizers
        arrays = {
            f"{i}/{name}": array
            for i, tokenizer in enumerate(stored)
            for name, array in tokenizer.model.to_arrays().items()
        }
        tokenizers = [
            {
                "name": tokenizer.name,
                "pretokenizer": tokenizer.pretokenizer.to_json(),
                "kind": tokenizer.model.kind,
                "stored": 0 if one_list else i,
                "merges": len(tokenizer.model.merges)
                if one_list and isinstance(tokenizer.model, BpeModel)
                else None,
            }
            for i, tokenizer in enumerate(self.tokenizers)
        ]
        reading = None if self.reading is None else vars(self.reading)
        write_arrays(
            folder,
            arrays,
            available=self.available,
            least=self.least,
            reading=reading,
            tokenizers=tokenizers,
        )

    @classmethod
    def load(cls, folder: Path) -> Training:
        """Read what `save` wrote."""
        arrays, about = read_arrays(folder)
        tokenizers = []
        for stored in about["tokenizers"]:
            prefix = f"{stored['stored']}/"
            parts = {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}
            if stored["merges"] is not None:
                parts["merges"] = parts["merges"][: stored["merges"]]
            model = model_from_arrays(stored["kind"], parts)
            pretokenizer = Pretokenizer.from_json(stored["pretokenizer"])
            tokenizers.append(Tokenizer(stored["name"], pretokenizer, model))
        reading = about["reading"] and Reading(**about["reading"])
        return cls(tuple(tokenizers), about["available"], reading, about.get("least"))


@dataclass
class Trainings:
    """Trains the families of a plan, each training once.

    Attributes:
        counted: the counted corpora; its store keeps the trainings, its meter is told what is trained.
        last: the hash of the last training's key, and the training.
    """

    plan: SweepPlan
    counted: CountedCorpora
    last: tuple[str, Training] | None = None

    def of(self, family: Family) -> Training:
        """Return the tokenizers of a family at all sizes in reach, run by its inference method.

        Raises:
            TrainingError: no size can be reached, or the trainer is broken.
            FormatError: the vocabulary cannot be run by the inference method.
            PluginError: a trainer or an inference method of another package fails.
        """
        training, method = self._trained(family), family.method
        if method is None:
            return training
        tables: dict[Pretokenizer, PieceTable] = {}
        tokenizers = []
        total = len(training.tokenizers)
        with self.counted.meter.step("infer", family.label, total, "sizes") as advance:
            for tokenizer in training.tokenizers:
                cut = tokenizer.pretokenizer
                if cut not in tables and method.reads_pieces:
                    tables[cut] = self.counted.get(self.plan.training, cut, by_group=False).table
                with guarded(f"the inference method {family.inference!r}", method.run):
                    model = _same_ids(method, tokenizer.model, tables.get(cut))
                tokenizers.append(replace(tokenizer, model=model))
                advance(1)
        return replace(training, tokenizers=tuple(tokenizers))

    def _trained(self, family: Family) -> Training:
        corpus = self.plan.training
        key = {**family.key(), "corpus": corpus.fingerprint, "sizes": self.plan.sizes}
        hashed = digest(key)
        if self.last is not None and self.last[0] == hashed:
            return self.last[1]  # another inference method for the same tokenizers
        training = self.counted.store.read("training", key, Training.load)
        if training is not None:
            self.counted.meter.reused("train", family.label)
        else:
            training = self._train(family, corpus)
            if training.storable:
                self.counted.store.write("training", key, training.save)
        self.last = hashed, training
        return training

    def _train(self, family: Family, corpus: Corpus) -> Training:
        evaluation = self.plan.evaluation
        if evaluation is not None and family.counted_by is not None:
            # Text that cannot be measured on is better found before the training than after it.
            training = (corpus, family.training_cut) if family.reads_pieces else None
            self.counted.count_measured(evaluation, family.counted_by, training)
        readings: list[Reading] = []

        def count(pretokenizer: Pretokenizer) -> PieceTable:
            counted = self.counted.get(corpus, pretokenizer, by_group=False)
            readings.append(counted.reading)
            return counted.table

        sizes = self.plan.sizes
        with (
            contextlib.ExitStack() as at_end,
            self.counted.meter.step("train", family.label, max(sizes), "tokens") as advance,
        ):
            at_end.callback(self.counted.storing.finish)  # whatever ends the training
            whole = _Whole(advance, max(sizes))
            data = TrainingData(corpus, count, whole.add, self.plan.jobs, family.split_at)
            trainer = family.trainer()
            with guarded(f"the trainer {family.name!r}", family.build):
                trained = trainer.train(data, list(sizes))
                tokenizers = _checked(family, trained, sizes)
            whole.add(whole.left)
        give_back_memory()
        reading = readings[0] if readings else None
        if len(tokenizers) == len(sizes):
            return Training(tokenizers, None, reading)
        return Training(tokenizers, trained.available, reading, trained.least)


class _Whole:
    """Progress that comes to a total and no further, whatever a trainer says."""

    def __init__(self, advance: Callable[[int], None], total: int) -> None:
        self._advance, self.left = advance, total

    def add(self, amount: int) -> None:
        amount = min(max(amount, 0), self.left)
        self.left -= amount
        self._advance(amount)


def _same_ids(method: Inference, trained: Model, pieces: PieceTable | None) -> Model:
    """Return a model run by an inference method, which must have as many ids as before."""
    if isinstance(trained, SymbolsModel):
        others = None if pieces is None else without_pieces(pieces, trained.symbols)
        return replace(trained, model=_same_ids(method, trained.model, others))
    model = method.run(trained, pieces)
    if model.vocab_size != trained.vocab_size:
        raise TrainingError(
            "the inference method is broken: it must return a model with the same ids.",
            f"Found: {model.vocab_size:,} ids of {trained.vocab_size:,}.",
        )
    return model


def _checked(family: Family, trained: object, sizes: tuple[int, ...]) -> tuple[Tokenizer, ...]:
    """Return what a trainer gave, by size, or say how it broke its promise."""
    if not isinstance(trained, Trained) or not all(
        isinstance(tokenizer, Tokenizer) for tokenizer in trained.tokenizers
    ):
        raise TrainingError(
            f"the trainer {family.name!r} is broken: train() must return Trained, of Tokenizer.",
            f"Found: {trained!r:.200}.",
        )
    reached = [tokenizer.vocab_size for tokenizer in trained.tokenizers]
    if not reached:
        raise TrainingError(f"the trainer {family.name!r} reaches none of the sizes.")
    if len(set(reached)) < len(reached) or not set(reached) <= set(sizes):
        raise TrainingError(
            f"the trainer {family.name!r} is broken: it returned sizes that were not asked for.",
            f"Asked: {', '.join(map(str, sizes))}. Found: {', '.join(map(str, reached))}.",
        )
    return tuple(sorted(trained.tokenizers, key=lambda tokenizer: tokenizer.vocab_size))
