"""The projection on a database: the record as known on a day, its fit, and what worlds played out with it come to.

Reading the record takes a second and simulating a world a fifth of one, so both are remembered, a few of each. A fit
takes longer than a page may: it is a file beside the database, which `python -m dashboard.fit` makes, and a server in
the background (`work_in_background`). Where it is missing `NotYetMade` says so; whoever can wait calls its `make`.
Nothing here is ever written to the database.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from queue import Full, Queue
from threading import Lock, Thread
from typing import Any, Final, Generic, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.projections import fitting, levers, model, parameters, record, scenarios, scoring, sensitivity
from dashboard.projections.fitting import Fit
from dashboard.projections.levers import ImpossibleLever, Levers
from dashboard.projections.record import Record, Unreadable
from dashboard.projections.regions import REGIONS
from dashboard.projections.scenarios import Scenario
from dashboard.projections.scoring import Prediction
from dashboard.projections.sensitivity import Bar
from dashboard.selection import InvalidSelection, NotPublished, NotYetMade
from db import Connection, market_claims, provenance, queries
from db.market_claims import Dataset
from db.provenance import Citation
from db.vocabulary import ALL, Basis, Grain, Powertrain

_log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

MAKER: Final = "tesla"

AREAS: Final[Mapping[str, tuple[str, ...]]] = {
    "world": REGIONS,
    "global": REGIONS,
    "nam": ("US", "CA"),
    "apac": ("CN", "KR", "ANZ", "JP"),
    **{region.lower(): (region,) for region in REGIONS},
}
"""What a link may name as a region, and the model's regions in it."""

FEW: Final = sensitivity.FEWER
"""Draws of the worlds that are drawn beside the one that was asked for."""

ROUTES: Final = ("local", "export", "both")
"""The scenarios between which a hedge is: one route, the other, and both at once."""

MAY_2024: Final = date(2024, 5, 31)
"""The end of the month in which both routes were reported: the day from which they are looked at with foresight."""


# What is remembered

Value = TypeVar("Value")


class _Recent(Generic[Value]):
    """The last few values made, by what they were made of. One is made at a time, each of them once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        with self._lock:
            value = self._values[key] if key in self._values else make()
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
            return value


# The record


@dataclass(frozen=True, eq=False)
class Told:
    """The record as known on `record.as_of`, the last day up to the one asked for on which something became known.

    `attach` are the rows of that table, `named_only` the markets whose registrations are those of named models: at
    least so many. `key` tells records apart, `folder` has their fits.
    """

    record: Record
    asked: date | None
    citations: tuple[Citation, ...]
    attach: pd.DataFrame
    named_only: tuple[str, ...]
    key: str
    folder: Path = field(default_factory=Path)

    @property
    def ended(self) -> date:
        """The last day of the quarter that the data end with."""
        return record.quarter_end(self.record.cut_off)


_TOLD: _Recent[Told] = _Recent(4)
_FITS: _Recent[Fit] = _Recent(4)
_OUTLOOKS: _Recent[Outlook] = _Recent(12)
_REACHES: _Recent[Mapping[str, Reach]] = _Recent(24)
_BACKTESTS: _Recent[tuple[Prediction, ...]] = _Recent(4)
_BARS: _Recent[Mapping[str, tuple[Bar, ...]]] = _Recent(8)


def fits_folder(database_url: str) -> Path:
    """Where fits are kept: beside the SQLite file, or in the working folder; the environment's FITS overrides."""
    named = os.environ.get("FITS")
    if named:
        return Path(named)
    beside = re.match(r"sqlite(?:\+\w+)?:///([^?]*)", database_url)
    return (Path(beside[1]).parent if beside and beside[1] else Path()) / "fits"


def told(connection: Connection, *, as_of: date | None, today: date) -> Told:
    """The record as known on a day, None for now. Raises `NotPublished` where there is too little to build it from."""
    url = connection.engine.url.render_as_string(hide_password=False)
    standing = provenance.standing_snapshots(connection, as_of=as_of)
    seen = sha256(repr([sorted(each.items()) for each in standing]).encode()).hexdigest()
    key = f"{url} {seen} {as_of or today}"
    found = _TOLD.get(key, lambda: _read(connection, as_of=as_of, today=today, key=key))
    return replace(found, folder=fits_folder(url))


