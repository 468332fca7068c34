"""`market-share`: who leads a market, and between which bounds.

Lines over time, bars for a single period. A maker whose figure the publisher's unnamed rest could raise is drawn at its
low end; the band up to its high end is hatched where it is narrow enough to say something, and always for a maker that
the reader named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from dashboard import style
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Badge, Chart, Point, Reading, Table
from dashboard.metrics import GRAIN_MONTHS, Floats
from dashboard.sales_lines import Line, MarketFigures, maker_name, market_figures, month_start
from dashboard.selection import By, Measure, PowertrainChoice, Selection, Window
from dashboard.style import Figure, Look
from db import queries
from db.vocabulary import ALL, OTHER

DRAWN = 7
"""Named lines drawn at the most, unless the reader named more."""

TABLE_PERIODS = 13
"""Periods in the table under the chart: a year and the same period a year before."""

BAND = 0.10
"""A band wider than this part of the axis' measure says no more than the label does, and is left to the table."""

MEASURES = (Measure.SHARE, Measure.UNITS, Measure.GROWTH)

_CARS = {PowertrainChoice.BEV: "BEVs", PowertrainChoice.ALL: "cars"}
_CARS_LONG = {
    PowertrainChoice.BEV: "battery-electric passenger cars (BEV)",
    PowertrainChoice.ALL: "all passenger cars",
}
_WINDOW = {
    Window.NONE: "",
    Window.THREE_MONTHS: "three-month sums",
    Window.TTM: "trailing twelve months",
    Window.YTD: "year to date",
}


@dataclass(frozen=True)
class Drawn:
    """The figures and the lines of them that are drawn, the largest at the end of the range first."""

    figures: MarketFigures
    lines: tuple[Line, ...]


def load(connection: Connection, selection: Selection) -> Reading:
    """What the data say about a selection; raises as `market_figures` does."""
    figures = market_figures(connection, selection, measures=MEASURES)
    drawn = Drawn(figures=figures, lines=_chosen(figures))
    return Reading(
        selection=selection,
        title=title(drawn),
        subtitle=_subtitle(figures),
        badge=_badge(drawn),
        citations=figures.dataset.citations,
        notes=_notes(drawn),
        content=drawn,
    )


def _chosen(figures: MarketFigures) -> tuple[Line, ...]:
    """The entities that sold most at the end of the range, or all that the reader named."""
    lines = sorted(figures.entities, key=lambda line: (-_last(line.units), line.name))
    selection = figures.selection
    if selection.makers or selection.models or selection.by is By.MARKET:
        return tuple(lines)
    current = [line for line in lines if not np.isnan(line.value[-1]) and line.named[-1]]
    return tuple((current or lines)[:DRAWN])


def _last(values: Floats) -> float:
    """The last value there is; minus infinity where there is none."""
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else -np.inf


# Words


def title(drawn: Drawn) -> str:
    """The finding at the end of the range, in at most 90 characters.

    "leads" is only said of a whole market and where nobody could be ahead: neither a named one at its high end nor one
    hidden in the rest. A change is only given where the bounds leave its sign certain.
    """
    figures, selection = drawn.figures, drawn.figures.selection
    when, cars = period_name(figures, -1), f"{place_name(figures)} {_CARS[selection.powertrain]}"
    ranked = sorted(
        (line for line in drawn.lines if not np.isnan(line.value[-1])),
        key=lambda line: -float(line.value[-1]),
    )
    if not ranked:
        return _shortest(f"{cars}: nothing of what was asked for is published for {when}", cars)
    if selection.measure is Measure.GROWTH:
        return _growth_title(ranked, when=when, cars="" if selection.by is By.MARKET else f"{cars}, ")
    if selection.by is By.MARKET:
        return _market_title(ranked, figures, when=when)
    first, amount = ranked[0], _amount(ranked[0], -1, selection)
    of = f" of all {_CARS[PowertrainChoice.ALL]}" if _is_of_all(selection) else ""
    change = _year_change(first, figures)
    whole = not (selection.makers or selection.models)
    if whole and _leads(first, figures):
        second = f"; {ranked[1].name} {_amount(ranked[1], -1, selection)}" if len(ranked) > 1 else ""
        return _shortest(
            f"{first.name} leads {cars} in {when}: {amount}{of}{change}{second}",
            f"{first.name} leads {cars} in {when}: {amount}{of}{second}",
            f"{first.name} leads {cars} in {when}: {amount}{of}",
            f"{first.name} leads in {when}: {amount}{of}",
        )
    rest = _rest_share(figures)
    unnamed = (
        f"; {style.share_text(rest)} of the market is unnamed" if whole and rest is not None and rest >= 0.05 else ""
    )
    has = f"{first.name} has {amount}" if selection.measure is Measure.SHARE else f"{first.name}: {amount}"
    what = (of or f" of {cars}") if selection.measure is Measure.SHARE else f" {cars}"
    if len(ranked) == 1 or unnamed:
        return _shortest(
            f"{has}{what} in {when}{unnamed or change}",
            f"{has} in {when}{unnamed or change}",
            f"{has} in {when}",
        )
    both = f"{first.name} {amount} and {ranked[1].name} {_amount(ranked[1], -1, selection)}"
    return _shortest(f"{both}{what} in {when}", f"{both} in {when}", f"{has} in {when}")


