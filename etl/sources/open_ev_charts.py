"""Open EV Charts: registrations by maker and model, month by month, for 24 countries, the EU and the world.

Upstream keeps one JavaScript file a market (`data/data-CN.js`), each a list of records:

    db.insert(db.countries.CN, "2026-06", db.dsTypes.ElectricCarsByModel, "https://… (a remark), https://…",
    { "BYD|Seagull": 21807
    , "BYD|other": 12
    , "other": 367513
    });

and `config.js` with the company groups. What is easily misread:

* Only battery-electric cars are itemised. Plug-in hybrids are nowhere, so nothing here is an NEV share.
* "other" is the market's unnamed rest, "BYD|other" the rest of a maker whose other models are named, and a record that
  holds "other" alone states a total.
* A model that is not named in a record is not zero: it dropped off a top list. China's file is such a list.
* Quarters (US, CA; AU and UK in early years) are claims about a quarter and stay quarters.
* `global` and `EU` overlap the countries.
* Remarks in the source text ("includes commercial vehicles") belong to the figures and are printed with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Final

import pandas as pd

from db.store import Source
from db.vocabulary import ALL, OTHER, Basis, Cadence, Grain, Powertrain, VehicleScope
from etl.claims import CLAIM_COLUMNS, GROUP_COLUMNS, Claims
from etl.snapshots import Refused, Snapshot

SOURCE: Final = Source(
    slug="open-ev-charts",
    title="Open EV Charts",
    publisher="Open EV Charts (Simon Krauter)",
    url="https://github.com/simonkrauter/Open-EV-Charts",
    licence="GPL-3.0",
    licence_url="https://www.gnu.org/licenses/gpl-3.0.html",
    basis=Basis.REGISTRATION,
    vehicle_scope=VehicleScope.PASSENGER_CAR,
    cadence=Cadence.MONTHLY,
    precedence=100,
    warning="Battery-electric cars only; in China a top list, so that makers' figures there are lower bounds.",
)

_RAW = "https://raw.githubusercontent.com/simonkrauter/Open-EV-Charts/master/"
_MARKET_FILE = re.compile(r"(?:data/)?data-([A-Z]{2}|global)\.js")
_GROUP_FILES = ("config.js", "data-general.js", "data/data-general.js")

_INSERT = re.compile(r'db\.insert\(db\.countries\.(\w+), "([^"]*)", db\.dsTypes\.(\w+), "([^"]*)",')
_FIGURE = re.compile(r'([{,]) ?"([^"]+)": ?([0-9]+)')
_END = "});"
_PERIOD = re.compile(r"(20[0-9]{2})-(?:(0[1-9]|1[0-2])|Q([1-4]))")
_TYPES: Final = {
    "AllCarsByBrand": (Powertrain.ALL, "brand"),
    "AllCarsTotal": (Powertrain.ALL, "total"),
    "ElectricCarsByModel": (Powertrain.BEV, "model"),
    "ElectricCarsByBrand": (Powertrain.BEV, "brand"),
    "ElectricCarsTotal": (Powertrain.BEV, "total"),
}
_DAMAGED_ACCENT = re.compile("[\u00c2\u00c3\u00c4\u00c5][\u0080-\u00bf\u0152-\u0192\u02c6\u02dc\u2013-\u2122]|\ufffd")
_Header = tuple[str, Powertrain, str, str, int]
_REDOWNLOAD = "download the file again; if upstream serves it so, the connector has to learn the new form"


def canonical_file(name: str) -> str | None:
    """The name that a file has upstream today, or None for a file that holds no figures of ours.

    Until 2025 the files lay in the repository's root, and the company groups in `data-general.js`.
    """
    if name in _GROUP_FILES:
        return "config.js"
    found = _MARKET_FILE.fullmatch(name)
    return f"data/data-{found[1]}.js" if found else None


def origin_url(file: str) -> str:
    """The address from which upstream serves `file` today."""
    return _RAW + file


def parse(snapshot: Snapshot) -> Claims:
    """What one upstream file claims: sales from a market file, company groups from `config.js`.

    Raises `Refused` with the line where the file departs from the form above. One bad line refuses the file: a record
    without one of its makers would silently raise the share of every other.
    """
    if snapshot.file == "config.js":
        return _parse_groups(snapshot)
    return _parse_market(snapshot)


def _parse_market(snapshot: Snapshot) -> Claims:
    named = _MARKET_FILE.fullmatch(snapshot.file)
    if named is None:
        raise Refused(
            file=snapshot.file,
            line=0,
            problem="is not a file of this source",
            remedy="expected data/data-CN.js or the like",
        )
    area = named[1]
    lines = snapshot.text().splitlines()
    rows: list[tuple[object, ...]] = []
    seen_records: dict[tuple[str, Powertrain], int] = {}
    covered: dict[tuple[Powertrain, str], int] = {}
    number = 0

    def refuse(problem: str, *, line: int | None = None, remedy: str = _REDOWNLOAD, value: str = "") -> Refused:
        return Refused(
            file=snapshot.file, line=number if line is None else line, problem=problem, remedy=remedy, value=value[:200]
        )

    record: list[tuple[str, int, int]] | None = None
    header: _Header | None = None
    for number, line in enumerate(lines, start=1):
        if record is not None and header is not None:
            figure = _FIGURE.fullmatch(line)
            if figure:
                opening, key, digits = figure.groups()
                if (opening == "{") != (not record):
                    raise refuse("a record's figures do not begin with '{' and go on with ','", value=line)
                if digits.startswith("0") or len(digits) > 9:
                    raise refuse(
                        f"{digits[:20]} is not a number of cars (upstream leaves out what is zero)", value=line
                    )
                record.append((key, int(digits), number))
            elif not line:
                continue
            elif line == _END:
                rows += _record_rows(header, record, refuse)
                record = header = None
            else:
                raise refuse("expected a figure such as ', \"BYD|Seal\": 12' or the record's end '});'", value=line)
            continue
        if not line or line.startswith("//") or line == '"use strict";':
            continue
        insert = _INSERT.fullmatch(line)
        if insert is None:
            if "db.addCountry" in line:
                raise refuse(
                    "is written in the grammar of before 2024 (db.addCountry)",
                    remedy="use a file of January 2024 or later",
                    value=line,
                )
            raise refuse("expected a record that begins with 'db.insert('", value=line)
        country, period, kind, text = insert.groups()
        if country != area:
            raise refuse(f"holds figures of {country} though the file is named for {area}", value=line)
        if kind not in _TYPES:
            raise refuse(f"{kind} is no known type; known are {', '.join(_TYPES)}", value=line)
        if not _PERIOD.fullmatch(period):
            raise refuse(f"'{period}' is no period such as 2026-06 or 2026-Q2", value=line)
        powertrain, level = _TYPES[kind]
        first = seen_records.setdefault((period, powertrain), number)
        if first != number:
            raise refuse(f"a second record of {powertrain} cars in {period}; the first is in line {first}", value=line)
        for month in _months(period):
            first = covered.setdefault((powertrain, month), number)
            if first != number:
                raise refuse(f"{period} overlaps the record in line {first}: a month and its quarter", value=line)
        header, record = (period, powertrain, level, text, number), []
    if record is not None:
        raise refuse("the file ends inside a record", remedy="it is truncated: download it again")
    if not rows:
        raise refuse("holds no record", line=0)
    return Claims(
        sales=_sales_frame(rows, market=_market_code(area)),
        groups=pd.DataFrame(columns=list(GROUP_COLUMNS)),
        rows_read=len(rows),
    )


def _record_rows(
    header: _Header, record: list[tuple[str, int, int]], refuse: Callable[..., Refused]
) -> list[tuple[object, ...]]:
    period, powertrain, level, text, number = header
    if not record:
        raise refuse("the record holds no figure", line=number)
    keys = [key for key, _, _ in record]
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise refuse(f"'{twice}' stands twice in the record of {period}", line=number)
    if level == "total" and keys != [OTHER]:
        raise refuse("a total holds other keys than 'other'", line=number)
    if keys == [OTHER]:  # before 2025 a total was written so, as a by-brand record with nothing but its rest
        level = "total"
    rows: list[tuple[object, ...]] = []
    for key, units, line in record:
        try:
            brand, model = _names(key, level)
        except ValueError as error:
            raise refuse(str(error), line=line) from error
        rows.append((period, powertrain, brand, model, units, line, text))
    return rows


@cache
def _names(key: str, level: str) -> tuple[str, str]:
    """Brand and model of a key in a record by model, by brand or of a total; `ValueError` for a key that is none."""
    brand, bar, model = key.partition("|")
    if _DAMAGED_ACCENT.search(key):
        raise ValueError(f"'{key}' has damaged accents: the file was saved in the wrong encoding")
    if key != OTHER and (brand.casefold() in (ALL, OTHER) or (model != OTHER and model.casefold() in (ALL, OTHER))):
        raise ValueError(f"'{key}' is a word with a meaning of its own here, no maker or model")
    if level == "total":
        return ALL, ALL
    if key == OTHER:
        return OTHER, ALL
    if level == "model":
        if not (brand.strip() and bar and model.strip()) or "|" in model:
            raise ValueError(f"'{key}' is no 'Brand|Model'")
        return brand, model
    if bar:
        raise ValueError(f"'{key}' names a model in a record by brand")
    return brand, ALL


def _sales_frame(rows: list[tuple[object, ...]], *, market: str) -> pd.DataFrame:
    periods, powertrains, brands, models, units, lines, texts = zip(*rows, strict=True)
    starts = {period: _period(period) for period in set(periods)}
    return pd.DataFrame(
        {
            "market": market,
            "basis": SOURCE.basis,
            "powertrain": powertrains,
            "vehicle_scope": SOURCE.vehicle_scope,
            "grain": [starts[period][1] for period in periods],
            "period_start": [starts[period][0] for period in periods],
            "maker": brands,
            "model": models,
            "units": units,
            "line": lines,
            "evidence": texts,
        },
        columns=list(CLAIM_COLUMNS),
        dtype=object,
    )


def _parse_groups(snapshot: Snapshot) -> Claims:
    """Group membership from the object `companyGroups`; a brand in no group is its own company."""
    rows: list[tuple[str, str, int]] = []
    members: set[str] = set()
    group: str | None = None
    inside = False
    number = 0
    for number, line in enumerate(snapshot.text().splitlines(), start=1):
        line = line.strip()
        if not inside:
            inside = bool(re.match(r"const companyGroups\b", line))
            continue
        if line in ("{", "}", "};", "]", "],", "=", "") or line.startswith("//"):
            if line == "};":
                inside = False
                break
            continue
        name = re.fullmatch(r'[{,]? ?"([^"]+)":(?: \[)?', line)
        brand = re.fullmatch(r'[\[,] ?"([^"]+)"\]?,?', line)
        if name:
            group = name[1]
        elif brand and brand[1] in members:
            raise Refused(
                file=snapshot.file,
                line=number,
                problem=f"'{brand[1]}' stands in two groups or twice in one",
                remedy=_REDOWNLOAD,
                value=line[:200],
            )
        elif brand and group:
            members.add(brand[1])
            rows.append((brand[1], group, number))
        else:
            raise Refused(
                file=snapshot.file,
                line=number,
                problem="is no part of companyGroups",
                remedy=_REDOWNLOAD,
                value=line[:200],
            )
    if inside:
        raise Refused(
            file=snapshot.file,
            line=number,
            problem="the file ends inside companyGroups",
            remedy="it is truncated: download it again",
        )
    if not rows:
        raise Refused(file=snapshot.file, line=0, problem="holds no companyGroups", remedy=_REDOWNLOAD)
    return Claims(
        sales=pd.DataFrame(columns=list(CLAIM_COLUMNS)),
        groups=pd.DataFrame(rows, columns=["maker", "group", "line"])[list(GROUP_COLUMNS)],
        rows_read=len(rows),
    )


def _market_code(area: str) -> str:
    """Upstream's area as our market code: the United Kingdom is GB in ISO 3166."""
    return {"UK": "GB", "global": "WORLD"}.get(area, area)


def _period(period: str) -> tuple[date, Grain]:
    year, month, quarter = _period_parts(period)
    return (date(year, month, 1), Grain.MONTH) if not quarter else (date(year, 3 * quarter - 2, 1), Grain.QUARTER)


def _months(period: str) -> list[str]:
    year, month, quarter = _period_parts(period)
    return [f"{year}-{m:02d}" for m in (range(3 * quarter - 2, 3 * quarter + 1) if quarter else (month,))]


def _period_parts(period: str) -> tuple[int, int, int]:
    found = _PERIOD.fullmatch(period)
    assert found is not None
    return int(found[1]), int(found[2] or 0), int(found[3] or 0)
