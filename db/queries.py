"""Every SELECT of the read side. Each returns a Dataset or another frozen value; nothing here writes.

"As known on D" is `known_from <= D < known_to`; without a date it is what is known now, which are the open claims.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, TypeVar

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, Engine, Select, String, Table, and_, case, cast, func, or_, select

from db import records as record_tables
from db.claims import STANDING, Bools, Claims, Ints, Vocabulary, Words
from db.memory import MEMORY, each_remembered, identity, remembered
from db.schema import (
    RECORDS,
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
from db.schema import event as event_table
from db.schema import model as model_table
from db.store import explained, ready
from db.vocabulary import (
    ALL,
    OPEN_END,
    OTHER,
    Basis,
    DatePrecision,
    Grain,
    Obtained,
    Powertrain,
    SnapshotStatus,
    VehicleScope,
)


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
class Nouns:
    """The names that a selection may use: markets, makers, models and groups, by code or slug.

    `adjectives`: market code to 'German'. `model_makers`: model slug to its maker. `members`: group slug to the makers
    that ever belonged to it; `memberships` says when. `regions`: the markets that overlap others and are never added
    to them.
    """

    markets: Mapping[str, str]
    adjectives: Mapping[str, str]
    regions: frozenset[str]
    makers: Mapping[str, str]
    models: Mapping[str, str]
    model_makers: Mapping[str, str]
    groups: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]
    memberships: Mapping[str, tuple[Membership, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Membership:
    """A maker belongs to a group from the month `first` on, and no more in `end` (year * 12 + month - 1)."""

    maker: str
    first: int = 0
    end: int = 120_000


def nouns(connection: Connection, *, as_of: date | None = None) -> Nouns:
    """The markets that have figures, and every maker, model and group; groups as known on `as_of`."""
    return remembered(connection, (nouns, as_of), lambda: _nouns(connection, as_of))


def _names(connection: Connection) -> Nouns:
    """The markets, makers and models, without groups."""
    with_figures = select(series.c.market).distinct()
    markets = connection.execute(
        select(market.c.code, market.c.name, market.c.adjective, market.c.kind).where(market.c.code.in_(with_figures))
    ).all()
    makers = dict(connection.execute(select(maker.c.slug, maker.c.name)).tuples().all())
    models = connection.execute(select(model_table.c.slug, model_table.c.maker, model_table.c.name)).all()
    return Nouns(
        markets=MappingProxyType({code: name for code, name, _, _ in markets}),
        adjectives=MappingProxyType({code: adjective for code, _, adjective, _ in markets}),
        regions=frozenset(code for code, _, _, kind in markets if kind == "region"),
        makers=MappingProxyType({slug: name for slug, name in makers.items() if slug not in (ALL, OTHER)}),
        models=MappingProxyType({slug: name for slug, _, name in models if slug not in (ALL, OTHER)}),
        model_makers=MappingProxyType({slug: of for slug, of, _ in models if slug not in (ALL, OTHER)}),
        groups=MappingProxyType({}),
        members=MappingProxyType({}),
    )


def _nouns(connection: Connection, as_of: date | None) -> Nouns:
    names = remembered(connection, (_names,), lambda: _names(connection))
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
    members = {slug: tuple(sorted({of.maker for of in belonging})) for slug, belonging in memberships.items()}
    return replace(
        names,
        groups=MappingProxyType(groups),
        members=MappingProxyType(members),
        memberships=MappingProxyType({slug: tuple(of) for slug, of in memberships.items()}),
    )


@dataclass(frozen=True, eq=False)
class Told:
    """All that was ever claimed about one market's vehicles of a scope.

    `claims` come series by series; beside each stand the day since 1970-01-01 from which it no longer stood
    (`STANDING` where it stands), and its file. `told_by` has source (slug), file, basis and powertrain of every series;
    `remarks` what the publishers say about the records, by evidence_id.
    """

    claims: Claims
    known_to: Ints
    file: Words
    told_by: frozenset[tuple[str, str, str, str]]
    remarks: Mapping[int, str]

    def since(self, as_of: date | None) -> date:
        """The day on which what was known on a day, or is known now, became so: on it the same claims stood."""
        days = self._days
        if not len(days):
            return _EPOCH
        day = (min(as_of or OPEN_END, OPEN_END) - _EPOCH).days
        place = int(np.searchsorted(days, day, side="right"))
        return _EPOCH + timedelta(days=int(days[place - 1] if place else days[0] - 1))

    @cached_property
    def _days(self) -> Ints:
        """The days, since 1970-01-01, on which a claim began to stand or ceased to."""
        days = np.unique(np.concatenate([self.claims.known_from, self.known_to]))
        return np.asarray(days[days != STANDING])

    def stood(self, as_of: date | None) -> Bools:
        """Which claims stood on a day; without one, those that stand now."""
        if as_of is None or as_of >= OPEN_END:
            return np.asarray(self.known_to == STANDING)
        day = (as_of - _EPOCH).days
        return np.asarray((self.claims.known_from <= day) & (self.known_to > day))


def told(
    connection: Connection, markets: Sequence[str], *, scope: VehicleScope = VehicleScope.PASSENGER_CAR
) -> dict[str, Told]:
    """All that was ever claimed about some markets, by market: read once for as long as no other data are loaded."""
    questions = {market: (told, market, scope) for market in markets}
    return each_remembered(connection, questions, lambda missing: _told(connection, missing, scope))


def _told(connection: Connection, markets: Sequence[str], scope: VehicleScope) -> dict[str, Told]:
    words = ("source", "basis", "market", "powertrain", "grain", "maker", "model", "file")
    wanted = (series.c.market.in_(markets), series.c.vehicle_scope == scope)
    about = _driver_rows(
        connection,
        select(series.c.id, source.c.slug, *(series.c[word] for word in words[1:]))
        .join(source, source.c.id == series.c.source_id)
        .where(*wanted)
        .order_by(series.c.id),
    )
    numbers = claim_columns(connection, *wanted)
    listed = _vocabularies(connection)
    ids, *of_series = zip(*about, strict=True) if about else ((),) * (1 + len(words))
    # The series come in the order of their ids, so that a claim's series is found by bisection.
    rows = np.searchsorted(np.array(ids, dtype=np.int64), numbers.pop("series_id"))
    columns: dict[str, Any] = {
        word: Words(np.array([listed[word].place[each] for each in of], dtype=np.int64)[rows], listed[word])
        for word, of in zip(words, of_series, strict=True)
    }
    known_to, file = numbers.pop("known_to"), columns.pop("file")
    claims = Claims(**columns, **numbers)
    remarks = _remarks(connection, np.unique(claims.evidence_id).tolist())
    of_market = claims.market.rows()
    told_by = {code: frozenset((row[1], row[8], row[2], row[4]) for row in about if row[3] == code) for code in markets}
    nothing = np.array([], dtype=np.int64)
    found = {}
    for code in markets:
        own = of_market.get(code, nothing)
        evidences = np.unique(claims.evidence_id[own]).tolist()
        found[code] = Told(
            claims=claims[own].by_themselves(),
            known_to=known_to[own],
            file=file[own],
            told_by=told_by[code],
            remarks=MappingProxyType({n: remarks[n] for n in evidences if n in remarks}),
        )
    return found


def _vocabularies(connection: Connection) -> Mapping[str, Vocabulary]:
    """The words of each column of claims: the same for all markets, so that their claims can be put together."""

    def listed(column: Any) -> Vocabulary:
        return Vocabulary(connection.execute(select(column).distinct().order_by(column)).scalars())

    def ask() -> Mapping[str, Vocabulary]:
        return MappingProxyType(
            {
                "source": listed(source.c.slug),
                "basis": Vocabulary(sorted(Basis)),
                "market": listed(market.c.code),
                "powertrain": Vocabulary(sorted(Powertrain)),
                "grain": Vocabulary(sorted(Grain)),
                "maker": listed(maker.c.slug),
                "model": listed(model_table.c.slug),
                "file": listed(snapshot.c.file),
            }
        )

    return remembered(connection, (_vocabularies,), ask)


@dataclass(frozen=True)
class Asked:
    """Which claims about a market are asked for; months are numbered as in `Claims`.

    Months from `first` to `last`, and those from `newest` on: how far the records go is to be seen from them.
    """

    bases: tuple[str, ...]
    powertrains: tuple[str, ...]
    as_of: date | None
    first: int | None = None
    last: int | None = None
    newest: int = 0

    def of(self, told: Told) -> Bools:
        """Which of the claims those are."""
        return told.stood(self.as_of) & self._about(told.claims) & self.in_time(told.claims.month)

    def in_time(self, month: Ints) -> Bools:
        """Which months are asked for."""
        rows = np.ones(len(month), dtype=np.bool_) if self.first is None else month >= self.first
        if self.last is not None:
            rows &= (month <= self.last) | (month >= self.newest)
        return np.asarray(rows)

    def _about(self, claims: Claims) -> Bools:
        return claims.basis.among(self.bases) & claims.powertrain.among(self.powertrains)

    def newest_month(self, told: Told) -> int:
        """The month of the newest claim, whenever it stood; 0 without any."""
        return int(told.claims.month[self._about(told.claims)].max(initial=0))


Followed = TypeVar("Followed")


@dataclass(frozen=True)
class MarketClaims:
    """The claims about one market that are asked for: taken out of all that was told when they are needed."""

    told: Told
    asked: Asked
    identity: Hashable | None

    @cached_property
    def claims(self) -> Claims:
        """The claims, series by series."""
        return self.told.claims[self.asked.of(self.told)]

    def at_all_times(self, powertrains: Sequence[str]) -> MarketClaims:
        """The claims about some powertrains in whatever months."""
        asked = Asked(bases=self.asked.bases, powertrains=tuple(sorted(powertrains)), as_of=self.asked.as_of)
        return MarketClaims(told=self.told, asked=asked, identity=self.identity)

    def follows(self, what: Hashable, work_out: Callable[[], Followed]) -> Followed:
        """What follows from these claims alone: worked out once, and remembered for as long as they are."""
        if self.identity is None:
            return work_out()
        return MEMORY.recall((self.identity, self.asked, what), work_out)

    @property
    def latest(self) -> Mapping[str, int]:
        """The sources that have a claim, each with the day since 1970-01-01 on which its latest became known."""

        def work_out() -> Mapping[str, int]:
            source = self.claims.source
            days = np.full(len(source.listed), -1, dtype=np.int64)
            np.maximum.at(days, source.codes, self.claims.known_from)
            return MappingProxyType({source.listed[n]: int(days[n]) for n in np.flatnonzero(days >= 0).tolist()})

        return self.follows("latest", work_out)


@dataclass(frozen=True)
class Dataset:
    """Claims by market with where they come from; markets without any are not there.

    `as_of` is the day as known on which they are given, None for now; `remarks` is what their publishers say about
    records of these markets, by evidence_id.
    """

    markets: Mapping[str, MarketClaims]
    citations: tuple[Citation, ...]
    as_of: date | None
    remarks: Mapping[int, str]
    publishers: tuple[Citation, ...] = ()
    """Every source there is, for its rank; as known on no day."""

    @cached_property
    def claims(self) -> Claims:
        """The claims of all markets, one market after another."""
        return Claims.joined([of.claims for of in self.markets.values()] or [Claims.none()])

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The same as a tidy frame: one row a claim, with the columns of `Claims`, words as categories."""
        return self.claims.frame()

    @property
    def sources(self) -> tuple[str, ...]:
        """The slugs that the codes of the claims' sources stand for."""
        return next((of.told.claims.source.listed for of in self.markets.values()), Vocabulary())

    def warnings(self, evidence_ids: Ints) -> tuple[str, ...]:
        """What the publishers say about some claims, by their evidence, what concerns most of the records first."""
        said = Counter(self.remarks[n] for n in np.unique(evidence_ids).tolist() if n in self.remarks)
        return tuple(remark for remark, _ in sorted(said.items(), key=lambda item: (-item[1], item[0])))


