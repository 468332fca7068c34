"""The equations: what must hold in every world, and a few worlds that can be worked out in the head."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import projection
from dashboard.projections import fleet, model, scenarios
from dashboard.projections.levers import Chips, Levers, Route
from dashboard.projections.model import QUARTERS, Paths, Setting
from dashboard.projections.parameters import Draws, from_prior, known
from dashboard.projections.record import START, Deliveries, PriceStep, Record, Trial, quarter_of
from dashboard.projections.regions import REGIONS

TODAY = date(2026, 10, 1)
COUNT = 40
RECORD = projection.a_record()
DRAWS = from_prior(known(TODAY), count=COUNT, quarters=QUARTERS - 1, seed=7)
WORLDS = st.fixed_dictionaries(
    {},
    optional={
        "price.US": st.sampled_from(["49@2026-01-01", "199@2027-01-01", "+50%@2024-01-01"]),
        "price.CN": st.sampled_from(["99@2027-01-01", "9@2023-01-01"]),
        "sub_only.US": st.sampled_from(["2024-01-01", "2027-01-01"]),
        "approval.CN": st.sampled_from(["2024-01-01", "2027-01-01+late", "never"]),
        "approval.EU": st.sampled_from(["2022-01-01", "2028-01-01"]),
        "level.US": st.sampled_from(["eyes_off@2025-01-01", "partial", "unsupervised@2022-01-01"]),
        "free_adas.CN": st.sampled_from(["0.9", "0"]),
        "basic_free.US": st.sampled_from(["2022-01-01", "none"]),
        "demand": st.sampled_from(["low", "base", "high"]),
        "data_route": st.sampled_from(["none", "local", "export", "both"]),
        "licence": st.sampled_from(["on", "off"]),
        "transfer": st.sampled_from(["on", "off"]),
    },
)
SEEDS = st.integers(0, 2**16)


def played(texts: dict[str, str], *, record: Record = RECORD) -> Setting:
    return scenarios.world(record, Levers.from_text(texts, defaults=scenarios.defaults(record.as_of)))


def run(texts: dict[str, str], draws: Draws = DRAWS) -> Paths:
    return model.simulate(played(texts), draws)


def drawn(seed: int) -> Draws:
    return from_prior(known(TODAY), count=8, quarters=QUARTERS - 1, seed=seed)


@settings(max_examples=25)
@given(WORLDS, SEEDS)
def test_in_every_world_stocks_flows_and_money_keep_their_bounds(texts: dict[str, str], seed: int) -> None:
    paths = model.simulate(played(texts), drawn(seed))
    everybody = paths.owners + paths.subscribers
    slack = 1e-6 * paths.fleet + 1e-6
    assert (paths.owners >= 0).all()
    assert (paths.subscribers >= 0).all()
    assert (everybody <= paths.eligible + slack).all()
    assert (paths.eligible <= paths.fleet + slack).all()
    assert (paths.fleet <= paths.delivered + slack).all()
    assert (paths.new_buyers <= paths.new_cars + slack).all()
    assert ((paths.willing >= 0) & (paths.willing <= 1)).all()
    for rate in (paths.attach_fleet(), paths.attach_eligible(), paths.attach_delivered(), paths.take_new()):
        assert ((rate >= 0) & (rate <= 1 + 1e-9)).all()
    kept = paths.deferred[:, :, 0] + (paths.cash - paths.booked - paths.released).sum(axis=2)
    assert kept == pytest.approx(paths.deferred[:, :, -1])
    assert (paths.deferred >= 0).all()
    if texts.get("licence", "off") == "off":
        assert not paths.licence.any()
    total = sum(paths.active((region,)) for region in REGIONS)
    assert total == pytest.approx(paths.active())
    assert paths.arr() == pytest.approx(12 * paths.mrr())


@settings(max_examples=15)
@given(SEEDS, st.sampled_from(REGIONS[:4]), st.floats(1, 300), st.floats(1, 2))
def test_a_higher_price_never_makes_more_owners_willing(seed: int, region: str, price: float, factor: float) -> None:
    def willing(amount: float) -> np.ndarray[Any, Any]:
        world = played({f"price.{region}": f"{amount:.4f}@2022-01-01", f"sub_only.{region}": "2022-01-01"})
        draws = drawn(seed)
        return model.willing(world, draws, model.availability(world, draws)).would

    assert (willing(price * factor) <= willing(price) + 1e-12).all()


@settings(max_examples=15)
@given(SEEDS, st.sampled_from(["EU", "CN", "JP"]), st.integers(2022, 2033), st.integers(0, 4))
def test_a_later_approval_never_raises_what_is_taken_in_all(seed: int, region: str, year: int, later: int) -> None:
    def taken(year: int) -> np.ndarray[Any, Any]:
        texts = {
            f"approval.{region}": f"{min(year, 2035)}-01-01",
            f"price.{region}": "99",
            f"sub_only.{region}": "2021-01",
        }
        return np.asarray(model.simulate(played(texts), drawn(seed)).received((region,)).sum(axis=1))

    assert (taken(year + later) <= taken(year) * (1 + 1e-9) + 1e-6).all()


@given(SEEDS, st.booleans(), st.sampled_from(list(Chips)), st.floats(0, 1))
def test_both_routes_are_never_later_than_either(seed: int, partner: bool, chips: Chips, chance: float) -> None:
    ready = {
        route: model.trained_from(
            Levers(data_route=route, partner=partner, chip_supply=chips, export_chance=chance), drawn(seed)
        )
        for route in Route
    }
    assert (ready[Route.BOTH] <= np.minimum(ready[Route.LOCAL], ready[Route.EXPORT])).all()
    assert (ready[Route.NONE] == model.NEVER).all()
    if not partner:
        assert (ready[Route.LOCAL] == model.NEVER).all()


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others() -> None:
    again = from_prior(known(TODAY), count=COUNT, quarters=QUARTERS - 1, seed=7)
    assert np.array_equal(run({}).active(), run({}, again).active())
    assert not np.array_equal(run({}).active(), run({}, drawn(8).first(8)).active()[:8].repeat(5, axis=0))


def test_common_draws_differ_by_the_lever_alone() -> None:
    usual, cheaper = run({}), run({"price.US": "49@2027-01-01"})
    until = usual.at(quarter_of(date(2026, 12, 31))) + 1
    assert np.array_equal(usual.active()[:, :until], cheaper.active()[:, :until])
    assert (cheaper.active(("US",))[:, -1] >= usual.active(("US",))[:, -1]).all()
    assert np.array_equal(cheaper.active(("CN",)), usual.active(("CN",)))


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"price.CN": "9@2023-01-01", "approval.CN": "2024-01-01", "data_route": "both", "data_ready": "drawn"},
        {"level.US": "eyes_off@2025-01-01", "basic_free.US": "2022-01-01", "transfer": "on", "demand": "high"},
        {"sub_only.US": "2024-05-15", "price.US": "+50%@2027-01-01", "approval.EU": "2030-06-15+late"},
        {"sub_only.US": "2021-01", "price.US": "49@2021-01,199@2027-01", "basic_free.US": "none"},
    ],
)
def test_plain_loops_give_the_same_paths(texts: dict[str, str]) -> None:
    trial = Trial(2024 * 4 + 1, ("US", "CA"), 90_000.0, TODAY)
    setting, draws = played(texts, record=replace(RECORD, trials=(trial,))), DRAWS.first(2)
    paths = model.simulate(setting, draws)
    for name, values in projection.plain(setting, draws, 1).items():
        assert np.allclose(np.array(values).T, getattr(paths, name)[1], rtol=1e-9, atol=1e-6), name


def test_half_a_cohort_of_a_life_without_spread_is_gone_at_its_half_life() -> None:
    alive = fleet.survival(81, lifetime=np.array([10.0]), wear=np.array([1.0]))[:, 0]
    assert alive[0] == 1.0
    assert alive[40] == pytest.approx(np.exp(-1))  # at shape 1 the life is exponential: 10 years on, 1/e are left
    assert alive.sum() * 0.25 == pytest.approx(10 * (1 - np.exp(-2)), rel=0.02)


def test_the_fleet_is_what_was_delivered_and_survives() -> None:
    units = np.zeros((len(REGIONS), 30))
    units[0] = 100.0
    cars = Deliveries(START - 29, units, np.zeros_like(units, bool), np.zeros(30, bool))
    driven = fleet.drive(
        fleet.cohorts(cars, first=START, last=START + 1),
        lifetime=np.array([1e6]), wear=np.array([3.0]), growth=np.array([0.0]),
    )  # fmt: skip
    assert driven.cars[:, 0, 0] == pytest.approx([3000, 3100])
    assert driven.delivered[:, 0, 0] == pytest.approx([3000, 3100])
    assert driven.eligible[:, 0, 0] == pytest.approx([900, 1000])  # those since 2019-Q2: nine quarters, then ten
    assert driven.new[:, 0, 0] == pytest.approx([100, 100])


def test_growth_is_a_year_and_demand_moves_it() -> None:
    paths = run({}, DRAWS.fixed("growth", 0.21))
    after = paths.at(RECORD.cut_off)
    assert paths.total("new_cars", ("US",))[0, after + 4] == pytest.approx(121_000)
    high = run({"demand": "high"}, DRAWS.fixed("growth", 0.15))
    assert high.new_cars == pytest.approx(paths.new_cars)


def test_half_the_owners_pay_their_median_and_more_pay_for_a_higher_level() -> None:
    draws = DRAWS.fixed("worth_us", 4000.0).fixed("months_counted", 40.0).fixed("rivals", 0.0)
    world = played({"price.US": "100", "sub_only.US": "2021-01", "level.US": "eyes_off@2030-01-01"})
    cap = model.willing(world, draws, model.availability(world, draws)).would[:, 0]
    raised = 2030 * 4 - START
    assert cap[:raised] == pytest.approx(0.5)
    assert ((cap[raised:] > 0.5) == (draws["gain_eyes_off"] > 0)).all()


def test_elasticity_is_what_a_price_change_does() -> None:
    texts = {"price.US": "100", "sub_only.US": "2021-01"}
    world, dearer = played(texts), played({**texts, "price.US": "100.01"})
    cap, less = (model.willing(one, DRAWS, model.availability(one, DRAWS)).would[5, 0] for one in (world, dearer))
    shown = model.elasticity(world, DRAWS)[:, 0, 5]
    assert (less / cap - 1) / 1e-4 == pytest.approx(shown, rel=2e-3)
    assert (shown < 0).all()


def test_before_an_approval_nobody_is_willing_and_outright_owners_stay() -> None:
    paths = run({"approval.JP": "2030-01-01"}, DRAWS.fixed("ramp", 2.0))
    japan, there = REGIONS.index("JP"), paths.at(2030 * 4)
    assert not paths.willing[:, japan, :there].any()
    assert not paths.subscribers[:, japan, :there].any()
    assert (paths.owners[:, japan, 1:there] > 0).all()
    assert (paths.willing[:, japan, there : there + 2] > 0).all()


def test_an_approval_is_phased_in_over_the_ramp() -> None:
    world = played({"approval.JP": "2030-01-01"})
    share = model.availability(world, DRAWS.fixed("ramp", 4.0))[:, REGIONS.index("JP"), 0]
    assert share[2030 * 4 - START - 1 : 2030 * 4 - START + 5] == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1])


def test_an_announced_approval_is_late_and_not_before_the_records_day() -> None:
    world = played({"approval.JP": "2024-01-01+late"})
    share = model.availability(world, DRAWS.fixed("ramp", 1.0).fixed("late", 3.0))[:, REGIONS.index("JP"), 0]
    assert share[model.QUARTERS - 1] == 1
    assert np.flatnonzero(share)[0] + START == quarter_of(TODAY)


def test_a_quarter_in_which_the_purchase_ends_half_way_is_half() -> None:
    world = played({"sub_only.US": "2026-08-16"})
    at = quarter_of(date(2026, 8, 16)) - START
    assert world.both[at, 0] == pytest.approx(0.5)
    assert world.only_month[at, 0] == pytest.approx(0.5)
    assert (world.both[at - 1, 0], world.only_month[at + 1, 0]) == (1, 1)


def test_a_regions_tax_goes_off_once_and_its_money_is_turned_into_dollars() -> None:
    record = replace(
        RECORD, usd_per={**RECORD.usd_per, "EUR": np.array([2.0])}, vat=np.full((len(REGIONS), 1), 0.25)
    )  # fmt: skip
    world, europe = played({}, record=record), REGIONS.index("EU")
    at = quarter_of(date(2026, 9, 1)) - START
    assert world.month[at, europe] == pytest.approx(99 * 2 / 1.25)
    assert np.exp(world.ln_month[at, europe]) == pytest.approx(99 * 2)
    # A region without any price is offered the US one, plus its own tax.
    japan = REGIONS.index("JP")
    assert world.one_off[at, japan] == pytest.approx(8000)
    assert np.exp(world.ln_one_off[at, japan]) == pytest.approx(10_000)


def test_prices_step_by_amount_and_by_share() -> None:
    world = played({"price.US": "+50%@2027-01-01,200@2028-01-01,-50%@2029-01-01"})
    months = [world.month[year * 4 - START, 0] for year in (2026, 2027, 2028, 2029)]
    assert months == pytest.approx([99, 148.5, 200, 100])


def test_a_region_with_outright_prices_only_has_no_subscription() -> None:
    step = PriceStep("KR", "one_off", date(2025, 11, 23), 9e6, "KRW", date(2025, 11, 23))
    world = played({}, record=replace(RECORD, prices=(*RECORD.prices, step)))
    korea = REGIONS.index("KR")
    assert world.only_one_off[:, korea].all()
    assert world.one_off[0, korea] == 9e6  # what was first read stands for the time before


def test_a_dearer_subscription_sheds_those_who_would_not_keep_it_but_not_those_who_need_it() -> None:
    texts = {"sub_only.US": "2021-01", "price.US": "49@2021-01,9900@2027-01", "basic_free.US": "none"}
    paths = run(texts)
    before, after = (paths.subscribers[:, 0, paths.at(2027 * 4 + step)] for step in (-1, 0))
    assert (after < 0.01 * before).all()
    kept = run({**texts, "basic_free.US": "2022-01-01"}).subscribers[:, 0, paths.at(2027 * 4)]
    assert (kept > 10 * after).all()


def test_a_licence_brings_its_cars_times_the_fitted_share_times_the_royalty() -> None:
    texts = {
        "licence": "on", "licence_start": "2027-01-01", "licence_volume": "1000", "licence_fit": "0.5",
        "licence_royalty": "100",
    }  # fmt: skip
    paths = run(texts)
    start = paths.at(2027 * 4)
    assert not paths.licence[:, :start].any()
    assert paths.licence[:, start:] == pytest.approx(0.25 * 1000 * 0.5 * 100)


def test_a_transferred_right_outlives_its_car() -> None:
    assert (run({"transfer": "on"}).owners >= run({}).owners - 1e-6).all()


def test_the_hedge_is_worth_what_both_bring_over_the_better_route() -> None:
    def bringing(amount: float) -> Paths:
        empty = {one: np.zeros((1, len(REGIONS), 8)) for one in Paths.__dataclass_fields__}
        given = empty["subscription"].copy()
        given[:, 0, 4] = amount
        return Paths(**{**empty, "subscription": given})

    paths = {"local": bringing(200), "export": bringing(100), "both": bringing(300)}
    assert model.hedge_value(paths, rate=0.0, since=START) == pytest.approx(100)
    assert model.hedge_value(paths, rate=0.25, since=START) == pytest.approx(80)
    assert model.hedge_value(paths, rate=0.0, since=START + 5) == 0


def test_a_band_is_the_middle_eight_tenths_of_the_draws() -> None:
    made = model.band(np.arange(101.0)[:, None])
    assert (made.p10[0], made.p50[0], made.p90[0], made.mean[0]) == (10, 50, 90, 50)
