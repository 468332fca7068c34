"""From a selection to measured lines: the figures of each maker, group, model or market over time, with their bounds.

Every chart of market sales stands on this: it asks the database once, lets the firewall refuse what cannot be compared,
puts periods and windows together, and gives for each entity its value with low and high in units, share or growth.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from dashboard import precedence
from dashboard.comparability import HEADLINE_BASES, check_names, check_sales, is_within_market
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
    own_panel,
    own_rows,
    panel,
    records,
    share,
    window_opening,
)
from dashboard.precedence import PUBLISHED_AS, OfMarket
from dashboard.selection import BasisChoice, By, Measure, NotPublished, PowertrainChoice, Refusal, Selection, Window
from db import Connection, queries
from db.queries import Citation, Dataset, Nouns
from db.vocabulary import ALL, FOLDED, OTHER, Basis, Grain, VehicleScope

_WINDOW_MONTHS = {Window.THREE_MONTHS: 3, Window.TTM: 12}


@dataclass(frozen=True)
class Line:
    """One entity of one market set over the shown periods (L): `value` is drawn, `low` and `high` bound it.

    All three are in the measure's unit (cars, or a fraction) and NaN where there is no figure. `named` (L) tells
    whether a publisher names the entity in the window: where not, its low end is nothing but ignorance and is never
    drawn as a zero. `units` (L) are the cars behind the value. `known` (L) is the day since 1970-01-01 on which the
    latest figure behind the point became known. `sources` (L) tells which sources stand behind it, as bits by the
    dataset's category of the source. `basis` is what is counted: with headline figures each maker has its own.
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
    sources: Ints
    basis: str

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
    """How far one market's records go: the month after the last one, and after the last one that names entities.

    `next_due` is the day by which the publisher usually has stated the next period; None where nothing is published.
    """

    published_to: int
    named_to: int
    next_due: date | None = None


@dataclass(frozen=True)
class MarketFigures:
    """The lines of a selection over its periods (`start`, L: first months), and what they rest on.

    `reach` tells for each market how far its records go, whatever the range asked for. `is_own` is set where the lines
    are makers' own figures, which add up to no market and rank nobody in it.
    """

    selection: Selection
    start: Ints
    lines: tuple[Line, ...]
    reach: dict[str, Reach]
    nouns: Nouns
    dataset: Dataset
    scope: VehicleScope = VehicleScope.PASSENGER_CAR
    is_own: bool = False

    @property
    def entities(self) -> tuple[Line, ...]:
        """The lines without the rest."""
        return tuple(line for line in self.lines if not line.is_rest)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the publishers say about the records behind the lines, what concerns most of them first."""
        frame = self.dataset.frame
        first = months_behind(self.selection, int(self.start[0]))[0].start
        last = int(self.start[-1]) + GRAIN_MONTHS[self.selection.grain.value]
        frame = frame[frame["source"].isin([citation.slug for citation in self.dataset.citations])]
        month = frame["month"].to_numpy()
        return self.dataset.warnings(
            frame[(month >= first) & (month < last) & frame["powertrain"].isin(_counted(self.selection))]
        )

    def own_claims(self, market: str, entity: Entity, span: range) -> pd.DataFrame:
        """The rows of the dataset that a maker's own figure over a span of months is added up from."""
        frame = self.dataset.frame
        cited = frame["source"].isin([citation.slug for citation in self.dataset.citations])
        claims = _Claims(replace(self.dataset, frame=frame[cited]), self.selection)
        own = claims.of(market, self.selection.powertrain).own
        return own_rows(own, entity=entity, ranks=precedence.ranks(own, self.dataset.citations), span=span)

    @cached_property
    def unfinished(self) -> Bools:
        """The periods (L) whose figures are not yet all there: out of trends, and marked wherever they are drawn.

        The publisher calls a record behind them incomplete, or the latest period of all was still running when its
        latest figure became known.
        """
        known = np.max([line.known for line in self.lines], axis=0)
        early = _is_running(known, self.start, self.reach, self.selection)
        incomplete = _incomplete_months(self.dataset, self.selection)
        if not incomplete:
            return np.asarray(early)
        behind = [months_behind(self.selection, int(start)) for start in self.start]
        touched = [any(not incomplete.isdisjoint(span) for span in spans) for spans in behind]
        return np.asarray(early | np.array(touched, dtype=np.bool_))


