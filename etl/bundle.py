"""The figures that ship with the project, so that it runs without a network: all vintages of a source, compactly.

One folder a source: `snapshots.csv` (the receipts), `rejections.csv`, `sales.csv.gz` and `penetration.csv.gz` (each
claim once, with the days from and to which it stood), the same for each table of records, `evidence.csv.gz` (what the
publisher cites), `groups.csv` and `names.csv`, and `SHA256SUMS` of all of these. `write` makes it from a database,
`read` gives back what each file has claimed over time.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator, Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pandas as pd

from db import Engine, history, records
from db.contents import SALES_FIELDS, SERIES_KEY, FileHistory, Receipt
from db.database import StoreError
from db.records import Rows
from db.schema import RECORDS
from db.vocabulary import Obtained
from etl.claims import Refused, cited_remark, cited_urls

FOLDER = Path(__file__).parent / "bundled"

SUMS: Final = "SHA256SUMS"
"""The file in each source's folder that says what the others are known by."""


def write(engine: Engine, source: str, *, folder: Path = FOLDER) -> int:
    """Write a source's figures, all vintages, from the database; how many bytes that took.

    The same database gives the same bytes.
    """
    of_source = history.history(engine, source)
    if of_source.snapshots.empty:
        raise StoreError(f"the database holds no figures of {source}; load them before bundling")
    target = folder / source
    target.mkdir(parents=True, exist_ok=True)
    texts = sorted({*of_source.sales["evidence"], *of_source.penetration["evidence"]})
    numbers = {text: number for number, text in enumerate(texts)}
    sales, penetration = (
        claims.assign(evidence=claims["evidence"].map(numbers)) for claims in (of_source.sales, of_source.penetration)
    )
    tables = {
        "snapshots.csv": of_source.snapshots,
        "rejections.csv": of_source.rejections,
        "sales.csv.gz": sales,
        "penetration.csv.gz": penetration,
        "evidence.csv.gz": pd.DataFrame({"text": texts}),
        "groups.csv": of_source.groups,
        "names.csv": of_source.names,
        **{f"{name}.csv.gz": frame for name, frame in of_source.records.items()},
    }
    size = 0
    for name, frame in tables.items():
        content = frame.to_csv(index=False, lineterminator="\n").encode()
        if name.endswith(".gz"):
            content = gzip.compress(content, compresslevel=9, mtime=0)
        (target / name).write_bytes(content)
        size += len(content)
    seal(target)
    return size


def seal(folder: Path) -> None:
    """Write what each table of a source's folder is known by, as `sha256sum` does."""
    lines = [f"{_checksum(path)}  {path.name}\n" for path in sorted(folder.iterdir()) if ".csv" in path.suffixes]
    (folder / SUMS).write_text("".join(lines), encoding="ascii")


def _check(folder: Path) -> None:
    """Raise `Refused` for a folder of which a table is missing or not as it was made."""
    try:
        sums = dict(line.split("  ")[::-1] for line in (folder / SUMS).read_text(encoding="ascii").splitlines())
        wrong = [name for name, told in sums.items() if _checksum(folder / Path(name).name) != told]
        wrong += sorted({path.name for path in folder.glob("*.csv*")} - sums.keys())
    except (OSError, ValueError) as error:
        wrong = [f"{SUMS} ({error})"]
    if wrong:
        raise Refused(
            file=str(folder / wrong[0]),
            line=0,
            problem="is damaged, missing or was edited: it is not what it was made as",
            remedy="restore it as the project ships it (git checkout etl/bundled)",
        )


def _checksum(path: Path) -> str:
    content = path.read_bytes()
    # A checkout may have turned the line ends of texts.
    return sha256(content if path.suffix == ".gz" else content.replace(b"\r\n", b"\n")).hexdigest()


def sources(folder: Path = FOLDER) -> list[str]:
    """The slugs of the sources whose figures ship with the project."""
    return sorted(path.parent.name for path in folder.glob("*/snapshots.csv"))


def receipts(source: str, *, folder: Path = FOLDER) -> dict[str, list[Receipt]]:
    """The receipts of a source's bundled snapshots, oldest first, by file; `Refused` where the folder is damaged."""
    _check(folder / source)
    found: dict[str, list[Receipt]] = {}
    for row in _table(folder / source / "snapshots.csv").sort_values(["file", "known_on"]).to_dict("records"):
        receipt = Receipt(
            source=source,
            file=row["file"],
            known_on=date.fromisoformat(row["known_on"]),
            origin_url=row["origin_url"],
            retrieved_at=None,
            sha256=row["sha256"],
            bytes=int(row["bytes"]),
            obtained=Obtained.BUNDLED,
        )
        found.setdefault(receipt.file, []).append(receipt)
    return found


