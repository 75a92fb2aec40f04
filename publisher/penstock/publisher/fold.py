"""A run's events without void ones."""

from __future__ import annotations

__all__ = ["fold"]

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from penstock.publisher.event import Event

_WORDS: Final = ("custom", "message", "messages")
_OF_A_STEP: Final = ("step.finished", "step.interrupted")
_PAUSES: Final = ("run.interrupted", "run.suspended", "run.resumed", "run.finished")


def fold(events: Iterable[Event]) -> list[Event]:
    """Return a run's events, in order, without those that a later one says are void.

    Takes facts, as `subscribe` yields them, and chunks, as `run.stream` yields them if `retry` is
    among its modes. A retry names a step and a seq: the events of this step from that seq on, up to
    the retry, are void and left out, and so is the retry. A repeated begin, which an attempt writes
    as it takes over from another, is left out too. So the events of an undisturbed run remain.
    Events may begin anywhere; folding twice changes nothing.
    """
    kept: dict[int, Event] = {}
    written: dict[str, list[int]] = {}
    begun: set[str] = set()
    for place, event in enumerate(events):
        if _is_retry(event):
            for void in _void(written, event, kept):
                if kept.pop(void).mode == "step.finished":
                    begun.add(event.data["id"])
            continue
        if _is_again(event, begun):
            continue
        kept[place] = event
        if (step_id := _speaker(event)) is not None:
            written.setdefault(step_id, []).append(place)
    return list(kept.values())


def _is_retry(event: Event) -> bool:
    data = event.data
    return (
        event.mode in ("step.retry", "retry") and isinstance(data, Mapping) and "void_from" in data
    )


def _void(
    written: Mapping[str, list[int]], retry: Event, kept: Mapping[int, Event]
) -> Iterator[int]:
    """Yield the places of the events that a step has written since a seq, newest first."""
    places = written.get(retry.data["id"], [])
    while places and kept[places[-1]].seq >= retry.data["void_from"]:
        yield places.pop()


def _speaker(event: Event) -> str | None:
    """Return the step that wrote an event, if it would write it again; "" is the body."""
    if event.mode in _WORDS or (event.mode == "graph" and event.data["mode"] in _WORDS):
        return "/".join(event.namespace)
    if event.mode in _OF_A_STEP:
        return str(cast("Mapping[str, Any]", event.data)["id"])
    return None


def _is_again(event: Event, begun: set[str]) -> bool:
    """Return whether an event only repeats that the run, or a step, begins."""
    if event.mode in _PAUSES:
        begun.discard("")
    elif event.mode == "step.finished":
        begun.discard(event.data["id"])
    elif event.mode in ("run.started", "step.started"):
        step_id = event.data["id"] if event.mode == "step.started" else ""
        if step_id in begun:
            return True
        begun.add(step_id)
    return False
