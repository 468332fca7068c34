"""What a reader does with the app as it is served: share, go back, download, use the keyboard alone, print."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from dashboard.charts.chart import DOWNLOAD_COLUMNS
from dashboard.pages import PAGES
from dashboard.pages.front import PRESETS
from tests.browser.reader import Reader

pytestmark = pytest.mark.xdist_group("browser-real")


def test_back_and_forward_restore_controls_and_charts_across_pages(reader: Reader) -> None:
    page = reader.opens("/head-to-head")
    first = page.locator("h2").first.inner_text()
    reader.chooses("grain", "Year")
    expect(page.locator(".subtitle").first).to_contain_text("yearly")
    page.get_by_role("link", name="Prices", exact=True).click()
    expect(page.locator("#price-history .main-svg").first).to_be_visible()
    page.go_back()
    expect(page.locator(".subtitle").first).to_contain_text("yearly")
    expect(page.locator(".field.grain .selected")).to_have_text("Year")
    assert reader.query() == {"grain": ["year"]}
    page.go_back()
    expect(page.locator("h2").first).to_have_text(first)
    expect(page.locator(".field.grain .selected")).to_have_text("Quarter")
    page.go_forward()
    expect(page.locator(".subtitle").first).to_contain_text("yearly")


def test_a_shared_link_opens_the_same_view_elsewhere(reader: Reader, browser: Browser, site: str) -> None:
    page = reader.opens("/market")
    reader.chooses("by", "Group")
    expect(page.locator(".subtitle").first).to_contain_text("group")
    elsewhere = browser.new_context()
    other = Reader(elsewhere, site).opens(page.url.removeprefix(site))
    for part in ("h2", ".subtitle", ".badge"):
        assert other.locator(part).first.inner_text() == page.locator(part).first.inner_text()
    expect(other.locator(".field.by .selected")).to_have_text("Group")
    elsewhere.close()


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("/market?grain=weekly", "grain=weekly"),
        ("/prices?market=XX", "XX"),
        ("/fsd?since=2026-13", "no month"),
        ("/head-to-head?makers=tesla,byd,volkswagen", "two"),
    ],
)
def test_a_link_that_cannot_be_read_says_so_and_leads_to_the_nearest(reader: Reader, link: str, says: str) -> None:
    page = reader.opens(link)
    notice = page.locator(".card .notice").first
    expect(notice).to_contain_text(says)
    notice.locator(".way-on").click()
    expect(page.locator("article.card .main-svg").first).to_be_visible()


def test_downloads_open_as_what_they_claim(reader: Reader) -> None:
    page = reader.opens("/head-to-head")
    card = page.locator("#duel-lines")
    got: dict[str, bytes] = {}
    for label in ("CSV", "JSON", "PNG", "SVG"):
        with page.expect_download(timeout=90_000) as download:
            card.get_by_role("link", name=f"Download as {label}").click()
        assert download.value.suggested_filename.endswith(f".{label.lower()}")
        got[label] = Path(download.value.path()).read_bytes()
    table = pd.read_csv(BytesIO(got["CSV"]))
    assert list(table.columns[: len(DOWNLOAD_COLUMNS)]) == list(DOWNLOAD_COLUMNS)
    assert set(table["maker"]) == {"tesla", "byd"}
    told = json.loads(got["JSON"])
    assert told["title"] == card.locator("h2").inner_text()
    assert Image.open(BytesIO(got["PNG"])).size == (3200, 1800)
    assert ElementTree.fromstring(got["SVG"]).tag == "{http://www.w3.org/2000/svg}svg"


def _focused(page: Page) -> str:
    """What has the focus, by its place on the page; where its focus cannot be seen, that in words."""
    told: str = page.evaluate(
        """() => {
            const at = document.activeElement, style = getComputedStyle(at);
            const frame = at.closest(".dash-options-list-option, .dash-dropdown-wrapper");
            const seen = [at, at.parentElement, frame, frame?.firstElementChild].filter(Boolean).some((each) => {
                const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(each);
                return (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none";
            });
            const place = [".skip", ".site-header nav", ".theme-switch", ".bar", ".contents", ".actions", ".newest",
                ".data-table summary", ".data-table .scroll"].find((name) => at.closest(name)) || at.tagName;
            return seen || place === "BODY" ? place : `${place} without a visible focus: ${at.outerHTML.slice(0, 99)}`;
        }"""
    )
    return told


def test_everything_is_reached_and_worked_by_keyboard_alone(reader: Reader) -> None:
    page = reader.opens("/head-to-head")
    reader.waits_for_all()
    page.keyboard.press("Tab")
    assert _focused(page) == ".skip"
    page.locator("#duel-lines .data-table summary").evaluate("summary => { summary.parentElement.open = true; }")
    reached = [".skip"]
    for _ in range(80):
        page.keyboard.press("Tab")
        place = _focused(page)
        assert "without" not in place
        reached += [place] if place not in reached else []
        if place == ".data-table .scroll":
            break
    assert [place for place in reached if place.startswith(".")] == [
        ".skip",
        ".site-header nav",
        ".theme-switch",
        ".bar",
        ".contents",
        ".actions",
        ".newest",
        ".data-table summary",
        ".data-table .scroll",
    ]
    page.locator("#duel-lines .data-table summary").focus()
    page.keyboard.press("Space")
    expect(page.locator("#duel-lines .data-table table")).to_be_hidden()
    page.locator("#duel-lines .newest button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#duel-lines .receipts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#duel-lines .receipts")).to_have_count(0)
    expect(page.locator("#duel-lines .newest button").first).to_be_focused()
    page.locator(".field.market .dash-dropdown").focus()
    page.keyboard.press("Space")
    expect(page.locator(".dash-dropdown-search")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".dash-dropdown-search")).to_have_count(0)
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_a_question_leads_to_its_chart_by_keyboard_alone(reader: Reader) -> None:
    page = reader.opens("/")
    first = PRESETS[0]
    page.get_by_role("link", name=first.question).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{re.escape(first.link)}$"))
    expect(page.locator(f"#{first.chart} .main-svg").first).to_be_visible()


@pytest.mark.parametrize("reader", [{"reduced_motion": "reduce"}], indirect=True)
def test_nothing_moves_for_who_wants_less_motion(reader: Reader) -> None:
    page = reader.opens("/head-to-head")
    moving = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter((each) => {
            const { transitionDuration, animationName } = getComputedStyle(each);
            return animationName !== "none" || transitionDuration.split(",").some((part) => parseFloat(part) > 0);
        }).map((each) => each.outerHTML.slice(0, 80))"""
    )
    assert moving == []


def test_without_javascript_every_page_says_what_is_missing_and_where_the_data_are(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    assert PAGES
    for each in PAGES:
        page.goto(site + each.path)
        said = page.locator("noscript").inner_text()
        assert said.startswith("The charts need JavaScript. Their data are at /charts/")
    context.close()


def test_print_has_the_charts_and_no_controls(reader: Reader) -> None:
    page = reader.opens("/head-to-head")
    reader.waits_for_all()
    page.emulate_media(media="print")
    for hidden in (".bar", ".site-header nav", ".theme-switch", ".actions", ".contents"):
        expect(page.locator(hidden).first).to_be_hidden()
    for shown in ("h2", ".subtitle", ".plot .main-svg", ".source"):
        expect(page.locator(f"#duel-lines {shown}").first).to_be_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")
