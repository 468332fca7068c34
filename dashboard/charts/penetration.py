"""`penetration`: how far markets have gone electric, as electric cars of all cars.

Its lines are markets whatever the reader has chosen for them to be; makers that are chosen are drawn as their share of
all cars of each market. Where a purchase subsidy changes at the border of two quarters, buyers move their purchase
across it: the two are drawn together as well, as a dotted line at the share that they have as one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial

import numpy as np

from dashboard import style
from dashboard.charts import market_drawing, market_notes, market_rows, market_share, market_words
from dashboard.charts.chart import CARS, Chart, Reading, shortest
from dashboard.charts.events import Events, Mark, market_events
from dashboard.charts.market_words import DRAWN, Drawn, change_on_year, first_up, period_name
from dashboard.comparability import check_names, check_sales
from dashboard.lines import Line
from dashboard.metrics import pooled_share
from dashboard.sales_lines import MarketFigures, figures_asked_for
from dashboard.selection import BasisChoice, By, Measure, NotPublished, PowertrainChoice, Refusal, Selection, Window
from dashboard.style import Figure, Look
from dashboard.ways_on import way_on
from dashboard.windows import month_number, month_start
from db import Connection, queries
from db.queries import Nouns, Published
from db.vocabulary import ALL, Grain

MEASURES = (Measure.SHARE,)

DEFAULTS = Selection(
    market=("CN", "DE", "EU", "GB", "NO", "US"),
    of=PowertrainChoice.ALL,
    by=By.MARKET,
    # The US are published by quarter, and a quarter is never cut into months.
    grain=Grain.QUARTER,
)


@dataclass(frozen=True)
class Together:
    """Two neighbouring quarters as one, since an event at their border moved purchases from the one to the other.

    `before` and `after` are their first months, `share` is the one that they have together.
    """

    before: int
    after: int
    share: float
    mark: Mark

    @property
    def name(self) -> str:
        """'Q3 and Q4 2025', 'Q4 2022 and Q1 2023'."""
        first, second = (style.period_text(month_start(month), "quarter") for month in (self.before, self.after))
        return f"{first[:2] if first[3:] == second[3:] else first} and {second}"


@dataclass(frozen=True)
class Penetration(Drawn):
    """The figures, the lines of them that are drawn, and quarters that belong together, oldest first."""

    together: tuple[Together, ...] = ()


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What the data say about a selection.

    Raises as `market_figures` does, and `NotPublished` for all cars of all cars and for groups, which are not put
    together by market; each refusal carries the nearest selection that this chart draws.
    """
    try:
        return _read(connection, selection, today=today)
    except Refusal as refused:
        nouns = queries.nouns(connection, as_of=selection.as_of)
        without = unanswering(connection, _by_market(selection), nouns, measures=MEASURES)
        others = tuple(code for code in selection.market if code not in without)
        offered = [replace(selection, market=others)] if others else []
        nearest = way_on(
            partial(_figures, connection), (*offered, refused.nearest, *_plainer(selection)), but=selection
        )
        if without and others:
            names = ", ".join(nouns.markets[code] for code in without)
            raise NotPublished(f"{names}: {next(iter(without.values()))}", nearest=nearest) from refused
        refused.nearest = nearest
        raise


def unanswering(
    connection: Connection, selection: Selection, nouns: Nouns, *, measures: tuple[Measure, ...]
) -> dict[str, Refusal]:
    """The markets of a selection that the firewall refuses by themselves, each with its refusal."""
    stated: dict[str, list[Published]] = {code: [] for code in selection.market}
    for each in queries.published(connection, markets=selection.market):
        stated[each.market].append(each)
    refusals = {}
    for code, published in stated.items():
        try:
            check_sales(replace(selection, market=(code,)), nouns, published, measures=measures)
        except Refusal as refused:
            refusals[code] = refused
    return refusals


def _plainer(selection: Selection) -> Iterable[Selection]:
    """Selections that keep less and less of one."""
    plain = replace(selection, by=By.MARKET, of=PowertrainChoice.ALL, measure=Measure.SHARE, models=())
    yield plain
    for grain in (Grain.QUARTER, Grain.YEAR):
        yield replace(plain, grain=grain, window=Window.NONE, since=None, until=None)
    total = replace(plain, window=Window.NONE, since=None, until=None, makers=())
    for basis in dict.fromkeys((selection.basis, BasisChoice.REGISTRATION)):
        for powertrain in (PowertrainChoice.BEV, PowertrainChoice.NEV):
            for grain in Grain:
                yield replace(total, basis=basis, powertrain=powertrain, grain=grain)
    yield replace(DEFAULTS, as_of=selection.as_of)
    yield DEFAULTS


