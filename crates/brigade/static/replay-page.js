// Starts the viewer on its page of the dashboard, and shows what happens as it happens.

import { mount } from "./replay-view.js";
import { transcript } from "./replay-beside.js";

const REST = 1500; // between two readings of the run, in milliseconds
const SHARE = 8; // a reading that takes long is followed by a rest of so many times that
const root = document.getElementById("replay");
let viewer = null, reading = false, due = false;

const query = (more) => {
  const asked = new URLSearchParams(), here = new URLSearchParams(location.search);
  for (const name of ["since", "until"]) if (here.get(name)) asked.set(name, here.get(name));
  for (const [name, value] of Object.entries(more)) asked.set(name, value);
  return asked.size ? `?${asked}` : "";
};

async function ask(path, more = {}) {
  const answer = await fetch(path + query(more), { headers: { accept: "application/json" } });
  return answer.ok ? answer.json() : null;
}

async function read() {
  if (document.hidden || reading) { due = true; return; }
  reading = true;
  due = false;
  const started = performance.now();
  try {
    const data = await ask("/api/replay", { lean: 1 });
    if (data) show(unfold(data));
  } catch {
    // The stream tells when the server is back.
  }
  setTimeout(() => { reading = false; if (due) read(); }, Math.max(REST, SHARE * (performance.now() - started)));
}

/** Names stand once in what is sent; the viewer takes events as the document has them. */
function unfold(data) {
  const name = (at) => at ? data.names[at] : undefined;
  const events = (rows) => {
    let at = 0;
    return rows.map(([since, [agent, sid, group, act, task, to, by, about], words, problem, change]) => ({
      at: at += since, agent: name(agent), sid: name(sid), group: name(group), act: name(act), task: name(task),
      to: name(to), by: name(by), name: name(about), words, problem,
      change: change ? { status: name(change[0]), title: name(change[1]) ?? "", generation: change[2], holder: name(change[3]), next: name(change[4]), note: name(change[5]) } : undefined,
    }));
  };
  const arrows = data.arrows.map(([kind, event, from, to, lands]) => ({ kind: name(kind), event, from: name(from), to: name(to), lands: lands ?? undefined }));
  return { ...data, names: null, arrows, before: events(data.before), events: events(data.events) };
}

/** What stands beside one event: its object, its command, its text. */
const inFull = (n) => ask(`/api/replay/${n}`);

function show(data) {
  if (data.reading && !data.events.length) { due = true; return; }
  if (viewer && data.events.length === viewer.size) return;
  if (viewer?.isPlaying()) { due = true; return; }
  // Whoever looks at an earlier moment, or at a part of the run, goes on looking at it.
  const at = viewer && !viewer.isAtEnd() ? viewer.at() : null;
  const before = viewer?.chosen();
  viewer?.end();
  viewer = mount(root, data, { at, before, inFull, beside: transcript() });
  document.getElementById("still").open = false;
}

new BroadcastChannel("brigade").addEventListener("message", ({ data }) => {
  if (data.kind === "change" || data.kind === "hello") read();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && due) read(); });
read();
