// What the notes of a patient say of each medication: a line of time for each ingredient, or a table; allergies first.

import { h, s } from "./dom.js";
import { howSure } from "./entities.js";
import { get } from "./evidence.js";
import { withTip } from "./tip.js";
import { agoWords, ageSeconds, capital, clockTime, dayTime, plain } from "./words.js";

const VIEW = "vigil.medications";
// By shape, for those too who see no colours.
const STATUSES = {
  started: { words: "started", path: "M3 1.500 14 8 3 14.500z" },
  continued: { words: "continued", path: "M8 2a6 6 0 1 0 0 12 6 6 0 0 0 0-12z" },
  changed: { words: "changed", path: "M8 1 15 8 8 15 1 8z" },
  stopped: { words: "stopped", path: "M2.500 2.500h11v11h-11z" },
  held: { words: "held", path: "M3 2h4v12H3zM9 2h4v12H9z" },
  allergy: { words: "allergy", path: "M8 1 15.500 14.500H.5z" },
  "": { words: "named", path: "M8 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z" },
};
const READ = {
  before: "from before Vigil kept medications, not in here",
  part: "read in part",
  names: "read without the entity model, so that what only the model knows is missing",
  nothing: "not read",
};
const CONFLICTS = new Set(["allergy", "allergy_denied", "status", "denied", "after_stop"]);
const OLD_AFTER_S = 24 * 3600; // a day without a note of a patient in hospital
const MOST_NAMED = 3;
const HOUR = 3_600_000;
const STEPS = [1, 2, 3, 6, 12, 24, 48, 168, 720, 2160, 8760].map((hours) => hours * HOUR);
const MOST_TICKS = 6;
const APART = 0.055; // of the line: two points nearer than this stand one below the other

export const ask = (patientKey) => get(`/patients/${encodeURIComponent(patientKey)}/medications`);

// view(name): which view was chosen, to show it.
export function panel(found, now, redraw) {
  const { notes } = found;
  if (!notes.standing) return [h("p", { class: "nothing", text: "No note of this patient has been read." })];
  const age = ageSeconds(notes.newest, now);
  const source = h("p", { class: age > OLD_AFTER_S ? "source old" : "source" }, `What ${notes.standing === 1 ? "one note says" : `${notes.standing} notes say`} of medications; the newest is of ${dayTime(notes.newest, now)}, ${agoWords(age)}.`);
  const warnings = Object.entries(READ).map(([read, text]) => warning(notes.not_whole.filter((note) => note.read === read), text, now));
  const rows = [...found.allergies, ...found.medications];
  if (!rows.length && !found.unnamed.length) return [source, ...warnings, h("p", { class: "nothing", text: "None of them names a medication." })];
  const asTable = localStorage.getItem(VIEW) === "table";
  const choose = (name, words) => h("button", { type: "button", class: "type", "aria-pressed": String(asTable === (name === "table")), "data-view": name, onclick: () => { localStorage.setItem(VIEW, name); redraw(); }, text: words });
  return [
    source,
    ...warnings,
    h("div", { class: "type-buttons", role: "group", "aria-label": "Shown as" }, choose("line", "By time"), choose("table", "As a table")),
    ...(asTable ? [table(found, now)] : [allergies(found.allergies, now), lines(found.medications, now)]),
    unnamed(found.unnamed, now),
    h("p", { class: "model", text: "From the words of notes alone: what was ordered or given is not known here. Choose a point to see its words." }),
  ];
}

function warning(notes, text, now) {
  if (!notes.length) return null;
  const named = notes.slice(-MOST_NAMED).map((note) => noteName(note, now)).join("; ");
  return h("p", { class: "warning", text: `${notes.length === 1 ? "One note is" : `${notes.length} notes are`} ${text}: ${notes.length > MOST_NAMED ? "… " : ""}${named}.` });
}

