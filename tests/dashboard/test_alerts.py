"""The alerts from the shell: what crossed a threshold since the last Sunday, one line each."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from dashboard import alerts, findings
from dashboard.findings import ALERTING, About
from dashboard.thresholds import THRESHOLDS, Thresholds
from tests.dashboard.test_findings import BEFORE, CLIMB, DAY, market

THE_WEEK = ["--as-of", DAY.isoformat(), "--since", BEFORE.isoformat()]


@pytest.fixture
def run(empty_engine: Engine, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("DATABASE_URL", str(empty_engine.url))

    def called(*arguments: str) -> Result:
        return CliRunner().invoke(alerts.app, list(arguments))

    return called


def test_the_last_sunday_is_before_the_day() -> None:
    assert alerts.last_sunday(date(2026, 7, 27)) == date(2026, 7, 26)
    assert alerts.last_sunday(date(2026, 8, 1)) == date(2026, 7, 26)
    assert alerts.last_sunday(date(2026, 7, 26)) == date(2026, 7, 19), "a Sunday's own news are of its week"


def test_an_alert_is_a_line_with_its_kind_and_link(empty_engine: Engine, run) -> None:  # type: ignore[no-untyped-def]
    market(empty_engine, tesla=[*CLIMB, 500], byd=[50] * 37)
    result = run(*THE_WEEK)
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    assert line.startswith("share: Tesla's share of German BEVs registered moved to 13.3 %")
    assert line.endswith(f"/charts/market-share?makers=tesla&window=ttm&as_of={DAY}")


def test_a_finding_without_a_threshold_is_no_alert(empty_engine: Engine) -> None:
    market(empty_engine, tesla=[*CLIMB, 500], byd=[50] * 37)
    with empty_engine.connect() as connection:
        told = findings.told_by_rules(connection, day=DAY, before=BEFORE)
        alerting = alerts.of(connection, day=DAY, before=BEFORE)
    assert {finding.kind for finding in told} == {About.MARKET, About.SHARE}
    assert [finding.kind for finding in alerting] == [About.SHARE]
    assert About.MARKET not in ALERTING


def test_a_quiet_week_says_so_in_one_line(empty_engine: Engine, run) -> None:  # type: ignore[no-untyped-def]
    market(empty_engine, tesla=[*CLIMB, 136], byd=[50] * 37)
    result = run(*THE_WEEK)
    assert result.stdout == f"No threshold was crossed after {BEFORE} and up to {DAY}.\n"


def test_the_thresholds_are_those_of_the_named_file(empty_engine: Engine, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    market(empty_engine, tesla=[*CLIMB, 500], byd=[50] * 37)
    path = tmp_path / "own.toml"
    path.write_text(THRESHOLDS.read_text().replace("at_least = 0.003", "at_least = 0.5"))
    assert Thresholds.read(path).share_at_least == 0.5
    assert run(*THE_WEEK, "--thresholds", str(path)).stdout.startswith("No threshold was crossed")


def test_alerts_can_be_had_as_json(empty_engine: Engine, run) -> None:  # type: ignore[no-untyped-def]
    market(empty_engine, tesla=[*CLIMB, 500], byd=[50] * 37)
    (alert,) = json.loads(run(*THE_WEEK, "--json").stdout)
    assert (alert["kind"], alert["chart"]) == ("share", "market-share")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--as-of", "today"], 2, "no day such as"),
        (["--as-of", "2026-03-08", "--since", "2026-03-08"], 2, "is not before"),
        (["--thresholds", "nowhere.toml"], 1, "nowhere.toml: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_on_standard_error(run, arguments: list[str], code: int, says: str) -> None:  # type: ignore[no-untyped-def]
    result = run(*arguments)
    assert result.exit_code == code
    assert says in result.stderr
    assert result.stdout == ""
