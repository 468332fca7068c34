"""What the charts of the FSD record share: names, figures in words, marks of evidence, labels of points, receipts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Badge, Point, Reading
from dashboard.charts.market_words import listed
from dashboard.fsd_record import GLOBAL, MAKER
from dashboard.selection import NotPublished, Selection
from dashboard.style import Look
from db import Connection, provenance
from db.vocabulary import ALL, AttachBasis, Billing, Evidence

REGIONS = {
    GLOBAL: "the world",
    "NAM": "North America",
    "APAC": "Asia-Pacific",
    "ANZ": "Australia and New Zealand",
    "EU": "Europe",
}
"""Regions of figures on who pays that are no market."""

DEFINITIONS: Mapping[AttachBasis, str] = {
    AttachBasis.TAKE_RATE: "Take rate: share of new cars bought with it",
    AttachBasis.ALL_DELIVERED: "Active over all cars ever delivered",
    AttachBasis.FLEET_ATTACH: "Active over cars in use",
    AttachBasis.ELIGIBLE: "Active over cars that could have it",
}
"""What a share is of, as a panel names it; other figures are named by their meaning."""

BILLED: Mapping[Billing, str] = {
    Billing.ONE_OFF: "once",
    Billing.MONTH: "a month",
    Billing.YEAR: "a year",
    Billing.THREE_YEARS: "for three years",
    Billing.INCLUDED: "free with the car",
    Billing.WITHDRAWN: "no longer offered",
    Billing.UNSTATED: "price not stated",
}
"""How an offer is paid for, behind its amount or in its place."""


def region_name(code: str, markets: Mapping[str, str]) -> str:
    """`North America`, `the world`, `Finland`."""
    return REGIONS.get(code) or markets.get(code, code)


def definition(basis: AttachBasis) -> str:
    """What a figure is of, with a capital letter."""
    text = DEFINITIONS.get(basis) or basis.meaning
    return text[:1].upper() + text[1:]


def amount_text(amount: float, currency: str) -> str:
    """`8,000 USD`, `49.99 USD`: cents only where there are some."""
    cents = round(amount * 100)
    return f"{cents / 100:,.2f} {currency}" if cents % 100 else f"{cents // 100:,} {currency}"


def figure_text(value: float, unit: str) -> str:
    """A figure in its unit: `12.0 %`, `1.48 M`, `2.1 bn USD`, `7 bn miles`."""
    if unit == "share":
        # A figure printed without decimals is told without them.
        return style.share_text(value).replace(".0 %", " %")
    if unit == "count":
        return style.units_text(value)
    name = {"usd": "USD"}.get(unit, unit)
    for size, word in ((1e9, "bn"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:,.4g} {word} {name}"
    return f"{value:,.6g} {name}"


def range_text(low: float, high: float, unit: str) -> str:
    """A figure, or from which one to which: `11.7 % to 13.0 %`."""
    first, last = figure_text(low, unit), figure_text(high, unit)
    if unit == "share" and ("." in first) != ("." in last):
        first, last = style.share_text(low), style.share_text(high)
    number, _, name = last.partition(" ")
    first = first.removesuffix(f" {name}") if unit not in ("share", "count") and number else first
    return last if first in (last, number) else f"{first} to {last}"


def is_second_hand(evidence: Evidence) -> bool:
    """Whether it rests on a mirror, digest or tracker alone: drawn hollow."""
    return evidence is Evidence.SECONDARY


# What is shown, and what is not


def in_range(day: date, selection: Selection) -> bool:
    """Whether a day lies in the months of a selection."""
    month = day.replace(day=1)
    return (selection.since is None or month >= selection.since) and (
        selection.until is None or month <= selection.until
    )


def check_tesla(selection: Selection, *, of: str, nearest: Selection | None = None) -> None:
    """Raise `NotPublished` where a selection names makers and Tesla is none of them: the package is its own."""
    if selection.makers and MAKER not in selection.makers:
        raise NotPublished(f"{of} is Tesla's; what other makers offer is in adas-offers", nearest=nearest)


def unused_note(selection: Selection, defaults: Selection, *, used: Collection[str]) -> tuple[str, ...]:
    """A sentence that names what of a selection means nothing to a chart; none where all of it does."""
    without = [
        part.name.replace("_", " ")
        for part in fields(selection)
        if part.name not in used and getattr(selection, part.name) != getattr(defaults, part.name)
    ]
    return (f"This chart does not look at: {listed(without)}.",) if without else ()


def record_badge(
    days: Iterable[date], frame: pd.DataFrame, evidence: Collection[Evidence], *, noun: str = "rows", today: date
) -> Badge:
    """How fresh rows of a record are; amber where half of them or more rest on mirrors, surveys or estimates.

    `days` are those of what is drawn, `frame` the stored rows behind it.
    """
    told = max((day for day in days if day <= today), default=None)
    known = max(frame["known_from"], default=None)
    parts = [f"data to {style.day_text(told)}"] if told else []
    parts += [f"as known {style.day_text(known)}"] if known else []
    soft = sum(each in (Evidence.SECONDARY, Evidence.SURVEY, Evidence.ESTIMATE) for each in evidence)
    reason = ""
    if evidence and soft * 2 >= len(evidence):
        reason = f"{soft} of {len(evidence)} {noun} rest on mirrors, surveys or estimates."
    return Badge(text=" · ".join(parts), amber=bool(reason), reason=reason)


# Download and receipts


def download(listed_rows: Iterable[Mapping[str, Any]], *own: str) -> pd.DataFrame:
    """Rows with `DOWNLOAD_COLUMNS` and columns of a chart's own; a column that a row leaves out does not apply."""
    empty = dict.fromkeys((*DOWNLOAD_COLUMNS, *own), "") | {"maker": ALL, "model": ALL, "maker_name": "All makers"}
    empty |= {"model_name": "All models", "powertrain": ALL, "of": ALL, "window": "none", "grain": "day"}
    missing = {"value": float("nan"), "low": float("nan"), "high": float("nan")}
    return pd.DataFrame([empty | missing | dict(row) for row in listed_rows], columns=[*DOWNLOAD_COLUMNS, *own])


