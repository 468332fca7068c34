"""Events on a time axis: chosen by rule, numbered in order, kept apart, and told in the key of page and picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard import downloads
from dashboard.charts.chart import Reading
from dashboard.charts.events import AT_MOST, EU_MEMBERS, NO_EVENTS, Events, Mark, chosen, concerned, marked, stacked
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.pages.card import _events
from dashboard.selection import Selection
from dashboard.style import PICTURE, SCREEN, Look, layout
from db.queries import Event
from db.vocabulary import DatePrecision
from etl import harmonize
from tests.dashboard.test_sales_lines import fill, monthly
from tests.db.test_queries_events import event as row
from tests.db.test_queries_events import fill_events

NARROW = Look(height=320, font_px=12)


def event(
    text: str = "It happened",
    *,
    day: date = date(2025, 3, 10),
    market: str = "DE",
    kind: str = "subsidy",
    maker: str = "all",
    precision: DatePrecision = DatePrecision.DAY,
) -> Event:
    return Event(
        date=day, precision=precision, market=market, kind=kind, maker=maker, text=text, url="https://news.example/it"
    )


def texts(found: tuple[Event, ...]) -> list[str]:
    return [each.text for each in found]


# The rule

RIVALS = {
    "the market's own before its region's": (event("own", kind="recall"), event("region", market="EU")),
    "its region's before the world's": (event("region", market="EU", kind="recall"), event("world", market="WORLD")),
    "what a buyer pays before duties": (event("tax", kind="tax"), event("duty", kind="tariff", maker="tesla")),
    "duties before launches": (event("ban", kind="ban"), event("launch", kind="launch", maker="tesla")),
    "the chosen maker before everybody": (event("chosen", maker="tesla"), event("all")),
    "everybody before another maker": (event("all"), event("other", maker="ford")),
    "the newest": (event("new", day=date(2025, 6, 2)), event("old", day=date(2025, 6, 1))),
}


@pytest.mark.parametrize(("first", "second"), RIVALS.values(), ids=RIVALS)
def test_who_comes_first_where_there_is_room_for_one(first: Event, second: Event) -> None:
    crowd = [event(f"before all {n}", maker="tesla", day=date(2026, 1, n + 1)) for n in range(AT_MOST - 1)]
    shown = chosen([second, *crowd, first], market="DE", makers={"tesla"})
    assert first in shown
    assert second not in shown


def test_the_chosen_are_in_order_of_time() -> None:
    days = [date(2025, month, 1) for month in (5, 1, 9)]
    shown = chosen([event(f"{day:%b}", day=day) for day in days], market="DE", makers=())
    assert texts(shown) == ["Jan", "May", "Sep"]


@given(
    st.lists(
        st.builds(
            event,
            text=st.uuids().map(str),
            day=st.dates(date(2020, 1, 1), date(2026, 1, 1)),
            market=st.sampled_from(["DE", "EU", "WORLD"]),
            kind=st.sampled_from(["subsidy", "tax", "ban", "launch", "recall", "something new"]),
            maker=st.sampled_from(["all", "tesla", "ford"]),
        ),
        max_size=30,
    ),
    st.randoms(),
)
def test_the_choice_is_no_larger_than_allowed_and_does_not_depend_on_the_order(
    events: list[Event], random: Any
) -> None:
    shown = chosen(events, market="DE", makers={"tesla"})
    of_others = [each for each in events if each.maker == "ford"]
    assert not set(of_others) & set(shown), "Tesla is chosen"
    assert len(shown) == min(len(events) - len(of_others), AT_MOST)
    assert [each.date for each in shown] == sorted(each.date for each in shown)
    shuffled = events.copy()
    random.shuffle(shuffled)
    again = chosen(shuffled, market="DE", makers={"tesla"})
    ties = len({(e.market, e.kind, e.maker, e.date) for e in events}) < len(events)
    assert ties or set(again) == set(shown)


def test_what_concerns_the_eu_concerns_its_members_and_the_world_everybody() -> None:
    assert concerned("DE") == ("DE", "EU", "WORLD")
    assert concerned("GB") == ("GB", "WORLD")
    assert concerned("EU") == ("EU", "WORLD")
    assert concerned("WORLD") == ("WORLD",)
    assert concerned("EUROPE") == ("EUROPE", "EU", "WORLD")
    known = {market["code"] for market in harmonize.reference().markets}
    assert len(EU_MEMBERS) == 27
    assert EU_MEMBERS - known == {"MT"}, "Malta alone has no figures"


# Words


@pytest.mark.parametrize(
    ("precision", "words"),
    [
        (DatePrecision.DAY, "1 Oct 2024"),
        (DatePrecision.MONTH, "Oct 2024"),
        (DatePrecision.YEAR, "2024"),
        (DatePrecision.APPROXIMATE, "about 1 Oct 2024"),
    ],
)
def test_a_date_is_as_exact_as_it_is_known(precision: DatePrecision, words: str) -> None:
    assert Mark(number=1, event=event(day=date(2024, 10, 1), precision=precision)).when == words


def test_the_key_numbers_the_events_and_counts_those_left_out() -> None:
    events = Events(marks=(Mark(1, event("Bonus ends")), Mark(2, event("Duty", market="EU"), where="EU")), left_out=1)
    assert events.key == (
        "(1) 10 Mar 2025: Bonus ends",
        "(2) 10 Mar 2025: EU: Duty",
        "1 more event of this time not shown",
    )
    assert replace(events, left_out=3).key[-1] == "3 more events of this time not shown"
    assert replace(events, left_out=0).key[-1].startswith("(2)")
    assert NO_EVENTS.key == ()


# On the axis


@given(st.lists(st.floats(0, 1000), max_size=12).map(sorted), st.floats(1, 60))
def test_circles_on_a_level_keep_apart_and_no_level_is_left_empty(across: list[float], apart: float) -> None:
    levels = stacked(across, apart=apart)
    for level in set(levels):
        places = [place for place, at in zip(across, levels, strict=True) if at == level]
        assert all(b - a >= apart for a, b in pairwise(places))
    assert set(levels) == set(range(max(levels, default=-1) + 1))


def test_circles_that_would_touch_stand_one_above_the_other() -> None:
    assert stacked([0, 100, 110, 115, 200], apart=20) == [0, 0, 1, 2, 0]


@pytest.mark.parametrize("look", [SCREEN, NARROW, replace(SCREEN, theme="dark"), PICTURE])
def test_every_event_has_a_line_at_its_date_and_its_number_over_it(look: Look) -> None:
    days = [date(2024, 1, 1), date(2024, 12, 31), date(2025, 12, 31)]
    events = Events(marks=tuple(Mark(n, event(f"No {n}", day=day)) for n, day in enumerate(days, start=1)))
    plain = layout(look, xaxis={"type": "date", "range": ["2024-01-01", "2025-12-31"]})
    drawn = marked(plain, events, look)
    lines = [shape["x0"] for shape in drawn["shapes"] if shape["type"] == "line" and shape["xref"] == "x"]
    assert lines == ["2024-01-01", "2024-12-31", "2025-12-31"]
    circles = [shape for shape in drawn["shapes"] if shape["type"] == "circle"]
    assert [circle["label"]["text"] for circle in circles] == ["1", "2", "3"]
    assert [round(circle["xanchor"], 3) for circle in circles] == [0, 0.5, 1]
    rise = drawn["margin"]["t"] - plain["margin"]["t"]
    assert rise >= max(circle["y1"] for circle in circles), "the circles have room above the plot"
    assert drawn["height"] == plain["height"]


def test_without_events_a_layout_stays_as_it_is() -> None:
    plain = layout(SCREEN, xaxis={"range": ["2024-01-01", "2025-12-31"]})
    assert marked(plain, NO_EVENTS, SCREEN) is plain


# On a chart


@contextmanager
def reading(engine: Engine, query: str = "") -> Iterator[Reading]:
    with engine.connect() as connection:
        selection = Selection.from_query(query, defaults=MARKET_SHARE.defaults)
        yield MARKET_SHARE.load(connection, selection, today=date(2026, 7, 24))


def told(engine: Engine, query: str = "") -> list[str]:
    with reading(engine, query) as read:
        return [f"{mark.number} {mark.words}" for mark in read.events.marks]


@pytest.fixture
def world(empty_engine: Engine) -> Engine:
    """Germany, France and Norway in 2025 with an event of each, of the EU, of the world, and one after the year."""
    record = {"Tesla": 100, "BYD": 200}
    fill(empty_engine, {code: monthly(2025, record) for code in ("DE", "FR", "NO")})
    fill_events(
        empty_engine,
        [
            row(date(2025, 2, 1), "DE", "Bonus"),
            row(date(2025, 3, 1), "FR", "Prime", maker="tesla"),
            row(date(2025, 4, 1), "EU", "Duty", kind="tariff"),
            row(date(2025, 5, 1), "WORLD", "Protest", kind="supply", maker="tesla"),
            row(date(2026, 2, 1), "DE", "Later"),
        ],
    )
    return empty_engine


def test_a_chart_of_one_market_shows_its_events_those_of_its_region_and_of_the_world(world: Engine) -> None:
    assert told(world) == ["1 Bonus", "2 EU: Duty", "3 World: Protest"]
    assert told(world, "market=FR") == ["1 Prime", "2 EU: Duty", "3 World: Protest"]
    assert told(world, "market=NO") == ["1 World: Protest"], "Norway is in Europe, not in the EU"


@pytest.mark.parametrize("query", ["market=DE,FR", "market=DE,FR&by=market", "since=2025-06&until=2025-06"])
def test_sets_of_markets_and_single_periods_have_no_events(world: Engine, query: str) -> None:
    assert told(world, query) == []


def test_events_are_of_the_range_drawn_and_known_on_the_day_asked_for(world: Engine) -> None:
    assert told(world, "since=2025-03") == ["1 EU: Duty", "2 World: Protest"]
    with reading(world, "as_of=2026-07-01") as read:
        assert [mark.event.text for mark in read.events.marks] == ["Bonus", "Duty", "Protest"]


def test_a_picture_tells_the_key_inside_its_frame(world: Engine) -> None:
    with reading(world) as read:
        figure = downloads.framed(MARKET_SHARE, read, look=PICTURE, site="https://ev.example")
    notes = {note["name"]: note for note in figure["layout"]["annotations"] if "name" in note}
    key = "<br>".join(note["text"] for name, note in notes.items() if name.startswith("key-"))
    assert key.split("<br>") == [
        "(1) 1 Feb 2025: Bonus",
        "(2) 1 Apr 2025: EU: Duty",
        "(3) 1 May 2025: World: Protest",
    ]
    margin, height = figure["layout"]["margin"], figure["layout"]["height"]
    from_top = [margin["t"] - note["yshift"] for name, note in notes.items() if name.startswith("key-")]
    assert all(height - margin["b"] < top < height for top in from_top), "under the plot, in the picture"


def test_the_page_lists_the_events_with_links_and_the_download_has_them(world: Engine) -> None:
    with reading(world) as read:
        listed = json.loads(json.dumps(_events(read.events), default=lambda part: part.to_plotly_json()))
        with world.connect() as connection:
            document = downloads.document(connection, MARKET_SHARE, read, MARKET_SHARE.rows(read), site="")
    items = listed[0]["props"]["children"]
    assert [item["props"]["children"][2]["props"]["href"] for item in items] == [
        f"https://news.example/{name}" for name in ("bonus", "duty", "protest")
    ]
    assert [each["text"] for each in document["events"]] == ["Bonus", "Duty", "Protest"]
    assert downloads.json_text(document)


def test_a_trend_draws_a_number_for_each_event(world: Engine) -> None:
    with reading(world) as read:
        shapes = MARKET_SHARE.draw(read, SCREEN)["layout"]["shapes"]
    assert [shape["label"]["text"] for shape in shapes if "label" in shape] == ["1", "2", "3"]


def test_the_frame_of_a_picture_leaves_room_for_the_numbers(world: Engine) -> None:
    with reading(world) as read:
        framed = downloads.framed(MARKET_SHARE, read, look=PICTURE, site="")
        without = downloads.framed(MARKET_SHARE, replace(read, events=NO_EVENTS), look=PICTURE, site="")
    rise = max(shape["y1"] for shape in framed["layout"]["shapes"] if shape.get("type") == "circle")
    assert framed["layout"]["margin"]["t"] >= without["layout"]["margin"]["t"] + rise
