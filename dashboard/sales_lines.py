"""From a selection to measured lines: the figures of each maker, group, model or market over time, with their bounds.

Every chart of market sales stands on this: it asks the database once, lets the firewall refuse what cannot be compared,
puts periods and windows together, and gives for each entity its value with low and high in units, share or growth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from dashboard.comparability import check_names, check_sales
from dashboard.metrics import (
    GRAIN_MONTHS,
    Bools,
    Entity,
    Floats,
    Ints,
    Panel,
    added,
    at,
    growth,
    panel,
    records,
    share,
)
from dashboard.selection import By, Measure, NotPublished, PowertrainChoice, Selection, Window
from db import queries
from db.queries import Dataset, Nouns
from db.vocabulary import ALL, OTHER, Grain

_WINDOW_MONTHS = {Window.THREE_MONTHS: 3, Window.TTM: 12}


@dataclass(frozen=True)
class Line:
    """One entity of one market set over the shown periods (L): `value` is drawn, `low` and `high` bound it.

    All three are in the measure's unit (cars, or a fraction) and NaN where there is no figure. `named` (L) tells
    whether a publisher names the entity in the window: where not, its low end is nothing but ignorance and is never
    drawn as a zero. `units` (L) are the cars behind the value. `known` (L) is the day since 1970-01-01 on which the
    latest figure behind the point became known.
    """

    market: str
    maker: str
    model: str
    name: str
    value: Floats
    low: Floats
    high: Floats
    named: Bools
    units: Floats
    known: Ints

    @property
    def is_rest(self) -> bool:
        """Whether this is the publishers' unnamed rest rather than an entity."""
        return self.maker == OTHER


@dataclass(frozen=True)
class MarketFigures:
    """The lines of a selection over its periods (`start`, L: first months), and what they rest on."""

    selection: Selection
    start: Ints
    lines: tuple[Line, ...]
    nouns: Nouns
    dataset: Dataset

    @property
    def entities(self) -> tuple[Line, ...]:
        """The lines without the rest."""
        return tuple(line for line in self.lines if not line.is_rest)


def market_figures(connection: Connection, selection: Selection, *, measures: tuple[Measure, ...]) -> MarketFigures:
    """The figures of a selection.

    Raises `InvalidSelection` for names that the database does not have, `Incomparable` for what cannot be compared and
    `NotPublished` where no figure answers, each with the nearest selection that works.
    """
    nouns = queries.nouns(connection, as_of=selection.as_of)
    check_names(selection, nouns)
    check_sales(selection, nouns, measures=measures)
    dataset = queries.sales_figures(
        connection,
        markets=selection.market,
        basis=selection.basis.value,
        # All cars cap what a maker can hide in the rest, also where they are not asked for.
        powertrains=sorted({selection.powertrain.value, selection.denominator.value, PowertrainChoice.ALL.value}),
        as_of=selection.as_of,
    )
    start, lines = _lines(dataset.frame, selection, nouns)
    if not lines:
        raise _unanswered(connection, dataset, selection, nouns)
    return MarketFigures(selection=selection, start=start, lines=lines, nouns=nouns, dataset=dataset)


def month_number(day: date) -> int:
    """A date's month as year * 12 + month - 1."""
    return day.year * 12 + day.month - 1


