"""How fresh and how sound each source is: last snapshots, periods, what is due, and which rows and files were refused.

Everything here can be asked as known on a day; which day a source is judged at is passed in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Engine, and_, case, func, literal, select

from db.contents import Source
from db.database import check_whole, explained, ready
from db.memory import remembered
from db.queries import next_due
from db.rows import EPOCH
from db.schema import (
    RECORDS,
    cross_check,
    cross_check_difference,
    maker_group,
    market,
    rejection,
    snapshot,
    source,
)
from db.store import CrossCheck, Difference
from db.vintages import penetration_stays, sales_stays
from db.vocabulary import OPEN_END, Cadence, Grain, Obtained, SnapshotStatus, States

_OWN_HISTORY = (Obtained.CURATED, Obtained.IMPORTED)
"""Files whose rows say since when they are known: the file's own day says nothing about an earlier one."""


@dataclass(frozen=True)
class Stated:
    """What a source states about one market's cars of a powertrain on a basis, in periods of one grain.

    `first_period` and `last_period` are the first days of periods.
    """

    market: str
    market_name: str
    basis: str
    powertrain: str
    grain: Grain
    first_period: date
    last_period: date
    figures: int

    @cached_property
    def published_to(self) -> date:
        """The first day after the last period."""
        months = self.last_period.year * 12 + self.last_period.month - 1 + self.grain.months
        return date(months // 12, months % 12 + 1, 1)


@dataclass(frozen=True)
class Expected:
    """How far a source tells about one market, and the day by which it usually has told the next period.

    `published_to` is the first day after the last period, `grain` the period that is expected next: the shortest in
    which the source told the market within the last year that it tells.
    """

    market: str
    market_name: str
    last_period: date
    published_to: date
    grain: Grain
    next_due: date


@dataclass(frozen=True)
class Recorded:
    """How many records of one kind a source states (see `schema.RECORDS`), and how many with those it has replaced.

    `last_period` is the first day of their latest month, None where they are of no periods.
    """

    table: str
    figures: int
    figures_all_vintages: int
    last_period: date | None = None


@dataclass(frozen=True)
class Rows:
    """What became of the rows of the files that a source's figures stand on."""

    accepted: int = 0
    rejected: int = 0
    out_of_scope: int = 0
    duplicate: int = 0


@dataclass(frozen=True)
class RejectedRow:
    """A row that was left out of a file, or that had the file refused: the place, the value and the reason.

    `line` is 0 where the file as a whole is meant. `is_replaced`: a later file of that name was loaded since.
    """

    source: str
    file: str
    known_on: date
    line: int
    column: str
    value: str
    reason: str
    is_replaced: bool = False


@dataclass(frozen=True)
class SourceHealth:
    """One source as it was known on a day.

    `last_snapshot` is the day of its latest file, or of the latest row of a file that is its own history; None where
    none is loaded. `rows` counts the file, or the latest of each file, that its figures stand on, `rejected_rows` all
    files ever loaded. `refused_files` are files that were refused and not replaced by a good one since.
    """

    source: Source
    bases: tuple[str, ...]
    snapshots: int
    last_snapshot: date | None
    rows: Rows
    rejected_rows: int
    refused_files: int
    stated: tuple[Stated, ...]
    recorded: tuple[Recorded, ...]
    figures_all_vintages: int

    @property
    def figures(self) -> int:
        """How many figures and records it states."""
        return sum(each.figures for each in self.stated) + sum(each.figures for each in self.recorded)

    @cached_property
    def markets(self) -> tuple[Expected, ...]:
        """For each market that it tells about, how far, and what is expected next; ordered by code."""
        of_market: dict[str, list[Stated]] = defaultdict(list)
        for each in self.stated:
            of_market[each.market].append(each)
        return tuple(_expected(of_market[code], self.source.lag_days) for code in sorted(of_market))

    @cached_property
    def latest(self) -> Expected | None:
        """The market that it tells about furthest, the one due first among equals; None where it has no periods.

        Monthly records, such as exchange rates, are of no one market: its code and name are empty.
        """
        return furthest(self.stated, self.recorded, lag_days=self.source.lag_days)

    def is_overdue(self, *, on: date) -> bool:
        """Whether nothing newer has come by a day on which the next period usually is there."""
        return self.latest is not None and self.latest.next_due < on

    def late_markets(self, *, on: date) -> tuple[Expected, ...]:
        """The markets whose next period should be there on a day and is not, the longest due first.

        Makers' own figures are judged as a whole: where a maker prints one now and then, nothing is late.
        """
        if self.source.states is States.MAKERS:
            return ()
        late = [each for each in self.markets if each.next_due < on]
        return tuple(sorted(late, key=lambda each: (each.next_due, each.market_name)))


def furthest(stated: Sequence[Stated], recorded: Sequence[Recorded], *, lag_days: int) -> Expected | None:
    """What is expected next of what a source tells furthest, the one due first among equals; None without periods."""
    of_market: dict[str, list[Stated]] = defaultdict(list)
    for each in stated:
        of_market[each.market].append(each)
    monthly = (_expected_month(each, lag_days) for each in recorded)
    found = [*(_expected(of, lag_days) for of in of_market.values()), *(each for each in monthly if each)]
    return min(found, key=lambda each: (-each.published_to.toordinal(), each.next_due), default=None)


def _expected(stated: Sequence[Stated], lag_days: int) -> Expected:
    last = max(stated, key=lambda each: (each.published_to, -each.grain.months))
    a_year_before = last.published_to - timedelta(days=366)
    grain = min(
        (each.grain for each in stated if each.published_to > a_year_before),
        key=lambda grain: grain.months,
    )
    return Expected(
        market=last.market,
        market_name=last.market_name,
        last_period=last.last_period,
        published_to=last.published_to,
        grain=grain,
        next_due=next_due(last.published_to, grain, lag_days=lag_days),
    )


def _expected_month(of: Recorded, lag_days: int) -> Expected | None:
    if of.last_period is None:
        return None
    months = of.last_period.year * 12 + of.last_period.month
    published_to = date(months // 12, months % 12 + 1, 1)
    return Expected(
        market="",
        market_name="",
        last_period=of.last_period,
        published_to=published_to,
        grain=Grain.MONTH,
        next_due=next_due(published_to, Grain.MONTH, lag_days=lag_days),
    )


def source_health(
    connection: Connection, *, as_of: date | None = None, markets: Sequence[str] = ()
) -> tuple[SourceHealth, ...]:
    """Every source as known on a day (None: now), in the order in which they came; of its figures those of some
    markets only, where any are named."""
    days = _days_of_own_history(connection, as_of)
    stated, vintages = _stated(connection, as_of, markets)
    recorded = _recorded(connection, as_of)
    files = _files(connection, as_of)
    refused = Counter(row.source for row in refused_files(connection, as_of=as_of) if not row.is_replaced)
    found = []
    for row in connection.execute(select(source).order_by(source.c.id)):
        loaded = [file for file in files if file.source_id == row.id]
        # The files of a name come in order, so that its last one stays.
        standing = list({file.file: file for file in loaded}.values())
        is_own = any(file.obtained in _OWN_HISTORY for file in standing)
        known = days.get(row.slug) if is_own else max((file.known_on for file in standing), default=None)
        if known is None:
            loaded = standing = []
        of_source = stated.get(row.slug, ())
        found.append(
            SourceHealth(
                source=Source(
                    **{field.name: getattr(row, field.name) for field in fields(Source)}
                    | {"states": States(row.states), "cadence": Cadence(row.cadence)}
                ),
                bases=tuple(sorted({each.basis for each in of_source})),
                snapshots=len(loaded),
                last_snapshot=known,
                rows=Rows(
                    accepted=sum(file.rows_loaded + file.rows_unchanged for file in standing),
                    rejected=sum(file.rows_rejected for file in standing),
                    out_of_scope=sum(file.rows_out_of_scope for file in standing),
                    duplicate=sum(file.rows_duplicate for file in standing),
                ),
                rejected_rows=sum(file.rows_rejected for file in loaded),
                refused_files=refused[row.slug],
                stated=tuple(of_source),
                recorded=tuple(recorded.get(row.slug, ())),
                figures_all_vintages=vintages[row.slug]
                + sum(each.figures_all_vintages for each in recorded.get(row.slug, ())),
            )
        )
    return tuple(found)


def _files(connection: Connection, as_of: date | None) -> Sequence[Any]:
    """The snapshots that were loaded by a day, oldest first."""
    query = (
        select(snapshot)
        .where(snapshot.c.status == SnapshotStatus.LOADED)
        .order_by(snapshot.c.source_id, snapshot.c.file, snapshot.c.known_on, snapshot.c.id)
    )
    ever = remembered(connection, (_files,), lambda: tuple(connection.execute(query)))
    return [file for file in ever if as_of is None or file.obtained in _OWN_HISTORY or file.known_on <= as_of]


def _days_of_own_history(connection: Connection, as_of: date | None) -> dict[str, date]:
    """By source: the latest day, up to one, on which a row of its files became known."""
    latest: dict[str, date] = {}
    for stays in (sales_stays(connection), penetration_stays(connection)):
        made = stays.made(as_of)
        days = np.full(len(stays.of_series), -1, dtype=np.int64)
        np.maximum.at(days, stays.series[made], stays.known_from[made])
        of_source: dict[str, int] = {}
        for (slug, *_), day in zip(stays.of_series, days.tolist(), strict=True):
            of_source[slug] = max(day, of_source.get(slug, -1))
        _later(latest, [(slug, EPOCH + timedelta(days=day)) for slug, day in of_source.items() if day >= 0])
    for table in (maker_group, *RECORDS):
        query = (
            select(source.c.slug, func.max(table.c.known_from))
            .join(source, source.c.id == table.c.source_id)
            .group_by(source.c.slug)
        )
        if as_of is not None:
            query = query.where(table.c.known_from <= as_of)
        _later(latest, connection.execute(query).tuples().all())
    return latest


def _recorded(connection: Connection, as_of: date | None) -> dict[str, list[Recorded]]:
    """By source: the records of each kind that it states as known on a day."""
    found: dict[str, list[Recorded]] = defaultdict(list)
    for table in RECORDS:
        stands = table.c.known_to == OPEN_END
        if as_of is not None:
            stands = and_(table.c.known_from <= as_of, table.c.known_to > as_of)
        last = func.max(case((stands, table.c.period_start))) if "period_start" in table.c else literal(None)
        query = select(source.c.slug, func.sum(case((stands, 1), else_=0)), func.count(), last).join(
            source, source.c.id == table.c.source_id
        )
        if as_of is not None:
            query = query.where(table.c.known_from <= as_of)
        for slug, figures, claims, last_period in connection.execute(query.group_by(source.c.slug)).tuples():
            found[slug].append(
                Recorded(table=table.name, figures=int(figures), figures_all_vintages=claims, last_period=last_period)
            )
    return found


def _later(latest: dict[str, date], found: Sequence[tuple[str, date]]) -> None:
    for slug, day in found:
        latest[slug] = max(day, latest.get(slug, day))


def _stated(
    connection: Connection, as_of: date | None, markets: Sequence[str]
) -> tuple[dict[str, list[Stated]], Counter[str]]:
    """What each source states as known on a day, and how many claims it has made up to then."""
    names = dict(connection.execute(select(market.c.code, market.c.name)).tuples().all())
    spans: dict[tuple[str, ...], list[tuple[int, int, int]]] = defaultdict(list)
    vintages: Counter[str] = Counter()
    for stays in (sales_stays(connection), penetration_stays(connection)):
        keys = [(slug, code, *words) for slug, _, code, *words in stays.of_series]
        about = sorted(set(keys))
        places = {key: n for n, key in enumerate(about)}
        table = np.array([places[key] for key in keys], dtype=np.int64)[stays.series]
        stands, made, count = stays.standing(as_of), stays.made(as_of), len(about)
        first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, -1, dtype=np.int64)
        np.minimum.at(first, table[stands], stays.first[stands])
        np.maximum.at(last, table[stands], stays.last[stands])
        figures, claims = (np.bincount(table[rows], stays.claims[rows], minlength=count) for rows in (stands, made))
        for key, *span, number, ever_made in zip(
            about, first.tolist(), last.tolist(), map(int, figures), map(int, claims), strict=True
        ):
            if markets and key[1] not in markets:
                continue
            vintages[key[0]] += ever_made
            if number:
                spans[key].append((*span, number))
    stated: dict[str, list[Stated]] = defaultdict(list)
    for (slug, code, basis, powertrain, grain), of_key in sorted(spans.items()):
        stated[slug].append(
            Stated(
                market=code,
                market_name=names[code],
                basis=basis,
                powertrain=powertrain,
                grain=Grain(grain),
                first_period=_first_day(min(first for first, _, _ in of_key)),
                last_period=_first_day(max(last for _, last, _ in of_key)),
                figures=sum(figures for _, _, figures in of_key),
            )
        )
    return stated, vintages


def _first_day(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def rejected_rows(
    connection: Connection, *, as_of: date | None = None, limit: int | None = None
) -> tuple[RejectedRow, ...]:
    """The rows that were left out of the files that figures stand on, by source, file and line; the first `limit`."""
    standing = {(file.source_id, file.file): file.id for file in _files(connection, as_of)}
    with_any = {
        row.id
        for row in connection.execute(select(snapshot.c.id).where(snapshot.c.rows_rejected > 0))
        if row.id in set(standing.values())
    }
    return _rejected(connection, snapshot.c.id.in_(sorted(with_any)), limit=limit)


def refused_files(
    connection: Connection, *, as_of: date | None = None, limit: int | None = None
) -> tuple[RejectedRow, ...]:
    """The files that were refused, each with the reason, in the order in which they came; the first `limit`."""
    refused = and_(snapshot.c.status == SnapshotStatus.REFUSED, snapshot.c.known_on <= (as_of or OPEN_END))
    return _rejected(connection, refused, limit=limit, as_of=as_of)


def _rejected(
    connection: Connection, of: ColumnElement[bool], *, limit: int | None, as_of: date | None = None
) -> tuple[RejectedRow, ...]:
    later = snapshot.alias()
    replaced = (
        select(later.c.id)
        .where(
            later.c.source_id == snapshot.c.source_id,
            later.c.file == snapshot.c.file,
            later.c.status == SnapshotStatus.LOADED,
            later.c.id > snapshot.c.id,
            later.c.known_on <= (as_of or OPEN_END),
        )
        .exists()
    )
    query = (
        select(
            source.c.slug.label("source"),
            snapshot.c.file,
            snapshot.c.known_on,
            rejection.c.line,
            rejection.c.column,
            rejection.c.value,
            rejection.c.reason,
            replaced.label("is_replaced"),
        )
        .join_from(rejection, snapshot, snapshot.c.id == rejection.c.snapshot_id)
        .join(source, source.c.id == snapshot.c.source_id)
        .where(of)
        .order_by(source.c.id, snapshot.c.id, rejection.c.line, rejection.c.id)
        .limit(limit)
    )
    return tuple(RejectedRow(**row) for row in connection.execute(query).mappings())


def cross_checks(connection: Connection) -> tuple[CrossCheck, ...]:
    """The rules that figures were held to, in alphabetical order, each with what differs, the newest period first."""
    table = cross_check_difference
    differing: dict[str, list[Difference]] = {}
    for row in connection.execute(select(table).order_by(table.c.period_start.desc(), table.c.id)).mappings():
        of = {field.name: row[field.name] for field in fields(Difference)}
        differing.setdefault(row["rule"], []).append(Difference(**of))
    rules = connection.execute(select(cross_check).order_by(cross_check.c.rule))
    return tuple(
        CrossCheck(
            rule=row["rule"],
            meaning=row["meaning"],
            checked=row["checked"],
            differences=tuple(differing.get(row["rule"], ())),
        )
        for row in rules.mappings()
    )


def status(engine: Engine, *, on: date) -> dict[str, Any]:
    """What is loaded and what is late on a day, as `etl status` prints it: a mapping of plain values.

    `sources`: for each its description, `bases`, `snapshots` (how many), `last_snapshot` (day), `figures` as known now
    and `figures_all_vintages`, `last_period`, `next_due` (days; None where it has no periods) and `overdue`, `rows` of
    the files that stand (accepted, rejected, out_of_scope, duplicate), `rejected_rows` of all files ever loaded,
    `records` (how many of which kind), `markets` (market, basis, powertrain, grain, first_period, last_period,
    figures), `late_markets` (market, last_period, next_due), `rejections` of the files that stand and `refused` files
    (known_on, file, line, column, value, reason).

    Raises `StoreError` where the database cannot be read, or is damaged anywhere.
    """
    ready(engine)
    check_whole(engine)
    with explained(engine), engine.connect() as connection:
        rejections, refused = rejected_rows(connection), refused_files(connection)
        found = source_health(connection)
    return {"sources": [_source_status(of, on=on, rejections=rejections, refused=refused) for of in found]}


def _source_status(
    of: SourceHealth, *, on: date, rejections: Sequence[RejectedRow], refused: Sequence[RejectedRow]
) -> dict[str, Any]:
    described, latest = of.source, of.latest

    def own(rows: Sequence[RejectedRow]) -> list[dict[str, Any]]:
        names = ("known_on", "file", "line", "column", "value", "reason")
        return [{name: getattr(row, name) for name in names} for row in rows if row.source == described.slug]

    return {
        "slug": described.slug,
        "title": described.title,
        "publisher": described.publisher,
        "url": described.url,
        "licence": described.licence,
        "licence_url": described.licence_url,
        "states": described.states.value,
        "bases": list(of.bases),
        "cadence": described.cadence.value,
        "warning": described.warning,
        "snapshots": of.snapshots,
        "last_snapshot": of.last_snapshot,
        "figures": of.figures,
        "figures_all_vintages": of.figures_all_vintages,
        "last_period": latest.last_period if latest else None,
        "next_due": latest.next_due if latest else None,
        "overdue": of.is_overdue(on=on),
        "rows": asdict(of.rows),
        "rejected_rows": of.rejected_rows,
        "records": {each.table: each.figures for each in of.recorded},
        "markets": [
            {
                "market": each.market,
                "basis": each.basis,
                "powertrain": each.powertrain,
                "grain": each.grain.value,
                "first_period": each.first_period,
                "last_period": each.last_period,
                "figures": each.figures,
            }
            for each in of.stated
        ],
        "late_markets": [
            {"market": each.market, "last_period": each.last_period, "next_due": each.next_due}
            for each in of.late_markets(on=on)
        ],
        "rejections": own(rejections),
        "refused": own(refused),
    }
