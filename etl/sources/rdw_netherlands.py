"""RDW, the Dutch vehicle register: at which official list price the electric cars of a month were registered as new.

The register of all vehicles with a Dutch number plate (`m9d7-ebf2`, one row a vehicle) is asked through Socrata's SODA
interface to count cars by make, trade name, list price and month. What is easily misread:

* The list price (`catalogusprijs`) is that of the car as it was ordered, in whole euros, with VAT, purchase tax and
  factory options: company-car tax is reckoned from it. It is no price of a named trim, and not what was paid.
* It is blank or zero for cars of which nobody reported it, and nonsense for a few. Those are rejected, never averaged.
* A car first admitted abroad and imported later has the list price of its first year. Kept are cars whose first
  admission anywhere (`datum_eerste_toelating`) and first registration in the Netherlands
  (`datum_eerste_tenaamstelling_in_nederland`) fall in the same month, so that the month is that of a new car.
* The register knows the vehicles of today. Cars that were exported or scrapped since drop out: the counts of a past
  month shrink from one edition to the next, and are not its sales.
* What drives a car stands in another table (`8ys7-d773`), which SODA cannot join. So two things must hold here: the car
  has no cylinder capacity, and its trade name is on the reviewed list below, of cars that are electric only.
* A trade name (`handelsbenaming`) is text of the type approval: with the make or without, with the version or without.

Source of the interface: https://dev.socrata.com/docs/queries/ and https://dev.socrata.com/docs/paging.html
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlencode

import pandas as pd

from db import records
from db.contents import Source
from db.vocabulary import Cadence, States
from etl.claims import Claims, Refused, RejectedRow
from etl.snapshots import Snapshot
from etl.web import Get, Request

SOURCE: Final = Source(
    slug="rdw-netherlands",
    title="Registered vehicles (Gekentekende voertuigen)",
    publisher="RDW, the Netherlands Vehicle Authority",
    url="https://opendata.rdw.nl/Voertuigen/Open-Data-RDW-Gekentekende_voertuigen/m9d7-ebf2",
    licence="CC0 1.0",
    licence_url="https://creativecommons.org/publicdomain/zero/1.0/",
    states=States.RECORDS,
    cadence=Cadence.MONTHLY,
    lag_days=7,
    precedence=510,
    warning=(
        "Official list prices with factory options and all taxes, of the cars that are still in the register; "
        "the connector is not yet confirmed against the live service."
    ),
)

FILE: Final = "m9d7-ebf2.json"
FIRST_YEAR: Final = 2017
PAGE: Final = 50_000
"""How many rows an answer of SODA 2.0 has at the most."""
TOKEN: Final = "SOCRATA_APP_TOKEN"
"""The environment's variable with an app token, which Socrata slows down less; it is optional."""

_RESOURCE = f"https://opendata.rdw.nl/resource/{FILE}"
_LOWEST, _HIGHEST = 5_000, 500_000
_MOST_CARS = 100_000
"""Of all makes and kinds the Netherlands register less than that in a month."""


@dataclass(frozen=True)
class _Model:
    """How the register names an electric model: its make, and how the trade name begins without the make."""

    make: str
    begins: str
    maker: str
    model: str


MODELS: Final = (
    *(_Model("TESLA", f"MODEL {letter}", "Tesla", f"Model {letter}") for letter in "3YSX"),
    _Model("TESLA", "CYBERTRUCK", "Tesla", "Cybertruck"),
    _Model("TESLA", "ROADSTER", "Tesla", "Roadster"),
    _Model("BYD", "ATTO 2", "BYD", "Atto 2"),
    _Model("BYD", "ATTO 3", "BYD", "Atto 3"),
    _Model("BYD", "DOLPHIN SURF", "BYD", "Dolphin Surf"),
    _Model("BYD", "DOLPHIN", "BYD", "Dolphin"),
    _Model("BYD", "SEALION 7", "BYD", "Sealion 7"),
    _Model("BYD", "SEAL U", "BYD", "Seal U"),
    _Model("BYD", "SEAL", "BYD", "Seal"),
    _Model("BYD", "HAN", "BYD", "Han EV"),
    _Model("BYD", "TANG", "BYD", "Tang EV"),
    *(_Model("POLESTAR", number, "Polestar", number) for number in ("2", "3", "4", "5")),
    *(_Model("XPENG", name, "XPeng", name) for name in ("G6", "G9", "P5", "P7", "X9")),
    *(_Model("ZEEKR", name, "Zeekr", name) for name in ("001", "7X", "X")),
    *(_Model("NIO", name, "NIO", name) for name in ("ET5", "ET7", "EL6", "EL7", "EL8")),
    *(_Model("VOLKSWAGEN", f"ID.{number}", "Volkswagen", f"ID.{number}") for number in "3457"),
    _Model("VOLKSWAGEN", "ID. BUZZ", "Volkswagen", "ID. Buzz"),
    _Model("SKODA", "ENYAQ", "Škoda", "Enyaq"),
    _Model("SKODA", "ELROQ", "Škoda", "Elroq"),
    _Model("CUPRA", "BORN", "Cupra", "Born"),
    _Model("CUPRA", "TAVASCAN", "Cupra", "Tavascan"),
    *(_Model("KIA", f"EV{number}", "Kia", f"EV{number}") for number in "234569"),
    *(_Model("HYUNDAI", f"IONIQ {number}", "Hyundai", f"Ioniq {number}") for number in "569"),
    *(_Model("HYUNDAI", f"IONIQ{number}", "Hyundai", f"Ioniq {number}") for number in "569"),
    _Model("HYUNDAI", "INSTER", "Hyundai", "Inster"),
    *(_Model("VOLVO", name, "Volvo", name) for name in ("EX30", "EX40", "EX90", "EC40", "ES90")),
    _Model("RENAULT", "RENAULT 5 E-TECH", "Renault", "5 E-Tech"),
)
"""The reviewed list. A name counts as the first whose beginning it has, as whole words. `SEAL U` and `ATTO 2` are also
names of hybrids, which have a cylinder capacity and mostly say DM-I."""