def sales_figures(
    connection: Connection,
    *,
    markets: Sequence[str],
    bases: Sequence[str],
    powertrains: Sequence[str],
    as_of: date | None = None,
    scope: VehicleScope = VehicleScope.PASSENGER_CAR,
    first: date | None = None,
    last: date | None = None,
) -> Dataset:
    """The claims about the cars of the markets on some bases, as known on `as_of`.

    Sources may contradict each other and periods overlap: `dashboard.precedence` chooses.

    Periods before `first` are left out, and those after `last`, but for the newest two years: how far the records go is
    to be seen from them.
    """
    of = told(connection, markets, scope=scope)
    asked = Asked(
        bases=tuple(sorted(bases)),
        powertrains=tuple(sorted(powertrains)),
        as_of=as_of,
        first=None if first is None else _month_of(first),
        last=None if last is None else _month_of(last),
    )
    if last is not None:
        newest = max((asked.newest_month(each) for each in of.values()), default=0)
        newest = min(newest, _month_of(as_of)) if as_of else newest
        asked = replace(asked, newest=newest - newest % 12 - 12)
    data = identity(connection)
    # A market's figures change on few days: whatever day is asked for, they are those of the last one, and what follows
    # from them is worked out once.
    every = {
        market: MarketClaims(
            told=of[market],
            asked=replace(asked, as_of=of[market].since(as_of)),
            identity=data and (data, market, scope),
        )
        for market in sorted(of)
    }
    found = {market: each for market, each in every.items() if each.latest}
    files = {
        (slug, file)
        for each in of.values()
        for slug, file, basis, powertrain in each.told_by
        if basis in asked.bases and powertrain in asked.powertrains
    }
    return Dataset(
        markets=found,
        citations=_citations(connection, files, [each.latest for each in found.values()], as_of=as_of),
        as_of=as_of,
        remarks={n: remark for market in found for n, remark in of[market].remarks.items()},
        publishers=tuple(_sources(connection).sources.values()),
    )


