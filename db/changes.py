"""SELECTs about what became known between two days: claims that were opened or closed, whatever table they are in.

A claim is touched where a file first made it after the one day and up to the other (`known_from`), or took it back then
(`known_to`). Two indices of each table find these, so that the cost follows what changed and not what is stored. A file
that was read for the first time within the days tells nothing about change: it is counted, and its claims are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Date,
    Select,
    Table,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)

from db.health import Expected, Recorded, Stated, furthest
from db.memory import remembered
from db.provenance import Citation, citations
from db.rows import day_number, driver_rows, each_day, month_of, rows_with
from db.schema import RECORDS, evidence, maker_group, market, penetration, sales, series, snapshot, source
from db.vocabulary import ALL, OPEN_END, Grain, Obtained, SnapshotStatus, States

FIGURES = (sales, penetration)
"""The tables of claims about the periods of a series, with the column that holds what is claimed."""

_VALUE = {"sales": "units", "penetration": "share"}

CELL = ("source", "file", "market", "basis", "powertrain", "vehicle_scope", "grain", "maker", "model")
"""What a claim about a series is about, apart from its period."""

MEMBERS = ("maker", "valid_from"), ("group_slug", "group_name", "valid_to")
"""Key and values of the memberships of groups; the tables of `RECORDS` name theirs in `info`."""

_OWN_HISTORY = (Obtained.CURATED, Obtained.IMPORTED)
"""Files whose rows say themselves since when they are known."""

_CLOSED = literal(OPEN_END, Date, literal_execute=True)
"""Written into the statement, since an index of part of a table is used for what is seen to lie in that part."""


@dataclass(frozen=True)
class FirstRead:
    """What a file said when it was read for the first time, counted: `figures` of a market and basis, or of a table.

    `first` and `last` are the first days of periods; None, and empty words, where a table has no periods or markets.
    """

    source: str
    table: str
    market: str
    basis: str
    figures: int
    first: date | None
    last: date | None
    known_on: date


def latest_day(connection: Connection, *, until: date) -> date | None:
    """The latest day, up to one, on which anything became known; None where nothing was."""

    def ask() -> date | None:
        return max(connection.execute(_days(func.max), {"until": until}).scalars().all(), key=_or_first, default=None)

    return remembered(connection, (latest_day, until), ask)


def first_day(connection: Connection) -> date | None:
    """The first day on which anything became known; None in an empty database."""
    days = connection.execute(_days(func.min), {"until": OPEN_END}).scalars().all()
    return min((day for day in days if day is not None), default=None)


def _or_first(day: date | None) -> date:
    return day or date.min


@cache
def _days(edge: Callable[..., Any]) -> CompoundSelect[Any]:
    """The first or last day, up to one, of the snapshots, and of the rows of each table that say it themselves."""
    own = select(snapshot.c.id).where(snapshot.c.obtained.in_(_OWN_HISTORY))
    until = bindparam("until", type_=Date)
    is_loaded = snapshot.c.status == SnapshotStatus.LOADED
    of_snapshots = select(edge(snapshot.c.known_on)).where(
        is_loaded, snapshot.c.obtained.not_in(_OWN_HISTORY), snapshot.c.known_on <= until
    )
    return union_all(
        of_snapshots,
        *(
            select(edge(table.c.known_from)).where(table.c.snapshot_id.in_(own), table.c.known_from <= until)
            for table in (*FIGURES, maker_group, *RECORDS)
        ),
    )


# Files that were read for the first time


def first_reads(connection: Connection, *, after: date, until: date) -> tuple[FirstRead, ...]:
    """What files said that were first read after one day and up to another, as they stood on the later one."""
    files = _read_first(connection, after=after, until=until)
    if not files:
        return ()
    slugs = {source_id: slug for source_id, _, slug, _ in files}
    days = {(source_id, file): day for source_id, file, _, day in files}
    found: list[FirstRead] = []
    for table in FIGURES:
        query = (
            select(
                series.c.source_id,
                series.c.file,
                series.c.market,
                series.c.basis,
                func.count(),
                func.min(table.c.period_start),
                func.max(table.c.period_start),
            )
            .join(table, table.c.series_id == series.c.id)
            .where(tuple_(series.c.source_id, series.c.file).in_(list(days)), _stands(table, until))
            .group_by(series.c.source_id, series.c.file, series.c.market, series.c.basis)
            .order_by(series.c.source_id, series.c.file, series.c.market, series.c.basis)
        )
        found += [
            FirstRead(slugs[of], table.name, market, str(basis), count, first, last, days[of, file])
            for of, file, market, basis, count, first, last in connection.execute(query).tuples()
        ]
    for table in (maker_group, *RECORDS):
        period = table.c.period_start if "period_start" in table.c else literal(None)
        counted = (
            select(table.c.source_id, table.c.file, func.count(), func.min(period), func.max(period))
            .where(tuple_(table.c.source_id, table.c.file).in_(list(days)), _stands(table, until))
            .group_by(table.c.source_id, table.c.file)
            .order_by(table.c.source_id, table.c.file)
        )
        found += [
            FirstRead(slugs[of], table.name, "", "", count, first, last, days[of, file])
            for of, file, count, first, last in connection.execute(counted).tuples()
        ]
    return tuple(found)


def _read_first(connection: Connection, *, after: date, until: date) -> Sequence[tuple[int, str, str, date]]:
    """Source id, file, slug and day of the files whose first vintage lies within the days.

    A file whose rows say themselves since when they are known is none of them: each of its days is told by the file.
    """
    is_own = func.max(case((snapshot.c.obtained.in_(_OWN_HISTORY), 1), else_=0))
    first = func.min(snapshot.c.known_on)
    query = (
        select(snapshot.c.source_id, snapshot.c.file, source.c.slug, first)
        .join(source, source.c.id == snapshot.c.source_id)
        .where(snapshot.c.status == SnapshotStatus.LOADED)
        .group_by(snapshot.c.source_id, snapshot.c.file, source.c.slug)
        .having(is_own == 0, first > after, first <= until)
    )
    return connection.execute(query).tuples().all()


def _stands(table: Table, day: date) -> ColumnElement[bool]:
    return and_(table.c.known_from <= day, table.c.known_to > day)


# Claims that were opened or closed


def touched_figures(connection: Connection, *, after: date, until: date) -> pd.DataFrame:
    """The claims about units and shares that were opened or closed after one day and up to another.

    One row a claim: table, those of `CELL` (categories), month (year * 12 + month - 1), value (cars, or a fraction),
    known_from, known_to (days since 1970-01-01), snapshot_id, line, evidence_id, and `earlier`: of a claim that was
    opened what the last one about the cell had said that was closed by the earlier day, NaN where there was none.
    """
    left_out = _read_first(connection, after=after, until=until)
    told = pd.concat([_touched(connection, table, left_out, after=after, until=until) for table in FIGURES])
    ids = told.pop("series_id").to_numpy()
    about = _series(connection, ids)
    place = np.searchsorted(np.array([row[0] for row in about], dtype=np.int64), ids)
    words = {
        name: pd.Categorical([str(row[n]) for row in about]).take(place) if about else pd.Categorical([])
        for n, name in enumerate(CELL, start=1)
    }
    return pd.DataFrame(
        {"table": told.pop("table").array, **words, **{name: told[name].array for name in told.columns}}
    )


def _touched(
    connection: Connection,
    table: Table,
    left_out: Sequence[tuple[int, str, str, date]],
    *,
    after: date,
    until: date,
) -> pd.DataFrame:
    """The claims of a table that were touched: table, series_id, and what `touched_figures` gives of each."""
    value, before = table.c[_VALUE[table.name]], table.alias("before")
    earlier = (
        select(before.c[_VALUE[table.name]])
        .where(
            before.c.series_id == table.c.series_id,
            before.c.period_start == table.c.period_start,
            before.c.known_to <= after,
        )
        .order_by(before.c.known_to.desc())
        .limit(1)
        .correlate(table)
        .scalar_subquery()
    )
    names = ("series_id", "period_start", "known_from", "known_to", value.name, "snapshot_id", "line", "evidence_id")
    told = [table.c[name] for name in names]
    wanted: tuple[ColumnElement[bool], ...] = ()
    if left_out:
        files = [(source_id, file) for source_id, file, _, _ in left_out]
        theirs = select(series.c.id).where(tuple_(series.c.source_id, series.c.file).in_(files))
        wanted = (table.c.series_id.not_in(theirs),)
    opened, closed = _windows(table, after=after, until=until)
    key = (table.c.series_id, table.c.period_start, table.c.known_to)
    parts = [
        _numbered(table, driver_rows(connection, query))
        for query in (
            select(*told, earlier).where(opened, *wanted).order_by(table.c.snapshot_id, *key),
            select(*told, literal(None)).where(closed, *wanted).order_by(table.c.known_to, *key[:2]),
        )
    ]
    return pd.concat(parts)


def _numbered(table: Table, rows: Sequence[Any]) -> pd.DataFrame:
    """Touched claims as columns of numbers: by column, as a publisher may have restated a million figures."""
    ids, starts, known, ended, values, snapshots, lines, evidences, earlier = (
        zip(*rows, strict=True) if rows else ((),) * 9
    )
    return pd.DataFrame(
        {
            "table": pd.Categorical([table.name], categories=[each.name for each in FIGURES]).repeat(len(rows)),
            "series_id": np.array(ids, dtype=np.int64),
            "month": each_day(starts, month_of),
            "value": np.array(values, dtype=np.float64),
            "known_from": each_day(known, day_number),
            "known_to": each_day(ended, day_number),
            "snapshot_id": np.array(snapshots, dtype=np.int64),
            "line": np.array(lines, dtype=np.int64),
            "evidence_id": np.array(evidences, dtype=np.int64),
            "earlier": np.array(earlier, dtype=np.float64),
        }
    )


def _windows(table: Table, *, after: Any, until: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The claims that were opened within the days, and those that had been opened before and were closed in them.

    A claim is known from the day of the snapshot that told it, but for files whose rows say since when they are known.
    """
    told = select(snapshot.c.id).where(
        or_(snapshot.c.obtained.in_(_OWN_HISTORY), and_(snapshot.c.known_on > after, snapshot.c.known_on <= until))
    )
    opened = and_(table.c.snapshot_id.in_(told), table.c.known_from > after, table.c.known_from <= until)
    closed = and_(
        table.c.known_to > after, table.c.known_to <= until, table.c.known_to < _CLOSED, table.c.known_from <= after
    )
    return opened, closed


