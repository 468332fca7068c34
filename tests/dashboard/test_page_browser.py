"""The page in a browser: what a reader sees and does."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from dash import html
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect, sync_playwright
from sqlalchemy import Engine
from werkzeug.serving import make_server

from dashboard import pictures, style
from dashboard.app import create_app
from dashboard.charts.chart import Reading
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.pages.front import FRONT, PRESETS
from dashboard.pages.head_to_head import HEAD_TO_HEAD
from dashboard.pages.market import MARKET as MARKET_PAGE
from dashboard.pages.page import Page as Board
from dashboard.selection import Incomparable, Measure, Selection, Window
from dashboard.style import INK, Figure, Look
from db import Connection

CHROMIUM = os.environ.get("BROWSER_PATH") or next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.xdist_group("browser"),
]
WAIT = 15_000
expect.set_options(timeout=WAIT)


def heat_map(reading: Reading, look: Look) -> Figure:
    """A plot without points that have receipts: four cells, one of them empty."""
    ink = INK[look.theme]
    trace = {"type": "heatmap", "x": ["2025", "2026"], "y": ["DE", "NO"], "z": [[100, 200], [300, None]]}
    trace |= {"colorscale": [[0, ink.grid], [1, ink.text]], "hovertemplate": "%{y} %{x}: %{z} cars<extra></extra>"}
    axis = {"type": "category"}
    return {"data": [trace], "layout": style.layout(look, hovermode="closest", xaxis=axis, yaxis=axis)}


def without_windows(connection: Connection, selection: Selection, *, today: date) -> Reading:
    if selection.window is not Window.NONE:
        raise Incomparable("months are counted one by one here", nearest=replace(selection, window=Window.NONE))
    return MARKET_SHARE.load(connection, selection, today=today)


MARKET = replace(MARKET_PAGE, charts=(MARKET_SHARE,))
"""The Market page with its first chart alone."""

ALL_OF_MARKET = replace(MARKET_PAGE, path="/all-of-market", name="All")

CELLS = replace(MARKET_SHARE, slug="cells", name="Cells", question="Which?", draw=heat_map, receipts=None)
NORWAY = Selection(market=("NO",), measure=Measure.UNITS)
STRICT = replace(
    MARKET_SHARE, slug="strict", name="Strict", question="How many?", defaults=NORWAY, load=without_windows
)
BOARD = Board(
    path="/made-up",
    name="Made up",
    description="A page of a test",
    charts=(MARKET_SHARE, CELLS, STRICT),
    controls=("market", "measure", "window", "as_of"),
    below=lambda site, query: [html.P(f"asked for: {query}", id="below")],
)
NAMES = ("This week", "Head-to-head", "Prices", "FSD", "Sources")
NAVIGATION = tuple(replace(MARKET, path=f"/{name[:4].lower().strip()}", name=name) for name in NAMES)


@pytest.fixture(scope="module")
def site(bundled_engine: Engine) -> Iterator[str]:
    """The address of an app on the bundled figures, with a page of three cards."""
    app = create_app(bundled_engine, pages=(MARKET, *NAVIGATION, BOARD, ALL_OF_MARKET, HEAD_TO_HEAD, FRONT))
    server = make_server("127.0.0.1", 0, app.server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    pictures.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


class Reader:
    """A reader with a fresh browser profile, who notes every error and every request to another host."""

    def __init__(self, context: BrowserContext, site: str) -> None:
        self.site, self.errors, self.abroad = site, [], []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(WAIT)
        self.page.on(
            "console", lambda message: message.type in ("error", "warning") and self.errors.append(message.text)
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._note(request.url))

    errors: list[str]
    abroad: list[str]

    def _note(self, url: str) -> None:
        if not url.startswith((self.site, "data:", "blob:")):
            self.abroad.append(url)

    def opens(self, path: str = "/market") -> Page:
        self.page.goto(self.site + path)
        expect(self.page.locator("h2").first).to_be_visible(timeout=WAIT)
        return self.page

    def lines(self) -> Locator:
        return self.page.locator(".card .scatterlayer .js-line")

    def sees_lines(self) -> None:
        expect(self.lines().first).to_be_visible(timeout=WAIT)

    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.page.url).query)

    def chooses(self, control: str, label: str) -> None:
        self.page.locator(f".field.{control}").get_by_text(label, exact=True).click()

    def point(self, maker: str, at: int) -> tuple[float, float, int]:
        """Where a point of a maker's line is on the screen, and its month number."""
        found: Any = self.page.evaluate(
            """([maker, at]) => {
                const plot = document.querySelector(".js-plotly-plot"), box = plot.getBoundingClientRect();
                const line = plot.data.find((trace) => trace.customdata && trace.customdata[0][1] === maker);
                const { xaxis, yaxis } = plot._fullLayout, n = line.x.length + at;
                return [box.left + xaxis._offset + xaxis.d2p(line.x[n]), box.top + yaxis._offset + yaxis.d2p(line.y[n]),
                        line.customdata[n][3]];
            }""",
            [maker, at],
        )
        return found[0], found[1], found[2]


