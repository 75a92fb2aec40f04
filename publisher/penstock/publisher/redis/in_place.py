"""Lua functions whose statements stand in the place of their calls."""

from __future__ import annotations

__all__ = ["statements_in_place"]

import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Final

from penstock.publisher.redis.inlining import arguments, declared, visible, words

_MARKED: Final = re.compile(
    r"^-- in place\nlocal function (\w+)\(([\w, .]*)\)\n(.*?)^end\n", re.MULTILINE | re.DOTALL
)
_WORD: Final = re.compile(r"\w+")
_SELDOM: Final = re.compile(r"^-- seldom\nlocal function .*?^end\n", re.MULTILINE | re.DOTALL)
_RETURN: Final = re.compile(r"^  return (.*)\n\Z", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A function that returns at its end, if it returns at all."""

    name: str
    parameters: tuple[str, ...]
    body: str
    result: str
    """The expressions that it returns, '' for none."""

    def statements(self, given: Sequence[str], left: str) -> str:
        """Return the statements of a call; left: what stands before it in its line."""
        own = [each for each in self.parameters if each != "..."]
        values = [*given[: len(own)], *["nil"] * (len(own) - len(given))]
        more = "".join(f", {each}" for each in given[len(own) :])
        body = self.body.replace(", ...", more)
        lines = [f"local {', '.join(own)} = {', '.join(values)}\n"] if own else []
        lines.append(body)
        names = taken = left.removeprefix("local ").removesuffix(" = ")
        if not {*_WORD.findall(names)}.isdisjoint({*own, *declared(self.body)}):
            taken = ", ".join(f"{self.name}_{each}" for each in _WORD.findall(names))
        if left == "return ":
            lines.append(f"return {self.result}\n")
        elif left:
            lines.append(f"{taken} = {self.result}\n")
        first = f"local {taken}\n" if left.startswith("local ") or taken != names else ""
        last = f"\n{left}{taken}" if taken != names else ""
        return f"{first}do\n{indent(''.join(lines), '  ')}end{last}"


def statements_in_place(text: str) -> str:
    """Put the statements of each function below a line `-- in place` where it is called.

    It stays a function for calls that are a part of an expression, for places where a name that it
    uses means something else, and for seldom functions, as a text is to be short, too.
    """
    at = 0
    while (found := _MARKED.search(text, at)) is not None:
        placed = _placed(found)
        head = text[: found.start()] + found[0].removeprefix("-- in place\n")
        text = head + _with_statements(text, found, placed)
        at = found.start()
    return text


def _placed(found: re.Match[str]) -> _Placed:
    name, parameters, body = found.groups()
    result = _RETURN.search(body)
    body = body if result is None else body[: result.start()]
    if "return" in words(re.sub(r"function\(.*?\bend\b", "", body, flags=re.DOTALL)):
        raise ValueError(f"{name}: what stands in place of its calls returns at its end only.")
    return _Placed(
        name, tuple(parameters.split(", ")), body, "" if result is None else result[1].strip()
    )


def _with_statements(text: str, found: re.Match[str], placed: _Placed) -> str:
    """Return what follows a function, with its statements where it is called."""
    rest = text[found.end() :]
    own = {*placed.parameters, *declared(placed.body)}
    free = words(placed.body + placed.result) - own
    call = re.compile(rf"^( *)(return |(?:local )?\w+(?:, \w+)* = |){placed.name}\(", re.MULTILINE)
    hides = not free.isdisjoint(declared(rest))
    seldom = [each.span() for each in _SELDOM.finditer(rest)]
    written, at = list[str](), 0
    for each in call.finditer(rest):
        if any(begin < each.start() < end for begin, end in seldom):
            continue
        given, end = arguments(rest, each.end())
        is_statement = rest[end : end + 1] == "\n"
        is_told = bool(placed.result) or not each[2]
        if hides and free & visible(rest, each.start()):
            continue
        if is_statement and is_told:
            statements = placed.statements(given, each[2])
            written += [rest[at : each.start()], indent(statements, each[1])]
            at = end
    return "".join(written) + rest[at:]
