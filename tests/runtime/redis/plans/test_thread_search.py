"""Threads that have a record are found by it, whatever changes them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from penstock.runtime import Client
from penstock.runtime.diagnostics.doctor.listed_threads import misplaced
from penstock.runtime.errors import ThreadExistsError, ThreadNotFoundError
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.plans import thread_search
from penstock.runtime.redis.plans.creation import Wanted
from penstock.runtime.redis.plans.requests import Plan, Reads
from penstock.runtime.redis.plans.thread_records import ThreadRecords
from penstock.runtime.redis.plans.thread_search import ThreadSearch
from penstock.runtime.redis.transport import ask as send
from penstock.runtime.settings import Settings
from penstock.runtime.types.thread_record import ThreadQuery, ThreadRecord, ThreadStatus
from tests.support.attempts import ask, end
from tests.support.requests import sent

pytestmark = [
    pytest.mark.filterwarnings("ignore:no live worker has announced"),
    pytest.mark.open_runs,
]

OLD = "old:" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
NEW = "new:" + "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="


class Threads:
    """The records of threads, as a gateway uses them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.records = ThreadRecords(client.plans.keys, client.plans.codec, client.settings)
        self.search = ThreadSearch(self.records)

    def create(self, thread_id: str, metadata: Any = None, **options: Any) -> bool:
        return self.client.do(self.records.create(thread_id, metadata or {}, **options))

    def merge(self, thread_id: str, ttl: float | None = None, **metadata: Any) -> None:
        self.client.do(self.records.merge(thread_id, metadata, ttl))

    def begin_here(self, thread_id: str) -> str:
        """Begin a run in this process, which no worker is to take; returns its id."""
        wanted = Wanted("main", 1, thread_id=thread_id, queue="", on_busy="reject")
        return self.client.do(self.client.plans.enqueue(wanted))[0]

    def get(self, thread_id: str) -> ThreadRecord:
        found = self.client.do(self.records.find(thread_id))
        assert found is not None
        return found

    def found(self, **query: Any) -> list[str]:
        walk = self.client.do(self.search.walk(ThreadQuery(**query)))
        found: list[str] = []
        while (records := self.client.do(walk.look())) is not None:
            found += [record.thread_id for record in records]
        return found

    def count(self, **query: Any) -> int:
        return self.client.do(self.search.count(ThreadQuery(**query)))


@pytest.fixture
def threads(redis_url: str) -> Iterator[Threads]:
    with Client(redis_url, settings=Settings()) as client:
        yield Threads(client)


def status(threads: Threads) -> str:
    return str(threads.get("t").status)


# -- records --------------------------------------------------------------------------------------


def test_a_thread_is_made_once(threads: Threads) -> None:
    assert threads.create("t", {"owner": "ann"})

    with pytest.raises(ThreadExistsError, match="'t'"):
        threads.create("t", {"owner": "bob"})
    assert not threads.create("t", {"owner": "bob"}, if_exists="do_nothing")
    assert threads.get("t").metadata == {"owner": "ann"}


def test_metadata_is_merged(threads: Threads) -> None:
    threads.create("t", {"owner": "ann", "n": 1})

    threads.merge("t", n=2, tags=["x", "y"])

    assert threads.get("t").metadata == {"owner": "ann", "n": 2, "tags": ["x", "y"]}
    assert threads.found(metadata={"n": 1}) == []
    assert threads.found(metadata={"n": 2, "owner": "ann"}) == ["t"]
    assert threads.found(metadata={"tags": ["y"]}) == ["t"]


def test_a_thread_that_nobody_knows_is_given_no_record(threads: Threads) -> None:
    with pytest.raises(ThreadNotFoundError):
        threads.merge("t", n=1)

    assert threads.count() == 0


