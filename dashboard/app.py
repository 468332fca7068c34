"""The app: Dash on Flask, with the pages, downloads, health and the headers of every response.

An app keeps nothing but its engine, so any number of workers may serve it, and several may live in one process. What a
process remembers (`db.memory`) is what the database would say again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component
from dash.exceptions import DependencyException, InvalidCallbackReturnValue
from flask import Flask, Response, redirect, request
from markupsafe import escape
from pydantic import ValidationError, validate_call

from dashboard import actions, downloads, generator_runtime, guard, password, plotly_bundle
from dashboard.actions import ImpossibleAction
from dashboard.answers import Answers, asked_from
from dashboard.downloads import Format, Problem
from dashboard.guard import Turns
from dashboard.pages import PAGES, board
from dashboard.pages.first_view import FirstViews
from dashboard.pages.market import MARKET
from dashboard.pages.page import PRODUCT, Page, Site, framed, look_name
from db import provenance
from db.database import StoreError
from db.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from db import Engine

_log = logging.getLogger(__name__)

_PICTURES, _FILES = 4, 6
"""How many pictures and how many other files a process makes at once. There are more threads: pages go first."""

_SOON = 5
"""In how many seconds those shall come again who found all turns taken."""

_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
<link rel="icon" type="image/svg+xml" href="/assets/icon.svg">
<script src="/assets/page.js"></script>
<link rel="preload" as="fetch" href="/_dash-layout" crossorigin>
<link rel="preload" as="fetch" href="/_dash-dependencies" crossorigin>
<link rel="preload" as="font" type="font/woff2" href="/assets/fonts/OpenSans-Regular.woff2" crossorigin>
{%preloads%}
{%css%}
</head>
<body>
{%app_entry%}
{%noscript%}
{%config%}
{%scripts%}
{%renderer%}
</body>
</html>"""


_OF_CHARTS = """<link rel="preload" as="script" href="/_dash-component-suites/plotly/package_data/plotly.min.js">
<link rel="preload" as="script" href="/_dash-component-suites/dash/dcc/async-graph.js">
<link rel="preload" as="script" href="/_dash-component-suites/dash/dcc/async-dropdown.js">"""
"""The scripts that a page with charts needs, and a page without them never asks for."""


class _App(Dash):
    """Dash with titles and descriptions of our pages, and without the scripts that none uses: that of its table,
    and polyfills.
    """

    pages: Sequence[Page] = ()

    def interpolate_index(self, *args: Any, **parts: Any) -> str:
        lines = parts["scripts"].splitlines()
        parts["scripts"] = "\n".join(_without_polyfills(line) for line in lines if "/dash_table/" not in line)
        page = _page_at(request.path, self.pages)
        parts["title"] = f"{page.name} – {PRODUCT}" if page else PRODUCT
        if page:
            parts["metas"] += f'\n<meta name="description" content="{escape(page.description)}">'
        charts = page.charts if page and page.charts else [chart for each in self.pages for chart in each.charts]
        files = " ".join(f"/charts/{chart.slug}.csv" for chart in charts)
        needs = f"<noscript>The charts need JavaScript. Their data are at {files} (or .json, .png, .svg).</noscript>"
        index = super().interpolate_index(*args, **parts)  # type: ignore[no-untyped-call]
        preloads = _OF_CHARTS if page and page.charts else ""
        return str(index).replace("{%noscript%}", needs).replace("{%preloads%}", preloads)


def _without_polyfills(line: str) -> str:
    if "/polyfill@" not in line or generator_runtime.script() is None:
        return line
    return f'<script src="{generator_runtime.url()}"></script>'


