// Makes elements whose words are always text: the one way by which anything a model or a server says enters the page.

/** Make an element; `given` holds attributes, `on` its listeners; strings inside become text nodes, never markup. */
export function make(tag, given = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...inside.filter((part) => part !== null && part !== undefined));
  return element;
}

/** A small coloured square that ties a row or a word to its part of a rung bar. */
export function swatch(tone) {
  return make("i", { class: "swatch", "data-tone": tone, "aria-hidden": "true" });
}

/** A word beside its figure, and in its name for those who hear it. */
export function told(words, figure) {
  if (!figure.hasAttribute("aria-label")) figure.setAttribute("aria-label", `${spokenText(figure)} ${words}`);
  return make("span", { class: "told" }, make("span", {}, words), figure);
}

function spokenText(figure) {
  return [...figure.children].map((part) => part.textContent).join(" ");
}

/** Change a text only when it differs, so that nothing is announced or laid out again for nothing. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
