"""Range for the money: one market, one test, one day, and only prices that stood on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard import downloads
from dashboard.charts.chart import DOWNLOAD_COLUMNS, TITLE_LENGTH, Point, Reading
from dashboard.charts.value_frontier import VALUE_FRONTIER, efficient
from dashboard.charts.value_frontier_words import Car
from dashboard.prices import Converted, Price, Quote, Standing
from dashboard.selection import Incomparable, InvalidSelection, NotPublished, Refusal, Selection
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from db.vocabulary import DatePrecision, Evidence, PriceKind, RangeCycle, TaxIncluded
from tests.world import cards
from tests.world.records import prices, vehicles

TODAY = date(2025, 6, 1)
NARROW = replace(SCREEN, height=320, font_px=12)
DARK = replace(SCREEN, theme="dark")


def car(
    maker: str, amount: int, km: int | None, *, model: str = "One", day: str = "2025-01-10", **other: str
) -> dict[str, str]:
    """A row of a price: a maker's car with a range by WLTP."""
    ranged = {} if km is None else {"range_km": str(km), "range_cycle": "WLTP"}
    of = {"maker": maker, "model": model, "trim": "", "amount": str(amount), "effective_from": day}
    return of | {"published_on": day} | ranged | other


THREE = (car("Tesla", 20_000, 200), car("BYD", 30_000, 400), car("Kia", 40_000, 300))


def read(engine: Engine, query: str = "market=KR") -> Reading:
    return cards.read(engine, VALUE_FRONTIER, query, today=TODAY)


def refused(engine: Engine, query: str) -> Refusal:
    return cards.refused(engine, VALUE_FRONTIER, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(VALUE_FRONTIER, reading, look)


def marks(reading: Reading, look: Look = SCREEN) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in drawn(reading, look)["data"] if trace.get("mode") == "markers"}


def on_the_line(reading: Reading) -> list[str]:
    rows = VALUE_FRONTIER.rows(reading)
    return sorted(rows.loc[rows["frontier"] == "yes", "maker"])


def test_a_car_is_on_the_frontier_where_none_has_more_range_for_no_more_money(empty_engine: Engine) -> None:
    prices(empty_engine, *THREE)
    reading = read(empty_engine)
    assert on_the_line(reading) == ["byd", "tesla"]
    line = next(trace for trace in drawn(reading)["data"] if trace["mode"] == "lines")
    assert line["line"]["shape"] == "hv"
    assert line["x"][:3] == [20_000, 20_000, 30_000]
    assert line["y"][1:] == [200, 400, 400]
    assert {name: (mark["x"], mark["y"]) for name, mark in marks(reading).items()} == {
        "Tesla One": ([20_000], [200]),
        "BYD One": ([30_000], [400]),
        "Kia One": ([40_000], [300]),
    }


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=12))
def test_whoever_is_not_on_the_frontier_is_beaten_and_whoever_is_is_not(cars: list[tuple[int, int]]) -> None:
    quote = Quote(
        market="KR", maker="tesla", model="one", trim="", powertrain="BEV", kind=PriceKind.LIST, currency="KRW",
        tax_included=TaxIncluded.YES, day=TODAY, precision=DatePrecision.DAY, amount=1.0, battery_kwh=None,
        range_km=None, range_cycle=RangeCycle.NONE, evidence=Evidence.PRESS, note="", row=0,
    )  # fmt: skip
    found = efficient(
        Car(Price(quote, Converted(float(amount), "KRW")), Standing(quote, True, 0), float(km), None, None)
        for amount, km in cars
    )
    for each in found:
        beaten = any(
            other.range_km >= each.range_km
            and other.price.amount <= each.price.amount
            and (other.range_km, other.price.amount) != (each.range_km, each.price.amount)
            for other in found
        )
        assert each.is_efficient is not beaten
    assert [each.price.amount for each in found] == sorted(each.price.amount for each in found)


# Words


def test_the_title_names_the_car_that_costs_least_for_a_kilometre(empty_engine: Engine) -> None:
    prices(empty_engine, *THREE)
    reading = read(empty_engine)
    assert reading.title == "South Korea, 10 Jan 2025: of 3 cars BYD One gives most range for money, 75 KRW a km"
    assert reading.subtitle == "South Korea. BEV list prices in KRW, with tax, as quoted; range in km by WLTP"


