"""`adas-offers`: which maker offers what driver assistance, free or paid, at what level, and since when.

One row an offer: a package of a maker in a market, with a mark for each day of which its terms are known. Amounts stay
in the money that they were printed in; nothing says how long terms held beyond the last mark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts import fsd_words as words
from dashboard.charts.chart import Chart, Reading, Table, shortest
from dashboard.charts.market_words import listed
from dashboard.charts.price_words import when_text
from dashboard.charts.whole_market import answered
from dashboard.fsd_record import MakerOffer, Term, maker_offers
from dashboard.selection import NotPublished, Selection
from dashboard.style import Figure, Look
from db import Connection, provenance, queries
from db.vocabulary import Billing

DEFAULTS = Selection(market=("CN", "US"))

_USED = ("market", "makers", "since", "until", "as_of")

_SYMBOLS: Mapping[Billing, tuple[str, str]] = {
    Billing.INCLUDED: ("circle", "free"),
    Billing.ONE_OFF: ("square", "once"),
    Billing.MONTH: ("diamond", "by the month or year"),
    Billing.YEAR: ("diamond", "by the month or year"),
    Billing.THREE_YEARS: ("diamond", "by the month or year"),
    Billing.WITHDRAWN: ("x-thin", "ended"),
    Billing.UNSTATED: ("triangle-up", "not stated"),
}
"""The mark of each way of paying, and its name in the legend."""


@dataclass(frozen=True)
class Offers:
    """The offers of a selection: of each market those that are free, then those that are paid, by maker and package.

    `frame` has the stored rows; `others` the markets that have offers too.
    """

    selection: Selection
    offers: tuple[MakerOffer, ...]
    frame: pd.DataFrame
    names: queries.Names
    others: tuple[str, ...]

    def of_market(self) -> dict[str, list[MakerOffer]]:
        """The offers by market, in order."""
        return {code: list(of) for code, of in groupby(self.offers, key=lambda offer: offer.market)}


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What is offered; raises `NotPublished` where nothing is known of the markets, makers and months."""
    instead = (replace(DEFAULTS, as_of=selection.as_of), DEFAULTS)
    found = answered(lambda asked: _offers(connection, asked), selection, *instead)
    rows = [row for offer in found.offers for row in offer.rows]
    shown = found.frame.iloc[rows]
    return Reading(
        selection=selection,
        title=title(found),
        subtitle=_subtitle(found),
        badge=words.record_badge(
            shown["effective_from"],
            shown,
            [t.evidence for o in found.offers for t in o.terms],
            noun="terms",
            today=today,
        ),
        citations=provenance.record_citations(connection, shown, as_of=selection.as_of),
        notes=notes(found),
        content=found,
    )


def _offers(connection: Connection, selection: Selection) -> Offers:
    stored = queries.records(connection, "adas_offer", as_of=selection.as_of)
    names = queries.names(connection)
    if stored.empty:
        when = f" on {style.day_text(selection.as_of)}" if selection.as_of else ""
        raise NotPublished(
            f"no offer of driver assistance was known{when}", nearest=DEFAULTS if selection.as_of else None
        )
    markets = selection.market or tuple(sorted(set(stored["market"])))
    of_makers = stored[stored["maker"].isin(selection.makers)] if selection.makers else stored
    chosen = of_makers[of_makers["market"].isin(markets)]
    dated = [words.in_range(day, selection) for day in chosen["effective_from"]]
    frame = chosen[dated].reset_index(drop=True)
    if frame.empty:
        who = listed([names.makers.get(slug, slug) for slug in selection.makers] or ["any maker"])
        where = listed([names.markets.get(code, code) for code in markets])
        when = " in the range" if len(chosen) else ""
        raise NotPublished(
            f"no offer of driver assistance by {who} is known in {where}{when}",
            nearest=_wider(selection, stored, of_makers, chosen),
        )
    rank = {code: n for n, code in enumerate(markets)}
    return Offers(
        selection=selection,
        offers=tuple(
            sorted(
                maker_offers(frame),
                key=lambda offer: (
                    rank[offer.market],
                    not offer.is_free,
                    names.makers.get(offer.maker, offer.maker).casefold(),
                    offer.package,
                ),
            )
        ),
        frame=frame,
        names=names,
        others=tuple(sorted(set(of_makers["market"]) - set(markets), key=names.markets.__getitem__)),
    )


