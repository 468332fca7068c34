"""The words of the price charts: money, cars, kinds and dates; on which terms prices are given, and what is refused.

`asked` is where every price chart begins: the quotes of a selection on the reader's terms.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from dashboard import style
from dashboard.charts.chart import CARS, Badge
from dashboard.charts.market_words import listed
from dashboard.price_book import PriceBook, chosen_book, terms_of
from dashboard.prices import EURO, STALE_DAYS, CannotConvert, LineKey, Price, PricedLine, Quote, Terms, priced
from dashboard.selection import Incomparable, InvalidSelection, NotPublished, Real, Selection, Tax
from db import Connection
from db.vocabulary import ALL, DatePrecision, PriceKind, TaxIncluded

KINDS: Mapping[PriceKind, str] = {
    PriceKind.LIST: "list",
    PriceKind.STARTING: "starting",
    PriceKind.AFTER_INCENTIVE: "after incentive",
    PriceKind.TRANSACTION_AVG: "average paid, an estimate",
}
"""What a kind of price is called behind a car's name."""

TAXES: Mapping[TaxIncluded, str] = {
    TaxIncluded.YES: "with tax",
    TaxIncluded.NO: "without tax",
    TaxIncluded.UNKNOWN: "tax not stated",
}


@dataclass(frozen=True)
class Asked:
    """The prices of a selection on the reader's terms.

    `lines` are in the order of their keys; `lacking` are the quotes that cannot be given so, by the reason in words.
    """

    selection: Selection
    book: PriceBook
    terms: Terms
    lines: tuple[PricedLine, ...]
    lacking: Mapping[str, tuple[Quote, ...]]

    @property
    def prices(self) -> tuple[Price, ...]:
        """All prices of the lines."""
        return tuple(price for line in self.lines for price in line.prices)

    @property
    def markets(self) -> tuple[str, ...]:
        """The codes of the markets that have a line."""
        return tuple(dict.fromkeys(line.key.market for line in self.lines))


def asked(connection: Connection, selection: Selection) -> Asked:
    """The prices that a selection asks for.

    Raises `InvalidSelection` for names that no price is known of, and `NotPublished` where nothing is known, or where
    no price can be given on the terms for lack of a rate, tax or index. Where only some cannot, they are in `lacking`.
    """
    book = chosen_book(connection, selection)
    if not book.quotes:
        raise NotPublished(_nothing_known(book, selection), nearest=_wider(selection))
    lines = book.lines()
    try:
        terms = terms_of(selection, book)
        found, lacking = priced(lines, terms, book.rates)
        reason = next(iter(lacking), "")
    except CannotConvert as refused:
        terms, found, lacking, reason = Terms(), [], {}, str(refused)
    if not found:
        raise NotPublished(in_names(reason, book.market_names), nearest=_on_other_terms(selection, book))
    return Asked(
        selection=selection,
        book=book,
        terms=terms,
        lines=tuple(found),
        lacking={in_names(why, book.market_names): tuple(quotes) for why, quotes in lacking.items()},
    )


def _nothing_known(book: PriceBook, selection: Selection) -> str:
    named = [book.names.get(slug, slug) for slug in selection.models or selection.makers]
    cars = listed(named) if named else "any car"
    # Without a market all of them are looked at.
    places = listed([book.market_names.get(code, code) for code in selection.market] or ["any market"])
    kind = f" {KINDS[selection.price_kind].split(',')[0]}" if selection.price_kind else ""
    size = f" of segment {selection.segment.upper()}" if selection.segment else ""
    when = " in the range" if selection.since or selection.until else ""
    drive = "" if selection.powertrain == ALL else f", among {CARS[selection.powertrain]},"
    return f"no{kind} price of {cars}{size} in {places}{drive} is known{when}"


def _wider(selection: Selection) -> Selection:
    """The same without what narrows it most."""
    if selection.since or selection.until:
        return replace(selection, since=None, until=None)
    if selection.price_kind or selection.segment:
        return replace(selection, price_kind=None, segment=None)
    return replace(selection, makers=(), models=())


def _on_other_terms(selection: Selection, book: PriceBook) -> Selection:
    """The nearest terms on which a price of the book can be given."""
    for changed in (
        replace(selection, tax=None),
        replace(selection, real=Real.NOMINAL),
        replace(selection, date=None),
        replace(selection, tax=None, real=Real.NOMINAL),
    ):
        try:
            if priced(book.lines(), terms_of(changed, book), book.rates)[0]:
                return changed
        except CannotConvert:
            continue
    return replace(selection, tax=None, real=Real.NOMINAL, date=None, currency="local")


