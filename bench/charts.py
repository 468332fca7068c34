"""The chart's callback, from request to response, on the bundled figures and on ten times as many in other markets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from sqlalchemy import func, insert, literal, select

from bench import asking, serving
from bench.report import Row
from dashboard.actions import PATH
from dashboard.pages.market import MARKET
from db import schema
from db.database import open_engine, writing
from etl import bundle, pipeline

COPIES = 10
REPEATS = 20
_REAL, _GROWN = 8153, 8154
SELECTIONS = (
    "",
    "window=ttm",
    "market=CN",
    "market=CN&window=ttm&makers=byd,tesla",
    "market=US&grain=quarter",
    "market=GB&grain=year",
    "market=NO&by=model&window=ttm",
    "by=group&measure=units",
    "measure=growth&window=ytd",
    "powertrain=ALL",
    "of=ALL&window=3m",
    "as_of=2025-03-01",
    "since=2026-06&until=2026-06",
)


def measure() -> list[Row]:
    """The rows of the chart benchmark: 95th percentiles over all selections."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        bundled_database(folder / "real.sqlite")
        shutil.copy(folder / "real.sqlite", folder / "grown.sqlite")
        _grow(folder / "grown.sqlite")
        times: dict[str, list[float]] = {"real": [], "grown": []}
        with serving.app(f"{name}/real.sqlite", _REAL), serving.app(f"{name}/grown.sqlite", _GROWN):
            real, grown = Callback(_REAL), Callback(_GROWN)
            for query in SELECTIONS:
                # The first answer of each worker to a selection is not what an analyst waits for all day.
                for callback in (real, grown) * 4:
                    callback.seconds(query)
                for _ in range(REPEATS):
                    times["real"].append(real.seconds(query))
                    times["grown"].append(grown.seconds(query))
            wide = [real.seconds("market=DE,FR,ES,IT,GB&window=ttm") for _ in range(REPEATS)]
    p95 = {name: 1000 * quantiles(values, n=20)[-1] for name, values in times.items()}
    return [
        Row("chart callback, 95th percentile, against 50 ms", p95["real"], 50.0, "ms", 1.0),
        Row(f"the same with {COPIES} times the figures, in other markets", p95["grown"], p95["real"], "ms", 1.5),
        Row("sum of five large markets, against 100 ms", 1000 * quantiles(wide, n=20)[-1], 100.0, "ms", None),
    ]


def bundled_database(path: Path) -> None:
    """A database with the bundled figures."""
    engine = open_engine(f"sqlite:///{path}")
    pipeline.create(engine)
    pipeline.load_bundled(engine, bundle.sources(), keep=None, tell=lambda _: None)
    pipeline.load_curated(engine, keep=None, tell=lambda _: None)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


def _grow(path: Path) -> None:
    """Add copies of every figure in made-up markets, so that there are `COPIES` times as many."""
    engine = open_engine(f"sqlite:///{path}")
    series, sales, market = schema.series, schema.sales, schema.market
    with writing(engine) as connection:
        step = int(connection.execute(select(func.max(series.c.id))).scalar_one())
        real = connection.execute(select(series.c.market).distinct()).scalars().all()
        for copy in range(1, COPIES):
            connection.execute(
                insert(market),
                [
                    {"code": f"{code}{copy}", "name": f"{code}{copy}", "adjective": code, "kind": "country"}
                    for code in real
                ],
            )
            others = [column for column in series.c if column.name not in ("id", "market")]
            connection.execute(
                insert(series).from_select(
                    ["id", "market", *(column.name for column in others)],
                    select(series.c.id + copy * step, series.c.market + str(copy), *others).where(series.c.id <= step),
                )
            )
            rest = [column for column in sales.c if column.name != "series_id"]
            connection.execute(
                insert(sales).from_select(
                    ["series_id", *(column.name for column in rest)],
                    select(sales.c.series_id + literal(copy * step), *rest).where(sales.c.series_id <= step),
                )
            )
    engine.dispose()


class Callback:
    """The callback that answers every action on the Market page, asked over HTTP."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._specs: asking.Specs = json.loads(serving.get(port, "/_dash-dependencies"))

    def seconds(self, query: str) -> float:
        """How long the answer for a query string takes, to its last byte."""
        body = self.body(query)
        began = perf_counter()
        answer = serving.post(self._port, PATH, body)
        seconds = perf_counter() - began
        drawn = list(_figures(json.loads(answer)["response"]))
        assert drawn, f"nothing was drawn for '{query}'"
        assert all(figure["data"] for figure in drawn), f"nothing was drawn for '{query}'"
        return seconds

    def body(self, query: str) -> bytes:
        """What the browser posts when the address changes to a query string."""
        return json.dumps(asking.act(self._specs, MARKET, query)).encode()


def _figures(part: Any) -> Iterator[dict[str, Any]]:
    """Every figure in an answer, however deep in its components."""
    if isinstance(part, dict):
        if "figure" in part:
            yield part["figure"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _figures(each)
