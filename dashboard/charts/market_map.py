"""`market-map`: where electric cars are sold, each country one equal tile at its rough place on earth.

On a map that is true to area most markets that matter are too small to be seen.

Every tile shows the newest period of its market: publishers differ in how often and how late they publish. A figure of
another period than that of most markets is marked with it, and has a dashed edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import market_notes, market_rows
from dashboard.charts.chart import Chart, Point, Reading, Table
from dashboard.charts.market_map_drawing import draw, places
from dashboard.charts.market_map_words import Map, Tile, notes, subtitle, title
from dashboard.charts.market_words import (
    value_text,
)
from dashboard.charts.penetration import unanswering
from dashboard.comparability import check_names
from dashboard.precedence import PUBLISHED_AS
from dashboard.sales_lines import MarketFigures, figures_asked_for, figures_if_any
from dashboard.selection import BasisChoice, By, Measure, NotPublished, PowertrainChoice, Refusal, Selection, Window
from dashboard.ways_on import way_on
from dashboard.windows import month_number, month_start
from db import Connection, queries
from db.queries import Nouns
from db.vocabulary import Grain

MEASURES = (Measure.SHARE, Measure.UNITS)

DEFAULTS = Selection(market=(), by=By.MARKET, window=Window.TTM)

RECENT = 27
"""Months that are looked at: the newest figure, which comes with a lag, and that of a year before."""

YEARS = 4
"""Calendar years that are looked at where figures are published by year, which takes publishers longer."""


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What the data say about the markets of a selection; about all of them where it names none.

    Raises `InvalidSelection` for unknown names, and `NotPublished` or `Incomparable` for what no market has or what the
    map does not show, each with the nearest selection that it does.
    """
    try:
        return _read(connection, selection, today=today)
    except Refusal as refused:
        candidates = (refused.nearest, *_plainer(selection))
        refused.nearest = way_on(partial(_read, connection, today=today), candidates, but=selection)
        raise


def _plainer(selection: Selection) -> Iterable[Selection]:
    """Selections that keep less and less of one."""
    shown = replace(selection, by=By.MARKET, models=(), basis=BasisChoice.REGISTRATION)
    yield replace(shown, makers=selection.makers[:1], measure=Measure.SHARE, of=None)
    yield replace(shown, makers=(), measure=Measure.SHARE, of=None)
    yield replace(shown, makers=(), measure=Measure.UNITS, of=None, since=None, until=None)
    yield replace(DEFAULTS, market=selection.market, as_of=selection.as_of)
    yield replace(DEFAULTS, as_of=selection.as_of)
    yield DEFAULTS


def _read(connection: Connection, selection: Selection, *, today: date) -> Reading:
    nouns = queries.nouns(connection, as_of=selection.as_of)
    check_names(replace(selection, models=()), nouns)
    _check(selection)
    shown = _map(connection, selection, nouns, today=today)
    parts = tuple({id(tile.figures): tile.figures for tile in shown.tiles}.values())
    return Reading(
        selection=selection,
        title=title(shown, nouns),
        subtitle=subtitle(shown, nouns),
        badge=market_notes.freshness(shown.typical.figures, today=today, markets=[tile.code for tile in shown.tiles]),
        citations=tuple(dict.fromkeys(cited for part in parts for cited in part.dataset.citations)),
        notes=notes(shown),
        content=shown,
    )


def _check(selection: Selection) -> None:
    """Raise `NotPublished` for a selection that a map has no tiles for."""
    if selection.measure not in MEASURES:
        raise NotPublished(
            f"this chart draws {', '.join(MEASURES)}, not {selection.measure}",
            nearest=replace(selection, measure=MEASURES[0]),
        )
    if len(selection.makers) > 1 or (selection.makers and selection.by is By.GROUP):
        raise NotPublished(
            "the map shows all makers together, or a single brand",
            nearest=replace(selection, by=By.MARKET, makers=selection.makers[:1]),
        )
    if selection.powertrain is PowertrainChoice.ALL and selection.measure is Measure.SHARE and not selection.makers:
        raise NotPublished(
            "all cars are all of all cars: choose BEV, PHEV or NEV to see where electric cars are sold",
            nearest=replace(selection, powertrain=PowertrainChoice.BEV),
        )