def _month_of(day: date) -> int:
    return day.year * 12 + day.month - 1


def claim_columns(
    connection: Connection, *where: ColumnElement[bool], of: Table = sales, value: str = "units"
) -> dict[str, Any]:
    """Claims of a table, series by series, as columns of numbers (N).

    series_id, month (as in `Claims`), the value, known_from, known_to (days since 1970-01-01), evidence_id. A row of
    its own for each claim would cost more than all that is done with it: the database hands over one text a column and
    series, and the numbers in it are read at once.
    """

    def joined(name: str) -> Any:
        return func.aggregate_strings(cast(of.c[name], String), ",")

    rows = _driver_rows(
        connection,
        select(
            of.c.series_id,
            func.count(),
            *map(joined, ("period_start", value, "known_from", "known_to", "evidence_id")),
        )
        .join_from(series, of, series.c.id == of.c.series_id)
        .where(*where)
        .group_by(of.c.series_id)
        .order_by(of.c.series_id),
    )
    ids, counts, periods, values, known, ended, evidences = zip(*rows, strict=True) if rows else ((),) * 7
    claims = {
        "series_id": np.repeat(np.array(ids, dtype=np.int64), np.array(counts, dtype=np.int64)),
        "month": _days(periods)[0],
        value: np.fromstring(",".join(values), dtype=np.float64, sep=","),
        "known_from": _days(known)[1],
        "known_to": _days(ended)[1],
        "evidence_id": np.fromstring(",".join(evidences), dtype=np.int64, sep=","),
    }
    # SQLite keeps them in this order; another engine hands over each series as it happens to lie on its disk.
    if connection.dialect.name != "sqlite":
        order = np.lexsort((claims["known_to"], claims["month"], claims["series_id"]))
        claims = {name: column[order] for name, column in claims.items()}
    return claims


