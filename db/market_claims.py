"""All that was ever claimed about a market's vehicles, and the claims that a selection asks for.

A market is read once for as long as no other data are loaded; what follows from its claims is remembered with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, String, Table, cast, func, select

from db.claims import STANDING, Bools, Claims, Ints, Vocabulary, Words
from db.memory import MEMORY, each_remembered, identity, remembered
from db.provenance import Citation, latest_citations, sources
from db.rows import EPOCH, day_number, driver_rows, month_of, rows_with, stood_on
from db.schema import evidence, maker, market, sales, series, snapshot, source
from db.schema import model as model_table
from db.vocabulary import OPEN_END, Basis, Grain, Obtained, Powertrain, SnapshotStatus, VehicleScope


@dataclass(frozen=True, eq=False)
class Told:
    """What was claimed about one market's vehicles of a scope: at all times, or all that stood on one day.

    `claims` come series by series; beside each stand the day since 1970-01-01 from which it no longer stood
    (`STANDING` where it stands), and its file. `told_by` has source (slug), file, basis and powertrain of every series;
    `remarks` what the publishers say about the records, by evidence_id. `days` are those, likewise counted, on which a
    claim about the market may have begun to stand or ceased to.
    """

    claims: Claims
    known_to: Ints
    file: Words
    told_by: frozenset[tuple[str, str, str, str]]
    remarks: Mapping[int, str]
    days: Ints

    def became_known(self, as_of: date | None) -> date:
        """The day on which what was known on a day, or is known now, became so: on it the same claims stood."""
        return _became_known(self.days, as_of)

    def stood(self, as_of: date | None) -> Bools:
        """Which claims stood on a day; without one, those that stand now."""
        if as_of is None or as_of >= OPEN_END:
            return np.asarray(self.known_to == STANDING)
        day = day_number(as_of)
        return np.asarray((self.claims.known_from <= day) & (self.known_to > day))


def _became_known(days: Ints, as_of: date | None) -> date:
    """The last day on which something changed, up to one or up to now; the day before the first where it was yet to."""
    if not len(days):
        return EPOCH
    day = day_number(min(as_of or OPEN_END, OPEN_END))
    place = int(np.searchsorted(days, day, side="right"))
    return EPOCH + timedelta(days=int(days[place - 1] if place else days[0] - 1))


def told(
    connection: Connection, markets: Sequence[str], *, scope: VehicleScope = VehicleScope.PASSENGER_CAR
) -> dict[str, Told]:
    """All that was ever claimed about some markets, by market: read once for as long as no other data are loaded."""
    questions = {market: (told, market, scope) for market in markets}
    return each_remembered(connection, questions, lambda missing: _told(connection, missing, scope))


LONG = 50_000
"""How many claims there may be about a market before no more of them are read than stood on the day asked for: its
whole history would fill the memory of every process. Of the bundled figures no market has a third of that."""


def _told_on(
    connection: Connection, markets: Sequence[str], *, as_of: date | None, scope: VehicleScope
) -> dict[str, Told]:
    """What was told of some markets, as far as it stood on a day; of those without a long history all that ever was."""
    changed_on = _long(connection)
    found = told(connection, [code for code in markets if code not in changed_on], scope=scope)
    of_day: dict[date, list[str]] = {}
    for code in markets:
        if code in changed_on:
            of_day.setdefault(_became_known(changed_on[code], as_of), []).append(code)
    for day, long in of_day.items():

        def ask(missing: Sequence[str], day: date = day) -> dict[str, Told]:
            read = _told(connection, missing, scope, stood_on(sales, day))
            return {code: replace(of, days=changed_on[code]) for code, of in read.items()}

        found |= each_remembered(connection, {code: (_told_on, code, scope, day) for code in long}, ask)
    return found


def _long(connection: Connection) -> Mapping[str, Ints]:
    """The markets with a long history, each with the days since 1970-01-01 on which its claims may have changed.

    How many claims there are is not counted, which would take longer than to read a market: a file's are taken to be
    spread evenly over its series.
    """

    def ask() -> Mapping[str, Ints]:
        of_file = (series.c.source_id, series.c.file)
        claims = dict[tuple[int, str], int]()
        days = dict[tuple[int, str], set[date]]()
        is_own = snapshot.c.obtained.in_((Obtained.CURATED, Obtained.IMPORTED))
        for source_id, file, known_on, loaded in connection.execute(
            select(snapshot.c.source_id, snapshot.c.file, snapshot.c.known_on, snapshot.c.rows_loaded).where(
                snapshot.c.status == SnapshotStatus.LOADED
            )
        ).tuples():
            claims[source_id, file] = claims.get((source_id, file), 0) + loaded
            days.setdefault((source_id, file), set()).add(known_on)
        counted = connection.execute(
            select(*of_file, series.c.market, func.count()).group_by(*of_file, series.c.market)
        ).all()
        of_files: Counter[tuple[int, str]] = Counter()
        for source_id, file, _, number in counted:
            of_files[source_id, file] += number
        amounts: Counter[str] = Counter()
        changed: dict[str, set[date]] = {}
        for source_id, file, code, number in counted:
            key = source_id, file
            amounts[code] += round(claims.get(key, 0) * number / of_files[key])
            changed.setdefault(code, set()).update(days.get(key, ()))
        long = sorted(code for code, amount in amounts.items() if amount > LONG)
        # The rows of a file that is its own history say themselves since when they are known.
        own_days = (
            select(series.c.market, sales.c.known_from)
            .join(series, series.c.id == sales.c.series_id)
            .where(sales.c.snapshot_id.in_(select(snapshot.c.id).where(is_own)), series.c.market.in_(long))
            .distinct()
        )
        for code, day in connection.execute(own_days).tuples() if long else ():
            changed[code].add(day)
        return MappingProxyType({code: np.array(sorted(day_number(day) for day in changed[code])) for code in long})

    return remembered(connection, (_long, LONG), ask)


def _told(
    connection: Connection, markets: Sequence[str], scope: VehicleScope, *only: ColumnElement[bool]
) -> dict[str, Told]:
    """What was claimed about some markets, or the claims of which a condition is true."""
    words = ("source", "basis", "market", "powertrain", "grain", "maker", "model", "file")
    wanted = (series.c.market.in_(markets), series.c.vehicle_scope == scope)
    about = driver_rows(
        connection,
        select(series.c.id, source.c.slug, *(series.c[word] for word in words[1:]))
        .join(source, source.c.id == series.c.source_id)
        .where(*wanted)
        .order_by(series.c.id),
    )
    numbers = claim_columns(connection, *wanted, *only)
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
            days=np.setdiff1d(np.concatenate([claims.known_from[own], known_to[own]]), [STANDING]),
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
    of = _told_on(connection, markets, as_of=as_of, scope=scope)
    asked = Asked(
        bases=tuple(sorted(bases)),
        powertrains=tuple(sorted(powertrains)),
        as_of=as_of,
        first=None if first is None else month_of(first),
        last=None if last is None else month_of(last),
    )
    if last is not None:
        newest = max((asked.newest_month(each) for each in of.values()), default=0)
        newest = min(newest, month_of(as_of)) if as_of else newest
        asked = replace(asked, newest=newest - newest % 12 - 12)
    data = identity(connection)
    # A market's figures change on few days: whatever day is asked for, they are those of the last one, and what follows
    # from them is worked out once.
    every = {
        market: MarketClaims(
            told=of[market],
            asked=replace(asked, as_of=of[market].became_known(as_of)),
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
        citations=latest_citations(connection, files, [each.latest for each in found.values()], as_of=as_of),
        as_of=as_of,
        remarks={n: remark for market in found for n, remark in of[market].remarks.items()},
        publishers=tuple(sources(connection).sources.values()),
    )


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

    rows = driver_rows(
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


def _remarks(connection: Connection, evidence_ids: Iterable[int]) -> dict[int, str]:
    """What publishers say beside their addresses, where they say something."""
    query = select(evidence.c.id, evidence.c.remark).where(evidence.c.remark != "")
    return dict(rows_with(connection, query, evidence.c.id, evidence_ids))


def standing_claims(connection: Connection) -> pd.DataFrame:
    """Every claim about units that stands now, for rules across sources.

    Columns: source, states, market, basis, powertrain, vehicle_scope, grain, maker, model (categories), month (the
    period's first, as year * 12 + month - 1), units.
    """
    words = ("source", "states", "market", "basis", "powertrain", "vehicle_scope", "grain", "maker", "model")
    about = driver_rows(
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
