"""Kept snapshots: the raw bytes beside their receipt, never edited, and never believed when they are damaged."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from etl.snapshots import Refused, Snapshot, SnapshotStore
from tests import world

DAY_1, DAY_2 = date(2026, 3, 1), date(2026, 3, 2)


@pytest.fixture
def keep(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def test_a_kept_snapshot_comes_back_as_it_was(keep: SnapshotStore) -> None:
    snapshot = replace(
        world.snapshot(b"\xff\x00raw"), retrieved_at=datetime.fromisoformat("2026-03-01T12:30"), removals_accepted=True
    )
    keep.keep(snapshot)
    assert list(keep.kept()) == [snapshot]


def test_keeping_twice_leaves_one_and_the_same_content_is_stored_once(keep: SnapshotStore) -> None:
    for day in (DAY_1, DAY_1, DAY_2):
        keep.keep(world.snapshot("same", known_on=day))
    assert [snapshot.known_on for snapshot in keep.kept()] == [DAY_1, DAY_2]
    assert len(list(keep.folder.glob("*/content/*"))) == 1


def test_snapshots_come_oldest_first_and_within_a_day_as_they_were_retrieved(keep: SnapshotStore) -> None:
    late = replace(world.snapshot("a"), retrieved_at=datetime.fromisoformat("2026-03-01T18"))
    early = replace(world.snapshot("b"), retrieved_at=datetime.fromisoformat("2026-03-01T09"))
    for snapshot in (world.snapshot("c", known_on=DAY_2), late, early):
        keep.keep(snapshot)
    assert [snapshot.content for snapshot in keep.kept()] == [b"b", b"a", b"c"]


def test_an_interrupted_write_leaves_no_receipt_and_is_ignored(keep: SnapshotStore) -> None:
    keep.keep(world.snapshot("whole"))
    receipt = next(keep.folder.glob("*/2026-*/*.json"))
    receipt.with_name("data--data-FR.js.0123456789ab.json.unfinished").write_text("{")
    assert len(list(keep.kept())) == 1


def _content(keep: SnapshotStore) -> Path:
    return next(keep.folder.glob("*/content/*.gz"))


def _receipt(keep: SnapshotStore) -> Path:
    return next(keep.folder.glob("*/2026-*/*.json"))


def _refused(keep: SnapshotStore) -> str:
    with pytest.raises(Refused) as caught:
        list(keep.kept())
    message = str(caught.value)
    assert "restore it from a backup" in message
    assert str(_receipt(keep)) in message
    return message


def test_a_receipt_without_its_content_is_refused(keep: SnapshotStore) -> None:
    keep.keep(world.snapshot("content"))
    _content(keep).unlink()
    assert "cannot be unpacked (" in _refused(keep)


@pytest.mark.parametrize("damage", ["cut", "rubbish", "empty", "flipped"])
def test_damaged_content_is_refused(keep: SnapshotStore, damage: str) -> None:
    keep.keep(world.snapshot("content " * 100))
    path = _content(keep)
    packed = path.read_bytes()
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 0xFF
    path.write_bytes({"cut": packed[:-9], "rubbish": b"rubbish", "empty": b"", "flipped": bytes(flipped)}[damage])
    _refused(keep)


def test_content_that_was_swapped_for_other_content_is_refused(keep: SnapshotStore) -> None:
    keep.keep(world.snapshot("one"))
    first = _content(keep)
    other = SnapshotStore(keep.folder.parent / "other")
    other.keep(world.snapshot("two"))
    first.write_bytes(_content(other).read_bytes())
    assert "its checksum differs" in _refused(keep)


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"source": "open-ev-charts"}', "\udcff"])
def test_a_damaged_receipt_is_refused(keep: SnapshotStore, damage: str) -> None:
    keep.keep(world.snapshot("content"))
    _receipt(keep).write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert "is no receipt" in _refused(keep)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("known_on", "yesterday"),
        ("obtained", "stolen"),
        ("retrieved_at", 5),
        ("sha256", "../../etc/passwd"),
        ("source", "../elsewhere"),
    ],
)
def test_a_receipt_with_a_value_that_cannot_be_is_refused(keep: SnapshotStore, field: str, value: object) -> None:
    keep.keep(world.snapshot("content"))
    path = _receipt(keep)
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    _refused(keep)


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("sqlite:///ev_market.sqlite", "snapshots"),
        ("sqlite:////srv/data/ev.sqlite", "/srv/data/snapshots"),
        ("sqlite+pysqlite:////srv/data/ev.sqlite", "/srv/data/snapshots"),
        ("sqlite:////srv/data/ev.sqlite?timeout=5", "/srv/data/snapshots"),
        ("sqlite://", "snapshots"),
        ("postgresql://db.example/ev", "snapshots"),
    ],
)
def test_snapshots_are_kept_beside_the_sqlite_file(url: str, folder: str) -> None:
    assert SnapshotStore.beside(url).folder == Path(folder)


def test_the_environment_says_where_snapshots_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNAPSHOTS", "/mnt/kept")
    assert SnapshotStore.beside("sqlite:////srv/ev.sqlite").folder == Path("/mnt/kept")


def test_bundled_figures_belong_to_an_empty_history_and_to_one_that_says_so(keep: SnapshotStore) -> None:
    assert keep.holds("bundled")
    keep.keep(world.snapshot("content"))
    assert not keep.holds("bundled")
    keep.mark("bundled")
    assert keep.holds("bundled")


def test_a_snapshots_receipt_identifies_its_bytes() -> None:
    snapshot: Snapshot = world.snapshot(b"abc")
    assert snapshot.receipt.bytes == 3
    assert snapshot.receipt.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
