"""`price-gap`: how far one maker's prices are from another's, by cars of both that are alike.

The gap of a month is the median over the pairs of which both prices stand at its end, with the least and the greatest
beside it. Which pairs there are changes as models come and go: the line is broken there, so that a line that moves is
always a price that moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

import pandas as pd

from dashboard import style
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Badge, Chart, Point, Reading, Table
from dashboard.charts.duel import RIVALS, answered
from dashboard.charts.market_words import listed
from dashboard.charts.price_gap_drawing import MEDIAN, draw, pair_id, signed_money
from dashboard.charts.price_gap_words import PriceGap, Side, notes, subtitle, title
from dashboard.charts.price_rows import price_receipts
from dashboard.charts.price_rows import row_receipts as receipts_of_rows
from dashboard.charts.price_words import KINDS, car_name, in_names, money, price_badge
from dashboard.price_book import chosen_book, cited, terms_of
from dashboard.price_pairs import GapMonth, Pair, Reach, gaps, traits
from dashboard.prices import CannotConvert, PriceLine
from dashboard.selection import Incomparable, NotPublished, Real, Selection
from db import Connection
from db.provenance import Citation

YARDSTICK: Final = "tesla"
"""Whose price is the hundred per cent where it is one of the two; else it is that of the second by name."""

GAP_COLUMNS: Final = (
    *DOWNLOAD_COLUMNS,
    "part",
    "pairs",
    "gap",
    "currency",
    "tax",
    "price_kind",
    "trim",
    "price",
    "price_from",
    "range_km",
    "other_maker",
    "other_model",
    "other_trim",
    "other_price",
    "other_price_from",
    "other_range_km",
    "range_cycle",
    "segment",
    "drive",
    "url",
    "other_url",
)
"""The columns of the download: `value` is the gap as a fraction of the other's price, `gap` in units of `currency`."""


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The gap between two makers' matched cars; `Incomparable` for other than two makers or one market.

    `NotPublished` where no two cars of theirs are alike and have prices at one time.
    """
    codes = selection.market or PRICE_GAP.defaults.market
    plain = replace(selection, models=(), since=None, until=None, price_kind=None, segment=None, cycle=None)
    gap = answered(
        connection,
        selection,
        ask=lambda connection, asked: _gap(connection, asked, today=today),
        others=(
            *(replace(selection, market=(code,)) for code in codes),
            *(replace(plain, market=(code,), tax=None, real=Real.NOMINAL) for code in codes),
            replace(plain, market=PRICE_GAP.defaults.market, tax=None, real=Real.NOMINAL),
            replace(PRICE_GAP.defaults, as_of=selection.as_of),
            PRICE_GAP.defaults,
        ),
    )
    quotes = [standing.quote for _, pair in gap.pairs for standing in (pair.one, pair.other)]
    citations = _cited(connection, gap, [quote.row for quote in quotes])
    return Reading(
        selection=selection,
        title=title(gap),
        subtitle=subtitle(gap),
        badge=_badge(gap, citations, on=selection.as_of or today),
        citations=citations,
        notes=notes(gap),
        content=gap,
    )


def _gap(connection: Connection, selection: Selection, *, today: date) -> PriceGap:
    if len(selection.market) != 1:
        raise Incomparable(
            "cars are matched within one market: what is alike in one has another range, trim or tax in the next",
            nearest=replace(selection, market=selection.market[:1] or PRICE_GAP.defaults.market),
        )
    one, other = _two(selection)
    # What a trim is known by may be stated with an older price, or with one of another kind.
    asked = replace(selection, makers=tuple(sorted((one, other))), since=None, until=None, price_kind=None)
    book = chosen_book(connection, asked)
    quotes = book.quotes
    known = traits(quotes, book.vehicles)
    lines = [line for line in book.lines() if selection.price_kind in (None, line.key.kind)]
    sides = [_side(maker, lines, {row: of.lacking for row, of in known.items()}) for maker in (one, other)]
    for side in sides:
        if not side.lines:
            where = book.market_names.get(selection.market[0], selection.market[0])
            raise NotPublished(f"no such price of {book.names.get(side.maker, side.maker)} is known in {where}")
    try:
        terms = terms_of(selection, book)
    except CannotConvert as missing:
        reason = in_names(str(missing), book.market_names)
        raise NotPublished(reason, nearest=replace(selection, real=Real.NOMINAL)) from missing
    found = gaps(
        sides[0].lines,
        sides[1].lines,
        known=known,
        terms=terms,
        rates=book.rates,
        days=_month_ends(sides, selection, today=today),
        cycle=selection.cycle,
    )
    gap = PriceGap(
        selection=selection,
        book=book,
        terms=terms,
        one=sides[0],
        other=sides[1],
        found=found,
        strangers=tuple(book.names[slug] for slug in selection.models if slug not in {each.model for each in quotes}),
    )
    if not found.months:
        raise _none_alike(gap)
    return gap


def _two(selection: Selection) -> tuple[str, str]:
    """Who is measured, and against whom. Nobody named is BYD against Tesla; one maker meets Tesla, and Tesla BYD."""
    named = selection.makers or RIVALS
    if len(named) == 1:
        named = (named[0], "byd" if named[0] == YARDSTICK else YARDSTICK)
    if len(named) > 2:
        raise Incomparable(
            f"a gap is between two makers, and {len(named)} are chosen",
            nearest=replace(selection, makers=tuple(sorted(named)[:2]), models=()),
        )
    one, other = sorted(named)
    return (other, one) if one == YARDSTICK else (one, other)


def _side(maker: str, lines: Sequence[PriceLine], lacks: Mapping[int, tuple[str, ...]]) -> Side:
    """The lines of a maker; one that lacks something at each of its prices makes no pair."""
    own = tuple(line for line in lines if line.key.maker == maker)
    lacking: dict[tuple[str, ...], tuple[PriceLine, ...]] = {}
    for line in own:
        least = min((lacks[quote.row] for quote in line.quotes), key=len)
        if least:
            lacking[least] = (*lacking.get(least, ()), line)
    return Side(maker=maker, lines=own, lacking=lacking)


def _month_ends(sides: Sequence[Side], selection: Selection, *, today: date) -> list[date]:
    """The last day of each month from when both have a price, within the reader's range; of this month today."""
    first = max(min(quote.day for line in side.lines for quote in line.quotes) for side in sides)
    month, end = max(first.replace(day=1), selection.since or first.replace(day=1)), selection.as_of or today
    days = []
    while month <= min(end, selection.until or end):
        following = (month + timedelta(days=31)).replace(day=1)
        days.append(min(following - timedelta(days=1), end))
        month = following
    return days


