"""A command that is killed at any moment leaves the last good state, and the next one completes what it began."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from dashboard import pictures, projected
from dashboard import report as report_command
from dashboard.projections import fitting
from dashboard.projections.fitting import Fit
from dashboard.projections.parameters import Draws
from dashboard.report_pages import A4, Digest
from dashboard.style import Look
from db.database import open_engine
from etl import __main__ as command_line
from etl import bundle
from etl.web import Web
from tests import world
from tests.dashboard.test_report import white
from tests.etl.test_fetch_command import MASTER, _OnThisMachine, publish, text_with
from tests.faults import killing
from tests.upstream import Clock, running
from tests.world import rows

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")

USUAL = 25
"""How often each of the four commands is killed."""

EARLIER = "2026-02-20"
_MINE = """period,market,basis,powertrain,maker,units
2026-01,GB,registration,BEV,MG,{}
"""
"""More MG cars than the 200 that the tiny world has in Britain in that month differ from it."""
_SHEETS = """
[[sheet]]
name = "Germany"
chart = "market-share"
query = "market=DE"
when = "always"
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is such a thing: a hundred runs flush thousands of files."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="ev-market-") as folder:
        yield Path(folder)


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[Path]:
    """The tiny world as it is today, publishers that serve it, a clock that stands, and nothing that ships."""
    clock = Clock()
    compiled: dict[Any, Any] = {}

    def patient(url: str) -> Engine:
        # What statements compile to is remembered from one run to the next, which saves half of the time.
        return open_engine(url, busy_seconds=1).execution_options(compiled_cache=compiled)

    monkeypatch.setattr(command_line, "_now", clock.now)
    monkeypatch.setattr(command_line, "open_engine", patient)
    monkeypatch.setattr(bundle, "sources", lambda *_: [])
    monkeypatch.setattr(pictures, "start", lambda: None)
    monkeypatch.setattr(pictures, "render", lambda _figure, *, format, look: white(*_size(look)))
    monkeypatch.setattr(Digest, "page", lambda _layout, paper, _charts: paper)
    upstream = world.copy(place / "upstream")
    (upstream / "data/data-DE.js").write_text(text_with(60), encoding="utf-8")
    (upstream / "data/data-UK.js").write_text(world.text("data/data-UK.js").replace("200\n});\n", "100\n});\n"))
    (place / "mine.csv").write_text(_MINE.format(250))
    (place / "sheets.toml").write_text(_SHEETS)
    with running() as server:
        monkeypatch.setattr(
            command_line,
            "Web",
            partial(Web, transport=_OnThisMachine(server.url), clock=clock, sleep=clock.sleep),
        )
        scripts = "".join(f'<script src="{file}"></script>' for file in world.FILES)
        server.serve(f"{MASTER}index.html", scripts)
        for file in world.FILES:
            publish(server, file, (upstream / file).read_text(encoding="utf-8"))
        yield place


def _size(look: Look) -> tuple[int, int]:
    return A4 if look.height == A4[1] else (64, 36)


def etl(*arguments: str) -> killing.Command:
    return lambda: command_line.app(arguments)


def done(command: killing.Command, within: Path) -> killing.Ended:
    """What becomes of a command that nobody kills: it succeeds."""
    ended = killing.run(command, within=within)
    assert ended.code == 0, ended.printed
    return ended


@pytest.fixture
def before(surroundings: Path) -> Path:
    """A folder in which all that is about to be loaded, fetched and imported was there before, with other figures."""
    folder = surroundings / "before"
    folder.mkdir()
    world.copy(folder / "old")
    (folder / "mine.csv").write_text(_MINE.format(150))
    done(etl("load", "--from", "old", "--known-on", EARLIER), folder)
    done(etl("import", "mine.csv"), folder)
    shutil.copy(surroundings / "mine.csv", folder / "mine.csv")
    return folder


