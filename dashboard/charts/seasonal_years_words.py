"""The words of `seasonal-years`: title, subtitle and notes, each made by rule from the figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dashboard import style
from dashboard.charts.chart import CARS, shortest
from dashboard.charts.market_notes import common_notes
from dashboard.charts.market_words import COUNTED, Drawn, cars_name, first_up, is_open, subtitle
from dashboard.charts.seasons import Change, Seasons, change, is_joined, waves, years
from dashboard.lines import Line, maker_name
from dashboard.sales_lines import MarketFigures
from dashboard.selection import By, Measure, Selection, Window
from dashboard.windows import month_start
from db.claims import GRAIN_MONTHS
from db.vocabulary import Grain

TELLING = 0.5
"""A change on the year that could be a fall or a rise, and between ends so far apart, says nothing of itself."""

PANELS = 4
"""Makers, models or markets drawn at the most, each in a panel of its own."""

WAVE = 1.3
"""Times the mean of the first two months of a quarter from which on its last one is called a wave of deliveries."""

NOTABLE = 2.0
"""Times the usual noise of a single step that a step without its season has to be for the title to tell of it."""

LEAST_STEP = 0.02
"""A step without its season below this is none, however even the figures usually are."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def title(content: Seasons) -> str:
    """The finding: the year so far against the same months a year before, in at most 90 characters.

    A step from the last month but one to the last, without its season, is only told where it is larger than the noise
    of such steps usually is.
    """
    figures = content.figures
    if len(content.lines) > 1:
        return _panels_title(content)
    line = content.lines[0]
    about = _about(line, content)
    found = change(line, figures)
    if found is None:
        return _plain_title(line, about, figures)
    when = months_text(found, figures)
    if found.low < 0 < found.high and found.high - found.low > TELLING:
        return shortest(
            f"{about}, {when}: unnamed cars leave open whether they grew on a year before",
            f"{about}, {when}: unnamed cars leave the change open",
            f"{when}: unnamed cars leave open whether they grew on a year before",
        )
    grown = f"{change_text(found)} in {when} on a year before"
    step = _step_text(content)
    return shortest(
        *([f"{about}: {grown}; season removed, {step}"] if step else []),
        *([f"{about}: {change_text(found)} in {when}; season removed, {step}"] if step else []),
        f"{about}: {grown}",
        f"{about}: {change_text(found)} in {when}",
        grown,
    )


def _about(line: Line, content: Seasons) -> str:
    """'German BEVs', 'Tesla in German BEVs'."""
    figures = content.figures
    selection = figures.selection
    cars = cars_name(figures)
    if selection.by is By.MARKET:
        who = selection.makers
        name = f"{line.name} {CARS[selection.powertrain]}{COUNTED[selection.basis]}"
        return f"{maker_name(who[0], selection, figures.nouns)}, {name}" if len(who) == 1 else first_up(cars)
    return first_up(cars) if line.maker == "all" else f"{line.name}, {cars}"


def _plain_title(line: Line, about: str, figures: MarketFigures) -> str:
    """The last figure, where nothing can be compared."""
    there = np.flatnonzero(~np.isnan(line.value) & line.named)
    if not len(there):
        return shortest(f"{about}: nothing is named in these periods", about)
    at = int(there[-1])
    when = style.period_text(month_start(int(figures.start[at])), figures.selection.grain.value)
    low, high = (style.units_text(float(ends[at])) for ends in (line.low, line.high))
    amount = low if low == high else f"{low} to {high}"
    incomplete = " (incomplete)" if figures.unfinished_of(line)[at] else ""
    return shortest(f"{about}: {amount} in {when}{incomplete}", f"{amount} in {when}{incomplete}")


