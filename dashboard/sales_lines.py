"""From a selection to measured lines: the figures of each maker, group, model or market over time, with their bounds.

Every chart of market sales stands on this: it asks the database once, lets the firewall refuse what cannot be compared,
puts periods and windows together, and gives for each entity its value with low and high in units, share or growth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from dashboard.comparability import check_names, check_sales, is_within_market
from dashboard.metrics import (
    GRAIN_MONTHS,
    Bools,
    Entity,
    Floats,
    Ints,
    Panel,
    Records,
    added,
    at,
    growth,
    panel,
    records,
    share,
    window_opening,
)
from dashboard.selection import By, Measure, NotPublished, PowertrainChoice, Selection, Window
from db import Connection, queries
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

    @property
    def is_own_rest(self) -> bool:
        """Whether this is what a publisher lumps together of one maker: a figure of the maker's, and no model."""
        return self.maker != OTHER and self.model == OTHER


@dataclass(frozen=True)
class Reach:
    """How far one market's records go: the month after the last one, and after the last one that names entities."""

    published_to: int
    named_to: int


@dataclass(frozen=True)
class MarketFigures:
    """The lines of a selection over its periods (`start`, L: first months), and what they rest on.

    `reach` tells for each market how far its records go, whatever the range asked for.
    """

    selection: Selection
    start: Ints
    lines: tuple[Line, ...]
    reach: dict[str, Reach]
    nouns: Nouns
    dataset: Dataset

    @property
    def entities(self) -> tuple[Line, ...]:
        """The lines without the rest."""
        return tuple(line for line in self.lines if not line.is_rest)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the publishers say about the records behind the lines, what concerns most of them first."""
        frame, counted = self.dataset.frame, (self.selection.powertrain.value, self.selection.denominator.value)
        first = months_behind(self.selection, int(self.start[0]))[0].start
        last = int(self.start[-1]) + GRAIN_MONTHS[self.selection.grain.value]
        month = frame["month"].to_numpy()
        return self.dataset.warnings(frame[(month >= first) & (month < last) & frame["powertrain"].isin(counted)])


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
        powertrains=_powertrains(selection),
        as_of=selection.as_of,
    )
    start, lines, reach = _lines(dataset.frame, selection, nouns)
    if not lines:
        raise _unanswered(connection, dataset, selection, nouns)
    return MarketFigures(selection=selection, start=start, lines=lines, reach=reach, nouns=nouns, dataset=dataset)


def _powertrains(selection: Selection) -> list[str]:
    """What has to be read: all cars too, since they cap what a maker can hide in the rest."""
    wanted = {selection.powertrain.value, selection.denominator.value}
    if selection.by in (By.MAKER, By.GROUP) or selection.makers:
        wanted.add(PowertrainChoice.ALL.value)
    return sorted(wanted)


def month_number(day: date) -> int:
    """A date's month as year * 12 + month - 1."""
    return day.year * 12 + day.month - 1