_WHOLE_MAKES: Final = ("TESLA", "BYD", "POLESTAR", "XPENG", "ZEEKR", "NIO")
"""Makes of which every car without cylinder capacity is asked for, so that a name that the list lacks is told; of the
others only names on the list are."""

_HYBRID = re.compile(r"\bDM[ -]?[IP]?\b|\bPHEV\b|\bHYBRID|\bREEV\b")

_SELECT = "merk,handelsbenaming,catalogusprijs,date_trunc_ym(datum_eerste_toelating_dt) as month,count(*) as cars"
_GROUP = "merk,handelsbenaming,catalogusprijs,date_trunc_ym(datum_eerste_toelating_dt)"
_FIELDS = frozenset({"merk", "handelsbenaming", "catalogusprijs", "month", "cars"})
_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])-01T00:00:00(\.0+)?")
_WHOLE = re.compile(r"([0-9]{1,12})(\.0*)?")


def canonical_file(name: str) -> str | None:
    """`m9d7-ebf2.json` for that file, None for any other."""
    return FILE if name == FILE else None


def origin_url(file: str) -> str:  # noqa: ARG001 - there is one file
    """The address of the register's table; the file is the joined answers to many questions to it."""
    return _RESOURCE


def downloads(
    get: Get,
    kept: Collection[str],  # noqa: ARG001
    *,
    this_year: int | None = None,
    resource: str = _RESOURCE,
) -> Iterator[Request]:
    """What to ask the register for: its counts, year by year from 2017 to `this_year` (now), in pages.

    It is asked first for how many cars there are in each year. A year has no more list prices than cars, so that
    settles the number of pages, and what arrives has to add up to it: a table that changes between two pages is
    noticed. The answers make one file. `resource` is where the table is served. Raises `Unavailable`, and `Refused` for
    an answer of another form.
    """
    years = range(FIRST_YEAR, (this_year or datetime.now(UTC).year) + 1)
    cars = _cars_by_year(get, years, resource=resource)
    urls = [
        _question(
            resource,
            select=_SELECT,
            where=_where(year, year + 1),
            group=_GROUP,
            order=_GROUP,
            limit=PAGE,
            offset=offset,
        )
        for year, of_year in sorted(cars.items())
        for offset in range(0, of_year, PAGE)
    ]
    token = os.environ.get(TOKEN)
    yield Request(
        file=FILE,
        urls=tuple(urls),
        join=partial(join, cars=sum(cars.values())),
        origin_url=_RESOURCE,
        headers={"X-App-Token": token} if token else {},
    )


def _cars_by_year(get: Get, years: range, *, resource: str) -> dict[int, int]:
    """How many cars of the list the register has of each year; a year without any is left out."""
    year = "date_trunc_y(datum_eerste_toelating_dt)"
    where = _where(years.start, years.stop)
    url = _question(
        resource, select=f"{year} as year,count(*) as cars", where=where, group=year, order=year, limit=PAGE
    )
    told = _answer(get(url))
    cars = {str(record.get("year"))[:4]: _whole(record.get("cars")) for record in told}
    counted = {int(year): count for year, count in cars.items() if count and year in map(str, years)}
    if not counted or len(counted) < len(told):
        raise Refused(
            file=FILE,
            line=0,
            problem="the register's count of cars by year cannot be read",
            remedy=_NEW_FORM,
            value=str(told)[:200],
        )
    return counted


