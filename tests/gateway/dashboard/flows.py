"""Entrypoints whose runs the tests of the dashboard look at."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field

from penstock.runtime import (
    RetryPolicy,
    entrypoint,
    get_runtime,
    get_stream_writer,
    interrupt,
    task,
)


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Order(BaseModel):
    name: str
    count: int
    size: Size
    note: str | None = None


@task
def double(x: int) -> int:
    return 2 * x


@task
def echo(text: Any) -> Any:
    get_stream_writer()(text)
    return text


@entrypoint()
def doubled(x: int) -> int:
    get_stream_writer()("doubling")
    return double(x).result()


@entrypoint()
def many(count: int) -> int:
    return sum(future.result() for future in [double(x) for x in range(count)])


@entrypoint()
def broken(text: Any) -> None:
    double(1).result()
    raise ValueError(text)


@entrypoint()
def asking(question: Any) -> Any:
    double(1).result()
    return interrupt(question, response_schema=bool)


@entrypoint()
def ordering(question: Any) -> str:
    order = interrupt(question, response_schema=Order)
    return f"{order.count} {order.size} {order.name} {order.note}"


@entrypoint()
def anything(question: Any) -> Any:
    return interrupt(question)


@entrypoint()
def saying(text: Any) -> Any:
    return echo(text).result()


@entrypoint()
def counting(x: int, *, previous: int | None = None) -> int:
    return x + (previous or 0)


@entrypoint()
def confirming(question: Any) -> Any:
    echo("before").result()
    answer = interrupt(question, response_schema=bool)
    echo("after").result()
    return answer


@task(retry_policy=RetryPolicy(initial_interval=0.01, jitter=False, max_attempts=2))
def stumble() -> int:
    attempt = get_runtime().execution_info.step_attempt
    get_stream_writer()(f"try {attempt}")
    if attempt == 1:
        raise ConnectionError("not yet")
    return attempt


@entrypoint()
def stumbling(_: None) -> int:
    return stumble().result()


@task
def speak() -> None:
    for token in ("For", "ty-", "two"):
        get_stream_writer().message(token, id="m1")


@entrypoint()
def chatting(_: None) -> None:
    speak().result()


@task(retry_policy=RetryPolicy(initial_interval=0.01, jitter=False, max_attempts=2))
def refuse(text: str) -> None:
    raise ConnectionError(text)


@entrypoint()
def refusing(text: str) -> None:
    refuse(text).result()


@entrypoint()
def describing(text: str) -> Any:
    return interrupt("well?", response_schema=Annotated[str, Field(description=text)])


@entrypoint()
def placing(order: Order) -> str:
    """Place an order."""
    return f"{order.count} {order.size} {order.name} {order.note}"


FLOWS: list[Any] = [
    *(doubled, many, broken, asking, ordering, anything, saying, counting),
    *(confirming, stumbling, chatting, refusing, describing, placing),
]
