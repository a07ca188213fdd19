"""Figures of a text that its audit rests on; stored, so that a text is read once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toktk.arrays import Int64, read_arrays, write_arrays

(
    DOCUMENTS, BYTES, RAW_BYTES, EMPTY, SHORT, LONGEST,
    REPEATED_CHARACTER, REPEATED_WORD, REPEATED_LINE,
) = range(9)  # fmt: skip
N_SIZES = 9


@dataclass(frozen=True)
class Repeats:
    """How much of a text is there more than once; all but the first of equal ones is a copy.

    Attributes:
        n, n_bytes: documents, or lines, that were compared.
        copies, copy_bytes: of those.
        clusters: different ones that are there more than once.
        halvings: one in ``2**halvings`` was compared, drawn by hash; the numbers are of those.
        across: copies in another group than the first.
        by_group: documents compared and copies, of groups with any.
    """

    n: int = 0
    n_bytes: int = 0
    copies: int = 0
    copy_bytes: int = 0
    clusters: int = 0
    halvings: int = 0
    across: int = 0
    by_group: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Translation:
    """A group's bytes, and those of the reference group, in the aligned lines that both have."""

    lines: int
    n_bytes: int
    reference_bytes: int


@dataclass(frozen=True, eq=False)
class TextFigures:
    """Figures of a text.

    Attributes:
        groups: the G names; the last one stands for further ones where there are very many.
        sizes: int64[G, N_SIZES]: documents; bytes, times the weights; bytes; documents without anything to
            see; short ones; bytes of the longest; those that mostly repeat a character, a word or a line.
        faults: int64[G, N_FAULTS, 2]: occurrences and documents, by `toktk.kernels.faults`.
        script_names: the S names; the first, "", is of what belongs to no script.
        scripts: int64[G, S, 2]: bytes and characters, times the weights.
        equal, near, lines: repeats of whole documents, of nearly whole ones, of lines.
        reference: the group that translations are compared with; "" where the text is not parallel.
        translations: by group.
        replaced, null_rows: what reading met.
        examples: excerpts of the text, by what they are of: the name of a fault, of a kind of document, of
            repeats.
    """

    groups: tuple[str, ...]
    sizes: Int64
    faults: Int64
    script_names: tuple[str, ...]
    scripts: Int64
    equal: Repeats
    near: Repeats
    lines: Repeats
    reference: str
    translations: dict[str, Translation]
    replaced: int
    null_rows: int
    examples: dict[str, list[str]]

    def save(self, folder: Path) -> None:
        """Write arrays and the rest."""
        arrays = {"sizes": self.sizes, "faults": self.faults, "scripts": self.scripts}
        about: dict[str, Any] = {k: v for k, v in vars(self).items() if k not in arrays}
        for name in ("equal", "near", "lines"):
            about[name] = asdict(about[name])
        about["translations"] = {k: asdict(v) for k, v in self.translations.items()}
        write_arrays(folder, arrays, **about)

    @classmethod
    def load(cls, folder: Path) -> TextFigures:
        """Read what `save` wrote."""
        arrays, about = read_arrays(folder)
        for name in ("equal", "near", "lines"):
            repeats = about[name]
            repeats["by_group"] = {k: (v[0], v[1]) for k, v in repeats["by_group"].items()}
            about[name] = Repeats(**repeats)
        about["translations"] = {k: Translation(**v) for k, v in about["translations"].items()}
        about["groups"] = tuple(about["groups"])
        about["script_names"] = tuple(about["script_names"])
        everything: dict[str, Any] = {**arrays, **about}
        return cls(**everything)

    @property
    def documents(self) -> int:
        """How many there are, whatever their weights."""
        return int(self.sizes[:, DOCUMENTS].sum())
