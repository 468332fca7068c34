"""From a selection to measured lines: the figures of each maker, group, model or market over time, with their bounds.

Every chart of market sales stands on this: it asks the database once, lets the firewall refuse what cannot be compared,
puts periods and windows together, and gives for each entity its value with low and high in units, share or growth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, lru_cache, partial
from itertools import chain
from typing import TypeVar

import numpy as np

from dashboard import precedence
from dashboard.comparability import HEADLINE_BASES, check_names, check_sales, is_of_totals, is_within_market
from dashboard.metrics import growth, share
from dashboard.panels import Entity, Panel, Records, added, at, own_panel, own_rows, panel, records, window_opening
from dashboard.precedence import PUBLISHED_AS, OfMarket
from dashboard.selection import (
    BasisChoice,
    By,
    InvalidSelection,
    Measure,
    NotPublished,
    PowertrainChoice,
    Refusal,
    Selection,
    Window,
)
from db import Connection, market_claims, queries
from db.claims import GRAIN_MONTHS, Bools, Claims, Floats, Ints
from db.market_claims import Dataset, MarketClaims
from db.provenance import Citation
from db.queries import Membership, Nouns
from db.vocabulary import ALL, OTHER, Basis, Grain, Powertrain, VehicleScope

_WINDOW_MONTHS = {Window.THREE_MONTHS: 3, Window.TTM: 12}


@dataclass(frozen=True)
class Line:
    """One entity of one market set over the shown periods (L): `value` is drawn, `low` and `high` bound it.

    All three are in the measure's unit (cars, or a fraction) and NaN where there is no figure. `named` (L) tells
    whether a publisher names the entity in the window: where not, its low end is nothing but ignorance and is never
    drawn as a zero. `units` (L) are the cars behind the value, of `powertrain`; `whole` (L) those of the denominator,
    NaN where there is none. `known` (L) is the day since 1970-01-01 on which the
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
    whole: Floats
    known: Ints
    sources: Ints
    basis: str
    powertrain: str

    @property
    def is_rest(self) -> bool:
        """Whether this is the publishers' unnamed rest rather than an entity."""
        return self.maker == OTHER

    @property
    def is_own_rest(self) -> bool:
        """Whether this is what a publisher lumps together of one maker: a figure of the maker's, and no model."""
        return self.maker != OTHER and self.model == OTHER

    def at(self, periods: Bools | Ints) -> Line:
        """The line over some of its periods."""
        if periods.dtype == np.bool_ and periods.all():
            return self
        return replace(
            self,
            value=self.value[periods],
            low=self.low[periods],
            high=self.high[periods],
            named=self.named[periods],
            units=self.units[periods],
            whole=self.whole[periods],
            known=self.known[periods],
            sources=self.sources[periods],
        )


@dataclass(frozen=True)
class Reach:
    """How far one market's records go: the month after the last one, and after the last one that names entities.

    `next_due` is the day by which the publisher usually has stated the next period; None where nothing is published.
    """

    published_to: int
    named_to: int
    next_due: date | None = None


@dataclass(frozen=True)
class MarketPart:
    """What one market adds to a sum of markets: the entities' cars, and the denominator's as `whole.total`."""

    units: Panel
    whole: Panel


