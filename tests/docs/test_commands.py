from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

import click
import pytest
from rq.cli.cli import main as rq

from penstock.worker.cli import main as penstock
from tests.docs.page import PAGES, ROOT, Page

OTHERS = (
    *("cd", "cp", "docker", "export", "kill", "mkdir", "pip", "python", "redis-cli"),
    *("redis-server", "until", "uvicorn"),
)
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

pages = pytest.mark.parametrize("page", [Page(path) for path in PAGES], ids=lambda page: page.name)


@pages
def test_a_page_shows_commands_that_exist(page: Page) -> None:
    wrong = [
        f"{line}: {trouble}"
        for line in page.command_lines()
        if (trouble := _trouble(shlex.split(line, comments=True)))
    ]

    assert wrong == []


def _trouble(words: list[str]) -> str:
    while words and "=" in words[0]:  # variables of the environment
        words = words[1:]
    if words[-1] == "&":
        words = words[:-1]
    match words[0]:
        case "penstock":
            return _unknown_option(penstock, words[1:])
        case "rq":
            return _unknown_option(rq, words[1:])
        case "make":
            unknown = [word for word in words[1:] if "=" not in word and word not in TARGETS]
            return f"no target {unknown[0]!r}" if unknown else ""
        case other:
            return "" if other in OTHERS else "not a command that readers have"


def _unknown_option(group: click.Group, words: Sequence[str]) -> str:
    if words[0].startswith("-"):
        return ""
    context = click.Context(group)
    command = group.get_command(context, words[0])
    if command is None:
        return f"no command {words[0]!r}"
    try:
        command.make_parser(click.Context(command)).parse_args(list(words[1:]))
    except click.UsageError as error:
        return error.format_message()
    return ""
