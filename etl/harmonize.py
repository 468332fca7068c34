"""From the publisher's spelling to our ids.

An id is made from the spelling by rule (`slug`), and named by `reference/makers.csv`. A maker that the reference does
not have yet is loaded all the same, under the publisher's spelling, and reported: leaving it out
would silently raise every other maker's share.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pandas as pd

from db import records
from db.contents import SALES_FIELDS, SERIES_KEY, Contents
from db.vocabulary import ALL, OTHER, DatePrecision, MarketKind
from etl import csv_file
from etl.claims import Claims, Refused, cited_remark, cited_urls


@dataclass(frozen=True)
class Reference:
    """The reviewed nouns of the trade: markets (code, name, adjective, kind), makers (slug to name), events.

    Events have date, date_precision, market, kind, maker (`all` where it concerns the market), text and url.
    """

    markets: tuple[dict[str, str], ...]
    makers: dict[str, str]
    events: tuple[dict[str, Any], ...]


LONGEST_ID: Final = 64
"""The most letters that the id of a maker or group has; that of a model has twice as many."""

REFERENCE: Final = Path(__file__).parent / "reference"
"""Where the reference files are."""


@cache
def reference() -> Reference:
    """The reference files that ship with the project; `Refused` as of `read_reference`."""
    return read_reference(REFERENCE)


def read_reference(folder: Path) -> Reference:
    """`markets.csv`, `makers.csv` and `market_events.csv` of a folder.

    Raises `Refused` with the line for a file that is not there, other columns, a row that is cut, something named
    twice, an id that its name does not give, and an event of no day, word or market.
    """
    kinds = {kind.value for kind in MarketKind}
    markets: dict[str, dict[str, str]] = {}
    names: set[str] = set()
    for line, row in _rows(folder / "markets.csv", ("code", "name", "adjective", "kind")):
        if not re.fullmatch("[A-Z]{2,12}", row["code"]) or row["code"] in markets:
            raise _wrong("markets.csv", line, "code", row, "is no code such as DE, or is there twice")
        if row["name"] in names or not row["name"] or not row["adjective"]:
            raise _wrong("markets.csv", line, "name", row, "is empty, without an adjective or there twice")
        if row["kind"] not in kinds:
            raise _wrong("markets.csv", line, "kind", row, f"is none of {', '.join(sorted(kinds))}")
        markets[row["code"]] = row
        names.add(row["name"])
    makers: dict[str, str] = {}
    for line, row in _rows(folder / "makers.csv", ("slug", "name")):
        if row["slug"] in makers or not row["name"] or row["slug"] != slug(row["slug"]) or not row["slug"]:
            raise _wrong("makers.csv", line, "slug", row, "is no id of small letters, without a name or there twice")
        makers[row["slug"]] = row["name"]
    events = _rows(
        folder / "market_events.csv", ("date", "date_precision", "market", "kind", "maker", "text", "source_url")
    )
    return Reference(
        markets=tuple(markets.values()), makers=makers, events=tuple(_event(*event, markets) for event in events)
    )


def _event(line: int, row: dict[str, str], markets: Collection[str]) -> dict[str, Any]:
    column = "date"
    try:
        day = csv_file.day(row["date"])
        column = "date_precision"
        precision = DatePrecision(row["date_precision"])
    except ValueError as error:
        raise _wrong("market_events.csv", line, column, row, str(error)) from error
    if row["market"] not in markets:
        raise _wrong("market_events.csv", line, "market", row, "is no market of markets.csv")
    if not row["kind"] or len(row["kind"]) > 24 or not row["text"]:
        raise _wrong("market_events.csv", line, "kind", row, "is empty, too long or without a text")
    return {
        "date": day,
        "date_precision": precision,
        "market": row["market"],
        "kind": row["kind"],
        "maker": row["maker"] or ALL,
        "text": row["text"],
        "url": row["source_url"],
    }


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refused(
            file=str(path), line=0, problem=f"cannot be read ({error.strerror})", remedy="restore it"
        ) from error
    return csv_file.table(content, file=path.name, columns=columns)


def _wrong(file: str, line: int, column: str, row: dict[str, str], problem: str) -> Refused:
    return Refused(
        file=file, line=line, problem=f"column {column}: '{row[column][:60]}' {problem}", remedy="mend that row"
    )


@cache
def slug(spelling: str) -> str:
    """The id of a maker, model or group: lower-case ASCII letters and digits, joined by hyphens.

    >>> slug("Škoda"), slug("Lynk & Co"), slug("C-HR+"), slug("ID.4/ID.5")
    ('skoda', 'lynk-and-co', 'c-hr-plus', 'id-4-id-5')
    """
    plain = spelling.replace("+", " plus ").replace("&", " and ").replace("ß", "ss").replace("ø", "o").replace("Ø", "O")
    plain = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def harmonize(claims: Claims, known: Reference) -> Contents:
    """The same claims in our ids, with the names that the ids stand for.

    Rows of frames that have a column `published_on` end with it. Raises `ValueError` where a spelling leaves no id, or
    two cells of one snapshot would become the same one.
    """
    names = _Names(known=known, makers={}, models={})
    sales = _rows_of(claims.sales, SALES_FIELDS, names)
    penetration = _rows_of(claims.penetration, _PENETRATION_FIELDS, names)
    groups: dict[tuple[object, ...], tuple[Any, ...]] = {}
    for maker, group, valid_from, valid_to, line, *published in claims.groups.itertuples(index=False, name=None):
        maker_id, group_id = names.ids(maker, ALL)[0], slug(group)
        if not 0 < len(group_id) <= LONGEST_ID:
            raise ValueError(f"line {line}: '{group}' gives no id for a group")
        row = (maker_id, group_id, group, valid_from, valid_to, line, *published)
        first = groups.setdefault((maker_id, valid_from), row)
        if first is not row:
            raise ValueError(f"line {line}: '{maker}' is in a group from that day on by line {first[5]} already")
    told = {name: _records_of(name, frame, names) for name, frame in claims.records.items()}
    evidence = {row[_EVIDENCE] for row in [*sales, *penetration]}
    return Contents(
        sales=sales,
        penetration=penetration,
        groups=list(groups.values()),
        records=told,
        makers=names.makers,
        models=names.models,
        evidence={text: ("\n".join(cited_urls(text)), cited_remark(text)) for text in evidence},
        rows_read=claims.rows_read,
        rejected=[(row.line, row.column, row.value, row.reason) for row in claims.rejected],
        out_of_scope=claims.out_of_scope,
        duplicate=claims.duplicate,
    )


_PENETRATION_FIELDS = tuple("share" if name == "units" else name for name in SALES_FIELDS)
_EVIDENCE = SALES_FIELDS.index("evidence")


def _rows_of(frame: pd.DataFrame, fields: Sequence[str], names: _Names) -> list[tuple[Any, ...]]:
    """The rows of a frame in the order of the fields, in our ids; `ValueError` with the line for a bad name."""
    dated = ["published_on"] if "published_on" in frame else []
    columns = {name: frame[name].tolist() for name in [*fields, *dated]}
    spelled = list(zip(columns["maker"], columns["model"], strict=True))
    ids: dict[tuple[str, str], tuple[str, str]] = {}
    for maker, model in dict.fromkeys(spelled):
        try:
            ids[maker, model] = names.ids(maker, model)
        except ValueError as error:
            raise ValueError(f"line {columns['line'][spelled.index((maker, model))]}: {error}") from None
    columns["maker"] = [ids[pair][0] for pair in spelled]
    columns["model"] = [ids[pair][1] for pair in spelled]
    rows = list(zip(*columns.values(), strict=True))
    _check_one_claim_a_cell(rows, spelled, dated=bool(dated))
    return rows


def _records_of(table: str, frame: pd.DataFrame, names: _Names) -> list[tuple[Any, ...]]:
    """The rows of a frame of records in the order of the table's fields, in our ids; what is not stated is None."""
    fields = [*records.fields(table), *(["published_on"] if "published_on" in frame else [])]
    about_makers = "maker" in fields
    rows = []
    stated = frame[fields].astype(object)
    for told in stated.where(stated.notna(), None).to_dict("records"):
        if about_makers:
            try:
                told["maker"], model = names.ids(told["maker"], told.get("model", ALL))
            except ValueError as error:
                raise ValueError(f"line {told['line']}: {error}") from None
            if "model" in told:
                told["model"] = model
        rows.append(tuple(told.values()))
    return rows


