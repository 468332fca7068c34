"""A whole weekly report of twelve sheets against its twelve figures written one by one with plotly's `write_image`."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import plotly.graph_objects as go

from bench.charts import bundled_database
from bench.report import Row
from dashboard import pictures, report
from dashboard.downloads import framed
from dashboard.report_list import Sheet, sheets
from dashboard.selection import Selection
from dashboard.style import SHEET, Figure
from db import Engine
from db.database import open_engine

WEEK, DAY = "2026-W30", date(2026, 7, 26)
MARKETS = ("CN", "DE", "GB", "NO", "US", "FR", "SE", "IT", "ES", "DK", "AT", "BE")


def measure() -> list[Row]:
    """One row: seconds for the report, with digest, index, figures and receipts, and for the bare pictures."""
    with TemporaryDirectory() as name:
        bundled_database(Path(name) / "real.sqlite")
        engine = open_engine(f"sqlite:///{name}/real.sqlite")
        twelve = _twelve()
        gc.collect()
        gc.freeze()  # as the command does: what was loaded and imported stays
        began = perf_counter()
        report.make(engine, twelve, week=WEEK, day=DAY, out=Path(name) / "reports")
        ours = perf_counter() - began
        pictures.close()
        figures = _figures(engine, twelve)
        began = perf_counter()
        for number, figure in enumerate(figures):
            _write(figure, Path(name) / f"{number}.png")
        against = perf_counter() - began
        engine.dispose()
    return [Row("report of 12 sheets, against write_image one by one", ours, against, "s", 0.25)]


def _twelve() -> tuple[Sheet, ...]:
    """Twelve sheets: the shares of makers in twelve markets, as the list that ships asks for those of Norway."""
    like = next(sheet for sheet in sheets(report.SHEETS) if sheet.name == "Norway")
    return tuple(
        Sheet(
            name=code,
            chart=like.chart,
            selection=Selection.from_query(
                f"market={code}&window=ttm&since=2020-01" + ("&grain=quarter" if code in ("US", "GB") else ""),
                defaults=like.chart.defaults,
            ),
            when="always",
        )
        for code in MARKETS
    )


def _figures(engine: Engine, twelve: Sequence[Sheet]) -> list[Figure]:
    with engine.connect() as connection:
        readings = [sheet.chart.load(connection, sheet.selection, today=DAY) for sheet in twelve]
    drawn = zip(twelve, readings, strict=True)
    return [framed(sheet.chart, reading, look=SHEET, site="") for sheet, reading in drawn]


def _write(figure: Figure, path: Path) -> None:
    go.Figure(figure).write_image(path, format="png", width=SHEET.width, height=SHEET.height, scale=SHEET.scale)
