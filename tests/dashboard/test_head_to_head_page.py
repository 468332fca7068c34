"""The Head-to-head page: three charts under one bar, each with an answer or a way on for whatever the bar says."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from dashboard import controls
from dashboard.app import create_app
from dashboard.charts.duel_lines import DUEL_LINES
from dashboard.charts.duel_markets import DUEL_MARKETS
from dashboard.charts.duel_models import DUEL_MODELS
from dashboard.pages import PAGES, card
from dashboard.pages.card import Answer
from dashboard.pages.head_to_head import HEAD_TO_HEAD
from dashboard.pages.market import MARKET
from dashboard.pages.page import Site

TODAY = date(2026, 7, 24)


@pytest.fixture
def site(bundled_engine: Engine) -> Site:
    return Site(engine=bundled_engine, address="", today=lambda: TODAY)


def answers(site: Site, query: str = "") -> dict[str, Answer]:
    return {chart.slug: card.answer(site, HEAD_TO_HEAD, chart, query) for chart in HEAD_TO_HEAD.charts}


def edited(site: Site, query: str, **changes: Any) -> str:
    """The page's query string after the reader changed controls of the bar."""
    before = card.answer(site, HEAD_TO_HEAD, DUEL_LINES, query)
    now = controls.values(before.selection)
    shown = {name: changes.get(name, now[name]) for name in HEAD_TO_HEAD.controls}
    return card.answer(site, HEAD_TO_HEAD, DUEL_LINES, query, shown=shown).query


def test_the_page_stands_between_market_and_sources(bundled_engine: Engine) -> None:
    names = [page.name for page in PAGES]
    assert names.index("Market") < names.index("Head-to-head") < names.index("Sources")
    assert HEAD_TO_HEAD.charts[:3] == (DUEL_LINES, DUEL_MARKETS, DUEL_MODELS)
    app = create_app(bundled_engine, today=lambda: TODAY)
    reply = app.server.test_client().get("/head-to-head")
    assert reply.status_code == 200
    assert HEAD_TO_HEAD.description in reply.get_data(as_text=True)


def test_each_chart_begins_with_an_answer(site: Site) -> None:
    for slug, reply in answers(site).items():
        assert reply.reading is not None, (slug, reply.notice)


def test_choosing_a_market_turns_headlines_into_its_registrations(site: Site) -> None:
    query = edited(site, "", market=["DE"])
    assert query == "market=DE&basis=registration"
    replies = answers(site, query)
    assert [slug for slug, reply in replies.items() if reply.reading is None] == ["wholesale-split"], "China's alone"
    lines = replies["duel-lines"].reading
    assert lines is not None
    assert lines.subtitle.startswith("Germany. Passenger BEV registrations")


def test_emptying_the_market_leads_back_to_the_headlines(site: Site) -> None:
    query = edited(site, "market=DE&basis=registration", market=[])
    reply = card.answer(site, HEAD_TO_HEAD, DUEL_LINES, query)
    assert reply.selection == DUEL_LINES.defaults
    assert edited(site, "market=DE&basis=registration", basis="reported").startswith("market=WORLD&basis=reported")


def test_emptying_the_market_leaves_each_duel_its_own_markets(site: Site) -> None:
    assert edited(site, "market=DE&basis=registration", market=[]) == ""
    kept = edited(site, "market=DE&basis=registration&makers=bmw,tesla&window=ttm", market=[])
    assert kept == "makers=bmw,tesla&window=ttm"
    for chart in (DUEL_MARKETS, DUEL_MODELS):
        assert card.answer(site, HEAD_TO_HEAD, chart, kept).reading is not None


def test_emptying_the_market_elsewhere_keeps_what_is_counted(site: Site) -> None:
    query, chart = "market=CN&basis=wholesale&window=ttm", MARKET.charts[0]
    shown = controls.values(card.answer(site, MARKET, chart, query).selection)
    shown = {name: shown[name] for name in MARKET.controls} | {"market": []}
    assert card.answer(site, MARKET, chart, query, shown=shown).query == "basis=wholesale&window=ttm"


@pytest.mark.parametrize(
    "query",
    [
        "makers=byd",
        "makers=tesla,volkswagen&market=DE&basis=registration",
        "market=CN&basis=registration",
        "market=US&basis=registration",
        "market=DE,NO,SE&basis=registration&by=group&makers=tesla,volkswagen-group",
        "market=OVERSEAS&basis=wholesale&powertrain=NEV&makers=byd",
        "makers=byd,tesla,xiaomi",
        "by=market",
        "measure=growth",
        "grain=month",
        "powertrain=NEV",
        "as_of=2025-03-01",
        "as_of=2016-01-01",
        "until=2019-12",
        "measure=hhi",
    ],
)
def test_every_chart_answers_or_says_why_not_and_leads_on(site: Site, query: str) -> None:
    for chart in HEAD_TO_HEAD.charts:
        reply = card.answer(site, HEAD_TO_HEAD, chart, query)
        if reply.reading is not None:
            assert card.contents(HEAD_TO_HEAD, chart, reply, "light-wide")
            continue
        assert reply.notice is not None
        assert reply.notice.heading in ("This comparison is not drawn", "No figures for this selection"), chart.slug
        assert reply.notice.nearest is not None
        led = HEAD_TO_HEAD.query(query, reply.selection, reply.notice.nearest)
        again = card.answer(site, HEAD_TO_HEAD, chart, led)
        assert again.reading is not None, (chart.slug, query, led, again.notice)
