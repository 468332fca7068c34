"""What publishers state of who sold how much, between which bounds, in periods of one length: pure functions.

Publishers name the makers and models that sell, and lump the rest together as `other`. A figure that this rest could
add to is an interval, not a number, and carries its low and its high end:

* named models, named makers in records by brand, and makers that have a rest of their own (`Brand|other`) are exact;
* any other maker has at least its named sum, and at most that plus the market's rest, capped by its all-cars figure
  of the period where there is one;
* the rest itself is at most what is published, and could be nothing at all.

Periods are spans of whole calendar months. A span has a figure only if published periods fill it exactly: a quarter
is never cut, a missing month is never zero, and months, quarters and their mixtures add up where they fit together.

A month is counted as year * 12 + month - 1 throughout; units are cars, as floats that hold whole numbers exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.claims import GRAIN_MONTHS, Bools, Claims, Floats, Ints, Words
from db.queries import Membership
from db.vocabulary import ALL, OTHER

Entity = tuple[str, str]
"""Maker and model slug; model is `all` for a maker or a group, `other` for a maker's unnamed rest."""


@dataclass(frozen=True)
class Records:
    """What one market's publisher states, period by period as published (P periods, E entities).

    `start`, `months` (P): first month and length. `total` (P): all cars of the powertrain. `rest` (P): published as
    `other`; 0 where the record names everything. `split` (P): whether the record names entities at all. `low`, `high`
    (P, E): bounds of the units. `named` (P, E): whether the record names the entity. `known` (P): the day since
    1970-01-01 on which the latest of its figures became known. `sources` (P): which sources state it, as a set of bits
    by the frame's category of the source.
    """

    entities: tuple[Entity, ...]
    start: Ints
    months: Ints
    total: Floats
    rest: Floats
    split: Bools
    low: Floats
    high: Floats
    named: Bools
    known: Ints
    sources: Ints

    def at(self, periods: Bools) -> Records:
        """The records of some of the periods."""
        if periods.all():
            return self
        arrays = ("start", "months", "total", "rest", "split", "low", "high", "named", "known", "sources")
        return replace(self, **{name: getattr(self, name)[periods] for name in arrays})


@dataclass(frozen=True)
class Panel:
    """Units of entities in the same market set over time (L periods, E entities), windows already summed.

    `start` (L): first month of each labelled period, all of `grain`. `low`, `high` (L, E): bounds; NaN where there
    is no figure. `named` (L, E): whether the entity is named anywhere in the window. `split` (L): whether every record
    in the window names entities. `rest`, `total` (L): the unnamed rest and all cars; `rest` is NaN where none is
    published, `total` where only makers' own figures are. `known` (L): latest day of becoming known. `sources` (L): as
    in `Records`.
    """

    entities: tuple[Entity, ...]
    grain: str
    start: Ints
    low: Floats
    high: Floats
    named: Bools
    split: Bools
    rest: Floats
    total: Floats
    known: Ints
    sources: Ints

    def since(self, month: int) -> Panel:
        """The periods that begin in a month or after it."""
        first = int(np.searchsorted(self.start, month))
        if not first:
            return self
        arrays = ("start", "low", "high", "named", "split", "rest", "total", "known", "sources")
        return replace(self, **{name: getattr(self, name)[first:] for name in arrays})


