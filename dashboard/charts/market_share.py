"""`market-share`: who leads a market, and between which bounds.

Lines over time, bars for a single period. A maker whose figure the publisher's unnamed rest could raise is drawn at its
low end; the band up to its high end is hatched where it is narrow enough to say something, and always for a maker that
the reader named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard import style
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Badge, Chart, Point, Reading, Table
from dashboard.comparability import is_within_market
from dashboard.metrics import GRAIN_MONTHS, Floats
from dashboard.sales_lines import (
    Line,
    MarketFigures,
    maker_name,
    market_figures,
    month_number,
    month_start,
    months_behind,
)
from dashboard.selection import By, Measure, PowertrainChoice, Selection, Window
from dashboard.style import Figure, Look
from db import Connection, queries
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
    current = [line for line in lines if not np.isnan(line.value[-1]) and line.named[-1] and not line.is_own_rest]
    return tuple((current or lines)[:DRAWN])


def _folded(drawn: Drawn) -> list[Line]:
    """The named entities at the end of the range that are not drawn."""
    drawn_keys = {(line.maker, line.model) for line in drawn.lines}
    return [
        line
        for line in drawn.figures.entities
        if (line.maker, line.model) not in drawn_keys and line.named[-1] and not np.isnan(line.value[-1])
    ]


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
    ranked = _ranked(drawn)
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
    has = f"{first.name} has {amount}" if selection.measure is Measure.SHARE else f"{first.name}: {amount}"
    what = (of or f" of {cars}") if selection.measure is Measure.SHARE else f" {cars}"
    rest = _rest_share(figures)
    if whole and rest is not None and rest >= 0.05:
        return _shortest(
            f"{has}{what} in {when}; {style.share_text(rest)} of the market is unnamed",
            f"{has}{what} in {when}; {style.share_text(rest)} unnamed",
            f"{has}{what} in {when}",
            f"{has} in {when}",
        )
    if len(ranked) == 1:
        most = _text(float(first.high[-1]), selection.measure)
        limit = f", at most {most}" if amount.startswith("at least") else ""
        return _shortest(f"{has}{limit}{what} in {when}{change}", f"{has}{limit}{what} in {when}", f"{has} in {when}")
    both = f"{first.name} {amount} and {ranked[1].name} {_amount(ranked[1], -1, selection)}"
    if rest is not None and rest >= 0.05 and "at least" in both:
        # The rest is so large that the two figures say little about who is ahead: the title has to say so.
        brief = both.replace("at least ", "≥")
        return _shortest(
            f"{both}{what} in {when}; {style.share_text(rest)} unnamed",
            f"{brief}{what} in {when}; {style.share_text(rest)} unnamed",
            f"{brief} in {when}; {style.share_text(rest)} unnamed",
            f"{both} in {when}",
        )
    return _shortest(f"{both}{what} in {when}", f"{both} in {when}", f"{has} in {when}")


def _ranked(drawn: Drawn) -> list[Line]:
    """The drawn lines that have a figure at the end of the range, largest first; makers' own rests are no finding."""
    lines = [line for line in drawn.lines if not np.isnan(line.value[-1])]
    lines = [line for line in lines if not line.is_own_rest] or lines
    return sorted(lines, key=lambda line: -float(line.value[-1]))


def _leads(first: Line, figures: MarketFigures) -> bool:
    """Whether nobody else can be ahead: no named entity at its high end, and no single one hidden in the rest."""
    others = [line for line in figures.lines if line is not first]
    return all(np.isnan(line.high[-1]) or first.low[-1] > line.high[-1] for line in others)


def _growth_title(ranked: Sequence[Line], *, when: str, cars: str) -> str:
    """The strongest and the weakest change among those whose sign the bounds leave certain."""
    when = when.removeprefix("the ")
    certain = [line for line in ranked if line.low[-1] > 0 or line.high[-1] < 0 or not _is_open(line, Measure.GROWTH)]
    if not certain:
        only = ranked[0]
        low, high = (style.growth_text(float(end[-1])) for end in (only.low, only.high))
        return _shortest(
            f"{cars}{when}: {only.name} between {low} and {high} on a year before"
            if len(ranked) == 1
            else f"{cars}{when}: unnamed cars leave open who grew on a year before",
            f"{when}: unnamed cars leave open who grew",
        )
    first, last = certain[0], certain[-1]
    best, worst = (f"{line.name} {_grown(line)}" for line in (first, last))
    return _shortest(
        *([f"{cars}{when}: {best} on a year before, {worst}"] if first is not last else []),
        f"{cars}{when}: {best} on a year before",
        f"{when}: {best} on a year before",
        f"{when}: {best}",
    )


