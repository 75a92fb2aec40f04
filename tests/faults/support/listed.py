"""The lists by which runs are found, held against the runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping

from penstock.runtime.redis.run_record import DEFAULTS
from tests.faults.support.snapshot import Snapshot

HOUR = 3_600_000
OPEN = ("queued", "running", "suspended")

Run = Mapping[str, str]


def listed_wrongly(now: Snapshot) -> Iterator[str]:
    """Name the runs that a facet of theirs does not find once, and what lists have besides."""
    yield from _open(now)
    yield from _over(now)
    yield from _for_ever(now)


def facets_of(run: Run) -> list[str]:
    """Return the facets that a run is to be found by."""
    more = [
        f"queue:{run['queue']}" if facet == "queue" else facet for facet in run["facets"].split()
    ]
    more += [f"cause:{run['cause']}"] if run["status"] == "failed" and "cause" in run else []
    return ["all", f"entrypoint:{run['entrypoint']}", *more]


def kept_for(run: Run) -> int:
    """Return for how many milliseconds a run is kept that is over."""
    name = "retention_failed" if run["status"] == "failed" else "retention"
    return int(run.get(name, DEFAULTS[name]))


def is_listed(run: Run) -> bool:
    """Tell whether a run is over, and kept: not one of an older release that was restored."""
    if run["status"] in OPEN:
        return False
    return int(run["finished"]) + kept_for(run) >= time.time() * 1000


def _open(now: Snapshot) -> Iterator[str]:
    expected: dict[str, dict[str, float]] = {}
    for run_id, run in now.runs().items():
        if run["status"] in OPEN:
            more = ["suspended"] * (run["status"] == "suspended")
            for facet in [*facets_of(run), *more]:
                expected.setdefault(facet, {})[run_id] = float(run["created"])
    start = f"{now.prefix}:open:"
    found = {
        key.removeprefix(start): members
        for key, members in now.scores.items()
        if key.startswith(start)
    }
    for facet in found.keys() | expected.keys():
        if found.get(facet) != expected.get(facet):
            yield f"I35 open:{facet} has {found.get(facet)}, open are {expected.get(facet)}"


def _over(now: Snapshot) -> Iterator[str]:
    counted: Counter[tuple[str, str]] = Counter()
    for run_id, run in now.runs().items():
        if not is_listed(run):
            continue
        finished = int(run["finished"])
        name = _name_of(run, finished)
        for facet in facets_of(run):
            entries = now.members.get(f"{now.prefix}:over:{name}:{facet}", [])
            times = entries.count(f"{finished % HOUR:06x}{run_id}")
            counted[facet, name] += times
            if times != 1:
                yield f"I35 run {run_id} is {run['status']}, {times} times in {name}:{facet}"
            if name not in now.index(f"over:{facet}"):
                yield f"I35 over:{facet} does not name {name}, in which run {run_id} is"
    for (facet, name), times in counted.items():
        less = now.index(f"over:{facet}").get(name, 0)
        entries = now.members.get(f"{now.prefix}:over:{name}:{facet}", [])
        if len(entries) - less < times:
            yield f"I35 {name}:{facet} counts {len(entries)} - {less} runs, there are {times}"


def _for_ever(now: Snapshot) -> Iterator[str]:
    start = f"{now.prefix}:over:"
    yield from (
        f"I35 {key} stays for ever"
        for key in now.ttls
        if key.startswith(start) and now.ttls[key] == -1
    )


def _name_of(run: Run, finished: int) -> str:
    kept = kept_for(run)
    return f"{finished // HOUR}:{run['status']}:{-(-(finished + kept) // HOUR)}"
