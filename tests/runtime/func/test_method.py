"""Tasks that are declared in classes are methods, as functions are."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from penstock.publisher.errors import CodecError
from penstock.runtime import (
    CachePolicy,
    Command,
    InMemoryCache,
    InMemorySaver,
    entrypoint,
    interrupt,
    register_type,
    task,
)
from penstock.runtime.errors import ConfigurationError, ReplayError
from tests.runtime.flows import Calls, asked, thread
from tests.support.drive import Drive

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")


class Shop:
    """An object that has no stored form, as one with a connection."""

    rate = 2

    def __init__(self, fee: int, calls: Calls | None = None) -> None:
        self.fee = fee
        self.lock = threading.Lock()
        self.calls = calls or Calls()

    @task
    def price(self, x: int, *, count: int = 1) -> int:
        """Say what it costs."""
        self.calls(x)
        return count * x + self.fee

    @task(name="order")
    async def aprice(self, x: int) -> int:
        self.calls(x)
        await asyncio.sleep(0)
        return x + self.fee

    @task
    @classmethod
    def rated(cls, x: int) -> int:
        return x * cls.rate

    @classmethod
    @task
    def rated_too(cls, x: int) -> int:
        return x * cls.rate

    @task
    @staticmethod
    def plain(x: int) -> int:
        return x

    @staticmethod
    @task
    def plain_too(x: int) -> int:
        return x


class Branch(Shop):
    rate = 3

    @task
    def price(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, x: int, *, count: int = 1
    ) -> int:
        return super().price(x, count=count).result() + 100


def test_a_method_gets_its_object(drive: Drive) -> None:
    shop, other = Shop(1), Shop(10)

    @entrypoint()
    def main(x: int) -> Any:
        futures = [shop.price(x), other.price(x, count=2), Shop.price(shop, x)]
        return [future.result() for future in futures]

    @entrypoint()
    async def amain(x: int) -> Any:
        return [await shop.aprice(x), *await asyncio.gather(other.aprice(x), shop.aprice(x))]

    assert drive(main, 5) == [6, 20, 6]
    assert drive(amain, 5, "other") == [6, 15, 6]


def test_class_methods_and_static_ones_are_what_they_say(drive: Drive) -> None:
    shop: Any = Shop
    branch: Any = Branch

    @entrypoint()
    def main(x: int) -> Any:
        calls: list[Any] = [
            *(shop.rated(x), shop(0).rated(x), branch.rated(x), branch(0).rated(x)),
            *(shop.rated_too(x), branch.rated_too(x), branch(0).rated_too(x)),
            *(shop.plain(x), shop(0).plain(x), shop.plain_too(x), shop(0).plain_too(x)),
        ]
        return [call.result() for call in calls]

    assert drive(main, 5) == [10, 10, 15, 15, 10, 15, 15, 5, 5, 5, 5]


def test_a_method_may_call_the_one_that_it_overrides(drive: Drive) -> None:
    branch = Branch(1)

    @entrypoint()
    def main(x: int) -> Any:
        return branch.price(x).result()

    assert drive(main, 5) == 106


def test_its_steps_are_found_again(drive: Drive) -> None:
    calls = Calls()
    shop = Shop(1, calls)

    @entrypoint()
    def main(x: int) -> Any:
        found = [shop.price(x).result(), shop.price.keyed("last")(x + 1).result()]
        return [*found, interrupt("ship?")]

    assert asked(drive(main, 5)) == ["ship?"]
    assert drive(main, Command(resume="yes")) == [6, 7, "yes"]
    assert calls.made == [5, 6]


@register_type
@dataclass
class Account:
    number: int

    @task
    def balance(self, x: int) -> int:
        return self.number + x


def test_an_object_that_can_be_stored_is_an_argument_like_any_other(drive: Drive) -> None:
    number = 1

    @entrypoint()
    def main(x: int) -> Any:
        return [Account(number).balance(x).result(), interrupt("?")]

    assert asked(drive(main, 5)) == ["?"]
    assert drive(main, Command(resume="yes")) == [6, "yes"]

    assert asked(drive(main, 5, "other")) == ["?"]
    number = 2
    with pytest.raises(ReplayError, match="step 'balance:0' with the arguments recorded"):
        drive(main, Command(resume="yes"), "other")


def by_argument(_: Any, x: int) -> str:
    return str(x)


class Cached:
    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    @task(cache_policy=CachePolicy())
    def bare(self, x: int) -> int:
        return x

    @task(cache_policy=CachePolicy(key_func=by_argument))
    def keyed(self, x: int) -> int:
        self.calls(x)
        return x


def test_a_cached_method_is_told_by_its_object_or_its_key() -> None:
    calls = Calls()
    cached = Cached(calls)

    @entrypoint(cache=InMemoryCache())
    def main(x: int) -> Any:
        return [cached.keyed(x).result(), cached.keyed(x).result()]

    @entrypoint(cache=InMemoryCache())
    def fails(x: int) -> Any:
        return cached.bare(x).result()

    assert main.invoke(5) == [5, 5]
    assert calls.made == [5]
    with pytest.raises(CodecError, match="arguments of a cached task cannot be stored"):
        fails.invoke(5)


def test_a_method_says_what_it_is() -> None:
    shop = Shop(1)

    assert shop.price.__name__ == "price" and shop.aprice.__name__ == "order"
    assert shop.price.__doc__ == "Say what it costs."
    assert shop.price == shop.price and shop.price != Shop(1).price
    assert len({shop.price, shop.price, shop.aprice}) == 2
    assert repr(shop.price).startswith("<task 'price' of <")
    assert repr(Shop.price) == "<task 'price'>"


def test_a_task_of_a_bound_method_is_no_method_of_what_holds_it() -> None:
    class Holder:
        step = task(Shop(1).calls.count, name="count")

    @entrypoint(checkpointer=InMemorySaver())
    def main(x: int) -> Any:
        holder: Any = Holder()
        return holder.step(x).result()

    assert main.invoke(5, thread()) == 0


def test_a_method_with_a_queue_is_refused_where_it_is_declared() -> None:
    with pytest.raises(ConfigurationError, match=r"task 'embed'.*class '.*Model'.*top level"):

        class Model:  # pyright: ignore[reportUnusedClass]
            @task(queue="gpu")
            def embed(self, x: int) -> int:
                return x

    assert task(Shop.price.function, queue="gpu").queue == "gpu"  # the class is there already


def test_a_method_is_no_entrypoint() -> None:
    with pytest.raises(ConfigurationError, match=r"'flow' is a method of '.*Model'"):

        class Model:  # pyright: ignore[reportUnusedClass]
            @entrypoint()
            def flow(self, x: int) -> int:
                return x


def test_an_entrypoint_of_a_bound_method_is_one() -> None:
    class Model:
        def flow(self, x: int) -> int:
            return x

        @staticmethod
        @entrypoint()
        def static(x: int) -> int:
            return 2 * x

    assert entrypoint()(Model().flow).invoke(5) == 5
    assert Model.static.invoke(5) == 10
