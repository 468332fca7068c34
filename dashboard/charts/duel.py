"""What the charts of two makers share: who they are, who of them leads and by how much, and a way on from a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TypeVar

import numpy as np

from dashboard import metrics, style
from dashboard.lines import Line, maker_name
from dashboard.metrics import Gap, Lead
from dashboard.sales_lines import MarketFigures
from dashboard.selection import (
    BasisChoice,
    By,
    Incomparable,
    Measure,
    NotPublished,
    PowertrainChoice,
    Refusal,
    Selection,
    Window,
)
from dashboard.ways_on import way_on
from db import Connection
from db.claims import GRAIN_MONTHS
from db.queries import Nouns
from db.vocabulary import Grain

RIVALS = ("byd", "tesla")
"""Who meets where the reader names nobody."""

Found = TypeVar("Found")


def duellists(selection: Selection, nouns: Nouns) -> Selection:
    """The selection with exactly two makers, or two groups, without models.

    Nobody named is BYD against Tesla; one maker meets Tesla, and Tesla meets BYD. Lines are makers, or groups where
    these are asked for: a maker then stands for the group that it belongs to. Raises `Incomparable` for three and more,
    with the first two of them, and for two makers of one group.
    """
    by = By.GROUP if selection.by is By.GROUP else By.MAKER
    named = selection.makers
    if by is By.GROUP:
        named = tuple(dict.fromkeys(_group(slug, nouns) for slug in named))
    if len(named) > 2:
        wanted = replace(selection, makers=tuple(sorted(named)[:2]), models=())
        names = ", ".join(maker_name(slug, replace(selection, by=by), nouns) for slug in named)
        raise Incomparable(
            f"a duel is between two makers, and {len(named)} are chosen: {names}; the Market page draws more",
            nearest=wanted,
        )
    if len(selection.makers) == 2 and len(named) == 1:
        names = " and ".join(nouns.makers.get(slug, slug) for slug in selection.makers)
        raise Incomparable(
            f"{names} belong to one group, {maker_name(named[0], selection, nouns)}: they meet as brands",
            nearest=replace(selection, by=By.MAKER),
        )
    if not named:
        named = RIVALS
    elif len(named) == 1:
        named = (named[0], "byd" if named[0] == "tesla" else "tesla")
    return replace(selection, by=by, makers=tuple(sorted(named)), models=())


def _group(slug: str, nouns: Nouns) -> str:
    """The group of which a maker has been last; the slug itself for a group, and for a maker that is in none."""
    if slug in nouns.memberships:
        return slug
    found = [(of.end, group) for group, members in nouns.memberships.items() for of in members if of.maker == slug]
    return max(found)[1] if found else slug


def read_as(asked: Selection) -> list[str]:
    """What is said where the lines asked for are neither makers nor groups."""
    if asked.by in (By.MAKER, By.GROUP):
        return []
    return [f"A duel is between makers or groups: it is not drawn by {asked.by}."]


def side(figures: MarketFigures, slug: str, *, market: str) -> Line | None:
    """The line of one of the two in a market set; None where it has no figure there."""
    return next((line for line in figures.entities if (line.market, line.maker) == (market, slug)), None)


def gap_of(one: Line, other: Line) -> Gap:
    """The gap between two lines over the same periods, in their measure's unit."""
    return metrics.gap(
        value=one.value,
        low=one.low,
        high=one.high,
        value_other=other.value,
        low_other=other.low,
        high_other=other.high,
    )


def lead_of(gap: Gap, figures: MarketFigures, one: Line) -> Lead | None:
    """Who is ahead at the end, and since when; what is unfinished for the line of `one` is no part of it."""
    ahead = np.where(figures.unfinished_of(one), np.nan, gap.ahead)
    return metrics.lead(ahead, start=figures.start, step=GRAIN_MONTHS[figures.selection.grain.value])


# Words


def margin_text(gap: Gap, at: int, measure: Measure) -> str:
    """By how much the one that is certainly ahead is: '1,234', 'at least 1,234', '1.2 pp', 'under 0.1 pp'."""
    ends = sorted((abs(float(gap.low[at])), abs(float(gap.high[at]))))
    least, most = (size_text(end, measure) for end in ends)
    is_open = least != most and ends[1] - ends[0] > 0.02 * ends[1]
    return f"at least {least}" if is_open else size_text(abs(float(gap.value[at])), measure)


def size_text(size: float, measure: Measure) -> str:
    """A difference without its sign: cars, or percentage points."""
    if measure is Measure.UNITS:
        return style.units_text(size)
    text = style.pp_text(size).removeprefix("+")
    return "under 0.1 pp" if text.startswith("≈") else text


def signed_text(value: float, measure: Measure) -> str:
    """A difference with its sign: '+1,234', '−1.2 pp'."""
    if measure is not Measure.UNITS:
        return style.pp_text(value)
    sign = "+" if value > 0 else style.MINUS if value < 0 else ""
    return sign + style.units_text(abs(value))


# A way on


def answered(
    connection: Connection,
    selection: Selection,
    *,
    ask: Callable[[Connection, Selection], Found],
    others: Iterable[Selection],
) -> Found:
    """What `ask` answers; a refusal's `nearest` is tried, with where its own refusal leads, and then the others."""
    try:
        return ask(connection, selection)
    except Refusal as refused:
        refused.nearest = way_on(partial(ask, connection), chain([refused.nearest], others), but=selection)
        raise


def plainer(selection: Selection, defaults: Selection) -> Iterator[Selection]:
    """The same markets in registrations of battery cars, by longer and longer periods; then what is `at_home`."""
    plain = replace(
        selection,
        basis=BasisChoice.REGISTRATION,
        powertrain=PowertrainChoice.BEV,
        of=None,
        by=By.MAKER if selection.by is not By.GROUP else By.GROUP,
        models=(),
        window=defaults.window,
        measure=Measure.UNITS,
        since=None,
        until=None,
    )
    for grain in (selection.grain, Grain.QUARTER, Grain.YEAR):
        yield replace(plain, grain=grain)
    yield replace(plain, grain=Grain.QUARTER, window=Window.NONE)
    yield from at_home(selection, defaults)


def at_home(selection: Selection, defaults: Selection) -> Iterator[Selection]:
    """A chart's own choice with the reader's makers and day, and then with less and less of these."""
    for makers in dict.fromkeys((selection.makers, ())):
        for as_of in dict.fromkeys((selection.as_of, None)):
            yield replace(defaults, makers=makers, as_of=as_of)


def absent(names: Sequence[str], figures: MarketFigures, *, nearest: Selection | None) -> NotPublished:
    """The refusal of a duel in which one side has no figure."""
    selection = figures.selection
    where = ", ".join(figures.nouns.markets[code] for code in selection.market)
    return NotPublished(
        f"no {selection.powertrain} {selection.basis} figures of {' and '.join(names)} are published for {where} by "
        f"{selection.grain}, and a duel needs both sides",
        nearest=nearest,
    )
