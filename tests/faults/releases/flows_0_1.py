"""What runs of release 0.1 were begun with; not to be changed any more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from penstock.runtime import entrypoint, get_stream_writer, interrupt, task


class Order(BaseModel):
    number: int
    placed: datetime
    tags: tuple[str, ...] = ()


@task
def price(order: Order) -> dict[str, Any]:
    get_stream_writer()(f"pricing {order.number}")
    return {"order": order, "total": order.number * 2.5}


@task
async def ship(number: int) -> int:
    return number + 1


@entrypoint()
def buy(order: Order, *, previous: int | None = None) -> Any:
    priced = price(order).result()
    approved = interrupt({"approve": priced["total"]})
    return entrypoint.final(
        value=[priced["order"], priced["total"], approved], save=(previous or 0) + order.number
    )


@entrypoint()
async def deliver(count: int) -> list[int]:
    return [await ship(number) for number in range(count)]


@entrypoint()
def fail(_: None) -> None:
    raise LookupError("not in stock")
