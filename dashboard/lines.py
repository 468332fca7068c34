"""Lines: one entity of one market set over time, from its panel, in units, share or growth, with low and high."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from dashboard.metrics import growth, share
from dashboard.panels import Panel, at
from dashboard.selection import (
    By,
    Measure,
    Selection,
)
from db.claims import Bools, Floats, Ints
from db.queries import Nouns
from db.vocabulary import ALL, OTHER, Basis


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


def maker_name(slug: str, selection: Selection, nouns: Nouns) -> str:
    """The printed name of a maker, or of a group where lines are groups."""
    if selection.by is By.GROUP and slug in nouns.groups:
        return nouns.groups[slug]
    return nouns.makers.get(slug, slug)


_COUNTED_AS = {Basis.DELIVERY.value: "deliveries", Basis.WHOLESALE.value: "wholesale"}


def labelled(line: Line, basis: str) -> Line:
    """A maker's headline line, named with what it counts: beside it stand lines that count something else."""
    return replace(line, basis=basis, name=f"{line.name} ({_COUNTED_AS[basis]})")


def entity_lines(
    market: str, units: Panel, whole: Panel, start: Ints, selection: Selection, nouns: Nouns
) -> list[Line]:
    """The lines of a panel's entities over some periods, and that of the unnamed rest, which growth has not.

    `whole` has what shares are shares of; `start` (L) are the first months of the periods.
    """
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


def market_line(market: str, units: Panel, whole: Panel, start: Ints, selection: Selection, nouns: Nouns) -> Line:
    """A market's total, which is exact: it hides nobody."""
    now = at(units, start)
    before, of = _year_before(units, now, selection), at(whole, start)
    value, low, high, known = _measured(
        selection.measure,
        low=now.total[:, None],
        high=now.total[:, None],
        known=now.known,
        before=total_as_entity(before),
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


def part_line(powertrain: str, units: Panel, whole: Panel, start: Ints, selection: Selection) -> Line:
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


def total_as_entity(of: Panel) -> Panel:
    """A panel whose one entity is its total, which is exact."""
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
