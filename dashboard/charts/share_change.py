"""`share-change`: who gained share of a market between two periods of the same months, and what moved each share.

Shares are compared over the same months of two years, over the same markets, and from the same publishers. A change is
an interval where the unnamed rest could hide cars in either period; it is said to be a gain or a loss only where the
whole interval is. What a share moved by is split exactly into the maker's own cars, the market's growth and the mix of
markets (`metrics.share_parts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import market_rows
from dashboard.charts.chart import CARS, Chart, Point, Reading, Table, shortest
from dashboard.charts.market_drawing import colour_key, plain, point_key
from dashboard.charts.market_words import (
    COUNTED,
    DRAWN,
    FIGURES,
    KIND,
    Drawn,
    cars_name,
    common_notes,
    first_up,
    freshness,
    last_month,
    listed,
    measure_text,
    period_name,
    places,
    rest_share,
)
from dashboard.charts.whole_market import answered
from dashboard.comparability import is_of_totals, is_within_market
from dashboard.metrics import ShareParts, at, gap, share_parts
from dashboard.sales_lines import (
    Line,
    MarketFigures,
    figures_asked_for,
    figures_if_any,
    maker_name,
    month_number,
    month_start,
)
from dashboard.selection import (
    BasisChoice,
    By,
    Measure,
    NotPublished,
    PowertrainChoice,
    Refusal,
    Selection,
    Window,
)
from dashboard.style import Figure, Look
from db import Connection
from db.claims import GRAIN_MONTHS
from db.vocabulary import OTHER, Grain

EUROPE = ("AT", "DE", "DK", "ES", "FI", "GB", "IE", "IT", "PT", "SE")
"""The European countries whose makers are published within a month of the period's end."""

TABLE_ROWS = 25
"""Rows of the table under the chart: the largest changes."""

TELLING = 0.0005
"""A change below this part of a market rounds to no tenth of a percentage point, and is no finding."""

WIDEST = 3.0
"""An interval is drawn up to so many times the largest change; beyond, it runs out of the plot."""

ROOM = 0.3
"""Room beside the bars for what is written at their ends, as a part of what they take."""

_RECENT = 18
"""Months before the reader's day that are read at first: a year, and the months by which publishers are late."""


@dataclass(frozen=True, eq=False)
class Move:
    """The change of one entity's share: `line` has the shares of the two periods, `value`, `low`, `high` the change.

    `parts`: own cars, market growth, mix of markets; NaN where a publisher does not name the entity in both periods.
    """

    line: Line
    value: float
    low: float
    high: float
    parts: tuple[float, float, float]

    @property
    def certain(self) -> float:
        """The least of the change that is certain; NaN where it could be a gain or a loss."""
        return self.low if self.low > 0 else self.high if self.high < 0 else 0.0 if self.low == self.high else np.nan

    @property
    def is_named(self) -> bool:
        """Whether both shares are figures: who is not named is known to have none only where nothing is hidden."""
        return bool((self.line.named | (self.line.high == 0)).all())

    @property
    def is_open(self) -> bool:
        """Whether the unnamed rest leaves the change open by more than a reader would round away."""
        return self.high - self.low > 0.001

    @property
    def is_sure(self) -> bool:
        """Whether it is certainly a gain, or certainly a loss, of more than nothing."""
        return self.low >= TELLING or self.high <= -TELLING

    @property
    def size(self) -> float:
        """How much certainly moved, by which the largest changes are chosen."""
        return abs(self.value) if self.is_named else max(self.low, -self.high, 0.0)

    @property
    def text(self) -> str:
        """'+1.2 pp', or '−0.3 to +1.2 pp' where it is open."""
        if not self.is_open:
            return style.pp_text(self.value)
        low, high = (style.pp_text(end).removesuffix(" pp") for end in (self.low, self.high))
        return f"{low} to {high} pp"


@dataclass(frozen=True)
class Changes:
    """The changes between two periods: `figures` has the shares in these two alone, the earlier one first.

    `moves` are all entities that can be compared, the largest gain first, and `drawn` those of them that are; `rest`
    is the publishers' unnamed rest. `models` are the parts of a single maker's own growth that single models make, by
    name. `later` is what there is after the later period, in words, where something keeps it from being compared.
    `one_sided` are the entities that have a share in one of the periods only, so that they have no change.
    """

    figures: MarketFigures
    moves: tuple[Move, ...]
    drawn: tuple[Move, ...]
    rest: Move | None
    models: tuple[tuple[str, float], ...]
    later: tuple[str, ...]
    one_sided: tuple[Line, ...]

    @property
    def single(self) -> Move | None:
        """The one entity that the reader asked for, whose change is drawn step by step."""
        selection = self.figures.selection
        named = selection.makers or selection.models
        return self.moves[0] if named and len(self.moves) == 1 else None

    @property
    def others(self) -> tuple[Move, ...]:
        """The entities that are not drawn and can be put together: all that are named in both periods."""
        return tuple(move for move in self.moves if move not in self.drawn and move.is_named)

    @property
    def years(self) -> int:
        """How many years lie between the two periods."""
        return int(self.figures.start[1] - self.figures.start[0]) // 12


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The changes of a selection's shares; raises as `market_figures` does, and where no two periods are alike."""
    plain = replace(
        selection, basis=BasisChoice.REGISTRATION, powertrain=PowertrainChoice.BEV, by=By.MAKER, of=None, models=()
    )
    instead = (
        replace(selection, of=None),
        replace(plain, makers=(), since=None, until=None),
        replace(plain, makers=(), since=None, until=None, by=By.MARKET, of=PowertrainChoice.ALL),
        replace(SHARE_CHANGE.defaults, as_of=selection.as_of),
        SHARE_CHANGE.defaults,
    )
    found = answered(lambda asked: _changes(connection, asked, today=today), selection, *instead)
    figures = found.figures
    doubt = ""
    if any(move.is_open for move in found.drawn):
        doubt = "Part of these markets is published without names: changes that it leaves open are given as ranges."
    return Reading(
        selection=selection,
        title=title(found),
        subtitle=subtitle(figures),
        badge=freshness(figures, today=today, doubt=doubt),
        citations=figures.dataset.citations,
        notes=notes(found, selection),
        content=found,
    )


