"""A CSV file of yearly figures, one row one figure: what the IEA's table and Our World in Data's have in common.

A connector says which layouts it knows and how a row is read; here the file is taken apart, every row is accounted for,
and numbers are read exactly.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pandas as pd

from db.vocabulary import ALL, Basis, Grain, Powertrain, VehicleScope
from etl.claims import CLAIM_COLUMNS, MOST_CARS, PENETRATION_COLUMNS, Claims, Refused, RejectedRow
from etl.snapshots import Snapshot


class Unreadable(ValueError):
    """A value in a row that cannot be read: its column, and why."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


@dataclass(frozen=True, kw_only=True)
class YearlyFigure:
    """What one row says of a market in a year: cars sold, or their share of all cars, as a fraction."""

    market: str
    powertrain: Powertrain
    year: int
    units: int | None = None
    share: float | None = None


def yearly_claims(
    snapshot: Snapshot,
    *,
    layouts: Mapping[str, Sequence[str]],
    read: Callable[[Mapping[str, str]], YearlyFigure | None],
    evidence: str,
) -> Claims:
    """The claims of a CSV file of yearly figures about passenger cars, all makers together.

    `layouts` names the sets of columns that are known. `read` makes a figure of a row (column to text), None of a row
    that is out of scope, and raises `Unreadable` for one to reject. Raises `Refused` with the line for another layout,
    a row that is cut, two figures for one cell, and a file without any figure.
    """
    sales: list[tuple[object, ...]] = []
    penetration: list[tuple[object, ...]] = []
    rejected: list[RejectedRow] = []
    seen: set[tuple[str, ...]] = set()
    cells: dict[tuple[object, ...], int] = {}
    rows_read = out_of_scope = duplicate = 0
    for line, row in _rows(snapshot, layouts):
        rows_read += 1
        fields = tuple(row.values())
        if fields in seen:
            duplicate += 1
            continue
        seen.add(fields)
        try:
            figure = read(row)
        except Unreadable as error:
            rejected.append(
                RejectedRow(line=line, column=error.column, value=row[error.column][:200], reason=error.reason)
            )
            continue
        if figure is None:
            out_of_scope += 1
            continue
        of_sales = figure.units is not None
        cell = (of_sales, figure.market, figure.powertrain, figure.year)
        first = cells.setdefault(cell, line)
        if first != line:
            raise Refused(
                file=snapshot.file,
                line=line,
                problem=(
                    f"a second {'number' if of_sales else 'share'} of {figure.powertrain} cars in {figure.market} "
                    f"in {figure.year}; the first is in line {first}"
                ),
                remedy="download it again; if upstream serves it so, remove the row that is wrong",
                value=",".join(fields)[:200],
            )
        (sales if of_sales else penetration).append(
            (
                figure.market,
                Basis.REGISTRATION,
                figure.powertrain,
                VehicleScope.PASSENGER_CAR,
                Grain.YEAR,
                date(figure.year, 1, 1),
                ALL,
                ALL,
                figure.units if of_sales else figure.share,
                line,
                evidence,
            )
        )
    if not cells:
        why = f" (line {rejected[0].line}: {rejected[0].column} {rejected[0].reason})" if rejected else ""
        raise Refused(
            file=snapshot.file,
            line=0,
            problem=f"holds no figure of cars sold in a year that can be read{why}",
            remedy="download it again",
        )
    return Claims(
        sales=pd.DataFrame(sales, columns=list(CLAIM_COLUMNS), dtype=object),
        penetration=pd.DataFrame(penetration, columns=list(PENETRATION_COLUMNS), dtype=object),
        rows_read=rows_read,
        rejected=tuple(rejected),
        out_of_scope=out_of_scope,
        duplicate=duplicate,
    )


def unknown_market(module: str) -> str:
    """Why a row of a market that a connector does not know is rejected, and what to do."""
    return (
        f"is no market that is known; add it to etl/reference/markets.csv and to the table of markets in "
        f"{module.replace('.', '/')}.py"
    )


def year(column: str, text: str) -> int:
    """The year of a text such as "2024"; `Unreadable` for any other."""
    if not re.fullmatch("20[0-9]{2}", text):
        raise Unreadable(column, "is no year such as 2024")
    return int(text)


def cars(column: str, text: str) -> int:
    """The number of cars of a text such as "2000000" or "2e6"; `Unreadable` for one that is not whole or negative."""
    number = _number(column, text)
    if number != number.to_integral_value():
        raise Unreadable(column, "is no whole number of cars")
    if number > MOST_CARS:
        raise Unreadable(column, "is more cars than are sold in a year")
    return int(number)


def share(column: str, percent: str) -> float:
    """The fraction of a text in per cent ("0.0061" is 0.000061); `Unreadable` for one that is not 0 to 100."""
    number = _number(column, percent)
    if number > 100:
        raise Unreadable(column, "is more than 100 per cent")
    return float(number / 100)


_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?")


def _number(column: str, text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise Unreadable(column, "is no number")
    number = Decimal(text)
    if number.is_signed():
        raise Unreadable(column, "is negative")
    return number


def _rows(snapshot: Snapshot, layouts: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows below the header with their line, by column; `Refused` for another layout and a row that is cut."""
    reader = csv.reader(io.StringIO(snapshot.text(), newline=""), strict=True)
    header: list[str] = []
    line = 1
    try:
        for fields in reader:
            if not header:
                header = fields
                _check_layout(snapshot.file, header, layouts)
            elif fields and len(fields) != len(header):
                raise Refused(
                    file=snapshot.file,
                    line=line,
                    problem=f"has {len(fields)} fields where the header has {len(header)}",
                    remedy="it is damaged or cut short: download it again",
                    value=",".join(fields)[:200],
                )
            elif fields:
                yield line, dict(zip(header, fields, strict=True))
            line = reader.line_num + 1
    except csv.Error as error:
        raise Refused(
            file=snapshot.file,
            line=line,
            problem=f"is no CSV ({error})",
            remedy="it is damaged or cut short: download it again",
        ) from error
    if not header:
        raise Refused(file=snapshot.file, line=0, problem="is empty", remedy="download it again")


def _check_layout(file: str, header: Sequence[str], layouts: Mapping[str, Sequence[str]]) -> None:
    if len(set(header)) == len(header) and any(set(header) == set(columns) for columns in layouts.values()):
        return
    name, columns = min(layouts.items(), key=lambda layout: len(set(header) ^ set(layout[1])))
    new = [column for column in dict.fromkeys(header) if column not in columns]
    differences = {
        "new": new,
        "missing": [column for column in columns if column not in header],
        "there twice": [column for column in dict.fromkeys(header) if header.count(column) > 1],
    }
    told = "; ".join(
        f"{', '.join(repr(column[:60]) for column in found[:8])} {'is' if len(found) == 1 else 'are'} {what}"
        for what, found in differences.items()
        if found
    )
    known = "; ".join(f"{layout} ({','.join(columns)})" for layout, columns in layouts.items())
    raise Refused(
        file=file,
        line=1,
        problem=f"has columns of no known layout: against the {name}, {told}",
        remedy=f"download it again; if upstream serves it so, the connector has to learn it beside {known}",
        value=",".join(header)[:200],
    )
