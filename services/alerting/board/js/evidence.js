// What an alert rests on, asked of the service: measurements, and a picture with its heat map.

import { h, s } from "./dom.js";
import { capital, dayTime, plain } from "./words.js";

const START_OPACITY = 55;
const BESIDE = { agree: "Agree", disagree: "Disagree", cannot_tell: "Cannot tell" };
const VERDICTS = { positive: "positive", negative: "negative", cannot_tell: "cannot tell" };
// Black through violet and orange to yellow; the darkest part is clear.
const COLOURS = [[20, 0, 40, 0], [120, 20, 120, 120], [235, 70, 50, 200], [255, 170, 30, 235], [255, 240, 120, 250]];

export async function get(path) {
  const answer = await fetch(path, { cache: "no-store" });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(capital(body.error ?? `the service answered ${answer.status}`));
  return body;
}

export const ask = (path, patientKey) => get(`${path}?patient=${encodeURIComponent(patientKey)}`);
export const trends = (patientKey) => get(`/patients/${encodeURIComponent(patientKey)}`);

export async function image(patientKey, evidence, now) {
  const id = encodeURIComponent(evidence.message_id || evidence.sop_instance_uid);
  const found = await ask(`/evidence/images/${id}`, patientKey);
  const address = (picture) => `/evidence/images/${id}/${picture}?patient=${encodeURIComponent(patientKey)}`;
  const what = [found.modality, capital(found.body_part.toLowerCase()), found.view_position].filter(Boolean).join(" ");
  return [
    h("p", { class: "source", text: `${what || "Image"}, ${dayTime(found.event_time, now)}` }),
    found.in_scope ? null : h("p", { class: "warning", text: `Outside the model's scope: ${found.scope_reason}` }),
    found.degraded_reason ? h("p", { class: "warning", text: `No model read it: ${found.degraded_reason}` }) : null,
    found.has_preview ? picture(address, found, what) : h("p", { class: "nothing", text: "There is no picture of it." }),
    findings(found),
    beside(found.comparisons),
    draft(found),
  ].filter(Boolean);
}

function picture(address, found, what) {
  const hasHeatmap = found.has_heatmap;
  const heat = h("canvas", { class: "heat", "aria-hidden": "true" });
  const frame = h("div", { class: "picture" }, h("img", { src: address("preview"), alt: `${what}, as displayed` }), hasHeatmap && heat, found.regions.map(outline));
  if (!hasHeatmap) return h("figure", {}, frame, h("figcaption", { text: "No heat map for this image." }));
  const show = (percent) => { heat.style.opacity = String(percent / 100); };
  const slider = h("input", { type: "range", min: "0", max: "100", value: String(START_OPACITY), "aria-label": "Opacity of the heat map", oninput: () => show(Number(slider.value)) });
  const toggle = h("input", { type: "checkbox", checked: true, onchange: () => { heat.hidden = !toggle.checked; } });
  show(START_OPACITY);
  paint(address("heatmap"), heat);
  return h("figure", {}, frame, h("figcaption", { class: "heat-controls" }, h("label", {}, toggle, " Heat map: where the model looked"), slider));
}

function outline({ label, box: [x0, y0, x1, y1] }) {
  const place = { x: x0 * 100, y: y0 * 100, width: (x1 - x0) * 100, height: (y1 - y0) * 100 };
  return s("svg", { class: "region", viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": `${capital(plain(label))}, outlined` }, s("rect", place));
}

async function paint(address, canvas) {
  const source = new Image();
  source.src = address;
  try {
    await source.decode();
  } catch {
    return;
  }
  canvas.width = source.naturalWidth;
  canvas.height = source.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(source, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const table = Array.from({ length: 256 }, (_, level) => colour(level / 255));
  for (let at = 0; at < pixels.data.length; at += 4) pixels.data.set(table[pixels.data[at]], at);
  context.putImageData(pixels, 0, 0);
}

function colour(level) {
  const place = level * (COLOURS.length - 1);
  const index = Math.min(Math.floor(place), COLOURS.length - 2);
  return COLOURS[index].map((from, channel) => Math.round(from + (COLOURS[index + 1][channel] - from) * (place - index)));
}

function findings(found) {
  if (!found.findings.length) return null;
  const bars = found.findings.map((finding) => {
    const percent = Math.round(finding.probability * 100);
    const bar = s("svg", { class: "probability", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { class: "all", width: 100, height: 8 }), s("rect", { class: finding.positive ? "positive" : "negative", width: percent, height: 8 }), s("rect", { class: "threshold", x: finding.threshold * 100 - 0.4, width: 0.8, height: 8 }));
    return h("li", { class: finding.positive ? "is-positive" : "" }, h("span", { text: capital(plain(finding.label)) }), bar, h("b", { text: `${percent} %`, title: range(finding) }), h("small", { text: VERDICTS[finding.verdict] ?? (finding.positive ? "positive" : "below threshold") }));
  });
  const model = `Model ${found.model.name}, version ${found.model.version} (${found.model.sha256.slice(0, 8)}). The line marks the operating point${asked(found)}.`;
  return h("div", { class: "findings" }, h("ul", {}, bars), h("p", { class: "model", text: model }));
}

// What the radiology report says of what the model read: one line a finding, which opens the report at its words.
function beside(comparisons) {
  if (!comparisons.length) return null;
  const lines = comparisons.map((one) => h("li", {}, h("button", { type: "button", class: "code", "data-act": one.spans.length ? "words" : "note", "data-note": one.note_message_id, "data-span": one.spans[0]?.join(" "), "data-verdict": one.verdict }, h("b", { text: BESIDE[one.verdict] }), h("span", { class: "display", text: capital(plain(one.label)) }), h("small", { text: both(one) }))));
  return h("div", { class: "codes" }, h("h3", { text: "The report beside the model; choose one to see its words" }), h("ul", {}, lines));
}

function both(one) {
  const where = (regions) => regions.length ? ` (${regions.map(plain).join(", ")})` : "";
  const image = one.image_verdict ? `, image ${VERDICTS[one.image_verdict]}${where(one.image_regions)}` : "";
  return `Report ${one.report_status}${where(one.report_regions)}${image}: ${one.reason}`;
}

function range({ low, high }) {
  return low === null || low === undefined ? "" : `Interval ${Math.round(low * 100)} to ${Math.round(high * 100)} %`;
}

function asked(found) {
  if (!found.operating_point || found.operating_point === "default") return "";
  return ` for ${plain(found.operating_point)}: ${found.operating_point_reason}`;
}

function draft(found) {
  if (!found.report.length) return null;
  return h("section", { class: "draft" }, h("h3", { text: "Report draft, preliminary" }), found.report.map((text) => h("p", { text })));
}
