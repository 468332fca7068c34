"""`fsd-price`: what FSD cost, where and when: bought for good, and by the month.

Purchase and month stand in panels of their own, other packages (Autopilot, Enhanced Autopilot, upgrades) in a third.
The end of purchase is an end, never a price of zero. To set one beside the other, a purchase is spread over
`HOLDING_MONTHS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts import fsd_words as words
from dashboard.charts.chart import Chart, Point, Reading, Table, shortest
from dashboard.charts.market_words import listed
from dashboard.charts.price_words import TAXES, in_names, money
from dashboard.charts.whole_market import answered
from dashboard.fsd_record import (
    HOLDING_MONTHS,
    MAKER,
    MONTHLY,
    PURCHASE,
    Ending,
    OfferLine,
    endings,
    offer_lines,
    offered_quotes,
)
from dashboard.prices import (
    EURO,
    CannotConvert,
    Price,
    Quote,
    Rates,
    Terms,
    price_lines,
    priced,
    rates_from,
)
from dashboard.selection import Incomparable, NotPublished, Selection, Tax
from dashboard.style import Figure, Look
from db import Connection, queries
from db.queries import Citation
from db.vocabulary import Billing, Evidence

DEFAULTS = Selection(
    market=("AU", "CA", "CN", "GB", "KR", "NL", "US"),
    currency="USD",
    tax=Tax.EXCLUDED,
    makers=(),
    grain=Selection().grain,
)
"""Seven markets in one currency and without tax, since American prices are printed without."""

_USED = ("market", "makers", "since", "until", "as_of", "currency", "tax", "date")

PACKAGES: Mapping[str, str] = {
    PURCHASE: "FSD",
    MONTHLY: "FSD by the month",
    "AP": "Autopilot",
    "EAP": "Enhanced Autopilot",
    "AP_post_delivery": "Autopilot, after delivery",
    "FSD_post_delivery": "FSD, after delivery",
    "FSD_upgrade_from_EAP": "FSD for EAP owners",
    "FSD_subscription_EAP_owner": "FSD by the month for EAP owners",
}
"""What the record's packages are called."""

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
class Record:
    """What is known of the prices of a selection on its terms.

    `lines` are those drawn, the purchase of a market before its month; `ended` are ends of offers without a known
    price; `lacking` are the markets left out by the reason. `frame` has the stored rows, `others` the markets that have
    prices too.
    """

    selection: Selection
    terms: Terms
    lines: tuple[OfferLine, ...]
    ended: tuple[Ending, ...]
    lacking: Mapping[str, tuple[Quote, ...]]
    frame: pd.DataFrame
    names: Mapping[str, str]
    others: tuple[str, ...]
    rate_frames: tuple[pd.DataFrame, ...]

    def of(self, package: str) -> tuple[OfferLine, ...]:
        """The lines of a package."""
        return tuple(line for line in self.lines if line.package == package)

    @property
    def rest(self) -> tuple[OfferLine, ...]:
        """The lines of other packages that are paid once."""
        return tuple(
            line for line in self.lines if line.package not in (PURCHASE, MONTHLY) and line.billing is Billing.ONE_OFF
        )

    @property
    def reduced(self) -> tuple[OfferLine, ...]:
        """The lines of other packages by the month."""
        return tuple(line for line in self.lines if line.package != MONTHLY and line.billing is Billing.MONTH)

    @property
    def currency(self) -> str:
        """The one currency that all is in."""
        return self.lines[0].last.given.currency

    @property
    def first(self) -> date:
        """The beginning of the time axis."""
        days = [price.quote.day for line in self.lines for price in line.priced.prices]
        return max(min(days), self.selection.since) if self.selection.since else min(days)

    @property
    def end(self) -> date:
        """The end of the time axis: the last price or end of an offer."""
        days = [price.quote.day for line in self.lines for price in line.priced.prices]
        return max(
            [*days, *(line.ending.day for line in self.lines if line.ending), *(each.day for each in self.ended)]
        )


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What is known of the package's prices.

    Raises `Incomparable` for several currencies on one axis, and `NotPublished` where no price is known of the markets,
    in the months, or on the terms.
    """
    instead = (replace(DEFAULTS, as_of=selection.as_of), DEFAULTS)
    found = answered(lambda asked: _record(connection, asked), selection, *instead)
    rows = sorted({row for line in found.lines for row in _rows_of(line)} | {each.row for each in found.ended})
    shown = found.frame.iloc[rows]
    return Reading(
        selection=selection,
        title=title(found),
        subtitle=_subtitle(found),
        badge=words.record_badge(
            shown["effective_from"], shown, [Evidence(each) for each in shown["evidence"]], noun="prices", today=today
        ),
        citations=_citations(connection, found, shown),
        notes=notes(found),
        content=found,
    )


def _citations(connection: Connection, found: Record, shown: pd.DataFrame) -> tuple[Citation, ...]:
    return queries.record_citations(connection, shown, *found.rate_frames, as_of=found.selection.as_of)


def _record(connection: Connection, selection: Selection) -> Record:
    words.check_tesla(selection, of="FSD", nearest=replace(selection, makers=()))
    stored = queries.records(connection, "fsd_price", as_of=selection.as_of)
    names = queries.names(connection).markets
    known = tuple(dict.fromkeys(stored["market"]))
    if not known:
        when = f" on {style.day_text(selection.as_of)}" if selection.as_of else ""
        raise NotPublished(f"no price of FSD was known{when}", nearest=DEFAULTS if selection.as_of else None)
    chosen = selection.market or known
    frame = stored[stored["market"].isin(chosen)].reset_index(drop=True)
    if frame.empty:
        raise NotPublished(
            f"no price of FSD is known of {listed([names.get(code, code) for code in chosen])}",
            nearest=replace(selection, market=DEFAULTS.market, since=None, until=None),
        )
    quotes, ended = _within(offered_quotes(frame), endings(frame), selection)
    if not quotes:
        raise NotPublished(
            f"no price of FSD is known of {listed([names.get(code, code) for code in chosen])} in the range",
            nearest=replace(selection, since=None, until=None) if selection.since or selection.until else DEFAULTS,
        )
    rates, rate_frames = _rates(connection, quotes, selection)
    terms = _terms(selection, rates)
    lines, lacking = priced(price_lines(quotes), terms, rates)
    if not lines:
        reason = in_names(next(iter(lacking)), names)
        raise NotPublished(reason, nearest=_on_other_terms(selection, quotes, rates))
    currencies = sorted({line.prices[-1].given.currency for line in lines})
    if len(currencies) > 1:
        raise Incomparable(
            f"prices in {listed(currencies)} have no one axis: choose a currency, or a market",
            nearest=_on_other_terms(replace(selection, currency=DEFAULTS.currency), quotes, rates),
        )
    offers = offer_lines(lines, ended)
    with_price = {(line.market, line.package) for line in offers}
    return Record(
        selection=selection,
        terms=terms,
        lines=tuple(sorted(offers, key=lambda line: (names[line.market], line.package, line.last.quote.day))),
        ended=tuple(each for each in ended if (each.market, each.package) not in with_price),
        lacking={in_names(reason, names): tuple(of) for reason, of in lacking.items()},
        frame=frame,
        names=names,
        others=tuple(sorted((code for code in known if code not in chosen), key=names.__getitem__)),
        rate_frames=rate_frames,
    )


def _within(
    quotes: Sequence[Quote], ended: Sequence[Ending], selection: Selection
) -> tuple[list[Quote], tuple[Ending, ...]]:
    """What is of the months of a selection: its prices and ends, and of each offer the price that held as it began."""
    ended = tuple(each for each in ended if selection.until is None or each.day.replace(day=1) <= selection.until)
    kept = [quote for quote in quotes if words.in_range(quote.day, selection)]
    since = selection.since
    if since is None:
        return kept, ended
    held: dict[tuple[str, str, str], Quote] = {}
    for quote in sorted((quote for quote in quotes if quote.day < since), key=lambda quote: quote.day):
        held[quote.market, quote.model, quote.trim] = quote
    over = {(each.market, each.package): each.day for each in ended if each.day < since}
    # A price that nobody quoted again, and no end confirms, is not known to have held.
    confirmed = {(each.market, each.model) for each in kept} | {(e.market, e.package) for e in ended if e.day >= since}
    still = [
        quote
        for (market, package, _), quote in held.items()
        if quote.day >= over.get((market, package), date.min) and (market, package) in confirmed
    ]
    return [*still, *kept], tuple(each for each in ended if each.day >= since)


def _rates(
    connection: Connection, quotes: Iterable[Quote], selection: Selection
) -> tuple[Rates, tuple[pd.DataFrame, ...]]:
    """The exchange rates and taxes that the quotes may need, and the stored rows that are used."""
    as_of, on, wanted = selection.as_of, selection.date, selection.currency
    quoted = {quote.currency for quote in quotes}
    # Where all is quoted in the currency already there is nothing to exchange.
    codes = sorted((quoted | {wanted}) - {EURO}) if wanted != "local" and quoted != {wanted} else []
    if codes and on is None:
        dated = queries.exchange_rates(connection, as_of=as_of, currency=[wanted] if wanted != EURO else codes[:1])
        on = max(dated["period_start"], default=None)
    if codes and on is None:
        when = f" on {style.day_text(as_of)}" if as_of else ""
        near = replace(selection, currency="local", tax=None, market=(min(quote.market for quote in quotes),))
        raise NotPublished(f"no exchange rate of {wanted} was known{when}", nearest=near)
    at = [on.replace(day=1)] if on else []
    fx_rate = queries.exchange_rates(connection, as_of=as_of, currency=codes, period_start=at)
    tax_rate = queries.records(connection, "tax_rate", as_of=as_of, market=sorted({quote.market for quote in quotes}))
    none = queries.records(connection, "price_index", as_of=as_of, year=[])
    used = (fx_rate,) if codes else ()
    if selection.tax is not None:
        used = (*used, tax_rate)
    return rates_from(fx_rate=fx_rate, tax_rate=tax_rate, price_index=none), used


def _terms(selection: Selection, rates: Rates) -> Terms:
    """How the prices are to be given: all at the rate of one month, so that a step is one of the price alone."""
    if selection.currency == "local":
        return Terms(tax=selection.tax)
    on = max((month for _, month in rates.exchange), default=None)
    return Terms(currency=selection.currency, tax=selection.tax, on=on)


def _on_other_terms(selection: Selection, quotes: Sequence[Quote], rates: Rates) -> Selection:
    """The nearest selection of other terms on which a price can be given."""
    for candidate in (selection, replace(selection, tax=Tax.EXCLUDED), replace(selection, tax=None)):
        terms = Terms(currency="local", tax=candidate.tax)
        try:
            if priced(price_lines(quotes), terms, rates)[0]:
                return replace(candidate, date=None)
        except CannotConvert:
            continue
    return DEFAULTS


def _rows_of(line: OfferLine) -> list[int]:
    return [price.quote.row for price in line.priced.prices] + ([line.ending.row] if line.ending else [])


# Words


def title(found: Record) -> str:
    """Where purchase has ended and what a month costs, or the last price known; never more than the record says."""
    purchases, months = found.of(PURCHASE), found.of(MONTHLY)
    latest = _latest(purchases)
    ended = [line for line in latest if line.ending]
    gone = sorted({line.market for line in ended} | {each.market for each in found.ended if each.package == PURCHASE})
    known = sorted({line.market for line in latest} | set(gone))
    monthly = [line.last.amount for line in _latest(months)]
    a_month = f"a month costs {_span(monthly, found.currency)}" if monthly else ""
    if len(known) == 1 and latest:
        return _title_of_one(found, latest[0], a_month)
    if gone:
        count = f"all {len(known)}" if len(gone) == len(known) else f"{len(gone)} of {len(known)}"
        said = f"FSD can no longer be bought in {count} markets"
        return shortest(*([f"{said}; {a_month}"] if a_month else []), said)
    if len(latest) > 1:
        return shortest(
            f"FSD cost {_span([line.last.amount for line in latest], found.currency)} in {len(latest)} markets"
        )
    if a_month:
        return shortest(f"FSD: {a_month}", "What FSD costs a month")
    return "What packages beside FSD cost"


def _latest(lines: Iterable[OfferLine]) -> list[OfferLine]:
    """The last offer of each market."""
    return list({line.market: line for line in lines}.values())


def _title_of_one(found: Record, line: OfferLine, a_month: str) -> str:
    place = found.names[line.market]
    price = money(line.last.amount, found.currency)
    if line.ending:
        ended = f"{place}: FSD purchase ended in {style.period_text(line.ending.day, 'month')} at {price}"
        return shortest(*([f"{ended}; {a_month}"] if a_month else []), ended, f"{place}: FSD purchase has ended")
    when = words.when_text(line.last.quote.day, line.last.quote.precision)
    said = f"{place}: FSD cost {price}, last quoted {when.removeprefix('seen ')}"
    before = [each for each in line.priced.prices if round(each.amount) != round(line.last.amount)]
    peak = max(before, key=lambda each: each.amount, default=None)
    more = (
        f", after {money(peak.amount, found.currency)} at the peak" if peak and peak.amount > line.last.amount else ""
    )
    return shortest(f"{said}{more}", said)


def _span(amounts: Sequence[float], currency: str) -> str:
    low, high = money(min(amounts), currency), money(max(amounts), currency)
    return low if low == high else f"{low.removesuffix(f' {currency}')} to {high}"


def _subtitle(found: Record) -> str:
    codes = {line.market for line in found.lines} | {each.market for each in found.ended}
    places = sorted(found.names[code] for code in codes)
    where = listed(places) if len(places) <= 3 else f"{len(places)} markets"
    rate = (
        f" at the mean rate of {style.period_text(found.terms.on, 'month')}"
        if _is_exchanged(found) and found.terms.on
        else ""
    )
    return f"{where}. Tesla's FSD package by day of price, in {found.currency}{rate}, {_tax_text(found)}, as quoted"


def _is_exchanged(found: Record) -> bool:
    return any(price.quote.currency != found.currency for line in found.lines for price in line.priced.prices)


def _tax_text(found: Record) -> str:
    if found.terms.tax is not None:
        return found.terms.tax.meaning
    taxes = {price.quote.tax_included for line in found.lines for price in line.priced.prices}
    if len(taxes) == 1:
        return TAXES[next(iter(taxes))]
    where = {
        tax: listed(sorted({found.names[line.market] for line in found.lines if line.last.quote.tax_included is tax}))
        for tax in taxes
    }
    return "tax as printed: " + "; ".join(f"{text} in {where[tax]}" for tax, text in TAXES.items() if tax in taxes)


def notes(found: Record) -> tuple[str, ...]:
    """What an end is, how a purchase is spread, what steps are not known, what was converted and what is left out."""
    said = []
    has_end = any(line.ending for line in found.lines)
    hollow = any(words.is_second_hand(price.quote.evidence) for line in found.lines for price in line.priced.prices)
    said.append(
        "A cross: not sold any more from that day, an end and no price of zero. " * has_end
        + "Hollow: read in a mirror or digest alone. " * hollow
        + "A line ends with the last price quoted; how long that one held is not known."
    )
    said += [
        f"{found.names[each.market]}: {PACKAGES.get(each.package, each.package)} ended on "
        f"{words.when_text(each.day, each.precision)}; its price is not in the record."
        for each in found.ended
        if (each.market, each.package)
        not in {(quote.market, quote.model) for of in found.lacking.values() for quote in of}
    ]
    if found.of(PURCHASE):
        said.append(
            f"Dashed: a purchase spread over {HOLDING_MONTHS} months, nothing taken off for resale; that length is "
            "fixed here, and a judgement."
        )
    loose = [line for line in (*found.of(PURCHASE), *found.of(MONTHLY)) if _is_broken(line)]
    if loose:
        names = listed(sorted({found.names[line.market] for line in loose}))
        said.append(f"The line of {names} is broken where only a later level is known, not the day of the change.")
    if found.terms.tax is not None and found.lines:
        said.append(
            "Taxes are the standard rate of the market on the day; American prices are printed without."
            if found.terms.tax is Tax.EXCLUDED
            else "Taxes are the standard rate of the market on the day."
        )
    for reason, quotes in found.lacking.items():
        count = f"{len(quotes)} prices are" if len(quotes) > 1 else "1 price is"
        said.append(f"{count} left out: {reason}.")
    if found.others and found.selection.market:
        said.append(f"Prices are known of {listed([found.names[code] for code in found.others])} too.")
    return (*said, *words.unused_note(found.selection, DEFAULTS, used=_USED))


def _is_broken(line: OfferLine) -> bool:
    own = [price.quote for price in line.priced.prices]
    return any(b.is_level and a.amount != b.amount for a, b in pairwise(own))


# Drawing


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
        text = f"{_who(line, found)}: not sold any more from {words.when_text(end.day, end.precision)}"
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
    return f"{text}, {words.when_text(quote.day, quote.precision)}"


def _key(market: str, row: int, day: date) -> list[Any]:
    return [market, MAKER, str(row), day.toordinal()]


def _ends(panel: _Panel, found: Record, look: Look) -> list[style.LineEnd]:
    """A label for each market's last price; where purchase has ended, when."""
    made = []
    for line in _latest(line for line in panel.lines if line not in panel.named):
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


