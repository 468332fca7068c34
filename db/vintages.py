"""SELECTs about how claims changed: what a file has said of a cell over time, and how often and how far it was revised.

A vintage is one file as it was on one day. A claim that a later vintage changes or no longer has is closed and kept
(`known_to`), so that the past can be told from it. A transcribed or imported file is its own history: each of its rows
says since when it is known, and a restated figure is a second row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, and_, case, func, select

from db.schema import sales, series, snapshot, source
from db.vocabulary import OPEN_END, Obtained, SnapshotStatus, VehicleScope

CELL_WORDS = ("source", "file", "market", "basis", "powertrain", "grain", "maker", "model")
"""What a claim is about, apart from its period."""

STANDING = (OPEN_END - date(1970, 1, 1)).days
"""`known_to`, in days since 1970-01-01, of a claim that stands."""


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
    wanted = (
        series.c.market.in_(markets),
        series.c.basis.in_(bases),
        series.c.powertrain.in_(powertrains),
        series.c.vehicle_scope == VehicleScope.PASSENGER_CAR,
    )
    words = [source.c.slug.label("source"), *(series.c[name] for name in CELL_WORDS[1:])]
    about = connection.execute(
        select(series.c.id, *words).join(source, source.c.id == series.c.source_id).where(*wanted).order_by(series.c.id)
    ).all()
    day = as_of or OPEN_END
    claims = _driver_rows(
        connection,
        select(sales.c.series_id, sales.c.period_start, sales.c.units, sales.c.known_from, sales.c.known_to)
        .join_from(series, sales, series.c.id == sales.c.series_id)
        .where(*wanted, sales.c.known_from <= day),
    )
    ids, periods, units, known_from, known_to = zip(*claims, strict=True) if claims else ((), (), (), (), ())
    rows = np.searchsorted(np.array([row.id for row in about], dtype=np.int64), np.array(ids, dtype=np.int64))
    columns: dict[str, Any] = {}
    for name in CELL_WORDS:
        category = pd.Categorical([str(getattr(row, name)) for row in about])
        columns[name] = category.take(rows) if len(about) else category
    months = {start: (at := _as_date(start)).year * 12 + at.month - 1 for start in set(periods)}
    days = {known: (_as_date(known) - date(1970, 1, 1)).days for known in {*known_from, *known_to}}
    ends = {known: end if _as_date(known) <= day else STANDING for known, end in days.items()}
    columns["month"] = np.array([months[start] for start in periods], dtype=np.int64)
    columns["units"] = np.array(units, dtype=np.int64)
    columns["known_from"] = np.array([days[known] for known in known_from], dtype=np.int64)
    columns["known_to"] = np.array([ends[known] for known in known_to], dtype=np.int64)
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class Vintages:
    """The days on which one file was read, in order; `is_own_history` where it says itself since when each row is
    known, so that its days say nothing about how often its figures were looked at."""

    days: tuple[date, ...]
    is_own_history: bool


def vintages(connection: Connection, *, as_of: date | None = None) -> dict[tuple[str, str], Vintages]:
    """The vintages of every file that is loaded, known by `as_of`: source (slug) and file to their days."""
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


def typical_revision(connection: Connection, *, as_of: date | None = None) -> dict[str, TypicalRevision]:
    """The typical revision of every source that has stated units by `as_of`, by its slug.

    Cells are counted as they are stored: one maker or model in one market and period. A figure that came late, vanished
    or got another name is no revision.
    """
    day = as_of or OPEN_END
    files = vintages(connection, as_of=as_of)
    of_series = {
        number: (slug, file)
        for number, slug, file in connection.execute(
            select(series.c.id, source.c.slug, series.c.file).join(source, source.c.id == series.c.source_id)
        ).tuples()
    }
    # What the last vintage of a file says for the first time could not be changed yet.
    newest = [
        number
        for number, slug, file, known_on in connection.execute(
            select(snapshot.c.id, source.c.slug, snapshot.c.file, snapshot.c.known_on).join(
                source, source.c.id == snapshot.c.source_id
            )
        ).tuples()
        if (slug, file) in files and known_on >= files[slug, file].days[-1]
    ]
    claims = dict.fromkeys((slug for slug, _ in files), 0)
    counted = (
        select(sales.c.series_id, func.sum(case((sales.c.snapshot_id.in_(newest), 0), else_=1)))
        .where(sales.c.known_from <= day)
        .group_by(sales.c.series_id)
    )
    stated = set()
    for series_id, count in _driver_rows(connection, counted):
        slug = of_series[series_id][0]
        stated.add(slug)
        claims[slug] += count
    earlier, later = sales.alias("earlier"), sales.alias("later")
    pairs = _driver_rows(
        connection,
        select(
            earlier.c.series_id,
            earlier.c.period_start,
            earlier.c.known_from,
            earlier.c.units,
            later.c.known_from,
            later.c.units,
            case((later.c.snapshot_id.in_(newest), 1), else_=0),
        )
        .join(
            later,
            and_(
                later.c.series_id == earlier.c.series_id,
                later.c.period_start == earlier.c.period_start,
                later.c.known_to > earlier.c.known_to,
            ),
        )
        .where(earlier.c.known_to < OPEN_END, earlier.c.known_to <= day, later.c.known_from <= day),
    )
    told_again = _told_again(pairs)
    for series_id, count in zip(*np.unique(told_again.repeated, return_counts=True), strict=True):
        claims[of_series[int(series_id)][0]] -= int(count)
    sizes: dict[str, list[float]] = {}
    revised: dict[str, int] = {}
    for series_id, before, now in told_again.revised.tolist():
        slug = of_series[series_id][0]
        revised[slug] = revised.get(slug, 0) + 1
        if before > 0:
            sizes.setdefault(slug, []).append(abs(now - before) / before)
    own = {slug for (slug, _), of in files.items() if of.is_own_history}
    result = {}
    for slug in sorted(stated):
        count = revised.get(slug, 0)
        judged = count if slug in own else claims[slug]
        median, p90 = typical_size(sizes.get(slug, ()))
        result[slug] = TypicalRevision(
            judged=judged,
            revised=count,
            share=None if slug in own or not judged else count / judged,
            median=median,
            p90=p90,
        )
    return result


@dataclass(frozen=True)
class _ToldAgain:
    """Cells that were told more than once: by series, the claims after the first that an older vintage than the last
    made; and of each cell whose units ever changed the series, the first and the last units."""

    repeated: NDArray[np.int64]
    revised: NDArray[np.int64]


def _told_again(pairs: Sequence[Any]) -> _ToldAgain:
    """From every pair of an earlier and a later claim about one cell, as `typical_revision` reads them."""
    if not pairs:
        nothing = np.empty(0, dtype=np.int64)
        return _ToldAgain(repeated=nothing, revised=nothing.reshape(0, 3))
    series_id, period, known, units, known_later, units_later, is_newest = zip(*pairs, strict=True)
    of = np.array(series_id, dtype=np.int64)
    before, now = np.array(units, dtype=np.int64), np.array(units_later, dtype=np.int64)
    days = {day: n for n, day in enumerate(sorted({*known, *known_later}))}
    since, since_later = (np.array([days[day] for day in each], dtype=np.int64) for each in (known, known_later))
    periods = {start: n for n, start in enumerate(set(period))}
    cell = of * len(periods) + np.array([periods[start] for start in period], dtype=np.int64)
    # In order of time, a cell's first row has its first claim and its last row its last one.
    order = np.lexsort((since_later, since, cell))
    _, first = np.unique(cell[order], return_index=True)
    first = order[first]
    order = np.lexsort((since, since_later, cell))
    last = order[np.append(np.flatnonzero(np.diff(cell[order])), len(order) - 1)]
    changed = np.isin(cell[first], cell[before != now])
    claim = (cell * len(days) + since_later)[np.array(is_newest, dtype=np.int64) == 0]
    return _ToldAgain(
        repeated=np.unique(claim) // len(days) // len(periods),
        revised=np.column_stack([of[first], before[first], now[last]])[changed],
    )


def typical_size(sizes: Sequence[float] | NDArray[np.float64]) -> tuple[float | None, float | None]:
    """The median and the 90th percentile of some sizes, the latter interpolated; None for none."""
    if not len(sizes):
        return None, None
    median, p90 = np.quantile(np.array(sizes, dtype=np.float64), [0.5, 0.9])
    return float(median), float(p90)


def _is_own_history() -> Any:
    return case((snapshot.c.obtained.in_((Obtained.CURATED, Obtained.IMPORTED)), 1), else_=0)


def _driver_rows(connection: Connection, query: Select[Any]) -> Sequence[Any]:
    """Rows as the driver hands them over, dates as SQLite's ISO text or another engine's dates: faster by a third."""
    with connection.execute(query) as result:
        assert result.cursor is not None
        return list(result.cursor.fetchall())


def _as_date(stored: str | date) -> date:
    return stored if isinstance(stored, date) else date.fromisoformat(stored)