def _series(connection: Connection, ids: Any) -> Sequence[Any]:
    """The series of some claims, by id: their id and the words of `CELL`."""
    query = (
        select(series.c.id, source.c.slug, *(series.c[name] for name in CELL[1:]))
        .join(source, source.c.id == series.c.source_id)
        .order_by(series.c.id)
    )
    return list(rows_with(connection, query, series.c.id, pd.unique(np.asarray(ids)).tolist()))


def touched_records(connection: Connection, *, after: date, until: date) -> dict[str, pd.DataFrame]:
    """The claims that are no figures of a series, opened or closed after one day and up to another, by table.

    Columns: key and values of the table (see `record_columns`), url, note, known_from, known_to, known_estimated (days
    are `date`, what is not stated is None), source (slug), source_id, file, line, snapshot_id, and `had_been`: whether
    an earlier claim about the same thing had been closed by the earlier day. Tables in which nothing changed are left
    out.
    """
    left_out = [(source_id, file) for source_id, file, _, _ in _read_first(connection, after=after, until=until)]
    found: dict[str, pd.DataFrame] = {}
    for table in (maker_group, *RECORDS):
        query = _record_query(table)
        if left_out:
            query = query.where(tuple_(table.c.source_id, table.c.file).not_in(left_out))
        result = connection.execute(query, {"after": after, "until": until})
        if rows := result.all():
            found[table.name] = pd.DataFrame(rows, columns=list(result.keys()), dtype=object)
    return found


