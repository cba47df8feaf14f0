// Asks the server for a chat completion, whole or streamed, and gives words on as they come.

const MOST_EVENT = 4_000_000;

/**
 * Ask. `onWords` gets every piece of text; resolves to what became of it:
 * {text, report, usage, finish, error, status, firstMs, wholeMs, cancelled}. It rejects only for a bug of ours.
 */
export async function ask(body, { signal, onWords }) {
  const told = new Told(onWords);
  try {
    const reply = await fetch("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    told.status = reply.status;
    told.requestId = reply.headers.get("x-request-id") ?? "";
    const kind = reply.headers.get("content-type") ?? "";
    if (reply.ok && kind.startsWith("text/event-stream")) {
      await readEvents(reply.body, (data) => told.event(data));
      told.ended();
    } else {
      told.whole(await reply.text());
    }
  } catch (error) {
    told.stopped(error, signal);
  }
  return told.outcome();
}

/** What has been told so far about one request. */
class Told {
  constructor(onWords) {
    this._onWords = onWords;
    this._startedAt = performance.now();
    this._done = false;
    this.text = "";
    this.report = null;
    this.usage = null;
    this.finish = "";
    this.error = null;
    this.status = 0;
    this.requestId = "";
    this.firstMs = null;
    this.cancelled = false;
  }

  /** Take one event's data. */
  event(data) {
    if (data === "[DONE]") {
      this._done = true;
      return;
    }
    const chunk = read(data);
    if (chunk === null) {
      this._fail("malformed", "the server sent an event that is no JSON object");
      return;
    }
    this._take(chunk);
    const choice = chunk.choices?.[0];
    this._words(choice?.delta?.content ?? choice?.delta?.refusal);
    if (choice?.finish_reason) this.finish = choice.finish_reason;
  }

  /** Take a reply in one piece, or an error. */
  whole(text) {
    const reply = read(text);
    if (reply === null) {
      this._fail("malformed", `the server answered ${this.status} with something that is no JSON object`);
      return;
    }
    this._take(reply);
    const choice = reply.choices?.[0];
    this._words(choice?.message?.content ?? choice?.message?.refusal);
    this.finish = choice?.finish_reason ?? "";
    if (this.error === null && choice === undefined) {
      this._fail("malformed", `the server answered ${this.status} without an answer in it`);
    }
  }

  /** The stream is over: a clean end has its mark. */
  ended() {
    if (!this._done && this.error === null) this._fail("truncated", "the stream stopped without its end");
  }

  /** The reply will not come. */
  stopped(error, signal) {
    if (signal.aborted) this.cancelled = true;
    else if (error instanceof TypeError)
      this._fail("unreachable", this.status ? "the connection broke" : "no server answers");
    else throw error;
  }

  outcome() {
    const { text, report, usage, finish, error, status, requestId, firstMs, cancelled } = this;
    return { text, report, usage, finish, error, status, requestId, firstMs, cancelled, wholeMs: this._ms() };
  }

  _take(part) {
    if (part.tiercel) this.report = part.tiercel;
    if (part.usage) this.usage = part.usage;
    if (part.error) {
      const { message, code, param, type } = part.error;
      this.error = {
        message: String(message ?? "no reason given"),
        code: String(code ?? type ?? ""),
        param: param ?? "",
      };
    }
  }

  _words(words) {
    if (typeof words !== "string" || words === "") return;
    this.firstMs ??= this._ms();
    this.text += words;
    this._onWords(words);
  }

  _fail(code, message) {
    this.error = { code, message, param: "" };
  }

  _ms() {
    return performance.now() - this._startedAt;
  }
}

/** A JSON object, or null. */
function read(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** Read server-sent events: lines end in LF, CR or both, events in an empty line, comments say nothing. */
export async function readEvents(bytes, onData) {
  const reader = bytes.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let data = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    if (rest.length > MOST_EVENT) throw new TypeError("an event without end");
    // A CR at the very end may be half of a CRLF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) onData(data.join("\n"));
        data = [];
      } else if (line.startsWith("data:")) {
        data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
  }
}
