"""`price-event`: what became of a maker's share around a price cut, set against makers that did not move theirs.

An event study (`dashboard.event_study`): months -3 to +6, control makers, and the same computation around months
without a cut. It shows an association. What else happened in the same months is in it, and the chart says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from dashboard import event_study, style
from dashboard.charts import market_rows
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Badge, Chart, Point, Reading, Table, shortest
from dashboard.charts.events import marked, market_events
from dashboard.charts.market_drawing import plain
from dashboard.charts.market_words import COUNTED, FIGURES, KIND, listed, rest_share
from dashboard.charts.price_drawing import is_narrow
from dashboard.charts.price_rows import price_receipts
from dashboard.charts.price_words import KINDS, check_known, day_of, model_name
from dashboard.charts.share_change import pp_axis
from dashboard.charts.whole_market import answered
from dashboard.event_study import BEFORE, OFFSETS, Bounded, Study
from dashboard.prices import STALE_DAYS, Move, PriceBook, PriceLine, price_book
from dashboard.sales_lines import Line, MarketFigures, market_figures, month_number, month_start
from dashboard.selection import InvalidSelection, Measure, NotPublished, PowertrainChoice, Real, Refusal, Selection
from dashboard.style import Figure, Look
from db import Connection, queries
from db.claims import Bools, Floats
from db.queries import Citation
from db.vocabulary import ALL, DatePrecision, PriceKind

DEFAULTS = Selection(market=("DE",))
"""A market in which all but a hundredth of the cars are published by maker, and where Tesla's cuts are dated."""

CUTS = (PriceKind.LIST, PriceKind.STARTING, PriceKind.AFTER_INCENTIVE)
"""Kinds of price that a maker sets: an average paid moves without anybody's decision."""

_DRIVES = {PowertrainChoice.BEV: "BEV", PowertrainChoice.PHEV: "PHEV"}
"""Whose prices are looked at; of several powertrains those of all cars."""

RIVALS = 4
"""Other makers drawn at the most, unless the reader named more."""

CUT = "cut"
"""Stands for a model in the point of the cut itself."""

TELLING = 0.0005
"""An effect below this part of a market rounds to no tenth of a percentage point."""

_HOLIDAY = ("CN",)
"""Markets in which a long holiday falls in January or February, another month from year to year."""


@dataclass(frozen=True)
class Cut:
    """A maker's price cut in a market on a day: the steps down of its lines on it."""

    market: str
    maker: str
    day: date
    moves: tuple[Move, ...]

    @property
    def size(self) -> float:
        """What was taken off the middle one of its prices, as a fraction: below zero."""
        return median(move.change for move in self.moves)

    @property
    def weight(self) -> float:
        """By how much all its prices fell together, by which the largest is chosen."""
        return -sum(move.change for move in self.moves)

    @property
    def is_fresh(self) -> bool:
        """Whether a price before it is young enough to have held until then: else the step may be of several cuts."""
        return any(not _is_old(move) for move in self.moves)

    @property
    def when(self) -> str:
        """Its date as exactly as it is known."""
        return day_of(self.moves[0].after)


def _is_old(move: Move) -> bool:
    return (move.after.day - move.before.day).days > STALE_DAYS


