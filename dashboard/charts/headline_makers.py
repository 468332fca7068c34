"""`headline-makers`: the newest own worldwide figure of each headline maker, beside those of the periods before it.

A panel a maker, on one scale: bars of its latest periods, the newest and the same one of the year before in full
colour. Each maker counts in its own way, and says so; the panels stand side by side, and nothing is added, divided or
ranked across them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import duel, market_rows
from dashboard.charts.chart import CARS, Chart, Reading, Table, shortest
from dashboard.charts.market_drawing import plain, point_key
from dashboard.charts.market_notes import freshness
from dashboard.charts.market_words import change_on_year, listed, period_name, subtitle
from dashboard.ledger_entries import HEADLINE_MAKERS
from dashboard.lines import Line, maker_name
from dashboard.sales_lines import MarketFigures, market_figures
from dashboard.selection import BasisChoice, By, Incomparable, Measure, NotPublished, Selection
from dashboard.style import Figure, Look
from dashboard.windows import month_start
from db import Connection, queries
from db.claims import GRAIN_MONTHS, Ints
from db.vocabulary import Basis, Grain

MOST = 4
"""Makers side by side at the most: more are lines of another chart."""

SHOWN = {Grain.MONTH: 13, Grain.QUARTER: 9, Grain.YEAR: 6}
"""Periods of a panel: from the newest one back to the same one of a year before, or two."""

DEFAULTS = Selection(market=("WORLD",), basis=BasisChoice.REPORTED, grain=Grain.QUARTER, measure=Measure.UNITS)

DID = {
    Basis.DELIVERY: ("delivered", "deliveries to customers"),
    Basis.WHOLESALE: ("sold", "sales to dealers and abroad"),
    Basis.PRODUCTION: ("built", "cars built"),
    Basis.REGISTRATION: ("registered", "registrations"),
    Basis.RETAIL: ("retailed", "sales to customers"),
    Basis.EXPORT: ("exported", "exports"),
    Basis.INSURANCE: ("insured", "insurances"),
}


@dataclass(frozen=True)
class Headlines:
    """Makers' own figures and the periods of them that are drawn (by their places); `absent` are those that state none
    of the kind, by name."""

    figures: MarketFigures
    lines: tuple[Line, ...]
    shown: Ints
    absent: tuple[str, ...]

    def newest(self, line: Line) -> int | None:
        """The place of a maker's newest finished figure; None where it has none."""
        there = np.flatnonzero(~np.isnan(line.value) & ~self.figures.unfinished_of(line))
        return int(there[-1]) if len(there) else None

    def change(self, line: Line, at: int) -> float | None:
        """The change on the same period of the year before, a fraction; None where there is no pair of one source."""
        change = change_on_year(line, self.figures, at)
        before = float(line.value[at]) - change.value if change else 0.0
        return change.value / before if change and before else None


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The makers' own figures of a selection; refuses what is no maker's own worldwide figure, with the way on."""
    found = duel.answered(
        connection, selection, ask=_stated, others=[replace(selection, basis=DEFAULTS.basis), *_ways_on(selection)]
    )
    figures = found.figures
    return Reading(
        selection=selection,
        title=title(found),
        subtitle=subtitle(figures),
        badge=freshness(figures.at(found.shown), today=today),
        citations=figures.dataset.citations,
        notes=notes(found),
        content=found,
    )


def _ways_on(selection: Selection) -> list[Selection]:
    kept = replace(DEFAULTS, powertrain=selection.powertrain, grain=selection.grain, as_of=selection.as_of)
    named = replace(DEFAULTS, makers=selection.makers, as_of=selection.as_of) if selection.makers else kept
    return [named, kept, replace(DEFAULTS, as_of=selection.as_of), DEFAULTS]


def _stated(connection: Connection, selection: Selection) -> Headlines:
    if selection.measure is not Measure.UNITS:
        raise NotPublished(
            f"makers' own figures are drawn in cars here, not as {selection.measure}",
            nearest=replace(selection, measure=Measure.UNITS),
        )
    if selection.basis is not BasisChoice.REPORTED:
        raise NotPublished(
            f"this chart shows makers' own worldwide figures, and not {selection.basis} figures",
            nearest=replace(selection, basis=BasisChoice.REPORTED, market=DEFAULTS.market),
        )
    makers = selection.makers or known_headline_makers(connection)
    if not makers:
        raise NotPublished("no headline maker's own figures are loaded; run 'python -m etl load'")
    if len(makers) > MOST:
        raise Incomparable(
            f"{len(makers)} makers are chosen, and {MOST} at the most stand side by side here",
            nearest=replace(selection, makers=makers[:MOST]),
        )
    asked = replace(selection, by=By.MAKER, makers=makers, models=(), of=None)
    figures = market_figures(connection, asked, measures=(Measure.UNITS,))
    lines = [line for line in figures.entities if not np.isnan(line.value).all()]
    lines.sort(key=lambda line: line.maker)
    if not lines:
        raise NotPublished(
            f"no {selection.powertrain} figures of {', '.join(makers)} are published by {selection.grain}"
        )
    first = int(figures.start[0])
    if not selection.since:
        # A maker that has not stated the newest periods yet is shown with what it stated last, and a year before.
        step = GRAIN_MONTHS[selection.grain.value]
        oldest = min(int(figures.start[np.flatnonzero(~np.isnan(line.value))[-1]]) for line in lines)
        first = min(int(figures.start[-1]) - (SHOWN[selection.grain] - 1) * step, max(oldest - 12, first))
    shown = np.flatnonzero(figures.start >= first)
    lacking = [figures.nouns.makers[slug] for slug in makers if slug not in {line.maker for line in lines}]
    return Headlines(figures=figures, lines=tuple(lines), shown=shown, absent=tuple(lacking))


def known_headline_makers(connection: Connection) -> tuple[str, ...]:
    """The headline makers that the database knows."""
    known = queries.names(connection).makers
    return tuple(slug for slug in HEADLINE_MAKERS if slug in known)


# Words


def title(found: Headlines) -> str:
    """Each maker's newest figure with its period, and its change on the year where there is one."""
    ends = [(line, at) for line in found.lines if (at := found.newest(line)) is not None]
    if not ends:
        return shortest(f"No finished period of {listed([name(line, found) for line in found.lines])} is published")
    (first, at), *others = ends
    cars = CARS[found.figures.selection.powertrain]

    def told(line: Line, at: int, *, of: str = "", change: bool = True, words: str = " on the year") -> str:
        when, grown = period_name(found.figures, at), found.change(line, at) if change else None
        said = f"{name(line, found)} {DID[Basis(line.basis)][0]} {_units(line, at)}{of} in {when}"
        return said if grown is None else f"{said} ({style.growth_text(grown)}{words})"

    def bare(line: Line, at: int, *, of: str = "", words: str = "") -> str:
        return told(line, at, of=of, words=words).replace(f" {DID[Basis(line.basis)][0]} ", " ", 1)

    one = told(first, at, of=f" {cars}")
    no_change = told(first, at, of=f" {cars}", change=False)
    return shortest(
        "; ".join([one, *(told(*each) for each in others)]),
        "; ".join([one, *(told(*each, words="") for each in others)]),
        "; ".join([bare(first, at, of=f" {cars}", words=" on the year"), *(bare(*each) for each in others)]),
        "; ".join([no_change, *(told(*each, change=False) for each in others)]),
        "; ".join([no_change, *(told(*each, change=False) for each in others[:1])]),
        one,
        no_change,
    )


