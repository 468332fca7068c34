"""The words of `fsd-projection`: a world with those beside it, and title, subtitle and notes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from dashboard import style
from dashboard.charts import projection_words as words
from dashboard.charts.chart import shortest
from dashboard.charts.projection_words import Asked, Numbers
from dashboard.fsd_record import AttachPoint
from dashboard.projected import World
from dashboard.projections.record import Forecast

TEN_MILLION: Final = 10_000_000
"""Users that the award of November 2025 to Tesla's chief asks for: the mark that the question is about."""


@dataclass(frozen=True)
class Other:
    """Another scenario as it stands: its median over the quarters shown, and its outcome in the last one."""

    world: World
    median: Numbers
    end: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Projection:
    """A world's draws over the quarters shown (N, Q), those of the one beside it, and what stands by both.

    `line` is the straight line from the last quarter with data on (NaN before), and `line_from` what it goes through.
    """

    asked: Asked
    draws: Numbers
    made: Numbers
    beside: Numbers | None
    others: tuple[Other, ...]
    line: Numbers
    line_from: str
    points: tuple[AttachPoint, ...]
    forecasts: tuple[Forecast, ...]

    @property
    def ahead(self) -> slice:
        """The columns that are projected."""
        return slice(max(self.asked.ahead - self.asked.first, 0), None)


def title(found: Projection) -> str:
    """When ten million users are reached, how far two worlds are apart, or how far it comes."""
    asked = found.asked
    if found.beside is not None:
        return _routes(found) or _difference(found, found.beside)
    if asked.definition.unit == "users" and asked.area == "world":
        return _ten_million(found)
    return _reached(found)


def crossing(draws: Numbers, mark: float) -> Numbers:
    """For each draw the first column at which it is at a mark; the number of columns where it never is."""
    above = draws >= mark
    return np.asarray(np.where(above.any(axis=1), above.argmax(axis=1), draws.shape[1]))


def _ten_million(found: Projection) -> str:
    asked = found.asked
    columns = crossing(found.draws, TEN_MILLION)
    never = found.draws.shape[1]
    low, middle, high = (int(np.percentile(columns, part, method="higher")) for part in (10, 50, 90))

    def when(column: int) -> str:
        return words.quarter_text(asked.first + column) if column < never else f"after {asked.end.split()[-1]}"

    if middle < never:
        return shortest(
            f"FSD reaches 10 M users in {when(middle)} by the median draw (80 %: {when(low)} to {when(high)})",
            f"10 M FSD users in {when(middle)} (80 %: {when(low)} to {when(high)})",
        )
    share = float((columns == never).mean())
    rate = "all" if share == 1 else style.share_text(share).replace(".0 %", " %")
    by = f"by {asked.last // 4}" if asked.last % 4 == 3 else f"by {words.quarter_text(asked.last)}"
    then = asked.definition.text(float(found.made[2, -1]))
    return shortest(
        f"No 10 M FSD users {by} in {rate}{'' if share == 1 else ' of'} draws; the median then is {then}",
        f"No 10 M FSD users {by} in {rate}{'' if share == 1 else ' of'} draws",
    )


def _reached(found: Projection) -> str:
    asked = found.asked
    middle, low, high = (float(found.made[row, -1]) for row in (2, 0, 4))
    if not np.isfinite(middle):
        return f"{asked.where}: no FSD to be had by the {asked.end}"
    text, span = asked.definition.text(middle), f"80 %: {asked.definition.text(low)} to {asked.definition.text(high)}"
    return shortest(
        f"{asked.where}: {text} {asked.definition.noun} at the {asked.end} ({span})",
        f"{asked.where}, {asked.end}: {text} {asked.definition.noun} ({span})",
        f"{asked.where}, {asked.end}: {text} ({span})",
    )


ROUTES: Final = {"both": "both routes", "local": "local", "export": "export", "shut": "none"}
"""The scenarios of China's data routes, as a title that names all of them calls each."""


