"""What the server takes and gives whoever asks: hosts, sizes, how many at once, errors of one line, and headers.

Nothing here knows a chart or a page. An answer that is no page is plain text of one line; none says where something
lies on the machine or how it failed.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import BoundedSemaphore
from time import perf_counter
from urllib.parse import quote, urlsplit

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

_log = logging.getLogger(__name__)

BODY_BYTES = 256 * 1024
"""The longest body that is read: an action of the largest page is a tenth of it."""

LOGGED = 200
"""Letters of a path that the log shows."""


class Turns:
    """How many may do something costly at once in this process: whoever comes when all turns are taken comes again."""

    def __init__(self, count: int) -> None:
        self._free = BoundedSemaphore(count)

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Take a turn for as long as the context lasts, if there is one; whether there was."""
        has_turn = self._free.acquire(blocking=False)
        try:
            yield has_turn
        finally:
            if has_turn:
                self._free.release()


def is_local(host: str) -> bool:
    """Whether a server on this host is reached from its own machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def names(*, host: str, address: str) -> list[str] | None:
    """The hosts that may be asked for beside the machine's own: that of the public address; None for any.

    A server for its own machine alone answers to no other name, so that no page elsewhere can ask it under a name that
    it has pointed at this machine.
    """
    if not is_local(host):
        return None
    public = urlsplit(address).hostname
    return [public] if public else []


def text(status: int, line: str, *, retry_after: int | None = None) -> Response:
    """An answer of one line of plain text; `retry_after` is in how many seconds to ask again."""
    response = Response(" ".join(line.split()) + "\n", status=status, content_type="text/plain; charset=utf-8")
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def protect(server: Flask, *, names: Sequence[str] | None) -> None:
    """Hold every request to the limits and give every error its line, on a server that has no routes yet.

    `names` are the hosts that may be asked for beside the machine's own, None for any.
    """
    server.config["MAX_CONTENT_LENGTH"] = BODY_BYTES

    @server.before_request
    def begin() -> Response | None:
        g.began = perf_counter()
        if names is None or _is_ours(request.headers.get("Host", "localhost"), names):
            return None
        return text(400, "this server is not asked under that name; its public name is set by PUBLIC_URL")

    @server.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        answer = error.get_response()
        if (error.code or 500) < 400:
            return Response(answer.get_data(), status=answer.status_code, headers=answer.headers)
        line = text(error.code or 500, error.name.lower())
        for name in ("Allow", "Retry-After", "WWW-Authenticate"):
            if name in answer.headers:
                line.headers[name] = answer.headers[name]
        return line

    @server.errorhandler(500)
    def failed(_error: Exception) -> Response:
        return text(500, "something went wrong here; the reason is in the server's log")


def _is_ours(asked: str, names: Sequence[str]) -> bool:
    try:
        host = urlsplit(f"//{asked}").hostname or ""
    except ValueError:
        return False
    return host in names or is_local(host)


def add_headers(server: Flask, *, csp: str, is_secure: bool) -> None:
    """Give every response its headers and its line in the log.

    `csp` is the content security policy; `is_secure` says that the public address is HTTPS.
    """

    @server.after_request
    def finish(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = csp
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        if is_secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        if response.status_code not in (200, 304) or request.path.startswith("/_dash-layout"):
            response.headers["Cache-Control"] = "no-store"
        elif "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-cache"
        milliseconds = (perf_counter() - g.began) * 1000 if "began" in g else 0.0
        path = quote(request.path[:LOGGED])
        _log.info("%s %s %d %.0f ms", quote(request.method[:20]), path, response.status_code, milliseconds)
        return response
