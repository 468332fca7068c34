"""Every connector, given files that are nearly right: a refusal of one line, or claims of which every row is told.

A figure that is accepted is the one that stands in its line, read there by other means.
"""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from db.database import open_engine
from db.vocabulary import Obtained
from etl import pipeline
from etl.claims import MOST_CARS, Claims
from etl.snapshots import Snapshot
from etl.sources import CONNECTORS
from tests import world
from tests.fuzz.mutations import damaged, edited, or_refused, rubbish
from tests.world import rows

WORLD = Path(world.__file__).parent
IEA = b"""region_country,category,parameter,mode,powertrain,year,unit,value,Aggregate group
Norway,Historical,EV sales,Cars,BEV,2023,Vehicles,100000,Country
Norway,Historical,EV sales,Cars,PHEV,2023,Vehicles,8e3,Country
Norway,Historical,EV sales share,Cars,EV,2023,percent,93,Country
China,Historical,EV sales,Cars,BEV,2024,Vehicles,6400000,Country
China,Historical,EV stock,Cars,BEV,2024,Vehicles,22000000,Country
Rest of the world,Historical,EV sales,Cars,BEV,2024,Vehicles,100,Country
"""
OWID = b"""Entity,Code,Year,Electric cars sold
Norway,NOR,2023,100000
China,CHN,2024,11000000
World,OWID_WRL,2024,17000000
Rest of World,,2024,-20
"""
SHARE = b"""Entity,Code,Year,Share of new cars that are electric
Norway,NOR,2023,93
China,CHN,2024,48.5
World,OWID_WRL,2024,22
"""
GOOD = {
    ("open-ev-charts", "data/data-DE.js"): world.text("data/data-DE.js").encode(),
    ("open-ev-charts", "config.js"): world.text("config.js").encode(),
    ("iea-global-ev-data", "global-ev-data.csv"): IEA,
    ("our-world-in-data", "electric-car-sales.csv"): OWID,
    ("our-world-in-data", "electric-car-sales-share.csv"): SHARE,
    ("ecb-euro-rates", "eurofxref-hist.zip"): (WORLD / "ecb/eurofxref-hist.csv").read_bytes(),
    ("rdw-netherlands", "m9d7-ebf2.json"): (WORLD / "rdw/m9d7-ebf2.json").read_bytes(),
}
assert {source for source, _ in GOOD} == {connector.SOURCE.slug for connector in CONNECTORS}
FILES = pytest.mark.parametrize(("source", "file"), GOOD, ids=lambda name: name.rpartition("/")[2])
DAY = date(2026, 11, 1)


def snapshot(source: str, file: str, content: bytes) -> Snapshot:
    return Snapshot(
        source=source,
        file=file,
        known_on=DAY,
        content=content,
        origin_url="https://made-up.example",
        obtained=Obtained.FOLDER,
    )


def mutated(source: str, file: str) -> st.SearchStrategy[bytes]:
    good = GOOD[source, file]
    found = damaged(good)
    return found | edited(good) if good.count(b",") > 10 and "js" not in file else found


def parsed(source: str, file: str, content: bytes) -> Claims | None:
    """What the connector makes of it: claims that add up, or None for a refusal in one line."""
    connector = pipeline.connector(source)
    day = connector.published_on(content)
    assert day is None or isinstance(day, date)
    claims = or_refused(lambda: connector.parse(snapshot(source, file, content)), file=file)
    if claims is None:
        return None
    told = [claims.sales, claims.penetration, claims.groups, *claims.records.values()]
    assert claims.rows_read == sum(map(len, told)) + len(claims.rejected) + claims.out_of_scope + claims.duplicate
    assert all(row.reason and row.line >= 1 for row in claims.rejected)
    return claims


@FILES
def test_the_good_files_are_accepted(source: str, file: str) -> None:
    claims = parsed(source, file, GOOD[source, file])
    assert claims is not None
    assert not claims.rejected or source == "rdw-netherlands"
    is_right(source, file, GOOD[source, file], claims)