# What is compared


def _changes(connection: Connection, selection: Selection, *, today: date) -> Changes:
    figures, (before, now) = _compared(connection, selection, today=today)
    pair = figures.at(np.array([before, now]))
    if selection.by is By.MARKET and len(selection.market) == 1 and _is_whole_of_itself(pair):
        name = figures.nouns.markets[selection.market[0]]
        raise NotPublished(
            f"{name} is the only market chosen: its cars are 100 % of its own in every period",
            nearest=replace(selection, by=By.MAKER),
        )
    alike = [line for line in pair.lines if line.sources[0] == line.sources[1] and not np.isnan(line.value).any()]
    entities = [line for line in alike if not line.is_rest and (line.named.any() or selection.makers)]
    moves = _moves(pair, entities)
    rest = _moves(pair, [line for line in alike if line.is_rest and selection.by is not By.MARKET])
    shared, pair = pair, replace(pair, lines=tuple(alike))
    ordered = tuple(sorted(moves, key=lambda move: (-move.value, move.line.name)))
    return Changes(
        figures=pair,
        moves=ordered,
        drawn=_drawn(ordered, selection),
        rest=rest[0] if rest else None,
        models=_models(connection, pair, moves),
        later=_later(figures, now),
        one_sided=tuple(line for line in shared.entities if np.isnan(line.value).sum() == 1),
    )


def _compared(connection: Connection, selection: Selection, *, today: date) -> tuple[MarketFigures, tuple[int, int]]:
    """The figures, and the places of the two periods in them: the latest complete one, and the earlier one.

    Only the last years are read where these answer: history is long, and a comparison is of two periods.
    """
    last = min(day for day in (selection.until, selection.as_of, today) if day)
    recent = month_start(month_number(last) - _RECENT - (12 if selection.grain is Grain.YEAR else 0))
    since = min(recent, selection.since or recent)
    figures = _shares(connection, selection, since=since)
    if figures:
        ends = [reach for reach in _ends(figures).values() if reach]
        needed = month_start(min(ends) - GRAIN_MONTHS[selection.grain.value] - 12) if ends else since
        if needed < since:
            figures = _shares(connection, selection, since=needed)
    pair = _pair(figures, since=selection.since) if figures else None
    if figures is None or pair is None:
        figures = _shares(connection, selection, since=None)
        pair = _pair(figures, since=selection.since) if figures else None
    if figures is None or pair is None:
        raise NotPublished(
            "no complete period has the same months in an earlier year from the same publisher",
            nearest=replace(selection, since=None, until=None, window=Window.NONE),
        )
    return figures, pair


def _shares(connection: Connection, selection: Selection, *, since: date | None) -> MarketFigures | None:
    """The shares from a month on; None where there are none since then and there may be before."""
    asked = replace(selection, measure=Measure.SHARE, since=since)
    try:
        if since:
            return figures_if_any(connection, asked, measures=(Measure.SHARE,))
        return figures_asked_for(connection, asked, measures=(Measure.SHARE,))
    except Refusal as refused:
        if since and isinstance(refused, NotPublished):
            return None
        if refused.nearest:
            refused.nearest = replace(refused.nearest, since=selection.since)
        raise


def _ends(figures: MarketFigures) -> dict[str, int]:
    """By market: the month after the last one that has what is compared, makers or totals; 0 where nothing has."""
    totals = is_of_totals(figures.selection)
    return {code: of.published_to if totals else of.named_to for code, of in figures.reach.items()}


