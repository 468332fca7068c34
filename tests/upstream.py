"""A web server on this machine that behaves as publishers' servers do, well or badly, and a clock that tests wind."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""What time it is when a test begins."""


class Clock:
    """Time that passes only by sleeping, and by `tick` seconds each time it is looked at."""

    def __init__(self, *, tick: float = 0) -> None:
        self.seconds, self.tick = 0.0, tick
        self.slept: list[float] = []

    def __call__(self) -> float:
        self.seconds += self.tick
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the server sends. With `etag` or `last_modified` it answers 304 to those who have that already."""

    body: bytes = b""
    status: int = 200
    etag: str = ""
    last_modified: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    packed: bool = False
    """Sent with gzip."""
    cut_after: int | None = None
    """So many bytes are sent of the body, then the connection is closed."""
    silent: bool = False
    """Nothing is sent at all until the test is over."""


@dataclass(frozen=True)
class Asked:
    """A request that the server got."""

    path: str
    headers: Mapping[str, str]


class Upstream:
    """The server: what it replies to a path, one reply after another with the last one for good, and who asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.over = Event()
        self._replies: dict[str, list[Reply]] = {}

    def serve(self, path: str, *replies: Reply | bytes | str) -> str:
        """Set what is replied to a path from now on, and the address of the path; a query belongs to the path."""
        made = [reply.encode() if isinstance(reply, str) else reply for reply in replies]
        self._replies[path] = [Reply(body=reply) if isinstance(reply, bytes) else reply for reply in made]
        return f"{self.url}{path}"

    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [asked.path for asked in self.asked]

    def reply(self, path: str) -> Reply:
        replies = self._replies.get(path)
        if not replies:
            return Reply(status=404, body=b"404: Not Found")
        return replies.pop(0) if len(replies) > 1 else replies[0]


@contextmanager
def running() -> Iterator[Upstream]:
    """A server on 127.0.0.1, for as long as the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            upstream.asked.append(Asked(self.path, dict(self.headers)))
            reply = upstream.reply(self.path)
            if reply.silent:
                upstream.over.wait(30)
                self.close_connection = True
                return
            try:
                self._send(reply)
            except OSError:  # the client had enough
                self.close_connection = True

        def _send(self, reply: Reply) -> None:
            status, body = reply.status, reply.body
            unchanged = reply.etag and self.headers.get("If-None-Match") == reply.etag
            since = self.headers.get("If-Modified-Since")
            if unchanged or (reply.last_modified and since == reply.last_modified):
                status, body = 304, b""
            if reply.packed:
                body = gzip.compress(body, mtime=0)
            self.send_response(status)
            own = {"ETag": reply.etag, "Last-Modified": reply.last_modified}
            packing = {"Content-Encoding": "gzip"} if reply.packed else {}
            length = {} if status == 304 else {"Content-Length": str(len(body))}
            for name, value in {**own, **packing, **length, **reply.headers}.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: reply.cut_after])
            self.close_connection = reply.cut_after is not None

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up is part of the tests."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    upstream = Upstream(f"http://127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def archive(files: Mapping[str, bytes], *, top: str = "Open-EV-Charts-0123456") -> bytes:
    """A packed archive of a repository with these files, all in one folder, as GitHub makes it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for path, content in files.items():
            member = tarfile.TarInfo(f"{top}/{path}")
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def commits(listed: Sequence[tuple[str, str]]) -> bytes:
    """A page of GitHub's list of commits, of times and checksums."""
    return json.dumps([{"sha": sha, "commit": {"committer": {"date": at}}} for at, sha in listed]).encode()
