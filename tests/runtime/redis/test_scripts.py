"""The scripts of the run protocol: each may be sent twice, and only the owner of a run writes."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

import penstock.runtime.redis.keys as keys_module
from penstock.publisher.redis.script import Call, load_all, run
from penstock.runtime import RedisSaver
from penstock.runtime.executor.app import App
from penstock.runtime.journal.endings import Ending, Finished, HandedOver, Suspended
from penstock.runtime.journal.fact import Fact
from penstock.runtime.journal.put import Put
from penstock.runtime.redis.calls import Death, Write
from penstock.runtime.redis.keys import thread_key
from penstock.runtime.redis.plans.creation import Wanted, create
from penstock.runtime.redis.replies import Claim, Lease
from tests.runtime.flows import keys
from tests.support.events import stored_events

CHUNKS = {
    include.rpartition("/")[2]
    for path in (Path(keys_module.__file__).parent / "scripts").glob("*.lua")
    for include in re.findall(r"-- include: (\S+)", path.read_text(encoding="utf-8"))
}


class Desk:
    """Sends calls over one saver's connection, each of them twice."""

    def __init__(self, saver: RedisSaver) -> None:
        self.saver = saver
        self.calls = saver.calls
        self.names = saver.calls.keys
        self.redis = saver.connection

    def twice(self, call: Call) -> Any:
        first, again = run(self.redis, call), run(self.redis, call)
        assert again == first
        return first

    def create(self, run_id: str = "r", thread: str = "t", **wanted: Any) -> Any:
        what = Wanted("main", wanted.pop("argument", 1), thread_id=thread, run_id=run_id, **wanted)
        return run(
            self.redis, self.calls.enqueue(create(what, self.saver.settings, self.saver.codec))
        )

    def claim(self, run_id: str = "r", nonce: str = "n", lease: float = 8) -> Claim | str:
        return self.calls.acquired(run(self.redis, self.calls.acquire(run_id, "w", nonce, lease)))

    def claimed(self, run_id: str = "r", nonce: str = "n", lease: float = 8) -> Claim:
        claim = self.claim(run_id, nonce, lease)
        assert isinstance(claim, Claim)
        return claim

    def write(self, lease: Lease, write: Write) -> str:
        return self.calls.word(run(self.redis, self.calls.write(lease, write, 0)))

    def status(self, run_id: str = "r") -> str:
        value: Any = self.redis.hget(self.names.run(run_id), "status")
        return str(value.decode())

    def modes(self, run_id: str = "r") -> list[str]:
        stored = stored_events(self.redis, self.names.events(run_id))
        return [json.loads(text)["mode"] for _, text in stored]

    def seqs(self) -> list[int]:
        return [seq for seq, _ in stored_events(self.redis, self.names.events("r"))]

    def recorded(self, run_id: str = "r") -> dict[str, str]:
        found: Any = self.redis.hgetall(self.names.checkpoints(run_id))
        return {name.decode(): text.decode() for name, text in found.items()}

    def resume(self, answers: dict[str, str], run_id: str = "r") -> str:
        event = '{"mode":"run.resumed","data":{},"time":0}'
        known: Any = self.redis.hget(self.names.run(run_id), "epoch")
        epoch = (known or b"").decode()
        return self.calls.word(run(self.redis, self.calls.resume(run_id, event, epoch, answers)))


@pytest.fixture
def desk(saver: RedisSaver) -> Desk:
    """A desk over each kind of saver."""
    return Desk(saver)


def said(mode: str = "custom") -> list[str]:
    return [f'{{"mode":"{mode}","data":1,"time":0}}', ""]


def ended(status: Any = "completed", **more: Any) -> Finished:
    return Finished(status, Fact("run.finished", {}, (), 0.0), **more)


def test_every_script_compiles_on_a_real_server(redis_saver: RedisSaver) -> None:
    scripts = load_all("penstock.runtime.redis.scripts")

    for script in scripts:
        if script.name in CHUNKS:
            continue
        assert redis_saver.connection.script_load(script.text) in (script.sha, script.sha.encode())


def test_an_enqueue_sent_again_finds_its_run(desk: Desk) -> None:
    assert desk.create()[0] == b"created"
    assert desk.create()[0] == b"exists"
    assert desk.create(argument=2)[0] == b"conflict"

    assert desk.modes() == ["run.queued"]
    assert desk.redis.llen(desk.names.queue("default")) == 1


