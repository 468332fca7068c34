"""A room of analysts: how fast an action is answered while fifty of them work, and that memory stays as it is.

Each analyst does one thing in five seconds: mostly another selection on the first chart of a page, now and then a look
at a chart further down, one time in ten another scenario on the page of the projection. ANALYSTS and SECONDS say how
many there are and for how long. Then requests a second, against a bare Dash app whose figure is always the same.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import quantiles
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import monotonic, perf_counter, sleep

from bench import asking, cards, serving
from bench.charts import bundled_database
from bench.report import Row
from dashboard.actions import PATH
from dashboard.pages import PAGES
from dashboard.pages.page import Page

ANALYSTS = int(os.environ.get("ANALYSTS") or 50)
SECONDS = float(os.environ.get("SECONDS") or 300)
EACH = 5.0
"""Seconds from one action of an analyst to the next."""

ON_PROJECTION, FURTHER_DOWN = 0.1, 0.3
"""Shares of actions: those on the page of the projection, and of the others those that bring a later card."""

RATE_REQUESTS, RATE_CLIENTS = 400, 8
_OURS, _BARE = 8155, 8156

_LEVERS = tuple(f"scenario={name}" for name in ("history", "local", "export", "both", "shut", "licence"))


@dataclass(frozen=True)
class Done:
    """One action: whether it was on the page of the projection, seconds to the last byte, and what went wrong."""

    on_projection: bool
    seconds: float
    error: str


def measure() -> list[Row]:
    """The rows of the room and of the rate."""
    with TemporaryDirectory() as name:
        database = Path(name) / "ev_market.sqlite"
        bundled_database(database)
        with serving.app(str(database), _OURS) as process:
            specs = json.loads(serving.get(_OURS, "/_dash-dependencies"))
            serving.until_idle(process.pid)
            done, held = _room(specs, process.pid)
            rows = _of_room(done, held)
            rows.append(_rate(specs))
    return rows


def _room(specs: asking.Specs, pid: int) -> tuple[list[Done], list[float]]:
    """What all analysts did, and the memory of the server's processes in MB, asked for every five seconds."""
    held: list[float] = []
    over = Event()

    def watch() -> None:
        while not over.wait(5):
            held.append(serving.megabytes(pid))

    watcher = Thread(target=watch)
    watcher.start()
    until = monotonic() + SECONDS
    with ThreadPoolExecutor(ANALYSTS) as room:
        found = list(room.map(lambda number: _analyst(specs, number, until), range(ANALYSTS)))
    over.set()
    watcher.join()
    return [one for each in found for one in each], held


def _analyst(specs: asking.Specs, number: int, until: float) -> list[Done]:
    """What one analyst did, each with choices of their own, which are always the same."""
    chance = Random(number)
    done: list[Done] = []
    sleep(EACH * number / ANALYSTS)
    following = monotonic()
    while following < until:
        page, body = _action(specs, chance)
        began = perf_counter()
        try:
            serving.post(_OURS, PATH, body)
            error = ""
        except OSError as failed:
            error = str(failed)
        done.append(Done(page.with_levers, perf_counter() - began, error))
        following += EACH
        sleep(max(0.0, following - monotonic()))
    return done


def _action(specs: asking.Specs, chance: Random) -> tuple[Page, bytes]:
    projection = next(page for page in PAGES if page.with_levers)
    others = [page for page in PAGES if page.charts and page is not projection]
    if chance.random() < ON_PROJECTION:
        return projection, json.dumps(asking.act(specs, projection, chance.choice(_LEVERS))).encode()
    page = chance.choice(others)
    query = chance.choice(list(cards.selections(page.charts[0])))
    if page.charts[1:] and chance.random() < FURTHER_DOWN:
        return page, json.dumps(asking.later(specs, page, chance.choice(page.charts[1:]).slug, query)).encode()
    return page, json.dumps(asking.act(specs, page, query)).encode()


def _of_room(done: Sequence[Done], held: Sequence[float]) -> list[Row]:
    of_charts = [one.seconds for one in done if not one.on_projection]
    of_projection = [one.seconds for one in done if one.on_projection]
    errors = [one.error for one in done if one.error]
    for error in sorted(set(errors)):
        print(f"error: {errors.count(error)} x {error}", file=sys.stderr)
    half = len(held) // 2
    who = f"{ANALYSTS} analysts for {SECONDS:.0f} s"
    return [
        Row(f"{who}, {len(done):,} actions: failed, of 1", len(errors), 1, "", 0.0),
        Row(f"{who}: chart, 95th percentile, against 300 ms", 1000 * _p95(of_charts), 300, "ms", 1.0),
        Row(f"{who}: projection, 95th percentile", 1000 * _p95(of_projection), 300, "ms", None),
        Row(f"{who}: memory of all workers, second half against first", max(held[half:]), max(held[:half]), "MB", 1.1),
    ]


def _p95(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20)[-1]


def _rate(specs: asking.Specs) -> Row:
    """Our chart again and again, and a bare Dash app's constant one of as many bytes."""
    page = next(page for page in PAGES if page.path == "/market")
    ours = json.dumps(asking.act(specs, page, "market=CN")).encode()
    size = len(serving.post(_OURS, PATH, ours))
    bare = ["-m", "gunicorn", "--workers", "2", "--threads", "4", "--bind", f"127.0.0.1:{_BARE}"]
    with serving.serving([*bare, "bench.constant_page:server"], {"FIGURE_BYTES": str(size)}, _BARE):
        theirs = json.dumps(
            {
                "output": "graph.figure",
                "outputs": {"id": "graph", "property": "figure"},
                "inputs": [{"id": "place", "property": "search", "value": "?market=CN"}],
                "changedPropIds": ["place.search"],
            }
        ).encode()
        got = len(serving.post(_BARE, PATH, theirs))
        assert 0.9 < got / size < 1.1, f"{got} bytes against {size}"
        rate_bare = _a_second(lambda: serving.post(_BARE, PATH, theirs))
        rate_ours = _a_second(lambda: serving.post(_OURS, PATH, ours))
    what = f"seconds a request, {RATE_CLIENTS} at once: a chart of {size / 1000:.0f} kB against a bare constant one"
    return Row(f"{what} ({rate_ours:.0f} and {rate_bare:.0f} a second)", 1 / rate_ours, 1 / rate_bare, "s", 2.0)


def _a_second(ask: Callable[[], bytes]) -> float:
    ask()
    began = perf_counter()
    with ThreadPoolExecutor(RATE_CLIENTS) as clients:
        list(clients.map(lambda _: ask(), range(RATE_REQUESTS)))
    return RATE_REQUESTS / (perf_counter() - began)
