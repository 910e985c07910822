"""A chart as a figure of plotly: power, register, current with limits, and lanes of bands below.

One x axis in ms serves all; timeline.js writes its labels, and the times of what is pointed at.
Colours are those of Okabe and Ito, which colour-blind people tell apart; bands have words too.
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from host.replay.timeline_ledger import Fact
from host.replay.timeline_marks import MIXED, Chart, Lane
from host.replay.timeline_words import TimelineWords, length

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, RED, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE = "#767676", "#D9D9D9"

# name, panel, unit, divisor, colour, dash, width, shape
_LINES = (
    ("power_w", "power", "kW", 1000, BLUE, "solid", 1.6, "linear"),
    ("mean_w", "power", "kW", 1000, ORANGE, "solid", 1.4, "linear"),
    ("register_wh", "register", "kWh", 1000, BLUE, "solid", 1.8, "linear"),
    ("register_ledger_wh", "register", "kWh", 1000, ORANGE, "dot", 1.4, "linear"),
    ("current_l1_ma", "current", "A", 1000, "#8C510A", "solid", 1, "linear"),
    ("current_l2_ma", "current", "A", 1000, GREY, "solid", 1, "linear"),
    ("current_l3_ma", "current", "A", 1000, BLUE, "solid", 1, "linear"),
    ("limit_ma", "current", "A", 1000, BLACK, "solid", 3.2, "hv"),
    ("limit:installation", "current", "A", 1000, GREY, "dot", 2, "hv"),
    ("limit:cable", "current", "A", 1000, PURPLE, "dot", 2, "hv"),
    ("limit:tag", "current", "A", 1000, GREEN, "dash", 2, "hv"),
    ("limit:smart", "current", "A", 1000, ORANGE, "dash", 2, "hv"),
    ("limit:grid", "current", "A", 1000, SKY, "dash", 2, "hv"),
    ("limit:protection", "current", "A", 1000, RED, "dashdot", 2, "hv"),
    ("limit:thermal", "current", "A", 1000, YELLOW, "dashdot", 2, "hv"),
)
_PANELS = (("power", 180), ("register", 120), ("current", 190))  # px
_GAP, _LANE, _TOP, _BOTTOM, _LEFT, _RIGHT = 26, 25, 16, 48, 240, 265
_FIRST = ("session", "contactor", "pilot")
_LAST = (
    "meter", "link", "absence", "seal:lid", "seal:terminal cover", "lifecycle", "clock", "gap",
    "recorded",
)
_COLOURS = {
    "session": BLUE, "closed": GREEN,
    "pilot_A": PALE, "pilot_B": SKY, "pilot_C": BLUE, "pilot_D": PURPLE, "pilot_E": RED,
    "pilot_F": ORANGE, "pilot_?": GREY,
    "meter_silent": ORANGE, "meter_refused": RED,
    "link_0": PALE, "link_1": YELLOW, "link_2": GREEN,
    "absence": ORANGE, "gap": ORANGE, "hole": RED, "boot": PALE,
    "seal_good": PALE, "seal_open": RED, "seal_broken": ORANGE,
    "quality_U": ORANGE, "quality_I": YELLOW, "quality_R": SKY, "quality_S": PALE,
    "factory": PALE, "commissioned": SKY, "in service": PALE, "suspended": ORANGE,
    "on hold": YELLOW, "decommissioned": GREY, MIXED: GREY,
}
_EXPLAINED = {"pilot", "link", "seal", "lifecycle", "clock"}  # lanes of several states
_DARK = {BLUE, GREEN, RED, GREY, BLACK}
_PATTERNS = {RED: "x", ORANGE: "/", YELLOW: "\\", MIXED: "."}


def lane_order(chart: Chart) -> list[str]:
    """The lanes of a chart that show something, from above."""
    refused = sorted(name for name in chart.lanes if name.startswith("refused:"))
    return [name for name in (*_FIRST, *refused, *_LAST) if _bands(chart, name)]


def lane_name(name: str, words: TimelineWords) -> str:
    """What stands beside a lane; of a refusal the box's word for it."""
    kind, _, rest = name.partition(":")
    return f"{words.say(kind)}: {rest}" if kind == "refused" else words.say(name)