@dataclass(frozen=True)
class MarketFigures:
    """The lines of a selection over its periods (`start`, L: first months), and what they rest on.

    `reach` tells for each market how far its records go, whatever the range asked for. `is_own` is set where the lines
    are makers' own figures, which add up to no market and rank nobody in it. `each_market` has what was added up, by
    the code of the market; nothing where lines are no sums of markets. `incomplete` has the months of each market whose
    records their publishers call incomplete.
    """

    selection: Selection
    start: Ints
    lines: tuple[Line, ...]
    reach: dict[str, Reach]
    nouns: Nouns
    dataset: Dataset
    scope: VehicleScope = VehicleScope.PASSENGER_CAR
    is_own: bool = False
    each_market: Mapping[str, MarketPart] = field(default_factory=dict)
    incomplete: Mapping[str, frozenset[int]] = field(default_factory=dict)

    @property
    def entities(self) -> tuple[Line, ...]:
        """The lines without the rest."""
        return tuple(line for line in self.lines if not line.is_rest)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the publishers say about the records behind the lines, what concerns most of them first."""
        claims = self.dataset.claims
        first = months_behind(self.selection, int(self.start[0]))[0].start
        last = int(self.start[-1]) + GRAIN_MONTHS[self.selection.grain.value]
        shown = (claims.month >= first) & (claims.month < last) & claims.powertrain.among(_counted(self.selection))
        cited = claims.source.among([citation.slug for citation in self.dataset.citations])
        return self.dataset.warnings(claims.evidence_id[shown & cited])

    def at(self, periods: Bools | Ints) -> MarketFigures:
        """The figures of some of the periods."""
        return replace(self, start=self.start[periods], lines=tuple(line.at(periods) for line in self.lines))

    def own_claims(self, market: str, of: Line, span: range) -> Claims:
        """The claims that a maker's own figure over a span of months is added up from; `of` is its line."""
        claims = _Claims(self.dataset, self.selection)
        is_part = self.selection.by is By.POWERTRAIN
        own = claims.of(market, Powertrain(of.powertrain) if is_part else self.selection.powertrain).own
        own = own[own.source.among([citation.slug for citation in self.dataset.citations])]
        ranks = precedence.ranks(own, self.dataset.citations)
        return own_rows(own, entity=(of.maker, of.model), ranks=ranks, span=span)

    @cached_property
    def unfinished(self) -> Bools:
        """The periods (L) whose figures are not yet all there: out of trends, and marked wherever they are drawn.

        The publisher calls a record behind them incomplete, or the latest period of all was still running when its
        latest figure became known.
        """
        known = np.max([line.known for line in self.lines], axis=0)
        return self._unfinished(known, self.selection.market)

    def unfinished_of(self, line: Line) -> Bools:
        """The periods (L) that are unfinished for a line: by market nothing but its own market's records count."""
        if self.selection.by is not By.MARKET or line.market not in self.reach:
            return self.unfinished
        return self._of_each_market[line.market]

    @cached_property
    def _of_each_market(self) -> dict[str, Bools]:
        lines = (line for line in self.lines if line.market in self.reach)
        return {line.market: self._unfinished(line.known, (line.market,)) for line in lines}

    def _unfinished(self, known: Ints, markets: Sequence[str]) -> Bools:
        early = _is_running(known, self.start, [self.reach[code] for code in markets], self.selection)
        incomplete = frozenset[int]().union(*(self.incomplete.get(code, frozenset()) for code in markets))
        if not incomplete:
            return early
        behind = [months_behind(self.selection, int(start)) for start in self.start]
        touched = [any(not incomplete.isdisjoint(span) for span in spans) for spans in behind]
        return np.asarray(early | np.array(touched, dtype=np.bool_))


_INCOMPLETE = re.compile(r"\b(?:incomplete|partial|unfinished)\b(?!.*\bincluded as\b)", re.IGNORECASE)
"""How publishers say beside a record that some of it is missing; what is only unnamed is in the rest and bounded."""


@lru_cache(maxsize=4096)
def _is_called_incomplete(remark: str) -> bool:
    return bool(_INCOMPLETE.search(remark))


def _counted(selection: Selection) -> set[str]:
    """The words under which the figures of numerator and denominator are stored."""
    return {*PUBLISHED_AS[selection.powertrain], *PUBLISHED_AS[selection.denominator]}


def _incomplete_months(dataset: Dataset, selection: Selection) -> dict[str, frozenset[int]]:
    """The months of each market's records that their publishers call incomplete."""
    called = [number for number, remark in dataset.remarks.items() if _is_called_incomplete(remark)]
    if not called:
        return {}
    cited = frozenset(citation.slug for citation in dataset.citations)
    counted = frozenset(_counted(selection))

    def of_market(claimed: MarketClaims) -> frozenset[int]:
        claims = claimed.claims
        records = np.isin(claims.evidence_id, called) & claims.powertrain.among(counted) & claims.source.among(cited)
        spans = set(zip(claims.month[records].tolist(), claims.months[records].tolist(), strict=True))
        return frozenset(month for first, length in spans for month in range(first, first + length))

    found = {
        code: of.follows(("incomplete", counted, cited), partial(of_market, of)) for code, of in dataset.markets.items()
    }
    return {code: months for code, months in found.items() if months}


