"""From a selection to measured lines: the figures of each maker, group, model or market over time, with their bounds.

Every chart of market sales stands on this: it asks the database once, lets the firewall refuse what cannot be compared,
puts periods and windows together, and gives for each entity its value with low and high in units, share or growth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, partial
from itertools import chain

import numpy as np

from dashboard import precedence
from dashboard.comparability import HEADLINE_BASES, check_names, check_sales
from dashboard.counted import CountedClaims, MarketPart, found_in
from dashboard.lines import Line, Reach
from dashboard.panels import own_rows
from dashboard.precedence import PUBLISHED_AS
from dashboard.selection import (
    BasisChoice,
    By,
    Measure,
    PowertrainChoice,
    Refusal,
    Selection,
)
from dashboard.unfinished import incomplete_months, is_running, powertrains_counted
from dashboard.ways_on import plainest, unanswered, way_on
from dashboard.windows import first_wanted, last_wanted, months_behind
from db import Connection, market_claims, queries
from db.claims import GRAIN_MONTHS, Bools, Claims, Ints
from db.market_claims import Dataset
from db.queries import Nouns
from db.vocabulary import Powertrain, VehicleScope


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
        counted = claims.powertrain.among(powertrains_counted(self.selection))
        shown = (claims.month >= first) & (claims.month < last) & counted
        cited = claims.source.among([citation.slug for citation in self.dataset.citations])
        return self.dataset.warnings(claims.evidence_id[shown & cited])

    def at(self, periods: Bools | Ints) -> MarketFigures:
        """The figures of some of the periods."""
        return replace(self, start=self.start[periods], lines=tuple(line.at(periods) for line in self.lines))

    def own_claims(self, market: str, of: Line, span: range) -> Claims:
        """The claims that a maker's own figure over a span of months is added up from; `of` is its line."""
        claims = CountedClaims(self.dataset, self.selection)
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
        early = is_running(known, self.start, [self.reach[code] for code in markets], self.selection)
        incomplete = frozenset[int]().union(*(self.incomplete.get(code, frozenset()) for code in markets))
        if not incomplete:
            return early
        behind = [months_behind(self.selection, int(start)) for start in self.start]
        touched = [any(not incomplete.isdisjoint(span) for span in spans) for spans in behind]
        return np.asarray(early | np.array(touched, dtype=np.bool_))


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
    candidates = chain([nearest], plainest(connection, selection, markets=markets, scope=scope))
    return way_on(ask, candidates, but=selection)


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
        raise unanswered(connection, dataset, selection, queries.nouns(connection, as_of=selection.as_of))
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
    first, last = first_wanted(selection), last_wanted(selection)
    dataset = _claimed(connection, selection, scope=scope, first=first, last=last)
    found = found_in(dataset, selection, nouns)
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
        incomplete=incomplete_months(dataset, selection),
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


def _powertrains(selection: Selection) -> list[str]:
    """What has to be read: all cars too, since they cap what a maker can hide in the rest."""
    wanted = powertrains_counted(selection)
    if selection.by in (By.MAKER, By.GROUP) or selection.makers:
        wanted |= {*PUBLISHED_AS[PowertrainChoice.ALL]}
    return sorted(wanted)