def figure(chart: Chart, facts: list[Fact], words: TimelineWords) -> dict[str, Any]:
    """The figure as plotly's JSON, whose times are for timeline.js to put into words."""
    lanes = lane_order(chart)
    labels = [lane_name(name, words) for name in lanes]
    if facts:
        labels.append(words.say("facts"))
    panels = [panel for panel in _PANELS if any(one[1] == panel[0] for one in _drawn(chart))]
    drawn = go.Figure()
    domains, height = _layout(drawn, panels, labels, words)
    for at, (panel, _) in enumerate(panels):
        _add_lines(drawn, chart, panel, at, words)
    _add_lanes(drawn, chart, lanes, labels, len(panels), words)
    if facts:
        _add_facts(drawn, facts, labels[-1], len(panels), words)
    _add_axis(drawn, chart, len(panels), domains, height)
    return drawn.to_plotly_json()


def _drawn(chart: Chart) -> list[tuple[Any, ...]]:
    return [line for line in _LINES if line[0] in chart.numbers and chart.numbers[line[0]].count]


def _bands(chart: Chart, name: str) -> bool:
    return name in chart.lanes and bool(chart.lanes[name].bands)


def _axis_name(at: int) -> str:
    return "y" if not at else f"y{at + 1}"


def _layout(
    drawn: go.Figure, panels: list[tuple[str, int]], labels: list[str], words: TimelineWords
) -> tuple[list[tuple[float, float]], int]:
    """Panels below each other, each with a legend beside it; heights in px as far as they count."""
    heights = [height for _, height in panels] + [max(1, len(labels)) * _LANE]
    inner = sum(heights) + _GAP * (len(heights) - 1)
    top, domains = float(inner), []
    for at, height in enumerate(heights):
        domains.append(((top - height) / inner, top / inner))
        top -= height + _GAP
        legend = "legend" if not at else f"legend{at + 1}"
        drawn.update_layout({legend: {
            "x": 1.01, "y": domains[-1][1], "yanchor": "top", "font": {"size": 12},
            "tracegroupgap": 0, "bgcolor": "rgba(0,0,0,0)",
        }})
    for at, (panel, _) in enumerate(panels):
        axis = "yaxis" if not at else f"yaxis{at + 1}"
        drawn.update_layout({axis: {
            "domain": domains[at], "title": {"text": words.say(panel), "standoff": 10},
            "fixedrange": True, "rangemode": "normal" if panel == "register" else "tozero",
            "gridcolor": "#E6E6E6", "zeroline": False, "tickformat": ",.6~f",
        }})
    return domains, inner + _TOP + _BOTTOM


def _add_lines(drawn: go.Figure, chart: Chart, panel: str, at: int, words: TimelineWords) -> None:
    for name, place, unit, divisor, colour, dash, width, shape in _drawn(chart):
        if place != panel:
            continue
        points = list(chart.numbers[name].points())
        drawn.add_scatter(
            x=[x for x, _ in points],
            y=[None if y is None else round(y / divisor, 3) for _, y in points],
            name=words.say(name), mode="lines", yaxis=_axis_name(at), connectgaps=False,
            legend="legend" if not at else f"legend{at + 1}", meta="line",
            line={"color": colour, "dash": dash, "width": width, "shape": shape},
            hovertemplate=f"<b>%{{fullData.name}}: %{{y:.3~f}} {unit}</b>"
            "<br>%{customdata}<extra></extra>",
        )