def test_two_cars_that_cost_the_same_for_a_kilometre_give_a_neutral_title(empty_engine: Engine) -> None:
    prices(empty_engine, car("Tesla", 20_000, 200), car("BYD", 30_000, 300))
    assert read(empty_engine).title == "South Korea, 10 Jan 2025: range and price of 2 cars, 2 of them on the frontier"


def test_a_range_that_is_the_models_is_no_finding_and_is_hollow(empty_engine: Engine) -> None:
    prices(empty_engine, car("Tesla", 20_000, None, model="Model Y"), car("BYD", 40_000, 300))
    vehicles(empty_engine, {"range_km": "400", "range_cycle": "WLTP", "battery_kwh": "80"})
    reading = read(empty_engine)
    assert reading.title.endswith("range and price of 2 cars, 1 of them on the frontier")
    symbols = {name: mark["marker"]["symbol"] for name, mark in marks(reading).items()}
    assert symbols == {"Tesla Model Y": "circle-open", "BYD One": "circle"}
    rows = VALUE_FRONTIER.rows(reading).set_index("maker")
    assert rows["range_of"].to_dict() == {"tesla": "model", "byd": "trim"}
    assert rows.loc["tesla", "price_per_kwh"] == 250
    assert any(note.startswith("Hollow, 1 of 2: the range is the model's") for note in reading.notes)
    assert {cited.slug for cited in reading.citations} == {"made-up-prices", "made-up-vehicles"}


def test_one_car_is_a_point_and_its_figures_are_the_title(empty_engine: Engine) -> None:
    prices(empty_engine, THREE[0])
    reading = read(empty_engine)
    assert reading.title == "South Korea, 10 Jan 2025: Tesla One, 200 km by WLTP for 20,000 KRW"
    assert len(marks(reading)) == 1


def test_a_named_makers_cars_are_pointed_out_among_all(empty_engine: Engine) -> None:
    prices(empty_engine, *THREE, car("BYD", 50_000, 350, model="Two"))
    reading = read(empty_engine, "market=KR&makers=byd")
    assert reading.title == "South Korea, 10 Jan 2025: 1 of BYD's 2 cars is beaten by none on range for money"
    assert len(marks(reading)) == 4
    sizes = {name: mark["marker"]["size"] for name, mark in marks(reading).items()}
    assert sizes["BYD Two"] > sizes["Kia One"]


def test_a_maker_nobody_has_heard_of_is_invalid_and_one_without_a_car_is_said(empty_engine: Engine) -> None:
    prices(empty_engine, *THREE, car("Volvo", 10_000, None))
    with pytest.raises(InvalidSelection):
        read(empty_engine, "market=KR&makers=nobody")
    notes = " ".join(read(empty_engine, "market=KR&makers=volvo").notes)
    assert "Not drawn: Volvo, for want of a price on the day or of a range by WLTP." in notes


# What is compared


def test_only_prices_that_stood_on_the_day_are_drawn_and_stale_ones_are_listed(empty_engine: Engine) -> None:
    prices(
        empty_engine,
        car("Tesla", 20_000, 200, day="2024-01-01"),
        car("BYD", 30_000, 400, day="2024-01-01"),
        car("BYD", 31_000, 400, day="2025-02-01"),
        car("Kia", 40_000, 300, day="2024-12-01"),
        car("Volvo", 1_000, 900, day="2025-05-01"),
    )
    reading = read(empty_engine, "market=KR&date=2025-01-01")
    # BYD's old price is known to have held, Kia's is the last known one, Tesla's is too old, Volvo's yet to come.
    assert {name: mark["x"] for name, mark in marks(reading).items()} == {"BYD One": [30_000], "Kia One": [40_000]}
    assert "Left out: 1 whose last price is more than half a year old (in the table)." in reading.notes
    assert VALUE_FRONTIER.table(reading).rows[-1][0] == "Tesla One"
    assert VALUE_FRONTIER.table(reading).rows[-1][-1] == "left out"
    rows = VALUE_FRONTIER.rows(reading).set_index("maker")
    assert rows["flags"].to_dict() == {"byd": "", "kia": "last_known", "tesla": "stale"}
    assert rows["value"].to_dict() == {"byd": 30_000, "kia": 40_000, "tesla": 20_000}


