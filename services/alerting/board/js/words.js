// What things are called, and how times and ages are written.

export const VITALS = [
  { key: "resp_rate", short: "RR", long: "Respirations", unit: "/min", names: ["resp_rate"] },
  { key: "spo2", short: "SpO₂", long: "Oxygen saturation", unit: "%", names: ["spo2"] },
  { key: "oxygen", short: "O₂", long: "Air or oxygen", unit: "", names: ["oxygen"] },
  { key: "sbp", short: "Sys", long: "Systolic pressure", unit: "mmHg", names: ["sbp"] },
  { key: "heart_rate", short: "Pulse", long: "Pulse", unit: "/min", names: ["heart_rate"] },
  { key: "consciousness", short: "Consc.", long: "Consciousness", unit: "", names: ["consciousness", "gcs"] },
  { key: "temperature", short: "Temp", long: "Temperature", unit: "°C", names: ["temperature"] },
];

export const SEVERITIES = ["critical", "high", "medium", "low"];

const SEVERITY_WORDS = { critical: "Critical", high: "Emergency", medium: "Urgent review", low: "Low" };
const BAND_WORDS = {
  high: "7 or more: emergency response",
  medium: "5 to 6: urgent response",
  low_medium: "3 in one parameter: urgent ward review",
  low: "0 to 4: ward monitoring",
};
const OLD_AFTER_S = 3600;

export const severityWord = (severity) => SEVERITY_WORDS[severity] ?? severity;
export const bandWord = (band) => BAND_WORDS[band] ?? "";
export const plain = (name) => name.replaceAll("_", " ");
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export const inClinicalUnits = (text) => text.replace("mm[Hg]", "mmHg").replace(/^gcs\b/, "GCS").replace(/^fio2\b/, "FiO₂").replace(/\bCel\b/, "°C");

export function shortValue(part) {
  const value = (part.value ?? "").replace(/^(gcs|avpu) /, "");
  if (part.name === "oxygen") return part.points ? "O₂" : "air";
  if (/^(alert)$/i.test(value)) return "A";
  const avpu = /^(new confusion|confusion|voice|pain|unresponsive)$/i.exec(value);
  if (avpu) return { n: "C", c: "C", v: "V", p: "P", u: "U" }[avpu[1][0].toLowerCase()];
  const number = /-?\d+(\.\d+)?/.exec(value);
  if (!number) return value;
  if (part.name === "temperature") return Number(number[0]).toFixed(1);
  return part.name === "consciousness" ? `G${number[0]}` : number[0];
}

export function ageSeconds(time, now) {
  return time ? Math.max(0, (now - Date.parse(time)) / 1000) : null;
}

export function ageWords(seconds) {
  if (seconds === null) return "never";
  if (seconds < 60) return "now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) {
    const minutes = Math.floor((seconds % 3600) / 60);
    return seconds < 36000 && minutes ? `${Math.floor(seconds / 3600)} h ${minutes}` : `${Math.floor(seconds / 3600)} h`;
  }
  return `${Math.floor(seconds / 86400)} d`;
}

export function agoWords(seconds) {
  const words = ageWords(seconds);
  return words === "now" ? "just now" : words === "never" ? words : `${words} ago`;
}

export const isOld = (seconds) => seconds === null || seconds > OLD_AFTER_S;

export function clockTime(time, withSeconds = false) {
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (withSeconds) options.second = "2-digit";
  return new Intl.DateTimeFormat("en-GB", options).format(new Date(time));
}

export function dayTime(time, now) {
  if (!time) return "time not known";
  const same = new Date(time).toDateString() === new Date(now).toDateString();
  if (same) return clockTime(time);
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" }).format(new Date(time));
  return `${day} ${clockTime(time)}`;
}

export function person(patient) {
  const parts = [];
  if (patient.age_years !== null && patient.age_years !== undefined) parts.push(`${patient.age_years} years`);
  if (patient.sex && patient.sex !== "unspecified") parts.push(patient.sex);
  return parts.join(", ");
}
