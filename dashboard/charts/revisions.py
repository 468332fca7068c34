"""`revisions`: what was changed after it was published, and by how much.

One dot is one figure of a maker (or of a model) in one market and period: by how much its latest differs from its
first. Above and below the scale stand those that have no such change: figures that came late, and that vanished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from math import copysign, isnan, log10
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts.chart import CARS, DOWNLOAD_COLUMNS, Badge, Chart, Reading, Table, shortest
from dashboard.comparability import HEADLINE_BASES, check_names, check_sales
from dashboard.precedence import PUBLISHED_AS
from dashboard.revisions import (
    Kind,
    Rename,
    cells_over_time,
    changes,
    outcomes,
    renames,
    typical,
    under_latest_names,
)
from dashboard.selection import BasisChoice, By, Measure, NotPublished, Refusal, Selection, Window
from dashboard.style import Figure, Look
from db import Connection, queries
from db.claims import GRAIN_MONTHS
from db.memory import remembered
from db.queries import Citation, Nouns
from db.vintages import TypicalRevision, Vintages, claims_over_time, typical_size, vintages
from db.vocabulary import ALL, OTHER

NAMED = 7
"""Makers drawn in their own colours at the most: those whose figures were moved by most cars."""

NAMED_NARROW = 3
"""The same where there is little room for a legend."""

LARGEST = 10.0
"""The largest change on the axis, as a fraction: what is beyond stands at its edge, marked."""

ENOUGH = 10
"""Revised figures from which their 90th percentile says something."""

TABLE_ROWS = 60
"""Changes in the table under the chart."""

MEASURES = (Measure.UNITS,)

_WHAT = {
    Kind.REVISED: "revised",
    Kind.VANISHED: "vanished",
    Kind.LATE: "added late",
    Kind.RENAMED: "renamed",
    Kind.MERGED: "merged under a name",
}


@dataclass(frozen=True)
class Revisions:
    """What has become of the figures of a selection.

    `cells` is as `outcomes` gives it and `changes` as `revisions.changes` does, both within the range asked for and
    without the unnamed rests; `rest_changes` counts the changes of these. `typical` is by source.
    """

    cells: pd.DataFrame
    changes: pd.DataFrame
    rest_changes: int
    renames: tuple[Rename, ...]
    typical: Mapping[str, TypicalRevision]
    looked: tuple[date, ...]
    """The days on which the files were read, over all of them."""
    nouns: Nouns

    @cached_property
    def judged(self) -> pd.DataFrame:
        """The cells that a later vintage could have changed."""
        return self.cells[self.cells["is_judged"]]

    @cached_property
    def revised(self) -> pd.DataFrame:
        """Those of the judged cells whose figure was changed."""
        return self.judged[self.judged["is_revised"]]

    @cached_property
    def sizes(self) -> tuple[float | None, float | None]:
        """Median and 90th percentile of the size of the change of the revised cells."""
        return typical_size(self.revised["relative"].abs().dropna().to_numpy())


# Reading


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:  # noqa: ARG001
    """What was changed of a selection's figures, as known on its `as_of`.

    Raises `InvalidSelection` for unknown names and `NotPublished` where no vintage could have changed anything yet,
    with the first day on which one had.
    """
    nouns = queries.nouns(connection, as_of=selection.as_of)
    check_names(selection, nouns)
    _check(connection, selection, nouns)
    is_reported = selection.basis is BasisChoice.REPORTED
    bases = HEADLINE_BASES if is_reported else (selection.basis.value,)
    powertrains = [word.value for word in PUBLISHED_AS[selection.powertrain]]
    told = _told(connection, selection, bases=bases, powertrains=powertrains, as_of=selection.as_of)
    found = _found(told, selection, nouns) if told else None
    if found is None or not len(found.judged):
        raise _too_early(connection, selection, nouns, bases=bases, powertrains=powertrains)
    citations = _cited(
        queries.sales_figures(
            connection, markets=selection.market, bases=bases, powertrains=powertrains, as_of=selection.as_of
        ).citations,
        found,
    )
    return Reading(
        selection=selection,
        title=title(found, selection),
        subtitle=_subtitle(found, selection),
        badge=_badge(found),
        citations=citations,
        notes=_notes(found, citations),
        content=found,
    )


def _check(connection: Connection, selection: Selection, nouns: Nouns) -> None:
    if selection.by not in (By.MAKER, By.MODEL):
        raise NotPublished(
            f"publishers change the figures of makers and models, not of a {selection.by}: by=maker or by=model",
            nearest=replace(selection, by=By.MAKER),
        )
    published = queries.published(connection, markets=selection.market)
    refusals: dict[str, Refusal] = {}
    for code in selection.market:
        # Markets stand side by side here and are never added, and a model's claims are read whatever is drawn.
        asked = replace(
            selection,
            market=(code,),
            by=By.MAKER,
            makers=(),
            models=(),
            of=None,
            window=Window.NONE,
            measure=Measure.UNITS,
        )
        try:
            check_sales(asked, nouns, published, measures=MEASURES)
        except Refusal as refused:
            refusals[code] = refused
    if not refusals:
        return
    first = next(iter(refusals.values()))
    others = tuple(code for code in selection.market if code not in refusals)
    if others:
        first.nearest = replace(selection, market=others)
    elif first.nearest is not None:
        first.nearest = replace(first.nearest, by=selection.by, makers=selection.makers, models=selection.models)
    raise first


@dataclass(frozen=True, eq=False)
class _Told:
    """What became of all cells of some markets, as `cells_over_time` gives it, the proven renames, and the files."""

    steps: pd.DataFrame
    proven: tuple[Rename, ...]
    files: Mapping[tuple[str, str], Vintages]


def _told(
    connection: Connection,
    selection: Selection,
    *,
    bases: Sequence[str],
    powertrains: Sequence[str],
    as_of: date | None,
) -> _Told | None:
    """What became of the cells of a selection's markets, whichever of them it names; None where there are none."""
    by = "model" if selection.by is By.MODEL or selection.models else "maker"

    def ask() -> _Told | None:
        claims = claims_over_time(
            connection, markets=selection.market, bases=bases, powertrains=powertrains, as_of=as_of
        )
        if not len(claims):
            return None
        files, proven = vintages(connection, as_of=as_of), renames(claims)
        return _Told(cells_over_time(under_latest_names(claims, proven), files, by=by), proven, files)

    return remembered(connection, (_told, selection.market, tuple(bases), tuple(powertrains), as_of, by), ask)


