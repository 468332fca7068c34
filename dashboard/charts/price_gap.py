"""`price-gap`: how far one maker's prices are from another's, by cars of both that are alike.

The gap of a month is the median over the pairs of which both prices stand at its end, with the least and the greatest
beside it. Which pairs there are changes as models come and go: the line is broken there, so that a line that moves is
always a price that moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import pandas as pd

from dashboard import style
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Badge, Chart, Point, Reading, Table, shortest
from dashboard.charts.duel import RIVALS, answered
from dashboard.charts.market_words import listed
from dashboard.charts.price_rows import line_id, price_receipts
from dashboard.charts.price_rows import row_receipts as receipts_of_rows
from dashboard.charts.price_words import (
    KINDS,
    TAXES,
    Asked,
    car_name,
    in_names,
    model_name,
    money,
    price_badge,
    terms_notes,
)
from dashboard.price_pairs import WITHIN, GapMonth, Gaps, Pair, Reach, gaps, traits
from dashboard.prices import (
    CannotConvert,
    Price,
    PriceBook,
    PriceLine,
    Terms,
    chosen_book,
    cited,
    terms_of,
)
from dashboard.selection import Incomparable, NotPublished, Real, Selection
from dashboard.style import Figure, Look
from db import Connection
from db.queries import Citation

YARDSTICK: Final = "tesla"
"""Whose price is the hundred per cent where it is one of the two; else it is that of the second by name."""

MEDIAN: Final = "median"
"""What stands for a pair in points and in the download where a figure is of all pairs of a month."""

LABELLED: Final = 7
"""Pairs that have a label of their own at the end of their line."""

NAMED: Final = 3
"""Cars that a note names before it counts the rest."""

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


@dataclass(frozen=True)
class Side:
    """One of the two makers: its lines, and those that no pair can be made of, by what nobody states of them."""

    maker: str
    lines: tuple[PriceLine, ...]
    lacking: Mapping[tuple[str, ...], tuple[PriceLine, ...]]


@dataclass(frozen=True)
class PriceGap:
    """The pairs of two makers in one market: `one` is how much dearer or cheaper than `other`."""

    selection: Selection
    book: PriceBook
    terms: Terms
    one: Side
    other: Side
    found: Gaps
    strangers: tuple[str, ...]
    """Models that the reader named and that are of neither maker, by name."""

    @property
    def market(self) -> str:
        """The market's name."""
        return self.book.market_names[self.selection.market[0]]

    @property
    def names(self) -> tuple[str, str]:
        """The names of the two makers."""
        return self.book.names[self.one.maker], self.book.names[self.other.maker]

    @property
    def last(self) -> GapMonth:
        """The newest month that has a pair."""
        return self.found.months[-1]

    @property
    def pairs(self) -> Iterator[tuple[GapMonth, Pair]]:
        """Every pair of every month."""
        return ((month, pair) for month in self.found.months for pair in month.pairs)

    @property
    def latest(self) -> tuple[tuple[GapMonth, Pair], ...]:
        """Each pair as it was last, the newest and then the widest first."""
        last = {pair.cars: (month, pair) for month, pair in self.pairs}
        return tuple(sorted(last.values(), key=lambda each: (-each[0].day.toordinal(), each[1].fraction)))


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
        subtitle=_subtitle(gap),
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


# Words


def title(gap: PriceGap) -> str:
    """By how much the pairs of the newest month are apart, and how many they are."""
    low, _, high = gap.last.spread(money=False)
    one, other = gap.names
    when, pairs = style.period_text(gap.last.month, "month"), gap.last.pairs
    where = f"in {gap.market}"
    if len(pairs) == 1:
        (pair,) = pairs
        cars = [car_name(key, gap.book.names) for key in pair.cars]
        models = [model_name(key, gap.book.names) for key in pair.cars]
        apart = _apart(low)
        return shortest(
            f"{cars[0]}: {apart} {cars[1]} {where}, {when}",
            f"{models[0]}: {apart} {models[1]} {where}, {when}",
            f"{models[0]}: {apart} {models[1]}, {when}",
            f"{one}: {apart} {other} in 1 matched pair, {when}",
        )
    count = f"{len(pairs)} matched pairs"
    texts = [style.share_text(abs(end)) for end in sorted((low, high), key=abs)]
    if (low < 0) is (high < 0) and low and high:
        word = "below" if high < 0 else "above"
        by = texts[0] if texts[0] == texts[1] else f"{texts[0].removesuffix(' %')} to {texts[1]}"
        return shortest(
            f"{one} {by} {word} {other} in {count} {where}, {when}", f"{one} {by} {word} {other} in {count}, {when}"
        )
    return shortest(
        f"{one} against {other}, {count} {where}: {_far(low)} to {_far(high)}, {when}",
        f"{one} against {other}, {count}: {_far(low)} to {_far(high)}, {when}",
    )


