"""The plot of `duel-markets`: a bar a market towards who is ahead, and where it stood a year before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dashboard import style
from dashboard.charts.chart import Reading
from dashboard.charts.duel import margin_text
from dashboard.charts.duel_markets_words import Markets, Standing, is_undecided, span_text
from dashboard.charts.market_drawing import plain
from dashboard.charts.market_words import marked_text
from dashboard.metrics import Gap
from dashboard.selection import Measure
from dashboard.style import Figure, Look
from dashboard.windows import month_start
from db.claims import GRAIN_MONTHS

_UNIT = {
    Measure.UNITS: "cars",
    Measure.SHARE: "percentage points of share",
    Measure.GROWTH: "percentage points of growth",
}

_ROW = 1.75
"""Height of a market's row in font sizes."""


def draw(reading: Reading, look: Look) -> Figure:
    """A bar a market from zero towards who is ahead, with a mark where the gap stood a year before."""
    found: Markets = reading.content
    measure, makers = found.selection.measure, found.selection.makers
    ink, font = style.INK[look.theme], round(look.font_px * 0.92)
    colours = {side: style.colour(slug, look.theme, highlight=True) for side, slug in zip((1, -1), makers, strict=True)}
    usual = Counter(each.end for each in found.standings).most_common(1)[0][0]
    names = [_row_name(each, usual, is_single=len(found.standings) == 1) for each in found.standings]
    said = [_margin(each, found) for each in found.standings]
    then = {
        name: _certain(each.gap, each.before) * _scale(measure)
        for name, each in zip(names, found.standings, strict=True)
        if each.before is not None and not is_undecided(each, each.before)
    }
    traces = _bars(found, names, said, colours, look)
    if then:
        traces.append(_year_marks(then, look))
    bounds = _bounds(found, then)
    margin = {
        "l": round(max(style.text_width(name, font) for name in names) + font),
        "r": round(max(style.text_width(text, font) for text in said) + font * 1.6),
        "t": round(font * 2.2),
        "b": round(font * 4.4),
    }
    height = look.height
    if look.width is None:
        height = max(look.height if len(names) > 3 else 0, round(len(names) * font * _ROW + margin["t"] + margin["b"]))
    layout = style.layout(
        look,
        height=height,
        hovermode="closest",
        barmode="overlay",
        bargap=0.3,
        margin=margin,
        xaxis={
            "range": list(bounds),
            "showgrid": True,
            "gridcolor": ink.grid,
            "zeroline": True,
            "zerolinecolor": ink.axis,
            "zerolinewidth": 1,
            "tickformat": "~s" if measure is Measure.UNITS else "",
            "ticksuffix": "" if measure is Measure.UNITS else " pp",
            "nticks": 7,
            "title": {"text": f"Gap in {_UNIT[measure]}"},
        },
        yaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": names,
            "autorange": "reversed",
            "showgrid": False,
            "zeroline": False,
            "tickmode": "array",
            "tickvals": names,
        },
    )
    beside = {"showarrow": False, "xref": "paper", "x": 1, "xanchor": "left", "xshift": 6, "yref": "y"}
    layout["annotations"] = [
        *_directions(found, look, colours, bounds=bounds),
        *(
            beside | {"text": text, "y": name, "font": {"size": font, "color": colours.get(each.lead.side, ink.quiet)}}
            for text, name, each in zip(said, names, found.standings, strict=True)
        ),
    ]
    return {"data": traces, "layout": layout}


def _scale(measure: Measure) -> float:
    """Shares and growth are drawn in percentage points."""
    return 1.0 if measure is Measure.UNITS else 100.0


def _certain(gap: Gap, at: int) -> float:
    """The end of the gap that is nearest to zero: by so much one is ahead at least; zero where nobody is."""
    side = float(gap.ahead[at])
    return float(gap.low[at]) if side > 0 else float(gap.high[at]) if side < 0 else 0.0


