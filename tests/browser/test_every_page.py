"""Every page as it is served: whole, reachable for everybody, on each screen, in both colours, without an error.

A page is opened once for all tests of it, and set once to each screen and to each of the colours.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageStat
from playwright.sync_api import Browser, expect

from dashboard.pages import PAGES
from dashboard.style import INK
from tests.browser.reader import Reader, rgb_text
from tests.browser.views import PHONE, VIEWS

pytestmark = pytest.mark.xdist_group("browser-real")


def seen_on(*views: str) -> pytest.MarkDecorator:
    """The page is seen in some of the views, each of which is set up once for all tests of it."""
    return pytest.mark.parametrize("seen", views, indirect=True, scope="module")


class Visit(Reader):
    """A reader who has opened a page and waited for all of it."""

    def on(self, screen: tuple[int, int], theme: str = "light") -> Visit:
        """The page on a screen in a theme, when all plots are drawn so."""
        width, height = screen
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.locator(f"[data-theme-choice={theme}]").click()
        if self.page.locator("[data-look]").count():
            look = f"{theme}-{'narrow' if width <= 860 else 'wide'}"
            expect(self.page.locator(f"[data-look={look}]")).to_have_count(1)
            self.waits_for_all()
            background = rgb_text(INK[theme].background)
            for plot in self.page.locator(".plot .main-svg:first-child").all():
                expect(plot).to_have_css("background-color", re.compile(background))
        return self

    def unfolds_the_bar(self) -> None:
        """Show the controls, which a phone has behind a button."""
        toggle = self.page.locator(".bar-toggle[aria-expanded=false]")
        if toggle.count() and toggle.is_visible():
            toggle.click()


@pytest.fixture(scope="module", params=PAGES, ids=lambda page: page.path)
def visit(browser: Browser, site: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    found = Visit(context, site)
    found.opens(request.param.path)
    found.waits_for_all()
    yield found
    context.close()


@pytest.fixture(scope="module")
def seen(visit: Visit, request: pytest.FixtureRequest) -> Visit:
    """The page in a view."""
    screen, theme = VIEWS[request.param]
    visit.on(screen, theme)
    if screen == PHONE:
        visit.unfolds_the_bar()
    return visit


_PANELS = """() => [...document.querySelectorAll(".js-plotly-plot")].map((plot) => {
    const layout = plot._fullLayout, box = plot.getBoundingClientRect();
    return {
        chart: plot.closest(".card").id,
        width: box.width,
        height: box.height,
        panels: layout._subplots.cartesian.map((name) => layout._plots[name]).map(({ xaxis, yaxis }) => ({
            left: xaxis._offset, right: xaxis._offset + xaxis._length,
            top: yaxis._offset, bottom: yaxis._offset + yaxis._length,
            over: Boolean(xaxis.overlaying || yaxis.overlaying || !(xaxis.visible || yaxis.visible)),
        })),
        domains: Object.keys(plot.layout).filter((name) => /^[xy]axis/.test(name))
            .map((name) => plot.layout[name].domain || [0, 1]),
        outside: [...plot.querySelectorAll("svg text")].filter((text) => {
            const { left, right, top, bottom, width } = text.getBoundingClientRect();
            return width && (left < box.left - 1 || right > box.right + 1
                || top < box.top - 1 || bottom > box.bottom + 1);
        }).map((text) => text.textContent),
    };
})"""


def _panels_over_another(panels: list[dict[str, float]]) -> list[tuple[int, int]]:
    return [(n, m) for n, one in enumerate(panels) for m in range(n) if _overlaps(one, panels[m])]


def _overlaps(one: dict[str, float], other: dict[str, float]) -> bool:
    across = min(one["right"], other["right"]) - max(one["left"], other["left"])
    down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
    return across > 1 and down > 1


@seen_on("wide")
def test_every_card_is_drawn_with_marks_and_no_panel_lies_over_another(
    seen: Visit, request: pytest.FixtureRequest
) -> None:
    page = request.node.callspec.params["visit"]
    expect(seen.page.locator("article.card")).to_have_count(len(page.charts))
    assert [chart.slug for chart in page.charts if not seen.marks(chart.slug)] == []
    plots: list[dict[str, Any]] = seen.page.evaluate(_PANELS)
    assert len(plots) == len(page.charts)
    for plot in plots:
        assert all(0 <= low < high <= 1 for low, high in plot["domains"]), plot["chart"]
        panels = [panel for panel in plot["panels"] if not panel["over"]]
        assert _panels_over_another(panels) == [], plot["chart"]


@seen_on("wide", "wide-dark", "phone", "phone-dark")
def test_a_page_bars_nobody(seen: Visit) -> None:
    found = Axe().run(seen.page).response["violations"]
    grave = [
        f"{each['id']}: {each['help']}: {node['html'][:120]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]
    assert grave == []


@seen_on("wide", "phone")
def test_the_words_of_the_navigation_are_apart(seen: Visit) -> None:
    words = seen.page.evaluate(
        """() => [...document.querySelectorAll(".site-header nav a")].map((link) => {
            const text = document.createRange();
            text.selectNodeContents(link);
            const { left, right } = text.getBoundingClientRect();
            return [left, right];
        })"""
    )
    assert len(words) == len(PAGES)
    assert all(right + 8 < left for (_, right), (left, _) in pairwise(words))


@seen_on("wide", "phone", "200 %")
def test_a_page_scrolls_down_only_and_nothing_of_a_plot_is_cut_off(seen: Visit) -> None:
    seen.comes_to(lambda: seen.page.evaluate("document.documentElement.scrollWidth > innerWidth"), False)
    seen.comes_to(
        lambda: [(plot["chart"], plot["outside"]) for plot in seen.page.evaluate(_PANELS) if plot["outside"]], []
    )


@seen_on("phone")
def test_what_is_pressed_on_a_phone_is_high_enough_for_a_finger(seen: Visit) -> None:
    # A link within a sentence is as high as its line; a drop-down's field is pressed anywhere on its frame.
    small = seen.page.evaluate(
        """() => [...document.querySelectorAll("a, button, summary, input:not(.segments input), .segments label")]
            .filter((each) => {
                const { width, height } = each.getBoundingClientRect();
                const inline = getComputedStyle(each).display === "inline";
                return each.checkVisibility() && !inline && !each.closest(".skip, .unseen")
                    && !each.matches(".dash-dropdown-focus-target")
                    && width > 1 && (height < 24 || width < 24);
            }).map((each) => each.outerHTML.slice(0, 100))"""
    )
    assert small == []


@seen_on("wide-dark")
def test_a_dark_page_is_dark_all_over(seen: Visit) -> None:
    picture = Image.open(BytesIO(seen.page.screenshot())).convert("L")
    assert ImageStat.Stat(picture).median[0] < 40
    assert sum(picture.histogram()[200:]) < 0.1 * picture.width * picture.height


@seen_on(*VIEWS)
def test_nothing_went_wrong_on_a_page_whatever_the_screen_and_colours(seen: Visit) -> None:
    assert seen.errors == []
    assert seen.abroad == []


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="all tests run in this process")
def test_the_tests_of_the_pages_are_kept_together(request: pytest.FixtureRequest) -> None:
    """Shared out one by one, they take half as long again: each process opens every page."""
    assert request.node.nodeid.endswith("@browser-real")