def _wider(selection: Selection, stored: pd.DataFrame, of_makers: pd.DataFrame, chosen: pd.DataFrame) -> Selection:
    """The same without what leaves nothing."""
    everywhen = replace(selection, since=None, until=None)
    if len(chosen):
        return everywhen
    if len(of_makers):
        return replace(everywhen, market=tuple(sorted(set(of_makers["market"]))))
    here = stored["market"].isin(selection.market or tuple(stored["market"])).any()
    return replace(everywhen, makers=(), market=selection.market if here else DEFAULTS.market)


# Words


def title(found: Offers) -> str:
    """In how many of the makers' offers on record driver assistance is free with the car, market by market."""
    if len({offer.maker for offer in found.offers}) == 1:
        return _title_of_one(found)
    counts = []
    for code, offers in found.of_market().items():
        makers = {offer.maker for offer in offers if offer.is_known}
        free = {offer.maker for offer in offers if offer.is_free}
        if makers:
            counts.append(f"{len(free)} of {len(makers)} makers in {found.names.markets[code]}")
    if not counts:
        return shortest(f"{len(found.offers)} offers of driver assistance, of which no price is known")
    others = [told.replace(" makers", "") for told in counts[1:]]
    said = "Driver assistance is free with the car at"
    return shortest(f"{said} {', '.join([counts[0], *others])}", f"{said} {counts[0]}")


def _title_of_one(found: Offers) -> str:
    offer = max(found.offers, key=lambda each: (each.is_known, each.terms[-1].day))
    who = found.names.makers[offer.maker]
    said = f"{who}'s {offer.package} in {found.names.markets[offer.market]}: {_said(offer)}"
    return shortest(said, f"{who}'s {offer.package}: {_said(offer)}", f"What {who} asks for driver assistance")


def _said(offer: MakerOffer) -> str:
    """The last terms known: `free with the car`, `36,000 CNY once, 720 CNY a month`."""
    last = offer.last
    if any(term.billing in (Billing.INCLUDED, Billing.WITHDRAWN, Billing.UNSTATED) for term in last):
        return words.BILLED[last[0].billing]
    order = list(words.BILLED)
    told = sorted(last, key=lambda term: order.index(term.billing))
    return ", ".join(_terms_text(term) for term in told)


def _subtitle(found: Offers) -> str:
    places = listed([found.names.markets[code] for code in found.of_market()])
    where = places if len(found.of_market()) <= 3 else f"{len(found.of_market())} markets"
    return (
        f"{where}. Driver assistance on offer by the day of its terms, SAE level as the maker claims; money as printed"
    )


def notes(found: Offers) -> tuple[str, ...]:
    """What marks mean, what is said of spread, and what is left out."""
    said = ["A mark is a day of which the terms are known; how long they held beyond the last one is not."]
    terms = [term for offer in found.offers for term in offer.terms]
    weak = sum(words.is_second_hand(term.evidence) for term in terms)
    if weak:
        said.append(f"Hollow: {weak} of {len(terms)} rest on a mirror or digest alone.")
    spread = [
        (offer, term)
        for offer in found.offers
        for term in offer.terms
        if term.attach_unit and term.attach_value is not None
    ]
    if spread:
        offer, term = max(spread, key=lambda pair: pair[1].day)
        who = found.names.makers[offer.maker]
        when = when_text(term.day, term.precision)
        said.append(f"Of spread, last: {who} {offer.package}, {_spread(term.attach_value, term.attach_unit)} ({when}).")
    if found.others and found.selection.market:
        said.append(f"Offers are known in {listed([found.names.markets[code] for code in found.others])} too.")
    return (*said, *words.unused_note(found.selection, DEFAULTS, used=_USED))


