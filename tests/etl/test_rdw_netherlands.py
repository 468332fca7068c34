"""The Dutch register's list prices: asked for in pages that add up, every record accounted for.

The register itself was never asked from here: a server on this machine answers as Socrata documents it
(https://dev.socrata.com/docs/paging.html, …/docs/response-codes.html, …/docs/datatypes/floating_timestamp).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from db import queries, records
from db.vocabulary import Obtained
from etl import pipeline
from etl.claims import Claims
from etl.pipeline import Refusal
from etl.snapshots import Refused, Snapshot, SnapshotStore
from etl.sources import rdw_netherlands
from etl.sources.rdw_netherlands import FILE, MODELS, PAGE, TOKEN, canonical_file, join
from etl.web import Failed, Fetched, Limits, Request, Web, fetch
from tests.upstream import Clock, Reply, Upstream, running
from tests.world import rows

SLUG = "rdw-netherlands"
MADE_UP = Path(__file__).parents[1] / "world" / "rdw" / FILE
IN_MARCH = date(2026, 3, 15)
JANUARY = "2026-01-01T00:00:00.000"


def record(
    name: str = "Model Y", *, merk: str = "TESLA", price: Any = "45000", month: str = JANUARY, cars: Any = "100"
) -> dict[str, Any]:
    """A record as the register sends it: numbers are text, and what is not known is left out."""
    told = {"merk": merk, "handelsbenaming": name, "catalogusprijs": price, "month": month, "cars": cars}
    return {key: value for key, value in told.items() if value is not None}


def snapshot(content: object, *, known_on: date = IN_MARCH, file: str = FILE) -> Snapshot:
    return Snapshot(
        source=SLUG,
        file=file,
        known_on=known_on,
        content=content if isinstance(content, bytes) else json.dumps(content).encode(),
        origin_url=f"https://opendata.rdw.nl/resource/{FILE}",
        obtained=Obtained.FOLDER,
    )


def parse(content: object, *, known_on: date = IN_MARCH) -> Claims:
    """What the parser makes of an answer; every row is counted once, whatever became of it."""
    claims = rdw_netherlands.parse(snapshot(content, known_on=known_on))
    frame = claims.records["list_price_count"]
    assert tuple(frame) == records.fields("list_price_count")
    assert claims.rows_read == len(frame) + len(claims.rejected) + claims.out_of_scope + claims.duplicate
    assert not frame.duplicated(["maker", "model", "period_start", "amount"]).any()
    return claims


def counts(claims: Claims) -> dict[tuple[str, str, int], int]:
    """Cars by model, month and list price in euros."""
    frame = claims.records["list_price_count"]
    told = frame[["model", "period_start", "amount", "cars"]].itertuples(index=False, name=None)
    return {(model, f"{month:%Y-%m}", amount): cars for model, month, amount, cars in told}


def rejections(claims: Claims) -> list[tuple[int, str, str, str]]:
    return [(row.line, row.column, row.value, row.reason) for row in claims.rejected]


def refusal(content: object) -> str:
    with pytest.raises(Refused) as caught:
        rdw_netherlands.parse(snapshot(content))
    assert str(caught.value).startswith(FILE)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What is read


def test_a_claim_is_how_many_new_cars_of_a_month_have_a_list_price() -> None:
    claims = parse([record(price="45000", cars="100"), record(price="46000", cars="200")])
    assert counts(claims) == {("Model Y", "2026-01", 45_000): 100, ("Model Y", "2026-01", 46_000): 200}
    assert claims.records["list_price_count"].iloc[1].to_dict() == {
        "market": "NL",
        "maker": "Tesla",
        "model": "Model Y",
        "currency": "EUR",
        "period_start": date(2026, 1, 1),
        "amount": 46_000,
        "cars": 200,
        "url": f"https://opendata.rdw.nl/resource/{FILE}?merk=TESLA",
        "note": "",
        "known_estimated": False,
        "line": 2,
    }


def test_an_answer_is_read_to_the_last_record() -> None:
    """Eight records: two spellings of one model, a hybrid, no price, a price of zero, two months, and a running one."""
    claims = parse(MADE_UP.read_bytes())
    assert counts(claims) == {
        ("Atto 3", "2026-01", 40_000): 110,
        ("Model Y", "2026-01", 45_000): 200,
        ("Model Y", "2026-02", 46_000): 300,
    }
    assert claims.out_of_scope == 2
    assert rejections(claims) == [
        (4, "catalogusprijs", "", "no list price is stated; 3 cars"),
        (5, "catalogusprijs", "0", "is no list price of a car: not from 5,000 to 500,000 euros; 2 cars"),
    ]
    assert claims.rows_read == 7  # the two spellings are one row


@pytest.mark.parametrize("name", ["ATTO 3", "BYD ATTO 3", "Atto  3", "ATTO 3 EVO"])
def test_the_spellings_of_a_trade_name_are_one_model(name: str) -> None:
    assert counts(parse([record(name, merk="BYD")])) == {("Atto 3", "2026-01", 45_000): 100}


@pytest.mark.parametrize(
    ("merk", "name", "maker", "model"),
    [
        ("TESLA", "MODEL 3", "Tesla", "Model 3"),
        ("TESLA", "TESLA MODEL S", "Tesla", "Model S"),
        ("BYD", "SEAL", "BYD", "Seal"),
        ("BYD", "SEAL U", "BYD", "Seal U"),
        ("BYD", "SEALION 7", "BYD", "Sealion 7"),
        ("BYD", "DOLPHIN", "BYD", "Dolphin"),
        ("BYD", "DOLPHIN SURF", "BYD", "Dolphin Surf"),
        ("POLESTAR", "POLESTAR 2", "Polestar", "2"),
        ("VOLKSWAGEN", "ID.4 PRO 210KW", "Volkswagen", "ID.4"),
        ("HYUNDAI", "IONIQ5 N", "Hyundai", "Ioniq 5"),
        ("ZEEKR", "7X", "Zeekr", "7X"),
        ("RENAULT", "RENAULT 5 E-TECH ELECTRIC", "Renault", "5 E-Tech"),
    ],
)
def test_a_trade_name_gives_the_model_whose_name_it_begins_with(merk: str, name: str, maker: str, model: str) -> None:
    row = parse([record(name, merk=merk)]).records["list_price_count"].iloc[0]
    assert (row["maker"], row["model"]) == (maker, model)


@pytest.mark.parametrize("listed", MODELS)
def test_every_name_on_the_list_is_found_and_hidden_by_none_before_it(listed: Any) -> None:
    row = parse([record(listed.begins, merk=listed.make)]).records["list_price_count"].iloc[0]
    assert (row["maker"], row["model"]) == (listed.maker, listed.model)


@pytest.mark.parametrize("name", ["SEAL U DM-I", "ATTO 2 DM-i", "SEALION 5 DMI", "SEAL 6 DM-I TOURING", "X PHEV"])
def test_hybrids_are_out_of_scope(name: str) -> None:
    claims = parse([record(name, merk="BYD")])
    assert (claims.out_of_scope, len(claims.records["list_price_count"])) == (1, 0)


def test_the_month_of_the_file_is_still_running() -> None:
    claims = parse([record(month="2026-03-01T00:00:00.000"), record(month="2026-02-01T00:00:00.000")])
    assert (claims.out_of_scope, counts(claims)) == (1, {("Model Y", "2026-02", 45_000): 100})


def test_numbers_may_come_as_numbers_too() -> None:
    assert counts(parse([record(price=45_000, cars=100)])) == {("Model Y", "2026-01", 45_000): 100}
    assert counts(parse([record(price="45000.0")])) == {("Model Y", "2026-01", 45_000): 100}


@pytest.mark.parametrize("price", ["5000", "500000"])
def test_a_price_at_the_edge_of_what_is_sensible_counts(price: str) -> None:
    assert list(counts(parse([record(price=price)]))) == [("Model Y", "2026-01", int(price))]


# What is rejected


@pytest.mark.parametrize(
    ("told", "column", "value", "reason"),
    [
        (record(price=None), "catalogusprijs", "", "no list price is stated; 100 cars"),
        (record(price="0"), "catalogusprijs", "0", "is no list price of a car"),
        (record(price="4999"), "catalogusprijs", "4999", "not from 5,000 to 500,000 euros; 100 cars"),
        (record(price="500001"), "catalogusprijs", "500001", "is no list price of a car"),
        (record(price="-45000"), "catalogusprijs", "-45000", "is no whole number of euros; 100 cars"),
        (record(price="45000.50"), "catalogusprijs", "45000.50", "is no whole number of euros"),
        (record(price="Niet geregistreerd"), "catalogusprijs", "Niet geregistreerd", "is no whole number of euros"),
        (record(price=True), "catalogusprijs", "True", "is no whole number of euros"),
        (record("MODEL 9"), "handelsbenaming", "MODEL 9", "is no model of TESLA on the list; add it to MODELS"),
        (record("MODEL 3X"), "handelsbenaming", "MODEL 3X", "is no model of TESLA on the list"),
        (record("Golf", merk="VOLKSWAGEN"), "handelsbenaming", "Golf", "is no model of VOLKSWAGEN"),
        (record(None), "handelsbenaming", "", "no trade name is stated; 100 cars"),  # type: ignore[arg-type]
        (record(" "), "handelsbenaming", " ", "no trade name is stated; 100 cars"),
        (record(month="2026-01"), "month", "2026-01", "is no month such as 2024-05-01T00:00:00.000; 100 cars"),
        (record(month="2026-01-02T00:00:00.000"), "month", "2026-01-02T00:00:00.000", "is no month"),
        (record(month="2026-04-01T00:00:00.000"), "month", "2026-04-01T00:00:00.000", "is after 2026-03-15"),
        (record(cars="0"), "cars", "0", "is no number of cars"),
        (record(cars="many"), "cars", "many", "is no number of cars"),
        (record(cars=None), "cars", "", "is no number of cars"),
    ],
)
def test_what_cannot_be_read_is_rejected_with_its_record_and_its_cars(
    told: dict[str, Any], column: str, value: str, reason: str
) -> None:
    claims = parse([record(month="2026-02-01T00:00:00.000"), told])
    assert len(claims.records["list_price_count"]) == 1
    ((line, *where, why),) = rejections(claims)
    assert (line, *where) == (2, column, value)
    assert reason in why


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["MODEL 3", "TESLA MODEL 3", "MODEL Y", "MODEL 9"]),
            st.sampled_from([None, "0", "40000", "50000", "x"]),
            st.sampled_from(["2026-01", "2026-02", "2026-03"]),
        ),
        unique=True,
        min_size=1,
    )
)
def test_no_car_gets_lost_or_is_counted_twice(told: list[tuple[str, str | None, str]]) -> None:
    claims = parse([record(name, price=price, month=f"{month}-01T00:00:00.000") for name, price, month in told])
    running_month = sum(month == "2026-03" for _, _, month in told)
    assert claims.out_of_scope == running_month
    assert sum(counts(claims).values()) + 100 * (len(claims.rejected) + running_month) == 100 * len(told)


# What is refused


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no JSON"),
        (b"<html>", "a web page"),
        (b"[{", "is no JSON"),
        ([], "holds no car"),
        ([1], "holds no list of records"),
        ({"code": "invalid_request", "error": True, "message": "No such column: prijs"}, "'No such column: prijs'"),
        ({"errorCode": "query.soql.type-mismatch", "message": "Type mismatch"}, "'Type mismatch'"),
        ([record() | {"kenteken": "XX999X"}], "record"),
        ([{"handelsbenaming": "MODEL 3", "cars": "1"}], "names no make"),
        ([record(), record(cars="2")], "counts the same cars as record 1: two pages overlap"),
    ],
)
def test_what_is_no_such_answer_is_refused(content: object, says: str) -> None:
    if says != "record":
        assert says in refusal(content)
    else:
        assert "'kenteken'" in refusal(content)


def test_only_the_register_itself_is_a_file_of_this_source() -> None:
    assert [canonical_file(name) for name in (FILE, "8ys7-d773.json", f"x/{FILE}")] == [FILE, None, None]
    with pytest.raises(Refused, match="is not a file of this source"):
        rdw_netherlands.parse(snapshot([], file="8ys7-d773.json"))


# Pages


def test_pages_are_joined_record_after_record_one_a_line() -> None:
    first, second = record(price="45000"), record("Modèl", price="46000", cars=200)
    content = join([json.dumps([first]).encode(), json.dumps([second]).encode(), b"[]\n"], cars=300)
    assert json.loads(content) == [first, second]
    assert content.decode().splitlines()[1].startswith(',{"merk":"TESLA","handelsbenaming":"Modèl"')


def test_the_made_up_answer_is_laid_out_as_a_joined_one() -> None:
    content = MADE_UP.read_bytes()
    assert join([content], cars=665) == content


@pytest.mark.parametrize("cars", [99, 101])
def test_pages_that_do_not_add_up_are_refused(cars: int) -> None:
    with pytest.raises(Refused, match=f"the pages hold 100 of {cars} cars: a page is cut, or the register changed"):
        join([json.dumps([record()]).encode()], cars=cars)


def test_a_page_that_tells_of_an_error_is_refused_in_the_registers_words() -> None:
    with pytest.raises(Refused, match="'Internal error'"):
        join([b'{"error": true, "message": "Internal error"}'], cars=100)


# The register, as Socrata documents it


@dataclass
class _Register:
    """What a Socrata server makes of questions about these records: no more rows than asked for and than its cap."""

    records: list[dict[str, Any]]
    cap: int = PAGE
    trouble: list[Reply] = field(default_factory=list)

    def reply(self, path: str) -> Reply:
        if self.trouble:
            return self.trouble.pop(0)
        asked = {name: value for name, (value,) in parse_qs(urlsplit(path).query).items()}
        if not {"$select", "$where", "$group", "$order"} <= set(asked):
            return self._error("query.soql.no-such-column")
        first, end = re.findall(r"datum_eerste_toelating_dt(?:>=|<)'(\d{4})-01-01T00:00:00'", asked["$where"])
        found = [row for row in self.records if first <= str(row["month"])[:4] < end]
        if asked["$group"] == "date_trunc_y(datum_eerste_toelating_dt)":
            of_year: Counter[str] = Counter()
            for row in found:
                of_year[str(row["month"])[:4]] += int(row["cars"])
            found = [{"year": f"{year}-01-01T00:00:00.000", "cars": str(n)} for year, n in sorted(of_year.items())]
        else:
            assert asked["$order"] == "merk,handelsbenaming,catalogusprijs,date_trunc_ym(datum_eerste_toelating_dt)"
        limit, offset = min(int(asked.get("$limit", 1000)), self.cap), int(asked.get("$offset", 0))
        return Reply(body=json.dumps(found[offset : offset + limit]).encode())

    def _error(self, code: str) -> Reply:
        return Reply(status=400, body=json.dumps({"errorCode": code, "message": code}).encode())


@pytest.fixture
def server() -> Iterator[Upstream]:
    with running() as made:
        yield made


@pytest.fixture
def keep(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def fetched(
    server: Upstream,
    register: _Register,
    keep: SnapshotStore,
    *,
    clock: Clock | None = None,
    tell: Any = lambda _: None,
) -> Fetched | Failed:
    """What is fetched of this register in March 2026."""
    server.reply = register.reply  # type: ignore[method-assign]
    clock = clock or Clock()

    def downloads(get: Any, kept: Any) -> Iterator[Request]:
        resource = f"{server.url}/resource/{FILE}"
        return rdw_netherlands.downloads(get, kept, this_year=2026, resource=resource)

    limits = Limits(pause_seconds=0)
    with Web(now=clock.now, clock=clock, sleep=clock.sleep, limits=limits, tell=tell) as web:
        (found,) = fetch(SLUG, downloads, web=web, known=keep, today=IN_MARCH)
    return found


def registered(months: int = 5, *, first_year: int = 2025) -> list[dict[str, Any]]:
    """Two Model Y a month, at 45,000 euros."""
    return [record(month=f"{first_year + n // 12}-{n % 12 + 1:02}-01T00:00:00.000", cars="2") for n in range(months)]


def asked_for(server: Upstream) -> list[dict[str, str]]:
    return [{name: value for name, (value,) in parse_qs(urlsplit(path).query).items()} for path in server.paths()]


def test_the_register_is_asked_for_its_years_and_then_year_by_year(server: Upstream, keep: SnapshotStore) -> None:
    register = _Register(registered(14))
    found = fetched(server, register, keep)
    assert isinstance(found, Fetched), found
    assert json.loads(found.snapshot.content) == register.records
    assert found.snapshot.origin_url == "https://opendata.rdw.nl/resource/m9d7-ebf2.json"
    assert counts(parse(found.snapshot.content)) == {
        ("Model Y", f"{2025 + n // 12}-{n % 12 + 1:02}", 45_000): 2 for n in range(14)
    }
    count, *pages = asked_for(server)
    assert count["$group"] == "date_trunc_y(datum_eerste_toelating_dt)"
    assert [(re.findall(r"'(20\d\d)-", page["$where"]), page["$limit"], page["$offset"]) for page in pages] == [
        (["2025", "2026"], "50000", "0"),
        (["2026", "2027"], "50000", "0"),
    ]


def test_the_question_is_for_new_electric_passenger_cars_of_the_list(server: Upstream, keep: SnapshotStore) -> None:
    fetched(server, _Register(registered()), keep)
    where = asked_for(server)[1]["$where"]
    for condition in (
        "voertuigsoort='Personenauto'",
        "date_trunc_ym(datum_eerste_toelating_dt)=date_trunc_ym(datum_eerste_tenaamstelling_in_nederland_dt)",
        "(cilinderinhoud IS NULL OR cilinderinhoud=0)",
        "merk in('TESLA','BYD',",
        "(merk='VOLKSWAGEN' AND starts_with(upper(handelsbenaming),'ID.4'))",
    ):
        assert condition in where
    assert where.count("(") == where.count(")")
    assert max(len(path) for path in server.paths()) < 8_000  # what web servers take as an address


def test_a_year_of_more_prices_than_a_page_holds_takes_several(
    server: Upstream, keep: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rdw_netherlands, "PAGE", 2)
    register = _Register(registered(5), cap=2)
    found = fetched(server, register, keep)
    assert isinstance(found, Fetched), found
    assert json.loads(found.snapshot.content) == register.records
    assert [page["$offset"] for page in asked_for(server)[1:]] == ["0", "2", "4", "6", "8"]


def test_a_server_that_caps_its_pages_lower_than_it_says_is_noticed(
    server: Upstream, keep: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rdw_netherlands, "PAGE", 4)
    found = fetched(server, _Register(registered(5), cap=3), keep)
    assert isinstance(found, Failed)
    assert "the pages hold 8 of 10 cars" in found.message


def test_a_register_that_slows_down_is_left_alone_for_as_long_as_it_asks(server: Upstream, keep: SnapshotStore) -> None:
    clock = Clock()
    busy = [Reply(status=429, headers={"Retry-After": "30"}), Reply(status=500), Reply(status=503)]
    found = fetched(server, _Register(registered(), trouble=busy), keep, clock=clock)
    assert isinstance(found, Fetched), found
    assert clock.slept[0] == 30
    assert len(clock.slept) == 3


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Reply(status=400, body=b'{"errorCode": "query.soql.no-such-column"}'), "answered 400 Bad Request"),
        (Reply(body=b'{"error": true, "message": "No such column"}'), "holds no list of records: 'No such column'"),
        (Reply(body=b"[]"), "count of cars by year cannot be read"),
        (Reply(body=b'[{"year": "1999-01-01T00:00:00.000", "cars": "1"}]'), "count of cars by year cannot be read"),
        (Reply(body=b'[{"year": "2025-01-01T00:00:00.000", "cars": "x"}]'), "count of cars by year cannot be read"),
        (Reply(body=b'[{"cars": "1"}]'), "count of cars by year cannot be read"),
    ],
)
def test_a_count_that_cannot_be_read_is_one_failure(
    server: Upstream, keep: SnapshotStore, answer: Reply, says: str
) -> None:
    found = fetched(server, _Register(registered(), trouble=[answer]), keep)
    assert isinstance(found, Failed)
    assert says in found.message
    assert len(server.asked) == 1


def test_an_app_token_is_sent_with_the_pages_and_told_nowhere(
    server: Upstream, keep: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, "made-up-token")
    told: list[str] = []
    found = fetched(server, _Register(registered(), trouble=[Reply(status=503)]), keep, tell=told.append)
    assert isinstance(found, Fetched)
    keep.keep(found.snapshot)
    assert [asked.headers.get("X-App-Token") for asked in server.asked] == [None, None, "made-up-token"]
    assert told
    kept = b"".join(path.read_bytes() for path in keep.folder.rglob("*.json"))
    assert b"made-up-token" not in kept + found.snapshot.content + "".join([*told, *server.paths()]).encode()


def test_without_a_token_none_is_sent(server: Upstream, keep: SnapshotStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    fetched(server, _Register(registered()), keep)
    assert not any("X-App-Token" in asked.headers for asked in server.asked)


# Into the database and back


def standing(engine: Engine, *, as_of: date | None = None) -> dict[tuple[str, int, int], int]:
    with engine.connect() as connection:
        frame = queries.records(connection, "list_price_count", as_of=as_of)
    told = frame[["model", "period_start", "amount", "cars"]].itertuples(index=False, name=None)
    return {(model, month.month, amount): cars for model, month, amount, cars in told}


def test_cars_that_left_the_register_and_a_new_month_are_a_new_edition(empty_engine: Engine) -> None:
    april = date(2026, 4, 15)
    first = [record(cars="100"), record(price="46000", cars="1")]
    later = [record(cars="99"), record(month="2026-03-01T00:00:00.000", price="44000", cars="200")]
    outcomes: list[Any] = []
    for content, day in ((first, IN_MARCH), (later, april), (later, date(2026, 4, 16))):
        pipeline.load(empty_engine, [snapshot(content, known_on=day)], keep=None, tell=outcomes.append)
    assert not any(isinstance(each, Refusal) for each in outcomes), outcomes
    assert standing(empty_engine, as_of=IN_MARCH) == {
        ("tesla-model-y", 1, 45_000): 100,
        ("tesla-model-y", 1, 46_000): 1,
    }
    assert standing(empty_engine) == {("tesla-model-y", 1, 45_000): 99, ("tesla-model-y", 3, 44_000): 200}
    assert [(each.read, each.loaded, each.unchanged, each.closed, each.already) for each in outcomes] == [
        (2, 2, 0, 0, False),
        (2, 2, 0, 2, False),
        (0, 0, 0, 0, True),
    ]
    rows.healthy(empty_engine)
