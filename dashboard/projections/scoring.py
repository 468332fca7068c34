"""How well the model would have done: back-tests, simple rules beside them, scores and gates.

Two kinds of back-test. *Strict*: the record, levers and priors are those of the cut's last day, and deliveries after it
are projected. As all counts of 2025 were published together in January 2026, earlier strict cuts see none of them.
*Pseudo*: a count is taken as known at the end of its quarter, and actual deliveries are given; all else is as known at
the cut. With `forced` the policy that came later (prices, basic assistance no longer standard) is given too.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from dashboard.projections import fitting
from dashboard.projections.model import simulate
from dashboard.projections.parameters import known
from dashboard.projections.record import START, Forecast, Observation, Record, quarter_end
from dashboard.projections.regions import REGIONS
from dashboard.projections.scenarios import approvals, world

Floats = NDArray[np.float64]

STRICT: Final = "strict"
PSEUDO: Final = "pseudo"
FORCED: Final = "pseudo, policy given"
KINDS: Final = (PSEUDO, FORCED, STRICT)

PSEUDO_CUTS: Final = tuple(range(2024 * 4 + 3, 2026 * 4 + 1))
"""2024-Q4 to 2026-Q1: the quarters with a count to start from and one to meet."""
STRICT_CUTS: Final = (2024 * 4, 2024 * 4 + 2, 2025 * 4, 2025 * 4 + 2, 2026 * 4)

GATED_UNTIL: Final = 2025 * 4 + 3
"""Gates look at targets up to 2025-Q4: what came after hung on a change of policy."""

PARTICLES: Final = 1500


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a fit at `cut` said of the worldwide count in `quarter`, and what the count was, in cars.

    `p10` to `p90` and `mean` allow for the rounding of the count. `crps`: continuous ranked probability score, in cars;
    0 is perfect. `last_value`: the last count known at the cut; `line`: from there on by the mean change a quarter
    between the counts known; None where too few were.
    """

    kind: str
    cut: int
    quarter: int
    actual: float
    p10: float
    p50: float
    p90: float
    mean: float
    crps: float
    last_value: float | None
    line: float | None

    @property
    def inside(self) -> bool:
        """Whether the count fell within the 80 % interval."""
        return self.p10 <= self.actual <= self.p90

    @property
    def error(self) -> float:
        """The median's error as a share of the count, with its sign."""
        return self.p50 / self.actual - 1.0


@dataclass(frozen=True, kw_only=True)
class Score:
    """Predictions summed up; errors as shares of the counts. `coverage`: share within the 80 % interval.

    `last_value` and `line` are the mean absolute errors of the simple rules, over those predictions that have one.
    """

    predictions: int
    inside: int
    coverage: float
    mean_error: float
    median_error: float
    bias: float
    crps: float
    last_value: float | None
    line: float | None


@dataclass(frozen=True)
class Gate:
    """A demand on the model: what was found, what is asked for, and whether it is met."""

    name: str
    found: float
    asked: str
    met: bool


def counts(record: Record) -> tuple[Observation, ...]:
    """The worldwide counts of the active, oldest first."""
    return tuple(one for one in record.observations if one.measure == "active" and one.regions == REGIONS)


def as_known_at(record: Record, cut: int, *, kind: str) -> Record:
    """The record that a fit at the cut may see, by the kind of back-test."""
    if kind == FORCED:
        return record.with_observations(tuple(one for one in record.observations if one.quarter <= cut))
    day = quarter_end(cut)
    seen = replace(
        record,
        as_of=day,
        prices=tuple(one for one in record.prices if one.known_from <= day),
        trials=tuple(one for one in record.trials if one.quarter <= cut and (kind == PSEUDO or one.known_from <= day)),
        stocks=tuple(one for one in record.stocks if kind == PSEUDO or one.known_from <= day),
        observations=tuple(
            one for one in record.observations if one.quarter <= cut and (kind == PSEUDO or one.known_from <= day)
        ),
    )
    if kind == PSEUDO:
        return seen
    cars = record.deliveries
    kept = cut - cars.first + 1
    return replace(
        seen,
        deliveries=replace(
            cars,
            units=cars.units[:, :kept],
            modelled=cars.modelled[:, :kept],
            interpolated=cars.interpolated[:kept],
        ),
    )