def read(source: str, *, folder: Path = FOLDER) -> Iterator[FileHistory]:
    """What each of a source's files has claimed over time, file by file; `Refused` where the folder is damaged."""
    target = folder / source
    _check(target)
    texts = _table(target / "evidence.csv.gz")["text"].tolist()
    names = list(_table(target / "names.csv").itertuples(index=False))
    makers = {slug: name for kind, slug, _, name in names if kind == "maker"}
    models = {slug: (maker, name) for kind, slug, maker, name in names if kind == "model"}
    days = _Days()
    sales_of = _claims_by_file(target / "sales.csv.gz", "units", texts, days)
    penetration_of = _claims_by_file(target / "penetration.csv.gz", "share", texts, days)
    counts = {
        (row["file"], row["known_on"]): (int(row["rows_out_of_scope"]), int(row["rows_duplicate"]))
        for row in _table(target / "snapshots.csv").to_dict("records")
    }
    rejected: dict[tuple[str, str], list[tuple[int, str, str, str]]] = {}
    for row in _table(target / "rejections.csv").to_dict("records"):
        entry = (int(row["line"]), row["column"], row["value"], row["reason"])
        rejected.setdefault((row["file"], row["known_on"]), []).append(entry)
    groups = _table(target / "groups.csv")
    records_of = {table.name: _records_by_file(target, table.name) for table in RECORDS}
    for file, of_file in receipts(source, folder=folder).items():
        sales, penetration = sales_of.get(file, []), penetration_of.get(file, [])
        members = [
            (
                row["maker"],
                row["group_slug"],
                row["group_name"],
                days[row["valid_from"]],
                days[row["valid_to"]],
                int(row["line"]),
                days[row["known_from"]],
                days[row["known_to"]],
            )
            for row in groups[groups["file"] == file].to_dict("records")
        ]
        told = {name: rows[file] for name, rows in records_of.items() if file in rows}
        named = {kind: set(_named(told, kind)) for kind in ("maker", "model")}
        used = {row[len(SERIES_KEY) - 2] for row in sales} | {row[0] for row in members} | named["maker"]
        used_models = {row[len(SERIES_KEY) - 1] for row in sales} | named["model"]
        yield FileHistory(
            receipts=of_file,
            sales=sales,
            penetration=penetration,
            groups=members,
            makers={slug: makers[slug] for slug in used if slug in makers},
            models={slug: models[slug] for slug in used_models if slug in models},
            records=told,
            evidence={
                text: ("\n".join(cited_urls(text)), cited_remark(text))
                for text in {row[_EVIDENCE] for row in [*sales, *penetration]}
            },
            left_out={receipt.known_on: counts[file, receipt.known_on.isoformat()] for receipt in of_file},
            rejected={
                receipt.known_on: tuple(rejected.get((file, receipt.known_on.isoformat()), ())) for receipt in of_file
            },
        )


def _claims_by_file(path: Path, value: str, texts: Sequence[str], days: _Days) -> dict[str, list[tuple[Any, ...]]]:
    """The claims of each file, in the order of `SALES_FIELDS` with the days from and to which they stood behind."""
    columns = [*SERIES_KEY, "period_start", value, "line", "evidence", "known_from", "known_to"]
    return {
        str(file): [
            (*row[:-5], days[row[-5]], *row[-4:-2], texts[row[-2]], days[row[-1]], days[known_to])
            for *row, known_to in rows[columns].itertuples(index=False, name=None)
        ]
        for file, rows in pd.read_csv(path, keep_default_na=False).groupby("file")
    }


def _named(told: Rows, kind: str) -> Iterator[str]:
    """The slugs of the makers or models that records are about."""
    for name, rows in told.items():
        fields = records.fields(name)
        if kind in fields:
            place = fields.index(kind)
            yield from (row[place] for row in rows)


def _records_by_file(folder: Path, table: str) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of a table of records by file, as `FileHistory` holds them; nothing where the bundle has none."""
    path = folder / f"{table}.csv.gz"
    if not path.exists():
        return {}
    told: dict[str, list[tuple[Any, ...]]] = {}
    fields = records.fields_of(table)
    for row in _table(path).to_dict("records"):
        claim = tuple(None if of.optional and row[of.name] == "" else _value(of, row[of.name]) for of in fields)
        told.setdefault(row["file"], []).append(claim)
    return told


def _value(of: records.Field, text: str) -> Any:
    """A value of a record from its text in a bundled file."""
    if of.kind is bool:
        return text == "True"
    if of.kind is date:
        return date.fromisoformat(text)
    return int(float(text)) if of.kind is int else of.kind(text)


_EVIDENCE = SALES_FIELDS.index("evidence")


class _Days(dict[str, date]):
    """ISO text to date, each converted once."""

    def __missing__(self, text: str) -> date:
        self[text] = day = date.fromisoformat(text)
        return day


def _table(path: Path) -> pd.DataFrame:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
