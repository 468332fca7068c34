"""What became of a share around a price cut: an association with its placebo test, or that nothing can be said."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from dashboard import downloads
from dashboard.charts.chart import DOWNLOAD_COLUMNS, TITLE_LENGTH, Point, Reading
from dashboard.charts.price_event import PRICE_EVENT, moved_months
from dashboard.charts.price_event_words import PriceEvent
from dashboard.prices import price_lines
from dashboard.selection import InvalidSelection, NotPublished, Refusal
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from db.vocabulary import ALL, DatePrecision
from tests.dashboard.test_precedence import state
from tests.dashboard.test_price_pairs import quote
from tests.world import cards
from tests.world.records import prices

TODAY = date(2026, 7, 24)
NARROW = replace(SCREEN, height=320, font_px=12)
DARK = replace(SCREEN, theme="dark")
MONTHS = [f"{year}-{month:02d}" for year in range(2018, 2025) for month in range(1, 13)]


def sales(
    engine: Engine, *, cut: str = "2024-01", after: int = 200, unnamed: int = 0, months: Iterable[str] = MONTHS
) -> None:
    """Tesla sells 190 to 210 of about 1000 cars a month, and `after` from the month of the cut on; BYD 300, Kia 300,
    Volvo 200. With `unnamed` cars more the publisher names models, so that each maker could have more of these."""
    wave = (-10, 10, 0, 10, -10, 0, 0)
    rows = []
    for n, month in enumerate(months):
        tesla = 200 + wave[n % 7] if month < cut else after
        named = {"tesla": tesla, "byd": 300, "kia": 300, "volvo": 200}
        rows += [(month, f"{maker}|One" if unnamed else maker, cars) for maker, cars in named.items()]
        rows += [(month, "other", unnamed)] if unnamed else []
    state(engine, "alpha", *rows)


def steps(*steps: tuple[str, int], **other: str) -> list[dict[str, str]]:
    """A maker's price from each of some days on."""
    return [{"effective_from": day, "published_on": day, "amount": str(amount)} | other for day, amount in steps]


CUT = steps(("2023-11-01", 300), ("2024-01-10", 240))


def read(engine: Engine, query: str = "market=KR") -> Reading:
    return cards.read(engine, PRICE_EVENT, query, today=TODAY)


def event(engine: Engine, query: str = "market=KR") -> PriceEvent:
    found = read(engine, query).content
    assert isinstance(found, PriceEvent)
    return found


def refused(engine: Engine, query: str) -> Refusal:
    return cards.refused(engine, PRICE_EVENT, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(PRICE_EVENT, reading, look)


def lines(reading: Reading) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in drawn(reading)["data"] if "name" in trace}


# What is found


def test_a_share_that_rose_after_a_cut_is_set_against_the_control_makers(empty_engine: Engine) -> None:
    sales(empty_engine, after=350)
    prices(empty_engine, *CUT)
    reading = read(empty_engine)
    # 200 of 1000 cars before, 350 of 1150 after: 30.4 % in place of 20.0 %.
    assert reading.title == ("After Tesla's cut of 10 Jan 2024 its share was 10.4 pp more than control makers suggest")
    assert reading.content.study.effect == pytest.approx(350 / 1150 - 0.2, abs=0.002)
    assert reading.content.study.stands_out
    assert not reading.badge.amber
    assert "Model Y RWD −20.0 % (list)" in " ".join(reading.notes)


def test_a_share_that_fell_is_said_to_be_less(empty_engine: Engine) -> None:
    sales(empty_engine, after=100)
    prices(empty_engine, *CUT)
    assert "less than control makers suggest" in read(empty_engine).title


def test_a_share_that_moved_as_at_other_times_is_no_finding(empty_engine: Engine) -> None:
    sales(empty_engine, after=200)
    prices(empty_engine, *CUT)
    reading = read(empty_engine)
    assert reading.title == "After Tesla's cut of 10 Jan 2024 its South Korean share moved no more than at other times"
    assert reading.subtitle == (
        "South Korea. Share of BEV registrations, change in pp on 3 months before; an association"
    )


def test_where_unnamed_cars_could_hide_more_than_the_effect_nothing_is_said(empty_engine: Engine) -> None:
    sales(empty_engine, after=250, unnamed=1000)
    prices(empty_engine, *CUT)
    reading = read(empty_engine)
    assert reading.title == "Tesla's cut of 10 Jan 2024: unnamed cars leave open what its South Korean BEV share did"
    assert reading.notes[0].startswith("Nothing can be said of an association")
    assert reading.badge.amber
    figure = drawn(reading)
    assert any("fillpattern" in trace for trace in figure["data"])
    assert not any(trace.get("fill") and "fillpattern" not in trace for trace in figure["data"])


