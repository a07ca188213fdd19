"""Write the pages that are made from the code: metrics.md and reference.md.

Run ``python docs/generate.py`` after a change of a metric or of an option; a test compares.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import click

from toktk.cli import main
from toktk.cli.verb import Verb
from toktk.metrics import METRICS, topics
from toktk.metrics.base import Metric

_METRICS = """# Metrics

This page is made from the code by `python docs/generate.py`; `toktk ls metrics` shows the same.

The name of a figure begins with that of its metric and carries all that changes its meaning: the unit
(`fertility[ws]`), the reference (`parity[en]`) and, where groups were averaged, how (`fertility[ws]|macro`
is the mean over groups, `|max` the largest, with its group in the note). Without `|`, the figure of `all` is
a ratio of sums: sums over all groups are divided, not ratios averaged. What cannot be measured is null, with
a note that says why; it is never 0.

[Proxies](proxies.md) says what the metrics of other topics tell of a model, and what not.

Metrics of the topic `standard` are measured unless `-m` says otherwise. `-m NAME` asks for one metric,
and `-m TOPIC` for all of a topic; `-m standard -m numbers` adds those of numbers to the usual ones.

Groups that the training text lacks are left out of means, worst and Gini, and a remark names them.
[Statistics](statistics.md) says how intervals are made.
"""
_SOURCES = """
## Sources

Ács 2019, *Exploring BERT's Vocabulary*. Chen and Goodman 1999, *An Empirical Study of Smoothing Techniques
for Language Modeling*. Cognetta et al. 2024, *Two Counterexamples to Tokenization and the Noiseless
Channel*. Heafield et al. 2013, *Scalable Modified Kneser-Ney Language Model Estimation*. Lotz et al. 2025,
*Beyond Text Compression: Evaluating Tokenizers Across Scales*. Petrov et al. 2023, *Language Model
Tokenizers Introduce Unfairness Between Languages*. Rust et al. 2021, *How Good is Your Tokenizer?* Schmidt
et al. 2024, *Tokenization Is More Than Compression*. Sims et al. 2026, *StochasTok: Improving Fine-Grained
Subword Understanding in LLMs*. Singh and Strouse 2024, *Tokenization counts: the impact of tokenization on
arithmetic in frontier LLMs*. Sun et al. 2026, *LiteToken: Removing Intermediate Merge Residues From BPE
Tokenizers*. Zhao et al. 2025, *FR-Spec: Accelerating Large-Vocabulary Language Models via Frequency-Ranked
Speculative Sampling*. Zouhar et al. 2023, *Tokenization and the Noiseless Channel*.
"""
_REFERENCE = """# Reference: every command and option

This page is made from the code by `python docs/generate.py`; `toktk COMMAND --help` shows the same.

Data goes to standard output, all else to standard error. Exit codes: 0; 1 an error; 2 wrong usage; 3 a gate
failed; 130, 143 or 129 interrupted.
"""
_ENVIRONMENT = """
## Environment variables

| variable | what it does |
|---|---|
| `TOKTK_HOME` | the folder of the cache, of compiled code, downloads and temporary files |
| `TOKTK_CACHE_LIMIT` | above it, what was used least recently goes: `5GB`; 0: no limit |
| `TOKTK_ENGINE_TIMEOUT` | as `--engine-timeout`, for Python |
| `TOKTK_NUMBA_CACHE` | 0: no compiled code is kept |
| `TOKTK_PLUGINS` | 0: only what toktk brings, nothing of other packages |
| `TOKTK_DEBUG` | 1: tracebacks of errors that end in a message |
"""


def pages() -> dict[str, str]:
    """Return the text of each page by the name of its file."""
    return {"metrics.md": metrics_page(), "reference.md": reference_page()}


def metrics_page() -> str:
    """Return the definitions of all metrics."""
    parts = [_METRICS]
    for topic, names in topics().items():
        parts += [f"\n## Topic: {topic}\n", *(_entry(METRICS.load(name)) for name in names)]
    return "".join(parts) + _SOURCES


def _entry(metric: Metric) -> str:
    needs = [
        *(["parallel text"] if metric.parallel else []),
        *(["a tokenizer that cuts text into pieces"] if metric.pieces else []),
    ]
    better = f"{metric.better} is better" if metric.better else "neither way is better"
    about = [f"Unit: {metric.unit}; {better}.", *([f"Needs {', '.join(needs)}."] if needs else [])]
    return (
        f"\n### {metric.name}\n\n{metric.description} {' '.join(about)}\n\n    {metric.formula}\n\n"
        f"**Trap.** {metric.trap}\n\nSource: {metric.source}.\n"
    )


def reference_page() -> str:
    """Return what ``--help`` says of each command."""
    context = click.Context(main, info_name="toktk")
    parts = [_REFERENCE]
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        parts.append(_command(name, command))
        if isinstance(command, Verb):
            parts += [_command(f"{name} {below}", of) for below, of in command.below.items()]
    return "".join(parts) + _ENVIRONMENT


def _command(name: str, command: click.Command) -> str:
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    paragraphs = [_paragraph(paragraph) for paragraph in text.split("\n\n")]
    rows = [_row(p) for p in command.params if isinstance(p, click.Option) and not p.hidden]
    table = "| option | what it does |\n|---|---|\n" + "".join(rows)
    return f"\n## toktk {name}\n\n" + "\n\n".join(paragraphs) + f"\n\n{table}"


def _paragraph(paragraph: str) -> str:
    """Return examples as code, and other paragraphs as they are."""
    lines = paragraph.splitlines()
    if lines[0].startswith("toktk "):
        return "\n".join(f"    {line}" for line in lines)
    return _escaped(paragraph)


def _row(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if isinstance(option.type, click.Choice):
        names += f" `{'/'.join(map(str, option.type.choices))}`"
    elif not option.is_flag:
        value = option.metavar or option.type.name.upper().removesuffix(" RANGE")
        names += f" `{value.replace('|', '/')}`"  # a bar would end the cell
    text = _escaped(option.help or "")
    if option.show_default:
        text += f"  [default: {_default(option)}]"
    return f"| {names} | {text} |\n"


def _default(option: click.Option) -> str:
    if option.secondary_opts:
        return (option.opts if option.default else option.secondary_opts)[0].removeprefix("--")
    values = option.default if isinstance(option.default, (list, tuple)) else [option.default]
    return ", ".join(map(str, values))


def _escaped(text: str) -> str:
    """Return text whose ``<org>`` is no tag."""
    return text.replace("<", "&lt;")


if __name__ == "__main__":
    for name, text in pages().items():
        (Path(__file__).parent / name).write_text(text, encoding="utf-8")