def backtest(
    record: Record,
    *,
    kind: str,
    cuts: Sequence[int],
    seed: int = 1,
    particles: int = PARTICLES,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[Prediction, ...]:
    """What fits at the cuts say of the later counts of the record; a fit takes some seconds."""
    made: list[Prediction] = []
    for done, cut in enumerate(cuts):
        targets = [one for one in counts(record) if one.quarter > cut]
        if not targets:
            continue
        told = as_known_at(record, cut, kind=kind)
        setting = world(told)
        draws = fitting.fit(setting, known(told.as_of), seed=seed, particles=particles, kept=particles).draws
        paths = simulate(setting, draws, until=max(one.quarter for one in targets) - START + 1)
        source = np.random.default_rng(seed)
        active = paths.active()
        for one in targets:
            drawn = active[:, paths.at(one.quarter)] + one.sd * source.standard_normal(len(active))
            p10, p50, p90 = np.percentile(drawn, (10, 50, 90))
            last, line = simple_rules(counts(told), one.quarter)
            made.append(
                Prediction(
                    kind=kind,
                    cut=cut,
                    quarter=one.quarter,
                    actual=one.value,
                    p10=float(p10),
                    p50=float(p50),
                    p90=float(p90),
                    mean=float(drawn.mean()),
                    crps=crps(drawn, one.value),
                    last_value=last,
                    line=line,
                )
            )
        progress((done + 1) / len(cuts))
    return tuple(made)


def simple_rules(seen: Sequence[Observation], quarter: int) -> tuple[float | None, float | None]:
    """What the last value and a straight line say of a quarter; None where there are too few counts."""
    if not seen:
        return None, None
    first, last = seen[0], seen[-1]
    if last.quarter == first.quarter:
        return last.value, None
    slope = (last.value - first.value) / (last.quarter - first.quarter)
    return last.value, last.value + slope * (quarter - last.quarter)


def crps(drawn: Floats, actual: float) -> float:
    """Continuous ranked probability score of draws (Gneiting and Raftery, JASA 102, 2007): E|X - y| - E|X - X'| / 2."""
    ordered = np.sort(drawn)
    count = len(ordered)
    apart = 2.0 * np.sum(ordered * (2 * np.arange(1, count + 1) - count - 1)) / count**2
    return float(np.abs(ordered - actual).mean() - 0.5 * apart)


def score(predictions: Sequence[Prediction]) -> Score | None:
    """The predictions summed up; None where there are none."""
    if not predictions:
        return None
    errors = np.array([one.error for one in predictions])
    inside = sum(one.inside for one in predictions)

    def rule(values: Sequence[float | None]) -> float | None:
        pairs = zip(values, predictions, strict=True)
        off = [abs(value / one.actual - 1.0) for value, one in pairs if value is not None]
        return float(np.mean(off)) if off else None

    return Score(
        predictions=len(predictions),
        inside=inside,
        coverage=inside / len(predictions),
        mean_error=float(np.abs(errors).mean()),
        median_error=float(np.median(np.abs(errors))),
        bias=float(errors.mean()),
        crps=float(np.mean([one.crps for one in predictions])),
        last_value=rule([one.last_value for one in predictions]),
        line=rule([one.line for one in predictions]),
    )


def gates(predictions: Sequence[Prediction], *, attach_2025_q3: float) -> tuple[Gate, ...]:
    """Whether the model may be shown as it is.

    `predictions`: of the pseudo back-test; those with targets up to 2025-Q4 count. Five of seven within the 80 %
    interval, or the same share of another number; a median absolute error of at most 12 %. `attach_2025_q3`: the full
    fit's median of the active over the fleet in use, which the maker's finance chief put at 12 %.
    """
    found = score([one for one in predictions if one.kind == PSEUDO and one.quarter <= GATED_UNTIL])
    made = []
    if found:
        made.append(Gate("80 % interval holds", found.coverage, "at least 5 of 7", found.coverage >= 5 / 7 - 1e-9))
        made.append(Gate("median absolute error", found.median_error, "at most 12 %", found.median_error <= 0.12))
    made.append(Gate("attach 2025-Q3", attach_2025_q3, "0.11 to 0.13", 0.11 <= attach_2025_q3 <= 0.13))
    return tuple(made)


@dataclass(frozen=True, kw_only=True)
class Lateness:
    """An announced approval date held against what came: months from the announced day to the first approval in the
    region, and to that of all of it; None = not yet, then `waited` months so far. `beaten`: the share of the prior's
    delays that are shorter than the one to the first approval, or than the wait so far."""

    forecaster: str
    region: str
    made_on: date
    announced: date
    first: float | None
    whole: float | None
    waited: float
    beaten: float


def lateness(forecasts: Sequence[Forecast], *, as_of: date) -> tuple[Lateness, ...]:
    """All announced approval dates that have passed by `as_of`, oldest first."""
    late = {prior.name: prior for prior in known(as_of)}["late"]
    made = []
    for one in forecasts:
        if one.metric != "approval_date" or not one.made_on < one.target_date <= as_of:
            continue
        there = [approval for approval in approvals(as_of) if approval.region == one.region]
        after = [approval.since for approval in there if approval.since > one.made_on]
        covered = np.cumsum([approval.share for approval in there])
        whole = [approval.since for approval, share in zip(there, covered, strict=True) if share > 1 - 1e-9]
        waited = _months(one.target_date, as_of)
        first = _months(one.target_date, after[0]) if after else None
        delay = max(waited if first is None else first, 1e-9)
        made.append(
            Lateness(
                forecaster=one.forecaster,
                region=one.region,
                made_on=one.made_on,
                announced=one.target_date,
                first=first,
                whole=_months(one.target_date, whole[0]) if whole else None,
                waited=waited,
                beaten=float(stats.lognorm(late.b, scale=late.a).cdf(delay)),
            )
        )
    return tuple(made)


def _months(since: date, until: date) -> float:
    return (until - since).days / 30.4375


# --- The back-tests as a file ----------------------------------------------------------------------------------------


def stored(record: Record, folder: Path) -> tuple[Prediction, ...] | None:
    """The back-tests of a record where they have been made; None where they have yet to be (`make`)."""
    try:
        rows = json.loads(_path(record, folder).read_text(encoding="utf-8"))
        return tuple(Prediction(**row) for row in rows)
    except (OSError, ValueError, TypeError):
        return None


def make(record: Record, folder: Path, *, progress: Callable[[float], None] = lambda _: None) -> tuple[Prediction, ...]:
    """Make all three back-tests and keep them; about a minute. What is stored already is not made again."""
    found = stored(record, folder)
    if found is not None:
        return found
    made: list[Prediction] = []
    plans = [(kind, cut) for kind in KINDS for cut in (STRICT_CUTS if kind == STRICT else PSEUDO_CUTS)]
    for done, (kind, cut) in enumerate(plans):
        if cut <= max((one.quarter for one in counts(record)), default=0):
            made += backtest(record, kind=kind, cuts=(cut,))
        progress((done + 1) / len(plans))
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".fsd-backtest-", suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump([asdict(one) for one in made], file)
    os.replace(name, _path(record, folder))
    return tuple(made)


def _path(record: Record, folder: Path) -> Path:
    told = hashlib.sha256(fitting.identity(world(record), known(record.as_of)).encode())
    told.update(files(__package__).joinpath("scoring.py").read_bytes())
    return folder / f"fsd-backtest-{told.hexdigest()[:32]}.json"
