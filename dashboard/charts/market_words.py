"""The words of charts of market figures: titles and subtitles, made by rule from the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dashboard import style
from dashboard.charts.chart import CARS, shortest
from dashboard.comparability import is_within_market
from dashboard.lines import Line, maker_name
from dashboard.sales_lines import MarketFigures
from dashboard.selection import BasisChoice, By, Measure, PowertrainChoice, Selection, Window
from dashboard.windows import month_start
from db.claims import GRAIN_MONTHS
from db.vocabulary import VehicleScope

DRAWN = 7
"""Named lines drawn at the most, unless the reader named more."""


KIND = {
    PowertrainChoice.BEV: "BEV",
    PowertrainChoice.PHEV: "PHEV",
    PowertrainChoice.NEV: "NEV",
    PowertrainChoice.ALL: "car",
}

WINDOWS = {
    Window.NONE: ("", ""),
    Window.THREE_MONTHS: ("three-month sums", "three months"),
    Window.TTM: ("trailing twelve months", "twelve months"),
    Window.YTD: ("year to date", "year to date"),
}
"""How periods are put together, in full and where there is little room."""


@dataclass(frozen=True)
class Drawn:
    """The figures and the lines of them that are drawn, the largest at the end of the range first."""

    figures: MarketFigures
    lines: tuple[Line, ...]


def folded_lines(drawn: Drawn) -> list[Line]:
    """The named entities at the end of the range that are not drawn and can be put together; no makers' own figures."""
    return [] if drawn.figures.is_own else not_drawn(drawn)


def not_drawn(drawn: Drawn) -> list[Line]:
    """The named entities at the end of the range that are not drawn, makers' own figures among them."""
    drawn_keys = {(line.maker, line.model) for line in drawn.lines}
    return [
        line
        for line in drawn.figures.entities
        if (line.maker, line.model) not in drawn_keys and line.named[-1] and not np.isnan(line.value[-1])
    ]


def title(drawn: Drawn) -> str:
    """The finding at the end of the range, in at most 90 characters.

    "leads" is only said of a whole market and where nobody could be ahead: neither a named one at its high end nor one
    hidden in the rest. A change is only given where the bounds leave its sign certain.
    """
    figures, selection = drawn.figures, drawn.figures.selection
    when, cars = period_name(figures, -1), cars_name(figures)
    is_finished = not figures.unfinished[-1]
    if not is_finished:
        when += " (incomplete)"
    ranked = _ranked(drawn)
    if not ranked:
        return shortest(f"{first_up(cars)}: nothing of what was asked for is published for {when}", first_up(cars))
    if selection.measure is Measure.GROWTH:
        counted = f"{CARS[selection.powertrain]}{COUNTED[selection.basis]}"
        return _growth_title(ranked, when=when, cars=first_up(counted if selection.by is By.MARKET else cars))
    if selection.by is By.MARKET:
        return _market_title(ranked, figures, when=when)
    if selection.by is By.POWERTRAIN:
        return _powertrain_title(drawn)
    if selection.basis is BasisChoice.REPORTED:
        return _headline_title(ranked, figures, when=when)
    first, amount = ranked[0], amount_text(ranked[0], -1, selection)
    of = f" of all {CARS[selection.denominator]}" if _is_of_all(selection) else ""
    change = _year_change(first, figures)
    whole = not (selection.makers or selection.models or figures.is_own)
    if whole and is_finished and leads(first, figures):
        second = f"; {ranked[1].name} {amount_text(ranked[1], -1, selection)}" if len(ranked) > 1 else ""
        return shortest(
            f"{first.name} leads {cars} in {when}: {amount}{of}{change}{second}",
            f"{first.name} leads {cars} in {when}: {amount}{of}{second}",
            f"{first.name} leads {cars} in {when}: {amount}{of}",
            f"{first.name} leads in {when}: {amount}{of}",
        )
    has = f"{first.name} has {amount}" if selection.measure is Measure.SHARE else f"{first.name}: {amount}"
    what = (of or f" of {cars}") if selection.measure is Measure.SHARE else f" {cars}"
    rest = rest_share(figures)
    if whole and rest is not None and rest >= 0.05:
        return shortest(
            f"{has}{what} in {when}; {style.share_text(rest)} of the market is unnamed",
            f"{has}{what} in {when}; {style.share_text(rest)} unnamed",
            f"{has}{what} in {when}",
            f"{has} in {when}",
        )
    if len(ranked) == 1:
        most = value_text(float(first.high[-1]), selection.measure)
        limit = f", at most {most}" if amount.startswith("at least") else ""
        return shortest(f"{has}{limit}{what} in {when}{change}", f"{has}{limit}{what} in {when}", f"{has} in {when}")
    both = f"{first.name} {amount} and {ranked[1].name} {amount_text(ranked[1], -1, selection)}"
    if rest is not None and rest >= 0.05 and "at least" in both:
        # The rest is so large that the two figures say little about who is ahead: the title has to say so.
        brief = both.replace("at least ", "≥")
        return shortest(
            f"{both}{what} in {when}; {style.share_text(rest)} unnamed",
            f"{brief}{what} in {when}; {style.share_text(rest)} unnamed",
            f"{brief} in {when}; {style.share_text(rest)} unnamed",
            f"{both} in {when}",
        )
    return shortest(f"{both}{what} in {when}", f"{both} in {when}", f"{has} in {when}")


