"""What one car costs in many markets, and what the cars of one market cost, on a day."""

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
from dashboard.charts.price_ladder import PRICE_LADDER
from dashboard.charts.price_ladder_words import MOST
from dashboard.prices import PriceLine, Quote, price_lines, standing_on
from dashboard.selection import InvalidSelection, NotPublished, Refusal
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look
from db.vocabulary import DatePrecision, Evidence, PriceKind, RangeCycle, TaxIncluded
from tests.world import cards
from tests.world.records import prices, rates, vehicles

TODAY = date(2026, 7, 24)
NARROW = Look(theme="dark", height=320, font_px=12)

GERMANY = {"market": "DE", "currency": "EUR", "amount": 1190}
AUSTRIA = {"market": "AT", "currency": "EUR", "amount": 1200}
FRANCE = {"market": "FR", "currency": "EUR", "amount": 1320}
US = {"market": "US", "currency": "USD", "amount": 900, "tax_included": "no"}
NORWAY = {"market": "NO", "currency": "NOK", "amount": 8000, "tax_included": "unknown"}
CHINA = {"market": "CN", "currency": "CNY", "amount": 200}


def state(engine: Engine, *rows: Mapping[str, object]) -> None:
    """Prices, with two dollars and ten crowns a euro, and a tax of 19 % in Germany, 20 % in Austria, 10 % in France."""
    prices(engine, *rows)
    rates(
        engine, "fx_rate",
        *({"currency": code, "period_start": f"{month}-01", "rate": rate, "days": 20}
          for month in ("2025-01", "2025-02") for code, rate in (("USD", 2), ("NOK", 10), ("CNY", 8))),
    )  # fmt: skip
    rates(
        engine, "tax_rate",
        *({"market": code, "tax": "VAT", "applies_to": "all", "effective_from": "2020-01-01", "rate": rate, "above": 0}
          for code, rate in (("DE", 0.19), ("AT", 0.2), ("FR", 0.1), ("US", 0))),
    )  # fmt: skip


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, PRICE_LADDER, query, today=TODAY)


