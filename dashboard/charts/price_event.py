"""`price-event`: what became of a maker's share around a price cut, set against makers that did not move theirs.

An event study (`dashboard.event_study`): months -3 to +6, control makers, and the same computation around months
without a cut. It shows an association. What else happened in the same months is in it, and the chart says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from dashboard import event_study, style
from dashboard.charts import market_rows
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Chart, Point, Reading, Table
from dashboard.charts.events import market_events
from dashboard.charts.market_words import listed
from dashboard.charts.price_event_drawing import CUT, draw
from dashboard.charts.price_event_words import Cut, PriceEvent, badge, notes, subtitle, title
from dashboard.charts.price_rows import price_receipts
from dashboard.charts.price_words import KINDS, check_known
from dashboard.charts.whole_market import answered
from dashboard.event_study import BEFORE, OFFSETS, Bounded
from dashboard.lines import Line
from dashboard.price_book import PriceBook, price_book
from dashboard.prices import Move, PriceLine
from dashboard.sales_lines import MarketFigures, market_figures
from dashboard.selection import InvalidSelection, Measure, NotPublished, PowertrainChoice, Refusal, Selection
from dashboard.windows import month_number, month_start
from db import Connection, provenance
from db.claims import Bools, Floats
from db.vocabulary import ALL, PriceKind

DEFAULTS = Selection(market=("DE",))
"""A market in which all but a hundredth of the cars are published by maker, and where Tesla's cuts are dated."""

CUTS = (PriceKind.LIST, PriceKind.STARTING, PriceKind.AFTER_INCENTIVE)
"""Kinds of price that a maker sets: an average paid moves without anybody's decision."""

_DRIVES = {PowertrainChoice.BEV: "BEV", PowertrainChoice.PHEV: "PHEV"}
"""Whose prices are looked at; of several powertrains those of all cars."""

RIVALS = 4
"""Other makers drawn at the most, unless the reader named more."""


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """A cut and the share around it; `NotPublished` where no cut is known, or the months around it have no shares."""
    any_cut = replace(selection, makers=(), models=(), date=None, price_kind=None, since=None, until=None)
    instead = (
        replace(selection, date=None),
        replace(selection, date=None, since=None, until=None),
        any_cut,
        replace(any_cut, powertrain=PowertrainChoice.BEV),
        replace(DEFAULTS, as_of=selection.as_of),
        DEFAULTS,
    )
    event = answered(lambda wanted: _event(connection, wanted, today=today), selection, *instead)
    figures = event.figures
    quotes = [quote for move in event.cut.moves for quote in (move.before, move.after)]
    priced = provenance.record_citations(
        connection, event.book.frame.iloc[sorted({quote.row for quote in quotes})], as_of=selection.as_of
    )
    citations = tuple({cited.slug: cited for cited in (*figures.dataset.citations, *priced)}.values())
    return Reading(
        selection=selection,
        title=title(event),
        subtitle=subtitle(event),
        badge=badge(event, citations),
        citations=citations,
        notes=notes(event),
        content=event,
        events=market_events(connection, replace(figures, selection=replace(figures.selection, makers=()))),
    )


# Which cut


def _event(connection: Connection, selection: Selection, *, today: date) -> PriceEvent:
    book = price_book(connection, as_of=selection.as_of, markets=selection.market, quotes_only=True)
    check_known(selection, book.names)
    drives = _DRIVES.get(selection.powertrain)
    lines = [
        line
        for line in book.lines()
        if line.key.kind in CUTS
        and ALL not in (line.key.maker, line.key.model)
        and (drives is None or line.key.powertrain == drives)
    ]
    found = cuts(lines, selection)
    last = min(day for day in (selection.date, selection.as_of, today) if day)
    candidates = [cut for cut in found if cut.day <= last]
    if selection.date:
        # The day of the cut, or the last one before it.
        candidates = sorted(candidates, key=lambda cut: (cut.day, cut.weight), reverse=True)[:1]
    if not candidates:
        raise NotPublished(
            _no_cut(selection, book), nearest=replace(selection, date=found[0].day) if found else _anybody(selection)
        )
    reason = ""
    tried: dict[str, MarketFigures | None] = {}
    for cut in candidates:
        if cut.market not in tried:
            tried[cut.market] = _shares(connection, selection, cut.market)
        figures = tried[cut.market]
        event = _around(cut, figures, lines, selection, book) if figures else None
        if event:
            return event
        reason = reason or _no_shares(cut, book)
    raise NotPublished(reason, nearest=replace(selection, date=None) if selection.date else _anybody(selection))


