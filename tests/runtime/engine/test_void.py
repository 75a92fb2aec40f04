"""What is said in vain is said to be void: by tries that fail, and by attempts that are cut off."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from penstock.publisher.batch import Page
from penstock.publisher.codec.encrypted import EncryptedCodec
from penstock.publisher.event import Event
from penstock.publisher.fold import fold
from penstock.publisher.plan import follow
from penstock.publisher.stored import Command as Read
from penstock.runtime import (
    Command,
    InMemorySaver,
    RedisSaver,
    RetryPolicy,
    entrypoint,
    get_stream_writer,
    interrupt,
    task,
)
from penstock.runtime.errors import Stop
from penstock.runtime.journal.journal import NoJournal
from penstock.runtime.redis.journal.unfinished import PAGE, unfinished
from tests.runtime.flows import in_background, keys, thread
from tests.support.events import stored_events

AT_ONCE = RetryPolicy(initial_interval=0, jitter=False, max_attempts=9, retry_on=Exception)

KINDS = ("sync", "async", "sync on loop")


def facts(saver: RedisSaver) -> list[Event]:
    """All events of the one run that a saver has."""
    (run_key,) = keys(saver, "penstock:run:*")
    run_id = run_key.rpartition(":")[2]
    names = saver.calls.keys
    page = Page(stored_events(saver.connection, names.events(run_id)), run_id)
    outcomes: Any = [saver.connection.hget(names.checkpoints(run_id), ref) for ref in page.refs]
    return page.decode(outcomes, run_id, saver.codec).events


def plain(events: list[Event]) -> list[Any]:
    """What a run said, without when and in which attempt."""
    return [
        (event.mode, event.namespace, event.data) for event in events if event.mode != "run.queued"
    ]


def words(events: list[Event]) -> list[Any]:
    return [event.data for event in events if event.mode == "custom"]


def retries(events: list[Event]) -> list[tuple[str, int]]:
    found = (event.data for event in events if event.mode == "step.retry")
    return [(data["id"], data["void_from"]) for data in found]


def drive(flow: Any, value: Any, kind: str, **options: Any) -> list[Any]:
    """Stream a flow in the calling thread, or on a loop; what it raises ends the list."""
    got: list[Any] = []

    async def arun() -> None:
        async for chunk in flow.astream(value, thread(), **options):
            got.append(chunk)

    try:
        if kind == "sync":
            for chunk in flow.stream(value, thread(), **options):
                got.append(chunk)
        else:
            asyncio.run(arun())
    except RuntimeError as error:
        got.append(error)
    return got


class Trouble:
    """Fails now and then: as often as told."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> None:
        self.left -= 1
        if self.left >= 0:
            raise ConnectionError("trouble")


