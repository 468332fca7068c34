"""What a market map shows of each country, and how it is told: tiles, title, subtitle, notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dashboard import style
from dashboard.charts.chart import CARS, shortest
from dashboard.charts.market_words import (
    COUNTED,
    FIGURES,
    KIND,
    amount_text,
    change_on_year,
    first_up,
    marked_text,
    period_name,
)
from dashboard.lines import Line, maker_name
from dashboard.sales_lines import MarketFigures
from dashboard.selection import Measure, PowertrainChoice, Selection
from dashboard.windows import month_start
from db.queries import Nouns
from db.vocabulary import Grain

_LISTED = 6
"""Markets that a note names before it counts the rest."""

_SHARES = (
    (0.02, 0.05, 0.10, 0.20, 0.40, 0.70),
    (0.005, 0.01, 0.02, 0.04, 0.08, 0.16),
    (0.001, 0.002, 0.004, 0.008, 0.016, 0.032),
)
"""Where steps of shares begin, the widest scale first; the narrowest one that tells the largest apart is taken."""

_CARS = (1_000, 5_000, 20_000, 100_000, 500_000, 2_000_000)


def scale(largest: float, measure: Measure) -> tuple[float, ...]:
    """The values at which the second and each further step of the shades begin, for values up to the largest."""
    if measure is Measure.UNITS:
        return _CARS
    return next((steps for steps in reversed(_SHARES) if largest < 2 * steps[-1]), _SHARES[0])


@dataclass(frozen=True)
class Tile:
    """A market with its newest figure: the period at place `at` of a line of some figures."""

    code: str
    name: str
    adjective: str
    is_region: bool
    figures: MarketFigures
    line: Line
    at: int

    @property
    def start(self) -> int:
        """The first month of the period that labels the figure."""
        return int(self.figures.start[self.at])

    @property
    def last(self) -> int:
        """The last month that is in the figure."""
        return self.start + self.figures.selection.grain.months - 1

    @cached_property
    def value(self) -> float:
        return float(self.line.value[self.at])

    @property
    def is_named(self) -> bool:
        """Whether the publisher names the maker; always of all makers together."""
        return bool(self.line.named[self.at])

    @cached_property
    def period(self) -> str:
        """'12 months to Apr 2026', '2024', 'Q1 2026'."""
        if self.figures.selection.grain is Grain.YEAR:
            return str(month_start(self.start).year)
        return period_name(self.figures, self.at).removeprefix("the ")

    @cached_property
    def amount(self) -> str:
        """The value with its bound."""
        return marked_text(self.line, self.at, self.figures.selection)

    @cached_property
    def change(self) -> str:
        """By how much it changed on the year: '+1.2 pp' of a share, '+12.3 %' of cars; nothing where that is open."""
        change = change_on_year(self.line, self.figures, self.at)
        if change is None:
            return ""
        if self.figures.selection.measure is Measure.UNITS:
            before = self.value - change.value
            return style.growth_text(change.value / before) if before > 0 and change.least == change.most else ""
        return style.pp_text(change.value) if change.most - change.least <= 0.001 else ""


@dataclass(frozen=True)
class Map:
    """The tiles that have a figure, the largest value first, and for each market asked for that has none the reason."""

    selection: Selection
    tiles: tuple[Tile, ...]
    without: dict[str, str]
    names: Mapping[str, str]

    @property
    def countries(self) -> tuple[Tile, ...]:
        """The tiles that are no regions."""
        return tuple(tile for tile in self.tiles if not tile.is_region)

    @property
    def usual(self) -> str:
        """The period of most tiles of the finest grain that there is: what other tiles are marked against."""
        return self.typical.period

    @cached_property
    def typical(self) -> Tile:
        """A tile of that period."""
        finest = min((tile.figures.selection.grain for tile in self.tiles), key=lambda grain: grain.months)
        fine = [tile for tile in self.tiles if tile.figures.selection.grain is finest]
        counted = Counter(tile.last for tile in fine)
        last = max(counted, key=lambda month: (counted[month], month))
        return next(tile for tile in fine if tile.last == last)

    @property
    def steps(self) -> tuple[float, ...]:
        """The scale of the shades; regions are no part of what it has to tell apart."""
        return scale(max(tile.value for tile in self.countries or self.tiles), self.selection.measure)


def title(shown: Map, nouns: Nouns) -> str:
    """The finding in at most 90 characters, of countries where there are any: regions overlap them.

    Tiles are of different periods, so that it says how far countries are, and never who was ahead in a period.
    """
    selection, tiles = shown.selection, shown.countries or shown.tiles
    cars = first_up(CARS[selection.powertrain] + COUNTED[selection.basis])
    if selection.makers:
        return _title_of_maker(shown, tiles, cars=cars, nouns=nouns)
    first = tiles[0]
    if selection.measure is Measure.UNITS:
        parts = [f"{tile.name} {tile.amount}" for tile in tiles[:3]]
        return shortest(*(f"{cars}: {', '.join(parts[:count])}, newest figures" for count in (3, 2, 1)))
    far = f"{cars} are {first.amount} of {first.adjective} cars"
    if len(tiles) == 1:
        when = f"{far} in {period_name(first.figures, first.at)}"
        return shortest(*([f"{when}, {first.change} on a year before"] if first.change else []), when, far)
    for part, word in ((0.5, "half"), (0.2, "a fifth"), (0.1, "a tenth")):
        count = sum(tile.value >= part for tile in tiles)
        if 1 < count >= len(tiles) / 4:
            return shortest(
                f"{far}, and {word} or more in {count} of {len(tiles)} countries"
                if shown.countries
                else f"{far}, and {word} or more in {count} of {len(tiles)} regions",
                far,
            )
    last = tiles[-1]
    return shortest(f"{far}, {last.amount} of {last.adjective} ones, newest figures", far)


def _title_of_maker(shown: Map, tiles: Sequence[Tile], *, cars: str, nouns: Nouns) -> str:
    selection = shown.selection
    maker = maker_name(selection.makers[0], selection, nouns)
    named = [tile for tile in tiles if tile.is_named]
    if not named:
        return shortest(f"{maker} is named in none of {len(tiles)} markets' newest figures", maker)
    whole = CARS[selection.denominator] + COUNTED[selection.basis]
    of = f" of {'all ' if selection.denominator is PowertrainChoice.ALL else ''}{whole}"
    what = of if selection.measure is Measure.SHARE else f" {cars}"
    parts = [f"{tile.name} {amount_text(tile.line, tile.at, tile.figures.selection)}" for tile in named[:2]]
    count = f"named in {len(named)} of {len(tiles)} markets"
    return shortest(
        f"{maker}: {', '.join(parts)}{what}; {count}",
        f"{maker}: {parts[0]}{what}; {count}",
        f"{maker}: {parts[0]}{what}",
    )


def subtitle(shown: Map, nouns: Nouns) -> str:
    """What the tiles count, and where."""
    selection = shown.selection
    where = "All markets with figures" if not selection.market else f"{len(selection.market)} markets"
    if len(selection.market) == 1:
        where = nouns.markets[selection.market[0]]
    who = f", {maker_name(selection.makers[0], selection, nouns)}" if selection.makers else ""
    measure = "in cars"
    if selection.measure is Measure.SHARE:
        of = shown.tiles[0].figures.selection.denominator
        measure = f"share of {'all cars' if of is PowertrainChoice.ALL else CARS[of]} in %"
    what = f"Passenger {KIND[selection.powertrain]} {FIGURES[selection.basis]}{who}, {measure}"
    return f"{where}. {what}; {shown.usual}, or the newest (dashed)"


def notes(shown: Map) -> tuple[str, ...]:
    """What a reader has to know of the tiles: bounds, other periods, what is not on the map."""
    said = []
    if any(tile.amount.startswith(("≥", "≤")) for tile in shown.tiles):
        said.append(
            "≥ marks a lower bound, ≤ a maker that is not named: the publisher's unnamed rest could hide more of it."
        )
    share = shown.selection.measure is Measure.SHARE
    if any(tile.change for tile in shown.tiles):
        said.append(f"Small: change on a year before in {'percentage points' if share else '%'}.")
    others: dict[str, list[str]] = {}
    usual = shown.usual
    for tile in sorted(shown.tiles, key=lambda tile: -tile.last):
        if tile.period != usual:
            others.setdefault(tile.period, []).append(tile.name)
    if others:
        told = "; ".join(f"{period}: {_listed(names)}" for period, names in others.items())
        said.append(f"Dashed, of another period than the others: {told}.")
    if shown.without:
        names = [shown.names[code] for code in shown.without]
        (reason, _), *_ = Counter(shown.without.values()).most_common(1)
        said.append(f"No data: {_listed(names)}{' (mostly: ' if len(names) > 1 else ' ('}{reason}).")
    if shown.selection.powertrain is PowertrainChoice.BEV:
        said.append("Plug-in hybrids are not in these figures.")
    if shown.selection.since:
        said.append("A map is of one period: the start of the range means nothing to it.")
    return tuple(said)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
