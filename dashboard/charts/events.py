"""Events on a time axis: which are shown, their numbers above the plot, and the words of the key under it.

A chart whose lines are of one market shows what happened there. What is shown is chosen by rule, and what is left out
is counted, so that nobody has to ask whether an event was dropped because it did not fit the story.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from dashboard import style
from dashboard.sales_lines import MarketFigures
from dashboard.style import Look
from dashboard.windows import month_start
from db import Connection, queries
from db.queries import Event, Nouns
from db.vocabulary import ALL, DatePrecision

AT_MOST = 8
"""Events shown on a chart at the most."""

EU_MEMBERS = frozenset(
    code
    for line in ("AT BE BG CY CZ DE DK EE ES", "FI FR GR HR HU IE IT LT LU", "LV MT NL PL PT RO SE SI SK")
    for code in line.split()
)
"""The members of the EU since February 2020: what happens in the EU concerns them."""

_FIRST_KINDS = (("subsidy", "tax"), ("tariff", "ban", "regulation", "price_war"))
"""Kinds that move sales, what a buyer pays before what a maker may do; all others come after them."""


@dataclass(frozen=True)
class Mark:
    """An event that is shown, with its number; `where` names its market if that is not the chart's own."""

    number: int
    event: Event
    where: str = ""

    @property
    def when(self) -> str:
        """The date as exactly as it is known: '30 Sep 2025', 'Oct 2024', '2025', 'about 5 Feb 2019'."""
        day, precision = self.event.date, self.event.precision
        if precision in (DatePrecision.MONTH, DatePrecision.YEAR):
            return style.period_text(day, precision.value)
        about = "about " if precision is DatePrecision.APPROXIMATE else ""
        return about + style.day_text(day)

    @property
    def words(self) -> str:
        """What happened, after the name of the market where it is another one."""
        return f"{self.where}: {self.event.text}" if self.where else self.event.text


@dataclass(frozen=True)
class Events:
    """The events of a chart, oldest first, and how many of the same time and markets are left out."""

    marks: tuple[Mark, ...] = ()
    left_out: int = 0

    @property
    def more(self) -> str:
        """What is said of those that are left out; nothing where none are."""
        if not self.left_out:
            return ""
        return f"{self.left_out} more event{'s' if self.left_out > 1 else ''} of this time not shown"

    @property
    def key(self) -> tuple[str, ...]:
        """The key in lines of plain text, for a picture."""
        lines = (f"({mark.number}) {mark.when}: {mark.words}" for mark in self.marks)
        return (*lines, *([self.more] if self.more else []))


NO_EVENTS = Events()


def market_events(connection: Connection, figures: MarketFigures) -> Events:
    """What happened in the market of the figures along their time axis; nothing for a set of markets or one period."""
    selection, nouns = figures.selection, figures.nouns
    if len(selection.market) != 1 or len(figures.start) < 2:
        return NO_EVENTS
    code = selection.market[0]
    found = queries.events(
        connection,
        markets=concerned(code),
        first=month_start(int(figures.start[0])),
        last=month_start(int(figures.start[-1])),
        as_of=selection.as_of,
    )
    named = {maker for slug in selection.makers for maker in nouns.members.get(slug, (slug,))}
    named |= {nouns.model_makers[slug] for slug in selection.models}
    shown = chosen(found, market=code, makers=named)
    return Events(
        marks=tuple(
            Mark(number=n, event=event, where="" if event.market == code else _region_name(event.market, nouns))
            for n, event in enumerate(shown, start=1)
        ),
        left_out=len(found) - len(shown),
    )


def concerned(code: str) -> tuple[str, ...]:
    """The markets whose events concern a market, the nearest first: itself, its region, the world."""
    region = ("EU",) if code in EU_MEMBERS or code == "EUROPE" else ()
    return tuple(dict.fromkeys((code, *region, "WORLD")))