def refused(engine: Engine, query: str) -> Refusal:
    return cards.refused(engine, PRICE_LADDER, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(PRICE_LADDER, reading, look)


def dots(reading: Reading) -> dict[str, float]:
    """The price of each row, from top to bottom."""
    trace = drawn(reading)["data"][0]
    return dict(zip(trace["ids"], trace["x"], strict=True))


def marks(reading: Reading) -> dict[str, tuple[str, bool]]:
    """The symbol of each row, and whether it is hollow."""
    trace = drawn(reading)["data"][0]
    ground = "#FFFFFF"
    return {
        name: (symbol, colour == ground)
        for name, symbol, colour in zip(
            trace["ids"], trace["marker"]["symbol"], trace["marker"]["color"], strict=True
        )
    }  # fmt: skip


def said(reading: Reading) -> str:
    return " ".join(reading.notes)


# One car in many markets


def test_one_trim_is_ranked_over_the_markets_that_have_it_on_the_day(empty_engine: Engine) -> None:
    state(empty_engine, GERMANY, AUSTRIA, FRANCE, {**GERMANY, "trim": "Performance", "amount": 500})
    reading = read(empty_engine)
    assert dots(reading) == {"Germany": 1190, "Austria": 1200, "France": 1320}
    assert reading.title == "Tesla Model Y RWD: 1,190 EUR in Germany to 1,320 EUR in France, with tax, 10 Jan 2025"
    assert reading.subtitle == "Tesla Model Y RWD. List prices on 10 Jan 2025, in EUR, with tax"


def test_unlike_currencies_are_given_in_euros_at_the_rate_of_the_days_month(empty_engine: Engine) -> None:
    state(empty_engine, GERMANY, {**CHINA, "amount": 800})
    reading = read(empty_engine)
    assert dots(reading) == {"China": 100, "Germany": 1190}
    assert "in EUR at the rate of Jan 2025" in reading.subtitle
    assert "Exchanged at the mean of Jan 2025" in said(reading)
    assert "made-up-fx_rates" in {cited.slug for cited in reading.citations}
    dollars = read(empty_engine, "currency=USD")
    assert dots(dollars) == {"China": 200, "Germany": 2380}


def test_prices_with_and_without_tax_stand_apart_and_are_not_ranked_among_one_another(empty_engine: Engine) -> None:
    state(empty_engine, GERMANY, AUSTRIA, US, NORWAY)
    reading = read(empty_engine)
    assert list(dots(reading)) == ["Germany", "Austria", "United States", "Norway"]
    assert dots(reading)["United States"] == 450
    assert reading.title == "Tesla Model Y RWD: 1,190 EUR in Germany to 1,200 EUR in Austria, with tax, 10 Jan 2025"
    assert [name.split(",")[0] for name in drawn(reading)["data"][1]["text"]] == [
        "Germany: list price with tax",
        "Austria: list price with tax",
        "United States: list price without tax",
        "Norway: list price",
    ]
    assert "tax not stated" in drawn(reading)["data"][1]["text"][3]
    narrow = drawn(reading, NARROW)["data"][1]["text"]
    assert "with tax" in narrow[0], narrow
    assert "without tax" in narrow[2], narrow


def test_one_price_with_tax_and_one_without_are_no_ranking_at_all(empty_engine: Engine) -> None:
    state(empty_engine, GERMANY, US)
    assert read(empty_engine).title == (
        "Tesla Model Y RWD in 2 markets, 10 Jan 2025: with and without tax, so not ranked"
    )


def test_with_a_choice_of_tax_all_are_ranked_and_the_dated_rates_are_named(empty_engine: Engine) -> None:
    state(empty_engine, GERMANY, AUSTRIA, FRANCE, US)
    reading = read(empty_engine, "tax=excluded")
    assert {name: round(value) for name, value in dots(reading).items()} == {
        "United States": 450, "Austria": 1000, "Germany": 1000, "France": 1200,
    }  # fmt: skip
    assert "without tax" in reading.title
    assert "450 EUR in United States" in reading.title
    assert "Germany 19 % (from 1 Jan 2020)" in said(reading)
    assert "made-up-tax_rates" in {cited.slug for cited in reading.citations}


def test_a_market_whose_tax_is_not_known_is_left_out_of_a_choice_of_tax_by_name(empty_engine: Engine) -> None:
    state(empty_engine, GERMANY, AUSTRIA, NORWAY)
    reading = read(empty_engine, "tax=excluded")
    assert "Norway" not in dots(reading)
    assert "whether prices in Norway include tax is not known" in said(reading)
    alone = refused(empty_engine, "tax=excluded&market=NO")
    assert "Norway" in str(alone)
    assert alone.nearest is not None
    assert dots(read(empty_engine, alone.nearest.query(defaults=PRICE_LADDER.defaults)))


def test_a_market_without_a_price_index_is_left_out_of_real_prices_or_refused_by_name(empty_engine: Engine) -> None:
    state(empty_engine, GERMANY, AUSTRIA)
    rates(
        empty_engine, "price_index",
        *({"market": "DE", "year": year, "value": level, "base": "2015=100"}
          for year, level in ((2025, 100), (2026, 110))),
    )  # fmt: skip
    reading = read(empty_engine, "real=real")
    assert {name: round(value) for name, value in dots(reading).items()} == {"Germany": 1309}
    assert "consumer prices of Austria in 2026 are not known" in said(reading)
    alone = refused(empty_engine, "real=real&market=AT")
    assert "consumer prices of Austria are not known" in str(alone).lower().replace("austria", "Austria")
    assert alone.nearest is not None
    assert dots(read(empty_engine, alone.nearest.query(defaults=PRICE_LADDER.defaults)))


def test_without_a_named_trim_it_is_said_that_versions_may_differ(empty_engine: Engine) -> None:
    starting = {"trim": "", "price_kind": "starting"}
    state(empty_engine, GERMANY | starting, AUSTRIA | starting)
    reading = read(empty_engine)
    assert reading.title == (
        "Tesla Model Y starts at 1,190 EUR in Germany, 1,200 EUR in Austria, with tax, 10 Jan 2025"
    )
    assert "need not be the same car" in said(reading)


def test_places_that_share_an_end_are_all_named_or_counted(empty_engine: Engine) -> None:
    state(empty_engine, GERMANY, AUSTRIA | {"amount": 1190}, FRANCE, GERMANY | {"market": "IT"})
    assert "1,190 EUR in 3 markets to 1,320 EUR in France" in read(empty_engine).title
    assert "in Austria and Germany" in read(empty_engine, "market=DE,AT,FR").title
    assert "costs 1,190 EUR in Austria as in Germany" in read(empty_engine, "market=DE,AT").title


def test_the_car_is_the_one_with_a_price_in_most_markets_unless_one_is_named(empty_engine: Engine) -> None:
    three = {"model": "Model 3"}
    state(empty_engine, GERMANY, AUSTRIA, FRANCE, GERMANY | three, AUSTRIA | three)
    assert "Model Y" in read(empty_engine).title
    reading = read(empty_engine, "models=tesla-model-3")
    assert "Model 3" in reading.title
    assert len(dots(reading)) == 2


def test_markets_with_other_trims_or_without_any_price_are_named(empty_engine: Engine) -> None:
    state(
        empty_engine, GERMANY, AUSTRIA, FRANCE | {"trim": "Performance"},
        {**GERMANY, "market": "IT", "effective_from": "2021-01-10"},
    )  # fmt: skip
    reading = read(empty_engine, "market=DE,AT,FR,IT")
    assert list(dots(reading)) == ["Germany", "Austria"]
    assert "only other trims have a price in France" in said(reading)
    assert "Italy (10 Jan 2021)" in said(reading)


# The cars of one market


def cars(engine: Engine) -> None:
    """Three models in China, of which one has two trims, and one costs less with an incentive."""
    state(
        engine,
        CHINA | {"amount": 300},
        CHINA | {"amount": 250, "trim": "Standard"},
        CHINA | {"maker": "BYD", "model": "Seal", "amount": 100, "trim": "", "price_kind": "starting"},
        CHINA | {"maker": "NIO", "model": "ET5", "amount": 200, "date_precision": "approximate"},
        CHINA | {"maker": "NIO", "model": "ET5", "amount": 90, "price_kind": "after_incentive"},
    )


def test_each_model_of_a_market_is_at_its_cheapest_list_or_starting_price(empty_engine: Engine) -> None:
    cars(empty_engine)
    reading = read(empty_engine, "market=CN")
    assert dots(reading) == {"BYD Seal": 100, "NIO ET5 RWD": 200, "Tesla Model Y Standard": 250}
    assert reading.title == "Lowest of 3 models in China, 10 Jan 2025: BYD Seal, 100 CNY"
    assert "1 series of another kind" in said(reading)
    assert [row[5] for row in PRICE_LADDER.table(reading).rows] == ["starting", "list", "list"]


def test_a_named_model_has_a_row_for_each_trim(empty_engine: Engine) -> None:
    cars(empty_engine)
    reading = read(empty_engine, "market=CN&models=tesla-model-y")
    assert dots(reading) == {"Tesla Model Y Standard": 250, "Tesla Model Y RWD": 300}
    assert reading.title == "Lowest of 2 trims in China, 10 Jan 2025: Tesla Model Y Standard, 250 CNY"


def test_prices_after_incentive_are_shown_alone(empty_engine: Engine) -> None:
    cars(empty_engine)
    reading = read(empty_engine, "market=CN&price_kind=after_incentive")
    assert dots(reading) == {"NIO ET5 RWD": 90}
    assert reading.title == "NIO ET5 RWD: 90 CNY in China, 10 Jan 2025"


def test_where_the_cheapest_two_cost_the_same_both_are_named(empty_engine: Engine) -> None:
    state(empty_engine, CHINA, CHINA | {"maker": "NIO", "model": "ET5"}, CHINA | {"model": "Model 3", "amount": 300})
    title = read(empty_engine, "market=CN").title
    assert title.endswith("NIO ET5 RWD and Tesla Model Y RWD, 200 CNY"), title


def test_unlike_taxes_within_a_market_are_not_ranked(empty_engine: Engine) -> None:
    state(empty_engine, CHINA, CHINA | {"model": "Model 3", "amount": 100, "tax_included": "unknown"})
    reading = read(empty_engine, "market=CN")
    assert reading.title == "2 models in China, 10 Jan 2025: some prices with tax, so not ranked"
    assert list(dots(reading)) == ["Tesla Model Y RWD", "Tesla Model 3 RWD"]


def test_a_segment_and_makers_narrow_the_ladder(empty_engine: Engine) -> None:
    cars(empty_engine)
    vehicles(empty_engine, {}, {"maker": "BYD", "model": "Seal", "segment": "D"})
    assert list(dots(read(empty_engine, "market=CN&segment=d"))) == ["BYD Seal"]
    assert list(dots(read(empty_engine, "market=CN&makers=nio"))) == ["NIO ET5 RWD"]


def test_only_the_cheapest_are_drawn_and_all_are_in_table_and_download(empty_engine: Engine) -> None:
    models = ["Model 3", "Model S", "Model X"]
    state(
        empty_engine,
        *(CHINA | {"model": model, "trim": f"Trim {n}", "amount": 100 + 10 * n} for model in models for n in range(6)),
    )
    reading = read(empty_engine, "market=CN&models=tesla-model-3,tesla-model-s,tesla-model-x")
    assert len(dots(reading)) == MOST
    assert max(dots(reading).values()) == 150
    assert f"The {MOST} cheapest of 18 are drawn" in said(reading)
    assert len(PRICE_LADDER.table(reading).rows) == len(PRICE_LADDER.rows(reading)) == 18


# What stands on a day


def test_a_price_is_hollow_where_it_is_last_known_and_a_diamond_where_about_the_day_is_known(
    empty_engine: Engine,
) -> None:
    state(
        empty_engine,
        CHINA,
        CHINA | {"model": "Model 3", "effective_from": "2025-01-20", "date_precision": "approximate"},
        CHINA | {"effective_from": "2025-03-01"},
    )
    reading = read(empty_engine, "market=CN&date=2025-02-01")
    assert marks(reading) == {"Tesla Model 3 RWD": ("diamond", True), "Tesla Model Y RWD": ("circle", False)}
    assert "Hollow, 1 of 2: last known before 1 Feb 2025" in said(reading)
    assert "A diamond" in said(reading)
    assert "about 20 Jan 2025, last known" in " ".join(drawn(reading)["data"][1]["text"])


def test_a_price_older_than_half_a_year_is_left_out_and_listed(empty_engine: Engine) -> None:
    state(empty_engine, CHINA, CHINA | {"model": "Model 3", "effective_from": "2024-01-10"})
    reading = read(empty_engine, "market=CN&date=2025-02-01")
    assert list(dots(reading)) == ["Tesla Model Y RWD"]
    assert "Left out" in said(reading)
    assert "Tesla Model 3 (10 Jan 2024)" in said(reading)


def test_the_day_is_the_last_one_on_which_nearly_the_most_rows_have_a_price(empty_engine: Engine) -> None:
    models = ["Model 3", "Model S", "Model X", "Model Y", "Cybertruck"]
    state(
        empty_engine,
        *(CHINA | {"model": model, "effective_from": "2024-01-10"} for model in models),
        *(CHINA | {"model": model, "effective_from": "2025-01-10"} for model in models[:4]),
        CHINA | {"model": "Model 3", "effective_from": "2026-01-10"},
    )
    reading = read(empty_engine, "market=CN")
    assert "10 Jan 2025" in reading.title, "four of five, and later"
    assert len(dots(reading)) == 4
    assert len(dots(read(empty_engine, "market=CN&date=2024-02-01"))) == 5


def test_a_day_without_any_price_names_the_nearest_and_leads_on(empty_engine: Engine) -> None:
    state(empty_engine, GERMANY, AUSTRIA)
    refusal = refused(empty_engine, "date=2015-01-01")
    assert isinstance(refusal, NotPublished)
    assert "the nearest one is of 10 Jan 2025" in str(refusal)
    assert refusal.nearest is not None
    assert dots(read(empty_engine, refusal.nearest.query(defaults=PRICE_LADDER.defaults)))


def test_without_a_rate_of_the_days_month_a_market_is_left_out(empty_engine: Engine) -> None:
    state(empty_engine, GERMANY, CHINA)
    reading = read(empty_engine, "date=2025-03-01")
    assert list(dots(reading)) == ["Germany"]
    assert "no exchange rate of CNY is known for 2025-03" in said(reading)


@pytest.mark.parametrize("query", ["makers=nobody", "models=tesla-model-z", "market=ZW", "currency=XXX", "segment=q"])
def test_names_that_no_price_is_known_of_are_refused_with_those_there_are(empty_engine: Engine, query: str) -> None:
    state(empty_engine, GERMANY, AUSTRIA)
    with pytest.raises((InvalidSelection, NotPublished)):
        read(empty_engine, query)


def quote(day: date, amount: float, *, is_level: bool = False, kind: PriceKind = PriceKind.LIST) -> Quote:
    return Quote(
        market="CN", maker="tesla", model="tesla-model-y", trim="RWD", powertrain="BEV", kind=kind, currency="CNY",
        tax_included=TaxIncluded.YES, day=day, amount=amount, battery_kwh=None, range_km=None, note="", row=0,
        precision=DatePrecision.OBSERVED if is_level else DatePrecision.DAY, range_cycle=RangeCycle.NONE,
        evidence=Evidence.PRESS,
    )  # fmt: skip


def test_of_a_list_and_a_starting_price_of_one_trim_the_newer_one_stands() -> None:
    lines = price_lines(
        [quote(date(2024, 1, 1), 300), quote(date(2024, 4, 1), 200, kind=PriceKind.STARTING),
         quote(date(2025, 1, 1), 400)],
    )  # fmt: skip
    standing = [found.quote.amount for _, found in standing_on(lines, date(2024, 5, 1))]
    assert standing == [200]
    assert [found.quote.amount for _, found in standing_on(lines, date(2024, 3, 1))] == [300]


def test_a_price_that_another_replaced_years_later_is_not_taken_to_have_held_all_the_time() -> None:
    (line,) = price_lines([quote(date(2022, 1, 1), 300), quote(date(2024, 1, 1), 200)])
    assert standing_on([line], date(2022, 6, 1))
    assert not standing_on([line], date(2023, 6, 1))
    (same,) = price_lines([quote(date(2022, 1, 1), 300), quote(date(2024, 1, 1), 300, is_level=True)])
    assert standing_on([same], date(2023, 6, 1)), "the same price before and after"


@given(
    quotes=st.lists(
        st.tuples(st.integers(0, 1500), st.sampled_from([100, 200]), st.booleans()), min_size=1, max_size=6
    ),
    day=st.integers(-50, 2000),
)
def test_a_price_that_holds_is_one_that_the_line_gives(quotes: list[tuple[int, int, bool]], day: int) -> None:
    start, when = date(2020, 1, 1).toordinal(), date.fromordinal(date(2020, 1, 1).toordinal() + day)
    (line,) = price_lines([quote(date.fromordinal(start + n), amount, is_level=level) for n, amount, level in quotes])
    assert isinstance(line, PriceLine)
    if line.holds(when):
        standing = line.on(when)
        assert standing is not None
        assert standing.quote.day <= when
    elif standing := line.on(when):
        assert standing.age > 183, "only age takes a price away"


# The page and the download


def test_the_download_has_the_prices_own_day_and_terms_and_receipts_for_each_row(empty_engine: Engine) -> None:
    state(empty_engine, GERMANY, US | {"effective_from": "2025-01-05", "trim": "RWD"})
    reading = read(empty_engine)
    rows = PRICE_LADDER.rows(reading)
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert rows[["period_start", "market", "value", "unit", "tax", "published_price", "on_day"]].values.tolist() == [
        ["2025-01-10", "DE", 1190, "EUR", "yes", 1190, "2025-01-10"],
        ["2025-01-05", "US", 450, "EUR", "no", 900, "2025-01-10"],
    ]
    assert rows["flags"].tolist() == ["", "last known"]
    with empty_engine.connect() as connection:
        document = downloads.document(connection, PRICE_LADDER, reading, rows, site="")
    assert [len(row["receipts"]) for row in document["rows"]] == [1, 1]


def test_a_dot_has_the_receipt_of_its_price(empty_engine: Engine) -> None:
    state(empty_engine, GERMANY, AUSTRIA)
    reading = read(empty_engine)
    assert PRICE_LADDER.receipts is not None
    (key, _) = drawn(reading)["data"][0]["customdata"]
    with empty_engine.connect() as connection:
        claims = PRICE_LADDER.receipts(connection, reading, Point(*key))
    assert claims["stated"].tolist() == ["1,190 EUR"]
    assert claims["urls"].tolist() == ["https://made-up.example/price"]


@pytest.mark.parametrize("look", [SCREEN, NARROW, PICTURE, SHEET], ids=["screen", "narrow dark", "picture", "sheet"])
def test_every_look_draws_many_rows_and_one(empty_engine: Engine, look: Look) -> None:
    cars(empty_engine)
    for query in ("market=CN", "market=CN&makers=byd"):
        figure = drawn(read(empty_engine, query), look)
        assert figure["layout"]["xaxis"]["range"][0] == 0
        assert len(figure["layout"]["shapes"]) == len(figure["data"][0]["x"])
        assert look.width is None or figure["layout"]["height"] == look.height


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    chosen=st.fixed_dictionaries(
        {},
        optional={
            "market": st.sampled_from(["CN", "DE", "DE,US", "NO", "BR", "US,CN,GB"]),
            "makers": st.sampled_from(["byd", "tesla", "byd,tesla", "volvo"]),
            "models": st.sampled_from(["tesla-model-3", "tesla-model-y", "byd-dolphin,byd-seal"]),
            "powertrain": st.sampled_from(["BEV", "PHEV", "ALL"]),
            "price_kind": st.sampled_from([kind.value for kind in PriceKind]),
            "currency": st.sampled_from(["EUR", "USD", "CNY"]),
            "tax": st.sampled_from(["included", "excluded"]),
            "real": st.just("real"),
            "date": st.sampled_from(["2019-05-01", "2023-02-01", "2024-06-30", "2026-07-01"]),
            "segment": st.sampled_from(["d", "d-suv", "a"]),
            "cycle": st.just("WLTP"),
            "since": st.sampled_from(["2022-01", "2025-01"]),
            "until": st.sampled_from(["2025-03", "2026-01"]),
            "as_of": st.sampled_from(["2021-01-01", "2025-01-01"]),
        },
    )
)
def test_whatever_is_chosen_is_drawn_or_refused_with_a_way_on(bundled_engine: Engine, chosen: dict[str, Any]) -> None:
    query = "&".join(f"{name}={value}" for name, value in chosen.items())
    try:
        reading = read(bundled_engine, query)
    except InvalidSelection:
        return
    except Refusal as refusal:
        nearest = refusal.nearest or pytest.fail(f"{query}: {refusal} leads nowhere")
        reading = read(bundled_engine, nearest.query(defaults=PRICE_LADDER.defaults))
    assert len(reading.title) <= TITLE_LENGTH
    assert not reading.title.endswith("…")
    assert len(reading.subtitle) <= TITLE_LENGTH
    assert all(note.endswith(".") for note in reading.notes)
    assert drawn(reading)["data"]
    rows = PRICE_LADDER.rows(reading)
    assert rows[["value", "low", "high"]].notna().all(axis=None)
    assert {len(row) for row in PRICE_LADDER.table(reading).rows} == {len(PRICE_LADDER.table(reading).header)}


def test_the_real_prices_of_december_2025_are_as_published(bundled_engine: Engine) -> None:
    reading = read(bundled_engine, "models=tesla-model-3&date=2025-12-05&market=DE,FR,IT,SE")
    assert dots(reading)["Germany"] == 36990
    assert round(dots(reading)["Sweden"]) == 41300, "449,990 SEK at the mean of December 2025"