def _grown(line: Line) -> str:
    """A change whose sign is certain: '+12.3 %', or the end of it that is."""
    if not _is_open(line, Measure.GROWTH):
        return style.growth_text(float(line.value[-1]))
    way, least = ("up", float(line.low[-1])) if line.low[-1] > 0 else ("down", -float(line.high[-1]))
    return f"{way} at least {style.growth_text(least).removeprefix('+')}"


def _market_title(ranked: Sequence[Line], figures: MarketFigures, *, when: str) -> str:
    selection = figures.selection
    entities = [line for line in ranked if not line.is_rest]
    if not entities:
        return f"Nothing of what was asked for is published for {when}"
    who = ""
    if len(selection.makers) == 1:
        who = f"{maker_name(selection.makers[0], selection, figures.nouns)}: "
    elif not selection.makers:
        cars = _CARS[selection.powertrain]
        is_of_sum = selection.measure is Measure.SHARE and not is_within_market(selection)
        who = f"Of {len(selection.market)} markets' {cars}: " if is_of_sum else f"{cars}: "
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
    """A value with its bound: '9.2 %', 'at least 12.1 %', 'at most 5.6 %'."""
    return _marked(line, at, selection).replace("≥", "at least ").replace("≤", "at most ")


def _marked(line: Line, at: int, selection: Selection) -> str:
    """A value with its bound: '9.2 %', '≥12.1 %', '≤5.6 %' for one that is not named and could be anything up to that.

    A difference that the rounding hides is not marked.
    """
    value, high = float(line.value[at]), float(line.high[at])
    plain = _text(value, selection.measure)
    if selection.measure is Measure.GROWTH or _text(high, selection.measure) == plain:
        return plain
    if not line.named[at]:
        return f"≤{_text(high, selection.measure)}"
    return f"≥{plain}" if _is_open(line, selection.measure, at) else plain


def _is_open(line: Line, measure: Measure, at: int = -1) -> bool:
    """Whether the unnamed rest leaves the value open by more than a reader would round away."""
    spare, high = float(line.high[at] - line.low[at]), float(line.high[at])
    if measure is Measure.UNITS:
        return spare > 0.02 * max(high, 1e-9)
    return spare > (0.01 if measure is Measure.GROWTH else 0.001)


def _text(value: float, measure: Measure) -> str:
    if measure is Measure.SHARE:
        return style.share_text(value)
    return style.growth_text(value) if measure is Measure.GROWTH else style.units_text(value)


def _year_change(line: Line, figures: MarketFigures) -> str:
    """', +1.2 pp on a year before' where the bounds leave its sign certain and its size to a rounding."""
    before = np.flatnonzero(figures.start == figures.start[-1] - 12)
    if not len(before) or figures.selection.measure is not Measure.SHARE:
        return ""
    then = int(before[0])
    change = float(line.value[-1] - line.value[then])
    least, most = float(line.low[-1] - line.high[then]), float(line.high[-1] - line.low[then])
    if np.isnan(change) or not (least > 0 or most < 0) or most - least > 0.001:
        return ""
    return f", {style.pp_text(change)} on a year before"


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
        return f"Jan to {month}" if last_month.month < 12 else str(last_month.year)
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
        of = "the markets' sum" if selection.by is By.MARKET and not is_within_market(selection) else whole
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
    parts = [f"data to {end}", f"as known {known.day} {style.period_text(known, 'month')}"]
    rest = _rest_share(figures)
    if rest is not None:
        parts.append(f"{style.share_text(1 - rest)} named")
    if not _open_lines(drawn):
        return Badge(text=" · ".join(parts))
    marks = "≥ marks a lower bound, ≤ what is not named and could be anything up to there"
    if figures.selection.measure is Measure.GROWTH:
        marks = "changes of what it may hide are uncertain"
    return Badge(text=" · ".join(parts), amber=True, reason=f"Part of this market is published without names: {marks}.")


def _open_lines(drawn: Drawn) -> list[Line]:
    """The drawn lines whose last value the unnamed rest leaves open."""
    measure = drawn.figures.selection.measure
    with_figure = [line for line in drawn.lines if not np.isnan(line.value[-1])]
    return [line for line in with_figure if _is_open(line, measure)]


