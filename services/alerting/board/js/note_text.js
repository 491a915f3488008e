// The text of a note with everything read in it: evidence, codes, findings of a report, entities.

import { h } from "./dom.js";
import * as entities from "./entities.js";
import { pieces } from "./marks.js";
import * as report from "./report.js";
import { withTip } from "./tip.js";

const ON_ONE_LINE = 24; // characters that stay together with their tag
const MOST_ENTITIES = 3000; // a text with more is a book, and no browser draws it at once

// The text with everything read in it marked, and a function that marks it anew without some types of entities.
export function marked(found, spans, findings) {
  const points = Array.from(found.text);
  const words = ([start, end]) => points.slice(start, end).join("");
  const shown = entities.withoutStatuses(found.entities).slice(0, MOST_ENTITIES);
  const ranges = [
    ...spans.map((span) => ({ span, kind: "evidence" })),
    ...[...found.codes, ...found.audit].flatMap((code, index) => code.spans.map((span) => ({ span, kind: "code", index, code }))),
    ...findings.flatMap((finding, place) => finding.spans.map((span, at) => ({ span, kind: "finding", index: found.codes.length + found.audit.length + place, finding, status: finding.statuses[at], tag: report.tag(finding, at, words(span)) }))),
    ...findings.flatMap((finding) => finding.mentions.flatMap((mention) => mention.details.map((detail) => ({ span: detail.span, kind: "detail", finding })))),
    ...shown.map((entity) => ({ span: entity.span, kind: "entity", entity })),
    ...shown.flatMap((entity) => entity.attributes.map((own) => ({ span: own.span, kind: "part", entity }))),
  ];
  const dressed = pieces(found.text, ranges).map((piece) => [piece.over.length ? h(piece.over.some((one) => one.kind === "evidence") ? "mark" : "span", { text: piece.text }) : piece.text, piece]);
  const body = h("div", { class: "note-text", tabindex: "0", "aria-label": "Text of the note" }, dressed.map(([element]) => element));
  const frame = h("div", { class: "note-frame" }, body);
  const displays = new Map([...found.codes, ...found.audit].map((code) => [code.code, code.display]));
  const told = new Map(dressed.filter(([, piece]) => piece.over.length));
  let hidden = entities.unmarked();
  const hide = withTip(frame, ".note-text > *", (target) => told.has(target) && about(told.get(target), hidden, displays));
  const mark = (without) => {
    hidden = without;
    hide();
    for (const [element, piece] of told) dress(element, piece, hidden);
    rove(body);
  };
  mark(hidden);
  body.addEventListener("keydown", (event) => step(event, body));
  return { text: frame, mark };
}

const isMarked = (hidden) => (one) => (one.kind === "entity" || one.kind === "part") && !hidden.has(one.entity.type);
// What a piece looks like where several lie over it: the longest, and a place of the body only where nothing else does.
const before = (one, other) => (one.entity.type === "anatomy") - (other.entity.type === "anatomy") || length(other) - length(one);
const length = ({ span: [start, end] }) => end - start;

// Each layer has a look of its own, so that one over another stays readable: codes and findings a line below, entities a
// ground, a tag and, by how sure they are, a line through or dots around.
function dress(element, piece, hidden) {
  const over = piece.over.filter(isMarked(hidden));
  const begin = piece.begin.filter((one) => one.kind === "entity" && over.includes(one));
  const [main] = over.filter((one) => one.kind === "entity").sort(before);
  const part = !main && over.find((one) => one.kind === "part");
  const owners = piece.over.map((one) => one.index).filter((index) => index !== undefined);
  const status = piece.over.find((one) => one.kind === "finding")?.status;
  const detail = !status && piece.over.some((one) => one.kind === "detail");
  const canStop = begin.length > 0 || piece.begin.some((one) => one.kind === "finding");
  const set = (name, value) => (value ? element.setAttribute(name, value) : element.removeAttribute(name));
  element.className = [owners.length && "coded", status && `finding is-${status}`, detail && "of-finding", main && "entity", begin.includes(main) && piece.text.length <= ON_ONE_LINE && "short", part && "part", element.classList.contains("on") && "on"].filter(Boolean).join(" ");
  set("data-codes", owners.join(" "));
  set("data-type", (main ?? part)?.entity.type);
  set("data-assertion", main && entities.look(main.entity));
  // What lies within another entity is told when asked for.
  set("data-tag", [begin.includes(main) && entities.tag(main.entity), ...piece.begin.map((one) => one.tag)].filter(Boolean).join(" · "));
  set("role", canStop && "button");
  set("tabindex", canStop && "-1");
}

const stops = (body) => [...body.querySelectorAll("[role=button]")];

// The marks are one stop of the Tab key; the arrows go from one to the next.
function rove(body) {
  const all = stops(body);
  if (all.length && !all.some((one) => one.tabIndex === 0)) all[0].tabIndex = 0;
}

function step(event, body) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
  const all = stops(body);
  const next = all[all.indexOf(document.activeElement) + by];
  event.preventDefault();
  if (!next) return;
  for (const one of all) one.tabIndex = one === next ? 0 : -1;
  next.focus();
}

// What is said of the words: entities first, then findings and codes that rest on them.
function about(piece, hidden, displays) {
  const shown = [...new Set(piece.over.filter(isMarked(hidden)).map((one) => one.entity))];
  const findings = [...new Set(piece.over.filter((one) => one.finding).map((one) => one.finding))];
  const coded = [...new Set(piece.over.filter((one) => one.code).map((one) => one.code))];
  return [
    ...shown.map((entity) => entities.about(entity, displays)),
    ...findings.map(report.about),
    ...coded.map((code) => h("p", {}, h("b", { text: code.code }), ` ${code.display}${code.withheld ? " (not proposed)" : ""}`)),
  ];
}
