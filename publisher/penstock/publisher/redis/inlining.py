"""Lua functions put in the place of their calls, as Redis makes each one anew in every call."""

from __future__ import annotations

__all__ = [
    "TOKEN",
    "arguments",
    "called_in_place",
    "declared",
    "made_in_place",
    "visible",
    "without_comments",
    "words",
]

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

_SHORT: Final = re.compile(
    r"^-- inline\nlocal function (\w+)\(([\w, ]*)\)\n  return ([^\n]*)\nend\n", re.MULTILINE
)
_HEAD: Final = re.compile(r"^(?:local )?function (\w+)\(", re.MULTILINE)
_END: Final = "\nend\n"
"""How a function of a script ends that is not within another one."""
_LAST: Final = re.compile(r"(\.\.|\w+|[^\w\s])\s*\Z")
_BLOCK: Final = re.compile(r"^(?:do|if|for|while)\b.*?^end\b", re.MULTILINE | re.DOTALL)
"""A block that is closed, so that its names are seen no more."""
TOKEN: Final = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|\w+|\.\.|\s+|.")
_DECLARED: Final = re.compile(
    r"\b(?:local(?: function)?|for) (\w+(?:, \w+)*)(?:\(([\w, .]*)\))?"
    r"|\bfunction ?\w*\(([\w, .]*)\)"
)
_WORD: Final = re.compile(r"\w+")
_COMMENT: Final = re.compile(
    r"^ *--(?! (?:inline|in place|seldom)\n)[^\n]*\n|(?<=\S) +--[^\n]*", re.MULTILINE
)
_TIGHT: Final = frozenset({"+", "-", "*", "/", "%", "^", "#", "not"})
"""Operators that bind closer than `..`."""
_OPENS: Final = frozenset({"then", "do", "else", "repeat"})
_GOES_ON: Final = frozenset("=(,{[+-*/%^#<>") | {"..", "return", "and", "or", "not", "in", "if"}
"""What an expression follows, and no statement."""
_MOST_TEXT: Final = 10_000
"""Characters that a function may take in all places that it is put in."""


@dataclass(frozen=True, slots=True)
class _Short:
    """A function that returns one expression."""

    name: str
    parameters: tuple[str, ...]
    body: tuple[str, ...]

    def with_arguments(self, given: Sequence[str]) -> str:
        """Return the expression of a call.

        Raises:
            ValueError: it would take an argument twice that is more than a name.
        """
        values = dict.fromkeys(self.parameters, "nil")
        values.update(zip(self.parameters, given, strict=False))
        for name, value in values.items():
            if self.body.count(name) > 1 and not re.fullmatch(r"[\w.]+|'\w*'", value):
                raise ValueError(f"{self.name}: {name} is used twice, so give it a name first.")
        return "".join(_closed(values[each]) if each in values else each for each in self.body)


def without_comments(text: str) -> str:
    """Leave comments out, but for those that say where a function is to stand."""
    return _COMMENT.sub("", text)


def called_in_place(text: str) -> str:
    """Put the expression of each function below a line `-- inline` where it is called."""
    short: dict[str, _Short] = {}
    for each in _SHORT.finditer(text):
        name, parameters, body = each.groups()
        tokens = tuple(TOKEN.findall(_with_short(body, short)))
        short[name] = _Short(name, tuple(parameters.split(", ")), tokens)
    return _folded(_with_short(_SHORT.sub("", text), short))


def made_in_place(text: str, seldom: Sequence[str]) -> str:
    """Make functions that few calls need where they are called, in place of before.

    The others, whose names would mean something else there, stay as they are.
    """
    for name in reversed(seldom):
        begin = f"\n{text}".find(f"\nlocal function {name}(")
        if begin >= 0:
            text = text[:begin] + _at_calls(text, name, begin)
    return text


def _at_calls(text: str, name: str, begin: int) -> str:
    """Return what follows a function, which stands where it is called if that is possible."""
    end = text.index(_END, begin) + len(_END)
    function, rest = text[begin + len(f"local function {name}") : end - 1], text[end:]
    places = [
        each
        for each in re.finditer(rf"\b{name}\b(?! =)(?!['\"])(\(?)", rest)
        if rest[each.start() - 1] not in ".:'\""
    ]
    if len(places) * len(function) > _MOST_TEXT or not all(each[1] for each in places):
        return text[begin:]
    free = words(function) & visible(text, begin)
    hides = not free.isdisjoint(declared(rest))
    if name in free or (hides and any(free & visible(rest, each.start()) for each in places)):
        return text[begin:]
    written, at = list[str](), 0
    for each in places:
        before = _last(rest, each.start())
        begins = before in _OPENS or before in _GOES_ON
        written += [rest[at : each.start()], "" if begins else ";", f"(function{function})("]
        at = each.end()
    return "".join(written) + rest[at:]


