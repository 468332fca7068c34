"""What a page shows before its scripts have drawn it, and that nothing of it is left when they have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect
from sqlalchemy import Engine

from dashboard.app import create_app
from dashboard.pages.first_view import FirstViews
from dashboard.pages.market import MARKET
from dashboard.pages.page import Site
from tests.browser.conftest import TODAY, serving
from tests.browser.reader import Reader

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def address(bundled_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app whose page *Market* is ready in every look."""
    if bundled_engine.dialect.name != "sqlite":
        pytest.skip("the pages are the same on every engine")
    views = FirstViews(tmp_path_factory.mktemp("views"))
    site = Site(engine=bundled_engine, address="", today=lambda: TODAY)
    assert len(list(views.prepare(site, [MARKET]))) == 4
    with serving(create_app(bundled_engine, pages=[MARKET], first_views=views, today=lambda: TODAY)) as found:
        yield found


@pytest.fixture
def reader(browser: Browser, address: str) -> Iterator[Reader]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    found = Reader(context, address)
    yield found
    context.close()
    assert found.errors == []
    assert found.abroad == []


def test_a_picture_of_the_first_chart_stands_until_the_live_one_does(reader: Reader) -> None:
    page, held = reader.page, list[Route]()
    page.route("**/plotly.min.js", lambda route: held.append(route))
    page.goto(f"{reader.site}/market", wait_until="commit")
    picture = page.locator("#first-view svg.ready")
    expect(picture).to_be_visible()
    title, place = page.locator("#first-view h2").first.inner_text(), picture.bounding_box()
    assert page.locator(".main-svg").count() == 0
    for route in held:
        route.continue_()
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    expect(page.locator("#first-view")).to_have_count(0)
    assert page.locator("h2").first.inner_text() == title
    live = page.locator(".js-plotly-plot .main-svg").first.bounding_box()
    assert place is not None
    assert live is not None
    assert [round(live[side] - place[side]) for side in ("x", "y", "width", "height")] == [0, 0, 0, 0]


def test_a_link_to_a_selection_has_no_picture_of_another_one(reader: Reader) -> None:
    asked: list[str] = []
    reader.page.on("request", lambda request: asked.append(request.url))
    reader.opens("/market?market=NO")
    assert any("plotly.min.js" in url for url in asked)
    assert not any("first-view" in url for url in asked)
    assert reader.page.locator("#first-view").count() == 0