# Download, table, receipts

_OWN = (
    "package",
    "billing",
    "currency",
    "tax",
    "per_month",
    "date_precision",
    "evidence",
    "url",
    "published_price",
    "published_currency",
    "published_tax",
    "converted_by",
    "note",
)


def _stated(found: Record) -> list[tuple[OfferLine, Price | Ending]]:
    return [
        (line, each) for line in found.lines for each in (*line.priced.prices, *((line.ending,) if line.ending else ()))
    ]


def rows(reading: Reading) -> pd.DataFrame:
    """One row a price, in the order of the lines, with `DOWNLOAD_COLUMNS` and columns of its own.

    `period_start` is the day of the price. `per_month`: a purchase over `HOLDING_MONTHS`, in the same currency. The end
    of an offer is a row with the billing `withdrawn` and without a value.
    """
    found: Record = reading.content
    stored = found.frame.to_dict("records")
    made = [_row(each, found, stored, line=line) for line, each in _stated(found)]
    made += [_row(each, found, stored) for each in found.ended]
    return words.download(made, *_OWN)


def _row(
    each: Price | Ending, found: Record, frame: Sequence[Mapping[Any, Any]], *, line: OfferLine | None = None
) -> dict[str, Any]:
    of = each.quote if isinstance(each, Price) else each
    stored, tax = frame[of.row], found.terms.tax.value if found.terms.tax else ""
    row = {
        "period_start": of.day.isoformat(),
        "market": of.market,
        "maker": MAKER,
        "maker_name": "Tesla",
        "measure": "price",
        "source": stored["source"],
        "known_from": stored["known_from"].isoformat(),
        "flags": "second_hand" if words.is_second_hand(of.evidence) else "",
        "package": stored["package"],
        "billing": stored["billing"],
        "date_precision": of.precision.value,
        "evidence": of.evidence.value,
        "url": stored["url"],
        "note": of.note,
        "currency": found.currency,
        "unit": found.currency,
        "tax": tax,
    }
    if not isinstance(each, Price) or line is None:
        return row | {"flags": ";".join(filter(None, (row["flags"], "ended")))}
    return row | {
        "value": each.amount,
        "low": each.amount,
        "high": each.amount,
        "tax": tax or each.quote.tax_included.value,
        "per_month": f"{line.per_month(each):.2f}",
        "published_price": words.amount_text(each.quote.amount, "").replace(",", "").strip(),
        "published_currency": each.quote.currency,
        "published_tax": each.quote.tax_included.value,
        "converted_by": "; ".join(each.given.done),
    }