def _notes(drawn: Drawn) -> tuple[str, ...]:
    figures, selection = drawn.figures, drawn.figures.selection
    notes = []
    loose = _open_lines(drawn)
    if loose:
        widest = max(loose, key=lambda line: line.high[-1] - line.low[-1])
        low, high = (_text(float(end[-1]), selection.measure) for end in (widest.low, widest.high))
        what = "≥ marks a lower bound: the" if selection.measure is not Measure.GROWTH else "The"
        subject = "The change of " if selection.measure is Measure.GROWTH else ""
        notes.append(
            f"{what} publisher's unnamed rest could hide more. {subject}{widest.name} lies between {low} and {high}."
        )
    notes += _fold_notes(drawn)
    notes += _reach_notes(figures)
    if selection.powertrain is PowertrainChoice.BEV:
        notes.append("Plug-in hybrids are not in these figures.")
    notes += [f"Publisher's remark on some periods: {remark}" for remark in figures.remarks[:2]]
    return tuple(notes)


def _fold_notes(drawn: Drawn) -> list[str]:
    selection = drawn.figures.selection
    folded = _folded(drawn)
    if selection.measure is Measure.GROWTH:
        return [f"Not drawn: {len(folded)} others; all are in the download."] if folded else []
    own_rests = [line for line in folded if line.is_own_rest]
    smaller = [line for line in folded if not line.is_own_rest]
    notes = []
    if smaller:
        together = _text(_together(smaller), selection.measure)
        notes.append(f"Not drawn: {_smaller(len(smaller), selection)}, together {together}; all are in the download.")
    if own_rests:
        notes.append(
            f"Not drawn: named makers' unnamed models, together {_text(_together(own_rests), selection.measure)}."
        )
    return notes


def _together(lines: Sequence[Line]) -> float:
    return float(sum(line.value[-1] for line in lines))


def _smaller(count: int, selection: Selection) -> str:
    kind = {By.MODEL: "model", By.GROUP: "group"}.get(selection.by, "maker")
    return f"{count} smaller {kind}{'s' if count > 1 else ''}"


def _reach_notes(figures: MarketFigures) -> list[str]:
    """Where a market's figures end before the chart does, or end the chart: the figures end there, not the market."""
    selection, notes = figures.selection, []
    names, reach = figures.nouns.markets, figures.reach
    length = GRAIN_MONTHS[selection.grain.value]
    end = int(figures.start[-1]) + length
    asked_to = month_number(selection.until) + 1 if selection.until else max(to.published_to for to in reach.values())
    totals_only = []
    if selection.by is not By.MARKET or selection.makers:
        totals_only = [
            code for code, to in reach.items() if to.named_to <= end and to.named_to < min(to.published_to, asked_to)
        ]
    for code in totals_only:
        when = f"After {_last_month(reach[code].named_to)} only" if reach[code].named_to else "Only"
        notes.append(f"{when} totals are published for {names[code]}: no makers.")
    if selection.by is By.MARKET:
        drawn = {line.market for line in figures.lines if not np.isnan(line.value[-1])}
        ended = [code for code in selection.market if code not in drawn and code not in totals_only]
    else:
        # The next period was asked for, and is there for other markets of the sum.
        furthest = min(asked_to, max(to.published_to for to in reach.values()))
        ended = [code for code, to in reach.items() if to.published_to < end + length <= furthest]
    for code in ended:
        to = reach[code].published_to
        notes.append(
            f"Figures of {names[code]} end with {_last_month(to)}." if to else f"No figures of {names[code]} are known."
        )
    return notes


def _last_month(end: int) -> str:
    return style.period_text(month_start(end - 1), "month")


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
    traces: list[dict[str, Any]] = []
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
                "y": _plain(_visible(line)),
                "line": {
                    "color": colour,
                    "width": 2.5 if _stands_out(line) else 2,
                    "dash": style.dash(_colour_key(line, selection)),
                },
                "marker": {"size": 5, "symbol": style.symbol(_colour_key(line, selection))},
                "customdata": [_point(line, figures, n) for n in range(len(dates))],
                "text": [_hover(line, n, selection) for n in range(len(dates))],
                "hovertemplate": "%{text}",
                "connectgaps": False,
            }
        )
    low, high = _axis_range(drawn, traces)
    ends = _line_ends(drawn, look, within=(low, high))
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