def warm(command: killing.Command, before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command here once, on a copy: what it makes ready the forked processes have then."""
    copy = Path(shutil.copytree(before, before.with_name("warm")))
    with monkeypatch.context() as there, suppress(SystemExit):
        there.chdir(copy)
        command()


COMMANDS = {
    "load": etl("load", "--from", "../upstream"),
    "fetch": etl("fetch", "--source", "open-ev-charts"),
    "import": etl("import", "mine.csv"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_leaves_the_last_good_state_and_the_next_one_completes_it(
    before: Path, place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    command = COMMANDS[name]
    warm(command, before, monkeypatch)
    was = killing.state(before / "ev_market.sqlite")
    whole = Path(shutil.copytree(before, place / "whole"))
    ended = killing.run(command, within=whole, watch=whole / "ev_market.sqlite")
    assert ended.code == 0, ended.printed
    expected, kept = killing.state(whole / "ev_market.sqlite"), killing.tree(whole / "snapshots")
    good = {*ended.seen, expected}
    assert was in good
    assert expected != was
    assert cross_checks(whole) != cross_checks(before)
    healthy(whole / "ev_market.sqlite")
    left = set()
    for moment in killing.moments(ended.moments, usual=USUAL, seed=1):
        folder = Path(shutil.copytree(before, place / "killed"))
        killed = killing.run(command, within=folder, kill_at=moment)
        assert killed.code == -9, (moment, killed.printed)
        state = killing.state(folder / "ev_market.sqlite")
        left.add(state)
        assert state in good, (name, moment)
        done(command, folder)
        assert killing.state(folder / "ev_market.sqlite") == expected, (name, moment)
        assert killing.tree(folder / "snapshots") == kept, (name, moment)
        shutil.rmtree(folder)
    assert len(left) > 1  # some were killed before the first transaction, others after


def test_what_a_killed_writer_left_half_written_is_cleared_away_by_the_next_one(before: Path) -> None:
    """Also where the next one writes nothing of that name."""
    left = before / "snapshots/open-ev-charts/content/0123.gz.unfinished"
    for command in (*COMMANDS.values(), etl("rebuild")):
        left.write_bytes(b"half")
        done(command, before)
        assert not left.exists()


def cross_checks(folder: Path) -> list[tuple[object, ...]]:
    with killing.reading(folder / "ev_market.sqlite") as connection:
        return connection.execute("SELECT * FROM cross_check_difference").fetchall()


def healthy(database: Path) -> None:
    engine = open_engine(f"sqlite:///{database}")
    rows.healthy(engine)
    engine.dispose()


# The report


def report(*more: str) -> killing.Command:
    arguments = ("--week", "2026-W10", "--sheets", "../sheets.toml", *more)
    return lambda: report_command.app(arguments)


@pytest.mark.parametrize("exchanging", [True, False], ids=["in one step", "in two steps"])
def test_a_report_that_is_killed_leaves_the_one_before_it_and_the_next_one_is_made_whole(
    before: Path, place: Path, monkeypatch: pytest.MonkeyPatch, exchanging: bool
) -> None:
    """Where folders cannot change places in one step, the report of before may be away until the next is made."""
    if not exchanging:
        monkeypatch.setattr(report_command, "_exchanged", lambda *_: False)
    done(report("--stale"), before)
    warm(report(), before, monkeypatch)
    was = killing.tree(before / "reports")
    whole = Path(shutil.copytree(before, place / "whole"))
    ended = done(report(), whole)
    expected = killing.tree(whole / "reports")
    assert len(expected) == len(was) == 5
    assert expected != was
    left = []
    for moment in killing.moments(ended.moments, usual=USUAL if exchanging else 5, seed=2):
        folder = Path(shutil.copytree(before, place / "killed"))
        killed = killing.run(report(), within=folder, kill_at=moment)
        assert killed.code == -9, (moment, killed.printed)
        left.append(seen(folder))
        assert left[-1] in ([was, expected] if exchanging else [was, expected, {}]), moment
        done(report(), folder)
        assert killing.tree(folder / "reports") == expected, moment
        assert killing.state(folder / "ev_market.sqlite") == killing.state(before / "ev_market.sqlite")
        shutil.rmtree(folder)
    assert was in left


def seen(folder: Path) -> dict[str, str]:
    """The reports in a folder as a reader finds them: what begins with a point is hidden."""
    return {name: told for name, told in killing.tree(folder / "reports").items() if not name.startswith(".")}


def test_a_report_of_which_only_the_one_before_was_left_is_put_back(before: Path) -> None:
    """By a maker of another week, too: 4194305 is no process, since there are none above 2 to the 22nd."""
    done(report(), before)
    made = killing.tree(before / "reports")
    (before / "reports/2026-W10").rename(before / "reports/.2026-W10.4194305.before")
    (before / "reports/.2026-W09.4194305.unfinished").mkdir()
    (before / "reports/.2026-W09.1.unfinished").mkdir()  # process 1 runs
    done(lambda: report_command.app(("--week", "2026-W11", "--sheets", "../sheets.toml")), before)
    after = killing.tree(before / "reports")
    assert {name: told for name, told in after.items() if "W10" in name} == made
    assert sorted(path.name for path in (before / "reports").iterdir()) == [
        ".2026-W09.1.unfinished",
        "2026-W10",
        "2026-W11",
    ]


# The fits


def test_a_fit_that_is_killed_while_it_is_written_is_made_again_and_leaves_nothing(place: Path) -> None:
    """What is computed is of no account here: a fit of one draw, written where a real one is."""
    shocks = np.ones((fitting.QUARTERS - 1, 1), np.float32)
    draws = Draws({"attach": np.ones(1, np.float32)}, shocks, 1)
    fit = Fit(draws=draws, steps=(), distinct=1, particles=1, identity="one")

    def make() -> None:
        """As `projected.make_fit` does, alone in the folder."""
        with projected._alone(Path("fits")):
            fitting.save(fit, Path("fits"))

    folder = place / "work"
    folder.mkdir()
    ended = done(make, folder)
    assert len(ended.moments) >= 4
    for moment in range(1, len(ended.moments) + 1):
        shutil.rmtree(folder / "fits")
        killed = killing.run(make, within=folder, kill_at=moment)
        assert killed.code == -9, killed.printed
        found = fitting.load(folder / "fits", "one")
        assert found is None or found.distinct == 1
        done(make, folder)
        assert fitting.load(folder / "fits", "one") is not None
        assert sorted(path.name for path in (folder / "fits").iterdir()) == [".making", "fsd-fit-one.npz"]
