// What is asked of whom: tier or engine, persona, mood, deadlines, streaming; it makes the body of the request.

import { make } from "./make.js";

const TIERS = ["auto", "gold", "silver", "bronze"];
// Those that the bundled books know; any other word works too.
const PERSONAS = ["innkeeper", "blacksmith", "gate guard", "merchant", "scholar", "herbalist", "narrator"];
const MOODS = ["calm", "glad", "wary", "angry", "afraid", "tired"];
const LONGEST_MS = 86_400_000;

/** The form; it sends `change` when the next request would be another one. */
export class AskForm extends EventTarget {
  constructor() {
    super();
    this._session = sessionName();
    this._choice = make("div", { class: "choice" });
    this._engine = make("select", { id: "engine", "aria-label": "Engine" });
    this._engineField = make(
      "div",
      { class: "field", hidden: true },
      make("label", { for: "engine" }, "Engine, asked by its own name"),
      this._engine,
    );
    this._persona = text("persona", "Persona", PERSONAS, "nobody");
    this._persona.input.value = PERSONAS[0];
    this._mood = text("mood", "Mood", MOODS, "their own");
    this._first = milliseconds("first_ms", "First words, ms");
    this._total = milliseconds("total_ms", "Whole answer, ms");
    this._stream = check("stream", "Stream the words", true);
    this._remember = check("remember", "Send what was said before", false);
    this._summary = make("summary");
    this.element = this._build();
    this.element.addEventListener("input", () => this._changed());
    this._offer(["auto", "gold", "silver"], []);
    this._fold();
  }

  /** Offer these names: tiers as buttons, engines in a list. */
  offer(models, engines) {
    const known = models.map((model) => String(model.id ?? ""));
    const tiers = TIERS.filter((tier) => known.includes(tier));
    const names = engines.map((engine) => String(engine.name ?? "")).filter(Boolean);
    if (`${tiers}|${names}` !== this._offered) this._offer(tiers, names);
  }

  /** The tier that was chosen, or the name of an engine. */
  get model() {
    const chosen = this._choice.querySelector("input:checked")?.value ?? "auto";
    return chosen === "engine" ? this._engine.value : chosen;
  }

  /** Choose a tier. */
  choose(tier) {
    const input = this._choice.querySelector(`input[value="${tier}"]`);
    if (input === null || input.disabled) return;
    input.checked = true;
    this._changed();
  }

  /** Whether what was said before goes along. */
  get remembers() {
    return this._remember.input.checked;
  }

  /** Forget who we were: the next request opens another session. */
  renew() {
    this._session = sessionName();
  }

  /** What the next request says to Tiercel itself; fields that are left empty are not sent. */
  body(messages) {
    const wishes = {};
    const persona = this._persona.input.value.trim();
    const mood = this._mood.input.value.trim();
    if (persona) wishes.persona = persona;
    if (mood) wishes.mood = mood;
    if (this._first.input.value) wishes.first_ms = Number(this._first.input.value);
    if (this._total.input.value) wishes.total_ms = Number(this._total.input.value);
    if (this.remembers) wishes.session = this._session;
    const body = { model: this.model, messages, stream: this._stream.input.checked };
    if (Object.keys(wishes).length) body.tiercel = wishes;
    return body;
  }

  /** Show in the empty fields which times the tier itself has. */
  usual(firstMs, totalMs) {
    this._first.input.placeholder = firstMs === null ? "the tier's" : `${firstMs}`;
    this._total.input.placeholder = totalMs === null ? "the tier's" : `${totalMs}`;
  }

  _offer(tiers, names) {
    const before = this._choice.querySelector("input:checked")?.value ?? "silver";
    this._offered = `${tiers}|${names}`;
    const options = [...tiers, "engine"].map((name) => this._option(name, name === "engine" && names.length === 0));
    this._choice.replaceChildren(...options);
    const wanted =
      this._choice.querySelector(`input[value="${before}"]:enabled`) ?? this._choice.querySelector("input");
    wanted.checked = true;
    const engine = this._engine.value;
    this._engine.replaceChildren(...names.map((name) => make("option", { value: name }, name)));
    if (names.includes(engine)) this._engine.value = engine;
    this._changed();
  }

  _option(name, disabled) {
    const tier = ["gold", "silver", "bronze"].includes(name) ? name : undefined;
    const words = name[0].toUpperCase() + name.slice(1);
    return make(
      "label",
      { "data-tier": tier },
      make("input", { type: "radio", name: "tier", value: name, disabled }),
      words,
    );
  }

  _changed() {
    const byName = this._choice.querySelector("input:checked")?.value === "engine";
    this._engineField.hidden = !byName;
    const persona = this._persona.input.value.trim();
    this._summary.textContent = [
      this.model || "engine",
      persona || "nobody",
      this._stream.input.checked ? "streamed" : "whole",
    ].join(" · ");
    this.dispatchEvent(new Event("change"));
  }

  _build() {
    const who = make("fieldset", {}, make("legend", {}, "Who is asked"), this._choice);
    const rows = make(
      "div",
      { class: "rows" },
      make("h2", {}, "Request"),
      who,
      this._engineField,
      make("div", { class: "pair" }, this._persona.field, this._mood.field),
      make(
        "fieldset",
        {},
        make("legend", {}, "Deadline; empty: the tier's own"),
        make("div", { class: "pair" }, this._first.field, this._total.field),
      ),
      this._stream.field,
      this._remember.field,
    );
    return make("details", { class: "card wishes" }, this._summary, rows);
  }

  /** On a phone the form folds into one line. */
  _fold() {
    const narrow = matchMedia("(max-width: 760px)");
    const fold = () => (this.element.open = !narrow.matches);
    narrow.addEventListener("change", fold);
    fold();
  }
}

function text(id, label, known, empty) {
  const list = `${id}-known`;
  const input = make("input", {
    type: "text",
    id,
    list,
    maxlength: "128",
    placeholder: empty,
    autocomplete: "off",
    spellcheck: "false",
  });
  const options = make("datalist", { id: list }, ...known.map((word) => make("option", { value: word })));
  return { input, field: make("div", { class: "field" }, make("label", { for: id }, label), input, options) };
}

function milliseconds(id, label) {
  const input = make("input", {
    type: "number",
    id,
    min: "1",
    max: String(LONGEST_MS),
    step: "any",
    inputmode: "decimal",
    placeholder: "the tier's",
  });
  return { input, field: make("div", { class: "field" }, make("label", { for: id }, label), input) };
}

function check(id, label, on) {
  const input = make("input", { type: "checkbox", id, checked: on });
  return { input, field: make("label", { class: "check" }, input, label) };
}

function sessionName() {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return `page-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
