"""The words of `share-change`: what was found, and its title, subtitle and notes, made by rule from the figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dashboard import style
from dashboard.charts.chart import CARS, shortest
from dashboard.charts.market_notes import common_notes
from dashboard.charts.market_words import (
    COUNTED,
    FIGURES,
    KIND,
    Drawn,
    cars_name,
    first_up,
    listed,
    measure_text,
    period_name,
    places,
    rest_share,
)
from dashboard.comparability import is_within_market
from dashboard.lines import Line, maker_name
from dashboard.sales_lines import MarketFigures
from dashboard.selection import By, Measure, Selection
from dashboard.windows import month_number, month_start
from db.claims import GRAIN_MONTHS

TELLING = 0.0005
"""A change below this part of a market rounds to no tenth of a percentage point, and is no finding."""


@dataclass(frozen=True, eq=False)
class Move:
    """The change of one entity's share: `line` has the shares of the two periods, `value`, `low`, `high` the change.

    `parts`: own cars, market growth, mix of markets; NaN where a publisher does not name the entity in both periods.
    """

    line: Line
    value: float
    low: float
    high: float
    parts: tuple[float, float, float]

    @property
    def certain(self) -> float:
        """The least of the change that is certain; NaN where it could be a gain or a loss."""
        return self.low if self.low > 0 else self.high if self.high < 0 else 0.0 if self.low == self.high else np.nan

    @property
    def is_named(self) -> bool:
        """Whether both shares are figures: who is not named is known to have none only where nothing is hidden."""
        return bool((self.line.named | (self.line.high == 0)).all())

    @property
    def is_open(self) -> bool:
        """Whether the unnamed rest leaves the change open by more than a reader would round away."""
        return self.high - self.low > 0.001

    @property
    def is_sure(self) -> bool:
        """Whether it is certainly a gain, or certainly a loss, of more than nothing."""
        return self.low >= TELLING or self.high <= -TELLING

    @property
    def size(self) -> float:
        """How much certainly moved, by which the largest changes are chosen."""
        return abs(self.value) if self.is_named else max(self.low, -self.high, 0.0)

    @property
    def text(self) -> str:
        """'+1.2 pp', or '−0.3 to +1.2 pp' where it is open."""
        if not self.is_open:
            return style.pp_text(self.value)
        low, high = (style.pp_text(end).removesuffix(" pp") for end in (self.low, self.high))
        return f"{low} to {high} pp"


@dataclass(frozen=True)
class Changes:
    """The changes between two periods: `figures` has the shares in these two alone, the earlier one first.

    `moves` are all entities that can be compared, the largest gain first, and `drawn` those of them that are; `rest`
    is the publishers' unnamed rest. `models` are the parts of a single maker's own growth that single models make, by
    name. `later` is what there is after the later period, in words, where something keeps it from being compared.
    `one_sided` are the entities that have a share in one of the periods only, so that they have no change.
    """

    figures: MarketFigures
    moves: tuple[Move, ...]
    drawn: tuple[Move, ...]
    rest: Move | None
    models: tuple[tuple[str, float], ...]
    later: tuple[str, ...]
    one_sided: tuple[Line, ...]

    @property
    def single(self) -> Move | None:
        """The one entity that the reader asked for, whose change is drawn step by step."""
        selection = self.figures.selection
        named = selection.makers or selection.models
        return self.moves[0] if named and len(self.moves) == 1 else None

    @property
    def others(self) -> tuple[Move, ...]:
        """The entities that are not drawn and can be put together: all that are named in both periods."""
        return tuple(move for move in self.moves if move not in self.drawn and move.is_named)

    @property
    def years(self) -> int:
        """How many years lie between the two periods."""
        return int(self.figures.start[1] - self.figures.start[0]) // 12


def title(found: Changes) -> str:
    """Who gained and who lost, in at most 90 characters.

    "gained most" is only said where nobody else could have gained more, neither a named one nor one hidden in the rest;
    a gain or loss only where the bounds leave its sign certain.
    """
    figures = found.figures
    cars, when = _of_what(figures), _when(found)
    if found.single:
        return _single_title(found.single, cars=cars, when=when)
    sure = [move for move in found.moves if move.is_sure and not move.line.is_own_rest]
    up, down = [move for move in sure if move.low > 0], [move for move in sure if move.high < 0]
    if not sure:
        return _open_title(found, cars=cars, when=when)
    up.sort(key=lambda move: -move.low)
    down.sort(key=lambda move: move.high)
    gained = f"{up[0].line.name} gained most" if up and _is_most(up[0], found) else ""
    lost = f"{down[0].line.name} lost most" if down and _is_most(down[0], found, sign=-1) else ""
    where = f"{first_up(cars)}, {when}"
    if gained and lost:
        return shortest(
            f"{where}: {gained} share, {_least_text(up[0])}; {lost}, {_least_text(down[0])}",
            f"{where}: {gained}, {_least_text(up[0])}; {lost}, {_least_text(down[0])}",
            f"{where}: {gained} share, {_least_text(up[0])}",
            f"{when}: {gained} share, {_least_text(up[0])}",
        )
    if gained or lost:
        most, of = (gained, up) if gained else (lost, down)
        other = (down or up[1:])[:1] if gained else (up or down[1:])[:1]
        also = "".join(f"; {move.line.name} {_sure_text(move)}" for move in other)
        return shortest(
            f"{where}: {most} share, {_least_text(of[0])}{also}",
            f"{where}: {most}, {_least_text(of[0])}{also}",
            f"{where}: {most} share, {_least_text(of[0])}",
            f"{when}: {most} share, {_least_text(of[0])}",
        )
    # The strongest gain and the strongest loss first, then who else certainly moved.
    ends = [move for side in (up, down) for move in side[:1]]
    ends += [move for move in sorted(sure, key=lambda move: -move.size) if move not in ends]
    texts = [f"{move.line.name} {_sure_text(move)}" for move in ends]
    return shortest(
        *(f"{where}: {', '.join(texts[:count])}" for count in (3, 2, 1)),
        f"{when}: {', '.join(texts[:2])}",
        f"{when}: {texts[0]}",
    )


def _of_what(figures: MarketFigures) -> str:
    """What the shares are of: 'German BEVs', 'BEV share of cars' by market, 'Tesla's share of BEVs' by market."""
    selection = figures.selection
    counted = COUNTED[selection.basis]
    if selection.by is not By.MARKET:
        of_all = selection.denominator is not selection.powertrain and selection.by is not By.POWERTRAIN
        return cars_name(figures) + (f" of all {CARS[selection.denominator]}" if of_all else "")
    if not is_within_market(selection):
        return f"{len(selection.market)} markets' {CARS[selection.powertrain]}{counted}"
    whole = f"share of {CARS[selection.denominator]}{counted}"
    if not selection.makers:
        return f"{KIND[selection.powertrain]} {whole}"
    return (
        f"{maker_name(selection.makers[0], selection, figures.nouns)}'s {whole}"
        if len(selection.makers) == 1
        else whole
    )