def _none_alike(gap: PriceGap) -> NotPublished:
    if gap.found.refused:
        return NotPublished(
            in_names(gap.found.refused[0], gap.book.market_names),
            nearest=replace(gap.selection, tax=None, real=Real.NOMINAL, currency="local"),
        )
    one, other = gap.names
    counts = []
    for name, side in zip(gap.names, (gap.one, gap.other), strict=True):
        unknown = sum(len(lines) for lines in side.lacking.values())
        counts.append(f"{unknown} of {len(side.lines)} of {name}")
    return NotPublished(
        f"no two trims of {one} and {other} in {gap.market} are alike in segment, drive and range and have prices at "
        f"one time; segment, drive or range is not known of {listed(counts)}"
    )


def _cited(connection: Connection, gap: PriceGap, rows: Sequence[int]) -> tuple[Citation, ...]:
    return cited(connection, gap.book, gap.terms, rows)


def _badge(gap: PriceGap, citations: Sequence[Citation], *, on: date) -> Badge:
    newest = [standing.quote for pair in gap.last.pairs for standing in (pair.one, pair.other)]
    badge = price_badge(newest, known=max((each.known_on for each in citations), default=None), on=on)
    if len(gap.last.pairs) > 1 or badge.amber:
        return badge
    return replace(badge, amber=True, reason="The gap rests on a single pair of cars.")


# Points, download, table, receipts


def rows(reading: Reading) -> pd.DataFrame:
    """Each month's median, with the least and greatest gap as its bounds, and each pair, with `GAP_COLUMNS`.

    `part` is `median` or the pair; `pairs` counts those of the month. `price` and `other_price` are as the reader asked
    for them, `price_from` and `other_price_from` the days since when they stand.
    """
    gap: PriceGap = reading.content
    listed_rows = []
    for month in gap.found.months:
        listed_rows.append(_median_row(month, gap))
        listed_rows += [_pair_row(month, pair, gap) for pair in month.pairs]
    return pd.DataFrame(listed_rows, columns=list(GAP_COLUMNS))


def _month_row(month: GapMonth, pairs: Sequence[Pair], gap: PriceGap) -> dict[str, Any]:
    """What a month's median and its pairs have in common."""
    quotes = [standing.quote for pair in pairs for standing in (pair.one, pair.other)]
    stored = gap.book.frame.iloc[[quote.row for quote in quotes]]
    tax = gap.terms.tax.value if gap.terms.tax else ""
    return dict.fromkeys(GAP_COLUMNS, "") | {
        "period_start": month.month.isoformat(),
        "grain": "month",
        "window": "none",
        "market": gap.selection.market[0],
        "powertrain": ";".join(sorted({pair.one_line.powertrain for pair in pairs})),
        "maker": gap.one.maker,
        "maker_name": gap.names[0],
        "measure": "price_gap",
        "unit": "fraction",
        "flags": "" if all(pair.confirmed for pair in pairs) else "last known",
        "source": ";".join(sorted(set(stored["source"]))),
        "known_from": max(stored["known_from"]).isoformat(),
        "pairs": len(month.pairs),
        "currency": pairs[0].one_given.currency,
        "tax": tax or ";".join(sorted({pair.one_line.tax_included.value for pair in pairs})),
        "price_kind": ";".join(sorted({pair.one_line.kind.value for pair in pairs})),
        "other_maker": gap.other.maker,
        "price": float("nan"),
        "other_price": float("nan"),
        "range_km": float("nan"),
        "other_range_km": float("nan"),
    }


