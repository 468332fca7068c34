"""The bundled figures written back in the form in which Open EV Charts serves them, so that loading can be measured.

The files hold the same records and figures as upstream's; what upstream cites is kept, its order of models is not.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from db.vocabulary import ALL, OTHER
from etl import bundle

_AREAS = {"GB": "UK", "WORLD": "global"}


def write_files(folder: Path) -> int:
    """Write the latest bundled vintage as `data/data-CN.js` and so on; how many figures that is."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    figures = 0
    for history in bundle.read("open-ev-charts"):
        newest = history.receipts[-1]
        contents = history.contents(newest)
        if not contents.sales:
            continue
        records: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
        cited: dict[tuple[str, str], str] = {}
        for market, _, powertrain, _, grain, maker, model, start, units, _, evidence in contents.sales:
            month = f"{start:%Y-%m}"
            period = month if grain == "month" else f"{start.year}-Q{start.month // 3 + 1}"
            if maker in (ALL, OTHER):
                key = maker
            elif model == ALL:
                key = history.makers[maker]
            else:
                named = OTHER if model == OTHER else history.models[model][1]
                key = f"{history.makers[maker]}|{named}"
            records[period, powertrain].append((key, units))
            cited.setdefault((period, powertrain), evidence)
            area = _AREAS.get(market, market)
        lines = ['"use strict";', ""]
        for (period, powertrain), pairs in records.items():
            lines += _record(area, period, powertrain, cited[period, powertrain], pairs)
            figures += len(pairs)
        (folder / newest.file).write_text("\n".join(lines), encoding="utf-8")
    return figures


def _record(area: str, period: str, powertrain: str, evidence: str, pairs: list[tuple[str, int]]) -> list[str]:
    keys = [key for key, _ in pairs]
    level = "Total" if keys == [ALL] else "ByModel" if any("|" in key for key in keys) else "ByBrand"
    kind = ("AllCars" if powertrain == "ALL" else "ElectricCars") + level
    pairs = [(OTHER if key == ALL else key, units) for key, units in pairs]
    return [
        f'db.insert(db.countries.{area}, "{period}", db.dsTypes.{kind}, "{evidence}",',
        *(f'{"," if n else "{"} "{key}": {units}' for n, (key, units) in enumerate(pairs)),
        "});",
        "",
    ]
