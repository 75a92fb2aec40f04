"""What streams promise, each promise in process and on a worker, from sync and from async code."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.runtime import AsyncClient, Client, Command
from penstock.runtime.errors import RunFailedError
from penstock.runtime.settings import Settings
from penstock.runtime.streaming.mode_view import MODES
from penstock.runtime.types.interrupt import Interrupt
from tests.faults.support import streams
from tests.faults.support.workers import Fleet
from tests.support.server import RedisServer

PLACES = ("in process", "in process, on a loop", "on a worker", "on a worker, async client")

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Redis of one worker that has the flows."""
    with RedisServer() as server:
        fleet = Fleet(server.url, tmp_path_factory.mktemp("streams"))
        try:
            fleet.start(app=str(Path(streams.__file__)))
            yield server.url
        finally:
            fleet.close()


@dataclass(frozen=True)
class Chunk:
    """What a reader sees, wherever it comes from."""

    namespace: tuple[str, ...]
    mode: str
    data: Any


@dataclass
class Place:
    """Where runs are executed and followed; `error` is what came after the last chunk."""

    kind: str
    url: str
    error: BaseException | None = None
    run_id: str = ""
    thread: str = ""
    seq: int = 0

    @property
    def is_worker(self) -> bool:
        return "worker" in self.kind

    def see(self, flow: str, value: Any, *modes: str, **options: Any) -> list[Chunk]:
        """Start a run, and give what is seen of it until it ends or waits."""
        self.thread, self.seq, self.run_id = uuid.uuid4().hex, 0, ""
        return self._follow(flow, value, modes, options)

    def resume(self, flow: str, answer: Any, *modes: str, **options: Any) -> list[Chunk]:
        """Answer what the run waits for, and give what is seen from there on."""
        return self._follow(flow, Command(resume=answer), modes, options)

    def _follow(self, flow: str, value: Any, modes: Any, options: dict[str, Any]) -> list[Chunk]:
        self.error = None
        config = options.pop("config", {})
        got: list[Chunk] = []
        try:
            if not self.is_worker:
                self._in_process(flow, value, modes, config, options, got)
            elif "async" in self.kind:
                asyncio.run(self._aclient(flow, value, modes, config, options, got))
            else:
                self._client(flow, value, modes, config, options, got)
        except Exception as error:
            self.error = error
        return got

    def _in_process(
        self, flow: str, value: Any, modes: Any, config: Any, options: Any, got: list[Chunk]
    ) -> None:
        entrypoint: Any = getattr(streams, flow)
        config = {**config, "configurable": {"thread_id": self.thread}}
        options = {"stream_mode": list(modes), "version": "v2", **options}

        async def run() -> None:
            async for item in entrypoint.astream(value, config, **options):
                got.append(Chunk(item["ns"], item["type"], item["data"]))

        if "loop" in self.kind:
            asyncio.run(run())
        else:
            for item in entrypoint.stream(value, config, **options):
                got.append(Chunk(item["ns"], item["type"], item["data"]))

    def _client(
        self, flow: str, value: Any, modes: Any, config: Any, options: Any, got: list[Chunk]
    ) -> None:
        with Client(self.url, settings=Settings(redis=self.url)) as client:
            if isinstance(value, Command):
                run = client.get(self.run_id).resume(value.resume)
            else:
                run = client.enqueue(flow, value, thread_id=self.thread, config=config)
            self.run_id = run.run_id
            for event in run.stream(modes, after=self.seq, **options):
                self.seq = event.seq
                got.append(Chunk(event.namespace, event.mode, event.data))
            run.result(10)

    async def _aclient(
        self, flow: str, value: Any, modes: Any, config: Any, options: Any, got: list[Chunk]
    ) -> None:
        async with AsyncClient(self.url, settings=Settings(redis=self.url)) as client:
            if isinstance(value, Command):
                run = await client.get(self.run_id)
                await run.resume(value.resume)
            else:
                run = await client.enqueue(flow, value, thread_id=self.thread, config=config)
            self.run_id = run.run_id
            async for event in run.stream(modes, after=self.seq, **options):
                self.seq = event.seq
                got.append(Chunk(event.namespace, event.mode, event.data))
            await run.result(10)

    @property
    def cause(self) -> BaseException | None:
        """What the run failed with."""
        return self.error.__cause__ if isinstance(self.error, RunFailedError) else self.error


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    kind: str = request.param
    return Place(kind, request.getfixturevalue("url") if "worker" in kind else "")


