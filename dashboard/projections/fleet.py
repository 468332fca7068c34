"""Cars in use by region: how many there are, how many can have the package, on how many the released version runs.

A cohort is what was delivered in a quarter; of it, S(a) = exp(-(a / scale)^wear) are in use at the age a in years,
with scale = lifetime / Gamma(1 + 1 / wear), so that the mean life is `lifetime`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma

from dashboard.projections.record import Deliveries
from dashboard.projections.regions import REGIONS

Floats = NDArray[np.float64]

ELIGIBLE_SINCE: Final = 2019 * 4 + 1
"""The package is sold for cars with the third computer or a later one: all built since April 2019 (2019-Q2).

Earlier cars were refitted where their owners had bought it: a few, who are counted among the buyers.
"""

HW4_SHARE: Final = {
    "US": ((2023 * 4, 0.05), (2023 * 4 + 1, 0.3), (2023 * 4 + 2, 0.5), (2023 * 4 + 3, 0.6), (2024 * 4, 1.0)),
    "elsewhere": ((2023 * 4, 0.03), (2023 * 4 + 3, 0.1), (2024 * 4, 0.6), (2024 * 4 + 1, 1.0)),
}
"""Share of new cars with the fourth computer from a quarter on: judgement, after the models' changeovers in 2023."""

ANY_COMPUTER: Final = frozenset({"US", "CA"})
"""Where the release runs on the third computer too; elsewhere the approved one needs the fourth."""


@dataclass(frozen=True)
class Cohorts:
    """Past deliveries laid out so that fleets are one matrix product with the survival by age (A ages).

    `weights` (3, Q, R, A): of the cars of age a in quarter q those delivered, those eligible, and those on which the
    release runs. `delivered` (Q, R): cars delivered in the quarter, 0 after the record; `before` (R): cumulated before
    the first quarter. `yearly` (R): deliveries a quarter at the end of the record, the mean of the last four.
    """

    first: int
    weights: Floats
    delivered: Floats
    before: Floats
    yearly: Floats
    projected: int
    """How many of the Q quarters lie after the record."""


@dataclass(frozen=True)
class Fleet:
    """Cars by quarter, region and draw, all (Q, R, N): `cars` in use, `eligible` of them, `runs` (share of the eligible
    on which the release runs), `new` delivered in the quarter, `delivered` cumulated over the whole record."""

    cars: Floats
    eligible: Floats
    runs: Floats
    new: Floats
    delivered: Floats


def cohorts(deliveries: Deliveries, *, first: int, last: int) -> Cohorts:
    """The cohorts of a record for the quarters `first` to `last`."""
    quarters = np.arange(first, last + 1)
    born = np.arange(deliveries.first, deliveries.last + 1)
    can = (born >= ELIGIBLE_SINCE).astype(float)
    ages = last - deliveries.first + 1
    weights = np.zeros((3, len(quarters), len(REGIONS), ages))
    for index, region in enumerate(REGIONS):
        runs = can if region in ANY_COMPUTER else _fourth(born, region)
        kinds = np.stack([np.ones_like(can), can, runs]) * deliveries.units[index]
        for row, quarter in enumerate(quarters):
            seen = born <= quarter
            weights[:, row, index, quarter - born[seen]] = kinds[:, seen]
    delivered = np.zeros((len(quarters), len(REGIONS)))
    known = quarters <= deliveries.last
    delivered[known] = deliveries.units[:, quarters[known] - deliveries.first].T
    return Cohorts(
        first=first,
        weights=weights,
        delivered=delivered,
        before=deliveries.units[:, born < first].sum(axis=1),
        yearly=deliveries.units[:, -4:].mean(axis=1),
        projected=int((~known).sum()),
    )


def _fourth(born: NDArray[np.int64], region: str) -> Floats:
    steps = HW4_SHARE.get(region, HW4_SHARE["elsewhere"])
    share = np.zeros(len(born))
    for since, value in steps:
        share[born >= since] = value
    return share


def survival(ages: int, *, lifetime: Floats, wear: Floats) -> Floats:
    """Share of a cohort still in use at the age of 0, 1, … quarters: (A, N), for N draws of mean life and shape."""
    scale = lifetime / gamma(1.0 + 1.0 / wear)
    years = 0.25 * np.arange(ages)[:, None]
    alive: Floats = np.exp(-((years / scale) ** wear))
    return alive


def drive(cars: Cohorts, *, lifetime: Floats, wear: Floats, growth: Floats, until: int | None = None) -> Fleet:
    """The fleets of N draws, for the first `until` quarters (all by default).

    After the record each region is delivered what it was in the last four quarters, growing by `growth` a year (N);
    all later cars are eligible and run the release.
    """
    count = cars.weights.shape[1] if until is None else until
    regions = len(REGIONS)
    ages = cars.weights.shape[3] - (cars.weights.shape[1] - count)
    alive = survival(ages, lifetime=lifetime, wear=wear)
    past = (cars.weights[:, :count, :, :ages].reshape(-1, ages) @ alive).reshape(3, count, regions, -1)
    ahead = min(cars.projected, count - (cars.weights.shape[1] - cars.projected))
    new = np.repeat(cars.delivered[:count, :, None], len(lifetime), axis=2)
    if ahead > 0:
        paces = np.exp(np.log1p(growth) * (0.25 * np.arange(1, ahead + 1)[:, None]))
        later = np.stack([np.einsum("cn,cn->n", paces[: i + 1], alive[i::-1]) for i in range(ahead)])
        new[-ahead:] = cars.yearly[:, None] * paces[:, None, :]
        past[:, -ahead:] += cars.yearly[:, None] * later[:, None, :]
    all_cars, eligible, runs = past
    # A share that is rounded above one would let buyers outnumber cars.
    return Fleet(
        cars=all_cars,
        eligible=eligible,
        runs=np.minimum(runs / np.maximum(eligible, 1e-9), 1.0),
        new=new,
        delivered=cars.before[:, None] + np.cumsum(new, axis=0),
    )
