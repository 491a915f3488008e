// What the board knows: patients by key, in order of urgency, and the time that ages are counted from.

import { SEVERITIES } from "./words.js";

const GONE = new Set(["discharged", "cancelled"]);
const REPLAY_BEHIND_MS = 10 * 60 * 1000;
const URGENCY = Object.fromEntries(SEVERITIES.map((name, index) => [name, SEVERITIES.length - index]));

export const isOpen = (alert) => alert.state === "firing" || alert.state === "acknowledged";

export class Store {
  #patients = new Map();
  #begun = false;

  // Each patient with the alerts that began to fire while the feed was away; none the first time.
  replaceAll(patients) {
    const begun = patients.map((patient) => [patient, this.put(patient)]);
    this.#patients = new Map(patients.map((patient) => [patient.patient_key, patient]));
    const wasAway = this.#begun;
    this.#begun = true;
    return wasAway ? begun : [];
  }

  // The alerts that are firing now and were not before: for the announcer.
  put(patient) {
    const before = this.#patients.get(patient.patient_key);
    this.#patients.set(patient.patient_key, patient);
    const firing = new Set((before?.alerts ?? []).filter((alert) => alert.state === "firing").map((alert) => alert.id));
    return patient.alerts.filter((alert) => alert.state === "firing" && !firing.has(alert.id));
  }

  get(key) {
    return this.#patients.get(key);
  }

  ordered() {
    const here = [...this.#patients.values()].filter((patient) => !GONE.has(patient.status));
    const ranked = here.map((patient) => [rank(patient), patient]);
    ranked.sort(([a, one], [b, other]) => b - a || bedOrder(one, other));
    return ranked.map(([, patient]) => patient);
  }

  // Generated wards replay hours in minutes: their ages count on the ward's own time, and the bar says so.
  now(real) {
    const patients = [...this.#patients.values()].filter((patient) => patient.as_of && patient.judged_at);
    if (!patients.length || !patients.every((patient) => patient.synthetic)) return { now: real, replay: false };
    const newest = patients.reduce((one, other) => (Date.parse(other.as_of) > Date.parse(one.as_of) ? other : one));
    const behind = Date.parse(newest.judged_at) - Date.parse(newest.as_of);
    return behind > REPLAY_BEHIND_MS ? { now: real - behind, replay: true } : { now: real, replay: false };
  }
}

export function openAlerts(patient) {
  const open = patient.alerts.filter(isOpen);
  return open.sort((a, b) => weight(b) - weight(a) || Date.parse(b.opened_at) - Date.parse(a.opened_at));
}

export const news2 = (patient) => patient.scores?.news2;

function weight(alert) {
  return URGENCY[alert.severity] * 2 - (alert.state === "acknowledged" ? 1 : 0);
}

function rank(patient) {
  const worst = Math.max(0, ...patient.alerts.filter(isOpen).map(weight));
  return worst * 100 + (news2(patient)?.total ?? 0);
}

function bedOrder(one, other) {
  const name = (patient) => `${patient.ward} ${patient.bed} ${patient.patient_key}`;
  return name(one).localeCompare(name(other), "en", { numeric: true });
}
