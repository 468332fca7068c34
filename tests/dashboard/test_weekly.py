"""The Monday job: what `make weekly` does in which order, whatever becomes of the download."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKE = shutil.which("make")
pytestmark = pytest.mark.skipif(not MAKE, reason="needs make")

STAND_IN = """#!/bin/sh
echo "$@" >> {log}
case "$*" in *"etl fetch"*) exit {fetch} ;; *) exit {report} ;; esac
"""


def weekly(folder: Path, *, fetch: int, report: int = 0, week: str = "") -> tuple[int, list[str]]:
    """Run `make weekly` with a stand-in for Python that ends with these codes; the code of make, and what it ran."""
    log = folder / "ran"
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(STAND_IN.format(log=log, fetch=fetch, report=report))
    python.chmod(0o755)
    (folder / "venv" / "ready").touch()
    assert MAKE
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "WEEK")}
    done = subprocess.run(
        # Nothing is installed here: the browser is what another target sees to.
        [MAKE, "-C", ROOT, "-o", "browser", "weekly", f"VENV={folder / 'venv'}", *([f"WEEK={week}"] if week else [])],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, log.read_text().splitlines()


def test_the_job_downloads_then_reports_and_sends(tmp_path: Path) -> None:
    code, ran = weekly(tmp_path, fetch=0)
    assert (code, ran) == (0, ["-m etl fetch", "-m dashboard.report --send"])


def test_a_download_that_fails_is_reported_as_stale_and_sent_all_the_same(tmp_path: Path) -> None:
    code, ran = weekly(tmp_path, fetch=1)
    assert (code, ran) == (0, ["-m etl fetch", "-m dashboard.report --send --stale"])


def test_a_report_that_fails_fails_the_job(tmp_path: Path) -> None:
    code, _ = weekly(tmp_path, fetch=0, report=1)
    assert code != 0


def test_the_job_can_be_done_for_another_week(tmp_path: Path) -> None:
    _, ran = weekly(tmp_path, fetch=0, week="2026-W27")
    assert ran[1] == "-m dashboard.report --send --week 2026-W27"
