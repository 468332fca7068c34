"""`fsd-drivers`: what the projection hangs on: each assumption moved between its low and its high end, the others kept.

Two panels, each in its own unit: users (or the chosen share) at the end of 2030, and a year's revenue from
subscriptions at that time. Bars are of the scenario as it stands: what the reader has moved of its levers is not in
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from dashboard import projected, style
from dashboard.charts import fsd_words
from dashboard.charts import projection_words as words
from dashboard.charts.chart import Chart, Reading, Table, shortest
from dashboard.charts.fsd_revenue_words import money
from dashboard.charts.projection_words import AREA_NAMES, DEFINITIONS, Asked, Numbers
from dashboard.projected import AREAS
from dashboard.projections.model import Paths
from dashboard.projections.regions import REGIONS
from dashboard.projections.sensitivity import Bar
from dashboard.selection import Selection
from dashboard.style import Figure, Look
from db import Connection
from db.vocabulary import AttachBasis

DEFAULTS: Final = Selection(market=("WORLD",))

QUARTER: Final = 2030 * 4 + 3
"""The quarter that the bars are about: the end of 2030."""

ROWS, NARROW_ROWS = 10, 8
"""Bars of a panel."""


@dataclass(frozen=True)
class Drivers:
    """The bars of both panels, widest first.

    `revenue` is a year's subscriptions at the end of 2030; where none is sold, what is recognised in that year.
    """

    asked: Asked
    reach: tuple[Bar, ...]
    revenue: tuple[Bar, ...]
    revenue_name: str


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The bars of a selection's scenario; raises as `projection_words.asked` and `projected.fit`."""
    asked = words.answered(lambda each: words.asked(connection, each, today=today), selection)
    bars = projected.drivers(asked.told, asked.world.scenario, OUTCOMES)
    basis = next(basis for basis, each in DEFINITIONS.items() if each is asked.definition)
    revenue, revenue_name = bars[f"{asked.area} subscriptions"], "Subscriptions a year, end of 2030"
    if not any(bar.width for bar in revenue):
        revenue, revenue_name = bars[f"{asked.area} revenue"], "Revenue of 2030 (no subscription is sold)"
    found = Drivers(asked, bars[f"{asked.area} {basis or 'users'}"], revenue, revenue_name)
    return Reading(
        selection=selection,
        title=title(found),
        subtitle=_subtitle(asked),
        badge=words.badge(asked, today=today),
        citations=asked.told.citations,
        notes=notes(found),
        content=found,
    )


# What the bars are of


def _reached(area: str, basis: AttachBasis | None) -> Callable[[Paths], Numbers]:
    """What a definition comes to in an area at the quarter (N), from the paths of all regions."""
    places = [REGIONS.index(region) for region in AREAS[area]]

    def at(paths: Paths) -> Numbers:
        quarter = paths.at(QUARTER)

        def total(values: Numbers) -> Numbers:
            return np.asarray(values[:, places, quarter].sum(axis=1))

        if basis is AttachBasis.TAKE_RATE:
            return np.asarray(total(paths.new_buyers) / np.maximum(total(paths.new_cars), 1.0))
        active = total(paths.owners) + total(paths.subscribers)
        whole = {
            AttachBasis.FLEET_ATTACH: paths.fleet,
            AttachBasis.ALL_DELIVERED: paths.delivered,
            AttachBasis.ELIGIBLE: paths.eligible,
        }
        return np.asarray(active / np.maximum(total(whole[basis]), 1.0)) if basis in whole else active

    return at


def _subscriptions(area: str) -> Callable[[Paths], Numbers]:
    """A year's subscriptions at the quarter's end in an area (N)."""
    places = [REGIONS.index(region) for region in AREAS[area]]

    def at(paths: Paths) -> Numbers:
        quarter = paths.at(QUARTER)
        made: Numbers = 12.0 * (paths.subscribers[:, places, quarter] * paths.month[places, quarter]).sum(axis=1)
        return made

    return at


def _revenue(area: str) -> Callable[[Paths], Numbers]:
    """What is recognised in the year to the quarter in an area (N); without licences."""
    places = [REGIONS.index(region) for region in AREAS[area]]

    def at(paths: Paths) -> Numbers:
        year = slice(paths.at(QUARTER) - 3, paths.at(QUARTER) + 1)
        parts = (paths.booked, paths.released, paths.subscription)
        made: Numbers = sum(part[:, places, year].sum(axis=(1, 2)) for part in parts)
        return made

    return at


