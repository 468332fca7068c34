"""`market-map`: where electric cars are sold, each country one equal tile at its rough place on earth.

On a map that is true to area most markets that matter are too small to be seen. The layout is the table `BLOCKS`.

Every tile shows the newest period of its market: publishers differ in how often and how late they publish. A figure of
another period than that of most markets is marked with it, and has a dashed edge.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import market_notes, market_rows
from dashboard.charts.chart import CARS, Chart, Point, Reading, Table, shortest
from dashboard.charts.market_words import (
    COUNTED,
    FIGURES,
    KIND,
    amount_text,
    change_on_year,
    first_up,
    marked_text,
    period_name,
    value_text,
)
from dashboard.charts.penetration import unanswering
from dashboard.comparability import check_names
from dashboard.lines import Line, maker_name
from dashboard.precedence import PUBLISHED_AS
from dashboard.sales_lines import MarketFigures, figures_asked_for, figures_if_any
from dashboard.selection import BasisChoice, By, Measure, NotPublished, PowertrainChoice, Refusal, Selection, Window
from dashboard.style import Figure, Look, Theme
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

_LISTED = 6
"""Markets that a note names before it counts the rest."""


# Where the tiles are

Place = tuple[float, float]
"""Columns from the left and rows from the top."""


@dataclass(frozen=True)
class Block:
    """Tiles that stay together: `rows` are lines of codes, a dot is an empty place.

    `wide` and `narrow` are where its upper left corner is on a wide and on a narrow screen.
    """

    name: str
    wide: Place
    narrow: Place
    rows: tuple[str, ...]


BLOCKS = (
    Block(
        name="Europe",
        wide=(3.4, 0),
        narrow=(0, 0),
        rows=(
            "IS  .  .  NO SE FI EE .",
            "IE  GB .  DK .  .  LV RU",
            ".   .  NL DE PL .  LT .",
            ".   BE LU CZ SK .  .  .",
            ".   FR CH AT HU RO .  .",
            "PT  ES IT SI HR BG .  .",
            ".   .  .  .  .  GR TR CY",
        ),
    ),
    Block(
        name="Americas",
        wide=(0, 0),
        narrow=(0, 7.6),
        rows=(".  CA .", ".  US .", "MX .  .", ".  CR .", ".  CO BR", "CL AR UY"),
    ),
    Block(
        name="Asia, Oceania",
        wide=(11.8, 0),
        narrow=(3, 7.6),
        rows=("UZ .  CN KR JP", "IN .  .  TW .", ".  TH VN .  .", ".  MY SG ID .", ".  .  .  AU NZ"),
    ),
    Block(name="Middle East, Africa", wide=(7.4, 7.6), narrow=(0, 14.2), rows=("IL JO SA AE", ".  ZA .  SC")),
    Block(name="Regions", wide=(0, 7.6), narrow=(4.7, 14.2), rows=("WORLD EUROPE EU",)),
)
"""Every country of the reference, and the regions that are places. Figures from outside the home market are in none."""

_SIZE: Mapping[bool, Place] = {False: (16.8, 9.6), True: (8, 16.2)}
"""Columns and rows of all blocks on a wide and on a narrow screen."""

_LEGEND: Mapping[bool, Place] = {False: (12.3, 7.6), True: (0, 16.5)}
"""Where the legend begins."""


def places(*, narrow: bool) -> dict[str, Place]:
    """The upper left corner of each market's tile."""
    found = {}
    for block in BLOCKS:
        left, top = block.narrow if narrow else block.wide
        for down, row in enumerate(block.rows):
            for across, code in enumerate(row.split()):
                if code != ".":
                    found[code] = (left + across, top + down)
    return found


# Shades

SHADES: dict[Theme, tuple[tuple[str, str], ...]] = {
    "light": (
        ("#E8EBF4", "#1A2027"),
        ("#BBCAE4", "#1A2027"),
        ("#8EACDB", "#1A2027"),
        ("#5C90DB", "#1A2027"),
        ("#3674C9", "#FFFFFF"),
        ("#1D59A7", "#FFFFFF"),
        ("#103F7B", "#FFFFFF"),
    ),
    "dark": (
        ("#0A366C", "#FFFFFF"),
        ("#195096", "#FFFFFF"),
        ("#276AC2", "#FFFFFF"),
        ("#4D86D6", "#12161B"),
        ("#7DA2DA", "#12161B"),
        ("#ABBFE0", "#12161B"),
        ("#D8DFED", "#12161B"),
    ),
}
"""Fill and text of each step from little to much: one hue in equal steps of lightness (CAM02-UCS, Luo et al. 2006)."""

