"""docs/benchmarks.md and its plots, drawn from the newest results of each group."""

from pathlib import Path

from proofs.report import section as proofs

from . import plot
from .figures import BENCHES, BUSY, newest
from .table import table

DOCS = BENCHES.parent / "docs"
PLOTS = DOCS / "plots"
REQUESTS = BENCHES.parent / "crates" / "core" / "tests" / "core" / "requests.rs"
SUBJECTS = ["brigade, directory", "brigade, moto", "tracecraft, moto"]


def write() -> list[Path]:
    """The document says nothing that is not in a results file or in the tests."""
    parts = [_head()]
    for group, section in SECTIONS.items():
        results = newest(group)
        if results:
            parts.append(section(results["data"]) + _source(group, results))
    parts += [_requests(), *filter(None, [proofs()])]
    path = DOCS / "benchmarks.md"
    path.write_text("\n\n".join(parts) + "\n")
    return [path, *sorted(PLOTS.glob("*.svg"))]


def _head() -> str:
    machine = next(filter(None, map(newest, SECTIONS)))["machine"]
    return f"""# Benchmarks

Every figure on this page comes from a file in [benches/results](../benches/results), which has the raw samples too. The page and its plots are drawn from these files by the harness; nobody edits them. To measure it all again, in a quarter of an hour:

```sh
benches/run
```

| | |
|---|---|
| Machine | {machine["class"]}; {machine["system"]}; {machine["filesystem"]} |
| brigade | {machine["brigade"]} ({machine["brigade_commit"]}), release build, {machine["brigade_bytes"] / 1e6:.1f} MB |
| tracecraft | {machine["tracecraft"]} from PyPI, boto3 {machine["boto3"]}, Python {machine["python"]} |
| Object store | moto {machine["moto"]} on the same machine |
| Starting any process (`/bin/true`) | {machine["start_of_true_ms"]} ms, and part of every time below |
| `fsync` of one small new file | {machine["fsync_ms"]} ms |
| One bare conditional put to moto | {machine["moto_put_ms"]} ms |

How to read it:

- A time is of a **whole process**, from its start to its end, as an agent's shell would see it. The tools are taken in turn (A B C A B C …), in the same run, the two on moto against the same server.
- **moto is a mock in Python.** It works on one core at most and needs more time for an answer than brigade for the question. On moto the figures show how the tools compare on the same server and how races end, not how fast a bucket is. Behind a network, what counts is the number of requests, at the end of this page.
- The machine is small and shared. Differences of less than a fifth, and single maxima, are noise. From 4 processes at once on, all wait for the two cores, the server among them.
- A load above {BUSY:.0f} at the start of a group is noted with it."""


def _source(group: str, results: dict) -> str:
    busy = " **Others were busy: measure again.**" if results["load_before"] > BUSY else ""
    name = f"{results['date']}-{group}.json"
    return (
        f"\n\nFrom [{name}](../benches/results/{name}): `{results['command']}`, "
        f"{results['seconds']:.0f} s, load {results['load_before']} before and "
        f"{results['load_after']} after.{busy}"
    )


def _verbs(data: dict) -> str:
    local, moto, peer = (data[name] for name in SUBJECTS)
    medians = {name: {v: data[name][v]["median"] for v in local} for name in SUBJECTS}
    plot.bars(PLOTS / "verbs.svg", "Median time of a whole process", "ms, logarithmic", medians)
    rows = [
        [
            verb,
            *(_spread(data[name][verb]) for name in SUBJECTS),
            f"{peer[verb]['median'] / moto[verb]['median']:.0f}×",
            *(f"{data[name][verb]['peak_kib'] / 1024:.0f}" for name in SUBJECTS),
        ]
        for verb in local
    ]
    return f"""## One command

Median (least – most) of {local["send"]["n"]} runs, in ms; most memory resident, in MiB. The ratio is of the two medians on moto. The agents are at work already: a session's very first act costs a few requests more.

{table(["Verb", *SUBJECTS, "Ratio", "MiB: directory", "moto", "tracecraft"], rows)}

![Median time of each verb](plots/verbs.svg)

A write into a directory is on the disk, and so is its name, before it is called done; what one `fsync` costs here stands above. tracecraft spends most of its time on its own start: its `--version`, which asks no store, takes {peer["--version"]["median"]:.0f} ms, and a command loads boto3 as well."""