def _found(told: _Told, selection: Selection, nouns: Nouns) -> Revisions:
    files, proven = told.files, told.proven
    steps = told.steps[_asked_for(told.steps, selection)]
    is_rest = (steps["maker"] == OTHER) | (steps["model"] == OTHER)
    named = steps[~is_rest]
    cells = outcomes(named, files)
    pairs = dict.fromkeys(zip(steps["source"].astype(str), steps["file"].astype(str), strict=True))
    shown = set(zip(*(named[name].astype(str) for name in ("maker", "model")), strict=True))
    return Revisions(
        cells=cells,
        changes=changes(named),
        rest_changes=len(changes(steps[is_rest])),
        renames=tuple(
            each
            for each in proven
            if not (selection.makers or selection.models) or each.new in shown or (each.new[0], ALL) in shown
        ),
        typical=typical(cells, files),
        looked=tuple(sorted({day for pair in pairs if not files[pair].is_own_history for day in files[pair].days})),
        nouns=nouns,
    )


def _asked_for(steps: pd.DataFrame, selection: Selection) -> pd.Series[bool]:
    """The rows of the makers, models and periods that a selection names; a period must lie wholly inside."""
    rows = pd.Series(True, index=steps.index)
    if selection.makers:
        rows &= steps["maker"].isin(selection.makers)
    if selection.models:
        rows &= steps["model"].isin(selection.models)
    if selection.since:
        rows &= steps["month"] >= _month_number(selection.since)
    if selection.until:
        end = steps["month"] + steps["grain"].astype(str).map(GRAIN_MONTHS)
        rows &= end <= _month_number(selection.until) + 1
    return rows


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _too_early(
    connection: Connection,
    selection: Selection,
    nouns: Nouns,
    *,
    bases: Sequence[str],
    powertrains: Sequence[str],
) -> NotPublished:
    """Why nothing can be told of a selection, with the first day on which something can."""
    ever = _told(connection, selection, bases=bases, powertrains=powertrains, as_of=None)
    days = _days_that_answer(ever, selection, nouns) if ever else []
    names = ", ".join(nouns.markets[code] for code in selection.market)
    what = f"{selection.powertrain} {selection.basis} figures of {names}"
    if days and selection.as_of is not None and days[0] > selection.as_of:
        return NotPublished(
            f"on {selection.as_of} the {what} had been published once at the most, so that nothing could have been "
            f"changed; the first day that can answer is {days[0]}",
            nearest=replace(selection, as_of=days[0]),
        )
    filtered = selection.makers or selection.models or selection.since or selection.until
    nearest = replace(selection, makers=(), models=(), since=None, until=None) if filtered else None
    return NotPublished(
        f"there is one vintage of the {what} only{' that were asked for' if filtered else ''}: nothing can be told of "
        "later changes until their publisher's next one is loaded",
        nearest=nearest,
    )


