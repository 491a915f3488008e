// What the models say of a patient: how likely an event is, whereto that goes, and what drives it.

import { figure } from "./charts.js";
import { h } from "./dom.js";
import { agoWords, ageSeconds, capital, plain } from "./words.js";

const TITLES = { mortality: ["Death in hospital", "Death"], sepsis: ["Sepsis, now or within 6 hours", "Sepsis"] };
const TREND_OVER_MS = 4 * 3600 * 1000;
const NOTABLE = 0.02; // a change of probability that is worth a word
const SHOWN_MISSING = 12;

const titleOf = (risk) => TITLES[risk.name] ?? [capital(plain(risk.name)), capital(plain(risk.name))];
const isKnown = (risk) => risk.p !== null;

export function percent(p) {
  if (p < 0.01) return "<1 %";
  return p > 0.99 ? ">99 %" : `${Math.round(p * 100)} %`;
}

const interval = (risk) => `${percent(risk.low)} to ${percent(risk.high)}`;

// Against the probability of about four hours ago.
function direction(risk) {
  const last = risk.trend.at(-1);
  if (risk.trend.length < 2) return "";
  const from = Date.parse(last.at) - TREND_OVER_MS;
  const before = risk.trend.findLast((point) => Date.parse(point.at) <= from) ?? risk.trend[0];
  if (Math.abs(risk.p - before.p) < NOTABLE) return "level";
  return `${risk.p > before.p ? "up" : "down"} from ${percent(before.p)}`;
}

const ARROWS = { u: "↗", d: "↘", l: "→" };

function whyNot(risk) {
  if (risk.abstained) return `The model does not answer: ${risk.abstained}.`;
  return `No model answered: ${risk.degraded_reason || "not asked yet"}. The bedside scores hold without it.`;
}

// One narrow cell of the list.
export function riskCell(patient) {
  const lines = patient.risks.map((risk) => {
    const [long, short] = titleOf(risk);
    if (!isKnown(risk)) return h("span", { class: "none", title: `${long}: ${whyNot(risk)}` }, h("i", { text: short }), " –");
    const arrow = ARROWS[direction(risk)[0]];
    return h("span", { "data-alarm": String(risk.alarm), title: `${long}: ${percent(risk.p)}, ${interval(risk)}${risk.alarm ? ", over the model's operating point" : ""}` }, h("i", { text: short }), ` ${risk.alarm ? "▲ " : ""}${percent(risk.p)}`, arrow ? h("small", { text: arrow }) : null);
  });
  return h("div", { class: "risk" }, lines);
}

export function spokenRisks(patient) {
  return patient.risks.filter(isKnown).map((risk) => `${titleOf(risk)[0]} ${percent(risk.p)}${risk.alarm ? ", over the operating point" : ""}`);
}

// Above the tabs of the detail.
export function riskStrip(patient) {
  if (!patient.risks.length) return [];
  const facts = patient.risks.map((risk) => {
    const [long] = titleOf(risk);
    if (!isKnown(risk)) return h("span", { class: "none", title: whyNot(risk) }, `${long}: `, h("b", { text: risk.abstained ? "abstains" : "no model" }));
    return h("span", { "data-alarm": String(risk.alarm) }, `${long} `, h("b", { text: `${risk.alarm ? "▲ " : ""}${percent(risk.p)}` }), h("small", { text: ` ${[interval(risk), direction(risk)].filter(Boolean).join(", ")}` }));
  });
  return [h("p", { class: "risks", role: "group", "aria-label": "Risks by the models" }, facts)];
}

// The tab.
export function riskTab(patient, now) {
  if (!patient.risks.length) return h("p", { class: "nothing", text: "No model has been asked about this patient." });
  return h("div", { class: "risk-cards" }, patient.risks.map((risk) => card(risk, now)));
}

function card(risk, now) {
  const [title] = titleOf(risk);
  const head = isKnown(risk)
    ? h("h3", {}, `${title}: `, h("b", { text: percent(risk.p) }), h("small", { text: ` (${interval(risk)})` }))
    : h("h3", { text: title });
  return h(
    "section",
    { class: "risk-card", "data-risk": risk.name, "data-alarm": String(risk.alarm) },
    head,
    isKnown(risk) ? h("p", { class: "band", text: `${risk.alarm ? "▲ From" : "Below"} the model's operating point of ${percent(risk.operating_point)}. ${capital(direction(risk) || "no trend yet")}.` }) : h("p", { class: "warning", text: whyNot(risk) }),
    risk.trend.length > 1 ? figure(chartOf(risk, title), risk.trend.map((point) => ({ at: point.at, value: point.p * 100 })), now) : null,
    risk.drivers.length ? h("ol", { class: "drivers", "aria-label": "What drives it, the most first" }, risk.drivers.map(driver)) : null,
    risk.missing.length ? h("p", { class: "missing-list", text: `Not measured: ${listed(risk.missing)}.` }) : null,
    h("p", { class: "basis", text: `${[risk.model.name, risk.model.version].filter(Boolean).join(" ") || "no model"}, judged ${agoWords(ageSeconds(risk.as_of, now))}. For research; see the model's card.` }),
  );
}

const chartOf = (risk, title) => ({ name: risk.name, title, unit: "%", low: null, high: risk.operating_point * 100, range: [0, Math.min(100, Math.max(10, risk.operating_point * 150))], words: `alarm from ${percent(risk.operating_point)}` });

function driver(one) {
  const raises = one.weight > 0;
  return h("li", { "data-raises": String(raises) }, h("span", { class: "sign", "aria-label": raises ? "raises the risk" : "lowers the risk", text: raises ? "▲" : "▽" }), ` ${one.text}`);
}

function listed(names) {
  const more = names.length - SHOWN_MISSING;
  const shown = names.slice(0, SHOWN_MISSING).map(plain).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}
