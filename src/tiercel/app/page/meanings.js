// What every number on the page means: its definition, its window, and the metric or command that gives the same.

const P = "Estimated between the bounds of the histogram's buckets, as Prometheus does it; < means: in the lowest one.";

/** Explain a number; `c` is what its figure knows: tier, engine, seconds, n and whatever the definition needs. */
export function meaning(key, c = {}) {
  const told = MEANINGS[key];
  if (told === undefined) return { title: key, what: "", window: "", source: "" };
  const [title, what, window, source] = told(c);
  return { title, what, window, source };
}

const tier = (c) => `{tier="${c.tier}"}`;
const engine = (c) => `{engine="${c.engine}"}`;
const span = (c) =>
  c.seconds
    ? `the last ${Math.round(c.seconds)} s${c.n === undefined ? "" : `, ${c.n} of them`}`
    : "nothing measured yet";
const REPLY = "this request";

const MEANINGS = {
  // Ask: one request.
  ms: (c) => [
    "The whole reply.",
    `From the request's first byte until the server had the end of the reply.${c.budget ? ` Its time was ${c.budget}.` : ""}`,
    REPLY,
    "tiercel.ms, header x-tiercel-ms",
  ],
  first: (c) => [
    "First words.",
    `From pressing Ask until this browser had the first word; the way between is in it.${c.budget ? ` Its time was ${c.budget}.` : ""}`,
    REPLY,
    "measured here; over all requests: tiercel_first_content_seconds",
  ],
  cancelled: () => [
    "Cancelled.",
    "From pressing Ask until you pressed Cancel.",
    REPLY,
    "measured here; tiercel_streams_abandoned_total counts the streams",
  ],
  seen: () => ["Seen here.", "From pressing Ask until this browser had the end of the reply.", REPLY, "measured here"],
  cost: (c) => [
    "Cost.",
    c.known
      ? "US dollars for all the tokens of this request, by the prices in the configuration."
      : "Unknown: no price is configured for a model that worked on this, or one that gave no usable answer worked too. That is not zero.",
    REPLY,
    "tiercel.cost, header x-tiercel-cost",
  ],
  tokens: (c) => [
    "Tokens.",
    `Prompt and answer, counted by ${c.by === "tiercel" ? "Tiercel (about: the engine did not say)" : "the engine"}.`,
    REPLY,
    "usage, tiercel.usage_counted_by",
  ],
  id: () => [
    "Request id.",
    "Names this request in logs and headers; press to copy it.",
    REPLY,
    "tiercel.request_id, header x-request-id",
  ],
  took: (c) => ["Time at this rung.", OUTCOMES[c.outcome] ?? "", REPLY, "tiercel.attempts[].ms"],
  own: () => [
    "Tiercel itself.",
    "What is left of the whole when the rungs' times are taken away: reading, routing, waiting for the wire.",
    REPLY,
    "tiercel.ms less the sum of tiercel.attempts[].ms",
  ],
  tries: () => [
    "Where the time went.",
    "Each rung that was asked, as wide as the time it took; red ones gave no answer that could be used.",
    REPLY,
    "tiercel.attempts",
  ],
  cutoff: (c) => [
    "Gives way after.",
    `When ${c.rung} has not ${c.stream ? "begun" : "finished"} by then, the next rung is asked.`,
    "the next request",
    "POST /v1/route/explain: rungs[].until_s",
  ],
  budget: (c) => [
    c.first ? "Until the first word." : "Until the end.",
    "The time this request would have: what you asked for, else the tier's own.",
    "the next request",
    `POST /v1/route/explain: ${c.first ? "first_s" : "total_s"}`,
  ],

  // Health: a tier.
  span: (c) => [
    "The window.",
    "Every figure but those that say now counts what happened in it: the difference of two readings. It begins with the page and is at most a minute long.",
    c.seconds ? `${Math.round(c.seconds)} s` : "",
    "GET /metrics, once a second",
  ],
  rungs: (c) => [
    "Who answered.",
    `The share of answers from each kind of rung; the fuller the colour, the better the quality.`,
    span(c),
    `tiercel_requests_total${tier(c)}, by kind`,
  ],
  rate: (c) => [
    "Requests a second.",
    "Requests that ended, whatever became of them.",
    span(c),
    `tiercel_requests_total${tier(c)}`,
  ],
  spark: (c) => [
    "Requests a second.",
    `Over the window; at most ${c.most}.`,
    span(c),
    `tiercel_requests_total${tier(c)}`,
  ],
  degraded: (c) => [
    "Degraded.",
    "The share of answers from a lower rung than the tier's best.",
    span(c),
    `tiercel_degraded_total${tier(c)} / answers`,
  ],
  firstWords: (c) => [
    "First words, p50 and p95.",
    `From a request's first byte to the first content of its stream. ${P}`,
    span(c),
    `tiercel_first_content_seconds${tier(c)}`,
  ],
  whole: (c) => [
    "Whole answer, p50 and p95.",
    `From a request's first byte to the end of its reply. ${P}`,
    span(c),
    `tiercel_request_seconds${tier(c)}`,
  ],
  overhead: (c) => [
    "Our own overhead, p50 and p95.",
    `The part of a request's time that no engine had. ${P}`,
    span(c),
    `tiercel_overhead_seconds${tier(c)}`,
  ],
  late: (c) => [
    "Past the deadline.",
    `Answers that were complete more than 0.1 ms after their deadline.${c.worst ? ` The latest one: ${c.worst} late.` : ""}`,
    span(c),
    `tiercel_lateness_seconds${tier(c)}`,
  ],
  fate: (c) => [
    `${c.title}.`,
    FATES[c.fate] ?? "",
    span(c),
    `tiercel_requests_total{tier="${c.tier}",outcome="${c.fate}"}`,
  ],
  inside: () => ["In flight.", "Requests inside the house at this moment.", "now", "tiercel_in_flight"],

  // Health: an engine.
  running: () => [
    "Running.",
    "Attempts under way at this engine.",
    "now",
    "tiercel engines; GET /v1/engines: in_flight",
  ],
  attempts: (c) => [
    "What came of it.",
    "Every try at this engine by its outcome; rungs that were left out without being asked are counted beside.",
    span(c),
    `tiercel_attempts_total${engine(c)}, tiercel_skipped_total${engine(c)}`,
  ],
  breaker: (c) => ["Breaker.", c.what, "now", "tiercel engines; GET /v1/engines: breakers"],
  p50: (c) => [
    c.first ? "Usual time to the first word." : "Usual time of a whole answer.",
    `The median that routing goes by, for small prompts. By prompt size: ${c.sizes}.`,
    "the engine's recent answers",
    `GET /v1/engines: ${c.first ? "p50_first_ms" : "p50_whole_ms"}`,
  ],
};

