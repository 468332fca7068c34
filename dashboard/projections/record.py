"""What the model is told: deliveries by region, prices, published figures on buyers, events, as known on one day.

Every builder takes the frame of a table (its columns are in the docstring) and leaves out what was not yet known on
`as_of`. A frame that lacks a column, or a row that cannot be read, is refused with its row and the remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.projections.regions import AREAS_OF_RECORDS, EUROPE, OWN_REGION, PRICED_IN, REGIONS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Day = date  # for classes that have a member called date

FIRST_SALE: Final = date(2016, 10, 1)
"""When the package was first sold, in the US: no price or approval can be older."""


EARLIEST: Final = date(2021, 12, 31)
"""The first day that a record can be built of: by then the survey of the starting stocks was public."""


class Unreadable(Exception):
    """What was given cannot be read; the text names the table, the row and the remedy."""


def quarter_of(day: date) -> int:
    """The quarter that a day lies in, counted as year * 4 + 0..3."""
    return day.year * 4 + (day.month - 1) // 3


def quarter_start(quarter: int) -> date:
    """The first day of a quarter counted as `quarter_of` does."""
    return date(quarter // 4, quarter % 4 * 3 + 1, 1)


def quarter_end(quarter: int) -> date:
    """The last day of a quarter."""
    return quarter_start(quarter + 1) - timedelta(days=1)


def quarter_label(quarter: int) -> str:
    """A quarter as it is written: 2026-Q2."""
    return f"{quarter // 4}-Q{quarter % 4 + 1}"


@dataclass(frozen=True)
class Deliveries:
    """Cars delivered, quarter by quarter from `first` (R regions in the order of REGIONS, C quarters).

    `units` (R, C): cars, summing over regions to the maker's worldwide deliveries. `modelled` (R, C): whether a
    region's part is an estimate of ours rather than published registrations; even the others are scaled registrations,
    never a published delivery. `interpolated` (C): quarters whose worldwide figure is missing and stands between its
    neighbours.
    """

    first: int
    units: Floats
    modelled: Bools
    interpolated: Bools

    @property
    def last(self) -> int:
        """The last quarter that has deliveries."""
        return self.first + int(self.units.shape[1]) - 1


@dataclass(frozen=True)
class PriceStep:
    """A list price from a day on, in the region's own money as listed there; `amount` None = no longer offered."""

    region: str
    billing: str
    """`one_off` or `month`."""
    effective_from: date
    amount: float | None
    currency: str
    known_from: date


@dataclass(frozen=True)
class Observation:
    """A published figure that the fit is held against.

    `measure`: `active` (buyers for good and subscribers, cars), `owners_share` (share of the active who bought for
    good), `take_new` (share of new cars). `sd`: how far it may be off by rounding or sampling, in the same unit.
    """

    quarter: int
    regions: tuple[str, ...]
    measure: str
    value: float
    sd: float
    evidence: str
    known_from: date


@dataclass(frozen=True)
class Stock:
    """Cars with the package at the start of the simulation, by an owners' survey."""

    regions: tuple[str, ...]
    quarter: int
    cars: float
    known_from: date


@dataclass(frozen=True)
class Trial:
    """Cars that were given the package for free for a while."""

    quarter: int
    regions: tuple[str, ...]
    cars: float
    known_from: date


@dataclass(frozen=True)
class Event:
    """Something that happened, for the ribbon under a chart."""

    date: Day
    date_precision: str
    market: str
    kind: str
    text: str
    known_from: Day


@dataclass(frozen=True)
class Forecast:
    """Somebody's published forecast or target: `value` as printed, `low` and `high` None where it is a day."""

    made_on: date
    forecaster: str
    target_date: date
    region: str
    metric: str
    value: str
    low: float | None
    high: float | None
    unit: str
    outcome: str
    known_from: date