def _median_row(month: GapMonth, gap: PriceGap) -> dict[str, Any]:
    low, middle, high = month.spread(money=False)
    return _month_row(month, month.pairs, gap) | {
        "model": "all",
        "model_name": "All matched cars",
        "value": middle,
        "low": low,
        "high": high,
        "part": MEDIAN,
        "gap": month.spread(money=True)[1],
    }


def _pair_row(month: GapMonth, pair: Pair, gap: PriceGap) -> dict[str, Any]:
    one, other = pair.cars
    urls = [gap.book.frame.iloc[standing.quote.row]["url"] for standing in (pair.one, pair.other)]
    return _month_row(month, [pair], gap) | {
        "model": one.model,
        "model_name": gap.book.names[one.model],
        "value": pair.fraction,
        "low": pair.fraction,
        "high": pair.fraction,
        "part": pair_id(pair),
        "gap": pair.gap,
        "trim": one.trim,
        "price": pair.one_given.amount,
        "price_from": pair.one.quote.day.isoformat(),
        "range_km": pair.one_reach.km,
        "other_model": other.model,
        "other_trim": other.trim,
        "other_price": pair.other_given.amount,
        "other_price_from": pair.other.quote.day.isoformat(),
        "other_range_km": pair.other_reach.km,
        "range_cycle": pair.cycle.value,
        "segment": pair.segment,
        "drive": pair.drive,
        "url": urls[0],
        "other_url": urls[1],
    }


def table(reading: Reading) -> Table:
    """The pairs, each as it was last: what is alike in them, both prices, and the gap."""
    gap: PriceGap = reading.content
    body = []
    for _, pair in gap.latest:
        months = [each.month for each, other in gap.pairs if other.cars == pair.cars]
        span = " to ".join(dict.fromkeys(style.period_text(each, "month") for each in (months[0], months[-1])))
        body.append(
            (
                car_name(pair.one_line, gap.book.names),
                car_name(pair.other_line, gap.book.names),
                KINDS[pair.one_line.kind],
                f"{pair.segment}, {pair.drive}" + (" (one trim names none)" if pair.is_drive_open else ""),
                f"{_km(pair.one_reach)} / {_km(pair.other_reach)} {pair.cycle.value}",
                span,
                money(pair.one_given.amount, pair.one_given.currency),
                money(pair.other_given.amount, pair.other_given.currency),
                signed_money(pair.gap, pair.one_given.currency),
                style.growth_text(pair.fraction),
            )
        )
    one, other = gap.names
    return Table(
        header=(one, other, "Kind", "Alike in", "Range", "Months", f"{one} at", f"{other} at", "Gap", "Gap, %"),
        rows=tuple(body),
        caption="Each pair as it was in its last month; all months are in the download.",
    )


def _km(reach: Reach) -> str:
    return f"{reach.km:.0f} km" + (" (model)" if reach.of_model else "")


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims of both prices of a pair, or of all pairs of a month."""
    gap: PriceGap = reading.content
    quotes = [
        standing.quote
        for month, pair in gap.pairs
        if month.day.toordinal() == point.period_start and point.model in (MEDIAN, pair_id(pair))
        for standing in (pair.one, pair.other)
    ]
    return price_receipts(connection, gap.book, list(dict.fromkeys(quotes)))


def row_receipts(connection: Connection, reading: Reading) -> pd.DataFrame:
    """The stored claims behind each row of the download."""
    gap: PriceGap = reading.content
    behind = []
    for month in gap.found.months:
        of_pairs = [[pair.one.quote, pair.other.quote] for pair in month.pairs]
        behind += [list(dict.fromkeys(quote for pair in of_pairs for quote in pair)), *of_pairs]
    return receipts_of_rows(connection, gap.book, behind)


PRICE_GAP = Chart(
    slug="price-gap",
    name="Price gap",
    question="How far is BYD below Tesla?",
    defaults=Selection(market=("CN",), makers=RIVALS),
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
    row_receipts=row_receipts,
    by_day=True,
)
