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

Older files differ in little, and their figures mean the same: a file begins with `db.addCountry("CN", "China");`, a
quarter is written "q2018-1", and the company groups lie in `data-general.js`, at first as `var companyGroups`. Two
things are misread as easily. The oldest vintages often name the best-selling models of a month and no rest, so that
what they name is less than the market. And `data-ROTW.js`, the "rest of the world", was a balancing sum, which falls
where the figures of upstream's other countries begin: it is about no market.
"""

from __future__ import annotations

import io
import json
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, date, datetime
from functools import cache
from typing import Final

import pandas as pd

from db.contents import Source
from db.vocabulary import (
    ALL,
    BEGINNING,
    OPEN_END,
    OTHER,
    Basis,
    Cadence,
    Grain,
    Obtained,
    Powertrain,
    States,
    VehicleScope,
)
from etl.claims import CLAIM_COLUMNS, GROUP_COLUMNS, MOST_CARS, Claims, Refused
from etl.snapshots import Snapshot, SnapshotStore
from etl.web import Failed, Fetched, Get, Request, Unavailable, Web

SOURCE: Final = Source(
    slug="open-ev-charts",
    title="Open EV Charts",
    publisher="Open EV Charts (Simon Krauter)",
    url="https://github.com/simonkrauter/Open-EV-Charts",
    licence="GPL-3.0",
    licence_url="https://www.gnu.org/licenses/gpl-3.0.html",
    states=States.MARKET,
    cadence=Cadence.MONTHLY,
    lag_days=30,
    precedence=100,
    warning="Battery-electric cars only; in China a top list, so that makers' figures there are lower bounds.",
)

_REPOSITORY = "simonkrauter/Open-EV-Charts"
_RAW = f"https://raw.githubusercontent.com/{_REPOSITORY}/"
_API = f"https://api.github.com/repos/{_REPOSITORY}/"
_ARCHIVES = f"https://codeload.github.com/{_REPOSITORY}/tar.gz/"

_MARKET_FILE = re.compile(r"(?:data/)?data-([A-Z]{2}|global)\.js")
_SCRIPT = re.compile(r'<script src="([^"]+)">')
_AREA = re.compile(r'"([A-Z]{2}|global)":')
_GROUP_FILES = ("config.js", "data-general.js", "data/data-general.js")

_INSERT = re.compile(r'db\.insert\(db\.countries\.(\w+), "([^"]*)", db\.dsTypes\.(\w+), "([^"]*)",')
_FIGURE = re.compile(r'([{,]) ?"([^"]+)": ?([0-9]+)')
_END = "});"
_PERIOD = re.compile(r"(20[0-9]{2})-(?:(0[1-9]|1[0-2])|Q([1-4]))")
_OLD_QUARTER = re.compile(r"q(20[0-9]{2})-([1-4])")
_ADD_COUNTRY = re.compile(r'db\.addCountry\("(\w+)", "[^"]+"\);')
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

    Until 2025 the files lay in the repository's root, and the company groups in `data-general.js`. `data-ROTW.js` is
    no file of ours: it is about no market.
    """
    if name in _GROUP_FILES:
        return "config.js"
    found = _MARKET_FILE.fullmatch(name)
    return f"data/data-{found[1]}.js" if found else None


def origin_url(file: str) -> str:
    """The address from which upstream serves `file` today."""
    return f"{_RAW}master/{file}"


def downloads(get: Get, kept: Collection[str], *, raw: str = _RAW) -> Iterator[Request]:
    """The files that upstream's own page loads, and those that are kept already though it loads them no more.

    `config.js` names twice as many areas as have a file, so its list is tried only where the page cannot be read.
    `raw` is where upstream serves its files, up to the branch.
    """
    yield Request(file="config.js", urls=(f"{raw}master/config.js",))
    try:
        named = _SCRIPT.findall(get(f"{raw}master/index.html").decode("utf-8", "replace"))
    except Unavailable:
        named = []
    found = {file: name for name in named if (file := canonical_file(name)) and file != "config.js"}
    certain, possible = set(found), set(kept) - {"config.js"}
    if not found:
        certain = possible
        text = get(f"{raw}master/config.js").decode("utf-8", "replace")
        names = text.partition("countryNamesByCode")[2].partition("};")[0]
        possible = certain | {f"data/data-{area}.js" for area in _AREA.findall(names)}
    for file in sorted(certain | possible):
        yield Request(file=file, urls=(f"{raw}master/{found.get(file, file)}",), optional=file not in certain)


