"""The firewall: what can be compared, in one place. A selection passes here before any figure is read.

A refusal is an `Incomparable`, which names both sides, or a `NotPublished`; each carries the nearest selection that can
be answered, which the page offers as a link.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from dashboard.selection import (
    BasisChoice,
    By,
    Incomparable,
    InvalidSelection,
    Measure,
    NotPublished,
    PowertrainChoice,
    Refusal,
    Selection,
    Window,
)
from db.queries import Nouns, Published
from db.vocabulary import Basis, Grain, Powertrain, States

HEADLINE_BASES = (Basis.DELIVERY.value, Basis.WHOLESALE.value)
"""What makers report first of all, in this order: Tesla its deliveries, BYD its sales to dealers and abroad."""

_PARTS: dict[PowertrainChoice, frozenset[PowertrainChoice]] = {
    PowertrainChoice.BEV: frozenset({PowertrainChoice.BEV}),
    PowertrainChoice.PHEV: frozenset({PowertrainChoice.PHEV}),
    PowertrainChoice.NEV: frozenset({PowertrainChoice.BEV, PowertrainChoice.PHEV, PowertrainChoice.NEV}),
    PowertrainChoice.ALL: frozenset(PowertrainChoice),
}
"""What a denominator holds: a numerator has to be among it."""


_NAMES = {
    PowertrainChoice.BEV: "battery-electric cars",
    PowertrainChoice.PHEV: "plug-in hybrids",
    PowertrainChoice.NEV: "NEVs (battery, plug-in hybrid and fuel-cell cars)",
    PowertrainChoice.ALL: "all cars",
}


def _listed(choices: Sequence[PowertrainChoice]) -> str:
    """'BEV is', 'BEV, PHEV and NEV are'."""
    *first, last = choices
    return f"{', '.join(first)} and {last} are" if first else f"{last} is"


def check_names(selection: Selection, nouns: Nouns) -> None:
    """Raise `InvalidSelection` for a market, maker or model that the database does not have, with those that it has."""
    for code in selection.market:
        if code not in nouns.markets:
            raise InvalidSelection(f"market={code} has no figures", name="market", valid=tuple(sorted(nouns.markets)))
    known = {**nouns.makers, **nouns.groups} if selection.by is By.GROUP else nouns.makers
    for slug in selection.makers:
        if slug not in known:
            raise InvalidSelection(f"makers={slug} is unknown", name="makers", valid=tuple(sorted(known)))
    for slug in selection.models:
        if slug not in nouns.models:
            maker = next((name for name in nouns.makers if slug.startswith(f"{name}-")), None)
            like = (model for model, of in nouns.model_makers.items() if maker is None or of == maker)
            raise InvalidSelection(f"models={slug} is unknown", name="models", valid=tuple(sorted(like)))


def check_sales(
    selection: Selection, nouns: Nouns, published: Collection[Published], *, measures: tuple[Measure, ...]
) -> None:
    """Raise a `Refusal` where a chart of sales by maker, model or market would compare what is not alike.

    `published` is what there is about the markets of the selection. The text names the first thing that is not alike;
    the nearest selection passes every check, unless it is of another market: that is for the caller to try.
    """
    try:
        _check_all(selection, nouns, published, measures=measures)
    except Refusal as refused:
        refused.nearest = _passing(refused.nearest, nouns, published, measures=measures)
        raise


def _with_known_makers(selection: Selection, nouns: Nouns) -> Selection:
    """The selection with the makers of its groups in their place, where lines are no groups."""
    if selection.by is By.GROUP:
        return selection
    makers = {
        maker
        for slug in selection.makers
        for maker in ((slug,) if slug in nouns.makers else nouns.members.get(slug, ()))
    }
    return replace(selection, makers=tuple(sorted(makers)))


def _passing(
    selection: Selection | None, nouns: Nouns, published: Collection[Published], *, measures: tuple[Measure, ...]
) -> Selection | None:
    """The selection, or the nearest to it, that passes every check; None where there is no way."""
    known = {each.market for each in published}
    tried = set()
    while selection is not None and selection not in tried:
        selection = _with_known_makers(selection, nouns)
        tried.add(selection)
        if not known.issuperset(selection.market):
            return selection
        try:
            _check_all(selection, nouns, published, measures=measures)
        except Refusal as refused:
            selection = refused.nearest
        else:
            return selection
    return None


def _check_all(
    selection: Selection, nouns: Nouns, published: Collection[Published], *, measures: tuple[Measure, ...]
) -> None:
    if selection.basis is BasisChoice.REPORTED:
        _check_headlines(selection, nouns, published)
    else:
        _check_basis(selection, nouns, published)
        _check_powertrain(selection, nouns, published)
        _check_whole(selection, nouns, published)
    _check_models(selection)
    _check_split(selection)
    _check_measure(selection, measures)
    _check_market_set(selection, nouns)
    _check_window(selection)


def _check_measure(selection: Selection, measures: tuple[Measure, ...]) -> None:
    if selection.measure not in measures:
        raise NotPublished(
            f"this chart draws {', '.join(measures)}, not {selection.measure}",
            nearest=replace(selection, measure=measures[0]),
        )


def _check_headlines(selection: Selection, nouns: Nouns, published: Collection[Published]) -> None:
    """Makers' own headline figures stand side by side, and that is all that can be done with them."""
    side_by_side = replace(selection, measure=Measure.UNITS, of=None)
    if selection.by is By.POWERTRAIN:
        side_by_side = replace(side_by_side, by=By.MAKER, powertrain=PowertrainChoice.BEV)
    if selection.measure not in (Measure.UNITS, Measure.GROWTH):
        raise Incomparable(
            "makers' own headline figures stand on different bases (Tesla's deliveries, BYD's sales to dealers and "
            f"abroad): they are set side by side in units, and there is no {selection.measure} across them; shares of "
            "a market are on registrations",
            nearest=side_by_side,
        )
    if selection.market != ("WORLD",):
        names = ", ".join(nouns.markets[code] for code in selection.market)
        raise NotPublished(
            f"makers' headline figures are worldwide; there are none of {names}",
            nearest=replace(side_by_side, market=("WORLD",)) if "WORLD" in nouns.markets else None,
        )
    if selection.by not in (By.MAKER, By.MODEL):
        raise Incomparable(
            f"makers' own headline figures stand on different bases and cannot be summed by {selection.by}",
            nearest=replace(side_by_side, by=By.MAKER),
        )
    own = [each for each in published if each.basis in HEADLINE_BASES and each.names_makers]
    available = [choice for choice in PowertrainChoice if _states(choice, own)]
    if selection.powertrain not in available:
        raise NotPublished(
            f"no maker states {_NAMES[selection.powertrain]} among its headline figures"
            + (f"; {_listed(available)} available" if available else ""),
            nearest=replace(side_by_side, powertrain=available[0]) if available else None,
        )


