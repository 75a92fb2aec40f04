"""The ACL files of the documentation: what each user may, and what not, on a real server."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import rq
from langgraph_sdk import get_sync_client
from redis.exceptions import NoPermissionError
from rq.command import send_shutdown_command
from rq.suspension import resume, suspend

from penstock.publisher import subscribe
from penstock.publisher.errors import RedisUnavailableError
from penstock.publisher.redis.connection import connect
from penstock.publisher.redis.script import Script, load, load_all
from penstock.runtime import AsyncClient, Client, RedisStore
from penstock.runtime.diagnostics.doctor.permissions import ROLES, rights
from penstock.runtime.redis.keys import Keys
from penstock.runtime.settings import Settings, load_settings
from penstock.worker.webhooks.sender import Sender
from tests.faults.support import remote_flows
from tests.faults.support.gateways import QUICK as QUICK_GATEWAY
from tests.faults.support.gateways import Gateways
from tests.faults.support.workers import QUICK, Fleet
from tests.gateway.compatible import protocol_client
from tests.support.receiver import Receiver
from tests.support.server import RedisServer
from tests.support.until import until
from tests.support.webhook_flow import HERE, end
from tests.worker.commands import penstock, rows

pytestmark = pytest.mark.filterwarnings("ignore:no live worker has announced")

FILES = Path(__file__).parents[2] / "docs" / "acl"
APP_REMOTE = str(Path(remote_flows.__file__))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server with the users of the files, and one without a password who may do all."""
    users = ["user default on nopass ~* &* +@all"]
    users += [path.read_text().strip() for path in sorted(FILES.glob("*.acl"))]
    file = tmp_path / "users.acl"
    file.write_text("\n".join(users) + "\n")
    with RedisServer("--appendonly", "yes", "--aclfile", str(file)) as server:
        yield server


def url(server: RedisServer, user: str) -> str:
    return f"redis://{user}:{user}-password@127.0.0.1:{server.port}"


@pytest.fixture
def app(server: RedisServer) -> Iterator[Client]:
    with Client(url(server, "app"), settings=Settings()) as app:
        yield app


@pytest.fixture
def reader(server: RedisServer) -> Iterator[Client]:
    with Client(url(server, "reader"), settings=Settings()) as reader:
        yield reader


@pytest.fixture
def work(server: RedisServer, fleet: Fleet) -> Callable[..., Any]:
    """Start a worker as the user `worker`."""

    def work(**environ: str) -> Any:
        return fleet.start(url=url(server, "worker"), environ={**QUICK, **environ})

    return work


Work = Callable[..., Any]


# -- what they may ------------------------------------------------------------------------------


def test_an_app_enqueues_waits_answers_and_cancels(app: Client, work: Work) -> None:
    work()

    done = app.enqueue("main", {"x": 5}, thread_id="t")
    asks = app.enqueue("ask", "why?")
    until(lambda: asks.status() == "suspended", 20, "a question")
    cancelled = app.enqueue("asteps", {"steps": 100, "seconds": 1.0})
    until(lambda: cancelled.status() == "running", 20, "the run to begin")
    cancelled.cancel()
    waiting = app.enqueue("main", {"x": 1}, queue="nobody")
    waiting.cancel()

    assert done.result(20) == 10
    assert [event.data for event in done.stream("updates")][-1] == {"main": 10}
    question = asks.result(20)["__interrupt__"][0]
    asks.resume({question.id: "yes"})
    until(lambda: cancelled.status() == "cancelled", 20, "the cancellation")
    assert waiting.status() == "cancelled"
    assert len(app.runs()) == 4
    for on_busy in ("queue", "interrupt", "rollback"):
        app.enqueue("main", {"x": 1}, thread_id="busy", queue="nobody", on_busy=on_busy)


