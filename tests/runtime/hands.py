"""One entrypoint, its methods called from sync or from async code."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from penstock.runtime.types.state import StateSnapshot
from penstock.runtime.workflow.entrypoint import AnyEntrypoint


@dataclass(frozen=True, slots=True)
class Hands:
    """Calls `get_state` or `aget_state`, and so on, with configs of one thread."""

    flow: AnyEntrypoint
    is_async: bool
    thread: str = "t"

    def config(self, checkpoint: object = None, **more: Any) -> dict[str, Any]:
        configurable: dict[str, Any] = {"thread_id": self.thread}
        if checkpoint is not None:
            configurable["checkpoint_id"] = str(checkpoint)
        return {"configurable": configurable, **more}

    def invoke(self, argument: Any, checkpoint: object = None, **more: Any) -> Any:
        config = self.config(checkpoint, **more)
        if self.is_async:
            return asyncio.run(self.flow.ainvoke(argument, config))
        return self.flow.invoke(argument, config)

    def state(self, checkpoint: object = None) -> StateSnapshot:
        config = self.config(checkpoint)
        if self.is_async:
            return asyncio.run(self.flow.aget_state(config))
        return self.flow.get_state(config)

    def history(self, **options: Any) -> list[StateSnapshot]:
        async def read() -> list[StateSnapshot]:
            return [one async for one in self.flow.aget_state_history(self.config(), **options)]

        if self.is_async:
            return asyncio.run(read())
        return list(self.flow.get_state_history(self.config(), **options))

    def update(
        self, values: Any, as_node: str | None = None, checkpoint: object = None, **more: Any
    ) -> str:
        config = self.config(checkpoint, **more)
        if self.is_async:
            made = asyncio.run(self.flow.aupdate_state(config, values, as_node))
        else:
            made = self.flow.update_state(config, values, as_node)
        return str(made["configurable"]["checkpoint_id"])

    def bulk(self, supersteps: Any) -> str:
        if self.is_async:
            made = asyncio.run(self.flow.abulk_update_state(self.config(), supersteps))
        else:
            made = self.flow.bulk_update_state(self.config(), supersteps)
        return str(made["configurable"]["checkpoint_id"])

    def chunks(self, argument: Any, *modes: str, **more: Any) -> list[Any]:
        async def read() -> list[Any]:
            chunks = self.flow.astream(argument, self.config(**more), stream_mode=modes)
            return [chunk async for chunk in chunks]

        if self.is_async:
            return asyncio.run(read())
        return list(self.flow.stream(argument, self.config(**more), stream_mode=modes))


def number(state: StateSnapshot) -> str:
    """The checkpoint that a state is at."""
    return str(state.config["configurable"]["checkpoint_id"])


def line(states: list[StateSnapshot]) -> list[tuple[str, str, int]]:
    """Numbers, sources and steps of states, the oldest first."""
    return [(number(one), told(one, "source"), told(one, "step")) for one in reversed(states)]


def told(state: StateSnapshot, name: str) -> Any:
    """A member of a state's metadata."""
    assert state.metadata is not None
    return state.metadata[name]