def _is_running(known: Ints, start: Ints, reach: Iterable[Reach], selection: Selection) -> Bools:
    """Whether a period was not over on the day when the latest of its figures became known, and nothing follows it."""
    length = GRAIN_MONTHS[selection.grain.value]
    last = max(to.published_to for to in reach)
    running = np.zeros(len(start), dtype=np.bool_)
    for n in np.flatnonzero(start + length >= last).tolist():
        opening, end = ((month_start(int(start[n]) + more) - date(1970, 1, 1)).days for more in (0, length))
        running[n] = opening <= known[n] < end
    return running


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
        return figures_asked_for(connection, selection, measures=measures, scope=scope)
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
    ask = partial(figures_asked_for, connection, measures=measures, scope=scope)
    markets = list(dict.fromkeys([*selection.market, *(nearest.market if nearest else ())]))
    candidates = chain([nearest], _plainest(connection, selection, markets=markets, scope=scope))
    return way_on(ask, candidates, but=selection)


def way_on(
    ask: Callable[[Selection], object], candidates: Iterable[Selection | None], *, but: Selection
) -> Selection | None:
    """The first selection that `ask` answers where refusals lead from some candidates, one after another.

    Never the one `but` for which a way is looked for; None where there is none.
    """
    tried = {but}
    found = (_leading_on(ask, each, tried=tried) for each in candidates)
    return next((each for each in found if each is not None), None)


def _leading_on(
    ask: Callable[[Selection], object], candidate: Selection | None, *, tried: set[Selection]
) -> Selection | None:
    """Where refusals lead one after another from a candidate, until `ask` answers; None where they end.

    What is in `tried` is not asked again, and what is asked is added to it.
    """
    while candidate is not None and candidate not in tried:
        tried.add(candidate)
        try:
            ask(candidate)
        except Refusal as refused:
            candidate = refused.nearest
        except InvalidSelection:
            return None
        else:
            return candidate
    return None


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


def figures_asked_for(
    connection: Connection,
    selection: Selection,
    *,
    measures: tuple[Measure, ...],
    scope: VehicleScope = VehicleScope.PASSENGER_CAR,
) -> MarketFigures:
    """The figures of a selection as `market_figures` gives them, or the first reason for which there are none.

    Where a refusal leads is not followed: that is for a chart which has to try for itself what it draws.
    """
    found = figures_if_any(connection, selection, measures=measures, scope=scope)
    if found is None:
        # What there is instead may lie outside of the range.
        dataset = _claimed(connection, selection, scope=scope)
        raise _unanswered(connection, dataset, selection, queries.nouns(connection, as_of=selection.as_of))
    return found


def figures_if_any(
    connection: Connection,
    selection: Selection,
    *,
    measures: tuple[Measure, ...],
    scope: VehicleScope = VehicleScope.PASSENGER_CAR,
) -> MarketFigures | None:
    """The figures of a selection; None where no figure answers, for a chart to which it does not matter why.

    What cannot be compared is refused as by `market_figures`.
    """
    nouns = queries.nouns(connection, as_of=selection.as_of)
    check_names(selection, nouns)
    published = queries.published(connection, markets=selection.market, scope=scope)
    check_sales(selection, nouns, published, measures=measures)
    first, last = _first_wanted(selection), _last_wanted(selection)
    dataset = _claimed(connection, selection, scope=scope, first=first, last=last)
    found = _found(dataset, selection, nouns)
    if not found.lines:
        return None
    behind = int(np.bitwise_or.reduce([np.bitwise_or.reduce(line.sources) for line in found.lines]))
    slugs = [slug for n, slug in enumerate(dataset.sources) if behind >> n & 1]
    dataset = replace(dataset, citations=tuple(cited for cited in dataset.citations if cited.slug in slugs))
    return MarketFigures(
        selection=selection,
        start=found.start,
        lines=found.lines,
        reach=found.reach,
        nouns=nouns,
        dataset=dataset,
        scope=scope,
        is_own=found.is_own,
        each_market=found.each_market,
        incomplete=_incomplete_months(dataset, selection),
    )