def _spread(value: float | None, unit: str) -> str:
    """What is said of an offer's spread: `90 % share of new sales`, `2.56 M cumulative vehicles`."""
    if value is None or not unit:
        return ""
    figure = words.figure_text(value, "share") if "share" in unit else style.units_text(value)
    return f"{figure} {unit.replace('_', ' ')}"


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """A row for each offer, under the name of its market; marks by the way of paying in the maker's colour."""
    found: Offers = reading.content
    ink = style.INK[look.theme]
    rows: list[words.Row] = []
    places: dict[int, int] = {}
    for code, offers in found.of_market().items():
        if len(found.of_market()) > 1:
            rows.append(words.Row(found.names.markets[code], is_heading=True))
        for offer in offers:
            places[id(offer)] = len(rows)
            rows.append(words.Row(_name(offer, found), _said(offer), ink.text if offer.is_free else ink.quiet))
    days = [term.day for offer in found.offers for term in offer.terms]
    room = timedelta(days=max((max(days) - min(days)).days // 25, 20))
    layout, drop = words.row_layout(
        rows,
        look,
        first=min(days) - room,
        last=max(days) + room,
        top=3.4 if not words.is_narrow(look) else 5.4,
        showlegend=True,
        legend={"itemclick": False, "itemdoubleclick": False, "font": {"size": round(look.font_px * 0.88)}},
    )
    layout["legend"] |= {"y": 1 + look.font_px * 0.5 / max(layout["height"] - 80, 1)}
    traces = [_trace(offer, found, look, height=places[id(offer)] + drop) for offer in found.offers]
    used = dict.fromkeys(_SYMBOLS[term.billing] for offer in found.offers for term in offer.terms)
    # The legend shows shapes: colours are makers'.
    traces += [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [None],
            "y": [None],
            "name": name,
            "marker": {"symbol": f"{symbol}-open" if symbol == "x-thin" else symbol, "color": ink.quiet, "size": 9},
            "hoverinfo": "skip",
        }
        for symbol, name in dict.fromkeys(_SYMBOLS.values())
        if (symbol, name) in used
    ]
    return {"data": traces, "layout": layout}


def _name(offer: MakerOffer, found: Offers) -> str:
    level = f", {offer.terms[-1].sae_level}" if offer.terms[-1].sae_level else ""
    return f"{found.names.makers[offer.maker]} {offer.package}{level}"


def _trace(offer: MakerOffer, found: Offers, look: Look, *, height: float) -> dict[str, Any]:
    """The marks of an offer, one for each of its terms; one that tells no price gives way to others of its day."""
    told = {term.day for term in offer.terms if term.billing is not Billing.UNSTATED}
    terms = [term for term in offer.terms if term.billing is not Billing.UNSTATED or term.day not in told]
    colour = style.colour(offer.maker, look.theme, highlight=True)
    shapes = [_SYMBOLS[term.billing][0] for term in terms]
    hollow = [
        words.is_second_hand(term.evidence) or shape == "x-thin" for term, shape in zip(terms, shapes, strict=True)
    ]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": style.escape(_name(offer, found)),
        "x": [term.day.isoformat() for term in terms],
        "y": [height] * len(terms),
        "line": {"color": colour, "width": 1.5},
        "marker": {
            "symbol": [f"{shape}-open" if is_open else shape for shape, is_open in zip(shapes, hollow, strict=True)],
            "size": round(look.font_px * 0.7),
            "color": colour,
            "opacity": 1,
            "line": {"width": 2, "color": colour},
        },
        "text": [style.escape(_text(offer, term, found)) for term in terms],
        "customdata": [[offer.market, offer.maker, str(term.row), term.day.toordinal()] for term in terms],
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
        "cliponaxis": False,
    }


def _terms_text(term: Term) -> str:
    if term.billing in _ALONE:
        return words.BILLED[term.billing]
    if term.amount is None:
        return f"paid {'once' if term.billing is Billing.ONE_OFF else 'by the month or year'}, amount not stated"
    return f"{words.amount_text(term.amount, term.currency)} {words.BILLED[term.billing]}"


