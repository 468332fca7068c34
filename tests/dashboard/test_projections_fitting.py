"""The fit finds what a record was made of, says how well it went, and is a file that is made again when damaged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from bench import projection
from dashboard.projections import fitting, model, scenarios, scoring, sensitivity
from dashboard.projections.fitting import Fit, Tempering
from dashboard.projections.model import Paths
from dashboard.projections.parameters import Draws, from_prior, known
from dashboard.projections.record import START, Forecast, Observation, Record, quarter_end
from dashboard.projections.regions import REGIONS

DAY = date(2026, 10, 1)
PRIORS = known(DAY)


def observed(*values: tuple[int, str, float, float]) -> Record:
    """A record of worldwide figures: quarters after the start, measure, value, sd."""
    return projection.a_record().with_observations(
        tuple(
            Observation(START + at, REGIONS, measure, value, sd, "disclosed", quarter_end(START + at))
            for at, measure, value, sd in values
        )
    )


@pytest.fixture(scope="module")
def told() -> Record:
    return observed((6, "active", 500_000, 20_000), (8, "active", 600_000, 20_000), (8, "owners_share", 0.8, 0.02))


@pytest.fixture(scope="module")
def made(told: Record) -> Fit:
    return fitting.fit(scenarios.world(told), PRIORS, particles=600, kept=300, seed=4)


def test_the_draws_meet_the_figures_that_the_priors_miss(told: Record, made: Fit) -> None:
    setting = scenarios.world(told)
    before = from_prior(PRIORS, count=300, quarters=model.QUARTERS - 1, seed=4)
    for one in told.observations:
        gaps = []
        for draws in (before, made.draws):
            found = fitting.measured(one, model.simulate(setting, draws, until=10))[:, one.quarter - START]
            gaps.append(float(np.median(np.abs(found - one.value))))
        assert gaps[1] < 1.5 * one.sd < gaps[0], one


def test_each_step_says_how_many_particles_carried_weight(made: Fit) -> None:
    assert [step.temper for step in made.steps] == sorted({step.temper for step in made.steps})
    assert made.steps[-1].temper == 1.0
    assert all(299 <= step.effective <= 600 for step in made.steps)
    assert all(0.05 < step.accepted < 0.9 for step in made.steps)
    assert made.distinct > 500
    assert len(made.draws) == 300


def test_the_draws_are_spread_as_weighing_many_prior_draws_would_spread_them() -> None:
    record = observed((2, "active", 300_000, 15_000))
    setting = scenarios.world(record)
    plenty = from_prior(PRIORS, count=20_000, quarters=model.QUARTERS - 1, seed=2)
    weights = np.exp(fitting.log_likelihood(record.observations, model.simulate(setting, plenty, until=3)))
    weights /= weights.sum()
    found = fitting.fit(setting, PRIORS, particles=2000, kept=2000).draws
    for name in ("survey_error", "ahead", "noise"):
        mean = float(weights @ plenty[name])
        spread = float(np.sqrt(weights @ (plenty[name] - mean) ** 2))
        assert found[name].mean() == pytest.approx(mean, abs=0.12 * spread), name
        assert found[name].std() == pytest.approx(spread, rel=0.12), name


def test_what_the_record_says_nothing_of_keeps_its_prior(made: Fit) -> None:
    royalty = {prior.name: prior for prior in PRIORS}["royalty"]
    assert np.median(made.draws["royalty"]) == pytest.approx(royalty.central, rel=0.1)


def test_without_figures_the_fit_is_the_prior() -> None:
    nothing = fitting.fit(scenarios.world(observed()), PRIORS, particles=200, kept=100)
    assert nothing.steps == ()
    assert nothing.refusal.endswith("at least 1000 are needed.")
    assert len(nothing.draws) == 100


def test_the_same_seed_fits_the_same(told: Record) -> None:
    setting = scenarios.world(told)
    one, same, other = (fitting.fit(setting, PRIORS, particles=60, kept=30, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.draws["churn"], same.draws["churn"])
    assert not np.array_equal(one.draws["churn"], other.draws["churn"])


def test_progress_is_told_up_to_the_end(told: Record) -> None:
    heard: list[float] = []
    fitting.fit(scenarios.world(told), PRIORS, particles=60, kept=30, progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def a_fit(*, effective: float = 2000, distinct: int = 3900) -> Fit:
    draws = from_prior(PRIORS, count=5, quarters=model.QUARTERS - 1, seed=1)
    steps = (Tempering(0.5, effective, 0.3, 8), Tempering(1.0, 2000.0, 0.3, 8))
    return Fit(draws=draws, steps=steps, distinct=distinct, particles=4000, identity="abc")


def test_the_effective_sample_size_of_a_fit_is_that_of_its_worst_step() -> None:
    assert a_fit(effective=250).least_effective == 250
    assert a_fit(effective=2500).least_effective == 2000
    assert replace(a_fit(), steps=()).least_effective == 4000, "every particle counts before any figure does"


def test_a_fit_below_its_limits_says_so_in_place_of_the_chart() -> None:
    assert a_fit().refusal == ""
    assert a_fit(effective=200, distinct=1000).refusal == ""
    assert "only 199 of 4000" in a_fit(effective=199).refusal
    assert "999 different parameter sets" in a_fit(distinct=999).refusal


def test_a_stored_fit_is_read_back_as_it_was(tmp_path: Path) -> None:
    fitting.save(a_fit(), tmp_path / "new")
    again = fitting.load(tmp_path / "new", "abc")
    assert again is not None
    assert again.steps == a_fit().steps
    assert (again.distinct, again.particles, again.draws.seed) == (3900, 4000, 1)
    assert np.array_equal(again.draws.shocks, a_fit().draws.shocks)
    assert all(np.array_equal(again.draws[name], a_fit().draws[name]) for name in a_fit().draws.values)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["fsd-fit-abc.npz"]


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "other", "text"])
def test_a_damaged_file_is_no_fit(tmp_path: Path, damage: str) -> None:
    path = fitting.save(a_fit(), tmp_path)
    content = path.read_bytes()
    match damage:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "other":
            fitting.path_of(tmp_path, "xyz").write_bytes(content)
            assert fitting.load(tmp_path, "xyz") is None
            path.unlink()
        case "text":
            path.write_text("not a fit")
    assert fitting.load(tmp_path, "abc") is None


def test_a_fit_belongs_to_its_record_levers_priors_and_code(told: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = fitting.identity(scenarios.world(told), PRIORS)
    assert fitting.identity(scenarios.world(told), PRIORS) == usual
    other = replace(told, observations=told.observations[:1])
    dearer = replace(PRIORS[0], a=PRIORS[0].a + 1)
    changed = {
        usual,
        fitting.identity(scenarios.world(other), PRIORS),
        fitting.identity(scenarios.world(told), (dearer, *PRIORS[1:])),
        fitting.identity(scenarios.world(told), PRIORS, seed=2),
    }
    monkeypatch.setattr(fitting, "code_version", lambda: "another")
    changed.add(fitting.identity(scenarios.world(told), PRIORS))
    assert len(changed) == 5


def test_what_is_made_is_kept_and_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = observed()
    assert fitting.stored(record, tmp_path) is None
    first = fitting.make(record, tmp_path)
    monkeypatch.setattr(fitting, "fit", None)
    again = fitting.make(record, tmp_path)
    assert np.array_equal(again.draws.shocks, first.draws.shocks)
    kept = fitting.stored(record, tmp_path)
    assert kept is not None
    assert kept.identity == first.identity


def test_the_likelihood_forgives_one_wild_figure() -> None:
    def with_active(*values: float) -> Paths:
        zeros = {one: np.zeros((len(values), len(REGIONS), 4)) for one in Paths.__dataclass_fields__}
        owners = zeros["owners"].copy()
        owners[:, 0, 2] = values
        return Paths(**{**zeros, "owners": owners})

    near, far, wild = fitting.log_likelihood(observed((2, "active", 100, 10)).observations, with_active(100, 120, 1100))
    assert near == 0.0
    assert far == pytest.approx(-2.5 * np.log(2))
    assert wild == pytest.approx(-2.5 * np.log(2501))


# --- Scores ----------------------------------------------------------------------------------------------------------


def predicted(p10: float, p50: float, p90: float, *, actual: float = 100, quarter: int = 8100) -> scoring.Prediction:
    return scoring.Prediction(
        kind=scoring.PSEUDO, cut=quarter - 1, quarter=quarter, actual=actual, p10=p10, p50=p50, p90=p90, mean=p50,
        crps=1.0, last_value=80.0, line=None,
    )  # fmt: skip


def test_scores_are_shares_of_the_counts() -> None:
    found = scoring.score([predicted(90, 110, 120), predicted(101, 120, 130), predicted(70, 90, 100)])
    assert found is not None
    assert (found.predictions, found.inside) == (3, 2)
    assert found.mean_error == pytest.approx(0.4 / 3)
    assert found.median_error == pytest.approx(0.1)
    assert found.bias == pytest.approx(0.2 / 3)
    assert found.last_value == pytest.approx(0.2)
    assert found.line is None
    assert scoring.score([]) is None


def test_gates_are_met_or_named() -> None:
    good = [predicted(90, 100, 110)] * 5 + [predicted(101, 105, 110)] * 2
    assert [gate.met for gate in scoring.gates(good, attach_2025_q3=0.12)] == [True, True, True]
    bad = [predicted(90, 113, 120)] * 4 + [predicted(101, 113, 120)] * 3
    assert [gate.met for gate in scoring.gates(bad, attach_2025_q3=0.14)] == [False, False, False]
    late = predicted(200, 300, 400, quarter=scoring.GATED_UNTIL + 1)
    assert [gate.name for gate in scoring.gates([late], attach_2025_q3=0.12)] == ["attach 2025-Q3"]


def test_the_simple_rules_need_one_count_and_two() -> None:
    counts = observed((5, "active", 200, 1), (7, "active", 300, 1)).observations
    assert scoring.simple_rules((), START + 9) == (None, None)
    assert scoring.simple_rules(counts[:1], START + 9) == (200, None)
    assert scoring.simple_rules(counts, START + 9) == (300, 400)


def test_crps_of_one_draw_is_its_distance_and_of_two_less() -> None:
    assert scoring.crps(np.array([100.0]), 130.0) == pytest.approx(30)
    assert scoring.crps(np.array([100.0, 200.0]), 100.0) == pytest.approx(50 - 25)


def test_a_strict_test_sees_no_more_than_was_published() -> None:
    later = Observation(START + 5, REGIONS, "active", 100, 10, "disclosed", date(2026, 1, 28))
    told = observed((6, "active", 200, 10), (9, "active", 300, 10))
    told = told.with_observations((later, *told.observations))
    cut = START + 7
    strict, pseudo = (scoring.as_known_at(told, cut, kind=kind) for kind in (scoring.STRICT, scoring.PSEUDO))
    assert [one.value for one in strict.observations] == [200]
    assert [one.value for one in pseudo.observations] == [100, 200]
    assert (strict.cut_off, pseudo.cut_off) == (cut, told.cut_off)
    assert strict.as_of == pseudo.as_of == quarter_end(cut)
    given = scoring.as_known_at(told, cut, kind=scoring.FORCED)
    assert [one.value for one in given.observations] == [100, 200]
    assert given.as_of == told.as_of


def test_a_back_test_says_what_came_and_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = observed((6, "active", 500_000, 20_000), (7, "active", 520_000, 20_000), (9, "active", 560_000, 20_000))
    found = scoring.backtest(told, kind=scoring.PSEUDO, cuts=(START + 7, START + 9), particles=100)
    (one,) = found
    assert (one.cut, one.quarter, one.actual, one.last_value, one.line) == (
        START + 7, START + 9, 560_000, 520_000, 560_000,
    )  # fmt: skip
    assert one.p10 < one.p50 < one.p90
    monkeypatch.setattr(scoring, "backtest", lambda *_, **__: found)
    monkeypatch.setattr(scoring, "PSEUDO_CUTS", (START + 7,))
    monkeypatch.setattr(scoring, "STRICT_CUTS", ())
    assert scoring.stored(told, tmp_path) is None
    assert scoring.make(told, tmp_path) == (one, one)
    assert scoring.stored(told, tmp_path) == (one, one)
    next(tmp_path.iterdir()).write_text("[{")
    assert scoring.stored(told, tmp_path) is None


def test_announced_dates_are_held_against_what_came() -> None:
    made_on = date(2024, 9, 5)

    def said(region: str, announced: date) -> Forecast:
        return Forecast(made_on, "Somebody", announced, region, "approval_date", "", None, None, "date", "", made_on)

    europe, japan = scoring.lateness(
        [said("EU", date(2025, 3, 31)), said("JP", date(2025, 3, 31)), said("CN", date(2027, 1, 1))], as_of=DAY
    )
    assert europe.first == pytest.approx(12.3, abs=0.1)
    assert europe.whole is None
    assert japan.first is None
    assert japan.waited == pytest.approx(18.1, abs=0.1)
    assert 0.5 < europe.beaten < japan.beaten < 1


def test_bars_are_widest_first_and_a_lever_without_a_range_has_none(made: Fit, told: Record) -> None:
    def active(paths: Paths) -> np.ndarray:  # type: ignore[type-arg]
        return paths.active()[:, -1]

    draws: Draws = made.draws.first(60)
    bars = sensitivity.tornado(told, draws, scenarios.scenario("history", DAY), {"active": active})["active"]
    widths = [bar.width for bar in bars]
    assert widths == sorted(widths, reverse=True)
    named = {bar.name: bar for bar in bars}
    assert named["churn"].low > named["churn"].high
    assert named["demand"].low < named["demand"].central < named["demand"].high
    assert named["price.US"].low < named["price.US"].high
    assert "basic_free.US" not in named
    central = float(active(model.simulate(scenarios.world(told), draws)).mean())
    assert all(bar.central == pytest.approx(central) for bar in bars)