def test_a_thread_of_runs_is_given_a_record_later(threads: Threads) -> None:
    threads.client.enqueue("main", 1, thread_id="t")
    with pytest.raises(ThreadExistsError):
        threads.create("t")

    assert threads.create("t", {"owner": "ann"}, if_exists="do_nothing")

    assert status(threads) == "busy"
    assert threads.found(status=ThreadStatus.BUSY) == ["t"]


# -- W17: the status changes in the scripts that change the thread --------------------------------


def test_w17_a_thread_is_busy_until_its_run_is_over(threads: Threads) -> None:
    threads.create("t")
    run = threads.client.enqueue("main", 1, thread_id="t")
    assert status(threads) == "busy"

    end(threads.client, run.run_id)

    assert status(threads) == "idle"
    assert threads.found(status=ThreadStatus.BUSY) == []


def test_w17_a_thread_whose_run_failed_is_one_of_an_error(threads: Threads) -> None:
    threads.create("t")
    run = threads.client.enqueue("main", 1, thread_id="t")

    end(threads.client, run.run_id, "failed")
    assert status(threads) == "error"
    run.resume()

    assert status(threads) == "busy"


def test_w17_a_thread_that_asks_is_interrupted_until_it_has_its_answer(threads: Threads) -> None:
    threads.create("t")
    run = threads.client.enqueue("main", 1, thread_id="t")

    ask(threads.client, run.run_id)
    assert status(threads) == "interrupted"
    run.resume({"q": 1})

    assert status(threads) == "busy"


def test_w17_a_record_that_comes_later_sees_the_question_of_a_run(threads: Threads) -> None:
    run = threads.client.enqueue("main", 1, thread_id="t")
    threads.create("t", if_exists="do_nothing")

    ask(threads.client, run.run_id)

    assert status(threads) == "interrupted"


def test_w17_a_thread_with_another_run_in_line_stays_busy(threads: Threads) -> None:
    threads.create("t")
    first = threads.client.enqueue("main", 1, thread_id="t")
    second = threads.client.enqueue("main", 2, thread_id="t")

    end(threads.client, first.run_id, "failed")
    assert status(threads) == "busy"
    end(threads.client, second.run_id)

    assert status(threads) == "idle"


def test_w17_a_cancelled_run_leaves_its_thread_interrupted_and_values_free_it(
    threads: Threads,
) -> None:
    threads.create("t")
    threads.client.enqueue("main", 1, thread_id="t").cancel()
    assert status(threads) == "interrupted"

    threads.client.thread("t").update({"x": 1})

    assert status(threads) == "idle"


def test_a_thread_that_is_deleted_is_in_no_list(threads: Threads, redis_client: Any) -> None:
    threads.create("t", {"owner": "ann"})

    threads.client.thread("t").delete()

    assert list(redis_client.scan_iter("penstock:thread*")) == []


def test_a_thread_whose_time_is_over_is_in_no_list(threads: Threads, redis_client: Any) -> None:
    threads.create("t", {"owner": "ann"}, ttl=0.05)
    threads.create("u", {"owner": "ann"})
    assert threads.count() == 2
    time.sleep(0.06)

    assert threads.count() == 1
    assert threads.found(metadata={"owner": "ann"}) == ["u"]
    assert redis_client.hkeys("penstock:threads:pairs") == [b"u"]


def test_a_thread_that_works_is_not_over_before_its_run_is(threads: Threads) -> None:
    threads.create("t", ttl=60)
    assert threads.get("t").expires_at is not None

    run = threads.client.enqueue("main", 1, thread_id="t")
    assert threads.get("t").expires_at is None
    end(threads.client, run.run_id)

    assert threads.get("t").expires_at is not None


def test_a_run_of_this_process_keeps_its_thread_busy_and_there(threads: Threads) -> None:
    threads.create("t")
    threads.begin_here("t")

    threads.merge("t", ttl=60, owner="ann")
    threads.client.do(threads.records.relist("t"))

    assert status(threads) == "busy"
    assert threads.get("t").expires_at is None


