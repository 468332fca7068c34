"""`fsd-price`: what FSD cost, where and when: bought for good, and by the month.

Purchase and month stand in panels of their own, other packages (Autopilot, Enhanced Autopilot, upgrades) in a third.
The end of purchase is an end, never a price of zero. To set one beside the other, a purchase is spread over
`HOLDING_MONTHS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts import fsd_words as words
from dashboard.charts.chart import Chart, Reading, Table
from dashboard.charts.fsd_price_drawing import draw
from dashboard.charts.fsd_price_words import PACKAGES, Record, notes, subtitle, title
from dashboard.charts.market_words import listed
from dashboard.charts.price_words import TAXES, in_names, money, when_text
from dashboard.charts.whole_market import answered
from dashboard.fsd_record import HOLDING_MONTHS, MAKER, Ending, OfferLine, endings, offer_lines, offered_quotes
from dashboard.price_book import rates_from
from dashboard.prices import EURO, CannotConvert, Price, Quote, Rates, Terms, price_lines, priced
from dashboard.selection import Incomparable, NotPublished, Selection, Tax
from db import Connection, provenance, queries
from db.provenance import Citation
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
        subtitle=subtitle(found),
        badge=words.record_badge(
            shown["effective_from"], shown, [Evidence(each) for each in shown["evidence"]], noun="prices", today=today
        ),
        citations=_citations(connection, found, shown),
        notes=(*notes(found), *words.unused_note(found.selection, DEFAULTS, used=_USED)),
        content=found,
    )


def _citations(connection: Connection, found: Record, shown: pd.DataFrame) -> tuple[Citation, ...]:
    return provenance.record_citations(connection, shown, *found.rate_frames, as_of=found.selection.as_of)


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
            when_text(of.day, of.precision),
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
        when = when_text(each.day, each.precision)
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


def _says(row: Mapping[Any, Any], found: Record) -> words.Says:
    billing = Billing(row["billing"])
    stated = words.BILLED[billing]
    if billing is not Billing.WITHDRAWN:
        stated = f"{words.amount_text(row['amount'], row['currency'])} {stated}"
    package = PACKAGES.get(row["package"], row["package"])
    return words.Says(day=row["effective_from"], about=f"{package}, {found.names[row['market']]}", stated=stated)


def _rows_behind(found: Record) -> list[int]:
    stated = [each.quote.row if isinstance(each, Price) else each.row for _, each in _stated(found)]
    return stated + [each.row for each in found.ended]


_RECEIPTS = words.RecordReceipts(
    frame=lambda found: found.frame,
    rows=_rows_behind,
    says=_says,
)


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
    receipts=_RECEIPTS.of_point,
    row_receipts=_RECEIPTS.of_rows,
    by_day=True,
)
