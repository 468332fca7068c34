"""`price-history`: what cars cost, step by step: a line for each trim and kind of price, from its first known price to
its last.

Kinds are never joined, a trim that takes another's place begins a line of its own, and a price of which only the day
that it was seen is known is a level on that day: no step leads to it. Nothing is drawn before the first price or after
the last one, and a trim with one price is a point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts.chart import Chart, Point, Reading, Table, shortest
from dashboard.charts.price_drawing import Label, is_narrow, mark_notes, placed, step_traces
from dashboard.charts.price_rows import price_receipts, price_rows, quotes_at, row_receipts
from dashboard.charts.price_words import (
    KINDS,
    TAXES,
    Asked,
    asked,
    car_name,
    change_text,
    check_alike,
    day_of,
    in_place,
    in_time,
    model_name,
    money,
    month_of,
    place_text,
    price_badge,
    terms_notes,
    terms_text,
)
from dashboard.charts.whole_market import answered
from dashboard.price_book import cited
from dashboard.prices import Price, PricedLine, Quote
from dashboard.selection import By, Selection
from dashboard.style import Figure, Look
from db import Connection
from db.provenance import Citation
from db.vocabulary import ALL, DatePrecision, PriceKind

DRAWN = 7
"""Lines in a panel at the most: those with most steps, of every model and market one before a second of any."""

TABLE_ROWS = 40
"""Rows of the table under the chart: the newest prices."""

YEARS = 2
"""What the newest price is set against in the title: the price of so many years before."""

_PANELS = 3
"""Models of one maker that have a panel each; more stand in one."""


@dataclass(frozen=True)
class History:
    """The prices of a selection, and those of its lines that are drawn."""

    found: Asked
    drawn: tuple[PricedLine, ...]
    citations: tuple[Citation, ...]

    @property
    def prices(self) -> tuple[Price, ...]:
        """The prices that are drawn."""
        return tuple(price for line in self.drawn for price in line.prices)

    @property
    def panels(self) -> tuple[tuple[PricedLine, ...], ...]:
        """The drawn lines by panel: by model where these are few of one maker with several trims, else all in one."""
        by_model = _by_model(self.drawn)
        return tuple(map(tuple, by_model.values())) if _have_panels(self.drawn) else (self.drawn,)


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The price lines of a selection; raises as `price_words.asked` and `check_alike` do."""
    begin = PRICE_HISTORY.defaults
    instead = (replace(begin, as_of=selection.as_of), begin)
    history = answered(lambda wanted: _history(connection, wanted), selection, *instead)
    quotes = [price.quote for price in history.prices]
    known = max((cited.known_on for cited in history.citations), default=None)
    return Reading(
        selection=selection,
        title=title(history),
        subtitle=_subtitle(history),
        badge=price_badge(quotes, known=selection.as_of or known, on=selection.as_of or today),
        citations=history.citations,
        notes=notes(history),
        content=history,
    )


def _history(connection: Connection, selection: Selection) -> History:
    found = asked(connection, selection)
    check_alike(found)
    citations = cited(connection, found.book, found.terms, [price.quote.row for price in found.prices])
    return History(found=found, drawn=drawn(found.lines), citations=citations)


def _by_model(lines: Sequence[PricedLine]) -> dict[str, list[PricedLine]]:
    found: dict[str, list[PricedLine]] = {}
    for line in lines:
        found.setdefault(line.key.model, []).append(line)
    return found


def _have_panels(lines: Sequence[PricedLine]) -> bool:
    """Whether each model has a panel of its own: few models of one maker in one market, with several lines."""
    models = len(_by_model(lines))
    of_one = len({(line.key.maker, line.key.market) for line in lines}) == 1
    return of_one and 1 < models <= _PANELS and models < len(lines)


def drawn(lines: Sequence[PricedLine]) -> tuple[PricedLine, ...]:
    """The lines that are drawn, the dearest at their ends first within a model."""
    if _have_panels(lines):
        return tuple(line for of_model in _by_model(lines).values() for line in _most_telling(of_model))
    return _most_telling(lines)


def _most_telling(lines: Sequence[PricedLine]) -> tuple[PricedLine, ...]:

    def telling(line: PricedLine) -> tuple[int, int, int]:
        return -len(line.line.moves), -len(line.prices), -line.prices[-1].quote.day.toordinal()

    first: dict[tuple[str, str, str], PricedLine] = {}
    others: list[PricedLine] = []
    for line in sorted(lines, key=telling):
        of = line.key.market, line.key.maker, line.key.model
        if of in first:
            others.append(line)
        else:
            first[of] = line
    chosen = [*first.values(), *others][:DRAWN]
    return tuple(
        sorted(chosen, key=lambda line: (line.key.maker, line.key.model, line.key.market, -line.prices[-1].amount))
    )


