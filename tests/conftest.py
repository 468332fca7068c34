"""Databases for the tests, on the engine that `--engine` names: one with the bundled figures, and empty ones.

On PostgreSQL all of them are on one temporary server, which the run starts and ends with.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from choreographer.browsers import Chromium
from hypothesis import settings
from sqlalchemy import Engine

from db.database import open_engine
from etl import bundle, pipeline
from tests.world.rows import NewDatabase

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.postgres import Server

# A change is tested on the same examples every time; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

_SERVER: Final = "EV_MARKET_TEST_SERVER"
"""Names the folder of the server's socket to the processes among which the tests are shared out."""

_BUNDLED: Final = "bundled"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The engine on which all databases of the tests are."""
    parser.addoption("--engine", choices=("sqlite", "postgresql"), default="sqlite", help="the databases' engine")


def pytest_configure(config: pytest.Config) -> None:
    """Start the server, where one is needed and none was started for this run."""
    # Where the run was begun in the background, an interruption is ignored, and by all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "only(engine, why): what it tests is of one engine, for the reason given")
    if config.getoption("--engine") == "sqlite":
        return
    if not hasattr(config, "workerinput"):
        from tests import postgres

        try:
            running = ExitStack()
            os.environ[_SERVER] = str(running.enter_context(postgres.server(postgres.HASTY)).folder)
        except postgres.NoServer as error:
            raise pytest.UsageError(str(error)) from error
        config.add_cleanup(running.close)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is of the other engine."""
    engine = config.getoption("--engine")
    of_another = [item for item in items for mark in item.iter_markers("only") if mark.args[0] != engine]
    if of_another:
        config.hook.pytest_deselected(items=of_another)
        items[:] = [item for item in items if item not in of_another]


@pytest.fixture(scope="session")
def postgresql(pytestconfig: pytest.Config) -> Server | None:
    """The PostgreSQL server of this run; None where it is on SQLite."""
    if pytestconfig.getoption("--engine") == "sqlite":
        return None
    from tests.postgres import Server

    return Server(Path(os.environ[_SERVER]))


# One of a process: Playwright refuses a second while the first runs, and whoever asked first keeps it to the end.
@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The Chromium in which tests look at pages and drawings."""
    from playwright.sync_api import sync_playwright

    path = Chromium.find_browser(skip_local=False)
    if path is None:
        pytest.skip("no Chromium, Chrome or Edge on this machine")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


_numbers = count(1)


def _unique(name: str) -> str:
    """A database's name on the server, on which every process of this run makes its own."""
    return re.sub(r"\W", "_", f"{name}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{next(_numbers)}").lower()


@pytest.fixture
def new_database(postgresql: Server | None, tmp_path: Path) -> Iterator[NewDatabase]:
    """Makes empty databases of the test's own."""
    if postgresql is None:
        yield lambda name: f"sqlite:///{tmp_path / name}.sqlite"
        return
    made: dict[str, str] = {}

    def make(name: str) -> str:
        if name not in made:
            made[name] = _unique(name)
            postgresql.create(made[name])
        return postgresql.url(made[name])

    yield make
    for database in made.values():
        postgresql.drop(database)


@pytest.fixture
def default_url(new_database: NewDatabase, postgresql: Server | None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the empty database that is meant in this test where none is named."""
    url = new_database("ev_market")
    if postgresql:
        monkeypatch.setenv("DATABASE_URL", url)
    return url


def _load_bundled(url: str) -> None:
    engine = open_engine(url)
    pipeline.create(engine)
    pipeline.load_bundled(engine, bundle.sources(), keep=None, tell=lambda _: None)
    pipeline.load_curated(engine, keep=None, tell=lambda _: None)
    pipeline.cross_check(engine)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


@pytest.fixture(scope="session")
def _bundled(postgresql: Server | None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database with the bundled figures that is copied and never used: a file, or a name on the server."""
    if postgresql is None:
        path = tmp_path_factory.mktemp("bundled") / "ev_market.sqlite"
        _load_bundled(f"sqlite:///{path}")
        return str(path)
    with postgresql.alone():
        if not postgresql.has(_BUNDLED):
            _load_bundled(postgresql.create("bundling"))
            postgresql.rename("bundling", _BUNDLED)
    return _BUNDLED


@pytest.fixture(scope="session")
def bundled_url(postgresql: Server | None, _bundled: str) -> Iterator[str]:
    """The URL of a database with the bundled figures. Read it; `bundled_copy` is for writing."""
    if postgresql is None:
        yield f"sqlite:///{_bundled}"
        return
    name = _unique(_BUNDLED)
    yield postgresql.create(name, template=_bundled)
    postgresql.drop(name)


@pytest.fixture(scope="session")
def bundled_engine(bundled_url: str) -> Iterator[Engine]:
    """An engine on the bundled figures, for reading."""
    engine = open_engine(bundled_url)
    yield engine
    engine.dispose()


@pytest.fixture
def bundled_copy(
    postgresql: Server | None, _bundled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The URL of a copy of the bundled figures, for writing, which is meant where none is named."""
    if postgresql is None:
        shutil.copy(_bundled, tmp_path / "ev_market.sqlite")
        yield f"sqlite:///{tmp_path}/ev_market.sqlite"
        return
    name = _unique("copy")
    url = postgresql.create(name, template=_bundled)
    monkeypatch.setenv("DATABASE_URL", url)
    yield url
    postgresql.drop(name)


@pytest.fixture
def empty_engine(new_database: NewDatabase) -> Iterator[Engine]:
    """An engine on a database with tables and markets, and no figures."""
    engine = open_engine(new_database("empty"))
    pipeline.create(engine)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs in a folder of its own, without the user's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "SNAPSHOTS"):
        monkeypatch.delenv(name, raising=False)