def cuts(lines: Iterable[PriceLine], selection: Selection) -> list[Cut]:
    """The dated cuts of a selection's makers, models and kind within its range: the largest first, and last
    those that only a price long past is known before.

    A cut is dated where its day, week or month is known; a level that was seen lower later on is none.
    """
    by_day: dict[tuple[str, str, date], list[Move]] = {}
    for line in lines:
        key = line.key
        if selection.price_kind not in (None, key.kind):
            continue
        if (selection.makers and key.maker not in selection.makers) or (
            selection.models and key.model not in selection.models
        ):
            continue
        for move in line.moves:
            month = move.after.day.replace(day=1)
            in_range = (not selection.since or month >= selection.since) and (
                not selection.until or month <= selection.until
            )
            if move.change < 0 and move.after.is_dated and in_range:
                by_day.setdefault((key.market, key.maker, move.after.day), []).append(move)
    found = [Cut(market, maker, day, tuple(moves)) for (market, maker, day), moves in by_day.items()]
    return sorted(found, key=lambda cut: (not cut.is_fresh, -cut.weight, cut.market, cut.day, cut.maker))


def _anybody(selection: Selection) -> Selection:
    return replace(selection, makers=(), models=(), price_kind=None, since=None, until=None)


def _no_cut(selection: Selection, book: PriceBook) -> str:
    named = [book.names[slug] for slug in selection.models or selection.makers]
    whose = listed(named) if named else "any maker"
    places = listed([book.market_names.get(code, code) for code in selection.market])
    before = f" on or before {style.day_text(selection.date)}" if selection.date else ""
    when = " in the range" if selection.since or selection.until else ""
    kind = f" ({KINDS[selection.price_kind].split(',')[0]})" if selection.price_kind else ""
    return f"no dated price cut{kind} by {whose} in {places} is known{before}{when}"


def _no_shares(cut: Cut, book: PriceBook) -> str:
    return (
        f"the monthly shares of {book.names[cut.maker]} and its rivals in {book.market_names[cut.market]} from three "
        f"months before to six months after the cut of {cut.when} are not all published"
    )


def _shares(connection: Connection, selection: Selection, market: str) -> MarketFigures | None:
    """The monthly shares of all makers of a market; None where there are none."""
    asked = Selection(market=(market,), powertrain=selection.powertrain, measure=Measure.SHARE, as_of=selection.as_of)
    try:
        figures = market_figures(connection, asked, measures=(Measure.SHARE,))
    except (InvalidSelection, Refusal):
        return None
    return None if figures.is_own else figures


# The study


def _around(
    cut: Cut, figures: MarketFigures, lines: Sequence[PriceLine], selection: Selection, book: PriceBook
) -> PriceEvent | None:
    """The event study of a cut; None where its window is not complete."""
    months = np.arange(int(figures.start[0]), int(figures.start[-1]) + 1, dtype=np.int64)
    there = np.isin(months, figures.start)
    month = month_number(cut.day) - int(months[0])
    entities = {line.maker: line for line in figures.entities if not line.is_own_rest}
    if cut.maker not in entities or not BEFORE <= month < len(months) - event_study.AFTER:
        return None

    def over_months(values: Floats) -> Floats:
        spread = np.full(len(months), np.nan)
        spread[there] = values
        return spread

    def share(line: Line) -> Floats:
        finished = ~figures.unfinished_of(line)
        return over_months(np.where(line.named & finished, line.value, np.nan))

    others = [maker for maker in entities if maker != cut.maker]
    in_market = [line for line in lines if line.key.market == cut.market]
    first = int(months[0])
    moved = {maker: moved_months(in_market, maker, first=first, count=len(months)) for maker in others}
    shares = np.array([share(entities[maker]) for maker in others]).reshape(len(others), len(months))
    is_control = ~np.array([_touched(moved[maker]) for maker in others], dtype=np.bool_).reshape(shares.shape)
    own = share(entities[cut.maker])
    study = event_study.study(
        own,
        event_study.control_windows(shares, is_control),
        month,
        quiet=~_cut_months(in_market, cut.maker, first=first, count=len(months)),
    )
    if study is None:
        return None
    window = np.isin(figures.start, months[month + OFFSETS])
    shown = figures.at(window)
    by_maker = {line.maker: line for line in shown.entities}
    named = {maker for maker, of in zip(others, shares, strict=True) if not np.isnan(of[month + OFFSETS]).any()}
    controls = [maker for maker, free in zip(others, is_control[:, month], strict=True) if free and maker in named]
    least, most = _bounds(shown, cut.maker, controls)
    earlier = (
        event_study.study(
            own, event_study.control_windows(shares, is_control), month - 12, quiet=np.zeros(len(own), dtype=np.bool_)
        )
        if month >= 12
        else None
    )
    priced = _priced_in(in_market, cut.day)
    return PriceEvent(
        selection=selection,
        cut=cut,
        figures=shown,
        line=by_maker[cut.maker],
        rivals=_rivals(by_maker, cut.maker, selection),
        controls=tuple(by_maker[maker] for maker in controls),
        silent=frozenset(maker for maker in controls if maker not in priced),
        moved=tuple(
            by_maker[maker]
            for maker, free in zip(others, is_control[:, month], strict=True)
            if not free and maker in named
        ),
        study=study,
        least=least,
        most=most,
        year_before=earlier.effect if earlier else float("nan"),
        others=_other_moves(in_market, cut),
        book=book,
        names=(figures.nouns.markets[cut.market], figures.nouns.adjectives[cut.market]),
    )