def test_a_gateway_does_all_that_is_asked_over_http(
    server: RedisServer, fleet: Fleet, work: Work
) -> None:
    work()
    gateway = Gateways(fleet).start({"PENSTOCK_REDIS": url(server, "gateway"), **QUICK_GATEWAY})
    with httpx.Client(base_url=f"{gateway.url}/api", timeout=20.0) as api:
        api.post("/runs", json={"entrypoint": "ask", "input": "why?", "run_id": "r"})
        asked = api.get("/runs/r/result").json()
        answered = api.post("/runs/r/answer", json={"answer": "so"}).status_code
        result = api.get("/runs/r/result").json()
        given = {
            "/threads/r/copy": {"target": "u"},
            "/runs/r/fork": {},
            "/runs/r/rerun": {},
            "/bulk": {"action": "cancel", "entrypoint": "main"},
        }
        done = {path: api.post(path, json=body).status_code for path, body in given.items()}
        read = {path: api.get(path).status_code for path in READ}
        changed = api.patch("/threads/t", json={"values": 1}).status_code
    sdk: Any = get_sync_client(url=gateway.url, api_key=None)
    thread = sdk.threads.create(metadata={"x": 1}, ttl=5)["thread_id"]
    sdk.threads.update(thread, metadata={"x": 2})
    sdk.threads.update_state(thread, {"y": 1})
    listed = sdk.threads.search(metadata={"x": 2}, status="idle")
    counted = sdk.threads.count(metadata={"x": 2}, status="idle")
    made = sdk.assistants.create("main", name="mine")["assistant_id"]
    sdk.assistants.update(made, name="yours")
    assistants = sdk.assistants.search(name="yours")
    sdk.store.put_item(["a"], "k", {"v": 1}, ttl=5)
    found = sdk.store.search_items(["a"])["items"]
    namespaces = sdk.store.list_namespaces()["namespaces"]
    sdk.store.delete_item(["a"], "k")
    sdk.assistants.delete(made)
    pruned = sdk.threads.prune([thread], strategy="keep_latest")["pruned_count"]
    batch = {"assistant_id": "ask", "input": "why?", "webhook": "https://example.org/in"}
    (run,) = sdk.runs.create_batch([{**batch, "thread_id": thread}])
    sdk.runs.join(thread, run["run_id"])
    first = next(sdk.threads.join_stream(thread, last_event_id="-1"))
    event = next(protocol_client.stream(gateway.url, thread))
    sdk.threads.delete(thread)
    sdk.http.client.close()

    assert (asked["status"], answered, result["status"]) == ("suspended", 202, "completed")
    assert done == dict.fromkeys(given, 202) | {"/bulk": 200, "/threads/r/copy": 201}
    assert read == dict.fromkeys(READ, 200)
    assert changed == 200
    assert ([each["values"] for each in listed], counted) == ([{"y": 1}], 1)
    assert (len(assistants), len(found), namespaces) == (1, 1, [["a"]])
    assert (pruned, first.data["run_id"]) == (1, run["run_id"])
    assert event["method"] == "lifecycle"


READ = (
    *("/runs", "/runs/r", "/runs/r/events", "/runs/r/result", "/runs?entrypoint=ask&status=failed"),
    *("/counts", "/counts?by=entrypoint", "/failures", "/threads/t", "/threads/t/history"),
    *("/queues", "/workers", "/entrypoints", "/doctor"),
)


def test_a_gateway_shows_its_dashboard(fleet: Fleet, app: Client, server: RedisServer) -> None:
    run = app.enqueue("waits", 1, thread_id="t")
    gateway = Gateways(fleet).start({"PENSTOCK_REDIS": url(server, "gateway"), **QUICK_GATEWAY})

    with httpx.Client(base_url=f"{gateway.url}/dashboard", timeout=20.0) as pages:
        for path in (
            *("/", "/runs", "/questions", "/failures", "/queues", "/threads/t"),
            *(f"/runs/{run.run_id}", f"/runs/{run.run_id}?tab=values", "/runs?q=nothing"),
        ):
            page = pages.get(path)
            assert page.status_code == 200, page.text
            assert "may not" not in page.text


