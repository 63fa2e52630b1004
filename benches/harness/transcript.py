"""A transcript as Claude Code writes one, of any size, with secrets that never were any."""

import json
import os
import random
import re
import unicodedata
from pathlib import Path

SESSION = "5efa6a34-0000-4000-8000-00000000bead"
# The example key of the AWS manual, and values made up in the shapes of GitHub and of an address.
SECRETS = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8",
    "github_pat_11" + "q7W8e9R0t1" * 8,
    "hunter2" + "Zk3vT9mXw2Lp4R",
]
PLACES = ["export AWS={}", "token {} ok", "git login {}", "postgres://app:{}@db.example/app"]
# One row in so many has one.
EVERY = 500
# Larger files repeat so many bytes; nobody who reads them can tell.
BLOCK = 64_000_000


def write(path: Path, size: int, folder: Path) -> int:
    """Makes a file of at least this size; how many secrets are in it."""
    dice, block, planted, held = random.Random(7), [], 0, 0
    while held < min(size, BLOCK):
        line = row(dice, len(block), folder).encode()
        planted += len(block) % EVERY == EVERY // 2
        held += len(line)
        block.append(line)
    text, times = b"".join(block), max(1, round(size / held))
    with path.open("wb") as file:
        for _ in range(times):
            file.write(text)
    return planted * times


def write_line(path: Path, size: int, folder: Path) -> int:
    """A row, and one of this size, which ends in a secret."""
    words = ("a line of output, \"quoted\", that goes on\n" * (size // 42))[:size]
    text = words + PLACES[1].format(SECRETS[1])
    first = row(random.Random(7), 0, folder)
    path.write_text(first + _head(folder, 1) + json.dumps(text) + "}]}}\n")
    return 1


def row(dice: random.Random, number: int, folder: Path) -> str:
    """What an agent says, what it runs, or what that gave, in turn."""
    words = " ".join(dice.choices(WORDS, k=dice.randrange(20, 200)))
    if number % 3 == 1:
        # Code: half of it is escapes in JSON.
        for n in range(30):
            words += f'\n{n:>6}\tlet value_{n} = call("{dice.randrange(10**9):x}", &rest)?;'
    if number % EVERY == EVERY // 2:
        kind = number // EVERY % len(SECRETS)
        words += "\n" + PLACES[kind].format(SECRETS[kind]) + "\n"
    return _head(folder, number) + json.dumps(words, ensure_ascii=False) + "}]}}\n"


def place(home: Path, folder: Path, tool: str) -> Path:
    """Where each tool looks for the session of a folder; tracecraft folds runs of other letters."""
    real = unicodedata.normalize("NFC", os.path.realpath(folder))
    shape = "[^A-Za-z0-9]+" if tool == "tracecraft" else "[^A-Za-z0-9]"
    there = home / ".claude" / "projects" / re.sub(shape, "-", real)
    there.mkdir(parents=True, exist_ok=True)
    return there / f"{SESSION}.jsonl"


def _head(folder: Path, number: int) -> str:
    fields = {
        "parentUuid": f"{number:032x}", "isSidechain": False, "type": "user",
        "uuid": f"{number + 1:032x}", "cwd": os.path.realpath(folder), "sessionId": SESSION,
        "version": "2.1.329", "gitBranch": "main",
    }  # fmt: skip
    content = f'"tool_use_id": "toolu_{number:08}", "type": "tool_result", "content": '
    return json.dumps(fields)[:-1] + f', "message": {{"role": "user", "content": [{{{content}'


WORDS = (
    "the store put if absent lease mailbox file src/main.rs error[E0502]: cannot borrow as mutable "
    "fn let match self.inner.get(path) 0x7ffe 2026-11-21T03:00:00Z sha256 deadbeef01234567 token "
    '{"a":1} http://127.0.0.1:8080/x key=value ünïcode 漢字 /usr/bin/env password'
).split()
