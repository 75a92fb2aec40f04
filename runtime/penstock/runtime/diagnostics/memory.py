"""How much memory Redis uses: by kind of key, by run, by thread."""

from __future__ import annotations

__all__ = ["KEYS_MEASURED", "Kind", "Owner", "Usage", "measure", "measure_all"]

import heapq
import inspect
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

from redis import Redis
from redis.exceptions import RedisError

from penstock.publisher.redis.connection import connect
from penstock.publisher.redis.retries import unavailable
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings
from penstock.runtime.store.keys import StoreKeys

KEYS_MEASURED: Final = 100_000
"""Keys measured unless all are asked for: of more, those of every second, third... run."""

PAGE: Final = 1000
SAMPLES: Final = 20
"""Members of a large key that Redis weighs, to guess the rest."""


@dataclass(frozen=True, slots=True)
class Kind:
    """All keys of one form, as `penstock:run:*`."""

    kind: str
    keys: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Owner:
    """A run with its keys, or a thread with its runs."""

    id: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """The measured bytes; if `each` is over 1, one run in so many was measured."""

    kinds: Sequence[Kind]
    runs: Sequence[Owner]
    threads: Sequence[Owner]
    each: int


def measure_all(settings: Settings, top: int, *, all_keys: bool = False) -> Usage:
    """Measure the Redis of some settings, as `measure` does.

    Raises:
        RedisUnavailableError: Redis does not answer, or refuses.
    """
    with connect(settings.redis) as connection:
        try:
            return measure(connection, Keys.of(settings, connection), top=top, all_keys=all_keys)
        except (RedisError, OSError) as error:
            raise unavailable(error, connection) from error