def test_a_few_unnamed_cars_leave_a_large_effect_standing(empty_engine: Engine) -> None:
    sales(empty_engine, after=500, unnamed=10)
    prices(empty_engine, *CUT)
    found = event(empty_engine)
    assert found.least < found.study.effect < found.most
    assert not found.is_open


def test_a_share_that_is_open_by_more_than_the_effect_says_nothing_whatever_its_bounds(empty_engine: Engine) -> None:
    sales(empty_engine, after=350)
    prices(empty_engine, *CUT)
    found = event(empty_engine)
    effect = found.study.effect

    def wide_by(width: float) -> PriceEvent:
        return replace(found, line=replace(found.line, high=found.line.low + width), least=effect, most=effect)

    assert not wide_by(effect * 0.9).is_open
    assert wide_by(effect * 1.1).is_open


def test_bounds_on_both_sides_of_what_other_months_give_say_nothing(empty_engine: Engine) -> None:
    sales(empty_engine, after=350)
    prices(empty_engine, *CUT)
    found = event(empty_engine)
    low, high = found.study.low, found.study.high
    assert replace(found, least=0.0, most=0.2).is_open
    assert not replace(found, least=high + 0.01, most=0.2).is_open
    assert not replace(found, least=low / 2, most=high / 2).is_open


def test_with_few_months_the_difference_is_given_without_a_test(empty_engine: Engine) -> None:
    sales(empty_engine, after=350, months=MONTHS[-24:])
    prices(empty_engine, *CUT)
    reading = read(empty_engine)
    assert reading.title == "Tesla's South Korean BEV share after its cut of 10 Jan 2024: +10.4 pp on control makers"
    assert "too few to say" in reading.notes[0]
    assert reading.badge.amber
    rows = PRICE_EVENT.rows(reading)
    assert np.isnan(rows["placebo_low"]).all()
    json.dumps(downloads.csv_text(rows))


@pytest.mark.parametrize(("after", "unnamed"), [(350, 0), (200, 0), (250, 1000)])
def test_it_is_called_an_association_and_never_a_cause(empty_engine: Engine, after: int, unnamed: int) -> None:
    sales(empty_engine, after=after, unnamed=unnamed)
    prices(empty_engine, *CUT)
    reading = read(empty_engine)
    said = " ".join([reading.title, reading.subtitle, *reading.notes]).lower()
    assert "association" in reading.subtitle
    assert "an association" in reading.notes[0].lower()
    assert not any(word in said for word in ("caused", "because", "led to", "thanks to", "effect of the cut", "bought"))


# Which cut


def test_the_largest_cut_is_studied_unless_the_reader_names_a_day(empty_engine: Engine) -> None:
    sales(empty_engine)
    prices(
        empty_engine,
        *steps(("2021-01-01", 400), ("2021-05-05", 390), ("2023-11-01", 390), ("2024-01-10", 240)),
        *steps(("2021-01-01", 200), ("2022-03-01", 100), maker="BYD", model="Seal"),
    )
    # More was taken off BYD's price, but from one that was not known for a year.
    assert event(empty_engine, "market=KR").cut.maker == "tesla"
    assert event(empty_engine, "market=KR&makers=tesla").cut.day == date(2024, 1, 10)
    assert event(empty_engine, "market=KR&date=2021-05-05").cut.day == date(2021, 5, 5)
    later = read(empty_engine, "market=KR&date=2021-12-31")
    assert later.content.cut.day == date(2021, 5, 5)
    assert "No cut of 31 Dec 2021 is known: this is the last one before." in later.notes
    assert event(empty_engine, "market=KR&makers=byd").cut.maker == "byd"
    assert event(empty_engine, "market=KR&until=2021-12").cut.day == date(2021, 5, 5)


def test_a_cut_on_a_price_long_past_comes_after_one_on_a_young_price(empty_engine: Engine) -> None:
    sales(empty_engine)
    prices(
        empty_engine,
        *steps(("2019-01-01", 400), ("2022-06-01", 100)),
        *steps(("2023-11-01", 300), ("2024-01-10", 270), model="Model 3"),
    )
    assert event(empty_engine).cut.day == date(2024, 1, 10)
    old = read(empty_engine, "market=KR&date=2022-06-01")
    assert "Model Y RWD −75.0 % (list, on the price of 1 Jan 2019)" in " ".join(old.notes)
    assert any(note["text"] == "Cut" for note in drawn(old)["layout"]["annotations"])


@pytest.mark.parametrize("precision", ["observed", "approximate", "quarter", "year"])
def test_a_level_and_a_date_that_is_a_guess_are_no_cuts(empty_engine: Engine, precision: str) -> None:
    sales(empty_engine)
    prices(empty_engine, CUT[0], CUT[1] | {"date_precision": precision})
    refusal = refused(empty_engine, "market=KR")
    assert isinstance(refusal, NotPublished)
    assert "no dated price cut by any maker in South Korea is known" in str(refusal)