def data(chunks: list[Chunk], *modes: str) -> list[Any]:
    return [chunk.data for chunk in chunks if not modes or chunk.mode in modes]


def short(chunk: Chunk) -> str:
    """A chunk of `tasks` in a word or two."""
    told: Mapping[str, Any] = chunk.data["payload"] if chunk.mode == "debug" else chunk.data
    if "triggers" in told:
        return f"start {told['name']}"
    if told["interrupts"]:
        return f"interrupt {told['name']}"
    return f"{'error' if told['error'] is not None else 'end'} {told['name']}"


# -- 4.4: order ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "flow"),
    [*((place, "ordered") for place in PLACES), *((place, "aordered") for place in PLACES[1:])],
    indirect=["place"],
)
def test_a_step_starts_speaks_and_ends_before_its_caller_goes_on(place: Place, flow: str) -> None:
    chunks = place.see(flow, 1, "values", "tasks", "custom", "updates")

    assert [short(c) if c.mode == "tasks" else (c.mode, c.data) for c in chunks] == [
        f"start {flow}",
        "start double",
        ("custom", "doubling 1"),
        ("updates", {"double": 2}),
        "end double",
        ("custom", "got 2"),
        "start double",
        ("custom", "doubling 2"),
        ("updates", {"double": 4}),
        "end double",
        ("custom", "got 4"),
        ("updates", {flow: 4}),
        f"end {flow}",
        ("values", 4),
    ]
    assert place.error is None


def test_words_of_parallel_steps_are_in_order_for_each_step(place: Place) -> None:
    words = [f"w{number}" for number in range(20)]

    chunks = place.see("chapters", {"words": words} if place.is_worker else story(words), "custom")

    for path in (("tell:0",), ("tell:1",)):
        assert [chunk.data for chunk in chunks if chunk.namespace == path] == words


def story(words: list[str], **more: Any) -> streams.Story:
    return streams.Story(words=words, **more)


def test_the_entrypoints_own_update_is_the_last(place: Place) -> None:
    chunks = place.see("forgetful", 1, "updates", "values")

    assert data(chunks, "updates")[-1] == {"forgetful": 2}
    assert {"late": "late"} in data(chunks, "updates")
    assert chunks[-1] == Chunk((), "values", 2)


# -- 4.2: payloads -------------------------------------------------------------------------------


def test_an_update_from_the_cache_says_so(place: Place) -> None:
    x = next(NUMBERS)

    chunks = place.see("caching", x, "updates")

    assert data(chunks) == [
        {"cached": x},
        {"cached": x, "__metadata__": {"cached": True}},
        {"caching": 2 * x},
    ]


def test_values_is_the_result_once_at_the_end(place: Place) -> None:
    assert data(place.see("ordered", 1, "values")) == [4]
    assert data(place.see("failing", 1, "values")) == []


def test_tasks_tells_input_triggers_and_what_the_user_said_of_the_run(place: Place) -> None:
    config = {"metadata": {"user": "u1"}, "tags": ["a"], "configurable": {"secret": "s"}}

    start, begun, ended, *_, end = data(place.see("ordered", 1, "tasks", config=config))

    told = {"user": "u1", "tags": ["a"]}
    assert start == {
        **{"id": "", "name": "ordered", "input": 1, "triggers": ("__start__",)},
        "metadata": told,
    }
    assert begun == {
        **{"id": "double:0", "name": "double", "input": ((1,), {})},
        **{"triggers": ("__pregel_push",), "metadata": told},
    }
    assert ended == {
        **{"id": "double:0", "name": "double", "error": None},
        **{"result": {"__return__": 2}, "interrupts": []},
    }
    assert end["result"] == {"__end__": 4}


def test_nothing_is_told_of_a_run_of_which_nothing_was_said(place: Place) -> None:
    assert all("metadata" not in chunk for chunk in data(place.see("ordered", 1, "tasks")))


def test_a_failure_is_told_for_the_step_and_for_the_body(place: Place) -> None:
    chunks = place.see("failing", 1, "tasks", "updates")

    assert [short(chunk) for chunk in chunks if chunk.mode == "tasks"] == [
        *("start failing", "start double", "end double"),
        *("start bad", "error bad", "error failing"),
    ]
    assert data(chunks, "updates") == [{"double": 2}]
    errors = [chunk["error"] for chunk in data(chunks, "tasks") if chunk.get("error")]
    assert [(type(error), str(error)) for error in errors] == [(ValueError, "no")] * 2
    assert isinstance(place.cause, ValueError)
    notes = place.cause.__notes__
    assert ["in task 'bad'" in notes[0], "in entrypoint 'failing'" in notes[1]] == [True, True]
    if not place.is_worker:
        assert errors == [place.error] * 2


