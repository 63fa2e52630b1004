"""Group `replay`: a run of 200 agents and 50,000 events as a file, that file in a browser, and the
dashboard over that run."""

import json
import os
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

from .figures import rounded, summary
from .long_run import LongRun
from .process import peak_kib
from .subjects import PROJECT, Bench, Subject

AGENTS, EVENTS = 200, 50_000
ROUNDS = 3
PAGES = {
    "Now": "/", "Board": "/board", "Graph": "/graph", "Journal": "/events", "Replay": "/replay",
    "Replay, its data": "/api/replay?lean=1",
}  # fmt: skip
# How long the dashboard has to come up, and between two rounds: pages are asked for, not a cache.
COMES_UP_S, REST_S = 60, 3
VERBS = {
    "replay": ["replay"],
    "replay --html": ["replay", "--html", "run.html"],
    "replay --html --no-redact": ["replay", "--html", "plain.html", "--no-redact"],
    "replay --perfetto": ["replay", "--perfetto", "run.json"],
}


def measure(bench: Bench) -> dict:
    subject = bench.directory()
    count = LongRun(subject.project / ".brigade" / PROJECT, AGENTS).play(EVENTS)
    first = subject.must("reader", "replay").ms
    times = {}
    for verb, words in VERBS.items():
        ms = [subject.must("reader", *words).ms for _ in range(ROUNDS)]
        peak = peak_kib(subject.command("reader", *words))
        times[verb] = {**summary(ms), "ms": rounded(ms), "peak_kib": peak}
    page = subject.project / "run.html"
    return {
        "agents": AGENTS, "events": count, "first_ms": round(first), "verbs": times,
        "html_bytes": page.stat().st_size,
        "perfetto_bytes": (subject.project / "run.json").stat().st_size,
        "browser": _browser(bench.work, page.as_uri()),
        "dashboard": _dashboard(bench.work, subject),
    }  # fmt: skip


def _dashboard(work: Path, subject: Subject) -> dict:
    """Each page as it is asked for first and when it is known, and the memory of the server."""
    command = subject.command("reader", "serve", "--port", "0", "--json")
    started = time.perf_counter()
    server = subprocess.Popen(
        command.argv, env=command.env, cwd=command.cwd, stdout=subprocess.PIPE, text=True
    )
    try:
        said = ""
        while not said.rstrip().endswith("}"):
            said += server.stdout.readline()
        origin = json.loads(said)["url"].rstrip("/")
        up_ms = (time.perf_counter() - started) * 1000
        pages: dict[str, dict] = {}
        for name, path in PAGES.items():
            ms, size = _asked(origin + path)
            pages[name] = {"first_ms": round(ms, 1), "bytes": size, "ms": []}
        for _ in range(ROUNDS):
            time.sleep(REST_S)
            for name, path in PAGES.items():
                pages[name]["ms"].append(round(_asked(origin + path)[0], 1))
        for page in pages.values():
            page["median"] = summary(page["ms"])["median"]
        browser = _browser(work, origin + "/replay")
        status = Path(f"/proc/{server.pid}/status").read_text()
        memory = {line.split(":")[0]: int(line.split()[1]) for line in status.splitlines() if line.startswith("Vm")}
        return {
            "up_ms": round(up_ms), "pages": pages, "browser": browser,
            "peak_kib": memory["VmHWM"], "rss_kib": memory["VmRSS"],
        }  # fmt: skip
    finally:
        server.terminate()
        server.wait(COMES_UP_S)


def _asked(url: str) -> tuple[float, int]:
    started = time.perf_counter()
    with urllib.request.urlopen(url, timeout=COMES_UP_S) as answer:
        size = len(answer.read())
    return (time.perf_counter() - started) * 1000, size


def _browser(work: Path, url: str) -> dict | None:
    """Where there are Node, Chromium and playwright-core; else nothing is said of it."""
    chromium = shutil.which("chromium")
    if not (chromium and shutil.which("npm")):
        return None
    folder = work / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_suffix(".mjs"), folder / "replay.mjs")
    install = ["npm", "install", "--no-fund", "--no-audit", "playwright-core"]
    subprocess.run(install, cwd=folder, check=True, capture_output=True)
    env = {**os.environ, "CHROMIUM": chromium}
    run = ["node", "replay.mjs", url]
    rounds = []
    for _ in range(ROUNDS):
        ran = subprocess.run(run, cwd=folder, env=env, check=True, capture_output=True, timeout=300)
        rounds.append(json.loads(ran.stdout))
        time.sleep(1)
    names = [name for name in rounds[0] if isinstance(rounds[0][name], (int, float))]
    return {name: summary([one[name] for one in rounds]) for name in names}