def history(
    *,
    web: Web,
    known: SnapshotStore,
    today: date,
    since: date = date(2019, 1, 1),
    api: str = _API,
    archives: str = _ARCHIVES,
    raw: str = _RAW,
) -> Iterator[Fetched | Failed]:
    """One vintage a month out of upstream's own history: each file as it was after the month's last commit.

    The months from `since` to the one before `today`'s come oldest first, with `known_on` the day (UTC) of that commit,
    and without files that are as they were the month before. The last month of which a file is kept is read again, in
    case it was not finished; earlier ones are not. A month that cannot be downloaded ends it, since vintages are a
    history: run it again for the rest. It takes one request for a hundred commits (GitHub's API allows 60 an hour) and
    one for each month's archive. `api`, `archives` and `raw` are where those are served.
    """
    done = [
        receipt.known_on
        for receipt in known.receipts(SOURCE.slug)
        if receipt.obtained == Obtained.DOWNLOAD and re.search(r"/[0-9a-f]{40}/", receipt.origin_url)
    ]
    before: dict[str, bytes] = {}
    try:
        commits = _last_commits(web, api, since=max([since, *done]).replace(day=1), until=today.replace(day=1))
    except (Unavailable, Refused) as trouble:
        yield Failed("history", f"history: {trouble}")
        return
    for day, commit in commits:
        month = f"history of {day:%Y-%m}"
        try:
            found = _files_of_archive(web.get(f"{archives}{commit}").content or b"", name=f"{commit}.tar.gz")
        except (Unavailable, Refused) as trouble:
            yield Failed(month, f"{month}: {trouble} (later months wait for this one)")
            return
        web.tell(f"{month}: {len(found)} files as of {day}")
        for file, (path, *others), content in found:
            if others:
                yield Failed(file, f"{month}: {path} and {others[0]} are one file today; load the right one by hand")
            elif content != before.get(file):
                before[file] = content
                yield Fetched(
                    Snapshot(
                        source=SOURCE.slug,
                        file=file,
                        known_on=day,
                        content=content,
                        origin_url=f"{raw}{commit}/{path}",
                        obtained=Obtained.DOWNLOAD,
                        retrieved_at=web.now().astimezone(UTC).replace(tzinfo=None),
                    )
                )


def _last_commits(web: Web, api: str, *, since: date, until: date) -> list[tuple[date, str]]:
    """Day and checksum of the last commit of each month from `since` to before `until`, oldest first."""
    last: dict[str, tuple[datetime, str]] = {}
    page = 0
    full = True
    while full:
        page += 1
        url = f"{api}commits?since={since}T00:00:00Z&until={until}T00:00:00Z&per_page={_PAGE}&page={page}"
        web.tell(f"history: commits {(page - 1) * _PAGE + 1} and on")
        try:
            entries = json.loads(web.get(url).content or b"")
            full = len(entries) == _PAGE
            for entry in entries:
                at = datetime.fromisoformat(entry["commit"]["committer"]["date"]).astimezone(UTC)
                commit = entry["sha"]
                if not re.fullmatch("[0-9a-f]{40}", commit):
                    raise ValueError(f"{commit[:50]!r} is no commit")
                if since <= at.date() < until:
                    month = f"{at:%Y-%m}"
                    last[month] = max(last.get(month, (at, commit)), (at, commit))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Refused(
                file=url,
                line=0,
                problem=f"is no list of commits ({type(error).__name__}: {error})",
                remedy="try again later; if GitHub answers so for good, the connector has to learn the new form",
            ) from error
    return [(at.date(), commit) for at, commit in sorted(last.values())]


_PAGE = 100
_ARCHIVE_BYTES = 256 * 2**20


def _files_of_archive(packed: bytes, *, name: str) -> list[tuple[str, list[str], bytes]]:
    """The files of ours in an archive of the repository: name today, path or paths then, and bytes.

    Nothing is written to disk, and nothing but regular files is read. Raises `Refused` for what is no such archive, or
    is larger than the repository can be.
    """
    paths: dict[str, list[str]] = {}
    contents: dict[str, bytes] = {}
    unpacked = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for member in archive:
                unpacked += member.size
                if unpacked > _ARCHIVE_BYTES:
                    raise _no_archive(name, f"unpacks to more than {_ARCHIVE_BYTES:,} bytes")
                path = member.name.partition("/")[2]
                file = canonical_file(path)
                stream = archive.extractfile(member) if file and member.isreg() else None
                if file and stream:
                    paths.setdefault(file, []).append(path)
                    contents[file] = stream.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise _no_archive(name, f"cannot be unpacked ({error})") from error
    return [(file, paths[file], contents[file]) for file in sorted(contents)]


def _no_archive(name: str, problem: str) -> Refused:
    return Refused(file=name, line=0, problem=problem, remedy="try again later")


def published_on(content: bytes) -> date | None:  # noqa: ARG001
    """None: a file of this source does not tell when it came out."""
    return None


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
    added = 0
    for number, line in enumerate(lines, start=1):
        if record is not None and header is not None:
            figure = _FIGURE.fullmatch(line)
            if figure:
                opening, key, digits = figure.groups()
                if (opening == "{") != (not record):
                    raise refuse("a record's figures do not begin with '{' and go on with ','", value=line)
                if digits.startswith("0") or len(digits) > 9 or int(digits) > MOST_CARS:
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
        if country_added := _ADD_COUNTRY.fullmatch(line):
            if added or rows:
                raise refuse("names its country twice, or after the first record", value=line)
            if country_added[1] != area:
                raise refuse(f"is about {country_added[1]} though the file is named for {area}", value=line)
            added = number
            continue
        insert = _INSERT.fullmatch(line)
        if insert is None:
            raise refuse("expected a record that begins with 'db.insert('", value=line)
        country, period, kind, text = insert.groups()
        period = _OLD_QUARTER.sub(r"\1-Q\2", period) if _OLD_QUARTER.fullmatch(period) else period
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
            "basis": Basis.REGISTRATION,
            "powertrain": powertrains,
            "vehicle_scope": VehicleScope.PASSENGER_CAR,
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
            inside = bool(re.match(r"(?:const|var) companyGroups\b", line))
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
        groups=pd.DataFrame(
            [(maker, group, BEGINNING, OPEN_END, line) for maker, group, line in rows], columns=list(GROUP_COLUMNS)
        ),
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
