"""The options of trainers: which there are, of what type, and how they are read from text."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from toktk.errors import TrainingError, did_you_mean
from toktk.trainers.base import card_of

_OWN_WAY = {
    "pretokenizer": "-p",
    "special_tokens": "--special",
    "symbols": "--symbol",
    "seed": "--seed",
}
"""What the command line gives to trainers by options of these names."""

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
_TRUTH = {"true": True, "false": False}


class Options(NamedTuple):
    """The names of the options that a trainer takes, and whether it takes any other as well."""

    names: tuple[str, ...]
    takes_any: bool


def options_of(trainer: Callable[..., object]) -> Options:
    """Return the options of a trainer's class: from its card, else from its signature."""
    takes = card_of(trainer).takes
    if takes is not None:
        return Options(takes, takes_any=False)
    parameters = _parameters(trainer)
    if parameters is None:
        return Options((), takes_any=True)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = tuple(name for name, parameter in parameters.items() if parameter.kind in named)
    takes_any = any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values())
    return Options(names, takes_any)


def written_options(trainer: Callable[..., object]) -> list[str]:
    """Return the options that can be given as ``-O TRAINER.NAME=VALUE``, each with its default or values."""
    written, parameters = [], _parameters(trainer) or {}
    for name in options_of(trainer).names:
        default = parameters[name].default if name in parameters else None
        accepted = _accepted(trainer, name)
        if name in _OWN_WAY or not accepted:
            continue
        values = "|".join(str(kind) for kind in accepted if not isinstance(kind, type))
        if not values and default in (None, inspect.Parameter.empty):
            values = accepted[0].__name__.upper()
        written.append(f"{name}={values or default}")
    return written


def option_value(name: str, trainer: Callable[..., object], option: str, text: str) -> Any:
    """Return the value that `text` gives to an option of the trainer `name`, by its annotation.

    An option without annotation is a number where it reads like one, and text otherwise.

    Raises:
        TrainingError: there is no such option, or it has no such value.
    """
    names, takes_any = options_of(trainer)
    asked = f"cannot set {name}.{option} to {text!r:.80}."
    if option in _OWN_WAY:
        raise TrainingError(asked, f"Found: {option} is given by {_OWN_WAY[option]}.")
    if option not in names and not takes_any:
        close = did_you_mean(option, names)
        listed = ", ".join(written_options(trainer)) or "none"
        raise TrainingError(asked, f"Found: no such option{close}.", f"There are: {listed}.")
    accepted = _accepted(trainer, option)
    for kind in accepted:
        value = _read(kind, text)
        if value is not None:
            return value
    words = [_KINDS[kind] if isinstance(kind, type) else str(kind) for kind in accepted]
    expected = f"it must be {' or '.join(words)}" if words else "it can be set from Python alone"
    raise TrainingError(asked, f"Found: {expected}.", "Give another value, or leave it out.")


def _parameters(trainer: Callable[..., object]) -> dict[str, inspect.Parameter] | None:
    """Return the parameters of a trainer's class; None of something built in C."""
    try:
        return dict(inspect.signature(trainer).parameters)
    except (TypeError, ValueError):
        return None


def _accepted(trainer: Callable[..., object], option: str) -> Sequence[Any]:
    """Return the types, of `_KINDS`, and the literal values that an option takes."""
    maker = trainer.__init__ if isinstance(trainer, type) else trainer  # type: ignore[misc]
    try:
        hints = typing.get_type_hints(maker)
    except (NameError, TypeError, AttributeError):  # a plug-in's, which name what is not there
        hints = {}
    if option not in hints:
        return (int, float, str)
    hint = hints[option]
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    accepted: list[Any] = []
    for part in typing.get_args(hint) if is_union else (hint,):
        accepted += typing.get_args(part) if typing.get_origin(part) is Literal else [part]
    return [kind for kind in accepted if kind in _KINDS or isinstance(kind, (str, int))]


def _read(kind: Any, text: str) -> Any:
    """Return the value of a type, or a literal value, that `text` stands for; None for none."""
    if not isinstance(kind, type):
        return kind if text == str(kind) else None
    if kind is bool:
        return _TRUTH.get(text.lower())
    try:
        return kind(text)
    except ValueError:
        return None
