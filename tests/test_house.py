"""The house: imports point one way, nowhere in a circle, and every room has its place.

Every import statement counts, those inside functions and for type checkers too. An import by string, such
as a registry's "module:attribute", does not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import toktk

ROOT = Path(toktk.__file__).parent

# A module imports from levels above its own, and from its own as long as there is no circle.
LEVELS = [
    {
        "errors",
        "address_space",
        "hf_library",
        "names",
        "shapes",
        "child",
        "interruption",
        "temporary",
        "paths",
        "places",
        "cache",
        "arrays",
        "arrow",
        "runtime",
        "registry",
        "sizes",
        "visible",
    },
    {"kernels"},
    {"corpus"},
    {"normalizers"},
    {"pretokenizers"},
    {"pieces"},
    {"ranks"},
    {"counts"},
    {"models"},
    {"formats"},
    {"libraries"},
    {"segmentation"},
    {"tokenizer", "encoder", "texts"},
    {"loading"},
    {"shards"},
    {"trainers"},
    {"evaluation"},
    {"metrics"},
    {"stats"},
    {"costs"},
    {"timing"},
    {"report"},
    {"lab"},
    {"audit"},
    {"page"},
    {"cli"},
]
LEVEL_OF = {place: level for level, places in enumerate(LEVELS) for place in places}
# These may import any room, and no room imports them.
APART = {"__init__", "__main__", "testing", "educational"}
# The version stands in the public face before anything else does; to read it is no import of a room.
PLAIN_NAMES = {"__version__"}

Graph = dict[
    str, dict[str, int]
]  # module -> module that it imports -> line of the first such import


def read_graph(root: Path) -> Graph:
    """Return what each module of the package at `root` imports of that package."""
    paths = {module_name(root, path): path for path in sorted(root.rglob("*.py"))}
    graph: Graph = {}
    modules = set(paths)
    for module, path in paths.items():
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        graph[module] = {}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for target in targets(node, package, modules):
                line = graph[module].setdefault(target, node.lineno)
                graph[module][target] = min(line, node.lineno)
    return graph


def module_name(root: Path, path: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def targets(node: ast.AST, package: str, modules: set[str]) -> Iterator[str]:
    """Yield the modules that a statement in `package` imports."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        source = node.module or ""
        if node.level:
            parts = package.split(".")
            base = parts[: len(parts) - node.level + 1]
            source = ".".join([*base, source] if source else base)
        root = package.partition(".")[0]
        imported = [a.name for a in node.names if source != root or a.name not in PLAIN_NAMES]
        names = [f"{source}.{name}" for name in imported]
    else:
        return
    for name in names:
        # What is no module is something inside one.
        while name and name not in modules:
            name = name.rpartition(".")[0]
        if name:
            yield name


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of modules that lead to one another."""
    reached = {module: reachable(graph, module) for module in graph}
    groups = {
        tuple(sorted(other for other in reached[module] if module in reached[other]))
        for module in graph
    }
    return sorted(list(group) for group in groups if group)


def reachable(graph: Graph, start: str) -> set[str]:
    """Return the modules to which a path of one import or more leads."""
    reached: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += graph[module]
    return reached


def circular_imports(graph: Graph) -> list[str]:
    """Return each import that is part of a circle, in words."""
    return [
        f"{module}:{line} imports {target}, which leads back"
        for group in circles(graph)
        for module in group
        for target, line in sorted(graph[module].items())
        if target in group
    ]


def place_of(module: str) -> str:
    """Return the room or the top-level file that a module is in."""
    return module.split(".")[1] if "." in module else "__init__"


def upward_imports(graph: Graph) -> list[str]:
    """Return each import against the order, in words."""
    wrong = []
    for module, imported in graph.items():
        place = place_of(module)
        for target, line in sorted(imported.items()):
            other = place_of(target)
            if other == place or place not in LEVEL_OF:
                continue
            if other in APART:
                wrong.append(f"{module}:{line} imports {target}, which stands apart")
            elif LEVEL_OF.get(other, -1) > LEVEL_OF[place]:
                wrong.append(f"{module}:{line} imports {target}, which is below {place}")
    return wrong


def places(root: Path) -> set[str]:
    """Return the rooms and the top-level files that there are."""
    return {path.stem for path in root.glob("*.py")} | rooms(root)


def rooms(root: Path) -> set[str]:
    return {path.relative_to(root).parts[0] for path in root.glob("*/**/*.py")}


@pytest.fixture(scope="module")
def graph():
    return read_graph(ROOT)


def test_no_circle(graph):
    wrong = circular_imports(graph)
    assert not wrong, "\n".join(["circles:", *wrong])


def test_imports_follow_the_order(graph):
    wrong = upward_imports(graph)
    assert not wrong, "\n".join(["against the order of rooms:", *wrong])


def test_educational_imports_no_room_and_nobody_imports_it(graph):
    assert graph["toktk.educational"] == {}
    assert [module for module in graph if "toktk.educational" in graph[module]] == []


def test_everything_has_its_place():
    assert places(ROOT) - set(LEVEL_OF) - APART == set()


def test_contributing_has_a_line_for_every_room():
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [room for room in sorted(rooms(ROOT)) if not has_line(text, room)] == []


def has_line(text: str, room: str) -> bool:
    """Say whether a row of a table or an item of a list begins with the room."""
    return re.search(rf"^\s*[|*-]\s*`{room}/`.*\w", text, re.MULTILINE) is not None


# The walker itself, on small packages.


@pytest.fixture
def package(tmp_path):
    """Write modules of a package called toktk, given by path; return its graph."""

    def write(**sources):
        root = tmp_path / "toktk"
        for path, source in {"__init__": "", **sources}.items():
            file = root / f"{path.replace('__SLASH__', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
        return read_graph(root)

    return lambda sources: write(**{k.replace("/", "__SLASH__"): v for k, v in sources.items()})


def test_a_circle_is_caught(package):
    graph = package(
        {
            "corpus/__init__": "from toktk.corpus.load import load\n",
            "corpus/load": "import os\nfrom toktk.corpus import readers\n",
            "corpus/readers": "\n\nfrom toktk.corpus import load\nfrom toktk.errors import Wrong\n",
            "errors": "",
        }
    )
    assert circles(graph) == [["toktk.corpus.load", "toktk.corpus.readers"]]
    assert circular_imports(graph) == [
        "toktk.corpus.load:2 imports toktk.corpus.readers, which leads back",
        "toktk.corpus.readers:3 imports toktk.corpus.load, which leads back",
    ]
    assert upward_imports(graph) == []


def test_a_longer_circle_through_a_package_is_caught(package):
    graph = package(
        {
            "corpus/__init__": "from .load import load\n",
            "corpus/load": "from .readers.text import read\n",
            "corpus/readers/__init__": "",
            "corpus/readers/text": "def f():\n    from ...corpus import load_corpus\n",
        }
    )
    assert circles(graph) == [["toktk.corpus", "toktk.corpus.load", "toktk.corpus.readers.text"]]


def test_a_circle_of_types_alone_is_caught(package):
    types_only = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from toktk.{} import X\n"
    graph = package({"errors": types_only.format("paths"), "paths": types_only.format("errors")})
    assert circles(graph) == [["toktk.errors", "toktk.paths"]]


def test_two_circles_are_two(package):
    graph = package(
        {
            "errors": "import toktk.paths",
            "paths": "import toktk.errors, toktk.cache",
            "cache": "import toktk.runtime",
            "runtime": "import toktk.cache",
        }
    )
    assert circles(graph) == [["toktk.cache", "toktk.runtime"], ["toktk.errors", "toktk.paths"]]


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    from toktk.lab.plan import Plan",
        "def f():\n    import toktk.lab.plan as p",
        "def f():\n    from toktk.lab import plan",
        "def f():\n    from ..lab.plan import Plan",
        "class A:\n    async def f():\n        from ..lab import plan",
    ],
)
def test_an_upward_import_in_a_function_is_caught(package, source):
    graph = package(
        {"metrics/__init__": "", "metrics/base": source, "lab/__init__": "", "lab/plan": ""}
    )
    (wrong,) = upward_imports(graph)
    assert re.fullmatch(
        r"toktk\.metrics\.base:[23] imports toktk\.lab\.plan, which is below metrics", wrong
    )
    assert circles(graph) == []


def test_what_stands_apart_is_imported_by_no_room(package):
    graph = package(
        {
            "cli/__init__": "from toktk import __version__, testing\nfrom toktk import load\n",
            "testing": "from toktk.cli import main\n",
            "__main__": "from toktk.cli import main\n",
            "__init__": "def __getattr__(name):\n    import toktk.cli\n",
        }
    )
    assert upward_imports(graph) == [
        "toktk.cli:2 imports toktk, which stands apart",
        "toktk.cli:1 imports toktk.testing, which stands apart",
    ]


def test_downward_imports_and_strings_are_fine(package):
    graph = package(
        {
            "cli/__init__": "from toktk import __version__\nimport toktk.lab.plan\n",
            "lab/__init__": "",
            "lab/plan": "import importlib\nimportlib.import_module('toktk.cli')\nimport numpy\n",
        }
    )
    assert upward_imports(graph) == circular_imports(graph) == []
    assert graph["toktk.cli"] == {"toktk.lab.plan": 2}


def test_what_has_no_place_is_told(package, tmp_path):
    package({"helpers": "", "statistics/tests": "", "corpus/__init__": ""})
    assert places(tmp_path / "toktk") - set(LEVEL_OF) - APART == {"helpers", "statistics"}


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("| `corpus/` | where text comes from |", True),
        ("- `corpus/`: where text comes from", True),
        ("* `corpus/` where text comes from", True),
        ("see `corpus/`", False),
        ("| `corpus/text/` | files |", False),
        ("| `corpus/` | |", False),
    ],
)
def test_lines_that_name_a_room(line, counts):
    assert has_line(f"# Rooms\n\n{line}\n", "corpus") is counts
