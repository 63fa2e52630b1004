// A session that is read at its end grows as its parts come. Only what is new is asked for.
import { parsed } from "./live.js";

const SOON = 3000; // between two looks, in milliseconds
const LATE = 30000; // while nothing comes

export function grow() {
  const talk = document.querySelector("ol.talk[data-end]:not([data-dressed])");
  if (!talk) return;
  talk.dataset.dressed = "";
  const says = document.getElementById("grows");
  says.hidden = false;
  says.textContent = "This is the end so far; what is said next appears here.";
  let pause = SOON, timer = 0;
  const look = async () => {
    clearTimeout(timer);
    if (!talk.isConnected) return;
    if (document.hidden) { timer = setTimeout(look, SOON); return; }
    const came = await more(talk).catch(() => 0);
    pause = came ? SOON : Math.min(LATE, pause * 1.3);
    // What was behind by more than a page is read on at once.
    timer = setTimeout(look, talk.hasAttribute("data-end") ? pause : 0);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { pause = SOON; look(); } });
  timer = setTimeout(look, pause);
}

/** Puts what has come behind what is there, and says how many turns that was. */
async function more(talk) {
  const answer = await fetch(talk.dataset.more, { headers: { accept: "text/html" } });
  const fresh = answer.ok && parsed(await answer.text()).querySelector("ol.talk");
  if (!fresh) return 0;
  const turns = [...fresh.children], bottom = document.documentElement.scrollHeight - 60;
  const reads = window.scrollY + window.innerHeight >= bottom;
  talk.append(...turns);
  talk.dataset.more = fresh.dataset.more;
  talk.toggleAttribute("data-end", fresh.hasAttribute("data-end"));
  document.querySelector("#main .empty")?.remove();
  // Whoever reads at the end goes on doing so; whoever reads further up stays there.
  if (turns.length && reads) window.scrollTo(0, document.documentElement.scrollHeight);
  return turns.length;
}
