"""What the proofs share: the two programs, places to work in, and the results files."""

import ctypes
import datetime
import json
import os
import shutil
import signal
import subprocess
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.figures import RESULTS, as_text
from harness.machine import ROOT, commit, hardware
from harness.subjects import CEPH_KEYS

PROJECT = "proof"
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Programs:
    """The binary that users have, and the example that uses the library for hours."""

    brigade: Path
    proof: Path
    # What they were built from, and how.
    commit: str


def build(work: Path, debug: bool) -> Programs:
    """Built and copied, so that nobody's next build changes them under the run."""
    profile = [] if debug else ["--release"]
    cargo = ["cargo", "build", "--quiet", "--locked", *profile]
    subprocess.run([*cargo, "-p", "brigade", "--bin", "brigade"], cwd=ROOT, check=True)
    subprocess.run([*cargo, "-p", "brigade-core", "--example", "proof"], cwd=ROOT, check=True)
    built = ROOT / "target" / ("debug" if debug else "release")
    folder = work / f"programs-{os.getpid()}"
    folder.mkdir(parents=True)
    shutil.copy2(built / "brigade", folder / "brigade")
    shutil.copy2(built / "examples" / "proof", folder / "proof")
    return Programs(folder / "brigade", folder / "proof", commit() + (", debug" if debug else ""))


def given(folder: Path) -> Programs:
    """Of programs that we did not build, nobody here knows the sources."""
    folder = folder.resolve()
    return Programs(folder / "brigade", folder / "proof", "binaries that were given")


@dataclass
class Place:
    """A project in a folder, and a home of its own for those who work there."""

    folder: Path
    programs: Programs

    def init(self) -> "Place":
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "project").mkdir(parents=True)
        (self.folder / "home").mkdir()
        self.brigade("founder", "init", "--project", PROJECT)
        return self

    @property
    def root(self) -> Path:
        """What the library calls the store's root."""
        return self.folder / "project" / ".brigade"

    @property
    def objects(self) -> Path:
        return self.root / PROJECT

    def env(self, agent: str) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.folder / "home"),
            "BRIGADE_STATE_DIR": str(self.folder / "state"),
            "BRIGADE_AGENT": agent,
        }

    def brigade(self, agent: str, *words: str, code: int = 0) -> str:
        """Runs one command that has to end with this code."""
        ran = subprocess.run(
            [self.programs.brigade, *words], env=self.env(agent),
            cwd=self.folder / "project", capture_output=True, text=True,
        )  # fmt: skip
        if ran.returncode != code:
            raise RuntimeError(f"{' '.join(words)} ended with {ran.returncode}\n{ran.stderr}")
        return ran.stdout

    def doctor(self, *more: str) -> dict:
        """What `brigade doctor` found: each check that is not ok, and how many there were."""
        ran = subprocess.run(
            [self.programs.brigade, "doctor", "--json", *more], env=self.env("founder"),
            cwd=self.folder / "project", capture_output=True, text=True,
        )  # fmt: skip
        report = json.loads(ran.stdout)
        odd = {c["name"]: c["words"] for c in report["checks"] if c["verdict"] != "ok"}
        return {"verdict": report["verdict"], "checks": len(report["checks"]), "not_ok": odd}

    def forget(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def stores() -> list[tuple]:
    """The directory, and the servers that somebody has started: name, endpoint, keys."""
    found = [("directory", None, ("", ""))]
    if moto := os.environ.get("BRIGADE_TEST_S3"):
        found.append(("moto", moto, ("proof", "proof")))
    else:
        print("  moto: skipped; BRIGADE_TEST_S3 names none")
    if ceph := os.environ.get("BRIGADE_TEST_S3_ALSO"):
        found.append(("Ceph", ceph, CEPH_KEYS))
    else:
        print("  Ceph: skipped; BRIGADE_TEST_S3_ALSO names none")
    return found


def fork(work: Callable, *args) -> int:
    """A process that does this and ends, or ends with us; with 1 when it fails."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            work(*args)
            code = 0
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(code)
    return pid


def run_for(argv: tuple[str, ...] | list[str], env: dict, out: Path, life: float | None) -> int:
    """The exit code of one command, killed -9 after `life` seconds if it is given and still there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(out), flags, 0o600),
        # What is told beside the answer is not part of the document.
        (os.POSIX_SPAWN_OPEN, 2, str(beside(out)), flags, 0o600),
    ]
    pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
    if life is not None:
        time.sleep(life)
        # Not yet waited for, so the id is still its own, running or not.
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def beside(out: Path) -> Path:
    return out.with_suffix(".err")


def save(proof: str, programs: Programs, options: list[str], began: float, data: dict) -> Path:
    """Keeps a proof's figures beside those of the benchmarks."""
    today = datetime.date.today().isoformat()
    version = subprocess.run([programs.brigade, "--version"], capture_output=True, text=True)
    text = as_text({
        "proof": proof,
        "command": " ".join(["benches/prove", *options, proof]),
        "date": today,
        "seconds": round(time.time() - began, 1),
        "load_after": round(os.getloadavg()[0], 2),
        "machine": {
            **hardware(ROOT),
            "brigade": version.stdout.strip().removeprefix("brigade "),
            "brigade_commit": programs.commit,
        },
        "data": data,
    })  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{today}-proof-{proof}.json"
    path.write_text(text + "\n")
    return path
