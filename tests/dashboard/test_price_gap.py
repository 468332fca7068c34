"""How far one maker's matched cars are from another's: made-up pairs whose gaps can be worked out in the head."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard import downloads
from dashboard.charts.chart import DOWNLOAD_COLUMNS, TITLE_LENGTH, Point, Reading
from dashboard.charts.price_gap import GAP_COLUMNS, PRICE_GAP
from dashboard.charts.price_gap_drawing import MEDIAN
from dashboard.selection import Incomparable, InvalidSelection, NotPublished, Refusal
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from db.vocabulary import PriceKind
from tests.world import cards
from tests.world.records import prices, rates, vehicles

TODAY = date(2025, 3, 15)
NARROW = Look(theme="dark", height=320, font_px=12)

CAR = {"market": "CN", "currency": "CNY", "range_km": 500, "range_cycle": "CLTC"}
TESLA = CAR | {"model": "Model 3", "amount": 400}
BYD = CAR | {"maker": "BYD", "model": "Seal", "amount": 200}
SIZES = (
    {"model": "Model 3", "segment": "D", "drive": "RWD;AWD"},
    {"model": "Model Y", "segment": "D-SUV", "drive": "RWD;AWD"},
    {"maker": "BYD", "model": "Seal", "segment": "D", "drive": "RWD;AWD"},
    {"maker": "BYD", "model": "Sealion 7", "segment": "D-SUV", "drive": "RWD;AWD"},
    {"maker": "NIO", "model": "ET5", "segment": "D", "drive": "RWD;AWD"},
)
SUVS = (
    TESLA | {"model": "Model Y", "amount": 500, "effective_from": "2025-03-01"},
    BYD | {"model": "Sealion 7", "amount": 300, "effective_from": "2025-03-01"},
)
"""A second pair, from March on: 40 % apart."""


def state(engine: Engine, *rows: Mapping[str, object]) -> None:
    prices(engine, *rows)
    vehicles(engine, *SIZES)


def read(engine: Engine, query: str = "", *, today: date = TODAY) -> Reading:
    return cards.read(engine, PRICE_GAP, query, today=today)


def refused(engine: Engine, query: str = "") -> Refusal:
    return cards.refused(engine, PRICE_GAP, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(PRICE_GAP, reading, look)


def medians(reading: Reading, axis: str = "y") -> dict[str | None, float | None]:
    """By month the height of the median's line, with a None where it is broken."""
    trace = next(each for each in drawn(reading)["data"] if each["yaxis"] == axis and each["line"]["width"] > 1)
    return {x and x[:7]: y for x, y in zip(trace["x"], trace["y"], strict=True)}


def said(reading: Reading) -> str:
    return " ".join(reading.notes)


def test_a_pair_is_as_far_apart_as_its_prices_in_per_cent_and_in_money(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD)
    reading = read(empty_engine)
    assert medians(reading) == {"2025-01": -0.5, "2025-02": -0.5, "2025-03": -0.5}
    assert set(medians(reading, "y2").values()) == {-200}
    assert reading.title == "BYD Seal RWD: 50.0 % below Tesla Model 3 RWD in China, Mar 2025"
    assert reading.badge.amber, "one pair is little to go by"


def test_a_car_that_is_dearer_is_said_to_be_above_and_one_as_dear_the_same(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD | {"amount": 500})
    assert read(empty_engine).title == "BYD Seal RWD: 25.0 % above Tesla Model 3 RWD in China, Mar 2025"


def test_equal_prices_are_the_same_price(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD | {"amount": 400})
    assert read(empty_engine).title == "BYD Seal RWD: the same price as Tesla Model 3 RWD in China, Mar 2025"


def test_several_pairs_are_a_median_between_the_least_and_the_greatest(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD, *SUVS)
    reading = read(empty_engine)
    assert reading.title == "BYD 40.0 to 50.0 % below Tesla in 2 matched pairs in China, Mar 2025"
    assert round(medians(reading)["2025-03"] or 0, 9) == -0.45
    rows = PRICE_GAP.rows(reading)
    march = rows[(rows["period_start"] == "2025-03-01") & (rows["part"] == MEDIAN)]
    assert march[["low", "high", "pairs", "gap"]].round(9).values.tolist() == [[-0.5, -0.4, 2, -200]]


