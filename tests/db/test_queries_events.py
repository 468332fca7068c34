"""Which events a question about markets and a range of days gets, and what was not yet to be known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from db import database, queries
from db.vocabulary import DatePrecision
from etl import harmonize


def event(day: date, market: str, text: str, **changes: Any) -> dict[str, Any]:
    """A made-up row of the reference."""
    return {
        "date": day,
        "date_precision": DatePrecision.DAY,
        "market": market,
        "kind": "subsidy",
        "maker": "all",
        "text": text,
        "url": f"https://news.example/{text.lower()}",
    } | changes


def fill_events(engine: Engine, events: Sequence[dict[str, Any]]) -> None:
    """Put made-up events in the place of those of the reference."""
    with database.writing(engine) as connection:
        database.create(connection, markets=harmonize.reference().markets, events=events)


ROWS = [
    event(date(2025, 6, 1), "DE", "June", date_precision=DatePrecision.MONTH),
    event(date(2024, 1, 10), "DE", "First", kind="tariff", maker="tesla"),
    event(date(2024, 1, 10), "EU", "Union"),
    event(date(2024, 1, 11), "FR", "Elsewhere"),
    event(date(2025, 12, 31), "DE", "Last"),
]


@pytest.fixture
def engine(empty_engine: Engine) -> Engine:
    fill_events(empty_engine, ROWS)
    return empty_engine


def texts(engine: Engine, *markets: str, first: date, last: date, as_of: date | None = None) -> list[str]:
    with engine.connect() as connection:
        found = queries.events(connection, markets=markets, first=first, last=last, as_of=as_of)
    return [each.text for each in found]


YEARS = {"first": date(2024, 1, 1), "last": date(2026, 1, 1)}


def test_events_of_the_markets_come_oldest_first(engine: Engine) -> None:
    assert texts(engine, "DE", **YEARS) == ["First", "June", "Last"]
    assert texts(engine, "DE", "EU", **YEARS) == ["First", "Union", "June", "Last"]
    assert texts(engine, "NO", **YEARS) == []


def test_both_ends_of_the_range_are_in_it(engine: Engine) -> None:
    assert texts(engine, "DE", first=date(2024, 1, 10), last=date(2025, 12, 31)) == ["First", "June", "Last"]
    assert texts(engine, "DE", first=date(2024, 1, 11), last=date(2025, 12, 30)) == ["June"]


def test_what_was_yet_to_come_on_a_day_is_not_shown_as_known_on_it(engine: Engine) -> None:
    assert texts(engine, "DE", **YEARS, as_of=date(2025, 6, 1)) == ["First", "June"]
    assert texts(engine, "DE", **YEARS, as_of=date(2025, 5, 31)) == ["First"]
    assert texts(engine, "DE", **YEARS, as_of=date(2030, 1, 1)) == ["First", "June", "Last"]


def test_an_event_says_when_where_what_of_whom_and_who_tells_it(engine: Engine) -> None:
    with engine.connect() as connection:
        first, june, _ = queries.events(connection, markets=["DE"], **YEARS)
    assert first == queries.Event(
        date=date(2024, 1, 10),
        precision=DatePrecision.DAY,
        market="DE",
        kind="tariff",
        maker="tesla",
        text="First",
        url="https://news.example/first",
    )
    assert june.precision is DatePrecision.MONTH
    assert june.maker == "all"
