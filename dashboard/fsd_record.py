"""The record of paid driver assistance: what it cost, which share of owners pays, what was forecast and what came.

Pure: frames of `queries.records` in, dataclasses out. Nothing is filled in: an offer that ends has an end and no price,
a share is made of two counts only where both are published, and a forecast is scored only where its outcome is in the
record.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pandas as pd

from dashboard.prices import Price, PricedLine, Quote
from dashboard.projections.record import quarter_end, quarter_of
from db.vocabulary import (
    ALL,
    OPEN_END,
    AttachBasis,
    Billing,
    DatePrecision,
    Evidence,
    PriceKind,
    RangeCycle,
    TaxIncluded,
    Word,
)

MAKER: Final = "tesla"
"""Whose package it is."""

PURCHASE: Final = "FSD"
"""The package bought for good."""

MONTHLY: Final = "FSD_subscription"
"""The same by the month."""

HOLDING_MONTHS: Final = 48
"""Months over which a purchase is spread to set it beside a monthly price: four years, about what an owner keeps a new
car for. A judgement: the package stays with the car, and no resale value is taken off."""

_TAX: Final[Mapping[str, TaxIncluded]] = {
    "USD": TaxIncluded.NO,
    "CAD": TaxIncluded.NO,
    **dict.fromkeys(("EUR", "GBP", "AUD", "NZD", "JPY", "KRW", "CNY"), TaxIncluded.YES),
}
"""Whether tax is in a price as makers print it, by its currency: American prices are printed without."""

GLOBAL: Final = "GLOBAL"
"""The region of figures about all of Tesla's cars."""

SHARES: Final = (AttachBasis.TAKE_RATE, AttachBasis.ALL_DELIVERED, AttachBasis.FLEET_ATTACH, AttachBasis.ELIGIBLE)
"""The four definitions of a share that pays: different wholes, never on one axis."""

_PAYING: Final = (AttachBasis.ACTIVE_SUBSCRIPTIONS, AttachBasis.PAID_USERS)
"""Counts of those who pay, which a share is made of where the whole is published too."""


# Offers


@dataclass(frozen=True)
class Ending:
    """The day from which a package is not offered any more; `row` is its place in the frame."""

    market: str
    package: str
    day: date
    precision: DatePrecision
    evidence: Evidence
    note: str
    row: int


@dataclass(frozen=True)
class OfferLine:
    """What one package cost in one market while it was offered, oldest price first; `ending` None if none is known."""

    priced: PricedLine
    ending: Ending | None

    @property
    def market(self) -> str:
        """The market's code."""
        return self.priced.key.market

    @property
    def package(self) -> str:
        """The package as the record calls it."""
        return self.priced.key.model

    @property
    def billing(self) -> Billing:
        """How it is paid for."""
        return Billing(self.priced.key.trim)

    @property
    def last(self) -> Price:
        """The last price known."""
        return self.priced.prices[-1]

    def per_month(self, price: Price) -> float:
        """A price by the month, in its currency: a purchase spread over `HOLDING_MONTHS`."""
        return price.amount / HOLDING_MONTHS if self.billing is Billing.ONE_OFF else price.amount


def offered_quotes(frame: pd.DataFrame) -> tuple[Quote, ...]:
    """The prices among rows of `fsd_price`, as quotes whose model is the package and whose trim the billing."""
    return tuple(
        Quote(
            market=told["market"],
            maker=told["maker"],
            model=told["package"],
            trim=told["billing"],
            powertrain=ALL,
            kind=PriceKind.LIST,
            currency=told["currency"],
            tax_included=_TAX.get(told["currency"], TaxIncluded.UNKNOWN),
            day=told["effective_from"],
            precision=DatePrecision(told["date_precision"]),
            amount=float(told["amount"]),
            battery_kwh=None,
            range_km=None,
            range_cycle=RangeCycle.NONE,
            evidence=Evidence(told["evidence"]),
            note=told["note"],
            row=row,
        )
        for row, told in enumerate(frame.to_dict("records"))
        if _number(told["amount"]) is not None
    )


