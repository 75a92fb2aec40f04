"""Real LangGraph graphs, and what is done with them: each play returns all that could be seen."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias, TypedDict, cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.errors import EmptyInputError
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, PregelTask, Send, StateSnapshot, interrupt

Graph: TypeAlias = Any
"""Compiled graphs are generic in four ways, none of which matters here."""


class Player:
    """Calls one graph on one thread, sync or async, and notes what comes of it."""

    def __init__(self, graph: Graph, runner: asyncio.Runner | None, durability: str) -> None:
        self._graph = graph
        self._runner = runner
        self._durability = durability
        self.config: dict[str, Any] = {"configurable": {"thread_id": "thread 1"}}
        self.seen: list[Any] = []

    def invoke(self, given: Any, config: dict[str, Any] | None = None, **options: Any) -> Any:
        """Run the graph; an error is noted too."""
        options |= {"durability": self._durability}
        try:
            outcome: Any = self._do("invoke", given, config or self.config, **options)
        except (ValueError, EmptyInputError) as error:
            outcome = repr(error)
        else:
            asked: Any = outcome.pop("__interrupt__", ()) if hasattr(outcome, "pop") else ()
            # Those of one superstep are told in the order in which its threads came to them.
            self.seen.append(sorted(repr(each.value) for each in asked))
        self.seen.append(outcome)
        return outcome

    def state(self, config: dict[str, Any] | None = None, **options: Any) -> StateSnapshot:
        """Return and note a state."""
        snapshot: StateSnapshot = self._do("get_state", config or self.config, **options)
        self.seen.append(seen_of(snapshot))
        return snapshot

    def update(self, values: Any, config: Any = None, **options: Any) -> Any:
        """Change the state."""
        return self._do("update_state", config or self.config, values, **options)

    def history(self) -> list[StateSnapshot]:
        """Return and note all points of the thread."""
        if self._runner is None:
            found = list(self._graph.get_state_history(self.config))
        else:
            found = self._runner.run(self._history())
        self.seen.append([seen_of(each) for each in found])
        return found

    async def _history(self) -> list[StateSnapshot]:
        return [each async for each in self._graph.aget_state_history(self.config)]

    def _do(self, verb: str, *args: Any, **options: Any) -> Any:
        if self._runner is None:
            return getattr(self._graph, verb)(*args, **options)
        return self._runner.run(getattr(self._graph, f"a{verb}")(*args, **options))


Play: TypeAlias = Callable[[Player], None]
PLAYS: dict[str, tuple[Callable[[Any], Graph], Play]] = {}
"""Builder of a graph with a checkpointer, and what is done with it."""


def play(build: Callable[[Any], Graph]) -> Callable[[Play], Play]:
    """Add a play to `PLAYS`."""

    def add(function: Play) -> Play:
        PLAYS[function.__name__] = build, function
        return function

    return add


def seen_of(snapshot: StateSnapshot) -> Any:
    """Return what a snapshot shows, without ids, which are never the same."""
    metadata = cast("dict[str, Any]", snapshot.metadata or {})
    seen: dict[str, Any] = {"values": snapshot.values, "next": snapshot.next}
    seen["metadata"] = {name: metadata.get(name) for name in ("source", "step", "team")}
    seen["tasks"] = list(map(_task, snapshot.tasks))
    return seen


def _task(task: PregelTask) -> Any:
    state = seen_of(task.state) if isinstance(task.state, StateSnapshot) else None
    asked = [each.value for each in task.interrupts]
    return [task.name, task.path, task.error and repr(task.error), asked, task.result, state]


def of(function: Callable[[Any], Any]) -> Any:
    """Give a lambda a type: LangGraph's builders have none for it."""
    return function


# -- an agent with tools ------------------------------------------------------------------------


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def numbered(turn: list[AnyMessage]) -> str:
    return f"m{len(turn)}"


def model(state: Chat) -> dict[str, Any]:
    """A fake model: it asks two tools at once, and then says what they said."""
    messages = state["messages"]
    if isinstance(messages[-1], HumanMessage):
        calls = [
            {"name": "length", "args": {"text": messages[-1].content}, "id": f"{len(messages)}-a"},
            {"name": "upper", "args": {"text": messages[-1].content}, "id": f"{len(messages)}-b"},
        ]
        return {"messages": [AIMessage("", tool_calls=calls, id=numbered(messages))]}
    said = ", ".join(str(each.content) for each in messages[-2:])
    return {"messages": [AIMessage(said, id=numbered(messages))]}