_INCOMPLETE = re.compile(r"\b(?:incomplete|partial|unfinished)\b(?!.*\bincluded as\b)", re.IGNORECASE)
"""How publishers say beside a record that some of it is missing; what is only unnamed is in the rest and bounded."""


def _counted(selection: Selection) -> set[str]:
    """The words under which the figures of numerator and denominator are stored."""
    return {*PUBLISHED_AS[selection.powertrain], *PUBLISHED_AS[selection.denominator]}


def _incomplete_months(dataset: Dataset, selection: Selection) -> set[int]:
    """The months of records that their publishers call incomplete."""
    called = [number for number, remark in dataset.remarks.items() if _INCOMPLETE.search(remark)]
    if not called:
        return set()
    frame = dataset.frame
    cited = [citation.slug for citation in dataset.citations]
    of_records = frame["evidence_id"].isin(called) & frame["powertrain"].isin(_counted(selection))
    records = frame[of_records & frame["source"].isin(cited)]
    spans = set(zip(records["month"].tolist(), _ends(records).tolist(), strict=True))
    return {month for first, end in spans for month in range(first, end)}


def _is_running(known: Ints, start: Ints, reach: Mapping[str, Reach], selection: Selection) -> Bools:
    """Whether a period was not over on the day when the latest of its figures became known, and nothing follows it."""
    length = GRAIN_MONTHS[selection.grain.value]
    last = max(to.published_to for to in reach.values())
    opening, end = (
        np.array([(month_start(int(month)) - date(1970, 1, 1)).days for month in months], dtype=np.int64)
        for months in (start, start + length)
    )
    return np.asarray((start + length >= last) & (opening <= known) & (known < end))


def market_figures(
    connection: Connection,
    selection: Selection,
    *,
    measures: tuple[Measure, ...],
    scope: VehicleScope = VehicleScope.PASSENGER_CAR,
) -> MarketFigures:
    """The figures of a selection.

    Raises `InvalidSelection` for names that the database does not have, `Incomparable` for what cannot be compared and
    `NotPublished` where no figure answers, each with the nearest selection that has figures: it is tried before it is
    offered, and None only where the markets have no figures of such vehicles at all.
    """
    try:
        return _answer(connection, selection, measures=measures, scope=scope)
    except Refusal as refused:
        refused.nearest = _way_on(connection, selection, refused.nearest, measures=measures, scope=scope)
        raise


def _way_on(
    connection: Connection,
    selection: Selection,
    nearest: Selection | None,
    *,
    measures: tuple[Measure, ...],
    scope: VehicleScope,
) -> Selection | None:
    """Where refusals lead one after another until there are figures; else the plainest figures of the same markets."""
    tried = {selection}

    def followed(candidate: Selection | None) -> Selection | None:
        while candidate is not None and candidate not in tried:
            tried.add(candidate)
            try:
                _answer(connection, candidate, measures=measures, scope=scope)
            except Refusal as refused:
                candidate = refused.nearest
            else:
                return candidate
        return None

    found = followed(nearest)
    if found is None:
        markets = dict.fromkeys([*selection.market, *(nearest.market if nearest else ())])
        candidates = _plainest(connection, selection, markets=list(markets), scope=scope)
        found = next((each for each in map(followed, candidates) if each is not None), None)
    return found


def _plainest(
    connection: Connection, selection: Selection, *, markets: Sequence[str], scope: VehicleScope
) -> Iterator[Selection]:
    """What there is about the markets in cars, what has more of the selection first; makers and range are left out."""
    published = queries.published(connection, markets=markets, scope=scope)
    stated = {
        (each.basis, choice, each.market, each.names_makers)
        for each in published
        for choice, words in PUBLISHED_AS.items()
        if each.powertrain in words
    }
    grains = sorted(Grain, key=lambda grain: (grain is not selection.grain, grain.months))
    for basis, choice, market, names_makers in sorted(
        stated, key=lambda of: (of[0] != selection.basis, of[1] is not selection.powertrain, not of[3], of)
    ):
        for grain in grains:
            yield Selection(
                market=(market,),
                basis=BasisChoice(basis),
                powertrain=choice,
                by=By.MAKER if names_makers else By.MARKET,
                measure=Measure.UNITS,
                grain=grain,
                as_of=selection.as_of,
            )