def test_a_thread_whose_run_was_cancelled_may_be_given_a_time(threads: Threads) -> None:
    threads.create("t")
    threads.client.enqueue("main", 1, thread_id="t").cancel()

    threads.merge("t", ttl=60)

    assert status(threads) == "interrupted"
    assert threads.get("t").expires_at is not None


def test_a_thread_that_asks_is_given_a_time_for_later(threads: Threads) -> None:
    threads.create("t")
    ask(threads.client, threads.client.enqueue("main", 1, thread_id="t").run_id)

    threads.merge("t", ttl=60)

    assert threads.get("t").expires_at is None
    assert threads.get("t").ttl == 60


def test_a_copy_that_has_a_record_keeps_its_own_retention(threads: Threads) -> None:
    end(threads.client, threads.client.enqueue("main", 1, thread_id="t").run_id)
    threads.create("u", ttl=60)
    threads.client.connection.zrem("penstock:threads:ending", "u")

    threads.client.thread("t").copy("u")

    assert threads.get("u").expires_at is not None
    assert 0 < threads.client.connection.pttl(f"penstock:history:{thread_key('u')}") <= 60_000


def test_a_run_with_the_id_of_a_recorded_thread_is_on_it(threads: Threads) -> None:
    threads.create("t", ttl=60)

    run = threads.client.enqueue("main", 1, run_id="t")
    assert status(threads) == "busy"
    end(threads.client, run.run_id)

    assert status(threads) == "idle"
    assert threads.get("t").run_id == "t"
    assert threads.get("t").ttl == 60


def test_a_thread_without_a_record_costs_no_command_more(
    threads: Threads, redis_client: redis.Redis
) -> None:
    def commands(thread_id: str) -> set[str]:
        redis_client.config_resetstat()
        run = threads.client.enqueue("main", 1, thread_id=thread_id)
        end(threads.client, run.run_id)
        stats: Any = redis_client.info("commandstats")
        return {name for name in stats if name == "cmdstat_pttl"}

    assert commands("t") == set()
    assert not redis_client.exists("penstock:threads")
    threads.create("u")
    assert commands("u") == {"cmdstat_pttl"}


# -- search ---------------------------------------------------------------------------------------


def test_threads_come_by_what_they_are_sorted_by(threads: Threads) -> None:
    for name in ("b", "a", "c"):
        threads.create(name)
        time.sleep(0.002)
    threads.merge("b", n=1)

    assert threads.found() == ["b", "c", "a"]
    assert threads.found(sort_by="created_at") == ["c", "a", "b"]
    assert threads.found(sort_by="thread_id", is_descending=False) == ["a", "b", "c"]
    assert threads.found(ids=["a", "none", "c"], is_descending=False) == ["a", "c"]


def test_an_element_of_an_array_is_another_value(threads: Threads) -> None:
    threads.create("t", {"a": 1})
    threads.create("u", {"a": [1]})

    for wanted, found in (({"a": 1}, ["t"]), ({"a": [1]}, ["u"])):
        assert threads.found(metadata=wanted) == found
        assert threads.count(metadata=wanted) == 1


def test_a_search_reads_only_so_many_threads(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_search, "EXAMINED", 4)
    monkeypatch.setattr(thread_search, "SMALL", 1)
    monkeypatch.setattr(thread_search, "AT_ONCE", 2)
    monkeypatch.setattr(thread_search, "COUNTED", 2)
    for number in range(9):
        threads.create(f"t{number}", {"n": number % 2, "all": True, "in": {"x": 1}})

    def read(plan: Plan[Any]) -> tuple[Any, int]:
        found, requests = sent(threads.client, plan)
        sizes = [0]
        for each in requests:
            for command in each.commands if isinstance(each, Reads) else [each]:
                if isinstance(command, tuple) and command[0] in ("ZRANGE", "ZREVRANGE"):
                    sizes.append(len(send(threads.client.connection, command)))
        return found, max(sizes)

    common = ThreadQuery(status=ThreadStatus.IDLE, metadata={"n": 0, "all": True})
    assert read(threads.search.count(common)) == (5, 2)
    nested = ThreadQuery(metadata={"in": {"x": 1}})
    assert read(threads.search.count(nested))[0] == 4
    walk, most = read(threads.search.walk(ThreadQuery(sort_by="thread_id")))
    assert most == 4
    assert [each.thread_id for each in threads.client.do(walk.look())] == ["t8", "t7"]


