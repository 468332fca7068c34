"""`seasonal-years`: the years one over the other, to tell growth from the time of the year.

A total, a maker or a model is drawn year by year over the months, the current year on top. Under it stands the trend,
where the figures are long and whole enough for one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import market_rows
from dashboard.charts.chart import Chart, Point, Reading, Table
from dashboard.charts.market_notes import freshness
from dashboard.charts.market_words import is_open
from dashboard.charts.seasonal_years_drawing import draw
from dashboard.charts.seasonal_years_words import PANELS, notes, seasons_subtitle, tick, title
from dashboard.charts.seasons import YEARS, Seasons, decomposed, is_joined, years
from dashboard.charts.whole_market import answered
from dashboard.comparability import check_names, check_sales
from dashboard.lines import Line
from dashboard.sales_lines import MarketFigures, figures_asked_for
from dashboard.selection import BasisChoice, By, Incomparable, Measure, NotPublished, Selection, Window
from dashboard.windows import month_start
from db import Connection, queries
from db.claims import GRAIN_MONTHS
from db.vocabulary import Grain


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The years of a selection's total, makers, models or markets; raises as `market_figures` does."""
    content = _with_season(answered(lambda asked: _seasons(connection, asked), selection))
    doubt = ""
    if any(is_open(line, Measure.UNITS) for line in content.lines if not np.isnan(line.value[-1])):
        doubt = "Part of this market is published without names: the unnamed rest could add to what is drawn."
    return Reading(
        selection=selection,
        title=title(content),
        subtitle=seasons_subtitle(content),
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
    season, why_none = decomposed(content.lines[0], content.figures)
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
        (tick(n, length), *(units.get(number * 12 + n, style.MISSING) for _, number, units in columns))
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
    if point.period_start % 12 == 1 and is_joined(line, figures):
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