def _days_that_answer(ever: _Told, selection: Selection, nouns: Nouns) -> list[date]:
    """The days on which a file that states what was asked for was read again, or a figure restated; in order."""
    found = _found(ever, selection, nouns)
    days: set[date] = set()
    for (source, file), cells in found.cells.groupby(["source", "file"], observed=True):
        of = ever.files[str(source), str(file)]
        stated = found.changes[(found.changes["source"] == source) & (found.changes["file"] == file)]
        if of.is_own_history:
            days |= {_day(since) for since in stated.loc[stated["kind"] == Kind.REVISED, "since"].tolist()}
        else:
            first = _day(int(cells["first_since"].min()))
            days |= {day for day in of.days if day > first}
    return sorted(days)


def _day(number: float) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))


def _cited(citations: Sequence[Citation], found: Revisions) -> tuple[Citation, ...]:
    """The citations of the sources whose figures were judged."""
    judged = set(found.judged["source"].astype(str))
    return tuple(cited for cited in citations if cited.slug in judged)


# Words


def title(found: Revisions, selection: Selection) -> str:
    """How much was revised and typically by how much, in at most 90 characters; neutral where nothing was."""
    count = len(found.judged)
    what = f"{count:,} {_figures_name(found, selection)}"
    only = f"The one judged {_figures_name(found, selection).replace('figures', 'figure', 1)}"
    renamed = len({(each.old, each.new) for each in found.renames})
    names = f"; {renamed} name{'s' if renamed > 1 else ''} changed" if renamed else ""
    if not len(found.revised):
        none = f"None of {what} was revised" if count > 1 else f"{only} was not revised"
        return shortest(f"{none} after publication{names}", f"{none}{names}", none)
    part = f"{len(found.revised):,} of {what}" if count > 1 else only
    were = "were" if len(found.revised) > 1 else "was"
    median, _ = found.sizes
    if median is None:
        return shortest(f"{part} {were} revised after publication{names}", f"{part} {were} revised")
    typically = (
        f"half of them by {_size_text(median)} or more" if len(found.revised) > 1 else f"by {_size_text(median)}"
    )
    return shortest(
        f"{part} {were} revised later, {typically}{names}",
        f"{part} {were} revised later, {typically}",
        f"{part} {were} revised, {typically}",
        f"{part} {were} revised",
    )


def _figures_name(found: Revisions, selection: Selection) -> str:
    """'figures of German BEVs'."""
    cars = CARS[selection.powertrain]
    if len(selection.market) == 1:
        return f"figures of {found.nouns.adjectives[selection.market[0]]} {cars}"
    return f"figures of {cars} in {len(selection.market)} markets"


def _size_text(size: float) -> str:
    """The size of a change, without a sign."""
    return style.growth_text(size).removeprefix("+")


def _subtitle(found: Revisions, selection: Selection) -> str:
    where = ", ".join(found.nouns.markets[code] for code in selection.market)
    by = "by model" if selection.by is By.MODEL or selection.models else "by maker (brand)"
    return (
        f"{where}. Latest figure against the first one known, change in %; {selection.basis} figures of "
        f"{CARS[selection.powertrain]} (passenger cars) {by}, by period as published"
    )