def _pair(figures: MarketFigures, *, since: date | None) -> tuple[int, int] | None:
    """The places of the later and the earlier period.

    The later one is the last one, or of lines that end at different times the last one that has most of them. The
    earlier one is the first of the range that is a whole number of years before, else the one a year before.
    """
    finished = ~figures.unfinished
    places_of = {int(month): place for place, month in enumerate(figures.start.tolist()) if finished[place]}
    entities = figures.entities
    there = np.array([~np.isnan(line.value) for line in entities])
    sources = np.array([line.sources for line in entities])

    def alike(before: int, now: int) -> int:
        return int((there[:, before] & there[:, now] & (sources[:, before] == sources[:, now])).sum())

    candidates: list[tuple[int, int, int]] = []
    for month, now in sorted(places_of.items(), reverse=True):
        months = range(month - 12, int(figures.start[0]) - 1, -12)
        in_range = [earlier for earlier in months if since and earlier >= month_number(since)]
        # The first of the range comes first, and a year before where the range is shorter.
        befores = (places_of[earlier] for earlier in [*reversed(in_range), month - 12] if earlier in places_of)
        found = next(((alike(before, now), before, now) for before in befores if alike(before, now)), None)
        if found:
            candidates.append(found)
            if figures.selection.by not in (By.MARKET, By.POWERTRAIN) or month <= figures.start[-1] - 12:
                break
    if not candidates:
        return None
    _, before, now = max(candidates, key=lambda found: (found[0], found[2]))
    return before, now


def _is_whole_of_itself(figures: MarketFigures) -> bool:
    return all(bool((line.units == line.whole).all()) for line in figures.entities)


def _moves(figures: MarketFigures, lines: Sequence[Line]) -> list[Move]:
    parts = _parts(figures, lines) if lines and not lines[0].is_rest else None
    moves = []
    for n, line in enumerate(lines):
        changed = gap(
            value=line.value[1:],
            low=line.low[1:],
            high=line.high[1:],
            value_other=line.value[:1],
            low_other=line.low[:1],
            high_other=line.high[:1],
        )
        move = Move(line, float(changed.value[0]), float(changed.low[0]), float(changed.high[0]), (np.nan,) * 3)
        if parts and move.is_named:
            move = replace(move, parts=(float(parts.own[n]), float(parts.market[n]), float(parts.mix[n])))
        moves.append(move)
    return moves


def _parts(figures: MarketFigures, lines: Sequence[Line]) -> ShareParts:
    """What the changes are made of: by market of a set, or within the one market that each line is about."""
    selection = figures.selection
    if len(selection.market) == 1 or selection.by in (By.MARKET, By.POWERTRAIN):
        units, whole = (np.array([getattr(line, name) for line in lines]) for name in ("units", "whole"))
        found = [
            share_parts(
                units_before=units[n : n + 1, :1],
                units=units[n : n + 1, 1:],
                total_before=whole[n, :1],
                total=whole[n, 1:],
            )
            for n in range(len(lines))
        ]
        return ShareParts(
            *(np.concatenate([getattr(part, name) for part in found]) for name in ("own", "market", "mix"))
        )
    parts = [figures.each_market[code] for code in selection.market]
    place = {entity: n for n, entity in enumerate(parts[0].units.entities)}
    chosen = [place[line.maker, line.model] for line in lines]
    # By market, period and entity; who is not in a market has no cars there.
    units = np.nan_to_num(np.array([at(part.units, figures.start).low[:, chosen] for part in parts]))
    totals = np.array([at(part.whole, figures.start).total for part in parts])
    return share_parts(units_before=units[:, 0], units=units[:, 1], total_before=totals[:, 0], total=totals[:, 1])


def _models(connection: Connection, figures: MarketFigures, moves: Sequence[Move]) -> tuple[tuple[str, float], ...]:
    """What single models add to one maker's own growth in one market, and the rest of it; nothing if none is named."""
    selection = figures.selection
    if selection.by is not By.MAKER or len(selection.makers) != 1 or len(selection.market) != 1 or not moves:
        return ()
    (move,) = moves
    asked = replace(selection, by=By.MODEL, measure=Measure.UNITS, of=None)
    try:
        by_model = figures_asked_for(connection, asked, measures=(Measure.UNITS,))
    except Refusal:
        return ()
    at = np.searchsorted(by_model.start, figures.start)
    if not np.isin(figures.start, by_model.start).all() or np.isnan(move.parts[0]):
        return ()
    per_car = float((1 / move.line.whole).mean())
    found = [
        (line.name, float(line.units[at][1] - line.units[at][0]) * per_car)
        for line in by_model.entities
        if not line.is_own_rest and not np.isnan(line.value[at]).any() and (line.low[at] == line.high[at]).all()
    ]
    if not found:
        return ()
    left = move.parts[0] - sum(part for _, part in found)
    if abs(left) > 1e-12:
        found.append(("models that are not named throughout", left))
    return tuple(sorted(found, key=lambda part: -part[1]))


def _drawn(moves: Sequence[Move], selection: Selection) -> tuple[Move, ...]:
    """The largest changes in order; all that the reader named. What a maker lumps together is no entity that gains."""
    if selection.makers or selection.models or selection.by in (By.MARKET, By.POWERTRAIN):
        return tuple(moves)
    largest = sorted((move for move in moves if not move.line.is_own_rest), key=lambda move: -move.size)[:DRAWN]
    return tuple(move for move in moves if move in largest)


