"""Proof `kills`: 16 agents run commands of the binary, and most are killed -9 at some moment.

What a command said was done before it died, or before the next one did, must be there afterwards;
no visible file may be torn, and `brigade doctor` must find nothing broken.
"""

import collections
import hashlib
import json
import os
import random
import signal
import time
from pathlib import Path

from .common import Place, Programs, beside, fork, run_for

AGENTS, KILLS, SHORT_KILLS = 16, 10_000, 160
# A command in this crowd takes some tens of milliseconds; a share of them is left alone.
LONGEST_S, SPARED = 0.06, 0.3
BODY = 100_000


def prove(work, programs: Programs, short: bool, until: float) -> dict:
    place = Place(work / "kills", programs).init()
    (place.folder / "bodies").mkdir()
    share = (SHORT_KILLS if short else KILLS) // AGENTS
    workers = [fork(_work, place, number, share, until) for number in range(AGENTS)]
    rows = []
    for number, pid in enumerate(workers):
        _, status = os.waitpid(pid, 0)
        if status:
            raise RuntimeError(f"worker {number} ended with {status}")
        lines = (place.folder / f"acts-{number}").read_text().splitlines()
        rows += [json.loads(line) for line in lines]
    killed = [row for row in rows if row["code"] == -signal.SIGKILL]
    data = {
        "agents": AGENTS, "commands": len(rows), "kills": len(killed),
        "killed": dict(collections.Counter(row["verb"] for row in killed)),
        "ends": dict(collections.Counter(str(row["code"]) for row in rows)),
        **_judge(place, rows),
        # Nobody is alive any more; what was left half-way is swept, and nothing else is to be done.
        "doctor": place.doctor("--deep", "--fix"), "doctor_after": place.doctor("--deep"),
    }  # fmt: skip
    place.forget()
    return data


def wrong(data: dict) -> list[str]:
    bad = [f"{name}: {data[name]}" for name in ("torn", "missing", "unexpected") if data[name]]
    if data["doctor_after"]["verdict"] == "fail":
        bad.append(f"doctor: {data['doctor_after']}")
    return bad


def _work(place: Place, number: int, kills: int, until: float) -> None:
    """One agent: command after command until so many of them were killed."""
    chance, agent = random.Random(os.urandom(8)), f"agent-{number}"
    os.chdir(place.folder / "project")
    env, out = place.env(agent), place.folder / f"out-{number}"
    done, act, held = 0, 0, None
    with (place.folder / f"acts-{number}").open("w") as acts:
        while done < kills and time.time() < until:
            act += 1
            verb, words, leaves = _draw(chance, place, number, act, held)
            life = None if chance.random() < SPARED else chance.uniform(0, LONGEST_S)
            code = run_for([str(place.programs.brigade), *words, "--json"], env, out, life)
            done += code == -signal.SIGKILL
            text = out.read_text()
            row = {"agent": agent, "verb": verb, "code": code, "said_done": _is_done(text)}
            if verb == "claim own" and row["said_done"]:
                held = words[1]
            elif verb == "complete":
                held = None
            if code not in (0, -signal.SIGKILL):
                row["said"] = text[-400:] + beside(out).read_text()[-400:]
            row["leaves"] = [agent, *leaves] if leaves else None
            acts.write(json.dumps(row) + "\n")


def _is_done(text: str) -> bool:
    """Whether it was told before it died; an answer that broke off tells nothing."""
    try:
        return "error" not in json.loads(text)
    except ValueError:
        return False


def _draw(chance, place: Place, number: int, act: int, held: str | None) -> tuple:
    """A verb, its command line, and what it leaves in the folder once it has said it is done."""
    unique = f"{number}-{act}"
    if held and chance.random() < 0.4:
        return "complete", ["complete", held, "--note", unique], ("complete", held)
    match chance.randrange(6):
        case 0:
            task = f"own-{unique}"
            return "claim own", ["claim", task], ("hold", task)
        case 1:
            # All sixteen want it.
            task = f"shared-{act // 4}"
            return "claim shared", ["claim", task], ("hold", task)
        case 2:
            to, words = f"agent-{chance.randrange(AGENTS)}", f"word {unique}"
            return "send", ["send", to, words], ("message", words)
        case 3:
            key = chance.choice([f"own.{number}", "shared"])
            return "memory set", ["memory", "set", key, unique], (key, unique)
        case 4:
            body, name = chance.randbytes(chance.randrange(1, BODY)), f"body-{unique}"
            path = place.folder / "bodies" / f"{number}.bin"
            path.write_bytes(body)
            words = ["artifact", "upload", str(path), "--name", name]
            return "artifact upload", words, (name, hashlib.sha256(body).hexdigest())
        case _:
            return "inbox", ["inbox", "--new"], None


def _judge(place: Place, rows: list[dict]) -> dict:
    documents, torn = [], []
    for path in sorted(place.objects.rglob("*.json")):
        try:
            documents.append(json.loads(path.read_bytes()))
        except ValueError:
            torn.append(str(path.relative_to(place.objects)))
    there = _index(documents)
    said = [row for row in rows if row["said_done"]]
    missing = [row for row in said if row["leaves"] and tuple(row["leaves"]) not in there]
    # 4 is a claim of what somebody else has.
    unexpected = [row for row in rows if row["code"] not in (0, -signal.SIGKILL, 4)]
    return {
        "acknowledged": len(said), "documents": len(documents),
        "torn": len(torn), "torn_names": torn[:5], "missing": len(missing),
        "missing_rows": missing[:5], "unexpected": len(unexpected),
        "unexpected_rows": unexpected[:5],
        "temps_left": sum(1 for path in place.objects.rglob(".*") if path.is_file()),
    }  # fmt: skip


def _index(documents: list[dict]) -> set[tuple]:
    """What lies in the folder, as `leaves` names it."""
    there = set()
    for document in documents:
        agent = document.get("agent")
        match document.get("kind"):
            case "task":
                there.add((agent, _HOLDS.get(document["act"], document["act"]), document["task"]["id"]))
            case "message":
                there.add((agent, "message", document["message"]))
            case "memory":
                there.add((agent, document["key"], document["value"]))
            case "artifact":
                there.add((agent, document["name"], document["sha256"]))
    return there


# A session that had lapsed, or a new one of the same agent, takes hold anew.
_HOLDS = {"claim": "hold", "takeover": "hold"}
