// Puts the board together: feed, list, detail, keys.

import { Actions } from "./actions.js";
import { Detail, TABS } from "./detail.js";
import { byId, h, shape, showIn } from "./dom.js";
import { Feed } from "./feed.js";
import { showHelp } from "./help.js";
import { listenToKeys } from "./keys.js";
import { Rows } from "./rows.js";
import { openAlerts, Store } from "./store.js";
import { capital, clockTime, SEVERITIES, severityWord } from "./words.js";

const THEME = "vigil.theme";
const store = new Store();
let selected = null;
let reasons = {};
let offset = 0; // the service's clock less this one's, milliseconds
let drawn = false;

const rows = new Rows(byId("list"), (key) => choose(key, true));
const actions = new Actions(byId("action"), () => {});
const detail = new Detail(byId("detail"), {});

const realNow = () => Date.now() + offset;

function draw() {
  drawn = false;
  const patients = store.ordered();
  const { now, replay } = store.now(realNow());
  if (selected && !patients.some((patient) => patient.patient_key === selected)) selected = null;
  if (!selected && patients.length && !narrow()) selected = patients[0].patient_key;
  rows.show(patients, selected, now);
  detail.show(store.get(selected), now, reasons);
  document.body.classList.toggle("has-detail", Boolean(selected) && location.hash.startsWith("#/patient/"));
  byId("empty").hidden = patients.length > 0;
  drawBar(patients, now, replay);
}

function redraw() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(draw);
}

function drawBar(patients, now, replay) {
  const wards = [...new Set(patients.map((patient) => patient.ward).filter(Boolean))];
  byId("census").textContent = `${wards.length === 1 ? `${wards[0]}, ` : ""}${patients.length} ${patients.length === 1 ? "patient" : "patients"}`;
  const open = patients.flatMap((patient) => patient.alerts);
  const firing = (severity) => open.filter((alert) => alert.state === "firing" && alert.severity === severity).length;
  const counts = SEVERITIES.slice(0, 3).map((severity) => [severity, firing(severity), severityWord(severity).toLowerCase(), severity]);
  counts.push(["acknowledged", open.filter((alert) => alert.state === "acknowledged").length, "acknowledged", "low"]);
  showIn(byId("tally"), counts.map(([icon, count, words, colour]) => h("li", { class: count ? `sev-${colour}` : "zero" }, shape(icon), h("b", { text: String(count) }), h("span", { text: words }))));
  byId("synthetic").hidden = !patients.some((patient) => patient.synthetic);
  byId("synthetic").textContent = replay ? `Synthetic ward, replayed: ${clockTime(now)}` : "Synthetic patients";
  const fire = counts[0][1] + counts[1][1];
  document.title = fire ? `(${fire}) Vigil` : "Vigil";
}

function choose(key, open) {
  selected = key;
  if (open && narrow()) location.hash = `#/patient/${key}`;
  draw(); // at once: a key that is pressed next is about this patient
}

function move(step) {
  const keys = store.ordered().map((patient) => patient.patient_key);
  if (!keys.length) return;
  const at = keys.indexOf(selected);
  selected = keys[Math.min(Math.max(at + step, 0), keys.length - 1)];
  draw();
  rows.scrollTo(selected);
}

const narrow = () => matchMedia("(width < 900px)").matches;

function act(what, alertId) {
  const patient = store.get(selected);
  const alert = patient && (alertId ? patient.alerts.find((candidate) => candidate.id === alertId) : openAlerts(patient)[0]);
  if (alert) actions.open(alert, what, reasons, patient.bed);
}

function announce(patient, alerts) {
  for (const alert of alerts) {
    byId("announcer").append(h("p", { text: `${severityWord(alert.severity)}, bed ${patient.bed || "unknown"}: ${alert.reason}` }));
    rows.mark(patient.patient_key);
  }
  while (byId("announcer").childElementCount > 5) byId("announcer").firstChild.remove();
}