OUTCOMES: Final[Mapping[str, Callable[[Paths], Numbers]]] = {
    **{f"{area} {basis or 'users'}": _reached(area, basis) for area in AREA_NAMES for basis in DEFINITIONS},
    **{f"{area} subscriptions": _subscriptions(area) for area in AREA_NAMES},
    **{f"{area} revenue": _revenue(area) for area in AREA_NAMES},
}
"""Everything that bars can be of: one run of all assumptions answers for every area and definition."""


# Words


_NAMES: Final[Mapping[str, str]] = {
    "data_route": "Data route in China",
    "data_ready": "Data centre ready",
    "route_start": "Start of the data route",
    "export_chance": "Chance that export is granted",
    "chip_supply": "Chips for China",
    "demand": "Deliveries (lever)",
    "licence_start": "Start of licences",
    "licence_volume": "Cars of licensed makers",
    "licence_fit": "Share of them with it",
    "approval": "Approval",
    "level": "Level",
    "price": "Price a month",
    "one_off": "Price for good",
    "free_adas": "Rivals' free assistance",
    "basic_free": "Basic assistance standard",
    "sub_only": "End of the purchase",
}


_PARAMETERS: Final[Mapping[str, str]] = {
    "churn": "Monthly cancellations",
    "forced": "Buyers for want of basic assistance",
    "worth_cn": "Worth to Chinese owners",
    "worth_eu": "Worth to European owners",
    "worth_rest": "Worth to owners elsewhere",
    "worth_us": "Worth to US owners",
    "rivals": "Loss to rivals' free offers",
    "growth": "Growth of deliveries",
    "wear": "Shape of a car's life",
    "lifetime": "Mean life of a car",
    "noise": "Noise of quarters",
    "late": "Lateness of approvals",
    "at_purchase": "Uptake with the new car",
    "initiative": "Uptake unprompted",
    "imitation": "Uptake by others' example",
    "converted": "Trials that convert",
    "worth_spread": "Spread of worth",
    "months_counted": "Months that a buyer counts",
    "export_granted": "Luck of the export assessment",
}
"""Parameters whose meaning is longer than a bar's name can be."""


def bar_name(bar: Bar) -> str:
    """An assumption in words: a lever with its region, a parameter by a short name or its meaning."""
    if bar.kind == "parameter":
        return _PARAMETERS.get(bar.name) or bar.meaning[:1].upper() + bar.meaning[1:]
    lever, _, region = bar.name.partition(".")
    name = _NAMES.get(lever, lever.replace("_", " ").capitalize())
    return f"{name}, {AREA_NAMES[region.lower()]}" if region else name


def title(found: Drivers) -> str:
    """Which assumption moves the end of 2030 most, and how far; neutral where none moves it."""
    asked = found.asked
    if not found.reach or found.reach[0].width <= 0:
        return f"{asked.where}: no assumption moves the end of 2030"
    first = found.reach[0]
    low, high = sorted((first.low, first.high))
    text = asked.definition.text
    name = bar_name(first)
    span = f"{text(low)} to {text(high)}"
    what = "FSD users" if not asked.definition.is_share else "the share"
    return shortest(
        f"{asked.where}: “{name}” moves {what} of 2030 most: {span}",
        f"{asked.where}: “{name}” moves 2030 most: {span}",
        f"{asked.where}: “{style.fitting(name, width=260, font_px=10)}” moves 2030 most: {span}",
    )


def _subtitle(asked: Asked) -> str:
    return (
        f"{asked.definition.measure}, and revenue in US dollars without tax: means of 2030, by assumption · "
        f"{asked.where} · {asked.world.scenario.name}"
    )