def test_the_day_is_the_latest_one_with_most_cars_unless_the_reader_names_one(empty_engine: Engine) -> None:
    prices(
        empty_engine,
        car("Tesla", 20_000, 200, day="2024-01-01"),
        car("BYD", 30_000, 400, day="2024-02-01"),
        car("Kia", 40_000, 300, day="2025-01-01"),
    )
    reading = read(empty_engine)
    assert len(marks(reading)) == 2
    assert reading.title.startswith("South Korea, 1 Feb 2024: ")
    assert reading.badge.amber
    assert any(note.startswith("1 Feb 2024 is the day on which most cars") for note in reading.notes)
    named = read(empty_engine, "market=KR&date=2025-01-02")
    assert list(marks(named)) == ["Kia One"]
    assert not any("most cars have a price" in note for note in named.notes)
    assert list(marks(read(empty_engine, "market=KR&since=2024-12"))) == ["Kia One"]


def test_prices_that_are_announced_for_later_do_not_make_the_day(empty_engine: Engine) -> None:
    announced = {"effective_from": "2025-08-01", "published_on": "2025-05-20"}
    prices(
        empty_engine,
        car("Tesla", 20_000, 200),
        car("Tesla", 19_000, 200) | announced,
        car("BYD", 10_000, 100) | announced,
    )
    assert read(empty_engine).title.startswith("South Korea, 10 Jan 2025: ")


def test_a_day_that_is_yet_to_come_is_refused(empty_engine: Engine) -> None:
    prices(empty_engine, *THREE)
    refusal = refused(empty_engine, "market=KR&date=2025-07-01")
    assert refusal.nearest is not None
    assert refusal.nearest.date is None
    assert read(empty_engine, refusal.nearest.query(defaults=VALUE_FRONTIER.defaults)).title


def test_ranges_of_two_tests_are_never_in_one_chart(empty_engine: Engine) -> None:
    prices(empty_engine, *THREE, car("Volvo", 10_000, 500, range_cycle="EPA"))
    assert "Volvo One" not in marks(read(empty_engine))
    assert "Left out: 1 with a range by EPA." in read(empty_engine).notes
    by_epa = read(empty_engine, "market=KR&cycle=epa")
    assert list(marks(by_epa)) == ["Volvo One"]
    assert "Left out: 3 with a range by WLTP." in by_epa.notes
    assert drawn(by_epa)["layout"]["yaxis"]["range"][1] > 500
    refusal = refused(empty_engine, "market=KR&cycle=CLTC")
    assert isinstance(refusal, NotPublished)
    assert refusal.nearest is not None
    assert refusal.nearest.cycle is None
    assert isinstance(refused(empty_engine, "market=KR&cycle=none"), NotPublished)


def test_list_and_starting_prices_are_told_apart_and_other_kinds_are_left_out(empty_engine: Engine) -> None:
    prices(
        empty_engine,
        *THREE,
        car("Volvo", 25_000, 350, price_kind="starting"),
        car("Polestar", 5_000, 900, price_kind="after_incentive"),
    )
    reading = read(empty_engine)
    symbols = {name: mark["marker"]["symbol"] for name, mark in marks(reading).items()}
    assert symbols["Volvo One (starting)"] == "diamond"
    assert {symbol for name, symbol in symbols.items() if name != "Volvo One (starting)"} == {"circle"}
    assert any(note.startswith("Circles are list prices") for note in reading.notes)
    assert "list and starting prices" in reading.subtitle
    assert not any("Polestar" in name for name in symbols)
    assert list(marks(read(empty_engine, "market=KR&price_kind=after_incentive"))) == ["Polestar One (after incentive)"]
    alone = read(empty_engine, "market=KR&price_kind=list")
    assert not any(note.startswith("Circles") for note in alone.notes)


def test_a_price_without_the_battery_is_no_price_of_the_car(empty_engine: Engine) -> None:
    prices(empty_engine, *THREE, car("NIO", 10_000, 500, trim="base, battery rental"))
    reading = read(empty_engine)
    assert len(marks(reading)) == 3
    assert "Left out: 1 priced without the battery." in reading.notes


