"""The app as a server: routes, headers, health, errors; no browser needed."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from dash import html
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard import plotly_bundle
from dashboard.app import create_app
from dashboard.charts.chart import Chart, Reading
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.pages import PAGES, card, points, receipts
from dashboard.pages.market import MARKET
from dashboard.pages.page import Page, Site
from dashboard.selection import By, Incomparable, InvalidSelection, Measure, Selection, Window
from dashboard.style import INK, Figure, Look, Theme
from db import Connection
from db.database import open_engine
from db.schema import SCHEMA_VERSION

TODAY = date(2026, 11, 22)
PLOT = {"part": "plot", "chart": "market-share"}


def site_of(engine: Engine) -> Site:
    return Site(engine=engine, address="", today=lambda: TODAY)


@pytest.fixture(scope="module")
def client(bundled_engine: Engine) -> FlaskClient:
    return create_app(bundled_engine, today=lambda: TODAY).server.test_client()


def layout(client: FlaskClient, at: str, **cookies: str) -> str:
    """The layout that a browser at an address is given."""
    for name, value in cookies.items():
        client.set_cookie(name, value)
    response = client.get("/_dash-layout", headers={"Referer": f"http://localhost{at}"})
    for name in cookies:
        client.delete_cookie(name)
    assert response.status_code == 200
    return response.get_data(as_text=True)


def component(tree: Any, wanted: Any, *, by: str = "id") -> dict[str, Any]:
    """The first component with an id, or another property of that value, in a layout of plain values."""
    if isinstance(tree, list):
        for child in tree:
            if found := component(child, wanted, by=by):
                return found
    elif isinstance(tree, dict) and "props" in tree:
        if tree["props"].get(by) == wanted:
            return tree
        return component(tree["props"].get("children"), wanted, by=by)
    return {}


def notice(tree: Any) -> str:
    """The first notice of a layout, as text."""
    return json.dumps(component(tree, "notice", by="className"), ensure_ascii=False)


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
    last = date.fromisoformat(found["last_snapshot"])
    assert found == {
        "status": "ok",
        "schema_version": SCHEMA_VERSION,
        "last_snapshot": last.isoformat(),
        "days_since_snapshot": (TODAY - last).days,
    }


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
    reply = card.answer(site_of(bundled_engine), MARKET, MARKET_SHARE, "")
    assert reply.notice is not None
    assert "secret" not in reply.notice.text
    assert "a secret" in caplog.text


def test_the_layout_has_the_chart_of_the_address(client: FlaskClient) -> None:
    plot = component(json.loads(layout(client, "/market?market=NO&makers=tesla")), PLOT)
    traces = [trace for trace in plot["props"]["figure"]["data"] if trace.get("customdata")]
    assert {tuple(trace["customdata"][0][:2]) for trace in traces} == {("NO", "tesla")}
    address = component(json.loads(layout(client, "/market?market=NO&makers=tesla")), "address")
    assert address["props"]["search"] == "?market=NO&makers=tesla"


def test_a_browser_that_hides_where_it_is_gets_a_page_that_asks(client: FlaskClient) -> None:
    tree = json.loads(client.get("/_dash-layout").get_data(as_text=True))
    assert component(tree, "place")
    assert not component(tree, PLOT)


def test_the_layout_is_drawn_for_the_screen_that_the_cookie_tells(client: FlaskClient) -> None:
    def background(look: str) -> str:
        plot = component(json.loads(layout(client, "/market", look=look)), PLOT)
        return str(plot["props"]["figure"]["layout"]["paper_bgcolor"])

    assert background("dark-wide") == INK["dark"].background
    assert background("light-wide") == INK["light"].background
    assert background("<script>") == INK["light"].background
    narrow = component(json.loads(layout(client, "/market", look="light-narrow")), "key", by="className")
    assert any("Tesla" in json.dumps(child) for child in narrow["props"]["children"])


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("as_of=2001-01-01", "2001-01-01"),
        ("market=DE,EU", "twice"),
        ("market=XX", "market=XX has no figures"),
        ("since=2026-13", "no month"),
        ("colour=red", "no part of a selection"),
        ("by=model&powertrain=ALL", "by model"),
    ],
)
def test_a_refusal_is_explained_with_a_link_that_works(client: FlaskClient, query: str, text: str) -> None:
    tree = json.loads(layout(client, f"/market?{query}"))
    assert text in notice(tree)
    assert not component(tree, PLOT)
    (href,) = re.findall(r'"href": "([^"]+)"', notice(tree))
    assert component(json.loads(layout(client, href)), PLOT)


def test_only_the_invalid_part_of_a_link_is_dropped(client: FlaskClient) -> None:
    tree = json.loads(layout(client, "/market?makers=tesla,nobody&market=XX,NO&by=maker&window=ttm"))
    (href,) = re.findall(r'"href": "([^"]+)"', notice(tree))
    assert href == "/market?market=NO&by=maker&makers=tesla&window=ttm"


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
    assert not component(tree, PLOT)
    assert "<script>alert" not in text.replace("\\u003c", "<") or component(tree, "notice", by="className")
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
    with caplog.at_level(logging.INFO, logger="dashboard"):
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
    key = ["DE", "tesla", "all", 2026 * 12 + 5]
    found = receipts.receipts(site_of(bundled_engine), MARKET, MARKET_SHARE, "", key)
    shown = json.dumps(found.to_plotly_json(), default=str)
    assert "fz10_2026_06.xlsx" in shown
    assert "10,064" in shown
    assert "964d01be92171b7e84f062853ed1787d34a8b350d7e491050cf984da55824406" in shown


@pytest.mark.parametrize("key", [[], [1, 2, 3, 4], ["DE", "tesla", "all"], ["DE", "nobody", "all", 24317], "abcd"])
def test_a_point_that_is_none_has_no_receipts(bundled_engine: Engine, key: Any) -> None:
    shown = receipts.receipts(site_of(bundled_engine), MARKET, MARKET_SHARE, "", key)
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


# Pages with several cards


def page_of(*charts: Chart, **more: Any) -> Page:
    return Page(path="/made-up", name="Made up", description="A page of a test", charts=charts, **more)


def chart_of(slug: str, defaults: Selection | None = None, **changes: Any) -> Chart:
    return replace(MARKET_SHARE, slug=slug, name=slug.title(), defaults=defaults or Selection(), **changes)


def contents(engine: Engine, page: Page, chart: Chart, query: str = "") -> Any:
    """What is in a card, as plain values."""
    found = card.contents(page, chart, card.answer(site_of(engine), page, chart, query), "light-wide")
    return json.loads(json.dumps([each.to_plotly_json() for each in found], default=lambda part: part.to_plotly_json()))


MONTHLY, YEARLY = chart_of("monthly"), chart_of("yearly", Selection(window=Window.TTM))
TWO = page_of(MONTHLY, YEARLY)


@pytest.mark.parametrize(
    ("query", "was", "now", "expected"),
    [
        ("", Selection(), Selection(measure=Measure.UNITS), "measure=units"),
        ("measure=units", Selection(measure=Measure.UNITS), Selection(), ""),
        ("", Selection(), Selection(window=Window.TTM), "window=ttm"),
        # The second chart has another default, so that nothing but its being named tells it what the reader chose.
        ("window=ttm", Selection(window=Window.TTM), Selection(), "window=none"),
        ("window=none", Selection(), Selection(by=By.GROUP), "by=group&window=none"),
        ("by=group&nothing=1", Selection(by=By.GROUP), Selection(by=By.GROUP), "by=group"),
        ("&".join(f"n{n}=1" for n in range(300)), Selection(), Selection(by=By.GROUP), "by=group"),
    ],
)
def test_a_page_s_query_keeps_what_is_named_and_leaves_out_what_is_every_chart_s_default(
    query: str, was: Selection, now: Selection, expected: str
) -> None:
    assert TWO.query(query, was, now) == expected


selections = st.builds(
    Selection,
    market=st.sampled_from([("DE",), ("CN",)]),
    by=st.sampled_from(By),
    window=st.sampled_from(Window),
    makers=st.sampled_from([(), ("byd", "tesla")]),
    since=st.sampled_from([None, date(2020, 1, 1)]),
)


@given(was=selections, now=selections, first=selections, second=selections)
def test_a_page_s_query_tells_every_chart_what_changed(
    was: Selection, now: Selection, first: Selection, second: Selection
) -> None:
    page = page_of(chart_of("first", first), chart_of("second", second))
    query = page.query(page.query("", first, was), was, now)
    assert Selection.from_query(query, defaults=first) == now
    seen = Selection.from_query(query, defaults=second)
    for name in ("market", "by", "window", "makers", "since"):
        if getattr(was, name) != getattr(now, name):
            assert getattr(seen, name) == getattr(now, name)


@given(was=selections, now=selections)
def test_the_query_of_a_page_with_one_chart_is_the_chart_s(was: Selection, now: Selection) -> None:
    page = page_of(chart_of("alone"))
    assert page.query(was.query(defaults=Selection()), was, now) == now.query(defaults=Selection())


def test_a_short_link_to_a_later_chart_leads_to_its_card(bundled_engine: Engine) -> None:
    client = create_app(bundled_engine, pages=[MARKET, TWO]).server.test_client()
    assert client.get("/charts/monthly").headers["Location"] == "/made-up"
    assert client.get("/charts/yearly?market=NO").headers["Location"] == "/made-up?market=NO#yearly"


def test_the_first_card_comes_with_the_page_and_the_others_have_their_places(bundled_engine: Engine) -> None:
    single = replace(page_of(MONTHLY), path="/single")
    client = create_app(bundled_engine, pages=[single, TWO]).server.test_client()
    tree = json.loads(layout(client, "/made-up"))
    assert component(tree, {"part": "plot", "chart": "monthly"})
    assert not component(tree, {"part": "plot", "chart": "yearly"})
    assert component(component(tree, "yearly"), "to-come", by="className")
    assert component(tree, {"section": "yearly", "store": "asked"})
    assert not component(tree, {"section": "monthly", "store": "asked"})
    assert component(tree, "contents", by="className")
    alone = json.loads(layout(client, "/single"))
    assert not component(alone, {"section": "yearly", "store": "asked"})
    assert not component(alone, "contents", by="className")


def test_a_page_names_the_files_of_its_charts_for_browsers_without_scripts(bundled_engine: Engine) -> None:
    client = create_app(bundled_engine, pages=[MARKET, TWO]).server.test_client()
    text = client.get("/made-up").get_data(as_text=True)
    assert "/charts/monthly.csv /charts/yearly.csv" in re.findall("<noscript>(.+?)</noscript>", text)[0]
    assert "/charts/market-share.csv" in client.get("/market").get_data(as_text=True)


def test_a_page_shows_the_controls_that_it_names(bundled_engine: Engine) -> None:
    page = page_of(MONTHLY, controls=("market", "as_of"))
    tree = json.loads(
        layout(create_app(bundled_engine, pages=[page]).server.test_client(), "/made-up?as_of=2025-12-31")
    )
    fields = component(tree, "bar-fields")["props"]["children"]
    assert [field["props"]["id"]["field"] for field in fields] == ["market", "as_of"]
    assert component(tree, "selection-summary")["props"]["children"] == "Germany · as known on 2025-12-31"


def refusing(error: Exception) -> Callable[..., Reading]:
    def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
        if selection.window is Window.TTM:
            raise error
        return MARKET_SHARE.load(connection, selection, today=today)

    return load


def test_a_card_explains_a_name_that_its_chart_cannot_answer(bundled_engine: Engine) -> None:
    strict = chart_of("strict", load=refusing(InvalidSelection("window=ttm is unknown here", name="window")))
    shown = contents(bundled_engine, page_of(MONTHLY, strict), strict, "by=group&window=ttm")
    assert "Window=ttm" not in notice(shown)
    assert "window=ttm is unknown here" in notice(shown)
    assert '"href": "/made-up?by=group#strict"' in notice(shown)


def test_the_way_on_of_one_card_tells_the_others_too(bundled_engine: Engine) -> None:
    nearest = Selection(by=By.GROUP)
    strict = chart_of("strict", load=refusing(Incomparable("not twelve months", nearest=nearest)))
    shown = contents(bundled_engine, page_of(YEARLY, strict), strict, "by=group&window=ttm")
    assert '"href": "/made-up?by=group&window=none#strict"' in notice(shown)


def test_a_card_that_refuses_where_it_begins_leads_nowhere(bundled_engine: Engine) -> None:
    strict = chart_of("strict", Selection(window=Window.TTM), load=refusing(Incomparable("never")))
    shown = contents(bundled_engine, page_of(MONTHLY, strict), strict)
    assert "Never." in notice(shown)
    assert "href" not in notice(shown)


@pytest.mark.parametrize("part", ["draw", "table"])
def test_a_plot_or_table_that_fails_is_a_notice_and_in_the_log(
    bundled_engine: Engine, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    broken = chart_of("broken", **{part: fail})
    shown = contents(bundled_engine, page_of(MONTHLY, broken), broken)
    assert "Something is wrong with this chart" in notice(shown)
    assert "secret" not in json.dumps(shown)
    assert "a secret" in caplog.text


def test_a_link_to_copy_has_the_day_and_the_card(bundled_engine: Engine) -> None:
    shown = contents(bundled_engine, TWO, YEARLY, "market=NO")
    assert re.search(r'"data-copy": "\?market=NO&as_of=\d{4}-\d\d-\d\d#yearly"', json.dumps(shown))
    assert '"/charts/yearly.csv?market=NO"' in json.dumps(shown)


def heat_map(keys: Any = None) -> Callable[[Reading, Look], Figure]:
    trace = {"type": "heatmap", "x": ["2025", "2026"], "y": ["DE", "NO"], "z": [[100, 200], [300, None]]}
    trace |= {"text": [["100", "200"], ["300", ""]]}
    if keys:
        trace |= {"customdata": keys}
    return lambda reading, look: {"data": [trace], "layout": {}}


def test_a_chart_whose_points_are_no_figures_has_a_card_without_receipts(bundled_engine: Engine) -> None:
    chart = chart_of("coverage", draw=heat_map(), receipts=None)
    shown = contents(bundled_engine, page_of(chart), chart)
    assert "heatmap" in json.dumps(shown)
    assert component(shown, "data-table", by="className")
    for part in ("plot", "point", "receipts"):
        assert not component(shown, {"part": part, "chart": "coverage"})
    assert not component(shown, "newest", by="className")
    assert (
        receipts.receipts(site_of(bundled_engine), page_of(chart), chart, "", ["DE", "tesla", "all", 24317]).children
        is None
    )


def test_a_chart_that_cites_nobody_has_no_source_line(bundled_engine: Engine) -> None:
    def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
        return replace(MARKET_SHARE.load(connection, selection, today=today), citations=())

    silent = chart_of("silent", load=load)
    assert not component(contents(bundled_engine, page_of(silent), silent), "source", by="className")
    assert component(contents(bundled_engine, TWO, MONTHLY), "source", by="className")


def test_the_cells_of_a_heat_map_have_receipts_row_by_row() -> None:
    keys = [[["DE", "all", "all", 24300], ["DE", "all", "all", 24312]], [["NO", "all", "all", 24300], None]]
    drawn = heat_map(keys)(None, None)  # type: ignore[arg-type]
    assert [(each.name, each.text) for each in points.points(drawn)] == [("DE", "100"), ("DE", "200"), ("NO", "300")]
    assert [each.name for each in points.points(drawn, latest_only=True)] == ["DE"]


@pytest.mark.parametrize("customdata", [None, [], [[1, 2, 3, 4, 5]], ["abcd"], [None]])
def test_points_without_a_key_have_no_receipts(customdata: Any) -> None:
    trace = {"type": "scatter", "name": "a", "x": [1], "y": [100], "text": ["100"], "customdata": customdata}
    assert points.points({"data": [trace], "layout": {}}) == []


def test_a_chart_is_told_which_day_it_is(bundled_engine: Engine) -> None:
    days: list[date] = []

    def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
        days.append(today)
        return MARKET_SHARE.load(connection, selection, today=today)

    chart = chart_of("dated", load=load)
    contents(bundled_engine, page_of(chart), chart)
    assert days == [TODAY]


def test_what_stands_above_the_cards_comes_with_the_page_and_may_fail_alone(bundled_engine: Engine) -> None:
    def fail(*_: object) -> list[html.P]:
        raise RuntimeError("a secret")

    def shown(above: Any) -> str:
        client = create_app(bundled_engine, pages=[page_of(MONTHLY, above=above)]).server.test_client()
        tree = json.loads(layout(client, "/made-up?market=NO"))
        assert component(tree, {"part": "plot", "chart": "monthly"})
        return json.dumps(component(tree, {"turn": "first", "section": "above"}))

    assert "asked: market=NO" in shown(lambda site, query: [html.P(f"asked: {query}")])
    assert "this part of the page" in shown(fail)
    assert "secret" not in shown(fail)