@dataclass(frozen=True, kw_only=True)
class Record:
    """All that the model is told, as known on `as_of`.

    `usd_per`: US dollars per unit of a currency by quarter from `first_rate`. `vat` (R, Q): tax contained in list
    prices by quarter from `first_rate`; 0 where prices are listed without tax.
    """

    as_of: date
    deliveries: Deliveries
    prices: tuple[PriceStep, ...] = ()
    observations: tuple[Observation, ...] = ()
    stocks: tuple[Stock, ...] = ()
    trials: tuple[Trial, ...] = ()
    events: tuple[Event, ...] = ()
    forecasts: tuple[Forecast, ...] = ()
    first_rate: int
    usd_per: Mapping[str, Floats] = field(default_factory=dict)
    vat: Floats = field(default_factory=lambda: np.zeros((len(REGIONS), 1)))

    @property
    def cut_off(self) -> int:
        """The last quarter with deliveries: from the next one on everything is projected."""
        return self.deliveries.last

    def with_observations(self, observations: tuple[Observation, ...]) -> Record:
        """The same record held against other figures."""
        return replace(self, observations=observations)


def build(
    *,
    as_of: date,
    deliveries: pd.DataFrame,
    registrations: pd.DataFrame,
    fsd_price: pd.DataFrame,
    attach: pd.DataFrame,
    fsd_event: pd.DataFrame,
    forecast: pd.DataFrame,
    fx_rate: pd.DataFrame,
    tax_rate: pd.DataFrame,
) -> Record:
    """The record as known on `as_of`, from the frames of the tables; columns as in the function of each.

    The record of a day before `EARLIEST` cannot be built, as the simulation starts there. Exchange rates and taxes are
    facts of their month: they count as known then, whenever they were downloaded.

    Raises `Unreadable` for that, a missing column, a row that cannot be read, and too few deliveries or registrations.
    """
    if as_of < EARLIEST:
        raise Unreadable(f"the projection starts in mid-2021 and cannot be seen as of {as_of}; ask from {EARLIEST} on")
    cars = split_deliveries(deliveries, registrations, as_of=as_of)
    first_rate, usd_per = exchange_rates(fx_rate, as_of=as_of)
    quarters = len(next(iter(usd_per.values())))
    return Record(
        as_of=as_of,
        deliveries=cars,
        prices=price_steps(fsd_price, as_of=as_of),
        observations=observations(attach, as_of=as_of),
        stocks=starting_stocks(attach, as_of=as_of),
        trials=trials(attach, as_of=as_of),
        events=events(fsd_event, as_of=as_of),
        forecasts=forecasts(forecast, as_of=as_of),
        first_rate=first_rate,
        usd_per=usd_per,
        vat=contained_tax(tax_rate, first=first_rate, quarters=quarters),
    )


ASSUMED_SHARE: Final = {"CA": 0.035, "KR": 0.02, "ANZ": 0.02, "JP": 0.004}
"""Share of worldwide deliveries in regions of whose registrations there are none in the record: judgement, not figures.

They matter little: together 8 % of deliveries, and all but Canada (where prices and rules follow the US) opened late.
"""