@pytest.mark.parametrize("limit", [0, 1000], ids=["as many threads", "as few threads"])
@pytest.mark.parametrize("seed", range(3))
def test_random_programs_find_what_an_oracle_finds(
    threads: Threads, monkeypatch: pytest.MonkeyPatch, limit: int, seed: int
) -> None:
    monkeypatch.setattr(thread_search, "SMALL", limit)
    monkeypatch.setattr(thread_search, "AT_ONCE", 3)
    monkeypatch.setattr(thread_search, "COUNTED", 3)
    program = Program(threads, random.Random(seed))

    for _ in range(40):
        program.step()
        program.check()


def test_encrypted_metadata_is_found_under_each_key(
    redis_url: str, redis_client: redis.Redis
) -> None:
    def connect(*keys: str) -> Client:
        return Client(redis_url, settings=Settings(encryption_keys=",".join(keys)))

    with connect(OLD) as old, connect(NEW, OLD) as new:
        Threads(old).create("t", {"owner": "ann"})
        Threads(new).create("u", {"owner": "ann"})
        both = Threads(new)

        assert sorted(both.found(metadata={"owner": "ann"})) == ["t", "u"]
        assert both.count(metadata={"owner": "ann"}) == 2
    raw: Any = redis_client
    for key in raw.scan_iter("penstock:thread*"):
        assert b"ann" not in raw.dump(key)


@dataclass
class Known:
    """A thread as the oracle knows it."""

    status: str = "idle"
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    run: str = ""
    asked: str = ""
    """The question that it waits with, if it does."""
    ttl: float | None = None
    is_new: bool = True
    """Whether nothing was ever on it."""

    @property
    def is_kept(self) -> bool:
        """Whether it is there for ever, or as long as its run is open."""
        return self.ttl is None or self.status == "busy" or bool(self.asked)


