"""From the publisher's spelling to our ids.

An id is made from the spelling by rule (`slug`), and named by `reference/makers.csv`. A maker that the reference does
not have yet is loaded all the same, under the publisher's spelling, and reported: leaving it out
would silently raise every other maker's share.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from db import records
from db.store import SALES_FIELDS, SERIES_KEY, Contents
from db.vocabulary import ALL, OTHER, DatePrecision
from etl.claims import Claims, cited_remark, cited_urls


@dataclass(frozen=True)
class Reference:
    """The reviewed nouns of the trade: markets (code, name, adjective, kind), makers (slug to name), events.

    Events have date, date_precision, market, kind, maker (`all` where it concerns the market), text and url.
    """

    markets: tuple[dict[str, str], ...]
    makers: dict[str, str]
    events: tuple[dict[str, Any], ...]


@cache
def reference() -> Reference:
    """The reference files that ship with the project."""
    return Reference(
        markets=tuple(_rows("markets.csv")),
        makers={row["slug"]: row["name"] for row in _rows("makers.csv")},
        events=tuple(_event(row) for row in _rows("market_events.csv")),
    )


def _event(row: dict[str, str]) -> dict[str, Any]:
    return {
        "date": date.fromisoformat(row["date"]),
        "date_precision": DatePrecision(row["date_precision"]),
        "market": row["market"],
        "kind": row["kind"],
        "maker": row["maker"] or ALL,
        "text": row["text"],
        "url": row["source_url"],
    }


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
    groups = []
    for maker, group, valid_from, valid_to, line, *published in claims.groups.itertuples(index=False, name=None):
        groups.append((names.ids(maker, ALL)[0], slug(group), group, valid_from, valid_to, line, *published))
    told = {name: _records_of(name, frame, names) for name, frame in claims.records.items()}
    evidence = {row[_EVIDENCE] for row in [*sales, *penetration]}
    return Contents(
        sales=sales,
        penetration=penetration,
        groups=groups,
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
        if maker_id in ("", ALL, OTHER):
            raise ValueError(f"'{maker}' gives no id for a maker")
        self.makers[maker_id] = self.known.makers.get(maker_id, maker)
        if model in (ALL, OTHER):
            return maker_id, model
        model_id = f"{maker_id}-{slug(model)}"
        if model_id == f"{maker_id}-":
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


def _rows(name: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / "reference" / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
