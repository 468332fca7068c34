"""Serves the app: `python -m dashboard`, on HOST and PORT (127.0.0.1:8050), from DATABASE_URL."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Condition, Thread
from time import sleep
from typing import Any, NoReturn
from urllib.parse import urlsplit

from flask import Flask

from dashboard import guard, password, plotly_bundle, projected
from dashboard.app import create_app
from dashboard.pages import PAGES, board
from dashboard.pages.first_view import FirstViews
from dashboard.pages.page import Site
from dashboard.pages.projection import PROJECTION
from dashboard.password import PasswordError
from dashboard.selection import Refusal
from db import Engine
from db.database import DEFAULT_URL, StoreError, explained, identity, open_engine, ready

WORKERS = 2
THREADS = 16
"""Of each worker: far more than can compute at once, so that those who send or draw slowly hold up nobody else."""

QUIET_SECONDS = 0.5
"""How long nobody has asked for anything before a worker does anything ahead: a page asks several times in a row."""

LOOK_SECONDS = 15
"""How often a worker looks whether other data were loaded, to have read them before somebody asks."""


def main() -> None:
    """Serve until interrupted; one line and exit code 1 where that cannot be."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("dashboard").setLevel(logging.INFO)
    host = os.environ.get("HOST") or "127.0.0.1"
    try:
        port = int(os.environ.get("PORT") or 8050)
        engine = open_engine(os.environ.get("DATABASE_URL") or DEFAULT_URL)
        ready(engine)
        file = os.environ.get("PASSWORD_FILE")
        passwords = password.read(Path(file)) if file else {}
    except ValueError:
        _fail(f"PORT={os.environ['PORT']} is no number")
    except (StoreError, PasswordError) as error:
        _fail(str(error))
    address = _public_address()
    _check_free(host, port)
    if not guard.is_local(host):
        _warn(host, with_passwords=bool(passwords))
    names = guard.names(host=host, address=address)
    folder = TemporaryDirectory(prefix="ev-market-", ignore_cleanup_errors=True)
    first_views = FirstViews(Path(folder.name))
    server = create_app(engine, address=address, names=names, passwords=passwords, first_views=first_views).server
    idle = Idle(server.wsgi_app)
    server.wsgi_app = idle
    plotly_bundle.script()
    # What is there now stays: the collector need not walk it again in the middle of a request.
    gc.collect()
    gc.freeze()
    # Workers are forked off this process: none may inherit its connections.
    engine.dispose()
    print(f"EV Market is on http://{host}:{port} (Ctrl-C ends it)", flush=True)
    if sys.platform == "win32":
        _serve_by_waitress(server, lambda: _begin_ahead(engine, idle, first_views), host=host, port=port)
    else:
        _serve_by_gunicorn(server, lambda: _begin_ahead(engine, idle, first_views), host=host, port=port)


def _public_address() -> str:
    """PUBLIC_URL, without a slash at its end; nothing where it is not set."""
    address = os.environ.get("PUBLIC_URL", "").rstrip("/")
    try:
        parts = urlsplit(address)
        is_address = parts.scheme in ("http", "https") and parts.hostname and not parts.username
    except ValueError:
        is_address = False
    if address and not is_address:
        _fail("PUBLIC_URL is no address such as https://ev.example.org")
    return address


def _warn(host: str, *, with_passwords: bool) -> None:
    """Say what is at risk where other machines reach the server as it is, without TLS."""
    if with_passwords:
        risk = "passwords and figures cross the network unencrypted"
    else:
        risk = "whoever reaches it sees all figures, your own too"
    print(
        f"warning: {host} is open to other machines: {risk}; see 'Serving it to others' in OPERATING.md",
        file=sys.stderr,
    )


def _check_free(host: str, port: int) -> None:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        _fail(f"{host}:{port} cannot be served ({reason}); choose another with PORT=8051 or HOST")


def _serve_by_gunicorn(server: Flask, begin: Callable[[], None], *, host: str, port: int) -> None:
    from gunicorn.app.base import BaseApplication

    from dashboard.worker import Worker

    class Served(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            settings: dict[str, Any] = {
                "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
                "workers": WORKERS,
                "threads": THREADS,
                "worker_class": Worker,
                "preload_app": True,
                "timeout": 120,
                "limit_request_line": 8190,
                # What a proxy says about a request is not taken from anybody: PUBLIC_URL says how the app is reached.
                "forwarded_allow_ips": "",
                "loglevel": "warning",
                "post_worker_init": lambda _worker: begin(),
            }
            for name, value in settings.items():
                self.cfg.set(name, value)

        def load(self) -> Flask:
            return server

    Served().run()


def _serve_by_waitress(server: Flask, begin: Callable[[], None], *, host: str, port: int) -> None:
    from waitress import serve  # type: ignore[import-untyped]

    begin()
    serve(server, host=host, port=port, threads=THREADS, max_request_body_size=guard.BODY_BYTES)


class Idle:
    """A WSGI app that knows whether a request is under way."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._under_way = 0
        self._changed = Condition()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        with self._changed:
            self._under_way += 1
            self._changed.notify_all()
        try:
            return self._app(environ, start_response)
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def wait(self, *, seconds: float) -> None:
        """Wait until no request has been under way for so many seconds."""
        with self._changed:
            begun = True
            while begun:
                self._changed.wait_for(lambda: not self._under_way)
                begun = self._changed.wait_for(lambda: self._under_way > 0, timeout=seconds)


def _begin_ahead(engine: Engine, idle: Idle, first_views: FirstViews) -> None:
    """Do in the background what takes seconds, so that nobody who asks for it waits: read the figures of all markets,
    draw what each page begins with, and make and read what the projection rests on."""
    Thread(target=_ahead, args=(engine, idle, first_views), daemon=True).start()
    url = engine.url.render_as_string(hide_password=False)
    projected.work_in_background(url, then=lambda: _read_projection(engine))


def _read_projection(engine: Engine) -> None:
    with suppress(Refusal, StoreError), explained(engine), engine.connect() as connection:
        for chart in PROJECTION.charts:
            chart.load(connection, chart.defaults, today=datetime.now(UTC).date())


def _ahead(engine: Engine, idle: Idle, first_views: FirstViews) -> None:
    """Do in the background, while nobody asks, what those who ask would wait for.

    What takes seconds to import and one chart needs; and the figures of all markets and what pages begin with, again
    whenever others are loaded and on another day.
    """
    idle.wait(seconds=QUIET_SECONDS)
    import_module("statsmodels.tsa.seasonal")
    site = Site(engine=engine, address="", today=date.today)
    read = None
    while True:
        with suppress(StoreError):
            with explained(engine), engine.connect() as connection:
                found = identity(connection), site.today()
            if found != read:
                for _ in board.answers_ahead(site, PAGES):
                    idle.wait(seconds=QUIET_SECONDS)
                # Nor need the collector walk what is remembered in the middle of a request.
                gc.collect()
                gc.freeze()
                read = found
            for _ in first_views.prepare(site, PAGES):
                idle.wait(seconds=QUIET_SECONDS)
        sleep(LOOK_SECONDS)


def _fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
