"""`fsd-revenue`: what FSD brings in, as it is booked and as the money comes, and what is still owed to buyers.

One picture of one flow: cash from outright sales is partly booked at once, the rest is deferred and released later;
subscriptions and licences are recognised as they are billed. So recognised and received revenue stand side by side, and
the deferred balance under them is what lies between. Where the selection sets China's data routes beside each other, it
says what trying both was worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from dashboard import fsd_record, projected, style
from dashboard.charts import fsd_words
from dashboard.charts import projection_words as words
from dashboard.charts.chart import Chart, Reading, Table
from dashboard.charts.fsd_revenue_words import Revenue, Sums, money, notes, span_text, subtitle, title
from dashboard.charts.projection_words import Asked, Numbers
from dashboard.projected import ROUTES, Hedge, Outlook
from dashboard.projections import record
from dashboard.projections.record import START, Forecast
from dashboard.selection import NotPublished, Selection
from dashboard.style import Figure, Look
from db import Connection
from db.vocabulary import AttachBasis, Grain

DEFAULTS: Final = Selection(market=("WORLD",), grain=Grain.YEAR)

PARTS: Final[Mapping[str, str]] = {
    "subscription": "Subscriptions",
    "booked": "Sold, booked at once",
    "released": "Released from deferred",
    "licence": "Licences",
}
"""What recognised revenue is made of, from the bottom of a bar."""

_PATTERNS: Final = {"subscription": "", "booked": "/", "released": ".", "licence": "x"}
"""How the parts are told apart: hue is the maker's."""

