"""Ten million figures: a made-up world around the real one, and what it costs.

Made-up countries are added, each a file of a made-up publisher that restates all its figures once a month: more markets
and more vintages. The real figures stay as they are, so what is drawn is the same in both databases. FIGURES says how
many there shall be (10,000,000), GROWN where the database is kept, CHARTS the charts that are asked (all).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter

from dash._utils import to_json
from sqlalchemy import func, select

from bench.cards import CHARTS
from bench.charts import bundled_database
from bench.report import Row
from dashboard import pictures, report
from dashboard.charts.chart import Chart
from dashboard.pages import PAGES, board, card
from dashboard.pages.page import Page, Site
from dashboard.report_list import sheets
from db import Engine, database, schema, store
from db.contents import Contents, Receipt, Source
from db.database import open_engine, writing
from db.memory import MEMORY
from db.vocabulary import ALL, Cadence, Obtained, States

FIGURES = int(os.environ.get("FIGURES") or 10_000_000)
GROWN = os.environ.get("GROWN", "")
"""Where the grown database is kept, to be made once and measured again; in a folder that is removed, where not set."""

VINTAGES, YEARS, MAKERS = 10, 10, 60
"""Restatements of each made-up file, the years that it covers in months, and the makers that it names."""

PUBLISHER = Source(
    slug="made-up-register",
    title="Made-up register",
    publisher="Nobody",
    url="https://example.org/register",
    licence="none",
    licence_url="https://example.org/licence",
    states=States.MARKET,
    cadence=Cadence.MONTHLY,
    lag_days=30,
    precedence=100,
    warning="These figures are made up.",
)

TODAY = date(2026, 7, 24)
WEEK, SUNDAY = "2026-W30", date(2026, 7, 26)

QUERIES = (
    "",
    "window=ttm",
    "market=CN",
    "market=NO&by=model",
    "measure=units&market=US&grain=quarter",
    "as_of=2025-03-01",
)
"""What is asked of every chart, in both databases."""


def measure() -> list[Row]:
    """What the grown database costs against the real one."""
    rows: list[Row] = []
    with TemporaryDirectory() as name:
        real, grown = Path(name) / "real.sqlite", Path(GROWN or f"{name}/grown.sqlite")
        bundled_database(real)
        few = figures(real)
        if not grown.exists():
            rows += _load(grown, few)
        many = figures(grown)
        _say(f"{many:,} figures: {grown.stat().st_size / 1e6:,.0f} MB against {real.stat().st_size / 1e6:,.0f} MB")
        rows.append(
            Row("bytes a figure in the database", grown.stat().st_size / many, real.stat().st_size / few, "B", 1.5)
        )
        rows += [read(grown, real) for read in (_status, _cross_check)]
        rows += _cards(grown, real)
        rows.append(Row("the weekly report", _report(grown, Path(name)), _report(real, Path(name)), "s", 2.0))
    return rows


def _load(grown: Path, few: int) -> list[Row]:
    """Make the grown database, and say how its last files were loaded against its first."""
    bundled_database(grown)
    seconds = list(_grow(grown, FIGURES - few))
    loaded = MAKERS * YEARS * 12
    _say(f"loaded in {sum(seconds):.0f} s: {len(seconds) * loaded / sum(seconds):,.0f} figures a second")
    # Of each file the first vintage is only written, and the others are compared with what it had said.
    restated = seconds[len(seconds) // VINTAGES :]
    what = f"load of {loaded:,} restated figures, once there are {FIGURES:,}, against the first ones"
    return [Row(what, median(restated[-50:]), median(restated[:50]), "s", 1.5)]


def figures(path: Path) -> int:
    """How many figures a database stores, those that do not stand any more included."""
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = connection.execute(select(func.count()).select_from(schema.sales)).scalar_one()
    engine.dispose()
    return int(found)


def _grow(path: Path, more: int) -> Iterator[float]:
    """Load made-up files until there are so many more figures; the seconds that each took."""
    engine = open_engine(f"sqlite:///{path}")
    countries = -(-more // (VINTAGES * MAKERS * YEARS * 12))
    codes = [f"Z{n}" for n in range(countries)]
    with writing(engine) as connection:
        database.create(
            connection,
            markets=[{"code": code, "name": f"Made-up {code}", "adjective": code, "kind": "country"} for code in codes],
        )
    done = 0
    for vintage in range(VINTAGES):
        for code in codes:
            contents, receipt = _file(code, vintage)
            began = perf_counter()
            with writing(engine) as connection:
                store.load_snapshot(connection, source=PUBLISHER, receipt=receipt, contents=contents)
            yield perf_counter() - began
            done += 1
            if done % 100 == 0:
                _say(f"{done} of {countries * VINTAGES} made-up files loaded")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


def _file(code: str, vintage: int) -> tuple[Contents, Receipt]:
    """A made-up file as restated: each figure is one car more than the month before."""
    months = [date(2016 + n // 12, n % 12 + 1, 1) for n in range(YEARS * 12)]
    makers = {f"made-up-{n}": f"Made-up {n}" for n in range(MAKERS)}
    evidence = f"register of {code}"
    sales = [
        (
            code,
            "registration",
            "BEV",
            "passenger_car",
            "month",
            maker,
            ALL,
            month,
            1_000 * (n + 1) + vintage,
            line,
            evidence,
        )
        for n, maker in enumerate(makers)
        for line, month in enumerate(months, start=2)
    ]
    known = date(2025, 1 + vintage, 1)
    receipt = Receipt(
        source=PUBLISHER.slug,
        file=f"made-up/{code}.csv",
        known_on=known,
        origin_url="https://example.org/register",
        retrieved_at=None,
        sha256=f"{code}-{vintage}".rjust(64, "0"),
        bytes=len(sales),
        obtained=Obtained.FOLDER,
    )
    contents = Contents(
        sales=sales,
        groups=(),
        makers=makers,
        models={},
        evidence={evidence: ("https://example.org/register", "")},
        rows_read=len(sales),
    )
    return contents, receipt


def _status(grown: Path, real: Path) -> Row:
    from db import health

    seconds = []
    for path in (grown, real):
        engine = open_engine(f"sqlite:///{path}")
        seconds.append(_median(lambda engine=engine: health.status(engine, on=TODAY), times=1))
        engine.dispose()
    return Row("etl status", *seconds, "s", None)


def _cross_check(grown: Path, real: Path) -> Row:
    from etl import pipeline

    seconds = []
    for path in (grown, real):
        engine = open_engine(f"sqlite:///{path}")
        seconds.append(_median(lambda engine=engine: pipeline.cross_check(engine), times=1))
        engine.dispose()
    return Row("rules across figures, after every load", *seconds, "s", None)


def _median(do: object, *, times: int) -> float:
    found = []
    for _ in range(times):
        began = perf_counter()
        do()  # type: ignore[operator]
        found.append(perf_counter() - began)
    return median(found)


def _cards(grown: Path, real: Path) -> list[Row]:
    """The slowest of a chart's answers, as served and cold, each in both databases."""
    rows = []
    engines = [open_engine(f"sqlite:///{path}") for path in (grown, real)]
    for page in PAGES:
        for chart in (chart for chart in page.charts if not CHARTS or chart.slug in CHARTS):
            served, cold = zip(*(_of_card(engine, page, chart) for engine in engines), strict=True)
            rows.append(Row(f"card of {chart.slug}, as served, 95th percentile", *served, "ms", 2.0))
            rows.append(Row(f"card of {chart.slug}, first after a load", *cold, "ms", 2.0))
            _say(f"{chart.slug}: {served[0]:.0f} / {served[1]:.0f} ms, cold {cold[0]:.0f} / {cold[1]:.0f} ms")
    for engine in engines:
        engine.dispose()
    return rows


def _of_card(engine: Engine, page: Page, chart: Chart) -> tuple[float, float]:
    site = Site(engine=engine, address="", today=lambda: TODAY)
    MEMORY.forget()
    cold = _seconds(site, page, chart, "")
    list(board.answers_ahead(site, (page,)))
    served = [_seconds(site, page, chart, query) for _ in range(3) for query in QUERIES]
    MEMORY.forget()
    return 1000 * quantiles(served, n=20)[-1], 1000 * cold


def _seconds(site: Site, page: Page, chart: Chart, query: str) -> float:
    began = perf_counter()
    reply = card.answer(site, page, chart, query)
    to_json(card.contents(page, chart, reply, "light-wide"))
    return perf_counter() - began


def _report(path: Path, folder: Path) -> float:
    engine = open_engine(f"sqlite:///{path}")
    MEMORY.forget()
    listed = [sheet for sheet in sheets(report.SHEETS) if not sheet.chart.slug.startswith("fsd-")]
    began = perf_counter()
    report.make(engine, listed, week=WEEK, day=SUNDAY, out=folder / f"{path.stem}-reports")
    seconds = perf_counter() - began
    pictures.close()
    engine.dispose()
    return seconds


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
