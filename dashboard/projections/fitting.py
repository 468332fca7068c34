"""What the record says of the parameters: a tempered sequential Monte Carlo, and its result as a file.

Particles start as draws from the priors. The record is let in little by little (its log-likelihood times a temper
that rises from 0 to 1), each time as much as leaves half of the particles effective; then they are resampled and moved
by preconditioned Crank-Nicolson steps (Cotter and others, Statistical Science 28, 2013), about the particles' own mean
and covariance. Particles are points in standard normal space, with the shocks of all quarters that the record covers.

The likelihood of a published figure is Student's t with 4 degrees of freedom around the simulated one, with the
figure's own `sd`: one wrong figure cannot pull the fit to itself.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from dashboard.projections.model import QUARTERS, Paths, Setting, simulate
from dashboard.projections.parameters import Draws, Prior, known
from dashboard.projections.record import START, Observation, Record
from dashboard.projections.scenarios import world

Floats = NDArray[np.float64]

PARTICLES: Final = 4000
KEPT: Final = 2000
"""Draws that are simulated for a page."""
LEAST_EFFECTIVE: Final = 200
LEAST_DISTINCT: Final = 1000
FREEDOM: Final = 4.0
_TARGET: Final = 0.5
_MOVES: Final = (4, 8)
"""Fewest and most moves at a temper."""


@dataclass(frozen=True)
class Tempering:
    """One step of the fit: how much of the record was in (0 to 1), the effective sample size on letting it in, the
    share of moves accepted, and how many."""

    temper: float
    effective: float
    accepted: float
    moves: int


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Draws that have seen the record, and how well that went. `distinct`: particles that differ, of `particles`."""

    draws: Draws
    steps: tuple[Tempering, ...]
    distinct: int
    particles: int
    identity: str

    @property
    def least_effective(self) -> float:
        """The smallest effective sample size of all steps: (sum w)^2 / sum w^2 of the particles' weights."""
        return min((step.effective for step in self.steps), default=float(self.particles))

    @property
    def refusal(self) -> str:
        """Why the fit must not be used, as a page says it; empty where it may."""
        worst = self.least_effective
        if worst < LEAST_EFFECTIVE:
            return (
                f"The projection is not shown: at one step of its fit only {worst:.0f} of {self.particles} parameter "
                f"sets carried weight, and at least {LEAST_EFFECTIVE} are needed."
            )
        if self.distinct < LEAST_DISTINCT:
            return (
                f"The projection is not shown: its fit ended with {self.distinct} different parameter sets of "
                f"{self.particles}, and at least {LEAST_DISTINCT} are needed."
            )
        return ""


def log_likelihood(observations: tuple[Observation, ...], paths: Paths) -> Floats:
    """How well each draw's paths meet the published figures (N), in logs up to a constant."""
    total = np.zeros(len(paths.owners))
    for one in observations:
        at = paths.at(one.quarter)
        if not 0 < at < paths.owners.shape[2]:
            continue
        off = (measured(one, paths)[:, at] - one.value) / one.sd
        # A draw that cannot answer at all (nobody active to take a share of) does not meet the figure.
        total -= 0.5 * (FREEDOM + 1.0) * np.log1p(np.where(np.isfinite(off), off, 1e3) ** 2 / FREEDOM)
    return total


def measured(observation: Observation, paths: Paths) -> Floats:
    """What the paths say of the observation's measure and area, for every quarter (N, Q)."""
    if observation.measure == "active":
        return paths.active(observation.regions)
    if observation.measure == "owners_share":
        owners = paths.total("owners", observation.regions)
        return owners / np.maximum(paths.active(observation.regions), 1e-9)
    return paths.take_new(observation.regions)


def fit(
    setting: Setting,
    priors: tuple[Prior, ...],
    *,
    seed: int = 1,
    particles: int = PARTICLES,
    kept: int = KEPT,
    progress: Callable[[float], None] = lambda _: None,
) -> Fit:
    """The draws that the setting's record leaves, `kept` of them; `progress` is told how far it is, from 0 to 1.

    Takes seconds. Without any observations the draws are those of the priors. Parameters of which the record says
    nothing keep their priors. The same arguments give the same numbers.
    """
    source = np.random.default_rng(seed)
    observations = setting.record.observations
    until = max((one.quarter for one in observations), default=START) - START + 1
    held = [prior for prior in priors if prior.fitted]
    depth = len(held) + until - 1

    rest = {prior.name: prior.of_normal(source.standard_normal(particles)) for prior in priors if not prior.fitted}

    def draws_of(points: Floats) -> Draws:
        values = {prior.name: prior.of_normal(points[:, column]) for column, prior in enumerate(held)}
        return Draws({**values, **rest}, points[:, len(held) :].T, seed)

    def weigh(points: Floats) -> Floats:
        return log_likelihood(observations, simulate(setting, draws_of(points), until=until))

    points = source.standard_normal((particles, depth))
    steps: list[Tempering] = []
    if until > 1:
        fits = weigh(points)
        temper, reach = 0.0, 0.4
        while temper < 1.0:
            step = _next_temper(fits, temper)
            weights = np.exp(step * fits - logsumexp(step * fits))
            effective = 1.0 / np.sum(weights**2)
            temper = min(temper + step, 1.0)
            chosen = _resample(weights, source)
            points, fits = points[chosen], fits[chosen]
            centre, spread = points.mean(axis=0), np.cov(points.T) + 1e-9 * np.eye(depth)
            factor = np.linalg.cholesky(spread)
            accepted: list[float] = []
            moved = np.zeros(particles, dtype=bool)
            while len(accepted) < _MOVES[0] or (len(accepted) < _MOVES[1] and moved.mean() < 0.95):
                apart = np.linalg.solve(factor, (points - centre).T)
                fresh = np.sqrt(1 - reach**2) * apart + reach * source.standard_normal(apart.shape)
                tried = centre + (factor @ fresh).T
                found = weigh(tried)
                gain = temper * (found - fits) + 0.5 * (
                    (points**2).sum(axis=1) - (tried**2).sum(axis=1) + (fresh**2).sum(axis=0) - (apart**2).sum(axis=0)
                )
                taken = np.log(source.random(particles)) < gain
                points[taken], fits[taken] = tried[taken], found[taken]
                moved |= taken
                accepted.append(float(taken.mean()))
                reach = float(np.clip(reach * np.exp(taken.mean() - 0.3), 0.05, 0.95))
            steps.append(Tempering(temper, float(effective), float(np.mean(accepted)), len(accepted)))
            progress(temper)
    distinct = len(np.unique(points, axis=0))
    picked = source.choice(particles, size=min(kept, particles), replace=False)
    made = draws_of(points)
    ahead = source.standard_normal((QUARTERS - until, particles))
    shocks = np.concatenate([made.shocks, ahead])[:, picked]
    values = {name: one[picked] for name, one in made.values.items()}
    return Fit(
        draws=Draws(values, shocks, seed),
        steps=tuple(steps),
        distinct=distinct,
        particles=particles,
        identity=identity(setting, priors, seed=seed, particles=particles, kept=kept),
    )