def _later(figures: MarketFigures, now: int) -> tuple[str, ...]:
    """What is known of later periods, and why they are not compared."""
    selection, length = figures.selection, GRAIN_MONTHS[figures.selection.grain.value]
    end = int(figures.start[now]) + length
    said = []
    unfinished = [
        month for month, part in zip(figures.start[now + 1 :], figures.unfinished[now + 1 :], strict=True) if part
    ]
    if unfinished:
        first = style.period_text(month_start(int(unfinished[0])), selection.grain.value)
        said.append(f"The figures of {first} are not yet complete, and not compared.")
    to = _ends(figures)
    behind = [code for code, reach in to.items() if reach < end + length]
    others = [reach for code, reach in to.items() if code not in behind]
    if behind and others and not unfinished:
        furthest = min(others)
        if selection.until:
            furthest = min(furthest, month_number(selection.until) + 1)
        if furthest >= end + length:
            names = [figures.nouns.markets[code] for code in behind]
            said.append(f"Without {listed(names)} the comparison would reach {last_month(furthest)}.")
    return tuple(said)


# Words


def title(found: Changes) -> str:
    """Who gained and who lost, in at most 90 characters.

    "gained most" is only said where nobody else could have gained more, neither a named one nor one hidden in the rest;
    a gain or loss only where the bounds leave its sign certain.
    """
    figures = found.figures
    cars, when = _of_what(figures), _when(found)
    if found.single:
        return _single_title(found.single, cars=cars, when=when)
    sure = [move for move in found.moves if move.is_sure and not move.line.is_own_rest]
    up, down = [move for move in sure if move.low > 0], [move for move in sure if move.high < 0]
    if not sure:
        return _open_title(found, cars=cars, when=when)
    up.sort(key=lambda move: -move.low)
    down.sort(key=lambda move: move.high)
    gained = f"{up[0].line.name} gained most" if up and _is_most(up[0], found) else ""
    lost = f"{down[0].line.name} lost most" if down and _is_most(down[0], found, sign=-1) else ""
    where = f"{first_up(cars)}, {when}"
    if gained and lost:
        return shortest(
            f"{where}: {gained} share, {_least_text(up[0])}; {lost}, {_least_text(down[0])}",
            f"{where}: {gained}, {_least_text(up[0])}; {lost}, {_least_text(down[0])}",
            f"{where}: {gained} share, {_least_text(up[0])}",
            f"{when}: {gained} share, {_least_text(up[0])}",
        )
    if gained or lost:
        most, of = (gained, up) if gained else (lost, down)
        other = (down or up[1:])[:1] if gained else (up or down[1:])[:1]
        also = "".join(f"; {move.line.name} {_sure_text(move)}" for move in other)
        return shortest(
            f"{where}: {most} share, {_least_text(of[0])}{also}",
            f"{where}: {most}, {_least_text(of[0])}{also}",
            f"{where}: {most} share, {_least_text(of[0])}",
            f"{when}: {most} share, {_least_text(of[0])}",
        )
    # The strongest gain and the strongest loss first, then who else certainly moved.
    ends = [move for side in (up, down) for move in side[:1]]
    ends += [move for move in sorted(sure, key=lambda move: -move.size) if move not in ends]
    texts = [f"{move.line.name} {_sure_text(move)}" for move in ends]
    return shortest(
        *(f"{where}: {', '.join(texts[:count])}" for count in (3, 2, 1)),
        f"{when}: {', '.join(texts[:2])}",
        f"{when}: {texts[0]}",
    )


def _of_what(figures: MarketFigures) -> str:
    """What the shares are of: 'German BEVs', 'BEV share of cars' by market, 'Tesla's share of BEVs' by market."""
    selection = figures.selection
    counted = COUNTED[selection.basis]
    if selection.by is not By.MARKET:
        of_all = selection.denominator is not selection.powertrain and selection.by is not By.POWERTRAIN
        return cars_name(figures) + (f" of all {CARS[selection.denominator]}" if of_all else "")
    if not is_within_market(selection):
        return f"{len(selection.market)} markets' {CARS[selection.powertrain]}{counted}"
    whole = f"share of {CARS[selection.denominator]}{counted}"
    if not selection.makers:
        return f"{KIND[selection.powertrain]} {whole}"
    return (
        f"{maker_name(selection.makers[0], selection, figures.nouns)}'s {whole}"
        if len(selection.makers) == 1
        else whole
    )


def _when(found: Changes) -> str:
    """'Jan to Jun 2026', with the year that it is compared with if that is not the one before."""
    when = period_name(found.figures, 1).removeprefix("the ")
    return when if found.years == 1 else f"{when} on {_year(found.figures, 0)}"


def _is_most(first: Move, found: Changes, *, sign: int = 1) -> bool:
    """Whether nobody else can have gained more (for sign -1 lost): within its bounds, hidden, or newly named."""
    gained = sign > 0
    least = first.low if gained else -first.high
    others = [move for move in found.moves if move is not first and not move.line.is_own_rest]
    most = [move.high if gained else -move.low for move in others]
    # Who is in a rest, or named in one period only, can have had all of it in the one and nothing in the other.
    hidden = [move.line for move in (*found.moves, found.rest) if move and (move.line.is_rest or move.line.is_own_rest)]
    most += [float(line.high[1 if gained else 0]) for line in (*hidden, *found.one_sided)]
    return not any(end >= least for end in most)


