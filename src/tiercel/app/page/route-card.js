// Shows beforehand how the next request would go: its tier, its times, and who would be asked in which order.

import { because } from "./meanings.js";
import { figure } from "./figure.js";
import { make, swatch, told } from "./make.js";
import { time } from "./units.js";

const PAUSE_MS = 150;
const PATIENCE_MS = 3_000;

const REASONS = {
  model: "asked for by name",
  sla: "by its sla",
  budget: "by its deadline",
  quality: "by its quality",
  auto: "the default",
  engine: "an engine by its own name",
};

/** The card; `look` asks the server for the decision without the call. */
export class RouteCard {
  constructor() {
    this._inside = make("div", { class: "route" });
    this.element = make(
      "section",
      { class: "card route", "aria-label": "Route" },
      make("h2", {}, "Where it would go"),
      this._inside,
    );
    this._latest = 0;
    this._timer = 0;
    this._decision = null;
    this._about = "";
  }

  /** Look again soon: typing changes a request many times. `onDecision` learns what came. */
  look(body, onDecision) {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => this._ask(body, onDecision), PAUSE_MS);
  }

  /** The decision about a request like this one, when it is known. */
  decisionFor(body) {
    return likeness(body) === this._about ? this._decision : null;
  }

  async _ask(body, onDecision) {
    const mine = ++this._latest;
    const [decision, trouble] = await explained(body);
    if (mine !== this._latest) return;
    this._decision = decision;
    this._about = likeness(body);
    this._show(decision, trouble, body);
    onDecision(decision);
  }

  _show(decision, trouble, body) {
    if (decision === null) {
      this._inside.replaceChildren(make("p", { class: "wrong" }, trouble));
      return;
    }
    const rungs = list(decision.rungs);
    const skipped = list(decision.skipped);
    const parts = [this._head(decision, body)];
    const rows = [...rungs.map((rung) => rungRow(rung, body.stream)), ...skipped.map(skippedRow)];
    if (rows.length) parts.push(make("ol", { "data-tier": decision.tier ?? "none" }, ...rows));
    if (!rungs.length) parts.push(make("p", { class: "wrong" }, nobody(skipped)));
    this._inside.replaceChildren(...parts);
  }

  _head(decision, body) {
    const tier = decision.tier ?? "none";
    const name = decision.tier ? make("span", { class: "metal", "data-tier": tier }, decision.tier) : "no tier";
    const why = REASONS[decision.reason] ?? decision.reason ?? "";
    const times = [told("whole in", figure("budget", time(decision.total_s * 1000), { first: false }))];
    if (body.stream)
      times.unshift(told("first word in", figure("budget", time(decision.first_s * 1000), { first: true })), " ");
    return make("div", {}, name, why ? `, ${why}` : "", make("br"), ...times);
  }
}

/** What a decision about short questions depends on: all but their words. */
function likeness(body) {
  return JSON.stringify({ ...body, messages: [] });
}

function rungRow(rung, stream) {
  const kind = String(rung.kind ?? "");
  const late = figure("cutoff", time(rung.until_s * 1000), { rung: rung.name, stream });
  const name = String(rung.name ?? "");
  const told = [name === kind ? "" : kind, rung.degraded ? "degraded" : ""].filter(Boolean).join(", ");
  return make("li", {}, swatch(kind), make("span", {}, name, " ", make("small", {}, told)), late);
}

function skippedRow(skip) {
  const why = because(String(skip.outcome ?? ""), String(skip.reason ?? ""));
  return make(
    "li",
    { class: "out" },
    swatch("skipped"),
    make("span", {}, String(skip.rung ?? ""), " ", make("small", {}, why)),
  );
}

function nobody(skipped) {
  const wantsPersona = skipped.some((skip) => skip.reason === "no persona");
  return wantsPersona
    ? "Nobody may answer this: templates speak for a persona, and this request names none."
    : "Nobody may answer this request: it would get an error at once.";
}

function list(value) {
  return Array.isArray(value) ? value : [];
}

async function explained(body) {
  try {
    const reply = await fetch("/v1/route/explain", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const told = await reply.json();
    return reply.ok ? [told, ""] : [null, String(told?.error?.message ?? `the server answered ${reply.status}`)];
  } catch (error) {
    // No server, or one that speaks otherwise: the notice above says more.
    if (error instanceof TypeError || error instanceof DOMException || error instanceof SyntaxError)
      return [null, "No server answers."];
    throw error;
  }
}
