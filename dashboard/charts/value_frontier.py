"""`value-frontier`: which car gives most range for the money, at a date, in one market, by one range test.

A car is on the frontier where no other one has more range for no more money. All cars of the market whose price stood
on the day are set against each other, whichever maker the reader named: those are pointed out among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

import pandas as pd

from dashboard import style
from dashboard.charts.chart import CARS, Chart, Point, Reading, Table
from dashboard.charts.market_words import listed
from dashboard.charts.price_rows import PRICE_COLUMNS, line_id, price_receipts, price_row, quotes_at
from dashboard.charts.price_words import KINDS, Asked, asked, car_name, check_known, day_of, money, price_badge
from dashboard.charts.value_frontier_drawing import draw
from dashboard.charts.value_frontier_words import Car, Frontier, notes, subtitle, title
from dashboard.charts.whole_market import answered
from dashboard.price_book import Vehicle, cited
from dashboard.prices import Price, PricedLine
from dashboard.selection import Incomparable, NotPublished, PowertrainChoice, Selection
from db import Connection, provenance, queries
from db.vocabulary import PriceKind, RangeCycle

DEFAULTS = Selection(market=("BR",))
"""The market of which most cars have a price and a range by one test."""

COMPARED = (PriceKind.LIST, PriceKind.STARTING)
"""Kinds of price set against each other unless the reader names one: what a maker asks for a trim, or the cheapest."""

RENTAL = "battery rental"
"""How a trim is called whose price is without the battery, which is paid for month by month."""

COLUMNS = (
    *PRICE_COLUMNS,
    "range_km",
    "range_cycle",
    "range_of",
    "battery_kwh",
    "price_per_km",
    "price_per_kwh",
    "as_at",
    "frontier",
)
"""The columns of the download: of a price, and what is got for it."""


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The cars of a market on a day; refuses several markets at once, and where no car has a price and a range."""
    everything = replace(selection, makers=(), models=(), since=None, until=None, date=None)
    instead = (
        replace(selection, date=None),
        replace(selection, cycle=None),
        replace(everything, cycle=None),
        replace(everything, cycle=None, segment=None, price_kind=None, powertrain=PowertrainChoice.BEV),
        Selection(market=selection.market, as_of=selection.as_of),
        replace(DEFAULTS, as_of=selection.as_of),
        DEFAULTS,
    )
    frontier = answered(lambda wanted: _frontier(connection, wanted, today=today), selection, *instead)
    citations = cited(
        connection, frontier.found.book, frontier.found.terms, (car.price.quote.row for car in frontier.cars)
    )
    ranged = sorted({car.vehicle.row for car in frontier.cars if car.vehicle})
    if ranged:
        of_models = provenance.record_citations(
            connection, frontier.found.book.vehicle_frame.iloc[ranged], as_of=selection.as_of
        )
        citations = tuple({each.slug: each for each in (*citations, *of_models)}.values())
    return Reading(
        selection=selection,
        title=title(frontier),
        subtitle=subtitle(frontier),
        badge=price_badge(
            [car.price.quote for car in frontier.cars],
            known=max((each.known_on for each in citations), default=None),
            on=min(selection.as_of or today, today),
        ),
        citations=citations,
        notes=notes(frontier),
        content=frontier,
    )


# Which cars


def _frontier(connection: Connection, selection: Selection, *, today: date) -> Frontier:
    if selection.cycle is RangeCycle.NONE:
        raise NotPublished(
            "ranges without a test cannot be set against each other", nearest=replace(selection, cycle=None)
        )
    if len(selection.market) > 1:
        names = queries.names(connection).markets
        raise Incomparable(
            "cars are set against each other within one market, by its own range test: choose one of "
            f"{listed([names.get(code, code) for code in selection.market])}",
            nearest=replace(selection, market=selection.market[:1]),
        )
    drive = PowertrainChoice.PHEV if selection.powertrain is PowertrainChoice.PHEV else PowertrainChoice.BEV
    everybody = replace(selection, makers=(), models=(), since=None, until=None, powertrain=drive)
    found = asked(connection, everybody)
    check_known(selection, found.book.names)
    kinds = (selection.price_kind,) if selection.price_kind else COMPARED
    lines = [line for line in found.lines if line.key.kind in kinds]
    ranges = _Ranges(found.book.vehicles)
    cycles = [selection.cycle] if selection.cycle else [each for each in RangeCycle if each is not RangeCycle.NONE]
    best = ranges.best_day(lines, _days(lines, selection, today=today), cycles)
    if best is None:
        place = found.book.market_names[selection.market[0]]
        test = f" by {selection.cycle}" if selection.cycle else ""
        when = f" on {style.day_text(selection.date)}" if selection.date else ""
        raise NotPublished(
            f"no {CARS[drive].removesuffix('s')} of {place} has a price that stood{when} and a range{test}",
            nearest=replace(selection, date=None, cycle=None),
        )
    return _at(found, selection, lines, ranges, day=best[0], cycle=best[1])


