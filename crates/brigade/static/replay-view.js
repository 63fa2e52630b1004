// The viewer: the controls, and what happens when they are used.

import { GROUPS, Run } from "./replay-model.js";
import { Timeline, clock, span } from "./replay-draw.js";
import { Overview } from "./replay-map.js";
import { Story, board, detail, el } from "./replay-panels.js";

const SPEEDS = [0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14400];
/** A whole run plays in about so long unless somebody says otherwise. */
const SHOW_MS = 25000;

/** How long one rests on an event before what stands beside it is asked for. */
const REST_MS = 150;

/**
 * Puts the viewer into `root`. `at` is where it starts, `before` what was chosen in one before it;
 * `inFull` fetches an event of which only what is drawn was sent, and `beside` is told of every
 * moment on which somebody rests.
 */
export function mount(root, data, { beside = null, at = null, before = null, inFull = null } = {}) {
  const over = new AbortController(), { signal } = over;
  const run = new Run(data);
  const state = { count: run.size, place: run.length, playing: false, speed: speedFor(run.length), last: 0 };
  const button = (label, title, act, key) => el("button", { type: "button", title: key ? `${title} (${key})` : title, "aria-label": title, onclick: act }, label);
  const play = button("▶ Play", "Play or pause", () => toggle(), "space");
  play.classList.add("rp-play");
  const speed = el("select", { "aria-label": "Speed" }, ...SPEEDS.map((by) => el("option", { value: by, selected: by === state.speed }, `${by}×`)));
  speed.addEventListener("change", () => { state.speed = Number(speed.value); });
  const where = el("output", { class: "rp-where", "aria-live": "off" });
  const problems = data.events.filter((event) => event.problem).length;
  const controls = el("div", { class: "rp-controls", role: "toolbar", "aria-label": "Playback" },
    button("«", "To the start", () => go(0), "Home"), button("‹", "One event back", () => stepBy(-1), "←"), play,
    button("›", "Next event", () => stepBy(1), "→"), button("»", "To the end", () => go(run.size), "End"), speed,
    el("span", { class: "rp-sep" }),
    button("◆ Previous", "◆ Previous problem", () => stepBy(-1, true), "p"),
    button("◆ Next problem", "◆ Next problem", () => stepBy(1, true), "n"),
    el("span", { class: "rp-dim" }, problems === 1 ? "1 problem" : `${problems} problems`),
    el("span", { class: "rp-sep" }),
    button("−", "Zoom out", () => zoom(1.6), "-"), button("+", "Zoom in", () => zoom(0.625), "+"), button("Fit", "Fit the whole run", () => { timeline.view(0, run.length); paint(); }, "0"),
    el("label", { class: "rp-check" }, el("input", { type: "checkbox", onchange: (change) => relay(change.target.checked) }), "real time"), where);
  const { node: filters, onchange, restore, wanted: filtered } = filterBar(run, data);
  const stage = el("div", { class: "rp-stage", tabindex: "0", role: "group", "aria-label": "Timeline; arrow keys step through the events" });
  const tip = el("div", { class: "rp-tip", hidden: true });
  const scrub = el("input", { type: "range", min: 0, max: 100000, step: 1, class: "rp-range", "aria-label": "Moment" });
  const strip = el("div", { class: "rp-strip" });
  const panelDetail = el("section", { class: "rp-panel rp-detail", "aria-label": "The chosen event" });
  const panelBoard = el("section", { class: "rp-panel rp-board", "aria-label": "The board at that moment" });
  const extra = beside ? el("section", { class: "rp-panel rp-beside", "aria-label": "The transcript at that moment" }) : null;
  const story = new Story(run, (n) => go(n + 1));
  root.replaceChildren(controls, filters, el("div", { class: "rp-frame" }, stage, tip), legend(), strip, el("div", { class: "rp-below" },
    el("section", { class: "rp-panel" }, el("h2", {}, "What happened"), story.node), panelDetail, panelBoard, extra));
  const timeline = new Timeline(run, stage);
  const overview = new Overview(run, timeline);
  strip.append(overview.canvas, scrub);
  const fold = later(() => {
    run.seek(state.count);
    panelBoard.replaceChildren(el("h2", {}, "The board at that moment"), ...board(run, state.count, (n) => go(n + 1)));
    panelDetail.replaceChildren(el("h2", {}, "This event"), ...detail(run, state.count - 1).filter(Boolean));
    story.show(state.count - 1);
    settle();
  });
  // Whoever scrubs passes a hundred events; only the one on which they rest is asked for.
  const settle = slowly(async () => {
    const n = state.count - 1, event = run.events[n];
    if (event && !event.path && !event.asked && inFull) {
      event.asked = true;
      const full = await inFull(n).catch(() => null);
      // Something older may have come meanwhile: then this is another event.
      if (full?.words === event.words) {
        Object.assign(event, full, { at: event.at });
        if (state.count - 1 === n) panelDetail.replaceChildren(el("h2", {}, "This event"), ...detail(run, n).filter(Boolean));
      }
    }
    if (!over.signal.aborted && state.count - 1 === n) beside?.(extra, event, run);
  }, REST_MS);
  const draw = later(() => {
    timeline.paint(state.place, state.count - 1);
    overview.paint(state.place);
    const event = run.events[state.count - 1];
    where.textContent = `${state.count} of ${run.size} · ${clock(run.timeAt(state.place), run.times[run.size - 1] - run.times[0])}`;
    stage.setAttribute("aria-description", event ? event.words : "before the first event");
  });
  function paint() { draw(); }

  function go(count, place) {
    state.count = Math.max(0, Math.min(run.size, count));
    state.place = place ?? (state.count ? run.places[state.count - 1] : 0);
    scrub.value = Math.round((state.place / run.length) * 100000);
    scrub.setAttribute("aria-valuetext", run.events[state.count - 1]?.words ?? "the start");
    timeline.follow(state.place);
    if (run.size) remember(state.count < run.size ? `#event=${state.count}` : " ");
    fold();
    paint();
  }
  function stepBy(by, problemsOnly) {
    pause();
    const n = run.step(state.count - 1, by, problemsOnly);
    if (n !== null) go(n + 1); else if (!problemsOnly) go(by > 0 ? run.size : 0);
  }
  function zoom(by) {
    const inView = state.place >= timeline.from && state.place <= timeline.to;
    timeline.zoom(by, inView ? state.place : undefined);
    paint();
  }
  function relay(real) {
    run.lay(real);
    timeline.view(0, run.length);
    overview.dirty = true;
    state.speed = speedFor(run.length);
    speed.value = state.speed;
    go(state.count);
  }
  function toggle() {
    if (state.playing) { pause(); return; }
    if (state.count >= run.size) go(0);
    state.playing = true;
    state.last = performance.now();
    play.textContent = "Pause";
    requestAnimationFrame(tick);
  }
  function pause() {
    state.playing = false;
    play.textContent = "▶ Play";
  }
  function tick(now) {
    if (!state.playing) return;
    const place = state.place + (now - state.last) * state.speed;
    state.last = now;
    const count = run.countAt(place);
    if (count !== state.count) { go(count, Math.min(run.length, place)); } else {
      state.place = Math.min(run.length, place);
      scrub.value = Math.round((state.place / run.length) * 100000);
      timeline.follow(state.place);
      paint();
    }
    if (state.place >= run.length) { pause(); return; }
    requestAnimationFrame(tick);
  }

  scrub.addEventListener("input", () => {
    const place = (Number(scrub.value) / 100000) * run.length;
    go(Number(scrub.value) === 0 ? 0 : run.countAt(place), place);
  });
  const choose = (wanted) => {
    run.filter(wanted);
    timeline.measure();
    overview.dirty = true;
    fold();
    paint();
  };
  onchange(choose);
  pointer(stage, timeline, tip, run, {
    pick: (n) => { pause(); go(n + 1); }, seek: (place) => { pause(); go(run.countAt(place), place); }, paint,
    zoomTo: (place) => { timeline.zoom(0.4, place); paint(); },
  });
  stage.addEventListener("scroll", () => { timeline.dirty = true; paint(); });
  const resized = later(() => { timeline.resize(); overview.dirty = true; draw.now(); story.paint(); });
  const observer = new ResizeObserver(resized);
  observer.observe(root);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { timeline.theme(); overview.dirty = true; paint(); }, { signal });
  let lastKey = "";
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input:not([type=range]):not([type=checkbox]), select, textarea, dialog")) return;
    if (event.key === " " && event.target.closest?.("button, input, summary, a")) return;
    const act = { " ": toggle, ArrowLeft: () => stepBy(-1), ArrowRight: () => stepBy(1), n: () => stepBy(1, true), p: () => stepBy(-1, true),
      Home: () => go(0), End: () => go(run.size), "+": () => zoom(0.625), "=": () => zoom(0.625), "-": () => zoom(1.6), 0: () => { timeline.view(0, run.length); paint(); } }[event.key];
    // `g` and a letter lead to another page of the dashboard.
    const leads = lastKey === "g";
    lastKey = event.key;
    if (!act || leads) return;
    event.preventDefault();
    act();
  }, { signal });
  const jump = () => {
    const asked = /^#event=(\d+)$/.exec(location.hash);
    go(asked ? Number(asked[1]) : run.size, asked ? undefined : run.length);
  };
  window.addEventListener("hashchange", jump, { signal });
  if (before) {
    restore(before.filter);
    choose(filtered());
  }
  if (at === null) jump(); else go(at);
  if (before?.view) timeline.view(...before.view);
  draw.now();
  fold.now();
  root.dataset.ready = "true";
  return {
    size: run.size,
    go,
    at: () => state.count,
    isAtEnd: () => state.count >= run.size,
    isPlaying: () => state.playing,
    chosen: () => ({ filter: filtered(), view: timeline.isWhole ? null : [timeline.from, timeline.to] }),
    end: () => { pause(); over.abort(); observer.disconnect(); },
  };
}

