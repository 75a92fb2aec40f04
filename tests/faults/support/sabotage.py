"""Faults at named points of a worker process, between any two of its calls to Redis.

PENSTOCK_TEST_FAULT is `<call>:<nth>:<when>:<what>`, as in `finish:1:after:kill`: the call is a
script's name or `pop` (off the queues), counted from 1; `before` it is sent or `after` it was
answered; `kill` and `stop` are signals the process sends to itself, `lose` cuts the connection in
place of the answer.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, cast

import redis
from redis.client import Pipeline
from redis.exceptions import ResponseError

from penstock.publisher.redis.direct import DirectRedis
from penstock.publisher.redis.script import load

SCRIPTS = "penstock.runtime.redis.scripts"
POPS = ("BLPOP", "BLMOVE")
"""Commands that wait for a ticket: of several queues, of one."""


class Sabotage:
    """Counts the calls of this process and strikes at one of them."""

    def __init__(self, point: str) -> None:
        self._call, nth, self._when, self._what = point.split(":")
        self._left = int(nth)
        self._lock = threading.Lock()
        self._names = {
            load(SCRIPTS, path.name.removesuffix(".lua")).sha: path.name.removesuffix(".lua")
            for path in files(SCRIPTS).iterdir()
            if path.name.endswith(".lua")
        }

    def install(self) -> None:
        """Watch all connections that are made from now on."""
        # A pipeline is a Redis of its own kind: its commands wait for `execute`.
        piped: Any = vars(Pipeline)["execute"]

        def execute(pipeline: Any, raise_on_error: bool = True) -> Any:
            names = [self._name(args) for args, _ in pipeline.command_stack]
            with _Strike(self, names):
                return piped(pipeline, raise_on_error)

        cast(Any, Pipeline).execute = execute
        self._watch(redis.Redis)
        self._watch(DirectRedis)

    def _watch(self, clients: Any) -> None:
        plain: Any = clients.execute_command

        def execute_command(client: Any, *args: Any, **options: Any) -> Any:
            with _Strike(self, [self._name(args)]):
                return plain(client, *args, **options)

        clients.execute_command = execute_command

    def reach(self, names: Sequence[str], when: str) -> None:
        """Strike, if this is the point."""
        if self._call not in names or when != self._when:
            return
        with self._lock:
            self._left -= 1
            if self._left != 0:
                return
        if self._what == "lose":
            raise redis.ConnectionError("sabotage: the answer was lost")
        os.kill(os.getpid(), signal.SIGKILL if self._what == "kill" else signal.SIGSTOP)

    def _name(self, args: Sequence[Any]) -> str:
        if args[0] == "EVALSHA":
            return self._names.get(args[1], "")
        if args[0] == "EVAL":
            text = args[1].encode()
            return self._names.get(hashlib.sha1(text, usedforsecurity=False).hexdigest(), "")
        return "pop" if args[0] in POPS else str(args[0])


class _Strike:
    def __init__(self, sabotage: Sabotage, names: Sequence[str]) -> None:
        self._sabotage = sabotage
        self._names = names

    def __enter__(self) -> None:
        self._sabotage.reach(self._names, "before")

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: object) -> None:
        if kind is None or not issubclass(kind, ResponseError):
            self._sabotage.reach(self._names, "after")
