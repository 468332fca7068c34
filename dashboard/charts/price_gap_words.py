"""The words of `price-gap`: the pairs of two makers, and title, subtitle and notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dashboard import style
from dashboard.charts.chart import shortest
from dashboard.charts.market_words import listed
from dashboard.charts.price_words import TAXES, Asked, car_name, in_names, model_name, terms_notes
from dashboard.price_book import PriceBook
from dashboard.price_pairs import WITHIN, GapMonth, Gaps, Pair
from dashboard.prices import Price, PriceLine, Terms
from dashboard.selection import Selection

NAMED: Final = 3
"""Cars that a note names before it counts the rest."""


@dataclass(frozen=True)
class Side:
    """One of the two makers: its lines, and those that no pair can be made of, by what nobody states of them."""

    maker: str
    lines: tuple[PriceLine, ...]
    lacking: Mapping[tuple[str, ...], tuple[PriceLine, ...]]


@dataclass(frozen=True)
class PriceGap:
    """The pairs of two makers in one market: `one` is how much dearer or cheaper than `other`."""

    selection: Selection
    book: PriceBook
    terms: Terms
    one: Side
    other: Side
    found: Gaps
    strangers: tuple[str, ...]
    """Models that the reader named and that are of neither maker, by name."""

    @property
    def market(self) -> str:
        """The market's name."""
        return self.book.market_names[self.selection.market[0]]

    @property
    def names(self) -> tuple[str, str]:
        """The names of the two makers."""
        return self.book.names[self.one.maker], self.book.names[self.other.maker]

    @property
    def last(self) -> GapMonth:
        """The newest month that has a pair."""
        return self.found.months[-1]

    @property
    def pairs(self) -> Iterator[tuple[GapMonth, Pair]]:
        """Every pair of every month."""
        return ((month, pair) for month in self.found.months for pair in month.pairs)

    @property
    def latest(self) -> tuple[tuple[GapMonth, Pair], ...]:
        """Each pair as it was last, the newest and then the widest first."""
        last = {pair.cars: (month, pair) for month, pair in self.pairs}
        return tuple(sorted(last.values(), key=lambda each: (-each[0].day.toordinal(), each[1].fraction)))


def title(gap: PriceGap) -> str:
    """By how much the pairs of the newest month are apart, and how many they are."""
    low, _, high = gap.last.spread(money=False)
    one, other = gap.names
    when, pairs = style.period_text(gap.last.month, "month"), gap.last.pairs
    where = f"in {gap.market}"
    if len(pairs) == 1:
        (pair,) = pairs
        cars = [car_name(key, gap.book.names) for key in pair.cars]
        models = [model_name(key, gap.book.names) for key in pair.cars]
        apart = _apart(low)
        return shortest(
            f"{cars[0]}: {apart} {cars[1]} {where}, {when}",
            f"{models[0]}: {apart} {models[1]} {where}, {when}",
            f"{models[0]}: {apart} {models[1]}, {when}",
            f"{one}: {apart} {other} in 1 matched pair, {when}",
        )
    count = f"{len(pairs)} matched pairs"
    texts = [style.share_text(abs(end)) for end in sorted((low, high), key=abs)]
    if (low < 0) is (high < 0) and low and high:
        word = "below" if high < 0 else "above"
        by = texts[0] if texts[0] == texts[1] else f"{texts[0].removesuffix(' %')} to {texts[1]}"
        return shortest(
            f"{one} {by} {word} {other} in {count} {where}, {when}", f"{one} {by} {word} {other} in {count}, {when}"
        )
    return shortest(
        f"{one} against {other}, {count} {where}: {_far(low)} to {_far(high)}, {when}",
        f"{one} against {other}, {count}: {_far(low)} to {_far(high)}, {when}",
    )


def _apart(fraction: float) -> str:
    """`24.1 % below`, `3.0 % above` or `the same price as`."""
    return "the same price as" if abs(fraction) < 0.0005 else _far(fraction)


def _far(fraction: float) -> str:
    if abs(fraction) < 0.0005:
        return "the same"
    return f"{style.share_text(abs(fraction))} {'below' if fraction < 0 else 'above'}"