def _ranked(drawn: Drawn) -> list[Line]:
    """The drawn lines that have a figure at the end of the range, largest first; makers' own rests are no finding."""
    lines = [line for line in drawn.lines if not np.isnan(line.value[-1])]
    lines = [line for line in lines if not line.is_own_rest] or lines
    return sorted(lines, key=lambda line: -float(line.value[-1]))


def leads(first: Line, figures: MarketFigures) -> bool:
    """Whether nobody else can be ahead: no named entity at its high end, and no single one hidden in the rest."""
    others = [line for line in figures.lines if line is not first]
    return all(np.isnan(line.high[-1]) or first.low[-1] > line.high[-1] for line in others)


def _growth_title(ranked: Sequence[Line], *, when: str, cars: str) -> str:
    """The strongest and the weakest change among those whose sign the bounds leave certain."""
    when = when.removeprefix("the ")
    cars = f"{cars}, "
    certain = [line for line in ranked if line.low[-1] > 0 or line.high[-1] < 0 or not is_open(line, Measure.GROWTH)]
    if not certain:
        only = ranked[0]
        low, high = (style.growth_text(float(end[-1])) for end in (only.low, only.high))
        return shortest(
            f"{cars}{when}: {only.name} between {low} and {high} on a year before"
            if len(ranked) == 1
            else f"{cars}{when}: unnamed cars leave open who grew on a year before",
            f"{when}: unnamed cars leave open who grew",
        )
    first, last = certain[0], certain[-1]
    best, worst = (f"{line.name} {_grown(line)}" for line in (first, last))
    return shortest(
        *([f"{cars}{when}: {best} on a year before, {worst}"] if first is not last else []),
        f"{cars}{when}: {best} on a year before",
        f"{when}: {best} on a year before",
        f"{when}: {best}",
    )


def _powertrain_title(drawn: Drawn) -> str:
    """The parts side by side, in the period of the last year that has most of them: some parts are stated later."""
    figures, selection = drawn.figures, drawn.figures.selection
    there = np.sum([~np.isnan(line.value) for line in drawn.lines], axis=0)
    there = np.where(figures.start > figures.start[-1] - 12, there, 0)
    at = int(np.flatnonzero(there == there.max())[-1])
    when = period_name(figures, at).removeprefix("the ")
    if figures.unfinished[at]:
        when += " (incomplete)"
    lines = [line for line in drawn.lines if not np.isnan(line.value[at])]
    lines.sort(key=lambda line: -float(line.value[at]))
    if selection.measure is Measure.GROWTH:
        lines = [line for line in lines if not line.low[at] <= 0 <= line.high[at]]
        if not lines:
            return shortest(f"{first_up(cars_name(figures))}, {when}: no part certainly grew or shrank")
    of = f" of all {CARS[selection.denominator]}" if _is_of_all(selection) else ""
    parts = [f"{line.name} {amount_text(line, at, selection)}" for line in lines]
    on = " on a year before" if selection.measure is Measure.GROWTH else ""
    cars = first_up(cars_name(figures))
    return shortest(
        f"{cars}, {when}: {', '.join([parts[0] + of + on, *parts[1:]])}",
        f"{cars}, {when}: {', '.join([parts[0] + of + on, *parts[1:2]])}",
        f"{when}: {', '.join(parts[:2])}",
    )


