"""The front page: each question leads to a chart that answers it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine

from dashboard.app import create_app
from dashboard.charts import chart as chart_of
from dashboard.pages import PAGES
from dashboard.pages.front import PRESETS, Preset
from dashboard.pages.projection import PROJECTION
from dashboard.selection import Selection
from tests.world import projections

TODAY = date(2026, 7, 24)


def test_the_questions_are_there_and_no_two_lead_to_one_place() -> None:
    assert len(PRESETS) >= 20
    assert len({preset.link for preset in PRESETS}) == len(PRESETS)
    assert len({preset.question for preset in PRESETS}) == len(PRESETS)


@pytest.mark.parametrize(
    "preset", [each for each in PRESETS if each.page is not PROJECTION], ids=lambda each: each.question
)
def test_a_question_is_answered_by_figures(bundled_engine: Engine, preset: Preset) -> None:
    chart = chart_of(preset.chart)
    selection = Selection.from_query(preset.query, defaults=chart.defaults)
    with bundled_engine.connect() as connection:
        reading = chart.load(connection, selection, today=TODAY)
    assert len(chart.rows(reading))


@pytest.mark.xdist_group("projection")
@pytest.mark.parametrize(
    "preset", [each for each in PRESETS if each.page is PROJECTION], ids=lambda each: each.question
)
def test_a_question_about_the_future_is_answered_by_a_projection(fitted: Engine, preset: Preset) -> None:
    chart = chart_of(preset.chart)
    selection = Selection.from_query(preset.query, defaults=chart.defaults)
    with fitted.connect() as connection:
        reading = chart.load(connection, selection, today=projections.TODAY)
    assert len(chart.rows(reading))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.question)
def test_a_questions_link_is_a_page_of_the_app_with_its_chart(preset: Preset) -> None:
    address = urlsplit(preset.link)
    page = next(page for page in PAGES if page.path == address.path)
    slugs = [chart.slug for chart in page.charts]
    assert (address.fragment or slugs[0]) == preset.chart
    assert address.query == preset.query


def test_the_front_page_lists_every_question_with_its_link(bundled_engine: Engine) -> None:
    client = create_app(bundled_engine, today=lambda: TODAY).server.test_client()
    assert client.get("/").status_code == 200
    layout = client.get("/_dash-layout", headers={"Referer": "http://localhost/"}).get_json()
    links = dict(_links(layout))
    assert {preset.question: preset.link for preset in PRESETS}.items() <= links.items()


def _links(part: Any) -> Iterator[tuple[str, str]]:
    """Text and address of every link in a tree of components."""
    if isinstance(part, list):
        for each in part:
            yield from _links(each)
    elif isinstance(part, dict):
        props = part.get("props", {})
        if "href" in props and isinstance(props["children"], str):
            yield props["children"], props["href"]
        yield from _links(props.get("children"))


def test_a_selection_at_the_front_door_leads_to_the_first_charts(bundled_engine: Engine) -> None:
    client = create_app(bundled_engine, today=lambda: TODAY).server.test_client()
    answer = client.get("/?market=CN&window=ttm")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/market?market=CN&window=ttm")
