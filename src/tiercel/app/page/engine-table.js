// The engines: which may be asked and which are left alone, why and for how long, and what came of the last tries.

import { Figure } from "./figure.js";
import { make, say } from "./make.js";
import { meaning, OUTCOMES } from "./meanings.js";
import { askable } from "./tip.js";
import { count, time } from "./units.js";

const FAILED = [
  "late",
  "unreachable",
  "rate_limited",
  "overloaded",
  "server_error",
  "malformed",
  "truncated",
  "wrong_shape",
  "auth",
  "missing",
];
const HEADS = [
  ["Engine", ""],
  ["Breaker", ""],
  ["Running", "num"],
  ["What came of it", ""],
  ["First word", "num"],
  ["Whole", "num"],
];
const SIZES = ["below 1 KiB", "1-4 KiB", "4-16 KiB", "16-64 KiB", "above"];

/** The table; rows stay the same elements as long as their engine is there. */
export class EngineTable {
  constructor() {
    this._rows = new Map();
    this._body = make("tbody");
    const heads = HEADS.map(([name, kind]) => make("th", { scope: "col", class: kind || undefined }, name));
    this._table = make(
      "table",
      {},
      make("caption", { class: "unseen" }, "Engines"),
      make("thead", {}, make("tr", {}, ...heads)),
      this._body,
    );
    this.element = make(
      "section",
      { class: "card engines", "aria-label": "Engines" },
      make("h2", {}, "Engines"),
      this._table,
    );
  }

  /** Show these engines and what the window knows of them. */
  show(engines, window) {
    const named = engines.filter((engine) => typeof engine?.name === "string");
    const names = named.map((engine) => engine.name);
    if (names.join("\n") !== this._names) {
      this._names = names.join("\n");
      const rows = new Map(names.map((name) => [name, this._rows.get(name) ?? new EngineRow(name)]));
      this._rows = rows;
      this._body.replaceChildren(...[...rows.values()].map((row) => row.element));
    }
    for (const engine of named) this._rows.get(engine.name).show(engine, window);
  }
}

class EngineRow {
  constructor(name) {
    this._name = name;
    this._about = make("small");
    this._state = askable(make("button", { type: "button", class: "figure plain" }), () =>
      meaning("breaker", { what: this._what }),
    );
    this._badge = make("span", { class: "badge" });
    this._why = make("small");
    this._state.append(this._badge);
    this._what = "";
    askable(this._why, () => meaning("breaker", { what: this._what }));
    this._running = new Figure("running", { label: `running at ${name}` });
    this._first = new Figure("p50", { label: `usual first word of ${name}` });
    this._whole = new Figure("p50", { label: `usual whole answer of ${name}` });
    this._bar = document.createElement("rung-bar");
    this.element = make(
      "tr",
      { "data-engine": name },
      make("td", { class: "name" }, make("b", {}, name), this._about),
      make("td", { class: "state" }, this._state, this._why),
      make("td", { class: "num", "data-label": "running" }, this._running.element),
      make("td", { class: "came" }, this._bar),
      make("td", { class: "num", "data-label": "first word" }, this._first.element),
      make("td", { class: "num", "data-label": "whole" }, this._whole.element),
    );
  }

  show(engine, window) {
    const model = String(engine.model ?? "");
    const kind = String(engine.kind ?? "");
    const about = [kind === this._name ? "" : kind, model === this._name || model === kind ? "" : model]
      .filter(Boolean)
      .join(" · ");
    say(this._about, about);
    this._about.title = about;
    this._breaker(engine);
    this._running.set(typeof engine.in_flight === "number" ? count(engine.in_flight) : ["–", ""]);
    this._usual(this._first, engine.p50_first_ms, true);
    this._usual(this._whole, engine.p50_whole_ms, false);
    this._came(window);
  }

  _breaker(engine) {
    const breakers = Array.isArray(engine.breakers) ? engine.breakers : [];
    const probing = breakers.some((breaker) => breaker.probing);
    const left = Math.max(0, ...breakers.map((breaker) => Number(breaker.until_in_s ?? 0)));
    const state = engine.state ?? (breakers.length === 0 ? "closed" : left > 0 ? "open" : "half_open");
    const word = { closed: "closed", open: "open", half_open: "half open" }[state] ?? String(state);
    const reasons = breakers
      .map((breaker) => String(breaker.failure ?? "").replaceAll("_", " "))
      .filter(Boolean)
      .join(", ");
    const until =
      left > 0
        ? `asked again in ${left.toFixed(1)} s`
        : probing
          ? "one request tries it now"
          : "the next request tries it";
    say(this._badge, word);
    this._badge.className = `badge ${state === "closed" ? "ok" : state === "open" ? "bad" : "warn"}`;
    say(this._why, breakers.length ? [reasons, until].filter(Boolean).join("; ") : "");
    this._state.setAttribute(
      "aria-label",
      `breaker of ${this._name}: ${word}${reasons ? `, ${reasons}, ${until}` : ""}`,
    );
    this._what = breakers.length
      ? `${word}: ${breakers.map(told).join(" ")} Until then nobody waits for it; ${until}.`
      : "Closed: it may be asked.";
  }

  _usual(shown, times, first) {
    const list = Array.isArray(times) ? times : [];
    const known = list.find((ms) => typeof ms === "number");
    const sizes = list
      .map((ms, index) => `${SIZES[index] ?? "?"}: ${typeof ms === "number" ? time(ms).join(" ") : "–"}`)
      .join("; ");
    shown.set(known === undefined ? ["–", ""] : time(known), { first, sizes: sizes || "nothing yet" });
  }

  _came(window) {
    const where = { engine: this._name };
    const tries = window.grewBy("outcome", "tiercel_attempts_total", where);
    const skips = window.grewBy("reason", "tiercel_skipped_total", where);
    const part = (name, value, tone) => ({ name: name.replaceAll("_", " "), value, tone, words: count(value)[0] });
    const parts = [
      part("ok", tries.get("ok") ?? 0, "ok"),
      ...FAILED.map((outcome) => part(outcome, tries.get(outcome) ?? 0, "lost")),
      part("lost_race", tries.get("lost_race") ?? 0, "skipped"),
      ...[...skips].map(([reason, value]) => part(`not asked: ${reason}`, value, "skipped")),
    ];
    const n = [...tries.values()].reduce((sum, value) => sum + value, 0);
    this._bar.show(parts, {
      key: "attempts",
      context: { engine: this._name, seconds: window.seconds, n },
      empty: "not asked",
    });
  }
}

function told(breaker) {
  return OUTCOMES[breaker.failure] ?? `${breaker.failure}.`;
}