def _headline_title(ranked: Sequence[Line], figures: MarketFigures, *, when: str) -> str:
    """Makers' headline figures with what each counts, by name: figures on unlike bases have no order of size."""
    cars = first_up(f"{place_name(figures)} {CARS[figures.selection.powertrain]}")
    shown = sorted(ranked[:2], key=lambda line: line.name)
    parts = [f"{line.name} {amount_text(line, -1, figures.selection)}" for line in shown]
    unlike = " – unlike bases" if len({line.basis for line in shown}) > 1 else ""
    when = when.removeprefix("the ")
    return shortest(
        f"{cars}, {when}: {', '.join(parts)}{unlike}",
        f"{cars}, {when}: {', '.join(parts)}",
        f"{when}: {', '.join(parts)}{unlike}",
        f"{cars}, {when}: {parts[0]}",
        f"{when}: {parts[0]}",
    )


def first_up(text: str) -> str:
    """A text with its first letter large."""
    return text[:1].upper() + text[1:]


def _grown(line: Line) -> str:
    """A change whose sign is certain: '+12.3 %', or the end of it that is."""
    if not is_open(line, Measure.GROWTH):
        return style.growth_text(float(line.value[-1]))
    way, least = ("up", float(line.low[-1])) if line.low[-1] > 0 else ("down", -float(line.high[-1]))
    return f"{way} at least {style.growth_text(least).removeprefix('+')}"


def _market_title(ranked: Sequence[Line], figures: MarketFigures, *, when: str) -> str:
    selection = figures.selection
    entities = [line for line in ranked if not line.is_rest]
    if not entities:
        return f"Nothing of what was asked for is published for {when}"
    who = ""
    if len(selection.makers) == 1:
        who = f"{maker_name(selection.makers[0], selection, figures.nouns)}: "
    elif not selection.makers:
        cars = f"{CARS[selection.powertrain]}{COUNTED[selection.basis]}"
        is_of_sum = selection.measure is Measure.SHARE and not is_within_market(selection)
        if is_of_sum and len(selection.market) == 1:
            name = entities[0].name
            return shortest(
                f"{name} is the only market chosen: 100 % of its own {cars} in {when}",
                f"{name} is the only market chosen: 100 % of its own {cars}",
            )
        who = f"Of {len(selection.market)} markets' {cars}: " if is_of_sum else f"{first_up(cars)}: "
    of = f" of all {CARS[selection.denominator]}" if _is_of_all(selection) else ""
    parts = [f"{line.name} {amount_text(line, -1, selection)}" for line in entities]
    return shortest(
        f"{who}{parts[0]}{of}, {', '.join(parts[1:3])} in {when}"
        if len(parts) > 1
        else f"{who}{parts[0]}{of} in {when}",
        *([f"{who}{parts[0]}{of}, {parts[1]} in {when}"] if len(parts) > 1 else []),
        f"{who}{parts[0]}{of} in {when}",
        f"{parts[0]} in {when}",
    )


def _is_of_all(selection: Selection) -> bool:
    return selection.measure is Measure.SHARE and selection.denominator is not selection.powertrain


def amount_text(line: Line, at: int, selection: Selection) -> str:
    """A value with its bound: '9.2 %', 'at least 12.1 %', 'at most 5.6 %'."""
    return marked_text(line, at, selection).replace("≥", "at least ").replace("≤", "at most ")


def marked_text(line: Line, at: int, selection: Selection) -> str:
    """A value with its bound: '9.2 %', '≥12.1 %', '≤5.6 %' for one that is not named and could be anything up to that.

    A difference that the rounding hides is not marked.
    """
    value, high = float(line.value[at]), float(line.high[at])
    plain = value_text(value, selection.measure)
    if selection.measure is Measure.GROWTH or value_text(high, selection.measure) == plain:
        return plain
    if not line.named[at]:
        return f"≤{value_text(high, selection.measure)}"
    # Of a share both ends are printed to a tenth of a point: where these differ the lower one is not the figure.
    return f"≥{plain}" if selection.measure is Measure.SHARE or is_open(line, selection.measure, at) else plain


