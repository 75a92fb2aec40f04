"""The checks of `penstock doctor`: of the server's settings, and of runs that are stuck.

A check is a pure function from the facts of a Redis to findings.
"""

from __future__ import annotations

__all__ = ["Finding", "Level", "Reading", "examine", "risks"]

from penstock.runtime.diagnostics.doctor import (
    encryption,
    graphs,
    listed_threads,
    runs,
    server,
    webhooks,
)
from penstock.runtime.diagnostics.doctor.cluster import is_cluster
from penstock.runtime.diagnostics.doctor.finding import Finding, Level, Reading


def examine(reading: Reading) -> list[Finding]:
    """Make all checks; for a server in cluster mode only the check of its version."""
    if is_cluster(reading.info):
        return list(server.version(reading))
    checks = (
        *server.checks(reading),
        *encryption.CHECKS,
        *runs.CHECKS,
        *listed_threads.CHECKS,
        *webhooks.CHECKS,
        *graphs.CHECKS,
    )
    return [finding for check in checks for finding in check(reading)]


def risks(reading: Reading) -> list[Finding]:
    """Find settings that may lose runs: no persistence, or deletion of keys when memory is full."""
    found = [finding for check in server.KEEPING for finding in check(reading)]
    return [finding for finding in found if finding.level is not Level.OK]