def test_an_app_looks_at_threads_and_changes_them(app: Client, work: Work) -> None:
    work()
    thread = app.thread("t")
    run = app.enqueue("ask", "why?", thread_id="t")
    run.result(20)

    assert thread.state().next == ("ask",)
    thread.update(["given"])
    assert run.result(20) == ["given"]
    assert thread.fork(run, after_step="step:0").result(20)["__interrupt__"]
    thread.resume("yes").result(20)
    app.enqueue("main", {"x": 1}, config=thread.state("2").config).result(20)
    thread.expire(100)
    copy = thread.copy("u")

    assert [len(list(each.history())) for each in (thread, copy)] == [8, 8]
    copy.delete()
    thread.delete()
    assert list(thread.history()) == []
    assert app.runs() == []


def test_an_app_cancels_runs_whose_steps_are_elsewhere(
    app: Client, fleet: Fleet, server: RedisServer
) -> None:
    fleet.start(url=url(server, "worker"), app=APP_REMOTE, environ=QUICK)
    runs = [app.enqueue("one", {"number": number}) for number in range(2)]
    until(lambda: {run.status() for run in runs} == {"suspended"}, 20, "the steps to be sent")
    keys = [Keys().remote(run.run_id) for run in runs]
    performers: list[Any] = [server.client().hget(key, "far:0") for key in keys]
    away = [str(each, "ascii") for each in performers]

    app.get(away[0]).cancel()
    runs[1].cancel()

    assert [app.get(each).status() for each in away] == ["cancelled", "cancelled"]
    until(lambda: runs[0].status() == "failed", 20, "the run to notice")
    assert not server.client().exists(*keys)


def test_an_asyncio_app_may_the_same(server: RedisServer, work: Work) -> None:
    work()

    async def ask() -> Any:
        async with AsyncClient(url(server, "app"), settings=Settings()) as app:
            run = await app.enqueue("main", {"x": 5})
            return [e.data async for e in run.stream("custom")], await run.result(20)

    assert asyncio.run(ask())[1] == 10


def test_a_worker_takes_over_from_one_that_died(
    app: Client, work: Work, fleet: Fleet, server: RedisServer
) -> None:
    first = work()
    run = app.enqueue("asteps", {"steps": 6, "seconds": 0.3})
    fleet.executing(run.run_id, 2)
    first.kill()
    second = work()

    assert run.result(30) == list(range(6))
    assert run.info().crashes == 1
    second.term()
    assert second.wait(20) == 0
    assert "permission" not in second.text().lower()


def test_a_worker_runs_ordinary_jobs_and_obeys_rq(server: RedisServer, work: Work) -> None:
    worker = work()
    raw = server.client()
    queue = rq.Queue("default", connection=redis.Redis.from_url(url(server, "worker")))

    job = queue.enqueue("operator.add", 1, 2)
    until(lambda: job.get_status(refresh=True) == "finished", 20, "the job to end")
    suspend(raw)
    resume(raw)
    (name,) = [worker.name for worker in rq.Worker.all(raw)]
    send_shutdown_command(raw, name)

    assert job.return_value() == 3
    assert worker.wait(20) == 0
    assert "permission" not in worker.text().lower()


def test_an_app_counts_the_backlog_and_an_exporter_has_the_rights_of_a_worker(
    app: Client, server: RedisServer
) -> None:
    app.enqueue("main", {"x": 5}, queue="urgent")

    assert app.backlog("urgent") == 1
    told = penstock("exporter", "--once", "--redis", url(server, "worker")).stdout
    assert 'penstock_backlog{queue="urgent"} 1.0' in told