def is_open(line: Line, measure: Measure, at: int = -1) -> bool:
    """Whether the unnamed rest leaves the value open by more than a reader would round away."""
    spare, high = float(line.high[at] - line.low[at]), float(line.high[at])
    if measure is Measure.UNITS:
        return spare > 0.02 * max(high, 1e-9)
    return spare > (0.01 if measure is Measure.GROWTH else 0.001)


def value_text(value: float, measure: Measure) -> str:
    """A value as its measure prints it: '9.2 %', '+12.3 %', '84,057'."""
    if measure is Measure.SHARE:
        return style.share_text(value)
    return style.growth_text(value) if measure is Measure.GROWTH else style.units_text(value)


def _year_change(line: Line, figures: MarketFigures) -> str:
    """', +1.2 pp on a year before' where the bounds leave its sign certain and its size to a rounding."""
    change = change_on_year(line, figures) if figures.selection.measure is Measure.SHARE else None
    if change is None or not (change.least > 0 or change.most < 0) or change.most - change.least > 0.001:
        return ""
    return f", {style.pp_text(change.value)} on a year before"


@dataclass(frozen=True)
class Change:
    """By how much a value differs from that of a year before, in its unit, and between what that lies."""

    value: float
    least: float
    most: float


def change_on_year(line: Line, figures: MarketFigures, at: int = -1) -> Change | None:
    """The change of a line's value at a period on the year; None where the two are no pair or one is not there."""
    before = np.flatnonzero(figures.start == figures.start[at] - 12)
    if not len(before):
        return None
    then = int(before[0])
    if line.sources[then] != line.sources[at] or figures.unfinished_of(line)[[then, at]].any():
        return None  # Two publishers, or a part and a whole, are no change.
    value = float(line.value[at] - line.value[then])
    if np.isnan(value):
        return None
    return Change(value=value, least=float(line.low[at] - line.high[then]), most=float(line.high[at] - line.low[then]))


def period_name(figures: MarketFigures, at: int) -> str:
    """'Jun 2026', 'Q2 2026', 'the 12 months to Jun 2026', 'Jan to Jun 2026'."""
    selection = figures.selection
    start = int(figures.start[at])
    last_month = month_start(start + GRAIN_MONTHS[selection.grain.value] - 1)
    month = style.period_text(last_month, "month")
    if selection.window is Window.TTM:
        return f"the 12 months to {month}"
    if selection.window is Window.THREE_MONTHS:
        return f"the 3 months to {month}"
    if selection.window is Window.YTD and last_month.month > 1:
        return f"Jan to {month}" if last_month.month < 12 else str(last_month.year)
    return style.period_text(month_start(start), selection.grain.value)


COUNTED = {
    BasisChoice.REGISTRATION: "",
    BasisChoice.INSURANCE: " insured",
    BasisChoice.PRODUCTION: " built",
    BasisChoice.WHOLESALE: " wholesaled",
    BasisChoice.EXPORT: " exported",
    BasisChoice.RETAIL: " retailed",
    BasisChoice.DELIVERY: " delivered",
    BasisChoice.REPORTED: ", makers' own figures",
}


FIGURES = {
    BasisChoice.REGISTRATION: "registrations",
    BasisChoice.INSURANCE: "insurances",
    BasisChoice.PRODUCTION: "production",
    BasisChoice.WHOLESALE: "wholesale",
    BasisChoice.EXPORT: "exports",
    BasisChoice.RETAIL: "retail sales",
    BasisChoice.DELIVERY: "deliveries",
    BasisChoice.REPORTED: "headline figures",
}


def cars_name(figures: MarketFigures) -> str:
    """'German BEVs', 'Chinese BEVs retailed': the cars and, where it is not registrations, how they are counted.

    'BYD's NEVs wholesaled' where lines are the powertrains of a maker, with the place where it is not the world.
    """
    selection = figures.selection
    if selection.by is By.POWERTRAIN and selection.makers:
        maker = maker_name(selection.makers[0], selection, figures.nouns)
        place = "" if selection.market == ("WORLD",) else f"{place_name(figures)} "
        return f"{maker}'s {place}{CARS[selection.powertrain]}{COUNTED[selection.basis]}"
    return f"{place_name(figures)} {CARS[selection.powertrain]}{COUNTED[selection.basis]}"


