"""Each chart's card as the server makes it: asked, drawn and written as the browser gets it, in one process.

As served, the process has read what it reads ahead after its start (`board.answers_ahead`), and is then asked for one
selection after another that it was never asked for before. Cold, it has forgotten everything before each of them.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from datetime import date
from itertools import product
from pathlib import Path
from random import Random
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter

from dash._utils import to_json

from bench.charts import bundled_database
from bench.report import Row
from dashboard.charts.chart import Chart
from dashboard.pages import PAGES, board, card
from dashboard.pages.page import Page, Site
from db.database import open_engine
from db.memory import MEMORY

TODAY = date(2026, 7, 24)
SELECTIONS = (
    "",
    "market=CN",
    "market=NO&window=ttm",
    "market=US&grain=quarter",
    "market=GB&makers=tesla,byd",
    "market=DE&powertrain=ALL",
    "market=DE&since=2024-01",
    "as_of=2025-03-01",
    "measure=units",
)
"""What is asked of every chart; a chart that does not show one of them explains it, which is an answer too."""

CHANGES = (
    "since=2021-03",
    "since=2025-02",
    "until=2025-10",
    "until=2023-05",
    "makers=bmw,kia",
    "makers=volkswagen",
    "window=3m",
    "window=ytd",
    "grain=year",
    "by=group",
    "by=model",
    "of=ALL",
    "powertrain=NEV",
    "as_of=2025-11-14",
    "market=FR",
    "market=ES,SE",
)
"""What a reader changes next; each is made to each of the selections that does not say the same thing itself."""

CHARTS = tuple(os.environ.get("CHARTS", "").split())
"""The slugs of the charts that are asked, separated by spaces; all where it is not set."""

COLD = 12
"""Of so many selections one is also asked for with nothing remembered."""


def measure() -> list[Row]:
    """Two rows a chart: the 95th percentile over all selections, as served and cold."""
    rows = []
    with TemporaryDirectory() as name:
        bundled_database(Path(name) / "real.sqlite")
        engine = open_engine(f"sqlite:///{name}/real.sqlite")
        site = Site(engine=engine, address="", today=lambda: TODAY)
        cards = [(page, chart) for page in PAGES for chart in page.charts if not CHARTS or chart.slug in CHARTS]
        for page, chart in cards:
            MEMORY.forget()
            list(board.answers_ahead(site, (page,)))
            gc.collect()
            gc.freeze()
            asked = list(selections(chart))
            served = [1000 * _seconds(site, page, chart, query) for query in asked]
            cold = [1000 * _seconds(site, page, chart, query, forget=True) for query in asked[::COLD]]
            p95, p95_cold = (quantiles(times, n=20)[-1] for times in (served, cold))
            rows.append(Row(f"card of {chart.slug}, as served, 95th percentile, against 100 ms", p95, 100.0, "ms", 1.0))
            rows.append(Row(f"card of {chart.slug}, cold, 95th percentile", p95_cold, 100.0, "ms", None))
        engine.dispose()
    return rows


def selections(chart: Chart) -> Iterator[str]:
    """Distinct query strings in a random order that is always the same; none is what the chart begins with."""
    changed = [
        f"{query}&{change}" if query else change
        for query, change in product(SELECTIONS, CHANGES)
        if f"&{change.split('=')[0]}=" not in f"&{query}"
    ]
    every = [*(query for query in SELECTIONS if query), *changed]
    Random(chart.slug).shuffle(every)
    yield from every


def _seconds(site: Site, page: Page, chart: Chart, query: str, *, forget: bool = False) -> float:
    """How long the answer to a query string takes."""
    if forget:
        MEMORY.forget()
    began = perf_counter()
    reply = card.answer(site, page, chart, query)
    to_json(card.contents(page, chart, reply, "light-wide"))
    seconds = perf_counter() - began
    assert reply.reading or reply.notice, f"{chart.slug} says nothing about '{query}'"
    return seconds
