"""`price-ladder`: one model in many markets, or the cars of one market, by price on a day.

Across markets it is one trim of one model, since another trim is another car, in one currency at the rate of the day's
month; prices with and without tax stand apart and are never ranked among one another. Within a market each model is at
its cheapest price, and a model that is asked for by name at each of its trims. List and starting prices are both what
the maker asks for, so they are ranked together, each row naming its own; other kinds are shown alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import pandas as pd

from dashboard import style
from dashboard.charts.chart import Chart, Point, Reading, Table, shortest
from dashboard.charts.duel import answered
from dashboard.charts.market_words import listed
from dashboard.charts.price_rows import (
    PRICE_COLUMNS,
    point_key,
    price_receipts,
    price_row,
    quotes_at,
)
from dashboard.charts.price_rows import row_receipts as receipts_of_rows
from dashboard.charts.price_words import (
    KINDS,
    TAXES,
    Asked,
    asked,
    car_name,
    day_of,
    in_names,
    model_name,
    money,
    price_badge,
    short_money,
    tax_text,
    terms_notes,
)
from dashboard.prices import (
    EURO,
    STALE_DAYS,
    CannotConvert,
    LineKey,
    Price,
    PricedLine,
    PriceLine,
    Quote,
    Standing,
    cited,
    converted,
    rates_from,
    standing_on,
    terms_of,
)
from dashboard.selection import NotPublished, Real, Selection
from dashboard.style import Figure, Look
from db import Connection, queries
from db.vocabulary import DatePrecision, PriceKind, TaxIncluded

MOST: Final = 16
"""Rows that a picture has room for."""

NEARLY: Final = 0.8
"""A day on which so many of the most rows have a price is as good as the best one, and better if it is later."""

LISTED: Final = 6
"""Names that a note lists before it counts the rest."""

ASKED_FOR: Final = (PriceKind.LIST, PriceKind.STARTING)
"""The kinds of price that a maker asks for a car."""

_TAX_ORDER: Final = (TaxIncluded.YES, TaxIncluded.NO, TaxIncluded.UNKNOWN)


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


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What cars cost on a day; `NotPublished` where none has a price that stands on it."""
    wider = replace(selection, since=None, until=None, date=None)
    ladder = answered(
        connection,
        selection,
        ask=lambda connection, asked_for: _ladder(connection, asked_for, today=today),
        others=(
            wider,
            replace(wider, tax=None),
            replace(wider, price_kind=None, segment=None),
            replace(wider, makers=(), models=(), price_kind=None, segment=None, tax=None),
            replace(PRICE_LADDER.defaults, as_of=selection.as_of),
            PRICE_LADDER.defaults,
        ),
    )
    book, rungs = ladder.found.book, ladder.rungs
    citations = cited(connection, book, ladder.found.terms, [rung.price.quote.row for rung in rungs])
    return Reading(
        selection=selection,
        title=title(ladder),
        subtitle=_subtitle(ladder),
        badge=price_badge(
            [rung.price.quote for rung in rungs],
            known=max((each.known_on for each in citations), default=None),
            on=selection.as_of or today,
        ),
        citations=citations,
        notes=notes(ladder),
        content=ladder,
    )