# Words


def title(history: History) -> str:
    """The newest price of a line against the one nearest to two years before: of one trim, kind and currency."""
    found, names = history.found, history.found.book.names
    lines = sorted(history.drawn, key=_told)
    line = lines[0]
    now = line.prices[-1]
    place = in_place(found.book.market_names[line.key.market])
    car = car_name(line.key, names)
    short = car.removeprefix(f"{names.get(line.key.maker, '')} ")
    neutral = f"{len(found.lines)} price lines in {in_place(place_text(found))}"
    kind = {PriceKind.AFTER_INCENTIVE: " after incentive", PriceKind.TRANSACTION_AVG: " paid on average"}
    amount = money(now.amount, now.given.currency) + kind.get(line.key.kind, "")
    if line.key.kind is PriceKind.STARTING:
        amount = f"from {amount}"
    year = f" (money of {found.terms.base_year})" if found.terms.base_year else ""
    when = in_time(now, line)
    if len(line.prices) == 1:
        if len(history.drawn) > 1:
            return shortest(f"{len(history.drawn)} cars' prices in {in_place(place_text(found))}, each of one day only")
        return shortest(f"{car} in {place}: {amount} {when}{year}", f"{car}: {amount} {when}{year}", neutral)
    before = _before(line)
    change = change_text(now.amount / before.amount - 1)
    than = f"{change} {'as' if change == 'the same' else 'than'} {in_time(before, line)}"
    return shortest(
        f"{car} in {place}: {amount} {when}, {than}{year}",
        f"{car} in {place}: {amount}, {than}{year}",
        f"{short} in {place}: {amount}, {than}{year}",
        f"{car}: {amount}, {than}{year}",
        f"{short}: {amount}, {than}{year}",
        f"{car}: {amount} {when}{year}",
        neutral,
    )


def _told(line: PricedLine) -> tuple[bool, int, int, bool]:
    """The order in which lines are worth a title: with a change, then the newest, then the best documented."""
    is_list = line.key.kind is PriceKind.LIST
    return len(line.prices) == 1, -line.prices[-1].quote.day.toordinal(), -len(line.prices), not is_list


def _before(line: PricedLine) -> Price:
    """The price that was the newest two years before the last one; where none was, the price nearest to then."""
    wanted = line.prices[-1].quote.day - timedelta(days=round(365.25 * YEARS))
    past = [price for price in line.prices[:-1] if timedelta(0) <= wanted - price.quote.day <= timedelta(days=366)]
    return past[-1] if past else min(line.prices[:-1], key=lambda price: abs((price.quote.day - wanted).days))


def _subtitle(history: History) -> str:
    found = history.found
    kinds = [kind for kind in PriceKind if kind in {line.key.kind for line in history.drawn}]
    words = {PriceKind.TRANSACTION_AVG: "average paid (an estimate)"}
    said = ", ".join(words.get(kind, KINDS[kind]) for kind in kinds)
    drives = "+".join(sorted({line.key.powertrain for line in history.drawn}))
    cars = "all cars" if drives == ALL else drives
    return f"{place_text(found)}. Price of one car ({cars}): {said}; {terms_text(found)}"


def notes(history: History) -> tuple[str, ...]:
    """What lines and marks mean, what is not drawn, and what converting did."""
    found, said = history.found, mark_notes(history.drawn)
    if any(line.line.moves for line in history.drawn if line.key.kind is not PriceKind.TRANSACTION_AVG):
        said.append(
            "A price is taken to hold for half a year, or up to the next that says the same; moves that no source here "
            "states are missing."
        )
    more = len(found.lines) - len(history.drawn)
    if more:
        plural = "s" if more > 1 else ""
        said.append(f"{more} more line{plural} of other trims or kinds not drawn: in the table and the download.")
    told = len(found.book.quotes) - sum(len(line.line.quotes) for line in found.lines) - _gone(found)
    if told > 0:
        said.append(f"{told} of the prices are told by two sources for one day: the better evidence is drawn.")
    said += terms_notes(found)
    if found.selection.date and found.selection.currency == "local":
        said.append("The chosen day is that of an exchange rate: prices as quoted have none.")
    if found.selection.cycle:
        said.append("No price depends on a test of range: the choice of one changes nothing here.")
    return tuple(said)