@dataclass(frozen=True)
class PriceEvent:
    """A cut, the cutter's share around it, and what it is set against.

    `figures` are those of the market over the months of the window, `line` the cutter's among them. `controls` are the
    makers that the expectation is made of, `silent` those of them of whom no price is known in these months; `moved`
    are makers left out since they moved a price. `least` and `most` bound the effect where unnamed cars leave it open.
    `year_before` is the effect around the same month a year before, NaN where there is none. `others` are further
    moves of the cutter's own in the window.
    """

    selection: Selection
    cut: Cut
    figures: MarketFigures
    line: Line
    rivals: tuple[Line, ...]
    controls: tuple[Line, ...]
    silent: frozenset[str]
    moved: tuple[Line, ...]
    study: Study
    least: float
    most: float
    year_before: float
    others: tuple[date, ...]
    book: PriceBook
    names: tuple[str, str]

    @property
    def name(self) -> str:
        """The cutter."""
        return self.line.name

    @property
    def width(self) -> float:
        """How far apart the ends of the cutter's share are, on average over the window."""
        return float((self.line.high - self.line.low).mean())

    @property
    def is_open(self) -> bool:
        """Whether nothing can be said: the share is an interval wider than the effect, or its bounds allow both."""
        if self.width > max(abs(self.study.effect), TELLING):
            return True
        return self.study.has_interval and len({self._place(end) for end in (self.least, self.most)}) > 1

    def _place(self, effect: float) -> int:
        """Whether an effect is below, within or above what months without a cut give."""
        return int(effect > self.study.high) - int(effect < self.study.low)

    def over(self, line: Line) -> Floats:
        """A maker's share over the window (W), less its mean before month 0; NaN where it is not named."""
        share = np.where(line.named, line.value, np.nan)
        return np.asarray(share - share[:BEFORE].mean())


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
    priced = queries.record_citations(
        connection, event.book.frame.iloc[sorted({quote.row for quote in quotes})], as_of=selection.as_of
    )
    citations = tuple({cited.slug: cited for cited in (*figures.dataset.citations, *priced)}.values())
    return Reading(
        selection=selection,
        title=title(event),
        subtitle=_subtitle(event),
        badge=_badge(event, citations),
        citations=citations,
        notes=_notes(event),
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


# Words


def title(event: PriceEvent) -> str:
    """Whether the share stood out after the cut from months without one; no finding where it is open."""
    name, when, effect = event.name, event.cut.when, event.study.effect
    _, adjective = event.names
    # As much of whose share it is as there is room for.
    shares = (f"{adjective} {KIND[event.figures.selection.powertrain]} share", f"{adjective} share", "share")
    if event.is_open:
        return shortest(*(f"{name}'s cut of {when}: unnamed cars leave open what its {share} did" for share in shares))
    if not event.study.has_interval:
        told = f"after its cut of {when}: {style.pp_text(effect)} on control makers"
        return shortest(*(f"{name}'s {share} {told}" for share in shares))
    if event.study.stands_out and abs(effect) >= TELLING:
        size, way = style.pp_text(abs(effect)).removeprefix("+"), "more" if effect > 0 else "less"
        return shortest(
            *(
                f"After {name}'s cut of {when} its {share} was {size} {way} than control makers suggest"
                for share in shares
            ),
            f"After {name}'s cut of {when} its share was {size} {way} than expected",
        )
    return shortest(
        *(f"After {name}'s cut of {when} its {share} moved no more than at other times" for share in shares),
        f"{name}'s cut of {when}: its share moved no more than at other times",
    )


def _subtitle(event: PriceEvent) -> str:
    place, _ = event.names
    selection = event.figures.selection
    what = f"{KIND[selection.powertrain]} {FIGURES[selection.basis]}{COUNTED[selection.basis]}"
    return shortest(
        f"{place}. Share of {what}, change in pp on the 3 months before the cut; an association",
        f"{place}. Share of {what}, change in pp on 3 months before; an association",
        f"{place}. Share of {what} in pp; an association",
    )


def _badge(event: PriceEvent, citations: Sequence[Citation]) -> Badge:
    first, last = (style.period_text(month_start(int(month)), "month") for month in event.figures.start[[0, -1]])
    parts = [f"{first} to {last}", f"as known {style.day_text(max(cited.known_on for cited in citations))}"]
    rest = rest_share(event.figures)
    if rest is not None:
        parts.append(f"{style.share_text(1 - rest)} named")
    reason = ""
    if event.is_open:
        reason = "Part of this market is published without names: it could hide more than the effect."
    elif not event.study.has_interval:
        reason = "There are too few months to tell the effect from chance."
    return Badge(text=" · ".join(parts), amber=bool(reason), reason=reason)


def _notes(event: PriceEvent) -> tuple[str, ...]:
    said = [_open_note(event) if event.is_open else _effect_note(event), _cut_note(event), _control_note(event)]
    if event.moved:
        said.append(f"Not in the control, since they may have moved a price too: {_some(event.moved)}.")
    if event.others:
        days = listed([style.day_text(day) for day in event.others])
        said.append(f"{event.name} moved prices in these months again: {days}. What they did is in it too.")
    said.append(_season_note(event))
    said += _unused(event)
    return tuple(said)


def _open_note(event: PriceEvent) -> str:
    low, high = (style.pp_text(end).removesuffix(" pp") for end in (event.least, event.most))
    hatched = f" {event.name} is drawn at its low end and hatched up to its high end." if event.width > TELLING else ""
    return (
        f"Nothing can be said of an association: with what is published without names, {event.name}'s share lies "
        f"between {low} and {high} pp of what was expected; among the named cars alone it is "
        f"{style.pp_text(event.study.effect)}.{hatched}"
    )


def _effect_note(event: PriceEvent) -> str:
    study = event.study
    size = style.pp_text(abs(study.effect)).removeprefix("+").removeprefix("≈")
    where = "above" if study.effect > 0 else "below"
    after = (
        f"Over the six months after, {event.name}'s share was on average {size} {where} what it would have been had "
        "its cars moved as the control makers' did"
    )
    if not study.has_interval:
        return (
            f"{after}. Only {len(study.placebos)} months without a cut have such a window, too few to say how often "
            "that is so by chance: an association, if any."
        )
    low, high = style.pp_text(study.low).removesuffix(" pp"), style.pp_text(study.high)
    return (
        f"{after}. Around {len(study.placebos)} months without a known cut of its own the same came out between {low} "
        f"and {high} in nine of ten (the band, month by month; placebo p = {study.p:.2f}). An association: whatever "
        "else happened then is in it."
    )


def _cut_note(event: PriceEvent) -> str:
    names = event.book.names
    shown = sorted(event.cut.moves, key=lambda move: move.change)[:4]
    told = []
    for move in shown:
        car = f"{model_name(move.after, names).removeprefix(f'{event.name} ')} {move.after.trim}".strip()
        on = f", on the price of {day_of(move.before)}" if _is_old(move) else ""
        told.append(f"{car} {style.growth_text(move.change)} ({KINDS[move.after.kind]}{on})")
    more = f" and {len(event.cut.moves) - len(shown)} more" if len(event.cut.moves) > len(shown) else ""
    return f"The cut of {event.cut.when}, on the last price known before: {', '.join(told)}{more}."


def _control_note(event: PriceEvent) -> str:
    count, silent = len(event.controls), len(event.silent)
    makers = f"{count} maker{'s' if count > 1 else ''} without a known price move of their own in these months"
    if not silent:
        return f"Control: {makers}."
    who = "all of them" if silent == count else f"{silent} of them"
    return f"Control: {makers}; of {who} no price is known then, so that they may have moved theirs unseen."


def _season_note(event: PriceEvent) -> str:
    said = "Whole quarters are set against each other; the season of the year is not taken out"
    if not np.isnan(event.year_before):
        said += f": around the same month a year before the same came out at {style.pp_text(event.year_before)}"
    if event.cut.market in _HOLIDAY:
        said += ". New Year falls in January or February: of these two neither says much by itself"
    return f"{said}."


def _unused(event: PriceEvent) -> list[str]:
    """What of the reader's selection picks the cut, and what plays no part in shares."""
    selection, said = event.selection, []
    if selection.date and selection.date != event.cut.day:
        said.append(f"No cut of {style.day_text(selection.date)} is known: this is the last one before.")
    if len(selection.market) > 1:
        said.append(f"Of the markets chosen the largest cut that can be studied was made in {event.names[0]}.")
    if selection.models:
        said.append("The models chosen pick the cut; the share is of all of the maker's cars.")
    if selection.currency != "local" or selection.tax is not None or selection.real is Real.REAL:
        said.append("A cut is a part of the price in its own market: currency, tax and inflation do not change it.")
    if selection.segment or selection.cycle:
        said.append("Segment and range test play no part here: the share is of all of the maker's cars.")
    return said


def _some(lines: Sequence[Line]) -> str:
    names = [line.name for line in lines]
    return listed(names) if len(names) <= 5 else f"{', '.join(names[:5])} and {len(names) - 5} more"


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """Changes of share since before the cut: the cutter, what was expected of it with its placebo band, its rivals."""
    event: PriceEvent = reading.content
    study, ink, font = event.study, style.INK[look.theme], round(look.font_px * 0.92)
    months = [month_start(int(month)) for month in event.figures.start]
    dates = [(month + timedelta(days=14)).isoformat() for month in months]
    before = float(study.share[:BEFORE].mean())
    expected = study.expected - before
    own = event.over(event.line)
    colour = style.colour(event.cut.maker, look.theme, highlight=True)
    traces: list[dict[str, Any]] = []
    has_band = study.has_interval and not event.is_open
    if has_band:
        traces += _band(dates, expected + study.band, ink.pill)
    spare = event.line.high - event.line.value
    if (spare > TELLING).any():
        traces += _hatch(dates, own, own + spare, colour)
    traces += [_line(dates, event.over(line), line, event, look, thin=True) for line in reversed(event.rivals)]
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": "Expected",
            "x": dates,
            "y": plain(expected),
            "line": {"color": ink.text, "width": 1.5, "dash": "dash"},
            "hovertext": [style.share_text(float(share)) for share in study.expected],
            "hovertemplate": "%{hovertext}",
        }
    )
    traces.append(_line(dates, own, event.line, event, look, thin=False))
    low, high = _range(traces, spare=bool((spare > TELLING).any()))
    traces.append(_cut_mark(event, look, at=low))
    ends = _ends(event, look, own=own, expected=expected)
    narrow = is_narrow(look)
    axis = pp_axis(high - low, most=7)
    if narrow:
        # The page leaves no room for more than the number, and names the unit above.
        axis["ticktext"] = [text.removesuffix(" pp") for text in axis["ticktext"]]
    layout = style.layout(
        look,
        xaxis={
            "type": "date",
            "hoverformat": "%b %Y",
            "range": [months[0].isoformat(), (months[-1] + timedelta(days=35 if narrow else 19)).isoformat()],
            "tickmode": "array",
            **_ticks(months, dates, every=3 if narrow else 1),
        },
        yaxis={"range": [low, high], **axis, "zerolinecolor": ink.text},
    )
    layout["margin"] |= {"l": round(look.font_px * 5), "b": round(look.font_px * 3.6)}
    layout["shapes"] = [
        {
            "type": "line",
            "xref": "x",
            "x0": _cut_day(event),
            "x1": _cut_day(event),
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"color": ink.text, "width": 1.5, "dash": "dot"},
        }
    ]
    layout = marked(layout, reading.events, look)
    layout["margin"] |= {"r": style.end_room(ends, font_px=font)}
    plot_height = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    placed = style.line_end_labels(ends, height_px=plot_height, font_px=font, value_range=(low, high))
    layout["annotations"] = [
        *style.end_annotations(placed, font_px=font),
        {
            "text": f"Cut, {style.growth_text(event.cut.size)}" if event.cut.is_fresh else "Cut",
            "font": {"size": font, "color": ink.text},
            "showarrow": False,
            "x": _cut_day(event),
            "xanchor": "left",
            "xshift": 5,
            "yref": "paper",
            "y": 0,
            "yanchor": "bottom",
            "yshift": 4,
            "borderpad": 0,
        },
        *(
            [_band_label(dates[0], float((expected + study.band[1])[:BEFORE].min()), look)]
            if has_band and not narrow
            else []
        ),
    ]
    return {"data": traces, "layout": layout}


