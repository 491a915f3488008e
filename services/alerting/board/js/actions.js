// Acknowledging and resolving: a reason, a comment, who; sent, and answered once it holds.

import { h } from "./dom.js";
import { capital } from "./words.js";

const WORDS = {
  ack: { title: "Acknowledge", about: "The alert stays open and is shown as acknowledged until the state is normal again." },
  resolve: { title: "Resolve", about: "The alert is closed now. It comes back if the state returns or gets worse." },
};
const BY = "vigil.by";

export class Actions {
  // done(alert): what the service answered.
  constructor(dialog, done) {
    this.dialog = dialog;
    this.done = done;
  }

  open(alert, what, reasons, bed) {
    const { title, about } = WORDS[what];
    const choices = Object.entries(reasons).map(([value, words], index) => h("label", { class: "choice" }, h("input", { type: "radio", name: "reason", value, required: true }), h("span", { text: words }), h("kbd", { text: String(index + 1), "aria-hidden": "true" })));
    this.error = h("p", { class: "dialog-error", role: "alert", hidden: true });
    this.send = h("button", { type: "submit", class: "button primary", text: title });
    const form = h(
      "form",
      { method: "dialog", onsubmit: (event) => this.#submit(event, alert, what), onkeydown: (event) => this.#number(event) },
      h("h2", { id: "action-title", text: `${title}, bed ${bed || "unknown"}` }),
      h("p", { class: "about", text: alert.reason }),
      h("fieldset", { class: "choices" }, h("legend", { text: "Reason" }), choices),
      h("label", { class: "field" }, h("span", { text: "Comment (optional)" }), h("textarea", { name: "comment", rows: "2", maxlength: "2000" })),
      h("label", { class: "field" }, h("span", { text: "Your role or initials (optional)" }), h("input", { name: "by", maxlength: "100", autocomplete: "off", value: localStorage.getItem(BY) ?? "" })),
      h("p", { class: "about", text: about }),
      this.error,
      h("div", { class: "dialog-buttons" }, h("button", { type: "button", class: "button", onclick: () => this.dialog.close(), text: "Cancel" }), this.send),
    );
    this.dialog.replaceChildren(form);
    this.dialog.showModal();
    form.querySelector("input[type=radio]").focus();
  }

  #number(event) {
    const typing = event.target.matches("textarea, input:not([type=radio])");
    const choice = !typing && this.dialog.querySelectorAll("input[type=radio]")[Number(event.key) - 1];
    if (choice) {
      choice.checked = true;
      choice.focus();
    }
    const sends = event.target.matches("input[type=radio]") || event.ctrlKey;
    if (event.key === "Enter" && sends) {
      event.preventDefault();
      this.dialog.querySelector("form").requestSubmit();
    }
  }

  async #submit(event, alert, what) {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(event.target));
    localStorage.setItem(BY, fields.by);
    this.send.disabled = true;
    try {
      const answer = await fetch(`/alerts/${encodeURIComponent(alert.id)}/${what}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(fields) });
      const body = await answer.json().catch(() => ({}));
      if (!answer.ok) throw new Error(capital(body.error ?? `the service answered ${answer.status}`));
      if (answer.status === 202) throw new Error("It is written and not applied yet; the board shows it when it is");
      this.dialog.close();
      this.done(body);
    } catch (error) {
      this.error.textContent = error instanceof TypeError ? "The service does not answer; nothing was changed." : `${error.message}.`;
      this.error.hidden = false;
    } finally {
      this.send.disabled = false;
    }
  }
}
