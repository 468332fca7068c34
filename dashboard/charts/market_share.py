"""`market-share`: who leads a market, and between which bounds.

Its words are in `market_words`, its plot in `market_drawing`; here are what it reads, its download, its table and the
receipts of its points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard import style
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Chart, Point, Reading, Table
from dashboard.charts.market_drawing import draw
from dashboard.charts.market_words import (
    DRAWN,
    Drawn,
    badge,
    marked_text,
    notes,
    subtitle,
    title,
    value_text,
)
from dashboard.metrics import GRAIN_MONTHS, Bools, Floats
from dashboard.precedence import PUBLISHED_AS, counted_parts
from dashboard.sales_lines import (
    Line,
    MarketFigures,
    maker_name,
    market_figures,
    month_number,
    month_start,
    months_behind,
)
from dashboard.selection import By, Measure, Selection
from db import Connection, queries
from db.queries import Membership
from db.vocabulary import ALL, OTHER

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
    )


def _chosen(figures: MarketFigures) -> tuple[Line, ...]:
    """The entities that sold most at the end of the range, or all that the reader named."""
    lines = sorted(figures.entities, key=lambda line: (-_last(line.units), line.name))
    selection = figures.selection
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
    drawn: Drawn = reading.content
    figures, selection = drawn.figures, drawn.figures.selection
    lines = sorted(figures.lines, key=lambda line: (line.market, line.maker, line.model))
    there = [np.flatnonzero(~np.isnan(line.value)) for line in lines]
    counts = [len(periods) for periods in there]
    period = np.concatenate(there)
    # Lines are in order, and so are the periods of each: a stable sort by period leaves the lines in order in each.
    order = np.argsort(period, kind="stable")
    starts = np.array([month_start(int(month)).isoformat() for month in figures.start], dtype=object)

    def of_line(words: Sequence[str]) -> Any:
        return np.repeat(np.array(words, dtype=object), counts)[order]

    def of_point(arrays: Sequence[NDArray[Any]]) -> Any:
        return np.concatenate([array[periods] for array, periods in zip(arrays, there, strict=True)])[order]

    known = of_point([line.known for line in lines])
    slugs = figures.dataset.frame["source"].cat.categories.tolist()
    sources = of_point([line.sources for line in lines])
    named_sources = {
        bits: ";".join(slug for n, slug in enumerate(slugs) if bits >> n & 1) for bits in np.unique(sources).tolist()
    }
    days = {day: (date(1970, 1, 1) + timedelta(days=day)).isoformat() for day in np.unique(known).tolist()}
    return pd.DataFrame(
        {
            "period_start": starts[period[order]],
            "grain": selection.grain.value,
            "window": selection.window.value,
            "market": of_line([line.market for line in lines]),
            "basis": of_line([line.basis for line in lines]),
            "powertrain": selection.powertrain.value,
            "of": selection.denominator.value,
            "maker": of_line([line.maker for line in lines]),
            "model": of_line([line.model for line in lines]),
            "maker_name": of_line([_maker_name(line, figures) for line in lines]),
            "model_name": of_line([_model_name(line, figures) for line in lines]),
            "measure": selection.measure.value,
            "value": of_point([line.value for line in lines]),
            "low": of_point([line.low for line in lines]),
            "high": of_point([line.high for line in lines]),
            "unit": "cars" if selection.measure is Measure.UNITS else "fraction",
            "flags": of_point([_flags(line, selection, figures.unfinished) for line in lines]),
            "source": [named_sources[bits] for bits in sources.tolist()],
            "known_from": [days[day] for day in known.tolist()],
        },
        columns=list(DOWNLOAD_COLUMNS),
    )


def _maker_name(line: Line, figures: MarketFigures) -> str:
    if line.is_rest:
        return "Other"
    return "All makers" if line.maker == ALL else maker_name(line.maker, figures.selection, figures.nouns)


def _model_name(line: Line, figures: MarketFigures) -> str:
    if line.model == ALL:
        return "All models"
    return "Other models" if line.model == OTHER else figures.nouns.models[line.model]


def _flags(line: Line, selection: Selection, unfinished: Bools) -> NDArray[Any]:
    """What to mind about each period: a bound, a record that is not yet complete."""
    word = "bounded" if selection.measure is Measure.GROWTH else "lower_bound"
    bound = np.full(len(line.value), "upper_bound", dtype=object)
    if not line.is_rest:
        bound = np.where(line.high > line.low, np.array(word, dtype=object), "")
    if not unfinished.any():
        return bound
    return np.array(
        [
            ";".join(filter(None, (each, "incomplete" if part else "")))
            for each, part in zip(bound, unfinished, strict=True)
        ],
        dtype=object,
    )


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


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims that add up to one point's cars: the numerator of a share, both windows of a growth.

    A figure that stands for others of its period is there alone: a total without its parts, a maker without its models,
    a published sum of powertrains without these, and of a maker's own overlapping periods those that were added up.
    """
    drawn: Drawn = reading.content
    figures, selection = drawn.figures, drawn.figures.selection
    spans = months_behind(selection, point.period_start)
    is_group = selection.by is By.GROUP and point.maker in figures.nouns.members
    makers = figures.nouns.members[point.maker] if is_group else (point.maker,)
    line = next(
        line
        for line in figures.lines
        if (line.market, line.maker, line.model) == (point.market, point.maker, point.model)
    )
    words = PUBLISHED_AS[selection.powertrain]
    by_word = [
        queries.receipts(
            connection,
            markets=point.market.split("+"),
            bases=(line.basis,),
            powertrains=(word,),
            makers=makers if point.maker != ALL else None,
            # The market's rest is stored as a maker without models.
            model=point.model if selection.by is By.MODEL and point.maker != OTHER else None,
            first=month_start(spans[0].start),
            last=month_start(spans[-1].stop - 1),
            as_of=selection.as_of,
        )
        for word in words
    ]
    claims = pd.concat([each.assign(powertrain=word) for word, each in zip(words, by_word, strict=True)])
    sources = sources_at(line, figures, point.period_start)
    claims = claims[in_spans(claims, spans) & claims["source_slug"].isin(sources)]
    if is_group:
        claims = claims[_in_group(claims, figures.nouns.memberships[point.maker], figures.nouns.makers)]
    claims = _without_parts(claims, is_set=len(words) > 1)
    if figures.is_own and point.maker != ALL:
        claims = claims[_as_told(claims, figures, point, spans)]
    return claims.drop(columns="powertrain").reset_index(drop=True)