def _leads(first: Line, figures: MarketFigures) -> bool:
    """Whether nobody else can be ahead: no named entity at its high end, and no single one hidden in the rest."""
    others = [line for line in figures.lines if line is not first]
    return all(np.isnan(line.high[-1]) or first.low[-1] > line.high[-1] for line in others)


def _growth_title(ranked: Sequence[Line], *, when: str, cars: str) -> str:
    first, last = ranked[0], ranked[-1]
    best = f"{first.name} {style.growth_text(float(first.value[-1]))}"
    if first is last:
        return _shortest(f"{cars}{when}: {best} on a year before", f"{best} on a year before")
    worst = f"{last.name} {style.growth_text(float(last.value[-1]))}"
    return _shortest(
        f"{cars}{when}: {best} on a year before, {worst}",
        f"{when}: {best} on a year before, {worst}",
        f"{when}: {best}",
    )


def _market_title(ranked: Sequence[Line], figures: MarketFigures, *, when: str) -> str:
    selection = figures.selection
    entities = [line for line in ranked if not line.is_rest]
    if not entities:
        return f"Nothing of what was asked for is published for {when}"
    who = ""
    if len(selection.makers) == 1:
        who = f"{maker_name(selection.makers[0], selection, figures.nouns)}: "
    elif not selection.makers:
        who = f"{_CARS[selection.powertrain]}: "
    of = f" of all {_CARS[PowertrainChoice.ALL]}" if _is_of_all(selection) else ""
    parts = [f"{line.name} {_amount(line, -1, selection)}" for line in entities]
    return _shortest(
        f"{who}{parts[0]}{of}, {', '.join(parts[1:3])} in {when}"
        if len(parts) > 1
        else f"{who}{parts[0]}{of} in {when}",
        f"{who}{parts[0]}{of}, {parts[1]} in {when}" if len(parts) > 1 else parts[0],
        f"{who}{parts[0]}{of} in {when}",
        f"{parts[0]} in {when}",
    )


def _is_of_all(selection: Selection) -> bool:
    return selection.measure is Measure.SHARE and selection.denominator is not selection.powertrain


def _shortest(*candidates: str) -> str:
    """The first candidate of at most 90 characters; the last one, cut, where none is."""
    for candidate in candidates:
        if len(candidate) <= 90:
            return candidate
    return candidates[-1][:89] + "…"


def _amount(line: Line, at: int, selection: Selection) -> str:
    """A value with its bound: '9.2 %', 'at least 12.1 %'; a difference that the rounding hides is not mentioned."""
    value, high = float(line.value[at]), float(line.high[at])
    plain = _text(value, selection.measure)
    if selection.measure is Measure.GROWTH or _text(high, selection.measure) == plain:
        return plain
    small = high - value <= 0.02 * max(high, 1e-9) if selection.measure is Measure.UNITS else high - value <= 0.001
    return plain if small else f"at least {plain}"


def _text(value: float, measure: Measure) -> str:
    if measure is Measure.SHARE:
        return style.share_text(value)
    return style.growth_text(value) if measure is Measure.GROWTH else style.units_text(value)


