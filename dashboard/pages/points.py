"""The points of a figure that have a receipt: their keys, their names, and what the plot says of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from dashboard import style
from dashboard.charts.chart import Chart, Point
from dashboard.selection import Selection
from dashboard.style import Figure


@dataclass(frozen=True)
class Drawn:
    """One drawn point: its key, the name of its line, and its value as the plot words it."""

    point: Point
    name: str
    text: str


def points(drawn: Figure, *, latest_only: bool = False) -> list[Drawn]:
    """Every point of a figure that has a receipt, line by line, oldest first; or those of the latest period."""
    found = [
        Drawn(point=point_of(key), name=_unescaped(str(name)), text=str(text))
        for trace in drawn["data"]
        for name, text, key in _cells(trace)
        if text and isinstance(key, list) and len(key) == 4
    ]
    if latest_only and found:
        latest = max(each.point.period_start for each in found)
        found = [each for each in found if each.point.period_start == latest]
    return found


def _cells(trace: Mapping[str, Any]) -> Iterator[tuple[Any, Any, Any]]:
    """Name, text and key of each point of a trace that has keys: of a line, of bars, or of a heat map's rows."""
    keys, texts = trace.get("customdata"), trace.get("text")
    if keys is None or texts is None or isinstance(texts, str):
        return
    if trace["type"] == "heatmap":
        for name, row_of_texts, row_of_keys in zip(trace["y"], texts, keys, strict=False):
            yield from ((name, text, key) for text, key in zip(row_of_texts, row_of_keys, strict=False))
        return
    # Each bar across, and each point of a trace with `ids`, is something else; the points of a line have its name.
    names = trace.get("ids") or (trace["y"] if trace.get("orientation") == "h" else None)
    for n, (text, key) in enumerate(zip(texts, keys, strict=False)):
        yield names[n] if names else trace.get("name", ""), text, key


def point_of(key: Sequence[Any]) -> Point:
    """A point from its key in the figure: market, maker, model, month number. Raises ValueError for anything else."""
    market, maker, model, month = key
    if not isinstance(month, int) or not all(isinstance(part, str) for part in (market, maker, model)):
        raise ValueError("a point is market, maker, model and month number")
    return Point(market=market, maker=maker, model=model, period_start=month)


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def key_of(point: Point) -> str:
    """A point as the browser hands it back: what `point_of` reads."""
    return json.dumps([point.market, point.maker, point.model, point.period_start])


def period_of(chart: Chart, point: Point, selection: Selection) -> str:
    """The period or the day of a point in words."""
    if chart.by_day:
        return style.day_text(date.fromordinal(point.period_start))
    return style.period_text(date(point.period_start // 12, point.period_start % 12 + 1, 1), selection.grain.value)