def _visible(line: Line) -> Floats:
    """What is drawn of a line: where the entity is not named there is a gap, never a zero."""
    return np.where(line.named, line.value, np.nan)


def _line_ends(drawn: Drawn, look: Look, *, within: tuple[float, float]) -> list[style.LineEnd]:
    """A label for each line: its newest value, at the height where the line ends; an older one with its period."""
    figures, selection = drawn.figures, drawn.figures.selection
    named = bool(selection.makers or selection.models)
    ends = []
    for line in drawn.lines:
        visible = np.flatnonzero(~np.isnan(_visible(line)))
        if not np.isnan(line.value[-1]):
            text = f"{line.name} {_marked(line, -1, selection)}"
            height = line.value[visible[-1]] if len(visible) else line.high[-1]
        elif len(visible):
            when = style.period_text(month_start(int(figures.start[visible[-1]])), selection.grain.value)
            text = f"{line.name} {_marked(line, visible[-1], selection)} ({when})"
            height = line.value[visible[-1]]
        else:
            continue
        colour = style.colour(_colour_key(line, selection), look.theme, highlight=named)
        ends.append(
            style.LineEnd(
                text=text,
                value=float(np.clip(height, *within)),
                colour=colour if colour != style.colour(OTHER, look.theme) else style.INK[look.theme].quiet,
            )
        )
    return ends


@dataclass(frozen=True)
class _Bar:
    """One bar: `value` is solid (NaN draws nothing), hatched from there to `high`; `point` names what was clicked."""

    name: str
    value: float
    high: float
    text: str
    hover: str
    colour: str
    point: list[Any]


def _plain_bar(name: str, value: float, selection: Selection, colour: str) -> _Bar:
    text = _text(value, selection.measure)
    return _Bar(name=name, value=value, high=value, text=text, hover=f"{name}: {text}", colour=colour, point=[])


def _point(line: Line, figures: MarketFigures, at: int) -> list[Any]:
    """What `Point` is made of, as a click hands it over."""
    return [line.market, line.maker, line.model, int(figures.start[at])]


