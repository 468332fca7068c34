"""Market measures as pure functions: a share, a change on a year before, a gap, a rank, a concentration, a season.

A figure that a publisher's unnamed rest could add to is an interval (`dashboard.panels`): each measure carries its low
and its high end. Units are cars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from db.claims import Bools, Floats, Ints


def share(units: Floats, *, of: Floats) -> Floats:
    """Units as a fraction of the denominator of the same period; NaN where the denominator is missing or zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(of > 0, units / of, np.nan)


@dataclass(frozen=True)
class Growth:
    """Change against a year before as a fraction (0.5 is half as much again), with its bounds; NaN where unknowable."""

    value: Floats
    low: Floats
    high: Floats


def growth(
    *, value: Floats, low: Floats, high: Floats, value_before: Floats, low_before: Floats, high_before: Floats
) -> Growth:
    """value / value_before - 1, between low / high_before - 1 and high / low_before - 1.

    Nothing can be said where the earlier figure is zero or missing.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        known = value_before > 0
        return Growth(
            value=np.where(known, value / value_before - 1, np.nan),
            low=np.where(known, low / high_before - 1, np.nan),
            high=np.where(known, np.where(low_before > 0, high / low_before, np.inf) - 1, np.nan),
        )


# Two entities against each other


@dataclass(frozen=True)
class Gap:
    """One entity's figures less another's (L), in their unit, between `low` and `high`; NaN where either has none.

    Above zero the first one is ahead, below zero the second one.
    """

    value: Floats
    low: Floats
    high: Floats

    @property
    def ahead(self) -> Floats:
        """1 where the first one is certainly ahead, -1 where the second one is, 0 where they are level or it is open.

        Certainly ahead is whose low end is above the other's high end. NaN where there is no gap.
        """
        sign = np.where(self.low > 0, 1.0, np.where(self.high < 0, -1.0, 0.0))
        return np.where(np.isnan(self.value), np.nan, sign)


def gap(*, value: Floats, low: Floats, high: Floats, value_other: Floats, low_other: Floats, high_other: Floats) -> Gap:
    """value - value_other, between low - high_other and high - low_other, all in one unit.

    The difference of two intervals (R. E. Moore, Interval Analysis, 1966). One unnamed rest may bound both: the ends
    are reached where all of it is the one's and none the other's.
    """
    return Gap(value=value - value_other, low=low - high_other, high=high - low_other)


@dataclass(frozen=True)
class Lead:
    """Who is ahead in the period `at`, and since when; periods are counted by their place.

    `side` is 1, -1 or 0 as in `Gap.ahead`. `first` is the first of the periods that have the same side ahead up to
    `at`. `is_unbroken`: every period from `first` to `at` has a gap. `is_seen`: the one just before `first` has a gap,
    so that the lead is known to begin with `first`, and not somewhere in what is missing before it.
    """

    at: int
    side: int
    first: int
    is_unbroken: bool
    is_seen: bool


def lead(ahead: Floats, *, start: Ints, step: int) -> Lead | None:
    """Who is ahead in the last period that has a gap, and since when; None where no period has one.

    `ahead` (L) is `Gap.ahead`, `start` (L) the periods' first months, `step` their length in months. Periods without
    a gap are passed over and never filled: `is_unbroken` tells of them. An open period ends a lead.
    """
    known = np.flatnonzero(~np.isnan(ahead))
    if not len(known):
        return None
    at = int(known[-1])
    other = known[ahead[known] != ahead[at]]
    run = known[known > other[-1]] if len(other) else known
    first = int(run[0])
    before = int(other[-1]) if len(other) else None
    return Lead(
        at=at,
        side=int(ahead[at]),
        first=first,
        is_unbroken=len(run) == (int(start[at]) - int(start[first])) // step + 1,
        is_seen=before is not None and int(start[before]) + step == int(start[first]),
    )


def lead_changes(ahead: Floats) -> Ints:
    """The places of periods in which another one is certainly ahead than was so before; `ahead` as in `Gap.ahead`.

    What is open or missing between the two changes nothing.
    """
    certain = np.flatnonzero(np.nan_to_num(ahead) != 0)
    sides = ahead[certain]
    return np.asarray(certain[1:][sides[1:] != sides[:-1]])


# Why a share moved


@dataclass(frozen=True)
class ShareParts:
    """What the changes of entities' shares (E) are made of, as fractions: the three add up to the change.

    `own`: the entity's own cars became more or fewer. `market`: all cars did; a growing market lowers every share.
    `mix`: the weight of markets in the sum moved towards those where the entity has more, or less, of them.
    """

    own: Floats
    market: Floats
    mix: Floats

    @property
    def change(self) -> Floats:
        """The change of the share."""
        return self.own + self.market + self.mix


def share_parts(*, units_before: Floats, units: Floats, total_before: Floats, total: Floats) -> ShareParts:
    """The exact additive split of the changes of shares of a sum of markets, earlier against now.

    `units` (M, E) are entities' cars by market, `total` (M) the denominator's cars there, all in cars; an entity that
    is not yet, or no more, in a market has 0. NaN where a market has no denominator in one of the two.

    In each market the share is units times one over the total, and the sum's share is the markets' shares times their
    weights. The change of a product splits at the midpoints: d(x y) = dx mean(y) + mean(x) dy, which leaves nothing
    over and does not depend on the order (E. M. Kitagawa, Components of a Difference Between Two Rates, Journal of the
    American Statistical Association, 1955; for two factors it is the Shapley value: A. F. Shorrocks, Decomposition
    procedures for distributional analysis, Journal of Economic Inequality, 2013).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        per_car_before = np.where(total_before > 0, 1 / total_before, np.nan)[:, None]
        per_car = np.where(total > 0, 1 / total, np.nan)[:, None]
        weights = [(of / of.sum())[:, None] for of in (total_before, total)]
    shares = (units_before * per_car_before, units * per_car)
    weight, weight_moved = (weights[0] + weights[1]) / 2, weights[1] - weights[0]
    return ShareParts(
        own=(weight * (units - units_before) * (per_car_before + per_car) / 2).sum(axis=0),
        market=(weight * (units_before + units) / 2 * (per_car - per_car_before)).sum(axis=0),
        mix=((shares[0] + shares[1]) / 2 * weight_moved).sum(axis=0),
    )


