"""Starting processes and timing them from outside, alone or many at one moment."""

import ctypes
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

# Longer than any command's own deadline; a process that is still there then is a failure.
PATIENCE_S = 120
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


@dataclass(frozen=True)
class Command:
    """A command line with the environment and folder that it runs in."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: Path


@dataclass(frozen=True)
class Ran:
    """How one process went: its exit code, start and duration, and what it printed."""

    code: int
    started_ms: float
    ms: float
    out: str = ""


@dataclass(frozen=True)
class Cost:
    """What one process took: its exit code, time by the clock and on the processors, and memory."""

    code: int
    ms: float
    cpu_ms: float
    peak_kib: int


def timed(command: Command, out: Path, patience_s: int = PATIENCE_S) -> Ran:
    """Runs one process: from just before its start to its end as the parent sees it."""
    os.chdir(command.cwd)
    started = time.perf_counter_ns()
    pid = _spawn(command, out, os.O_TRUNC)
    code = _wait(pid, patience_s)
    ms = (time.perf_counter_ns() - started) / 1e6
    return Ran(code, started / 1e6, ms, out.read_text(errors="replace"))


def together(workers: list[list[Command]], folder: Path, gap_s: float = 0.0) -> list[list[Ran]]:
    """Runs each worker's commands one after the other, all workers from one moment on.

    Each worker is a fork of this process that sleeps until the moment, so that neither an
    interpreter's start nor our own loop spreads the starts. `gap_s` staggers them on purpose.
    """
    read_end, write_end = os.pipe()
    moment = time.perf_counter() + 0.1 + 0.004 * len(workers)
    helpers = []
    for number, commands in enumerate(workers):
        pid = os.fork()
        if pid == 0:
            os.close(read_end)
            _work(number, commands, folder / f"{number}.out", moment + gap_s * number, write_end)
        helpers.append(pid)
    os.close(write_end)
    with os.fdopen(read_end) as lines:
        rows = [json.loads(line) for line in lines]
    for pid in helpers:
        os.waitpid(pid, 0)
    return _by_worker(rows, len(workers), folder)


def peak_kib(command: Command) -> int:
    """The most memory that the process had resident, in KiB."""
    return cost(command).peak_kib


def cost(command: Command) -> Cost:
    """Runs one process and says what it took. Linux only.

    A child's ru_maxrss starts at what its parent had when it was started, which for a Python
    parent hides a small program. So a small shell starts it and goes away, and we, as the
    subreaper of our descendants, collect the orphan. It waits for our word until the shell is gone,
    which might collect it first.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    word, say = os.pipe()
    script = f'{{ read -r go <&{word}; exec "$@" {word}<&- </dev/null >/dev/null 2>&1; }} & echo $!'
    shell = subprocess.Popen(
        ["sh", "-c", script, "sh", *command.argv],
        env=command.env, cwd=command.cwd, pass_fds=[word], stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    pid = int(shell.stdout.readline())
    shell.wait()
    shell.stdout.close()
    began = time.perf_counter()
    os.write(say, b"go\n")
    os.close(say)
    os.close(word)
    _, status, usage = os.wait4(pid, 0)
    ms = (time.perf_counter() - began) * 1000
    cpu_ms = (usage.ru_utime + usage.ru_stime) * 1000
    return Cost(os.waitstatus_to_exitcode(status), ms, cpu_ms, usage.ru_maxrss)


def _spawn(command: Command, out: Path, flag: int) -> int:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(out), os.O_WRONLY | os.O_CREAT | flag, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command.argv[0], command.argv, command.env, file_actions=actions)


def _wait(pid: int, patience_s: int = PATIENCE_S) -> int:
    """The exit code; a process that does not end in time is killed and the run fails."""

    def give_up(*_):
        os.kill(pid, signal.SIGKILL)
        raise TimeoutError(f"process {pid} ran longer than {patience_s} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(patience_s)
    _, status = os.waitpid(pid, 0)
    signal.alarm(0)
    return os.waitstatus_to_exitcode(status)


def _work(number: int, commands: list[Command], out: Path, moment: float, pipe: int) -> None:
    """The whole life of a forked worker; it never returns, and ends when the harness does."""
    try:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        out.unlink(missing_ok=True)
        os.chdir(commands[0].cwd)
        time.sleep(max(0.0, moment - time.perf_counter()))
        for command in commands:
            started = time.perf_counter_ns()
            code = _wait(_spawn(command, out, os.O_APPEND))
            ended = time.perf_counter_ns()
            row = [number, code, started / 1e6, (ended - started) / 1e6]
            # Shorter than PIPE_BUF, so that lines of several workers do not mix.
            os.write(pipe, json.dumps(row).encode() + b"\n")
    finally:
        os._exit(0)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _by_worker(rows: list[list], count: int, folder: Path) -> list[list[Ran]]:
    outs = [(folder / f"{number}.out").read_text(errors="replace") for number in range(count)]
    ran: list[list[Ran]] = [[] for _ in range(count)]
    for number, code, started, ms in rows:
        ran[number].append(Ran(code, started, ms, outs[number]))
    return ran
