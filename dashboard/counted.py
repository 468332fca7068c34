"""From the claims about some markets to the periods, panels and lines of a selection.

Which claims count is chosen by precedence; what follows from a market's claims is remembered with them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TypeVar

import numpy as np

from dashboard import precedence
from dashboard.comparability import HEADLINE_BASES, is_within_market
from dashboard.lines import Line, Reach, entity_lines, labelled, market_line, part_line, total_as_entity
from dashboard.panels import Entity, Panel, Records, added, own_panel, panel, records
from dashboard.precedence import PUBLISHED_AS, OfMarket
from dashboard.selection import (
    BasisChoice,
    By,
    Measure,
    PowertrainChoice,
    Selection,
)
from dashboard.unfinished import without_part_years
from dashboard.windows import in_range, month_start, window_of
from db import queries
from db.claims import Claims, Ints
from db.market_claims import Dataset
from db.provenance import Citation
from db.queries import Membership, Nouns
from db.vocabulary import ALL, OTHER, Grain, Powertrain


@dataclass(frozen=True)
class MarketPart:
    """What one market adds to a sum of markets: the entities' cars, and the denominator's as `whole.total`."""

    units: Panel
    whole: Panel


@dataclass(frozen=True)
class Found:
    """The periods that have a figure, the lines over them (none where there is no figure), each market's reach."""

    start: Ints
    lines: tuple[Line, ...]
    reach: dict[str, Reach]
    is_own: bool
    each_market: Mapping[str, MarketPart] = field(default_factory=dict)


Worked = TypeVar("Worked")


class CountedClaims:
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

        amounts = partial(panel, grain=selection.grain.value, window=window_of(selection))
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


def found_in(dataset: Dataset, selection: Selection, nouns: Nouns) -> Found:
    """What the claims of a dataset amount to in the periods of a selection, whether or not they answer it."""
    sets: list[tuple[str, tuple[str, ...]]] = [("+".join(selection.market), selection.market)]
    if selection.by is By.MARKET:
        sets = [(code, (code,)) for code in selection.market]
    claims = CountedClaims(dataset, selection)
    is_own = any(claims.is_own(code, selection.powertrain) for code in selection.market)
    reach = {code: claims.reach(code, selection.powertrain) for code in selection.market}
    grain, window = selection.grain.value, window_of(selection)
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
    start = start[in_range(start, selection)]
    nothing = Found(start=start, lines=(), reach=reach, is_own=is_own)
    if not len(start):
        return nothing
    lines: list[Line] = []
    told = [(label, units, whole) for label, units, whole in panels if len(units.start)]
    if selection.by is By.MARKET and not selection.makers:
        everywhere = None if is_within_market(selection) else added([whole for _, _, whole in panels])
        for label, of_label, whole in told:
            lines.append(market_line(label, of_label, everywhere or whole, start, selection, nouns))
    elif selection.by is By.POWERTRAIN:
        lines = [part_line(part, of_part, whole, start, selection) for part, of_part, whole in told]
    else:
        for label, of_label, whole in told:
            lines += entity_lines(label, of_label, whole, start, selection, nouns)
    if selection.measure is Measure.GROWTH:
        lines = without_part_years(lines, start, dataset, selection, reach)
    with_figures = [line for line in lines if not np.isnan(line.value).all()]
    if all(line.is_rest for line in with_figures):
        return nothing
    shown = np.any([~np.isnan(line.value) for line in with_figures], axis=0)
    if selection.basis is BasisChoice.REPORTED:
        with_figures = [labelled(line, _basis_of(line, dataset.claims)) for line in with_figures]
    return Found(
        start=start[shown],
        lines=tuple(line.at(shown) for line in with_figures),
        reach=reach,
        is_own=is_own,
        each_market={} if selection.by is By.MARKET else each_market,
    )


def _basis_of(line: Line, claims: Claims) -> str:
    """The basis of a maker's headline figures."""
    stated = claims.basis[claims.maker.are(line.maker)].rows()
    return next(basis for basis in HEADLINE_BASES if basis in stated)


def _panels(claims: CountedClaims, markets: Sequence[str], selection: Selection, nouns: Nouns) -> dict[str, MarketPart]:
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


def _part(claims: CountedClaims, powertrain: PowertrainChoice | Powertrain, selection: Selection) -> Panel:
    """The cars of a powertrain: of the maker that the reader named, else of the markets as wholes."""
    if not selection.makers:
        return total_as_entity(added([claims.panel(code, powertrain, selection) for code in selection.market]))
    entity: Entity = (selection.makers[0], ALL)
    grain, window = selection.grain.value, window_of(selection)
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
