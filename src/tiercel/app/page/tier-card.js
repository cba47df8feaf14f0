// One tier's last minute: how much, how fast, how late, how good, and who answered.

import { Figure } from "./figure.js";
import { make, told } from "./make.js";
import { meaning } from "./meanings.js";
import { askable } from "./tip.js";
import { count, estimate, estimates, perSecond, share } from "./units.js";

const KINDS = [
  ["model", "model"],
  ["cache", "cached"],
  ["template", "template"],
  ["policy", "policy"],
];
const FATES = [
  ["failed", "failed", true],
  ["late", "out of time", true],
  ["broken", "broken off", true],
  ["bug", "our fault", true],
  ["refused", "refused", false],
  ["left", "left by the caller", false],
];
// What counts as on time: the lowest bucket, a tenth of a millisecond.
const ON_TIME = 0.0001;
const SPARK = { width: 72, height: 20 };

/** The numbers of one tier; `show` takes the window and its steps. */
export class TierCard {
  constructor(tier, role) {
    this._tier = tier;
    this._where = { tier };
    this._figures = {};
    const nums = make(
      "dl",
      { class: "nums" },
      this._cell("rate", "requests", this._makeSpark()),
      this._cell("degraded", "degraded"),
      this._cell("firstWords", "first words p50 / p95"),
      this._cell("whole", "whole answer p50 / p95"),
      this._cell("overhead", "our overhead p50 / p95"),
      this._cell("late", "past the deadline"),
    );
    this._bar = document.createElement("rung-bar");
    this._fates = make("p", { class: "fates" });
    this._fateFigures = new Map();
    this._none = make("p", { class: "none", hidden: true });
    const name = tier[0].toUpperCase() + tier.slice(1);
    this._live = make("div", {}, nums, this._bar, this._fates);
    this.element = make(
      "section",
      { class: "card tier", "data-tier": tier, "aria-label": name },
      make("h2", {}, name, make("small", {}, role)),
      this._live,
      this._none,
    );
  }

  /** Show the window. */
  show(window, steps) {
    this._live.hidden = false;
    this._none.hidden = true;
    const where = this._where;
    const base = { tier: this._tier, seconds: window.seconds };
    const requests = window.grew("tiercel_requests_total", where);
    const answers = window.seen("tiercel_request_seconds", where);
    this._set("rate", perSecond(window.seconds ? requests / window.seconds : 0), { ...base, n: requests });
    this._set("degraded", share(window.grew("tiercel_degraded_total", where), answers), { ...base, n: answers });
    this._pair("firstWords", "tiercel_first_content_seconds", window, base);
    this._pair("whole", "tiercel_request_seconds", window, base);
    this._pair("overhead", "tiercel_overhead_seconds", window, base);
    this._lateness(window, base);
    this._rungs(window, base);
    this._showFates(window, base);
    this._line(steps, base);
  }

  /** Say why there is nothing to show. */
  rest(words) {
    this._live.hidden = true;
    this._none.hidden = false;
    this._none.textContent = words;
  }

  _cell(key, label, beside = null) {
    const shown = new Figure(key, { big: true, label: `${this._tier} ${label}` });
    this._figures[key] = shown;
    return make("div", {}, make("dt", {}, label), make("dd", {}, shown.element, beside));
  }

  _set(key, shown, context) {
    this._figures[key].set(shown, context);
  }

  _pair(key, metric, window, base) {
    const [low, high] = [0.5, 0.95].map((q) => window.quantile(metric, q, this._where));
    const n = window.seen(metric, this._where);
    this._set(key, estimates(low, high), { ...base, n });
  }

  _lateness(window, base) {
    const n = window.seen("tiercel_lateness_seconds", this._where);
    const late = n - window.within("tiercel_lateness_seconds", ON_TIME, this._where);
    const latest = late ? window.quantile("tiercel_lateness_seconds", 1, this._where) : null;
    const worst =
      latest === null ? "" : estimate({ ...latest, low: latest.high === Infinity ? latest.low : 0 }).join(" ");
    this._figures.late.element.classList.toggle("bad", late > 0);
    this._set("late", n ? [`${count(late)[0]} of ${count(n)[0]}`, ""] : ["–", ""], { ...base, worst });
  }

  _rungs(window, base) {
    const kinds = window.grewBy("kind", "tiercel_requests_total", { ...this._where, outcome: "ok" });
    for (const [kind, n] of window.grewBy("kind", "tiercel_requests_total", { ...this._where, outcome: "broken" })) {
      kinds.set(kind, (kinds.get(kind) ?? 0) + n);
    }
    const all = KINDS.reduce((sum, [kind]) => sum + (kinds.get(kind) ?? 0), 0);
    const parts = KINDS.map(([kind, name]) => {
      const value = kinds.get(kind) ?? 0;
      return { name, value, tone: kind, words: share(value, all).join(" ") };
    });
    this._bar.show(parts, { context: { ...base, n: all }, empty: `no answer in ${spanned(window)}` });
  }

  _showFates(window, base) {
    const fates = window.grewBy("outcome", "tiercel_requests_total", this._where);
    const shown = FATES.filter(([fate]) => fates.get(fate) > 0);
    for (const [fate, title] of shown) {
      if (!this._fateFigures.has(fate))
        this._fateFigures.set(fate, new Figure("fate", { label: `${this._tier} ${title}` }));
      this._fateFigures
        .get(fate)
        .set(count(fates.get(fate)), { ...base, fate, title: title[0].toUpperCase() + title.slice(1) });
    }
    const names = shown.map(([fate]) => fate).join();
    if (names === this._fated) return;
    this._fated = names;
    this._fates.replaceChildren(
      ...shown.map(([fate, title, bad]) => {
        const part = told(title, this._fateFigures.get(fate).element);
        if (bad) part.classList.add("bad");
        return part;
      }),
    );
  }

  _makeSpark() {
    const namespace = "http://www.w3.org/2000/svg";
    this._spark = document.createElementNS(namespace, "svg");
    this._spark.setAttribute("class", "spark");
    this._spark.setAttribute("viewBox", `0 0 ${SPARK.width} ${SPARK.height}`);
    this._spark.setAttribute("preserveAspectRatio", "none");
    this._spark.setAttribute("aria-hidden", "true");
    this._drawn = document.createElementNS(namespace, "polyline");
    this._spark.append(this._drawn);
    this._most = 0;
    askable(this._spark, () => meaning("spark", { ...this._base, most: perSecond(this._most).join(" ") }));
    return this._spark;
  }

  _line(steps, base) {
    this._base = base;
    const rates = steps.map((step) =>
      step.seconds > 0 ? step.grew("tiercel_requests_total", this._where) / step.seconds : 0,
    );
    this._most = Math.max(0, ...rates);
    const across = SPARK.width / Math.max(1, rates.length - 1);
    const up = this._most ? (SPARK.height - 2) / this._most : 0;
    const points = rates.map(
      (rate, index) => `${(index * across).toFixed(1)},${(SPARK.height - 1 - rate * up).toFixed(1)}`,
    );
    this._drawn.setAttribute("points", this._most ? points.join(" ") : "");
  }
}

/** The window in words. */
export function spanned(window) {
  return window.seconds ? `the last ${Math.max(1, Math.round(window.seconds))} s` : "the first second";
}
