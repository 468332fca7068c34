"""The curated records: prices, taxes, vehicles, driver assistance. Each has an address, and none is known too early."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from db import records
from db.vocabulary import Billing, PriceKind, TaxIncluded
from etl.claims import Claims
from etl.harmonize import harmonize, reference, slug
from etl.records import columns
from etl.sources.curated import CURATED_RECORDS, CuratedFile, parse_records
from etl.tidy import describe_problems

LAST = date(2026, 11, 1)
"""The day by which all that has been curated so far was published."""

SLUGS = (
    "ev-prices",
    "vat-rates",
    "consumer-prices",
    "vehicles",
    "fsd-prices",
    "adas-offers",
    "fsd-attach",
    "fsd-events",
    "fsd-forecasts",
)
FILES = {entry.source.slug: entry for entry in CURATED_RECORDS}
EACH = pytest.mark.parametrize("source", SLUGS)

Row = dict[str, Any]


@cache
def claims(source: str) -> Claims:
    """What a file says; all of it can be read."""
    entry = FILES[source]
    read = parse_records(entry, entry.path.read_bytes(), known_on=LAST)
    assert describe_problems(read.rejected, file=entry.file) == []
    return read


def rows(source: str, **which: object) -> list[Row]:
    """The rows of a file that have these values, as they stand in it."""
    (frame,) = claims(source).records.values()
    told = (dict(zip(frame.columns, cells, strict=True)) for cells in frame.itertuples(index=False, name=None))
    return [row for row in told if all(row[name] == value for name, value in which.items())]


def one(source: str, **which: object) -> Row:
    """The only such row."""
    (row,) = rows(source, **which)
    return row


# The files as a whole


def test_the_files_of_records_are_there_and_each_is_a_source() -> None:
    assert set(FILES) == set(SLUGS)
    for entry in FILES.values():
        assert entry.path.is_file(), entry.path
        assert entry.path.stat().st_size > 1000


@EACH
def test_a_file_has_the_columns_of_its_table_in_their_order(source: str) -> None:
    entry: CuratedFile = FILES[source]
    with entry.path.open(encoding="utf-8", newline="") as stream:
        assert tuple(next(csv.reader(stream))) == columns(entry.table)


def test_a_file_is_read_whole() -> None:
    read = {source: len(rows(source)) for source in SLUGS}
    assert read == {
        "ev-prices": 642,
        "vat-rates": 50,
        "consumer-prices": 246,
        "vehicles": 312,
        "fsd-prices": 60,
        "adas-offers": 50,
        "fsd-attach": 74,
        "fsd-events": 84,
        "fsd-forecasts": 30,
    }


@EACH
def test_no_two_rows_say_the_same_thing_known_on_the_same_day(source: str) -> None:
    for table, told in harmonize(claims(source), reference()).records.items():
        assert records.spans(table, told)


@EACH
def test_every_row_has_an_address_and_a_day(source: str) -> None:
    for row in rows(source):
        assert date(2010, 1, 1) < row["published_on"] <= LAST, row
        if row["url"]:
            assert re.match(r"https?://[\w.-]+/?", row["url"]), row
        else:
            # Only how a car is classed may rest on general knowledge, and it says so; figures may not.
            assert source == "vehicles", row
            assert "general knowledge" in row["note"], row
            assert row["battery_kwh"] is row["range_km"] is row["length_mm"] is None, row


@EACH
def test_makers_are_those_of_the_reference(source: str) -> None:
    known = set(reference().makers)
    assert {slug(row["maker"]) for row in rows(source) if row.get("maker", "all") != "all"} <= known


@EACH
def test_a_note_tells_nothing_of_how_it_was_made(source: str) -> None:
    for row in rows(source):
        assert not re.search(r"OUTCOME|address replaced|\bseed\b|[Ww]as (marked|dated)|,\s*$|^\s*[;,]", row["note"]), (
            row
        )


# Since when a row counts as known


def test_nothing_is_known_before_it_could_be() -> None:
    starts = {
        "ev-prices": "effective_from",
        "fsd-prices": "effective_from",
        "adas-offers": "effective_from",
        "fsd-attach": "as_of",
    }
    for source, start in starts.items():
        assert [row for row in rows(source) if row["published_on"] < row[start]] == []
    for row in rows("consumer-prices"):
        assert row["published_on"] >= date(row["year"] + 1, 1, 15), row


def test_an_event_is_known_from_its_day_but_for_a_rule_that_was_published_ahead() -> None:
    ahead = [row["date"] for row in rows("fsd-events") if row["published_on"] < row["date"]]
    assert ahead == [date(2027, 1, 1)]


def test_where_only_the_month_is_known_it_counts_as_known_at_its_end() -> None:
    for source in ("ev-prices", "fsd-prices"):
        for row in rows(source, date_precision="month"):
            assert row["effective_from"].day == 1, row
            end = (row["effective_from"] + timedelta(31)).replace(day=1) - timedelta(1)
            assert row["published_on"] >= end, row


def test_a_day_that_no_address_prints_is_marked_as_inferred() -> None:
    digits = re.compile(r"20\d\d[/-]?\d{1,2}[/-]?\d{1,2}|/\d\d/\d\d/\d\d/")
    # Printed on the page, or in the number of the message.
    on_page = re.compile(
        r"ricky-singh|1319264943489929216|motors-addict|taxnews\.ey|bdo\.co\.th|japan-raises|/2024/0329/"
    )
    for source in ("ev-prices", "fsd-prices", "adas-offers", "fsd-attach", "fsd-events", "vat-rates"):
        for row in rows(source, known_estimated=False):
            if not on_page.search(row["url"]):
                assert digits.search(row["url"]), row


def test_an_average_paid_is_known_in_the_middle_of_the_next_month() -> None:
    averages = rows("ev-prices", price_kind=PriceKind.TRANSACTION_AVG)
    assert len(averages) == 33
    for row in averages:
        assert row["published_on"] >= (row["effective_from"] + timedelta(31)).replace(day=13), row


def test_in_may_2024_later_evidence_of_earlier_things_is_not_known() -> None:
    then = date(2024, 5, 31)
    # A launch price of March that an article about the next model recalls in December.
    assert one("ev-prices", maker="Xiaomi", model="SU7", trim="Standard")["published_on"] > then
    # A price cut dated to the spring by guess; the page says that it followed another, seen in July.
    assert one("ev-prices", market="AU", model="Dolphin", trim="Premium")["published_on"] > then
    # May's average is published in June.
    may = rows("ev-prices", market="US", price_kind=PriceKind.TRANSACTION_AVG, effective_from=date(2024, 5, 1))
    assert len(may) == 3
    assert all(row["published_on"] > then for row in may)
    # A page of autumn 2024 prints the launch prices of March.
    seagull = rows("ev-prices", market="CN", model="Seagull", effective_from=date(2024, 3, 6))
    assert [row["published_on"] for row in seagull] == 3 * [date(2024, 9, 18)]
    # What Tesla asked in Canada is read in an article of 2026.
    assert all(row["published_on"] > then for row in rows("fsd-prices", market="CA", package="FSD"))
    assert not [row for row in rows("fsd-attach") if row["published_on"] <= then < row["as_of"]]
    assert not [row for row in rows("fsd-attach", attach_basis="active_subscriptions") if row["published_on"] <= then]
    assert all(row["published_on"] > then for row in rows("fsd-forecasts") if row["outcome"])
    assert not [row for row in rows("vat-rates") if row["published_on"] <= then and row["effective_from"].year > 2024]


def test_in_may_2024_what_had_been_published_is_known() -> None:
    then = date(2024, 5, 31)
    assert one("fsd-attach", region="NAM", as_of=date(2022, 9, 30), unit="share")["published_on"] == date(2024, 3, 27)
    assert one("fsd-attach", estimator="YipitData")["published_on"] == date(2024, 5, 14)
    assert (
        one("fsd-prices", market="US", package="FSD", amount=8000.0, effective_from=date(2024, 4, 20))["published_on"]
        <= then
    )
    assert one("ev-prices", market="CN", model="Model Y", effective_from=date(2024, 4, 21))["published_on"] <= then
    assert one("fsd-events", date=date(2024, 5, 17))["published_on"] <= then


# Prices


CHINA_MOVES = (
    # carzxzc.com/industry/14592.html
    ("Model 3", "Standard Range Plus", "list", "2019-05-31", 328000),
    # carsradars.com, Reuters, after a subsidy of 24,750
    ("Model 3", "Standard Range Plus", "after_incentive", "2020-01-03", 299050),
    # businesstimes.com.sg, Reuters, after a subsidy of 20,250
    ("Model 3", "Standard Range Plus", "after_incentive", "2020-05-01", 271550),
    # carzxzc.com/industry/14592.html
    ("Model 3", "Standard Range Plus", "after_incentive", "2020-10-01", 249900),
    # shine.cn/biz/company/2101022609
    ("Model Y", "Long Range AWD", "list", "2021-01-01", 339900),
    # caixinglobal.com/2021-07-30
    ("Model 3", "Standard Range Plus", "after_incentive", "2021-07-30", 235900),
    # auto.hindustantimes.com, "for second time in a week"
    ("Model Y", "Long Range AWD", "list", "2022-03-15", 375900),
    # insideevs.com/news/630106
    ("Model Y", "RWD", "list", "2023-01-06", 259900),
    # cnevpost.com/2023/08/14
    ("Model Y", "Performance", "list", "2023-08-14", 349900),
    # republicworld.com, start price after the cut
    ("Model Y", "RWD", "starting", "2024-04-21", 249900),
    # news.moomooapp.com/news/post/47952812
    ("Model Y", "RWD", "list", "2025-01-10", 263500),
    # tesla.cn/modely/design, as seen each day to 2026-08-22
    ("Model Y L", "6-seat AWD", "list", "2026-07-23", 339000),
)


@pytest.mark.parametrize(("model", "trim", "kind", "day", "amount"), CHINA_MOVES)
def test_tesla_prices_in_china_are_as_printed(model: str, trim: str, kind: str, day: str, amount: float) -> None:
    row = one(
        "ev-prices",
        market="CN",
        maker="Tesla",
        model=model,
        trim=trim,
        price_kind=PriceKind(kind),
        effective_from=date.fromisoformat(day),
    )
    assert (row["amount"], row["currency"], row["tax_included"]) == (amount, "CNY", TaxIncluded.YES)


def test_each_market_has_one_currency_and_one_custom_of_tax() -> None:
    currencies = defaultdict(set)
    taxes = defaultdict(set)
    for row in rows("ev-prices"):
        currencies[row["market"]].add(row["currency"])
        taxes[row["market"]].add(row["tax_included"])
    euro = dict.fromkeys(("AT", "BE", "DE", "ES", "FR", "IE", "IT"), "EUR")
    own = {"AU": "AUD", "BR": "BRL", "CN": "CNY", "CZ": "CZK", "GB": "GBP", "ID": "IDR", "IN": "INR", "JP": "JPY"}
    more = {"MX": "MXN", "NO": "NOK", "SE": "SEK", "TH": "THB", "US": "USD"}
    assert currencies == {market: {currency} for market, currency in (euro | own | more).items()}
    assert taxes["US"] == {TaxIncluded.NO}
    assert taxes["BR"] == {TaxIncluded.UNKNOWN}
    assert {market for market, said in taxes.items() if len(said) > 1} == {"IN", "NO"}


def test_two_prices_of_one_trim_on_one_day_differ_in_kind() -> None:
    of_day = defaultdict(list)
    for row in rows("ev-prices"):
        of_day[row["market"], row["maker"], row["model"], row["trim"], row["effective_from"]].append(row)
    doubled = {key: kept for key, kept in of_day.items() if len(kept) > 1}
    assert len(doubled) == 3
    for kept in doubled.values():
        assert {row["price_kind"] for row in kept} == {PriceKind.LIST, PriceKind.AFTER_INCENTIVE}


def test_no_price_of_a_trim_doubles_or_halves_from_one_to_the_next() -> None:
    of_trim = defaultdict(list)
    for row in sorted(rows("ev-prices"), key=lambda row: row["effective_from"]):
        key = (row["market"], row["maker"], row["model"], row["trim"], row["powertrain"], row["price_kind"])
        of_trim[key].append(row["amount"])
    jumps = {
        key[:4]
        for key, amounts in of_trim.items()
        for before, after in pairwise(amounts)
        if not 1 / 2 < after / before < 2
    }
    assert jumps == set()


def test_a_level_is_marked_as_one_and_never_as_a_change() -> None:
    level = re.compile(r"price until|^observed|; observed|first record|[Pp]rice before the (cut|rise)")
    for row in rows("ev-prices"):
        if level.search(row["note"]) and "launch" not in row["note"]:
            assert row["date_precision"] == "observed", row
    assert Counter(row["date_precision"] for row in rows("ev-prices"))["observed"] == 236


def test_a_range_has_its_test_and_no_range_has_none() -> None:
    for source in ("ev-prices", "vehicles"):
        assert {(row["range_km"] is None) == (row["range_cycle"] == "none") for row in rows(source)} == {True}


def test_notes_keep_what_a_price_leaves_out() -> None:
    australian = rows("ev-prices", market="AU", maker="BYD")
    assert sum("on-road costs" in row["note"] for row in australian) == len(australian)
    june = rows("ev-prices", market="US", maker="Tesla", effective_from=date(2022, 6, 16))
    assert len(june) == 5
    assert all("1,200 destination fee, removed" in row["note"] for row in june)
    german = rows("ev-prices", market="DE", maker="Tesla", effective_from=date(2022, 3, 16))
    assert len(german) == 3
    assert all(row["price_kind"] == PriceKind.AFTER_INCENTIVE and "Umweltbonus" in row["note"] for row in german)


# Taxes, indices, vehicles


def test_taxes_are_as_printed() -> None:
    def rate(market: str, day: str) -> tuple[float, str, float]:
        row = one("vat-rates", market=market, effective_from=date.fromisoformat(day), applies_to=applies)
        return row["rate"], row["tax"], row["above"]

    applies = "all"
    assert rate("CN", "2019-04-01") == (0.13, "VAT", 0)
    assert rate("DE", "2020-07-01") == (0.16, "VAT", 0)
    assert rate("AU", "2018-01-01") == (0.10, "GST", 0)
    assert rate("US", "2018-01-01") == (0.0, "sales_tax", 0)
    applies = "BEV"
    assert rate("NO", "2018-01-01") == (0.0, "VAT", 0)
    assert rate("NO", "2023-01-01") == (0.25, "VAT", 500000)
    assert rate("NO", "2026-01-01") == (0.25, "VAT", 300000)


def test_consumer_prices_have_one_base_and_no_hole() -> None:
    years = defaultdict(list)
    for row in rows("consumer-prices"):
        assert row["base"] == "2015=100"
        years[row["market"]].append(row["year"])
    for market, of_market in years.items():
        assert sorted(of_market) == list(range(2017, 2017 + len(of_market))), market
    assert one("consumer-prices", market="AT", year=2018)["value"] == 105.05


def test_every_model_with_a_price_is_classed() -> None:
    def cars(source: str) -> set[tuple[str, str, str]]:
        return {
            (slug(row["maker"]), slug(row["model"]), str(row["powertrain"]))
            for row in rows(source)
            if row["model"] != "all"
        }

    assert cars("ev-prices") - cars("vehicles") == set()


def test_a_model_has_one_class_whatever_is_known_of_its_battery() -> None:
    classes = defaultdict(set)
    for row in rows("vehicles"):
        car = (slug(row["maker"]), slug(row["model"]), row["powertrain"])
        classes[car].add((row["segment"], row["body"], row["drive"], row["launch_year"]))
    assert {car for car, kept in classes.items() if len(kept) > 1} == set()
    assert len(classes) == 177


def test_range_extended_cars_are_plug_in_hybrids_that_say_so() -> None:
    extended = rows("vehicles", maker="Li Auto", model="L7") + rows("vehicles", maker="AITO", model="M9")
    assert extended
    assert all(row["powertrain"] == "PHEV" and "range-extended" in row["note"] for row in extended)


# Driver assistance


FSD_PRICES = (
    # evbulletin.com, survey of Q2 2021
    ("US", "FSD", "2016-10-01", 3000, Billing.ONE_OFF),
    # wionews.com, the 25 % rise
    ("US", "FSD", "2022-09-05", 15000, Billing.ONE_OFF),
    # swissinfo.ch, Reuters, 20 April 2024
    ("US", "FSD", "2024-04-20", 8000, Billing.ONE_OFF),
    # cnevpost.com/2026/01/23
    ("CN", "FSD", "2026-01-23", 64000, Billing.ONE_OFF),
    # teslant.com, approval in the Netherlands
    ("NL", "FSD_subscription", "2026-04-11", 99, Billing.MONTH),
)


@pytest.mark.parametrize(("market", "package", "day", "amount", "billing"), FSD_PRICES)
def test_fsd_prices_are_as_printed(market: str, package: str, day: str, amount: float, billing: Billing) -> None:
    row = one("fsd-prices", market=market, package=package, effective_from=date.fromisoformat(day))
    assert (row["maker"], row["amount"], row["billing"]) == ("Tesla", amount, billing)


def test_the_end_of_an_offer_has_no_amount() -> None:
    for row in rows("fsd-prices"):
        assert (row["billing"] == Billing.WITHDRAWN) == (row["amount"] is None), row
    ends = {
        row["market"]: row["effective_from"] for row in rows("fsd-prices", package="FSD", billing=Billing.WITHDRAWN)
    }
    assert ends["US"] == date(2026, 2, 14)
    assert ends["NL"] == date(2026, 5, 21)


def test_half_of_the_offers_and_more_rest_on_mirrors_and_say_so() -> None:
    evidence = Counter(str(row["evidence"]) for row in rows("adas-offers"))
    assert evidence == {"secondary": 32, "press": 18}
    assert all(row["evidence"] == "secondary" for row in rows("adas-offers") if "weak source" in row["note"])


ACTIVE = (
    # electrek.co/2026/01/28 prints the five quarters to the tenth of a million
    ("2024-12-31", 800_000, 750_000, 850_000, "2026-01-28"),
    ("2025-03-31", 800_000, 750_000, 850_000, "2026-01-28"),
    ("2025-06-30", 900_000, 850_000, 950_000, "2026-01-28"),
    ("2025-09-30", 1_000_000, 950_000, 1_050_000, "2026-01-28"),
    ("2025-12-31", 1_100_000, 1_050_000, 1_150_000, "2026-01-28"),
    # basenor.com: 1.28 million, with the update of the first quarter of 2026
    ("2026-03-31", 1_280_000, 1_275_000, 1_285_000, "2026-04-22"),
)


@pytest.mark.parametrize(("as_of", "value", "low", "high", "known"), ACTIVE)
def test_users_of_fsd_are_as_printed_and_known_when_tesla_told(
    as_of: str, value: float, low: float, high: float, known: str
) -> None:
    row = one("fsd-attach", attach_basis="active_subscriptions", as_of=date.fromisoformat(as_of), region="GLOBAL")
    assert (row["value"], row["low"], row["high"], row["unit"]) == (value, low, high, "count")
    assert row["published_on"] == date.fromisoformat(known)


def test_a_rounded_figure_has_the_ends_that_round_to_it() -> None:
    def ends(**which: object) -> tuple[float, float, float]:
        row = one("fsd-attach", **which)
        return row["low"], row["value"], row["high"]

    assert ends(as_of=date(2025, 9, 30), attach_basis="fleet_attach") == (0.115, 0.12, 0.125)
    assert ends(as_of=date(2021, 6, 30), attach_basis="new_sales_take_rate") == (0.1105, 0.111, 0.1115)
    # A printed range: its ends, with the middle between them.
    assert ends(as_of=date(2025, 9, 30), model="S/X") == (0.5, 0.55, 0.6)
    # "More than 55 %" begins there, "nearly 60,000" ends there, a recall counts every car.
    assert ends(as_of=date(2026, 6, 30), attach_basis="new_sales_take_rate") == (0.55, 0.55, 0.555)
    assert ends(as_of=date(2022, 1, 26)) == (55_000, 60_000, 60_000)
    assert ends(as_of=date(2023, 2, 16)) == (362_758, 362_758, 362_758)
    for row in rows("fsd-attach"):
        assert 0 < row["low"] <= row["value"] <= row["high"], row
        assert row["high"] <= 1 or row["unit"] != "share", row


def test_a_worked_out_ratio_is_an_estimate_over_all_cars_delivered() -> None:
    row = one("fsd-attach", attach_basis="all_delivered")
    assert row["evidence"] == "estimate"
    assert row["low"] < 1.1 / 8.9 < row["high"]


def test_the_survey_of_2021_is_known_since_it_was_published() -> None:
    told = [row for row in rows("fsd-attach", estimator="Troy Teslike owner survey") if row["as_of"].year < 2019]
    assert len(told) == 3
    assert all(row["published_on"] >= date(2021, 8, 31) for row in told)


def test_what_came_of_a_forecast_is_known_later_than_the_forecast() -> None:
    forecasts = defaultdict(list)
    for row in rows("fsd-forecasts"):
        about = (row["made_on"], row["forecaster"], row["target_date"], row["region"], row["metric"])
        forecasts[about].append((row["published_on"], row["outcome"], row["outcome_url"]))
    assert len(forecasts) == 22
    for (made_on, *_), told in forecasts.items():
        (first, outcome, _), *later = sorted(told)
        assert (first, outcome) == (made_on, "")
        assert all(known > made_on and outcome and url for known, outcome, url in later)
    assert sum(len(told) == 2 for told in forecasts.values()) == 8


def test_forecasts_of_days_are_days_and_others_have_their_ends() -> None:
    for row in rows("fsd-forecasts"):
        if row["unit"] == "date":
            assert date.fromisoformat(row["value"]) == row["target_date"], row
            assert row["low"] is row["high"] is None, row
        else:
            assert row["low"] <= row["high"], row
            ends = [float(end) for end in row["value"].split(" to ")]
            assert (ends[0], ends[-1]) == (row["low"], row["high"]), row
