"""`duel-lines`: two makers over time, the gap between them as a panel of its own, and who leads since when.

Makers' own headline figures stand side by side on unlike bases: nothing is added or divided, and their gap is marked.
Outside the home market, where a maker states its sales abroad, one may stand alone: with its growth in place of a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from dashboard import metrics, style
from dashboard.charts import duel, market_drawing, market_rows
from dashboard.charts.chart import Chart, Reading, Table
from dashboard.charts.duel_lines_words import MOST_MARKED, Duel, ahead_by_period, notes, printed_name, title
from dashboard.charts.events import market_events
from dashboard.charts.market_drawing import plain, spread, with_gaps
from dashboard.charts.market_notes import badge
from dashboard.charts.market_words import marked_text, subtitle
from dashboard.lines import maker_name
from dashboard.sales_lines import MarketFigures, figures_asked_for
from dashboard.selection import BasisChoice, By, Measure, PowertrainChoice, Refusal, Selection
from dashboard.style import Figure, Look
from dashboard.windows import month_start
from db import Connection, queries
from db.claims import GRAIN_MONTHS, Floats
from db.vocabulary import Grain, VehicleScope

MEASURES = (Measure.UNITS, Measure.SHARE, Measure.GROWTH)

DEFAULTS = Selection(
    market=("WORLD",),
    basis=BasisChoice.REPORTED,
    makers=duel.RIVALS,
    grain=Grain.QUARTER,
    measure=Measure.UNITS,
)

ABROAD = ("OVERSEAS",)
"""The market set of a maker's sales outside its home market, which are a part of its total and count all vehicles."""

TABLE_PERIODS = 13
"""Periods in the table under the chart: a year and the same period a year before."""

