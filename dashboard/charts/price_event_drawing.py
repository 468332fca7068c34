"""The plot of `price-event`: changes of share around a cut, and what months without one give."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from dashboard import style
from dashboard.charts.chart import Reading
from dashboard.charts.events import marked
from dashboard.charts.market_drawing import plain
from dashboard.charts.price_drawing import is_narrow
from dashboard.charts.price_event_words import TELLING, PriceEvent
from dashboard.charts.share_change_drawing import pp_axis
from dashboard.event_study import BEFORE, OFFSETS
from dashboard.lines import Line
from dashboard.style import Figure, Look
from dashboard.windows import month_number, month_start
from db.claims import Floats
from db.vocabulary import ALL, DatePrecision

CUT = "cut"
"""Stands for a model in the point of the cut itself."""


def draw(reading: Reading, look: Look) -> Figure:
    """Changes of share since before the cut: the cutter, what was expected of it with its placebo band, its rivals."""
    event: PriceEvent = reading.content
    study, ink, font = event.study, style.INK[look.theme], round(look.font_px * 0.92)
    months = [month_start(int(month)) for month in event.figures.start]
    dates = [(month + timedelta(days=14)).isoformat() for month in months]
    before = float(study.share[:BEFORE].mean())
    expected = study.expected - before
    own = event.over(event.line)
    colour = style.colour(event.cut.maker, look.theme, highlight=True)
    traces: list[dict[str, Any]] = []
    has_band = study.has_interval and not event.is_open
    if has_band:
        traces += _band(dates, expected + study.band, ink.pill)
    spare = event.line.high - event.line.value
    if (spare > TELLING).any():
        traces += _hatch(dates, own, own + spare, colour)
    traces += [_line(dates, event.over(line), line, event, look, thin=True) for line in reversed(event.rivals)]
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "Expected",
            "x": dates,
            "y": plain(expected),
            "line": {"color": ink.text, "width": 1.5, "dash": "dash"},
            "hovertext": [style.share_text(float(share)) for share in study.expected],
            "hovertemplate": "%{hovertext}",
        }
    )
    traces.append(_line(dates, own, event.line, event, look, thin=False))
    low, high = _range(traces, spare=bool((spare > TELLING).any()))
    traces.append(_cut_mark(event, look, at=low))
    ends = _ends(event, look, own=own, expected=expected)
    narrow = is_narrow(look)
    axis = pp_axis(high - low, most=7)
    if narrow:
        # The page leaves no room for more than the number, and names the unit above.
        axis["ticktext"] = [text.removesuffix(" pp") for text in axis["ticktext"]]
    layout = style.layout(
        look,
        xaxis={
            "type": "date",
            "hoverformat": "%b %Y",
            "range": [months[0].isoformat(), (months[-1] + timedelta(days=35 if narrow else 19)).isoformat()],
            "tickmode": "array",
            **_ticks(months, dates, every=3 if narrow else 1),
        },
        yaxis={"range": [low, high], **axis, "zerolinecolor": ink.text},
    )
    layout["margin"] |= {"l": round(look.font_px * 5), "b": round(look.font_px * 3.6)}
    layout["shapes"] = [
        {
            "type": "line",
            "xref": "x",
            "x0": _cut_day(event),
            "x1": _cut_day(event),
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"color": ink.text, "width": 1.5, "dash": "dot"},
        }
    ]
    layout = marked(layout, reading.events, look)
    layout["margin"] |= {"r": style.end_room(ends, font_px=font)}
    plot_height = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    placed = style.line_end_labels(ends, height_px=plot_height, font_px=font, value_range=(low, high))
    layout["annotations"] = [
        *style.end_annotations(placed, font_px=font),
        {
            "text": f"Cut, {style.growth_text(event.cut.size)}" if event.cut.is_fresh else "Cut",
            "font": {"size": font, "color": ink.text},
            "showarrow": False,
            "x": _cut_day(event),
            "xanchor": "left",
            "xshift": 5,
            "yref": "paper",
            "y": 0,
            "yanchor": "bottom",
            "yshift": 4,
            "borderpad": 0,
        },
        *(
            [_band_label(dates[0], float((expected + study.band[1])[:BEFORE].min()), look)]
            if has_band and not narrow
            else []
        ),
    ]
    return {"data": traces, "layout": layout}


def _band_label(x: str, y: float, look: Look) -> dict[str, Any]:
    """What the band is, inside of it under its upper end, before the cut: there the lines are near zero."""
    return {
        "text": "Nine of ten months without a cut",
        "font": {"size": round(look.font_px * 0.85), "color": style.INK[look.theme].quiet},
        "showarrow": False,
        "x": x,
        "xanchor": "left",
        "xshift": 6,
        "y": y,
        "yanchor": "top",
        "yshift": -4,
        "borderpad": 0,
    }


def _cut_day(event: PriceEvent) -> str:
    """Where the cut stands on the axis: its day, or the middle of the month where only that is known."""
    day = event.cut.day
    if event.cut.moves[0].after.precision is DatePrecision.MONTH:
        day = day.replace(day=15)
    return day.isoformat()


def _ticks(months: Sequence[date], dates: Sequence[str], *, every: int) -> dict[str, Any]:
    """Each month with its place counted from the cut: '−3', '0', '+6'."""
    places = [place for place in range(len(months)) if (OFFSETS[place] % every) == 0]
    texts = [
        f"{style.MINUS if OFFSETS[n] < 0 else '+' if OFFSETS[n] > 0 else ''}{abs(OFFSETS[n])}"
        f"<br>{style.period_text(months[n], 'month')}"
        for n in places
    ]
    return {"tickvals": [dates[n] for n in places], "ticktext": texts}


def _line(
    dates: Sequence[str], change: Floats, line: Line, event: PriceEvent, look: Look, *, thin: bool
) -> dict[str, Any]:
    highlight = not thin or line.maker in event.selection.makers
    texts = [
        "" if np.isnan(value) else f"{style.share_text(float(share))} ({style.pp_text(float(value))})"
        for share, value in zip(line.value, change, strict=True)
    ]
    months = event.figures.start.tolist()
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": style.escape(line.name),
        "x": list(dates),
        "y": plain(change),
        "line": {
            "color": style.colour(line.maker, look.theme, highlight=highlight),
            "width": 1.2 if thin else 3,
            "dash": style.dash(line.maker),
        },
        "marker": {"size": 4 if thin else 8, "symbol": style.symbol(line.maker)},
        "opacity": 0.75 if thin else 1,
        "customdata": [
            [event.cut.market, line.maker, ALL, int(month)] if text else []
            for month, text in zip(months, texts, strict=True)
        ],
        "text": texts,
        "hovertemplate": "%{text}",
        "connectgaps": False,
    }


def _band(dates: Sequence[str], ends: Floats, colour: str) -> list[dict[str, Any]]:
    """What nine of ten months without a cut give, month by month."""
    common = {
        "type": "scatter",
        "mode": "lines",
        "x": list(dates),
        "line": {"width": 0, "color": colour},
        "hoverinfo": "skip",
    }
    return [common | {"y": plain(ends[0])}, common | {"y": plain(ends[1]), "fill": "tonexty", "fillcolor": colour}]


def _hatch(dates: Sequence[str], low: Floats, high: Floats, colour: str) -> list[dict[str, Any]]:
    lower, upper = _band(dates, np.array([low, high]), colour)
    return [lower, upper | {"fillcolor": "rgba(0,0,0,0)", "fillpattern": style.hatch(colour)}]


def _range(traces: Sequence[dict[str, Any]], *, spare: bool) -> tuple[float, float]:
    """The ends of the axis; what unnamed cars leave open may run out of the plot, so that the lines can be seen."""
    hatched = [trace for trace in traces if "fillpattern" in trace]
    values = [y for trace in traces if trace not in hatched for y in trace["y"] if y is not None]
    low, high = min([*values, -0.01]), max([*values, 0.01])
    if spare:
        highest = max(y for trace in hatched for y in trace["y"] if y is not None)
        high = max(high, min(highest, high + (high - low)))
    room = (high - low) * 0.06
    return low - room, high + room


def _cut_mark(event: PriceEvent, look: Look, *, at: float) -> dict[str, Any]:
    """The cut itself, whose receipts are its prices."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "Cut",
        "x": [_cut_day(event)],
        "y": [at],
        "marker": {"symbol": "triangle-down", "size": round(look.font_px * 0.8), "color": style.INK[look.theme].text},
        "customdata": [[event.cut.market, event.cut.maker, CUT, month_number(event.cut.day)]],
        "text": [f"{style.growth_text(event.cut.size)}, {event.cut.when}"],
        "hovertemplate": "%{text}",
        "cliponaxis": False,
    }


def _ends(event: PriceEvent, look: Look, *, own: Floats, expected: Floats) -> list[style.LineEnd]:
    ink = style.INK[look.theme]
    ends = [
        style.LineEnd(
            text=f"{event.name} {style.pp_text(float(own[-1]))}",
            value=float(own[-1]),
            colour=style.colour(event.cut.maker, look.theme, highlight=True),
        ),
        style.LineEnd(text="Expected by control", value=float(expected[-1]), colour=ink.text),
    ]
    other = style.colour("other", look.theme)
    for line in event.rivals:
        change = float(event.over(line)[-1])
        colour = style.colour(line.maker, look.theme, highlight=line.maker in event.selection.makers)
        ends.append(
            style.LineEnd(
                text=f"{line.name} {style.pp_text(change)}",
                value=change,
                colour=ink.quiet if colour == other else colour,
            )
        )
    return ends
