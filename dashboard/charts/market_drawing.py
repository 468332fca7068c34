"""The plot of `market-share`: lines over time with labels at their ends, bars for a single period.

A maker that the publisher's unnamed rest could raise is drawn at its low end; the band up to its high end is hatched
where it is narrow enough to say something, and always for a maker that the reader named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dashboard import style
from dashboard.charts.chart import Reading
from dashboard.charts.events import Events, marked
from dashboard.charts.market_rows import line_key
from dashboard.charts.market_words import (
    DRAWN,
    Drawn,
    folded_lines,
    marked_text,
    smaller_name,
    sum_of,
    value_text,
)
from dashboard.lines import Line
from dashboard.sales_lines import MarketFigures
from dashboard.selection import By, Measure, Selection
from dashboard.style import Figure, Look
from dashboard.windows import month_start
from db.claims import GRAIN_MONTHS, Bools, Floats
from db.vocabulary import ALL, OTHER, Powertrain

BAND = 0.10
"""A band wider than this part of the axis' measure says no more than the label does, and is left to the table."""


def draw(reading: Reading, look: Look) -> Figure:
    """Lines over time with labels at their ends; bars where there is a single period."""
    drawn: Drawn = reading.content
    if len(drawn.figures.start) == 1:
        return _bars(drawn, look)
    return trend(drawn, look, reading.events)


def trend(
    drawn: Drawn,
    look: Look,
    events: Events,
    *,
    domain: tuple[float, float] = (0.0, 1.0),
    time: tuple[str, str] | None = None,
) -> Figure:
    """Lines over time with labels at their ends.

    `domain` is the part of the height that they have, from the bottom; `time` the ends of the time axis as ISO dates,
    by default the first and the last period.
    """
    figures, selection = drawn.figures, drawn.figures.selection
    at = with_gaps(figures)
    dates = [month_start(month).isoformat() for month, _ in at]
    traces: list[dict[str, Any]] = []
    named = bool(selection.makers or selection.models or selection.by is By.POWERTRAIN)
    bounded = selection.measure is not Measure.GROWTH
    for line in drawn.lines:
        colour = style.colour(colour_key(line, selection), look.theme, highlight=named)
        if bounded and _has_visible_band(line, drawn, named):
            traces += band(line, at, dates, colour)
        heights = spread(visible(line), at)
        traces.append(
            {
                "type": "scatter",
                "name": style.escape(line.name),
                "x": dates,
                "y": heights,
                "line": {
                    "color": colour,
                    "width": 2.5 if _stands_out(line) else 2,
                    "dash": dash(line, selection),
                },
                **marks(
                    5 if len(dates) <= 24 else sizes(heights, at, figures.unfinished_of(line)),
                    symbols(symbol(line, selection), at, figures.unfinished_of(line)),
                ),
                "customdata": [[] if n is None else point_key(line, figures, n) for _, n in at],
                "text": ["" if n is None else _hover(line, n, selection) for _, n in at],
                "hovertemplate": "%{text}",
                "connectgaps": False,
            }
        )
    low, high = _axis_range(drawn, traces)
    ends = _line_ends(drawn, look, within=(low, high))
    layout = style.layout(
        look,
        xaxis={"type": "date", "hoverformat": hover_format(selection), **x_range(figures, time)},
        yaxis={
            "domain": list(domain),
            "range": [low, high],
            "tickformat": ".0%"
            if selection.measure is not Measure.UNITS and high - low > 0.05
            else ".1%"
            if selection.measure is not Measure.UNITS
            else "~s"
            if high >= 10_000
            else ",",
            "rangemode": "tozero",
        },
    )
    layout = marked(layout, events, look)
    font = round(look.font_px * 0.92)
    if len(ends) <= DRAWN + 1:
        room = style.end_room(ends, font_px=font)
        layout["margin"] |= {"r": room}
        plot_height = (layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]) * (domain[1] - domain[0])
        placed = style.line_end_labels(ends, height_px=plot_height, font_px=font, value_range=(low, high))
        layout["annotations"] = style.end_annotations(placed, font_px=font)
    else:
        layout |= {"showlegend": True}
    return {"data": traces, "layout": layout}


