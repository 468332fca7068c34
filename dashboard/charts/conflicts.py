"""`conflicts`: where sources contradict each other (`dashboard.conflicts` says what is compared).

Other charts draw the figure of the source that comes first (its precedence); the other one is shown here and nowhere
else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import copysign, log10
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts.chart import CARS, DOWNLOAD_COLUMNS, Badge, Chart, Reading, Table, shortest
from dashboard.comparability import HEADLINE_BASES, check_names
from dashboard.conflicts import SIGNIFICANT_DIGITS, Cell, Conflicts, Kind, Pair, compared
from dashboard.precedence import PUBLISHED_AS
from dashboard.selection import BasisChoice, Measure, Selection
from dashboard.style import Figure, Look
from dashboard.what_changed import as_day
from dashboard.windows import month_number, month_start
from db import Connection, market_claims, queries
from db.claims import GRAIN_MONTHS
from db.vocabulary import ALL

LARGEST = 10.0
"""The largest difference on the axis, as a fraction: what is beyond stands at its edge, marked."""

TABLE_ROWS = 60

MEASURES = (Measure.UNITS,)


# Reading


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:  # noqa: ARG001
    """What two sources state of a selection, as known on its `as_of`; no refusal where there is nothing: that is said.

    Raises `InvalidSelection` for names that the database does not have.
    """
    nouns = queries.nouns(connection, as_of=selection.as_of)
    check_names(selection, nouns)
    is_reported = selection.basis is BasisChoice.REPORTED
    dataset = market_claims.sales_figures(
        connection,
        markets=selection.market,
        bases=HEADLINE_BASES if is_reported else (selection.basis.value,),
        powertrains=[word.value for word in PUBLISHED_AS[selection.powertrain]],
        as_of=selection.as_of,
    )
    pairs = tuple(pair for pair in compared(dataset.frame, dataset.citations) if _asked_for(pair.cell, selection))
    found = Conflicts(pairs=pairs, citations={cited.slug: cited for cited in dataset.citations}, nouns=nouns)
    compared_sources = {figured.source for pair in pairs for figured in (pair.chosen, pair.other)}
    return Reading(
        selection=selection,
        title=title(found, selection),
        subtitle=_subtitle(found, selection),
        badge=_badge(found),
        citations=tuple(cited for cited in dataset.citations if cited.slug in compared_sources or not pairs),
        notes=_notes(found),
        content=found,
    )


def _asked_for(cell: Cell, selection: Selection) -> bool:
    """Whether a cell is of the makers, models and range that a selection names; a period must lie wholly inside."""
    if selection.makers and cell.maker not in selection.makers:
        return False
    if selection.models and cell.model not in selection.models:
        return False
    if selection.since and cell.month < month_number(selection.since):
        return False
    return not selection.until or cell.month + GRAIN_MONTHS[cell.grain] <= month_number(selection.until) + 1


# Words


def title(found: Conflicts, selection: Selection) -> str:
    """How many figures differ and where most, in at most 90 characters; a plain statement where none does."""
    cars = _cars_name(found, selection)
    if not found.pairs:
        return shortest(f"No figure of {cars} is stated by two sources", "No figure is stated by two sources")
    differing = found.differing
    if not differing:
        if len(found.pairs) == 1:
            return shortest(f"The one figure of {cars} that two sources state agrees", "The two sources agree")
        return shortest(
            f"Sources agree on all {len(found.pairs):,} figures of {cars} that two of them state",
            f"Sources agree on all {len(found.pairs):,} figures that two of them state",
        )
    largest = differing[0]
    part = f"Sources differ on {len(differing):,} of {len(found.pairs):,} figures"
    where = _about(largest, found, market=len(selection.market) > 1)
    most = f"{', most' if len(differing) > 1 else ''} by {_percent(largest)} ({where})"
    return shortest(
        f"{part} of {cars}{most}",
        f"{part}{most}",
        f"{part} of {cars}",
        part,
    )


def _percent(pair: Pair) -> str:
    """The difference in per cent, signed; in cars where the chosen figure is zero."""
    if pair.relative is None:
        return f"{pair.difference:+,.0f} cars"
    return style.growth_text(pair.relative)


def _about(pair: Pair, found: Conflicts, *, market: bool) -> str:
    """'2023', 'Tesla 2020', 'Germany 2023'."""
    cell = pair.cell
    parts = [found.nouns.markets[cell.market]] if market else []
    if cell.maker != ALL or found.has_powertrains:
        parts.append(_entity(cell, found))
    return " ".join([*parts, style.period_text(month_start(cell.month), cell.grain)])


def _entity(cell: Cell, found: Conflicts) -> str:
    """'Tesla', 'All makers'; with the powertrain where several are compared: 'All makers, BEV+PHEV'."""
    nouns = found.nouns
    maker = "All makers" if cell.maker == ALL else nouns.makers.get(cell.maker, cell.maker)
    name = maker if cell.model == ALL else f"{maker} {nouns.models.get(cell.model, cell.model)}"
    return f"{name}, {cell.powertrain}" if found.has_powertrains else name


def _cars_name(found: Conflicts, selection: Selection) -> str:
    cars = CARS[selection.powertrain]
    if len(selection.market) == 1:
        return f"{found.nouns.adjectives[selection.market[0]]} {cars}"
    return f"{cars} in {len(selection.market)} markets"


def _subtitle(found: Conflicts, selection: Selection) -> str:
    where = ", ".join(found.nouns.markets[code] for code in selection.market)
    count = f"{len(found.differing):,} of {len(found.pairs):,} cells that two sources state differ"
    return (
        f"{where}. {count}; the other source's {selection.basis} figure of {CARS[selection.powertrain]} (passenger "
        "cars) against the one that other charts draw, in %"
    )


def _badge(found: Conflicts) -> Badge:
    if not found.pairs:
        return Badge(text="nothing to compare")
    known = max(max(pair.chosen.known, pair.other.known) for pair in found.pairs)
    agreeing = 1 - len(found.differing) / len(found.pairs)
    text = f"{style.share_text(agreeing)} agree · as known {style.day_text(as_day(known))}"
    if not found.differing:
        return Badge(text=text)
    return Badge(text=text, amber=True, reason="Two sources state different figures about the same cars.")


def _notes(found: Conflicts) -> tuple[str, ...]:
    notes = []
    sources = {figured.source for pair in found.pairs for figured in (pair.chosen, pair.other)}
    agreeing, rounded = len(found.pairs) - len(found.differing), sum(pair.is_rounding for pair in found.pairs)
    if found.pairs:
        only = f", {rounded:,} of them only because their publisher rounds to two significant digits" if rounded else ""
        notes.append(f"{agreeing:,} agree (hollow){only}. In each row older periods stand above.")
    sums = sorted({pair.kind.value for pair in found.pairs} - {Kind.SAME.value})
    if sums:
        notes.append(f"Some figures are added up to be compared ({', '.join(sums)}): only where all parts are there.")
    notes += [_told(pair, found) for pair in found.differing[:2]]
    notes += [
        f"{found.citations[slug].title}: {found.citations[slug].warning}"
        for slug in sorted(sources)
        if slug in SIGNIFICANT_DIGITS and found.citations[slug].warning
    ]
    return tuple(notes)


def _told(pair: Pair, found: Conflicts) -> str:
    """'World, All makers, 2023: Open EV Charts 9,500,000 (sum of months), Global EV Data 9,600,000 (+1.1 %).'"""
    cell = pair.cell
    place = f"{found.nouns.markets[cell.market]}, {_entity(cell, found)}, "
    when = style.period_text(month_start(cell.month), cell.grain)
    one, other = (
        f"{found.citations[each.source].title} {each.units:,.0f}"
        + (f" ({each.kind.value})" if each.kind is not Kind.SAME else "")
        for each in (pair.chosen, pair.other)
    )
    return f"{place}{when}: {one}, {other}: {_percent(pair)}."


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """A dot a comparison, hollow where the two agree: in a row for each pair of sources, older periods above."""
    found: Conflicts = reading.content
    if not found.pairs:
        return _stated_only(reading.title + ".", look)
    is_narrow = (look.width or 0) < 600 and (look.width is not None or look.font_px < style.SCREEN.font_px)
    order = sorted({_sources(pair) for pair in found.pairs})
    first, last = found.pairs[0].cell.month, found.pairs[-1].cell.month
    limit = _scale(min(max([0.01, *(pair.size for pair in found.pairs)]), LARGEST)) * 1.06
    ink = style.INK[look.theme]
    dots = [
        _Dot(
            pair=pair,
            x=round(copysign(_scale(min(pair.size, LARGEST)), pair.difference), 4),
            y=round(-order.index(_sources(pair)) + 0.35 - 0.7 * (pair.cell.month - first) / max(last - first, 1), 4),
        )
        for pair in found.pairs
    ]
    ticks = [each for each in _TICKS if _scale(abs(each)) <= limit and not (is_narrow and abs(each) == 0.01 < limit)]
    layout = style.layout(
        look,
        hovermode="closest",
        xaxis={
            "range": [-limit, limit],
            "tickvals": [copysign(_scale(abs(each)), each) for each in ticks],
            "ticktext": [_tick(each) for each in ticks],
            "showgrid": True,
            "gridcolor": ink.grid,
            "zeroline": True,
            "zerolinecolor": ink.axis,
        },
        yaxis={
            "range": [0.5 - len(order), 0.5],
            "tickvals": [-n for n in range(len(order))],
            "ticktext": [_row_name(sources, found) for sources in order],
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
        },
        annotations=_largest(dots, found, look=look, most=1 if is_narrow else 4, limit=limit),
        shapes=[
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "yref": "y",
                "y0": -n - 0.5,
                "y1": -n - 0.5,
                "line": {"color": ink.grid, "width": 1},
            }
            for n in range(len(order) - 1)
        ],
    )
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [dot.x for dot in dots],
        "y": [dot.y for dot in dots],
        "marker": {
            "symbol": [dot.symbol for dot in dots],
            "color": [ink.text if dot.pair.differs else ink.quiet for dot in dots],
            "size": look.font_px * (0.5 if is_narrow else 0.62),
            "opacity": 0.85,
            "line": {
                "width": [1 if dot.pair.differs else 1.5 for dot in dots],
                "color": [ink.background if dot.pair.differs else ink.quiet for dot in dots],
            },
        },
        "text": [style.escape(_told(dot.pair, found)) for dot in dots],
        "hovertemplate": "%{text}<extra></extra>",
    }
    return {"data": [trace], "layout": layout}


@dataclass(frozen=True)
class _Dot:
    pair: Pair
    x: float
    y: float

    @property
    def symbol(self) -> str:
        """A triangle at the edge for a difference beyond the axis, a hollow dot for none."""
        if self.pair.size > LARGEST:
            return "triangle-right" if self.pair.difference > 0 else "triangle-left"
        return "circle" if self.pair.differs else "circle-open"


def _sources(pair: Pair) -> tuple[str, str]:
    return pair.chosen.source, pair.other.source


_TICKS = (-10.0, -1.0, -0.1, -0.01, 0.0, 0.01, 0.1, 1.0, 10.0)


def _tick(change: float) -> str:
    sign = style.MINUS if change < 0 else "+" if change > 0 else ""
    return f"{sign}{abs(change) * 100:,.0f} %"


def _scale(size: float) -> float:
    """Where the size of a difference stands on the axis: even steps below one per cent, ever longer ones above."""
    return log10(1 + size / 0.01)


def _row_name(sources: tuple[str, str], found: Conflicts) -> str:
    chosen, other = (style.escape(found.citations[slug].title) for slug in sources)
    return f"{other}<br>against {chosen}"


def _largest(dots: Sequence[_Dot], found: Conflicts, *, look: Look, most: int, limit: float) -> list[dict[str, Any]]:
    """The names of the largest differences, as many as keep apart, written towards the middle."""
    many = len({pair.cell.market for pair in found.pairs}) > 1
    rows = len({_sources(pair) for pair in found.pairs})
    ink, font = style.INK[look.theme], round(look.font_px * 0.92)
    apart = rows * font * 2.4 / max(look.height * 0.6, 1)
    named: list[_Dot] = []
    for dot in sorted((dot for dot in dots if dot.pair.differs), key=lambda dot: -dot.pair.size):
        if len(named) < most and all(abs(dot.y - other.y) >= apart for other in named):
            named.append(dot)
    return [
        {
            "text": style.escape(f"{_about(dot.pair, found, market=many)}: {_percent(dot.pair)}"),
            "showarrow": False,
            "xref": "x",
            "x": dot.x,
            # One near the middle has room on its own side.
            "xanchor": "left" if (dot.x < 0) is (abs(dot.x) > limit / 2) else "right",
            "yref": "y",
            "y": dot.y,
            "yanchor": "bottom",
            "yshift": round(look.font_px * 0.35),
            "borderpad": 0,
            "font": {"size": font, "color": ink.text},
        }
        for dot in named
    ]


def _stated_only(text: str, look: Look) -> Figure:
    layout = style.layout(
        look,
        xaxis={"visible": False, "range": [0, 1]},
        yaxis={"visible": False, "range": [0, 1]},
        annotations=[
            style.statement(
                "<br>".join(style.escape(line) for line in style.wrap(text, width=320, font_px=look.font_px)), look
            )
        ],
    )
    return {"data": [{"type": "scatter", "x": [], "y": [], "mode": "markers"}], "layout": layout}


# Rows


def rows(reading: Reading) -> pd.DataFrame:
    """Every cell that two sources state: `value` is the figure that is drawn elsewhere, `low` and `high` span both.

    `flags` is `differs`, `rounding` or `agrees`, `source` the chosen and the other. Columns of its own: kind,
    other_value, difference (cars), relative (a fraction of the chosen figure).
    """
    found: Conflicts = reading.content
    nouns, selection = found.nouns, reading.selection
    own = ("kind", "other_value", "difference", "relative")
    body = []
    for pair in found.pairs:
        cell, both = pair.cell, (pair.chosen.units, pair.other.units)
        body.append(
            (
                month_start(cell.month).isoformat(),
                cell.grain,
                "none",
                cell.market,
                cell.basis,
                cell.powertrain,
                selection.denominator.value,
                cell.maker,
                cell.model,
                "All makers" if cell.maker == ALL else nouns.makers.get(cell.maker, cell.maker),
                "All models" if cell.model == ALL else nouns.models.get(cell.model, cell.model),
                Measure.UNITS.value,
                pair.chosen.units,
                min(both),
                max(both),
                "cars",
                "differs" if pair.differs else "rounding" if pair.is_rounding else "agrees",
                f"{pair.chosen.source};{pair.other.source}",
                as_day(max(pair.chosen.known, pair.other.known)).isoformat(),
                pair.kind.value,
                pair.other.units,
                pair.difference,
                float("nan") if pair.relative is None else pair.relative,
            )
        )
    return pd.DataFrame(body, columns=[*DOWNLOAD_COLUMNS, *own])


def table(reading: Reading) -> Table:
    """The newest contradictions, with both figures and both sources."""
    found: Conflicts = reading.content
    pairs = sorted(found.differing, key=lambda pair: -pair.cell.month)
    many = len(reading.selection.market) > 1
    body = [
        (
            style.period_text(month_start(pair.cell.month), pair.cell.grain),
            *([found.nouns.markets[pair.cell.market]] if many else []),
            _entity(pair.cell, found),
            pair.kind.value,
            f"{pair.chosen.units:,.0f} ({found.citations[pair.chosen.source].title})",
            f"{pair.other.units:,.0f} ({found.citations[pair.other.source].title})",
            f"{pair.difference:+,.0f}".replace("-", style.MINUS),
            _percent(pair) if pair.relative is not None else style.MISSING,
        )
        for pair in pairs[:TABLE_ROWS]
    ]
    left = max(len(pairs) - TABLE_ROWS, 0)
    more = f" {left:,} older ones are in the download, as is" if left else " In the download is"
    return Table(
        header=("Period", *(["Market"] if many else []), "Of", "Compared", "Drawn", "Other", "Cars", "Difference"),
        rows=tuple(body),
        caption=f"The figures that differ, newest first.{more} what agrees.",
    )


CONFLICTS = Chart(
    slug="conflicts",
    name="Conflicts",
    question="Where do sources contradict each other?",
    defaults=Selection(market=("WORLD",), measure=Measure.UNITS),
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=rows,
    table=table,
)
