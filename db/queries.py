"""What the read side asks beside figures and their provenance: names, groups, records, events, and what is published.

Each returns a frame or a frozen value; nothing here writes. "As known on D" is `known_from <= D < known_to`; without a
date it is what is known now, which are the open claims.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, case, func, select

from db import records as record_tables
from db.memory import each_remembered, remembered
from db.rows import month_of, stood_on
from db.schema import event as event_table
from db.schema import maker, maker_group, market, sales, series, source
from db.schema import model as model_table
from db.vocabulary import ALL, OTHER, DatePrecision, Grain, VehicleScope


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
        .where(stood_on(maker_group, as_of))
        .order_by(source.c.precedence, source.c.id, maker_group.c.maker, maker_group.c.valid_from)
    ).tuples():
        # Whoever comes first says all about a maker: two sources' spans of time would overlap.
        if told_by.setdefault(of, source_id) == source_id:
            groups[slug] = name
            first, end = map(month_of, (valid_from, valid_to))
            memberships.setdefault(slug, []).append(Membership(maker=of, first=first, end=end))
    members = {slug: tuple(sorted({of.maker for of in belonging})) for slug, belonging in memberships.items()}
    return replace(
        names,
        groups=MappingProxyType(groups),
        members=MappingProxyType(members),
        memberships=MappingProxyType({slug: tuple(of) for slug, of in memberships.items()}),
    )


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
        .where(*(of.c[name].in_(list(values)) for name, values in only.items()), stood_on(of, as_of))
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
    known = connection.execute(select(of.c.market, of.c.maker, of.c.model).where(stood_on(of, as_of)).distinct()).all()
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


def next_due(published_to: date, grain: Grain, *, lag_days: int) -> date:
    """The day by which a publisher usually has stated the next period: its end, and the usual lag.

    `published_to` is the first day after the last period stated, `grain` its length.
    """
    months = month_of(published_to) + grain.months
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


def naming(
    connection: Connection,
    *,
    makers: Collection[str],
    basis: str,
    scope: VehicleScope = VehicleScope.PASSENGER_CAR,
) -> frozenset[str]:
    """The markets whose figures on a basis name one of some makers, in whatever vintage."""
    query = (
        select(series.c.market)
        .where(series.c.maker.in_(sorted(makers)), series.c.basis == basis, series.c.vehicle_scope == scope)
        .distinct()
    )
    question = naming, frozenset(makers), basis, scope
    return remembered(connection, question, lambda: frozenset(connection.execute(query).scalars()))


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
