"""The parser of Open EV Charts: every form its files really have is read, every other one is refused with its line."""

from __future__ import annotations

import csv
import io
import random
import re
import tarfile
from bisect import bisect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.vocabulary import BEGINNING, OPEN_END, Obtained
from etl.claims import Claims, cited_remark, cited_urls
from etl.snapshots import Refused, SnapshotStore
from etl.sources import open_ev_charts
from etl.sources.open_ev_charts import canonical_file, downloads, origin_url
from etl.web import Failed, Fetched, Get, Limits, Request, Unavailable, Web, fetch
from tests import world
from tests.upstream import NOW, Clock, Reply, Upstream, archive, commits, running

Row = tuple[str, str, str, str, str, str, int]


def parse(content: str | bytes, *, file: str = "data/data-DE.js") -> Claims:
    """What the parser makes of a file with this content."""
    return open_ev_charts.parse(world.snapshot(content, file=file))


def rows(claims: Claims) -> list[Row]:
    """Market, powertrain, grain, period start, maker, model and units of every figure, in the file's order."""
    names = ["market", "powertrain", "grain", "period_start", "maker", "model", "units"]
    return [
        (market, str(powertrain), str(grain), start.isoformat(), maker, model, units)
        for market, powertrain, grain, start, maker, model, units in claims.sales[names].itertuples(index=False)
    ]


def units(content: str) -> dict[tuple[str, str], int]:
    """Units by maker and model of a file with one period and powertrain."""
    return {(maker, model): count for *_, maker, model, count in rows(parse(content))}


def refusal(content: str | bytes, *, file: str = "data/data-DE.js") -> Refused:
    """Why the parser refuses this content; the text always names the file, what is wrong and the remedy."""
    with pytest.raises(Refused) as caught:
        parse(content, file=file)
    refused = caught.value
    place = f"{file} line {refused.line}: " if refused.line else f"{file}: "
    assert str(refused) == f"{place}{refused.problem}; {refused.remedy}"
    assert refused.remedy
    assert "\n" not in str(refused)
    return refused


# What upstream really writes


def test_the_tiny_german_file_is_read_to_the_last_figure() -> None:
    claims = parse(world.text("data/data-DE.js"))
    assert claims.rows_read == len(claims.sales) == 15
    assert [row for row in rows(claims) if row[1] == "BEV" and row[3] == "2026-01-01"] == [
        ("DE", "BEV", "month", "2026-01-01", "Volkswagen", "ID.3", 100),
        ("DE", "BEV", "month", "2026-01-01", "Tesla", "Model Y", 50),
        ("DE", "BEV", "month", "2026-01-01", "Tesla", "other", 10),
        ("DE", "BEV", "month", "2026-01-01", "Škoda", "Enyaq", 20),
        ("DE", "BEV", "month", "2026-01-01", "other", "all", 20),
    ]


def test_each_figure_knows_its_line_and_what_it_cites() -> None:
    content = world.text("data/data-DE.js")
    sales = parse(content).sales
    lines = content.splitlines()
    assert len(sales) == 15
    for maker, line, count in sales[["maker", "line", "units"]].itertuples(index=False):
        assert f'"{maker}' in lines[line - 1]
        assert lines[line - 1].endswith(str(count))
    assert set(sales["evidence"]) == {
        "https://kba.example/all-01",
        "https://kba.example/bev-01 (Incomplete, but included as 'other'.), "
        "https://kba.example/Press Release, June 2nd.pdf",
        "https://kba.example/all-02",
        "https://kba.example/bev-02",
    }


def test_several_addresses_and_a_remark_in_one_source_text_are_told_apart() -> None:
    text = (
        "https://a.example/x (Incomplete, but included as 'other'.), https://b.example/Press Release, June 2nd.pdf, "
        "http://c.example (includes commercial vehicles)"
    )
    assert cited_urls(text) == [
        "https://a.example/x",
        "https://b.example/Press%20Release,%20June%202nd.pdf",
        "http://c.example",
    ]
    assert cited_remark(text) == "Incomplete, but included as 'other'.; includes commercial vehicles"


@pytest.mark.parametrize(
    ("text", "urls", "remark"),
    [
        ("https://a.example", ["https://a.example"], ""),
        ("", [], ""),
        ("a letter from the ministry", [], "a letter from the ministry"),
        ("https://a.example TODO check", ["https://a.example"], ""),
        ("https://a.example (x), https://b.example (x)", ["https://a.example", "https://b.example"], "x"),
    ],
)
def test_a_source_text_may_be_one_address_none_or_a_remark(text: str, urls: list[str], remark: str) -> None:
    assert cited_urls(text) == urls
    assert cited_remark(text) == remark


def test_a_quarter_stays_a_quarter_and_begins_in_its_first_month() -> None:
    claims = parse(world.text("data/data-UK.js"), file="data/data-UK.js")
    grains = {(row[2], row[3]) for row in rows(claims)}
    assert grains == {("quarter", "2025-10-01"), ("month", "2026-01-01")}


@pytest.mark.parametrize(
    ("period", "start"), [("2025-Q1", "01"), ("2025-Q2", "04"), ("2025-Q3", "07"), ("2025-Q4", "10")]
)
def test_the_four_quarters_begin_in_january_april_july_and_october(period: str, start: str) -> None:
    (row,) = rows(parse(world.record({"other": 100}, period=period, kind="AllCarsTotal")))
    assert row[2:4] == ("quarter", f"2025-{start}-01")