def _routes(found: Projection) -> str:
    """How far each of China's data routes comes in the median, where two of them stand beside each other there."""
    asked = found.asked
    other = asked.compared
    if other is None or asked.area != "cn" or not {asked.world.scenario.slug, other.scenario.slug} <= ROUTES.keys():
        return ""
    ends = {one.world.scenario.slug: one.end[0] for one in found.others if one.world.scenario.slug in ROUTES}
    ends[asked.world.scenario.slug] = float(found.made[2, -1])
    if found.beside is not None:
        ends[other.scenario.slug] = float(np.median(found.beside[:, -1]))
    if ends.keys() != ROUTES.keys() or asked.world.moved or not np.isfinite(list(ends.values())).all():
        return ""
    said = [f"{name} {asked.definition.text(ends[slug])}" for slug, name in ROUTES.items()]
    what = asked.definition.noun.removesuffix(" have FSD").removesuffix(" come with FSD").removeprefix("of ")
    return shortest(
        f"{asked.where}, {asked.end}, FSD by data route, {what}: {', '.join(said)}",
        f"FSD in {asked.where}, {asked.end}, by data route: {', '.join(said)}",
        f"{asked.where}, {asked.end}: {', '.join(said)}",
    )


def difference_note(found: Projection) -> str:
    """How far two worlds end apart on the same draws, with the interval; nothing where there is one."""
    asked = found.asked
    if found.beside is None or asked.compared is None:
        return ""
    apart = found.draws[:, -1] - found.beside[:, -1]
    if not np.isfinite(apart).all():
        return ""
    said = [asked.definition.change_text(each) for each in (*words.spread(apart), float(apart.mean()))]
    return (
        f"{asked.world.name} less {asked.compared.name} at the {asked.end}, draw by draw: median {said[0]}, 80 % "
        f"between {said[1]} and {said[2]}, mean {said[3]}."
    )


def _difference(found: Projection, beside: Numbers) -> str:
    """How far two worlds end apart, draw by draw; said to be the same where the interval holds nothing else."""
    asked = found.asked
    other = asked.compared
    assert other is not None
    apart = found.draws[:, -1] - beside[:, -1]
    where = f"{asked.where}, {asked.end}"
    own, others = asked.world.name, other.name
    if not np.isfinite(apart).all():
        return shortest(f"{own} against {others}: {where}", where)
    middle, low, high = words.spread(apart)
    said = [asked.definition.change_text(each) for each in (middle, low, high)]
    noun = "" if asked.definition.is_share else " users"
    if said[1] == said[2]:
        return shortest(f"{own} and {others} come to the same: {where}", f"The two come to the same: {where}")
    difference = f"{said[0]}{noun} (80 %: {said[1]} to {said[2]})"
    return shortest(
        f"{own} against {others}: {difference}, {where}",
        f"{own} v {others}: {difference}, {where}",
        f"{where}: {difference} against {others}",
        f"{where}: {difference}",
    )


def subtitle(asked: Asked) -> str:
    """The definition, the area, the scenario and the one that it is set against."""
    beside = f" v {asked.compared.name}" if asked.compared else ""
    return f"{asked.definition.measure} · {asked.where} · {asked.world.name}{beside}"


def notes(found: Projection) -> tuple[str, ...]:
    """What a reader has to know: the run, the scenario, what it assumes, what stands beside it, what it rests on."""
    asked = found.asked
    if found.forecasts:
        said = [f"{one.forecaster} {forecast_text(one, asked)} by {one.target_date.year}" for one in found.forecasts]
        beside = f"Others (diamonds): {'; '.join(said)}."
    else:
        beside = "No published forecast is of this definition, area and time."
    return (
        words.run_note(asked),
        f"{words.story_note(asked)} {words.ASSUMES}",
        *words.moved_note(asked),
        *filter(None, [difference_note(found)]),
        f"{words.DRAWN} Straight line: {found.line_from}. Other scenarios: medians on the same draws. {beside}",
        words.cars_note(asked.told),
    )


def forecast_text(one: Forecast, asked: Asked) -> str:
    """A forecast from its low to its high end, as its definition prints it."""
    low, high = one.low or 0.0, one.high or one.low or 0.0
    # Round figures are told as such.
    text = [re.sub(r"\.0+ ", " ", asked.definition.text(each)) for each in (low, high)]
    return text[0] if text[0] == text[1] else f"{text[0]} to {text[1]}"