def _question(resource: str, **clauses: object) -> str:
    """The address of an answer to SoQL clauses (`select`, `where`, …), in the order given."""
    return f"{resource}?{urlencode({f'${name}': text for name, text in clauses.items()}, quote_via=quote)}"


def _where(first_year: int, end_year: int) -> str:
    """The condition for cars of the list, new in the Netherlands from the first year to before the end year."""
    whole = ",".join(f"'{make}'" for make in _WHOLE_MAKES)
    named = (
        f"(merk='{make}' AND starts_with(upper(handelsbenaming),'{begins}'))"
        for make, begins in dict.fromkeys((model.make, model.begins) for model in MODELS)
        if make not in _WHOLE_MAKES
    )
    return " AND ".join(
        (
            "voertuigsoort='Personenauto'",
            f"datum_eerste_toelating_dt>='{first_year}-01-01T00:00:00'",
            f"datum_eerste_toelating_dt<'{end_year}-01-01T00:00:00'",
            "date_trunc_ym(datum_eerste_toelating_dt)=date_trunc_ym(datum_eerste_tenaamstelling_in_nederland_dt)",
            "(cilinderinhoud IS NULL OR cilinderinhoud=0)",
            f"(merk in({whole}) OR {' OR '.join(named)})",
        )
    )


def join(parts: Sequence[bytes], *, cars: int) -> bytes:
    """The pages as one file: a JSON list in their order, record after record as received, one a line.

    Raises `Refused` for a page of another form, and where the records are not of as many `cars` as were counted.
    """
    told = [record for part in parts for record in _answer(part)]
    found = sum(_whole(record.get("cars")) or 0 for record in told)
    if found != cars:
        raise Refused(
            file=FILE,
            line=0,
            problem=f"the pages hold {found:,} of {cars:,} cars: a page is cut, or the register changed meanwhile",
            remedy="fetch it again",
        )
    lines = (json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in told)
    return f"[{_BETWEEN.join(lines)}]\n".encode()


_BETWEEN = "\n,"


def published_on(content: bytes) -> date | None:  # noqa: ARG001
    """None: the register changes every day, and its answers carry no date."""
    return None


def parse(snapshot: Snapshot) -> Claims:
    """What the file claims: `list_price_count`, for each model, month and list price how many cars had it.

    A row, for the books, is such a claim: the register's spellings of one model are one. The month of the snapshot is
    still running, and hybrids are not followed: both are out of scope. Rejected with the number of cars are records
    without a list price, with one that is zero, absurd (below 5,000 or above 500,000 euros) or no number, of a name
    that the list of models lacks, of a month that is none or yet to come, and of no cars. `line` is the number of the
    record, the first of several that make one claim.

    Raises `Refused` for what is no list of such records, for two records of one name, month and price (pages that
    overlap), and for a file without any.
    """
    if snapshot.file != FILE:
        raise Refused(file=snapshot.file, line=0, problem="is not a file of this source", remedy=f"expected {FILE}")
    snapshot.refuse_what_is_no_data()
    cells: dict[tuple[str, str, date, int], tuple[int, int, str]] = {}
    rejected: list[RejectedRow] = []
    seen: dict[tuple[Any, ...], int] = {}
    out_of_scope = 0
    for line, record in enumerate(_answer(snapshot.content), start=1):
        _check_record(record, line=line, seen=seen)
        try:
            month, cars = _month(record, known_on=snapshot.known_on), _cars(record)
            name = _name(record)
            if month == snapshot.known_on.replace(day=1) or _HYBRID.search(name):
                out_of_scope += 1
                continue
            model = _model(record["merk"], name)
            amount = _amount(record)
        except _Unreadable as error:
            value = record.get(error.column, "")
            of = f"; {record['cars']} cars" if "cars" in record and error.column != "cars" else ""
            rejected.append(
                RejectedRow(line=line, column=error.column, value=str(value)[:200], reason=f"{error.reason}{of}")
            )
            continue
        cell = (model.maker, model.model, month, amount)
        before, first, make = cells.get(cell, (0, line, record["merk"]))
        cells[cell] = (before + cars, first, make)
    if not seen:
        raise Refused(file=FILE, line=0, problem="holds no car", remedy=_NEW_FORM)
    claims = [
        {
            "market": "NL",
            "maker": maker,
            "model": model,
            "currency": "EUR",
            "period_start": month,
            "amount": amount,
            "cars": cars,
            "url": f"{_RESOURCE}?merk={make}",
            "note": "",
            "known_estimated": False,
            "line": line,
        }
        for (maker, model, month, amount), (cars, line, make) in cells.items()
    ]
    table = "list_price_count"
    return Claims(
        records={table: pd.DataFrame(claims, columns=list(records.fields(table)), dtype=object)},
        rows_read=len(claims) + len(rejected) + out_of_scope,
        rejected=tuple(rejected),
        out_of_scope=out_of_scope,
    )


