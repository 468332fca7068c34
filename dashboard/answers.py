"""What a server answered, given again as long as the data and the day are the same.

Many analysts look at the same few selections. What a page of cards shows follows from the question, the data and the
day alone, so a process keeps its last answers as they were sent and gives them again. It is no state: the data's
identity is part of the question (`db.database.identity`), so that after a load the next request is worked out anew,
and to forget all of it changes nothing but time. An answer that something else had a part in is not kept (`not_again`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from flask import Flask, Response, g, has_request_context, request

from db.database import StoreError, explained, identity, ready
from db.memory import Memory

if TYPE_CHECKING:
    from db import Engine

BYTES = 32 * 1024 * 1024
"""How much a process keeps at the most: an answer is 5 to 60 kB, compressed as it was sent."""

LAYOUT, ACTION = "/_dash-layout", "/_dash-update-component"
"""Where Dash asks for what a page begins with, and where it tells of actions."""

Settled = Callable[[str], bool]
"""Whether all that the page at a path shows follows from the data, the day and what is asked of it."""


@dataclass(frozen=True)
class Answer:
    """A response as it was sent: its body, compressed or not, and what says which of the two."""

    body: bytes
    content_type: str
    encoding: str


class Answers:
    """The answers of one process; several threads may ask at once."""

    def __init__(self, engine: Engine, *, today: Callable[[], date], is_settled: Settled) -> None:
        self._engine, self._today, self._is_settled = engine, today, is_settled
        self._kept = Memory(BYTES)

    def keep(self, server: Flask) -> None:
        """Keep what the server answers. To be called before anything else that changes answers, such as compression:
        what is registered first comes last."""

        @server.after_request
        def keep(response: Response) -> Response:
            question = g.get("question")
            if question is not None and response.status_code == 200 and not response.is_streamed:
                self._kept.keep(
                    question,
                    Answer(
                        response.get_data(),
                        response.headers.get("Content-Type", ""),
                        response.headers.get("Content-Encoding", ""),
                    ),
                )
            return response

    def give(self, server: Flask) -> None:
        """Give again what was kept. To be called after all that may refuse a request."""

        @server.before_request
        def give() -> Response | None:
            question = self._question()
            if question is None:
                return None
            found: Answer | None = self._kept.find(question)
            if found is None:
                # Kept once it is answered.
                g.question = question
                return None
            response = Response(found.body, content_type=found.content_type)
            if found.encoding:
                response.headers["Content-Encoding"] = found.encoding
                response.headers["Vary"] = "Accept-Encoding"
            return response

    def _question(self) -> Hashable | None:
        """What is asked of which data on which day; None for what is not to be kept."""
        if request.path not in (LAYOUT, ACTION):
            return None
        came_from = asked_from()
        page = came_from.path if request.path == LAYOUT else _pathname()
        if not self._is_settled(page):
            return None
        try:
            ready(self._engine)
            with explained(self._engine), self._engine.connect() as connection:
                data = identity(connection)
        except StoreError:
            return None
        if data is None:
            return None
        asked = (
            request.method,
            request.path,
            page,
            came_from.query if request.path == LAYOUT else "",
            request.cookies.get("look", ""),
            request.headers.get("Accept-Encoding", ""),
            sha256(request.get_data()).digest(),
        )
        return data, self._today(), asked


def asked_from() -> SplitResult:
    """The address of the page that asks for its layout, which Dash does not tell; empty where the browser does not."""
    try:
        return urlsplit(request.referrer or "")
    except ValueError:
        return urlsplit("")


def _pathname() -> str:
    """The path of the page that an action was done on, as Dash tells it."""
    body = request.get_json(silent=True)
    parts = [*body.get("inputs", ()), *body.get("state", ())] if isinstance(body, dict) else []
    found = (part.get("value") for part in parts if isinstance(part, dict) and part.get("property") == "pathname")
    return str(next(found, ""))


def not_again() -> None:
    """Have the answer to the request under way not kept: something failed, or it follows from more than the data."""
    if has_request_context():
        g.question = None