def _ceph(data: dict) -> str:
    ours, peer = data["brigade, Ceph"], data["tracecraft, Ceph"]
    ratios = {verb: peer[verb]["median"] / ours[verb]["median"] for verb in ours}
    rows = [
        [verb, _spread(ours[verb]), _spread(peer[verb]), f"{ratios[verb]:.0f}×"] for verb in ours
    ]
    least = min(ratios, key=ratios.get)
    return f"""## One command, on Ceph

The same on Ceph's object gateway, an engine that people deploy: it answers sooner than moto, so that more of the time is the tools' own. The least ratio is {ratios[least]:.0f}× ({least}).

{table(["Verb", "brigade, Ceph", "tracecraft, Ceph", "Ratio"], rows)}"""


def _races(data: dict) -> str:
    rows = data["rows"]
    at_once = [row for row in rows if not row["apart_ms"]]
    _plot_races(rows)
    ours = [row for row in rows if row["subject"].startswith("brigade")]
    wins, races = (sum(row[key] for row in ours) for key in ("one_winner", "races"))
    cells = [
        [
            row["subject"], row["agents"], row["races"], row["one_winner"], row["false_losses"],
            row["other_ends"], _two(row, "winner"), _two(row, "loser"),
        ]
        for row in sorted(at_once, key=lambda row: SUBJECTS.index(row["subject"]))
    ]  # fmt: skip
    controls = [
        [r["subject"], r["agents"], r["races"], r["one_winner"], r["false_losses"],
         _two(r, "winner"), _two(r, "loser")]
        for r in sorted(rows, key=lambda row: SUBJECTS.index(row["subject"]))
        if r["apart_ms"]
    ]  # fmt: skip
    head = ["Where", "Agents", "Races", "One winner"]
    return f"""## Many agents, one task

Agents are processes that start at one moment and claim the same new task. Who won is read from the store, past the agents: a race counts when exactly one claim lies there and its author is the one that was told so. A *false loss* is an agent that was told another name than the winner's, or that lost to itself. Brigade: **{wins} of {races} races had one winner**, {sum(row["false_losses"] for row in ours)} false losses, {sum(row["other_ends"] for row in ours)} ended otherwise. Times in ms, p50 / p95.

{table([*head, "False losses", "Other ends", "Winner", "Loser"], cells)}

![Time of winners and losers](plots/races.svg)

The control: the same agents, started 25 ms apart. Where it stays flat, the cost is of simultaneity and not of the number of agents.

{table([*head, "False losses", "Winner", "Loser"], controls)}

A loser of brigade takes longer than a winner because it does more: it reads back who won, lists what came since, looks whether the holder lives, and puts its refusal into the journal."""


def _plot_races(rows: list[dict]) -> None:
    def points(subject: str, apart: bool, key: str) -> list[tuple]:
        chosen = [r for r in rows if r["subject"] == subject and bool(r["apart_ms"]) == apart]
        return [(row["agents"], row[key]) for row in chosen if row[key]]

    series = {
        "directory, winner": points("brigade, directory", False, "winner_p50"),
        "directory, loser": points("brigade, directory", False, "loser_p50"),
        "directory, loser, apart": points("brigade, directory", True, "loser_p50"),
        "moto, winner": points("brigade, moto", False, "winner_p50"),
        "moto, loser": points("brigade, moto", False, "loser_p50"),
        "moto, loser, apart": points("brigade, moto", True, "loser_p50"),
    }
    axes = ("agents at once", "ms, median")
    plot.lines(PLOTS / "races.svg", "A race for one task", axes, series)