def records(
    claims: Claims,
    *,
    by: str,
    entities: Sequence[Entity],
    all_cars: Claims | None = None,
    members: Mapping[str, Sequence[Membership]] | None = None,
) -> Records:
    """One market's published records of one powertrain, with bounds for each of the wanted entities.

    `claims` and `all_cars` are of one market as `precedence.of_market` gives them, whose periods do not overlap. `by`
    is maker, group or model; groups have the makers that `members` lists, each for its time.

    Figures may be nested. A maker's total stands for its models, and the market's total for all of its rows; what the
    named makers leave of a stated total is the market's rest where the publisher itself states none.
    """
    starts, months, place = _periods(claims)
    count = len(starts)
    units = claims.units
    is_rest, is_total = claims.maker.are(OTHER), claims.maker.are(ALL)
    is_named = ~is_rest & ~is_total
    of_all_models = claims.model.are(ALL)
    nested = _nested(claims.maker, place, is_named=is_named, of_all_models=of_all_models)
    rest = _sums(place[is_rest], units[is_rest], count)
    split = np.bincount(place[is_named], minlength=count) > 0
    known = np.zeros(count, dtype=np.int64)
    np.maximum.at(known, place, claims.known_from)
    sources = np.zeros(count, dtype=np.int64)
    np.bitwise_or.at(sources, place, np.int64(1) << claims.source.codes)
    parts = ~is_total & ~nested
    total = _sums(place[parts], units[parts], count)
    if is_total.any():
        has_total = np.bincount(place[is_total], minlength=count) > 0
        has_rest = np.bincount(place[is_rest], minlength=count) > 0
        stated = _sums(place[is_total], units[is_total], count)
        rest = np.where(has_total & ~has_rest & split, np.maximum(stated - total, 0.0), rest)
        total = np.where(has_total, stated, total)
    if by == "model":
        split = split & (np.bincount(place[is_named & ~of_all_models], minlength=count) > 0)
    if not entities:
        low = headroom = np.zeros((count, 0))
        named = np.zeros((count, 0), dtype=np.bool_)
    elif by == "model":
        low, headroom, named = _model_bounds(claims, place, units, rest=rest, entities=entities)
    else:
        makers = _makers_behind(entities, members)
        low, headroom, named = _maker_bounds(
            np.where(nested, -1, claims.maker.places(makers)),
            place,
            units,
            is_whole=of_all_models | claims.model.are(OTHER),
            rest=rest,
            caps=_caps(all_cars, starts, months, makers),
        )
        if by == "group":
            low, headroom, named = _grouped(
                low, headroom, named, rest=rest, starts=starts, makers=makers, entities=entities, members=members or {}
            )
        else:
            column = [makers.index(slug) for slug, _ in entities]
            low, headroom, named = low[:, column], headroom[:, column], named[:, column]
    low = np.where(split[:, None], low, np.nan)
    return Records(
        entities=tuple(entities),
        start=starts,
        months=months,
        total=total,
        rest=rest,
        split=split,
        low=low,
        high=low + headroom,
        named=named,
        known=known,
        sources=sources,
    )


def _nested(maker: Words, place: Ints, *, is_named: Bools, of_all_models: Bools) -> Bools:
    """The rows of single models of a maker whose total stands in the same period."""
    of_models, of_makers = is_named & ~of_all_models, is_named & of_all_models
    if not (of_models.any() and of_makers.any()):
        return np.zeros(len(place), dtype=np.bool_)
    cell = place * len(maker.listed) + maker.codes
    return of_models & np.isin(cell, cell[of_makers])


def panel(of: Records, *, grain: str, window: int | str) -> Panel:
    """The records in periods of one grain, each the sum of a window that ends with it.

    `window` is a number of months, `"grain"` for the period itself, or `"ytd"` for the year up to its end. Only periods
    that published ones fill exactly have a figure, and a window over a period without a split has none for entities.
    """
    length = GRAIN_MONTHS[grain]
    if not len(of.start) or of.months.min() > length:
        return _empty(of.entities, grain)
    first = int(of.start.min())
    labels = np.arange(first - first % length, int((of.start + of.months).max()), length, dtype=np.int64)
    opening = window_opening(labels, grain=grain, window=window)
    shown = _Spans(of, labels, labels + length).filled
    if window != "grain":
        shown &= _Spans(of, opening, labels + length).filled
    labels, opening = labels[shown], opening[shown]
    spans = _Spans(of, opening, labels + length)
    whole = ~spans.have(~of.split)
    low = high = np.zeros((len(labels), 0))
    named = np.zeros((len(labels), 0), dtype=np.bool_)
    if of.entities:
        gap = np.where(whole, 0.0, np.nan)[:, None]
        absent = np.isnan(of.low) & of.split[:, None]  # a group before it was formed, or after
        if absent.any():
            gap = np.where(spans.have(absent), np.nan, gap)
        low, high = (spans.add(np.nan_to_num(end)) + gap for end in (of.low, of.high))
        named = spans.have(of.named)
    rest = spans.add(of.rest)
    return Panel(
        entities=of.entities,
        grain=grain,
        start=labels,
        low=low,
        high=high,
        named=named,
        split=whole,
        rest=np.where(whole & (rest > 0), rest, np.nan),
        total=spans.add(of.total),
        known=spans.latest(of.known),
        sources=spans.any_of(of.sources),
    )


