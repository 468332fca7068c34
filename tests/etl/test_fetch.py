"""Downloading: what upstream serves becomes a snapshot, and trouble becomes one clear line and nothing else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dashboard
from db.vocabulary import Obtained
from etl.snapshots import Refused, Snapshot, SnapshotStore, Validators
from etl.web import USER_AGENT, Downloads, Failed, Fetched, Limits, Request, Unavailable, Web, fetch
from tests import world
from tests.upstream import NOW, Clock, Reply, Upstream, running

SOURCE = "made-up"
YESTERDAY, TODAY = date(2026, 2, 28), date(2026, 3, 1)
LIMITS = Limits(pause_seconds=0, read_seconds=5)
FIGURES = b"month,units\n2026-01,100\n"
LATER_FIGURES = b"month,units\n2026-01,200\n"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running() as server:
        yield server


@pytest.fixture
def keep(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def fixed(*requests: Request) -> Downloads:
    """The `downloads` of a connector whose files are always the same."""
    return lambda _get, _kept: requests


def one(*urls: str, file: str = "figures.csv") -> Request:
    return Request(file=file, urls=urls)


@contextmanager
def web(clock: Clock, *, limits: Limits = LIMITS, tell: Callable[[str], None] = lambda _: None) -> Iterator[Web]:
    with Web(now=clock.now, clock=clock, sleep=clock.sleep, limits=limits, tell=tell) as made:
        yield made


def outcomes(
    *requests: Request, keep: SnapshotStore, clock: Clock | None = None, limits: Limits = LIMITS, today: date = TODAY
) -> list[Fetched | Failed]:
    with web(clock or Clock(), limits=limits) as through:
        return list(fetch(SOURCE, fixed(*requests), web=through, known=keep, today=today))


def fetched(request: Request, keep: SnapshotStore, *, today: date = TODAY, clock: Clock | None = None) -> Fetched:
    """What one request gives, which is kept as loading would."""
    (found,) = outcomes(request, keep=keep, today=today, clock=clock)
    assert isinstance(found, Fetched), found
    keep.keep(found.snapshot)
    return found


def failure(request: Request, keep: SnapshotStore, *, clock: Clock | None = None, limits: Limits = LIMITS) -> str:
    """Why one request gives nothing: one line that names the file."""
    (found,) = outcomes(request, keep=keep, clock=clock, limits=limits)
    assert isinstance(found, Failed), found
    assert found.file == request.file
    assert found.message.startswith(request.file)
    assert "\n" not in found.message
    assert "; " in found.message
    return found.message


# What arrives


def test_a_downloaded_file_is_a_snapshot_with_where_when_and_how(upstream: Upstream, keep: SnapshotStore) -> None:
    url = upstream.serve("/figures.csv", Reply(body=FIGURES, etag='"1"', last_modified="Sun, 01 Feb 2026 00:00:00 GMT"))
    assert fetched(one(url), keep) == Fetched(
        Snapshot(
            source=SOURCE,
            file="figures.csv",
            known_on=TODAY,
            content=FIGURES,
            origin_url=url,
            obtained=Obtained.DOWNLOAD,
            retrieved_at=NOW.replace(tzinfo=None),
            validators=(Validators(url, '"1"', "Sun, 01 Feb 2026 00:00:00 GMT"),),
        )
    )


def test_the_project_introduces_itself_with_its_version_and_asks_for_packed_bodies(
    upstream: Upstream, keep: SnapshotStore
) -> None:
    fetched(one(upstream.serve("/figures.csv", FIGURES)), keep)
    (asked,) = upstream.asked
    assert asked.headers["User-Agent"] == USER_AGENT
    assert USER_AGENT.startswith(f"ev-market/{dashboard.__version__} ")
    assert asked.headers["Accept-Encoding"] == "gzip"
    assert "If-None-Match" not in asked.headers
    assert "Authorization" not in asked.headers


def test_a_packed_body_is_unpacked(upstream: Upstream, keep: SnapshotStore) -> None:
    url = upstream.serve("/figures.csv", Reply(body=FIGURES * 1000, packed=True))
    assert fetched(one(url), keep).snapshot.content == FIGURES * 1000


def test_a_file_that_is_no_text_arrives_byte_for_byte(upstream: Upstream, keep: SnapshotStore) -> None:
    archive = b"PK\x03\x04" + bytes(range(256))
    assert fetched(one(upstream.serve("/rates.zip", archive)), keep).snapshot.content == archive


def test_the_headers_of_a_request_are_sent(upstream: Upstream, keep: SnapshotStore) -> None:
    url = upstream.serve("/figures.csv", FIGURES)
    fetched(Request(file="figures.csv", urls=(url,), headers={"Accept": "text/csv"}), keep)
    assert upstream.asked[0].headers["Accept"] == "text/csv"


# What has not changed


@pytest.mark.parametrize(
    "reply",
    [Reply(body=FIGURES, etag='W/"1"'), Reply(body=FIGURES, last_modified="Sun, 01 Feb 2026 00:00:00 GMT")],
    ids=["etag", "last-modified"],
)
def test_an_unchanged_file_comes_back_as_it_was_kept_and_known_today(
    upstream: Upstream, keep: SnapshotStore, reply: Reply
) -> None:
    request = one(upstream.serve("/figures.csv", reply, replace(reply, body=b"never sent")))
    first = fetched(request, keep, today=YESTERDAY)
    again = fetched(request, keep)
    assert not first.unchanged
    assert again.unchanged
    assert again.snapshot == replace(first.snapshot, known_on=TODAY)
    assert [snapshot.known_on for snapshot in keep.kept()] == [YESTERDAY, TODAY]
    assert fetched(request, keep, today=TODAY + timedelta(days=1)).unchanged


def test_a_changed_file_is_sent_anew_and_asked_for_with_its_new_validators(
    upstream: Upstream, keep: SnapshotStore
) -> None:
    request = one(upstream.serve("/figures.csv", Reply(body=FIGURES, etag='"1"')))
    fetched(request, keep, today=YESTERDAY)
    upstream.serve("/figures.csv", Reply(body=LATER_FIGURES, etag='"2"'))
    found = fetched(request, keep)
    assert found.snapshot.content == LATER_FIGURES
    assert not found.unchanged
    assert fetched(request, keep, today=TODAY + timedelta(days=1)).unchanged
    assert [asked.headers.get("If-None-Match") for asked in upstream.asked] == [None, '"1"', '"2"']


def test_the_same_bytes_without_validators_are_unchanged_too(upstream: Upstream, keep: SnapshotStore) -> None:
    request = one(upstream.serve("/figures.csv", FIGURES))
    assert not fetched(request, keep, today=YESTERDAY).unchanged
    assert fetched(request, keep).unchanged


def test_an_answer_that_nothing_has_changed_is_believed_only_if_that_was_asked(
    upstream: Upstream, keep: SnapshotStore
) -> None:
    request = one(upstream.serve("/figures.csv", Reply(body=FIGURES), Reply(status=304)))
    fetched(request, keep, today=YESTERDAY)
    assert "answered 304 Not Modified" in failure(request, keep)


def test_validators_of_another_address_are_not_used(upstream: Upstream, keep: SnapshotStore) -> None:
    fetched(one(upstream.serve("/old.csv", Reply(body=FIGURES, etag='"1"'))), keep, today=YESTERDAY)
    found = fetched(one(upstream.serve("/new.csv", Reply(body=LATER_FIGURES, etag='"1"'))), keep)
    assert found.snapshot.content == LATER_FIGURES


def test_a_file_read_from_a_folder_since_is_asked_for_unconditionally(upstream: Upstream, keep: SnapshotStore) -> None:
    request = one(upstream.serve("/figures.csv", Reply(body=FIGURES, etag='"1"')))
    found = fetched(request, keep, today=YESTERDAY)
    keep.keep(replace(found.snapshot, known_on=TODAY, content=LATER_FIGURES, validators=()))
    assert fetched(request, keep, today=TODAY + timedelta(days=1)).snapshot.content == FIGURES


def test_a_receipt_of_before_the_first_download_is_still_read(upstream: Upstream, keep: SnapshotStore) -> None:
    request = one(upstream.serve("/figures.csv", Reply(body=FIGURES, etag='"1"')))
    fetched(request, keep, today=YESTERDAY)
    path = next(keep.folder.glob("*/2026-*/*.json"))
    fields = json.loads(path.read_text())
    del fields["validators"]
    path.write_text(json.dumps(fields))
    assert fetched(request, keep).unchanged
    assert "If-None-Match" not in upstream.asked[-1].headers


def test_kept_content_that_is_damaged_is_told_and_not_handed_on(upstream: Upstream, keep: SnapshotStore) -> None:
    request = one(upstream.serve("/figures.csv", Reply(body=FIGURES, etag='"1"')))
    fetched(request, keep)
    next(keep.folder.glob("*/content/*.gz")).write_bytes(b"")
    (found,) = outcomes(request, keep=keep)
    assert isinstance(found, Failed)
    assert "restore it from a backup" in found.message


# A file in parts


def years(upstream: Upstream) -> Request:
    urls = tuple(f"{upstream.url}/evs?year={year}" for year in (2024, 2025))

    def join(parts: Sequence[bytes]) -> bytes:
        return b"".join(parts)

    return Request(file="years.csv", urls=urls, join=join, origin_url="https://publisher.example/evs")


def test_a_file_in_parts_is_joined_and_its_parts_are_asked_for_one_by_one(
    upstream: Upstream, keep: SnapshotStore
) -> None:
    upstream.serve("/evs?year=2024", Reply(body=b"2024,100\n", etag='"a"'))
    upstream.serve("/evs?year=2025", Reply(body=b"2025,200\n", etag='"b"'))
    first = fetched(years(upstream), keep, today=YESTERDAY)
    assert first.snapshot.content == b"2024,100\n2025,200\n"
    assert first.snapshot.origin_url == "https://publisher.example/evs"
    again = fetched(years(upstream), keep)
    assert again.unchanged
    assert [asked.headers.get("If-None-Match") for asked in upstream.asked] == [None, None, '"a"', '"b"']


def test_where_one_part_has_changed_the_others_are_sent_anew(upstream: Upstream, keep: SnapshotStore) -> None:
    upstream.serve("/evs?year=2024", Reply(body=b"2024,100\n", etag='"a"'))
    upstream.serve("/evs?year=2025", Reply(body=b"2025,200\n", etag='"b"'))
    fetched(years(upstream), keep, today=YESTERDAY)
    upstream.serve("/evs?year=2025", Reply(body=b"2025,300\n", etag='"c"'))
    assert fetched(years(upstream), keep).snapshot.content == b"2024,100\n2025,300\n"
    assert fetched(years(upstream), keep, today=TODAY + timedelta(days=1)).unchanged


def test_a_file_of_fewer_parts_than_before_is_not_the_kept_one(upstream: Upstream, keep: SnapshotStore) -> None:
    upstream.serve("/evs?year=2024", Reply(body=b"2024,100\n", etag='"a"'))
    upstream.serve("/evs?year=2025", Reply(body=b"2025,200\n", etag='"b"'))
    fetched(years(upstream), keep, today=YESTERDAY)
    fewer = replace(years(upstream), urls=years(upstream).urls[:1])
    assert fetched(fewer, keep).snapshot.content == b"2024,100\n"


def test_a_part_that_is_missing_leaves_nothing(upstream: Upstream, keep: SnapshotStore) -> None:
    upstream.serve("/evs?year=2024", b"2024,100\n")
    assert "year=2025 answered 404 Not Found" in failure(years(upstream), keep)


def test_parts_that_do_not_fit_together_are_refused(upstream: Upstream, keep: SnapshotStore) -> None:
    def join(_: Sequence[bytes]) -> bytes:
        raise Refused(file="years.csv", line=1, problem="has other columns in 2025", remedy="wait")

    upstream.serve("/evs?year=2024", b"a")
    upstream.serve("/evs?year=2025", b"b")
    assert "has other columns" in failure(replace(years(upstream), join=join), keep)


# Trouble that passes


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=500),
        Reply(status=503),
        Reply(status=429),
        Reply(status=202),
        Reply(body=FIGURES, cut_after=5),
        Reply(body=FIGURES, packed=True, cut_after=5),
        Reply(body=FIGURES, headers={"Content-Encoding": "gzip"}),
    ],
    ids=["500", "503", "429", "202", "cut", "packed and cut", "not packed"],
)
def test_trouble_that_passes_is_waited_out_longer_and_longer(
    upstream: Upstream, keep: SnapshotStore, trouble: Reply
) -> None:
    clock = Clock()
    request = one(upstream.serve("/figures.csv", trouble, trouble, trouble, Reply(body=FIGURES)))
    assert fetched(request, keep, clock=clock).snapshot.content == FIGURES
    first, second, third = clock.slept
    assert 1 <= first <= 2 <= second <= 3 < 4 <= third <= 5


def test_a_packed_body_that_ends_early_is_cut_off_though_its_length_is_right(
    upstream: Upstream, keep: SnapshotStore
) -> None:
    packed = gzip.compress(FIGURES * 1000)[:-20]
    url = upstream.serve("/figures.csv", Reply(body=packed, headers={"Content-Encoding": "gzip"}))
    assert "was cut off" in failure(one(url), keep)


def test_after_five_attempts_it_is_given_up(upstream: Upstream, keep: SnapshotStore) -> None:
    url = upstream.serve("/figures.csv", Reply(status=503))
    assert "answered 503 Service Unavailable (5 attempts); try again later" in failure(one(url), keep)
    assert len(upstream.asked) == 5


def test_a_body_that_is_always_cut_off_is_never_taken(upstream: Upstream, keep: SnapshotStore) -> None:
    url = upstream.serve("/figures.csv", Reply(body=FIGURES, cut_after=5))
    assert "was cut off" in failure(one(url), keep)


def test_a_server_that_says_how_long_to_wait_is_left_alone_for_as_long(upstream: Upstream, keep: SnapshotStore) -> None:
    clock = Clock()
    busy = Reply(status=429, headers={"Retry-After": "100"})
    fetched(one(upstream.serve("/figures.csv", busy, Reply(body=FIGURES))), keep, clock=clock)
    assert clock.slept == [100]


def test_a_server_that_says_until_when_to_wait_is_left_alone_until_then(
    upstream: Upstream, keep: SnapshotStore
) -> None:
    clock = Clock()
    busy = Reply(status=503, headers={"Retry-After": "Sun, 01 Mar 2026 12:03:20 GMT"})  # 200 s after NOW
    fetched(one(upstream.serve("/figures.csv", busy, Reply(body=FIGURES))), keep, clock=clock)
    assert clock.slept == [200]


@pytest.mark.parametrize("said", ["soon", "-5", "Sun, 01 Mar 2020 00:00:00 GMT", "١٠"])
def test_a_wait_that_makes_no_sense_is_our_own(upstream: Upstream, keep: SnapshotStore, said: str) -> None:
    clock = Clock()
    busy = Reply(status=503, headers={"Retry-After": said.encode().decode("latin-1")})
    fetched(one(upstream.serve("/figures.csv", busy, Reply(body=FIGURES))), keep, clock=clock)
    (slept,) = clock.slept
    assert 1 <= slept <= 2


def test_a_wait_that_is_longer_than_the_time_left_is_not_begun(upstream: Upstream, keep: SnapshotStore) -> None:
    clock = Clock()
    url = upstream.serve("/figures.csv", Reply(status=429, headers={"Retry-After": "3600"}))
    assert "answered 429 Too Many Requests and asks to wait 3600 s; try again later" in failure(
        one(url), keep, clock=clock
    )
    assert clock.slept == []


def test_why_nothing_happens_for_a_while_is_told(upstream: Upstream, keep: SnapshotStore) -> None:
    clock, told = Clock(), list[str]()
    url = upstream.serve("/figures.csv", Reply(status=429, headers={"Retry-After": "100"}), Reply(body=FIGURES))
    with web(clock, tell=told.append) as through:
        list(fetch(SOURCE, fixed(one(url)), web=through, known=keep, today=TODAY))
    assert told == [f"{url} answered 429 Too Many Requests and asks to wait 100 s; trying again in 100 s"]


def test_a_server_that_is_not_there_is_told_by_its_address(keep: SnapshotStore) -> None:
    with running() as gone:
        url = f"{gone.url}/figures.csv"
    assert f"{url} cannot be reached (" in failure(one(url), keep)


def test_a_server_that_says_nothing_is_given_up(upstream: Upstream, keep: SnapshotStore) -> None:
    url = upstream.serve("/figures.csv", Reply(silent=True))
    limits = Limits(read_seconds=0.05, attempts=2)
    assert "did not answer in time (2 attempts); try again later" in failure(one(url), keep, limits=limits)


# Limits


def test_a_body_that_drips_is_stopped_when_the_time_is_up(upstream: Upstream, keep: SnapshotStore) -> None:
    url = upstream.serve("/figures.csv", bytes(2**22))  # 4 MiB in pieces of at most 64 KiB, 20 s each
    message = failure(one(url), keep, clock=Clock(tick=20))
    assert "was not fetched in time: the whole fetch may take 600 s; run it again for what is missing" in message
    assert len(upstream.asked) == 1


def test_what_arrived_in_time_stays_when_the_time_is_up(upstream: Upstream, keep: SnapshotStore) -> None:
    quick = one(upstream.serve("/quick.csv", FIGURES), file="quick.csv")
    drips = one(upstream.serve("/drips.csv", bytes(2**22)), file="drips.csv")
    late = one(upstream.serve("/late.csv", FIGURES), file="late.csv")
    found = outcomes(quick, drips, late, keep=keep, clock=Clock(tick=10))
    assert [type(outcome) for outcome in found] == [Fetched, Failed, Failed]
    assert upstream.paths() == ["/quick.csv", "/drips.csv"]


def test_nothing_is_asked_once_the_time_is_up(upstream: Upstream, keep: SnapshotStore) -> None:
    url = upstream.serve("/figures.csv", FIGURES)
    assert "may take 600 s" in failure(one(url), keep, clock=Clock(tick=600))
    assert upstream.asked == []


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_may_be_as_large_as_the_limit_and_no_larger(
    upstream: Upstream, keep: SnapshotStore, packed: bool
) -> None:
    limits = replace(LIMITS, body_bytes=1000)
    fits = one(upstream.serve("/fits.csv", Reply(body=b"1" * 1000, packed=packed)))
    (found,) = outcomes(fits, keep=keep, limits=limits)
    assert isinstance(found, Fetched)
    url = upstream.serve("/figures.csv", Reply(body=b"1" * 1001, packed=packed))
    assert "sends more than 1,000 bytes" in failure(one(url), keep, limits=limits)


def test_a_pause_is_made_between_two_requests_to_one_host_and_none_before_the_first(
    upstream: Upstream, keep: SnapshotStore
) -> None:
    clock = Clock()
    requests = [one(upstream.serve(f"/{n}.csv", FIGURES), file=f"{n}.csv") for n in range(3)]
    outcomes(*requests, keep=keep, clock=clock, limits=Limits(pause_seconds=10))
    assert clock.slept == [10, 10]


# What is no data


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "holds a web page instead of the figures"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "holds a Git-LFS pointer"),
    ],
    ids=["empty", "blank", "web page", "LFS pointer"],
)
def test_what_servers_send_in_the_place_of_data_is_refused(
    upstream: Upstream, keep: SnapshotStore, body: bytes, says: str
) -> None:
    url = upstream.serve("/figures.csv", body)
    assert says in failure(one(url), keep)
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204, 206, 304])
def test_any_other_answer_is_a_failure_at_once(upstream: Upstream, keep: SnapshotStore, status: int) -> None:
    body = b"" if status in (204, 304) else b"month,units\n"
    url = upstream.serve("/figures.csv", Reply(status=status, body=body))
    assert f"{url} answered {status} " in failure(one(url), keep)
    assert len(upstream.asked) == 1


def test_a_file_that_upstream_need_not_have_is_no_failure_when_it_has_none(
    upstream: Upstream, keep: SnapshotStore
) -> None:
    request = replace(one(f"{upstream.url}/none.csv"), optional=True)
    assert outcomes(request, keep=keep) == []
    upstream.serve("/none.csv", Reply(status=403))
    assert "answered 403" in failure(request, keep)


def test_an_hours_requests_that_are_used_up_are_told_with_when_there_are_more(
    upstream: Upstream, keep: SnapshotStore
) -> None:
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 1800)}
    url = upstream.serve("/commits", Reply(status=403, headers=headers))
    assert "used up; run it again after 12:30 UTC, or set GITHUB_TOKEN" in failure(one(url), keep)
    assert len(upstream.asked) == 1


def test_one_file_that_fails_leaves_the_others(upstream: Upstream, keep: SnapshotStore) -> None:
    requests = [one(upstream.serve(f"/{n}.csv", FIGURES), file=f"{n}.csv") for n in range(3)]
    upstream.serve("/1.csv", Reply(status=404))
    found = outcomes(*requests, keep=keep)
    assert [type(outcome) for outcome in found] == [Fetched, Failed, Fetched]


# Redirects


def redirect(to: str, *, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": to})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_and_the_address_that_was_asked_is_cited(
    upstream: Upstream, keep: SnapshotStore, status: int
) -> None:
    upstream.serve("/new/figures.csv", Reply(body=FIGURES, etag='"1"'))
    url = upstream.serve("/figures.csv", redirect("new/figures.csv", status=status))
    snapshot = fetched(one(url), keep, today=YESTERDAY).snapshot
    assert (snapshot.content, snapshot.origin_url) == (FIGURES, url)
    assert fetched(one(url), keep).unchanged


def test_five_redirects_are_followed_and_a_loop_is_not(upstream: Upstream, keep: SnapshotStore) -> None:
    for n in range(5):
        upstream.serve(f"/{n}", redirect(f"/{n + 1}"))
    upstream.serve("/5", FIGURES)
    assert fetched(one(f"{upstream.url}/0"), keep).snapshot.content == FIGURES
    upstream.serve("/5", redirect("/0"))
    assert "redirects more than 5 times" in failure(one(f"{upstream.url}/0"), keep)


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_to_what_is_no_web_address_is_not_followed(upstream: Upstream, keep: SnapshotStore, to: str) -> None:
    url = upstream.serve("/figures.csv", redirect(to))
    assert "redirects to" in failure(one(url), keep)


def answered_by(handler: Callable[[httpx.Request], httpx.Response], url: str) -> bytes | None:
    """The content of an address when the whole net is answered by `handler`."""
    clock = Clock()
    with Web(
        now=clock.now, clock=clock, sleep=clock.sleep, limits=LIMITS, transport=httpx.MockTransport(handler)
    ) as through:
        return through.get(url, headers={"X-Own": "1"}).content


def test_a_redirect_from_https_to_http_is_not_followed() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.scheme == "https"
        return httpx.Response(302, headers={"Location": "http://publisher.example/figures.csv"})

    with pytest.raises(Unavailable, match="not safe to follow"):
        answered_by(handler, "https://publisher.example/figures.csv")


def test_the_token_is_shown_to_githubs_api_and_to_no_host_it_redirects_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "made-up-token")
    seen: list[tuple[str, str | None, str | None]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers.get("Authorization"), request.headers.get("X-Own")))
        if request.url.host == "api.github.com":
            return httpx.Response(302, headers={"Location": "https://elsewhere.example/x"})
        return httpx.Response(200, stream=httpx.ByteStream(FIGURES))

    assert answered_by(handler, "https://api.github.com/x") == FIGURES
    assert seen == [("api.github.com", "Bearer made-up-token", "1"), ("elsewhere.example", None, None)]


def test_the_token_is_not_shown_to_other_hosts(
    upstream: Upstream, keep: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "made-up-token")
    fetched(one(upstream.serve("/figures.csv", FIGURES)), keep)
    assert "Authorization" not in upstream.asked[0].headers


# A connector that asks upstream what there is


def test_a_connector_may_read_a_list_and_knows_what_is_kept(upstream: Upstream, keep: SnapshotStore) -> None:
    keep.keep(replace(world.snapshot("kept", file="old.csv"), source=SOURCE))
    keep.keep(replace(world.snapshot("kept", file="other.csv"), source="another-source"))
    upstream.serve("/list", "new.csv")
    upstream.serve("/new.csv", FIGURES)
    seen = []

    def downloads(get: Callable[[str], bytes], kept: object) -> Iterator[Request]:
        seen.append(kept)
        for name in get(f"{upstream.url}/list").decode().split():
            yield one(f"{upstream.url}/{name}", file=name)

    with web(Clock()) as through:
        (found,) = fetch(SOURCE, downloads, web=through, known=keep, today=TODAY)
    assert isinstance(found, Fetched)
    assert found.snapshot.file == "new.csv"
    assert seen == [{"old.csv"}]


def test_a_list_that_cannot_be_read_is_a_failure_after_what_came_before(
    upstream: Upstream, keep: SnapshotStore
) -> None:
    upstream.serve("/figures.csv", FIGURES)

    def downloads(get: Callable[[str], bytes], _: object) -> Iterator[Request]:
        yield one(f"{upstream.url}/figures.csv")
        get(f"{upstream.url}/list")

    with web(Clock()) as through:
        found = list(fetch(SOURCE, downloads, web=through, known=keep, today=TODAY))
    assert [type(outcome) for outcome in found] == [Fetched, Failed]
    assert isinstance(found[1], Failed)
    assert found[1].message.startswith(f"made-up: {upstream.url}/list answered 404 Not Found; ")


# Whatever is served


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=3), st.booleans())
def test_what_is_served_is_what_is_handed_on_or_nothing_is(bodies: list[bytes], packed: bool) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        body = bodies[int(request.url.path[1:])]
        headers = {"Content-Encoding": "gzip"} if packed else {}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(gzip.compress(body) if packed else body))

    for n, body in enumerate(bodies):
        assert answered_by(handler, f"https://publisher.example/{n}") == body