def chosen(events: Sequence[Event], *, market: str, makers: Collection[str]) -> tuple[Event, ...]:
    """The events that a chart of a market shows, oldest first: at most `AT_MOST`, by rule.

    Those of the market before those of its region and the world; of these the kinds that move sales first; of these
    what concerns the chosen makers before what concerns everybody, and this before single makers; of these the newest.
    Where makers are chosen, what concerns others alone is left out.
    """
    nearest = concerned(market)
    events = [event for event in events if not makers or event.maker in (ALL, *makers)]

    def rank(event: Event) -> tuple[int, int, int, int]:
        kind = next((n for n, kinds in enumerate(_FIRST_KINDS) if event.kind in kinds), len(_FIRST_KINDS))
        who = 1 if event.maker == ALL else 0 if makers else 2
        return nearest.index(event.market), kind, who, -event.date.toordinal()

    first = sorted(events, key=rank)[:AT_MOST]
    return tuple(sorted(first, key=lambda event: (event.date, rank(event))))


def _region_name(code: str, nouns: Nouns) -> str:
    name = nouns.adjectives.get(code, code if len(code) == 2 else code.title())
    return name[:1].upper() + name[1:]


# On the time axis

_ROOM = {True: 290, False: 860}
"""Pixels that a narrow and a wide page leave for a time axis."""


def marked(layout: dict[str, Any], events: Events, look: Look) -> dict[str, Any]:
    """A layout with the events above its time axis: a thin line at each date and its number in a circle on top of it.

    The x axis is of dates and has a range. Circles that would touch stand one above the other; the plot leaves them
    room.
    """
    if not events.marks:
        return layout
    ink, size = style.INK[look.theme], round(look.font_px * 0.85)
    high = 2 * round(size * 0.78)
    first, last = (date.fromisoformat(str(day)[:10]) for day in layout["xaxis"]["range"])
    room = look.width * 0.8 if look.width else _ROOM[look.font_px < style.SCREEN.font_px]
    across = [(mark.event.date - first).days / max((last - first).days, 1) for mark in events.marks]
    levels = stacked([place * room for place in across], apart=high + 2)
    lines: list[dict[str, Any]] = []
    circles: list[dict[str, Any]] = []
    for mark, place, level in zip(events.marks, across, levels, strict=True):
        day, foot = mark.event.date.isoformat(), 2 + level * (high + 2)
        # Not on the x axis: a circle at its end would be cut.
        at_top = {"xref": "paper", "xanchor": place, "xsizemode": "pixel"}
        at_top |= {"yref": "paper", "yanchor": 1, "ysizemode": "pixel"}
        thin = {"type": "line", "layer": "below", "line": {"color": ink.axis, "width": 1}, "opacity": 0.7}
        lines.append(thin | {"xref": "x", "x0": day, "x1": day, "yref": "paper", "y0": 0, "y1": 1})
        lines.append(thin | at_top | {"x0": 0, "x1": 0, "y0": 0, "y1": foot})
        circles.append(
            at_top
            | {
                "type": "circle",
                "x0": -high / 2,
                "x1": high / 2,
                "y0": foot,
                "y1": foot + high,
                "fillcolor": ink.background,
                "line": {"color": ink.quiet, "width": 1},
                "label": {"text": str(mark.number), "font": {"size": size, "color": ink.text}, "padding": 0},
            }
        )
    margin = layout["margin"]
    return {
        **layout,
        "margin": {**margin, "t": margin["t"] + 2 + (max(levels) + 1) * (high + 2)},
        "shapes": [*layout.get("shapes", ()), *lines, *circles],
    }


def stacked(across: Sequence[float], *, apart: float) -> list[int]:
    """The level of each place along an axis, the lowest one on which it keeps `apart` from those before it."""
    taken: list[float] = []
    levels = []
    for place in across:
        level = next((n for n, last in enumerate(taken) if place - last >= apart), len(taken))
        taken[level : level + 1] = [place]
        levels.append(level)
    return levels
