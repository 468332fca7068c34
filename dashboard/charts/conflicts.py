"""`conflicts`: where sources contradict each other.

Two figures of two sources are set side by side where they are about the same cars on the same basis in the same period:
stated so by both, or by one of them as the months or quarters of the other's longer period. The one of the source that
comes first (its precedence) is what other charts draw; the other one is shown here and nowhere else.

A figure that its publisher rounds is contradicted only by what its rounding does not explain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import combinations
from math import copysign, log10
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts.chart import CARS, DOWNLOAD_COLUMNS, Badge, Chart, Reading, Table, shortest
from dashboard.comparability import HEADLINE_BASES, check_names
from dashboard.precedence import PUBLISHED_AS
from dashboard.selection import BasisChoice, Measure, Selection
from dashboard.style import Figure, Look
from db import Connection, queries
from db.claims import GRAIN_MONTHS
from db.queries import Citation, Nouns
from db.vocabulary import ALL, OTHER, Grain, Powertrain, States, Word

SIGNIFICANT_DIGITS: Mapping[str, int] = {"iea-global-ev-data": 2, "our-world-in-data": 2}
"""Sources that round, and to how many digits at the least: 4.3 million of the IEA is 4.25 to 4.35 million."""

LARGEST = 10.0
"""The largest difference on the axis, as a fraction: what is beyond stands at its edge, marked."""

TABLE_ROWS = 60

MEASURES = (Measure.UNITS,)


class Kind(Word):
    """How two figures of two sources come to be about the same cars."""

    SAME = "same cell", "both state it"
    MONTHS = "sum of months", "the months of one against the longer period of the other"
    QUARTERS = "sum of quarters", "the quarters of one against the year of the other"
    PARTS = "sum of powertrains", "battery and plug-in hybrid cars of one against both together of the other"


@dataclass(frozen=True)
class Cell:
    """Which cars in which period: `month` is the first one, as year * 12 + month - 1."""

    market: str
    basis: str
    powertrain: str
    grain: str
    month: int
    maker: str
    model: str


@dataclass(frozen=True)
class Figured:
    """A source's figure of a cell: `slack` is how far from the true one rounding may have put it, `known` the day since
    1970-01-01 since when it stands, `kind` whether it is stated or added up."""

    source: str
    units: float
    slack: float
    known: int
    kind: Kind


@dataclass(frozen=True)
class Pair:
    """Two sources on one cell: `chosen` is of the source that comes first and is drawn elsewhere, `other` loses."""

    cell: Cell
    chosen: Figured
    other: Figured

    @property
    def kind(self) -> Kind:
        """What the comparison rests on: the sum, where one of the two is one."""
        return self.chosen.kind if self.chosen.kind is not Kind.SAME else self.other.kind

    @property
    def difference(self) -> float:
        """Cars by which the other exceeds the chosen one."""
        return self.other.units - self.chosen.units

    @property
    def relative(self) -> float | None:
        """The difference as a part of the chosen figure; None where that is zero."""
        return self.difference / self.chosen.units if self.chosen.units else None

    @property
    def is_rounding(self) -> bool:
        """Whether they differ by no more than rounding explains."""
        return 0 < abs(self.difference) <= self.chosen.slack + self.other.slack

    @property
    def differs(self) -> bool:
        """Whether they contradict each other."""
        return self.difference != 0 and not self.is_rounding


@dataclass(frozen=True)
class Conflicts:
    """Every cell of a selection that two sources state, and the names to print them with."""

    pairs: tuple[Pair, ...]
    citations: Mapping[str, Citation]
    nouns: Nouns

    @property
    def has_powertrains(self) -> bool:
        """Whether the cells are of more than one powertrain."""
        return len({pair.cell.powertrain for pair in self.pairs}) > 1

    @property
    def differing(self) -> tuple[Pair, ...]:
        """The contradictions, the largest in proportion first."""
        pairs = [pair for pair in self.pairs if pair.differs]
        return tuple(sorted(pairs, key=lambda pair: (-_size(pair), pair.cell.month, pair.cell.market)))


def _size(pair: Pair) -> float:
    return abs(pair.relative) if pair.relative is not None else float("inf")


# Comparing


def compared(claims: pd.DataFrame, citations: Iterable[Citation]) -> tuple[Pair, ...]:
    """Every pair of figures of two sources about the same cars, in order of period.

    `claims` is as `queries.sales_figures` gives it. A sum is only taken where all its months or quarters are there, and
    where its source does not state the longer period itself.
    """
    about = {cited.slug: cited for cited in citations}
    stated = _stated(claims, about)
    added = {source: _with_sums(figures) for source, figures in stated.items()}
    order = sorted(added, key=lambda source: (about[source].precedence, source))
    pairs = []
    for first, second in combinations(order, 2):
        for cell in added[first].keys() & added[second].keys():
            one, other = added[first][cell], added[second][cell]
            # Two sums compare what neither has stated.
            if Kind.SAME in (one.kind, other.kind):
                pairs.append(Pair(cell=cell, chosen=one, other=other))
    return tuple(sorted(pairs, key=lambda pair: (pair.cell.month, str(pair.cell), pair.other.source)))


_Figures = dict[Cell, Figured]


_CELL = ["market", "basis", "powertrain", "grain", "month", "maker", "model"]
_SUBJECT = ["market", "basis", "maker", "model"]


def _stated(claims: pd.DataFrame, about: Mapping[str, Citation]) -> dict[str, _Figures]:
    """Each source's figures by cell, with the total of each record of a market: stated, or the sum of what it holds.

    Only of what more than one source tells anything: most of a market is told by one, and it is the most rows.
    """
    frame = claims[["source", *_CELL, "units", "known_from"]].astype(
        {name: "str" for name in ("source", *_CELL) if name != "month"}
    )
    frame["slack"] = [_slack(units, source) for units, source in zip(frame["units"], frame["source"], strict=True)]
    of_market = frame["source"].isin([slug for slug, cited in about.items() if cited.states == States.MARKET])
    totals = (
        frame[of_market & (frame["maker"] != ALL)]
        .groupby(["source", *_CELL[:5]], as_index=False)
        .agg({"units": "sum", "slack": "sum", "known_from": "max"})
        .assign(maker=ALL, model=ALL)
    )
    # The unnamed rest is what each publisher does not name: two rests are not about the same cars.
    named = frame[(frame["maker"] != OTHER) & (frame["model"] != OTHER)]
    both = pd.concat([named, totals], ignore_index=True).drop_duplicates(["source", *_CELL])
    shared = both[both.groupby(_SUBJECT)["source"].transform("nunique") > 1]
    found: dict[str, _Figures] = defaultdict(dict)
    columns = ["source", *_CELL, "units", "slack", "known_from"]
    for source, *words, units, slack, known in zip(*(shared[name].tolist() for name in columns), strict=True):
        found[source][Cell(*words)] = Figured(source=source, units=units, slack=slack, known=known, kind=Kind.SAME)
    return found


def _slack(units: float, source: str) -> float:
    """Half a unit of the last digit that a publisher who rounds may have kept; zero for one who does not."""
    digits = SIGNIFICANT_DIGITS.get(source)
    if digits is None or units <= 0:
        return 0.0
    whole = str(int(units))
    kept = max(digits, len(whole.rstrip("0")))
    return 0.0 if len(whole) < kept else 0.5 * 10 ** (len(whole) - kept)


def _sum(parts: Sequence[Figured], kind: Kind) -> Figured:
    return Figured(
        source=parts[0].source,
        units=sum(part.units for part in parts),
        slack=sum(part.slack for part in parts),
        known=max(part.known for part in parts),
        kind=kind,
    )


def _with_sums(figures: _Figures) -> _Figures:
    """A source's figures with what its own add up to: both powertrains together, then quarters and years."""
    found = dict(figures)
    for cell, battery in figures.items():
        if cell.powertrain == Powertrain.BEV:
            hybrid = figures.get(replace(cell, powertrain=Powertrain.PHEV.value))
            if hybrid is not None:
                found.setdefault(
                    replace(cell, powertrain=Powertrain.BEV_PHEV.value), _sum([battery, hybrid], Kind.PARTS)
                )
    # A year is added from its quarters only where its months are not all there.
    for part, whole, kind in (
        (Grain.MONTH, Grain.QUARTER, Kind.MONTHS),
        (Grain.MONTH, Grain.YEAR, Kind.MONTHS),
        (Grain.QUARTER, Grain.YEAR, Kind.QUARTERS),
    ):
        together: dict[Cell, list[Figured]] = defaultdict(list)
        for cell, figured in figures.items():
            if cell.grain == part:
                start = cell.month - cell.month % whole.months
                together[replace(cell, grain=whole.value, month=start)].append(figured)
        for cell, parts in together.items():
            if len(parts) * part.months == whole.months:
                found.setdefault(cell, _sum(parts, kind))
    return found


