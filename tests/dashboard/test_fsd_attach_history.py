"""Who pays: four definitions on four axes, intervals carried through, and no line through unlike points."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from dashboard.charts.chart import Point, Reading
from dashboard.charts.fsd_attach_history import FSD_ATTACH_HISTORY
from dashboard.selection import InvalidSelection, NotPublished
from db.vocabulary import States
from tests.dashboard import test_fsd_price as fsd
from tests.dashboard.test_precedence import state
from tests.world.records import rates as tell

CHART = FSD_ATTACH_HISTORY
FIGURE = {
    "as_of": "2024-12-31", "region": "GLOBAL", "attach_basis": "fleet_attach", "model": "ALL", "estimator": "Tesla",
    "value": "0.2", "low": "0.15", "high": "0.25", "unit": "share", "evidence": "disclosed",
    "published_on": "2025-01-28",
}  # fmt: skip
TAKE = {"attach_basis": "new_sales_take_rate"}
SURVEY = {"estimator": "A survey", "evidence": "survey"}
PAYING = {"attach_basis": "active_subscriptions", "value": "100", "low": "90", "high": "110", "unit": "count"}
WHOLE = {"attach_basis": "cumulative_deliveries", "value": "1000", "low": "950", "high": "1050", "unit": "count"}
NEXT = {"as_of": "2025-03-31", "published_on": "2025-04-28"}


def told(engine: Engine, *rows: Mapping[str, object]) -> None:
    tell(engine, "attach", *({**FIGURE, **row} for row in rows))


def delivered(engine: Engine, *rows: tuple[str, int]) -> None:
    cars = [(quarter, "tesla", units) for quarter, units in rows]
    state(engine, "tesla-deliveries", *cars, market="WORLD", basis="delivery", states=States.MAKERS,
          published_on=date(2025, 5, 1))  # fmt: skip


def read(engine: Engine, query: str = "") -> Reading:
    return fsd.read(engine, query, chart=CHART)


def traces(reading: Reading) -> dict[str, Any]:
    return {trace["name"]: trace for trace in fsd.drawn(reading, chart=CHART)["data"]}


def captions(reading: Reading) -> list[str]:
    return [note["text"] for note in fsd.drawn(reading, chart=CHART)["layout"]["annotations"] if note["x"] == 0]


def test_each_definition_has_an_axis_of_its_own_and_one_without_a_figure_says_so(empty_engine: Engine) -> None:
    told(empty_engine, {}, {**TAKE, **SURVEY, "value": "0.5", "low": "0.5", "high": "0.5"})
    reading = read(empty_engine)
    assert {name: trace["yaxis"] for name, trace in traces(reading).items()} == {"A survey": "y", "Tesla": "y3"}
    assert captions(reading) == [
        "Take rate: share of new cars bought with it",
        "Active over all cars ever delivered: no figure of this selection",
        "Active over cars in use",
        "Active over cars that could have it: not published; payers are counted worldwide, cars that could have it in "
        "single countries",
    ]


def test_a_figure_is_drawn_with_what_its_rounding_leaves_open(empty_engine: Engine) -> None:
    told(empty_engine, {})
    bar = traces(read(empty_engine))["Tesla"]["error_y"]
    assert (bar["array"], bar["arrayminus"]) == ([0.05], [0.05])


def test_what_is_asked_or_estimated_is_hollow_and_what_is_disclosed_solid(empty_engine: Engine) -> None:
    guess = {"estimator": "A guess", "evidence": "estimate"}
    told(empty_engine, {}, SURVEY, guess)
    marks = {name: trace["marker"]["symbol"] for name, trace in traces(read(empty_engine)).items()}
    assert marks == {"Tesla": ["circle"], "A survey": ["circle-open"], "A guess": ["diamond-open"]}


@pytest.mark.parametrize("other", [{"estimator": "B"}, {"region": "NAM"}, {"model": "S"}])
def test_no_line_joins_figures_of_unlike_estimators_regions_or_models(
    empty_engine: Engine, other: Mapping[str, str]
) -> None:
    told(empty_engine, TAKE, {**TAKE, **NEXT, **other})
    assert {trace["mode"] for trace in traces(read(empty_engine)).values()} == {"markers"}


def test_a_line_joins_one_estimators_figures_whichever_quarters_paper_they_stand_in(empty_engine: Engine) -> None:
    told(empty_engine, {"estimator": "Tesla Q4 2024 update"}, {**NEXT, "estimator": "Tesla Q1 2025 update"})
    (trace,) = traces(read(empty_engine)).values()
    assert trace["mode"] == "lines+markers"
    assert len(trace["x"]) == 2


def test_shares_of_all_delivered_are_computed_and_marked_with_both_sources(empty_engine: Engine) -> None:
    delivered(empty_engine, ("2025-Q1", 1000))
    told(empty_engine, PAYING, WHOLE, {**PAYING, **NEXT, "value": "400", "low": "400", "high": "400"})
    reading = read(empty_engine)
    assert reading.title == "FSD is paid for on 19.5 % to 20.5 % of all Teslas ever delivered (Q1 2025)"
    (trace,) = traces(reading).values()
    assert trace["name"] == "Tesla, computed"
    assert trace["y"] == [0.1, 0.2]
    assert set(trace["marker"]["symbol"]) == {"square"}
    rows = CHART.rows(reading)
    assert rows["computed"].tolist() == ["yes", "yes"]
    assert rows["low"].round(4).tolist() == [round(90 / 1050, 4), round(400 / 2050, 4)]
    assert set(rows["source"]) == {"made-up-attachs;tesla-deliveries"}
    assert {cited.slug for cited in reading.citations} == {"made-up-attachs", "tesla-deliveries"}
    assert any(note.startswith("Computed") for note in reading.notes)


def test_a_computed_share_has_the_receipts_of_both_counts_and_the_cars_between(empty_engine: Engine) -> None:
    delivered(empty_engine, ("2025-Q1", 1000))
    told(empty_engine, WHOLE, {**PAYING, **NEXT})
    reading = read(empty_engine)
    (key,) = traces(reading)["Tesla, computed"]["customdata"]
    assert CHART.receipts is not None
    with empty_engine.connect() as connection:
        claims = CHART.receipts(connection, reading, Point(*key))
    assert claims["stated"].tolist() == ["100 (90 to 110)", "1,000 (950 to 1,050)", "1,000 cars"]


def test_without_tesla_s_own_total_nothing_is_computed(empty_engine: Engine) -> None:
    delivered(empty_engine, ("2024-Q4", 1000))
    told(empty_engine, PAYING, {})
    assert not CHART.rows(read(empty_engine))["computed"].any()


def test_a_title_never_tells_a_survey_as_what_owners_do(empty_engine: Engine) -> None:
    told(empty_engine, {**TAKE, **SURVEY})
    assert read(empty_engine).title == "What share of owners pays for FSD: surveys and estimates up to Q4 2024"


def test_a_title_names_the_region_and_passes_over_single_models(empty_engine: Engine) -> None:
    told(empty_engine, {**TAKE, "region": "NAM", "value": "0.5", "low": "0.5", "high": "0.5"}, {**TAKE, "model": "S"})
    assert read(empty_engine).title == "50 % of new Teslas in North America take FSD (Q4 2024)"


def test_another_figure_has_its_own_panel_and_unit(empty_engine: Engine) -> None:
    told(empty_engine, PAYING, {})
    reading = read(empty_engine, "attach_basis=active_subscriptions")
    assert list(traces(reading)) == ["Tesla"]
    assert traces(reading)["Tesla"]["y"] == [100]
    assert CHART.rows(reading)["unit"].tolist() == ["count"]


def test_a_region_and_a_range_keep_their_figures(empty_engine: Engine) -> None:
    told(empty_engine, TAKE, {**TAKE, "region": "NAM"}, {**TAKE, **NEXT})
    assert CHART.rows(read(empty_engine, "region=nam"))["region"].tolist() == ["NAM"]
    assert CHART.rows(read(empty_engine, "since=2025-01"))["period_start"].tolist() == ["2025-03-31"]


def test_what_is_not_published_is_refused_with_a_way_on(empty_engine: Engine) -> None:
    assert "nothing was known" in str(fsd.refused(empty_engine, "", chart=CHART))
    told(empty_engine, {}, {**PAYING, "region": "US"})
    eligible = fsd.refused(empty_engine, "attach_basis=eligible", chart=CHART)
    assert "payers are counted worldwide" in str(eligible)
    assert eligible.nearest is not None
    assert eligible.nearest.attach_basis is None
    of_us = fsd.refused(empty_engine, "region=us", chart=CHART)
    assert of_us.nearest is not None
    assert of_us.nearest.attach_basis == "active_subscriptions"
    assert "in the range" in str(fsd.refused(empty_engine, "since=2025-05", chart=CHART))
    assert isinstance(fsd.refused(empty_engine, "makers=byd", chart=CHART), NotPublished)
    with pytest.raises(InvalidSelection, match="global, us"):
        read(empty_engine, "region=xx")


def test_a_link_is_as_known_on_its_day(empty_engine: Engine) -> None:
    told(empty_engine, {}, NEXT)
    assert len(CHART.rows(read(empty_engine, "as_of=2025-02-01"))) == 1
    assert len(CHART.rows(read(empty_engine))) == 2


def test_it_draws_everywhere_and_every_figure_has_its_receipt(empty_engine: Engine) -> None:
    delivered(empty_engine, ("2025-Q1", 1000))
    told(empty_engine, {}, {**TAKE, **SURVEY, "model": "S"}, PAYING, WHOLE, {**PAYING, **NEXT}, {**TAKE, **NEXT})
    for query in ("", "attach_basis=active_subscriptions", "attach_basis=fleet_attach"):
        reading = read(empty_engine, query)
        fsd.assert_every_look(reading, CHART)
        fsd.assert_receipts(empty_engine, reading, CHART)
