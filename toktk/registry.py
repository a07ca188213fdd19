"""Registry: objects of one kind by name, toktk's own and those of installed packages.

Each kind's registry lies in the room whose things it lists. A package adds an object under the
entry-point group of its kind, such as ``toktk.trainers``. ``TOKTK_PLUGINS=0`` leaves toktk's own.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pkgutil
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from toktk.errors import PluginError, ToktkError, as_usage, did_you_mean, in_a_line

OWN = "toktk"
_LONGEST = 400  # characters of what foreign code says of its failure

_LAZY = re.compile(r"toktk(\.\w+)+:\w+")

# Told apart by `callable`: where the package importlib_metadata is loaded, as numba does when it
# compiles, the entry points that are found are of its class, not of the standard library's.
Provider = EntryPoint | Callable[[], Any]


class Registry:
    """Named objects of one kind.

    Args:
        group: the entry-point group; it also names the kind in errors.
        builtin: toktk's own, or what returns them when it is asked for; a string "module:attribute"
            of toktk is imported when it is loaded.
        accepts: whether a loaded object is of this kind.
        expected: what `accepts` wants, in words.
    """

    def __init__(
        self,
        group: str,
        builtin: Mapping[str, object] | Callable[[], Mapping[str, object]],
        *,
        accepts: Callable[[Any], bool] = callable,
        expected: str = "a callable",
    ) -> None:
        self.group = group
        self.kind = group.rpartition(".")[2].removesuffix("s").replace("_", " ")
        self._builtin = builtin
        self._accepts = accepts
        self._expected = expected

    def names(self) -> dict[str, str]:
        """Return each known name with its origin: "toktk", or a distribution and its version.

        No target is imported. `load` refuses a name that several provide; here they are joined by " and ".
        """
        return {name: _origins(providers) for name, providers in self._providers().items()}

    def load(self, name: str) -> Any:
        """Return the object called `name`, importing its module on first use.

        Raises:
            PluginError: what is called so cannot be imported, or is something else.
            ToktkError: nothing or more than one thing is called so.
        """
        entry = self._provider(name)
        if callable(entry):
            return entry()
        try:
            target = entry.load()
        except MemoryError:
            raise
        except Exception as error:  # foreign code: importing it can raise anything
            raise PluginError(
                f"the {self.kind} {name!r} of {_origin(entry)} cannot be loaded.",
                f"Found: {_raised(error)} (importing {entry.value}).",
                "Update or uninstall that package, or set TOKTK_PLUGINS=0 to go without plugins.",
            ) from error
        if not self._accepts(target):
            raise PluginError(
                f"the {self.kind} {name!r} of {_origin(entry)} is not one.",
                f"Found: {type(target).__name__} at {entry.value}; expected {self._expected}.",
            )
        return target

    def package(self, name: str) -> str:
        """Return the top-level package of what is called `name`, without importing it."""
        provider = self._provider(name)
        return OWN if callable(provider) else provider.module.partition(".")[0]

    def load_each(self, names: Iterable[str]) -> tuple[dict[str, Any], dict[str, PluginError]]:
        """Return what loads of `names`, by name, and why each other one does not.

        Raises:
            ToktkError: nothing or more than one thing is called so.
        """
        loaded: dict[str, Any] = {}
        broken: dict[str, PluginError] = {}
        for name in names:
            try:
                loaded[name] = self.load(name)
            except PluginError as error:
                broken[name] = error
        return loaded, broken

    def _provider(self, name: str) -> Provider:
        providers = self._providers()
        if name not in providers:
            raise as_usage(
                ToktkError(
                    f"unknown {self.kind} {name!r}{did_you_mean(name, providers)}.",
                    f"Known: {', '.join(providers) or '(none)'}.",
                )
            )
        if len(providers[name]) > 1:
            raise ToktkError(
                f"the {self.kind} name {name!r} is ambiguous.",
                f"Provided by: {_origins(providers[name])}.",
                "Uninstall all but one, or set TOKTK_PLUGINS=0 to use only toktk's own.",
            )
        return providers[name][0]

    def _providers(self) -> dict[str, list[Provider]]:
        builtin = self._builtin() if callable(self._builtin) else self._builtin
        providers: dict[str, list[Provider]] = {
            name: [functools.partial(_resolve, target)] for name, target in builtin.items()
        }
        if os.environ.get("TOKTK_PLUGINS") != "0":
            for entry in _installed(tuple(sys.path)).select(group=self.group):
                providers.setdefault(entry.name, []).append(entry)
        return providers


@contextlib.contextmanager
def guarded(what: str, *targets: object) -> Iterator[None]:
    """Turn what the code of other packages raises within into an error that names it.

    Nothing is turned where all `targets` (what is called: functions, classes or their instances) are
    toktk's own. A ToktkError passes, for it is a message already, and so does a MemoryError, which is
    nobody's fault.

    Raises:
        PluginError: `what` failed.
    """
    try:
        yield
    except (ToktkError, MemoryError):
        raise
    except Exception as error:
        packages = [name for target in targets if (name := package_of(target)) != OWN]
        if not packages:
            raise
        raise PluginError(
            f"{what} failed.",
            f"Found: {_raised(error)}, in code of {' or '.join(dict.fromkeys(packages))}.",
            "Set TOKTK_DEBUG=1 to see where, and tell that package's author.",
        ) from error


def package_of(target: object) -> str:
    """Return the top-level package that a function or a class, or the class of an instance, is from."""
    module = getattr(target, "__module__", None) or type(target).__module__
    return str(module).partition(".")[0]


def show_cause(error: BaseException) -> None:
    """With ``TOKTK_DEBUG=1``, print the traceback of an error that ends in a message."""
    if os.environ.get("TOKTK_DEBUG") == "1":
        traceback.print_exception(error)


def _raised(error: Exception) -> str:
    try:
        text = in_a_line(error)[:_LONGEST]
    except Exception:  # its own text is foreign code too
        text = ""
    return f"{type(error).__name__}: {text}".rstrip(": ")


@functools.lru_cache(maxsize=4)
def _installed(path: tuple[str, ...]) -> Any:
    """Return the entry points of all that is installed on `path`; reading them takes tens of milliseconds.

    They are `EntryPoints`, or what selects as these do and Python 3.11 has in their place.
    """
    return entry_points()


def _resolve(target: object) -> Any:
    is_place = isinstance(target, str) and _LAZY.fullmatch(target)
    return pkgutil.resolve_name(str(target)) if is_place else target


def _origins(providers: Iterable[Provider]) -> str:
    return " and ".join(map(_origin, providers))


def _origin(provider: Provider) -> str:
    if callable(provider):
        return OWN
    if provider.dist is None or not provider.dist.name:
        return "an unnamed distribution"
    return f"{provider.dist.name} {provider.dist.version}"
