"""The app as a server: routes, headers, health, errors; no browser needed."""

from __future__ import annotations

import json
import logging
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from dashboard import plotly_bundle
from dashboard.app import create_app
from dashboard.pages import PAGES, card
from dashboard.pages.market import CHART
from dashboard.pages.page import Site
from dashboard.style import INK, Theme
from db.store import open_engine


@pytest.fixture(scope="module")
def client(bundled_engine: Engine) -> FlaskClient:
    return create_app(bundled_engine, today=lambda: date(2026, 11, 22)).server.test_client()


def layout(client: FlaskClient, at: str, **cookies: str) -> str:
    """The layout that a browser at an address is given."""
    for name, value in cookies.items():
        client.set_cookie(name, value)
    response = client.get("/_dash-layout", headers={"Referer": f"http://localhost{at}"})
    for name in cookies:
        client.delete_cookie(name)
    assert response.status_code == 200
    return response.get_data(as_text=True)


def component(tree: Any, component_id: str) -> dict[str, Any]:
    """The component with an id in a layout of plain values."""
    if isinstance(tree, list):
        for child in tree:
            if found := component(child, component_id):
                return found
    elif isinstance(tree, dict) and "props" in tree:
        if tree["props"].get("id") == component_id:
            return tree
        return component(tree["props"].get("children"), component_id)
    return {}


PATHS = (
    "/",
    "/market",
    "/health",
    "/nothing",
    "/charts/market-share.csv",
    "/charts/x.csv",
    "/_dash-layout",
    "/_dash-dependencies",
    "/assets/style.css",
    plotly_bundle.URL,
)


@pytest.mark.parametrize("path", PATHS)
def test_every_response_has_the_security_headers(client: FlaskClient, path: str) -> None:
    with client.get(path) as response:
        headers = response.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe" not in scripts
    assert not re.search(r"https?:", policy)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_the_page_names_its_language_title_and_description_and_no_other_host(client: FlaskClient) -> None:
    text = client.get("/market").get_data(as_text=True)
    assert '<html lang="en">' in text
    assert "<title>Market – EV Market</title>" in text
    assert 'name="description"' in text
    assert 'name="viewport"' in text
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', text):
        with client.get(path) as response:
            assert response.status_code == 200, path


def test_the_front_door_leads_to_the_first_page_with_its_selection(client: FlaskClient) -> None:
    response = client.get("/?market=CN")
    assert (response.status_code, response.headers["Location"]) == (302, "/market?market=CN")


def test_a_short_link_leads_to_the_page_of_its_chart(client: FlaskClient) -> None:
    response = client.get("/charts/market-share?market=CN&by=group")
    assert (response.status_code, response.headers["Location"]) == (302, "/market?market=CN&by=group")
    assert client.get("/charts/nothing").status_code == 404


def test_an_unknown_page_says_so_and_links_to_those_there_are(client: FlaskClient) -> None:
    response = client.get("/nothing/<script>alert(1)</script>")
    text = response.get_data(as_text=True)
    assert response.status_code == 404
    assert all(f'href="{page.path}"' in text for page in PAGES)
    assert "alert" not in text


def test_health(client: FlaskClient) -> None:
    found = client.get("/health").get_json()
    assert found == {"status": "ok", "schema_version": 1, "last_snapshot": "2026-07-23", "days_since_snapshot": 122}


def test_without_a_database_health_and_page_say_what_to_do(tmp_path: Path) -> None:
    client = create_app(open_engine(f"sqlite:///{tmp_path}/none.sqlite")).server.test_client()
    response = client.get("/health")
    assert response.status_code == 503
    assert len(response.get_data(as_text=True).splitlines()) == 1
    assert client.get("/market").status_code == 200
    assert "etl load" in layout(client, "/market")
    assert client.get("/charts/market-share.csv").status_code == 503


def test_a_damaged_database_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(b"this is no database" * 400)
    engine = open_engine(f"sqlite:///{path}")
    client = create_app(engine).server.test_client()
    assert client.get("/health").status_code == 503
    assert "cannot be read" in layout(client, "/market")
    engine.dispose()


