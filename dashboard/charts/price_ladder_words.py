"""The words of `price-ladder`: what cars cost on a day, and title, subtitle and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from dashboard import style
from dashboard.charts.chart import shortest
from dashboard.charts.market_words import listed
from dashboard.charts.price_words import (
    KINDS,
    TAXES,
    Asked,
    car_name,
    model_name,
    money,
    short_money,
    tax_text,
    terms_notes,
)
from dashboard.prices import STALE_DAYS, LineKey, Price, PriceLine, Standing
from db.vocabulary import PriceKind, TaxIncluded

MOST: Final = 16
"""Rows that a picture has room for."""

LISTED: Final = 6
"""Names that a note lists before it counts the rest."""

ASKED_FOR: Final = (PriceKind.LIST, PriceKind.STARTING)
"""The kinds of price that a maker asks for a car."""

TAX_ORDER: Final = (TaxIncluded.YES, TaxIncluded.NO, TaxIncluded.UNKNOWN)


@dataclass(frozen=True)
class Rung:
    """One row: the price of a car that stands on the day."""

    line: PriceLine
    standing: Standing
    price: Price
    label: str

    @property
    def amount(self) -> float:
        """In the ladder's currency."""
        return self.price.amount


@dataclass(frozen=True)
class Ladder:
    """The rows on a day, those with tax before those without, and the cheapest first.

    `found` has the prices of the rows alone, and by reason those that could not be given as asked. `across`: one car in
    several markets. `absent` are the markets, or the models, whose price does not stand on the day, each with the day
    of its newest one; `other_trims` the markets that have the model on the day in another trim only, and `unpriced`
    those chosen that never had a price of it.
    """

    found: Asked
    day: date
    across: bool
    rungs: tuple[Rung, ...]
    absent: tuple[str, ...]
    other_trims: tuple[str, ...]
    unpriced: tuple[str, ...]
    other_kinds: int

    @property
    def drawn(self) -> tuple[Rung, ...]:
        """The rows that are drawn."""
        return self.rungs[:MOST]

    @property
    def is_one_tax(self) -> bool:
        """Whether all prices have tax in them, or none has, so that they can be ranked."""
        return self.found.terms.tax is not None or len({rung.line.key.tax_included for rung in self.rungs}) == 1


def car_of(key: LineKey) -> tuple[str, ...]:
    """What makes a car: its maker, model and powertrain."""
    return key.maker, key.model, key.powertrain


def title(ladder: Ladder) -> str:
    """Where or what is cheapest and dearest, where the prices are alike enough to be ranked."""
    found, rungs = ladder.found, ladder.rungs
    names, places = found.book.names, found.book.market_names
    when = style.day_text(ladder.day)
    tax = f", {tax_text(found)}" if found.terms.tax is not None or ladder.across else ""
    if len(rungs) == 1:
        only = rungs[0]
        return shortest(
            f"{car_name(only.line.key, names)}: {rung_money(only)} in {places[only.line.key.market]}{tax}, {when}",
            f"{car_name(only.line.key, names)}: {rung_money(only)}, {when}",
            f"{model_name(only.line.key, names)}: {rung_money(only)}, {when}",
        )
    return _across(ladder, when, tax) if ladder.across else _within(ladder, when, tax)


def _within(ladder: Ladder, when: str, tax: str) -> str:
    """The cheapest car of a market."""
    found, rungs, least = ladder.found, ladder.rungs, ladder.rungs[0]
    where = found.book.market_names[least.line.key.market]
    what = "trims" if found.selection.models else "models"
    if least.line.key.kind is PriceKind.TRANSACTION_AVG:
        what = "averages paid"
    if not ladder.is_one_tax:
        return shortest(f"{len(rungs)} {what} in {where}, {when}: some prices with tax, so not ranked")
    lowest = [rung.label for rung in rungs if rung.amount == least.amount]
    cheap = listed(lowest) if len(lowest) <= 2 else f"{len(lowest)} of them"
    return shortest(
        f"Lowest of {len(rungs)} {what} in {where}, {when}: {cheap}, {rung_money(least)}{_shade(least)}{tax}",
        f"Lowest of {len(rungs)} {what} in {where}, {when}: {cheap}, {rung_money(least)}{tax}",
        f"Lowest in {where}, {when}: {cheap}, {rung_money(least)}{tax}",
        f"Lowest in {where}, {when}: {model_name(least.line.key, found.book.names)}, {rung_money(least)}{tax}",
        f"Lowest in {where}, {when}: {rung_money(least)}{tax}",
    )


