"""Who offers what driver assistance: free or paid by the last terms known, at which level, by which evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from dashboard.charts.adas_offers import ADAS_OFFERS
from dashboard.charts.chart import Reading
from tests.dashboard import test_fsd_price as fsd
from tests.world.records import rates as tell

CHART = ADAS_OFFERS
OFFER = {
    "market": "CN", "maker": "BYD", "package": "Eye", "currency": "CNY", "billing": "month",
    "effective_from": "2024-01-10", "amount": "100", "date_precision": "day", "evidence": "press", "sae_level": "L2",
    "published_on": "2024-01-10",
}  # fmt: skip
FREE = {"billing": "included", "amount": "0"}
US = {"market": "US", "maker": "Ford", "package": "Cruise", "currency": "USD"}
LATER = {"effective_from": "2025-01-10", "published_on": "2025-01-10"}


def told(engine: Engine, *rows: Mapping[str, object]) -> None:
    tell(engine, "adas_offer", *({**OFFER, **row} for row in rows))


def read(engine: Engine, query: str = "") -> Reading:
    return fsd.read(engine, query, chart=CHART)


def marks(reading: Reading) -> dict[str, Any]:
    data = fsd.drawn(reading, chart=CHART)["data"]
    return {trace["name"]: trace for trace in data if "customdata" in trace}


def said(reading: Reading) -> list[str]:
    return [note["text"] for note in fsd.drawn(reading, chart=CHART)["layout"]["annotations"]]


def test_the_title_counts_makers_that_give_it_free_market_by_market(empty_engine: Engine) -> None:
    told(empty_engine, FREE, {"maker": "NIO"}, US)
    assert read(empty_engine).title == (
        "Driver assistance is free with the car at 1 of 2 makers in China, 0 of 1 in United States"
    )


def test_one_whose_price_is_not_stated_or_that_ended_is_in_no_count(empty_engine: Engine) -> None:
    unstated = {"maker": "Zeekr", "billing": "unstated", "amount": ""}
    gone = {"maker": "NIO", "billing": "withdrawn", "amount": ""}
    told(empty_engine, FREE, unstated, gone)
    assert read(empty_engine).title == "Driver assistance is free with the car at 1 of 1 makers in China"


def test_an_offer_says_its_last_terms_and_its_level(empty_engine: Engine) -> None:
    told(empty_engine, {}, {**LATER, "amount": "49.99"}, {**LATER, "billing": "year", "amount": "500"})
    reading = read(empty_engine)
    assert said(reading) == ["49.99 CNY a month, 500 CNY a year"]
    assert list(marks(reading)) == ["BYD Eye, L2"]
    assert reading.title == "BYD's Eye in China: 49.99 CNY a month, 500 CNY a year"


def test_marks_tell_the_way_of_paying_and_second_hand_evidence_is_hollow(empty_engine: Engine) -> None:
    told(empty_engine, {"billing": "one_off"}, {**FREE, "package": "Free", "evidence": "secondary"},
         {"package": "Month"})  # fmt: skip
    reading = read(empty_engine)
    symbols = {name: trace["marker"]["symbol"] for name, trace in marks(reading).items()}
    assert symbols == {"BYD Eye, L2": ["square"], "BYD Free, L2": ["circle-open"], "BYD Month, L2": ["diamond"]}
    assert "Hollow: 1 of 3 rest on a mirror or digest alone." in reading.notes


def test_free_offers_come_first_under_the_name_of_their_market(empty_engine: Engine) -> None:
    told(empty_engine, {"maker": "BYD"}, {"maker": "XPeng", **FREE}, US)
    ticks = fsd.drawn(read(empty_engine), chart=CHART)["layout"]["yaxis"]["ticktext"]
    assert ticks == ["<b>China</b>", "XPeng Eye, L2", "BYD Eye, L2", "<b>United States</b>", "Ford Cruise, L2"]


def test_what_is_said_of_its_spread_is_in_the_table_and_the_last_one_in_a_note(empty_engine: Engine) -> None:
    told(empty_engine, {"attach_value": "0.3", "attach_unit": "renewal_share"})
    reading = read(empty_engine)
    assert "Of spread, last: BYD Eye, 30 % renewal share (10 Jan 2024)." in reading.notes
    assert CHART.table(reading).rows[0][5] == "30 % renewal share"


def test_an_amount_that_is_not_stated_is_missing_and_never_zero(empty_engine: Engine) -> None:
    told(empty_engine, {"amount": ""})
    reading = read(empty_engine)
    assert CHART.rows(reading)["value"].isna().all()
    assert said(reading) == ["paid by the month or year, amount not stated"]


def test_what_is_not_known_is_refused_with_a_way_on(empty_engine: Engine) -> None:
    assert "no offer" in str(fsd.refused(empty_engine, "", chart=CHART))
    told(empty_engine, {}, {"market": "CA", "currency": "CAD", "maker": "Ford"})
    in_france = fsd.refused(empty_engine, "market=FR", chart=CHART)
    assert in_france.nearest is not None
    assert in_france.nearest.market == ("CA", "CN")
    elsewhere = fsd.refused(empty_engine, "makers=ford", chart=CHART)
    assert elsewhere.nearest is not None
    assert elsewhere.nearest.market == ("CA",)
    nobody = fsd.refused(empty_engine, "makers=tesla", chart=CHART)
    assert nobody.nearest is not None
    assert nobody.nearest.makers == ()
    assert "in the range" in str(fsd.refused(empty_engine, "since=2025-01", chart=CHART))


def test_it_draws_everywhere_and_every_offer_has_its_receipt(empty_engine: Engine) -> None:
    told(empty_engine, {}, {**LATER, **FREE}, US, {**US, **LATER, "billing": "withdrawn", "amount": ""},
         {"package": "Other", "billing": "unstated", "amount": ""})  # fmt: skip
    for query in ("", "makers=ford", "market=CN"):
        reading = read(empty_engine, query)
        fsd.assert_every_look(reading, CHART)
        fsd.assert_receipts(empty_engine, reading, CHART)