def _claimed(
    connection: Connection,
    selection: Selection,
    *,
    scope: VehicleScope,
    first: date | None = None,
    last: date | None = None,
) -> Dataset:
    """What is claimed about the cars of a selection, and about all cars where they bound it."""
    return market_claims.sales_figures(
        connection,
        markets=selection.market,
        bases=HEADLINE_BASES if selection.basis is BasisChoice.REPORTED else (selection.basis.value,),
        powertrains=_powertrains(selection),
        as_of=selection.as_of,
        scope=scope,
        first=first,
        last=last,
    )


def _first_wanted(selection: Selection) -> date | None:
    """The first day of what the range needs, or None for all there is.

    It is a New Year's Day: no record reaches over one, so that none is cut off which would stand before others.
    """
    if selection.since is None:
        return None
    spans = months_behind(selection, month_number(selection.since))
    return month_start(spans[0].start).replace(month=1)


def _last_wanted(selection: Selection) -> date | None:
    """The last day of which the figures may be taken up, or None where later ones change nothing within the range.

    Which makers' headlines there are, and which sources tell powertrains apart, is to be seen within the range alone.
    """
    is_chosen = selection.basis is BasisChoice.REPORTED or selection.by is By.POWERTRAIN
    return selection.until if is_chosen else None


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
    each_market: Mapping[str, MarketPart] = field(default_factory=dict)


Worked = TypeVar("Worked")


class _Claims:
    """The claims that count, by market and powertrain, chosen by precedence; and what they amount to over time.

    What follows from a market's claims is remembered with them; the claims are taken up where something is not. Which
    of them count, and what records they make, is worked out for all times at once: no record reaches over a New Year's
    Day, from which a range is read, so that every range has its part of the same.
    """

    def __init__(self, dataset: Dataset, selection: Selection) -> None:
        self._markets = dataset.markets
        self._publishers = dataset.publishers
        self._citations = dataset.citations
        self._chosen_here: Mapping[str, Claims] | None = None
        if selection.basis is BasisChoice.REPORTED:
            self._chosen_here = _headlines(dataset.claims).by_market()
        elif selection.by is By.POWERTRAIN:
            self._chosen_here = _with_parts(dataset.claims, selection).by_market()
        self._counted: dict[tuple[str, str], OfMarket] = {}

    def of(self, market: str, powertrain: PowertrainChoice | Powertrain) -> OfMarket:
        """What counts about a market's cars of a powertrain in the range that was asked for."""
        of = self._ever(market, powertrain)
        if self._chosen_here is not None or market not in self._markets:
            return of
        in_time = self._markets[market].asked.in_time
        return OfMarket(records=of.records[in_time(of.records.month)], own=of.own[in_time(of.own.month)])

    def _ever(self, market: str, powertrain: PowertrainChoice | Powertrain) -> OfMarket:
        """The same at all times; only of the range where claims are chosen for this selection alone."""
        key = market, powertrain
        if key not in self._counted:
            if self._chosen_here is not None or market not in self._markets:
                claims = (self._chosen_here or {}).get(market, Claims.none())
                of = precedence.of_market(claims, powertrain, self._citations)
            else:
                claimed = self._markets[market].at_all_times(PUBLISHED_AS[PowertrainChoice(powertrain)])
                counted = partial(precedence.of_market, powertrain=powertrain, citations=self._publishers)
                of = claimed.follows(("of_market", powertrain), lambda: counted(claimed.claims))
                # Which rows these are is remembered; the columns that are looked at are not.
                of = OfMarket(records=of.records[:], own=of.own[:])
            self._counted[key] = of
        return self._counted[key]

    def is_own(self, market: str, powertrain: PowertrainChoice | Powertrain) -> bool:
        """Whether a market's makers are told by their own figures only."""
        return self._follows(market, ("is_own", powertrain), lambda: self.of(market, powertrain).is_own)

    def reach(self, market: str, powertrain: PowertrainChoice | Powertrain) -> Reach:
        """How far a market's records go."""
        return self._follows(
            market, ("reach", powertrain), lambda: _reach(self.of(market, powertrain), self._citations)
        )

    def named(self, market: str, powertrain: PowertrainChoice | Powertrain) -> tuple[Entity, ...]:
        """The makers and models that a market's records name."""
        return self._follows(market, ("named", powertrain), lambda: tuple(_named(self.of(market, powertrain).records)))

    def panel(
        self,
        market: str,
        powertrain: PowertrainChoice | Powertrain,
        selection: Selection,
        *,
        by: str = "maker",
        entities: Sequence[Entity] = (),
        members: Mapping[str, Sequence[Membership]] | None = None,
    ) -> Panel:
        """A market's cars of a powertrain over time, in the grain and window of a selection: all, and of entities."""
        # All cars cap what a maker can hide in the rest; nobody can hide where nobody is asked for.
        has_caps = entities and powertrain is not PowertrainChoice.ALL

        def work_out() -> Records:
            return records(
                self._ever(market, powertrain).records,
                by=by,
                entities=entities,
                all_cars=self._ever(market, PowertrainChoice.ALL).records if has_caps else None,
                members=members,
            )

        amounts = partial(panel, grain=selection.grain.value, window=_window(selection))
        if self._chosen_here is not None or market not in self._markets:
            return amounts(work_out())
        claimed = self._markets[market]
        if members is not None:
            # Who belongs to a group is not told by the claims.
            stated = work_out()
            return amounts(stated.at(claimed.asked.in_time(stated.start)))
        ever = claimed.at_all_times(())
        what = (powertrain, by, tuple(entities))
        whole = ever.follows(
            ("panel", *what, selection.grain, selection.window),
            lambda: amounts(ever.follows(("records", *what), work_out)),
        )
        return whole if claimed.asked.first is None else whole.since(claimed.asked.first)

    def ranks(self, claims: Claims) -> list[int]:
        """The precedence of the sources of some claims, by code."""
        return precedence.ranks(claims, self._citations)

    def _follows(self, market: str, what: Hashable, work_out: Callable[[], Worked]) -> Worked:
        """What follows from a market's claims: worked out anew where they are chosen for this selection alone."""
        if self._chosen_here is not None or market not in self._markets:
            return work_out()
        return self._markets[market].follows(what, work_out)