const noteName = (note, now) => `${capital(note.kind || "note")} note, ${dayTime(note.event_time, now)}`;
const said = (one, name) => one.attributes.filter((own) => own.name === name).map((own) => own.spoken || own.value).join(", ");
const regimen = (one) => ["dose", "route", "frequency", "duration"].map((name) => said(one, name)).filter(Boolean).join(" ");
const statusWords = (one) => STATUSES[one.status]?.words ?? plain(one.status);
const isTaken = (one) => ["started", "continued", "changed"].includes(one.status) || (!one.status && said(one, "dose") !== "");
const idOf = (one) => `${one.note.message_id} ${one.span[0]}`;

// The button that opens the words.
const words = (one, properties, ...children) => h("button", { type: "button", "data-act": "words", "data-note": one.note.message_id, "data-span": one.span.join(" "), "data-id": idOf(one), ...properties }, ...children);

const sureness = (one) => (one.assertion === "absent" ? "no" : howSure(one) ? "open" : "yes");

function glyph(one) {
  const { path } = STATUSES[one.status] ?? STATUSES[""];
  return s("svg", { class: "glyph", viewBox: "0 0 16 16", "aria-hidden": "true", "data-status": one.status || "named", "data-sure": sureness(one) }, s("path", { d: path }), one.assertion === "absent" ? s("path", { class: "through", d: "M0 16 16 0" }) : null);
}

function sentence(one, now) {
  const sure = howSure(one);
  return `${[capital(statusWords(one)), regimen(one)].filter(Boolean).join(", ")}${sure ? ` (${sure})` : ""}. ${noteName(one.note, now)}`;
}

function allergies(rows, now) {
  const none = h("p", { class: "nothing", text: "No note names an allergy to a medication." });
  const items = rows.map((row) => h("li", { "data-ingredient": row.name }, h("b", { text: capital(row.name) }), row.statements.map((one) => words(one, { class: "evidence" }, glyph(one), h("span", { text: [howSure(one) || "stated", noteName(one.note, now)].join(": ") }))), row.disagreements.map(disagreement)));
  return h("section", { class: "allergies" }, h("h3", { text: "Allergies" }), rows.length ? h("ul", {}, items) : none);
}

const disagreement = (one) => {
  const grave = CONFLICTS.has(one.kind);
  return h("p", { class: grave ? "disagrees grave" : "disagrees", "data-kind": one.kind }, h("b", { text: grave ? "⚠ Disagree: " : "≠ Differ: " }), one.sentence);
};

function lines(rows, now) {
  if (!rows.length) return h("p", { class: "nothing", text: "No note names a medication that is taken." });
  const scale = scaleOf(rows.flatMap((row) => row.statements), now);
  const axis = h("div", { class: "axis", "aria-hidden": "true" }, scale.ticks.map(([at, text]) => placed(h("span", { text }), scale.x(at))));
  const frame = h("div", { class: "lines" }, h("div", { class: "line head" }, h("span"), axis), rows.map((row) => line(row, scale, now)));
  const byId = new Map(rows.flatMap((row) => row.statements.map((one) => [`${row.name} ${idOf(one)}`, one])));
  withTip(frame, ".point", (point) => about(byId.get(`${point.dataset.ingredient} ${point.dataset.id}`), now));
  return h("section", { class: "medications" }, h("h3", { text: "Medications" }), frame, legend(rows));
}

function about(one, now) {
  const rows = [["Status", one.status && statusWords(one)], ["Product", one.product.includes(" + ") && one.product], ...["dose", "route"].map((name) => [capital(name), said(one, name)]), ["How often", said(one, "frequency")], ["For how long", said(one, "duration")], ["How sure", howSure(one) || "present"], ["Says", noteName(one.note, now)]];
  return [h("dl", {}, rows.filter(([, text]) => text).flatMap(([name, text]) => [h("dt", { text: name }), h("dd", { text })]))];
}

function legend(rows) {
  const used = new Set(rows.flatMap((row) => row.statements.map((one) => one.status)));
  return h("p", { class: "legend" }, Object.entries(STATUSES).filter(([status]) => used.has(status)).map(([status, { words: text }]) => h("span", {}, glyph({ status, assertion: "present", temporality: "current", experiencer: "patient" }), ` ${text}`)));
}

