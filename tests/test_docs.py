"""Every command and every Python block of README and docs/ runs, and prints what the page shows."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from pages import PAGES, ROOT, Reader, blocks_of, missing_lines
from rank_samples import content
from small_corpora import fresh_home, lines, write_news

from toktk.cli import COMMANDS, main
from toktk.cli.verb import Verb
from toktk.corpus import load_corpus
from toktk.timing.pathological import LENGTHS

DOCS = ROOT / "docs"
NOT_RUN = {
    "python3 -m venv .venv && .venv/bin/pip install -q '.[test]' && .venv/bin/pytest": "as .ci/run",
    "python3 -m venv .venv && .venv/bin/pip install -q '.[starter]'": "installs",
    "pip install toktk": "installs",
    "pip install -q ./my-tokenizers": "installs; its entry points are put on the path instead",
    "from transformers import AutoTokenizer": "not installed; tests/formats/test_hf_config.py has it",
}
"""Commands that are not run, and Python blocks by their first line, each with the reason."""

INSTEAD = {
    # .ci/run installs.
    "python3 -m venv .venv && .venv/bin/pip install -q '.[starter]' && .venv/bin/toktk": "toktk",
    # The network has these.
    "tiktoken:o200k_base": "stand-ins/o200k_base",
    "tiktoken:cl100k_base": "stand-ins/cl100k_base",
    "hf:Qwen/Qwen3-8B": "stand-ins/Qwen3-8B",
    "https://example.org/news.jsonl.gz": "news.jsonl.gz",
    "hf:HuggingFaceFW/fineweb-2/deu_Latn": "news.csv",
    # It takes ten seconds to time two tokenizers; bench.md times one.
    "mine=runs/news/tokenizers/bpe-50k -c": "mine=runs/news/tokenizers/bpe-50k --no-throughput -c",
}
"""What stands in for text of a command."""

STARTER = {"starter": "f72e579c2d8b1acf", "starter:eval": "a05ef92e59ed7c1c"}
"""How the fingerprints begin of the text that pages show figures of."""
OF_STARTER = {"README.md", "tutorial.md", "bench.md", "compare.md", "cost.md"}
"""Pages whose figures are of that text."""


@pytest.fixture(scope="session")
def docs_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that all pages share, and all processes of one test run."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "docs-home"
    fresh = fresh_home(tmp_path_factory.mktemp("docs") / "home")
    try:
        fresh.rename(shared)  # whole or not at all
    except OSError:
        assert shared.is_dir()
    return shared


@pytest.fixture
def folder(tmp_path: Path, docs_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to follow a page in, but for what stands in for things of the network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKTK_HOME", str(docs_home))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    mistral = os.environ.get("TOKTK_TEST_README")
    monkeypatch.setenv("D", mistral or "stand-ins")
    return tmp_path


@pytest.fixture
def o200k(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tiktoken know an o200k_base without the network: its pattern, and bytes alone."""
    import tiktoken
    import tiktoken.registry

    from toktk.pretokenizers.patterns import PATTERNS

    encoding = tiktoken.Encoding(
        "o200k_base",
        pat_str=PATTERNS["o200k"],
        mergeable_ranks={bytes([b]): b for b in range(256)},
        special_tokens={"<|endoftext|>": 256},
    )
    monkeypatch.setitem(tiktoken.registry.ENCODINGS, "o200k_base", encoding)


def write_stand_ins(folder: Path) -> None:
    """Write small tokenizers of the kinds that pages name."""
    import toktk

    text = toktk.Corpus.of(lines("en") + lines("de"))
    mine = toktk.train("bpe", text, sizes=[400])[400]
    for name in ("o200k_base", "cl100k_base", "Qwen3-8B"):
        mine.save(folder / "stand-ins" / name)
    spaced = toktk.train("unigram", text, sizes=[400], pretokenizer="metaspace")[400]
    spaced.save(folder / "stand-ins" / "v1")
    (model,) = (folder / "stand-ins" / "v1").glob("*.model")
    model.rename(folder / "stand-ins" / "tokenizer.model.v1")
    tekken = json.dumps(content())
    (folder / "stand-ins" / "tekken_240911.json").write_text(tekken, encoding="utf-8")