# Reading


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:  # noqa: ARG001
    """What two sources state of a selection, as known on its `as_of`; no refusal where there is nothing: that is said.

    Raises `InvalidSelection` for names that the database does not have.
    """
    nouns = queries.nouns(connection, as_of=selection.as_of)
    check_names(selection, nouns)
    is_reported = selection.basis is BasisChoice.REPORTED
    dataset = queries.sales_figures(
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
    if selection.since and cell.month < _month_number(selection.since):
        return False
    return not selection.until or cell.month + GRAIN_MONTHS[cell.grain] <= _month_number(selection.until) + 1


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _month_start(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


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
    return " ".join([*parts, style.period_text(_month_start(cell.month), cell.grain)])


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
    text = f"{style.share_text(agreeing)} agree · as known {style.day_text(_day(known))}"
    if not found.differing:
        return Badge(text=text)
    return Badge(text=text, amber=True, reason="Two sources state different figures about the same cars.")


def _day(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=number)


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
    when = style.period_text(_month_start(cell.month), cell.grain)
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
    limit = _scale(min(max([0.01, *(_size(pair) for pair in found.pairs)]), LARGEST)) * 1.06
    ink = style.INK[look.theme]
    dots = [
        _Dot(
            pair=pair,
            x=round(copysign(_scale(min(_size(pair), LARGEST)), pair.difference), 4),
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
        if _size(self.pair) > LARGEST:
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
    for dot in sorted((dot for dot in dots if dot.pair.differs), key=lambda dot: -_size(dot.pair)):
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
            {
                "text": "<br>".join(style.escape(line) for line in style.wrap(text, width=320, font_px=look.font_px)),
                "showarrow": False,
                "xref": "paper",
                "yref": "paper",
                "x": 0.5,
                "y": 0.5,
                "font": {"size": look.font_px, "color": style.INK[look.theme].quiet},
            }
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
                _month_start(cell.month).isoformat(),
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
                _day(max(pair.chosen.known, pair.other.known)).isoformat(),
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
            style.period_text(_month_start(pair.cell.month), pair.cell.grain),
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
