"""`seasonal-years`: the years one over the other, to tell growth from the time of the year.

A total, a maker or a model is drawn year by year over the months, the current year on top. Under it stands the trend,
where the figures are long and whole enough for one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import market_rows
from dashboard.charts.chart import CARS, Chart, Point, Reading, Table, shortest
from dashboard.charts.market_drawing import Places, band, colour_key, plain, point_key
from dashboard.charts.market_words import (
    COUNTED,
    Drawn,
    cars_name,
    common_notes,
    first_up,
    freshness,
    is_open,
    subtitle,
)
from dashboard.charts.whole_market import answered
from dashboard.comparability import check_names, check_sales
from dashboard.metrics import SEASON_YEARS, TrendAndSeason, growth, trend_and_season
from dashboard.sales_lines import Line, MarketFigures, figures_asked_for, maker_name, month_start
from dashboard.selection import (
    BasisChoice,
    By,
    Incomparable,
    Measure,
    NotPublished,
    Selection,
    Window,
)
from dashboard.style import Figure, Look
from db import Connection, queries
from db.claims import GRAIN_MONTHS, Bools, Floats, Ints
from db.vocabulary import Grain

TELLING = 0.5
"""A change on the year that could be a fall or a rise, and between ends so far apart, says nothing of itself."""

YEARS = 6
"""Years drawn at the most: the current one and those before it."""

PANELS = 4
"""Makers, models or markets drawn at the most, each in a panel of its own."""

WAVE = 1.3
"""Times the mean of the first two months of a quarter from which on its last one is called a wave of deliveries."""

NOTABLE = 2.0
"""Times the usual noise of a single step that a step without its season has to be for the title to tell of it."""

LEAST_STEP = 0.02
"""A step without its season below this is none, however even the figures usually are."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


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


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The years of a selection's total, makers, models or markets; raises as `market_figures` does."""
    content = _with_season(answered(lambda asked: _seasons(connection, asked), selection))
    doubt = ""
    if any(is_open(line, Measure.UNITS) for line in content.lines if not np.isnan(line.value[-1])):
        doubt = "Part of this market is published without names: the unnamed rest could add to what is drawn."
    return Reading(
        selection=selection,
        title=title(content),
        subtitle=_subtitle(content),
        badge=freshness(content.figures, today=today, doubt=doubt),
        citations=content.stated.dataset.citations,
        notes=notes(content, asked=selection),
        content=content,
    )


def _seasons(connection: Connection, selection: Selection) -> Seasons:
    stated, is_total = _figures(connection, selection)
    figures = _summed(stated) if is_total and selection.by is not By.MARKET and len(selection.market) > 1 else stated
    entities = [line for line in figures.entities if not line.is_own_rest and line.named.any()]
    if not entities:
        raise NotPublished(
            "nothing is named of the makers or models asked for, so that they have no years to compare",
            nearest=replace(selection, makers=(), models=()),
        )
    lines = sorted(entities, key=lambda line: (-_latest(line), line.name))
    return Seasons(stated=stated, figures=figures, lines=tuple(lines))


def _with_season(content: Seasons) -> Seasons:
    """The years with the trend and season of the only line; of several there is none."""
    if len(content.lines) > 1:
        return content
    season, why_none = _decomposed(content.lines[0], content.figures)
    return replace(content, season=season, why_none=why_none)


def _figures(connection: Connection, selection: Selection) -> tuple[MarketFigures, bool]:
    """Figures in cars by month, by quarter where no months are published, and whether they are totals of markets."""
    finest = Grain.QUARTER if selection.grain is Grain.QUARTER else Grain.MONTH
    asked = replace(selection, measure=Measure.UNITS, of=None, window=Window.NONE, grain=finest)
    try:
        return _of_entities(connection, asked)
    except NotPublished as refused:
        if finest is Grain.QUARTER or refused.nearest is None or refused.nearest.grain is not Grain.QUARTER:
            raise
        return _of_entities(connection, replace(asked, grain=Grain.QUARTER))