def table(reading: Reading) -> Table:
    """Every price and end, newest first: as asked for, by the month, as published, and how good the evidence is."""
    found: Record = reading.content
    body: list[tuple[date, tuple[str, ...]]] = []
    for line, each in _stated(found):
        of = each.quote if isinstance(each, Price) else each
        head = (
            words.when_text(of.day, of.precision),
            found.names[of.market],
            PACKAGES.get(line.package, line.package),
        )
        tail = (of.evidence.value, of.note)
        if isinstance(each, Price):
            cells = (
                f"{money(each.amount, found.currency)} {words.BILLED[line.billing]}",
                money(line.per_month(each), found.currency) if line.billing is Billing.ONE_OFF else style.MISSING,
                f"{words.amount_text(each.quote.amount, each.quote.currency)}, {TAXES[each.quote.tax_included]}",
            )
        else:
            cells = (words.BILLED[Billing.WITHDRAWN], style.MISSING, style.MISSING)
        body.append((of.day, (*head, *cells, *tail)))
    for each in found.ended:
        name = PACKAGES.get(each.package, each.package)
        gone = (words.BILLED[Billing.WITHDRAWN], style.MISSING, style.MISSING, each.evidence.value, each.note)
        when = words.when_text(each.day, each.precision)
        body.append((each.day, (when, found.names[each.market], name, *gone)))
    body.sort(key=lambda item: item[0], reverse=True)
    return Table(
        header=(
            "From",
            "Market",
            "Package",
            "Price",
            f"A month, over {HOLDING_MONTHS}",
            "As published",
            "Evidence",
            "Note",
        ),
        rows=tuple(cells for _, cells in body),
        caption="Every price known, newest first. 'Seen' is a level on that day, which may have held before.",
    )


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored row behind a price or an end."""
    found: Record = reading.content
    return words.claims_behind(connection, found.frame, [int(point.model)], says=lambda row: _says(row, found.names))


def row_receipts(connection: Connection, reading: Reading) -> pd.DataFrame:
    """The stored row behind each row of the download."""
    found: Record = reading.content
    places = [each.quote.row if isinstance(each, Price) else each.row for _, each in _stated(found)]
    places += [each.row for each in found.ended]
    claims = words.claims_behind(connection, found.frame, places, says=lambda row: _says(row, found.names))
    return claims.assign(row=range(len(places)))


def _says(row: Mapping[Any, Any], names: Mapping[str, str]) -> words.Says:
    billing = Billing(row["billing"])
    stated = words.BILLED[billing]
    if billing is not Billing.WITHDRAWN:
        stated = f"{words.amount_text(row['amount'], row['currency'])} {stated}"
    package = PACKAGES.get(row["package"], row["package"])
    return words.Says(day=row["effective_from"], about=f"{package}, {names[row['market']]}", stated=stated)


FSD_PRICE = Chart(
    slug="fsd-price",
    name="What FSD costs",
    question="What did FSD cost, where, and when?",
    defaults=DEFAULTS,
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
    row_receipts=row_receipts,
    by_day=True,
)