@cache
def _record_query(table: Table) -> Select[Any]:
    """What `touched_records` asks of a table, after the day `after` and up to `until`."""
    after, until = (bindparam(name, type_=Date) for name in ("after", "until"))
    key, values = record_columns(table.name)
    before = table.alias("before")
    had_been = (
        select(func.count())
        .where(
            before.c.source_id == table.c.source_id,
            before.c.file == table.c.file,
            *(before.c[name] == table.c[name] for name in key),
            before.c.known_to <= after,
        )
        .correlate(table)
        .scalar_subquery()
    )
    names = dict.fromkeys((*key, *values, "known_from", "known_to"))
    beside = [table.c[name] if name in table.c else literal("").label(name) for name in ("url", "note")]
    return (
        select(
            *(table.c[name] for name in names),
            *(column for column in beside if column.name not in names),
            table.c.known_estimated if "known_estimated" in table.c else literal(False).label("known_estimated"),
            source.c.slug.label("source"),
            *(table.c[name] for name in ("source_id", "file", "line", "snapshot_id")),
            had_been.label("had_been"),
        )
        .join(source, source.c.id == table.c.source_id)
        .where(or_(*_windows(table, after=after, until=until)))
        .order_by(source.c.slug, *(table.c[name] for name in key), table.c.known_from)
    )


