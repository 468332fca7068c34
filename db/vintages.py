"""SELECTs about how claims changed: what a file has said of a cell over time, and how often and how far it was revised.

A vintage is one file as it was on one day. A claim that a later vintage changes or no longer has is closed and kept
(`known_to`), so that the past can be told from it. A transcribed or imported file is its own history: each of its rows
says since when it is known, and a restated figure is a second row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, case, select

from db.claims import STANDING, Bools, Claims, Ints, Words
from db.market_claims import claim_columns, told
from db.memory import remembered
from db.schema import penetration, sales, series, snapshot, source
from db.vocabulary import OPEN_END, Obtained, SnapshotStatus

CELL_WORDS = ("source", "file", "market", "basis", "powertrain", "grain", "maker", "model")
"""What a claim is about, apart from its period."""


def claims_over_time(
    connection: Connection,
    *,
    markets: Sequence[str],
    bases: Sequence[str],
    powertrains: Sequence[str],
    as_of: date | None = None,
) -> pd.DataFrame:
    """Every claim ever made until `as_of` about the passenger cars of some markets, also those that were withdrawn.

    One row a claim: `CELL_WORDS` (categories), month (the period's first month as year * 12 + month - 1), units,
    known_from and known_to (days since 1970-01-01; `STANDING` where the claim stood on `as_of`).
    """
    day = STANDING if as_of is None else _number(as_of)
    found = list(told(connection, markets).values())
    asked = [
        of.claims.basis.among(bases) & of.claims.powertrain.among(powertrains) & (of.claims.known_from <= day)
        for of in found
    ]
    claims = Claims.joined([of.claims[rows] for of, rows in zip(found, asked, strict=True)])
    file = Words.joined([of.file[rows] for of, rows in zip(found, asked, strict=True)])
    known_to = np.concatenate([of.known_to[rows] for of, rows in zip(found, asked, strict=True)])
    words = {name: file if name == "file" else getattr(claims, name) for name in CELL_WORDS}
    return pd.DataFrame(
        {
            **{name: column.categories().remove_unused_categories() for name, column in words.items()},
            "month": claims.month,
            "units": claims.units.astype(np.int64),
            "known_from": claims.known_from,
            "known_to": np.where(known_to <= day, known_to, STANDING),
        }
    )


@dataclass(frozen=True)
class Vintages:
    """The days on which one file was read, in order; `is_own_history` where it says itself since when each row is
    known, so that its days say nothing about how often its figures were looked at."""

    days: tuple[date, ...]
    is_own_history: bool


def vintages(connection: Connection, *, as_of: date | None = None) -> Mapping[tuple[str, str], Vintages]:
    """The vintages of every file that is loaded, known by `as_of`: source (slug) and file to their days."""
    return remembered(connection, (vintages, as_of), lambda: MappingProxyType(_vintages(connection, as_of)))


def _vintages(connection: Connection, as_of: date | None) -> dict[tuple[str, str], Vintages]:
    query = (
        select(source.c.slug, snapshot.c.file, snapshot.c.known_on, _is_own_history())
        .join(source, source.c.id == snapshot.c.source_id)
        .where(snapshot.c.status == SnapshotStatus.LOADED)
        .order_by(snapshot.c.known_on)
    )
    days: dict[tuple[str, str], list[date]] = {}
    own: set[tuple[str, str]] = set()
    for slug, file, known_on, is_own in connection.execute(query).tuples():
        if is_own:
            own.add((slug, file))
        if is_own or as_of is None or known_on <= as_of:
            days.setdefault((slug, file), []).append(known_on)
    return {key: Vintages(days=tuple(dict.fromkeys(of)), is_own_history=key in own) for key, of in days.items()}


@dataclass(frozen=True)
class TypicalRevision:
    """How often and how far a source has changed what it had said.

    `judged` are the cells that it could have changed: those that an earlier vintage of their file states than its last.
    `revised` are those whose units it has changed at least once; `share` is their part of the judged. `median`, `p90`
    are of the size of the change, last figure against first one, over the revised cells whose first figure is not zero.
    In a transcribed or imported file nobody looks at a figure again that was not restated: there only the restated are
    judged, and there is no share. All three are None where they rest on nothing.
    """

    judged: int
    revised: int
    share: float | None
    median: float | None
    p90: float | None


@dataclass(frozen=True, eq=False)
class Ever:
    """All claims of a table that were ever made (N), series by series, period by period, the oldest first.

    `series` are places in `of_series`, which has source (slug), file, market, basis, powertrain and grain of each.
    `month` is a period's first as year * 12 + month - 1, `value` units or a share; `known_from` and `known_to` are days
    since 1970-01-01.
    """

    of_series: tuple[tuple[str, str, str, str, str, str], ...]
    series: Ints
    month: Ints
    value: NDArray[np.float64]
    known_from: Ints
    known_to: Ints

    def made(self, as_of: date | None) -> Bools:
        """Which claims had been made by a day; without one, all."""
        return np.asarray(self.known_from <= (STANDING if as_of is None else _number(as_of)))

    def standing(self, as_of: date | None) -> Bools:
        """Which claims stood on a day; without one, those that stand now."""
        if as_of is None or as_of >= OPEN_END:
            return np.asarray(self.known_to == STANDING)
        return self.made(as_of) & (self.known_to > _number(as_of))


def sales_ever(connection: Connection) -> Ever:
    """All claims about units: read once for as long as no other data are loaded."""
    return remembered(connection, (sales_ever,), lambda: _ever(connection, sales, "units"))


def penetration_ever(connection: Connection) -> Ever:
    """All claims about the share of electric cars, likewise."""
    return remembered(connection, (penetration_ever,), lambda: _ever(connection, penetration, "share"))


def _ever(connection: Connection, of: Table, value: str) -> Ever:
    words = (series.c.file, series.c.market, series.c.basis, series.c.powertrain, series.c.grain)
    about = connection.execute(
        select(series.c.id, source.c.slug, *words).join(source, source.c.id == series.c.source_id).order_by(series.c.id)
    ).all()
    columns = claim_columns(connection, of=of, value=value)
    order = np.lexsort((columns["known_from"], columns["month"], columns["series_id"]))
    ids = np.array([row[0] for row in about], dtype=np.int64)
    return Ever(
        of_series=tuple((row[1], row[2], row[3], str(row[4]), str(row[5]), str(row[6])) for row in about),
        series=np.searchsorted(ids, columns["series_id"][order]),
        month=columns["month"][order],
        value=columns[value][order],
        known_from=columns["known_from"][order],
        known_to=columns["known_to"][order],
    )


def typical_revision(connection: Connection, *, as_of: date | None = None) -> Mapping[str, TypicalRevision]:
    """The typical revision of every source that has stated units by `as_of`, by its slug.

    Cells are counted as they are stored: one maker or model in one market and period. A figure that came late, vanished
    or got another name is no revision.
    """

    def ask() -> Mapping[str, TypicalRevision]:
        files = vintages(connection, as_of=as_of)
        return MappingProxyType(_typical_revision(sales_ever(connection), files, as_of))

    return remembered(connection, (typical_revision, as_of), ask)


def _typical_revision(
    ever: Ever, files: Mapping[tuple[str, str], Vintages], as_of: date | None
) -> dict[str, TypicalRevision]:
    made = ever.made(as_of)
    of, month, units, known_from = (each[made] for each in (ever.series, ever.month, ever.value, ever.known_from))
    if not len(of):
        return {}
    # A cell's claims lie together, the oldest first.
    opens = np.append(True, (of[1:] != of[:-1]) | (month[1:] != month[:-1]))
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(of)) - 1
    is_revised = np.minimum.reduceat(units, first) < np.maximum.reduceat(units, first)
    # What the last vintage of a file says for the first time could not be changed yet.
    slugs = [row[0] for row in ever.of_series]
    latest = [_number(files[row[:2]].days[-1]) if row[:2] in files else -1 for row in ever.of_series]
    could_change = known_from[first] < np.array(latest, dtype=np.int64)[of[first]]
    own = {slug for (slug, _), vintage in files.items() if vintage.is_own_history}
    numbers = {slug: n for n, slug in enumerate(sorted(set(slugs)))}
    source_of = np.array([numbers[slug] for slug in slugs], dtype=np.int64)[of[first]]
    before, now = units[first], units[last]
    found = {}
    for slug, number in numbers.items():
        cells = source_of == number
        if not cells.any():
            continue
        revised = cells & is_revised
        count = int(revised.sum())
        judged = count if slug in own else int((cells & could_change).sum())
        sized = revised & (before > 0)
        median, p90 = typical_size(np.abs(now[sized] - before[sized]) / before[sized])
        found[slug] = TypicalRevision(
            judged=judged,
            revised=count,
            share=None if slug in own or not judged else count / judged,
            median=median,
            p90=p90,
        )
    return found


def typical_size(sizes: Sequence[float] | NDArray[np.float64]) -> tuple[float | None, float | None]:
    """The median and the 90th percentile of some sizes, the latter interpolated; None for none."""
    if not len(sizes):
        return None, None
    median, p90 = np.quantile(np.array(sizes, dtype=np.float64), [0.5, 0.9])
    return float(median), float(p90)


def _is_own_history() -> Any:
    return case((snapshot.c.obtained.in_((Obtained.CURATED, Obtained.IMPORTED)), 1), else_=0)


def _number(day: date) -> int:
    """A day in days since 1970-01-01."""
    return (day - date(1970, 1, 1)).days
