"""What changed between two days: newly published, revised, withdrawn, overdue; for every kind of figure.

The state as known on the one day is held against that on the other: what came and went in between is no change. Names
that a file changed car for car (`dashboard.revisions`) are none either. Changes are put together into entries, such as
a market's month or a maker's revised figures, and entries are ranked by what they move: the part of the world's
electric cars, or of a headline maker's own, that the changed figures count. A figure of long ago moves less of what is
looked at now: its weight is halved with each year that its period lies back, and of several periods that came at once
with each that is newer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import pandas as pd

from dashboard.ledger_entries import (
    HEADLINE_MAKERS,
    Entry,
    Sizes,
    figure_entries,
    first_reads,
    market_of,
    months_of,
    overdue_entry,
    record_entries,
)
from dashboard.selection import Selection
from dashboard.what_changed import Kind, changed_figures, changed_records, rows_as_dicts
from dashboard.windows import month_number
from db import Connection, changes
from db.memory import remembered

EVERYTHING: Final = Selection(market=())
"""What a ledger is about where nobody narrows it down."""

WEEK: Final = timedelta(days=7)
"""How far back a ledger looks where nobody says from which day."""


@dataclass(frozen=True)
class Ledger:
    """What changed after one day and up to another; `on` is the day at which it is judged what is overdue.

    `entries` are ranked: what moves most first, first reads last. `figures` and `records` (by table) have every change,
    one row each: see `changed_figures` and `changed_records`.
    """

    after: date
    until: date
    on: date
    entries: tuple[Entry, ...]
    figures: pd.DataFrame
    records: Mapping[str, pd.DataFrame]

    def of(self, *kinds: Kind) -> tuple[Entry, ...]:
        """The entries of some kinds, in their order."""
        return tuple(entry for entry in self.entries if entry.kind in kinds)

    def count(self, kind: Kind) -> int:
        """How many figures of a kind there are."""
        return sum(entry.figures for entry in self.of(kind))

    @property
    def news(self) -> tuple[Entry, ...]:
        """The entries that say something new: neither first reads nor what is overdue."""
        return tuple(entry for entry in self.entries if entry.kind not in (Kind.OVERDUE, Kind.FIRST_READ))

    @property
    def is_silent(self) -> bool:
        """Whether nothing changed."""
        return not self.news


def between(
    connection: Connection, *, after: date, until: date, on: date | None = None, selection: Selection = EVERYTHING
) -> Ledger:
    """The ledger of what became known after one day and up to another; what is overdue is judged `on` a day, or else on
    the later one.

    Of a selection count the markets, makers, models and, for figures of periods, the range from `since` to `until`.
    """
    on = on or until
    chosen = replace(
        EVERYTHING,
        market=selection.market,
        makers=selection.makers,
        models=selection.models,
        since=selection.since,
        until=selection.until,
    )
    return remembered(
        connection, (between, after, until, on, chosen), lambda: _between(connection, after, until, on, chosen)
    )


def _between(connection: Connection, after: date, until: date, on: date, selection: Selection) -> Ledger:
    told = changes.reach(connection, day=until)
    sizes = Sizes.of(changes.totals(connection, makers=HEADLINE_MAKERS, day=until), until=until)
    touched = changes.touched_figures(connection, after=after, until=until)
    files = set(touched[["source", "file"]].drop_duplicates().itertuples(index=False, name=None))
    known = changes.reach(connection, day=after, files=files) if files else {}
    figures = changed_figures(touched, known, after=after, until=until)
    figures = figures[_is_asked_for(figures, selection)].reset_index(drop=True)
    records = {}
    for table, frame in changes.touched_records(connection, after=after, until=until).items():
        changed = changed_records(frame, *changes.record_columns(table), after=after, until=until)
        changed = changed[[_is_about(row, selection) for row in rows_as_dicts(changed)]].reset_index(drop=True)
        if len(changed):
            records[table] = changed
    narrowed = selection.makers or selection.models
    by_maker = set(figures["source"]) if narrowed else changes.sources_of_makers(connection)
    late = changes.overdue(connection, told, as_of=until, on=on)
    first = changes.first_reads(connection, after=after, until=until)
    entries = [
        *figure_entries(figures, sizes, by_maker=by_maker, by_model=bool(selection.models), until=until),
        *(entry for table, frame in records.items() for entry in record_entries(table, frame, sizes)),
        *(overdue_entry(of, sizes, after=after) for of in late if _tells_of(of.markets, selection)),
        *first_reads([of for of in first if _tells_of((of.market,), selection)]),
    ]
    return Ledger(after, until, on, tuple(sorted(entries, key=_rank)), figures, records)


def _is_asked_for(figures: pd.DataFrame, selection: Selection) -> pd.Series[bool]:
    rows = pd.Series(True, index=figures.index)
    for name, chosen in (("market", selection.market), ("maker", selection.makers), ("model", selection.models)):
        if chosen:
            rows &= figures[name].isin(chosen)
    if selection.since:
        rows &= figures["month"] >= month_number(selection.since)
    if selection.until:
        rows &= figures["month"] + months_of(figures) <= month_number(selection.until) + 1
    return rows


def _is_about(row: Mapping[str, Any], selection: Selection) -> bool:
    told = row["now"] or row["before"]
    chosen = (("market", selection.market), ("maker", selection.makers), ("model", selection.models))
    return all(
        not wanted or (market_of(told) if name == "market" else told.get(name)) in wanted for name, wanted in chosen
    )


def _tells_of(markets: Collection[str], selection: Selection) -> bool:
    return not selection.market or not set(selection.market).isdisjoint(markets)


def _rank(entry: Entry) -> tuple[Any, ...]:
    last = entry.kind is Kind.FIRST_READ
    return last, -entry.weight, list(Kind).index(entry.kind), -entry.figures, entry.source, entry.market, entry.maker