def _check_basis(selection: Selection, nouns: Nouns, published: Collection[Published]) -> None:
    without = [code for code, stated in _on(selection, published).items() if not stated]
    if not without:
        return
    others = tuple(code for code in selection.market if code not in without)
    uncounted = [code for code in without if not any(each.market == code for each in published)]
    if uncounted:
        rest = others or tuple(code for code in selection.market if code not in uncounted)
        whole = ("WORLD",) if "WORLD" in nouns.markets and "WORLD" not in uncounted else ()
        raise NotPublished(
            f"no source loaded states passenger cars apart from other vehicles for "
            f"{', '.join(nouns.markets[code] for code in uncounted)}, and this chart is of passenger cars",
            nearest=replace(selection, market=rest or whole) if rest or whole else None,
        )
    names = ", ".join(nouns.markets[code] for code in without)
    there = {code: {each.basis for each in published if each.market == code} for code in selection.market}
    shared = set.intersection(*there.values())
    basis = next((choice for choice in _BY_USE if choice.value in shared), None)
    nearest = replace(selection, market=others) if others else None
    if nearest is None and basis:
        nearest = replace(selection, basis=basis)
    stated = ", ".join(f"{word}" for word in BasisChoice if word.value in there[without[0]])
    raise NotPublished(
        f"no source loaded states {selection.basis} figures of {names}"
        + (f"; there are {stated} figures of {nouns.markets[without[0]]}" if stated else ""),
        nearest=nearest,
    )