/** The moment stands in the address, for a link; browsers do not let it change a hundred times a second. */
const remember = rarely((hash) => history.replaceState(null, "", hash === " " ? location.pathname + location.search : hash));

function rarely(act) { return slowly(act, 250); }

/** Does it when it was not asked for again for so long. */
function slowly(act, pause) {
  let timer = 0;
  return (value) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(value), pause);
  };
}

/** Does it once before the next frame, however often it is asked for. */
function later(act) {
  let waits = false;
  const ask = () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => { if (waits) ask.now(); });
  };
  ask.now = () => { waits = false; act(); };
  return ask;
}

function speedFor(length) {
  return SPEEDS.find((by) => length / by <= SHOW_MS) ?? SPEEDS.at(-1);
}

function filterBar(run, data) {
  let tell = () => {};
  const agent = el("select", { "aria-label": "Agent" }, el("option", { value: "" }, "every agent"), ...data.agents.map((lane) => el("option", { value: lane.name }, lane.name)));
  const task = el("input", { type: "search", placeholder: "task", "aria-label": "Task", size: 14 });
  const present = new Set(data.events.map((event) => event.group));
  const boxes = GROUPS.filter(([group]) => present.has(group)).map(([group, name]) => {
    const box = el("input", { type: "checkbox", value: group, checked: true });
    return [box, el("label", { class: `rp-chip ${group}` }, box, name)];
  });
  const only = el("input", { type: "checkbox" });
  const wanted = () => ({ agent: agent.value, task: task.value.trim(), problems: only.checked,
    groups: boxes.every(([box]) => box.checked) ? null : new Set(boxes.filter(([box]) => box.checked).map(([box]) => box.value)) });
  const node = el("div", { class: "rp-filters", role: "group", "aria-label": "Filters" }, agent, task, ...boxes.map(([, label]) => label), el("label", { class: "rp-chip warn" }, only, "problems only"));
  node.addEventListener("input", () => tell(wanted()));
  const restore = (before) => {
    agent.value = before.agent;
    if (agent.selectedIndex < 0) agent.value = "";
    task.value = before.task;
    only.checked = before.problems;
    for (const [box] of boxes) box.checked = !before.groups || before.groups.has(box.value);
  };
  return { node, wanted, restore, onchange: (act) => { tell = act; } };
}

