"""`price-war`: makers' price steps in one market above their shares of it, on one time axis.

Prices are those of one trim of each maker, the one whose moves are known best, with its first known price as 100: trims
of unlike size are compared by how far they moved, never by what they cost. Standing beside a share explains nothing of
it: that is what `price-event` tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import market_rows
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Badge, Chart, Point, Reading, Table, shortest
from dashboard.charts.events import NO_EVENTS, marked, market_events
from dashboard.charts.market_drawing import trend
from dashboard.charts.market_notes import bounds_notes, freshness
from dashboard.charts.market_words import WINDOWS, Drawn, amount_text, marked_text
from dashboard.charts.price_drawing import Label, is_narrow, mark_notes, placed, step_traces
from dashboard.charts.price_rows import PRICE_COLUMNS, price_receipts, price_row, quotes_at, row_receipts
from dashboard.charts.price_words import (
    KINDS,
    Asked,
    asked,
    car_name,
    change_text,
    day_of,
    in_place,
    in_time,
    model_name,
    money,
    price_badge,
    price_name,
    terms_notes,
    terms_text,
)
from dashboard.charts.whole_market import answered
from dashboard.lines import Line
from dashboard.precedence import PUBLISHED_AS
from dashboard.price_book import cited
from dashboard.prices import Price, PricedLine
from dashboard.sales_lines import MarketFigures, market_figures
from dashboard.selection import By, Incomparable, Measure, NotPublished, Selection, Window
from dashboard.style import Figure, Look
from dashboard.windows import month_number, month_start, months_behind
from db import Connection, provenance
from db.provenance import Citation
from db.vocabulary import Grain, PriceKind

MAKERS = 5
"""Makers drawn at the most: those whose price moves are known best."""

FIRST = "tesla"
"""Whose prices the title is about where they are drawn."""

_SHARES = (0.0, 0.44)
_PRICES = (0.56, 1.0)
"""The parts of the plot's height that shares and prices have."""


@dataclass(frozen=True)
class War:
    """One market's makers: `lines` are their price lines, the best documented first, and `shares` their shares."""

    found: Asked
    lines: tuple[PricedLine, ...]
    shares: Drawn
    citations: tuple[Citation, ...]
    silent: tuple[str, ...]
    """Makers that the reader named and of which no trim has two prices."""

    @property
    def figures(self) -> MarketFigures:
        """The figures of the shares."""
        return self.shares.figures

    def share_of(self, maker: str) -> Line | None:
        """A maker's share, where one is published."""
        return next((line for line in self.shares.lines if line.maker == maker), None)


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The prices and shares of a market's makers.

    Raises as `price_words.asked` and `market_figures` do, `Incomparable` for several markets, and `NotPublished` where
    no trim has two prices.
    """
    begin = PRICE_WAR.defaults
    instead = (
        *(replace(selection, market=(code,)) for code in selection.market),
        replace(begin, market=selection.market, as_of=selection.as_of),
        replace(begin, as_of=selection.as_of),
        begin,
    )
    war = answered(lambda wanted: _war(connection, wanted), selection, *instead)
    prices = price_badge(
        [price.quote for line in war.lines for price in line.prices], known=None, on=selection.as_of or today
    )
    shares = freshness(war.figures, today=today)
    return Reading(
        selection=selection,
        title=title(war),
        subtitle=_subtitle(war),
        badge=Badge(
            text=f"{prices.text} · {shares.text.replace('data to', 'shares to', 1)}",
            amber=prices.amber or shares.amber,
            reason=f"{prices.reason} {shares.reason}".strip(),
        ),
        citations=war.citations,
        notes=notes(war),
        content=war,
        events=market_events(connection, war.figures),
    )


def _war(connection: Connection, selection: Selection) -> War:
    if len(selection.market) > 1:
        raise Incomparable(
            "a price war is fought in one market: shares of several stand in no one panel",
            nearest=replace(selection, market=selection.market[:1]),
        )
    found = asked(connection, selection)
    lines = best_documented(found.lines)
    place = in_place(found.book.market_names[selection.market[0]])
    if not lines:
        narrowed = bool(selection.makers or selection.models or selection.price_kind or selection.segment)
        raise NotPublished(
            f"of no trim of these cars in {place} are two prices known, so that there is no move to draw",
            nearest=replace(selection, makers=(), models=(), price_kind=None, segment=None, since=None, until=None)
            if narrowed or selection.since or selection.until
            else None,
        )
    figures = _shares(connection, selection, lines)
    named = {line.key.maker for line in lines}
    by_maker = {line.maker: line for line in figures.entities if line.named.any()}
    shares = tuple(by_maker[line.key.maker] for line in lines if line.key.maker in by_maker)
    used = cited(connection, found.book, found.terms, [price.quote.row for line in lines for price in line.prices])
    return War(
        found=found,
        lines=lines,
        shares=Drawn(figures=figures, lines=shares),
        citations=tuple({each.slug: each for each in (*used, *figures.dataset.citations)}.values()),
        silent=tuple(slug for slug in selection.makers if slug not in named),
    )


def best_documented(lines: Sequence[PricedLine]) -> tuple[PricedLine, ...]:
    """For each maker the line with most steps, of averages none: those with most steps first, at most `MAKERS`."""

    def telling(line: PricedLine) -> tuple[int, int, int]:
        return -len(line.line.moves), -len(line.prices), -line.prices[-1].quote.day.toordinal()

    best: dict[str, PricedLine] = {}
    for line in sorted(lines, key=telling):
        if len(line.prices) > 1 and line.key.kind is not PriceKind.TRANSACTION_AVG:
            best.setdefault(line.key.maker, line)
    return tuple(best.values())[:MAKERS]


def _shares(connection: Connection, selection: Selection, lines: Sequence[PricedLine]) -> MarketFigures:
    """The makers' shares since the first of the prices."""
    first = min(line.prices[0].quote.day for line in lines).replace(day=1)
    wanted = replace(
        selection,
        by=By.MAKER,
        makers=tuple(sorted(line.key.maker for line in lines)),
        models=(),
        measure=Measure.SHARE,
        since=selection.since or first,
    )
    try:
        figures = market_figures(connection, wanted, measures=(Measure.SHARE,))
    except NotPublished as refused:
        near = refused.nearest
        if near and near.market == selection.market:
            refused.nearest = replace(
                selection, basis=near.basis, powertrain=near.powertrain, grain=near.grain, window=near.window
            )
        raise
    if len(figures.start) < 2:
        raise NotPublished(
            "shares of one period alone are published in the range of these prices",
            nearest=replace(selection, since=None, until=None),
        )
    return figures


