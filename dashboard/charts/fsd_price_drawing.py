"""The plot of `fsd-price`: purchase, month and other packages one above the other over the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from dashboard import style
from dashboard.charts import fsd_words as words
from dashboard.charts.chart import Reading
from dashboard.charts.fsd_price_words import PACKAGES, Record, last_offers
from dashboard.charts.price_words import TAXES, money, when_text
from dashboard.fsd_record import HOLDING_MONTHS, MAKER, MONTHLY, PURCHASE, OfferLine
from dashboard.prices import Price, Quote
from dashboard.selection import Tax
from dashboard.style import Figure, Look

_SHORT: Mapping[str, str] = {
    "AP": "AP",
    "EAP": "EAP",
    "AP_post_delivery": "AP later",
    "FSD_post_delivery": "FSD later",
    "FSD_upgrade_from_EAP": "EAP to FSD",
    "FSD_subscription_EAP_owner": "EAP owners",
}
"""The same beside a point."""

_GAP_PX = 4.2
"""Room between panels in font sizes."""


@dataclass(frozen=True)
class _Panel:
    """One panel: its lines, what they are, the part of the height from the bottom, and its axis in Plotly's name.

    `named` are the lines whose points have labels beside them; the others are joined, and labelled at their ends.
    """

    caption: str
    lines: tuple[OfferLine, ...]
    named: tuple[OfferLine, ...]
    domain: tuple[float, float]
    axis: str
    top: float


def draw(reading: Reading, look: Look) -> Figure:
    """Panels one above the other over the same time: purchase, month, other packages; steps from price to price."""
    found: Record = reading.content
    narrow, font = words.is_narrow(look), round(look.font_px * 0.92)
    tax = {None: "", Tax.EXCLUDED: " without tax", Tax.INCLUDED: " with tax"}[found.terms.tax]
    unit = f"{found.currency}{tax}"
    purchases, months = found.of(PURCHASE), (*found.of(MONTHLY), *found.reduced)
    wanted: list[tuple[str, tuple[OfferLine, ...], tuple[OfferLine, ...], float]] = []
    if purchases:
        wanted.append((f"Bought, {unit}", purchases, (), 4.0))
    if months or purchases:
        over = f"; dashed: a purchase over {HOLDING_MONTHS} months" if purchases else ""
        wanted.append((f"By the month, {unit}{'' if narrow else over}", months, found.reduced, 3.2))
    if found.rest:
        wanted.append((f"Other packages, once, {unit}", found.rest, found.rest, 1.8))
    top, bottom = round(look.font_px * 2.0), round(look.font_px * 2.6)
    height = look.height if look.width else top + bottom + round(sum(part for *_, part in wanted) * look.font_px * 4.6)
    panels = _panels(found, wanted, plot_height=height - top - bottom, look=look)
    traces: list[dict[str, Any]] = []
    ends: dict[str, list[style.LineEnd]] = {}
    labels: list[dict[str, Any]] = []
    for panel in panels:
        traces += [_line(line, found, look, axis=panel.axis, joined=line not in panel.named) for line in panel.lines]
        if panel.axis == "y2" and purchases:
            traces += [_spread(line, found, look, axis=panel.axis) for line in purchases]
        ends[panel.axis] = _ends(panel, found, look)
        if not narrow:
            labels += _named_points(panel, found, look, plot_height=height - top - bottom)
    first, last = found.first, found.end
    room = max((last - first).days // 40, 15)
    layout = style.layout(
        look,
        height=height,
        margin={"t": top, "b": bottom, "r": style.end_room([e for of in ends.values() for e in of], font_px=font)},
        hovermode="closest",
        xaxis={
            "type": "date",
            "range": [(first - timedelta(days=room)).isoformat(), (last + timedelta(days=room)).isoformat()],
            "anchor": panels[-1].axis,
        },
    )
    annotations = labels
    for panel in panels:
        name = f"yaxis{panel.axis.removeprefix('y')}"
        layout[name] = {
            **layout["yaxis"],
            "domain": list(panel.domain),
            "range": [0, panel.top],
            "tickformat": "~s" if panel.top >= 10_000 else ",",
            "nticks": 5,
            "anchor": "x",
        }
        annotations.append(words.caption(style.escape(panel.caption), look, top=panel.domain[1]))
        if panel.axis in ends:
            share = panel.domain[1] - panel.domain[0]
            # A picture's words take up to half of its height.
            kept = _fitting(
                ends[panel.axis], share * (look.height * 0.5 if look.width else height - top - bottom), font
            )
            placed = style.line_end_labels(
                kept, height_px=(height - top - bottom) * share, font_px=font, value_range=(0, panel.top)
            )
            annotations += style.end_annotations(placed, font_px=font, yref=panel.axis)
    layout["annotations"] = annotations
    return {"data": traces, "layout": layout}


def _fitting(ends: Sequence[style.LineEnd], height: float, font: int) -> list[style.LineEnd]:
    """As many labels as the panel has room for, the dearest first: the table has all."""
    most = max(int(height // (font * style.LINE_HEIGHT)), 0)
    return list(ends) if len(ends) <= most else sorted(ends, key=lambda end: -end.value)[:most]


def _panels(
    found: Record,
    wanted: Sequence[tuple[str, tuple[OfferLine, ...], tuple[OfferLine, ...], float]],
    *,
    plot_height: float,
    look: Look,
) -> list[_Panel]:
    gap = min(look.font_px * 2.6 / plot_height, 0.15)
    room = 1 - gap * (len(wanted) - 1)
    total = sum(part for *_, part in wanted)
    panels, upper = [], 1.0
    purchases = found.of(PURCHASE)
    for n, (caption, lines, named, part) in enumerate(wanted):
        lower = max(upper - room * part / total, 0.0)
        amounts = [price.amount for line in lines for price in line.priced.prices]
        if n == 1 and purchases:
            amounts += [line.per_month(price) for line in purchases for price in line.priced.prices]
        top = max(amounts, default=1.0) * 1.1
        panels.append(_Panel(caption, lines, named, (lower, upper), "y" if n == 0 else f"y{n + 1}", top))
        upper = lower - gap
    return panels


def _mark(quote: Quote, *, joined: bool) -> str:
    shape = style.symbol(quote.market) if joined else "diamond"
    return f"{shape}-open" if words.is_second_hand(quote.evidence) else shape


def _line(line: OfferLine, found: Record, look: Look, *, axis: str, joined: bool) -> dict[str, Any]:
    """Steps from price to price, a gap where only a later level is known, and a cross where the offer ends."""
    colour = style.colour(line.market, look.theme, highlight=True)
    x: list[str | None] = []
    y: list[float | None] = []
    texts, keys, symbols = [], [], []
    size = round(look.font_px * 0.45)

    def add(day: date, value: float, text: str, key: list[Any], symbol: str) -> None:
        x.append(day.isoformat())
        y.append(float(f"{value:.7g}"))
        texts.append(style.escape(text))
        keys.append(key)
        symbols.append(symbol)

    before: Price | None = None
    for price in line.priced.prices:
        quote = price.quote
        if before and quote.is_level and quote.amount != before.quote.amount:
            x.append(None)
            y.append(None)
            texts.append("")
            keys.append([])
            symbols.append("circle")
        add(
            quote.day,
            price.amount,
            _price_text(price, line, found),
            _key(quote.market, quote.row, quote.day),
            _mark(quote, joined=joined),
        )
        before = price
    if line.ending:
        end = line.ending
        text = f"{_who(line, found)}: not sold any more from {when_text(end.day, end.precision)}"
        add(end.day, line.last.amount, text, _key(end.market, end.row, end.day), "x-thin-open")
    return {
        "type": "scatter",
        "mode": "lines+markers" if joined else "markers",
        "name": style.escape(_who(line, found)),
        "x": x,
        "y": y,
        "yaxis": axis,
        "line": {"color": colour, "width": 2, "shape": "hv", "dash": style.dash(line.market)},
        "marker": {
            "color": colour,
            "opacity": 1,
            "symbol": symbols,
            "size": [size * 2 if symbol == "x-thin-open" else round(size * 1.3) for symbol in symbols],
            "line": {"width": [2.5 if symbol == "x-thin-open" else 1.5 for symbol in symbols], "color": colour},
        },
        "text": texts,
        "customdata": keys,
        "hovertemplate": "%{text}<extra></extra>",
        "connectgaps": False,
        "cliponaxis": True,
    }


def _spread(line: OfferLine, found: Record, look: Look, *, axis: str) -> dict[str, Any]:
    """A purchase by the month, dashed, as long as it was offered."""
    x: list[str] = [price.quote.day.isoformat() for price in line.priced.prices]
    y = [line.per_month(price) for price in line.priced.prices]
    if line.ending:
        x, y = [*x, line.ending.day.isoformat()], [*y, y[-1]]
    where = found.names[line.market]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": style.escape(f"{where}, bought"),
        "x": x,
        "y": [float(f"{each:.5g}") for each in y],
        "yaxis": axis,
        "line": {
            "color": style.colour(line.market, look.theme, highlight=True),
            "width": 1.2,
            "shape": "hv",
            "dash": "dash",
        },
        "text": [
            style.escape(
                f"{where}: bought, {words.amount_text(round(each), found.currency)} a month over {HOLDING_MONTHS}"
            )
            for each in y
        ],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _who(line: OfferLine, found: Record) -> str:
    return f"{found.names[line.market]}, {PACKAGES.get(line.package, line.package)}"


def _price_text(price: Price, line: OfferLine, found: Record) -> str:
    given, quote = price.given, price.quote
    published = words.amount_text(quote.amount, quote.currency)
    text = f"{_who(line, found)}: {money(given.amount, given.currency)}"
    if given.done:
        text += f" (published: {published}, {TAXES[quote.tax_included]})"
    return f"{text}, {when_text(quote.day, quote.precision)}"


def _key(market: str, row: int, day: date) -> list[Any]:
    return [market, MAKER, str(row), day.toordinal()]


def _ends(panel: _Panel, found: Record, look: Look) -> list[style.LineEnd]:
    """A label for each market's last price; where purchase has ended, when."""
    made = []
    for line in last_offers(line for line in panel.lines if line not in panel.named):
        amount = money(line.last.amount, found.currency).removesuffix(f" {found.currency}")
        ended = f", ended {style.period_text(line.ending.day, 'month')}" if line.ending else ""
        colour = style.colour(line.market, look.theme, highlight=True)
        made.append(style.LineEnd(f"{found.names[line.market]} {amount}{ended}", line.last.amount, colour))
    return made


def _named_points(panel: _Panel, found: Record, look: Look, *, plot_height: float) -> list[dict[str, Any]]:
    """Labels beside the points of other packages."""
    first, days = found.first, max((found.end - found.first).days, 1)
    width, height = words.across(look), plot_height * (panel.domain[1] - panel.domain[0])
    marks: list[tuple[date, float, str]] = []
    for line in panel.named:
        name = f"{line.market} {_SHORT.get(line.package, line.package)}"
        marks += [(price.quote.day, price.amount, name) for price in line.priced.prices]
        marks += [(line.ending.day, line.last.amount, f"{name} ends")] if line.ending else []
    marks = [mark for mark in marks if mark[0] >= first]
    spots = [
        words.Spot(x=width * ((day - first).days / days * 0.95 + 0.025), y=height * amount / panel.top, text=text)
        for day, amount, text in marks
    ]
    places = words.placed(spots, width=width, height=height, font_px=round(look.font_px * 0.85))
    axes = panel.axis.removeprefix("y")
    return [
        words.point_label(text, look, at=(day.isoformat(), amount), shift=place, axes=axes)
        for (day, amount, text), place in zip(marks, places, strict=True)
        if place
    ]