def _badge(found: Revisions) -> Badge:
    part = len(found.judged) / len(found.cells)
    looks = len(found.looked)
    parts = [f"{looks} vintages" if looks > 1 else "restated figures only"]
    if looks > 1:
        parts.append(f"{style.day_text(found.looked[0])} to {style.day_text(found.looked[-1])}")
    parts.append(f"{style.share_text(part)} judged")
    if part >= 0.5:
        return Badge(text=" · ".join(parts))
    return Badge(
        text=" · ".join(parts),
        amber=True,
        reason="Most of these figures were published once only: nobody can have changed them yet.",
    )


def _notes(found: Revisions, citations: Sequence[Citation]) -> tuple[str, ...]:
    notes = []
    for cited in citations:
        of = found.typical[cited.slug]
        if of.share is None:
            notes.append(
                f"{cited.title} is transcribed: it has {_count(of.revised, 'restated figure')}, and nothing says how "
                "many others were looked at again."
            )
            continue
        size = ""
        if of.median is not None and of.p90 is not None and of.revised > 1:
            tenth = f", one in ten by {_size_text(of.p90)} or more" if of.revised >= ENOUGH else ""
            size = f"; half of these by {_size_text(of.median)} or more{tenth}"
        notes.append(f"{cited.title}: {style.share_text(of.share)} of {of.judged:,} judged figures revised{size}.")
    known, new = int(found.judged["is_from_start"].sum()), len(found.cells) - len(found.judged)
    if known:
        notes.append(
            f"{known:,} of the {len(found.judged):,} stand in the first vintage already: "
            "what was changed before is not known."
        )
    if new:
        notes.append(f"{_count(new, 'more figure')} published once only: not judged.")
    late, vanished = int(found.cells["is_late"].sum()), int(found.cells["last"].isna().sum())
    if late or vanished:
        notes.append(
            f"{_count(late, 'figure')} came late to a published record, {vanished:,} vanished. A maker's figure is "
            "what is named of it: cars move between names and the publisher's unnamed rest."
        )
    if found.renames:
        notes.append(f"Hollow: renamed, proven car for car. {_renames_text(found)}.")
    return tuple(notes)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _renames_text(found: Revisions, *, listed: int = 4) -> str:
    """'BYD Yuan Plus is now Atto 3, …', what concerns most cars first."""
    cars: dict[tuple[tuple[str, str], tuple[str, str]], int] = {}
    for each in found.renames:
        cars[each.old, each.new] = cars.get((each.old, each.new), 0) + each.units
    pairs = sorted(cars, key=lambda pair: -cars[pair])
    texts = [f"{_name(old, found.nouns)} is now {_name(new, found.nouns)}" for old, new in pairs[:listed]]
    more = f" and {len(pairs) - listed} more" if len(pairs) > listed else ""
    return "; ".join(texts) + more


def _name(entity: tuple[str, str], nouns: Nouns) -> str:
    """The printed name of a maker, or of a maker and its model."""
    maker, model = entity
    of = "All makers" if maker == ALL else "Other" if maker == OTHER else nouns.makers.get(maker, maker)
    return of if model == ALL else f"{of} {_model_name(model, nouns)}"