def check_alike(found: Asked) -> None:
    """Raise `Incomparable` where prices would stand on one axis in unlike currencies, or some with tax, some without.

    Within one market unlike taxes are left to the chart, which names them.
    """
    names, selection = found.book.market_names, found.selection
    by_currency: dict[str, list[str]] = {}
    for price in found.prices:
        by_currency.setdefault(price.given.currency, []).append(names[price.quote.market])
    if len(by_currency) > 1:
        sides = [f"{code} ({listed(sorted(set(of)))})" for code, of in sorted(by_currency.items())]
        raise Incomparable(
            f"prices in {listed(sides)} have no one axis: choose a currency", nearest=replace(selection, currency=EURO)
        )
    if selection.tax is not None or len(found.markets) < 2:
        return
    by_tax: dict[TaxIncluded, list[str]] = {}
    for price in found.prices:
        by_tax.setdefault(price.quote.tax_included, []).append(names[price.quote.market])
    if len(by_tax) > 1:
        sides = [f"{TAXES[tax]}: {listed(sorted(set(of)))}" for tax, of in sorted(by_tax.items(), reverse=True)]
        raise Incomparable(
            f"some of these prices include tax and some do not ({'; '.join(sides)}): choose with or without tax",
            nearest=replace(selection, tax=Tax.EXCLUDED),
        )


def check_known(selection: Selection, names: Mapping[str, str]) -> None:
    """Raise `InvalidSelection` for a maker or model that nobody has heard of, for a chart that reads all of them."""
    for name, chosen in (("makers", selection.makers), ("models", selection.models)):
        for slug in chosen:
            if slug not in names:
                raise InvalidSelection(f"{name}={slug} is unknown", name=name)


def in_names(reason: str, market_names: Mapping[str, str]) -> str:
    """A reason with the names of markets in place of their codes."""
    return re.sub(r"\b[A-Z]{2,8}\b", lambda code: market_names.get(code[0], code[0]), reason)


# Money, cars, dates


def money(amount: float, currency: str) -> str:
    """`263,500 CNY`, in whole units."""
    return f"{style.units_text(round(amount))} {currency}" if abs(amount) < 1e6 else f"{amount:,.0f} {currency}"


def short_money(amount: float, currency: str) -> str:
    """`35.2k EUR`: three digits or more, for labels."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(amount) >= size:
            number = f"{amount / size:.2f}" if abs(amount) < 10 * size else f"{amount / size:.1f}"
            return f"{number}{unit} {currency}"
    return money(amount, currency)


def change_text(fraction: float) -> str:
    """`15.2 % less`, `1.8 % more` or `the same`."""
    if abs(fraction) < 0.0005:
        return "the same"
    return f"{style.share_text(abs(fraction))} {'less' if fraction < 0 else 'more'}"


def when_text(day: date, precision: DatePrecision) -> str:
    """A day as exactly as it is known: `23 Jul 2026`, `Jul 2026`, `about 5 Feb 2026`, `seen 23 Jul 2026`."""
    if precision in (DatePrecision.MONTH, DatePrecision.QUARTER, DatePrecision.YEAR):
        return style.period_text(day, precision.value)
    before = {
        DatePrecision.OBSERVED: "seen ",
        DatePrecision.WEEK: "week of ",
        DatePrecision.APPROXIMATE: "about ",
        DatePrecision.INFERRED: "about ",
    }
    return before.get(precision, "") + style.day_text(day)


def day_of(quote: Quote) -> str:
    """Since when a price stands, as `when_text`."""
    return when_text(quote.day, quote.precision)


def month_of(quote: Quote) -> str:
    """The month for titles: `Jan 2023`, `about Oct 2022` where the day is a guess; a year where only that is known."""
    if quote.precision in (DatePrecision.QUARTER, DatePrecision.YEAR):
        return style.period_text(quote.day, quote.precision.value)
    guess = quote.precision in (DatePrecision.APPROXIMATE, DatePrecision.INFERRED)
    return ("about " if guess else "") + style.period_text(quote.day, "month")


def in_time(price: Price, line: PricedLine) -> str:
    """`in Jan 2023` or `about Oct 2022`; the day where the month has several prices of the line."""
    quote, month = price.quote, month_of(price.quote)
    same = [each for each in line.prices if each.quote.day.replace(day=1) == quote.day.replace(day=1)]
    if len(same) > 1:
        guess = month.startswith("about")
        return f"{'about' if guess else 'on'} {style.day_text(quote.day)}"
    return month if month.startswith("about") else f"in {month}"


def model_name(of: Quote | LineKey, names: Mapping[str, str]) -> str:
    """`Tesla Model Y`; `Tesla, all models`; `All makers`."""
    if of.maker == ALL:
        return "All makers"
    return f"{names[of.maker]}, all models" if of.model == ALL else f"{names[of.maker]} {names[of.model]}"


def car_name(of: Quote | LineKey, names: Mapping[str, str]) -> str:
    """The model with its trim: `Tesla Model Y RWD`."""
    # An average over a brand or a market says so in its trim too.
    return f"{model_name(of, names)} {of.trim if ALL not in (of.maker, of.model) else ''}".strip()


def price_name(of: Quote | LineKey, names: Mapping[str, str]) -> str:
    """What the price is of, with its kind: `Tesla Model Y RWD, list`."""
    return f"{car_name(of, names)}, {KINDS[of.kind]}"


def quote_text(price: Price) -> str:
    """A price for a reader who points at it: as asked for, as published if that differs, and since when."""
    quote, given = price.quote, price.given
    text = money(given.amount, given.currency)
    if given.done:
        text += f" (published: {money(quote.amount, quote.currency)})"
    return f"{text}, {day_of(quote)}"


# Terms


def terms_text(found: Asked) -> str:
    """Currency, tax and money of which year: `in CNY, with tax, as quoted`."""
    terms = found.terms
    currencies = sorted({price.given.currency for price in found.prices})
    if terms.currency == "local":
        rate = ""
    elif terms.on:
        rate = f" at the rate of {style.period_text(terms.on, 'month')}"
    elif terms.base_year:
        rate = f" at the mean rate of {terms.base_year}"
    else:
        rate = " at the rate of each price's month"
    money_of = f"in money of {terms.base_year}" if terms.base_year else "as quoted"
    return f"in {listed(currencies)}{rate}, {tax_text(found)}, {money_of}"


def tax_text(found: Asked) -> str:
    """`with tax`, `without tax`, or which of them is mixed."""
    if found.terms.tax is not None:
        return found.terms.tax.meaning
    taxes = {price.quote.tax_included for price in found.prices}
    return "; ".join(text for tax, text in TAXES.items() if tax in taxes)


def place_text(found: Asked) -> str:
    """The markets by name, or how many they are."""
    names = [found.book.market_names[code] for code in found.markets]
    return listed(names) if len(names) <= 3 else f"{len(names)} markets"


def in_place(name: str) -> str:
    """A market's name behind a preposition: `China`, `the United States`."""
    return f"the {name}" if name.startswith(("United", "Netherlands")) else name


