// Draws the charts and puts times into words: plotly knows no time zone, so the axis is in ms,
// and the offsets of Europe/Copenhagen come with the page.
"use strict";
(function () {
  const page = JSON.parse(document.getElementById("data").textContent);
  const HOUR = 3600e3, DAY = 24 * HOUR;
  const STEPS = [1e3, 5e3, 15e3, 30e3, 60e3, 300e3, 900e3, 1800e3, HOUR, 3 * HOUR, 6 * HOUR,
    12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 182 * DAY, 364 * DAY];
  const two = (n) => String(n).padStart(2, "0");

  // [since when in UTC ms, offset in ms], ascending
  function offset(ms) {
    let found = page.offsets[0][1];
    for (const [since, value] of page.offsets) { if (ms >= since) { found = value; } }
    return found;
  }
  function twice(ms) {
    return page.offsets.some(([since, value], at) => {
      const lost = at ? page.offsets[at - 1][1] - value : 0;
      return lost > 0 && ms >= since - lost && ms < since + lost;
    });
  }
  function zone(ms) {
    const minutes = offset(ms) / 60e3;
    return "+" + two(Math.floor(minutes / 60)) + ":" + two(minutes % 60);
  }
  function clock(ms, exact) {
    const s = Math.floor(ms / 1e3);
    const text = two(Math.floor(s / 3600) % 24) + ":" + two(Math.floor(s / 60) % 60);
    return exact ? text + ":" + two(s % 60) : text;
  }
  function day(local, year) {
    const date = new Date(local);
    const text = page.weekdays[(date.getUTCDay() + 6) % 7] + " " + date.getUTCDate() + " " +
      page.months[date.getUTCMonth()];
    return year ? text + " " + date.getUTCFullYear() : text;
  }
  function sinceBoot(ms, exact) {
    const s = Math.floor(ms / 1e3), h = Math.floor(s / 3600);
    const text = "+" + h + ":" + two(Math.floor(s / 60) % 60);
    return exact ? text + ":" + two(s % 60) : text;
  }
  function moment(ms, boot) {
    if (boot !== null) { return page.boot + " " + boot + " " + sinceBoot(ms, true); }
    const local = ms + offset(ms);
    return day(local, true) + " " + clock(local, true) + (twice(ms) ? " " + zone(ms) : "");
  }

  // where labels stand: whole steps of local time; a day that has 23 or 25 hours is one day
  function ticks(low, high, boot, width) {
    const most = Math.max(2, Math.floor(width / 95));
    const step = STEPS.find((one) => (high - low) / one <= most) || STEPS[STEPS.length - 1];
    const values = [], texts = [];
    if (boot !== null) {
      for (let ms = Math.ceil(low / step) * step; ms <= high; ms += step) {
        values.push(ms);
        texts.push(sinceBoot(ms, step < 60e3));
      }
      return [values, texts];
    }
    let before = "";
    const put = (ms) => {
      const local = ms + offset(ms), date = day(local, false);
      let text = step < DAY ? clock(local, step < 60e3) + (twice(ms) ? " " + zone(ms) : "") : date;
      if (step < DAY && date !== before) { text += "<br><b>" + date + "</b>"; }
      before = date;
      values.push(ms);
      texts.push(text);
    };
    if (step <= HOUR) {
      for (let ms = Math.ceil(low / step) * step; ms <= high; ms += step) { put(ms); }
    } else {
      const first = Math.floor((low + offset(low)) / step) * step;
      for (let local = first; ; local += step) {
        const guess = local - offset(local - HOUR), ms = local - offset(guess);
        if (ms > high) { break; }
        if (ms >= low) { put(ms); }
      }
    }
    return [values, texts];
  }

  function say(figure, boot) {
    for (const trace of figure.data) {
      if (trace.meta === "band") {
        trace.customdata.forEach((one, at) => {
          one[0] = moment(trace.base[at], boot) + " –<br>" +
            moment(trace.base[at] + trace.x[at], boot);
        });
      } else {
        trace.customdata = trace.x.map((ms) => moment(ms, boot));
      }
    }
  }

  async function draw(chart, place) {
    say(chart.figure, chart.boot);
    const layout = chart.figure.layout, whole = layout.xaxis.range.slice();
    const label = () => {
      const [low, high] = place._fullLayout ? place._fullLayout.xaxis.range : whole;
      const width = place.clientWidth - layout.margin.l - layout.margin.r;
      const [tickvals, ticktext] = ticks(Math.min(low, high), Math.max(low, high), chart.boot, width);
      return { "xaxis.tickvals": tickvals, "xaxis.ticktext": ticktext };
    };
    const first = label();
    layout.xaxis.tickvals = first["xaxis.tickvals"];
    layout.xaxis.ticktext = first["xaxis.ticktext"];
    await Plotly.newPlot(place, chart.figure.data, layout, {
      responsive: true, scrollZoom: false, displaylogo: false,
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
    });
    const go = (range) => Plotly.relayout(place, { "xaxis.range": range });
    place.on("plotly_relayout", (change) => {
      if (change["xaxis.tickvals"]) { return; }
      if (change["xaxis.autorange"]) { go(whole); return; }
      Plotly.relayout(place, label());
    });
    const act = {
      zoom_in: (a, b) => [a + (b - a) / 4, b - (b - a) / 4],
      zoom_out: (a, b) => [a - (b - a) / 2, b + (b - a) / 2],
      back: (a, b) => [a - (b - a) / 2, a + (b - a) / 2],
      forth: (a, b) => [a + (b - a) / 2, b + (b - a) / 2],
      all: () => whole,
    };
    for (const button of place.parentElement.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        const [a, b] = place._fullLayout.xaxis.range;
        go(act[button.dataset.act](a, b));
      });
    }
  }

  (async function () {
    for (const chart of page.charts) {
      await draw(chart, document.getElementById(chart.id));
    }
    document.body.dataset.ready = "yes";
  })();
})();
