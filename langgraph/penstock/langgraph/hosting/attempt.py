"""One attempt of a run whose entrypoint is a graph: what it is called with, and how it ends."""

from __future__ import annotations

__all__ = ["GraphAttempt"]

import contextvars
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs
from langgraph.errors import GraphDrained
from langgraph.pregel._messages import StreamMessagesHandler
from langgraph.pregel.protocol import StreamProtocol
from langgraph.runtime import RunControl, Runtime
from langgraph.types import Command

from penstock.langgraph.hosting.auth_user import with_user
from penstock.langgraph.hosting.breakpoints import breakpoints_of, has_breakpoints
from penstock.langgraph.hosting.graph import Graph
from penstock.langgraph.hosting.graph_input import graph_command
from penstock.langgraph.hosting.live_values import has_deltas, note_live_values
from penstock.langgraph.hosting.questions import Asker, OpenQuestion, answers_of, open_questions
from penstock.langgraph.hosting.records import LEG, NULL_WRITES, POINT
from penstock.langgraph.hosting.run_saver import RunSaver
from penstock.langgraph.hosting.teller import Teller
from penstock.langgraph.plain import plain
from penstock.langgraph.redis.channels import INTERRUPT
from penstock.runtime.engine.attempt.questions import Question
from penstock.runtime.engine.attempt.response_schema import Response
from penstock.runtime.errors import ReplayError, ResumeError
from penstock.runtime.executor.hosted import HostedRun
from penstock.runtime.journal.result import Result
from penstock.runtime.types.breakpoints import without_breakpoints
from penstock.runtime.types.interrupt import Command as PlainCommand

logger = logging.getLogger(__name__)

_RESERVED: Final = ("thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map")
"""What of `configurable` says where a graph is called."""

_STREAM: Final = "__pregel_stream"
_RUNTIME: Final = "__pregel_runtime"
"""Where LangGraph looks for who listens to a graph that another one has called."""