def _ladder(connection: Connection, selection: Selection, *, today: date) -> Ladder:
    # The terms are those of the ladder's day, and of its rows alone.
    found = replace(asked(connection, replace(selection, date=None, real=Real.NOMINAL)), selection=selection)
    kinds = (selection.price_kind,) if selection.price_kind else ASKED_FOR
    lines = [line.line for line in found.lines if line.key.kind in kinds]
    if not lines:
        raise NotPublished(
            "no list or starting price is known of these cars, only other kinds of price",
            nearest=replace(selection, price_kind=found.lines[0].key.kind),
        )
    if selection.real is Real.REAL:
        # Without a day of the reader's, one whose money can be corrected.
        years = [found.book.rates.last_index_year([line.key.market]) for line in lines]
        today = min([today, *(date(year, 12, 31) for year in [max(filter(None, years), default=None)] if year)])
    across = len({line.key.market for line in lines}) > 1
    row: Callable[[LineKey], tuple[str, ...]] = (lambda key: (key.market,)) if across else _row(selection)
    every = asked_for = found.book.lines()
    if across:
        day, (*model, trim) = _best_known(lines, selection, today=today)
        every = tuple(line for line in every if _model(line.key) == tuple(model))
    else:
        day = selection.date or _last_well_known(lines, row=row, today=today)[0]
    # Those that the terms cannot give are part of it: they are left out by name.
    lines = [line for line in every if line.key.kind in kinds]
    of_markets = {line.key.market for line in lines}
    standing = standing_on(lines, day)
    chosen = [each for each in standing if not across or each[0].key.trim == trim]
    found = _on_day(connection, found, [standing.quote for _, standing in chosen], day)
    rungs, lacking = _priced(chosen, found, across=across)
    if not across:
        rungs = _cheapest(rungs, row=row)
    if not rungs:
        reason = next(iter(lacking), None)
        text = in_names(reason, found.book.market_names) if reason else _none_stands(asked_for, day)
        raise NotPublished(text, nearest=replace(selection, date=None, tax=None))
    found = replace(
        found,
        lines=tuple(PricedLine(rung.line, (rung.price,)) for rung in rungs),
        lacking={in_names(why, found.book.market_names): of for why, of in lacking.items()},
    )
    with_price = {row(line.key) for line, _ in standing}
    elsewhere = {line.key.market for line, _ in standing} - {line.key.market for line, _ in chosen}
    return Ladder(
        found=found,
        day=day,
        across=across,
        rungs=tuple(sorted(rungs, key=lambda rung: _order(rung, found))),
        absent=_last_known([line for line in lines if row(line.key) not in with_price], found, across=across),
        unpriced=tuple(found.book.market_names[code] for code in sorted(set(selection.market) - of_markets)),
        other_trims=tuple(found.book.market_names[code] for code in sorted(elsewhere)) if across else (),
        other_kinds=len(every) - len(lines),
    )


def _row(selection: Selection) -> Callable[[LineKey], tuple[str, ...]]:
    """What makes a row within a market: the model, or the trim of models that are named."""
    if selection.models:
        return lambda key: (*_model(key), key.trim)
    return _model


def _model(key: LineKey) -> tuple[str, ...]:
    return key.maker, key.model, key.powertrain


def _days(lines: Iterable[PriceLine], *, today: date) -> list[date]:
    """The days on which a price was published, the newest first."""
    return sorted({quote.day for line in lines for quote in line.quotes if quote.day <= today}, reverse=True)


def _last_well_known(
    lines: Sequence[PriceLine], *, row: Callable[[LineKey], tuple[str, ...]], today: date
) -> tuple[date, int]:
    """The last day of a price on which `NEARLY` as many rows have one as ever do, and how many these are."""
    counts = {day: len({row(line.key) for line in lines if line.holds(day)}) for day in _days(lines, today=today)}
    enough = NEARLY * max(counts.values(), default=0)
    return max(((day, count) for day, count in counts.items() if count >= enough), default=(today, 0))


def _best_known(lines: Sequence[PriceLine], selection: Selection, *, today: date) -> tuple[date, tuple[str, ...]]:
    """The day and the car (maker, model, powertrain, trim) to be seen: the last one with a price in many markets.

    Many are `NEARLY` as many as any car ever has; on the reader's own day, the most.
    """
    cars: dict[tuple[str, ...], list[PriceLine]] = {}
    for line in lines:
        cars.setdefault((*_model(line.key), line.key.trim), []).append(line)
    if selection.date:
        on = selection.date
        return on, max(sorted(cars), key=lambda car: len({each.key.market for each in cars[car] if each.holds(on)}))
    known = {car: _last_well_known(of, row=lambda key: (key.market,), today=today) for car, of in cars.items()}
    enough = NEARLY * max(count for _, count in known.values())
    best = max((car for car in sorted(cars) if known[car][1] >= enough), key=lambda car: known[car])
    return known[best][0], best


def _on_day(connection: Connection, found: Asked, quotes: Sequence[Quote], day: date) -> Asked:
    """The reader's terms for some quotes at the rate of the day's month.

    Local means euros where several currencies would be side by side. Real prices are in the money of the last year of
    which there is an index for each market that has one.
    """
    selection, book = found.selection, found.book
    indexed = tuple(quote for quote in quotes if book.rates.last_index_year([quote.market]) is not None)
    try:
        terms = terms_of(selection, replace(book, quotes=indexed or tuple(quotes)))
    except CannotConvert as missing:
        nearest = replace(selection, real=Real.NOMINAL)
        raise NotPublished(in_names(str(missing), book.market_names), nearest=nearest) from missing
    terms = replace(terms, on=None if terms.base_year else day)
    currencies = {quote.currency for quote in quotes}
    if selection.currency == "local" and len(currencies) > 1:
        terms = replace(terms, currency=EURO)
        months = (
            [date(terms.base_year, month, 1) for month in range(1, 13)] if terms.base_year else [day.replace(day=1)]
        )
        frames = {
            **book.rate_frames,
            "fx_rate": queries.exchange_rates(
                connection, as_of=selection.as_of, currency=currencies, period_start=months
            ),
        }
        book = replace(book, rate_frames=frames, rates=rates_from(**frames))
    return replace(found, terms=terms, book=book)