def _band_label(x: str, y: float, look: Look) -> dict[str, Any]:
    """What the band is, inside of it under its upper end, before the cut: there the lines are near zero."""
    return {
        "text": "Nine of ten months without a cut",
        "font": {"size": round(look.font_px * 0.85), "color": style.INK[look.theme].quiet},
        "showarrow": False,
        "x": x,
        "xanchor": "left",
        "xshift": 6,
        "y": y,
        "yanchor": "top",
        "yshift": -4,
        "borderpad": 0,
    }


def _cut_day(event: PriceEvent) -> str:
    """Where the cut stands on the axis: its day, or the middle of the month where only that is known."""
    day = event.cut.day
    if event.cut.moves[0].after.precision is DatePrecision.MONTH:
        day = day.replace(day=15)
    return day.isoformat()


def _ticks(months: Sequence[date], dates: Sequence[str], *, every: int) -> dict[str, Any]:
    """Each month with its place counted from the cut: '−3', '0', '+6'."""
    places = [place for place in range(len(months)) if (OFFSETS[place] % every) == 0]
    texts = [
        f"{style.MINUS if OFFSETS[n] < 0 else '+' if OFFSETS[n] > 0 else ''}{abs(OFFSETS[n])}"
        f"<br>{style.period_text(months[n], 'month')}"
        for n in places
    ]
    return {"tickvals": [dates[n] for n in places], "ticktext": texts}


