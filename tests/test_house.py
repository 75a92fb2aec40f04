"""The house rules no other tool checks: layout, doors, packaging, the files around the code."""

from __future__ import annotations

import ast
import importlib
import os
import re
import runpy
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import penstock
from penstock import runtime
from penstock.publisher.codec.naming import loaded_class, name_of
from penstock.runtime.deprecation import PenstockDeprecationWarning
from penstock.worker.health.address import Address
from penstock.worker.health.http import Answer, HTTPServer

ROOT = Path(__file__).parent.parent
ROOMS = ("publisher", "runtime", "langgraph", "gateway", "worker")
_CARRIED = frozenset({".py", ".lua", ".typed", ".html", ".css", ".js", ".toml"})
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_penstock_is_a_namespace() -> None:
    assert penstock.__file__ is None


@pytest.mark.parametrize("room", ROOMS)
def test_a_door_opens_to_what_it_names(room: str) -> None:
    door = importlib.import_module(f"penstock.{room}")

    assert door.__all__
    assert len(set(door.__all__)) == len(door.__all__)
    assert [name for name in door.__all__ if not hasattr(door, name)] == []


@pytest.mark.parametrize(
    "cls",
    [
        runtime.Command,
        runtime.GraphOutput,
        runtime.Interrupt,
        runtime.Run,
        runtime.RunStatus,
        runtime.StateSnapshot,
        runtime.StateTask,
        runtime.StateUpdate,
        runtime.StepTimeoutError,
    ],
)
def test_stored_names_do_not_depend_on_files(cls: type) -> None:
    assert name_of(cls) == f"penstock.runtime.{cls.__name__}"
    assert loaded_class(name_of(cls)) is cls


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("graph", "Graph"),
        ("run", "Run"),
        ("state", "StateSnapshot"),
        ("stream_event", "StreamEvent"),
        ("writer", "StreamWriter"),
    ],
)
def test_documented_names_are_found_at_their_old_places(module: str, name: str) -> None:
    old = importlib.import_module(f"penstock.runtime.{module}")

    with pytest.warns(PenstockDeprecationWarning, match=f"import {name} from penstock.runtime"):
        assert getattr(old, name) is getattr(runtime, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = old.nothing


@pytest.mark.parametrize("room", ROOMS)
def test_nobody_inside_comes_through_a_door(room: str) -> None:
    doors = {f"penstock.{room}" for room in ROOMS}
    offenders = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module in doors
    ]

    assert offenders == []


@pytest.mark.parametrize("room", ROOMS)
def test_the_folders_of_tests_are_those_of_the_code(room: str) -> None:
    code, tests = ROOT / room / "penstock" / room, ROOT / "tests" / room
    tested = {path.parent.relative_to(tests) for path in tests.rglob("*.py")}

    assert tested
    assert [str(folder) for folder in tested if not (code / folder).is_dir()] == []


@pytest.mark.parametrize("room", ROOMS)
def test_each_lua_file_opens_with_what_it_does(room: str) -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for path in (ROOT / room).rglob("*.lua")
        if not path.read_text().startswith("-- ")
    ]

    assert offenders == []


def test_wheel_and_sdist_carry_every_file_of_the_rooms(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        in_wheel = set(wheel.namelist())
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        in_sdist = {name.partition("/")[2] for name in sdist.getnames()}

    for room in ROOMS:
        kept = {path for path in _files(ROOT / room) if path.suffix in _CARRIED}
        assert {str(path.relative_to(ROOT / room)) for path in kept} <= in_wheel
        assert {str(path.relative_to(ROOT)) for path in kept} <= in_sdist
        assert f"penstock/{room}/py.typed" in in_wheel
    assert "penstock/__init__.py" not in in_wheel
    assert {"LICENSE", "README.md", "pyproject.toml"} <= in_sdist


def test_the_console_script_is_a_command() -> None:
    module, _, name = PROJECT["scripts"]["penstock"].partition(":")

    assert callable(getattr(importlib.import_module(module), name))


def test_the_changelog_tells_of_this_version() -> None:
    versions = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)

    assert versions[0] == PROJECT["version"]


