"""`fsd-forecasts`: what others forecast of FSD, when, for when, and what came of it.

One row a forecast: from the day it was published to the day that it is about, with what was expected at its end.
Where the record has the outcome it is scored: a number by how far it was off, a day by how late it came. Nothing here
is drawn as an observation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts import fsd_words as words
from dashboard.charts.chart import Chart, Reading, Table, shortest
from dashboard.charts.events import EU_MEMBERS
from dashboard.charts.fsd_attach_history import deliveries_by_quarter
from dashboard.charts.whole_market import answered
from dashboard.fsd_record import Forecast, Outcomes, Scored, Verdict, approvals, attach_points, forecasts, scored
from dashboard.selection import InvalidSelection, NotPublished, Selection
from dashboard.style import Figure, Look
from db import Connection, provenance, queries

DEFAULTS = Selection(market=())

_USED = ("region", "since", "until", "as_of", "makers")

METRICS: Mapping[str, str] = {
    "active_subscriptions": "active FSD users",
    "approval_date": "approval",
    "arpu_month": "revenue per user and month",
    "cars_sold_year": "cars sold a year",
    "fleet": "cars on the road",
    "fleet_attach": "of the fleet paying",
    "fsd_revenue_year": "FSD revenue a year",
    "network_services_share_of_ebitda": "of EBITDA from network services",
    "price_month": "price of a month",
    "robotaxi_fleet": "robotaxis",
    "robotaxi_revenue_year": "robotaxi revenue a year",
    "software_revenue_year": "software revenue a year",
    "super_cruise_revenue_year": "Super Cruise revenue a year",
    "take_rate": "take rate",
}
"""What is forecast, behind its amount."""

_SHOWN_YEARS = 6
"""Years after today that the axis shows at the most: later targets stand at its edge with their year."""

_SAID: Mapping[Verdict, str] = {
    Verdict.OPEN: "open",
    Verdict.UNANSWERED: "no figure to hold it against",
}


@dataclass(frozen=True)
class Record:
    """The forecasts of a selection with what came of them, the earliest target first, as judged `on` a day.

    `frame` has the stored rows; `seen_to` is the day of the record's last event, beyond which nothing can have been
    seen; `grounds` are the stored rows that outcomes come from.
    """

    selection: Selection
    forecasts: tuple[Scored, ...]
    on: date
    seen_to: date
    frame: pd.DataFrame
    grounds: tuple[pd.DataFrame, ...]
    names: Mapping[str, str]

    def of(self, verdict: Verdict) -> tuple[Scored, ...]:
        """Those with a verdict."""
        return tuple(each for each in self.forecasts if each.verdict is verdict)


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What was forecast and what came of it.

    Raises `InvalidSelection` for a region without forecasts and `NotPublished` where none is of the region and months.
    """
    instead = (replace(DEFAULTS, as_of=selection.as_of), DEFAULTS)
    found = answered(lambda asked: _record(connection, asked, today=today), selection, *instead)
    shown = found.frame.iloc[[each.forecast.row for each in found.forecasts]]
    return Reading(
        selection=selection,
        title=title(found),
        subtitle=_subtitle(found),
        badge=words.record_badge(
            [each.forecast.published for each in found.forecasts], shown, (), today=selection.as_of or today
        ),
        citations=provenance.record_citations(connection, shown, *found.grounds, as_of=selection.as_of),
        notes=notes(found),
        content=found,
    )


def _record(connection: Connection, selection: Selection, *, today: date) -> Record:
    words.check_tesla(selection, of="FSD", nearest=replace(selection, makers=()))
    frame = queries.records(connection, "forecast", as_of=selection.as_of)
    names = queries.names(connection).markets
    if frame.empty:
        when = f" on {style.day_text(selection.as_of)}" if selection.as_of else ""
        raise NotPublished(f"no forecast of FSD was known{when}", nearest=DEFAULTS if selection.as_of else None)
    told = forecasts(frame)
    region = selection.region.upper() if selection.region else None
    regions = {each.region for each in told}
    if region is not None and region not in regions:
        raise InvalidSelection(
            f"no forecast is known of region={selection.region}",
            name="region",
            valid=tuple(sorted(code.lower() for code in regions)),
        )
    # A forecast is of the months in which it was made.
    chosen = [each for each in told if region in (None, each.region) and words.in_range(each.published, selection)]
    if not chosen:
        raise NotPublished(
            "no forecast of FSD was published in the range", nearest=replace(selection, since=None, until=None)
        )
    attach = queries.records(connection, "attach", as_of=selection.as_of)
    events = queries.records(connection, "fsd_event", as_of=selection.as_of)
    _, deliveries = deliveries_by_quarter(connection, selection.as_of)
    on = selection.as_of or today
    # What is missing after the record's last event is unknown: nobody is late for what was not looked up.
    seen_to = min(max((day for day in events["date"] if day <= on), default=on), on)
    outcomes = Outcomes(
        points=attach_points(attach),
        deliveries=deliveries,
        approvals=approvals(events),
        members={"EU": EU_MEMBERS},
    )
    return Record(
        selection=selection,
        forecasts=tuple(scored(each, outcomes, on=seen_to if each.is_date else on) for each in chosen),
        on=on,
        seen_to=seen_to,
        frame=frame,
        grounds=tuple(ground for ground in (attach, events) if len(ground)),
        names=names,
    )


