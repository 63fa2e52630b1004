// The run as data: places on the axis, the board at any moment, what is next. No page in here.

export const BROADCAST = "_broadcast";
export const GROUPS = [
  ["claim", "claims"], ["handoff", "handoffs"], ["refusal", "refusals"], ["task", "tasks"],
  ["mail", "mail"], ["memory", "memory"], ["artifact", "artifacts"], ["comment", "comments"],
  ["files", "files"], ["session", "sessions"], ["other", "other"],
];
export const PROBLEMS = {
  blocked: "blocked", refused: "refused", timed_out: "timed out", taken_over: "taken over",
  forced: "by force", needs_human: "needs a person", lost_in_merge: "lost in a merge",
  bad_signature: "bad signature",
};
const GRAVE = new Set(["blocked", "bad_signature", "lost_in_merge"]);

/** What an event looks like: its kind, or how bad it is. */
export function look(event) {
  if (!event.problem) return event.group;
  return GRAVE.has(event.problem) ? "bad" : "warn";
}

/** What is drawn when several events are one mark. */
export function weight(event) {
  const kind = look(event);
  if (kind === "bad") return 9;
  if (kind === "warn") return 8;
  return { handoff: 5, claim: 4, artifact: 3, session: 0, other: 0 }[kind] ?? 1;
}

/** How many of `sorted` are not above `value`. */
export function countUpTo(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] <= value) low = middle + 1; else high = middle;
  }
  return low;
}

export class Run {
  constructor(data) {
    this.data = data;
    this.events = data.events;
    this.size = data.events.length;
    this.times = Float64Array.from(data.events, (event) => typeof event.at === "number" ? event.at : Date.parse(event.at));
    this.lanes = data.agents;
    this.laneOf = new Map(data.agents.map((lane, at) => [lane.name, at]));
    this.laneEvents = data.agents.map(() => []);
    data.events.forEach((event, n) => this.laneEvents[this.laneOf.get(event.agent)]?.push(n));
    this.lay(false);
    this.laneBars = data.agents.map(() => []);
    for (const bar of data.bars) this.laneBars[this.laneOf.get(bar.agent)]?.push(bar);
    this.foldFrom(data.before ?? []);
    this.filter({});
  }

  /** Puts every event on the axis, with long pauses short or as they were. */
  lay(real) {
    const gaps = new Map(this.data.gaps.map((gap) => [gap.after, gap.shown_ms]));
    this.places = new Float64Array(this.size);
    for (let n = 1; n < this.size; n += 1) {
      const pause = this.times[n] - this.times[n - 1];
      this.places[n] = this.places[n - 1] + (real ? pause : gaps.get(n - 1) ?? pause);
    }
    // Some room at the end for what goes on.
    this.length = Math.max(1, this.size ? this.places[this.size - 1] * 1.06 : 1);
    this.lanePlaces = this.laneEvents.map((list) => Float64Array.from(list, (n) => this.places[n]));
  }

  place(n) {
    return n === null || n === undefined || n >= this.size ? this.length : this.places[n];
  }

  /** How many events have happened at a place. */
  countAt(place) {
    return countUpTo(this.places, place);
  }

  timeAt(place) {
    if (!this.size) return 0;
    const after = this.countAt(place);
    if (after === 0) return this.times[0];
    if (after === this.size) return this.times[after - 1];
    const from = this.places[after - 1], shown = this.places[after] - from;
    const part = shown > 0 ? (place - from) / shown : 0;
    return this.times[after - 1] + part * (this.times[after] - this.times[after - 1]);
  }

  /** The board is the last event on each slot; one event forth or back changes one slot. */
  foldFrom(before) {
    this.before = before;
    const known = new Map(), newest = [];
    this.slots = [];
    this.steps = [...before, ...this.events].map((event, n) => {
      const slot = slotOf(event);
      if (!slot) return null;
      let id = known.get(slot.join("\n"));
      if (id === undefined) {
        id = this.slots.length;
        known.set(slot.join("\n"), id);
        this.slots.push(slot);
        newest.push(-1);
      }
      const step = [id, newest[id]];
      newest[id] = n;
      return step;
    });
    this.now = new Int32Array(this.slots.length).fill(-1);
    this.folded = 0;
    this.seek(0);
  }

  seek(count) {
    const start = this.before.length;
    const goal = start + Math.max(0, Math.min(this.size, count));
    for (; this.folded < goal; this.folded += 1) {
      const step = this.steps[this.folded];
      if (step) this.now[step[0]] = this.folded;
    }
    while (this.folded > goal) {
      this.folded -= 1;
      const step = this.steps[this.folded];
      if (step) this.now[step[0]] = step[1];
    }
  }

  /** The newest event on each slot of a kind, as [slot, event, its number or -1]. */
  standing(kind) {
    const start = this.before.length, found = [];
    this.slots.forEach((slot, id) => {
      const n = this.now[id];
      if (n < 0 || slot[0] !== kind) return;
      found.push([slot, n < start ? this.before[n] : this.events[n - start], n - start]);
    });
    return found;
  }

  /** Which events are shown. */
  filter({ agent = "", task = "", groups = null, problems = false }) {
    const wanted = task.toLowerCase();
    this.onlyAgent = agent;
    this.onlyTask = wanted;
    this.shown = new Uint8Array(this.size);
    this.story = [];
    this.events.forEach((event, n) => {
      const shown = (!agent || event.agent === agent || event.to === agent || event.by === agent)
        && (!wanted || (event.task ?? "").toLowerCase().includes(wanted))
        && (!groups || groups.has(event.group))
        && (!problems || Boolean(event.problem));
      this.shown[n] = shown ? 1 : 0;
      if (shown) this.story.push(n);
    });
    this.isFiltered = this.story.length < this.size;
  }

  /** The next event that is shown, or that is a problem; null when there is none. */
  step(from, by, problemsOnly) {
    for (let n = from + by; n >= 0 && n < this.size; n += by) {
      if (this.shown[n] && (!problemsOnly || this.events[n].problem)) return n;
    }
    return null;
  }
}

function slotOf(event) {
  if (event.group === "session") return ["session", event.agent, event.sid];
  if (event.group === "memory") return event.name ? ["memory", event.name] : null;
  if (event.group === "artifact") return event.name ? ["artifact", event.task ?? "", event.name] : null;
  return event.change && event.task ? ["task", event.task] : null;
}
