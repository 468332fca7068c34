"""Snapshots into vintages: the unchanged is not written again, the changed is closed and opened, nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from db import health
from db.contents import FileHistory, Outcome
from db.database import StoreError, open_engine, writing
from db.store import load_history
from etl import checks, pipeline
from etl.claims import Refused
from etl.pipeline import Refusal
from etl.snapshots import Snapshot, SnapshotStore
from etl.sources import CONNECTORS
from tests import world
from tests.world import rows
from tests.world.rows import NewDatabase

NOON = datetime.fromisoformat("2026-03-01T12:00:00")
DE = "data/data-DE.js"


def day(number: int) -> date:
    """The n-th day of March 2026."""
    return date(2026, 3, number)


def germany(figures: dict[str, int], *, known_on: int = 1, hour: int = 0) -> Snapshot:
    """Germany's file with one month of battery-electric cars, as known on the n-th of March."""
    at = datetime.fromisoformat(f"2026-03-{known_on:02d}T{hour:02d}:00:00")
    snapshot = world.snapshot(world.market_file(world.record(figures)), known_on=day(known_on))
    return replace(snapshot, retrieved_at=at)


def load(engine: Engine, *snapshots: Snapshot, keep: SnapshotStore | None = None) -> list[Outcome | Refusal]:
    """What loading these snapshots told."""
    told: list[Outcome | Refusal] = []
    pipeline.load(engine, snapshots, keep=keep, tell=told.append)
    return told


def load_world(engine: Engine, folder: Path = world.UPSTREAM, *, known_on: int = 1) -> list[Outcome | Refusal]:
    """What loading a folder told."""
    found = pipeline.snapshots_in(folder, CONNECTORS, known_on=day(known_on), retrieved_at=NOON)
    told: list[Outcome | Refusal] = []
    pipeline.load(engine, found, keep=None, tell=told.append)
    return told


def vintages(engine: Engine) -> list[tuple[str, int, str, str]]:
    """Model, units, and from and to which day of March 2026 each claim stood; '' where it still stands."""
    found = rows.query(
        engine,
        "SELECT model, units, known_from, known_to FROM sales JOIN series ON series.id = sales.series_id",
    )
    return sorted(
        (model, units, since[-2:], "" if to.startswith("9999") else to[-2:]) for model, units, since, to in found
    )


@contextmanager
def fresh() -> Iterator[tuple[Engine, SnapshotStore]]:
    """An empty database with its folder of kept snapshots, gone afterwards: one for each of many examples."""
    with TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/ev.sqlite")
        pipeline.create(engine)
        try:
            yield engine, SnapshotStore(Path(folder) / "snapshots")
        finally:
            engine.dispose()