function showHealth({ state, silentMs, heardAt }) {
  const stale = state === "stale";
  const seconds = Math.floor(silentMs / 1000);
  byId("feed").dataset.state = state;
  byId("feed-text").textContent = stale ? `Stale, ${seconds} s` : capital(state);
  document.body.classList.toggle("is-stale", stale);
  byId("stale").hidden = !stale;
  // The seconds count on screen only: a screen reader says the rest once.
  if (stale) showIn(byId("stale"), [h("span", { text: heardAt ? `Not live: what you see is from ${clockTime(heardAt, true)} and may have changed. Look at the patients.` : "Not live: no connection to Vigil. Look at the patients." }), h("span", { class: "silent", "aria-hidden": "true", text: `Silent for ${seconds} s` })]);
  byId("clock").textContent = clockTime(realNow(), true);
}

function showProblems(problems) {
  const words = Object.entries(problems).map(([name, reason]) => `${name}: ${reason}`);
  byId("problems").hidden = !words.length;
  byId("problems").textContent = words.length ? `New data may be missing. ${words.join("; ")}` : "";
}

function tick(data) {
  offset = Date.parse(data.now) - Date.now();
  redraw();
}

function listenToDetail() {
  byId("detail").addEventListener("click", (event) => {
    const button = event.target.closest("[data-act], [data-tab]");
    if (!button) return;
    const { act: what, alert, index, tab } = button.dataset;
    if (tab) return detail.openTab(tab);
    if (what === "close") return history.back();
    if (what === "again") return detail.openTab(document.querySelector(".tab[aria-selected=true]").dataset.tab);
    if (what === "note") return detail.openNote(button.dataset.note);
    if (what === "words") return detail.openNote(button.dataset.note, [button.dataset.span.split(" ").map(Number)]);
    if (what === "evidence") return detail.openEvidence(store.get(selected).alerts.find((candidate) => candidate.id === alert).evidence[Number(index)]);
    return act(what === "acknowledge" ? "ack" : "resolve", alert);
  });
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem(THEME, theme);
}

function listenToTools() {
  const preferred = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  document.documentElement.dataset.theme = localStorage.getItem(THEME) ?? preferred;
  const tools = {
    wall: () => byId("wall-button").setAttribute("aria-pressed", String(document.body.classList.toggle("wall"))),
    theme: () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
    help: () => showHelp(byId("help")),
  };
  for (const [name, run] of Object.entries(tools)) byId(`${name}-button`).addEventListener("click", run);
  return tools;
}

async function start() {
  const tools = listenToTools();
  listenToDetail();
  listenToKeys({
    ...tools,
    move,
    open: () => (narrow() ? choose(selected, true) : byId("detail").focus()),
    back: () => (location.hash.startsWith("#/patient/") ? history.back() : byId("list").focus()),
    acknowledge: () => act("ack"),
    resolve: () => act("resolve"),
    evidence: () => detail.openFirstEvidence(),
    tab: (index) => detail.openTab(TABS[index][0]),
  });
  new ResizeObserver(([bar]) => document.documentElement.style.setProperty("--bar", `${bar.target.offsetHeight}px`)).observe(document.querySelector(".bar"));
  addEventListener("hashchange", () => { if (narrow()) scrollTo(0, 0); redraw(); });
  const kept = /^#\/patient\/([0-9a-f]{1,64})$/.exec(location.hash);
  if (kept) selected = kept[1];
  new Feed("/board/stream", {
    snapshot: (data) => { for (const [patient, alerts] of store.replaceAll(data.patients)) announce(patient, alerts); tick(data); },
    patient: (data) => { announce(data.patient, store.put(data.patient)); tick(data); },
    heartbeat: (data) => { showProblems(data.problems ?? {}); tick(data); },
    health: showHealth,
  });
  const policy = await fetch("/policy").then((answer) => answer.json()).catch(() => ({ acknowledge_reasons: {} }));
  reasons = policy.acknowledge_reasons;
  byId("list").focus({ preventScroll: true });
  redraw();
}

start();
