"""What providers ask for a million tokens: a user's table, by tokenizer and, where that differs, by group.

TOML and JSON hold ``currency`` and ``prices``, for each tokenizer a price or ``{group = price}``. CSV holds
the columns tokenizer, price and, if need be, group and currency. A name may be a pattern: ``unigram-*``.
"""

from __future__ import annotations

import csv
import fnmatch
import io
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from toktk import shapes
from toktk.errors import CostError, did_you_mean, in_a_line
from toktk.visible import listed

_COLUMNS = ("tokenizer", "group", "price", "currency")
_LONGEST_CURRENCY = 12
_EVERY = "*"
_FORM = 'Write TOML such as:  currency = "USD"  [prices]  "bpe-*" = 0.5'


class Price(NamedTuple):
    """A price for a million tokens; the names may be patterns."""

    tokenizer: str
    group: str
    price: float


@dataclass(frozen=True)
class PriceTable:
    """Prices for a million tokens, in the order of the file; a name that is a tokenizer's own comes first."""

    currency: str
    prices: tuple[Price, ...]

    @classmethod
    def read(cls, path: Path) -> PriceTable:
        """Read a table from TOML, JSON or CSV; the end of the name says which.

        Raises:
            CostError: it cannot be read, or holds something else.
        """
        readers = {".toml": _toml, ".json": shapes.parse, ".csv": _csv}
        read = readers.get(path.suffix.lower())
        if read is None:
            raise CostError(
                f"{path} is no table of prices.",
                f"Found: a name that ends in {path.suffix or 'nothing'}.",
                f"Give a file that ends in {', '.join(readers)}.",
            )
        try:
            return cls.of(read(path.read_text(encoding="utf-8-sig")))
        except CostError as error:
            raise CostError(f"{path}: {error.args[0]}", *error.args[1:]) from error
        except (OSError, ValueError, csv.Error) as error:
            raise CostError(
                f"cannot read prices from {path}.", f"Found: {in_a_line(error)}.", _FORM
            ) from error

    @classmethod
    def of(cls, document: Any) -> PriceTable:
        """Return the table of ``{"currency": "USD", "prices": {"bpe-50k": 0.5}}``.

        Raises:
            CostError: it holds something else.
        """
        amount = (float, {...: float})
        if wrong := shapes.misfit(document, {"currency?": str, "prices": {...: amount}}):
            raise CostError("this is no table of prices.", f"Found: {wrong}.", _FORM)
        currency = document.get("currency", "")
        if len(currency) > _LONGEST_CURRENCY:
            raise CostError(
                "this is no table of prices.", f"Found: {currency!r:.40} as the currency.", _FORM
            )
        prices = tuple(_prices(document["prices"]))
        if not prices:
            raise CostError("a table of prices is empty.", "Found: no price.", _FORM)
        return cls(currency, prices)

    def price(self, tokenizer: str, group: str) -> float | None:
        """Return what a million tokens cost, of a tokenizer in a group; None where no price is given."""
        fitting = [
            p for p in self.prices if _fits(p.tokenizer, tokenizer) and _fits(p.group, group)
        ]
        own = [p for p in fitting if p.tokenizer == tokenizer] or fitting
        return next((p.price for p in own if p.group == group), own[0].price if own else None)

    def check(self, tokenizers: Sequence[str], groups: Sequence[str]) -> None:
        """Refuse prices of what there is not.

        Raises:
            CostError: a name fits no tokenizer, or no group.
        """
        for price in self.prices:
            for what, name, known in (
                ("tokenizer", price.tokenizer, tokenizers),
                ("group", price.group, groups),
            ):
                if not any(_fits(name, each) for each in known) and name != _EVERY:
                    raise CostError(
                        f"there is a price for {name!r}, and no such {what}{did_you_mean(name, known)}.",
                        f"Found: {listed(known)}.",
                        "Name one of them, or several by a pattern such as 'bpe-*'.",
                    )


def _fits(pattern: str, name: str) -> bool:
    return pattern == name or fnmatch.fnmatchcase(name, pattern)


def _prices(prices: Mapping[str, Any]) -> Iterator[Price]:
    for tokenizer, given in prices.items():
        of_group = given if isinstance(given, Mapping) else {_EVERY: given}
        for group, amount in of_group.items():
            if not 0 <= amount < math.inf:
                raise CostError(
                    f"the price of {tokenizer!r} is {amount}.",
                    "Give a number of 0 or more, for a million tokens.",
                )
            yield Price(tokenizer, group, float(amount))


def _toml(text: str) -> Any:
    return tomllib.loads(text)


def _csv(text: str) -> dict[str, Any]:
    """Return rows as a document that `PriceTable.of` reads."""
    reader = csv.DictReader(io.StringIO(text), strict=True, restval="")
    columns = reader.fieldnames or []
    if not {"tokenizer", "price"} <= set(columns) <= set(_COLUMNS):
        raise ValueError(f"the columns {', '.join(columns) or '(none)'}, not tokenizer and price")
    prices: dict[str, dict[str, float]] = {}
    currencies: dict[str, None] = {}
    for row in reader:
        of_tokenizer = prices.setdefault(row["tokenizer"], {})
        group = row.get("group") or _EVERY
        if group in of_tokenizer:
            raise ValueError(f"two prices of {row['tokenizer']!r} in line {reader.line_num}")
        try:
            of_tokenizer[group] = float(row["price"])
        except ValueError:
            raise ValueError(f"the price {row['price']!r} in line {reader.line_num}") from None
        currencies[row.get("currency") or ""] = None
    if len(currencies) > 1:
        raise ValueError(f"several currencies: {', '.join(currencies)}")
    return {"currency": "".join(currencies), "prices": prices}