@pytest.fixture
def keep(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


# One world


def test_the_tiny_world_loads_whole(empty_engine: Engine) -> None:
    told = load_world(empty_engine)
    assert sorted(outcome.receipt.file for outcome in told if isinstance(outcome, Outcome)) == sorted(world.FILES)
    assert len(rows.figures(empty_engine)) == world.FIGURES
    assert len(rows.query(empty_engine, "SELECT maker FROM maker_group")) == world.MEMBERSHIPS
    rows.healthy(empty_engine)


def test_the_tiny_world_gives_back_figures_that_one_can_read_off_its_files(empty_engine: Engine) -> None:
    load_world(empty_engine)
    found = rows.figures(empty_engine)
    assert found["DE", "BEV", "month", "2026-02-01", "tesla", "tesla-model-y"] == 200
    assert found["DE", "BEV", "month", "2026-01-01", "tesla", "other"] == 10
    assert found["DE", "ALL", "month", "2026-02-01", "other", "all"] == 300
    assert found["GB", "ALL", "quarter", "2025-10-01", "all", "all"] == 3000
    assert found["NO", "ALL", "month", "2026-01-01", "all", "all"] == 400
    assert found["WORLD", "BEV", "month", "2026-01-01", "all", "all"] == 2000


def test_a_snapshot_remembers_where_it_came_from(empty_engine: Engine) -> None:
    load_world(empty_engine)
    ((sha, size, url, obtained, known_on),) = rows.query(
        empty_engine,
        "SELECT sha256, bytes, origin_url, obtained, known_on FROM snapshot WHERE file = 'data/data-DE.js'",
    )
    receipt = world.snapshot(world.text(DE)).receipt
    assert (sha, size, obtained, known_on) == (receipt.sha256, receipt.bytes, "folder", "2026-03-01")
    assert url == "https://raw.githubusercontent.com/simonkrauter/Open-EV-Charts/master/data/data-DE.js"


def test_a_folder_of_2024_with_its_files_in_the_root_is_the_same_files(empty_engine: Engine, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    shutil.copy(world.UPSTREAM / DE, old / "data-DE.js")
    shutil.copy(world.UPSTREAM / "config.js", old / "data-general.js")
    load_world(empty_engine, old, known_on=1)
    told = load_world(empty_engine, known_on=2)
    already = {outcome.receipt.file for outcome in told if isinstance(outcome, Outcome) and outcome.already}
    assert already == {DE, "config.js"}


def test_two_files_of_a_folder_that_are_the_same_one_upstream_are_not_guessed_between(
    empty_engine: Engine, tmp_path: Path
) -> None:
    both = world.copy(tmp_path / "both")
    (both / "data-DE.js").write_text(world.market_file(world.record({"other": 1})))
    told = load_world(empty_engine, both)
    (refusal,) = [outcome for outcome in told if isinstance(outcome, Refusal)]
    assert "data/data-DE.js and data-DE.js" in refusal.message
    assert not rows.figures(empty_engine, file=DE)
    assert len(rows.figures(empty_engine)) == world.FIGURES - 15


def test_loading_twice_changes_nothing(empty_engine: Engine) -> None:
    load_world(empty_engine)
    before = rows.dump(empty_engine)
    told = load_world(empty_engine)
    assert len(told) == len(world.FILES)
    assert all(isinstance(outcome, Outcome) and outcome.already for outcome in told)
    assert rows.dump(empty_engine) == before


# Vintages


def test_an_unchanged_figure_is_not_written_again_and_a_changed_one_is_closed_and_opened(empty_engine: Engine) -> None:
    load(empty_engine, germany({"A|a": 100, "A|b": 200}, known_on=1))
    (outcome,) = load(empty_engine, germany({"A|a": 100, "A|b": 300}, known_on=5))
    assert vintages(empty_engine) == [("a-a", 100, "01", ""), ("a-b", 200, "01", "05"), ("a-b", 300, "05", "")]
    assert isinstance(outcome, Outcome)
    assert (outcome.read, outcome.loaded, outcome.unchanged, outcome.closed) == (2, 1, 1, 1)


def test_a_figure_that_vanished_is_closed_and_one_that_comes_back_is_opened_anew(empty_engine: Engine) -> None:
    load(empty_engine, germany({"A|a": 100, "A|b": 200}, known_on=1))
    load(empty_engine, germany({"A|a": 100}, known_on=2))
    load(empty_engine, germany({"A|a": 100, "A|b": 200}, known_on=3))
    assert vintages(empty_engine) == [("a-a", 100, "01", ""), ("a-b", 200, "01", "02"), ("a-b", 200, "03", "")]


def test_content_that_returns_to_an_earlier_state_is_a_third_vintage(empty_engine: Engine) -> None:
    for number, units in ((1, 100), (2, 200), (3, 100)):
        (outcome,) = load(empty_engine, germany({"A|a": units}, known_on=number))
        assert isinstance(outcome, Outcome)
        assert not outcome.already
    assert vintages(empty_engine) == [("a-a", 100, "01", "02"), ("a-a", 100, "03", ""), ("a-a", 200, "02", "03")]


def test_a_second_snapshot_of_the_same_day_replaces_the_first(empty_engine: Engine) -> None:
    load(empty_engine, germany({"A|a": 100, "A|b": 1}, known_on=1))
    load(empty_engine, germany({"A|a": 200, "A|c": 2}, known_on=2), germany({"A|a": 300, "A|b": 1}, known_on=2))
    assert vintages(empty_engine) == [("a-a", 100, "01", "02"), ("a-a", 300, "02", ""), ("a-b", 1, "01", "")]
    statuses = [status for (status,) in rows.query(empty_engine, "SELECT status FROM snapshot")]
    assert sorted(statuses) == ["loaded", "loaded", "superseded"]
    rows.healthy(empty_engine)


def test_a_second_snapshot_of_the_same_day_may_take_everything_back(empty_engine: Engine) -> None:
    first = germany({"A|a": 100}, known_on=1)
    load(empty_engine, first)
    before = vintages(empty_engine)
    load(empty_engine, germany({"A|a": 200}, known_on=2), germany({"A|a": 100}, known_on=2))
    assert vintages(empty_engine) == before


def test_a_maker_that_changes_its_group_has_two_memberships_one_after_the_other(empty_engine: Engine) -> None:
    config = world.text("config.js")
    load(empty_engine, world.snapshot(config, file="config.js", known_on=day(1)))
    moved = config.replace('    , "Škoda"\n', "").replace('    , "Volvo"', '    , "Volvo"\n    , "Škoda"')
    load(empty_engine, world.snapshot(moved, file="config.js", known_on=day(2)))
    found = rows.query(empty_engine, "SELECT group_slug, known_from, known_to FROM maker_group WHERE maker = 'skoda'")
    assert found == [
        ("geely-holding-group", "2026-03-02", "9999-12-31"),
        ("volkswagen-group", "2026-03-01", "2026-03-02"),
    ]
    rows.healthy(empty_engine)


def test_a_file_that_is_not_offered_closes_nothing(empty_engine: Engine, tmp_path: Path) -> None:
    load_world(empty_engine, known_on=1)
    fewer = world.copy(tmp_path / "fewer")
    (fewer / "data/data-UK.js").unlink()
    load_world(empty_engine, fewer, known_on=2)
    assert len(rows.figures(empty_engine)) == world.FIGURES


def test_a_quarter_that_is_now_told_in_months_still_covers_its_time(empty_engine: Engine) -> None:
    quarter = world.record({"other": 600}, period="2025-Q4")
    months = "".join(world.record({"other": 200}, period=f"2025-{month}") for month in (10, 11, 12))
    load(empty_engine, world.snapshot(quarter, known_on=day(1)))
    (outcome,) = load(empty_engine, world.snapshot(months, known_on=day(2)))
    assert isinstance(outcome, Outcome)
    assert {key[2] for key in rows.figures(empty_engine)} == {"month"}
    assert {key[2] for key in rows.figures(empty_engine, as_of=day(1))} == {"quarter"}


@st.composite
def _histories(draw: st.DrawFn) -> list[tuple[int, dict[str, int]]]:
    """Days, not falling, with what the file claims on each: two models and the rest, some of them absent."""
    states = st.dictionaries(st.sampled_from(["A|a", "B|b", "other"]), st.integers(1, 3), min_size=1)
    days = sorted(draw(st.lists(st.integers(1, 8), min_size=1, max_size=6)))
    return [(number, draw(states)) for number in days]


def _no_return_within_a_day(history: list[tuple[int, dict[str, int]]]) -> bool:
    seen = [(number, tuple(sorted(state.items()))) for number, state in history]
    return all(entry not in seen[: n - 1] for n, entry in enumerate(seen) if n)


def _model(state: dict[str, int]) -> dict[str, int]:
    if list(state) == ["other"]:
        return {"all": state["other"]}
    return {{"A|a": "a-a", "B|b": "b-b", "other": "all/other"}[key]: units for key, units in state.items()}


def _figures(engine: Engine, as_of: date) -> dict[str, int]:
    return {
        "all/other" if maker == "other" else model: units
        for (*_, maker, model), units in rows.figures(engine, as_of=as_of).items()
    }


@settings(max_examples=25, deadline=None)
@given(_histories().filter(_no_return_within_a_day))
def test_every_day_shows_the_last_snapshot_before_its_end_whatever_the_history(
    history: list[tuple[int, dict[str, int]]],
) -> None:
    with fresh() as (engine, keep):
        for hour, (number, state) in enumerate(history):
            load(engine, germany(state, known_on=number, hour=hour), keep=keep)
        for number in range(10):
            as_of = day(1) + timedelta(days=number - 1)
            standing: dict[str, int] = {}
            for since, state in history:
                standing = state if day(since) <= as_of else standing
            assert _figures(engine, as_of) == _model(standing)
        rows.healthy(engine)
        before, counts = rows.claims(engine), rows.snapshots(engine)
        load(engine, *keep.kept())
        assert (rows.claims(engine), rows.snapshots(engine)) == (before, counts)
        pipeline.rebuild(engine, keep=keep, tell=lambda _: None)
        assert (rows.claims(engine), rows.snapshots(engine)) == (before, counts)


@settings(max_examples=15, deadline=None)
@given(_histories().filter(_no_return_within_a_day), st.randoms(use_true_random=False))
def test_whatever_order_snapshots_came_in_a_rebuild_puts_them_in_order(
    history: list[tuple[int, dict[str, int]]], random: object
) -> None:
    history = list({number: (number, state) for number, state in history}.values())
    shuffled = list(history)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    with fresh() as (one, in_order), fresh() as (two, out_of_order):
        for number, state in history:
            load(one, germany(state, known_on=number), keep=in_order)
        for number, state in shuffled:
            load(two, germany(state, known_on=number), keep=out_of_order)
        pipeline.rebuild(two, keep=out_of_order, tell=lambda _: None)
        assert rows.claims(two) == rows.claims(one)


# Refused


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (world.text(DE).removesuffix("});\n"), "is truncated"),
        (world.text(DE).replace(": 50", ": 0"), "0 is not a number of cars"),
        (world.text(DE).replace("countries.DE", "countries.FR"), "holds figures of FR"),
        (world.text(DE).replace("Tesla|Model Y", "比亚迪|Han"), "gives no id"),
        (
            world.text(DE).replace("Tesla|Model Y", "Škoda|enyaq"),
            "'Škoda|Enyaq' is the same as 'Škoda|enyaq' in line 14",
        ),
        (world.text(DE).encode("utf-16"), "is not UTF-8"),
        (b"", "holds no record"),
    ],
)
def test_a_refused_file_loads_nothing_and_the_others_are_loaded(
    empty_engine: Engine, tmp_path: Path, content: str | bytes, reason: str
) -> None:
    folder = world.copy(tmp_path / "damaged")
    (folder / DE).write_bytes(content.encode() if isinstance(content, str) else content)
    told = load_world(empty_engine, folder)
    (refusal,) = [outcome for outcome in told if isinstance(outcome, Refusal)]
    assert refusal.message.startswith(DE)
    assert reason in refusal.message
    assert "\n" not in refusal.message
    assert not rows.figures(empty_engine, file=DE)
    assert len(rows.figures(empty_engine)) == world.FIGURES - 15
    ((status, read),) = rows.query(empty_engine, "SELECT status, rows_read FROM snapshot WHERE file = :file", file=DE)
    assert (status, read) == ("refused", 0)
    (shown,) = health.status(empty_engine, on=date(2026, 3, 2))["sources"][0]["refused"]
    assert (shown["file"], shown["known_on"]) == (DE, day(1))
    assert reason in shown["reason"]