UPPER, LOWER = (0.42, 1.0), (0.0, 0.30)
"""The parts of the plot's height that the lines and the panel under them have."""


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What the data say about two makers; raises as `market_figures` and `duel.duellists` do."""
    found = duel.answered(connection, selection, ask=_met, others=_ways_on(selection))
    drawn = found.drawn
    return Reading(
        selection=found.figures.selection,
        title=title(found),
        subtitle=subtitle(found.figures),
        badge=badge(drawn, today=today),
        citations=found.figures.dataset.citations,
        notes=(*notes(found), *duel.read_as(selection)),
        content=found,
        events=market_events(connection, replace(found.figures, start=found.figures.start[found.opening :])),
    )


def _ways_on(selection: Selection) -> list[Selection]:
    """Where to go from a refusal, if it leads nowhere itself."""
    abroad = replace(
        DEFAULTS,
        market=ABROAD,
        basis=BasisChoice.WHOLESALE,
        powertrain=PowertrainChoice.NEV,
        makers=("byd",),
        grain=Grain.MONTH,
    )
    first = (replace(abroad, as_of=selection.as_of),) if selection.market == ABROAD else ()
    return [*first, *duel.plainer(selection, DEFAULTS)]


def _met(connection: Connection, selection: Selection) -> Duel:
    """The two of a selection against each other, or the one that states figures abroad; raises where there is none."""
    nouns = queries.nouns(connection, as_of=selection.as_of)
    is_abroad = selection.market == ABROAD
    if is_abroad and selection.basis is BasisChoice.REPORTED:
        # Abroad a maker's headline figure is what it ships there.
        selection = replace(selection, basis=BasisChoice.WHOLESALE)
    two = duel.duellists(selection, nouns)
    asked = replace(two, makers=selection.makers) if is_abroad and selection.makers and two.by is By.MAKER else two
    scope = VehicleScope.ALL_VEHICLES if is_abroad else VehicleScope.PASSENGER_CAR
    try:
        figures = figures_asked_for(connection, asked, measures=MEASURES, scope=scope)
    except Refusal as refused:
        if asked.basis is BasisChoice.REPORTED and asked.market != DEFAULTS.market:
            # Who chooses a market wants to see that market: on what is counted there.
            refused.nearest = replace(asked, basis=BasisChoice.REGISTRATION)
        raise
    market = "+".join(asked.market)
    sides = [duel.side(figures, slug, market=market) for slug in two.makers]
    lines = tuple(line for line in sides if line is not None)
    if len(lines) == 2:
        gap = duel.gap_of(*lines)
        return Duel(figures=figures, lines=lines, gap=gap, lead=duel.lead_of(gap, figures, lines[0]), growth=None)
    if is_abroad and lines:
        alone = replace(figures, selection=replace(asked, makers=(lines[0].maker,)))
        return Duel(figures=alone, lines=lines, gap=None, lead=None, growth=_growth(connection, alone))
    missing = [maker_name(slug, two, nouns) for slug, line in zip(two.makers, sides, strict=True) if line is None]
    raise duel.absent(missing, figures, nearest=_other_grain(two))


def _other_grain(selection: Selection) -> Selection | None:
    """The next longer periods: a maker that states quarters has no months."""
    longer = {Grain.MONTH: Grain.QUARTER, Grain.QUARTER: Grain.YEAR}.get(selection.grain)
    return replace(selection, grain=longer) if longer else None


def _growth(connection: Connection, figures: MarketFigures) -> Floats | None:
    """The growth on the year of the only line of some figures; None where there is none, or it is what is drawn."""
    selection = figures.selection
    if selection.measure is not Measure.UNITS:
        return None
    try:
        grown = figures_asked_for(
            connection, replace(selection, measure=Measure.GROWTH), measures=MEASURES, scope=figures.scope
        )
    except Refusal:
        return None
    (line,) = grown.entities
    place = {month: n for n, month in enumerate(grown.start.tolist())}
    return np.array([line.value[place[month]] if month in place else np.nan for month in figures.start.tolist()])


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """Two lines over time, and under them the gap, or the growth of a single one; bars where there is one period."""
    found: Duel = reading.content
    if len(found.figures.start) == 1 or (found.gap is None and found.growth is None):
        return market_drawing.draw(replace(reading, content=found.drawn), look)
    figure = market_drawing.trend(found.drawn, look, reading.events, domain=UPPER, time=_time_range(found))
    traces, panel = _gap_panel(found, look) if found.gap is not None else _growth_panel(found, look)
    layout = figure["layout"]
    layout["xaxis"] |= {"anchor": "y2"}
    for trace in figure["data"]:
        if "customdata" in trace:
            given = trace["marker"]
            trace |= market_drawing.marks(_sizes(trace["y"], given["size"], look), given["symbol"])
    layout["yaxis"] |= {"nticks": 5}
    layout["yaxis2"] = {**layout["yaxis"], "domain": list(LOWER), "nticks": 4, "anchor": "x", **panel["yaxis2"]}
    layout |= {"barmode": "overlay", "bargap": 0.25}
    layout["annotations"] = [*layout.get("annotations", ()), *panel["annotations"]]
    layout["shapes"] = [*layout.get("shapes", ()), *panel.get("shapes", ())]
    return {"data": [*figure["data"], *traces], "layout": layout}


def _time_range(found: Duel) -> tuple[str, str]:
    """The ends of the time axis, with room for half a bar."""
    start, step = found.figures.start, GRAIN_MONTHS[found.figures.selection.grain.value]
    first, last = month_start(int(start[found.opening])), month_start(int(start[-1]))
    room = timedelta(days=step * 16)
    return (first - room).isoformat(), (last + room).isoformat()


def _sizes(heights: Sequence[float | None], given: int | Sequence[int], look: Look) -> list[int]:
    """The given sizes of a line's markers, larger along one that is broken: a single point is no line."""
    there = [n for n, height in enumerate(heights) if height is not None]
    is_broken = bool(there) and there[-1] - there[0] + 1 > len(there)
    sizes = [given] * len(heights) if isinstance(given, int) else list(given)
    least = round(look.font_px * 0.45)
    return [max(size, least) if is_broken or size else size for size in sizes]


