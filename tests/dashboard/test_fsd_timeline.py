"""What happened around FSD: every event in the lane of its kind, the newest of each kind in turn in the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from dashboard.charts.chart import Reading
from dashboard.charts.fsd_timeline import AT_MOST, FSD_TIMELINE
from tests.dashboard import test_fsd_price as fsd
from tests.world.records import rates as tell

CHART = FSD_TIMELINE
EVENT = {
    "date": "2025-01-10", "market": "CN", "kind": "launch", "text": "It begins", "date_precision": "day",
    "published_on": "2025-01-10",
}  # fmt: skip


def told(engine: Engine, *rows: Mapping[str, object]) -> None:
    tell(engine, "fsd_event", *({**EVENT, **row} for row in rows))


def read(engine: Engine, query: str = "") -> Reading:
    return fsd.read(engine, query, chart=CHART)


def lanes(reading: Reading) -> dict[str, Any]:
    return {trace["name"]: trace for trace in fsd.drawn(reading, chart=CHART)["data"]}


def test_an_event_stands_in_the_lane_of_its_kind_in_the_order_of_the_lanes(empty_engine: Engine) -> None:
    told(empty_engine, {}, {"kind": "data_rule"}, {"kind": "moon_shot"})
    assert list(lanes(read(empty_engine))) == ["Data rules", "Launches", "Moon shot"]


def test_the_title_is_the_newest_event_that_has_happened(empty_engine: Engine) -> None:
    told(empty_engine, {}, {"date": "2025-05-01", "text": "It goes on"}, {"date": "2027-01-01", "text": "It ends"})
    reading = read(empty_engine)
    assert reading.title == "It goes on (1 May 2025), the latest of 3 events"
    assert "What is after 24 Jul 2025 is announced." in reading.notes[0]
    assert "What is missing after 1 May 2025 is unknown, not absent." in reading.notes[0]


def test_where_everything_is_still_to_come_the_title_says_so(empty_engine: Engine) -> None:
    told(empty_engine, {"date": "2027-01-01"})
    assert read(empty_engine).title == "1 event around FSD, all still to come"


def test_few_events_are_all_in_the_key_with_their_place(empty_engine: Engine) -> None:
    told(empty_engine, {}, {"date": "2025-05-01", "market": "EU", "date_precision": "month"})
    reading = read(empty_engine)
    assert reading.events.key == ("(1) 10 Jan 2025: China: It begins", "(2) May 2025: European Union: It begins")
    assert "Numbered" not in reading.notes[0]


def test_of_many_events_the_newest_of_each_kind_in_turn_are_numbered(empty_engine: Engine) -> None:
    launches = [{"date": f"2025-04-{day:02d}", "text": f"Launch {day}"} for day in range(1, 31)]
    told(empty_engine, *launches, {"kind": "recall", "date": "2020-01-01", "text": "An old recall"})
    reading = read(empty_engine)
    assert len(reading.events.marks) == AT_MOST
    texts = [mark.event.text for mark in reading.events.marks]
    assert texts == ["An old recall", *(f"Launch {day}" for day in range(32 - AT_MOST, 31))]
    assert len(CHART.table(reading).rows) == len(CHART.rows(reading)) == 31
    assert f"{AT_MOST} of 31" in reading.notes[0]


def test_marks_that_would_touch_stand_one_above_the_other(empty_engine: Engine) -> None:
    told(empty_engine, {}, {"text": "Another"}, {"date": "2020-01-01"})
    heights = lanes(read(empty_engine))["Launches"]["y"]
    assert sorted(heights) == [0.5, 0.5, 1.5]


def test_a_day_that_is_not_known_is_hollow(empty_engine: Engine) -> None:
    told(empty_engine, {"date_precision": "inferred"}, {"date": "2025-05-01"})
    first, second = lanes(read(empty_engine))["Launches"]["marker"]["color"]
    assert first == "#FFFFFF" != second


def test_a_markets_events_are_its_own_and_its_regions(empty_engine: Engine) -> None:
    told(empty_engine, {"market": "NL"}, {"market": "EU"}, {"market": "US"})
    assert CHART.rows(read(empty_engine, "market=NL"))["market"].tolist() == ["EU", "NL"]


def test_what_is_not_known_is_refused_with_a_way_on(empty_engine: Engine) -> None:
    assert "no event" in str(fsd.refused(empty_engine, "", chart=CHART))
    told(empty_engine, {})
    assert "in Germany" in str(fsd.refused(empty_engine, "market=DE", chart=CHART))
    assert "in the range" in str(fsd.refused(empty_engine, "since=2025-02", chart=CHART))
    assert "2020" in str(fsd.refused(empty_engine, "as_of=2020-01-01", chart=CHART))


def test_it_draws_everywhere_and_every_event_has_its_receipt(empty_engine: Engine) -> None:
    told(empty_engine, {}, {"kind": "data_rule"}, {"date": "2025-05-01", "text": "A < B & C"})
    for query in ("", "since=2025-05"):
        reading = read(empty_engine, query)
        fsd.assert_every_look(reading, CHART)
        fsd.assert_receipts(empty_engine, reading, CHART)