@pytest.mark.parametrize("user", ["app", "gateway"])
def test_who_enqueues_manages_webhooks_and_a_worker_sends_them(
    server: RedisServer, user: str
) -> None:
    sender = Sender(url(server, "worker"), HERE)
    with Client(url(server, user), settings=HERE) as client, Receiver() as receiver:
        client.webhooks.put("w", receiver.url)
        client.webhooks.put("w", receiver.url, events=["run.finished"])
        end(client, webhook=receiver.url + "?own")
        client.webhooks.test("w")
        sender.look()
        until(lambda: client.webhooks.get("w").delivered == 2, 10, "the deliveries")
        assert len(receiver.wait_for(3)) == 3
        assert len(client.webhooks.deliveries("w")) == 2
        client.webhooks.disable("w")
        client.webhooks.enable("w")
        fill = "for at = 1, 100000 do redis.call('XADD', KEYS[1], '*', 'a', 'b') end"
        server.client().eval(fill, 1, "penstock:hooks")
        end(client, "late")
        assert server.client().get("penstock:hooks:lost") == b"2"
        assert client.webhooks.delete("w")
    sender.close(5.0)


def test_a_worker_uses_store_and_doctor(server: RedisServer) -> None:
    store = RedisStore(url(server, "worker"), settings=Settings())
    store.put(("a",), "k", {"v": 1})

    assert [item.key for item in store.search(("a",))] == ["k"]
    assert store.list_namespaces() == [("a",)]
    found = penstock("doctor", "--redis", url(server, "worker"), "--json")
    assert found.exit_code == 0, found.output


def test_a_reader_follows_what_others_do(app: Client, reader: Client, work: Work) -> None:
    run = app.enqueue("main", {"x": 5})
    work()

    with subscribe(run.run_id, connection=reader.connection) as events:
        assert [event.mode for event in events][-1] == "run.finished"
    handle = reader.get(run.run_id)
    assert handle.result(20) == 10
    assert {"main": 10} in [event.data for event in handle.stream("updates")]


def test_a_reader_follows_all_runs_and_those_of_a_thread(server: RedisServer, work: Work) -> None:
    with (
        Client(url(server, "app"), settings=Settings(feed=1000)) as app,
        Client(url(server, "reader"), settings=Settings(feed=1000)) as reader,
    ):
        feed, words = reader.follow(), reader.thread("t").stream("updates")
        run = app.enqueue("ask", "why?", thread_id="t")
        work()
        assert [next(feed).event for _ in range(2)] == ["run.queued", "run.interrupted"]
        app.thread("t").resume("yes")

        assert [next(feed).event for _ in range(2)] == ["run.resumed", "run.finished"]
        assert {next(words).run_id for _ in range(2)} == {run.run_id}
        words.close()


def shown(server: RedisServer, user: str, *command: str) -> Any:
    """What a command prints as JSON, as a user."""
    found = penstock(*command, "--redis", url(server, user), "--json")
    assert found.exit_code == 0, found.output
    return rows(found)


def test_a_reader_is_shown_runs_as_a_worker_is(
    app: Client, work: Work, server: RedisServer
) -> None:
    asks = app.enqueue("ask", "why?", thread_id="t")
    failed = app.enqueue("broken", "no")
    done = app.enqueue("main", {"x": 5})
    running = app.enqueue("asteps", {"steps": 100, "seconds": 1.0})
    work()
    until(lambda: running.status() == "running", 20, "the run to begin")
    until(lambda: asks.status() == "suspended", 20, "a question")
    until(lambda: failed.info().finished_at and done.info().finished_at, 20, "two ends")
    behind = app.enqueue("main", {"x": 1}, thread_id="busy", queue="nobody")
    last = app.enqueue("main", {"x": 1}, thread_id="busy", queue="nobody")

    told = {
        user: {
            run.run_id: shown(server, user, "show", run.run_id)
            for run in (asks, failed, done, last)
        }
        for user in ("reader", "app", "worker")
    }

    assert told["reader"] == told["app"] == told["worker"]
    assert told["reader"][asks.run_id][0]["waits_for"] == "an answer"
    assert "its turn on thread 'busy'" in told["reader"][last.run_id][0]["waits_for"]
    assert told["reader"][failed.run_id][0]["reason"] == "ValueError: no"
    lists = [shown(server, user, "runs") for user in ("reader", "app", "worker")]
    assert lists[0] == lists[1] == lists[2]
    assert len(lists[0]) == 6
    assert "lease for" in shown(server, "reader", "show", running.run_id)[0]["waits_for"]
    (queued,) = shown(server, "reader", "show", behind.run_id)
    assert queued["waits_for"].startswith("a worker: 1st of 1 on queue 'nobody'; not allowed")
    running.cancel()


