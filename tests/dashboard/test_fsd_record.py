"""The record of paid driver assistance: ends are no prices, shares are made of two counts, forecasts are scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.fsd_record import (
    HOLDING_MONTHS,
    AttachPoint,
    Forecast,
    Outcomes,
    Verdict,
    approvals,
    endings,
    maker_offers,
    offer_lines,
    offered_quotes,
    over_delivered,
    quarter_end,
    quarter_of,
    scored,
)
from dashboard.prices import Rates, Terms, price_lines, priced
from db.vocabulary import AttachBasis, Billing, Evidence, TaxIncluded

JULY = date(2025, 7, 1)


def offers(*rows: Mapping[str, Any]) -> pd.DataFrame:
    plain = {
        "market": "US", "maker": "tesla", "package": "FSD", "currency": "USD", "billing": "one_off",
        "effective_from": date(2025, 1, 1), "amount": 4800.0, "date_precision": "day", "evidence": "press", "note": "",
    }  # fmt: skip
    return pd.DataFrame([{**plain, **row} for row in rows]).astype(object)


def ended(day: date, **of: Any) -> dict[str, Any]:
    return {"billing": "withdrawn", "amount": None, "effective_from": day, **of}


def lines(frame: pd.DataFrame) -> Any:
    found, _ = priced(price_lines(offered_quotes(frame)), Terms(), Rates())
    return offer_lines(found, endings(frame))


def test_an_end_ends_its_own_package_in_its_own_market_and_is_never_a_price() -> None:
    frame = offers({}, ended(JULY), {"market": "CA", "currency": "CAD"}, {"package": "AP"})
    found = {(line.market, line.package): line for line in lines(frame)}
    assert found["US", "FSD"].ending.day == JULY
    assert found["CA", "FSD"].ending is None
    assert found["US", "AP"].ending is None
    assert all(price.amount > 0 for line in found.values() for price in line.priced.prices)


def test_what_is_offered_again_after_an_end_is_another_offer() -> None:
    again = {"effective_from": date(2025, 9, 1), "amount": 9600.0}
    first, second = lines(offers({}, ended(JULY), again))
    assert (first.last.amount, first.ending.day) == (4800, JULY)
    assert (second.last.amount, second.ending) == (9600, None)


def test_a_purchase_by_the_month_is_a_part_of_it_and_a_month_is_itself() -> None:
    bought, monthly = lines(offers({}, {"package": "FSD_subscription", "billing": "month", "amount": 99.0}))
    assert bought.per_month(bought.last) == 4800 / HOLDING_MONTHS == 100
    assert monthly.per_month(monthly.last) == 99


@pytest.mark.parametrize(
    ("currency", "tax"), [("USD", TaxIncluded.NO), ("CNY", TaxIncluded.YES), ("MXN", TaxIncluded.UNKNOWN)]
)
def test_the_custom_of_the_currency_tells_whether_tax_is_in_a_price(currency: str, tax: TaxIncluded) -> None:
    (quote,) = offered_quotes(offers({"currency": currency}))
    assert quote.tax_included is tax


def terms(*rows: Mapping[str, Any]) -> Any:
    plain = {
        "market": "CN", "maker": "byd", "package": "Eye", "currency": "CNY", "billing": "month", "amount": 100.0,
        "effective_from": date(2025, 1, 1), "date_precision": "day", "evidence": "press", "sae_level": "L2",
        "attach_value": None, "attach_unit": "",
    }  # fmt: skip
    (offer,) = maker_offers(pd.DataFrame([{**plain, **row} for row in rows]).astype(object))
    return offer


def test_the_last_terms_are_those_of_the_last_day_that_tells_a_price() -> None:
    later = {"effective_from": JULY}
    offer = terms({}, later | {"amount": 50.0}, later | {"billing": "year", "amount": 500.0}, later | {
        "billing": "unstated", "amount": None, "effective_from": date(2025, 8, 1)})  # fmt: skip
    assert [(term.billing, term.amount) for term in offer.last] == [(Billing.MONTH, 50), (Billing.YEAR, 500)]
    assert not offer.is_free
    assert offer.is_known


def test_an_offer_is_free_only_by_its_last_terms_and_one_that_ended_is_not_known() -> None:
    free, gone = {"billing": "included", "amount": 0.0}, {"billing": "withdrawn", "amount": None}
    assert terms({}, free | {"effective_from": JULY}).is_free
    assert not terms(free, {"effective_from": JULY}).is_free
    assert not terms({}, gone | {"effective_from": JULY}).is_known


# Shares made of counts


def point(basis: AttachBasis, value: float, day: date = date(2025, 3, 31), **changes: Any) -> AttachPoint:
    made = AttachPoint(
        as_of=day, region="GLOBAL", basis=basis, model="ALL", estimator="Tesla", value=value, low=value, high=value,
        unit="count", evidence=Evidence.DISCLOSED, url="", note="", row=0,
    )  # fmt: skip
    return replace(made, **changes)


PAYING = point(AttachBasis.ACTIVE_SUBSCRIPTIONS, 100, low=90, high=110)
DELIVERED = point(AttachBasis.CUMULATIVE_DELIVERIES, 1000, low=950, high=1050, row=1)


def test_a_share_of_all_delivered_is_paying_over_delivered_with_the_rounding_of_both() -> None:
    (share,) = over_delivered([PAYING, DELIVERED], {})
    assert share.value == 0.1
    assert (share.low, share.high) == (90 / 1050, 110 / 950)
    assert share.is_computed
    assert share.counts == (0, 1)
    assert share.quarters is None
    assert share.basis is AttachBasis.ALL_DELIVERED


@pytest.mark.parametrize(("paid_on", "delivered"), [(date(2025, 6, 30), 1200), (date(2024, 12, 31), 900)])
def test_the_cars_of_another_quarter_are_the_disclosed_ones_and_the_deliveries_between(
    paid_on: date, delivered: int
) -> None:
    quarters = {quarter_of(date(2025, 2, 1)): 100.0, quarter_of(date(2025, 5, 1)): 200.0}
    (share,) = over_delivered([replace(PAYING, as_of=paid_on), DELIVERED], quarters)
    assert share.value == 100 / delivered
    assert (share.low, share.high) == (90 / (delivered + 50), 110 / (delivered - 50))


def test_no_share_is_made_across_a_quarter_without_deliveries() -> None:
    quarters = {quarter_of(date(2025, 5, 1)): 200.0}
    assert not over_delivered([replace(PAYING, as_of=date(2025, 9, 30)), DELIVERED], quarters)


def test_no_share_is_made_of_counts_about_unlike_cars_or_where_it_is_disclosed() -> None:
    assert not over_delivered([replace(PAYING, region="NAM"), DELIVERED], {})
    assert not over_delivered([replace(PAYING, model="S"), DELIVERED], {})
    assert not over_delivered([replace(PAYING, as_of=date(2025, 3, 30)), DELIVERED], {})
    assert not over_delivered([replace(PAYING, basis=AttachBasis.BETA_VEHICLES), DELIVERED], {})
    assert not over_delivered([PAYING], {})
    stated = point(AttachBasis.ALL_DELIVERED, 0.2)
    assert not over_delivered([PAYING, DELIVERED, stated], {})
    assert over_delivered([PAYING, DELIVERED, replace(stated, evidence=Evidence.ESTIMATE)], {})


@given(
    paying=st.integers(1, 10**6), slack=st.integers(0, 10**5), delivered=st.integers(10**6, 10**7),
    loose=st.integers(0, 10**5), more=st.lists(st.integers(0, 10**6), max_size=8),
)  # fmt: skip
def test_a_computed_share_lies_between_its_ends_and_within_nothing_and_all(
    paying: int, slack: int, delivered: int, loose: int, more: list[int]
) -> None:
    first = quarter_of(date(2025, 4, 1))
    day = quarter_end(first + len(more) - 1)
    count = replace(PAYING, value=paying, low=max(paying - slack, 0), high=paying + slack, as_of=day)
    whole = replace(DELIVERED, value=delivered, low=delivered - loose, high=delivered + loose)
    (share,) = over_delivered([count, whole], {first + n: float(cars) for n, cars in enumerate(more)})
    assert 0 <= share.low <= share.value <= share.high <= 1


# Forecasts


FORECAST = Forecast(
    published=date(2024, 1, 1), forecaster="Someone", target=date(2025, 3, 31), region="GLOBAL",
    metric="active_subscriptions", text="", low=200, high=200, unit="count", outcome="", outcome_url="", url="",
    note="", row=0,
)  # fmt: skip
DATED = replace(FORECAST, unit="date", metric="approval_date", low=None, high=None, region="EU")
NOTHING = Outcomes(points=(), deliveries={}, approvals=(), members={"EU": ("NL", "LT")})


def test_a_number_is_scored_by_the_figure_of_its_own_measure_region_and_day() -> None:
    known = replace(NOTHING, points=[PAYING])
    found = scored(FORECAST, known, on=JULY)
    assert found.verdict is Verdict.SCORED
    assert found.error == (200 / 110 - 1, 200 / 90 - 1)
    for other in (
        replace(PAYING, region="NAM"),
        replace(PAYING, as_of=date(2025, 3, 30)),
        replace(PAYING, basis=AttachBasis.PAID_USERS),
        replace(PAYING, model="S"),
    ):
        assert scored(FORECAST, replace(NOTHING, points=[other]), on=JULY).verdict is Verdict.UNANSWERED


def test_a_forecast_that_meets_the_rounding_of_its_outcome_has_no_error() -> None:
    within = replace(FORECAST, low=105, high=300)
    assert scored(within, replace(NOTHING, points=[PAYING]), on=JULY).error == (0, 0)


def test_what_is_disclosed_goes_before_an_estimate() -> None:
    guess = replace(PAYING, low=200, high=200, evidence=Evidence.ESTIMATE, row=9)
    found = scored(FORECAST, replace(NOTHING, points=[guess, replace(PAYING, row=10)]), on=JULY)
    assert found.outcome is not None
    assert found.outcome.high == 110


def test_a_forecast_is_open_until_its_day_has_passed_whatever_is_known() -> None:
    assert scored(FORECAST, replace(NOTHING, points=[PAYING]), on=date(2025, 3, 30)).verdict is Verdict.OPEN
    assert scored(replace(FORECAST, target=None), NOTHING, on=JULY).verdict is Verdict.OPEN


def test_cars_sold_in_a_year_are_scored_when_all_four_quarters_are_there() -> None:
    asked = replace(FORECAST, metric="cars_sold_year", target=date(2024, 12, 31), low=800, high=800)
    year = {quarter_of(date(2024, month, 1)): 100.0 for month in (1, 4, 7, 10)}
    assert scored(asked, replace(NOTHING, deliveries=year), on=JULY).error == (1.0, 1.0)
    year.popitem()
    assert scored(asked, replace(NOTHING, deliveries=year), on=JULY).verdict is Verdict.UNANSWERED


def approved(*days: tuple[date, str]) -> Any:
    told = [{"date": day, "market": code, "kind": "approval", "text": "A authority approves FSD", "url": ""}
            for day, code in days]  # fmt: skip
    return approvals(pd.DataFrame(told))


def test_a_day_is_late_by_the_months_until_the_first_approval_in_a_member() -> None:
    known = replace(NOTHING, approvals=approved((date(2025, 9, 30), "LT"), (date(2025, 6, 30), "NL")))
    found = scored(DATED, known, on=date(2026, 1, 1))
    assert found.outcome is not None
    assert found.outcome.day == date(2025, 6, 30)
    assert found.verdict is Verdict.LATE
    assert round(found.months_late or 0) == 3


def test_an_approval_in_time_is_not_late_and_one_elsewhere_is_none() -> None:
    assert scored(DATED, replace(NOTHING, approvals=approved((date(2025, 3, 1), "NL"))), on=JULY).verdict is (
        Verdict.SCORED
    )
    elsewhere = scored(DATED, replace(NOTHING, approvals=approved((date(2025, 3, 1), "CN"))), on=JULY)
    assert not elsewhere.is_seen
    assert round(elsewhere.months_late or 0) == 3


def test_where_a_member_approved_before_the_forecast_only_the_region_itself_counts() -> None:
    early = (date(2023, 12, 1), "NL")
    known = replace(NOTHING, approvals=approved(early, (date(2025, 3, 1), "LT")))
    assert not scored(DATED, known, on=JULY).is_seen
    assert scored(DATED, replace(known, approvals=approved(early, (date(2025, 3, 1), "EU"))), on=JULY).is_seen


def test_an_approval_yet_to_come_is_not_known_and_a_day_that_is_ahead_is_open() -> None:
    later = replace(NOTHING, approvals=approved((date(2025, 8, 1), "NL")))
    assert not scored(DATED, later, on=JULY).is_seen
    assert scored(DATED, later, on=date(2025, 3, 31)).verdict is Verdict.OPEN


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("RDW type approval of FSD", True),
        ("Lithuania recognises the Dutch approval", True),
        ("Estonia approves", True),
        ("Hopes for approval by summer", False),
        ("Agency advises a vote against EU-wide approval", False),
        ("Ministry tests a car; no type approval", False),
        ("Ten cars allowed to test", False),
    ],
)
def test_an_approval_is_told_by_the_words_for_one_that_was_given(text: str, is_one: bool) -> None:
    told = pd.DataFrame([{"date": JULY, "market": "NL", "kind": "approval", "text": text, "url": ""}])
    assert bool(approvals(told)) is is_one
    assert not approvals(told.assign(kind="launch"))
