"""The plot of a market map: where each country's tile is, its shade, and what is written on it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard import style
from dashboard.charts.chart import Reading
from dashboard.charts.market_map_words import Map, Tile
from dashboard.selection import Measure
from dashboard.style import Figure, Look, Theme
from dashboard.windows import month_start
from db.vocabulary import Grain

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