def _priced(
    standing: Sequence[tuple[PriceLine, Standing]], found: Asked, *, across: bool
) -> tuple[list[Rung], dict[str, tuple[Any, ...]]]:
    rungs, lacking = [], dict[str, tuple[Any, ...]]()
    for line, stands in standing:
        try:
            given = converted(stands.quote, found.terms, found.book.rates)
        except CannotConvert as reason:
            lacking[str(reason)] = (*lacking.get(str(reason), ()), stands.quote)
            continue
        label = found.book.market_names[line.key.market] if across else car_name(line.key, found.book.names)
        rungs.append(Rung(line, stands, Price(stands.quote, given), label))
    return rungs, lacking


def _cheapest(rungs: Iterable[Rung], *, row: Callable[[LineKey], tuple[str, ...]]) -> list[Rung]:
    """The cheapest price of each row."""
    found: dict[tuple[str, ...], Rung] = {}
    for rung in sorted(rungs, key=lambda rung: rung.amount):
        found.setdefault(row(rung.line.key), rung)
    return list(found.values())


def _order(rung: Rung, found: Asked) -> tuple[int, float, str]:
    """Like taxes together, and the cheapest first."""
    tax = 0 if found.terms.tax is not None else _TAX_ORDER.index(rung.line.key.tax_included)
    return tax, rung.amount, rung.label


def _last_known(lines: Iterable[PriceLine], found: Asked, *, across: bool) -> tuple[str, ...]:
    """`Germany (6 Jan 2023)`: what has no price on the day, with its newest one, by name."""
    newest: dict[str, date] = {}
    for line in lines:
        name = found.book.market_names[line.key.market] if across else car_name(line.key, found.book.names)
        if not across and not found.selection.models:
            name = model_name(line.key, found.book.names)
        newest[name] = max(newest.get(name, date.min), line.quotes[-1].day)
    return tuple(f"{name} ({style.day_text(day)})" for name, day in sorted(newest.items()))


def _none_stands(lines: Sequence[PriceLine], day: date) -> str:
    near = min((quote.day for line in lines for quote in line.quotes), key=lambda each: abs((each - day).days))
    return (
        f"no price is known for {style.day_text(day)}: the nearest one is of {style.day_text(near)}, and a price is "
        "taken to hold for half a year"
    )


# Words


def title(ladder: Ladder) -> str:
    """Where or what is cheapest and dearest, where the prices are alike enough to be ranked."""
    found, rungs = ladder.found, ladder.rungs
    names, places = found.book.names, found.book.market_names
    when = style.day_text(ladder.day)
    tax = f", {tax_text(found)}" if found.terms.tax is not None or ladder.across else ""
    if len(rungs) == 1:
        only = rungs[0]
        return shortest(
            f"{car_name(only.line.key, names)}: {_money(only)} in {places[only.line.key.market]}{tax}, {when}",
            f"{car_name(only.line.key, names)}: {_money(only)}, {when}",
            f"{model_name(only.line.key, names)}: {_money(only)}, {when}",
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
        f"Lowest of {len(rungs)} {what} in {where}, {when}: {cheap}, {_money(least)}{_shade(least)}{tax}",
        f"Lowest of {len(rungs)} {what} in {where}, {when}: {cheap}, {_money(least)}{tax}",
        f"Lowest in {where}, {when}: {cheap}, {_money(least)}{tax}",
        f"Lowest in {where}, {when}: {model_name(least.line.key, found.book.names)}, {_money(least)}{tax}",
        f"Lowest in {where}, {when}: {_money(least)}{tax}",
    )


