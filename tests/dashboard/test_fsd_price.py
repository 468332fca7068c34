"""What FSD cost: purchase and month apart, an end that is no price, one currency and tax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from dashboard import downloads
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Chart, Reading
from dashboard.charts.fsd_price import FSD_PRICE
from dashboard.pages.points import point_of, points
from dashboard.selection import Incomparable, NotPublished, Refusal
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from tests.world import cards
from tests.world.records import rates as tell

TODAY = date(2025, 7, 24)
NARROW = replace(SCREEN, height=320, font_px=12)
DARK = replace(SCREEN, theme="dark")

PRICE = {
    "market": "US", "maker": "Tesla", "package": "FSD", "currency": "USD", "billing": "one_off",
    "effective_from": "2024-01-10", "amount": "4800", "date_precision": "day", "evidence": "press",
    "published_on": "2024-01-10",
}  # fmt: skip
MONTH = {"package": "FSD_subscription", "billing": "month", "amount": "100"}
END = {"billing": "withdrawn", "amount": "", "effective_from": "2025-02-10", "published_on": "2025-02-10"}
CHINA = {"market": "CN", "currency": "CNY", "amount": "4520"}


def told(engine: Engine, *rows: Mapping[str, object]) -> None:
    """Load prices, each a row that differs from `PRICE` as given."""
    tell(engine, "fsd_price", *({**PRICE, **row} for row in rows))


def exchange(engine: Engine) -> None:
    """For a euro 1 dollar or 2 yuan, and 13 % tax in China."""
    both = (("USD", "1"), ("CNY", "2"))
    tell(engine, "fx_rate", *({"currency": code, "period_start": "2025-01-01", "rate": rate} for code, rate in both))
    tax = {"tax": "VAT", "applies_to": "all", "effective_from": "2019-01-01", "above": "0"}
    tell(engine, "tax_rate", {**tax, "market": "CN", "rate": "0.13"}, {**tax, "market": "US", "rate": "0"})


def read(engine: Engine, query: str = "", *, chart: Chart = FSD_PRICE, today: date = TODAY) -> Reading:
    return cards.read(engine, chart, query, today=today)


def refused(engine: Engine, query: str, *, chart: Chart = FSD_PRICE) -> Refusal:
    """The refusal of a selection, whose nearest one is drawn."""
    with pytest.raises(Refusal) as caught:
        read(engine, query, chart=chart)
    if caught.value.nearest is not None:
        read(engine, caught.value.nearest.query(defaults=chart.defaults), chart=chart)
    return caught.value


def drawn(reading: Reading, look: Look = SCREEN, *, chart: Chart = FSD_PRICE) -> Figure:
    return cards.drawn(chart, reading, look)


def document(engine: Engine, reading: Reading, chart: Chart = FSD_PRICE) -> dict[str, Any]:
    with engine.connect() as connection:
        return downloads.document(connection, chart, reading, chart.rows(reading), site="")


def assert_every_look(reading: Reading, chart: Chart) -> None:
    """It draws on a page, dark, narrow and as a picture or sheet, and each point is told apart."""
    for look in (SCREEN, DARK, NARROW, PICTURE, SHEET):
        figure = drawn(reading, look, chart=chart)
        assert figure["data"]
        if look.width:
            downloads.framed(chart, reading, look=look, site="https://site.example")
    keys = [tuple(each.point.__dict__.values()) for each in points(chart.draw(reading, SCREEN))]
    assert keys
    assert len(keys) == len(set(keys))


def assert_receipts(engine: Engine, reading: Reading, chart: Chart) -> None:
    """Every point and every row of the download has a claim behind it with an address."""
    rows = chart.rows(reading)
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    told = document(engine, reading, chart)
    assert len(told["rows"]) == len(rows)
    assert all(row["receipts"] for row in told["rows"])
    assert all(receipt["urls"] for receipt in told["receipts"] if receipt["source"].startswith("Made-up"))
    assert chart.receipts is not None
    assert chart.by_day
    with engine.connect() as connection:
        for each in points(chart.draw(reading, SCREEN)):
            key = [each.point.market, each.point.maker, each.point.model, each.point.period_start]
            claims = chart.receipts(connection, reading, point_of(key))
            assert len(claims)
            assert claims["stated"].str.len().all()
    assert all(note.endswith(".") for note in reading.notes)
    assert {len(row) for row in chart.table(reading).rows} == {len(chart.table(reading).header)}


def lines(reading: Reading) -> dict[str, list[Any]]:
    return {trace["name"]: trace["y"] for trace in drawn(reading)["data"]}


def test_purchase_and_month_stand_in_panels_of_their_own(empty_engine: Engine) -> None:
    told(empty_engine, {}, MONTH, {"package": "EAP", "amount": "300"})
    figure = drawn(read(empty_engine, "market=US"))
    axes = {trace["name"]: trace.get("yaxis", "y") for trace in figure["data"]}
    assert axes == {
        "United States, FSD": "y",
        "United States, FSD by the month": "y2",
        "United States, bought": "y2",
        "United States, Enhanced Autopilot": "y3",
    }
    assert [figure["layout"][f"yaxis{n}"]["range"][0] for n in ("", "2", "3")] == [0, 0, 0]


def test_a_purchase_is_set_beside_the_month_over_four_years(empty_engine: Engine) -> None:
    told(empty_engine, {}, MONTH)
    reading = read(empty_engine, "market=US")
    assert lines(reading)["United States, bought"] == [100]
    assert FSD_PRICE.rows(reading)["per_month"].tolist() == ["100.00", "100.00"]
    assert any("48 months" in note for note in reading.notes)


def test_the_end_of_purchase_is_an_end_at_its_last_price_and_never_a_zero(empty_engine: Engine) -> None:
    told(empty_engine, {}, END, MONTH)
    reading = read(empty_engine, "market=US")
    assert reading.title == "United States: FSD purchase ended in Feb 2025 at 4,800 USD; a month costs 100 USD"
    trace = next(trace for trace in drawn(reading)["data"] if trace["name"] == "United States, FSD")
    assert trace["y"] == [4800, 4800]
    assert trace["marker"]["symbol"][-1] == "x-thin-open"
    rows = FSD_PRICE.rows(reading)
    gone = rows[rows["billing"] == "withdrawn"]
    assert gone["value"].isna().all()
    assert gone["flags"].tolist() == ["ended"]
    assert "no price of zero" in " ".join(reading.notes)


def test_without_an_end_nothing_is_said_to_have_ended(empty_engine: Engine) -> None:
    told(empty_engine, {"amount": "6000"}, {"effective_from": "2024-06-10", "published_on": "2024-06-10"})
    reading = read(empty_engine, "market=US")
    assert reading.title == ("United States: FSD cost 4,800 USD, last quoted 10 Jun 2024, after 6,000 USD at the peak")
    assert "A cross" not in " ".join(reading.notes)
    cheaper = [price.amount for price in reading.content.lines[0].priced.prices]
    assert cheaper == [6000, 4800]


def test_markets_are_counted_by_where_purchase_has_ended(empty_engine: Engine) -> None:
    exchange(empty_engine)
    told(empty_engine, {}, END, MONTH, CHINA)
    reading = read(empty_engine, "market=CN,US")
    assert reading.title == "FSD can no longer be bought in 1 of 2 markets; a month costs 100 USD"


def test_prices_are_compared_in_one_currency_and_without_tax(empty_engine: Engine) -> None:
    exchange(empty_engine)
    told(empty_engine, {}, CHINA)
    reading = read(empty_engine, "market=CN,US")
    assert lines(reading)["China, FSD"] == [2000]
    assert reading.title == "FSD cost 2,000 to 4,800 USD in 2 markets"
    assert "in USD at the mean rate of Jan 2025, without tax" in reading.subtitle
    with_tax = read(empty_engine, "market=CN&tax=")
    assert lines(with_tax)["China, FSD"] == [2260]
    assert "with tax" in with_tax.subtitle


def test_several_currencies_have_no_one_axis(empty_engine: Engine) -> None:
    exchange(empty_engine)
    told(empty_engine, {}, CHINA)
    found = refused(empty_engine, "market=CN,US&currency=local&tax=")
    assert isinstance(found, Incomparable)
    assert found.nearest is not None
    assert found.nearest.currency == "USD"
    assert lines(read(empty_engine, "market=CN&currency=local&tax="))["China, FSD"] == [4520]


def test_a_price_that_cannot_be_converted_is_left_out_and_named(empty_engine: Engine) -> None:
    exchange(empty_engine)
    told(empty_engine, {}, {"market": "LT", "currency": "EUR"})
    reading = read(empty_engine, "market=LT,US")
    assert set(lines(reading)) == {"United States, FSD", "United States, bought"}
    assert "1 price is left out: no tax rate of Lithuania is known for 2024-01." in reading.notes
    assert "no tax rate of Lithuania" in str(refused(empty_engine, "market=LT"))


def test_a_step_of_which_only_a_later_level_is_known_is_a_gap(empty_engine: Engine) -> None:
    seen = {"effective_from": "2024-06-10", "amount": "300", "date_precision": "observed", "published_on": "2024-06-10"}
    told(empty_engine, {}, seen)
    reading = read(empty_engine, "market=US")
    assert lines(reading)["United States, FSD"] == [4800, None, 300]
    assert any("is broken" in note for note in reading.notes)
    trace = drawn(reading)["data"][0]
    assert len(trace["x"]) == len(trace["text"]) == len(trace["customdata"]) == 3


def test_a_level_that_only_confirms_the_price_is_no_gap(empty_engine: Engine) -> None:
    told(empty_engine, {}, {"effective_from": "2024-06-10", "date_precision": "observed", "published_on": "2024-06-10"})
    assert lines(read(empty_engine, "market=US"))["United States, FSD"] == [4800, 4800]


def test_what_rests_on_a_mirror_is_hollow(empty_engine: Engine) -> None:
    told(empty_engine, {"evidence": "secondary"}, {"effective_from": "2024-06-10", "published_on": "2024-06-10"})
    reading = read(empty_engine, "market=US")
    assert drawn(reading)["data"][0]["marker"]["symbol"] == ["circle-open", "circle"]
    assert reading.badge.amber
    assert reading.badge.reason.startswith("1 of 2 prices")


def test_a_range_begins_with_the_price_that_held_and_leaves_out_what_was_over(empty_engine: Engine) -> None:
    later = {"effective_from": "2025-03-10", "amount": "300", "published_on": "2025-03-10"}
    told(empty_engine, {}, later, {"package": "AP", "amount": "200"})
    reading = read(empty_engine, "market=US&since=2025-01")
    assert lines(reading)["United States, FSD"] == [4800, 300]
    assert "United States, Autopilot" not in lines(reading)
    assert "in the range" in str(refused(empty_engine, "market=US&since=2025-05"))
    assert lines(read(empty_engine, "market=US&until=2024-12"))["United States, FSD"] == [4800]


def test_an_end_without_a_price_is_told_and_not_drawn(empty_engine: Engine) -> None:
    told(empty_engine, {}, {**END, "market": "MX", "currency": "MXN"})
    reading = read(empty_engine, "market=MX,US")
    assert "Mexico: FSD ended on 10 Feb 2025; its price is not in the record." in reading.notes
    assert reading.title.startswith("FSD can no longer be bought in 1 of 2 markets")
    assert FSD_PRICE.rows(reading)["market"].tolist().count("MX") == 1


def test_what_is_not_known_is_refused_with_a_way_on(empty_engine: Engine) -> None:
    assert "no price of FSD was known" in str(refused(empty_engine, ""))
    told(empty_engine, {})
    assert "Germany" in str(refused(empty_engine, "market=DE"))
    assert "Tesla's" in str(refused(empty_engine, "market=US&makers=byd"))
    assert "1 Jan 2020" in str(refused(empty_engine, "market=US&as_of=2020-01-01"))
    found = refused(empty_engine, "market=US&currency=CHF")
    assert isinstance(found, NotPublished)
    assert found.nearest is not None
    assert found.nearest.currency == "local"


def test_a_link_is_as_known_on_its_day(empty_engine: Engine) -> None:
    told(empty_engine, {}, END)
    assert "ended" not in read(empty_engine, "market=US&as_of=2025-01-01").title
    assert "ended" in read(empty_engine, "market=US&as_of=2025-03-01").title


def test_what_the_chart_does_not_look_at_is_said(empty_engine: Engine) -> None:
    told(empty_engine, {})
    assert "This chart does not look at: powertrain." in read(empty_engine, "market=US&powertrain=PHEV").notes
    assert not any("does not look" in note for note in read(empty_engine, "market=US").notes)


def test_it_draws_everywhere_and_every_price_has_its_receipt(empty_engine: Engine) -> None:
    exchange(empty_engine)
    told(
        empty_engine, {}, END, MONTH, CHINA, {"package": "EAP", "amount": "300"},
        {**MONTH, "package": "FSD_subscription_EAP_owner", "amount": "50"},
    )  # fmt: skip
    for query in ("market=CN,US", "market=US", "market=CN"):
        reading = read(empty_engine, query)
        assert_every_look(reading, FSD_PRICE)
        assert_receipts(empty_engine, reading, FSD_PRICE)
    one = read(empty_engine, "market=US&until=2024-12")
    assert_every_look(one, FSD_PRICE)


def test_an_end_whose_price_cannot_be_converted_is_not_said_to_have_none(empty_engine: Engine) -> None:
    exchange(empty_engine)
    told(empty_engine, {}, END, CHINA)
    reading = read(empty_engine, "market=CN,US&tax=included")
    assert reading.title.startswith("FSD can no longer be bought in 1 of 2 markets")
    assert not any("not in the record" in note for note in reading.notes)
    assert any("left out" in note for note in reading.notes)