def split_deliveries(deliveries: pd.DataFrame, registrations: pd.DataFrame, *, as_of: date) -> Deliveries:
    """Worldwide deliveries split over the regions by their shares of published registrations.

    `deliveries`: period_start, units (quarters). `registrations`: market, period_start, grain, units; the maker's cars
    in any market, by month, quarter or year, China's retail sales too. A market's quarter counts where all of it is
    published; between such quarters its share of deliveries is drawn as a straight line, after the last one it stays at
    the mean of the last four, before the first at the first. Regions without any registrations take `ASSUMED_SHARE`,
    and the rest of the world what remains. If parts exceed the whole (cars are registered later than delivered), they
    are scaled down to it.
    """
    _need(deliveries, "deliveries", ("period_start", "units"))
    _need(registrations, "registrations", ("market", "period_start", "grain", "units"))
    world: dict[int, float] = {}
    for row in deliveries.to_dict("records"):
        quarter = quarter_of(_day(row["period_start"], "deliveries"))
        if quarter in world:
            raise Unreadable(f"deliveries: {quarter_label(quarter)} is given twice; keep the row that stands")
        if quarter_end(quarter) <= as_of:
            world[quarter] = _number(row["units"], "deliveries", quarter_label(quarter))
    if len(world) < 5:
        raise Unreadable(f"deliveries: fewer than five quarters are known on {as_of}; load the maker's deliveries")
    first, last = min(world), max(world)
    quarters = np.arange(first, last + 1)
    known = np.array(sorted(world))
    total = np.interp(quarters, known, [world[quarter] for quarter in known])
    share = np.zeros((len(REGIONS), len(quarters)))
    modelled = np.ones_like(share, dtype=bool)
    published: dict[str, set[int]] = {region: set() for region in REGIONS}
    for market, cars in _whole_quarters(registrations, as_of=as_of).items():
        region = "EU" if market in EUROPE else OWN_REGION.get(market)
        kept = {quarter: units for quarter, units in cars.items() if quarter in world}
        if region is None or not kept:
            continue
        at = np.array(sorted(kept))
        shares = np.array([kept[quarter] / world[quarter] for quarter in at])
        filled = np.interp(quarters, at, shares)
        filled[quarters > at[-1]] = shares[-4:].mean()
        share[REGIONS.index(region)] += filled
        published[region] |= set(kept)
    if not published["US"]:
        raise Unreadable(f"registrations: none of the US are known on {as_of}; load them, or ask of a later day")
    for region, assumed in ASSUMED_SHARE.items():
        if not published[region]:
            share[REGIONS.index(region)] = assumed
    for index, region in enumerate(REGIONS):
        modelled[index] = [quarter not in published[region] for quarter in quarters]
    share /= np.maximum(share.sum(axis=0), 1.0)
    share[-1] = np.maximum(1.0 - share[:-1].sum(axis=0), 0.0)
    return Deliveries(
        first=first,
        units=share * total,
        modelled=modelled,
        interpolated=np.array([quarter not in world for quarter in quarters]),
    )


def _whole_quarters(registrations: pd.DataFrame, *, as_of: date) -> dict[str, dict[int, float]]:
    """Per market the quarters that are published whole, in cars."""
    months: dict[str, dict[int, dict[int, float]]] = {}
    quarters: dict[str, dict[int, float]] = {}
    for row in registrations.to_dict("records"):
        market, grain = str(row["market"]), str(row["grain"])
        day = _day(row["period_start"], "registrations")
        quarter, name = quarter_of(day), f"{market} {day}"
        units = _number(row["units"], "registrations", name)
        if quarter_end(quarter) > as_of:
            continue
        if grain == "month":
            if day.month in months.setdefault(market, {}).setdefault(quarter, {}):
                raise Unreadable(f"registrations: {name} is given twice; choose one source")
            months[market][quarter][day.month] = units
        elif grain == "quarter":
            if quarter in quarters.setdefault(market, {}):
                raise Unreadable(f"registrations: {name} is given twice; choose one source")
            quarters[market][quarter] = units
        elif grain != "year":  # a year cannot be cut into quarters
            raise Unreadable(f"registrations: {name} has grain '{grain}'; give month, quarter or year")
    for market, found in months.items():
        for quarter, parts in found.items():
            if len(parts) == 3:
                quarters.setdefault(market, {}).setdefault(quarter, sum(parts.values()))
    return quarters


