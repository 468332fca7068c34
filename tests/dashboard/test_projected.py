"""The projection on a database: what it is told, its fit, what is remembered, and what it never does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import typer
from click.testing import Result
from sqlalchemy import Engine
from typer.testing import CliRunner

from dashboard import fit as command
from dashboard import projected
from dashboard.projected import AREAS, Outlook
from dashboard.projections import fitting, model, scenarios
from dashboard.projections.levers import Levers
from dashboard.selection import InvalidSelection, NotPublished, NotYetMade
from tests.dashboard.test_precedence import state
from tests.world import projections as made_up

pytestmark = pytest.mark.xdist_group("projection")


@pytest.fixture
def database(empty_engine: Engine) -> Engine:
    """A made-up record without a fit."""
    made_up.tell(empty_engine)
    return empty_engine


@pytest.fixture
def no_fitting(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Fits that are asked for, and not made."""
    asked: list[str] = []

    def make(record: object, folder: Path, **_: object) -> None:
        asked.append(str(folder))

    monkeypatch.setattr(fitting, "make", make)
    return asked  # type: ignore[return-value]


# The record


def test_cars_are_split_by_registrations_and_users_are_those_disclosed(database: Engine) -> None:
    told = made_up.read(database)
    assert told.record.cut_off == 2026 * 4 + 1
    assert told.ended == date(2026, 6, 30)
    assert told.record.deliveries.units[0].tolist() == [50_000.0] * 30
    assert told.record.deliveries.units.sum(axis=0) == pytest.approx(100_000)
    assert [one.value for one in told.record.observations if len(one.regions) == 8] == [300_000, 400_000, 500_000]


def test_a_publisher_that_repeats_another_is_not_added_to_it(database: Engine) -> None:
    before = made_up.read(database).record.deliveries.units
    state(database, "another", ("2026-Q1", "tesla", 70_000), rank=900, market="US", published_on=date(2026, 7, 5))
    state(database, "models", ("2026-Q2", "tesla|Model Y", 9_000), rank=900, market="US", published_on=date(2026, 7, 6))
    assert np.array_equal(made_up.read(database).record.deliveries.units, before)


def test_a_maker_total_counts_before_its_named_models(empty_engine: Engine) -> None:
    made_up.tell(empty_engine)
    state(empty_engine, "norway", ("2026-Q1", "tesla|Model Y", 100), market="NO", published_on=date(2026, 7, 3))
    assert made_up.read(empty_engine).named_only == ("Norway",)
    state(empty_engine, "road", ("2026-Q1", "ALL tesla", 200), market="NO", published_on=date(2026, 7, 4))
    assert made_up.read(empty_engine).named_only == ()


def test_the_record_of_a_past_day_knows_nothing_later(database: Engine) -> None:
    then = made_up.read(database, as_of=made_up.PAST)
    assert then.record.as_of <= made_up.PAST
    assert then.record.cut_off == 2024 * 4
    dated = [*then.record.prices, *then.record.observations, *then.record.stocks, *then.record.events]
    assert [one for one in (*dated, *then.record.forecasts) if one.known_from > made_up.PAST] == []
    assert len(then.record.observations) == 0
    assert set(then.attach["attach_basis"]) == {"paid_users"}


def test_days_between_which_nothing_was_learnt_share_their_fit(database: Engine) -> None:
    one, other = (made_up.read(database, as_of=day) for day in (date(2026, 7, 25), date(2026, 7, 30)))
    assert one.record.as_of == other.record.as_of == date(2026, 7, 22)
    made_up.fit(one, particles=50)
    assert projected.fit(other).draws.seed == 1


def test_without_deliveries_there_is_no_record_and_the_reason_is_told(empty_engine: Engine) -> None:
    with pytest.raises(NotPublished, match="no projection to show"):
        made_up.read(empty_engine)


# The fit


