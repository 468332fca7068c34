"""A page of one card in a browser: what a reader sees and does."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Route, expect

from dashboard.style import INK
from tests.browser.reader import DARK, PHONE, Reader, rgb, rgb_text

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def site(made_up_site: str) -> str:
    return made_up_site


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
