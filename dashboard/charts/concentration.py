"""`concentration`: whether few makers sell ever more of a market, as ranges that the publisher's unnamed rest leaves.

Two measures over time: the Herfindahl-Hirschman index of all makers' shares, and the share of the four largest. How the
ends of their ranges are found is told in `metrics.concentration`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import market_rows
from dashboard.charts.chart import CARS, Chart, Reading, Table, shortest
from dashboard.charts.market_drawing import (
    Places,
    band,
    hover_format,
    marks,
    plain,
    point_key,
    sizes,
    spread,
    symbols,
    with_gaps,
    x_range,
)
from dashboard.charts.market_notes import common_notes, freshness
from dashboard.charts.market_words import COUNTED, Drawn, cars_name, first_up, period_name, rest_share, subtitle
from dashboard.charts.whole_market import answered, as_asked, whole_market
from dashboard.lines import Line
from dashboard.metrics import concentration
from dashboard.sales_lines import MarketFigures
from dashboard.selection import By, Measure, Selection, Window
from dashboard.style import Figure, Look
from dashboard.windows import month_start
from db import Connection
from db.vocabulary import ALL

MODERATE, HIGH = 1000.0, 1800.0
"""HHI above which US agencies call a market moderately and highly concentrated: the upper one in US Department of
Justice and Federal Trade Commission, Merger Guidelines (2023), section 2.1, both on the Department's page on HHI."""

DRAWN = 7
"""Markets drawn at the most where lines are markets."""

STEP = 10.0
"""Points of HHI that are no change."""

TABLE_PERIODS = 13
"""Periods in the table under the chart: a year and the same period a year before."""


@dataclass(frozen=True)
class Market:
    """One market set's concentration over the periods: its HHI (0 to 10,000) and the four largest shares together.

    Both lines have their low end as value, NaN where no maker is named.
    """

    hhi: Line
    top4: Line

    @property
    def name(self) -> str:
        """The market's name, or those of a sum."""
        return self.hhi.name


@dataclass(frozen=True)
class Concentrated:
    """The markets of a selection, most concentrated at the end first; `shares` are the figures that they are of.

    `figures` has the HHI of each as a line.
    """

    shares: MarketFigures
    figures: MarketFigures
    markets: tuple[Market, ...]


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The concentration of a selection's markets; raises as `market_figures` does."""
    content = answered(lambda asked: _concentrated(connection, asked), selection)
    doubt = ""
    if any(_is_open(market) for market in content.markets):
        doubt = "Part of this market is published without names: concentration is a range."
    return Reading(
        selection=selection,
        title=title(content),
        subtitle=subtitle(content.figures),
        badge=freshness(content.shares, today=today, doubt=doubt),
        citations=content.shares.dataset.citations,
        notes=notes(content, asked=selection),
        content=content,
    )


def _concentrated(connection: Connection, selection: Selection) -> Concentrated:
    everybody = replace(selection, makers=(), models=())
    # Shares of the market itself: the firewall then refuses what adds up to no market.
    shares = whole_market(
        connection,
        everybody if selection.models and selection.by is By.MODEL else replace(everybody, models=selection.models),
        measure=Measure.SHARE,
        made_of_it=Measure.SHARE,
        each_market=True,
    )
    markets = [_market(shares, market) for market in dict.fromkeys(line.market for line in shares.lines)]
    asked = as_asked(shares, everybody, measure=Measure.HHI)
    markets.sort(key=lambda market: (-np.nan_to_num(market.hhi.value[-1], nan=-1.0), market.name))
    figures = replace(asked, lines=tuple(market.hhi for market in markets))
    return Concentrated(shares=shares, figures=figures, markets=tuple(markets))


