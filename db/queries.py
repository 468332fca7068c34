"""Every SELECT of the read side. Each returns a Dataset or another frozen value; nothing here writes.

"As known on D" is `known_from <= D < known_to`; without a date it is what is known now, which are the open claims.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, and_, case, func, or_, select

from db.schema import (
    evidence,
    maker,
    maker_group,
    market,
    penetration,
    rejection,
    sales,
    series,
    snapshot,
    source,
)
from db.schema import model as model_table
from db.store import explained, ready
from db.vocabulary import ALL, FOLDED, OPEN_END, OTHER, Grain, Obtained, SnapshotStatus, States, VehicleScope


@dataclass(frozen=True)
class Citation:
    """A publisher's table that figures come from, as of its latest snapshot among those that were used.

    A transcribed or imported file says for each row since when it is known: there `known_on` is the latest of these.
    """

    slug: str
    title: str
    publisher: str
    url: str
    licence: str
    licence_url: str
    known_on: date
    warning: str
    states: str
    precedence: int
    lag_days: int


@dataclass(frozen=True)
class Dataset:
    """Tidy rows with where they come from.

    `as_of` is the day as known on which they are given, None for now; `remarks` is what their publishers say about
    some of them, by evidence_id.
    """

    frame: pd.DataFrame
    citations: tuple[Citation, ...]
    as_of: date | None
    remarks: dict[int, str]

    def warnings(self, rows: pd.DataFrame) -> tuple[str, ...]:
        """What the publishers say about some rows of the frame, what concerns most of their records first."""
        said = Counter(self.remarks[n] for n in rows["evidence_id"].unique().tolist() if n in self.remarks)
        return tuple(remark for remark, _ in sorted(said.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Nouns:
    """The names that a selection may use: markets, makers, models and groups, by code or slug.

    `adjectives`: market code to 'German'. `model_makers`: model slug to its maker. `members`: group slug to the makers
    that ever belonged to it; `memberships` says when. `regions`: the markets that overlap others and are never added
    to them.
    """

    markets: dict[str, str]
    adjectives: dict[str, str]
    regions: frozenset[str]
    makers: dict[str, str]
    models: dict[str, str]
    model_makers: dict[str, str]
    groups: dict[str, str]
    members: dict[str, tuple[str, ...]]
    memberships: dict[str, tuple[Membership, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Membership:
    """A maker belongs to a group from the month `first` on, and no more in `end` (year * 12 + month - 1)."""

    maker: str
    first: int = 0
    end: int = 120_000


def nouns(connection: Connection, *, as_of: date | None = None) -> Nouns:
    """The markets that have figures, and every maker, model and group; groups as known on `as_of`."""
    with_figures = select(series.c.market).distinct()
    markets = connection.execute(
        select(market.c.code, market.c.name, market.c.adjective, market.c.kind).where(market.c.code.in_(with_figures))
    ).all()
    makers = dict(connection.execute(select(maker.c.slug, maker.c.name)).tuples().all())
    models = connection.execute(select(model_table.c.slug, model_table.c.maker, model_table.c.name)).all()
    groups: dict[str, str] = {}
    memberships: dict[str, list[Membership]] = {}
    told_by: dict[str, int] = {}
    for slug, name, of, valid_from, valid_to, source_id in connection.execute(
        select(
            maker_group.c.group_slug,
            maker_group.c.group_name,
            maker_group.c.maker,
            maker_group.c.valid_from,
            maker_group.c.valid_to,
            source.c.id,
        )
        .join(source, source.c.id == maker_group.c.source_id)
        .where(_known(maker_group, as_of))
        .order_by(source.c.precedence, source.c.id, maker_group.c.maker, maker_group.c.valid_from)
    ).tuples():
        # Whoever comes first says all about a maker: two sources' spans of time would overlap.
        if told_by.setdefault(of, source_id) == source_id:
            groups[slug] = name
            first, end = (day.year * 12 + day.month - 1 for day in (valid_from, valid_to))
            memberships.setdefault(slug, []).append(Membership(maker=of, first=first, end=end))
    return Nouns(
        markets={code: name for code, name, _, _ in markets},
        adjectives={code: adjective for code, _, adjective, _ in markets},
        regions=frozenset(code for code, _, _, kind in markets if kind == "region"),
        makers={slug: name for slug, name in makers.items() if slug not in (ALL, OTHER)},
        models={slug: name for slug, _, name in models if slug not in (ALL, OTHER)},
        model_makers={slug: of for slug, of, _ in models if slug not in (ALL, OTHER)},
        groups=groups,
        members={slug: tuple(sorted({of.maker for of in belonging})) for slug, belonging in memberships.items()},
        memberships={slug: tuple(of) for slug, of in memberships.items()},
    )


def sales_figures(
    connection: Connection,
    *,
    markets: Sequence[str],
    bases: Sequence[str],
    powertrains: Sequence[str],
    as_of: date | None = None,
    scope: VehicleScope = VehicleScope.PASSENGER_CAR,
    makers: Collection[str] | None = None,
    first: date | None = None,
    last: date | None = None,
) -> Dataset:
    """The claims about the cars of the markets on some bases, as known on `as_of`.

    The frame has one row a claim: source (slug), basis, market, powertrain, grain, maker, model (categories), month
    (the period's first month as year * 12 + month - 1), units, known_from (days since 1970-01-01), evidence_id. Sources
    may contradict each other and periods overlap: `dashboard.precedence` chooses.

    Where `makers` are given, the database adds up what markets' records say about all others: one row of the maker
    `FOLDED` a record, whose model is `other` where the record tells models. Periods before `first` are left out, and
    those after `last`, but for the newest two years: how far the records go is to be seen from them.
    """
    wanted = (
        series.c.market.in_(markets),
        series.c.basis.in_(bases),
        series.c.powertrain.in_(powertrains),
        series.c.vehicle_scope == scope,
    )
    in_time = (*_periods(connection, wanted, first=first, last=last, as_of=as_of), _known(sales, as_of))
    kept: tuple[ColumnElement[bool], ...] = wanted
    if makers is not None:
        kept = (*wanted, or_(series.c.maker.in_([ALL, OTHER, *makers]), source.c.states == States.MAKERS))
    about: list[Any] = list(
        connection.execute(
            select(
                series.c.id,
                source.c.slug.label("source"),
                series.c.basis,
                series.c.market,
                series.c.powertrain,
                series.c.grain,
                series.c.maker,
                series.c.model,
            )
            .join(source, source.c.id == series.c.source_id)
            .where(*kept)
            .order_by(series.c.id)
        ).all()
    )
    claims = _driver_rows(
        connection,
        select(
            sales.c.series_id,
            sales.c.period_start,
            sales.c.units,
            sales.c.known_from,
            sales.c.evidence_id,
        )
        .join_from(series, sales, series.c.id == sales.c.series_id)
        .join(source, source.c.id == series.c.source_id)
        .where(*kept, *in_time),
    )
    if makers is not None:
        folded_about, folded_claims = _folded(
            connection, [*wanted, *in_time], makers=makers, next_id=about[-1].id + 1 if about else 1
        )
        about, claims = [*about, *folded_about], [*claims, *folded_claims]
    frame = _claims_frame(about, claims)
    files = connection.execute(select(series.c.source_id, series.c.file).where(*wanted).distinct()).tuples().all()
    return Dataset(
        frame=frame,
        citations=_citations(connection, sorted(files), frame, as_of=as_of) if len(frame) else (),
        as_of=as_of,
        remarks=_remarks(connection, frame["evidence_id"].unique().tolist()),
    )


def _periods(
    connection: Connection,
    wanted: Sequence[ColumnElement[bool]],
    *,
    first: date | None,
    last: date | None,
    as_of: date | None,
) -> tuple[ColumnElement[bool], ...]:
    """What is true of the periods from `first` to `last`, and of the newest two years that are known on the day."""
    bounds: tuple[ColumnElement[bool], ...] = () if first is None else (sales.c.period_start >= first,)
    if last is None:
        return bounds
    # For each series its newest period is found by the key, however many it has.
    newest_of_series = (
        select(func.max(sales.c.period_start))
        .where(sales.c.series_id == series.c.id)
        .correlate(series)
        .scalar_subquery()
    )
    newest = connection.execute(select(func.max(newest_of_series)).where(*wanted)).scalar()
    if newest is None:
        return bounds
    newest = _as_date(newest)
    newest = min(newest, as_of) if as_of else newest
    return (*bounds, or_(sales.c.period_start <= last, sales.c.period_start >= date(newest.year - 1, 1, 1)))


class _Folded(NamedTuple):
    """What one publisher's records of a market say about the makers that were not asked for, as a series."""

    id: int
    source: str
    basis: str
    market: str
    powertrain: str
    grain: str
    model: str
    maker: str = FOLDED


def _folded(
    connection: Connection, where: Sequence[ColumnElement[bool]], *, makers: Collection[str], next_id: int
) -> tuple[list[_Folded], list[tuple[Any, ...]]]:
    """Markets' records without the asked-for makers, added up: the series and their claims as `_claims_frame` takes."""
    key = (source.c.slug, series.c.basis, series.c.market, series.c.powertrain, series.c.grain)
    is_whole = series.c.model == ALL
    remarked = select(evidence.c.id).where(evidence.c.remark != "")
    # A maker's total stands for its models.
    by_maker = (
        select(
            *key,
            sales.c.period_start,
            func.sum(case((is_whole, sales.c.units))).label("stated"),
            func.sum(case((~is_whole, sales.c.units))).label("added_up"),
            func.max(sales.c.known_from).label("known_from"),
            func.max(sales.c.evidence_id).label("evidence_id"),
            func.max(case((sales.c.evidence_id.in_(remarked), sales.c.evidence_id))).label("remarked_id"),
        )
        .join_from(series, sales, series.c.id == sales.c.series_id)
        .join(source, source.c.id == series.c.source_id)
        .where(*where, series.c.maker.not_in([ALL, OTHER, *makers]), source.c.states != States.MAKERS)
        .group_by(*key, series.c.maker, sales.c.period_start)
        .subquery()
    )
    has_models = func.max(case((by_maker.c.added_up.is_not(None), 1), else_=0))
    together = select(
        by_maker.c.slug,
        by_maker.c.basis,
        by_maker.c.market,
        by_maker.c.powertrain,
        by_maker.c.grain,
        has_models,
        by_maker.c.period_start,
        func.sum(func.coalesce(by_maker.c.stated, by_maker.c.added_up)),
        func.max(by_maker.c.known_from),
        func.coalesce(func.max(by_maker.c.remarked_id), func.max(by_maker.c.evidence_id)),
    ).group_by(
        by_maker.c.slug,
        by_maker.c.basis,
        by_maker.c.market,
        by_maker.c.powertrain,
        by_maker.c.grain,
        by_maker.c.period_start,
    )
    ids: dict[tuple[Any, ...], int] = {}
    claims = []
    for *of_series, period_start, units, known_from, evidence_id in _driver_rows(connection, together):
        number = ids.setdefault(tuple(of_series), next_id + len(ids))
        claims.append((number, period_start, int(units), known_from, evidence_id))
    about = [
        _Folded(number, slug, basis, market, powertrain, grain, OTHER if has_models else ALL)
        for (slug, basis, market, powertrain, grain, has_models), number in ids.items()
    ]
    return about, claims


def receipts(
    connection: Connection,
    *,
    markets: Sequence[str],
    bases: Sequence[str],
    powertrains: Sequence[str],
    makers: Sequence[str] | None,
    model: str | None,
    first: date,
    last: date,
    as_of: date | None = None,
    scope: VehicleScope = VehicleScope.PASSENGER_CAR,
) -> pd.DataFrame:
    """The stored claims that a figure is made of, each with its receipt.

    `makers` None takes every claim of the records (what a total is the sum of). Periods start from `first` to `last`.
    Columns: market, period_start, grain, maker, model (names), units, source (title), source_slug, file, line, text
    (what the publisher cites), urls (one a line), known_from, known_on (of the snapshot), sha256, obtained, origin_url.
    """
    query = (
        select(
            series.c.market,
            sales.c.period_start,
            series.c.grain,
            maker.c.name.label("maker"),
            model_table.c.name.label("model"),
            sales.c.units,
            source.c.title.label("source"),
            source.c.slug.label("source_slug"),
            snapshot.c.file,
            sales.c.line,
            evidence.c.text,
            evidence.c.urls,
            sales.c.known_from,
            snapshot.c.known_on,
            snapshot.c.sha256,
            snapshot.c.obtained,
            snapshot.c.origin_url,
        )
        .join_from(series, sales, series.c.id == sales.c.series_id)
        .join(maker, maker.c.slug == series.c.maker)
        .join(model_table, model_table.c.slug == series.c.model)
        .join(source, source.c.id == series.c.source_id)
        .join(snapshot, snapshot.c.id == sales.c.snapshot_id)
        .join(evidence, evidence.c.id == sales.c.evidence_id)
        .where(
            series.c.market.in_(markets),
            series.c.basis.in_(bases),
            series.c.powertrain.in_(powertrains),
            series.c.vehicle_scope == scope,
            sales.c.period_start >= first,
            sales.c.period_start <= last,
            _known(sales, as_of),
        )
        .order_by(series.c.market, sales.c.period_start, sales.c.units.desc(), maker.c.name, model_table.c.name)
    )
    if makers is not None:
        query = query.where(series.c.maker.in_(makers))
    if model is not None:
        query = query.where(series.c.model == model)
    return _frame(connection, query)


def last_snapshot(engine: Engine) -> date | None:
    """The day as known of the latest snapshot that is loaded; None where there is none."""
    ready(engine)
    with explained(engine), engine.connect() as connection:
        query = select(func.max(snapshot.c.known_on)).where(snapshot.c.status == SnapshotStatus.LOADED)
        return connection.execute(query).scalar()


def standing_snapshots(connection: Connection, *, as_of: date | None = None) -> list[dict[str, str]]:
    """For each file, the snapshot whose claims stood on a day: source, file, known_on, sha256, origin_url."""
    query = (
        select(source.c.slug, snapshot.c.file, snapshot.c.known_on, snapshot.c.sha256, snapshot.c.origin_url)
        .join(source, source.c.id == snapshot.c.source_id)
        .where(snapshot.c.status == SnapshotStatus.LOADED)
        .order_by(source.c.slug, snapshot.c.file, snapshot.c.known_on)
    )
    is_own_history = snapshot.c.obtained.in_((Obtained.CURATED, Obtained.IMPORTED))
    if as_of is not None:
        query = query.where(or_(is_own_history, snapshot.c.known_on <= as_of))
    # The rows of a file come in order of time, so that its last one stays.
    latest = {(row.slug, row.file): row for row in connection.execute(query)}
    # A file that is its own history says for each row since when it is known.
    last_published = (
        select(source.c.slug, func.max(sales.c.known_from))
        .join_from(sales, series, series.c.id == sales.c.series_id)
        .join(source, source.c.id == series.c.source_id)
        .where(source.c.id.in_(select(snapshot.c.source_id).where(is_own_history)))
        .group_by(source.c.slug)
    )
    if as_of is not None:
        last_published = last_published.where(sales.c.known_from <= as_of)
    published = dict(connection.execute(last_published).tuples().all())
    own = {slug for (slug,) in connection.execute(select(source.c.slug).join(snapshot).where(is_own_history)).tuples()}
    return [
        {
            "source": row.slug,
            "file": row.file,
            "known_on": published.get(row.slug, row.known_on).isoformat(),
            "sha256": row.sha256,
            "origin_url": row.origin_url,
        }
        for row in latest.values()
        if row.slug not in own or row.slug in published
    ]


def next_due(published_to: date, grain: Grain, *, lag_days: int) -> date:
    """The day by which a publisher usually has stated the next period: its end, and the usual lag.

    `published_to` is the first day after the last period stated, `grain` its length.
    """
    months = published_to.year * 12 + published_to.month - 1 + grain.months
    return date(months // 12, months % 12 + 1, 1) + timedelta(days=lag_days)


def first_known(connection: Connection, *, markets: Sequence[str], basis: str) -> dict[str, date]:
    """For each market that has figures on the basis: the first day as known on which it can be shown."""
    rows = connection.execute(
        select(series.c.market, func.min(sales.c.known_from))
        .join(sales, sales.c.series_id == series.c.id)
        .where(series.c.market.in_(markets), series.c.basis == basis)
        .group_by(series.c.market)
    )
    return dict(rows.tuples().all())


@dataclass(frozen=True)
class Published:
    """That a source has stated something: market, basis, powertrain as stored, `States`, and whether makers by name."""

    market: str
    basis: str
    powertrain: str
    states: str
    names_makers: bool


def published(
    connection: Connection, *, markets: Sequence[str], scope: VehicleScope = VehicleScope.PASSENGER_CAR
) -> frozenset[Published]:
    """What there is about the cars of some markets, in whatever vintage: the ground of the firewall."""
    named = case((series.c.maker.not_in((ALL, OTHER)), True), else_=False)
    rows = connection.execute(
        select(series.c.market, series.c.basis, series.c.powertrain, source.c.states, named)
        .join(source, source.c.id == series.c.source_id)
        .where(series.c.market.in_(markets), series.c.vehicle_scope == scope)
        .distinct()
    )
    return frozenset(
        Published(
            market=code, basis=str(basis), powertrain=str(powertrain), states=str(states), names_makers=bool(names)
        )
        for code, basis, powertrain, states, names in rows.tuples()
    )


def _known(table: Table, as_of: date | None) -> ColumnElement[bool]:
    """The claims that stood on a day; without one, those that stand now."""
    if as_of is None or as_of >= OPEN_END:
        return table.c.known_to == OPEN_END
    return and_(table.c.known_from <= as_of, table.c.known_to > as_of)


_EPOCH = date(1970, 1, 1)


def _driver_rows(connection: Connection, query: Select[Any]) -> Sequence[Any]:
    """Rows as the driver hands them over, dates as SQLite's ISO text or another engine's dates.

    A third faster than as rows that know their columns.
    """
    with connection.execute(query) as result:
        assert result.cursor is not None
        return list(result.cursor.fetchall())


_WORDS = ("source", "basis", "market", "powertrain", "grain", "maker", "model")


def _claims_frame(about: Sequence[Any], claims: Sequence[Any], *, words: Sequence[str] = _WORDS) -> pd.DataFrame:
    """Claims as a frame of categories and integers: built from codes, since this is the hot path of every chart."""
    if claims:
        series_ids, periods, units, known, evidences = zip(*claims, strict=True)
    else:
        series_ids = periods = units = known = evidences = ()
    # The series come in the order of their ids, so that a claim's series is found by bisection.
    rows = np.searchsorted(np.array([row.id for row in about], dtype=np.int64), np.array(series_ids, dtype=np.int64))
    months = {start: (day := _as_date(start)).year * 12 + day.month - 1 for start in set(periods)}
    days = {since: (_as_date(since) - _EPOCH).days for since in set(known)}
    columns: dict[str, Any] = {}
    for name in words:
        of_series = [str(getattr(row, name)) for row in about]
        number = {word: n for n, word in enumerate(sorted(set(of_series)))}
        codes = np.array([number[word] for word in of_series], dtype=np.int32)
        categories = pd.Index(list(number), dtype=object)
        columns[name] = pd.Categorical.from_codes(codes[rows], categories=categories)
    columns["month"] = np.array([months[start] for start in periods], dtype=np.int64)
    columns["units"] = np.array(units, dtype=np.float64)
    columns["known_from"] = np.array([days[since] for since in known], dtype=np.int64)
    columns["evidence_id"] = np.array(evidences, dtype=np.int64)
    return pd.DataFrame(columns, copy=False)


def _as_date(stored: str | date) -> date:
    return stored if isinstance(stored, date) else date.fromisoformat(stored)


def _citations(
    connection: Connection, files: Iterable[tuple[int, str]], frame: pd.DataFrame, *, as_of: date | None
) -> tuple[Citation, ...]:
    wanted = list(files)
    is_own_history = snapshot.c.obtained.in_((Obtained.CURATED, Obtained.IMPORTED))
    own_history = func.max(case((is_own_history, 1), else_=0)).label("own_history")
    query = (
        select(source, func.max(snapshot.c.known_on).label("known_on"), own_history)
        .join(snapshot, snapshot.c.source_id == source.c.id)
        .where(
            source.c.id.in_({source_id for source_id, _ in wanted}),
            snapshot.c.file.in_({file for _, file in wanted}),
            snapshot.c.status == SnapshotStatus.LOADED,
        )
        .group_by(*source.c)
        .order_by(source.c.precedence, source.c.slug)
    )
    if as_of is not None:
        query = query.where(or_(is_own_history, snapshot.c.known_on <= as_of))
    published = frame.groupby("source", observed=True)["known_from"].max()
    return tuple(
        Citation(
            slug=row.slug,
            title=row.title,
            publisher=row.publisher,
            url=row.url,
            licence=row.licence,
            licence_url=row.licence_url,
            known_on=_EPOCH + timedelta(days=int(published[row.slug])) if row.own_history else row.known_on,
            warning=row.warning,
            states=str(row.states),
            precedence=row.precedence,
            lag_days=row.lag_days,
        )
        for row in connection.execute(query)
        if row.slug in published.index
    )


def _remarks(connection: Connection, evidence_ids: Sequence[int]) -> dict[int, str]:
    """What publishers say beside their addresses, where they say something."""
    query = select(evidence.c.id, evidence.c.remark).where(evidence.c.id.in_(evidence_ids), evidence.c.remark != "")
    return dict(connection.execute(query).tuples().all())


def standing_claims(connection: Connection) -> pd.DataFrame:
    """Every claim about units that stands now, for rules across sources.

    Columns: source, states, market, basis, powertrain, vehicle_scope, grain, maker, model (categories), month (the
    period's first, as year * 12 + month - 1), units.
    """
    about = connection.execute(
        select(
            series.c.id,
            source.c.slug.label("source"),
            source.c.states,
            series.c.market,
            series.c.basis,
            series.c.powertrain,
            series.c.vehicle_scope,
            series.c.grain,
            series.c.maker,
            series.c.model,
        )
        .join(source, source.c.id == series.c.source_id)
        .order_by(series.c.id)
    ).all()
    claims = _driver_rows(
        connection,
        select(sales.c.series_id, sales.c.period_start, sales.c.units, sales.c.known_from, sales.c.evidence_id).where(
            sales.c.known_to == OPEN_END
        ),
    )
    words = ("source", "states", "market", "basis", "powertrain", "vehicle_scope", "grain", "maker", "model")
    return _claims_frame(about, claims, words=words)


@dataclass(frozen=True)
class History:
    """A source's claims, all vintages: what `etl bundle` writes.

    `snapshots`: file, known_on, sha256, bytes, origin_url, rows_out_of_scope, rows_duplicate. `rejections`: file,
    known_on, line, column, value, reason. `sales`: file, the series' members, period_start, known_from, known_to,
    units, line, evidence; `penetration` likewise with share. `groups`: file, maker, group_slug, group_name, valid_from,
    valid_to, known_from, known_to, line. `names`:
    kind (maker or model), slug, maker, name. Rows are ordered: equal databases give equal frames.
    """

    snapshots: pd.DataFrame
    rejections: pd.DataFrame
    sales: pd.DataFrame
    penetration: pd.DataFrame
    groups: pd.DataFrame
    names: pd.DataFrame


def history(engine: Engine, slug: str) -> History:
    """All vintages of one source's claims."""
    ready(engine)
    of_source = source.c.slug == slug
    members = (series.c.market, series.c.basis, series.c.powertrain, series.c.vehicle_scope, series.c.grain)
    with engine.connect() as connection:
        snapshots = _frame(
            connection,
            select(
                snapshot.c.file,
                snapshot.c.known_on,
                snapshot.c.sha256,
                snapshot.c.bytes,
                snapshot.c.origin_url,
                snapshot.c.rows_out_of_scope,
                snapshot.c.rows_duplicate,
            )
            .join(source, source.c.id == snapshot.c.source_id)
            .where(of_source, snapshot.c.status == SnapshotStatus.LOADED)
            .order_by(snapshot.c.known_on, snapshot.c.file),
        )
        rejections = _frame(
            connection,
            select(
                snapshot.c.file,
                snapshot.c.known_on,
                rejection.c.line,
                rejection.c.column,
                rejection.c.value,
                rejection.c.reason,
            )
            .join(snapshot, snapshot.c.id == rejection.c.snapshot_id)
            .join(source, source.c.id == snapshot.c.source_id)
            .where(of_source, snapshot.c.status == SnapshotStatus.LOADED)
            .order_by(snapshot.c.known_on, snapshot.c.file, rejection.c.line, rejection.c.column),
        )
        claims, penetrations = (
            _frame(
                connection,
                select(
                    series.c.file,
                    *members,
                    series.c.maker,
                    series.c.model,
                    table.c.period_start,
                    table.c.known_from,
                    table.c.known_to,
                    value,
                    table.c.line,
                    evidence.c.text.label("evidence"),
                )
                .join(series, series.c.id == table.c.series_id)
                .join(source, source.c.id == series.c.source_id)
                .join(evidence, evidence.c.id == table.c.evidence_id)
                .where(of_source)
                .order_by(
                    series.c.file,
                    *members,
                    series.c.maker,
                    series.c.model,
                    table.c.period_start,
                    table.c.known_from,
                ),
            )
            for table, value in ((sales, sales.c.units), (penetration, penetration.c.share))
        )
        groups = _frame(
            connection,
            select(
                maker_group.c.file,
                maker_group.c.maker,
                maker_group.c.group_slug,
                maker_group.c.group_name,
                maker_group.c.valid_from,
                maker_group.c.valid_to,
                maker_group.c.known_from,
                maker_group.c.known_to,
                maker_group.c.line,
            )
            .join(source, source.c.id == maker_group.c.source_id)
            .where(of_source)
            .order_by(maker_group.c.file, maker_group.c.maker, maker_group.c.known_from),
        )
        makers = dict(connection.execute(select(maker.c.slug, maker.c.name)).tuples().all())
        models = {
            slug: (of, name)
            for slug, of, name in connection.execute(
                select(model_table.c.slug, model_table.c.maker, model_table.c.name)
            ).tuples()
        }
    used_makers = sorted({*claims["maker"], *groups["maker"]} - {ALL, OTHER})
    used_models = sorted({*claims["model"]} - {ALL, OTHER})
    names = [("maker", slug, "", makers[slug]) for slug in used_makers]
    names += [("model", slug, *models[slug]) for slug in used_models]
    return History(
        snapshots=snapshots,
        rejections=rejections,
        sales=claims,
        penetration=penetrations,
        groups=groups,
        names=pd.DataFrame(names, columns=["kind", "slug", "maker", "name"]),
    )


def _frame(connection: Connection, query: Select[Any]) -> pd.DataFrame:
    """A frame of a query's rows; words as plain text, dates as ISO text."""
    result = connection.execute(query)
    frame = pd.DataFrame(result.all(), columns=list(result.keys()))
    for name in frame.columns:
        if len(frame) and isinstance(frame[name].iloc[0], date):
            frame[name] = [value.isoformat() for value in frame[name]]
        elif frame[name].dtype == object:
            frame[name] = [str(value) for value in frame[name]]
    return frame
