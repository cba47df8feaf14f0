// One question, its answer as it comes, and below it how the answer was won.

import { Figure, figure } from "./figure.js";
import { make, swatch, told } from "./make.js";
import { because } from "./meanings.js";
import { askLine, copied, curlLine, shellLine } from "./shell-lines.js";
import { cost, count, time } from "./units.js";

const LEFT_OUT = new Set(["skipped", "unfit", "breaker_open", "shed"]);

/** The card of one request: made when it is sent, completed when it ends. */
export class ReplyCard {
  constructor(body, budget) {
    this._body = body;
    this._budget = budget;
    const question = body.messages[body.messages.length - 1].content;
    this._answer = make("p", { class: "answer", "aria-busy": "true" });
    this._words = document.createTextNode("");
    this._answer.append(this._words);
    this._top = make(
      "div",
      { class: "top" },
      make("p", { class: "asked" }, make("span", { class: "unseen" }, "You asked: "), question),
    );
    this._lines = make(
      "details",
      { class: "lines", open: matchMedia("(min-width: 761px)").matches },
      make("summary", {}, "The same from a shell"),
      shellLine(askLine(location.origin, body), "the command line"),
      shellLine(curlLine(location.origin, body), "the curl line"),
    );
    this.element = make(
      "article",
      { class: "card exchange", "data-tier": tierOf(body.model), "data-state": "running" },
      this._top,
      this._answer,
      this._lines,
    );
  }

  /** Show more words. */
  say(words) {
    this._words.appendData(words);
  }

  /** Make room: only the latest card keeps its lines open. */
  fold() {
    this._lines.open = false;
  }

  /** Show what became of it. */
  end(outcome) {
    const { report } = outcome;
    this._answer.setAttribute("aria-busy", "false");
    if (report?.tier !== undefined) this.element.dataset.tier = report.tier ?? "none";
    this.element.dataset.state = outcome.cancelled ? "cancelled" : outcome.error ? "failed" : "done";
    const below = [];
    if (outcome.cancelled) below.push(cancelled(outcome));
    if (outcome.error) below.push(fault(outcome));
    if (report) below.push(this._story(outcome), timeBar(report), tries(report));
    const id = report?.request_id || outcome.requestId;
    if (id) this._top.append(requestId(id));
    if (report?.dropped?.length)
      below.push(make("p", { class: "fault mild" }, `Not passed on: ${report.dropped.join(", ")}`));
    this._lines.before(...below);
  }

  _story(outcome) {
    const { report } = outcome;
    const who = make(
      "span",
      { class: "who" },
      make("span", { class: "metal" }, report.tier ?? "no tier"),
      make("span", {}, named(report)),
    );
    if (report.degraded)
      who.append(make("span", { class: "badge warn", title: "A lower rung than the tier's best" }, "degraded"));
    if (outcome.finish === "length") who.append(make("span", { class: "badge warn" }, "cut at its length"));
    const parts = [who];
    if (typeof report.ms === "number")
      parts.push(told("took", figure("ms", time(report.ms), { budget: spoken(this._budget.totalMs) })));
    if (outcome.usage) {
      const { prompt_tokens: prompt = 0, completion_tokens: completion = 0 } = outcome.usage;
      parts.push(
        told(
          "tokens",
          figure("tokens", [`${count(prompt)[0]}+${count(completion)[0]}`, ""], { by: report.usage_counted_by }),
        ),
      );
    }
    parts.push(told("cost", figure("cost", cost(report.cost), { known: typeof report.cost === "number" })));
    if (this._body.stream && outcome.firstMs !== null) {
      parts.push(
        told("first words here", figure("first", time(outcome.firstMs), { budget: spoken(this._budget.firstMs) })),
      );
    }
    parts.push(told(this._body.stream ? "the end" : "seen here", figure("seen", time(outcome.wholeMs))));
    return make("div", { class: "story" }, ...parts);
  }
}

function tierOf(model) {
  return ["gold", "silver", "bronze"].includes(model) ? model : "none";
}