@FILES
@settings(max_examples=settings.default.max_examples // 2)
@given(content=rubbish())
def test_rubbish_is_refused_in_one_line(source: str, file: str, content: bytes) -> None:
    assert parsed(source, file, content) is None


@FILES
@given(data=st.data())
def test_a_mutated_file_is_refused_or_its_figures_are_those_that_it_states(
    source: str, file: str, data: st.DataObject
) -> None:
    content = data.draw(mutated(source, file))
    claims = parsed(source, file, content)
    if claims is not None:
        is_right(source, file, content, claims)


def is_right(source: str, file: str, content: bytes, claims: Claims) -> None:
    """Hold each figure against its line in the file."""
    for units, line in claims.sales[["units", "line"]].itertuples(index=False):
        assert type(units) is int
        assert 0 <= units <= MOST_CARS
        assert units in STATED[source](content, line)
    for share, line in claims.penetration[["share", "line"]].itertuples(index=False):
        assert 0 <= share <= 1
        assert any(abs(share - float(cell) / 100) < 1e-6 for cell in STATED[source](content, line))
    for told in claims.records.values():
        for row in told.to_dict("records"):
            CHECKS[source](content, row)
    for maker, group, line in claims.groups[["maker", "group", "line"]].itertuples(index=False):
        lines = content.decode().splitlines()
        assert f'"{maker}"' in lines[line - 1]
        assert any(f'"{group}"' in each for each in lines[:line])


def _in_script(content: bytes, line: int) -> list[Decimal]:
    text = content.decode().splitlines()[line - 1]
    return [Decimal(re.sub('.*":', "", text).strip())]


def _in_csv(content: bytes, line: int) -> list[Decimal]:
    """The numbers of the row that begins in a line, by a reader of another kind, which splits at commas."""
    text = "\n".join(re.split("\r\n|\n|\r", content.decode())[line - 1 : line + 8])
    row = next(csv.reader(io.StringIO(text, newline="")))
    return [Decimal(cell) for cell in row if re.fullmatch(r"[0-9.eE+]+", cell) and re.search("[0-9]", cell)]


STATED: dict[str, Callable[[bytes, int], list[Decimal]]] = {
    "open-ev-charts": _in_script,
    "iea-global-ev-data": _in_csv,
    "our-world-in-data": _in_csv,
}


def _list_price(content: bytes, row: dict[str, object]) -> None:
    record = json.loads(content, parse_float=str)[int(str(row["line"])) - 1]
    assert Decimal(record["catalogusprijs"]) == row["amount"]
    assert 0 < Decimal(record["cars"]) <= int(str(row["cars"]))
    assert str(row["period_start"]) == record["month"][:10]
    assert Decimal(record["cars"]) == int(Decimal(record["cars"]))


def _mean_rate(content: bytes, row: dict[str, object]) -> None:
    table = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    month = str(row["period_start"])[:7]
    rates = []
    for each in table:
        text = each[str(row["currency"])]
        if str(each["Date"]).startswith(month) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
            rates.append(float(text))
    assert min(rates) - 1e-6 <= float(str(row["rate"])) <= max(rates) + 1e-6
    assert 1 <= int(str(row["days"])) <= len(rates)


CHECKS: dict[str, Callable[[bytes, dict[str, object]], None]] = {
    "rdw-netherlands": _list_price,
    "ecb-euro-rates": _mean_rate,
}


@FILES
@settings(
    max_examples=max(5, settings.default.max_examples // 12),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_mutated_file_is_loaded_whole_or_not_at_all(
    source: str, file: str, tmp_path: Path, data: st.DataObject
) -> None:
    """Down to the database, which takes no name, day or number that it cannot keep."""
    content = data.draw(mutated(source, file))
    engine = open_engine(f"sqlite:///{tmp_path}/fuzz.sqlite")
    pipeline.create(engine)
    told: list[object] = []
    pipeline.load(engine, [snapshot(source, file, content)], keep=None, tell=told.append)
    assert len(told) == 1
    rows.healthy(engine)
    engine.dispose()
    for path in tmp_path.glob("fuzz.sqlite*"):
        path.unlink()


@given(st.binary(max_size=60), st.integers(0, 3))
def test_a_packed_file_of_rates_is_refused_or_read(noise: bytes, kind: int) -> None:
    packed = io.BytesIO()
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    with zipfile.ZipFile(packed, "w", methods[kind]) as archive:
        archive.writestr("eurofxref-hist.csv", GOOD["ecb-euro-rates", "eurofxref-hist.zip"])
    content = packed.getvalue()
    at = sum(noise) * 7919 % len(content)
    assume(content[:2] == b"PK")
    parsed("ecb-euro-rates", "eurofxref-hist.zip", content[:at] + noise + content[at + len(noise) :])