def _apart(fraction: float) -> str:
    """`24.1 % below`, `3.0 % above` or `the same price as`."""
    return "the same price as" if abs(fraction) < 0.0005 else _far(fraction)


def _far(fraction: float) -> str:
    if abs(fraction) < 0.0005:
        return "the same"
    return f"{style.share_text(abs(fraction))} {'below' if fraction < 0 else 'above'}"


def _subtitle(gap: PriceGap) -> str:
    one, other = gap.names
    currency = gap.last.pairs[0].one_given.currency
    taxes = {pair.one_line.tax_included for _, pair in gap.pairs}
    tax = gap.terms.tax.meaning if gap.terms.tax else "; ".join(text for of, text in TAXES.items() if of in taxes)
    real = f", in money of {gap.terms.base_year}" if gap.terms.base_year else ""
    terms = f"in {currency}, {tax}{real}"
    return shortest(
        f"{gap.market}. {one} less {other}, median and range of matched pairs, {terms}; monthly",
        f"{gap.market}. {one} less {other} in matched pairs, {terms}; monthly",
        f"{one} less {other} in matched pairs, {terms}",
        f"Matched pairs, {terms}",
    )


def notes(gap: PriceGap) -> tuple[str, ...]:
    """What a pair is, where the set of pairs changes, what rests on weaker knowledge, and what is left out."""
    runs, latest = gap.found.runs, gap.latest
    said = [
        "A pair is two trims of one segment and drive, with prices of one kind, whose ranges by the same test differ "
        f"by at most {WITHIN:.0%} of the longer one.".replace("%", " %")
    ]
    if len(runs) > 1:
        said.append(
            f"The line is broken where the pairs change, {_times(len(runs) - 1)}: from one part to the next the gap "
            "moves without any price having moved."
        )
    if any(not pair.confirmed for _, pair in gap.pairs):
        said.append("Hollow: one of the prices is the last known, and no later one confirms that it still held.")
    of_model = sum(1 for _, pair in latest if pair.one_reach.of_model or pair.other_reach.of_model)
    if of_model:
        said.append(f"In {of_model} of {len(latest)} pairs a range is the model's, since none is stated of the trim.")
    is_open = sum(1 for _, pair in latest if pair.is_drive_open)
    if is_open:
        said.append(f"In {is_open} of {len(latest)} pairs a trim names no drive and is taken to have the other's.")
    paired = {key for _, pair in latest for key in pair.cars}
    for name, side in zip(gap.names, (gap.one, gap.other), strict=True):
        for lacks, lines in sorted(side.lacking.items()):
            said.append(
                f"Left out of {name}, since no {' and no '.join(lacks)} is stated: {_cars(lines, gap)} "
                f"({len(lines)} of {len(side.lines)} series)."
            )
    alone = [
        f"{sum(1 for line in side.lines if line.key not in paired) - sum(map(len, side.lacking.values()))} of {name}"
        for name, side in zip(gap.names, (gap.one, gap.other), strict=True)
    ]
    if any(not count.startswith("0 ") for count in alone):
        said.append(f"Known and without a counterpart at the same time: {listed(alone)}.")
    if gap.strangers:
        said.append(f"Of neither maker: {listed(gap.strangers)}.")
    said += [f"Left out: {in_names(why, gap.book.market_names)}." for why in gap.found.refused]
    if gap.selection.date and gap.terms.currency == "local":
        said.append("The day chosen fixes an exchange rate, and none is needed here.")
    prices = [
        Price(replace(standing.quote, day=month.day), given)
        for month, pair in gap.pairs
        for standing, given in ((pair.one, pair.one_given), (pair.other, pair.other_given))
    ]
    terms = replace(gap.terms, currency="local")
    said += terms_notes(Asked(selection=gap.selection, book=gap.book, terms=terms, lines=(), lacking={}), prices)
    if any(price.given.currency != price.quote.currency for price in prices):
        when = style.period_text(gap.terms.on, "month") if gap.terms.on else gap.terms.base_year or "the month shown"
        said.append(f"Both prices are exchanged at the mean rate of {when}, so no gap in % comes from a rate.")
    return tuple(said)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _cars(lines: Sequence[PriceLine], gap: PriceGap) -> str:
    """The models of some lines: the first few by name."""
    models = sorted({gap.book.names.get(line.key.model, "all models") for line in lines})
    more = len(models) - NAMED
    return listed([*models[:NAMED], f"{more} more models"] if more > 0 else models)