def test_the_make_commands_of_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    documents = " ".join((ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md"))

    assert set(re.findall(r"(?:`|^)make ([a-z]+)", documents, re.M)) <= targets


def test_no_file_names_a_package_registry() -> None:
    hosts = re.compile(rb"index-url|pypi\.org|pythonhosted\.org|npmjs\.org|docker\.io|ghcr\.io")
    offenders = [
        str(path.relative_to(ROOT))
        for path in _files(ROOT)
        if path != Path(__file__) and hosts.search(path.read_bytes())
    ]

    assert offenders == []


def test_the_dockerfile_copies_what_is_there() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    sources = [
        source
        for line in re.findall(r"^COPY (.+) \S+$", dockerfile, re.M)
        for source in line.split()
    ]

    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{source}" for source in sources} <= set(ignored)


def test_compose_keeps_what_redis_holds() -> None:
    redis = COMPOSE["services"]["redis"]
    options = " ".join(redis["command"])

    assert "--appendonly yes" in options
    assert "--appendfsync everysec" in options
    assert redis["volumes"] == ["redis-data:/data"]


@pytest.mark.parametrize(
    ("says", "is_healthy"), [("PONG", True), ("LOADING Redis is loading the dataset", False)]
)
def test_compose_waits_for_a_redis_that_takes_commands(
    tmp_path: Path, says: str, is_healthy: bool
) -> None:
    kind, command = COMPOSE["services"]["redis"]["healthcheck"]["test"]
    client = tmp_path / "redis-cli"
    client.write_text(f"#!/bin/sh\necho {says}\n")  # and its exit status is 0 for both
    client.chmod(0o755)

    status = subprocess.run(["sh", "-c", command], env={"PATH": f"{tmp_path}:{os.defpath}"})

    assert kind == "CMD-SHELL"
    assert (status.returncode == 0) is is_healthy


def test_the_lowest_versions_of_all_that_users_install_are_tried() -> None:
    floors: dict[str, Any] = runpy.run_path(str(ROOT / ".ci" / "floors.py"))

    tried = floors["floors"](PROJECT)

    extras = {
        name: each
        for name, each in PROJECT["optional-dependencies"].items()
        if name not in ("bench", "dev")
    }
    installed = [*PROJECT["dependencies"], *(text for each in extras.values() for text in each)]
    assert len(tried) == len(set(installed))
    assert f"pydantic=={_floor_of('pydantic')}" in tried
    assert "make floors" in (ROOT / ".ci" / "run").read_text()


def _floor_of(name: str) -> str:
    (found,) = [text for text in PROJECT["dependencies"] if text.startswith(f"{name}>=")]
    return str(found.partition(">=")[2])


def test_compose_lets_workers_scale_and_drain() -> None:
    worker = COMPOSE["services"]["worker"]

    assert not {"container_name", "ports"} & worker.keys()
    assert int(worker["stop_grace_period"].removesuffix("s")) > 25
    assert worker["depends_on"]["redis"]["condition"] == "service_healthy"


def test_compose_starts_a_worker_with_options_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    program, name, *arguments = COMPOSE["services"]["worker"]["command"]
    main = importlib.import_module("penstock.worker.cli").main
    monkeypatch.chdir(ROOT / "examples")

    assert program in PROJECT["scripts"]
    assert Path(arguments[0]).is_file()
    main.get_command(click.Context(main), name).make_context(name, arguments)  # or a usage error


@pytest.mark.parametrize(("service", "port"), [("worker", 9100), ("web", 8000)])
@pytest.mark.parametrize("status", [200, 503])
def test_compose_asks_services_how_they_are(service: str, port: int, status: int) -> None:
    asked = COMPOSE["services"][service]
    kind, program, option, code = asked["healthcheck"]["test"]
    server = HTTPServer(Address("127.0.0.1", 0), lambda path: Answer(status, path))
    with ThreadPoolExecutor() as pool:
        command = [sys.executable, option, code.replace(f":{port}", f":{server.port}")]
        process = pool.submit(subprocess.run, command, capture_output=True)
        while not process.done():
            server.serve(0.05)
    server.close()

    assert (kind, program) == ("CMD", "python")
    assert (process.result().returncode == 0) is (status == 200)
    assert str(port) in asked["command"]
    assert code.endswith('/ready", timeout=3)' if service == "worker" else '/", timeout=3)')


def test_compose_starts_a_web_app_that_exists() -> None:
    program, target, *_ = COMPOSE["services"]["web"]["command"]
    module, _, name = target.partition(":")
    source = ast.parse((ROOT / "examples" / f"{module}.py").read_text())

    assert any(each.startswith(program) for each in PROJECT["optional-dependencies"]["http"])
    assert name in {
        target.id
        for node in source.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _files(directory: Path) -> Iterator[Path]:
    """The files a person wrote: no caches, no environment, no history."""
    for path in directory.iterdir():
        if path.name in {
            ".git",
            ".venv",
            "__pycache__",
            ".hypothesis",
            "dist",
        } or path.name.endswith("_cache"):
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.suffix != ".pyc":
            yield path