# Ranks and concentration


@dataclass(frozen=True)
class Ranks:
    """Places among entities (L, E), 1 is the largest; NaN for whoever has no figure in the period.

    `value` counts what is named; equal figures share a place, the next one is left out (1, 2, 2, 4), and `tied` marks
    them. `best`: the entity has all that could be its own of the unnamed rest, and the others have none of it.
    `worst`: it has none, and as many others as could be ahead are; infinite where nothing is named of it.
    """

    value: Floats
    best: Floats
    worst: Floats
    tied: Bools


def ranks(*, low: Floats, high: Floats, hidden: Floats) -> Ranks:
    """Places by figures between `low` and `high` (L, E), in one unit and NaN where there is none.

    `hidden` (L) is what is unnamed and could belong to entities that nobody names: below an entity with l of its own
    there is room for as many of them as have more than l each.
    """
    value, best, worst = (np.full(low.shape, np.nan) for _ in range(3))
    tied = np.zeros(low.shape, dtype=np.bool_)
    for at in range(len(low)):
        there = ~np.isnan(low[at])
        least, most = low[at, there], high[at, there]
        lows, highs, count = np.sort(least), np.sort(most), int(there.sum())

        def above(values: Floats, ends: Floats, count: int = count) -> Floats:
            return (count - np.searchsorted(ends, values, side="right")).astype(np.float64)

        value[at, there] = 1 + above(least, lows)
        best[at, there] = 1 + above(most, lows)
        with np.errstate(divide="ignore", invalid="ignore"):
            unnamed = np.where(hidden[at] > 0, np.ceil(hidden[at] / least) - 1, 0.0)
        # Its own high end is above its low one, and is no other's.
        worst[at, there] = 1 + above(least, highs) - (most > least) + np.maximum(unnamed, 0.0)
        tied[at, there] = np.searchsorted(lows, least, side="right") - np.searchsorted(lows, least) > 1
    return Ranks(value=value, best=best, worst=worst, tied=tied)


@dataclass(frozen=True)
class Concentration:
    """How concentrated a market is (L): the HHI from 0 to 10,000, and the four largest shares together as a fraction.

    Each between its low and high end; NaN where no entity has a figure.
    """

    hhi_low: Floats
    hhi_high: Floats
    top4_low: Floats
    top4_high: Floats