def _of_entities(connection: Connection, asked: Selection) -> tuple[MarketFigures, bool]:
    """The makers, models or powertrains that the reader named; else totals; makers' own figures where these are all."""
    by_name = bool(asked.makers or asked.models) or asked.by is By.POWERTRAIN
    if by_name or asked.basis is BasisChoice.REPORTED:
        return figures_asked_for(connection, asked, measures=(Measure.UNITS,)), False
    if asked.by is not By.MARKET and len(asked.market) > 1:
        nouns = queries.nouns(connection, as_of=asked.as_of)
        check_names(asked, nouns)
        published = queries.published(connection, markets=asked.market)
        check_sales(replace(asked, by=By.MAKER), nouns, published, measures=(Measure.UNITS,))
    try:
        return figures_asked_for(connection, replace(asked, by=By.MARKET), measures=(Measure.UNITS,)), True
    except Incomparable:
        if asked.by is By.MARKET:
            raise
        return figures_asked_for(connection, asked, measures=(Measure.UNITS,)), False


def _summed(figures: MarketFigures) -> MarketFigures:
    """The totals of several markets as one line, over the periods that all of them have."""
    lines = figures.lines
    codes = figures.selection.market
    units = np.sum([line.value for line in lines], axis=0)
    if len(lines) < len(codes) or np.isnan(units).all():
        names = ", ".join(figures.nouns.markets[code] for code in codes)
        raise NotPublished(
            f"no period has figures of every market of {names}, so that there is no sum of them",
            nearest=replace(figures.selection, by=By.MARKET),
        )
    one = replace(
        lines[0],
        market="+".join(codes),
        name=" + ".join(figures.nouns.markets[code] for code in codes),
        value=units,
        low=units,
        high=units,
        named=~np.isnan(units),
        units=units,
        known=np.max([line.known for line in lines], axis=0),
        sources=np.bitwise_or.reduce([line.sources for line in lines], axis=0),
    )
    there = ~np.isnan(units)
    return replace(figures, start=figures.start[there], lines=(one.at(there),))


def _latest(line: Line) -> float:
    known = line.value[~np.isnan(line.value)]
    return float(known[-1]) if len(known) else -np.inf


# Years


def _is_joined(line: Line, figures: MarketFigures) -> bool:
    """Whether January and February stand together: the new year of China's calendar moves from one to the other."""
    return figures.selection.grain is Grain.MONTH and "CN" in line.market.split("+")


def _finished(line: Line, figures: MarketFigures) -> Bools:
    """The periods (L) in which a line has a figure that publishers do not call unfinished."""
    return ~np.isnan(line.value) & line.named & ~figures.unfinished_of(line)


def years(line: Line, figures: MarketFigures) -> tuple[Year, ...]:
    """The years of a line that are drawn, the oldest first, with a gap where a period has no figure."""
    length = GRAIN_MONTHS[figures.selection.grain.value]
    joined = _is_joined(line, figures)
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
    if _is_joined(line, figures) and len(done) and figures.start[done[-1]] % 12 == 0:
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


def _decomposed(line: Line, figures: MarketFigures) -> tuple[Decomposed | None, str]:
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
    if _is_joined(line, figures):
        months = figures.start[span] % 12
        for january in np.flatnonzero(months[:-1] == 0):
            values[january : january + 2] = values[january : january + 2].mean()
    return Decomposed(first=first, parts=trend_and_season(values, per_year=per_year)), ""