def create_app(
    engine: Engine,
    *,
    address: str = "",
    today: Callable[[], date] = date.today,
    pages: Sequence[Page] = PAGES,
    names: Sequence[str] | None = None,
    passwords: Mapping[str, str] | None = None,
    first_views: FirstViews | None = None,
) -> Dash:
    """The app on a database.

    `address` is where others reach it, for the links in pictures; `today` says which day it is; `pages` are in the
    order of the navigation; `names` are the hosts that may be asked for beside the machine's own, None for any;
    `passwords`, by name as `password.read` gives them, are asked for where there are any; `first_views` are what pages
    show until they can be drawn.
    """
    site = Site(engine=engine, address=address, today=today)
    server = Flask(__name__, static_folder=None)
    settled = {page.path for page in pages if page.is_settled}
    answers = Answers(engine, today=today, is_settled=lambda path: path.rstrip("/") in settled)
    answers.keep(server)
    guard.protect(server, names=names)
    if passwords:
        password.ask(server, passwords)
    server.config["COMPRESS_ALGORITHM"] = ["br", "gzip"]
    # Compressing a file while it is sent would leave it open.
    server.config["COMPRESS_STREAMS"] = False
    server.config["COMPRESS_MIMETYPES"] = [
        "text/html",
        "text/css",
        "text/csv",
        "text/javascript",
        "application/json",
        "image/svg+xml",
    ]
    app = _App(
        __name__,
        server=cast(Any, server),
        title=PRODUCT,
        update_title="",
        compress=True,
        suppress_callback_exceptions=True,
        index_string=_INDEX,
        assets_ignore=r"page\.js",
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.pages = pages
    app.layout = lambda: _layout(site, pages)
    _register_fallback(app, site, pages)
    board.register(app, site, pages)
    _add_routes(server, site, pages, first_views)
    _hold_actions(app, server)
    answers.give(server)
    guard.add_headers(server, csp=_content_security_policy(app), is_secure=address.startswith("https://"))
    # Dash serves only the scripts that it has named in a page. A worker that has not served one yet must know them too.
    with server.test_request_context(pages[0].path):
        app.index()  # type: ignore[no-untyped-call]
    return app


def _page_at(path: str, pages: Sequence[Page]) -> Page | None:
    bare = path if path == "/" else path.rstrip("/")
    return next((page for page in pages if page.path == bare), None)


def _layout(site: Site, pages: Sequence[Page]) -> Component:
    """The page that the browser is at, with its first chart drawn.

    Dash asks for the layout by itself, so the page is known from the referrer. A browser that does not tell it gets an
    empty page, which then asks for its content.
    """
    place = asked_from()
    page = _page_at(place.path, pages)
    if page is None:
        return html.Div([dcc.Location(id="place", refresh=False), html.Div(id="page")])
    return _page(site, pages, page, place.query)


def _page(site: Site, pages: Sequence[Page], page: Page, query: str) -> Component:
    return framed(pages, page, board.layout(site, page, query, look_name(request.cookies.get("look", ""))))


def _register_fallback(app: Dash, site: Site, pages: Sequence[Page]) -> None:
    @app.callback(
        Output("page", "children"), Input("place", "pathname"), State("place", "search"), prevent_initial_call=True
    )
    @validate_call
    def show(pathname: str | None, search: str | None) -> Component:
        return _page(site, pages, _page_at(pathname or "", pages) or pages[0], (search or "").removeprefix("?"))


# Routes beside the pages


def _add_routes(server: Flask, site: Site, pages: Sequence[Page], first_views: FirstViews | None) -> None:
    pictures, files = Turns(_PICTURES), Turns(_FILES)

    @server.before_request
    def instead() -> Any:
        """What is answered here in the place of Dash."""
        if request.path == plotly_bundle.URL and request.method in ("GET", "HEAD"):
            return _plotly()
        if request.path == generator_runtime.url() and request.method in ("GET", "HEAD"):
            response = Response(generator_runtime.script(), content_type="text/javascript; charset=utf-8")
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
            return response
        rule = request.url_rule.rule if request.url_rule else ""
        if rule == "/<path:path>" and not _page_at(request.path, pages):
            return _not_found(pages)
        if request.path == "/" and (request.query_string or not _page_at("/", pages)):
            # A selection is about a market's charts, and links have opened that page since there were pages.
            page = MARKET if MARKET in pages else next(page for page in pages if page.charts)
            return redirect(page.link(request.query_string.decode("latin-1"), page.charts[0]))
        return None

    @server.get("/health")
    def health() -> Any:
        try:
            last = provenance.last_snapshot(site.engine)
        except StoreError as error:
            _log.warning("the database cannot be read: %s", error)
            return guard.text(503, "the database cannot be read; the reason is in the server's log")
        found = {
            "status": "ok",
            "schema_version": SCHEMA_VERSION,
            "last_snapshot": last.isoformat() if last else None,
            "days_since_snapshot": (site.today() - last).days if last else None,
        }
        return server.json.response(found)

    @server.get("/first-view")
    def first_view() -> Any:
        """What the page at `path` shows until it can be drawn, in the browser's look; nothing where it is not ready."""
        page = _page_at(request.args.get("path", ""), pages)
        made = first_views.at(site, page, look_name(request.args.get("look", ""))) if first_views and page else None
        response = Response(made or b"", status=200 if made else 204, content_type="text/html; charset=utf-8")
        response.headers["Cache-Control"] = "no-cache"
        if made is None:
            return response
        response.set_etag(sha256(made).hexdigest()[:32])
        return response.make_conditional(request)

    @server.get("/charts/<slug>.<format>")
    def chart_file(slug: str, format: str) -> Any:
        query = request.query_string.decode("utf-8", "replace")
        turns = pictures if format in (Format.PNG, Format.SVG) else files
        with turns.taken() as has_turn:
            if not has_turn:
                return guard.text(503, "others are being served; try again in a few seconds", retry_after=_SOON)
            made = downloads.answer(site.engine, slug, format, query, site=site.address, today=site.today())
        if isinstance(made, Problem):
            return guard.text(made.status, made.text, retry_after=made.retry_after)
        response = Response(made.body, content_type=made.content_type)
        response.headers["Content-Disposition"] = f'attachment; filename="{made.filename}"'
        response.headers["Cache-Control"] = "no-cache"
        response.set_etag(made.etag)
        return response.make_conditional(request)

    @server.get("/charts/<slug>")
    def live_chart(slug: str) -> Any:
        for page in pages:
            for chart in page.charts:
                if chart.slug == slug:
                    return redirect(page.link(request.query_string.decode("latin-1"), chart))
        return _not_found(pages)

    @server.errorhandler(DependencyException)
    def no_script(_error: DependencyException) -> Response:
        return guard.text(404, "not found")


def _hold_actions(app: Dash, server: Flask) -> None:
    """Refuse the actions that no page of ours sends, before and in the callbacks."""

    @server.before_request
    def hold() -> None:
        if request.path == actions.PATH and request.method == "POST":
            try:
                body = request.get_json()
            except RecursionError as error:
                raise ImpossibleAction("this is nested too deep") from error
            actions.check(body, app.callback_map)

    @server.errorhandler(ImpossibleAction)
    def impossible(error: ImpossibleAction) -> Response:
        return guard.text(400, str(error))

    @server.errorhandler(ValidationError)
    def impossible_value(_error: ValidationError) -> Response:
        return guard.text(400, "this action has other values")

    @server.errorhandler(InvalidCallbackReturnValue)
    def impossible_count(error: InvalidCallbackReturnValue) -> Response:
        # A page has as many parts as its callback fills; were it ours that does not, the log would say so.
        _log.warning("an action has other parts than its page: %s", " ".join(str(error).split())[:200])
        return guard.text(400, "this action has other parts")


def _plotly() -> Any:
    script = plotly_bundle.script()
    accepts_gzip = request.accept_encodings.quality("gzip") > 0
    response = Response(script.gzipped if accepts_gzip else script.plain, content_type="text/javascript; charset=utf-8")
    if accepts_gzip:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(script.etag)
    return response.make_conditional(request)


def _not_found(pages: Sequence[Page]) -> Response:
    links = "".join(f'<li><a href="{page.path}">{escape(page.name)}</a></li>' for page in pages)
    body = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Not found – {PRODUCT}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" type="image/svg+xml" href="/assets/icon.svg">'
        '<script src="/assets/page.js"></script><link rel="stylesheet" href="/assets/style.css"></head>'
        '<body><main class="not-found"><h1>There is no such page</h1><p>The pages are:</p>'
        f"<ul>{links}</ul></main></body></html>"
    )
    return Response(body, status=404, content_type="text/html; charset=utf-8")


def _content_security_policy(app: Dash) -> str:
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {' '.join(app.csp_hashes())}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