def test_a_refused_file_leaves_what_was_loaded_before(empty_engine: Engine) -> None:
    load_world(empty_engine, known_on=1)
    before = rows.claims(empty_engine)
    load(empty_engine, world.snapshot(world.text(DE)[:-30], known_on=day(2)))
    assert rows.claims(empty_engine) == before


def test_the_same_refusal_is_remembered_once(empty_engine: Engine) -> None:
    damaged = world.snapshot(world.text(DE)[:-30])
    assert len(load(empty_engine, damaged, damaged)) == 2
    assert len(health.status(empty_engine, on=date(2026, 3, 2))["sources"][0]["refused"]) == 1


def test_a_refused_file_is_not_kept(empty_engine: Engine, keep: SnapshotStore) -> None:
    load(empty_engine, world.snapshot(world.text(DE)[:-30]), keep=keep)
    assert list(keep.kept()) == []


def _cut_after_a_record() -> str:
    content = world.text(DE)
    return content[: content.index('db.insert(db.countries.DE, "2026-02"')]


def test_a_file_cut_at_the_end_of_a_record_no_longer_covers_what_it_did(empty_engine: Engine) -> None:
    load(empty_engine, world.snapshot(world.text(DE), known_on=day(1)))
    (refusal,) = load(empty_engine, world.snapshot(_cut_after_a_record(), known_on=day(2)))
    assert isinstance(refusal, Refusal)
    assert "no longer covers 2 market months" in refusal.message
    assert "BEV cars in DE in 2026-02" in refusal.message
    assert "--accept-removals" in refusal.message
    assert len(rows.figures(empty_engine)) == 15


