"""What is remembered changes nothing but the time that an answer takes; and what is read ahead is not read again."""

from __future__ import annotations

from datetime import date
from itertools import product
from random import Random
from threading import Event, Thread

import pytest
from sqlalchemy import Engine

from dashboard.__main__ import Idle
from dashboard.charts import CHARTS
from dashboard.charts.chart import Chart
from dashboard.downloads import Format, download
from dashboard.pages import PAGES, board
from dashboard.pages.page import Site
from dashboard.selection import InvalidSelection, Refusal
from db.memory import MEMORY
from tests.db.test_memory import statements

TODAY = date(2026, 7, 24)

QUERIES = (
    "",
    "market=CN&window=ttm",
    "market=DE,NO&grain=quarter",
    "market=GB&makers=byd,tesla&since=2023-05",
    "market=NO&by=model&until=2025-06",
    "market=DE&powertrain=ALL&by=group",
    "market=US&grain=quarter&measure=growth",
    "market=FR&as_of=2025-11-14",
    "market=WORLD&basis=reported&measure=units",
    "market=CN&powertrain=NEV&basis=retail&measure=units",
    "market=WORLD&by=powertrain&basis=wholesale&makers=byd&measure=units",
)


def answer(engine: Engine, chart: Chart, query: str) -> bytes | str:
    """The download of a selection, or why there is none and where that leads."""
    try:
        return download(engine, chart, query, format=Format.CSV, site="", today=TODAY).body
    except (InvalidSelection, Refusal) as error:
        return f"{error} {getattr(error, 'nearest', None)}"


def test_figures_are_the_same_with_and_without_memory(bundled_engine: Engine) -> None:
    random = Random("memory")
    some = random.sample(list(product(CHARTS, QUERIES)), 52)
    cold = []
    for chart, query in some:
        MEMORY.forget()
        cold.append(answer(bundled_engine, chart, query))
    assert sum(isinstance(each, bytes) for each in cold) > 25
    # In another order, so that each finds what others have left behind.
    order = random.sample(range(len(some)), len(some))
    for n in order:
        chart, query = some[n]
        assert answer(bundled_engine, chart, query) == cold[n], (chart.slug, query)


def test_what_each_chart_begins_with_is_read_ahead(bundled_engine: Engine) -> None:
    site = Site(engine=bundled_engine, address="", today=lambda: TODAY)
    MEMORY.forget()
    for _ in board.answers_ahead(site, PAGES):
        pass
    sent = statements(bundled_engine)
    for _ in board.answers_ahead(site, PAGES):
        pass
    read = [statement for statement in sent if "sales" in statement or "penetration" in statement]
    assert read == [], "no claim is read twice"


def test_what_is_done_ahead_waits_for_the_requests_under_way() -> None:
    began, may_end, waited = Event(), Event(), Event()

    def app(_environ: object, _start_response: object) -> list[bytes]:
        began.set()
        assert may_end.wait(timeout=20)
        return []

    idle = Idle(app)
    idle.wait(seconds=0)
    request = Thread(target=lambda: idle({}, None))
    request.start()
    assert began.wait(timeout=20)
    ahead = Thread(target=lambda: (idle.wait(seconds=0), waited.set()))
    ahead.start()
    assert not waited.is_set()
    may_end.set()
    assert waited.wait(timeout=20)
    request.join()
    ahead.join()


def test_a_request_that_fails_is_no_longer_under_way() -> None:
    def app(_environ: object, _start_response: object) -> list[bytes]:
        raise LookupError

    idle = Idle(app)
    with pytest.raises(LookupError):
        idle({}, None)
    idle.wait(seconds=0)