def _bars(drawn: Drawn, look: Look) -> Figure:
    selection = drawn.figures.selection
    rest = [line for line in drawn.figures.lines if line.is_rest and not np.isnan(line.value[0])]
    shown = [line for line in drawn.lines if not np.isnan(line.value[0])]
    bars = [
        _Bar(
            name=line.name,
            value=float(_visible(line)[0]),
            high=float(line.high[0]) if selection.measure is not Measure.GROWTH else float(line.value[0]),
            text=_marked(line, 0, selection),
            hover=_hover(line, 0, selection),
            colour=style.colour(_colour_key(line, selection), look.theme),
            point=_point(line, drawn.figures, 0),
        )
        for line in shown
    ]
    if selection.measure is not Measure.GROWTH and not (selection.makers or selection.models):
        folded = _folded(drawn)
        smaller = [line for line in folded if not line.is_own_rest]
        own_rests = [line for line in folded if line.is_own_rest]
        for name, lines in ((_smaller(len(smaller), selection), smaller), ("makers' unnamed models", own_rests)):
            if lines:
                bars.append(_plain_bar(name, _together(lines), selection, style.INK[look.theme].axis))
        for line in rest:
            bar = _plain_bar(line.name, float(line.value[0]), selection, style.colour(OTHER, look.theme))
            bars.append(replace(bar, point=_point(line, drawn.figures, 0)))
    shared = {
        "type": "bar",
        "orientation": "h",
        "y": [style.escape(bar.name) for bar in bars],
        "customdata": [bar.point for bar in bars],
        "hovertext": [style.escape(bar.hover) for bar in bars],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }
    ends, colours = [bar.high for bar in bars], [bar.colour for bar in bars]
    # The hatched bar reaches to the high end, the solid one before it to the low end.
    traces: list[dict[str, Any]] = [
        shared
        | {
            "x": ends,
            "marker": {
                "color": "rgba(0,0,0,0)",
                "pattern": {"shape": "/", "fgcolor": colours, "fgopacity": 0.55, "size": 9, "solidity": 0.16},
            },
            "text": [bar.text for bar in bars],
            "textposition": "outside",
            "cliponaxis": False,
        },
        shared | {"x": _plain(np.array([bar.value for bar in bars])), "marker": {"color": colours}},
    ]
    top = max(ends, default=0.0)
    bottom = min([0.0, *ends])
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
    # Most values are exact, and a text is formed for every point of the chart.
    if selection.measure is Measure.GROWTH or high == value or (most := _text(high, selection.measure)) == text:
        return text
    return f"{text} to {most}"


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
    lines = sorted(figures.lines, key=lambda line: (line.market, line.maker, line.model))
    there = [np.flatnonzero(~np.isnan(line.value)) for line in lines]
    counts = [len(periods) for periods in there]
    period = np.concatenate(there)
    # Lines are in order, and so are the periods of each: a stable sort by period leaves the lines in order in each.
    order = np.argsort(period, kind="stable")
    starts = np.array([month_start(int(month)).isoformat() for month in figures.start], dtype=object)

    def of_line(words: Sequence[str]) -> Any:
        return np.repeat(np.array(words, dtype=object), counts)[order]

    def of_point(arrays: Sequence[NDArray[Any]]) -> Any:
        return np.concatenate([array[periods] for array, periods in zip(arrays, there, strict=True)])[order]

    known = of_point([line.known for line in lines])
    days = {day: (date(1970, 1, 1) + timedelta(days=day)).isoformat() for day in np.unique(known).tolist()}
    return pd.DataFrame(
        {
            "period_start": starts[period[order]],
            "grain": selection.grain.value,
            "window": selection.window.value,
            "market": of_line([line.market for line in lines]),
            "basis": selection.basis.value,
            "powertrain": selection.powertrain.value,
            "of": selection.denominator.value,
            "maker": of_line([line.maker for line in lines]),
            "model": of_line([line.model for line in lines]),
            "maker_name": of_line([_maker_name(line, figures) for line in lines]),
            "model_name": of_line([_model_name(line, figures) for line in lines]),
            "measure": selection.measure.value,
            "value": of_point([line.value for line in lines]),
            "low": of_point([line.low for line in lines]),
            "high": of_point([line.high for line in lines]),
            "unit": "cars" if selection.measure is Measure.UNITS else "fraction",
            "flags": of_point([_flags(line, selection) for line in lines]),
            "source": ";".join(cited.slug for cited in figures.dataset.citations),
            "known_from": [days[day] for day in known.tolist()],
        },
        columns=list(DOWNLOAD_COLUMNS),
    )


def _maker_name(line: Line, figures: MarketFigures) -> str:
    if line.is_rest:
        return "Other"
    return "All makers" if line.maker == ALL else maker_name(line.maker, figures.selection, figures.nouns)


def _model_name(line: Line, figures: MarketFigures) -> str:
    if line.model == ALL:
        return "All models"
    return "Other models" if line.model == OTHER else figures.nouns.models[line.model]


def _flags(line: Line, selection: Selection) -> NDArray[Any]:
    if line.is_rest:
        return np.full(len(line.value), "upper_bound", dtype=object)
    word = "bounded" if selection.measure is Measure.GROWTH else "lower_bound"
    return np.where(line.high > line.low, np.array(word, dtype=object), "")


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
    if line.is_rest or _text(low, selection.measure) == _text(high, selection.measure):
        return _text(value, selection.measure)
    if not line.named[at]:
        return _marked(line, at, selection)
    return f"{_text(low, selection.measure)} to {_text(high, selection.measure)}"


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims that add up to one point's cars: the numerator of a share, both windows of a growth."""
    drawn: Drawn = reading.content
    figures, selection = drawn.figures, drawn.figures.selection
    spans = months_behind(selection, point.period_start)
    makers = figures.nouns.members.get(point.maker, (point.maker,)) if selection.by is By.GROUP else (point.maker,)
    claims = queries.receipts(
        connection,
        markets=point.market.split("+"),
        basis=selection.basis.value,
        powertrain=selection.powertrain.value,
        makers=makers if point.maker != ALL else None,
        # The market's rest is stored as a maker without models.
        model=point.model if selection.by is By.MODEL and point.maker != OTHER else None,
        first=month_start(spans[0].start),
        last=month_start(spans[-1].stop - 1),
        as_of=selection.as_of,
    )
    months = [month_number(date.fromisoformat(day)) for day in claims["period_start"]]
    return claims[[any(month in span for span in spans) for month in months]].reset_index(drop=True)


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
