"""Plugins are tried as a user has them: a package on the path of a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toktk.errors import ToktkError
from toktk.metrics import METRICS
from toktk.pretokenizers.patterns import PRETOKENIZERS
from toktk.registry import Registry
from toktk.trainers import TRAINERS


def install(site: Path, name: str, entries: str, source: str = "") -> None:
    """Lay out the package `name` 1.2 in `site` as an installer would."""
    info = site / f"{name}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(entries)
    (site / f"{name}.py").write_text(source)


def run(site: Path, code: str, **variables: str) -> str:
    """Return what `code` prints in a fresh interpreter that sees the packages in `site`."""
    env = {**os.environ, "PYTHONPATH": str(site), "TOKTK_DEBUG": "0", **variables}
    prelude = (
        "import sys\nfrom toktk.errors import ToktkError\n"
        "from toktk.metrics import METRICS\n"
        "from toktk.pretokenizers.patterns import PRETOKENIZERS\n"
        "from toktk.trainers import TRAINERS\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", prelude + code],
        env=env,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def failure(site: Path, expression: str) -> str:
    """Return the message of the ToktkError that `expression` raises."""
    return run(
        site,
        f"try:\n    {expression}\nexcept ToktkError as error:\n    print(error)\n",
    )


def test_builtin_names_come_with_their_origin() -> None:
    assert TRAINERS.names()["bpe"] == "toktk"
    assert PRETOKENIZERS.names()["gpt2"] == "toktk"
    assert METRICS.names()["fertility[ws]"] == "toktk"


def test_a_pretokenizer_by_name_is_its_pattern() -> None:
    assert r"\p{L}" in PRETOKENIZERS.load("gpt2")


def test_an_unknown_name_suggests_and_lists() -> None:
    with pytest.raises(ToktkError) as caught:
        METRICS.load("fertility")
    message = str(caught.value)
    assert message.startswith("unknown metric 'fertility' (did you mean 'fertility[ws]'?).")
    assert "utilization" in message


def test_plugins_of_each_kind_are_found_and_loaded(tmp_path: Path) -> None:
    install(
        tmp_path,
        "greek",
        "[toktk.trainers]\nmorph = greek:Morph\n"
        "[toktk.pretokenizers]\nletters = greek:LETTERS\ncutter = greek:cutter\n"
        "[toktk.metrics]\nlength = greek:LENGTH\n",
        "from toktk.metrics.base import Figure, Metric\n"
        "class Morph: pass\n"
        "LETTERS = r'\\p{L}+'\n"
        "def cutter(): return None\n"
        "LENGTH = Metric('length', 'x', None, 'A length.', lambda e, s, o: [])\n",
    )
    out = run(
        tmp_path,
        "print(TRAINERS.names()['morph'], 'greek' in sys.modules)\n"
        "print(TRAINERS.load('morph').__name__, PRETOKENIZERS.load('letters'))\n"
        "print(callable(PRETOKENIZERS.load('cutter')), METRICS.load('length').name)\n",
    )
    assert out.splitlines() == ["greek 1.2 False", r"Morph \p{L}+", "True length"]


def test_plugins_are_found_where_the_backport_has_taken_over(tmp_path: Path) -> None:
    pytest.importorskip("importlib_metadata")  # numba imports it where it is installed
    install(tmp_path, "greek", "[toktk.trainers]\nmorph = greek:Morph\n", "class Morph: pass\n")
    out = run(
        tmp_path,
        "import importlib_metadata\n"
        "print(TRAINERS.names()['morph'], TRAINERS.load('morph').__name__)\n",
    )
    assert out.strip() == "greek 1.2 Morph"


def test_a_package_is_named_without_importing_it(tmp_path: Path) -> None:
    install(tmp_path, "greek", "[toktk.trainers]\nmorph = greek.below:Morph\n")
    code = "print(TRAINERS.package('morph'), TRAINERS.package('bpe'), 'greek' in sys.modules)"
    assert run(tmp_path, code).split() == ["greek", "toktk", "False"]


def test_plugins_can_be_switched_off(tmp_path: Path) -> None:
    install(tmp_path, "greek", "[toktk.trainers]\nmorph = greek:Morph\n")
    out = run(tmp_path, "print(*TRAINERS.names())", TOKTK_PLUGINS="0")
    names = out.split()
    assert "bpe" in names
    assert "morph" not in names
    assert run(tmp_path, "print(*TRAINERS.names())").split() == [*names, "morph"]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named"),
        ("", "AttributeError: module 'greek' has no attribute 'Morph'"),
        ("raise RuntimeError('no license key')", "RuntimeError: no license key"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_broken_plugin_is_named_with_its_error(tmp_path: Path, source: str, found: str) -> None:
    install(tmp_path, "greek", "[toktk.trainers]\nmorph = greek:Morph\n", source)
    message = failure(tmp_path, "TRAINERS.load('morph')")
    assert "the trainer 'morph' of greek 1.2 cannot be loaded" in message
    assert found in message
    # It stands in the way of nothing else.
    assert run(tmp_path, "print(*PRETOKENIZERS.names())").split()


@pytest.mark.parametrize(
    ("group", "registry"),
    [("trainers", "TRAINERS"), ("pretokenizers", "PRETOKENIZERS"), ("metrics", "METRICS")],
)
def test_a_plugin_of_the_wrong_kind_is_refused(tmp_path: Path, group: str, registry: str) -> None:
    install(tmp_path, "greek", f"[toktk.{group}]\nmorph = greek:Morph\n", "Morph = 3")
    message = failure(tmp_path, f"{registry}.load('morph')")
    assert "'morph' of greek 1.2 is not one" in message
    assert "int at greek:Morph" in message


def test_a_plugin_cannot_take_a_name_of_toktk(tmp_path: Path) -> None:
    install(tmp_path, "greek", "[toktk.trainers]\nbpe = greek:Morph\n", "class Morph: pass")
    message = failure(tmp_path, "TRAINERS.load('bpe')")
    assert "the trainer name 'bpe' is ambiguous" in message
    assert "toktk and greek 1.2" in message
    assert run(tmp_path, "print(TRAINERS.names()['bpe'])").strip() == "toktk and greek 1.2"


def test_two_plugins_cannot_share_a_name(tmp_path: Path) -> None:
    for name in ("greek", "latin"):
        install(tmp_path, name, f"[toktk.trainers]\nmorph = {name}:Morph\n", "class Morph: pass")
    message = failure(tmp_path, "TRAINERS.load('morph')")
    assert "greek 1.2" in message
    assert "latin 1.2" in message


def test_listing_imports_no_target() -> None:
    listed = Registry("toktk.trainers", {"ghost": "no_such_module:Ghost"}).names()
    assert listed["ghost"] == "toktk"


def test_what_toktk_has_is_asked_for_when_needed() -> None:
    asked = []

    def own() -> dict[str, object]:
        asked.append(1)
        return {"length": len}

    registry = Registry("toktk.trainers", own)
    assert not asked
    assert registry.names()["length"] == "toktk"
    assert registry.load("length") is len
