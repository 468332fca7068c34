"""How price lines are drawn: steps with marks that say how well a day is known, and labels at their ends.

Lines end at different times: the label of one that reaches the right edge stands there, that of another beside its end,
where it covers least of the other labels and lines. On a narrow screen all stand at the edge, since the page makes a
key of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard import style
from dashboard.charts.market_words import first_up
from dashboard.charts.price_rows import point_key
from dashboard.charts.price_words import quote_text
from dashboard.prices import STALE_DAYS, Price, PricedLine, Quote
from dashboard.style import Look
from db.vocabulary import PriceKind

UNKNOWN_DAYS = 550
"""Between two unlike prices so many days apart, a year and a half, others came between: no step leads to the later one.

A judgement, as `prices.STALE_DAYS` is: makers move prices several times a year."""

_DASHES = {
    PriceKind.LIST: "solid",
    PriceKind.STARTING: "dash",
    PriceKind.AFTER_INCENTIVE: "dot",
    PriceKind.TRANSACTION_AVG: "solid",
}


_EDGE = 0.06
"""A line that ends in so large a part of the time axis from its end reaches the edge."""

_PAGE_WIDTH = 860
"""Pixels that a time axis has on a wide page."""

_PICTURE_HEIGHT = 0.6
"""The part of a picture's height that words leave to the plot."""


# Steps


