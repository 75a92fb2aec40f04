"""What may be odd about a process: its clock, Redis's clock, its release, how much it may open.

| variable | does |
|---|---|
| PENSTOCK_TEST_SKEW | sets this process's wall clock off by so many seconds |
| PENSTOCK_TEST_RELEASE | gives all scripts another text and digest, which do the same |
| PENSTOCK_TEST_FILES | lets the process open this many files and sockets |
| PENSTOCK_TEST_JUMPS | lets the scripts see the jumps of Redis's clock |

With jumps, scripts take their time from Redis's clock plus what the key `test:jump` holds: a clock
that can be set, for all processes at once.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final, cast

from penstock.publisher.redis import script

JUMP: Final = "test:jump"

CLOCK: Final = "local clock = redis.call('TIME')\n"
JUMPING: Final = f"{CLOCK}clock[1] = clock[1] + tonumber(redis.call('GET', '{JUMP}') or 0)\n"


def make_odd(environ: Mapping[str, str]) -> None:
    """Make this process what its environment says."""
    if skew := float(environ.get("PENSTOCK_TEST_SKEW", 0)):
        clock, right = cast(Any, time), time.time
        clock.time = lambda: right() + skew
    if release := environ.get("PENSTOCK_TEST_RELEASE"):
        _rewrite(lambda text: f"-- as release {release} has it\n{text}")
    if files := int(environ.get("PENSTOCK_TEST_FILES", 0)):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if "PENSTOCK_TEST_JUMPS" in environ:
        _rewrite(_jumping)


@contextmanager
def follow_jumps() -> Generator[None]:
    """Let the scripts of this process follow the jumps of Redis's clock, as its workers do."""
    undo = _rewrite(_jumping)
    try:
        yield
    finally:
        undo()


def _jumping(text: str) -> str:
    return text.replace(CLOCK, JUMPING)


def _rewrite(change: Callable[[str], str]) -> Callable[[], None]:
    """Let the loader of scripts change their texts; returns what undoes it."""
    loader: Any = script
    read = loader._read

    def changed(package: str, name: str) -> str:
        return change(read(package, name))

    loader._read = changed
    script.load.cache_clear()

    def undo() -> None:
        loader._read = read
        script.load.cache_clear()

    return undo
