"""The plot of `share-change`: bars away from zero, or the steps of a single share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from dashboard import style
from dashboard.charts.chart import Reading
from dashboard.charts.market_drawing import colour_key, plain, point_key
from dashboard.charts.market_words import period_name
from dashboard.charts.share_change_words import Changes, Move, has_mix, others_text, share_range
from dashboard.selection import By
from dashboard.style import Figure, Look
from db.vocabulary import OTHER

WIDEST = 3.0
"""An interval is drawn up to so many times the largest change; beyond, it runs out of the plot."""

ROOM = 0.3
"""Room beside the bars for what is written at their ends, as a part of what they take."""


def draw(reading: Reading, look: Look) -> Figure:
    """Bars away from zero, gains to the right; the steps from share to share where a single entity is asked for."""
    found: Changes = reading.content
    if found.single:
        return _steps(found, found.single, look)
    return _bars(found, look)


@dataclass(frozen=True)
class _Bar:
    """One bar from zero to `value` (NaN draws none), hatched from `low` to `high`; `point` names what was clicked.

    `value` is what is certain of the change: the end of its bounds that is nearer to zero.
    """

    name: str
    value: float
    low: float
    high: float
    text: str
    hover: str
    colour: str
    point: list[Any]


def _bars(found: Changes, look: Look) -> Figure:
    selection = found.figures.selection
    ink = style.INK[look.theme]
    bars = [
        _Bar(
            name=move.line.name,
            value=move.certain,
            low=move.low,
            high=move.high,
            text=move.text,
            hover=_hover(move),
            colour=style.colour(colour_key(move.line, selection), look.theme),
            point=point_key(move.line, found.figures, 1),
        )
        for move in found.drawn
    ]
    if not (selection.makers or selection.models or selection.by in (By.MARKET, By.POWERTRAIN)):
        if found.others:
            together = sum(move.value for move in found.others)
            bars.append(_grey(others_text(len(found.others)), together, colour=ink.axis))
        if found.rest:
            key = point_key(found.rest.line, found.figures, 1)
            bar = _grey(found.rest.line.name, found.rest.value, colour=style.colour(OTHER, look.theme))
            bars.append(replace(bar, point=key))
    changes = [abs(move.value) for move in found.drawn if move.is_named]
    changes += [abs(bar.value) for bar in bars if not np.isnan(bar.value)]
    largest = max(changes, default=0.0) or max((max(abs(bar.low), abs(bar.high)) for bar in bars), default=0.01)
    limit = WIDEST * largest
    is_wide = [bar.low < -limit or bar.high > limit for bar in bars]
    ends = [0.0, *(end for bar, wide in zip(bars, is_wide, strict=True) if not wide for end in (bar.low, bar.high))]
    ends += [-limit, limit] if any(is_wide) else []
    span = (max(ends) - min(ends)) or 0.01
    to_right = [bar.low + bar.high >= 0 if np.isnan(bar.value) else bar.value >= 0 for bar in bars]
    # Room for what is written beside the bars; on bands that run out of the plot it stands where the bar ends.
    beside = [right for right, wide in zip(to_right, is_wide, strict=True) if not wide]
    narrow = _is_narrow(look)
    room = ROOM * span * (not any(is_wide)) * (not narrow)
    low, high = min(ends) - room * (not all(beside)), max(ends) + room * any(beside)
    bars = [replace(bar, low=max(bar.low, low), high=min(bar.high, high)) for bar in bars]
    names = [style.escape(bar.name) for bar in bars]
    shared = {"type": "bar", "orientation": "h", "y": names, "hovertemplate": "%{hovertext}<extra></extra>"}
    shared |= {"hovertext": [style.escape(bar.hover) for bar in bars]}
    colours = [bar.colour for bar in bars]
    traces: list[dict[str, Any]] = [
        shared
        | {
            "base": [bar.low for bar in bars],
            "x": [bar.high - bar.low for bar in bars],
            "marker": {"color": "rgba(0,0,0,0)", "pattern": style.hatch("") | {"fgcolor": colours}},
        },
        shared
        | {
            "x": plain(np.array([bar.value for bar in bars])),
            "marker": {"color": colours},
            "customdata": [bar.point for bar in bars],
            "text": [bar.text for bar in bars],
            "textposition": "none",
        },
    ]
    layout = style.layout(
        look,
        hovermode="closest",
        xaxis={
            "range": [low, high],
            "showgrid": True,
            "gridcolor": ink.grid,
            "zeroline": True,
            "zerolinecolor": ink.text,
            **pp_axis(span, most=4 if narrow else 9),
        },
        yaxis={
            "autorange": "reversed",
            "showgrid": False,
            "automargin": True,
            "type": "category",
            "tickmode": "array",
            "tickvals": names,
            # Where there is no room beside the bars, what is written there stands under the names.
            "ticktext": [f"{name}<br>{bar.text}" if narrow else name for name, bar in zip(names, bars, strict=True)],
        },
        bargap=0.35,
        barmode="overlay",
        annotations=[]
        if narrow
        else [
            _label(bar.text, x=_end(bar, right, wide), y=name, font_px=round(look.font_px * 0.92))
            | {"xanchor": "left" if right else "right", "xshift": 4 if right else -4}
            | ({"bgcolor": ink.background} if wide else {})
            for bar, name, right, wide in zip(bars, names, to_right, is_wide, strict=True)
        ],
    )
    if look.width is None:
        # Who names many makers sees each of them: a page can be scrolled.
        layout["height"] = max(look.height, round(len(bars) * look.font_px * (3 if narrow else 2)))
    return {"data": traces, "layout": layout}


def _end(bar: _Bar, to_right: bool, is_wide: bool) -> float:
    """Where a bar's text begins: at the end of its band, or of itself where the band runs out of the plot."""
    far = 0.0 if is_wide and np.isnan(bar.value) else bar.value if is_wide else bar.high if to_right else bar.low
    return max(far, 0.0) if to_right else min(far, 0.0)


