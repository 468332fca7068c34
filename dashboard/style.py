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
from itertools import accumulate, chain
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


def end_room(ends: Sequence[LineEnd], *, font_px: float) -> int:
    """The right margin in pixels that labels at line ends need."""
    return ceil(max((text_width(end.text, font_px) for end in ends), default=0) + font_px * 1.6)


# The frame of a picture


def framed(
    figure: Figure,
    *,
    title: str,
    subtitle: str = "",
    badge: str = "",
    amber: bool = False,
    source_line: str = "",
    notes: Sequence[str] = (),
    key: Sequence[str] = (),
    look: Look,
) -> Figure:
    """A copy of a figure as a picture of `look.width` x `look.height`, with all that is written around it.

    All texts are plain. Each wraps, and the margins grow with what is written; the title is set smaller if it
    would take more than two lines. `key` stands in columns under the plot, one line an entry, cut where the column
    has no room. Labels at line ends are placed anew for the height left to the plot.
    """
    if look.width is None:
        raise ValueError("a picture has a fixed width")
    ink, size = INK[look.theme], look.font_px
    own = figure.get("layout", {})
    pad, inner = round(size * 1.5), look.width - 2 * round(size * 1.5)

    pill = _Block(badge, px=round(size * 0.8), width=inner * 0.42, bold=True)
    pill_pad = round(size * 0.55)
    pill_room = pill.wide + 2 * pill_pad if pill.lines else 0
    head = _headline(title, px=round(size * 1.55), width=inner - (pill_room + size if pill_room else 0))
    under = _Block(subtitle, px=size, width=inner)
    noted = [_Block(note, px=round(size * 0.85), width=inner) for note in notes if note.strip()]
    source = _Block(source_line, px=round(size * 0.75), width=inner)

    under_top = pad + max(head.high, pill.high + pill_pad if pill.lines else 0) + size * 0.2
    top = ceil(under_top + under.high + _rise(own, size) + _legend_room(figure, size, inner) + size * 1.1)
    source_top = pad * 0.8 + source.high
    heights = list(
        accumulate((block.high for block in reversed(noted)), initial=source_top + size * 0.5 * bool(source.lines))
    )
    columns = _columns(key, px=round(size * 0.8), width=inner)
    key_high = max((column.high for column in columns), default=0)
    key_top = (heights[-1] if noted else source_top) + (key_high + size * 0.5 if columns else 0)
    bottom = ceil(key_top + _axis_room(figure, size, inner) + size * 0.9)
    margin = {
        "l": max(pad + _left_room(figure, size, inner), 0),
        "r": max(pad, own.get("margin", {}).get("r", 0), _right_room(own, size) + pad),
        "t": top,
        "b": bottom,
        "pad": 0,
    }
    plot_height = look.height - top - bottom

    def text(
        name: str, block: "_Block | _Column", colour: str, *, above: float | None = None, below: float | None = None
    ) -> dict[str, Any]:
        """An annotation with its top `above` px under the picture's, or its bottom `below` px over it."""
        return {
            "name": name,
            "text": block.html,
            "font": {"size": block.px, "color": colour, "weight": 600 if block.bold else 400},
            "showarrow": False,
            "align": "left",
            "borderpad": 0,
            "xref": "paper",
            "x": 0,
            "xanchor": "left",
            "xshift": pad - margin["l"],
            "yref": "paper",
            "y": 0 if above is None else 1,
            "yanchor": "bottom" if above is None else "top",
            "yshift": (below or 0) - bottom if above is None else top - above,
        }

    written = [text("title", head, ink.text, above=pad), text("subtitle", under, ink.quiet, above=under_top)]
    written += [
        text(f"note-{n}", block, ink.quiet, below=height)
        for n, (block, height) in enumerate(zip(reversed(noted), heights, strict=False))
    ]
    for n, column in enumerate(columns):
        place = text(f"key-{n}", column, ink.quiet, above=look.height - key_top)
        written.append(place | {"xshift": pad - margin["l"] + n * inner / len(columns)})
    written.append(text("source", source, ink.quiet, below=pad * 0.8))
    shapes = list(own.get("shapes", ()))
    if pill.lines:
        badge_top = pad + max(0, (head.px * LINE_HEIGHT - pill.px * LINE_HEIGHT) / 2)
        right = margin["r"] - pad
        written.append(
            text("badge", pill, ink.amber_text if amber else ink.text, above=badge_top)
            | {"x": 1, "xanchor": "right", "xshift": right - pill_pad, "align": "right"}
        )
        shapes.append(
            _pill(
                right=right,
                top=top - badge_top + pill_pad * 0.6,
                width=pill_room,
                height=pill.high + pill_pad * 1.2,
                fill=ink.amber if amber else ink.pill,
            )
        )
    framed_layout = {
        **{name: value for name, value in own.items() if name not in ("title", "autosize")},
        "width": look.width,
        "height": look.height,
        "margin": margin,
        "annotations": [
            *_placed_anew(own, plot_height=plot_height),
            *(block for block in written if block["text"]),
        ],
        "shapes": shapes,
    }
    return {**figure, "layout": framed_layout}