def _next_temper(fits: Floats, temper: float) -> float:
    """How much more of the record leaves `_TARGET` of the particles effective."""

    def effective(step: float) -> float:
        return float(np.exp(2 * logsumexp(step * fits) - logsumexp(2 * step * fits)) / len(fits))

    low, high = 0.0, 1.0 - temper
    if effective(high) >= _TARGET:
        return high
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(middle) >= _TARGET else (low, middle)
    return high


def _resample(weights: Floats, source: np.random.Generator) -> NDArray[np.int64]:
    """As many particles as before, each about as often as its weight says (systematic resampling)."""
    at = (source.random() + np.arange(len(weights))) / len(weights)
    return np.minimum(np.searchsorted(np.cumsum(weights), at), len(weights) - 1)


# --- The fit as a file ---------------------------------------------------------------------------------------------


def identity(
    setting: Setting, priors: tuple[Prior, ...], *, seed: int = 1, particles: int = PARTICLES, kept: int = KEPT
) -> str:
    """What a fit depends on, as a checksum: the record, the levers, the priors, the code and the numbers of draws."""
    told = hashlib.sha256(code_version().encode())
    for part in (setting.record, setting.levers, setting.approved, priors, seed, particles, kept):
        _feed(told, part)
    return told.hexdigest()[:32]


@cache
def code_version() -> str:
    """A checksum of the code that makes a fit."""
    told = hashlib.sha256()
    for name in ("fleet", "model", "parameters", "fitting"):
        told.update(files(__package__).joinpath(f"{name}.py").read_bytes())
    return told.hexdigest()


def _feed(told: Any, part: Any) -> None:
    if isinstance(part, np.ndarray):
        told.update(repr(part.shape).encode() + np.ascontiguousarray(part).tobytes())
    elif is_dataclass(part):
        for one in fields(part):
            # What is printed beside a fit does not change it.
            if one.name not in ("events", "forecasts", "rationale", "citation", "meaning"):
                told.update(one.name.encode())
                _feed(told, getattr(part, one.name))
    elif isinstance(part, dict):
        for name in sorted(part):
            told.update(name.encode())
            _feed(told, part[name])
    elif isinstance(part, tuple):
        told.update(b"(")
        for one in part:
            _feed(told, one)
    else:
        told.update(repr(part).encode() + b";")


def path_of(folder: Path, name: str) -> Path:
    """Where the fit of an identity lies."""
    return folder / f"fsd-fit-{name}.npz"


def save(made: Fit, folder: Path) -> Path:
    """Write a fit to its file, in one go: a reader sees all of it or none. The folder is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    target = path_of(folder, made.identity)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".fsd-fit-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            arrays: dict[str, Any] = {
                "identity": np.array(made.identity),
                "shocks": made.draws.shocks,
                "numbers": np.array([made.draws.seed, made.distinct, made.particles]),
                "steps": np.array([[one.temper, one.effective, one.accepted, one.moves] for one in made.steps]),
                **{f"value:{name}": values for name, values in made.draws.values.items()},
            }
            np.savez(file, **arrays)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return target


def load(folder: Path, name: str) -> Fit | None:
    """The fit of an identity; None where there is no file, or none that can be read: then it is made again."""
    try:
        with path_of(folder, name).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if str(stored["identity"]) != name:
                return None
            seed, distinct, particles = (int(number) for number in stored["numbers"])
            values = {key.removeprefix("value:"): stored[key] for key in stored.files if key.startswith("value:")}
            shocks = stored["shocks"]
            if shocks.shape[0] != QUARTERS - 1 or any(one.shape != shocks.shape[1:] for one in values.values()):
                return None
            steps = tuple(Tempering(row[0], row[1], row[2], int(row[3])) for row in stored["steps"].reshape(-1, 4))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return Fit(draws=Draws(values, shocks, seed), steps=steps, distinct=distinct, particles=particles, identity=name)


def stored(record: Record, folder: Path) -> Fit | None:
    """The fit of a record where it has been made; None where it has yet to be (`make`). Takes milliseconds."""
    return load(folder, identity(world(record), known(record.as_of)))


def make(record: Record, folder: Path, *, progress: Callable[[float], None] = lambda _: None) -> Fit:
    """Make the fit of a record and keep it; seconds. What is stored already is not made again."""
    found = stored(record, folder)
    if found is None:
        found = fit(world(record), known(record.as_of), progress=progress)
        save(found, folder)
    return found