def _days(lines: Sequence[PricedLine], selection: Selection, *, today: date) -> list[date]:
    """The day that the reader named, or those on which a price of the range began or was seen."""
    last = min(selection.as_of or today, today)
    if selection.date:
        return [selection.date] if selection.date <= last else []
    days = {price.quote.day for line in lines for price in line.prices}
    return sorted(
        day
        for day in days
        if day <= last
        and (selection.since is None or day >= selection.since)
        and (selection.until is None or day.replace(day=1) <= selection.until)
    )


class _Ranges:
    """The ranges of cars by a test: the quote's own, else the model's."""

    def __init__(self, vehicles: Iterable[Vehicle]) -> None:
        self._of_model = {
            (each.model, each.powertrain, each.range_cycle): each for each in vehicles if each.range_km is not None
        }

    def of(self, price: Price, cycle: RangeCycle) -> tuple[float, Vehicle | None] | None:
        """The range in km, and the vehicle that it is taken from if the quote has none by the test."""
        quote = price.quote
        if quote.range_km is not None and quote.range_cycle is cycle:
            return quote.range_km, None
        vehicle = self._of_model.get((quote.model, quote.powertrain, cycle))
        return (vehicle.range_km, vehicle) if vehicle and vehicle.range_km is not None else None

    def best_day(
        self, lines: Sequence[PricedLine], days: Iterable[date], cycles: Sequence[RangeCycle]
    ) -> tuple[date, RangeCycle] | None:
        """The latest of the days on which most cars have a price and a range by one of the tests, and that test.

        A range stated with the price is of that very car: it counts before one of its model.
        """
        ranged: list[tuple[PricedLine, dict[int, dict[RangeCycle, bool]]]] = []
        for line in lines:
            of_price = {
                price.quote.row: {cycle: one[1] is None for cycle in cycles if (one := self.of(price, cycle))}
                for price in line.prices
                if _is_whole(price)
            }
            if any(of_price.values()):
                ranged.append((line, of_price))
        best: tuple[int, int, date, RangeCycle] | None = None
        for day in days:
            there = [
                of_price.get(standing.quote.row, {})
                for line, of_price in ranged
                if (standing := line.line.on(day)) is not None
            ]
            for cycle in cycles:
                own = [each[cycle] for each in there if cycle in each]
                if own and (best is None or (sum(own), len(own), day) > best[:3]):
                    best = sum(own), len(own), day, cycle
        return best and (best[2], best[3])


def _standing_price(line: PricedLine, day: date) -> Price | None:
    """What stood of a line on a day, as asked for; None where nothing did, or where it cannot be given so."""
    standing = line.line.on(day)
    return next((price for price in line.prices if standing and price.quote is standing.quote), None)


def _is_whole(price: Price) -> bool:
    return RENTAL not in price.quote.trim.lower()


def _at(
    found: Asked, selection: Selection, lines: Sequence[PricedLine], ranges: _Ranges, *, day: date, cycle: RangeCycle
) -> Frontier:
    cars: list[Car] = []
    stale: list[Price] = []
    unranged = rentals = 0
    other: Counter[RangeCycle] = Counter()
    for line in lines:
        standing = line.line.on(day)
        price = _standing_price(line, day)
        if price is None or standing is None:
            past = [each for each in line.prices if each.quote.day <= day]
            if past and ranges.of(past[-1], cycle) and _is_whole(past[-1]):
                stale.append(past[-1])
            continue
        ranged = ranges.of(price, cycle)
        if not _is_whole(price):
            rentals += 1
        elif ranged:
            range_km, vehicle = ranged
            battery = price.quote.battery_kwh or (vehicle.battery_kwh if vehicle else None)
            cars.append(Car(price, standing, range_km, battery, vehicle))
        elif price.quote.range_km is not None:
            other[price.quote.range_cycle] += 1
        else:
            unranged += 1
    return Frontier(
        selection=selection,
        found=found,
        day=day,
        cycle=cycle,
        cars=efficient(cars),
        stale=tuple(sorted(stale, key=lambda price: price.amount)),
        unranged=unranged,
        other_tests=tuple(sorted(other.items())),
        rentals=rentals,
    )


def efficient(cars: Iterable[Car]) -> tuple[Car, ...]:
    """Cars, cheapest first, each with whether it is on the frontier: nobody has more range for no more money, nor the
    same range for less."""
    in_order = sorted(cars, key=lambda car: (car.price.amount, -car.range_km, line_id(car.price.quote)))
    marked: list[Car] = []
    best, best_price = 0.0, 0.0
    for car in in_order:
        is_best = car.range_km > best or (car.range_km == best and car.price.amount == best_price)
        marked.append(replace(car, is_efficient=is_best))
        if is_best:
            best, best_price = car.range_km, car.price.amount
    return tuple(marked)


# Download, table, receipts


