"""Price lines over time: steps where a day is known, levels where it is not, and nothing that nobody published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plotly.utils import PlotlyJSONEncoder
from sqlalchemy import Engine

from dashboard import controls, downloads
from dashboard.charts.chart import TITLE_LENGTH, Point, Reading
from dashboard.charts.price_history import DRAWN, PRICE_HISTORY
from dashboard.charts.price_rows import PRICE_COLUMNS
from dashboard.controls import PRICE_CONTROLS
from dashboard.price_book import chosen_book
from dashboard.selection import Incomparable, InvalidSelection, NotPublished, Refusal, Selection
from dashboard.style import LINE_END, PICTURE, SCREEN, SHEET, Figure, Look
from db import queries
from db.vocabulary import PriceKind
from tests.world import cards
from tests.world.records import prices, rates, vehicles

TODAY = date(2025, 6, 1)
KOREA = "market=KR&models="
"""The market of the made-up prices, and every model."""
NARROW = Look(theme="dark", height=320, font_px=12)


def at(day: str, amount: int, **cells: str) -> dict[str, str]:
    return {"effective_from": day, "published_on": day, "amount": str(amount), **cells}


SEEN = {"date_precision": "observed"}
ABOUT = {"date_precision": "approximate"}


def read(engine: Engine, query: str = KOREA) -> Reading:
    return cards.read(engine, PRICE_HISTORY, query, today=TODAY)


def refused(engine: Engine, query: str) -> Refusal:
    return cards.refused(engine, PRICE_HISTORY, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(PRICE_HISTORY, reading, look)


def solid(reading: Reading) -> dict[str, list[tuple[str | None, float | None]]]:
    """By line: the corners of what is drawn as known, None where it breaks."""
    return {
        trace["name"]: list(zip(trace["x"], trace["y"], strict=True))
        for trace in drawn(reading)["data"]
        if "customdata" in trace
    }


def dots(reading: Reading) -> list[tuple[str | None, float | None]]:
    """The ends of the thin dots, in pairs with a gap after each."""
    return [
        corner
        for trace in drawn(reading)["data"]
        if "customdata" not in trace
        for corner in zip(trace["x"], trace["y"], strict=True)
    ]


def marks(reading: Reading) -> dict[str, list[str]]:
    """By line: the mark of each price."""
    return {
        trace["name"]: [
            symbol for symbol, key in zip(trace["marker"]["symbol"], trace["customdata"], strict=True) if key
        ]
        for trace in drawn(reading)["data"]
        if "customdata" in trace
    }


def said(reading: Reading) -> str:
    return " ".join(reading.notes)


# Lines


def test_a_dated_change_is_a_step_at_its_day_and_the_line_ends_with_its_last_price(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 300), at("2025-03-01", 200))
    reading = read(empty_engine)
    assert solid(reading) == {"Tesla Model Y RWD, list": [("2025-01-10", 300), ("2025-03-01", 200)]}
    assert drawn(reading)["data"][0]["line"]["shape"] == "hv"
    assert dots(reading) == []
    assert reading.title == "Tesla Model Y RWD in South Korea: 200 KRW in Mar 2025, 33.3 % less than in Jan 2025"


def test_one_price_is_a_point_and_no_line(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 300))
    reading = read(empty_engine)
    assert solid(reading) == {"Tesla Model Y RWD, list": [("2025-01-10", 300)]}
    assert reading.title == "Tesla Model Y RWD in South Korea: 300 KRW in Jan 2025"


def test_a_price_that_was_only_seen_is_a_level_to_which_no_step_leads(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 300), at("2025-03-01", 200, **SEEN), at("2025-04-01", 100))
    reading = read(empty_engine)
    (line,) = solid(reading).values()
    assert line == [
        ("2025-01-10", 300), ("2025-01-10", 300), (None, None), ("2025-03-01", 200), ("2025-04-01", 100)
    ]  # fmt: skip
    assert dots(reading) == [("2025-01-10", 300), ("2025-03-01", 300), (None, None)]
    assert marks(reading) == {"Tesla Model Y RWD, list": ["circle", "circle-open", "circle"]}
    assert "Hollow circle: seen on that day" in said(reading)


def test_a_level_that_says_the_same_is_joined(empty_engine: Engine) -> None:
    prices(empty_engine, at("2023-01-10", 300), at("2025-03-01", 300, **SEEN))
    reading = read(empty_engine)
    assert list(solid(reading).values()) == [[("2023-01-10", 300), ("2025-03-01", 300)]]
    assert dots(reading) == []
    assert "the same as in Jan 2023" in reading.title


def test_a_price_is_taken_to_hold_for_half_a_year_and_then_dotted_up_to_the_step(empty_engine: Engine) -> None:
    prices(empty_engine, at("2024-01-01", 300), at("2024-12-01", 200))
    reading = read(empty_engine)
    held = "2024-07-02"  # 183 days after
    (line,) = solid(reading).values()
    assert line == [("2024-01-01", 300), (held, 300), (None, None), ("2024-12-01", 300), ("2024-12-01", 200)]
    assert dots(reading) == [(held, 300), ("2024-12-01", 300), (None, None)]


def test_no_step_is_drawn_over_years_in_which_nothing_is_known(empty_engine: Engine) -> None:
    prices(empty_engine, at("2020-01-01", 300), at("2025-01-01", 200))
    (line,) = solid(read(empty_engine)).values()
    assert line == [("2020-01-01", 300), ("2020-07-02", 300), (None, None), ("2025-01-01", 200)]


def test_an_approximate_day_has_a_hollow_diamond_and_is_said_to_be_one(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 300, **ABOUT), at("2025-03-01", 200))
    reading = read(empty_engine)
    assert marks(reading) == {"Tesla Model Y RWD, list": ["diamond-open", "circle"]}
    assert "hollow diamond: the day is approximate" in said(reading).lower()
    assert "33.3 % less than about Jan 2025" in reading.title
    assert "about 10 Jan 2025" in drawn(reading)["data"][0]["text"][0]
    assert "diamond" not in said(read(empty_engine, f"{KOREA}&since=2025-02"))


def test_kinds_and_trims_are_lines_of_their_own_with_marks_of_their_own(empty_engine: Engine) -> None:
    prices(
        empty_engine, at("2025-01-10", 300), at("2025-02-10", 250, price_kind="after_incentive"),
        at("2025-03-10", 280, price_kind="starting"), at("2025-04-10", 200, trim="AWD"),
    )  # fmt: skip
    reading = read(empty_engine)
    assert {name: len(corners) for name, corners in solid(reading).items()} == {
        "Tesla Model Y RWD, list": 1,
        "Tesla Model Y RWD, after incentive": 1,
        "Tesla Model Y RWD, starting": 1,
        "Tesla Model Y AWD, list": 1,
    }
    dashes = {trace["name"].rsplit(", ")[-1]: trace["line"]["dash"] for trace in drawn(reading)["data"]}
    assert dashes == {"list": "solid", "after incentive": "dot", "starting": "dash"}
    assert reading.title == "4 cars' prices in South Korea, each of one day only"
    assert "Kinds are never joined" in said(reading)
    assert "Kinds are never joined" not in said(read(empty_engine, f"{KOREA}&price_kind=list"))


def test_average_prices_are_crosses_without_a_line_and_called_estimates(empty_engine: Engine) -> None:
    average = {"price_kind": "transaction_avg", "trim": "brand average", "model": "all", "date_precision": "month"}
    prices(empty_engine, at("2025-01-01", 300, **average), at("2025-03-01", 330, **average))
    reading = read(empty_engine)
    (trace,) = drawn(reading)["data"]
    assert trace["mode"] == "markers"
    assert set(trace["marker"]["symbol"]) == {"x-thin"}
    assert trace["name"] == "Tesla, all models, average paid, an estimate"
    assert "an estimate" in reading.subtitle
    assert reading.title == ("Tesla, all models in South Korea: 330 KRW paid on average, 10.0 % more than in Jan 2025")


def test_the_title_sets_the_newest_price_against_the_one_of_two_years_before(empty_engine: Engine) -> None:
    prices(
        empty_engine, at("2021-01-01", 800), at("2022-12-01", 400), at("2023-09-01", 500), at("2025-01-01", 300)
    )  # fmt: skip
    assert "300 KRW in Jan 2025, 25.0 % less than in Dec 2022" in read(empty_engine).title


def test_the_title_names_days_where_a_month_has_two_prices(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 300), at("2025-01-20", 200))
    assert read(empty_engine).title.endswith("200 KRW on 20 Jan 2025, 33.3 % less than on 10 Jan 2025")


def test_few_models_of_one_maker_have_a_panel_each(empty_engine: Engine) -> None:
    rows = [
        at("2025-01-10", 300, model=model, trim=trim) for model in ("Model 3", "Model Y") for trim in ("RWD", "AWD")
    ]
    prices(empty_engine, *rows)
    layout = drawn(read(empty_engine))["layout"]
    assert {"yaxis", "yaxis2"} <= layout.keys()
    assert [note["text"] for note in layout["annotations"] if "weight" in note["font"]] == [
        "Tesla Model 3",
        "Tesla Model Y",
    ]
    one = drawn(read(empty_engine, "market=KR&models=tesla-model-y"))["layout"]
    assert "yaxis2" not in one


def test_the_lines_with_most_steps_are_drawn_and_all_are_in_table_and_download(empty_engine: Engine) -> None:
    points = [at("2025-01-10", 100 + n, trim=f"Trim {n}") for n in range(DRAWN + 2)]
    prices(empty_engine, *points, at("2025-01-10", 300, trim="Mover"), at("2025-02-10", 200, trim="Mover"))
    reading = read(empty_engine)
    assert len(solid(reading)) == DRAWN
    assert "Tesla Model Y Mover, list" in solid(reading)
    assert f"{DRAWN + 3 - DRAWN} more lines" in said(reading)
    assert len(PRICE_HISTORY.rows(reading)) == DRAWN + 4
    assert len(PRICE_HISTORY.table(reading).rows) == DRAWN + 4


def test_the_table_has_changes_within_a_line_and_says_which_happened_before_their_day(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 200), at("2025-02-10", 300, **SEEN), at("2025-03-10", 150))
    table = PRICE_HISTORY.table(read(empty_engine))
    assert table.header == ("Car", "Kind", "From", "Price", "Change", "Evidence")
    assert [row[2:5] for row in table.rows] == [
        ("10 Mar 2025", "150 KRW", "\u221250.0 %"),
        ("seen 10 Feb 2025", "300 KRW", "by then +50.0 %"),
        ("10 Jan 2025", "200 KRW", "–"),
    ]


# Terms


def state_terms(engine: Engine, *more: dict[str, str]) -> None:
    """One car in Germany, China, the United States and Brazil; eight yuan, two dollars, seven reais a euro."""
    prices(
        engine, at("2025-01-10", 119, market="DE", currency="EUR"), at("2025-01-10", 904, market="CN", currency="CNY"),
        at("2025-01-10", 200, market="US", currency="USD", tax_included="no"),
        at("2025-01-10", 700, market="BR", currency="BRL", tax_included="unknown"), *more,
    )  # fmt: skip
    rates(
        engine, "fx_rate",
        *({"currency": code, "period_start": "2025-01-01", "rate": rate, "days": "20"}
          for code, rate in (("USD", "2"), ("CNY", "8"), ("BRL", "7"))),
    )  # fmt: skip
    rates(
        engine, "tax_rate",
        *({"market": code, "tax": "VAT", "applies_to": "all", "effective_from": day, "rate": rate, "above": "0"}
          for code, day, rate in
          (("DE", "2021-01-01", "0.19"), ("CN", "2019-04-01", "0.13"), ("US", "2018-01-01", "0"))),
    )  # fmt: skip
    rates(
        engine, "price_index",
        *({"market": "DE", "year": year, "value": value, "base": "2024 = 100"}
          for year, value in (("2024", "50"), ("2025", "100"))),
    )  # fmt: skip


def amounts(reading: Reading) -> dict[str, float]:
    return {row["market"]: row["value"] for row in PRICE_HISTORY.rows(reading).to_dict("records")}


def test_unlike_currencies_are_refused_with_one_currency_as_the_way_on(empty_engine: Engine) -> None:
    state_terms(empty_engine)
    refusal = refused(empty_engine, "market=CN,DE&models=")
    assert isinstance(refusal, Incomparable)
    assert str(refusal) == "prices in CNY (China) and EUR (Germany) have no one axis: choose a currency"
    assert refusal.nearest is not None
    assert refusal.nearest.currency == "EUR"
    reading = read(empty_engine, "market=CN,DE&models=&currency=EUR")
    assert amounts(reading) == {"CN": 113, "DE": 119}
    assert "in EUR at the rate of each price's month, with tax, as quoted" in reading.subtitle


def test_prices_with_and_without_tax_are_refused_together_and_compared_without_it(empty_engine: Engine) -> None:
    state_terms(empty_engine)
    refusal = refused(empty_engine, "market=DE,US&models=&currency=EUR")
    assert isinstance(refusal, Incomparable)
    assert "with tax: Germany; without tax: United States" in str(refusal)
    assert refusal.nearest is not None
    reading = read(empty_engine, refusal.nearest.query(defaults=PRICE_HISTORY.defaults))
    assert amounts(reading) == pytest.approx({"DE": 100, "US": 100})
    assert "Tax rates used: Germany 19 % (from 1 Jan 2021)." in reading.notes
    assert {cited.slug for cited in reading.citations} == {
        "made-up-prices", "made-up-fx_rates", "made-up-tax_rates"
    }  # fmt: skip


def test_a_choice_of_tax_is_refused_by_name_where_none_is_known_or_none_applies(empty_engine: Engine) -> None:
    state_terms(empty_engine)
    for query, reason in (
        ("market=BR&models=&tax=excluded", "whether prices in Brazil include tax is not known"),
        ("market=US&models=&tax=included", "list prices in United States leave out local taxes"),
    ):
        refusal = refused(empty_engine, query)
        assert isinstance(refusal, NotPublished)
        assert str(refusal).startswith(reason)
        assert refusal.nearest is not None
        assert refusal.nearest.tax is None
        assert read(empty_engine, refusal.nearest.query(defaults=PRICE_HISTORY.defaults)).title
    mixed = read(empty_engine, "market=BR,DE&models=&tax=excluded&currency=EUR")
    assert amounts(mixed) == pytest.approx({"DE": 100})
    assert "1 price is left out: whether prices in Brazil include tax is not known." in mixed.notes


def test_real_prices_are_in_the_money_of_the_last_year_or_refused_by_name(empty_engine: Engine) -> None:
    state_terms(empty_engine, at("2024-05-01", 60, market="DE", currency="EUR"))
    reading = read(empty_engine, "market=DE&models=&real=real")
    assert PRICE_HISTORY.rows(reading)["value"].tolist() == [120, 119]
    assert "in money of 2025" in reading.subtitle
    refusal = refused(empty_engine, "market=US&models=&real=real")
    assert str(refusal) == "consumer prices of United States are not known"
    assert refusal.nearest is not None
    assert read(empty_engine, refusal.nearest.query(defaults=PRICE_HISTORY.defaults)).title


def test_a_fixed_day_takes_the_rate_of_its_month(empty_engine: Engine) -> None:
    state_terms(empty_engine)
    reading = read(empty_engine, "market=CN&models=&currency=EUR&date=2025-01-31")
    assert amounts(reading) == {"CN": 113}
    assert "at the rate of Jan 2025" in reading.subtitle
    refusal = refused(empty_engine, "market=CN&models=&currency=EUR&date=2024-01-31")
    assert str(refusal) == "no exchange rate of CNY is known for 2024-01"
    assert refusal.nearest is not None
    assert refusal.nearest.date is None


# Selections


def test_a_maker_keeps_all_its_models_unless_one_of_them_is_named(empty_engine: Engine) -> None:
    prices(
        empty_engine, at("2025-01-10", 300), at("2025-01-10", 200, model="Model 3"),
        at("2025-01-10", 100, maker="BYD", model="Seagull"), at("2025-01-10", 150, maker="BYD", model="Dolphin"),
    )  # fmt: skip

    def models(query: str) -> set[str]:
        with empty_engine.connect() as connection:
            book = chosen_book(connection, Selection.from_query(query, defaults=PRICE_HISTORY.defaults))
        return {quote.model for quote in book.quotes}

    assert models(KOREA) == {"tesla-model-y", "tesla-model-3", "byd-seagull", "byd-dolphin"}
    assert models("market=KR&makers=byd,tesla&models=tesla-model-y") == {"tesla-model-y", "byd-seagull", "byd-dolphin"}
    assert models("market=KR&makers=byd&models=") == {"byd-seagull", "byd-dolphin"}
    assert models("market=KR&models=byd-dolphin") == {"byd-dolphin"}


def test_a_segment_keeps_the_cars_of_one_size(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 300), at("2025-01-10", 200, model="Model 3"))
    vehicles(empty_engine, {}, {"model": "Model 3", "segment": "D"})
    assert list(solid(read(empty_engine, f"{KOREA}&segment=d"))) == ["Tesla Model 3 RWD, list"]
    with pytest.raises(InvalidSelection, match="segment=z is unknown"):
        read(empty_engine, f"{KOREA}&segment=z")


def test_what_is_not_there_is_refused_with_a_way_on(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 300), at("2025-01-10", 300, market="JP", currency="JPY", trim="AWD"))
    for query in (f"{KOREA}&since=2025-02", f"{KOREA}&price_kind=starting", f"{KOREA}&powertrain=PHEV"):
        refusal = refused(empty_engine, query)
        assert "is known" in str(refusal)
        assert refusal.nearest is not None, query
        read(empty_engine, refusal.nearest.query(defaults=PRICE_HISTORY.defaults))
    early = refused(empty_engine, f"{KOREA}&as_of=2020-01-01")
    assert str(early) == "no price was known on 2020-01-01"
    with pytest.raises(InvalidSelection, match="no price is known of makers=byd"):
        read(empty_engine, f"{KOREA}&makers=byd")
    with pytest.raises(InvalidSelection, match="no exchange rate of XXX is known"):
        read(empty_engine, f"{KOREA}&currency=XXX")


def test_what_was_published_later_is_not_known_before(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 300), {**at("2025-02-10", 200), "published_on": "2025-04-01"})
    assert list(solid(read(empty_engine, f"{KOREA}&as_of=2025-03-31")).values()) == [[("2025-01-10", 300)]]


# Downloads and receipts


def test_the_download_has_each_price_with_its_day_terms_and_address(empty_engine: Engine) -> None:
    state_terms(empty_engine)
    rows = PRICE_HISTORY.rows(read(empty_engine, "market=CN&models=&currency=EUR&tax=excluded"))
    assert tuple(rows.columns) == PRICE_COLUMNS
    (row,) = rows.to_dict("records")
    assert (row["period_start"], row["value"], row["low"], row["high"], row["unit"]) == (
        "2025-01-10", pytest.approx(100), pytest.approx(100), pytest.approx(100), "EUR"
    )  # fmt: skip
    assert (row["tax"], row["published_tax"], row["published_price"], row["published_currency"]) == (
        "excluded", "yes", 904, "CNY"
    )  # fmt: skip
    assert row["converted_by"] == "without 0.13 tax; 1 EUR = 8 CNY, mean of 2025-01"
    assert row["url"] == "https://made-up.example/price"


def test_a_point_has_the_receipt_of_its_price_alone(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 300), at("2025-01-10", 200, trim="AWD"), at("2025-02-10", 100, trim="AWD"))
    reading = read(empty_engine)
    assert PRICE_HISTORY.receipts is not None
    keys = [key for trace in drawn(reading)["data"] for key in trace.get("customdata", ()) if key]
    with empty_engine.connect() as connection:
        stated = [
            PRICE_HISTORY.receipts(connection, reading, Point(*key))[["period_start", "stated"]].values.tolist()
            for key in keys
        ]
    assert sorted(stated) == [
        [["2025-01-10", "200 KRW"]],
        [["2025-01-10", "300 KRW"]],
        [["2025-02-10", "100 KRW"]],
    ]


def test_the_json_names_the_receipt_of_every_row(empty_engine: Engine) -> None:
    prices(empty_engine, at("2025-01-10", 300), at("2025-02-10", 100))
    reading = read(empty_engine)
    with empty_engine.connect() as connection:
        rows = PRICE_HISTORY.rows(reading)
        document = downloads.document(connection, PRICE_HISTORY, reading, rows, site="")
    assert [row["receipts"] for row in document["rows"]] == [
        [{"receipt": 0, "lines": [2]}],
        [{"receipt": 1, "lines": [3]}],
    ]


# The control bar


TERMS = {
    "price_kind": ("starting", "price_kind=starting"),
    "currency": ("EUR", "currency=EUR"),
    "tax": ("excluded", "tax=excluded"),
    "real": ("real", "real=real"),
    "date": ("2024-05-31", "date=2024-05-31"),
    "segment": ("d-suv", "segment=d-suv"),
    "cycle": ("WLTP", "cycle=WLTP"),
}


@pytest.mark.parametrize("name", TERMS)
def test_a_control_sets_its_part_of_the_selection_and_takes_it_back(empty_engine: Engine, name: str) -> None:
    begin = PRICE_HISTORY.defaults
    with empty_engine.connect() as connection:
        nouns = queries.nouns(connection)
    value, query = TERMS[name]
    chosen = controls.edited(begin, name, value, defaults=begin, nouns=nouns)
    assert chosen.query(defaults=begin) == query
    assert controls.values(chosen)[name] == value
    assert controls.summary(chosen, nouns, names=(name,))
    first = controls.values(begin)[name]
    assert controls.edited(chosen, name, first, defaults=begin, nouns=nouns) == begin


def test_the_bar_of_prices_has_its_controls_in_order_also_for_a_currency_from_a_link(empty_engine: Engine) -> None:
    with empty_engine.connect() as connection:
        nouns = queries.nouns(connection)
    selection = Selection.from_query("currency=THB", defaults=PRICE_HISTORY.defaults)
    bar: Any = controls.bar(PRICE_HISTORY, selection, nouns, names=PRICE_CONTROLS)
    bar = json.loads(json.dumps(bar.to_plotly_json(), cls=PlotlyJSONEncoder))
    fields = bar["props"]["children"][1]["props"]["children"]
    assert [field["props"]["id"]["field"] for field in fields] == list(PRICE_CONTROLS)
    assert '"THB"' in json.dumps(fields[PRICE_CONTROLS.index("currency")])
    assert not any(field["props"]["hidden"] for field in fields)


# Every look, every selection


@pytest.mark.parametrize("look", [SCREEN, PICTURE, SHEET, NARROW], ids=["screen", "picture", "sheet", "narrow"])
def test_every_look_draws_many_lines_and_one_point(empty_engine: Engine, look: Look) -> None:
    prices(empty_engine, *(at(f"2024-0{n}-10", 100 * n, trim=f"Trim {n}") for n in range(1, 10)))
    for query in (KOREA, f"{KOREA}&since=2024-09"):
        figure = drawn(read(empty_engine, query), look)
        assert figure["data"]
        ends = [note for note in figure["layout"]["annotations"] if note.get("name") == LINE_END]
        assert ends
        assert look is not NARROW or len(ends) == min(len(figure["data"]), DRAWN)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    chosen=st.fixed_dictionaries(
        {},
        optional={
            "market": st.sampled_from(["CN", "DE", "DE,US", "NO", "BR", "US,CN,GB", "TH", "EU"]),
            "makers": st.sampled_from(["byd", "tesla", "byd,tesla", "volvo"]),
            "models": st.sampled_from(["", "tesla-model-3", "tesla-model-y", "byd-dolphin,byd-seal"]),
            "powertrain": st.sampled_from(["BEV", "PHEV", "NEV", "ALL"]),
            "price_kind": st.sampled_from([kind.value for kind in PriceKind]),
            "currency": st.sampled_from(["EUR", "USD", "CNY"]),
            "tax": st.sampled_from(["included", "excluded"]),
            "real": st.just("real"),
            "date": st.sampled_from(["2019-05-01", "2026-07-01", "1990-01-01"]),
            "segment": st.sampled_from(["d", "d-suv", "a"]),
            "cycle": st.just("WLTP"),
            "since": st.sampled_from(["2022-01", "2025-01"]),
            "until": st.sampled_from(["2025-03", "2026-01"]),
            "as_of": st.sampled_from(["2018-01-01", "2021-01-01", "2025-01-01"]),
        },
    )
)
def test_whatever_is_chosen_is_drawn_or_refused_with_a_way_on(
    bundled_engine: Engine, chosen: Mapping[str, Any]
) -> None:
    query = "&".join(f"{name}={value}" for name, value in chosen.items())
    try:
        reading = read(bundled_engine, query)
    except InvalidSelection:
        return
    except Refusal as refusal:
        nearest = refusal.nearest or PRICE_HISTORY.defaults
        reading = read(bundled_engine, nearest.query(defaults=PRICE_HISTORY.defaults))
    assert len(reading.title) <= TITLE_LENGTH
    assert not reading.title.endswith("…")
    assert all(note.endswith(".") for note in reading.notes)
    assert reading.citations
    assert drawn(reading)["data"]
    rows = PRICE_HISTORY.rows(reading)
    assert len(rows)
    assert rows[["value", "low", "high"]].notna().all(axis=None)
    assert {len(row) for row in PRICE_HISTORY.table(reading).rows} == {len(PRICE_HISTORY.table(reading).header)}


def test_every_dated_move_of_teslas_chinese_prices_is_a_step_of_the_first_view_at_its_day(
    bundled_engine: Engine,
) -> None:
    reading = read(bundled_engine, "")
    found = reading.content.found
    moves = [move for line in found.book.lines() for move in line.moves if not move.by]
    assert len(moves) >= 25
    assert {move.after.day.year for move in moves} >= set(range(2020, 2026))
    steps = {
        (key[2], day, before, after)
        for trace in drawn(reading)["data"]
        if "customdata" in trace
        for (_, before), (day, after), key in zip(
            zip(trace["x"], trace["y"], strict=True),
            list(zip(trace["x"], trace["y"], strict=True))[1:],
            trace["customdata"][1:],
            strict=False,
        )
        if key and before is not None
    }
    for move in moves:
        assert any(
            (day, before, after) == (move.after.day.isoformat(), move.before.amount, move.after.amount)
            for _, day, before, after in steps
        ), move
    # The cut of 6 January 2023, as printed.
    assert any(step[1:] == ("2023-01-06", 357900, 309900) for step in steps)