KEY = f"2026:{base64.b64encode(bytes(32)).decode()}"


@pytest.mark.parametrize("keys", ["", KEY], ids=["plain", "encrypted"])
def test_a_reader_reads_why_steps_failed(
    server: RedisServer, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    monkeypatch.setenv("PENSTOCK_ENCRYPTION_KEYS", keys)
    queues = ("default", "far")
    fleet.start(url=url(server, "worker"), app=APP_REMOTE, queues=queues, environ=QUICK)
    with Client(url(server, "app"), settings=load_settings()) as app:
        run = app.enqueue("failing", "no")
        assert run.result(20) == "survived no"

    told = [shown(server, user, "show", run.run_id)[0]["steps"] for user in ("reader", "worker")]

    assert told[0] == told[1]
    assert [(step["status"], step["error"]) for step in told[0]] == [("failed", "ValueError: no")]


@pytest.mark.parametrize("user", ["reader", "app", "worker"])
def test_each_user_follows_a_run_on_the_command_line(
    app: Client, work: Work, server: RedisServer, user: str
) -> None:
    work()
    run = app.enqueue("main", {"x": 5})

    told = shown(server, user, "tail", run.run_id, "--mode", "updates")

    assert told[-1] == {"run_id": run.run_id, "status": "completed", "result": 10}


@pytest.mark.parametrize("user", ["app", "worker"])
def test_who_may_enqueue_does_so_on_the_command_line(server: RedisServer, user: str) -> None:
    there = ("--redis", url(server, user))
    found = penstock("run", "ask", '"why?"', "--run-id", "r1", *there)
    assert found.exit_code == 0, found.output

    refused = penstock("resume", "r1", "true", *there)
    cancelled = penstock("cancel", "r1", *there)

    assert "waits for no answer: it is queued" in refused.stderr
    assert cancelled.exit_code == 0, cancelled.output
    assert shown(server, user, "show", "r1")[0]["status"] == "cancelled"


@pytest.mark.parametrize("command", [("run", "main", "1"), ("cancel", "r1")])
def test_a_reader_that_changes_something_is_told_why_not(
    app: Client, server: RedisServer, command: tuple[str, ...]
) -> None:
    app.enqueue("main", {"x": 1}, run_id="r1", queue="nobody")

    found = penstock(*command, "--redis", url(server, "reader"))

    assert found.exit_code == 1
    assert re.search(r"permissions.*penstock doctor --user app", found.stderr)
    assert "Traceback" not in found.output
    assert app.get("r1").status() == "queued"


def test_the_doctor_tells_a_reader_what_it_may_not_read_and_raises_no_alarm(
    app: Client, server: RedisServer
) -> None:
    app.enqueue("main", {"x": 1}, queue="nobody")

    found = {each["check"]: each for each in shown(server, "reader", "doctor")}

    unknown = {name for name, each in found.items() if each["level"] == "unknown"}
    assert unknown == {"server", "workers", "retention", "webhooks"}
    assert all(found[name]["message"].startswith("not allowed to read") for name in unknown)
    assert found["workers"]["message"].endswith("; runs: 1 queued")
    assert {each["level"] for name, each in found.items() if name not in unknown} == {"ok"}


def test_the_doctor_tells_a_reader_of_what_it_sees(app: Client, server: RedisServer) -> None:
    run = app.enqueue("main", {"x": 1}, queue="nobody")
    server.client().delete("rq:queue:nobody")
    server.client().zadd("penstock:leases", {"r": 1})

    found = penstock("doctor", "--redis", url(server, "reader"), "--json")

    levels = {each["check"]: (each["level"], each["message"]) for each in rows(found)}
    assert found.exit_code == 2
    assert levels["orphans"] == ("problem", f"1 queued run without a ticket: {run.run_id}")
    assert levels["leases"][0] == "problem"


def test_the_doctor_goes_on_where_the_lists_of_runs_may_not_be_read(server: RedisServer) -> None:
    server.client().execute_command("ACL", "SETUSER", "reader", "-zinter")

    found = {each["check"]: each for each in shown(server, "reader", "doctor")}

    assert found["encryption"]["level"] == "unknown"
    assert found["encryption"]["message"] == "not allowed to read the newest runs"
    assert "runs:" not in found["workers"]["message"]
    assert found["leases"]["level"] == "ok"


def test_the_doctor_mends_nothing_for_a_reader_and_says_so(
    app: Client, server: RedisServer
) -> None:
    app.enqueue("main", {"x": 1}, queue="nobody")

    found = penstock("doctor", "--fix", "--redis", url(server, "reader"), "--json")

    (finding,) = rows(found)
    assert found.exit_code == 2
    assert (finding["check"], finding["means"]) == ("rights", "Nothing was fixed.")
    assert "nothing to queue again" not in found.output


# -- what they may not --------------------------------------------------------------------------

RUN = "penstock:run:r"
ADMIN = [("FLUSHALL",), ("CONFIG", "GET", "save"), ("KEYS", "*"), ("ACL", "LIST"), ("SHUTDOWN",)]
CLAIM = [("HINCRBY", RUN, "epoch", "1"), ("BLPOP", "rq:queue:default", "1")]
ENQUEUE = [
    ("HSET", RUN, "status", "queued"),
    ("RPUSH", "rq:queue:default", "r"),
    ("EVAL", "return 1", "0"),
    ("RPUSH", "penstock:events:r", "1 {}"),
]
FOREIGN = [("GET", "other"), ("HGETALL", "other:run:r"), ("LRANGE", "other:events:r", "0", "-1")]
STORE = [("HGETALL", "penstock:store:items:x"), ("HGETALL", "penstock:cache:x")]
OF_RQ = [("HGETALL", "rq:worker:w"), ("HGETALL", "rq:job:r"), ("SMEMBERS", "rq:workers")]


@pytest.mark.parametrize(
    ("user", "command"),
    [("app", command) for command in [*ADMIN, *CLAIM, *FOREIGN, *STORE]]
    + [("app", ("PUBLISH", "rq:pubsub:w", "{}")), ("app", ("DEL", RUN))]
    + [("app", ("HSET", "rq:worker:w", "name", "w"))]
    + [("worker", command) for command in [*ADMIN, *FOREIGN, ("SCRIPT", "FLUSH")]]
    + [("worker", ("PUBLISH", "other:channel:r", "x"))]
    + [("reader", command) for command in [*ADMIN, *CLAIM, *ENQUEUE, *FOREIGN, *STORE]]
    + [("reader", ("PUBLISH", "penstock:channel:r", "x")), ("reader", ("SCAN", "0"))]
    + [("reader", command) for command in [*OF_RQ, ("INFO",), ("LREM", "rq:queue:q", "0", "r")]],
    ids=lambda value: value if isinstance(value, str) else " ".join(map(str, value)),
)
def test_a_user_is_denied_what_is_not_its_own(
    server: RedisServer, user: str, command: tuple[str, ...]
) -> None:
    with connect(url(server, user)) as connection, pytest.raises(NoPermissionError):
        connection.execute_command(*command)


@pytest.mark.parametrize("channel", ["penstock:control", "rq:pubsub:w", "other:channel:r"])
def test_a_reader_hears_runs_only(server: RedisServer, channel: str) -> None:
    with connect(url(server, "reader")) as connection, connection.pubsub() as pubsub:
        pubsub.subscribe(channel)
        with pytest.raises(NoPermissionError):
            pubsub.get_message(timeout=5)


def test_a_reader_that_enqueues_is_told_why_not(reader: Client) -> None:
    with pytest.raises(RedisUnavailableError, match=r"permissions.*penstock doctor --user app"):
        reader.enqueue("main", {"x": 1})


# -- who looks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("role", sorted(ROLES))
def test_the_doctor_finds_each_user_able(server: RedisServer, role: str) -> None:
    before = server.client().dbsize()

    found = penstock("doctor", "--user", role, "--redis", url(server, role), "--json")

    assert found.exit_code == 0, found.output
    (finding,) = rows(found)
    assert finding["message"] == f"Redis user {role!r} has the rights of role {role!r}"
    assert server.client().dbsize() == before


@pytest.mark.parametrize("role", sorted(ROLES))
@pytest.mark.parametrize("user", ["reader", "nobody"])
def test_the_fix_that_the_doctor_names_is_one(server: RedisServer, role: str, user: str) -> None:
    admin = server.client()
    admin.execute_command("ACL", "SETUSER", "nobody", "on", ">nobody-password", "resetchannels")

    found = penstock("doctor", "--user", role, "--redis", url(server, user), "--json")
    (finding,) = rows(found)
    if (user, role) == ("reader", "reader"):
        assert finding["level"] == "ok"
        return
    assert found.exit_code == 2
    command, _, _ = finding["fix"].partition(",")
    admin.execute_command(*command[command.index("ACL") :].split())

    with connect(url(server, user)) as connection:
        assert rights(connection, Keys(), role).missing == []


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ("-hincrby", "+hincrby"),
        ("-time", "+time"),
        ("-subscribe", "+subscribe"),
        ("-watch", "+watch"),
    ],
)
def test_f74_each_right_that_is_missing_is_named(
    server: RedisServer, change: str, missing: str
) -> None:
    server.client().execute_command("ACL", "SETUSER", "worker", change)

    with connect(url(server, "worker")) as connection:
        assert rights(connection, Keys(), "worker").missing == [missing]