def test_a_rise_and_an_average_paid_are_no_cuts(empty_engine: Engine) -> None:
    sales(empty_engine)
    prices(
        empty_engine,
        *steps(("2023-11-01", 240), ("2024-01-10", 300)),
        *steps(("2023-11-01", 300), ("2024-01-10", 240), price_kind="transaction_avg", model="Model 3"),
    )
    assert isinstance(refused(empty_engine, "market=KR"), NotPublished)


def test_a_day_before_the_first_cut_leads_to_it(empty_engine: Engine) -> None:
    sales(empty_engine)
    prices(empty_engine, *CUT)
    refusal = refused(empty_engine, "market=KR&date=2023-12-01")
    assert refusal.nearest is not None
    assert refusal.nearest.date in (date(2024, 1, 10), None)
    assert read(empty_engine, refusal.nearest.query(defaults=PRICE_EVENT.defaults)).title


def test_a_cut_whose_six_months_are_not_over_is_refused(empty_engine: Engine) -> None:
    sales(empty_engine, months=MONTHS[:-8])
    prices(empty_engine, *CUT)
    assert "are not all published" in str(refused(empty_engine, "market=KR"))


def test_a_market_without_monthly_shares_leads_to_one_with_them(empty_engine: Engine) -> None:
    sales(empty_engine)
    prices(
        empty_engine,
        *CUT,
        *steps(("2023-11-01", 300), ("2024-01-10", 150), market="US", currency="USD"),
    )
    assert "are not all published" in str(refused(empty_engine, "market=US"))
    both = read(empty_engine, "market=KR,US")
    assert both.content.cut.market == "KR"
    assert any(note.startswith("Of the markets chosen") for note in both.notes)


def test_a_cut_is_not_known_before_it_was_published(empty_engine: Engine) -> None:
    sales(empty_engine)
    prices(empty_engine, *CUT)
    with pytest.raises((Refusal, InvalidSelection)):
        read(empty_engine, "market=KR&as_of=2023-12-31")


def test_a_maker_nobody_has_heard_of_is_invalid(empty_engine: Engine) -> None:
    sales(empty_engine)
    prices(empty_engine, *CUT)
    with pytest.raises(InvalidSelection):
        read(empty_engine, "market=KR&makers=nobody")


# The control


def test_makers_that_moved_a_price_are_no_controls_and_those_without_prices_are_named_as_such(
    empty_engine: Engine,
) -> None:
    sales(empty_engine)
    prices(
        empty_engine,
        *CUT,
        *steps(("2023-01-01", 200), ("2024-04-01", 220), maker="BYD", model="Seal"),
        *steps(("2023-01-01", 200), ("2025-01-01", 200), maker="Kia", model="EV6"),
    )
    reading = read(empty_engine)
    found = reading.content
    assert [line.maker for line in found.controls] == ["kia", "volvo"]
    assert [line.maker for line in found.moved] == ["byd"]
    assert found.silent == {"volvo"}
    notes = " ".join(reading.notes)
    assert "Control: 2 makers without a known price move of their own" in notes
    assert "of 1 of them no price is known then" in notes
    assert "Not in the control, since they may have moved a price too: BYD." in notes
    roles = PRICE_EVENT.rows(reading).groupby("maker")["role"].first().to_dict()
    assert roles == {"tesla": "cutter", "byd": "moved", "kia": "control", "volvo": "control"}


def test_a_makers_further_moves_in_the_window_are_said(empty_engine: Engine) -> None:
    sales(empty_engine)
    prices(empty_engine, *CUT, *steps(("2024-05-02", 250)))
    assert any(
        note.startswith("Tesla moved prices in these months again: 2 May 2024.") for note in read(empty_engine).notes
    )


def test_a_step_that_ends_in_a_level_may_have_been_in_any_month_since_the_price_before() -> None:
    def moved(precision: DatePrecision) -> list[int]:
        first = quote("byd", 200, day=date(2025, 1, 1))
        second = quote("byd", 150, day=date(2025, 4, 20), precision=precision)
        (line,) = price_lines([first, second])
        return np.flatnonzero(moved_months([line], "byd", first=2025 * 12, count=12)).tolist()

    assert moved(DatePrecision.DAY) == [3]
    assert moved(DatePrecision.APPROXIMATE) == [2, 3, 4]
    assert moved(DatePrecision.OBSERVED) == [0, 1, 2, 3]


