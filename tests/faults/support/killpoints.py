"""Processes that strike themselves between two of their calls to Redis, many out of one mother.

`python -m tests.faults.support.killpoints <file>` reads a JSON list of roles and forks one process
for each; it appends `<name> <pid>` to `<file>.pids` and `<pid> <exit code>` to `<file>.ends`.

A point is `before:finish:2`: before the second call of the script `finish` the process sends itself
the signal PENSTOCK_TEST_SIGNAL (SIGKILL if unset); or `after:pop:1`: after the first pop off the
queues that brought something. `graph.put` is the script `put` of graphs. A file `<name>.idle` says
that a worker is about to wait for one.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import redis
from redis.client import Pipeline
from redis.exceptions import ResponseError

from penstock.publisher.redis.connection import connect
from penstock.publisher.redis.direct import DirectRedis
from penstock.publisher.redis.script import load
from penstock.runtime import Client
from penstock.runtime.settings import load_settings
from penstock.worker.cli import main as cli
from penstock.worker.process.recovery import Recovery
from tests.faults.support.local import invoke
from tests.faults.support.main import main as work

SCRIPTS: Final = {
    "": "penstock.runtime.redis.scripts",
    "graph.": "penstock.langgraph.redis.scripts",
}
"""Packages of scripts, by what the names of theirs begin with here."""

POPS: Final = ("BLPOP", "BLMOVE")
"""Commands that wait for a ticket: of several queues, of one."""

DEAD: Final = 8
"""Where the arguments of `recover` name a worker that died: a supervisor's `report_death`."""

BRINGING: Final = ("pop", "take", "recover")
"""Calls whose answers are mostly empty; those do not count."""


class KillPoint:
    """Counts the calls of this process and strikes at one of them."""

    def __init__(self, point: str, signum: signal.Signals, idle: Path) -> None:
        self._idle = idle
        self._when, self._call, nth = point.split(":")
        self._left = int(nth)
        self._signum = signum
        self._lock = threading.Lock()
        self._scripts = {
            load(package, stem).sha: f"{start}{stem}"
            for start, package in SCRIPTS.items()
            for stem, _, ending in (each.name.partition(".") for each in files(package).iterdir())
            if ending == "lua"
        }

    def install(self) -> None:
        """Watch all connections of this process."""
        pipelines: Any = Pipeline
        piped = pipelines.execute

        def execute(pipeline: Any, raise_on_error: bool = True) -> Any:
            commands = [args for args, _ in pipeline.command_stack]
            return self.send(commands, lambda: piped(pipeline, raise_on_error))

        pipelines.execute = execute
        self._watch(redis.Redis)
        self._watch(DirectRedis)

    def _watch(self, clients: Any) -> None:
        plain = clients.execute_command

        def execute_command(client: Any, *args: Any, **options: Any) -> Any:
            return self.send([args], lambda: [plain(client, *args, **options)])[0]

        clients.execute_command = execute_command

    def send(self, commands: Sequence[Any], send: Any) -> Any:
        names = [self._name(args) for args in commands]
        if "pop" in names:
            self._idle.touch()
        if self._when == "before":
            for name in names:
                self._reach(name)
        answers = send()
        if self._when == "after":
            for name, answer in zip(names, answers, strict=False):
                if not isinstance(answer, ResponseError) and _brings(name, answer):
                    self._reach(name)
        return answers

    def _reach(self, name: str) -> None:
        if name != self._call:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                # To this thread, so that it does not get on until the signal is everywhere.
                signal.pthread_kill(threading.get_ident(), self._signum)

    def _name(self, args: Sequence[Any]) -> str:
        if args[0] not in ("EVALSHA", "EVAL"):
            return "pop" if args[0] in POPS else str(args[0])
        sha = str(args[1])
        if args[0] == "EVAL":
            sha = hashlib.sha1(sha.encode(), usedforsecurity=False).hexdigest()
        name = self._scripts.get(sha, "")
        return "report_death" if name == "recover" and args[DEAD] else name


def _brings(name: str, answer: Any) -> bool:
    if name not in BRINGING:
        return True
    return bool(answer) and (name == "pop" or any(answer))


# -- roles --------------------------------------------------------------------------------------


def sweep(_: Any) -> int:
    """Recover, and nothing else."""
    settings = load_settings()
    recovery = Recovery(connect(settings.redis), settings)
    while True:
        recovery.check()
        time.sleep(0.02)


def ask(told: dict[str, Any]) -> int:
    """Be a client that asks for one thing."""
    verb = told.pop("verb")
    with Client() as client:
        if verb == "enqueue":
            client.enqueue(told.pop("entrypoint"), told.pop("input"), **told)
        elif verb in ("resume", "wake"):
            client.get(told["run_id"]).resume(told["answer"])
        else:
            client.get(told["run_id"]).cancel()
    return 0


def command(told: dict[str, Any]) -> int:
    """Be a user at a terminal who answers."""
    cli(["resume", told["run_id"], json.dumps(told["answer"])], standalone_mode=False)
    return 0


ROLES: Final[dict[str, Any]] = {
    "work": work,
    "sweep": sweep,
    "ask": ask,
    "command": command,
    "invoke": invoke,
}


def play(name: str, role: dict[str, Any], folder: Path) -> int:
    """Be one process of the play; `role` is {role, told, point}."""
    out = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    if role["point"]:
        signum = signal.Signals[os.environ.get("PENSTOCK_TEST_SIGNAL", "SIGKILL")]
        KillPoint(role["point"], signum, folder / f"{name}.idle").install()
    status: int = ROLES[role["role"]](role["told"])
    return status


def main(file: Path) -> int:
    for role in json.loads(file.read_text()):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = play(role["name"], role, file.parent)
            finally:
                sys.stdout.flush()
                os._exit(status)
        with Path(f"{file}.pids").open("a") as pids:
            pids.write(f"{role['name']} {pid}\n")
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return 0
        with Path(f"{file}.ends").open("a") as ends:
            ends.write(f"{pid} {os.waitstatus_to_exitcode(status)}\n")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