def price_steps(frame: pd.DataFrame, *, as_of: date) -> tuple[PriceStep, ...]:
    """List prices of the full package in each region's price market, in the order of their days.

    `frame`: maker, market, package, currency, billing (one_off, month, withdrawn), effective_from, amount, known_from.
    Packages other than `FSD` and `FSD_subscription` (upgrades, rates for owners of lesser packages) are not prices
    that a new buyer meets, and left out. A withdrawal ends the one-off price.
    """
    _need(frame, "fsd_price", ("market", "package", "currency", "billing", "effective_from", "amount", "known_from"))
    steps = []
    regions = {market: region for region, market in PRICED_IN.items()}
    for row in frame.to_dict("records"):
        if str(row.get("maker", "tesla")).lower() != "tesla" or row["market"] not in regions:
            continue
        package = str(row["package"]).lower().replace("-", "_").replace(" ", "_")
        if package not in ("fsd", "fsd_subscription") or _day(row["known_from"], "fsd_price") > as_of:
            continue
        name = f"{row['market']} {row['package']} {row['effective_from']}"
        billing = str(row["billing"])
        if billing not in ("one_off", "month", "withdrawn"):
            raise Unreadable(f"fsd_price: {name} has billing '{billing}'; give one_off, month or withdrawn")
        amount = None if billing == "withdrawn" else _number(row["amount"], "fsd_price", name)
        if amount is not None and amount <= 0:
            raise Unreadable(f"fsd_price: {name} has the price {amount}; give one above zero")
        steps.append(
            PriceStep(
                region=regions[row["market"]],
                billing="month" if package == "fsd_subscription" else "one_off",
                effective_from=_day(row["effective_from"], "fsd_price"),
                amount=amount,
                currency=str(row["currency"]),
                known_from=_day(row["known_from"], "fsd_price"),
            )
        )
    return tuple(sorted(steps, key=lambda step: (step.region, step.billing, step.effective_from, step.known_from)))


MEASURES: Final = {
    "active_subscriptions": "active",
    "paid_users": "active",
    "paid_upfront_share": "owners_share",
    "new_sales_take_rate": "take_new",
}
"""Which published figures the fit is held against, by their basis in the table. Others are checks or overlays: counts
of test cars, a share of the fleet from the same disclosure as a count (the CFO's 12 %), net additions."""

START: Final = 2021 * 4 + 1
"""The quarter whose stocks the simulation starts from: the last one with an owners' survey by region (2021-Q2)."""

RELATIVE_SD: Final = {"survey": 0.15, "estimate": 0.25}
"""How far a survey or an estimate may be off, as a share of its value; judgement."""


def observations(frame: pd.DataFrame, *, as_of: date) -> tuple[Observation, ...]:
    """The published figures that the fit is held against, one per quarter, measure and area, oldest first.

    `frame`: as_of, region, attach_basis, model, value, low, high, evidence (disclosed, survey, estimate), known_from.
    Only figures on all models, after the start of the simulation, and disclosed or surveyed: a press claim without a
    method carries no weight. Of several in one quarter the one with the narrowest range counts (1.28 million supersedes
    "about 1.3 million"), and a later restatement supersedes an earlier one; a count within a quarter that ends with a
    published count is dropped. `sd` is that of a rounded figure, its range over the square root of 12; not less than
    1 % of the value, as no fleet model is better.
    """
    best: dict[tuple[int, tuple[str, ...], str], Observation] = {}
    for row, quarter, area in _attach_rows(frame, as_of=as_of):
        measure, evidence = MEASURES.get(str(row["attach_basis"])), str(row["evidence"])
        if measure is None or quarter <= START or evidence == "estimate" or not _whole(row):
            continue
        name = f"{row['region']} {row['attach_basis']} {row['as_of']}"
        value = _number(row["value"], "attach", name)
        low, high = (_number(row[end], "attach", name) if pd.notna(row[end]) else value for end in ("low", "high"))
        least = 0.01 * value if measure == "active" else 0.02
        sd = max((high - low) / np.sqrt(12.0), least, RELATIVE_SD.get(evidence, 0.0) * value)
        made = Observation(quarter, area, measure, value, float(sd), evidence, _day(row["known_from"], "attach"))
        other = best.get((quarter, area, measure))
        if other is None or (-made.sd, made.known_from) >= (-other.sd, other.known_from):
            best[quarter, area, measure] = made
    return tuple(sorted(best.values(), key=lambda made: (made.quarter, made.measure, made.regions)))