def _answer(
    connection: Connection, selection: Selection, *, measures: tuple[Measure, ...], scope: VehicleScope
) -> MarketFigures:
    """The figures of a selection, or the first reason for which there are none."""
    nouns = queries.nouns(connection, as_of=selection.as_of)
    check_names(selection, nouns)
    published = queries.published(connection, markets=selection.market, scope=scope)
    check_sales(selection, nouns, published, measures=measures)
    makers, first = _makers_wanted(selection, nouns), _first_wanted(selection)
    dataset = _claimed(connection, selection, scope=scope, makers=makers, first=first, last=selection.until)
    found = _found(dataset, selection, nouns)
    if not found.lines:
        if makers is not None or first or selection.until:
            # What there is instead may lie outside of the range, and be told by other makers or by models.
            dataset = _claimed(connection, selection, scope=scope)
        raise _unanswered(connection, dataset, selection, nouns)
    behind = int(np.bitwise_or.reduce([np.bitwise_or.reduce(line.sources) for line in found.lines]))
    slugs = [slug for n, slug in enumerate(dataset.frame["source"].cat.categories) if behind >> n & 1]
    return MarketFigures(
        selection=selection,
        start=found.start,
        lines=found.lines,
        reach=found.reach,
        nouns=nouns,
        dataset=replace(dataset, citations=tuple(cited for cited in dataset.citations if cited.slug in slugs)),
        scope=scope,
        is_own=found.is_own,
    )


def _claimed(
    connection: Connection,
    selection: Selection,
    *,
    scope: VehicleScope,
    makers: Collection[str] | None = None,
    first: date | None = None,
    last: date | None = None,
) -> Dataset:
    """What is claimed about the cars of a selection, and about all cars where they bound it."""
    return queries.sales_figures(
        connection,
        markets=selection.market,
        bases=HEADLINE_BASES if selection.basis is BasisChoice.REPORTED else (selection.basis.value,),
        powertrains=_powertrains(selection),
        as_of=selection.as_of,
        scope=scope,
        makers=makers,
        first=first,
        last=last,
    )


def _makers_wanted(selection: Selection, nouns: Nouns) -> frozenset[str] | None:
    """The makers whose figures are needed one by one; None where all makers' are.

    NEVs are added up maker by maker, and a record that tells a maker's battery cars only is no record of NEVs: that
    cannot be seen any more once makers are put together.
    """
    if PowertrainChoice.NEV in (selection.powertrain, selection.denominator):
        return None
    named = {*selection.makers, *(nouns.model_makers[slug] for slug in selection.models)}
    if not named:
        return frozenset() if selection.by is By.MARKET else None
    if selection.by is By.GROUP:
        named |= {maker for slug in named for maker in nouns.members.get(slug, ())}
    return frozenset(named)


def _first_wanted(selection: Selection) -> date | None:
    """The first day of what the range needs, or None for all there is.

    It is a New Year's Day: no record reaches over one, so that none is cut off which would stand before others.
    """
    if selection.since is None:
        return None
    spans = months_behind(selection, month_number(selection.since))
    return month_start(spans[0].start).replace(month=1)


def _powertrains(selection: Selection) -> list[str]:
    """What has to be read: all cars too, since they cap what a maker can hide in the rest."""
    wanted = _counted(selection)
    if selection.by in (By.MAKER, By.GROUP) or selection.makers:
        wanted |= {*PUBLISHED_AS[PowertrainChoice.ALL]}
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


@dataclass(frozen=True)
class _Found:
    """The periods that have a figure, the lines over them (none where there is no figure), each market's reach."""

    start: Ints
    lines: tuple[Line, ...]
    reach: dict[str, Reach]
    is_own: bool


