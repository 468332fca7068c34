"""The words of `price-event`: a cut and what its study found, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

import numpy as np

from dashboard import style
from dashboard.charts.chart import Badge, shortest
from dashboard.charts.market_words import COUNTED, FIGURES, KIND, listed, rest_share
from dashboard.charts.price_words import KINDS, day_of, model_name
from dashboard.event_study import BEFORE, Study
from dashboard.lines import Line
from dashboard.price_book import PriceBook
from dashboard.prices import STALE_DAYS, Move
from dashboard.sales_lines import MarketFigures
from dashboard.selection import Real, Selection
from dashboard.windows import month_start
from db.claims import Floats
from db.provenance import Citation

TELLING = 0.0005
"""An effect below this part of a market rounds to no tenth of a percentage point."""

_HOLIDAY = ("CN",)
"""Markets in which a long holiday falls in January or February, another month from year to year."""


@dataclass(frozen=True)
class Cut:
    """A maker's price cut in a market on a day: the steps down of its lines on it."""

    market: str
    maker: str
    day: date
    moves: tuple[Move, ...]

    @property
    def size(self) -> float:
        """What was taken off the middle one of its prices, as a fraction: below zero."""
        return median(move.change for move in self.moves)

    @property
    def weight(self) -> float:
        """By how much all its prices fell together, by which the largest is chosen."""
        return -sum(move.change for move in self.moves)

    @property
    def is_fresh(self) -> bool:
        """Whether a price before it is young enough to have held until then: else the step may be of several cuts."""
        return any(not _is_old(move) for move in self.moves)

    @property
    def when(self) -> str:
        """Its date as exactly as it is known."""
        return day_of(self.moves[0].after)


def _is_old(move: Move) -> bool:
    return (move.after.day - move.before.day).days > STALE_DAYS


@dataclass(frozen=True)
class PriceEvent:
    """A cut, the cutter's share around it, and what it is set against.

    `figures` are those of the market over the months of the window, `line` the cutter's among them. `controls` are the
    makers that the expectation is made of, `silent` those of them of whom no price is known in these months; `moved`
    are makers left out since they moved a price. `least` and `most` bound the effect where unnamed cars leave it open.
    `year_before` is the effect around the same month a year before, NaN where there is none. `others` are further
    moves of the cutter's own in the window.
    """

    selection: Selection
    cut: Cut
    figures: MarketFigures
    line: Line
    rivals: tuple[Line, ...]
    controls: tuple[Line, ...]
    silent: frozenset[str]
    moved: tuple[Line, ...]
    study: Study
    least: float
    most: float
    year_before: float
    others: tuple[date, ...]
    book: PriceBook
    names: tuple[str, str]

    @property
    def name(self) -> str:
        """The cutter."""
        return self.line.name

    @property
    def width(self) -> float:
        """How far apart the ends of the cutter's share are, on average over the window."""
        return float((self.line.high - self.line.low).mean())

    @property
    def is_open(self) -> bool:
        """Whether nothing can be said: the share is an interval wider than the effect, or its bounds allow both."""
        if self.width > max(abs(self.study.effect), TELLING):
            return True
        return self.study.has_interval and len({self._place(end) for end in (self.least, self.most)}) > 1

    def _place(self, effect: float) -> int:
        """Whether an effect is below, within or above what months without a cut give."""
        return int(effect > self.study.high) - int(effect < self.study.low)

    def over(self, line: Line) -> Floats:
        """A maker's share over the window (W), less its mean before month 0; NaN where it is not named."""
        share = np.where(line.named, line.value, np.nan)
        return np.asarray(share - share[:BEFORE].mean())


def title(event: PriceEvent) -> str:
    """Whether the share stood out after the cut from months without one; no finding where it is open."""
    name, when, effect = event.name, event.cut.when, event.study.effect
    _, adjective = event.names
    # As much of whose share it is as there is room for.
    shares = (f"{adjective} {KIND[event.figures.selection.powertrain]} share", f"{adjective} share", "share")
    if event.is_open:
        return shortest(*(f"{name}'s cut of {when}: unnamed cars leave open what its {share} did" for share in shares))
    if not event.study.has_interval:
        told = f"after its cut of {when}: {style.pp_text(effect)} on control makers"
        return shortest(*(f"{name}'s {share} {told}" for share in shares))
    if event.study.stands_out and abs(effect) >= TELLING:
        size, way = style.pp_text(abs(effect)).removeprefix("+"), "more" if effect > 0 else "less"
        return shortest(
            *(
                f"After {name}'s cut of {when} its {share} was {size} {way} than control makers suggest"
                for share in shares
            ),
            f"After {name}'s cut of {when} its share was {size} {way} than expected",
        )
    return shortest(
        *(f"After {name}'s cut of {when} its {share} moved no more than at other times" for share in shares),
        f"{name}'s cut of {when}: its share moved no more than at other times",
    )


def subtitle(event: PriceEvent) -> str:
    """Where, whose share of what, and that it is an association."""
    place, _ = event.names
    selection = event.figures.selection
    what = f"{KIND[selection.powertrain]} {FIGURES[selection.basis]}{COUNTED[selection.basis]}"
    return shortest(
        f"{place}. Share of {what}, change in pp on the 3 months before the cut; an association",
        f"{place}. Share of {what}, change in pp on 3 months before; an association",
        f"{place}. Share of {what} in pp; an association",
    )


