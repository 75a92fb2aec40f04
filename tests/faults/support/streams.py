"""Flows whose streams are compared: in process and on workers, sync and async."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from typing import Any

from pydantic import BaseModel

from penstock.runtime import (
    CachePolicy,
    InMemoryCache,
    InMemorySaver,
    RetryPolicy,
    entrypoint,
    get_stream_writer,
    interrupt,
    task,
)

AT_ONCE = RetryPolicy(initial_interval=0, jitter=False, max_attempts=3, retry_on=ConnectionError)


class Story(BaseModel):
    """What to tell: in which words, how fast, and with how much trouble."""

    words: list[str] = ["Once", " upon", " a", " time"]
    seconds: float = 0.0
    fails: int = 0
    killed_in: str = ""
    """The step whose process kills itself after its third word, in the first attempt."""


def perhaps_die(story: Story, where: str, attempt: int, count: int) -> None:
    if story.killed_in == where and attempt == 1 and count == 3:
        time.sleep(0.2)  # so that what was said before is stored
        os.kill(os.getpid(), signal.SIGKILL)


# -- one that is told word by word ---------------------------------------------------------------


@task
def title(runtime: Any = None) -> str:
    runtime.stream_writer("A story")
    return "A story"


@task(retry_policy=AT_ONCE)
def tell(story: Story, runtime: Any = None) -> str:
    info = runtime.execution_info
    for count, word in enumerate(story.words, 1):
        runtime.stream_writer(word)
        runtime.stream_writer.message(word, id="m1")
        time.sleep(story.seconds)
        perhaps_die(story, "tell", info.attempt, count)
        if info.step_attempt <= story.fails and count == 2:
            raise ConnectionError("lost the thread")
    return "".join(story.words)


@task(retry_policy=AT_ONCE, name="tell")
async def atell(story: Story, runtime: Any = None) -> str:
    info = runtime.execution_info
    for count, word in enumerate(story.words, 1):
        runtime.stream_writer(word)
        runtime.stream_writer.message(word, id="m1")
        await asyncio.sleep(story.seconds)
        perhaps_die(story, "tell", info.attempt, count)
        if info.step_attempt <= story.fails and count == 2:
            raise ConnectionError("lost the thread")
    return "".join(story.words)


@entrypoint(checkpointer=InMemorySaver())
def told(story: Story) -> str:
    title().result()
    whole: str = tell(story).result()
    return whole


@entrypoint(checkpointer=InMemorySaver())
async def atold(story: Story) -> str:
    await title()
    whole: str = await atell(story)
    return whole


@entrypoint()
def chapters(story: Story) -> list[str]:
    """Two stories at once, and words of the body's own."""
    get_stream_writer()("begin")
    title().result()
    get_stream_writer()("go on")
    return [future.result() for future in [tell(story), tell(story)]]


# -- one of everything ---------------------------------------------------------------------------

CACHE = InMemoryCache()


@task
def double(x: int) -> int:
    get_stream_writer()(f"doubling {x}")
    return 2 * x


@task(name="double")
async def adouble(x: int) -> int:
    get_stream_writer()(f"doubling {x}")
    return 2 * x


@entrypoint(checkpointer=InMemorySaver())
def ordered(x: int) -> int:
    first = double(x).result()
    get_stream_writer()(f"got {first}")
    second = double(first).result()
    get_stream_writer()(f"got {second}")
    return second


@entrypoint(checkpointer=InMemorySaver(), name="aordered")
async def aordered(x: int) -> int:
    first = await adouble(x)
    get_stream_writer()(f"got {first}")
    second = await adouble(first)
    get_stream_writer()(f"got {second}")
    return second


@task(cache_policy=CachePolicy())
def cached(x: int) -> int:
    return x


@entrypoint(checkpointer=InMemorySaver(), cache=CACHE)
def caching(x: int) -> int:
    return cached(x).result() + cached(x).result()


@task
def late() -> str:
    time.sleep(0.2)
    return "late"


@entrypoint(checkpointer=InMemorySaver())
def forgetful(x: int) -> int:
    """Does not wait for a step it has started."""
    late()
    return double(x).result()


@task
def bad() -> None:
    raise ValueError("no")


@entrypoint(checkpointer=InMemorySaver())
def failing(x: int) -> None:
    double(x).result()
    bad().result()


@task
def asking() -> Any:
    return interrupt("sure?")


@entrypoint(checkpointer=InMemorySaver())
def interrupted(x: int) -> Any:
    double(x).result()
    return asking().result()


@task
def aside() -> None:
    """Speaks from a thread that knows nothing of the run."""
    speaker = threading.Thread(target=get_stream_writer(), args=("from a thread",))
    speaker.start()
    speaker.join()


@entrypoint(checkpointer=InMemorySaver())
def threaded(x: int) -> None:
    aside().result()


@entrypoint()
def child(x: int) -> int:
    get_stream_writer()("in child")
    get_stream_writer().message("token", id="c1")
    return double(x).result()


@entrypoint(checkpointer=InMemorySaver())
def nested(x: int) -> int:
    return child.invoke(x) + 1


def message(text: str, name: str, role: str = "assistant") -> dict[str, str]:
    return {"role": role, "content": text, "id": name}


class Reply(BaseModel):
    """A message that is an object."""

    role: str
    content: str
    id: str


@task
def answer(question: str) -> Reply:
    for token in ("For", "ty-two"):
        get_stream_writer().message(token, id="a1")
    return Reply(role="assistant", content="Forty-two", id="a1")


@task
def history() -> list[dict[str, str]]:
    return [message("hello", "h1", "user"), message("hi", "h2")]


@entrypoint(checkpointer=InMemorySaver())
def chat(question: str) -> dict[str, Any]:
    said = history().result()
    reply = answer(question).result()
    return {"messages": [*said, reply, message("bye", "h3")], "count": 4}