def test_debug_is_the_same_in_an_envelope(place: Place) -> None:
    chunks = [c for c in place.see("failing", 1, "debug") if c.data["type"] != "checkpoint"]

    assert [short(chunk) for chunk in chunks] == [
        *("start failing", "start double", "end double"),
        *("start bad", "error bad", "error failing"),
    ]
    assert [chunk.data["type"] for chunk in chunks] == [
        *("task", "task", "task_result"),
        *("task", "task_result", "task_result"),
    ]
    assert all(chunk.data["step"] == 0 for chunk in chunks)


def test_a_question_and_its_answer(place: Place) -> None:
    asked = place.see("interrupted", 1, "updates", "tasks")

    ((question,),) = (
        chunk["__interrupt__"] for chunk in data(asked, "updates") if "__interrupt__" in chunk
    )
    assert isinstance(question, Interrupt)
    assert question.value == "sure?"
    assert [short(chunk) for chunk in asked if chunk.mode == "tasks"] == [
        *("start interrupted", "start double", "end double"),
        *("start asking", "interrupt asking", "interrupt interrupted"),
    ]
    stopped = data(asked, "tasks")[-1]
    assert stopped["interrupts"] == [{"value": "sure?", "id": question.id}]
    assert (stopped["error"], stopped["result"]) == (None, {})

    answered = place.resume("interrupted", "yes", "updates", "tasks")

    assert data(answered, "updates") == [{"asking": "yes"}, {"interrupted": "yes"}]
    assert [short(chunk) for chunk in answered if chunk.mode == "tasks"] == [
        "start interrupted",
        *(() if place.is_worker else ("start double",)),  # replayed: its end is not told again
        *("start asking", "end asking", "end interrupted"),
    ]


@pytest.mark.parametrize("place", PLACES[2:], indirect=True)  # in process: see version two below
def test_a_question_ends_the_values_too(place: Place) -> None:
    (chunk,) = place.see("interrupted", 1, "values")

    assert [question.value for question in chunk.data["__interrupt__"]] == ["sure?"]


def test_decide_15_a_writer_works_from_any_thread(place: Place) -> None:
    assert place.see("threaded", 1, "custom") == [Chunk(("aside:0",), "custom", "from a thread")]


def test_decide_20_a_reader_that_comes_late_or_again_sees_the_same(url: str) -> None:
    with Client(url) as client:
        run = client.enqueue("ordered", 1)
        live = [(event.seq, *event) for event in run.stream(["custom", "updates"])]

        late = [(event.seq, *event) for event in run.stream(["custom", "updates"])]
        rest = [
            (event.seq, *event) for event in run.stream(["custom", "updates"], after=live[2][0])
        ]

    assert late == live
    assert rest == live[3:]


# -- messages ------------------------------------------------------------------------------------


def test_messages_come_once_in_chunks_or_whole(place: Place) -> None:
    config = {"metadata": {"user": "u1"}, "tags": ["a"]}

    chunks = place.see("chat", "?", "messages", config=config)

    seen = [(_content(chunk), meta["id"], meta["whole"]) for chunk, meta in data(chunks)]
    assert seen == [
        ("hello", "h1", True),
        ("hi", "h2", True),
        ("For", "a1", False),
        ("ty-two", "a1", False),
        ("bye", "h3", True),
    ]
    assert [chunk.namespace for chunk in chunks] == [
        *[("history:0",)] * 2,
        *[("answer:0",)] * 2,
        (),
    ]
    token = chunks[2].data[1]
    assert token == {
        **{"user": "u1", "tags": ["a"], "id": "a1", "whole": False, "step": "answer:0"},
        **{"langgraph_step": 0, "langgraph_node": "answer", "langgraph_path": ("answer:0",)},
        **{"langgraph_triggers": ("__pregel_push",)},
        **{"langgraph_checkpoint_ns": "answer:0", "checkpoint_ns": "answer:0"},
    }
    last = chunks[-1].data[1]
    assert (last["langgraph_node"], last["langgraph_triggers"]) == ("chat", ("__start__",))


def _content(chunk: Any) -> Any:
    return chunk if isinstance(chunk, str) else getattr(chunk, "content", None) or chunk["content"]


# -- retry ---------------------------------------------------------------------------------------


