"""What is stored of a checkpoint, as a snapshot. No IO."""

from __future__ import annotations

__all__ = ["no_snapshot", "snapshot"]

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from penstock.publisher.codec.codec import Codec
from penstock.publisher.codec.failure import load_error
from penstock.runtime.journal.step_id import is_step, namespace, step_name
from penstock.runtime.journal.thread_values import Kept
from penstock.runtime.redis.thread_calls import Record
from penstock.runtime.types.interrupt import Interrupt
from penstock.runtime.types.run import OPEN, RunStatus
from penstock.runtime.types.state import CheckpointRef, StateSnapshot, StateTask, checkpoint_config


def no_snapshot(ref: CheckpointRef) -> StateSnapshot:
    """Return the snapshot of a checkpoint that nobody knows."""
    configurable = {"thread_id": ref.thread_id, "checkpoint_ns": ""}
    if ref.checkpoint_id:
        configurable["checkpoint_id"] = ref.checkpoint_id
    return StateSnapshot(values={}, next=(), config={"configurable": configurable})


def snapshot(record: Record, thread_id: str, codec: Codec) -> StateSnapshot:
    """Build a snapshot of what is stored."""
    kept = Kept(codec, thread_id)
    metadata = kept.metadata(record.metadata)
    parents: dict[str, str] = {}
    metadata |= {"source": record.source, "step": record.step, "parents": parents}
    codec = codec.at("run", record.run_id)
    tasks = tuple(_tasks(record, codec)) if record.source == "input" else ()
    return StateSnapshot(
        values=kept.value(record.saved, record.value),
        next=(record.entrypoint,) if _is_pending(record) else (),
        config=checkpoint_config(thread_id, record.number),
        metadata=metadata,
        created_at=datetime.fromtimestamp(record.time / 1000, UTC).isoformat(),
        parent_config=checkpoint_config(thread_id, record.parent) if record.parent else None,
        tasks=tasks,
        interrupts=tasks[0].interrupts if tasks else (),
        run_id=record.run_id,
    )


def _is_pending(record: Record) -> bool:
    if record.standing == "head":
        return record.status in OPEN or record.status == RunStatus.FAILED
    return record.standing == "past"


def _tasks(record: Record, codec: Codec) -> Iterator[StateTask]:
    asked = {
        name[1:]: _question(name[1:], text, codec)
        for name, text in record.checkpoints.items()
        if name[0] == "?" and _is_asked(record, name[1:])
    }
    result = _outcome(record, "result", codec)
    yield StateTask(
        id="",
        name=record.entrypoint,
        error=result.get("error"),
        interrupts=tuple(each["interrupt"] for each in asked.values()),
        result=result.get("value"),
    )
    recorded = {name for name in record.checkpoints if is_step(name)}
    recorded |= {each["step"] for each in asked.values() if each["step"]}
    for step_id in sorted(recorded, key=_natural):
        outcome = _outcome(record, step_id, codec)
        own = (each["interrupt"] for each in asked.values() if each["step"] == step_id)
        yield StateTask(
            id=step_id,
            name=step_name(step_id),
            path=namespace(step_id),
            error=outcome.get("error"),
            interrupts=tuple(own),
            result=outcome.get("value"),
        )


def _is_asked(record: Record, name: str) -> bool:
    """Tell whether a question is to be seen: while the run is open, until it has its answer."""
    if record.standing != "head":
        return record.standing == "past"
    if not _is_pending(record):
        return False
    if record.status == RunStatus.SUSPENDED:
        return name in record.questions
    return f"!{name}" not in record.checkpoints


def _question(name: str, text: bytes, codec: Codec) -> Mapping[str, Any]:
    told: dict[str, Any] = json.loads(text)
    codec = codec.at("question", name)
    schema = told.get("response_schema")
    asked = Interrupt(
        codec.revive(told["value"]), name, schema and codec.at("schema").revive(schema)
    )
    return {"step": told["step"], "interrupt": asked}


def _outcome(record: Record, name: str, codec: Codec) -> Mapping[str, Any]:
    text = record.checkpoints.get(name)
    found: dict[str, Any] = codec.outcome(text, name) if text is not None else {}
    if "error" in found:
        found["error"] = repr(load_error(found["error"]))
    return found


def _natural(step_id: str) -> tuple[tuple[int, str], ...]:
    """Sort `load:2` before `load:10`."""
    return tuple(
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", step_id)
    )