_CLAIMED: Final = ("fsd_price", "attach", "fsd_event", "forecast")
_OF_THEIR_MONTH: Final = ("fx_rate", "tax_rate")
"""Tables of facts that everybody could know in their month, whenever they were downloaded."""


def _read(connection: Connection, *, as_of: date | None, today: date, key: str) -> Told:
    frames = {name: queries.records(connection, name, as_of=as_of) for name in _CLAIMED}
    of_month = {name: queries.records(connection, name) for name in _OF_THEIR_MONTH}
    nouns = queries.nouns(connection, as_of=as_of)
    places = sorted(queries.naming(connection, makers=[MAKER], basis=Basis.REGISTRATION) - nouns.regions)
    sold = {
        basis: market_claims.sales_figures(
            connection, markets=markets, bases=[basis], powertrains=powertrains, as_of=as_of
        )
        for basis, markets, powertrains in (
            (Basis.DELIVERY, ["WORLD"], [Powertrain.BEV]),
            (Basis.RETAIL, ["CN"], [Powertrain.BEV]),
            (Basis.REGISTRATION, places, [Powertrain.BEV, ALL.upper()]),
        )
    }
    world, china, registered = (_of_tesla(of) for of in sold.values())
    cars_told = registered[registered["market"] != "CN"]
    cars, named_only = _registrations(cars_told)
    whole = world[(world["model"] == ALL) & (world["grain"] == Grain.QUARTER)]
    of_china = china[china["model"] == ALL][["market", "period_start", "grain", "units"]]
    known = [day for frame in frames.values() for day in frame["known_from"]]
    known += [day for frame in (world, china, registered) for day in frame["known_from"]]
    known += [row for row in of_month["fx_rate"]["period_start"] if row <= (as_of or today)]
    asked = as_of or max([today, *known])
    known += [one.known_from for one in parameters.PRIORS if one.known_from <= asked]
    known += [one.known_from for one in scenarios.default_choices(asked)]
    known += [one.known_from for one in scenarios.scenarios(asked)]
    known += [one.known_from for one in scenarios.approvals(asked)]
    try:
        built = record.build(
            as_of=max(known),
            deliveries=whole.drop_duplicates("period_start"),
            registrations=pd.concat([cars, of_china]).drop_duplicates(["market", "period_start", "grain"]),
            fsd_price=frames["fsd_price"],
            attach=frames["attach"],
            fsd_event=frames["fsd_event"],
            forecast=frames["forecast"],
            fx_rate=of_month["fx_rate"],
            tax_rate=of_month["tax_rate"],
        )
    except Unreadable as error:
        raise NotPublished(f"there is no projection to show: {error}") from error
    used = {slug for frame in (world, china, cars_told) for slug in frame["source"]}
    cited = [tuple(one for one in of.citations if one.slug in used) for of in sold.values()]
    cited.append(provenance.record_citations(connection, *frames.values(), *of_month.values(), as_of=as_of))
    return Told(
        record=built,
        asked=as_of,
        citations=tuple({one.slug: one for citations in cited for one in citations}.values()),
        attach=frames["attach"],
        named_only=tuple(nouns.markets[code] for code in named_only),
        key=key,
    )