def endings(frame: pd.DataFrame) -> tuple[Ending, ...]:
    """The ends of offers among rows of `fsd_price`, oldest first."""
    found = [
        Ending(
            market=told["market"],
            package=told["package"],
            day=told["effective_from"],
            precision=DatePrecision(told["date_precision"]),
            evidence=Evidence(told["evidence"]),
            note=told["note"],
            row=row,
        )
        for row, told in enumerate(frame.to_dict("records"))
        if told["billing"] == Billing.WITHDRAWN
    ]
    return tuple(sorted(found, key=lambda ending: (ending.day, ending.market, ending.package)))


def offer_lines(lines: Iterable[PricedLine], ended: Sequence[Ending]) -> tuple[OfferLine, ...]:
    """Lines of prices with their ends; one that goes on after an end is two offers, since nothing was sold between."""
    found = []
    for line in lines:
        days = [each.day for each in ended if (each.market, each.package) == (line.key.market, line.key.model)]
        own = [each for each in ended if (each.market, each.package) == (line.key.market, line.key.model)]
        parts: dict[int, list[Price]] = {}
        for price in line.prices:
            parts.setdefault(bisect_right(days, price.quote.day), []).append(price)
        for part, prices in parts.items():
            ending = own[part] if part < len(own) else None
            found.append(OfferLine(PricedLine(line.line, tuple(prices)), ending))
    return tuple(found)


@dataclass(frozen=True)
class Term:
    """The terms of an offer on a day, and what is said of its spread; what is not stated is None or empty."""

    day: date
    precision: DatePrecision
    billing: Billing
    amount: float | None
    currency: str
    sae_level: str
    attach_value: float | None
    attach_unit: str
    evidence: Evidence
    row: int


@dataclass(frozen=True)
class MakerOffer:
    """A maker's package in a market: its terms as they became known, oldest first, never none."""

    market: str
    maker: str
    package: str
    terms: tuple[Term, ...]

    @property
    def last(self) -> tuple[Term, ...]:
        """The last terms known: those of one day; a row that tells no price counts only where there is no other."""
        priced_terms = [term for term in self.terms if term.billing is not Billing.UNSTATED] or list(self.terms)
        told = [term for term in priced_terms if term.amount is not None or term.billing in _WITHOUT_AMOUNT]
        last = (told or priced_terms)[-1]
        return tuple(term for term in told or priced_terms if term.day == last.day)

    @property
    def is_free(self) -> bool:
        """Whether by the last terms known it comes with the car."""
        return all(term.billing is Billing.INCLUDED for term in self.last)

    @property
    def is_known(self) -> bool:
        """Whether it is known how it is paid for, if at all, and that it is still offered."""
        return all(term.billing not in (Billing.UNSTATED, Billing.WITHDRAWN) for term in self.last)

    @property
    def rows(self) -> tuple[int, ...]:
        """The places of its terms in the frame."""
        return tuple(term.row for term in self.terms)


_WITHOUT_AMOUNT: Final = (Billing.INCLUDED, Billing.WITHDRAWN)


def maker_offers(frame: pd.DataFrame) -> tuple[MakerOffer, ...]:
    """The offers that rows of `adas_offer` are about."""
    found: dict[tuple[str, str, str], list[Term]] = {}
    for row, told in enumerate(frame.to_dict("records")):
        term = Term(
            day=told["effective_from"],
            precision=DatePrecision(told["date_precision"]),
            billing=Billing(told["billing"]),
            amount=_number(told["amount"]),
            currency=told["currency"],
            sae_level=told["sae_level"],
            attach_value=_number(told["attach_value"]),
            attach_unit=told["attach_unit"],
            evidence=Evidence(told["evidence"]),
            row=row,
        )
        found.setdefault((told["market"], told["maker"], told["package"]), []).append(term)
    return tuple(
        MakerOffer(*key, tuple(sorted(terms, key=lambda term: (term.day, term.row)))) for key, terms in found.items()
    )