class _Claims:
    """The claims that count, by market and powertrain: read from the frame once and chosen by precedence."""

    def __init__(self, dataset: Dataset, selection: Selection) -> None:
        frame = dataset.frame
        if selection.basis is BasisChoice.REPORTED:
            frame = _headlines(frame)
        self._markets = dict(list(frame.groupby("market", observed=True, sort=False)))
        self._none = frame.iloc[:0]
        self._citations = dataset.citations
        self._chosen: dict[tuple[str, PowertrainChoice], OfMarket] = {}

    def of(self, market: str, powertrain: PowertrainChoice) -> OfMarket:
        """What counts about a market's cars of a powertrain."""
        key = market, powertrain
        if key not in self._chosen:
            claims = self._markets.get(market, self._none)
            self._chosen[key] = precedence.of_market(claims, powertrain, self._citations)
        return self._chosen[key]

    def ranks(self, claims: pd.DataFrame) -> list[int]:
        """The precedence of the sources of some claims, by category."""
        return precedence.ranks(claims, self._citations)


def _headlines(frame: pd.DataFrame) -> pd.DataFrame:
    """Each maker's own headline figures: on the first of the headline bases on which it states any."""
    place = {basis: n for n, basis in enumerate(HEADLINE_BASES)}
    of_row = frame["basis"].astype(str).map(place)
    best = of_row.groupby(frame["maker"], observed=True).transform("min")
    return frame[(of_row == best) & ~frame["maker"].isin([ALL, OTHER])]


def _found(dataset: Dataset, selection: Selection, nouns: Nouns) -> _Found:
    sets: list[tuple[str, tuple[str, ...]]] = [("+".join(selection.market), selection.market)]
    if selection.by is By.MARKET:
        sets = [(code, (code,)) for code in selection.market]
    claims = _Claims(dataset, selection)
    is_own = any(claims.of(code, selection.powertrain).is_own for code in selection.market)
    reach = {code: _reach(claims.of(code, selection.powertrain), dataset.citations) for code in selection.market}
    grain, window = selection.grain.value, _window(selection)
    panels: list[tuple[str, Panel, Panel]] = []
    if is_own and (selection.makers or selection.by is not By.MARKET):
        for label, markets in sets:
            whole = added([_totals(claims, code, selection) for code in markets])
            for entity in _entities([claims.of(code, selection.powertrain).own for code in markets], selection, nouns):
                own = [claims.of(code, selection.powertrain).own for code in markets]
                units = [
                    own_panel(each, entity=entity, ranks=claims.ranks(each), grain=grain, window=window) for each in own
                ]
                panels.append((label, added(units), whole))
    else:
        panels = [(label, *_panels(claims, markets, selection, nouns)) for label, markets in sets]
    start = np.unique(np.concatenate([units.start for _, units, _ in panels] or [np.array([], dtype=np.int64)]))
    start = start[_in_range(start, selection)]
    nothing = _Found(start=start, lines=(), reach=reach, is_own=is_own)
    if not len(start):
        return nothing
    lines: list[Line] = []
    if selection.by is By.MARKET and not selection.makers:
        everywhere = added([whole for _, _, whole in panels])
        for label, of_label, whole in panels:
            of = whole if is_within_market(selection) else everywhere
            lines.append(_market_line(label, of_label, of, start, selection, nouns))
    else:
        for label, of_label, whole in panels:
            lines += _entity_lines(label, of_label, whole, start, selection, nouns)
    if selection.measure is Measure.GROWTH:
        lines = [_without_part_years(line, start, dataset, selection, reach) for line in lines]
    with_figures = [line for line in lines if not np.isnan(line.value).all()]
    if all(line.is_rest for line in with_figures):
        return nothing
    shown = np.any([~np.isnan(line.value) for line in with_figures], axis=0)
    if selection.basis is BasisChoice.REPORTED:
        with_figures = [_labelled(line, _basis_of(line, dataset.frame)) for line in with_figures]
    return _Found(
        start=start[shown], lines=tuple(_cut(line, shown) for line in with_figures), reach=reach, is_own=is_own
    )


_COUNTED_AS = {Basis.DELIVERY.value: "deliveries", Basis.WHOLESALE.value: "wholesale"}


def _labelled(line: Line, basis: str) -> Line:
    """A maker's headline line, named with what it counts: beside it stand lines that count something else."""
    return replace(line, basis=basis, name=f"{line.name} ({_COUNTED_AS[basis]})")


