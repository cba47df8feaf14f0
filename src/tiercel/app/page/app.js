// The page's beginning: which view the address names, the theme, and what is said when the server is gone.

import "./rung-bar.js";
import { AskView } from "./ask-view.js";
import { ComingView } from "./coming-view.js";
import { HealthView } from "./health-view.js";
import { make, say } from "./make.js";
import { Pulse } from "./pulse.js";
import { installTip, refreshTip } from "./tip.js";

const THEMES = ["system", "dark", "light"];
const KEY = "tiercel.theme";
const BACK_FOR_MS = 6000;

const pulse = new Pulse();
const frame = document.getElementById("view");
const links = [...document.querySelectorAll("#views a")];
const views = new Map([
  ["ask", new AskView(pulse)],
  ["health", new HealthView(pulse)],
]);
let current = null;

function view(name) {
  if (!views.has(name)) views.set(name, new ComingView(links.find((link) => link.hash === `#/${name}`).textContent));
  return views.get(name);
}

/** Show the view that the address names; an address that names none shows Ask. */
function show(focus) {
  const link = links.find((one) => one.hash === location.hash) ?? links.find((one) => one.hash === "#/ask");
  const next = view(link.hash.slice(2));
  if (next === current) return;
  current?.leave(frame);
  current = next;
  for (const one of links) {
    if (one === link) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  link.scrollIntoView({ block: "nearest", inline: "nearest" });
  document.title = `${next.title} · Tiercel`;
  frame.replaceChildren(...next.element);
  frame.scrollTop = 0;
  // Whoever reads by ear hears where they are; a view that wants to be typed into takes the focus after.
  if (focus) frame.querySelector("h1").focus();
  next.enter(frame);
  pulse.every(next.periodMs);
}

function followPulse() {
  const notice = document.getElementById("notice");
  const link = document.getElementById("link");
  const state = (name, words) => {
    link.dataset.state = name;
    say(link.lastElementChild, words);
  };
  pulse.addEventListener("beat", () => {
    state("live", location.host);
    if (notice.dataset.state === "gone") notice.replaceChildren();
    refreshTip();
  });
  pulse.addEventListener("back", (event) => {
    notice.dataset.state = "back";
    notice.replaceChildren(
      make(
        "p",
        {},
        make("strong", {}, "The server is back"),
        ` after ${Math.max(1, Math.round(event.detail / 1000))} s.`,
      ),
    );
    setTimeout(() => notice.dataset.state === "back" && notice.replaceChildren(), BACK_FOR_MS);
  });
  pulse.addEventListener("gone", () => {
    state("gone", "no answer");
    notice.dataset.state = "gone";
    const first = notice.querySelector("[data-gone]");
    const since = `for ${Math.max(1, Math.round((performance.now() - pulse.goneAt) / 1000))} s`;
    // Only the seconds change from try to try, and nobody needs to hear them counted.
    if (first) say(first, since);
    else notice.replaceChildren(goneWords(since));
  });
}

function goneWords(since) {
  const what = pulse.why || `no answer from ${location.origin}`;
  return make(
    "p",
    {},
    make("strong", {}, "The server is gone"),
    `: ${what} `,
    make("span", { "data-gone": "", "aria-live": "off" }, since),
    ". If it was stopped, start it again with ",
    make("code", {}, "tiercel up"),
    "; this page keeps trying and goes on by itself.",
  );
}

function installTheme() {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const name = () => say(button, `Theme: ${root.dataset.theme ?? "system"}`);
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % THEMES.length];
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
    remember(next);
    name();
  });
  name();
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch (error) {
    // Storage is forbidden here: the choice lasts as long as the page.
    if (!(error instanceof DOMException)) throw error;
  }
}

installTip();
installTheme();
followPulse();
addEventListener("hashchange", () => show(true));
show(false);
pulse.start();
