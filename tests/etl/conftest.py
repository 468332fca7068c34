"""What the tests of the write side share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of upstream's own files; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"upstream's own files are not at {SHARED}: they do not ship with the project")
    return SHARED