def _sure_text(move: Move) -> str:
    """'+1.2 pp', or the end of the interval that is certain: 'up ≥1.2 pp', 'down ≥1.2 pp'."""
    if not move.is_open:
        return style.pp_text(move.value)
    way, least = ("up", move.low) if move.low > 0 else ("down", -move.high)
    return f"{way} ≥{style.pp_text(least).removeprefix('+')}"


def _least_text(move: Move) -> str:
    """'+1.2 pp', or of what is open the least: '≥1.2 pp', after words that say which way."""
    return _sure_text(move).removeprefix("up ").removeprefix("down ")


def _open_title(found: Changes, *, cars: str, when: str) -> str:
    rest = rest_share(found.figures)
    if any(move.is_open for move in found.moves) and rest:
        unnamed = f"; {style.share_text(rest)} unnamed"
        return shortest(
            f"Unnamed cars leave open who gained share of {cars}, {when}{unnamed}",
            f"Unnamed cars leave open who gained share of {cars}, {when}",
            f"Unnamed cars leave open who gained share, {when}",
        )
    if any(move.is_open for move in found.moves):
        return shortest(f"It is open who gained share of {cars}, {when}", f"It is open who gained share, {when}")
    if not found.moves:
        return shortest(f"{first_up(cars)}, {when}: nothing of what was asked for can be compared", first_up(cars))
    return shortest(f"{first_up(cars)}, {when}: no share moved by a tenth of a point", f"{when}: hardly a share moved")


def _single_title(move: Move, *, cars: str, when: str) -> str:
    name, share = move.line.name, style.share_text(float(move.line.value[1]))
    if not move.is_sure:
        if move.is_open:
            return shortest(
                f"{name}'s share of {cars}, {when}: {move.text}, so that its sign is open",
                f"{name}, {when}: {move.text}, so that its sign is open",
            )
        return shortest(f"{name}'s share of {cars} hardly moved, {when}: {share}", f"{name}, {when}: {share}")
    change = move.text
    if np.isnan(move.parts[0]) or move.is_open:
        return shortest(f"{name}'s share of {cars}, {when}: {change}", f"{name}, {when}: {change}")
    steps = f"own growth {style.pp_text(move.parts[0])}, market {style.pp_text(move.parts[1])}"
    return shortest(
        f"{name} {change} to {share} of {cars}, {when}: {steps}",
        f"{name} {change} to {share}, {when}: {steps}",
        f"{name} {change} to {share} of {cars}, {when}",
        f"{name} {change} to {share}, {when}",
    )


def subtitle(figures: MarketFigures) -> str:
    """Geography, powertrain, basis, what changed, and the two periods, in at most 90 characters where that goes."""
    selection = figures.selection
    what = f"Passenger {KIND[selection.powertrain]} {FIGURES[selection.basis]} by {selection.by}"
    changed = f"change of {measure_text(selection).removesuffix(' in %')}"
    now, before = (period_name(figures, at).removeprefix("the ") for at in (1, 0))
    return shortest(
        *(
            f"{where}. {what}, {changed}{unit}; {against}"
            for against in (f"{now} on {before}", f"{now} on {_year(figures, 0)}")
            for where in places(figures)
            for unit in (" in pp", "")
        ),
        f"{places(figures)[-1]}. {what.removeprefix('Passenger ')}, {changed}; {now} on {_year(figures, 0)}",
        f"{places(figures)[-1]}. {what.removeprefix('Passenger ')}, {changed.removeprefix('change of ')}; "
        f"{now} on {_year(figures, 0)}",
    )


def _year(figures: MarketFigures, at: int) -> str:
    """The year that a period ends in."""
    return str(month_start(int(figures.start[at]) + GRAIN_MONTHS[figures.selection.grain.value] - 1).year)


def notes(found: Changes, selection: Selection) -> tuple[str, ...]:
    """What a reader has to know; `selection` is the reader's."""
    figures = found.figures
    said = []
    unsure = [move.line.name for move in found.drawn if move.is_open and not move.is_sure]
    if unsure:
        names = listed(unsure) if len(unsure) <= 3 else f"{len(unsure)} of those drawn"
        said.append(f"Whether {names} gained or lost is open: the publishers' unnamed rest could hide more.")
    said += _fold_note(found)
    if found.one_sided:
        named = f"{len(found.one_sided)} named in one of the two periods only"
        said.append(f"Not compared: {named}, whose share in the other one is not known.")
    said += found.later
    if selection.since and month_number(selection.since) > int(figures.start[0]):
        said.append(f"The range holds no two periods of the same months: compared with {period_name(figures, 0)}.")
    if selection.measure is not Measure.SHARE:
        said.append("This chart is of shares, whichever measure is chosen.")
    if any(not np.isnan(move.parts[0]) for move in found.drawn):
        also = ", the growth of all cars and the mix of markets" if _has_mix(figures) else " and the growth of all cars"
        said.append(f"A share moves with one's own cars{also}: the table has these parts.")
    drawn = Drawn(figures=figures, lines=tuple(move.line for move in found.drawn))
    return (*said, *common_notes(drawn))


