"""`penstock worker` and `penstock dev`, as programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import redis
from langgraph.graph.message import add_messages

from penstock.langgraph import host
from penstock.langgraph.demo_agent import agent
from penstock.runtime.client.client import Client
from penstock.worker.cli.banner import sample
from penstock.worker.process.reload import Watch, source_folders
from tests.support.server import RedisServer
from tests.support.until import until
from tests.worker.commands import FLOWS, environment, penstock, program, refused, work

pytestmark = pytest.mark.filterwarnings(
    "ignore::penstock.runtime.redis.plans.requests.UnannouncedEntrypointWarning"
)


class Running:
    """A program that is running, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line

    def says(self, text: str, times: int = 1) -> None:
        until(lambda: self.said.count(text) >= times)

    def end(self, signum: int) -> int:
        self.process.send_signal(signum)
        return self.process.wait(20)

    def close(self) -> None:
        """Kill it with its children, who write to the same pipe, before the pipe is closed."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self._reader.join(20)


@contextmanager
def running(folder: Path, url: str, *arguments: str) -> Generator[Running]:
    with subprocess.Popen(
        program(*arguments),
        cwd=folder,
        env=environment(url),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        program_that_runs = Running(process)
        try:
            yield program_that_runs
        finally:
            program_that_runs.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flows.py").write_text(FLOWS)
    return tmp_path


# -- worker -------------------------------------------------------------------------------------


def test_a_worker_in_a_burst_executes_what_there_is_and_ends(redis_url: str, folder: Path) -> None:
    with Client(redis_url) as client:
        run = client.enqueue("main", {"x": 5})

        done = work(folder, redis_url)

        assert done.returncode == 0, done.stderr
        assert run.result(1) == 10
    (line,) = [line for line in done.stderr.splitlines() if run.run_id in line]
    assert "completed" in line
    assert "rq" not in done.stderr


@pytest.mark.open_runs
def test_a_worker_in_a_burst_names_a_run_whose_keys_are_spoilt(
    redis_url: str, redis_client: redis.Redis, folder: Path
) -> None:
    with Client(redis_url) as client:
        run_id = client.enqueue("main", {"x": 5}).run_id
    redis_client.hset(f"penstock:run:{run_id}", "crashes", "many")

    done = work(folder, redis_url)

    assert f"run {run_id} cannot be taken, its keys are corrupt" in done.stderr
    assert done.returncode == 0


def test_a_worker_logs_json_with_run_and_thread(redis_url: str, folder: Path) -> None:
    with Client(redis_url) as client:
        run = client.enqueue("main", {"x": 5})

        done = work(folder, redis_url, "--log-json")

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    (told,) = [line for line in lines if line.get("run_id") == run.run_id]
    assert told["thread_id"] == run.thread_id
    assert {"time", "level", "logger", "message"} <= set(told)


def test_a_worker_serves_the_queues_it_is_given(redis_url: str, folder: Path) -> None:
    with Client(redis_url) as client:
        served = client.enqueue("main", {"x": 5}, queue="gpu")
        left = client.enqueue("main", {"x": 5}, queue="default")

        work(folder, redis_url, "-q", "gpu", "-q", "other")

        assert served.status() == "completed"
        assert left.cancel() == "cancelled"


def test_a_worker_finds_its_app_in_the_settings(redis_url: str, folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.penstock]\napp = ["flows.py"]\n')
    with Client(redis_url) as client:
        run = client.enqueue("main", {"x": 5})
        for environ in ({}, {"PENSTOCK_APP": "flows.py"}):
            subprocess.run(
                program("worker", "--burst"),
                cwd=folder,
                env=environment(redis_url) | environ,
                check=True,
                capture_output=True,
            )

        assert run.result(1) == 10


def test_sigterm_drains_a_worker(redis_url: str, folder: Path) -> None:
    with Client(redis_url) as client, running(folder, redis_url, "worker", "flows.py") as worker:
        worker.says("takes 50 runs at once")
        assert client.enqueue("main", {"x": 5}).result(20) == 10

        assert worker.end(signal.SIGTERM) == 0

    assert "Traceback" not in worker.said


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (None, "there is no file 'app.py'"),
        ("x = (", "SyntaxError"),
        ("import nothing_like_it", "No module named 'nothing_like_it'"),
        ("1 / 0", "ZeroDivisionError"),
        ("x = 1", "defines no entrypoint"),
    ],
)
def test_an_app_that_cannot_be_used_is_told_in_a_sentence(
    source: str | None, says: str, redis_url: str, tmp_path: Path
) -> None:
    if source is not None:
        (tmp_path / "app.py").write_text(source)

    done = subprocess.run(
        program("worker", "app.py"),
        cwd=tmp_path,
        env=environment(redis_url),
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_worker_needs_an_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert "no app given" in refused(penstock("worker"))
    assert "no app given" in refused(penstock("dev"))


def test_a_worker_without_redis_says_so(folder: Path) -> None:
    for more in ((), ("--processes", "2")):
        done = subprocess.run(
            program("worker", "flows.py", *more),
            cwd=folder,
            env=environment("redis://127.0.0.1:1"),
            capture_output=True,
            text=True,
            timeout=30,
        )

        assert done.returncode == 1
        assert "127.0.0.1:1" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--concurrency", "0"),
        ("--processes", "0"),
        ("--grace", "-1"),
        ("--name", "w", "--processes", "2"),
    ],
)
def test_wrong_options_are_usage_errors(options: tuple[str, ...]) -> None:
    assert penstock("worker", "flows.py", *options).exit_code == 2


# -- dev ----------------------------------------------------------------------------------------


def url_of(dev: Running) -> str:
    dev.says("Redis ")
    return dev.said.split("Redis", 1)[1].split()[0]


def pages_of(dev: Running) -> str:
    return dev.said.split("Pages", 1)[1].split()[0]


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5.0).status_code == 200
    except httpx.TransportError:
        return False


def test_dev_says_what_it_found_and_the_line_it_says_to_try_works(folder: Path) -> None:
    with running(folder, "redis://127.0.0.1:1", "dev", "flows.py") as dev:
        dev.says("takes 50 runs at once")
        url = url_of(dev)
        (line,) = [line for line in dev.said.splitlines() if "penstock run" in line]
        pages = pages_of(dev)
        until(lambda: answers(pages))

        result = penstock("run", "main", '{"x": 5}', "--follow", "--redis", url)
        status = dev.end(signal.SIGINT)

    assert "Doubles x." in dev.said
    assert line.strip() == f"penstock run main '{{}}' --follow --redis {url}"
    assert result.stdout.splitlines()[-1] == "completed  10"
    assert status == 0
    assert dev.said.endswith("Stopped.\n")
    assert "Traceback" not in dev.said
    assert not answers(pages)
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(url, retry=None).ping()


def test_dev_loads_a_file_that_changed(folder: Path, redis_url: str) -> None:
    with running(folder, redis_url, "dev", "flows.py", "--redis", redis_url, "--http", "0") as dev:
        dev.says("takes 50 runs at once")
        (folder / "flows.py").write_text(FLOWS.replace("return 2 * x", "return 20 * x"))
        dev.says("flows.py changed, reloading")
        dev.says("takes 50 runs at once", times=2)

        with Client(redis_url) as client:
            assert client.enqueue("main", {"x": 5}).result(20) == 100
        assert dev.end(signal.SIGTERM) == 0


def test_dev_waits_for_a_file_to_be_mended(folder: Path, redis_url: str) -> None:
    (folder / "flows.py").write_text("def (")
    with running(folder, redis_url, "dev", "flows.py", "--redis", redis_url, "--http", "0") as dev:
        dev.says("it starts again when a file changes")
        assert "SyntaxError" in dev.said
        assert "Traceback" not in dev.said

        (folder / "flows.py").write_text(FLOWS)
        dev.says("takes 50 runs at once")
        assert dev.end(signal.SIGINT) == 0


def test_dev_starts_a_worker_again_that_was_killed_but_not_for_ever(
    folder: Path, redis_url: str, redis_client: redis.Redis
) -> None:
    def kill() -> None:
        (name,) = until(lambda: cast("set[bytes]", redis_client.smembers("rq:workers")))
        os.kill(int(cast(bytes, redis_client.hget(name, "pid"))), signal.SIGKILL)
        redis_client.delete("rq:workers")

    with running(folder, redis_url, "dev", "flows.py", "--redis", redis_url, "--http", "0") as dev:
        dev.says("takes 50 runs at once")
        kill()
        dev.says("the worker has ended (signal SIGKILL); it starts again now")
        dev.says("takes 50 runs at once", times=2)
        with Client(redis_url) as client:
            assert client.enqueue("main", {"x": 5}).result(20) == 10
        kill()
        dev.says("the worker has ended (signal SIGKILL); it starts again when a file changes")
        assert dev.end(signal.SIGTERM) == 0


def test_dev_goes_on_with_a_run_after_a_reload(folder: Path, redis_url: str) -> None:
    with running(folder, redis_url, "dev", "flows.py", "--redis", redis_url, "--http", "0") as dev:
        dev.says("takes 50 runs at once")
        with Client(redis_url) as client:
            run = client.enqueue("nap", 1.0)
            until(lambda: run.status() == "running")
            (folder / "helper.py").write_text("x = 1")

            assert run.result(20) == 1.0
        dev.says("helper.py changed, reloading")
        assert dev.end(signal.SIGINT) == 0


def test_dev_takes_an_app_of_tasks_alone(folder: Path, redis_url: str) -> None:
    (folder / "flows.py").write_text(
        'from penstock.runtime import task\n\n@task(queue="far")\ndef far(x: int) -> int:\n'
        "    return x\n"
    )

    with running(
        folder, redis_url, "dev", "flows.py", "-q", "far", "--redis", redis_url, "--http", "0"
    ) as dev:
        dev.says("takes 50 runs at once from far")
        assert dev.end(signal.SIGINT) == 0


def test_nohup_keeps_a_dev_from_a_hangup(folder: Path, redis_url: str) -> None:
    with subprocess.Popen(
        ["nohup", *program("dev", "flows.py", "--redis", redis_url)],
        cwd=folder,
        env=environment(redis_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        dev = Running(process)
        dev.says("takes 50 runs at once")
        process.send_signal(signal.SIGHUP)
        (folder / "helper.py").write_text("x = 1")

        dev.says("helper.py changed, reloading")
        dev.says("takes 50 runs at once", 2)
        assert dev.end(signal.SIGTERM) == 0


def test_nothing_outlives_a_dev_that_is_killed(folder: Path) -> None:
    with running(folder, "redis://127.0.0.1:1", "dev", "flows.py") as dev:
        dev.says("takes 50 runs at once")
        url = url_of(dev)
        with redis.Redis.from_url(url) as client:
            server = int(client.info("server")["process_id"])
            until(lambda: client.smembers("rq:workers"))
            worker = int(client.hget(next(iter(client.smembers("rq:workers"))), "pid") or 0)
        pages = pages_of(dev)
        until(lambda: answers(pages))
        dev.process.kill()

        until(lambda: not alive(server) and not alive(worker) and not answers(pages))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_dev_keeps_data_in_a_folder_if_asked_to(folder: Path) -> None:
    run_ids: set[str] = set()
    for _ in range(2):
        with running(folder, "redis://127.0.0.1:1", "dev", "flows.py", "--data", "data") as dev:
            dev.says("takes 50 runs at once")
            url = url_of(dev)
            result = penstock("run", "main", '{"x": 5}', "--run-id", "r1", "--redis", url)
            run_ids.add(result.stdout.strip())
            with Client(url) as client:
                assert client.get("r1").result(20) == 10
                assert client.get("r1").info().attempt == 1
            assert dev.end(signal.SIGINT) == 0

    assert run_ids == {"r1"}


def test_dev_on_a_port_that_is_taken_says_so(
    folder: Path, start_redis: Callable[..., RedisServer]
) -> None:
    server = start_redis()
    with running(folder, server.url, "dev", "flows.py", "--port", str(server.port)) as dev:
        assert dev.process.wait(20) == 1
        dev.says("cannot be used")

    assert dev.said.startswith("error: ")


# -- what they are made of ----------------------------------------------------------------------


def test_a_watch_sees_files_that_are_changed_added_and_removed(tmp_path: Path) -> None:
    for name in ("a.py", "sub/b.py", ".venv/c.py", "env/pyvenv.cfg", "env/d.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    watch = Watch([tmp_path])

    assert watch.changed() == []
    for path in tmp_path.rglob("*.*"):
        if path.is_file():
            os.utime(path, (1, 1))
    assert watch.changed() == [tmp_path / "a.py", tmp_path / "sub/b.py"]
    (tmp_path / "a.py").unlink()
    (tmp_path / "sub/e.py").write_text("1")
    assert watch.changed() == [tmp_path / "a.py", tmp_path / "sub/e.py"]


def test_an_app_is_made_of_the_folders_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert source_folders(["flows.py"]) == [tmp_path]
    assert source_folders(["shop.flows"]) == [tmp_path]
    assert source_folders(["/elsewhere/flows.py", "shop.flows"]) == [Path("/elsewhere"), tmp_path]
    assert source_folders(["a/flows.py", "a/b/flows.py"]) == [tmp_path / "a"]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("int", 1),
        ("str", "text"),
        ("list[float]", [1]),
        ("dict[str, int]", {}),
        ("str | None", "text"),
        ("tuple[()]", []),
        ("Order", {"name": "text", "size": "S", "parts": [{"number": 1}]}),
        ("'NotThere'", {}),
    ],
)
def test_a_sample_fits_the_annotation(annotation: str, expected: Any) -> None:
    code = f"""
from enum import Enum
from pydantic import BaseModel
from penstock.runtime import entrypoint

class Size(Enum):
    SMALL = "S"

class Part(BaseModel):
    number: int

class Order(BaseModel):
    name: str
    size: Size
    parts: list[Part]
    note: str = ""

@entrypoint()
def main(order: {annotation}) -> None: ...
"""
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, "flows.py", "exec", dont_inherit=True), names)

    assert sample(names["main"]) == expected


def test_the_sample_for_a_graph_is_a_message_that_langchain_takes() -> None:
    given = sample(host(agent))

    assert given == {"messages": [{"role": "user", "content": "text"}]}
    assert add_messages([], given["messages"])
