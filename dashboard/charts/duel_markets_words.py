"""The words of `duel-markets`: how two makers stand in each market, and title, subtitle and notes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from dashboard import style
from dashboard.charts.chart import CARS, shortest
from dashboard.charts.duel import margin_text
from dashboard.charts.market_words import COUNTED, FIGURES, KIND, WINDOWS, first_up, measure_text
from dashboard.lines import Line
from dashboard.metrics import Gap, Lead
from dashboard.sales_lines import MarketFigures
from dashboard.selection import Measure, PowertrainChoice, Selection, Window
from dashboard.windows import month_start
from db.claims import GRAIN_MONTHS


@dataclass(frozen=True)
class Standing:
    """How the two stand in one market: their lines over the figures' periods, the gap (first less second), the lead.

    `before` is the place of the same period a year before, None where that has no gap or was told by another source.
    """

    code: str
    name: str
    figures: MarketFigures
    one: Line
    other: Line
    gap: Gap
    lead: Lead
    before: int | None

    @property
    def at(self) -> int:
        """The place of the market's newest finished period."""
        return self.lead.at

    @property
    def end(self) -> int:
        """The last month of that period."""
        return int(self.figures.start[self.at]) + GRAIN_MONTHS[self.figures.selection.grain.value] - 1

    @property
    def middle(self) -> float:
        """Half-way between the ends of the gap."""
        return float(self.gap.low[self.at] + self.gap.high[self.at]) / 2

    @property
    def since(self) -> str:
        """Since when the lead is held, as far as it is known: 'Jan 2025', 'Dec 2018 or longer'; nothing if open."""
        if not self.lead.side:
            return ""
        text = style.period_text(
            month_start(int(self.figures.start[self.lead.first])), self.figures.selection.grain.value
        )
        return text if self.lead.is_seen else f"{text} or longer"


@dataclass(frozen=True)
class Markets:
    """The standings, who of the two is ahead by most first, and the markets of which nothing can be told."""

    selection: Selection
    names: tuple[str, str]
    standings: tuple[Standing, ...]
    stale: tuple[Standing, ...]
    regions: tuple[str, ...]
    silent: tuple[str, ...]


def title(found: Markets) -> str:
    """In how many markets who leads, in at most 90 characters; who might lead is not counted as leading."""
    selection, standings = found.selection, found.standings
    cars = f"{CARS[selection.powertrain]}{COUNTED[selection.basis]}"
    verb = "outgrows" if selection.measure is Measure.GROWTH else "leads"
    if len(standings) == 1:
        return _title_of_one(standings[0], found, cars=cars, verb=verb)
    sides = Counter(each.lead.side for each in standings)
    ahead, behind = (1, -1) if sides[1] >= sides[-1] else (-1, 1)
    first, second = found.names if ahead == 1 else found.names[::-1]
    total, still_open = len(standings), sum(1 for each in standings if is_undecided(each))
    if not sides[ahead]:
        if still_open < total:
            return shortest(f"Nobody leads {cars} in any of {total} markets: level, or left open by unnamed cars")
        return shortest(f"{first_up(cars)}: unnamed cars leave open who {verb} in all {total} markets")
    end = f", {still_open} open" if still_open else ""
    if sides[ahead] == sides[behind]:
        return shortest(f"{first} and {second} each lead {cars} in {sides[ahead]} of {total} markets{end}")
    rest = f"; {second} in {sides[behind]}{end}" if sides[behind] else end.replace(", ", "; ")
    moved = _moved(found, ahead)
    return shortest(
        f"{first} {verb} {second} in {cars} in {sides[ahead]} of {total} markets{moved}{rest}",
        f"{first} {verb} {second} in {cars} in {sides[ahead]} of {total} markets{rest}",
        f"{first} {verb} {second} in {sides[ahead]} of {total} markets{rest}",
        f"{first} {verb} {second} in {sides[ahead]} of {total} markets",
    )


def is_undecided(standing: Standing, at: int | None = None) -> bool:
    """Whether the unnamed rest leaves open who is ahead, by default now; two that are level are not open."""
    gap, place = standing.gap, standing.at if at is None else at
    return not gap.ahead[place] and bool(gap.low[place] < gap.high[place])


def _moved(found: Markets, side: int) -> str:
    """' (9 a year before)' where every market tells it."""
    if any(each.before is None for each in found.standings):
        return ""
    then = sum(1 for each in found.standings if each.gap.ahead[each.before or 0] == side)
    return f" ({then} a year before)"