def test_a_makers_rest_a_markets_rest_and_a_total_are_three_things() -> None:
    named = units(world.record({"Tesla|Model Y": 100, "Tesla|other": 20, "other": 3}))
    total = units(world.record({"other": 123}, kind="ElectricCarsTotal"))
    assert named == {("Tesla", "Model Y"): 100, ("Tesla", "other"): 20, ("other", "all"): 3}
    assert total == {("all", "all"): 123}


@pytest.mark.parametrize("kind", ["AllCarsByBrand", "ElectricCarsByBrand", "ElectricCarsByModel"])
def test_a_record_with_nothing_but_its_rest_states_a_total_as_in_2024(kind: str) -> None:
    assert units(world.record({"other": 400}, kind=kind)) == {("all", "all"): 400}


def test_a_record_by_brand_names_makers_without_models() -> None:
    assert units(world.record({"Tesla": 100, "other": 200}, kind="AllCarsByBrand")) == {
        ("Tesla", "all"): 100,
        ("other", "all"): 200,
    }


def test_the_rest_need_not_stand_last_and_may_be_absent() -> None:
    assert units(world.record({"other": 300, "Tesla|Model Y": 100}))["other", "all"] == 300
    assert ("other", "all") not in units(world.record({"Tesla|Model Y": 100}))


def test_a_commented_template_at_the_end_is_no_record() -> None:
    claims = parse(world.text("data/data-NO.js"), file="data/data-NO.js")
    assert claims.rows_read == 3


def test_the_united_kingdom_is_gb_and_global_is_the_world() -> None:
    for file, market in (("data/data-UK.js", "GB"), ("data/data-global.js", "WORLD")):
        assert {row[0] for row in rows(parse(world.text(file), file=file))} == {market}


def test_a_blank_line_inside_a_record_and_a_missing_space_change_nothing() -> None:
    as_usual = world.record({"Tesla|Model Y": 3218, "other": 100})
    with_traps = as_usual.replace('"Tesla|Model Y": 3218', '"Tesla|Model Y":3218\n')
    assert rows(parse(as_usual)) == rows(parse(with_traps))


@pytest.mark.parametrize(
    "key",
    [
        "Citroën|ë-C4",
        "Škoda|Enyaq",
        "Lynk & Co|02",
        "Jeep/Dodge|Bolt/Bolt EUV",
        "BYD|Atto 2/3",
        "Toyota|C-HR+",
        "JAC|iEV7 S/E",
        "Volkswagen|ID.4/ID.5",
    ],
)
def test_odd_but_valid_names_are_kept_to_the_letter(key: str) -> None:
    brand, model = key.split("|")
    assert units(world.record({key: 100})) == {(brand, model): 100}


@pytest.mark.parametrize(
    ("name", "today"),
    [
        ("data/data-CN.js", "data/data-CN.js"),
        ("data-CN.js", "data/data-CN.js"),
        ("data/data-global.js", "data/data-global.js"),
        ("config.js", "config.js"),
        ("data-general.js", "config.js"),
        ("data/data-general.js", "config.js"),
        ("README.md", None),
        ("data/data-CN.js.bak", None),
        ("old/data/data-CN.js", None),
        ("data/data-cn.js", None),
    ],
)
def test_a_file_is_known_by_the_name_it_has_upstream_today(name: str, today: str | None) -> None:
    assert canonical_file(name) == today


def test_the_address_of_a_file_is_upstreams_raw_one() -> None:
    assert origin_url("data/data-CN.js") == (
        "https://raw.githubusercontent.com/simonkrauter/Open-EV-Charts/master/data/data-CN.js"
    )


def test_company_groups_are_read_from_config() -> None:
    claims = parse(world.text("config.js"), file="config.js")
    assert {*claims.groups["valid_from"]} == {BEGINNING}
    assert {*claims.groups["valid_to"]} == {OPEN_END}
    assert [tuple(row) for row in claims.groups[["maker", "group", "line"]].itertuples(index=False)] == [
        ("Audi", "Volkswagen Group", 14),
        ("Škoda", "Volkswagen Group", 15),
        ("Volkswagen", "Volkswagen Group", 16),
        ("Geely", "Geely Holding Group", 19),
        ("Volvo", "Geely Holding Group", 20),
    ]
    assert claims.rows_read == 5


# What upstream wrote in its first years

_OLD = (
    """// // Data sets for car sales in Germany

"use strict";

db.addCountry("DE", "Germany");

// https://kba.example/statistics

"""
    + world.record({"Tesla": 100, "Audi": 200, "other": 300}, period="q2019-4", kind="AllCarsByBrand")
    + "\n"
    + world.record({"Tesla|Model 3": 40, "Tesla|other": 10}, period="q2019-4", cited="https://a.example (per quarter)")
    + "\n"
    + world.record({"Tesla|Model 3": 50}, period="2020-01")
    + """

// Template
// db.insert(db.countries.DE, "", db.dsTypes.AllCarsByBrand, "",
// { "Audi":
// });
"""
)


