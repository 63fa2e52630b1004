// What stands beside the timeline: the chosen event, the board at that moment, the story as a list.
// Everything that somebody wrote goes in as text.

import { PROBLEMS, look } from "./replay-model.js";
import { clock, span } from "./replay-draw.js";

const COLUMNS = [["open", "Open"], ["claimed", "Claimed"], ["in_progress", "In progress"],
  ["review", "Review"], ["blocked", "Blocked"], ["closed", "Closed"]];
const CARDS = 12;
const ROW = 30;

export function el(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A command with a button that copies it. */
export function command(line) {
  const code = el("code", {}, line);
  const button = el("button", { type: "button", class: "rp-copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return el("div", { class: "rp-command" }, code, button);
}

export function detail(run, n) {
  const event = run.events[n];
  if (!event) {
    return [el("p", { class: "rp-dim" }, run.size ? "Before the first event. Press play, or step with →." : "Nothing has happened yet.")];
  }
  const pair = (name, value) => value ? [el("dt", {}, name), el("dd", {}, value)] : [];
  const place = `${n + 1} of ${run.size}`;
  return [
    el("p", { class: "rp-when" }, `${place} · ${clock(run.times[n], 0)} UTC · ${span(run.times[n] - run.times[0])} after the start`),
    el("p", { class: `rp-words ${look(event)}` }, event.words),
    event.problem ? el("p", {}, el("span", { class: `tag ${look(event)}` }, PROBLEMS[event.problem] ?? event.problem)) : null,
    event.text ? el("pre", { class: "rp-text" }, event.text) : null,
    el("dl", { class: "rp-facts" },
      ...pair("agent", event.agent), ...pair("task", event.task), ...pair("for", event.to),
      ...pair("holder", event.by), ...pair("about", event.name), ...pair("act", event.act),
      ...pair("session", event.sid), ...pair("signature", event.signature),
      ...pair("its own clock", event.said_at), ...pair("stored in", event.path)),
    event.command ? command(event.command) : null,
  ];
}

export function board(run, count, pick) {
  const tasks = run.standing("task"), columns = new Map(COLUMNS.map(([status]) => [status, []]));
  for (const [, event, n] of tasks) (columns.get(event.change.status) ?? columns.get("open")).push([event, n]);
  const shown = COLUMNS.filter(([status]) => columns.get(status).length || status === "open" || status === "closed");
  const card = ([event, n]) => {
    const { title, holder, next, note, status } = event.change;
    return el("li", { class: `rp-card ${status === "blocked" ? "bad" : ""}` },
      el("button", { type: "button", onclick: () => n >= 0 && pick(n) }, event.task),
      title !== event.task ? el("span", { class: "rp-title" }, title) : null,
      holder ? el("span", { class: "rp-holder" }, holder) : null,
      !holder && next ? el("span", { class: "rp-dim" }, `→ ${next}`) : null,
      note ? el("span", { class: "rp-note" }, note) : null);
  };
  const held = new Map();
  for (const [, event] of tasks) if (event.change.holder) held.set(event.change.holder, [...held.get(event.change.holder) ?? [], event.task]);
  const values = run.standing("memory"), files = run.standing("artifact");
  const value = ([, event]) => el("li", {}, el("code", {}, event.name), ` ${valueOf(event)}`);
  const list = (title, rows, row) => rows.length === 0 ? null
    : el("div", {}, el("h3", {}, `${title} `, el("span", { class: "rp-dim" }, String(rows.length))), el("ul", { class: "rp-list" }, ...rows.slice(-8).map(row)));
  return [
    el("div", { class: "rp-columns" }, ...shown.map(([status, name]) => {
      const cards = columns.get(status);
      return el("div", { class: "rp-column" }, el("h3", {}, name, " ", el("span", { class: "rp-dim" }, String(cards.length))),
        el("ul", {}, ...cards.slice(-CARDS).map(card)),
        cards.length > CARDS ? el("p", { class: "rp-dim" }, `and ${cards.length - CARDS} more`) : null);
    })),
    el("div", { class: "rp-rest" },
      list("At work", [...held], ([agent, names]) => el("li", {}, agent, el("span", { class: "rp-dim" }, ` ${names.slice(0, 4).join(", ")}`))),
      list("Memory", values, value),
      list("Artifacts", files, ([, event]) => el("li", {}, el("code", {}, event.name), el("span", { class: "rp-dim" }, event.task ? ` ${event.task}` : "")))),
  ];
}

function valueOf(event) {
  const said = event.text ?? event.words.slice(event.words.indexOf(" = ") + 3).replace(/^"(.*)"$/, "$1");
  const line = said.replace(/\s+/g, " ");
  return line.length > 90 ? `${line.slice(0, 90)}…` : line;
}

/** The list of events; of a long one only the rows in sight are in the page. */
export class Story {
  constructor(run, pick) {
    this.run = run;
    this.pick = pick;
    this.inner = el("div", { class: "rp-rows", role: "list" });
    this.node = el("div", { class: "rp-story", tabindex: "0", role: "region", "aria-label": "Events" }, this.inner);
    this.node.addEventListener("scroll", () => this.paint());
    this.chosen = -1;
  }

  /** Marks an event and brings it into sight. */
  show(chosen) {
    this.chosen = chosen;
    const { story } = this.run;
    let row = 0;
    for (let low = 0, high = story.length; low < high;) {
      const middle = (low + high) >>> 1;
      if (story[middle] <= chosen) { low = middle + 1; row = middle; } else high = middle;
    }
    const top = row * ROW, { node } = this;
    this.inner.style.height = `${story.length * ROW}px`;
    if (top < node.scrollTop || top + ROW > node.scrollTop + node.clientHeight) node.scrollTop = top - node.clientHeight / 2;
    this.paint();
  }

  paint() {
    const { run, node, inner } = this, { story } = run;
    inner.style.height = `${story.length * ROW}px`;
    const first = Math.max(0, Math.floor(node.scrollTop / ROW) - 4);
    const last = Math.min(story.length, first + Math.ceil((node.clientHeight || 400) / ROW) + 8);
    const rows = [];
    for (let at = first; at < last; at += 1) {
      const n = story[at], event = run.events[n];
      const row = el("div", { class: `rp-row ${look(event)}${n === this.chosen ? " now" : ""}${n > this.chosen ? " later" : ""}`, role: "listitem", "aria-current": n === this.chosen ? "true" : null },
        el("span", { class: "rp-n" }, String(n + 1)), el("time", {}, clock(run.times[n])),
        el("span", { class: "rp-dot" }), el("button", { type: "button", tabindex: "-1", title: event.words, onclick: () => this.pick(n) }, event.words));
      row.style.top = `${at * ROW}px`;
      rows.push(row);
    }
    if (!rows.length) rows.push(el("p", { class: "rp-dim", role: "listitem" }, "Nothing matches these filters."));
    inner.replaceChildren(...rows);
  }
}