def _year_change(line: Line, figures: MarketFigures) -> str:
    """', +1.2 pp on a year before' where both figures are known and the bounds leave its sign certain."""
    before = np.flatnonzero(figures.start == figures.start[-1] - 12)
    if not len(before) or figures.selection.measure is not Measure.SHARE:
        return ""
    then = int(before[0])
    change = line.value[-1] - line.value[then]
    if np.isnan(change) or not (line.low[-1] > line.high[then] or line.high[-1] < line.low[then]):
        return ""
    return f", {style.pp_text(float(change))} on a year before"


def period_name(figures: MarketFigures, at: int) -> str:
    """'Jun 2026', 'Q2 2026', 'the 12 months to Jun 2026', 'Jan to Jun 2026'."""
    selection = figures.selection
    start = int(figures.start[at])
    last_month = month_start(start + GRAIN_MONTHS[selection.grain.value] - 1)
    month = style.period_text(last_month, "month")
    if selection.window is Window.TTM:
        return f"the 12 months to {month}"
    if selection.window is Window.THREE_MONTHS:
        return f"the 3 months to {month}"
    if selection.window is Window.YTD and last_month.month > 1:
        return f"{last_month.year} to {month.split()[0]}" if last_month.month < 12 else str(last_month.year)
    return style.period_text(month_start(start), selection.grain.value)


def place_name(figures: MarketFigures) -> str:
    """'German', or 'DE+FR' for a set of markets."""
    markets = figures.selection.market
    if len(markets) == 1:
        return figures.nouns.adjectives[markets[0]]
    return "+".join(markets) if len(markets) <= 5 else f"{len(markets)}-market"


def _subtitle(figures: MarketFigures) -> str:
    selection = figures.selection
    names = [figures.nouns.markets[code] for code in selection.market]
    where = ", ".join(names) if selection.by is By.MARKET else " + ".join(names)
    cars = _CARS_LONG[selection.powertrain]
    if selection.measure is Measure.SHARE:
        whole = (
            _CARS_LONG[selection.denominator] if selection.denominator is not selection.powertrain else "the same cars"
        )
        part_of_set = (
            selection.by is By.MARKET and not selection.makers and selection.denominator is selection.powertrain
        )
        of = "the markets' sum" if part_of_set else whole
        what = f"Share of {selection.basis}s, {cars}" + (f", in % of {of}" if of != "the same cars" else ", in %")
    elif selection.measure is Measure.GROWTH:
        what = f"{selection.basis.capitalize()}s of {cars}, change on the same period a year before, in %"
    else:
        what = f"{selection.basis.capitalize()}s of {cars}, in cars"
    who = {By.MAKER: "by maker (brand)", By.GROUP: "by group", By.MODEL: "by model", By.MARKET: "by market"}[
        selection.by
    ]
    if selection.by is By.MARKET and selection.makers:
        who += ", " + ", ".join(maker_name(slug, selection, figures.nouns) for slug in selection.makers)
    smoothing = _WINDOW[selection.window]
    grain = {"month": "monthly", "quarter": "quarterly", "year": "yearly"}[selection.grain.value]
    return f"{where}. {what}, {who}; {grain}{', ' + smoothing if smoothing else ''}"


def _rest_share(figures: MarketFigures) -> float | None:
    """The unnamed rest at the end of the range as a share of what is drawn; None where it cannot be said."""
    rest = [line for line in figures.lines if line.is_rest]
    if len(rest) != 1 or np.isnan(rest[0].value[-1]):
        return None
    if figures.selection.measure is Measure.SHARE and figures.selection.denominator is figures.selection.powertrain:
        return float(rest[0].value[-1])
    named = sum(float(np.nan_to_num(line.value[-1])) for line in figures.entities)
    if figures.selection.makers or figures.selection.models or figures.selection.measure is Measure.GROWTH:
        return None
    return float(rest[0].value[-1] / (rest[0].value[-1] + named))


def _badge(drawn: Drawn) -> Badge:
    figures = drawn.figures
    citations = figures.dataset.citations
    end = style.period_text(
        month_start(int(figures.start[-1]) + GRAIN_MONTHS[figures.selection.grain.value] - 1), "month"
    )
    known = max(cited.known_on for cited in citations)
    parts = [f"data to {end}", f"known {known.day} {style.period_text(known, 'month')}"]
    rest = _rest_share(figures)
    if rest is not None:
        parts.append(f"{style.share_text(1 - rest)} named")
    bounded = [line for line in drawn.lines if _amount(line, -1, figures.selection).startswith("at least")]
    if not bounded:
        return Badge(text=" · ".join(parts))
    return Badge(
        text=" · ".join(parts),
        amber=True,
        reason="Part of this market is published without makers' names: figures marked ≥ are lower bounds.",
    )