def test_a_file_of_the_first_years_is_read_and_means_the_same() -> None:
    claims = parse(_OLD)
    assert rows(claims) == [
        ("DE", "ALL", "quarter", "2019-10-01", "Tesla", "all", 100),
        ("DE", "ALL", "quarter", "2019-10-01", "Audi", "all", 200),
        ("DE", "ALL", "quarter", "2019-10-01", "other", "all", 300),
        ("DE", "BEV", "quarter", "2019-10-01", "Tesla", "Model 3", 40),
        ("DE", "BEV", "quarter", "2019-10-01", "Tesla", "other", 10),
        ("DE", "BEV", "month", "2020-01-01", "Tesla", "Model 3", 50),
    ]
    today = _OLD.replace('db.addCountry("DE", "Germany");\n', "\n").replace("q2019-4", "2019-Q4")
    assert claims.sales.equals(parse(today).sales)


def test_company_groups_were_a_variable_once() -> None:
    today = world.text("config.js")
    assert "const companyGroups " in today
    then = parse(today.replace("const companyGroups ", "var companyGroups "), file="config.js")
    assert then.groups.equals(parse(today, file="config.js").groups)


def test_the_rest_of_the_world_is_no_market() -> None:
    assert canonical_file("data-ROTW.js") is None
    refused = refusal(world.record({"other": 100}, country="ROTW"), file="data/data-ROTW.js")
    assert refused.problem == "is not a file of this source"


# What is downloaded

_PAGE = """<script src="config.js"></script>
  <script src="backend.js"></script>
  <script src="data/data-global.js"></script>
  <script src="data/data-DE.js"></script>
"""


def asked_for(pages: Mapping[str, str], *, kept: Collection[str] = ()) -> list[tuple[str, str, bool]]:
    """File, address and whether it is optional, of all requests when upstream serves these pages to read."""

    def get(url: str) -> bytes:
        if url not in pages:
            raise Unavailable(url, "answered 404 Not Found", "look", status=404)
        return pages[url].encode()

    requests = downloads(get, kept, raw="https://raw.example/")
    return [(request.file, request.urls[0], request.optional) for request in requests]


def test_the_files_that_upstreams_page_loads_are_downloaded() -> None:
    assert asked_for({"https://raw.example/master/index.html": _PAGE}) == [
        ("config.js", "https://raw.example/master/config.js", False),
        ("data/data-DE.js", "https://raw.example/master/data/data-DE.js", False),
        ("data/data-global.js", "https://raw.example/master/data/data-global.js", False),
    ]


def test_a_kept_file_that_the_page_loads_no_more_may_be_gone() -> None:
    found = asked_for({"https://raw.example/master/index.html": _PAGE}, kept={"config.js", "data/data-JP.js"})
    assert [(file, optional) for file, _, optional in found] == [
        ("config.js", False),
        ("data/data-DE.js", False),
        ("data/data-JP.js", True),
        ("data/data-global.js", False),
    ]


@pytest.mark.parametrize("page", [None, "<html>nothing</html>"])
def test_without_the_page_every_area_of_config_is_tried(page: str | None) -> None:
    pages = {"https://raw.example/master/config.js": world.text("config.js").replace("};", ', "CN/DE": "Mixed"\n};', 1)}
    if page:
        pages["https://raw.example/master/index.html"] = page
    found = asked_for(pages, kept={"data/data-DE.js"})
    assert [(file, optional) for file, _, optional in found] == [
        ("config.js", False),
        ("data/data-DE.js", False),
        ("data/data-global.js", True),
    ]


def test_a_file_is_asked_for_where_the_page_loads_it_from_and_kept_under_its_name() -> None:
    found = asked_for({"https://raw.example/master/index.html": '<script src="data-DE.js"></script>'})
    assert found[1:] == [("data/data-DE.js", "https://raw.example/master/data-DE.js", False)]


# Upstream's history

_SHA = {name: name * 40 for name in "abcd"}
_JANUARY, _FEBRUARY = date(2019, 1, 31), date(2019, 2, 27)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running() as server:
        yield server