class Program:
    """Does things to threads at random, and remembers what must be."""

    def __init__(self, threads: Threads, chance: random.Random) -> None:
        self.threads = threads
        self.client = threads.client
        self.chance = chance
        self.known: dict[str, Known] = {}
        self.asked = 0

    def step(self) -> None:
        name = f"t{self.chance.randrange(6)}"
        known = self.known.get(name)
        if known is None:
            self.known[name] = Known(metadata=self._metadata())
            self.threads.create(name, self.known[name].metadata)
            return
        at_work: Mapping[str, Callable[[str, Known], None]] = {
            "idle": self._idle,
            "error": self._failed,
            "interrupted": self._asking,
            "busy": self._busy,
        }
        if self.chance.random() < 0.3:
            self.chance.choice([self._patch, self._patch, self._relist, self._expire])(name, known)
        else:
            at_work[known.status](name, known)

    def _metadata(self) -> dict[str, Any]:
        pick = self.chance.choice
        given: dict[str, Any] = {"n": pick([1, 2, "1", [1], [2, "1"]]), "flag": True}
        given["tags"] = pick([["x"], ["x", "y"], []])
        return {name: given[name] for name in self.chance.sample(sorted(given), 2)}

    def _patch(self, name: str, known: Known) -> None:
        more, ttl = self._metadata(), self.chance.choice([None, None, 60.0])
        known.metadata |= more
        known.ttl = known.ttl if ttl is None else ttl
        self.threads.merge(name, ttl, **more)

    def _relist(self, name: str, known: Known) -> None:
        self.client.do(self.threads.records.relist(name))

    def _expire(self, name: str, known: Known) -> None:
        known.ttl = self.chance.choice([None, 70.0])
        self.client.thread(name).expire(known.ttl)

    def _idle(self, name: str, known: Known) -> None:
        known.asked = ""
        match self.chance.choice(["delete", "here", "fork", "copy", "", "", ""]):
            case "delete":
                self.client.thread(name).delete()
                del self.known[name]
                return
            case "here":
                known.run = self.threads.begin_here(name)
            case "fork" if known.run:
                known.run = self.client.thread(name).fork(known.run).run_id
            case "copy" if known.is_new and (others := self._with_history()):
                self.client.thread(self.chance.choice(others)).copy(name)
                known.is_new = False
                return
            case _ if known.is_new and self.chance.random() < 0.5:
                known.run = self.client.enqueue("main", 1, run_id=name).run_id
            case _:
                known.run = self.client.enqueue("main", 1, thread_id=name).run_id
        known.status, known.is_new = "busy", False

    def _with_history(self) -> list[str]:
        return [name for name, known in self.known.items() if not known.is_new]

    def _busy(self, name: str, known: Known) -> None:
        match self.chance.choice(["end", "fail", "ask", "cancel"]):
            case "end":
                end(self.client, known.run)
                known.status = "idle"
            case "fail":
                end(self.client, known.run, "failed")
                known.status = "error"
            case "ask":
                self.asked += 1
                known.asked = f"q{self.asked}"
                ask(self.client, known.run, known.asked)
                known.status = "interrupted"
            case _:
                self.client.get(known.run).cancel()
                known.status = "interrupted"

    def _failed(self, name: str, known: Known) -> None:
        if self.chance.random() < 0.5:
            self.client.get(known.run).resume()
            known.status = "busy"
        else:
            self.client.thread(name).update({"x": 1})
            known.status = "idle"

    def _asking(self, name: str, known: Known) -> None:
        if self.client.get(known.run).status() == "suspended" and self.chance.random() < 0.5:
            self.client.get(known.run).resume({known.asked: 1})
            known.status, known.asked = "busy", ""
        else:
            self._idle(name, known)

    def check(self) -> None:
        wanted: list[dict[str, Any]] = [{}, {"n": 1}, {"n": "1"}, {"tags": ["x"]}, {"flag": True}]
        wanted += [{"n": 2, "tags": ["y"]}, {"tags": []}, {"flag": True, "n": 1}]
        wanted += [{"n": [1]}, {"n": ["1"]}]
        for status in (None, *ThreadStatus):
            self._check_one(status, self.chance.choice(wanted))
        kept = {name: self.threads.get(name).expires_at is None for name in self.known}
        assert kept == {name: known.is_kept for name, known in self.known.items()}
        assert misplaced(self.client.connection, self.client.plans.keys) == set()

    def _check_one(self, status: ThreadStatus | None, metadata: dict[str, Any]) -> None:
        right = {
            name
            for name, known in self.known.items()
            if status in (None, known.status) and _has(known.metadata, metadata)
        }
        by: Any = self.chance.choice(["updated_at", "created_at", "status", "thread_id"])
        found = self.threads.found(status=status, metadata=metadata, sort_by=by)
        assert sorted(found) == sorted(right), (status, metadata, by)
        assert self.threads.count(status=status, metadata=metadata) == len(right)
        if by == "thread_id":
            assert found == sorted(right, reverse=True)


def _has(whole: dict[str, Any], part: dict[str, Any]) -> bool:
    name: str
    value: Any
    for name, value in part.items():
        if name not in whole or isinstance(value, list) is not isinstance(whole[name], list):
            return False
        is_list = isinstance(value, list)
        if not (set(value) <= set(whole[name]) if is_list else value == whole[name]):
            return False
    return True