def name(line: Line, found: Headlines) -> str:
    """The maker's name, without what it counts."""
    return maker_name(line.maker, found.figures.selection, found.figures.nouns)


def _units(line: Line, at: int) -> str:
    return f"{float(line.value[at]):,.0f}"


def notes(found: Headlines) -> tuple[str, ...]:
    """What each maker counts, who states nothing, and that the newest figures may be of unlike periods."""
    figures = found.figures
    said = []
    if len({line.basis for line in found.lines}) > 1:
        counted = " and ".join(f"{name(line, found)} states {DID[Basis(line.basis)][1]}" for line in found.lines)
        said.append(f"Unlike bases: {counted}. They stand side by side and are neither added, divided nor ranked.")
    ends = {name(line, found): at for line in found.lines if (at := found.newest(line)) is not None}
    if len(set(ends.values())) > 1:
        told = ", ".join(f"{who} {period_name(figures, at).removeprefix('the ')}" for who, at in ends.items())
        said.append(f"The newest figures are of unlike periods: {told}.")
    if any(line.maker == "byd" for line in found.lines):
        said.append("BYD's figures are its passenger cars: what it announces in all has buses and trucks too.")
    if found.absent:
        said.append(f"No such figures are published of {listed(found.absent)} by {figures.selection.grain}.")
    span = figures.start[found.shown[-1]] - figures.start[found.shown[0]]
    periods = int(span) // GRAIN_MONTHS[figures.selection.grain.value] + 1
    missing = [name(line, found) for line in found.lines if (~np.isnan(line.value[found.shown])).sum() < periods]
    if missing:
        said.append(f"Where there is no bar, nothing is published yet or not all of a period: {listed(missing)}.")
    said += [f"On some periods: {remark.rstrip('.')}." for remark in figures.remarks[:1]]
    return tuple(said)


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """A panel for each maker, side by side, or one under the other where it is narrow."""
    found: Headlines = reading.content
    figures = found.figures
    is_narrow = (look.width or 0) < 600 and (look.width is not None or look.font_px < style.SCREEN.font_px)
    count, font = len(found.lines), round(look.font_px * 0.92)
    top_value = max(float(np.nanmax(line.value[found.shown], initial=0.0)) for line in found.lines) or 1.0
    grain = figures.selection.grain.value
    places = [
        int(place) for place in (figures.start[found.shown] - figures.start[found.shown[0]]) // GRAIN_MONTHS[grain]
    ]
    labels = [
        style.period_text(month_start(int(figures.start[found.shown[0]]) + place * GRAIN_MONTHS[grain]), grain)
        for place in range(places[-1] + 1)
    ]
    ticks = _ticks(len(labels), most=3 if is_narrow or count > 2 else 5)
    traces: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    heads: list[dict[str, Any]] = []
    alike = style.layout(look)
    for n, line in enumerate(found.lines):
        suffix = "" if n == 0 else str(n + 1)
        at = found.newest(line)
        traces.append(_bars(found, line, at, places, suffix, look))
        across, up = _panel(n, count, is_narrow=is_narrow)
        axes[f"xaxis{suffix}"] = {
            **alike["xaxis"],
            "type": "linear",
            "range": [-0.6, len(labels) - 0.4],
            "zeroline": False,
            "domain": across,
            "anchor": f"y{suffix}",
            "showgrid": False,
            "tickangle": 0,
            "tickfont": {"size": font},
            "tickvals": ticks,
            "ticktext": [labels[tick] for tick in ticks],
        }
        axes[f"yaxis{suffix}"] = {
            **alike["yaxis"],
            "domain": up,
            "anchor": f"x{suffix}",
            "range": [0, top_value * 1.18],
            "tickformat": "~s" if top_value >= 10_000 else ",",
            "nticks": 4,
            "showticklabels": n == 0 or is_narrow,
        }
        heads += _head(found, line, at, n, count, look, is_narrow=is_narrow, font=font)
    layout = style.layout(
        look,
        height=look.height if look.width or not is_narrow else 210 * count + 60,
        margin={"t": round(look.font_px * 3.4), "l": round(look.font_px * 3.2), "r": round(look.font_px * 0.8)},
        bargap=0.25,
        annotations=heads,
        hovermode="closest",
        **axes,
    )
    return {"data": traces, "layout": layout}