@pytest.fixture(scope="module")
def profiles(browser: Browser) -> Iterator[dict[str, BrowserContext]]:
    """The browser's profiles by their options: what one test has loaded need not be loaded again."""
    kept: dict[str, BrowserContext] = {}
    yield kept
    for context in kept.values():
        context.close()


@pytest.fixture
def reader(
    browser: Browser, site: str, profiles: dict[str, BrowserContext], request: pytest.FixtureRequest
) -> Iterator[Reader]:
    """A reader on a desktop screen, or with other options of the browser's profile, who was never here before."""
    options = {"viewport": {"width": 1440, "height": 900}, **getattr(request, "param", {})}
    name = json.dumps(options)
    if name not in profiles:
        profiles[name] = browser.new_context(**options)
    found = Reader(profiles[name], site)
    yield found
    found.page.evaluate("localStorage.clear()")
    found.page.close()
    profiles[name].clear_cookies()
    assert found.errors == []
    assert found.abroad == []


PHONE = {"viewport": {"width": 390, "height": 844}}
DARK = {"color_scheme": "dark"}


def test_the_page_draws_lines_and_says_what_they_mean(reader: Reader) -> None:
    page = reader.opens()
    reader.sees_lines()
    assert reader.lines().count() >= 7
    expect(page.locator("h2")).to_contain_text("German BEVs")
    expect(page.locator(".source a").first).to_have_attribute("href", re.compile("^https://"))
    assert page.title() == "Market – EV Market"


def test_the_first_chart_needs_no_callback(reader: Reader) -> None:
    asked: list[str] = []
    reader.page.on("request", lambda request: asked.append(request.url))
    reader.opens("/market?market=NO")
    reader.sees_lines()
    assert [url for url in asked if "_dash-update-component" in url] == []


def test_a_browser_that_hides_its_address_gets_the_page_too(reader: Reader) -> None:
    def without_referrer(route: Route) -> None:
        route.continue_(headers={name: value for name, value in route.request.headers.items() if name != "referer"})

    reader.page.route("**/_dash-layout", without_referrer)
    page = reader.opens("/market?market=NO&measure=units")
    reader.sees_lines()
    expect(page.locator(".subtitle")).to_contain_text("Norway")
    reader.chooses("grain", "Year")
    expect(page).to_have_url(re.compile("grain=year"))


def test_a_control_changes_address_and_chart_in_one_round_trip(reader: Reader) -> None:
    page = reader.opens()
    reader.sees_lines()
    asked: list[str] = []
    page.on("request", lambda request: "_dash-update-component" in request.url and asked.append(request.url))
    reader.chooses("by", "Group")
    expect(page.locator("h2")).to_contain_text("Volkswagen Group")
    assert reader.query() == {"by": ["group"]}
    page.wait_for_timeout(300)
    assert len(asked) == 1


def test_the_back_and_forward_buttons_restore_chart_and_controls(reader: Reader) -> None:
    page = reader.opens()
    reader.sees_lines()
    reader.chooses("measure", "Cars")
    expect(page.locator(".subtitle")).to_contain_text("in cars")
    reader.chooses("window", "12 months")
    expect(page.locator("h2")).to_contain_text("12 months")
    page.go_back()
    expect(page.locator("h2")).not_to_contain_text("12 months")
    expect(page.locator(".field.window .selected")).to_have_text("1 period")
    page.go_back()
    expect(page.locator(".subtitle")).to_contain_text("in %")
    expect(page.locator(".field.measure .selected")).to_have_text("Share")
    assert reader.query() == {}
    page.go_forward()
    expect(page.locator(".subtitle")).to_contain_text("in cars")
    assert reader.query() == {"measure": ["units"]}