def moved_months(lines: Iterable[PriceLine], maker: str, *, first: int, count: int) -> Bools:
    """The months (L) from `first` on in which a maker may have moved a price, as far as its prices are known.

    A dated step is in its month, one whose day is about known in the months beside it too, and one that ends in a level
    anywhere since the price before.
    """
    may = np.zeros(count, dtype=np.bool_)
    for line in lines:
        if line.key.maker != maker:
            continue
        for move in line.moves:
            end = month_number(move.after.day) - first
            if move.by:
                begin = month_number(move.before.day) - first
            elif move.after.is_dated:
                begin = end
            else:
                begin, end = end - 1, end + 1
            may[max(begin, 0) : max(end + 1, 0)] = True
    return may


def _touched(moved: Bools) -> Bools:
    """The months (L) in whose window is a month that moved."""
    return np.asarray(np.nan_to_num(event_study.windows(moved.astype(np.float64))).any(axis=-1))


def _cut_months(lines: Iterable[PriceLine], maker: str, *, first: int, count: int) -> Bools:
    """The months (L) in which a maker is known to have cut a price: none of them is a placebo."""
    known = np.zeros(count, dtype=np.bool_)
    for line in lines:
        for move in line.moves:
            place = month_number(move.after.day) - first
            if line.key.maker == maker and move.change < 0 and 0 <= place < count and not move.by:
                known[place] = True
    return known


def _priced_in(lines: Iterable[PriceLine], day: date) -> frozenset[str]:
    """The makers with a price that was known around a day: before it or on it, and again after it."""
    return frozenset(
        line.key.maker for line in lines if line.quotes[0].day <= day < line.quotes[-1].day or _is_fresh(line, day)
    )


def _is_fresh(line: PriceLine, day: date) -> bool:
    return line.on(day) is not None


def _other_moves(lines: Iterable[PriceLine], cut: Cut) -> tuple[date, ...]:
    """The days of the cutter's further dated steps within the window."""
    month = month_number(cut.day)
    days = {
        move.after.day
        for line in lines
        if line.key.maker == cut.maker
        for move in line.moves
        if not move.by and move.after.day != cut.day
    }
    return tuple(sorted(day for day in days if OFFSETS[0] <= month_number(day) - month <= OFFSETS[-1]))


def _rivals(by_maker: dict[str, Line], cutter: str, selection: Selection) -> tuple[Line, ...]:
    """The makers that the reader named beside the cutter, and then the largest before the cut."""
    whole = [line for maker, line in by_maker.items() if maker != cutter and line.named.all()]
    named = [line for line in whole if line.maker in selection.makers]
    largest = sorted(whole, key=lambda line: (-float(line.value[:BEFORE].sum()), line.name))
    rest = [line for line in largest if line not in named]
    return (*named, *rest[: max(RIVALS - len(named), 0)])


def _bounds(figures: MarketFigures, cutter: str, controls: Sequence[str]) -> tuple[float, float]:
    """Between what the effect lies, with the unnamed rest given to the cutter, or to the controls."""
    by_maker = {line.maker: line for line in figures.entities}
    rests = [line.value for line in figures.lines if line.is_rest]
    low = np.sum([by_maker[maker].low for maker in controls], axis=0)
    high = np.sum([by_maker[maker].high for maker in controls], axis=0)
    if rests:
        # However many they are, together they hide no more than there is.
        high = np.minimum(high, low + np.nan_to_num(rests[0]))
    own = by_maker[cutter]
    return event_study.effect_bounds(Bounded(own.low, own.high), Bounded(low, high))