def _across(ladder: Ladder, when: str, tax: str) -> str:
    """Where one car is cheapest and where dearest, among prices that all have tax in them, or all have not."""
    rungs, names = ladder.rungs, ladder.found.book.names
    key = rungs[0].line.key
    car = car_name(key, names)
    if not ladder.is_one_tax:
        # With tax and without are two rankings: the title has the larger one.
        groups = [[rung for rung in rungs if rung.line.key.tax_included is each] for each in _TAX_ORDER[:2]]
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
            f"{car} costs {_money(least)} in {least.label} as in {most.label}{tax}, {when}",
            f"{car} costs {_money(least)}{tax}, {when}",
        )
    at = [_places([rung for rung in rungs if rung.amount == end.amount]) for end in (least, most)]
    ends = f"{_money(least)} in {at[0]} to {_money(most)} in {at[1]}"
    short = [short_money(each.amount, each.price.given.currency) for each in (least, most)]
    shorter = f"{short[0]} in {at[0]} to {short[1]} in {at[1]}"
    if not key.trim:
        # The cheapest version of two markets need not be one car.
        return shortest(
            f"{car} starts at {_money(least)} in {at[0]}, {_money(most)} in {at[1]}{tax}, {when}",
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


def _money(rung: Rung) -> str:
    return money(rung.amount, rung.price.given.currency)


def _shade(rung: Rung) -> str:
    return "" if rung.standing.confirmed else " (last known)"


def _subtitle(ladder: Ladder) -> str:
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
        (quote.maker, quote.model, quote.powertrain) == _model(key) and quote.trim != key.trim
        for quote in ladder.found.book.quotes
    )


def _counted(names: Sequence[str]) -> str:
    shown, more = names[:LISTED], len(names) - LISTED
    return listed([*shown, f"{more} more"]) if more > 0 else listed(list(shown))


# Drawing

_SLOT = {True: 2.7, False: 1.75}
"""Height of a row in font sizes: on a narrow page its words stand over its dot, else they stand beside it."""

_WORDS = 0.5
"""The part of a wide page that the words of its rows have at the most."""


def draw(reading: Reading, look: Look) -> Figure:
    """A dot on a thin stem from zero for each row, with its words and its price; hollow where it is last known."""
    ladder: Ladder = reading.content
    rungs, ink = ladder.drawn, style.INK[look.theme]
    is_narrow = look.font_px < style.SCREEN.font_px
    font = round(look.font_px * 0.92)
    top = max(rung.amount for rung in rungs) * 1.02
    places = [n + (0.76 if is_narrow else 0.5) for n in range(len(rungs))]
    words = [n + (0.3 if is_narrow else 0.5) for n in range(len(rungs))]
    colours = [style.colour(rung.line.key.maker, look.theme, highlight=True) for rung in rungs]
    amounts = [_money(rung) for rung in rungs]
    texts = [f"{rung.label}: {_detail(rung, ladder)}" for rung in rungs]
    written_out = [f"{rung.label}: {_kind(rung, ladder)}" for rung in rungs] if is_narrow else texts
    page = look.width * 0.94 if look.width else 330.0 if is_narrow else 880.0
    amounts_wide = max(style.text_width(text, font) for text in amounts) + font
    texts_wide = min(max(style.text_width(text, font) for text in texts) + font * 2, page * _WORDS)
    room = page - amounts_wide if is_narrow else texts_wide - font
    dots = [0.0, 1.0] if is_narrow else [texts_wide / page, 1 - (amounts_wide + font) / page]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "Price",
            "x": [rung.amount for rung in rungs],
            "y": places,
            "marker": {
                "symbol": [_symbol(rung) for rung in rungs],
                "size": round(look.font_px * 0.8),
                "opacity": 1,
                "color": [
                    colour if rung.standing.confirmed else ink.background
                    for rung, colour in zip(rungs, colours, strict=True)
                ],
                "line": {"color": colours, "width": 2},
            },
            "customdata": [point_key(rung.price.quote) for rung in rungs],
            "ids": [style.escape(rung.label) for rung in rungs],
            "text": [style.escape(f"{amount}. {text}") for amount, text in zip(amounts, texts, strict=True)],
            "hovertemplate": "%{text}<extra></extra>",
            "cliponaxis": False,
            "showlegend": False,
        }
    ]
    for at, written, position, colour in (
        (0.0, [style.fitting(text, width=room, font_px=font) for text in written_out], "right", ink.quiet),
        (1.0, amounts, "left", ink.text),
    ):
        traces.append(
            {
                "type": "scatter",
                "mode": "text",
                "xaxis": "x2",
                "x": [at] * len(words),
                "y": words,
                "text": [style.escape(each) for each in written],
                "textposition": f"middle {position}",
                "textfont": {"size": font, "color": colour},
                "hoverinfo": "skip",
                "showlegend": False,
                "cliponaxis": False,
            }
        )
    margin = {"l": 12, "r": 14, "t": 6, "b": round(look.font_px * 2.4)}
    height = look.height
    if look.width is None:
        height = max(120, round(len(rungs) * font * _SLOT[is_narrow] + margin["t"] + margin["b"]))
    layout = style.layout(
        look,
        height=height,
        hovermode="closest",
        # The words lie over the dots' part of the page.
        plot_bgcolor="rgba(0,0,0,0)",
        margin=margin,
        xaxis={
            "domain": dots,
            "range": [0, top],
            "showgrid": True,
            "gridcolor": ink.grid,
            "gridwidth": 1,
            "zeroline": True,
            "zerolinecolor": ink.axis,
            "tickformat": "~s",
            "nticks": 5,
        },
        yaxis={
            # A few rows do not spread over the whole height of a picture.
            "range": [max(len(rungs), 5 if look.width else 0), 0],
            "visible": False,
            "showticklabels": False,
            "showgrid": False,
        },
    )
    layout["xaxis2"] = {
        "domain": [0, 1],
        "range": [0, 1],
        "visible": False,
        "fixedrange": True,
        "showticklabels": False,
    }
    layout["shapes"] = [
        {
            "type": "line",
            "layer": "below",
            "xref": "x",
            "yref": "y",
            "x0": 0,
            "x1": rung.amount,
            "y0": place,
            "y1": place,
            "opacity": 0.6,
            "line": {"color": colour, "width": round(look.font_px / 9, 1)},
        }
        for rung, place, colour in zip(rungs, places, colours, strict=True)
    ]
    return {"data": traces, "layout": layout}