def badge(event: PriceEvent, citations: Sequence[Citation]) -> Badge:
    """The window and how much of it is named; amber where the effect is open or cannot be told from chance."""
    first, last = (style.period_text(month_start(int(month)), "month") for month in event.figures.start[[0, -1]])
    parts = [f"{first} to {last}", f"as known {style.day_text(max(cited.known_on for cited in citations))}"]
    rest = rest_share(event.figures)
    if rest is not None:
        parts.append(f"{style.share_text(1 - rest)} named")
    reason = ""
    if event.is_open:
        reason = "Part of this market is published without names: it could hide more than the effect."
    elif not event.study.has_interval:
        reason = "There are too few months to tell the effect from chance."
    return Badge(text=" · ".join(parts), amber=bool(reason), reason=reason)


def notes(event: PriceEvent) -> tuple[str, ...]:
    """The effect with its bounds and placebos, the cut, who the control is made of, and what else happened."""
    said = [_open_note(event) if event.is_open else _effect_note(event), _cut_note(event), _control_note(event)]
    if event.moved:
        said.append(f"Not in the control, since they may have moved a price too: {_some(event.moved)}.")
    if event.others:
        days = listed([style.day_text(day) for day in event.others])
        said.append(f"{event.name} moved prices in these months again: {days}. What they did is in it too.")
    said.append(_season_note(event))
    said += _unused(event)
    return tuple(said)


def _open_note(event: PriceEvent) -> str:
    low, high = (style.pp_text(end).removesuffix(" pp") for end in (event.least, event.most))
    hatched = f" {event.name} is drawn at its low end and hatched up to its high end." if event.width > TELLING else ""
    return (
        f"Nothing can be said of an association: with what is published without names, {event.name}'s share lies "
        f"between {low} and {high} pp of what was expected; among the named cars alone it is "
        f"{style.pp_text(event.study.effect)}.{hatched}"
    )


def _effect_note(event: PriceEvent) -> str:
    study = event.study
    size = style.pp_text(abs(study.effect)).removeprefix("+").removeprefix("≈")
    where = "above" if study.effect > 0 else "below"
    after = (
        f"Over the six months after, {event.name}'s share was on average {size} {where} what it would have been had "
        "its cars moved as the control makers' did"
    )
    if not study.has_interval:
        return (
            f"{after}. Only {len(study.placebos)} months without a cut have such a window, too few to say how often "
            "that is so by chance: an association, if any."
        )
    low, high = style.pp_text(study.low).removesuffix(" pp"), style.pp_text(study.high)
    return (
        f"{after}. Around {len(study.placebos)} months without a known cut of its own the same came out between {low} "
        f"and {high} in nine of ten (the band, month by month; placebo p = {study.p:.2f}). An association: whatever "
        "else happened then is in it."
    )


def _cut_note(event: PriceEvent) -> str:
    names = event.book.names
    shown = sorted(event.cut.moves, key=lambda move: move.change)[:4]
    told = []
    for move in shown:
        car = f"{model_name(move.after, names).removeprefix(f'{event.name} ')} {move.after.trim}".strip()
        on = f", on the price of {day_of(move.before)}" if _is_old(move) else ""
        told.append(f"{car} {style.growth_text(move.change)} ({KINDS[move.after.kind]}{on})")
    more = f" and {len(event.cut.moves) - len(shown)} more" if len(event.cut.moves) > len(shown) else ""
    return f"The cut of {event.cut.when}, on the last price known before: {', '.join(told)}{more}."


def _control_note(event: PriceEvent) -> str:
    count, silent = len(event.controls), len(event.silent)
    makers = f"{count} maker{'s' if count > 1 else ''} without a known price move of their own in these months"
    if not silent:
        return f"Control: {makers}."
    who = "all of them" if silent == count else f"{silent} of them"
    return f"Control: {makers}; of {who} no price is known then, so that they may have moved theirs unseen."


def _season_note(event: PriceEvent) -> str:
    said = "Whole quarters are set against each other; the season of the year is not taken out"
    if not np.isnan(event.year_before):
        said += f": around the same month a year before the same came out at {style.pp_text(event.year_before)}"
    if event.cut.market in _HOLIDAY:
        said += ". New Year falls in January or February: of these two neither says much by itself"
    return f"{said}."


def _unused(event: PriceEvent) -> list[str]:
    """What of the reader's selection picks the cut, and what plays no part in shares."""
    selection, said = event.selection, []
    if selection.date and selection.date != event.cut.day:
        said.append(f"No cut of {style.day_text(selection.date)} is known: this is the last one before.")
    if len(selection.market) > 1:
        said.append(f"Of the markets chosen the largest cut that can be studied was made in {event.names[0]}.")
    if selection.models:
        said.append("The models chosen pick the cut; the share is of all of the maker's cars.")
    if selection.currency != "local" or selection.tax is not None or selection.real is Real.REAL:
        said.append("A cut is a part of the price in its own market: currency, tax and inflation do not change it.")
    if selection.segment or selection.cycle:
        said.append("Segment and range test play no part here: the share is of all of the maker's cars.")
    return said


def _some(lines: Sequence[Line]) -> str:
    names = [line.name for line in lines]
    return listed(names) if len(names) <= 5 else f"{', '.join(names[:5])} and {len(names) - 5} more"
