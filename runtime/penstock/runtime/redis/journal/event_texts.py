"""The texts of an attempt's events, as they are stored and as they are published. No IO."""

from __future__ import annotations

__all__ = ["EventTexts"]

import json
from collections.abc import Iterator
from dataclasses import dataclass

from penstock.publisher.event import texts
from penstock.runtime.journal.endings import Finished, Suspended
from penstock.runtime.journal.fact import Fact
from penstock.runtime.types.durability import Durability


@dataclass(frozen=True, slots=True)
class EventTexts:
    """Writes the events of one attempt down."""

    attempt: int
    thread: str
    """The thread of the run, "" where it has its own."""
    durability: Durability

    def of(self, fact: Fact, text: str, outcome: str = "") -> tuple[str, str]:
        """Return what is stored of a fact, and what is published; its data is encoded already."""
        if outcome and (fact.inline or self.durability == "exit"):  # exit: nothing to refer to yet
            text, outcome = f'{text[:-1]},"outcome":{outcome}}}', ""
        return texts(
            fact.mode,
            text,
            namespace=fact.namespace,
            attempt=self.attempt,
            thread=self.thread,
            time=fact.time,
            ref=fact.ref if outcome else "",
            outcome=outcome,
        )

    def of_ending(self, ending: Finished | Suspended, fact: Fact) -> tuple[str, str]:
        """Return the texts of the event with which the attempt ends."""
        outcome = ending.checkpoints.get("result", "")
        if isinstance(ending, Finished):
            names = ("name", "status", "cached", "graph")
            data = {key: fact.data[key] for key in names if key in fact.data}
            text = ending.text or json.dumps(data)
        else:
            text = _suspension(ending, fact)
        if outcome:
            fact = fact._replace(ref="result")
        return self.of(fact, text, outcome)


def _suspension(ending: Suspended, fact: Fact) -> str:
    if not ending.questions:
        return json.dumps(fact.data)
    graph = ',"graph":true' if "graph" in fact.data else ""
    return f'{{"interrupts":[{",".join(_asked(ending))}]{graph}}}'


def _asked(ending: Suspended) -> Iterator[str]:
    for name, value in ending.questions.items():
        schema = ending.schemas.get(name)
        more = f',"response_schema":{schema}' if schema is not None else ""
        yield f'{{"value":{value},"id":"{name}"{more}}}'
