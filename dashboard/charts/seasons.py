"""The years of a line beside each other: the year so far on the year before, trend and season, waves in quarters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dashboard.charts.market_words import is_open
from dashboard.lines import Line
from dashboard.metrics import SEASON_YEARS, TrendAndSeason, growth, trend_and_season
from dashboard.sales_lines import MarketFigures
from dashboard.selection import Measure
from db.claims import GRAIN_MONTHS, Bools, Floats, Ints
from db.vocabulary import Grain

YEARS = 6
"""Years drawn at the most: the current one and those before it."""


@dataclass(frozen=True)
class Year:
    """One year of a line: its points from left to right, with the place of the period that each stands for.

    `across` is 1 for January or the first quarter; NaN in the bounds is a gap. `joined`: January and February together,
    as their mean.
    """

    number: int
    across: tuple[float, ...]
    value: Floats
    high: Floats
    at: tuple[int, ...]
    joined: tuple[bool, ...]


@dataclass(frozen=True)
class Change:
    """The same months of two years, as fractions of growth; `first` and `last` are their periods' places this year."""

    value: float
    low: float
    high: float
    first: int
    last: int


@dataclass(frozen=True)
class Decomposed:
    """Trend and season of the periods from the place `first` on, as many as there are in `parts`."""

    first: int
    parts: TrendAndSeason


@dataclass(frozen=True)
class Seasons:
    """The lines that are drawn, a panel each, and the figures that they are of; `stated` is what was published of them.

    `season` is that of the only line; where there is none, `why_none` says why.
    """

    stated: MarketFigures
    figures: MarketFigures
    lines: tuple[Line, ...]
    season: Decomposed | None = None
    why_none: str = ""

    @property
    def per_year(self) -> int:
        """Periods of a year."""
        return 12 // GRAIN_MONTHS[self.figures.selection.grain.value]


# Years


def is_joined(line: Line, figures: MarketFigures) -> bool:
    """Whether January and February stand together: the new year of China's calendar moves from one to the other."""
    return figures.selection.grain is Grain.MONTH and "CN" in line.market.split("+")


def _finished(line: Line, figures: MarketFigures) -> Bools:
    """The periods (L) in which a line has a figure that publishers do not call unfinished."""
    return ~np.isnan(line.value) & line.named & ~figures.unfinished_of(line)


