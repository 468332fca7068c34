"""A browser and two apps a worker: the real one on all figures that ship, and one with made-up pages of few cards."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from dash import Dash
from playwright.sync_api import Browser, BrowserContext
from sqlalchemy import Engine
from werkzeug.serving import make_server

from dashboard import pictures, projected
from dashboard.app import create_app
from dashboard.pages import PAGES
from dashboard.projections import scoring
from db.database import open_engine
from tests.browser import arrangement
from tests.browser.reader import Reader
from tests.browser.views import VIEWS
from tests.world import projections

TODAY = date(2026, 11, 2)
"""The Monday after the newest file that ships."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a page in a view follow one another; pytest's own order would open each page several times."""

    def place(item: pytest.Function) -> tuple[int, int]:
        return PAGES.index(item.callspec.params["visit"]), [*VIEWS].index(item.callspec.params["seen"])

    places = [n for n, item in enumerate(items) if {"visit", "seen"} <= set(getattr(item, "fixturenames", ()))]
    of_views = [item for n in places if isinstance(item := items[n], pytest.Function)]
    for n, item in zip(places, sorted(of_views, key=place), strict=True):
        items[n] = item


@contextmanager
def serving(app: Dash) -> Iterator[str]:
    """The address of an app while it is served."""
    server = make_server("127.0.0.1", 0, app.server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    pictures.close()


@pytest.fixture(scope="session")
def site(bundled_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app as it is served, on all figures that ship.

    The fits of the projection are small, and its back-tests made up, so that they are there at once.
    """
    if bundled_engine.dialect.name != "sqlite":
        pytest.skip("the pages are the same on every engine")
    folder = tmp_path_factory.mktemp("real")
    file = Path(shutil.copy(str(bundled_engine.url.database), folder / "ev_market.sqlite"))
    engine = open_engine(f"sqlite:///{file}")
    for as_of in (None, projections.PAST):
        with engine.connect() as connection:
            told = projected.told(connection, as_of=as_of, today=TODAY)
        projections.fit(told)
    stored = scoring.stored
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            projected.scoring,
            "stored",
            lambda record, fits: projections.predictions() if fits == folder / "fits" else stored(record, fits),
        )
        with serving(create_app(engine, today=lambda: TODAY)) as address:
            yield address
    engine.dispose()


@pytest.fixture(scope="session")
def made_up_site(bundled_engine: Engine) -> Iterator[str]:
    """The address of an app on the figures that ship, with pages of one card and of three."""
    with serving(create_app(bundled_engine, pages=arrangement.PAGES)) as address:
        yield address


@pytest.fixture(scope="session")
def profiles(browser: Browser) -> Iterator[dict[str, BrowserContext]]:
    """The browser's profiles by their options: what one test has loaded need not be loaded again."""
    kept: dict[str, BrowserContext] = {}
    yield kept
    for context in kept.values():
        context.close()


@pytest.fixture
def reader(
    browser: Browser, site: str, profiles: dict[str, BrowserContext], request: pytest.FixtureRequest
) -> Iterator[Reader]:
    """A reader on a desktop screen, or with other options of the browser's profile, who was never here before."""
    options = {"viewport": {"width": 1440, "height": 900}, **getattr(request, "param", {})}
    name = json.dumps(options)
    if name not in profiles:
        profiles[name] = browser.new_context(**options)
    found = Reader(profiles[name], site)
    yield found
    found.page.evaluate("localStorage.clear()")
    found.page.close()
    profiles[name].clear_cookies()
    assert found.errors == []
    assert found.abroad == []
