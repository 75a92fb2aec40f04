"""The `penstock` command as a whole: help, version, and what it says to mistakes."""

from __future__ import annotations

import importlib.metadata
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import click
import pytest
import redis

from penstock.worker.cli import SECTIONS, main
from tests.worker.commands import penstock, program, refused

NOWHERE = "redis://127.0.0.1:1"

COMMANDS_WITH_REDIS = [
    ("run", "main", "1"),
    ("runs",),
    ("show", "r1"),
    ("tail", "r1"),
    ("resume", "r1"),
    ("cancel", "r1"),
]


def test_help_names_each_command_with_a_sentence() -> None:
    result = penstock("--help")

    assert result.exit_code == 0
    for name in ("dev", "worker", "run", "runs", "show", "tail", "resume", "cancel", "doctor"):
        assert f"\n  {name} " in result.stdout


def test_without_arguments_the_help_is_shown() -> None:
    assert "Usage: penstock" in penstock().output


@pytest.mark.parametrize("name", [name for names in SECTIONS.values() for name in names])
def test_each_command_explains_itself(name: str) -> None:
    result = penstock(name, "--help")

    assert result.exit_code == 0
    assert len(result.stdout.split("Options:")[0].splitlines()) >= 4
    assert all(len(line) <= 100 for line in result.stdout.splitlines())


def test_help_imports_neither_rich_nor_redis_nor_pydantic() -> None:
    # The door of the room may import the worker; what the command itself needs is looked at.
    code = (
        "import sys, types\n"
        "room = types.ModuleType('penstock.worker')\n"
        "import importlib.util\n"
        "room.__path__ = importlib.util.find_spec('penstock').submodule_search_locations\n"
        "room.__path__ = [p + '/worker' for p in room.__path__]\n"
        "sys.modules['penstock.worker'] = room\n"
        "from penstock.worker.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print([name for name in ('rich', 'redis', 'pydantic', 'rq') if name in sys.modules])\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_package() -> None:
    version = importlib.metadata.version("penstock")

    assert penstock("--version").stdout == f"penstock {version}\n"


def test_an_unknown_command_is_a_usage_error() -> None:
    result = penstock("runn")

    assert result.exit_code == 2
    assert "No such command 'runn'" in result.stderr


@pytest.mark.parametrize("command", COMMANDS_WITH_REDIS, ids=lambda command: command[0])
def test_without_redis_each_command_says_so_in_a_sentence(command: tuple[str, ...]) -> None:
    sentence = refused(penstock(*command, "--redis", NOWHERE))

    assert "127.0.0.1:1" in sentence
    assert "start it, or give the right URL" in sentence


@pytest.mark.parametrize("command", COMMANDS_WITH_REDIS, ids=lambda command: command[0])
@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "redis://localhost:port"])
def test_a_wrong_url_is_named_as_such(command: tuple[str, ...], url: str) -> None:
    assert "not the URL of a Redis server" in refused(penstock(*command, "--redis", url))


def test_the_wrong_password_is_named_as_such(redis_url: str) -> None:
    url = redis_url.replace("redis://", "redis://:secret@")

    sentence = refused(penstock("runs", "--redis", url))

    assert "password" in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize("name", ["show", "tail", "resume", "cancel"])
def test_an_unknown_run_is_named(name: str, redis_url: str) -> None:
    assert "no run 'r1'" in refused(penstock(name, "r1", url=redis_url))


@pytest.mark.parametrize("name", ["show", "tail", "resume", "cancel"])
@pytest.mark.parametrize("run_id", ["a b", "penstock:run:*", "", "é", "x" * 10_000])
def test_a_run_id_that_cannot_be_one_is_refused(name: str, run_id: str, redis_url: str) -> None:
    assert "use letters, digits" in refused(penstock(name, run_id, url=redis_url))


def test_a_setting_that_does_not_exist_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\ncolour = 'red'\n")
    monkeypatch.chdir(tmp_path)

    assert "'colour', which is no setting" in refused(penstock("runs"))


def test_debug_shows_where_an_error_came_from() -> None:
    done = subprocess.run(
        program("runs", "--redis", NOWHERE, "--debug"), capture_output=True, text=True
    )

    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "RedisUnavailableError" in done.stderr


def test_a_bug_keeps_its_traceback() -> None:
    with (
        patch("penstock.runtime.client.client.Client.runs", side_effect=ZeroDivisionError),
        pytest.raises(ZeroDivisionError),
    ):
        penstock("runs", "--redis", NOWHERE)


def test_a_user_interrupt_is_no_error(redis_url: str) -> None:
    with patch("penstock.runtime.client.client.Client.runs", side_effect=KeyboardInterrupt):
        result = penstock("runs", url=redis_url)

    assert result.exit_code == 130
    assert result.output == ""


def test_the_environment_names_the_redis(redis_url: str, redis_client: redis.Redis) -> None:
    assert redis_client.ping()
    assert penstock("runs", url=redis_url).exit_code == 0


def test_the_settings_file_names_the_redis(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.penstock]\nredis = '{redis_url}'\n")
    monkeypatch.chdir(tmp_path)

    assert penstock("runs").exit_code == 0


def all_commands(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """The commands of a group, and of the groups in it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from all_commands(command)
        else:
            yield name, command


def test_every_command_takes_redis_and_debug() -> None:
    for name, command in all_commands(main):
        options = {option for parameter in command.params for option in parameter.opts}
        if name != "demo":
            assert {"--redis", "--debug"} <= options, name


def test_help_is_quick() -> None:
    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()
    subprocess.run(program("--help"), capture_output=True, check=True)

    assert spent() - before < 1.0  # seconds of the processor, whatever else it does; half of it
