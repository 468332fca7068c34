"""What is loaded: a source, the receipt of one of its files, what that file claims, and what loading it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final

from db import records
from db.vocabulary import Cadence, Obtained, States


@dataclass(frozen=True)
class Source:
    """A publisher's table: who publishes it, under which licence, what it amounts to and how often it changes."""

    slug: str
    title: str
    publisher: str
    url: str
    licence: str
    licence_url: str
    states: States
    cadence: Cadence
    lag_days: int
    """Days after a period's end by which the publisher usually has stated it: after that it is overdue."""
    precedence: int
    """Where two sources claim one cell, the lower number is drawn."""
    warning: str
    """What a reader of these figures must know; printed with them."""


@dataclass(frozen=True)
class Receipt:
    """Where one file came from and what identifies it."""

    source: str
    file: str
    known_on: date
    origin_url: str
    retrieved_at: datetime | None
    sha256: str
    bytes: int
    obtained: Obtained


SERIES_KEY: Final = ("market", "basis", "powertrain", "vehicle_scope", "grain", "maker", "model")
"""What a series of figures is about; with source and file, its identity."""

SALES_FIELDS: Final = (*SERIES_KEY, "period_start", "units", "line", "evidence")
"""The order of a row of `Contents.sales`: units of a maker or model in a market and period, as one file states them."""


@dataclass(frozen=True)
class Contents:
    """What one snapshot claims, in our ids.

    `sales` holds rows in the order of `SALES_FIELDS`, `penetration` likewise with a share of all cars (a fraction) in
    the place of units; `groups` rows of maker, group slug, group name, valid from, valid to and line; `makers` and
    `models` name every slug used (`models`: slug to maker and name); `evidence` maps each evidence text to its
    addresses (one a line) and its remark. `records` are claims that are no figures of a series, see `db.records`.
    """

    sales: Sequence[tuple[Any, ...]]
    groups: Sequence[tuple[str, str, str, date, date, int]]
    makers: Mapping[str, str]
    models: Mapping[str, tuple[str, str]]
    evidence: Mapping[str, tuple[str, str]]
    rows_read: int
    penetration: Sequence[tuple[Any, ...]] = ()
    records: records.Rows = field(default_factory=dict)
    rejected: Sequence[tuple[int, str, str, str]] = ()
    """Line, column, value and reason of each row refused."""
    out_of_scope: int = 0
    duplicate: int = 0

    @property
    def claims(self) -> int:
        """How many claims that are, of all kinds."""
        return len(self.sales) + len(self.penetration) + len(self.groups) + sum(map(len, self.records.values()))


@dataclass(frozen=True)
class FileHistory:
    """All that one file has claimed over time: its receipts, oldest first, and each claim once.

    Rows are as in `Contents`, with the days from and to which the claim stood behind them; the names likewise.
    """

    receipts: Sequence[Receipt]
    sales: Sequence[tuple[Any, ...]]
    groups: Sequence[tuple[Any, ...]]
    makers: Mapping[str, str]
    models: Mapping[str, tuple[str, str]]
    evidence: Mapping[str, tuple[str, str]]
    penetration: Sequence[tuple[Any, ...]] = ()
    records: records.Rows = field(default_factory=dict)
    left_out: Mapping[date, tuple[int, int]] = field(default_factory=dict)
    """By the day of the receipt: how many rows were out of scope, and how many duplicates."""
    rejected: Mapping[date, Sequence[tuple[int, str, str, str]]] = field(default_factory=dict)
    """By the day of the receipt: line, column, value and reason of each row refused."""

    def contents(self, receipt: Receipt) -> Contents:
        """What the file claimed on the day of one of its receipts."""

        def standing(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
            return [row[:-2] for row in rows if row[-2] <= receipt.known_on < row[-1]]

        sales, penetration, groups = standing(self.sales), standing(self.penetration), standing(self.groups)
        told = {name: standing(rows) for name, rows in self.records.items()}
        out_of_scope, duplicate = self.left_out.get(receipt.known_on, (0, 0))
        rejected = self.rejected.get(receipt.known_on, ())
        contents = Contents(
            sales=sales,
            groups=groups,
            makers=self.makers,
            models=self.models,
            evidence=self.evidence,
            penetration=penetration,
            records=told,
            rows_read=0,
            rejected=rejected,
            out_of_scope=out_of_scope,
            duplicate=duplicate,
        )
        return replace(contents, rows_read=contents.claims + out_of_scope + duplicate + len(rejected))


@dataclass(frozen=True)
class Outcome:
    """What loading a snapshot did. `already` is set where the file had claimed the same before: nothing was written."""

    receipt: Receipt
    already: bool
    read: int = 0
    loaded: int = 0
    unchanged: int = 0
    rejected: int = 0
    closed: int = 0
