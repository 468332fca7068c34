"""A database, a log beside it or a kept snapshot that is damaged: nothing wrong is shown, and one line says what to do.

What a file system or a disk does to a file: cuts it off, overwrites sectors, swaps it for another, loses it.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from dashboard.app import create_app
from db.database import open_engine
from db.memory import MEMORY
from db.schema import SCHEMA_VERSION
from etl import __main__ as command_line
from etl import bundle
from tests import world
from tests.etl.test_fetch_command import text_with
from tests.faults import killing

DATABASE = "ev_market.sqlite"
CSV = "/charts/market-share.csv?market=DE&by=maker"
PAGE = 4096
"""Bytes of a page of SQLite, which is read and written as a whole."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the tiny world of two days, loaded; a clock that stands, and nothing that ships."""
    folder = tmp_path_factory.mktemp("loaded")
    world.copy(folder / "old")
    world.copy(folder / "new")
    (folder / "new/data/data-DE.js").write_text(text_with(60), encoding="utf-8")
    with pytest.MonkeyPatch.context() as here:
        here.setattr(command_line, "_now", lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))
        here.setattr(command_line, "open_engine", opened)
        here.setattr(bundle, "sources", lambda *_: [])
        here.chdir(folder)
        for upstream, day in (("old", "2026-02-20"), ("new", "2026-02-25")):
            assert etl("load", "--from", upstream, "--known-on", day).exit_code == 0
        yield folder


@pytest.fixture
def database(loaded: Path, tmp_path: Path) -> Path:
    """A copy of that database with its kept snapshots, in the test's own folder, which is the working one."""
    shutil.copytree(loaded, tmp_path, dirs_exist_ok=True)
    return tmp_path / DATABASE


_OPEN: list[Engine] = []


def opened(url: str) -> Engine:
    _OPEN.append(open_engine(url, busy_seconds=0.05))
    return _OPEN[-1]


def etl(*arguments: str) -> Result:
    """What the command says; when it is over it has let go of the database, as a process has."""
    MEMORY.forget()  # a process of its own remembers nothing
    result = CliRunner().invoke(command_line.app, arguments)
    while _OPEN:
        _OPEN.pop().dispose()
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def line(result: Result) -> str:
    """The one line of an error, with exit code 1."""
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


# What can befall the database


def cut(database: Path, *, to: float) -> None:
    content = database.read_bytes()
    database.write_bytes(content[: int(len(content) * to)])


def overwrite(database: Path, *, at: float, by: bytes) -> None:
    content = bytearray(database.read_bytes())
    begin = int(len(content) * at) // PAGE * PAGE
    content[begin : begin + len(by)] = by
    database.write_bytes(content)


def version(database: Path, number: int) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE schema_version SET version = ?", (number,))
    connection.close()


def folder_instead(database: Path) -> None:
    database.unlink()
    database.mkdir()


DAMAGED: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut to nothing": (lambda path: cut(path, to=0), "the database is empty; run 'python -m etl load'"),
    "cut in the header": (lambda path: path.write_bytes(path.read_bytes()[:50]), "damaged or no database"),
    "cut after the first page": (lambda path: path.write_bytes(path.read_bytes()[:4096]), "damaged"),
    "cut in the middle": (lambda path: cut(path, to=0.5), "damaged"),
    "another file": (lambda path: path.write_bytes(b"period,market\n2026-06,DE\n" * 900), "damaged or no database"),
    "zeros at the beginning": (lambda path: overwrite(path, at=0, by=bytes(4096)), "damaged or no database"),
    "a newer version": (
        lambda path: version(path, SCHEMA_VERSION + 1),
        f"schema version {SCHEMA_VERSION + 1}, this program needs {SCHEMA_VERSION}; run 'python -m etl rebuild'",
    ),
    "an older version": (
        lambda path: version(path, 1),
        f"schema version 1, this program needs {SCHEMA_VERSION}; run 'python -m etl rebuild'",
    ),
    "a folder in its place": (folder_instead, "cannot be opened; check its path and permissions"),
    "gone": (Path.unlink, "there is no database"),
}