def test_what_upstream_really_took_back_is_accepted_on_request_on_the_same_day(
    empty_engine: Engine, keep: SnapshotStore, tmp_path: Path
) -> None:
    load(empty_engine, world.snapshot(world.text(DE), known_on=day(1)), keep=keep)
    folder = world.copy(tmp_path / "shorter")
    (folder / DE).write_text(_cut_after_a_record())
    for accept in (False, True):
        found = pipeline.snapshots_in(folder, CONNECTORS, known_on=day(2), retrieved_at=NOON, accept_removals=accept)
        told: list[Outcome | Refusal] = []
        pipeline.load(engine=empty_engine, snapshots=(s for s in found if s.file == DE), keep=keep, tell=told.append)
        assert isinstance(told[0], Outcome) is accept
    assert len(rows.figures(empty_engine)) == 9
    assert len(rows.figures(empty_engine, as_of=day(1))) == 15
    assert health.status(empty_engine, on=date(2026, 3, 2))["sources"][0]["refused"] == []
    before = rows.claims(empty_engine)
    pipeline.rebuild(empty_engine, keep=keep, tell=lambda _: None)
    assert rows.claims(empty_engine) == before


def test_a_market_that_the_reference_does_not_name_is_refused_with_the_file_to_mend(empty_engine: Engine) -> None:
    file = world.record({"other": 100}, country="XX")
    (refusal,) = load(empty_engine, world.snapshot(file, file="data/data-XX.js"))
    assert isinstance(refusal, Refusal)
    assert "add a row to etl/reference/markets.csv" in refusal.message


