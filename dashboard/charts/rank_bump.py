"""`rank-bump`: how the ranks of a market's makers moved, and which of them the publisher's unnamed rest leaves open.

A rank counts the cars that are named. It is an interval where the unnamed rest could raise its maker: from the best
place that is possible to the one by named cars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import market_rows
from dashboard.charts.chart import CARS, Chart, Reading, Table, shortest
from dashboard.charts.market_drawing import Places, band, colour_key, point_key, spread, symbols
from dashboard.charts.market_notes import common_notes, freshness
from dashboard.charts.market_words import COUNTED, Drawn, cars_name, first_up, period_name, rest_share, subtitle
from dashboard.charts.whole_market import answered, as_asked, whole_market
from dashboard.lines import Line, maker_name
from dashboard.metrics import ranks
from dashboard.sales_lines import MarketFigures
from dashboard.selection import By, Measure, NotPublished, Selection, Window
from dashboard.style import Figure, Look
from dashboard.windows import month_start
from db import Connection
from db.claims import GRAIN_MONTHS, Bools, Floats

FIRST = 10
"""The places that are drawn, unless the reader named who is: who holds them at the end, and who held them at first."""

LOWEST = 20
"""The last place on the axis where the reader named who is drawn."""

STEPS = 16
"""Periods drawn at the most: of more every third, sixth or twelfth month is, so that single moves can be seen."""

LABELS = 12
"""Lines labelled at their ends at the most; more have a legend."""

NOTABLE_REST = 0.05
"""An unnamed rest from this part of a market on is why a place is open."""

TABLE_PERIODS = 13
"""Periods in the table under the chart: a year and the same period a year before."""


@dataclass(frozen=True)
class Place:
    """The places of one entity over the periods (L), NaN where nothing is named of it.

    `line` has the place by named cars as value and high, the best that is possible as low, and the cars behind it.
    `worst`: the place if those were ahead who could be. `tied`: whether another one has as many cars.
    """

    line: Line
    worst: Floats
    tied: Bools

    def text(self, at: int) -> str:
        """'4', '=4' for as many cars as another one, '2–4' where the unnamed rest could raise it."""
        value, best = float(self.line.value[at]), float(self.line.low[at])
        if np.isnan(value):
            return style.MISSING
        if best < value:
            return f"{best:.0f}–{value:.0f}"
        return f"{'=' if self.tied[at] else ''}{value:.0f}"

    def is_sure(self, at: int) -> bool:
        """Whether nobody who is behind could be ahead, nor it itself further ahead."""
        return bool(self.line.low[at] == self.line.value[at] == self.worst[at])


@dataclass(frozen=True)
class Standing:
    """The places of a market: `places` of everybody who is asked for, `drawn` of them in order, `fallen` out since.

    `cars` are the figures that the places are of, `figures` the same with places as lines. `steps` are the periods that
    are drawn, by their place among the figures' periods, `step` months from one to the next.
    """

    cars: MarketFigures
    figures: MarketFigures
    places: tuple[Place, ...]
    drawn: tuple[Place, ...]
    fallen: tuple[Place, ...]
    steps: tuple[int, ...]
    step: int

    @property
    def is_named(self) -> bool:
        """Whether the reader named who is drawn."""
        selection = self.figures.selection
        return bool(selection.makers or selection.models) or selection.by is By.MARKET

    @property
    def lowest(self) -> int:
        """The last place on the axis."""
        if not self.is_named:
            return FIRST
        worst = [float(np.nanmax(place.line.value[list(self.steps)], initial=1.0)) for place in self.drawn]
        return int(min(max(worst, default=1.0), LOWEST))

    def entry(self, place: Place) -> int | None:
        """The drawn period in which an entity first has one of the drawn places; None if it always had, or never."""
        limit = np.inf if self.is_named else FIRST
        there = [n for n, at in enumerate(self.steps) if place.line.value[at] <= limit]
        return self.steps[there[0]] if there and there[0] else None


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The ranks of a selection; raises as `market_figures` does, and `Incomparable` where nobody can be ranked."""
    standing = answered(lambda asked: _standing(connection, asked), selection)
    doubt = ""
    if any(_is_open(place) for place in standing.drawn):
        doubt = "Part of this market is published without names: places that it leaves open are given as ranges."
    return Reading(
        selection=selection,
        title=title(standing),
        subtitle=subtitle(standing.figures),
        badge=freshness(standing.cars, today=today, doubt=doubt),
        citations=standing.cars.dataset.citations,
        notes=notes(standing),
        content=standing,
    )