def _grey(name: str, value: float, *, colour: str) -> _Bar:
    """A bar for what is no entity: cars that are put together, or not named."""
    text = style.pp_text(value)
    return _Bar(
        name=name, value=value, low=value, high=value, text=text, hover=f"{name}: {text}", colour=colour, point=[]
    )


def _is_narrow(look: Look) -> bool:
    """Whether a screen is too narrow for texts beside bars; a picture has a width of its own."""
    return look.width is None and look.height < style.SCREEN.height


def pp_axis(span: float, *, most: int) -> dict[str, Any]:
    """Ticks in percentage points, so many at the most."""
    step = next((each for each in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if span / each <= most), 0.5)
    ticks = [n * step for n in range(-round(2 / step), round(2 / step) + 1)] if span < 2 else [-1.0, 0.0, 1.0]
    digits = 1 if step < 0.01 else 0
    signs = [style.MINUS if tick < 0 else "+" if tick > 0 else "" for tick in ticks]
    texts = [f"{sign}{abs(tick) * 100:.{digits}f} pp" for sign, tick in zip(signs, ticks, strict=True)]
    return {"tickmode": "array", "tickvals": ticks, "ticktext": texts}


def _hover(move: Move) -> str:
    before, now = (share_range(move.line, at) for at in (0, 1))
    parts = ""
    if not np.isnan(move.parts[0]):
        own, market, mix = (style.pp_text(part) for part in move.parts)
        parts = f"; own growth {own}, market growth {market}" + (f", mix of markets {mix}" if move.parts[2] else "")
    return f"{move.line.name}: {before} to {now}, {move.text}{parts}"


