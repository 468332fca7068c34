"""`price-ladder`: one model in many markets, or the cars of one market, by price on a day.

Across markets it is one trim of one model, since another trim is another car, in one currency at the rate of the day's
month; prices with and without tax stand apart and are never ranked among one another. Within a market each model is at
its cheapest price, and a model that is asked for by name at each of its trims. List and starting prices are both what
the maker asks for, so they are ranked together, each row naming its own; other kinds are shown alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

import pandas as pd

from dashboard import style
from dashboard.charts.chart import Chart, Point, Reading, Table
from dashboard.charts.duel import answered
from dashboard.charts.price_ladder_words import (
    ASKED_FOR,
    TAX_ORDER,
    Ladder,
    Rung,
    car_of,
    notes,
    rung_money,
    subtitle,
    title,
)
from dashboard.charts.price_rows import PRICE_COLUMNS, point_key, price_receipts, price_row, quotes_at
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
)
from dashboard.price_book import cited, rates_from, terms_of
from dashboard.prices import (
    EURO,
    CannotConvert,
    LineKey,
    Price,
    PricedLine,
    PriceLine,
    Quote,
    Standing,
    converted,
    standing_on,
)
from dashboard.selection import NotPublished, Real, Selection
from dashboard.style import Figure, Look
from db import Connection, queries
from db.vocabulary import DatePrecision, TaxIncluded

NEARLY: Final = 0.8
"""A day on which so many of the most rows have a price is as good as the best one, and better if it is later."""


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
        subtitle=subtitle(ladder),
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
        every = tuple(line for line in every if car_of(line.key) == tuple(model))
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
        return lambda key: (*car_of(key), key.trim)
    return car_of


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
        cars.setdefault((*car_of(line.key), line.key.trim), []).append(line)
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
    tax = 0 if found.terms.tax is not None else TAX_ORDER.index(rung.line.key.tax_included)
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
    amounts = [rung_money(rung) for rung in rungs]
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
            rung_money(rung),
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