def _days(texts: Sequence[str]) -> tuple[Any, Any]:
    """Days, as ISO writes them, one after another with commas: as month numbers, and as days since 1970-01-01."""
    digits = np.frombuffer((",".join(texts) + ",").encode() if texts else b"", dtype=np.uint8).reshape(-1, 11) - 48
    year, month, day = (
        digits[:, first:end].astype(np.int64) @ 10 ** np.arange(end - first)[::-1]
        for first, end in ((0, 4), (5, 7), (8, 10))
    )
    of_month = (year - 1970) * 12 + month - 1
    since_epoch = of_month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1
    return of_month + 1970 * 12, since_epoch


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
    return _driver_frame(connection, query)


def records(connection: Connection, table: str, *, as_of: date | None = None, **only: Collection[Any]) -> pd.DataFrame:
    """The rows of a table of `schema.RECORDS` as known on `as_of` (None: now), in the order of its key.

    Columns: its key and values, url, note, known_from, known_estimated, source (slug), source_id, file, line,
    snapshot_id. Days are `date`, what is not stated is None or NaN, words are text. `only` keeps the rows whose column
    has one of the given values. Cost follows the rows that are kept.
    """
    of = record_tables.table(table)
    names = [name for name in of.info["fields"] if name not in ("line", "known_estimated")]
    query = (
        select(
            *(of.c[name] for name in (*names, "known_from", "known_estimated")),
            source.c.slug.label("source"),
            *(of.c[name] for name in ("source_id", "file", "line", "snapshot_id")),
        )
        .join(source, source.c.id == of.c.source_id)
        .where(*(of.c[name].in_(list(values)) for name, values in only.items()), _known(of, as_of))
        .order_by(*(of.c[name] for name in of.info["key"]), source.c.precedence)
    )
    result = connection.execute(query)
    told = list(zip(*result, strict=True)) or [()] * len(result.keys())
    columns: dict[str, Any] = {}
    for name, values in zip(result.keys(), told, strict=True):
        kind = of.c[name].type.python_type if name in of.c else str
        if kind in (float, int, bool):
            columns[name] = np.array(values, dtype=float if None in values else kind)
        elif kind is date:
            columns[name] = np.array(values, dtype=object)
        else:
            columns[name] = np.array([str(value) for value in values], dtype=object)
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class Names:
    """What markets (by code), makers and models (by slug) are called, whether or not there are figures of them."""

    markets: dict[str, str]
    makers: dict[str, str]
    models: dict[str, str]

    @property
    def makers_and_models(self) -> dict[str, str]:
        """Both in one: no slug is a maker's and a model's."""
        return {**self.models, **self.makers}


def names(connection: Connection) -> Names:
    """The names of all markets, makers and models."""
    return Names(
        markets=dict(connection.execute(select(market.c.code, market.c.name)).tuples().all()),
        makers=dict(connection.execute(select(maker.c.slug, maker.c.name)).tuples().all()),
        models=dict(connection.execute(select(model_table.c.slug, model_table.c.name)).tuples().all()),
    )