def starting_stocks(frame: pd.DataFrame, *, as_of: date) -> tuple[Stock, ...]:
    """Cars with the package in 2021-Q2 by the owners' survey: North America, Europe, Asia-Pacific; columns as above."""
    return tuple(
        Stock(area, quarter, _number(row["value"], "attach", str(row["region"])), _day(row["known_from"], "attach"))
        for row, quarter, area in _attach_rows(frame, as_of=as_of)
        if row["attach_basis"] == "paid_users" and quarter == START and len(area) < len(REGIONS) and _whole(row)
    )


def trials(frame: pd.DataFrame, *, as_of: date) -> tuple[Trial, ...]:
    """Cars given a free trial, in the quarter in which it began; columns as above."""
    return tuple(
        Trial(quarter, area, _number(row["value"], "attach", str(row["as_of"])), _day(row["known_from"], "attach"))
        for row, quarter, area in _attach_rows(frame, as_of=as_of)
        if row["attach_basis"] == "trial_vehicles"
    )


def _attach_rows(frame: pd.DataFrame, *, as_of: date) -> list[tuple[dict[Any, Any], int, tuple[str, ...]]]:
    """The rows known on the day that are about a region of ours, with their quarter and regions."""
    columns = ("as_of", "region", "attach_basis", "model", "value", "low", "high", "evidence", "known_from")
    _need(frame, "attach", columns)
    return [
        (dict(row), quarter_of(_day(row["as_of"], "attach")), AREAS_OF_RECORDS[str(row["region"])])
        for row in frame.to_dict("records")
        if str(row["region"]) in AREAS_OF_RECORDS and _day(row["known_from"], "attach") <= as_of
    ]


def _whole(row: Mapping[Any, Any]) -> bool:
    """Whether a row is about all models."""
    return str(row["model"]).lower() == "all"


def events(frame: pd.DataFrame, *, as_of: date) -> tuple[Event, ...]:
    """What happened, oldest first. `frame`: date, date_precision, market, kind, text, known_from."""
    _need(frame, "fsd_event", ("date", "date_precision", "market", "kind", "text", "known_from"))
    made = [
        Event(
            date=_day(row["date"], "fsd_event"),
            date_precision=str(row["date_precision"]),
            market=str(row["market"]),
            kind=str(row["kind"]),
            text=str(row["text"]),
            known_from=_day(row["known_from"], "fsd_event"),
        )
        for row in frame.to_dict("records")
    ]
    return tuple(sorted((event for event in made if event.known_from <= as_of), key=lambda event: event.date))


def forecasts(frame: pd.DataFrame, *, as_of: date) -> tuple[Forecast, ...]:
    """Others' forecasts, oldest first; where one was restated or its outcome added, as last known.

    `frame`: made_on, forecaster, target_date, region, metric, value, low, high, unit, outcome, known_from.
    """
    columns = ("made_on", "forecaster", "target_date", "region", "metric", "value", "low", "high", "unit", "outcome")
    _need(frame, "forecast", (*columns, "known_from"))
    made: dict[tuple[object, ...], Forecast] = {}
    for row in frame.to_dict("records"):
        name = f"{row['forecaster']} {row['made_on']}"
        low, high = (
            _number(row[end], "forecast", name) if pd.notna(row[end]) and row[end] != "" else None
            for end in ("low", "high")
        )
        one = Forecast(
            made_on=_day(row["made_on"], "forecast"),
            forecaster=str(row["forecaster"]),
            target_date=_day(row["target_date"], "forecast"),
            region=str(row["region"]),
            metric=str(row["metric"]),
            value=str(row["value"]),
            low=low,
            high=high,
            unit=str(row["unit"]),
            outcome=str(row["outcome"]) if pd.notna(row["outcome"]) else "",
            known_from=_day(row["known_from"], "forecast"),
        )
        key = (one.made_on, one.forecaster, one.target_date, one.region, one.metric)
        if one.known_from <= as_of and (key not in made or made[key].known_from <= one.known_from):
            made[key] = one
    return tuple(sorted(made.values(), key=lambda one: one.made_on))


