"""The made-up record of the projection with its fits, made once a process: they take seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.world import projections


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine on the made-up record with its fits, now and in May 2024, for reading."""
    engine = projections.fitted(tmp_path_factory.mktemp("fitted"))
    yield engine
    engine.dispose()