def subtitle(gap: PriceGap) -> str:
    """Where, who against whom, and on which terms."""
    one, other = gap.names
    currency = gap.last.pairs[0].one_given.currency
    taxes = {pair.one_line.tax_included for _, pair in gap.pairs}
    tax = gap.terms.tax.meaning if gap.terms.tax else "; ".join(text for of, text in TAXES.items() if of in taxes)
    real = f", in money of {gap.terms.base_year}" if gap.terms.base_year else ""
    terms = f"in {currency}, {tax}{real}"
    return shortest(
        f"{gap.market}. {one} less {other}, median and range of matched pairs, {terms}; monthly",
        f"{gap.market}. {one} less {other} in matched pairs, {terms}; monthly",
        f"{one} less {other} in matched pairs, {terms}",
        f"Matched pairs, {terms}",
    )


def notes(gap: PriceGap) -> tuple[str, ...]:
    """What a pair is, where the set of pairs changes, what rests on weaker knowledge, and what is left out."""
    runs, latest = gap.found.runs, gap.latest
    said = [
        "A pair is two trims of one segment and drive, with prices of one kind, whose ranges by the same test differ "
        f"by at most {WITHIN:.0%} of the longer one.".replace("%", " %")
    ]
    if len(runs) > 1:
        said.append(
            f"The line is broken where the pairs change, {_times(len(runs) - 1)}: from one part to the next the gap "
            "moves without any price having moved."
        )
    if any(not pair.confirmed for _, pair in gap.pairs):
        said.append("Hollow: one of the prices is the last known, and no later one confirms that it still held.")
    of_model = sum(1 for _, pair in latest if pair.one_reach.of_model or pair.other_reach.of_model)
    if of_model:
        said.append(f"In {of_model} of {len(latest)} pairs a range is the model's, since none is stated of the trim.")
    is_open = sum(1 for _, pair in latest if pair.is_drive_open)
    if is_open:
        said.append(f"In {is_open} of {len(latest)} pairs a trim names no drive and is taken to have the other's.")
    paired = {key for _, pair in latest for key in pair.cars}
    for name, side in zip(gap.names, (gap.one, gap.other), strict=True):
        for lacks, lines in sorted(side.lacking.items()):
            said.append(
                f"Left out of {name}, since no {' and no '.join(lacks)} is stated: {_cars(lines, gap)} "
                f"({len(lines)} of {len(side.lines)} series)."
            )
    alone = [
        f"{sum(1 for line in side.lines if line.key not in paired) - sum(map(len, side.lacking.values()))} of {name}"
        for name, side in zip(gap.names, (gap.one, gap.other), strict=True)
    ]
    if any(not count.startswith("0 ") for count in alone):
        said.append(f"Known and without a counterpart at the same time: {listed(alone)}.")
    if gap.strangers:
        said.append(f"Of neither maker: {listed(gap.strangers)}.")
    said += [f"Left out: {in_names(why, gap.book.market_names)}." for why in gap.found.refused]
    if gap.selection.date and gap.terms.currency == "local":
        said.append("The day chosen fixes an exchange rate, and none is needed here.")
    prices = [
        Price(replace(standing.quote, day=month.day), given)
        for month, pair in gap.pairs
        for standing, given in ((pair.one, pair.one_given), (pair.other, pair.other_given))
    ]
    terms = replace(gap.terms, currency="local")
    said += terms_notes(Asked(selection=gap.selection, book=gap.book, terms=terms, lines=(), lacking={}), prices)
    if any(price.given.currency != price.quote.currency for price in prices):
        when = style.period_text(gap.terms.on, "month") if gap.terms.on else gap.terms.base_year or "the month shown"
        said.append(f"Both prices are exchanged at the mean rate of {when}, so no gap in % comes from a rate.")
    return tuple(said)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _cars(lines: Sequence[PriceLine], gap: PriceGap) -> str:
    """The models of some lines: the first few by name."""
    models = sorted({gap.book.names.get(line.key.model, "all models") for line in lines})
    more = len(models) - NAMED
    return listed([*models[:NAMED], f"{more} more models"] if more > 0 else models)


def pair_name(pair: Pair, gap: PriceGap) -> str:
    """`BYD Seal 550 / Tesla Model 3 RWD`."""
    return " / ".join(car_name(key, gap.book.names) for key in pair.cars)