def terms_notes(found: Asked, prices: Sequence[Price] | None = None) -> list[str]:
    """What converting did and what could not be converted, in whole sentences: taxes with their dates, rates, indices.

    `prices` are those that are shown, by default all.
    """
    shown = found.prices if prices is None else prices
    terms, notes = found.terms, []
    if terms.tax is not None and (rules := _tax_rules(found, shown)):
        notes.append(f"Tax rates used: {'; '.join(rules)}.")
    if terms.currency != "local" and any(price.quote.currency != terms.currency for price in shown):
        which = (
            f"the mean of {style.period_text(terms.on, 'month')}"
            if terms.on
            else f"the mean of {terms.base_year}"
            if terms.base_year
            else "the mean of the price's own month"
        )
        notes.append(f"Exchanged at {which}: a change in {terms.currency} is one of the price and of the rate.")
    if terms.base_year is not None:
        notes.append(
            f"In money of {terms.base_year}, by the yearly mean of each market's consumer prices: within a year prices "
            "are not corrected."
        )
    if terms.tax is None and any(price.quote.tax_included is TaxIncluded.UNKNOWN for price in shown):
        places = sorted({p.quote.market for p in shown if p.quote.tax_included is TaxIncluded.UNKNOWN})
        notes.append(
            f"Whether tax is in the prices of {listed([found.book.market_names[code] for code in places])} is not "
            "stated by their sources."
        )
    for reason, quotes in found.lacking.items():
        count = f"{len(quotes)} prices are" if len(quotes) > 1 else "1 price is"
        notes.append(f"{count} left out: {reason}.")
    return notes


def _tax_rules(found: Asked, prices: Iterable[Price]) -> list[str]:
    """`China 13 % (from 1 Apr 2019)`: the rates that took tax off or put it on, with the day from which each held."""
    wanted = TaxIncluded.YES if found.terms.tax is Tax.INCLUDED else TaxIncluded.NO
    used: set[tuple[str, date, float, float]] = set()
    for price in prices:
        quote = price.quote
        if quote.tax_included is not wanted:
            since, rule = found.book.rates.tax_since(quote.market, quote.powertrain, quote.day)
            used.add((quote.market, since, rule.rate, rule.above))
    return [
        f"{found.book.market_names[code]} {rate * 100:.3g} %"
        + (f" above {above:,.0f}" if above else "")
        + f" (from {style.day_text(since)})"
        for code, since, rate, above in sorted(used)
    ]


# Freshness


def price_badge(quotes: Collection[Quote], *, known: date | None, on: date) -> Badge:
    """The badge of prices: the newest one, as known when; amber where that is older than `STALE_DAYS` on the day."""
    newest = max(quote.day for quote in quotes)
    parts = [f"prices to {style.day_text(newest)}"]
    if known:
        parts.append(f"as known {style.day_text(known)}")
    reason = ""
    if (on - newest).days > STALE_DAYS:
        reason = "The newest of these prices is more than half a year old: what is asked now is not known."
    return Badge(text=" · ".join(parts), amber=bool(reason), reason=reason)