def _notes(drawn: Drawn) -> tuple[str, ...]:
    figures, selection = drawn.figures, drawn.figures.selection
    notes = []
    bounded = [line for line in drawn.lines if _amount(line, -1, selection).startswith("at least")]
    if bounded:
        widest = max(bounded, key=lambda line: line.high[-1])
        notes.append(
            f"≥ marks a lower bound: the publisher's unnamed rest could hide more. {widest.name} lies between "
            f"{_text(float(widest.low[-1]), selection.measure)} and {_text(float(widest.high[-1]), selection.measure)}."
        )
    folded = [line for line in figures.entities if line not in drawn.lines and not np.isnan(line.value[-1])]
    if folded and selection.measure is not Measure.GROWTH:
        together = _text(float(sum(line.value[-1] for line in folded)), selection.measure)
        kind = {By.MODEL: "models", By.GROUP: "groups"}.get(selection.by, "makers")
        notes.append(f"Not drawn: {len(folded)} smaller {kind}, together {together}; all are in the download.")
    elif folded:
        notes.append(f"Not drawn: {len(folded)} others; all are in the download.")
    missing = _later_totals(figures)
    if missing:
        notes.append(missing)
    if selection.powertrain is PowertrainChoice.BEV:
        notes.append("Plug-in hybrids are not in these figures.")
    notes += [f"Publisher's remark on some periods: {remark}" for remark in figures.dataset.warnings[:2]]
    return tuple(notes)


def _later_totals(figures: MarketFigures) -> str:
    """A sentence where totals go on after the last period that names makers: the chart ends there, not the market."""
    selection = figures.selection
    frame = figures.dataset.frame
    frame = frame[frame["powertrain"] == selection.powertrain.value]
    if selection.until or selection.by is By.MARKET or not len(frame):
        return ""
    end = int(figures.start[-1]) + GRAIN_MONTHS[selection.grain.value]
    later = [
        code
        for code in selection.market
        if int(frame.loc[frame["market"] == code, "month"].max()) >= end
        and not frame.loc[(frame["market"] == code) & (frame["month"] >= end), "maker"]
        .isin([ALL, OTHER])
        .eq(False)
        .any()
    ]
    if not later:
        return ""
    names = ", ".join(figures.nouns.markets[code] for code in later)
    return f"After {style.period_text(month_start(end - 1), 'month')} only totals are published for {names}: no makers."


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """Lines over time with labels at their ends; bars where there is a single period."""
    drawn: Drawn = reading.content
    if len(drawn.figures.start) == 1:
        return _bars(drawn, look)
    return _trend(drawn, look)


