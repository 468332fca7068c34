"""What the database said, remembered for as long as it would say the same.

Every write gives the data a new identity (`database.identity`), for which each reader's transaction asks first. An
answer is kept under the database's address, that identity and the question. So it is never out of date: after a load,
by whatever process, the next request asks under another identity. And it is no state of the app: to forget all of it at
any moment changes nothing but the time that the next answer takes. What is kept cannot be changed, and what was not
asked for longest is forgotten first, once `BYTES` are full.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from sys import getsizeof
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from db import database
from db.claims import Claims

BYTES = 64 * 1024 * 1024
"""How much a process remembers at the most; all bundled figures in all their vintages are some 14 MB."""

LARGEST = 4
"""An answer that takes more than this part of the room is not kept: it would push out what many ask for."""

Said = TypeVar("Said")
Name = TypeVar("Name", bound=Hashable)

_MISSING = object()


class Memory:
    """Answers by question, up to a number of bytes; several threads may ask at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._answers: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = Lock()

    @property
    def held(self) -> int:
        """How many bytes are held."""
        with self._lock:
            return self._held

    def recall(self, question: Hashable, ask: Callable[[], Said]) -> Said:
        """The answer to a question; `ask` gives it where it is not remembered, and what it raises is not kept."""
        found: Any = self._found(question)
        if found is _MISSING:
            found = ask()
            self._keep(question, found)
        answer: Said = found
        return answer

    def find(self, question: Hashable) -> Any:
        """The answer that is remembered; None where none is."""
        found = self._found(question)
        return None if found is _MISSING else found

    def keep(self, question: Hashable, answer: Any) -> None:
        """Remember an answer, which must not be changed any more."""
        self._keep(question, answer)

    def recall_each(
        self, questions: Mapping[Name, Hashable], ask: Callable[[Sequence[Name]], Mapping[Name, Said]]
    ) -> dict[Name, Said]:
        """The answer to each of several questions by name; `ask` gives those that are not remembered, all at once."""
        answers: dict[Name, Any] = {name: self._found(question) for name, question in questions.items()}
        missing = [name for name, answer in answers.items() if answer is _MISSING]
        if missing:
            for name, answer in ask(missing).items():
                self._keep(questions[name], answer)
                answers[name] = answer
        return answers

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._answers.clear()
            self._held = 0

    def _found(self, question: Hashable) -> Any:
        with self._lock:
            if question not in self._answers:
                return _MISSING
            self._answers.move_to_end(question)
            return self._answers[question][0]

    def _keep(self, question: Hashable, answer: Any) -> None:
        size = _closed(answer)
        with self._lock:
            if question in self._answers:
                self._held -= self._answers.pop(question)[1]
            if size > self._limit // LARGEST:
                return
            self._answers[question] = answer, size
            self._held += size
            while self._held > self._limit:
                _, (_, freed) = self._answers.popitem(last=False)
                self._held -= freed


MEMORY = Memory(BYTES)
"""The memory of this process."""

_identities: WeakKeyDictionary[Any, tuple[str, str | None]] = WeakKeyDictionary()
_identities_lock = Lock()


def remembered(connection: Connection, question: Hashable, ask: Callable[[], Said]) -> Said:
    """What the database says to a question, asked for where it is not remembered; the answer must not be changed."""
    of = identity(connection)
    return ask() if of is None else MEMORY.recall((of, question), ask)


def each_remembered(
    connection: Connection,
    questions: Mapping[Name, Hashable],
    ask: Callable[[Sequence[Name]], Mapping[Name, Said]],
) -> dict[Name, Said]:
    """What the database says to each of several questions by name; those not remembered are asked for all at once."""
    of = identity(connection)
    if of is None:
        return dict(ask(list(questions)))
    return MEMORY.recall_each({name: (of, question) for name, question in questions.items()}, ask)


def identity(connection: Connection) -> Hashable | None:
    """The database and the identity of its data as the connection's transaction sees it: asked for once in each.

    None where nothing is to be remembered.
    """
    begun = connection.get_transaction()
    with _identities_lock:
        known = _identities.get(begun) if begun else None
    if known is None:
        # What is read first begins the transaction, and all that it reads later is as old as that.
        known = str(connection.engine.url), database.identity(connection)
        with _identities_lock:
            _identities[connection.get_transaction()] = known
    return None if known[1] is None else known


def _closed(value: Any) -> int:
    """Make all arrays of a value read-only; about how many bytes it takes.

    Arrays are in dataclasses and mappings. What is in a tuple or a set is taken to be as large as its first member.
    """
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
        return value.nbytes
    if isinstance(value, pd.DataFrame):
        # What is taken out of a frame is copied when it is written to; nobody writes to the frame itself.
        return int(value.memory_usage(deep=True).sum())
    if isinstance(value, Claims):
        return value.close()
    if is_dataclass(value):
        return 64 + sum(_closed(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return 64 + sum(100 + _closed(item) for item in value.values())
    if isinstance(value, (tuple, frozenset)) and value:
        return getsizeof(value) + len(value) * _closed(next(iter(value)))
    return getsizeof(value)