def _headlines(claims: Claims) -> Claims:
    """Each maker's own headline figures: on the first of the headline bases on which it states any."""
    place = claims.basis.places(HEADLINE_BASES)
    best = np.full(len(claims.maker.listed), len(HEADLINE_BASES), dtype=np.int64)
    np.minimum.at(best, claims.maker.codes, place)
    return claims[(place == best[claims.maker.codes]) & ~claims.maker.among((ALL, OTHER))]


_PARTS = (Powertrain.BEV, Powertrain.PHEV, Powertrain.FCEV)
"""The powertrains that lines by powertrain show: the parts of the NEVs."""


def _with_parts(claims: Claims, selection: Selection) -> Claims:
    """The claims of sources that state battery cars and plug-in hybrids of a market each by itself, and all cars.

    So that the parts of a whole, and the whole, are one publisher's.
    """
    record = claims.source.codes * len(claims.market.listed) + claims.market.codes
    asked = claims.maker.among(selection.makers) if selection.makers else np.ones(len(claims), dtype=np.bool_)
    bev, phev = (record[asked & claims.powertrain.are(part)] for part in (Powertrain.BEV, Powertrain.PHEV))
    return claims[np.isin(record, np.intersect1d(bev, phev)) | claims.powertrain.are(Powertrain.ALL)]