def _fold_note(found: Changes) -> list[str]:
    half = len(found.moves) - len(found.drawn) - len(found.others)
    said = []
    if found.others:
        together = style.pp_text(sum(move.value for move in found.others))
        largest = style.pp_text(max(move.size for move in found.others)).removeprefix("+")
        said.append(f"{_others(len(found.others))}, together {together}, none by more than {largest}")
    if half:
        said.append(f"{half} that {'are' if half > 1 else 'is'} named in one of the two periods only")
    return [f"Not drawn: {'; '.join(said)}; all are in the download."] if said else []


def _others(count: int) -> str:
    return f"{count} other{'s' if count > 1 else ''}"


def _has_mix(figures: MarketFigures) -> bool:
    selection = figures.selection
    return len(selection.market) > 1 and selection.by not in (By.MARKET, By.POWERTRAIN)


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """Bars away from zero, gains to the right; the steps from share to share where a single entity is asked for."""
    found: Changes = reading.content
    if found.single:
        return _steps(found, found.single, look)
    return _bars(found, look)


@dataclass(frozen=True)
class _Bar:
    """One bar from zero to `value` (NaN draws none), hatched from `low` to `high`; `point` names what was clicked.

    `value` is what is certain of the change: the end of its bounds that is nearer to zero.
    """

    name: str
    value: float
    low: float
    high: float
    text: str
    hover: str
    colour: str
    point: list[Any]


def _bars(found: Changes, look: Look) -> Figure:
    selection = found.figures.selection
    ink = style.INK[look.theme]
    bars = [
        _Bar(
            name=move.line.name,
            value=move.certain,
            low=move.low,
            high=move.high,
            text=move.text,
            hover=_hover(move),
            colour=style.colour(colour_key(move.line, selection), look.theme),
            point=point_key(move.line, found.figures, 1),
        )
        for move in found.drawn
    ]
    if not (selection.makers or selection.models or selection.by in (By.MARKET, By.POWERTRAIN)):
        if found.others:
            together = sum(move.value for move in found.others)
            bars.append(_grey(_others(len(found.others)), together, colour=ink.axis))
        if found.rest:
            key = point_key(found.rest.line, found.figures, 1)
            bar = _grey(found.rest.line.name, found.rest.value, colour=style.colour(OTHER, look.theme))
            bars.append(replace(bar, point=key))
    changes = [abs(move.value) for move in found.drawn if move.is_named]
    changes += [abs(bar.value) for bar in bars if not np.isnan(bar.value)]
    largest = max(changes, default=0.0) or max((max(abs(bar.low), abs(bar.high)) for bar in bars), default=0.01)
    limit = WIDEST * largest
    is_wide = [bar.low < -limit or bar.high > limit for bar in bars]
    ends = [0.0, *(end for bar, wide in zip(bars, is_wide, strict=True) if not wide for end in (bar.low, bar.high))]
    ends += [-limit, limit] if any(is_wide) else []
    span = (max(ends) - min(ends)) or 0.01
    to_right = [bar.low + bar.high >= 0 if np.isnan(bar.value) else bar.value >= 0 for bar in bars]
    # Room for what is written beside the bars; on bands that run out of the plot it stands where the bar ends.
    beside = [right for right, wide in zip(to_right, is_wide, strict=True) if not wide]
    narrow = _is_narrow(look)
    room = ROOM * span * (not any(is_wide)) * (not narrow)
    low, high = min(ends) - room * (not all(beside)), max(ends) + room * any(beside)
    bars = [replace(bar, low=max(bar.low, low), high=min(bar.high, high)) for bar in bars]
    names = [style.escape(bar.name) for bar in bars]
    shared = {"type": "bar", "orientation": "h", "y": names, "hovertemplate": "%{hovertext}<extra></extra>"}
    shared |= {"hovertext": [style.escape(bar.hover) for bar in bars]}
    colours = [bar.colour for bar in bars]
    traces: list[dict[str, Any]] = [
        shared
        | {
            "base": [bar.low for bar in bars],
            "x": [bar.high - bar.low for bar in bars],
            "marker": {"color": "rgba(0,0,0,0)", "pattern": style.hatch("") | {"fgcolor": colours}},
        },
        shared
        | {
            "x": plain(np.array([bar.value for bar in bars])),
            "marker": {"color": colours},
            "customdata": [bar.point for bar in bars],
            "text": [bar.text for bar in bars],
            "textposition": "none",
        },
    ]
    layout = style.layout(
        look,
        hovermode="closest",
        xaxis={
            "range": [low, high],
            "showgrid": True,
            "gridcolor": ink.grid,
            "zeroline": True,
            "zerolinecolor": ink.text,
            **pp_axis(span, most=4 if narrow else 9),
        },
        yaxis={
            "autorange": "reversed",
            "showgrid": False,
            "automargin": True,
            "type": "category",
            "tickmode": "array",
            "tickvals": names,
            # Where there is no room beside the bars, what is written there stands under the names.
            "ticktext": [f"{name}<br>{bar.text}" if narrow else name for name, bar in zip(names, bars, strict=True)],
        },
        bargap=0.35,
        barmode="overlay",
        annotations=[]
        if narrow
        else [
            _label(bar.text, x=_end(bar, right, wide), y=name, font_px=round(look.font_px * 0.92))
            | {"xanchor": "left" if right else "right", "xshift": 4 if right else -4}
            | ({"bgcolor": ink.background} if wide else {})
            for bar, name, right, wide in zip(bars, names, to_right, is_wide, strict=True)
        ],
    )
    if look.width is None:
        # Who names many makers sees each of them: a page can be scrolled.
        layout["height"] = max(look.height, round(len(bars) * look.font_px * (3 if narrow else 2)))
    return {"data": traces, "layout": layout}