def test_a_deep_link_sets_chart_and_controls(reader: Reader) -> None:
    page = reader.opens("/market?market=uk,no&makers=tesla,byd&measure=units&grain=quarter&since=2024-01")
    reader.sees_lines()
    assert page.locator(".newest button").all_inner_texts() == ["Tesla", "BYD"]
    expect(page.locator(".field.market .dash-dropdown")).to_contain_text("United Kingdom")
    expect(page.locator(".field.makers .dash-dropdown")).to_contain_text("Tesla")
    expect(page.locator(".field.grain .selected")).to_have_text("Quarter")
    expect(page.locator(".field.since input")).to_have_value("2024-01")


def test_two_quick_changes_are_both_kept(reader: Reader) -> None:
    page = reader.opens()
    reader.sees_lines()
    reader.chooses("measure", "Cars")
    reader.chooses("grain", "Year")
    expect(page.locator(".subtitle")).to_contain_text("yearly")
    expect(page.locator(".subtitle")).to_contain_text("in cars")
    assert reader.query() == {"measure": ["units"], "grain": ["year"]}


def test_a_market_is_found_by_typing_another_name(reader: Reader) -> None:
    page = reader.opens()
    page.locator(".field.market .dash-dropdown").click()
    page.locator(".dash-dropdown-search").fill("UK")
    page.locator(".dash-dropdown-option", has_text="United Kingdom").click()
    expect(page.locator(".subtitle")).to_contain_text("Germany + United Kingdom")
    assert reader.query() == {"market": ["DE,GB"]}


def test_a_month_is_typed_and_a_wrong_one_is_explained(reader: Reader) -> None:
    page = reader.opens()
    reader.sees_lines()
    page.fill(".field.since input", "2025-01")
    page.press(".field.since input", "Enter")
    expect(page).to_have_url(re.compile(r"\?since=2025-01$"))
    page.fill(".field.until input", "2025-99")
    page.press(".field.until input", "Enter")
    expect(page.locator(".notice")).to_contain_text("no month such as")
    page.locator(".notice a").click()
    reader.sees_lines()
    assert reader.query() == {"since": ["2025-01"]}


@pytest.mark.parametrize("query", ["market=DE,EU", "market=XX", "as_of=2001-01-01"])
def test_a_refusal_is_explained_and_its_link_leads_to_a_chart(reader: Reader, query: str) -> None:
    page = reader.opens(f"/market?{query}")
    expect(page.locator(".notice")).to_be_visible()
    expect(page.locator(".plot")).to_have_count(0)
    page.locator(".notice a").click()
    reader.sees_lines()
    expect(page.locator(".notice")).to_have_count(0)


def test_a_click_on_a_point_shows_its_receipt(reader: Reader) -> None:
    page = reader.opens()
    reader.sees_lines()
    for maker, name in (("tesla", "Tesla"), ("volkswagen", "Volkswagen")):
        x, y, _ = reader.point(maker, -4)
        page.mouse.move(x, y)
        page.mouse.click(x, y)
        expect(page.locator(".receipts h3")).to_contain_text(f"{name}, Mar 2026")
    slip = page.locator(".receipts .slip").first
    expect(slip).to_contain_text("data/data-DE.js")
    expect(slip.locator("code")).to_have_text(re.compile("^[0-9a-f]{64}$"))
    expect(slip.locator("a").first).to_have_attribute("href", re.compile(r"^https://www\.kba\.de/"))
    expect(slip.locator("a").first).to_have_attribute("rel", re.compile("noopener"))
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".receipts")).to_have_count(0)


def test_receipts_are_reached_and_walked_by_keyboard(reader: Reader) -> None:
    page = reader.opens()
    reader.sees_lines()
    page.locator(".newest button", has_text="Tesla").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".receipts h3")).to_contain_text("Tesla, Jun 2026")
    page.locator(".steps button", has_text="Earlier").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".receipts h3")).to_contain_text("Tesla, May 2026")


