"""What a worker and a command do about a Redis that cannot be worked with, or not yet."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from penstock.publisher.redis.connection import connect
from penstock.runtime import Client
from tests.support.server import RedisServer
from tests.support.until import until
from tests.worker.commands import FLOWS, environment, penstock, program, refused, rows

pytestmark = pytest.mark.filterwarnings(
    "ignore::penstock.runtime.redis.plans.requests.UnannouncedEntrypointWarning"
)

Start = Callable[..., RedisServer]

KEYS = 40_000
CLUSTER = (
    "it runs in cluster mode, where the keys of a run would not be together: give the URL of a "
    "Redis with `cluster-enabled no`; replicas and Sentinel are fine"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flows.py").write_text(FLOWS)
    return tmp_path


def start_worker(folder: Path, url: str, *options: str) -> tuple[subprocess.Popen[bytes], Path]:
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            program("worker", "flows.py", *options),
            cwd=folder,
            env=environment(url),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    return process, log


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_worker_waits_for_a_redis_that_reads_its_data(
    folder: Path, start_redis: Start, processes: str
) -> None:
    server = start_redis("--appendonly", "yes", "--key-load-delay", "100")
    with server.client().pipeline(transaction=False) as pipeline:
        for number in range(KEYS):
            pipeline.set(f"x:{number}", "y")
        pipeline.execute()
    server.stop()
    started, over = threading.Event(), threading.Event()

    def start() -> None:
        server.start()
        started.set()
        over.wait()  # a server ends with the thread that has started it

    threading.Thread(target=start, daemon=True).start()
    until(lambda: "is loading" in said_of(server))

    worker, log = start_worker(folder, server.url, "--processes", processes)
    try:
        until(lambda: "waiting for Redis" in log.read_text())
        assert "it is reading its data from disk" in log.read_text()
        said = refused(penstock("runs", url=server.url))
        assert started.wait(30)
        until(lambda: log.read_text().count("runs at once") == int(processes))
        with Client(server.url) as client:
            assert client.enqueue("main", {"x": 5}).result(20) == 10
    finally:
        worker.kill()
        worker.wait()
        server.stop()
        over.set()

    assert "redis-cli ping` answers PONG" in said
    assert log.read_text().count("waiting for Redis") < 5


def said_of(server: RedisServer) -> str:
    with connect(server.url) as connection:
        try:
            connection.ping()
        except redis.RedisError as error:
            return str(error)
    return ""


def test_a_worker_waits_for_a_redis_whose_connections_are_all_in_use(
    folder: Path, start_redis: Start
) -> None:
    server = start_redis()
    raw = server.client()
    raw.config_set("maxclients", 1)

    worker, log = start_worker(folder, server.url)
    try:
        until(lambda: "waiting for Redis" in log.read_text())
        raw.config_set("maxclients", 1000)
        until(lambda: "runs at once" in log.read_text())
    finally:
        worker.kill()
        worker.wait()

    assert "raise `maxclients`" in log.read_text()


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize(
    ("password", "login", "path", "says"),
    [
        ("p", "", "", "it requires a password"),
        ("p", ":q@", "", "check user and password"),
        ("", ":p@", "", "it has no password"),
        ("", "", "/99", "it has no such database"),
        (None, "", "", f"error: Redis cannot be used: {CLUSTER}."),
    ],
)
def test_a_worker_says_in_one_sentence_what_is_wrong_for_good(
    folder: Path,
    start_redis: Start,
    password: str | None,
    login: str,
    path: str,
    says: str,
    processes: str,
) -> None:
    server = start_redis(*(() if password is not None else ("--cluster-enabled", "yes")))
    if password:
        server.client().config_set("requirepass", password)
    url = f"redis://{login}127.0.0.1:{server.port}{path}"

    worker, log = start_worker(folder, url, "--processes", processes)

    assert worker.wait(20) == 1
    (line,) = log.read_text().splitlines()
    assert line.startswith("error: ")
    assert says in line


@pytest.mark.parametrize("command", [("runs",), ("show", "r"), ("run", "main", "1"), ("du",)])
def test_each_command_says_what_is_wrong(start_redis: Start, command: tuple[str, ...]) -> None:
    server = start_redis()
    server.client().config_set("requirepass", "p")

    assert "it requires a password" in refused(penstock(*command, url=server.url))


def test_doctor_says_what_is_wrong(start_redis: Start) -> None:
    server = start_redis()
    server.client().config_set("requirepass", "p")

    result = penstock("doctor", url=server.url)

    assert result.exit_code == 2
    assert "it requires a password" in " ".join(result.stdout.split())


@pytest.mark.parametrize("options", [(), ("--fix",)])
def test_doctor_says_the_same_of_a_cluster(start_redis: Start, options: tuple[str, ...]) -> None:
    server = start_redis("--cluster-enabled", "yes")

    result = penstock("doctor", "--json", *options, url=server.url)

    (finding,) = rows(result)
    assert result.exit_code == 2
    assert finding["message"].endswith("in cluster mode")
    assert finding["fix"] == CLUSTER


def test_a_worker_goes_on_once_its_password_is_right_again(
    folder: Path, start_redis: Start
) -> None:
    server = start_redis()
    raw = server.client()
    worker, log = start_worker(folder, server.url)
    try:
        until(lambda: "runs at once" in log.read_text())
        raw.config_set("requirepass", "changed")
        raw.execute_command("AUTH", "changed")
        raw.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        until(lambda: "it requires a password" in log.read_text())
        raw.config_set("requirepass", "")

        with Client(server.url) as client:
            assert client.enqueue("main", {"x": 5}).result(20) == 10
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()


def test_a_worker_names_misspelt_settings_as_it_starts(folder: Path, redis_url: str) -> None:
    environ = environment(redis_url) | {"PENSTOCK_PATIENSE": "5", "PENSTOCK_LEASE": ""}

    done = subprocess.run(
        program("worker", "flows.py", "--burst"),
        cwd=folder,
        env=environ | {"RQ_KEY_PREFIX": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "PENSTOCK_" in line]
    assert line.endswith("PENSTOCK_PATIENSE is not a setting; did you mean PENSTOCK_PATIENCE?")
    assert "warning" in line


def test_commands_name_misspelt_settings(folder: Path, redis_url: str) -> None:
    for command in (["runs"], ["du"], ["doctor"]):
        done = subprocess.run(
            program(*command),
            cwd=folder,
            env=environment(redis_url) | {"PENSTOCK_PREFFIX": "x"},
            capture_output=True,
            text=True,
            timeout=60,
        )

        (line,) = [line for line in done.stderr.splitlines() if "PREFFIX" in line]
        assert line == "note: PENSTOCK_PREFFIX is not a setting; did you mean PENSTOCK_PREFIX?"


@pytest.mark.parametrize("command", [("runs",), ("worker", "flows.py")])
def test_misspelt_settings_are_named_also_where_an_error_follows(
    folder: Path, redis_url: str, command: tuple[str, ...]
) -> None:
    done = subprocess.run(
        program(*command),
        cwd=folder,
        env=environment(redis_url) | {"PENSTOCK_PREFFIX": "x", "PENSTOCK_LEASE": "soon"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    warning, error = done.stderr.splitlines()
    assert "PENSTOCK_PREFFIX is not a setting; did you mean PENSTOCK_PREFIX?" in warning
    assert error.startswith("error: ")