@pytest.fixture
def keep(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def history(
    upstream: Upstream, keep: SnapshotStore, *, today: date = date(2019, 3, 5), since: date = date(2019, 1, 1)
) -> list[Fetched | Failed]:
    clock = Clock()
    with Web(now=clock.now, clock=clock, sleep=clock.sleep, limits=Limits(pause_seconds=0)) as web:
        return list(
            open_ev_charts.history(
                web=web,
                known=keep,
                today=today,
                since=since,
                api=f"{upstream.url}/api/",
                archives=f"{upstream.url}/tar.gz/",
                raw="https://raw.example/",
            )
        )


def listing(since: str, until: str, *, page: int = 1) -> str:
    return f"/api/commits?since={since}T00:00:00Z&until={until}T00:00:00Z&per_page=100&page={page}"


def two_months(upstream: Upstream) -> None:
    """Three commits: two in January 2019, of which the last counts, and one in February that changes one file."""
    times = [("2019-02-27T10:00:00Z", "c"), ("2019-01-31T23:30:00Z", "b"), ("2019-01-02T10:00:00Z", "a")]
    upstream.serve(listing("2019-01-01", "2019-03-01"), commits([(at, _SHA[name]) for at, name in times]))
    january = {"data-DE.js": b"German figures", "data-NO.js": b"Norwegian figures", "data-ROTW.js": b"the rest"}
    upstream.serve(f"/tar.gz/{_SHA['b']}", archive({"readme.md": b"read me", **january}))
    upstream.serve(f"/tar.gz/{_SHA['c']}", archive({**january, "data-NO.js": b"later Norwegian figures"}))


def known(found: list[Fetched | Failed]) -> list[tuple[str, date, bytes]]:
    """File, day and content of what was fetched; nothing failed."""
    snapshots = [outcome.snapshot for outcome in found if isinstance(outcome, Fetched)]
    assert len(snapshots) == len(found), found
    return [(snapshot.file, snapshot.known_on, snapshot.content) for snapshot in snapshots]


def test_history_is_each_months_last_commit_and_what_it_changed(upstream: Upstream, keep: SnapshotStore) -> None:
    two_months(upstream)
    found = history(upstream, keep)
    assert known(found) == [
        ("data/data-DE.js", _JANUARY, b"German figures"),
        ("data/data-NO.js", _JANUARY, b"Norwegian figures"),
        ("data/data-NO.js", _FEBRUARY, b"later Norwegian figures"),
    ]
    assert isinstance(found[0], Fetched)
    snapshot = found[0].snapshot
    assert snapshot.origin_url == f"https://raw.example/{_SHA['b']}/data-DE.js"
    assert (snapshot.source, snapshot.obtained) == ("open-ev-charts", "download")
    assert snapshot.retrieved_at == NOW.replace(tzinfo=None)
    assert len(upstream.asked) == 3


def test_history_that_was_broken_off_goes_on_with_its_last_month(upstream: Upstream, keep: SnapshotStore) -> None:
    two_months(upstream)
    for outcome in history(upstream, keep)[:3]:
        assert isinstance(outcome, Fetched)
        keep.keep(outcome.snapshot)
    upstream.asked.clear()
    upstream.serve(listing("2019-02-01", "2019-03-01"), commits([("2019-02-27T10:00:00Z", _SHA["c"])]))
    assert [(file, day) for file, day, _ in known(history(upstream, keep))] == [
        ("data/data-DE.js", _FEBRUARY),
        ("data/data-NO.js", _FEBRUARY),
    ]
    assert upstream.paths() == [listing("2019-02-01", "2019-03-01"), f"/tar.gz/{_SHA['c']}"]


def test_neither_todays_download_nor_a_folder_is_a_reason_to_skip_history(
    upstream: Upstream, keep: SnapshotStore
) -> None:
    two_months(upstream)
    live = replace(world.snapshot("live", file="data/data-DE.js"), obtained=Obtained.DOWNLOAD)
    keep.keep(replace(live, origin_url="https://raw.example/master/data/data-DE.js"))
    keep.keep(replace(world.snapshot("by hand"), origin_url=f"https://raw.example/{_SHA['d']}/data-DE.js"))
    assert len(known(history(upstream, keep))) == 3


def test_more_commits_than_fit_a_page_are_read_page_by_page(upstream: Upstream, keep: SnapshotStore) -> None:
    full = [("2019-01-31T10:00:00Z", _SHA["a"])] * 100
    upstream.serve(listing("2019-01-01", "2019-03-01"), commits(full))
    upstream.serve(listing("2019-01-01", "2019-03-01", page=2), commits([("2019-01-31T11:00:00Z", _SHA["b"])]))
    upstream.serve(f"/tar.gz/{_SHA['b']}", archive({"data-DE.js": b"German figures"}))
    assert known(history(upstream, keep)) == [("data/data-DE.js", _JANUARY, b"German figures")]


def test_a_commit_counts_on_its_day_in_utc(upstream: Upstream, keep: SnapshotStore) -> None:
    upstream.serve(listing("2019-01-01", "2019-03-01"), commits([("2019-01-31T23:30:00-02:00", _SHA["a"])]))
    upstream.serve(f"/tar.gz/{_SHA['a']}", archive({"data-DE.js": b"German figures"}))
    assert known(history(upstream, keep)) == [("data/data-DE.js", date(2019, 2, 1), b"German figures")]


def test_a_month_that_cannot_be_downloaded_ends_the_history(upstream: Upstream, keep: SnapshotStore) -> None:
    two_months(upstream)
    upstream.serve(f"/tar.gz/{_SHA['b']}", Reply(status=404))
    (failed,) = history(upstream, keep)
    assert isinstance(failed, Failed)
    assert failed.message.startswith(f"history of 2019-01: {upstream.url}/tar.gz/{_SHA['b']} answered 404 Not Found; ")


def test_the_limit_of_githubs_api_is_told_as_such(upstream: Upstream, keep: SnapshotStore) -> None:
    limited = Reply(status=403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1772368200"})
    upstream.serve(listing("2019-01-01", "2019-03-01"), limited)
    (failed,) = history(upstream, keep)
    assert isinstance(failed, Failed)
    assert "used up; run it again after 12:30 UTC, or set GITHUB_TOKEN" in failed.message


@pytest.mark.parametrize("answer", ['{"message": "Not Found"}', "[{}]", "[1]", "null", "<html></html>", '[{"sha": 5}]'])
def test_a_list_of_commits_in_another_form_is_refused(upstream: Upstream, keep: SnapshotStore, answer: str) -> None:
    upstream.serve(listing("2019-01-01", "2019-03-01"), answer)
    (failed,) = history(upstream, keep)
    assert isinstance(failed, Failed)
    assert "is no list of commits" in failed.message


@pytest.mark.parametrize(
    "sha", ["../../../../etc/passwd", "a" * 39, "A" * 40, "a" * 40 + "\n"], ids=["path", "short", "upper", "newline"]
)
def test_a_commit_that_is_no_checksum_is_never_asked_for(upstream: Upstream, keep: SnapshotStore, sha: str) -> None:
    upstream.serve(listing("2019-01-01", "2019-03-01"), commits([("2019-01-31T10:00:00Z", sha)]))
    (failed,) = history(upstream, keep)
    assert isinstance(failed, Failed)
    assert len(upstream.asked) == 1


def test_two_places_of_one_file_are_told_and_the_other_files_are_read(upstream: Upstream, keep: SnapshotStore) -> None:
    upstream.serve(listing("2019-01-01", "2019-03-01"), commits([("2019-01-31T10:00:00Z", _SHA["a"])]))
    files = {"data-DE.js": b"old", "data/data-DE.js": b"new", "data/data-NO.js": b"Norwegian figures"}
    upstream.serve(f"/tar.gz/{_SHA['a']}", archive(files))
    failed, fetched = history(upstream, keep)
    assert isinstance(failed, Failed)
    assert "data-DE.js and data/data-DE.js are one file today" in failed.message
    assert known([fetched]) == [("data/data-NO.js", _JANUARY, b"Norwegian figures")]


def _archive_of(*members: tuple[str, bytes, bytes]) -> bytes:
    """An archive of members with a name, a type and content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_nothing_but_regular_files_in_their_place_is_read_from_an_archive(
    upstream: Upstream, keep: SnapshotStore, tmp_path: Path
) -> None:
    upstream.serve(listing("2019-01-01", "2019-03-01"), commits([("2019-01-31T10:00:00Z", _SHA["a"])]))
    packed = _archive_of(
        ("top/data-DE.js", tarfile.SYMTYPE, b""),
        ("top/data-FR.js", tarfile.LNKTYPE, b""),
        ("top/data-NO.js", tarfile.FIFOTYPE, b""),
        ("top/../data-IT.js", tarfile.REGTYPE, b"outside"),
        ("/data/data-ES.js", tarfile.REGTYPE, b"Spanish figures"),
        ("top/data-UK.js", tarfile.REGTYPE, b"British figures"),
    )
    upstream.serve(f"/tar.gz/{_SHA['a']}", packed)
    found = known(history(upstream, keep))
    assert found == [
        ("data/data-ES.js", _JANUARY, b"Spanish figures"),
        ("data/data-UK.js", _JANUARY, b"British figures"),
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["empty", "cut", "no archive", "too large"])
def test_an_archive_that_is_damaged_or_too_large_ends_the_history(
    upstream: Upstream, keep: SnapshotStore, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    upstream.serve(listing("2019-01-01", "2019-03-01"), commits([("2019-01-31T10:00:00Z", _SHA["a"])]))
    whole = archive({"data-DE.js": random.Random(0).randbytes(10_000)})
    if damage == "too large":
        monkeypatch.setattr(open_ev_charts, "_ARCHIVE_BYTES", 9_999)
    served = {"empty": b"", "cut": whole[:5000], "no archive": b"figures", "too large": whole}[damage]
    upstream.serve(f"/tar.gz/{_SHA['a']}", served)
    (failed,) = history(upstream, keep)
    assert isinstance(failed, Failed)
    assert ("unpacks to more than 9,999 bytes" if damage == "too large" else "cannot be unpacked") in failed.message


# What is refused

_TWO = world.market_file(
    world.record({"Tesla|Model Y": 100, "other": 200}), world.record({"other": 900}, kind="AllCarsTotal")
)
"""Line 5 begins the first record, its figures are lines 6 and 7, line 8 ends it; line 10 begins the second."""


def test_the_file_that_the_refusals_are_made_from_is_itself_accepted() -> None:
    assert parse(_TWO).rows_read == 3


@pytest.mark.parametrize(
    ("before", "after", "line", "says"),
    [
        ('"Tesla|Model Y": 100\n, "other": 200\n});', '"Tesla|Model Y": 100\n, "oth', 7, "expected a figure"),
        (', "other": 200\n});\n\n', ', "other": 200\n\n', 9, "expected a figure"),
        ("db.countries.DE", "db.countries.FR", 5, "holds figures of FR though the file is named for DE"),
        ("ElectricCarsByModel", "HybridCarsByModel", 5, "HybridCarsByModel is no known type"),
        ('"2026-01"', '"2026-13"', 5, "'2026-13' is no period"),
        ('"2026-01"', '"2026-Q5"', 5, "'2026-Q5' is no period"),
        ('"2026-01"', '"1999-01"', 5, "'1999-01' is no period"),
        ('"2026-01"', '"2026"', 5, "'2026' is no period"),
        (": 100", ": 0", 6, "0 is not a number of cars"),
        (": 100", ": -100", 6, "expected a figure"),
        (": 100", ": 100.0", 6, "expected a figure"),
        (": 100", ": 1e3", 6, "expected a figure"),
        (": 100", ": 1,000", 6, "expected a figure"),
        (": 100", ": 1_000", 6, "expected a figure"),
        (": 100", ': "100"', 6, "expected a figure"),
        (": 100", ": null", 6, "expected a figure"),
        (": 100", ": 0100", 6, "0100 is not a number of cars"),
        (": 100", ": １００", 6, "expected a figure"),
        (": 100", ": 1000000000", 6, "1000000000 is not a number of cars"),
        (": 100", ": " + "9" * 5000, 6, "is not a number of cars"),
        (": 100", ": 100,", 6, "expected a figure"),
        (": 100", ": 100 // estimated", 6, "expected a figure"),
        ('{ "Tesla', '{"Tesla', None, ""),
        ('{ "Tesla', "{ 'Tesla", 6, "expected a figure"),
        ('{ "Tesla', ', "Tesla', 6, "do not begin with '{'"),
        (', "other"', '{ "other"', 7, "do not begin with '{'"),
        ("Tesla|Model Y", "other", 5, "'other' stands twice"),
        ("Tesla|Model Y", "Tesla", 6, "'Tesla' is no 'Brand|Model'"),
        ("Tesla|Model Y", "Tesla|", 6, "is no 'Brand|Model'"),
        ("Tesla|Model Y", "|Model Y", 6, "is no 'Brand|Model'"),
        ("Tesla|Model Y", "Tesla|Model|Y", 6, "is no 'Brand|Model'"),
        ("Tesla|Model Y", "CitroÃ«n|C-Zero", 6, "damaged accents"),
        ("Tesla|Model Y", "Å\xa0koda|Enyaq", 6, "damaged accents"),
        ("Tesla|Model Y", "Ãœber|Auto", 6, "damaged accents"),
        ("Tesla|Model Y", "Citro\ufffdn|C-Zero", 6, "damaged accents"),
        ("Tesla|Model Y", "all|Model Y", 6, "'all|Model Y' is a word with a meaning of its own"),
        ("Tesla|Model Y", "Tesla|all", 6, "'Tesla|all' is a word with a meaning of its own"),
        ("Tesla|Model Y", "other|Model Y", 6, "'other|Model Y' is a word with a meaning of its own"),
        ("Tesla|Model Y", "Tesla|Other", 6, "'Tesla|Other' is a word with a meaning of its own"),
        ("AllCarsTotal", "AllCarsByModel", 10, "AllCarsByModel is no known type"),
        ('"other": 900', '"Tesla": 900', 10, "a total holds other keys than 'other'"),
        ('"use strict";', '"use strict"', 3, "expected a record that begins with"),
        ('"use strict";', 'db.addCountry("FR", "France");', 3, "is about FR though the file is named for DE"),
        ('"use strict";', 'db.addCountry("DE");', 3, "expected a record that begins with"),
        ("\n\ndb.insert", '\ndb.addCountry("DE", "x");\ndb.addCountry("DE", "x");\ndb.insert', 5, "twice, or after"),
        ("});\n\n", '});\ndb.addCountry("DE", "Germany");\n', 9, "twice, or after the first record"),
        ('"2026-01"', '"q2026-0"', 5, "'q2026-0' is no period"),
        ('"2026-01"', '"q2026-Q1"', 5, "'q2026-Q1' is no period"),
        ('"2026-01"', '"Q2026-1"', 5, "'Q2026-1' is no period"),
        ("db.insert(db", "db.insertAll(db", 5, "expected a record that begins with"),
        ('",\n{', '"\n{', 5, "expected a record that begins with"),
    ],
)
def test_a_departure_from_the_form_is_refused_with_its_line(
    before: str, after: str, line: int | None, says: str
) -> None:
    assert before in _TWO
    content = _TWO.replace(before, after, 1)
    if line is None:
        assert rows(parse(content)) == rows(parse(_TWO))
        return
    refused = refusal(content)
    assert refused.line == line
    assert says in refused.problem


def test_a_quarter_is_the_same_quarter_in_either_spelling() -> None:
    twice = world.record({"other": 100}, period="q2026-1") + world.record({"other": 100}, period="2026-Q1")
    assert "a second record of BEV cars in 2026-Q1" in refusal(twice).problem
    inside = world.record({"other": 100}, period="q2026-1") + world.record({"other": 100}, period="2026-03")
    assert "overlaps the record in line 1" in refusal(inside).problem


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (world.record({"other": 100}, kind="ElectricCarsTotal"), "a second record of BEV cars in 2026-01"),
        (world.record({"other": 100}), "a second record of BEV cars in 2026-01"),
        (world.record({"other": 100}, period="2026-Q1"), "2026-Q1 overlaps the record in line 1: a month and its"),
    ],
)
def test_a_month_is_told_once(second: str, says: str) -> None:
    refused = refusal(world.record({"Tesla|Model Y": 100}) + second)
    assert refused.line == 4
    assert says in refused.problem


def test_a_month_inside_a_quarter_that_is_covered_is_refused() -> None:
    quarter = world.record({"other": 100}, period="2026-Q2")
    assert parse(quarter + world.record({"other": 100}, period="2026-07")).rows_read == 2
    assert "overlaps the record in line 1" in refusal(quarter + world.record({"other": 100}, period="2026-06")).problem


def test_a_record_without_figures_is_refused() -> None:
    header = world.record({"other": 1}).splitlines()[0]
    assert refusal(f"{header}\n}});\n").problem == "the record holds no figure"


def test_a_file_that_ends_inside_a_record_is_refused_as_truncated() -> None:
    content = world.record({"Tesla|Model Y": 100, "other": 200})
    refused = refusal(content.removesuffix("});\n"))
    assert refused.problem == "the file ends inside a record"
    assert "truncated" in refused.remedy


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"", 0, "holds no record"),
        (b"\n\n// nothing\n", 0, "holds no record"),
        (_TWO.replace("Tesla", "Citroën").encode("latin-1"), 6, "is not UTF-8 (byte 0xeb"),
        (_TWO.encode("utf-16"), 1, "is not UTF-8 (byte 0xff"),
        (_TWO.encode("utf-16-le"), 1, "NUL bytes"),
        (_TWO.encode("utf-8-sig"), 1, "byte order mark"),
        (_TWO.replace("Tesla", "Citroën").encode().decode("cp1252").encode(), 6, "damaged accents"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", 1, "a web page"),
        (b"\n  <html><head></head></html>", 1, "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", 1, "a Git-LFS pointer"),
        (_TWO.encode().replace(b"200", b"2\x0000"), 1, "NUL bytes"),
        (b"\0" * 4096, 1, "NUL bytes"),
        (b"C:\\Users\\me\\data-DE.js", 1, "expected a record"),
        (b"404: Not Found", 1, "expected a record"),
        (b'{"DE": [1, 2, 3]}', 1, "expected a record"),
    ],
)
def test_what_is_no_text_of_figures_is_refused_for_what_it_is(content: bytes, line: int, says: str) -> None:
    refused = refusal(content)
    assert refused.line == line
    assert says in refused.problem


def test_a_file_of_another_name_is_refused() -> None:
    assert refusal(_TWO, file="data/data-germany.js").problem == "is not a file of this source"


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("const companyGroups", "const companies", "holds no companyGroups"),
        ('    , "Volvo"\n    ]\n};', '    , "Volvo"\n    ]\n', "is no part of companyGroups"),
        ('    , "Volvo"\n    ]\n};' + world.text("config.js").partition("    ]\n};")[2], "", "inside companyGroups"),
        ('    , "Škoda"', "    , 'Škoda'", "is no part of companyGroups"),
        ('    , "Škoda"', '    , "Geely"', "'Geely' stands in two groups"),
        ('    , "Škoda"', '    , "Audi"', "'Audi' stands in two groups"),
    ],
)
def test_company_groups_in_another_form_are_refused(before: str, after: str, says: str) -> None:
    content = world.text("config.js")
    assert before in content
    assert says in refusal(content.replace(before, after), file="config.js").problem


# Whatever the file

_NAME = st.text(st.sampled_from("ABCxyz019 .+-&/Šëø"), min_size=1, max_size=8).filter(
    lambda name: name.strip() and name.strip().casefold() not in ("all", "other")
)
_KINDS = {"ALL": ("AllCarsByBrand", "AllCarsTotal"), "BEV": ("ElectricCarsByModel", "ElectricCarsByBrand")}


@st.composite
def _records(draw: st.DrawFn) -> list[tuple[str, str, str, dict[str, int]]]:
    """Period, powertrain, kind and figures of some records that a file may hold together."""
    found = []
    periods = draw(st.lists(st.sampled_from(["2025-Q1", "2025-04", "2025-06", "2025-Q4"]), unique=True, min_size=1))
    for period in periods:
        for powertrain in draw(st.lists(st.sampled_from(["ALL", "BEV"]), unique=True, min_size=1)):
            kind = draw(st.sampled_from(_KINDS[powertrain]))
            names = st.builds("{}|{}".format, _NAME, _NAME) if kind == "ElectricCarsByModel" else _NAME
            keys = ["other"] if kind.endswith("Total") else draw(st.lists(names, unique=True, min_size=1, max_size=3))
            numbers = st.integers(min_value=1, max_value=100_000_000)
            figures = {key: draw(numbers) for key in keys}
            if not kind.endswith("Total") and draw(st.booleans()):
                figures["other"] = draw(numbers)
            found.append((period, powertrain, kind, figures))
    return found


def _text(records: list[tuple[str, str, str, dict[str, int]]]) -> str:
    return world.market_file(*(world.record(figures, period=period, kind=kind) for period, _, kind, figures in records))


def _expected(records: list[tuple[str, str, str, dict[str, int]]]) -> list[Row]:
    found = []
    for period, powertrain, kind, figures in records:
        quarter = "Q" in period
        start = f"2025-{3 * int(period[-1]) - 2:02d}-01" if quarter else f"{period}-01"
        for key, count in figures.items():
            maker, _, model = key.partition("|")
            if kind.endswith("Total"):
                maker = "all"
            found.append(
                ("DE", powertrain, "quarter" if quarter else "month", start, maker, model or "all", count),
            )
    return found


@settings(max_examples=60, deadline=None)
@given(_records())
def test_a_valid_file_is_read_as_exactly_what_was_written(records: list[tuple[str, str, str, dict[str, int]]]) -> None:
    assert rows(parse(_text(records))) == _expected(records)


_VALID = world.text("data/data-DE.js")
_MEANT = re.compile(r'(?<=")[^"\n]*(?=")|:? ?\d+')
"""Where a changed character may change a figure without breaking the form: in quotes, and in or before a number."""


def _free(position: int, *, inserted: bool) -> bool:
    return any(found.start() <= position < found.end() + inserted for found in _MEANT.finditer(_VALID))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(min_value=0, max_value=len(_VALID) - 1),
    st.sampled_from(["delete", "replace", "insert"]),
    st.one_of(st.sampled_from('{}[]();:,"|/\\\n\r\t 019-.AQé\0\ufeff\u2028'), st.characters(codec="utf-8")),
)
def test_one_changed_character_is_refused_or_changes_no_figure(position: int, change: str, character: str) -> None:
    after = position if change == "insert" else position + 1
    damaged = _VALID[:position] + ("" if change == "delete" else character) + _VALID[after:]
    try:
        got = rows(parse(damaged))
    except Refused:
        return
    if not _free(position, inserted=change == "insert"):
        assert got == rows(parse(_VALID))


def test_a_file_cut_anywhere_is_refused_or_holds_the_whole_records_before_the_cut() -> None:
    whole = rows(parse(_VALID))
    ends = [found.end() for found in re.finditer(r"^\}\);", _VALID, re.M)]
    sizes = [0, 4, 9, 12, 15]
    accepted = 0
    for cut in range(len(_VALID)):
        try:
            got = rows(parse(_VALID[:cut]))
        except Refused:
            continue
        accepted += 1
        assert got == whole[: sizes[sum(end <= cut for end in ends)]]
    assert accepted >= len(ends)


# Upstream's own files


@pytest.mark.extra
def test_the_sixty_sample_figures_stand_in_their_file_and_record(shared: Path) -> None:
    with (shared / "figures" / "open_ev_charts_sample.csv").open(encoding="utf-8", newline="") as stream:
        sample = list(csv.DictReader(stream))
    assert len(sample) == 60
    records: dict[str, dict[int, dict[tuple[str, str], int]]] = {}
    for entry in sample:
        file = f"data/{entry['file']}"
        if file not in records:
            content = (shared / "raw/open-ev-charts" / file).read_bytes()
            heads = [n for n, line in enumerate(content.decode().splitlines(), 1) if line.startswith("db.insert(")]
            records[file] = {head: {} for head in heads}
            sales = parse(content, file=file).sales[["line", "maker", "model", "units"]]
            for line, maker, model, count in sales.itertuples(index=False, name=None):
                records[file][heads[bisect(heads, line) - 1]][maker, model] = count
        record = records[file][int(entry["line"])]
        maker, _, model = entry["key"].partition("|")
        if entry["key"] == "(sum of all keys)":
            assert sum(record.values()) == int(entry["value"])
        elif entry["ds_type"].endswith("Total"):
            assert record == {("all", "all"): int(entry["value"])}
        else:
            assert record[maker, model or "all"] == int(entry["value"])


@pytest.mark.extra
def test_the_whole_of_upstream_is_4478_records_and_108954_figures(shared: Path) -> None:
    folder = shared / "raw" / "open-ev-charts"
    files = sorted((folder / "data").glob("*.js"))
    assert len(files) == 26
    sales = [parse(path.read_bytes(), file=f"data/{path.name}").sales for path in files]
    members = ["market", "powertrain", "period_start"]
    assert sum(len(frame[members].drop_duplicates()) for frame in sales) == 4478
    assert sum(len(frame) for frame in sales) == 108_954
    starts = {start for frame in sales for start in frame["period_start"]}
    assert (min(starts), max(starts)) == (date(2017, 1, 1), date(2026, 6, 1))


@pytest.mark.extra
def test_a_real_file_in_the_spelling_of_the_first_years_says_the_same(shared: Path) -> None:
    for area in ("UK", "US"):
        file = f"data/data-{area}.js"
        text = (shared / "raw/open-ev-charts-vintages/2024-01-26" / file).read_text(encoding="utf-8")
        then = re.sub('"(20[0-9]{2})-Q([1-4])"', r'"q\1-\2"', text)
        then = then.replace('"use strict";', f'db.addCountry("{area}", "x");', 1)
        assert then.count('"q20') > 20
        assert parse(then, file=file).sales.equals(parse(text, file=file).sales)


@pytest.mark.extra
def test_the_whole_of_upstream_is_downloaded_and_the_areas_without_a_file_are_passed_over(
    shared: Path, upstream: Upstream, keep: SnapshotStore
) -> None:
    folder = shared / "raw" / "open-ev-charts"
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.js")}
    for file, content in files.items():
        upstream.serve(f"/master/{file}", Reply(body=content, etag=f'"{len(content)}"', packed=True))
    clock = Clock()

    def of_this_server(get: Get, kept: Collection[str]) -> Iterator[Request]:
        return downloads(get, kept, raw=f"{upstream.url}/")

    with Web(now=clock.now, clock=clock, sleep=clock.sleep) as web:
        found = list(fetch("open-ev-charts", of_this_server, web=web, known=keep, today=date(2026, 7, 23)))
    assert {file: content for file, _, content in known(found)} == files
    assert len(found) == 27
