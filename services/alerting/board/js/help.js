// What the keys do.

import { h } from "./dom.js";

const KEYS = [
  [["↑", "↓", "j", "k"], "Previous or next patient"],
  [["Enter"], "Into the patient's detail"],
  [["Esc"], "Back to the list"],
  [["a"], "Acknowledge the gravest alert"],
  [["r"], "Resolve the gravest alert"],
  [["e"], "Open its evidence"],
  [["1", "2", "3", "4", "5", "6"], "Trends, evidence, scores, notes with their codes, risks by the models, medications"],
  [["←", "→"], "In the text of a note: from one mark to the next, with what is known of it"],
  [["w"], "Wall view: large tiles, to read across a room"],
  [["t"], "Dark or light"],
  [["?"], "This help"],
];

export function showHelp(dialog) {
  const keys = KEYS.map(([names, words]) => [h("dt", {}, names.flatMap((name) => [h("kbd", { text: name }), " "])), h("dd", { text: words })]);
  dialog.replaceChildren(
    h("h2", { id: "help-title", text: "Keys" }),
    h("dl", { class: "keys" }, keys.flat()),
    h("p", { class: "about", text: "A small figure beside a value is its NEWS2 points; a dashed score is partial: something was missing, and the range says what it could be. Vigil supports, and does not replace, looking at the patient." }),
    h("form", { method: "dialog", class: "dialog-buttons" }, h("button", { class: "button primary", text: "Close" })),
  );
  dialog.showModal();
}
