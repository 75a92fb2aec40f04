"""How a command fails: with one sentence, and no traceback."""

from __future__ import annotations

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "WAITS",
    "Refusal",
    "guard",
    "keep_traceback",
    "note",
    "warnings_as_notes",
]

import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import IO, Any, Final

import click

FAILED: Final = 1
"""Exit status: the command failed, or the run did (2 is an invalid command line)."""

WAITS: Final = 3
"""Exit status of a command that follows a run: the run waits for an answer."""

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C."""

_DEBUG: Final = "penstock.debug"


class Refusal(click.ClickException):
    """An error of a command, as one sentence that names the fix."""

    exit_code = FAILED

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence on stderr."""
        click.echo(f"{click.style('error:', fg='red', bold=True)} {self.message}", err=True)


def note(text: str) -> None:
    """Print a note on stderr, which is not an error."""
    click.echo(click.style(text, dim=True), err=True)


def keep_traceback(ctx: click.Context) -> None:
    """Let errors of this command show their traceback."""
    ctx.meta[_DEBUG] = True


def _note_warning(text: str) -> None:
    note(f"note: {text}")


@contextmanager
def warnings_as_notes(show: Callable[[str], object] = _note_warning) -> Generator[None]:
    """Show warnings as sentences, without the line of code that warns.

    They are shown even if an error follows: a warning may name its cause.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            for warning in caught:
                show(str(warning.message))


@contextmanager
def guard(ctx: click.Context) -> Generator[None]:
    """Turn an error of the user into a `Refusal`; a bug keeps its traceback."""
    try:
        yield
    except KeyboardInterrupt:
        ctx.exit(INTERRUPTED)
    except Exception as error:
        if isinstance(error, click.ClickException | click.exceptions.Exit | click.Abort):
            raise
        if ctx.meta.get(_DEBUG) or not _is_mistake(error):
            raise
        raise Refusal(_sentence(error)) from error


def _is_mistake(error: Exception) -> bool:
    from penstock.publisher.errors import PenstockError  # imports redis, which help has no use for

    return isinstance(error, PenstockError)


def _sentence(error: Exception) -> str:
    return "\n       ".join(str(error).strip().splitlines())
