"""How a chart looks: colours, type, number formats, and what is written around a picture.

Pure: figures are plain Plotly dicts; nothing here reads a database or draws. Text is measured with the
bundled font, so margins follow what is written. Lengths are CSS pixels; shares and changes are fractions.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from math import ceil, floor, isfinite
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

from PIL import ImageFont

Theme = Literal["light", "dark"]
Figure = dict[str, Any]

FONTS = Path(__file__).parent / "assets" / "fonts"
FONT_FAMILY = (
    '"Open Sans", "Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", "Segoe UI", Arial, sans-serif'
)
LINE_HEIGHT = 1.3
"""Height of a line of text in font sizes: Plotly's own."""

CONFIG = {"displayModeBar": False, "displaylogo": False, "responsive": True, "showTips": False}
"""Plotly's config for every chart on a page."""


@dataclass(frozen=True)
class Look:
    """Where a figure is shown. `width` None fills the page; `scale` is picture pixels per CSS pixel."""

    theme: Theme = "light"
    width: int | None = None
    height: int = 420
    font_px: int = 13
    scale: int = 1


SCREEN = Look()
PICTURE = Look(width=1600, height=900, font_px=20, scale=2)
SHEET = Look(width=1920, height=1080, font_px=24, scale=2)


@dataclass(frozen=True)
class Ink:
    """The colours of a theme that stand for no maker."""

    background: str
    text: str
    quiet: str
    axis: str
    grid: str
    pill: str
    amber: str
    amber_text: str


INK: dict[Theme, Ink] = {
    "light": Ink(
        background="#FFFFFF",
        text="#1A2027",
        quiet="#555E68",
        axis="#8A929B",
        grid="#E2E6EA",
        pill="#EDF0F3",
        amber="#FFDF9E",
        amber_text="#553600",
    ),
    "dark": Ink(
        background="#12161B",
        text="#EEF1F4",
        quiet="#A9B2BC",
        axis="#6E7883",
        grid="#2A313A",
        pill="#252C35",
        amber="#6B4A00",
        amber_text="#FFE6B0",
    ),
}

# Found by search in CAM02-UCS, seen normally and with full protanopia, deuteranopia and tritanopia; the tests
# state the least difference between any two.
PALETTE: dict[str, tuple[str, str]] = {
    "tesla": ("#C8102E", "#DE0C2C"),
    "byd": ("#0B6FC2", "#62AFFA"),
    "volkswagen": ("#0619C4", "#1058FE"),
    "geely": ("#5B385A", "#C39CBB"),
    "saic-motor": ("#CA8277", "#C77C69"),
    "hyundai-motor-group": ("#481615", "#FDABAD"),
    "xiaomi": ("#FB5910", "#FF672C"),
    "other": ("#7A828C", "#989794"),
    "skoda": ("#20A52A", "#74E852"),
    "volvo": ("#3C3C00", "#AFB876"),
    "xpeng": ("#4E0072", "#8E42B4"),
    "bmw": ("#917DFF", "#927EFF"),
    "wuling": ("#B52C93", "#CE4AA8"),
    "ford": ("#A587B4", "#DCBFF6"),
    "renault": ("#436300", "#506F13"),
    "mercedes-benz": ("#186054", "#B4F3DE"),
    "kia": ("#94516C", "#9C6881"),
    "leapmotor": ("#88705B", "#FFD6A5"),
    "audi": ("#85263A", "#B0415C"),
}
"""Colour of a maker on the light and on the dark background."""

SHARED = {
    "volkswagen-group": "volkswagen",
    "geely-holding-group": "geely",
    "mg": "saic-motor",
    "hyundai": "hyundai-motor-group",
    "bmw-group": "bmw",
    "renault-nissan-mitsubishi": "renault",
}
"""A group and its leading brand, which are never drawn together, and the entry whose colour both have."""

MARKETS = {
    "US": "byd",
    "CN": "xiaomi",
    "DE": "volvo",
    "GB": "xpeng",
    "NO": "skoda",
    "FR": "bmw",
    "EU": "volkswagen",
    "WORLD": "hyundai-motor-group",
    "NL": "kia",
    "SE": "leapmotor",
    "IT": "mercedes-benz",
    "ES": "saic-motor",
    "DK": "renault",
    "AU": "wuling",
    "CA": "audi",
    "BE": "ford",
}
"""A market and the entry whose colour it has where lines are markets: never in one chart with makers."""