def concentration(*, low: Floats, high: Floats, hidden: Floats) -> Concentration:
    """Herfindahl-Hirschman index and four-firm concentration ratio between the ends that an unnamed rest leaves open.

    `low`, `high` (L, E) bound the shares of entities as fractions, NaN where an entity has none; `hidden` (L) is the
    share that is unnamed. The index is the sum of squared percentage shares (A. O. Hirschman, National Power and the
    Structure of Foreign Trade, 1945; O. C. Herfindahl, Concentration in the U.S. Steel Industry, 1950).

    Low ends: the rest is spread over so many that their squares vanish. The four largest have at least what is named
    of the four that are named most.

    High ends hold for every way in which the rest can be split, among named entities up to their high ends and hidden
    ones up to all of it. Squares grow faster than shares, so that one taker of all makes the index larger than several
    would: the largest one, if its own limit lets it take all. Where limits bind, some rest is left, and a hidden entity
    is not always who makes most of it. So each possible taker i with share s and room c = high - low, at most the rest,
    is valued at what it gains for a point of share if it is filled up, 2s + c, a hidden one at c = rest; the rest goes
    to the dearest first. A convex gain never lies above the chord from nothing to full, so this is an upper bound, and
    it is reached where no limit binds. The four largest are either all named, and have at most the rest more than
    their low ends and no more than the four largest high ends; or a hidden one has the rest beside three.
    """
    least = np.nan_to_num(low)
    known = (~np.isnan(low)).any(axis=1)
    rest = np.nan_to_num(hidden)
    room = np.minimum(np.nan_to_num(high) - least, rest[:, None]).clip(min=0.0)
    rooms = np.column_stack([room, rest])
    price = 2 * np.column_stack([least, np.zeros_like(rest)]) + rooms
    dearest = np.argsort(-price, axis=1, kind="stable")
    rooms, price = (np.take_along_axis(of, dearest, axis=1) for of in (rooms, price))
    taken = np.clip(rest[:, None] - (np.cumsum(rooms, axis=1) - rooms), 0.0, rooms)
    squares = (least**2).sum(axis=1)
    named = -np.sort(-least, axis=1)
    together, three = named[:, :4].sum(axis=1), named[:, :3].sum(axis=1)
    limit = -np.sort(-(least + room), axis=1)[:, :4].sum(axis=1)
    top4 = np.maximum(three + rest, np.minimum(together + rest, limit))
    gap = np.where(known, 0.0, np.nan)
    return Concentration(
        hhi_low=1e4 * squares + gap,
        hhi_high=1e4 * np.maximum(np.minimum(squares + (price * taken).sum(axis=1), 1.0), squares) + gap,
        top4_low=together + gap,
        top4_high=np.maximum(np.minimum(top4, 1.0), together) + gap,
    )


# Trend and season


SEASON_YEARS = 4
"""Whole years without a gap that a season is worked out from at the least."""


@dataclass(frozen=True)
class TrendAndSeason:
    """What figures (L) are made of: value = `trend` * `season` * `remainder` in each period.

    `trend` is in the figures' unit, `season` and `remainder` are factors around 1.
    """

    trend: Floats
    season: Floats
    remainder: Floats

    @property
    def adjusted(self) -> Floats:
        """The figures without their season, in their unit."""
        return self.trend * self.remainder

    @property
    def usual_step(self) -> float:
        """How far the remainder usually moves from one period to the next, as a fraction: the noise of a single step.

        The median distance times 1.4826, which is the standard deviation where noise is normal (F. R. Hampel, The
        Influence Curve and its Role in Robust Estimation, 1974).
        """
        return float(1.4826 * np.median(np.abs(np.diff(np.log(self.remainder)))))


def trend_and_season(values: Floats, *, per_year: int) -> TrendAndSeason:
    """Trend and season of figures (L) in a row of `per_year` periods a year, by STL on their logarithms.

    R. B. Cleveland, W. S. Cleveland, J. E. McRae and I. Terpenning, STL: A Seasonal-Trend Decomposition Procedure Based
    on Loess, 1990; with robustness weights, so that one odd month bends neither. Raises `ValueError` for less than four
    years, and for a figure that is missing or not above zero: a gap is nothing that can be filled.
    """
    if len(values) < SEASON_YEARS * per_year:
        raise ValueError(f"a season needs {SEASON_YEARS} years, not {len(values)} periods of {per_year} a year")
    if not (values > 0).all():
        raise ValueError("a season needs a figure above zero in every period")
    # Takes three seconds to import, which only those wait for who ask for a season.
    from statsmodels.tsa.seasonal import STL  # type: ignore[import-untyped]

    parts = STL(np.log(values), period=per_year, robust=True).fit()
    return TrendAndSeason(trend=np.exp(parts.trend), season=np.exp(parts.seasonal), remainder=np.exp(parts.resid))


def pooled_share(units: Floats, *, of: Floats) -> float:
    """The share (a fraction) over several periods together: all units over all of the denominator, both in cars.

    A mean of the shares would count a small period as much as a large one. NaN where a figure is missing.
    """
    whole = float(of.sum())
    return float(units.sum()) / whole if whole > 0 else float("nan")