def visible(text: str, at: int) -> set[str]:
    """Name what a text declares that is seen at a place of it."""
    names, pieces, done = set[str](), list[str](), 0
    for each in _HEAD.finditer(text, 0, at):
        if each.start() < done:
            continue
        end = text.index(_END, each.start()) + len(_END)
        names.add(each[1])
        pieces.append(text[done : each.start()])
        done = end
        if end > at:
            return names | {*declared(_BLOCK.sub("", "".join(pieces)) + text[each.start() : at])}
    pieces.append(text[done:at])
    return names | {*declared(_BLOCK.sub("", "".join(pieces)))}


def words(text: str) -> set[str]:
    """Return the words of a text, but for literal texts and fields of tables."""
    tokens = TOKEN.findall(text)
    pairs = zip(["", *tokens], tokens, strict=False)
    return {token for before, token in pairs if before != "." and _WORD.fullmatch(token)}


@cache
def declared(text: str) -> frozenset[str]:
    """Name the variables, the parameters and the functions that a text declares."""
    return frozenset(_WORD.findall(" ".join(map(" ".join, _DECLARED.findall(text)))))


def _with_short(text: str, short: Mapping[str, _Short]) -> str:
    written, at = list[str](), 0
    for each in re.finditer(rf"\b({'|'.join(short)})\(", text) if short else ():
        before = _last(text, each.start())
        is_text = text[text.rfind("\n", 0, each.start()) + 1 : each.start()].count("'") % 2
        if each.start() < at or is_text or before in (".", ":", "function"):
            continue
        given, end = arguments(text, each.end())
        value = short[each[1]].with_arguments([_with_short(every, short) for every in given])
        is_tight = before in _TIGHT or text[end : end + 2].lstrip(" ")[:1] in {*_TIGHT, "[", ":"}
        written += [text[at : each.start()], f"({value})" if is_tight else _closed(value)]
        at = end
    return "".join(written) + text[at:]


def arguments(text: str, begin: int) -> tuple[list[str], int]:
    """Read the arguments of a call, from behind its bracket; tells where it ends, too."""
    found, depth, at = list[str](), 0, begin
    for token in TOKEN.finditer(text, begin):
        sign = token[0]
        if not depth and sign in (",", ")"):
            found.append(text[at : token.start()].strip())
            at = token.end()
            if sign == ")":
                break
        depth += (sign in "([{") - (sign in ")]}")
    return [each for each in found if each], at


def _last(text: str, at: int) -> str:
    """Return the word or the sign before a place."""
    found = _LAST.search(text, max(at - 80, 0), at)
    return "" if found is None else found[1]


def _closed(value: str) -> str:
    """Put an expression in brackets, unless it binds as close as `..` does."""
    depth = 0
    for token in TOKEN.findall(value):
        depth += (token in "([{") - (token in ")]}")
        if not depth and token in {"and", "or", "not", "=", "<", ">", "~", "+", "-", "*", "/", "%"}:
            return f"({value})"
    return value


def _folded(text: str) -> str:
    """Work out what is known before: comparisons of literal texts, and their concatenation."""
    text = re.sub(
        r"\('(\w+)' == '(\w+)' and (\w+) or ('')\)",
        lambda each: str(each[3] if each[1] == each[2] else each[4]),
        text,
    )
    text = re.sub(r"\((?:nil|'(\w+)') or '(\w+)'\)", lambda each: f"'{each[1] or each[2]}'", text)
    return "\n".join(_joined(each) if "' .. '" in each else each for each in text.split("\n"))


def _joined(line: str) -> str:
    tokens: list[str] = []
    for token in TOKEN.findall(line):
        tokens.append(token)
        if tokens[-4:-1] == [" ", "..", " "] and tokens[-5][:1] == token[:1] == "'":
            tokens[-5:] = [f"{tokens[-5][:-1]}{token[1:]}"]
    return "".join(tokens)