def _market(shares: MarketFigures, market: str) -> Market:
    lines = [line for line in shares.lines if line.market == market]
    entities = [line for line in lines if not (line.is_rest or line.is_own_rest)]
    # What a publisher lumps together of one maker's models is unnamed too, where models are counted.
    rests = [np.nan_to_num(line.value) for line in lines if line.is_rest or line.is_own_rest]
    one = lines[0]
    of = concentration(
        low=np.column_stack([line.low for line in entities] or [np.full(len(shares.start), np.nan)]),
        high=np.column_stack([line.high for line in entities] or [np.full(len(shares.start), np.nan)]),
        hidden=np.sum(rests, axis=0) if rests else np.zeros(len(shares.start)),
    )
    name = " + ".join(shares.nouns.markets[code] for code in market.split("+"))
    named = ~np.isnan(of.hhi_low)
    whole = replace(one, maker=ALL, model=ALL, name=name, named=named, units=of.hhi_low)
    return Market(
        hhi=replace(whole, value=of.hhi_low, low=of.hhi_low, high=of.hhi_high),
        top4=replace(whole, value=of.top4_low, low=of.top4_low, high=of.top4_high),
    )


def hhi_text(points: float) -> str:
    """'1,012'."""
    return f"{points:,.0f}"


def _range_text(low: float, high: float) -> str:
    """'1,012', or '1,012–1,340' where that is not the same."""
    ends = hhi_text(low), hhi_text(high)
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def _is_open(market: Market, at: int = -1) -> bool:
    """Whether the range is wider than a reader would round away."""
    return bool(market.hhi.high[at] - market.hhi.low[at] > STEP)


def _says_nothing(market: Market, at: int = -1) -> bool:
    """Whether the range reaches from what is called unconcentrated to what is called highly concentrated."""
    return bool(market.hhi.low[at] < MODERATE and market.hhi.high[at] > HIGH)


# Words


def title(content: Concentrated) -> str:
    """The finding at the end of the range, in at most 90 characters.

    Rising or falling is only said where the range does not overlap the one a year before by which it would change.
    """
    figures, selection = content.figures, content.figures.selection
    when = period_name(figures, -1)
    if figures.unfinished[-1]:
        when += " (incomplete)"
    there = [market for market in content.markets if not np.isnan(market.hhi.value[-1])]
    cars = cars_name(figures)
    if selection.by is By.MARKET and len(content.markets) > 1:
        return _markets_title(there, selection, when=when)
    if not there:
        return shortest(f"{first_up(cars)}: no makers are named for {when}", first_up(cars))
    market = there[0]
    low, high = float(market.hhi.low[-1]), float(market.hhi.high[-1])
    of = {By.GROUP: " of groups", By.MODEL: " of models"}.get(selection.by, "")
    if _says_nothing(market):
        rest = rest_share(content.shares)
        why = f"{style.share_text(rest)} unnamed, too much to tell" if rest is not None else "too wide to tell"
        spread_text = f"HHI{of} between {hhi_text(low)} and {hhi_text(high)}"
        return shortest(
            f"{first_up(cars)}, {when.removeprefix('the ')}: {spread_text}; {why}",
            f"{first_up(cars)}: HHI{of} {hhi_text(low)} to {hhi_text(high)}, {when.removeprefix('the ')}; {why}",
            f"{when.removeprefix('the ')}: {spread_text}; {why}",
            f"{first_up(cars)}: {spread_text}; {why}",
            f"{first_up(cars)}: {why} how concentrated",
            f"{spread_text}: too wide to tell",
        )
    value, brief = f"HHI{of} {_range_text(low, high)}", when.removeprefix("the ")
    level, change = _level(low, high), _change(content, market)
    changed = (
        (
            f"{first_up(cars)} are {change} than a year before: {value} in {when}{level}",
            f"{first_up(cars)} are {change} than a year before: {value} in {when}",
            f"{first_up(cars)} {change} on the year: {value} in {when}",
            f"{first_up(cars)} {change} on the year: {value}, {brief}",
            f"{change.capitalize()} on the year: {value}, {brief}",
        )
        if change
        else ()
    )
    return shortest(
        *changed,
        f"{first_up(cars)}: {value} in {when}{level}",
        f"{first_up(cars)}: {value} in {when}",
        f"{value} in {when}",
    )


def _level(low: float, high: float) -> str:
    """', highly concentrated': what US agencies call it, where both ends of the range are called the same."""
    called = {_called(low), _called(high)}
    return f", {called.pop()}" if len(called) == 1 else ""


