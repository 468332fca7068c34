"""Event study of a maker's share around a month: pure, and never more than an association.

What the share was is set against what it would have been, had the maker's cars moved as those of control makers did.
The same is worked out around every month in which nothing happened (placebo months): how far the two lie apart there is
what chance and season do alone. Shares are fractions of a market. A window is `BEFORE` months, the month itself, and
`AFTER` months; what is worked out of a window looks at no month outside of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from db.claims import Bools, Floats, Ints

BEFORE: Final = 3
AFTER: Final = 6

OFFSETS: Final[Ints] = np.arange(-BEFORE, AFTER + 1, dtype=np.int64)
"""The months of a window (W), counted from its month 0."""

COVERAGE: Final = 0.9
"""The part of placebo effects that the placebo interval holds."""

LEAST_PLACEBOS: Final = 20
"""Placebo months below which 5 % at each end are no whole month, so that there is no interval."""


def windows(values: Floats) -> Floats:
    """Values by month (..., L) as windows around each month (..., L, W); NaN where a window leaves the range."""
    edge = [(0, 0)] * (values.ndim - 1)
    padded = np.pad(values, [*edge, (BEFORE, AFTER)], constant_values=np.nan)
    return np.lib.stride_tricks.sliding_window_view(padded, len(OFFSETS), axis=-1)


def control_windows(shares: Floats, is_control: Bools) -> Floats:
    """The summed share of the control makers in the window around each month (L, W).

    `shares` (E, L) are those of single makers, `is_control` (E, L) says who is a control around which month. NaN where
    nobody is; a control has a share in every month of its window, else it is none.
    """
    around = windows(shares)
    chosen = is_control & ~np.isnan(around).any(axis=-1)
    total = np.einsum("el,elw->lw", chosen.astype(np.float64), np.nan_to_num(around))
    is_any = np.asarray(chosen.any(axis=0))
    return np.where(is_any[:, None], total, np.nan)


def expected(share: Floats, control: Floats) -> Floats:
    """What a share would have been in each month of a window (..., W) had the maker's cars moved as its controls' did.

    The ratio of the maker's to the controls' share is kept at that of the months before month 0. Buyers whom the maker
    won or lost are taken to come from, or go to, all others in proportion: what is looked at of the controls is their
    share of the market without the maker. NaN where the controls had nothing before.
    """
    before = control[..., :BEFORE].sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(before > 0, share[..., :BEFORE].sum(axis=-1, keepdims=True) / before, np.nan)
        odds = ratio * control / (1 - share)
        return np.asarray(odds / (1 + odds))


def effect(share: Floats, control: Floats) -> Floats:
    """By how much a share lies above what was expected, on average over the months after month 0 (...).

    Month 0 is left out, since it is partly before and partly after. The months before and after are whole quarters, so
    that the rhythm of a quarter is in both alike; that of a year is not. NaN where a month of the window is missing.
    """
    gap = share - expected(share, control)
    return np.where(np.isnan(gap).any(axis=-1), np.nan, gap[..., BEFORE + 1 :].mean(axis=-1))


@dataclass(frozen=True)
class Bounded:
    """Shares of a window (W) that unnamed cars leave open between `low` and `high`."""

    low: Floats
    high: Floats


def effect_bounds(share: Bounded, control: Bounded) -> tuple[float, float]:
    """Between what the effect lies if every share of the window could be anything within its bounds.

    The bounds are safe rather than tight: each month takes what is worst in it.
    """

    def at_end(own: Floats, own_before: Floats, others: Floats, others_before: Floats, rest: Floats) -> float:
        before = others_before[:BEFORE].sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = own_before[:BEFORE].sum() / before * others / rest
            far = np.where(np.isposinf(odds), 1.0, odds / (1 + odds))
        return float((own - far)[BEFORE + 1 :].mean())

    least = at_end(share.low, share.high, np.minimum(control.high, 1 - share.low), control.low, 1 - share.high)
    most = at_end(share.high, share.low, control.low, np.minimum(control.high, 1 - share.low), 1 - share.low)
    return (least if np.isfinite(least) else -1.0), (most if np.isfinite(most) else 1.0)


@dataclass(frozen=True)
class Study:
    """The effect around a month, and what the same computation gives around months in which nothing happened.

    `share` and `expected` (W) are those of the window. `placebos` are the places of the placebo months, `effects` what
    was found around each; `low` and `high` hold `COVERAGE` of these, `p` is how often chance alone gives as much in
    either direction. Without `LEAST_PLACEBOS` months low, high and p are NaN. `band` (2, W) holds the same part of the
    distances from what was expected, month by month.

    Placebo windows overlap, so that they tell a little less than their number: in made-up worlds of 100 months without
    any event, one effect in eight lies outside of the interval, where one in ten should.
    """

    month: int
    share: Floats
    expected: Floats
    effect: float
    placebos: Ints
    effects: Floats
    low: float
    high: float
    p: float
    band: Floats

    @property
    def has_interval(self) -> bool:
        """Whether there are placebo months enough."""
        return not np.isnan(self.low)

    @property
    def stands_out(self) -> bool:
        """Whether the effect is outside of what months without an event give."""
        return self.has_interval and not self.low <= self.effect <= self.high


def study(share: Floats, control: Floats, month: int, *, quiet: Bools) -> Study | None:
    """The effect around a month by its place, and its placebo distribution; None where its window is not complete.

    `share` (L) are the maker's, `control` (L, W) as `control_windows` gives them. `quiet` (L) are months without an
    event of the maker's own: placebo months are those of them in whose window is no month that the event could have
    moved.
    """
    around = windows(share)
    gaps = around - expected(around, control)
    effects = effect(around, control)
    if np.isnan(effects[month]):
        return None
    places = np.arange(len(share))
    apart = (places + AFTER < month) | (places - BEFORE > month + AFTER)
    placebos = np.flatnonzero(quiet & apart & ~np.isnan(effects))
    found = effects[placebos]
    low = high = p = np.nan
    band = np.full((2, len(OFFSETS)), np.nan)
    if len(placebos) >= LEAST_PLACEBOS:
        ends = [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]
        low, high = np.quantile(found, ends)
        band = np.quantile(gaps[placebos], ends, axis=0)
        beyond = min(int((found >= effects[month]).sum()), int((found <= effects[month]).sum()))
        p = min(1.0, 2 * (1 + beyond) / (1 + len(found)))
    return Study(
        month=month,
        share=around[month],
        expected=expected(around, control)[month],
        effect=float(effects[month]),
        placebos=placebos,
        effects=found,
        low=float(low),
        high=float(high),
        p=float(p),
        band=band,
    )