def _gap_panel(found: Duel, look: Look) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Bars of the gap in the colour of who is ahead: solid as far as it is certain, hatched as far as it may reach."""
    gap, figures = found.gap, found.figures
    assert gap is not None
    measure = figures.selection.measure
    at = with_gaps(figures)
    dates = [month_start(month).isoformat() for month, _ in at]
    colours = [style.colour(line.maker, look.theme, highlight=True) for line in found.lines]
    nobody = style.INK[look.theme].axis
    scale = 1.0 if measure is Measure.UNITS else 100.0
    ahead, low, high = gap.ahead, gap.low * scale, gap.high * scale
    certain = np.where(ahead > 0, low, np.where(ahead < 0, high, np.where(np.isnan(ahead), np.nan, 0.0)))
    begins = np.where(ahead < 0, high, low)
    reaches = np.where(ahead < 0, low - high, high - low)
    whose = [nobody if n is None or not ahead[n] else colours[0 if ahead[n] > 0 else 1] for _, n in at]
    names = [printed_name(line, figures) for line in found.lines]
    shared = {
        "type": "bar",
        "x": dates,
        "yaxis": "y2",
        "name": style.escape(f"{names[0]} less {names[1]}"),
        "showlegend": False,
    }
    hollow = [n is not None and bool(figures.unfinished[n]) for _, n in at]
    traces = [
        shared
        | {
            "y": spread(certain, at),
            "marker": {
                "color": ["rgba(0,0,0,0)" if is_hollow else one for is_hollow, one in zip(hollow, whose, strict=True)],
                "line": {"color": whose, "width": [1.5 if is_hollow else 0 for is_hollow in hollow]},
            },
            "hovertext": ["" if n is None else style.escape(_gap_text(found, n, names)) for _, n in at],
            "hovertemplate": "%{hovertext}<extra></extra>",
        }
    ]
    if (np.nan_to_num(reaches) != 0).any():
        traces.append(
            shared
            | {
                "y": spread(reaches, at),
                "base": spread(begins, at),
                "marker": {"color": "rgba(0,0,0,0)", "pattern": style.hatch(nobody) | {"fgcolor": whose}},
                "hoverinfo": "skip",
            }
        )
    changes = metrics.lead_changes(ahead_by_period(found))
    ends = [float(each) for each in (np.nanmin(low), np.nanmax(high), 0.0)] if not np.isnan(low).all() else [0.0, 1.0]
    bottom, top = min(ends), max(ends)
    pad = (top - bottom or 1.0) * 0.08
    unlike = " – unlike bases" if len({line.basis for line in found.lines}) > 1 else ""
    unit = {Measure.UNITS: "cars", Measure.SHARE: "percentage points"}.get(measure, "percentage points of growth")
    one, other = (
        f'<span style="color:{colour}">{style.escape(name)}</span>' for colour, name in zip(colours, names, strict=True)
    )
    caption = f"Gap in {unit}{unlike}: above zero {one} is ahead, below {other}"
    if look.height < style.SCREEN.height:
        caption = f"Gap{unlike}: {one} above, {other} below"
    layout: dict[str, Any] = {
        "yaxis2": _panel_axis(measure, bottom - pad, top + pad),
        "annotations": [_caption(caption, look), *_gap_label(found, look, (bottom - pad, top + pad), names)],
    }
    if len(changes) <= MOST_MARKED:
        layout["shapes"] = [_change_line(month_start(int(figures.start[n])), look) for n in changes.tolist()]
    return traces, layout


def _gap_text(found: Duel, at: int, names: list[str]) -> str:
    gap, measure = found.gap, found.figures.selection.measure
    assert gap is not None
    side = float(gap.ahead[at])
    if np.isnan(side):
        return ""
    if side:
        return f"{names[0] if side > 0 else names[1]} ahead by {duel.margin_text(gap, at, measure)}"
    if gap.low[at] == gap.high[at]:
        return "level"
    low, high = (duel.signed_text(float(end[at]), measure) for end in (gap.low, gap.high))
    return f"open: {low} to {high}"


def _gap_label(found: Duel, look: Look, within: tuple[float, float], names: list[str]) -> list[dict[str, Any]]:
    """The last gap, beside its bar's panel."""
    lead, gap, figures = found.lead, found.gap, found.figures
    if lead is None or gap is None:
        return []
    measure = figures.selection.measure
    scale = 1.0 if measure is Measure.UNITS else 100.0
    font = round(look.font_px * 0.92)
    side = lead.side
    colour = style.INK[look.theme].quiet
    text = "open"
    if side:
        ahead = found.lines[0 if side > 0 else 1]
        colour = style.colour(ahead.maker, look.theme, highlight=True)
        text = f"{names[0 if side > 0 else 1]} +{duel.margin_text(gap, lead.at, measure).replace('at least ', '≥')}"
        text = text.replace("+≥", "≥")
    elif gap.low[lead.at] == gap.high[lead.at]:
        text = "level"
    if lead.at != len(figures.start) - 1:
        text += f" ({style.period_text(month_start(int(figures.start[lead.at])), figures.selection.grain.value)})"
    height = float(gap.value[lead.at]) * scale if side else 0.0
    ends = [style.LineEnd(text=text, value=float(np.clip(height, *within)), colour=colour)]
    plot = look.height * (LOWER[1] - LOWER[0])
    placed = style.line_end_labels(ends, height_px=max(plot * 0.7, font * 2), font_px=font, value_range=within)
    return style.end_annotations(placed, font_px=font, yref="y2")


