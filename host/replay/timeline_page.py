"""The page: one HTML file that needs nothing else, charts above, the same in tables below."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import Any

from host.ledger.words import LOCAL, Words, kwh, since_boot
from host.replay.timeline_figure import figure, lane_name
from host.replay.timeline_ledger import LedgerReader, Session
from host.replay.timeline_marks import BANDS_MAX, POINTS_MAX, Band, Chart
from host.replay.timeline_read import Story
from host.replay.timeline_words import TimelineWords, length

ROWS_MAX = 300  # of a table
_SCRIPT = Path(__file__).with_name("timeline.js")
_DAY_MS = 86_400_000
_STYLE = """
:root{color-scheme:light}
body{font:16px/1.45 system-ui,sans-serif;color:#1a1a1a;background:#fff;margin:0}
main{max-width:1500px;margin:0 auto;padding:1rem 1.5rem 3rem}
h1{font-size:1.6rem;margin:.3rem 0}h2{font-size:1.2rem;margin:1.8rem 0 .3rem}
p{margin:.3rem 0;max-width:75rem}.span{font-size:1.1rem}
.note{border-left:4px solid #d55e00;padding:.1rem .7rem;background:#fff5ef}
.quiet{color:#555}.tools{margin:.6rem 0 .2rem 240px}
button{font:inherit;padding:.15rem .7rem;margin-right:.3rem;border:1px solid #767676;
border-radius:4px;background:#f6f6f6;color:inherit;cursor:pointer}
button:hover{background:#e9eff7}button:focus-visible{outline:3px solid #0072b2}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.25rem .9rem .25rem 0;border-bottom:1px solid #ddd;
vertical-align:top}.number{text-align:right}
@media print{.tools{display:none}}
"""


def page(story: Story, ledger: LedgerReader, words: TimelineWords) -> str:
    """The whole page as text. No part of it is fetched: its policy forbids that."""
    from plotly.offline import get_plotlyjs

    charts = story.charts
    data = {
        "charts": [
            {
                "id": f"chart{at}",
                "boot": chart.boot,
                "figure": figure(chart, [f for f in ledger.facts if f.boot == chart.boot], words),
            }
            for at, chart in enumerate(charts)
        ],
        "offsets": offsets(story.calendar),
        "boot": words.say("boot"),
        **words.calendar,
    }
    title = words.say("title", box=story.serial or words.say("nameless"))
    parts = [
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<link rel="icon" href="data:,">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{escape(title)}</h1>",
        *_notes(story, ledger, words),
        *(_chart(at, chart, words) for at, chart in enumerate(charts)),
        _sessions(charts, ledger, words),
        _refusals(charts, words),
        _outages(charts, words),
        '</main><script type="application/json" id="data">',
        _embedded(data),
        f"</script><script>{get_plotlyjs()}</script>",
        f"<script>{_SCRIPT.read_text(encoding='utf-8')}</script></body></html>\n",
    ]
    return "\n".join(parts)


def offsets(calendar: Chart) -> list[tuple[int, int]]:
    """When the offset of Europe/Copenhagen changes in and round the time shown: UTC ms, ms."""
    begin_ms = (calendar.begin_ms or 0) - 400 * _DAY_MS
    end_ms = (calendar.end_ms or 0) + 400 * _DAY_MS
    found = [(0, _offset_ms(begin_ms))]
    for day in range(int((end_ms - begin_ms) // _DAY_MS)):
        low, high = begin_ms + day * _DAY_MS, begin_ms + (day + 1) * _DAY_MS
        if _offset_ms(low) == _offset_ms(high):
            continue
        hour = 3_600_000  # changes happen at whole hours of UTC
        at = int(low // hour + 1) * hour
        while _offset_ms(at) == _offset_ms(low):
            at += hour
        found.append((at, _offset_ms(at)))
    return found


def _offset_ms(utc_ms: float) -> int:
    moment = datetime.fromtimestamp(max(utc_ms, 0) / 1000, timezone.utc).astimezone(LOCAL)
    offset = moment.utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * 1000


def _embedded(data: dict[str, Any]) -> str:
    """JSON that ends no script element, whatever a text in it says."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def moment(boot: int | None, x_ms: float | None, words: TimelineWords) -> str:
    """A time of a chart in words."""
    if x_ms is None:
        return ""
    if boot is not None:
        return f"{words.say('boot')} {boot} + {since_boot(int(x_ms))[:-4]}"
    return Words(local=True).time(int(x_ms // 1000))


def _notes(story: Story, ledger: LedgerReader, words: TimelineWords) -> list[str]:
    calendar = story.calendar
    lines = []
    if calendar.begin_ms is not None:
        begin, end = (moment(None, at, words) for at in (calendar.begin_ms, calendar.end_ms))
        lines.append(f'<p class="span">{begin} – {end}</p>')
    facts = len(ledger.log.ledger)
    lines.append(f"<p>{words.say('about', entries=story.entries, facts=facts)}</p>")
    warnings = []
    if not story.records:
        warnings.append(words.say("no_trace"))
    if story.others:
        warnings.append(words.say("other_core", count=story.others))
    if story.unknown:
        warnings.append(words.say("not_played", count=story.unknown))
    if story.differs:
        warnings.append(words.say("differs", count=story.differs))
    if story.holes:
        warnings.append(words.say("holes", count=story.holes, missing=story.missing))
    if story.hidden:
        warnings.append(words.say("hidden", count=story.hidden))
    lines += [f'<p class="note">{escape(text)}</p>' for text in warnings]
    quiet = [words.say("local"), words.say("how")]
    if is_coarse(story):
        quiet.append(words.say("coarse", points=POINTS_MAX, bands=BANDS_MAX))
    return lines + [f'<p class="quiet">{escape(text)}</p>' for text in quiet]


def is_coarse(story: Story) -> bool:
    """Whether anything is drawn coarser than recorded."""
    charts = story.charts
    return any(line.coarse for chart in charts for line in chart.numbers.values()) or any(
        lane.coarse for chart in charts for lane in chart.lanes.values()
    )


def _chart(at: int, chart: Chart, words: TimelineWords) -> str:
    buttons = "".join(
        f'<button type="button" data-act="{act}">{words.say(act)}</button>'
        for act in ("zoom_in", "zoom_out", "back", "forth", "all")
    )
    head = "" if chart.boot is None else f"<h2>{words.say('uptime', boot=chart.boot)}</h2>"
    return (
        f'<section>{head}<div class="tools">{buttons}</div>'
        f'<div id="chart{at}" role="img" aria-describedby="tables"></div></section>'
    )


def _table(title: str, columns: list[str], rows: list[list[str]], words: TimelineWords) -> str:
    """A table with a heading; the columns of numbers are those whose name is kWh or No."""
    text = f"<h2>{title}</h2>"
    if not rows:
        return text + f"<p>{words.say('none')}</p>"
    right = {words.say("col_energy"), words.say("col_number"), words.say("col_length")}
    sides = [' class="number"' if column in right else "" for column in columns]
    head = "".join(
        f'<th scope="col"{side}>{column}</th>' for column, side in zip(columns, sides, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(
            f"<td{side}>{escape(cell)}</td>" for cell, side in zip(row, sides, strict=True)
        ) + "</tr>"
        for row in rows[:ROWS_MAX]
    )
    more = len(rows) - ROWS_MAX
    tail = f"<p>{words.say('more_rows', count=more)}</p>" if more > 0 else ""
    return (
        f'{text}<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{tail}"
    )


def _columns(words: TimelineWords, *names: str) -> list[str]:
    return [words.say("col_" + name) for name in names]


def _sessions(charts: list[Chart], ledger: LedgerReader, words: TimelineWords) -> str:
    """As the ledger tells them; without one, as the core saw them."""
    rows = [_session(one, words) for one in ledger.sessions]
    if not ledger.log.ledger:
        seen = [(chart, *one) for chart in charts for one in _all(chart, "session".__eq__)]
        rows = [[band.more, *_span(chart, band, words), "", "", ""] for chart, _, band in seen]
    columns = _columns(
        words, "number", "begin", "end", "length", "energy", "authority", "reason"
    )
    return '<div id="tables">' + _table(words.say("sessions"), columns, rows, words)


def _session(one: Session, words: TimelineWords) -> list[str]:
    lasted = ""
    if one.begin_ms is not None and one.end_ms is not None:
        lasted = length(one.end_ms - one.begin_ms)
    ended = one.energy_wh is not None
    end = moment(one.boot, one.end_ms, words) if ended else words.say("running")
    return [
        str(one.number), moment(one.boot, one.begin_ms, words), end, lasted, kwh(one.energy_wh),
        words.say(one.authority), one.reason,
    ]


def _refusals(charts: list[Chart], words: TimelineWords) -> str:
    rows = []
    for chart in charts:
        for name, band in _all(chart, lambda name: name.startswith("refused:")):
            why = words.refusal(name.partition(":")[2])
            rows.append([name.partition(":")[2], *_span(chart, band, words), why])
    columns = _columns(words, "what", "begin", "end", "length", "why")
    return _table(words.say("refusals"), columns, rows, words)


def _outages(charts: list[Chart], words: TimelineWords) -> str:
    rows = []
    for chart in charts:
        for name, band in _all(chart, lambda name: name in ("gap", "absence", "recorded")):
            if name == "recorded" and band.what != "hole":
                continue
            why = words.causes(band.more)
            if name == "recorded":
                why = f"{words.say('hole')} {band.more}"
            rows.append([lane_name(name, words), *_span(chart, band, words), why])
    columns = _columns(words, "what", "begin", "end", "length", "why")
    return _table(words.say("outages"), columns, rows, words) + "</div>"


def _all(chart: Chart, wanted: Any) -> list[tuple[str, Band]]:
    found = [
        (name, band) for name, lane in chart.lanes.items() if wanted(name) for band in lane.bands
    ]
    return sorted(found, key=lambda one: one[1].begin_ms)


def _span(chart: Chart, band: Band, words: TimelineWords) -> list[str]:
    begin, end = (moment(chart.boot, at, words) for at in (band.begin_ms, band.end_ms))
    return [begin, end, length(band.end_ms - band.begin_ms)]
