"""What a chat shows while its run is not over, or has failed: nothing of it is saved yet."""

from __future__ import annotations

__all__ = ["chat_values", "is_open_chat"]

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from penstock.runtime.diagnostics.plain import plain
from penstock.runtime.types.state import StateSnapshot, StateTask

MESSAGES = "messages"


def is_open_chat(state: StateSnapshot) -> bool:
    """Tell whether a state is that of a run's input: then its messages may not be saved."""
    return bool(
        state.run_id
        and (state.metadata or {}).get("source") == "input"
        and state.tasks
        and not state.tasks[0].id
    )


def chat_values(state: StateSnapshot, given: Any) -> Any:
    """Return the values of a state, with the messages of its run's input, and of finished steps.

    Those of the same id are one message, as it is last. Values without a list of messages, of a run
    that was given none, are as they are.
    """
    given = plain(given)
    if not isinstance(given, Mapping):
        return state.values
    asked: Any = cast("Mapping[str, Any]", given).get(MESSAGES)
    if not isinstance(asked, list):
        return state.values
    saved: Any = plain(state.values) or {}
    if not isinstance(saved, Mapping):
        return state.values
    values = dict(cast("Mapping[str, Any]", saved))
    before = values.get(MESSAGES)
    merged = _Merged(cast("Sequence[Any]", before if isinstance(before, list) else ()))
    merged.add(cast("Sequence[Any]", asked))
    for task in state.tasks:
        merged.add(_messages_of(task))
    return {**values, MESSAGES: merged.messages}


class _Merged:
    """Messages, each at the place where it came first."""

    def __init__(self, messages: Sequence[Any]) -> None:
        self.messages = list[Any]()
        self._places: dict[str, int] = {}
        self.add(messages)

    def add(self, messages: Sequence[Any]) -> None:
        for message in messages:
            name = _id_of(message)
            if name is not None and name in self._places:
                self.messages[self._places[name]] = message
                continue
            if name is None and message in self.messages:
                continue  # one that a run has saved, given to it again
            if name is not None:
                self._places[name] = len(self.messages)
            self.messages.append(message)


def _messages_of(task: StateTask) -> list[Any]:
    """Return the whole messages that a step has returned: one, some, or some as `messages`."""
    if not task.id:
        return []
    return list(_found(plain(task.result)))


def _found(result: Any) -> Iterator[Any]:
    if isinstance(result, list):
        each = cast("Sequence[Any]", result)
        if each and all(_is_message(one) for one in each):
            yield from each
    elif _is_message(result):
        yield result
    elif isinstance(result, Mapping):
        yield from _found(cast("Mapping[str, Any]", result).get(MESSAGES))


def _is_message(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    fields = cast("Mapping[str, Any]", value)
    kind = fields.get("type") or fields.get("role")
    return isinstance(kind, str) and "content" in fields


def _id_of(message: Any) -> str | None:
    if not isinstance(message, Mapping):
        return None
    name = cast("Mapping[str, Any]", message).get("id")
    return name if isinstance(name, str) and name else None