def record_columns(table: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the rows of a table are about, and what they claim of it."""
    if table == maker_group.name:
        return MEMBERS
    of = next(each for each in RECORDS if each.name == table)
    return tuple(of.info["key"]), tuple(of.info["values"])


# How far the figures go, and how much there is

TABLE = ("source", "file", "market", "basis", "powertrain", "grain")
"""What makes a table of a file: its records state the same things, period by period."""


def reach(
    connection: Connection, *, day: date, files: Collection[tuple[str, str]] | None = None
) -> dict[tuple[str, ...], int]:
    """How far each table (`TABLE`) went on a day: its newest period that then stood, year * 12 + month - 1.

    With `files` (source slug and name) of these only. Found by the key of each series, however many periods it has.
    """
    found: dict[tuple[str, ...], int] = {}
    for table in FIGURES:
        words = (source.c.slug, *(series.c[name] for name in TABLE[1:]))
        query = (
            select(*words, func.max(_newest(table, table.c.period_start, day)))
            .join_from(series, source, source.c.id == series.c.source_id)
            .group_by(*words)
            .order_by(*words)
        )
        if files is not None:
            query = query.where(tuple_(source.c.slug, series.c.file).in_(sorted(files)))
        with connection.execute(query) as result:
            assert result.cursor is not None
            for *about, last in result.cursor.fetchall():
                if last is not None:
                    key, month = tuple(about), _month(last)
                    found[key] = max(month, found.get(key, month))
    return found


def _newest(table: Table, column: Any, day: date) -> Any:
    """A column of the newest period of a series that stood on a day."""
    return (
        select(column)
        .where(table.c.series_id == series.c.id, _stands(table, day))
        .order_by(table.c.period_start.desc())
        .limit(1)
        .correlate(series)
        .scalar_subquery()
    )


def _month(day: str | date) -> int:
    return month_of(day if isinstance(day, date) else date.fromisoformat(day))


@dataclass(frozen=True)
class Total:
    """The newest total of a market, or of a maker as a whole, that a source stated on a basis: `cars` of a `month`."""

    source: str
    market: str
    basis: str
    powertrain: str
    scope: str
    grain: Grain
    maker: str
    month: int
    cars: int


def totals(connection: Connection, *, makers: Sequence[str], day: date) -> tuple[Total, ...]:
    """The newest totals of all markets, and of some makers worldwide, that stood on a day."""
    names = ("market", "basis", "powertrain", "vehicle_scope", "grain", "maker")
    words = (source.c.slug, *(series.c[name] for name in names))
    query = (
        select(*words, _newest(sales, sales.c.period_start, day), _newest(sales, sales.c.units, day))
        .join_from(series, source, source.c.id == series.c.source_id)
        .where(
            series.c.model == ALL,
            or_(series.c.maker == ALL, and_(series.c.maker.in_(makers), series.c.market == "WORLD")),
        )
        .order_by(series.c.id)
    )
    with connection.execute(query) as result:
        assert result.cursor is not None
        return tuple(
            Total(slug, market, basis, powertrain, scope, Grain(grain), maker, _month(start), cars)
            for slug, market, basis, powertrain, scope, grain, maker, start, cars in result.cursor.fetchall()
            if start is not None
        )


def sources_of_makers(connection: Connection) -> set[str]:
    """The sources whose figures are makers' own, by slug."""
    return set(connection.execute(select(source.c.slug).where(source.c.states == States.MAKERS)).scalars())


@dataclass(frozen=True)
class Overdue:
    """A source whose next period should have been there on a day, as `health.SourceHealth.is_overdue` judges it.

    `markets` are those that it tells about, `expected` what it tells furthest.
    """

    source: str
    title: str
    states: str
    markets: tuple[str, ...]
    expected: Expected


def overdue(
    connection: Connection, told: Mapping[tuple[str, ...], int], *, as_of: date, on: date
) -> tuple[Overdue, ...]:
    """The sources that were overdue on a day, the longest first; `told` is how far they went, as `reach` gives it."""
    names = dict(connection.execute(select(market.c.code, market.c.name)).tuples().all())
    stated: dict[str, list[Stated]] = {}
    for (slug, _, code, basis, powertrain, grain), month in told.items():
        last = date(month // 12, month % 12 + 1, 1)
        stated.setdefault(slug, []).append(
            Stated(code, names[code], basis, powertrain, Grain(grain), first_period=last, last_period=last, figures=1)
        )
    recorded = _recorded_months(connection, day=as_of)
    found = []
    for row in connection.execute(select(source.c.slug, source.c.title, source.c.states, source.c.lag_days)):
        of_source = stated.get(row.slug, [])
        expected = furthest(of_source, recorded.get(row.slug, ()), lag_days=row.lag_days)
        if expected and expected.next_due < on:
            markets = tuple(sorted({each.market for each in of_source}))
            found.append(Overdue(row.slug, row.title, str(row.states), markets, expected))
    return tuple(sorted(found, key=lambda each: (each.expected.next_due, each.title)))


def _recorded_months(connection: Connection, *, day: date) -> dict[str, list[Recorded]]:
    """By source the last month of the records that are of months."""
    found: dict[str, list[Recorded]] = {}
    for table in RECORDS:
        if "period_start" in table.c:
            query = (
                select(source.c.slug, func.count(), func.max(table.c.period_start))
                .join(table, table.c.source_id == source.c.id)
                .where(_stands(table, day))
                .group_by(source.c.slug)
            )
            for slug, count, last in connection.execute(query).tuples():
                found.setdefault(slug, []).append(Recorded(table.name, count, count, last_period=last))
    return found


def cited(connection: Connection, evidence_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """What publishers cite for some claims: text and addresses (one a line), by the number of the evidence."""
    query = select(evidence.c.id, evidence.c.text, evidence.c.urls)
    return {number: (text, urls) for number, text, urls in rows_with(connection, query, evidence.c.id, evidence_ids)}


def sources_cited(connection: Connection, published: Mapping[str, date], *, as_of: date | None) -> tuple[Citation, ...]:
    """The sources of some changes, as of a day; `published` is by slug the day on which the newest became known."""
    files = connection.execute(
        select(source.c.slug, snapshot.c.file)
        .join(source, source.c.id == snapshot.c.source_id)
        .where(source.c.slug.in_(sorted(published)), snapshot.c.status == SnapshotStatus.LOADED)
        .distinct()
    )
    return citations(connection, set(files.tuples().all()), published, as_of=as_of) if published else ()


def source_titles(connection: Connection) -> dict[str, str]:
    """What the sources are called, by slug."""
    return dict(connection.execute(select(source.c.slug, source.c.title)).tuples().all())