def test_a_claim_sent_again_gives_the_same_and_another_process_gets_none(desk: Desk) -> None:
    desk.create()

    first, again = desk.claimed(), desk.claimed()

    assert first.lease == again.lease
    assert desk.claim(nonce="other") == "running"
    assert desk.claim("unknown") == ""


@pytest.mark.parametrize("keep", [0, 100])
def test_seqs_go_on_from_the_newest_whoever_has_spoken(desk: Desk, keep: int) -> None:
    desk.create()
    claim = desk.claimed()
    desk.redis.rpush(desk.names.events("r"), f"2 {said()[0]}")  # another has spoken
    desk.redis.hset(desk.names.run("r"), "seq", 2)
    channel: Any = desk.redis.pubsub()
    channel.subscribe(desk.names.channel("r"))
    write = Write(1, {"work:0": "1"}, said() + said("message"))

    assert run(desk.redis, desk.calls.write(claim.lease, write, keep)) == b"OK"

    assert desk.seqs() == [1, 2, 3, 4]
    assert desk.modes() == ["run.queued", "custom", "custom", "message"]
    channel.get_message(timeout=1)
    frame = channel.get_message(timeout=1)
    assert frame["data"].splitlines() == [b"3", *(text.encode() for text in write.events[::2])]


@pytest.mark.parametrize(("keep", "kept"), [(0, 341), (100, 100), (300, 341)])
def test_no_more_events_are_kept_than_asked_for_and_a_few(desk: Desk, keep: int, kept: int) -> None:
    desk.create()
    lease = desk.claimed().lease
    text = '{"mode":"custom","data":"x","time":0}'

    for number in (1, 2):
        write = Write(number, {}, [text, ""] * 170)
        run(desk.redis, desk.calls.write(lease, write, keep))

    assert desk.seqs() == list(range(342 - kept, 342))
    assert desk.claim(nonce="other") == "running"
    assert desk.claimed().seq == 341


def test_events_go_on_with_the_next_seq_where_their_list_was_lost(desk: Desk) -> None:
    desk.create()
    lease = desk.claimed().lease
    run(desk.redis, desk.calls.write(lease, Write(1, {}, said() * 15), 0))
    desk.redis.delete(desk.names.events("r"))

    run(desk.redis, desk.calls.write(lease, Write(2, {}, said() * 2), 0))
    run(desk.redis, desk.calls.write(lease, Write(3, {}, said()), 0))

    assert desk.seqs() == [17, 18, 19]


def test_a_write_sent_again_is_applied_once(desk: Desk) -> None:
    desk.create()
    lease = desk.claimed().lease
    write = Write(1, {"work:0": '{"value":1}'}, said() + said("message"))

    assert [desk.write(lease, write) for _ in range(3)] == ["OK"] * 3

    assert desk.modes() == ["run.queued", "custom", "message"]
    assert desk.recorded()["work:0"] == '{"value":1}'


@pytest.mark.parametrize(
    "ending", [None, ended(), Suspended(Fact("x", {}, (), 0), {}), HandedOver()]
)
def test_a_process_that_lost_its_lease_writes_nothing(desk: Desk, ending: Any) -> None:
    desk.create()
    old = desk.claimed(lease=0.001).lease
    time.sleep(0.005)
    run(desk.redis, desk.calls.recover(3, 60))
    new = desk.claimed(nonce="new").lease
    before = (desk.modes(), desk.recorded())

    assert desk.write(old, Write(1, {"work:0": "1"}, said(), ending)) == "FENCED"
    assert (desk.modes(), desk.recorded()) == before
    assert desk.status() == "running"
    assert desk.write(new, Write(1, {"work:0": "2"}, [])) == "OK"


