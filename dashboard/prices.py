"""Prices made comparable: quotes and the lines that they make, in one currency, with one tax, in one year's money.

A quote is a price as it was published. Quotes of one series (market, model, trim, kind, tax, currency) make one line;
two kinds never do. A price holds until the next quote of its line, and nobody knows how long the last one did: a line
ends with it. Converting uses what was published too (rates of the price's own month, taxes and price indices with their
dates), and where one of them is missing it is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Final

from dashboard.selection import Tax
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


# Quotes into lines


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
