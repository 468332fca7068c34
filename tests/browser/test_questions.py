"""The twenty questions that analysts ask, each answered at most two clicks from the front page.

`says` is what the finding must name, `treats` what the card must say of how it is counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import expect

from dashboard.pages.front import PRESETS
from tests.browser.reader import Reader

pytestmark = pytest.mark.xdist_group("browser-real")


@dataclass(frozen=True)
class Asked:
    """A question by its number, its link on the front page, a second click where there is one, and what is seen."""

    number: int
    link: str
    chart: str
    says: str
    treats: tuple[str, ...]
    query: dict[str, list[str]] = field(default_factory=dict)
    then: tuple[str, str] | None = None
    """The control and the choice of the second click."""


_ROUTES = {
    "attach_basis": ["fleet_attach"],
    "region": ["cn"],
    "compare": ["local"],
    "scenario": ["both"],
    "until": ["2030-12"],
}

ASKED = (
    Asked(
        1,
        "Who led world BEVs last quarter, Tesla or BYD?",
        "duel-lines",
        r"BYD .*Tesla .* Q\d 20\d\d .*unlike bases",
        ("headline figures", "Unlike bases", "battery-electric passenger cars", "quarterly"),
    ),
    Asked(
        2,
        "Is Tesla's share of China falling?",
        "market-share",
        r"Tesla .*Chinese BEVs",
        ("BEV registrations by maker, share in %", "twelve months", "lower bound"),
        {"market": ["CN"], "makers": ["tesla"], "window": ["ttm"]},
    ),
    Asked(
        3,
        "How much of what Tesla builds in Shanghai is exported?",
        "wholesale-split",
        r"Tesla exported \d+\.\d % of its Chinese wholesale",
        ("retail in China, exports, and the rest", "never added to registrations"),
    ),
    Asked(
        4,
        "How fast does BYD grow abroad?",
        "duel-lines",
        r"BYD: [\d,]+ overseas NEVs .* on a year before",
        ("wholesale", "inside BYD's total, never beside it"),
        {
            "market": ["OVERSEAS"],
            "basis": ["wholesale"],
            "powertrain": ["NEV"],
            "makers": ["byd"],
            "grain": ["month"],
        },
    ),
    Asked(
        5,
        "Who gained share in Europe this year so far?",
        "share-change",
        r"Jan to \w+ 20\d\d: .* up .* pp, .* down",
        ("Markets: Austria, Germany", "change of share", "on 2025"),
    ),
    Asked(
        6,
        "How did the ranks move?",
        "rank-bump",
        r"first in German BEVs, 12 months .* up from",
        ("twelve months", "A range such as 2–4", "A diamond marks the first"),
    ),
    Asked(
        7,
        "Is the market concentrating?",
        "concentration",
        r"less concentrated .*HHI \d+–\d+",
        ("HHI and top-4 share", "A range reaches from an unnamed rest"),
    ),
    Asked(
        8,
        "Is that growth or season?",
        "seasonal-years",
        r"Chinese BEVs: .* on a year before",
        ("January and February are drawn as their mean", "Season"),
        {"market": ["CN"], "by": ["market"]},
    ),
    Asked(
        9,
        "Do BYD's battery cars or its plug-in hybrids grow?",
        "market-share",
        r"BYD's NEVs .* BEV",
        ("by powertrain", "range-extended cars (EREV)", "wholesale"),
        {
            "market": ["WORLD"],
            "basis": ["wholesale"],
            "powertrain": ["NEV"],
            "by": ["powertrain"],
            "makers": ["byd"],
            "window": ["ttm"],
            "measure": ["units"],
        },
    ),
    Asked(
        10,
        "Did the US recover after the tax credit ended?",
        "penetration",
        r"US cars in Q1 2026, below .* Q3 and Q4 2025 together",
        ("quarterly", "buyers may have moved their purchase"),
        {"market": ["US"], "grain": ["quarter"]},
    ),
    Asked(
        11,
        "What does a Model Y cost in many markets?",
        "price-ladder",
        r"Tesla Model Y.*: .* EUR .*, with tax",
        ("with tax", "at the rate of", "Model Y RWD"),
        {"models": ["tesla-model-y"], "tax": ["included"]},
        then=("tax", "With"),
    ),
    Asked(
        12,
        "Is it dearer or cheaper than two years ago?",
        "price-history",
        r"Tesla Model Y Long Range AWD in China: .* % (more|less) than in",
        ("Kinds are never joined", "as quoted"),
    ),
    Asked(
        13,
        "How far is BYD below Tesla?",
        "price-gap",
        r"BYD .* % below Tesla",
        ("matched pairs", "at most 10 %"),
    ),
    Asked(
        14,
        "Who gives most range for the money?",
        "value-frontier",
        r"gives most range for money",
        ("range in km by", "one test"),
    ),
    Asked(
        15,
        "Is that the list price or what is paid?",
        "price-history",
        r"Tesla.* USD paid on average",
        ("list, average paid (an estimate)", "average paid as crosses, an estimate"),
        {"market": ["US"], "makers": ["tesla"], "models": [""]},
    ),
    Asked(
        16,
        "Did a price cut buy share?",
        "price-event",
        r"After Tesla's cut of .* share",
        ("an association", "placebo", "whatever else happened"),
    ),
    Asked(
        17,
        "What did FSD cost, where and when?",
        "fsd-price",
        r"FSD can no longer be bought in \d of \d markets; a month costs",
        ("no price of zero", "a purchase spread over 48 months"),
    ),
    Asked(
        18,
        "What share of owners pays for FSD?",
        "fsd-attach-history",
        r"FSD is paid for on .* of all Teslas ever delivered",
        ("four definitions", "one is never read off, added to or set against another"),
    ),
    Asked(
        19,
        "When could FSD reach ten million?",
        "fsd-projection",
        r"10 M FSD users by 2035",
        ("Band: the middle 50 % and 80 % of draws", "Straight line", "Other scenarios", "Others (diamonds)"),
    ),
    Asked(
        19,
        "China to 2030: local data centre, export, or both?",
        "fsd-projection",
        r"China, end of 2030: both .*local .*export",
        ("as known on",),
        _ROUTES,
    ),
    Asked(
        19,
        "The same as seen in May 2024",
        "fsd-projection",
        r"China, end of 2030: both .*local .*export",
        ("as known on",),
        {"as_of": ["2024-05-31"], **_ROUTES},
    ),
    Asked(
        19,
        "What was trying both routes worth, as seen in May 2024?",
        "fsd-revenue",
        r"China: both data routes .* than the better one",
        ("as known on",),
        {"as_of": ["2024-05-31"], "region": ["cn"], "compare": ["local"], "scenario": ["both"]},
    ),
    Asked(
        20,
        "What changed since last week, and was it news or a revision?",
        "change-ledger",
        r"figures|revised|new",
        ("What changed in 7 days", "overdue on", "is no news"),
    ),
)


def test_all_twenty_questions_and_every_link_of_the_front_page_are_asked() -> None:
    assert {asked.number for asked in ASKED} == set(range(1, 21))
    assert sorted(asked.link for asked in ASKED) == sorted(preset.question for preset in PRESETS)


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: f"{asked.number}-{asked.link}")
def test_a_question_is_answered_in_at_most_two_clicks(reader: Reader, asked: Asked) -> None:
    page = reader.opens("/")
    page.get_by_role("link", name=asked.link, exact=True).click()
    card = page.locator(f"#{asked.chart}")
    if asked.then:
        expect(card.locator(".main-svg").first).to_be_visible()
        reader.chooses(*asked.then)
    expect(card.locator("h2")).to_have_text(re.compile(asked.says))
    expect(card.locator(".main-svg").first).to_be_visible()
    if not asked.then:
        # A second click is on the control bar, above the cards.
        expect(card.locator("h2")).to_be_in_viewport()
    assert reader.marks(asked.chart) > 0
    assert reader.query() == {name: said for name, said in asked.query.items() if said != [""]}
    said = " ".join(card.inner_text().split())
    assert [words for words in asked.treats if words not in said] == []
