"""The browser's plotly.js, without what no chart draws.

Most of a first load is the browser reading and running plotly.js. In the installed package it is one file of top-level
statements: modules wrapped in functions that run when they are first asked for, and one call that registers every trace
type. Fewer types are registered, and statements that are then out of reach are left out: a quarter of the file stays. A
file that does not look as expected is served as it is.
"""

from __future__ import annotations

import gzip
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

INSTALLED = Path(str(files("plotly") / "package_data" / "plotly.min.js"))
KEPT = Path(__file__).with_name("__pycache__")

TRACES = frozenset({"bar", "heatmap"})
"""The trace types that charts draw, besides `scatter`, which is always there."""

URL = "/_dash-component-suites/plotly/package_data/plotly.min.js"
"""Where Dash's graph looks for plotly.js."""


@dataclass(frozen=True)
class Script:
    """A script as it is served, gzipped and plain, with its checksum as entity tag."""

    plain: bytes
    gzipped: bytes
    etag: str


@lru_cache(maxsize=1)
def script() -> Script:
    """The script to serve, made once in a process."""
    body = file().read_bytes()
    return Script(plain=body, gzipped=gzip.compress(body, 6, mtime=0), etag=sha256(body).hexdigest()[:32])


def file() -> Path:
    """The script as a file. It is kept beside the compiled code, and stays right as that does: this code or another
    plotly.js make another one. The installed file where nothing can be kept, or where it has another shape.
    """
    source = installed()
    made_from = sha256(source.encode() + Path(__file__).read_bytes()).hexdigest()[:32]
    kept = KEPT / f"plotly-{made_from}.js"
    if kept.is_file():
        return kept
    # Another build of plotly.js may have another shape: the whole of it works as well.
    with suppress(ValueError, AttributeError, IndexError, OSError):
        short = reachable(registering_fewer(source))
        KEPT.mkdir(exist_ok=True)
        unfinished = kept.with_suffix(f".{os.getpid()}")
        unfinished.write_text(short, encoding="utf-8")
        unfinished.replace(kept)
        return kept
    return INSTALLED


def installed() -> str:
    """plotly.js as the installed package has it."""
    return INSTALLED.read_text(encoding="utf-8")


# Registering fewer trace types

_REGISTER = re.compile(r"\.register\(\[([\w$]+\(\)(?:,[\w$]+\(\))*)\]\)")
_MODULE = re.compile(r"(?<![\w$.])([\w$]+)=W\(\([\w$,]*\)=>\{")
_KIND = re.compile(r'moduleType:"(\w+)"')
_NAME = re.compile(r'[{,]name:"(\w+)"')
_CALLED = re.compile(r"\.exports=([\w$]+)\(\)")
_RETURNED = re.compile(r"\.exports=([\w$]+)\b")


def registering_fewer(source: str) -> str:
    """The source with `TRACES` and everything that is no trace type registered; ValueError where that is not sure."""
    (register,) = _REGISTER.finditer(source)
    modules = list(_MODULE.finditer(source))
    ends = [*(module.start() for module in modules[1:]), len(source)]
    bodies = {module.group(1): source[module.end() : end] for module, end in zip(modules, ends, strict=True)}
    names = {entry: _trace_name(entry.removesuffix("()"), bodies) for entry in register.group(1).split(",")}
    if not set(names.values()) >= TRACES:
        raise ValueError("a trace type that charts need is missing")
    kept = ",".join(entry for entry, name in names.items() if name in TRACES or name == "")
    return source[: register.start(1)] + kept + source[register.end(1) :]


def _trace_name(module: str, bodies: dict[str, str]) -> str:
    """The trace type that a module is or passes on; empty for another kind of module."""
    for _ in range(5):
        body = bodies.get(module, "")
        if kind := _KIND.search(body):
            if kind.group(1) != "trace":
                return ""
            return _NAME.search(body).group(1)  # type: ignore[union-attr]
        passed_on = _CALLED.search(body)
        if not passed_on and (returned := _RETURNED.search(body)):
            passed_on = re.search(rf"[ ,]{re.escape(returned.group(1))}=([\w$]+)\(\)", body)
        module = passed_on.group(1)  # type: ignore[union-attr]
    raise ValueError(f"{module} is no module that is known")


