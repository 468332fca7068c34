"""`duel-markets`: which of two makers leads in which market, by how much, since when, and where it is open.

Each market is told up to its own newest period, which each row prints: markets are compared with none but themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import duel, market_rows
from dashboard.charts.chart import CARS, Chart, Point, Reading, Table, shortest
from dashboard.charts.duel import margin_text, signed_text
from dashboard.charts.market_drawing import plain
from dashboard.charts.market_words import (
    COUNTED,
    FIGURES,
    KIND,
    WINDOWS,
    first_up,
    freshness,
    marked_text,
    measure_text,
)
from dashboard.metrics import Gap, Lead
from dashboard.precedence import PUBLISHED_AS, counted_parts
from dashboard.sales_lines import Line, MarketFigures, figures_asked_for, figures_if_any, maker_name, month_start
from dashboard.selection import (
    BasisChoice,
    By,
    Incomparable,
    Measure,
    NotPublished,
    PowertrainChoice,
    Refusal,
    Selection,
    Window,
)
from dashboard.style import Figure, Look
from db import Connection, queries
from db.claims import GRAIN_MONTHS
from db.queries import Nouns
from db.vocabulary import Grain

MEASURES = (Measure.SHARE, Measure.UNITS, Measure.GROWTH)

DEFAULTS = Selection(market=(), makers=duel.RIVALS, window=Window.TTM, measure=Measure.SHARE)
"""All countries whose makers are named, over trailing twelve months."""

STALE = 12
"""Months that a market's newest figure may be older than the newest of all; older ones are left out, and named."""


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


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """How two makers stand in each market; raises as `market_figures` and `duel.duellists` do."""
    found = duel.answered(connection, selection, ask=_standings, others=_ways_on(selection))
    cited = {cited.slug: cited for each in found.standings for cited in each.figures.dataset.citations}
    newest = max(found.standings, key=lambda each: each.end)
    return Reading(
        selection=found.selection,
        title=_title(found),
        subtitle=_subtitle(found),
        badge=freshness(newest.figures, today=today, doubt=_doubt(found)),
        citations=tuple(cited.values()),
        notes=(*_notes(found), *(duel.read_as(selection) if selection.by is not By.MARKET else [])),
        content=found,
    )


def _subtitle(found: Markets) -> str:
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


def _ways_on(selection: Selection) -> Iterable[Selection]:
    return [replace(selection, market=()), *duel.at_home(selection, DEFAULTS)]


def _standings(connection: Connection, selection: Selection) -> Markets:
    nouns = queries.nouns(connection, as_of=selection.as_of)
    if selection.basis is BasisChoice.REPORTED:
        raise Incomparable(
            "makers' own headline figures are worldwide and on unlike bases: who leads a market is told by its "
            "registrations",
            nearest=replace(selection, basis=BasisChoice.REGISTRATION),
        )
    two = duel.duellists(selection, nouns)
    regions = tuple(code for code in two.market if code in nouns.regions)
    asked = tuple(code for code in two.market if code not in regions)
    if regions and not asked:
        raise NotPublished(
            f"{', '.join(nouns.markets[code] for code in regions)} overlaps the countries that this chart sets side by "
            "side, and no makers are named in it",
            nearest=replace(selection, market=()),
        )
    markets = asked or _naming(connection, two, nouns)
    found = [each for figures in _figures(connection, two, markets) for each in _of_figures(figures, two)]
    if not found:
        raise NotPublished(
            f"in no market asked for have both {' and '.join(maker_name(slug, two, nouns) for slug in two.makers)} "
            "figures over such a window",
        )
    newest = max(each.end for each in found)
    stale = tuple(each for each in found if each.end < newest - STALE and not asked)
    told = sorted(
        (each for each in found if each not in stale),
        key=lambda each: (not each.lead.side, -each.middle, each.name),
    )
    codes = {each.code for each in found}
    return Markets(
        selection=two,
        names=(maker_name(two.makers[0], two, nouns), maker_name(two.makers[1], two, nouns)),
        standings=tuple(told),
        stale=stale,
        regions=tuple(nouns.markets[code] for code in regions),
        silent=tuple(nouns.markets[code] for code in asked if code not in codes),
    )


