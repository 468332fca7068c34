"""What a browser sends when a reader acts on a page, put together from what the app tells about its callbacks."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from flask.testing import FlaskClient

from dashboard import actions, controls, levers_panel
from dashboard.pages.page import Page

TODAY = date(2026, 7, 24)
"""The day on which readers ask."""


def names(page: Page) -> tuple[str, ...]:
    """The controls of a page, in the order in which the browser tells of them."""
    return (*page.controls, *(levers_panel.CONTROLS if page.with_levers else ()))


def act(client: FlaskClient, page: Page, query: str) -> dict[str, Any]:
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
        '{"drawn":["ALL"]}.data': [_part({"drawn": "later"}, "data")] if page.charts[1:] or page.below else [],
    }
    return _body(client, "address.search", put_in, open_parts, changed=["address.search"])


def _levers(page: Page, query: str) -> int:
    """How many parts of the panel of levers are drawn anew."""
    if not page.with_levers:
        return 0
    return len(levers_panel.beside(query, defaults=page.charts[0].defaults, today=TODAY))


def follow(client: FlaskClient, page: Page, query: str) -> dict[str, Any]:
    """The body that asks for the cards after the first one, and for what stands under them."""
    wanted = {"search": f"?{query}", "look": "light-wide"}
    put_in = {
        "address.pathname": page.path,
        '{"drawn":["ALL"]}.data': [_part({"drawn": "later"}, "data", wanted)],
    }
    sections = [*(chart.slug for chart in page.charts[1:]), *(["below"] if page.below else [])]
    name = '{"section":["ALL"],"turn":"later"}.children'
    open_parts = {name: [_part({"turn": "later", "section": each}, "children") for each in sections]}
    return _body(client, name, put_in, open_parts, changed=['{"drawn":"later"}.data'])


def receipts(client: FlaskClient, page: Page, chart: str, query: str, key: Any) -> dict[str, Any]:
    """The body that asks for the receipts of a point of a chart."""
    of = {"part": "point", "chart": chart}
    put_in = {
        "address.search": f"?{query}",
        "address.pathname": page.path,
        '{"chart":["MATCH"],"part":"point"}.data': key,
        '{"chart":["MATCH"],"part":"point"}.id': of,
    }
    body = _body(client, '"receipts"}.children', put_in, {}, changed=[f'{{"chart":"{chart}","part":"point"}}.data'])
    for name in ("inputs", "state"):
        body[name] = [{**part, "id": of} if part["id"].startswith("{") else part for part in body[name]]
    return body | {"outputs": _part({"part": "receipts", "chart": chart}, "children")}


def post(client: FlaskClient, body: Any) -> Any:
    """The response to a body, which may be text already."""
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.post(actions.PATH, data=content, content_type="application/json")


def _part(key: Any, name: str, *value: Any) -> dict[str, Any]:
    return {"id": key, "property": name} | ({"value": value[0]} if value else {})


def _body(
    client: FlaskClient, output: str, put_in: dict[str, Any], open_parts: dict[str, Any], *, changed: list[str]
) -> dict[str, Any]:
    specs = client.get("/_dash-dependencies").get_json()
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