def test_what_is_stored_of_a_graph_is_stored_with_a_write_and_in_order(desk: Desk) -> None:
    desk.create()
    puts = [
        Put("set", "t:s", b"p 1", b"first"),
        Put("need", "t:s", b"p 1"),
        Put("set", "t:s", b"p 1", b"second"),
        Put("new", "t:s", b"w 1", b"kept"),
        Put("new", "t:s", b"w 1", b"too late"),
        Put("line", "t:s", b"names", b"one"),
        Put("line", "t:s", b"names", b"two words"),
        Put("line", "t:s", b"names", b"one"),
        Put("set", "t:s", b"gone", b"x"),
        Put("drop", "t:s", b"gone"),
        Put("order", "t:s:order", b"b"),
        Put("order", "t:s:order", b"a"),
    ]
    write = Write(1, {"point": "1"}, said(), puts=puts)

    assert [desk.write(desk.claimed().lease, write), desk.modes()[-1]] == ["OK", "custom"]

    stored: Any = desk.redis.hgetall(desk.names.graph("t:s"))
    assert stored == {b"p 1": b"second", b"w 1": b"kept", b"names": b"one\ntwo words\n"}
    order: Any = desk.redis.zrange(desk.names.graph("t:s:order"), 0, -1)
    assert order == [b"a", b"b"]
    assert desk.recorded() == {"input": "1", "point": "1"}


def test_a_write_that_continues_what_is_gone_loses_the_run(desk: Desk) -> None:
    desk.create()
    lease = desk.claimed().lease
    puts = [Put("set", "t:s", b"v 2", b"x"), Put("need", "t:s", b"v 1")]

    assert desk.write(lease, Write(1, {"point": "1"}, said(), puts=puts)) == "FENCED"

    assert not desk.redis.exists(desk.names.graph("t:s"))
    assert desk.recorded() == {"input": "1"}
    desk.redis.hset(desk.names.graph("t:s"), "v 1", "there")
    assert desk.write(lease, Write(1, {"point": "1"}, said(), ended(), puts=puts)) == "OK"
    assert desk.status() == "completed"


def test_a_process_that_lost_its_lease_stores_nothing_of_a_graph(desk: Desk) -> None:
    desk.create()
    old = desk.claimed(lease=0.001).lease
    time.sleep(0.005)
    run(desk.redis, desk.calls.recover(3, 60))

    write = Write(1, puts=[Put("set", "t:s", b"p 1", b"x")])
    assert desk.write(old, write) == "FENCED"

    assert not desk.redis.exists(desk.names.graph("t:s"))


def test_what_is_stored_of_a_graph_is_progress(desk: Desk) -> None:
    desk.create()
    desk.redis.hset(desk.names.run("r"), mapping={"crashes": 2, "deaths": 2})
    lease = desk.claimed().lease

    desk.write(lease, Write(1, {"accepted": ""}))
    assert desk.redis.hget(desk.names.run("r"), "crashes") == b"2"
    desk.write(lease, Write(2, puts=[Put("set", "t:s", b"p 1", b"x")]))

    assert desk.redis.hget(desk.names.run("r"), "crashes") == b"0"


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_an_ending_sent_again_ends_the_run_once(desk: Desk, status: str) -> None:
    desk.create("r")
    desk.create("next")
    lease = desk.claimed().lease
    write = Write(1, {"result": '{"value":6}', "saved": "5"}, said("run.finished"), ended(status))

    assert [desk.write(lease, write) for _ in range(2)] == ["OK", "OK"]

    assert desk.status() == status
    assert desk.modes().count("run.finished") == 1
    following: Any = desk.redis.hget(desk.names.thread(thread_key("t")), "run")
    assert following == b"next"
    saved: Any = desk.redis.hget(desk.names.thread(thread_key("t")), "saved")
    assert saved == (b"5" if status == "completed" else None)


def test_nothing_is_written_after_the_end(desk: Desk) -> None:
    desk.create()
    lease = desk.claimed().lease
    desk.write(lease, Write(1, {}, said("run.finished"), ended()))

    assert desk.write(lease, Write(2, {"late:0": "1"}, said())) == "FENCED"
    assert desk.modes()[-1] == "run.finished"
    assert "late:0" not in desk.recorded()


def test_an_ending_reopens_the_steps_that_failed_it(desk: Desk) -> None:
    desk.create()
    lease = desk.claimed().lease
    desk.write(lease, Write(1, {"good:0": "1", "bad:0": "2"}, []))
    desk.write(lease, Write(2, {}, said("run.finished"), ended("failed", reopen=("bad:0",))))

    assert "good:0" in desk.recorded()
    assert "bad:0" not in desk.recorded()


def waiting(desk: Desk, *questions: str) -> None:
    desk.create()
    suspended = Suspended(Fact("run.interrupted", {}, (), 0.0), dict.fromkeys(questions, '"?"'))
    desk.write(desk.claimed().lease, Write(1, {}, said("run.interrupted"), suspended))
    assert desk.status() == "suspended"