def measure(connection: Redis, keys: Keys, *, top: int, all_keys: bool) -> Usage:
    """Measure all keys of Penstock's and RQ's; `top` says how many runs and threads are named.

    Raises:
        redis.exceptions.RedisError: Redis does not answer, or refuses.
    """
    size = connection.dbsize()
    each = 1 if all_keys else max(1, -(-size // KEYS_MEASURED))
    tally = _Tally(keys, each)
    for pattern in (f"{keys.prefix}:*", f"{keys.rq}:*"):
        scan = cast("Iterator[bytes]", connection.scan_iter(match=pattern, count=PAGE))
        for page in _pages(scan):
            names = tally.count(page)
            tally.add(names, _sizes(connection, names), _threads(connection, keys, names))
    tally.join()
    named = [
        Owner(tally.alone.get(thread.id) or _thread_id(connection, keys, thread.id), thread.bytes)
        for thread in tally.largest(tally.threads, top)
    ]
    return Usage(tally.kinds(), tally.largest(tally.runs, top), named, each)


class _OfRun(NamedTuple):
    """The key of a run's thread, and whether nobody has asked for that yet."""

    run_id: str
    thread: str
    is_lone: bool


class _Tally:
    """Adds up sizes; without IO."""

    def __init__(self, keys: Keys, each: int) -> None:
        self._each = each
        self._forms = sorted(_forms(keys), key=lambda form: -len(form.head + form.tail))
        of_runs = (keys.run, keys.checkpoints, keys.questions, keys.legs, keys.remote)
        self._of_runs = tuple(name("") for name in (*of_runs, keys.events, keys.job))
        self._of_threads = (keys.thread(""), keys.waiting(""))
        self._counts: dict[str, int] = defaultdict(int)
        self._bytes: dict[str, int] = defaultdict(int)
        self.runs: dict[str, int] = defaultdict(int)
        self.threads: dict[str, int] = defaultdict(int)
        self._thread_of: dict[str, str] = {}
        self.alone: dict[str, str] = {}
        """By the key of its own thread, a run that was given none."""

    def count(self, page: Iterable[str]) -> list[str]:
        """Count keys, and return those that are to be measured: all of a run, or none."""
        chosen: list[str] = []
        for name in page:
            self._counts[self._kind(name)] += 1
            if zlib.crc32(name.rpartition(":")[2].encode()) % self._each == 0:
                chosen.append(name)
        return chosen

    def add(self, names: Sequence[str], sizes: Sequence[int], threads: Iterable[_OfRun]) -> None:
        """Add what these keys take, and which threads runs are of."""
        for run in threads:
            self._thread_of[run.run_id] = run.thread
            if run.is_lone:
                self.alone[run.thread] = run.run_id
        for name, size in zip(names, sizes, strict=True):
            self._bytes[self._kind(name)] += size
            head, _, owner = name.rpartition(":")
            if f"{head}:" in self._of_runs:
                self.runs[owner] += size
            elif f"{head}:" in self._of_threads:
                self.threads[owner] += size

    def join(self) -> None:
        """Add what runs take to their threads."""
        for run_id, thread in self._thread_of.items():
            self.threads[thread] += self.runs[run_id]

    def kinds(self) -> list[Kind]:
        """All kinds that there are, the largest first."""
        found = [
            Kind(kind, count, self._bytes[kind] * self._each)
            for kind, count in self._counts.items()
        ]
        return sorted(found, key=lambda kind: (-kind.bytes, kind.kind))

    @staticmethod
    def largest(sizes: dict[str, int], top: int) -> list[Owner]:
        """The largest of them."""
        return heapq.nlargest(
            top, (Owner(name, size) for name, size in sizes.items()), key=lambda owner: owner.bytes
        )

    def _kind(self, name: str) -> str:
        for form in self._forms:
            if form.fits(name):
                return f"{form.head}*{form.tail}" if form.is_open else form.head
        return "other"


class _Form(NamedTuple):
    head: str
    tail: str
    is_open: bool

    def fits(self, name: str) -> bool:
        if not self.is_open:
            return name == self.head
        return name.startswith(self.head) and name.endswith(self.tail)


def _forms(keys: Keys) -> Iterator[_Form]:
    """Give the forms of all key names, from the classes that make them."""
    for names in (keys, StoreKeys(keys.prefix)):
        for cls in type(names).__mro__[:-1]:
            for word, value in vars(cls).items():
                if isinstance(value, property):
                    yield _Form(getattr(names, word), "", False)
                elif inspect.isfunction(value) and not word.startswith("_"):
                    head, _, tail = getattr(names, word)("\0").partition("\0")
                    yield _Form(head, tail, True)
    for prefix in (keys.prefix, keys.rq):
        yield _Form(f"{prefix}:", "", True)


def _sizes(connection: Redis, names: Sequence[str]) -> list[int]:
    with connection.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.execute_command("MEMORY", "USAGE", name, "SAMPLES", SAMPLES)
        sizes = cast("list[int | None]", pipeline.execute())
    return [size or 0 for size in sizes]  # gone meanwhile


def _threads(connection: Redis, keys: Keys, names: Sequence[str]) -> list[_OfRun]:
    runs = [name for name in names if name.startswith(keys.run(""))]
    with connection.pipeline(transaction=False) as pipeline:
        for name in runs:
            pipeline.hmget(name, "thread_key", "lone")
        threads = cast("list[list[bytes | None]]", pipeline.execute())
    return [
        _OfRun(name.removeprefix(keys.run("")), thread.decode("utf-8", "replace"), lone == b"1")
        for name, (thread, lone) in zip(runs, threads, strict=True)
        if thread is not None
    ]


def _thread_id(connection: Redis, keys: Keys, thread: str) -> str:
    name = cast(Any, connection.hget(keys.thread(thread), "id"))
    return name.decode("utf-8", "replace") if name is not None else f"(gone: {thread})"


def _pages(scan: Iterator[bytes]) -> Iterator[list[str]]:
    page: list[str] = []
    for name in scan:
        page.append(name.decode("utf-8", "replace"))
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page