def _pair_name(pair: Pair, gap: PriceGap) -> str:
    """`BYD Seal 550 / Tesla Model 3 RWD`."""
    return " / ".join(car_name(key, gap.book.names) for key in pair.cars)


# Drawing

_PANELS = ((0.46, 1.0), (0.0, 0.34))
"""The parts of the height that the gap in per cent and the gap in money have."""


def draw(reading: Reading, look: Look) -> Figure:
    """The gap in per cent over the gap in money: the median with its range, and each pair as a thin line."""
    gap: PriceGap = reading.content
    ink, font = style.INK[look.theme], round(look.font_px * 0.92)
    colour = style.colour(gap.one.maker, look.theme, highlight=True)
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {}
    annotations: list[dict[str, Any]] = []
    ends: dict[str, tuple[list[style.LineEnd], tuple[float, float]]] = {}
    currency = gap.last.pairs[0].one_given.currency
    for number, (domain, is_money) in enumerate(zip(_PANELS, (False, True), strict=True), start=1):
        yaxis = "y" if number == 1 else "y2"
        if len(gap.latest) > 1:
            traces += _pair_lines(gap, yaxis, colour, is_money=is_money)
        traces.append(_median_line(gap, yaxis, colour, look, is_money=is_money))
        spreads = [month.spread(money=is_money) for month in gap.found.months]
        within = _axis_range(min(low for low, _, _ in spreads), max(high for _, _, high in spreads))
        middle = gap.last.spread(money=is_money)[1]
        text = _signed_money(middle, currency) if is_money else style.growth_text(middle)
        several = len(gap.last.pairs) > 1
        ends[yaxis] = [style.LineEnd(("median " if several else "") + text, middle, colour)], within
        if several and not is_money and len(gap.last.pairs) <= LABELLED:
            ends[yaxis][0].extend(_pair_ends(gap, look))
        layout["yaxis" + yaxis[1:]] = {
            "domain": list(domain),
            "range": list(within),
            "tickformat": "~s" if is_money else ".0%",
            "nticks": 4 if is_money else 6,
            "rangemode": "tozero",
        }
        one, other = gap.names
        annotations.append(
            {
                "text": style.escape(
                    f"in {currency}" if is_money else f"in % of the price of {other}; below zero {one} is cheaper"
                ),
                "font": {"size": font, "color": ink.quiet},
                "showarrow": False,
                "xref": "paper",
                "x": 0,
                "xanchor": "left",
                "yref": "paper",
                "y": domain[1],
                "yanchor": "bottom",
                "yshift": 2,
                "borderpad": 0,
            }
        )
    drawn = style.layout(look, xaxis={"type": "date", "hoverformat": "%b %Y", **_time_axis(gap), "anchor": "y2"},
                         yaxis=layout["yaxis"])  # fmt: skip
    drawn["yaxis2"] = {**drawn["yaxis"], **layout["yaxis2"]}
    drawn["margin"] |= {
        "r": style.end_room([end for of, _ in ends.values() for end in of], font_px=font),
        "t": drawn["margin"]["t"] + round(font * 1.4),
    }
    height = drawn["height"] - drawn["margin"]["t"] - drawn["margin"]["b"]
    for (yaxis, (of, within)), domain in zip(ends.items(), _PANELS, strict=True):
        placed = style.line_end_labels(of, height_px=height * (domain[1] - domain[0]), font_px=font, value_range=within)
        annotations += style.end_annotations(placed, font_px=font, yref=yaxis)
    drawn["annotations"] = annotations
    return {"data": traces, "layout": drawn}


def _pair_ends(gap: PriceGap, look: Look) -> list[style.LineEnd]:
    """A label for each pair of the newest month: its cars without their makers, and how far apart they are."""
    font, quiet = round(look.font_px * 0.92), style.INK[look.theme].quiet
    found = []
    for pair in gap.last.pairs:
        cars = " / ".join(f"{gap.book.names[key.model]} {key.trim}".strip() for key in pair.cars)
        text = f"{style.fitting(cars, width=font * 17, font_px=font)} {style.growth_text(pair.fraction)}"
        found.append(style.LineEnd(text, pair.fraction, quiet))
    return found


def _axis_range(low: float, high: float) -> tuple[float, float]:
    """From below the least to above the greatest, with zero, which is no gap."""
    low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low) * 0.08 or 1.0
    return low - room * (low < 0), high + room * (high > 0 or low == 0)