def years(line: Line, figures: MarketFigures) -> tuple[Year, ...]:
    """The years of a line that are drawn, the oldest first, with a gap where a period has no figure."""
    length = GRAIN_MONTHS[figures.selection.grain.value]
    joined = is_joined(line, figures)
    place = {int(month): n for n, month in enumerate(figures.start.tolist())}
    value, high = (np.where(line.named, ends, np.nan) for ends in (line.value, line.high))
    seen = np.flatnonzero(~np.isnan(value))
    if not len(seen):
        return ()
    last = int(figures.start[seen[-1]]) // 12
    first = max(int(figures.start[seen[0]]) // 12, last - YEARS + 1)
    found = []
    for year in range(first, last + 1):
        spots: list[tuple[float, tuple[int, ...]]] = [(n + 1.0, (year * 12 + n * length,)) for n in range(12 // length)]
        if joined:
            spots[:2] = [(1.5, (year * 12, year * 12 + 1))]
        points = []
        for across, months in spots:
            at = [place[month] for month in months if month in place]
            if len(at) == len(months) and not np.isnan(value[at]).any():
                points.append((across, float(value[at].mean()), float(high[at].mean()), at[-1], len(months) > 1))
            elif points and not np.isnan(points[-1][1]):
                points.append((across, np.nan, np.nan, points[-1][3], False))
        while points and np.isnan(points[-1][1]):
            points.pop()
        if points:
            xs, values, highs, at_, pairs = zip(*points, strict=True)
            found.append(Year(year, xs, np.array(values), np.array(highs), at_, pairs))
    return tuple(found)


def change(line: Line, figures: MarketFigures) -> Change | None:
    """The months of the current year so far against the same months a year before; None where they are not alike.

    All of them are finished, in a row from January, and of the same sources in both years. Where January and February
    are one, a January alone is no year so far.
    """
    length = GRAIN_MONTHS[figures.selection.grain.value]
    done = np.flatnonzero(_finished(line, figures))
    if is_joined(line, figures) and len(done) and figures.start[done[-1]] % 12 == 0:
        done = done[:-1]
    if not len(done):
        return None
    last = int(done[-1])
    opening = int(figures.start[last]) - int(figures.start[last]) % 12
    months = np.arange(opening, int(figures.start[last]) + 1, length)
    place = {int(month): int(at) for at, month in zip(done, figures.start[done], strict=True)}
    if any(month not in place or month - 12 not in place for month in months.tolist()):
        return None
    now = [place[month] for month in months.tolist()]
    then = [place[month - 12] for month in months.tolist()]
    if set(line.sources[now]) != set(line.sources[then]):
        return None
    ends = {"value": line.value, "low": line.low, "high": line.high}
    grown = growth(
        **{name: values[now].sum(keepdims=True) for name, values in ends.items()},
        **{f"{name}_before": values[then].sum(keepdims=True) for name, values in ends.items()},
    )
    low, high = float(grown.low[0]), float(grown.high[0])
    if np.isnan(low):
        return None
    return Change(value=float(grown.value[0]), low=low, high=high, first=now[0], last=last)


def decomposed(line: Line, figures: MarketFigures) -> tuple[Decomposed | None, str]:
    """Trend and season of the newest periods in a row that are finished, exact and of one source; else why not."""
    selection = figures.selection
    per_year, length = 12 // GRAIN_MONTHS[selection.grain.value], GRAIN_MONTHS[selection.grain.value]
    usable = _finished(line, figures) & (line.value > 0)
    done = np.flatnonzero(usable)
    reason = (
        f"Trend and season are not worked out: that takes {SEASON_YEARS} calendar years of finished figures in a row, "
        "of one source."
    )
    if not len(done):
        return None, reason
    last = int(done[-1])
    first = last
    while (
        first
        and usable[first - 1]
        and figures.start[first] - figures.start[first - 1] == length
        and line.sources[first - 1] == line.sources[last]
    ):
        first -= 1
    span = slice(first, last + 1)
    if _whole_years(figures.start[span], per_year) < SEASON_YEARS:
        return None, reason
    if any(is_open(line, Measure.UNITS, at) for at in range(first, last + 1)):
        return None, "Trend and season are not worked out: the unnamed rest leaves the figures open."
    values = line.value[span].copy()
    if is_joined(line, figures):
        months = figures.start[span] % 12
        for january in np.flatnonzero(months[:-1] == 0):
            values[january : january + 2] = values[january : january + 2].mean()
    return Decomposed(first=first, parts=trend_and_season(values, per_year=per_year)), ""


def _whole_years(start: Ints, per_year: int) -> int:
    """Calendar years of which all periods are there."""
    return int((np.unique(start // 12, return_counts=True)[1] == per_year).sum())


def waves(line: Line, figures: MarketFigures) -> float | None:
    """How many times the mean of the first two months of a quarter its last one has; None if that is no rule.

    Of the cars of all finished quarters of the years that are drawn together, at least four: a mean of ratios could be
    made by a single quarter. It is a rule if the last month is above that mean in three quarters of them.
    """
    if figures.selection.grain is not Grain.MONTH:
        return None
    done = np.flatnonzero(_finished(line, figures))
    units = {int(figures.start[at]): float(line.value[at]) for at in done}
    newest = max(units, default=0) // 12 - YEARS + 1
    quarters = [
        (units[month + 2], (units[month] + units[month + 1]) / 2)
        for month in units
        if month % 3 == 0 and month // 12 >= newest and month + 1 in units and month + 2 in units
    ]
    above = sum(last > mean for last, mean in quarters)
    before = sum(mean for _, mean in quarters)
    if len(quarters) < 4 or above < 0.75 * len(quarters) or not before:
        return None
    return sum(last for last, _ in quarters) / before
