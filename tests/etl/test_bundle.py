"""The figures that ship with the project: exact, whole, and the same whichever way they came into the database."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine

from db.database import StoreError, open_engine
from etl import bundle, pipeline
from etl.snapshots import SnapshotStore
from tests import world
from tests.world import rows
from tests.world.rows import NewDatabase

SLUG = "open-ev-charts"


def load_bundle(engine: Engine, folder: Path, *, keep: SnapshotStore | None = None) -> int:
    """Load the bundle of a folder; how many snapshots that told of."""
    told: list[object] = []
    pipeline.load_bundled(engine, [SLUG], keep=keep, tell=told.append, folder=folder)
    return len(told)


@pytest.fixture
def worlds(empty_engine: Engine, tmp_path: Path) -> Engine:
    """A database with three vintages of the tiny world: a figure is changed, another vanishes and comes back."""
    german = world.text("data/data-DE.js")
    for day, content in (
        (1, german),
        (5, german.replace(": 50", ": 60").replace(', "Tesla|other": 10\n', "")),
        (9, german.replace(": 50", ": 60")),
    ):
        pipeline.load(
            empty_engine,
            [
                world.snapshot(content, known_on=date(2026, 3, day)),
                world.snapshot(world.text("config.js"), file="config.js", known_on=date(2026, 3, day)),
            ],
            keep=SnapshotStore(tmp_path / "snapshots"),
            tell=lambda _: None,
        )
    return empty_engine


def test_the_bundle_holds_108954_figures_as_known_now(bundled_engine: Engine) -> None:
    assert {"iea-global-ev-data", SLUG, "our-world-in-data"} <= set(bundle.sources())
    assert len(rows.figures(bundled_engine)) == 108_954
    assert len(rows.figures(bundled_engine, source="iea-global-ev-data")) == 1_527
    assert len(rows.figures(bundled_engine, source="our-world-in-data")) == 510


def test_the_iea_revised_the_worlds_plug_in_hybrids_of_2023_between_its_editions(bundled_engine: Engine) -> None:
    cell = ("WORLD", "PHEV", "year", "2023-01-01", "all", "all")
    then, now = (
        rows.figures(bundled_engine, source="iea-global-ev-data", as_of=day)[cell]
        for day in (date(2025, 5, 13), date(2025, 5, 14))
    )
    assert (then, now) == (4_300_000, 4_200_000)


def test_germany_in_june_2026_is_what_the_federal_office_says(bundled_engine: Engine) -> None:
    found = rows.query(
        bundled_engine,
        "SELECT maker, units FROM sales JOIN series ON series.id = sales.series_id WHERE market = 'DE' AND "
        "powertrain = 'BEV' AND grain = 'month' AND period_start = '2026-06-01' AND known_to = '9999-12-31'",
    )
    assert sum(units for _, units in found) == 84_057
    for maker, expected in (("volkswagen", 8_711), ("tesla", 7_731), ("byd", 2_329)):
        assert sum(units for of, units in found if of == maker) == expected


def test_the_bundled_database_is_sound_and_every_snapshot_adds_up(bundled_engine: Engine) -> None:
    assert len(rows.snapshots(bundled_engine)) > 180
    rows.healthy(bundled_engine)


def test_each_bundled_claim_comes_from_the_snapshot_of_the_day_on_which_it_was_first_made(
    bundled_engine: Engine,
) -> None:
    wrong = rows.query(
        bundled_engine,
        "SELECT series_id FROM sales JOIN snapshot ON snapshot.id = sales.snapshot_id WHERE known_from <> known_on "
        "AND obtained = 'bundled'",
    )
    assert wrong == []


def test_a_bundle_written_from_a_database_and_loaded_again_gives_the_same_rows(
    worlds: Engine, tmp_path: Path, new_database: NewDatabase
) -> None:
    assert bundle.write(worlds, SLUG, folder=tmp_path / "bundle") > 0
    other = open_engine(new_database("other"))
    pipeline.create(other)
    assert load_bundle(other, tmp_path / "bundle") == 4
    assert rows.claims(other) == rows.claims(worlds)
    assert rows.snapshots(other) == rows.snapshots(worlds)
    other.dispose()


def test_the_same_database_gives_the_same_bytes_and_so_does_a_copy_made_of_them(
    worlds: Engine, tmp_path: Path, new_database: NewDatabase
) -> None:
    other = open_engine(new_database("other"))
    pipeline.create(other)
    bundle.write(worlds, SLUG, folder=tmp_path / "one")
    load_bundle(other, tmp_path / "one")
    bundle.write(other, SLUG, folder=tmp_path / "two")
    names = sorted(path.name for path in (tmp_path / "one" / SLUG).iterdir())
    assert names == [
        "SHA256SUMS",
        "evidence.csv.gz",
        "groups.csv",
        "names.csv",
        "penetration.csv.gz",
        "rejections.csv",
        "sales.csv.gz",
        "snapshots.csv",
    ]
    for name in names:
        assert (tmp_path / "one" / SLUG / name).read_bytes() == (tmp_path / "two" / SLUG / name).read_bytes()
    other.dispose()


def test_a_database_without_a_sources_figures_does_not_overwrite_its_bundle(
    empty_engine: Engine, tmp_path: Path
) -> None:
    shutil.copytree(bundle.FOLDER / SLUG, tmp_path / "bundle" / SLUG)
    with pytest.raises(StoreError, match="holds no figures of open-ev-charts"):
        bundle.write(empty_engine, SLUG, folder=tmp_path / "bundle")
    for path in (bundle.FOLDER / SLUG).iterdir():
        assert (tmp_path / "bundle" / SLUG / path.name).read_bytes() == path.read_bytes()


def test_loading_the_bundle_twice_changes_nothing(worlds: Engine, tmp_path: Path) -> None:
    bundle.write(worlds, SLUG, folder=tmp_path / "bundle")
    before = rows.dump(worlds)
    assert load_bundle(worlds, tmp_path / "bundle") == 0
    assert rows.dump(worlds) == before


def _first_days(whole: Path, target: Path, *, until: str) -> Path:
    """A bundle as it was when its last snapshot was of `until`."""
    shutil.copytree(whole, target)
    folder = target / SLUG
    snapshots = pd.read_csv(folder / "snapshots.csv", dtype=str)
    snapshots[snapshots["known_on"] <= until].to_csv(folder / "snapshots.csv", index=False)
    for name in ("sales.csv.gz", "groups.csv"):
        claims = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
        claims = claims[claims["known_from"] <= until]
        claims.loc[claims["known_to"] > until, "known_to"] = "9999-12-31"
        claims.to_csv(folder / name, index=False)
    bundle.seal(folder)
    return target


def test_a_newer_bundle_adds_its_later_vintages_to_a_database_that_has_the_first(
    worlds: Engine, tmp_path: Path, new_database: NewDatabase
) -> None:
    whole = tmp_path / "whole"
    bundle.write(worlds, SLUG, folder=whole)
    engine = open_engine(new_database("upgraded"))
    pipeline.create(engine)
    assert load_bundle(engine, _first_days(whole, tmp_path / "first", until="2026-03-01")) == 2
    assert load_bundle(engine, whole) == 2
    assert rows.claims(engine) == rows.claims(worlds)
    assert rows.snapshots(engine) == rows.snapshots(worlds)
    engine.dispose()


def _interleaved(engine: Engine, keep: SnapshotStore, folder: Path, *, day: int) -> list[object]:
    """Load the bundle and a snapshot of the n-th of March that no bundle has."""
    pipeline.create(engine)
    load_bundle(engine, folder, keep=keep)
    content = world.text("data/data-DE.js").replace(": 50", ": 70")
    told: list[object] = []
    pipeline.load(engine, [world.snapshot(content, known_on=date(2026, 3, day))], keep=keep, tell=told.append)
    return told


@pytest.mark.parametrize("day", [7, 9, 12])
def test_a_rebuild_puts_a_kept_snapshot_between_the_bundled_ones(
    worlds: Engine, tmp_path: Path, new_database: NewDatabase, day: int
) -> None:
    bundle.write(worlds, SLUG, folder=tmp_path / "bundle")
    keep = SnapshotStore(tmp_path / "kept")
    engine = open_engine(new_database("new"))
    _interleaved(engine, keep, tmp_path / "bundle", day=day)
    before = rows.claims(engine)
    pipeline.rebuild(engine, keep=keep, tell=lambda _: None, folder=tmp_path / "bundle")
    cell = ("DE", "BEV", "month", "2026-01-01", "tesla", "tesla-model-y")
    seen = [rows.figures(engine, as_of=date(2026, 3, n))[cell] for n in (4, 8, 10, 13)]
    assert seen == {7: [50, 70, 60, 60], 9: [50, 60, 70, 70], 12: [50, 60, 60, 70]}[day]
    assert (rows.claims(engine) == before) is (day != 7)  # the 7th was out of order, and refused with that remedy
    rows.healthy(engine)
    engine.dispose()


def test_bundled_figures_are_rebuilt_from_whatever_folder(worlds: Engine, tmp_path: Path) -> None:
    """Also where the database had them from the publisher: they are in the bundle, wherever those snapshots are."""
    bundle.write(worlds, SLUG, folder=tmp_path / "bundle")
    before = rows.claims(worlds)
    elsewhere = SnapshotStore(tmp_path / "elsewhere")
    elsewhere.mark("bundled")
    pipeline.rebuild(worlds, keep=elsewhere, tell=lambda _: None, folder=tmp_path / "bundle")
    assert rows.claims(worlds) == before
    assert rows.query(worlds, "SELECT DISTINCT obtained FROM snapshot") == [("bundled",)]
    pipeline.rebuild(worlds, keep=elsewhere, tell=lambda _: None, folder=tmp_path / "bundle")
    assert rows.claims(worlds) == before


def test_a_crash_right_after_the_last_file_does_not_lose_that_bundled_ones_belong_to_the_history(
    worlds: Engine, tmp_path: Path, new_database: NewDatabase
) -> None:
    bundle.write(worlds, SLUG, folder=tmp_path / "bundle")
    keep = SnapshotStore(tmp_path / "kept")
    engine = open_engine(new_database("new"))
    pipeline.create(engine)

    told: list[object] = []

    class Crash(Exception):
        """The moment after the last file."""

    def crash(outcome: object) -> None:
        told.append(outcome)
        if len(told) == 4:
            raise Crash

    with pytest.raises(Crash):
        pipeline.load_bundled(engine, [SLUG], keep=keep, tell=crash, folder=tmp_path / "bundle")
    _interleaved(engine, keep, tmp_path / "bundle", day=12)
    before = rows.claims(engine)
    pipeline.rebuild(engine, keep=keep, tell=lambda _: None, folder=tmp_path / "bundle")
    assert rows.claims(engine) == before
    engine.dispose()
