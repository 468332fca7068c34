"""Curated files of records: prices, rates, offers and the like, one row one address, in a CSV of their table's columns.

The columns are those of the table in `db.schema.RECORDS` (its key and values), and `source_url`, `note`,
`published_on` and `published_estimated`. A row that cannot be read is rejected with its line, the column, the value and
the reason; the caller refuses the whole file then, since a file is reviewed as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final

import pandas as pd

from db import records
from db.records import Field
from db.vocabulary import Word
from etl.claims import Claims, Refused, RejectedRow
from etl.csv_file import csv_rows, csv_text
from etl.harmonize import reference
from etl.tidy import address_cell, day_cell, printable_cell

FORMAT: Final = "etl/curated/README.md"
"""Where the format is described."""

_OF_FILE: Final = ("source_url", "note", "published_on", "published_estimated")
_NOT_IN_FILE: Final = ("url", "note", "known_estimated", "line", "known_from", "known_to")


Rule = Callable[[dict[str, Any]], tuple[str, str] | None]
"""Given a row as values: the column and what is wrong with it, or None."""

AcrossRule = Callable[[Sequence[dict[str, Any]]], Iterable[RejectedRow]]
"""Given all rows as values: those that do not go with the others, with the reason."""

_TENFOLD: Final = 10


def no_tenfold_steps(rows: Sequence[dict[str, Any]]) -> Iterator[RejectedRow]:
    """The rows whose amount is ten times the one before it of the same thing, or a tenth: a digit too many or few."""
    before: dict[tuple[Any, ...], dict[str, Any]] = {}
    about = ("market", "maker", "model", "trim", "package", "currency", "price_kind", "billing")
    for row in sorted(rows, key=lambda row: (row["effective_from"], row["line"])):
        if row["amount"] is None:
            continue
        earlier = before.setdefault(tuple(row.get(name) for name in about), row)
        ratio = row["amount"] / earlier["amount"] if earlier["amount"] else 1.0
        if ratio >= _TENFOLD or ratio <= 1 / _TENFOLD:
            reason = f"is {ratio:.1f} times the {earlier['amount']:,.0f} of line {earlier['line']}; look for a slip"
            yield RejectedRow(row["line"], "amount", str(row["amount"]), reason)
        else:
            before[tuple(row.get(name) for name in about)] = row


def columns(table: str) -> tuple[str, ...]:
    """The columns of a curated file of a table, in their usual order."""
    return (*(of.name for of in _told(table)), *_OF_FILE)


def _told(table: str) -> list[Field]:
    return [of for of in records.fields_of(table) if of.name not in _NOT_IN_FILE]


def read(
    content: bytes,
    *,
    file: str,
    table: str,
    known_on: date,
    rules: Sequence[Rule] = (),
    across: Sequence[AcrossRule] = (),
    address_optional: bool = False,
) -> Claims:
    """What a curated file of a table says; rows that cannot be read are among `rejected`.

    `known_on` is the day on which it is read: nothing is published after it. `rules` look at each row, `across` at all
    that were read. Raises `Refused` where the file is no CSV with the columns.
    """
    told_rows = csv_rows(csv_text(content, file=file))
    _, header, _ = next(told_rows, (1, [], ""))
    wanted = columns(table)
    if sorted(header) != sorted(wanted):
        raise Refused(
            file=file,
            line=1,
            problem=f"the columns are {', '.join(header)[:200]}",
            remedy=f"they have to be {', '.join(wanted)} ({FORMAT})",
        )
    fields = _told(table)
    rows: list[dict[str, Any]] = []
    rejected: list[RejectedRow] = []
    read_rows = 0
    for line, cells, broken in told_rows:
        read_rows += 1
        if broken or len(cells) != len(header):
            reason = broken or f"has {len(cells)} cells where the header has {len(header)}"
            rejected.append(RejectedRow(line, "", ",".join(cells)[:200], reason))
            continue
        told = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        problems: list[RejectedRow] = []
        row = dict(_values(told, fields, line=line, problems=problems))
        row |= _of_file(told, line=line, known_on=known_on, problems=problems, address_optional=address_optional)
        if not problems:
            wrong = next((found for rule in (*rules, _not_below_zero) if (found := rule(row))), None)
            if wrong:
                problems.append(RejectedRow(line, wrong[0], told.get(wrong[0], ""), wrong[1]))
        rejected += problems[:1]
        if not problems:
            rows.append(row)
    names = (*records.fields(table), "published_on")
    for compare in across:
        odd = list(compare(rows))
        rejected += odd
        rows = [row for row in rows if row["line"] not in {of.line for of in odd}]
    rejected.sort(key=lambda of: of.line)
    # Each column keeps what it was given: a number beside a missing one stays a number.
    frame = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in names})
    return Claims(rows_read=read_rows, records={table: frame}, rejected=tuple(rejected))


def _values(
    told: dict[str, str], fields: Iterable[Field], *, line: int, problems: list[RejectedRow]
) -> Iterator[tuple[str, Any]]:
    markets = {market["code"] for market in reference().markets}
    for of in fields:
        text = told[of.name]
        try:
            value = _value(of, text)
            if of.name == "market" and value not in markets:
                raise ValueError("is no market of etl/reference/markets.csv")
        except ValueError as error:
            problems.append(RejectedRow(line, of.name, text, str(error)))
            continue
        yield of.name, value


def _value(of: Field, text: str) -> Any:
    if not text and of.optional:
        return None
    if issubclass(of.kind, Word):
        words = {word.value: word for word in of.kind}
        if text not in words:
            raise ValueError(f"is none of {', '.join(words)}")
        return words[text]
    if of.kind is str:
        return printable_cell(text)
    if not text:
        raise ValueError("is empty")
    if of.kind is date:
        return day_cell(date.max)(text)
    if of.kind is int:
        if not _WHOLE.fullmatch(text):
            raise ValueError("is no plain whole number such as 1234")
        return int(text)
    if not _NUMBER.fullmatch(text):
        raise ValueError("is no plain number such as 1234.5")
    return float(text)


_WHOLE = re.compile("-?[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")


def _not_below_zero(row: dict[str, Any]) -> tuple[str, str] | None:
    """Nothing that is claimed in these files can be."""
    below = (name for name, value in row.items() if isinstance(value, int | float) and value < 0)
    return next(((name, "is below zero") for name in below), None)


def _of_file(
    told: dict[str, str], *, line: int, known_on: date, problems: list[RejectedRow], address_optional: bool
) -> dict[str, Any]:
    """Address, note, since when it is known and whether that is inferred, and the line."""

    def cell(column: str, read: Callable[[str], Any]) -> Any:
        try:
            return read(told[column])
        except ValueError as error:
            problems.append(RejectedRow(line, column, told[column], str(error)))
            return None

    def yes(text: str) -> bool:
        if text not in ("", "yes"):
            raise ValueError("is neither yes nor empty")
        return text == "yes"

    address = str if address_optional and not told["source_url"] else address_cell
    return {
        "url": cell("source_url", address),
        "note": cell("note", printable_cell),
        "known_estimated": cell("published_estimated", yes),
        "line": line,
        "published_on": cell("published_on", day_cell(known_on)),
    }
