"""The command line of the exports: what it writes, and its exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from dashboard.downloads import Download, answer
from dashboard.export import app
from dashboard.selection import NAMES

ROOT = Path(__file__).parents[2]


def export(*arguments: str, url: str) -> Result:
    """What the command says, run in this process."""
    return CliRunner().invoke(app, arguments, env={"DATABASE_URL": url})


def from_the_shell(*arguments: str, url: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "dashboard.export", *arguments],
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": url, **environment},
    )


def test_standard_output_is_the_download(bundled_url: str, bundled_engine: Engine) -> None:
    done = from_the_shell(
        "market-share", "--query", "market=UK&as_of=2026-07-24", "--format", "json", "--out", "-", url=bundled_url
    )
    assert (done.returncode, done.stderr) == (0, b"")
    made = answer(
        bundled_engine, "market-share", "json", "market=GB&as_of=2026-07-24", site="", today=date(2026, 7, 24)
    )
    assert isinstance(made, Download)
    assert done.stdout == made.body


def test_a_file_is_written_whole_and_alone(bundled_url: str, tmp_path: Path) -> None:
    target = tmp_path / "out" / "share.csv"
    target.parent.mkdir()
    done = export("market-share", "--out", str(target), url=bundled_url)
    assert (done.exit_code, done.stdout) == (0, "")
    assert target.read_text().startswith("period_start,grain,")
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["market-share", "--query", "market=XX", "--out", "-"], 2),
        (["market-share", "--query", "colour=red", "--out", "-"], 2),
        (["market-share", "--query", "powertrain=PHEV", "--out", "-"], 1),
        (["market-share", "--query", "market=EU,DE", "--out", "-"], 1),
        (["market-share", "--out", "no/such/folder/x.csv"], 1),
    ],
)
def test_a_refusal_is_one_line_and_nothing_else(bundled_url: str, arguments: list[str], code: int) -> None:
    done = export(*arguments, url=bundled_url)
    assert (done.exit_code, done.stdout) == (code, "")
    assert len(done.stderr.splitlines()) == 1


def test_the_shell_sees_a_refusal_as_the_commands_exit_code(bundled_url: str) -> None:
    done = from_the_shell("market-share", "--query", "market=XX", "--out", "-", url=bundled_url)
    assert (done.returncode, done.stdout) == (2, b"")
    assert len(done.stderr.decode().splitlines()) == 1


def test_unknown_charts_and_formats_are_wrong_usage(bundled_url: str) -> None:
    for arguments in (["nothing", "--out", "-"], ["market-share", "--format", "xlsx", "--out", "-"]):
        done = export(*arguments, url=bundled_url)
        assert (done.exit_code, done.stdout) == (2, "")


def test_without_a_database_there_is_a_remedy(tmp_path: Path) -> None:
    done = export("market-share", "--out", "-", url=f"sqlite:///{tmp_path}/none.sqlite")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "etl load" in done.stderr


def test_without_a_browser_a_picture_fails_and_leaves_nothing(bundled_url: str, tmp_path: Path) -> None:
    target = tmp_path / "share.png"
    arguments = ["market-share", "--format", "png", "--out", str(target)]
    done = from_the_shell(*arguments, url=bundled_url, BROWSER_PATH="/no/such/browser")
    assert done.returncode == 1
    assert len(done.stderr.decode().splitlines()) == 1
    assert not target.exists()


def test_the_help_of_a_chart_tells_its_question_and_defaults(bundled_url: str) -> None:
    done = export("market-share", "--help", url=bundled_url)
    text = done.stdout
    assert done.exit_code == 0
    assert "Who leads, and who gains?" in text
    for name in NAMES:
        assert any(line.split()[:1] == [name] for line in text.splitlines()), name
