// A view whose capability is not part of this version: one sentence on what will be there, and nothing else.

import { make } from "./make.js";

const WORDS = {
  World:
    "Here you will watch the game world think: every NPC on a map, what it wants, how sure it is, and how old that intent is.",
  Jobs: "Here long expert jobs will be listed with their steps, their artefacts and their cost, each of them to be stopped or taken up again.",
  Lore: "Here the game's knowledge will be: its documents, and the passages that a question finds, as Silver will find them.",
  Approvals: "Here tool calls that need a person will wait for a yes or a no, each with its exact arguments.",
  Cost: "Here will be what every player, tier and engine has spent, beside what it may spend.",
  Plan: "Here you will describe your traffic and see which deployment keeps the promise, and what it costs.",
};

/** A quiet view. */
export class ComingView {
  constructor(name) {
    this.title = name;
    this.periodMs = 2000;
    this.element = [
      make("header", {}, make("h1", { tabindex: "-1" }, name), make("p", {}, "not part of this version")),
      make("p", { class: "empty" }, WORDS[name]),
    ];
  }

  enter() {}

  leave() {}
}