def _found(dataset: Dataset, selection: Selection, nouns: Nouns) -> _Found:
    sets: list[tuple[str, tuple[str, ...]]] = [("+".join(selection.market), selection.market)]
    if selection.by is By.MARKET:
        sets = [(code, (code,)) for code in selection.market]
    claims = _Claims(dataset, selection)
    is_own = any(claims.is_own(code, selection.powertrain) for code in selection.market)
    reach = {code: claims.reach(code, selection.powertrain) for code in selection.market}
    grain, window = selection.grain.value, _window(selection)
    panels: list[tuple[str, Panel, Panel]] = []
    each_market: dict[str, MarketPart] = {}
    if selection.by is By.POWERTRAIN:
        whole = _part(claims, selection.denominator, selection)
        panels = [(part, _part(claims, part, selection), whole) for part in _PARTS]
    elif is_own and (selection.makers or selection.by is not By.MARKET):
        for label, markets in sets:
            whole = added([claims.panel(code, selection.denominator, selection) for code in markets])
            own = [claims.of(code, selection.powertrain).own for code in markets]
            for entity in _entities(chain.from_iterable(map(_named, own)), selection, nouns):
                units = [
                    own_panel(each, entity=entity, ranks=claims.ranks(each), grain=grain, window=window) for each in own
                ]
                panels.append((label, added(units), whole))
    else:
        for label, markets in sets:
            each_market = _panels(claims, markets, selection, nouns)
            together = added([part.units for part in each_market.values()])
            panels.append((label, together, added([part.whole for part in each_market.values()])))
    start = np.unique(np.concatenate([units.start for _, units, _ in panels] or [np.array([], dtype=np.int64)]))
    start = start[_in_range(start, selection)]
    nothing = _Found(start=start, lines=(), reach=reach, is_own=is_own)
    if not len(start):
        return nothing
    lines: list[Line] = []
    told = [(label, units, whole) for label, units, whole in panels if len(units.start)]
    if selection.by is By.MARKET and not selection.makers:
        everywhere = None if is_within_market(selection) else added([whole for _, _, whole in panels])
        for label, of_label, whole in told:
            lines.append(_market_line(label, of_label, everywhere or whole, start, selection, nouns))
    elif selection.by is By.POWERTRAIN:
        lines = [_part_line(part, of_part, whole, start, selection) for part, of_part, whole in told]
    else:
        for label, of_label, whole in told:
            lines += _entity_lines(label, of_label, whole, start, selection, nouns)
    if selection.measure is Measure.GROWTH:
        lines = _without_part_years(lines, start, dataset, selection, reach)
    with_figures = [line for line in lines if not np.isnan(line.value).all()]
    if all(line.is_rest for line in with_figures):
        return nothing
    shown = np.any([~np.isnan(line.value) for line in with_figures], axis=0)
    if selection.basis is BasisChoice.REPORTED:
        with_figures = [_labelled(line, _basis_of(line, dataset.claims)) for line in with_figures]
    return _Found(
        start=start[shown],
        lines=tuple(line.at(shown) for line in with_figures),
        reach=reach,
        is_own=is_own,
        each_market={} if selection.by is By.MARKET else each_market,
    )


_COUNTED_AS = {Basis.DELIVERY.value: "deliveries", Basis.WHOLESALE.value: "wholesale"}


def _labelled(line: Line, basis: str) -> Line:
    """A maker's headline line, named with what it counts: beside it stand lines that count something else."""
    return replace(line, basis=basis, name=f"{line.name} ({_COUNTED_AS[basis]})")


def _basis_of(line: Line, claims: Claims) -> str:
    """The basis of a maker's headline figures."""
    stated = claims.basis[claims.maker.are(line.maker)].rows()
    return next(basis for basis in HEADLINE_BASES if basis in stated)


def _without_part_years(
    lines: Sequence[Line], start: Ints, dataset: Dataset, selection: Selection, reach: Mapping[str, Reach]
) -> list[Line]:
    """Growth lines without the periods that are set against unlike ones: a part of a period against a whole one."""
    incomplete = _incomplete_months(dataset, selection)
    spans = [months_behind(selection, int(month)) for month in start] if incomplete else []
    unlike: dict[str, Bools] = {}
    cut = []
    for line in lines:
        markets = line.market.split("+")
        if line.market not in unlike:
            some = frozenset[int]().union(*(incomplete.get(code, frozenset()) for code in markets))
            differ = [[month in some for month in now] != [month in some for month in then] for then, now in spans]
            unlike[line.market] = np.array(differ or np.zeros(len(start)), dtype=np.bool_)
        running = _is_running(line.known, start, [reach[code] for code in markets], selection)
        gap = np.where(unlike[line.market] | running, np.nan, 0.0)
        cut.append(replace(line, value=line.value + gap, low=line.low + gap, high=line.high + gap))
    return cut