def test_an_answer_sent_again_is_one_answer_and_another_comes_too_late(desk: Desk) -> None:
    waiting(desk, "q")

    assert [desk.resume({"q": "1"}) for _ in range(3)] == ["queued"] * 3
    assert desk.resume({"q": "2"}) == "answered"
    assert desk.modes().count("run.resumed") == 1
    assert desk.recorded()["!q"] == "1"


def test_an_answer_that_nobody_asked_for_changes_nothing(desk: Desk) -> None:
    waiting(desk, "q")

    assert desk.resume({"other": "1"}) == "unknown"
    assert desk.resume({"q": "1", "other": "1"}) == "unknown"
    assert desk.status() == "suspended"
    assert "!q" not in desk.recorded()
    assert desk.resume({"q": "1"}, "no such run") == ""


def test_an_answer_to_one_of_two_questions_leaves_the_other_open(desk: Desk) -> None:
    waiting(desk, "a", "b")

    desk.resume({"a": "1"})

    assert desk.redis.hkeys(desk.names.questions("r")) == [b"b"]


def test_answers_are_void_when_newer_input_came(desk: Desk) -> None:
    waiting(desk, "q")
    desk.create("newer")

    assert desk.resume({"q": "1"}) == "cancelled"
    assert desk.status() == "cancelled"


def test_a_run_in_process_whose_process_died_is_closed_by_new_input(desk: Desk) -> None:
    desk.create(queue="", on_busy="reject")
    desk.claimed(lease=0.001)
    assert desk.create("second", queue="", on_busy="reject")[0] == b"busy"
    time.sleep(0.005)
    run(desk.redis, desk.calls.recover(3, 60))

    assert desk.create("second", queue="", on_busy="reject")[0] == b"created"
    assert desk.status() == "cancelled"
    assert desk.claimed("second").lease.run_id == "second"


def test_renewing_tells_each_lease_how_it_stands(desk: Desk) -> None:
    for name in "abc":
        desk.create(name, name)
    leases = [desk.claimed(name).lease for name in "abc"]
    run(desk.redis, desk.calls.cancel("b", "asked"))
    desk.write(leases[2], Write(1, {}, said("run.finished"), ended()))

    call = desk.calls.renew(leases, 8)
    assert desk.calls.words(desk.twice(call)) == ["OK", "CANCEL", "LOST"]


def test_a_cancel_sent_again_says_the_same(desk: Desk) -> None:
    desk.create("waits")
    desk.create("works", "other")
    desk.claimed("works")

    assert desk.twice(desk.calls.cancel("waits", "x")) == b"cancelled"
    assert desk.twice(desk.calls.cancel("works", "x")) == b"running"
    assert desk.twice(desk.calls.cancel("unknown", "x")) in (b"", None)
    assert desk.modes("waits").count("run.finished") == 1


def test_a_run_handed_over_is_first_in_its_queue_and_no_try_is_counted(desk: Desk) -> None:
    desk.create("first")
    desk.create("second", "other")
    desk.redis.lpop(desk.names.queue("default"))
    lease = desk.claimed("first").lease

    assert desk.write(lease, Write(1, {"work:0": "1"}, [], HandedOver())) == "OK"

    assert desk.redis.lrange(desk.names.queue("default"), 0, -1) == [b"first", b"second"]
    claim = desk.claimed("first", "again")
    assert (claim.fields["attempt"], claim.checkpoints["work:0"]) == ("1", b"1")


def test_a_refused_enqueue_leaves_nothing(desk: Desk) -> None:
    desk.create("r", queue="", on_busy="reject")
    desk.claimed()
    before = keys(desk.saver)

    assert desk.create("second", on_busy="reject")[0] == b"busy"
    assert sorted(keys(desk.saver)) == sorted(before)


@pytest.mark.parametrize("how", ["its process died", "it was handed over"])
def test_a_run_that_its_process_left_gives_way_to_those_that_wait_for_its_thread(
    desk: Desk, how: str
) -> None:
    desk.create("left", queue="")
    lease = desk.claimed("left").lease
    desk.create("next")
    desk.create("last")

    if how == "its process died":
        desk.redis.zadd(desk.names.leases, {"left": 1}, xx=True)
        run(desk.redis, desk.calls.recover(3, 60))
    else:
        assert desk.write(lease, Write(1, ending=HandedOver())) == "CANCELLED"

    assert [desk.status(each) for each in ("left", "next", "last")] == [
        *("cancelled", "queued", "queued")
    ]
    assert desk.claim("last") == "queued"
    assert isinstance(desk.claim("next"), Claim)
    assert desk.redis.hget(desk.names.run("left"), "reason") == b"superseded"


