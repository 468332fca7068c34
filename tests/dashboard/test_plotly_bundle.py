"""The shortened plotly.js: it draws the same, and a file of another shape is left alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dashboard import plotly_bundle
from dashboard.plotly_bundle import TRACES, installed, reachable, registering_fewer

SOURCE = (
    "root={};var Plotly=(()=>{var W=(e,t)=>()=>(t||e((t={exports:{}}).exports,t),t.exports),Ea=(e)=>()=>e();"
    'var a=W((e,t)=>{"use strict";t.exports={moduleType:"trace",name:"bar"}});'
    'var b=W((e,t)=>{t.exports={moduleType:"trace",name:"heatmap"}});'
    "function q(x){return`}${x+`{${x}`}{`/'/}'/.test(x)}"
    "var slope=1,other=8/slope/2,rest;"
    'var c=W((e,t)=>{t.exports={moduleType:"trace",name:"pie",plot:q}});'
    'var d=W((e,t)=>{t.exports={moduleType:"component",name:"calendars",plot:()=>[...other]}});'
    "var e1=W((e,t)=>{t.exports=c()});"
    "var f=W((e,t)=>{var R=g();R.register([a(),b(),e1(),d()]);t.exports=R});"
    "return f();})();"
)

DRAWN = """async () => {
    let state = 1;
    Math.random = () => (state = (state * 16807) % 2147483647) / 2147483647;
    const month = (n) => `${2023 + Math.floor(n / 12)}-${String((n % 12) + 1).padStart(2, "0")}-01`;
    const x = [...Array(40).keys()].map(month);
    const line = (k, more) => ({ type: "scatter", mode: "lines", x, y: x.map((_, n) => n * k + Math.sin(n)), ...more });
    const figures = {
        lines: [[line(1), line(2, { fill: "tonexty", fillpattern: { shape: "/" } }),
                 line(3, { mode: "lines+markers" })],
                { hovermode: "x unified", showlegend: true, xaxis: { type: "date", hoverformat: "%b %Y" },
                  annotations: [{ x: 1, xref: "paper", y: 20, text: "<b>a</b>", ax: 20, ay: -9 }],
                  shapes: [{ type: "path", path: "M0,0L1,1Z", xref: "paper", yref: "paper" }] }],
        bars: [[{ type: "bar", orientation: "h", y: ["a", "b"], x: [1, 2], text: ["1", "2"], textposition: "outside",
                  error_x: { array: [1, 1] } }], { barmode: "stack" }],
        heat: [[{ type: "heatmap", z: [[1, 2], [3, 4]], colorscale: "Viridis" }], {}],
    };
    const drawn = {};
    for (const [name, [data, layout]] of Object.entries(figures)) {
        const plot = document.body.appendChild(document.createElement("div"));
        await Plotly.newPlot(plot, data, { ...layout, width: 700, height: 400 });
        Plotly.Fx.hover(plot, [{ curveNumber: 0, pointNumber: 1 }]);
        drawn[name + " hover"] = plot.querySelectorAll(".hoverlayer *").length;
        drawn[name] = await Plotly.toImage(plot, { format: "svg", width: 700, height: 400 });
        await Plotly.react(plot, data.slice(0, 1), layout);
    }
    return JSON.stringify(drawn);
}"""


def test_trace_types_that_nobody_draws_are_not_registered() -> None:
    assert registering_fewer(SOURCE) == SOURCE.replace("a(),b(),e1(),d()", "a(),b(),d()")


def test_what_is_out_of_reach_is_left_out() -> None:
    short = reachable(registering_fewer(SOURCE))
    assert "pie" not in short
    assert "function q" not in short
    assert "other=8/slope/2" in short
    assert short.startswith("root={};var Plotly=(()=>{var W=")
    assert short.endswith("return f();})();")


@pytest.mark.parametrize(
    "source",
    [
        "",
        SOURCE.replace("register", "enlist"),
        SOURCE + SOURCE,
        SOURCE.replace('name:"heatmap"', 'name:"other"'),
        SOURCE.replace("t.exports=c()", "t.exports=42"),
        SOURCE.replace("return f();", ""),
        SOURCE.replace("var Plotly=", "let Plotly="),
        SOURCE.replace("var slope", "start();var slope"),
        SOURCE.replace("})();", ""),
    ],
)
def test_a_file_of_another_shape_is_served_as_it_is(source: str, install: Callable[[str], None]) -> None:
    install(source)
    assert plotly_bundle.script().plain.decode() == source


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Install another plotly.js, of which nothing is kept yet."""

    def put(source: str) -> None:
        (tmp_path / "plotly.min.js").write_text(source, encoding="utf-8")
        monkeypatch.setattr(plotly_bundle, "INSTALLED", tmp_path / "plotly.min.js")
        monkeypatch.setattr(plotly_bundle, "KEPT", tmp_path / "kept")
        plotly_bundle.script.cache_clear()

    yield put
    plotly_bundle.script.cache_clear()


def test_the_short_file_is_kept_for_the_next_process_until_the_installed_one_is_another(
    install: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(SOURCE)
    made = plotly_bundle.file()
    assert made.read_text(encoding="utf-8") == reachable(registering_fewer(SOURCE))
    assert [*(tmp_path / "kept").iterdir()] == [made]
    with monkeypatch.context() as patch:
        patch.setattr(plotly_bundle, "reachable", lambda _: pytest.fail("it was made again"))
        assert plotly_bundle.file() == made
    other = SOURCE.replace("8/slope/2", "6/slope/2")
    install(other)
    assert plotly_bundle.file() != made
    assert plotly_bundle.file().read_text(encoding="utf-8") == reachable(registering_fewer(other))


def test_where_nothing_can_be_kept_the_installed_file_is_served(install: Callable[[str], None], tmp_path: Path) -> None:
    install(SOURCE)
    (tmp_path / "kept").write_text("no folder")
    assert plotly_bundle.file() == tmp_path / "plotly.min.js"
    assert plotly_bundle.script().plain.decode() == SOURCE


def test_the_installed_file_is_of_the_expected_shape() -> None:
    whole = installed()
    fewer = registering_fewer(whole)
    entries = plotly_bundle._REGISTER.search(fewer)
    assert entries is not None
    assert entries.group(1).count(",") == len(TRACES)
    assert len(plotly_bundle.script().plain) < 0.35 * len(whole)
    assert plotly_bundle.script() is plotly_bundle.script()


@pytest.mark.xdist_group("browser")
def test_the_short_file_draws_the_same_pictures(browser: Browser) -> None:
    pictures = []
    for source in (installed(), plotly_bundle.script().plain.decode()):
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
        page.set_content("<body></body>")
        page.add_script_tag(content=source)
        pictures.append(json.loads(page.evaluate(DRAWN)))
        assert errors == []
        page.close()
    whole, short = pictures
    assert short == whole
    assert whole["lines hover"] > 0
    assert all("svg" in whole[name] for name in ("lines", "bars", "heat"))