def speaking(saver: RedisSaver | None, kind: str, trouble: Callable[[], None]) -> Any:
    """A flow whose one step says three words, with trouble after the second."""

    @task(retry_policy=AT_ONCE)
    def speak() -> str:
        write = get_stream_writer()
        write("half")
        write(" a")
        trouble()
        write(" sentence")
        return "done"

    @task(retry_policy=AT_ONCE, name="speak")
    async def aspeak() -> str:
        write = get_stream_writer()
        write("half")
        write(" a")
        await asyncio.sleep(0)
        trouble()
        write(" sentence")
        return "done"

    @entrypoint(checkpointer=saver)
    def main(_: str) -> str:
        get_stream_writer()("begin")
        return speak().result()

    @entrypoint(checkpointer=saver, name="main")
    async def amain(_: str) -> str:
        get_stream_writer()("begin")
        return await aspeak()

    return amain if kind == "async" else main


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_try_that_failed_is_followed_by_what_of_it_is_void(
    any_saver: RedisSaver | None, kind: str, times: int
) -> None:
    flow = speaking(any_saver, kind, Trouble(times))

    chunks = drive(flow, "x", kind, stream_mode=["custom", "retry"])

    told = [chunk for mode, chunk in chunks if mode == "retry"]
    assert [(chunk["id"], chunk["name"], chunk["attempt"]) for chunk in told] == [
        ("speak:0", "speak", number + 1) for number in range(times)
    ]
    assert all(isinstance(chunk["error"], ConnectionError) for chunk in told)
    # Of the run: run.queued where it is kept, run.started, begin, step.started; then the words.
    first = 5 if any_saver is not None else 4
    assert [chunk["void_from"] for chunk in told] == [first + 3 * n for n in range(times)]
    said = [chunk for mode, chunk in chunks if mode == "custom"]
    assert said == ["begin", *["half", " a"] * times, "half", " a", " sentence"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_folded_run_is_as_one_without_trouble(saver: RedisSaver, kind: str) -> None:
    drive(speaking(saver, kind, Trouble(2)), "x", kind)
    troubled = facts(saver)
    saver.connection.flushall()

    drive(speaking(saver, kind, Trouble(0)), "x", kind)

    assert plain(fold(troubled)) == plain(facts(saver))


def test_a_silent_try_has_nothing_void(saver: RedisSaver) -> None:
    trouble = Trouble(1)

    @task(retry_policy=AT_ONCE)
    def silent() -> str:
        trouble()
        return "done"

    @entrypoint(checkpointer=saver)
    def main(_: str) -> str:
        return silent().result()

    main.invoke("x", thread())

    (retry,) = [event for event in facts(saver) if event.mode == "step.retry"]
    assert retry.data["void_from"] == retry.seq
    assert fold(facts(saver)) == [event for event in facts(saver) if event != retry]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["step", "body"])
