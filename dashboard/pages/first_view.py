"""The first view: a page as it begins, as plain HTML with a picture of its first chart, ready before anybody asks.

A browser loads and runs scripts for about a second before it can draw a live chart. Until then it shows this in its
place: the same words, and the same figure as a picture. It is made in the background whenever other data are loaded, in
every look, and only for pages as they begin: what else is asked for is drawn live, as ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component
from markupsafe import escape

from dashboard import pictures
from dashboard.pages import board
from dashboard.pages.page import LOOKS, Page, Site, framed, is_narrow
from dashboard.pictures import PictureError
from db.database import StoreError, explained, identity, ready

_log = logging.getLogger(__name__)

WIDTHS: Final[Mapping[bool, int]] = {False: 1232, True: 343}
"""How wide a chart is, in pixels, on a wide and on a narrow screen; the picture grows and shrinks with the page."""

Draw = Callable[[Mapping[str, Any]], str]
"""A figure as the markup of its picture."""

_ATTRIBUTES: Final = {
    "className": "class",
    "href": "href",
    "lang": "lang",
    "role": "role",
    "src": "src",
    "alt": "alt",
    "title": "title",
    "rel": "rel",
    "target": "target",
    "type": "type",
    "colSpan": "colspan",
    "rowSpan": "rowspan",
    "scope": "scope",
    "open": "open",
    "hidden": "hidden",
    "disabled": "disabled",
    "start": "start",
}
"""What a tag keeps. It has no id and no `data-`: those are how the live page is found, and this is not it."""

_TOLD: Final = frozenset({"aria-label", "aria-current", "aria-hidden"})
"""What is kept of what readers of the screen are told: nothing that names another part of the page by its id."""

_EMPTY: Final = frozenset({"br", "hr", "img"})


def still(component: Any, draw: Draw) -> str:
    """A tree of components as markup that needs no script: text is escaped, and figures are what `draw` makes of them.

    Raises `TypeError` for a component that it does not know.
    """
    if component is None:
        return ""
    if isinstance(component, (list, tuple)):
        return "".join(still(part, draw) for part in component)
    if not isinstance(component, Component):
        return str(escape(component))
    if isinstance(component, (dcc.Location, dcc.Store)):
        return ""
    props: dict[str, Any] = component.to_plotly_json()["props"]  # type: ignore[no-untyped-call]
    if isinstance(component, dcc.Graph):
        return draw(props["figure"])
    if isinstance(component, dcc.Link):
        return _tag("a", props, component, draw)
    if isinstance(component, dcc.Dropdown):
        return _box(_chosen(props["options"], props.get("value")), hint=props.get("placeholder", ""))
    if isinstance(component, dcc.Input):
        return _box(props.get("value", ""), hint=props.get("placeholder", ""))
    if isinstance(component, dcc.RadioItems):
        return _segments(props["options"], props.get("value"))
    if getattr(html, type(component).__name__, None) is not type(component):
        raise TypeError(f"{type(component).__name__} has no still form; give it one in {__name__}")
    if isinstance(component, html.Details) and not getattr(component, "open", None):
        # What is folded away would double the size of the page.
        component = html.Details([part for part in component.children if isinstance(part, html.Summary)])
    return _tag(type(component).__name__.lower(), props, component, draw)


def _tag(name: str, props: Mapping[str, Any], component: Component, draw: Draw) -> str:
    said = [
        f' {_ATTRIBUTES[key]}="{escape("" if value is True else value)}"'
        for key, value in props.items()
        if key in _ATTRIBUTES and value not in (None, False)
    ]
    said += [f' {key}="{escape(value)}"' for key, value in props.items() if key in _TOLD]
    if isinstance(props.get("style"), Mapping):
        said.append(f' style="{escape(_css(props["style"]))}"')
    opened = f"<{name}{''.join(said)}>"
    return opened if name in _EMPTY else f"{opened}{still(getattr(component, 'children', None), draw)}</{name}>"


def _css(style: Mapping[str, Any]) -> str:
    """React's styles as CSS: `minHeight` of 420 is `min-height:420px`."""
    said = []
    for key, value in style.items():
        name = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in key)
        if value is not None:
            said.append(f"{name}:{value}px" if isinstance(value, (int, float)) else f"{name}:{value}")
    return ";".join(said)


def _chosen(options: Sequence[Mapping[str, Any]], value: Any) -> str:
    values = value if isinstance(value, (list, tuple)) else [value]
    labels = {option["value"]: option["label"] for option in options}
    return ", ".join(str(labels[each]) for each in values if each in labels)


def _box(text: Any, *, hint: str) -> str:
    return f'<div class="still">{escape(text)}</div>' if text else f'<div class="still quiet">{escape(hint)}</div>'


def _segments(options: Sequence[Mapping[str, Any]], value: Any) -> str:
    labels = []
    for option in options:
        chosen = " selected" if option["value"] == value else ""
        labels.append(f'<span class="dash-options-list-option{chosen}">{escape(option["label"])}</span>')
    return f'<div class="dash-radioitems segments">{"".join(labels)}</div>'


class FirstViews:
    """The first views of a server, as files in a folder that its processes share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def at(self, site: Site, page: Page, look_name: str) -> bytes | None:
        """The view of a page as it begins, of what is in the database now; None where it is not ready."""
        try:
            return (self._folder / self._name(site, page, look_name)).read_bytes()
        except (OSError, StoreError):
            return None

    def prepare(self, site: Site, pages: Sequence[Page]) -> Iterator[None]:
        """Make what is missing, one view after another, and remove those of other data.

        Several processes may do so at once: each view is made by one of them. Without a browser there are none.
        """
        wanted = {
            self._name(site, page, look_name): (page, look_name) for page in pages if page.charts for look_name in LOOKS
        }
        for path in self._folder.iterdir():
            if path.name.removesuffix(".claimed") not in wanted:
                path.unlink(missing_ok=True)
        for name, (page, look_name) in wanted.items():
            path, claim = self._folder / name, self._folder / f"{name}.claimed"
            try:
                claim.touch(exist_ok=False)
            except FileExistsError:
                continue
            yield
            try:
                view = _view(site, pages, page, look_name)
            except PictureError as error:
                _log.info("pages begin without a picture of their first chart: %s", error)
                return
            if view:
                unfinished = claim.with_suffix(".unfinished")
                unfinished.write_text(view, encoding="utf-8")
                unfinished.rename(path)

    def _name(self, site: Site, page: Page, look_name: str) -> str:
        """A name that changes with the data and the day."""
        ready(site.engine)
        with explained(site.engine), site.engine.connect() as connection:
            told = identity(connection), site.today(), page.path, look_name
        return f"{sha256(repr(told).encode()).hexdigest()[:32]}.html"


def _view(site: Site, pages: Sequence[Page], page: Page, look_name: str) -> str:
    """The view of a page; empty where its first chart is not drawn."""
    drawn: list[str] = []

    def draw(figure: Mapping[str, Any]) -> str:
        width = WIDTHS[is_narrow(look_name)]
        drawn.append(pictures.inline(dict(figure), width=width, height=figure["layout"]["height"]))
        return drawn[-1]

    markup = still(framed(pages, page, board.layout(site, page, "", look_name)), draw)
    return markup if drawn else ""
