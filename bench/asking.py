"""What a browser sends when a reader acts on a page, put together from what the app tells about its callbacks.

The benchmarks ask so, and the tests that forge it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from dashboard import controls, levers_panel
from dashboard.pages.board import later_sections
from dashboard.pages.page import Page

Specs = Sequence[dict[str, Any]]
"""What `/_dash-dependencies` says: each callback with its inputs, state and outputs."""

TODAY = date(2026, 7, 24)
"""The day on which readers ask."""


def names(page: Page) -> tuple[str, ...]:
    """The controls of a page, in the order in which the browser tells of them."""
    return (*page.controls, *(levers_panel.CONTROLS if page.with_levers else ()))


def act(specs: Specs, page: Page, query: str) -> dict[str, Any]:
    """The body of an action: the address of a page changed to a query string."""
    shown = controls.values(page.charts[0].defaults)
    put_in = {
        "address.search": f"?{query}",
        "address.pathname": page.path,
        "look.data": "light-wide",
        '{"control":["ALL"]}.value': [_part({"control": name}, "value", shown.get(name)) for name in names(page)],
    }
    open_parts = {
        '{"control":["ALL"]}.value': [_part({"control": name}, "value") for name in names(page)],
        '{"control":["ALL"]}.options': [_part({"control": name}, "options") for name in names(page)],
        '{"field":["ALL"]}.hidden': [_part({"field": name}, "hidden") for name in page.controls],
        '{"lever":["ALL"]}.children': [_part({"lever": f"{n}"}, "children") for n in range(_levers(page, query))],
        '{"section":["ALL"],"turn":"first"}.children': [
            _part({"turn": "first", "section": name}, "children")
            for name in [*(["above"] if page.above else []), page.charts[0].slug]
        ],
    }
    return _body(specs, "address.search", put_in, open_parts, changed=["address.search"])


def _levers(page: Page, query: str) -> int:
    """How many parts of the panel of levers are drawn anew."""
    if not page.with_levers:
        return 0
    return len(levers_panel.beside(query, defaults=page.charts[0].defaults, today=TODAY))


def later(specs: Specs, page: Page, section: str, query: str) -> dict[str, Any]:
    """The body that asks for a card after the first one, by its chart's slug, or for what stands `below` them all."""
    assert section in later_sections(page), f"{page.path} has no {section}"
    of = {"section": section, "store": "asked"}
    put_in = {
        "address.pathname": page.path,
        '{"section":["MATCH"],"store":"asked"}.data': {"search": f"?{query}", "look": "light-wide"},
        '{"section":["MATCH"],"store":"asked"}.id': of,
    }
    body = _body(
        specs, '"turn":"later"}.children', put_in, {}, changed=[f'{{"section":"{section}","store":"asked"}}.data']
    )
    return _of(body, of) | {"outputs": _part({"turn": "later", "section": section}, "children")}


def receipts(specs: Specs, page: Page, chart: str, query: str, key: Any) -> dict[str, Any]:
    """The body that asks for the receipts of a point of a chart."""
    of = {"part": "point", "chart": chart}
    put_in = {
        "address.search": f"?{query}",
        "address.pathname": page.path,
        '{"chart":["MATCH"],"part":"point"}.data': key,
        '{"chart":["MATCH"],"part":"point"}.id': of,
    }
    body = _body(specs, '"receipts"}.children', put_in, {}, changed=[f'{{"chart":"{chart}","part":"point"}}.data'])
    return _of(body, of) | {"outputs": _part({"part": "receipts", "chart": chart}, "children")}


def _of(body: dict[str, Any], of: dict[str, str]) -> dict[str, Any]:
    """The body with the component that its patterns stand for."""
    for name in ("inputs", "state"):
        body[name] = [{**part, "id": of} if part["id"].startswith("{") else part for part in body[name]]
    return body


def _part(key: Any, name: str, *value: Any) -> dict[str, Any]:
    return {"id": key, "property": name} | ({"value": value[0]} if value else {})


def _body(
    specs: Specs, output: str, put_in: dict[str, Any], open_parts: dict[str, Any], *, changed: list[str]
) -> dict[str, Any]:
    spec = next(spec for spec in specs if output in spec["output"] and not spec["clientside_function"])

    def given(part: dict[str, str]) -> Any:
        value = put_in[f"{part['id']}.{part['property']}"]
        return value if '["ALL"]' in part["id"] else _part(part["id"], part["property"], value)

    def filled(name: str) -> Any:
        key, _, of = name.rpartition(".")
        return open_parts.get(name, _part(key, of))

    several = spec["output"].startswith("..")
    outputs = [filled(name) for name in spec["output"][2:-2].split("...")] if several else filled(spec["output"])
    return {
        "output": spec["output"],
        "outputs": outputs,
        "inputs": [given(part) for part in spec["inputs"]],
        "state": [given(part) for part in spec["state"]],
        "changedPropIds": changed,
    }
