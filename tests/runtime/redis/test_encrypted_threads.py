"""Threads whose values are encrypted: each text is written for its own thread or run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.publisher import EncryptedCodec
from penstock.publisher.errors import EncryptionError
from penstock.runtime import Client, Command, RedisSaver, entrypoint, interrupt, task
from tests.runtime.flows import Calls, keys
from tests.runtime.hands import Hands, line, told

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

KEYS = {"k": bytes(range(32))}
SECRET = "s3cret"


@pytest.fixture
def encrypted(redis_saver: RedisSaver) -> RedisSaver:
    """A saver that encrypts, on the shared server."""
    return RedisSaver(redis_saver.connection, codec=EncryptedCodec(KEYS))


@pytest.fixture
def client(encrypted: RedisSaver) -> Iterator[Client]:
    """A client with the same keys."""
    yield Client(encrypted.connection, codec=EncryptedCodec(KEYS))


def secrets(saver: RedisSaver, calls: Calls) -> Hands:
    """Collects secrets: asks for one, and survives a failure."""

    @task
    def work(x: str) -> str:
        calls(x)
        return f"{x} {SECRET}"

    @task
    def fail(x: str) -> None:
        calls("fail")
        raise ValueError(SECRET)

    @entrypoint(checkpointer=saver)
    def main(x: str, *, previous: list[str] | None = None) -> Any:
        done = work(x).result()
        try:
            fail(x).result()
        except ValueError:
            done += "!"
        answer = interrupt(f"{SECRET}?")
        value = [*(previous or []), done, answer, work("last").result()]
        return entrypoint.final(value=len(value), save=value)

    return Hands(main, False)


def clear_texts(saver: RedisSaver) -> list[str]:
    """The keys that hold the secret in the clear."""
    found: list[str] = []
    for key in keys(saver):
        if SECRET.encode() in (saver.connection.dump(key) or b""):
            found.append(key)
    return found


def test_states_and_histories_are_read_and_nothing_is_in_the_clear(
    encrypted: RedisSaver, client: Client
) -> None:
    hands = secrets(encrypted, Calls())
    here = hands.chunks(f"a {SECRET}", "checkpoints", metadata={"user": SECRET})
    (asked,) = hands.state().interrupts
    assert asked.value == f"{SECRET}?"
    assert hands.state().tasks[1].error == f"ValueError({SECRET!r})"
    assert told(hands.state(), "user") == SECRET
    here += hands.chunks(Command(resume=SECRET), "checkpoints")

    hands.update([SECRET])

    assert [state.values for state in hands.history()] == [[SECRET], 3, None]
    assert hands.state("1").tasks[0].result == 3
    there = [event.data for event in client.get(hands.state("1").run_id).stream("checkpoints")]
    assert there == [chunk for _, chunk in here]
    assert hands.invoke(SECRET)["__interrupt__"]
    hands.update(entrypoint.final(value=SECRET, save=[SECRET]))
    assert hands.state().values == SECRET
    assert client.get(hands.state().run_id).result(1) == SECRET
    assert clear_texts(encrypted) == []


def test_forks_read_what_their_originals_wrote(encrypted: RedisSaver, client: Client) -> None:
    calls = Calls()
    hands = secrets(encrypted, calls)
    hands.invoke("a")
    expected = hands.invoke(Command(resume="yes"))
    run_id = hands.state().run_id
    hands.update(["later"])
    calls.made.clear()

    assert hands.invoke(None, checkpoint=2) == expected
    client.thread("t").fork(run_id, after_step="work:1")
    assert hands.invoke(None) == expected
    assert calls.made == []
    client.thread("t").fork(run_id, after_step="work:0")
    assert hands.invoke(None)["__interrupt__"]
    assert calls.made == ["fail"]
    assert hands.invoke(None, checkpoint=1)["__interrupt__"]
    assert calls.made == ["fail", "a", "fail"]
    assert clear_texts(encrypted) == []


def test_a_copy_is_written_for_its_own_thread(encrypted: RedisSaver, client: Client) -> None:
    hands = secrets(encrypted, Calls())
    hands.invoke("a", metadata={"user": SECRET})
    hands.invoke(Command(resume="yes"))
    hands.update(["plain"])

    client.thread("t").copy("u")

    copied = Hands(hands.flow, False, "u")
    assert line(copied.history()) == line(hands.history())
    assert [state.values for state in copied.history()] == [["plain"], 3, None]
    assert told(copied.state("1"), "user") == SECRET
    assert copied.invoke(None) == ["plain"]
    copied.invoke("b")
    assert copied.invoke(Command(resume="no")) == 4
    assert clear_texts(encrypted) == []


def test_without_the_keys_a_state_is_not_read(
    encrypted: RedisSaver, redis_saver: RedisSaver
) -> None:
    hands = secrets(encrypted, Calls())
    hands.invoke("a")
    hands.invoke(Command(resume="yes"))

    with pytest.raises(EncryptionError, match="'k'"):
        Client(redis_saver.connection).thread("t").state()
