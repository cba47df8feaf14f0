// Feels the server's pulse: reads /metrics and /v1/engines, keeps the last minute, says when nobody answers any more.

import { parseMetrics, total, Window } from "./metrics.js";

const WINDOW_MS = 60_000;
const PATIENCE_MS = 3_000;

/** Events: `beat` after every reading; `gone` when none comes; `back` when one comes again. */
export class Pulse extends EventTarget {
  constructor() {
    super();
    this.history = [];
    this.engines = [];
    this.models = [];
    this.state = "starting";
    this.why = "";
    this.lastAt = null;
    this.goneAt = null;
    this._periodMs = 1000;
    this._timer = 0;
    document.addEventListener("visibilitychange", () => this._wake());
  }

  /** Read this often while somebody looks; a view that shows the readings wants them every second. */
  every(periodMs) {
    const sooner = periodMs < this._periodMs;
    this._periodMs = periodMs;
    if (sooner) this._wake();
  }

  /** Begin. */
  start() {
    this._beat();
  }

  /** What happened in the last minute, or since the page was opened. */
  window() {
    const last = this.history[this.history.length - 1] ?? null;
    if (last === null) return new Window(null, null);
    const first = this.history[0];
    return first === last ? new Window(null, last) : new Window(first, last);
  }

  /** The steps from reading to reading, for a line over time. */
  steps() {
    return this.history.slice(1).map((sample, index) => new Window(this.history[index], sample));
  }

  _wake() {
    if (this._reading || this._timer === 0) return;
    clearTimeout(this._timer);
    this._timer = 0;
    this._beat();
  }

  async _beat() {
    // A page that nobody sees asks nothing.
    if (!document.hidden) {
      this._reading = true;
      await this._read();
      this._reading = false;
    }
    this._timer = setTimeout(() => this._beat(), this._periodMs);
  }

  async _read() {
    try {
      const [text, engines, models] = await Promise.all([
        fetched("/metrics", (reply) => reply.text()),
        fetched("/v1/engines", (reply) => reply.json()),
        this.state === "live" ? this.models : fetched("/v1/models", (reply) => reply.json()).then(listed),
      ]);
      this.engines = listed(engines);
      this.models = models;
      this._take({ at: performance.now(), metrics: parseMetrics(text) });
    } catch (error) {
      this._lost(error);
    }
  }

  _take(sample) {
    const before = this.history[this.history.length - 1];
    // Counters that fell are another process's: what was before has nothing to do with it.
    if (before !== undefined && fell(before.metrics, sample.metrics)) this.history = [];
    this.history.push(sample);
    while (this.history.length > 2 && sample.at - this.history[1].at >= WINDOW_MS) this.history.shift();
    const wasGone = this.state === "gone";
    this.state = "live";
    this.lastAt = sample.at;
    if (wasGone) {
      const gap = sample.at - this.goneAt;
      this.goneAt = null;
      this.dispatchEvent(new CustomEvent("back", { detail: gap }));
    }
    this.dispatchEvent(new Event("beat"));
  }

  _lost(error) {
    this.why =
      error instanceof Unwell ? error.message : error instanceof SyntaxError ? "what answers is not Tiercel" : "";
    if (this.state !== "gone") {
      this.state = "gone";
      this.goneAt = performance.now();
    }
    this.dispatchEvent(new Event("gone"));
  }
}

/** Somebody answers, but not with what was asked for. */
class Unwell extends Error {}

async function fetched(path, read) {
  const reply = await fetch(path, {
    cache: "no-store",
    signal: AbortSignal.timeout(PATIENCE_MS),
    headers: { accept: "*/*" },
  });
  if (!reply.ok) throw new Unwell(`GET ${path} answered ${reply.status}`);
  return read(reply);
}

function listed(reply) {
  const list = Array.isArray(reply) ? reply : reply?.data;
  return Array.isArray(list) ? list : [];
}

function fell(before, now) {
  return ["tiercel_requests_total", "tiercel_attempts_total"].some((name) => total(now, name) < total(before, name));
}
