"""The Sources page: every source with its licence, what was refused and why, and plain words where there is nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from dash.development.base_component import Component
from plotly.utils import PlotlyJSONEncoder
from sqlalchemy import Engine, insert

from dashboard.app import create_app
from dashboard.pages import PAGES
from dashboard.pages.page import Site
from dashboard.pages.sources import LISTED, SOURCES
from db import schema
from tests import world
from tests.db.test_health import MADE_UP, load, publish

TODAY = date(2026, 3, 20)
GERMANY = [("DE", "month", "2026-01-01", 100)]


def tree(engine: Engine, query: str = "") -> Any:
    """What stands below the cards, as the browser gets it."""
    site = Site(engine=engine, address="", today=lambda: TODAY)
    assert SOURCES.below is not None
    return json.loads(json.dumps(list(SOURCES.below(site, query)), cls=PlotlyJSONEncoder))


def texts(part: Any) -> Iterator[str]:
    """The texts of a tree, in order."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, list):
        for each in part:
            yield from texts(each)
    elif isinstance(part, dict) and "data-table" in part.get("props", {}):
        # The browser makes a table of it.
        told = json.loads(part["props"]["data-table"])
        yield from (cell for row in (told["header"], *told["rows"]) for cell in row)
    elif isinstance(part, dict) and "props" in part:
        yield from texts(part["props"].get("children"))


def section(engine: Engine, name: str, query: str = "") -> str:
    """The words of one section."""
    (found,) = [each for each in tree(engine, query) if each["props"]["id"] == name]
    return " ".join(texts(found))


def links(part: Any) -> list[str]:
    """The addresses that a tree links to."""
    if isinstance(part, list):
        return [link for each in part for link in links(each)]
    if not isinstance(part, dict) or "props" not in part:
        return []
    own = [part["props"]["href"]] if "href" in part["props"] else []
    return own + links(part["props"].get("children"))


def test_it_is_among_the_pages_with_its_four_charts() -> None:
    assert SOURCES in PAGES
    assert SOURCES.path == "/sources"
    assert [chart.slug for chart in SOURCES.charts] == ["coverage", "source-health", "revisions", "conflicts"]


def test_an_empty_database_is_described_in_plain_words(empty_engine: Engine) -> None:
    assert "No source is loaded." in section(empty_engine, "every-source")
    assert "No row of the files" in section(empty_engine, "rejected-rows")
    assert "No file was refused." in section(empty_engine, "refused-files")
    assert "No figures have been checked" in section(empty_engine, "cross-checks")


def test_every_source_is_there_with_its_links_and_its_warning(empty_engine: Engine) -> None:
    publish(empty_engine, GERMANY, known_on=date(2026, 2, 5), duplicate=3)
    words = section(empty_engine, "every-source")
    for said in ("Made-up figures", "Nobody", "CC0", "Not one of them is true.", "5 Feb 2026", "monthly"):
        assert said in words
    assert "registration (cars registered in a market for the first time)" in words
    assert "1 accepted, 0 rejected, 0 out of scope, 3 duplicate" in words
    assert "Next due 11 Mar 2026   overdue" in words
    assert links(tree(empty_engine)) == ["https://made-up.example", "https://made-up.example/licence"]


def test_a_late_market_is_named_where_its_source_is_not_late(empty_engine: Engine) -> None:
    rows = [("DE", "month", "2026-02-01", 100), ("FR", "month", "2025-11-01", 100)]
    publish(empty_engine, rows, known_on=date(2026, 3, 5))
    assert "Next due 11 Apr 2026 , late: France" in section(empty_engine, "every-source")


def test_rejected_rows_are_listed_with_their_place_value_and_reason(empty_engine: Engine) -> None:
    publish(empty_engine, GERMANY, known_on=date(2026, 2, 5), rejected=[(7, "units", "many", "is no number")])
    words = section(empty_engine, "rejected-rows")
    assert "1 row of the files that the figures stand on was left out." in words
    assert "made-up figures.csv 2026-02-05 7 units many is no number" in words


def test_of_many_rejected_rows_the_first_are_listed_and_all_are_counted(empty_engine: Engine) -> None:
    rejected = [(line, "units", "many", f"line {line} is no number") for line in range(1, LISTED + 11)]
    publish(empty_engine, GERMANY, known_on=date(2026, 2, 5), rejected=rejected)
    words = section(empty_engine, "rejected-rows")
    assert "60 rows of the files that the figures stand on were left out. The first 50 are listed" in words
    assert "line 50 is no number" in words
    assert "line 51 is no number" not in words