def _naming(connection: Connection, selection: Selection, nouns: Nouns) -> tuple[str, ...]:
    """The countries whose figures on the basis name makers of the powertrain."""
    words: dict[str, set[str]] = {}
    for each in queries.published(connection, markets=sorted(nouns.markets.keys() - nouns.regions)):
        if each.basis == selection.basis.value and each.names_makers:
            words.setdefault(each.market, set()).add(each.powertrain)
    wanted = set(PUBLISHED_AS[selection.powertrain])
    is_set = selection.powertrain is PowertrainChoice.NEV
    codes = (code for code, stated in words.items() if (counted_parts(stated) if is_set else wanted & stated))
    found = tuple(sorted(codes))
    if not found:
        raise NotPublished(
            f"no country's {selection.basis} figures name makers of {CARS[selection.powertrain]}",
            nearest=replace(selection, basis=BasisChoice.REGISTRATION, powertrain=PowertrainChoice.BEV, of=None),
        )
    return found


def _figures(connection: Connection, selection: Selection, markets: tuple[str, ...]) -> list[MarketFigures]:
    """The figures of the markets: by months, and by quarters of those that have no months but fill the same window."""
    found: list[MarketFigures] = []
    asked: list[Selection] = []

    def ask(wanted: Selection, codes: tuple[str, ...]) -> None:
        readings = [replace(wanted, market=codes, by=By.MARKET)]
        if wanted.by is By.GROUP:
            # Groups are no lines by market: they are read market by market.
            readings = [replace(wanted, market=(code,)) for code in codes]
        asked.extend(readings)
        for reading in readings:
            with suppress(Refusal):
                figures = figures_if_any(connection, reading, measures=MEASURES)
                found.extend([figures] if figures else [])

    ask(selection, markets)
    if selection.grain is Grain.MONTH and selection.window is not Window.NONE:
        told = {line.market for of in found for line in of.entities}
        coarse = tuple(code for code in markets if code not in told)
        if coarse:
            ask(replace(selection, grain=Grain.QUARTER), coarse)
    if not found:
        # The first of them says why.
        figures_asked_for(connection, asked[0], measures=MEASURES)
    return found


def _of_figures(figures: MarketFigures, selection: Selection) -> list[Standing]:
    """The standing in each market of some figures in which both have any."""
    standings = []
    for code in figures.selection.market:
        lines = [duel.side(figures, slug, market=code) for slug in selection.makers]
        one, other = lines
        if one is None or other is None:
            continue
        gap = duel.gap_of(one, other)
        lead = duel.lead_of(gap, figures, one)
        if lead is not None:
            standings.append(
                Standing(
                    code=code,
                    name=figures.nouns.markets[code],
                    figures=figures,
                    one=one,
                    other=other,
                    gap=gap,
                    lead=lead,
                    before=_year_before(figures, (one, other), gap, lead.at),
                )
            )
    return standings


def _year_before(figures: MarketFigures, lines: tuple[Line, Line], gap: Gap, at: int) -> int | None:
    """The place of the same period a year before, if it has a gap and was told by the same sources."""
    place = int(np.searchsorted(figures.start, figures.start[at] - 12))
    if figures.start[place] != figures.start[at] - 12 or np.isnan(gap.value[place]):
        return None
    return place if all(line.sources[place] == line.sources[at] for line in lines) else None


# Words


def _title(found: Markets) -> str:
    """In how many markets who leads, in at most 90 characters; who might lead is not counted as leading."""
    selection, standings = found.selection, found.standings
    cars = f"{CARS[selection.powertrain]}{COUNTED[selection.basis]}"
    verb = "outgrows" if selection.measure is Measure.GROWTH else "leads"
    if len(standings) == 1:
        return _title_of_one(standings[0], found, cars=cars, verb=verb)
    sides = Counter(each.lead.side for each in standings)
    ahead, behind = (1, -1) if sides[1] >= sides[-1] else (-1, 1)
    first, second = found.names if ahead == 1 else found.names[::-1]
    total, still_open = len(standings), sum(1 for each in standings if _is_open(each))
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


def _is_open(standing: Standing, at: int | None = None) -> bool:
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
    when, name = _span_text(standing, found.selection), standing.name
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
    if _is_open(standing):
        return shortest(f"{name}, {when}: unnamed cars leave open who {verb}")
    return shortest(f"{name}, {when}: {first} and {second} are level")


