"""Prices made comparable: quotes and the lines that they make, in one currency, with one tax, in one year's money.

A quote is a price as it was published. Quotes of one series (market, model, trim, kind, tax, currency) make one line;
two kinds never do. A price holds until the next quote of its line, and nobody knows how long the last one did: a line
ends with it. Converting uses what was published too (rates of the price's own month, taxes and price indices with their
dates), and where one of them is missing it is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Final

import pandas as pd

from dashboard.selection import InvalidSelection, NotPublished, PowertrainChoice, Real, Selection, Tax
from db import Connection, queries
from db.queries import Citation
from db.vocabulary import ALL, DatePrecision, Evidence, PriceKind, RangeCycle, TaxIncluded

EURO: Final = "EUR"

STALE_DAYS: Final = 183
"""For how long after its last quote a price is still taken to hold: half a year, and marked as last known.

A judgement: makers move prices several times a year, so an older quote says little about today."""


@dataclass(frozen=True)
class Quote:
    """A price as it was published.

    `amount` is in units of `currency`; `range_km` was measured by `range_cycle`; what is not stated is None. `row` is
    its place in the frame of the book.
    """

    market: str
    maker: str
    model: str
    trim: str
    powertrain: str
    kind: PriceKind
    currency: str
    tax_included: TaxIncluded
    day: date
    precision: DatePrecision
    amount: float
    battery_kwh: float | None
    range_km: float | None
    range_cycle: RangeCycle
    evidence: Evidence
    note: str
    row: int

    @property
    def is_level(self) -> bool:
        """Whether it held on the day without having begun on it, as far as is known: a level, never a change."""
        return self.precision is DatePrecision.OBSERVED

    @property
    def is_dated(self) -> bool:
        """Whether the day on which it began is known, or at least its month."""
        return self.precision in (DatePrecision.DAY, DatePrecision.WEEK, DatePrecision.MONTH)


@dataclass(frozen=True)
class LineKey:
    """What a line of prices is of: no two kinds, taxes or currencies in one."""

    market: str
    maker: str
    model: str
    trim: str
    powertrain: str
    kind: PriceKind
    currency: str
    tax_included: TaxIncluded


@dataclass(frozen=True)
class Move:
    """A step of a line: what it was before and after. `by` marks one of which only the day is known by when it was."""

    before: Quote
    after: Quote

    @property
    def by(self) -> bool:
        """Whether the step happened some time before its day: it ends in a level."""
        return self.after.is_level

    @property
    def change(self) -> float:
        """The change as a fraction of the price before."""
        return self.after.amount / self.before.amount - 1


@dataclass(frozen=True)
class Standing:
    """The quote that a line gives for a day. `confirmed` where a later quote of the line exists, so that it is known to
    have held; else it is the last known one, `age` days old."""

    quote: Quote
    confirmed: bool
    age: int


@dataclass(frozen=True)
class PriceLine:
    """The quotes of one series, oldest first, one a day."""

    key: LineKey
    quotes: tuple[Quote, ...]

    @property
    def moves(self) -> tuple[Move, ...]:
        """Its steps: consecutive quotes that differ."""
        return tuple(Move(a, b) for a, b in pairwise(self.quotes) if a.amount != b.amount)

    def on(self, day: date) -> Standing | None:
        """What it cost on a day; None before the first quote, and where the last one is older than `STALE_DAYS`.

        Between a quote and a later level that differs nobody knows which of the two held: the earlier one is given, and
        only as last known.
        """
        past = [quote for quote in self.quotes if quote.day <= day]
        if not past:
            return None
        quote, age = past[-1], (day - past[-1].day).days
        following = self.quotes[len(past)] if len(past) < len(self.quotes) else None
        confirmed = age == 0 or (following is not None and (not following.is_level or following.amount == quote.amount))
        return Standing(quote, confirmed, age) if confirmed or age <= STALE_DAYS else None

    @cached_property
    def spells(self) -> tuple[tuple[date, date], ...]:
        """From when to when each of its prices is taken to have held, oldest first.

        To the next quote where that says the same, and else for `STALE_DAYS` at the most: between two prices that
        differ there may have been others that nobody told us.
        """
        found = []
        for quote, following in zip(self.quotes, (*self.quotes[1:], None), strict=True):
            last = quote.day + timedelta(days=STALE_DAYS)
            if following is not None:
                end = following.day - timedelta(days=1)
                last = end if following.amount == quote.amount else min(end, last)
            found.append((quote.day, last))
        return tuple(found)

    def holds(self, day: date) -> bool:
        """Whether one of its prices is taken to have held on a day, see `spells`."""
        return any(first <= day <= last for first, last in self.spells)


def standing_on(lines: Iterable[PriceLine], day: date) -> list[tuple[PriceLine, Standing]]:
    """The prices that are taken to hold on a day, see `PriceLine.spells`: one for each trim and kind.

    List and starting prices are both what the maker asks for: of a trim that is told under both, or with and without
    tax, the one published last is given, since it may have ended the other.
    """
    found: dict[tuple[str, ...], tuple[PriceLine, Standing]] = {}
    for line in lines:
        standing = line.on(day) if line.holds(day) else None
        if standing is None:
            continue
        key = line.key
        kind = PriceKind.LIST if key.kind is PriceKind.STARTING else key.kind
        car = (key.market, key.maker, key.model, key.trim, key.powertrain, key.currency, kind)
        other = found.get(car)
        if other is None or standing.quote.day > other[1].quote.day:
            found[car] = line, standing
    return list(found.values())


# Converting


class CannotConvert(Exception):
    """A price cannot be given as asked, since a rate, tax or index is missing. The text names it and the market."""


@dataclass(frozen=True)
class Terms:
    """How prices are to be given.

    `currency` is a code or `local`; `tax` None leaves it as quoted; `on` fixes the exchange rate to that day's month;
    `base_year` is the year in whose money prices are given, None for the money of their day.
    """

    currency: str = "local"
    tax: Tax | None = None
    on: date | None = None
    base_year: int | None = None


@dataclass(frozen=True)
class TaxRule:
    """The tax on new cars from a day on: `rate` of the price without it, on the part above `above`."""

    rate: float
    above: float = 0.0

    def added(self, net: float) -> float:
        """The price with tax of one without."""
        return net + self.rate * max(net - self.above, 0.0)

    def removed(self, gross: float) -> float:
        """The price without tax of one with it."""
        return gross if gross <= self.above else self.above + (gross - self.above) / (1 + self.rate)


@dataclass(frozen=True)
class Rates:
    """Exchange rates, taxes and consumer prices as published.

    `exchange`: units of a currency per euro, by currency and month (first day). `taxes`: by market and what they apply
    to (`all` or a powertrain) the rules by the day from which they hold, oldest first. `index`: consumer prices by
    market and year.
    """

    exchange: Mapping[tuple[str, date], float] = field(default_factory=dict)
    taxes: Mapping[tuple[str, str], Sequence[tuple[date, TaxRule]]] = field(default_factory=dict)
    index: Mapping[tuple[str, int], float] = field(default_factory=dict)

    def per_euro(self, currency: str, month: date) -> float:
        """Units of a currency per euro in a month; `CannotConvert` where no rate is known."""
        if currency == EURO:
            return 1.0
        rate = self.exchange.get((currency, month.replace(day=1)))
        if rate is None:
            raise CannotConvert(f"no exchange rate of {currency} is known for {month:%Y-%m}")
        return rate

    def tax(self, market: str, powertrain: str, day: date) -> TaxRule:
        """The tax on a new car; `CannotConvert` where no rate is known for the market on the day."""
        return self.tax_since(market, powertrain, day)[1]

    def tax_since(self, market: str, powertrain: str, day: date) -> tuple[date, TaxRule]:
        """The tax on a new car with the day from which it holds; raises as `tax` does."""
        for applies_to in (powertrain, ALL):
            held = [(since, rule) for since, rule in self.taxes.get((market, applies_to), ()) if since <= day]
            if held:
                return held[-1]
        raise CannotConvert(f"no tax rate of {market} is known for {day:%Y-%m}")

    def prices_in(self, market: str, year: int) -> float:
        """The consumer price index of a market in a year; `CannotConvert` where it is not known."""
        level = self.index.get((market, year))
        if level is None:
            raise CannotConvert(f"consumer prices of {market} in {year} are not known")
        return level

    def last_index_year(self, markets: Iterable[str]) -> int | None:
        """The latest year of which the consumer prices of all the markets are known; None where there is none."""
        years = [{year for code, year in self.index if code == market} for market in markets]
        common = set.intersection(*years) if years else set()
        return max(common, default=None)


@dataclass(frozen=True)
class Converted:
    """A price as asked for: `amount` in `currency`, and in words what was done to it."""

    amount: float
    currency: str
    done: tuple[str, ...] = ()


def converted(quote: Quote, terms: Terms, rates: Rates) -> Converted:
    """A quote on some terms: first the tax of its market and day, then consumer prices, then the exchange rate.

    The rate is that of the price's own month, or of the month of `terms.on`; money of a base year is exchanged at the
    mean rate of that year's months. Raises `CannotConvert` where something is missing.
    """
    amount, done = quote.amount, []
    if terms.tax is not None:
        amount, said = _taxed(quote, amount, terms.tax, rates)
        done += said
    if terms.base_year is not None:
        now, then = rates.prices_in(quote.market, terms.base_year), rates.prices_in(quote.market, quote.day.year)
        amount *= now / then
        done.append(f"in money of {terms.base_year}: consumer prices {then:.1f} to {now:.1f}")
    if terms.currency in ("local", quote.currency):
        return Converted(amount, quote.currency, tuple(done))
    months = _months_of_rate(quote, terms)
    of, into = (
        sum(rates.per_euro(code, month) for month in months) / len(months) for code in (quote.currency, terms.currency)
    )
    when = f"{months[0]:%Y-%m}" if len(months) == 1 else f"{months[0]:%Y}"
    done.append(f"1 {terms.currency} = {of / into:.4g} {quote.currency}, mean of {when}")
    return Converted(amount * into / of, terms.currency, tuple(done))


@dataclass(frozen=True)
class Price:
    """A quote with its price as a reader asked for it."""

    quote: Quote
    given: Converted

    @property
    def amount(self) -> float:
        """In units of `given.currency`."""
        return self.given.amount


@dataclass(frozen=True)
class PricedLine:
    """A line with its prices as a reader asked for them, oldest first: never empty, and maybe not of all its quotes."""

    line: PriceLine
    prices: tuple[Price, ...]

    @property
    def key(self) -> LineKey:
        """What the line is of."""
        return self.line.key


def priced(lines: Iterable[PriceLine], terms: Terms, rates: Rates) -> tuple[list[PricedLine], dict[str, list[Quote]]]:
    """Lines on some terms, and by reason the quotes that cannot be given so."""
    found: list[PricedLine] = []
    lacking: dict[str, list[Quote]] = {}
    for line in lines:
        prices = []
        for quote in line.quotes:
            try:
                prices.append(Price(quote, converted(quote, terms, rates)))
            except CannotConvert as reason:
                lacking.setdefault(str(reason), []).append(quote)
        if prices:
            found.append(PricedLine(line, tuple(prices)))
    return found, lacking


def _months_of_rate(quote: Quote, terms: Terms) -> list[date]:
    if terms.on is not None:
        return [terms.on.replace(day=1)]
    if terms.base_year is not None:
        return [date(terms.base_year, month, 1) for month in range(1, 13)]
    return [quote.day.replace(day=1)]


def _taxed(quote: Quote, amount: float, tax: Tax, rates: Rates) -> tuple[float, list[str]]:
    if quote.tax_included is TaxIncluded.UNKNOWN:
        raise CannotConvert(f"whether prices in {quote.market} include tax is not known")
    wanted = TaxIncluded.YES if tax is Tax.INCLUDED else TaxIncluded.NO
    if quote.tax_included is wanted:
        return amount, []
    rule = rates.tax(quote.market, quote.powertrain, quote.day)
    if tax is Tax.INCLUDED and not rule.rate:
        # A market whose list prices leave out taxes that differ from place to place has no one price with tax.
        raise CannotConvert(f"list prices in {quote.market} leave out local taxes, which have no one rate")
    threshold = f" above {rule.above:,.0f}" if rule.above else ""
    if tax is Tax.INCLUDED:
        return rule.added(amount), [f"with {rule.rate:.3g} tax{threshold}"]
    return rule.removed(amount), [f"without {rule.rate:.3g} tax{threshold}"]


# The book


@dataclass(frozen=True)
class Vehicle:
    """What a model is: its size and drive, and its battery and range by one test; what is not known is None."""

    maker: str
    model: str
    powertrain: str
    segment: str
    body: str
    drives: tuple[str, ...]
    battery_kwh: float | None
    range_km: float | None
    range_cycle: RangeCycle
    row: int


@dataclass(frozen=True)
class PriceBook:
    """All that is known of some markets' prices on a day, with what converts them.

    `frame` and `vehicle_frame` are the stored rows, see `queries.records`: quotes and vehicles name their place in
    them. `names` are those of makers and models by slug, `market_names` those of markets by code.
    """

    quotes: tuple[Quote, ...]
    rates: Rates
    vehicles: tuple[Vehicle, ...]
    frame: pd.DataFrame
    vehicle_frame: pd.DataFrame
    rate_frames: Mapping[str, pd.DataFrame]
    names: Mapping[str, str]
    market_names: Mapping[str, str]
    as_of: date | None = None

    def lines(self) -> tuple[PriceLine, ...]:
        """The quotes put together into lines, by key."""
        return price_lines(self.quotes)


def price_lines(quotes: Iterable[Quote]) -> tuple[PriceLine, ...]:
    """Quotes put together into lines, oldest quote first; of two quotes of one line and day the better evidence stands.

    Prices of one series on one day by two sources are one price told twice; the one that began on the day goes before a
    level, and a primary source before the press, the press before a secondary one.
    """
    found: dict[LineKey, dict[date, Quote]] = {}
    for quote in quotes:
        key = LineKey(
            quote.market,
            quote.maker,
            quote.model,
            quote.trim,
            quote.powertrain,
            quote.kind,
            quote.currency,
            quote.tax_included,
        )
        days = found.setdefault(key, {})
        other = days.get(quote.day)
        if other is None or _worth(quote) < _worth(other):
            days[quote.day] = quote
    return tuple(
        PriceLine(key, tuple(days[day] for day in sorted(days)))
        for key, days in sorted(found.items(), key=lambda item: tuple(map(str, _key_text(item[0]))))
    )


_EVIDENCE_ORDER: Final = (Evidence.PRIMARY, Evidence.DISCLOSED, Evidence.PRESS, Evidence.SECONDARY)


def _worth(quote: Quote) -> tuple[bool, int, int]:
    known = quote.evidence in _EVIDENCE_ORDER
    return quote.is_level, _EVIDENCE_ORDER.index(quote.evidence) if known else len(_EVIDENCE_ORDER), quote.row


def _key_text(key: LineKey) -> tuple[str, ...]:
    return key.market, key.maker, key.model, key.trim, key.powertrain, key.kind, key.currency, key.tax_included


def price_book(
    connection: Connection,
    *,
    as_of: date | None = None,
    markets: Sequence[str] = (),
    makers: Sequence[str] = (),
    models: Sequence[str] = (),
    currency: str = "local",
    quotes_only: bool = False,
) -> PriceBook:
    """What is known of prices on a day, of all or of some markets, makers and models.

    With it come the vehicles, taxes and indices of these prices, as known on the day too, and for a `currency` that is
    not `local` the rates that exchange them into it; for a chart of changes in price, `quotes_only`, none of these.
    """
    only = {name: chosen for name, chosen in (("market", markets), ("maker", makers), ("model", models)) if chosen}
    frame = queries.records(connection, "price", as_of=as_of, **only)
    nouns = queries.names(connection)
    book = PriceBook(
        quotes=tuple(_quotes(frame)),
        rates=Rates(),
        vehicles=(),
        frame=frame,
        vehicle_frame=pd.DataFrame(),
        rate_frames={},
        names=nouns.makers_and_models,
        market_names=nouns.markets,
        as_of=as_of,
    )
    if quotes_only:
        return book
    vehicles = queries.records(connection, "vehicle", as_of=as_of, model=set(frame["model"]))
    places = set(frame["market"])
    exchanged = set() if currency == "local" else {currency, *frame["currency"]}
    rates = {
        "fx_rate": queries.exchange_rates(connection, as_of=as_of, currency=exchanged),
        "tax_rate": queries.records(connection, "tax_rate", as_of=as_of, market=places),
        "price_index": queries.records(connection, "price_index", as_of=as_of, market=places),
    }
    return replace(
        book,
        rates=rates_from(**rates),
        vehicles=tuple(_vehicles(vehicles)),
        vehicle_frame=vehicles,
        rate_frames=rates,
    )


def _quotes(frame: pd.DataFrame) -> Iterable[Quote]:
    for row, told in enumerate(frame.to_dict("records")):
        yield Quote(
            market=told["market"],
            maker=told["maker"],
            model=told["model"],
            trim=told["trim"],
            powertrain=told["powertrain"],
            kind=PriceKind(told["price_kind"]),
            currency=told["currency"],
            tax_included=TaxIncluded(told["tax_included"]),
            day=told["effective_from"],
            precision=DatePrecision(told["date_precision"]),
            amount=told["amount"],
            battery_kwh=_stated(told["battery_kwh"]),
            range_km=_stated(told["range_km"]),
            range_cycle=RangeCycle(told["range_cycle"]),
            evidence=Evidence(told["evidence"]),
            note=told["note"],
            row=row,
        )


def _vehicles(frame: pd.DataFrame) -> Iterable[Vehicle]:
    for row, told in enumerate(frame.to_dict("records")):
        yield Vehicle(
            maker=told["maker"],
            model=told["model"],
            powertrain=told["powertrain"],
            segment=told["segment"],
            body=told["body"],
            drives=tuple(told["drive"].split(";")) if told["drive"] else (),
            battery_kwh=_stated(told["battery_kwh"]),
            range_km=_stated(told["range_km"]),
            range_cycle=RangeCycle(told["range_cycle"]),
            row=row,
        )


def _stated(value: float) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def rates_from(*, fx_rate: pd.DataFrame, tax_rate: pd.DataFrame, price_index: pd.DataFrame) -> Rates:
    """The rates in frames of `queries.records`: of the tables of these names, all of them or a part."""
    taxes: dict[tuple[str, str], list[tuple[date, TaxRule]]] = {}
    for told in tax_rate.sort_values("effective_from", kind="stable").to_dict("records"):
        rule = TaxRule(rate=told["rate"], above=told["above"])
        taxes.setdefault((told["market"], told["applies_to"]), []).append((told["effective_from"], rule))
    return Rates(
        exchange={
            (currency, month): rate
            for currency, month, rate in fx_rate[["currency", "period_start", "rate"]].itertuples(index=False)
        },
        taxes=taxes,
        index={
            (market, year): level
            for market, year, level in price_index[["market", "year", "value"]].itertuples(index=False)
        },
    )


# What a reader has chosen


def chosen_book(connection: Connection, selection: Selection) -> PriceBook:
    """The book of a selection's markets, makers and models, of its powertrain, segment and kind, within its dates.

    A maker that is named keeps all its models unless one of them is named too. Raises `InvalidSelection` for a maker,
    model, market, segment or currency that there is no price of.
    """
    book = price_book(
        connection,
        as_of=selection.as_of,
        markets=selection.market,
        makers=selection.makers,
        models=() if selection.makers else selection.models,
        currency=selection.currency,
    )
    known = queries.price_nouns(connection, as_of=selection.as_of)
    if not known.markets:
        raise NotPublished(f"no price was known on {selection.as_of}", nearest=replace(selection, as_of=None))
    for name, chosen, valid in (
        ("market", selection.market, known.markets),
        ("makers", selection.makers, known.makers),
        ("models", selection.models, known.models),
    ):
        for slug in chosen:
            if slug not in valid:
                raise InvalidSelection(f"no price is known of {name}={slug}", name=name, valid=tuple(sorted(valid)))
    _check_currency(connection, selection, book)
    if selection.segment and not any(vehicle.segment.lower() == selection.segment for vehicle in book.vehicles):
        segments = queries.records(connection, "vehicle", as_of=selection.as_of)["segment"].str.lower()
        if selection.segment not in set(segments):
            sizes = tuple(sorted(set(segments) - {""}))
            raise InvalidSelection(f"segment={selection.segment} is unknown", name="segment", valid=sizes)
    narrowed = {quote.maker for quote in book.quotes if quote.model in selection.models}
    of_size = {
        vehicle.model
        for vehicle in book.vehicles
        if not selection.segment or vehicle.segment.lower() == selection.segment
    }
    return replace(
        book,
        quotes=tuple(
            quote
            for quote in book.quotes
            if _is_chosen(quote, selection)
            and (quote.model in selection.models or quote.maker not in narrowed)
            and (not selection.segment or quote.model in of_size)
        ),
    )


def _check_currency(connection: Connection, selection: Selection, book: PriceBook) -> None:
    rated = {"local", EURO, *(currency for currency, _ in book.rates.exchange)}
    if selection.currency not in rated:
        known = queries.exchange_rates(connection, as_of=selection.as_of)["currency"]
        raise InvalidSelection(
            f"no exchange rate of {selection.currency} is known",
            name="currency",
            valid=("local", *sorted({EURO, *known})),
        )


def _is_chosen(quote: Quote, selection: Selection) -> bool:
    drives = {PowertrainChoice.BEV: ("BEV",), PowertrainChoice.PHEV: ("PHEV",)}.get(selection.powertrain)
    month = quote.day.replace(day=1)
    return (
        (drives is None or quote.powertrain in drives)
        and (selection.price_kind is None or quote.kind is selection.price_kind)
        and (selection.since is None or month >= selection.since)
        and (selection.until is None or month <= selection.until)
    )


def terms_of(selection: Selection, book: PriceBook) -> Terms:
    """How a selection wants its prices; `CannotConvert` where real prices are asked of markets without an index."""
    base = None
    if selection.real is Real.REAL:
        markets = sorted({quote.market for quote in book.quotes})
        base = book.rates.last_index_year(markets)
        if base is None:
            lacking = [code for code in markets if book.rates.last_index_year([code]) is None]
            raise CannotConvert(f"consumer prices of {', '.join(lacking or markets)} are not known")
    return Terms(currency=selection.currency, tax=selection.tax, on=selection.date, base_year=base)


def cited(connection: Connection, book: PriceBook, terms: Terms, rows: Iterable[int]) -> tuple[Citation, ...]:
    """The publishers behind some rows of the book, and behind what converted them."""
    frames = [book.frame.iloc[sorted(set(rows))]]
    if terms.currency != "local":
        frames.append(book.rate_frames["fx_rate"])
    if terms.tax is not None:
        frames.append(book.rate_frames["tax_rate"])
    if terms.base_year is not None:
        frames.append(book.rate_frames["price_index"])
    return queries.record_citations(connection, *frames, as_of=book.as_of)