def notes(found: Drivers) -> tuple[str, ...]:
    """What a reader has to know: the run, what the ends of a bar are, what is not in them."""
    asked = found.asked
    said = [words.run_note(asked)]
    said.append(
        "Parameters (solid): the means of the draws with their lowest and highest fifth, so that what goes with one in "
        f"the record moves along. Levers (hatched): their low and high value, on {projected.FEW} draws. The line is "
        "the mean of all. Bars do not add up."
    )
    if asked.world.moved:
        said.append("The bars are of the scenario as it stands: levers moved here are not in them.")
    said.append("Neither a straight line nor others' forecasts have assumptions to move: they stand in fsd-projection.")
    return (*said, *words.unused(asked.selection, DEFAULTS, but=("compare", "since", "until")))


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """Two panels of bars around the mean, widest on top; where the page is narrow one above the other."""
    found: Drivers = reading.content
    asked = found.asked
    ink, colour = style.INK[look.theme], style.colour("tesla", look.theme)
    narrow = fsd_words.is_narrow(look)
    count = NARROW_ROWS if narrow else ROWS
    reached = "Share" if asked.definition.is_share else "Users"
    panels = (
        (f"{reached} at the end of 2030", found.reach, asked.definition.text),
        (found.revenue_name, tuple(_in_billions(bar) for bar in found.revenue), _billions),
    )
    font = round(look.font_px * 0.85)
    traces: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    annotations: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    for n, (name, bars, text) in enumerate(panels):
        bars = tuple(bar for bar in bars[:count] if bar.width > 0)
        number = "" if n == 0 else str(n + 1)
        across, down = (
            ((0.0, 1.0), (0.56, 0.94) if n == 0 else (0.0, 0.4))
            if narrow
            else (
                (0.0, 0.44) if n == 0 else (0.56, 1.0),
                (0.0, 0.95),
            )
        )
        traces += _bars(bars, text, look, axis=number, colour=colour)
        ends = [end for bar in bars for end in (bar.low, bar.high)]
        central = bars[0].central if bars else 0.0
        low, high = min([central, *ends]), max([central, *ends])
        room = (high - low or 1.0) * (0.34 if narrow else 0.26)
        axes[f"xaxis{number}"] = {
            "domain": list(across),
            "anchor": f"y{number}",
            "range": [low - room, high + room],
            "showgrid": True,
            "gridcolor": ink.grid,
            "zeroline": False,
            "tickformat": ".0%" if n == 0 and asked.definition.is_share else "~s" if n == 0 else "",
            "ticksuffix": " bn" if n else "",
            "ticks": "outside",
            "nticks": 5,
            "linecolor": ink.axis,
            "tickfont": {"size": round(look.font_px * 0.85), "color": ink.quiet},
            "fixedrange": True,
        }
        axes[f"yaxis{number}"] = {
            "domain": list(down),
            "anchor": f"x{number}",
            "range": [count - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
            "showticklabels": False,
            "ticks": "",
            "fixedrange": True,
        }
        annotations.append(fsd_words.caption(style.escape(name), look, top=down[1]) | {"x": across[0]})
        # The names stand above their bars: there is no margin that would hold them beside two panels.
        for row, bar in enumerate(bars):
            annotations.append(
                {
                    "text": style.escape(
                        style.fitting(
                            bar_name(bar), width=fsd_words.across(look) * (1.0 if narrow else 0.5), font_px=font
                        )
                    ),
                    "font": {"size": font, "color": ink.text},
                    "showarrow": False,
                    "xref": "paper",
                    "x": across[0],
                    "xanchor": "left",
                    "yref": f"y{number}",
                    "y": row - 0.3,
                    "yanchor": "middle",
                    # The line of the mean passes behind the name.
                    "bgcolor": ink.background,
                    "borderpad": 1,
                }
            )
        if bars:
            shapes.append(
                {
                    "type": "line",
                    "xref": f"x{number}",
                    "x0": central,
                    "x1": central,
                    "yref": "paper",
                    "y0": down[0],
                    "y1": down[1],
                    "line": {"color": ink.axis, "width": 1.2},
                }
            )
    row_high = round(look.font_px * 3.0)
    height = look.height if look.width else (2 if narrow else 1) * (count * row_high + round(look.font_px * 6))
    layout = style.layout(
        look,
        height=height,
        margin={"l": 12, "r": 12, "t": round(look.font_px * 1.4), "b": round(look.font_px * 2.4)},
        hovermode="closest",
        barmode="overlay",
        shapes=shapes,
        annotations=annotations,
        **axes,
    )
    return {"data": traces, "layout": layout}


def _unit(bar: Bar) -> str:
    return f" {bar.unit}" if bar.unit not in ("", "-") else ""


def _in_billions(bar: Bar) -> Bar:
    return replace(bar, low=bar.low / 1e9, central=bar.central / 1e9, high=bar.high / 1e9)


def _billions(value: float) -> str:
    return money(value * 1e9).removesuffix(" USD")


def _bars(
    bars: tuple[Bar, ...], text: Callable[[float], str], look: Look, *, axis: str, colour: str
) -> list[dict[str, Any]]:
    """The bars from their low to their high end, and what stands at each end."""
    ink = style.INK[look.theme]
    ends = [sorted(((bar.low, bar.low_at), (bar.high, bar.high_at))) for bar in bars]
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "xaxis": f"x{axis}",
            "yaxis": f"y{axis}",
            "y": [row + 0.14 for row in range(len(bars))],
            "base": [least for (least, _), _ in ends],
            "x": [most - least for (least, _), (most, _) in ends],
            "width": 0.36,
            "marker": {
                "color": [colour if bar.kind == "parameter" else words.faded(colour, 0.2) for bar in bars],
                "pattern": {
                    "shape": ["" if bar.kind == "parameter" else "/" for bar in bars],
                    "fgcolor": colour,
                    "size": 7,
                    "solidity": 0.3,
                },
                "line": {"width": 0.8, "color": colour},
            },
            "hovertext": [
                style.escape(
                    f"{bar_name(bar)}: {text(bar.low)} at {bar.low_at}, {text(bar.high)} at {bar.high_at}{unit}"
                )
                for bar in bars
                for unit in (f" {bar.unit}" if bar.unit not in ("", "-") else "",)
            ],
            "hovertemplate": "%{hovertext}<extra></extra>",
            "showlegend": False,
        }
    ]
    for side, place in ((0, "middle left"), (1, "middle right")):
        traces.append(
            {
                "type": "scatter",
                "mode": "text",
                "xaxis": f"x{axis}",
                "yaxis": f"y{axis}",
                "x": [of[side][0] for of in ends],
                "y": [row + 0.14 for row in range(len(bars))],
                "text": [f"\u00a0{style.escape(text(of[side][0]))}\u00a0" for of in ends],
                "textposition": place,
                "textfont": {"size": round(look.font_px * 0.8), "color": ink.quiet},
                "hoverinfo": "skip",
                "cliponaxis": False,
                "showlegend": False,
            }
        )
    return traces


