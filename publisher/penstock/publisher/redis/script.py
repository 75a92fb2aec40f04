"""Lua scripts: loading them from files, and the two ways to run them."""

from __future__ import annotations

__all__ = ["Call", "Script", "arun", "load", "load_all", "run", "run_all"]

import functools
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from importlib.resources import files
from textwrap import indent
from typing import Any, TypeAlias, cast

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import NoScriptError, ResponseError

Argument: TypeAlias = str | bytes | int | float
Reply: TypeAlias = object

_INCLUDE = re.compile(r"^-- include: (\S+)(?: as (\w+)\(([\w, ]+)\))?$", re.MULTILINE)
_FUNCTION = re.compile(r"^(-- seldom\n)?local function (\w+)\(.*?^end\n", re.MULTILINE | re.DOTALL)
_CONSTANT = re.compile(r"^local (\w+(?:, \w+)*) = [^\n]*[^\n{(,]\n", re.MULTILINE)
_COMMENT = re.compile(r" *--.*")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script as the server gets it, chunks included, and the digest it is called by."""

    name: str
    text: str
    sha: str


@dataclass(frozen=True, slots=True)
class Call:
    """One script with its keys and arguments, without a connection."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[Argument, ...]


@functools.cache
def load(package: str, name: str) -> Script:
    """Read `<name>.lua` of a package, with each line `-- include: package/chunk` replaced.

    Redis makes each function of a script anew in every call. So functions and constants that the
    script does not use are left out; and a line `-- include: package/chunk as chunk(one, other)`
    makes a function `chunk`, which returns a table with those two functions of the chunk: they are
    made when it is called. A function below a line `-- seldom` is one that few calls of the script
    need. Functions that nothing but these need are made when such a one is called.
    """
    text = _slim(_chunk(f"{package}/{name}"))
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def load_all(package: str) -> list[Script]:
    """Read all scripts of a package."""
    names = (entry.name for entry in files(package).iterdir())
    return [load(package, name[:-4]) for name in sorted(names) if name.endswith(".lua")]


def _chunk(path: str) -> str:
    package, _, name = path.rpartition("/")
    return _INCLUDE.sub(_included, _read(package, name))


def _included(line: re.Match[str]) -> str:
    path, name, functions = line.groups()
    if name is None:
        return _chunk(path)
    exported = ", ".join(f"{each} = {each}" for each in functions.split(", "))
    body = indent(f"{_chunk(path)}\nreturn {{ {exported} }}", "  ")
    return f"-- seldom\nlocal function {name}()\n{body}\nend"


def _slim(text: str) -> str:
    """Leave out what a script does not use, and move what few calls use to where it is used."""
    found = _functions(text)
    texts = {name: each[0].removeprefix("-- seldom\n") for name, each in found.items()}
    seldom = {name for name, each in found.items() if each[1]}
    outermost = _used(_FUNCTION.sub("", text), texts, seldom)
    for name in seldom & outermost:
        inner = _used(texts[name], texts, set()) - outermost - {name}
        texts[name] = _with_inner(
            name, texts[name], [texts[each] for each in texts if each in inner]
        )
    written = {name: texts[name] for name in outermost}
    return _without_constants(_FUNCTION.sub(lambda each: written.pop(each[2], ""), text))


def _functions(text: str) -> dict[str, re.Match[str]]:
    """Find the functions of a text by name; a chunk that is included twice is there twice.

    Raises:
        ValueError: two functions have one name.
    """
    found: dict[str, re.Match[str]] = {}
    for each in _FUNCTION.finditer(text):
        if found.setdefault(each[2], each)[0] != each[0]:
            raise ValueError(
                f"a script has two functions {each[2]!r}: rename one, or let both includes of the "
                "chunk have the same functions."
            )
    return found


def _used(text: str, texts: Mapping[str, str], seldom: Set[str]) -> set[str]:
    """Name the functions that a text needs, without what those that are seldom called need."""
    used, found = set[str](), _words(text)
    while new := found & texts.keys() - used:
        used |= new
        found = set[str]().union(*(_words(texts[name]) for name in new - seldom))
    return used


def _with_inner(name: str, text: str, inner: Sequence[str]) -> str:
    """Put functions into one; they see what it sees, but for its arguments."""
    if not inner:
        return text
    body = indent("".join([*inner, text]), "  ")
    return f"local function {name}(...)\n{body}  return {name}(...)\nend\n"


def _without_constants(text: str) -> str:
    """Leave out the lines that name something which nothing else names."""
    count = Counter(_WORD.findall(_COMMENT.sub("", text)))

    def kept(line: re.Match[str]) -> str:
        is_used = "(" in line[0] or any(count[name] > 1 for name in line[1].split(", "))
        return line[0] if is_used else ""

    return _CONSTANT.sub(kept, text)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_COMMENT.sub("", text)))


def _read(package: str, name: str) -> str:
    return (files(package) / f"{name}.lua").read_text(encoding="utf-8")


def run(connection: Redis, call: Call) -> Reply:
    """Run a call on a connection; loads the script where the server does not have it yet."""
    script, keys, args = call.script, call.keys, call.args
    try:
        # What `evalsha` does, without its three calls on the way: a step waits for this.
        send = cast(Any, connection).execute_command
        return cast(Reply, send("EVALSHA", script.sha, len(keys), *keys, *args))
    except NoScriptError:
        return cast(Reply, connection.eval(script.text, len(keys), *keys, *args))


async def arun(connection: AsyncRedis, call: Call) -> Reply:
    """Run a call on an asyncio connection; loads the script as `run` does."""
    script, keys, args = call.script, call.keys, call.args
    try:
        return cast(Reply, await connection.evalsha(script.sha, len(keys), *keys, *args))
    except NoScriptError:
        return cast(Reply, await connection.eval(script.text, len(keys), *keys, *args))


def run_all(connection: Redis, calls: Sequence[Call]) -> list[Reply | ResponseError]:
    """Run calls in one round trip; a refusal stands in the list in place of its call's reply.

    Raises:
        redis.exceptions.ConnectionError, TimeoutError: none of the calls is known to have run.
    """
    if len(calls) == 1:
        return [_run_single(connection, calls[0])]
    with connection.pipeline(transaction=False) as pipeline:
        for call in calls:
            pipeline.evalsha(call.script.sha, len(call.keys), *call.keys, *call.args)
        replies = cast("list[Reply | ResponseError]", pipeline.execute(raise_on_error=False))
    for index, reply in enumerate(replies):
        if isinstance(reply, NoScriptError):
            replies[index] = _run_single(connection, calls[index])
    return replies


def _run_single(connection: Redis, call: Call) -> Reply | ResponseError:
    try:
        return run(connection, call)
    except ResponseError as error:
        return error