Places = list[tuple[int, int | None]]
"""Months of a time axis, each with its place among the figures' periods; None where a period has no figure at all."""


def with_gaps(figures: MarketFigures) -> Places:
    """The periods with a figure, and one without between those that are not neighbours: no line is drawn across it."""
    length = GRAIN_MONTHS[figures.selection.grain.value]
    places: Places = []
    for n, month in enumerate(figures.start.tolist()):
        if n and month > int(figures.start[n - 1]) + length:
            places.append((int(figures.start[n - 1]) + length, None))
        places.append((month, n))
    return places


def spread(values: Floats, at: Places) -> list[float | None]:
    """Values along a time axis with its gaps, as Plotly takes them."""
    heights = plain(values)
    return [None if n is None else heights[n] for _, n in at]


def marks(size: int | Sequence[int], symbol: str | Sequence[str]) -> dict[str, Any]:
    """Mode and markers of a line whose markers are of such sizes; without any it has none, of which each would cost the
    browser as much as one that is seen."""
    if not np.any(size):
        return {"mode": "lines", "marker": {"size": 0, "symbol": symbol}}
    return {"mode": "lines+markers", "marker": {"size": size, "symbol": symbol}}


def sizes(heights: Sequence[float | None], at: Places, unfinished: Bools) -> list[int]:
    """The marker of each point of a line: none within it, one where it stands alone or its period is unfinished."""
    beside = [None, *heights, None]
    alone = [before is None and after is None for before, after in zip(beside[:-2], beside[2:], strict=True)]
    return [
        7 if n is not None and unfinished[n] else 5 if is_alone else 0
        for is_alone, (_, n) in zip(alone, at, strict=True)
    ]


def symbols(symbol: str, at: Places, unfinished: Bools) -> str | list[str]:
    """The symbol of a line's markers, hollow where the period is not finished: its figure will grow."""
    if not unfinished.any():
        return symbol
    return [f"{symbol}-open" if n is not None and unfinished[n] else symbol for _, n in at]


def visible(line: Line) -> Floats:
    """What is drawn of a line: where the entity is not named there is a gap, never a zero."""
    return np.where(line.named, line.value, np.nan)


def _line_ends(drawn: Drawn, look: Look, *, within: tuple[float, float]) -> list[style.LineEnd]:
    """A label for each line: its newest value, at the height where the line ends; an older one with its period."""
    figures, selection = drawn.figures, drawn.figures.selection
    named = bool(selection.makers or selection.models or selection.by is By.POWERTRAIN)
    ends = []
    for line in drawn.lines:
        there = np.flatnonzero(~np.isnan(visible(line)))
        if not np.isnan(line.value[-1]):
            text = f"{line.name} {marked_text(line, -1, selection)}"
            height = line.value[there[-1]] if len(there) else line.high[-1]
        elif len(there):
            when = style.period_text(month_start(int(figures.start[there[-1]])), selection.grain.value)
            text = f"{line.name} {marked_text(line, there[-1], selection)} ({when})"
            height = line.value[there[-1]]
        else:
            continue
        colour = style.colour(colour_key(line, selection), look.theme, highlight=named)
        ends.append(
            style.LineEnd(
                text=text,
                value=float(np.clip(height, *within)),
                colour=colour if colour != style.colour(OTHER, look.theme) else style.INK[look.theme].quiet,
            )
        )
    return ends


@dataclass(frozen=True)
class _Bar:
    """One bar: `value` is solid (NaN draws nothing), hatched from there to `high`; `point` names what was clicked."""

    name: str
    value: float
    high: float
    text: str
    hover: str
    colour: str
    point: list[Any]