def test_a_thread_that_outlives_its_try_says_nothing_more(
    saver: RedisSaver, kind: str, what: str
) -> None:
    writers: list[Any] = []

    def speak() -> None:
        writers.append(get_stream_writer())
        writers[-1]("half")
        if len(writers) == 1:
            raise ConnectionError("trouble")
        with pytest.raises(Stop, match="does not count"):
            in_background(lambda: writers[0](" a sentence")).result()

    async def aspeak() -> None:
        speak()

    spoken: Any = aspeak if kind == "async" else speak
    step: Any = task(name="speak", retry_policy=AT_ONCE)(spoken)

    @entrypoint(checkpointer=saver, retry_policy=AT_ONCE)
    def main(_: str) -> None:
        (speak if what == "body" else lambda: step().result())()

    @entrypoint(checkpointer=saver, retry_policy=AT_ONCE)
    async def amain(_: str) -> None:
        await (aspeak if what == "body" else step)()

    drive(amain if kind == "async" else main, "x", kind)

    assert words(facts(saver)) == ["half", "half"]
    assert words(fold(facts(saver))) == ["half"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_writer_kept_from_the_try_before_speaks_for_the_next(
    saver: RedisSaver, kind: str
) -> None:
    writers: list[Any] = []

    @task(retry_policy=AT_ONCE)
    def speak() -> None:
        writers.append(get_stream_writer())
        writers[0]("half")
        if len(writers) < 3:
            raise ConnectionError("trouble")
        writers[0](" a sentence")

    @entrypoint(checkpointer=saver)
    def main(_: str) -> None:
        speak().result()

    @entrypoint(checkpointer=saver)
    async def amain(_: str) -> None:
        await speak()

    drive(amain if kind == "async" else main, "x", kind)

    assert words(facts(saver)) == ["half", "half", "half", " a sentence"]
    assert words(fold(facts(saver))) == ["half", " a sentence"]


def test_a_step_below_does_not_speak_for_a_try_that_has_failed(saver: RedisSaver) -> None:
    failed = threading.Event()
    writers: list[Any] = []

    @task
    def below() -> None:
        assert failed.wait(5)
        writers[0]("late")

    @task(retry_policy=AT_ONCE)
    def above() -> None:
        writers.append(get_stream_writer())
        writers[-1]("said")
        if len(writers) == 1:
            below()
            time.sleep(0.05)  # so that a thread has begun it
            raise ConnectionError("trouble")
        failed.set()

    @entrypoint(checkpointer=saver)
    def main(_: str) -> None:
        above().result()

    main.invoke("x", thread())

    assert words(facts(saver)) == ["said", "said"]


# -- steps below the one that is tried again ------------------------------------------------------


def family(
    saver: RedisSaver | None, trouble: Callable[[], None], stumble: Callable[[], None]
) -> Any:
    """A step that calls two others: one succeeds, one stumbles, then there is trouble."""

    @task
    def good() -> None:
        get_stream_writer()("good")

    @task
    def bad() -> None:
        get_stream_writer()("bad")
        stumble()

    @task(retry_policy=AT_ONCE)
    def above() -> None:
        get_stream_writer()("above")
        good().result()
        try:
            bad().result()
        except ConnectionError:
            get_stream_writer()("caught")
        trouble()

    @entrypoint(checkpointer=saver)
    def main(_: str) -> None:
        above().result()

    return main


def test_a_finished_step_below_keeps_its_words(saver: RedisSaver) -> None:
    family(saver, Trouble(1), Trouble(0)).invoke("x", thread())

    assert words(facts(saver)) == ["above", "good", "bad", "above"]
    assert words(fold(facts(saver))) == ["good", "bad", "above"]
    assert [name for name, _ in retries(facts(saver))] == ["above:0"]


def test_a_step_below_that_failed_is_void_with_the_one_above(saver: RedisSaver) -> None:
    family(saver, Trouble(1), Trouble(1)).invoke("x", thread())

    assert words(facts(saver)) == ["above", "good", "bad", "caught", "above", "bad"]
    assert words(fold(facts(saver))) == ["good", "above", "bad"]
    assert [name for name, _ in retries(facts(saver))] == ["above:0", "above:0/bad:0"]


def test_without_a_record_all_below_is_void() -> None:
    chunks = drive(
        family(None, Trouble(1), Trouble(0)), "x", "sync", stream_mode=["custom", "retry"]
    )

    assert [chunk for mode, chunk in chunks if mode == "custom"] == ["above", "good", "bad"] * 2
    told = [chunk["id"] for mode, chunk in chunks if mode == "retry"]
    assert told == ["above:0", "above:0/good:0", "above:0/bad:0"]


def test_a_body_that_is_tried_again_takes_back_its_own_words_only(saver: RedisSaver) -> None:
    trouble = Trouble(2)

    @task
    def speak(x: int) -> None:
        get_stream_writer()(x)

    @entrypoint(checkpointer=saver, retry_policy=AT_ONCE)
    def main(_: str) -> None:
        get_stream_writer()("body")
        speak(1).result()
        trouble()
        speak(2).result()

    main.invoke("x", thread())

    assert words(facts(saver)) == ["body", 1, "body", "body", 2]
    assert words(fold(facts(saver))) == [1, "body", 2]
    assert [name for name, _ in retries(facts(saver))] == ["", ""]


def test_steps_of_two_branches_do_not_take_back_each_others_words(saver: RedisSaver) -> None:
    trouble = Trouble(1)

    @task(retry_policy=AT_ONCE)
    async def speak(x: int) -> None:
        get_stream_writer()(x)
        await asyncio.sleep(0.02)
        if x:
            trouble()

    async def branch(x: int) -> None:
        await speak(x)

    @entrypoint(checkpointer=saver)
    async def main(_: str) -> None:
        await asyncio.gather(*(asyncio.create_task(branch(x)) for x in range(2)))

    asyncio.run(main.ainvoke("x", thread()))

    assert words(facts(saver)) == [0, 1, 1]
    assert words(fold(facts(saver))) == [0, 1]
    assert [name for name, _ in retries(facts(saver))] == ["~1/speak:0"]


# -- attempts that go on with a run ---------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_goes_on_after_an_answer_takes_back_what_it_says_again(
    saver: RedisSaver, kind: str
) -> None:
    @task
    def before() -> None:
        get_stream_writer()("before")

    @task
    def asking() -> Any:
        get_stream_writer()("well")
        return interrupt("?")

    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        get_stream_writer()("body")
        before().result()
        return asking().result()

    drive(main, "x", kind)
    chunks = drive(main, Command(resume=1), kind, stream_mode=["custom", "retry"])

    assert chunks == [
        ("retry", {"id": "asking:0", "name": "asking", "void_from": 8}),
        ("retry", {"id": "", "name": "main", "void_from": 3}),
        ("custom", "body"),
        ("custom", "well"),
    ]
    folded = fold(facts(saver))
    assert words(folded) == ["before", "body", "well"]
    assert [event.mode for event in folded].count("step.started") == 2