# Who pays


@dataclass(frozen=True)
class AttachPoint:
    """A published figure on who pays, or a share made of two of them.

    `value` lies between `low` and `high` (rounding, or the ends of a range), in `unit`. `counts` has for a computed
    share the places in the frame of the figures behind it; `quarters` the first and the last quarter whose deliveries
    are in it.
    """

    as_of: date
    region: str
    basis: AttachBasis
    model: str
    estimator: str
    value: float
    low: float
    high: float
    unit: str
    evidence: Evidence
    url: str
    note: str
    row: int
    counts: tuple[int, ...] = ()
    quarters: tuple[int, int] | None = None

    @property
    def is_of_all_models(self) -> bool:
        """Whether it is about all of Tesla's models."""
        return self.model.upper() == ALL.upper()

    @property
    def is_computed(self) -> bool:
        """Whether it is made here of published figures."""
        return bool(self.counts)

    @property
    def counted_by(self) -> str:
        """Who counts, whichever quarter's paper it stands in: one counter's points about the same cars are a series."""
        return _PAPER.sub("Tesla's quarterly update", self.estimator)

    @property
    def is_disclosed(self) -> bool:
        """Whether it was stated by the company or an authority, and is not asked of some owners or estimated."""
        return self.evidence not in (Evidence.SURVEY, Evidence.ESTIMATE)


_PAPER: Final = re.compile(r"^Tesla Q[1-4] \d{4} (?:update|call).*$")
"""How the record names a paper of Tesla's that states the same count every quarter."""


def attach_points(frame: pd.DataFrame) -> tuple[AttachPoint, ...]:
    """The figures of rows of `attach`, oldest first."""
    found = [
        AttachPoint(
            as_of=told["as_of"],
            region=told["region"],
            basis=AttachBasis(told["attach_basis"]),
            model=told["model"],
            estimator=told["estimator"],
            value=told["value"],
            low=told["low"],
            high=told["high"],
            unit=told["unit"],
            evidence=Evidence(told["evidence"]),
            url=told["url"],
            note=told["note"],
            row=row,
        )
        for row, told in enumerate(frame.to_dict("records"))
    ]
    return tuple(sorted(found, key=lambda point: (point.as_of, point.basis, point.region, point.model, point.row)))


def over_delivered(points: Sequence[AttachPoint], deliveries: Mapping[int, float]) -> tuple[AttachPoint, ...]:
    """The share of all cars ever delivered that pays, where the counts allow it: paying users over cars delivered.

    `deliveries` are Tesla's worldwide, by quarter. The cars delivered up to a quarter's end are those that Tesla
    disclosed for the nearest one, less or plus its deliveries between the two; no quarter between may be missing. The
    ends carry the rounding of both counts. Nothing is made for a day of which the share itself is disclosed.
    """
    anchors = [
        point
        for point in points
        if point.basis is AttachBasis.CUMULATIVE_DELIVERIES and _is_of_all(point) and point.as_of == _end_of(point)
    ]
    published = {
        point.as_of
        for point in points
        if point.basis is AttachBasis.ALL_DELIVERED and _is_of_all(point) and point.is_disclosed
    }
    found = []
    for count in points:
        if count.basis not in _PAYING or not _is_of_all(count) or count.as_of != _end_of(count):
            continue
        at = quarter_of(count.as_of)
        near = sorted(anchors, key=lambda anchor: abs(quarter_of(anchor.as_of) - at))
        if not near or count.as_of in published:
            continue
        anchor, of_anchor = near[0], quarter_of(near[0].as_of)
        between = range(min(at, of_anchor) + 1, max(at, of_anchor) + 1)
        if not all(quarter in deliveries for quarter in between):
            continue
        moved = math.copysign(sum(deliveries[quarter] for quarter in between), at - of_anchor)
        least, value, most = (each + moved for each in (anchor.low, anchor.value, anchor.high))
        if least <= 0:
            continue
        found.append(
            AttachPoint(
                as_of=count.as_of,
                region=count.region,
                basis=AttachBasis.ALL_DELIVERED,
                model=count.model,
                estimator=count.estimator,
                value=count.value / value,
                low=count.low / most,
                high=min(count.high / least, 1.0),
                unit="share",
                evidence=count.evidence,
                url=count.url,
                note=f"{count.value:,.0f} paying of {value:,.0f} delivered",
                row=count.row,
                counts=(count.row, anchor.row),
                quarters=(between[0], between[-1]) if len(between) else None,
            )
        )
    return tuple(found)


