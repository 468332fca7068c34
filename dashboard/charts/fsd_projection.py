"""`fsd-projection`: how many will pay for FSD, as a fan of draws behind the published figures, to the end of 2035.

Beside the fan stand other scenarios on the same draws, a straight line, and what others forecast. The title says when
ten million users would be reached, or how few draws get there; of other definitions and areas how far it comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from dashboard import projected, style
from dashboard.charts import fsd_words
from dashboard.charts import projection_words as words
from dashboard.charts.chart import Chart, Reading, Table
from dashboard.charts.fsd_projection_words import Other, Projection, forecast_text, notes, subtitle, title
from dashboard.charts.projection_words import Asked, Numbers
from dashboard.fsd_record import AttachPoint
from dashboard.projected import World
from dashboard.projections import record, scenarios, scoring
from dashboard.projections.model import LAST
from dashboard.projections.record import START
from dashboard.selection import Selection
from dashboard.style import Figure, Look
from db import Connection
from db.vocabulary import AttachBasis

DEFAULTS: Final = Selection(market=("WORLD",))

BESIDE: Final = 5
"""Other scenarios that are drawn at the most: those that end farthest from the one asked for."""

APART: Final = 0.015
"""How far another scenario's median has to end from the one asked for to be drawn, as a part of it."""

LINE_FROM: Final = 4
"""Quarters of the model's own median whose slope the straight line takes where no two counts are published."""


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The projection of a selection; raises as `projection_words.asked` and `projected.fit`."""
    found = words.answered(lambda each: project(words.asked(connection, each, today=today)), selection)
    asked = found.asked
    return Reading(
        selection=selection,
        title=title(found),
        subtitle=subtitle(asked),
        badge=words.badge(asked, today=today),
        citations=asked.told.citations,
        notes=(*notes(found), *words.unused(asked.selection, DEFAULTS)),
        content=found,
    )


def project(asked: Asked) -> Projection:
    """What is drawn of what is asked."""
    of = asked.definition.of
    whole = of(asked.outlook(asked.world))
    draws = asked.shown(whole)
    beside = asked.shown(of(asked.outlook(asked.compared))) if asked.compared else None
    line, line_from = straight_line(asked, words.quantiles(whole)[2])
    return Projection(
        asked=asked,
        draws=draws,
        made=words.quantiles(draws),
        beside=beside,
        others=_others(asked, draws),
        line=asked.shown(line),
        line_from=line_from,
        points=words.published(asked),
        forecasts=words.others_forecasts(asked),
    )


def _others(asked: Asked, draws: Numbers) -> tuple[Other, ...]:
    """The other scenarios that could be thought of, as they stand, those that end farthest away first.

    They are simulated on some of the draws, and set against the asked one on the same.
    """
    few = draws[: projected.FEW]
    own, own_few = np.median(draws, axis=0), np.median(few, axis=0)
    taken = {asked.world.levers, *([asked.compared.levers] if asked.compared else [])}
    found = []
    for one in scenarios.scenarios(asked.day):
        if one.levers in taken:
            continue
        world = World(one, one.levers)
        values = asked.reach(world)
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.where(own_few > 0, own / own_few, 1.0)
        if np.isfinite(values[:, -1]).all():
            middle, low, high = words.spread(values[:, -1])
            at = float(scaled[-1])
            found.append(Other(world, np.median(values, axis=0) * scaled, (middle * at, low * at, high * at)))
    end = float(own[-1])
    return tuple(sorted(found, key=lambda other: -abs(other.end[0] - end)))


def drawn_others(found: Projection) -> tuple[Other, ...]:
    """The others that end apart from the world asked for, from the one beside it and from each other."""
    ends = [float(found.made[2, -1]), *([float(np.median(found.beside[:, -1]))] if found.beside is not None else [])]
    drawn: list[Other] = []
    for other in found.others:
        if all(abs(other.end[0] - end) > APART * max(abs(end), 1e-9) for end in ends):
            drawn.append(other)
            ends.append(other.end[0])
    return tuple(drawn[:BESIDE])


def straight_line(asked: Asked, median: Numbers) -> tuple[Numbers, str]:
    """A straight line over all quarters (Q), NaN up to the last figure it goes through, and what that is.

    Through the first and the last published figure. Of what has no two: on with the slope of the model's median over
    the last year with data. Not below nothing, and no share above all.
    """
    figures = _told(asked)
    quarters = np.arange(START, START + len(median))
    if len(figures) > 1:
        (first, at_first), (start, at_last) = figures[0], figures[-1]
        made = at_last + (at_last - at_first) / (start - first) * (quarters - start)
        said = f"through the published figures of {words.quarter_text(first)} and {words.quarter_text(start)}"
    else:
        start = asked.ahead - 1
        at = start - START
        slope = (median[at] - median[at - LINE_FROM]) / LINE_FROM if at > LINE_FROM else 0.0
        made = median[at] + slope * (quarters - start)
        said = f"on from the model's median of the year to {words.quarter_text(start)}, for want of two figures"
    made = np.clip(made, 0.0, 1.0 if asked.definition.is_share else None)
    return np.where(quarters >= start, made, np.nan), said


def _told(asked: Asked) -> list[tuple[int, float]]:
    """The published figures that a straight line goes through, by quarter: of the world's users Tesla's own counts."""
    if asked.definition.unit == "users" and asked.area == "world":
        return [(one.quarter, one.value) for one in scoring.counts(asked.told.record)]
    whole = replace(asked, first=START, last=LAST)
    return list({record.quarter_of(point.as_of): point.value for point in words.published(whole)}.items())


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """Published points, the fan behind the data end, other scenarios dashed, the straight line, others' forecasts."""
    found: Projection = reading.content
    asked = found.asked
    ink, colour = style.INK[look.theme], style.colour("tesla", look.theme)
    x = words.days(asked.quarters)
    traces = words.fan(asked, found.made, asked.world.name, colour)
    if found.beside is not None and asked.compared is not None:
        traces += words.fan(asked, words.quantiles(found.beside), asked.compared.name, ink.text, hatched=ink.quiet)
    ends = [_end(f"{asked.world.name} {{}}", found.made, asked, colour)]
    if found.beside is not None and asked.compared is not None:
        ends.append(_end(f"{asked.compared.name} {{}}", words.quantiles(found.beside), asked, ink.text))
    for other, dash in zip(drawn_others(found), _DASHES, strict=False):
        traces.append(_line(x, other.median, other.world.name, asked, found.ahead, ink.quiet, dash))
        ends.append(_plain_end(other.world.name, other.median, asked, ink.quiet))
    if np.isfinite(found.line).any():
        traces.append(_line(x, found.line, "Straight line", asked, slice(0, None), ink.text, "solid", width=1.0))
        ends.append(_plain_end("Straight line", found.line, asked, ink.text))
    traces += _forecast_marks(found, look)
    traces += _published(found, look)
    top = _top(found)
    shapes, labels = words.data_end(asked, look)
    font = round(look.font_px * 0.85)
    layout = style.layout(
        look,
        margin={"t": round(look.font_px * 2), "r": style.end_room(ends, font_px=font)},
        hovermode="x",
        xaxis=words.time_axis(asked) | {"hoverformat": "Q%q %Y"},
        yaxis={
            "range": [0, top],
            "tickformat": (".0%" if top > 0.05 else ".1%") if asked.definition.is_share else "~s",
        },
        shapes=shapes,
    )
    plot_height = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    placed = style.line_end_labels(ends, height_px=plot_height, font_px=font, value_range=(0, top))
    layout["annotations"] = [*labels, *_forecast_names(found, look), *style.end_annotations(placed, font_px=font)]
    return {"data": traces, "layout": layout}