def _mail(data: dict) -> str:
    rows = [
        [
            r["subject"], r["messages"], r["failed_sends"], r["delivered"], r["lost"],
            r["duplicates"], r["seconds"], r["per_second"], r["send"]["median"], r["read_all_ms"],
        ]
        for r in data["rows"]
    ]  # fmt: skip
    head = ["Where", "Messages", "Failed sends", "Delivered", "Lost", "Duplicates"]
    return f"""## A burst of mail

{data["rows"][0]["senders"]} agents send to one reader as fast as they can, each message a process of its own. Each one is then looked for in what the reader's `inbox --new` prints; a second look must print none again. tracecraft gets a shorter burst, for each of its processes keeps a core busy for a third of a second.

{table([*head, "Seconds", "Per second", "One send, ms", "Reading all, ms"], rows)}"""


def _throughput(data: dict) -> str:
    rows = data["rows"]
    series = {
        place: [(r["workers"], r["pairs_per_second"]) for r in rows if r["subject"] == place]
        for place in SUBJECTS[:2]
    }
    axes = ("workers", "tasks a second")
    plot.lines(PLOTS / "throughput.svg", "Claimed and completed", axes, series)
    cells = [
        [r["subject"], r["workers"], r["tasks"], r["closed"], r["failed"], r["pairs_per_second"],
         r["command"]["median"], r["command"]["p95"]]
        for r in sorted(rows, key=lambda row: SUBJECTS.index(row["subject"]))
    ]  # fmt: skip
    head = ["Where", "Workers", "Tasks", "Closed", "Failed", "Tasks a second"]
    return f"""## Claim and complete

Workers claim and complete tasks of their own without a pause; each act is a process. *Closed* is counted in the store.

{table([*head, "One command, ms", "p95"], cells)}

![Tasks a second](plots/throughput.svg)"""


def _growth(data: dict) -> str:
    rows = data["rows"]
    verbs = list(rows[0]["verbs"])
    series = {v: [(row["size"], row["verbs"][v]["median"]) for row in rows] for v in verbs}
    axes = ("tasks, and as many messages and memory keys", "ms, median")
    plot.lines(PLOTS / "growth.svg", "A growing local project", axes, series)
    cells = [
        [f"{row['size']:,}", f"{row['objects']:,}", *(row["verbs"][v]["median"] for v in verbs),
         row["first_inbox_ms"], row["doctor_ms"]]
        for row in rows
    ]  # fmt: skip
    head = ["Tasks", "Objects", *verbs, "first inbox (all new)", "doctor --quick"]
    return f"""## A growing project

A local project with so many tasks (a third open, a third held, a third closed), as many messages to one reader and as many memory keys, written directly in the [documented format](bucket.md) and found sound by `brigade doctor --quick`. Median of {rows[0]["verbs"]["status"]["n"]} runs, in ms; the last two columns are single runs.

{table(head, cells)}

![Time by size](plots/growth.svg)

What names one thing (`claim`, `step-status`, `memory get`) does not grow. What looks at everything (`status`, `events`) grows with everything, and an idle inbox with the number of names it lists. What was read before is kept on this machine since, which these figures do not know yet where their date is older."""


def _issues(data: dict) -> str:
    rows = data["rows"]
    verbs = list(dict.fromkeys(verb for row in rows for verb in row["verbs"]))
    cells = [
        [row["subject"], row["cache"], f"{row['size']:,}",
         *(row["verbs"][v]["median"] if v in row["verbs"] else "–" for v in verbs)]
        for row in rows
    ]  # fmt: skip
    imports = [[f"{r['size']:,}", r["export_ms"], r["import_ms"]] for r in data["import"]]
    any_verb = next(iter(rows[0]["verbs"].values()))
    return f"""## Tasks as issues

A project of so many tasks, filled past the tools in their own formats. Median of {any_verb["n"]} whole processes, in ms. *Cold* is with the cache folder taken away before each command, *warm* with what the command before left in it. `.track` is agent-track from PyPI on the same disk; beads' npm package fetches its binary from a host that is no package registry, so it is not here.

{table(["Where", "Cache", "Tasks", *verbs], cells)}

A whole project out into one file of issues, and that file into an empty project: single runs, in ms.

{table(["Tasks", "export", "import"], imports)}"""