def _is_of_all(point: AttachPoint) -> bool:
    return point.region == GLOBAL and point.is_of_all_models


def _end_of(point: AttachPoint) -> date:
    return quarter_end(quarter_of(point.as_of))


# Forecasts


class Verdict(Word):
    """What came of a forecast, as judged on a day."""

    SCORED = "scored", "its outcome is in the record"
    LATE = "late", "what it expected came after its day, or has not been seen yet"
    OPEN = "open", "its day has not come"
    UNANSWERED = "unanswered", "its day has passed, and the record has no figure that it could be held against"


@dataclass(frozen=True)
class Forecast:
    """What somebody expected: a number from `low` to `high`, or that something happens by the target day."""

    published: date
    forecaster: str
    target: date | None
    region: str
    metric: str
    text: str
    low: float | None
    high: float | None
    unit: str
    outcome: str
    outcome_url: str
    url: str
    note: str
    row: int

    @property
    def is_date(self) -> bool:
        """Whether it is about a day, not about a number."""
        return self.unit == "date"


@dataclass(frozen=True)
class Outcome:
    """What came: a number from `low` to `high`, or a day (all three None where it has not been seen)."""

    low: float | None = None
    high: float | None = None
    day: date | None = None
    told_by: str = ""
    url: str = ""


@dataclass(frozen=True)
class Scored:
    """A forecast with what came of it.

    `error` are the least and the largest it can be off by, as fractions of the outcome: (0, 0) where the two meet.
    `months_late` is from the target day to the outcome, or to `judged_on` where it has not been seen: then it is the
    least it can be.
    """

    forecast: Forecast
    verdict: Verdict
    outcome: Outcome | None = None
    error: tuple[float, float] | None = None
    months_late: float | None = None

    @property
    def is_seen(self) -> bool:
        """Whether what was expected has come."""
        return self.outcome is not None


_DAYS_OF_MONTH: Final = 365.25 / 12


def forecasts(frame: pd.DataFrame) -> tuple[Forecast, ...]:
    """The rows of `forecast`, the earliest target first; one without a target day comes last."""
    found = [
        Forecast(
            published=told["made_on"],
            forecaster=told["forecaster"],
            target=None if told["target_date"] >= OPEN_END else told["target_date"],
            region=told["region"],
            metric=told["metric"],
            text=told["value"],
            low=_number(told["low"]),
            high=_number(told["high"]),
            unit=told["unit"],
            outcome=told["outcome"],
            outcome_url=told["outcome_url"],
            url=told["url"],
            note=told["note"],
            row=row,
        )
        for row, told in enumerate(frame.to_dict("records"))
    ]
    return tuple(sorted(found, key=lambda each: (each.target or OPEN_END, each.published, each.forecaster, each.row)))


@dataclass(frozen=True)
class Approval:
    """That somebody with the say approved the package in a market."""

    day: date
    market: str
    text: str
    url: str


_APPROVES: Final = re.compile(r"\bapproves\b|\btype approval\b|\brecogni[sz]es\b.*\bapproval\b", re.IGNORECASE)
"""How the record words an approval that was given; those asked for, hoped for or put off are worded otherwise."""

_DENIES: Final = re.compile(r"\b(?:no|not|against|before|pending)\b", re.IGNORECASE)


