"""What is kept beside the database and what ships: receipts, packed contents, imports, bundled figures, each damaged.

A folder that is not as it was written is refused in one line with the remedy, or it says what it said before.
"""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.contents import Source
from db.database import open_engine
from db.vocabulary import Cadence, Obtained, States
from etl import bundle, imports, pipeline
from etl.pipeline import DatedFile
from etl.snapshots import Snapshot, SnapshotStore, Validators
from tests import world
from tests.fuzz.mutations import damaged, odd_cells, or_refused, rubbish

pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
THERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
SLUG = "open-ev-charts"
KEPT = Snapshot(
    source=SLUG,
    file="data/data-DE.js",
    known_on=date(2026, 3, 1),
    content=world.text("data/data-DE.js").encode(),
    origin_url="https://made-up.example/data/data-DE.js",
    obtained=Obtained.DOWNLOAD,
    retrieved_at=datetime(2026, 3, 1, 12),  # noqa: DTZ001 - UTC, as receipts write it
    validators=(Validators("https://made-up.example/data/data-DE.js", '"abc"'),),
)
IMPORTED = DatedFile(
    Source(
        slug="mine",
        title="Mine",
        publisher="Me",
        url="",
        licence="",
        licence_url="",
        states=States.MARKET,
        cadence=Cadence.MONTHLY,
        lag_days=365,
        precedence=900,
        warning="",
    ),
    "mine.csv",
    b"period,market,basis,powertrain,maker,units\n2026-01,DE,registration,BEV,all,100\n",
    Obtained.IMPORTED,
    date(2026, 3, 1),
)
odd_values = odd_cells | st.integers() | st.floats() | st.none() | st.booleans() | st.lists(odd_cells, max_size=2)


@st.composite
def edited_json(draw: st.DrawFn, good: bytes) -> bytes:
    """A JSON object of which one member, at the top or one level below, is another, gone, or new."""
    told = json.loads(good)
    at = told
    below = [value for value in told.values() if isinstance(value, dict)]
    if below and draw(st.booleans()):
        at = below[0]
    name = draw(st.sampled_from(sorted(at)) | odd_cells)
    if draw(st.booleans()):
        at[name] = draw(odd_values)
    else:
        at.pop(name, None)
    return json.dumps(told).encode()


def nested(content: bytes) -> st.SearchStrategy[bytes]:
    deep = st.just(b"[" * 100_000) | st.just(b'{"a":' * 100_000)
    return edited_json(content) | damaged(content) | rubbish() | deep


@THERE
@given(data=st.data())
def test_a_receipt_that_was_changed_is_refused_or_says_the_same_of_the_figures(
    tmp_path: Path, data: st.DataObject
) -> None:
    store = SnapshotStore(tmp_path / "kept")
    shutil.rmtree(store.folder, ignore_errors=True)
    store.keep(KEPT)
    (receipt,) = store.folder.glob("*/2026-*/*.json")
    receipt.write_bytes(data.draw(nested(receipt.read_bytes())))
    for read in (
        lambda: list(store.kept()),
        lambda: [store.last(source=SLUG, file=KEPT.file)],
    ):
        found = or_refused(read, file=str(store.folder))
        for snapshot in found or ():
            assert snapshot is not None
            assert (snapshot.source, snapshot.file, snapshot.known_on) == (SLUG, KEPT.file, KEPT.known_on)
            assert snapshot.content == KEPT.content


@THERE
@given(data=st.data())
def test_a_packed_content_that_was_changed_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    store = SnapshotStore(tmp_path / "kept")
    shutil.rmtree(store.folder, ignore_errors=True)
    store.keep(KEPT)
    (packed,) = store.folder.glob("*/content/*.gz")
    whole = packed.read_bytes()
    packed.write_bytes(data.draw(damaged(whole) | rubbish() | damaged(KEPT.content).map(gzip.compress)))
    for snapshot in or_refused(lambda: list(store.kept()), file=str(store.folder)) or ():
        assert snapshot.content == KEPT.content


@settings(THERE, max_examples=settings.default.max_examples // 3)
@given(data=st.data())
def test_an_import_of_which_the_description_or_the_figures_were_changed_is_refused_or_the_same(
    tmp_path: Path, data: st.DataObject
) -> None:
    store = SnapshotStore(tmp_path / "kept")
    shutil.rmtree(store.folder, ignore_errors=True)
    imports.keep(store, IMPORTED)
    path = next((store.folder / "imported").glob(data.draw(st.sampled_from(("*.json", "*.csv")))))
    whole = path.read_bytes()
    path.write_bytes(data.draw(nested(whole) if path.suffix == ".json" else damaged(whole)))
    found = or_refused(lambda: imports.named(store, "mine"), file=str(store.folder))
    if found is not None:
        assert found.content == IMPORTED.content
        engine = open_engine("sqlite://")
        pipeline.create(engine)
        told: list[object] = []
        pipeline.load_dated(engine, [found], tell=told.append)
        assert len(told) == 1
        engine.dispose()


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny world as a bundle."""
    folder = tmp_path_factory.mktemp("shipped")
    engine = open_engine("sqlite://")
    pipeline.create(engine)
    pipeline.load(
        engine, [world.snapshot(world.text(file), file=file) for file in world.FILES], keep=None, tell=lambda _: None
    )
    bundle.write(engine, SLUG, folder=folder)
    engine.dispose()
    return folder


@THERE
@given(data=st.data())
def test_bundled_figures_that_were_changed_are_refused(shipped: Path, tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "bundle"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(shipped, folder)
    names = sorted(path.name for path in (folder / SLUG).iterdir())
    assert len(names) == 8
    path = folder / SLUG / data.draw(st.sampled_from(names))
    whole = path.read_bytes()
    if data.draw(st.booleans()):
        path.write_bytes(data.draw(damaged(whole) | rubbish()))
    else:
        path.unlink()
    now = path.read_bytes() if path.exists() else b""
    # A checkout may turn the line ends of a text, not those of a packed file.
    is_same = path.exists() and (now if path.suffix == ".gz" else now.replace(b"\r\n", b"\n")) == whole
    found = or_refused(lambda: list(bundle.read(SLUG, folder=folder)), file=str(folder))
    # The list of checksums itself may be written in another way; the figures may not.
    assert is_same or found is None or path.name == bundle.SUMS
    if is_same or found is not None:
        assert found == list(bundle.read(SLUG, folder=shipped))