class Follower(Reader):
    """A reader who does not install packages, but puts those of a page on the path."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(NOT_RUN, INSTEAD)
        self.monkeypatch = monkeypatch

    def write(self, path: Path, text: str) -> None:
        super().write(path, text)
        if path.name == "pyproject.toml":
            project = tomllib.loads(text)["project"]
            name, version = project["name"], project["version"]
            info = path.parent / f"{name}-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
            entries = [
                f"[{group}]\n"
                + "".join(f"{entry} = {place}\n" for entry, place in of_group.items())
                for group, of_group in project["entry-points"].items()
            ]
            (info / "entry_points.txt").write_text("\n".join(entries))
            self.monkeypatch.syspath_prepend(str(path.parent.resolve()))


def check_front_page(names: dict[str, Any], folder: Path) -> None:
    """Hold the ten lines of README to what they say."""
    mine, results = names["mine"], names["results"]
    assert [tokenizer.vocab_size for tokenizer in mine.values()] == [8_000, 50_000]
    assert {record.tokenizer for record in results} == {"bpe-8k", "bpe-50k", "o200k_base"}
    shown = repr(results).splitlines()
    assert shown[0].startswith("3 tokenizers  on the held-out part of news.parquet")
    assert all(any(line.startswith(name) for line in shown) for name in ("bpe-50k", "o200k_base"))
    assert len(results.to_pandas()) == len(results)
    assert (folder / "tokenizers" / "mine" / "tokenizer.json").exists()


def is_comparable(page: str, commands: str) -> bool:
    """Return whether what commands of a page print can be compared here."""
    if "$D" in commands and "TOKTK_TEST_README" not in os.environ:
        return False
    return page not in OF_STARTER or all(  # or it is another Python's library
        load_corpus(spec).fingerprint.startswith(begins) for spec, begins in STARTER.items()
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_runs_and_prints_what_it_shows(
    page: Path, folder: Path, o200k: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_stand_ins(folder)
    if page.name == "README.md":
        write_news(folder / "news.parquet")
        # audit.md has the long texts.
        monkeypatch.setattr("toktk.audit.speed._LENGTHS", LENGTHS[:5:2])
    # What a tokenizer is timed for: a page needs no tight intervals.
    monkeypatch.setattr("toktk.timing.protocol._SECONDS", 3.0)
    reader = Follower(monkeypatch)
    reader.follow(blocks_of(page))
    if page.name == "README.md":
        check_front_page(reader.names, folder)
    for block, commands, printed in reader.expected:
        if is_comparable(page.name, commands):
            missing = missing_lines(block, printed)
            assert not missing, f"{page.name}:{block.line} shows {missing[0]!r}, not in\n{printed}"


def test_nothing_is_left_out_without_a_reason() -> None:
    """All that is not run, or runs with a stand-in, is listed; and all that is listed is there."""
    blocks = [block for page in PAGES for block in blocks_of(page)]
    assert {block.language for block in blocks} == {"python", "sh", "text", "toml", "yaml"}
    told = "\n".join(block.text for block in blocks)
    for listed in (*NOT_RUN, *INSTEAD):
        assert listed in told, listed
    assert all(NOT_RUN.values())
    assert len(NOT_RUN) <= 6
    assert len(INSTEAD) <= 7
    # What a fence does not close is no block, and would not run.
    for page in PAGES:
        fences = re.findall(r"^\s*(```|~~~)", page.read_text(encoding="utf-8"), re.M)
        assert len(fences) == 2 * len(blocks_of(page)), page.name


def test_each_verb_has_a_page() -> None:
    told = {page.stem for page in PAGES}
    reference = (DOCS / "reference.md").read_text(encoding="utf-8")
    for verb in COMMANDS:
        assert f"## toktk {verb}\n" in reference
        assert verb in told or verb in ("ls", "env", "cache")


def test_the_examples_of_help_are_understood() -> None:
    examples = re.findall(r"^    (toktk .*)$", (DOCS / "reference.md").read_text("utf-8"), re.M)
    assert len(examples) > 10
    for example in examples:
        verb, command, args = main.resolve_command(click.Context(main), shlex.split(example)[1:])
        assert command is not None
        if isinstance(command, Verb) and args[0] in command.below:
            command = command.below[args.pop(0)]
        command.make_context(verb, args)  # reads them, and runs nothing


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


# Pages made from the code


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    return script("generate")


def test_pictures_show_what_the_code_gives(folder: Path) -> None:
    pictures = script("pictures")
    assert sorted(pictures.stamps()) == ["languages", "show", "size-curve"]
    for name in pictures.stamps():
        text = (pictures.FOLDER / f"{name}.svg").read_text(encoding="utf-8")
        assert not re.search(r"url\((?!#)|@import|href=\"(?!#)", text)
    if is_comparable("README.md", ""):
        made = pictures.pictures(pictures.starter_run(folder))
        stamps = {name: pictures.stamp_of(what) for name, (what, _) in made.items()}
        assert stamps == pictures.stamps(), "run python docs/pictures.py"


def test_generated_pages_are_what_the_code_gives(
    generate: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKTK_PLUGINS", "0")
    for name, text in generate.pages().items():
        stored = (DOCS / name).read_text(encoding="utf-8")
        assert text == stored, (
            f"docs/{name} is not what the code gives: run python docs/generate.py"
        )


# The site


class _Resources(HTMLParser):
    """The addresses that a page makes a browser load by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        linked = tag == "link" and values.get("rel") not in ("canonical", "next", "prev")
        names = ("src", "srcset", "data", "poster", *(["href"] if linked else []))
        self.found += [values[name] for name in names if values.get(name)]


def test_the_site_is_built_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the extra docs is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pages = {path.stem: path for path in (tmp_path / "site").glob("*.html")}
    assert set(pages) == {page.stem for page in PAGES if page.parent == DOCS} | {"404"}
    for path in pages.values():
        resources = _Resources()
        text = path.read_text(encoding="utf-8")
        resources.feed(text)
        assert resources.found
        elsewhere = [found for found in resources.found if re.match(r"(\w+:)?//", found)]
        assert not elsewhere, path.name
        assert not re.search(r"@import|url\(['\"]?(https?:)?//", text), path.name
    for path in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"(@import\s*|url\()['\"]?(https?:)?//", path.read_text("utf-8")), path