def test_what_nobody_foresaw_is_a_notice_and_in_the_log(
    bundled_engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("dashboard.pages.card.queries.nouns", fail)
    reply = card.answer(Site(engine=bundled_engine, address=""), CHART, "")
    assert reply.notice is not None
    assert "secret" not in reply.notice.text
    assert "a secret" in caplog.text


def test_the_layout_has_the_chart_of_the_address(client: FlaskClient) -> None:
    plot = component(json.loads(layout(client, "/market?market=NO&makers=tesla")), "plot")
    traces = [trace for trace in plot["props"]["figure"]["data"] if trace.get("customdata")]
    assert {tuple(trace["customdata"][0][:2]) for trace in traces} == {("NO", "tesla")}
    address = component(json.loads(layout(client, "/market?market=NO&makers=tesla")), "address")
    assert address["props"]["search"] == "?market=NO&makers=tesla"


def test_a_browser_that_hides_where_it_is_gets_a_page_that_asks(client: FlaskClient) -> None:
    tree = json.loads(client.get("/_dash-layout").get_data(as_text=True))
    assert component(tree, "place")
    assert not component(tree, "plot")


def test_the_layout_is_drawn_for_the_screen_that_the_cookie_tells(client: FlaskClient) -> None:
    def background(look: str) -> str:
        plot = component(json.loads(layout(client, "/market", look=look)), "plot")
        return str(plot["props"]["figure"]["layout"]["paper_bgcolor"])

    assert background("dark-wide") == INK["dark"].background
    assert background("light-wide") == INK["light"].background
    assert background("<script>") == INK["light"].background
    narrow = component(json.loads(layout(client, "/market", look="light-narrow")), "key")
    assert any("Tesla" in json.dumps(child) for child in narrow["props"]["children"])


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("powertrain=PHEV", "itemises PHEV"),
        ("market=DE,EU", "twice"),
        ("market=XX", "market=XX has no figures"),
        ("since=2026-13", "no month"),
        ("colour=red", "no part of a selection"),
        ("by=model&powertrain=ALL", "by model"),
    ],
)
def test_a_refusal_is_explained_with_a_link_that_works(client: FlaskClient, query: str, text: str) -> None:
    tree = json.loads(layout(client, f"/market?{query}"))
    explained = json.dumps(component(tree, "explanation"))
    assert text in explained
    assert component(tree, "plot-frame")["props"]["hidden"] is True
    (href,) = re.findall(r'"href": "([^"]+)"', explained)
    onward = json.loads(layout(client, href))
    assert component(onward, "plot-frame")["props"]["hidden"] is False


def test_only_the_invalid_part_of_a_link_is_dropped(client: FlaskClient) -> None:
    tree = json.loads(layout(client, "/market?makers=tesla,nobody&market=XX,NO&by=maker&window=ttm"))
    (href,) = re.findall(r'"href": "([^"]+)"', json.dumps(component(tree, "explanation")))
    assert href == "/market?market=NO&makers=tesla&window=ttm"


@pytest.mark.parametrize(
    "query",
    [
        "market=<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>=1",
        "as_of=javascript:alert(1)",
        "makers=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "market=DE%00",
        "&".join(f"n{n}=1" for n in range(300)),
        "market=DE&market=DE",
        "%ff%fe=%ff",
    ],
)
def test_a_hostile_link_is_refused_in_words(client: FlaskClient, query: str) -> None:
    text = layout(client, f"/market?{query}")
    tree = json.loads(text)
    assert component(tree, "plot-frame")["props"]["hidden"] is True
    assert "<script>alert" not in text.replace("\\u003c", "<") or component(tree, "explanation")
    assert "dangerously" not in text
    assert "dcc.Markdown" not in text
    assert "<script>alert" not in client.get(f"/market?{query}").get_data(as_text=True)
    response = client.get(f"/charts/market-share.csv?{query}")
    assert response.status_code == 400
    assert response.content_type == "text/plain; charset=utf-8"
    assert len(response.get_data(as_text=True).splitlines()) == 1


