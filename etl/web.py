"""How files are downloaded: politely, conditionally, within limits, and never believing a body that is no data.

This is the only module of the write side that touches the network. A connector says what to download (`Request`), and
`fetch` asks for it through `Web`.
"""

from __future__ import annotations

import os
import re
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NoReturn, Self

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter

from db.vocabulary import Obtained
from etl.claims import Refused
from etl.snapshots import Snapshot, SnapshotStore, Validators

USER_AGENT: Final = "ev-market/0.1.0 (open tool for following the electric-car market)"
"""How the project introduces itself to publishers."""


class Unavailable(Exception):
    """An address that did not give its content.

    The text names the address, what happened and what to do about it. `status` is what was answered, 0 for nothing.
    """

    def __init__(self, url: str, problem: str, remedy: str, *, status: int = 0) -> None:
        super().__init__(f"{url} {problem}; {remedy}")
        self.url, self.problem, self.remedy, self.status = url, problem, remedy, status


class _Passing(Unavailable):
    """Trouble that may be gone in a moment.

    `wait` is for how many seconds the server asked to be left alone, `host` which one did not even take the connection.
    """

    def __init__(self, url: str, problem: str, *, status: int = 0, wait: float = 0, host: bytes = b"") -> None:
        super().__init__(url, problem, "try again later", status=status)
        self.wait, self.host = wait, host


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a fetch may take: times in seconds, sizes in bytes."""

    total_seconds: float = 600
    """For everything that is asked through one `Web` together, waiting included."""
    connect_seconds: float = 10
    read_seconds: float = 30
    """For the next byte."""
    attempts: int = 5
    redirects: int = 5
    body_bytes: int = 64 * 2**20
    """For one body, as sent and as unpacked."""
    pause_seconds: float = 0.25
    """Between two requests to one host."""


@dataclass(frozen=True)
class Answer:
    """What an address answered: its content, or None where that is as it was when the validators were given."""

    content: bytes | None
    validators: Validators


class Web:
    """Asks publishers for content, for one fetch: a context manager that is used once.

    Trouble that passes (no connection, a body that was cut off, a server that is busy) is tried again, later and later.
    `now` says the time with its zone, `clock` counts seconds, `tell` is told in one line why nothing happens for a
    while. The environment's GITHUB_TOKEN, where set, is shown to api.github.com and to no other host.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        limits: Limits = Limits(),
        tell: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.now = now
        self.tell = tell
        self._limits, self._sleep, self._clock = limits, sleep, clock
        self._deadline = clock() + limits.total_seconds
        self._next_turn: dict[str, float] = {}
        self._out_of_reach: dict[bytes, str] = {}
        self._client = httpx.Client(
            headers={"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "gzip"}, transport=transport
        )
        self._longer_and_longer = wait_exponential_jitter(initial=1, max=60, jitter=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, unless: Validators | None = None) -> Answer:
        """The content of an address, unpacked, after at most `Limits.redirects` redirects.

        `unless` asks for it only if it has changed since these validators were given. Raises `Unavailable`.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(_Passing),
            wait=self._wait,
            stop=self._stop,
            sleep=self._sleep,
            before_sleep=self._say_why,
            reraise=True,
        )
        try:
            return retrying(self._get_once, url, headers or {}, unless)
        except _Passing as trouble:
            if trouble.host:
                self._out_of_reach[trouble.host] = trouble.problem
            attempts = retrying.statistics["attempt_number"]
            problem = trouble.problem + (f" ({attempts} attempts)" if attempts > 1 else "")
            raise Unavailable(trouble.url, problem, trouble.remedy, status=trouble.status) from trouble

    def _wait(self, state: RetryCallState) -> float:
        return max(self._longer_and_longer(state), _trouble(state).wait)

    def _stop(self, state: RetryCallState) -> bool:
        too_late = self._clock() + state.upcoming_sleep >= self._deadline
        return too_late or state.attempt_number >= self._limits.attempts

    def _say_why(self, state: RetryCallState) -> None:
        trouble = _trouble(state)
        self.tell(f"{trouble.url} {trouble.problem}; trying again in {state.upcoming_sleep:.0f} s")

    def _get_once(self, url: str, headers: Mapping[str, str], unless: Validators | None) -> Answer:
        try:
            first = target = httpx.URL(url)
            for _ in range(self._limits.redirects + 1):
                own = headers if target.host == first.host else {}
                found = self._ask(target, own, unless, asked=url)
                if isinstance(found, Answer):
                    return found
                came_from, target = target, target.join(found)
                safe = ("https",) if came_from.scheme == "https" else ("http", "https")
                if target.scheme not in safe:
                    raise Unavailable(url, f"redirects to {target}, which is not safe to follow", _CHECK_ADDRESS)
        except httpx.InvalidURL as error:
            raise Unavailable(url, f"is no address, or redirects to none ({error})", _CHECK_ADDRESS) from error
        raise Unavailable(url, f"redirects more than {self._limits.redirects} times", _CHECK_ADDRESS)

    def _ask(
        self, target: httpx.URL, headers: Mapping[str, str], unless: Validators | None, *, asked: str
    ) -> Answer | str:
        """The answer of one address, or where it redirects to."""
        sent = dict(headers)
        if unless and unless.etag:
            sent["If-None-Match"] = unless.etag
        if unless and unless.last_modified:
            sent["If-Modified-Since"] = unless.last_modified
        token = os.environ.get("GITHUB_TOKEN")
        if token and target.scheme == "https" and target.host == "api.github.com":
            sent["Authorization"] = f"Bearer {token}"
        if target.netloc in self._out_of_reach:
            # It was tried long enough for another file; without a network nothing else has to wait for it.
            raise Unavailable(asked, self._out_of_reach[target.netloc], "check the network, and try again later")
        self._sleep_until_it_is_our_turn(target.host)
        left = self._time_left(asked)
        limits = self._limits
        timeout = httpx.Timeout(min(limits.read_seconds, left), connect=min(limits.connect_seconds, left))
        try:
            with self._client.stream("GET", target, headers=sent, timeout=timeout) as response:
                if response.status_code == httpx.codes.OK:
                    content = self._body(response, asked)
                    return Answer(content, _validators(asked, response))
                if response.status_code == httpx.codes.NOT_MODIFIED and unless:
                    response.read()  # there is none; the connection can be used again
                    return Answer(None, unless)
                if response.has_redirect_location:
                    return response.headers["Location"]
                self._refuse(response, asked)
        except httpx.TimeoutException as error:
            self._time_left(asked)
            raise _Passing(asked, "did not answer in time") from error
        except httpx.RemoteProtocolError as error:
            raise _Passing(asked, f"was cut off, or answered in no form of HTTP ({error})") from error
        except httpx.ConnectError as error:
            raise _Passing(asked, f"cannot be reached ({error})", host=target.netloc) from error
        except httpx.TransportError as error:
            raise _Passing(asked, f"cannot be reached ({error})") from error

    def _sleep_until_it_is_our_turn(self, host: str) -> None:
        wait = self._next_turn.get(host, 0) - self._clock()
        if wait > 0:
            self._sleep(wait)
        self._next_turn[host] = self._clock() + self._limits.pause_seconds

    def _time_left(self, url: str) -> float:
        left = self._deadline - self._clock()
        if left <= 0:
            limit = f"{self._limits.total_seconds:.0f} s"
            raise Unavailable(
                url, f"was not fetched in time: the whole fetch may take {limit}", "run it again for what is missing"
            )
        return left

    def _body(self, response: httpx.Response, url: str) -> bytes:
        limit = self._limits.body_bytes
        too_large = Unavailable(url, f"sends more than {limit:,} bytes", "check that the address is that of the file")
        packing = response.headers.get("Content-Encoding", "identity").strip().lower()
        if packing not in ("identity", "gzip"):
            raise Unavailable(url, f"answered in an encoding nobody asked for ({packing})", "try again later")
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 16) if packing == "gzip" else None
        body = bytearray()
        received = 0
        for chunk in response.iter_raw():
            self._time_left(url)
            received += len(chunk)
            try:
                body += unpack.decompress(chunk, limit + 1 - len(body)) if unpack else chunk
            except zlib.error as error:
                raise _Passing(url, f"sent a damaged body ({error})") from error
            if max(received, len(body)) > limit:
                raise too_large
        if unpack and not unpack.eof:
            raise _Passing(url, "was cut off: the packed body has no end")
        return bytes(body)

    def _refuse(self, response: httpx.Response, url: str) -> NoReturn:
        """Raise why an answer that is neither content nor a redirect gives nothing."""
        status = response.status_code
        answered = f"answered {status} {response.reason_phrase}".rstrip()
        wait = self._retry_after(response)
        if status in (403, 429) and response.headers.get("X-RateLimit-Remaining") == "0" and not wait:
            until = response.headers.get("X-RateLimit-Reset", "")
            known = re.fullmatch("[0-9]{1,10}", until)
            again = f"after {datetime.fromtimestamp(int(until), UTC):%H:%M} UTC" if known else "in an hour"
            raise Unavailable(
                url,
                f"{answered}: the requests that it allows in an hour are used up",
                f"run it again {again}, or set GITHUB_TOKEN, which allows more",
                status=status,
            )
        if status in (httpx.codes.ACCEPTED, 429) or status >= 500:  # 202: the answer is being made (Socrata)
            asks = f" and asks to wait {wait:.0f} s" if wait else ""
            raise _Passing(url, answered + asks, status=status, wait=wait)
        raise Unavailable(url, answered, _CHECK_ADDRESS, status=status)

    def _retry_after(self, response: httpx.Response) -> float:
        """For how many seconds the server asks to be left alone; 0 where it does not say, or nothing sensible."""
        said = response.headers.get("Retry-After", "").strip()
        if re.fullmatch("[0-9]{1,9}", said):
            return float(said)
        try:
            then = parsedate_to_datetime(said)
        except (ValueError, OverflowError):
            return 0
        then = then if then.tzinfo else then.replace(tzinfo=UTC)
        return max(0.0, (then - self.now()).total_seconds())


_CHECK_ADDRESS = "check whether the publisher has moved it; its address stands in the connector"


def _trouble(state: RetryCallState) -> _Passing:
    trouble = state.outcome.exception() if state.outcome else None
    assert isinstance(trouble, _Passing)
    return trouble


def _validators(url: str, response: httpx.Response) -> Validators:
    return Validators(url, response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""))


def _the_only_part(parts: Sequence[bytes]) -> bytes:
    (part,) = parts
    return part


@dataclass(frozen=True, kw_only=True)
class Request:
    """One file to download: its canonical name, and the address or addresses that its content comes from.

    Where a publisher answers in parts (one year a request), `urls` names them all and `join` makes one file of them;
    `join` may raise `Refused`. `origin_url` is what readers are shown, by default the first address. `headers` are sent
    to the host of each address only. An `optional` file is one that upstream need not have: a 404 is no failure then.
    """

    file: str
    urls: tuple[str, ...]
    join: Callable[[Sequence[bytes]], bytes] = _the_only_part
    origin_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False


@dataclass(frozen=True)
class Fetched:
    """A snapshot that upstream serves. `unchanged`: with the very content that was kept last."""

    snapshot: Snapshot
    unchanged: bool = False


@dataclass(frozen=True)
class Failed:
    """A file of which nothing was fetched, and why, in one line that names the remedy."""

    file: str
    message: str


Get = Callable[[str], bytes]
"""The content of an address that is read to learn what there is to download, and not kept."""


Downloads = Callable[[Get, Collection[str]], Iterable[Request]]
"""What a live connector offers as `downloads(get, kept)`: the files to download, given the names of those that are kept
already. Most connectors ignore both arguments and return a fixed tuple. One that asks upstream for its list may, after
the requests that it could make out, raise the `Unavailable` of `get`, or `Refused`: that is told as a failure."""


def fetch(
    source: str, downloads: Downloads, *, web: Web, known: SnapshotStore, today: date
) -> Iterator[Fetched | Failed]:
    """What upstream serves of a source today, file by file as it arrives; a file that fails leaves the others.

    A file that upstream says is unchanged comes back with its kept content, as known today: that it was seen again is
    part of its history. Nothing is kept here; loading keeps what it accepts.
    """

    def get(url: str) -> bytes:
        content = web.get(url).content
        assert content is not None  # nothing was asked conditionally
        return content

    try:
        for request in downloads(get, {receipt.file for receipt in known.receipts(source)}):
            found = _fetch_one(source, request, web=web, known=known, today=today)
            if found:
                yield found
    except (Unavailable, Refused) as trouble:
        yield Failed(source, f"{source}: {trouble}")


def _fetch_one(
    source: str, request: Request, *, web: Web, known: SnapshotStore, today: date
) -> Fetched | Failed | None:
    try:
        last = known.last(source=source, file=request.file)
        snapshot = _ask_for(source, request, web=web, last=last, today=today)
        if not snapshot.content.strip():
            raise Refused(file=request.file, line=0, problem=f"{request.urls[0]} is empty", remedy="try again later")
        snapshot.refuse_what_is_no_data()
    except Unavailable as trouble:
        if trouble.status == httpx.codes.NOT_FOUND and request.optional:
            web.tell(f"{request.file}: upstream has no such file")
            return None
        return Failed(request.file, f"{request.file}: {trouble}")
    except Refused as refused:
        return Failed(request.file, str(refused))
    return Fetched(snapshot, unchanged=last is not None and last.content == snapshot.content)


def _ask_for(source: str, request: Request, *, web: Web, last: Snapshot | None, today: date) -> Snapshot:
    """What upstream serves for this request: the content kept last where it says so, else all parts anew."""
    validators = {v.url: v for v in last.validators if v.etag or v.last_modified} if last else {}
    if set(validators) != set(request.urls):
        validators = {}  # the kept content cannot stand for that of these addresses
    answers = [web.get(url, headers=request.headers, unless=validators.get(url)) for url in request.urls]
    if last and all(answer.content is None for answer in answers):
        content = last.content
    else:
        answers = [
            web.get(answer.validators.url, headers=request.headers) if answer.content is None else answer
            for answer in answers
        ]
        content = request.join([answer.content for answer in answers if answer.content is not None])
    return Snapshot(
        source=source,
        file=request.file,
        known_on=today,
        content=content,
        origin_url=request.origin_url or request.urls[0],
        obtained=Obtained.DOWNLOAD,
        retrieved_at=web.now().astimezone(UTC).replace(tzinfo=None),
        validators=tuple(answer.validators for answer in answers),
    )