def test_a_failed_run_that_goes_on_takes_back_the_step_that_failed(saver: RedisSaver) -> None:
    trouble = Trouble(1)

    @task
    def speak(x: int) -> None:
        get_stream_writer()(x)
        if x == 2:
            trouble()

    @entrypoint(checkpointer=saver)
    def main(_: str) -> None:
        speak(1).result()
        speak(2).result()

    with pytest.raises(ConnectionError):
        main.invoke("x", thread())
    main.invoke(None, thread())

    assert words(facts(saver)) == [1, 2, 2]
    assert words(fold(facts(saver))) == [1, 2]


def test_a_caught_error_is_recorded_and_its_words_stay(saver: RedisSaver) -> None:
    trouble = Trouble(1)

    @task
    def speak() -> None:
        get_stream_writer()("said")
        trouble()

    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        try:
            speak().result()
        except ConnectionError:
            return interrupt("go on?")

    main.invoke("x", thread())
    main.invoke(Command(resume="yes"), thread())

    assert words(facts(saver)) == words(fold(facts(saver))) == ["said"]
    assert retries(facts(saver)) == []


def test_what_was_taken_back_is_not_taken_back_again(saver: RedisSaver) -> None:
    @task
    def asking(x: int) -> Any:
        get_stream_writer()(x)
        return interrupt(x)

    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        return [asking(1).result(), asking(2).result()]

    main.invoke("x", thread())
    for answer in ("a", "b"):
        main.invoke(Command(resume=answer), thread())

    assert words(facts(saver)) == [1, 1, 2, 2]
    assert words(fold(facts(saver))) == [1, 2]
    assert [name for name, _ in retries(facts(saver))] == ["asking:0", "asking:1"]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_seqs_are_known_before_they_are_stored(saver: RedisSaver, durability: Any) -> None:
    trouble = Trouble(3)

    @task(retry_policy=AT_ONCE)
    def speak(x: int) -> None:
        get_stream_writer()((x, "half"))
        if x == 5:
            trouble()

    @entrypoint(checkpointer=saver)
    def main(_: str) -> None:
        for future in [speak(x) for x in range(10)]:
            future.result()

    main.invoke("x", thread(), durability=durability)

    by_seq = {event.seq: event for event in facts(saver)}
    for name, seq in retries(facts(saver)):
        assert (by_seq[seq].namespace, by_seq[seq].data) == ((name,), (5, "half"))
    assert sorted(words(fold(facts(saver)))) == [(x, "half") for x in range(10)]


def test_all_of_it_is_the_same_where_runs_are_encrypted() -> None:
    saver = InMemorySaver(codec=EncryptedCodec({"k1": bytes(range(32))}))
    trouble = Trouble(1)

    @task(retry_policy=AT_ONCE)
    def asking() -> Any:
        get_stream_writer()("well")
        get_stream_writer().message("hm", id="m1")
        trouble()
        return interrupt("?")

    @entrypoint(checkpointer=saver)
    def main(_: str) -> Any:
        return asking().result()

    main.invoke("secret", thread())
    main.invoke(Command(resume="yes"), thread())

    assert words(facts(saver)) == ["well"] * 3
    assert words(fold(facts(saver))) == ["well"]
    inputs = [event.data["input"] for event in facts(saver) if event.mode == "run.started"]
    assert inputs == ["secret"] * 2
    (key,) = keys(saver, "penstock:events:*")
    stored = str(saver.connection.lrange(key, 0, -1))
    assert "well" not in stored
    assert "secret" not in stored


