// A note with the words marked that an alert, a finding or a code rests on, and the codes proposed for it.

import { h } from "./dom.js";
import * as entities from "./entities.js";
import { ask } from "./evidence.js";
import { marked } from "./note_text.js";
import * as report from "./report.js";
import { capital, dayTime } from "./words.js";

const WITHHELD = {
  denied: "the note denies it",
  past: "past, not current",
  family: "a relative's, not the patient's",
  other: "somebody else's, not the patient's",
  hypothetical: "a condition that may come, not one that is",
  uncertain: "uncertain, and not coded outside a hospital stay",
};

const VERDICT = {
  supported: "supported by the note",
  unsupported: "no word of the note supports it",
  contradicted: "the note denies it, or tells it of somebody else, of the future or of the other side",
  missing: "documented, and assigned by nobody",
};

// Newest first; `opened` is the message id of the one that is shown.
export function list(notes, opened, now) {
  const buttons = notes.map((one) => h("li", {}, h("button", { type: "button", class: "evidence", "data-act": "note", "data-note": one.message_id, "aria-pressed": String(one.message_id === opened), text: `${capital(one.kind || "note")}, ${dayTime(one.event_time, now)}` })));
  return h("ul", { class: "evidences note-list", "aria-label": "Notes, newest first" }, buttons);
}

// spans: what to mark from the beginning, [start, end] in code points.
export async function open(patientKey, messageId, spans, now) {
  const found = await ask(`/evidence/notes/${encodeURIComponent(messageId)}`, patientKey);
  const warnings = [found.truncated && "Only the first part of this note was read.", found.degraded_reason && `Read by the dictionary alone: ${found.degraded_reason}`, found.abstained && `Not read: ${found.abstained}`].filter(Boolean);
  const findings = report.items(found.findings);
  const { text, mark } = marked(found, spans, findings);
  const first = found.codes.length + found.audit.length;
  const button = (one, place, parts) => h("button", { type: "button", class: "code", "aria-pressed": "false", "data-finding": one.label, onclick: (event) => show(event.currentTarget, text, first + place) }, parts);
  return [
    h("p", { class: "source", text: `${capital(found.kind || "note")} note, ${dayTime(found.event_time, now)}` }),
    ...warnings.map((warning) => h("p", { class: "warning", text: warning })),
    entities.legend(entities.withoutStatuses(found.entities), mark),
    text,
    report.section(findings, button),
    ...codes(found, text),
  ].filter(Boolean);
}

function codes(found, text) {
  const item = (code, index, words) => h("li", {}, h("button", { type: "button", class: "code", "aria-pressed": "false", "data-code": code.code, onclick: (event) => show(event.currentTarget, text, index) }, h("b", { text: code.code }), h("span", { class: "display", text: code.display }), h("small", { text: words }), h("small", { class: "rationale", text: code.rationale ? `Rests on: ${code.rationale}` : "" })));
  const items = found.codes.map((code, index) => item(code, index, about(code)));
  const audited = found.audit.map((result, index) => item(result, found.codes.length + index, verdict(result)));
  const selected = items.filter((_, index) => found.codes[index].selected);
  const withheld = items.filter((_, index) => !found.codes[index].selected);
  return [
    selected.length ? h("div", { class: "codes" }, h("h3", { text: "Codes proposed for this note; choose one to see its words" }), h("ul", {}, selected)) : null,
    withheld.length ? h("details", { class: "codes withheld" }, h("summary", { text: `Named in the note and not proposed (${withheld.length})` }), h("ul", {}, withheld)) : null,
    audited.length ? h("div", { class: "codes audit" }, h("h3", { text: "Codes that came with this note, held against it" }), h("ul", {}, audited)) : null,
    items.length || audited.length ? h("p", { class: "model", text: found.code_set_version }) : null,
  ].filter(Boolean);
}

const verdict = (result) => (result.suggested ? `less specific than documented: ${result.suggested} ${result.suggested_display}` : VERDICT[result.verdict]);

function about(code) {
  const facts = [];
  if (code.selected) facts.push(`${Math.round(code.score * 100)} %`);
  else facts.push(code.withheld === "excludes1" ? `may not stand beside ${code.excluded_by} (Excludes1)` : WITHHELD[code.withheld] ?? code.withheld);
  if (code.selected && code.experiencer === "family") facts.push("family history");
  else if (code.selected && code.temporality === "historical") facts.push("told in the history");
  if (code.selected && code.assertion === "possible") facts.push("uncertain in the note");
  if (!code.billable) facts.push("not billable as it stands");
  return facts.join(" · ");
}

// Mark the words of one code, and no longer those of the one before; a second press marks none.
function show(button, text, index) {
  const was = button.getAttribute("aria-pressed") === "true";
  for (const other of button.closest(".tab-body").querySelectorAll(".code")) other.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-pressed", String(!was));
  const own = [];
  for (const piece of text.querySelectorAll("[data-codes]")) {
    const on = !was && piece.dataset.codes.split(" ").includes(String(index));
    piece.classList.toggle("on", on);
    if (on) own.push(piece);
  }
  own[0]?.scrollIntoView({ block: "nearest" });
}
