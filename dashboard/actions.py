"""What a browser may post: the body of an action, held against the callbacks that there are.

Dash trusts what its own page sends. Anybody can send something else, which is refused here in one line before it gets
to Dash; values are held against the types of the callback that takes them (`pydantic.validate_call`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

PATH = "/_dash-update-component"
"""Where Dash takes actions."""


class ImpossibleAction(Exception):
    """A body that no page of ours sends."""


class _Part(BaseModel):
    """A property of a component, and its value where it is put in."""

    id: str | dict[str, str]
    property: str
    value: Any = None


class _Action(BaseModel):
    output: str
    outputs: _Part | list[_Part | list[_Part]]
    inputs: list[_Part | list[_Part]]
    state: list[_Part | list[_Part]] = []
    changedPropIds: list[str] = []


def check(body: Any, callbacks: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise `ImpossibleAction` unless a body, as JSON gave it, is of a callback of the app's (`Dash.callback_map`)."""
    try:
        action = _Action.model_validate(body)
    except (ValidationError, RecursionError) as error:
        raise ImpossibleAction("this is not how a page asks") from error
    callback = callbacks.get(action.output, {})
    if "callback" not in callback:
        raise ImpossibleAction("there is no such action")
    is_several = action.output.startswith("..")
    wanted = [_part(name) for name in (action.output[2:-2].split("...") if is_several else [action.output])]
    given = action.outputs if is_several and isinstance(action.outputs, list) else [action.outputs]
    put_in = [*action.inputs, *action.state]
    if (
        not _fit(given, wanted)
        or not _fit(action.inputs, callback["inputs"])
        or not _fit(action.state, callback["state"])
    ):
        raise ImpossibleAction("this action has other parts")
    names = {_name(part) for each in put_in for part in (each if isinstance(each, list) else [each])}
    if not names.issuperset(action.changedPropIds):
        raise ImpossibleAction("what changed is no part of this action")


def _name(part: _Part) -> str:
    """A part as Dash names it in one text."""
    key = part.id if isinstance(part.id, str) else json.dumps(part.id, sort_keys=True, separators=(",", ":"))
    return f"{key}.{part.property}"


def _part(name: str) -> dict[str, str]:
    key, _, of = name.rpartition(".")
    return {"id": key, "property": of}


def _fit(given: Sequence[Any], wanted: Sequence[Mapping[str, Any]]) -> bool:
    return len(given) == len(wanted) and all(_fits(*pair) for pair in zip(given, wanted, strict=True))


def _fits(given: _Part | list[_Part], wanted: Mapping[str, Any]) -> bool:
    """Whether a part, or each of many, is what a callback names, which may leave open which component it is."""
    pattern = json.loads(wanted["id"]) if wanted["id"].startswith("{") else wanted["id"]
    is_many = isinstance(pattern, dict) and ["ALL"] in pattern.values()
    if isinstance(given, list) != is_many:
        return False
    return all(
        part.property == wanted["property"] and _is_of(part.id, pattern)
        for part in (given if isinstance(given, list) else [given])
    )


def _is_of(key: str | dict[str, str], pattern: Any) -> bool:
    if isinstance(key, str) or isinstance(pattern, str):
        return bool(key == pattern)
    return key.keys() == pattern.keys() and all(
        isinstance(value, list) or key[name] == value for name, value in pattern.items()
    )
