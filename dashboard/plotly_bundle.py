"""The browser's plotly.js, without the trace types that no chart draws.

Most of a first load is the browser running plotly.js. The file in the installed package wraps every trace type in a
function that runs when the type is registered, by one call at the end: naming fewer there is all it takes. A file that
does not look as expected is served as it is.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files

TRACES = frozenset({"bar", "heatmap"})
"""The trace types that charts draw, besides `scatter`, which is always there."""

URL = "/_dash-component-suites/plotly/package_data/plotly.min.js"
"""Where Dash's graph looks for plotly.js."""

_REGISTER = re.compile(r"\.register\(\[([\w$]+\(\)(?:,[\w$]+\(\))*)\]\)")
_MODULE = re.compile(r"(?<![\w$.])([\w$]+)=W\(\([\w$,]*\)=>\{")
_KIND = re.compile(r'moduleType:"(\w+)"')
_NAME = re.compile(r'[{,]name:"(\w+)"')
_CALLED = re.compile(r"\.exports=([\w$]+)\(\)")
_RETURNED = re.compile(r"\.exports=([\w$]+)\b")


@dataclass(frozen=True)
class Script:
    """A script as it is served, gzipped and plain, with its checksum as entity tag."""

    plain: bytes
    gzipped: bytes
    etag: str


@lru_cache(maxsize=1)
def script() -> Script:
    """The script to serve, made once in a process."""
    body = shortened(installed()).encode()
    return Script(plain=body, gzipped=gzip.compress(body, 6, mtime=0), etag=sha256(body).hexdigest()[:32])


def installed() -> str:
    """plotly.js as the installed package has it."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def shortened(source: str) -> str:
    """The source with `TRACES` and everything that is no trace type registered; unchanged where that is not sure."""
    registers = list(_REGISTER.finditer(source))
    if len(registers) != 1:
        return source
    (register,) = registers
    modules = {found.group(1): (found.end(), found.start()) for found in _MODULE.finditer(source)}
    starts = sorted(start for _, start in modules.values())
    ends = {start: end for start, end in zip(starts, [*starts[1:], len(source)], strict=True)}
    bodies = {name: source[opening : ends[start]] for name, (opening, start) in modules.items()}
    names = {entry: _trace_name(entry.removesuffix("()"), bodies) for entry in register.group(1).split(",")}
    if None in names.values() or not set(names.values()) >= TRACES:
        return source
    kept = ",".join(entry for entry, name in names.items() if name in TRACES or name == "")
    return source[: register.start(1)] + kept + source[register.end(1) :]


def _trace_name(module: str, bodies: dict[str, str]) -> str | None:
    """The trace type that a module is or passes on; empty for another kind of module, None where it cannot be told."""
    for _ in range(5):
        body = bodies.get(module, "")
        if kind := _KIND.search(body):
            name = _NAME.search(body)
            return "" if kind.group(1) != "trace" else name.group(1) if name else None
        passed_on = _CALLED.search(body)
        if not passed_on and (returned := _RETURNED.search(body)):
            passed_on = re.search(rf"[ ,]{re.escape(returned.group(1))}=([\w$]+)\(\)", body)
        if not passed_on:
            return None
        module = passed_on.group(1)
    return None
