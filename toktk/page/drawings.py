"""The charts of a page as Vega specifications, and the JavaScript that draws them."""

from __future__ import annotations

import contextlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from toktk.address_space import check_room_to_draw
from toktk.cache import Store
from toktk.child import Child, ChildEnded
from toktk.page.drawing_worker import Session
from toktk.page.figures import Figures
from toktk.page.kept import kept
from toktk.page.packing import deflated


class Engine:
    """What draws: a process of its own, which the first question starts; this one where there can be none."""

    def __init__(self) -> None:
        self._child: Child | None = None

    def ask(self, what: str, **arguments: Any) -> Any:
        """Return what the method `what` of `toktk.page.drawing_worker.Session` returns.

        Raises:
            MemoryLimitError: a limit of address space leaves no room to draw.
        """
        check_room_to_draw()
        try:
            self._child = self._child or Child("toktk.page.drawing_worker")
            return self._child.ask(what, **arguments)[0]
        except (ChildEnded, OSError) as error:
            if isinstance(error, ChildEnded) and error.interrupted:
                raise
            return getattr(Session(), what)(**arguments)

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.close()


def draw(figures: Figures) -> tuple[dict[str, Any], str]:
    """Return `chart_specs` and `vega`."""
    with contextlib.closing(Engine()) as engine:
        return chart_specs(figures, engine), vega(engine)


def chart_specs(figures: Figures, engine: Engine) -> dict[str, Any]:
    """Return the charts of a page as Vega specifications, with data sets that the page fills.

    They are kept, as making them takes most of a second, and serve as many families of any names.
    """
    families = [f"family {i}" for i in range(len(figures.families))]
    of_page = {
        "families": families,
        "is_parallel": figures.is_parallel,
        "reference": figures.reference,
    }
    specs = kept(["charts", *of_page.values()], lambda: engine.ask("specs", **of_page))
    for spec in specs.values():
        for scale in spec["scales"]:
            if scale.get("domain") == families:
                scale["domain"] = [*figures.families]
    return specs


def vega(engine: Engine) -> str:
    """Return Vega's JavaScript, deflated and in base 85; to bundle it takes seconds, so it is kept."""
    key = ["vega", version("vl-convert-python"), "base85"]
    store = Store()

    def load(folder: Path) -> str:
        return (folder / "vega.txt").read_text(encoding="ascii")

    packed = store.read("assets", key, load, code=None)
    if packed is None:
        packed = deflated(engine.ask("bundle"))
        made = packed

        def save(folder: Path) -> None:
            (folder / "vega.txt").write_text(made, encoding="ascii")

        store.write("assets", key, save, code=None)
    return packed