def _model_name(model: str, nouns: Nouns) -> str:
    if model == ALL:
        return "All models"
    return "other models" if model == OTHER else nouns.models.get(model, model)


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """A dot a changed cell: the period it is about, and its change on a scale that is fine near zero."""
    found: Revisions = reading.content
    dots = _dots(found)
    limit = _scale(min(max([0.1, *(abs(dot.change) for dot in dots if dot.change is not None)]), LARGEST))
    strip = 0.34
    has_late, has_gone = (any(dot.kind is kind for dot in dots) for kind in (Kind.LATE, Kind.VANISHED))
    top = limit + strip * (1.6 if has_late else 0.5)
    bottom = -min(limit, _scale(1.0)) - strip * (1.6 if has_gone else 0.5)
    heights = {Kind.LATE: limit + strip, Kind.VANISHED: -min(limit, _scale(1.0)) - strip}
    is_narrow = (look.width or 0) < 600 and (look.width is not None or look.font_px < style.SCREEN.font_px)
    keys = _drawn_makers(dots, reading.selection, most=NAMED_NARROW if is_narrow else NAMED)
    ink, size = style.INK[look.theme], look.font_px * (0.45 if is_narrow else 0.58)
    traces: list[dict[str, Any]] = []
    for key in [None, *keys]:
        # A legend shows the first symbol of a trace, which is to be a dot.
        of_key = sorted(
            (dot for dot in dots if (dot.maker if dot.maker in keys else None) == key), key=lambda dot: dot.is_mark
        )
        colour = style.colour(OTHER, look.theme) if key is None else style.colour(key, look.theme, highlight=True)
        name = "other makers" if key is None else style.escape(_name((key, ALL), found.nouns))
        for hollow in (False, True):
            # A thin grey ring would be as faint as the grid.
            drawn_in = ink.quiet if hollow and key is None else colour
            shown = [dot for dot in of_key if dot.is_renamed is hollow]
            if shown:
                first = not any(trace["name"] == name for trace in traces)
                traces.append(
                    _trace(shown, heights, colour=drawn_in, edge=ink.background, size=size, limit=limit)
                    | {"name": name, "legendgroup": key or "", "showlegend": bool(keys) and first}
                )
    ticks = [(_scale(abs(each)) * (-1 if each < 0 else 1), _tick(each)) for each in _TICKS if _shown(each, limit)]
    if has_late:
        ticks.append((heights[Kind.LATE], "added late"))
    if has_gone:
        ticks.append((heights[Kind.VANISHED], "vanished"))
    layout = style.layout(
        look,
        hovermode="closest",
        showlegend=bool(keys),
        xaxis={"type": "date", **_x_range(found, dots)},
        yaxis={
            "range": [bottom, top],
            "tickvals": [at for at, _ in ticks],
            "ticktext": [text for _, text in ticks],
            "automargin": True,
        },
    )
    if not dots:
        layout["annotations"] = [_statement("No figure was changed.", look)]
    layout |= _typical_lines(found, look, layout, limit=limit)
    return {"data": traces or [{"type": "scatter", "x": [], "y": [], "mode": "markers"}], "layout": layout}


@dataclass(frozen=True)
class _Dot:
    maker: str
    when: date
    change: float | None
    """The change of the first figure; None for one that came late or vanished."""
    kind: Kind
    is_renamed: bool
    cars: float
    text: str

    @property
    def is_mark(self) -> bool:
        """Whether it stands beside the scale, as a triangle."""
        return self.change is None


def _dots(found: Revisions) -> list[_Dot]:
    """The cells that were changed in any way, as dots."""
    dots = []
    cells = found.cells
    cells = cells[cells["last"].isna() | cells["is_revised"] | cells["is_late"] | (cells["renamed"] != "")]
    names = [
        "maker",
        "model",
        "market",
        "grain",
        "month",
        "first",
        "last",
        "relative",
        "renamed",
        "is_revised",
        "is_late",
    ]
    columns = (cells[name].to_numpy(dtype=object).tolist() for name in names)
    for values in zip(*columns, strict=True):
        cell = dict(zip(names, values, strict=True))
        vanished, relative = isnan(cell["last"]), cell["relative"]
        change: float | None = None
        if vanished:
            kind = Kind.VANISHED
        elif cell["is_revised"] and not isnan(relative):
            kind, change = Kind.REVISED, float(relative)
        elif cell["is_late"]:
            kind = Kind.LATE
        elif cell["renamed"]:
            kind, change = Kind.RENAMED, 0.0
        else:
            continue
        start = _month_start(cell["month"])
        name = _name((str(cell["maker"]), str(cell["model"])), found.nouns)
        what = {
            Kind.VANISHED: f"{cell['first']:,.0f}, vanished",
            Kind.LATE: f"{cell['last']:,.0f}, added late",
        }.get(kind) or f"{cell['first']:,.0f} → {cell['last']:,.0f} ({style.growth_text(change or 0.0)})"
        market = found.nouns.markets[str(cell["market"])]
        dots.append(
            _Dot(
                maker=str(cell["maker"]),
                when=start,
                change=change,
                kind=kind,
                is_renamed=bool(cell["renamed"]),
                cars=abs((0.0 if vanished else cell["last"]) - (0.0 if kind is Kind.LATE else cell["first"])),
                text=f"{name}, {market}, {style.period_text(start, str(cell['grain']))}: {what}",
            )
        )
    return dots


