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


def megabytes(pid: int) -> float:
    """The memory of a process and of those that it started (Linux): what they have for themselves, in MB."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            words = path.read_text().rpartition(")")[2].split()
            if path.parent.name == str(pid) or words[1] == str(pid):
                smaps = (path.parent / "smaps_rollup").read_text()
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
