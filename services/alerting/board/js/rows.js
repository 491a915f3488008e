// The list of patients.

import { h, s, shape, showIn } from "./dom.js";
import { riskCell, spokenRisks } from "./risks.js";
import { news2, openAlerts } from "./store.js";
import { ageSeconds, ageWords, isOld, severityWord, shortValue, VITALS } from "./words.js";

const TREND_OVER_MS = 2 * 3600 * 1000;
const ARROWS = { up: "M3 13 13 3M6 3h7v7", down: "M3 3l10 10M6 13h7V6", level: "M2 8h12M10 4l4 4-4 4" };
const ARROW_WORDS = { up: "rising", down: "falling", level: "level" };

export function component(score, vital) {
  return score?.components.find((part) => vital.names.includes(part.name));
}

// The total against the one of about two hours ago.
export function trendOf(patient) {
  const points = patient.news2_trend ?? [];
  const last = points.at(-1);
  if (points.length < 2) return null;
  const from = Date.parse(last.at) - TREND_OVER_MS;
  const before = points.findLast((point) => Date.parse(point.at) <= from) ?? points[0];
  const change = last.total - before.total;
  return change > 0 ? "up" : change < 0 ? "down" : "level";
}

export function newestInput(patient) {
  const parts = Object.values(patient.scores ?? {}).flatMap((score) => score.components);
  const times = parts.map((part) => (part.measured_at ? Date.parse(part.measured_at) : 0));
  const newest = Math.max(0, ...times);
  return newest ? new Date(newest).toISOString() : patient.as_of;
}

export function newsTile(patient) {
  const score = news2(patient);
  if (!score || score.abstained) {
    return h("div", { class: "news", title: score?.abstained ?? "" }, h("b", { text: "–" }), h("span", { class: "partial", text: score ? "not applicable" : "no vitals" }));
  }
  const trend = trendOf(patient);
  const arrow = trend && s("svg", { class: "trend", viewBox: "0 0 16 16", role: "img", "aria-label": ARROW_WORDS[trend] }, s("path", { d: ARROWS[trend] }));
  const range = score.partial && h("span", { class: "partial", text: `partial ${score.lowest}–${score.highest}` });
  return h("div", { class: "news", "data-band": score.band, "data-partial": String(score.partial) }, h("b", { text: String(score.total) }), arrow, range);
}

export function vitalCell(part, vital, now) {
  const name = h("i", { text: vital.short });
  if (!part || part.missing) {
    const why = part?.missing_reason || "absent";
    return h("span", { class: "vital missing", title: `${vital.long}: ${why}` }, h("span", { text: why === "absent" ? "none" : why.replace("out_of_range", "invalid") }), name);
  }
  const age = ageSeconds(part.measured_at, now);
  const title = `${vital.long} ${part.value}, ${part.points} points, ${ageWords(age)} old`;
  const points = part.points > 0 && h("sup", { text: String(part.points), "aria-label": `${part.points} points` });
  return h("span", { class: "vital", "data-points": String(part.points), "data-old": String(isOld(age)), title }, h("span", { text: shortValue(part) }), points, name);
}

function sentence(patient) {
  const open = openAlerts(patient);
  if (!open.length) return null;
  const [worst] = open;
  const acknowledged = worst.state === "acknowledged";
  const label = h("span", { class: `label sev-${worst.severity}` }, shape(acknowledged ? "acknowledged" : worst.severity), h("span", { text: acknowledged ? `${severityWord(worst.severity)}, acknowledged` : severityWord(worst.severity) }));
  const more = open.length > 1 && h("span", { class: "more", text: `+${open.length - 1} more` });
  return h("p", { class: "say" }, label, h("span", { class: "sentence", text: worst.reason }), more);
}

function row(patient, now) {
  const score = news2(patient);
  const qsofa = patient.scores?.qsofa;
  const age = ageSeconds(newestInput(patient), now);
  const bed = patient.bed || "?";
  const cells = [
    h("div", { class: "bed" }, h("b", { class: bed.length > 3 ? "long" : "", text: bed }), h("span", { text: patient.ward })),
    newsTile(patient),
    h("div", { class: "vitals" }, VITALS.map((vital) => vitalCell(component(score, vital), vital, now))),
    h("span", { class: "q", "data-positive": String(qsofa?.band === "positive"), title: "qSOFA" }, qsofa && !qsofa.abstained ? String(qsofa.total) : "–"),
    riskCell(patient),
    h("span", { class: isOld(age) ? "age old" : "age", title: "Age of the newest vital sign", text: ageWords(age) }),
    sentence(patient),
  ];
  return cells.filter(Boolean);
}

function spoken(patient) {
  const score = news2(patient);
  const [worst] = openAlerts(patient);
  const parts = [`Bed ${patient.bed || "unknown"}`, score && !score.abstained ? `NEWS2 ${score.total}${score.partial ? ", partial" : ""}` : "no NEWS2"];
  parts.push(!worst ? "no open alert" : `${severityWord(worst.severity)}, ${worst.state}: ${worst.reason}`);
  parts.push(...spokenRisks(patient));
  return parts.join(". ");
}

// Keeps one element a patient, moves it when the order changes, and rewrites only what differs.
export class Rows {
  #elements = new Map();

  constructor(list, choose) {
    this.list = list;
    list.addEventListener("click", (event) => {
      const chosen = event.target.closest(".row");
      if (chosen) choose(chosen.dataset.key);
    });
  }

  show(patients, selected, now) {
    const keys = new Set(patients.map((patient) => patient.patient_key));
    for (const [key, element] of this.#elements) if (!keys.has(key)) this.#remove(key, element);
    patients.forEach((patient, index) => this.#place(this.#element(patient), patient, index, selected, now));
    this.list.setAttribute("aria-activedescendant", selected && keys.has(selected) ? `row-${selected}` : "");
  }

  mark(key) {
    const element = this.#elements.get(key);
    element?.classList.remove("fresh");
    requestAnimationFrame(() => element?.classList.add("fresh"));
  }

  scrollTo(key) {
    this.#elements.get(key)?.scrollIntoView({ block: "nearest" });
  }

  #remove(key, element) {
    element.remove();
    this.#elements.delete(key);
  }

  #element(patient) {
    const key = patient.patient_key;
    if (!this.#elements.has(key)) this.#elements.set(key, h("li", { class: "row", role: "option", id: `row-${key}`, "data-key": key }));
    return this.#elements.get(key);
  }

  #place(element, patient, index, selected, now) {
    const [worst] = openAlerts(patient);
    element.dataset.severity = worst?.severity ?? "none";
    element.dataset.firing = String(worst?.state === "firing");
    element.dataset.bed = patient.bed;
    element.setAttribute("aria-selected", String(patient.patient_key === selected));
    element.setAttribute("aria-label", spoken(patient));
    showIn(element, row(patient, now));
    if (this.list.children[index] !== element) this.list.insertBefore(element, this.list.children[index] ?? null);
  }
}
