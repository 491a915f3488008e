// A few words about what the pointer or the focus is on. They never take the focus, and Escape puts them away.

import { h } from "./dom.js";

const STAYS_MS = 200; // long enough to move the pointer onto the words
const GAP = 4;
let made = 0;

// frame: positioned element around the targets. describe(target): what to say of it; nothing when there is nothing.
export function withTip(frame, selector, describe) {
  const tip = h("div", { class: "tip", role: "tooltip", id: `tip-${(made += 1)}`, hidden: true });
  let told = null;
  let timer = 0;
  const hide = () => {
    clearTimeout(timer);
    told?.removeAttribute("aria-describedby");
    told = null;
    tip.hidden = true;
  };
  const show = (target) => {
    clearTimeout(timer);
    if (target === told) return;
    hide();
    const words = describe(target);
    if (!words?.length) return;
    told = target;
    tip.replaceChildren(...words);
    tip.hidden = false;
    place(tip, target, frame);
    target.setAttribute("aria-describedby", tip.id);
  };
  const focused = () => document.activeElement?.closest(selector);
  frame.addEventListener("pointerover", (event) => {
    if (tip.contains(event.target)) return clearTimeout(timer);
    const target = event.target.closest(selector);
    return target && show(target);
  });
  frame.addEventListener("pointerout", (event) => {
    if (event.pointerType === "touch") return; // a finger points no longer as soon as it has tapped
    clearTimeout(timer);
    timer = setTimeout(() => (focused() && frame.contains(focused()) ? show(focused()) : hide()), STAYS_MS);
  });
  frame.addEventListener("focusin", (event) => {
    const target = event.target.closest(selector);
    if (target) show(target);
  });
  frame.addEventListener("pointerdown", (event) => {
    if (!event.target.closest(selector) && !tip.contains(event.target)) hide();
  });
  frame.addEventListener("focusout", hide);
  frame.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || tip.hidden) return;
    hide();
    event.stopPropagation();
  });
  frame.append(tip);
  return hide;
}

function place(tip, target, frame) {
  const around = frame.getBoundingClientRect();
  const at = target.getClientRects()[0] ?? around;
  const room = Math.max(0, around.width - tip.offsetWidth);
  const above = at.bottom + GAP + tip.offsetHeight > innerHeight && at.top - tip.offsetHeight > innerHeight / 4;
  tip.style.left = `${Math.min(Math.max(0, at.left - around.left), room)}px`;
  tip.style.top = `${(above ? at.top - tip.offsetHeight - GAP : at.bottom + GAP) - around.top}px`;
}