def tools(state: Chat) -> dict[str, Any]:
    asked = cast(AIMessage, state["messages"][-1])
    found: list[AnyMessage] = []
    for call in asked.tool_calls:
        text = call["args"]["text"]
        said = str(len(text)) if call["name"] == "length" else text.upper()
        found.append(ToolMessage(said, tool_call_id=str(call["id"]), id=f"t{call['id']}"))
    return {"messages": found}


def agent(saver: Any) -> Graph:
    builder: Graph = StateGraph(Chat)
    builder.add_node("model", model)
    builder.add_node("tools", tools)
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", _wants, ["tools", END])
    builder.add_edge("tools", "model")
    return builder.compile(checkpointer=saver)


def _wants(state: Chat) -> str:
    last = state["messages"][-1]
    return "tools" if isinstance(last, AIMessage) and last.tool_calls else END


@play(agent)
def an_agent(player: Player) -> None:
    for number, text in enumerate(("hello", "good bye", "again")):
        player.invoke({"messages": [HumanMessage(text, id=f"h{number}")]})
    player.config["metadata"] = {"team": "blue"}
    player.invoke({"messages": [HumanMessage("more", id="h9")]})
    player.state()
    player.history()


# -- map and reduce -----------------------------------------------------------------------------


class Words(TypedDict):
    words: list[str]
    lengths: Annotated[list[int], operator.add]
    total: int


def map_reduce(saver: Any) -> Graph:
    builder: Graph = StateGraph(Words)
    builder.add_node("split", of(lambda state: {"words": sorted(state["words"])}))
    builder.add_node("measure", of(lambda sent: {"lengths": [len(sent["word"])]}))
    builder.add_node("add", of(lambda state: {"total": sum(state["lengths"])}))
    builder.add_edge(START, "split")
    builder.add_conditional_edges(
        "split", of(lambda state: [Send("measure", {"word": word}) for word in state["words"]])
    )
    builder.add_edge("measure", "add")
    return builder.compile(checkpointer=saver)


@play(map_reduce)
def a_map_and_reduce(player: Player) -> None:
    player.invoke({"words": ["three", "one", "a", "seventeen", "twenty", "on"]})
    player.invoke({"words": []})
    player.history()


# -- questions, failures, breakpoints -----------------------------------------------------------


class Log(TypedDict):
    log: Annotated[list[str], operator.add]


def asking(saver: Any) -> Graph:
    def left(state: Log) -> dict[str, Any]:
        return {"log": [f"left {interrupt('left?')} {interrupt('sure?')}"]}

    def right(state: Log) -> dict[str, Any]:
        return {"log": [f"right {interrupt({'side': 'right'})}"]}

    builder: Graph = StateGraph(Log)
    builder.add_node("left", left)
    builder.add_node("right", right)
    builder.add_node("quick", of(lambda state: {"log": ["quick"]}))
    builder.add_node("end", of(lambda state: {"log": ["end"]}))
    for name in ("left", "right", "quick"):
        builder.add_edge(START, name)
        builder.add_edge(name, "end")
    return builder.compile(checkpointer=saver)


@play(asking)
def questions_in_parallel(player: Player) -> None:
    player.invoke({"log": ["begin"]})
    snapshot = player.state()
    ids = {
        each.value if isinstance(each.value, str) else "right": each.id for each in _open(snapshot)
    }
    player.invoke(Command(resume={ids["right"]: "yes"}))
    (left,) = _open(player.state())
    player.invoke(Command(resume={left.id: "maybe"}))
    player.history()
    player.invoke(Command(resume="of course"))
    player.history()


def _open(snapshot: StateSnapshot) -> list[Any]:
    return [each for task in snapshot.tasks for each in task.interrupts]


def failing(saver: Any) -> Graph:
    fails = iter([True, True, False, False])

    def fragile(state: Log) -> dict[str, Any]:
        if next(fails):
            raise ValueError("not yet")
        return {"log": ["fragile"]}

    builder: Graph = StateGraph(Log)
    builder.add_node("fragile", fragile)
    builder.add_node("solid", of(lambda state: {"log": ["solid"]}))
    builder.add_edge(START, "solid")
    builder.add_edge("solid", "fragile")
    return builder.compile(checkpointer=saver)