def test_pairs_on_both_sides_are_not_said_to_be_below(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD, SUVS[0], SUVS[1] | {"amount": 600})
    title = read(empty_engine).title
    assert title == "BYD against Tesla, 2 matched pairs in China: 50.0 % below to 20.0 % above, Mar 2025"


def test_the_line_is_broken_where_a_pair_enters(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD, *SUVS)
    reading = read(empty_engine)
    assert list(medians(reading)) == ["2025-01", "2025-02", None, "2025-03"]
    assert medians(reading)[None] is None
    assert "The line is broken where the pairs change, once" in said(reading)


def test_with_the_same_pairs_all_along_nothing_is_broken(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD, BYD | {"effective_from": "2025-02-10", "amount": 300})
    reading = read(empty_engine)
    assert medians(reading) == {"2025-01": -0.5, "2025-02": -0.25, "2025-03": -0.25}
    assert "broken" not in said(reading)


def test_what_makes_no_pair_is_listed_with_its_reason_and_counted(empty_engine: Engine) -> None:
    state(
        empty_engine, TESLA, BYD,
        BYD | {"model": "Han", "range_km": "", "range_cycle": "none"},
        BYD | {"model": "Dolphin"},
        TESLA | {"model": "Model Y"},
    )  # fmt: skip
    reading = read(empty_engine)
    assert "Left out of BYD, since no segment and no range is stated: Han" in said(reading)
    assert "Left out of BYD, since no segment is stated: Dolphin (1 of 3 series)" in said(reading)
    assert "without a counterpart at the same time: 0 of BYD and 1 of Tesla" in said(reading)


def test_a_price_that_nobody_confirms_is_hollow(empty_engine: Engine) -> None:
    later = {"effective_from": "2025-03-01"}
    state(empty_engine, TESLA, BYD, TESLA | later, BYD | later)
    reading = read(empty_engine)
    trace = drawn(reading)["data"][0]
    assert [colour == "#FFFFFF" for colour in trace["marker"]["color"]] == [False, False, True]
    assert "Hollow" in said(reading)
    rows = PRICE_GAP.rows(reading)
    assert rows[rows["part"] == MEDIAN]["flags"].tolist() == ["", "", "last known"]


def test_only_the_months_of_the_range_are_shown_and_older_prices_stand_in_them(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD)
    assert list(medians(read(empty_engine, "since=2025-02&until=2025-02"))) == ["2025-02"]


def test_an_older_day_shows_what_was_known_on_it(empty_engine: Engine) -> None:
    state(
        empty_engine, TESLA, BYD,
        BYD | {"effective_from": "2025-03-01", "amount": 300, "published_on": "2025-03-01"},
    )  # fmt: skip
    assert medians(read(empty_engine, "as_of=2025-02-20")) == {"2025-01": -0.5, "2025-02": -0.5}
    assert medians(read(empty_engine))["2025-03"] == -0.25


def test_one_kind_of_price_can_be_looked_at_alone(empty_engine: Engine) -> None:
    starting = {"price_kind": "starting"}
    state(empty_engine, TESLA, BYD, *(row | starting for row in SUVS))
    assert read(empty_engine, "price_kind=starting").title.startswith("BYD Sealion 7 RWD: 40.0 % below")
    assert read(empty_engine, "segment=d").title.startswith("BYD Seal RWD: 50.0 % below")
    assert read(empty_engine, "cycle=CLTC").title.startswith("BYD 40.0 to 50.0 % below")
    assert isinstance(refused(empty_engine, "cycle=WLTP"), NotPublished)


def test_one_maker_meets_tesla_and_tesla_is_what_others_are_measured_by(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD, BYD | {"maker": "NIO", "model": "ET5", "amount": 500})
    assert read(empty_engine, "makers=nio").title.startswith("NIO ET5 RWD: 25.0 % above Tesla")
    assert read(empty_engine, "makers=tesla,nio").title == read(empty_engine, "makers=nio").title
    assert read(empty_engine, "makers=tesla").title.startswith("BYD Seal RWD: 50.0 % below Tesla")
    assert read(empty_engine, "makers=byd,nio").title.startswith("BYD Seal RWD: 60.0 % below NIO")


def test_three_makers_or_two_markets_are_refused_with_the_nearest_that_is_drawn(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD, BYD | {"maker": "NIO", "model": "ET5", "amount": 400})
    for query in ("makers=byd,nio,tesla", "market=CN,DE"):
        refusal = refused(empty_engine, query)
        assert isinstance(refusal, Incomparable)
        assert refusal.nearest is not None
        assert read(empty_engine, refusal.nearest.query(defaults=PRICE_GAP.defaults)).title.startswith("BYD Seal")