# Words


def title(found: Record) -> str:
    """How many dates given for approvals passed without one, or the largest error; neutral where nothing is due."""
    dated = [each for each in found.forecasts if each.forecast.is_date and each.verdict is not Verdict.OPEN]
    late = [each for each in dated if each.verdict is Verdict.LATE]
    numbers = [each for each in found.of(Verdict.SCORED) if not each.forecast.is_date]
    many = len(found.forecasts)
    said = f"{many} forecast{'s' if many > 1 else ''} around FSD"
    if late:
        count = f"All {len(late)}" if len(late) == len(dated) else f"{len(late)} of {len(dated)}"
        unseen = sum(not each.is_seen for each in late)
        if len(dated) == 1:
            return f"The one date given for an FSD approval passed without it{', and none is seen yet' * unseen}"
        still = ", none seen yet" if unseen == len(late) else f", {unseen} not seen yet" if unseen else ""
        return shortest(f"{count} dates given for FSD approvals passed without one{still}")
    if numbers:
        off = max(numbers, key=lambda each: max(abs(end) for end in each.error or (0.0,)))
        return shortest(f"{said}: {len(numbers)} scored, the largest error {_error(off)}", said)
    if len(found.of(Verdict.OPEN)) == many:
        return shortest(f"{said}, all still open")
    return shortest(f"{said}, none of which the record can score yet")


def _subtitle(found: Record) -> str:
    region = found.selection.region
    where = f"{_place(region.upper(), found)}. " if region else ""
    where = where[:1].upper() + where[1:]
    on = style.day_text(found.on)
    return f"{where}What others forecast, from the day of publishing to the day it is about; judged on {on}"


def _place(code: str, found: Record) -> str:
    return words.region_name(code, found.names)


def notes(found: Record) -> tuple[str, ...]:
    """How forecasts are scored, what is not seen, and what cannot be scored."""
    said = ["Dotted: from publishing to the target day; none of it is an observation."]
    dated = [each for each in found.forecasts if each.forecast.is_date]
    if any(each.verdict is Verdict.LATE for each in dated):
        said.append(
            "Solid: how late it came, counted to the first approval in the region, in Europe by any member. Where none "
            f"has been seen the bar ends where the record does, {style.day_text(found.seen_to)}: later is unknown."
        )
    if any(each.verdict is Verdict.SCORED and not each.forecast.is_date for each in found.forecasts):
        said.append("An error is the forecast over the figure of the same measure and day, with the rounding of both.")
    unanswered = len(found.of(Verdict.UNANSWERED))
    if unanswered:
        said.append(
            f"{unanswered} whose day has passed cannot be scored: the record has no figure of the same measure, region "
            "and day."
        )
    return (*said, *words.unused_note(found.selection, DEFAULTS, used=_USED))


def _expected(forecast: Forecast, found: Record) -> str:
    """What was expected: `approval in China`, `60 % of the fleet paying`."""
    name = METRICS.get(forecast.metric, forecast.metric.replace("_", " "))
    where = "" if forecast.region == "GLOBAL" else f" in {_place(forecast.region, found)}"
    if forecast.is_date or forecast.low is None or forecast.high is None:
        return f"{name}{where}"
    return f"{words.range_text(forecast.low, forecast.high, forecast.unit)} {name}{where}"


def _error(each: Scored) -> str:
    if each.error is None:
        return ""
    low, high = (style.growth_text(end) for end in each.error)
    if each.error == (0.0, 0.0):
        return "met"
    return low if low == high else f"{low} to {high}"


def _months(months: float) -> str:
    if months < 1:
        return f"{round(months * 365.25 / 12)} days"
    return f"{months:.0f} month{'s' if round(months) != 1 else ''}"


