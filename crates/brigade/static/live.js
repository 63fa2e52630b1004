// Changes as they happen. All the tabs of a browser share one stream: whichever tab has the lock
// holds it and passes on what it hears.
import { Idiomorph } from "./idiomorph.js";

const REST = 400; // between two drawings of one page, in milliseconds
const policy = globalThis.trustedTypes?.createPolicy("brigade", { createHTML: (text) => text });
const channel = new BroadcastChannel("brigade");

let dress = () => {};
let drawing = false;
let again = false;
let due = false;

export function watchChanges(dressed) {
  dress = dressed;
  channel.addEventListener("message", (event) => hear(event.data));
  if (navigator.locks) {
    // Given to one tab at a time, and to the next when that one is closed.
    navigator.locks.request("brigade-stream", () => new Promise(() => listen()));
    channel.postMessage({ kind: "ask" });
  } else {
    listen();
  }
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && due) refresh();
  });
}

let state = null;

function listen() {
  const stream = new EventSource("/api/stream");
  const tell = (message) => { state = message; hear(message); channel.postMessage(message); };
  stream.addEventListener("hello", (event) => tell({ kind: "hello", ...JSON.parse(event.data) }));
  stream.addEventListener("change", (event) => tell({ kind: "change", ...JSON.parse(event.data) }));
  stream.addEventListener("error", () => tell({ kind: "lost" }));
  channel.addEventListener("message", (event) => {
    if (event.data.kind === "ask" && state) channel.postMessage({ ...state, kind: state.kind === "lost" ? "lost" : "hello" });
  });
}

function hear(message) {
  if (message.kind === "ask") return;
  const live = document.getElementById("live");
  live.hidden = false;
  live.classList.toggle("off", message.kind === "lost" || Boolean(message.trouble));
  if (message.kind === "lost") {
    live.textContent = "not connected";
    return;
  }
  live.textContent = message.trouble ? "store not reached" : "live";
  const main = document.getElementById("main");
  if (message.kind === "hello") {
    if (String(message.revision) !== main.dataset.revision) refresh();
    return;
  }
  if (concerns(main.dataset.rooms ?? "all", message)) refresh();
}

function concerns(wanted, message) {
  const rooms = message.rooms ?? [];
  if (wanted === "none") return false;
  if (wanted === "all" || rooms.includes("all") || rooms.includes("store")) return true;
  const known = wanted.split(" ");
  return rooms.some((room) => known.includes(room));
}

/** Draws the page anew, and changes only what is other than before. */
export async function refresh() {
  if (document.hidden) { due = true; return; }
  if (drawing) { again = true; return; }
  drawing = true;
  due = false;
  try {
    const answer = await fetch(location.pathname + location.search, { headers: { accept: "text/html" } });
    if (answer.ok) draw(await answer.text());
  } catch {
    // The stream tells when the server is back, and then the page is drawn.
  }
  setTimeout(() => {
    drawing = false;
    if (again) { again = false; refresh(); }
  }, REST);
}

/** A page of this server as a document. Nothing in it runs. */
export function parsed(text) {
  return new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
}

function draw(text) {
  const page = parsed(text);
  const [old, fresh] = [document.getElementById("main"), page.getElementById("main")];
  if (!fresh) return;
  Idiomorph.morph(old, fresh, {
    ignoreActiveValue: true,
    callbacks: {
      beforeNodeMorphed: keepWhatPeopleDo,
      beforeAttributeUpdated: (name, node) => !(name === "data-dressed" || name === "data-held" || (name === "class" && node.dataset?.held !== undefined) || (name === "open" && node.tagName === "DETAILS") || ((name === "viewBox" || name === "style") && node.dataset?.held !== undefined)),
    },
  });
  document.title = page.title;
  dress();
}

function keepWhatPeopleDo(node, fresh) {
  if (node.nodeType !== Node.ELEMENT_NODE) return true;
  // What somebody is writing stays; so do commands with their buttons, unless they changed.
  if (node.matches("textarea, input:not([type=hidden])") && node.value !== "" && node.closest("form.act")) return false;
  if (node.matches("code.cmd")) return node.firstChild?.textContent.trim() !== fresh.textContent.trim();
  return true;
}