def test_a_market_without_a_pair_is_refused_with_counts_and_a_way_on(empty_engine: Engine) -> None:
    euro = {"market": "DE", "currency": "EUR"}
    state(empty_engine, TESLA, BYD, TESLA | euro, BYD | euro | {"model": "Han"})
    refusal = refused(empty_engine, "market=DE")
    assert "no two trims of BYD and Tesla in Germany are alike" in str(refusal)
    assert "1 of 1 of BYD and 0 of 1 of Tesla" in str(refusal)
    assert refusal.nearest is not None
    assert refusal.nearest.market == ("CN",)


def test_models_narrow_their_own_maker_and_strangers_are_named(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD, *SUVS, BYD | {"maker": "NIO", "model": "ET5"})
    reading = read(empty_engine, "models=byd-seal,nio-et5")
    assert reading.title.startswith("BYD Seal RWD: 50.0 % below Tesla Model 3 RWD")
    assert "Of neither maker: ET5." in said(reading)


def test_money_is_exchanged_at_the_months_rate_and_the_per_cent_stay(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD)
    rates(
        empty_engine, "fx_rate",
        *({"currency": "CNY", "period_start": f"2025-{month}-01", "rate": rate, "days": 20}
          for month, rate in (("01", 10), ("02", 5))),
    )  # fmt: skip
    reading = read(empty_engine, "currency=EUR")
    assert medians(reading, "y2") == {"2025-01": -20, "2025-02": -40}
    assert set(medians(reading).values()) == {-0.5}
    assert "Left out: no exchange rate of CNY is known for 2025-03." in reading.notes
    fixed = read(empty_engine, "currency=EUR&date=2025-01-15")
    assert set(medians(fixed, "y2").values()) == {-20}
    assert "mean rate of Jan 2025" in said(fixed)


def test_tax_comes_off_both_and_a_market_without_a_rate_is_refused_by_name(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD)
    refusal = refused(empty_engine, "tax=excluded")
    assert "no tax rate of China is known" in str(refusal)
    assert refusal.nearest is not None
    assert medians(read(empty_engine, refusal.nearest.query(defaults=PRICE_GAP.defaults)))
    tax = {"market": "CN", "tax": "VAT", "applies_to": "all", "effective_from": "2019-04-01", "rate": 0.25, "above": 0}
    rates(empty_engine, "tax_rate", tax)
    reading = read(empty_engine, "tax=excluded")
    assert {round(value or 0, 6) for value in medians(reading, "y2").values()} == {-160}
    assert "China 25 % (from 1 Apr 2019)" in said(reading)


def test_real_prices_without_an_index_are_refused_by_name(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD)
    refusal = refused(empty_engine, "real=real")
    assert "consumer prices of China are not known" in str(refusal).replace("Consumer", "consumer")
    assert refusal.nearest is not None


def test_the_pairs_are_in_the_table_and_in_the_download_with_what_makes_them_alike(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD | {"range_km": 510, "trim": "Standard"})
    reading = read(empty_engine)
    table = PRICE_GAP.table(reading)
    assert table.rows == (
        (
            "BYD Seal Standard", "Tesla Model 3 RWD", "list", "D, RWD (one trim names none)", "510 km / 500 km CLTC",
            "Jan 2025 to Mar 2025", "200 CNY", "400 CNY", "\u2212200 CNY", "\u221250.0 %",
        ),
    )  # fmt: skip
    assert len(table.header) == len(table.rows[0])
    rows = PRICE_GAP.rows(reading)
    assert tuple(rows.columns) == GAP_COLUMNS
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    pair = rows[rows["part"] != MEDIAN].iloc[0]
    stated = ("trim", "other_trim", "range_km", "other_range_km", "range_cycle", "segment", "drive", "price_from")
    assert [pair[name] for name in stated] == ["Standard", "RWD", 510, 500, "CLTC", "D", "RWD", "2025-01-10"]
    assert "In 1 of 1 pairs a trim names no drive" in said(reading)