def _span_text(standing: Standing, selection: Selection) -> str:
    """'12 months to Jun 2026', 'Jun 2026', 'Q1 2026'."""
    last = style.period_text(month_start(standing.end), "month")
    if selection.window is Window.TTM:
        return f"12 months to {last}"
    if selection.window is Window.THREE_MONTHS:
        return f"3 months to {last}"
    if selection.window is Window.YTD:
        return f"year to {last}"
    return style.period_text(month_start(int(standing.figures.start[standing.at])), selection.grain.value)


def _doubt(found: Markets) -> str:
    count = sum(1 for each in found.standings if _is_open(each))
    if not count:
        return ""
    return f"In {count} market{'s' if count > 1 else ''} the unnamed rest leaves open who is ahead."


def _notes(found: Markets) -> tuple[str, ...]:
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


# Drawing

_UNIT = {
    Measure.UNITS: "cars",
    Measure.SHARE: "percentage points of share",
    Measure.GROWTH: "percentage points of growth",
}

_ROW = 1.75
"""Height of a market's row in font sizes."""


def draw(reading: Reading, look: Look) -> Figure:
    """A bar a market from zero towards who is ahead, with a mark where the gap stood a year before."""
    found: Markets = reading.content
    measure, makers = found.selection.measure, found.selection.makers
    ink, font = style.INK[look.theme], round(look.font_px * 0.92)
    colours = {side: style.colour(slug, look.theme, highlight=True) for side, slug in zip((1, -1), makers, strict=True)}
    usual = Counter(each.end for each in found.standings).most_common(1)[0][0]
    names = [_row_name(each, usual, is_single=len(found.standings) == 1) for each in found.standings]
    said = [_margin(each, found) for each in found.standings]
    then = {
        name: _certain(each.gap, each.before) * _scale(measure)
        for name, each in zip(names, found.standings, strict=True)
        if each.before is not None and not _is_open(each, each.before)
    }
    traces = _bars(found, names, said, colours, look)
    if then:
        traces.append(_year_marks(then, look))
    bounds = _bounds(found, then)
    margin = {
        "l": round(max(style.text_width(name, font) for name in names) + font),
        "r": round(max(style.text_width(text, font) for text in said) + font * 1.6),
        "t": round(font * 2.2),
        "b": round(font * 4.4),
    }
    height = look.height
    if look.width is None:
        height = max(look.height if len(names) > 3 else 0, round(len(names) * font * _ROW + margin["t"] + margin["b"]))
    layout = style.layout(
        look,
        height=height,
        hovermode="closest",
        barmode="overlay",
        bargap=0.3,
        margin=margin,
        xaxis={
            "range": list(bounds),
            "showgrid": True,
            "gridcolor": ink.grid,
            "zeroline": True,
            "zerolinecolor": ink.axis,
            "zerolinewidth": 1,
            "tickformat": "~s" if measure is Measure.UNITS else "",
            "ticksuffix": "" if measure is Measure.UNITS else " pp",
            "nticks": 7,
            "title": {"text": f"Gap in {_UNIT[measure]}"},
        },
        yaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": names,
            "autorange": "reversed",
            "showgrid": False,
            "zeroline": False,
            "tickmode": "array",
            "tickvals": names,
        },
    )
    beside = {"showarrow": False, "xref": "paper", "x": 1, "xanchor": "left", "xshift": 6, "yref": "y"}
    layout["annotations"] = [
        *_directions(found, look, colours, bounds=bounds),
        *(
            beside | {"text": text, "y": name, "font": {"size": font, "color": colours.get(each.lead.side, ink.quiet)}}
            for text, name, each in zip(said, names, found.standings, strict=True)
        ),
    ]
    return {"data": traces, "layout": layout}


def _scale(measure: Measure) -> float:
    """Shares and growth are drawn in percentage points."""
    return 1.0 if measure is Measure.UNITS else 100.0


def _certain(gap: Gap, at: int) -> float:
    """The end of the gap that is nearest to zero: by so much one is ahead at least; zero where nobody is."""
    side = float(gap.ahead[at])
    return float(gap.low[at]) if side > 0 else float(gap.high[at]) if side < 0 else 0.0


