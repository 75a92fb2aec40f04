"""The calls that change threads may be sent twice, and do their work once."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.publisher.redis.script import Call, run
from penstock.runtime import RedisSaver, entrypoint, interrupt
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.thread_calls import Amendment, Change, Copy
from tests.runtime.flows import thread
from tests.runtime.hands import Hands, line


def twice(saver: RedisSaver, call: Call) -> Any:
    first, again = run(saver.connection, call), run(saver.connection, call)
    assert first == again
    return first


@pytest.fixture
def hands(saver: RedisSaver) -> Hands:
    """A thread with one run that is over and one that waits."""

    @entrypoint(name='odd "name"\n of one', checkpointer=saver)
    def main(x: int) -> Any:
        return x or interrupt("?")

    main.invoke(1, thread("t"))
    main.invoke(0, thread("t"))
    return Hands(main, False)


def test_an_update_sent_again_is_one(saver: RedisSaver, hands: Hands) -> None:
    calls = saver.threads.calls
    waiting, result = hands.state().run_id, '{"value":7}'

    moved = calls.update(Change("t", "", "n0"), Amendment("8", "7", "other", result))
    assert twice(saver, moved) == [b"MOVED", b""]
    assert twice(
        saver, calls.update(Change("t", "", "n1"), Amendment("8", "7", waiting, result))
    ) == [b"OK", b"4"]
    assert twice(saver, calls.update(Change("t", "", "n2"), Amendment("9"))) == [b"OK", b"5"]
    assert twice(saver, calls.update(Change("t", "", "n3"), Amendment())) == [b"OK", b"6"]
    assert twice(saver, calls.update(Change("t", "99", "n4"), Amendment())) == [b"UNKNOWN", b""]

    assert [state.values for state in hands.history()] == [9, 9, 7, 1, 1, None]


def test_a_fork_sent_again_is_one(saver: RedisSaver, hands: Hands) -> None:
    calls = saver.threads.calls

    assert twice(saver, calls.fork(Change("t", "2", "n1"))) == [b"OK", b"4"]
    assert twice(saver, calls.fork(Change("t", "", "n2"))) == [b"OK", b"5"]
    for unknown in ("6", "0", "00", "-1", "x", ""):
        thread_id = "nobody" if not unknown else "t"
        assert twice(saver, calls.fork(Change(thread_id, unknown, f"u{unknown}")))[0] == b"UNKNOWN"

    assert [step for _, _, step in line(hands.history())] == [-1, 0, 1, 1, 2]


def test_a_copy_and_an_expiry_sent_again_say_the_same(saver: RedisSaver, hands: Hands) -> None:
    calls = saver.threads.calls

    state = {"head": "3", "step": "1", "base": "2", "saved": "5", "value": ""}

    assert twice(saver, calls.copy(Copy("t", "u", {"head": "2"}, []), "n0")) == b"MOVED"
    assert twice(saver, calls.copy(Copy("t", "u", state, []), "n1")) == b"OK"
    assert twice(saver, calls.copy(Copy("t", "u", state, []), "n2")) == b"TAKEN"
    assert twice(saver, calls.copy(Copy("nobody", "v", state, []), "n3")) == b"UNKNOWN"
    assert twice(saver, calls.expire("u", 5)) == b"OK"
    assert twice(saver, calls.expire("nobody", 5)) == b"UNKNOWN"


def test_a_deletion_sent_again_deletes_no_more(saver: RedisSaver, hands: Hands) -> None:
    calls, names = saver.threads.calls, saver.calls.keys
    run_ids = {state.run_id for state in hands.history()}

    assert twice(saver, calls.delete("t")) == [b"OK", b""]
    hands.invoke(5)
    assert twice(saver, calls.delete("t", run_ids)) == [b"OK", b""]

    assert hands.state().values == 5
    assert saver.connection.exists(*map(names.run, run_ids)) == 0


def test_runs_at_work_and_runs_of_other_threads_are_not_deleted(
    saver: RedisSaver, hands: Hands
) -> None:
    calls, names = saver.threads.calls, saver.calls.keys
    waiting, over = hands.state().run_id, hands.state("1").run_id

    run(saver.connection, calls.delete("t", [waiting]))
    run(saver.connection, calls.delete("u", [over]))

    assert saver.connection.exists(names.run(waiting), names.run(over)) == 2


def test_what_a_change_leaves_to_know_itself_again_expires(saver: RedisSaver, hands: Hands) -> None:
    run(saver.connection, saver.threads.calls.fork(Change("t", "2", "n1")))

    assert 0 < int(str(saver.connection.pttl(saver.calls.keys.made("n1")))) <= 60_000


def test_names_of_any_characters_stand_in_the_history(saver: RedisSaver, hands: Hands) -> None:
    odd = 'ü "x"\n\\ y'
    saver.copy_thread("t", odd)

    assert hands.state().next == ('odd "name"\n of one',)
    assert Hands(hands.flow, False, odd).state().values == 1
    stored = saver.connection.hget(saver.calls.keys.thread(thread_key(odd)), "id")
    assert stored == odd.encode()