def _drawn_makers(dots: Sequence[_Dot], selection: Selection, *, most: int) -> list[str]:
    """The makers in colours: those that have one and were moved by most cars, or those that the reader named."""
    cars: dict[str, float] = {}
    for dot in dots:
        if dot.maker in selection.makers or (dot.maker in style.PALETTE and dot.maker != OTHER):
            cars[dot.maker] = cars.get(dot.maker, 0.0) + dot.cars
    return sorted(cars, key=lambda maker: (-cars[maker], maker))[:most]


_TICKS = (-1.0, -0.1, -0.01, 0.0, 0.01, 0.1, 1.0, 10.0)


def _shown(tick: float, limit: float) -> bool:
    return _scale(abs(tick)) <= limit + 1e-9


def _tick(change: float) -> str:
    sign = style.MINUS if change < 0 else "+" if change > 0 else ""
    return f"{sign}{abs(change) * 100:,.0f} %"


def _scale(size: float) -> float:
    """Where the size of a change stands on the axis: even steps below one per cent, ever longer ones above."""
    return log10(1 + size / 0.01)


def _trace(
    dots: Sequence[_Dot], heights: Mapping[Kind, float], *, colour: str, edge: str, size: float, limit: float
) -> dict[str, Any]:
    y, symbols = [], []
    edges = [colour if dot.is_renamed else edge for dot in dots]
    for dot in dots:
        beyond = dot.change is not None and _scale(abs(dot.change)) > limit
        symbol = "triangle-up" if beyond else {Kind.LATE: "triangle-up", Kind.VANISHED: "triangle-down"}.get(dot.kind)
        symbols.append((symbol or "circle") + ("-open" if dot.is_renamed else ""))
        if dot.change is None:
            y.append(round(heights[dot.kind], 4))
        else:
            y.append(round(copysign(min(_scale(abs(dot.change)), limit), dot.change), 4))
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [dot.when.isoformat() for dot in dots],
        "y": y,
        "marker": {
            "symbol": symbols,
            "color": colour,
            "size": size,
            "opacity": 0.8,
            "line": {"width": 1.2, "color": edges},
        },
        "text": [style.escape(dot.text) for dot in dots],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _typical_lines(found: Revisions, look: Look, layout: Mapping[str, Any], *, limit: float) -> dict[str, Any]:
    """Lines at the median and the 90th percentile of the size, on both sides of zero, with a label at their end."""
    median, p90 = found.sizes
    if median is None or p90 is None or len(found.revised) < 2:
        return {}
    ink, font = style.INK[look.theme], round(look.font_px * 0.92)
    ends: list[style.LineEnd] = []
    shapes: list[dict[str, Any]] = []
    typical_sizes = [(median, "half within"), (p90, "9 of 10 within")][: 2 if len(found.revised) >= ENOUGH else 1]
    for size, words in typical_sizes:
        height = _scale(size)
        if height <= limit:
            shapes += [_line_across(at, ink.axis) for at in (height, -height) if at >= layout["yaxis"]["range"][0]]
            ends.append(style.LineEnd(text=f"{words} {_size_text(size)}", value=height, colour=ink.quiet))
    if not ends:
        return {}
    margin = layout["margin"] | {"r": style.end_room(ends, font_px=font)}
    labels = style.line_end_labels(
        ends,
        height_px=look.height - margin["t"] - margin["b"],
        font_px=font,
        value_range=tuple(layout["yaxis"]["range"]),
    )
    return {
        "shapes": shapes,
        "margin": margin,
        "annotations": [*layout.get("annotations", ()), *style.end_annotations(labels, font_px=font)],
    }


def _line_across(height: float, colour: str) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "yref": "y",
        "y0": height,
        "y1": height,
        "line": {"color": colour, "width": 1, "dash": "dot"},
        "layer": "below",
    }


def _statement(text: str, look: Look) -> dict[str, Any]:
    """A sentence in the middle of a plot that has nothing to draw."""
    return {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.75,
        "font": {"size": look.font_px, "color": style.INK[look.theme].quiet},
    }