def _figures(connection: Connection, selection: Selection) -> MarketFigures:
    """The figures by market, of all cars, whatever else the selection says of lines and denominator."""
    if selection.makers and selection.by is By.GROUP:
        check_names(selection, queries.nouns(connection, as_of=selection.as_of))
        raise NotPublished(
            "this chart draws markets, and in them all makers or single brands: groups are drawn by market share",
            nearest=replace(selection, by=By.MARKET, makers=()),
        )
    if selection.powertrain is PowertrainChoice.ALL and not selection.makers:
        raise NotPublished(
            "all cars are all of all cars: choose BEV, PHEV or NEV to see how far markets have gone electric",
            nearest=replace(selection, powertrain=PowertrainChoice.BEV),
        )
    return figures_asked_for(connection, _by_market(selection), measures=MEASURES)


def _by_market(selection: Selection) -> Selection:
    return replace(selection, by=By.MARKET, of=PowertrainChoice.ALL, models=())


def _read(connection: Connection, selection: Selection, *, today: date) -> Reading:
    figures = _figures(connection, selection)
    lines = sorted(_named(figures), key=_newest, reverse=True)
    events = market_events(connection, figures)
    drawn = Penetration(
        figures=figures,
        lines=tuple(lines[:DRAWN]),
        together=_together(lines[0], figures, events) if len(lines) == 1 and not selection.makers else (),
    )
    return Reading(
        selection=selection,
        title=title(drawn),
        subtitle=market_words.subtitle(figures),
        badge=market_notes.badge(drawn, today=today),
        citations=figures.dataset.citations,
        notes=_notes(drawn, selection),
        content=drawn,
        events=events,
    )


def _named(figures: MarketFigures) -> list[Line]:
    """The lines that a publisher names anywhere; all where none is named: of them only an upper bound is known."""
    return [line for line in figures.entities if line.named.any()] or list(figures.entities)


def _newest(line: Line) -> float:
    return float(line.value[~np.isnan(line.value)][-1])


def _together(line: Line, figures: MarketFigures, events: Events) -> tuple[Together, ...]:
    """The pairs of quarters at whose border a purchase subsidy of the market changes."""
    selection = figures.selection
    if selection.grain is not Grain.QUARTER or selection.window is not Window.NONE:
        return ()
    place = {month: n for n, month in enumerate(figures.start.tolist())}
    found: dict[int, Together] = {}
    for mark in events.marks:
        after = _quarter_begun(mark.event.date)
        if mark.event.kind != "subsidy" or mark.event.maker != ALL or mark.where or after is None:
            continue
        if after not in place or after - 3 not in place:
            continue
        both = [place[after - 3], place[after]]
        share = pooled_share(line.units[both], of=line.whole[both])
        if not np.isnan(share) and not figures.unfinished_of(line)[both].any():
            found[after] = Together(before=after - 3, after=after, share=share, mark=mark)
    return tuple(found[month] for month in sorted(found))


def _quarter_begun(day: date) -> int | None:
    """The quarter that begins on a day or on the next one, by its first month; None within quarters."""
    for morning in (day, day + timedelta(days=1)):
        if morning.day == 1 and morning.month % 3 == 1:
            return month_number(morning)
    return None


# Words


def title(drawn: Penetration) -> str:
    """The finding in at most 90 characters: how far the first and the last market are, and which gained most.

    All of it is of the newest finished period that every drawn market has. Of one market it is the share and its
    change, or how it stands to quarters that have to be seen together.
    """
    figures = drawn.figures
    if figures.selection.makers:
        return market_words.title(drawn)
    at = _shared_period(drawn)
    if at is None:
        return market_words.title(drawn)
    cars = first_up(CARS[figures.selection.powertrain])
    when = period_name(figures, at)
    if len(drawn.lines) == 1:
        return _title_of_one(drawn, at, cars=cars, when=when)
    ranked = sorted(drawn.lines, key=lambda line: -float(line.value[at]))
    first, last = (_of_cars(line, at, figures) for line in (ranked[0], ranked[-1]))
    ends = f"{cars} are {first} and {last} cars in {when}"
    gained = _gained_most(drawn, at)
    return shortest(
        *(f"{ends}; {gained[0]} {up} most, {gained[1]}" for up in ("gained", "up") if gained),
        ends,
        f"{cars} are {first} cars in {when}",
    )