def _gone(found: Asked) -> int:
    """The quotes of lines none of whose prices can be given."""
    kept = {line.key for line in found.lines}
    return sum(len(line.quotes) for line in found.book.lines() if line.key not in kept)


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """Steps over time, in a panel for each model of one maker or in one for all."""
    history: History = reading.content
    panels = history.panels
    first, last = _time(history)
    gap = 0.14 if len(panels) > 1 else 0.0
    high = (1 - gap * (len(panels) - 1)) / len(panels)
    traces: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    ends: list[tuple[str, tuple[float, float], list[Label]]] = []
    for n, lines in enumerate(panels):
        # The first panel is on top.
        bottom = (len(panels) - 1 - n) * (high + gap)
        yref = "y" if n == 0 else f"y{n + 1}"
        within = _amounts(lines)
        axes["yaxis" + yref[1:]] = {
            "domain": [bottom, bottom + high],
            "range": list(within),
            "tickformat": "~s",
            "zeroline": False,
            "nticks": 7 if len(panels) == 1 else 5,
        }
        for line in lines:
            traces += step_traces(
                line, name=_full_name(line, history), colour=line_colour(line, history, look), yref=yref
            )
        ends.append((yref, within, [_label(line, history, look) for line in lines]))
    layout = style.layout(
        # On a page there is room below.
        look if look.width else replace(look, height=round(look.height * (1 + 0.4 * (len(panels) - 1)))),
        hovermode="closest",
        xaxis={
            "type": "date",
            "range": [first.isoformat(), last.isoformat()],
            "anchor": "y" if len(panels) == 1 else f"y{len(panels)}",
        },
    )
    plain_axis = layout["yaxis"]
    for name, axis in axes.items():
        layout[name] = plain_axis | axis
    if len(panels) > 1:
        layout["margin"] |= {"t": layout["margin"]["t"] + round(look.font_px * 1.2)}
    names = _panel_names(panels, history, axes, look)
    layout["annotations"] = names
    layout = placed(layout, ends, time=(first, last), high=high, look=look)
    return {"data": traces, "layout": layout}


def _panel_names(
    panels: Sequence[Sequence[PricedLine]], history: History, axes: dict[str, Any], look: Look
) -> list[dict[str, Any]]:
    if len(panels) == 1:
        return []
    return [
        {
            "text": style.escape(model_name(lines[0].key, history.found.book.names)),
            "font": {"size": look.font_px, "color": style.INK[look.theme].text, "weight": 600},
            "showarrow": False,
            "xref": "paper",
            "x": 0,
            "xanchor": "left",
            "yref": "paper",
            "y": axis["domain"][1],
            "yanchor": "bottom",
            "yshift": 2,
        }
        for lines, axis in zip(panels, axes.values(), strict=True)
    ]


def _time(history: History) -> tuple[date, date]:
    """The ends of the time axis, with a margin for the marks at them."""
    days = [price.quote.day for price in history.prices]
    first, last = min(days), max(days)
    spare = timedelta(days=round((last - first).days * 0.02) or 30)
    return first - spare, last + spare


def _amounts(lines: Sequence[PricedLine]) -> tuple[float, float]:
    """The range of a price axis: from under the lowest price to above the highest, never below nothing."""
    amounts = [price.amount for line in lines for price in line.prices]
    low, high = min(amounts), max(amounts)
    spare = max((high - low) * 0.12, high * 0.02)
    # Below the lowest line is room for a label.
    return max(low - 2 * spare, 0.0), high + spare


def line_colour(line: PricedLine, history: History, look: Look) -> str:
    """The maker's colour, or the market's where the lines are one maker's in several."""
    makers = {each.key.maker for each in history.drawn}
    is_by_market = len(makers) == 1 and len({each.key.market for each in history.drawn}) > 1
    if is_by_market:
        return style.colour(line.key.market, look.theme, highlight=True)
    return style.colour(line.key.maker, look.theme, highlight=len(makers) == 1)


def _full_name(line: PricedLine, history: History) -> str:
    names = history.found.book
    where = f", {names.market_names[line.key.market]}" if len(history.found.markets) > 1 else ""
    return f"{car_name(line.key, names.names)}, {KINDS[line.key.kind]}{where}{_unlike_tax(line, history)}"


def _unlike_tax(line: PricedLine, history: History) -> str:
    """Whether tax is in a line's prices, where that is not the same for all lines."""
    taxes = {each.key.tax_included for each in history.drawn}
    return f", {TAXES[line.key.tax_included]}" if len(taxes) > 1 and history.found.terms.tax is None else ""


