"""`fsd-attach-history`: what share of owners pays, with a panel for each of the four definitions of it.

Their wholes differ (new cars, all cars ever delivered, cars in use, cars that could have it), so no two share an axis.
A figure is drawn as published, with the interval that its rounding or range leaves open; what was asked of some owners
or estimated is hollow, and a share made here of two published counts says so. Points of one estimator, region and model
are joined, no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import fsd_words as words
from dashboard.charts import market_rows
from dashboard.charts.chart import Chart, Point, Reading, Table
from dashboard.charts.fsd_attach_history_words import (
    History,
    figure_told,
    models_text,
    notes,
    series_name,
    subtitle,
    title,
    when_told,
)
from dashboard.charts.whole_market import answered
from dashboard.fsd_record import MAKER, SHARES, AttachPoint, attach_points, over_delivered
from dashboard.sales_lines import MarketFigures, market_figures
from dashboard.selection import (
    BasisChoice,
    InvalidSelection,
    Measure,
    NotPublished,
    PowertrainChoice,
    Refusal,
    Selection,
)
from dashboard.style import Figure, Look
from db import Connection, provenance, queries
from db.vocabulary import ALL, AttachBasis, Evidence, Grain

DEFAULTS = Selection(market=())

_USED = ("region", "attach_basis", "since", "until", "as_of", "makers")

_DELIVERIES = Selection(
    market=("WORLD",),
    basis=BasisChoice.DELIVERY,
    powertrain=PowertrainChoice.BEV,
    makers=(MAKER,),
    grain=Grain.QUARTER,
    measure=Measure.UNITS,
)
"""Tesla's own deliveries worldwide, by quarter."""

_UNANSWERED: Mapping[AttachBasis, str] = {
    AttachBasis.ELIGIBLE: "payers are counted worldwide, cars that could have it in single countries",
}
"""Why a definition may have no figure at all."""


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What is known of who pays.

    Raises `InvalidSelection` for a region without figures and `NotPublished` where none is of the definition, the
    region and the months.
    """
    instead = (replace(DEFAULTS, as_of=selection.as_of), DEFAULTS)
    found = answered(lambda asked: history(connection, asked), selection, *instead)
    shown = found.frame.iloc[found.rows]
    computed = found.deliveries is not None and any(point.is_computed for point in found.points)
    citations = provenance.record_citations(connection, shown, as_of=selection.as_of)
    if computed and found.deliveries:
        citations = (*citations, *found.deliveries.dataset.citations)
    return Reading(
        selection=selection,
        title=title(found),
        subtitle=subtitle(found),
        badge=words.record_badge(
            [point.as_of for point in found.points],
            shown,
            [point.evidence for point in found.points],
            noun="figures",
            today=today,
        ),
        citations=citations,
        notes=(*notes(found), *words.unused_note(found.selection, DEFAULTS, used=_USED)),
        content=found,
    )


def deliveries_by_quarter(connection: Connection, as_of: date | None) -> tuple[MarketFigures | None, dict[int, float]]:
    """Tesla's own deliveries worldwide as known on a day, and the cars by quarter; nothing where there are none."""
    try:
        figures = market_figures(connection, replace(_DELIVERIES, as_of=as_of), measures=(Measure.UNITS,))
    except (Refusal, InvalidSelection):
        return None, {}
    line = next((line for line in figures.entities if line.maker == MAKER), None)
    if line is None:
        return None, {}
    return figures, {
        int(month) // 12 * 4 + int(month) % 12 // 3: float(cars)
        for month, cars in zip(figures.start.tolist(), line.value.tolist(), strict=True)
        if not np.isnan(cars)
    }


def history(connection: Connection, selection: Selection) -> History:
    """The figures of a selection, and the shares that they make; raises as `load` does."""
    words.check_tesla(selection, of="FSD", nearest=replace(selection, makers=()))
    frame = queries.records(connection, "attach", as_of=selection.as_of)
    names = queries.names(connection).markets
    if frame.empty:
        when = f" on {style.day_text(selection.as_of)}" if selection.as_of else ""
        raise NotPublished(
            f"nothing was known of who pays for FSD{when}", nearest=DEFAULTS if selection.as_of else None
        )
    published = attach_points(frame)
    figures, deliveries = deliveries_by_quarter(connection, selection.as_of)
    points = (*published, *over_delivered(published, deliveries))
    bases = (selection.attach_basis,) if selection.attach_basis else SHARES
    regions = {point.region for point in published}
    region = selection.region.upper() if selection.region else None
    if region is not None and region not in regions:
        raise InvalidSelection(
            f"no figure is known of region={selection.region}",
            name="region",
            valid=tuple(sorted(code.lower() for code in regions)),
        )
    panels = {
        basis: tuple(
            sorted(
                (
                    point
                    for point in points
                    if point.basis is basis
                    and region in (None, point.region)
                    and words.in_range(point.as_of, selection)
                ),
                key=lambda point: (point.as_of, point.region, point.model, point.estimator),
            )
        )
        for basis in bases
    }
    found = History(selection=selection, panels=panels, frame=frame, deliveries=figures, names=names)
    if not found.points:
        raise _nothing(found, points, bases, region)
    return found


