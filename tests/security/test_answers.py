"""What the server gives away: nothing outside its files, one line for an error, and headers that hold a browser."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from dashboard import downloads, guard, pictures, plotly_bundle
from dashboard.app import create_app
from dashboard.charts.chart import Chart
from dashboard.downloads import Download
from dashboard.report import put_in_place
from dashboard.selection import NotYetMade
from db.database import open_engine

SCRIPT = "/_dash-component-suites/dash/dcc/dash_core_components.js"


@pytest.mark.parametrize(
    "path",
    [
        "/charts/..%2f..%2fetc%2fpasswd.csv",
        "/charts/%2fetc%2fpasswd.csv",
        "/charts/market-share.csv%00",
        "/charts/market-share.%2e%2e%2fcsv",
        "/charts/" + "a" * 5000 + ".csv",
        "/assets/../app.py",
        "/assets/%2e%2e/app.py",
        "/assets/%252e%252e/app.py",
        "/assets/..%5capp.py",
        "/assets//etc/passwd",
        "/assets/%00",
        "/_dash-component-suites/dash/../../flask/app.py",
        "/_dash-component-suites/dash/dcc/..%2f..%2f..%2fflask%2fapp.py",
        "/_dash-component-suites/os/path.py",
        "/_dash-component-suites/dash/dash.py",
        "/metrics",
        "/.git/config",
        "/ev_market.sqlite",
        "/reports/",
    ],
)
def test_no_path_leads_out_of_what_is_served(client: FlaskClient, path: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        response = client.get(path)
    assert response.status_code == 404
    assert "root:" not in response.get_data(as_text=True)
    assert len(response.data) < 2000
    assert response.headers["Cache-Control"] == "no-store"
    assert caplog.records == [], "nobody can fill the log with tracebacks"


@pytest.mark.parametrize(
    "path", ["/health", "/market", "/charts/market-share.csv", "/assets/style.css", plotly_bundle.URL]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "FOO"])
def test_another_method_is_refused(client: FlaskClient, method: str, path: str) -> None:
    response = client.open(path, method=method)
    assert (response.status_code, response.get_data(as_text=True)) == (405, "method not allowed\n")
    assert "GET" in response.headers["Allow"]


@pytest.mark.parametrize("path", ["/health", "/market", "/charts/market-share.csv?market=KR", plotly_bundle.URL])
def test_a_head_has_no_body_and_nobody_else_s_origin_is_let_in(client: FlaskClient, path: str) -> None:
    response = client.head(path, headers={"Origin": "https://evil.example"})
    assert (response.status_code, response.data) == (200, b"")
    for answer in (response, client.options(path, headers={"Origin": "https://evil.example"})):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert not answer.headers.getlist("Set-Cookie")


def test_a_range_is_answered_whole_or_in_part(client: FlaskClient) -> None:
    whole = client.get("/charts/market-share.csv?market=KR").data
    for asked in ("bytes=0-9", "bytes=-1", "bytes=9999999999-", "bytes=0-0,2-3,5-6", "lines=1"):
        response = client.get("/charts/market-share.csv?market=KR", headers={"Range": asked})
        assert response.status_code in (200, 206, 416)
        assert response.data in whole or response.status_code == 416


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "//evil.example/", "//evil.example/market", "/charts//x.csv", "/assets//x", "/\\evil.example"],
)
def test_no_redirection_leads_to_another_host(client: FlaskClient, path: str) -> None:
    response = client.get("/", environ_overrides={"PATH_INFO": path, "HTTP_HOST": "evil.example"})
    assert response.status_code == 404
    assert "Location" not in response.headers


@pytest.mark.parametrize("query", ["market=CN%0d%0aX: 1", "//evil.example", "x=http://evil.example"])
def test_a_redirection_stays_on_the_page(client: FlaskClient, query: str) -> None:
    for path in ("/", "/charts/market-share"):
        response = client.get(f"{path}?{query}", headers={"Host": "evil.example"})
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/market?")
        assert "X" not in response.headers


# Headers


@pytest.mark.parametrize(
    "path", ["/market", "/health", "/nothing", "/charts/x.csv", "/assets/style.css", "/assets/x", SCRIPT]
)
def test_every_answer_holds_the_browser(client: FlaskClient, path: str) -> None:
    with client.get(path) as response:
        headers = response.headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    assert {part.partition("-")[0] for part in policy["script-src"].split()} == {"'self'", "'sha256"}
    # Plotly and Dash set styles on elements as they draw.
    assert policy["style-src"] == "'self' 'unsafe-inline'"
    assert (policy["object-src"], policy["base-uri"], policy["frame-ancestors"]) == ("'none'", "'none'", "'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in headers
    assert headers["Cache-Control"]


def test_only_a_public_address_with_tls_is_remembered_as_such(hostile: Engine) -> None:
    for address, expected in (("https://ev.example", "max-age=31536000"), ("http://ev.example", None), ("", None)):
        client = create_app(hostile, address=address).server.test_client()
        spoofed = client.get("/health", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"})
        assert spoofed.headers.get("Strict-Transport-Security") == expected


def test_an_error_nobody_foresaw_tells_nothing(hostile: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret in /srv/made-up")

    monkeypatch.setattr(downloads, "answer", fail)
    response = create_app(hostile).server.test_client().get("/charts/market-share.csv")
    assert (response.status_code, response.content_type) == (500, "text/plain; charset=utf-8")
    assert "secret" not in response.get_data(as_text=True)
    assert response.headers["Cache-Control"] == "no-store"


def test_where_the_database_lies_is_in_the_log_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = create_app(open_engine(f"sqlite:///{tmp_path}/none.sqlite")).server.test_client()
    page = {"Referer": "http://localhost/market"}
    for path in ("/health", "/charts/market-share.csv", "/_dash-layout"):
        text = client.get(path, headers=page).get_data(as_text=True)
        assert str(tmp_path) not in text
        assert str(tmp_path) in caplog.text
        caplog.clear()
    assert "there is no database; run" in client.get("/charts/market-share.csv").get_data(as_text=True)


# Hosts


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_a_server_for_its_own_machine_answers_to_its_own_names(hostile: Engine, host: str) -> None:
    names = guard.names(host=host, address="https://ev.example:8443")
    client = create_app(hostile, names=names).server.test_client()
    for name in ("localhost:8050", "127.0.0.1:8050", "[::1]:8050", "ev.example"):
        assert client.get("/health", headers={"Host": name}).status_code == 200, name
    for name in ("evil.example", "evil.example:8050", "localhost.evil.example", "ev.example.evil", "169.254.169.254"):
        for path in ("/health", "/market", "/_dash-layout", "/charts/market-share.csv"):
            response = client.get(path, headers={"Host": name})
            assert response.status_code == 400, (name, path)
            assert "PUBLIC_URL" in response.get_data(as_text=True)


def test_a_server_for_others_answers_to_any_name() -> None:
    assert guard.names(host="0.0.0.0", address="https://ev.example") is None
    assert guard.names(host="ev.example", address="") is None


# Costly answers


def test_who_finds_all_turns_taken_is_told_when_to_come_again(hostile: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Barrier(5), threading.Event()

    def slow(*_: object, **__: object) -> Download:
        begun.wait(10)
        go.wait(10)
        return Download(b"a picture", "a.png", "image/png")

    monkeypatch.setattr(downloads, "answer", slow)
    server: Flask = create_app(hostile).server
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(server.test_client().get("/charts/x.png").status_code))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    begun.wait(10)
    response = server.test_client().get("/charts/x.svg")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert server.test_client().get("/health").status_code == 200
    go.set()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 4
    monkeypatch.setattr(downloads, "answer", lambda *_, **__: Download(b"a picture", "a.png", "image/png"))
    assert server.test_client().get("/charts/x.png").status_code == 200, "turns are given back"


def test_nobody_waits_for_what_takes_minutes(hostile: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, **__: object) -> None:
        raise NotYetMade("it has yet to be computed", make=lambda: pytest.fail("nobody makes it in a request"))

    made = Chart.__dataclass_fields__
    assert "load" in made
    chart = downloads.chart_of("market-share")
    monkeypatch.setattr(downloads, "chart_of", lambda _: _with(chart, load))
    response = create_app(hostile).server.test_client().get("/charts/market-share.csv")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "60")


def _with(chart: Chart, load: object) -> Chart:
    from dataclasses import replace

    return replace(chart, load=load)  # type: ignore[arg-type]


# The report's folder


@pytest.mark.skipif(os.name != "posix", reason="no symbolic links")
def test_a_link_in_the_place_of_a_report_leads_to_no_other_folder(tmp_path: Path) -> None:
    elsewhere, made = tmp_path / "elsewhere", tmp_path / "made"
    for folder in (elsewhere, made):
        folder.mkdir()
        (folder / "index.html").write_text(folder.name)
    (tmp_path / "2026-W47").symlink_to(elsewhere)
    put_in_place(made, tmp_path / "2026-W47")
    assert (tmp_path / "2026-W47" / "index.html").read_text() == "made"
    assert (elsewhere / "index.html").read_text() == "elsewhere"


def test_pictures_are_drawn_without_a_network() -> None:
    assert "--host-resolver-rules=MAP * ~NOTFOUND" in Path(pictures.__file__).read_text(encoding="utf-8")