def _trend(drawn: Drawn, look: Look) -> Figure:
    figures, selection = drawn.figures, drawn.figures.selection
    dates = [month_start(int(month)).isoformat() for month in figures.start]
    ink = style.INK[look.theme]
    traces: list[dict[str, Any]] = []
    ends: list[style.LineEnd] = []
    named = bool(selection.makers or selection.models)
    bounded = selection.measure is not Measure.GROWTH
    for line in drawn.lines:
        colour = style.colour(_colour_key(line, selection), look.theme, highlight=named)
        if bounded and _has_visible_band(line, drawn, named):
            traces += _band(line, dates, colour)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if len(dates) <= 24 else "lines",
                "name": style.escape(line.name),
                "x": dates,
                "y": _plain(np.where(line.named, line.value, np.nan)),
                "line": {
                    "color": colour,
                    "width": 2.5 if _stands_out(line) else 2,
                    "dash": style.dash(_colour_key(line, selection)),
                },
                "marker": {"size": 5, "symbol": style.symbol(_colour_key(line, selection))},
                "customdata": [[line.market, line.maker, line.model, int(month)] for month in figures.start],
                "text": [_hover(line, n, selection) for n in range(len(dates))],
                "hovertemplate": "%{text}",
                "connectgaps": False,
            }
        )
        if not np.isnan(line.value[-1]):
            mark = "≥" if _amount(line, -1, selection).startswith("at least") else ""
            ends.append(
                style.LineEnd(
                    text=f"{line.name} {mark}{_text(float(line.value[-1]), selection.measure)}",
                    value=float(line.value[-1]),
                    colour=colour if colour != style.colour(OTHER, look.theme) else ink.quiet,
                )
            )
    low, high = _axis_range(drawn, traces)
    layout = style.layout(
        look,
        xaxis={"type": "date", "hoverformat": _hover_format(selection), **_x_range(figures)},
        yaxis={
            "range": [low, high],
            "tickformat": ".0%"
            if selection.measure is not Measure.UNITS and high - low > 0.05
            else ".1%"
            if selection.measure is not Measure.UNITS
            else "~s"
            if high >= 10_000
            else ",",
            "rangemode": "tozero",
        },
    )
    font = round(look.font_px * 0.92)
    if len(ends) <= DRAWN + 1:
        room = style.end_room(ends, font_px=font)
        layout["margin"] |= {"r": room}
        plot_height = look.height - layout["margin"]["t"] - layout["margin"]["b"]
        placed = style.line_end_labels(ends, height_px=plot_height, font_px=font, value_range=(low, high))
        layout["annotations"] = style.end_annotations(placed, font_px=font)
    else:
        layout |= {"showlegend": True}
    return {"data": traces, "layout": layout}


def _bars(drawn: Drawn, look: Look) -> Figure:
    selection = drawn.figures.selection
    rest = [line for line in drawn.figures.lines if line.is_rest and not np.isnan(line.value[0])]
    folded = [line for line in drawn.figures.entities if line not in drawn.lines and not np.isnan(line.value[0])]
    shown = [line for line in drawn.lines if not np.isnan(line.value[0])]
    names = [line.name for line in shown]
    values = [float(line.value[0]) for line in shown]
    spare = [float(line.high[0] - line.value[0]) if selection.measure is not Measure.GROWTH else 0.0 for line in shown]
    colours = [style.colour(_colour_key(line, selection), look.theme) for line in shown]
    texts = [
        ("≥" if _amount(line, 0, selection).startswith("at least") else "")
        + _text(float(line.value[0]), selection.measure)
        for line in shown
    ]
    points = [[line.market, line.maker, line.model, int(drawn.figures.start[0])] for line in shown]
    hovers = [_hover(line, 0, selection) for line in shown]
    if selection.measure is not Measure.GROWTH and not (selection.makers or selection.models):
        if folded:
            kind = {By.MODEL: "models", By.GROUP: "groups"}.get(selection.by, "makers")
            names.append(f"{len(folded)} smaller {kind}")
            values.append(float(sum(line.value[0] for line in folded)))
            spare.append(0.0)
            colours.append(style.INK[look.theme].axis)
            texts.append(_text(values[-1], selection.measure))
            points.append([])
            hovers.append(f"{names[-1]}: {texts[-1]}")
        for line in rest:
            names.append(line.name)
            values.append(float(line.value[0]))
            spare.append(0.0)
            colours.append(style.colour(OTHER, look.theme))
            texts.append(_text(values[-1], selection.measure))
            points.append([line.market, line.maker, line.model, int(drawn.figures.start[0])])
            hovers.append(f"{line.name}: {texts[-1]}")
    ends = [value + more for value, more in zip(values, spare, strict=True)]
    shared = {
        "type": "bar",
        "orientation": "h",
        "y": [style.escape(name) for name in names],
        "customdata": points,
    }
    hover = {"hovertext": hovers, "hovertemplate": "%{hovertext}<extra></extra>"}
    # The hatched bar reaches to the high end, the solid one before it to the low end.
    traces: list[dict[str, Any]] = [
        shared
        | hover
        | {
            "x": ends,
            "marker": {
                "color": "rgba(0,0,0,0)",
                "pattern": {"shape": "/", "fgcolor": colours, "fgopacity": 0.55, "size": 9, "solidity": 0.16},
            },
            "text": texts,
            "textposition": "outside",
            "cliponaxis": False,
        },
        shared | hover | {"x": values, "marker": {"color": colours}},
    ]
    top = max(ends, default=0.0)
    bottom = min([0.0, *values])
    layout = style.layout(
        look,
        hovermode="closest",
        xaxis={
            "range": [bottom * 1.15, (top or 1.0) * 1.12],
            "showgrid": True,
            "gridcolor": style.INK[look.theme].grid,
            "zeroline": True,
            "tickformat": ".0%" if selection.measure is not Measure.UNITS else ",",
        },
        yaxis={
            "autorange": "reversed",
            "showgrid": False,
            "automargin": True,
            "type": "category",
            "nticks": 0,
        },
        bargap=0.35,
        barmode="overlay",
    )
    return {"data": traces, "layout": layout}