@play(failing)
def a_failure(player: Player) -> None:
    player.invoke({"log": ["begin"]})
    player.invoke(None)
    player.invoke(None)
    player.state()
    player.history()


@play(map_reduce)
def breakpoints(player: Player) -> None:
    player.invoke({"words": ["a", "bc"]}, interrupt_before=["add"])
    player.state()
    player.invoke(None, interrupt_after=["add"])
    player.invoke(None)
    player.history()


# -- subgraphs ----------------------------------------------------------------------------------


def nested(saver: Any) -> Graph:
    def child(own: bool) -> Graph:
        builder: Graph = StateGraph(Log)
        builder.add_node("think", of(lambda state: {"log": ["thought"]}))
        builder.add_node("ask", of(lambda state: {"log": [f"heard {interrupt('child?')}"]}))
        builder.add_edge(START, "think")
        builder.add_edge("think", "ask")
        return builder.compile(checkpointer=True if own else None)

    builder: Graph = StateGraph(Log)
    builder.add_node("forgets", child(own=False))
    builder.add_node("remembers", child(own=True))
    builder.add_edge(START, "forgets")
    builder.add_edge("forgets", "remembers")
    return builder.compile(checkpointer=saver)


@play(nested)
def subgraphs(player: Player) -> None:
    for number in range(2):
        player.invoke({"log": [f"begin {number}"]})
        player.state(subgraphs=True)
        player.invoke(Command(resume=f"a{number}"))
        player.state(subgraphs=True)
        player.invoke(Command(resume=f"b{number}"))
    player.history()


# -- the past -----------------------------------------------------------------------------------


@play(agent)
def updates_and_forks(player: Player) -> None:
    player.invoke({"messages": [HumanMessage("hello", id="h")]})
    player.update({"messages": [HumanMessage("no: bye", id="h")]}, as_node="__start__")
    player.invoke(None)
    forked = before("tools", player.history())
    player.invoke(None, forked)
    player.history()
    other = player.update(
        {"messages": [ToolMessage("7", tool_call_id="x", id="z")]}, forked, as_node="tools"
    )
    player.state(other)
    player.invoke(None, other)
    player.invoke({"messages": [HumanMessage("third", id="h3")]}, forked)
    player.history()


def before(node: str, history: list[StateSnapshot]) -> dict[str, Any]:
    """Return the config of a point in front of a node; with durability "exit" there is none."""
    found = [each for each in history if each.next == (node,)] or history
    return cast("dict[str, Any]", found[-1].config)


# -- channels that store what they were given ---------------------------------------------------


def joined(state: list[str], writes: Sequence[list[str]]) -> list[str]:
    return [*state, *(each for write in writes for each in write)]


class Deltas(TypedDict):
    all: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=4)]
    some: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=6)]


def deltas(saver: Any) -> Graph:
    builder: Graph = StateGraph(Deltas)
    builder.add_node("one", of(lambda state: {"all": [f"one {len(state['all'])}"]}))
    builder.add_node("two", of(lambda state: {"all": ["two"], "some": ["two"]}))
    builder.add_node("last", of(lambda state: {"some": [f"last {len(state['all'])}"]}))
    for name in ("one", "two"):
        builder.add_edge(START, name)
        builder.add_edge(name, "last")
    return builder.compile(checkpointer=saver)


@play(deltas)
def delta_channels(player: Player) -> None:
    for number in range(4):
        player.invoke({"all": [f"in {number}"], "some": []})
        player.state()
    player.invoke(None, before("last", player.history()))
    player.update({"some": ["changed"]}, as_node="last")
    player.state()
    player.history()


# -- the functional API -------------------------------------------------------------------------


def functional(saver: Any) -> Graph:
    @task
    def double(number: int) -> int:
        return 2 * number

    @entrypoint(checkpointer=saver)
    def work(numbers: list[int], *, previous: Any = None) -> Any:
        doubled = [future.result() for future in [double(number) for number in numbers]]
        asked = interrupt(f"sum is {sum(doubled)}, before {previous}")
        return entrypoint.final(value={"doubled": doubled, "asked": asked}, save=sum(doubled))

    return cast(Graph, work)


@play(functional)
def an_entrypoint(player: Player) -> None:
    for numbers in ([1, 2, 3], [4]):
        player.invoke(numbers)
        player.state()
        player.invoke(Command(resume="fine"))
    player.history()
