"""`python -m bench`: every benchmark, or those named; the long ones, crowd and growth, by name alone."""

from __future__ import annotations

import sys

from bench import cards, charts, crowd, engines, growth, load, page, projection, weekly
from bench.report import table

BENCHMARKS = {
    "load": load.measure,
    "charts": charts.measure,
    "cards": cards.measure,
    "engines": engines.measure,
    "page": page.measure,
    "projection": projection.measure,
    "weekly": weekly.measure,
}
LONG = {"crowd": crowd.measure, "growth": growth.measure}
"""Those that take many minutes and are run by name alone."""


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all, and print their tables."""
    every = BENCHMARKS | LONG
    unknown = [name for name in names if name not in every]
    if unknown:
        sys.exit(f"error: there is no benchmark '{unknown[0]}'; there are: {', '.join(every)}")
    for name in names or BENCHMARKS:
        print(f"\n{name}\n", flush=True)
        print(table(every[name]()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
