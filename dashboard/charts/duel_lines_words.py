"""The words of `duel-lines`: two lines and the gap between them, and title, subtitle and notes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dashboard import metrics, style
from dashboard.charts import duel
from dashboard.charts.chart import CARS, shortest
from dashboard.charts.market_notes import bounds_notes, common_notes
from dashboard.charts.market_words import (
    Drawn,
    amount_text,
    cars_name,
    first_up,
    marked_text,
    period_name,
    place_name,
    value_text,
)
from dashboard.lines import Line, maker_name
from dashboard.metrics import Gap, Lead
from dashboard.sales_lines import MarketFigures
from dashboard.selection import BasisChoice, Measure, PowertrainChoice
from dashboard.windows import month_start
from db.claims import GRAIN_MONTHS, Floats

RUN_UP = 24
"""Months drawn before the first period that has both figures: what one maker did long before is no duel."""

MOST_MARKED = 8
"""Changes of the lead that are drawn across the plot at the most: more would hide the lines."""


@dataclass(frozen=True)
class Duel:
    """Two lines of the same figures and the gap between them, or one line with its growth on the year.

    The gap is the first line less the second. `growth` is of the only line, over the figures' periods (L), a fraction.
    """

    figures: MarketFigures
    lines: tuple[Line, ...]
    gap: Gap | None
    lead: Lead | None
    growth: Floats | None

    @property
    def drawn(self) -> Drawn:
        """The lines as the words and the plot of a market take them."""
        return Drawn(figures=self.figures, lines=self.lines)

    @property
    def opening(self) -> int:
        """The first period on the time axis, by its place: the range asked for, or soon before both have figures."""
        start = self.figures.start
        if self.gap is None or self.figures.selection.since or np.isnan(self.gap.value).all():
            return 0
        both = int(start[np.flatnonzero(~np.isnan(self.gap.value))[0]])
        return int(np.searchsorted(start, both - RUN_UP))


def title(found: Duel) -> str:
    """Who leads since when and by how much, in at most 90 characters; what bounds or gaps leave open is not said."""
    if found.gap is None:
        return _title_of_one(found)
    figures, lead = found.figures, found.lead
    one, other = found.lines
    names = [printed_name(line, figures) for line in found.lines]
    cars = _cars(figures)
    if lead is None:
        parts = [f"{name} {_newest(line, figures)}" for name, line in zip(names, found.lines, strict=True)]
        return shortest(
            f"{first_up(cars)}: {' and '.join(parts)}; no finished period has both",
            f"{' and '.join(parts)}; no finished period has both",
            f"{first_up(cars)}: no finished period has both {names[0]} and {names[1]}",
            "No finished period has both",
        )
    when = period_name(figures, lead.at)
    measure = figures.selection.measure
    if lead.side == 0:
        return _open_title(found, lead, names=names, cars=cars, when=when)
    first, second = names if lead.side > 0 else names[::-1]
    verb = "outgrows" if measure is Measure.GROWTH else "leads"
    by = duel.margin_text(found.gap, lead.at, measure)
    unlike = " (unlike bases)" if one.basis != other.basis else ""
    since = _since(found, lead)
    if since:
        return shortest(
            f"{first} {verb} {second} in {cars} {since}, by {by} in {when}{unlike}",
            f"{first} {verb} {second} in {CARS[figures.selection.powertrain]} {since}, by {by} in {when}{unlike}",
            f"{first} {verb} {second} {since}, by {by} in {when}{unlike}",
            f"{first} {verb} {second} in {cars} by {by} in {when}{unlike}",
            f"{first} {verb} {second} by {by} in {when}{unlike}",
            f"{first} {verb} {second} in {when}{unlike}",
        )
    before = _before(found, lead, names)
    return shortest(
        f"{first} {verb} {second} in {cars} in {when}, by {by}{unlike}{before}",
        f"{first} {verb} {second} in {cars} in {when}, by {by}{unlike}",
        f"{first} {verb} {second} in {when}, by {by}{unlike}",
        f"{first} {verb} {second} in {when}{unlike}",
    )


def _cars(figures: MarketFigures) -> str:
    """'German BEVs', 'world BEVs': the cars; how headline figures are counted is each line's own."""
    if figures.selection.basis is BasisChoice.REPORTED:
        return f"{place_name(figures)} {CARS[figures.selection.powertrain]}"
    return cars_name(figures)


def printed_name(line: Line, figures: MarketFigures) -> str:
    """A line's maker or group by name."""
    return maker_name(line.maker, figures.selection, figures.nouns)


def _newest(line: Line, figures: MarketFigures) -> str:
    """A line's last value with its period."""
    at = int(np.flatnonzero(~np.isnan(line.value))[-1])
    return f"{amount_text(line, at, figures.selection)} in {period_name(figures, at)}"


def _since(found: Duel, lead: Lead) -> str:
    """Since when the lead is held, as far as it is known; nothing where it is held in its last period only."""
    if lead.first == lead.at:
        return ""
    grain = found.figures.selection.grain
    since = style.period_text(month_start(int(found.figures.start[lead.first])), grain.value)
    if not lead.is_unbroken:
        return f"in every known {grain} since {since}"
    return f"since {since}" if lead.is_seen else f"since {since} or longer"