_NEW_FORM = "fetch it again; if the RDW serves it so, the connector has to learn the new form"


class _Unreadable(ValueError):
    """A value in a record that cannot be read: its column, and why."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


def _answer(content: bytes) -> list[dict[str, Any]]:
    """The records of an answer; `Refused` for what is no list of records, with the register's own words for why."""
    try:
        told = json.loads(content, object_pairs_hook=_record, parse_float=_Decimal)
    except (ValueError, RecursionError) as error:
        raise Refused(file=FILE, line=0, problem=f"is no JSON ({error})", remedy="fetch it again") from error
    if isinstance(told, list) and all(isinstance(record, dict) for record in told):
        return told
    words = told.get("message") if isinstance(told, dict) else None
    why = f": {str(words)[:200]!r}" if words else ""
    raise Refused(file=FILE, line=0, problem=f"holds no list of records{why}", remedy=_NEW_FORM)


class _Decimal(float):
    """A number with a point: as it is written, which a binary number need not be."""

    def __init__(self, written: str) -> None:
        self.written = written

    def __str__(self) -> str:
        return self.written


def _record(members: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(members)
    if len(record) < len(members):
        raise ValueError(f"a record tells one thing twice: {members}"[:200])
    return record


def _check_record(record: Mapping[str, Any], *, line: int, seen: dict[tuple[Any, ...], int]) -> None:
    unknown = sorted(set(record) - _FIELDS)
    if unknown or not isinstance(record.get("merk"), str):
        raise Refused(
            file=FILE,
            line=line,
            problem=f"has {', '.join(repr(name[:40]) for name in unknown[:5])} beside" if unknown else "names no make",
            remedy=_NEW_FORM,
            value=str(record)[:200],
        )
    key = tuple(str(record.get(name)) for name in ("merk", "handelsbenaming", "catalogusprijs", "month"))
    first = seen.setdefault(key, line)
    if first != line:
        raise Refused(
            file=FILE,
            line=line,
            problem=f"counts the same cars as record {first}: two pages overlap",
            remedy="fetch it again",
            value=str(record)[:200],
        )


def _whole(value: object) -> int | None:
    """A whole number that is told as a number or as text, None for anything else."""
    found = _WHOLE.fullmatch(str(value)) if not isinstance(value, bool) else None
    return int(found[1]) if found else None


def _month(record: Mapping[str, Any], *, known_on: date) -> date:
    found = _MONTH.fullmatch(str(record.get("month", "")))
    if not found:
        raise _Unreadable("month", "is no month such as 2024-05-01T00:00:00.000")
    month = date(int(found[1]), int(found[2]), 1)
    if month > known_on:
        raise _Unreadable("month", f"is after {known_on}, the day of this file")
    return month


def _cars(record: Mapping[str, Any]) -> int:
    cars = _whole(record.get("cars"))
    if not cars:
        raise _Unreadable("cars", "is no number of cars")
    if cars > _MOST_CARS:
        raise _Unreadable("cars", "is more cars than are registered in a month")
    return cars


def _amount(record: Mapping[str, Any]) -> int:
    if record.get("catalogusprijs") is None:
        raise _Unreadable("catalogusprijs", "no list price is stated")
    amount = _whole(record["catalogusprijs"])
    if amount is None:
        raise _Unreadable("catalogusprijs", "is no whole number of euros")
    if not _LOWEST <= amount <= _HIGHEST:
        raise _Unreadable("catalogusprijs", f"is no list price of a car: not from {_LOWEST:,} to {_HIGHEST:,} euros")
    return amount


def _name(record: Mapping[str, Any]) -> str:
    """The trade name in capitals, with single spaces."""
    name = record.get("handelsbenaming")
    if not isinstance(name, str) or not name.strip():
        raise _Unreadable("handelsbenaming", "no trade name is stated")
    return " ".join(name.upper().split())


def _model(make: str, name: str) -> _Model:
    of_make = [model for model in MODELS if model.make == make]
    for model in of_make:
        for told in (name, name.removeprefix(f"{make} ")):
            if told == model.begins or re.match(rf"{re.escape(model.begins)}(?![A-Z0-9])", told):
                return model
    raise _Unreadable(
        "handelsbenaming", f"is no model of {make} on the list; add it to MODELS in {__name__.replace('.', '/')}.py"
    )
