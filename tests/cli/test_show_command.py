"""toktk show: what a terminal, a pipe and a file get, and what is text and what a tokenizer."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_line import fails, good
from hostile_names import hidden
from public_samples import LLAMA2, write

from toktk.cli import main, streams

HOSTILE = (
    "\x1b[31m\x07\x9b2J \u202eevil\u202c\u2028\r\n\0 e\u0301\u200b<b>&\"'│⟨⟩ مرحبا 👩\u200d👩 東"
)
SGR = re.compile(r"\x1b\[(0|1|2|4|38;5;16;48;5;117|38;5;16;48;5;222)m")


@pytest.fixture
def specs(home: Path, crafted) -> tuple[str, str]:
    """Two tokenizers in files: letters by pairs, and bytes."""
    pairs = [
        ("1", "2"),
        ("12", "3"),
        (b"\xe6", b"\x9d"),
        (" ", "a"),
        ("é"[:1].encode()[:1], b"\xa9"),
    ]
    crafted(pairs, pattern="gpt2").save(home / "pairs")
    crafted([("2", "3")], pattern="gpt2").save(home / "bytes")
    return f"pairs={home / 'pairs'}", f"bytes={home / 'bytes'}"


TEXT = "123 a東é\n"
PLAIN = """\
pairs  261 ids, cut gpt2, native
6 tokens, 11 bytes, 8 characters: 1.83 bytes per token
⟨123⟩│⟨·a⟩│⟨<E6><9D>⟩│<B1>│⟨é⟩│↵

bytes  257 ids, cut gpt2, native
10 tokens, 11 bytes, 8 characters: 1.10 bytes per token
⟨1⟩│⟨23⟩│⟨·⟩│⟨a⟩│⟨<E6>⟩│⟨<9D>⟩│<B1>│⟨<C3>⟩│⟨<A9>⟩│↵

Tokens: pairs 6, bytes 10.
They differ at 4 places, given in bytes of the text:
   0–3  123        pairs
        1│23       bytes
   3–5  ·a         pairs
        ·│a        bytes
   5–7  <E6><9D>   pairs
        <E6>│<9D>  bytes
  8–10  é          pairs
        <C3>│<A9>  bytes