def _of_tesla(of: Dataset) -> pd.DataFrame:
    """Tesla's rows of figures, those of the first publisher first, with days as dates; published years, which only
    repeat others, left out."""
    frame, rank = of.frame, {cited.slug: cited.precedence for cited in of.citations}
    own = frame[(frame["maker"] == MAKER) & (frame["grain"] != Grain.YEAR)].copy()
    for name in ("market", "grain", "model", "powertrain", "source"):
        own[name] = own[name].astype(str)
    own["period_start"] = [date(month // 12, month % 12 + 1, 1) for month in own["month"].tolist()]
    own["known_from"] = [date(1970, 1, 1) + timedelta(days=day) for day in own["known_from"].tolist()]
    own["rank"] = [rank[source] for source in own["source"]]
    return own.sort_values("rank", kind="stable")


def _registrations(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """What publishers state of a market, period and grain, the one that counts first, and the markets of which only
    named models are published.

    Tesla makes battery cars only, so that its registrations of all cars are those of its battery cars: a maker's total
    counts before the sum of the models that are named.
    """
    key = ["market", "period_start", "grain"]
    whole = frame[frame["model"] == ALL].sort_values("powertrain", key=lambda of: of != Powertrain.BEV, kind="stable")
    parts = frame[(frame["model"] != ALL) & (frame["powertrain"] == Powertrain.BEV)]
    summed = pd.DataFrame(parts.groupby([*key, "rank"], as_index=False)["units"].sum())
    summed = summed.sort_values("rank", kind="stable")
    named_only = sorted(set(summed["market"]) - set(whole["market"]))
    return pd.concat([whole, summed])[[*key, "units"]], tuple(named_only)


# The fit


def fit(of: Told) -> Fit:
    """The fit of a record. Raises `NotYetMade` where it has yet to be made, `NotPublished` where it may not be used."""
    found = _FITS.get(of.key + str(of.folder), lambda: _stored_fit(of))
    if found.refusal:
        raise NotPublished(found.refusal[:1].lower() + found.refusal[1:].removesuffix("."))
    return found


def _stored_fit(of: Told) -> Fit:
    found = fitting.stored(of.record, of.folder)
    if found is None:
        _order(of, with_backtests=False)
        raise NotYetMade(
            _missing("the fit of the projection", of, takes="about half a minute"), make=lambda: make_fit(of)
        )
    return found


def _missing(what: str, of: Told, *, takes: str) -> str:
    asked = f" --as-of {of.asked}" if of.asked else ""
    return (
        f"{what} as known on {of.record.as_of} has yet to be computed, which takes {takes}. A server does so in the "
        f"background: ask again then; or run python -m dashboard.fit{asked}"
    )


def make_fit(of: Told, *, progress: Callable[[float], None] = lambda _: None) -> Fit:
    """Make the fit of a record and keep it, unless it is there already; what somebody else is making is waited for."""
    with _alone(of.folder):
        return fitting.make(of.record, of.folder, progress=progress)


def backtests(of: Told) -> tuple[Prediction, ...]:
    """What past fits said of the counts that came. Raises `NotYetMade` where they have yet to be made."""
    return _BACKTESTS.get(of.key + str(of.folder), lambda: _stored_backtests(of))


def _stored_backtests(of: Told) -> tuple[Prediction, ...]:
    found = scoring.stored(of.record, of.folder)
    if found is None:
        _order(of, with_backtests=True)
        raise NotYetMade(_missing("the back-test", of, takes="minutes"), make=lambda: make_backtests(of))
    return found


def make_backtests(of: Told, *, progress: Callable[[float], None] = lambda _: None) -> tuple[Prediction, ...]:
    """Make the back-tests of a record and keep them, unless they are there already."""
    with _alone(of.folder):
        return scoring.make(of.record, of.folder, progress=progress)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one process makes something in a folder at a time; where the system has no such locks, there is only one.

    Raises `NotPublished` for a folder that cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".making").open("w")
    except OSError as error:
        text = f"the fit of the projection cannot be kept in {folder} ({error.strerror}); name another folder with FITS"
        raise NotPublished(text) from error
    with lock:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
            for left in folder.glob(".fsd-*.part"):  # by a maker that was killed: nobody else makes anything here now
                left.unlink(missing_ok=True)
        yield


@dataclass(frozen=True)
class _Order:
    """What a page found missing: of which record, as known on which day, and whether the back-tests are meant."""

    key: str
    as_of: date | None
    with_backtests: bool


_ORDERS: Queue[_Order] = Queue(maxsize=8)
"""What is to be made, in the order in which pages asked for it; while it is full nothing more is taken on."""


def _order(of: Told, *, with_backtests: bool) -> None:
    with suppress(Full):
        _ORDERS.put_nowait(_Order(of.key, of.asked, with_backtests=with_backtests))


def work_in_background(database_url: str, *, then: Callable[[], None]) -> None:
    """Make what is missing in the background from now on: first the usual fits, then whatever a page finds missing.

    Another process does the work, one piece at a time and giving way to others, so that no page waits for it. `then` is
    called when the usual ones are there.
    """
    Thread(target=_work, args=(database_url, then), daemon=True).start()


def _work(database_url: str, then: Callable[[], None]) -> None:
    _run(database_url)
    then()
    done: set[_Order] = set()
    while True:
        order = _ORDERS.get()
        # A page that is asked again orders again; what failed is not tried without end.
        if order not in done:
            done.add(order)
            day = ["--as-of", order.as_of.isoformat()] if order.as_of else []
            _run(database_url, *day, *["--backtest"] * order.with_backtests)


def _run(database_url: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "dashboard.fit", "--quiet", *arguments]
    made = subprocess.run(
        command, env={**os.environ, "DATABASE_URL": database_url}, capture_output=True, text=True, check=False
    )
    if made.returncode:
        _log.warning("the projection's fit was not made: %s", made.stderr.strip())


# Worlds


@dataclass(frozen=True)
class World:
    """A scenario with what the reader moved of its levers: `moved` has their names and values as a link writes them."""

    scenario: Scenario
    levers: Levers
    moved: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The scenario's name, and how many levers are moved."""
        count = len(self.moved)
        return self.scenario.name + (f", {count} lever{'s' if count > 1 else ''} moved" if count else "")


def world(of: Told, slug: str, moved: Mapping[str, str], *, name: str = "scenario") -> World:
    """The world of a scenario and levers moved on top of it.

    Raises `InvalidSelection` for a scenario or a lever that does not exist or a value that cannot be, by its name;
    `NotPublished` for a scenario that nobody could think of on the day.
    """
    known = {one.slug: one for one in scenarios.scenarios(of.record.as_of)}
    if slug not in known:
        ever = [one.slug for one in scenarios.scenarios(date.max)]
        if slug in ever:
            raise NotPublished(f"the scenario {slug} could not be thought of by {of.record.as_of}")
        raise InvalidSelection(f"{name}={slug[:40]} is no scenario", name=name, valid=tuple(known))
    try:
        chosen = Levers.from_text(moved, defaults=known[slug].levers)
    except ImpossibleLever as error:
        text = str(error).split("; valid: ")[0]
        raise InvalidSelection(text, name=error.name, valid=(error.valid,)) from error
    return World(known[slug], chosen, tuple(sorted(moved.items())))


def lever_texts(of: Levers) -> dict[str, str]:
    """Every lever's value as a link writes it; of a region's only those that are set."""
    other: dict[str, Any] = {
        name: object() if not isinstance(getattr(of, name), tuple) else () for name in of.__dataclass_fields__
    }
    return of.text(defaults=Levers(**other))


@dataclass(frozen=True, eq=False)
class Reach:
    """How many have it in a world and area: N draws (rows) by Q quarters, summed over the area's regions.

    Cars at the quarter's end: `active` (owners and subscribers), `fleet` in use, `eligible`, `delivered`; in the
    quarter: `new_buyers`, `new_cars`.
    """

    quarters: NDArray[np.int64]
    active: Floats
    fleet: Floats
    eligible: Floats
    delivered: Floats
    new_buyers: Floats
    new_cars: Floats


@dataclass(frozen=True, eq=False)
class Outlook(Reach):
    """The same with what it brings, in US dollars without tax: of the quarter `cash` (outright), `booked` and
    `released` of it, `subscription`, `licence` (of Chinese makers: in China and the world); at its end `deferred`, and
    `arr`, a year at its end's rate.
    """

    cash: Floats
    booked: Floats
    released: Floats
    deferred: Floats
    subscription: Floats
    licence: Floats
    arr: Floats

    @property
    def recognised(self) -> Floats:
        """Revenue as it enters the accounts (N, Q): booked, released, subscriptions and licences."""
        return np.asarray(self.booked + self.released + self.subscription + self.licence)

    @property
    def received(self) -> Floats:
        """Money as it comes in (N, Q): outright sales, subscriptions and licences."""
        return np.asarray(self.cash + self.subscription + self.licence)


_CARS: Final = ("fleet", "eligible", "delivered", "new_buyers", "new_cars")
_DOLLARS: Final = ("cash", "booked", "released", "deferred", "subscription")


def outlook(of: Told, levers: Levers, regions: tuple[str, ...]) -> Outlook:
    """What levers come to in an area, on the fit's draws: those of all worlds are the same, so that two differ by their
    levers alone. Raises as `fit`."""
    draws = fit(of).draws
    return _OUTLOOKS.get(
        (of.key, str(of.folder), levers, regions), lambda: _summed(_simulated(of, levers, draws), regions)
    )


def reach(of: Told, levers: Levers, regions: tuple[str, ...]) -> Reach:
    """How far levers come in an area, on the first `FEW` of the fit's draws; all areas are remembered at once."""
    draws = fit(of).draws
    few = draws.first(min(FEW, len(draws)))
    by_region = _REACHES.get((of.key, str(of.folder), levers), lambda: _reaches(_simulated(of, levers, few)))
    parts = [by_region[region] for region in regions]
    sums = {name: np.sum([getattr(part, name) for part in parts], axis=0) for name in ("active", *_CARS)}
    return Reach(quarters=parts[0].quarters, **sums)


def _simulated(of: Told, levers: Levers, draws: parameters.Draws) -> model.Paths:
    """The paths of a world, region by region: they take too much memory to be remembered."""
    return model.simulate(scenarios.world(of.record, levers), draws)


def _reaches(paths: model.Paths) -> Mapping[str, Reach]:
    return {
        region: Reach(
            quarters=paths.quarters,
            active=paths.active((region,)).astype(np.float32),
            **{name: paths.total(name, (region,)).astype(np.float32) for name in _CARS},
        )
        for region in REGIONS
    }


def _summed(paths: model.Paths, regions: tuple[str, ...]) -> Outlook:
    sums = {name: paths.total(name, regions) for name in (*_CARS, *_DOLLARS)}
    sums["active"], sums["arr"] = paths.active(regions), paths.arr(regions)
    sums["licence"] = paths.licence if "CN" in regions else np.zeros_like(paths.licence)
    return Outlook(quarters=paths.quarters, **{name: each.astype(np.float32) for name, each in sums.items()})


@dataclass(frozen=True)
class Hedge:
    """What trying both routes at once is worth over the better one of them, in US dollars of recognised revenue.

    `plain` without and `discounted` with 10 % a year, both from `since` (a quarter) to 2035; `means` is each route's
    expected revenue without discount. What the routes cost is not in it.
    """

    since: int
    plain: float
    discounted: float
    means: Mapping[str, float]


RATE: Final = 0.1
"""The discount rate of a hedge's value, a year."""


def hedge(routes: Mapping[str, Outlook], *, since: int) -> Hedge:
    """The value of the hedge from the outlooks of the scenarios in `ROUTES` on the same draws:
    E[both] - max(E[local], E[export])."""
    values = []
    means: dict[str, float] = {}
    for rate in (0.0, RATE):
        revenue = {}
        for name in ROUTES:
            one = routes[name]
            later = one.quarters - since
            weights = np.where(later >= 0, (1 + rate) ** (-0.25 * np.maximum(later, 0)), 0.0)
            revenue[name] = float((one.recognised * weights).sum(axis=1, dtype=np.float64).mean())
        values.append(revenue["both"] - max(revenue["local"], revenue["export"]))
        means = means or revenue
    return Hedge(since=since, plain=values[0], discounted=values[1], means=means)


# What an outcome hangs on


def drivers(of: Told, scenario: Scenario, outcomes: Mapping[str, sensitivity.Outcome]) -> Mapping[str, tuple[Bar, ...]]:
    """The bars of outcomes in a scenario as it stands. Seconds the first time. `outcomes` are the same at each call."""
    draws = fit(of).draws
    key = (of.key, str(of.folder), scenario.slug)
    return _BARS.get(key, lambda: sensitivity.tornado(of.record, draws, scenario, outcomes))


def lever_names() -> tuple[str, ...]:
    """Every lever by the name that a link has for it, those of a region for each of them."""
    return tuple(
        f"{name.removesuffix('.REGION')}.{region}" if name.endswith(".REGION") else name
        for name in levers.NAMES
        for region in (REGIONS if name.endswith(".REGION") else ("",))
    )


def allowed(name: str) -> str:
    """What a lever's value can be, in words."""
    try:
        Levers.from_text({name: "?"}, defaults=Levers())
    except ImpossibleLever as error:
        return error.valid
    return ""


def choices(scenario: Scenario, *, as_of: date) -> Mapping[str, scenarios.Choice]:
    """The reason and range of each lever that has one: the scenario's own before the default's."""
    return {one.lever: one for one in (*scenarios.default_choices(as_of), *scenario.choices)}
