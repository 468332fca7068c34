"""What others forecast: held to account where the record can, open where it cannot, and never an observation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Engine

from dashboard.charts.chart import Reading
from dashboard.charts.fsd_forecasts import FSD_FORECASTS
from dashboard.selection import InvalidSelection
from tests.dashboard import test_fsd_price as fsd
from tests.dashboard.test_fsd_attach_history import PAYING
from tests.dashboard.test_fsd_attach_history import told as attach
from tests.dashboard.test_fsd_timeline import told as happened
from tests.world.records import rates as tell

CHART = FSD_FORECASTS
FORECAST = {
    "made_on": "2024-01-10", "forecaster": "A bank (Someone)", "target_date": "2024-12-31", "region": "GLOBAL",
    "metric": "active_subscriptions", "value": "220", "low": "220", "high": "220", "unit": "count",
    "published_on": "2024-01-10",
}  # fmt: skip
DATED = {"metric": "approval_date", "unit": "date", "value": "2024-12-31", "low": "", "high": "", "region": "EU"}
OPEN = {"target_date": "2030-12-31"}


def told(engine: Engine, *rows: Mapping[str, object]) -> None:
    tell(engine, "forecast", *({**FORECAST, **row} for row in rows))


def read(engine: Engine, query: str = "") -> Reading:
    return fsd.read(engine, query, chart=CHART)


def approved(engine: Engine, day: str, market: str = "NL") -> None:
    happened(engine, {"date": day, "market": market, "kind": "approval", "text": "An authority approves FSD"},
             {"date": "2025-06-30"})  # fmt: skip


def came(reading: Reading) -> list[str]:
    return [row[5] for row in CHART.table(reading).rows]


def traces(reading: Reading, name: str) -> list[Any]:
    return [trace for trace in fsd.drawn(reading, chart=CHART)["data"] if trace["name"].startswith(name)]


def test_a_number_is_scored_against_the_record_with_its_rounding(empty_engine: Engine) -> None:
    told(empty_engine, {})
    attach(empty_engine, {**PAYING, "low": "88", "high": "110"})
    reading = read(empty_engine)
    assert came(reading) == ["88 to 110: +100.0 % to +150.0 %"]
    assert reading.title == "1 forecast around FSD: 1 scored, the largest error +100.0 % to +150.0 %"
    row = CHART.rows(reading).iloc[0]
    assert (row["error_low"], row["error_high"], row["flags"]) == ("1", "1.5", "forecast;scored")


def test_a_forecast_within_the_rounding_of_its_outcome_is_met(empty_engine: Engine) -> None:
    told(empty_engine, {"value": "100", "low": "100", "high": "105"})
    attach(empty_engine, PAYING)
    assert came(read(empty_engine)) == ["90 to 110: met"]


def test_without_a_figure_of_the_same_day_it_is_not_scored_and_says_so(empty_engine: Engine) -> None:
    told(empty_engine, {})
    attach(empty_engine, {**PAYING, "as_of": "2024-09-30"})
    reading = read(empty_engine)
    assert came(reading) == ["no figure to hold it against"]
    assert reading.title == "1 forecast around FSD, none of which the record can score yet"


def test_an_approval_that_came_late_is_late_by_months(empty_engine: Engine) -> None:
    told(empty_engine, DATED, {**DATED, "region": "CN"})
    approved(empty_engine, "2025-03-31")
    reading = read(empty_engine)
    assert came(reading) == ["not seen 6 months after", "31 Mar 2025, 3 months late"]
    assert reading.title == "All 2 dates given for FSD approvals passed without one, 1 not seen yet"
    assert len(traces(reading, "late")) == 2


def test_what_has_not_been_seen_is_late_as_far_as_the_record_goes_and_no_further(empty_engine: Engine) -> None:
    told(empty_engine, DATED)
    happened(empty_engine, {"date": "2025-02-28"})
    reading = read(empty_engine)
    assert came(reading) == ["not seen 2 months after"]
    assert any("28 Feb 2025: later is unknown" in note for note in reading.notes)
    (bar,) = traces(reading, "late")
    assert bar["x"] == ["2024-12-31", "2025-02-28"]


def test_an_approval_in_time_is_in_time(empty_engine: Engine) -> None:
    told(empty_engine, DATED)
    approved(empty_engine, "2024-10-31")
    reading = read(empty_engine)
    assert came(reading) == ["31 Oct 2024, in time"]
    assert "without one" not in reading.title
    assert not traces(reading, "late")


def test_an_open_forecast_is_open(empty_engine: Engine) -> None:
    told(empty_engine, OPEN)
    attach(empty_engine, PAYING)
    reading = read(empty_engine)
    assert came(reading) == ["open"]
    assert reading.title == "1 forecast around FSD, all still open"


def test_nothing_that_is_forecast_is_drawn_as_a_line_through_observations(empty_engine: Engine) -> None:
    told(empty_engine, {}, OPEN)
    attach(empty_engine, PAYING)
    for trace in traces(read(empty_engine), "A bank"):
        assert trace["line"]["dash"] == "dot"
        assert trace["marker"]["symbol"] == ["circle", "diamond-open"]


def test_a_target_far_ahead_stands_at_the_edge_with_its_day(empty_engine: Engine) -> None:
    told(empty_engine, {"target_date": "2044-12-31"})
    reading = read(empty_engine)
    (trace,) = traces(reading, "A bank")
    assert trace["x"][1] == "2031-01-01"
    assert trace["marker"]["symbol"][1] == "triangle-right-open"
    said = [note["text"] for note in fsd.drawn(reading, chart=CHART)["layout"]["annotations"]]
    assert "open: 31 Dec 2044" in said


def test_as_known_on_a_day_it_is_judged_by_what_was_known_then(empty_engine: Engine) -> None:
    told(empty_engine, {})
    attach(empty_engine, PAYING)
    assert came(read(empty_engine, "as_of=2024-06-30")) == ["open"]
    assert came(read(empty_engine, "as_of=2025-01-01")) == ["no figure to hold it against"]
    assert came(read(empty_engine, "as_of=2025-02-01"))[0].startswith("90 to 110")


def test_what_is_not_known_is_refused_with_a_way_on(empty_engine: Engine) -> None:
    assert "no forecast" in str(fsd.refused(empty_engine, "", chart=CHART))
    told(empty_engine, {})
    assert "in the range" in str(fsd.refused(empty_engine, "since=2025-01", chart=CHART))
    assert "Tesla's" in str(fsd.refused(empty_engine, "makers=byd", chart=CHART))
    with pytest.raises(InvalidSelection, match="global"):
        read(empty_engine, "region=xx")


def test_it_draws_everywhere_and_every_forecast_has_its_receipt(empty_engine: Engine) -> None:
    told(empty_engine, {}, OPEN, DATED, {**DATED, "region": "CN"}, {"value": "100 to 200", "low": "100", "high": "200",
         "metric": "fleet"})  # fmt: skip
    attach(empty_engine, PAYING)
    approved(empty_engine, "2025-03-31")
    for query in ("", "region=eu"):
        reading = read(empty_engine, query)
        fsd.assert_every_look(reading, CHART)
        fsd.assert_receipts(empty_engine, reading, CHART)
