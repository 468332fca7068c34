"""Hostile links and forged actions: each is refused in words, at little cost, and none is an error of the server's."""

from __future__ import annotations

import copy
import json
import logging
import random
from collections.abc import Iterator
from queue import Full
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bench import asking
from dashboard import actions, projected
from dashboard.guard import BODY_BYTES
from dashboard.pages import PAGES
from dashboard.pages.page import Page
from dashboard.projections.levers import NAMES as LEVERS
from dashboard.projections.levers import ImpossibleLever, Levers
from dashboard.selection import LONGEST, NAMES
from tests.security.conftest import DROP, FORMULA, IMAGE, LINK, post, specs
from tests.world import rows

MARKET = next(page for page in PAGES if page.path == "/market")
WITH_LEVERS = next(page for page in PAGES if page.with_levers)

VALUES = (
    IMAGE,
    LINK,
    DROP,
    FORMULA,
    "' OR 1=1 --",
    "../../etc/passwd",
    "%00\0",
    "a\r\nSet-Cookie: a=1",
    "\u202egpj.exe",
    "٢٠٢٤-٠١",
    "1e999",
    "nan",
    "-inf",
    "9999-12-31",
    "0000-00-00",
    "{{7*7}}${7*7}",
    "x" * 5000,
    ",".join(f"maker-{n}" for n in range(500)),
)
OTHERS = (IMAGE, DROP, f"price.{IMAGE}")


@pytest.fixture(autouse=True)
def _no_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing here may be what nobody foresaw."""
    with caplog.at_level(logging.ERROR):
        yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("value", VALUES)
def test_no_value_of_a_name_is_more_than_refused(client: FlaskClient, hostile: Engine, value: str) -> None:
    before = rows.query(hostile, "SELECT count(*) FROM sales")
    assert len(NAMES) > 20
    for name in (*NAMES, *OTHERS):
        response = client.get(f"/charts/market-share.csv?{urlencode({name: value})}")
        text = response.get_data(as_text=True)
        assert response.status_code in (200, 400, 422), (name, response.status_code)
        if response.status_code != 200:
            assert response.content_type == "text/plain; charset=utf-8"
            assert text.count("\n") == 1
            assert text.strip("\n").isprintable()
            assert len(text) < 3000
    assert rows.query(hostile, "SELECT count(*) FROM sales") == before


@pytest.mark.parametrize("value", VALUES)
def test_no_value_of_a_lever_is_more_than_refused(value: str) -> None:
    assert len(LEVERS) > 15
    for name in LEVERS:
        with pytest.raises(ImpossibleLever) as refused:
            Levers.from_text({name.replace("REGION", "US"): value}, defaults=Levers())
        assert len(str(refused.value)) < 500


@pytest.mark.parametrize("value", [VALUES[0], VALUES[1], VALUES[7]])
def test_a_page_repeats_a_hostile_link_as_text_alone(client: FlaskClient, value: str) -> None:
    for name in ("market", "makers", "since", "price.US", IMAGE):
        query = urlencode({name: value})
        page = client.get(f"/market?{query}").get_data(as_text=True)
        assert value not in page
        layout = client.get("/_dash-layout", headers={"Referer": f"http://localhost/market?{query}"})
        assert layout.content_type == "application/json"
        answer = post(client, asking.act(specs(client), MARKET, query))
        assert (answer.status_code, answer.content_type) == (200, "application/json")


@pytest.mark.parametrize(
    "query",
    [
        "market=DE&" * 2,
        "&".join(f"name{n}=1" for n in range(10_000)),
        f"makers={'a,' * LONGEST}",
        f"market={'D' * 1_000_000}",
        "since=2099-12&until=1900-01",
        "since=1900-01&until=2099-12&as_of=9999-12-31",
        "%f0%28%8c%28=%ff",
    ],
)
def test_a_huge_or_repeated_link_is_refused_shortly(client: FlaskClient, query: str) -> None:
    response = client.get(f"/charts/market-share.csv?{query}")
    assert response.status_code in (400, 422)
    assert len(response.data) < 2000
    assert ("is longer than" in response.get_data(as_text=True)) is (len(query) > LONGEST)
    answer = post(client, asking.act(specs(client), MARKET, query))
    assert answer.status_code == (413 if len(query) > BODY_BYTES else 200)


@pytest.mark.parametrize(
    "referrer", ["http://[", "//", "http://localhost/market?" + "a" * 9000, "javascript:alert(1)", "\xff"]
)
def test_any_referrer_gets_a_page(client: FlaskClient, referrer: str) -> None:
    assert client.get("/_dash-layout", headers={"Referer": referrer}).status_code == 200


# Actions


@pytest.mark.parametrize(
    "body",
    ["", "{", "null", "[]", "1", '"x"', "NaN", "{}", "[" * 50_000, '{"a":' * 20_000, b"\xff", '{"output":1}'],
)
def test_what_is_no_action_is_refused_in_a_line(client: FlaskClient, body: str | bytes) -> None:
    response = post(client, body)
    assert response.status_code == 400
    assert response.content_type == "text/plain; charset=utf-8"
    assert response.data.count(b"\n") == 1


def test_a_body_that_is_too_long_is_not_read(client: FlaskClient) -> None:
    response = post(client, b" " * (BODY_BYTES + 1))
    assert response.status_code == 413
    assert client.post(actions.PATH, data="x", content_type="text/plain").status_code == 415


def everything(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a plain value."""
    yield at
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        yield from everything(value, (*at, key))