# Download, table, receipts


OWN_COLUMNS = ("offset", "role", "placebo_low", "placebo_high", "placebo_p", "placebo_months", "price_url")


def rows(reading: Reading) -> pd.DataFrame:
    """The effect, what was expected month by month, and the shares of everybody in the window.

    `DOWNLOAD_COLUMNS`, and: `offset`: months from the cut. `role`: `cutter`, `control`, `moved` (a price of its own
    moved or may have) or `other`. The row whose measure is `effect` has in `low` and `high` what unnamed cars leave
    open, in `placebo_low` and `placebo_high` what nine of ten months without a cut give, and in `price_url` where the
    prices before and after can be read.
    """
    event: PriceEvent = reading.content
    figures, study = event.figures, event.study
    frame = market_rows.rows(figures)
    roles = {event.cut.maker: "cutter"}
    roles |= {line.maker: "control" for line in event.controls}
    roles |= {line.maker: "moved" for line in event.moved}
    offsets = {month_start(int(month)).isoformat(): int(n) for month, n in zip(figures.start, OFFSETS, strict=True)}
    frame = frame.assign(
        offset=[offsets[start] for start in frame["period_start"]],
        role=[roles.get(maker, "other") for maker in frame["maker"]],
    )
    of_cutter = frame[frame["role"] == "cutter"]
    expected = of_cutter.assign(
        measure="expected_share", value=study.expected, low=study.expected, high=study.expected, flags=""
    )
    urls = [event.book.frame["url"].iloc[quote.row] for move in event.cut.moves for quote in (move.before, move.after)]
    effect = of_cutter[of_cutter["offset"] == 0].assign(
        measure="effect",
        value=study.effect,
        low=min(event.least, study.effect),
        high=max(event.most, study.effect),
        flags="open" if event.is_open else "",
        placebo_low=study.low,
        placebo_high=study.high,
        placebo_p=study.p,
        placebo_months=len(study.placebos),
        price_url=";".join(dict.fromkeys(urls)),
    )
    told = pd.concat([effect, expected, frame], ignore_index=True)[[*DOWNLOAD_COLUMNS, *OWN_COLUMNS]]
    return told.fillna({"price_url": ""}).astype(dict.fromkeys(OWN_COLUMNS[2:6], float))


def table(reading: Reading) -> Table:
    """Month by month: the cutter's share, what was expected, the difference and its placebo band, and the rivals."""
    event: PriceEvent = reading.content
    study, rivals = event.study, event.rivals

    def ends(at: int) -> str:
        if not study.has_interval:
            return style.MISSING
        low, high = (style.pp_text(float(end)) for end in study.band[:, at])
        return f"{low.removesuffix(' pp')} to {high}"

    body = [
        (
            style.period_text(month_start(int(month)), "month"),
            f"{OFFSETS[at]:+d}".replace("-", style.MINUS).replace("+0", "0"),
            style.share_text(float(study.share[at])),
            style.share_text(float(study.expected[at])),
            style.pp_text(float(study.share[at] - study.expected[at])),
            ends(at),
            *(style.share_text(float(line.value[at])) for line in rivals),
        )
        for at, month in enumerate(event.figures.start.tolist())
    ]
    gap = style.pp_text(study.effect)
    inside = (
        f"{style.pp_text(study.low).removesuffix(' pp')} to {style.pp_text(study.high)}"
        if study.has_interval
        else style.MISSING
    )
    body.append(("Months +1 to +6", "mean", "", "", gap, inside, *("" for _ in rivals)))
    return Table(
        header=(
            "Month",
            "From the cut",
            event.name,
            "Expected",
            "Difference",
            "Nine of ten months without a cut",
            *(line.name for line in rivals),
        ),
        rows=tuple(body),
        caption="Shares of the market by month. All makers, and which of them are controls, are in the download.",
    )


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored figures behind a share, or the prices before and after the cut."""
    event: PriceEvent = reading.content
    if point.model == CUT:
        quotes = [quote for move in event.cut.moves for quote in (move.before, move.after)]
        return price_receipts(connection, event.book, quotes)
    return market_rows.receipts(connection, event.figures, point)


PRICE_EVENT = Chart(
    slug="price-event",
    name="After a price cut",
    question="Did a price cut buy share?",
    defaults=DEFAULTS,
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
)