# Order


def test_an_older_snapshot_is_refused_kept_and_put_in_its_place_by_a_rebuild(
    empty_engine: Engine, keep: SnapshotStore
) -> None:
    load(empty_engine, germany({"A|a": 100}, known_on=1), germany({"A|a": 300}, known_on=3), keep=keep)
    (refusal,) = load(empty_engine, germany({"A|a": 200}, known_on=2), keep=keep)
    assert isinstance(refusal, Refusal)
    assert "known on 2026-03-02, but figures known on 2026-03-03 are loaded already" in refusal.message
    assert "python -m etl rebuild" in refusal.message
    assert vintages(empty_engine) == [("a-a", 100, "01", "03"), ("a-a", 300, "03", "")]
    pipeline.rebuild(empty_engine, keep=keep, tell=lambda _: None)
    assert vintages(empty_engine) == [("a-a", 100, "01", "02"), ("a-a", 200, "02", "03"), ("a-a", 300, "03", "")]


def test_an_older_snapshot_that_says_what_stood_then_is_nothing_new(empty_engine: Engine, keep: SnapshotStore) -> None:
    load(empty_engine, germany({"A|a": 100}, known_on=1), germany({"A|a": 300}, known_on=3), keep=keep)
    (outcome,) = load(empty_engine, germany({"A|a": 100}, known_on=2), keep=keep)
    assert isinstance(outcome, Outcome)
    assert outcome.already


def test_content_seen_again_on_a_later_day_counts_when_an_older_snapshot_comes(
    empty_engine: Engine, keep: SnapshotStore
) -> None:
    load(empty_engine, germany({"A|a": 100}, known_on=1), germany({"A|a": 100}, known_on=3), keep=keep)
    (refusal,) = load(empty_engine, germany({"A|a": 200}, known_on=2), keep=keep)
    assert isinstance(refusal, Refusal)
    assert rows.figures(empty_engine, as_of=day(3)) == rows.figures(empty_engine, as_of=day(1))
    pipeline.rebuild(empty_engine, keep=keep, tell=lambda _: None)
    assert vintages(empty_engine) == [("a-a", 100, "01", "02"), ("a-a", 100, "03", ""), ("a-a", 200, "02", "03")]


