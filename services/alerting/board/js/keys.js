// The board by keyboard.

const KEYS = {
  ArrowDown: ["move", 1], j: ["move", 1], ArrowUp: ["move", -1], k: ["move", -1], Home: ["move", -Infinity], End: ["move", Infinity],
  Enter: ["open"], Escape: ["back"], a: ["acknowledge"], r: ["resolve"], e: ["evidence"],
  1: ["tab", 0], 2: ["tab", 1], 3: ["tab", 2], 4: ["tab", 3], 5: ["tab", 4], 6: ["tab", 5], w: ["wall"], t: ["theme"], "?": ["help"],
};
// In the detail the arrows scroll, and Enter presses the button that has the focus.
const OF_THE_LIST = new Set(["ArrowDown", "ArrowUp", "Home", "End", "Enter"]);

export function listenToKeys(acts) {
  document.addEventListener("keydown", (event) => {
    const bound = KEYS[event.key];
    if (!bound || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]") || event.target.matches("input, textarea, select")) return;
    const elsewhere = event.target.closest("#detail, .tools");
    if (OF_THE_LIST.has(event.key) && elsewhere) return;
    event.preventDefault();
    acts[bound[0]](...bound.slice(1));
  });
}