def test_each_row_and_each_point_has_the_receipts_of_both_prices(empty_engine: Engine) -> None:
    state(empty_engine, TESLA, BYD, *SUVS)
    reading = read(empty_engine)
    rows = PRICE_GAP.rows(reading)
    assert PRICE_GAP.receipts is not None
    assert PRICE_GAP.row_receipts is not None
    with empty_engine.connect() as connection:
        document = downloads.document(connection, PRICE_GAP, reading, rows, site="")
        of_rows = PRICE_GAP.row_receipts(connection, reading)
        keys = {key[2]: key for trace in drawn(reading)["data"] for key in trace["customdata"] if key}
        claims = {part: PRICE_GAP.receipts(connection, reading, Point(*key)) for part, key in keys.items()}
    assert all(row["receipts"] for row in document["rows"])
    march = [n for n, row in enumerate(document["rows"]) if row["period_start"] == "2025-03-01"]
    assert [int((of_rows["row"] == n).sum()) for n in march] == [4, 2, 2]
    assert sorted(len(of) for of in claims.values()) == [2, 2, 4]
    assert sorted(claims[MEDIAN]["stated"]) == ["200 CNY", "300 CNY", "400 CNY", "500 CNY"]


@pytest.mark.parametrize("look", [SCREEN, NARROW, PICTURE, SHEET], ids=["screen", "narrow dark", "picture", "sheet"])
def test_every_look_draws_one_pair_and_several_and_one_month(empty_engine: Engine, look: Look) -> None:
    state(empty_engine, TESLA, BYD, *SUVS)
    for query in ("", "segment=d", "until=2025-01"):
        figure = drawn(read(empty_engine, query), look)
        assert figure["layout"]["height"] == look.height
        for axis in ("yaxis", "yaxis2"):
            low, high = figure["layout"][axis]["range"]
            assert low <= 0 <= high, "no gap is in sight"
    assert len(drawn(read(empty_engine))["data"]) == 6, "two pairs and their median, twice"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    chosen=st.fixed_dictionaries(
        {},
        optional={
            "market": st.sampled_from(["CN", "DE", "BR", "GB", "US", "CN,DE", "NO"]),
            "makers": st.sampled_from(["byd", "tesla", "byd,volvo", "tesla,zeekr", "byd,mg", "bmw,nio,tesla"]),
            "models": st.sampled_from(["tesla-model-3", "tesla-model-y", "byd-dolphin,byd-seal"]),
            "powertrain": st.sampled_from(["BEV", "PHEV", "ALL"]),
            "price_kind": st.sampled_from([kind.value for kind in PriceKind]),
            "currency": st.sampled_from(["EUR", "USD", "CNY"]),
            "tax": st.sampled_from(["included", "excluded"]),
            "real": st.just("real"),
            "date": st.sampled_from(["2019-05-01", "2024-06-30"]),
            "segment": st.sampled_from(["d", "d-suv", "a"]),
            "cycle": st.sampled_from(["WLTP", "CLTC"]),
            "since": st.sampled_from(["2022-01", "2025-01"]),
            "until": st.sampled_from(["2025-03", "2026-01"]),
            "as_of": st.sampled_from(["2021-01-01", "2025-01-01"]),
        },
    )
)
def test_whatever_is_chosen_is_drawn_or_refused_with_a_way_on(bundled_engine: Engine, chosen: dict[str, Any]) -> None:
    query, today = "&".join(f"{name}={value}" for name, value in chosen.items()), date(2026, 7, 24)
    try:
        reading = read(bundled_engine, query, today=today)
    except InvalidSelection:
        return
    except Refusal as refusal:
        nearest = refusal.nearest or pytest.fail(f"{query}: {refusal} leads nowhere")
        reading = read(bundled_engine, nearest.query(defaults=PRICE_GAP.defaults), today=today)
    assert len(reading.title) <= TITLE_LENGTH
    assert not reading.title.endswith("…")
    assert len(reading.subtitle) <= TITLE_LENGTH
    assert all(note.endswith(".") for note in reading.notes)
    assert drawn(reading)["data"]
    rows = PRICE_GAP.rows(reading)
    assert rows[["value", "low", "high"]].notna().all(axis=None)
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()
    assert not rows.duplicated(["period_start", "market", "powertrain", "maker", "model", "measure", "part"]).any()


def test_the_real_pair_of_2024_is_as_published(bundled_engine: Engine) -> None:
    reading = read(bundled_engine, today=date(2026, 7, 24))
    assert reading.title == "BYD Sealion 07 EV 550 Standard: 24.0 % below Tesla Model Y RWD in China, Oct 2024"
    assert set(medians(reading, "y2").values()) == {-60100}, "189,800 and 249,900 CNY"