def own_panel(claims: Claims, *, entity: Entity, ranks: Sequence[int], grain: str, window: int | str) -> Panel:
    """One maker's or model's own figures in periods of one grain, each the sum of a window that ends with it.

    `claims` are rows as in `records`, of which those of the entity count; their periods may overlap. A span is told in
    the way that the best-ranked source tells it (`ranks`, by the frame's category of the source; lower is better), by
    the finest periods where one source tells it twice. There is no total: makers' own figures add up to no market.
    """
    maker, model = entity
    mine = claims[claims.maker.are(maker) & claims.model.are(model)]
    length = GRAIN_MONTHS[grain]
    if not len(mine):
        return _empty((entity,), grain)
    told = _Told(mine, ranks)
    labels = np.arange(told.first - told.first % length, told.end, length, dtype=np.int64)
    opening = window_opening(labels, grain=grain, window=window)
    found = []
    for label, begin in zip(labels.tolist(), opening.tolist(), strict=True):
        if told.tiles(label, label + length) is not None:
            tiles = told.tiles(begin, label + length)
            if tiles is not None:
                found.append((label, tiles))
    start = np.array([label for label, _ in found], dtype=np.int64)
    units = np.array([sum(told.units[row] for row in tiles) for _, tiles in found], dtype=np.float64)
    bits = [reduce(or_, (1 << int(told.source[row]) for row in tiles), 0) for _, tiles in found]
    return Panel(
        entities=(entity,),
        grain=grain,
        start=start,
        low=units[:, None],
        high=units[:, None],
        named=np.ones((len(start), 1), dtype=np.bool_),
        split=np.ones(len(start), dtype=np.bool_),
        rest=np.full(len(start), np.nan),
        total=np.full(len(start), np.nan),
        known=np.array([max(told.known[row] for row in tiles) for _, tiles in found], dtype=np.int64),
        sources=np.array(bits, dtype=np.int64),
    )


def own_rows(claims: Claims, *, entity: Entity, ranks: Sequence[int], span: range) -> Claims:
    """The rows that `own_panel` adds up over a span of months; none where they do not fill it exactly."""
    maker, model = entity
    mine = claims[claims.maker.are(maker) & claims.model.are(model)]
    tiles = _Told(mine, ranks).tiles(span.start, span.stop) if len(mine) else None
    return mine[np.array(tiles or (), dtype=np.int64)]


