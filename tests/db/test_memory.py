"""What the database said is remembered for as long as it would say the same, and no byte longer than there is room."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sqlalchemy import Engine, event, text

from db import database, market_claims, memory, queries
from db.database import open_engine, writing
from db.memory import BYTES, MEMORY, Memory, remembered
from db.vintages import penetration_stays, sales_stays, typical_revision
from etl import pipeline
from tests import world
from tests.world.rows import NewDatabase

JANUARY, FEBRUARY = date(2026, 1, 15), date(2026, 2, 15)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    MEMORY.forget()


def load(engine: Engine, known_on: date, tesla: int) -> None:
    """Load a made-up German record in which Tesla has so many cars."""
    content = world.record({"Tesla": tesla, "other": 100}, kind="ElectricCarsByBrand")
    pipeline.load(engine, [world.snapshot(content, known_on=known_on)], keep=None, tell=lambda _: None)


def tesla(engine: Engine) -> list[float]:
    """What is said of Tesla's cars now."""
    with engine.connect() as connection:
        frame = market_claims.sales_figures(
            connection, markets=["DE"], bases=["registration"], powertrains=["BEV"]
        ).frame
    return frame.loc[frame["maker"] == "tesla", "units"].tolist()


def said(engine: Engine, question: str, answer: str) -> str:
    """What is remembered of a question, or else the answer."""
    with engine.connect() as connection:
        return remembered(connection, question, lambda: answer)


