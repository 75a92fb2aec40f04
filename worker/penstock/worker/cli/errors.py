"""What a command says when it cannot do what was asked: one sentence, and no traceback."""

from __future__ import annotations

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "WAITS",
    "Refusal",
    "guard",
    "keep_traceback",
    "note",
    "warnings_told",
]

import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import IO, Any, Final

import click

FAILED: Final = 1
"""Exit status: it could not be done, or the run failed (2 is a wrong command line)."""

WAITS: Final = 3
"""Exit status of a command that follows a run: the run waits for an answer."""

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C."""

_DEBUG: Final = "penstock.debug"


class Refusal(click.ClickException):
    """Something that cannot be done, in one sentence that names the fix."""

    exit_code = FAILED

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence on stderr."""
        click.echo(f"{click.style('error:', fg='red', bold=True)} {self.message}", err=True)


def note(text: str) -> None:
    """Print on stderr what is worth knowing and no error."""
    click.echo(click.style(text, dim=True), err=True)


def keep_traceback(ctx: click.Context) -> None:
    """Let errors of this command show their traceback."""
    ctx.meta[_DEBUG] = True


def _note_warning(text: str) -> None:
    note(f"note: {text}")


@contextmanager
def warnings_told(tell: Callable[[str], object] = _note_warning) -> Generator[None]:
    """Tell what is warned of as a sentence: without the line of code that warns.

    Also where an error follows: the warning may name its cause.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            for warning in caught:
                tell(str(warning.message))


@contextmanager
def guard(ctx: click.Context) -> Generator[None]:
    """Turn what a user can do wrong into a `Refusal`; a bug keeps its traceback."""
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