def test_a_missing_fit_is_told_with_what_to_do_and_can_be_waited_for(database: Engine, no_fitting: list[str]) -> None:
    told = made_up.read(database)
    with pytest.raises(NotYetMade, match=r"python -m dashboard\.fit") as caught:
        projected.fit(told)
    assert "2026-07-22" in str(caught.value)
    caught.value.make()
    assert no_fitting == [str(told.folder)]


def test_fits_lie_beside_the_database_unless_the_environment_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    assert projected.fits_folder("sqlite:////data/ev.sqlite") == Path("/data/fits")
    assert projected.fits_folder("postgresql://host/ev") == Path("fits")
    monkeypatch.setenv("FITS", "/kept")
    assert projected.fits_folder("sqlite:////data/ev.sqlite") == Path("/kept")


def test_a_folder_that_cannot_be_written_to_is_named(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    occupied = Path("occupied")
    occupied.write_text("a file")
    monkeypatch.setenv("FITS", str(occupied))
    with pytest.raises(NotPublished, match=r"occupied.*FITS"):
        projected.make_fit(made_up.read(database))


def test_a_fit_that_did_not_go_well_is_refused_in_its_words(database: Engine) -> None:
    told = made_up.read(database)
    setting, priors = scenarios.world(told.record), projected.parameters.known(told.record.as_of)
    fitting.save(fitting.fit(setting, priors, particles=40, kept=60), told.folder)
    found = next(told.folder.glob("*.npz"))
    found.rename(fitting.path_of(told.folder, fitting.identity(setting, priors)))
    with pytest.raises(NotYetMade):
        # The file says of which fit it is, and it is another one.
        projected.fit(told)


# Worlds


def test_regions_add_up_to_the_world(fitted: Engine) -> None:
    told = made_up.read(fitted)
    levers = projected.world(told, "history", {}).levers
    whole = projected.outlook(told, levers, AREAS["world"])
    parts = [projected.outlook(told, levers, (region,)) for region in ("US", "CN", "EU")]
    assert whole.active.shape == (len(projected.fit(told).draws), model.QUARTERS)
    assert (sum(part.active for part in parts) <= whole.active + 1).all()
    few = projected.reach(told, levers, AREAS["nam"])
    both = projected.outlook(told, levers, AREAS["nam"]).active
    assert np.allclose(few.active, both[: len(few.active)], rtol=1e-5)


def test_the_same_question_is_answered_from_memory(fitted: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    told = made_up.read(fitted)
    levers = projected.world(told, "history", {"demand": "high"}).levers
    first = projected.outlook(told, levers, ("US",))
    monkeypatch.setattr(model, "simulate", None)
    assert projected.outlook(made_up.read(fitted), levers, ("US",)) is first


def test_what_is_remembered_is_bounded() -> None:
    recent = projected._Recent[int](2)
    for number in (1, 2, 3, 1):
        assert recent.get(number, lambda number=number: number * 100) == number * 100  # type: ignore[misc]
    assert len(recent._values) == 2


def test_two_worlds_on_the_same_draws_differ_by_their_levers_alone(fitted: Engine) -> None:
    told = made_up.read(fitted)
    plain = projected.world(told, "history", {})
    more = projected.world(told, "history", {"demand": "high"})
    own, other = (projected.outlook(told, one.levers, ("US",)).active for one in (plain, more))
    ahead = told.record.cut_off + 1 - projected.record.START
    assert np.array_equal(own[:, :ahead], other[:, :ahead])
    assert (other[:, ahead:] >= own[:, ahead:]).all()
    assert (other[:, -1] > own[:, -1]).all()
    assert more.name == "History as known, 1 lever moved"


def test_a_lever_that_cannot_be_is_refused_by_its_name(database: Engine) -> None:
    told = made_up.read(database)
    for name, value in (("price.US", "free"), ("demand", "huge"), ("approval.CN", "soon"), ("licence_fit", "2")):
        with pytest.raises(InvalidSelection) as caught:
            projected.world(told, "history", {name: value})
        assert caught.value.name == name
        assert name.partition(".")[0] in str(caught.value)


def test_a_scenario_is_refused_where_there_is_none_or_nobody_could_think_of_it(database: Engine) -> None:
    with pytest.raises(InvalidSelection, match="nope") as caught:
        projected.world(made_up.read(database), "nope", {})
    assert "both" in caught.value.valid
    with pytest.raises(NotPublished, match="could not be thought of"):
        projected.world(made_up.read(database, as_of=made_up.PAST), "price-war", {})


def test_every_lever_has_words_for_what_it_can_be() -> None:
    names = projected.lever_names()
    assert len(names) == 14 + 7 * 8
    assert all(projected.allowed(name) for name in names)


def test_a_scenario_written_out_reads_back_as_itself() -> None:
    for one in scenarios.scenarios(date.max):
        assert Levers.from_text(projected.lever_texts(one.levers), defaults=Levers()) == one.levers


# The hedge


def money(quarterly: float) -> Outlook:
    """An outlook of two draws with the same subscription revenue every quarter."""
    quarters = np.arange(2024 * 4, 2024 * 4 + 8)
    each = np.full((2, 8), quarterly, dtype=np.float32)
    nothing = np.zeros_like(each)
    names = ("active", "fleet", "eligible", "delivered", "new_buyers", "new_cars", "cash", "booked", "released")
    return Outlook(
        quarters=quarters, subscription=each, licence=nothing, deferred=nothing, arr=nothing,
        **dict.fromkeys(names, nothing),
    )  # fmt: skip


def test_the_hedge_is_what_both_bring_over_the_better_one() -> None:
    found = projected.hedge({"local": money(100), "export": money(200), "both": money(300)}, since=2025 * 4)
    assert found.plain == pytest.approx(400)
    assert dict(found.means) == {"local": 400, "export": 800, "both": 1200}
    weights = sum(1.1 ** (-0.25 * n) for n in range(4))
    assert found.discounted == pytest.approx(100 * weights)


def test_the_hedge_agrees_with_the_model(fitted: Engine) -> None:
    told = made_up.read(fitted)
    draws = projected.fit(told).draws
    worlds = {name: projected.world(told, name, {}).levers for name in projected.ROUTES}
    since = 2024 * 4 + 1
    found = projected.hedge({name: projected.outlook(told, one, ("CN",)) for name, one in worlds.items()}, since=since)
    paths = {name: model.simulate(scenarios.world(told.record, one), draws) for name, one in worlds.items()}
    assert found.plain == pytest.approx(
        model.hedge_value(paths, rate=0.0, since=since, regions=("CN",)), rel=1e-3, abs=1e3
    )
    assert found.discounted == pytest.approx(
        model.hedge_value(paths, rate=projected.RATE, since=since, regions=("CN",)), rel=1e-3, abs=1e3
    )


# The command


def test_the_command_makes_what_is_missing_and_says_so_in_a_line(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url.render_as_string(hide_password=False))
    made_up.fit(made_up.read(database, as_of=date(2026, 7, 22)), particles=50)
    reply = run("--as-of", "2026-07-22", "--quiet")
    assert reply.exit_code == 0
    assert reply.stdout.startswith("fit as known on 2026-07-22: 4,000 of 4,000 parameter sets differ")
    assert len(reply.stdout.splitlines()) == 1


def test_the_command_fails_with_the_reason_where_there_is_no_record(
    empty_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_engine.url.render_as_string(hide_password=False))
    reply = run("--quiet")
    assert reply.exit_code == 1
    assert "there is no projection to show" in reply.stderr


def run(*arguments: str) -> Result:
    """What the command answers, without making the whole test run give way."""
    app = typer.Typer(add_completion=False)
    app.command()(command.main)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.nice", lambda _: 0, raising=False)
        return CliRunner().invoke(app, list(arguments))


# What it never does


def test_nothing_that_is_projected_is_written_to_the_database(fitted: Engine) -> None:
    file = Path(str(fitted.url.database))
    before = file.read_bytes()
    told = made_up.read(fitted)
    projected.outlook(told, projected.world(told, "both", {}).levers, AREAS["world"])
    assert file.read_bytes() == before
