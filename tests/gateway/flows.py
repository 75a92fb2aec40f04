"""Entrypoints that the tests of the gateway enqueue."""

from __future__ import annotations

from typing import Any

from penstock.runtime import entrypoint, get_stream_writer, interrupt, task


@task
def double(x: int) -> int:
    return 2 * x


@entrypoint()
def doubled(x: int) -> int:
    get_stream_writer()("doubling")
    return double(x).result()


@entrypoint()
def broken(x: int) -> int:
    double(x).result()
    raise ValueError("broken")


@entrypoint()
def asking(x: int) -> str:
    y = double(x).result()
    return f"{y} {interrupt({'approve': y}, response_schema=bool)}"


@entrypoint()
def counting(x: int, *, previous: int | None = None) -> int:
    return x + (previous or 0)


FLOWS: list[Any] = [doubled, broken, asking, counting]