_SHARES = (
    (0.02, 0.05, 0.10, 0.20, 0.40, 0.70),
    (0.005, 0.01, 0.02, 0.04, 0.08, 0.16),
    (0.001, 0.002, 0.004, 0.008, 0.016, 0.032),
)
"""Where steps of shares begin, the widest scale first; the narrowest one that tells the largest apart is taken."""

_CARS = (1_000, 5_000, 20_000, 100_000, 500_000, 2_000_000)


def scale(largest: float, measure: Measure) -> tuple[float, ...]:
    """The values at which the second and each further step of the shades begin, for values up to the largest."""
    if measure is Measure.UNITS:
        return _CARS
    return next((steps for steps in reversed(_SHARES) if largest < 2 * steps[-1]), _SHARES[0])


# What is on them


@dataclass(frozen=True)
class Tile:
    """A market with its newest figure: the period at place `at` of a line of some figures."""

    code: str
    name: str
    adjective: str
    is_region: bool
    figures: MarketFigures
    line: Line
    at: int

    @property
    def start(self) -> int:
        """The first month of the period that labels the figure."""
        return int(self.figures.start[self.at])

    @property
    def last(self) -> int:
        """The last month that is in the figure."""
        return self.start + self.figures.selection.grain.months - 1

    @cached_property
    def value(self) -> float:
        return float(self.line.value[self.at])

    @property
    def is_named(self) -> bool:
        """Whether the publisher names the maker; always of all makers together."""
        return bool(self.line.named[self.at])

    @cached_property
    def period(self) -> str:
        """'12 months to Apr 2026', '2024', 'Q1 2026'."""
        if self.figures.selection.grain is Grain.YEAR:
            return str(month_start(self.start).year)
        return period_name(self.figures, self.at).removeprefix("the ")

    @cached_property
    def amount(self) -> str:
        """The value with its bound."""
        return marked_text(self.line, self.at, self.figures.selection)

    @cached_property
    def change(self) -> str:
        """By how much it changed on the year: '+1.2 pp' of a share, '+12.3 %' of cars; nothing where that is open."""
        change = change_on_year(self.line, self.figures, self.at)
        if change is None:
            return ""
        if self.figures.selection.measure is Measure.UNITS:
            before = self.value - change.value
            return style.growth_text(change.value / before) if before > 0 and change.least == change.most else ""
        return style.pp_text(change.value) if change.most - change.least <= 0.001 else ""


@dataclass(frozen=True)
class Map:
    """The tiles that have a figure, the largest value first, and for each market asked for that has none the reason."""

    selection: Selection
    tiles: tuple[Tile, ...]
    without: dict[str, str]
    names: Mapping[str, str]

    @property
    def countries(self) -> tuple[Tile, ...]:
        """The tiles that are no regions."""
        return tuple(tile for tile in self.tiles if not tile.is_region)

    @property
    def usual(self) -> str:
        """The period of most tiles of the finest grain that there is: what other tiles are marked against."""
        return self.typical.period

    @cached_property
    def typical(self) -> Tile:
        """A tile of that period."""
        finest = min((tile.figures.selection.grain for tile in self.tiles), key=lambda grain: grain.months)
        fine = [tile for tile in self.tiles if tile.figures.selection.grain is finest]
        counted = Counter(tile.last for tile in fine)
        last = max(counted, key=lambda month: (counted[month], month))
        return next(tile for tile in fine if tile.last == last)

    @property
    def steps(self) -> tuple[float, ...]:
        """The scale of the shades; regions are no part of what it has to tell apart."""
        return scale(max(tile.value for tile in self.countries or self.tiles), self.selection.measure)


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
        subtitle=_subtitle(shown, nouns),
        badge=market_notes.freshness(shown.typical.figures, today=today, markets=[tile.code for tile in shown.tiles]),
        citations=tuple(dict.fromkeys(cited for part in parts for cited in part.dataset.citations)),
        notes=_notes(shown),
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


# Words


