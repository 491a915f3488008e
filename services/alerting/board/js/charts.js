// Vital signs over time: small SVG charts with units, time axis and the NEWS2 limits.

import { h, s } from "./dom.js";
import { clockTime } from "./words.js";

// limits: where NEWS2 gives 3 points (Royal College of Physicians, 2017); range: what the axis always shows.
const CHARTS = [
  { name: "news2", title: "NEWS2", unit: "of 20", low: null, high: 7, range: [0, 12], words: "≥ 7: emergency response" },
  { name: "resp_rate", title: "Respirations", unit: "/min", low: 8, high: 25, range: [6, 30] },
  { name: "spo2", title: "SpO₂", unit: "%", low: 91, high: null, range: [85, 100] },
  { name: "sbp", title: "Systolic pressure", unit: "mmHg", low: 90, high: 220, range: [80, 150] },
  { name: "heart_rate", title: "Pulse", unit: "/min", low: 40, high: 131, range: [40, 135] },
  { name: "temperature", title: "Temperature", unit: "°C", low: 35, high: null, range: [35, 39.5] },
  { name: "gcs", title: "Glasgow Coma Scale", unit: "", low: 14, high: null, range: [3, 15] },
];
const LABS = { lactate: "Lactate", wbc: "White cells", crp: "C-reactive protein", creatinine: "Creatinine", platelets: "Platelets", haemoglobin: "Haemoglobin" };
const UNITS = { "10*3/uL": "×10³/µL", "10*9/L": "×10⁹/L" };
const WIDTH = 320;
const HEIGHT = 118;
const BOX = { left: 30, right: 8, top: 8, bottom: 20 };
const HOUR = 3_600_000;
const MOST_HOURS = 24;

export function charts(series, trend, now) {
  const total = { name: "news2", unit: "", points: trend.map((point) => ({ at: point.at, value: point.total })) };
  const byName = new Map([...series, ...(trend.length ? [total] : [])].map((entry) => [entry.name, entry]));
  const known = CHARTS.filter((chart) => byName.has(chart.name)).map((chart) => [chart, byName.get(chart.name)]);
  const labs = Object.entries(LABS).filter(([name]) => byName.has(name)).map(([name, title]) => [{ name, title, unit: UNITS[byName.get(name).unit] ?? byName.get(name).unit, low: null, high: null, range: null }, byName.get(name)]);
  const shown = [...known, ...labs];
  if (!shown.length) return h("p", { class: "nothing", text: "No measurements of the last 24 hours." });
  return h("div", { class: "charts" }, shown.map(([chart, entry]) => figure(chart, entry.points, now)));
}

export function figure(chart, all, now) {
  const points = all.filter((point) => !point.out_of_range).map((point) => ({ at: Date.parse(point.at), value: point.value }));
  const last = points.at(-1);
  if (!last) return null;
  const end = Math.max(now, last.at);
  const begin = Math.max(Math.min(points[0].at, end - 2 * HOUR), end - MOST_HOURS * HOUR);
  const seen = points.filter((point) => point.at >= begin);
  const scale = scales(chart, seen.length ? seen : [last], begin, end);
  const values = seen.map((point) => point.value);
  const summary = `${chart.title}: now ${Number(last.value.toFixed(1))} ${chart.unit}, from ${Math.min(...values)} to ${Math.max(...values)} since ${clockTime(begin)}`;
  return h(
    "figure",
    { class: "chart" },
    h("figcaption", {}, h("span", { text: chart.title }), h("span", { class: "now" }, h("b", { text: String(Number(last.value.toFixed(1))) }), ` ${chart.unit}`, h("small", { text: clockTime(last.at) }))),
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary }, limits(chart, scale), grid(scale), line(seen, scale)),
  );
}

function scales(chart, points, begin, end) {
  const values = points.map((point) => point.value);
  const [low, high] = chart.range ?? [Math.min(...values) * 0.9, Math.max(...values) * 1.1 || 1];
  const bottom = Math.min(low, ...values);
  const top = Math.max(high, ...values);
  const pad = (top - bottom) * 0.05;
  const from = bottom - pad;
  const to = top + pad;
  return {
    begin, end, from, to,
    x: (at) => BOX.left + ((at - begin) / (end - begin)) * (WIDTH - BOX.left - BOX.right),
    y: (value) => HEIGHT - BOX.bottom - ((value - from) / (to - from)) * (HEIGHT - BOX.top - BOX.bottom),
  };
}

function limits(chart, scale) {
  const band = (from, to, at, words) => {
    const top = scale.y(Math.min(to, scale.to));
    const bottom = scale.y(Math.max(from, scale.from));
    if (bottom <= top) return [];
    return [
      s("rect", { class: "limit", x: BOX.left, y: top, width: WIDTH - BOX.left - BOX.right, height: bottom - top }),
      s("line", { class: "limit-line", x1: BOX.left, x2: WIDTH - BOX.right, y1: scale.y(at), y2: scale.y(at) }),
      s("text", { class: "limit-text", x: BOX.left + 4, y: bottom - top > 12 ? (top + bottom) / 2 + 3.5 : at === to ? top - 3 : bottom + 10, text: words }),
    ];
  };
  const below = chart.low === null ? [] : band(-Infinity, chart.low, chart.low, `≤ ${chart.low}: 3 points`);
  const above = chart.high === null ? [] : band(chart.high, Infinity, chart.high, chart.words ?? `≥ ${chart.high}: 3 points`);
  return s("g", {}, ...below, ...above);
}

function grid(scale) {
  const marks = [];
  for (const value of ticks(scale.from, scale.to)) {
    marks.push(s("line", { class: "grid", x1: BOX.left, x2: WIDTH - BOX.right, y1: scale.y(value), y2: scale.y(value) }));
    marks.push(s("text", { class: "tick", x: BOX.left - 5, y: scale.y(value) + 3.5, "text-anchor": "end", text: String(value) }));
  }
  const hours = (scale.end - scale.begin) / HOUR;
  const step = (hours > 12 ? 6 : hours > 5 ? 3 : 1) * HOUR;
  const offset = new Date(scale.end).getTimezoneOffset() * 60_000;
  for (let at = Math.ceil((scale.begin - offset) / step) * step + offset; at <= scale.end; at += step) {
    const x = scale.x(at);
    marks.push(s("line", { class: "tick-line", x1: x, x2: x, y1: HEIGHT - BOX.bottom, y2: HEIGHT - BOX.bottom + 4 }));
    if (x > BOX.left + 8 && x < WIDTH - 12) marks.push(s("text", { class: "tick", x, y: HEIGHT - 5, "text-anchor": "middle", text: clockTime(at) }));
  }
  return s("g", {}, ...marks);
}

function ticks(from, to) {
  const rough = (to - from) / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const values = [];
  for (let value = Math.ceil(from / step) * step; value <= to; value += step) values.push(Number(value.toFixed(3)));
  return values;
}

function line(points, scale) {
  const path = points.map((point, index) => `${index ? "L" : "M"}${scale.x(point.at).toFixed(1)} ${scale.y(point.value).toFixed(1)}`).join("");
  const last = points.at(-1);
  return s("g", {}, s("path", { class: "course", d: path }), last && s("circle", { class: "last", cx: scale.x(last.at), cy: scale.y(last.value), r: 3.5 }));
}