def _time_axis(gap: PriceGap) -> dict[str, Any]:
    """From the first to the last month, with room; a few months are named one by one."""
    months = gap.found.months
    ends = [months[0].day - timedelta(days=20), months[-1].day + timedelta(days=12)]
    axis: dict[str, Any] = {"range": [day.isoformat() for day in ends]}
    if (months[-1].day - months[0].day).days < 300:
        days = list(dict.fromkeys(month.day for month in months))
        names = [style.period_text(day, "month").replace(" ", "<br>") for day in days]
        axis |= {"tickmode": "array", "tickvals": [day.isoformat() for day in days], "ticktext": names}
    return axis


def _broken(gap: PriceGap) -> list[GapMonth | None]:
    """The months with a gap between those that have not the same pairs."""
    found: list[GapMonth | None] = []
    for run in gap.found.runs:
        found += [*run, None]
    return found[:-1]


def _median_line(gap: PriceGap, yaxis: str, colour: str, look: Look, *, is_money: bool) -> dict[str, Any]:
    months, ink = _broken(gap), style.INK[look.theme]
    spreads = [month.spread(money=is_money) if month else None for month in months]
    several = any(month and len(month.pairs) > 1 for month in months)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "Median of the pairs" if several else "The pair",
        "yaxis": yaxis,
        "x": [month.day.isoformat() if month else None for month in months],
        "y": [spread[1] if spread else None for spread in spreads],
        "line": {"color": colour, "width": 2.5},
        "marker": {
            "size": round(look.font_px * 0.55),
            "color": [
                colour if month is None or all(pair.confirmed for pair in month.pairs) else ink.background
                for month in months
            ],
            "line": {"color": colour, "width": 2},
        },
        "customdata": [_key(gap, month, MEDIAN) if month else [] for month in months],
        "text": [_median_text(month, gap) if month else "" for month in months],
        "hovertemplate": "%{text}<extra></extra>",
        "connectgaps": False,
    }


def _pair_lines(gap: PriceGap, yaxis: str, colour: str, *, is_money: bool) -> list[dict[str, Any]]:
    """A thin line for each pair, broken where it does not stand."""
    traces = []
    for _, latest in gap.latest:
        points = [next((pair for pair in month.pairs if pair.cars == latest.cars), None) for month in gap.found.months]
        heights = [None if pair is None else pair.gap if is_money else pair.fraction for pair in points]
        dash = "dot" if latest.one_reach.of_model or latest.other_reach.of_model else "solid"
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": style.escape(_pair_name(latest, gap)),
                "yaxis": yaxis,
                "x": [month.day.isoformat() for month in gap.found.months],
                "y": heights,
                "opacity": 0.5,
                "line": {"color": colour, "width": 1, "dash": dash},
                "marker": {"size": 3, "color": colour},
                "customdata": [
                    [] if pair is None else _key(gap, month, _pair_id(pair))
                    for month, pair in zip(gap.found.months, points, strict=True)
                ],
                "text": ["" if pair is None else style.escape(_pair_text(pair, gap)) for pair in points],
                "hovertemplate": "%{text}<extra></extra>",
                "connectgaps": False,
            }
        )
    return traces


def _median_text(month: GapMonth, gap: PriceGap) -> str:
    if len(month.pairs) == 1:
        return style.escape(_pair_text(month.pairs[0], gap))
    low, middle, high = month.spread(money=False)
    cash = _signed_money(month.spread(money=True)[1], month.pairs[0].one_given.currency)
    return (
        f"median {style.growth_text(middle)} ({cash}), {style.growth_text(low)} to {style.growth_text(high)}, "
        f"{len(month.pairs)} pairs"
    )


def _pair_text(pair: Pair, gap: PriceGap) -> str:
    amounts = [money(given.amount, given.currency) for given in (pair.one_given, pair.other_given)]
    return f"{_pair_name(pair, gap)}: {' / '.join(amounts)}, {style.growth_text(pair.fraction)}"


def _signed_money(amount: float, currency: str) -> str:
    sign = "+" if amount > 0 else style.MINUS if amount < 0 else ""
    return sign + money(abs(amount), currency)


# Points, download, table, receipts


def _pair_id(pair: Pair) -> str:
    return "~".join(line_id(key) for key in pair.cars)


def _key(gap: PriceGap, month: GapMonth, part: str) -> list[Any]:
    """What a click hands over: the pair, or `MEDIAN`, stands where `Point` has a model."""
    return [gap.selection.market[0], gap.one.maker, part, month.day.toordinal()]


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
        "part": _pair_id(pair),
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
                _signed_money(pair.gap, pair.one_given.currency),
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
        if month.day.toordinal() == point.period_start and point.model in (MEDIAN, _pair_id(pair))
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