def _in_group(claims: pd.DataFrame, memberships: Sequence[Membership], names: Mapping[str, str]) -> NDArray[np.bool_]:
    """Which claims are about a maker that belongs to the group in the first month of the claim's period."""
    starts = [month_number(date.fromisoformat(day)) for day in claims["period_start"]]
    return np.array(
        [
            any(names.get(of.maker) == maker and of.first <= start < of.end for of in memberships)
            for start, maker in zip(starts, claims["maker"], strict=True)
        ],
        dtype=np.bool_,
    )


def _without_parts(claims: pd.DataFrame, *, is_set: bool) -> pd.DataFrame:
    """The claims without those that another claim of the same period stands for."""
    period = ["source_slug", "market", "period_start", "grain"]
    if is_set:
        cell = [claims[name] for name in (*period, "maker", "model")]
        stated = claims["powertrain"].groupby(cell).transform(lambda words: ";".join(sorted(set(words))))
        claims = claims[
            [word in counted_parts(of.split(";")) for word, of in zip(claims["powertrain"], stated, strict=True)]
        ]
    of_period = [claims[name] for name in period]
    is_total = claims["maker"] == "All makers"
    claims = claims[is_total | ~is_total.groupby(of_period).transform("any")]
    is_whole = claims["model"] == "All models"
    of_maker = [claims[name] for name in (*period, "maker")]
    return claims[is_whole | ~is_whole.groupby(of_maker).transform("any")]


def _as_told(claims: pd.DataFrame, figures: MarketFigures, point: Point, spans: Sequence[range]) -> NDArray[np.bool_]:
    """Which claims are those that a maker's own figure of the spans was added up from."""
    told = {
        (market, source, grain, month_start(month).isoformat())
        for market in point.market.split("+")
        for span in spans
        for source, grain, month in _periods_told(figures.own_claims(market, (point.maker, point.model), span))
    }
    keys = claims[["market", "source_slug", "grain", "period_start"]].itertuples(index=False, name=None)
    return np.array([key in told for key in keys], dtype=np.bool_)


def _periods_told(claims: pd.DataFrame) -> list[tuple[str, str, int]]:
    return list(zip(claims["source"].astype(str), claims["grain"].astype(str), claims["month"].tolist(), strict=True))


def in_spans(claims: pd.DataFrame, spans: Sequence[range]) -> NDArray[np.bool_]:
    """Which claims, as `queries.receipts` gives them, are about a period that lies wholly in one of the spans."""
    starts = [month_number(date.fromisoformat(day)) for day in claims["period_start"]]
    ends = [start + GRAIN_MONTHS[grain] for start, grain in zip(starts, claims["grain"], strict=True)]
    return np.array(
        [
            any(span.start <= start and end <= span.stop for span in spans)
            for start, end in zip(starts, ends, strict=True)
        ],
        dtype=np.bool_,
    )


def sources_at(line: Line, figures: MarketFigures, period_start: int) -> list[str]:
    """The slugs of the sources behind a line's figure in a period, for growth also of the same a year before."""
    bits = int(line.sources[int(np.searchsorted(figures.start, period_start))])
    return [slug for n, slug in enumerate(figures.dataset.frame["source"].cat.categories) if bits >> n & 1]


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
    receipts=receipts,
)