@pytest.mark.parametrize("befell", DAMAGED)
def test_a_damaged_database_is_told_by_the_commands_and_the_app(database: Path, befell: str) -> None:
    damage, says = DAMAGED[befell]
    damage(database)
    assert says in line(etl("status"))
    for path in ("/health", CSV):
        status, text = asked(database, path)
        assert (status, text.count("\n")) == (503, 1)
        assert says in text or text == UNREADABLE
        assert str(database.parent) not in text
    for page in ("/market", "/sources", "/this-week"):
        shown(database, page)
    if "rebuild" in says:
        assert etl("rebuild").exit_code == 0
        assert asked(database, "/health")[0] == 200


UNREADABLE = "the database cannot be read; the reason is in the server's log\n"
"""What the app says to everybody where the reason would be of no use to them."""


def asked(database: Path, path: str) -> tuple[int, str]:
    """What the app answers."""
    MEMORY.forget()
    engine = open_engine(f"sqlite:///{database}", busy_seconds=0.05)
    try:
        answer = create_app(engine, today=lambda: date(2026, 3, 1)).server.test_client().get(path)
        assert "Traceback" not in answer.text
        return answer.status_code, answer.text
    finally:
        engine.dispose()


def shown(database: Path, page: str) -> None:
    """A page of the app says what is wrong, in the place of its charts, and keeps its navigation."""
    engine = open_engine(f"sqlite:///{database}", busy_seconds=0.05)
    try:
        client = create_app(engine, today=lambda: date(2026, 3, 1)).server.test_client()
        assert client.get(page).status_code == 200
        answer = client.get("/_dash-layout", headers={"Referer": f"http://localhost{page}"})
        assert answer.status_code == 200
        assert "Traceback" not in answer.text
        assert "cannot be read" in answer.text
    finally:
        engine.dispose()


@pytest.mark.parametrize("to", [n / 12 for n in range(12)])
def test_a_database_that_was_cut_off_anywhere_is_told_or_gives_the_same_file(database: Path, to: float) -> None:
    expected = asked(database, CSV)
    assert expected[0] == 200
    cut(database, to=to)
    found = asked(database, CSV)
    assert found == expected or (found[0] == 503 and found[1].count("\n") == 1)
    result = etl("status")
    assert result.exit_code == 0 or "error: " in line(result)


@pytest.mark.parametrize("seed", range(12))
def test_a_page_that_was_overwritten_is_told_by_the_status_and_shows_nothing_wrong(database: Path, seed: int) -> None:
    """With zeros or with noise, a whole page or the first half of one."""
    dice = random.Random(seed)
    expected = asked(database, CSV)
    size = PAGE if seed % 3 else PAGE // 2
    by = bytes(size) if seed % 2 else dice.randbytes(size)
    overwrite(database, at=(seed + dice.random()) / 12, by=by)
    found = asked(database, CSV)
    assert found == expected or found[0] == 503
    assert found == expected or found[1].count("\n") == 1
    assert "damaged" in line(etl("status"))


# The write-ahead log


@pytest.fixture
def unfinished(database: Path, tmp_path: Path) -> Path:
    """A database that was copied while it was open: its last load is in the log beside it only."""
    engine = open_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_autocheckpoint = 0")
        connection.exec_driver_sql("UPDATE sales SET units = 61 WHERE units = 60")
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("BEGIN")
        copy = tmp_path / "copy"
        copy.mkdir()
        for path in tmp_path.glob(f"{DATABASE}*"):
            shutil.copy(path, copy / path.name)
    engine.dispose()
    assert (copy / f"{DATABASE}-wal").stat().st_size > 0
    return copy / DATABASE


def test_a_log_that_is_there_is_read_and_one_that_is_lost_leaves_the_state_before(
    database: Path, unfinished: Path
) -> None:
    without = Path(shutil.copy(unfinished, unfinished.with_name("without.sqlite")))
    assert 61 in {units for *_, units, _ in sales(unfinished)}
    assert {60} <= {units for *_, units, _ in sales(without)}
    assert asked(without, "/health")[0] == asked(unfinished, "/health")[0] == 200