def _line(
    dates: Sequence[str], change: Floats, line: Line, event: PriceEvent, look: Look, *, thin: bool
) -> dict[str, Any]:
    highlight = not thin or line.maker in event.selection.makers
    texts = [
        "" if np.isnan(value) else f"{style.share_text(float(share))} ({style.pp_text(float(value))})"
        for share, value in zip(line.value, change, strict=True)
    ]
    months = event.figures.start.tolist()
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": style.escape(line.name),
        "x": list(dates),
        "y": plain(change),
        "line": {
            "color": style.colour(line.maker, look.theme, highlight=highlight),
            "width": 1.2 if thin else 3,
            "dash": style.dash(line.maker),
        },
        "marker": {"size": 4 if thin else 8, "symbol": style.symbol(line.maker)},
        "opacity": 0.75 if thin else 1,
        "customdata": [
            [event.cut.market, line.maker, ALL, int(month)] if text else []
            for month, text in zip(months, texts, strict=True)
        ],
        "text": texts,
        "hovertemplate": "%{text}",
        "connectgaps": False,
    }


def _band(dates: Sequence[str], ends: Floats, colour: str) -> list[dict[str, Any]]:
    """What nine of ten months without a cut give, month by month."""
    common = {
        "type": "scatter",
        "mode": "lines",
        "x": list(dates),
        "line": {"width": 0, "color": colour},
        "hoverinfo": "skip",
    }
    return [common | {"y": plain(ends[0])}, common | {"y": plain(ends[1]), "fill": "tonexty", "fillcolor": colour}]