def test_refused_files_say_whether_a_good_one_came_since(empty_engine: Engine) -> None:
    load(empty_engine, world.text("data/data-DE.js").replace(": 50", ": 0"), day=2)
    assert "1 file was refused" in section(empty_engine, "refused-files")
    assert section(empty_engine, "refused-files").endswith(" no")
    load(empty_engine, world.text("data/data-DE.js"), day=3)
    assert section(empty_engine, "refused-files").endswith(" yes")
    assert section(empty_engine, "refused-files", "as_of=2026-03-02").endswith(" no")
    assert "No file was refused." in section(empty_engine, "refused-files", "as_of=2026-03-01")


@pytest.mark.parametrize("differing", [0, 1])
def test_cross_checks_are_listed_with_what_differs(empty_engine: Engine, differing: int) -> None:
    with empty_engine.begin() as connection:
        rule = {"rule": "sums", "meaning": "parts add up", "checked": 2, "differing": differing}
        connection.execute(insert(schema.cross_check), [rule])
        if differing:
            found: dict[str, Any] = {
                "id": 1,
                "rule": "sums",
                "source": "made-up",
                "market": "DE",
                "basis": "registration",
                "powertrain": "BEV",
                "maker": "tesla",
                "period_start": date(2026, 1, 1),
                "grain": "quarter",
                "stated": 3000,
                "computed": 2000,
                "note": "restated since",
            }
            connection.execute(insert(schema.cross_check_difference), [found])
    words = section(empty_engine, "cross-checks")
    assert f"sums parts add up 2 {differing}" in words
    if differing:
        assert "sums: 1 pair differs" in words
        assert "made-up DE registration BEV tesla Q1 2026 3,000 2,000 restated since" in words
        assert "as known now" in section(empty_engine, "cross-checks", "as_of=2026-03-01")
    else:
        assert "All of them agree." in words


def test_text_of_files_and_publishers_is_never_markup_or_script(empty_engine: Engine) -> None:
    bad = "<img src=x onerror=alert(1)>"
    source = replace(MADE_UP, title=bad, publisher=bad, warning=bad, url="javascript:alert(1)", licence_url="data:,x")
    publish(
        empty_engine, GERMANY, known_on=date(2026, 2, 5), source=source, rejected=[(7, bad, bad, f"{bad} is no number")]
    )
    assert links(tree(empty_engine)) == []
    types = {part.get("type") for part in _parts(tree(empty_engine))}
    assert not types & {"Markdown", "DangerouslySetInnerHTML", "Iframe", "Script"}
    assert bad in section(empty_engine, "every-source"), "it is shown as the text that it is"


def _parts(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, list):
        for each in part:
            yield from _parts(each)
    elif isinstance(part, dict) and "props" in part:
        yield part
        yield from _parts(part["props"].get("children"))


@pytest.mark.parametrize("query", ["as_of=yesterday", "no=such", "&&&"])
def test_an_unreadable_link_shows_what_is_known_now(empty_engine: Engine, query: str) -> None:
    publish(empty_engine, GERMANY, known_on=date(2026, 2, 5))
    assert "5 Feb 2026" in section(empty_engine, "every-source", query)


def test_the_page_comes_with_its_first_chart_and_its_downloads_answer(bundled_engine: Engine) -> None:
    app = create_app(bundled_engine, today=lambda: date(2026, 7, 24))
    client = app.server.test_client()
    page = client.get("/_dash-layout", headers={"Referer": "http://localhost/sources"}).get_data(as_text=True)
    assert "50.8 %" in page
    assert "of China is unnamed" in page
    for slug in ("coverage", "source-health"):
        rows = client.get(f"/charts/{slug}.csv").get_data(as_text=True).splitlines()
        assert rows[0].startswith("period_start,grain,window,market")
        assert len(rows) > 5
        document = client.get(f"/charts/{slug}.json")
        assert document.status_code == 200
        assert len(document.get_json()["rows"]) == len(rows) - 1


def test_everything_below_the_cards_is_a_component(bundled_engine: Engine) -> None:
    site = Site(engine=bundled_engine, address="", today=lambda: TODAY)
    assert SOURCES.below is not None
    assert all(isinstance(each, Component) for each in SOURCES.below(site, ""))