def _bars(
    found: Markets, names: Sequence[str], said: Sequence[str], colours: Mapping[int, str], look: Look
) -> list[dict[str, Any]]:
    """Solid from zero as far as it is certain, hatched as far as the gap may reach; what is open is all hatched."""
    scale, nobody = _scale(found.selection.measure), style.INK[look.theme].axis
    whose = [colours.get(each.lead.side, nobody) for each in found.standings]
    solid = np.array([_certain(each.gap, each.at) for each in found.standings]) * scale
    low, high = (
        np.array([getattr(each.gap, end)[each.at] for each in found.standings]) * scale for end in ("low", "high")
    )
    sides = np.array([each.lead.side for each in found.standings])
    begins = np.where(sides == 0, low, solid)
    shared = {"type": "bar", "orientation": "h", "y": list(names), "showlegend": False}
    return [
        shared
        | {
            "x": plain(np.where(sides < 0, low, high) - begins),
            "base": plain(begins),
            "marker": {"color": "rgba(0,0,0,0)", "pattern": style.hatch(nobody) | {"fgcolor": whose}},
            "hoverinfo": "skip",
        },
        shared
        | {
            "x": plain(solid),
            "marker": {"color": whose},
            "text": list(said),
            "textposition": "none",
            "customdata": [_key(each, found) for each in found.standings],
            "hovertext": [style.escape(_hover(each, found)) for each in found.standings],
            "hovertemplate": "%{hovertext}<extra></extra>",
        },
    ]


def _year_marks(then: Mapping[str, float], look: Look) -> dict[str, Any]:
    """A short line in each row where the solid bar would have ended a year before."""
    ink = style.INK[look.theme].text
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "A year before",
        "x": list(then.values()),
        "y": list(then),
        "marker": {
            "symbol": "line-ns-open",
            "size": round(look.font_px * 0.5),
            "color": ink,
            "line": {"width": 2, "color": ink},
        },
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _bounds(found: Markets, then: Mapping[str, float]) -> tuple[float, float]:
    """The ends of the axis: of what is certain, since what is open may be far wider than any lead and is cut there."""
    scale = _scale(found.selection.measure)
    told = [each for each in found.standings if each.lead.side] or list(found.standings)
    ends = [0.0, *then.values()]
    ends += [float(end[each.at]) * scale for each in told for end in (each.gap.low, each.gap.high)]
    bottom, top = min(ends), max(ends)
    span = top - bottom or 1.0
    sides = {each.lead.side for each in found.standings}
    # Over the plot there is room on both sides of zero for who is ahead there.
    bottom = min(bottom - 0.04 * span, -0.15 * span if -1 in sides else 0.0)
    return bottom, max(top + 0.04 * span, 0.15 * span if 1 in sides else 0.0)


def _row_name(standing: Standing, usual: int, *, is_single: bool) -> str:
    """A market's name, with its newest month where that is not the usual one."""
    if standing.end == usual and not is_single:
        return style.escape(standing.name)
    return style.escape(f"{standing.name}, to {style.period_text(month_start(standing.end), 'month')}")


def _margin(standing: Standing, found: Markets) -> str:
    """By how much one is ahead, or that it is open."""
    if standing.lead.side:
        return margin_text(standing.gap, standing.at, found.selection.measure).replace("at least ", "≥")
    return "open" if _is_open(standing) else "level"


def _hover(standing: Standing, found: Markets) -> str:
    selection = found.selection
    both = ", ".join(
        f"{name} {marked_text(line, standing.at, selection)}"
        for name, line in zip(found.names, (standing.one, standing.other), strict=True)
    )
    return f"{standing.name}, {_span_text(standing, selection)}: {both}"


def _key(standing: Standing, found: Markets) -> list[Any]:
    """What `Point` is made of: the maker that is ahead, in the market's newest period."""
    line = standing.one if standing.lead.side >= 0 else standing.other
    return [standing.code, line.maker, line.model, _labelled(standing, found)]


def _labelled(standing: Standing, found: Markets) -> int:
    """The first month of a market's newest period, as the selection counts: quarters may fill a window of months."""
    return standing.end + 1 - GRAIN_MONTHS[found.selection.grain.value]


def _directions(
    found: Markets, look: Look, colours: dict[int, str], *, bounds: tuple[float, float]
) -> list[dict[str, Any]]:
    """Over the plot: which way is whose."""
    font = round(look.font_px * 0.92)
    word = "grows faster" if found.selection.measure is Measure.GROWTH else "ahead"
    zero = -bounds[0] / (bounds[1] - bounds[0])
    shared = {
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "y": 1,
        "yanchor": "bottom",
        "yshift": 2,
        "borderpad": 0,
    }
    notes = []
    sides = {each.lead.side for each in found.standings} - {0} or {-1, 1}
    for side, name, anchor, shift in ((-1, found.names[1], "right", -8), (1, found.names[0], "left", 8)):
        if side not in sides:
            continue
        notes.append(
            shared
            | {
                "text": f"<b>{style.escape(name)} {word}</b>",
                "font": {"size": font, "color": colours[side]},
                "x": zero,
                "xanchor": anchor,
                "xshift": shift,
            }
        )
    return notes


