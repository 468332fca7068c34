"""`value-frontier`: which car gives most range for the money, at a date, in one market, by one range test.

A car is on the frontier where no other one has more range for no more money. All cars of the market whose price stood
on the day are set against each other, whichever maker the reader named: those are pointed out among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import ceil, floor, log10
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts.chart import CARS, Chart, Point, Reading, Table, shortest
from dashboard.charts.market_words import listed
from dashboard.charts.price_drawing import is_narrow
from dashboard.charts.price_rows import PRICE_COLUMNS, line_id, point_key, price_receipts, price_row, quotes_at
from dashboard.charts.price_words import (
    KINDS,
    Asked,
    asked,
    car_name,
    check_known,
    day_of,
    model_name,
    money,
    price_badge,
    quote_text,
    tax_text,
    terms_notes,
    terms_text,
)
from dashboard.charts.whole_market import answered
from dashboard.prices import Price, PricedLine, Standing, Vehicle, cited
from dashboard.selection import Incomparable, NotPublished, PowertrainChoice, Selection
from dashboard.style import Figure, Look
from db import Connection, queries
from db.vocabulary import PriceKind, RangeCycle

DEFAULTS = Selection(market=("BR",))
"""The market of which most cars have a price and a range by one test."""

COMPARED = (PriceKind.LIST, PriceKind.STARTING)
"""Kinds of price set against each other unless the reader names one: what a maker asks for a trim, or the cheapest."""

RENTAL = "battery rental"
"""How a trim is called whose price is without the battery, which is paid for month by month."""

WIDE_SPREAD = 4.0
"""Dearest to cheapest from which prices are drawn to a logarithmic scale: one dear car would press all others aside."""

CLOSEST = 0.2
"""The least part of the largest price or range that an axis shows: a nearer look would blow up small differences."""

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
        of_models = queries.record_citations(
            connection, frontier.found.book.vehicle_frame.iloc[ranged], as_of=selection.as_of
        )
        citations = tuple({each.slug: each for each in (*citations, *of_models)}.values())
    return Reading(
        selection=selection,
        title=title(frontier),
        subtitle=_subtitle(frontier),
        badge=price_badge(
            [car.price.quote for car in frontier.cars],
            known=max((each.known_on for each in citations), default=None),
            on=min(selection.as_of or today, today),
        ),
        citations=citations,
        notes=_notes(frontier),
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


# Words


def _name(car: Car, frontier: Frontier) -> str:
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
            f"{place}, {when}: {_name(only, frontier)}, {told}",
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
    told = f"of {count} cars {_name(first, frontier)} gives most range for money"
    return shortest(
        f"{place}, {when}: {told}, {each}",
        f"{place}, {when}: {told}",
        f"{when}: {told}",
        f"{place}, {when}: of {count} cars {car_name(first.price.quote, names)} gives most range for money",
        neutral,
    )


def _subtitle(frontier: Frontier) -> str:
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


def _notes(frontier: Frontier) -> tuple[str, ...]:
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


# Drawing

_SYMBOLS = {PriceKind.LIST: "circle", PriceKind.STARTING: "diamond"}
_OTHER_SYMBOL = "triangle-up"


def draw(reading: Reading, look: Look) -> Figure:
    """Range over price: the frontier as steps with its cars named on its empty side, all others small."""
    frontier: Frontier = reading.content
    ink, font = style.INK[look.theme], round(look.font_px * 0.92)
    best = frontier.efficient
    prices = [car.price.amount for car in frontier.cars]
    is_log = max(prices) / min(prices) > WIDE_SPREAD
    top = max(car.range_km for car in frontier.cars)
    bottom = min(car.range_km for car in frontier.cars)
    low = max(0.0, min(bottom - (top - bottom) * 0.15 - 20, top * (1 - CLOSEST)))
    high = top + (top - low) * 0.12 + 10
    coloured = {car.price.quote.maker for car in (*best, *(car for car in frontier.cars if frontier.is_named(car)))}
    room = _plot_size(look)
    labels, first = _labels(frontier, is_log=is_log, y_range=(low, high), room=room, font_px=font, look=look)
    last = _scaled(max(prices), is_log)
    span = [first, last + (last - first) * 0.03]
    # Down to the axis before the first car, and on to the edge behind the last one: beyond, nothing better is known.
    edge = 10 ** span[1] if is_log else span[1]
    steps_x = [best[0].price.amount, *(car.price.amount for car in best), edge]
    steps_y = [low, *(car.range_km for car in best), best[-1].range_km]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": steps_x,
            "y": steps_y,
            "line": {"shape": "hv", "color": ink.axis, "width": 1.5},
            "hoverinfo": "skip",
        }
    ]
    # A car's name is its trace's, so that its receipts are called by it.
    traces += [
        _mark(car, frontier, look=look, is_coloured=car.price.quote.maker in coloured)
        for car in sorted(frontier.cars, key=lambda car: (car.is_efficient, frontier.is_named(car)))
    ]
    layout = style.layout(
        look,
        hovermode="closest",
        xaxis={
            "type": "log" if is_log else "linear",
            "range": span,
            **_money_ticks(10 ** span[0] if is_log else span[0], edge, is_log=is_log, most=4 if is_narrow(look) else 8),
            "title": {"text": f"Price in {frontier.currency}{', logarithmic' if is_log else ''}"},
        },
        yaxis={"range": [low, high], "ticksuffix": " km", "zeroline": False},
    )
    layout["margin"] |= {"b": round(look.font_px * 4.4), "l": round(look.font_px * 4.8)}
    layout["annotations"] = labels
    return {"data": traces, "layout": layout}


def _plot_size(look: Look) -> tuple[float, float]:
    """About how wide and high the plot is: a page's width is not known, and a picture's words take height."""
    if look.width is None:
        return (270.0, 230.0) if is_narrow(look) else (800.0, 330.0)
    return look.width * 0.88, look.height * 0.5


def _scaled(amount: float, is_log: bool) -> float:
    return log10(amount) if is_log else amount


def _mark(car: Car, frontier: Frontier, *, look: Look, is_coloured: bool) -> dict[str, Any]:
    quote, ink = car.price.quote, style.INK[look.theme]
    stands_out = car.is_efficient or frontier.is_named(car)
    colour = style.colour(quote.maker, look.theme, highlight=frontier.is_named(car)) if is_coloured else ink.axis
    symbol = _SYMBOLS.get(quote.kind, _OTHER_SYMBOL)
    battery = f", {car.battery_kwh:g} kWh" if car.battery_kwh else ""
    per_km = f"{money(car.per_km, frontier.currency)} a km"
    of_model = " (the model's)" if car.vehicle else ""
    name = _name(car, frontier)
    text = f"{car.range_km:.0f} km{of_model}{battery}, {quote_text(car.price)}, {per_km}"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": style.escape(name),
        "x": [car.price.amount],
        "y": [car.range_km],
        "marker": {
            "symbol": f"{symbol}-open" if car.vehicle else symbol,
            "size": round(look.font_px * (0.85 if stands_out else 0.5)),
            "color": colour,
            "opacity": 1.0 if stands_out else 0.6,
            "line": {"width": 1.5 if car.vehicle else 0, "color": colour},
        },
        "customdata": [point_key(quote)],
        "text": [text],
        "hovertext": [style.escape(f"{name}: {text}")],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _labels(
    frontier: Frontier,
    *,
    is_log: bool,
    y_range: tuple[float, float],
    room: tuple[float, float],
    font_px: int,
    look: Look,
) -> tuple[list[dict[str, Any]], float]:
    """Names left of the frontier's cars, where no car can be, and where the price axis begins so that they have room.

    One that would touch another is moved up, with a thin line to its car.
    """
    best, (width, height) = frontier.efficient, room
    most = width * (0.34 if is_narrow(look) else 0.3)
    told = [_label(car, frontier, look, width=most, font_px=font_px) for car in best]
    wide = [style.text_width(text, font_px) + font_px for text in told]
    places = [_scaled(car.price.amount, is_log) for car in best]
    prices = [_scaled(car.price.amount, is_log) for car in frontier.cars]
    end = max(prices)
    start = min(prices) if is_log else min(*prices, end * (1 - CLOSEST))
    # Where the axis has to begin for each label to end at its car.
    first = start - (end - start) * 0.03
    for place, needed in zip(places, wide, strict=True):
        share = min(needed / width, 0.6)
        first = min(first, (place - share * end) / (1 - share))
    if not is_log:
        first = max(first, 0.0)
    scale = width / ((end - first) * 1.03)
    # Next to nothing an axis cannot begin earlier: what has no room there is cut.
    wide = [min(needed, (place - first) * scale) for place, needed in zip(places, wide, strict=True)]
    texts = [
        text
        if needed >= style.text_width(text, font_px) + font_px - 1
        # The room left of its car, without the distance to it.
        else _label(car, frontier, look, width=max(needed - font_px, 2.0 * font_px), font_px=font_px)
        for car, text, needed in zip(best, told, wide, strict=True)
    ]
    per_km = height / (y_range[1] - y_range[0])
    line = font_px * style.LINE_HEIGHT
    taken: list[tuple[float, float, float]] = []
    labels = []
    for car, text, place, needed in zip(best, texts, places, wide, strict=True):
        right = (place - first) * scale
        natural = (car.range_km - y_range[0]) * per_km
        at = natural
        for left_end, right_end, bottom in taken:
            if left_end < right and right - needed < right_end and at < bottom + line:
                at = bottom + line
        taken.append((right - needed, right, at))
        moved = round(at - natural, 1)
        labels.append(
            {
                "text": style.escape(text),
                "font": {"size": font_px, "color": _label_colour(car, look)},
                "x": place,
                "y": car.range_km,
                "xanchor": "right",
                "yanchor": "middle",
                "align": "right",
                "borderpad": 0,
                **(
                    {
                        "showarrow": True,
                        "arrowhead": 0,
                        "arrowwidth": 1,
                        "arrowcolor": style.INK[look.theme].axis,
                        "standoff": 4,
                        "ax": -round(font_px * 0.8),
                        "ay": -moved,
                    }
                    if moved
                    else {"showarrow": False, "xshift": -round(font_px * 0.6)}
                ),
            }
        )
    return labels, first


def _label(car: Car, frontier: Frontier, look: Look, *, width: float, font_px: int) -> str:
    """As much as there is room for: car and price, the car, the model; at last the model cut."""
    names, quote = frontier.found.book.names, car.price.quote
    full, model = car_name(quote, names), model_name(quote, names)
    texts = [model, names[quote.model]]
    if not is_narrow(look):
        texts = [f"{full}, {_tick(float(f'{car.price.amount:.3g}'))}", full, *texts]
    fitting = next((text for text in texts if style.text_width(text, font_px) <= width), texts[-1])
    return style.fitting(fitting, width=width, font_px=font_px)


def _label_colour(car: Car, look: Look) -> str:
    ink = style.INK[look.theme]
    colour = style.colour(car.price.quote.maker, look.theme)
    return ink.quiet if colour == style.colour("other", look.theme) else colour


_STEPS = (1, 2, 2.5, 5, 10)


def _money_ticks(low: float, high: float, *, is_log: bool, most: int) -> dict[str, Any]:
    """Round amounts along the axis, `20k` or `1.2M`, as many as have room."""
    if is_log:
        fine = [of * 10.0**power for power in range(floor(log10(low)), ceil(log10(high)) + 1) for of in (1, 2, 3, 5, 7)]
        ticks = [tick for tick in fine if low <= tick <= high]
        for chosen in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            some = [tick for tick in ticks if round(tick / 10.0 ** floor(log10(tick) + 1e-9)) in chosen]
            if len(some) <= most:
                ticks = some or ticks
                break
    else:
        size = 10.0 ** floor(log10((high - low) / most))
        step = next(size * each for each in _STEPS if (high - low) / (size * each) <= most)
        ticks = [n * step for n in range(ceil(low / step), floor(high / step) + 1)]
    return {"tickmode": "array", "tickvals": ticks, "ticktext": [_tick(tick) for tick in ticks]}


def _tick(amount: float) -> str:
    return f"{amount / 1e6:g}M" if amount >= 1e6 else f"{amount / 1e3:g}k" if amount >= 1e3 else f"{amount:g}"


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
    return queries.record_receipts(
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
