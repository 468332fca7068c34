"""What was answered is given again for as long as data, day and question are the same, and never otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from dash import html
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bench import asking
from dashboard.actions import PATH
from dashboard.app import create_app
from dashboard.charts.chart import Reading
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.pages.market import MARKET
from dashboard.pages.page import Page
from dashboard.selection import Selection
from db import Connection
from db.database import open_engine, writing


class Asked:
    """An app with one page of one chart, which counts how often that is worked out."""

    def __init__(self, engine: Engine, page: Page = MARKET) -> None:
        self.times, self.day, self.fails = 0, date(2026, 7, 26), False
        chart = replace(MARKET_SHARE, load=self._load)
        self.page = replace(page, charts=(chart,))
        self.app = create_app(engine, pages=(self.page,), today=lambda: self.day)
        self.client: FlaskClient = self.app.server.test_client()
        self.begins("market=NO")
        # Dash looks at the layout once before its first request.
        self.times = 0

    def _load(self, connection: Connection, selection: Selection, *, today: date) -> Reading:
        self.times += 1
        if self.fails:
            raise RuntimeError("made to fail")
        return MARKET_SHARE.load(connection, selection, today=today)

    def begins(self, query: str = "", **headers: str) -> Any:
        """What the page begins with."""
        place = f"http://localhost{self.page.path}" + (f"?{query}" if query else "")
        answer = self.client.get("/_dash-layout", headers={"Referer": place, **headers})
        assert answer.status_code == 200
        return answer


@pytest.fixture
def engine(bundled_copy: str) -> Iterator[Engine]:
    opened = open_engine(bundled_copy)
    yield opened
    opened.dispose()


def test_the_same_question_is_worked_out_once(engine: Engine) -> None:
    asked = Asked(engine)
    first, second = asked.begins(), asked.begins()
    assert asked.times == 1
    assert first.data == second.data
    assert json.loads(first.data)["props"]["children"]
    for name in ("Content-Type", "Cache-Control", "Content-Security-Policy"):
        assert first.headers[name] == second.headers[name]


def test_it_is_given_in_the_compression_that_is_asked_for(engine: Engine) -> None:
    asked = Asked(engine)
    plain = asked.begins()
    for _ in range(2):
        packed = asked.begins(**{"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert len(packed.data) < len(plain.data) / 2
    assert asked.begins().data == plain.data
    assert asked.times == 2


def test_another_selection_look_day_or_page_is_another_question(engine: Engine) -> None:
    asked = Asked(engine)
    asked.begins()
    asked.begins("market=CN")
    asked.client.set_cookie("look", "dark-wide")
    asked.begins()
    asked.day = date(2026, 7, 27)
    asked.begins()
    assert asked.times == 4


def test_after_a_write_it_is_worked_out_anew(engine: Engine) -> None:
    asked = Asked(engine)
    asked.begins()
    with writing(engine):
        pass
    asked.begins()
    asked.begins()
    assert asked.times == 2


def test_what_failed_is_tried_again(engine: Engine) -> None:
    asked = Asked(engine)
    asked.fails = True
    assert b"cannot be shown" in asked.begins().data
    asked.fails = False
    assert b"cannot be shown" not in asked.begins().data
    assert asked.times == 2


def below(_site: object, _query: str) -> Sequence[html.P]:
    return [html.P("the last reports")]


@pytest.mark.parametrize("change", [{"below": below}, {"above": below}, {"with_levers": True}])
def test_a_page_of_more_than_the_data_is_worked_out_each_time(engine: Engine, change: dict[str, Any]) -> None:
    page = replace(MARKET, **change)
    assert MARKET.is_settled
    assert not page.is_settled
    asked = Asked(engine, page)
    asked.begins()
    asked.begins()
    assert asked.times == 2


def test_an_action_is_told_apart_by_its_page_and_values(engine: Engine) -> None:
    asked = Asked(engine)
    told = asked.client.get("/_dash-dependencies").get_json()

    def acts(query: str) -> bytes:
        answer = asked.client.post(PATH, json=asking.act(told, asked.page, query))
        assert answer.status_code == 200, answer.data
        return bytes(answer.data)

    assert acts("market=DE") == acts("market=DE")
    assert asked.times == 1
    assert acts("market=CN") != acts("market=DE")
    assert asked.times == 2
