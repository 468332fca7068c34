"""An event study finds what was planted, finds nothing where nothing is, and looks neither ahead nor back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import event_study
from dashboard.event_study import AFTER, BEFORE, LEAST_PLACEBOS, OFFSETS, Bounded, Study
from db.claims import Floats

MONTHS = 100


def world(seed: int, *, planted: float = 0.0, month: int = 50, noise: float = 0.02) -> tuple[Floats, Floats]:
    """The share of one maker (L) and of four others (E, L) in a market of made-up cars.

    From the month on the maker wins `planted` of the market, from everybody else in proportion.
    """
    random = np.random.default_rng(seed)
    cars = np.array([[200.0], [100.0], [100.0], [200.0], [400.0]]) * (1 + noise * random.standard_normal((5, MONTHS)))
    shares = cars / cars.sum(axis=0)
    own = shares[0].copy()
    own[month:] += planted
    others = shares[1:] * (1 - own) / (1 - shares[0])
    # The last one is unnamed: it is no control.
    return own, others[:3]


def studied(own: Floats, others: Floats, month: int = 50) -> Study:
    control = event_study.control_windows(others, np.ones(others.shape, dtype=np.bool_))
    found = event_study.study(own, control, month, quiet=np.ones(len(own), dtype=np.bool_))
    assert found is not None
    return found


def test_a_maker_that_moves_as_its_controls_do_has_no_effect() -> None:
    share = np.array([0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2])
    assert event_study.effect(share, 2 * share) == pytest.approx(0.0)


def test_what_is_won_from_all_others_in_proportion_is_the_effect_exactly() -> None:
    share = np.array([0.1] * 4 + [0.2] * 6)
    control = (1 - share) * 0.5
    assert event_study.effect(share, control) == pytest.approx(0.1)
    assert event_study.expected(share, control) == pytest.approx(np.full(10, 0.1))


def test_the_month_of_the_event_is_neither_before_nor_after() -> None:
    share = np.array([0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert event_study.effect(share, 1 - share) == pytest.approx(0.0)


def test_an_effect_that_was_planted_is_found() -> None:
    found = studied(*world(1, planted=0.05))
    assert found.effect == pytest.approx(0.05, abs=0.01)
    assert found.stands_out
    assert found.p < 0.05


@pytest.mark.parametrize("planted", [0.0, 0.01, 0.05, -0.05])
def test_the_mean_of_many_worlds_is_what_was_planted(planted: float) -> None:
    effects = [studied(*world(seed, planted=planted)).effect for seed in range(50)]
    assert np.mean(effects) == pytest.approx(planted, abs=0.001)


def test_on_shuffled_dates_an_effect_is_found_about_as_often_as_the_interval_allows() -> None:
    """The interval holds nine of ten placebo effects, whose windows overlap: of 200 worlds 24 are found wrongly."""
    months = np.random.default_rng(7).integers(20, 80, size=200)
    found = sum(studied(*world(seed), month=int(month)).stands_out for seed, month in enumerate(months))
    assert 0.06 <= found / 200 <= 0.15
    wrongly_small = sum(studied(*world(seed), month=int(m)).p <= 0.1 for seed, m in enumerate(months))
    assert wrongly_small / 200 <= 0.15


def test_a_step_of_all_makers_alike_is_no_effect() -> None:
    own, others = world(3)
    grown = np.where(np.arange(MONTHS) >= 50, 1.3, 1.0)
    assert abs(studied(own * grown, others * grown).effect) < 0.02


@given(st.integers(0, 1000), st.integers(20, 80), st.floats(0.001, 0.2))
def test_nothing_outside_of_a_window_changes_its_effect(seed: int, month: int, changed: float) -> None:
    own, others = world(seed)
    windows = event_study.control_windows(others, np.ones(others.shape, dtype=np.bool_))
    outside = np.ones(MONTHS, dtype=np.bool_)
    outside[month + OFFSETS] = False
    own_changed = np.where(outside, changed, own)
    others_changed = np.where(outside, changed, others)
    windows_changed = event_study.control_windows(others_changed, np.ones(others.shape, dtype=np.bool_))
    effect = event_study.effect(event_study.windows(own), windows)[month]
    assert event_study.effect(event_study.windows(own_changed), windows_changed)[month] == effect


@given(st.integers(0, 1000), st.floats(0.01, 0.5))
def test_what_is_expected_before_looks_at_nothing_after(seed: int, changed: float) -> None:
    own, others = world(seed)
    window, control = own[:10], others.sum(axis=0)[:10]
    later = np.arange(10) >= BEFORE
    before = event_study.expected(window, control)[:BEFORE]
    after = event_study.expected(np.where(later, changed, window), np.where(later, changed / 2, control))[:BEFORE]
    assert after.tolist() == before.tolist()


def test_no_placebo_window_shares_a_month_with_what_the_event_could_have_moved() -> None:
    found = studied(*world(1))
    window = set((50 + OFFSETS[BEFORE:]).tolist())
    for place in found.placebos.tolist():
        assert window.isdisjoint((place + OFFSETS).tolist())
    assert found.placebos.min() == BEFORE
    assert found.placebos.max() == MONTHS - 1 - AFTER


def test_months_with_an_event_of_their_own_are_no_placebos() -> None:
    own, others = world(1)
    quiet = np.ones(MONTHS, dtype=np.bool_)
    quiet[[10, 11]] = False
    control = event_study.control_windows(others, np.ones(others.shape, dtype=np.bool_))
    found = event_study.study(own, control, 50, quiet=quiet)
    assert found is not None
    assert not {10, 11} & set(found.placebos.tolist())


def test_with_few_placebo_months_there_is_no_interval_and_nothing_stands_out() -> None:
    own, others = world(1, planted=0.05, month=15)
    found = studied(own[:38], others[:, :38], month=15)
    assert len(found.placebos) < LEAST_PLACEBOS
    assert not found.has_interval
    assert not found.stands_out
    assert np.isnan([found.low, found.high, found.p]).all()


def test_a_window_with_a_gap_has_no_effect_and_is_no_placebo() -> None:
    own, others = world(1)
    own[20] = np.nan
    control = event_study.control_windows(others, np.ones(others.shape, dtype=np.bool_))
    quiet = np.ones(MONTHS, dtype=np.bool_)
    assert event_study.study(own, control, 17, quiet=quiet) is None
    assert event_study.study(own, control, MONTHS - 1, quiet=quiet) is None
    found = event_study.study(own, control, 60, quiet=quiet)
    assert found is not None
    assert not set(range(14, 24)) & set(found.placebos.tolist())


def test_a_maker_without_a_figure_in_a_month_is_no_control_around_it() -> None:
    others = np.full((2, 20), 0.1)
    others[1, 12] = np.nan
    control = event_study.control_windows(others, np.ones(others.shape, dtype=np.bool_))
    assert control[5, 0] == pytest.approx(0.2)
    assert control[10, 0] == pytest.approx(0.1)
    nobody = event_study.control_windows(others, np.zeros(others.shape, dtype=np.bool_))
    assert np.isnan(nobody).all()


def test_bounds_of_exact_shares_are_the_effect() -> None:
    share = np.array([0.1] * 4 + [0.2] * 6)
    control = (1 - share) * 0.5
    bounds = event_study.effect_bounds(Bounded(share, share), Bounded(control, control))
    assert bounds == pytest.approx((0.1, 0.1))


@given(st.integers(0, 1000), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_whatever_unnamed_cars_are_the_effect_lies_within_its_bounds(seed: int, own_part: float, part: float) -> None:
    random = np.random.default_rng(seed)
    low, control_low = random.uniform(0.05, 0.2, 10), random.uniform(0.2, 0.3, 10)
    rest = random.uniform(0.0, 0.4, 10)
    # What is not named is the maker's, the controls', or anybody else's.
    own = low + rest * own_part * random.uniform(0, 1, 10)
    control = control_low + (rest - (own - low)) * part * random.uniform(0, 1, 10)
    least, most = event_study.effect_bounds(Bounded(low, low + rest), Bounded(control_low, control_low + rest))
    assert least - 1e-12 <= float(event_study.effect(own, control)) <= most + 1e-12