# Words


def title(war: War) -> str:
    """How far a maker's price moved, and its share then and now: side by side, and no more than that."""
    names = war.found.book.names
    line = next((each for each in war.lines if each.key.maker == FIRST), war.lines[0])
    first, last = line.prices[0], line.prices[-1]
    change = change_text(last.amount / first.amount - 1)
    than = "as" if change == "the same" else "than"
    neutral = f"{names[line.key.maker]}'s prices and share, and those of {len(war.lines) - 1} more"
    before = in_time(first, line)
    moved = f"{change} {in_time(last, line)} {than} {before}"
    car = car_name(line.key, names)
    # The share says whose car it is.
    short = car.removeprefix(f"{names[line.key.maker]} ")
    share = war.share_of(line.key.maker)
    if share is not None:
        at = np.flatnonzero(~np.isnan(share.value))
        if len(at):
            now_share = marked_text(share, int(at[-1]), war.figures.selection)
            when = style.period_text(month_start(int(war.figures.start[at[-1]])), war.figures.selection.grain.value)
            return shortest(
                f"{car}: {moved}; {names[line.key.maker]}'s share {now_share} in {when}",
                f"{short}: {moved}; {names[line.key.maker]}'s share {now_share} in {when}",
                f"{short}: {change} {than} {before}; {names[line.key.maker]}'s share {now_share} in {when}",
                f"{short}: {change} {than} {before}; share {now_share} in {when}",
                f"{short}: {change} {than} {before}",
                neutral,
            )
    return shortest(f"{car}: {moved}", f"{short}: {moved}", f"{short}: {change} {than} {before}", neutral)


def _subtitle(war: War) -> str:
    selection = war.figures.selection
    window = WINDOWS[selection.window][0] if selection.grain is Grain.MONTH else ""
    of = "" if selection.denominator is selection.powertrain else f" of {selection.denominator.value}"
    basis = war.shares.lines[0].basis if war.shares.lines else selection.basis.value
    grain = {"month": "monthly", "quarter": "quarterly", "year": "yearly"}[selection.grain.value]
    place = war.found.book.market_names[war.lines[0].key.market]
    return (
        f"{place}. Above: price of one trim a maker, first known price = 100, {terms_text(war.found)}. Below: share of "
        f"{selection.powertrain.value} {basis}s{of}, {grain}{f', {window}' if window else ''}"
    )