def _issue_requests(data: dict) -> str:
    verbs = list(dict.fromkeys(verb for row in data["rows"] for verb in row["asked"]))
    merged: dict[tuple, dict] = {}
    for row in data["rows"]:
        merged.setdefault((row["size"], row["cache"]), {}).update(row["asked"])
    cells = [
        [f"{size:,}", cache, *(_kinds(asked.get(verb)) for verb in verbs)]
        for (size, cache), asked in merged.items()
    ]
    return f"""## Requests of the issue verbs

Of one command in a session that is at work, in a bucket with so many tasks, counted by a proxy in front of moto. *Cold* is with an empty cache folder. A page of a listing has a thousand rows; what was listed is fetched once for each machine. `import` brings the tasks into an empty project, `import again` the same file once more.

{table(["Tasks", "Cache", *verbs], cells)}"""


def _kinds(asked: dict | None) -> str:
    if asked is None:
        return "–"
    return " ".join(f"{count:,} {what}" for what, count in asked.items()) or "none"


def _latency(data: dict) -> str:
    late = sorted({row["late_ms"] for row in data["rows"]})
    looks: dict[tuple, dict[int, dict]] = {}
    for row in data["rows"]:
        key = (row["who"], row["size"], row["look"], row["turn"])
        looks.setdefault(key, {})[row["late_ms"]] = row
    rows = [
        [
            who, f"{size:,}", look, turn, _asked(runs[late[-1]]),
            *(f"{runs[ms]['ms'] / 1000:.2f}" for ms in late),
        ]
        for (who, size, look, turn), runs in looks.items()
    ]  # fmt: skip
    head = ["", "Tasks", "Look", "", "Requests", *(f"{ms} ms" for ms in late)]
    return f"""## Behind a network

A proxy makes each answer of moto late by so much; seconds of a whole process. *First* is with an empty cache, *again* the same command once more; where the project is large only `status` is run first, and the others find what it has read. tracecraft keeps nothing. brigade's project has as many messages, memory keys and heads as tasks (and `inbox` hands out all that is unread); tracecraft's has ten of each, and what its looks ask does not depend on more. moto answers one request at a time, in some milliseconds, so a thousand reads take seconds however short the way is.

{table(head, rows)}"""


def _asked(row: dict) -> str:
    return f"{row['requests']:,} ({', '.join(f'{n:,} {what}' for what, n in row['asked'].items())})"


def _replay(data: dict) -> str:
    cells = [
        [f"`{verb}`", _spread(row), f"{row['peak_kib'] / 1024:.0f}"]
        for verb, row in data["verbs"].items()
    ]
    words = f"""## The replay of a long run

A run of {data["agents"]} agents and {data["events"]:,} events in a folder, laid there as documents. Whole processes, in ms; most memory resident, in MiB. The first one of all, which reads every document, took {data["first_ms"] / 1000:.1f} s; the others find them in the user's cache. The file has {data["html_bytes"] / 1e6:.1f} MB, the trace {data["perfetto_bytes"] / 1e6:.1f} MB.

{table(["Command", f"ms, of {next(iter(data['verbs'].values()))['n']} runs", "MiB"], cells)}"""
    served = data.get("dashboard")
    if served:
        rows = [
            [name, f"{page['first_ms']:.0f}", f"**{page['median']:.0f}**", f"{page['bytes'] / 1000:.0f}"]
            for name, page in served["pages"].items()
        ]  # fmt: skip
        words += f"""

`brigade serve` over the same run: it listens {served["up_ms"] / 1000:.1f} s after its start, and has {served["rss_kib"] / 1024:.0f} MiB when all of that was asked for ({served["peak_kib"] / 1024:.0f} at most). An answer's time, with all of its bytes:

{table(["Page", "first, ms", "then, ms", "kB"], rows)}"""
    browsers = {"the file, from `file://`": data["browser"], "the dashboard's page": served and served["browser"]}
    browsers = {name: row for name, row in browsers.items() if row}
    if browsers:
        names = {
            "first_paint_ms": "first paint, ms",
            "ready_ms": "the viewer is ready, ms",
            "scrub_p50_ms": "a moment is scrubbed to and drawn, ms: median of 60",
            "scrub_p95_ms": "the same, 57th of 60",
            "heap_mb": "memory of the page's script, MB",
            "requests": "requests beside the page itself",
        }
        rows = [[said, *(_spread(row[name]) for row in browsers.values())] for name, said in names.items()]
        words += f"\n\nThe viewer in headless Chromium:\n\n{table(['', *browsers], rows)}"
    return words


