"""What the model is told: frames become deliveries by region, prices and figures to be met, as known on a day."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboard.projections import record
from dashboard.projections.record import START, Unreadable
from dashboard.projections.regions import REGIONS

LATER = date(2026, 1, 1)


def world(*units: float, first: int = 2024) -> pd.DataFrame:
    """Worldwide deliveries of so many cars, quarter by quarter."""
    days = [record.quarter_start(first * 4 + n) for n in range(len(units))]
    return pd.DataFrame({"period_start": days, "units": units})


def cars(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["market", "period_start", "grain", "units"])


def region(made: record.Deliveries, name: str) -> list[float]:
    return [round(units, 6) for units in made.units[REGIONS.index(name)]]


US = tuple(("US", f"2024-{month:02}-01", "quarter", 500.0) for month in (1, 4, 7, 10))


def test_deliveries_are_split_by_registrations_and_the_rest_of_the_world_takes_what_remains() -> None:
    given = cars(*US, ("DE", "2024-01-01", "quarter", 100.0), ("CN", "2024-01-01", "quarter", 200.0))
    made = record.split_deliveries(world(*[1000.0] * 5), given, as_of=LATER)
    assert region(made, "US") == [500] * 5
    assert region(made, "EU") == [100] * 5
    assert region(made, "CN") == [200] * 5
    assert made.units.sum(axis=0).tolist() == pytest.approx([1000.0] * 5)
    assert region(made, "ROW") == [pytest.approx(1000 - 800 - 79)] * 5
    assert made.modelled[REGIONS.index("US")].tolist() == [False] * 4 + [True]
    assert made.modelled[REGIONS.index("CA")].all()


def test_between_published_quarters_a_share_is_a_straight_line() -> None:
    given = cars(("US", "2024-01-01", "quarter", 400.0), ("US", "2024-07-01", "quarter", 600.0))
    made = record.split_deliveries(world(*[1000.0] * 5), given, as_of=LATER)
    assert region(made, "US") == [400, 500, 600, 500, 500]


def test_three_months_make_a_quarter_and_two_make_none() -> None:
    months = [("CN", f"2024-{month:02}-01", "month", 100.0) for month in (1, 2, 3, 4, 5)]
    made = record.split_deliveries(world(*[1000.0] * 5), cars(*US, *months), as_of=LATER)
    assert made.modelled[REGIONS.index("CN")].tolist() == [False, True, True, True, True]
    assert region(made, "CN") == [300] * 5


def test_parts_that_exceed_the_whole_are_scaled_down_to_it() -> None:
    given = cars(("US", "2024-01-01", "quarter", 1500.0))
    made = record.split_deliveries(world(*[1000.0] * 5), given, as_of=LATER)
    assert made.units.sum(axis=0).tolist() == pytest.approx([1000.0] * 5)
    assert region(made, "ROW") == [0.0] * 5


def test_a_missing_quarter_of_deliveries_lies_between_its_neighbours_and_says_so() -> None:
    given = world(100, 100, 100, 200, 300, 500).drop(index=4)
    made = record.split_deliveries(given, cars(*US), as_of=LATER)
    assert made.units.sum(axis=0).tolist() == pytest.approx([100, 100, 100, 200, 350, 500])
    assert made.interpolated.tolist() == [False, False, False, False, True, False]


def test_what_ends_after_the_day_is_not_known_yet() -> None:
    made = record.split_deliveries(world(*[1000.0] * 8), cars(*US), as_of=date(2025, 6, 29))
    assert record.quarter_label(made.last) == "2025-Q1"


@pytest.mark.parametrize(
    ("deliveries", "registrations", "words"),
    [
        (world(100, 100), cars(*US), "fewer than five quarters"),
        (pd.concat([world(*[100.0] * 5)] * 2), cars(*US), "2024-Q1 is given twice"),
        (world(*[100.0] * 5), cars(("DE", "2024-01-01", "quarter", 1.0)), "none of the US"),
        (world(*[100.0] * 5), cars(*US, *US), "is given twice; choose one source"),
        (world(*[100.0] * 5), cars(("US", "2024-01-01", "week", 1.0)), "grain 'week'"),
        (world(*[100.0] * 5), cars(("US", "soon", "quarter", 1.0)), "'soon' is no date"),
        (world(100, 100, 100, 100, -1), cars(*US), "not below zero"),
        (world(*[100.0] * 5), cars(*US).drop(columns="units"), "the column units is missing"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_row(
    deliveries: pd.DataFrame, registrations: pd.DataFrame, words: str
) -> None:
    with pytest.raises(Unreadable, match=words):
        record.split_deliveries(deliveries, registrations, as_of=LATER)


def price(**about: Any) -> dict[str, Any]:
    usual = {
        "maker": "tesla", "market": "US", "package": "FSD", "currency": "USD", "billing": "one_off",
        "effective_from": "2024-04-20", "amount": 8000.0, "known_from": "2024-04-20",
    }  # fmt: skip
    return {**usual, **about}


def test_a_withdrawal_ends_the_outright_price_and_upgrades_are_no_price() -> None:
    frame = pd.DataFrame(
        [
            price(billing="withdrawn", amount=None, effective_from="2026-02-14", known_from="2026-02-14"),
            price(),
            price(package="FSD_subscription", billing="month", amount=99),
            price(package="FSD_upgrade_from_EAP", amount=2000),
            price(market="GB", amount=6800),
        ]
    )
    steps = record.price_steps(frame, as_of=date(2026, 3, 1))
    assert [(step.billing, step.amount) for step in steps] == [("month", 99), ("one_off", 8000), ("one_off", None)]
    assert [step.amount for step in record.price_steps(frame, as_of=date(2026, 2, 13))] == [99, 8000]


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"amount": -5}, "not below zero"),
        ({"amount": 0}, "above zero"),
        ({"amount": None}, "for a number"),
        ({"billing": "weekly"}, "billing 'weekly'"),
        ({"effective_from": None}, "a date is missing"),
    ],
)
def test_a_price_that_cannot_be_is_refused(about: dict[str, Any], words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        record.price_steps(pd.DataFrame([price(**about)]), as_of=LATER)


def figure(**about: Any) -> dict[str, Any]:
    usual = {
        "as_of": "2025-12-31", "region": "GLOBAL", "attach_basis": "active_subscriptions", "model": "ALL",
        "value": 1_100_000, "low": 1_050_000, "high": 1_150_000, "evidence": "disclosed", "known_from": "2026-01-28",
    }  # fmt: skip
    return {**usual, **about}


def seen(*rows: dict[str, Any], as_of: date = date(2026, 12, 31)) -> list[tuple[str, float, float]]:
    found = record.observations(pd.DataFrame(list(rows)), as_of=as_of)
    return [(one.measure, one.value, round(one.sd, 6)) for one in found]


def test_a_rounded_count_is_off_by_its_rounding_and_a_survey_by_its_sampling() -> None:
    sd = round(100_000 / np.sqrt(12), 6)
    assert seen(figure()) == [("active", 1_100_000, sd)]
    survey = figure(attach_basis="new_sales_take_rate", value=0.2, low=0.195, high=0.205, evidence="survey")
    assert seen(survey) == [("take_new", 0.2, 0.03)]


def test_of_one_quarter_the_narrower_figure_counts_and_a_figure_without_a_range_is_not_exact() -> None:
    rounded = figure(as_of="2026-06-30", value=1_300_000, low=1_250_000, high=1_350_000)
    exact = figure(as_of="2026-06-30", value=1_480_000, low=1_475_000, high=1_485_000)
    assert seen(rounded, exact) == seen(exact, rounded) == [("active", 1_480_000, 14_800)]
    assert seen(figure(low=None, high=None)) == [("active", 1_100_000, 11_000)]


def test_press_claims_parts_of_the_range_and_figures_before_the_start_are_not_fitted() -> None:
    assert seen(figure(evidence="estimate")) == []
    assert seen(figure(model="S/X")) == []
    assert seen(figure(as_of="2021-06-30")) == []
    assert seen(figure(attach_basis="fleet_attach", value=0.12, low=0.115, high=0.125)) == []
    assert seen(figure(), as_of=date(2026, 1, 27)) == []


def test_the_stocks_of_the_start_are_those_of_regions_and_trials_keep_their_quarter() -> None:
    rows = [
        figure(as_of="2021-06-30", region="EU", attach_basis="paid_users", value=200),
        figure(as_of="2021-06-30", region="GLOBAL", attach_basis="paid_users", value=300),
        figure(as_of="2024-05-13", region="NAM", attach_basis="trial_vehicles", value=100),
    ]
    stocks = record.starting_stocks(pd.DataFrame(rows), as_of=LATER.replace(year=2027))
    assert [(stock.regions, stock.quarter, stock.cars) for stock in stocks] == [(("EU",), START, 200)]
    trials = record.trials(pd.DataFrame(rows), as_of=LATER.replace(year=2027))
    assert [(trial.regions, record.quarter_label(trial.quarter)) for trial in trials] == [(("US", "CA"), "2024-Q2")]


def test_rates_are_dollars_per_unit_and_a_currency_is_carried_on() -> None:
    rows = [("2024-01-01", "USD", 2.0), ("2024-01-01", "CNY", 10.0), ("2024-04-01", "USD", 3.0)]
    first, rates = record.exchange_rates(pd.DataFrame(rows, columns=["period_start", "currency", "rate"]), as_of=LATER)
    assert record.quarter_label(first) == "2024-Q1"
    assert {name: one.tolist() for name, one in rates.items()} == {
        "EUR": [2.0, 3.0], "USD": [1.0, 1.0], "CNY": [0.2, pytest.approx(0.3)],
    }  # fmt: skip


def test_without_the_dollar_or_a_needed_tax_there_is_no_record() -> None:
    with pytest.raises(Unreadable, match="no rate of the US dollar"):
        record.exchange_rates(pd.DataFrame(columns=["period_start", "currency", "rate"]), as_of=LATER)
    with pytest.raises(Unreadable, match="there is no rate of NL"):
        record.contained_tax(pd.DataFrame(columns=["market", "tax", "effective_from", "rate"]), first=START, quarters=1)


def test_the_tax_is_the_one_in_force_and_none_where_prices_are_without() -> None:
    rows = [(market, "VAT", "2018-01-01", 0.2) for market in ("NL", "KR", "AU", "JP")]
    rows += [("CN", "VAT", "2018-01-01", 0.16), ("CN", "VAT", "2021-07-01", 0.13), ("US", "VAT", "2018-01-01", 0.5)]
    table = record.contained_tax(
        pd.DataFrame(rows, columns=["market", "tax", "effective_from", "rate"]), first=START, quarters=2
    )
    assert table[REGIONS.index("CN")].tolist() == [0.16, 0.13]
    assert table[REGIONS.index("EU")].tolist() == [0.2, 0.2]
    assert table[REGIONS.index("US")].tolist() == [0.0, 0.0]


def test_a_forecast_counts_as_last_known_with_its_outcome() -> None:
    usual = {
        "made_on": "2024-09-05", "forecaster": "Somebody", "target_date": "2025-03-31", "region": "CN",
        "metric": "approval_date", "value": "2025-03-31", "low": None, "high": None, "unit": "date",
    }  # fmt: skip
    frame = pd.DataFrame(
        [
            {**usual, "outcome": "late", "known_from": "2026-01-01"},
            {**usual, "outcome": "", "known_from": "2024-09-05"},
        ]
    )
    assert [one.outcome for one in record.forecasts(frame, as_of=date(2025, 1, 1))] == [""]
    assert [one.outcome for one in record.forecasts(frame, as_of=date(2026, 1, 1))] == ["late"]