_DASHES: Final = ("dot", "dash", "longdash", "dashdot", "longdashdot")


def _top(found: Projection) -> float:
    """The upper end of the axis: all of the 80 % band, the points, and the forecasts up to twice as high."""
    tops = [found.made[4], found.line, *(other.median for other in drawn_others(found))]
    if found.beside is not None:
        tops.append(words.quantiles(found.beside)[4])
    tops.append(np.array([point.high for point in found.points]))
    finite = np.concatenate([each[np.isfinite(each)] for each in tops])
    high = float(finite.max()) if len(finite) else 0.0
    told = [one.high or one.low or 0.0 for one in found.forecasts]
    high = max([high, *(each for each in told if each <= 2.2 * high)])
    high = (high or 1.0) * 1.06
    return min(high, 1.02) if found.asked.definition.is_share else high


def _end(name: str, made: Numbers, asked: Asked, colour: str) -> style.LineEnd:
    middle = float(made[2, -1])
    if not np.isfinite(middle):
        return style.LineEnd(name.format("not on sale"), 0.0, colour)
    return style.LineEnd(name.format(asked.definition.text(middle)), middle, colour)


def _plain_end(name: str, values: Numbers, asked: Asked, colour: str) -> style.LineEnd:
    value = float(values[-1])
    return style.LineEnd(f"{name} {asked.definition.text(value)}", value, colour)


def _line(
    x: Sequence[str],
    values: Numbers,
    name: str,
    asked: Asked,
    part: slice,
    colour: str,
    dash: str,
    *,
    width: float = 1.4,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": style.escape(name),
        "x": list(x[part]),
        "y": words.plain(values[part]),
        "line": {"color": colour, "width": width, "dash": dash},
        "text": ["" if not np.isfinite(value) else asked.definition.text(value) for value in values[part].tolist()],
        "hovertemplate": "%{text}",
        "showlegend": False,
    }


