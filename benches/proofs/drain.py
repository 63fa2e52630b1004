"""Proof `drain`: agents empty a graph of dependent tasks with `next --claim`, and are killed at it.

A killed command is run again; now and then the agent itself is gone for good while it holds a task,
and a new one comes in its place. Afterwards the store is read, past brigade: each task was completed
once, after what it waits for, by the one that was told so, and nothing is left over.
"""

import collections
import datetime
import json
import os
import random
import shutil
import signal
import statistics
import time
from multiprocessing import get_context
from pathlib import Path

from harness.process import timed
from harness.subjects import Subject

from .common import Programs, fork, run_for, stores

AGENTS, TASKS = 100, 1_000
# moto answers one connection at a time, in Python, and waits for whatever that one says. Ceph's gateway
# beside a hundred agents on two cores answers that it should be asked less.
MOST = {"moto": (4, 60), "Ceph": (100, 400)}
SHORT_AGENTS, SHORT_TASKS = 8, 40
# The shortest lease there is: what a dead holder leaves behind is free after it and its grace.
TTL = "1m"
# One command in so many is killed, and one holder in so many is dead for good.
KILLED, DEAD = 8, 25
# So long nothing was closed, with everybody at it: something is stuck.
PATIENCE_S = 300
# The longest pause of an agent that found nothing to do.
PAUSE_S = 10.0
EXPECTED = {"next": {0, 3, 7}, "complete": {0, 4}, "heartbeat": {0}, "status": {0}}


def prove(work, programs: Programs, short: bool, until: float) -> dict:
    agents, tasks = (SHORT_AGENTS, SHORT_TASKS) if short else (AGENTS, TASKS)
    asked = [(work, programs, store, agents, tasks, until) for store in stores()]
    # The stores do not know of each other, and at the end all wait for leases to end.
    with get_context("fork").Pool(len(asked)) as pool:
        return {"ttl": TTL, "rows": pool.starmap(_on_one_store, asked)}


def wrong(data: dict) -> list[str]:
    never = ("left_over", "not_once", "before_its_time", "unacknowledged", "unexpected")
    return [
        f"{row['subject']}, {name}: {row[name]} {row['examples'][:5]}"
        for row in data["rows"]
        for name in never
        if row[name]
    ] + [f"{row['subject']}, doctor: {row['doctor']}" for row in data["rows"] if row["doctor"] != "ok"]


def _on_one_store(work, programs: Programs, store: tuple, agents: int, tasks: int, until: float):
    name, endpoint, keys = store
    most_agents, most_tasks = MOST.get(name, (agents, tasks))
    agents, tasks = min(agents, most_agents), min(tasks, most_tasks)
    folder = work / f"drain-{os.getpid()}-{name.lower()}"
    subject = Subject(f"brigade, {name}", "brigade", programs.brigade, folder, endpoint, keys)
    subject.init("--ttl", TTL)
    _plant(subject, tasks)
    began = time.time()
    workers = [fork(_work, subject, number) for number in range(agents)]
    _watch(subject, tasks, until)
    (subject.folder / "over").touch()
    for number, pid in enumerate(workers):
        _, status = os.waitpid(pid, 0)
        if status:
            raise RuntimeError(f"worker {number} ended with {status}")
    seconds = time.time() - began
    rows = []
    for number in range(agents):
        rows += map(json.loads, _acts(subject, number).read_text().splitlines())
    row = {
        "subject": subject.name, "agents": agents, "tasks": tasks, "seconds": round(seconds, 1),
        **_told(rows), **_judge(subject, rows), "doctor": _doctor(subject),
    }  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
    print(f"  {subject.name}: {row['closed']} of {tasks} in {seconds:.0f} s", flush=True)
    return row


def _plant(subject: Subject, tasks: int) -> None:
    """Each task waits for up to three earlier ones, wherever they are."""
    chance = random.Random(tasks)
    lines = []
    for n in range(1, tasks + 1):
        on = {chance.randrange(1, n) for _ in range(chance.randrange(4))} if n > 1 else set()
        row = {"id": f"t-{n}", "title": f"task {n}", "depends_on": [f"t-{on}" for on in sorted(on)]}
        lines.append(json.dumps(row))
    (subject.project / "tasks.jsonl").write_text("\n".join(lines) + "\n")
    words = subject.command("planner", "create", "--file", "tasks.jsonl")
    ran = timed(words, subject.out / "plant.out", patience_s=600)
    if ran.code != 0:
        raise RuntimeError(f"{subject.name}: nothing was planted\n{ran.out}")
    # All are on one machine here: what one of them has read, the others need not read again. What is
    # younger than two seconds is not kept.
    time.sleep(3)
    subject.must("planner", "ready")


def _watch(subject: Subject, tasks: int, until: float) -> None:
    """Until all is closed, or the time is over, or nothing moves any more."""
    closed, moved = -1, time.time()
    while closed < tasks and time.time() < min(until, moved + PATIENCE_S):
        time.sleep(1 if subject.endpoint is None else 5)
        ran = timed(subject.command("watcher", "stats", "--json"), subject.out / "watch.out")
        if ran.code != 0:
            # A mock that is asked by many may not answer in time; nothing depends on this look.
            continue
        stats = json.loads(ran.out)
        if stats["by_status"].get("closed", 0) != closed:
            closed, moved = stats["by_status"].get("closed", 0), time.time()


def _acts(subject: Subject, number: int) -> Path:
    return subject.folder / f"acts-{number}"