def month_start(month: int) -> date:
    """The first day of a month that is counted as year * 12 + month - 1."""
    return date(int(month) // 12, int(month) % 12 + 1, 1)


def maker_name(slug: str, selection: Selection, nouns: Nouns) -> str:
    """The printed name of a maker, or of a group where lines are groups."""
    if selection.by is By.GROUP and slug in nouns.groups:
        return nouns.groups[slug]
    return nouns.makers.get(slug, slug)


def _lines(frame: pd.DataFrame, selection: Selection, nouns: Nouns) -> tuple[Ints, tuple[Line, ...]]:
    sets: list[tuple[str, tuple[str, ...]]] = [("+".join(selection.market), selection.market)]
    if selection.by is By.MARKET:
        sets = [(code, (code,)) for code in selection.market]
    panels = [(label, *_panels(frame, markets, selection, nouns)) for label, markets in sets]
    start = np.unique(np.concatenate([units.start for _, units, _ in panels]))
    start = start[_in_range(start, selection)]
    if not len(start):
        return start, ()
    lines: list[Line] = []
    if selection.by is By.MARKET and not selection.makers:
        everywhere = added([whole for _, _, whole in panels])
        for label, units, whole in panels:
            part_of_set = selection.measure is Measure.SHARE and selection.denominator is selection.powertrain
            lines.append(_market_line(label, units, everywhere if part_of_set else whole, start, selection, nouns))
    else:
        for label, units, whole in panels:
            lines += _entity_lines(label, units, whole, start, selection, nouns)
    with_figures = [line for line in lines if not np.isnan(line.value).all()]
    if all(line.is_rest for line in with_figures):
        return start, ()
    shown = np.any([~np.isnan(line.value) for line in with_figures], axis=0)
    return start[shown], tuple(_cut(line, shown) for line in with_figures)


def _cut(line: Line, shown: Bools) -> Line:
    return replace(
        line,
        value=line.value[shown],
        low=line.low[shown],
        high=line.high[shown],
        named=line.named[shown],
        units=line.units[shown],
        known=line.known[shown],
    )


def _panels(frame: pd.DataFrame, markets: Sequence[str], selection: Selection, nouns: Nouns) -> tuple[Panel, Panel]:
    """Units of the entities, and the denominator's totals, over the same market set."""
    grain = selection.grain.value
    window: int | str
    if selection.window in _WINDOW_MONTHS:
        # A window is never shorter than the period that it ends with: three months of a quarter are the quarter.
        window = max(_WINDOW_MONTHS[selection.window], GRAIN_MONTHS[grain])
    else:
        window = "ytd" if selection.window is Window.YTD else "grain"
    numerator = frame[frame["powertrain"] == selection.powertrain.value]
    entities = _entities(numerator[numerator["market"].isin(markets)], selection, nouns)
    by = "maker" if selection.by is By.MARKET else selection.by.value
    units, wholes = [], []
    for code in markets:
        in_market = frame[frame["market"] == code]
        all_cars = in_market[in_market["powertrain"] == PowertrainChoice.ALL.value]
        of_entities = records(
            numerator[numerator["market"] == code],
            by=by,
            entities=entities,
            all_cars=None if selection.powertrain is PowertrainChoice.ALL else all_cars,
            members=nouns.members if by == "group" else None,
        )
        units.append(panel(of_entities, grain=grain, window=window))
        if selection.denominator is selection.powertrain:
            wholes.append(units[-1])
        else:
            whole = in_market[in_market["powertrain"] == selection.denominator.value]
            wholes.append(panel(records(whole, by="maker", entities=()), grain=grain, window=window))
    return added(units), added(wholes)


def _entities(claims: pd.DataFrame, selection: Selection, nouns: Nouns) -> list[Entity]:
    """Every entity that the publishers name, or those that the reader named."""
    pairs = claims[["maker", "model"]].drop_duplicates()
    named = [(str(maker), str(model)) for maker, model in pairs.itertuples(index=False) if maker not in (ALL, OTHER)]
    if selection.by is By.MODEL:
        found = {pair for pair in named if pair[1] != ALL}
        found |= {(nouns.model_makers[slug], slug) for slug in selection.models}
        if selection.makers:
            found = {pair for pair in found if pair[0] in selection.makers}
        if selection.models:
            found = {pair for pair in found if pair[1] in selection.models}
        return sorted(found)
    group_of = {}
    if selection.by is By.GROUP:
        group_of = {maker: slug for slug, makers in nouns.members.items() for maker in makers}
    makers = set(selection.makers)
    if not makers and selection.by is not By.MARKET:
        makers = {maker for maker, _ in named}
    return sorted({(group_of.get(maker, maker), ALL) for maker in makers})


def _in_range(start: Ints, selection: Selection) -> Bools:
    """The periods that lie wholly between since and until."""
    inside = np.ones(len(start), dtype=np.bool_)
    if selection.since:
        inside &= start >= month_number(selection.since)
    if selection.until:
        inside &= start + GRAIN_MONTHS[selection.grain.value] - 1 <= month_number(selection.until)
    return inside


def _entity_lines(
    market: str, units: Panel, whole: Panel, start: Ints, selection: Selection, nouns: Nouns
) -> list[Line]:
    now = at(units, start)
    value, low, high, known = _measured(
        selection.measure,
        low=now.low,
        high=now.high,
        known=now.known,
        before=at(units, start - 12),
        whole=at(whole, start),
    )
    # A model that is not named drops out of the window's row; a maker could be anything up to the rest, and has a row.
    seen = now.named
    if selection.by is not By.MODEL:
        seen = np.broadcast_to(now.named.any(axis=0) | bool(selection.makers), now.named.shape)
    hidden = np.where(seen, 0.0, np.nan)
    lines = [
        Line(
            market=market,
            maker=maker,
            model=model,
            name=_line_name(market, maker, model, selection, nouns),
            value=value[:, n] + hidden[:, n],
            low=low[:, n] + hidden[:, n],
            high=high[:, n] + hidden[:, n],
            named=now.named[:, n],
            units=now.low[:, n],
            known=known,
        )
        for n, (maker, model) in enumerate(units.entities)
    ]
    # How the rest grew says nothing: which makers are in it changes from record to record.
    if selection.measure is not Measure.GROWTH:
        rest = now.rest
        if selection.measure is Measure.SHARE:
            rest = share(rest, of=at(whole, start).total)
        lines.append(
            Line(
                market=market,
                maker=OTHER,
                model=OTHER if selection.by is By.MODEL else ALL,
                name=f"{nouns.markets[market]}, unnamed" if selection.by is By.MARKET else "Other (unnamed)",
                value=rest,
                low=rest * 0.0,
                high=rest,
                named=~np.isnan(rest),
                units=now.rest,
                known=known,
            )
        )
    return lines


def _market_line(market: str, units: Panel, whole: Panel, start: Ints, selection: Selection, nouns: Nouns) -> Line:
    """A market's total, which is exact: it hides nobody."""
    now = at(units, start)
    value, low, high, known = _measured(
        selection.measure,
        low=now.total[:, None],
        high=now.total[:, None],
        known=now.known,
        before=_total_as_entity(at(units, start - 12)),
        whole=at(whole, start),
    )
    return Line(
        market=market,
        maker=ALL,
        model=ALL,
        name=nouns.markets[market],
        value=value[:, 0],
        low=low[:, 0],
        high=high[:, 0],
        named=~np.isnan(now.total),
        units=now.total,
        known=known,
    )


def _total_as_entity(of: Panel) -> Panel:
    return replace(of, low=of.total[:, None], high=of.total[:, None])


def _measured(
    measure: Measure, *, low: Floats, high: Floats, known: Ints, before: Panel, whole: Panel
) -> tuple[Floats, Floats, Floats, Ints]:
    """Value, low and high (L, E) in the measure's unit, and the latest day of becoming known (L)."""
    if measure is Measure.SHARE:
        total = whole.total[:, None]
        part = share(low, of=total)
        return part, part, share(high, of=total), np.maximum(known, whole.known)
    if measure is Measure.GROWTH:
        grown = growth(
            value=low,
            low=low,
            high=high,
            value_before=before.low,
            low_before=before.low,
            high_before=before.high,
        )
        return grown.value, grown.low, grown.high, np.maximum(known, before.known)
    return low, low, high, known


def _line_name(market: str, maker: str, model: str, selection: Selection, nouns: Nouns) -> str:
    name = maker_name(maker, selection, nouns)
    if selection.by is By.MARKET:
        market_name = nouns.markets.get(market, market)
        return f"{name}, {market_name}" if len(selection.makers) > 1 else market_name
    if selection.by is By.MODEL:
        return f"{name} {nouns.models[model]}" if model != OTHER else f"{name}, other models"
    return name


def _unanswered(connection: Connection, dataset: Dataset, selection: Selection, nouns: Nouns) -> NotPublished:
    """Why a selection has no figures, and the nearest one that has."""
    names = ", ".join(nouns.markets[code] for code in selection.market)
    if selection.as_of:
        known = queries.first_known(connection, markets=selection.market, basis=selection.basis.value)
        late = {code: day for code, day in known.items() if day > selection.as_of}
        if late:
            day = max(late.values())
            return NotPublished(
                f"nothing about {', '.join(nouns.markets[code] for code in sorted(late))} was loaded as known on "
                f"{selection.as_of}; the first day as known that can be shown is {day}",
                nearest=replace(selection, as_of=day),
            )
    frame = dataset.frame[dataset.frame["powertrain"] == selection.powertrain.value]
    if not len(frame):
        return NotPublished(f"no source states {selection.powertrain} {selection.basis} figures of {names}")
    if selection.by is not By.MARKET or selection.makers:
        in_range = frame[_in_range(frame["month"].to_numpy(), replace(selection, grain=Grain.MONTH))]
        named = in_range[~in_range["maker"].isin([ALL, OTHER])]
        totals_only = [code for code in selection.market if code not in set(named["market"])]
        totals_only = [code for code in totals_only if code in set(in_range["market"])]
        if totals_only:
            rest = tuple(code for code in selection.market if code not in totals_only)
            return NotPublished(
                f"{', '.join(nouns.markets[code] for code in totals_only)}: only totals are published"
                f"{_range_text(selection)}, no makers",
                nearest=replace(selection, market=rest)
                if rest
                else replace(selection, by=By.MARKET, makers=(), models=(), measure=Measure.UNITS),
            )
    finest = max((str(word) for word in frame["grain"].unique()), key=GRAIN_MONTHS.__getitem__)
    if GRAIN_MONTHS[finest] > GRAIN_MONTHS[selection.grain.value]:
        coarse = replace(selection, grain=Grain(finest))
        if _lines(dataset.frame, coarse, nouns)[1]:
            return NotPublished(
                f"{names}: figures are published by {finest}, and a {finest} is never cut into {selection.grain}s",
                nearest=coarse,
            )
    first, last = (month_start(int(month)) for month in (frame["month"].min(), frame["month"].max()))
    span = f"figures of {names} run from {first:%Y-%m} to {last:%Y-%m}"
    for reason, nearest in (
        ("no period in the range asked for has a figure", replace(selection, since=None, until=None)),
        (
            "no period has what the measure and window need (neither reaches over a period without figures)",
            replace(selection, window=Window.NONE, measure=Measure.SHARE, since=None, until=None),
        ),
        (
            "none of the makers or models asked for is named there",
            replace(
                selection,
                makers=(),
                models=(),
                window=Window.NONE,
                measure=Measure.SHARE,
                since=None,
                until=None,
            ),
        ),
    ):
        if nearest != selection and _lines(dataset.frame, nearest, nouns)[1]:
            return NotPublished(f"{reason}; {span}", nearest=nearest)
    return NotPublished(f"nothing is published for this selection; {span}")


def _range_text(selection: Selection) -> str:
    since = f" since {selection.since:%Y-%m}" if selection.since else ""
    until = f" until {selection.until:%Y-%m}" if selection.until else ""
    return since + until