def test_rq_has_the_job_of_a_run_in_one_registry_at_most(desk: Desk) -> None:
    def filed() -> list[str]:
        kinds = ("finished", "failed", "wip")
        return [kind for kind in kinds if desk.redis.zcard(f"{desk.names.rq}:{kind}:default")]

    desk.create()
    found = [filed()]
    endings: list[Ending] = [
        Suspended(Fact("run.interrupted", {}, (), 0.0), {"?": "1"}),
        ended("failed"),
        ended("failed"),
        ended(),
    ]
    for number, ending in enumerate(endings):
        lease = desk.claimed(nonce=str(number)).lease
        found.append(filed())
        assert desk.write(lease, Write(1, {"result": "{}"}, ending=ending)) == "OK"
        found.append(filed())
        if desk.status() != "completed":
            assert desk.resume({"?": "1"} if desk.status() == "suspended" else {}) == "queued"
            found.append(filed())

    begun, done, broken = ["wip"], ["finished"], ["failed"]
    assert found == [[], begun, done, [], begun, broken, [], begun, broken, [], begun, done]


def test_rq_files_no_run_as_finished_that_waited_and_was_cancelled(desk: Desk) -> None:
    desk.create()
    waits = Suspended(Fact("run.interrupted", {}, (), 0.0), {"?": "1"})
    desk.write(desk.claimed().lease, Write(1, ending=waits))

    run(desk.redis, desk.calls.cancel("r", "no more"))

    assert desk.redis.zcard(f"{desk.names.rq}:finished:default") == 0


def test_f65_an_index_that_was_deleted_by_hand_is_built_anew(desk: Desk) -> None:
    indexes = (desk.names.ready, desk.names.leases, desk.names.timers)
    for name in ("queued", "running", "sleeping", "asking"):
        desk.create(name, thread=name)
    desk.claimed("running")
    nap = Suspended(Fact("run.suspended", {}, (), 0.0), {}, time.time() * 1000 + 3_600_000)
    desk.write(desk.claimed("sleeping").lease, Write(1, ending=nap))
    question = Suspended(Fact("run.interrupted", {}, (), 0.0), {"?": "1"})
    desk.write(desk.claimed("asking").lease, Write(1, ending=question))
    places = [set(desk.redis.zrange(name, 0, -1)) for name in indexes]
    due = desk.redis.zscore(desk.names.timers, "sleeping")
    desk.redis.delete(*indexes)

    found = desk.calls.recovered(run(desk.redis, desk.calls.recover(3, 60)))

    assert [set(desk.redis.zrange(name, 0, -1)) for name in indexes] == places
    assert desk.redis.zscore(desk.names.timers, "sleeping") == due
    assert not (found.queued or found.requeued or found.woken)  # each has its time first


def test_a_list_gets_no_run_of_an_update_and_keeps_none_that_is_over_or_gone(desk: Desk) -> None:
    wanted = create(Wanted("main", 1, run_id="op"), desk.saver.settings, desk.saver.codec)
    fields = {**wanted.fields, "op": "update"}
    run(desk.redis, desk.calls.enqueue(dataclasses.replace(wanted, fields=fields)))
    desk.create("over")
    desk.write(desk.claimed("over").lease, Write(1, ending=Finished("completed", None)))
    desk.create("queued", thread="u")
    listed = [desk.names.open(facet) for facet in ("all", "entrypoint:main")]
    desk.redis.zadd(listed[0], {"over": 1, "gone": 1, "op": 1})
    desk.redis.zadd(listed[1], {"over": 1})

    run(desk.redis, desk.calls.recover(3, 60))

    assert set(desk.redis.zrange(listed[0], 0, -1)) == {b"queued", b"op"}
    assert desk.redis.zrange(listed[1], 0, -1) == [b"queued"]


def lapse(desk: Desk, *, death: Death | None = None) -> None:
    """Let the lease of the run end: by itself, or as somebody saw its process die."""
    if death is None:
        desk.redis.zadd(desk.names.leases, {"r": 1}, xx=True)
    run(desk.redis, desk.calls.recover(9, 60, death))


