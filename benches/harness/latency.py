"""Group `latency`: what looking costs behind a network, in requests and in seconds.

A proxy makes every answer of moto late by 5, 30 and 100 ms and counts what was asked. brigade's
projects are filled by hand; tracecraft's by its own commands, with ten of each: what its looks ask
does not grow with the tasks.
"""

import http.client
import threading
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .delay import Delay
from .process import Command, timed
from .seed import fill
from .subjects import PROJECT, Bench, Subject

LATE_MS = [5, 30, 100]
SIZES, SIZES_FULL = [10, 1_000], [10, 1_000, 10_000]
LOOKS = {
    "status": ["status"],
    "ready": ["ready"],
    "list": ["list"],
    "prime": ["prime"],
    "inbox": ["inbox", "--new"],
    "step-status": ["step-status", "task-00001"],
    "memory get": ["memory", "get", "bench.key-00001"],
}
PEER_LOOKS = {
    "agents": ["agents"],
    "inbox": ["inbox"],
    "step-status": ["step-status", "task-00001"],
    "memory get": ["memory", "get", "bench.key-00001"],
}
# From so many tasks on, only the first look reads all of them anew: the others would read the same
# objects once more, and behind a mock in Python that takes minutes.
LARGE = 1_000
# moto takes whatever is signed; whose it is decides nothing.
ANYBODY = (
    "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host, Signature=0"
)


def measure(bench: Bench) -> dict:
    rows = []
    with Delay(bench.endpoint) as delay:
        for size in SIZES_FULL if bench.full else SIZES:
            subject = bench.through("brigade", delay.endpoint)
            fill_bucket(subject, bench.endpoint, size)
            rows += [{"who": "brigade", "size": size, **row} for row in _looks(subject, delay, LOOKS, size)]
            bench.forget()
        peer = bench.through("tracecraft", delay.endpoint)
        for n in range(10):
            peer.must("alpha", "claim", f"task-{n:05}")
            peer.must("alpha", "memory", "set", f"bench.key-{n:05}", f"value {n}")
        looks = _looks(peer, delay, PEER_LOOKS, 10)
        rows += [{"who": "tracecraft", "size": 10, **row} for row in looks]
    return {"rows": rows}


def fill_bucket(subject: Subject, endpoint: str, size: int, rooms: tuple = ("",)) -> None:
    """Made in a folder, and put behind the proxy object by object; only what is in these rooms."""
    root = subject.folder / "filled"
    fill(root, size)
    near = threading.local()

    def put(path: Path) -> None:
        if not hasattr(near, "server"):
            host = urllib.parse.urlsplit(endpoint)
            near.server = http.client.HTTPConnection(host.hostname, host.port, timeout=60)
        key = urllib.parse.quote(f"/{subject.bucket}/{PROJECT}/{path.relative_to(root)}")
        near.server.request("PUT", key, path.read_bytes(), {"Authorization": ANYBODY})
        answer = near.server.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"moto refused {key}: {answer.status}")

    paths = [path for room in rooms for path in (root / room).rglob("*") if path.is_file()]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, paths))


def _looks(subject: Subject, delay: Delay, looks: dict, size: int) -> list[dict]:
    """Each look with an empty cache and again: what was read the first time, brigade need not read
    again. What is said of the second turn is the lesser of two runs."""
    rows = []
    for number, late in enumerate(LATE_MS):
        delay.late_ms = late
        for place, (look, words) in enumerate(looks.items()):
            is_first = place == 0 or size < LARGE
            cache = f"cache-{number}" if size >= LARGE else f"cache-{number}-{place}"
            for turn in ("first", "again") if is_first else ("again",):
                # A reader whom nobody has seen: its inbox is all new.
                command = subject.command(f"reader-{number}", *words)
                command.env["XDG_CACHE_HOME"] = str(subject.folder / cache)
                rows.append({"late_ms": late, "look": look, "turn": turn}
                            | _ran(command, subject, delay, 1 if turn == "first" else 2))  # fmt: skip
    delay.late_ms = 0.0
    return rows


def _ran(command: Command, subject: Subject, delay: Delay, times: int) -> dict:
    runs = []
    for _ in range(times):
        delay.taken()
        ran = timed(command, subject.out / "latency.out")
        if ran.code != 0:
            raise RuntimeError(f"{' '.join(command.argv[1:])} ended with {ran.code}\n{ran.out}")
        asked = delay.taken()
        runs.append({"ms": round(ran.ms, 1), "requests": sum(asked.values()), "asked": asked})
    return min(runs, key=lambda run: run["ms"])
