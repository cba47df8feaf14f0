// Says where a number comes from: one tip for the whole page, shown on hover, on focus and on a tap, gone with Escape.

import { make } from "./make.js";

const sources = new WeakMap();
let shown = null;

/** Let this element be asked; `tell` returns {title, what, window, source} at the moment somebody asks. */
export function askable(element, tell) {
  element.dataset.askable = "";
  sources.set(element, tell);
  return element;
}

/** Write the tip again when the numbers under it moved. */
export function refreshTip() {
  if (shown !== null) show(shown);
}

/** Listen for people who ask. */
export function installTip() {
  const over = (event) => show(owner(event.target));
  document.addEventListener("pointerover", over);
  document.addEventListener("focusin", over);
  document.addEventListener("click", over);
  document.addEventListener("focusout", hide);
  document.addEventListener("pointerout", (event) => {
    // A number that has the focus keeps its tip when the pointer passes.
    if (owner(event.relatedTarget) === null) show(owner(document.activeElement));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  // A number that is reached by keys may scroll into sight first: its tip goes along.
  document.addEventListener("scroll", follow, { capture: true, passive: true });
}

function owner(target) {
  return target instanceof Element ? target.closest("[data-askable]") : null;
}

function hide() {
  if (shown !== null) shown.removeAttribute("aria-describedby");
  shown = null;
  document.getElementById("tip").hidden = true;
}

function follow() {
  if (shown !== null) place(document.getElementById("tip"), shown.getBoundingClientRect());
}

function show(element) {
  const tell = element === null || !element.isConnected ? undefined : sources.get(element);
  if (tell === undefined) {
    hide();
    return;
  }
  if (shown !== null && shown !== element) shown.removeAttribute("aria-describedby");
  shown = element;
  const { title, what, window, source } = tell();
  const facts = make("dl");
  if (window) facts.append(make("dt", {}, "window"), make("dd", {}, window));
  if (source) facts.append(make("dt", {}, "from"), make("dd", {}, source));
  const tip = document.getElementById("tip");
  tip.replaceChildren(
    make("p", {}, make("strong", {}, title), ` ${what}`),
    ...(facts.childElementCount ? [facts] : []),
  );
  tip.hidden = false;
  element.setAttribute("aria-describedby", "tip");
  place(tip, element.getBoundingClientRect());
}

/** Below the number where there is room, else above it; never outside the window. */
function place(tip, box) {
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.max(8, Math.min(box.left, innerWidth - width - 8));
  const below = box.bottom + 8;
  const top = below + height > innerHeight - 8 ? Math.max(8, box.top - height - 8) : below;
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}