def _when(found: Changes) -> str:
    """'Jan to Jun 2026', with the year that it is compared with if that is not the one before."""
    when = period_name(found.figures, 1).removeprefix("the ")
    return when if found.years == 1 else f"{when} on {_year(found.figures, 0)}"


def _is_most(first: Move, found: Changes, *, sign: int = 1) -> bool:
    """Whether nobody else can have gained more (for sign -1 lost): within its bounds, hidden, or newly named."""
    gained = sign > 0
    least = first.low if gained else -first.high
    others = [move for move in found.moves if move is not first and not move.line.is_own_rest]
    most = [move.high if gained else -move.low for move in others]
    # Who is in a rest, or named in one period only, can have had all of it in the one and nothing in the other.
    hidden = [move.line for move in (*found.moves, found.rest) if move and (move.line.is_rest or move.line.is_own_rest)]
    most += [float(line.high[1 if gained else 0]) for line in (*hidden, *found.one_sided)]
    return not any(end >= least for end in most)


def _sure_text(move: Move) -> str:
    """'+1.2 pp', or the end of the interval that is certain: 'up ≥1.2 pp', 'down ≥1.2 pp'."""
    if not move.is_open:
        return style.pp_text(move.value)
    way, least = ("up", move.low) if move.low > 0 else ("down", -move.high)
    return f"{way} ≥{style.pp_text(least).removeprefix('+')}"


def _least_text(move: Move) -> str:
    """'+1.2 pp', or of what is open the least: '≥1.2 pp', after words that say which way."""
    return _sure_text(move).removeprefix("up ").removeprefix("down ")


def _open_title(found: Changes, *, cars: str, when: str) -> str:
    rest = rest_share(found.figures)
    if any(move.is_open for move in found.moves) and rest:
        unnamed = f"; {style.share_text(rest)} unnamed"
        return shortest(
            f"Unnamed cars leave open who gained share of {cars}, {when}{unnamed}",
            f"Unnamed cars leave open who gained share of {cars}, {when}",
            f"Unnamed cars leave open who gained share, {when}",
        )
    if any(move.is_open for move in found.moves):
        return shortest(f"It is open who gained share of {cars}, {when}", f"It is open who gained share, {when}")
    if not found.moves:
        return shortest(f"{first_up(cars)}, {when}: nothing of what was asked for can be compared", first_up(cars))
    return shortest(f"{first_up(cars)}, {when}: no share moved by a tenth of a point", f"{when}: hardly a share moved")


