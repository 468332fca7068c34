"""What is loaded, at a glance: counts that one can check against the tiny world by hand."""

from __future__ import annotations

import json
from datetime import date

from sqlalchemy import Engine

from db.queries import first_known, status
from etl import pipeline
from tests import world


def load(engine: Engine, content: str, *, day: int) -> None:
    """Load this as Germany's file of the n-th of March."""
    pipeline.load(engine, [world.snapshot(content, known_on=date(2026, 3, day))], keep=None, tell=lambda _: None)


def test_an_empty_database_has_no_sources(empty_engine: Engine) -> None:
    assert status(empty_engine) == {"sources": []}


def test_the_status_counts_figures_now_and_with_revisions(empty_engine: Engine) -> None:
    load(empty_engine, world.text("data/data-DE.js"), day=1)
    load(empty_engine, world.text("data/data-DE.js").replace(": 50", ": 60"), day=4)
    (found,) = status(empty_engine)["sources"]
    assert (found["slug"], found["licence"], found["basis"]) == ("open-ev-charts", "GPL-3.0", "registration")
    assert (found["snapshots"], found["last_snapshot"]) == (2, date(2026, 3, 4))
    assert (found["figures"], found["figures_all_vintages"]) == (15, 16)
    assert found["markets"] == [
        {
            "market": "DE",
            "powertrain": powertrain,
            "grain": "month",
            "first_period": date(2026, 1, 1),
            "last_period": date(2026, 2, 1),
            "figures": figures,
        }
        for powertrain, figures in (("ALL", 7), ("BEV", 8))
    ]


def test_a_series_that_was_wholly_taken_back_is_not_shown_as_a_market(empty_engine: Engine) -> None:
    load(empty_engine, world.record({"other": 300}, period="2025-Q4"), day=1)
    load(empty_engine, "".join(world.record({"other": 100}, period=f"2025-{m}") for m in (10, 11, 12)), day=2)
    (found,) = status(empty_engine)["sources"]
    assert [market["grain"] for market in found["markets"]] == ["month"]


def test_a_refused_file_is_shown_with_its_line_and_reason(empty_engine: Engine) -> None:
    load(empty_engine, world.text("data/data-DE.js").replace(": 50", ": 0"), day=2)
    (found,) = status(empty_engine)["sources"]
    (refused,) = found["refused"]
    assert (refused["file"], refused["line"], refused["known_on"]) == ("data/data-DE.js", 14, date(2026, 3, 2))
    assert "0 is not a number of cars" in refused["reason"]
    assert (found["snapshots"], found["figures"]) == (0, 0)


def test_the_bundled_status_is_plain_values_that_json_can_hold(bundled_engine: Engine) -> None:
    (found,) = json.loads(json.dumps(status(bundled_engine), default=str))["sources"]
    assert found["figures"] == 108_954
    assert sum(market["figures"] for market in found["markets"]) == 108_954
    assert found["refused"] == []


def test_a_market_can_be_shown_from_the_day_of_its_first_snapshot(empty_engine: Engine) -> None:
    load(empty_engine, world.text("data/data-DE.js"), day=3)
    load(empty_engine, world.text("data/data-DE.js").replace(": 50", ": 60"), day=4)
    with empty_engine.connect() as connection:
        assert first_known(connection, markets=["DE", "FR"], basis="registration") == {"DE": date(2026, 3, 3)}