def _colour_key(line: Line, selection: Selection) -> str:
    """Colour belongs to the maker; models of one maker and markets are told apart by label, dash and symbol."""
    if selection.by is By.MODEL:
        return line.maker if selection.models or not selection.makers else line.model
    if selection.by is By.MARKET:
        return line.market if len(selection.makers) < 2 else line.maker
    return line.maker


def _stands_out(line: Line) -> bool:
    return line.maker in ("tesla", "byd")


def _has_visible_band(line: Line, drawn: Drawn, named: bool) -> bool:
    """Whether a band says something: it is there, and it is narrow, or the reader asked for few."""
    width = np.nan_to_num(line.high - line.value)
    if not (width > 0).any():
        return False
    if named and len(drawn.lines) <= 2:
        return True
    top = max(float(np.nanmax(other.value)) for other in drawn.lines)
    limit = BAND if drawn.figures.selection.measure is Measure.SHARE else BAND * top
    return bool(width.max() <= limit) and bool(width.max() > 0.005 * top)


def _band(line: Line, dates: Sequence[str], colour: str) -> list[dict[str, Any]]:
    common = {
        "type": "scatter",
        "mode": "lines",
        "x": list(dates),
        "line": {"width": 0, "color": colour},
        "hoverinfo": "skip",
        "showlegend": False,
        "connectgaps": False,
    }
    return [
        common | {"y": _plain(line.low)},
        common
        | {
            "y": _plain(line.high),
            "fill": "tonexty",
            "fillcolor": "rgba(0,0,0,0)",
            "fillpattern": style.hatch(colour),
        },
    ]


def _plain(values: Floats) -> list[float | None]:
    """Numbers for Plotly: seven digits are more than a screen shows, and NaN is a gap."""
    return [None if np.isnan(value) else float(f"{value:.7g}") for value in values]


def _hover(line: Line, at: int, selection: Selection) -> str:
    value, high = float(line.value[at]), float(line.high[at])
    if np.isnan(value):
        return ""
    text = _text(value, selection.measure)
    if selection.measure is not Measure.GROWTH and _text(high, selection.measure) != text:
        return f"{text} to {_text(high, selection.measure)}"
    return text


def _axis_range(drawn: Drawn, traces: Sequence[dict[str, Any]]) -> tuple[float, float]:
    values = [y for trace in traces for y in trace["y"] if y is not None]
    top, bottom = max(values, default=1.0), min(values, default=0.0)
    if drawn.figures.selection.measure is Measure.GROWTH:
        # One maker's first year would flatten all others: the axis shows up to five-fold, the table all.
        top, bottom = min(top, 5.0), min(bottom, 0.0)
        return bottom * 1.05, max(top * 1.05, 0.1)
    return 0.0, (top or 1.0) * 1.05


def _x_range(figures: MarketFigures) -> dict[str, Any]:
    first, last = month_start(int(figures.start[0])), month_start(int(figures.start[-1]))
    return {"range": [first.isoformat(), last.isoformat()]}


def _hover_format(selection: Selection) -> str:
    return {"month": "%b %Y", "quarter": "Q%q %Y", "year": "%Y"}[selection.grain.value]


# Figures