class _Block:
    """A wrapped text and the room it takes in pixels."""

    def __init__(self, text: str, *, px: float, width: float, bold: bool = False) -> None:
        self.px, self.bold = px, bold
        self.lines = wrap(text, width=width, font_px=px, bold=bold)
        self.html = "<br>".join(escape(line) for line in self.lines)
        self.wide = ceil(max((text_width(line, px, bold=bold) for line in self.lines), default=0))
        self.high = len(self.lines) * px * LINE_HEIGHT


class _Column:
    """Lines of plain text one under the other, each cut to a width in pixels, and the room they take."""

    bold = False

    def __init__(self, entries: Sequence[str], *, px: float, width: float) -> None:
        self.px = px
        self.html = "<br>".join(escape(fitting(entry, width=width, font_px=px)) for entry in entries)
        self.high = len(entries) * px * LINE_HEIGHT


def _columns(entries: Sequence[str], *, px: float, width: float) -> list[_Column]:
    """Entries in columns of equal width, read downwards: as many as have room for the longest entry, two to four."""
    if not entries:
        return []
    gap = px * 2
    widest = max(text_width(entry, px) for entry in entries) + gap
    count = min(max(2, int(width // widest)), 4, len(entries))
    deep = ceil(len(entries) / count)
    parts = [entries[n : n + deep] for n in range(0, len(entries), deep)]
    return [_Column(part, px=px, width=width / len(parts) - gap) for part in parts]


def _headline(text: str, *, px: int, width: float) -> _Block:
    """A title in at most two lines of even length, set smaller where it must be (down to two thirds)."""
    sizes = range(px, round(px * 2 / 3) - 1, -1)
    block = next(
        (found for found in (_Block(text, px=s, width=width, bold=True) for s in sizes) if len(found.lines) <= 2),
        _Block(text, px=sizes[-1], width=width, bold=True),
    )
    count = len(block.lines)
    if count < 2:
        return block
    steps = (width * (0.5 + 0.025 * n) for n in range(20))
    even = (_Block(text, px=block.px, width=step, bold=True) for step in steps)
    return next((found for found in even if len(found.lines) == count), block)


def _pill(*, right: float, top: float, width: float, height: float, fill: str) -> dict[str, Any]:
    """A rounded rectangle; `right` and `top` are pixels right of and above the plot's upper right corner."""
    left, bottom, r = right - width, top - height, min(height / 2, 16)
    path = (
        f"M{left + r:.1f},{top:.1f}H{right - r:.1f}Q{right:.1f},{top:.1f},{right:.1f},{top - r:.1f}"
        f"V{bottom + r:.1f}Q{right:.1f},{bottom:.1f},{right - r:.1f},{bottom:.1f}"
        f"H{left + r:.1f}Q{left:.1f},{bottom:.1f},{left:.1f},{bottom + r:.1f}"
        f"V{top - r:.1f}Q{left:.1f},{top:.1f},{left + r:.1f},{top:.1f}Z"
    )
    return {
        "name": "badge",
        "type": "path",
        "path": path,
        "xref": "paper",
        "yref": "paper",
        "xsizemode": "pixel",
        "ysizemode": "pixel",
        "xanchor": 1,
        "yanchor": 1,
        "fillcolor": fill,
        "line": {"width": 0},
    }


def _axes(own: Mapping[str, Any], letter: str) -> list[dict[str, Any]]:
    return [axis for name, axis in own.items() if re.fullmatch(f"{letter}axis[0-9]*", name) and isinstance(axis, dict)]


def _axis_room(figure: Figure, size: int, inner: int) -> float:
    """Height under the plot for an axis title and tick labels, which turn if too wide for their places."""
    own = figure.get("layout", {})
    axes = [axis for axis in _axes(own, "x") if axis.get("visible", True) and axis.get("showticklabels", True)]
    if not axes:
        return size * 0.4
    across = dict.fromkeys(x for trace in figure.get("data", ()) for x in _list(trace.get("x")) if isinstance(x, str))
    dates = [x for x in across if re.match(r"\d{4}-\d\d", x)]
    labels = [str(label) for axis in axes for label in axis.get("ticktext") or ()] or [
        x for x in across if x not in dates
    ]
    lines = max((label.count("<br>") + 1 for label in labels), default=2 if _days(dates) < 400 else 1)
    high = lines * size * 0.92 * LINE_HEIGHT
    wide = max((text_width(part, size * 0.92) for label in labels for part in label.split("<br>")), default=0)
    if wide * len(labels) > inner * 0.8:
        high = max(high, wide)
    return size * (0.5 + 1.9 * any(_axis_title(axis) for axis in axes)) + high


def _days(dates: Sequence[str]) -> int:
    """Days, by calendar years, that ISO dates span; within about a year ticks carry a second line."""
    return (int(max(dates)[:4]) - int(min(dates)[:4])) * 365 if dates else 10_000


def _axis_title(axis: Mapping[str, Any]) -> str:
    title = axis.get("title") or ""
    return str(title.get("text") or "") if isinstance(title, Mapping) else str(title)


def _right_room(own: Mapping[str, Any], size: int) -> int:
    """Width right of the plot for labels at line ends."""
    labels = [note for note in own.get("annotations", ()) if note.get("name") == LINE_END]
    return ceil(
        max((text_width(note["text"], note["font"]["size"]) for note in labels), default=-size * 1.5) + size * 1.5
    )


def _left_room(figure: Figure, size: int, inner: int) -> int:
    """Width left of the plot for the labels of the value axis, or of its categories, and an axis title."""
    own = figure.get("layout", {})
    axes = [axis for axis in _axes(own, "y") if axis.get("visible", True) and axis.get("showticklabels", True)]
    if not axes:
        return 0
    labels = [str(label) for axis in axes for label in axis.get("ticktext") or ()]
    if not labels:
        values = [y for trace in figure.get("data", ()) for y in _list(trace.get("y"))]
        labels = [y for y in values if isinstance(y, str)]
        if not labels:
            edges = [edge for axis in axes for edge in axis.get("range") or ()]
            numbers = [abs(v) for v in (*values, *edges) if isinstance(v, (int, float)) and isfinite(v)]
            affix = max(((axis.get("tickprefix") or "") + (axis.get("ticksuffix") or "") for axis in axes), key=len)
            labels = [_tick_text(max(numbers, default=0), axes[0].get("tickformat") or "") + affix]
    wide = max(text_width(line, size * 0.92) for label in labels for line in (label.split("<br>") or [""]))
    titled = any(_axis_title(axis) for axis in axes)
    return ceil(min(wide, inner * 0.4) + size * (0.7 + 1.9 * titled))


def _list(values: Any) -> Sequence[Any]:
    return values.tolist() if hasattr(values, "tolist") else values or ()


def _tick_text(value: float, tick_format: str) -> str:
    """The widest text a numeric axis is likely to show, with a sign."""
    if "%" in tick_format:
        return f"{MINUS}{value * 100:,.1f}%"
    if not tick_format and value >= 1e4:
        return f"{MINUS}{value / 10 ** (3 * (len(str(int(value))) - 1) // 3):.1f}M" if value >= 1e6 else "\u2212000k"
    return f"{MINUS}{value:,.0f}" if value >= 10 else f"{MINUS}0.00"


def _rise(own: Mapping[str, Any], size: int) -> float:
    """Height above the plot that the chart's own annotations and shapes take: names of panels, numbers of events."""
    shapes = (
        shape["y1"]
        for shape in own.get("shapes", ())
        if shape.get("ysizemode") == "pixel" and shape.get("yref") == "paper" and shape.get("yanchor") == 1
    )
    notes = (
        note.get("yshift", 0)
        + (str(note.get("text", "")).count("<br>") + 1) * note.get("font", {}).get("size", size) * LINE_HEIGHT
        for note in own.get("annotations", ())
        if note.get("yref") == "paper" and note.get("y", 0) >= 1 and note.get("yanchor") == "bottom"
    )
    return float(max(chain(shapes, notes), default=0))


def _legend_room(figure: Figure, size: int, inner: int) -> float:
    """Height of a horizontal legend above the plot."""
    if not figure.get("layout", {}).get("showlegend"):
        return 0
    names = [str(trace.get("name", "")) for trace in figure.get("data", ()) if trace.get("showlegend", True)]
    widest = max((text_width(name, size) for name in names), default=0) + 60
    return ceil(len(names) / max(1, int(inner * 0.9 // widest))) * size * 1.6


def _placed_anew(own: Mapping[str, Any], *, plot_height: float) -> list[dict[str, Any]]:
    """The chart's own annotations, with labels at line ends moved for a plot of another height."""
    notes = list(own.get("annotations", ()))
    kept = [note for note in notes if note.get("name") != LINE_END]
    for yref in dict.fromkeys(note["yref"] for note in notes if note.get("name") == LINE_END):
        axis = own.get("yaxis" + yref[1:], {})
        group = [note for note in notes if note.get("name") == LINE_END and note["yref"] == yref]
        if "range" not in axis:
            kept += group
            continue
        bottom, top = axis.get("domain", (0, 1))
        px = group[0]["font"]["size"]
        ends = [LineEnd(note["text"], note["y"], note["font"]["color"]) for note in group]
        labels = line_end_labels(
            ends,
            height_px=plot_height * (top - bottom),
            font_px=px,
            value_range=(axis["range"][0], axis["range"][1]),
        )
        anew = end_annotations(labels, font_px=px, yref=yref)
        kept += [{**new, "text": old["text"], "xref": old["xref"]} for new, old in zip(anew, group, strict=True)]
    return kept
