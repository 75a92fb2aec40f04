"""A thread as LangGraph's clients know it."""

from __future__ import annotations

__all__ = ["thread_view"]

from typing import Any

from penstock.gateway.compatible.state_view import tasks_of
from penstock.gateway.compatible.task_ids import body_id
from penstock.runtime.types.state import StateSnapshot
from penstock.runtime.types.thread_record import ThreadRecord


def thread_view(
    record: ThreadRecord,
    state: StateSnapshot,
    values: Any = None,
    *,
    has_ttl: bool = False,
) -> dict[str, Any]:
    """Return a thread with its newest state, and with other values if some are given."""
    values = state.values if values is None else values
    tasks = tasks_of(state)
    interrupts = {
        task.id or body_id(state.run_id): [each.as_dict() for each in task.interrupts]
        for task in tasks
        if task.interrupts
    }
    found = {
        "thread_id": record.thread_id,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "state_updated_at": state.created_at or record.created_at,
        "metadata": record.metadata,
        "config": {},
        "status": record.status,
        "values": {} if values is None else values,
        "interrupts": interrupts,
        "error": next((task.error for task in reversed(tasks) if task.error is not None), None),
    }
    return {**found, "ttl": _ttl(record)} if has_ttl else found


def _ttl(record: ThreadRecord) -> dict[str, Any] | None:
    if record.ttl is None:
        return None
    return {
        "strategy": "delete",
        "ttl_minutes": record.ttl / 60,
        "expires_at": record.expires_at,
    }
