"""ECB euro foreign exchange reference rates: what a euro was worth in other currencies, working day by working day.

One CSV in a zip, `Date,USD,JPY,…,ZAR,` with the newest day first. What is kept is each month's mean. What is easily
misread:

* The header and every line end with a comma, so that there is an empty last column.
* A currency that is not quoted on a day is `N/A`. Currencies that are no more keep their columns.
* Rates are set on working days of the euro's payment system (TARGET): not on weekends, New Year, Good Friday, Easter
  Monday, 1 May, 25 and 26 December.
* A rate is units of the currency for one euro: a higher number is a weaker currency.
"""

from __future__ import annotations

import csv
import io
import lzma
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import numpy as np
import pandas as pd
from pandas.tseries.holiday import AbstractHolidayCalendar, EasterMonday, GoodFriday, Holiday

from db import records
from db.contents import Source
from db.vocabulary import Cadence, States
from etl.claims import Claims, Refused, RejectedRow
from etl.snapshots import Snapshot
from etl.web import Get, Request

SOURCE: Final = Source(
    slug="ecb-euro-rates",
    title="Euro foreign exchange reference rates",
    publisher="European Central Bank",
    url="https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/html/index.en.html",
    licence="free reuse with the ECB named as source",
    licence_url="https://www.ecb.europa.eu/home/disclaimer/html/index.en.html",
    states=States.RECORDS,
    cadence=Cadence.MONTHLY,
    lag_days=3,
    precedence=500,
    warning="Means of a month's daily reference rates, which the ECB gives for information; nobody need trade at them.",
)

FILE: Final = "eurofxref-hist.zip"
MEMBER: Final = "eurofxref-hist.csv"
FIRST_MONTH: Final = date(2015, 1, 1)
"""Earlier rates are out of scope: no price that is followed here is older."""

_URL = f"https://www.ecb.europa.eu/stats/eurofxref/{FILE}"
_LARGEST = 32 * 2**20
_MISSING = "N/A"
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_SLIP = 5
"""A rate so many times the one before, or that part of it, is a slipped decimal point: the largest step from one day to
the next in the file of 2026-10-30 is a factor of 1.68 (Turkey's old lira in February 2001)."""
_RECENT = timedelta(days=31)
"""A rate is held against the one before if that is no older: over years without a quotation a currency may go anywhere,
and one that stays at its new level for so long has one."""
_PLACES = Decimal("0.000001")
_REDOWNLOAD = "download it again; if the ECB serves it so, the connector has to learn the new form"


class _Target(AbstractHolidayCalendar):
    """The closing days of TARGET that are no weekends, as they have been since 2002."""

    rules = [  # noqa: RUF012 - as pandas has it
        Holiday("New Year", month=1, day=1),
        GoodFriday,
        EasterMonday,
        Holiday("Labour Day", month=5, day=1),
        Holiday("Christmas", month=12, day=25),
        Holiday("Day after Christmas", month=12, day=26),
    ]


def canonical_file(name: str) -> str | None:
    """`eurofxref-hist.zip` for that file and for the CSV in it, None for any other."""
    return FILE if name in (FILE, MEMBER) else None


def origin_url(file: str) -> str:  # noqa: ARG001 - there is one file
    """The address from which the ECB serves the file."""
    return _URL


def downloads(get: Get, kept: Collection[str]) -> tuple[Request, ...]:  # noqa: ARG001
    """What to ask the ECB for: the one file, whatever is kept already."""
    return (Request(file=FILE, urls=(_URL,)),)


def published_on(content: bytes) -> date | None:
    """The newest day of which the file has rates, None where it cannot be read."""
    try:
        _, lines = _table(content)
    except Refused:
        return None
    days = [day for line in lines if (day := _day(line.day)) is not None]
    return max(days, default=None)