def _plain_bar(name: str, value: float, selection: Selection, colour: str) -> _Bar:
    text = value_text(value, selection.measure)
    return _Bar(name=name, value=value, high=value, text=text, hover=f"{name}: {text}", colour=colour, point=[])


def point_key(line: Line, figures: MarketFigures, at: int) -> list[Any]:
    """What `Point` is made of, as a click hands it over."""
    return [*line_key(line, figures.selection), int(figures.start[at])]


def _bars(drawn: Drawn, look: Look) -> Figure:
    selection = drawn.figures.selection
    rest = [line for line in drawn.figures.lines if line.is_rest and not np.isnan(line.value[0])]
    shown = [line for line in drawn.lines if not np.isnan(line.value[0])]
    bars = [
        _Bar(
            name=line.name,
            value=float(visible(line)[0]),
            high=float(line.high[0]) if selection.measure is not Measure.GROWTH else float(line.value[0]),
            text=marked_text(line, 0, selection),
            hover=_hover(line, 0, selection),
            colour=style.colour(colour_key(line, selection), look.theme),
            point=point_key(line, drawn.figures, 0),
        )
        for line in shown
    ]
    if selection.measure is not Measure.GROWTH and not (selection.makers or selection.models):
        folded = folded_lines(drawn)
        smaller = [line for line in folded if not line.is_own_rest]
        own_rests = [line for line in folded if line.is_own_rest]
        for name, lines in ((smaller_name(len(smaller), selection), smaller), ("makers' unnamed models", own_rests)):
            if lines:
                bars.append(_plain_bar(name, sum_of(lines), selection, style.INK[look.theme].axis))
        for line in rest:
            bar = _plain_bar(line.name, float(line.value[0]), selection, style.colour(OTHER, look.theme))
            bars.append(replace(bar, point=point_key(line, drawn.figures, 0)))
    shared = {
        "type": "bar",
        "orientation": "h",
        "y": [style.escape(bar.name) for bar in bars],
        "customdata": [bar.point for bar in bars],
        "hovertext": [style.escape(bar.hover) for bar in bars],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }
    ends, colours = [bar.high for bar in bars], [bar.colour for bar in bars]
    # The hatched bar reaches to the high end, the solid one before it to the low end.
    traces: list[dict[str, Any]] = [
        shared
        | {
            "x": ends,
            "marker": {
                "color": "rgba(0,0,0,0)",
                "pattern": {"shape": "/", "fgcolor": colours, "fgopacity": 0.55, "size": 9, "solidity": 0.16},
            },
            "text": [bar.text for bar in bars],
            "textposition": "outside",
            "cliponaxis": False,
        },
        shared | {"x": plain(np.array([bar.value for bar in bars])), "marker": {"color": colours}},
    ]
    top = max(ends, default=0.0)
    bottom = min([0.0, *ends])
    layout = style.layout(
        look,
        hovermode="closest",
        xaxis={
            "range": [bottom * 1.15, (top or 1.0) * 1.12],
            "showgrid": True,
            "gridcolor": style.INK[look.theme].grid,
            "zeroline": True,
            "tickformat": ".0%" if selection.measure is not Measure.UNITS else ",",
        },
        yaxis={
            "autorange": "reversed",
            "showgrid": False,
            "automargin": True,
            "type": "category",
            "nticks": 0,
        },
        bargap=0.35,
        barmode="overlay",
    )
    return {"data": traces, "layout": layout}


def colour_key(line: Line, selection: Selection) -> str:
    """Colour belongs to the maker; models of one maker and markets are told apart by label, dash and symbol."""
    if selection.by is By.MODEL:
        return line.maker if selection.models or not selection.makers else line.model
    if selection.by is By.MARKET:
        return line.market if len(selection.makers) < 2 else line.maker
    return line.market if line.maker == ALL else line.maker


