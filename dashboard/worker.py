"""The process that serves: gunicorn's worker with threads, none of which waits long for those who are slow.

gunicorn waits for a request that has begun and for an answer to be taken for as long as the other side likes, so that a
few connections that do nothing could hold all threads.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from io import BytesIO
from time import monotonic
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from dashboard.guard import BODY_BYTES

HEARD_SECONDS = 10.0
"""How long a request may take to be said, from its first byte to its last."""

TAKEN_SECONDS = 60.0
"""How long a piece of an answer may take to be taken."""


class Worker(ThreadWorker):  # type: ignore[misc]
    """Closes the connection of whoever says a request or takes an answer too slowly."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._begun: dict[Any, float] = {}

    def handle(self, conn: Any) -> Any:
        """Serve a connection, from a thread."""
        self._begun[conn] = monotonic()
        try:
            return super().handle(conn)
        finally:
            self._begun.pop(conn, None)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Serve a request whose head was read: hear all of it first."""
        lengths = [value for name, value in req.headers if name == "CONTENT-LENGTH"]
        if not any(int(value) > BODY_BYTES for value in lengths):
            req.body = BytesIO(req.body.read(BODY_BYTES + 1))
        self._begun.pop(conn, None)
        conn.sock.settimeout(TAKEN_SECONDS)
        try:
            return super().handle_request(req, conn)
        except TimeoutError:
            return False

    def murder_pending(self) -> None:
        """Called every second: also close what is not said in time, which wakes the thread that waits for it."""
        super().murder_pending()
        for conn, begun in list(self._begun.items()):
            if monotonic() - begun > HEARD_SECONDS:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)