def _end(bar: _Bar, to_right: bool, is_wide: bool) -> float:
    """Where a bar's text begins: at the end of its band, or of itself where the band runs out of the plot."""
    far = 0.0 if is_wide and np.isnan(bar.value) else bar.value if is_wide else bar.high if to_right else bar.low
    return max(far, 0.0) if to_right else min(far, 0.0)


def _grey(name: str, value: float, *, colour: str) -> _Bar:
    """A bar for what is no entity: cars that are put together, or not named."""
    text = style.pp_text(value)
    return _Bar(
        name=name, value=value, low=value, high=value, text=text, hover=f"{name}: {text}", colour=colour, point=[]
    )


def _is_narrow(look: Look) -> bool:
    """Whether a screen is too narrow for texts beside bars; a picture has a width of its own."""
    return look.width is None and look.height < style.SCREEN.height


def pp_axis(span: float, *, most: int) -> dict[str, Any]:
    """Ticks in percentage points, so many at the most."""
    step = next((each for each in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if span / each <= most), 0.5)
    ticks = [n * step for n in range(-round(2 / step), round(2 / step) + 1)] if span < 2 else [-1.0, 0.0, 1.0]
    digits = 1 if step < 0.01 else 0
    signs = [style.MINUS if tick < 0 else "+" if tick > 0 else "" for tick in ticks]
    texts = [f"{sign}{abs(tick) * 100:.{digits}f} pp" for sign, tick in zip(signs, ticks, strict=True)]
    return {"tickmode": "array", "tickvals": ticks, "ticktext": texts}


def _hover(move: Move) -> str:
    before, now = (_share(move.line, at) for at in (0, 1))
    parts = ""
    if not np.isnan(move.parts[0]):
        own, market, mix = (style.pp_text(part) for part in move.parts)
        parts = f"; own growth {own}, market growth {market}" + (f", mix of markets {mix}" if move.parts[2] else "")
    return f"{move.line.name}: {before} to {now}, {move.text}{parts}"


def _share(line: Line, at: int) -> str:
    """'9.2 %', or '9.2 to 11.0 %' where it is open, '≤3.0 %' where it is not named."""
    low, high = style.share_text(float(line.low[at])), style.share_text(float(line.high[at]))
    if line.is_rest or low == high:
        return style.share_text(float(line.value[at]))
    return f"{low.removesuffix(' %')} to {high}" if line.named[at] else f"≤{high}"


def _steps(found: Changes, move: Move, look: Look) -> Figure:
    """From share to share: one step for each part of the change."""
    figures, ink = found.figures, style.INK[look.theme]
    colour = style.colour(colour_key(move.line, figures.selection), look.theme, highlight=True)
    names = [period_name(figures, at).removeprefix("the ") for at in (0, 1)]
    shares = move.line.value.tolist()
    # A share that is not named is no zero: all that is drawn of it is how high it could be.
    seen = (move.line.named | (move.line.high == 0)).tolist()
    steps: list[tuple[str, float]] = []
    if not np.isnan(move.parts[0]):
        steps = [("Own growth", move.parts[0]), ("Market growth", move.parts[1])]
        steps += [("Mix of markets", move.parts[2])] if _has_mix(figures) else []
    labels = [names[0], *(name for name, _ in steps), names[1]]
    wide = look.font_px * (4.5 if _is_narrow(look) else 8)
    places_of = ["<br>".join(style.wrap(label, width=wide, font_px=look.font_px * 0.92)) for label in labels]
    if len(set(places_of)) < len(places_of):
        places_of = labels
    levels = np.concatenate([shares[:1], shares[0] + np.cumsum([part for _, part in steps])]) if steps else np.zeros(1)
    bases = [0.0, *(min(pair) for pair in pairwise(levels.tolist())), 0.0]
    heights = [shares[0] if seen[0] else np.nan, *(abs(part) for _, part in steps), shares[1] if seen[1] else np.nan]
    texts = [_share(move.line, 0), *(style.pp_text(part) for _, part in steps), _share(move.line, 1)]
    tops = [
        max(base, base + (0.0 if np.isnan(height) else height)) for base, height in zip(bases, heights, strict=True)
    ]
    spare = [float(move.line.high[at] - move.line.value[at]) for at in (0, 1)]
    ends = {0: spare[0], len(labels) - 1: spare[1]}
    keys: list[list[Any]] = [[] for _ in labels]
    keys[0], keys[-1] = (point_key(move.line, figures, at) for at in (0, 1))
    reach = [top + ends.get(n, 0.0) for n, top in enumerate(tops)]
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "x": [places_of[0], places_of[-1]],
            "base": [tops[0], tops[-1]],
            "y": [reach[0] - tops[0], reach[-1] - tops[-1]],
            "marker": {"color": "rgba(0,0,0,0)", "pattern": style.hatch(colour)},
            "hoverinfo": "skip",
        },
        {
            "type": "bar",
            "name": style.escape(move.line.name),
            "x": places_of,
            "base": bases,
            "y": plain(np.array(heights)),
            "marker": {"color": [colour, *(ink.axis for _ in steps), colour]},
            "customdata": keys,
            "text": texts,
            "textposition": "none",
            "hovertext": [f"{label}: {text}" for label, text in zip(labels, texts, strict=True)],
            "hovertemplate": "%{hovertext}<extra></extra>",
        },
    ]
    if steps:
        # A line from each level to the next bar, so that the steps read as one way.
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [place for pair in pairwise(places_of) for place in (*pair, None)],
                "y": [level for each in levels.tolist() for level in (each, each, None)],
                "line": {"color": ink.quiet, "width": 1, "dash": "dot"},
                "hoverinfo": "skip",
            }
        )
    top = max(reach) or 0.01
    layout = style.layout(
        look,
        hovermode="closest",
        xaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": places_of,
            "ticks": "",
            "tickangle": 0,
            "automargin": True,
        },
        yaxis={"range": [min(0.0, *bases) * 1.1, top * 1.15], "tickformat": ".0%" if top > 0.05 else ".1%"},
        bargap=0.4,
        barmode="overlay",
        annotations=[
            _label(text, x=place, y=height, font_px=look.font_px) | {"yanchor": "bottom", "yshift": 3}
            for text, place, height in zip(texts, places_of, reach, strict=True)
        ],
    )
    return {"data": traces, "layout": layout}