# -- reading back --------------------------------------------------------------------------------


Row = tuple[str, Any, str]


def look(
    rows: list[Row], recorded: tuple[str, ...] = (), *, others: int = 0, dropped: int = 0
) -> Mapping[str, int]:
    """Follow the plan over events given as mode, data and path, oldest first.

    After each page others say so many words more; so many of the oldest are no longer kept.
    """
    items = [_item(seq, *row) for seq, row in enumerate(rows, 1)][dropped:]
    said = len(rows)

    def do(command: Read) -> list[bytes]:
        nonlocal said
        name, key, first, last = command
        assert (name, key) == ("LRANGE", "events")
        page = items[int(first) : int(last) + 1]
        items.extend(_item(said + n, "custom", 0, "other:0") for n in range(1, others + 1))
        said += others
        return page

    return follow(unfinished("events", len(rows), recorded), do)


def _item(seq: int, mode: str, data: Any, path: str) -> bytes:
    tree = {"mode": mode, "data": data, "ns": path.split("/") if path else []}
    return f"{seq} {json.dumps(tree)}".encode()


@pytest.mark.parametrize("others", [0, 7, PAGE, PAGE + 7])
def test_the_first_word_of_each_step_is_found_over_several_pages(others: int) -> None:
    rows: list[Row] = [
        ("custom", 0, "old:0"),
        ("run.started", {}, ""),
        ("custom", 0, ""),
        *[("custom", 0, "a:0")] * PAGE,
        *[("message", 0, "a:0/b:0")] * PAGE,
    ]

    assert look(rows, others=others) == {"a:0/b:0": 4 + PAGE, "a:0": 4, "": 3}
    assert look(rows, others=others, dropped=3) == {"a:0/b:0": 4 + PAGE, "a:0": 4}
    assert look(rows, others=others, dropped=3 + PAGE) == {"a:0/b:0": 4 + PAGE}


def test_what_is_recorded_stays_and_so_does_all_below_it() -> None:
    rows: list[Row] = [
        ("run.started", {}, ""),
        ("custom", 0, "a:0"),
        ("custom", 0, "a:0/b:0"),
        ("step.finished", {"id": "a:0/b:0"}, "a:0"),
        ("step.finished", {"id": "a:0"}, ""),
    ]

    assert look(rows, ("a:0",)) == {}
    assert look(rows, ("a:0/b:0",)) == {"a:0": 2}
    assert look(rows) == {"a:0": 2, "a:0/b:0": 3}


def test_what_a_step_says_after_it_was_recorded_is_void() -> None:
    rows: list[Row] = [
        ("run.started", {}, ""),
        ("custom", 0, "a:0"),
        ("step.finished", {"id": "a:0"}, ""),
        ("step.started", {"id": "a:0"}, ""),
        ("custom", 0, "a:0"),
    ]

    assert look(rows, ("a:0",)) == {"a:0": 5}


def test_only_an_attempt_that_goes_on_looks_back_and_once(redis_saver: RedisSaver) -> None:
    @entrypoint(checkpointer=redis_saver)
    def main(_: str) -> Any:
        get_stream_writer()("said")
        return interrupt("?")

    def looks() -> int:
        log: Any = redis_saver.connection.slowlog_get(10_000)
        return sum(b"LRANGE penstock:events:" in entry["command"] for entry in log)

    connection = redis_saver.connection
    connection.config_set("slowlog-max-len", 10_000)
    connection.config_set("slowlog-log-slower-than", 0)
    try:
        connection.slowlog_reset()
        main.invoke("x", thread())
        first = looks()
        main.invoke(Command(resume=1), thread())
        both = looks()
    finally:
        connection.config_set("slowlog-log-slower-than", 10_000)

    assert (first, both) == (0, 1)


def test_a_run_that_is_not_kept_counts_its_own_facts() -> None:
    journal = NoJournal()

    assert journal.unfinished() == {}
    assert journal.has_past is False
    assert journal.seq == 0