def _called(points: float) -> str:
    if points > HIGH:
        return "highly concentrated"
    return "moderately concentrated" if points >= MODERATE else "not concentrated"


def _change(content: Concentrated, market: Market) -> str:
    """'more concentrated', 'less concentrated': where the ranges a year apart are disjoint."""
    figures = content.figures
    before = np.flatnonzero(figures.start == figures.start[-1] - 12)
    if not len(before):
        return ""
    then = int(before[0])
    line = market.hhi
    if line.sources[then] != line.sources[-1] or figures.unfinished[[then, -1]].any() or _says_nothing(market, then):
        return ""
    if line.low[-1] - line.high[then] > STEP:
        return "more concentrated"
    return "less concentrated" if line.low[then] - line.high[-1] > STEP else ""


def _markets_title(there: Sequence[Market], selection: Selection, *, when: str) -> str:
    """The markets with their ranges, most concentrated first; no order where ranges overlap."""
    cars = f"{CARS[selection.powertrain]}{COUNTED[selection.basis]}"
    if not there:
        return f"No makers are named at the end of the range: {when}"
    parts = [f"{market.name} {_range_text(float(market.hhi.low[-1]), float(market.hhi.high[-1]))}" for market in there]
    about = f"HHI of {cars}, {when.removeprefix('the ')}: "
    return shortest(*(about + ", ".join(parts[:count]) for count in range(min(len(parts), 5), 0, -1)), parts[0])


def notes(content: Concentrated, *, asked: Selection) -> tuple[str, ...]:
    """What a reader has to know: how wide a range is and why, what the lines at two heights are, the figures' own."""
    figures, said = content.figures, []
    wide = [market for market in content.markets if _is_open(market)]
    if wide:
        market = max(wide, key=lambda market: market.hhi.high[-1] - market.hhi.low[-1])
        top4 = [style.share_text(float(end[-1])) for end in (market.top4.low, market.top4.high)]
        said.append(
            f"A range reaches from an unnamed rest that is split among very many to one that is all a single maker's. "
            f"{market.name}: HHI {hhi_text(float(market.hhi.low[-1]))} to {hhi_text(float(market.hhi.high[-1]))}, four "
            f"largest {top4[0]} to {top4[1]}."
        )
    said.append(
        "HHI: the sum of squared percentage shares, 10,000 for a single maker. Above 1,800 US agencies call a market "
        "highly concentrated (Merger Guidelines 2023), from 1,000 on moderately. These marks are for scale: one kind "
        "of car need not be a market in their sense."
    )
    if asked.makers or asked.models:
        said.append("Concentration is one of all makers, whichever are chosen.")
    missing = [
        figures.nouns.markets[code]
        for code in figures.selection.market
        if figures.selection.by is By.MARKET and code not in {market.hhi.market for market in content.markets}
    ]
    if missing:
        said.append(f"No makers are named in figures of {', '.join(missing)}.")
    if len(content.markets) > 2 and wide:
        said.append("Lines are the low ends of the ranges.")
    if len(content.markets) > DRAWN:
        said.append(f"Drawn are {DRAWN} of {len(content.markets)} markets; all are in the download.")
    return (*said, *common_notes(Drawn(figures=figures, lines=figures.lines)))


# The plot