def _label(text: str, *, x: float | str, y: float | str, font_px: float) -> dict[str, Any]:
    """A text in the plot, in plain words."""
    return {"text": style.escape(text), "x": x, "y": y, "showarrow": False, "font": {"size": font_px}, "borderpad": 1}


# Download, table, receipts


def rows(reading: Reading) -> pd.DataFrame:
    """The change of every entity and of the rest, one row each, with `DOWNLOAD_COLUMNS` and columns of its own.

    `period_before`: the first month of the earlier period. `share_before`, `share_now`: fractions, the low ends where
    they are bounded. `own_growth`, `market_growth`, `mix`: the parts of the change, which add up to `value`.
    """
    found: Changes = reading.content
    figures = found.figures
    moves = [*found.moves, *((found.rest,) if found.rest else ())]
    changed = [
        replace(
            move.line.at(np.array([1])),
            value=np.array([move.value]),
            low=np.array([move.low]),
            high=np.array([move.high]),
            known=move.line.known.max(keepdims=True),
        )
        for move in moves
    ]
    frame = market_rows.rows(replace(figures, start=figures.start[1:], lines=tuple(changed)))
    by_key = {(move.line.market, move.line.maker, move.line.model, move.line.powertrain): move for move in moves}
    in_order = [
        by_key[key] for key in zip(*(frame[name] for name in ("market", "maker", "model", "powertrain")), strict=True)
    ]
    return frame.assign(
        measure="share_change",
        flags=["bounded" if move.high > move.low else "" for move in in_order],
        period_before=month_start(int(figures.start[0])).isoformat(),
        share_before=[float(move.line.value[0]) for move in in_order],
        share_now=[float(move.line.value[1]) for move in in_order],
        own_growth=[move.parts[0] for move in in_order],
        market_growth=[move.parts[1] for move in in_order],
        mix=[move.parts[2] for move in in_order],
    )


def table(reading: Reading) -> Table:
    """The largest changes in order with what they are made of; under a single maker what its models add."""
    found: Changes = reading.content
    figures = found.figures
    with_mix = _has_mix(figures)
    largest = sorted(found.moves, key=lambda move: -move.size)[:TABLE_ROWS]
    shown = [move for move in found.moves if move in largest]
    if found.rest and not found.single:
        shown.append(found.rest)
    body = [
        (
            move.line.name,
            _share(move.line, 0),
            _share(move.line, 1),
            move.text,
            *(style.pp_text(part) for part in (move.parts if with_mix else move.parts[:2])),
        )
        for move in shown
    ]
    body += [(f"of it {name}", "", "", "", style.pp_text(part), "") for name, part in found.models]
    return Table(
        header=(
            figures.selection.by.value.capitalize(),
            *(first_up(period_name(figures, at).removeprefix("the ")) for at in (0, 1)),
            "Change",
            "Own growth",
            "Market growth",
            *(("Mix of markets",) if with_mix else ()),
        ),
        rows=tuple(body),
        caption="The largest changes; own growth, market growth"
        + (" and mix of markets" if with_mix else "")
        + " add up to the change of the named cars. Everybody is in the download.",
    )


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims behind both shares of a change, or behind the earlier one where that was chosen."""
    figures: MarketFigures = reading.content.figures
    months = figures.start.tolist() if point.period_start == figures.start[1] else [point.period_start]
    claims = [market_rows.receipts(connection, figures, replace(point, period_start=int(month))) for month in months]
    return pd.concat(claims, ignore_index=True)


SHARE_CHANGE = Chart(
    slug="share-change",
    name="Change of share",
    question="Who gained share?",
    defaults=Selection(market=EUROPE, window=Window.YTD),
    measures=(Measure.SHARE,),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
)