def title(shown: Map, nouns: Nouns) -> str:
    """The finding in at most 90 characters, of countries where there are any: regions overlap them.

    Tiles are of different periods, so that it says how far countries are, and never who was ahead in a period.
    """
    selection, tiles = shown.selection, shown.countries or shown.tiles
    cars = first_up(CARS[selection.powertrain] + COUNTED[selection.basis])
    if selection.makers:
        return _title_of_maker(shown, tiles, cars=cars, nouns=nouns)
    first = tiles[0]
    if selection.measure is Measure.UNITS:
        parts = [f"{tile.name} {tile.amount}" for tile in tiles[:3]]
        return shortest(*(f"{cars}: {', '.join(parts[:count])}, newest figures" for count in (3, 2, 1)))
    far = f"{cars} are {first.amount} of {first.adjective} cars"
    if len(tiles) == 1:
        when = f"{far} in {period_name(first.figures, first.at)}"
        return shortest(*([f"{when}, {first.change} on a year before"] if first.change else []), when, far)
    for part, word in ((0.5, "half"), (0.2, "a fifth"), (0.1, "a tenth")):
        count = sum(tile.value >= part for tile in tiles)
        if 1 < count >= len(tiles) / 4:
            return shortest(
                f"{far}, and {word} or more in {count} of {len(tiles)} countries"
                if shown.countries
                else f"{far}, and {word} or more in {count} of {len(tiles)} regions",
                far,
            )
    last = tiles[-1]
    return shortest(f"{far}, {last.amount} of {last.adjective} ones, newest figures", far)


def _title_of_maker(shown: Map, tiles: Sequence[Tile], *, cars: str, nouns: Nouns) -> str:
    selection = shown.selection
    maker = maker_name(selection.makers[0], selection, nouns)
    named = [tile for tile in tiles if tile.is_named]
    if not named:
        return shortest(f"{maker} is named in none of {len(tiles)} markets' newest figures", maker)
    whole = CARS[selection.denominator] + COUNTED[selection.basis]
    of = f" of {'all ' if selection.denominator is PowertrainChoice.ALL else ''}{whole}"
    what = of if selection.measure is Measure.SHARE else f" {cars}"
    parts = [f"{tile.name} {amount_text(tile.line, tile.at, tile.figures.selection)}" for tile in named[:2]]
    count = f"named in {len(named)} of {len(tiles)} markets"
    return shortest(
        f"{maker}: {', '.join(parts)}{what}; {count}",
        f"{maker}: {parts[0]}{what}; {count}",
        f"{maker}: {parts[0]}{what}",
    )


def _subtitle(shown: Map, nouns: Nouns) -> str:
    selection = shown.selection
    where = "All markets with figures" if not selection.market else f"{len(selection.market)} markets"
    if len(selection.market) == 1:
        where = nouns.markets[selection.market[0]]
    who = f", {maker_name(selection.makers[0], selection, nouns)}" if selection.makers else ""
    measure = "in cars"
    if selection.measure is Measure.SHARE:
        of = shown.tiles[0].figures.selection.denominator
        measure = f"share of {'all cars' if of is PowertrainChoice.ALL else CARS[of]} in %"
    what = f"Passenger {KIND[selection.powertrain]} {FIGURES[selection.basis]}{who}, {measure}"
    return f"{where}. {what}; {shown.usual}, or the newest (dashed)"


def _notes(shown: Map) -> tuple[str, ...]:
    notes = []
    if any(tile.amount.startswith(("≥", "≤")) for tile in shown.tiles):
        notes.append(
            "≥ marks a lower bound, ≤ a maker that is not named: the publisher's unnamed rest could hide more of it."
        )
    share = shown.selection.measure is Measure.SHARE
    if any(tile.change for tile in shown.tiles):
        notes.append(f"Small: change on a year before in {'percentage points' if share else '%'}.")
    others: dict[str, list[str]] = {}
    usual = shown.usual
    for tile in sorted(shown.tiles, key=lambda tile: -tile.last):
        if tile.period != usual:
            others.setdefault(tile.period, []).append(tile.name)
    if others:
        told = "; ".join(f"{period}: {_listed(names)}" for period, names in others.items())
        notes.append(f"Dashed, of another period than the others: {told}.")
    if shown.without:
        names = [shown.names[code] for code in shown.without]
        (reason, _), *_ = Counter(shown.without.values()).most_common(1)
        notes.append(f"No data: {_listed(names)}{' (mostly: ' if len(names) > 1 else ' ('}{reason}).")
    if shown.selection.powertrain is PowertrainChoice.BEV:
        notes.append("Plug-in hybrids are not in these figures.")
    if shown.selection.since:
        notes.append("A map is of one period: the start of the range means nothing to it.")
    return tuple(notes)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


# The plot


@dataclass(frozen=True)
class _Grid:
    """The measures of a map on a look: the size of a tile in pixels, of its text, and how many lines it has."""

    narrow: bool
    columns: float
    rows: float
    tile_px: tuple[float, float]
    font_px: float
    lines: int