# Download and table


def rows(reading: Reading) -> pd.DataFrame:
    """One row an assumption and outcome: `value` the mean, `low` and `high` the range that it moves in, `at_low` and
    `at_high` what it moves to where the assumption is at its low and at its high end."""
    found: Drivers = reading.content
    asked = found.asked
    made = []
    for measure, unit, bars in (
        ("reach", asked.definition.unit, found.reach),
        ("revenue", "USD", found.revenue),
    ):
        made += [
            {
                "period_start": "2030-10-01",
                "grain": "quarter",
                "market": asked.area.upper(),
                "basis": "projection",
                "maker": "tesla",
                "maker_name": "Tesla",
                "measure": measure,
                "value": bar.central,
                "low": min(bar.low, bar.central, bar.high),
                "high": max(bar.low, bar.central, bar.high),
                "unit": unit,
                "flags": "projected",
                "source": words.slugs(asked.told),
                "known_from": asked.day.isoformat(),
                "region": asked.area,
                "scenario": asked.world.scenario.name,
                "assumption": bar.name,
                "kind": bar.kind,
                "meaning": bar.meaning,
                "low_at": bar.low_at,
                "high_at": bar.high_at,
                "at_low": bar.low,
                "at_high": bar.high,
            }
            for bar in bars
        ]
    own = ("region", "scenario", "assumption", "kind", "meaning", "low_at", "high_at", "at_low", "at_high")
    return fsd_words.download(made, *own)


def table(reading: Reading) -> Table:
    """Every assumption with its two ends and both outcomes, the widest first."""
    found: Drivers = reading.content
    text = found.asked.definition.text
    revenue = {(bar.kind, bar.name): bar for bar in found.revenue}
    body = []
    for bar in found.reach:
        other = revenue[bar.kind, bar.name]
        body.append(
            (
                bar_name(bar),
                bar.kind,
                f"{bar.low_at} to {bar.high_at}{_unit(bar)}",
                f"{text(bar.low)} to {text(bar.high)}",
                f"{money(other.low)} to {money(other.high)}",
            )
        )
    return Table(
        header=("Assumption", "What it is", "From, to", "Outcome at these", found.revenue_name),
        rows=tuple(body),
        caption="The mean at the end of 2030 with one assumption at its low, then its high end, all others as drawn.",
    )


FSD_DRIVERS = Chart(
    slug="fsd-drivers",
    name="What it hangs on",
    question="Which assumption moves 2030 most?",
    defaults=DEFAULTS,
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
)