def approvals(events: pd.DataFrame) -> tuple[Approval, ...]:
    """The approvals given, among rows of `fsd_event`, oldest first: told by the words of the event."""
    found = [
        Approval(told["date"], told["market"], told["text"], told["url"])
        for told in events.to_dict("records")
        if told["kind"] == "approval" and _APPROVES.search(told["text"]) and not _DENIES.search(told["text"])
    ]
    return tuple(sorted(found, key=lambda approval: (approval.day, approval.market)))


@dataclass(frozen=True)
class Outcomes:
    """The ground on which forecasts are scored, as known on a day: figures on who pays, deliveries worldwide by
    quarter, approvals given, and for a region the markets that belong to it."""

    points: Sequence[AttachPoint]
    deliveries: Mapping[int, float]
    approvals: Sequence[Approval]
    members: Mapping[str, Collection[str]]


def scored(forecast: Forecast, outcomes: Outcomes, *, on: date) -> Scored:
    """What came of a forecast, as judged on a day.

    A number is held against the figure of its own measure, region and target day. A day is held against the first
    approval in the region or one of its members after the forecast was made; where there was one before, it can only
    have meant the region as a whole, and a member's approval is no outcome.
    """
    if forecast.is_date:
        return _date_scored(forecast, outcomes, on=on)
    if forecast.target is None or forecast.target > on:
        return Scored(forecast, Verdict.OPEN)
    outcome = _number_at(forecast, outcomes)
    if outcome is None or forecast.low is None or forecast.high is None or not outcome.low or not outcome.high:
        return Scored(forecast, Verdict.UNANSWERED, outcome)
    meets = forecast.low <= outcome.high and outcome.low <= forecast.high
    error = (0.0, 0.0) if meets else (forecast.low / outcome.high - 1, forecast.high / outcome.low - 1)
    return Scored(forecast, Verdict.SCORED, outcome, error)


def _date_scored(forecast: Forecast, outcomes: Outcomes, *, on: date) -> Scored:
    inside = {forecast.region, *outcomes.members.get(forecast.region, ())}
    had = any(each.market in inside and each.day < forecast.published for each in outcomes.approvals)
    counted = {forecast.region} if had else inside
    came = next(
        (each for each in outcomes.approvals if each.market in counted and forecast.published <= each.day <= on), None
    )
    if forecast.target is None:
        return Scored(forecast, Verdict.OPEN)
    if came:
        late = (came.day - forecast.target).days / _DAYS_OF_MONTH
        outcome = Outcome(day=came.day, told_by=came.text, url=came.url)
        return Scored(forecast, Verdict.LATE if late > 0 else Verdict.SCORED, outcome, months_late=late)
    if forecast.target >= on:
        return Scored(forecast, Verdict.OPEN)
    return Scored(forecast, Verdict.LATE, months_late=(on - forecast.target).days / _DAYS_OF_MONTH)


_MEASURED_BY: Final[Mapping[str, AttachBasis]] = {"take_rate": AttachBasis.TAKE_RATE}
"""Metrics of forecasts that the record has under another name."""


def _number_at(forecast: Forecast, outcomes: Outcomes) -> Outcome | None:
    """The figure that a forecast is held against; one that was disclosed goes before surveys and estimates."""
    target = forecast.target
    assert target is not None
    if forecast.metric == "cars_sold_year":
        quarters = range(target.year * 4, target.year * 4 + 4)
        if forecast.region != GLOBAL or not all(quarter in outcomes.deliveries for quarter in quarters):
            return None
        cars = sum(outcomes.deliveries[quarter] for quarter in quarters)
        return Outcome(low=cars, high=cars, told_by="Tesla deliveries")
    basis = _MEASURED_BY.get(forecast.metric, forecast.metric)
    found = [
        point
        for point in outcomes.points
        if point.basis == basis and (point.region, point.as_of) == (forecast.region, target) and point.is_of_all_models
    ]
    if not found:
        return None
    best = min(found, key=lambda point: (not point.is_disclosed, point.row))
    return Outcome(low=best.low, high=best.high, told_by=best.estimator, url=best.url)


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