def _came(each: Scored) -> str:
    """What came of it: `1.10 M to 1.20 M, off by …`, `10 Apr 2026, 12 months late`, `open`."""
    outcome = each.outcome
    if each.forecast.is_date and each.verdict in (Verdict.LATE, Verdict.SCORED):
        if outcome and outcome.day:
            late = each.months_late or 0.0
            return (
                f"{style.day_text(outcome.day)}, {_months(late)} late"
                if late > 0
                else f"{style.day_text(outcome.day)}, in time"
            )
        return f"not seen {_months(each.months_late or 0.0)} after"
    if each.verdict is Verdict.SCORED and outcome and outcome.low is not None and outcome.high is not None:
        return f"{words.range_text(outcome.low, outcome.high, each.forecast.unit)}: {_error(each)}"
    return _SAID.get(each.verdict, each.verdict.value)


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """A row for each forecast: dotted to its target, solid from there to what came late; words on either side."""
    found: Record = reading.content
    ink = style.INK[look.theme]
    first = min(each.forecast.published for each in found.forecasts) - timedelta(days=60)
    edge = date(found.on.year + _SHOWN_YEARS, 1, 1)
    ends = [_shown_end(each, found, edge) for each in found.forecasts]
    last = max([*ends, found.on]) + timedelta(days=120)
    rows = [
        words.Row(
            f"{each.forecast.forecaster.split(' (')[0]}: {_expected(each.forecast, found)}",
            _came(each) if each.verdict is not Verdict.OPEN else f"open: {_due(each.forecast)}",
            ink.text if each.verdict in (Verdict.SCORED, Verdict.LATE) else ink.quiet,
        )
        for each in found.forecasts
    ]
    layout, drop = words.row_layout(rows, look, first=first, last=last, top=1.8, names_px=390)
    traces = [_row(each, n + drop, found, look, edge=edge) for n, each in enumerate(found.forecasts)]
    traces += [
        _late(each, n + drop, found, look) for n, each in enumerate(found.forecasts) if each.verdict is Verdict.LATE
    ]
    layout["shapes"] = [
        {
            "type": "line",
            "xref": "x",
            "x0": found.on.isoformat(),
            "x1": found.on.isoformat(),
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "line": {"color": ink.text, "width": 1.2, "dash": "dot"},
        }
    ]
    layout["annotations"] = [
        *layout["annotations"],
        {
            "text": style.escape(f"judged {style.day_text(found.on)}"),
            "font": {"size": round(look.font_px * 0.85), "color": ink.text},
            "showarrow": False,
            "xref": "x",
            "x": found.on.isoformat(),
            "xanchor": "center",
            "yref": "paper",
            "y": 1,
            "yanchor": "bottom",
            "yshift": 1,
        },
    ]
    return {"data": traces, "layout": layout}


def _due(forecast: Forecast) -> str:
    return "no day given" if forecast.target is None else style.day_text(forecast.target)


def _shown_end(each: Scored, found: Record, edge: date) -> date:
    target = each.forecast.target
    if target is None or target > edge:
        return edge
    if each.verdict is Verdict.LATE:
        return max(target, each.outcome.day if each.outcome and each.outcome.day else found.seen_to)
    return target


def _row(each: Scored, height: float, found: Record, look: Look, *, edge: date) -> dict[str, Any]:
    """From publishing (a dot) to the target (a diamond, an arrow where it is beyond the axis), dotted throughout."""
    ink, forecast = style.INK[look.theme], each.forecast
    target = forecast.target
    beyond = target is None or target > edge
    end = edge if target is None or beyond else target
    solid = each.verdict in (Verdict.SCORED, Verdict.LATE)
    colour = ink.text if solid else ink.quiet
    key = [forecast.region, forecast.metric, str(forecast.row)]
    who = f"{forecast.forecaster}, {style.day_text(forecast.published)}"
    about = f"{_expected(forecast, found)}, {_due(forecast)}: {_came(each)}"
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": style.escape(f"{forecast.forecaster}: {_expected(forecast, found)}"),
        "x": [forecast.published.isoformat(), end.isoformat()],
        "y": [height, height],
        "line": {"color": colour, "width": 1.3, "dash": "dot"},
        "marker": {
            "symbol": ["circle", "triangle-right-open" if beyond else "diamond-open"],
            "size": [round(look.font_px * 0.4), round(look.font_px * 0.7)],
            "color": colour,
            "opacity": 1,
            "line": {"width": 1.6, "color": colour},
        },
        "text": [style.escape(f"published: {who}"), style.escape(f"{who}: {about}")],
        # A published day and its target may be the same; the point of a forecast is the day of its publication.
        "customdata": [[*key, forecast.published.toordinal()], []],
        "hovertemplate": "%{text}<extra></extra>",
        "cliponaxis": False,
    }


