"""`share-change`: who gained share of a market between two periods of the same months, and what moved each share.

Shares are compared over the same months of two years, over the same markets, and from the same publishers. A change is
an interval where the unnamed rest could hide cars in either period; it is said to be a gain or a loss only where the
whole interval is. What a share moved by is split exactly into the maker's own cars, the market's growth and the mix of
markets (`metrics.share_parts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import market_rows
from dashboard.charts.chart import Chart, Point, Reading, Table
from dashboard.charts.market_notes import freshness
from dashboard.charts.market_words import DRAWN, first_up, last_month, listed, period_name
from dashboard.charts.share_change_drawing import draw
from dashboard.charts.share_change_words import Changes, Move, has_mix, notes, share_range, subtitle, title
from dashboard.charts.whole_market import answered
from dashboard.comparability import is_of_totals
from dashboard.lines import Line
from dashboard.metrics import ShareParts, gap, share_parts
from dashboard.panels import at
from dashboard.sales_lines import MarketFigures, figures_asked_for, figures_if_any
from dashboard.selection import BasisChoice, By, Measure, NotPublished, PowertrainChoice, Refusal, Selection, Window
from dashboard.windows import month_number, month_start
from db import Connection
from db.claims import GRAIN_MONTHS
from db.vocabulary import Grain

EUROPE = ("AT", "DE", "DK", "ES", "FI", "GB", "IE", "IT", "PT", "SE")
"""The European countries whose makers are published within a month of the period's end."""

TABLE_ROWS = 25
"""Rows of the table under the chart: the largest changes."""

_RECENT = 18
"""Months before the reader's day that are read at first: a year, and the months by which publishers are late."""


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
    with_mix = has_mix(figures)
    largest = sorted(found.moves, key=lambda move: -move.size)[:TABLE_ROWS]
    shown = [move for move in found.moves if move in largest]
    if found.rest and not found.single:
        shown.append(found.rest)
    body = [
        (
            move.line.name,
            share_range(move.line, 0),
            share_range(move.line, 1),
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
