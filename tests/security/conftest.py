"""A database of an analyst who means ill: names, notes and addresses that are markup, formulas and SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from bench.asking import TODAY, Specs
from dashboard.actions import PATH
from dashboard.app import create_app
from db.database import open_engine
from db.vocabulary import States
from etl import pipeline
from tests.dashboard.test_precedence import state
from tests.world import records

IMAGE = "<img src=x onerror=alert(1)>"
LINK = '<a href="javascript:alert(1)">press</a>'
FORMULA = '=HYPERLINK("http://evil.example","press")'
COMMAND = "+cmd /C calc!A0"
DROP = "Robert'); DROP TABLE sales; --"
CELL = "Ann;=1+1"
MAKERS = (IMAGE, LINK, FORMULA, COMMAND, DROP, CELL)
NOTE = f"{IMAGE} {LINK} <b>bold</b> &lt;i&gt;"


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine on a database whose makers, models, trims and notes are hostile; each maker has 100 cars a month."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('hostile') / 'hostile.sqlite'}")
    pipeline.create(engine)
    months = [f"{year}-{month:02d}" for year in (2024, 2025) for month in range(1, 13)]
    sold = [(month, f"{maker}|{IMAGE}", 100) for month in months for maker in MAKERS]
    state(engine, "mine", *sold, *((month, "all", 1000) for month in months), note=NOTE)
    quarters = [f"2025-Q{n}" for n in range(1, 5)]
    own = [(quarter, maker, 300) for quarter in quarters for maker in MAKERS]
    state(engine, "own", *own, market="WORLD", basis="delivery", states=States.MAKERS, note=NOTE)
    told = {"maker": LINK, "model": IMAGE, "note": NOTE}
    records.prices(
        engine,
        *(
            {**told, "trim": trim, "effective_from": day, "published_on": day, "amount": amount}
            for trim in (IMAGE, FORMULA)
            for day, amount in (("2025-01-10", 300), ("2025-03-10", 200), ("2025-05-10", 100))
        ),
    )
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def client(hostile: Engine) -> FlaskClient:
    """A client of the app on the hostile database."""
    return create_app(hostile, today=lambda: TODAY).server.test_client()


def specs(client: FlaskClient) -> Specs:
    """What the app tells about its callbacks."""
    told: Specs = client.get("/_dash-dependencies").get_json()
    return told


def post(client: FlaskClient, body: Any) -> Any:
    """The response to a body, which may be text already."""
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.post(PATH, data=content, content_type="application/json")
