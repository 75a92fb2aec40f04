"""Plans that are followed side by side."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.publisher.errors import RedisRightsError, RedisUnavailableError
from penstock.publisher.plan import follow
from penstock.publisher.redis.script import Call, load
from penstock.runtime.redis.plans.requests import Plan, Reads
from penstock.runtime.redis.plans.together import together


def reading(*names: str) -> Plan[list[str]]:
    """Read keys one after the other."""
    found: list[str] = []
    for name in names:
        found.append((yield ("GET", name)))
    return found


def several(*names: str) -> Plan[Any]:
    """Read keys in one round trip."""
    return (yield Reads([("GET", name) for name in names]))


def calling(script: Any) -> Plan[Any]:
    """Call a script, then read."""
    said = yield Call(script, ("k",), ())
    return said, (yield ("GET", "x"))


def careful(name: str) -> Plan[str]:
    """Read a key that may be secret."""
    try:
        return str((yield ("GET", name)))
    except RedisRightsError:
        return "secret"


class Server:
    """Answers a command with the name of its key, and remembers what it was asked."""

    def __init__(self, secret: str = "") -> None:
        self.asked: list[Any] = []
        self.secret = secret

    def do(self, request: Any) -> Any:
        self.asked.append(request)
        commands = request.commands if isinstance(request, Reads) else [request]
        if isinstance(request, Call):
            return "called"
        if any(self.secret and command[1] == self.secret for command in commands):
            raise RedisRightsError(f"{self.secret} may not be read")
        replies = [command[1] for command in commands]
        return replies if isinstance(request, Reads) else replies[0]


def test_what_plans_read_next_is_read_in_one_round_trip() -> None:
    server = Server()

    found = follow(
        together([reading("a", "b"), reading(), reading("c"), several("d", "e")]), server.do
    )

    assert found == [["a", "b"], [], ["c"], ["d", "e"]]
    assert len(server.asked) == 2


def test_no_plan_asks_for_nothing() -> None:
    plans: list[Plan[str]] = []
    assert follow(together(plans), Server().do) == []


def test_script_calls_are_sent_one_by_one() -> None:
    server, script = Server(), load("penstock.runtime.diagnostics", "outcomes")

    found: Any = follow(together([calling(script), reading("a"), calling(script)]), server.do)

    assert found == [("called", "x"), ["a"], ("called", "x")]
    assert sum(isinstance(each, Call) for each in server.asked) == 2
    assert len(server.asked) == 4


def test_a_refusal_is_for_the_plan_that_asked() -> None:
    plans = [careful("a"), careful("b"), careful("c")]

    assert follow(together(plans), Server("b").do) == ["a", "secret", "c"]


def test_a_redis_that_is_away_ends_all() -> None:
    def do(request: Any) -> Any:
        raise RedisUnavailableError("away")

    with pytest.raises(RedisUnavailableError):
        follow(together([reading("a"), reading("b")]), do)
