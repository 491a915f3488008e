// The selected patient: alerts with their reasons, what they rest on, trends and scores.

import { h, s, shape, showIn } from "./dom.js";
import * as evidence from "./evidence.js";
import { charts } from "./charts.js";
import * as medications from "./medications.js";
import * as notes from "./notes.js";
import { riskStrip, riskTab } from "./risks.js";
import { component, newsTile } from "./rows.js";
import { isOpen, news2, openAlerts } from "./store.js";
import { agoWords, ageSeconds, bandWord, capital, dayTime, inClinicalUnits, isOld, person, plain, severityWord, VITALS } from "./words.js";

export const TABS = [["trends", "Trends"], ["evidence", "Evidence"], ["scores", "Scores"], ["notes", "Notes"], ["risks", "Risks"], ["medications", "Medications"]];
const STAYING = new Set(["trends", "medications"]); // shown until what is newer has come
const REDRAWN_MS = 15 * 60 * 1000; // how far the clock goes before a line of time is drawn anew
const words = (statement) => inClinicalUnits(plain(statement));
const KINDS = { note: "Note", image: "Image", observation: "Measurement" };
const ICONS = { note: "M5 3h10l4 4v14H5zM8 11h8M8 15h8M8 7h4", image: "M3 4h18v16H3zM3 16l5-5 4 4 3-3 6 6M15 9h.01", observation: "M2 13h5l3-8 4 14 3-6h5" };

export class Detail {
  #key = null;
  #tab = "trends";
  #opened = null;
  #note = null; // message id of the note that was chosen; the newest when none was
  #words = []; // spans of it that were asked for
  #asked = "";
  #bringUp = false; // the next content that is shown was asked for: scroll to it

  // acts: {acknowledge(alert), resolve(alert), close()}
  constructor(element, acts) {
    this.element = element;
    this.acts = acts;
    this.parts = { head: h("header", { class: "head" }), alerts: h("div", { class: "alerts" }), risks: h("div"), tabs: h("div", { class: "tabs", role: "tablist", "aria-label": "What is known" }), body: h("div", { class: "tab-body", role: "tabpanel", id: "tab-body", tabindex: "0" }) };
  }

  show(patient, now, reasons) {
    this.patient = patient;
    this.now = now;
    this.reasons = reasons;
    if (!patient) {
      this.#key = null;
      this.element.replaceChildren(h("p", { class: "nothing", text: "Choose a patient to see the reason of an alert and what it rests on." }));
      return;
    }
    if (patient.patient_key !== this.#key) this.#begin(patient);
    showIn(this.parts.head, this.#head());
    showIn(this.parts.alerts, this.#alerts());
    showIn(this.parts.risks, riskStrip(patient));
    this.#showTabs();
    this.#showBody();
  }

  openTab(tab) {
    this.#tab = tab;
    this.#asked = "";
    if (this.patient) this.show(this.patient, this.now, this.reasons);
  }

  openEvidence(item) {
    this.#opened = item;
    this.#bringUp = true;
    this.openTab(item.kind === "observation" ? "trends" : "evidence");
  }

  openNote(messageId, spans = []) {
    this.#note = messageId;
    this.#words = spans;
    this.#bringUp = spans.length > 0;
    this.openTab("notes");
  }

  openFirstEvidence() {
    const items = openAlerts(this.patient ?? { alerts: [] }).flatMap((alert) => alert.evidence);
    const first = items.find((item) => item.kind !== "observation") ?? items[0];
    if (first) this.openEvidence(first);
  }

  #begin(patient) {
    this.#key = patient.patient_key;
    this.#opened = openAlerts(patient).flatMap((alert) => alert.evidence).find((item) => item.kind !== "observation") ?? null;
    this.#note = null;
    this.#words = [];
    this.#tab = "trends";
    this.#asked = "";
    this.element.replaceChildren(this.parts.head, this.parts.alerts, this.parts.risks, this.parts.tabs, this.parts.body);
    this.parts.body.replaceChildren();
    this.element.scrollTop = 0;
  }

  #head() {
    const { patient, now } = this;
    const score = news2(patient);
    const facts = [person(patient), patient.admitted_at && `admitted ${agoWords(ageSeconds(patient.admitted_at, now))}`, `key ${patient.patient_key.slice(0, 8)}`].filter(Boolean);
    return [
      h("button", { type: "button", class: "button back", "data-act": "close", text: "‹ All patients" }),
      h("h2", {}, h("small", { text: `${patient.ward || ""} bed`.trim() }), h("span", { text: patient.bed || "unknown" })),
      h("p", { class: "facts", text: facts.join(" · ") }),
      newsTile(patient),
      h("p", { class: "band" }, h("b", { text: "NEWS2" }), ` ${score?.abstained ? `does not apply: ${score.abstained}` : bandWord(score?.band)}`),
    ];
  }

  #alerts() {
    const open = openAlerts(this.patient);
    const over = this.patient.alerts.filter((alert) => !isOpen(alert));
    const cards = open.map((alert) => this.#card(alert));
    if (!open.length) cards.push(h("p", { class: "nothing calm" }, shape("none"), " No open alert."));
    if (over.length) cards.push(this.#earlier(over));
    return cards;
  }

  #card(alert) {
    const done = alert.state === "acknowledged";
    const given = alert.acknowledged;
    const reason = given && (this.reasons[given.reason] ?? plain(given.reason));
    const who = given && h("p", { class: "given" }, shape("acknowledged"), h("span", { text: `Acknowledged ${dayTime(given.at, Date.now())}${given.by ? ` by ${given.by}` : ""}: ${reason}${given.comment ? ` — ${given.comment}` : ""}` }));
    return h(
      "article",
      { class: "alert", "data-severity": alert.severity, "data-state": alert.state, "data-id": alert.id },
      h("p", { class: `label sev-${alert.severity}` }, shape(alert.severity), h("b", { text: severityWord(alert.severity) }), h("span", { class: "when", text: `since ${dayTime(alert.opened_at, this.now)}` })),
      h("p", { class: "reason", text: alert.reason }),
      who,
      h("footer", {}, evidenceList(alert), h("span", { class: "acts" }, h("button", { type: "button", class: "button", "data-act": "resolve", "data-alert": alert.id, text: "Resolve" }), h("button", { type: "button", class: done ? "button" : "button primary", "data-act": "acknowledge", "data-alert": alert.id, text: done ? "Acknowledge again" : "Acknowledge" }))),
      h("p", { class: "basis", title: alert.basis, text: alert.basis }),
    );
  }

  #earlier(alerts) {
    const items = alerts.map((alert) => h("li", {}, h("b", { text: capital(alert.state) }), ` ${dayTime(alert.resolved_at ?? alert.updated_at, this.now)} · ${alert.reason}`, alert.acknowledged ? h("span", { class: "given", text: ` (${this.reasons[alert.acknowledged.reason] ?? plain(alert.acknowledged.reason)}${alert.acknowledged.by ? `, ${alert.acknowledged.by}` : ""})` }) : null));
    const before = this.parts.alerts.querySelector("details.earlier");
    return h("details", { class: "earlier", open: before?.open }, h("summary", { text: `Earlier alerts (${alerts.length})` }), h("ul", {}, items));
  }

