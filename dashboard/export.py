"""Any chart's data or picture from the shell: `python -m dashboard.export market-share --query "market=CN" --out -`."""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dashboard.charts import CHARTS
from dashboard.charts.chart import Chart
from dashboard.downloads import Format, download
from dashboard.pictures import PictureError
from dashboard.selection import NAMES, InvalidSelection, Refusal
from db.database import DEFAULT_URL, StoreError, open_engine

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A chart's data or picture as a file, the same as its page offers.",
)


@app.callback()
def _charts() -> None:
    """Makes every chart a subcommand, also where there is only one."""


def _explained(chart: Chart) -> str:
    """The help of a chart's command: its question, and the default of each name that a selection may use."""
    width = max(len(name) for name in NAMES)
    lines = [f"  {name:<{width}}  {_written(getattr(chart.defaults, name))}" for name in NAMES]
    return f"{chart.question}\n\n\b\nA selection starts from:\n" + "\n".join(lines)


def _written(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value) or "-"
    return "-" if value is None else str(value)


def _add(chart: Chart) -> None:
    def export(
        out: Annotated[str, typer.Option("--out", metavar="FILE", help="Where to write it; - is standard output.")],
        query: Annotated[str, typer.Option("--query", metavar="QUERY", help="The selection, as in a link.")] = "",
        format: Annotated[Format, typer.Option("--format", help="What to make.")] = Format.CSV,
        debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    ) -> None:
        try:
            if out != "-" and not Path(out).parent.is_dir():
                raise FileNotFoundError(f"there is no folder {Path(out).parent} to write {Path(out).name} into")
            engine = open_engine(os.environ.get("DATABASE_URL") or DEFAULT_URL)
            body = download(
                engine,
                chart,
                query,
                format=format,
                site=os.environ.get("PUBLIC_URL", ""),
                today=datetime.now(UTC).date(),
            ).body
            _write(out, body)
        except InvalidSelection as error:
            _fail(error, code=2, debug=debug)
        except (Refusal, PictureError, StoreError, OSError) as error:
            _fail(error, code=1, debug=debug)

    app.command(chart.slug, help=_explained(chart), short_help=chart.question)(export)


def _write(out: str, body: bytes) -> None:
    """Write to standard output, or to a file that is there wholly or not at all."""
    if out == "-":
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    target = Path(out)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        draft.chmod(0o644)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _fail(error: Exception, *, code: int, debug: bool) -> NoReturn:
    if debug:
        raise error
    print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
    raise typer.Exit(code)


for _chart in CHARTS:
    _add(_chart)


if __name__ == "__main__":
    app()