def _growth_panel(found: Duel, look: Look) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    figures, (line,) = found.figures, found.lines
    assert found.growth is not None
    at = with_gaps(figures)
    colour = style.colour(line.maker, look.theme, highlight=True)
    texts = ["" if n is None or np.isnan(found.growth[n]) else style.growth_text(float(found.growth[n])) for _, n in at]
    bars = {
        "type": "bar",
        "x": [month_start(month).isoformat() for month, _ in at],
        "y": spread(found.growth * 100, at),
        "yaxis": "y2",
        "name": "Growth on the year",
        "marker": {"color": colour},
        "hovertext": texts,
        "hovertemplate": "%{hovertext} on a year before<extra></extra>",
        "showlegend": False,
    }
    shown = [each for each in plain(found.growth * 100) if each is not None] or [0.0]
    bottom, top = min(0.0, *shown, 0.0), max(0.0, *shown, 0.0)
    pad = (top - bottom or 1.0) * 0.08
    axis = _panel_axis(Measure.GROWTH, bottom - (pad if bottom < 0 else 0), top + pad) | {"ticksuffix": "%"}
    return [bars], {"yaxis2": axis, "annotations": [_caption("Growth on the same period a year before", look)]}


def _panel_axis(measure: Measure, bottom: float, top: float) -> dict[str, Any]:
    span = top - bottom
    if measure is Measure.UNITS:
        return {"range": [bottom, top], "tickformat": "~s" if span >= 10_000 else ",d", "ticksuffix": ""}
    return {"range": [bottom, top], "tickformat": ",.0f" if span >= 5 else ",.1f", "ticksuffix": " pp"}


def _caption(text: str, look: Look) -> dict[str, Any]:
    """A line of text over the lower panel; `text` may hold markup of ours."""
    return {
        "text": text,
        "font": {"size": round(look.font_px * 0.92), "color": style.INK[look.theme].quiet},
        "showarrow": False,
        "xref": "paper",
        "x": 0,
        "xanchor": "left",
        "yref": "paper",
        "y": LOWER[1],
        "yanchor": "bottom",
        "yshift": 2,
        "borderpad": 0,
    }


def _change_line(on: date, look: Look) -> dict[str, Any]:
    """A thin line through both panels where the lead changed."""
    return {
        "type": "line",
        "xref": "x",
        "yref": "paper",
        "x0": on.isoformat(),
        "x1": on.isoformat(),
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"color": style.INK[look.theme].axis, "width": 1, "dash": "dot"},
    }


# Table, download, receipts


def rows(reading: Reading) -> pd.DataFrame:
    """Both lines and the rest, one row a period, with `DOWNLOAD_COLUMNS`; the gap is not a row beside them."""
    return market_rows.rows(reading.content.figures)


def table(reading: Reading) -> Table:
    """The newest periods: both figures, the gap and who is ahead; or the one figure with its growth."""
    found: Duel = reading.content
    figures, selection = found.figures, found.figures.selection
    names = [printed_name(line, figures) for line in found.lines]
    body = []
    for at in range(len(figures.start) - 1, max(len(figures.start) - 1 - TABLE_PERIODS, -1), -1):
        period = style.period_text(month_start(int(figures.start[at])), selection.grain.value)
        cells = [marked_text(line, at, selection) if not np.isnan(line.value[at]) else "–" for line in found.lines]
        if found.gap is not None:
            cells.append(_gap_text(found, at, names) or "–")
        elif found.growth is not None:
            cells.append(style.growth_text(float(found.growth[at])))
        body.append((period, *cells))
    last = ("Ahead",) if found.gap is not None else ("On a year before",) if found.growth is not None else ()
    return Table(
        header=("Period", *(line.name for line in found.lines), *last),
        rows=tuple(body),
        caption="The newest periods; all are in the download.",
    )


DUEL_LINES = Chart(
    slug="duel-lines",
    name="Who is ahead",
    question="Who is ahead, by how much, since when?",
    defaults=DEFAULTS,
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=market_rows.receipts_of,
)
