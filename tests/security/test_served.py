"""The server as a process: what a client does below HTTP, and what its command line takes and tells."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from time import sleep

import pytest
from sqlalchemy import Engine

from dashboard import __main__ as server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the other server is used there")
ROOT = Path(server.__file__).parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(**settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dashboard"],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def port(hostile: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    chosen = free_port()
    settings = {"DATABASE_URL": str(hostile.url), "FITS": str(tmp_path_factory.mktemp("fits"))}
    process = started(PORT=str(chosen), HOST="127.0.0.1", PUBLIC_URL="https://ev.example", **settings)
    assert process.stdout is not None
    assert "EV Market is on" in process.stdout.readline()
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", chosen), timeout=30):
            break
        sleep(0.05)
    yield chosen
    process.terminate()
    process.communicate(timeout=30)


def said(port: int, request: bytes) -> tuple[int, dict[str, str]]:
    """The status and headers of the answer to what is written to the port, byte by byte."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer and (piece := connection.recv(65536)):
            answer += piece
    head, *lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    return int(head.split()[1]), {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


HOST = b"Host: 127.0.0.1\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n", 200),
        (b"GET //evil.example HTTP/1.1\r\n" + HOST + b"\r\n", 404),
        (b"GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: ev.example\r\nConnection: close\r\n\r\n", 200),
        (b"GET /health HTTP/1.1\r\nSCRIPT_NAME: /x\r\nX-Forwarded-Prefix: /x\r\n" + HOST + b"\r\n", 200),
        (b"GET /?x=" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET /health HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n" + HOST + b"\r\n", 431),
        (b"POST /_dash-update-component HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 900000000\r\n"
         + HOST + b"\r\n", 413),
        (b"POST /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n"
         + HOST + b"\r\n0\r\n\r\n", 400),
    ],
)  # fmt: skip
def test_a_request_is_answered_for_what_it_is(port: int, request_text: bytes, status: int) -> None:
    found, headers = said(port, request_text)
    assert found == status
    assert headers.get("server", "gunicorn") == "gunicorn", "no version"
    assert "location" not in headers


def test_those_who_say_their_request_slowly_hold_up_nobody(port: int) -> None:
    begun = b"POST /_dash-update-component HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    slow = [begun, begun + b"Content-Length: 500\r\n\r\n{"]
    held = []
    try:
        for n in range(40):
            held.append(socket.create_connection(("127.0.0.1", port), timeout=30))
            held[-1].sendall(slow[n % 2])
        for _ in range(4):
            asked = HTTPConnection("127.0.0.1", port, timeout=25)
            asked.request("GET", "/health")
            assert json.loads(asked.getresponse().read())["status"] == "ok"
            asked.close()
        # They are sent away, without a word or told that this is no action.
        assert held[1].recv(65536)[:12] in (b"", b"HTTP/1.1 400")
    finally:
        for connection in held:
            connection.close()


@pytest.mark.parametrize(
    "address", ["ev.example", "https://ann:secret@ev.example", "javascript:1", "https://[", "http://"]
)
def test_a_public_address_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://ev.example/")
    assert server._public_address() == "https://ev.example"
    monkeypatch.setenv("PUBLIC_URL", address)
    with pytest.raises(SystemExit):
        server._public_address()
    assert capsys.readouterr().err == "error: PUBLIC_URL is no address such as https://ev.example.org\n"


def test_a_server_that_others_reach_says_what_is_at_risk(capsys: pytest.CaptureFixture[str]) -> None:
    server._warn("0.0.0.0", with_passwords=True)
    assert "passwords and figures cross the network unencrypted" in capsys.readouterr().err
    server._warn("0.0.0.0", with_passwords=False)
    assert "whoever reaches it sees all figures" in capsys.readouterr().err


def test_a_server_without_its_passwords_does_not_start(hostile: Engine) -> None:
    process = started(DATABASE_URL=str(hostile.url), PORT=str(free_port()), PASSWORD_FILE="nowhere")
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert error == "error: PASSWORD_FILE nowhere cannot be read (No such file or directory)\n"
