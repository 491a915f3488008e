// What a radiology report says, label by label; its words are marked in the text by what they say.

import { h } from "./dom.js";
import { capital, plain } from "./words.js";

const STATUS = { positive: "Present", uncertain: "Uncertain", negative: "Absent" };
const NAMES = { laterality: "Side", position: "Tip" };
const ORDER = Object.keys(STATUS);

// Those with words in the text, what is there first. spans and statuses: of every mention, side by side.
export const items = (findings) =>
  findings
    .filter((finding) => finding.mentions.length)
    .map((finding) => ({ ...finding, spans: finding.mentions.map((one) => one.span), statuses: finding.mentions.map((one) => one.status) }))
    .sort((one, other) => ORDER.indexOf(one.status) - ORDER.indexOf(other.status));

// button: makes the button of an item from its place and what stands in it.
export function section(found, button) {
  if (!found.length) return null;
  const rows = found.map((one, place) => h("li", { class: `is-${one.status}` }, button(one, place, [h("b", { text: STATUS[one.status] ?? one.status }), h("span", { class: "display", text: capital(plain(one.label)) }), h("small", { text: said(one) })])));
  return h("div", { class: "codes report" }, h("h3", { text: "Findings of this report; choose one to see its words" }), h("ul", {}, rows), h("p", { class: "legend" }, Object.entries(STATUS).map(([status, word]) => h("span", { class: `finding is-${status}`, text: word.toLowerCase() }))));
}

// Before the words of a mention that do not name the finding themselves: "cardiomegaly absent" before "heart size is normal".
export function tag(finding, mention, words) {
  const name = plain(finding.label);
  return words.toLowerCase().includes(name) ? "" : `${name} ${STATUS[finding.statuses[mention]]?.toLowerCase() ?? ""}`.trimEnd();
}

// A finding for whoever points at its words: whether it is there, where, and what else is said of it.
export function about(finding) {
  const details = new Map(counting(finding).map((one) => [one.name, counting(finding).filter((other) => other.name === one.name)]));
  const rows = [...details].flatMap(([name, all]) => [h("dt", { text: NAMES[name] ?? capital(plain(name)) }), h("dd", { text: values(all).join(", ") })]);
  return h("section", { class: "about-finding" }, h("h4", {}, `Finding: ${capital(plain(finding.label))}`, h("span", { class: "sure", text: ` ${(STATUS[finding.status] ?? finding.status).toLowerCase()}` })), h("dl", {}, rows));
}

// Details of a finding where it has the status that counts, each thing once.
const counting = (finding) => finding.mentions.filter((one) => one.status === finding.status).flatMap((one) => one.details);
const values = (details) => [...new Set(details.map((one) => plain(one.value)))];

const said = (finding) => values(counting(finding)).join(" · ");