def _map(connection: Connection, selection: Selection, nouns: Nouns, *, today: date) -> Map:
    """Each market in the finest grain in which it is published, from the one asked for on."""
    drawn = places(narrow=False)
    codes = selection.market or tuple(sorted(code for code in nouns.markets if code in drawn))
    of = selection.of if selection.makers else PowertrainChoice.ALL
    asked = replace(
        selection,
        market=codes,
        by=By.MARKET,
        of=of if selection.measure is Measure.SHARE else None,
        models=(),
        since=None,
    )
    refusals = unanswering(connection, replace(asked, window=Window.NONE), nouns, measures=MEASURES)
    left = [code for code in codes if code not in refusals]
    tiles: list[Tile] = []
    end = selection.until or selection.as_of or today
    in_grains = [_in_grain(asked, left, grain, end=end) for grain in Grain if grain.months >= selection.grain.months]
    stated = queries.grains(
        connection, markets=left, basis=asked.basis.value, powertrains=PUBLISHED_AS[asked.powertrain]
    )
    for in_grain in in_grains:
        # A period is never filled by longer ones.
        fitting = tuple(code for code in left if any(of.months <= in_grain.grain.months for of in stated[code]))
        if not fitting:
            continue
        figures = figures_if_any(connection, replace(in_grain, market=fitting), measures=MEASURES)
        if figures is None:
            continue
        found = list(_tiles(figures, nouns))
        tiles += found
        left = [code for code in left if code not in {tile.code for tile in found}]
    if not tiles:
        if left:
            figures_asked_for(connection, in_grains[0], measures=MEASURES)
        if not refusals:
            raise NotPublished("no figures are loaded; run 'python -m etl load'")
        first = next(iter(refusals.values()))
        raise type(first)(str(first) if len(codes) == 1 else f"no market can be shown so: {first}")
    without = {code: str(refusal) for code, refusal in refusals.items()}
    without |= dict.fromkeys(left, "nothing recent for this selection")
    return Map(
        selection=selection,
        tiles=tuple(sorted(tiles, key=lambda tile: (-tile.value, tile.name))),
        without={code: without[code] for code in codes if code in without},
        names=nouns.markets,
    )


def _in_grain(asked: Selection, codes: Sequence[str], grain: Grain, *, end: date) -> Selection:
    """What is asked for of some markets in a grain: as many periods as hold the newest one and that a year before."""
    is_yearly = grain is Grain.YEAR
    since = date(end.year - YEARS, 1, 1) if is_yearly else month_start(month_number(end) - RECENT)
    window = Window.NONE if is_yearly and asked.window is Window.THREE_MONTHS else asked.window
    return replace(asked, market=tuple(codes), grain=grain, window=window, since=since)


def _tiles(figures: MarketFigures, nouns: Nouns) -> Iterable[Tile]:
    for line in figures.entities:
        finished = np.flatnonzero(~np.isnan(line.value) & ~figures.unfinished_of(line))
        if len(finished):
            yield Tile(
                code=line.market,
                name=nouns.markets[line.market],
                adjective=nouns.adjectives[line.market],
                is_region=line.market in nouns.regions,
                figures=figures,
                line=line,
                at=int(finished[-1]),
            )


# Rows, table, receipts


def rows(reading: Reading) -> pd.DataFrame:
    """The newest figure of each market, with `DOWNLOAD_COLUMNS`; grain and window say what its period is."""
    shown: Map = reading.content
    parts = {id(tile.figures): tile.figures for tile in shown.tiles}
    wanted = {(tile.code, month_start(tile.start).isoformat(), tile.line.maker) for tile in shown.tiles}
    frames = []
    for number, figures in parts.items():
        own = {tile.code for tile in shown.tiles if id(tile.figures) == number}
        frame = market_rows.rows(figures)
        keys = zip(frame["market"], frame["period_start"], frame["maker"], strict=True)
        frames.append(frame[[code in own and (code, start, maker) in wanted for code, start, maker in keys]])
    return pd.concat(frames).sort_values(["period_start", "market"], kind="stable", ignore_index=True)


def table(reading: Reading) -> Table:
    """All tiles, the largest value first."""
    shown: Map = reading.content
    measure = shown.selection.measure
    return Table(
        header=("Market", "Value", "Low", "High", "Change on a year before", "Period"),
        rows=tuple(
            (
                tile.name,
                tile.amount,
                value_text(float(tile.line.low[tile.at]), measure),
                value_text(float(tile.line.high[tile.at]), measure),
                tile.change or style.MISSING,
                tile.period,
            )
            for tile in shown.tiles
        ),
        caption="Each market's newest figure, the largest first; periods differ.",
    )


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims behind a tile, as `market_rows.receipts` gives them; `KeyError` for one without a figure."""
    shown: Map = reading.content
    tile = {tile.code: tile for tile in shown.tiles}[point.market]
    return market_rows.receipts(connection, tile.figures, replace(point, period_start=tile.start))


MARKET_MAP = Chart(
    slug="market-map",
    name="Market map",
    question="Where are electric cars selling?",
    defaults=DEFAULTS,
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
    ahead=("powertrain=NEV",),
)