def place_name(figures: MarketFigures) -> str:
    """'German', or 'DE+FR' for a set of markets."""
    markets = figures.selection.market
    if len(markets) == 1:
        return figures.nouns.adjectives[markets[0]]
    return "+".join(markets) if len(markets) <= 5 else f"{len(markets)}-market"


def subtitle(figures: MarketFigures) -> str:
    """Geography, powertrain, basis, measure, unit and smoothing, in at most 90 characters.

    Where the names of many markets have no room, their codes stand for them, and the notes name them.
    """
    selection = figures.selection
    who = f"by {selection.by}"
    makers = [maker_name(slug, selection, figures.nouns) for slug in selection.makers]
    named = f", {', '.join(makers)}" if selection.by in (By.MARKET, By.POWERTRAIN) and makers else ""
    counted = f", {len(makers)} makers" if named and len(makers) > 1 else ""
    kind = "All-vehicle" if figures.scope is VehicleScope.ALL_VEHICLES else "Passenger"
    what = f"{kind} {KIND[selection.powertrain]} {FIGURES[selection.basis]} {who}"
    grain = {"month": "monthly", "quarter": "quarterly", "year": "yearly"}[selection.grain.value]
    window, brief = WINDOWS[selection.window]
    full, short = f"{grain}, {window}" if window else grain, brief or grain
    return shortest(
        *(
            f"{where}. {told}{of}, {measure_text(selection)}; {when}"
            # That cars are passenger cars goes last: every chart is of them unless it says otherwise.
            for told in dict.fromkeys((what, what.removeprefix("Passenger ")))
            for where in places(figures)
            for of in dict.fromkeys((named, counted, ""))
            for when in dict.fromkeys((full, short))
        )
    )


def places(figures: MarketFigures) -> tuple[str, ...]:
    """The markets by name, by code and by number: side by side with commas, otherwise as a sum."""
    codes = figures.selection.market
    between = ", " if figures.selection.by is By.MARKET else " + "
    names = between.join(figures.nouns.markets[code] for code in codes)
    return (names, between.join(codes), *([f"{len(codes)} markets"] if len(codes) > 1 else []))


def measure_text(selection: Selection) -> str:
    """What a measure is and its unit, for subtitles: 'share of all cars in %'."""
    if selection.measure is Measure.GROWTH:
        return "change on the year in %"
    if selection.measure is Measure.RANK:
        return "rank by cars"
    if selection.measure is Measure.HHI:
        return "HHI and top-4 share"
    if selection.measure is not Measure.SHARE:
        return "in cars"
    if selection.by is By.MARKET and not is_within_market(selection):
        return "share of the sum in %"
    if selection.by is By.POWERTRAIN and selection.makers:
        return f"share of its {CARS[selection.denominator]} in %"
    if selection.denominator is selection.powertrain:
        return "share in %"
    whole = {PowertrainChoice.ALL: "all cars", PowertrainChoice.NEV: "all NEVs"}
    return f"share of {whole[selection.denominator]} in %"


def rest_share(figures: MarketFigures) -> float | None:
    """The unnamed rest at the end of the range as a share of what is drawn; None where it cannot be said."""
    rest = [line for line in figures.lines if line.is_rest]
    if len(rest) != 1 or np.isnan(rest[0].value[-1]):
        return None
    if figures.selection.measure is Measure.SHARE and figures.selection.denominator is figures.selection.powertrain:
        return float(rest[0].value[-1])
    named = sum(float(np.nan_to_num(line.value[-1])) for line in figures.entities)
    if figures.selection.makers or figures.selection.models or figures.selection.measure is Measure.GROWTH:
        return None
    return float(rest[0].value[-1] / (rest[0].value[-1] + named))


def sum_of(lines: Sequence[Line]) -> float:
    """The values of some lines at the end of the range, added up."""
    return float(sum(line.value[-1] for line in lines))


def smaller_name(count: int, selection: Selection) -> str:
    """'12 smaller makers'."""
    kind = {By.MODEL: "model", By.GROUP: "group"}.get(selection.by, "maker")
    return f"{count} smaller {kind}{'s' if count > 1 else ''}"


def listed(words: Sequence[str]) -> str:
    """'Austria, Denmark and Norway'."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def last_month(end: int) -> str:
    """The last month before `end` (year * 12 + month - 1): 'Jun 2026'."""
    return style.period_text(month_start(end - 1), "month")
