"""Group `requests`: what the verbs of an issue tracker ask of a bucket, counted by a proxy in front of
moto, with what is kept on this machine and without. How busy the machine is changes nothing here.
"""

from .delay import Delay
from .latency import fill_bucket
from .process import timed
from .seed import fill
from .subjects import PROJECT, Bench, Subject

SIZES = [100, 1_000, 10_000]
VERBS = {
    "create": ["create", "one more"],
    "ready": ["ready"],
    "list": ["list", "--limit", "50"],
    "show": ["show", "task-00003"],
    "update": ["update", "task-00003", "--priority"],
}
# Ten thousand documents through a proxy in Python, once.
PATIENCE_S = 600


def measure(bench: Bench) -> dict:
    rows = []
    with Delay(bench.endpoint) as delay:
        for size in SIZES:
            subject = bench.through("brigade", delay.endpoint)
            fill_bucket(subject, bench.endpoint, size, ("agents", "steps"))
            # What the first act of a session costs more is not the verbs'.
            subject.must("reader", "heartbeat")
            for cache in ("cold", "warm"):
                asked = {
                    verb: _asked(subject, delay, cache, verb, [*words, *_value(verb, cache)])
                    for verb, words in VERBS.items()
                }
                rows.append({"size": size, "cache": cache, "asked": asked})
            bench.forget()
            rows += _imports(bench, delay, size)
            bench.forget()
    return {"rows": rows}


def _value(verb: str, cache: str) -> list[str]:
    """Another one each time, or there would be nothing to write."""
    return ["1" if cache == "cold" else "3"] if verb == "update" else []


def _imports(bench: Bench, delay: Delay, size: int) -> list[dict]:
    """Into an empty project, and the same file once more."""
    full, empty = bench.directory(), bench.through("brigade", delay.endpoint)
    fill(full.project / ".brigade" / PROJECT, size)
    full.must("reader", "export", "-o", str(empty.project / "issues.jsonl"))
    empty.must("reader", "heartbeat")
    words = ["import", "-i", "issues.jsonl"]
    return [
        {"size": size, "cache": cache, "asked": {verb: _asked(empty, delay, "kept", verb, words)}}
        for cache, verb in (("cold", "import"), ("warm", "import again"))
    ]


def _asked(subject: Subject, delay: Delay, cache: str, verb: str, words: list[str]) -> dict:
    command = subject.command("reader", *words)
    if cache == "cold":
        command.env["XDG_CACHE_HOME"] = str(subject.folder / f"cache-of-{verb}")
    elif cache == "warm":
        # Once before, so that all is kept that can be.
        subject.must("reader", *VERBS["ready"])
    delay.taken()
    ran = timed(command, subject.out / "requests.out", PATIENCE_S)
    if ran.code != 0:
        raise RuntimeError(f"{verb} ended with {ran.code}\n{ran.out}")
    return delay.taken()
