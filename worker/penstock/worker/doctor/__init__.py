"""What `penstock doctor` looks for: what the server promises, and what is stuck in it.

A check is a pure function from what was read of a Redis to findings.
"""

from __future__ import annotations

__all__ = ["Finding", "Level", "Reading", "examine", "risks"]

from penstock.worker.doctor import encryption, runs, server
from penstock.worker.doctor.cluster import is_cluster
from penstock.worker.doctor.finding import Finding, Level, Reading


def examine(reading: Reading) -> list[Finding]:
    """Make all checks; of a server in cluster mode just the one that says so."""
    if is_cluster(reading.info):
        return list(server.version(reading))
    checks = (*server.checks(reading), *encryption.CHECKS, *runs.CHECKS)
    return [finding for check in checks for finding in check(reading)]


def risks(reading: Reading) -> list[Finding]:
    """Find what may lose runs: no disk behind the server, or a server that deletes when full."""
    found = [finding for check in server.KEEPING for finding in check(reading)]
    return [finding for finding in found if finding.level is not Level.OK]