· space, ↵ end of line, <E2> a byte of a split character, ⟨ ⟩ some other tokenizer lacks it
"""


def test_a_pipe_gets_signs(specs) -> None:
    assert good("show", *specs, TEXT).stdout == PLAIN


@pytest.mark.parametrize(
    ("variables", "colored"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_a_terminal_gets_colors_unless_it_wants_none(
    specs, monkeypatch, variables, colored
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"COLUMNS": "80", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(streams, "on_screen", lambda: True)
    shown = CliRunner().invoke(main, ["show", *specs, TEXT], color=True).stdout
    assert ("\x1b" in shown) is colored
    if not colored:
        # The line of legend is folded.
        assert shown.split() == PLAIN.split()
        return
    blue, orange, end = "\x1b[38;5;16;48;5;117m", "\x1b[38;5;16;48;5;222m", "\x1b[0m"
    line = shown.splitlines()[2]
    assert line == (
        f"{blue}\x1b[4m123{end}{orange}\x1b[4m·a{end}{blue}\x1b[4m<E6><9D>{end}"
        f"{orange}<B1>{end}{blue}\x1b[4mé{end}{orange}↵{end}"
    )
    assert shown.startswith("\x1b[1mpairs\x1b[0m  261 ids")


@pytest.mark.parametrize("format", ["table", "md", "latex", "json", "csv"])
def test_hostile_text_steers_no_terminal(specs, monkeypatch, format) -> None:
    monkeypatch.setattr(streams, "on_screen", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for more in ([], ["--ids"]):
        args = ["show", *specs, *more, "-q", "-f", format, "--", HOSTILE]
        shown = CliRunner().invoke(main, args, color=True, catch_exceptions=False).stdout
        assert set(hidden(SGR.sub("", shown))) <= {"\u2068", "\u2069"}
        assert "\u2068" not in SGR.sub("", shown) or format == "table"


def test_formats(specs) -> None:
    value = json.loads(good("show", *specs, TEXT, "-f", "json").stdout)
    assert [each["tokenizer"] for each in value["tokenizers"]] == ["pairs", "bytes"]
    for each in value["tokenizers"]:
        tokens = each["tokens"]
        assert b"".join(bytes.fromhex(t["bytes"]) for t in tokens) == TEXT.encode()
        assert tokens[0]["start"] == 0
        assert all(a["end"] == b["start"] for a, b in pairwise(tokens))
    assert [t["agreed"] for t in value["tokenizers"][0]["tokens"]] == [
        False, False, False, True, False, True,
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(good("show", *specs, TEXT, "-f", "csv").stdout)))
    assert len(rows) == 16
    assert rows[0] == {
        "tokenizer": "pairs", "id": rows[0]["id"], "bytes": "313233", "text": "123", "start": "0",
        "end": "3", "agreed": "false",
    }  # fmt: skip
    assert rows[2]["text"] == ""
    assert "| pairs | " in good("show", *specs, TEXT, "-f", "md").stdout
    assert "\\begin{tabular}" in good("show", *specs, TEXT, "-f", "latex").stdout


def test_files(specs, tmp_path) -> None:
    result = good("show", *specs, TEXT, "-o", tmp_path / "a.txt", "--html", tmp_path / "a.html")
    assert result.stdout == ""
    assert result.stderr == f"{tmp_path / 'a.html'}\n"
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == PLAIN
    html = (tmp_path / "a.html").read_bytes()
    assert b"<bdi" in html
    assert hidden(html.decode()) == []
    good("show", specs[0], HOSTILE, "-q", "--html", tmp_path / "a.html")
    html = (tmp_path / "a.html").read_bytes()
    assert hidden(html.decode()) == []
    assert b"<b>&" not in html


def given(text: bytes, *args: object) -> object:
    return CliRunner().invoke(main, ["show", *map(str, args)], input=text, catch_exceptions=False)


def test_standard_input(specs) -> None:
    for args in ([*specs, "-"], specs):
        assert given(TEXT.encode(), *args).stdout == PLAIN
    # With a text there is nothing to read.
    assert given(b"xyz", *specs, TEXT).stdout == PLAIN
    assert "0 tokens, 0 bytes, 0 characters\n" in given(b"", specs[0]).stdout
    wrong = given(b"abc\xff", specs[0], "-")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "the byte 0xFF at offset 3" in wrong.stderr


def test_what_is_no_tokenizer_is_text(specs, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("something else")
    (tmp_path / "folder").mkdir()
    write(tmp_path / "tokenizer.json", LLAMA2)  # so that . is a tokenizer, but no text is none
    for text in ("notes.txt", "folder", "tiktoken: a library", "a=b", "x" * 300, "hf:", ""):
        result = good("show", specs[0], text, "-f", "json")
        assert json.loads(result.stdout)["text"] == text
        assert ("is 'notes.txt' itself" in result.stderr) == (text == "notes.txt")


def test_a_tokenizer_without_text_in_a_terminal(specs, monkeypatch) -> None:
    terminal = type("Terminal", (), {"isatty": lambda self: True})()
    monkeypatch.setattr("toktk.cli.show.sys", type("Sys", (), {"stdin": terminal}))
    for args in (specs[:1], specs, [specs[0], "tiktoken:gpt2"], [specs[0], "hf:org/name"]):
        assert "there is no text" in fails("show", *args, code=2)


def test_mistakes(specs) -> None:
    assert "name a tokenizer before the text" in fails("show", "-", code=2)
    assert "Missing argument" in fails("show", code=2)
    assert "unknown tokenizer 'hello'" in fails("show", "hello")
    assert "2 tokenizers are called 'pairs'" in fails("show", specs[0], specs[0], "a")
    assert "surrogate" in fails("show", specs[0], "a\udcff")


def test_an_ascii_terminal(specs) -> None:
    shown = CliRunner(charset="ascii").invoke(main, ["show", *specs, TEXT]).stdout_bytes
    assert shown.isascii()
    assert b"[123]|[*a]|[<E6><9D>]|<B1>|[\\xe9]|$" in shown


def test_a_changed_text_is_told(home, tmp_path) -> None:
    path = write(tmp_path / "tokenizer.json", LLAMA2)
    shown = good("show", path, "the 東").stdout
    assert "it changes the text before it encodes it; its tokens spell: ·the·東" in shown


def test_a_long_line(specs) -> None:
    text = "123 a" * 100_000
    result = given(text.encode(), *specs, "-")
    assert len(result.stdout) < 60_000
    assert result.stdout.count("drawn are the first 2,000 of") == 2
    assert "and 199,992 more" in result.stdout
    everything = given(("123 a" * 1500).encode(), specs[0], "-", "--all").stdout
    assert "drawn are" not in everything
    assert everything.count("│") == 2999


def test_help_has_examples_and_loads_little() -> None:
    code = (
        "import sys\nfrom toktk.cli import main\n"
        "try:\n    main(args=['show', '--help'], prog_name='toktk')\n"
        "except SystemExit:\n    print(sorted({'numba', 'numpy', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.endswith("[]\n")
    assert "toktk show ours=" in done.stdout
