"""Scripts and names: each key is named once, and each script says which keys it reaches."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from penstock.langgraph.redis import keys
from penstock.langgraph.redis.calls import SCRIPTS, GraphCalls
from penstock.langgraph.redis.keys import GraphKeys, Space
from penstock.publisher.redis.script import load, load_all

ROOM = Path(keys.__file__).parents[1]
NAMES = sorted(script.name for script in load_all(SCRIPTS))
KINDS = {1: "graph:<thread>", 2: "graph:<thread>:<space>", 3: "graph:<thread>:<space>:order"}


def code_of(name: str) -> str:
    """Return the code of a file, and of the script that it is with what it uses of others."""
    return re.sub(r"--.*", "", text_of(name) + load(SCRIPTS, name).text)


def text_of(name: str) -> str:
    return (ROOM / "redis" / "scripts" / f"{name}.lua").read_text()


def header_of(name: str) -> str:
    lines = [line[3:] for line in text_of(name).splitlines() if line.startswith("-- ")]
    return " ".join(lines).partition("Keys: ")[2]


@pytest.mark.parametrize("name", NAMES)
def test_the_header_of_a_script_lists_the_keys_that_it_reaches(name: str) -> None:
    header = header_of(name).partition("include: ")[0].partition(";")
    reached = {int(number) for number in re.findall(r"KEYS\[(\d)\]", code_of(name))}
    listed = {int(number) for number in re.findall(r"KEYS\[(\d)\]", header[0])}

    assert listed >= reached
    if name not in ("copy", "delete"):  # whose further keys have names made of the first
        assert listed == reached
        assert all(f"KEYS[{number}] {KINDS[number]}" in header[0] for number in reached)


@pytest.mark.parametrize("name", ["copy", "delete"])
def test_a_script_over_all_spaces_makes_the_names_that_keys_have(name: str) -> None:
    names = keys.names_of(GraphKeys("p"), Space("t", "n"))
    space = Space("t", "n").digest

    assert names[1:] == (f"{names[0]}:{space}", f"{names[0]}:{space}:order")
    assert re.findall(r"KEYS\[1\] \.\. ':' \.\. space", code_of(name))
    assert re.findall(r"':order'", code_of(name))
    assert "graph:<thread>:<space>, graph:<thread>:<space>:order" in header_of(name)


def test_fields_are_named_alike_in_python_and_in_scripts() -> None:
    code = "".join(map(code_of, NAMES))

    assert keys.point_field("1") == "p 1"
    assert keys.value_field("a", "2") == "v a 2"
    assert keys.write_field("1", keys.write_name("t", -3)) == "w 1 t -3"
    for built in ("'p ' .. ", "'v ' .. channel .. ' ' .. version", "'w ' .. id .. ' ' .. name"):
        assert built in code
    assert keys.read_write_name(keys.write_name("a b\n%", 7)) == ("a b\n%", 7)


def test_key_names_are_made_in_one_file() -> None:
    offenders = [
        str(path.relative_to(ROOM))
        for path in ROOM.rglob("*.py")
        if path.name != "keys.py" and re.search(r"f\"\{[\w.]*prefix\}:", path.read_text())
    ]

    assert offenders == []


def test_every_script_is_called() -> None:
    calls = Path(GraphCalls.put.__code__.co_filename).read_text()
    called = {
        node.value
        for node in ast.walk(ast.parse(calls))
        if isinstance(node, ast.Constant) and node.value in NAMES
    }

    assert {*NAMES} - called == {"at_work", "keep", "reading"}, "which others include"


def test_the_room_of_redis_does_not_know_langgraph() -> None:
    imported = {
        name
        for path in (ROOM / "redis").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
    }

    assert "penstock.langgraph.redis.keys" in imported
    assert [name for name in imported if name.startswith(("langgraph", "langchain"))] == []


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