def notes(war: War) -> tuple[str, ...]:
    """Which trim is shown for whom, what the marks mean, and what the shares leave open."""
    names = war.found.book.names
    trims = [
        f"{model_name(line.key, names)} {line.key.trim}".strip()
        + f", {KINDS[line.key.kind]}, {money(line.prices[0].amount, line.prices[0].given.currency)} "
        + day_of(line.prices[0].quote)
        for line in war.lines
    ]
    said = [
        f"One trim a maker, the one with most known moves; 100 is {'; '.join(trims)}.",
        "Prices and shares stand side by side: that one followed the other is no proof that it came from it.",
    ]
    without = [names[line.key.maker] for line in war.lines if war.share_of(line.key.maker) is None]
    if without:
        said.append(f"Without a published share: {', '.join(without)}.")
    if war.silent:
        listed = ", ".join(names[slug] for slug in war.silent)
        said.append(f"Not drawn: {listed}, of whom no trim is known at two prices.")
    said += mark_notes(war.lines)
    said += bounds_notes(war.shares)
    said += terms_notes(war.found, [price for line in war.lines for price in line.prices])
    return tuple(said)


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """Price steps above shares on one time axis, with the events over both."""
    war: War = reading.content
    if look.width is None:
        look = replace(look, height=round(look.height * 1.45))
    first, last = _time(war)
    figure = trend(war.shares, look, NO_EVENTS, domain=_SHARES, time=(first.isoformat(), last.isoformat()))
    layout = figure["layout"]
    traces = [_by_day(trace) for trace in figure["data"]]
    labels = []
    for line in war.lines:
        name, base = war.found.book.names[line.key.maker], line.prices[0].amount
        colour = style.colour(line.key.maker, look.theme, highlight=True)
        car = car_name(line.key, war.found.book.names)
        traces += step_traces(line, name=f"{car}, {KINDS[line.key.kind]}", colour=colour, yref="y2", base=base)
        end = 100 * line.prices[-1].amount / base
        labels.append(
            Label(
                text=f"{name} price {end:.0f}" if is_narrow(look) else f"{name} {end:.0f}",
                when="",
                day=line.prices[-1].quote.day,
                value=end,
                colour=colour if colour != style.colour("other", look.theme) else style.INK[look.theme].quiet,
                path=tuple((price.quote.day, 100 * price.amount / base) for price in line.prices),
            )
        )
    values = [value for label in labels for _, value in label.path]
    spare = max((max(values) - min(values)) * 0.12, 4.0)
    within = max(min(values) - spare, 0.0), max(values) + spare
    layout["yaxis2"] = layout["yaxis"] | {
        "domain": list(_PRICES),
        "range": list(within),
        "tickformat": ",",
        "rangemode": "normal",
        "zeroline": False,
        "nticks": 5,
    }
    layout["xaxis"] |= {"anchor": "y"}
    layout["hovermode"] = "closest"
    layout = placed(layout, [("y2", within, labels)], time=(first, last), high=_PRICES[1] - _PRICES[0], look=look)
    for trace in traces:
        trace["hovertemplate"] = "%{fullData.name}: %{text}<extra></extra>" if trace.get("text") else None
    events = marked(layout, reading.events, look)
    over = events["margin"]["t"] - layout["margin"]["t"]
    events["annotations"] = [*events["annotations"], *_names_of_panels(look, over=over)]
    events["margin"] = events["margin"] | {"t": events["margin"]["t"] + round(look.font_px * 1.4)}
    return {"data": traces, "layout": events}


def _by_day(trace: dict[str, Any]) -> dict[str, Any]:
    """A trace of months with points that name the first day of each."""
    keys = trace.get("customdata")
    if keys is None:
        return trace
    return {**trace, "customdata": [[*key[:3], month_start(key[3]).toordinal()] if key else [] for key in keys]}


def _names_of_panels(look: Look, *, over: float) -> list[dict[str, Any]]:
    """The panels' names, the upper one's `over` pixels above it, where the events end."""
    texts = (("Price, first known = 100", _PRICES[1], over), ("Share", _SHARES[1], 0))
    return [
        {
            "text": text,
            "font": {"size": look.font_px, "color": style.INK[look.theme].text, "weight": 600},
            "showarrow": False,
            "xref": "paper",
            "x": 0,
            "xanchor": "left",
            "yref": "paper",
            "y": top,
            "yanchor": "bottom",
            "yshift": 2 + up,
        }
        for text, top, up in texts
    ]


def _time(war: War) -> tuple[date, date]:
    """The ends of the common time axis."""
    days = [price.quote.day for line in war.lines for price in line.prices]
    months = [month_start(int(month)) for month in (war.figures.start[0], war.figures.start[-1])]
    first, last = min(*days, months[0]), max(*days, months[1])
    spare = timedelta(days=round((last - first).days * 0.02) or 30)
    return first - spare, last + spare


# Download, table, receipts


def _prices(war: War) -> list[tuple[Price, float]]:
    """The prices that are drawn, line by line, each with the first of its line."""
    return [(price, line.prices[0].amount) for line in war.lines for price in line.prices]


