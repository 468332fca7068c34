"""Loading: the whole way from files to committed rows, against merely inserting the same rows with pandas."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import pandas as pd
from sqlalchemy import select

from bench.report import Row
from bench.upstream import write_files
from db import schema
from db.contents import Outcome
from db.database import open_engine
from etl import pipeline
from etl.pipeline import Refusal
from etl.snapshots import SnapshotStore
from etl.sources import CONNECTORS

REPEATS = 5
_DAY = date(2026, 7, 23)


def measure() -> list[Row]:
    """The rows of the load benchmark."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        figures = write_files(folder / "upstream")
        first, second, pandas_only = [], [], []
        for repeat in range(REPEATS):
            loaded = _load(folder / "upstream", folder / f"{repeat}")
            assert loaded == figures, f"{loaded} of {figures} figures loaded"
            first.append(_seconds)
            assert _load(folder / "upstream", folder / f"{repeat}") == 0
            second.append(_seconds)
            pandas_only.append(_to_sql(folder / f"{repeat}", folder / f"{repeat}" / "pandas.sqlite"))
        peak = _peak_megabytes(folder / "upstream", folder / "peak")
    return [
        Row(
            f"load {figures:,} figures, parse to committed, against DataFrame.to_sql of the rows alone",
            median(first),
            median(pandas_only),
            "s",
            1.0,
        ),
        Row("load the same files again, against the first load", median(second), median(first), "s", 0.1),
        Row("peak memory of the load, against 400 MB", peak, 400.0, "MB", 1.0),
    ]


_seconds = 0.0


def _load(upstream: Path, target: Path) -> int:
    """Load the files into a database in `target`; how many figures were new. The time goes into `_seconds`."""
    global _seconds
    target.mkdir(exist_ok=True)
    outcomes: list[Outcome] = []

    def tell(told: Outcome | Refusal) -> None:
        assert isinstance(told, Outcome), told
        outcomes.append(told)

    began = perf_counter()
    engine = open_engine(f"sqlite:///{target / 'ev_market.sqlite'}")
    pipeline.create(engine)
    moment = datetime(2026, 7, 23, 12, tzinfo=UTC)
    snapshots = pipeline.snapshots_in(upstream, CONNECTORS, known_on=_DAY, retrieved_at=moment)
    pipeline.load(engine, snapshots, keep=SnapshotStore(target / "snapshots"), tell=tell)
    engine.dispose()
    _seconds = perf_counter() - began
    return sum(outcome.loaded for outcome in outcomes)


def _to_sql(target: Path, other: Path) -> float:
    """Seconds that pandas takes to insert the rows of the sales table into a table of its own."""
    engine = open_engine(f"sqlite:///{target / 'ev_market.sqlite'}")
    with engine.connect() as connection:
        rows = pd.DataFrame(connection.execute(select(schema.sales)).mappings().all())
    engine.dispose()
    engine = open_engine(f"sqlite:///{other}")
    began = perf_counter()
    with engine.begin() as connection:
        rows.to_sql("sales", connection, index=False)
    seconds = perf_counter() - began
    engine.dispose()
    return seconds


def _peak_megabytes(upstream: Path, target: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", str(upstream), str(target)], capture_output=True, text=True, check=True
    )
    return float(json.loads(done.stdout)["peak_megabytes"])


if __name__ == "__main__":
    _load(Path(sys.argv[1]), Path(sys.argv[2]))
    print(json.dumps({"peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