def test_several_markets_are_refused_and_lead_to_one(empty_engine: Engine) -> None:
    prices(empty_engine, *THREE, car("Tesla", 30_000, 300, market="DE", currency="EUR"))
    refusal = refused(empty_engine, "market=DE,KR")
    assert isinstance(refusal, Incomparable)
    assert refusal.nearest is not None
    assert read(empty_engine, refusal.nearest.query(defaults=VALUE_FRONTIER.defaults)).title


def test_plug_in_hybrids_never_stand_among_battery_cars(empty_engine: Engine) -> None:
    prices(empty_engine, *THREE, car("Volvo", 10_000, 80, powertrain="PHEV"))
    reading = read(empty_engine, "market=KR&powertrain=ALL")
    assert "Volvo One" not in marks(reading)
    assert any(note.startswith("Battery cars alone") for note in reading.notes)
    assert list(marks(read(empty_engine, "market=KR&powertrain=PHEV"))) == ["Volvo One"]


# Download, receipts, looks


def test_the_download_says_what_is_got_for_the_money(empty_engine: Engine) -> None:
    prices(empty_engine, *(row | {"battery_kwh": "50"} for row in THREE))
    reading = read(empty_engine)
    rows = VALUE_FRONTIER.rows(reading)
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    columns = ["maker", "value", "range_km", "price_per_km", "price_per_kwh", "as_at", "frontier"]
    assert rows[columns].values.tolist() == [
        ["tesla", 20_000, 200, 100, 400, "2025-01-10", "yes"],
        ["byd", 30_000, 400, 75, 600, "2025-01-10", "yes"],
        ["kia", 40_000, 300, pytest.approx(133.333, abs=0.001), 800, "2025-01-10", "no"],
    ]
    assert VALUE_FRONTIER.table(reading).rows[0] == (
        "Tesla One", "list", "20,000 KRW", "10 Jan 2025", "200 km", "50 kWh", "100 KRW", "400 KRW", "yes",
    )  # fmt: skip


def test_a_cars_receipts_are_its_price_and_the_range_that_was_taken(empty_engine: Engine) -> None:
    prices(empty_engine, car("Tesla", 20_000, None, model="Model Y"), car("BYD", 40_000, 300))
    vehicles(empty_engine, {"range_km": "400", "range_cycle": "WLTP"})
    reading = read(empty_engine)

    def stated(name: str) -> list[str]:
        (key,) = marks(reading)[name]["customdata"]
        assert VALUE_FRONTIER.receipts is not None
        with empty_engine.connect() as connection:
            return list(VALUE_FRONTIER.receipts(connection, reading, Point(*key))["stated"])

    assert stated("BYD One") == ["40,000 KRW"]
    assert stated("Tesla Model Y") == ["20,000 KRW", "400 km by WLTP"]
    with empty_engine.connect() as connection:
        document = downloads.document(connection, VALUE_FRONTIER, reading, VALUE_FRONTIER.rows(reading), site="")
    assert [len(row["receipts"]) for row in document["rows"]] == [2, 1]


@pytest.mark.parametrize(
    "look", [SCREEN, DARK, NARROW, PICTURE, SHEET], ids=["screen", "dark", "narrow", "png", "sheet"]
)
@pytest.mark.parametrize("query", ["", "market=CN&makers=byd", "market=DE&tax=excluded"])
def test_full_data_are_drawn_as_plain_values(bundled_engine: Engine, query: str, look: Look) -> None:
    reading = read(bundled_engine, query)
    figure = drawn(reading, look)
    assert figure["layout"]["height"] == look.height
    assert len(reading.title) <= TITLE_LENGTH
    assert len(reading.subtitle) <= TITLE_LENGTH
    labels = figure["layout"]["annotations"]
    assert len(labels) == len(reading.content.efficient)
    assert all(label["xanchor"] == "right" for label in labels)


def test_brazils_list_of_2026_as_published(bundled_engine: Engine) -> None:
    selection = Selection.from_query("date=2026-07-01", defaults=VALUE_FRONTIER.defaults)
    with bundled_engine.connect() as connection:
        reading = VALUE_FRONTIER.load(connection, selection, today=date(2026, 7, 24))
    assert reading.title == "Brazil, 1 Jul 2026: of 70 cars MG MG4 Urban Luxury 54kWh gives most range for money"
    best = VALUE_FRONTIER.table(reading).rows
    assert best[0][:5] == ("Renault Kwid E-Tech", "list", "99,990 BRL", "seen 1 Mar 2026, last known", "180 km")
