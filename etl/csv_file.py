"""A CSV file taken apart: its text, its rows with their lines, and tables of which every cell is there."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import date

from etl.claims import Refused


def csv_text(content: bytes, *, file: str) -> str:
    """The text of a CSV file, with or without the byte order mark that Excel writes."""

    def refuse(problem: str, *, line: int = 0) -> Refused:
        remedy = "save it as CSV (in Excel: 'CSV UTF-8, comma delimited')"
        return Refused(file=file, line=line, problem=problem, remedy=remedy, value=repr(content[:40]))

    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise refuse("is a spreadsheet's own file (Excel, Numbers, LibreOffice), not CSV")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        raise refuse("is UTF-16 or no text at all (it holds NUL bytes)")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise refuse(f"is not UTF-8 (byte 0x{content[error.start]:02x})", line=line) from error


def csv_rows(text: str) -> Iterator[tuple[int, list[str], str]]:
    """Each row that has a cell with something in it: the line in which it begins, its cells, and how it is broken.

    A broken row is the last: where its quotes end cannot be known.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = (
                f"is broken off here ({error}), and nothing after it was read; "
                'look for a quote that is not closed (a quote inside a cell is written "")'
            )
            yield line, [], reason
            return
        if "".join(cells).strip():
            yield line, cells, ""
        line = reader.line_num + 1


def table(content: bytes, *, file: str, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row of a file that ships with the project: the line in which it begins, and its cells by column.

    Raises `Refused` with the line for other columns than these, in whatever order, and for a row that is cut or broken.
    """
    rows = csv_rows(csv_text(content, file=file))
    line, header, broken = next(rows, (0, [], ""))
    if broken or sorted(header) != sorted(columns):
        raise Refused(
            file=file,
            line=line,
            problem=f"the header {broken}" if broken else f"the columns are {', '.join(header)[:200] or 'missing'}",
            remedy=f"they have to be {', '.join(columns)}",
        )
    for line, cells, broken in rows:
        if broken or len(cells) != len(header):
            raise Refused(
                file=file,
                line=line,
                problem=broken or f"has {len(cells)} cells where the header has {len(header)}",
                remedy="write one cell a column, in quotes where a comma is in it",
                value=",".join(cells)[:200],
            )
        yield line, dict(zip(header, cells, strict=True))


def day(cell: str) -> date:
    """The day of a cell such as 2026-07-02; `ValueError` for any other text, also one of which Python makes a day."""
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", cell):
        raise ValueError("is no day such as 2026-07-02")
    try:
        return date.fromisoformat(cell)
    except ValueError:
        raise ValueError("is no day of the calendar") from None