_BY_USE = (
    BasisChoice.REGISTRATION,
    BasisChoice.RETAIL,
    BasisChoice.DELIVERY,
    BasisChoice.WHOLESALE,
    BasisChoice.EXPORT,
    BasisChoice.PRODUCTION,
    BasisChoice.INSURANCE,
)


def _on(selection: Selection, published: Iterable[Published]) -> dict[str, list[Published]]:
    """What is stated of each market of a selection on its basis."""
    stated: dict[str, list[Published]] = {code: [] for code in selection.market}
    for each in published:
        if each.basis == selection.basis.value and each.market in stated:
            stated[each.market].append(each)
    return stated


def _states(choice: PowertrainChoice, stated: Iterable[Published]) -> bool:
    """Whether figures of a powertrain are there: of a set as a sum, or of all its parts."""
    words = {each.powertrain for each in stated}
    if choice is PowertrainChoice.NEV:
        return bool(words & {Powertrain.BEV_PHEV, Powertrain.BEV_PHEV_FCEV}) or {"BEV", "PHEV"} <= words
    return choice.value in words


def _check_powertrain(selection: Selection, nouns: Nouns, published: Collection[Published]) -> None:
    stated = _on(selection, published)
    if selection.by is By.POWERTRAIN:
        _check_parts(selection, nouns, stated)
    available = [choice for choice in PowertrainChoice if all(_states(choice, of) for of in stated.values())]
    if selection.powertrain not in available:
        lacking = [code for code, of in stated.items() if not _states(selection.powertrain, of)]
        others = tuple(code for code in selection.market if code not in lacking)
        nearest = replace(selection, powertrain=available[0], of=None) if available else None
        raise NotPublished(
            f"no source loaded states {selection.powertrain} {selection.basis} figures of "
            f"{', '.join(nouns.markets[code] for code in lacking)}"
            + (f"; {_listed(available)} available" if available else ""),
            nearest=replace(selection, market=others) if others and nearest is None else nearest,
        )
    if selection.measure is not Measure.SHARE:
        return
    if selection.powertrain not in _PARTS[selection.denominator]:
        raise Incomparable(
            f"{_NAMES[selection.powertrain]} cannot be a share of {_NAMES[selection.denominator]}: the numerator is no "
            "part of the denominator",
            nearest=replace(selection, of=None),
        )
    if selection.denominator not in available:
        elsewhere = sorted(
            {
                each.basis
                for each in published
                if each.market in selection.market and _states(selection.denominator, [each])
            }
            - {selection.basis.value}
        )
        if elsewhere:
            raise Incomparable(
                f"{_NAMES[selection.denominator]} are stated as {' and '.join(elsewhere)} figures only, "
                f"{_NAMES[selection.powertrain]} here as {selection.basis} figures: a share needs both on one basis",
                nearest=replace(selection, of=None),
            )
        raise NotPublished(
            f"no source loaded states {selection.denominator} totals on a {selection.basis} basis",
            nearest=replace(selection, of=None),
        )


def _check_parts(selection: Selection, nouns: Nouns, stated: Mapping[str, Sequence[Published]]) -> None:
    """Lines by powertrain need battery cars and plug-in hybrids each by itself, in every market."""
    parts = {PowertrainChoice.BEV, PowertrainChoice.PHEV}
    lacking = [code for code, of in stated.items() if not all(_states(part, of) for part in parts)]
    if not lacking:
        return
    others = tuple(code for code in selection.market if code not in lacking)
    available = [choice for choice in PowertrainChoice if all(_states(choice, of) for of in stated.values())]
    together = replace(selection, by=By.MAKER, powertrain=available[0], of=None) if available else None
    raise NotPublished(
        f"no source loaded states {selection.basis} figures of battery-electric cars and of plug-in hybrids of "
        f"{', '.join(nouns.markets[code] for code in lacking)}, each by itself",
        nearest=replace(selection, market=others) if others else together,
    )