  #showTabs() {
    const tabs = TABS.map(([id, title], index) => h("button", { type: "button", role: "tab", class: "tab", "data-tab": id, "aria-selected": String(id === this.#tab), "aria-controls": "tab-body" }, title, h("kbd", { text: String(index + 1), "aria-hidden": "true" })));
    const { bed, scores } = this.patient;
    tabs.push(h("span", { class: "whose", "aria-hidden": "true", text: `Bed ${bed || "unknown"}` }, h("small", { text: ` · NEWS2 ${scores?.news2 && !scores.news2.abstained ? scores.news2.total : "–"}` })));
    showIn(this.parts.tabs, tabs);
  }

  // What a tab shows is asked for once, and again when what it rests on has changed.
  #showBody() {
    const { patient, now } = this;
    if (this.#tab === "scores") return void showIn(this.parts.body, scores(patient, now));
    if (this.#tab === "risks") return void showIn(this.parts.body, riskTab(patient, now));
    const known = () => patient.notes.map((one) => `${one.message_id}.${one.revision}`).join(" ");
    const of = { trends: () => patient.revision, evidence: () => `${this.#opened?.message_id} ${this.#opened?.statement}`, notes: () => `${this.#note} ${this.#words} ${known()}`, medications: () => `${Math.floor(now / REDRAWN_MS)} ${known()}` };
    const wanted = `${this.#tab} ${patient.patient_key} ${of[this.#tab]()}`;
    if (wanted === this.#asked) return;
    this.#asked = wanted;
    this.#load(wanted, patient.patient_key, now);
  }

  async #load(wanted, key, now) {
    const stays = STAYING.has(this.#tab) && this.parts.body.dataset.of === `${this.#tab} ${key}`;
    if (!stays) this.parts.body.replaceChildren(h("p", { class: "nothing", text: "Opening…" }));
    let content;
    try {
      content = await this.#content(key, now);
    } catch (error) {
      content = [h("p", { class: "warning", role: "status", text: `${error.message}.`.replace("..", ".") }), h("button", { type: "button", class: "button", "data-act": "again", text: "Try again" })];
    }
    if (wanted !== this.#asked) return;
    this.#place([content].flat());
    this.parts.body.dataset.of = `${this.#tab} ${key}`;
    if (!this.#bringUp) return;
    this.#bringUp = false;
    const bringUp = () => this.parts.body.scrollIntoView({ block: "start" });
    bringUp();
    this.parts.body.querySelector("mark")?.scrollIntoView({ block: "nearest" });
    this.parts.body.querySelector("img")?.addEventListener("load", bringUp);
  }

  // Into the tab; what had the focus has it again.
  #place(content) {
    const before = document.activeElement?.closest("#tab-body [data-id], #tab-body [data-view]");
    this.parts.body.replaceChildren(...content.filter(Boolean));
    if (!before) return;
    const same = [...this.parts.body.querySelectorAll("[data-id], [data-view]")].find((one) => one.dataset.id === before.dataset.id && one.dataset.view === before.dataset.view && one.dataset.ingredient === before.dataset.ingredient);
    same?.focus({ preventScroll: true });
  }

  async #content(key, now) {
    if (this.#tab === "trends") return charts((await evidence.trends(key)).series, this.patient.news2_trend ?? [], now);
    if (this.#tab === "notes") return this.#notes(key, now);
    if (this.#tab === "medications") return this.#medications(key, now);
    const item = this.#opened;
    if (!item) return h("p", { class: "nothing", text: "No note or image is named by an alert of this patient." });
    return item.kind === "note" ? notes.open(key, item.message_id, item.spans ?? [], now) : evidence.image(key, item, now);
  }

  async #notes(key, now) {
    const known = this.patient.notes;
    if (!known.length) return h("p", { class: "nothing", text: "No note of this patient has been read." });
    const opened = known.some((one) => one.message_id === this.#note) ? this.#note : known[0].message_id;
    return [notes.list(known, opened, now), ...(await notes.open(key, opened, opened === this.#note ? this.#words : [], now))];
  }

  async #medications(key, now) {
    const found = await medications.ask(key);
    const redraw = () => this.#place(medications.panel(found, now, redraw));
    return medications.panel(found, now, redraw);
  }
}

function evidenceList(alert) {
  if (!alert.evidence.length) return null;
  const measured = alert.evidence.filter((item) => item.kind === "observation").length;
  const button = (item, index, text) => h("li", {}, h("button", { type: "button", class: "evidence", "data-act": "evidence", "data-alert": alert.id, "data-index": String(index) }, s("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: ICONS[item.kind] ?? ICONS.note })), h("span", { text })));
  const items = alert.evidence.map((item, index) => item.kind === "observation" ? null : button(item, index, `${KINDS[item.kind] ?? capital(item.kind)}: ${words(item.statement)}`));
  const first = alert.evidence.findIndex((item) => item.kind === "observation");
  if (measured) items.push(button(alert.evidence[first], first, measured === 1 ? `Measurement: ${words(alert.evidence[first].statement)}` : `${measured} measurements`));
  return h("ul", { class: "evidences", "aria-label": "Evidence" }, items);
}

function scores(patient, now) {
  const shown = Object.entries(patient.scores ?? {}).map(([name, score]) => table(name, score, now));
  const syndromes = patient.syndromes.map((item) => h("li", {}, h("b", { text: capital(plain(item.name)) }), ` — ${item.sentence} (${item.sources.join(", ")}; ${item.basis})`));
  return [...shown, syndromes.length ? h("div", { class: "codes" }, h("h3", { text: "Read together" }), h("ul", {}, syndromes)) : null].filter(Boolean);
}

function table(name, score, now) {
  const title = { news2: "NEWS2", qsofa: "qSOFA", sirs: "SIRS", sofa: "SOFA" }[name] ?? name;
  if (score.abstained) return h("p", { class: "warning", text: `${title} does not apply: ${score.abstained}` });
  const range = score.partial ? ` (partial: it could be ${score.lowest} to ${score.highest})` : "";
  const rows = score.components.map((part) => {
    const age = ageSeconds(part.measured_at, now);
    const vital = VITALS.find((candidate) => candidate.names.includes(part.name));
    return h("tr", {}, h("th", { scope: "row", text: vital?.long ?? capital(plain(part.name)) }), h("td", { text: part.missing ? `missing: ${plain(part.missing_reason || "absent")}` : words(part.value) }), h("td", { class: "points" }, h("span", { "data-points": String(part.missing ? 0 : part.points), text: part.missing ? "–" : String(part.points) })), h("td", { class: isOld(age) ? "age old" : "age", text: part.measured_at ? agoWords(age) : "never" }));
  });
  const head = h("thead", {}, h("tr", {}, ["Parameter", "Value", "Points", "Measured"].map((text) => h("th", { scope: "col", text }))));
  return h("table", { class: "score" }, h("caption", {}, h("b", { text: `${title} ${score.total}` }), range), head, h("tbody", {}, rows));
}
