// Making elements. Text is always set as text: nothing that was received is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

const SHAPES = {
  critical: "M7.5 1.5h9l6 6v9l-6 6h-9l-6-6v-9z",
  high: "M12 1.8 23 21.5H1z",
  medium: "M12 1 23 12 12 23 1 12z",
  low: "M3 3h18v18H3z",
  none: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16z",
  acknowledged: "m3 12.5 2.6-2.6 4.2 4.2L18.500 5.400 21 8 9.800 19.300z",
};

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function s(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

export function shape(name) {
  return s("svg", { class: "shape", viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: SHAPES[name] ?? SHAPES.low }));
}

export function byId(id) {
  return document.getElementById(id);
}

// Replace the children only when they differ, so that a patient's update does not take the focus or a selection away.
export function showIn(element, fresh) {
  const holder = document.createElement(element.tagName);
  holder.append(...[fresh].flat());
  if (holder.innerHTML === element.innerHTML) return false;
  element.replaceChildren(...holder.childNodes);
  return true;
}
