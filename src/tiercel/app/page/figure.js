// A number that can be asked where it comes from; it is changed in place, so that it keeps the focus while it lives.

import { make, say } from "./make.js";
import { meaning } from "./meanings.js";
import { askable } from "./tip.js";

/** One number on the page: `element` goes into the view, `set` changes what it shows. */
export class Figure {
  constructor(key, { big = false, label = "" } = {}) {
    this._context = {};
    this._digits = make("span", { class: "digits" }, "–");
    this._unit = make("span", { class: "unit" });
    this._label = label;
    this.element = make(
      "button",
      { type: "button", class: big ? "figure big" : "figure", "data-figure": key },
      this._digits,
    );
    askable(this.element, () => meaning(key, this._context));
  }

  /** Show `[digits, unit]`; `context` is what the explanation speaks of (tier, window, counts). */
  set([digits, unit], context = {}) {
    this._context = context;
    say(this._digits, digits);
    say(this._unit, unit);
    if (unit && !this._unit.isConnected) this.element.append(this._unit);
    if (!unit) this._unit.remove();
    if (this._label) {
      const spoken = `${digits}${unit ? ` ${unit}` : ""} ${this._label}`;
      if (this.element.getAttribute("aria-label") !== spoken) this.element.setAttribute("aria-label", spoken);
    }
    return this;
  }
}

/** A figure that is known once and for all. */
export function figure(key, shown, context = {}, options = {}) {
  return new Figure(key, options).set(shown, context).element;
}
