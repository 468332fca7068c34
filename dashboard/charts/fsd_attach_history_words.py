"""The words of `fsd-attach-history`: the figures of a selection, and title, subtitle and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from dashboard import style
from dashboard.charts import fsd_words as words
from dashboard.charts.chart import shortest
from dashboard.charts.market_words import listed
from dashboard.fsd_record import AttachPoint
from dashboard.projections.record import quarter_end, quarter_of
from dashboard.sales_lines import MarketFigures
from dashboard.selection import Selection
from db.vocabulary import AttachBasis


@dataclass(frozen=True)
class History:
    """The figures of a selection: `panels` has for each definition its points, oldest first, maybe none.

    `frame` has the stored rows, `deliveries` the figures that computed shares rest on, None where there are none;
    `others` are the regions that have such figures too.
    """

    selection: Selection
    panels: Mapping[AttachBasis, tuple[AttachPoint, ...]]
    frame: pd.DataFrame
    deliveries: MarketFigures | None
    names: Mapping[str, str]

    @property
    def points(self) -> tuple[AttachPoint, ...]:
        """All points, panel by panel."""
        return tuple(point for points in self.panels.values() for point in points)

    @property
    def rows(self) -> list[int]:
        """The places in the frame of all that is drawn."""
        return sorted({row for point in self.points for row in (point.counts or (point.row,))})


def title(found: History) -> str:
    """The newest share or figure of the first definition that tells all of Tesla's cars; never one definition's figure
    for another's."""
    candidates: list[str] = []
    for basis, wording in _TITLES.items():
        points = [p for p in found.panels.get(basis, ()) if p.is_of_all_models and p.is_disclosed]
        if points:
            point = _newest(points)
            share = words.range_text(point.low, point.high, "share") if point.is_computed else figure_told(point)
            where = "" if point.region == "GLOBAL" else f" in {words.region_name(point.region, found.names)}"
            candidates.append(wording.format(share=share, where=where, when=when_told(point)))
    if candidates:
        first = candidates[0]
        return shortest(*(f"{first}; {other[:1].lower() + other[1:]}" for other in candidates[1:]), first)
    if len(found.panels) == 1 and found.points:
        (basis,) = found.panels
        point = _newest(found.points)
        who = series_name(point, found)
        said = f"{words.definition(basis)}: {figure_told(point)}"
        return shortest(
            f"{said} ({who}, {when_told(point)})",
            f"{said} in {when_told(point)}",
            f"{figure_told(point)} in {when_told(point)}",
        )
    return shortest(
        f"What share of owners pays for FSD: surveys and estimates up to {when_told(_newest(found.points))}"
    )


_TITLES: Mapping[AttachBasis, str] = {
    AttachBasis.ALL_DELIVERED: "FSD is paid for on {share} of all Teslas ever delivered{where} ({when})",
    AttachBasis.FLEET_ATTACH: "{share} of Teslas in use{where} have paid FSD ({when})",
    AttachBasis.TAKE_RATE: "{share} of new Teslas{where} take FSD ({when})",
}


def _newest(points: Sequence[AttachPoint]) -> AttachPoint:
    """The newest of some points; of one day the one that was stated last, which is the larger count."""
    return max(points, key=lambda point: (point.as_of, point.is_disclosed, point.value))


def figure_told(point: AttachPoint) -> str:
    """A figure as printed, or the ends of a published range."""
    if point.is_computed:
        return style.share_text(point.value)
    value = words.figure_text(point.value, point.unit)
    return (
        value
        if point.low <= point.value <= point.high and _is_rounding(point)
        else words.range_text(point.low, point.high, point.unit)
    )


def _is_rounding(point: AttachPoint) -> bool:
    """Whether its interval is narrow enough to be that of a rounded figure: a tenth of it at the most either way."""
    return point.high - point.low <= 0.2 * abs(point.value)


def when_told(point: AttachPoint) -> str:
    """The day of a figure, or the quarter whose end it is."""
    if point.as_of == quarter_end(quarter_of(point.as_of)):
        return style.period_text(date(point.as_of.year, point.as_of.month - 2, 1), "quarter")
    return style.day_text(point.as_of)


def models_text(point: AttachPoint) -> str:
    """`Model S/X`; nothing for all models."""
    return "" if point.is_of_all_models else f"Model {point.model}"


def series_name(point: AttachPoint, found: History) -> str:
    """Who says it, and of which cars where that is not all of the world's: `North America, Troy Teslike survey`."""
    region = "" if point.region == "GLOBAL" else words.region_name(point.region, found.names)
    who = f"{point.estimator}, computed" if point.is_computed else point.estimator
    return ", ".join(filter(None, (region, models_text(point), who)))


def subtitle(found: History) -> str:
    """What the panels are of, and by whom."""
    region = found.selection.region
    where = f"{words.region_name(region.upper(), found.names)}. " if region else ""
    where = where[:1].upper() + where[1:]
    if len(found.panels) == 1:
        (basis,) = found.panels
        units = sorted({point.unit for point in found.points})
        return f"{where}{words.definition(basis)}, in {listed([_UNITS.get(u, u) for u in units])}, by day of the figure"
    return (
        f"{where}Share that pays for Tesla's FSD by four definitions, each with an axis of its own, in %; as published"
    )


_UNITS = {"share": "%", "count": "cars or users", "usd": "USD"}


def notes(found: History) -> tuple[str, ...]:
    """What the definitions are, what bars and hollow points mean, what was computed of what, and what is not there."""
    said = []
    if len(found.panels) > 1:
        said.append("The four are shares of different wholes: one is never read off, added to or set against another.")
    points = found.points
    marks = ["A bar is what the rounding or the published range leaves open."]
    if any(not point.is_disclosed for point in points):
        marks.append("Hollow: asked of some owners, or estimated; solid: disclosed.")
    marks.append("Joined are figures of one estimator about the same cars, no others.")
    said.append(" ".join(marks))
    if any(point.is_computed for point in points):
        said.append(
            "Computed (squares): paying users over cars delivered, that is the total that Tesla disclosed less or plus "
            "its quarterly deliveries, with the rounding of both. Cars no longer on the road are in it."
        )
    if any(point.basis in (AttachBasis.ALL_DELIVERED, AttachBasis.ACTIVE_SUBSCRIPTIONS) for point in points):
        said.append("Tesla counts who bought once for ever, and subscribers; free trials are not in it.")
    if any(models_text(point) for point in points):
        said.append("Figures of single models are not those of all cars.")
    return tuple(said)
