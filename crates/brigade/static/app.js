// Everything here is an addition: each page reads without it.
import { watchChanges } from "./live.js";
import { listenToKeys } from "./keys.js";
import { graphs } from "./graph.js";
import { grow } from "./session.js";

/** What has to be set up again after a page was drawn anew. */
export function dress() {
  copyButtons();
  selfSubmitting();
  graphs();
  grow();
}

// A button at each command; without scripts the command is there to be selected.
function copyButtons() {
  for (const code of document.querySelectorAll("code.cmd:not(:has(button))")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "copy";
    button.setAttribute("aria-label", `Copy: ${code.textContent.trim()}`);
    code.append(button);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("code.cmd button");
  if (button) copy(button);
});

export async function copy(button) {
  const words = button.parentElement.firstChild.textContent.trim();
  try {
    await navigator.clipboard.writeText(words);
    button.textContent = "copied";
  } catch {
    const range = document.createRange();
    range.selectNodeContents(button.parentElement.firstChild);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    button.textContent = "selected";
  }
  setTimeout(() => { button.textContent = "copy"; }, 1500);
}

/** Copies a command that stands on no button, and says so. */
export async function copyWords(words) {
  const live = document.getElementById("live");
  try {
    await navigator.clipboard.writeText(words);
    const before = live.textContent;
    live.hidden = false;
    live.textContent = `copied: ${words}`;
    setTimeout(() => { live.textContent = before; }, 2000);
  } catch {
    // Nothing may be copied here; the task's page shows the command.
  }
}

// Filters act as they are chosen; without scripts there is the button.
function selfSubmitting() {
  for (const form of document.querySelectorAll("form.filters:not([data-dressed])")) {
    form.dataset.dressed = "";
    let timer;
    const submit = () => { clearTimeout(timer); form.requestSubmit(); };
    form.addEventListener("change", submit);
    form.addEventListener("input", (event) => {
      if (event.target.type !== "search") return;
      clearTimeout(timer);
      timer = setTimeout(submit, 300);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const query = new URLSearchParams();
      for (const [name, value] of new FormData(form)) if (value) query.append(name, value);
      const text = query.toString();
      history.replaceState(null, "", text ? `?${text}` : location.pathname);
      import("./live.js").then((live) => live.refresh());
    });
  }
}

// Moments are told from now, so they are told again.
function tellTimes() {
  const now = Date.now();
  for (const time of document.querySelectorAll("main time")) {
    const away = (Date.parse(time.dateTime) - now) / 1000;
    if (Number.isNaN(away)) continue;
    const words = Math.abs(away) < 1 ? "just now" : away < 0 ? `${span(-away)} ago` : `in ${span(away)}`;
    if (time.textContent !== words) time.textContent = words;
  }
}

function span(seconds) {
  if (seconds < 90) return `${Math.floor(seconds)} s`;
  if (seconds < 5400) return `${Math.floor((seconds + 30) / 60)} min`;
  if (seconds < 172800) return `${Math.floor((seconds + 1800) / 3600)} h`;
  return `${Math.floor((seconds + 43200) / 86400)} d`;
}

dress();
listenToKeys();
watchChanges(dress);
setInterval(tellTimes, 10000);