def _nothing(
    found: History, points: Sequence[AttachPoint], bases: Sequence[AttachBasis], region: str | None
) -> NotPublished:
    selection = found.selection
    what = f"'{words.definition(bases[0])}'" if len(bases) == 1 else "the share that pays for FSD"
    where = f" for {words.region_name(region, found.names)}" if region else ""
    everywhen = replace(selection, since=None, until=None)
    of_basis = [point for point in points if point.basis in bases]
    if any(region in (None, point.region) for point in of_basis):
        return NotPublished(f"nothing is published on {what}{where} in the range", nearest=everywhen)
    why = f": {_UNANSWERED[bases[0]]}" if bases[0] in _UNANSWERED and not of_basis else ""
    told = [point for point in points if region in (None, point.region)]
    near = replace(everywhen, attach_basis=max(told, key=lambda p: (p.unit in ("share", "count"), p.as_of)).basis)
    if region is None and any(point.basis in SHARES for point in points):
        near = replace(everywhen, attach_basis=None)
    elif of_basis and selection.attach_basis:
        near = replace(everywhen, region=None)
    return NotPublished(f"nothing is published on {what}{where}{why}", nearest=near)


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """A panel for each definition, one above the other over the same time; intervals as bars, words beside points."""
    found: History = reading.content
    font = round(look.font_px * 0.85)
    parts = {
        basis: 3.4 if len(of) > 4 else 2.2 if len(of) > 1 else 1.3 if of else 0.5 for basis, of in found.panels.items()
    }
    top, bottom = round(look.font_px * 2.0), round(look.font_px * 2.6)
    height = look.height if look.width else max(top + bottom + round(sum(parts.values()) * look.font_px * 5.4), 260)
    plot_height = (height - top - bottom) * (0.72 if look.width else 1.0)
    gap = min(look.font_px * 2.4 / plot_height, 0.12) if len(parts) > 1 else 0.0
    room = 1 - gap * (len(parts) - 1)
    first, last = _time_range(found)
    traces: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    ends: dict[str, list[style.LineEnd]] = {}
    axes: dict[str, Any] = {}
    upper = 1.0
    base = style.layout(look)["yaxis"]
    for n, (basis, points) in enumerate(found.panels.items()):
        lower = max(upper - room * parts[basis] / sum(parts.values()), 0.0)
        number = "" if n == 0 else str(n + 1)
        is_share = all(point.unit == "share" for point in points)
        top_of = max((point.high for point in points), default=1.0) * 1.18 or 1.0
        top_of = min(top_of, 1.05) if is_share else top_of
        axes[f"yaxis{number}"] = {
            **base,
            "domain": [lower, upper],
            "range": [0, top_of],
            "tickformat": ".0%" if is_share else "~s",
            "nticks": 5 if parts[basis] > 2 else 3,
            "anchor": "x",
        }
        annotations.append(words.caption(style.escape(_caption(basis, points, look)), look, top=upper))
        traces += _traces(points, found, look, axis=f"y{number}")
        part = plot_height * (upper - lower)
        ends[f"y{number}"], rest = _ends(points, found, look, span=(first, last), height=part)
        # In a low picture a panel has room for fewer labels than lines: the highest values keep theirs.
        most = max(int(part // (font * style.LINE_HEIGHT)), 0)
        fitting = sorted(ends[f"y{number}"], key=lambda end: -end.value)[:most]
        placed: tuple[style.EndLabel, ...] = ()
        if fitting:
            placed = style.line_end_labels(fitting, height_px=part, font_px=font, value_range=(0, top_of))
        annotations += style.end_annotations(placed, font_px=font, yref=f"y{number}")
        if not words.is_narrow(look):
            annotations += _labels(rest, look, axis=number, span=(first, last), height=part, top=top_of)
        upper = lower - gap
    layout = style.layout(
        look,
        height=height,
        margin={
            "t": top,
            "b": bottom,
            "r": style.end_room([end for of in ends.values() for end in of], font_px=font)
            if any(ends.values())
            else 20,
        },
        hovermode="closest",
        # Where the last panel has no figure Plotly knows no axis of it.
        xaxis={"type": "date", "range": [first.isoformat(), last.isoformat()], "anchor": "free", "position": 0},
        annotations=annotations,
        **axes,
    )
    return {"data": traces, "layout": layout}


def _time_range(found: History) -> tuple[date, date]:
    days = [point.as_of for point in found.points]
    room = timedelta(days=max((max(days) - min(days)).days // 18, 60))
    return min(days) - room, max(days) + room


def _caption(basis: AttachBasis, points: Sequence[AttachPoint], look: Look) -> str:
    if points:
        return words.definition(basis)
    if basis not in _UNANSWERED:
        return f"{words.definition(basis)}: no figure of this selection"
    return f"{words.definition(basis)}: not published" + ("" if words.is_narrow(look) else f"; {_UNANSWERED[basis]}")


def _series(points: Sequence[AttachPoint]) -> list[list[AttachPoint]]:
    """The points of each estimator about the same cars."""

    def of(point: AttachPoint) -> tuple[Any, ...]:
        return point.counted_by, point.region, point.model, point.is_computed, point.unit

    return [list(group) for _, group in groupby(sorted(points, key=lambda p: (of(p), p.as_of)), key=of)]


def _traces(points: Sequence[AttachPoint], found: History, look: Look, *, axis: str) -> list[dict[str, Any]]:
    colour, quiet = style.colour(MAKER, look.theme), style.INK[look.theme].quiet
    made = []
    for series in _series(points):
        values = [point.value for point in series]
        first = series[0]
        shape = "square" if first.is_computed else "diamond" if first.evidence is Evidence.ESTIMATE else "circle"
        made.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if len(series) > 1 else "markers",
                "name": style.escape(series_name(first, found)),
                "x": [point.as_of.isoformat() for point in series],
                "y": [float(f"{value:.7g}") for value in values],
                "yaxis": axis,
                "line": {"color": quiet, "width": 1, "dash": "solid" if first.is_disclosed else "dot"},
                "marker": {
                    "color": colour,
                    "opacity": 1,
                    "symbol": [f"{shape}{'' if point.is_disclosed else '-open'}" for point in series],
                    "size": round(look.font_px * 0.48),
                    "line": {"width": 1.6, "color": colour},
                },
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [float(f"{point.high - point.value:.5g}") for point in series],
                    "arrayminus": [float(f"{point.value - point.low:.5g}") for point in series],
                    "color": colour,
                    "thickness": 1.6,
                    "width": 0,
                },
                "text": [style.escape(_text(point, found)) for point in series],
                "customdata": [_key(point) for point in series],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    return made


def _text(point: AttachPoint, found: History) -> str:
    figure = words.figure_text(point.value, point.unit)
    open_ = words.range_text(point.low, point.high, point.unit)
    more = f" ({open_})" if open_ != figure else ""
    return f"{series_name(point, found)}: {figure}{more}, {when_told(point)}; {point.evidence.value}"


def _key(point: AttachPoint) -> list[Any]:
    """The region, the definition in place of a maker, the row or the rows in place of a model, the day."""
    rows = "+".join(str(row) for row in point.counts or (point.row,))
    return [point.region, point.basis.value, rows, point.as_of.toordinal()]


_Mark = tuple[AttachPoint, str]


def _ends(
    points: Sequence[AttachPoint], found: History, look: Look, *, span: tuple[date, date], height: float
) -> tuple[list[style.LineEnd], list[_Mark]]:
    """Who says what: labels in the margin for the series that end near it, and those for beside other points."""
    font = round(look.font_px * 0.85)
    ink, near = style.INK[look.theme], span[0] + (span[1] - span[0]) * 0.82
    ends: list[style.LineEnd] = []
    named: list[_Mark] = []
    bare: list[_Mark] = []
    for series in _series(points):
        last = series[-1]
        name = series_name(last, found).replace(" owner survey", "")
        text = style.fitting(f"{figure_told(last)} {name}", width=font * 19, font_px=font)
        if last.as_of >= near:
            ends.append(
                style.LineEnd(text, last.value, style.colour(MAKER, look.theme) if last.is_disclosed else ink.quiet)
            )
        else:
            named.append((last, text))
        bare += [(point, figure_told(point)) for point in series[:-1]]
    most = max(int(height // (font * style.LINE_HEIGHT)), 0)
    # The names of series find a place before bare figures do.
    return ends[:most], [*named, *bare]


def _labels(
    marks: Sequence[_Mark], look: Look, *, axis: str, span: tuple[date, date], height: float, top: float
) -> list[dict[str, Any]]:
    """Beside points, as far as there is room: the hover and the table have all."""
    width, font, days = words.across(look), round(look.font_px * 0.85), (span[1] - span[0]).days
    spots = [
        words.Spot(
            x=width * (point.as_of - span[0]).days / days,
            y=height * point.value / top,
            text=text,
            above=text == figure_told(point),
        )
        for point, text in marks
    ]
    places = words.placed(spots, width=width, height=height, font_px=font)
    return [
        words.point_label(text, look, at=(point.as_of.isoformat(), point.value), shift=place, axes=axis)
        for (point, text), place in zip(marks, places, strict=True)
        if place
    ]


# Download, table, receipts


_OWN = ("region", "attach_basis", "models", "estimator", "evidence", "computed", "url", "note")


def rows(reading: Reading) -> pd.DataFrame:
    """One row a figure, with `DOWNLOAD_COLUMNS` and columns of its own; `period_start` is the day that it is of.

    `computed` is `yes` for shares made here of two published figures: their `url` is that of the count.
    """
    found: History = reading.content
    made, stored = [], found.frame.to_dict("records")
    for point in found.points:
        behind = [stored[row] for row in point.counts or (point.row,)]
        sources = [row["source"] for row in behind]
        if point.is_computed and found.deliveries:
            sources += [cited.slug for cited in found.deliveries.dataset.citations]
        made.append(
            {
                "period_start": point.as_of.isoformat(),
                "market": point.region,
                "basis": point.basis.value,
                "maker": MAKER,
                "maker_name": "Tesla",
                "model": ALL if not models_text(point) else point.model,
                "model_name": models_text(point) or "All models",
                "measure": point.basis.value,
                "value": point.value,
                "low": point.low,
                "high": point.high,
                "unit": "fraction" if point.unit == "share" else point.unit,
                "flags": ";".join(
                    filter(None, ("" if point.is_disclosed else "estimated", "computed" if point.is_computed else ""))
                ),
                "source": ";".join(sorted(set(sources))),
                "known_from": max(row["known_from"] for row in behind).isoformat(),
                "region": point.region,
                "attach_basis": point.basis.value,
                "models": point.model,
                "estimator": point.estimator,
                "evidence": point.evidence.value,
                "computed": "yes" if point.is_computed else "",
                "url": point.url,
                "note": point.note,
            }
        )
    return words.download(made, *_OWN)


def table(reading: Reading) -> Table:
    """Every figure, panel by panel, newest first: region, cars, who says it, and what it leaves open."""
    found: History = reading.content
    body = [
        (
            when_told(point),
            words.definition(point.basis),
            words.region_name(point.region, found.names),
            models_text(point) or "all",
            words.figure_text(point.value, point.unit),
            words.range_text(point.low, point.high, point.unit),
            f"computed, from {point.estimator} and Tesla's deliveries" if point.is_computed else point.estimator,
            point.evidence.value,
            point.note,
        )
        for points in found.panels.values()
        for point in reversed(points)
    ]
    return Table(
        header=("Of", "Definition", "Region", "Models", "Figure", "Between", "Who says it", "Evidence", "Note"),
        rows=tuple(body),
        caption="Every figure of the selection, newest first within its definition.",
    )


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored rows behind a figure; for a computed share both counts and the deliveries between them."""
    found: History = reading.content
    key = [point.market, point.maker, point.model, point.period_start]
    of = next(each for each in found.points if _key(each) == key)
    return _claims(connection, found, of)


def row_receipts(connection: Connection, reading: Reading) -> pd.DataFrame:
    """The stored rows behind each row of the download."""
    found: History = reading.content
    return pd.concat(
        [_claims(connection, found, point).assign(row=n) for n, point in enumerate(found.points)], ignore_index=True
    )


def _claims(connection: Connection, found: History, point: AttachPoint) -> pd.DataFrame:
    told = words.claims_behind(
        connection, found.frame, point.counts or (point.row,), says=lambda row: _says(row, found.names)
    )
    if point.quarters is None or found.deliveries is None:
        return told
    of_maker = [
        market_rows.receipts(connection, found.deliveries, Point("WORLD", MAKER, ALL, _month(quarter)))
        for quarter in range(point.quarters[0], point.quarters[1] + 1)
    ]
    cars = pd.concat(of_maker, ignore_index=True)
    cars = cars.assign(about="Tesla, deliveries", stated=[f"{int(units):,} cars" for units in cars["units"]])
    return pd.concat([told, cars[list(told.columns)]], ignore_index=True)


def _month(quarter: int) -> int:
    return quarter // 4 * 12 + quarter % 4 * 3


def _says(row: Mapping[Any, Any], names: Mapping[str, str]) -> words.Says:
    models = "" if row["model"].upper() == "ALL" else f", Model {row['model']}"
    about = f"{words.definition(AttachBasis(row['attach_basis']))}, {words.region_name(row['region'], names)}{models}"
    stated = words.range_text(row["low"], row["high"], row["unit"])
    return words.Says(
        day=row["as_of"],
        about=f"{about}, {row['estimator']}",
        stated=f"{words.figure_text(row['value'], row['unit'])} ({stated})",
    )


FSD_ATTACH_HISTORY = Chart(
    slug="fsd-attach-history",
    name="Who pays",
    question="What share of owners pays?",
    defaults=DEFAULTS,
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
    row_receipts=row_receipts,
    by_day=True,
)