def parse(snapshot: Snapshot) -> Claims:
    """What the file claims: `fx_rate`, for each currency and month the mean of its daily rates, from 2015 on.

    A mean is exact, then rounded to six decimals (half to even); `days` is how many rates it is of, `line` where the
    latest of them stands. A row, for the books, is a currency's month with at least one entry other than `N/A`: it is
    claimed, or out of scope (before 2015, or a month still running: the newest day of the file is before the last day
    on which rates are set in it). Besides, each of these is a rejected row of its own, with line and reason:

    * an entry that is no rate, is not positive, or is out of all proportion to the one before. The month's mean is of
      its other days, and says so in `note`;
    * a line of no day, of a day after the snapshot's, or of a day that has another line with other rates: both are.

    A line that is the same to the letter as an earlier one is a duplicate. Raises `Refused` for a zip that holds
    anything but the one CSV, is damaged or too large, for another header, for a line that is cut, and for a file
    without any day or that begins after January 2015.
    """
    if snapshot.file != FILE:
        raise Refused(
            file=snapshot.file, line=0, problem="is not a file of this source", remedy=f"expected {FILE} or {MEMBER}"
        )
    snapshot.refuse_what_is_no_data()
    currencies, lines = _table(snapshot.content)
    days, rejected, duplicate = _days(lines, known_on=snapshot.known_on)
    if not days:
        why = f" (line {rejected[0].line}: {rejected[0].column} {rejected[0].reason})" if rejected else ""
        raise Refused(file=FILE, line=0, problem=f"holds no day that can be read{why}", remedy="download it again")
    if _month(min(days)) > FIRST_MONTH:
        raise Refused(
            file=FILE,
            line=0,
            problem=f"begins on {min(days)} only, so that months of {FIRST_MONTH.year} and on would vanish",
            remedy=f"it is cut short or another file of the ECB's (of 90 days): download {_URL}",
        )
    open_month = _month(max(days)) if max(days) < _last_working_day(max(days)) else date.max
    means: list[dict[str, object]] = []
    out_of_scope = 0
    for column, currency in enumerate(currencies):
        entries: dict[date, list[tuple[date, int, str]]] = defaultdict(list)
        for day in sorted(days):
            line = days[day]
            if line.entries[column] != _MISSING:
                entries[_month(day)].append((day, line.number, line.entries[column]))
        before, of_day = Decimal(), date.min
        for month in entries:
            if month < FIRST_MONTH or month >= open_month:
                out_of_scope += 1
                continue
            rates: list[Decimal] = []
            unread: list[RejectedRow] = []
            for day, number, text in entries[month]:
                reason = _why_not(text, before if day - of_day <= _RECENT else None)
                if reason:
                    unread.append(RejectedRow(line=number, column=currency, value=text[:200], reason=reason))
                else:
                    before, of_day = Decimal(text), day
                    rates.append(before)
            rejected += unread
            if rates:
                left_out = f"{len(unread)} of the month's daily rates could not be read" if unread else ""
                means.append(
                    {
                        "currency": currency,
                        "period_start": month,
                        "rate": float((sum(rates, Decimal()) / len(rates)).quantize(_PLACES)),
                        "days": len(rates),
                        "url": _URL,
                        "note": left_out,
                        "known_estimated": False,
                        "line": entries[month][-1][1],
                    }
                )
    return Claims(
        records={"fx_rate": pd.DataFrame(means, columns=list(records.fields("fx_rate")), dtype=object)},
        rows_read=len(means) + len(rejected) + out_of_scope + duplicate,
        rejected=tuple(sorted(rejected, key=lambda row: row.line)),
        out_of_scope=out_of_scope,
        duplicate=duplicate,
    )


def _why_not(text: str, before: Decimal | None) -> str:
    """Why an entry is no rate, given the currency's rate before it; empty where it is one."""
    if re.fullmatch(r"-[0-9.]+|0+(\.0+)?", text):
        return "is not positive"
    if not _RATE.fullmatch(text):
        return "is no number"
    if before and not before / _SLIP < Decimal(text) < before * _SLIP:
        return f"is out of all proportion to the rate before, {before}"
    return ""


def _month(day: date) -> date:
    return day.replace(day=1)


def _last_working_day(day: date) -> date:
    """The last day of its month on which rates are set."""
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    closed = _Target().holidays(pd.Timestamp(day.replace(day=1)), pd.Timestamp(following)).to_numpy("datetime64[D]")
    return pd.Timestamp(np.busday_offset(np.datetime64(following), -1, roll="forward", holidays=closed)).date()


