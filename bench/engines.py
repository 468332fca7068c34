"""The two engines side by side: the same figures on SQLite and on a PostgreSQL server of our own, in one run."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter

from sqlalchemy import Engine

from bench.charts import SELECTIONS
from bench.report import Row
from dashboard.charts import chart as chart_of
from dashboard.selection import Selection
from db.database import open_engine
from db.memory import MEMORY
from etl import bundle, pipeline
from tests import postgres

LOADS = 3
REPEATS = 10
TODAY = date(2026, 7, 24)


def measure() -> list[Row]:
    """PostgreSQL against SQLite: loading what ships, what market-share asks of the database, and the size."""
    seconds: dict[str, list[float]] = {"sqlite": [], "postgresql": []}
    with TemporaryDirectory() as name, postgres.server({}) as server:
        for repeat in range(LOADS):
            urls = {"sqlite": f"sqlite:///{name}/{repeat}.sqlite", "postgresql": server.create(f"real_{repeat}")}
            for engine, url in urls.items():
                seconds[engine].append(_load(url))
        engines = {engine: open_engine(url) for engine, url in urls.items()}
        cold: dict[str, list[float]] = {engine: [] for engine in engines}
        warm: dict[str, list[float]] = {engine: [] for engine in engines}
        for query in SELECTIONS:
            for _ in range(REPEATS):
                for engine, opened in engines.items():
                    MEMORY.forget()
                    cold[engine].append(_share(opened, query))
                    warm[engine].append(_share(opened, query))
        for opened in engines.values():
            opened.dispose()
        last = LOADS - 1
        size = {
            "sqlite": Path(f"{name}/{last}.sqlite").stat().st_size / 1e6,
            "postgresql": server.size(f"real_{last}") / 1e6,
        }

    def row(what: str, of: dict[str, float], unit: str, aim: float | None) -> Row:
        return Row(f"PostgreSQL against SQLite: {what}", of["postgresql"], of["sqlite"], unit, aim)

    return [
        row("load all that ships", {engine: median(times) for engine, times in seconds.items()}, "s", None),
        row("market-share, nothing remembered, 95th percentile", _p95(cold), "ms", None),
        row("market-share, remembered, 95th percentile", _p95(warm), "ms", None),
        row("size", size, "MB", None),
    ]


def _load(url: str) -> float:
    """Seconds that it takes to load all that ships into an empty database."""
    began = perf_counter()
    engine = open_engine(url)
    pipeline.create(engine)
    pipeline.load_bundled(engine, bundle.sources(), keep=None, tell=lambda _: None)
    pipeline.load_curated(engine, keep=None, tell=lambda _: None)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return perf_counter() - began


def _share(engine: Engine, query: str) -> float:
    """Milliseconds that market-share takes to say what the data say about a selection."""
    chart = chart_of("market-share")
    selection = Selection.from_query(query, defaults=chart.defaults)
    began = perf_counter()
    with engine.connect() as connection:
        reading = chart.load(connection, selection, today=TODAY)
    milliseconds = 1000 * (perf_counter() - began)
    assert reading.title
    return milliseconds


def _p95(times: dict[str, list[float]]) -> dict[str, float]:
    return {engine: quantiles(of, n=20)[-1] for engine, of in times.items()}
