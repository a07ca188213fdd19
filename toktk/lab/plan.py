"""What a sweep and a bench are asked to do, checked before any text is read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from toktk.cache import code_digest, code_of
from toktk.corpus import Corpus
from toktk.counts.text import CountedText
from toktk.errors import FormatError, PluginError, TrainingError, did_you_mean, usage
from toktk.formats.hf_config import ROLES
from toktk.lab.measures import Measures
from toktk.loading.spec import check_labels, label_of
from toktk.models.inference import INFERENCE, Inference, cannot_run
from toktk.names import alike, file_name, trouble_with
from toktk.normalizers.normalizer import IDENTITY, Form
from toktk.pretokenizers.patterns import DEFAULT_PRETOKENIZER
from toktk.pretokenizers.pretokenizer import Pretokenizer
from toktk.registry import OWN, guarded
from toktk.sizes import size_label
from toktk.trainers import DEFAULT_TRAINERS, TRAINERS
from toktk.trainers.base import card_of, check_whole, versions_of
from toktk.trainers.options import option_value, options_of
from toktk.trainers.pair_scores import NEED_FLOOR, PAIR_SCORES


@dataclass(frozen=True)
class Family:
    """One trainer with its parameters: the tokenizers that differ in size alone.

    Attributes:
        label: what tables call it; with a size appended, a tokenizer.
        name, origin, build: the trainer's name, where it comes from, and what makes it.
        pretokenizer, given: its parameters; no pretokenizer where it takes none.
        split_at: special tokens at which the text is cut before training.
        inference, method: how the vocabularies are run; "own" and None: as trained. Not part of
            `key`, for the methods share a training.
    """

    label: str
    name: str
    origin: str
    build: Callable[..., Any]
    pretokenizer: Pretokenizer | None
    given: Mapping[str, Any]
    split_at: tuple[str, ...] = ()
    inference: str = "own"
    method: Inference | None = None

    def trainer(self) -> Any:
        """Make the trainer; an impossible parameter is an error, a plug-in that fails a PluginError."""
        cut = {} if self.pretokenizer is None else {"pretokenizer": self.pretokenizer}
        with guarded(f"the trainer {self.name!r}", self.build):
            return self.build(**self.given, **cut)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The user-defined symbols that its tokenizers find in text."""
        return tuple(self.given.get("symbols") or ())

    @property
    def counted_by(self) -> Pretokenizer | None:
        """What its text is cut by, symbols included; None where the trainer takes no pretokenizer."""
        cut = self.pretokenizer
        return cut and replace(cut, added=(*cut.added, *self.symbols))

    @property
    def training_cut(self) -> Pretokenizer | None:
        """What its training text is cut by, special tokens included; None as of `counted_by`."""
        cut = self.counted_by
        return cut and replace(cut, added=(*cut.added, *self.split_at))

    @property
    def reads_pieces(self) -> bool:
        """Whether its trainer takes counted pieces."""
        return card_of(self.build).reads == "pieces"

    def run_by(self, name: str, method: Inference) -> Family:
        """Return the family with its vocabularies run by another inference method."""
        label = file_name(f"{self.label}-{name}")
        return replace(self, label=label, inference=name, method=method)

    def check_inference(self) -> None:
        """Raise TrainingError if the inference method cannot run what the trainer makes."""
        kind = card_of(self.build).model
        why = cannot_run(self.method.run, kind) if kind and self.method else ""
        if why:
            raise TrainingError(
                f"{self.label}: the vocabularies of {self.name} cannot be run so.",
                why,
                "Leave the trainer or the inference method out, or sweep them apart.",
            )
        if self.method and self.symbols and self.pretokenizer is None:
            raise TrainingError(
                f"{self.label}: the vocabularies of {self.name} cannot be run so.",
                "Found: symbols, which its own library looks for.",
                "Leave the symbols or the inference method out.",
            )

    def check_pattern(self) -> None:
        """Raise FormatError if no file can hold the split pattern of what the trainer makes."""
        from toktk.pretokenizers.export import exported_pattern

        card = card_of(self.build)
        # The models of another kind may be written by code of their own.
        is_own = card.model in ("bpe", "unigram") or card.pretokenizer == "exportable"
        if is_own and self.pretokenizer is not None:
            exported_pattern(replace(self.pretokenizer, normalizer=IDENTITY))

    def key(self) -> dict[str, Any]:
        """Return what determines the trainer, JSON-able."""
        cut, score = self.pretokenizer, self.given.get("score", "")
        origin = PAIR_SCORES.names().get(score, OWN)
        return {
            "trainer": self.name,
            "origin": self.origin,
            "code": code_of(self.build),
            "packages": versions_of(self.build),
            "pretokenizer": None if cut is None else [cut.signature, cut.pattern],
            "given": dict(self.given),
            "split_at": self.split_at,
            "pair_score": []
            if origin == OWN
            else [origin, code_digest(PAIR_SCORES.package(score))],
        }


