"""The firewall: what can be compared, in one place. A selection passes here before any figure is read.

A refusal is an `Incomparable`, which names both sides, or a `NotPublished`; each carries the nearest selection that can
be answered, which the page offers as a link.
"""

from __future__ import annotations

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
from db.queries import Nouns
from db.vocabulary import Grain


def check_names(selection: Selection, nouns: Nouns) -> None:
    """Raise `InvalidSelection` for a market, maker or model that the database does not have, with those that it has."""
    for code in selection.market:
        if code not in nouns.markets:
            raise InvalidSelection(f"market={code} has no figures", name="market", valid=tuple(sorted(nouns.markets)))
    known = nouns.makers | nouns.groups if selection.by is By.GROUP else nouns.makers
    for slug in selection.makers:
        if slug not in known:
            raise InvalidSelection(f"makers={slug} is unknown", name="makers", valid=tuple(sorted(known)))
    for slug in selection.models:
        if slug not in nouns.models:
            maker = next((name for name in nouns.makers if slug.startswith(f"{name}-")), None)
            like = (model for model, of in nouns.model_makers.items() if maker is None or of == maker)
            raise InvalidSelection(f"models={slug} is unknown", name="models", valid=tuple(sorted(like)))


def check_sales(selection: Selection, nouns: Nouns, *, measures: tuple[Measure, ...]) -> None:
    """Raise a `Refusal` where a chart of sales by maker, model or market would compare what is not alike.

    The text names the first thing that is not alike; the nearest selection passes every check.
    """
    try:
        _check_all(selection, nouns, measures=measures)
    except Refusal as refused:
        if refused.nearest is not None:
            refused.nearest = _passing(refused.nearest, nouns, measures=measures)
        raise


def _passing(selection: Selection, nouns: Nouns, *, measures: tuple[Measure, ...]) -> Selection:
    try:
        _check_all(selection, nouns, measures=measures)
    except Refusal as refused:
        if refused.nearest is not None:
            return _passing(refused.nearest, nouns, measures=measures)
    return selection


def _check_all(selection: Selection, nouns: Nouns, *, measures: tuple[Measure, ...]) -> None:
    _check_basis(selection)
    _check_powertrain(selection)
    _check_models(selection)
    _check_measure(selection, measures)
    _check_market_set(selection, nouns)
    _check_window(selection)


def _check_basis(selection: Selection) -> None:
    registration = replace(selection, basis=BasisChoice.REGISTRATION)
    if selection.basis is BasisChoice.REPORTED:
        raise Incomparable(
            "makers' own headline figures stand on different bases (Tesla's deliveries, BYD's sales): they are set "
            "side by side, never summed or divided; shares and growth of a market are on registrations",
            nearest=registration,
        )
    if selection.basis is not BasisChoice.REGISTRATION:
        raise NotPublished(
            f"no source loaded states {selection.basis} figures by market; registrations are available",
            nearest=registration,
        )


def _check_powertrain(selection: Selection) -> None:
    available = (PowertrainChoice.BEV, PowertrainChoice.ALL)
    if selection.powertrain not in available:
        raise NotPublished(
            f"no source loaded itemises {selection.powertrain} registrations; battery-electric (BEV) and all "
            "cars are available",
            nearest=replace(selection, powertrain=PowertrainChoice.BEV, of=None),
        )
    if selection.denominator not in available:
        raise NotPublished(
            f"no source loaded states {selection.denominator} totals on registrations; a share can be of BEV or "
            "of ALL cars",
            nearest=replace(selection, of=None),
        )
    if selection.measure is Measure.SHARE and (selection.powertrain, selection.denominator) == (
        PowertrainChoice.ALL,
        PowertrainChoice.BEV,
    ):
        raise Incomparable(
            "all cars cannot be a share of battery-electric cars: the numerator would be wider than the denominator",
            nearest=replace(selection, of=None),
        )
    if selection.by is By.MODEL and selection.powertrain is PowertrainChoice.ALL:
        raise NotPublished(
            "no source loaded itemises all cars by model; battery-electric cars are",
            nearest=replace(selection, powertrain=PowertrainChoice.BEV, of=None),
        )


def _check_models(selection: Selection) -> None:
    if selection.models and selection.by is not By.MODEL:
        raise Incomparable(
            f"models and {selection.by}s cannot stand side by side, since the one is a part of the other: models are "
            "drawn with by=model",
            nearest=replace(selection, by=By.MODEL),
        )


def _check_measure(selection: Selection, measures: tuple[Measure, ...]) -> None:
    if selection.measure not in measures:
        raise NotPublished(
            f"this chart draws {', '.join(measures)}, not {selection.measure}",
            nearest=replace(selection, measure=measures[0]),
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


def is_within_market(selection: Selection) -> bool:
    """Whether each market's share is of its own cars, so that lines by market are side by side and never added."""
    return bool(selection.makers) or selection.denominator is not selection.powertrain


def _check_window(selection: Selection) -> None:
    if selection.grain is Grain.YEAR and selection.window is Window.THREE_MONTHS:
        raise Incomparable(
            "a year cannot be shown as a window of three months",
            nearest=replace(selection, window=Window.NONE),
        )
