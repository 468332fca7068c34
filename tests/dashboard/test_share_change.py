"""Who gained share: the same months of two years, bounds kept, and parts that add up to the change exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard.charts.chart import DOWNLOAD_COLUMNS, Point, Reading
from dashboard.charts.share_change import SHARE_CHANGE
from dashboard.metrics import share_parts
from dashboard.selection import NotPublished, Refusal, Selection
from dashboard.style import PICTURE, SCREEN, Figure
from tests.dashboard.test_precedence import state
from tests.dashboard.test_sales_lines import fill, monthly
from tests.world import cards

TODAY = date(2026, 7, 24)

DOUBLED = {"2025-01": {"Tesla": 200, "BYD": 300}, "2026-01": {"Tesla": 500, "BYD": 500}}
"""Tesla from 40 to 50 % of a market that doubled from 500 to 1,000 cars."""


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, SHARE_CHANGE, f"market=DE&{query}", today=TODAY)


def ask(engine: Engine, query: str) -> Reading:
    with engine.connect() as connection:
        return SHARE_CHANGE.load(connection, Selection.from_query(query, defaults=SHARE_CHANGE.defaults), today=TODAY)


def refused(engine: Engine, query: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        ask(engine, query)
    return caught.value


def drawn(reading: Reading) -> Figure:
    return cards.drawn(SHARE_CHANGE, reading)


def texts(figure: Figure) -> list[str]:
    return [str(note["text"]) for note in figure["layout"]["annotations"]]


def row(reading: Reading, maker: str) -> dict[str, Any]:
    rows = SHARE_CHANGE.rows(reading)
    (found,) = rows[rows["maker"] == maker].to_dict("records")
    return {str(name): value for name, value in found.items()}


def compared(reading: Reading) -> tuple[str, str]:
    """First months of the earlier and the later period."""
    rows = SHARE_CHANGE.rows(reading)
    return rows["period_before"].iloc[0][:7], rows["period_start"].iloc[0][:7]


# The parts of a change


def parts_of(*markets: tuple[tuple[float, float], tuple[float, float]]) -> tuple[float, float, float]:
    """Own growth, market growth and mix of one entity: by market its cars before and now, and all cars."""
    units, totals = np.array([of for of, _ in markets]), np.array([of for _, of in markets])
    found = share_parts(units_before=units[:, :1], units=units[:, 1:], total_before=totals[:, 0], total=totals[:, 1])
    return float(found.own[0]), float(found.market[0]), float(found.mix[0])


def test_more_cars_raise_a_share_and_a_growing_market_lowers_it() -> None:
    # 300 cars more at 1.5 thousandths each; 350 cars on average, each worth a thousandth less.
    assert parts_of(((200, 500), (500, 1000))) == pytest.approx((0.45, -0.35, 0))


def test_a_shift_to_markets_where_one_has_less_is_mix_alone() -> None:
    # 50 % of the one market and 10 % of the other, before and now; the other one became three times as large.
    own, market, mix = parts_of(((50, 50), (100, 100)), ((10, 30), (100, 300)))
    assert mix == pytest.approx(-0.1)
    assert own == pytest.approx(-market) == pytest.approx(0.625 * 20 * (1 / 100 + 1 / 300) / 2)


def test_who_was_not_there_before_has_own_growth_and_loses_to_the_market_on_average() -> None:
    own, market, mix = parts_of(((0, 100), (100, 200)))
    assert (own, market, mix) == pytest.approx((0.75, -0.25, 0))
    assert own + market + mix == pytest.approx(0.5)


def test_without_a_denominator_nothing_is_said() -> None:
    assert np.isnan(parts_of(((0, 1), (0, 10)))).all()


cars = st.integers(0, 10_000)


@given(
    st.lists(st.tuples(st.tuples(cars, cars), st.tuples(cars, cars)), min_size=1, max_size=6),
)
def test_parts_add_up_to_the_change(markets: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    # Every market has other cars, and one more, so that its total is no zero.
    whole = [((a, b), (a + c + 1, b + d + 1)) for (a, b), (c, d) in markets]
    before, now = (sum(of[n] for of, _ in whole) / sum(all_[n] for _, all_ in whole) for n in (0, 1))
    assert sum(parts_of(*whole)) == pytest.approx(now - before, abs=1e-9)


@given(st.lists(st.tuples(st.tuples(cars, cars), st.tuples(cars, cars)), min_size=1, max_size=4))
def test_parts_turn_their_signs_when_time_does(markets: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    whole = [((a, b), (a + c + 1, b + d + 1)) for (a, b), (c, d) in markets]
    turned = [((b, a), (d, c)) for (a, b), (c, d) in whole]
    assert parts_of(*whole) == pytest.approx(tuple(-part for part in parts_of(*turned)), abs=1e-9)


def test_the_parts_of_a_set_of_markets_are_those_of_its_countries(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {"2025-01": {"Tesla": 50, "BYD": 50}, "2026-01": {"Tesla": 50, "BYD": 50}},
            "SE": {"2025-01": {"Tesla": 10, "BYD": 90}, "2026-01": {"Tesla": 30, "BYD": 270}},
        },
    )
    tesla = row(ask(empty_engine, "market=DE,SE"), "tesla")
    assert tesla["value"] == pytest.approx(-0.1) == tesla["mix"]
    assert tesla["own_growth"] == pytest.approx(-tesla["market_growth"])
    assert tesla["own_growth"] > 0


# Which periods are compared


def test_a_year_before_with_the_same_months_is_the_default(empty_engine: Engine) -> None:
    half = {f"2026-0{n}": {"Tesla": 30, "BYD": 70} for n in (1, 2, 3)}
    fill(empty_engine, {"DE": monthly(2025, {"Tesla": 20, "BYD": 80}) | half})
    assert compared(read(empty_engine)) == ("2025-03", "2026-03")
    assert "Jan to Mar 2026 on 2025" in read(empty_engine).subtitle
    assert compared(read(empty_engine, "until=2026-02")) == ("2025-02", "2026-02")


def test_the_range_chooses_the_earlier_period_and_the_months_stay_the_same(empty_engine: Engine) -> None:
    years = {year: {"Tesla": year - 2000, "BYD": 100} for year in (2023, 2024, 2025)}
    months = {key: of for year, of in years.items() for key, of in monthly(year, of).items()}
    fill(empty_engine, {"DE": months | {"2026-01": {"Tesla": 90, "BYD": 10}}})
    assert compared(read(empty_engine, "since=2023-01")) == ("2023-01", "2026-01")
    assert compared(read(empty_engine, "since=2023-02")) == ("2024-01", "2026-01")
    assert "Jan 2026 on 2023" in read(empty_engine, "since=2023-01").title
    assert "on 20" not in read(empty_engine, "since=2025-01").title
    short = read(empty_engine, "since=2025-06")
    assert compared(short) == ("2025-01", "2026-01")
    assert "The range holds no two periods of the same months: compared with Jan 2025." in short.notes
    assert not any("range" in note for note in read(empty_engine, "since=2023-02").notes)


def test_a_month_that_is_still_running_is_not_compared(empty_engine: Engine) -> None:
    record = {"Tesla": 20, "BYD": 80}
    months = monthly(2025, record) | {"2026-01": record, "2026-02": {"Tesla": 1, "BYD": 1}}
    fill(empty_engine, {"DE": months}, known_on=date(2026, 2, 10))
    reading = read(empty_engine)
    assert compared(reading) == ("2025-01", "2026-01")
    assert "The figures of Feb 2026 are not yet complete, and not compared." in reading.notes


def test_a_market_that_ends_earlier_holds_the_others_back_and_is_named(empty_engine: Engine) -> None:
    record = {"Tesla": 20, "BYD": 80}
    german = monthly(2025, record) | {"2026-01": record, "2026-02": record}
    fill(empty_engine, {"DE": german, "NO": monthly(2025, record) | {"2026-01": record}})
    reading = ask(empty_engine, "market=DE,NO")
    assert compared(reading) == ("2025-01", "2026-01")
    assert "Without Norway the comparison would reach Feb 2026." in reading.notes
    alone = ask(empty_engine, "market=DE")
    assert compared(alone) == ("2025-02", "2026-02")
    assert not any("Without" in note for note in alone.notes)


def test_markets_side_by_side_are_compared_in_the_months_that_most_of_them_have(empty_engine: Engine) -> None:
    record = {"Tesla": 100}
    german = monthly(2025, record) | {f"2026-0{n}": record for n in (1, 2, 3)}
    norwegian = monthly(2024, record) | {"2025-01": record, "2025-02": record}
    cars = {"other": 1000}
    fill(
        empty_engine,
        {"DE": german, "NO": norwegian},
        all_cars={"DE": dict.fromkeys(german, cars), "NO": dict.fromkeys(norwegian, cars)},
    )
    query = "market=DE,NO&by=market&of=ALL"
    assert compared(ask(empty_engine, query)) == ("2025-03", "2026-03")
    assert SHARE_CHANGE.rows(ask(empty_engine, query))["market"].tolist() == ["DE"]
    assert "Figures of Norway end with Feb 2025." in ask(empty_engine, query).notes


def test_two_publishers_are_no_change(empty_engine: Engine) -> None:
    state(empty_engine, "alpha", ("2025-01", "tesla", 100), ("2025-01", "other", 100))
    state(empty_engine, "beta", ("2026-01", "tesla", 300), ("2026-01", "other", 100), rank=200)
    assert "from the same publisher" in str(refused(empty_engine, "market=KR"))


def test_a_market_that_changed_its_publisher_is_left_out_beside_one_that_did_not(empty_engine: Engine) -> None:
    then = ("2025-01", "BEV all", 100), ("2025-01", "ALL all", 1000)
    now = ("2026-01", "BEV all", 300), ("2026-01", "ALL all", 1000)
    state(empty_engine, "alpha", *then, market="KR")
    state(empty_engine, "beta", *now, market="KR", rank=200)
    state(empty_engine, "gamma", *then, *now, market="JP")
    reading = ask(empty_engine, "market=JP,KR&by=market&of=ALL")
    assert SHARE_CHANGE.rows(reading)["market"].tolist() == ["JP"]


def test_a_market_without_makers_leads_to_one_that_is_drawn(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": DOUBLED, "FR": {"2025-01": {"other": 100}, "2026-01": {"other": 300}}})
    refusal = refused(empty_engine, "market=DE,FR")
    assert isinstance(refusal, NotPublished)
    assert refusal.nearest is not None
    assert refusal.nearest.market == ("DE",)


# Titles


def test_who_gained_and_who_lost_most_is_said(empty_engine: Engine) -> None:
    before, now = {"Tesla": 200, "BYD": 300, "Kia": 500}, {"Tesla": 500, "BYD": 300, "Kia": 200}
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": now}})
    assert read(empty_engine).title == (
        "German BEVs, Jan 2026: Tesla gained most share, +30.0 pp; Kia lost most, −30.0 pp"
    )


def test_an_open_gain_is_said_by_its_least(empty_engine: Engine) -> None:
    before = {"Tesla|Model Y": 200, "BYD|Seal": 700, "other": 100}
    now = {"Tesla|Model Y": 500, "BYD|Seal": 400, "other": 100}
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": now}})
    reading = read(empty_engine)
    assert reading.title == "German BEVs, Jan 2026: Tesla gained most share, ≥20.0 pp; BYD lost most, ≥20.0 pp"
    assert reading.badge.amber
    tesla = row(reading, "tesla")
    assert (tesla["low"], tesla["value"], tesla["high"]) == pytest.approx((0.2, 0.3, 0.4))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (
            {"Tesla|A": 10, "Tesla|other": 90, "Kia|EV3": 450, "Kia|other": 340, "other": 110},
            {"Tesla|A": 10, "Tesla|other": 190, "Kia|EV3": 450, "Kia|other": 150, "other": 200},
        ),
        ({"Tesla": 100, "BYD": 100, "Kia": 800}, {"Tesla": 200, "BYD": 200, "Kia": 600}),
    ],
    ids=["one hidden in the rest could have", "another one gained as much"],
)
def test_nobody_gained_most_who_might_not(empty_engine: Engine, before: dict[str, int], now: dict[str, int]) -> None:
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": now}})
    title = read(empty_engine).title
    assert "gained most" not in title
    assert "Tesla +10.0 pp" in title or "lost most" in title


def test_a_rest_that_could_turn_every_sign_leaves_open_who_gained(empty_engine: Engine) -> None:
    before = {"Tesla|Model Y": 200, "BYD|Seal": 300, "other": 500}
    now = {"Tesla|Model Y": 300, "BYD|Seal": 200, "other": 500}
    fill(empty_engine, {"CN": {"2025-01": before, "2026-01": now}})
    reading = ask(empty_engine, "market=CN")
    assert reading.title == "Unnamed cars leave open who gained share of Chinese BEVs, Jan 2026; 50.0 % unnamed"
    assert (
        "Whether Tesla and BYD gained or lost is open: the publishers' unnamed rest could hide more." in reading.notes
    )
    one = ask(empty_engine, "market=CN&makers=tesla").title
    assert one == "Tesla's share of Chinese BEVs, Jan 2026: −40.0 to +60.0 pp, so that its sign is open"


def test_a_share_that_rounds_to_no_change_gained_nothing(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2025-01": {"Tesla": 5000, "BYD": 5000}, "2026-01": {"Tesla": 5001, "BYD": 4999}}},
    )
    assert read(empty_engine).title == "German BEVs, Jan 2026: no share moved by a tenth of a point"
    assert read(empty_engine, "makers=tesla").title == "Tesla's share of German BEVs hardly moved, Jan 2026: 50.0 %"


def test_one_makers_title_has_its_parts(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": DOUBLED})
    assert read(empty_engine, "makers=tesla").title == (
        "Tesla +10.0 pp to 50.0 % of German BEVs, Jan 2026: own growth +45.0 pp, market −35.0 pp"
    )


def test_markets_side_by_side_say_what_their_share_is_of(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2025-01": {"Tesla": 100}, "2026-01": {"Tesla": 300}},
         "NO": {"2025-01": {"Tesla": 700}, "2026-01": {"Tesla": 800}}},
        all_cars={"DE": {"2025-01": {"other": 1000}, "2026-01": {"other": 1000}},
                  "NO": {"2025-01": {"other": 1000}, "2026-01": {"other": 1000}}},
    )  # fmt: skip
    assert ask(empty_engine, "market=DE,NO&by=market&of=ALL").title == (
        "BEV share of cars, Jan 2026: Germany gained most share, +20.0 pp; Norway +10.0 pp"
    )
    assert ask(empty_engine, "market=DE,NO&by=market").title == (
        "2 markets' BEVs, Jan 2026: Germany gained most share, +14.8 pp; Norway lost most, −14.8 pp"
    )
    alone = refused(empty_engine, "market=DE&by=market")
    assert "100 % of its own" in str(alone)
    assert alone.nearest is not None


def test_the_measure_that_a_reader_chose_is_not_another_chart(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": DOUBLED})
    said = "This chart is of shares, whichever measure is chosen."
    grown = read(empty_engine, "measure=growth")
    assert grown.title == read(empty_engine).title
    assert said in grown.notes
    assert said not in read(empty_engine).notes


# Drawing


def test_bars_go_from_zero_to_what_is_certain_and_the_hatch_from_low_to_high(empty_engine: Engine) -> None:
    before = {"Tesla|Model Y": 200, "BYD|Seal": 700, "other": 100}
    now = {"Tesla|Model Y": 500, "BYD|Seal": 400, "other": 100}
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": now}})
    figure = drawn(read(empty_engine))
    hatched, solid = figure["data"]
    assert solid["y"] == ["Tesla", "BYD", "Other (unnamed)"]
    assert solid["x"] == pytest.approx([0.2, -0.2, 0])
    assert hatched["base"] == pytest.approx([0.2, -0.4, 0])
    assert hatched["x"] == pytest.approx([0.2, 0.2, 0])
    assert texts(figure) == ["+20.0 to +40.0 pp", "−40.0 to −20.0 pp", "0 pp"]
    assert solid["customdata"][0] == ["DE", "tesla", "all", 2026 * 12]


def test_on_a_narrow_screen_a_change_stands_under_its_name(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": DOUBLED})
    layout = SHARE_CHANGE.draw(read(empty_engine), replace(SCREEN, height=320, font_px=12))["layout"]
    assert layout["yaxis"]["ticktext"] == ["Tesla<br>+10.0 pp", "BYD<br>−10.0 pp"]
    assert not layout["annotations"]


def test_who_is_not_named_in_both_periods_has_what_is_certain_and_no_parts(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2025-01": {"BYD|Seal": 90, "other": 10}, "2026-01": {"BYD|Seal": 60, "Tesla|Model Y": 40}}},
    )
    reading = read(empty_engine, "makers=byd,tesla")
    solid = drawn(reading)["data"][1]
    assert dict(zip(solid["y"], solid["x"], strict=True)) == pytest.approx({"Tesla": 0.3, "BYD": -0.3})
    tesla = row(reading, "tesla")
    assert (tesla["low"], tesla["high"]) == pytest.approx((0.3, 0.4))
    assert np.isnan(tesla["own_growth"])


def test_models_that_only_one_of_the_periods_names_are_counted_and_not_compared(empty_engine: Engine) -> None:
    before = {"Tesla|Model Y": 100, "BYD|Seal": 100}
    now = {"Tesla|Model Y": 100, "Tesla|Model S": 100, "BYD|Seal": 300}
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": now}})
    reading = read(empty_engine, "by=model")
    assert SHARE_CHANGE.rows(reading)["model"].tolist() == ["byd-seal", "tesla-model-y"]
    assert "gained most" not in reading.title, "the newcomer has 20 %"
    said = "Not compared: 1 named in one of the two periods only, whose share in the other one is not known."
    assert said in reading.notes
    assert said not in read(empty_engine).notes


def test_a_newcomer_where_nothing_is_hidden_had_none_before(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2025-01": {"BYD": 100}, "2026-01": {"BYD": 100, "Tesla": 100}}})
    tesla = row(read(empty_engine), "tesla")
    assert (tesla["value"], tesla["own_growth"], tesla["market_growth"]) == pytest.approx((0.5, 0.75, -0.25))


def test_small_changes_are_counted_and_never_drawn_one_by_one(empty_engine: Engine) -> None:
    before = {f"Maker{n}": 100 for n in range(10)}
    now = {f"Maker{n}": 100 + 10 * n for n in range(10)}
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": now}})
    reading = read(empty_engine)
    names = drawn(reading)["data"][1]["y"]
    assert len(names) == 8
    assert names[-1] == "3 others"
    assert "Not drawn: 3 others" in reading.notes[0]
    assert len(SHARE_CHANGE.rows(reading)) == 10
    assert SHARE_CHANGE.rows(reading)["value"].sum() == pytest.approx(0)


def test_one_maker_is_drawn_step_by_step_from_share_to_share(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": DOUBLED})
    figure = drawn(read(empty_engine, "makers=tesla"))
    steps = figure["data"][1]
    assert figure["layout"]["xaxis"]["categoryarray"] == steps["x"]
    assert [name.replace("<br>", " ") for name in steps["x"]] == [
        "Jan 2025", "Own growth", "Market growth", "Jan 2026",
    ]  # fmt: skip
    assert steps["base"] == pytest.approx([0, 0.4, 0.5, 0])
    assert steps["y"] == pytest.approx([0.4, 0.45, 0.35, 0.5])
    assert texts(figure) == ["40.0 %", "+45.0 pp", "−35.0 pp", "50.0 %"]


def test_a_makers_models_are_parts_of_its_own_growth(empty_engine: Engine) -> None:
    before = {"Tesla|Model Y": 100, "Tesla|Model 3": 100, "BYD|Seal": 300}
    now = {"Tesla|Model Y": 400, "Tesla|Model 3": 50, "Tesla|Model S": 50, "BYD|Seal": 500}
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": now}})
    reading = read(empty_engine, "makers=tesla")
    cells = {line[0]: line[4] for line in SHARE_CHANGE.table(reading).rows}
    assert cells == {
        "Tesla": "+45.0 pp",
        "of it Tesla Model Y": "+45.0 pp",
        "of it Tesla Model 3": "−7.5 pp",
        "of it models that are not named throughout": "+7.5 pp",
    }
    assert not reading.content.models or sum(part for _, part in reading.content.models) == pytest.approx(0.45)


@pytest.mark.parametrize("look", [SCREEN, PICTURE], ids=["screen", "picture"])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "market=CN",
        "market=US&grain=quarter",
        "market=DE,NO,SE&by=market&of=ALL",
        "by=group",
        "market=DE&by=model",
        "makers=tesla",
        "makers=byd&market=CN",
        "as_of=2026-07-23&since=2022-01",
        "market=DE&grain=year",
    ],
)
def test_full_data_are_drawn_as_plain_values(bundled_engine: Engine, query: str, look: Any) -> None:
    reading = ask(bundled_engine, query)
    figure = SHARE_CHANGE.draw(reading, look)
    assert json.dumps(figure, allow_nan=False)
    assert len(reading.title) <= 90
    assert len(reading.subtitle) <= 90
    rows = SHARE_CHANGE.rows(reading)
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert set(rows["measure"]) == {"share_change"}
    assert (rows["low"] <= rows["value"] + 1e-12).all()
    assert (rows["value"] <= rows["high"] + 1e-12).all()
    with_parts = rows[rows["own_growth"].notna()]
    together = with_parts[["own_growth", "market_growth", "mix"]].sum(axis=1)
    assert together.to_numpy() == pytest.approx(with_parts["value"].to_numpy(), abs=1e-9)


# Receipts


def test_a_changes_receipts_are_the_claims_of_both_periods(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": monthly(2025, {"Tesla": 10, "BYD": 10}) | {"2026-01": {"Tesla": 30, "BYD": 10}}})
    reading = read(empty_engine)
    with empty_engine.connect() as connection:
        claims = SHARE_CHANGE.receipts(connection, reading, Point("DE", "tesla", "all", 2026 * 12))  # type: ignore[misc]
        before = SHARE_CHANGE.receipts(connection, reading, Point("DE", "tesla", "all", 2025 * 12))  # type: ignore[misc]
    assert claims[["period_start", "units"]].to_numpy().tolist() == [["2025-01-01", 10], ["2026-01-01", 30]]
    assert before["units"].tolist() == [10]