def test_another_selection_closes_the_receipts(reader: Reader) -> None:
    page = reader.opens()
    page.locator(".newest button", has_text="Tesla").click()
    expect(page.locator(".receipts")).to_be_visible()
    reader.chooses("by", "Group")
    expect(page.locator(".receipts")).to_have_count(0)


def test_every_control_is_reached_by_keyboard_with_a_visible_focus(reader: Reader) -> None:
    page = reader.opens()
    reader.sees_lines()
    reached: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        field = page.evaluate("document.activeElement.closest('.field')?.className || ''")
        if field and field not in reached:
            reached.append(field)
    assert [field.removeprefix("field ") for field in reached] == [
        "market", "makers", "basis", "by", "measure", "powertrain", "of", "grain", "window", "since", "until", "as-of",
    ]  # fmt: skip
    page.locator(".field.by input").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("by=group"))


@pytest.mark.parametrize("reader", [DARK], indirect=True)
def test_a_dark_system_has_a_dark_page_and_chart(reader: Reader) -> None:
    page = reader.opens()
    reader.sees_lines()
    dark = INK["dark"].background.lower()
    page.wait_for_timeout(500)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert rgb(page.evaluate("getComputedStyle(document.body).backgroundColor")) == dark
    expect(page.locator(".plot .main-svg").first).to_have_css("background-color", re.compile(rgb_text(dark)))


def test_the_theme_switch_redraws_and_is_remembered(reader: Reader) -> None:
    page = reader.opens()
    reader.sees_lines()
    page.get_by_role("button", name="Dark", exact=True).click()
    background = re.compile(rgb_text(INK["dark"].background))
    expect(page.locator(".plot .main-svg").first).to_have_css("background-color", background)
    expect(page.get_by_role("button", name="Dark", exact=True)).to_have_attribute("aria-pressed", "true")
    page.reload()
    reader.sees_lines()
    expect(page.locator(".plot .main-svg").first).to_have_css("background-color", background)
    page.get_by_role("button", name="Light", exact=True).click()
    expect(page.locator(".plot .main-svg").first).to_have_css(
        "background-color", re.compile(rgb_text(INK["light"].background))
    )


def rgb(text: str) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", text)[:3])


def rgb_text(colour: str) -> str:
    return re.escape("rgb(" + ", ".join(str(int(colour[n : n + 2], 16)) for n in (1, 3, 5)) + ")")


@pytest.mark.parametrize("reader", [PHONE], indirect=True)
@pytest.mark.parametrize(
    "query", ["", "?market=CN", "?market=DE,EU", "?by=model&measure=units", "?grain=year&since=2025-01"]
)
def test_a_phone_scrolls_down_only(reader: Reader, query: str) -> None:
    page = reader.opens(f"/market{query}")
    page.locator(".bar-toggle").click()
    if page.locator(".data-table summary").count():
        page.locator(".data-table summary").click()
        page.locator(".newest button").first.click()
        expect(page.locator(".receipts .slip").first).to_be_visible()
        plot = page.locator(".plot .main-svg").first.bounding_box()
        assert plot is not None
        assert plot["width"] > 320
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("reader", [PHONE], indirect=True)
def test_a_phone_has_the_controls_behind_a_button(reader: Reader) -> None:
    page = reader.opens()
    reader.sees_lines()
    expect(page.locator(".field.by")).to_be_hidden()
    page.locator(".bar-toggle").click()
    reader.chooses("by", "Model")
    expect(page.locator("h2")).to_contain_text("Model Y")
    expect(page.locator("#selection-summary")).to_contain_text("model")
    expect(page.locator(".key")).to_contain_text("Model Y")