_ALONE = (Billing.INCLUDED, Billing.WITHDRAWN, Billing.UNSTATED)


def _text(offer: MakerOffer, term: Term, found: Offers) -> str:
    spread = _spread(term.attach_value, term.attach_unit)
    when = when_text(term.day, term.precision)
    return f"{_name(offer, found)}: {_terms_text(term)}, {when}" + (f"; {spread}" if spread else "")


# Download, table, receipts

_OWN = (
    "package",
    "billing",
    "currency",
    "sae_level",
    "attach_value",
    "attach_unit",
    "date_precision",
    "evidence",
    "url",
    "note",
)


def rows(reading: Reading) -> pd.DataFrame:
    """One row for the terms of an offer on a day, with `DOWNLOAD_COLUMNS` and columns of its own.

    `value` is the amount in `currency`, empty where none is stated; `attach_value` what is said of the spread.
    """
    found: Offers = reading.content
    made, frame = [], found.frame.to_dict("records")
    for offer in found.offers:
        for term in offer.terms:
            stored = frame[term.row]
            amount = term.amount if term.amount is not None else float("nan")
            made.append(
                {
                    "period_start": term.day.isoformat(),
                    "market": offer.market,
                    "maker": offer.maker,
                    "maker_name": found.names.makers[offer.maker],
                    "measure": "price",
                    "value": amount,
                    "low": amount,
                    "high": amount,
                    "unit": term.currency,
                    "flags": "second_hand" if words.is_second_hand(term.evidence) else "",
                    "source": stored["source"],
                    "known_from": stored["known_from"].isoformat(),
                    "package": offer.package,
                    "billing": term.billing.value,
                    "currency": term.currency,
                    "sae_level": term.sae_level,
                    "attach_value": "" if term.attach_value is None else f"{term.attach_value:g}",
                    "attach_unit": term.attach_unit,
                    "date_precision": term.precision.value,
                    "evidence": term.evidence.value,
                    "url": stored["url"],
                    "note": stored["note"],
                }
            )
    return words.download(made, *_OWN)


def table(reading: Reading) -> Table:
    """Every offer's terms, in the order of the plot, the newest first: price, level, spread, evidence."""
    found: Offers = reading.content
    told = found.frame["note"].tolist()
    body = [
        (
            f"{found.names.makers[offer.maker]} {offer.package}",
            found.names.markets[offer.market],
            when_text(term.day, term.precision),
            _terms_text(term),
            term.sae_level or style.MISSING,
            _spread(term.attach_value, term.attach_unit) or style.MISSING,
            term.evidence.value,
            told[term.row] or style.MISSING,
        )
        for offer in found.offers
        for term in reversed(offer.terms)
    ]
    return Table(
        header=("Offer", "Market", "On", "Terms", "Level", "Spread", "Evidence", "Note"),
        rows=tuple(body),
        caption="Terms as printed, in the order of the plot. 'Secondary' is a mirror or digest of what others printed.",
    )


def _says(row: Mapping[Any, Any], found: Offers) -> words.Says:
    lines = found.frame["line"].tolist()
    of_line = {lines[term.row]: (offer, term) for offer in found.offers for term in offer.terms}
    offer, term = of_line[int(row["line"])]
    stated = "; ".join(filter(None, (_terms_text(term), _spread(term.attach_value, term.attach_unit))))
    return words.Says(day=term.day, about=f"{_name(offer, found)}, {found.names.markets[offer.market]}", stated=stated)


_RECEIPTS = words.RecordReceipts(
    frame=lambda found: found.frame,
    rows=lambda found: [term.row for offer in found.offers for term in offer.terms],
    says=_says,
)


ADAS_OFFERS = Chart(
    slug="adas-offers",
    name="Who offers what",
    question="Which driver assistance is free, which is paid, and by whom?",
    defaults=DEFAULTS,
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=_RECEIPTS.of_point,
    row_receipts=_RECEIPTS.of_rows,
    by_day=True,
)
