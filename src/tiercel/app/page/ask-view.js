// Ask: talk to a tier, see every rung it tried and why, and stop it at any moment.

import { AskForm } from "./ask-form.js";
import { make } from "./make.js";
import { ReplyCard } from "./reply-card.js";
import { RouteCard } from "./route-card.js";
import { ask } from "./stream.js";

// What a game's character remembers too; prompts stay bounded.
const REMEMBERED = 40;
// Cards on the page; older ones go.
const KEPT = 50;
const STARTERS = [
  ["Any news from the road?", "silver"],
  ["What do you sell, and what is it worth?", "silver"],
  ["A wolf attacks: flee or fight?", "gold"],
];

/** The view; it is made once and keeps its log while others are shown. */
export class AskView {
  constructor(pulse) {
    this.title = "Ask";
    this.periodMs = 2000;
    this._said = [];
    this._running = null;
    this._cards = [];
    this._form = new AskForm();
    this._route = new RouteCard();
    this._log = make(
      "div",
      { class: "log", role: "log", "aria-label": "Questions and answers", tabindex: "0" },
      this._welcome(),
    );
    this._line = make("textarea", {
      rows: "1",
      placeholder: "Say something…",
      "aria-label": "Your question",
      maxlength: "100000",
    });
    this._send = make("button", { type: "submit", class: "go" }, "Ask");
    this.element = this._build();
    this._form.addEventListener("change", () => this._look());
    pulse.addEventListener("beat", () => this._form.offer(pulse.models, pulse.engines));
    pulse.addEventListener("back", () => this._look());
    this._look();
  }

  /** Be shown; `frame` is the page's main element. */
  enter(frame) {
    frame.classList.add("asking");
    // A person with a keyboard came to type; on a phone that would cover half the page.
    if (matchMedia("(hover: hover) and (min-width: 761px)").matches) this._line.focus();
  }

  leave(frame) {
    frame.classList.remove("asking");
  }

  _build() {
    const composer = make("form", { class: "card composer", "aria-label": "Ask" }, this._line, this._send);
    composer.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this._running) this._cancel();
      else this._ask();
    });
    this._line.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (!this._running) this._ask();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this._cancel();
    });
    const over = make("button", { type: "button", on: { click: () => this._startOver() } }, "Start over");
    return [
      make(
        "header",
        {},
        make("h1", { tabindex: "-1" }, "Ask"),
        make("p", {}, "talk to a tier; see every rung it tried, and why"),
        make("div", { class: "acts" }, over),
      ),
      make(
        "div",
        { class: "ask" },
        make("div", { class: "talk" }, this._log, composer),
        make("div", { class: "side" }, this._form.element, this._route.element),
      ),
    ];
  }

  _welcome() {
    const starters = STARTERS.map(([question, tier]) =>
      make("button", { type: "button", on: { click: () => this._start(question, tier) } }, question),
    );
    return make(
      "div",
      { class: "welcome" },
      make("h2", {}, "Whatever the models do, an answer comes on time"),
      make("p", {}, "and says what it is: which tier, which rung of it, how long each one took, and what it cost."),
      make("div", {}, ...starters),
    );
  }

  _start(question, tier) {
    this._form.choose(tier);
    this._line.value = question;
    this._ask();
  }

  _startOver() {
    this._cancel();
    this._said = [];
    this._cards = [];
    this._form.renew();
    this._log.replaceChildren(this._welcome());
    this._line.focus();
  }

  _look() {
    this._route.look(this._form.body([{ role: "user", content: "?" }]), (decision) => {
      const given = this._form.body([]).tiercel ?? {};
      // What was asked for shortens both; only a tier's own times are shown as its own.
      const own = decision !== null && given.first_ms === undefined && given.total_ms === undefined;
      if (own) this._form.usual(decision.first_s * 1000, decision.total_s * 1000);
    });
  }

  async _ask() {
    const question = this._line.value.trim();
    if (question === "") return;
    const said = this._said;
    const before = this._form.remembers ? said.slice(-REMEMBERED) : [];
    const body = this._form.body([...before, { role: "user", content: question }]);
    const card = this._card(body);
    this._line.value = "";
    this._running = new AbortController();
    this._busy(true);
    const outcome = await ask(body, { signal: this._running.signal, onWords: (words) => this._words(card, words) });
    this._running = null;
    const follows = this._atEnd();
    card.end(outcome);
    if (follows) this._toTop(card);
    this._busy(false);
    said.push({ role: "user", content: question });
    if (outcome.text) said.push({ role: "assistant", content: outcome.text });
    this._look();
  }

  _card(body) {
    const decision = this._route.decisionFor(body);
    const budget = decision ? { firstMs: decision.first_s * 1000, totalMs: decision.total_s * 1000 } : {};
    const card = new ReplyCard(body, budget);
    this._log.querySelector(".welcome")?.remove();
    for (const older of this._cards) older.fold();
    this._cards.push(card);
    if (this._cards.length > KEPT) this._cards.shift().element.remove();
    this._log.append(card.element);
    this._toEnd();
    return card;
  }

  _words(card, words) {
    const follows = this._atEnd();
    card.say(words);
    if (follows) this._toEnd();
  }

  _cancel() {
    this._running?.abort();
  }

  _busy(busy) {
    this._send.textContent = busy ? "Cancel" : "Ask";
    this._send.className = busy ? "hot" : "go";
  }

  /** Whoever scrolled up to read is left there. */
  _atEnd() {
    return this._log.scrollHeight - this._log.scrollTop - this._log.clientHeight < 40;
  }

  /** What came is read from its beginning. */
  _toTop(card) {
    this._log.scrollTop = Math.min(card.element.offsetTop - this._log.offsetTop, this._log.scrollHeight);
  }

  _toEnd() {
    this._log.scrollTop = this._log.scrollHeight;
  }
}
