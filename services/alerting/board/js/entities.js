// Entities of a note: how they are called, marked and described, and which types are marked.

import { h } from "./dom.js";
import { capital, plain } from "./words.js";

// tag: stands before the words, so that no type is told by its colour alone.
export const TYPES = {
  medication: { tag: "Rx", name: "Medication", names: "Medications" },
  sign_symptom: { tag: "Sx", name: "Sign or symptom", names: "Signs, symptoms" },
  disease: { tag: "Dx", name: "Disease", names: "Diseases" },
  procedure: { tag: "Pr", name: "Procedure", names: "Procedures" },
  test: { tag: "Te", name: "Test", names: "Tests" },
  anatomy: { tag: "An", name: "Part of the body", names: "Parts of the body" },
};
// How it reads, where that is not present, now and of the patient: [what stands in the tag, words].
const READINGS = {
  absent: ["no", "denied"],
  possible: ["?", "possible"],
  conditional: ["if", "under a condition"],
  hypothetical: ["if", "may come"],
  historical: ["past", "in the past"],
  family: ["family", "of a relative"],
  other: ["other", "of another person"],
  allergy: ["allergy", "allergy"],
};
const FACTS = { status: "Status", dose: "Dose", route: "Route", frequency: "How often", duration: "For how long", value: "Result", severity: "Severity", laterality: "Side" };
const KEPT = "vigil.unmarked";

// What one is allergic to reads as conditional: it is an allergy, and nothing depends.
const isAllergy = (one) => (one.status ?? one.attributes.find((own) => own.name === "status")?.value) === "allergy";

// As it is drawn.
export const look = (one) => (isAllergy(one) && one.assertion === "conditional" ? "present" : one.assertion);

const readings = (one) => [one.experiencer, one.temporality, isAllergy(one) && one.assertion === "conditional" ? "allergy" : one.assertion].filter((name) => name in READINGS);

export const type = (one) => TYPES[one.type] ?? { tag: "·", name: capital(plain(one.type)), names: capital(plain(one.type)) };
export const tag = (one) => [type(one).tag, ...readings(one).map((name) => READINGS[name][0])].join(" ");
export const howSure = (one) => readings(one).filter((name) => name !== "allergy").map((name) => READINGS[name][1]).join(", ");

// Statuses (codes of chapter 21) stand over what they are about: "Aspirin 81" is a long-term use of it. The codes tell them.
export function withoutStatuses(all) {
  const others = all.filter((one) => !one.code.startsWith("Z") && one.type !== "anatomy").sort((one, other) => one.span[0] - other.span[0]);
  const covers = (one) => {
    let [low, high] = [0, others.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (others[middle].span[1] <= one.span[0]) low = middle + 1;
      else high = middle;
    }
    return others[low]?.span[0] < one.span[1];
  };
  return all.filter((one) => !one.code.startsWith("Z") || !covers(one));
}

// The types that this person wants unmarked, kept from visit to visit.
export const unmarked = () => new Set((localStorage.getItem(KEPT) ?? "").split(" ").filter((name) => name in TYPES));
export const keepUnmarked = (names) => localStorage.setItem(KEPT, [...names].join(" "));

// [name, words] of what is known of an entity. displays: names of codes.
export function facts(one, displays) {
  const said = Object.entries(FACTS).map(([name, title]) => [title, one.attributes.filter((own) => own.name === name).map((own) => withUnit(own, one)).join(", ")]);
  return [
    [one.type === "medication" ? "Ingredient" : "Name", one.name && (one.concept ? `${one.name} (${one.concept})` : one.name)],
    ...said,
    ["Code", one.code && [one.code, displays.get(one.code)].filter(Boolean).join(" ")],
  ].filter(([, words]) => words);
}

// A result as written mostly has its unit.
function withUnit(own, one) {
  const unit = own.name === "value" && one.attributes.find((other) => other.name === "unit")?.value;
  const words = own.spoken || own.value;
  return unit && !words.includes(unit) ? `${words} ${unit}` : words;
}

export function about(one, displays) {
  const sure = howSure(one) || "present";
  return h(
    "section",
    { class: "about-entity", "data-type": one.type },
    h("h4", {}, h("b", { class: "tag", "data-type": one.type, "aria-hidden": "true", text: type(one).tag }), ` ${type(one).name}`, h("span", { class: "sure", text: ` ${sure}` })),
    h("dl", {}, facts(one, displays).flatMap(([name, words]) => [h("dt", { text: name }), h("dd", { text: words })])),
  );
}

// Buttons that mark and unmark a type; change(hidden) when one was pressed. Nothing for a note without entities.
export function legend(entities, change) {
  if (!entities.length) return null;
  const hidden = unmarked();
  const count = (name) => entities.filter((one) => one.type === name).length;
  const present = Object.keys(TYPES).filter((name) => count(name));
  const buttons = present.map((name) => h("button", { type: "button", class: "type", "data-type": name, "aria-pressed": String(!hidden.has(name)), onclick: (event) => toggle([name], event.currentTarget.getAttribute("aria-pressed") === "true") }, h("b", { class: "tag", "data-type": name, "aria-hidden": "true", text: TYPES[name].tag }), h("span", { text: TYPES[name].names }), h("small", { text: String(count(name)) })));
  const all = h("button", { type: "button", class: "type all", onclick: () => toggle(present, present.some((name) => !hidden.has(name))) });
  const say = () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.type)));
    all.textContent = present.some((name) => !hidden.has(name)) ? "Unmark all" : "Mark all";
  };
  const toggle = (names, off) => {
    for (const name of names) off ? hidden.add(name) : hidden.delete(name);
    keepUnmarked(hidden);
    say();
    change(hidden);
  };
  say();
  const sample = (assertion, words) => h("span", { class: "entity", "data-assertion": assertion, text: words });
  return h(
    "div",
    { class: "types" },
    h("div", { role: "group", "aria-label": "What is marked in the text", class: "type-buttons" }, buttons, all),
    h("p", { class: "legend" }, sample("present", "present"), sample("absent", "denied"), sample("possible", "possible"), h("span", { text: "past, family, if: said before the words" }), h("span", { class: "coded", text: "a code rests on it" })),
  );
}
