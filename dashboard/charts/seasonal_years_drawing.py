"""The plot of `seasonal-years`: the years over the months, with the trend under them, or a panel a line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dashboard import style
from dashboard.charts.chart import Reading
from dashboard.charts.market_drawing import Places, band, colour_key, plain, point_key
from dashboard.charts.seasonal_years_words import PANELS, change_text, months_text, tick
from dashboard.charts.seasons import YEARS, Seasons, Year, change, is_joined, years
from dashboard.lines import Line
from dashboard.style import Figure, Look
from dashboard.windows import month_start


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
    text = f"{line.name} {change_text(found, brief=True)}"
    is_narrow = look.height < style.SCREEN.height
    return text if is_narrow else f"{text}, {months_text(found, content.figures)}"


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
    spots = [(float(n + 1), tick(n * length, length)) for n in range(per_year)]
    if is_joined(line, content.figures):
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
