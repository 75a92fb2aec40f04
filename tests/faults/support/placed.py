"""Which workers execute which runs: I34 of `invariants`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from penstock.runtime.diagnostics.workers import APP
from tests.faults.support.snapshot import Snapshot

LACKING = ("UnknownEntrypointError", "UnknownTaskError")

Run = Mapping[str, str]


def placed_wrongly(now: Snapshot) -> Iterator[str]:
    """Name the runs that failed for want of code, and pinned ones that are where they must not."""
    for run_id, run in now.runs().items():
        if run["status"] == "failed" and run.get("reason", "").startswith(LACKING):
            yield f"I34 run {run_id} failed, as its worker lacked its code: {run['reason']}"
        if "pin" not in run:
            continue
        parked = run.get("parked", "")
        if parked and parked != f"p:{run['entrypoint']}@{run['version']}":
            yield f"I34 run {run_id} is pinned to {run['version']}, and parked for {parked}"
        version = _version_at(run, now)
        if run["status"] == "running" and version not in (None, run["version"]):
            yield f"I34 run {run_id} is pinned to {run['version']}, a worker of {version} has it"


def _version_at(run: Run, now: Snapshot) -> str | None:
    """Return the version of a run's code at its worker; None for a worker that says nothing."""
    app = now.hashes.get(f"{now.rq}:worker:{run.get('worker')}", {}).get(APP)
    if app is None:
        return None
    told = json.loads(app.decode().partition(" ")[2] or "{}")
    (version, *_) = told.get(run["entrypoint"]) or told.get("") or [""]
    return str(version)