def _symbol(rung: Rung) -> str:
    """A circle, and a diamond where only about the day is known."""
    precision = rung.price.quote.precision
    about = precision not in (DatePrecision.DAY, DatePrecision.WEEK, DatePrecision.MONTH, DatePrecision.OBSERVED)
    return "diamond" if about else "circle"


def _kind(rung: Rung, ladder: Ladder) -> str:
    """`list price with tax`: the tax where a reader has to tell rows apart by it."""
    kind, tax = rung.line.key.kind, rung.line.key.tax_included
    text = KINDS[kind] + (" price" if kind in ASKED_FOR else "")
    if ladder.found.terms.tax is not None or (ladder.is_one_tax and not ladder.across):
        return text
    return f"{text}{',' if tax is TaxIncluded.UNKNOWN else ''} {TAXES[tax]}"


def _detail(rung: Rung, ladder: Ladder) -> str:
    """`list price with tax, seen 5 Dec 2025`: what a row says besides its name and amount."""
    ending = "" if rung.standing.confirmed else ", last known"
    return f"{_kind(rung, ladder)}, {day_of(rung.price.quote)}{ending}"


# Download, table, receipts


def rows(reading: Reading) -> pd.DataFrame:
    """Every row with `PRICE_COLUMNS`, and `on_day`: the day of the ladder; `period_start` is the price's own."""
    ladder: Ladder = reading.content
    tax = ladder.found.terms.tax
    listed_rows = [
        price_row(
            rung.price,
            ladder.found.book,
            tax=tax.value if tax else "",
            flags=() if rung.standing.confirmed else ("last known",),
        )
        | {"on_day": ladder.day.isoformat()}
        for rung in ladder.rungs
    ]
    return pd.DataFrame(listed_rows, columns=[*PRICE_COLUMNS, "on_day"])


def table(reading: Reading) -> Table:
    """Every row: what it is of, the price as asked for and as published, its kind, tax and day, and its age."""
    ladder: Ladder = reading.content
    body = [
        (
            rung.label if ladder.across else model_name(rung.line.key, ladder.found.book.names),
            rung.line.key.trim or style.MISSING,
            _money(rung),
            money(rung.price.quote.amount, rung.price.quote.currency),
            TAXES[rung.line.key.tax_included],
            KINDS[rung.line.key.kind],
            day_of(rung.price.quote),
            f"{rung.standing.age} days" + ("" if rung.standing.confirmed else ", last known"),
        )
        for rung in ladder.rungs
    ]
    return Table(
        header=("Market" if ladder.across else "Car", "Trim", "Price", "Published as", "Tax", "Kind", "From", "Age"),
        rows=tuple(body),
        caption=f"Prices that stand on {style.day_text(ladder.day)}, in the order of the chart.",
    )


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims of a price."""
    ladder: Ladder = reading.content
    return price_receipts(connection, ladder.found.book, quotes_at(point, ladder.found.book.quotes))


def row_receipts(connection: Connection, reading: Reading) -> pd.DataFrame:
    """The stored claim behind each row of the download."""
    ladder: Ladder = reading.content
    return receipts_of_rows(connection, ladder.found.book, [[rung.price.quote] for rung in ladder.rungs])


PRICE_LADDER = Chart(
    slug="price-ladder",
    name="Price ladder",
    question="What does it cost, and where?",
    defaults=Selection(market=()),
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
    row_receipts=row_receipts,
    by_day=True,
)
