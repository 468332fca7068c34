"""Cars of two makers that are alike, and how far apart their prices are: matched pairs, month by month.

Two trims make a pair where both are of one segment, have the same drive and go about as far by the same test. What a
source does not say of a trim is taken from its model, and a car of which the segment, the drive or the range is not
known makes no pair at all. Prices are of the day on which both stand, and only prices of one kind meet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import median
from typing import Final

from dashboard.price_book import Vehicle
from dashboard.prices import (
    CannotConvert,
    Converted,
    LineKey,
    PriceLine,
    Quote,
    Rates,
    Standing,
    Terms,
    converted,
    standing_on,
)
from db.vocabulary import RangeCycle

WITHIN: Final = 0.10
"""By how much two ranges, or two batteries, may differ and be alike: as a part of the larger one."""

SAME_CAR_DAYS: Final = 365
"""Within how many days of a price a range stated for the same trim is taken to be that car's.

A judgement: trims keep their names when a facelift changes what they can do, about every second year."""

DRIVES: Final = ("FWD", "RWD", "AWD")


@dataclass(frozen=True)
class Reach:
    """How far a car goes by some test, in km; `of_model` where it is stated of the model, not of the trim."""

    km: float
    of_model: bool


@dataclass(frozen=True)
class Traits:
    """What a car is matched by; what is not known is empty.

    `drives` has several where the trim does not say which of its model's it has.
    """

    segment: str
    drives: frozenset[str]
    reach: Mapping[RangeCycle, Reach]

    @property
    def lacking(self) -> tuple[str, ...]:
        """What a pair needs and nobody states."""
        known = {"segment": self.segment, "drive": self.drives, "range": self.reach}
        return tuple(name for name, value in known.items() if not value)


def traits(quotes: Sequence[Quote], vehicles: Iterable[Vehicle]) -> dict[int, Traits]:
    """The traits of each quote, by its row.

    The drive is the one that the trim names, else those of the model. The range by a test is the quote's own, else the
    one stated nearest in time, within `SAME_CAR_DAYS`, for the same trim in the same market, else the model's. This one
    counts only where it can be the trim's: the model has one drive, its battery is about the one stated with the price,
    and the test is one that prices of the market are published with, since a model is not the same car on two
    continents. `quotes` are all of their markets.
    """
    tests: dict[str, set[RangeCycle]] = {}
    for quote in quotes:
        if quote.range_km is not None:
            tests.setdefault(quote.market, set()).add(quote.range_cycle)
    models: dict[tuple[str, str, str], list[Vehicle]] = {}
    for vehicle in vehicles:
        models.setdefault((vehicle.maker, vehicle.model, vehicle.powertrain), []).append(vehicle)
    trims: dict[tuple[str, ...], list[Quote]] = {}
    for quote in quotes:
        if quote.range_km is not None:
            trims.setdefault(_trim(quote), []).append(quote)
    return {
        quote.row: _traits(
            quote,
            stated=trims.get(_trim(quote), ()),
            models=models.get((quote.maker, quote.model, quote.powertrain), ()),
            tests=tests.get(quote.market, set()),
        )
        for quote in quotes
    }


def _trim(quote: Quote) -> tuple[str, ...]:
    return quote.market, quote.maker, quote.model, quote.trim, quote.powertrain


def _traits(
    quote: Quote, *, stated: Sequence[Quote], models: Sequence[Vehicle], tests: Collection[RangeCycle]
) -> Traits:
    reach = {
        of.range_cycle: Reach(of.range_km, of_model=True)
        for of in models
        if of.range_km is not None
        and of.range_cycle in tests
        and len(of.drives) == 1
        and _is_battery(quote.battery_kwh, of.battery_kwh)
    }
    near = [each for each in stated if abs((each.day - quote.day).days) <= SAME_CAR_DAYS]
    # The nearest in time comes last, and stays; the quote's own is the nearest of all.
    for each in sorted(near, key=lambda each: -abs((each.day - quote.day).days)):
        if each.range_km is not None:
            reach[each.range_cycle] = Reach(each.range_km, of_model=False)
    reach.pop(RangeCycle.NONE, None)
    named = frozenset(quote.trim.upper().replace("(", " ").replace(")", " ").split()) & set(DRIVES)
    return Traits(
        segment=next((of.segment for of in models if of.segment), ""),
        drives=named or frozenset(drive for of in models for drive in of.drives),
        reach=reach,
    )


def _is_battery(stated: float | None, of_model: float | None) -> bool:
    """Whether a battery may be the model's; not where both are known and differ."""
    return stated is None or of_model is None or abs(stated - of_model) <= WITHIN * max(stated, of_model)


# Pairs