def deaths(desk: Desk) -> dict[str, str]:
    """Return what is told of the deaths of the run's processes, and how many count for what."""
    fields: Any = desk.redis.hgetall(desk.names.run("r"))
    counters = ("crashes", "alone", "deaths", "lonely", "pardoned")
    return {
        name.decode(): text.decode()
        for name, text in sorted(fields.items())
        if name.decode() in counters or name.startswith((b"death:", b"lapse:"))
    }


def counted(alone: int, of_all: int, **more: str) -> dict[str, str]:
    return {
        **{name: str(alone) for name in ("crashes", "alone")},
        **{name: str(of_all) for name in ("deaths", "lonely")},
        **more,
    }


KILLED = Death("w", "killed", ("r",))


def test_the_death_that_was_none_is_taken_back_and_not_the_one_after_it(desk: Desk) -> None:
    desk.create()
    first = desk.claimed(nonce="1").lease
    lapse(desk)
    desk.claimed(nonce="2")
    lapse(desk, death=KILLED)

    for _ in range(2):
        run(desk.redis, desk.calls.forgo([first]))

    assert deaths(desk) == counted(1, 1, **{"death:1": "killed"})


def test_each_of_two_deaths_that_were_none_is_taken_back(desk: Desk) -> None:
    desk.create()
    leases: list[Lease] = []
    for number in range(3):
        leases.append(desk.claimed(nonce=str(number)).lease)
        lapse(desk, death=KILLED if number == 1 else None)

    run(desk.redis, desk.calls.forgo([leases[0]]))
    run(desk.redis, desk.calls.forgo([leases[2]]))

    assert deaths(desk) == counted(1, 1, **{"death:1": "killed"})


def test_a_death_that_was_none_is_not_taken_off_those_after_a_recorded_step(desk: Desk) -> None:
    desk.create()
    first = desk.claimed(nonce="1").lease
    lapse(desk)
    assert desk.write(desk.claimed(nonce="2").lease, Write(1, {"work:0": "1"})) == "OK"
    lapse(desk, death=KILLED)

    run(desk.redis, desk.calls.forgo([first]))

    assert deaths(desk) == counted(1, 1, **{"death:1": "killed"})


def test_a_death_that_was_none_is_taken_off_those_pardoned(desk: Desk) -> None:
    desk.create()
    first = desk.claimed(nonce="1").lease
    lapse(desk)
    desk.write(desk.claimed(nonce="2").lease, Write(1, ending=ended("failed")))
    assert desk.resume({}) == "queued"
    desk.claimed(nonce="3")
    lapse(desk, death=KILLED)

    run(desk.redis, desk.calls.forgo([first]))

    assert deaths(desk) == counted(1, 1, pardoned="0", **{"death:1": "killed"})


def test_an_app_that_has_nothing_is_known_and_parks_what_it_meets(desk: Desk) -> None:
    desk.create()
    app = App({})
    run(desk.redis, desk.calls.announce(app, 15))

    taken = desk.calls.taken(
        run(desk.redis, desk.calls.take("w", "n", 8, 1, ("default",), app=app.digest))
    )

    assert not taken and not taken.is_unknown
    assert desk.redis.hget(desk.names.run("r"), "parked") == b"e:main"
    assert desk.redis.llen(desk.names.queue("default")) == 0


def test_an_answered_question_takes_the_schema_of_its_answer_with_it(desk: Desk) -> None:
    desk.create()
    fact = Fact("run.interrupted", {}, (), 0.0)
    asks = Suspended(fact, {"a": '"?"', "b": '"?"'}, schemas={"a": "{}", "b": "{}"})
    desk.write(desk.claimed().lease, Write(1, ending=asks))

    assert desk.resume({"a": "1"}) == "queued"

    assert sorted(desk.redis.hkeys(desk.names.questions("r"))) == [b"b", b"b/schema"]


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_take_sent_again_gives_no_run_whose_lease_has_ended(
    desk: Desk, is_cancelled: bool
) -> None:
    desk.create()
    call = desk.calls.take("w", "n", 8, 1, ("default",))
    assert len(desk.calls.taken(desk.twice(call)).claims) == 1
    if is_cancelled:
        run(desk.redis, desk.calls.cancel("r", "asked"))
    lapse(desk)

    assert desk.calls.taken(run(desk.redis, call)).claims == []
    assert desk.status() == ("cancelled" if is_cancelled else "queued")