def _panel(n: int, count: int, *, is_narrow: bool) -> tuple[list[float], list[float]]:
    """The parts of the width and the height that a panel has."""
    if is_narrow:
        between = 0.22
        high = (1 - between * (count - 1)) / count
        top = 1 - n * (high + between)
        return [0.0, 1.0], [round(top - high, 4), round(top, 4)]
    wide, gap = 1 / count, 0.05
    return [n * wide + (gap / 2 if n else 0.0), (n + 1) * wide - (gap / 2 if n < count - 1 else 0.0)], [0.0, 1.0]


def _ticks(count: int, *, most: int) -> list[int]:
    """Places along a panel that are named, the last one among them."""
    step = max(-(-count // most), 1)
    return list(range(count - 1, -1, -step))[::-1]


def _bars(found: Headlines, line: Line, at: int | None, places: list[int], suffix: str, look: Look) -> dict[str, Any]:
    figures = found.figures
    colour = style.colour(line.maker, look.theme, highlight=True)
    before = np.flatnonzero(figures.start == figures.start[at] - 12) if at is not None else np.array([], dtype=np.int64)
    full = {at, *before.tolist()}
    unfinished = figures.unfinished_of(line)
    heights = line.value[found.shown]
    return {
        "type": "bar",
        "name": style.escape(name(line, found)),
        "x": places,
        "y": plain(heights),
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "marker": {
            "color": [style.INK[look.theme].background if unfinished[n] else colour for n in found.shown.tolist()],
            "opacity": [1.0 if n in full or unfinished[n] else 0.4 for n in found.shown.tolist()],
            "line": {"color": colour, "width": 1},
        },
        "text": [
            f"{period_name(figures, n)}: {_units(line, n)}" if not np.isnan(line.value[n]) else ""
            for n in found.shown.tolist()
        ],
        "texttemplate": [
            style.units_text(float(line.value[n])) if n in full and not np.isnan(line.value[n]) else ""
            for n in found.shown.tolist()
        ],
        "textposition": "outside",
        "textangle": 0,
        "cliponaxis": False,
        "textfont": {"size": round(look.font_px * 0.85), "color": style.INK[look.theme].text},
        "customdata": [
            point_key(line, figures, n) if not np.isnan(line.value[n]) else [] for n in found.shown.tolist()
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }


def _head(
    found: Headlines, line: Line, at: int | None, n: int, count: int, look: Look, *, is_narrow: bool, font: int
) -> list[dict[str, Any]]:
    """Over a panel: the maker's name and what it counts, and its newest figure with the change on the year."""
    across, up = _panel(n, count, is_narrow=is_narrow)
    ink = style.INK[look.theme]
    counted = f"{name(line, found)}: {DID[Basis(line.basis)][1]}"
    told = "no finished period"
    if at is not None:
        change = found.change(line, at)
        on_year = f", {style.growth_text(change)} on the year" if change is not None else ""
        told = f"{_units(line, at)} in {period_name(found.figures, at)}{on_year}"
    width = (look.width * 0.9 if look.width else 330 if is_narrow else 860) / (1 if is_narrow else count) - font
    common = {
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": across[0],
        "y": up[1],
        "xanchor": "left",
        "yanchor": "bottom",
    }
    return [
        common
        | {
            "text": style.escape(style.fitting(text, width=width, font_px=font)),
            "yshift": shift,
            "font": {"size": font, "color": colour, "weight": weight},
        }
        for text, shift, colour, weight in (
            (counted, round(font * 1.5), style.colour(line.maker, look.theme, highlight=True), 600),
            (told, 2, ink.text, 400),
        )
    ]


# Table and receipts


def rows(reading: Reading) -> pd.DataFrame:
    """Every maker's own figure, one row a period and basis, with `DOWNLOAD_COLUMNS`."""
    return market_rows.rows(reading.content.figures)


def table(reading: Reading) -> Table:
    """The periods that are drawn, the newest first."""
    found: Headlines = reading.content
    grain = found.figures.selection.grain.value
    return Table(
        header=("Period", *(f"{name(line, found)} ({line.basis})" for line in found.lines)),
        rows=tuple(
            (
                style.period_text(month_start(int(found.figures.start[n])), grain),
                *(style.MISSING if np.isnan(line.value[n]) else _units(line, n) for line in found.lines),
            )
            for n in found.shown[::-1].tolist()
        ),
        caption="Each maker's own figures in cars; a dash stands for what is not published. All are in the download.",
    )


NEWEST = Chart(
    slug="headline-makers",
    name="Headline makers",
    question="What are Tesla's and BYD's newest own figures?",
    defaults=DEFAULTS,
    measures=(Measure.UNITS,),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=market_rows.receipts_of,
)
