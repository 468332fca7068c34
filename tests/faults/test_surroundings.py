"""A full disk, one that cannot be written to, a locked database, a wrong clock, somebody who interrupts.

Each leaves what was there, and says so in one line with the remedy.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from db import store
from db.database import open_engine
from etl import __main__ as command_line
from etl import bundle
from tests import world
from tests.etl.test_fetch_command import text_with
from tests.faults import killing

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")

DATABASE = "ev_market.sqlite"


_COMPILED: dict[Any, Any] = {}


def impatient(url: str) -> Engine:
    # What statements compile to is remembered from one process to the next, which saves time.
    return open_engine(url, busy_seconds=0.05).execution_options(compiled_cache=_COMPILED)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that stands at noon of the first of March, little patience, and nothing that ships."""
    at(monkeypatch, datetime(2026, 3, 1, 12, tzinfo=UTC))
    monkeypatch.setattr(command_line, "open_engine", impatient)
    monkeypatch.setattr(bundle, "sources", lambda *_: [])


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(command_line, "_now", lambda: moment)


@pytest.fixture(scope="module")
def february(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny world of February loaded, and what it says in March beside it."""
    folder = tmp_path_factory.mktemp("february")
    world.copy(folder / "old")
    world.copy(folder / "new")
    (folder / "new/data/data-DE.js").write_text(text_with(60), encoding="utf-8")
    (folder / "mine.csv").write_text(
        "period,market,basis,powertrain,maker,units\n"
        + "".join(f"20{year}-01,DE,registration,BEV,all,100\n" for year in range(10, 26))
    )
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        here.setattr(command_line, "open_engine", impatient)
        result = CliRunner().invoke(command_line.app, ["load", "--from", "old", "--known-on", "2026-02-20"])
        assert result.exit_code == 0, result.output
    gc.collect()  # which closes the database
    assert not (folder / f"{DATABASE}-wal").exists()
    return folder


@pytest.fixture
def home(february: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(february, tmp_path / "home"))


def etl(*arguments: str, within: Path, first: Callable[[], None] = lambda: None) -> killing.Ended:
    """What `python -m etl` does in a folder as a process of its own, which does something else first."""

    def command() -> None:
        first()
        command_line.app(arguments)

    return killing.run(command, within=within)


LOAD = ("load", "--from", "new")
IMPORT = ("import", "mine.csv")


def told(ended: killing.Ended) -> str:
    """The one line of an error, the last one that was printed; there is no traceback."""
    assert ended.code == 1, ended.printed
    assert "Traceback" not in ended.printed
    *_, last = ended.printed.splitlines()
    assert last.startswith("error: ")
    assert ended.printed.count("error: ") == 1
    return last


def completes(within: Path, *arguments: str) -> None:
    ended = etl(*arguments, within=within)
    assert ended.code == 0, ended.printed
    assert [path.name for path in within.rglob("*.unfinished")] == []


# The disk


@contextmanager
def small_disk(folder: Path, *, kilobytes: int) -> Iterator[bool]:
    """A disk of its own below a folder, for root; others get none, and set a limit to the size of files instead."""
    made = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], check=False, capture_output=True
        ).returncode
    )
    try:
        yield made
    finally:
        if made:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("arguments", [LOAD, IMPORT], ids=["load", "import"])
@pytest.mark.parametrize("left", [0, 8, 40, 64])
def test_a_full_disk_is_one_line_and_loses_nothing(
    february: Path, tmp_path: Path, arguments: tuple[str, ...], left: int
) -> None:
    """With so many kilobytes left: a disk of four megabytes for root, a limit to the size of each file for others."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, kilobytes=4096) as is_disk:
        shutil.copytree(february, folder, dirs_exist_ok=True)
        before = killing.state(folder / DATABASE)

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (left * 1024, resource.RLIM_INFINITY))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        if is_disk:
            use_up(folder, but=left)
            ended = etl(*arguments, within=folder)
        else:
            ended = etl(*arguments, within=folder, first=limit)
        (folder / "filling").unlink(missing_ok=True)
        if ended.code:  # so much may be enough
            line = told(ended)
            assert "free some space" in line or "ulimit" in line, line
            # A file that was reported is loaded; what the figures say of one another was not reckoned any more.
            assert killing.state(folder / DATABASE) == before or "1 figures new or changed" in ended.printed
        else:
            assert left > 8
        completes(folder, *arguments)
        assert killing.state(folder / DATABASE) != before


def use_up(folder: Path, *, but: int) -> None:
    """Fill a disk until so many kilobytes are left."""
    free = os.statvfs(folder)
    with (folder / "filling").open("wb") as stream:
        stream.write(bytes(max(0, free.f_bavail * free.f_bsize - but * 1024)))


def as_nobody() -> None:
    """Permissions do not bind root: the process goes on as another user."""
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)