def rows(reading: Reading) -> pd.DataFrame:
    """Every car that is drawn, one row each, and after them those whose price is stale, with `COLUMNS`.

    `range_of`: `trim` where the range was stated with the price, else `model`. `as_at`: the day of the comparison.
    `price_per_km`, `price_per_kwh`: in the currency. `frontier`: whether no other car has more range for no more money.
    """
    frontier: Frontier = reading.content
    book, tax = frontier.found.book, frontier.found.terms.tax
    told = [
        price_row(car.price, book, tax=tax.value if tax else "", flags=_flags(car))
        | {
            "range_km": car.range_km,
            "range_cycle": frontier.cycle.value,
            "range_of": "model" if car.vehicle else "trim",
            "battery_kwh": car.battery_kwh,
            "price_per_km": car.per_km,
            "price_per_kwh": car.per_kwh,
            "as_at": frontier.day.isoformat(),
            "frontier": "yes" if car.is_efficient else "no",
        }
        for car in frontier.cars
    ]
    told += [
        price_row(price, book, tax=tax.value if tax else "", flags=("stale",))
        | {"range_cycle": frontier.cycle.value, "as_at": frontier.day.isoformat(), "frontier": ""}
        for price in frontier.stale
    ]
    frame = pd.DataFrame(told, columns=list(COLUMNS))
    numbers = ["range_km", "battery_kwh", "price_per_km", "price_per_kwh"]
    return frame.assign(range_of=frame["range_of"].fillna(""), **{name: frame[name].astype(float) for name in numbers})


def _flags(car: Car) -> tuple[str, ...]:
    return () if car.standing.confirmed else ("last_known",)


def table(reading: Reading) -> Table:
    """The cars, those on the frontier first, then by money for a kilometre; at the end the stale ones."""
    frontier: Frontier = reading.content
    names = frontier.found.book.names
    in_order = sorted(
        frontier.cars, key=lambda car: (not car.is_efficient, car.price.amount if car.is_efficient else car.per_km)
    )
    body = [
        (
            car_name(car.price.quote, names),
            KINDS[car.price.quote.kind],
            money(car.price.amount, frontier.currency),
            day_of(car.price.quote) + ("" if car.standing.confirmed else ", last known"),
            f"{car.range_km:.0f} km" + (" (model)" if car.vehicle else ""),
            f"{car.battery_kwh:g} kWh" if car.battery_kwh else style.MISSING,
            money(car.per_km, frontier.currency),
            money(car.per_kwh, frontier.currency) if car.per_kwh else style.MISSING,
            "yes" if car.is_efficient else "",
        )
        for car in in_order
    ]
    body += [
        (
            car_name(price.quote, names),
            KINDS[price.quote.kind],
            money(price.amount, price.given.currency),
            f"{day_of(price.quote)}, too old",
            *(style.MISSING,) * 4,
            "left out",
        )
        for price in frontier.stale
    ]
    return Table(
        header=("Car", "Kind", "Price", "Since", f"Range ({frontier.cycle})", "Battery", "A km", "A kWh", "Frontier"),
        rows=tuple(body),
        caption=f"On {style.day_text(frontier.day)}: the frontier from the cheapest on, then the other cars by money "
        "for a kilometre of range.",
    )


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored price of a car, and the range of its model where that was taken."""
    frontier: Frontier = reading.content
    quotes = quotes_at(point, (car.price.quote for car in frontier.cars))
    return _receipts(connection, frontier, [car for car in frontier.cars if car.price.quote in quotes])


def row_receipts(connection: Connection, reading: Reading) -> pd.DataFrame:
    """The claims behind the rows of the download."""
    frontier: Frontier = reading.content
    book, cars = frontier.found.book, list(frontier.cars)
    prices = price_receipts(
        connection, book, [*(car.price.quote for car in cars), *(price.quote for price in frontier.stale)]
    )
    prices = prices.assign(row=range(len(prices)))
    ranged = [number for number, car in enumerate(cars) if car.vehicle]
    if not ranged:
        return prices
    ranges = _range_receipts(connection, frontier, [cars[number] for number in ranged])
    return pd.concat([prices, ranges.assign(row=ranged)], ignore_index=True)


def _receipts(connection: Connection, frontier: Frontier, cars: Sequence[Car]) -> pd.DataFrame:
    claims = price_receipts(connection, frontier.found.book, [car.price.quote for car in cars])
    of_model = [car for car in cars if car.vehicle]
    if not of_model:
        return claims
    return pd.concat([claims, _range_receipts(connection, frontier, of_model)], ignore_index=True)


def _range_receipts(connection: Connection, frontier: Frontier, cars: Sequence[Car]) -> pd.DataFrame:
    found = [(car, car.vehicle) for car in cars if car.vehicle]
    stored = frontier.found.book.vehicle_frame.iloc[[vehicle.row for _, vehicle in found]]
    names = frontier.found.book.names
    return provenance.record_receipts(
        connection,
        stored.assign(
            day=list(stored["known_from"]),
            about=[f"Range of {names[car.price.quote.maker]} {names[car.price.quote.model]}" for car, _ in found],
            stated=[f"{car.range_km:.0f} km by {frontier.cycle}" for car, _ in found],
        ),
    )


VALUE_FRONTIER = Chart(
    slug="value-frontier",
    name="Range for the money",
    question="Who gives most range for the money?",
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