def _single_title(move: Move, *, cars: str, when: str) -> str:
    name, share = move.line.name, style.share_text(float(move.line.value[1]))
    if not move.is_sure:
        if move.is_open:
            return shortest(
                f"{name}'s share of {cars}, {when}: {move.text}, so that its sign is open",
                f"{name}, {when}: {move.text}, so that its sign is open",
            )
        return shortest(f"{name}'s share of {cars} hardly moved, {when}: {share}", f"{name}, {when}: {share}")
    change = move.text
    if np.isnan(move.parts[0]) or move.is_open:
        return shortest(f"{name}'s share of {cars}, {when}: {change}", f"{name}, {when}: {change}")
    steps = f"own growth {style.pp_text(move.parts[0])}, market {style.pp_text(move.parts[1])}"
    return shortest(
        f"{name} {change} to {share} of {cars}, {when}: {steps}",
        f"{name} {change} to {share}, {when}: {steps}",
        f"{name} {change} to {share} of {cars}, {when}",
        f"{name} {change} to {share}, {when}",
    )


def subtitle(figures: MarketFigures) -> str:
    """Geography, powertrain, basis, what changed, and the two periods, in at most 90 characters where that goes."""
    selection = figures.selection
    what = f"Passenger {KIND[selection.powertrain]} {FIGURES[selection.basis]} by {selection.by}"
    changed = f"change of {measure_text(selection).removesuffix(' in %')}"
    now, before = (period_name(figures, at).removeprefix("the ") for at in (1, 0))
    return shortest(
        *(
            f"{where}. {what}, {changed}{unit}; {against}"
            for against in (f"{now} on {before}", f"{now} on {_year(figures, 0)}")
            for where in places(figures)
            for unit in (" in pp", "")
        ),
        f"{places(figures)[-1]}. {what.removeprefix('Passenger ')}, {changed}; {now} on {_year(figures, 0)}",
        f"{places(figures)[-1]}. {what.removeprefix('Passenger ')}, {changed.removeprefix('change of ')}; "
        f"{now} on {_year(figures, 0)}",
    )


def _year(figures: MarketFigures, at: int) -> str:
    """The year that a period ends in."""
    return str(month_start(int(figures.start[at]) + GRAIN_MONTHS[figures.selection.grain.value] - 1).year)


def notes(found: Changes, selection: Selection) -> tuple[str, ...]:
    """What a reader has to know; `selection` is the reader's."""
    figures = found.figures
    said = []
    unsure = [move.line.name for move in found.drawn if move.is_open and not move.is_sure]
    if unsure:
        names = listed(unsure) if len(unsure) <= 3 else f"{len(unsure)} of those drawn"
        said.append(f"Whether {names} gained or lost is open: the publishers' unnamed rest could hide more.")
    said += _fold_note(found)
    if found.one_sided:
        named = f"{len(found.one_sided)} named in one of the two periods only"
        said.append(f"Not compared: {named}, whose share in the other one is not known.")
    said += found.later
    if selection.since and month_number(selection.since) > int(figures.start[0]):
        said.append(f"The range holds no two periods of the same months: compared with {period_name(figures, 0)}.")
    if selection.measure is not Measure.SHARE:
        said.append("This chart is of shares, whichever measure is chosen.")
    if any(not np.isnan(move.parts[0]) for move in found.drawn):
        also = ", the growth of all cars and the mix of markets" if has_mix(figures) else " and the growth of all cars"
        said.append(f"A share moves with one's own cars{also}: the table has these parts.")
    drawn = Drawn(figures=figures, lines=tuple(move.line for move in found.drawn))
    return (*said, *common_notes(drawn))


def _fold_note(found: Changes) -> list[str]:
    half = len(found.moves) - len(found.drawn) - len(found.others)
    said = []
    if found.others:
        together = style.pp_text(sum(move.value for move in found.others))
        largest = style.pp_text(max(move.size for move in found.others)).removeprefix("+")
        said.append(f"{others_text(len(found.others))}, together {together}, none by more than {largest}")
    if half:
        said.append(f"{half} that {'are' if half > 1 else 'is'} named in one of the two periods only")
    return [f"Not drawn: {'; '.join(said)}; all are in the download."] if said else []


def others_text(count: int) -> str:
    """'12 others'."""
    return f"{count} other{'s' if count > 1 else ''}"


def has_mix(figures: MarketFigures) -> bool:
    """Whether the mix of markets is a part of the changes: they are of several markets put together."""
    selection = figures.selection
    return len(selection.market) > 1 and selection.by not in (By.MARKET, By.POWERTRAIN)


def share_range(line: Line, at: int) -> str:
    """'9.2 %', or '9.2 to 11.0 %' where it is open, '≤3.0 %' where it is not named."""
    low, high = style.share_text(float(line.low[at])), style.share_text(float(line.high[at]))
    if line.is_rest or low == high:
        return style.share_text(float(line.value[at]))
    return f"{low.removesuffix(' %')} to {high}" if line.named[at] else f"≤{high}"