def _label(line: PricedLine, history: History, look: Look) -> Label:
    """What stands at a line's end: what tells it from the others, and its last price, with its month if it is older."""
    key, names = line.key, history.found.book.names
    every = [each.key for each in history.drawn]
    last = line.prices[-1]
    in_panel = len(history.panels) > 1 and not is_narrow(look)
    words = []
    if len({of.maker for of in every}) > 1 or key.maker == ALL:
        words.append("All makers" if key.maker == ALL else names[key.maker])
    trim = key.trim if ALL not in (key.maker, key.model) else ""
    if key.maker != ALL and (not trim or (len({of.model for of in every}) > 1 and not in_panel)):
        words.append("all models" if key.model == ALL else names[key.model])
    name = " ".join([*words, trim]).strip()
    if len({of.market for of in every}) > 1:
        name = f"{history.found.book.market_names[key.market]}, {name}"
    if key.kind is not PriceKind.LIST:
        name += f", {KINDS[key.kind]}"
    name += _unlike_tax(line, history)
    newest = max(price.quote.day for price in history.prices)
    amount = money(last.amount, last.given.currency).rsplit(" ", 1)[0]
    return Label(
        text=f"{name} {amount}",
        when="" if last.quote.day == newest else f"({_short_month(last.quote)})",
        day=last.quote.day,
        value=last.amount,
        colour=_text_colour(line, history, look),
        path=tuple((price.quote.day, price.amount) for price in line.prices),
    )


def _text_colour(line: PricedLine, history: History, look: Look) -> str:
    colour = line_colour(line, history, look)
    return colour if colour != style.colour("other", look.theme) else style.INK[look.theme].quiet


def _short_month(quote: Quote) -> str:
    if quote.precision in (DatePrecision.QUARTER, DatePrecision.YEAR):
        return month_of(quote)
    return style.period_text(quote.day, "month")


# Download, table, receipts


def _in_order(history: History) -> list[Price]:
    """All prices by day, then by what they are of."""
    prices = [(price.quote.day, n, price) for n, line in enumerate(history.found.lines) for price in line.prices]
    return [price for *_, price in sorted(prices, key=lambda each: each[:2])]


def rows(reading: Reading) -> pd.DataFrame:
    """Every price of the selection, also of lines that are not drawn, with `price_rows.PRICE_COLUMNS`."""
    history: History = reading.content
    tax = history.found.terms.tax
    return price_rows(_in_order(history), history.found.book, tax=tax.value if tax else "")


def table(reading: Reading) -> Table:
    """The newest prices, each with its change on the price before of its line."""
    history: History = reading.content
    found, names = history.found, history.found.book.names
    before = {price.quote.row: earlier for line in found.lines for earlier, price in pairwise(line.prices)}
    several = len(found.markets) > 1
    body = []
    for price in reversed(_in_order(history)):
        quote, earlier = price.quote, before.get(price.quote.row)
        change = style.MISSING if earlier is None else style.growth_text(price.amount / earlier.amount - 1)
        if earlier is not None and quote.is_level and price.amount != earlier.amount:
            change = f"by then {change}"
        body.append(
            (
                car_name(quote, names),
                *((found.book.market_names[quote.market],) if several else ()),
                KINDS[quote.kind],
                day_of(quote),
                money(price.amount, price.given.currency),
                change,
                quote.evidence.value,
            )
        )
    return Table(
        header=("Car", *(("Market",) if several else ()), "Kind", "From", "Price", "Change", "Evidence"),
        rows=tuple(body[:TABLE_ROWS]),
        caption="The newest prices. A change is on the price before of the same trim, kind and tax; all are in the "
        "download.",
    )


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims behind a point, also that of a second source for the same day."""
    book = reading.content.found.book
    return price_receipts(connection, book, quotes_at(point, book.quotes))


def receipts_of_rows(connection: Connection, reading: Reading) -> pd.DataFrame:
    """The claim behind each row of the download."""
    history: History = reading.content
    return row_receipts(connection, history.found.book, [[price.quote] for price in _in_order(history)])


PRICE_HISTORY = Chart(
    slug="price-history",
    name="Price history",
    question="Dearer or cheaper than two years ago?",
    defaults=Selection(market=("CN",), by=By.MODEL, models=("tesla-model-3", "tesla-model-y")),
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
    row_receipts=receipts_of_rows,
    by_day=True,
)