@dataclass(frozen=True)
class _Word:
    """A text on the map: around its place, or from there on."""

    x: float
    y: float
    text: str
    colour: str
    from_left: bool = False


def _grid(look: Look) -> _Grid:
    narrow = look.width is None and look.font_px < style.SCREEN.font_px
    columns, rows = _SIZE[narrow]
    rows += 0.5 + (1.7 if narrow else 0)  # the names of the upper blocks, and the legend under a narrow map
    lines = 2 if narrow else 3
    if look.width is None:
        tile = ((330 if narrow else 880) / columns, lines * look.font_px * style.LINE_HEIGHT + 12)
        return _Grid(narrow, columns, rows, tile, look.font_px, lines)
    wide, high = look.width * 0.96 / columns, look.height * 0.58 / rows
    font = min(look.font_px, high / (lines * style.LINE_HEIGHT + 0.4), wide / 4.2)
    return _Grid(narrow, columns, rows, (wide, high), round(font, 1), lines)


def draw(reading: Reading, look: Look) -> Figure:
    """A tile for each market of the reference: code, value and change; an outline where there is no figure."""
    shown: Map = reading.content
    grid, ink, steps, usual = _grid(look), style.INK[look.theme], shown.steps, shown.usual
    tiles = {tile.code: tile for tile in shown.tiles}
    shapes: list[dict[str, Any]] = []
    words: list[_Word] = []
    points: list[dict[str, Any]] = []
    for code, (left, top) in places(narrow=grid.narrow).items():
        tile = tiles.get(code)
        middle = (left + 0.5, top + 0.5)
        if tile is None:
            shapes.append(_box(left, top, fill="rgba(0,0,0,0)", edge=ink.grid))
            words.append(_Word(*middle, text=_printed(code, grid), colour=ink.quiet))
            points.append(_nothing(code, middle, shown, size=min(grid.tile_px)))
            continue
        fill, text = SHADES[look.theme][bisect_right(steps, tile.value)]
        edge = fill
        if not tile.is_named:
            fill, text, edge = "rgba(0,0,0,0)", ink.text, ink.axis
        other = tile.period != usual
        shapes.append(_box(left, top, fill=fill, edge=ink.text if other else edge, dash="dot" if other else "solid"))
        words.append(_Word(*middle, text=_text(tile, grid, other=other), colour=text))
        points.append(_point(tile, middle, size=min(grid.tile_px)))
    words += [
        _Word(left, top - 0.25, text=block.name, colour=ink.quiet, from_left=True)
        for block in BLOCKS
        for left, top in [block.narrow if grid.narrow else block.wide]
    ]
    keys, labels = _legend(shown, look, grid)
    height = round(grid.rows * grid.tile_px[1]) + 16
    layout = style.layout(
        look,
        height=look.height if look.width else height,
        margin={"l": 4, "r": 4, "t": 8, "b": 8},
        hovermode="closest",
        xaxis={"visible": False, "range": [-0.05, grid.columns + 0.05]},
        yaxis={"visible": False, "range": [grid.rows - 0.5, -0.5], "zeroline": False},
        shapes=[*shapes, *keys],
    )
    return {"data": [_writing([*words, *labels], grid), *points], "layout": layout}


def _printed(code: str, grid: _Grid) -> str:
    """A market's code, in smaller type where its tile is too narrow for it."""
    name = code.title() if len(code) > 2 else code
    room, wide = grid.tile_px[0] * 0.9, style.text_width(name, grid.font_px, bold=True)
    if wide <= room:
        return f"<b>{name}</b>"
    return f'<span style="font-size:{grid.font_px * room / wide:.1f}px"><b>{name}</b></span>'


def _box(left: float, top: float, *, fill: str, edge: str, dash: str = "solid", size: Place = (1, 1)) -> dict[str, Any]:
    """A rectangle from a place on, a little smaller than its cell."""
    return {
        "type": "rect",
        "xref": "x",
        "yref": "y",
        "layer": "below",
        "x0": round(left + 0.03, 3),
        "x1": round(left + size[0] - 0.03, 3),
        "y0": round(top + 0.03, 3),
        "y1": round(top + size[1] - 0.03, 3),
        "fillcolor": fill,
        "line": {"color": edge, "width": 1.5 if dash != "solid" else 1, "dash": dash},
    }