LINE_FROM: Final = 8
"""Quarters with data that the straight line goes through."""


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The revenue of a selection's world; raises as `projection_words.asked` and `projected.fit`, and `NotPublished`
    for a range without a whole period."""
    found = words.answered(lambda each: revenue(words.asked(connection, each, today=today)), selection)
    asked = found.asked
    return Reading(
        selection=selection,
        title=title(found),
        subtitle=subtitle(found),
        badge=words.badge(asked, today=today),
        citations=asked.told.citations,
        notes=(*notes(found), *words.unused(found.asked.selection, DEFAULTS, but=("attach_basis",))),
        content=found,
    )


def revenue(asked: Asked) -> Revenue:
    """What is drawn of what is asked."""
    length = 4 if asked.selection.grain is Grain.YEAR else 1
    # The first quarter of the simulation has stocks and no flows.
    first = max(asked.first, START + 1)
    first += -first % length
    starts = tuple(range(first, asked.last - length + 2, length))
    if not starts:
        raise NotPublished(
            "no whole period of the projection is in the range",
            nearest=replace(asked.selection, since=None, until=None),
        )
    outlook = asked.outlook(asked.world)
    compared = asked.outlook(asked.compared) if asked.compared else None
    is_world = asked.area == "world"
    points = fsd_record.attach_points(asked.told.attach) if is_world else ()
    return Revenue(
        asked=asked,
        starts=starts,
        length=length,
        sums=summed(outlook, starts, length),
        beside=summed(compared, starts, length) if compared else None,
        line=_straight(outlook, starts, length, ahead=asked.ahead),
        balances=tuple(
            point
            for point in points
            if point.basis is AttachBasis.DEFERRED_REVENUE and words.in_range(point.as_of, asked)
        ),
        forecasts=tuple(
            one
            for one in asked.told.record.forecasts
            if is_world and one.metric == "fsd_revenue_year" and one.low is not None and length == 4
            if one.target_date.year * 4 in starts
        ),
        hedge=_hedge(asked),
    )


def summed(one: Outlook, starts: Sequence[int], length: int) -> Sums:
    """An outlook's money by period: flows are summed, balances are those of the period's end."""

    def flow(values: Numbers) -> Numbers:
        return np.stack([values[:, start - START : start - START + length].sum(axis=1) for start in starts], axis=1)

    ends = [start - START + length - 1 for start in starts]
    return Sums(
        recognised=flow(one.recognised),
        received=flow(one.received),
        parts={name: flow(getattr(one, name)).mean(axis=0, dtype=np.float64) for name in PARTS},
        deferred=one.deferred[:, ends],
        arr=one.arr[:, ends],
    )


def _straight(one: Outlook, starts: Sequence[int], length: int, *, ahead: int) -> Numbers:
    """The least-squares line of the mean recognised revenue of the last `LINE_FROM` quarters with data, by period."""
    mean = one.recognised.mean(axis=0, dtype=np.float64)
    last = ahead - 1 - START
    quarters = np.arange(len(mean))
    first = max(last - LINE_FROM + 1, 1)
    slope, base = (
        np.polyfit(quarters[first : last + 1], mean[first : last + 1], 1) if last > first else (0.0, mean[last])
    )
    line = np.where(quarters <= last, mean, np.maximum(base + slope * quarters, 0.0))
    made = np.array([line[start - START : start - START + length].sum() for start in starts])
    return np.where([start + length > ahead for start in starts], made, np.nan)


def _hedge(asked: Asked) -> Hedge | None:
    """What both routes are worth over the better one, where the selection sets two of the routes beside each other."""
    if asked.compared is None or not {asked.world.scenario.slug, asked.compared.scenario.slug} <= set(ROUTES):
        return None
    moved = dict(asked.world.moved)
    worlds = {name: projected.world(asked.told, name, moved) for name in ROUTES}
    since = record.quarter_of(asked.world.levers.route_start)
    return projected.hedge({name: asked.outlook(one) for name, one in worlds.items()}, since=max(since, START + 1))


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """Bars of recognised revenue with whiskers, money received and the other world as lines; below, the deferred."""
    found: Revenue = reading.content
    asked = found.asked
    ink, colour = style.INK[look.theme], style.colour("tesla", look.theme)
    x = [found.at(start) for start in found.starts]
    names = [found.name(start) for start in found.starts]
    font = round(look.font_px * 0.85)
    opacity = [1.0 if ahead else 0.55 for ahead in found.is_ahead]
    width = 0.62 * found.length * 91.3 * 86_400_000
    traces: list[dict[str, Any]] = []
    ends: list[style.LineEnd] = []
    base = np.zeros(len(x))
    for name, label in PARTS.items():
        part = found.sums.parts[name]
        if not part.any():
            continue
        traces.append(
            {
                "type": "bar",
                "name": label,
                "x": x,
                "y": words.plain(part / 1e9),
                "width": width,
                "marker": {
                    "color": colour if not _PATTERNS[name] else words.faded(colour, 0.22),
                    "opacity": opacity,
                    "line": {"width": 0.8, "color": colour},
                    "pattern": {"shape": _PATTERNS[name], "fgcolor": colour, "size": 7, "solidity": 0.35},
                },
                "text": [f"{when}: {money(value)}" for when, value in zip(names, part.tolist(), strict=True)],
                "textposition": "none",
                "hovertemplate": "%{text}",
                "showlegend": False,
            }
        )
        if part[-1] > 0.03 * max(float(found.sums.recognised.mean(axis=0)[-1]), 1.0):
            ends.append(
                style.LineEnd(f"{label} {money(float(part[-1]))}", float(base[-1] + part[-1] / 2) / 1e9, colour)
            )
        base = base + part
    middle = found.sums.recognised.mean(axis=0, dtype=np.float64) / 1e9
    low, high = (np.percentile(found.sums.recognised, end, axis=0) / 1e9 for end in (10, 90))
    traces.append(_whiskers(x, middle, low, high, names, look))
    received = found.sums.received.mean(axis=0, dtype=np.float64)
    traces.append(_money_line(x, received, "Received", names, colour, "dot", "circle-open", look))
    ends.append(style.LineEnd(f"Received {money(float(received[-1]))}", float(received[-1]) / 1e9, colour))
    tops = [float(high.max()), float(received.max() / 1e9)]
    if found.beside is not None and asked.compared is not None:
        other = found.beside.recognised.mean(axis=0, dtype=np.float64)
        traces.append(_money_line(x, other, asked.compared.name, names, ink.text, "dashdot", "diamond-open", look))
        ends.append(style.LineEnd(f"{asked.compared.name} {money(float(other[-1]))}", float(other[-1]) / 1e9, ink.text))
        tops.append(float(other.max() / 1e9))
    if np.isfinite(found.line).any():
        traces.append(_money_line(x, found.line, "Straight line", names, ink.text, "solid", "", look))
        ends.append(
            style.LineEnd(f"Straight line {money(float(found.line[-1]))}", float(found.line[-1]) / 1e9, ink.text)
        )
        tops.append(float(np.nanmax(found.line)) / 1e9)
    for one in found.forecasts:
        tops.append((one.high or 0.0) / 1e9)
        traces.append(_forecast(found, one, look))
    top = (max(tops) or 1.0) * 1.08
    split = 0.34
    deferred = np.percentile(found.sums.deferred, (10, 50, 90), axis=0) / 1e9
    traces += _deferred(found, x, deferred, names, look)
    low_top = max([float(deferred[2].max()), *(point.high / 1e9 for point in found.balances)]) * 1.12 or 1.0
    low_ends = [style.LineEnd(f"Deferred {money(float(deferred[1, -1]) * 1e9)}", float(deferred[1, -1]), colour)]
    shapes, labels = words.data_end(asked, look)
    base_axis = style.layout(look)["yaxis"]
    layout = style.layout(
        look,
        height=look.height if look.width else look.height + 120,
        margin={"t": round(look.font_px * 2.2), "r": style.end_room([*ends, *low_ends], font_px=font)},
        hovermode="x",
        barmode="stack",
        xaxis={
            "type": "date",
            "range": [
                record.quarter_start(found.starts[0]).isoformat(),
                record.quarter_end(found.starts[-1] + found.length - 1).isoformat(),
            ],
            "anchor": "free",
            "position": 0,
            "hoverformat": "%Y" if found.length == 4 else "Q%q %Y",
        },
        yaxis={"domain": [split + 0.08, 1], "range": [0, top], "ticksuffix": " bn"},
        yaxis2={
            **base_axis,
            "domain": [0, split - 0.06],
            "range": [0, low_top],
            "ticksuffix": " bn",
            "nticks": 4,
            "anchor": "x",
        },
        shapes=shapes,
    )
    height = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    placed = style.line_end_labels(ends, height_px=height * (0.92 - split), font_px=font, value_range=(0, top))
    below = style.line_end_labels(low_ends, height_px=height * (split - 0.06), font_px=font, value_range=(0, low_top))
    layout["annotations"] = [
        *labels,
        fsd_words.caption("Deferred at the period's end", look, top=split - 0.06),
        *style.end_annotations(placed, font_px=font, yref="y"),
        *style.end_annotations(below, font_px=font, yref="y2"),
    ]
    return {"data": traces, "layout": layout}


def _whiskers(
    x: Sequence[str], middle: Numbers, low: Numbers, high: Numbers, names: Sequence[str], look: Look
) -> dict[str, Any]:
    ink = style.INK[look.theme]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "Recognised, 80 % of draws",
        "x": list(x),
        "y": words.plain(middle),
        "marker": {"size": 1, "color": ink.text},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": words.plain(np.maximum(high - middle, 0)),
            "arrayminus": words.plain(np.maximum(middle - low, 0)),
            "color": ink.text,
            "thickness": 1.2,
            "width": 3,
        },
        "text": [
            f"{when}: {money(mean * 1e9)} ({span_text(least * 1e9, most * 1e9)})"
            for when, mean, least, most in zip(names, middle.tolist(), low.tolist(), high.tolist(), strict=True)
        ],
        "hovertemplate": "%{text}",
        "showlegend": False,
    }


def _money_line(
    x: Sequence[str],
    values: Numbers,
    name: str,
    names: Sequence[str],
    colour: str,
    dash: str,
    symbol: str,
    look: Look,
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if symbol else "lines",
        "name": style.escape(name),
        "x": list(x),
        "y": words.plain(values / 1e9),
        "line": {"color": colour, "width": 1.4, "dash": dash},
        "marker": {"symbol": symbol or "circle", "size": round(look.font_px * 0.4), "color": colour},
        "text": [
            "" if not np.isfinite(value) else f"{when}: {money(value)}"
            for when, value in zip(names, values.tolist(), strict=True)
        ],
        "hovertemplate": "%{text}",
        "showlegend": False,
    }


def _forecast(found: Revenue, one: Forecast, look: Look) -> dict[str, Any]:
    low, high = (one.low or 0.0) / 1e9, (one.high or one.low or 0.0) / 1e9
    ink = style.INK[look.theme]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": style.escape(one.forecaster),
        "x": [found.at(one.target_date.year * 4)],
        "y": [(low + high) / 2],
        "error_y": {"type": "data", "array": [(high - low) / 2], "color": ink.quiet, "thickness": 1.2, "width": 4},
        "marker": {"symbol": "diamond-open", "size": round(look.font_px * 0.6), "color": ink.text},
        "text": [style.escape(f"{one.forecaster}: {span_text(low * 1e9, high * 1e9)}")],
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }


def _deferred(
    found: Revenue, x: Sequence[str], deferred: Numbers, names: Sequence[str], look: Look
) -> list[dict[str, Any]]:
    """The band and the median of the deferred balance, and published balances as points."""
    colour = style.colour("tesla", look.theme)
    flat = {"type": "scatter", "mode": "lines", "x": list(x), "yaxis": "y2", "showlegend": False}
    traces: list[dict[str, Any]] = [
        flat | {"y": words.plain(deferred[0]), "line": {"width": 0}, "hoverinfo": "skip"},
        flat
        | {
            "y": words.plain(deferred[2]),
            "line": {"width": 0},
            "fill": "tonexty",
            "fillcolor": words.faded(colour, 0.16),
            "hoverinfo": "skip",
        },
        flat
        | {
            "name": "Deferred",
            "y": words.plain(deferred[1]),
            "line": {"color": colour, "width": 2, "dash": "dash"},
            "text": [
                f"{when}: {money(middle * 1e9)} ({span_text(low * 1e9, high * 1e9)})"
                for when, (low, middle, high) in zip(names, deferred.T.tolist(), strict=True)
            ],
            "hovertemplate": "%{text}",
        },
    ]
    if found.balances:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "Published, with more than FSD",
                "x": [point.as_of.isoformat() for point in found.balances],
                "y": [point.value / 1e9 for point in found.balances],
                "yaxis": "y2",
                "marker": {"color": colour, "size": round(look.font_px * 0.5)},
                "text": [
                    style.escape(f"{money(point.value)}, {point.estimator}, {style.day_text(point.as_of)}")
                    for point in found.balances
                ],
                "hovertemplate": "%{text}<extra></extra>",
                "showlegend": False,
            }
        )
    return traces


# Download and table


_OWN = ("kind", "region", "scenario", "mean", "draws", "seed", "data_end")


def rows(reading: Reading) -> pd.DataFrame:
    """One row a period and quantity: `recognised`, its parts, `received`, `deferred`, `arr`; then the other world's.

    `value` is the median of draws with the 80 % interval; of the parts, which add up only so, the mean.
    """
    found: Revenue = reading.content
    asked = found.asked
    run = projected.fit(asked.told)
    grain = "year" if found.length == 4 else "quarter"
    shared: dict[str, Any] = {
        "grain": grain,
        "market": asked.area.upper(),
        "basis": "projection",
        "maker": "tesla",
        "maker_name": "Tesla",
        "unit": "USD",
        "source": words.slugs(asked.told),
        "known_from": asked.day.isoformat(),
        "region": asked.area,
        "draws": len(run.draws),
        "seed": run.draws.seed,
        "data_end": asked.told.ended.isoformat(),
    }
    worlds = [(asked.world.name, found.sums)]
    if found.beside is not None and asked.compared is not None:
        worlds.append((asked.compared.name, found.beside))
    made = []
    for name, sums in worlds:
        for n, (start, ahead) in enumerate(zip(found.starts, found.is_ahead, strict=True)):
            told = shared | {
                "period_start": record.quarter_start(start).isoformat(),
                "scenario": name,
                "kind": "projection" if ahead else "model",
                "flags": "projected" if ahead else "modelled",
            }
            for measure in ("recognised", "received", "deferred", "arr"):
                drawn = getattr(sums, measure)[:, n]
                middle, low, high = words.spread(drawn)
                mean = float(drawn.mean(dtype=np.float64))
                made.append(told | {"measure": measure, "value": middle, "low": low, "high": high, "mean": mean})
            for measure, part in sums.parts.items():
                made.append(told | {"measure": measure, "value": float(part[n]), "mean": float(part[n])})
    return fsd_words.download(made, *_OWN)


def table(reading: Reading) -> Table:
    """The periods of the world asked for: means that add up, the 80 % interval of what is recognised, and balances."""
    found: Revenue = reading.content
    sums = found.sums
    body = []
    for n, start in enumerate(found.starts):
        mean = float(sums.recognised[:, n].mean(dtype=np.float64))
        _, low, high = words.spread(sums.recognised[:, n])
        body.append(
            (
                found.name(start) + ("" if found.is_ahead[n] else " (model)"),
                money(mean),
                f"{money(low)} to {money(high)}",
                *(money(float(sums.parts[name][n])) for name in PARTS),
                money(float(sums.received[:, n].mean(dtype=np.float64))),
                money(float(sums.deferred[:, n].mean(dtype=np.float64))),
                money(float(sums.arr[:, n].mean(dtype=np.float64))),
            )
        )
    return Table(
        header=(
            "Period",
            "Recognised",
            "80 % of draws",
            *PARTS.values(),
            "Received",
            "Deferred at its end",
            "ARR at its end",
        ),
        rows=tuple(body),
        caption="Means of the draws, so that parts add up; US dollars without tax. All is of the model, not published.",
    )


FSD_REVENUE = Chart(
    slug="fsd-revenue",
    name="Revenue",
    question="What could FSD bring in?",
    defaults=DEFAULTS,
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
)