def _before(found: Duel, lead: Lead, names: list[str]) -> str:
    """Who led in the period just before a lead that is held in its last period only."""
    if not lead.is_seen or found.gap is None:
        return ""
    side = int(found.gap.ahead[lead.first - 1])
    when = period_name(found.figures, lead.first - 1)
    return f"; {names[0] if side > 0 else names[1]} led in {when}" if side else ""


def _open_title(found: Duel, lead: Lead, *, names: list[str], cars: str, when: str) -> str:
    assert found.gap is not None
    selection = found.figures.selection
    if found.gap.low[lead.at] == found.gap.high[lead.at]:
        each = value_text(float(found.lines[0].value[lead.at]), selection.measure)
        return shortest(
            f"{names[0]} and {names[1]} are level in {cars} in {when}: {each} each",
            f"{names[0]} and {names[1]} are level in {when}: {each} each",
            f"Both are level in {when}: {each} each",
        )
    parts = [f"{name} {marked_text(line, lead.at, selection)}" for name, line in zip(names, found.lines, strict=True)]
    question = "grows faster" if selection.measure is Measure.GROWTH else "leads"
    return shortest(
        f"{first_up(cars)}, {when}: unnamed cars leave open who {question}; {', '.join(parts)}",
        f"{when.removeprefix('the ')}: unnamed cars leave open who {question}; {', '.join(parts)}",
        f"{when.removeprefix('the ')}: unnamed cars leave open who {question}",
    )


def _title_of_one(found: Duel) -> str:
    figures, (line,) = found.figures, found.lines
    at = int(np.flatnonzero(~np.isnan(line.value) & ~figures.unfinished)[-1:].sum())
    name, when = printed_name(line, figures), period_name(figures, at)
    amount = amount_text(line, at, figures.selection)
    if figures.selection.measure is Measure.GROWTH:
        return shortest(f"{name}'s {_cars(figures)}, {when.removeprefix('the ')}: {amount} on a year before")
    grown = found.growth[at] if found.growth is not None else np.nan
    change = f", {style.growth_text(float(grown))} on a year before" if not np.isnan(grown) else ""
    return shortest(
        f"{name}: {amount} {_cars(figures)} in {when}{change}",
        f"{name}: {amount} in {when}{change}",
        f"{name}: {amount} in {when}",
    )


def notes(found: Duel) -> tuple[str, ...]:
    """What bounds leave open, what unlike bases count, and which periods have no gap."""
    figures, selection = found.figures, found.figures.selection
    notes = bounds_notes(found.drawn)
    names = [printed_name(line, figures) for line in found.lines]
    if found.gap is None:
        notes.append(
            f"Sales outside the home market are inside {names[0]}'s total, never beside it; commercial vehicles are "
            "counted here."
        )
    elif len({line.basis for line in found.lines}) > 1:
        counted = " and ".join(
            f"{name} states {_STATED[line.basis]}" for name, line in zip(names, found.lines, strict=True)
        )
        notes.append(
            f"Unlike bases: {counted}. The two stand side by side; the gap is their difference as stated, and no sum, "
            "share or ratio is made of them."
        )
    if selection.basis is BasisChoice.REPORTED and "byd" in selection.makers:
        kind = {PowertrainChoice.BEV: "battery-electric ", PowertrainChoice.PHEV: "plug-in hybrid "}
        notes.append(
            f"BYD's figures here are its {kind.get(selection.powertrain, '')}passenger cars: the total that it "
            "announces has all its new-energy vehicles, with buses and trucks."
        )
    if found.gap is not None:
        notes += _gap_notes(found, names)
    return (*notes, *common_notes(found.drawn))


_STATED = {
    "delivery": "deliveries to customers",
    "wholesale": "sales to dealers and abroad",
}


def _gap_notes(found: Duel, names: list[str]) -> list[str]:
    """Which periods have no gap since either side's figure is missing, and how often the lead changed."""
    assert found.gap is not None
    figures, notes = found.figures, []
    grain = figures.selection.grain.value
    step = GRAIN_MONTHS[grain]
    known = np.flatnonzero(~np.isnan(found.gap.value))
    if len(known):
        every = range(int(figures.start[known[0]]), int(figures.start[-1]) + 1, step)
        missing = [month for month in every if month not in set(figures.start[known].tolist())]
        if missing:
            listed = ", ".join(style.period_text(month_start(month), grain) for month in missing[-4:])
            more = f" and {len(missing) - 4} before" if len(missing) > 4 else ""
            notes.append(
                f"No gap in {listed}{more}: {names[0]} or {names[1]} has no figure there, and none is filled in."
            )
    changes = metrics.lead_changes(ahead_by_period(found))
    if len(changes):
        last = style.period_text(month_start(int(figures.start[changes[-1]])), grain)
        times = "once" if len(changes) == 1 else f"{len(changes)} times"
        marked = " (dotted lines)" if len(changes) <= MOST_MARKED else ""
        notes.append(f"The lead changed {times}{marked} between the periods that have both, the last time by {last}.")
    if found.opening:
        first = style.period_text(month_start(int(figures.start[found.opening])), grain)
        notes.append(f"Drawn from {first}: before, no period has both; all periods are in the download.")
    return notes


def ahead_by_period(found: Duel) -> Floats:
    """Who is certainly ahead in each finished period."""
    assert found.gap is not None
    return np.where(found.figures.unfinished, np.nan, found.gap.ahead)