def _text(tile: Tile, grid: _Grid, *, other: bool) -> str:
    """Code, value, and in small type the change; for another period than most the period in its place."""
    value = tile.amount.replace(" ", "\u2009")
    if tile.figures.selection.measure is Measure.UNITS and 100_000 <= tile.value < 1_000_000:
        value = f"{'≥' if value.startswith('≥') else ''}{tile.value / 1000:,.0f}k"
    if style.text_width(value, grid.font_px) > grid.tile_px[0] * 0.96:
        value = value.removesuffix("\u2009%")
    lines = [_printed(tile.code, grid), value]
    if grid.lines == 3:
        small = _brief_period(tile) if other else _brief_change(tile.change)
        lines += [f'<span style="font-size:{round(grid.font_px * 0.88, 1)}px">{small}</span>'] if small else []
    return "<br>".join(lines)


def _brief_change(change: str) -> str:
    """'+1.2' percentage points, and whole per cents: more digits of these than those of rounded figures say nothing."""
    if change.endswith(" pp"):
        return change.removesuffix(" pp")
    whole = re.sub(r"[.]\d", "", change)
    return "≈0 %" if whole[1:] == "0 %" else whole


def _brief_period(tile: Tile) -> str:
    """'2024', or the last month of the figure: 'to 4/26'."""
    last = month_start(tile.last)
    return tile.period if tile.figures.selection.grain is Grain.YEAR else f"to {last.month}/{last.year % 100:02d}"


def _point(tile: Tile, middle: Place, *, size: float) -> dict[str, Any]:
    """What a pointer finds on a tile: figure, change and period, and the key of its receipt.

    The key has the last month of the figure, in which a month, a quarter and a year can be told alike.
    """
    text = f"{tile.amount}, {tile.period}" + (f", {tile.change} on a year before" if tile.change else "")
    return _spot(middle, size=size) | {
        "name": style.escape(tile.name),
        "customdata": [[tile.line.market, tile.line.maker, tile.line.model, tile.last]],
        "text": [style.escape(text)],
        "hovertemplate": "<b>%{fullData.name}</b><br>%{text}<extra></extra>",
    }


def _nothing(code: str, middle: Place, shown: Map, *, size: float) -> dict[str, Any]:
    """What a pointer finds on a market without a figure: why there is none."""
    reason = shown.without.get(code, "not chosen" if shown.selection.market else "no figures of passenger cars")
    lines = style.wrap(f"no data: {reason}", width=420, font_px=style.SCREEN.font_px)
    text = "<br>".join(style.escape(line) for line in lines)
    return _spot(middle, size=size) | {
        "name": style.escape(shown.names.get(code, code)),
        "hovertext": [text],
        "hovertemplate": "<b>%{fullData.name}</b><br>%{hovertext}<extra></extra>",
    }


def _spot(middle: Place, *, size: float) -> dict[str, Any]:
    """A point that cannot be seen, as large as a tile."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [middle[0]],
        "y": [middle[1]],
        "marker": {"symbol": "square", "size": round(size * 0.9), "opacity": 0},
        "showlegend": False,
    }


def _legend(shown: Map, look: Look, grid: _Grid) -> tuple[list[dict[str, Any]], list[_Word]]:
    """The steps of the shades, with the values at which they begin under their edges."""
    ink, shades = style.INK[look.theme], SHADES[look.theme]
    left, top = _LEGEND[grid.narrow]
    wide = (grid.columns - left - 0.3) / len(shades)
    boxes = [
        _box(left + n * wide, top + 0.1, fill=fill, edge=fill, size=(wide, 0.45)) for n, (fill, _) in enumerate(shades)
    ]
    labels = [
        _Word(left + n * wide, top + 0.85, text=_step_text(step, shown.selection.measure), colour=ink.quiet)
        for n, step in enumerate(shown.steps, start=1)
    ]
    return boxes, labels


def _step_text(step: float, measure: Measure) -> str:
    if measure is Measure.UNITS:
        return f"{step / 1e6:g}M" if step >= 1e6 else f"{step / 1e3:g}k"
    return f"{step * 100:g}\u2009%"


def _writing(words: Sequence[_Word], grid: _Grid) -> dict[str, Any]:
    """All texts of the map in one trace."""
    return {
        "type": "scatter",
        "mode": "text",
        "x": [word.x for word in words],
        "y": [word.y for word in words],
        "text": [word.text for word in words],
        "textposition": ["middle right" if word.from_left else "middle center" for word in words],
        "textfont": {"size": grid.font_px, "color": [word.colour for word in words]},
        "hoverinfo": "skip",
        "showlegend": False,
        "cliponaxis": False,
    }


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
