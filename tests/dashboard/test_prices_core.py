"""Prices made comparable: lines that mix nothing, and conversions that say what they used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.prices import (
    STALE_DAYS,
    CannotConvert,
    PriceLine,
    Quote,
    Rates,
    TaxRule,
    Terms,
    converted,
    price_lines,
    priced,
)
from dashboard.selection import Tax
from db.vocabulary import DatePrecision, Evidence, PriceKind, RangeCycle, TaxIncluded

DAY = date(2025, 1, 10)


def quote(
    amount: float = 200,
    day: date = DAY,
    *,
    market: str = "DE",
    currency: str = "EUR",
    kind: PriceKind = PriceKind.LIST,
    tax: TaxIncluded = TaxIncluded.YES,
    precision: DatePrecision = DatePrecision.DAY,
    evidence: Evidence = Evidence.PRESS,
    trim: str = "RWD",
    row: int = 0,
) -> Quote:
    return Quote(
        market=market, maker="tesla", model="tesla-model-y", trim=trim, powertrain="BEV", kind=kind, currency=currency,
        tax_included=tax, day=day, precision=precision, amount=amount, battery_kwh=None, range_km=None,
        range_cycle=RangeCycle.NONE, evidence=evidence, note="", row=row,
    )  # fmt: skip


RATES = Rates(
    exchange={
        ("CNY", date(2025, 1, 1)): 8.0,
        ("CNY", date(2025, 2, 1)): 10.0,
        ("USD", date(2025, 1, 1)): 2.0,
        **{("CNY", date(2024, month, 1)): 5.0 if month <= 6 else 15.0 for month in range(1, 13)},
    },
    taxes={
        ("DE", "all"): [(date(2020, 7, 1), TaxRule(0.10)), (date(2021, 1, 1), TaxRule(0.25))],
        ("NO", "BEV"): [(date(2023, 1, 1), TaxRule(0.25, above=100))],
        ("NO", "all"): [(date(2018, 1, 1), TaxRule(0.50))],
        ("US", "all"): [(date(2018, 1, 1), TaxRule(0.0))],
    },
    index={("DE", 2020): 50.0, ("DE", 2024): 100.0, ("CN", 2024): 110.0, ("CN", 2023): 100.0, ("DE", 2025): 110.0},
)


def line(*quotes: Quote) -> PriceLine:
    (found,) = price_lines(quotes)
    return found


# Converting


def test_a_price_is_exchanged_at_the_rate_of_its_own_month_and_says_so() -> None:
    given = converted(quote(800, market="CN", currency="CNY"), Terms(currency="EUR"), RATES)
    assert (given.amount, given.currency) == (100, "EUR")
    assert given.done == ("1 EUR = 8 CNY, mean of 2025-01",)
    later = quote(800, date(2025, 2, 28), market="CN", currency="CNY")
    assert converted(later, Terms(currency="EUR"), RATES).amount == 80


def test_two_currencies_meet_over_the_euro() -> None:
    given = converted(quote(800, market="CN", currency="CNY"), Terms(currency="USD"), RATES)
    assert given.amount == 200
    assert given.done == ("1 USD = 4 CNY, mean of 2025-01",)


def test_a_fixed_day_takes_the_rate_of_its_month_for_every_price() -> None:
    terms = Terms(currency="EUR", on=date(2025, 2, 17))
    assert converted(quote(800, market="CN", currency="CNY"), terms, RATES).amount == 80


def test_without_a_rate_of_the_month_a_price_is_not_exchanged() -> None:
    with pytest.raises(CannotConvert, match="no exchange rate of CNY is known for 2025-03"):
        converted(quote(800, date(2025, 3, 1), currency="CNY"), Terms(currency="EUR"), RATES)


def test_as_quoted_nothing_is_done() -> None:
    given = converted(quote(800, market="CN", currency="CNY", tax=TaxIncluded.UNKNOWN), Terms(), RATES)
    assert (given.amount, given.currency, given.done) == (800, "CNY", ())


def test_tax_is_that_of_the_market_and_the_day() -> None:
    without = Terms(tax=Tax.EXCLUDED)
    assert converted(quote(125), without, RATES).amount == 100
    assert converted(quote(110, date(2020, 12, 31)), without, RATES).amount == pytest.approx(100)
    assert converted(quote(100, tax=TaxIncluded.NO), Terms(tax=Tax.INCLUDED), RATES).amount == 125
    assert converted(quote(100, tax=TaxIncluded.NO), without, RATES).amount == 100


def test_a_tax_of_the_powertrain_goes_before_that_of_all_cars_and_falls_on_the_part_above_its_threshold() -> None:
    given = converted(quote(300, market="NO", tax=TaxIncluded.NO), Terms(tax=Tax.INCLUDED), RATES)
    assert given.amount == 350  # a quarter of the 200 above 100
    assert given.done == ("with 0.25 tax above 100",)
    assert converted(quote(350, market="NO"), Terms(tax=Tax.EXCLUDED), RATES).amount == 300
    assert converted(quote(80, market="NO"), Terms(tax=Tax.EXCLUDED), RATES).amount == 80
    before = quote(150, date(2022, 12, 31), market="NO")
    assert converted(before, Terms(tax=Tax.EXCLUDED), RATES).amount == 100  # half, of all cars


@pytest.mark.parametrize(
    ("of", "terms", "reason"),
    [
        (quote(market="BR", tax=TaxIncluded.UNKNOWN), Terms(tax=Tax.EXCLUDED), "whether prices in BR include tax"),
        (quote(market="US", tax=TaxIncluded.NO), Terms(tax=Tax.INCLUDED), "US leave out local taxes"),
        (quote(market="FR"), Terms(tax=Tax.EXCLUDED), "no tax rate of FR is known for 2025-01"),
        (quote(day=date(2020, 6, 30)), Terms(tax=Tax.EXCLUDED), "no tax rate of DE is known for 2020-06"),
        (quote(market="US"), Terms(base_year=2024), "consumer prices of US in 2024 are not known"),
        (quote(day=date(2023, 1, 1)), Terms(base_year=2024), "consumer prices of DE in 2023 are not known"),
    ],
)
def test_what_is_missing_is_refused_by_name(of: Quote, terms: Terms, reason: str) -> None:
    with pytest.raises(CannotConvert, match=reason):
        converted(of, terms, RATES)


def test_real_prices_are_corrected_by_consumer_prices_and_exchanged_at_the_mean_of_the_base_year() -> None:
    old = quote(100, date(2020, 8, 1))
    assert converted(old, Terms(base_year=2024), RATES).amount == 200
    assert converted(old, Terms(base_year=2024), RATES).done == ("in money of 2024: consumer prices 50.0 to 100.0",)
    chinese = quote(1000, date(2023, 5, 1), market="CN", currency="CNY")
    assert converted(chinese, Terms(base_year=2024, currency="EUR"), RATES).amount == pytest.approx(110)


def test_the_base_year_is_the_last_one_that_all_markets_have() -> None:
    assert RATES.last_index_year(["DE"]) == 2025
    assert RATES.last_index_year(["DE", "CN"]) == 2024
    assert RATES.last_index_year(["DE", "US"]) is None


@given(
    amount=st.floats(1, 1e7),
    rate=st.floats(0, 0.99),
    above=st.floats(0, 1e6),
)
def test_tax_put_on_and_taken_off_gives_the_amount_back(amount: float, rate: float, above: float) -> None:
    rule = TaxRule(rate, above)
    assert rule.removed(rule.added(amount)) == pytest.approx(amount)
    assert rule.added(rule.removed(amount)) == pytest.approx(amount)
    assert rule.added(amount) >= amount


def test_prices_that_cannot_be_given_are_told_by_their_reason_and_the_others_are_given() -> None:
    lines = price_lines(
        [quote(125), quote(250, date(2025, 2, 1)), quote(100, date(2020, 1, 1)), quote(market="FR"), quote(market="US")]
    )
    found, lacking = priced(lines, Terms(tax=Tax.EXCLUDED), RATES)
    german, american = found
    assert [price.amount for price in german.prices] == [100, 200]
    assert american.prices[0].amount == 200
    assert {reason: len(quotes) for reason, quotes in lacking.items()} == {
        "no tax rate of DE is known for 2020-01": 1,
        "no tax rate of FR is known for 2025-01": 1,
    }


# Lines


def test_of_two_prices_for_one_day_the_better_evidence_stands_and_a_beginning_before_a_level() -> None:
    pressed, primary = quote(300, evidence=Evidence.PRESS), quote(200, evidence=Evidence.PRIMARY, row=1)
    assert [each.amount for each in line(pressed, primary).quotes] == [200]
    level = replace(primary, precision=DatePrecision.OBSERVED)
    assert [each.amount for each in line(pressed, level).quotes] == [300]


def test_a_move_is_a_change_and_one_to_a_level_happened_some_time_before() -> None:
    seen = quote(300, DAY + timedelta(30), precision=DatePrecision.OBSERVED)
    found = line(quote(200), quote(200, DAY + timedelta(10)), seen, quote(150, DAY + timedelta(40)))
    assert [(move.before.amount, move.after.amount, move.by) for move in found.moves] == [
        (200, 300, True),
        (300, 150, False),
    ]
    assert [move.change for move in found.moves] == [0.5, -0.5]


def test_a_price_stands_from_its_day_and_is_confirmed_by_a_later_one_of_its_line() -> None:
    found = line(quote(200), quote(300, DAY + timedelta(400)))
    assert found.on(DAY - timedelta(1)) is None
    held = found.on(DAY + timedelta(399))
    assert held is not None
    assert (held.quote.amount, held.confirmed, held.age) == (200, True, 399)


def test_a_last_price_is_only_last_known_and_not_for_ever() -> None:
    found = line(quote(200))
    held = found.on(DAY + timedelta(STALE_DAYS))
    assert held is not None
    assert not held.confirmed
    assert found.on(DAY + timedelta(STALE_DAYS + 1)) is None


def test_before_a_level_of_another_price_the_earlier_one_is_not_confirmed() -> None:
    def standing(later: float) -> bool:
        seen = quote(later, DAY + timedelta(20), precision=DatePrecision.OBSERVED)
        held = line(quote(200), seen).on(DAY + timedelta(10))
        assert held is not None
        return held.confirmed

    assert standing(200)
    assert not standing(300)


quotes = st.builds(
    quote,
    amount=st.sampled_from([100.0, 200.0, 300.0]),
    day=st.dates(date(2024, 1, 1), date(2024, 1, 10)),
    market=st.sampled_from(["DE", "CN"]),
    currency=st.sampled_from(["EUR", "CNY"]),
    kind=st.sampled_from(PriceKind),
    tax=st.sampled_from(TaxIncluded),
    evidence=st.sampled_from(Evidence),
    trim=st.sampled_from(["RWD", "AWD"]),
    precision=st.sampled_from(DatePrecision),
    row=st.integers(0, 99),
)


@given(told=st.lists(quotes, max_size=30))
def test_lines_never_mix_anything_and_keep_every_day_of_every_series(told: Sequence[Quote]) -> None:
    def series(of: Quote) -> tuple[object, ...]:
        return of.market, of.maker, of.model, of.trim, of.powertrain, of.kind, of.currency, of.tax_included

    lines = price_lines(told)
    for found in lines:
        assert len({series(each) for each in found.quotes}) == 1
        days = [each.day for each in found.quotes]
        assert days == sorted(set(days))
    assert {(series(each), each.day) for found in lines for each in found.quotes} == {(series(q), q.day) for q in told}
    assert price_lines(list(reversed(told))) == lines or len({q.row for q in told}) < len(told)
