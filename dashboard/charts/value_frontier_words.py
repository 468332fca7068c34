"""The words of `value-frontier`: the cars that were found, and title, subtitle and notes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from dashboard import style
from dashboard.charts.chart import shortest
from dashboard.charts.market_words import listed
from dashboard.charts.price_words import KINDS, Asked, car_name, money, tax_text, terms_notes, terms_text
from dashboard.price_book import Vehicle
from dashboard.prices import Price, Standing
from dashboard.selection import PowertrainChoice, Selection
from db.vocabulary import PriceKind, RangeCycle

WIDE_SPREAD = 4.0
"""Dearest to cheapest from which prices are drawn to a logarithmic scale: one dear car would press all others aside."""


@dataclass(frozen=True)
class Car:
    """A car with its price on the day and its range.

    `vehicle` is where the range is from if the quote has none: then it is the model's, whatever the trim. `standing`
    says whether the price is known to have held.
    """

    price: Price
    standing: Standing
    range_km: float
    battery_kwh: float | None
    vehicle: Vehicle | None
    is_efficient: bool = False

    @property
    def per_km(self) -> float:
        """Money for one kilometre of range."""
        return self.price.amount / self.range_km

    @property
    def per_kwh(self) -> float | None:
        """Money for one kWh of battery; None where its size is not known."""
        return self.price.amount / self.battery_kwh if self.battery_kwh else None


@dataclass(frozen=True)
class Frontier:
    """The cars of a market on a day, cheapest first.

    `stale` are cars with a range whose last price is too old to be taken for that of the day; `unranged` and `other`
    count prices that stood without a range, and with one by another test or of another kind of price.
    """

    selection: Selection
    found: Asked
    day: date
    cycle: RangeCycle
    cars: tuple[Car, ...]
    stale: tuple[Price, ...]
    unranged: int
    other_tests: tuple[tuple[RangeCycle, int], ...]
    rentals: int

    @property
    def efficient(self) -> tuple[Car, ...]:
        """The cars on the frontier, cheapest first."""
        return tuple(car for car in self.cars if car.is_efficient)

    @property
    def currency(self) -> str:
        """What the prices are in."""
        return self.cars[0].price.given.currency

    def is_named(self, car: Car) -> bool:
        """Whether the reader named its maker or model."""
        quote = car.price.quote
        return quote.maker in self.selection.makers or quote.model in self.selection.models


def full_name(car: Car, frontier: Frontier) -> str:
    """'BYD Seagull Honor Edition Free', with 'starting' where the price is of no named trim."""
    quote = car.price.quote
    kind = f" ({KINDS[quote.kind]})" if quote.kind is not PriceKind.LIST else ""
    return car_name(quote, frontier.found.book.names) + kind


def title(frontier: Frontier) -> str:
    """Which car costs least for each kilometre, or how many of a named maker's cars nobody beats.

    Neutral where two cars cost the same for a kilometre, or where the range is of a model and not of the trim.
    """
    place = frontier.found.book.market_names[frontier.selection.market[0]]
    when = style.day_text(frontier.day)
    count, names = len(frontier.cars), frontier.found.book.names
    if count == 1:
        only = frontier.cars[0]
        told = f"{only.range_km:.0f} km by {frontier.cycle} for {money(only.price.amount, frontier.currency)}"
        return shortest(
            f"{place}, {when}: {full_name(only, frontier)}, {told}",
            f"{place}, {when}: the one car with a range has {told}",
        )
    if len(frontier.selection.makers) == 1 and not frontier.selection.models:
        name = names[frontier.selection.makers[0]]
        own = [car for car in frontier.cars if frontier.is_named(car)]
        if own:
            best = sum(car.is_efficient for car in own)
            told = (
                f"{best} of {name}'s {len(own)} cars {'is' if best == 1 else 'are'} beaten by none on range for money"
            )
            return shortest(f"{place}, {when}: {told}", f"{when}: {told}", told)
    neutral = f"{place}, {when}: range and price of {count} cars, {len(frontier.efficient)} of them on the frontier"
    by_price = sorted(frontier.cars, key=lambda car: car.per_km)
    first, second = by_price[:2]
    if first.vehicle or not first.per_km < second.per_km:
        return shortest(neutral, f"{place}, {when}: range and price of {count} cars")
    each = f"{money(first.per_km, frontier.currency)} a km"
    told = f"of {count} cars {full_name(first, frontier)} gives most range for money"
    return shortest(
        f"{place}, {when}: {told}, {each}",
        f"{place}, {when}: {told}",
        f"{when}: {told}",
        f"{place}, {when}: of {count} cars {car_name(first.price.quote, names)} gives most range for money",
        neutral,
    )


def subtitle(frontier: Frontier) -> str:
    """Where, on which day, range against price, and on which terms."""
    place = frontier.found.book.market_names[frontier.selection.market[0]]
    drive = frontier.cars[0].price.quote.powertrain
    shown = _shown(frontier)
    kinds = listed(
        [KINDS[kind].split(",")[0] for kind in PriceKind if kind in {c.price.quote.kind for c in frontier.cars}]
    )
    return shortest(
        f"{place}. {drive} {kinds} prices {terms_text(shown)}; range in km by {frontier.cycle}",
        f"{place}. {drive} {kinds} prices in {frontier.currency}, {tax_text(shown)}; km by {frontier.cycle}",
        f"{place}. {drive} prices in {frontier.currency}, {tax_text(shown)}; km by {frontier.cycle}",
    )


def _shown(frontier: Frontier) -> Asked:
    """What was asked, with the lines of the cars alone: its words are about what is drawn."""
    drawn = {id(car.price) for car in frontier.cars}
    lines = [
        replace(line, prices=tuple(price for price in line.prices if id(price) in drawn))
        for line in frontier.found.lines
    ]
    return replace(frontier.found, lines=tuple(line for line in lines if line.prices))


def notes(frontier: Frontier) -> tuple[str, ...]:
    """How the frontier is read, what ranges and prices rest on, and what is left out and why."""
    selection, day = frontier.selection, style.day_text(frontier.day)
    names = frontier.found.book.names
    said = ["On the line no other car has more range for no more money; every other one is beaten by one on it."]
    if selection.date is None:
        said.append(f"{day} is the day on which most cars have a price and a range by one test: another can be chosen.")
    kinds = {car.price.quote.kind for car in frontier.cars}
    if len(kinds) > 1:
        said.append(
            "Circles are list prices of a named trim; diamonds are starting prices, of the cheapest version, whose "
            "equipment may be less."
        )
    of_models = sum(1 for car in frontier.cars if car.vehicle)
    if of_models:
        said.append(
            f"Hollow, {of_models} of {len(frontier.cars)}: the range is the model's, which another trim may have."
        )
    last = [car for car in frontier.cars if not car.standing.confirmed]
    if last:
        said.append(
            f"{len(last)} of {len(frontier.cars)} prices are the last known ones, up to "
            f"{max(car.standing.age for car in last)} days old: no later one confirms them."
        )
    said += _left_out(frontier)
    unseen = [
        names[slug] for slug in selection.makers if not any(car.price.quote.maker == slug for car in frontier.cars)
    ]
    unseen += [
        names[slug] for slug in selection.models if not any(car.price.quote.model == slug for car in frontier.cars)
    ]
    if unseen:
        said.append(f"Not drawn: {listed(unseen)}, for want of a price on the day or of a range by {frontier.cycle}.")
    if selection.powertrain in (PowertrainChoice.NEV, PowertrainChoice.ALL):
        said.append("Battery cars alone are drawn: a plug-in hybrid's range is no measure of what it costs.")
    if selection.powertrain is PowertrainChoice.PHEV:
        said.append("The range of a plug-in hybrid is that on its battery.")
    return (*said, *terms_notes(frontier.found, [car.price for car in frontier.cars]))


def _left_out(frontier: Frontier) -> list[str]:
    parts = []
    if frontier.stale:
        parts.append(f"{len(frontier.stale)} whose last price is more than half a year old (in the table)")
    if frontier.unranged:
        parts.append(f"{frontier.unranged} without a range")
    for cycle, count in frontier.other_tests:
        parts.append(f"{count} with a range by {'an unnamed test' if cycle is RangeCycle.NONE else cycle}")
    if frontier.rentals:
        parts.append(f"{frontier.rentals} priced without the battery")
    return [f"Left out: {'; '.join(parts)}."] if parts else []