# The table


@dataclass(frozen=True)
class _Line:
    """A line of the CSV: its number, its day as it is written, and an entry for each currency."""

    number: int
    day: str
    entries: tuple[str, ...]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        return None


def _days(lines: Iterable[_Line], *, known_on: date) -> tuple[dict[date, _Line], list[RejectedRow], int]:
    """The line of each day, the lines that are rejected, and how many are the same as an earlier one."""
    rejected: list[RejectedRow] = []
    of_day: dict[date, dict[tuple[str, ...], _Line]] = {}
    duplicate = 0

    def reject(line: _Line, reason: str) -> None:
        rejected.append(RejectedRow(line=line.number, column="Date", value=line.day[:200], reason=reason))

    for line in lines:
        day = _day(line.day)
        if day is None:
            reject(line, "is no day such as 2026-10-30")
        elif day > known_on:
            reject(line, f"is after {known_on}, the day of this file")
        elif line.entries in of_day.setdefault(day, {}):
            duplicate += 1
        else:
            of_day[day][line.entries] = line
    for told in of_day.values():
        numbers = " and ".join(str(line.number) for line in told.values())
        for line in told.values() if len(told) > 1 else ():
            reject(line, f"has other rates in lines {numbers}")
    return {day: line for day, told in of_day.items() if len(told) == 1 for line in told.values()}, rejected, duplicate


def _table(content: bytes) -> tuple[list[str], list[_Line]]:
    """The currencies and the lines below the header; `Refused` for what is no such table."""
    try:
        text = _unpacked(content).decode("ascii")
    except UnicodeDecodeError as error:
        raise Refused(file=FILE, line=0, problem="is no plain text", remedy=_REDOWNLOAD) from error
    rows = _rows(text)
    number, header = next(rows, (1, [""]))
    currencies = header[1:-1]
    unlike = [name for name in currencies if not re.fullmatch("[A-Z]{3}", name)]
    if (header[0], header[-1]) != ("Date", "") or not currencies or unlike or len(set(currencies)) < len(currencies):
        raise Refused(
            file=FILE,
            line=number,
            problem="has another header than Date, each currency's code once, and an empty column",
            remedy=_REDOWNLOAD,
            value=",".join(header)[:200],
        )
    lines = []
    for number, fields in rows:
        if len(fields) != len(header) or fields[-1]:
            raise Refused(
                file=FILE,
                line=number,
                problem=f"has {len(fields)} fields and ends in {fields[-1][:20]!r} where {len(header)} and '' belong",
                remedy="it is damaged or cut short: download it again",
                value=",".join(fields)[:200],
            )
        lines.append(_Line(number, fields[0], tuple(fields[1:-1])))
    return currencies, lines


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line that is not empty, with its number."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for fields in reader:
            if fields:
                yield reader.line_num, fields
    except csv.Error as error:
        raise Refused(
            file=FILE,
            line=reader.line_num,
            problem=f"is no CSV ({error})",
            remedy="it is damaged or cut short: download it again",
        ) from error


def _unpacked(content: bytes) -> bytes:
    """The CSV of the zip, or the content as it is where it is no zip; never more than a size that is far too large."""
    if not content.startswith(b"PK"):
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            names = [member.filename for member in packed.infolist()]
            if names != [MEMBER]:
                problem = (
                    f"holds {', '.join(repr(name[:60]) for name in names[:5]) or 'nothing'} and not {MEMBER} alone"
                )
                raise Refused(file=FILE, line=0, problem=problem, remedy=_REDOWNLOAD)
            with packed.open(MEMBER) as member:
                unpacked = member.read(_LARGEST + 1)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError) as error:
        raise Refused(
            file=FILE, line=0, problem=f"cannot be unpacked ({error})", remedy="it is damaged: download it again"
        ) from error
    if len(unpacked) > _LARGEST:
        raise Refused(
            file=FILE, line=0, problem=f"unpacks to more than {_LARGEST:,} bytes", remedy="check where it came from"
        )
    return unpacked