def _title_of_one(standing: Standing, found: Markets, *, cars: str, verb: str) -> str:
    when, name = span_text(standing, found.selection), standing.name
    first, second = found.names if standing.lead.side >= 0 else found.names[::-1]
    if standing.lead.side:
        by = margin_text(standing.gap, standing.at, found.selection.measure)
        since = f"; ahead since {standing.since}" if standing.lead.first != standing.at else ""
        return shortest(
            f"{name}: {first} {verb} {second} in {cars} by {by}, {when}{since}",
            f"{name}: {first} {verb} {second} in {cars} by {by}, {when}",
            f"{name}: {first} {verb} {second} by {by}, {when}",
            f"{name}: {first} {verb} {second}, {when}",
        )
    if is_undecided(standing):
        return shortest(f"{name}, {when}: unnamed cars leave open who {verb}")
    return shortest(f"{name}, {when}: {first} and {second} are level")


def span_text(standing: Standing, selection: Selection) -> str:
    """'12 months to Jun 2026', 'Jun 2026', 'Q1 2026'."""
    last = style.period_text(month_start(standing.end), "month")
    if selection.window is Window.TTM:
        return f"12 months to {last}"
    if selection.window is Window.THREE_MONTHS:
        return f"3 months to {last}"
    if selection.window is Window.YTD:
        return f"year to {last}"
    return style.period_text(month_start(int(standing.figures.start[standing.at])), selection.grain.value)


def doubt_text(found: Markets) -> str:
    """In how many markets it is open who is ahead, for the badge; nothing where in none."""
    count = sum(1 for each in found.standings if is_undecided(each))
    if not count:
        return ""
    return f"In {count} market{'s' if count > 1 else ''} the unnamed rest leaves open who is ahead."


def subtitle(found: Markets) -> str:
    """How many markets, who against whom, what is counted, and over how long."""
    selection = found.selection
    count = len(found.standings)
    where = f"{count} markets" if count > 1 else found.standings[0].name
    against = f"{found.names[0]} against {found.names[1]}"
    what = f"Passenger {KIND[selection.powertrain]} {FIGURES[selection.basis]}"
    full, brief = WINDOWS[selection.window]
    grain = {"month": "newest month", "quarter": "newest quarter", "year": "newest year"}[selection.grain.value]
    return shortest(
        f"{where}. {what}, {against}, {measure_text(selection)}; {full or grain}",
        f"{where}. {what}, {against}, {measure_text(selection)}; {brief or grain}",
        f"{where}. {what}, {measure_text(selection)}; {brief or grain}",
    )


def notes(found: Markets) -> tuple[str, ...]:
    """How bars are read, how far each market reaches, and which markets are left out and why."""
    selection, notes = found.selection, []
    hatched = [each for each in found.standings if _is_wide(each)]
    if hatched:
        notes.append(
            "A solid bar is the least by which one is ahead; the hatched part, or a hatched bar across zero, is what "
            "cars that are published without a name leave open."
        )
    if any(each.before is not None for each in found.standings):
        notes.append("A short line marks where the solid bar ended a year before.")
    by_end = Counter(each.end for each in found.standings)
    if len(by_end) > 1:
        usual, count = by_end.most_common(1)[0]
        notes.append(
            f"Each market up to its own newest figures: {count} of {len(found.standings)} to "
            f"{style.period_text(month_start(usual), 'month')}, the others print theirs."
        )
    elif len(found.standings) > 1:
        (end,) = by_end
        notes.append(f"All markets up to {style.period_text(month_start(end), 'month')}.")
    if found.stale:
        listed = ", ".join(
            f"{each.name} (to {style.period_text(month_start(each.end), 'month')})" for each in found.stale
        )
        notes.append(f"Left out, since their newest figures by maker are more than a year older: {listed}.")
    if found.silent:
        notes.append(f"No such figures of both makers: {', '.join(found.silent)}.")
    if found.regions:
        notes.append(f"Left out, since it overlaps its countries: {', '.join(found.regions)}.")
    if selection.measure is not Measure.GROWTH and len(found.standings) > 1:
        notes.append("Markets stand side by side: nothing is added up or ranked over them.")
    if selection.powertrain is PowertrainChoice.BEV:
        notes.append("Plug-in hybrids are not in these figures.")
    return tuple(notes)


def _is_wide(standing: Standing) -> bool:
    gap, at = standing.gap, standing.at
    return bool(gap.high[at] - gap.low[at] > 0.02 * max(abs(gap.low[at]), abs(gap.high[at]), 1e-9))
