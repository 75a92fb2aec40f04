"""The emulated server answers as fakeredis does, and compiles a script once."""

from __future__ import annotations

from typing import Any

import pytest
from fakeredis import FakeRedis, FakeServer
from redis.exceptions import ResponseError

from penstock.runtime.store.emulated import EmulatedServer

SCRIPTS = (
    "local seen = 0; seen = seen + 1; return seen",
    "return { KEYS[1], ARGV[1], #ARGV, false, 3.7 }",
    "return redis.call('incr', KEYS[1])",
    "return redis.error_reply('REFUSED for a reason')",
    "return redis.call('nothing')",
    "error('broken')",
    "this is no Lua",
    "made = 1",
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_call_is_answered_as_by_fakeredis(script: str) -> None:
    plain, emulated = (
        [_answer(FakeRedis(server=server), script) for _ in range(3)]
        for server in (FakeServer(), EmulatedServer())
    )
    assert emulated == plain


def test_a_script_is_compiled_once() -> None:
    server = EmulatedServer()
    client: Any = FakeRedis(server=server)
    for number in range(5):
        assert client.eval("return ARGV[1]", 0, number) == b"%d" % number

    runtime: Any = vars(server)["_lua_runtime"]
    assert runtime.execute.__self__._compiled.cache_info().hits >= 4


def _answer(client: Any, script: str) -> object:
    try:
        return client.eval(script, 1, "counter", "given")
    except ResponseError as error:
        return str(error)