def statements(engine: Engine) -> list[str]:
    """A list to which every statement that is sent to a database is added."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    return sent


def test_what_is_asked_again_is_not_read_again(empty_engine: Engine) -> None:
    load(empty_engine, JANUARY, 100)
    assert tesla(empty_engine) == [100]
    sent = statements(empty_engine)
    assert tesla(empty_engine) == [100]
    assert [statement for statement in sent if "FROM" in statement] == ["SELECT data_state.token \nFROM data_state"], (
        "only whether the data are still the same"
    )


def test_a_load_by_another_process_is_seen_by_the_very_next_request(empty_engine: Engine) -> None:
    other = open_engine(str(empty_engine.url))
    load(other, JANUARY, 100)
    assert tesla(empty_engine) == [100]
    load(other, FEBRUARY, 200)
    assert tesla(empty_engine) == [200]
    other.dispose()


def test_a_transaction_sees_one_state_of_the_data_from_its_first_question_to_its_last(empty_engine: Engine) -> None:
    other = open_engine(str(empty_engine.url))
    load(other, JANUARY, 100)
    with empty_engine.connect() as connection:
        before = market_claims.told(connection, ["DE"])["DE"].claims.units.tolist()
        load(other, FEBRUARY, 200)
        MEMORY.forget()
        assert market_claims.told(connection, ["DE"])["DE"].claims.units.tolist() == before
    assert tesla(empty_engine) == [200]
    other.dispose()


def test_two_databases_are_never_taken_for_one_another(empty_engine: Engine, new_database: NewDatabase) -> None:
    load(empty_engine, JANUARY, 100)
    other = open_engine(new_database("other"))
    pipeline.create(other)
    load(other, JANUARY, 300)
    assert (tesla(empty_engine), tesla(other), tesla(empty_engine)) == ([100], [300], [100])
    # Not even where one is a copy of the other that somebody changed without saying so.
    with empty_engine.connect() as one, other.begin() as another:
        token = one.execute(text("SELECT token FROM data_state")).scalar()
        another.execute(text("UPDATE data_state SET token = :token"), {"token": token})
    assert (tesla(empty_engine), tesla(other)) == ([100], [300])
    other.dispose()


def test_what_a_writer_reads_is_remembered_by_nobody(empty_engine: Engine) -> None:
    load(empty_engine, JANUARY, 100)

    def gives_up() -> None:
        with writing(empty_engine) as connection:
            connection.execute(text("UPDATE sales SET units = 900"))
            assert market_claims.told(connection, ["DE"])["DE"].claims.units.tolist() == [900, 900]
            raise LookupError

    with pytest.raises(LookupError):
        gives_up()
    assert tesla(empty_engine) == [100]
    with empty_engine.connect() as connection:
        assert 900 not in market_claims.told(connection, ["DE"])["DE"].claims.units


def test_every_write_gives_the_data_another_identity_and_one_that_fails_does_not(empty_engine: Engine) -> None:
    def identity() -> str | None:
        with empty_engine.connect() as connection:
            return database.identity(connection)

    first = identity()
    assert first
    assert identity() == first
    with writing(empty_engine):
        pass
    second = identity()
    assert second not in (None, first)
    with pytest.raises(RuntimeError), writing(empty_engine):
        raise RuntimeError
    assert identity() == second


def test_where_nothing_was_ever_written_nothing_is_remembered(empty_engine: Engine) -> None:
    with empty_engine.begin() as connection:
        connection.execute(text("DELETE FROM data_state"))
    assert said(empty_engine, "who leads?", "Tesla") == "Tesla"
    assert said(empty_engine, "who leads?", "BYD") == "BYD"


def test_what_fails_is_asked_again(empty_engine: Engine) -> None:
    def fail() -> str:
        raise LookupError

    with empty_engine.connect() as connection:
        with pytest.raises(LookupError):
            remembered(connection, "who leads?", fail)
        assert remembered(connection, "who leads?", lambda: "Tesla") == "Tesla"


@dataclass(frozen=True)
class Cars:
    """An answer with an array of eight bytes a car."""

    units: NDArray[np.float64]


def test_what_is_remembered_cannot_be_changed(empty_engine: Engine) -> None:
    load(empty_engine, JANUARY, 100)
    with empty_engine.connect() as connection:
        told = market_claims.told(connection, ["DE"])["DE"]
        nouns = queries.nouns(connection)
    for array in (told.claims.units, told.claims.maker.codes, told.known_to, told.file.codes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(TypeError):
        nouns.makers["tesla"] = "Tesla, Inc."  # type: ignore[index]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 120)), max_size=60))
def test_answers_are_right_and_never_more_than_there_is_room_for(questions: list[tuple[int, int]]) -> None:
    def ask(question: int, cars: int) -> Cars:
        return Cars(np.full(cars, float(question)))

    remembers = Memory(1000)
    for question, cars in questions:
        key = question, cars
        answer = remembers.recall(key, partial(ask, question, cars))
        assert answer.units.tolist() == [question] * cars
        assert remembers.held <= 1000


def test_what_was_not_asked_for_longest_is_forgotten_first() -> None:
    remembers = Memory(4000)  # four of 864 bytes

    def recalled(name: str) -> Cars:
        return remembers.recall(name, lambda: Cars(np.zeros(100)))

    first, second, *_ = (recalled(name) for name in ("first", "second", "third", "fourth"))
    assert recalled("first") is first
    fifth = recalled("fifth")
    assert recalled("first") is first
    assert recalled("fifth") is fifth
    assert recalled("second") is not second


def test_what_would_fill_much_of_the_room_is_given_and_not_kept() -> None:
    remembers = Memory(4000)
    small = remembers.recall("small", lambda: Cars(np.zeros(10)))
    large = remembers.recall("large", lambda: Cars(np.zeros(200)))
    assert len(large.units) == 200
    assert remembers.find("large") is None
    assert remembers.find("small") is small


def test_of_several_questions_only_those_not_remembered_are_asked() -> None:
    remembers = Memory(1000)
    asked: list[str] = []

    def ask(missing: object) -> dict[str, str]:
        assert isinstance(missing, list)
        asked.extend(missing)
        return {name: name.upper() for name in missing}

    assert remembers.recall_each({"de": 1, "fr": 2}, ask) == {"de": "DE", "fr": "FR"}
    assert remembers.recall_each({"fr": 2, "no": 3}, ask) == {"fr": "FR", "no": "NO"}
    assert asked == ["de", "fr", "no"]


def test_threads_may_ask_at_once() -> None:
    remembers = Memory(5000)

    def ask(number: int) -> bool:
        question = number % 17
        answer = remembers.recall(question, lambda: Cars(np.full(100, float(question))))
        return bool((answer.units == question).all()) and remembers.held <= 5000

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(2000)))


@pytest.fixture
def everything_read(bundled_engine: Engine) -> Iterator[None]:
    with bundled_engine.connect() as connection:
        nouns = queries.nouns(connection)
        market_claims.told(connection, sorted(nouns.markets))
        queries.published(connection, markets=sorted(nouns.markets))
        sales_stays(connection)
        penetration_stays(connection)
        typical_revision(connection)
    yield
    MEMORY.forget()


def test_all_bundled_figures_in_all_vintages_leave_room_for_what_follows_from_them(everything_read: None) -> None:
    assert memory.MEMORY.held < BYTES / 2
