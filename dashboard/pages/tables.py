"""A table as one component, which the page's script fills.

Dash keeps every component apart and looks at all of them whenever one changes: a component for each cell of a page's
tables made pages slow that have hundreds of rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from dashboard.controls import aria, data


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    label: str,
    numbers: Sequence[int] = (),
    heads: bool = False,
) -> Component:
    """A table that scrolls sideways by itself; `label` is its name for those who listen.

    Columns at `numbers` are set to the right. With `heads` the first cell of a row is its heading.
    """
    told = {"header": list(header), "rows": [list(row) for row in rows], "numbers": list(numbers), "heads": heads}
    return html.Div(
        className="scroll",
        tabIndex=0,
        role="region",
        **aria(label=label),
        **data(table=json.dumps(told, ensure_ascii=False, separators=(",", ":"))),
    )
