"""The section of docs/benchmarks.md about the proofs, from the newest results of each."""

from harness.figures import newest
from harness.table import table


def section() -> str:
    parts = [f(newest(f"proof-{name}")) for name, f in SECTIONS.items() if newest(f"proof-{name}")]
    if not parts:
        return ""
    return "\n\n".join([HEAD, *parts])


HEAD = """## Proofs

Not how fast, but whether it holds: real processes by the hundred thousand, killed and lied to. `benches/prove` runs them all, `benches/prove NAME` one; `--short` runs seconds of each and keeps nothing, which is what CI does. The program behind some of them is [crates/core/examples/proof](../crates/core/examples/proof). What is promised, and what is not, is in [guarantees.md](guarantees.md)."""


def _grid(results: dict) -> str:
    rows = results["data"]["rows"]
    stores = list(dict.fromkeys(row["subject"] for row in rows))
    cells = []
    for store in stores:
        own = [row for row in rows if row["subject"] == store]
        sums = {key: sum(row[key] for row in own) for key in ("races", "one_winner", "false_losses", "other_ends")}
        askers = ", ".join(str(row["agents"]) for row in own)
        cells.append([store, askers, *(f"{sums[key]:,}" for key in sums),
                      f"{own[-1]['winner_p50']:.0f} / {own[-1]['loser_p50']:.0f}"])  # fmt: skip
    head = ["Where", "Askers", "Races", "One winner", "False losses", "Other ends",
            f"Winner / loser of {rows[-1]['agents']}, ms"]  # fmt: skip
    return f"""### The grid

Processes of the release binary claim one task at one moment, {rows[0]["races"]} races for each number of askers. Who won is read from the store. A *false loss* is a process that was refused although nobody else held the task, or in favour of somebody who did not.

{table(head, cells)}{_source("grid", results)}"""


def _drain(results: dict) -> str:
    rows = results["data"]["rows"]
    cells = [
        [row["subject"], row["agents"], *(f"{row[key]:,}" for key in (
            "tasks", "closed", "not_once", "before_its_time", "unacknowledged", "commands", "kills",
            "died", "takeovers")), f"{row['seconds']:.0f}", row["doctor"]]
        for row in rows
    ]  # fmt: skip
    head = ["Where", "Agents", "Tasks", "Closed", "Not once", "Before its time", "Told and not so",
            "Commands", "Killed", "Dead holders", "Takeovers", "Seconds", "Doctor"]  # fmt: skip
    return f"""### Draining a graph

So many processes at once empty a graph in which each task waits for up to three earlier ones: `next --claim`, `complete`, again. Every eighth command is killed -9 at a random moment and its agent comes back; and now and then the agent is dead for good while it holds a task, which is free again when its lease of {results["data"]["ttl"]} has ended. What happened is read from the store. *Not once* is a task that was completed never or twice; *before its time* one that was held before all that it waits for was closed; *told and not so* a completion that an agent was told of and that is not its own in the store.

{table(head, cells)}{_source("drain", results)}"""


def _faults(results: dict) -> str:
    data = results["data"]
    fired = ", ".join(f"{name} {times:,}" for name, times in sorted(data["fired"].items()))
    told = ", ".join(f"{word} {times:,}" for word, times in sorted(data["told"].items()))
    head = ["Races", "Two winners", "Nobody's", "False losses", "Winner told", "Winner not answered"]
    row = [data["races"], data["two_winners"], data["no_owner"], data["false_losses"],
           data["one_winner"], data["winner_unanswered"]]  # fmt: skip
    return f"""### Races on a store that fails

{data["processes"]} processes, of whose writes to the folder {data["faults_percent"]} in 100 go wrong, and of whose reads a third as many: refused with nothing stored, stored and not answered, stored later, sent twice, throttled, slow, unread. Two winners, a task that is nobody's, and false losses are looked for in the folder. Where the winner was not answered in time it was told that the outcome is unknown, which is the truth; nobody else got the task.

{table(head, [[f"{cell:,}" for cell in row]])}

What the askers were told: {told}. Faults: {fired}.{_source("faults", results)}"""


