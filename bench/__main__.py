"""`python -m bench`: every benchmark, or those named: load, charts, cards, engines, page, projection, weekly."""

from __future__ import annotations

import sys

from bench import cards, charts, engines, load, page, projection, weekly
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


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all, and print their tables."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"error: there is no benchmark '{unknown[0]}'; there are: {', '.join(BENCHMARKS)}")
    for name in names or BENCHMARKS:
        print(f"\n{name}\n", flush=True)
        print(table(BENCHMARKS[name]()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