function named({ rung, kind }) {
  if (!rung) return "no answer";
  return rung === kind || !kind ? String(rung) : `${rung}, ${kind}`;
}

function spoken(ms) {
  return typeof ms === "number" ? time(ms).join(" ") : "";
}

function requestId(id) {
  const shown = new Figure("id", { label: "request id" }).set([id, ""]);
  shown.element.addEventListener("click", async () => {
    if (!(await copied(id))) return;
    shown.set(["copied", ""]);
    setTimeout(() => shown.set([id, ""]), 1000);
  });
  return make("span", { class: "id" }, shown.element);
}

function cancelled({ text, wholeMs }) {
  const what = text ? "The words so far stay." : "Nothing had come yet.";
  const when = figure("cancelled", time(wholeMs));
  return make(
    "p",
    { class: "fault mild" },
    "You cancelled after ",
    when,
    `. ${what} The server stops its engine at once.`,
  );
}

function fault({ error, status, text }) {
  const head = status >= 200 && status < 300 ? (text ? "broke off" : "failed") : status ? String(status) : "not sent";
  const code = [head, error.code, error.param].filter(Boolean).join(" · ");
  return make("p", { class: "fault", role: "alert" }, error.message, make("code", {}, code));
}

/** One part for each rung that took time, and what is left for us. */
function partsOf(report) {
  const attempts = Array.isArray(report.attempts) ? report.attempts : [];
  return attempts.map((attempt) => ({
    name: String(attempt.rung ?? ""),
    outcome: String(attempt.outcome ?? ""),
    value: Number(attempt.ms ?? 0),
    reason: String(attempt.reason ?? ""),
    tone: toneOf(attempt, report),
  }));
}

function toneOf(attempt, report) {
  if (attempt.outcome === "ok") return report.kind || "model";
  if (attempt.outcome === "lost_race" || LEFT_OUT.has(attempt.outcome)) return "skipped";
  return "lost";
}

/** The time that no rung had; with two rungs side by side nobody can say. */
function ownMs(report, parts) {
  const left = Number(report.ms) - parts.reduce((sum, part) => sum + part.value, 0);
  return left > 0 ? left : null;
}

function timeBar(report) {
  const parts = partsOf(report);
  const own = ownMs(report, parts);
  const shown = parts.map((part) => ({ ...part, words: `${part.outcome} ${time(part.value).join(" ")}` }));
  if (own !== null) shown.push({ name: "Tiercel", value: own, tone: "own", words: time(own).join(" ") });
  const bar = document.createElement("rung-bar");
  bar.show(shown, { key: "tries", empty: "no rung took any time", legend: false });
  return bar;
}

function tries(report) {
  const parts = partsOf(report);
  const rows = parts.map((part) => row(part));
  const own = ownMs(report, parts);
  if (own !== null) {
    const took = figure("own", time(own));
    rows.push(
      make(
        "tr",
        {},
        make("td", {}, swatch("own"), "Tiercel itself"),
        make("td"),
        make("td", {}, took),
        make("td", {}, "reading, routing, writing"),
      ),
    );
  }
  const heads = ["Rung", "Outcome", "Time", "Why"].map((name) => make("th", { scope: "col" }, name));
  return make(
    "table",
    { class: "tries" },
    make("caption", { class: "unseen" }, "Every rung that was tried, in order"),
    make("thead", {}, make("tr", {}, ...heads)),
    make("tbody", {}, ...rows),
  );
}

function row({ name, outcome, value, reason, tone }) {
  const kind = outcome === "ok" ? "ok" : tone === "lost" ? "bad" : "";
  const took = LEFT_OUT.has(outcome) && value === 0 ? "–" : figure("took", time(value), { outcome });
  return make(
    "tr",
    { "data-outcome": outcome },
    make("td", {}, swatch(tone), name),
    make("td", {}, make("span", { class: `outcome ${kind}` }, outcome.replaceAll("_", " "))),
    make("td", {}, took),
    make("td", {}, because(outcome, reason)),
  );
}