@dataclass(frozen=True)
class SweepPlan:
    """A sweep: trainers x pretokenizers x sizes, on one text, measured on another.

    Args:
        evaluation: text to measure on; None measures nothing.
        sizes: vocabulary sizes, special tokens and alphabet included, ascending, each once.
        trainers: names known to `toktk.trainers.TRAINERS`.
        pretokenizers: for those trainers that take one, which one at least must; none means o200k, or
            what the text was cut by that is counted.
        parameters: further parameters of the trainers, by name, only those that were asked for.
        trainer_options: further parameters by trainer and name, as text that is read by their types.
        split_special: documents are cut at the special tokens that stand in them before anything is
            learned; without, special tokens are text to the trainers.
        normal_form: the text is put into it before it is cut, and by every tokenizer; None: as it is.
        roles: what special tokens are for, such as {"eos": "</s>"}, by the names of
            `toktk.formats.hf_config.ROLES`; those that are no special tokens or symbols become special.
        inference: names known to `toktk.models.inference.INFERENCE`; every vocabulary is run by
            each. None means "own", as its trainer made it.
        baselines: specs of tokenizers that exist, to be measured beside; see `BenchPlan`.
        must_write: a tokenizer that no file can hold is an error, before the training where the pattern
            tells. Without, it has figures all the same.
        seed: given to trainers that take one.
        jobs: threads; they change no result.
        force: compute everything anew.
        memory: bytes that counts may take before they go to disk; None: half of what is free. It changes
            no result.
    """

    training: Corpus
    evaluation: Corpus | None
    sizes: tuple[int, ...]
    trainers: tuple[str, ...] = DEFAULT_TRAINERS
    pretokenizers: tuple[Pretokenizer, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    trainer_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    split_special: bool = True
    normal_form: Form | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    inference: tuple[str, ...] = ()
    measures: Measures = field(default_factory=Measures)
    baselines: tuple[str, ...] = ()
    must_write: bool = False
    seed: int = 0
    jobs: int = 1
    force: bool = False
    memory: int | None = None

    @property
    def families(self) -> list[Family]:
        """What is to be trained, in order: each serves all sizes. The `broken` ones are left out."""
        return self._families[0]

    @property
    def broken(self) -> dict[str, PluginError]:
        """Plug-ins that cannot be loaded or that fail at the start, by label, name or kind and name."""
        return self._families[1]

    @property
    def labels(self) -> list[str]:
        """What the tokenizers are called that this makes; those out of reach included."""
        return [f"{f.label}-{size_label(size)}" for f in self.families for size in self.sizes]

    @property
    def bench(self) -> BenchPlan | None:
        """The plan of the baselines; None where there is none, or nothing to measure on."""
        if not self.baselines or self.evaluation is None:
            return None
        about = (self.measures, self.jobs, self.force, self.memory)
        return BenchPlan(self.baselines, self.evaluation, *about)

    @functools.cached_property
    def _families(self) -> tuple[list[Family], dict[str, PluginError]]:
        if not self.sizes:
            raise TrainingError("a sweep needs at least one size.", "Give sizes, such as 8k,32k.")
        trainers, broken = TRAINERS.load_each(self.trainers)
        methods, broken_methods = INFERENCE.load_each(self.inference or ("own",))
        broken |= {f"inference {name}": error for name, error in broken_methods.items()}
        families = []
        for family in self._trained(trainers):
            try:
                family.trainer()
            except PluginError as error:
                broken[family.label] = error
                continue
            families += [
                family if name == "own" else family.run_by(name, method)
                for name, method in methods.items()
            ]
        return families, broken

    @property
    def given_to_all(self) -> dict[str, Any]:
        """The parameters, with the tokens that have a role among the special ones."""
        special, symbols = (
            tuple(self.parameters.get(key) or ()) for key in ("special_tokens", "symbols")
        )
        ordered = [self.roles[role] for role in ROLES if role in self.roles]
        absent = [name for name in dict.fromkeys(ordered) if name not in (*special, *symbols)]
        given = {"special_tokens": [*special, *absent]} if absent else {}
        return {**self.parameters, **given}

    @property
    def special_tokens(self) -> tuple[str, ...]:
        """The special tokens that any of the families is given, each once."""
        names = (name for f in self.families for name in f.given.get("special_tokens") or ())
        return tuple(dict.fromkeys(names))

    def _trained(self, trainers: Mapping[str, Any]) -> Iterator[Family]:
        """Yield the families as they are trained, each to be run by every inference method."""
        if absent := [name for name in self.trainer_options if name not in self.trainers]:
            raise TrainingError(
                f"cannot set options of {absent[0]!r:.80}{did_you_mean(absent[0], self.trainers)}.",
                f"Found: the trainers are {', '.join(self.trainers)}.",
                f"Name it with -t {absent[0]}, or leave its options out.",
            )
        options = {name: options_of(trainer) for name, trainer in trainers.items()}
        parameters = self.given_to_all
        # A pretokenizer must mean something to one of the trainers; the others go without.
        some_cut = any("pretokenizer" in names or more for names, more in options.values())
        for name, (takes, takes_any) in options.items():
            unknown = [] if takes_any else [p for p in parameters if p not in takes]
            if self.pretokenizers and not some_cut:
                unknown.append("pretokenizer")
            if unknown:
                raise _not_taken(name, unknown, takes)
            seed = {"seed": self.seed} if "seed" in takes else {}
            build, origin = trainers[name], TRAINERS.names()[name]
            texts = self.trainer_options.get(name, {})
            own = {option: option_value(name, build, option, texts[option]) for option in texts}
            given = {**parameters, **seed, **own}
            split_at = tuple(given.get("special_tokens") or ()) if self.split_special else ()
            if "pretokenizer" not in takes and not (takes_any and self.pretokenizers):
                if self.normal_form is not None:
                    raise _not_taken(name, ["normal form"], takes)
                yield Family(file_name(name), name, origin, build, None, given, split_at)
                continue
            cuts = self.pretokenizers or (self._default_cut,)
            for cut in cuts:
                label = file_name(name if len(cuts) == 1 else f"{name}-{cut.name}")
                if self.normal_form is not None:
                    cut = replace(cut, normalizer=replace(cut.normalizer, form=self.normal_form))
                yield Family(label, name, origin, build, cut, given, split_at)

    @property
    def _default_cut(self) -> Pretokenizer:
        if isinstance(self.training, CountedText):
            return self.training.pretokenizer
        return Pretokenizer.of(DEFAULT_PRETOKENIZER)

    def check(self) -> None:
        """Raise a ToktkError for what can be found wrong without reading text."""
        self._check()
        if isinstance(self.training, CountedText):
            for family in self.families:
                if family.counted_by is not None:
                    self.training.check_cut(family.counted_by)

    @usage()
    def _check(self) -> None:
        check_whole(self.sizes)
        if list(self.sizes) != sorted(set(self.sizes)):
            raise TrainingError(
                "the sizes of a plan must ascend, each once.", f"Found: {self.sizes}."
            )
        if not self.families:
            raise next(iter(self.broken.values()))
        self._check_labels()
        self._check_counted()
        for family in self.families:
            family.check_inference()
            if self.must_write:
                family.check_pattern()
        if self.evaluation is not None:
            self.measures.check()
        if self.bench is not None:
            self.bench.check()
            self._check_baselines(self.bench)

    def _check_counted(self) -> None:
        """Refuse trainers that read text where that was counted."""
        if not isinstance(self.training, CountedText):
            return
        reading = [
            family.name for family in self.families if card_of(family.build).reads != "pieces"
        ]
        if reading:
            own = [name for name, origin in TRAINERS.names().items() if origin == OWN]
            able = [name for name in own if card_of(TRAINERS.load(name)).reads == "pieces"]
            raise TrainingError(
                f"the trainer {reading[0]!r} reads text, and cannot train on counts.",
                f"Those that can: {', '.join(able)}.",
                "Leave it out, or give it text with -c.",
            )

    def _check_baselines(self, bench: BenchPlan) -> None:
        """Refuse a baseline that is called as what is trained here."""
        own = {alike(label) for label in (*self.labels, *(f.label for f in self.families))}
        for label, spec in bench.labels.items():
            if alike(label) in own:
                raise TrainingError(
                    f"a baseline is called {label!r}, as what is trained here.",
                    f"Found: --baseline {spec}.",
                    f"Give it a label of its own: --baseline {label}-baseline="
                    f"{spec.removeprefix(f'{label}=')}",
                )

    def _check_labels(self) -> None:
        """Refuse labels that cannot name folders, and two that some systems take for one."""
        first: dict[str, str] = {}
        for label in self.labels:
            if trouble := trouble_with(label):
                raise TrainingError(
                    f"a tokenizer cannot be called {label!r}.",
                    f"Found: {trouble}.",
                    "The label is made of the names of trainer, pretokenizer and inference method.",
                )
            if (other := first.setdefault(alike(label), label)) is not label:
                raise TrainingError(
                    f"two tokenizers would be called {label!r} and {other!r}.",
                    "Found: names that differ in nothing that every file system tells apart.",
                    "Sweep them apart: give the second trainer or pretokenizer a run of its own.",
                )

    def remarks(self) -> list[str]:
        """Return what is allowed and seldom meant, a sentence each."""
        return [
            f"{family.label}: without --min-frequency the pair score {family.given['score']} merges what "
            "occurs once or twice; give one, such as --min-frequency 5."
            for family in self.families
            if family.given.get("score") in NEED_FLOOR
            and family.given.get("min_frequency", 0) < 2
            and family.inference == self.families[0].inference
        ]

    def describe(self) -> dict[str, Any]:
        """Return what determines the results, corpora left out, JSON-able."""
        cuts = [family.pretokenizer for family in self.families]
        return {
            "trainers": {family.name: family.origin for family in self.families},
            "packages": {k: v for f in self.families for k, v in versions_of(f.build).items()},
            "pretokenizers": [None if cut is None else cut.signature for cut in cuts],
            "sizes": list(self.sizes),
            "parameters": dict(self.parameters),
            "trainer_options": {name: dict(own) for name, own in self.trainer_options.items()},
            "split_special": self.split_special,
            "normal_form": self.normal_form,
            "roles": dict(self.roles),
            "pair_score": PAIR_SCORES.names().get(self.parameters.get("score", "")),
            "inference": {name: INFERENCE.names()[name] for name in self.inference},
            **self.measures.describe(),
            "seed": self.seed,
            **({"baselines": list(self.baselines)} if self.bench else {}),
        }

    def asked(self) -> dict[str, Any]:
        """Return what else has to be known to make the plan again, JSON-able."""
        cuts = [cut.to_json() for cut in self.pretokenizers]
        return {"asked": [*self.measures.given], "cuts": cuts}

    @property
    def folder_name(self) -> str:
        """What the run directory is called unless the user names it, before a hash."""
        return file_name(self.training.name.removesuffix(" (train)"))[:60]


def _not_taken(name: str, unknown: Sequence[str], takes: Sequence[str]) -> TrainingError:
    def words(options: Sequence[str]) -> list[str]:
        return ["pair score" if o == "score" else o.replace("_", " ") for o in options]

    # SentencePiece's trainers cut at their own spaces; a plug-in may cut as it likes.
    metaspace = card_of(TRAINERS.load(name)).pretokenizer == "metaspace"
    why = []
    if metaspace and "pretokenizer" in unknown:
        why = ["It cuts text at spaces alone, whatever the pattern."]
    if metaspace and "normal form" in unknown:
        why = ["Its files hold rules of SentencePiece's own."]
    return TrainingError(
        f"the trainer {name!r} takes no {' and no '.join(words(unknown))}.",
        *why,
        f"It takes: {', '.join(words(takes)) or 'nothing'}.",
        "Leave the option out, or name with -t only trainers that take it.",
    )


@dataclass(frozen=True)
class BenchPlan:
    """Tokenizers that exist, on a text; see `SweepPlan`.

    Args:
        specs: as `toktk.loading.spec.parse_spec` reads them; no two of one label.
    """

    specs: tuple[str, ...]
    corpus: Corpus
    measures: Measures = field(default_factory=Measures)
    jobs: int = 1
    force: bool = False
    memory: int | None = None

    @functools.cached_property
    def labels(self) -> dict[str, str]:
        """{label: spec}, in order; a spec that cannot be understood is its own label."""
        return {label_of(spec): spec for spec in self.specs}

    @usage()
    def check(self) -> None:
        """Raise a ToktkError for what can be found wrong without reading text."""
        if not self.specs:
            raise FormatError("a bench needs at least one tokenizer.", "Name a file or a folder.")
        check_labels(self.specs)
        self.measures.check()

    def asked(self) -> dict[str, Any]:
        """Return what else has to be known to make the plan again, JSON-able."""
        return {"asked": [*self.measures.given], "specs": [*self.specs]}

    @property
    def folder_name(self) -> str:
        """What the run directory is called unless the user names it, before a hash."""
        return f"bench-{file_name(self.corpus.name)[:60]}"