/** What became of one rung, in a sentence. */
export const OUTCOMES = {
  __proto__: null,
  ok: "It answered.",
  skipped: "Not asked, usually slower than the time that was left.",
  late: "It was silent or too slow, and gave way.",
  unreachable: "No connection to it.",
  rate_limited: "It said 429: too many requests.",
  overloaded: "It said that it is overloaded.",
  server_error: "It failed with an error of its own.",
  malformed: "What it sent was no answer.",
  truncated: "Its answer stopped before the end.",
  wrong_shape: "Its answer broke what the request demanded.",
  auth: "It refused our key.",
  missing: "It does not know the model.",
  breaker_open: "Not asked, left alone after a failure.",
  unfit: "Not asked, unfit for this request.",
  shed: "Not asked, no room.",
  lost_race: "It was asked beside another one, which was quicker.",
};

/** Why a rung was left: the server's own reason where it failed, a sentence where it was not even asked. */
export function because(outcome, reason) {
  // A reason that is an outcome's name reads better without its underscores.
  const plain = reason in OUTCOMES ? reason.replaceAll("_", " ") : reason;
  if (outcome === "ok" || (plain && !OUTCOMES[outcome]?.startsWith("Not asked"))) return plain;
  const sentence = OUTCOMES[outcome] ?? "";
  return plain ? `${sentence.replace(/\.$/, "")}: ${plain}` : sentence;
}

const FATES = {
  refused: "The request could not be served as asked; the caller has to change it.",
  failed: "No rung could answer.",
  late: "The deadline passed with nothing shown.",
  broken: "A stream broke off after its first words.",
  left: "The caller went away first.",
  bug: "A fault of our own; the log has it.",
};
