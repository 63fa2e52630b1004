"""Proof `grid`: processes of the binary claim one task at one moment; one of them gets it.

The races are those of the benchmark group of the same name, on every store that is named.
"""

import collections
import multiprocessing
import os
import time

from harness.figures import percentile
from harness.races import AGENTS, race
from harness.subjects import Subject

from .common import Programs, stores

RACES, SHORT_RACES, SHORT_AGENTS = 200, 4, [2, 8, 32]
SHARES = 8
COUNTED = ("one_winner", "false_losses", "other_ends")


def prove(work, programs: Programs, short: bool, until: float) -> dict:
    asked = [(work, programs, store, short, until) for store in stores()]
    # The stores do not know of each other; a waiting server leaves the cores to the others.
    with multiprocessing.get_context("fork").Pool(len(asked)) as pool:
        rows = [row for rows in pool.starmap(_on_one_store, asked) for row in rows]
    return {"wanted": SHORT_RACES if short else RACES, "rows": rows}


def _on_one_store(work, programs: Programs, store: tuple, short: bool, until: float) -> list[dict]:
    races, agents = (SHORT_RACES, SHORT_AGENTS) if short else (RACES, AGENTS)
    series = [Series(work, programs, store, count) for count in agents]
    # In shares, so that a run which is ended early has seen every row.
    share = max(1, races // SHARES)
    for _ in range(0, races, share):
        for one in series:
            if time.time() < until:
                one.run(share)
    return [one.row() for one in series if one.done]


class Series:
    """Races between so many askers on one store, in a bucket or folder of their own."""

    def __init__(self, work, programs: Programs, store: tuple, agents: int):
        name, endpoint, keys = store
        # Not a name that was ever used: a bucket may outlive us.
        folder = work / f"grid-{os.getpid()}-{name.lower()}-{agents}"
        self.subject = Subject(
            f"brigade, {name}", "brigade", programs.brigade, folder, endpoint, keys
        ).init()
        self.agents, self.done = agents, 0
        self.tally, self.winners, self.losers = collections.Counter(), [], []

    def run(self, races: int) -> None:
        row = race(self.subject, self.agents, races, 0.0, first=self.done)
        self.done += races
        self.tally.update({key: row[key] for key in COUNTED})
        self.winners += row["winner_ms"]
        self.losers += row["loser_ms"]
        print(f"  {self.subject.name}, {self.agents}: {self.tally['one_winner']} of {self.done}",
              flush=True)  # fmt: skip

    def row(self) -> dict:
        times = {
            f"{who}_p{percent}": round(percentile(ms, percent), 1)
            for who, ms in (("winner", self.winners), ("loser", self.losers))
            for percent in (50, 95)
            if ms
        }
        return {"subject": self.subject.name, "agents": self.agents, "races": self.done,
                **self.tally, **times}  # fmt: skip


def wrong(data: dict) -> list[str]:
    return [
        f"{row['subject']}, {row['agents']} askers: {row}"
        for row in data["rows"]
        if row["one_winner"] != row["races"] or row["false_losses"] or row["other_ends"]
    ]
