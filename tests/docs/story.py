"""Runs a page as a reader would: its files written, its workers started, its code executed."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib
import inspect
import io
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

import redis

from tests.docs.page import Block, Page
from tests.support.until import Patience

PORT = "8000"
"""The port that pages name for their web app; tests take a free one instead."""

REDIS_PORT = "6379"
"""The port of the Redis that `penstock dev` starts; here a free one too."""

WORKERS = (["penstock", "worker"], ["penstock", "dev"], ["rq", "worker"])
MODULE = "penstock_page"


class Story:
    """One page, executed from top to bottom in a folder of its own."""

    def __init__(self, page: Page, folder: Path, redis_url: str) -> None:
        self._page = page
        self._folder = folder
        self._port = str(_free_port())
        self._redis = redis.Redis.from_url(redis_url)
        self._module = types.ModuleType(MODULE)
        self._runner = asyncio.Runner()
        self._background: list[subprocess.Popen[bytes]] = []
        self._workers = 0
        self._env = os.environ | {
            "PENSTOCK_REDIS_URL": redis_url,
            "RQ_REDIS_URL": redis_url,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder),
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "100",
        }

    def run(self) -> None:
        """Execute all blocks; what a block prints must be what the page shows."""
        blocks = list(self._page.blocks())
        for block, following in zip(blocks, [*blocks[1:], None], strict=False):
            if block.file:
                self._write(block.file, self._real(block.text))
            elif block.language in ("python", "check"):
                shown = following.text if following and following.language == "text" else ""
                _compare(block, shown, self._execute(block))
            elif block.language == "console":
                for command, shown in block.commands():
                    if command.startswith("make "):  # has tests of its own
                        continue
                    _compare(block, self._real(shown), self._shell(self._real(command)))

    def _write(self, name: str, text: str) -> None:
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        sys.modules.pop(target.stem, None)  # of another page, or of another test
        importlib.invalidate_caches()

    # -- Python ---------------------------------------------------------------------------------

    def _execute(self, block: Block) -> str:
        """Run a block in the page's namespace; `await` may stand at its top level."""
        source = "\n" * (block.line - 1) + self._real(block.text)
        code = compile(source, str(block.path), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if code.co_flags & inspect.CO_COROUTINE:
                self._runner.run(_awaited(code, vars(self._module)))
            else:
                exec(code, vars(self._module))
        return printed.getvalue()

    # -- a shell --------------------------------------------------------------------------------

    def _shell(self, command: str) -> str:
        words = shlex.split(command)
        if words[0] == "export":
            self._env |= dict(word.split("=", 1) for word in words[1:])
            return ""
        if words[0] == "kill":
            return self._kill(words[1:])
        in_background = words[-1] == "&"
        words = words[: -1 if in_background else None]
        assert words[0] in ("penstock", "rq", "uvicorn", "python"), f"{command!r}: use a sh block"
        if words[:2] == ["penstock", "dev"]:
            return self._dev(words)
        if in_background:
            self._begin(words)
            return ""
        done = subprocess.run(
            words,
            cwd=self._folder,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
        return done.stdout.decode()

    def _dev(self, words: list[str]) -> str:
        """Start a Redis with a worker; from here on, the page uses that one."""
        port = str(_free_port())
        url = f"redis://127.0.0.1:{port}"
        self._env["PENSTOCK_REDIS_URL"] = os.environ["PENSTOCK_REDIS_URL"] = url
        self._redis.close()
        self._redis = redis.Redis.from_url(url)
        self._begin([*words, "--port", port])
        return self._log().replace(port, REDIS_PORT)

    def _log(self) -> str:
        return (self._folder / f"background-{len(self._background) - 1}.log").read_text()

    def _begin(self, words: list[str]) -> None:
        with (self._folder / f"background-{len(self._background)}.log").open("wb") as log:
            process = subprocess.Popen(
                words, cwd=self._folder, env=self._env, stdout=log, stderr=subprocess.STDOUT
            )
        self._background.append(process)
        if words[:2] in WORKERS:
            self._workers += 1
            _until(self._has_all_workers, process, self._folder)
            if words[0] == "penstock":  # by then it has announced what it has
                _until(lambda: "runs at once from" in self._log(), process, self._folder)
        elif words[0] == "uvicorn" or words[:2] == ["penstock", "serve"]:
            _until(self._is_served, process, self._folder)

    def _has_all_workers(self) -> bool:
        try:
            alive = self._redis.scard("rq:workers") >= self._workers
            plain = "PENSTOCK_APP" in self._env
            return alive and (plain or bool(self._redis.exists("penstock:entrypoints")))
        except redis.ConnectionError:
            return False

    def _is_served(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self._port))) == 0

    def _kill(self, words: Iterable[str]) -> str:
        """`kill -9 %1`: a signal to the first process that the page started in the background."""
        number, target = words
        process = self._background[int(target.removeprefix("%")) - 1]
        process.send_signal(signal.Signals(int(number.removeprefix("-"))))
        process.wait(timeout=30)
        self._workers -= 1
        return ""

    def _real(self, text: str) -> str:
        return text.replace(PORT, self._port)

    # -- around it ------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        sys.modules[MODULE] = self._module
        self._known = set(sys.modules)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._background:
            process.terminate()
        for process in self._background:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._runner.close()
        self._redis.close()
        for name in [*(set(sys.modules) - self._known), MODULE]:
            path = getattr(sys.modules[name], "__file__", None) or ""
            if name == MODULE or path.startswith(str(self._folder)):
                del sys.modules[name]


async def _awaited(code: types.CodeType, namespace: dict[str, object]) -> None:
    await eval(code, namespace)


def _until(true: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    patience = Patience(60, f"{process.args!r} is ready")
    while not true():
        said = "".join(path.read_text() for path in sorted(log.glob("background-*.log")))
        assert process.poll() is None, f"{process.args!r} has ended:\n{said}"
        patience.look(0.02)


def _compare(block: Block, shown: str, printed: str) -> None:
    """Hold what was printed against what the page shows.

    `…` stands for anything within a line, and on a line of its own for any number of lines.
    """
    lines = shown.strip().splitlines()
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else re.escape(line).replace("…", ".*?") + "\n"
        for line in lines
    )
    actual = "".join(f"{line.rstrip()}\n" for line in printed.strip().splitlines())
    assert re.fullmatch(pattern, actual), (
        f"{block.where}: the page shows\n\n{shown}\nbut it prints\n\n{actual}\n"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