class _Told:
    """One entity's figures by calendar span, and which of them tell a longer one."""

    def __init__(self, claims: Claims, ranks: Sequence[int]) -> None:
        month, length = claims.month, claims.months
        self.units = claims.units
        self.known = claims.known_from
        self.source = claims.source.codes
        self.first, self.end = int(month.min()), int((month + length).max())
        self._rank = [ranks[source] for source in self.source.tolist()]
        self._told: dict[tuple[int, int], int] = {}
        for row, span in enumerate(zip(month.tolist(), length.tolist(), strict=True)):
            other = self._told.get(span)
            if other is None or self._rank[row] < self._rank[other]:
                self._told[span] = row
        self._best: dict[tuple[int, int], tuple[int, ...] | None] = {}

    def tiles(self, opening: int, end: int) -> tuple[int, ...] | None:
        """The rows whose periods fill the span exactly; None where none do."""
        rows: tuple[int, ...] = ()
        while opening < end:
            for length in (12, 3, 1):
                if opening % length == 0 and opening + length <= end:
                    found = self._of_period(opening, length)
                    if found is not None:
                        rows, opening = rows + found, opening + length
                        break
            else:
                return None
        return rows

    def _of_period(self, start: int, length: int) -> tuple[int, ...] | None:
        """How a month, quarter or year is told best: by itself or by the shorter periods in it."""
        if (start, length) in self._best:
            return self._best[start, length]
        own = self._told.get((start, length))
        best: tuple[int, ...] | None = None if own is None else (own,)
        if length > 1:
            shorter = {12: 3, 3: 1}[length]
            parts = [self._of_period(start + n, shorter) for n in range(0, length, shorter)]
            if all(part is not None for part in parts):
                together = tuple(row for part in parts for row in part or ())
                if best is None or max(self._rank[row] for row in together) <= self._rank[best[0]]:
                    best = together
        self._best[start, length] = best
        return best


def window_opening(labels: Ints, *, grain: str, window: int | str) -> Ints:
    """The first month of the window that ends with each labelled period."""
    if window == "grain":
        return labels
    if window == "ytd":
        return labels - labels % 12
    return labels + GRAIN_MONTHS[grain] - int(window)


def added(panels: Sequence[Panel]) -> Panel:
    """Several markets as one: the periods that every one of them has, lows with lows and highs with highs."""
    if len(panels) == 1:
        return panels[0]
    shared = panels[0].start
    for other in panels[1:]:
        shared = np.intersect1d(shared, other.start)
    parts = [at(each, shared) for each in panels]
    split = np.all([part.split for part in parts], axis=0)
    rest = np.sum([np.nan_to_num(part.rest) for part in parts], axis=0)
    return Panel(
        entities=panels[0].entities,
        grain=panels[0].grain,
        start=shared,
        low=np.sum([part.low for part in parts], axis=0),
        high=np.sum([part.high for part in parts], axis=0),
        named=np.any([part.named for part in parts], axis=0),
        split=split,
        rest=np.where(split & (rest > 0), rest, np.nan),
        total=np.sum([part.total for part in parts], axis=0),
        known=np.max([part.known for part in parts], axis=0),
        sources=np.bitwise_or.reduce([part.sources for part in parts], axis=0),
    )


def at(of: Panel, starts: Ints) -> Panel:
    """The panel at the given periods, with NaN where it has none of them."""
    if np.array_equal(of.start, starts):
        return of
    if not len(of.start):
        of = _empty(of.entities, of.grain, length=1)
    where = np.minimum(np.searchsorted(of.start, starts), len(of.start) - 1)
    found = of.start[where] == starts
    gap = np.where(found, 0.0, np.nan)
    return Panel(
        entities=of.entities,
        grain=of.grain,
        start=starts,
        low=of.low[where] + gap[:, None],
        high=of.high[where] + gap[:, None],
        named=of.named[where] & found[:, None],
        split=of.split[where] & found,
        rest=of.rest[where] + gap,
        total=of.total[where] + gap,
        known=np.where(found, of.known[where], 0),
        sources=np.where(found, of.sources[where], 0),
    )


def _sums(cell: Ints, units: Floats, size: int) -> Floats:
    """The units of each cell added up."""
    return np.bincount(cell, weights=units, minlength=size).astype(np.float64)


def _periods(claims: Claims) -> tuple[Ints, Ints, Ints]:
    """Distinct published periods in order (first month, length), and each row's place among them."""
    # A start and a length make one number, so that the distinct pairs are the distinct numbers.
    distinct, place = np.unique(claims.month * 16 + claims.months, return_inverse=True)
    starts, months = np.divmod(distinct, 16)
    return starts, months, place.astype(np.int64)