def test_a_retry_is_shown_where_it_is_asked_for(place: Place) -> None:
    given = story(["a", "b", "c"], fails=2)
    value = given.model_dump() if place.is_worker else given

    silent = place.see("told", value, "custom", "messages")
    told = place.see("told", value, "custom", "retry")

    assert {chunk.mode for chunk in silent} == {"custom", "messages"}
    retries = [chunk for chunk in told if chunk.mode == "retry"]
    assert [(chunk.namespace, chunk.data["attempt"]) for chunk in retries] == [
        (("tell:0",), 1),
        (("tell:0",), 2),
    ]
    assert all(isinstance(chunk.data["error"], ConnectionError) for chunk in retries)
    assert data(told, "custom") == ["A story", "a", "b", "a", "b", "a", "b", "c"]


# -- 4.5: nested entrypoints ---------------------------------------------------------------------


def test_decide_17_words_of_nested_entrypoints_and_tokens_of_tasks_are_shown(place: Place) -> None:
    chunks = place.see("nested", 1, "custom", "messages", "updates", "tasks")

    assert [(c.namespace, c.data) for c in chunks if c.mode == "custom"] == [
        (("^child:0",), "in child"),
        (("^child:0", "double:0"), "doubling 1"),
    ]
    assert [token for token, _ in data(chunks, "messages")] == ["token"]
    assert data(chunks, "updates") == [{"nested": 3}]
    assert [short(chunk) for chunk in chunks if chunk.mode == "tasks"] == [
        *("start nested", "end nested"),
    ]


def test_all_of_nested_entrypoints_is_shown_with_subgraphs(place: Place) -> None:
    chunks = place.see("nested", 1, "custom", "updates", subgraphs=True)

    assert [(c.namespace, c.data) for c in chunks if c.mode == "updates"] == [
        (("^child:0",), {"double": 2}),
        (("^child:0",), {"child": 2}),
        ((), {"nested": 3}),
    ]


# -- 4.1: modes and envelopes --------------------------------------------------------------------


@pytest.mark.parametrize("modes", [["nonsense"], ["custom", "update"], ["checkpoint"]])
def test_decide_16_an_unknown_mode_is_refused(place: Place, modes: list[str]) -> None:
    assert place.see("ordered", 1, *modes) == []

    assert isinstance(place.error, ValueError)
    assert all(mode in str(place.error) for mode in ("unknown stream mode", *MODES))


@pytest.mark.parametrize("collection", [list, tuple, set, frozenset])
def test_any_collection_of_modes_will_do(url: str, collection: Any) -> None:
    with Client(url) as client:
        run = client.enqueue("ordered", 1)

        chunks = [tuple(event) for event in run.stream(collection(["values"]))]

    assert chunks == [("values", 4)]
    flow: Any = streams.ordered
    config = {"configurable": {"thread_id": uuid.uuid4().hex}}
    assert list(flow.stream(1, config, stream_mode=collection(["values"]))) == [("values", 4)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("subgraphs", [True, False])
@pytest.mark.parametrize("listed", [True, False])
def test_version_two_is_one_envelope_for_every_combination(
    mode: str, subgraphs: bool, listed: bool
) -> None:
    flow: Any = streams.told
    config = {"configurable": {"thread_id": uuid.uuid4().hex}}
    value = story(["a", "b", "c"], fails=1)
    options = {"stream_mode": [mode] if listed else mode, "subgraphs": subgraphs}

    items: list[Any] = list(flow.stream(value, config, version="v2", **options))
    plain: list[Any] = list(flow.stream(value, {"configurable": {"thread_id": "p"}}, **options))

    keys = {"type", "ns", "data"}
    if mode == "values":
        keys.add("interrupts")
    assert items
    assert all(set(item) == keys and item["type"] == mode for item in items)
    assert len(items) == len(plain)
    if subgraphs or listed:
        labels = [(item["ns"],) * subgraphs + (mode,) * listed for item in items]
        assert [item[:-1] for item in plain] == labels


def test_version_two_takes_questions_out_of_the_values() -> None:
    flow: Any = streams.interrupted
    config = {"configurable": {"thread_id": uuid.uuid4().hex}}

    items = list(flow.stream(1, config, stream_mode=["values", "updates"], version="v2"))

    (value,) = (item for item in items if item["type"] == "values")
    assert value["data"] == {}
    assert [question.value for question in value["interrupts"]] == ["sure?"]
    asked = items[-2]["data"]["__interrupt__"]
    assert [question.value for question in asked] == ["sure?"]