def _hatch(dates: Sequence[str], low: Floats, high: Floats, colour: str) -> list[dict[str, Any]]:
    lower, upper = _band(dates, np.array([low, high]), colour)
    return [lower, upper | {"fillcolor": "rgba(0,0,0,0)", "fillpattern": style.hatch(colour)}]


def _range(traces: Sequence[dict[str, Any]], *, spare: bool) -> tuple[float, float]:
    """The ends of the axis; what unnamed cars leave open may run out of the plot, so that the lines can be seen."""
    hatched = [trace for trace in traces if "fillpattern" in trace]
    values = [y for trace in traces if trace not in hatched for y in trace["y"] if y is not None]
    low, high = min([*values, -0.01]), max([*values, 0.01])
    if spare:
        highest = max(y for trace in hatched for y in trace["y"] if y is not None)
        high = max(high, min(highest, high + (high - low)))
    room = (high - low) * 0.06
    return low - room, high + room


def _cut_mark(event: PriceEvent, look: Look, *, at: float) -> dict[str, Any]:
    """The cut itself, whose receipts are its prices."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "Cut",
        "x": [_cut_day(event)],
        "y": [at],
        "marker": {"symbol": "triangle-down", "size": round(look.font_px * 0.8), "color": style.INK[look.theme].text},
        "customdata": [[event.cut.market, event.cut.maker, CUT, month_number(event.cut.day)]],
        "text": [f"{style.growth_text(event.cut.size)}, {event.cut.when}"],
        "hovertemplate": "%{text}",
        "cliponaxis": False,
    }


def _ends(event: PriceEvent, look: Look, *, own: Floats, expected: Floats) -> list[style.LineEnd]:
    ink = style.INK[look.theme]
    ends = [
        style.LineEnd(
            text=f"{event.name} {style.pp_text(float(own[-1]))}",
            value=float(own[-1]),
            colour=style.colour(event.cut.maker, look.theme, highlight=True),
        ),
        style.LineEnd(text="Expected by control", value=float(expected[-1]), colour=ink.text),
    ]
    other = style.colour("other", look.theme)
    for line in event.rivals:
        change = float(event.over(line)[-1])
        colour = style.colour(line.maker, look.theme, highlight=line.maker in event.selection.makers)
        ends.append(
            style.LineEnd(
                text=f"{line.name} {style.pp_text(change)}",
                value=change,
                colour=ink.quiet if colour == other else colour,
            )
        )
    return ends


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
