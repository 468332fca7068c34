"""From the publisher's spelling to our ids.

An id is made from the spelling by rule (`slug`), and named by `reference/makers.csv`. A maker that the reference does
not have yet is loaded all the same, under the publisher's spelling, and reported: leaving it out
would silently raise every other maker's share.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from db.store import SALES_FIELDS, SERIES_KEY, Contents
from db.vocabulary import ALL, OTHER
from etl.claims import Claims, cited_remark, cited_urls


@dataclass(frozen=True)
class Reference:
    """The reviewed nouns of the trade: markets (code, name, adjective, kind) and makers (slug to name)."""

    markets: tuple[dict[str, str], ...]
    makers: dict[str, str]


@cache
def reference() -> Reference:
    """The reference files that ship with the project."""
    return Reference(
        markets=tuple(_rows("markets.csv")),
        makers={row["slug"]: row["name"] for row in _rows("makers.csv")},
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

    Raises `ValueError` where a spelling leaves no id, or two cells of one snapshot would become the same one.
    """
    makers: dict[str, str] = {}
    models: dict[str, tuple[str, str]] = {}
    ids: dict[tuple[str, str], tuple[str, str]] = {}
    sales = claims.sales
    columns = {name: sales[name].tolist() for name in SALES_FIELDS}
    spelled = list(zip(columns["maker"], columns["model"], strict=True))
    for maker, model in dict.fromkeys(spelled):
        try:
            ids[maker, model] = _ids(maker, model, known=known, makers=makers, models=models)
        except ValueError as error:
            raise ValueError(f"line {columns['line'][spelled.index((maker, model))]}: {error}") from None
    columns["maker"] = [ids[pair][0] for pair in spelled]
    columns["model"] = [ids[pair][1] for pair in spelled]
    rows = list(zip(*columns.values(), strict=True))
    _check_one_claim_a_cell(rows, spelled)
    groups = []
    for maker, group, line in claims.groups.itertuples(index=False):
        maker_id, _ = _ids(maker, ALL, known=known, makers=makers, models=models)
        groups.append((maker_id, slug(group), group, line))
    return Contents(
        sales=rows,
        groups=groups,
        makers=makers,
        models=models,
        evidence={text: ("\n".join(cited_urls(text)), cited_remark(text)) for text in set(columns["evidence"])},
        rows_read=claims.rows_read,
    )


def _ids(
    maker: str, model: str, *, known: Reference, makers: dict[str, str], models: dict[str, tuple[str, str]]
) -> tuple[str, str]:
    if maker in (ALL, OTHER):
        return maker, ALL
    maker_id = slug(maker)
    if maker_id in ("", ALL, OTHER):
        raise ValueError(f"'{maker}' gives no id for a maker")
    makers[maker_id] = known.makers.get(maker_id, maker)
    if model in (ALL, OTHER):
        return maker_id, model
    model_id = f"{maker_id}-{slug(model)}"
    if model_id == f"{maker_id}-":
        raise ValueError(f"'{maker}|{model}' gives no id for a model")
    models.setdefault(model_id, (maker_id, model))
    return maker_id, model_id


def _check_one_claim_a_cell(rows: list[tuple[object, ...]], spelled: list[tuple[str, str]]) -> None:
    line = SALES_FIELDS.index("line")
    cells: dict[tuple[object, ...], int] = {}
    for number, row in enumerate(rows):
        first = cells.setdefault(row[: len(SERIES_KEY) + 1], number)
        if first != number:
            raise ValueError(
                f"line {row[line]}: '{'|'.join(spelled[number])}' is the same as '{'|'.join(spelled[first])}' "
                f"in line {rows[first][line]}"
            )


def _rows(name: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / "reference" / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