def exchange_rates(frame: pd.DataFrame, *, as_of: date) -> tuple[int, dict[str, Floats]]:
    """The first quarter, and US dollars per unit of each currency, quarter by quarter.

    `frame`: period_start (months), currency, rate (units per euro). A quarter takes the mean of its months; one that is
    missing takes the one before it. All currencies run to the last quarter of any.
    """
    _need(frame, "fx_rate", ("period_start", "currency", "rate"))
    rates: dict[str, dict[int, list[float]]] = {"EUR": {}}
    for row in frame.to_dict("records"):
        day, currency = _day(row["period_start"], "fx_rate"), str(row["currency"])
        if day <= as_of:
            rate = _number(row["rate"], "fx_rate", f"{currency} {day}")
            rates.setdefault(currency, {}).setdefault(quarter_of(day), []).append(rate)
    if "USD" not in rates:
        raise Unreadable(f"fx_rate: no rate of the US dollar is known on {as_of}; load the central bank's rates")
    rates["EUR"] = {quarter: [1.0] for quarter in rates["USD"]}
    first = min(rates["USD"])
    quarters = range(first, max(rates["USD"]) + 1)
    per_euro = {
        currency: pd.Series({quarter: np.mean(found) for quarter, found in one.items()}).reindex(quarters).ffill()
        for currency, one in rates.items()
    }
    return first, {
        currency: (per_euro["USD"] / one).to_numpy(dtype=float)
        for currency, one in per_euro.items()
        if one.notna().all()
    }


def contained_tax(frame: pd.DataFrame, *, first: int, quarters: int) -> Floats:
    """The tax contained in list prices (R, Q), by quarter from `first`, as a share of the price without it.

    `frame`: market, tax, effective_from, rate; only rates on all cars. Prices in the US and Canada are
    listed without tax, and those of the rest of the world are the US price: 0. Elsewhere the rate in force on the
    quarter's first day.
    """
    _need(frame, "tax_rate", ("market", "tax", "effective_from", "rate"))
    rows = frame.to_dict("records")
    table = np.zeros((len(REGIONS), quarters))
    for region, market in PRICED_IN.items():
        if region in ("US", "CA"):
            continue
        steps = sorted(
            (_day(row["effective_from"], "tax_rate"), _number(row["rate"], "tax_rate", market))
            for row in rows
            if row["market"] == market and pd.notna(row["rate"]) and str(row.get("applies_to", "all")) == "all"
        )
        if not steps:
            raise Unreadable(f"tax_rate: there is no rate of {market}; load it, prices there contain tax")
        for index in range(quarters):
            start = quarter_start(first + index)
            table[REGIONS.index(region), index] = ([steps[0][1]] + [rate for day, rate in steps if day <= start])[-1]
    return table


def _need(frame: pd.DataFrame, table: str, columns: tuple[str, ...]) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise Unreadable(f"{table}: the column {missing[0]} is missing; needed: {', '.join(columns)}")


def _day(value: Any, table: str) -> date:
    try:
        day = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise Unreadable(f"{table}: '{value}' is no date; write it as 2026-06-30") from error
    if pd.isna(day):
        raise Unreadable(f"{table}: a date is missing; write it as 2026-06-30")
    return day.date()


def _number(value: Any, table: str, row: str) -> float:
    try:
        number = float(value)
    except (ValueError, TypeError) as error:
        raise Unreadable(f"{table}: {row} has '{value}' for a number; write it in plain digits") from error
    if not np.isfinite(number) or number < 0:
        raise Unreadable(f"{table}: {row} has the number {value}; it has to be there and not below zero")
    return number
