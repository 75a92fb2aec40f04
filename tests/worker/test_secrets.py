"""A password or a key of the settings is in no log, no repr, no command line, and not in Redis."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import rq

from penstock.runtime import Client
from penstock.runtime.errors import ConfigurationError
from penstock.runtime.settings import Settings, load_settings
from penstock.worker.process.options import WorkerOptions
from tests.faults.support.workers import QUICK, Fleet
from tests.support.contents import leaks
from tests.support.server import RedisServer
from tests.support.until import until
from tests.worker.commands import FLOWS, environment, program

PASSWORD = "swordfish"
KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def server(start_redis: Callable[..., RedisServer]) -> RedisServer:
    server = start_redis("--appendonly", "yes")
    server.client().config_set("requirepass", PASSWORD)
    return server


@pytest.fixture
def url(server: RedisServer) -> str:
    return server.url.replace("redis://", f"redis://:{PASSWORD}@")


def test_settings_are_shown_without_what_is_secret() -> None:
    settings = Settings(redis=f"redis://app:{PASSWORD}@host:1/2", encryption_keys=f"2026:{KEY}")

    shown = f"{settings!r} {settings} {WorkerOptions(('flows.py',), ('default',), settings)!r}"

    assert PASSWORD not in shown and KEY not in shown
    assert "redis='redis://app:***@host:1/2'" in shown and "encryption_keys='***'" in shown
    assert "encryption_keys=''" in repr(Settings())


def test_keys_in_a_file_of_the_project_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.penstock]\nencryption_keys = "2026:{KEY}"\n')

    with pytest.raises(ConfigurationError, match="set PENSTOCK_ENCRYPTION_KEYS") as refused:
        load_settings(environ={}, folder=tmp_path)

    assert KEY not in str(refused.value)
    given = load_settings(environ={"PENSTOCK_ENCRYPTION_KEYS": f"a:{KEY}"}, folder=tmp_path.parent)
    assert given.encryption_keys == f"a:{KEY}"


@pytest.mark.filterwarnings("ignore:no live worker has announced")
def test_a_worker_tells_no_secret_to_its_log_nor_to_redis(
    server: RedisServer, url: str, tmp_path: Path
) -> None:
    raw = server.client(password=PASSWORD)
    keys = {"PENSTOCK_ENCRYPTION_KEYS": f"2026:{KEY}"}
    fleet = Fleet(url, tmp_path)
    try:
        worker = fleet.start(environ={**QUICK, **keys}, processes=2)
        settings = Settings(redis=url, encryption_keys=keys["PENSTOCK_ENCRYPTION_KEYS"])
        with Client(settings=settings) as client:
            assert client.enqueue("main", {"x": 1}).result(20) == 2
        found = rq.Worker.all(raw)
        server.kill()
        until(lambda: "does not answer" in worker.text(), 20, "a complaint")
        server.start()
        until(lambda: raw.ping(), 20, "the server")
        worker.term()
        worker.wait(20)
    finally:
        fleet.close()

    assert len(found) == 2
    assert PASSWORD not in worker.text() and KEY not in worker.text()
    assert leaks(raw, PASSWORD) == leaks(raw, KEY) == []


def test_a_worker_that_cannot_begin_tells_no_secret(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    url = f"redis://:{PASSWORD}@127.0.0.1:1"

    done = subprocess.run(
        program("worker", "flows.py", "--debug"),
        cwd=tmp_path,
        env=environment(url) | {"PENSTOCK_ENCRYPTION_KEYS": f"2026:{KEY}"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1 and "Traceback" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr and KEY not in done.stdout + done.stderr


def test_dev_shows_no_password_and_gives_none_on_a_command_line(
    url: str, server: RedisServer, tmp_path: Path
) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    env = environment("redis://127.0.0.1:1")
    command = program("dev", "flows.py", "--redis")
    with (tmp_path / "out").open("w+") as out:
        dev = subprocess.Popen([*command, url], cwd=tmp_path, env=env, stdout=out, stderr=out)
        try:
            raw = server.client(password=PASSWORD)
            until(lambda: rq.Worker.all(raw), 20, "a worker")
            (worker,) = rq.Worker.all(raw)
            line = Path(f"/proc/{worker.pid}/cmdline").read_bytes()
        finally:
            dev.terminate()
            dev.wait(20)
        out.seek(0)
        shown = out.read()

    assert b"worker" in line and PASSWORD.encode() not in line
    assert f"redis://:***@127.0.0.1:{server.port}" in shown
    assert PASSWORD not in shown


def test_a_client_shows_no_password(url: str) -> None:
    with Client(url, settings=Settings(redis=url)) as client:
        assert PASSWORD not in repr(client) + repr(client.settings) + repr(client.codec)


def test_the_error_of_a_wrong_password_does_not_show_it(server: RedisServer) -> None:
    from penstock.publisher.errors import RedisUnavailableError

    wrong = server.url.replace("redis://", "redis://:halibut@")
    with Client(wrong, settings=Settings()) as client:
        with pytest.raises(RedisUnavailableError, match="check user and password") as refused:
            client.runs()

    assert "halibut" not in str(refused.value)


def test_the_server_of_these_tests_wants_its_password(server: RedisServer) -> None:
    with pytest.raises(redis.AuthenticationError):
        server.client().ping()
