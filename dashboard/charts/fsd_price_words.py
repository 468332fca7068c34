"""The words of `fsd-price`: what is known of the prices, and its title, subtitle and notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import pandas as pd

from dashboard import style
from dashboard.charts import fsd_words as words
from dashboard.charts.chart import shortest
from dashboard.charts.market_words import listed
from dashboard.charts.price_words import TAXES, money, when_text
from dashboard.fsd_record import HOLDING_MONTHS, MONTHLY, PURCHASE, Ending, OfferLine
from dashboard.prices import Quote, Terms
from dashboard.selection import Selection, Tax
from db.vocabulary import Billing

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


def title(found: Record) -> str:
    """Where purchase has ended and what a month costs, or the last price known; never more than the record says."""
    purchases, months = found.of(PURCHASE), found.of(MONTHLY)
    latest = last_offers(purchases)
    ended = [line for line in latest if line.ending]
    gone = sorted({line.market for line in ended} | {each.market for each in found.ended if each.package == PURCHASE})
    known = sorted({line.market for line in latest} | set(gone))
    monthly = [line.last.amount for line in last_offers(months)]
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


def last_offers(lines: Iterable[OfferLine]) -> list[OfferLine]:
    """The last offer of each market."""
    return list({line.market: line for line in lines}.values())


def _title_of_one(found: Record, line: OfferLine, a_month: str) -> str:
    place = found.names[line.market]
    price = money(line.last.amount, found.currency)
    if line.ending:
        ended = f"{place}: FSD purchase ended in {style.period_text(line.ending.day, 'month')} at {price}"
        return shortest(*([f"{ended}; {a_month}"] if a_month else []), ended, f"{place}: FSD purchase has ended")
    when = when_text(line.last.quote.day, line.last.quote.precision)
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


def subtitle(found: Record) -> str:
    """Where, what, in which money and with which tax."""
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
        f"{when_text(each.day, each.precision)}; its price is not in the record."
        for each in found.ended
        if (each.market, each.package)
        not in {(quote.market, quote.model) for of in found.lacking.values() for quote in of}
    ]
    if found.of(PURCHASE):
        said.append(
            f"Dashed: a purchase spread over {HOLDING_MONTHS} months, nothing taken off for resale; that length is "
            "fixed here, and a judgement."
        )
    loose = [line for line in (*found.of(PURCHASE), *found.of(MONTHLY)) if is_broken(line)]
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
    return tuple(said)


def is_broken(line: OfferLine) -> bool:
    """Whether a step of a line is known by its later level only."""
    own = [price.quote for price in line.priced.prices]
    return any(b.is_level and a.amount != b.amount for a, b in pairwise(own))
