"""Scenarios, the levers' defaults and what is approved, read from `scenarios.toml`; all as known on a day."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Final

from dashboard.projections.levers import ImpossibleLever, Levers
from dashboard.projections.model import Approval, Setting, set_up
from dashboard.projections.record import Day, Record
from dashboard.projections.regions import REGIONS

ENDS: Final = ("low", "central", "high")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One lever's value with its range and reason. `low` is the end that is expected to make for fewer buyers.

    `citation` is an address or `judgement`; `date` what it is about; `known_from` since when one could know it.
    """

    lever: str
    low: str
    central: str
    high: str
    rationale: str
    citation: str
    date: Day
    known_from: Day


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A world to play out: levers that it sets, and why. `choices` are what it sets on top of the defaults."""

    slug: str
    name: str
    story: str
    known_from: date
    choices: tuple[Choice, ...]
    levers: Levers


class NoScenario(LookupError):
    """There is no scenario of that name, or nobody could think of it on the day; the text lists those there are."""


def defaults(as_of: date) -> Levers:
    """Where every lever stands, as known on that day."""
    return Levers.from_text({choice.lever: choice.central for choice in default_choices(as_of)}, defaults=Levers())


def default_choices(as_of: date) -> tuple[Choice, ...]:
    """The defaults with their ranges and reasons: for each lever the last entry that was known on that day."""
    last: dict[str, Choice] = {}
    for choice in _read().defaults:
        known = last.get(choice.lever)
        if choice.known_from <= as_of and (known is None or choice.known_from >= known.known_from):
            last[choice.lever] = choice
    return tuple(last.values())


def approvals(as_of: date) -> tuple[Approval, ...]:
    """The approvals that had happened by then, oldest first."""
    return tuple(one for one in _read().approvals if one.known_from <= as_of)


def scenarios(as_of: date) -> tuple[Scenario, ...]:
    """All scenarios that could be thought of on that day, in the order of the file; the first is history as known."""
    usual = defaults(as_of)
    return tuple(
        Scenario(
            slug=one["slug"],
            name=one["name"],
            story=one["story"],
            known_from=one["known_from"],
            choices=choices,
            levers=Levers.from_text({choice.lever: choice.central for choice in choices}, defaults=usual),
        )
        for one, choices in _read().scenarios
        if one["known_from"] <= as_of
    )


def scenario(slug: str, as_of: date) -> Scenario:
    """The scenario of that name. Raises `NoScenario`, with the names that there are."""
    known = {one.slug: one for one in scenarios(as_of)}
    if slug not in known:
        raise NoScenario(f"there is no scenario '{slug[:40]}' as known on {as_of}; there are: {', '.join(known)}")
    return known[slug]


@dataclass(frozen=True)
class _File:
    approvals: tuple[Approval, ...]
    defaults: tuple[Choice, ...]
    scenarios: tuple[tuple[Mapping[str, Any], tuple[Choice, ...]], ...]


@cache
def _read() -> _File:
    """The file, with every value tried: a wrong one names its entry."""
    return parse(files(__package__).joinpath("scenarios.toml").read_text(encoding="utf-8"))


def parse(text: str) -> _File:
    """The approvals, defaults and scenarios of a file's text.

    Raises ValueError naming the entry for a member that is missing, an empty reason, an unknown region, a lever or a
    value that cannot be, and a value of a scenario that was known later than the scenario.
    """
    found = tomllib.loads(text)
    made = []
    for entry in found.get("approval", ()):
        _complete(entry, ("region", "share", "rationale", "citation", "date", "known_from"), "approval")
        if entry["region"] not in REGIONS or not 0 < entry["share"] <= 1:
            raise ValueError(f"scenarios.toml: approval {entry['region']} {entry['date']}: no such region or share")
        made.append(Approval(entry["region"], entry["date"], entry["share"], entry["known_from"]))
    scenarios_found = []
    for entry in found.get("scenario", ()):
        _complete(entry, ("slug", "name", "story", "known_from"), "scenario")
        choices = tuple(_choice(one, f"scenario {entry['slug']}") for one in entry.get("set", ()))
        for choice in choices:
            if choice.known_from > entry["known_from"]:
                raise ValueError(f"scenarios.toml: {entry['slug']}: {choice.lever} was known later than the scenario")
        scenarios_found.append((entry, choices))
    usual = tuple(_choice(one, "default") for one in found.get("default", ()))
    return _File(tuple(sorted(made, key=lambda one: one.since)), usual, tuple(scenarios_found))


def _choice(entry: Mapping[str, Any], where: str) -> Choice:
    _complete(entry, tuple(one.name for one in fields(Choice)), where)
    choice = Choice(**entry)
    for end in ENDS:
        try:
            Levers.from_text({choice.lever: getattr(choice, end)}, defaults=Levers())
        except ImpossibleLever as error:
            raise ValueError(f"scenarios.toml: {where}: {error}") from error
    return choice


def _complete(entry: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    wrong = [name for name in names if entry.get(name) in (None, "")] + [name for name in entry if name not in names]
    wrong = [name for name in wrong if name != "set"]
    if wrong:
        raise ValueError(f"scenarios.toml: {where} {entry.get('lever', entry.get('slug', ''))}: '{wrong[0]}' is wrong")


def world(record: Record, levers: Levers | None = None) -> Setting:
    """The setting of levers, by default those that stand as the record knows them."""
    return set_up(record, levers or defaults(record.as_of), approvals=approvals(record.as_of))