def _basis_of(line: Line, frame: pd.DataFrame) -> str:
    """The basis of a maker's headline figures."""
    stated = set(frame.loc[frame["maker"] == line.maker, "basis"].astype(str))
    return next(basis for basis in HEADLINE_BASES if basis in stated)


def _without_part_years(
    line: Line, start: Ints, dataset: Dataset, selection: Selection, reach: Mapping[str, Reach]
) -> Line:
    """A growth line without the periods that are set against unlike ones: a part of a period against a whole one."""
    incomplete = _incomplete_months(dataset, selection)
    spans = [months_behind(selection, int(month)) for month in start]
    unlike = np.array(
        [[month in incomplete for month in now] != [month in incomplete for month in then] for then, now in spans],
        dtype=np.bool_,
    )
    gap = np.where(unlike | _is_running(line.known, start, reach, selection), np.nan, 0.0)
    return replace(line, value=line.value + gap, low=line.low + gap, high=line.high + gap)


def _cut(line: Line, shown: Bools) -> Line:
    return replace(
        line,
        value=line.value[shown],
        low=line.low[shown],
        high=line.high[shown],
        named=line.named[shown],
        units=line.units[shown],
        known=line.known[shown],
        sources=line.sources[shown],
    )


def _panels(claims: _Claims, markets: Sequence[str], selection: Selection, nouns: Nouns) -> tuple[Panel, Panel]:
    """Units of the entities, and the denominator's totals, over the same market set."""
    by = "maker" if selection.by is By.MARKET else selection.by.value
    counted = [claims.of(code, selection.powertrain).records for code in markets]
    entities = _entities(counted, selection, nouns)
    units = [
        panel(
            records(
                of_market,
                by=by,
                entities=entities,
                all_cars=None
                if selection.powertrain is PowertrainChoice.ALL
                else claims.of(code, PowertrainChoice.ALL).records,
                members=nouns.memberships if by == "group" else None,
            ),
            grain=selection.grain.value,
            window=_window(selection),
        )
        for code, of_market in zip(markets, counted, strict=True)
    ]
    if selection.denominator is selection.powertrain:
        return added(units), added(units)
    return added(units), added([_totals(claims, code, selection) for code in markets])


def _totals(claims: _Claims, market: str, selection: Selection) -> Panel:
    """A market's totals of the denominator."""
    whole = records(claims.of(market, selection.denominator).records, by="maker", entities=())
    return panel(whole, grain=selection.grain.value, window=_window(selection))


def _reach(of: OfMarket, citations: Sequence[Citation]) -> Reach:
    claims = pd.concat([of.records, of.own]) if of.is_own else of.records
    if not len(claims):
        return Reach(published_to=0, named_to=0)
    ends = _ends(claims)
    named = ~claims["maker"].isin([ALL, OTHER]).to_numpy()
    latest = claims.iloc[int(ends.argmax())]
    lag = next(cited.lag_days for cited in citations if cited.slug == latest["source"])
    return Reach(
        published_to=int(ends.max()),
        named_to=int(ends[named].max(initial=0)),
        next_due=queries.next_due(month_start(int(ends.max())), Grain(latest["grain"]), lag_days=lag),
    )


def _ends(claims: pd.DataFrame) -> Ints:
    """The month after the period of each claim."""
    lengths = np.array([GRAIN_MONTHS[word] for word in claims["grain"].cat.categories], dtype=np.int64)
    return np.asarray(claims["month"].to_numpy() + lengths[claims["grain"].cat.codes.to_numpy()])


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
    makers = set(selection.makers)
    if not makers and selection.by is not By.MARKET:
        makers = {maker for maker, _ in named}
    if selection.by is By.GROUP:
        # Beside its groups a maker is an entity of its own: for the time in which it belongs to none.
        makers |= {slug for slug, members in nouns.members.items() if not makers.isdisjoint(members)}
    return sorted((maker, ALL) for maker in makers)


