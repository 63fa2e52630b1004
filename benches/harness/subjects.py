"""What is measured: brigade on a local directory, brigade on moto, tracecraft on moto."""

import http.client
import json
import os
import urllib.parse
import urllib.request
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from pathlib import Path

from .process import Command, timed
from .sigv4 import signed

PROJECT = "bench"
# Of the test user that .ci/servers/ceph makes.
CEPH_KEYS = ("AKIALOCALTEST", "SKSKSKSKSKSK")


@dataclass
class Subject:
    """One tool on one store, in a home and a state folder of its own."""

    name: str
    tool: str
    binary: Path
    folder: Path
    endpoint: str | None = None
    # Of the server's test user; a mock takes any.
    keys: tuple[str, str] = ("bench", "bench")

    def init(self, *more: str) -> "Subject":
        """Sets the project up in a fresh bucket or folder."""
        self.project.mkdir(parents=True)
        (self.folder / "home").mkdir()
        (self.folder / "out").mkdir()
        words = ["init", "--project", PROJECT, "--agent", "alpha", *more]
        if self.endpoint:
            words += ["--endpoint", self.endpoint, "--bucket", self.bucket]
        self.must("alpha", *words)
        return self

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def bucket(self) -> str:
        return self.folder.name

    @property
    def refused(self) -> int:
        """The exit code of a claim of what somebody else has."""
        return 4 if self.tool == "brigade" else 1

    def command(self, agent: str, *words: str) -> Command:
        env = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.folder / "home"),
            "BRIGADE_STATE_DIR": str(self.folder / "state"),
            "BRIGADE_AGENT" if self.tool == "brigade" else "TRACECRAFT_AGENT": agent,
            "AWS_ACCESS_KEY_ID": self.keys[0],
            "AWS_SECRET_ACCESS_KEY": self.keys[1],
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        return Command((str(self.binary), *words), env, self.project)

    def must(self, agent: str, *words: str, code: int = 0):
        """Runs a command that has to end with this code; what is wrong stops the benchmark."""
        ran = timed(self.command(agent, *words), self.out / "must.out")
        if ran.code != code:
            raise RuntimeError(f"{self.name}: {' '.join(words)} ended with {ran.code}\n{ran.out}")
        return ran

    def documents(self, prefix: str) -> dict[str, dict]:
        """Every JSON object below a prefix, read past the tool that wrote it."""
        if self.endpoint is None:
            root = self.project / ".brigade" / PROJECT
            found = sorted((root / prefix).rglob("*.json"))
            return {str(p.relative_to(root)): json.loads(p.read_bytes()) for p in found}
        return {key: self._get(key) for key in self._keys(prefix) if key.endswith(".json")}

    def body(self, key: str) -> bytes:
        """One object, read past the tool that wrote it."""
        path = urllib.parse.quote(f"{self.bucket}/{PROJECT}/{key}")
        with self._asked(f"{self.endpoint}/{path}") as answer:
            return answer.read()

    def _get(self, key: str) -> dict:
        return json.loads(self.body(key))

    def _keys(self, prefix: str) -> list[str]:
        asked = {"list-type": "2", "prefix": f"{PROJECT}/{prefix}"}
        keys = []
        while True:
            url = f"{self.endpoint}/{self.bucket}?{urllib.parse.urlencode(asked)}"
            with self._asked(url) as answer:
                page = xml.fromstring(answer.read())
            keys += [e.text.removeprefix(PROJECT + "/") for e in page.iterfind(".//{*}Key")]
            more = page.findtext("{*}NextContinuationToken")
            if not more:
                return keys
            asked["continuation-token"] = more

    def _asked(self, url: str):
        return urllib.request.urlopen(signed(url, *self.keys), timeout=30)


class Bench:
    """The tools, the server, and where runs may leave things."""

    def __init__(self, work: Path, brigade: Path, tracecraft: Path, endpoint: str, full: bool):
        self.work, self.brigade, self.tracecraft = work, brigade, tracecraft
        self.endpoint, self.full, self._made = endpoint, full, 0
        # Ceph's, where it can be had.
        self.second: str | None = None

    def directory(self) -> Subject:
        return self._subject("brigade, directory", "brigade", self.brigade, None)

    def moto(self) -> Subject:
        return self._subject("brigade, moto", "brigade", self.brigade, self.endpoint)

    def peer(self) -> Subject:
        return self._subject("tracecraft, moto", "tracecraft", self.tracecraft, self.endpoint)

    def ceph(self) -> Subject:
        return self._subject("brigade, Ceph", "brigade", self.brigade, self.second, CEPH_KEYS)

    def peer_on_ceph(self) -> Subject:
        return self._subject("tracecraft, Ceph", "tracecraft", self.tracecraft, self.second, CEPH_KEYS)

    def through(self, tool: str, endpoint: str) -> Subject:
        """A tool that sees moto through something in between."""
        binary = self.brigade if tool == "brigade" else self.tracecraft
        return self._subject(f"{tool}, behind a network", tool, binary, endpoint)

    def forget(self) -> None:
        """Empties moto, which slows down with what it keeps."""
        host = urllib.parse.urlsplit(self.endpoint)
        server = http.client.HTTPConnection(host.hostname, host.port, timeout=30)
        server.request("POST", "/moto-api/reset")
        server.getresponse().read()
        server.close()

    def _subject(
        self, name: str, tool: str, binary: Path, endpoint: str | None, keys=("bench", "bench")
    ) -> Subject:
        """Each in a folder and bucket that nothing was in before; Ceph may outlive a run."""
        self._made += 1
        folder = self.work / f"place-{os.getpid()}-{self._made}"
        return Subject(name, tool, binary, folder, endpoint, keys).init()