def draw(reading: Reading, look: Look) -> Figure:
    """The HHI above, the share of the four largest below, on one time axis; what bounds leave open is hatched."""
    content: Concentrated = reading.content
    figures = content.figures
    at = with_gaps(figures)
    dates = [month_start(month).isoformat() for month, _ in at]
    ink = style.INK[look.theme]
    drawn = content.markets[:DRAWN]
    # Of more than two the bands would lie one over the other, and the labels say what they would.
    is_banded = len(drawn) <= 2
    traces: list[dict[str, Any]] = []
    tops = {"y": HIGH, "y2": 0.01}
    for market in drawn:
        colour = _colour(market, content, look)
        for axis, line in (("y", market.hhi), ("y2", market.top4)):
            if is_banded and (np.nan_to_num(line.high - line.low) > 0).any():
                traces += [each | {"yaxis": axis} for each in band(line, at, dates, colour)]
            traces.append(_line(line, axis, content, at, dates, colour))
            tops[axis] = max(tops[axis], float(np.nanmax(line.high if is_banded else line.value, initial=0.0)))
    tops = {"y": min(tops["y"] * 1.1, 10_000.0), "y2": min(tops["y2"] * 1.1, 1.0)}
    small = round(look.font_px * 0.92)
    layout = style.layout(
        look,
        xaxis={"type": "date", "hoverformat": hover_format(figures.selection), "anchor": "y2", **_range(figures)},
        yaxis={"domain": [0.5, 1], "range": [0, tops["y"]], "tickformat": ",", "nticks": 5},
    )
    layout["yaxis2"] = {
        **layout["yaxis"],
        "domain": [0, 0.36],
        "range": [0, tops["y2"] * 1.02],
        "tickformat": ".0%",
        "anchor": "x",
    }
    notes = [
        _panel_name("HHI", axis="y", look=look),
        _panel_name("Share of the four largest", axis="y2", look=look),
    ]
    shapes = []
    for level, name in ((MODERATE, "1,000: moderately concentrated"), (HIGH, "1,800: highly concentrated")):
        shapes.append(
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "yref": "y",
                "y0": level,
                "y1": level,
                "line": {"color": ink.axis, "width": 1, "dash": "dot"},
            }
        )
        notes.append(
            {
                "text": name,
                "showarrow": False,
                "font": {"size": round(look.font_px * 0.85), "color": ink.quiet},
                "xref": "paper",
                "x": 1,
                "xanchor": "right",
                "yref": "y",
                "y": level,
                "yanchor": "bottom",
                "borderpad": 0,
                "bgcolor": ink.background,
                "opacity": 0.8,
            }
        )
    ends = {axis: _ends(content, drawn, axis, look, top=tops[axis]) for axis in ("y", "y2")}
    layout["margin"] |= {"r": style.end_room([*ends["y"], *ends["y2"]], font_px=small), "t": round(look.font_px * 2)}
    height = look.height - layout["margin"]["t"] - layout["margin"]["b"]
    for axis, part in (("y", 0.5), ("y2", 0.36)):
        top = layout["yaxis" if axis == "y" else "yaxis2"]["range"][1]
        placed = style.line_end_labels(ends[axis], height_px=height * part, font_px=small, value_range=(0, top))
        notes += style.end_annotations(placed, font_px=small, yref=axis)
    return {"data": traces, "layout": layout | {"annotations": notes, "shapes": shapes}}


def _range(figures: MarketFigures) -> dict[str, Any]:
    """The periods' range; around a single one there is room for its point."""
    if len(figures.start) > 1:
        return x_range(figures)
    only = int(figures.start[0])
    return {
        "range": [month_start(only - 1).isoformat(), month_start(only + 1).isoformat()],
        "tickvals": [month_start(only).isoformat()],
        "ticktext": [style.period_text(month_start(only), figures.selection.grain.value)],
    }


def _colour(market: Market, content: Concentrated, look: Look) -> str:
    """A market's own colour; ink for the only one."""
    if len(content.markets) == 1:
        return style.INK[look.theme].text
    return style.colour(market.hhi.market, look.theme, highlight=True)


def _line(
    line: Line, axis: str, content: Concentrated, at: Places, dates: Sequence[str], colour: str
) -> dict[str, Any]:
    figures = content.figures
    heights = spread(line.value, at)
    several, is_alone = len(content.markets) > 1, len(figures.start) == 1
    # A band around a single point has no width: there the range is a bar.
    reach = {"type": "data", "array": plain(line.high - line.value), "arrayminus": [0.0], "thickness": 1.5, "width": 6}
    return {
        "type": "scatter",
        "name": style.escape(line.name if several else "HHI" if axis == "y" else "Four largest"),
        "x": list(dates),
        "y": heights,
        "yaxis": axis,
        "line": {"color": colour, "width": 2, "dash": style.dash(line.market) if several else "solid"},
        **marks(9 if is_alone else sizes(heights, at, figures.unfinished), symbols("circle", at, figures.unfinished)),
        **({"error_y": reach} if is_alone else {}),
        "customdata": [[] if n is None else point_key(line, figures, n) for _, n in at],
        "text": ["" if n is None else _hover(line, n, axis) for _, n in at],
        "hovertemplate": "%{text}",
        "connectgaps": False,
        "cliponaxis": False,
    }