function line(row, scale, now) {
  const newest = row.statements.findLast((one) => regimen(one) || one.status) ?? row.statements.at(-1);
  const name = h("div", { class: "ingredient" }, h("b", { text: capital(row.name) }), h("small", { text: [regimen(newest), newest.status && statusWords(newest), howSure(newest)].filter(Boolean).join(" · ") || "named only" }));
  const lanes = [];
  const points = row.statements.map((one) => {
    const x = scale.x(Date.parse(one.at));
    let lane = lanes.findIndex((end) => end + APART <= x);
    if (lane < 0) lane = lanes.push(0) - 1;
    lanes[lane] = x;
    const point = placed(words(one, { class: "point", "data-ingredient": row.name, "data-lane": String(lane), "aria-label": `${capital(row.name)}: ${sentence(one, now)}` }, glyph(one)), x);
    point.style.top = `${lane * 1.55}rem`;
    return point;
  });
  const track = h("div", { class: "track" }, scale.ticks.map(([at]) => placed(h("i", { class: "tick-at" }), scale.x(at))), runs(row, scale), points);
  track.style.height = `${Math.max(1, lanes.length) * 1.55}rem`;
  return h("div", { class: "line", "data-ingredient": row.name }, name, track, row.disagreements.length ? h("div", { class: "disagreements" }, row.disagreements.map(disagreement)) : null);
}

// From a statement that it is taken to the next statement: after the last one nobody knows.
function runs(row, scale) {
  const held = row.statements.filter((one) => !howSure(one));
  return held.slice(0, -1).map((one, place) => {
    if (!isTaken(one)) return null;
    const from = scale.x(Date.parse(one.at));
    const run = placed(h("i", { class: "run" }), from);
    run.style.width = `${(scale.x(Date.parse(held[place + 1].at)) - from) * 100}%`;
    return run;
  });
}

function placed(element, x) {
  element.style.left = `${(x * 100).toFixed(2)}%`;
  return element;
}

function scaleOf(statements, now) {
  const times = statements.map((one) => Date.parse(one.at));
  const end = Math.max(now, ...times);
  const begin = Math.min(...times, end - 2 * HOUR);
  const step = STEPS.find((candidate) => (end - begin) / candidate <= MOST_TICKS) ?? end - begin;
  const offset = new Date(end).getTimezoneOffset() * 60_000;
  const ticks = [];
  for (let at = Math.ceil((begin - offset) / step) * step + offset; at <= end; at += step) ticks.push([at, step >= 24 * HOUR ? dayOf(at) : clockTime(at)]);
  return { x: (at) => (at - begin) / (end - begin), ticks };
}

const dayOf = (at) => new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" }).format(new Date(at));

function table(found, now) {
  const head = h("thead", {}, h("tr", {}, ["Medication", "Note", "Said", "Dose, route, how often", "How sure"].map((text) => h("th", { scope: "col", text }))));
  const cells = (one) => [h("td", {}, words(one, { class: "evidence", text: `${capital(one.note.kind || "note")}, ${dayTime(one.at, now)}` })), h("td", {}, glyph(one), ` ${statusWords(one)}`), h("td", { text: regimen(one) || "–" }), h("td", { text: howSure(one) || (one.status === "allergy" ? "stated" : "present") })];
  const name = (row) => h("th", { scope: "rowgroup", rowspan: String(row.statements.length), text: capital(row.name) });
  const disagreeing = (row) => (row.disagreements.length ? h("tr", { class: "odd" }, h("td", { colspan: "5" }, row.disagreements.map(disagreement))) : null);
  const body = [...found.allergies, ...found.medications].map((row) => h("tbody", { "data-ingredient": row.name }, row.statements.map((one, place) => h("tr", {}, place ? null : name(row), cells(one))), disagreeing(row)));
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Medications as a table" }, h("table", { class: "score statements" }, head, body));
}

function unnamed(statements, now) {
  if (!statements.length) return null;
  const items = statements.map((one) => h("li", {}, words(one, { class: "evidence" }, h("span", { text: `${noteName(one.note, now)}${regimen(one) ? `: ${regimen(one)}` : ""}` }))));
  return h("details", { class: "codes" }, h("summary", { text: `Read as a medication, of no known ingredient (${statements.length})` }), h("ul", { class: "evidences" }, items));
}