class GraphAttempt:
    """Calls a graph as its run's records say, and tells how it has ended."""

    def __init__(
        self, name: str, graph: Graph, saver: RunSaver, teller: Teller, run: HostedRun
    ) -> None:
        self._name = name
        self._graph = graph
        self._saver = saver
        self._teller = teller
        self._run = run
        self._journal = run.journal
        self._thread_id = run.attempt.assignment.thread_id
        self._answered: set[str] = set()
        """The questions whose answers the graph is given by this attempt."""
        self._has_point = self._journal.recorded(POINT) is not None
        self._stops = has_breakpoints(graph)
        config: Any = {**(graph.config or {}), **run.attempt.assignment.config}
        self._limit: int = config.get("recursion_limit") or 0
        """How many supersteps the run may make, 0 for as many as LangGraph lets it."""
        self._done = self._counted() if self._limit else 0

    async def execute(self) -> Result:
        """Execute the attempt.

        Raises:
            ReplayError: a node asks again what was answered.
            Exception: whatever the graph raises.
        """
        if self._has_point and await self._is_stopped():
            return await self._suspended(await self._open())
        if self._has_point:
            await self._check_nodes()
        control = RunControl()
        self._run.attempt.control.watch(control.request_drain)
        try:
            values, has_stopped = await self._call(control)
        except GraphDrained:
            return Result("handed over")
        except Exception:
            await self._note_failure()
            raise
        await self._saver.aprune_history()
        if has_stopped or self._stops:
            asked = await self._open()
            if asked or await self._is_stopped():
                await self._note_values()
                return await self._suspended(asked)
        if has_deltas(self._graph):
            await self._note_values()
        return Result("completed", value=plain(values))

    async def _check_nodes(self) -> None:
        point_id, names = await self._saver.atasks()
        for name in names:
            if name not in self._graph.nodes and not name.startswith("__"):
                raise ReplayError(
                    f"point {point_id} of thread {self._thread_id!r} waits for node {name!r}, "
                    f"which {self._name!r} no longer has: deploy code that has it and resume the "
                    "run, or update the state of the thread as another node."
                )

    # -- the call -------------------------------------------------------------------------------

    async def _call(self, control: RunControl) -> tuple[Any, bool]:
        """Call the graph; returns its last values, and whether it stopped in front of something."""
        values: Any = None
        has_stopped = False
        stream = self._graph.astream(
            await self._input(),
            self._told_config(),
            context=self._run.attempt.assignment.context,
            stream_mode=["updates", "values"],
            output_keys=self._graph.output_channels,
            durability=self._journal.durability,
            control=control,
        )
        async with aclosing(stream) as chunks, self._telling():
            async for mode, payload in chunks:
                chunk: Any = payload
                if isinstance(payload, dict) and INTERRUPT in chunk:
                    has_stopped = True
                elif mode == "values":
                    values = chunk
        return values, has_stopped

    async def _input(self) -> Any:
        """Return what the graph is called with: as enqueued, to go on, or with new answers."""
        # A run may ask before it has a point of its own, in the superstep that its thread was at.
        answers = await self._new_answers() if self._recorded_answers() else None
        if answers:
            return Command(resume=answers)
        if self._has_point or self._journal.recorded(NULL_WRITES) is not None:
            return None
        given = self._run.argument
        if isinstance(given, PlainCommand):
            return graph_command(given)
        if getattr(given, "resume", None) is not None:  # of a Command
            raise ResumeError(
                "Command(resume=...) is not an input: answer by run.resume(answer), or where only "
                "the thread is known by client.thread(thread_id).resume(answer)."
            )
        return given

    async def _new_answers(self) -> Mapping[str, Any]:
        """Return the answers that no attempt has recorded as given to their questions yet.

        The answer to a task's question number n, from 0, is recorded once n + 1 of its questions
        are: given again, it would be that of the next one, as LangGraph takes the id of a task's
        first question for that of any.
        """
        codec = self._run.attempt.codec
        found = {name: self._asker(name) for name in self._recorded_answers()}
        askers = {name: asker for name, asker in found.items() if asker is not None}
        answered = await answers_of(self._saver, self._thread_id, set(askers.values()))
        answers: dict[str, Any] = {}
        for name, asker in askers.items():
            if answered.get(asker, asker.number + 1) <= asker.number:
                text = self._journal.recorded(f"!{name}") or b"null"
                answers[name] = codec.at("answer", name).loads(text)
        self._answered = set(answers)
        return answers

    def _recorded_answers(self) -> list[str]:
        return [field[1:] for field in self._journal.fields() if field[:1] == "!"]

    def _asker(self, name: str) -> Asker | None:
        """Return who has asked a question, None for a breakpoint."""
        record = self._journal.recorded(f"?{name}")
        return None if record is None else Asker.parse(json.loads(record))

    @asynccontextmanager
    async def _telling(self) -> AsyncGenerator[None]:
        """Tell at the end what still waits for a point, also where the graph fails."""
        try:
            yield
        finally:
            if not self._journal.is_ending and self._journal.failure is None:
                self._teller.finish()

    def _told_config(self) -> Any:
        """Return the config with what hands all that the graph streams to the teller.

        So it comes in order, and with the task that says it: of what `astream` gives in mode
        `custom` nobody knows that.
        """
        config = self._config()
        config["configurable"] |= {
            _STREAM: StreamProtocol(self._teller.take, {"values", "updates", "debug"}),
            _RUNTIME: Runtime(stream_writer=self._teller.write, store=self._graph.store),
        }
        return config | ({"callbacks": self._callbacks()} if self._teller.tells("messages") else {})

    def _callbacks(self) -> Any:
        """Return the graph's own with what hears of each token and message, in subgraphs, too."""
        messages: BaseCallbackHandler = StreamMessagesHandler(self._teller.take, True)
        merged = merge_configs(self._graph.config or {}, {"callbacks": [messages]})
        return merged.get("callbacks")

    def _config(self) -> Any:
        assignment = self._run.attempt.assignment
        given = without_breakpoints(assignment.config)
        configurable: dict[str, Any] = {
            name: value
            for name, value in given.get("configurable", {}).items()
            if not name.startswith("__") and name not in _RESERVED
        }
        configurable["thread_id"] = self._thread_id
        point_id = given.get("configurable", {}).get("checkpoint_id")
        if point_id and not self._has_point:  # from its first point on the run is at the head
            configurable["checkpoint_id"] = point_id
        about = {
            "run_id": assignment.run_id,
            "thread_id": self._thread_id,
            "graph_id": self._name,
        }
        limit = {"recursion_limit": self._left()} if self._limit else {}
        return {
            **given,
            **limit,
            "configurable": with_user(configurable, self._name),
            "metadata": {**given.get("metadata", {}), **about},
        }

    def _left(self) -> int:
        """Return how many supersteps are left, of those since the last answer or failure."""
        return max(1, self._limit - self._done)

    def _counted(self) -> int:
        """Have supersteps counted; returns how many earlier attempts have made."""
        leg = str(sum(field[:1] == "!" for field in self._journal.fields()))
        recorded = (self._journal.recorded(LEG) or b"").decode().split()
        if not self._has_point or recorded[:1] != [leg]:
            self._saver.count_supersteps(leg, None)
            return 0
        entered, step = map(int, recorded[1:])
        self._saver.count_supersteps(leg, entered)
        return step + 1 - entered

    # -- the end --------------------------------------------------------------------------------

    async def _note_values(self) -> None:
        """Store the values that only this code can tell."""
        place: RunnableConfig = {"configurable": {"thread_id": self._thread_id}}
        await note_live_values(self._graph, self._saver, place)

    async def _note_failure(self) -> None:
        """Note that the run goes on from here with a new budget, and the values as they are."""
        try:
            self._journal.put((), {LEG: ""} if self._limit else {})
            await self._note_values()
        except Exception as error:  # the run fails with the graph's own error, not with this one
            logger.warning("graph %r failed, and its values are not shown: %s", self._name, error)

    async def _open(self) -> Mapping[str, OpenQuestion]:
        return await open_questions(self._saver, self._thread_id)

    async def _is_stopped(self) -> bool:
        """Ask to go on at each breakpoint that the graph is at; tell whether there is any."""
        if not self._stops:
            return False
        released = set(self._recorded_answers())
        is_any = False
        for found in await breakpoints_of(self._graph, self._config()):
            if found.id not in released:
                self._ask(found.id, found.value, found.place, "")
                is_any = True
        return is_any

    async def _suspended(self, asked: Mapping[str, OpenQuestion]) -> Result:
        answers = set(self._recorded_answers())
        for name, question in asked.items():
            if name in self._answered:
                raise ReplayError(
                    f"question {name} of {self._name!r} was answered, and is asked again by "
                    f"{question.place or 'the graph'}: its node has not come to it, or asks it "
                    "where no answer is recorded (a subgraph with checkpointer=False)."
                )
            if name not in answers:
                each = question.interrupt
                schema = each.response_schema
                asker = question.asker
                value, place = plain(each.value), question.place
                self._ask(name, value, place, asker.path, asker.number, schema)
        return Result("suspended", interrupts=self._run.attempt.questions.open)

    def _ask(
        self, name: str, value: Any, place: str, path: str, number: int = 0, schema: Any = None
    ) -> None:
        response = Response(schema) if isinstance(schema, dict) else None
        context = contextvars.copy_context()
        question = Question(name, value, place, path, number, context, response=response)
        self._run.attempt.questions.add(question, None)
