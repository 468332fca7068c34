"""The words of `fsd-revenue`: the revenue of a world, and title, subtitle and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from dashboard import style
from dashboard.charts import projection_words as words
from dashboard.charts.chart import shortest
from dashboard.charts.projection_words import Asked, Numbers
from dashboard.fsd_record import AttachPoint
from dashboard.projected import ROUTES, Hedge
from dashboard.projections import record
from dashboard.projections.record import Forecast
from db.vocabulary import Grain

TITLE_YEAR: Final = 2030
"""The year of which the title tells, where it is shown."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Money of the periods shown, in US dollars: draws (N, P) of recognised and received revenue, the means (P) of the
    parts of what is recognised, and draws of the deferred balance at the period's end."""

    recognised: Numbers
    received: Numbers
    parts: Mapping[str, Numbers]
    deferred: Numbers
    arr: Numbers


@dataclass(frozen=True, eq=False)
class Revenue:
    """What is drawn: periods by their first quarter, each of `length` quarters; the world's sums and the other's.

    `line` is the straight line of recognised revenue in the periods ahead (NaN before). `balances` are published
    deferred revenue, which holds more than FSD. `hedge` is there where data routes are compared.
    """

    asked: Asked
    starts: tuple[int, ...]
    length: int
    sums: Sums
    beside: Sums | None
    line: Numbers
    balances: tuple[AttachPoint, ...]
    forecasts: tuple[Forecast, ...]
    hedge: Hedge | None

    @property
    def is_ahead(self) -> list[bool]:
        """Whether a period is projected, at least in part."""
        return [start + self.length > self.asked.ahead for start in self.starts]

    def name(self, start: int) -> str:
        """A period in words."""
        return str(start // 4) if self.length == 4 else words.quarter_text(start)

    def at(self, start: int) -> str:
        """The day in the middle of a period, where its bar stands."""
        first, after = record.quarter_start(start), record.quarter_start(start + self.length)
        return (first + (after - first) / 2).isoformat()


def money(amount: float) -> str:
    """US dollars in words: `4.61 bn USD`, `350 M USD`, `none`."""
    sign = style.MINUS if amount < 0 else ""
    size = abs(amount)
    if size >= 0.9995e9:
        return f"{sign}{size / 1e9:,.3g} bn USD"
    if size >= 0.5e6:
        return f"{sign}{size / 1e6:,.3g} M USD"
    return "no USD" if size < 1 else f"{sign}<1 M USD"


def span_text(low: float, high: float) -> str:
    """Money from one end to the other: '1.68 to 4.18 bn USD'."""
    first, last = money(low), money(high)
    return (
        f"{first.removesuffix(' bn USD') if last.endswith('bn USD') and first.endswith('bn USD') else first} to {last}"
    )


def title(found: Revenue) -> str:
    """What the hedge is worth, how far two worlds are apart, or what comes in a year."""
    asked = found.asked
    if found.hedge is not None:
        return _hedge_title(found, found.hedge)
    if found.beside is not None and asked.compared is not None:
        return _difference(found, found.beside)
    at = found.starts.index(TITLE_YEAR * 4) if TITLE_YEAR * 4 in found.starts and found.length == 4 else -1
    middle, low, high = words.spread(found.sums.recognised[:, at])
    if not high:
        return f"{asked.where}: no FSD revenue by the {asked.end}"
    when = found.name(found.starts[at])
    return shortest(
        f"{asked.where}: FSD brings {money(middle)} in {when} by the median draw (80 %: {span_text(low, high)})",
        f"{asked.where}: {money(middle)} of FSD revenue in {when} (80 %: {span_text(low, high)})",
        f"{asked.where}, {when}: {money(middle)} (80 %: {span_text(low, high)})",
    )


def _hedge_title(found: Revenue, hedge: Hedge) -> str:
    where = found.asked.where
    if abs(hedge.plain) < 0.5e6:
        return shortest(f"{where}: trying both data routes brings no more than the better one, to 2035")
    plain, discounted = money(hedge.plain), money(hedge.discounted)
    return shortest(
        f"{where}: both data routes bring {plain} more than the better one ({discounted} at 10 %)",
        f"{where}: both routes are worth {plain} over the better one ({discounted} at 10 %)",
        f"{where}: the hedge is worth {plain}, {discounted} at 10 %",
    )


def _difference(found: Revenue, beside: Sums) -> str:
    asked = found.asked
    assert asked.compared is not None
    ahead = np.array(found.is_ahead)
    apart = (found.sums.recognised - beside.recognised)[:, ahead].sum(axis=1, dtype=np.float64)
    span = f"to the {asked.end}"
    if not ahead.any() or not np.abs(apart).max() > 0.5e6:
        return shortest(
            f"{asked.world.name} and {asked.compared.name} bring the same, {asked.where}", "Both bring the same"
        )
    middle, low, high = words.spread(apart)
    more = "more" if middle >= 0 else "less"
    low, high = (low, high) if middle >= 0 else (-high, -low)
    said = f"{money(abs(middle))} {more} (80 %: {span_text(low, high)})"
    return shortest(
        f"{asked.where}: {asked.world.name} brings {said} than {asked.compared.name} {span}",
        f"{asked.where}: {said} than {asked.compared.name} {span}",
        f"{asked.where}: {said} than {asked.compared.name}",
        f"{asked.where}: {said} {span}",
    )


def subtitle(found: Revenue) -> str:
    """What the bars are of, the area and the scenario."""
    asked = found.asked
    each = "a year" if found.length == 4 else "a quarter"
    beside = f" v {asked.compared.name}" if asked.compared else ""
    return (
        f"Recognised revenue {each} by its parts (means), money received, and what is deferred · {asked.where} · "
        f"US dollars without tax · {asked.world.name}{beside}"
    )


def notes(found: Revenue) -> tuple[str, ...]:
    """What a reader has to know: the run, how the parts hang together, the hedge, what is left out."""
    asked = found.asked
    flow = (
        "Of what is paid for good a part is booked at the sale, the rest deferred and released later; subscriptions "
        "count as billed. Whiskers: 80 % of draws; straight line: through the model's last two years with data. "
        "Robotaxis are not in it."
    )
    if found.balances:
        flow += " Published deferred revenue (points) also holds connectivity and Supercharging: an upper bound."
    if not found.sums.parts["licence"].any():
        flow += " No licence income in this world." if "CN" in asked.regions else " Licences are to Chinese makers."
    said = [words.run_note(asked), f"{words.story_note(asked)} {words.ASSUMES}", *words.moved_note(asked), flow]
    if found.hedge is not None:
        means = ", ".join(f"{name} {money(found.hedge.means[name])}" for name in ROUTES)
        said.append(
            f"The hedge: expected recognised revenue of both routes less that of the better one, from "
            f"{words.quarter_text(found.hedge.since)} to 2035, on the same draws: {money(found.hedge.plain)} "
            f"undiscounted, {money(found.hedge.discounted)} at 10 % a year ({means}). What the routes cost is left out."
        )
    if found.forecasts:
        told = [
            f"{one.forecaster} {span_text(one.low or 0.0, one.high or 0.0)} for {one.target_date.year}"
            for one in found.forecasts
        ]
        said.append(f"Others' forecasts (diamonds): {'; '.join(told)}.")
    else:
        said.append("No published forecast is of FSD revenue in this area and time.")
    if asked.selection.grain is Grain.MONTH:
        said.append("The projection is by quarter: there is nothing by month.")
    return tuple(said)