# Table, download, receipts


def table(reading: Reading) -> Table:
    """A row a market: its own period, both figures, the gap now and a year before, and since when one is ahead."""
    found: Markets = reading.content
    selection = found.selection
    body = []
    for each in found.standings:
        then = _gap_words(each, each.before, found) if each.before is not None else style.MISSING
        body.append(
            (
                each.name,
                _span_text(each, selection),
                marked_text(each.one, each.at, selection),
                marked_text(each.other, each.at, selection),
                _gap_words(each, each.at, found),
                then,
                each.since or style.MISSING,
            )
        )
    return Table(
        header=("Market", "Period", *found.names, "Ahead", "A year before", "Ahead since"),
        rows=tuple(body),
        caption="Every market up to its own newest period; ≥ and ≤ mark what the unnamed rest leaves open.",
    )


def _gap_words(standing: Standing, at: int, found: Markets) -> str:
    gap, measure = standing.gap, found.selection.measure
    side = float(gap.ahead[at])
    if side:
        return f"{found.names[0] if side > 0 else found.names[1]} by {margin_text(gap, at, measure)}"
    if gap.low[at] == gap.high[at]:
        return "level"
    return f"open: {signed_text(float(gap.low[at]), measure)} to {signed_text(float(gap.high[at]), measure)}"


def rows(reading: Reading) -> pd.DataFrame:
    """Both makers and the rest in each market's newest period, with `DOWNLOAD_COLUMNS` and columns of its own.

    Beside both makers' rows stand the gap (the first maker's value less the second's, in the measure's unit) with its
    ends, the slug of the one that is ahead, and the first period since which it is; a period with an open gap has none.
    """
    found: Markets = reading.content
    told: dict[int, list[Standing]] = {}
    for each in found.standings:
        told.setdefault(id(each.figures), []).append(each)
    parts = [_rows_of(standings, found) for standings in told.values()]
    return pd.concat(parts, ignore_index=True).sort_values(["market", "maker"], kind="stable", ignore_index=True)


def _rows_of(standings: Sequence[Standing], found: Markets) -> pd.DataFrame:
    """The rows of markets that are told by the same figures."""
    figures, makers = standings[0].figures, found.selection.makers
    of = {each.code: each for each in standings}
    newest = {each.code: np.where(np.arange(len(figures.start)) == each.at, 0.0, np.nan) for each in standings}
    lines = [line for line in figures.lines if line.market in of]
    part = market_rows.rows(
        replace(figures, lines=tuple(replace(line, value=line.value + newest[line.market]) for line in lines))
    )
    rows = [of[code] for code in part["market"]]
    is_side = part["maker"].isin(makers).to_numpy()
    part["period_start"] = [month_start(_labelled(each, found)).isoformat() for each in rows]
    part["grain"] = found.selection.grain.value
    for name, end in (("gap", "value"), ("gap_low", "low"), ("gap_high", "high")):
        part[name] = np.where(is_side, [getattr(each.gap, end)[each.at] for each in rows], np.nan)
    leaders = [{1: makers[0], -1: makers[1]}.get(each.lead.side, "") for each in rows]
    firsts = [month_start(int(figures.start[each.lead.first])).isoformat() if each.lead.side else "" for each in rows]
    part["ahead"] = np.where(is_side, leaders, "")
    part["ahead_since"] = np.where(is_side, firsts, "")
    return part


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims behind both makers' cars in a market's newest period: a gap rests on two figures."""
    found: Markets = reading.content
    standing = {each.code: each for each in found.standings}[point.market]
    start = int(standing.figures.start[standing.at])
    return pd.concat(
        [
            market_rows.receipts(
                connection,
                standing.figures,
                Point(market=point.market, maker=line.maker, model=line.model, period_start=start),
            )
            for line in (standing.one, standing.other)
        ],
        ignore_index=True,
    )


DUEL_MARKETS = Chart(
    slug="duel-markets",
    name="Who leads where",
    question="Which of the two leads where, and since when?",
    defaults=DEFAULTS,
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
)