def rows(reading: Reading) -> pd.DataFrame:
    """The prices that are drawn, then the shares; `index` is a price as a part of the first of its line, that being
    100."""
    war: War = reading.content
    tax = war.found.terms.tax
    told = [
        price_row(price, war.found.book, tax=tax.value if tax else "") | {"index": 100 * price.amount / base}
        for price, base in _prices(war)
    ]
    shares = market_rows.rows(replace(war.figures, lines=war.shares.lines)).to_dict("records")
    blank: dict[str, Any] = {name: "" for name in PRICE_COLUMNS if name not in DOWNLOAD_COLUMNS}
    blank |= {"published_price": np.nan, "index": np.nan}
    return pd.DataFrame([*told, *(row | blank for row in shares)], columns=[*PRICE_COLUMNS, "index"])


def table(reading: Reading) -> Table:
    """The moves, newest first, with the maker's share in the period of each."""
    war: War = reading.content
    names = war.found.book.names
    body = []
    for line in war.lines:
        for before, price in zip(line.prices, line.prices[1:], strict=False):
            if price.quote.amount == before.quote.amount:
                continue
            by = "by then " if price.quote.is_level else ""
            body.append(
                (
                    price.quote.day,
                    (
                        price_name(line.key, names),
                        day_of(price.quote),
                        money(before.amount, before.given.currency),
                        money(price.amount, price.given.currency),
                        by + style.growth_text(price.amount / before.amount - 1),
                        _share_at(war, line.key.maker, price.quote.day),
                    ),
                )
            )
    body.sort(key=lambda each: each[0], reverse=True)
    return Table(
        header=("Car", "From", "Before", "After", "Change", "Share of the maker then"),
        rows=tuple(row for _, row in body)
        or tuple(
            (price_name(line.key, names), day_of(line.prices[-1].quote), style.MISSING, style.MISSING, "0 %", "")
            for line in war.lines
        ),
        caption="Known moves of the drawn trims, newest first; a share is of the period in which a move falls.",
    )


def _share_at(war: War, maker: str, day: date) -> str:
    line, start = war.share_of(maker), war.figures.start
    at = int(np.searchsorted(start, month_number(day), side="right")) - 1
    if line is None or at < 0 or np.isnan(line.value[at]) or month_number(day) - int(start[at]) > 11:
        return style.MISSING
    return amount_text(line, at, war.figures.selection)


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims behind a price, or behind a share."""
    war: War = reading.content
    if quotes := quotes_at(point, war.found.book.quotes):
        return price_receipts(connection, war.found.book, quotes)
    month = month_number(date.fromordinal(point.period_start))
    return market_rows.receipts(connection, war.figures, replace(point, period_start=month))


def receipts_of_rows(connection: Connection, reading: Reading) -> pd.DataFrame:
    """The claims behind each row of the download."""
    war: War = reading.content
    prices = [[price.quote] for price, _ in _prices(war)]
    claims = [row_receipts(connection, war.found.book, prices)]
    shares = market_rows.rows(replace(war.figures, lines=war.shares.lines))
    for line in war.shares.lines:
        of_line = np.flatnonzero(shares["maker"] == line.maker)
        months = [month_number(date.fromisoformat(shares["period_start"].iloc[row])) for row in of_line]
        told = _cars_behind(connection, war.figures, line)
        for row, month in zip(of_line.tolist(), months, strict=True):
            spans = months_behind(war.figures.selection, month)
            sources = market_rows.sources_at(line, war.figures, month)
            behind = market_rows.in_spans(told, spans) & told["source_slug"].isin(sources)
            claims.append(told[behind].assign(row=len(prices) + row))
    return pd.concat(claims, ignore_index=True)


def _cars_behind(connection: Connection, figures: MarketFigures, line: Line) -> pd.DataFrame:
    """The claims about a maker's cars in all periods of the figures, as `market_rows.receipts` chooses them."""
    selection = figures.selection
    words = PUBLISHED_AS[selection.powertrain]
    spans = [span for month in figures.start for span in months_behind(selection, int(month))]
    told = [
        provenance.receipts(
            connection,
            markets=(line.market,),
            bases=(line.basis,),
            powertrains=(word,),
            makers=(line.maker,),
            model=None,
            first=month_start(min(span.start for span in spans)),
            last=month_start(max(span.stop for span in spans) - 1),
            as_of=selection.as_of,
            scope=figures.scope,
        ).assign(powertrain=word)
        for word in words
    ]
    return market_rows.without_parts(pd.concat(told, ignore_index=True), is_set=len(words) > 1)


PRICE_WAR = Chart(
    slug="price-war",
    name="Price war",
    question="Who cut prices, and what became of the shares?",
    defaults=Selection(market=("CN",), by=By.MODEL, measure=Measure.SHARE, window=Window.THREE_MONTHS),
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
    row_receipts=receipts_of_rows,
    by_day=True,
)
