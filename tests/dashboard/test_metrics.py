"""Shares and growth, on figures that one can divide in the head."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.metrics import growth, share


def test_a_share_of_nothing_is_missing() -> None:
    assert np.isnan(share(np.array([1.0, 1.0]), of=np.array([0.0, np.nan]))).all()
    assert share(np.array([1.0]), of=np.array([4.0])).tolist() == [0.25]


def grown(now: tuple[float, float], before: tuple[float, float]) -> tuple[float, float, float]:
    """Value, low and high of the growth of one figure, given by its low and high end."""
    ends = [np.array([end]) for end in (*now, *before)]
    of = growth(value=ends[0], low=ends[0], high=ends[1], value_before=ends[2], low_before=ends[2], high_before=ends[3])
    return float(of.value[0]), float(of.low[0]), float(of.high[0])


def test_growth_of_exact_figures_is_exact() -> None:
    assert grown((15, 15), (10, 10)) == (0.5, 0.5, 0.5)


def test_growth_is_bounded_by_the_unluckiest_pairs_of_ends() -> None:
    assert grown((20, 40), (10, 40)) == (1.0, -0.5, 3.0)


@pytest.mark.parametrize("before", [(0.0, 0.0), (0.0, 5.0), (np.nan, np.nan)])
def test_growth_from_nothing_or_from_a_missing_figure_is_no_figure(before: tuple[float, float]) -> None:
    assert np.isnan(grown((10, 10), before)).all()


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 1000)] * 4))
def test_growth_lies_between_its_bounds(ends: tuple[int, int, int, int]) -> None:
    now, spare, before, spare_before = ends
    value, low, high = grown((now, now + spare), (before, before + spare_before))
    if before:
        assert low <= value <= high
        for true_now in (now, now + spare):
            for true_before in (before, before + spare_before):
                assert low - 1e-9 <= true_now / true_before - 1 <= high + 1e-9
    else:
        assert np.isnan(value)