def _mail(results: dict) -> str:
    data = results["data"]
    head = ["Messages", "Senders", "Readers killed", "Delivered", "Lost", "Out of order", "Twice"]
    row = [data["sent"], data["senders"], data["kills"], data["delivered"], data["lost"],
           data["out_of_order"], data["duplicates"]]  # fmt: skip
    return f"""### Mail under wrong clocks

Half of the senders have a wall clock that is an hour ahead, an hour behind, or jumps between the two; the reader is killed -9 after a random time, again and again. A reader that dies between the delivery and its note of it delivers again: that is what *at least once* means.

{table(head, [[f"{cell:,}" for cell in row]])}{_source("mail", results)}"""


def _kills(results: dict) -> str:
    data = results["data"]
    head = ["Killed", "Commands", "Said done", "Of these missing", "Torn files", "Documents",
            "Left-over temp files", "Doctor"]  # fmt: skip
    row = [data["kills"], data["commands"], data["acknowledged"], data["missing"], data["torn"],
           data["documents"], data["temps_left"]]  # fmt: skip
    killed = ", ".join(f"{verb} {times:,}" for verb, times in sorted(data["killed"].items()))
    return f"""### kill -9

{data["agents"]} agents run commands of the release binary in one folder, and most of these are killed at a random moment. Afterwards every file is read, everything that was said to be done is looked for, and `brigade doctor --deep` examines the project and hashes each artifact.

{table(head, [[*(f"{cell:,}" for cell in row), data["doctor_after"]["verdict"]]])}

Killed: {killed}.{_source("kills", results)}"""


def _soak(results: dict) -> str:
    data = results["data"]
    memory, files, counts = data["memory"], data["open_files"], data["counts"]
    told = ", ".join(f"{what} {times:,}" for what, times in sorted(counts.items()))
    head = ["Agents", "Seconds", "Told wrong", "Memory, MiB", "Open files", "Share of a core"]
    row = [f"{data['agents']:,}", f"{data['wanted_s']:,}", data["wrong"],
           f"{memory['second_quarter'] / 1024:.1f} → {memory['last_quarter'] / 1024:.1f}",
           f"{files['second_quarter']:.0f} → {files['last_quarter']:.0f}",
           f"{data['cpu_share']:.0%}"]  # fmt: skip
    return f"""### A soak

Agents with the shortest lease there is at work in one process: they claim, complete, send, read, remember, fall asleep for longer than their lease, and come back, some without a memory. Memory and open files are medians of the second quarter and of the last.

{table(head, [row])}

What they did: {told}.{_source("soak", results)}"""


def _simulation(results: dict) -> str:
    data = results["data"]
    head = ["Seeds", "Store calls", "Objects", "Seeds that broke an invariant"]
    row = [f"{data[key]:,}" for key in ("seeds", "store_calls", "objects", "broken")]
    faults = ", ".join(
        f"{name} {times:,} (in {data['faults_in_percent_of_seeds'][name]} % of the seeds)"
        for name, times in sorted(data["faults"].items())
    )
    short = data["seeds"] < data["wanted"]
    ended = f" Ended before its {data['wanted']:,} seeds were done." if short else ""
    return f"""### The simulation

The whole library in one simulated world for each seed: agents whose clocks are wrong, a network, a store that fails, crashes at any await. All invariants are judged at the end of each. `just simulate-million` runs a million seeds.{ended}

{table(head, [row])}

Faults: {faults}.{_source("simulation", results)}"""


def _source(name: str, results: dict) -> str:
    path = f"{results['date']}-proof-{name}.json"
    return (
        f"\n\nFrom [{path}](../benches/results/{path}): `{results['command']}`, "
        f"{results['seconds']:.0f} s, on {results['date']}."
    )


SECTIONS = {
    "grid": _grid, "drain": _drain, "faults": _faults, "mail": _mail, "kills": _kills, "soak": _soak,
    "simulation": _simulation,
}  # fmt: skip
