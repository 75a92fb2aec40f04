"""The form in which chunks reach the caller of `stream`."""

from __future__ import annotations

__all__ = ["Shape"]

from collections.abc import Iterator
from typing import Any, cast

from penstock.runtime.engine import Result
from penstock.runtime.journal import Fact
from penstock.runtime.options import Options
from penstock.runtime.view import INTERRUPT, View, check_modes


class Shape:
    """The form in which chunks reach the caller of `stream`."""

    def __init__(self, name: str, options: Options) -> None:
        mode = options.stream_mode if options.stream_mode is not None else "updates"
        self._labelled = not isinstance(mode, str)
        self._subgraphs = options.subgraphs
        self._version = options.version
        self._view = View(check_modes(mode), entrypoint=name, subgraphs=options.subgraphs)
        self._modes = check_modes(mode)

    def items(self, fact: Fact) -> Iterator[Any]:
        """Give what a fact looks like in the wanted modes."""
        for namespace, mode, payload in self._view.chunks(
            fact.mode, fact.data, fact.namespace, fact.time
        ):
            yield self._item(namespace, mode, payload)

    def settled(self, result: Result) -> Iterator[Any]:
        """Give what is to be seen of a run that had its result before the call."""
        if "values" in self._modes:
            yield self._item((), "values", result.value)

    def _item(self, namespace: tuple[str, ...], mode: str, payload: Any) -> Any:
        if self._version == "v2":
            item: dict[str, Any] = {"type": mode, "ns": namespace, "data": payload}
            if mode == "values":
                asked = cast(Any, payload).get(INTERRUPT, ()) if isinstance(payload, dict) else ()
                item["interrupts"] = asked
            return item
        if self._subgraphs:
            return (namespace, mode, payload) if self._labelled else (namespace, payload)
        return (mode, payload) if self._labelled else payload