def rows(reading: Reading) -> pd.DataFrame:
    """Every entity and the rest, one row a period, with `DOWNLOAD_COLUMNS`."""
    drawn: Drawn = reading.content
    figures, selection = drawn.figures, drawn.figures.selection
    starts = np.array([month_start(int(month)).isoformat() for month in figures.start], dtype=object)
    sources = ";".join(cited.slug for cited in figures.dataset.citations)
    parts = []
    for line in figures.lines:
        there = ~np.isnan(line.value)
        count = int(there.sum())
        parts.append(
            pd.DataFrame(
                {
                    "period_start": starts[there],
                    "grain": selection.grain.value,
                    "window": selection.window.value,
                    "market": line.market,
                    "basis": selection.basis.value,
                    "powertrain": selection.powertrain.value,
                    "of": selection.denominator.value if selection.measure is Measure.SHARE else "",
                    "maker": line.maker,
                    "model": line.model,
                    "maker_name": "Other"
                    if line.is_rest
                    else "All makers"
                    if line.maker == ALL
                    else maker_name(line.maker, selection, figures.nouns),
                    "model_name": _model_name(line, figures),
                    "measure": selection.measure.value,
                    "value": line.value[there],
                    "low": line.low[there],
                    "high": line.high[there],
                    "unit": "cars" if selection.measure is Measure.UNITS else "fraction",
                    "flags": _flags(line, there, selection),
                    "source": sources,
                    "known_from": pd.to_datetime(line.known[there], unit="D").strftime("%Y-%m-%d") if count else [],
                },
                columns=list(DOWNLOAD_COLUMNS),
            )
        )
    frame = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return frame.sort_values(["period_start", "market", "maker", "model"], kind="stable", ignore_index=True)


def _model_name(line: Line, figures: MarketFigures) -> str:
    if line.model == ALL:
        return "All models"
    return "Other models" if line.model == OTHER else figures.nouns.models[line.model]


def _flags(line: Line, there: Any, selection: Selection) -> list[str]:
    if line.is_rest:
        return ["upper_bound"] * int(there.sum())
    loose = line.high[there] > line.low[there]
    word = "bounded" if selection.measure is Measure.GROWTH else "lower_bound"
    return [word if open_end else "" for open_end in loose]


def table(reading: Reading) -> Table:
    """The newest periods of the lines that are drawn, and of the rest."""
    drawn: Drawn = reading.content
    figures, selection = drawn.figures, drawn.figures.selection
    lines = [*drawn.lines, *(line for line in figures.lines if line.is_rest and len(selection.makers) == 0)]
    body = []
    for at in range(len(figures.start) - 1, max(len(figures.start) - 1 - TABLE_PERIODS, -1), -1):
        period = style.period_text(month_start(int(figures.start[at])), selection.grain.value)
        body.append((period, *(_cell(line, at, selection) for line in lines)))
    return Table(
        header=("Period", *(line.name for line in lines)),
        rows=tuple(body),
        caption="The newest periods; a range gives low and high end. All periods and entities are in the download.",
    )


def _cell(line: Line, at: int, selection: Selection) -> str:
    value, low, high = float(line.value[at]), float(line.low[at]), float(line.high[at])
    if np.isnan(value):
        return "–"
    if selection.measure is Measure.GROWTH:
        return style.growth_text(value)
    if line.is_rest or _text(low, selection.measure) == _text(high, selection.measure):
        return _text(value, selection.measure)
    return f"{_text(low, selection.measure)} to {_text(high, selection.measure)}"


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims behind one point: the entity's, the rest's and the totals', over the point's window."""
    drawn: Drawn = reading.content
    figures, selection = drawn.figures, drawn.figures.selection
    length = GRAIN_MONTHS[selection.grain.value]
    end = point.period_start + length
    opening = point.period_start
    if selection.window is Window.YTD:
        opening = point.period_start - point.period_start % 12
    elif selection.window is not Window.NONE:
        opening = end - max({Window.THREE_MONTHS: 3, Window.TTM: 12}[selection.window], length)
    if selection.measure is Measure.GROWTH:
        opening -= 12
    makers = figures.nouns.members.get(point.maker, (point.maker,)) if selection.by is By.GROUP else (point.maker,)
    return queries.receipts(
        connection,
        markets=point.market.split("+"),
        basis=selection.basis.value,
        powertrain=selection.powertrain.value,
        makers=makers if point.maker != ALL else None,
        model=point.model if selection.by is By.MODEL else None,
        first=month_start(opening),
        last=month_start(end - 1),
        as_of=selection.as_of,
    )


MARKET_SHARE = Chart(
    slug="market-share",
    name="Market share",
    question="Who leads, and who gains?",
    defaults=Selection(),
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
)