def _standing(connection: Connection, selection: Selection) -> Standing:
    each_market = bool(selection.makers)
    if selection.by is By.MARKET and len(selection.market) == 1 and not each_market:
        raise NotPublished(
            "one market alone has no rank: its makers have, and so has each of several markets",
            nearest=replace(selection, by=By.MAKER),
        )
    cars = whole_market(connection, selection, measure=Measure.UNITS, made_of_it=Measure.RANK, each_market=each_market)
    places = _places(cars, each_market=each_market, selection=selection)
    chosen = tuple(place for place in places if _is_asked(place.line, selection))
    if not chosen:
        raise NotPublished(
            "nothing is named of the makers or models asked for, so that they have no rank",
            nearest=replace(selection, makers=(), models=()),
        )
    asked = as_asked(cars, selection, measure=Measure.RANK)
    figures = replace(asked, lines=tuple(place.line for place in chosen))
    step = _step(figures)
    steps = tuple(np.flatnonzero((figures.start[-1] - figures.start) % step == 0).tolist())
    is_named = bool(selection.makers or selection.models) or selection.by is By.MARKET
    at_end = [place for place in chosen if is_named or place.line.value[-1] <= FIRST]
    at_first = [place for place in chosen if not is_named and place.line.value[steps[0]] <= FIRST]
    drawn = sorted(at_end, key=lambda place: (np.nan_to_num(place.line.value[-1], nan=np.inf), place.line.name))
    fallen = tuple(place for place in at_first if place not in drawn)
    return Standing(
        cars=cars, figures=figures, places=chosen, drawn=tuple(drawn), fallen=fallen, steps=steps, step=step
    )


def _is_asked(line: Line, selection: Selection) -> bool:
    return (not selection.makers or line.maker in selection.makers) and (
        not selection.models or line.model in selection.models
    )


def _places(cars: MarketFigures, *, each_market: bool, selection: Selection) -> list[Place]:
    """The places of all who are named anywhere: among all lines, or among those of each market."""
    by_market = selection.by is By.MARKET and each_market
    markets = list(dict.fromkeys(line.market for line in cars.lines)) if by_market else [""]
    found = []
    for market in markets:
        group = [line for line in cars.lines if market in ("", line.market)]
        lines = [line for line in group if not line.is_rest and not line.is_own_rest and line.named.any()]
        if not lines:
            continue
        rests = [np.nan_to_num(line.value) for line in group if line.is_rest or line.is_own_rest]
        seen = [np.where(line.named, 0.0, np.nan) for line in lines]
        placed = ranks(
            low=np.column_stack([line.low + gap for line, gap in zip(lines, seen, strict=True)]),
            high=np.column_stack([line.high + gap for line, gap in zip(lines, seen, strict=True)]),
            hidden=np.sum(rests, axis=0) if rests else np.zeros(len(cars.start)),
        )
        for n, line in enumerate(lines):
            name = line.name
            if by_market and len(selection.makers) == 1:
                name = cars.nouns.markets[line.market]
            ranked = replace(line, name=name, value=placed.value[:, n], low=placed.best[:, n], high=placed.value[:, n])
            found.append(Place(line=ranked, worst=placed.worst[:, n], tied=placed.tied[:, n]))
    return found