_OF_POWERTRAIN = {
    Powertrain.BEV.value: ("solid", "circle"),
    Powertrain.PHEV.value: ("dash", "diamond"),
    Powertrain.FCEV.value: ("dot", "triangle-up"),
}
"""Dash and symbol of a powertrain: hue belongs to the maker or market."""


def dash(line: Line, selection: Selection) -> str:
    """Plotly's dash of a line."""
    if selection.by is By.POWERTRAIN:
        return _OF_POWERTRAIN[line.powertrain][0]
    return style.dash(colour_key(line, selection))


def symbol(line: Line, selection: Selection) -> str:
    """Plotly's marker of a line."""
    if selection.by is By.POWERTRAIN:
        return _OF_POWERTRAIN[line.powertrain][1]
    return style.symbol(colour_key(line, selection))


def _stands_out(line: Line) -> bool:
    return line.maker in ("tesla", "byd")


def _has_visible_band(line: Line, drawn: Drawn, named: bool) -> bool:
    """Whether a band says something: it is there, and it is narrow, or the reader asked for few."""
    width = np.nan_to_num(line.high - line.value)
    if not (width > 0).any():
        return False
    if named and len(drawn.lines) <= 2:
        return True
    top = max(float(np.nanmax(other.value)) for other in drawn.lines)
    limit = BAND if drawn.figures.selection.measure is Measure.SHARE else BAND * top
    return bool(width.max() <= limit) and bool(width.max() > 0.005 * top)


def band(line: Line, at: Places, across: Sequence[str] | Sequence[float], colour: str) -> list[dict[str, Any]]:
    """What bounds leave open of a line, hatched between its low and its high ends at places across."""
    common = {
        "type": "scatter",
        "mode": "lines",
        "x": list(across),
        "line": {"width": 0, "color": colour},
        "hoverinfo": "skip",
        "showlegend": False,
        "connectgaps": False,
    }
    return [
        common | {"y": spread(line.low, at)},
        common
        | {
            "y": spread(line.high, at),
            "fill": "tonexty",
            "fillcolor": "rgba(0,0,0,0)",
            "fillpattern": style.hatch(colour),
        },
    ]


def plain(values: Floats) -> list[float | None]:
    """Numbers for Plotly: seven digits are more than a screen shows, and NaN is a gap."""
    return [None if np.isnan(value) else float(f"{value:.7g}") for value in values]


def _hover(line: Line, at: int, selection: Selection) -> str:
    value, high = float(line.value[at]), float(line.high[at])
    if np.isnan(value):
        return ""
    text = value_text(value, selection.measure)
    # Most values are exact, and a text is formed for every point of the chart.
    if selection.measure is Measure.GROWTH or high == value or (most := value_text(high, selection.measure)) == text:
        return text
    return f"{text} to {most}"


def _axis_range(drawn: Drawn, traces: Sequence[dict[str, Any]]) -> tuple[float, float]:
    values = [y for trace in traces for y in trace["y"] if y is not None]
    top, bottom = max(values, default=1.0), min(values, default=0.0)
    if drawn.figures.selection.measure is Measure.GROWTH:
        # One maker's first year would flatten all others: the axis shows up to five-fold, the table all.
        top, bottom = min(top, 5.0), min(bottom, 0.0)
        return bottom * 1.05, max(top * 1.05, 0.1)
    return 0.0, (top or 1.0) * 1.05


def x_range(figures: MarketFigures, time: tuple[str, str] | None = None) -> dict[str, Any]:
    """The ends of the time axis: those given, or the first and the last period."""
    if time is not None:
        return {"range": list(time)}
    first, last = month_start(int(figures.start[0])), month_start(int(figures.start[-1]))
    return {"range": [first.isoformat(), last.isoformat()]}


def hover_format(selection: Selection) -> str:
    """How a period is worded beside the pointer, as Plotly formats dates."""
    return {"month": "%b %Y", "quarter": "Q%q %Y", "year": "%Y"}[selection.grain.value]