def _forecast_marks(found: Projection, look: Look) -> list[dict[str, Any]]:
    """Others' forecasts as open diamonds on their day; what lies above the axis stands at its upper end."""
    ink, top = style.INK[look.theme], _top(found)
    if not found.forecasts:
        return []
    heights = [one.high or one.low or 0.0 for one in found.forecasts]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "Others' forecasts",
            "x": [one.target_date.isoformat() for one in found.forecasts],
            "y": [min(height, top) for height in heights],
            "marker": {
                "symbol": ["diamond-open" if height <= top else "arrow-up-open" for height in heights],
                "size": round(look.font_px * 0.75),
                "color": ink.text,
                "line": {"width": 1.6, "color": ink.text},
            },
            "text": [style.escape(f"{one.forecaster}: {forecast_text(one, found.asked)}") for one in found.forecasts],
            "hovertemplate": "%{text}<extra></extra>",
            "cliponaxis": False,
            "showlegend": False,
        }
    ]


NAMED_FORECASTS: Final = 2
"""Others' forecasts ahead that are named in the plot; more are named in the notes and on hover alone."""


def _forecast_names(found: Projection, look: Look) -> list[dict[str, Any]]:
    """Who said what is still ahead, left of its mark, where the page has room for it."""
    ahead = [one for one in found.forecasts if one.target_date > found.asked.told.ended]
    if len(ahead) > NAMED_FORECASTS or fsd_words.is_narrow(look):
        return []
    top = _top(found)
    return [
        {
            "text": style.escape(
                f"{one.forecaster.replace('(', '').replace(')', '')}: {forecast_text(one, found.asked)}"
            ),
            "font": {"size": round(look.font_px * 0.85), "color": style.INK[look.theme].quiet},
            "showarrow": False,
            "xref": "x",
            "x": one.target_date.isoformat(),
            "xanchor": "right",
            "xshift": -round(look.font_px * 0.7),
            "yref": "y",
            "y": min(one.high or one.low or 0.0, top),
            "yanchor": "middle",
            "bgcolor": style.INK[look.theme].background,
            "borderpad": 1,
        }
        for one in ahead
    ]


def _published(found: Projection, look: Look) -> list[dict[str, Any]]:
    """The published figures as solid points, hollow where owners were asked or somebody estimated."""
    if not found.points:
        return []
    colour = style.colour("tesla", look.theme)
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "Published",
            "x": [point.as_of.isoformat() for point in found.points],
            "y": [point.value for point in found.points],
            "marker": {
                "symbol": ["circle" if point.is_disclosed else "circle-open" for point in found.points],
                "size": round(look.font_px * 0.55),
                "color": colour,
                "opacity": 1,
                "line": {"width": 1.4, "color": colour},
            },
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [point.high - point.value for point in found.points],
                "arrayminus": [point.value - point.low for point in found.points],
                "color": colour,
                "thickness": 1.2,
                "width": 0,
            },
            "text": [
                style.escape(f"{found.asked.definition.text(point.value)}, {point.estimator}; {point.evidence.value}")
                for point in found.points
            ],
            "customdata": [_key(point) for point in found.points],
            "hovertemplate": "%{text}<extra></extra>",
            "showlegend": False,
        }
    ]


def _key(point: AttachPoint) -> list[Any]:
    """The region, the definition in place of a maker, the row in place of a model, the day."""
    return [point.region, point.basis.value, str(point.row), point.as_of.toordinal()]


# Download, table, receipts


_OWN = ("kind", "region", "attach_basis", "scenario", "low_50", "high_50", "mean", "draws", "seed", "data_end", "url")