def month_start(month: int) -> date:
    """The first day of a month that is counted as year * 12 + month - 1."""
    return date(int(month) // 12, int(month) % 12 + 1, 1)


def months_behind(selection: Selection, period_start: int) -> tuple[range, ...]:
    """The months that the figure of a period is made of: its window, for growth after the same a year before."""
    end = period_start + GRAIN_MONTHS[selection.grain.value]
    label = np.array([period_start], dtype=np.int64)
    opening = int(window_opening(label, grain=selection.grain.value, window=_window(selection))[0])
    if selection.measure is Measure.GROWTH:
        return range(opening - 12, end - 12), range(opening, end)
    return (range(opening, end),)


def _window(selection: Selection) -> int | str:
    """The window as `panel` takes it."""
    if selection.window in _WINDOW_MONTHS:
        # A window is never shorter than the period that it ends with: three months of a quarter are the quarter.
        return max(_WINDOW_MONTHS[selection.window], GRAIN_MONTHS[selection.grain.value])
    return "ytd" if selection.window is Window.YTD else "grain"


def maker_name(slug: str, selection: Selection, nouns: Nouns) -> str:
    """The printed name of a maker, or of a group where lines are groups."""
    if selection.by is By.GROUP and slug in nouns.groups:
        return nouns.groups[slug]
    return nouns.makers.get(slug, slug)


def _lines(frame: pd.DataFrame, selection: Selection, nouns: Nouns) -> tuple[Ints, tuple[Line, ...], dict[str, Reach]]:
    """The periods that have a figure, the lines over them (none where there is no figure), each market's reach."""
    sets: list[tuple[str, tuple[str, ...]]] = [("+".join(selection.market), selection.market)]
    if selection.by is By.MARKET:
        sets = [(code, (code,)) for code in selection.market]
    claims = {
        (str(market), str(powertrain)): part
        for (market, powertrain), part in frame.groupby(["market", "powertrain"], observed=True, sort=False)
    }
    no_claims = frame.iloc[:0]
    panels = [(label, *_panels(claims, no_claims, markets, selection, nouns)) for label, markets in sets]
    reach = {code: of_market for *_, reaches in panels for code, of_market in reaches.items()}
    start = np.unique(np.concatenate([units.start for _, units, _, _ in panels]))
    start = start[_in_range(start, selection)]
    if not len(start):
        return start, (), reach
    lines: list[Line] = []
    if selection.by is By.MARKET and not selection.makers:
        everywhere = added([whole for _, _, whole, _ in panels])
        for label, units, whole, _ in panels:
            of = whole if is_within_market(selection) else everywhere
            lines.append(_market_line(label, units, of, start, selection, nouns))
    else:
        for label, units, whole, _ in panels:
            lines += _entity_lines(label, units, whole, start, selection, nouns)
    with_figures = [line for line in lines if not np.isnan(line.value).all()]
    if all(line.is_rest for line in with_figures):
        return start, (), reach
    shown = np.any([~np.isnan(line.value) for line in with_figures], axis=0)
    return start[shown], tuple(_cut(line, shown) for line in with_figures), reach


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


def _panels(
    claims: Mapping[tuple[str, str], pd.DataFrame],
    no_claims: pd.DataFrame,
    markets: Sequence[str],
    selection: Selection,
    nouns: Nouns,
) -> tuple[Panel, Panel, dict[str, Reach]]:
    """Units of the entities, and the denominator's totals, over the same market set, and how far each market goes.

    `claims` are the rows of each market and powertrain.
    """
    grain, window = selection.grain.value, _window(selection)
    by = "maker" if selection.by is By.MARKET else selection.by.value
    counted = [claims.get((code, selection.powertrain.value), no_claims) for code in markets]
    entities = _entities(counted, selection, nouns)
    units, wholes, reach = [], [], {}
    for code, of_market in zip(markets, counted, strict=True):
        of_entities = records(
            of_market,
            by=by,
            entities=entities,
            all_cars=None
            if selection.powertrain is PowertrainChoice.ALL
            else claims.get((code, PowertrainChoice.ALL.value)),
            members=nouns.members if by == "group" else None,
        )
        reach[code] = _reach(of_entities)
        units.append(panel(of_entities, grain=grain, window=window))
        if selection.denominator is selection.powertrain:
            wholes.append(units[-1])
        else:
            whole = claims.get((code, selection.denominator.value), no_claims)
            wholes.append(panel(records(whole, by="maker", entities=()), grain=grain, window=window))
    return added(units), added(wholes), reach


def _reach(of: Records) -> Reach:
    ends = of.start + of.months
    return Reach(published_to=int(ends.max(initial=0)), named_to=int(ends[of.split].max(initial=0)))


def _entities(claims: Iterable[pd.DataFrame], selection: Selection, nouns: Nouns) -> list[Entity]:
    """Every entity that the publishers name, or those that the reader named."""
    named = {pair for of_market in claims for pair in _named(of_market)}
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


def _named(claims: pd.DataFrame) -> list[Entity]:
    """The distinct makers and models of a market's rows, without its total and its rest."""
    maker_codes, model_codes = (claims[name].cat.codes.to_numpy() for name in ("maker", "model"))
    makers, models = (claims[name].cat.categories.tolist() for name in ("maker", "model"))
    pairs = np.unique(maker_codes.astype(np.int64) * len(models) + model_codes).tolist()
    named = [(makers[pair // len(models)], models[pair % len(models)]) for pair in pairs]
    return [(maker, model) for maker, model in named if maker not in (ALL, OTHER)]


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
    before = at(units, start - 12)
    value, low, high, known = _measured(
        selection.measure, low=now.low, high=now.high, known=now.known, before=before, whole=at(whole, start)
    )
    if selection.by is By.MODEL:
        # A model that is not named drops out of the window's row.
        seen = now.named
    else:
        # A maker that is not named could be anything up to the rest, and has a row.
        seen = np.broadcast_to(now.named.any(axis=0) | bool(selection.makers), now.named.shape)
    if selection.measure is Measure.GROWTH:
        # It cannot be said to have shrunk to nothing, unless nothing is hidden.
        seen = seen & (now.named | (now.high == 0))
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
    coarsest = Grain(max((str(word) for word in frame["grain"].unique()), key=GRAIN_MONTHS.__getitem__))
    coarse = [code for code in selection.market if ((frame["market"] == code) & (frame["grain"] == coarsest)).any()]
    fitting = selection if coarsest.months <= selection.grain.months else replace(selection, grain=coarsest)
    measure = Measure.SHARE if selection.measure is Measure.GROWTH else selection.measure
    whole_range = replace(fitting, since=None, until=None)
    without_window = replace(whole_range, window=Window.NONE, measure=measure)
    everybody = replace(without_window, makers=(), models=())
    beside = replace(selection, by=By.MARKET, makers=(), models=(), measure=Measure.UNITS)
    totals = replace(everybody, by=By.MARKET, measure=Measure.UNITS)

    def first_answered(*candidates: Selection) -> Selection | None:
        with_figures = (each for each in candidates if each != selection and _lines(dataset.frame, each, nouns)[1])
        return next(with_figures, None)

    def other_markets(without: Sequence[str]) -> tuple[Selection, ...]:
        rest = tuple(code for code in selection.market if code not in without)
        return (replace(selection, market=rest),) if rest else ()

    reasons: list[tuple[str, tuple[Selection, ...]]] = []
    in_range = frame[_in_range(frame["month"].to_numpy(), replace(selection, grain=Grain.MONTH))]
    named = in_range[~in_range["maker"].isin([ALL, OTHER])]
    with_makers, with_models = set(named["market"]), set(named.loc[named["model"] != ALL, "market"])
    totals_only = [code for code in selection.market if code in set(in_range["market"]) - with_makers]
    if totals_only and (selection.by is not By.MARKET or selection.makers):
        reasons.append(
            (
                f"{', '.join(nouns.markets[code] for code in totals_only)}: only totals are published"
                f"{_range_text(selection)}, no makers",
                (*other_markets(totals_only), beside, totals),
            )
        )
    makers_only = [code for code in selection.market if code in with_makers - with_models]
    if makers_only and selection.by is By.MODEL:
        makers = {*selection.makers, *(nouns.model_makers[slug] for slug in selection.models)}
        reasons.append(
            (
                f"{', '.join(nouns.markets[code] for code in makers_only)}: figures are published by maker"
                f"{_range_text(selection)}, not by model",
                (
                    *other_markets(makers_only),
                    replace(selection, by=By.MAKER, makers=tuple(sorted(makers)), models=()),
                ),
            )
        )
    reasons += [
        (
            f"{', '.join(nouns.markets[code] for code in coarse)}: figures are published by {coarsest}, and a "
            f"{coarsest} is never cut into {selection.grain}s",
            (fitting,),
        ),
        (f"no period in the range asked for has a figure{_span_text(frame)}", (whole_range,)),
        (
            "no period has what the measure and window need (neither reaches over a period without figures)"
            f"{_span_text(frame)}",
            (without_window,),
        ),
        (f"none of the makers or models asked for is named in figures of {names}", (everybody,)),
        (f"no period names makers in every market of {names}", (totals,)),
    ]
    for reason, candidates in reasons:
        nearest = first_answered(*candidates)
        if nearest is not None:
            return NotPublished(reason, nearest=nearest)
    return NotPublished(f"nothing is published of {names} for this selection")


def _span_text(frame: pd.DataFrame) -> str:
    first, last = (month_start(int(month)) for month in (frame["month"].min(), frame["month"].max()))
    return f"; figures run from {first:%Y-%m} to {last:%Y-%m}"


def _range_text(selection: Selection) -> str:
    since = f" since {selection.since:%Y-%m}" if selection.since else ""
    until = f" until {selection.until:%Y-%m}" if selection.until else ""
    return since + until