def _bars(
    found: Markets, names: Sequence[str], said: Sequence[str], colours: Mapping[int, str], look: Look
) -> list[dict[str, Any]]:
    """Solid from zero as far as it is certain, hatched as far as the gap may reach; what is open is all hatched."""
    scale, nobody = _scale(found.selection.measure), style.INK[look.theme].axis
    whose = [colours.get(each.lead.side, nobody) for each in found.standings]
    solid = np.array([_certain(each.gap, each.at) for each in found.standings]) * scale
    low, high = (
        np.array([getattr(each.gap, end)[each.at] for each in found.standings]) * scale for end in ("low", "high")
    )
    sides = np.array([each.lead.side for each in found.standings])
    begins = np.where(sides == 0, low, solid)
    shared = {"type": "bar", "orientation": "h", "y": list(names), "showlegend": False}
    return [
        shared
        | {
            "x": plain(np.where(sides < 0, low, high) - begins),
            "base": plain(begins),
            "marker": {"color": "rgba(0,0,0,0)", "pattern": style.hatch(nobody) | {"fgcolor": whose}},
            "hoverinfo": "skip",
        },
        shared
        | {
            "x": plain(solid),
            "marker": {"color": whose},
            "text": list(said),
            "textposition": "none",
            "customdata": [_key(each, found) for each in found.standings],
            "hovertext": [style.escape(_hover(each, found)) for each in found.standings],
            "hovertemplate": "%{hovertext}<extra></extra>",
        },
    ]


def _year_marks(then: Mapping[str, float], look: Look) -> dict[str, Any]:
    """A short line in each row where the solid bar would have ended a year before."""
    ink = style.INK[look.theme].text
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "A year before",
        "x": list(then.values()),
        "y": list(then),
        "marker": {
            "symbol": "line-ns-open",
            "size": round(look.font_px * 0.5),
            "color": ink,
            "line": {"width": 2, "color": ink},
        },
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _bounds(found: Markets, then: Mapping[str, float]) -> tuple[float, float]:
    """The ends of the axis: of what is certain, since what is open may be far wider than any lead and is cut there."""
    scale = _scale(found.selection.measure)
    told = [each for each in found.standings if each.lead.side] or list(found.standings)
    ends = [0.0, *then.values()]
    ends += [float(end[each.at]) * scale for each in told for end in (each.gap.low, each.gap.high)]
    bottom, top = min(ends), max(ends)
    span = top - bottom or 1.0
    sides = {each.lead.side for each in found.standings}
    # Over the plot there is room on both sides of zero for who is ahead there.
    bottom = min(bottom - 0.04 * span, -0.15 * span if -1 in sides else 0.0)
    return bottom, max(top + 0.04 * span, 0.15 * span if 1 in sides else 0.0)


def _row_name(standing: Standing, usual: int, *, is_single: bool) -> str:
    """A market's name, with its newest month where that is not the usual one."""
    if standing.end == usual and not is_single:
        return style.escape(standing.name)
    return style.escape(f"{standing.name}, to {style.period_text(month_start(standing.end), 'month')}")


def _margin(standing: Standing, found: Markets) -> str:
    """By how much one is ahead, or that it is open."""
    if standing.lead.side:
        return margin_text(standing.gap, standing.at, found.selection.measure).replace("at least ", "≥")
    return "open" if is_undecided(standing) else "level"


def _hover(standing: Standing, found: Markets) -> str:
    selection = found.selection
    both = ", ".join(
        f"{name} {marked_text(line, standing.at, selection)}"
        for name, line in zip(found.names, (standing.one, standing.other), strict=True)
    )
    return f"{standing.name}, {span_text(standing, selection)}: {both}"


def _key(standing: Standing, found: Markets) -> list[Any]:
    """What `Point` is made of: the maker that is ahead, in the market's newest period."""
    line = standing.one if standing.lead.side >= 0 else standing.other
    return [standing.code, line.maker, line.model, labelled(standing, found)]


def labelled(standing: Standing, found: Markets) -> int:
    """The first month of a market's newest period, as the selection counts: quarters may fill a window of months."""
    return standing.end + 1 - GRAIN_MONTHS[found.selection.grain.value]


def _directions(
    found: Markets, look: Look, colours: dict[int, str], *, bounds: tuple[float, float]
) -> list[dict[str, Any]]:
    """Over the plot: which way is whose."""
    font = round(look.font_px * 0.92)
    word = "grows faster" if found.selection.measure is Measure.GROWTH else "ahead"
    zero = -bounds[0] / (bounds[1] - bounds[0])
    shared = {
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "y": 1,
        "yanchor": "bottom",
        "yshift": 2,
        "borderpad": 0,
    }
    notes = []
    sides = {each.lead.side for each in found.standings} - {0} or {-1, 1}
    for side, name, anchor, shift in ((-1, found.names[1], "right", -8), (1, found.names[0], "left", 8)):
        if side not in sides:
            continue
        notes.append(
            shared
            | {
                "text": f"<b>{style.escape(name)} {word}</b>",
                "font": {"size": font, "color": colours[side]},
                "x": zero,
                "xanchor": anchor,
                "xshift": shift,
            }
        )
    return notes
