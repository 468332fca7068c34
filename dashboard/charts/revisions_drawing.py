"""The plot of `revisions`: a dot a changed figure, by its period and by how much it was changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import copysign, isnan, log10
from typing import Any

from dashboard import style
from dashboard.charts.chart import Reading
from dashboard.charts.revisions_words import ENOUGH, Revisions, printed_name, size_text
from dashboard.revisions import Kind
from dashboard.selection import Selection
from dashboard.style import Figure, Look
from dashboard.windows import month_number, month_start
from db.vocabulary import ALL, OTHER

NAMED = 7
"""Makers drawn in their own colours at the most: those whose figures were moved by most cars."""

NAMED_NARROW = 3
"""The same where there is little room for a legend."""

LARGEST = 10.0
"""The largest change on the axis, as a fraction: what is beyond stands at its edge, marked."""


def draw(reading: Reading, look: Look) -> Figure:
    """A dot a changed cell: the period it is about, and its change on a scale that is fine near zero."""
    found: Revisions = reading.content
    dots = _dots(found)
    limit = _scale(min(max([0.1, *(abs(dot.change) for dot in dots if dot.change is not None)]), LARGEST))
    strip = 0.34
    has_late, has_gone = (any(dot.kind is kind for dot in dots) for kind in (Kind.LATE, Kind.VANISHED))
    top = limit + strip * (1.6 if has_late else 0.5)
    bottom = -min(limit, _scale(1.0)) - strip * (1.6 if has_gone else 0.5)
    heights = {Kind.LATE: limit + strip, Kind.VANISHED: -min(limit, _scale(1.0)) - strip}
    is_narrow = (look.width or 0) < 600 and (look.width is not None or look.font_px < style.SCREEN.font_px)
    keys = _drawn_makers(dots, reading.selection, most=NAMED_NARROW if is_narrow else NAMED)
    ink, size = style.INK[look.theme], look.font_px * (0.45 if is_narrow else 0.58)
    traces: list[dict[str, Any]] = []
    for key in [None, *keys]:
        # A legend shows the first symbol of a trace, which is to be a dot.
        of_key = sorted(
            (dot for dot in dots if (dot.maker if dot.maker in keys else None) == key), key=lambda dot: dot.is_mark
        )
        colour = style.colour(OTHER, look.theme) if key is None else style.colour(key, look.theme, highlight=True)
        name = "other makers" if key is None else style.escape(printed_name((key, ALL), found.nouns))
        for hollow in (False, True):
            # A thin grey ring would be as faint as the grid.
            drawn_in = ink.quiet if hollow and key is None else colour
            shown = [dot for dot in of_key if dot.is_renamed is hollow]
            if shown:
                first = not any(trace["name"] == name for trace in traces)
                traces.append(
                    _trace(shown, heights, colour=drawn_in, edge=ink.background, size=size, limit=limit)
                    | {"name": name, "legendgroup": key or "", "showlegend": bool(keys) and first}
                )
    ticks = [(_scale(abs(each)) * (-1 if each < 0 else 1), _tick(each)) for each in _TICKS if _shown(each, limit)]
    if has_late:
        ticks.append((heights[Kind.LATE], "added late"))
    if has_gone:
        ticks.append((heights[Kind.VANISHED], "vanished"))
    layout = style.layout(
        look,
        hovermode="closest",
        showlegend=bool(keys),
        xaxis={"type": "date", **_x_range(found, dots)},
        yaxis={
            "range": [bottom, top],
            "tickvals": [at for at, _ in ticks],
            "ticktext": [text for _, text in ticks],
            "automargin": True,
        },
    )
    if not dots:
        layout["annotations"] = [style.statement("No figure was changed.", look, height=0.75)]
    layout |= _typical_lines(found, look, layout, limit=limit)
    return {"data": traces or [{"type": "scatter", "x": [], "y": [], "mode": "markers"}], "layout": layout}


@dataclass(frozen=True)
class _Dot:
    maker: str
    when: date
    change: float | None
    """The change of the first figure; None for one that came late or vanished."""
    kind: Kind
    is_renamed: bool
    cars: float
    text: str

    @property
    def is_mark(self) -> bool:
        """Whether it stands beside the scale, as a triangle."""
        return self.change is None


def _dots(found: Revisions) -> list[_Dot]:
    """The cells that were changed in any way, as dots."""
    dots = []
    cells = found.cells
    cells = cells[cells["last"].isna() | cells["is_revised"] | cells["is_late"] | (cells["renamed"] != "")]
    names = [
        "maker",
        "model",
        "market",
        "grain",
        "month",
        "first",
        "last",
        "relative",
        "renamed",
        "is_revised",
        "is_late",
    ]
    columns = (cells[name].to_numpy(dtype=object).tolist() for name in names)
    for values in zip(*columns, strict=True):
        cell = dict(zip(names, values, strict=True))
        vanished, relative = isnan(cell["last"]), cell["relative"]
        change: float | None = None
        if vanished:
            kind = Kind.VANISHED
        elif cell["is_revised"] and not isnan(relative):
            kind, change = Kind.REVISED, float(relative)
        elif cell["is_late"]:
            kind = Kind.LATE
        elif cell["renamed"]:
            kind, change = Kind.RENAMED, 0.0
        else:
            continue
        start = month_start(cell["month"])
        name = printed_name((str(cell["maker"]), str(cell["model"])), found.nouns)
        what = {
            Kind.VANISHED: f"{cell['first']:,.0f}, vanished",
            Kind.LATE: f"{cell['last']:,.0f}, added late",
        }.get(kind) or f"{cell['first']:,.0f} → {cell['last']:,.0f} ({style.growth_text(change or 0.0)})"
        market = found.nouns.markets[str(cell["market"])]
        dots.append(
            _Dot(
                maker=str(cell["maker"]),
                when=start,
                change=change,
                kind=kind,
                is_renamed=bool(cell["renamed"]),
                cars=abs((0.0 if vanished else cell["last"]) - (0.0 if kind is Kind.LATE else cell["first"])),
                text=f"{name}, {market}, {style.period_text(start, str(cell['grain']))}: {what}",
            )
        )
    return dots


def _drawn_makers(dots: Sequence[_Dot], selection: Selection, *, most: int) -> list[str]:
    """The makers in colours: those that have one and were moved by most cars, or those that the reader named."""
    cars: dict[str, float] = {}
    for dot in dots:
        if dot.maker in selection.makers or (dot.maker in style.PALETTE and dot.maker != OTHER):
            cars[dot.maker] = cars.get(dot.maker, 0.0) + dot.cars
    return sorted(cars, key=lambda maker: (-cars[maker], maker))[:most]


_TICKS = (-1.0, -0.1, -0.01, 0.0, 0.01, 0.1, 1.0, 10.0)


def _shown(tick: float, limit: float) -> bool:
    return _scale(abs(tick)) <= limit + 1e-9


def _tick(change: float) -> str:
    sign = style.MINUS if change < 0 else "+" if change > 0 else ""
    return f"{sign}{abs(change) * 100:,.0f} %"


def _scale(size: float) -> float:
    """Where the size of a change stands on the axis: even steps below one per cent, ever longer ones above."""
    return log10(1 + size / 0.01)


def _trace(
    dots: Sequence[_Dot], heights: Mapping[Kind, float], *, colour: str, edge: str, size: float, limit: float
) -> dict[str, Any]:
    y, symbols = [], []
    edges = [colour if dot.is_renamed else edge for dot in dots]
    for dot in dots:
        beyond = dot.change is not None and _scale(abs(dot.change)) > limit
        symbol = "triangle-up" if beyond else {Kind.LATE: "triangle-up", Kind.VANISHED: "triangle-down"}.get(dot.kind)
        symbols.append((symbol or "circle") + ("-open" if dot.is_renamed else ""))
        if dot.change is None:
            y.append(round(heights[dot.kind], 4))
        else:
            y.append(round(copysign(min(_scale(abs(dot.change)), limit), dot.change), 4))
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [dot.when.isoformat() for dot in dots],
        "y": y,
        "marker": {
            "symbol": symbols,
            "color": colour,
            "size": size,
            "opacity": 0.8,
            "line": {"width": 1.2, "color": edges},
        },
        "text": [style.escape(dot.text) for dot in dots],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _typical_lines(found: Revisions, look: Look, layout: Mapping[str, Any], *, limit: float) -> dict[str, Any]:
    """Lines at the median and the 90th percentile of the size, on both sides of zero, with a label at their end."""
    median, p90 = found.sizes
    if median is None or p90 is None or len(found.revised) < 2:
        return {}
    ink, font = style.INK[look.theme], round(look.font_px * 0.92)
    ends: list[style.LineEnd] = []
    shapes: list[dict[str, Any]] = []
    typical_sizes = [(median, "half within"), (p90, "9 of 10 within")][: 2 if len(found.revised) >= ENOUGH else 1]
    for size, words in typical_sizes:
        height = _scale(size)
        if height <= limit:
            shapes += [_line_across(at, ink.axis) for at in (height, -height) if at >= layout["yaxis"]["range"][0]]
            ends.append(style.LineEnd(text=f"{words} {size_text(size)}", value=height, colour=ink.quiet))
    if not ends:
        return {}
    margin = layout["margin"] | {"r": style.end_room(ends, font_px=font)}
    labels = style.line_end_labels(
        ends,
        height_px=look.height - margin["t"] - margin["b"],
        font_px=font,
        value_range=tuple(layout["yaxis"]["range"]),
    )
    return {
        "shapes": shapes,
        "margin": margin,
        "annotations": [*layout.get("annotations", ()), *style.end_annotations(labels, font_px=font)],
    }


def _line_across(height: float, colour: str) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "yref": "y",
        "y0": height,
        "y1": height,
        "line": {"color": colour, "width": 1, "dash": "dot"},
        "layer": "below",
    }


def _x_range(found: Revisions, dots: Sequence[_Dot]) -> dict[str, Any]:
    """The periods of what was changed, or of all that was judged where nothing was."""
    months = [month_number(dot.when) for dot in dots] or found.cells["month"].tolist()
    first, last = min(months), max(months)
    pad = max(3, round((last - first) * 0.03))
    return {"range": [month_start(first - pad).isoformat(), month_start(last + pad).isoformat()]}
