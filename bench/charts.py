"""The chart's callback, from request to response, on the bundled figures and on ten times as many in other markets."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from sqlalchemy import Engine, func, insert, literal, select

from bench.report import Row
from dashboard.app import create_app
from db import schema
from db.store import open_engine, writing
from etl import bundle, pipeline

COPIES = 10
REPEATS = 20
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
        real = _Callback(open_engine(f"sqlite:///{folder / 'real.sqlite'}"))
        grown = _Callback(open_engine(f"sqlite:///{folder / 'grown.sqlite'}"))
        times: dict[str, list[float]] = {"real": [], "grown": []}
        for query in SELECTIONS:
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


class _Callback:
    """The callback that answers every action on the Market page."""

    def __init__(self, engine: Engine) -> None:
        self._client = create_app(engine).server.test_client()
        specs = self._client.get("/_dash-dependencies").get_json()
        self._spec = next(spec for spec in specs if "plot.figure" in spec["output"])

    def seconds(self, query: str) -> float:
        """How long the callback takes to answer for a query string."""
        body = self._body(query)
        began = perf_counter()
        response = self._client.post("/_dash-update-component", json=body)
        seconds = perf_counter() - began
        assert response.status_code == 200, response.text
        drawn = response.get_json()["response"]["plot"]["figure"]["data"]
        assert drawn, f"nothing was drawn for '{query}'"
        return seconds

    def _body(self, query: str) -> dict[str, Any]:
        values = {"address.search": f"?{query}" if query else "", "look.data": "light-wide"}
        outputs = self._spec["output"].strip(".").split("...")
        return {
            "output": self._spec["output"],
            "outputs": [dict(zip(("id", "property"), name.rsplit(".", 1), strict=True)) for name in outputs],
            "inputs": [
                {**each, "value": values.get(f"{each['id']}.{each['property']}")} for each in self._spec["inputs"]
            ],
            "state": [],
            "changedPropIds": ["address.search"],
        }