def test_the_buttons_give_files_that_open_as_what_they_claim(reader: Reader) -> None:
    page = reader.opens("/market?market=NO&since=2025-01")
    reader.sees_lines()
    for label, starts in (("CSV", b"period_start,"), ("JSON", b"{"), ("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with page.expect_download(timeout=60_000) as download:
            page.get_by_role("link", name=f"Download as {label}").click()
        path = Path(download.value.path())
        body = path.read_bytes()
        assert re.fullmatch(rf"market-share_NO_20\d\d-\d\d\.{label.lower()}", download.value.suggested_filename)
        assert body.startswith(starts)
        if label == "JSON":
            assert json.loads(body)["selection"]["query"] == "market=NO&since=2025-01"
        if label == "PNG":
            assert Image.open(BytesIO(body)).size == (3200, 1800)


def test_a_copied_link_says_as_known_on_which_day(browser: Browser, site: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = Reader(context, site).opens("/market?market=NO")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(rf"{re.escape(site)}/market\?market=NO&as_of=\d{{4}}-\d\d-\d\d", copied)
    title = page.locator("h2").inner_text()
    page.goto(copied)
    expect(page.locator("h2")).to_have_text(title)
    context.close()


def test_the_table_has_the_figures_of_the_chart(reader: Reader) -> None:
    page = reader.opens()
    page.locator(".data-table summary").click()
    first = page.locator(".data-table tbody tr").first
    expect(first.locator("th")).to_have_text("Jun 2026")
    expect(page.locator(".data-table thead th").nth(1)).to_have_text("Volkswagen")
    expect(first.locator("td").first).to_have_text("10.4 %")


# A page with several cards


def headings(reader: Reader) -> list[str]:
    """The cards' findings, when all cards are there."""
    expect(reader.page.locator(".to-come")).to_have_count(0)
    return reader.page.locator(".card h2").all_inner_texts()


def callbacks(reader: Reader) -> list[str]:
    """The callbacks that the page asks for from now on."""
    asked: list[str] = []
    reader.page.on("request", lambda request: "_dash-update-component" in request.url and asked.append(request.url))
    return asked


def test_the_cards_after_the_first_come_in_one_round_trip(reader: Reader) -> None:
    asked = callbacks(reader)
    page = reader.opens("/made-up")
    assert len(headings(reader)) == 3
    expect(page.locator("#cells .heatmaplayer image")).to_be_visible()
    expect(page.locator("#strict .js-line").first).to_be_visible()
    expect(page.locator("#strict .subtitle")).to_contain_text("Norway")
    expect(page.locator("#below")).to_have_text("asked for: ")
    page.wait_for_timeout(300)
    assert len(asked) == 1


def test_one_action_is_answered_by_every_card_in_two_round_trips(reader: Reader) -> None:
    page = reader.opens("/made-up?market=NO")
    headings(reader)
    asked = callbacks(reader)
    reader.chooses("measure", "Growth")
    for card in ("market-share", "cells", "strict"):
        expect(page.locator(f"#{card} .subtitle")).to_contain_text("change on")
    expect(page.locator("#below")).to_have_text("asked for: market=NO&measure=growth")
    page.wait_for_timeout(300)
    assert len(asked) == 2


def test_a_card_that_refuses_leaves_the_others_and_its_link_leads_back(reader: Reader) -> None:
    page = reader.opens("/made-up")
    headings(reader)
    reader.chooses("window", "12 months")
    expect(page.locator("#strict .notice")).to_contain_text("Months are counted one by one here.")
    expect(page.locator("#market-share .subtitle")).to_contain_text("twelve months")
    expect(page.locator("#cells .heatmaplayer image")).to_be_visible()
    page.locator("#strict .way-on").click()
    expect(page.locator("#strict .js-line").first).to_be_visible()
    expect(page.locator(".notice")).to_have_count(0)
    # The link leaves the reader at the card.
    expect(page.locator("#strict")).to_be_in_viewport()
    assert urlsplit(page.url).fragment == "strict"


def test_the_back_button_restores_every_card(reader: Reader) -> None:
    page = reader.opens("/made-up")
    at_first = headings(reader)
    reader.chooses("measure", "Growth")
    expect(page.locator("#strict .subtitle")).to_contain_text("change on")
    page.go_back()
    expect(page.locator("#strict .subtitle")).not_to_contain_text("change on")
    expect(page.locator("#market-share .subtitle")).not_to_contain_text("change on")
    assert headings(reader) == at_first
    assert reader.query() == {}


def test_a_link_to_a_card_opens_the_page_at_it(reader: Reader) -> None:
    page = reader.opens("/charts/strict?market=DE")
    assert urlsplit(page.url)[2:] == ("/made-up", "market=DE", "strict")
    headings(reader)
    expect(page.locator("#strict .js-line").first).to_be_visible()
    expect(page.locator("#strict h2")).to_be_in_viewport()
    page.locator(".contents a", has_text="Cells").click()
    expect(page.locator("#cells h2")).to_be_in_viewport()
    assert urlsplit(page.url).fragment == "cells"


@pytest.mark.parametrize("anchor", ["below", "nothing", "%"])
def test_a_link_to_what_comes_last_goes_there_and_one_to_nothing_stays_above(reader: Reader, anchor: str) -> None:
    page = reader.opens(f"/made-up#{anchor}")
    headings(reader)
    expect(page.locator("#below" if anchor == "below" else ".site-header")).to_be_in_viewport()


def test_the_receipts_of_a_later_card_are_in_it(reader: Reader) -> None:
    page = reader.opens("/made-up")
    headings(reader)
    page.locator("#strict .newest button").first.click()
    expect(page.locator("#strict .receipts h3")).to_contain_text("2026")
    expect(page.locator("#market-share .receipts")).to_have_count(0)
    page.locator("#strict .nsewdrag").scroll_into_view_if_needed()
    page.locator("#strict .nsewdrag").click(position={"x": 600, "y": 150})
    expect(page.locator("#strict .receipts h3")).not_to_contain_text("2026")


@pytest.mark.parametrize("reader", [{}, DARK], indirect=True)
def test_a_chart_without_receipts_tells_its_cells_and_takes_no_clicks(reader: Reader) -> None:
    page = reader.opens("/made-up")
    headings(reader)
    cells = page.locator("#cells .nsewdrag")
    cells.scroll_into_view_if_needed()
    asked = callbacks(reader)
    cells.hover(position={"x": 100, "y": 300})
    expect(page.locator("#cells .hovertext")).to_contain_text("DE 2025: 100 cars")
    theme = page.locator("html").get_attribute("data-theme")
    label = page.locator("#cells .hovertext path").first.evaluate("path => getComputedStyle(path).fill")
    assert rgb(label) == INK["dark" if theme == "dark" else "light"].background.lower()
    cells.click(position={"x": 100, "y": 300})
    page.wait_for_timeout(300)
    assert asked == []
    expect(page.locator("#cells .newest")).to_have_count(0)
    assert cells.evaluate("drag => getComputedStyle(drag).cursor") == "default"
    expect(page.locator("#cells .data-table")).to_be_visible()


def test_the_theme_switch_redraws_every_card(reader: Reader) -> None:
    page = reader.opens("/made-up")
    headings(reader)
    page.get_by_role("button", name="Dark", exact=True).click()
    background = re.compile(rgb_text(INK["dark"].background))
    for card in ("market-share", "cells", "strict"):
        expect(page.locator(f"#{card} .main-svg").first).to_have_css("background-color", background)


@pytest.mark.parametrize("reader", [PHONE], indirect=True)
def test_a_phone_has_all_pages_in_one_line_and_the_present_one_in_sight(reader: Reader) -> None:
    page = reader.opens("/made-up")
    headings(reader)
    links = page.locator(".site-header nav a")
    assert links.count() == 10
    boxes = [link.bounding_box() for link in links.all()]
    assert len({round(box["y"]) for box in boxes if box}) == 1
    assert all(box["height"] < 45 for box in boxes if box)
    expect(page.locator(".site-header nav [aria-current]")).to_be_in_viewport(ratio=0.9)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    links.first.focus()
    expect(links.first).to_be_in_viewport(ratio=0.9)
    assert page.locator("#strict .key").inner_text()


# The pages as they are


@pytest.mark.parametrize("page", [ALL_OF_MARKET, HEAD_TO_HEAD], ids=lambda page: page.name)
@pytest.mark.parametrize("width", [1440, 390])
def test_every_card_of_a_page_is_drawn_within_the_screen(reader: Reader, page: Board, width: int) -> None:
    reader.page.set_viewport_size({"width": width, "height": 900})
    reader.opens(page.path)
    assert len(headings(reader)) == len(page.charts) >= 4
    for chart in page.charts:
        expect(reader.page.locator(f"#{chart.slug} .main-svg").first).to_be_visible()
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_question_leads_to_its_chart_by_keyboard_alone(reader: Reader) -> None:
    page = reader.opens("/")
    first = PRESETS[0]
    link = page.get_by_role("link", name=first.question)
    link.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{re.escape(first.link)}$"))
    expect(page.locator(f"#{first.chart} .main-svg").first).to_be_visible()
