// Health: the last minute of every tier and engine, read once a second and compared in the browser.

import { EngineTable } from "./engine-table.js";
import { Figure } from "./figure.js";
import { make, say, told } from "./make.js";
import { meaning } from "./meanings.js";
import { commandLine, shellLine } from "./shell-lines.js";
import { spanned, TierCard } from "./tier-card.js";
import { askable } from "./tip.js";
import { count, estimate, perSecond } from "./units.js";

const ROLES = [
  ["gold", "decisions"],
  ["silver", "dialogue"],
  ["bronze", "expert jobs"],
];
const DIRECT = { tier: "none" };

/** The view; it follows the pulse while it is shown. */
export class HealthView {
  constructor(pulse) {
    this.title = "Health";
    this.periodMs = 1000;
    this._pulse = pulse;
    this._cards = new Map(ROLES.map(([tier, role]) => [tier, new TierCard(tier, role)]));
    this._engines = new EngineTable();
    this._span = askable(make("p", { class: "span" }), () => meaning("span", pulse.window()));
    this._inside = new Figure("inside", { label: "requests in flight" });
    this._direct = new DirectLine();
    this._shown = false;
    this.element = this._build();
    for (const event of ["beat", "gone"]) pulse.addEventListener(event, () => this._follow());
  }

  enter() {
    this._shown = true;
    this._follow();
  }

  leave() {
    this._shown = false;
  }

  _build() {
    const { origin } = location;
    this._inner = make(
      "div",
      { class: "health" },
      make("div", { class: "tiers" }, ...[...this._cards.values()].map((card) => card.element)),
      this._direct.element,
      this._engines.element,
      make(
        "details",
        { class: "lines" },
        make("summary", {}, "The same from a shell"),
        shellLine(commandLine(origin, "engines"), "the command line"),
        shellLine(`curl -s ${origin}/metrics | grep ^tiercel_requests_total`, "the curl line"),
      ),
    );
    const acts = make("div", { class: "acts" }, told("in flight", this._inside.element));
    return [make("header", {}, make("h1", { tabindex: "-1" }, "Health"), this._span, acts), this._inner];
  }

  _follow() {
    if (!this._shown) return;
    const pulse = this._pulse;
    this._inner.toggleAttribute("data-stale", pulse.state === "gone");
    const window = pulse.window();
    if (pulse.state === "gone") {
      const age =
        pulse.lastAt === null ? "" : `; these are from ${Math.round((performance.now() - pulse.lastAt) / 1000)} s ago`;
      say(this._span, `no new figures${age}`);
      this._inside.set(["–", ""]);
      return;
    }
    say(
      this._span,
      pulse.state === "starting"
        ? "waiting for the first figures"
        : window.seconds
          ? `${spanned(window)}, read once a second`
          : "just opened; the window fills as it goes",
    );
    if (pulse.state === "live") this._show(window);
  }

  _show(window) {
    const steps = this._pulse.steps();
    const last = this._pulse.history[this._pulse.history.length - 1];
    const built = new Set(this._pulse.models.map((model) => model.id));
    for (const [tier, card] of this._cards) {
      if (built.has(tier) || window.grew("tiercel_requests_total", { tier }) > 0) card.show(window, steps);
      else card.rest("No rungs are configured: whoever asks for this tier is told so at once.");
    }
    const inside = last.metrics.get("tiercel_in_flight")?.[0]?.value;
    this._inside.set(inside === undefined ? ["–", ""] : count(inside));
    this._direct.show(window);
    this._engines.show(this._pulse.engines, window);
  }
}

/** Requests that named an engine and so belong to no tier; shown only when there were any. */
class DirectLine {
  constructor() {
    this._rate = new Figure("rate", { label: "requests by an engine's name" });
    this._p95 = new Figure("whole", { label: "p95 of requests by an engine's name" });
    this._bad = new Figure("fate", { label: "requests by an engine's name that failed" });
    this.element = make(
      "section",
      { class: "card direct", "data-tier": "none", "aria-label": "By an engine's own name", hidden: true },
      make("h2", {}, "By an engine's own name"),
      told("requests", this._rate.element),
      told("whole answer p95", this._p95.element),
      told("failed", this._bad.element),
    );
  }

  show(window) {
    const requests = window.grew("tiercel_requests_total", DIRECT);
    this.element.hidden = requests === 0;
    const base = { tier: "none", seconds: window.seconds };
    this._rate.set(perSecond(window.seconds ? requests / window.seconds : 0), { ...base, n: requests });
    const n = window.seen("tiercel_request_seconds", DIRECT);
    this._p95.set(estimate(window.quantile("tiercel_request_seconds", 0.95, DIRECT)), { ...base, n });
    const failed = ["failed", "late", "broken", "bug"].reduce(
      (sum, outcome) => sum + window.grew("tiercel_requests_total", { ...DIRECT, outcome }),
      0,
    );
    this._bad.set(count(failed), { ...base, title: "Failed", fate: "failed" });
  }
}