def _panels(claims: _Claims, markets: Sequence[str], selection: Selection, nouns: Nouns) -> dict[str, MarketPart]:
    """Units of the same entities, and the denominator's totals, in each market of a set."""
    by = "maker" if selection.by is By.MARKET else selection.by.value
    named = chain.from_iterable(claims.named(code, selection.powertrain) for code in markets)
    entities = _entities(named, selection, nouns)
    members = nouns.memberships if by == "group" else None
    units = [
        claims.panel(code, selection.powertrain, selection, by=by, entities=entities, members=members)
        for code in markets
    ]
    if selection.denominator is selection.powertrain:
        whole = units
    else:
        whole = [claims.panel(code, selection.denominator, selection) for code in markets]
    return {code: MarketPart(*parts) for code, *parts in zip(markets, units, whole, strict=True)}


def _part(claims: _Claims, powertrain: PowertrainChoice | Powertrain, selection: Selection) -> Panel:
    """The cars of a powertrain: of the maker that the reader named, else of the markets as wholes."""
    if not selection.makers:
        return _total_as_entity(added([claims.panel(code, powertrain, selection) for code in selection.market]))
    entity: Entity = (selection.makers[0], ALL)
    grain, window = selection.grain.value, _window(selection)
    panels = []
    for code in selection.market:
        of = claims.of(code, powertrain)
        if of.is_own:
            ranks = claims.ranks(of.own)
            panels.append(own_panel(of.own, entity=entity, ranks=ranks, grain=grain, window=window))
        else:
            panels.append(claims.panel(code, powertrain, selection, entities=(entity,)))
    return added(panels)


def _reach(of: OfMarket, citations: Sequence[Citation]) -> Reach:
    parts = [part for part in ((of.records, of.own) if of.is_own else (of.records,)) if len(part)]
    if not parts:
        return Reach(published_to=0, named_to=0)
    latest = max(parts, key=lambda part: int((part.month + part.months).max()))
    ends = latest.month + latest.months
    last = int(ends.argmax())
    lag = next(cited.lag_days for cited in citations if cited.slug == latest.source[[last]].texts()[0])
    named_to = max(int((part.month + part.months)[~part.maker.among((ALL, OTHER))].max(initial=0)) for part in parts)
    return Reach(
        published_to=int(ends.max()),
        named_to=named_to,
        next_due=queries.next_due(month_start(int(ends.max())), Grain(latest.grain[[last]].texts()[0]), lag_days=lag),
    )


def _entities(named: Iterable[Entity], selection: Selection, nouns: Nouns) -> list[Entity]:
    """Every entity that the publishers have named, or those that the reader named."""
    if selection.by is By.MARKET:
        return [(maker, ALL) for maker in sorted(selection.makers)]
    if selection.by is By.MODEL:
        found = {pair for pair in named if pair[1] != ALL}
        found |= {(nouns.model_makers[slug], slug) for slug in selection.models}
        if selection.makers:
            found = {pair for pair in found if pair[0] in selection.makers}
        if selection.models:
            found = {pair for pair in found if pair[1] in selection.models}
        return sorted(found)
    makers = set(selection.makers)
    if not makers:
        makers = {maker for maker, _ in named}
    if selection.by is By.GROUP:
        # Beside its groups a maker is an entity of its own: for the time in which it belongs to none.
        makers |= {slug for slug, members in nouns.members.items() if not makers.isdisjoint(members)}
    return sorted((maker, ALL) for maker in makers)


def _named(claims: Claims) -> list[Entity]:
    """The distinct makers and models of a market's rows, without its total and its rest."""
    makers, models = claims.maker.listed, claims.model.listed
    pairs = np.unique(claims.maker.codes * len(models) + claims.model.codes).tolist()
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
    before, of = _year_before(units, now, selection), at(whole, start)
    value, low, high, known = _measured(
        selection.measure, low=now.low, high=now.high, known=now.known, before=before, whole=of
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
    sources = now.sources | of.sources if selection.measure is Measure.SHARE else now.sources
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
            whole=of.total,
            known=known,
            sources=sources,
            basis=selection.basis.value,
            powertrain=selection.powertrain.value,
        )
        for n, (maker, model) in enumerate(units.entities)
    ]
    # How the rest grew says nothing: which makers are in it changes from record to record.
    if selection.measure is not Measure.GROWTH:
        rest = now.rest
        if selection.measure is Measure.SHARE:
            rest = share(rest, of=of.total)
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
                whole=of.total,
                known=known,
                sources=sources,
                basis=selection.basis.value,
                powertrain=selection.powertrain.value,
            )
        )
    return lines