def forged(body: Any, at: tuple[Any, ...], value: Any) -> Any:
    """A body with another value in one place, or without that place."""
    if not at:
        return value
    made = copy.deepcopy(body)
    inner = made
    for key in at[:-1]:
        inner = inner[key]
    if value == "leave out":
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return made


WRONG = (
    None,
    True,
    -1,
    1e308,
    "",
    "x" * 10_000,
    IMAGE,
    DROP,
    [],
    {},
    [[]],
    [None],
    {"id": 1},
    "__proto__",
    "leave out",
)


@pytest.mark.parametrize("page", [MARKET, WITH_LEVERS], ids=lambda page: page.path)
@pytest.mark.parametrize("ask", ["act", "later", "receipts"])
def test_an_action_forged_in_any_place_is_no_error_of_the_server(client: FlaskClient, page: Page, ask: str) -> None:
    told = specs(client)
    bodies = {
        "act": lambda: asking.act(told, page, "market=XX"),
        "later": lambda: asking.later(told, page, page.charts[1].slug, "market=XX"),
        "receipts": lambda: asking.receipts(told, page, page.charts[0].slug, "market=XX", ["KR", "a", "all", 1]),
    }
    body = bodies[ask]()
    assert post(client, body).status_code == 200
    places = [*everything(body)]
    chosen = random.Random(1).choices([(place, value) for place in places for value in WRONG], k=60)
    statuses = {post(client, forged(body, place, value)).status_code for place, value in chosen}
    assert statuses <= {200, 400}
    assert 400 in statuses


@pytest.mark.parametrize(
    ("path", "status"),
    [("/market", 200), ("/nothing", 400), ("/", 400), ("//evil.example", 400), (None, 400), (["/market"], 400)],
)
def test_an_action_is_of_a_page_that_there_is(client: FlaskClient, path: Any, status: int) -> None:
    body = asking.act(specs(client), MARKET, "market=KR")
    (of_path,) = body["state"]
    of_path["value"] = path
    assert post(client, body).status_code == status


@pytest.mark.parametrize("key", [["KR"], ["KR", "a", "all", 10**30], ["KR", "a", "all", "1"], ["a", "b", "c", -1]])
def test_a_point_that_is_none_is_no_error(client: FlaskClient, key: Any) -> None:
    answer = post(client, asking.receipts(specs(client), MARKET, "market-share", "market=KR", key))
    assert answer.status_code == 200
    assert "not in the chart" in answer.get_data(as_text=True)


def test_an_action_of_a_chart_that_is_not_on_the_page_is_refused(client: FlaskClient) -> None:
    assert post(client, asking.receipts(specs(client), MARKET, "nothing", "", ["KR", "a", "all", 1])).status_code == 400


def test_what_changed_is_a_part_of_the_action(client: FlaskClient) -> None:
    body = asking.act(specs(client), MARKET, "market=KR") | {"changedPropIds": ["a.b.c"]}
    assert json.loads(json.dumps(body)) == body
    assert post(client, body).status_code == 400


# Work in the background


def test_only_so_much_is_taken_on_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []

    def put(order: object) -> None:
        if len(taken) == 8:
            raise Full
        taken.append(order)

    assert projected._ORDERS.maxsize == 8
    monkeypatch.setattr(projected._ORDERS, "put_nowait", put)
    of = projected.Told(record=None, asked=None, citations=(), attach=None, named_only=(), key="a")  # type: ignore[arg-type]
    for _ in range(20):
        projected._order(of, with_backtests=True)
    assert len(taken) == 8
