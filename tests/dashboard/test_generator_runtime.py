"""The runtime of generators: what Dash's scripts need of its polyfills, and nothing else of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser
from sqlalchemy import Engine

from dashboard import generator_runtime
from dashboard.app import create_app

LOADER = "!function r(c,a,f){function o(n,t){return a[n]}return o}({"
OTHERS = "1:[function(t,n,r){t(2)},{2:2}],2:[function(t,n,r){String.prototype.trim=r},{}],"
RUNTIME = "305:[function(t,n,r){var e=function(u){return{}};try{regeneratorRuntime=e}catch(t){}},{}]"
FILE = f"{LOADER}{OTHERS}{RUNTIME},306:[function(t,n,r){{t(1)}},{{1:1}}]}},{{}},[306]);"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Install other polyfills."""

    def put(source: str) -> None:
        (tmp_path / "polyfill@7.0.0.min.js").write_text(source, encoding="utf-8")
        monkeypatch.setattr(generator_runtime, "INSTALLED", tmp_path)
        generator_runtime.script.cache_clear()

    yield put
    generator_runtime.script.cache_clear()


@pytest.fixture
def client(empty_engine: Engine) -> FlaskClient:
    return create_app(empty_engine).server.test_client()


def test_the_module_that_sets_the_runtime_is_all_that_is_left(install: Callable[[str], None]) -> None:
    install(FILE)
    assert generator_runtime.script() == f"{LOADER}{RUNTIME}}},{{}},[305]);".encode()


@pytest.mark.parametrize(
    "source",
    [
        "",
        FILE.replace("!function r(c,a,f)", "!function q(c)"),
        FILE.replace("regeneratorRuntime", "otherRuntime"),
        FILE.replace(
            "2:[function(t,n,r){String", "2:[function(t,n,r){regeneratorRuntime=1;{regeneratorRuntime=2}String"
        ),
        FILE.replace("catch(t){}},{}]", "catch(t){}},{1:1}]").replace("306:[function(t,n,r){t(1)},{1:1}]", ""),
    ],
)
def test_polyfills_of_another_shape_are_served_as_they_are(source: str, install: Callable[[str], None]) -> None:
    install(source)
    assert generator_runtime.script() is None


def test_a_page_names_the_runtime_in_the_place_of_the_polyfills(
    client: FlaskClient, install: Callable[[str], None]
) -> None:
    page = client.get("/market").text
    assert "polyfill@" not in page
    assert page.count(generator_runtime.url()) == 1
    answer = client.get(generator_runtime.url())
    assert answer.data == generator_runtime.script()
    assert "immutable" in answer.headers["Cache-Control"]
    install("")
    page = client.get("/market").text
    assert "polyfill@" in page
    assert "generator-runtime" not in page


def test_the_installed_runtime_runs_generators_and_changes_nothing_else(browser: Browser) -> None:
    script = generator_runtime.script()
    assert script is not None
    page = browser.new_page()
    page.add_script_tag(content=script.decode())
    found = page.evaluate(
        """() => {
            const twice = regeneratorRuntime.mark(function twice(n) {
                return regeneratorRuntime.wrap(function (state) {
                    for (;;) switch (state.prev = state.next) {
                        case 0: state.next = 2; return n;
                        case 2: state.next = 4; return 2 * n;
                        case 4: case "end": return state.stop();
                    }
                }, twice);
            });
            return [[...twice(21)], String(String.prototype.trim).includes("native code")];
        }"""
    )
    page.close()
    assert found == [[21, 42], True]