def _work(subject: Subject, number: int) -> None:
    """One place among the agents: whoever dies there for good is followed by another one."""
    os.chdir(subject.project)
    with _acts(subject, number).open("w", buffering=1) as acts:
        place = Worker(subject, number, acts)
        while not (subject.folder / "over").exists():
            place.turn()


class Worker:
    """An agent that takes what is ready and completes it, and dies now and then."""

    def __init__(self, subject: Subject, number: int, acts):
        self.subject, self.number, self.acts = subject, number, acts
        self.chance = random.Random(os.urandom(8))
        self.lives, self.idle = 0, 0
        # How long commands take here: a kill has to come before their end to be one.
        self.took = collections.defaultdict(lambda: collections.deque([0.03], maxlen=20))

    def turn(self) -> None:
        code, said = self.run("next", "--claim")
        if code == -signal.SIGKILL:
            # Who comes back looks what it holds, as a person would.
            for task in self.held():
                self.finish(task)
        elif code == 0:
            self.idle = 0
            if self.chance.randrange(DEAD) == 0:
                self.note("died", said["id"])
                self.lives += 1
            else:
                self.finish(said["id"])
        else:
            self.idle += 1
            time.sleep(self.chance.uniform(0, min(PAUSE_S, 0.2 * 2**self.idle)))

    def held(self) -> list[str]:
        # What a killed command left open is settled by the next act.
        self.run("heartbeat", spared=True)
        while True:
            code, said = self.run("status", spared=True)
            if code == 0:
                return said["me"]["holds"]

    def finish(self, task: str) -> None:
        code = -signal.SIGKILL
        while code == -signal.SIGKILL:
            code, _ = self.run("complete", task)
        if code == 0:
            self.note("completed", task)

    def run(self, *words: str, spared: bool = False) -> tuple[int, dict]:
        """The exit code of one command, and what it said, if it was not killed."""
        took = self.took[words[0]]
        doomed = not spared and self.chance.randrange(KILLED) == 0
        life = self.chance.uniform(0, statistics.median(took)) if doomed else None
        command = self.subject.command(self.agent, *words, "--json")
        out = self.subject.out / f"{self.number}.out"
        began = time.monotonic()
        code = run_for(command.argv, command.env, out, life)
        if code != -signal.SIGKILL:
            took.append(time.monotonic() - began)
        row = {"verb": words[0], "code": code}
        if code not in EXPECTED[words[0]] | {-signal.SIGKILL}:
            row["said"] = out.read_text()[-400:]
        self.acts.write(json.dumps(row) + "\n")
        return code, json.loads(out.read_text()) if code == 0 else {}

    def note(self, what: str, task: str) -> None:
        self.acts.write(json.dumps({"verb": what, "agent": self.agent, "task": task}) + "\n")

    @property
    def agent(self) -> str:
        return f"worker-{self.number}-{self.lives}"


def _told(rows: list[dict]) -> dict:
    commands = [row for row in rows if "code" in row]
    odd = [row for row in commands if row["code"] not in EXPECTED[row["verb"]] | {-signal.SIGKILL}]
    killed = [row["verb"] for row in commands if row["code"] == -signal.SIGKILL]
    ends = collections.Counter(f"{row['verb']} {row['code']}" for row in commands)
    return {
        "commands": len(commands), "kills": len(killed), "killed": dict(collections.Counter(killed)),
        "died": sum(row["verb"] == "died" for row in rows), "ends": dict(ends),
        "unexpected": len(odd), "examples": odd[:5],
    }  # fmt: skip


def _judge(subject: Subject, rows: list[dict]) -> dict:
    """Believes the store: every version of every task, in their order."""
    logs = collections.defaultdict(list)
    for key, document in sorted(subject.documents("steps/").items()):
        logs[document["task"]["id"]].append(document)
    acts = {task: collections.Counter(one["act"] for one in log) for task, log in logs.items()}
    ends = {
        task: one for task, log in logs.items() for one in log if one["act"] == "complete"
    }  # fmt: skip
    told = {(row["task"], row["agent"]) for row in rows if row["verb"] == "completed"}
    return {
        "closed": sum(log[-1]["task"]["status"] == "closed" for log in logs.values()),
        "left_over": sum(log[-1]["task"]["status"] != "closed" for log in logs.values()),
        "not_once": sum(one["complete"] != 1 for one in acts.values()),
        "before_its_time": sum(_is_early(log, ends) for log in logs.values()),
        # What an agent was told it had completed, and the store says otherwise.
        "unacknowledged": sum(
            task not in ends or ends[task]["agent"] != agent for task, agent in told
        ),
        "claims": sum(one["claim"] for one in acts.values()),
        "takeovers": sum(one["takeover"] for one in acts.values()),
        "objects": sum(map(len, logs.values())),
    }  # fmt: skip


def _is_early(log: list[dict], ends: dict[str, dict]) -> bool:
    """Whether it was held before all that it waits for was completed. All have one clock here."""
    holds = [_at(one) for one in log if one["act"] in ("claim", "takeover")]
    on = [edge["depends_on_id"] for edge in log[-1]["task"].get("dependencies", [])]
    return any(task not in ends or _at(ends[task]) > hold for hold in holds for task in on)


def _at(document: dict) -> datetime.datetime:
    return datetime.datetime.fromisoformat(document["at"])


def _doctor(subject: Subject) -> str:
    ran = subject.must("planner", "doctor", "--quick", "--json")
    return json.loads(ran.out)["verdict"]