def test_downloads_say_what_they_are(client: FlaskClient) -> None:
    response = client.get("/charts/market-share.csv?until=2026-05")
    assert response.content_type == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="market-share_DE_2026-05.csv"'
    again = client.get("/charts/market-share.csv?until=2026-05", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


def test_answers_are_compressed(client: FlaskClient) -> None:
    response = client.get("/charts/market-share.csv", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(response.data) < 100_000


def test_plotly_is_served_short_tagged_and_gzipped(client: FlaskClient) -> None:
    plain = client.get(plotly_bundle.URL)
    small = client.get(plotly_bundle.URL, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert small.headers["Cache-Control"] == "no-cache"
    again = client.get(plotly_bundle.URL, headers={"If-None-Match": small.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_one_line_a_request_without_its_query(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="dashboard.app"):
        client.get("/charts/market-share.csv?market=secret")
        client.get("/a%0ab")
    assert [record.getMessage().rsplit(" ", 2)[0] for record in caplog.records] == [
        "GET /charts/market-share.csv 400",
        "GET /a%0Ab 404",
    ]


def test_several_apps_live_in_one_process(bundled_engine: Engine, tmp_path: Path) -> None:
    first = create_app(bundled_engine).server.test_client()
    second = create_app(open_engine(f"sqlite:///{tmp_path}/none.sqlite")).server.test_client()
    third = create_app(bundled_engine).server.test_client()
    assert "Volkswagen" in layout(first, "/market")
    assert "etl load" in layout(second, "/market")
    assert layout(third, "/market") == layout(first, "/market")
    assert first.get("/_dash-dependencies").data == third.get("/_dash-dependencies").data


def test_the_receipts_of_a_point_name_file_line_and_checksum(bundled_engine: Engine) -> None:
    site = Site(engine=bundled_engine, address="")
    shown = json.dumps(
        card.receipts(site, CHART, "", ["DE", "tesla", "all", 2026 * 12 + 5]).to_plotly_json(), default=str
    )
    assert "fz10_2026_06.xlsx" in shown
    assert "10,064" in shown
    assert "964d01be92171b7e84f062853ed1787d34a8b350d7e491050cf984da55824406" in shown


@pytest.mark.parametrize("key", [[], [1, 2, 3, 4], ["DE", "tesla", "all"], ["DE", "nobody", "all", 24317], "abcd"])
def test_a_point_that_is_none_has_no_receipts(bundled_engine: Engine, key: Any) -> None:
    shown = card.receipts(Site(engine=bundled_engine, address=""), CHART, "", key)
    assert "not in the chart" in json.dumps(shown.to_plotly_json(), default=str)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "file:///etc/passwd", ""])
def test_only_web_addresses_become_links(url: str) -> None:
    assert type(card.outside("text", url)).__name__ == "Span"


def test_links_to_other_sites_keep_the_page_to_themselves() -> None:
    link = card.outside("text", "https://example.org/")
    assert "noopener" in link.rel


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_stylesheet_has_the_colours_of_the_charts(theme: Theme) -> None:
    css = (Path(card.__file__).parents[1] / "assets" / "style.css").read_text()
    ink = INK[theme]
    for name in ("background", "text", "quiet", "axis", "grid", "pill", "amber"):
        assert f"--{name}: {getattr(ink, name)};" in css
    assert f"--amber-text: {ink.amber_text};" in css


def test_a_worker_that_has_not_served_a_page_yet_serves_the_scripts_of_one(
    client: FlaskClient, bundled_engine: Engine
) -> None:
    page = client.get("/market").get_data(as_text=True)
    scripts = re.findall(r'<script src="(/_dash-component-suites/[^"?]+)', page)
    assert len(scripts) >= 5
    other_worker = create_app(bundled_engine).server.test_client()
    for script in scripts:
        with other_worker.get(script) as response:
            assert response.status_code == 200, script
