"""The Redis server that is emulated in this process."""

from __future__ import annotations

__all__ = ["EmulatedServer"]

from functools import lru_cache
from typing import Any, Final

from fakeredis import FakeServer

_SCRIPTS: Final = 256
"""Compiled scripts that are kept; more than there are."""


class EmulatedServer(FakeServer):
    """A server that compiles each script once.

    fakeredis compiles a script whenever it is called, which takes several times as long as most
    calls. It keeps its Lua runtime as an attribute of the server: there, ours takes its place.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, _LuaRuntime(value) if name == "_lua_runtime" else value)


class _LuaRuntime:
    """A Lua runtime that executes the text that it has seen before without compiling it."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self._compiled = lru_cache(_SCRIPTS)(runtime.compile)

    def execute(self, text: bytes | str) -> Any:
        """Execute a text, and return what it returns."""
        try:
            script = self._compiled(text)
        except Exception:  # it is not Lua: the runtime says so in its own words
            return self._runtime.execute(text)
        return script()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)
