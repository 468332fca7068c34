"""Databases for the tests: one with the bundled figures, loaded once a process, and fresh empty ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Engine

from db.store import open_engine
from etl import bundle, pipeline

# A change is tested on the same examples every time; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(scope="session")
def bundled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the bundled figures. Read it, and copy it before writing."""
    path = tmp_path_factory.mktemp("bundled") / "ev_market.sqlite"
    engine = open_engine(f"sqlite:///{path}")
    pipeline.create(engine)
    pipeline.load_bundled(engine, bundle.sources(), keep=None, tell=lambda _: None)
    pipeline.load_curated(engine, keep=None, tell=lambda _: None)
    pipeline.cross_check(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def bundled_url(bundled_file: Path) -> str:
    """The URL of the database with the bundled figures."""
    return f"sqlite:///{bundled_file}"


@pytest.fixture(scope="session")
def bundled_engine(bundled_url: str) -> Iterator[Engine]:
    """An engine on the bundled figures, for reading."""
    engine = open_engine(bundled_url)
    yield engine
    engine.dispose()


@pytest.fixture
def bundled_copy(bundled_file: Path, tmp_path: Path) -> Path:
    """A copy of the database with the bundled figures, for writing."""
    return Path(shutil.copy(bundled_file, tmp_path / "ev_market.sqlite"))


@pytest.fixture
def empty_engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine on a database with tables and markets, and no figures."""
    engine = open_engine(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    pipeline.create(engine)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs in a folder of its own, without the user's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "SNAPSHOTS"):
        monkeypatch.delenv(name, raising=False)
