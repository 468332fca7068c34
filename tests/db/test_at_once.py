"""Several processes on one database: loaders, rebuilds and readers, none of which loses or sees half of anything."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from time import sleep

import pytest
from sqlalchemy import Connection, Engine

from db import market_claims
from db.contents import Outcome
from db.database import open_engine
from db.memory import MEMORY
from etl import pipeline
from etl.pipeline import Refusal
from etl.snapshots import SnapshotStore
from tests import world
from tests.world import rows
from tests.world.rows import NewDatabase

COUNTRIES = ("DE", "NO")
DAYS = 3
MAKERS = 20
READERS = 10
SECONDS = 120
"""After which a process that hangs is ended, and the test fails."""

OVER = Path("over")
"""The file that tells the readers that nobody writes any more."""

KEPT = SnapshotStore(Path("kept"))


def start(url: str, work: Callable[[Engine], None]) -> int:
    """Do some work on an engine of its own in a process of its own; the number of the process."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        signal.alarm(SECONDS)
        work(open_engine(url))
        code = 0
    except BaseException:
        Path(f"failed-{os.getpid()}").write_text(traceback.format_exc())
    finally:
        os._exit(code)


def exit_code(process: int) -> int:
    """What a process ended with, waited for."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def load(engine: Engine, country: str) -> None:
    """A vintage a day, each of all makers: 1 car each on the first day, 2 each on the second."""
    for day in range(DAYS):
        content = world.record({f"Maker {n}|Model {n}": day + 1 for n in range(MAKERS)}, country=country)
        known_on = world.DAY + timedelta(day)
        told: list[Outcome | Refusal] = []
        snapshot = world.snapshot(content, file=f"data/data-{country}.js", known_on=known_on)
        pipeline.load(engine, [snapshot], keep=KEPT, tell=told.append)
        assert [outcome.loaded for outcome in told if isinstance(outcome, Outcome)] == [MAKERS], told


def rebuild(engine: Engine) -> None:
    for _ in range(2):
        pipeline.rebuild(engine, keep=KEPT, tell=lambda _: None)


def seen(connection: Connection) -> dict[str, list[int]]:
    """The units of each country, nothing remembered."""
    MEMORY.forget()
    figures = market_claims.sales_figures(
        connection, markets=COUNTRIES, bases=["registration"], powertrains=["BEV"]
    ).frame
    return {str(market): sorted(units) for market, units in figures.groupby("market", observed=True)["units"]}


def read(engine: Engine) -> None:
    """Look again and again, and once more when all is over: always one whole vintage, and never an earlier one."""
    latest = dict.fromkeys(COUNTRIES, 0)
    is_over = False
    while not is_over:
        is_over = OVER.exists()
        with engine.connect() as connection:
            found = seen(connection)
            assert seen(connection) == found, "one transaction saw two states"
        for country in COUNTRIES:
            units = found.get(country, [])
            assert len(units) in (0, MAKERS), (country, units)
            assert len(set(units)) <= 1, (country, units)
            day = units[0] if units else 0
            assert day >= latest[country], f"{country} went back from {latest[country]} to {day}"
            latest[country] = day
        sleep(0.2)  # leaves the loaders some of the machine
    assert latest == dict.fromkeys(COUNTRIES, DAYS)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_two_loaders_a_rebuild_and_ten_readers_at_once_lose_nothing_and_see_no_half_snapshot(
    new_database: NewDatabase,
) -> None:
    """Germany and Norway come in three vintages each, of figures that are all 1, all 2, all 3."""
    url = new_database("at_once")
    engine = open_engine(url)
    pipeline.create(engine)
    with engine.connect() as connection:
        assert seen(connection) == {}  # with which all is imported that every reader would import by itself
    engine.dispose()
    readers = [start(url, read) for _ in range(READERS)]
    loaders = [start(url, partial(load, country=country)) for country in COUNTRIES]
    codes = [exit_code(process) for process in loaders]
    codes.append(exit_code(start(url, rebuild)))
    OVER.touch()
    codes += [exit_code(process) for process in readers]
    assert [path.read_text() for path in Path().glob("failed-*")] == []
    assert set(codes) == {0}
    for country in COUNTRIES:
        file = f"data/data-{country}.js"
        for day in range(DAYS):
            stood = rows.figures(engine, as_of=date(2026, 3, 1) + timedelta(day), file=file).values()
            assert sorted(stood) == [day + 1] * MAKERS, (country, day)
    assert len(rows.snapshots(engine)) == len(COUNTRIES) * DAYS
    rows.healthy(engine)
    engine.dispose()
