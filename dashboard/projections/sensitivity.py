"""What an outcome hangs on: each lever and each parameter moved between its low and its high end, the others as drawn.

Sobol's indices are left out: they take tens of thousands of simulations with independent parameters, while a fit's
draws hang together; what they would add to the bars is the interactions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dashboard.projections.levers import Levers
from dashboard.projections.model import Paths, simulate
from dashboard.projections.parameters import Draws, known
from dashboard.projections.record import Record
from dashboard.projections.scenarios import ENDS, Choice, Scenario, default_choices, world

Floats = NDArray[np.float64]
Outcome = Callable[[Paths], Floats]

FEWER: Final = 400
"""Draws for a lever's two ends: on the same draws their difference needs no more."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What the mean outcome moves to from `central` if one thing stands at its low or its high end.

    `kind`: `lever` or `parameter`. `low_at`, `high_at`: where it then stands, as printed; for a parameter the mean of
    the draws' lowest and highest fifth, which are about their P10 and P90.
    """

    name: str
    kind: str
    meaning: str
    unit: str
    low_at: str
    high_at: str
    low: float
    central: float
    high: float

    @property
    def width(self) -> float:
        """How far apart the ends are."""
        return abs(self.high - self.low)


def tornado(
    record: Record, draws: Draws, scenario: Scenario, outcomes: Mapping[str, Outcome]
) -> dict[str, tuple[Bar, ...]]:
    """For each outcome (a function of paths to (N)) the bars of all levers and parameters, widest first.

    A parameter's ends are conditional means of the draws as they are, so that what goes with it in the record moves
    along; a lever's are simulated anew on the first `FEWER` draws. Takes a second or two.
    """
    base = simulate(world(record, scenario.levers), draws)
    values = {name: outcome(base) for name, outcome in outcomes.items()}
    central = {name: float(one.mean()) for name, one in values.items()}
    bars: dict[str, list[Bar]] = {name: [] for name in outcomes}
    for prior in known(record.as_of):
        drawn = draws.values.get(prior.name)
        if drawn is None:
            continue
        order = np.argsort(drawn, kind="stable")
        fifth = max(len(order) // 5, 1)
        lowest, highest = order[:fifth], order[-fifth:]
        for name, one in values.items():
            bars[name].append(
                Bar(
                    name=prior.name,
                    kind="parameter",
                    meaning=prior.meaning,
                    unit=prior.unit,
                    low_at=f"{drawn[lowest].mean():.3g}",
                    high_at=f"{drawn[highest].mean():.3g}",
                    low=float(one[lowest].mean()),
                    central=central[name],
                    high=float(one[highest].mean()),
                )
            )
    few = draws.first(min(FEWER, len(draws)))
    usual = {name: float(one[: len(few)].mean()) for name, one in values.items()}
    choices: dict[str, Choice] = {
        choice.lever: choice for choice in (*default_choices(record.as_of), *scenario.choices)
    }
    for choice in choices.values():
        low, _, high = (getattr(choice, end) for end in ENDS)
        if low == high:
            continue
        ends = []
        for text in (low, high):
            if text == choice.central:
                ends.append(usual)
                continue
            moved = simulate(world(record, Levers.from_text({choice.lever: text}, defaults=scenario.levers)), few)
            ends.append({name: float(outcome(moved).mean()) for name, outcome in outcomes.items()})
        for name in outcomes:
            bars[name].append(
                Bar(
                    name=choice.lever,
                    kind="lever",
                    meaning=choice.rationale,
                    unit="",
                    low_at=low,
                    high_at=high,
                    low=central[name] + ends[0][name] - usual[name],
                    central=central[name],
                    high=central[name] + ends[1][name] - usual[name],
                )
            )
    return {name: tuple(sorted(one, key=lambda bar: -bar.width)) for name, one in bars.items()}