def _market_line(market: str, units: Panel, whole: Panel, start: Ints, selection: Selection, nouns: Nouns) -> Line:
    """A market's total, which is exact: it hides nobody."""
    now = at(units, start)
    before, of = _year_before(units, now, selection), at(whole, start)
    value, low, high, known = _measured(
        selection.measure,
        low=now.total[:, None],
        high=now.total[:, None],
        known=now.known,
        before=_total_as_entity(before),
        whole=of,
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
        whole=of.total,
        known=known,
        sources=now.sources | of.sources if selection.measure is Measure.SHARE else now.sources,
        basis=selection.basis.value,
        powertrain=selection.powertrain.value,
    )


def _part_line(powertrain: str, units: Panel, whole: Panel, start: Ints, selection: Selection) -> Line:
    """The cars of one powertrain, as a part of all that `whole` counts of the same maker or markets."""
    now = at(units, start)
    before, of = _year_before(units, now, selection), at(whole, start)
    # What a maker's cars are a share of is its own figure; one that is bounded is no denominator.
    of = replace(of, total=np.where(of.low == of.high, of.low, np.nan)[:, 0])
    value, low, high, known = _measured(
        selection.measure, low=now.low, high=now.high, known=now.known, before=before, whole=of
    )
    if selection.measure is Measure.GROWTH and (~np.isnan(now.total)).any():
        value, low, high = (_of_same_sources(ends, now, before) for ends in (value, low, high))
    return Line(
        market="+".join(selection.market),
        maker=selection.makers[0] if selection.makers else ALL,
        model=ALL,
        name=str(powertrain),
        value=value[:, 0],
        low=low[:, 0],
        high=high[:, 0],
        named=now.named[:, 0],
        units=now.low[:, 0],
        whole=of.total,
        known=known,
        sources=now.sources | of.sources if selection.measure is Measure.SHARE else now.sources,
        basis=selection.basis.value,
        powertrain=str(powertrain),
    )


def _year_before(units: Panel, now: Panel, selection: Selection) -> Panel:
    """The panel in the periods a year before `now`: what nothing but growth is set against."""
    return at(units, now.start - 12) if selection.measure is Measure.GROWTH else now


def _of_same_sources(values: Floats, now: Panel, before: Panel) -> Floats:
    """The values (L, E) of the periods that rest on the same sources as those a year before; NaN in the others."""
    return values + np.where(now.sources == before.sources, 0.0, np.nan)[:, None]


def _total_as_entity(of: Panel) -> Panel:
    total = of.total[:, None]
    return replace(of, entities=((ALL, ALL),), low=total, high=total, named=~np.isnan(total))


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
    parts = [part for of in counted for part in (of.records, of.own if of.is_own else of.own[:0]) if len(part)]
    if not parts:
        return NotPublished(f"no source states {selection.powertrain} {selection.basis} figures of {names}")
    stated = Claims.joined(parts)
    finest = {
        code: min((Grain(word) for word in stated.grain[rows].rows()), key=lambda grain: grain.months)
        for code, rows in stated.market.rows().items()
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
    in_range = stated[_in_range(stated.month, replace(selection, grain=Grain.MONTH))]
    named = in_range[~in_range.maker.among((ALL, OTHER))]
    with_makers, with_models = named.market.rows().keys(), named.market[~named.model.are(ALL)].rows().keys()
    totals_only = [code for code in selection.market if code in in_range.market.rows().keys() - with_makers]
    if totals_only and not is_of_totals(selection):
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
            f"{'the same a year before' if selection.measure is Measure.GROWTH else 'a figure'}{_span_text(stated)}",
            (whole_range,),
        ),
        (
            "no period has what the measure and window need (neither reaches over a period without figures)"
            f"{_span_text(stated)}",
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


def _span_text(claims: Claims) -> str:
    first, last = (month_start(int(month)) for month in (claims.month.min(), claims.month.max()))
    return f"; figures run from {first:%Y-%m} to {last:%Y-%m}"


def _range_text(selection: Selection) -> str:
    since = f" since {selection.since:%Y-%m}" if selection.since else ""
    until = f" until {selection.until:%Y-%m}" if selection.until else ""
    as_of = f" as known on {selection.as_of}" if selection.as_of else ""
    return since + until + as_of