def claims_behind(
    connection: Connection, frame: pd.DataFrame, rows: Sequence[int], *, says: Callable[[Mapping[Any, Any]], Says]
) -> pd.DataFrame:
    """The receipts of some rows of a frame of `queries.records`, in the order given."""
    told = frame.iloc[list(rows)]
    said = [says(row) for row in told.to_dict("records")]
    return provenance.record_receipts(
        connection,
        told.assign(
            day=[each.day for each in said],
            about=[each.about for each in said],
            stated=[each.stated for each in said],
        ),
    )


@dataclass(frozen=True)
class Says:
    """What a stored row says, for its receipt: the day that it is of, what it is about, and what it claims."""

    day: date
    about: str
    stated: str


@dataclass(frozen=True, kw_only=True)
class RecordReceipts:
    """The receipts of a chart whose points and rows are each one row of a record.

    Of the chart's content, `frame` is the record as `queries.records` gives it, `rows` the places in it of the rows of
    the download, and `says` tells what one of its rows says. A point has its place where `Point` has a model.
    """

    frame: Callable[[Any], pd.DataFrame]
    rows: Callable[[Any], Sequence[int]]
    says: Callable[[Mapping[Any, Any], Any], Says]

    def of_point(self, connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
        """The stored row behind a point, as `provenance.record_receipts` gives it."""
        return self._claims(connection, reading.content, [int(point.model)])

    def of_rows(self, connection: Connection, reading: Reading) -> pd.DataFrame:
        """The stored rows behind the rows of the download, with the number of the row in `row`."""
        rows = self.rows(reading.content)
        return self._claims(connection, reading.content, rows).assign(row=range(len(rows)))

    def _claims(self, connection: Connection, content: Any, rows: Sequence[int]) -> pd.DataFrame:
        return claims_behind(connection, self.frame(content), rows, says=lambda row: self.says(row, content))


# Drawing


def is_narrow(look: Look) -> bool:
    """Whether a look is that of a page without room beside the plot."""
    return look.width is None and look.font_px < style.SCREEN.font_px


def across(look: Look) -> float:
    """Pixels that the time axis has at the least."""
    return look.width * 0.68 if look.width else 270 if is_narrow(look) else 640


def caption(text: str, look: Look, *, top: float) -> dict[str, Any]:
    """A line of text over a panel whose upper edge is at a part of the plot's height; `text` may hold our markup."""
    return {
        "text": text,
        "font": {"size": round(look.font_px * 0.92), "color": style.INK[look.theme].text},
        "showarrow": False,
        "xref": "paper",
        "x": 0,
        "xanchor": "left",
        "yref": "paper",
        "y": top,
        "yanchor": "bottom",
        "yshift": 3,
        "borderpad": 0,
    }


@dataclass(frozen=True)
class Spot:
    """A point that wants a label: its place in pixels from the lower left corner of its panel, and the words.

    `above` tries the places over and under the point before those beside it.
    """

    x: float
    y: float
    text: str
    above: bool = False


def placed(spots: Sequence[Spot], *, width: float, height: float, font_px: float) -> list[tuple[float, float] | None]:
    """Where labels of points go: pixels right of and above the point, to the label's middle; None where there is no
    room.

    Each stands beside, above or below its point, inside the panel, and on no other point or label.
    """
    high = font_px * style.LINE_HEIGHT
    taken = [(spot.x - font_px * 0.4, spot.x + font_px * 0.4, spot.y, spot.y) for spot in spots]
    found: list[tuple[float, float] | None] = []
    for n, spot in enumerate(spots):
        wide = style.text_width(spot.text, font_px)
        beside, over = wide / 2 + font_px * 0.7, high * 0.95
        shifts = [
            *(((0.0, over), (0.0, -over)) if spot.above else ()),
            (beside, 0.0),
            (-beside, 0.0),
            *((side, up) for up in (over, -over, 2 * over, -2 * over) for side in (0.0, beside, -beside)),
        ]
        place = None
        for right, up in shifts:
            box = (
                spot.x + right - wide / 2,
                spot.x + right + wide / 2,
                spot.y + up - high / 2,
                spot.y + up + high / 2,
            )
            inside = box[0] >= 0 and box[1] <= width and box[2] >= -high * 0.3 and box[3] <= height + high * 0.3
            if inside and not any(_meet(box, other) for m, other in enumerate(taken) if m != n):
                place = (right, up)
                taken.append(box)
                break
        found.append(place)
    return found


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def point_label(
    text: str, look: Look, *, at: tuple[Any, float], shift: tuple[float, float], axes: str
) -> dict[str, Any]:
    """A label beside a point of a panel; `axes` is the number of the panel's axes in Plotly's names."""
    return {
        "text": style.escape(text),
        "font": {"size": round(look.font_px * 0.85), "color": style.INK[look.theme].quiet},
        "showarrow": False,
        "xref": "x",
        "yref": f"y{axes}",
        "x": at[0],
        "y": at[1],
        "xanchor": "center",
        "yanchor": "middle",
        "xshift": round(shift[0], 1),
        "yshift": round(shift[1], 1),
        "borderpad": 0,
    }


@dataclass(frozen=True)
class Row:
    """A row of a chart along time: its name, what is said at its end and in which colour; a heading has no marks."""

    name: str
    said: str = ""
    colour: str = ""
    is_heading: bool = False


_ROW, _ROW_WITH_NAME = 27, 42
"""Height of a row on a page in pixels; with the name above the row where there is no room beside it."""

_NARROW = 330
"""Pixels for the words above a row on a page that is narrow."""


def row_layout(
    rows: Sequence[Row], look: Look, *, first: date, last: date, top: float = 3.2, names_px: int = 300, **changes: Any
) -> tuple[dict[str, Any], float]:
    """The layout of rows along time, and how far below a row's middle its marks stand: the names are above them where
    the page is narrow.

    Row n is at height n, the first on top. `top` is the room above the plot in font sizes, `names_px` what the names
    have at the most on a page.
    """
    ink, narrow = style.INK[look.theme], is_narrow(look)
    above, below = round(look.font_px * top), round(look.font_px * 2.6)
    height = look.height if look.width else above + below + max(len(rows), 3) * (_ROW_WITH_NAME if narrow else _ROW)
    # A picture's words take a third of its height.
    room = (look.height * 0.66 if look.width else height - above - below) / max(len(rows), 1)
    font = max(min(round(look.font_px * 0.88), round(room * 0.72)), 9)
    widest = _NARROW if narrow else names_px * (look.width / 1430 if look.width else 1.0)
    ends = [style.fitting(row.said, width=widest * 0.55 if narrow else 400 * font / 12, font_px=font) for row in rows]
    taken = [style.text_width(said, font) + font if narrow and said else 0.0 for said in ends]
    names = [
        style.fitting(row.name, width=widest - beside, font_px=font) for row, beside in zip(rows, taken, strict=True)
    ]
    drop = 0.2 if narrow else 0.0
    written = [
        {
            "text": style.escape(said),
            "font": {"size": font, "color": row.colour or ink.quiet},
            "showarrow": False,
            "xref": "paper",
            "x": 1,
            "xanchor": "right" if narrow else "left",
            "xshift": 0 if narrow else 8,
            "yref": "y",
            "y": n - 0.26 if narrow else n,
            "yanchor": "middle",
            "borderpad": 0,
        }
        for n, (row, said) in enumerate(zip(rows, ends, strict=True))
        if said
    ]
    if narrow:
        written += [
            {
                "text": f"<b>{style.escape(name)}</b>" if row.is_heading else style.escape(name),
                "font": {"size": font, "color": ink.text},
                "showarrow": False,
                "xref": "paper",
                "x": 0,
                "xanchor": "left",
                "yref": "y",
                "y": n - (0.0 if row.is_heading else 0.26),
                "yanchor": "middle",
                # The line of the row goes through it, and not through its words.
                "bgcolor": ink.background,
                "borderpad": 1,
            }
            for n, (row, name) in enumerate(zip(rows, names, strict=True))
        ]
    left = 8 if narrow else max(style.text_width(name, font) for name in names) + look.font_px
    right = 8 if narrow else max(style.text_width(said, font) for said in ends) + look.font_px * 1.6
    layout = style.layout(
        look,
        height=height,
        margin={"l": round(left), "r": round(right), "t": above, "b": below},
        hovermode="closest",
        xaxis={"type": "date", "range": [first.isoformat(), last.isoformat()], "nticks": 6 if narrow else 10},
        yaxis={
            "range": [len(rows) - 0.5, -0.5],
            "zeroline": False,
            "showticklabels": not narrow,
            "tickmode": "array",
            "tickvals": list(range(len(rows))),
            "ticktext": [
                f"<b>{style.escape(name)}</b>" if row.is_heading else style.escape(name)
                for row, name in zip(rows, names, strict=True)
            ],
            "tickfont": {"size": font, "color": ink.text},
            "gridcolor": ink.grid,
        },
        annotations=written,
        **changes,
    )
    return layout, drop