def step_traces(
    line: PricedLine, *, name: str, colour: str, yref: str = "y", base: float | None = None
) -> list[dict[str, Any]]:
    """The steps of a line with its marks, and under them thin dots where nobody knows when it changed.

    With a `base` prices are drawn as parts of it, 100 being the base, and said so.
    """
    is_average = line.key.kind is PriceKind.TRANSACTION_AVG

    def height(price: Price) -> float:
        return float(f"{price.amount if base is None else 100 * price.amount / base:.7g}")

    def text(price: Price) -> str:
        return style.escape(quote_text(price) if base is None else f"{height(price):.1f}: {quote_text(price)}")

    # A corner of the line that is no price has a day and a height alone; a gap has neither.
    path: list[tuple[date | None, float | None, Price | None]] = []
    dots: list[tuple[date | None, float | None]] = []
    for before, price in pairwise([None, *line.prices]):
        if before and price:
            held, end = _held_to(before, price), price.quote.day
            if held < end:
                path += [(held, height(before), None), (None, None, None)]
                dots += [(held, height(before)), (end, height(before)), (None, None)]
            if held < end and not is_unknown_step(before, price):
                path.append((end, height(before), None))
        if price:
            path.append((price.quote.day, height(price), price))
    solid = {
        "type": "scatter",
        "mode": "markers" if is_average else "lines+markers",
        "name": style.escape(name),
        "yaxis": yref,
        "x": [day.isoformat() if day else None for day, _, _ in path],
        "y": [value for _, value, _ in path],
        "line": {"shape": "hv", "color": colour, "width": 2, "dash": _DASHES[line.key.kind]},
        "marker": {
            "symbol": ["x-thin" if is_average else _symbol(each.quote) if each else "circle" for *_, each in path],
            "size": [0 if not each else 8 if is_average or not each.quote.is_dated else 6 for *_, each in path],
            "color": colour,
            "opacity": 1,
            "line": {"color": colour, "width": [1.5 if each else 0 for *_, each in path]},
        },
        "customdata": [point_key(each.quote) if each else [] for *_, each in path],
        "text": [text(each) if each else "" for *_, each in path],
        "hovertemplate": "%{fullData.name}: %{text}<extra></extra>",
        "connectgaps": False,
        "cliponaxis": False,
    }
    if not dots or is_average:
        return [solid]
    unknown = {
        "type": "scatter",
        "mode": "lines",
        "yaxis": yref,
        "x": [day.isoformat() if day else None for day, _ in dots],
        "y": [value for _, value in dots],
        "line": {"color": colour, "width": 1, "dash": "1px,3px"},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return [unknown, solid]


def is_unknown_step(before: Price, price: Price) -> bool:
    """Whether the price changed between two quotes on a day that nobody knows, or on several of them."""
    far_apart = (price.quote.day - before.quote.day).days > UNKNOWN_DAYS
    return (price.quote.is_level or far_apart) and before.quote.amount != price.quote.amount


def _held_to(before: Price, price: Price) -> date:
    """Until when a price is taken to have held that another one followed: half a year, unless the other is the same."""
    if before.quote.amount == price.quote.amount:
        return price.quote.day
    if price.quote.is_level:
        return before.quote.day
    return min(price.quote.day, before.quote.day + timedelta(days=STALE_DAYS))


def is_guess(quote: Quote) -> bool:
    """Whether the day on which it began is a guess, or only its quarter or year is known."""
    return not quote.is_dated and not quote.is_level


def _symbol(quote: Quote) -> str:
    return "circle-open" if quote.is_level else "diamond-open" if is_guess(quote) else "circle"


def mark_notes(lines: Sequence[PricedLine]) -> list[str]:
    """What the lines and marks that are drawn mean, in whole sentences."""
    kinds = {line.key.kind for line in lines}
    marks = {
        PriceKind.LIST: "list solid",
        PriceKind.STARTING: "starting dashed",
        PriceKind.AFTER_INCENTIVE: "after incentive dotted",
        PriceKind.TRANSACTION_AVG: "average paid as crosses, an estimate",
    }
    signs = []
    if kinds != {PriceKind.LIST}:
        signs.append(f"kinds are never joined: {', '.join(text for kind, text in marks.items() if kind in kinds)}")
    stepped = [line for line in lines if line.key.kind is not PriceKind.TRANSACTION_AVG]
    quotes = [price.quote for line in stepped for price in line.prices]
    if any(quote.is_level for quote in quotes):
        signs.append("hollow circle: seen on that day, begun on an unknown earlier one")
    if any(is_guess(quote) for quote in quotes):
        signs.append("hollow diamond: the day is approximate")
    if any(_held_to(a, b) < b.quote.day for line in stepped for a, b in pairwise(line.prices)):
        signs.append("thin dots: not known to have held")
    return [first_up("; ".join(signs)) + "."] if signs else []


# Labels


@dataclass(frozen=True)
class Label:
    """A line's label: its text, the place of the line's end, its colour, and the line's points.

    `when` says when the line ended, for a label that stands away from the end.
    """

    text: str
    when: str
    day: date
    value: float
    colour: str
    path: tuple[tuple[date, float], ...]


def is_narrow(look: Look) -> bool:
    """Whether the page has no room for labels beside a plot, so that they are a key above it."""
    return look.font_px < style.SCREEN.font_px


def placed(
    layout: dict[str, Any],
    panels: Sequence[tuple[str, tuple[float, float], Sequence[Label]]],
    *,
    time: tuple[date, date],
    high: float,
    look: Look,
) -> dict[str, Any]:
    """The layout with the labels of its panels, and the right margin that they need.

    `panels`: for each its y axis, the range of that, and its labels; `time` are the ends of the time axis, `high` the
    part of the plot's height that a panel has.
    """
    font = round(look.font_px * 0.92)
    first, last = time
    days = max((last - first).days, 1)
    margin = layout["margin"]
    width = look.width * 0.8 if look.width else _PAGE_WIDTH
    height = (layout["height"] * _PICTURE_HEIGHT if look.width else layout["height"] - margin["t"] - margin["b"]) * high

    is_one_day = len({day for _, _, labels in panels for label in labels for day, _ in label.path}) == 1

    def is_at_edge(label: Label) -> bool:
        return is_narrow(look) or is_one_day or (last - label.day).days <= days * _EDGE

    at_edge = [label for _, _, labels in panels for label in labels if is_at_edge(label)]
    right = style.end_room([_end(label) for label in at_edge], font_px=font) if at_edge else margin["r"]
    notes = list(layout.get("annotations", ()))
    for yref, within, labels in panels:
        edge = [label for label in labels if is_at_edge(label)]
        ends = style.line_end_labels(
            [_end(label) for label in edge], height_px=height, font_px=font, value_range=within
        )
        notes += style.end_annotations(ends, font_px=font, yref=yref)
        notes += _beside(
            [label for label in labels if not is_at_edge(label)],
            [label.path for label in labels],
            yref=yref,
            x=lambda day: (day - first).days / days * width,
            y=lambda value, within=within: (value - within[0]) / (within[1] - within[0]) * height,
            room=(width, height),
            font=font,
        )
    return {**layout, "margin": {**margin, "r": max(margin["r"], right)}, "annotations": notes}


def _end(label: Label) -> style.LineEnd:
    return style.LineEnd(text=f"{label.text} {label.when}".strip(), value=label.value, colour=label.colour)


def _beside(
    labels: Sequence[Label],
    paths: Sequence[tuple[tuple[date, float], ...]],
    *,
    yref: str,
    x: Any,
    y: Any,
    room: tuple[float, float],
    font: int,
) -> list[dict[str, Any]]:
    """Annotations at the ends of lines, each on the side where it covers least; `x` and `y` give pixels."""
    taken = np.array([box for path in paths for box in _steps([(x(day), y(value)) for day, value in path])])
    line = font * style.LINE_HEIGHT
    notes = []
    for label in sorted(labels, key=lambda each: (each.day, each.value)):
        wide = style.text_width(label.text, font)
        left, middle = x(label.day), y(label.value)
        places = [
            # Pixels right of the end and above it, the nearest first.
            (8.0, 0.0),
            *((8.0, side * line * 0.8) for side in (1, -1)),
            *((-wide * part, side * line) for part in (0.25, 0.5, 0.75, 1.0) for side in (1, -1)),
            *((8.0, side * line * 1.5) for side in (1, -1)),
            *((-wide * part, side * line * 2) for part in (0.25, 0.5, 0.75, 1.0) for side in (1, -1)),
        ]
        across_all, up_all = np.array(places).T
        begin, centre = left + across_all, middle + up_all
        boxes = np.stack([begin, centre - line / 2, begin + wide, centre + line / 2], axis=1)
        costs = _overlaps(boxes, taken) + _outside(boxes, *room)
        best = int(np.argmin(costs))
        taken = np.vstack([taken, boxes[best]])
        across, up = places[best]
        notes.append(
            {
                "text": style.escape(label.text),
                "font": {"size": font, "color": label.colour},
                "showarrow": False,
                "borderpad": 0,
                "xref": "x",
                "x": label.day.isoformat(),
                "xanchor": "left",
                "xshift": round(across, 1),
                "yref": yref,
                "y": label.value,
                "yanchor": "middle",
                "yshift": round(up, 1),
            }
        )
    return notes


Boxes = NDArray[np.float64]
"""Left, bottom, right and top of each, in pixels from the lower left corner of a panel."""


def _overlaps(boxes: Boxes, taken: Boxes) -> NDArray[np.float64]:
    """The pixels that each box shares with those that are taken."""
    low = np.maximum(boxes[:, None, :2], taken[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], taken[None, :, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2).sum(axis=1))


def _outside(boxes: Boxes, width: float, height: float) -> NDArray[np.float64]:
    """How far each box reaches out of a panel, weighed so that this is avoided first."""
    below, above = -boxes[:, :2] - (0, 4), boxes[:, 2:] - (width, height + 4)
    return np.asarray(1e3 * np.clip(np.hstack([below, above]), 0, None).sum(axis=1))


def _steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float, float, float]]:
    """The boxes that a stepped line and its marks cover."""
    half = 4.0
    boxes = [(x - half, y - half, x + half, y + half) for x, y in points]
    for (x, y), (x_next, y_next) in pairwise(points):
        boxes.append((x, y - 1, x_next, y + 1))
        boxes.append((x_next - 1, min(y, y_next), x_next + 1, max(y, y_next)))
    return boxes
