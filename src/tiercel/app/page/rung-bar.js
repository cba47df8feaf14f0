// The rung bar: at a glance, which rungs answered and in what shares, for a tier, an engine or one request.

import { make } from "./make.js";
import { meaning } from "./meanings.js";
import { askable } from "./tip.js";

/** `<rung-bar>`; `show` takes parts `{name, value, tone, words}`, of which those without value take no room. */
export class RungBar extends HTMLElement {
  constructor() {
    super();
    this._bar = make("button", { type: "button", class: "rungs" });
    this._key = make("div", { class: "key" });
    this._told = { key: "rungs", context: {} };
    for (const part of [this._bar, this._key]) askable(part, () => meaning(this._told.key, this._told.context));
  }

  connectedCallback() {
    if (!this._bar.isConnected) this.append(this._bar, this._key);
  }

  /** Show these parts; `empty` is what the bar says when there is nothing to show. */
  show(parts, { key = "rungs", context = {}, empty = "", legend = true } = {}) {
    this._told = { key, context };
    const seen = parts.filter((part) => part.value > 0);
    this._segments(seen);
    const words = seen.map((part) => `${part.name} ${part.words}`).join(", ") || empty;
    if (this._bar.getAttribute("aria-label") !== words) this._bar.setAttribute("aria-label", words);
    this._key.hidden = !legend;
    if (legend) this._legend(seen, empty);
  }

  _segments(parts) {
    while (this._bar.childElementCount > parts.length) this._bar.lastElementChild.remove();
    while (this._bar.childElementCount < parts.length) this._bar.append(make("i"));
    parts.forEach((part, index) => {
      const segment = this._bar.children[index];
      segment.dataset.tone = part.tone;
      segment.style.flexGrow = String(part.value);
    });
  }

  _legend(parts, empty) {
    const text = parts.map((part) => `${part.tone}:${part.name}:${part.words}`).join("|") || empty;
    if (this._shown === text) return;
    this._shown = text;
    const entry = (part) =>
      make("span", {}, make("i", { class: "swatch", "data-tone": part.tone }), part.name, make("b", {}, part.words));
    this._key.replaceChildren(...(parts.length ? parts.map(entry) : [empty]));
  }
}

customElements.define("rung-bar", RungBar);
