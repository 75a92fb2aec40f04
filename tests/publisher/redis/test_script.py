from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ResponseError

from penstock.publisher.redis.script import Call, Script, arun, load, run, run_all

_numbers = itertools.count()


def _script(text: str) -> Script:
    return Script("test", text, hashlib.sha1(text.encode()).hexdigest())


ECHO = _script("return {KEYS[1], ARGV[1]}")
WRONG = _script("return redis.call('LPUSH', KEYS[1], 'x')")


def test_an_include_stands_for_the_text_of_its_file() -> None:
    script = load("penstock.publisher", "publish")

    assert "redis.call('PUBLISH', channel" in script.text
    assert "-- include" not in script.text
    assert script.sha == hashlib.sha1(script.text.encode()).hexdigest()


def test_a_script_has_no_function_that_it_does_not_use() -> None:
    needed = load("penstock.runtime.redis.scripts", "renew").text
    defined = re.findall(r"^local function (\w+)", needed, re.MULTILINE)

    unused = [name for name in defined if len(re.findall(rf"\b{name}\b", needed)) == 1]

    assert defined == []  # its include `names` has ten
    assert unused == []


Package = Callable[..., Script]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Make a package of scripts, and load the one named `script`."""
    name = f"package_{next(_numbers)}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))

    def loaded(**texts: str) -> Script:
        for each, text in texts.items():
            (tmp_path / name / f"{each}.lua").write_text(text.replace("package", name))
        return load(name, "script")

    return loaded


def answer(client: redis.Redis, script: Script, *args: str) -> Any:
    return run(client, Call(script, (), args))


def test_an_expression_stands_where_its_function_is_called(
    package: Package, redis_client: redis.Redis
) -> None:
    script = package(
        script="""local OURS, MORE = 'p', '@1'
-- inline
local function key(kind, id)
  return OURS .. ':' .. kind .. (kind == 'channel' and MORE or '') .. ':' .. id
end
-- inline
local function queue(kind, id)
  return 'p:' .. kind .. ':' .. id
end
-- inline
local function job(id, kind)
  return queue(kind or 'job', id .. '--')
end
local function spoken(key)
  return 'key(' .. key .. ')'
end
local other = job(ARGV[1] or 'd', 'other')
return { key('run', 'a' .. 'b'), job('c'), other, #key('x', 'y'), spoken('e') }
"""
    )

    assert "function key" not in script.text
    assert "OURS .. ':run:ab'" in script.text
    assert answer(redis_client, script, "z") == [
        b"p:run:ab",
        b"p:job:c--",
        b"p:other:z--",
        5,
        b"key(e)",
    ]


def test_an_argument_that_an_expression_has_twice_is_refused_unless_it_is_a_name(
    package: Package,
) -> None:
    with pytest.raises(ValueError, match="number is used twice"):
        package(
            script="-- inline\nlocal function twice(number)\n  return number + number\nend\n"
            "return twice(redis.call('INCR', 'n'))\n"
        )


def test_statements_stand_where_their_function_is_called(
    package: Package, redis_client: redis.Redis
) -> None:
    script = package(
        script="""local total = 0
-- in place
local function add(number, ...)
  total = total + number
  local list, size = { 'first', ... }, 0
  size = #list
  return size, list
end
local size, list = add(2, 'a', 'b')
add(3)
local function added(total)
  local size = add(total)
  return size
end
return { total, size, list[3], added(5), total }
"""
    )

    assert answer(redis_client, script) == [5, 3, b"b", 1, 10]
    assert "local function add" in script.text  # for the one whose parameter hides what it uses
    assert script.text.count("total = total + number") == 3


def test_statements_that_end_in_their_middle_are_refused(package: Package) -> None:
    with pytest.raises(ValueError, match="returns at its end only"):
        package(
            script="-- in place\nlocal function f(a)\n  if a then\n    return 1\n  end\n"
            "  return 2\nend\nlocal b = f(1)\nreturn b\n"
        )


def test_a_function_that_is_seldom_needed_is_made_where_it_is_called(
    package: Package, redis_client: redis.Redis
) -> None:
    script = package(
        script="""local function inner(text)
  return '<' .. text .. '>'
end
-- seldom
local function told(text)
  return inner(text)
end
-- include: package/chunk as chunk(shout)
if ARGV[1] == 'chunk' then
  chunk().shout('a')
  return chunk().shout('b')
elseif ARGV[1] then
  return told(ARGV[1])
end
local function quiet(word)
  return word
end
return quiet('nothing')
""",
        chunk="local function shout(text)\n  return inner(text) .. '!'\nend\n",
    )

    assert re.findall(r"^local function (\w+)", script.text, re.MULTILINE) == ["quiet"]
    assert [answer(redis_client, script, *args) for args in ((), ("x",), ("chunk",))] == [
        b"nothing",
        b"<x>",
        b"<b>!",
    ]


def test_a_seldom_function_stays_where_what_it_uses_means_something_else(
    package: Package, redis_client: redis.Redis
) -> None:
    script = package(
        script="""local word = 'outer'
-- seldom
local function told()
  return word
end
local function tell(word)
  return told() .. word
end
return tell('!')
"""
    )

    assert "local function told()" in script.text
    assert answer(redis_client, script) == b"outer!"


def test_the_ordinary_way_through_a_script_makes_few_functions() -> None:
    made = {
        name: len(re.findall(r"^(?:local )?function ", _text(name), re.MULTILINE))
        for name in ("enqueue", "record", "finish", "take")
    }

    assert made["enqueue"] <= 2
    assert made["record"] <= 1
    assert made["finish"] <= 7
    assert made["take"] <= 21


def _text(name: str) -> str:
    return load("penstock.runtime.redis.scripts", name).text


def test_a_chunk_that_is_included_twice_is_there_once(package: Package) -> None:
    script = package(
        script="-- include: package/one\n-- include: package/two\nreturn f(1) + g(f(2))\n",
        one="local function f(n)\n  return n\nend\n",
        two="-- include: package/one\nlocal function g(n)\n  return f(n)\nend\n",
    )

    assert script.text.count("local function f") == 1


def test_two_functions_of_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "twice"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "one.lua").write_text("local function f()\n  return 1\nend\n")
    (package / "script.lua").write_text(
        "-- include: twice/one\nlocal function f()\n  return 2\nend\nreturn f()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ValueError, match="two functions 'f'"):
        load("twice", "script")


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
