"""The first page in Chromium, cold and reloaded, against an empty Dash page with one chart; and requests a second."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

from playwright.sync_api import Browser, Page, sync_playwright

from bench import serving
from bench.charts import Callback, bundled_database
from bench.report import Row

REPEATS = 7
REQUESTS, CLIENTS = 400, 8
_OURS, _EMPTY = 8151, 8152
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


def measure() -> list[Row]:
    """The rows of the page benchmark: medians of alternating loads, each with an empty browser cache."""
    with TemporaryDirectory() as name:
        bundled_database(Path(name) / "ev_market.sqlite")
        empty = ["-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{_EMPTY}", "bench.empty_page:server"]
        with serving.app(f"{name}/ev_market.sqlite", _OURS) as app, serving.serving(empty, {}, _EMPTY):
            cold: dict[int, list[float]] = {_OURS: [], _EMPTY: []}
            again: dict[int, list[float]] = {_OURS: [], _EMPTY: []}
            seen: list[float] = []
            serving.until_idle(app.pid)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=_chromium(), args=_FLAGS)
                for _ in range(REPEATS):
                    for port, path in ((_EMPTY, "/"), (_OURS, "/market")):
                        first, second = _views(browser, f"http://127.0.0.1:{port}{path}")
                        cold[port].append(first.live)
                        again[port].append(second.live)
                        if first.seen is not None:
                            seen.append(first.seen)
                browser.close()
            body = Callback(_OURS).body("market=CN")
            rate = _rate(lambda: serving.post(_OURS, "/_dash-update-component", body))
            bare = _rate(lambda: serving.get(_EMPTY, "/_dash-layout"))
    return [
        Row("first chart seen, as a picture, cold, against 1.2 s", median(seen), 1.2, "s", 1.0),
        Row("live chart, cold, against an empty Dash page", median(cold[_OURS]), median(cold[_EMPTY]), "s", 1.0),
        Row("live chart, cold, against 2 s", median(cold[_OURS]), 2.0, "s", 1.0),
        Row("reload, against an empty Dash page", median(again[_OURS]), median(again[_EMPTY]), "s", None),
        Row("reload, against 1 s", median(again[_OURS]), 1.0, "s", 1.0),
        Row(
            f"chart callback, {CLIENTS} clients at once ({rate:.0f} a second), against a constant Dash response",
            1 / rate,
            1 / bare,
            "s",
            None,
        ),
    ]


def _chromium() -> str:
    for name in ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"):
        if Path(name).exists():
            return name
    sys.exit("error: the page benchmark needs Chromium; run: make browser")


@dataclass(frozen=True)
class View:
    """Seconds from navigation until a frame holds the picture of the first chart, if there is one, and the live one."""

    seen: float | None
    live: float


# The page itself notes it, frame by frame: no later than a reader sees it, and without asking it over and over.
_NOTE = """
(() => {
  const seen = (window.seen = {});
  const look = () => {
    if (!seen.picture && document.querySelector("#first-view .ready")) seen.picture = performance.now();
    if (document.querySelector(".js-plotly-plot .main-svg .scatterlayer .trace path")) seen.live = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""


def _views(browser: Browser, address: str) -> tuple[View, View]:
    """The first view with an empty cache, and reloaded."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(_NOTE)
    page.goto(address, wait_until="commit")
    first = _noted(page)
    sleep(0.5)
    page.reload(wait_until="commit")
    second = _noted(page)
    context.close()
    return first, second


def _noted(page: Page) -> View:
    page.wait_for_selector(".js-plotly-plot .main-svg .scatterlayer .trace path", state="attached", timeout=60_000)
    sleep(0.2)
    seen = page.evaluate("window.seen")
    return View(seen["picture"] / 1000 if "picture" in seen else None, seen["live"] / 1000)


def _rate(ask: Callable[[], bytes]) -> float:
    """Requests a second of several clients at once."""
    ask()
    began = perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(lambda _: ask(), range(REQUESTS)))
    return REQUESTS / (perf_counter() - began)