@dataclass(frozen=True)
class Pair:
    """Two cars that are alike, each with the price that stands on a day, in one currency on one set of terms."""

    one_line: LineKey
    other_line: LineKey
    one: Standing
    other: Standing
    segment: str
    drive: str
    cycle: RangeCycle
    one_reach: Reach
    other_reach: Reach
    one_given: Converted
    other_given: Converted
    is_drive_open: bool
    """Whether one of the trims names no drive, and is taken to have the other's."""

    @property
    def cars(self) -> tuple[LineKey, LineKey]:
        """What the pair is of, whatever the day."""
        return self.one_line, self.other_line

    @property
    def gap(self) -> float:
        """How much dearer the one is, in money; below zero where it is cheaper."""
        return self.one_given.amount - self.other_given.amount

    @property
    def fraction(self) -> float:
        """How much dearer the one is, as a fraction of the other's price."""
        return self.one_given.amount / self.other_given.amount - 1

    @property
    def confirmed(self) -> bool:
        """Whether both prices are known to have held on the day."""
        return self.one.confirmed and self.other.confirmed


@dataclass(frozen=True)
class GapMonth:
    """The pairs that stand on the last day of a month, or on the last day that is known of it; at least one."""

    month: date
    day: date
    pairs: tuple[Pair, ...]

    @property
    def cars(self) -> frozenset[tuple[LineKey, LineKey]]:
        """Which pairs these are."""
        return frozenset(pair.cars for pair in self.pairs)

    def spread(self, *, money: bool) -> tuple[float, float, float]:
        """The least, the median and the greatest gap of the pairs, in money or as fractions of the other's price."""
        found = [pair.gap if money else pair.fraction for pair in self.pairs]
        return min(found), median(found), max(found)


@dataclass(frozen=True)
class Gaps:
    """What pairs there are in each month that has any, oldest first, and why some could not be given as asked."""

    months: tuple[GapMonth, ...]
    refused: tuple[str, ...]

    @property
    def runs(self) -> tuple[tuple[GapMonth, ...], ...]:
        """Months that follow one another with the same pairs: between two runs a moving gap is no moving price."""
        found: list[list[GapMonth]] = []
        for now in self.months:
            last = found[-1][-1] if found else None
            if last and _next(last.month) == now.month and last.cars == now.cars:
                found[-1].append(now)
            else:
                found.append([now])
        return tuple(tuple(run) for run in found)


def gaps(
    ones: Sequence[PriceLine],
    others: Sequence[PriceLine],
    *,
    known: Mapping[int, Traits],
    terms: Terms,
    rates: Rates,
    days: Sequence[date],
    cycle: RangeCycle | None = None,
) -> Gaps:
    """The pairs of two makers' lines on some days, one a month.

    A pair is two prices of one kind, and of one currency and tax unless the terms make them so. Both are given as of
    the day: its taxes, its exchange rate and its year's money. `known` are the traits by the row of a quote; with a
    `cycle` only ranges by it count. What cannot be converted makes no pair, and `refused` says why.
    """
    months, refused = [], dict[str, None]()
    for day in days:
        pairs = []
        stand_others = standing_on(others, day)
        for one_line, one in standing_on(ones, day):
            for other_line, other in stand_others:
                alike = _alike(one_line.key, other_line.key, known[one.quote.row], known[other.quote.row], terms, cycle)
                if alike is None:
                    continue
                try:
                    one_given, other_given = (
                        converted(replace(each.quote, day=day), terms, rates) for each in (one, other)
                    )
                except CannotConvert as missing:
                    refused[str(missing)] = None
                    continue
                a, b = known[one.quote.row], known[other.quote.row]
                used, drive = alike
                pairs.append(
                    Pair(
                        one_line=one_line.key,
                        other_line=other_line.key,
                        one=one,
                        other=other,
                        segment=a.segment,
                        drive=drive,
                        cycle=used,
                        one_reach=a.reach[used],
                        other_reach=b.reach[used],
                        one_given=one_given,
                        other_given=other_given,
                        is_drive_open=len(a.drives) > 1 or len(b.drives) > 1,
                    )
                )
        if pairs:
            months.append(GapMonth(month=day.replace(day=1), day=day, pairs=tuple(pairs)))
    return Gaps(months=tuple(months), refused=tuple(refused))


def _alike(
    one: LineKey, other: LineKey, a: Traits, b: Traits, terms: Terms, cycle: RangeCycle | None
) -> tuple[RangeCycle, str] | None:
    """By which test two cars go about as far and which drive they share; None where they make no pair."""
    is_one_tax = terms.tax is not None or one.tax_included is other.tax_included
    is_one_money = terms.currency != "local" or one.currency == other.currency
    if (one.market, one.powertrain, one.kind) != (other.market, other.powertrain, other.kind):
        return None
    if not is_one_tax or not is_one_money or not a.segment or a.segment != b.segment:
        return None
    drives = tuple(drive for drive in DRIVES if drive in a.drives & b.drives)
    cycles = [each for each in RangeCycle if each in a.reach and each in b.reach and cycle in (None, each)]
    # With two drives in common nobody has said which of them either car has.
    if len(drives) != 1 or not cycles:
        return None
    # A test by which the trims themselves are known says more than one by which only their models are.
    used = min(cycles, key=lambda each: (a.reach[each].of_model + b.reach[each].of_model, list(RangeCycle).index(each)))
    longer, shorter = sorted((a.reach[used].km, b.reach[used].km), reverse=True)
    return (used, drives[0]) if longer - shorter <= WITHIN * longer + 1e-9 else None


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