def _makers_behind(entities: Sequence[Entity], members: Mapping[str, Sequence[Membership]] | None) -> list[str]:
    return sorted({of.maker for slug, _ in entities for of in (members or {}).get(slug, (Membership(slug),))})


def _caps(all_cars: Claims | None, starts: Ints, months: Ints, makers: Sequence[str]) -> Floats:
    """Each maker's all-cars figure of the same period (P, M); infinity where there is none."""
    caps = np.full((len(starts), len(makers)), np.inf)
    if all_cars is None or not len(all_cars):
        return caps
    theirs, their_months, place = _periods(all_cars)
    row = {key: n for n, key in enumerate(zip(starts.tolist(), months.tolist(), strict=True))}
    rows = np.array([row.get(key, -1) for key in zip(theirs.tolist(), their_months.tolist(), strict=True)])[place]
    columns = all_cars.maker.places(makers)
    fits = (rows >= 0) & (columns >= 0)
    caps[rows[fits], columns[fits]] = all_cars.units[fits]
    return caps


def _maker_bounds(
    columns: Ints, place: Ints, units: Floats, *, is_whole: Bools, rest: Floats, caps: Floats
) -> tuple[Floats, Floats, Bools]:
    """A maker is exact where its record states it as a whole, be it by one figure or by its models and their rest."""
    fits = columns >= 0
    shape = caps.shape
    cell = place[fits] * shape[1] + columns[fits]
    size = shape[0] * shape[1]
    low = _sums(cell, units[fits], size).reshape(shape)
    named = np.bincount(cell, minlength=size).reshape(shape) > 0
    exact = np.bincount(cell[is_whole[fits]], minlength=size).reshape(shape) > 0
    room = np.minimum(rest[:, None], np.maximum(caps - low, 0.0))
    return low, np.where(exact, 0.0, room), named


def _grouped(
    low: Floats,
    headroom: Floats,
    named: Bools,
    *,
    rest: Floats,
    starts: Ints,
    makers: Sequence[str],
    entities: Sequence[Entity],
    members: Mapping[str, Sequence[Membership]],
) -> tuple[Floats, Floats, Bools]:
    """Makers put together: what is named adds up, and the market's rest counts once, however many could hide in it.

    A maker counts where it belongs in the month with which the period begins. A group that has no maker then, or a
    maker that is part of a group then, is no entity: it has no figure.
    """
    column = {name: n for n, name in enumerate(makers)}
    belonging = [
        (n, column[of.maker], of.first, of.end)
        for n, (slug, _) in enumerate(entities)
        for of in members.get(slug, (Membership(slug),))
    ]
    in_groups = [(column[of.maker], of.first, of.end) for each in members.values() for of in each if of.maker in column]
    changes = sorted({month for *_, first, end in belonging for month in (first, end)})
    epoch = np.searchsorted(np.array(changes), starts, side="right")
    shape = (len(starts), len(entities))
    units, room, names = np.full(shape, np.nan), np.zeros(shape), np.zeros(shape, dtype=np.bool_)
    for number in np.unique(epoch).tolist():
        during = epoch == number
        month = int(starts[during][0])
        part_of_group = {maker for maker, first, end in in_groups if first <= month < end}
        belongs = np.zeros((len(makers), len(entities)))
        for n, maker, first, end in belonging:
            alone = entities[n][0] not in members
            if first <= month < end and not (alone and maker in part_of_group):
                belongs[maker, n] = 1
        spare = np.minimum(headroom[during], rest[during, None]) @ belongs
        units[during] = np.where(belongs.any(axis=0), low[during] @ belongs, np.nan)
        room[during] = np.minimum(rest[during, None], spare)
        names[during] = (named[during] @ belongs) > 0
    return units, room, names


