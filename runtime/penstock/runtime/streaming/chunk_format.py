"""The form of a run's chunks for its caller."""

from __future__ import annotations

__all__ = ["Form", "Shape", "chosen", "output_of"]

from collections.abc import Container, Iterator
from typing import Any, Protocol, cast

from penstock.runtime.journal.checkpointer import Opening
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.result import Result
from penstock.runtime.streaming.mode_view import INTERRUPT, MODES, ModeView, check_modes
from penstock.runtime.types.call_options import RESULT, SAVED, Options
from penstock.runtime.types.final import Final


class Form(Protocol):
    """What those who follow one call get of it."""

    def first(self, opening: Opening, *, resumes: bool) -> Iterator[Any]:
        """Give what comes before anything is executed, or all there is of a run that is over."""
        ...

    def items(self, fact: Fact) -> Iterator[Any]:
        """Give what comes of a fact."""
        ...

    def ended(self) -> Iterator[Any]:
        """Give what comes after all facts of a run that did not fail."""
        ...


class Shape:
    """Turns facts into the chunks of `stream`, and prints those of `print_mode`."""

    def __init__(self, name: str, options: Options, default: str = "updates") -> None:
        mode = options.stream_mode if options.stream_mode is not None else default
        self._options = options
        self._labelled = not isinstance(mode, str)
        self._modes = check_modes(mode)
        thread_id = str(options.config.get("configurable", {}).get("thread_id", ""))
        self._view = ModeView(
            self._modes,
            entrypoint=name,
            subgraphs=options.subgraphs,
            config=options.config,
            thread_id=thread_id,
        )
        self._printed = ModeView(
            check_modes(options.printed),
            entrypoint=name,
            subgraphs=True,
            config=options.config,
            thread_id=thread_id,
        )

    def items(self, fact: Fact, among: Container[str] = MODES) -> Iterator[Any]:
        """Give what a fact looks like in the wanted modes, and print it in those to be printed."""
        self.show(fact)
        for namespace, mode, payload in self._view.chunks(
            fact.mode, fact.data, fact.namespace, fact.time
        ):
            if mode == "values" and not namespace and "saved" in fact.data:
                payload = chosen(self._options, payload, fact.data["saved"])
            if mode in among:
                yield self._item(namespace, mode, payload)

    def show(self, fact: Fact) -> None:
        """Print a fact in the modes that are to be printed."""
        if not self._options.printed:
            return
        for namespace, mode, payload in self._printed.chunks(
            fact.mode, fact.data, fact.namespace, fact.time
        ):
            print(f"[{':'.join((*namespace, mode))}] {payload}")

    def first(self, opening: Opening, *, resumes: bool) -> Iterator[Any]:
        """Give what is to be seen before anything is executed: of a run that goes on, or is over.

        Where one goes on, this is its thread's value: what the run before returned.
        """
        if opening.result is not None:
            yield from self._settled(opening.result)
        elif resumes and "values" in self._modes:
            value = chosen(self._options, opening.value, opening.assignment.previous)
            yield self._item((), "values", value)

    def _settled(self, result: Result) -> Iterator[Any]:
        if result.status == "suspended":
            yield from self._stopped()
        elif "values" in self._modes:
            yield self._item((), "values", output_of(self._options, result.value))

    def ended(self) -> Iterator[Any]:
        """Give what comes after all else of a run that has completed."""
        if self._options.interrupt_after:
            yield from self._stopped()

    def _stopped(self) -> Iterator[Any]:
        for mode in ("updates", "values"):
            if mode in self._modes:
                yield self._item((), mode, {INTERRUPT: ()})

    def _item(self, namespace: tuple[str, ...], mode: str, payload: Any) -> Any:
        if self._options.version == "v2":
            item: dict[str, Any] = {"type": mode, "ns": namespace, "data": payload}
            if mode == "values":
                asks = isinstance(payload, dict) and INTERRUPT in payload
                item["data"] = {} if asks else payload
                item["interrupts"] = cast(Any, payload)[INTERRUPT] if asks else ()
            return item
        if self._options.subgraphs:
            return (namespace, mode, payload) if self._labelled else (namespace, payload)
        return (mode, payload) if self._labelled else payload


def output_of(options: Options, returned: Any) -> Any:
    """Return what a caller gets for what a body has returned."""
    return chosen(options, *Final.split(returned))


def chosen(options: Options, value: Any, saved: Any) -> Any:
    """Return what a caller gets for a value and what was saved with it."""
    keys = options.output_keys
    if keys is None:
        return value
    slots = {RESULT: value, SAVED: saved}
    return slots[keys] if isinstance(keys, str) else {key: slots[key] for key in keys}