def _hover(line: Line, at: int, axis: str) -> str:
    low, high = float(line.low[at]), float(line.high[at])
    if np.isnan(low):
        return ""
    if axis == "y":
        return _range_text(low, high)
    ends = [style.share_text(end) for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def _panel_name(text: str, *, axis: str, look: Look) -> dict[str, Any]:
    """The name of a panel, above its upper left corner."""
    return {
        "text": text,
        "showarrow": False,
        "font": {"size": look.font_px, "color": style.INK[look.theme].text, "weight": 600},
        "xref": "paper",
        "x": 0,
        "xanchor": "left",
        "yref": "paper",
        "y": 1 if axis == "y" else 0.36,
        "yanchor": "bottom",
        "yshift": round(look.font_px * 0.3),
        "borderpad": 0,
    }


def _ends(content: Concentrated, drawn: Sequence[Market], axis: str, look: Look, *, top: float) -> list[style.LineEnd]:
    """A label for each line with its last range; with its period if that is an earlier one."""
    figures, ends = content.figures, []
    for market in drawn:
        line = market.hhi if axis == "y" else market.top4
        there = np.flatnonzero(~np.isnan(line.value))
        if not len(there):
            continue
        last = int(there[-1])
        text = _hover(line, last, axis)
        if len(content.markets) > 1:
            text = f"{line.name} {text}"
        elif look.width is None and look.font_px < style.SCREEN.font_px:
            # On a narrow screen the labels of both panels stand together above them.
            text = f"{'HHI' if axis == 'y' else 'Four largest'} {text}"
        if last != len(figures.start) - 1:
            when = style.period_text(month_start(int(figures.start[last])), figures.selection.grain.value)
            text += f" ({when})"
        middle = float(line.low[last] + line.high[last]) / 2 if len(drawn) <= 2 else float(line.low[last])
        ends.append(style.LineEnd(text=text, value=min(middle, top), colour=_colour(market, content, look)))
    return ends


# The download and the table


def rows(reading: Reading) -> pd.DataFrame:
    """HHI and share of the four largest of each market set, one row a period and measure, with `DOWNLOAD_COLUMNS`."""
    content: Concentrated = reading.content
    hhi = market_rows.rows(content.figures).assign(measure="hhi", unit="points")
    top4 = market_rows.rows(replace(content.figures, lines=tuple(market.top4 for market in content.markets)))
    top4 = top4.assign(measure="top4_share", unit="fraction")
    both = pd.concat([hhi, top4]).sort_values(["period_start", "measure", "market"], kind="stable")
    return both.assign(of=both["powertrain"]).reset_index(drop=True)


def table(reading: Reading) -> Table:
    """The newest periods of each market: its HHI and the share of the four largest."""
    content: Concentrated = reading.content
    figures, several = content.figures, len(content.markets) > 1
    body = []
    for at in range(len(figures.start) - 1, max(len(figures.start) - 1 - TABLE_PERIODS, -1), -1):
        period = style.period_text(month_start(int(figures.start[at])), figures.selection.grain.value)
        cells = (
            _hover(line, at, axis) or style.MISSING
            for market in content.markets[:DRAWN]
            for axis, line in (("y", market.hhi), ("y2", market.top4))
        )
        body.append((period, *cells))
    named = (f"{market.name}: " if several else "" for market in content.markets[:DRAWN])
    return Table(
        header=("Period", *(f"{name}{what}" for name in named for what in ("HHI", "four largest"))),
        rows=tuple(body),
        caption="The newest periods; a range is what the unnamed rest leaves open. All periods are in the download.",
    )


CONCENTRATION = Chart(
    slug="concentration",
    name="Concentration",
    question="Is the market concentrating?",
    defaults=Selection(measure=Measure.HHI, window=Window.TTM),
    measures=(Measure.HHI,),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=market_rows.receipts_of,
)