@dataclass(frozen=True)
class _Names:
    """The ids that spellings have been given, and the names that the ids stand for."""

    known: Reference
    makers: dict[str, str]
    models: dict[str, tuple[str, str]]

    def ids(self, maker: str, model: str) -> tuple[str, str]:
        """The ids of a maker and a model in the publisher's spelling."""
        if maker in (ALL, OTHER):
            return maker, ALL
        maker_id = slug(maker)
        if maker_id in ("", ALL, OTHER) or len(maker_id) > LONGEST_ID:
            raise ValueError(f"'{maker}' gives no id for a maker")
        self.makers[maker_id] = self.known.makers.get(maker_id, maker)
        if model in (ALL, OTHER):
            return maker_id, model
        model_id = f"{maker_id}-{slug(model)}"
        if model_id == f"{maker_id}-" or len(model_id) > 2 * LONGEST_ID:
            raise ValueError(f"'{maker}|{model}' gives no id for a model")
        self.models.setdefault(model_id, (maker_id, model))
        return maker_id, model_id


def _check_one_claim_a_cell(rows: list[tuple[Any, ...]], spelled: list[tuple[str, str]], *, dated: bool) -> None:
    line, width = SALES_FIELDS.index("line"), len(SERIES_KEY) + 1
    cells: dict[tuple[object, ...], int] = {}
    for number, row in enumerate(rows):
        first = cells.setdefault((*row[:width], row[-1]) if dated else row[:width], number)
        if first != number:
            raise ValueError(
                f"line {row[line]}: '{'|'.join(spelled[number])}' is the same as '{'|'.join(spelled[first])}' "
                f"in line {rows[first][line]}"
            )
