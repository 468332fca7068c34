"""Price steps above shares: one trim a maker, one market, one time axis, and no word about what caused what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard import downloads
from dashboard.charts.chart import TITLE_LENGTH, Point, Reading
from dashboard.charts.price_rows import PRICE_COLUMNS
from dashboard.charts.price_war import MAKERS, PRICE_WAR
from dashboard.selection import Incomparable, InvalidSelection, NotPublished, Refusal
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from tests.dashboard.test_precedence import state
from tests.world import cards
from tests.world.records import prices

TODAY = date(2025, 6, 1)
KOREA = "market=KR&window=none"
NARROW = Look(theme="dark", height=320, font_px=12)
BYD = {"maker": "BYD", "model": "Seagull"}


def at(day: str, amount: int, **cells: str) -> dict[str, str]:
    return {"effective_from": day, "published_on": day, "amount": str(amount), **cells}


def shares(engine: Engine) -> None:
    """Of 1,000 cars a month Tesla sells 200, then 250, 300 and 350; BYD the same 100, and 500 are a rest."""
    months = ("2025-01", "2025-02", "2025-03", "2025-04")
    rows = [(month, "tesla", 200 + 50 * n) for n, month in enumerate(months)]
    rows += [(month, "byd", 100) for month in months]
    rows += [(month, "volkswagen", 700 - 50 * n) for n, month in enumerate(months)]
    state(engine, "korea", *rows, *((month, "all", 1000) for month in months), published_on=date(2025, 5, 1))


def world(engine: Engine) -> None:
    """Tesla cuts 300 to 240 in February; of BYD one trim is cut twice and another once."""
    prices(
        engine, at("2025-01-10", 300), at("2025-02-10", 240), at("2025-01-15", 500, trim="AWD"),
        at("2025-01-10", 100, **BYD), at("2025-02-01", 90, **BYD), at("2025-03-01", 80, **BYD),
        at("2025-01-10", 150, **BYD, trim="Long"), at("2025-02-01", 120, **BYD, trim="Long"),
    )  # fmt: skip
    shares(engine)


def read(engine: Engine, query: str = KOREA) -> Reading:
    return cards.read(engine, PRICE_WAR, query, today=TODAY)


def refused(engine: Engine, query: str) -> Refusal:
    return cards.refused(engine, PRICE_WAR, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(PRICE_WAR, reading, look)


def panel(reading: Reading, yaxis: str) -> dict[str, list[float | None]]:
    return {
        trace["name"]: trace["y"]
        for trace in drawn(reading)["data"]
        if trace.get("yaxis", "y") == yaxis and "customdata" in trace
    }


def test_one_trim_a_maker_is_drawn_from_its_first_price_as_100_above_the_shares(empty_engine: Engine) -> None:
    world(empty_engine)
    reading = read(empty_engine)
    assert panel(reading, "y2") == {
        "BYD Seagull RWD, list": [100, 90, 80],
        "Tesla Model Y RWD, list": [100, 80],
    }
    assert panel(reading, "y") == {"Tesla": [0.2, 0.25, 0.3, 0.35], "BYD": [0.1, 0.1, 0.1, 0.1]}
    layout = drawn(reading)["layout"]
    assert layout["yaxis"]["domain"][1] < layout["yaxis2"]["domain"][0]
    assert "xaxis2" not in layout, "both have one time axis"


def test_the_title_says_how_far_a_price_moved_and_what_the_share_is_and_no_more(empty_engine: Engine) -> None:
    world(empty_engine)
    reading = read(empty_engine)
    assert reading.title == ("Model Y RWD: 20.0 % less in Feb 2025 than in Jan 2025; Tesla's share 35.0 % in Apr 2025")
    assert "no proof" in " ".join(reading.notes)
    words = f"{reading.title} {reading.subtitle} {' '.join(reading.notes)}"
    assert not any(claim in words for claim in ("because", "caused", "thanks to", "effect"))


def test_without_tesla_the_title_is_about_the_best_documented_maker(empty_engine: Engine) -> None:
    world(empty_engine)
    assert read(empty_engine, f"{KOREA}&makers=byd").title.startswith("BYD Seagull RWD: 20.0 % less in Mar 2025")


def test_a_price_that_came_back_is_the_same(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 300), at("2025-02-10", 240), at("2025-03-10", 300))
    shares(empty_engine)
    assert "the same in Mar 2025 as in Jan 2025" in read(empty_engine).title


def test_the_trims_are_named_with_what_100_is(empty_engine: Engine) -> None:
    world(empty_engine)
    (trims,) = [note for note in read(empty_engine).notes if note.startswith("One trim a maker")]
    assert "Seagull RWD, list, 100 KRW 10 Jan 2025" in trims
    assert "Model Y RWD, list, 300 KRW 10 Jan 2025" in trims


def test_a_maker_without_a_share_is_drawn_above_and_named(empty_engine: Engine) -> None:
    prices(
        empty_engine, at("2025-01-10", 300), at("2025-02-10", 240),
        at("2025-01-10", 100, maker="XPeng", model="P7"), at("2025-02-10", 90, maker="XPeng", model="P7"),
    )  # fmt: skip
    shares(empty_engine)
    reading = read(empty_engine)
    assert set(panel(reading, "y")) == {"Tesla"}
    assert "XPeng P7 RWD, list" in panel(reading, "y2")
    assert "Without a published share: XPeng." in reading.notes


def test_a_named_maker_of_whom_no_trim_has_two_prices_is_named_too(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 300), at("2025-02-10", 240), at("2025-01-10", 100, **BYD))
    shares(empty_engine)
    reading = read(empty_engine, f"{KOREA}&makers=byd,tesla")
    assert "Not drawn: BYD, of whom no trim is known at two prices." in reading.notes
    refusal = refused(empty_engine, f"{KOREA}&makers=byd")
    assert isinstance(refusal, NotPublished)
    assert refusal.nearest is not None
    assert read(empty_engine, refusal.nearest.query(defaults=PRICE_WAR.defaults)).title


def test_at_most_five_makers_are_drawn_those_with_most_steps_first(empty_engine: Engine) -> None:
    makers = ("Tesla", "BYD", "XPeng", "NIO", "Volkswagen", "Kia")
    moved = [
        at(f"2025-0{month}-10", 100 + month, maker=maker, model="Model Y" if maker == "Tesla" else "One")
        for n, maker in enumerate(makers)
        for month in range(1, 3 if n < 5 else 5)
    ]
    prices(empty_engine, *moved)
    shares(empty_engine)
    lines = panel(read(empty_engine), "y2")
    assert len(lines) == MAKERS
    assert next(iter(lines)) == "Kia One RWD, list"


def test_several_markets_are_refused_with_one_of_them_as_the_way_on(empty_engine: Engine) -> None:
    world(empty_engine)
    refusal = refused(empty_engine, "market=JP,KR")
    assert isinstance(refusal, Incomparable)
    assert refusal.nearest is not None
    assert len(refusal.nearest.market) == 1


def test_the_download_has_prices_then_shares_and_a_receipt_for_each(empty_engine: Engine) -> None:
    world(empty_engine)
    reading = read(empty_engine)
    rows = PRICE_WAR.rows(reading)
    assert tuple(rows.columns) == (*PRICE_COLUMNS, "index")
    told = rows[rows["measure"] == "price"]
    assert told[["maker", "value", "index"]].values.tolist() == [
        ["byd", 100, 100], ["byd", 90, 90], ["byd", 80, 80], ["tesla", 300, 100], ["tesla", 240, 80]
    ]  # fmt: skip
    assert len(rows[rows["measure"] == "share"]) == 8
    with empty_engine.connect() as connection:
        document = downloads.document(connection, PRICE_WAR, reading, rows, site="")
    assert all(row["receipts"] for row in document["rows"])
    downloads.json_text(document)


def test_a_point_of_either_panel_has_its_receipts(empty_engine: Engine) -> None:
    world(empty_engine)
    reading = read(empty_engine)
    assert PRICE_WAR.receipts is not None
    traces = {trace["name"]: trace for trace in drawn(reading)["data"] if "customdata" in trace}
    price = Point(*traces["Tesla Model Y RWD, list"]["customdata"][1])
    share = Point(*traces["Tesla"]["customdata"][1])
    with empty_engine.connect() as connection:
        assert PRICE_WAR.receipts(connection, reading, price)["stated"].tolist() == ["240 KRW"]
        assert PRICE_WAR.receipts(connection, reading, share)["units"].tolist() == [250]
    assert date.fromordinal(share.period_start) == date(2025, 2, 1)


def test_the_table_has_each_move_with_the_makers_share_then(empty_engine: Engine) -> None:
    world(empty_engine)
    table = PRICE_WAR.table(read(empty_engine))
    assert table.rows[0][1:] == ("1 Mar 2025", "90 KRW", "80 KRW", "\u221211.1 %", "10.0 %")
    assert [row[0] for row in table.rows] == [
        "BYD Seagull RWD, list",
        "Tesla Model Y RWD, list",
        "BYD Seagull RWD, list",
    ]


@pytest.mark.parametrize("look", [SCREEN, PICTURE, SHEET, NARROW], ids=["screen", "picture", "sheet", "narrow"])
def test_every_look_is_drawn(empty_engine: Engine, look: Look) -> None:
    world(empty_engine)
    figure = drawn(read(empty_engine), look)
    assert {"yaxis", "yaxis2"} <= figure["layout"].keys()
    assert figure["layout"]["annotations"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    chosen=st.fixed_dictionaries(
        {},
        optional={
            "market": st.sampled_from(["CN", "DE", "DE,US", "US", "BR", "TH", "EU"]),
            "makers": st.sampled_from(["byd", "tesla", "byd,tesla", "volvo"]),
            "models": st.sampled_from(["tesla-model-3", "byd-seal"]),
            "powertrain": st.sampled_from(["PHEV", "NEV", "ALL"]),
            "price_kind": st.sampled_from(["list", "starting", "transaction_avg"]),
            "currency": st.just("EUR"),
            "tax": st.sampled_from(["included", "excluded"]),
            "real": st.just("real"),
            "segment": st.just("d-suv"),
            "since": st.just("2024-01"),
            "until": st.just("2023-03"),
            "grain": st.just("quarter"),
            "as_of": st.sampled_from(["2018-01-01", "2024-05-31"]),
        },
    )
)
def test_whatever_is_chosen_is_drawn_or_refused_with_a_way_on(
    bundled_engine: Engine, chosen: Mapping[str, Any]
) -> None:
    if {"since", "until"} <= chosen.keys():
        return
    query = "&".join(f"{name}={value}" for name, value in chosen.items())
    try:
        reading = read(bundled_engine, query)
    except InvalidSelection:
        return
    except Refusal as refusal:
        nearest = refusal.nearest or PRICE_WAR.defaults
        reading = read(bundled_engine, nearest.query(defaults=PRICE_WAR.defaults))
    assert len(reading.title) <= TITLE_LENGTH
    assert not reading.title.endswith("…")
    assert all(note.endswith(".") for note in reading.notes)
    assert drawn(reading)["data"]
    rows = PRICE_WAR.rows(reading)
    assert rows[["value", "low", "high"]].notna().all(axis=None)
    assert {len(row) for row in PRICE_WAR.table(reading).rows} == {len(PRICE_WAR.table(reading).header)}