def _x_range(found: Revisions, dots: Sequence[_Dot]) -> dict[str, Any]:
    """The periods of what was changed, or of all that was judged where nothing was."""
    months = [_month_number(dot.when) for dot in dots] or found.cells["month"].tolist()
    first, last = min(months), max(months)
    pad = max(3, round((last - first) * 0.03))
    return {"range": [_month_start(first - pad).isoformat(), _month_start(last + pad).isoformat()]}


def _month_start(month: float) -> date:
    return date(int(month) // 12, int(month) % 12 + 1, 1)


# Rows


def rows(reading: Reading) -> pd.DataFrame:
    """Every change: `value` is the new figure in cars (none where it vanished), `known_from` since when it stands.

    Columns of its own: kind, before, relative (the change on the figure before, a fraction), first (the first figure),
    renamed_from (slugs).
    """
    found: Revisions = reading.content
    frame = found.changes.sort_values(["month", "market", "maker", "model", "source", "since"])
    nouns, selection = found.nouns, reading.selection
    makers, models = frame["maker"].astype(str), frame["model"].astype(str)
    table = pd.DataFrame(
        {
            "period_start": [_month_start(month).isoformat() for month in frame["month"]],
            "grain": frame["grain"].astype(str).to_numpy(),
            "window": "none",
            "market": frame["market"].astype(str).to_numpy(),
            "basis": frame["basis"].astype(str).to_numpy(),
            "powertrain": frame["powertrain"].astype(str).to_numpy(),
            "of": selection.denominator.value,
            "maker": makers.to_numpy(),
            "model": models.to_numpy(),
            "maker_name": [_name((maker, ALL), nouns) for maker in makers],
            "model_name": [_model_name(model, nouns) for model in models],
            "measure": Measure.UNITS.value,
            "value": frame["units"].to_numpy(dtype="float64"),
            "low": frame["units"].to_numpy(dtype="float64"),
            "high": frame["units"].to_numpy(dtype="float64"),
            "unit": "cars",
            "flags": frame["kind"].to_numpy(),
            "source": frame["source"].astype(str).to_numpy(),
            "known_from": [_day(since).isoformat() for since in frame["since"]],
            "kind": frame["kind"].to_numpy(),
            "before": frame["before"].to_numpy(dtype="float64"),
            "relative": frame["relative"].to_numpy(dtype="float64"),
            "first": frame["first"].to_numpy(dtype="float64"),
            "renamed_from": [_slugs(names) for names in frame["renamed"]],
        }
    )
    return table[[*DOWNLOAD_COLUMNS, "kind", "before", "relative", "first", "renamed_from"]]


def _slugs(names: str) -> str:
    """The slugs of earlier names: of the model, or of the maker where it is the maker that was renamed."""
    pairs = (name.split(" ") for name in names.split(";") if name)
    return ";".join(maker if model == ALL else model for maker, model in pairs)


def table(reading: Reading) -> Table:
    """The newest changed figures; renames, which change no figure, are in the notes and in the download."""
    found: Revisions = reading.content
    frame = found.changes[~found.changes["kind"].isin([Kind.RENAMED.value, Kind.MERGED.value])]
    frame = frame.sort_values(["month", "since", "units"], ascending=[False, False, False])
    many = len(reading.selection.market) > 1
    body = []
    for row in frame.head(TABLE_ROWS).to_dict("records"):
        before, now = (style.units_text(row[name]) for name in ("before", "units"))
        body.append(
            (
                style.period_text(_month_start(row["month"]), str(row["grain"])),
                *([found.nouns.markets[str(row["market"])]] if many else []),
                _name((str(row["maker"]), str(row["model"])), found.nouns),
                _WHAT[Kind(row["kind"])],
                before,
                now,
                style.growth_text(row["relative"]),
                style.day_text(_day(row["since"])),
            )
        )
    left = max(len(frame) - TABLE_ROWS, 0)
    return Table(
        header=("Period", *(["Market"] if many else []), "Of", "Kind", "Before", "Then", "Change", "Since"),
        rows=tuple(body),
        caption=f"The newest changed figures{f'; {left:,} older ones are' if left else '; all are'} in the download.",
    )


REVISIONS = Chart(
    slug="revisions",
    name="Revisions",
    question="What was changed after it was published, and by how much?",
    defaults=Selection(measure=Measure.UNITS),
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=rows,
    table=table,
)