def rows(reading: Reading) -> pd.DataFrame:
    """One row a published figure, then a quarter of each scenario, of the straight line, and others' forecasts.

    `kind` tells them apart; `value` of a projection is the median, `low` and `high` the 80 % interval, `low_50` and
    `high_50` the 50 % one, `source` what the fit rests on. Other scenarios have their median alone.
    """
    found: Projection = reading.content
    asked = found.asked
    run = projected.fit(asked.told)
    unit = asked.definition.unit
    shared = {
        "grain": "quarter",
        "market": asked.area.upper(),
        "basis": "projection",
        "maker": "tesla",
        "maker_name": "Tesla",
        "measure": asked.selection.attach_basis.value
        if asked.definition.is_share and asked.selection.attach_basis
        else AttachBasis.ACTIVE_SUBSCRIPTIONS.value,
        "unit": unit,
        "region": asked.area,
        "known_from": asked.day.isoformat(),
        "source": words.slugs(asked.told),
        "data_end": asked.told.ended.isoformat(),
    }
    shared["attach_basis"] = shared["measure"]
    made: list[Mapping[str, Any]] = [
        {
            "kind": "published",
            "period_start": point.as_of.isoformat(),
            "grain": "day",
            "market": asked.area.upper(),
            "basis": point.basis.value,
            "maker": "tesla",
            "maker_name": "Tesla",
            "measure": point.basis.value,
            "value": point.value,
            "low": point.low,
            "high": point.high,
            "unit": unit,
            "flags": "" if point.is_disclosed else "estimated",
            "source": asked.told.attach["source"].iloc[point.row],
            "known_from": asked.told.attach["known_from"].iloc[point.row].isoformat(),
            "region": asked.area,
            "attach_basis": point.basis.value,
            "url": point.url,
        }
        for point in found.points
    ]
    starts = [record.quarter_start(quarter).isoformat() for quarter in asked.quarters]
    worlds = [(asked.world.name, found.made, found.draws)]
    if found.beside is not None and asked.compared is not None:
        worlds.append((asked.compared.name, words.quantiles(found.beside), found.beside))
    for name, band, draws in worlds:
        for quarter, start, of, mean in zip(asked.quarters, starts, band.T.tolist(), draws.mean(axis=0), strict=True):
            past = quarter < asked.ahead
            told = {"kind": "model" if past else "projection", "period_start": start, "scenario": name}
            told |= dict(zip(("low", "low_50", "value", "high_50", "high"), of, strict=True))
            made.append(
                shared
                | told
                | {
                    "mean": float(mean),
                    "draws": len(run.draws),
                    "seed": run.draws.seed,
                    "flags": "modelled" if past else "projected",
                }
            )
    for other in found.others:
        for quarter, start, value in zip(asked.quarters, starts, other.median.tolist(), strict=True):
            if quarter >= asked.ahead:
                told = {"kind": "scenario", "period_start": start, "scenario": other.world.name, "value": value}
                made.append(shared | told | {"draws": projected.FEW, "seed": run.draws.seed, "flags": "projected"})
    for start, value in zip(starts, found.line.tolist(), strict=True):
        if np.isfinite(value):
            told = {"kind": "straight line", "period_start": start, "value": value, "flags": "extrapolated"}
            made.append(shared | told)
    for one in found.forecasts:
        said: dict[str, Any] = {"kind": "forecast", "period_start": one.target_date.isoformat(), "grain": "day"}
        said |= {"value": one.high, "low": one.low, "high": one.high, "scenario": one.forecaster, "flags": "forecast"}
        made.append(shared | said | {"source": "fsd-forecasts", "known_from": one.known_from.isoformat()})
    return fsd_words.download(made, *_OWN)


def table(reading: Reading) -> Table:
    """The ends of years of the world asked for; then where every other scenario ends."""
    found: Projection = reading.content
    asked = found.asked
    text = asked.definition.text
    body = []
    for quarter in words.years_end(asked.quarters, ahead=asked.ahead, last=asked.last):
        at = quarter - asked.first
        low, _, middle, _, high = found.made[:, at].tolist()
        kind = "projection" if quarter >= asked.ahead else "model"
        line = text(float(found.line[at])) if np.isfinite(found.line[at]) else "–"
        body.append((words.quarter_text(quarter), asked.world.name, text(low), text(middle), text(high), line, kind))
    if found.beside is not None and asked.compared is not None:
        middle, low, high = words.spread(found.beside[:, -1])
        last = words.quarter_text(asked.last)
        body.append((last, asked.compared.name, text(low), text(middle), text(high), "–", "beside it"))
    for other in found.others:
        middle, low, high = other.end
        last = words.quarter_text(asked.last)
        body.append((last, other.world.name, text(low), text(middle), text(high), "–", "other scenario"))
    return Table(
        header=("Quarter", "Scenario", "10 % lie below", "Median", "10 % lie above", "Straight line", "What it is"),
        rows=tuple(body),
        caption="The ends of years, and where the other scenarios end: draws of the model, no figures.",
    )


def _says(row: Mapping[Any, Any], _: Projection) -> fsd_words.Says:
    return fsd_words.Says(
        day=row["as_of"],
        about=f"{fsd_words.definition(AttachBasis(row['attach_basis']))}, {row['estimator']}",
        stated=fsd_words.figure_text(row["value"], row["unit"]),
    )


# What is projected has no receipt: the published figures come first in the download.
_RECEIPTS = fsd_words.RecordReceipts(
    frame=lambda found: found.asked.told.attach,
    rows=lambda found: [point.row for point in found.points],
    says=_says,
)


FSD_PROJECTION = Chart(
    slug="fsd-projection",
    name="To 2035",
    question="When could FSD reach ten million?",
    defaults=DEFAULTS,
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=_RECEIPTS.of_point,
    row_receipts=_RECEIPTS.of_rows,
    by_day=True,
)