def _check_whole(selection: Selection, nouns: Nouns, published: Collection[Published]) -> None:
    """A share needs the market's total, and so does a line by market; makers' own figures never add up to one."""
    is_total = is_of_totals(selection)
    if selection.by is By.POWERTRAIN and not is_total:
        return  # The share is one of the maker's own cars.
    if selection.measure is not Measure.SHARE and selection.by is not By.GROUP and not is_total:
        return
    for code, stated in _on(selection, published).items():
        of_market = [each for each in stated if each.states == States.MARKET or not each.names_makers]
        if selection.measure is Measure.SHARE and not _states(selection.denominator, of_market):
            raise Incomparable(
                f"the {selection.basis} figures of {nouns.markets[code]} are single makers' own, which add up to no "
                f"market: there is no total of {_NAMES[selection.denominator]} to take a share of",
                nearest=replace(selection, measure=Measure.UNITS, of=None),
            )
        if is_total and not _states(selection.powertrain, of_market):
            raise Incomparable(
                f"the {selection.basis} figures of {nouns.markets[code]} are single makers' own, which add up to no "
                f"market: there is no total of {_NAMES[selection.powertrain]} to draw by {selection.by}",
                nearest=replace(selection, by=By.MAKER, measure=Measure.UNITS, of=None),
            )
        by_name = [each for each in stated if each.names_makers]
        if selection.by is By.GROUP and by_name and all(each.states == States.MAKERS for each in by_name):
            raise NotPublished(
                f"the {selection.basis} figures of {nouns.markets[code]} are single makers' own, not of all makers of "
                "a group",
                nearest=replace(selection, by=By.MAKER),
            )


def _check_models(selection: Selection) -> None:
    if selection.by is By.MODEL and selection.powertrain is PowertrainChoice.ALL:
        raise NotPublished(
            "no source loaded itemises all cars by model; battery-electric cars are",
            nearest=replace(selection, powertrain=PowertrainChoice.BEV, of=None),
        )
    if selection.models and selection.by is not By.MODEL:
        raise Incomparable(
            f"models and {selection.by}s cannot stand side by side, since the one is a part of the other: models are "
            "drawn with by=model",
            nearest=replace(selection, by=By.MODEL),
        )


def _check_split(selection: Selection) -> None:
    if selection.by is By.POWERTRAIN and len(selection.makers) > 1:
        raise Incomparable(
            f"the powertrains of {len(selection.makers)} makers would be lines without a name: one maker's are drawn, "
            "or the market's",
            nearest=replace(selection, makers=selection.makers[:1]),
        )


def _check_market_set(selection: Selection, nouns: Nouns) -> None:
    overlapping = [code for code in selection.market if code in nouns.regions]
    if len(selection.market) < 2 or not overlapping:
        return
    if selection.by is By.MARKET and (selection.measure is not Measure.SHARE or is_within_market(selection)):
        return
    rest = tuple(code for code in selection.market if code not in overlapping)
    others = ", ".join(nouns.markets[code] for code in rest) or nouns.markets[overlapping[1]]
    raise Incomparable(
        f"{nouns.markets[overlapping[0]]} overlaps {others}: adding them would count cars twice",
        nearest=replace(selection, market=rest or (overlapping[0],)),
    )


def is_of_totals(selection: Selection) -> bool:
    """Whether lines are totals of markets, which no maker has a part in."""
    return selection.by in (By.MARKET, By.POWERTRAIN) and not selection.makers


def is_within_market(selection: Selection) -> bool:
    """Whether each market's share is of its own cars, so that lines by market are side by side and never added."""
    return bool(selection.makers) or selection.denominator is not selection.powertrain


def _check_window(selection: Selection) -> None:
    if selection.grain is Grain.YEAR and selection.window is Window.THREE_MONTHS:
        raise Incomparable(
            "a year cannot be shown as a window of three months",
            nearest=replace(selection, window=Window.NONE),
        )
