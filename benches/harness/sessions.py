"""Group `sessions`: a transcript into the store, and how soon and at what price one that grows."""

import os
import random
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from . import transcript
from .delay import Delay
from .figures import rounded, summary
from .process import Command, cost
from .subjects import PROJECT, Bench, Subject

MEGABYTES, LINE_MEGABYTES = 256, 200
LARGE_MEGABYTES, LARGE_MEGABYTES_FULL = 1_000, 5_000
LINES = 8
IDLE_S, BUSY_S = 90, 60
PATIENCE_S = 30
# What a part is called, by both tools: something in its key, and its end.
PART = ("/sessions/", ".jsonl")
# The least that each takes, and what each does unasked.
INTERVALS = {
    "brigade": {"least": "0s", "its own": "2s"},
    "tracecraft": {"least": "0.1", "its own": "5"},
}


def measure(bench: Bench) -> dict:
    folder = bench.work / "agent"
    folder.mkdir()
    return {
        "whole": _whole(bench, folder),
        "latency": _latency(bench, folder),
        "requests": _requests(bench, folder),
    }


def _whole(bench: Bench, folder: Path) -> list[dict]:
    """Each file once for all tools: every one has it in its own home, as a hard link."""
    large = (LARGE_MEGABYTES_FULL if bench.full else LARGE_MEGABYTES) * 1_000_000
    plan = [
        ("rows", MEGABYTES * 1_000_000, transcript.write, [
            (bench.directory, []), (bench.directory, ["--no-redact"]), (bench.moto, []),
            (bench.peer, []), (bench.peer, ["--no-redact"]),
        ]),
        ("one line", LINE_MEGABYTES * 1_000_000, transcript.write_line, [
            (bench.directory, []), (bench.peer, []),
        ]),
        ("rows", large, transcript.write, [(bench.directory, [])]),
    ]  # fmt: skip
    rows = []
    for what, size, write, runs in plan:
        file = bench.work / "transcript.jsonl"
        planted = write(file, size, folder)
        for make, words in runs:
            subject = make()
            rows.append({"what": what, **_mirrored(subject, file, folder, words, planted)})
            bench.forget()
        file.unlink()
    return rows


def _mirrored(
    subject: Subject, file: Path, folder: Path, words: list[str], planted: int
) -> dict:
    path = transcript.place(subject.folder / "home", folder, subject.tool)
    os.link(file, path)
    spent = cost(_mirror(subject, folder, *words))
    if spent.code != 0:
        raise RuntimeError(f"{subject.name}: session mirror {words} ended with {spent.code}")
    size, parts = file.stat().st_size, _Parts(subject)
    clear = 0 if "--no-redact" in words else sum(map(_secrets, parts.bodies()))
    path.unlink()
    return {
        "subject": subject.name, "redacts": "--no-redact" not in words, "bytes": size,
        "seconds": round(spent.ms / 1000, 2), "cpu_seconds": round(spent.cpu_ms / 1000, 2),
        "mb_per_second": round(size / 1000 / spent.ms, 1),
        "mb_per_core_second": round(size / 1000 / spent.cpu_ms, 1),
        "peak_mib": round(spent.peak_kib / 1024), "objects": len(parts.names()),
        "planted": planted, "in_clear": clear,
    }  # fmt: skip


def _secrets(body: bytes) -> int:
    return sum(body.count(secret.encode()) for secret in transcript.SECRETS)


def _mirror(subject: Subject, folder: Path, *words: str) -> Command:
    harness = ["--harness", "claude-code", "--cwd", str(folder)]
    return subject.command("alpha", "session", "mirror", *harness, *words)


class _Parts:
    """The stored transcript, read past the tool."""

    def __init__(self, subject: Subject):
        self._subject = subject
        self._root = subject.project / ".brigade" / PROJECT / "sessions"

    def names(self) -> list:
        if self._subject.endpoint is None:
            return [path for path in self._root.rglob("*.jsonl") if path.is_file()]
        return [key for key in self._subject._keys("sessions/") if key.endswith(".jsonl")]

    def bodies(self):
        for name in self.names():
            yield name.read_bytes() if isinstance(name, Path) else self._subject.body(name)


