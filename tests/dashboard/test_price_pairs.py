"""Cars that are alike and how far apart their prices are: made-up cars whose gaps can be worked out in the head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.price_book import Vehicle
from dashboard.price_pairs import Gaps, Traits, gaps, traits
from dashboard.prices import Quote, Rates, TaxRule, Terms, price_lines
from dashboard.selection import Tax
from db.vocabulary import DatePrecision, Evidence, PriceKind, RangeCycle, TaxIncluded

JANUARY, FEBRUARY, MARCH = date(2025, 1, 31), date(2025, 2, 28), date(2025, 3, 31)


def quote(maker: str, amount: float, **changes: Any) -> Quote:
    """A list price of a maker's middle-sized car with rear drive that goes 500 km by CLTC, from New Year 2025 on."""
    of = Quote(
        market="CN",
        maker=maker,
        model=f"{maker}-one",
        trim="RWD",
        powertrain="BEV",
        kind=PriceKind.LIST,
        currency="CNY",
        tax_included=TaxIncluded.YES,
        day=date(2025, 1, 1),
        precision=DatePrecision.DAY,
        amount=amount,
        battery_kwh=None,
        range_km=500.0,
        range_cycle=RangeCycle.CLTC,
        evidence=Evidence.PRESS,
        note="",
        row=0,
    )
    return replace(of, **changes)


def vehicle(maker: str, **changes: Any) -> Vehicle:
    of = Vehicle(
        maker=maker,
        model=f"{maker}-one",
        powertrain="BEV",
        segment="D",
        body="sedan",
        drives=("RWD", "AWD"),
        battery_kwh=None,
        range_km=None,
        range_cycle=RangeCycle.NONE,
        row=0,
    )
    return replace(of, **changes)


BOTH = (vehicle("byd"), vehicle("tesla"))


def known(*quotes: Quote, vehicles: Sequence[Vehicle] = BOTH) -> list[Traits]:
    numbered = [replace(each, row=row) for row, each in enumerate(quotes)]
    return list(traits(numbered, vehicles).values())


def found(*quotes: Quote, vehicles: Sequence[Vehicle] = BOTH, **asked: Any) -> Gaps:
    """The gaps of BYD to Tesla in January, or on the days asked for."""
    numbered = [replace(each, row=row) for row, each in enumerate(quotes)]
    lines = price_lines(numbered)
    return gaps(
        [line for line in lines if line.key.maker == "byd"],
        [line for line in lines if line.key.maker == "tesla"],
        known=traits(numbered, vehicles),
        **{"terms": Terms(), "rates": Rates(), "days": [JANUARY], **asked},
    )


def fractions(of: Gaps) -> list[float]:
    return [round(pair.fraction, 9) for month in of.months for pair in month.pairs]


def test_two_cars_alike_are_as_far_apart_as_their_prices() -> None:
    (month,) = found(quote("byd", 200), quote("tesla", 300)).months
    (pair,) = month.pairs
    assert (pair.gap, round(pair.fraction, 4), pair.one_given.currency) == (-100, -0.3333, "CNY")
    assert (pair.segment, pair.drive, pair.cycle) == ("D", "RWD", RangeCycle.CLTC)
    assert month.month == date(2025, 1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": PriceKind.STARTING},
        {"powertrain": "PHEV"},
        {"market": "DE"},
        {"currency": "USD"},
        {"tax_included": TaxIncluded.NO},
        {"trim": "Long Range AWD"},
        {"range_km": 449.0},
        {"range_km": 556.0},
        {"range_cycle": RangeCycle.WLTP},
        {"range_km": None, "range_cycle": RangeCycle.NONE},
        {"model": "byd-nobody-knows-its-size"},
        {"day": date(2025, 2, 1)},
        {"day": date(2024, 7, 1)},
    ],
    ids=lambda changes: " ".join(f"{name}={value}" for name, value in changes.items()),
)
def test_cars_that_are_not_alike_make_no_pair(changes: dict[str, Any]) -> None:
    assert found(quote("byd", 200), quote("tesla", 300)).months
    assert not found(quote("byd", 200, **changes), quote("tesla", 300)).months


def test_cars_of_two_segments_make_no_pair() -> None:
    vehicles = (vehicle("byd", segment="D-SUV"), vehicle("tesla"))
    assert not found(quote("byd", 200), quote("tesla", 300), vehicles=vehicles).months


def test_ranges_may_differ_by_a_tenth_of_the_longer_one() -> None:
    for km in (450.0, 500.0, 555.0):
        assert found(quote("byd", 200, range_km=km), quote("tesla", 300)).months, km


def test_a_trim_that_names_no_drive_has_those_of_its_model_and_meets_one_that_names_one() -> None:
    assert found(quote("byd", 200, trim="Standard"), quote("tesla", 300)).months
    only_front = (vehicle("byd", drives=("FWD",)), vehicle("tesla"))
    assert not found(quote("byd", 200, trim="Standard"), quote("tesla", 300), vehicles=only_front).months


def test_two_trims_that_both_leave_their_drive_open_make_no_pair() -> None:
    assert not found(quote("byd", 200, trim="Standard"), quote("tesla", 300, trim="Performance")).months