def _named(claims: pd.DataFrame) -> list[Entity]:
    """The distinct makers and models of a market's rows, without its total and its rest."""
    maker_codes, model_codes = (claims[name].cat.codes.to_numpy() for name in ("maker", "model"))
    makers, models = (claims[name].cat.categories.tolist() for name in ("maker", "model"))
    pairs = np.unique(maker_codes.astype(np.int64) * len(models) + model_codes).tolist()
    named = [(makers[pair // len(models)], models[pair % len(models)]) for pair in pairs]
    return [(maker, model) for maker, model in named if maker not in (ALL, OTHER, FOLDED)]


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
    # Two publishers count a market differently: their figures are no change. A maker's own stay its own.
    is_of_market = bool((~np.isnan(now.total)).any())
    if selection.measure is Measure.GROWTH and is_of_market:
        value, low, high = (_of_same_sources(ends, now, before) for ends in (value, low, high))
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
    sources = now.sources | at(whole, start).sources if selection.measure is Measure.SHARE else now.sources
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
            sources=sources,
            basis=selection.basis.value,
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
                sources=sources,
                basis=selection.basis.value,
            )
        )
    return lines


def _market_line(market: str, units: Panel, whole: Panel, start: Ints, selection: Selection, nouns: Nouns) -> Line:
    """A market's total, which is exact: it hides nobody."""
    now, before = at(units, start), at(units, start - 12)
    value, low, high, known = _measured(
        selection.measure,
        low=now.total[:, None],
        high=now.total[:, None],
        known=now.known,
        before=_total_as_entity(before),
        whole=at(whole, start),
    )
    if selection.measure is Measure.GROWTH:
        value, low, high = (_of_same_sources(ends, now, before) for ends in (value, low, high))
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
        sources=now.sources,
        basis=selection.basis.value,
    )


def _of_same_sources(values: Floats, now: Panel, before: Panel) -> Floats:
    """The values (L, E) of the periods that rest on the same sources as those a year before; NaN in the others."""
    return values + np.where(now.sources == before.sources, 0.0, np.nan)[:, None]


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
        bases = HEADLINE_BASES if selection.basis is BasisChoice.REPORTED else (selection.basis.value,)
        known = [queries.first_known(connection, markets=selection.market, basis=basis) for basis in bases]
        first = {code: min(days[code] for days in known if code in days) for code in set().union(*known)}
        late = {code: day for code, day in first.items() if day > selection.as_of}
        if late:
            day = max(late.values())
            return NotPublished(
                f"nothing about {', '.join(nouns.markets[code] for code in sorted(late))} was loaded as known on "
                f"{selection.as_of}; the first day as known that can be shown is {day}",
                nearest=replace(selection, as_of=day),
            )
    claims = _Claims(dataset, selection)
    counted = [claims.of(code, selection.powertrain) for code in selection.market]
    frame = pd.concat([part for of in counted for part in (of.records, of.own if of.is_own else of.own.iloc[:0])])
    if not len(frame):
        return NotPublished(f"no source states {selection.powertrain} {selection.basis} figures of {names}")
    finest = {
        str(code): min((Grain(word) for word in part["grain"].astype(str).unique()), key=lambda grain: grain.months)
        for code, part in frame.groupby("market", observed=True)
    }
    coarsest = max(finest.values(), key=lambda grain: grain.months)
    coarse = [code for code in selection.market if finest.get(code) is coarsest]
    fitting = selection if coarsest.months <= selection.grain.months else replace(selection, grain=coarsest)
    measure = selection.measure
    if measure is Measure.GROWTH:
        measure = Measure.UNITS if any(of.is_own for of in counted) else Measure.SHARE
    whole_range = replace(fitting, since=None, until=None)
    without_window = replace(whole_range, window=Window.NONE, measure=measure)
    everybody = replace(without_window, makers=(), models=())
    beside = replace(selection, by=By.MARKET, makers=(), models=(), measure=Measure.UNITS)
    totals = replace(everybody, by=By.MARKET, measure=Measure.UNITS)

    def first_answered(*candidates: Selection) -> Selection | None:
        with_figures = (each for each in candidates if each != selection and _found(dataset, each, nouns).lines)
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
        (
            f"no period in the range asked for has "
            f"{'the same a year before' if selection.measure is Measure.GROWTH else 'a figure'}{_span_text(frame)}",
            (whole_range,),
        ),
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
    as_of = f" as known on {selection.as_of}" if selection.as_of else ""
    return since + until + as_of