def _late(each: Scored, height: float, found: Record, look: Look) -> dict[str, Any]:
    """How late: solid from the target to the day when it came, open-ended where it has not been seen."""
    ink = style.INK[look.theme]
    assert each.forecast.target is not None
    came = each.outcome.day if each.outcome else None
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "late",
        "x": [each.forecast.target.isoformat(), (came or found.seen_to).isoformat()],
        "y": [height, height],
        "line": {"color": ink.text, "width": round(look.font_px * 0.22)},
        "marker": {
            "symbol": ["line-ns", "diamond" if came else "triangle-right-open"],
            "size": [1, round(look.font_px * 0.7)],
            "color": ink.text,
            "opacity": 1,
            "line": {"width": 1.6, "color": ink.text},
        },
        "hoverinfo": "skip",
        "cliponaxis": False,
    }


# Download, table, receipts

_OWN = (
    "forecaster",
    "target_date",
    "region",
    "metric",
    "stated",
    "verdict",
    "outcome_low",
    "outcome_high",
    "outcome_date",
    "error_low",
    "error_high",
    "months_late",
    "outcome",
    "outcome_url",
    "url",
    "note",
)


def rows(reading: Reading) -> pd.DataFrame:
    """One row a forecast, with `DOWNLOAD_COLUMNS` and columns of its own; `period_start` is the day of publishing.

    `value`, `low` and `high` are what was forecast, empty where that is a day; `error_low` and `error_high` are the
    fractions that it was off by; `months_late` counts from the target day to the outcome, or to the end of the record.
    """
    found: Record = reading.content
    made, frame = [], found.frame.to_dict("records")
    for each in found.forecasts:
        forecast, outcome = each.forecast, each.outcome
        stored = frame[forecast.row]
        low, high = (float("nan") if end is None else end for end in (forecast.low, forecast.high))
        made.append(
            {
                "period_start": forecast.published.isoformat(),
                "market": forecast.region,
                "measure": forecast.metric,
                "value": (low + high) / 2,
                "low": low,
                "high": high,
                "unit": "fraction" if forecast.unit == "share" else forecast.unit,
                "flags": ";".join(("forecast", each.verdict.value)),
                "source": stored["source"],
                "known_from": stored["known_from"].isoformat(),
                "forecaster": forecast.forecaster,
                "target_date": forecast.target.isoformat() if forecast.target else "",
                "region": forecast.region,
                "metric": forecast.metric,
                "stated": forecast.text,
                "verdict": each.verdict.value,
                "outcome_low": _plain(outcome.low if outcome else None),
                "outcome_high": _plain(outcome.high if outcome else None),
                "outcome_date": outcome.day.isoformat() if outcome and outcome.day else "",
                "error_low": _plain(each.error[0] if each.error else None),
                "error_high": _plain(each.error[1] if each.error else None),
                "months_late": _plain(each.months_late),
                "outcome": (outcome.told_by if outcome else "") or forecast.outcome,
                "outcome_url": (outcome.url if outcome else "") or forecast.outcome_url,
                "url": forecast.url,
                "note": forecast.note,
            }
        )
    return words.download(made, *_OWN)


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def table(reading: Reading) -> Table:
    """Every forecast, the earliest target first: who, when, what, for when, and what came of it."""
    found: Record = reading.content
    body = [
        (
            each.forecast.forecaster,
            style.day_text(each.forecast.published),
            _expected(each.forecast, found),
            _due(each.forecast),
            each.verdict.value,
            _came(each),
            (each.outcome.told_by if each.outcome else "") or each.forecast.outcome or style.MISSING,
            each.forecast.note or style.MISSING,
        )
        for each in found.forecasts
    ]
    return Table(
        header=("Forecaster", "Published", "Forecast", "For", "State", "What came of it", "Told by", "Note"),
        rows=tuple(body),
        caption="Forecasts, none of them an observation, by the day that they are about.",
    )


def _says(row: Mapping[Any, Any], found: Record) -> words.Says:
    name = METRICS.get(row["metric"], row["metric"])
    about = f"{row['forecaster']} for {row['target_date']}: {name}, {_place(row['region'], found)}"
    unit = "" if row["unit"] == "date" else f" ({row['unit']})"
    return words.Says(day=row["made_on"], about=about, stated=f"{row['value']}{unit}")


_RECEIPTS = words.RecordReceipts(
    frame=lambda found: found.frame,
    rows=lambda found: [each.forecast.row for each in found.forecasts],
    says=_says,
)


FSD_FORECASTS = Chart(
    slug="fsd-forecasts",
    name="Forecasts",
    question="What did others forecast, and what came of it?",
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
