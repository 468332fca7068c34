"""Each chart's card as the server makes it: asked, drawn and written as the browser gets it, in one process."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter

from dash._utils import to_json

from bench.charts import bundled_database
from bench.report import Row
from dashboard.charts.chart import Chart
from dashboard.pages import PAGES, card
from dashboard.pages.page import Page, Site
from db.store import open_engine

REPEATS = 12
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


def measure() -> list[Row]:
    """One row a chart: the 95th percentile over all selections."""
    rows = []
    with TemporaryDirectory() as name:
        bundled_database(Path(name) / "real.sqlite")
        engine = open_engine(f"sqlite:///{name}/real.sqlite")
        site = Site(engine=engine, address="", today=lambda: TODAY)
        for page in PAGES:
            for chart in page.charts:
                times = [1000 * seconds for query in SELECTIONS for seconds in _seconds(site, page, chart, query)]
                p95 = quantiles(times, n=20)[-1]
                rows.append(Row(f"card of {chart.slug}, 95th percentile, against 100 ms", p95, 100.0, "ms", 1.0))
        engine.dispose()
    return rows


def _seconds(site: Site, page: Page, chart: Chart, query: str) -> list[float]:
    """How long each of several answers to a query string takes, after the first one."""
    times = []
    for _ in range(REPEATS + 1):
        began = perf_counter()
        reply = card.answer(site, page, chart, query)
        to_json(card.contents(page, chart, reply, "light-wide"))
        times.append(perf_counter() - began)
        assert reply.reading or reply.notice, f"{chart.slug} says nothing about '{query}'"
    return times[1:]