def _steps(found: Changes, move: Move, look: Look) -> Figure:
    """From share to share: one step for each part of the change."""
    figures, ink = found.figures, style.INK[look.theme]
    colour = style.colour(colour_key(move.line, figures.selection), look.theme, highlight=True)
    names = [period_name(figures, at).removeprefix("the ") for at in (0, 1)]
    shares = move.line.value.tolist()
    # A share that is not named is no zero: all that is drawn of it is how high it could be.
    seen = (move.line.named | (move.line.high == 0)).tolist()
    steps: list[tuple[str, float]] = []
    if not np.isnan(move.parts[0]):
        steps = [("Own growth", move.parts[0]), ("Market growth", move.parts[1])]
        steps += [("Mix of markets", move.parts[2])] if has_mix(figures) else []
    labels = [names[0], *(name for name, _ in steps), names[1]]
    wide = look.font_px * (4.5 if _is_narrow(look) else 8)
    places_of = ["<br>".join(style.wrap(label, width=wide, font_px=look.font_px * 0.92)) for label in labels]
    if len(set(places_of)) < len(places_of):
        places_of = labels
    levels = np.concatenate([shares[:1], shares[0] + np.cumsum([part for _, part in steps])]) if steps else np.zeros(1)
    bases = [0.0, *(min(pair) for pair in pairwise(levels.tolist())), 0.0]
    heights = [shares[0] if seen[0] else np.nan, *(abs(part) for _, part in steps), shares[1] if seen[1] else np.nan]
    texts = [share_range(move.line, 0), *(style.pp_text(part) for _, part in steps), share_range(move.line, 1)]
    tops = [
        max(base, base + (0.0 if np.isnan(height) else height)) for base, height in zip(bases, heights, strict=True)
    ]
    spare = [float(move.line.high[at] - move.line.value[at]) for at in (0, 1)]
    ends = {0: spare[0], len(labels) - 1: spare[1]}
    keys: list[list[Any]] = [[] for _ in labels]
    keys[0], keys[-1] = (point_key(move.line, figures, at) for at in (0, 1))
    reach = [top + ends.get(n, 0.0) for n, top in enumerate(tops)]
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "x": [places_of[0], places_of[-1]],
            "base": [tops[0], tops[-1]],
            "y": [reach[0] - tops[0], reach[-1] - tops[-1]],
            "marker": {"color": "rgba(0,0,0,0)", "pattern": style.hatch(colour)},
            "hoverinfo": "skip",
        },
        {
            "type": "bar",
            "name": style.escape(move.line.name),
            "x": places_of,
            "base": bases,
            "y": plain(np.array(heights)),
            "marker": {"color": [colour, *(ink.axis for _ in steps), colour]},
            "customdata": keys,
            "text": texts,
            "textposition": "none",
            "hovertext": [f"{label}: {text}" for label, text in zip(labels, texts, strict=True)],
            "hovertemplate": "%{hovertext}<extra></extra>",
        },
    ]
    if steps:
        # A line from each level to the next bar, so that the steps read as one way.
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [place for pair in pairwise(places_of) for place in (*pair, None)],
                "y": [level for each in levels.tolist() for level in (each, each, None)],
                "line": {"color": ink.quiet, "width": 1, "dash": "dot"},
                "hoverinfo": "skip",
            }
        )
    top = max(reach) or 0.01
    layout = style.layout(
        look,
        hovermode="closest",
        xaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": places_of,
            "ticks": "",
            "tickangle": 0,
            "automargin": True,
        },
        yaxis={"range": [min(0.0, *bases) * 1.1, top * 1.15], "tickformat": ".0%" if top > 0.05 else ".1%"},
        bargap=0.4,
        barmode="overlay",
        annotations=[
            _label(text, x=place, y=height, font_px=look.font_px) | {"yanchor": "bottom", "yshift": 3}
            for text, place, height in zip(texts, places_of, reach, strict=True)
        ],
    )
    return {"data": traces, "layout": layout}


def _label(text: str, *, x: float | str, y: float | str, font_px: float) -> dict[str, Any]:
    """A text in the plot, in plain words."""
    return {"text": style.escape(text), "x": x, "y": y, "showarrow": False, "font": {"size": font_px}, "borderpad": 1}
