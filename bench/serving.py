"""The app as it is served, in a process of its own, and requests to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from time import sleep


@contextmanager
def serving(arguments: list[str], settings: dict[str, str], port: int) -> Iterator[None]:
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
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def app(database: str, port: int) -> Iterator[None]:
    """Our app on a database file."""
    settings = {"DATABASE_URL": f"sqlite:///{database}", "PORT": str(port), "HOST": "127.0.0.1"}
    with serving(["-m", "dashboard"], settings, port):
        yield


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
