"""Fixtures of the fault tests."""

from __future__ import annotations

from tests.faults.support.fixtures import checker, client, fleet, raw, server

__all__ = ["checker", "client", "fleet", "raw", "server"]
