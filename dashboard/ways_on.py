"""Where a refusal leads: why a selection has no figures, and the nearest one that has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from dashboard.comparability import HEADLINE_BASES, is_of_totals
from dashboard.counted import CountedClaims, found_in
from dashboard.precedence import PUBLISHED_AS
from dashboard.selection import (
    BasisChoice,
    By,
    InvalidSelection,
    Measure,
    NotPublished,
    Refusal,
    Selection,
    Window,
)
from dashboard.windows import in_range, month_start
from db import Connection, queries
from db.claims import Claims
from db.market_claims import Dataset
from db.queries import Nouns
from db.vocabulary import ALL, OTHER, Grain, VehicleScope


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


def plainest(
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


def unanswered(connection: Connection, dataset: Dataset, selection: Selection, nouns: Nouns) -> NotPublished:
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
    claims = CountedClaims(dataset, selection)
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
        with_figures = (each for each in candidates if each != selection and found_in(dataset, each, nouns).lines)
        return next(with_figures, None)

    def other_markets(without: Sequence[str]) -> tuple[Selection, ...]:
        rest = tuple(code for code in selection.market if code not in without)
        return (replace(selection, market=rest),) if rest else ()

    reasons: list[tuple[str, tuple[Selection, ...]]] = []
    within = stated[in_range(stated.month, replace(selection, grain=Grain.MONTH))]
    named = within[~within.maker.among((ALL, OTHER))]
    with_makers, with_models = named.market.rows().keys(), named.market[~named.model.are(ALL)].rows().keys()
    totals_only = [code for code in selection.market if code in within.market.rows().keys() - with_makers]
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