def price_nouns(connection: Connection, *, as_of: date | None = None) -> Names:
    """The markets, makers and models of which a price is known."""
    of = record_tables.table("price")
    known = connection.execute(select(of.c.market, of.c.maker, of.c.model).where(_known(of, as_of)).distinct()).all()
    all_names = names(connection)
    return Names(
        markets={code: all_names.markets[code] for code in sorted({row.market for row in known})},
        makers={slug: all_names.makers[slug] for slug in sorted({row.maker for row in known})},
        models={slug: all_names.models[slug] for slug in sorted({row.model for row in known})},
    )


def exchange_rates(connection: Connection, *, as_of: date | None = None, **only: Collection[Any]) -> pd.DataFrame:
    """The monthly exchange rates that were public on `as_of` (None: all), with the columns of `records`; `only` too.

    A central bank prints each day's rates on that day and does not revise them: a month's mean is known when the month
    is over, whenever the file with it was read here.
    """
    frame = records(connection, "fx_rate", as_of=None, **only)
    if as_of is None:
        return frame
    over = [next_due(start, Grain.MONTH, lag_days=0) <= as_of for start in frame["period_start"]]
    return frame[np.array(over, dtype=np.bool_)].reset_index(drop=True)


def record_citations(connection: Connection, *frames: pd.DataFrame, as_of: date | None = None) -> tuple[Citation, ...]:
    """The publishers' tables behind the rows of frames of `records`, each once."""
    files = {key for frame in frames for key in zip(frame["source"], frame["file"], strict=True)}
    published: dict[str, date] = {}
    for frame in frames:
        for slug, day in zip(frame["source"], frame["known_from"], strict=True):
            published[slug] = max(published.get(slug, day), day)
    return citations(connection, files, published, as_of=as_of)


def record_receipts(connection: Connection, rows: pd.DataFrame) -> pd.DataFrame:
    """The receipts of some rows of `records`, to which the caller has added `day`, `about` and `stated`.

    `day` (a date) and `about` say what a row is of, `stated` what it claims, in words. Columns: these as text, and as
    `receipts`: source (title), source_slug, file, line, text (the note), urls, known_from, known_on, sha256, obtained,
    origin_url.
    """
    query = select(
        snapshot.c.id,
        source.c.title,
        snapshot.c.known_on,
        snapshot.c.sha256,
        snapshot.c.obtained,
        snapshot.c.origin_url,
    ).join(source, source.c.id == snapshot.c.source_id)
    named = rows_with(connection, query, snapshot.c.id, map(int, rows["snapshot_id"]))
    read_from = {number: rest for number, *rest in named}
    told = [read_from[number] for number in rows["snapshot_id"]]
    return pd.DataFrame(
        {
            "period_start": [day.isoformat() for day in rows["day"]],
            "about": rows["about"].tolist(),
            "stated": rows["stated"].tolist(),
            "source": [title for title, *_ in told],
            "source_slug": rows["source"].tolist(),
            "file": rows["file"].tolist(),
            "line": rows["line"].tolist(),
            "text": rows["note"].tolist(),
            "urls": rows["url"].tolist(),
            "known_from": [day.isoformat() for day in rows["known_from"]],
            "known_on": [known_on.isoformat() for _, known_on, *_ in told],
            "sha256": [sha256 for _, _, sha256, *_ in told],
            "obtained": [str(obtained) for *_, obtained, _ in told],
            "origin_url": [url for *_, url in told],
        }
    )


def last_snapshot(engine: Engine) -> date | None:
    """The day as known of the latest snapshot that is loaded; None where there is none."""
    ready(engine)
    with explained(engine), engine.connect() as connection:
        query = select(func.max(snapshot.c.known_on)).where(snapshot.c.status == SnapshotStatus.LOADED)
        return connection.execute(query).scalar()


def standing_snapshots(connection: Connection, *, as_of: date | None = None) -> list[dict[str, str]]:
    """For each file, the snapshot whose claims stood on a day: source, file, known_on, sha256, origin_url."""
    standing = remembered(connection, (standing_snapshots, as_of), lambda: _standing_snapshots(connection, as_of))
    return [dict(zip(_STANDING_SNAPSHOT, row, strict=True)) for row in standing]


_STANDING_SNAPSHOT = ("source", "file", "known_on", "sha256", "origin_url")


