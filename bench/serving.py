"""The app as it is served, in a process of its own, and requests to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from time import sleep


@contextmanager
def serving(arguments: list[str], settings: dict[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process that serves on a port of this machine while the context lasts."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            try:
                get(port, "/")
                break
            except OSError:
                sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def app(database: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Our app on a database file."""
    settings = {"DATABASE_URL": f"sqlite:///{database}", "PORT": str(port), "HOST": "127.0.0.1"}
    with serving(["-m", "dashboard"], settings, port) as process:
        yield process


def until_idle(pid: int) -> None:
    """Wait until a server has done what it does ahead after its start: what pages begin with, and fits (Linux).

    It and all that it started then use less than a twentieth of a core for five seconds.
    """
    for _ in range(120):
        before = _ticks(pid)
        sleep(5)
        if _ticks(pid) - before < 5 * 0.05 * os.sysconf("SC_CLK_TCK"):
            return
    sys.exit("error: the server was still at work after ten minutes")


def _ticks(pid: int) -> int:
    """Time on a core that a process and all that it started have used so far."""
    return sum(int(words[11]) + int(words[12]) for words in _family(pid).values())


def _family(pid: int) -> dict[int, list[str]]:
    """A process and its descendants: what `/proc/PID/stat` says after the name."""
    found: dict[int, list[str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            found[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
    members = {pid}
    while True:
        more = {each for each, words in found.items() if int(words[1]) in members} - members
        if not more:
            return {each: found[each] for each in members if each in found}
        members |= more


def megabytes(pid: int) -> float:
    """The memory of a process and of those that it started (Linux): what they have for themselves, in MB."""
    found = 0
    for each in _family(pid):
        with suppress(OSError):
            smaps = Path(f"/proc/{each}/smaps_rollup").read_text()
            found += sum(int(line.split()[1]) for line in smaps.splitlines() if line.startswith("Private_"))
    return found / 1024


def get(port: int, path: str) -> bytes:
    """The body at a path; `OSError` for an error status."""
    return _ask(port, "GET", path, None)


def post(port: int, path: str, body: bytes) -> bytes:
    """The answer to a JSON body; `OSError` for an error status."""
    return _ask(port, "POST", path, body)


def _ask(port: int, method: str, path: str, body: bytes | None) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body=body, headers={"Content-Type": "application/json"} if body else {})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    if response.status >= 400:
        raise OSError(f"{path}: {response.status}")
    return content
