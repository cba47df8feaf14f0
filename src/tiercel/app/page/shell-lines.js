// Writes a request as lines for a shell, so that whatever the page can do a terminal can repeat.

import { make } from "./make.js";

const USUAL = new Set(["http://127.0.0.1:8484", "http://localhost:8484"]);

const SHORT = 36;

/** Quote a word so that a POSIX shell reads exactly this. */
export function quoted(word) {
  return /^[A-Za-z0-9_./:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The same request with curl. */
export function curlLine(origin, body) {
  const stays = body.stream ? " -N" : "";
  const address = quoted(`${origin}/v1/chat/completions`);
  return `curl -s${stays} ${address} -H 'content-type: application/json' -d ${quoted(JSON.stringify(body))}`;
}

/** The same question with the command line; what was said before is not part of it. */
export function askLine(origin, body) {
  const question = body.messages[body.messages.length - 1].content;
  const wishes = body.tiercel ?? {};
  const flags = [`--tier ${quoted(body.model)}`];
  if (wishes.persona) flags.push(`--persona ${quoted(wishes.persona)}`);
  if (wishes.mood) flags.push(`--mood ${quoted(wishes.mood)}`);
  if (wishes.first_ms) flags.push(`--first-ms ${wishes.first_ms}`);
  if (wishes.total_ms) flags.push(`--total-ms ${wishes.total_ms}`);
  flags.push(body.stream ? "--stream" : "--no-stream", ...elsewhere(origin));
  // What begins with a dash would be taken for an option.
  const dashed = question.startsWith("-");
  return [
    "tiercel ask",
    ...(dashed ? [] : [quoted(question)]),
    ...flags,
    ...(dashed ? ["--", quoted(question)] : []),
  ].join(" ");
}

/** A command for this server. */
export function commandLine(origin, command) {
  return [`tiercel ${command}`, ...elsewhere(origin)].join(" ");
}

function elsewhere(origin) {
  return USUAL.has(origin) ? [] : [`--url ${quoted(origin)}`];
}

/** One line with a button that copies it. */
export function shellLine(text, name) {
  const line = make("pre", { tabindex: "0", "aria-label": name }, ...text.split(/( )/).map(unbroken));
  const copy = make("button", { type: "button", class: "quiet", "aria-label": `Copy ${name}` }, "Copy");
  copy.addEventListener("click", async () => {
    copy.textContent = (await copied(text)) ? "Copied" : selected(line);
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
  return make("div", { class: "shell" }, line, copy);
}

/** A short word stays on one line; a browser would break an option after its dashes. */
function unbroken(word) {
  return word !== " " && word.length < SHORT ? make("span", {}, word) : word;
}

/** Copy a text; false where the browser does not let a page do that. */
export async function copied(text) {
  if (!navigator.clipboard) return false;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    if (error instanceof DOMException) return false;
    throw error;
  }
}

function selected(element) {
  getSelection().selectAllChildren(element);
  return "Selected";
}
