"""Lines of market sales as a download has them, and the stored claims behind any of their points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.charts.chart import DOWNLOAD_COLUMNS, Point, Reading
from dashboard.lines import Line, maker_name
from dashboard.precedence import PUBLISHED_AS, counted_parts
from dashboard.sales_lines import MarketFigures
from dashboard.selection import By, Measure, Selection
from dashboard.windows import month_number, month_start, months_behind
from db import Connection, provenance
from db.claims import GRAIN_MONTHS, Bools, Claims
from db.queries import Membership
from db.vocabulary import ALL, OTHER, Powertrain


def rows(figures: MarketFigures) -> pd.DataFrame:
    """Every entity and the rest, one row a period, with `DOWNLOAD_COLUMNS`."""
    selection = figures.selection
    lines = sorted(figures.lines, key=lambda line: (line.market, line.maker, line.model, line.powertrain))
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
    slugs = figures.dataset.sources
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
            "powertrain": of_line([line.powertrain for line in lines]),
            "of": selection.denominator.value,
            "maker": of_line([line.maker for line in lines]),
            "model": of_line([line.model for line in lines]),
            "maker_name": of_line([printed_maker(line, figures) for line in lines]),
            "model_name": of_line([printed_model(line, figures) for line in lines]),
            "measure": selection.measure.value,
            "value": of_point([line.value for line in lines]),
            "low": of_point([line.low for line in lines]),
            "high": of_point([line.high for line in lines]),
            "unit": "cars" if selection.measure is Measure.UNITS else "fraction",
            "flags": of_point([_flags(line, selection, figures.unfinished_of(line)) for line in lines]),
            "source": [named_sources[bits] for bits in sources.tolist()],
            "known_from": [days[day] for day in known.tolist()],
        },
        columns=list(DOWNLOAD_COLUMNS),
    )


def printed_maker(line: Line, figures: MarketFigures) -> str:
    """The maker of a line as a download names it."""
    if line.is_rest:
        return "Other"
    return "All makers" if line.maker == ALL else maker_name(line.maker, figures.selection, figures.nouns)


def printed_model(line: Line, figures: MarketFigures) -> str:
    """The model of a line as a download names it."""
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


def line_key(line: Line, selection: Selection) -> tuple[str, str, str]:
    """What names a line in a `Point`: market, maker and model, or its powertrain where lines are powertrains."""
    return line.market, line.maker, line.powertrain if selection.by is By.POWERTRAIN else line.model


def receipts(connection: Connection, figures: MarketFigures, point: Point) -> pd.DataFrame:
    """The stored claims that add up to one point's cars: the numerator of a share, both windows of a growth.

    The point names a line of the figures; `KeyError` for one that they do not have.

    A figure that stands for others of its period is there alone: a total without its parts, a maker without its models,
    a published sum of powertrains without these, and of a maker's own overlapping periods those that were added up.
    """
    selection = figures.selection
    spans = months_behind(selection, point.period_start)
    is_group = selection.by is By.GROUP and point.maker in figures.nouns.members
    makers = figures.nouns.members[point.maker] if is_group else (point.maker,)
    line = {line_key(each, selection): each for each in figures.lines}[point.market, point.maker, point.model]
    is_part = selection.by is By.POWERTRAIN
    words = (Powertrain(line.powertrain),) if is_part else PUBLISHED_AS[selection.powertrain]
    by_word = [
        provenance.receipts(
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
            scope=figures.scope,
        )
        for word in words
    ]
    claims = pd.concat([each.assign(powertrain=word) for word, each in zip(words, by_word, strict=True)])
    sources = sources_at(line, figures, point.period_start)
    claims = claims[in_spans(claims, spans) & claims["source_slug"].isin(sources)]
    if is_group:
        claims = claims[_in_group(claims, figures.nouns.memberships[point.maker], figures.nouns.makers)]
    claims = without_parts(claims, is_set=len(words) > 1)
    if figures.is_own and point.maker != ALL:
        claims = claims[_as_told(claims, figures, line, spans)]
    return claims.drop(columns="powertrain").reset_index(drop=True)


def receipts_of(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The same for a chart whose content has the `figures` of all its points."""
    return receipts(connection, reading.content.figures, point)


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


def without_parts(claims: pd.DataFrame, *, is_set: bool) -> pd.DataFrame:
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


def _as_told(claims: pd.DataFrame, figures: MarketFigures, line: Line, spans: Sequence[range]) -> NDArray[np.bool_]:
    """Which claims are those that a maker's own figure of the spans was added up from."""
    told = {
        (market, source, grain, month_start(month).isoformat())
        for market in line.market.split("+")
        for span in spans
        for source, grain, month in _periods_told(figures.own_claims(market, line, span))
    }
    keys = claims[["market", "source_slug", "grain", "period_start"]].itertuples(index=False, name=None)
    return np.array([key in told for key in keys], dtype=np.bool_)


def _periods_told(claims: Claims) -> list[tuple[str, str, int]]:
    return list(zip(claims.source.texts(), claims.grain.texts(), claims.month.tolist(), strict=True))


def in_spans(claims: pd.DataFrame, spans: Sequence[range]) -> NDArray[np.bool_]:
    """Which claims, as `provenance.receipts` gives them, are about a period that lies wholly in one of the spans."""
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
    return [slug for n, slug in enumerate(figures.dataset.sources) if bits >> n & 1]