def _title_of_one(drawn: Penetration, at: int, *, cars: str, when: str) -> str:
    figures, line = drawn.figures, drawn.lines[0]
    value = float(line.value[at])
    has = f"{cars} are {_of_cars(line, at, figures)} cars in {when}"
    change = change_on_year(line, figures, at)
    changed = f", {style.pp_text(change.value)} on a year before" if change else ""
    now = int(figures.start[at])
    last = next((pair for pair in reversed(drawn.together) if now - 12 < pair.after <= now), None)
    if last is None:
        return shortest(has + changed, has)
    share = style.share_text(last.share)
    if last.after == now:
        return shortest(f"{has}; {last.name} together {share}", has + changed, has)
    stands = "like" if share == style.share_text(value) else "above" if value > last.share else "below"
    return shortest(f"{has}, {stands} the {share} of {last.name} together", has + changed, has)


def _of_cars(line: Line, at: int, figures: MarketFigures) -> str:
    """'5.8 % of US', before 'cars'."""
    return f"{style.share_text(float(line.value[at]))} of {figures.nouns.adjectives[line.market]}"


def _shared_period(drawn: Penetration) -> int | None:
    """The newest finished period in which every drawn market has a figure."""
    finished = [~np.isnan(line.value) & ~drawn.figures.unfinished_of(line) for line in drawn.lines]
    there = np.all(finished, axis=0)
    return int(np.flatnonzero(there)[-1]) if there.any() else None


def _gained_most(drawn: Penetration, at: int) -> tuple[str, str] | None:
    """Who gained most on the year and how much, where every change is known and no other's is as large when printed."""
    changes = [change_on_year(line, drawn.figures, at) for line in drawn.lines]
    known = [change.value for change in changes if change is not None]
    if len(known) < len(drawn.lines):
        return None
    most = max(known)
    text = style.pp_text(most)
    if not text.startswith("+") or [style.pp_text(value) for value in known].count(text) > 1:
        return None
    return drawn.lines[known.index(most)].name, text


def _notes(drawn: Penetration, selection: Selection) -> tuple[str, ...]:
    figures = drawn.figures
    notes = []
    if drawn.together:
        pairs = (f"{pair.name} {style.share_text(pair.share)} ({pair.mark.number})" for pair in drawn.together)
        notes.append(
            f"Dotted: {', '.join(pairs)}. A subsidy changed at the border of the two quarters, and buyers may have "
            "moved their purchase across it."
        )
    notes += market_notes.notes(drawn)
    named = _named(figures)
    unnamed = [line for line in figures.entities if line not in named]
    if unnamed:
        notes.append(f"Not named there, and not drawn: {', '.join(line.name for line in unnamed)}.")
    more = len(named) - len(drawn.lines)
    if more:
        noun = "line" if selection.makers else "market"
        notes.append(
            f"Not drawn: {more} more {noun}{'s' if more > 1 else ''} with lower shares; all are in the download."
        )
    ended = [line for line in drawn.lines if np.isnan(line.value[-1])]
    if ended and not selection.makers and _shared_period(drawn) is not None:
        notes.append(f"The title is about {period_name(figures, _shared_period(drawn) or 0)}, which all lines have.")
    if selection.by is not By.MARKET or selection.models:
        notes.append("This chart is always by market, and does not tell models apart.")
    return tuple(notes)


# The plot


def draw(reading: Reading, look: Look) -> Figure:
    """The lines of the markets, and quarters that belong together as a dotted line at their share."""
    figure = market_drawing.draw(reading, look)
    drawn: Penetration = reading.content
    if len(drawn.figures.start) == 1:
        return figure
    dotted = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [month_start(month).isoformat() for month in (pair.before, pair.after)],
            "y": [pair.share, pair.share],
            "line": {"color": style.INK[look.theme].text, "width": 2.5, "dash": "dot"},
            "name": pair.name,
            "hovertemplate": f"together {style.share_text(pair.share)}",
            "showlegend": False,
        }
        for pair in drawn.together
    ]
    return {**figure, "data": [*figure["data"], *dotted]}


PENETRATION = Chart(
    slug="penetration",
    name="Electric share",
    question="How far has each market gone electric?",
    defaults=DEFAULTS,
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=market_share.rows,
    table=market_share.table,
    receipts=market_rows.receipts_of,
)