def test_f74_a_worker_that_lacks_rights_says_so_in_one_sentence(
    server: RedisServer, fleet: Fleet
) -> None:
    server.client().execute_command("ACL", "SETUSER", "worker", "-zadd", "resetchannels")

    result = penstock("worker", "tests/faults/support/flows.py", "--redis", url(server, "worker"))

    assert result.exit_code == 1
    assert result.stderr.strip() == (
        "error: Redis user 'worker' lacks rights of role 'worker': "
        "ACL SETUSER worker +zadd &penstock:* &rq:pubsub:*"
    )


# -- the lists themselves -----------------------------------------------------------------------

_COMMAND = re.compile(r"redis\.call\((?:front and )?'([A-Z]+)'(?: or '([A-Z]+)')?|\{ '(HSET)'")


def commands(*scripts: Script) -> set[str]:
    found = {
        word for script in scripts for words in _COMMAND.findall(script.text) for word in words
    }
    return {word.lower() for word in found if word}


def test_a_worker_has_the_commands_of_all_scripts() -> None:
    packages = ("publisher", "runtime.redis.scripts", "runtime.store")
    scripts = [script for name in packages for script in load_all(f"penstock.{name}")]

    assert commands(*scripts) - set(ROLES["worker"].commands.split()) == set()


def test_an_app_has_the_commands_of_its_scripts() -> None:
    scripts = [
        load("penstock.runtime.redis.scripts", name)
        for name in (
            *("enqueue", "cancel", "resume", "wake", "bulk"),
            *("state", "update", "fork", "copy", "expire", "delete", "thread_runs", "trim"),
        )
    ]
    of_executions = {"del"}  # which an app's calls never come to

    assert commands(*scripts) - set(ROLES["app"].commands.split()) == of_executions