# Leaving out what is out of reach

_BODY = "var Plotly=(()=>{"
_LAZY = re.compile(r"(?:^var |,)([\w$]+)=(?:W|Ea)\(\(")
_FUNCTION = re.compile(r"(?:async )?(?:function\*?|class)\s*([\w$]+)")
_EXPORTS = re.compile(r"[\w$]+\(([\w$]+),\{")
_IDENTIFIER = re.compile(r"(?:(?<![\w$.])|(?<=\.\.\.))[A-Za-z_$][\w$]*")

_PLAIN = re.compile(r"[^\"'`/()\[\]{};]*")
_TEXT = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.S)
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(?:`|\$\{)", re.S)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/")
_BEFORE_REGEX = re.compile(
    r"(?:^|[^\w$)\]}\"'`\s]|\b(?:return|typeof|case|in|of|delete|void|else|do|throw|yield|await))\s*$"
)


def reachable(source: str) -> str:
    """The source without the top-level statements that nothing leads to from its result.

    Any mention of a name leads to the statement that declares it. ValueError, AttributeError or IndexError where the
    source is of another shape.
    """
    opening = source.index(_BODY) + len(_BODY)
    spans, closing = _statements(source, opening)
    texts = [source[start:end].strip() for start, end in spans]
    owners: dict[str, list[int]] = {}
    for place, text in enumerate(texts[:-1]):
        for name in _declared(text):
            owners.setdefault(name, []).append(place)
    if not texts[-1].startswith("return "):
        raise ValueError("the last statement is no result")
    kept: set[int] = set()
    ahead = [len(texts) - 1]
    while ahead:
        place = ahead.pop()
        if place not in kept:
            kept.add(place)
            for name in set(_IDENTIFIER.findall(texts[place])):
                ahead += owners.get(name, ())
    body = "".join(source[start:end] for place, (start, end) in enumerate(spans) if place in kept)
    return source[:opening] + body + source[closing:]


def _declared(text: str) -> list[str]:
    """The names by which a statement is asked for: a module's own, which sets its variables, or all it declares."""
    if found := _FUNCTION.match(text) or _EXPORTS.match(text):
        return [found.group(1)]
    if not text.startswith("var "):
        raise ValueError(f"a statement of another kind: {text[:40]}")
    if found := _LAZY.search(text):
        return [found.group(1)]
    names, depth, starts = [], 0, True
    for word in re.findall(_TEXT.pattern + r"|[\w$]+|.", text[4:], re.S):
        if starts and depth == 0 and _IDENTIFIER.match(word):
            names.append(word)
        starts = depth == 0 and word == ","
        depth += (word in "([{") - (word in ")]}")
    return names


def _statements(source: str, at: int) -> tuple[list[tuple[int, int]], int]:
    """Where the statements of the function body that opens at `at` begin and end, and where the body closes.

    A last statement without a semicolon is none.
    """
    spans: list[tuple[int, int]] = []
    start, depth, templates = at, 0, list[int]()
    while True:
        at = _PLAIN.match(source, at).end()  # type: ignore[union-attr]
        if text := _TEXT.match(source, at):
            at = text.end()
            continue
        char = source[at]
        if char == "/":
            is_regex = _BEFORE_REGEX.search(source[max(start, at - 12) : at])
            at = _REGEX.match(source, at).end() if is_regex else at + 1  # type: ignore[union-attr]
            continue
        at += 1
        if char == "}" and templates and templates[-1] == depth - 1:
            depth, char = templates.pop(), "`"
        if char == "`":
            at = _TEMPLATE.match(source, at).end()  # type: ignore[union-attr]
            if source[at - 1] == "{":
                templates.append(depth)
                depth += 1
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth < 0:
                return spans, at - 1
            if depth == 0 and char == "}" and _FUNCTION.match(source, start):
                spans.append((start, at))
                start = at
        elif depth == 0:
            spans.append((start, at))
            start = at
