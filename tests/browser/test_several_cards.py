"""A page of several cards in a browser: they come together, and answer every action."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from dashboard.style import INK
from tests.browser import arrangement
from tests.browser.reader import DARK, PHONE, Reader, rgb, rgb_text

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def site(made_up_site: str) -> str:
    return made_up_site


def test_a_card_after_the_first_comes_when_the_reader_gets_near_it(reader: Reader) -> None:
    asked = reader.callbacks()
    page = reader.opens("/made-up")
    expect(page.locator("#cells .heatmaplayer image")).to_be_visible()
    expect(page.locator("#strict .to-come")).to_have_count(1)
    assert len(asked) == 1
    reader.goes_to("strict")
    expect(page.locator("#strict .js-line").first).to_be_visible()
    expect(page.locator("#strict .subtitle")).to_contain_text("Norway")
    expect(page.locator("#below")).to_have_text("asked for: ")
    page.wait_for_timeout(300)
    assert len(asked) == 3


def test_one_action_is_answered_by_every_card_each_asked_for_once(reader: Reader) -> None:
    page = reader.opens("/made-up?market=NO")
    reader.headings()
    asked = reader.callbacks()
    reader.chooses("measure", "Growth")
    for card in ("market-share", "cells", "strict"):
        expect(reader.goes_to(card).locator(".subtitle")).to_contain_text("change on")
    expect(page.locator("#below")).to_have_text("asked for: market=NO&measure=growth")
    page.wait_for_timeout(300)
    assert len(asked) == 4


def test_a_card_that_refuses_leaves_the_others_and_its_link_leads_back(reader: Reader) -> None:
    page = reader.opens("/made-up")
    reader.headings()
    reader.chooses("window", "12 months")
    expect(page.locator("#market-share .subtitle")).to_contain_text("twelve months")
    expect(reader.goes_to("strict").locator(".notice")).to_contain_text("Months are counted one by one here.")
    expect(page.locator("#cells .heatmaplayer image")).to_be_visible()
    page.locator("#strict .way-on").click()
    expect(page.locator("#strict .js-line").first).to_be_visible()
    expect(page.locator(".notice")).to_have_count(0)
    # The link leaves the reader at the card.
    expect(page.locator("#strict")).to_be_in_viewport()
    assert urlsplit(page.url).fragment == "strict"


def test_the_back_button_restores_every_card(reader: Reader) -> None:
    page = reader.opens("/made-up")
    at_first = reader.headings()
    reader.chooses("measure", "Growth")
    expect(reader.goes_to("strict").locator(".subtitle")).to_contain_text("change on")
    page.go_back()
    expect(page.locator("#market-share .subtitle")).not_to_contain_text("change on")
    expect(reader.goes_to("strict").locator(".subtitle")).not_to_contain_text("change on")
    assert reader.headings() == at_first
    assert reader.query() == {}


def test_a_link_to_a_card_opens_the_page_at_it(reader: Reader) -> None:
    page = reader.opens("/charts/strict?market=DE")
    assert urlsplit(page.url)[2:] == ("/made-up", "market=DE", "strict")
    expect(page.locator("#strict .js-line").first).to_be_visible()
    expect(page.locator("#strict h2")).to_be_in_viewport()
    page.locator(".contents a", has_text="Cells").click()
    expect(page.locator("#cells h2")).to_be_in_viewport()
    assert urlsplit(page.url).fragment == "cells"


@pytest.mark.parametrize("anchor", ["below", "nothing", "%"])
def test_a_link_to_what_comes_last_goes_there_and_one_to_nothing_stays_above(reader: Reader, anchor: str) -> None:
    page = reader.opens(f"/made-up#{anchor}")
    expect(page.locator("#market-share .main-svg").first).to_be_visible()
    expect(page.locator("#below" if anchor == "below" else ".site-header")).to_be_in_viewport()


def test_the_receipts_of_a_later_card_are_in_it(reader: Reader) -> None:
    page = reader.opens("/made-up")
    reader.headings()
    page.locator("#strict .newest button").first.click()
    expect(page.locator("#strict .receipts h3")).to_contain_text("2026")
    expect(page.locator("#market-share .receipts")).to_have_count(0)
    page.locator("#strict .nsewdrag").scroll_into_view_if_needed()
    page.locator("#strict .nsewdrag").click(position={"x": 600, "y": 150})
    expect(page.locator("#strict .receipts h3")).not_to_contain_text("2026")


@pytest.mark.parametrize("reader", [{}, DARK], indirect=True)
def test_a_chart_without_receipts_tells_its_cells_and_takes_no_clicks(reader: Reader) -> None:
    page = reader.opens("/made-up")
    reader.headings()
    cells = page.locator("#cells .nsewdrag")
    cells.scroll_into_view_if_needed()
    asked = reader.callbacks()
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
    reader.headings()
    page.get_by_role("button", name="Dark", exact=True).click()
    background = re.compile(rgb_text(INK["dark"].background))
    for card in ("market-share", "cells", "strict"):
        expect(reader.goes_to(card).locator(".main-svg").first).to_have_css("background-color", background)


@pytest.mark.parametrize("reader", [PHONE], indirect=True)
def test_a_phone_has_all_pages_in_one_line_and_the_present_one_in_sight(reader: Reader) -> None:
    page = reader.opens("/made-up")
    reader.headings()
    links = page.locator(".site-header nav a")
    assert links.count() == len(arrangement.PAGES)
    boxes = [link.bounding_box() for link in links.all()]
    assert len({round(box["y"]) for box in boxes if box}) == 1
    assert all(box["height"] < 45 for box in boxes if box)
    expect(page.locator(".site-header nav [aria-current]")).to_be_in_viewport(ratio=0.9)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    links.first.focus()
    expect(links.first).to_be_in_viewport(ratio=0.9)
    assert page.locator("#strict .key").inner_text()