def _whole_years(start: Ints, per_year: int) -> int:
    """Calendar years of which all periods are there."""
    return int((np.unique(start // 12, return_counts=True)[1] == per_year).sum())


def _waves(line: Line, figures: MarketFigures) -> float | None:
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


# Words


def title(content: Seasons) -> str:
    """The finding: the year so far against the same months a year before, in at most 90 characters.

    A step from the last month but one to the last, without its season, is only told where it is larger than the noise
    of such steps usually is.
    """
    figures = content.figures
    if len(content.lines) > 1:
        return _panels_title(content)
    line = content.lines[0]
    about = _about(line, content)
    found = change(line, figures)
    if found is None:
        return _plain_title(line, about, figures)
    when = _months_text(found, figures)
    if found.low < 0 < found.high and found.high - found.low > TELLING:
        return shortest(
            f"{about}, {when}: unnamed cars leave open whether they grew on a year before",
            f"{about}, {when}: unnamed cars leave the change open",
            f"{when}: unnamed cars leave open whether they grew on a year before",
        )
    grown = f"{_change_text(found)} in {when} on a year before"
    step = _step_text(content)
    return shortest(
        *([f"{about}: {grown}; season removed, {step}"] if step else []),
        *([f"{about}: {_change_text(found)} in {when}; season removed, {step}"] if step else []),
        f"{about}: {grown}",
        f"{about}: {_change_text(found)} in {when}",
        grown,
    )


def _about(line: Line, content: Seasons) -> str:
    """'German BEVs', 'Tesla in German BEVs'."""
    figures = content.figures
    selection = figures.selection
    cars = cars_name(figures)
    if selection.by is By.MARKET:
        who = selection.makers
        name = f"{line.name} {CARS[selection.powertrain]}{COUNTED[selection.basis]}"
        return f"{maker_name(who[0], selection, figures.nouns)}, {name}" if len(who) == 1 else first_up(cars)
    return first_up(cars) if line.maker == "all" else f"{line.name}, {cars}"


def _plain_title(line: Line, about: str, figures: MarketFigures) -> str:
    """The last figure, where nothing can be compared."""
    there = np.flatnonzero(~np.isnan(line.value) & line.named)
    if not len(there):
        return shortest(f"{about}: nothing is named in these periods", about)
    at = int(there[-1])
    when = style.period_text(month_start(int(figures.start[at])), figures.selection.grain.value)
    low, high = (style.units_text(float(ends[at])) for ends in (line.low, line.high))
    amount = low if low == high else f"{low} to {high}"
    incomplete = " (incomplete)" if figures.unfinished_of(line)[at] else ""
    return shortest(f"{about}: {amount} in {when}{incomplete}", f"{amount} in {when}{incomplete}")


def _panels_title(content: Seasons) -> str:
    figures = content.figures
    found = [(line, of) for line in content.lines[:PANELS] if (of := change(line, figures)) is not None]
    cars = f"{CARS[figures.selection.powertrain]}{COUNTED[figures.selection.basis]}"
    about = first_up(cars) if figures.selection.by is By.MARKET else first_up(cars_name(figures))
    spans = {_months_text(of, figures) for _, of in found}
    if not found:
        names = ", ".join(line.name for line in content.lines[:PANELS])
        return shortest(f"{about} over the year: {names}", f"{about} over the year")
    if len(spans) > 1:
        newest = {int(figures.start[of.last]) // 12 for _, of in found}
        ons = [f", {max(newest)} on {max(newest) - 1}" if len(newest) == 1 else " on a year before"]
        parts = [
            f"{line.name} {_change_text(of, brief=True)} ({_months_text(of, figures, bare=True)})" for line, of in found
        ]
    else:
        before = int(figures.start[found[0][1].first]) // 12 - 1
        ons = [f", {next(iter(spans))} on {words}" for words in ("a year before", str(before))]
        parts = [f"{line.name} {_change_text(of, brief=True)}" for line, of in found]
    return shortest(
        *(f"{about}{on}: {', '.join(parts[:count])}" for count in range(len(parts), 0, -1) for on in ons),
        parts[0],
        about,
    )


def _change_text(found: Change, *, brief: bool = False) -> str:
    """'+12.3 %'; where the unnamed rest leaves it open 'up at least 12.3 %' in brief, else its range.

    A range that a reader would round away is none, as in `is_open`.
    """
    if found.high - found.low <= 0.01:
        return style.growth_text(found.value)
    low, high = style.growth_text(found.low), style.growth_text(found.high)
    if brief and found.low > 0:
        return f"up at least {low.removeprefix('+')}"
    if brief and found.high < 0:
        return f"down at least {style.growth_text(-found.high).removeprefix('+')}"
    return f"{low} to {high}" if np.isfinite(found.high) else f"at least {low}"


def _months_text(found: Change, figures: MarketFigures, *, bare: bool = False) -> str:
    """'Jan to Jun 2026', 'Q1 2026', '2025'; bare 'Jan to Jun', without the year."""
    length = GRAIN_MONTHS[figures.selection.grain.value]
    first, last = int(figures.start[found.first]), int(figures.start[found.last])
    if last + length - first == 12:
        return str(first // 12)
    newest = _tick(last, length) if bare else style.period_text(month_start(last), figures.selection.grain.value)
    return newest if first == last else f"{_tick(first, length)} to {newest}"


def _tick(month: int, length: int) -> str:
    return _MONTHS[month % 12] if length == 1 else f"Q{month % 12 // 3 + 1}"


def _last_step(content: Seasons) -> tuple[float, float, str] | None:
    """The last step without its season as a fraction, the usual noise of such steps, and its periods: 'Jun on May'.

    None where there is no season, or where the step lies within January and February taken together.
    """
    if content.season is None:
        return None
    figures, length = content.figures, 12 // content.per_year
    parts = content.season.parts
    last = int(figures.start[content.season.first + len(parts.trend) - 1])
    if _is_joined(content.lines[0], figures) and last % 12 < 2:
        return None
    before = "Jan+Feb" if _is_joined(content.lines[0], figures) and last % 12 == 2 else _tick(last - length, length)
    step = float(parts.adjusted[-1] / parts.adjusted[-2] - 1)
    return step, parts.usual_step, f"{_tick(last, length)}|{before}"


def _step_text(content: Seasons) -> str:
    """'Jun is 8.1 % above May', where that is more than noise and than a trifle; else nothing."""
    found = _last_step(content)
    if found is None or abs(np.log1p(found[0])) < max(NOTABLE * found[1], LEAST_STEP):
        return ""
    return _step_words(found)


def _step_words(found: tuple[float, float, str]) -> str:
    now, before = found[2].split("|")
    size = style.growth_text(abs(found[0])).removeprefix("+")
    return f"{now} is {size} {'above' if found[0] > 0 else 'below'} {before}"


def _subtitle(content: Seasons) -> str:
    """The subtitle of the figures; a total is of no makers."""
    figures = content.figures
    if content.lines[0].maker != "all" or figures.selection.by is By.POWERTRAIN or len(content.lines) > 1:
        return subtitle(figures)
    total = replace(figures, selection=replace(figures.selection, by=By.MAKER))
    return subtitle(total).replace(" by maker", "", 1)


def notes(content: Seasons, *, asked: Selection) -> tuple[str, ...]:
    """What a reader has to know: how periods are put together, what the trend is, what is left out."""
    figures, selection, said = content.figures, content.figures.selection, []
    drawn = content.lines[:PANELS]
    found = [year.number for line in drawn for year in years(line, figures)]
    if found and min(found) < max(found):
        older = f"{min(found)} to {max(found) - 1}" if max(found) - min(found) > 1 else str(min(found))
        said.append(f"{max(found)} is drawn strong; {older} in grey, the fainter the longer ago.")
    joined = [line for line in drawn if _is_joined(line, figures)]
    if joined:
        whose = f" of {', '.join(line.name for line in joined)}" if len(joined) < len(drawn) else ""
        said.append(f"January and February{whose} are drawn as their mean: the Chinese New Year moves between them.")
    if len(drawn) > 1:
        said.append("Each panel has a scale of its own.")
    for line in drawn:
        wave = _waves(line, figures)
        if wave is not None and wave > WAVE:
            whose = f"{line.name}: the" if len(drawn) > 1 else "The"
            said.append(
                f"{whose} last months of quarters have {wave:.1f} times the mean of their first two: "
                "deliveries come in waves."
            )
    said += _season_notes(content)
    if len(content.lines) > PANELS:
        rest = content.lines[PANELS:]
        named = ", ".join(line.name for line in rest[:6]) + (f" and {len(rest) - 6} more" if len(rest) > 6 else "")
        said.append(f"Not drawn: {named}; all are in the download.")
    loose = [line for line in drawn if not np.isnan(line.value[-1]) and is_open(line, Measure.UNITS)]
    if loose:
        said.append(f"What is drawn of {', '.join(line.name for line in loose)} is named: the unnamed rest could add.")
    if asked.window is not Window.NONE:
        said.append("Each period stands by itself: sums over several would hide the season.")
    if asked.grain is not selection.grain:
        why = "a year has no season" if asked.grain is Grain.YEAR else "no months are published"
        said.append(f"Drawn by {selection.grain}: {why}.")
    shown = content.stated.lines if content.stated is not figures else drawn
    return (*said, *common_notes(Drawn(figures=content.stated, lines=tuple(shown))))


def _season_notes(content: Seasons) -> list[str]:
    if content.season is None:
        return [content.why_none] if content.why_none else []
    parts = content.season.parts
    said = "Trend: the season is taken out by STL (Cleveland and others, 1990), on logarithms."
    per_year = content.per_year
    over_year = style.growth_text(float(parts.trend[-1] / parts.trend[-1 - per_year] - 1))
    said += f" It stands {over_year} on a year before, and its newest part moves as figures come in."
    found = _last_step(content)
    if found is not None and not _step_text(content):
        said += f" Season removed, {_step_words(found)}, which is within the usual noise."
    return [said]


# The plot


def draw(reading: Reading, look: Look) -> Figure:
    """The years over the months, with the trend under them; several lines in panels beside each other."""
    content: Seasons = reading.content
    if len(content.lines) > 1:
        return _panels(content, look)
    return _single(content, look)


def _single(content: Seasons, look: Look) -> Figure:
    line, figures = content.lines[0], content.figures
    has_trend = content.season is not None
    traces, labels, ends, top = _year_traces(content, line, look, axis="")
    small = round(look.font_px * 0.92)
    layout = style.layout(look, hovermode="closest", xaxis=_month_axis(content, line), yaxis=_value_axis(top))
    layout["margin"] |= {"r": max(style.end_room(ends, font_px=small), round(look.font_px * 2.5))}
    share = 1.0
    if has_trend:
        share = 0.56
        layout["yaxis"] |= {"domain": [1 - share, 1], "nticks": 5}
        layout["xaxis"] |= {"anchor": "y"}
        trend, names, highest = _trend_traces(content, line, look)
        traces += trend
        labels += names
        layout["yaxis2"] = {**layout["yaxis"], **_value_axis(highest), "domain": [0, 0.27], "nticks": 4, "anchor": "x2"}
        dates = (
            [month_start(int(figures.start[at])).isoformat() for at in (content.season.first, -1)]
            if content.season
            else []
        )
        layout["xaxis2"] = {
            **layout["xaxis"],
            "type": "date",
            "tickmode": "auto",
            "tickvals": None,
            "ticktext": None,
            "range": dates,
            "anchor": "y2",
        }
    height = (look.height - layout["margin"]["t"] - layout["margin"]["b"]) * share
    placed = style.line_end_labels(ends, height_px=height, font_px=small, value_range=(0.0, top))
    layout["annotations"] = [*labels, *style.end_annotations(placed, font_px=small)]
    return {"data": traces, "layout": layout}


def _panels(content: Seasons, look: Look) -> Figure:
    """Two to four lines, each in a panel with a scale of its own, two beside each other."""
    drawn = content.lines[:PANELS]
    across, down = 2, -(-len(drawn) // 2)
    traces: list[dict[str, Any]] = []
    layout = style.layout(look, hovermode="closest")
    layout["margin"] |= {"t": round(look.font_px * 2.2), "r": round(look.font_px * 2.5)}
    labels: list[dict[str, Any]] = []
    own_x, own_y = layout.pop("xaxis"), layout.pop("yaxis")
    for n, line in enumerate(drawn):
        axis = "" if n == 0 else str(n + 1)
        left, row = (n % across) * 0.54, n // across
        high = 1 - row * 0.6
        low = high - (0.40 if down > 1 else 1)
        found, names, _, top = _year_traces(content, line, look, axis=axis)
        traces += found
        labels += names
        layout[f"xaxis{axis}"] = {
            **own_x,
            **_month_axis(content, line, few=True),
            "domain": [left, left + 0.46],
            "anchor": f"y{axis}",
        }
        layout[f"yaxis{axis}"] = {**own_y, **_value_axis(top), "domain": [low, high], "anchor": f"x{axis}", "nticks": 4}
        labels.append(_panel_name(_panel_text(line, content, look), left, high, look))
    return {"data": traces, "layout": layout | {"annotations": labels}}


def _panel_text(line: Line, content: Seasons, look: Look) -> str:
    """The name of a panel's line with its change; with the months of it where there is room."""
    found = change(line, content.figures)
    if found is None:
        return line.name
    text = f"{line.name} {_change_text(found, brief=True)}"
    is_narrow = look.height < style.SCREEN.height
    return text if is_narrow else f"{text}, {_months_text(found, content.figures)}"


def _panel_name(text: str, left: float, high: float, look: Look) -> dict[str, Any]:
    """The name of a panel, above its upper left corner."""
    return {
        "text": style.escape(text),
        "showarrow": False,
        "font": {"size": look.font_px, "color": style.INK[look.theme].text, "weight": 600},
        "xref": "paper",
        "x": left,
        "xanchor": "left",
        "yref": "paper",
        "y": high,
        "yanchor": "bottom",
        "yshift": round(look.font_px * 0.3),
        "borderpad": 0,
    }


def _month_axis(content: Seasons, line: Line, *, few: bool = False) -> dict[str, Any]:
    """The months of a year, or its quarters; January and February have one place where they are taken together."""
    per_year, length = content.per_year, 12 // content.per_year
    spots = [(float(n + 1), _tick(n * length, length)) for n in range(per_year)]
    if _is_joined(line, content.figures):
        spots[:2] = [(1.5, "Jan+Feb")]
    if few and per_year == 12:
        spots = [spots[0], *(spot for spot in spots if spot[0] in (4, 7, 10))]
    margin = 0.4 if per_year == 12 else 0.2
    return {
        "type": "linear",
        "range": [1 - margin, per_year + margin * 0.6],
        "tickvals": [across for across, _ in spots],
        "ticktext": [name for _, name in spots],
    }


def _value_axis(top: float) -> dict[str, Any]:
    return {"range": [0, top], "tickformat": "~s" if top >= 10_000 else ","}


def _year_traces(
    content: Seasons, line: Line, look: Look, *, axis: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[style.LineEnd], float]:
    """The traces of a line's years, labels within the plot, those at line ends, and the top of its axis."""
    figures, ink = content.figures, style.INK[look.theme]
    drawn = years(line, figures)
    colour = _colour(line, content, look)
    traces: list[dict[str, Any]] = []
    labels, ends = [], []
    top = 0.0
    for n, year in enumerate(drawn):
        is_current = n == len(drawn) - 1
        shade = colour if is_current else _grey(len(drawn) - 1 - n, look)
        at: Places = [(k, k) for k in range(len(year.value))]
        on = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
        if is_current and (year.high > year.value).any():
            edges = replace(line, low=year.value, high=year.high)
            traces += [each | on for each in band(edges, at, year.across, shade)]
        top = max(top, float(np.nanmax(year.high if is_current else year.value)))
        part = figures.unfinished_of(line)[list(year.at)]
        traces.append(
            on
            | {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"{style.escape(line.name)} {year.number}" if len(content.lines) > 1 else str(year.number),
                "x": list(year.across),
                "y": plain(year.value),
                "line": {"color": shade, "width": (3.2 if is_current else 1.6) * max(look.font_px / 13, 1) ** 0.5},
                "marker": {
                    "size": round(look.font_px * (0.55 if is_current else 0.3)),
                    "symbol": ["circle-open" if unfinished else "circle" for unfinished in part],
                    "opacity": 1,
                },
                "customdata": [
                    [] if np.isnan(value) else point_key(line, figures, at)
                    for value, at in zip(year.value, year.at, strict=True)
                ],
                "text": [_hover(year, k) for k in range(len(year.value))],
                "hovertemplate": "%{fullData.name}, %{text}<extra></extra>",
                "connectgaps": False,
                "cliponaxis": False,
            }
        )
        if year.across[-1] == content.per_year and len(content.lines) == 1:
            ends.append(
                style.LineEnd(
                    text=str(year.number), value=float(year.value[-1]), colour=shade if is_current else ink.quiet
                )
            )
        elif is_current:
            labels.append(_year_label(year, axis=axis, colour=shade, look=look))
    return traces, labels, ends, (top or 1.0) * 1.08


def _hover(year: Year, at: int) -> str:
    value, high = float(year.value[at]), float(year.high[at])
    if np.isnan(value):
        return ""
    times = 2 if year.joined[at] else 1
    low, most = (style.units_text(round(end * times)) for end in (value, high))
    amount = low if low == most else f"{low} to {most}"
    return f"Jan+Feb together {amount}" if year.joined[at] else amount


def _year_label(year: Year, *, axis: str, colour: str, look: Look) -> dict[str, Any]:
    """The number of a year that ends within the plot, above its last point."""
    return {
        "text": str(year.number),
        "showarrow": False,
        "font": {"size": look.font_px, "color": colour, "weight": 600},
        "xref": f"x{axis}",
        "x": year.across[-1],
        "xanchor": "left",
        "yref": f"y{axis}",
        "y": float(year.value[-1]),
        "yanchor": "bottom",
        "yshift": round(look.font_px * 0.35),
        "borderpad": 1,
    }


def _colour(line: Line, content: Seasons, look: Look) -> str:
    """The colour of the current year: the entity's own; ink for one that has none."""
    return style.colour(colour_key(line, content.figures.selection), look.theme, highlight=True)


def _grey(ago: int, look: Look) -> str:
    """The grey of a year so long ago: the fainter the longer, and never lost on the background."""
    ink = style.INK[look.theme]
    pale = min(max(ago - 1, 0) / (YEARS - 2), 1.0)
    near, far = ([int(code[n : n + 2], 16) for n in (1, 3, 5)] for code in (ink.quiet, ink.axis))
    # The palest is half way from the axis' grey to the grid's.
    grid = [int(ink.grid[n : n + 2], 16) for n in (1, 3, 5)]
    last = [(a + b) / 2 for a, b in zip(far, grid, strict=True)]
    return "#" + "".join(f"{round(a + (b - a) * pale):02X}" for a, b in zip(near, last, strict=True))


def _trend_traces(content: Seasons, line: Line, look: Look) -> tuple[list[dict[str, Any]], list[dict[str, Any]], float]:
    """The figures without their season, thin, and their trend."""
    assert content.season is not None
    figures, parts, first = content.figures, content.season.parts, content.season.first
    ink = style.INK[look.theme]
    at = range(first, first + len(parts.trend))
    dates = [month_start(int(figures.start[n])).isoformat() for n in at]
    common = {"type": "scatter", "mode": "lines", "x": dates, "xaxis": "x2", "yaxis": "y2", "connectgaps": False}
    shown = "%{fullData.name}, %{x|%b %Y}: %{y:,.0f}<extra></extra>"
    traces: list[dict[str, Any]] = [
        common
        | {
            "name": "Season removed",
            "y": plain(parts.adjusted),
            "line": {"color": ink.axis, "width": 1.2},
            "hovertemplate": shown,
        },
        common
        | {
            "name": "Trend",
            "y": plain(parts.trend),
            "line": {"color": _colour(line, content, look), "width": 2.5},
            "hovertemplate": shown,
        },
    ]
    name = _panel_name("Trend, and the figures without their season", 0.0, 0.27, look)
    return traces, [name], float(max(parts.adjusted.max(), parts.trend.max())) * 1.05


# The download and the table


def rows(reading: Reading) -> pd.DataFrame:
    """Cars, one row an entity and period, with `DOWNLOAD_COLUMNS`, and `trend` and `season` of the only one.

    `trend` is in cars, `season` a factor around 1; both are empty where they are not worked out.
    """
    content: Seasons = reading.content
    frame = market_rows.rows(content.figures)
    trend, season = np.full((2, len(frame)), np.nan)
    if content.season is not None:
        parts, first = content.season.parts, content.season.first
        place = {
            month_start(int(month)).isoformat(): n for n, month in enumerate(content.figures.start[first:].tolist())
        }
        line = content.lines[0]
        is_line = ((frame["maker"] == line.maker) & (frame["model"] == line.model)).to_numpy()
        for row in np.flatnonzero(is_line):
            n = place.get(frame["period_start"].iloc[row], len(parts.trend))
            if n < len(parts.trend):
                trend[row], season[row] = parts.trend[n], parts.season[n]
    return frame.assign(trend=trend, season=season)


def table(reading: Reading) -> Table:
    """The months of the drawn years; of several lines the current year and the one before."""
    content: Seasons = reading.content
    figures, several = content.figures, len(content.lines) > 1
    length = GRAIN_MONTHS[figures.selection.grain.value]
    columns = []
    for line in content.lines[:PANELS]:
        numbers = [year.number for year in years(line, figures)][::-1][: 2 if several else YEARS]
        units = {
            int(month): style.units_text(float(value))
            for month, value, named in zip(figures.start, line.value, line.named, strict=True)
            if named
        }
        columns += [(f"{line.name} {number}" if several else str(number), number, units) for number in numbers]
    body = tuple(
        (_tick(n, length), *(units.get(number * 12 + n, style.MISSING) for _, number, units in columns))
        for n in range(0, 12, length)
    )
    return Table(
        header=("Period", *(name for name, _, _ in columns)),
        rows=body,
        caption="Cars of the years that are drawn, what is named of them. All periods are in the download.",
    )


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims that add up to one point's cars, of both months where January and February stand together."""
    content: Seasons = reading.content
    figures = content.figures
    claims = market_rows.receipts(connection, figures, point)
    line = next(each for each in figures.lines if each.market == point.market)
    if point.period_start % 12 == 1 and _is_joined(line, figures):
        january = replace(point, period_start=point.period_start - 1)
        claims = pd.concat([market_rows.receipts(connection, figures, january), claims], ignore_index=True)
    return claims


SEASONAL_YEARS = Chart(
    slug="seasonal-years",
    name="Years and seasons",
    question="Is that growth or season?",
    defaults=Selection(measure=Measure.UNITS),
    measures=(Measure.UNITS,),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
)