def test_the_months_of_the_makers_own_cuts_are_no_placebos(empty_engine: Engine) -> None:
    sales(empty_engine)
    prices(empty_engine, *steps(("2020-01-01", 400), ("2020-03-01", 390), ("2023-11-01", 390)), CUT[1])
    found = event(empty_engine)
    first = MONTHS.index("2020-03")
    assert first not in found.study.placebos
    assert first + 1 in found.study.placebos


def test_the_same_months_a_year_before_are_given_for_the_season(empty_engine: Engine) -> None:
    sales(empty_engine)
    prices(empty_engine, *CUT)
    assert any("around the same month a year before the same came out at" in note for note in read(empty_engine).notes)


# Drawing, download, receipts


def test_shares_are_drawn_from_three_months_before_to_six_after(empty_engine: Engine) -> None:
    sales(empty_engine, after=350)
    prices(empty_engine, *CUT)
    reading = read(empty_engine)
    seen = lines(reading)
    assert {"Tesla", "BYD", "Kia", "Volvo", "Expected", "Cut"} == set(seen)
    assert len(seen["Tesla"]["y"]) == 10
    assert sum(seen["Tesla"]["y"][:3]) == pytest.approx(0, abs=1e-6)
    assert seen["Tesla"]["y"][-1] == pytest.approx(350 / 1150 - 0.2, abs=0.002)
    assert seen["Cut"]["x"] == ["2024-01-10"]
    table = PRICE_EVENT.table(reading)
    assert [row[1] for row in table.rows] == ["−3", "−2", "−1", "0", "+1", "+2", "+3", "+4", "+5", "+6", "mean"]
    assert table.rows[4][2] == "30.4 %"


def test_the_download_has_the_effect_the_expectation_and_everybodys_shares(empty_engine: Engine) -> None:
    sales(empty_engine, after=350)
    prices(empty_engine, *CUT)
    reading = read(empty_engine)
    rows = PRICE_EVENT.rows(reading)
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert rows["measure"].value_counts().to_dict() == {"share": 40, "expected_share": 10, "effect": 1}
    effect = rows.iloc[0]
    assert effect["period_start"] == "2024-01-01"
    assert effect["low"] <= effect["value"] <= effect["high"]
    assert effect["placebo_low"] < 0 < effect["placebo_high"] < effect["value"]
    assert effect["price_url"] == "https://made-up.example/price"
    with empty_engine.connect() as connection:
        document = downloads.document(connection, PRICE_EVENT, reading, rows, site="")
    assert all(row["receipts"] for row in document["rows"])


def test_receipts_are_the_cars_of_a_month_or_the_prices_of_the_cut(empty_engine: Engine) -> None:
    sales(empty_engine, after=350)
    prices(empty_engine, *CUT)
    reading = read(empty_engine)
    assert PRICE_EVENT.receipts is not None
    with empty_engine.connect() as connection:
        cars = PRICE_EVENT.receipts(connection, reading, Point("KR", "tesla", ALL, 2024 * 12 + 3))
        (key,) = lines(reading)["Cut"]["customdata"]
        moved = PRICE_EVENT.receipts(connection, reading, Point(*key))
    assert cars["units"].tolist() == [350]
    assert moved["stated"].tolist() == ["300 KRW", "240 KRW"]


def test_what_of_a_selection_plays_no_part_is_said(empty_engine: Engine) -> None:
    sales(empty_engine)
    prices(empty_engine, *CUT)
    notes = " ".join(read(empty_engine, "market=KR&currency=EUR&segment=d-suv&models=tesla-model-y").notes)
    assert "currency, tax and inflation do not change it" in notes
    assert "Segment and range test play no part here" in notes
    assert "the share is of all of the maker's cars" in notes


@pytest.mark.parametrize(
    "look", [SCREEN, DARK, NARROW, PICTURE, SHEET], ids=["screen", "dark", "narrow", "png", "sheet"]
)
@pytest.mark.parametrize("query", ["", "market=CN", "market=FR&makers=renault,tesla"])
def test_full_data_are_drawn_as_plain_values(bundled_engine: Engine, query: str, look: Look) -> None:
    reading = read(bundled_engine, query)
    figure = drawn(reading, look)
    assert figure["layout"]["height"] == look.height
    assert len(reading.title) <= TITLE_LENGTH
    assert len(reading.subtitle) <= TITLE_LENGTH


def test_the_real_cuts_of_january_2023(bundled_engine: Engine) -> None:
    germany = read(bundled_engine, "market=DE&date=2023-01-13")
    assert germany.title == "After Tesla's cut of 13 Jan 2023 its German BEV share moved no more than at other times"
    # 4,241 of 18,136 cars in January 2023.
    assert PRICE_EVENT.table(germany).rows[3][2] == "23.4 %"
    china = read(bundled_engine, "market=CN&date=2023-01-06")
    assert china.title == "Tesla's cut of 6 Jan 2023: unnamed cars leave open what its Chinese BEV share did"