def _step(figures: MarketFigures) -> int:
    """Months from one drawn period to the next: the period's own, or quarters, halves or years where that is much."""
    length = GRAIN_MONTHS[figures.selection.grain.value]
    span = int(figures.start[-1] - figures.start[0])
    return next((each for each in (1, 3, 6, 12) if each >= length and span // each < STEPS), 12)


def _is_open(place: Place) -> bool:
    return bool(place.line.low[-1] < place.line.value[-1])


# Words


def title(standing: Standing) -> str:
    """The finding at the end of the range, in at most 90 characters.

    First place is only said of whoever nobody could be ahead of. A climb is only told where the place at its worst is
    better than the one a year before at its best.
    """
    figures, selection = standing.figures, standing.figures.selection
    when, is_finished = period_name(figures, -1), not figures.unfinished[-1]
    if not is_finished:
        when += " (incomplete)"
    cars = cars_name(standing.figures)
    if selection.by is By.MARKET:
        return _markets_title(standing, when=when)
    if standing.is_named:
        return _named_title(standing, when=when, cars=cars)
    climb = _climb(standing) if is_finished else ""
    leading = [place for place in standing.drawn if place.line.value[-1] == 1]
    if not leading:
        return shortest(f"{first_up(cars)}: nobody is named for {when}", first_up(cars))
    first = leading[0]
    names = " and ".join(place.line.name for place in leading)
    rest = rest_share(standing.cars)
    if len(leading) == 1 and first.is_sure(-1) and is_finished:
        before = _overtaken(standing, first)
        took = f"{names} has taken first place in {cars} from {before} within a year" if before else ""
        brief = when.removeprefix("the ")
        return shortest(
            *([f"{took}, {brief}", took] if took else []),
            f"{names} is first in {cars} in {when}{climb}",
            f"{names} first in {cars}, {brief}{climb}",
            f"{names} is first in {when}{climb}",
            f"{names} is first in {cars} in {when}",
            f"{names} is first in {when}",
        )
    if rest is not None and rest >= NOTABLE_REST:
        open_part = f"{style.share_text(rest)} unnamed leaves it open"
        return shortest(
            f"{names} first in {cars} by named cars in {when}; {open_part}",
            f"{names} first in {cars} by named cars, {when.removeprefix('the ')}; {open_part}",
            f"{names} first by named cars, {when.removeprefix('the ')}; {open_part}",
            f"Who is first is open, {when.removeprefix('the ')}: {style.share_text(rest)} unnamed",
        )
    has = "share first place" if len(leading) > 1 else "is first by named cars"
    return shortest(f"{names} {has} in {cars} in {when}", f"{names} {has} in {when}", f"{first.line.name} {has}")


def _comparable(standing: Standing, place: Place) -> int | None:
    """The period a year before the last, if an entity has a place then that is of the same sources, and complete."""
    figures = standing.figures
    before = np.flatnonzero(figures.start == figures.start[-1] - 12)
    if not len(before):
        return None
    then = int(before[0])
    if place.line.sources[then] != place.line.sources[-1] or figures.unfinished[[then, -1]].any():
        return None
    return None if np.isnan(place.line.value[[then, -1]]).any() else then


def _climb(standing: Standing) -> str:
    """'; BYD up from 12 to 7 in a year': the certain climb by most places among those that are drawn."""
    climbs = []
    for place in standing.drawn:
        then = _comparable(standing, place)
        if then is not None and place.worst[-1] < place.line.low[then]:
            climbs.append((place.line.low[then] - place.worst[-1], place, then))
    if not climbs:
        return ""
    _, place, then = max(climbs, key=lambda climb: climb[0])
    return f"; {place.line.name} up from {place.text(then)} to {place.text(-1)} in a year"


def _overtaken(standing: Standing, first: Place) -> str:
    """Who certainly was first a year before, where that was another one than now."""
    then = _comparable(standing, first)
    if then is None:
        return ""
    was = [place for place in standing.places if place.line.value[then] == 1]
    return was[0].line.name if len(was) == 1 and was[0] is not first and was[0].is_sure(then) else ""


def _named_title(standing: Standing, *, when: str, cars: str) -> str:
    there = [place for place in standing.drawn if not np.isnan(place.line.value[-1])]
    if not there:
        names = " and ".join(place.line.name for place in standing.drawn[:2])
        return shortest(f"Nothing is named of {names} among {cars} in {when}", f"Nothing is named of {names}")
    first = there[0]
    if len(there) == 1:
        then = _comparable(standing, first)
        before = f", {first.text(then)} a year before" if then is not None else ""
        ranked = f"{first.line.name} ranks {first.text(-1)}"
        if not (first.is_sure(-1) or _is_open(first)):
            ranked += " by named cars"
        return shortest(f"{ranked} in {cars} in {when}{before}", f"{ranked} in {cars} in {when}", f"{ranked} in {when}")
    return _listed(f"Ranks in {cars}, {when.removeprefix('the ')}: ", there)


def _markets_title(standing: Standing, *, when: str) -> str:
    selection, nouns = standing.figures.selection, standing.figures.nouns
    there = [place for place in standing.drawn if not np.isnan(place.line.value[-1])]
    when = when.removeprefix("the ")
    cars = f"{CARS[selection.powertrain]}{COUNTED[selection.basis]}"
    if not selection.makers:
        return _listed(f"Markets ranked by {cars}, {when}: ", there)
    who = f"{maker_name(selection.makers[0], selection, nouns)}'s rank" if len(selection.makers) == 1 else "Ranks"
    return _listed(f"{who} in {cars}, {when}: ", there)


def _listed(about: str, places: Sequence[Place]) -> str:
    """Places after what they are about: as many as there is room for."""
    parts = [f"{place.line.name} {place.text(-1)}" for place in places]
    if not parts:
        return f"{about}none at the end of the range"
    return shortest(*(about + ", ".join(parts[:count]) for count in range(min(len(parts), 6), 0, -1)), ", ".join(parts))


def notes(standing: Standing) -> tuple[str, ...]:
    """What a reader has to know: what ranges, marks and pale lines mean, what is not drawn, and the figures' own."""
    figures, selection, said = standing.figures, standing.figures.selection, []
    current = [place for place in standing.drawn if not np.isnan(place.line.value[-1])]
    if any(_is_open(place) for place in current):
        said.append(
            "Ranks count named cars. A range such as 2–4: the unnamed rest could raise the maker so far; it could "
            "also put another one ahead."
        )
    elif any(place.worst[-1] > place.line.value[-1] for place in current):
        said.append("Ranks count named cars: the unnamed rest could put another one ahead.")
    if any(place.tied[-1] and not _is_open(place) for place in current):
        said.append("= marks a rank that is shared: the figures are equal.")
    if any(standing.entry(place) is not None for place in standing.drawn):
        there = "is named" if standing.is_named else f"is among the first {FIRST}"
        said.append(f"A diamond marks the first of the drawn periods in which somebody {there}.")
    if standing.fallen:
        said.append(f"Pale: {', '.join(place.line.name for place in standing.fallen)}, among the first {FIRST} once.")
    if standing.is_named and standing.lowest == LOWEST:
        said.append(f"Ranks below {LOWEST} are not drawn.")
    if standing.step > GRAIN_MONTHS[selection.grain.value]:
        every = {3: "quarter", 6: "half year", 12: "year"}[standing.step]
        said.append(f"One period is drawn for each {every}; the others are in the download.")
    ranked = sum(not np.isnan(place.line.value[-1]) for place in standing.places)
    if not standing.is_named and ranked > FIRST:
        said.append(f"Drawn are the first {FIRST} of {ranked} that have a rank; all are in the download.")
    shown = Drawn(figures=figures, lines=tuple(place.line for place in standing.drawn))
    return (*said, *common_notes(shown))


# The plot


def draw(reading: Reading, look: Look) -> Figure:
    """Places over time, the first on top, with those at the end at the ends of the lines."""
    standing: Standing = reading.content
    figures, selection = standing.figures, standing.figures.selection
    ink = style.INK[look.theme]
    at = _drawn_periods(standing)
    dates = [month_start(month).isoformat() for month, _ in at]
    traces = [_line(place, standing, at, dates, colour=ink.axis, look=look, is_pale=True) for place in standing.fallen]
    for place in standing.drawn:
        colour = _colour(place, standing, look)
        # Of more than two the bands would lie one over the other, and the labels say what they would.
        if standing.is_named and len(standing.drawn) <= 2 and (place.line.low < place.line.value).any():
            upside_down = replace(place.line, low=-place.line.value, high=-place.line.low)
            traces += band(upside_down, at, dates, colour)
        traces.append(_line(place, standing, at, dates, colour=colour, look=look))
    lowest = standing.lowest
    within = (-lowest - 0.6, -0.4)
    day = max((_days(dates[-1]) - _days(dates[0])) * 0.02, 8)
    step = -(-len(standing.steps) // 9)
    ticks = [figures.start[n] for n in standing.steps[::-1][::step]]
    layout = style.layout(
        look,
        hovermode="closest",
        xaxis={
            "type": "date",
            "range": [_day(_days(dates[0]) - day), _day(_days(dates[-1]) + day)],
            "tickvals": [month_start(int(month)).isoformat() for month in ticks],
            "ticktext": [
                style.period_text(month_start(int(month)), selection.grain.value).replace(" ", "<br>")
                for month in ticks
            ],
        },
        yaxis={
            "range": list(within),
            "tickvals": [-n for n in range(1, lowest + 1)],
            "ticktext": _left_labels(standing, look),
            "zeroline": False,
        },
    )
    ends = _line_ends(standing, look, within=within)
    wide = max(style.text_width(text, look.font_px * 0.92) for text in layout["yaxis"]["ticktext"])
    layout["margin"] |= {"l": round(wide + look.font_px)}
    if len(ends) <= LABELS:
        font = round(look.font_px * 0.92)
        layout["margin"] |= {"r": style.end_room(ends, font_px=font)}
        height = look.height - layout["margin"]["t"] - layout["margin"]["b"]
        placed = style.line_end_labels(ends, height_px=height, font_px=font, value_range=within)
        layout["annotations"] = style.end_annotations(placed, font_px=font)
    else:
        layout |= {"showlegend": True}
    return {"data": traces, "layout": layout}


def _drawn_periods(standing: Standing) -> Places:
    """The drawn periods, and one without a figure between those that are further apart than the others."""
    step = standing.step
    places: Places = []
    for at in standing.steps:
        month = int(standing.figures.start[at])
        if places and month > places[-1][0] + step:
            places.append((places[-1][0] + step, None))
        places.append((month, at))
    return places


def _days(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def _day(ordinal: float) -> str:
    return date.fromordinal(round(ordinal)).isoformat()


def _colour(place: Place, standing: Standing, look: Look) -> str:
    selection = standing.figures.selection
    return style.colour(colour_key(place.line, selection), look.theme, highlight=standing.is_named)


def _line(
    place: Place,
    standing: Standing,
    at: Places,
    dates: Sequence[str],
    *,
    colour: str,
    look: Look,
    is_pale: bool = False,
) -> dict[str, Any]:
    figures, selection = standing.figures, standing.figures.selection
    entry = standing.entry(place)
    key = colour_key(place.line, selection)
    marks = symbols("circle", at, figures.unfinished)
    marks = [marks] * len(at) if isinstance(marks, str) else marks
    size = round(look.font_px * (0.45 if is_pale else 0.7))
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": style.escape(place.line.name),
        "x": list(dates),
        "y": spread(-place.line.value, at),
        "line": {
            "color": colour,
            "width": (1.5 if is_pale else 3) * look.font_px / 13,
            "dash": "solid" if is_pale else style.dash(key),
        },
        "marker": {
            "size": [size * 1.5 if n is not None and n == entry else size for _, n in at],
            "symbol": [
                mark.replace("circle", "diamond") if n is not None and n == entry else mark
                for mark, (_, n) in zip(marks, at, strict=True)
            ],
            "opacity": 1,
            "line": {"color": style.INK[look.theme].background, "width": 1},
        },
        "customdata": [[] if n is None else point_key(place.line, figures, n) for _, n in at],
        "text": ["" if n is None else _hover(place, n) for _, n in at],
        "hovertemplate": "%{fullData.name}, %{x|%b %Y}: %{text}<extra></extra>",
        "opacity": 0.5 if is_pale else 1,
        "connectgaps": False,
    }


def _hover(place: Place, at: int) -> str:
    if np.isnan(place.line.value[at]):
        return ""
    return f"{place.text(at)} ({style.units_text(float(place.line.units[at]))})"


def _left_labels(standing: Standing, look: Look) -> list[str]:
    """The places on the axis, with who held them at first where there is room: not on a narrow screen."""
    at, lowest = standing.steps[0], standing.lowest
    labels = [f"{n}" for n in range(1, lowest + 1)]
    if look.height < style.SCREEN.height or len(standing.steps) < 2:
        return labels
    for place in (*standing.drawn, *standing.fallen):
        rank = place.line.value[at]
        if rank <= lowest and (name := labels[int(rank) - 1]) == f"{int(rank)}":
            cut = style.fitting(place.line.name, width=look.font_px * 8, font_px=look.font_px * 0.92)
            labels[int(rank) - 1] = f"{style.escape(cut)}  {name}"
    return labels


def _line_ends(standing: Standing, look: Look, *, within: tuple[float, float]) -> list[style.LineEnd]:
    """A label for each line with its last place; with its period if that is an earlier one."""
    figures, quiet, ends = standing.figures, style.INK[look.theme].quiet, []
    for place in standing.drawn:
        there = [at for at in standing.steps if not np.isnan(place.line.value[at])]
        if not there:
            continue
        last = there[-1]
        text = f"{place.text(last)} {place.line.name}"
        if last != standing.steps[-1]:
            when = style.period_text(month_start(int(figures.start[last])), figures.selection.grain.value)
            text += f" ({when})"
        colour = _colour(place, standing, look)
        is_grey = colour == style.colour("other", look.theme)
        height = float(np.clip(-place.line.value[last], *within))
        ends.append(style.LineEnd(text=text, value=height, colour=quiet if is_grey else colour))
    return ends


# The download and the table


def rows(reading: Reading) -> pd.DataFrame:
    """Everybody's place, one row a period, with `DOWNLOAD_COLUMNS` and `worst`.

    `worst` is the place if all were ahead who could be, empty where nothing limits it. The flag `bounded` marks what
    the unnamed rest could raise.
    """
    standing: Standing = reading.content
    frame = market_rows.rows(standing.figures)
    period = {month_start(int(month)).isoformat(): n for n, month in enumerate(standing.figures.start)}
    worst = {(of.line.market, of.line.maker, of.line.model): of.worst.tolist() for of in standing.places}
    cells = frame[["market", "maker", "model", "period_start"]].itertuples(index=False, name=None)
    return frame.assign(
        unit="rank",
        flags=frame["flags"].str.replace("lower_bound", "bounded"),
        worst=[worst[market, maker, model][period[start]] for market, maker, model, start in cells],
    )


def table(reading: Reading) -> Table:
    """The newest periods of the lines that are drawn."""
    standing: Standing = reading.content
    figures = standing.figures
    body = [
        (
            style.period_text(month_start(int(figures.start[at])), figures.selection.grain.value),
            *(place.text(at) for place in standing.drawn),
        )
        for at in range(len(figures.start) - 1, max(len(figures.start) - 1 - TABLE_PERIODS, -1), -1)
    ]
    return Table(
        header=("Period", *(place.line.name for place in standing.drawn)),
        rows=tuple(body),
        caption="The newest periods; a range is what the unnamed rest leaves open. All periods are in the download.",
    )


RANK_BUMP = Chart(
    slug="rank-bump",
    name="Ranks",
    question="How did ranks move?",
    defaults=Selection(measure=Measure.RANK, window=Window.TTM),
    measures=(Measure.RANK,),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=market_rows.receipts_of,
)
