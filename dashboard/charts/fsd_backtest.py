"""`fsd-backtest`: what the model would have said at past cuts, held against the counts that came.

A panel for each kind of back-test: counts taken as known at their quarter's end (*pseudo*), the same with the policy
that came later given, and *strict*, with only what was public at the cut. Each cut's fan stands beside the count that
came, with the last value and the straight line of the same cut. Errors are told whatever they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from dashboard import projected, style
from dashboard.charts import fsd_words
from dashboard.charts import projection_words as words
from dashboard.charts.chart import Badge, Chart, Reading, Table, shortest
from dashboard.charts.projection_words import AREA_NAMES, Asked
from dashboard.projections import record, scoring
from dashboard.projections.scoring import FORCED, PSEUDO, STRICT, Lateness, Prediction
from dashboard.selection import NotPublished, Selection
from dashboard.style import Figure, Look
from db import Connection

DEFAULTS: Final = Selection(market=("WORLD",))

PANELS: Final[Mapping[str, str]] = {
    PSEUDO: "Counts known at each quarter's end, later policy not",
    FORCED: "The same, later policy given",
    STRICT: "Only what was public at the cut",
}
"""The kinds of back-test, as a panel names them; the first is the one that is judged."""


@dataclass(frozen=True)
class Backtest:
    """The predictions by kind in the order of `PANELS`, and how late announced approvals came."""

    asked: Asked
    predictions: Mapping[str, tuple[Prediction, ...]]
    lateness: tuple[Lateness, ...]


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """The back-tests of the record; raises as `projection_words.asked`, `NotYetMade` where they have yet to be made,
    and `NotPublished` where the day knows no two counts or the range holds none."""
    found = words.answered(lambda each: backtest(words.asked(connection, each, today=today, with_fit=False)), selection)
    asked = found.asked
    quarters = [one.quarter for of in found.predictions.values() for one in of]
    return Reading(
        selection=selection,
        title=title(found),
        subtitle=(
            "Users as published against the 80 % interval and median of fits at past cuts · World · "
            f"{words.quarter_text(min(quarters))} to {words.quarter_text(max(quarters))}"
        ),
        badge=_badge(asked, scoring.counts(asked.told.record)[-1].quarter),
        citations=asked.told.citations,
        notes=notes(found),
        content=found,
    )


def backtest(asked: Asked) -> Backtest:
    """The back-tests that are drawn of what is asked."""
    selection = asked.selection
    if len(scoring.counts(asked.told.record)) < 2:
        raise NotPublished(
            f"by {asked.day} Tesla had published fewer than two counts of users: nothing to hold a projection against",
            nearest=replace(selection, as_of=None),
        )
    made = projected.backtests(asked.told)
    found = Backtest(
        asked=asked,
        predictions={
            kind: tuple(one for one in made if one.kind == kind and asked.first <= one.quarter <= asked.last)
            for kind in PANELS
        },
        lateness=scoring.lateness(asked.told.record.forecasts, as_of=asked.day),
    )
    if not any(found.predictions.values()):
        raise NotPublished("no count of users is in the range", nearest=replace(selection, since=None, until=None))
    return found


def _badge(asked: Asked, last: int) -> Badge:
    return Badge(f"counts to {words.quarter_text(last)} · as known {style.day_text(asked.day)}")


# Words


def title(found: Backtest) -> str:
    """How many counts fell inside the interval, and how the model's error stands to a straight line's on the same
    predictions; of the judged kind."""
    of = next(of for of in found.predictions.values() if of)
    held = f"{sum(one.inside for one in of)} of {len(of)} counts in the 80 % interval"
    alike = like_for_like(of)
    if alike is None:
        score = scoring.score(of)
        assert score is not None
        return shortest(f"{held}; mean error {style.share_text(score.mean_error)}")
    error, line = style.share_text(alike.model), style.share_text(alike.line)
    if error == line:
        return shortest(f"{held}; errors as a straight line's: {error}")
    return shortest(f"{held}; mean error {error}, a straight line's {line}", held)


@dataclass(frozen=True)
class Alike:
    """Mean absolute errors, as shares of the counts, over the predictions for which there is a straight line."""

    model: float
    line: float
    predictions: int


def like_for_like(of: tuple[Prediction, ...]) -> Alike | None:
    """The model and the straight line on the same predictions; None where no cut knew two counts."""
    both = [(one, one.line) for one in of if one.line is not None]
    if not both:
        return None
    return Alike(
        model=float(np.mean([abs(one.error) for one, _ in both])),
        line=float(np.mean([abs(line / one.actual - 1) for one, line in both])),
        predictions=len(both),
    )


def scored_text(of: tuple[Prediction, ...]) -> str:
    """Scores in words: coverage, error, bias, CRPS, and the simple rules' errors beside the model's on the same."""
    score = scoring.score(of)
    if score is None:
        return "no count to meet"
    parts = [
        f"{score.inside} of {score.predictions} inside",
        f"error {style.share_text(score.mean_error)}",
        f"bias {style.growth_text(score.bias)}",
        f"CRPS {style.units_text(round(score.crps, -2))}",
    ]
    if score.last_value is not None and all(one.last_value is not None for one in of):
        parts.append(f"last value {style.share_text(score.last_value)}")
    if alike := like_for_like(of):
        line = f"line {style.share_text(alike.line)}"
        same = f"{line} (model there {style.share_text(alike.model)})"
        parts.append(line if alike.predictions == len(of) else same)
    return ", ".join(parts)


def _late_text(one: Lateness) -> str:
    """How late an announced approval came, in words."""
    months = round(abs(one.waited if one.first is None else one.first))
    span = f"{months} month{'' if months == 1 else 's'}"
    if one.first is None:
        came = f"not seen {span} later" if months else "not seen yet"
    elif not months:
        came = "in time"
    else:
        came = f"{span} {'early, in part' if one.first < 0 else 'late, in part' if one.whole is None else 'late'}"
    return f"{one.forecaster} for {AREA_NAMES[one.region.lower()]} by {style.day_text(one.announced)}: {came}"


def notes(found: Backtest) -> tuple[str, ...]:
    """What a reader has to know: what each kind knew, what the scores are, and how late approvals came."""
    asked = found.asked
    said = [
        f"Scenario: History as known at each cut. Data to {words.quarter_text(asked.told.record.cut_off)}; "
        f"{scoring.PARTICLES:,} draws a fit, seed 1, as known on {style.day_text(asked.day)}.",
        "Points: the published counts. Bars: the 80 % interval of each cut, with the median; triangles: the last value "
        "at the cut; crosses: the straight line through the counts known. Errors are means of absolute shares; CRPS, "
        "the continuous ranked probability score, is in users.",
        "Strict cuts before 2026 know no count at all: all of 2024 and 2025 were published together in January 2026. "
        "Over one to three quarters no structural model can be expected to beat a straight line: it is there for "
        "scenarios.",
    ]
    late = [_late_text(one) for one in found.lateness]
    if late:
        said.append(f"Announced approvals: {'; '.join(late)}.")
    but = ("region", "attach_basis", "scenario", "compare", "levers")
    return (*said, *words.unused(asked.selection, DEFAULTS, but=but))


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """A panel a kind, one above the other over the same time: the interval of each cut beside the count that came."""
    found: Backtest = reading.content
    ink, colour = style.INK[look.theme], style.colour("tesla", look.theme)
    font = round(look.font_px * 0.85)
    kinds = [kind for kind in PANELS if found.predictions[kind]]
    every = [one for kind in kinds for one in found.predictions[kind]]
    quarters = range(min(one.quarter for one in every), max(one.quarter for one in every) + 1)
    top = max(max(one.p90, one.actual, one.line or 0.0) for one in every) * 1.06
    least = min(min(one.p10, one.actual, one.last_value or one.p10) for one in every) * 0.9
    narrow = fsd_words.is_narrow(look)
    gap = 0.1 if look.width or not narrow else 0.08
    part = (1 - gap * (len(kinds) - 1)) / len(kinds)
    traces: list[dict[str, Any]] = []
    axes: dict[str, Any] = {}
    annotations: list[dict[str, Any]] = []
    base = style.layout(look)["yaxis"]
    for n, kind in enumerate(kinds):
        number, upper = "" if n == 0 else str(n + 1), 1 - n * (part + gap)
        axes[f"yaxis{number}"] = {
            **base,
            "domain": [max(upper - part, 0.0), upper],
            "range": [least, top],
            "tickformat": "~s",
            "nticks": 4,
            "anchor": "x",
        }
        score = PANELS[kind] + ("" if narrow else f": {scored_text(found.predictions[kind])}")
        annotations.append(fsd_words.caption(style.escape(score), look, top=upper))
        traces += _panel(found.predictions[kind], quarters, look, axis=f"y{number}", colour=colour)
    height = look.height if look.width else 170 * len(kinds) + 110
    layout = style.layout(
        look,
        height=height,
        margin={"t": round(look.font_px * 2), "r": round(font * 1.5)},
        hovermode="closest",
        xaxis={
            "range": [-0.6, len(quarters) - 0.4],
            "tickmode": "array",
            "tickvals": list(range(len(quarters))),
            "ticktext": [words.quarter_text(quarter) for quarter in quarters],
            "anchor": "free",
            "position": 0,
            "tickfont": {"size": font, "color": ink.quiet},
        },
        annotations=annotations,
        **axes,
    )
    return {"data": traces, "layout": layout}


def _panel(of: tuple[Prediction, ...], quarters: range, look: Look, *, axis: str, colour: str) -> list[dict[str, Any]]:
    """The intervals of each quarter side by side, the earliest cut first, the last value and the line of each, and the
    counts that came."""
    ink = style.INK[look.theme]
    cuts = sorted({one.cut for one in of})
    step = 0.7 / max(len(cuts), 1)
    x = [one.quarter - quarters[0] + (cuts.index(one.cut) - (len(cuts) - 1) / 2) * step for one in of]
    text = [
        style.escape(
            f"Cut {words.quarter_text(one.cut)}: {_users(one.p50)} ({_users(one.p10)} to {_users(one.p90)}) for "
            f"{words.quarter_text(one.quarter)}; came {_users(one.actual)}"
        )
        for one in of
    ]
    shared = {"type": "scatter", "mode": "markers", "yaxis": axis, "showlegend": False}
    traces: list[dict[str, Any]] = [
        shared
        | {
            "name": "80 % interval",
            "x": x,
            "y": [one.p50 for one in of],
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [one.p90 - one.p50 for one in of],
                "arrayminus": [one.p50 - one.p10 for one in of],
                "color": words.faded(colour, 0.45),
                "thickness": max(round(look.font_px * 0.4), 4),
                "width": 0,
            },
            "marker": {"symbol": "line-ew", "size": round(look.font_px * 0.6), "line": {"width": 2, "color": colour}},
            "text": text,
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]
    for name, symbol, values in (
        ("Last value", "triangle-down-open", [one.last_value for one in of]),
        ("Straight line", "x-thin", [one.line for one in of]),
    ):
        there = [(place, value, one) for place, value, one in zip(x, values, of, strict=True) if value is not None]
        traces.append(
            shared
            | {
                "name": name,
                "x": [place for place, _, _ in there],
                "y": [value for _, value, _ in there],
                "marker": {
                    "symbol": symbol,
                    "size": round(look.font_px * 0.5),
                    "color": ink.quiet,
                    "line": {"width": 1.2, "color": ink.quiet},
                },
                "text": [
                    f"{name} at the cut {words.quarter_text(one.cut)}: {_users(value)}" for _, value, one in there
                ],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    came = {one.quarter: one.actual for one in of}
    traces.append(
        shared
        | {
            "mode": "lines+markers",
            "name": "Published count",
            "x": [quarter - quarters[0] for quarter in sorted(came)],
            "y": [came[quarter] for quarter in sorted(came)],
            "line": {"color": ink.axis, "width": 1},
            "marker": {"color": ink.text, "size": round(look.font_px * 0.55)},
            "text": [f"{words.quarter_text(quarter)}: {_users(came[quarter])} published" for quarter in sorted(came)],
            "hovertemplate": "%{text}<extra></extra>",
        }
    )
    return traces


def _users(value: float) -> str:
    return style.units_text(round(value, -2))


# Download and table


def rows(reading: Reading) -> pd.DataFrame:
    """One row a prediction: `value` the median, `low` and `high` the 80 % interval, `actual` the count that came."""
    found: Backtest = reading.content
    made = [
        {
            "period_start": record.quarter_start(one.quarter).isoformat(),
            "grain": "quarter",
            "market": "WORLD",
            "basis": "backtest",
            "maker": "tesla",
            "maker_name": "Tesla",
            "measure": "active_subscriptions",
            "value": one.p50,
            "low": one.p10,
            "high": one.p90,
            "unit": "users",
            "flags": "projected",
            "source": words.slugs(found.asked.told),
            "known_from": found.asked.day.isoformat(),
            "kind": kind,
            "cut": words.quarter_text(one.cut),
            "actual": one.actual,
            "mean": one.mean,
            "crps": one.crps,
            "last_value": np.nan if one.last_value is None else one.last_value,
            "straight_line": np.nan if one.line is None else one.line,
        }
        for kind, predictions in found.predictions.items()
        for one in predictions
    ]
    return fsd_words.download(made, "kind", "cut", "actual", "mean", "crps", "last_value", "straight_line")


def table(reading: Reading) -> Table:
    """Every prediction, kind by kind and cut by cut."""
    found: Backtest = reading.content
    body = [
        (
            f"{words.quarter_text(one.cut)} for {words.quarter_text(one.quarter)}",
            kind,
            f"{_users(one.p10)} to {_users(one.p90)}",
            _users(one.p50),
            _users(one.actual),
            style.growth_text(one.error),
            "yes" if one.inside else "no",
            "–" if one.last_value is None else _users(one.last_value),
            "–" if one.line is None else _users(one.line),
        )
        for kind in PANELS
        for one in found.predictions[kind]
    ]
    return Table(
        header=("Cut, target", "Kind", "80 % interval", "Median", "Came", "Error", "Inside", "Last value", "Line"),
        rows=tuple(body),
        caption="What fits at past cuts said of later counts of users.",
    )


FSD_BACKTEST = Chart(
    slug="fsd-backtest",
    name="Back-test",
    question="Would it have been right before?",
    defaults=DEFAULTS,
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
)
