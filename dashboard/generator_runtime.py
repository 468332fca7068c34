"""The one thing that Dash's scripts use of the polyfills that Dash loads first: the runtime of generators.

The polyfills themselves teach old browsers what every browser can do that runs our own script. To run them takes a
tenth of a second, and the native functions that they replace get slower. They are one file of numbered modules, which
ends with the number of the module to begin with.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

INSTALLED = Path(str(files("dash") / "deps"))

_LOADER = re.compile(r"!function r\(c,a,f\)\{.*?return o\}\(\{", re.DOTALL)
_MODULE = re.compile(r"(?<=[{,])(\d+):\[function\(")
_SETS_IT = "{regeneratorRuntime="
_NEEDS_NOTHING = "},{}]"


@lru_cache(maxsize=1)
def script() -> bytes | None:
    """The runtime as a script; None where the installed file has another shape, and has to be served as it is."""
    found = sorted(INSTALLED.glob("polyfill@*.min.js"))
    source = found[-1].read_text(encoding="utf-8") if found else ""
    loader, sets_it = _LOADER.match(source), source.find(_SETS_IT)
    modules = [module for module in _MODULE.finditer(source) if module.start() < sets_it]
    end = source.find(_NEEDS_NOTHING, sets_it)
    if loader is None or source.count(_SETS_IT) != 1 or not modules or end < 0:
        return None
    last = modules[-1]
    return f"{loader.group()}{source[last.start() : end]}{_NEEDS_NOTHING}}},{{}},[{last.group(1)}]);".encode()


def url() -> str:
    """Where the script is served: another script has another address."""
    return f"/generator-runtime.{sha256(script() or b'').hexdigest()[:12]}.js"