class _Follower:
    """A mirror that follows, while it is entered."""

    def __init__(self, subject: Subject, folder: Path, interval: str):
        self.path = transcript.place(subject.folder / "home", folder, subject.tool)
        self._folder, self._dice, self._rows = folder, random.Random(1), 0
        self.path.write_text("")
        self.append()
        self._command = _mirror(subject, folder, "--follow", "--interval", interval)

    def __enter__(self) -> "_Follower":
        self._process = subprocess.Popen(
            self._command.argv, env=self._command.env, cwd=self._command.cwd,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(timeout=PATIENCE_S)
        finally:
            self._process.kill()
            self.path.unlink()

    def append(self) -> float:
        """One more line; when it was there."""
        with self.path.open("a") as file:
            file.write(transcript.row(self._dice, self._rows, self._folder))
        self._rows += 1
        return time.perf_counter()


def _latency(bench: Bench, folder: Path) -> list[dict]:
    """From an appended line to the moment when the store has said that it holds it."""
    rows = []
    for what in ("least", "its own"):
        subject = bench.directory()
        interval = INTERVALS["brigade"][what]
        rows.append(_row(subject.name, interval, _in_folder(subject, folder, interval)))
        for tool in ("brigade", "tracecraft"):
            interval = INTERVALS[tool][what]
            with Delay(bench.endpoint) as delay:
                subject = bench.through(tool, delay.endpoint)
                samples = _on_moto(subject, folder, interval, delay)
            rows.append(_row(f"{tool}, moto", interval, samples))
    return rows


def _row(subject: str, interval: str, samples: list[float]) -> dict:
    return {"subject": subject, "interval": interval, **summary(samples), "ms": rounded(samples)}


def _in_folder(subject: Subject, folder: Path, interval: str) -> list[float]:
    dice, samples = random.Random(3), []
    count = lambda parts=_Parts(subject): len(parts.names())  # noqa: E731
    with _Follower(subject, folder, interval) as follower:
        _until(lambda: count() == 1)
        for n in range(LINES):
            time.sleep(1 + dice.random())
            appended = follower.append()
            _until(lambda: count() == n + 2)
            samples.append((time.perf_counter() - appended) * 1000)
    return samples


def _on_moto(subject: Subject, folder: Path, interval: str, delay: Delay) -> list[float]:
    """The proxy saw when the put of the part was answered."""
    dice, samples = random.Random(3), []
    with _Follower(subject, folder, interval) as follower:
        _until(lambda: delay.stored(*PART))
        for _ in range(LINES):
            time.sleep(1 + dice.random())
            delay.taken()
            appended = follower.append()
            _until(lambda: delay.stored(*PART))
            samples.append((delay.stored(*PART)[0] - appended) * 1000)
    return samples


def _requests(bench: Bench, folder: Path) -> list[dict]:
    """What following asks of the store while nothing happens, and with a line each second.

    All at the same time, each in a home of its own: they wait far more than they work.
    """
    with ExitStack() as stack:
        all_of_them = []
        for tool, interval in (("brigade", "2s"), ("brigade", "5s"), ("tracecraft", "5")):
            delay = stack.enter_context(Delay(bench.endpoint))
            subject = bench.through(tool, delay.endpoint)
            follower = stack.enter_context(_Follower(subject, folder, interval))
            all_of_them.append((f"{tool}, moto", interval, delay, follower))
        for _, _, delay, _ in all_of_them:
            _until(lambda: delay.stored(*PART))
        time.sleep(3)
        for _, _, delay, _ in all_of_them:
            delay.taken()
        time.sleep(IDLE_S)
        idle = [delay.taken() for _, _, delay, _ in all_of_them]
        for _ in range(BUSY_S):
            for _, _, _, follower in all_of_them:
                follower.append()
            time.sleep(1)
        return [_asked(*one, before) for one, before in zip(all_of_them, idle, strict=True)]


def _asked(subject: str, interval: str, delay: Delay, _, idle: dict) -> dict:
    sent, parts = delay.sent_bytes(), len(delay.stored(*PART))
    busy = delay.taken()
    return {
        "subject": subject, "interval": interval,
        "idle_an_hour": round(sum(idle.values()) * 3600 / IDLE_S),
        "busy_an_hour": round(sum(busy.values()) * 3600 / BUSY_S),
        "busy": busy, "parts": parts, "sent_bytes": sent, "idle_s": IDLE_S, "busy_s": BUSY_S,
    }  # fmt: skip


def _until(is_so) -> None:
    end = time.perf_counter() + PATIENCE_S
    while not is_so():
        if time.perf_counter() > end:
            raise RuntimeError("a line that was appended was not stored")
        time.sleep(0.001)