function legend() {
  const item = (kind, words) => el("span", { class: `rp-key ${kind}` }, words);
  return el("p", { class: "rp-legend" }, item("bar", "holds a task"), item("bar bad", "ended blocked"), item("warn", "refused, taken over"), item("bad", "blocked"),
    item("claim", "claim"), item("handoff", "handoff"), item("mail", "mail"), item("memory", "memory"), item("artifact", "artifact"), item("arrow", "arrows: handoffs and mail"));
}

function pointer(stage, timeline, tip, run, { pick, seek, paint, zoomTo }) {
  let drag = null;
  const at = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  stage.addEventListener("pointerdown", (event) => {
    const [x, y] = at(event);
    if (event.button === 0 && x >= timeline.left - 12) drag = { x, y, from: timeline.from, to: timeline.to, far: false, head: y < 30 };
  });
  stage.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (drag) {
      if (Math.abs(x - drag.x) > 4) drag.far = true;
      if (drag.head || timeline.isWhole) { if (drag.far) seek(Math.max(0, Math.min(run.length, timeline.placeOf(x)))); } else if (drag.far) {
        const by = ((drag.x - x) / (timeline.right - timeline.left)) * (drag.to - drag.from);
        timeline.view(drag.from + by, drag.to + by);
        paint();
      }
      return;
    }
    const spot = timeline.spotAt(x, y);
    stage.style.cursor = spot ? "pointer" : "default";
    tip.hidden = !spot;
    if (!spot) return;
    const event_ = run.events[spot.n], more = spot.count > 1 ? ` (and ${spot.count - 1} more here)` : "";
    tip.textContent = spot.bar ? `${spot.bar.agent} holds ${spot.bar.task}: ${words(spot.bar, run)}` : `${event_.words}${more}`;
    tip.style.left = `${Math.min(x + 14, timeline.width - 260)}px`;
    tip.style.top = `${y + 16}px`;
  });
  const end = (event) => {
    if (!drag) return;
    const [x, y] = at(event), moved = drag.far;
    drag = null;
    if (moved) return;
    const spot = timeline.spotAt(x, y);
    if (spot && spot.n !== null) pick(spot.n); else seek(Math.max(0, Math.min(run.length, timeline.placeOf(x))));
  };
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointerleave", () => { tip.hidden = true; drag = null; });
  stage.addEventListener("dblclick", (event) => zoomTo(timeline.placeOf(at(event)[0])));
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    const by = event.deltaY || event.deltaX;
    if (event.ctrlKey) timeline.zoom(by > 0 ? 1.2 : 0.83, timeline.placeOf(at(event)[0]));
    else timeline.view(timeline.from + ((timeline.to - timeline.from) * by) / 1000, timeline.to + ((timeline.to - timeline.from) * by) / 1000);
    paint();
  }, { passive: false });
}

function words(bar, run) {
  const from = run.times[bar.from ?? 0], to = bar.until === null ? run.times[run.size - 1] : run.times[bar.until];
  return `${span(to - from)}, ${bar.end.replace("_", " ")}`;
}