def sales(database: Path) -> list[tuple[object, ...]]:
    with killing.reading(database) as connection:
        return connection.execute("SELECT * FROM sales").fetchall()


@pytest.mark.parametrize("log", ["noise", "cut", "empty"])
def test_a_log_that_is_damaged_is_not_believed(unfinished: Path, log: str) -> None:
    path = unfinished.with_name(f"{DATABASE}-wal")
    whole = path.read_bytes()
    path.write_bytes({"noise": random.Random(1).randbytes(len(whole)), "cut": whole[:100], "empty": b""}[log])
    unfinished.with_name(f"{DATABASE}-shm").unlink()
    assert {60} <= {units for *_, units, _ in sales(unfinished)}
    assert asked(unfinished, "/health")[0] == 200


# Kept snapshots


TAMPERED: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "the figures edited": (
        lambda packed, _: packed.write_bytes(gzip.compress(gzip.decompress(packed.read_bytes()) + b"//")),
        "is not what its receipt says (its checksum differs)",
    ),
    "the figures cut": (lambda packed, _: packed.write_bytes(packed.read_bytes()[:-20]), "cannot be unpacked"),
    "the figures gone": (lambda packed, _: packed.unlink(), "cannot be unpacked"),
    "a bomb": (
        lambda packed, _: packed.write_bytes(gzip.compress(bytes(1_000_000)) * 200),
        "is not what its receipt says (its checksum differs)",
    ),
    "the receipt's checksum": (lambda _, receipt: edit(receipt, sha256="0" * 64), "it lies elsewhere than"),
    "the receipt's day": (lambda _, receipt: edit(receipt, known_on="2026-01-01"), "it lies elsewhere than"),
    "the receipt's file": (lambda _, receipt: edit(receipt, file="data/data-NO.js"), "it lies elsewhere than"),
    "the receipt's size": (lambda _, receipt: edit(receipt, bytes=7), "is not what its receipt says"),
    "the receipt's words": (lambda _, receipt: edit(receipt, obtained="stolen"), "is no receipt"),
    "the receipt emptied": (lambda _, receipt: receipt.write_bytes(b""), "is no receipt"),
    "another program's source": (
        lambda packed, _: shutil.copytree(packed.parents[1], packed.parents[2] / "newer") and rename(packed),
        "which is no source of this program",
    ),
}


def edit(receipt: Path, **changes: object) -> None:
    receipt.write_text(json.dumps(json.loads(receipt.read_bytes()) | changes))


def rename(packed: Path) -> None:
    for receipt in (packed.parents[2] / "newer").glob("2026-*/*.json"):
        edit(receipt, source="newer")


@pytest.mark.parametrize("what", TAMPERED)
def test_a_kept_snapshot_that_was_tampered_with_is_one_line_and_the_database_stays(database: Path, what: str) -> None:
    tamper, says = TAMPERED[what]
    before = killing.state(database)
    (receipt,) = Path("snapshots").glob("*/2026-02-25/*DE*.json")
    packed = Path("snapshots/open-ev-charts/content", json.loads(receipt.read_bytes())["sha256"] + ".gz")
    tamper(packed, receipt)
    told = line(etl("rebuild"))
    assert says in told
    assert "restore it from a backup" in told or "update the program" in told
    assert killing.state(database) == before
    assert asked(database, "/health")[0] == 200


@pytest.mark.parametrize("gone", ["a receipt", "the folder"])
def test_what_is_kept_no_more_is_in_the_database_all_the_same_and_a_rebuild_does_not_take_it_away(
    database: Path, gone: str
) -> None:
    before = killing.state(database)
    if gone == "a receipt":
        next(Path("snapshots").glob("*/2026-02-25/*DE*.json")).unlink()
    else:
        shutil.rmtree("snapshots")
    assert "would be lost; name the folder of the kept snapshots in SNAPSHOTS" in line(etl("rebuild"))
    assert etl("status").exit_code == 0
    assert killing.state(database) == before
