// What an agent said in its harness at the moment of an event, where its transcript is mirrored.

import { el } from "./replay-panels.js";
import { clock } from "./replay-draw.js";

/** Tells the viewer what stands beside a moment. The answer to an older question is not shown. */
export function transcript() {
  let asked = "";
  return async (node, event, run) => {
    const lane = event && run.lanes[run.laneOf.get(event.agent)];
    const stay = lane?.sessions.find((one) => one.sid === event.sid && one.harness_session);
    node.hidden = !run.lanes.some((one) => one.sessions.some((stay) => stay.harness_session));
    if (node.hidden) return;
    const time = event ? new Date(run.times[run.events.indexOf(event)]).toISOString() : "";
    const path = stay && `${encodeURIComponent(stay.harness)}/${encodeURIComponent(stay.harness_session)}`;
    const question = `${path} ${time}`;
    if (question === asked) return;
    asked = question;
    const head = el("h2", {}, "The transcript at that moment");
    if (!stay) {
      node.replaceChildren(head, el("p", { class: "rp-dim" }, event ? `${event.agent} named no transcript for this session.` : "Nobody has said anything yet."));
      return;
    }
    const said = await fetch(`/api/sessions/${path}/at?time=${encodeURIComponent(time)}`, { headers: { accept: "application/json" } })
      .then((answer) => answer.ok ? answer.json() : null, () => null);
    if (asked !== question) return;
    if (!said) {
      node.replaceChildren(head, el("p", { class: "rp-dim" }, `${event.agent}'s session in ${stay.harness} is not mirrored; its agent can do that with:`), el("code", {}, "brigade session mirror"));
      return;
    }
    node.replaceChildren(head, el("p", {}, el("a", { href: said.page }, said.title), el("span", { class: "rp-dim" }, ` · ${event.agent} in ${stay.harness}`)),
      el("ol", { class: "rp-talk" }, ...said.turns.map(turn)));
    if (!said.turns.length) node.append(el("p", { class: "rp-dim" }, "Nothing was said there."));
  };
}

function turn(said) {
  const text = said.text.map(([mark, piece]) => mark ? el("mark", {}, piece) : piece);
  const head = [el("strong", {}, said.speaker), said.at ? el("time", { class: "rp-dim" }, ` ${clock(Date.parse(said.at), 0)}`) : null];
  return el("li", { class: `rp-turn ${said.kind}${said.later ? " later" : ""}` }, said.fold
    ? el("details", {}, el("summary", {}, ...head, el("span", { class: "rp-dim" }, ` ${said.fold}`)), el("pre", {}, ...text))
    : el("div", {}, el("div", {}, ...head), el("div", { class: "rp-said" }, ...text)));
}