def _model_bounds(
    claims: Claims, place: Ints, units: Floats, *, rest: Floats, entities: Sequence[Entity]
) -> tuple[Floats, Floats, Bools]:
    """A named model is exact; an unnamed one hides in its maker's own rest if there is one, else in the market's."""
    makers = sorted({maker for maker, _ in entities})
    models = sorted({model for _, model in entities})
    of_maker, of_model = claims.maker.places(makers), claims.model.places(models)
    entity_at = np.full((len(makers) + 1, len(models) + 1), -1, dtype=np.int64)
    for n, (maker, model) in enumerate(entities):
        entity_at[makers.index(maker), models.index(model)] = n
    # What is none of them has the place -1, which is the last row or column and holds no entity.
    columns = entity_at[of_maker, of_model]
    fits = columns >= 0
    shape = (len(rest), len(entities))
    cell = place[fits] * shape[1] + columns[fits]
    size = shape[0] * shape[1]
    low = _sums(cell, units[fits], size).reshape(shape)
    named = np.bincount(cell, minlength=size).reshape(shape) > 0
    is_own = (of_maker >= 0) & claims.model.are(OTHER)
    own_shape = (len(rest), len(makers))
    own = _sums(place[is_own] * len(makers) + of_maker[is_own], units[is_own], len(rest) * len(makers))
    room = np.where(own > 0, own, np.repeat(rest, len(makers))).reshape(own_shape)
    return low, np.where(named, 0.0, room[:, [makers.index(maker) for maker, _ in entities]]), named


class _Spans:
    """Sums over spans of calendar months (L), from `opening` to before `ends`, of the published periods in them."""

    def __init__(self, of: Records, opening: Ints, ends: Ints) -> None:
        end = of.start + of.months
        self._first, self._last = np.searchsorted(of.start, opening), np.searchsorted(end, ends, side="right")
        months = np.concatenate([[0], np.cumsum(of.months)])
        begins = of.start[np.minimum(self._first, len(of.start) - 1)] == opening
        ends_there = end[np.maximum(self._last - 1, 0)] == ends
        filled = months[self._last] - months[np.minimum(self._first, self._last)]
        self.filled: Bools = np.asarray(begins & ends_there & (self._first < self._last) & (filled == ends - opening))
        """Whether published periods begin and end with the span and leave no month out."""

    def add(self, values: NDArray[Any]) -> NDArray[Any]:
        """The sum over each span; the first axis of `values` is the published period."""
        running = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
        return np.asarray(running[self._last] - running[self._first])

    def have(self, flags: Bools) -> Bools:
        """Whether any period of each span has the flag."""
        return np.asarray(self.add(flags.astype(np.int64)) > 0)

    def latest(self, days: Ints) -> Ints:
        """The latest day in each span, none of which is empty."""
        return self._reduced(np.maximum, days)

    def any_of(self, bits: Ints) -> Ints:
        """The bits that are set anywhere in each span, none of which is empty."""
        return self._reduced(np.bitwise_or, bits)

    def _reduced(self, reduce: np.ufunc, values: Ints) -> Ints:
        if not len(self._first):
            return np.array([], dtype=np.int64)
        if (values == values[0]).all():
            return np.full(len(self._first), values[0], dtype=np.int64)
        # Of every two bounds the first begins a span; what lies between two spans is passed over.
        bounds = np.column_stack([self._first, self._last]).ravel()
        padded = np.append(values, values[-1])
        return np.asarray(reduce.reduceat(padded, bounds)[::2], dtype=np.int64)


def _empty(entities: tuple[Entity, ...], grain: str, *, length: int = 0) -> Panel:
    """A panel without figures; its periods, if any, are before every real one."""
    none, cells = np.full(length, np.nan), np.full((length, len(entities)), np.nan)
    before = np.full(length, -1, dtype=np.int64)
    return Panel(
        entities=entities,
        grain=grain,
        start=before,
        low=cells,
        high=cells,
        named=cells > 0,
        split=none > 0,
        rest=none,
        total=none,
        known=np.zeros(length, dtype=np.int64),
        sources=np.zeros(length, dtype=np.int64),
    )