# Rebuild


def test_a_rebuild_from_an_empty_folder_gives_the_bundled_figures(
    tmp_path: Path, new_database: NewDatabase, bundled_engine: Engine
) -> None:
    engine = open_engine(new_database("new"))
    pipeline.rebuild(engine, keep=SnapshotStore(tmp_path / "snapshots"), tell=lambda _: None)
    assert rows.claims(engine) == rows.claims(bundled_engine)
    assert rows.snapshots(engine) == rows.snapshots(bundled_engine)
    engine.dispose()


def test_a_history_without_bundled_figures_is_rebuilt_without_them(empty_engine: Engine, keep: SnapshotStore) -> None:
    load(empty_engine, world.snapshot(world.text(DE)), keep=keep)
    before = rows.claims(empty_engine)
    pipeline.rebuild(empty_engine, keep=keep, tell=lambda _: None)
    assert rows.claims(empty_engine) == before


def test_a_rebuild_that_finds_a_damaged_snapshot_leaves_the_database_as_it_was(
    empty_engine: Engine, keep: SnapshotStore
) -> None:
    load(empty_engine, world.snapshot(world.text(DE)), keep=keep)
    before = rows.dump(empty_engine)
    next(keep.folder.glob("*/content/*")).write_bytes(b"rubbish")
    with pytest.raises(Refused):
        pipeline.rebuild(empty_engine, keep=keep, tell=lambda _: None)
    assert rows.dump(empty_engine) == before


