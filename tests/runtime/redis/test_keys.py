"""Key names: one list in Python, the same in Lua."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import fakeredis
import pytest

import penstock.runtime.redis.keys as module
from penstock.runtime.redis.keys import Keys, first_arguments, thread_key
from penstock.runtime.redis.world import World

SCRIPTS = Path(module.__file__).parent / "scripts"
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.lua"))
KEYS = Keys("p", "q")


def text_of(name: str) -> str:
    return (SCRIPTS / f"{name}.lua").read_text(encoding="utf-8")


def code_of(name: str) -> str:
    return "\n".join(line for line in text_of(name).splitlines() if not line.startswith("--"))


def lua(expression: str, keys: Keys = KEYS) -> str:
    """Evaluate an expression after names.lua."""
    server = fakeredis.FakeRedis()
    code = f"{text_of('names')}\nreturn {expression}"
    answer: Any = server.eval(code, 0, *first_arguments(keys))
    return str(answer.decode())


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("key('run', 'r')", KEYS.run("r")),
        ("key('events', 'r')", KEYS.events("r")),
        ("key('channel', 'r')", KEYS.channel("r")),
        ("key('checkpoints', 'r')", KEYS.checkpoints("r")),
        ("key('questions', 'r')", KEYS.questions("r")),
        ("key('legs', 'r')", KEYS.legs("r")),
        ("key('thread', 't')", KEYS.thread("t")),
        ("key('history', 't')", KEYS.history("t")),
        ("key('made', 'n')", KEYS.made("n")),
        ("key('waiting', 't')", KEYS.waiting("t")),
        ("key('taken', 'w')", KEYS.taken("w")),
        ("LEASES", KEYS.leases),
        ("READY", KEYS.ready),
        ("CONTROL", KEYS.control),
        ("ARGV[1] .. ':entrypoints'", KEYS.entrypoints),
        ("ARGV[1] .. ':feed'", KEYS.feed),
        ("ARGV[1] .. ':hooks'", KEYS.hooks),
        ("ARGV[1] .. ':hooks:reader'", KEYS.hooks_reader),
        ("ARGV[1] .. ':hooks:unread'", KEYS.hooks_unread),
        ("ARGV[1] .. ':hooks:lost'", KEYS.hooks_lost),
        ("ARGV[1] .. ':webhooks'", KEYS.webhooks),
        ("ARGV[1] .. ':webhooks:due'", KEYS.webhooks_due),
        ("key('webhook', 'w')", KEYS.webhook("w")),
        ("key('webhook', 'w' .. ':due')", KEYS.webhook("w:due")),
        ("key('open', 'all')", KEYS.open("all")),
        ("SUSPENDED", KEYS.open("suspended")),
        ("key('over', 'all')", KEYS.over("all")),
        ("popped('x')", KEYS.popped("x")),
        ("rq_job('r')", KEYS.job("r")),
        ("rq_queue('default')", KEYS.queue("default")),
        ("rq_queue('default', 'workers')", KEYS.workers_of("default")),
        ("key('app', 'd')", KEYS.app("d")),
        ("key('parked', 'q')", KEYS.parked("q")),
        ("rq('worker', 'w')", KEYS.worker("w")),
        ("rq('worker', 'w') .. ':executions'", KEYS.executions("w")),
        ("ARGV[2] .. ':suspended'", KEYS.suspended),
    ],
)
def test_python_and_lua_build_the_same_names(expression: str, name: str) -> None:
    assert lua(expression) == name


@pytest.mark.parametrize("prefix", ["penstock", "shop", "my-app", "a:b@3", "größe %"])
@pytest.mark.parametrize("database", [0, 3])
def test_python_and_lua_agree_in_every_world(prefix: str, database: int) -> None:
    keys, world = Keys(prefix, "q", database=database), World(prefix)

    assert lua("key('run', 'r')", keys) == keys.run("r")
    assert lua("key('channel', 'r')", keys) == keys.channel("r")
    assert lua("CONTROL", keys) == keys.control
    assert lua("rq_queue('default')", keys) == keys.queue("default")
    assert lua("popped('default')", keys) == keys.popped("default")
    assert lua("rq_job('r')", keys) == keys.job("r")
    assert lua(f"run_of('{world.job('r')}')", keys) == world.run(world.job("r")) == "r"
    assert lua("run_of('ordinary')", keys) == world.run("ordinary") == "ordinary"


def test_channels_of_two_databases_have_two_names() -> None:
    names = {
        name
        for database in (0, 1, 11)
        for keys in [Keys(database=database)]
        for name in (keys.channel("r"), keys.channel("1:r"), keys.control)
    }

    assert len(names) == 9
    assert Keys().channel("r") == "penstock:channel:r"


def test_no_name_that_rq_sees_is_one_of_another_prefix() -> None:
    worlds = [World(prefix) for prefix in ("penstock", "shop", "a:b", "a.b", "a")]
    queues = {world.queue(name) for world in worlds for name in ("default", "b", "default.shop")}
    jobs = {world.job(run_id) for world in worlds for run_id in ("order-1", "b", "order-1-shop")}

    assert len(queues) == len(jobs) == 15
    assert World("penstock").queue("default") == "default"
    assert all(re.fullmatch("[A-Za-z0-9_-]+", job) for job in jobs)  # RQ takes no other letters


def test_lua_uses_no_kind_of_key_that_python_does_not_know() -> None:
    known = {name for name in vars(Keys) | vars(Keys.__mro__[1]) if not name.startswith("_")}
    used = {kind for name in NAMES for kind in re.findall(r"\bkey\('(\w+)'", code_of(name))}

    assert used <= known


@pytest.mark.parametrize("name", NAMES)
def test_every_include_exists(name: str) -> None:
    for package, other in re.findall(r"-- include: ([\w.]+)/(\w+)", text_of(name)):
        if package == "penstock.runtime.redis.scripts":
            assert other in NAMES
        else:
            assert (package, other) == ("penstock.publisher", "append")


@pytest.mark.parametrize("thread_id", ["a", "ünï", "{x}", "a:b", "x" * 10_000, "\ud800", ""])
def test_a_thread_key_has_only_plain_characters(thread_id: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", thread_key(thread_id))


def test_f64_different_threads_have_different_keys() -> None:
    assert len({thread_key(f"thread {i}") for i in range(1000)}) == 1000
