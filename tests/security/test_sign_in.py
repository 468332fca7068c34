"""Sign-in by name and password: nothing but the health is to be had without, and no word of a secret is told."""

from __future__ import annotations

import logging
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.security import generate_password_hash

from dashboard import password
from dashboard.app import create_app
from dashboard.password import PasswordError

RIGHT = "correct horse 300"
HASH = generate_password_hash(RIGHT)
PATHS = (
    "/",
    "/market",
    "/nothing",
    "/charts/market-share.csv",
    "/_dash-layout",
    "/_dash-dependencies",
    "/assets/style.css",
    "/_dash-component-suites/plotly/package_data/plotly.min.js",
    "/health/",
    "//health",
    "/HEALTH",
)


@pytest.fixture(scope="module")
def closed(hostile: Engine) -> FlaskClient:
    return create_app(hostile, passwords={"ann": HASH}).server.test_client()


def basic(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(text.encode()).decode()}"}


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_to_be_had_without_signing_in(closed: FlaskClient, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        response = closed.open(path, method=method)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_health_is_for_everybody(closed: FlaskClient) -> None:
    assert closed.get("/health").status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        basic("ann:wrong"),
        basic("nobody:" + RIGHT),
        basic(f"ann:{HASH}"),
        basic("ann:"),
        basic(":" + RIGHT),
        basic("ann"),
        basic(f"ann:{RIGHT}\0"),
        basic(f"Ann:{RIGHT}"),
        {"Authorization": "Basic %%%"},
        {"Authorization": "Basic"},
        {"Authorization": f"Bearer {RIGHT}"},
        {"Authorization": "Basic " + "A" * 8000},
        {"X-Forwarded-User": "ann"},
        {"Remote-User": "ann"},
    ],
)
def test_a_wrong_password_lets_nobody_in(closed: FlaskClient, header: dict[str, str]) -> None:
    assert closed.get("/market", headers=header).status_code == 401


def test_the_right_password_lets_in_and_is_checked_slowly_once(
    closed: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert closed.get("/market", headers=basic(f"ann:{RIGHT}")).status_code == 200
        monkeypatch.setattr(password, "check_password_hash", lambda *_: False)
        assert closed.get("/charts/x.csv", headers=basic(f"ann:{RIGHT}")).status_code == 404
        assert closed.get("/market", headers=basic("ann:wrong")).status_code == 401
    assert RIGHT not in caplog.text


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str, *, mode: int = 0o600) -> Path:
        path = tmp_path / "passwords"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def test_a_file_names_people_and_hashes(file: Callable[[str], Path]) -> None:
    assert password.read(file(f"ann:{HASH}\n\nbert:{HASH}\n")) == {"ann": HASH, "bert": HASH}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "names nobody"),
        ("ann:plain password\n", "line 1"),
        (f"ann:{HASH}\nann:{HASH}\n", "line 2: the name is there twice"),
        (f":{HASH}\n", "line 1"),
        (f"ann:{HASH.replace('scrypt', 'plain')}\n", "line 1"),
        ("ann:scrypt:1:1:1$a$b\n", "line 1"),
    ],
    ids=["empty", "no hash", "a name twice", "no name", "another kind of hash", "a hash of nothing"],
)
def test_a_file_that_is_none_is_refused_without_what_is_in_it(
    file: Callable[[str], Path], text: str, problem: str
) -> None:
    with pytest.raises(PasswordError, match=problem) as refused:
        password.read(file(text))
    assert HASH not in str(refused.value)
    assert "plain password" not in str(refused.value)


def test_a_file_that_others_can_read_is_refused(file: Callable[[str], Path]) -> None:
    with pytest.raises(PasswordError, match="chmod 600"):
        password.read(file(f"ann:{HASH}\n", mode=0o644))


def test_the_command_prints_a_line_for_the_file(file: Callable[[str], Path]) -> None:
    def made(name: str, typed: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dashboard.password", name]
        root = Path(password.__file__).parents[1]
        return subprocess.run(command, input=typed, capture_output=True, text=True, check=False, cwd=root)

    found = made("ann", f"{RIGHT}\n")
    assert found.returncode == 0
    assert RIGHT not in found.stdout
    assert list(password.read(file(found.stdout))) == ["ann"]
    short = made("ann", "short\n")
    assert (short.returncode, short.stdout) == (1, "")
    assert "at least 12" in short.stderr
    assert made("a:b", f"{RIGHT}\n").returncode == 2
