"""Processes that are killed, each at a moment that is counted and not timed.

A moment is a call by which a process changes what is outside of it, or is about to: a file that is opened, renamed or
removed, a folder that is made or removed, a file into which nothing is written yet, or all, a connection to a server,
or a statement that SQLite is given (the beginning and the end of each transaction among them). Python tells of the
first by its audit events, `os.fsync` and `io.open` are wrapped, and SQLite traces its statements. The process is killed
before the call. What a process does between two moments nobody outside can see.

Processes are forked off the one that tests, so that each costs a few milliseconds.
"""

from __future__ import annotations

import gc
import hashlib
import io
import json
import os
import random
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

Command = Callable[[], None]

_CHANGES = frozenset(
    ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "shutil.rmtree", "socket.connect")
)
SECONDS = 60
"""After which a process that hangs is ended, and its test fails."""


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (-9 for one that was killed), its moments, and what it printed.

    `moments` has a letter for each: s for a statement, f for a file or a connection.

    `seen` are the states of the database that a reader could have seen meanwhile, where they were asked for.
    """

    code: int
    moments: str
    printed: str
    seen: frozenset[str] = frozenset()


def run(command: Command, *, within: Path, kill_at: int = 0, watch: Path | None = None) -> Ended:
    """Run a command in a folder as a process of its own, killed with SIGKILL before its n-th moment if n is given.

    `watch` is a database whose committed states are noted. What the command prints is at `printed.txt` of the folder.
    """
    gc.freeze()  # what is there is not looked at again, which would copy it
    read, write = os.pipe()
    printed = within.with_suffix(".printed")
    child = os.fork()
    if not child:
        code = 70
        try:
            gc.disable()
            signal.alarm(SECONDS)
            os.close(read)
            os.chdir(within)
            out = os.open(printed, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            counter = _Counter(kill_at, watch)
            counter.begin()
            try:
                command()
                code = 0
            except SystemExit as ended:
                code = int(ended.code or 0)
            counter.is_on = False
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(write, json.dumps([counter.moments, sorted(counter.seen)]).encode())
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)
    gc.unfreeze()
    os.close(write)
    with os.fdopen(read) as told:
        moments, seen = json.loads(told.read() or '["", []]')
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), moments, printed.read_text(errors="replace"), frozenset(seen))


class _Counter:
    """Counts the moments of this process, and kills it at one."""

    def __init__(self, kill_at: int, watch: Path | None) -> None:
        self.moments, self.kill_at, self.is_on = "", kill_at, False
        self.watch, self.seen = watch, set[str]()

    def begin(self) -> None:
        flush = os.fsync

        def counted_flush(file: int) -> None:
            self.step()
            flush(file)

        opened = io.open

        def counted_open(file: Any, mode: str = "r", *how: Any, **named: Any) -> Any:
            stream = opened(file, mode, *how, **named)
            if self.is_on and set(mode) & set("wax+"):
                self.step()
            return stream

        os.fsync, io.open = counted_flush, counted_open
        event.listen(Engine, "connect", lambda connection, _: connection.set_trace_callback(self.statement))
        self.is_on = True
        sys.addaudithook(self.audit)

    def audit(self, name: str, about: tuple[object, ...]) -> None:
        is_written = name == "open" and isinstance(about[2], int) and about[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if self.is_on and (name in _CHANGES or is_written):
            self.step()

    def statement(self, text: str) -> None:
        if self.is_on:
            self.step("s")
            if self.watch and text.startswith("COMMIT"):
                self.is_on = False
                self.seen.add(state(self.watch))
                self.is_on = True

    def step(self, kind: str = "f") -> None:
        self.moments += kind
        if len(self.moments) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def moments(of: str, *, usual: int, seed: int) -> list[int]:
    """Which moments of a command to kill it at: `usual` of them at random, or a quarter of the environment's FAULTS.

    Half of them are moments of files, as far as there are so many. Where that is as many as there are, it is all.
    """
    wanted = int(os.environ.get("FAULTS", "0")) // 4 or usual
    dice = random.Random(seed)
    of_files, others = ([n for n, kind in enumerate(of, start=1) if (kind == "f") is files] for files in (True, False))
    dice.shuffle(of_files)
    dice.shuffle(others)
    half = max(wanted // 2, wanted - len(others))
    return sorted([*of_files[:half], *others[: wanted - min(half, len(of_files))]])


@contextmanager
def reading(database: Path) -> Iterator[sqlite3.Connection]:
    """A database as any reader opens it, who waits for no lock."""
    connection = sqlite3.connect(f"file:{database}?mode=rw", uri=True, timeout=0)
    try:
        yield connection
    finally:
        connection.close()


def state(database: Path) -> str:
    """A digest of every row of every table, but for the identity of the data: every write has its own."""
    told = hashlib.sha256()
    with reading(database) as connection:
        connection.execute("BEGIN")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        for (name,) in names:
            if name != "data_state":
                rows = sorted(map(repr, connection.execute(f"SELECT * FROM {name}")))
                told.update(repr((name, rows)).encode())
    return told.hexdigest()


def tree(folder: Path) -> dict[str, str]:
    """Each file below a folder with a digest of its content."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
