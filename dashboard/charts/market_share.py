"""`market-share`: who leads a market, and between which bounds.

Its words are in `market_words`, its plot in `market_drawing`; here are what it reads, its download, its table and the
receipts of its points.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import market_rows
from dashboard.charts.chart import Chart, Reading, Table
from dashboard.charts.events import market_events
from dashboard.charts.market_drawing import draw
from dashboard.charts.market_notes import badge, notes
from dashboard.charts.market_words import DRAWN, Drawn, marked_text, subtitle, title, value_text
from dashboard.lines import Line
from dashboard.sales_lines import MarketFigures, market_figures
from dashboard.selection import By, Measure, Selection
from dashboard.windows import month_start
from db import Connection
from db.claims import Floats

TABLE_PERIODS = 13
"""Periods in the table under the chart: a year and the same period a year before."""

MEASURES = (Measure.SHARE, Measure.UNITS, Measure.GROWTH)


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What the data say about a selection; raises as `market_figures` does."""
    figures = market_figures(connection, selection, measures=MEASURES)
    drawn = Drawn(figures=figures, lines=_chosen(figures))
    return Reading(
        selection=selection,
        title=title(drawn),
        subtitle=subtitle(figures),
        badge=badge(drawn, today=today),
        citations=figures.dataset.citations,
        notes=notes(drawn),
        content=drawn,
        events=market_events(connection, figures),
    )


def _chosen(figures: MarketFigures) -> tuple[Line, ...]:
    """The entities that sold most at the end of the range, or all that the reader named."""
    selection = figures.selection
    if selection.by is By.POWERTRAIN:
        return figures.entities
    lines = sorted(figures.entities, key=lambda line: (-_last(line.units), line.name))
    if selection.makers or selection.models or selection.by is By.MARKET:
        return tuple(lines)
    current = [line for line in lines if not np.isnan(line.value[-1]) and line.named[-1] and not line.is_own_rest]
    return tuple((current or lines)[:DRAWN])


def _last(values: Floats) -> float:
    """The last value there is; minus infinity where there is none."""
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else -np.inf


def rows(reading: Reading) -> pd.DataFrame:
    """Every entity and the rest, one row a period, with `DOWNLOAD_COLUMNS`."""
    return market_rows.rows(reading.content.figures)


def table(reading: Reading) -> Table:
    """The newest periods of the lines that are drawn, and of the rest."""
    drawn: Drawn = reading.content
    figures, selection = drawn.figures, drawn.figures.selection
    lines = [*drawn.lines, *(line for line in figures.lines if line.is_rest and len(selection.makers) == 0)]
    body = []
    for at in range(len(figures.start) - 1, max(len(figures.start) - 1 - TABLE_PERIODS, -1), -1):
        period = style.period_text(month_start(int(figures.start[at])), selection.grain.value)
        body.append((period, *(_cell(line, at, selection) for line in lines)))
    return Table(
        header=("Period", *(line.name for line in lines)),
        rows=tuple(body),
        caption="The newest periods; a range gives low and high end. All periods and entities are in the download.",
    )


def _cell(line: Line, at: int, selection: Selection) -> str:
    value, low, high = float(line.value[at]), float(line.low[at]), float(line.high[at])
    if np.isnan(value):
        return "–"
    if line.is_rest or value_text(low, selection.measure) == value_text(high, selection.measure):
        return value_text(value, selection.measure)
    if not line.named[at]:
        return marked_text(line, at, selection)
    return f"{value_text(low, selection.measure)} to {value_text(high, selection.measure)}"


MARKET_SHARE = Chart(
    slug="market-share",
    name="Market share",
    question="Who leads, and who gains?",
    defaults=Selection(),
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=market_rows.receipts_of,
)
