"""Makes the pictures of the documentation: python -m tests.gateway.dashboard.pictures."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from penstock.runtime import Client, RetryPolicy, entrypoint, get_runtime, interrupt, task
from tests.faults.support.gateways import Gateways
from tests.faults.support.workers import Fleet
from tests.gateway.dashboard.chromium import chromium, opened
from tests.support.server import RedisServer
from tests.support.until import until

FOLDER: Final = Path(__file__).parents[3] / "docs" / "pictures"

SIZE: Final = {"width": 1100, "height": 860}


class Decision(BaseModel):
    """What a buyer says."""

    approved: bool
    speed: Literal["express", "standard"] = "standard"


@task
def check_stock(item: str) -> int:
    """Take a moment."""
    time.sleep(0.3)
    return 12


@task(retry_policy=RetryPolicy(initial_interval=0.2, jitter=False, max_attempts=3))
def ask_price(item: str) -> int:
    """Fail once."""
    time.sleep(0.4)
    if get_runtime().execution_info.step_attempt == 1:
        raise ConnectionError("the price service said 502")
    return 40


@task
def offer(item: str) -> dict[str, Any]:
    """Call other tasks."""
    stock, price = check_stock(item), ask_price(item)
    return {"item": item, "in stock": stock.result(), "cost": price.result()}


@entrypoint()
def order(item: str) -> str:
    """Ask a person."""
    decision = interrupt(offer(item).result(), response_schema=Decision)
    return f"{item} ordered, {decision.speed}"


@entrypoint()
def ship(item: str) -> None:
    """Fail."""
    check_stock(item).result()
    raise ValueError(f"no address for {item}")


class Restock(BaseModel):
    """What is bought."""

    item: str
    count: int = Field(10, description="in boxes of twelve")
    is_urgent: bool
    supplier: Literal["north", "south"] = "north"


@entrypoint()
def restock(wanted: Restock) -> str:
    """Buy what runs low."""
    check_stock(wanted.item).result()
    return f"{wanted.count} boxes of {wanted.item} from {wanted.supplier}"


def main() -> None:
    """Take the pictures."""
    with (
        RedisServer() as server,
        tempfile.TemporaryDirectory() as folder,
        Client(server.url) as client,
        chromium() as browser,
    ):
        fleet = Fleet(server.url, Path(folder))
        try:
            fleet.start(app=__file__)
            address = Gateways(fleet).start().url
            run = client.enqueue("order", "lamp", tags={"customer": "acme"})
            failed = [client.enqueue("ship", item) for item in ("chair", "desk")]
            waiting = client.enqueue("order", "shelf", queue="warehouse")
            for count in (5, 20):
                client.enqueue("restock", {"item": "lamp", "count": count, "is_urgent": True})
            until(lambda: run.info().asks and all(each.info().reason for each in failed))
            for name, path in (
                ("run", f"/runs/{run.run_id}"),
                ("overview", "/"),
                ("start", "/entrypoints/restock"),
            ):
                with opened(browser, address, viewport=SIZE) as page:
                    page.goto(f"/dashboard{path}")
                    page.get_by_text("live", exact=True).wait_for()
                    page.screenshot(path=FOLDER / f"dashboard-{name}.png")
            waiting.cancel()
        finally:
            fleet.close()


if __name__ == "__main__":
    main()
