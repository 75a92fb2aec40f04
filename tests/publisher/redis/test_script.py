from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ResponseError

from penstock.publisher.redis.script import Call, Script, arun, load, run, run_all


def _script(text: str) -> Script:
    return Script("test", text, hashlib.sha1(text.encode()).hexdigest())


ECHO = _script("return {KEYS[1], ARGV[1]}")
WRONG = _script("return redis.call('LPUSH', KEYS[1], 'x')")


def test_an_include_stands_for_the_text_of_its_file() -> None:
    script = load("penstock.publisher", "publish")

    assert "local function append" in script.text
    assert "-- include" not in script.text
    assert script.sha == hashlib.sha1(script.text.encode()).hexdigest()


def test_a_script_has_no_function_that_it_does_not_use() -> None:
    needed = load("penstock.runtime.redis.scripts", "renew").text
    defined = re.findall(r"^local function (\w+)", needed, re.MULTILINE)

    unused = [name for name in defined if len(re.findall(rf"\b{name}\b", needed)) == 1]

    assert "key" in defined
    assert "index" not in defined  # which its include `clock` has
    assert unused == []


def test_a_chunk_that_is_seldom_needed_is_made_when_it_is_called_for() -> None:
    text = load("penstock.runtime.redis.scripts", "enqueue").text
    at_once = re.findall(r"^(?:local )?function (\w+)", text, re.MULTILINE)
    later = re.findall(r"^ +(?:local )?function (\w+)", text, re.MULTILINE)

    assert "settling" in at_once
    assert "settle_here" in later
    assert "  return { settle_here = settle_here, start_next = start_next }\n  end\n" in text


def test_functions_that_only_seldom_ones_need_are_made_in_these() -> None:
    text = load("penstock.runtime.redis.scripts", "finish").text
    at_once = re.findall(r"^(?:local )?function (\w+)", text, re.MULTILINE)
    leaving = text[text.index("local function leave_thread") :].partition("\nend\n")[0]

    assert "remember" not in at_once
    assert leaving.startswith("local function leave_thread(...)\n")
    assert "  local function remember(thread, at, told, values)\n" in leaving
    assert leaving.endswith("  return leave_thread(...)")


def test_a_chunk_that_is_included_twice_is_there_once() -> None:
    text = load("penstock.runtime.redis.scripts", "bulk").text
    at_once = re.findall(r"^local function (\w+)", text, re.MULTILINE)

    assert len(at_once) == len(set(at_once))
    assert "return { keep_graph = keep_graph, roll_back = roll_back }" in text


def test_two_functions_of_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "scripts_twice"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "one.lua").write_text("local function f()\n  return 1\nend\n")
    (package / "script.lua").write_text(
        "-- include: scripts_twice/one\nlocal function f()\n  return 2\nend\nreturn f()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ValueError, match="two functions 'f'"):
        load("scripts_twice", "script")


def test_a_constant_that_nothing_needs_is_left_out() -> None:
    text = load("penstock.runtime.redis.scripts", "record").text

    assert "local FRAME = " in text
    assert "TIMERS" not in text


def test_a_server_that_does_not_know_the_script_gets_it(redis_client: redis.Redis) -> None:
    redis_client.script_flush()

    assert run(redis_client, Call(ECHO, ("k",), ("v",))) == [b"k", b"v"]
    assert redis_client.script_exists(ECHO.sha) == [True]
    assert run(redis_client, Call(ECHO, ("k",), ("w",))) == [b"k", b"w"]


@pytest.mark.parametrize("known", [False, True])
def test_an_asyncio_connection_does_the_same(
    redis_client: redis.Redis, redis_url: str, known: bool
) -> None:
    import asyncio

    redis_client.script_flush()
    if known:
        redis_client.script_load(ECHO.text)

    async def main() -> object:
        async with AsyncRedis.from_url(redis_url) as client:
            return await arun(client, Call(ECHO, ("k",), ("v",)))

    assert asyncio.run(main()) == [b"k", b"v"]


@pytest.mark.parametrize("known", [False, True])
def test_calls_in_one_round_trip_are_answered_each(redis_client: redis.Redis, known: bool) -> None:
    redis_client.script_flush()
    if known:
        redis_client.script_load(ECHO.text)
        redis_client.script_load(WRONG.text)
    redis_client.set("text", "1")

    first, refused, last = run_all(
        redis_client,
        [Call(ECHO, ("k",), ("1",)), Call(WRONG, ("text",), ()), Call(ECHO, ("k",), ("2",))],
    )

    assert (first, last) == ([b"k", b"1"], [b"k", b"2"])
    assert isinstance(refused, ResponseError)


def test_one_call_that_is_refused_is_no_exception_either(redis_client: redis.Redis) -> None:
    redis_client.set("text", "1")

    (refused,) = run_all(redis_client, [Call(WRONG, ("text",), ())])

    assert isinstance(refused, ResponseError)