GREYS = (
    "toyota",
    "peugeot",
    "stellantis",
    "nissan",
    "chevrolet",
    "nio",
    "gac-aion",
    "aion",
    "changan",
    "chery",
    "polestar",
    "cupra",
    "opel",
    "citroen",
    "fiat",
    "dacia",
    "mini",
    "smart",
    "porsche",
    "seat",
    "gwm",
    "li-auto",
    "aito",
    "zeekr",
    "honda",
    "mazda",
    "lucid",
    "rivian",
    "cadillac",
    "jeep",
)
"""Makers without a colour; the place in this list fixes a maker's dash and symbol, so add at the end."""

_DASHES = ("dot", "dash", "dashdot", "longdash", "longdashdot")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star")


def colour(slug: str, theme: Theme = "light", *, highlight: bool = False) -> str:
    """The colour of a maker, group or market in every chart; one that has none is grey, or ink when highlighted."""
    pair = PALETTE.get(_entry(slug))
    if pair is None and highlight:
        return INK[theme].text
    light, dark = pair or PALETTE["other"]
    return light if theme == "light" else dark


def _entry(slug: str) -> str:
    return SHARED.get(slug) or MARKETS.get(slug) or slug


def _place(slug: str) -> int | None:
    if _entry(slug) in PALETTE:
        return None
    return GREYS.index(slug) if slug in GREYS else crc32(slug.encode())


def dash(slug: str) -> str:
    """Plotly's line dash of a maker: solid for those with a colour, one of five for the greys."""
    place = _place(slug)
    return "solid" if place is None else _DASHES[place % len(_DASHES)]


def symbol(slug: str) -> str:
    """Plotly's marker of a maker: a circle for those with a colour, one of eight for the greys."""
    place = _place(slug)
    return "circle" if place is None else _SYMBOLS[place % len(_SYMBOLS)]


def hatch(line_colour: str) -> dict[str, Any]:
    """Plotly's `fillpattern` of an uncertainty band in its line's colour; the `fillcolor` is transparent."""
    return {"shape": "/", "fgcolor": line_colour, "fgopacity": 0.55, "size": 9, "solidity": 0.16}


def layout(look: Look, **changes: Any) -> dict[str, Any]:
    """Plotly layout defaults for a look; dicts in `changes` are merged into the defaults, at any depth."""
    ink = INK[look.theme]
    small = {"size": round(look.font_px * 0.92), "color": ink.quiet}
    defaults: dict[str, Any] = {
        "font": {"family": FONT_FAMILY, "size": look.font_px, "color": ink.text},
        "paper_bgcolor": ink.background,
        "plot_bgcolor": ink.background,
        "colorway": [PALETTE["other"][look.theme == "dark"]],
        "height": look.height,
        "margin": {
            "l": round(look.font_px * 4.2),
            "r": round(look.font_px * 1.5),
            "t": 12,
            "b": round(look.font_px * 3),
        },
        "separators": ".,",
        "showlegend": False,
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "traceorder": "normal",
        },
        "dragmode": False,
        "hovermode": "x unified",
        "hoverlabel": {
            "bgcolor": ink.background,
            "bordercolor": ink.axis,
            "font": {"family": FONT_FAMILY, "size": look.font_px, "color": ink.text},
            "align": "left",
            "namelength": -1,
        },
        "xaxis": {
            "showgrid": False,
            "zeroline": False,
            "linecolor": ink.axis,
            "linewidth": 1,
            "ticks": "outside",
            "ticklen": round(look.font_px / 3),
            "tickcolor": ink.axis,
            "tickfont": small,
            "title": {"font": small, "standoff": round(look.font_px / 2)},
            "fixedrange": True,
        },
        "yaxis": {
            "showgrid": True,
            "gridcolor": ink.grid,
            "gridwidth": 1,
            "zeroline": True,
            "zerolinecolor": ink.axis,
            "zerolinewidth": 1,
            "ticks": "",
            "tickfont": small,
            "ticklabelstandoff": round(look.font_px / 3),
            "title": {"font": small, "standoff": round(look.font_px / 2)},
            "nticks": 7,
            "fixedrange": True,
        },
    }
    if look.width is not None:
        defaults["width"] = look.width
    return _merged(defaults, changes)