@pytest.mark.parametrize(
    ("arguments", "closed"),
    [(of, closed) for of in (LOAD, IMPORT) for closed in (DATABASE, ".", "snapshots")]
    + [(("rebuild",), DATABASE), (("rebuild",), ".")],  # which writes no snapshot
)
def test_what_may_not_be_written_is_one_line_and_loses_nothing(
    home: Path, arguments: tuple[str, ...], closed: str
) -> None:
    before, kept = killing.state(home / DATABASE), killing.tree(home / "snapshots")
    for path in [home, *home.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    for path in home.parents[:3]:
        path.chmod(0o755)
    for path in [home / closed, *((home / closed).rglob("*") if closed == "snapshots" else ())]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    line = told(etl(*arguments, within=home, first=as_nobody))
    assert "permissions" in line
    for path in [home, *home.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    assert killing.state(home / DATABASE) == before
    assert killing.tree(home / "snapshots") == kept
    completes(home, *arguments)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
def test_a_file_system_that_is_read_only_is_one_line(home: Path) -> None:
    before = killing.state(home / DATABASE)
    with read_only(home):
        line = told(etl(*LOAD, within=home))
        assert "cannot be written" in line or "cannot be opened" in line
        status = etl("status", within=home)
        assert "Traceback" not in status.printed
        assert status.code == 0 or "permissions" in told(status)
    assert killing.state(home / DATABASE) == before
    completes(home, *LOAD)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    def mount(*arguments: str) -> None:
        subprocess.run(["mount", *arguments, str(folder)], check=True)

    mount("--bind", str(folder))
    try:
        mount("-o", "remount,bind,ro")
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


# Others at the database


@pytest.mark.parametrize("arguments", [LOAD, IMPORT, ("rebuild",)], ids=["load", "import", "rebuild"])
def test_another_writer_is_waited_for_and_then_named(home: Path, arguments: tuple[str, ...]) -> None:
    before = killing.state(home / DATABASE)
    writer = sqlite3.connect(home / DATABASE, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    line = told(etl(*arguments, within=home))
    assert "another load is writing" in line
    assert killing.state(home / DATABASE) == before
    status = etl("status", "--json", within=home)  # who reads waits for nobody
    assert status.code == 0
    assert json.loads(status.printed)["sources"]
    writer.execute("ROLLBACK")
    writer.close()
    completes(home, *arguments)


# The clock


def test_a_clock_that_was_set_back_is_told_and_nothing_that_stands_is_changed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = figures(home)
    at(monkeypatch, datetime(2026, 2, 1, 12, tzinfo=UTC))
    ended = etl(*LOAD, within=home)
    assert "error: 5 files not loaded" in told(ended)
    assert (
        "known on 2026-02-01, but figures known on 2026-02-20 are loaded already; the snapshot is kept, "
        "and 'python -m etl rebuild' puts it in its place"
    ) in ended.printed
    assert "remove open-ev-charts/2026-02-20 from the kept snapshots first" in ended.printed
    assert figures(home) == before


def figures(folder: Path) -> list[tuple[object, ...]]:
    with killing.reading(folder / DATABASE) as connection:
        return sorted(connection.execute("SELECT series_id, period_start, known_from, known_to, units FROM sales"))


def test_figures_of_a_clock_far_ahead_can_be_taken_back_as_the_message_says(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "new/data/data-DE.js").write_text(text_with(70), encoding="utf-8")
    at(monkeypatch, datetime(2099, 1, 1, 12, tzinfo=UTC))
    completes(home, *LOAD)
    at(monkeypatch, datetime(2026, 3, 1, 12, tzinfo=UTC))
    (home / "new/data/data-DE.js").write_text(text_with(60), encoding="utf-8")
    ended = etl(*LOAD, within=home)
    assert "error: " in told(ended)
    assert "2099-01-01 is yet to come, remove open-ev-charts/2099-01-01 from the kept snapshots first" in ended.printed
    shutil.rmtree(home / "snapshots/open-ev-charts/2099-01-01")
    completes(home, "rebuild", "--accept-removals")
    standing = {units for *_, known_to, units in figures(home) if known_to == "9999-12-31"}
    assert 60 in standing
    assert 70 not in standing


# Interruptions


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("arguments", [LOAD, IMPORT, ("rebuild",)], ids=["load", "import", "rebuild"])
def test_who_interrupts_is_told_what_is_safe_and_the_next_one_completes(
    home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], by: signal.Signals
) -> None:
    """In the middle of the last transaction, when all is written and nothing committed."""
    before = killing.state(home / DATABASE)
    save, was = store.save_cross_checks, signal.getsignal(signal.SIGTERM)

    def interrupted(*about: object) -> None:
        save(*about)  # type: ignore[arg-type]
        os.kill(os.getpid(), by)

    def first() -> None:
        store.save_cross_checks = interrupted  # type: ignore[assignment]

    ended = etl(*arguments, within=home, first=first)
    assert ended.code == 128 + by
    assert "error: interrupted; every snapshot that was reported is loaded whole, nothing else is" in ended.printed
    assert "Traceback" not in ended.printed
    assert signal.getsignal(signal.SIGTERM) == was
    if arguments == ("rebuild",):
        assert killing.state(home / DATABASE) == before
    completes(home, *arguments)
