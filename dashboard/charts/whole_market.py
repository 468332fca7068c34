"""Whole markets: every maker of them, whichever the reader named, and refusals that lead to what a chart draws.

A place in a market, or its concentration, is one among all of its makers. So such a chart asks for more than it draws,
and what it is refused is of another selection than the reader's: where the refusal leads has to be tried anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from dashboard.comparability import check_names, check_sales
from dashboard.sales_lines import MarketFigures, figures_asked_for
from dashboard.selection import By, Incomparable, InvalidSelection, Measure, Refusal, Selection
from db import Connection, queries

Answer = TypeVar("Answer")


def whole_market(
    connection: Connection, selection: Selection, *, measure: Measure, made_of_it: Measure, each_market: bool
) -> MarketFigures:
    """The figures of all entities of a selection's markets in a measure, for a chart of what is `made_of_it`.

    By market they are all makers of `each_market`, otherwise the markets' totals; powertrains have no places and are
    taken together. Raises as `market_figures` does, and what `made_of_it` is refused for.
    """
    nouns = queries.nouns(connection, as_of=selection.as_of)
    check_names(selection, nouns)
    published = queries.published(connection, markets=selection.market)
    check_sales(replace(selection, measure=made_of_it, of=None), nouns, published, measures=(made_of_it,))
    everybody = replace(selection, measure=measure, of=None, makers=(), models=())
    if selection.by is By.MARKET and each_market and nouns.makers:
        everybody = replace(everybody, makers=tuple(sorted(nouns.makers)))
    elif selection.by is By.POWERTRAIN or (each_market and selection.by is By.MARKET):
        # Where nobody is named at all, totals would stand for makers.
        everybody = replace(everybody, by=By.MAKER)
    figures = figures_asked_for(connection, everybody, measures=(measure,))
    if figures.is_own:
        names = ", ".join(nouns.markets[code] for code in selection.market)
        raise Incomparable(
            f"the {selection.basis} figures of {names} are single makers' own: who publishes none is missing, and "
            f"there is no {made_of_it} among a part of the makers",
            nearest=replace(selection, basis=Selection().basis),
        )
    return figures


def as_asked(figures: MarketFigures, selection: Selection, *, measure: Measure) -> MarketFigures:
    """The figures with the makers and models that the reader named, for words and downloads about a measure."""
    asked = replace(figures.selection, makers=selection.makers, models=selection.models, measure=measure)
    return replace(figures, selection=asked)


def answered(ask: Callable[[Selection], Answer], selection: Selection, *instead: Selection) -> Answer:
    """What a chart answers to a selection; a refusal's nearest is one that the chart answers too, or None.

    `ask` may change the selection before it asks the database; measure and denominator stay the reader's on the way on,
    and so do makers and models where that leads anywhere. The last resort is what is registered of battery cars in the
    same markets, and after it the first of `instead` that the chart answers.
    """
    try:
        return ask(selection)
    except Refusal as refused:
        plain = Selection(market=selection.market, window=selection.window, as_of=selection.as_of)
        tried = {selection}
        refused.nearest = _way_on(ask, selection, refused.nearest, tried) or _way_on(ask, selection, plain, tried)
        if refused.nearest is None:
            refused.nearest = next((each for each in instead if _is_answered(ask, each)), None)
        raise


def _is_answered(ask: Callable[[Selection], object], selection: Selection) -> bool:
    try:
        ask(selection)
    except (InvalidSelection, Refusal):
        return False
    return True


def _way_on(
    ask: Callable[[Selection], object], selection: Selection, nearest: Selection | None, tried: set[Selection]
) -> Selection | None:
    """Where refusals lead one after another until there is an answer; what was tried is not tried again."""
    while nearest is not None:
        kept = replace(nearest, measure=selection.measure, of=selection.of)
        further = None
        for candidate in (
            replace(kept, makers=selection.makers, models=selection.models),
            replace(kept, makers=(), models=()),
        ):
            if candidate in tried:
                continue
            tried.add(candidate)
            try:
                ask(candidate)
            except InvalidSelection:
                continue
            except Refusal as refused:
                further = further or refused.nearest
            else:
                return candidate
        nearest = further
    return None