def _merged(defaults: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    both = {**defaults, **changes}
    for name in changes.keys() & defaults.keys():
        if isinstance(defaults[name], Mapping) and isinstance(changes[name], Mapping):
            both[name] = _merged(defaults[name], changes[name])
    return both


# Text


def escape(text: str) -> str:
    """Text from data as Plotly's pseudo-HTML shows it literally; line breaks become spaces."""
    plain = " ".join(text.split())
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@lru_cache(maxsize=2)
def _font(bold: bool) -> ImageFont.FreeTypeFont:
    path = FONTS / ("OpenSans-SemiBold.ttf" if bold else "OpenSans-Regular.ttf")
    try:
        return ImageFont.truetype(str(path), 200, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise FileNotFoundError(f"the bundled font {path} is missing; restore dashboard/assets/fonts") from error


def _in_font(character: str) -> bool:
    return ord(character) < 0x2190 or character in "\u2212\u2215\u2248\u2260\u2264\u2265"


@lru_cache(maxsize=8192)
def text_width(text: str, font_px: float, *, bold: bool = False) -> float:
    """Width of a line of plain text in pixels; a character that another font supplies counts a font size."""
    own = "".join(character for character in text if _in_font(character))
    foreign = sum(not unicodedata.combining(character) for character in text if not _in_font(character))
    return _font(bold).getlength(own) / 200 * font_px + foreign * font_px


def fitting(name: str, *, width: float, font_px: float) -> str:
    """A name cut to a width in pixels."""
    if text_width(name, font_px) <= width:
        return name
    cut = next((n for n in range(len(name), 1, -1) if text_width(name[:n] + "…", font_px) <= width), 1)
    return name[:cut].rstrip() + "…"


_UNITS = re.compile(r"(?<=\d) (?=(?:%|pp|M|k|bn|px|km|kWh)\b|%)")
_BREAKS = re.compile(r"(?<=[⺀-鿿豈-﫿＀-￯])|(?<=[/_&?=])(?=\w)|(?<= )")


def wrap(text: str, *, width: float, font_px: float, bold: bool = False) -> list[str]:
    """Plain text in lines no wider than `width`; a number stays with its unit, a word too long is cut."""
    lines: list[str] = []
    line = ""
    for piece in _BREAKS.split(_UNITS.sub("\u00a0", " ".join(text.split()))):
        while text_width((line + piece).rstrip(), font_px, bold=bold) > width:
            if line.strip():
                lines.append(line.strip())
                line = ""
                continue
            fits = (n for n in range(len(piece) - 1, 1, -1) if text_width(piece[:n], font_px, bold=bold) <= width)
            cut = next(fits, 1)
            if cut == len(piece):
                break
            lines.append(piece[:cut])
            piece = piece[cut:]
        line += piece
    return [*lines, line.strip()] if line.strip() else lines


# Numbers


MINUS = "\u2212"
MISSING = "\u2013"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def units_text(units: float) -> str:
    """Cars: `84,057` in full below a million, `1.64 M` with three digits above; a dash when missing."""
    if not isfinite(units):
        return MISSING
    if 0 <= units < 1_000_000 and units == int(units):
        return f"{int(units):,}"
    sign, size = MINUS if units < 0 else "", abs(_exact(units))
    whole = _rounded(size, 0)
    if whole < 1_000_000:
        return f"{sign if whole else ''}{whole:,}"
    millions = size / 1_000_000
    places = 2 if _rounded(millions, 2) < 10 else 1 if _rounded(millions, 1) < 100 else 0
    return f"{sign}{_rounded(millions, places):,} M"


def share_text(fraction: float) -> str:
    """A share of the whole: `8.4 %`; `<0.1 %` and `>99.9 %` keep a trace from reading as nothing or all."""
    if not isfinite(fraction):
        return MISSING
    if fraction < 0:
        return MINUS + share_text(-fraction)
    tenths = fraction * 1000
    # Exact decimals are slow and settle only what lies halfway; a chart words thousands of shares.
    if 2 < tenths < 998 and abs(tenths % 1 - 0.5) > 1e-6:
        return f"{floor(tenths + 0.5) / 10} %"
    percent = _exact(fraction) * 100
    rounded = _rounded(percent, 1)
    if percent in (0, 100):
        return f"{percent:.0f} %"
    if percent < Decimal("0.1"):
        return "<0.1 %"
    return ">99.9 %" if percent < 100 <= rounded else f"{rounded:,} %"


def growth_text(fraction: float) -> str:
    """A relative change, signed: `+12.3 %`."""
    return _signed(fraction, "%")


def pp_text(fraction: float) -> str:
    """A change of a share, signed, in percentage points: `+1.2 pp`; `≈0 pp` if it rounds to none."""
    return _signed(fraction, "pp")


def _signed(fraction: float, unit: str) -> str:
    if not isfinite(fraction):
        return MISSING
    rounded = _rounded(abs(_exact(fraction)) * 100, 1)
    if not rounded:
        return f"≈0 {unit}" if fraction else f"0 {unit}"
    return f"{MINUS if fraction < 0 else '+'}{rounded:,} {unit}"


def count_text(number: int, noun: str) -> str:
    """How many there are: `1 source`, `1,204 figures`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def period_text(period_start: date | str, grain: str) -> str:
    """`Sep 2026`, `Q2 2026` or `2026` for the month, quarter or year that starts on a date (or ISO text)."""
    start = date.fromisoformat(period_start[:10]) if isinstance(period_start, str) else period_start
    if grain == "month":
        return f"{_MONTHS[start.month - 1]} {start.year}"
    if grain == "quarter":
        return f"Q{(start.month + 2) // 3} {start.year}"
    if grain == "year":
        return str(start.year)
    raise ValueError(f"unknown grain {grain!r}: month, quarter or year")


def day_text(day: date) -> str:
    """`23 Jul 2026`."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


# Labels at line ends


@dataclass(frozen=True)
class LineEnd:
    """The last point of a line: its label (plain text), its value in the axis' unit, its colour."""

    text: str
    value: float
    colour: str


@dataclass(frozen=True)
class EndLabel:
    """Where a line's label goes: pixels above its point, and whether so far that it needs a leader."""

    end: LineEnd
    offset_px: float
    leader: bool


def line_end_labels(
    ends: Sequence[LineEnd], *, height_px: float, font_px: float, value_range: tuple[float, float]
) -> tuple[EndLabel, ...]:
    """Labels as given, moved as little as keeps them apart, inside the plot and in the order of their values.

    `height_px` is the height of the axis, `value_range` its bottom and top. ValueError if more than can fit.
    """
    low, high = value_range
    gap = font_px * LINE_HEIGHT
    room = height_px - gap * len(ends)
    if room < 0 or high <= low:
        raise ValueError(f"{len(ends)} labels of {font_px} px do not fit into {height_px:.0f} px")
    share = [min(max((end.value - low) / (high - low), 0.0), 1.0) for end in ends]
    upward = sorted(range(len(ends)), key=lambda i: (share[i], -i))
    wanted = [share[i] * height_px - gap * (rank + 0.5) for rank, i in enumerate(upward)]
    offsets = [0.0] * len(ends)
    for rank, (i, slack) in enumerate(zip(upward, _nearest_rising(wanted), strict=True)):
        centre = min(max(slack, 0.0), room) + gap * (rank + 0.5)
        offsets[i] = centre - share[i] * height_px
    return tuple(
        EndLabel(end=end, offset_px=offset, leader=abs(offset) > font_px * 0.4)
        for end, offset in zip(ends, offsets, strict=True)
    )


def _nearest_rising(values: Sequence[float]) -> list[float]:
    """The non-decreasing sequence nearest to `values` in squares: neighbours out of order are pooled."""
    pools: list[tuple[float, int]] = []
    for value in values:
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n), (b, m) = pools[-2:]
            pools[-2:] = [((a * n + b * m) / (n + m), n + m)]
    return [mean for mean, count in pools for _ in range(count)]


LINE_END = "line-end"
"""The name of the annotations that label lines at their ends."""


def end_annotations(
    labels: Sequence[EndLabel], *, font_px: float, xref: str = "paper", yref: str = "y"
) -> list[dict[str, Any]]:
    """Plotly annotations right of the plot for labels, with a thin leader where one moved."""
    reach = round(font_px * 0.9)
    moved = any(label.leader for label in labels)
    return [
        {
            "name": LINE_END,
            "text": escape(label.end.text),
            "font": {"size": font_px, "color": label.end.colour},
            "xref": xref,
            "x": 1,
            "xanchor": "left",
            "yref": yref,
            "y": label.end.value,
            "yanchor": "middle",
            "align": "left",
            "borderpad": 0,
            **(
                {
                    "showarrow": True,
                    "arrowhead": 0,
                    "arrowwidth": 1,
                    "arrowcolor": label.end.colour,
                    "standoff": 3,
                    "ax": reach + 4,
                    "ay": -round(label.offset_px, 2),
                }
                if label.leader
                else {
                    "showarrow": False,
                    "xshift": reach + 4 if moved else 6,
                    "yshift": round(label.offset_px, 2),
                }
            ),
        }
        for label in labels
    ]


def statement(text: str, look: Look, *, height: float = 0.5) -> dict[str, Any]:
    """The Plotly annotation of a sentence (escaped) across a plot that has nothing to draw, at a part of its height."""
    return {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": height,
        "font": {"size": look.font_px, "color": INK[look.theme].quiet},
    }


def end_room(ends: Sequence[LineEnd], *, font_px: float) -> int:
    """The right margin in pixels that labels at line ends need."""
    return ceil(max((text_width(end.text, font_px) for end in ends), default=0) + font_px * 1.6)