def _standing_snapshots(connection: Connection, as_of: date | None) -> tuple[tuple[str, ...], ...]:
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
    published: dict[str, date] = {}
    for table in (sales, penetration, maker_group, *RECORDS):
        of_file = select(source.c.slug, func.max(table.c.known_from)).select_from(table)
        if "series_id" in table.c:
            of_file = of_file.join(series, series.c.id == table.c.series_id)
        of_source = series.c.source_id if "series_id" in table.c else table.c.source_id
        of_file = (
            of_file.join(source, source.c.id == of_source)
            .where(source.c.id.in_(select(snapshot.c.source_id).where(is_own_history)))
            .group_by(source.c.slug)
        )
        if as_of is not None:
            of_file = of_file.where(table.c.known_from <= as_of)
        for slug, day in connection.execute(of_file).tuples():
            published[slug] = max(day, published.get(slug, day))
    own = {slug for (slug,) in connection.execute(select(source.c.slug).join(snapshot).where(is_own_history)).tuples()}
    return tuple(
        (row.slug, row.file, published.get(row.slug, row.known_on).isoformat(), row.sha256, row.origin_url)
        for row in latest.values()
        if row.slug not in own or row.slug in published
    )


def next_due(published_to: date, grain: Grain, *, lag_days: int) -> date:
    """The day by which a publisher usually has stated the next period: its end, and the usual lag.

    `published_to` is the first day after the last period stated, `grain` its length.
    """
    months = published_to.year * 12 + published_to.month - 1 + grain.months
    return date(months // 12, months % 12 + 1, 1) + timedelta(days=lag_days)


def first_known(connection: Connection, *, markets: Sequence[str], basis: str) -> dict[str, date]:
    """For each market that has figures on the basis: the first day as known on which it can be shown."""
    query = (
        select(series.c.market, func.min(sales.c.known_from))
        .join(sales, sales.c.series_id == series.c.id)
        .where(series.c.market.in_(markets), series.c.basis == basis)
        .group_by(series.c.market)
    )
    found = remembered(
        connection,
        (first_known, frozenset(markets), basis),
        lambda: MappingProxyType(dict(connection.execute(query).tuples().all())),
    )
    return dict(found)


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
    questions = {code: (published, code, scope) for code in markets}
    found = each_remembered(connection, questions, lambda missing: _published(connection, missing, scope))
    return frozenset[Published]().union(*found.values())


def _published(
    connection: Connection, markets: Sequence[str], scope: VehicleScope
) -> Mapping[str, frozenset[Published]]:
    named = case((series.c.maker.not_in((ALL, OTHER)), True), else_=False)
    rows = connection.execute(
        select(series.c.market, series.c.basis, series.c.powertrain, source.c.states, named)
        .join(source, source.c.id == series.c.source_id)
        .where(series.c.market.in_(markets), series.c.vehicle_scope == scope)
        .distinct()
    )
    of_market: dict[str, list[Published]] = {code: [] for code in markets}
    for code, basis, powertrain, states, names in rows.tuples():
        of_market[code].append(
            Published(
                market=code, basis=str(basis), powertrain=str(powertrain), states=str(states), names_makers=bool(names)
            )
        )
    return {code: frozenset(of) for code, of in of_market.items()}


def grains(
    connection: Connection,
    *,
    markets: Sequence[str],
    basis: str,
    powertrains: Sequence[str],
    scope: VehicleScope = VehicleScope.PASSENGER_CAR,
) -> dict[str, frozenset[Grain]]:
    """For each market the lengths of the periods in which the cars of the powertrains were ever stated on a basis."""

    def ask(missing: Sequence[str]) -> Mapping[str, frozenset[tuple[str, str, Grain]]]:
        rows = connection.execute(
            select(series.c.market, series.c.basis, series.c.powertrain, series.c.grain)
            .where(series.c.market.in_(missing), series.c.vehicle_scope == scope)
            .distinct()
        )
        found: dict[str, set[tuple[str, str, Grain]]] = {code: set() for code in missing}
        for code, stated_basis, powertrain, grain in rows.tuples():
            found[code].add((str(stated_basis), str(powertrain), Grain(grain)))
        return {code: frozenset(of) for code, of in found.items()}

    stated = each_remembered(connection, {code: (grains, code, scope) for code in markets}, ask)
    return {
        code: frozenset(grain for on, powertrain, grain in of if on == basis and powertrain in powertrains)
        for code, of in stated.items()
    }


@dataclass(frozen=True)
class Event:
    """Something that happened in a market: a subsidy ended, a duty, a launch. `maker` is `all` where it is no maker's.

    `date` is the first day of the month or year where `precision` says that only that is known.
    """

    date: date
    precision: DatePrecision
    market: str
    kind: str
    maker: str
    text: str
    url: str


def events(
    connection: Connection, *, markets: Sequence[str], first: date, last: date, as_of: date | None = None
) -> tuple[Event, ...]:
    """What happened in some markets from `first` to `last`, oldest first; nothing that was yet to come on `as_of`."""
    end = last if as_of is None else min(last, as_of)
    ever = remembered(connection, (events, frozenset(markets)), lambda: _events(connection, markets))
    return tuple(each for each in ever if first <= each.date <= end)


def _events(connection: Connection, markets: Sequence[str]) -> tuple[Event, ...]:
    rows = connection.execute(
        select(event_table).where(event_table.c.market.in_(markets)).order_by(event_table.c.date, event_table.c.id)
    )
    return tuple(
        Event(
            date=row.date,
            precision=DatePrecision(row.date_precision),
            market=row.market,
            kind=row.kind,
            maker=row.maker,
            text=row.text,
            url=row.url,
        )
        for row in rows
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


@dataclass(frozen=True)
class _Sources:
    """Every source by slug, in the order of precedence; and of each file that is loaded source (slug), file, the days
    of its snapshots, and whether it says itself since when its rows are known."""

    sources: Mapping[str, Citation]
    files: Mapping[tuple[str, str], tuple[tuple[date, ...], bool]]


def _sources(connection: Connection) -> _Sources:
    is_own_history = case((snapshot.c.obtained.in_((Obtained.CURATED, Obtained.IMPORTED)), True), else_=False)

    def ask() -> _Sources:
        days: dict[tuple[str, str], list[date]] = {}
        own = set()
        rows = connection.execute(
            select(source.c.slug, snapshot.c.file, snapshot.c.known_on, is_own_history)
            .join(source, source.c.id == snapshot.c.source_id)
            .where(snapshot.c.status == SnapshotStatus.LOADED)
        )
        for slug, file, known_on, is_own in rows.tuples():
            days.setdefault((slug, file), []).append(known_on)
            own |= {(slug, file)} if is_own else set()
        sources = connection.execute(select(source).order_by(source.c.precedence, source.c.slug))
        return _Sources(
            sources=MappingProxyType({row.slug: _cited(row) for row in sources}),
            files=MappingProxyType({key: (tuple(sorted(of)), key in own) for key, of in days.items()}),
        )

    return remembered(connection, (_sources,), ask)


def _cited(row: Any) -> Citation:
    """A source as it is cited, as known on no day yet."""
    return Citation(
        slug=row.slug,
        title=row.title,
        publisher=row.publisher,
        url=row.url,
        licence=row.licence,
        licence_url=row.licence_url,
        known_on=date.min,
        warning=row.warning,
        states=str(row.states),
        precedence=row.precedence,
        lag_days=row.lag_days,
    )


def citations(
    connection: Connection, files: Collection[tuple[str, str]], published: Mapping[str, date], *, as_of: date | None
) -> tuple[Citation, ...]:
    """The sources of claims of some files (source and name), each as of the latest that was known on the day.

    `published` has for each source the latest day since when one of the claims is known.
    """
    days = {slug: (day - _EPOCH).days for slug, day in published.items()}
    return _citations(connection, files, [days], as_of=as_of)


def _citations(
    connection: Connection,
    files: Collection[tuple[str, str]],
    told_on: Iterable[Mapping[str, int]],
    *,
    as_of: date | None,
) -> tuple[Citation, ...]:
    """The sources of some claims, each as of the latest of the files that was known on the day.

    `told_on` has for each market the day since 1970-01-01 on which the latest claim of each source became known.
    """
    latest: dict[str, int] = {}
    for of_market in told_on:
        for slug, day in of_market.items():
            latest[slug] = max(latest.get(slug, 0), day)
    known = _sources(connection)
    read: dict[str, date] = {}
    own = {slug for slug, file in files if known.files.get((slug, file), ((), False))[1]}
    for slug, file in files:
        days, _ = known.files.get((slug, file), ((), False))
        if slug in own:
            days = (_EPOCH + timedelta(days=latest[slug]),) if slug in latest else ()
        elif as_of is not None:
            days = tuple(day for day in days if day <= as_of)
        if slug in latest and days:
            read[slug] = max(days[-1], read.get(slug, date.min))
    return tuple(replace(cited, known_on=read[slug]) for slug, cited in known.sources.items() if slug in read)


def _remarks(connection: Connection, evidence_ids: Iterable[int]) -> dict[int, str]:
    """What publishers say beside their addresses, where they say something."""
    query = select(evidence.c.id, evidence.c.remark).where(evidence.c.remark != "")
    return dict(rows_with(connection, query, evidence.c.id, evidence_ids))


_IDS_AT_ONCE: Final = 10_000
"""SQLite takes 32,766 values in one question, PostgreSQL 65,535."""


def rows_with(
    connection: Connection, query: Select[Any], column: ColumnElement[int], ids: Iterable[int]
) -> Iterator[Any]:
    """The rows of a query whose column has one of some ids, however many these are: asked for by ascending ids."""
    wanted = sorted(set(ids))
    for begin in range(0, len(wanted), _IDS_AT_ONCE):
        yield from connection.execute(query.where(column.in_(wanted[begin : begin + _IDS_AT_ONCE]))).tuples()


def standing_claims(connection: Connection) -> pd.DataFrame:
    """Every claim about units that stands now, for rules across sources.

    Columns: source, states, market, basis, powertrain, vehicle_scope, grain, maker, model (categories), month (the
    period's first, as year * 12 + month - 1), units.
    """
    words = ("source", "states", "market", "basis", "powertrain", "vehicle_scope", "grain", "maker", "model")
    about = _driver_rows(
        connection,
        select(series.c.id, source.c.slug, source.c.states, *(series.c[name] for name in words[2:]))
        .join(source, source.c.id == series.c.source_id)
        .order_by(series.c.id),
    )
    claims = claim_columns(connection, sales.c.known_to == OPEN_END)
    ids, *of_series = zip(*about, strict=True) if about else ((),) * (1 + len(words))
    rows = np.searchsorted(np.array(ids, dtype=np.int64), claims["series_id"])
    return pd.DataFrame(
        {
            **{word: pd.Categorical(of).take(rows) for word, of in zip(words, of_series, strict=True)},
            "month": claims["month"],
            "units": claims["units"],
        }
    )


@dataclass(frozen=True)
class History:
    """A source's claims, all vintages: what `etl bundle` writes.

    `snapshots`: file, known_on, sha256, bytes, origin_url, rows_out_of_scope, rows_duplicate. `rejections`: file,
    known_on, line, column, value, reason. `sales`: file, the series' members, period_start, known_from, known_to,
    units, line, evidence; `penetration` likewise with share. `records`: by table its fields with file, known_from and
    known_to. `groups`: file, maker, group_slug, group_name, valid_from,
    valid_to, known_from, known_to, line. `names`:
    kind (maker or model), slug, maker, name. Rows are ordered: equal databases give equal frames.
    """

    snapshots: pd.DataFrame
    rejections: pd.DataFrame
    sales: pd.DataFrame
    penetration: pd.DataFrame
    groups: pd.DataFrame
    records: dict[str, pd.DataFrame]
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
        told = {
            table.name: _frame(
                connection,
                select(
                    *(table.c[name] for name in ("file", *table.info["fields"], "known_from", "known_to")),
                )
                .join(source, source.c.id == table.c.source_id)
                .where(of_source)
                .order_by(table.c.file, *(table.c[name] for name in table.info["key"]), table.c.known_from),
            )
            for table in RECORDS
        }
        told = {name: frame for name, frame in told.items() if len(frame)}
        makers = dict(connection.execute(select(maker.c.slug, maker.c.name)).tuples().all())
        models = {
            slug: (of, name)
            for slug, of, name in connection.execute(
                select(model_table.c.slug, model_table.c.maker, model_table.c.name)
            ).tuples()
        }
    named = {
        kind: {each for frame in told.values() if kind in frame for each in frame[kind]} for kind in ("maker", "model")
    }
    used_makers = sorted({*claims["maker"], *groups["maker"], *named["maker"]} - {ALL, OTHER})
    used_models = sorted({*claims["model"], *named["model"]} - {ALL, OTHER})
    names = [("maker", slug, "", makers[slug]) for slug in used_makers]
    names += [("model", slug, *models[slug]) for slug in used_models]
    return History(
        snapshots=snapshots,
        rejections=rejections,
        sales=claims,
        penetration=penetrations,
        groups=groups,
        records=told,
        names=pd.DataFrame(names, columns=["kind", "slug", "maker", "name"]),
    )


def _frame(connection: Connection, query: Select[Any]) -> pd.DataFrame:
    """A frame of a query's rows; words as plain text, dates as ISO text."""
    result = connection.execute(query)
    rows = result.all()
    # By column: pandas takes several times as long to look at rows one by one.
    columns = zip(*rows, strict=True) if rows else ((),) * len(result.keys())
    frame = pd.DataFrame(dict(zip(result.keys(), map(list, columns), strict=True)))
    for name in frame.columns:
        if len(frame) and isinstance(frame[name].iloc[0], date):
            frame[name] = [value.isoformat() for value in frame[name]]
        elif frame[name].dtype == object:
            frame[name] = ["" if value is None else str(value) for value in frame[name]]
    return frame


def _driver_frame(connection: Connection, query: Select[Any]) -> pd.DataFrame:
    """The same of rows as the driver hands them over: for a query without columns of fractions, which engines word
    differently."""
    names = [column.name for column in query.selected_columns]
    rows = _driver_rows(connection, query)
    # By column: pandas takes several times as long to look at rows one by one.
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return pd.DataFrame({name: _plain(values) for name, values in zip(names, columns, strict=True)})


def _plain(values: Sequence[Any]) -> list[Any]:
    """Numbers as they are; anything else as text, where what is missing is empty and equal texts are one object."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds and all(issubclass(kind, (int, float)) for kind in kinds):
        return list(values)
    plain = {value: "" if value is None else str(value) for value in set(values)}
    return [plain[value] for value in values]