def _across(ladder: Ladder, when: str, tax: str) -> str:
    """Where one car is cheapest and where dearest, among prices that all have tax in them, or all have not."""
    rungs, names = ladder.rungs, ladder.found.book.names
    key = rungs[0].line.key
    car = car_name(key, names)
    if not ladder.is_one_tax:
        # With tax and without are two rankings: the title has the larger one.
        groups = [[rung for rung in rungs if rung.line.key.tax_included is each] for each in TAX_ORDER[:2]]
        ranked = max(groups, key=len)
        if len(ranked) < 2:
            return shortest(
                f"{car} in {len(rungs)} markets, {when}: with and without tax, so not ranked",
                f"{model_name(key, names)} in {len(rungs)} markets, {when}: with and without tax, so not ranked",
                f"{len(rungs)} markets, {when}: with and without tax, so not ranked",
            )
        rungs, tax = tuple(ranked), f", {TAXES[ranked[0].line.key.tax_included]}"
    least, most = rungs[0], rungs[-1]
    if least.amount == most.amount:
        return shortest(
            f"{car} costs {rung_money(least)} in {least.label} as in {most.label}{tax}, {when}",
            f"{car} costs {rung_money(least)}{tax}, {when}",
        )
    at = [_places([rung for rung in rungs if rung.amount == end.amount]) for end in (least, most)]
    ends = f"{rung_money(least)} in {at[0]} to {rung_money(most)} in {at[1]}"
    short = [short_money(each.amount, each.price.given.currency) for each in (least, most)]
    shorter = f"{short[0]} in {at[0]} to {short[1]} in {at[1]}"
    if not key.trim:
        # The cheapest version of two markets need not be one car.
        return shortest(
            f"{car} starts at {rung_money(least)} in {at[0]}, {rung_money(most)} in {at[1]}{tax}, {when}",
            f"{car} starts at {short[0]} in {at[0]}, {short[1]} in {at[1]}{tax}, {when}",
            f"{car} starts at {short[0]} to {short[1]}{tax}, {when}",
        )
    return shortest(
        f"{car}: {ends}{tax}, {when}",
        f"{car}: {shorter}{tax}, {when}",
        f"{model_name(key, names)}: {shorter}{tax}, {when}",
        f"{shorter}{tax}, {when}",
        f"{short[0]} to {short[1]}{tax}, {when}",
    )


def _places(rungs: Sequence[Rung]) -> str:
    return listed([rung.label for rung in rungs]) if len(rungs) < 3 else f"{len(rungs)} markets"


def rung_money(rung: Rung) -> str:
    """The price of a row as asked for."""
    return money(rung.amount, rung.price.given.currency)


def _shade(rung: Rung) -> str:
    return "" if rung.standing.confirmed else " (last known)"


def subtitle(ladder: Ladder) -> str:
    """Where, on which day, and on which terms."""
    found, terms = ladder.found, ladder.found.terms
    kinds = [KINDS[kind] for kind in PriceKind if kind in {rung.line.key.kind for rung in ladder.rungs}]
    what = (
        f"{listed(kinds).capitalize()} prices"
        if set(kinds) <= {KINDS[kind] for kind in ASKED_FOR}
        else kinds[0].capitalize()
    )
    where = (
        car_name(ladder.rungs[0].line.key, found.book.names)
        if ladder.across
        else found.book.market_names[ladder.rungs[0].line.key.market]
    )
    currency = ladder.rungs[0].price.given.currency
    is_exchanged = any(rung.price.quote.currency != currency for rung in ladder.rungs)
    rate = f" at the rate of {style.period_text(terms.on, 'month')}" if is_exchanged and terms.on else ""
    real = f", in money of {terms.base_year}" if terms.base_year else ""
    return shortest(
        f"{where}. {what} on {style.day_text(ladder.day)}, in {currency}{rate}, {tax_text(found)}{real}",
        f"{where}. {what}, in {currency}{rate}, {tax_text(found)}{real}",
        f"{where}. In {currency}{rate}, {tax_text(found)}{real}",
        f"{where}. In {currency}, {tax_text(found)}{real}",
        f"In {currency}, {tax_text(found)}{real}",
    )


def notes(ladder: Ladder) -> tuple[str, ...]:
    """What the marks mean, what is left out and why, and what converting did, in whole sentences."""
    found, rungs = ladder.found, ladder.rungs
    said = []
    last_known = sum(1 for rung in rungs if not rung.standing.confirmed)
    if last_known:
        those = f"{last_known} of {len(rungs)}" if last_known < len(rungs) else "all"
        said.append(
            f"Hollow, {those}: last known before {style.day_text(ladder.day)}, and no later price confirms that it "
            "still held."
        )
    if any(not rung.price.quote.is_dated and not rung.price.quote.is_level for rung in ladder.drawn):
        said.append("A diamond is a price of which only about the day is known.")
    if len(rungs) > MOST:
        said.append(f"The {MOST} cheapest of {len(rungs)} are drawn; all are in the table and the download.")
    if not ladder.across and not found.selection.models and any(_has_dearer(rung, ladder) for rung in rungs):
        said.append("A model with several trims stands at its cheapest price of the day.")
    if not ladder.is_one_tax:
        said.append("Prices with tax come first, then those without, then those of which it is not stated.")
    if ladder.other_trims:
        said.append(f"On this day only other trims have a price in {_counted(ladder.other_trims)}.")
    if ladder.absent:
        said.append(
            f"Left out, without a price on this day or in the {STALE_DAYS} days before it (in brackets the newest "
            f"one): {_counted(ladder.absent)}."
        )
    if ladder.unpriced:
        said.append(f"No such price is known in {_counted(ladder.unpriced)}.")
    if ladder.across and not rungs[0].line.key.trim:
        said.append("No trim is named: this is the cheapest version of each market, which need not be the same car.")
    if ladder.other_kinds:
        said.append(
            f"Not shown: {ladder.other_kinds} series of another kind of price, which is not ranked with "
            f"{'list and starting prices' if not found.selection.price_kind else 'this one'}."
        )
    if found.selection.cycle:
        said.append("No range is part of this chart: the test of ranges makes no difference to it.")
    return (*said, *terms_notes(found, [rung.price for rung in rungs]))


def _has_dearer(rung: Rung, ladder: Ladder) -> bool:
    """Whether another trim of the row's model has a price in the book."""
    key = rung.line.key
    return any(
        (quote.maker, quote.model, quote.powertrain) == car_of(key) and quote.trim != key.trim
        for quote in ladder.found.book.quotes
    )


def _counted(names: Sequence[str]) -> str:
    shown, more = names[:LISTED], len(names) - LISTED
    return listed([*shown, f"{more} more"]) if more > 0 else listed(list(shown))