def _add_lanes(
    drawn: go.Figure, chart: Chart, lanes: list[str], labels: list[str], at: int,
    words: TimelineWords,
) -> None:
    shown: set[str] = set()
    legend = f"legend{at + 1}" if at else "legend"
    for name, label in zip(lanes, labels[: len(lanes)], strict=True):
        lane: Lane = chart.lanes[name]
        for what in sorted({band.what for band in lane.bands}):
            bands = [band for band in lane.bands if band.what == what]
            refused = name.startswith("refused:")
            colour = RED if refused else _COLOURS.get(what, ORANGE)
            said = words.refusal(what) if refused else words.say(what)
            texts = [_band_text(said, what, band.more, words) for band in bands]
            kind = name.partition(":")[0]
            title = f"{words.say(kind)}: {words.say(what)}"
            drawn.add_bar(
                orientation="h", yaxis=_axis_name(at), name=title, meta="band",
                legend=legend, legendgroup=title,
                showlegend=kind in _EXPLAINED and title not in shown,
                y=[label] * len(bands), base=[band.begin_ms for band in bands],
                x=[band.end_ms - band.begin_ms for band in bands], width=0.72,
                text=[_short(text) for text in texts], textposition="inside",
                insidetextanchor="start", textangle=0, constraintext="both",
                textfont={"color": "white" if colour in _DARK else "black", "size": 11},
                hovertext=texts,
                customdata=[["", length(band.end_ms - band.begin_ms)] for band in bands],
                marker={
                    "color": colour, "line": {"color": colour, "width": 1},
                    "pattern": {
                        "shape": _PATTERNS.get(what if what == MIXED else colour, ""),
                        "fgcolor": "rgba(255,255,255,0.45)", "size": 6,
                    },
                },
                hovertemplate="<b>%{y}</b><br>%{hovertext}<br>%{customdata[0]}"
                "<br>%{customdata[1]}<extra></extra>",
            )
            shown.add(title)


def _band_text(said: str, what: str, more: str, words: TimelineWords) -> str:
    if what in ("gap", "absence"):
        return words.causes(more)
    return f"{said} {more}".strip()


def _short(text: str) -> str:
    return text if len(text) <= 28 else text[:27] + "…"


def _add_facts(
    drawn: go.Figure, facts: list[Fact], label: str, at: int, words: TimelineWords
) -> None:
    drawn.add_scatter(
        x=[fact.x_ms for fact in facts], y=[label] * len(facts), mode="markers", meta="fact",
        name=label, yaxis=_axis_name(at), legend=f"legend{at + 1}" if at else "legend",
        marker={"symbol": "diamond", "size": 8, "color": BLACK, "opacity": 0.75},
        text=[f"{fact.kind}<br>{_wrapped(fact.text)}" for fact in facts],
        hovertemplate="<b>%{text}</b><br>%{customdata}<extra></extra>",
    )


def _wrapped(text: str) -> str:
    return text.replace("<", "&lt;").replace(", ", "<br>")[:400]


def _add_axis(
    drawn: go.Figure, chart: Chart, at: int, domains: list[tuple[float, float]], height: int
) -> None:
    assert chart.begin_ms is not None and chart.end_ms is not None
    edge_ms = max((chart.end_ms - chart.begin_ms) * 0.01, 500.0)
    axis = "yaxis" if not at else f"yaxis{at + 1}"
    drawn.update_layout({axis: {
        "domain": domains[at], "type": "category", "autorange": "reversed", "fixedrange": True,
        "gridcolor": "#F0F0F0", "automargin": False,
    }})
    drawn.update_layout(
        xaxis={
            "range": [chart.begin_ms - edge_ms, chart.end_ms + edge_ms], "anchor": _axis_name(at),
            "tickmode": "array", "tickvals": [], "gridcolor": "#E6E6E6", "zeroline": False,
            "showspikes": True, "spikemode": "across", "spikesnap": "cursor",
            "spikethickness": 1, "spikecolor": GREY, "spikedash": "dot",
        },
        barmode="overlay", bargap=0, height=height, hovermode="closest", hoverdistance=-1,
        dragmode="zoom", margin={"l": _LEFT, "r": _RIGHT, "t": _TOP, "b": _BOTTOM},
        plot_bgcolor="white", paper_bgcolor="white",
        font={"family": "system-ui, sans-serif", "size": 13, "color": "#1A1A1A"},
        uniformtext={"mode": "hide", "minsize": 9},
        hoverlabel={"align": "left", "bgcolor": "white"},
    )