def _panels_title(content: Seasons) -> str:
    figures = content.figures
    found = [(line, of) for line in content.lines[:PANELS] if (of := change(line, figures)) is not None]
    cars = f"{CARS[figures.selection.powertrain]}{COUNTED[figures.selection.basis]}"
    about = first_up(cars) if figures.selection.by is By.MARKET else first_up(cars_name(figures))
    spans = {months_text(of, figures) for _, of in found}
    if not found:
        names = ", ".join(line.name for line in content.lines[:PANELS])
        return shortest(f"{about} over the year: {names}", f"{about} over the year")
    if len(spans) > 1:
        newest = {int(figures.start[of.last]) // 12 for _, of in found}
        ons = [f", {max(newest)} on {max(newest) - 1}" if len(newest) == 1 else " on a year before"]
        parts = [
            f"{line.name} {change_text(of, brief=True)} ({months_text(of, figures, bare=True)})" for line, of in found
        ]
    else:
        before = int(figures.start[found[0][1].first]) // 12 - 1
        ons = [f", {next(iter(spans))} on {words}" for words in ("a year before", str(before))]
        parts = [f"{line.name} {change_text(of, brief=True)}" for line, of in found]
    return shortest(
        *(f"{about}{on}: {', '.join(parts[:count])}" for count in range(len(parts), 0, -1) for on in ons),
        parts[0],
        about,
    )


def change_text(found: Change, *, brief: bool = False) -> str:
    """'+12.3 %'; where the unnamed rest leaves it open 'up at least 12.3 %' in brief, else its range.

    A range that a reader would round away is none, as in `is_open`.
    """
    if found.high - found.low <= 0.01:
        return style.growth_text(found.value)
    low, high = style.growth_text(found.low), style.growth_text(found.high)
    if brief and found.low > 0:
        return f"up at least {low.removeprefix('+')}"
    if brief and found.high < 0:
        return f"down at least {style.growth_text(-found.high).removeprefix('+')}"
    return f"{low} to {high}" if np.isfinite(found.high) else f"at least {low}"


def months_text(found: Change, figures: MarketFigures, *, bare: bool = False) -> str:
    """'Jan to Jun 2026', 'Q1 2026', '2025'; bare 'Jan to Jun', without the year."""
    length = GRAIN_MONTHS[figures.selection.grain.value]
    first, last = int(figures.start[found.first]), int(figures.start[found.last])
    if last + length - first == 12:
        return str(first // 12)
    newest = tick(last, length) if bare else style.period_text(month_start(last), figures.selection.grain.value)
    return newest if first == last else f"{tick(first, length)} to {newest}"


def tick(month: int, length: int) -> str:
    """A month or a quarter within its year: 'Jun', 'Q2'."""
    return MONTHS[month % 12] if length == 1 else f"Q{month % 12 // 3 + 1}"


def _last_step(content: Seasons) -> tuple[float, float, str] | None:
    """The last step without its season as a fraction, the usual noise of such steps, and its periods: 'Jun on May'.

    None where there is no season, or where the step lies within January and February taken together.
    """
    if content.season is None:
        return None
    figures, length = content.figures, 12 // content.per_year
    parts = content.season.parts
    last = int(figures.start[content.season.first + len(parts.trend) - 1])
    if is_joined(content.lines[0], figures) and last % 12 < 2:
        return None
    before = "Jan+Feb" if is_joined(content.lines[0], figures) and last % 12 == 2 else tick(last - length, length)
    step = float(parts.adjusted[-1] / parts.adjusted[-2] - 1)
    return step, parts.usual_step, f"{tick(last, length)}|{before}"


def _step_text(content: Seasons) -> str:
    """'Jun is 8.1 % above May', where that is more than noise and than a trifle; else nothing."""
    found = _last_step(content)
    if found is None or abs(np.log1p(found[0])) < max(NOTABLE * found[1], LEAST_STEP):
        return ""
    return _step_words(found)


def _step_words(found: tuple[float, float, str]) -> str:
    now, before = found[2].split("|")
    size = style.growth_text(abs(found[0])).removeprefix("+")
    return f"{now} is {size} {'above' if found[0] > 0 else 'below'} {before}"


def seasons_subtitle(content: Seasons) -> str:
    """The subtitle of the figures; a total is of no makers."""
    figures = content.figures
    if content.lines[0].maker != "all" or figures.selection.by is By.POWERTRAIN or len(content.lines) > 1:
        return subtitle(figures)
    total = replace(figures, selection=replace(figures.selection, by=By.MAKER))
    return subtitle(total).replace(" by maker", "", 1)


def notes(content: Seasons, *, asked: Selection) -> tuple[str, ...]:
    """What a reader has to know: how periods are put together, what the trend is, what is left out."""
    figures, selection, said = content.figures, content.figures.selection, []
    drawn = content.lines[:PANELS]
    found = [year.number for line in drawn for year in years(line, figures)]
    if found and min(found) < max(found):
        older = f"{min(found)} to {max(found) - 1}" if max(found) - min(found) > 1 else str(min(found))
        said.append(f"{max(found)} is drawn strong; {older} in grey, the fainter the longer ago.")
    joined = [line for line in drawn if is_joined(line, figures)]
    if joined:
        whose = f" of {', '.join(line.name for line in joined)}" if len(joined) < len(drawn) else ""
        said.append(f"January and February{whose} are drawn as their mean: the Chinese New Year moves between them.")
    if len(drawn) > 1:
        said.append("Each panel has a scale of its own.")
    for line in drawn:
        wave = waves(line, figures)
        if wave is not None and wave > WAVE:
            whose = f"{line.name}: the" if len(drawn) > 1 else "The"
            said.append(
                f"{whose} last months of quarters have {wave:.1f} times the mean of their first two: "
                "deliveries come in waves."
            )
    said += _season_notes(content)
    if len(content.lines) > PANELS:
        rest = content.lines[PANELS:]
        named = ", ".join(line.name for line in rest[:6]) + (f" and {len(rest) - 6} more" if len(rest) > 6 else "")
        said.append(f"Not drawn: {named}; all are in the download.")
    loose = [line for line in drawn if not np.isnan(line.value[-1]) and is_open(line, Measure.UNITS)]
    if loose:
        said.append(f"What is drawn of {', '.join(line.name for line in loose)} is named: the unnamed rest could add.")
    if asked.window is not Window.NONE:
        said.append("Each period stands by itself: sums over several would hide the season.")
    if asked.grain is not selection.grain:
        why = "a year has no season" if asked.grain is Grain.YEAR else "no months are published"
        said.append(f"Drawn by {selection.grain}: {why}.")
    shown = content.stated.lines if content.stated is not figures else drawn
    return (*said, *common_notes(Drawn(figures=content.stated, lines=tuple(shown))))


def _season_notes(content: Seasons) -> list[str]:
    if content.season is None:
        return [content.why_none] if content.why_none else []
    parts = content.season.parts
    said = "Trend: the season is taken out by STL (Cleveland and others, 1990), on logarithms."
    per_year = content.per_year
    over_year = style.growth_text(float(parts.trend[-1] / parts.trend[-1 - per_year] - 1))
    said += f" It stands {over_year} on a year before, and its newest part moves as figures come in."
    found = _last_step(content)
    if found is not None and not _step_text(content):
        said += f" Season removed, {_step_words(found)}, which is within the usual noise."
    return [said]