def test_a_range_is_the_prices_own_then_the_trims_nearest_one_and_never_an_old_one() -> None:
    old, own, later = (quote("byd", 200, day=date(year, 1, 1), range_km=km) for year, km in
                       ((2020, 300.0), (2025, 500.0), (2027, 700.0)))  # fmt: skip
    unsaid = {"range_km": None, "range_cycle": RangeCycle.NONE}
    near, far = (quote("byd", 200, day=day, **unsaid) for day in (date(2025, 12, 1), date(2022, 6, 1)))
    stated = known(old, own, later, near, far)
    assert [of.reach[RangeCycle.CLTC].km for of in stated[:4]] == [300, 500, 700, 500]
    assert not stated[4].reach
    assert stated[4].lacking == ("range",)
    assert not known(own, quote("byd", 200, trim="AWD", **unsaid))[1].reach, "another trim is another car"


def test_a_models_range_stands_in_only_where_it_can_be_the_trims() -> None:
    unsaid = quote("byd", 200, range_km=None, range_cycle=RangeCycle.NONE, battery_kwh=60.0)
    of_model = vehicle("byd", drives=("RWD",), range_km=520.0, range_cycle=RangeCycle.CLTC, battery_kwh=62.0)
    reach = known(unsaid, quote("tesla", 300), vehicles=[of_model])[0].reach
    assert (reach[RangeCycle.CLTC].km, reach[RangeCycle.CLTC].of_model) == (520, True)
    for wrong in (
        replace(of_model, drives=("RWD", "AWD")),
        replace(of_model, battery_kwh=80.0),
        replace(of_model, range_cycle=RangeCycle.WLTP),
    ):
        assert not known(unsaid, quote("tesla", 300), vehicles=[wrong])[0].reach


def test_what_nobody_states_of_a_car_is_said() -> None:
    assert known(quote("nio", 200, trim="Max"))[0].lacking == ("segment", "drive")
    assert known(quote("byd", 200))[0].lacking == ()


def test_another_cycle_is_another_comparison() -> None:
    both = quote("byd", 200), quote("tesla", 300)
    assert found(*both, cycle=RangeCycle.CLTC).months
    assert not found(*both, cycle=RangeCycle.EPA).months


def test_prices_with_and_without_tax_meet_once_a_tax_is_chosen() -> None:
    rates = Rates(taxes={("CN", "all"): [(date(2020, 1, 1), TaxRule(0.5))]})
    quotes = quote("byd", 200, tax_included=TaxIncluded.NO), quote("tesla", 300)
    assert not found(*quotes, rates=rates).months
    assert fractions(found(*quotes, rates=rates, terms=Terms(tax=Tax.EXCLUDED))) == [0]


def test_money_is_exchanged_at_the_rate_of_the_month_shown_and_the_fraction_is_not_moved_by_it() -> None:
    months = {("CNY", date(2025, month, 1)): rate for month, rate in ((1, 10.0), (2, 5.0))}
    of = found(
        quote("byd", 200, day=date(2024, 12, 1)), quote("tesla", 300),
        rates=Rates(exchange=months), terms=Terms(currency="EUR"), days=[JANUARY, FEBRUARY, MARCH],
    )  # fmt: skip
    assert [month.pairs[0].gap for month in of.months] == [-10, -20]
    assert fractions(of) == [-0.333333333, -0.333333333]
    assert of.refused == ("no exchange rate of CNY is known for 2025-03",)


def test_a_price_that_nobody_confirmed_for_half_a_year_makes_no_pair_any_more() -> None:
    days = [date(2025, 6, 30), date(2025, 7, 31)]
    assert [month.day for month in found(quote("byd", 200), quote("tesla", 300), days=days).months] == days[:1]
    months = found(
        quote("byd", 200), quote("byd", 200, day=date(2026, 1, 1)), quote("tesla", 300), days=[JANUARY],
    ).months  # fmt: skip
    assert (months[0].pairs[0].one.confirmed, months[0].pairs[0].confirmed) == (True, False)


def test_where_a_pair_enters_the_line_begins_anew() -> None:
    second = {"trim": "AWD", "day": date(2025, 3, 1)}
    of = found(
        quote("byd", 200), quote("tesla", 400), quote("byd", 300, **second), quote("tesla", 400, **second),
        days=[JANUARY, FEBRUARY, MARCH],
    )  # fmt: skip
    assert [[month.day for month in run] for run in of.runs] == [[JANUARY, FEBRUARY], [MARCH]]
    assert [month.spread(money=True) for month in of.months] == [(-200,) * 3, (-200,) * 3, (-200, -150, -100)]
    assert of.months[-1].spread(money=False) == (-0.5, -0.375, -0.25)


def test_a_month_without_a_pair_parts_the_line() -> None:
    of = found(
        quote("byd", 200), quote("tesla", 400), quote("byd", 200, day=date(2025, 12, 1)),
        quote("tesla", 400, day=date(2025, 12, 1), precision=DatePrecision.OBSERVED),
        days=[date(2025, 6, 30), date(2025, 8, 31), date(2025, 12, 31)],
    )  # fmt: skip
    assert [len(run) for run in of.runs] == [1] * len(of.months)


@given(
    prices=st.tuples(st.integers(100, 900), st.integers(100, 900)),
    ranges=st.tuples(st.integers(200, 800), st.integers(200, 800)),
)
def test_who_is_asked_about_first_makes_no_difference(prices: tuple[int, int], ranges: tuple[int, int]) -> None:
    one, other = (
        found(*(quote(maker, price, range_km=km) for maker, price, km in zip(makers, prices, ranges, strict=True)))
        for makers in (("byd", "tesla"), ("tesla", "byd"))
    )
    assert len(one.months) == len(other.months) == (abs(ranges[0] - ranges[1]) * 10 <= max(ranges))
    assert [pair.gap for month in one.months for pair in month.pairs] == [
        -pair.gap for month in other.months for pair in month.pairs
    ]