def _sessions(data: dict) -> str:
    whole = [
        [
            row["subject"], f"{row['what']}, {row['bytes'] / 1e6:,.0f} MB",
            "yes" if row["redacts"] else "no", row["seconds"], row["mb_per_second"],
            row["mb_per_core_second"], row["peak_mib"], row["objects"],
            f"{row['in_clear']} of {row['planted']}" if row["redacts"] else "–",
        ]
        for row in data["whole"]
    ]  # fmt: skip
    head = ["Where", "Transcript", "Redacts", "Seconds", "MB/s", "MB/s a core", "MiB", "Objects"]
    latency = [
        [row["subject"], row["interval"], _spread(row), f"{row['p95']:.1f}"]
        for row in data["latency"]
    ]
    asked = [
        [row["subject"], row["interval"], row["idle_an_hour"], row["busy_an_hour"], row["parts"],
         " ".join(f"{n} {what}" for what, n in row["busy"].items()), f"{row['sent_bytes'] / 1000:.0f}"]
        for row in data["requests"]
    ]  # fmt: skip
    first = data["requests"][0]
    return f"""## Transcripts of other programs

`session mirror` stores a Claude Code transcript that was never mirrored: single runs of a whole process, the same file for all, at the path where each tool looks for it. *MB/s a core* is by the time on processors, reading, redacting, hashing and writing together. *MiB* is the most memory resident. *In clear* is how many of the secrets in the file can be read in the store after.

{table([*head, "In clear"], whole)}

How soon a line that was appended is in the store, with `--follow`: median (least – most) and 95th percentile of {data["latency"][0]["n"]}, in ms. Lines are gathered for the interval; each tool with the least that it takes, and with its own.

{table(["Where", "Interval", "ms", "p95"], latency)}

What following asks of the store: counted by a proxy for {first["idle_s"]} s in which nothing happens, and for {first["busy_s"]} s with a line each second.

{table(["Where", "Interval", "Idle, requests an hour", "Busy, requests an hour", "Parts", "Of these", "Sent, kB"], asked)}"""


def _requests() -> str:
    """The table stands in the test that counts; here it is only quoted."""
    lines = REQUESTS.read_text().splitlines()
    rows = [line.removeprefix("//! ") for line in lines if line.startswith("//! |")]
    return (
        "## What a command asks of the store\n\n"
        "Not measured but asserted: the tests in "
        "[requests.rs](../crates/core/tests/core/requests.rs) count every request and fail on "
        "one more or one less. Their table:\n\n" + "\n".join(rows)
    )


def _spread(row: dict) -> str:
    return f"**{row['median']:.1f}** ({row['min']:.1f} – {row['max']:.1f})"


def _two(row: dict, who: str) -> str:
    return "–" if row[f"{who}_p50"] is None else f"{row[f'{who}_p50']} / {row[f'{who}_p95']}"


SECTIONS = {
    "verbs": _verbs,
    "ceph": _ceph,
    "races": _races,
    "mail": _mail,
    "throughput": _throughput,
    "growth": _growth,
    "issues": _issues,
    "requests": _issue_requests,
    "latency": _latency,
    "replay": _replay,
    "sessions": _sessions,
}