def test_a_snapshot_that_comes_while_a_rebuild_lists_what_is_kept_is_not_lost(
    empty_engine: Engine, keep: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(empty_engine, germany({"A|a": 100}, known_on=1), keep=keep)
    other = open_engine(str(empty_engine.url), busy_seconds=0.05)
    kept_waiting = [germany({"A|a": 200}, known_on=2)]
    listed = SnapshotStore.kept

    def listed_meanwhile(store: SnapshotStore) -> Iterator[Snapshot]:
        yield from listed(store)
        with suppress(StoreError):
            load(other, *kept_waiting, keep=keep)
            kept_waiting.clear()

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(SnapshotStore, "kept", listed_meanwhile)
        pipeline.rebuild(empty_engine, keep=keep, tell=lambda _: None)
    load(other, *kept_waiting, keep=keep)
    assert vintages(empty_engine) == [("a-a", 100, "01", "02"), ("a-a", 200, "02", "")]
    other.dispose()


def test_nobody_can_import_figures_any_more_when_a_rebuild_lists_what_was_imported(empty_engine: Engine) -> None:
    other = open_engine(str(empty_engine.url), busy_seconds=0.05)
    asked = []

    def imported(store: SnapshotStore) -> Iterator[pipeline.DatedFile]:
        asked.append(store)
        with pytest.raises(StoreError, match="another load is writing"), writing(other):
            pass
        yield from ()

    keep = SnapshotStore(Path("snapshots"))
    load(empty_engine, germany({"A|a": 100}), keep=keep)
    pipeline.rebuild(empty_engine, keep=keep, imported=imported, tell=lambda _: None)
    assert asked == [keep]
    other.dispose()


def test_a_rebuild_from_a_folder_that_lacks_what_the_database_has_read_is_refused_unless_that_is_accepted(
    empty_engine: Engine, keep: SnapshotStore, tmp_path: Path
) -> None:
    load(empty_engine, germany({"A|a": 100}), world.snapshot(world.text("config.js"), file="config.js"), keep=keep)
    elsewhere = SnapshotStore(Path("elsewhere/snapshots"))
    before = rows.dump(empty_engine)
    with pytest.raises(StoreError) as refused:
        pipeline.rebuild(empty_engine, keep=elsewhere, tell=lambda _: None)
    assert str(refused.value) == (
        f"{tmp_path}/elsewhere/snapshots does not hold all that the database has read: open-ev-charts data/data-DE.js "
        "of 2026-03-01 and 1 more would be lost; name the folder of the kept snapshots in SNAPSHOTS, or give these up "
        "with 'python -m etl rebuild --accept-removals'"
    )
    assert rows.dump(empty_engine) == before
    load(empty_engine, germany({"A|a": 100, "B|b": 1}, known_on=2), keep=elsewhere)
    with pytest.raises(StoreError, match=r"data/data-DE\.js of 2026-03-01 and 1 more would be lost"):
        pipeline.rebuild(empty_engine, keep=elsewhere, tell=lambda _: None)
    pipeline.rebuild(empty_engine, keep=elsewhere, accept_removals=True, tell=lambda _: None)
    assert vintages(empty_engine) == [("a-a", 100, "02", ""), ("b-b", 1, "02", "")]
    pipeline.rebuild(empty_engine, keep=elsewhere, tell=lambda _: None)


def test_content_that_an_older_snapshot_tells_from_its_own_day_on_is_not_missed_by_the_next_rebuild(
    empty_engine: Engine, keep: SnapshotStore
) -> None:
    load(empty_engine, germany({"A|a": 100}, known_on=1), germany({"A|a": 300}, known_on=3), keep=keep)
    load(empty_engine, germany({"A|a": 300}, known_on=2), keep=keep)
    for _ in range(2):
        pipeline.rebuild(empty_engine, keep=keep, tell=lambda _: None)
        assert vintages(empty_engine) == [("a-a", 100, "01", "02"), ("a-a", 300, "02", "")]


@pytest.mark.only("sqlite", "a server's readers wait until it is over: tests/db/test_postgresql.py")
def test_a_rebuild_is_not_seen_before_it_is_whole(empty_engine: Engine, keep: SnapshotStore) -> None:
    load(empty_engine, germany({"A|a": 100}), world.snapshot(world.text("config.js"), file="config.js"), keep=keep)
    seen = []
    pipeline.rebuild(empty_engine, keep=keep, tell=lambda _: seen.append(len(rows.figures(empty_engine))))
    assert seen == [1, 1]


def test_history_at_once_leaves_the_same_rows_as_its_snapshots_one_by_one(
    empty_engine: Engine, new_database: NewDatabase
) -> None:
    states = [{"A|a": 100, "B|b": 1}, {"A|a": 200}, {"A|a": 200, "B|b": 1}]
    load(empty_engine, *(germany(state, known_on=n) for n, state in enumerate(states, 1)))
    spans = [("a", 100, 1, 2), ("a", 200, 2, None), ("b", 1, 1, 2), ("b", 1, 3, None)]
    lines = {"a": 6, "b": 7}
    history = FileHistory(
        receipts=[germany(state, known_on=n).receipt for n, state in enumerate(states, 1)],
        sales=[
            (
                *("DE", "registration", "BEV", "passenger_car", "month", name, f"{name}-{name}", date(2026, 1, 1)),
                *(units, lines[name], "https://kba.example", day(since), day(to) if to else date(9999, 12, 31)),
            )
            for name, units, since, to in spans
        ],
        groups=[],
        makers={"a": "A", "b": "B"},
        models={"a-a": ("a", "a"), "b-b": ("b", "b")},
        evidence={"https://kba.example": ("https://kba.example", "")},
    )
    other = open_engine(new_database("other"))
    pipeline.create(other)
    with writing(other) as connection:
        outcomes = load_history(connection, source=pipeline.connector("open-ev-charts").SOURCE, history=history)
    assert rows.claims(other) == rows.claims(empty_engine)
    assert rows.snapshots(other) == rows.snapshots(empty_engine)
    assert [(o.read, o.loaded, o.unchanged, o.closed) for o in outcomes] == [(2, 2, 0, 0), (1, 1, 0, 2), (2, 1, 1, 0)]
    other.dispose()


def test_an_unknown_source_is_an_error_that_lists_the_sources() -> None:
    assert CONNECTORS
    with pytest.raises(KeyError, match="there is no source 'kba'; the sources are: open-ev-charts"):
        pipeline.connector("kba")


# Upstream's own files


@pytest.fixture(scope="session")
def folders(shared: Path) -> dict[date, Path]:
    """Upstream's files as they were on eight days."""
    raw = shared / "raw"
    found = {date.fromisoformat(path.name): path for path in sorted((raw / "open-ev-charts-vintages").iterdir())}
    return found | {date(2026, 7, 23): raw / "open-ev-charts"}


@pytest.mark.extra
def test_the_bundled_figures_say_on_each_day_what_upstreams_files_said_then(
    bundled_engine: Engine, folders: dict[date, Path]
) -> None:
    assert len(folders) == 8
    for known_on, folder in folders.items():
        found = rows.query(
            bundled_engine,
            "SELECT units FROM sales JOIN series ON series.id = sales.series_id "
            "JOIN source ON source.id = series.source_id "
            "WHERE slug = 'open-ev-charts' AND known_from <= :day AND known_to > :day",
            day=known_on.isoformat(),
        )
        assert [units for (units,) in found] == sorted(_integers(folder))


@pytest.mark.extra
def test_upstreams_own_vintages_loaded_one_by_one_are_the_bundled_figures_and_can_be_rebuilt(
    bundled_engine: Engine, empty_engine: Engine, folders: dict[date, Path], keep: SnapshotStore
) -> None:
    files = {"config.js", "data/data-CN.js", "data/data-EU.js", "data/data-UK.js", "data/data-US.js"}
    told: list[Outcome | Refusal] = []
    for known_on, folder in folders.items():
        found = pipeline.snapshots_in(folder, CONNECTORS, known_on=known_on, retrieved_at=NOON)
        pipeline.load(empty_engine, (each for each in found if each.file in files), keep=keep, tell=told.append)
    assert [refusal for refusal in told if isinstance(refusal, Refusal)] == []
    loaded = rows.claims(empty_engine)
    bundled = rows.claims(bundled_engine)
    for table in ("sales", "groups"):
        assert loaded[table] == [row for row in bundled[table] if row[1] in files]
    rows.healthy(empty_engine)
    before = rows.snapshots(empty_engine)
    pipeline.rebuild(empty_engine, keep=keep, tell=lambda _: None)
    assert rows.snapshots(empty_engine) == before
    assert rows.claims(empty_engine) == loaded


def _integers(folder: Path) -> list[int]:
    """Every figure of a folder by a reading so plain that it cannot share the parser's mistakes."""
    texts = [p.read_text(encoding="utf-8") for p in (folder / "data").iterdir() if p.name != "data-general.js"]
    figures = (line for text in texts for line in text.splitlines() if line.startswith(("{", ",")))
    return [int(line.rpartition(":")[2]) for line in figures]


def test_a_market_that_another_file_of_the_source_states_already_is_refused_as_counted_twice() -> None:
    claims = [("GB", "BEV", "month", date(2024, 1, 1))]
    others = [
        ("data/data-UK.js", "GB", "BEV", "month", date(2024, 1, 1)),
        ("data/data-DE.js", "DE", "BEV", "month", date(2024, 1, 1)),
    ]
    with pytest.raises(
        Refused, match=r"data/data-GB.js: states BEV cars in GB, which data/data-UK.js .* canonical_file"
    ):
        checks.check_claims_its_own(file="data/data-GB.js", claims=claims, others=others)
    with pytest.raises(Refused, match="states BEV cars in GB"):
        checks.check_claims_its_own(
            file="data/data-GB.js", claims=[("GB", "BEV", "quarter", date(2024, 1, 1))], others=others
        )


def test_one_file_a_year_each_under_its_own_name_counts_nothing_twice() -> None:
    checks.check_claims_its_own(
        file="registrations-2027.csv",
        claims=[("NZ", "BEV", "month", date(2027, 1, 1))],
        others=[("registrations-2026.csv", "NZ", "BEV", "month", date(2026, 12, 1))],
    )


def test_content_seen_again_and_replaced_within_a_day_is_not_loaded_by_a_later_load() -> None:
    with fresh() as (engine, keep):
        one, both = {"A|a": 1}, {"A|a": 1, "B|b": 1}
        for hour, (number, state) in enumerate([(1, one), (1, both), (2, both), (2, one), (3, both)]):
            load(engine, germany(state, known_on=number, hour=hour), keep=keep)
        before = rows.claims(engine)
        assert [_figures(engine, day(number)) for number in (1, 2, 3)] == [_model(both), _model(one), _model(both)]
        load(engine, *keep.kept())
        assert rows.claims(engine) == before
