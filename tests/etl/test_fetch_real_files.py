"""The real files of the IEA and of Our World in Data, served as their publishers do, downloaded and loaded.

The originals are not in the repository: see `DATA_LICENCES.md` for where they are to be had.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import Engine

from etl import pipeline
from etl.pipeline import Refusal
from etl.snapshots import SnapshotStore
from etl.sources import iea_global_ev_data, our_world_in_data
from etl.web import Failed, Fetched, Web, fetch
from tests.etl.test_fetch_command import _OnThisMachine
from tests.upstream import Clock, Reply, Upstream, running
from tests.world import rows

RAW = Path(__file__).parents[3] / "shared" / "data" / "raw"
TODAY = date(2026, 11, 22)

pytestmark = [pytest.mark.extra, pytest.mark.skipif(not RAW.is_dir(), reason="upstream's own files are not here")]


@pytest.fixture
def publishers() -> Iterator[Upstream]:
    with running() as server:
        yield server


def found(server: Upstream, module: object, keep: SnapshotStore) -> list[Fetched | Failed]:
    """What a connector downloads today."""
    clock = Clock()
    with Web(now=clock.now, transport=_OnThisMachine(server.url), clock=clock, sleep=clock.sleep) as web:
        return list(fetch(module.SOURCE.slug, module.downloads, web=web, known=keep, today=TODAY))  # type: ignore[attr-defined]


def load(engine: Engine, outcomes: list[Fetched | Failed], keep: SnapshotStore) -> list[object]:
    told: list[object] = []
    snapshots = [each.snapshot for each in outcomes if isinstance(each, Fetched)]
    pipeline.load(engine, snapshots, keep=keep, tell=told.append)
    assert not any(isinstance(each, Refusal) for each in told), told
    return told


def test_our_world_in_datas_files_are_fetched_loaded_and_not_sent_again(
    publishers: Upstream, empty_engine: Engine, tmp_path: Path
) -> None:
    keep = SnapshotStore(tmp_path / "snapshots")
    for file in ("electric-car-sales.csv", "electric-car-sales-share.csv"):
        place = urlsplit(our_world_in_data.origin_url(file))
        publishers.serve(
            f"/{place.netloc}{place.path}?{place.query}",
            Reply(body=(RAW / "owid" / file).read_bytes(), etag=f'"{file}"', packed=True),
        )
    first = found(publishers, our_world_in_data, keep)
    assert [type(each) for each in first] == [Fetched, Fetched]
    load(empty_engine, first, keep)
    figures = rows.figures(empty_engine, source="our-world-in-data")
    assert len(figures) == 510
    assert figures["WORLD", "BEV+PHEV", "year", "2025-01-01", "all", "all"] == 21_200_000
    again = found(publishers, our_world_in_data, keep)
    assert all(isinstance(each, Fetched) and each.unchanged for each in again)


def test_the_ieas_answers_year_by_year_make_the_file_of_its_edition(
    publishers: Upstream, empty_engine: Engine, tmp_path: Path
) -> None:
    keep = SnapshotStore(tmp_path / "snapshots")
    text = (RAW / "iea" / "IEA Global EV Data 2024.csv").read_text(encoding="utf-8")
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    requests = iea_global_ev_data.downloads(lambda _: b"", ())
    for url in requests[0].urls:
        place = urlsplit(url)
        asked = {name: value[0] for name, value in parse_qs(place.query).items()}
        answer = io.StringIO()
        writer = csv.DictWriter(answer, list(table[0]), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(
            row
            for row in table
            if (row["parameter"], row["category"], row["mode"], row["year"])
            == (asked["parameters"], asked["category"], asked["mode"], asked["year"])
        )
        publishers.serve(f"/{place.netloc}{place.path}?{place.query}", answer.getvalue())
    load(empty_engine, found(publishers, iea_global_ev_data, keep), keep)
    figures = rows.figures(empty_engine, source="iea-global-ev-data")
    assert len(figures) == 1_314
    assert figures["WORLD", "PHEV", "year", "2023-01-01", "all", "all"] == 4_300_000
