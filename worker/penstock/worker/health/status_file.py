"""A file that is written again and again while a process is live."""

from __future__ import annotations

__all__ = ["StatusFile"]

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

from penstock.publisher.errors import ConfigurationError
from penstock.worker.health.status import Status


class StatusFile:
    """The health of a process for those who read files: its age says when the process was live.

    It is replaced as a whole, so that nobody reads half of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: str) -> Self:
        """Return the file, which can be written.

        Raises:
            ConfigurationError: it cannot.
        """
        file = cls(Path(path))
        try:
            file.write("")
        except OSError as error:
            raise ConfigurationError(
                f"the health file {path!r} cannot be written: {error.strerror}; its folder has to "
                "exist, and the worker has to have the right to write there."
            ) from error
        file.remove()
        return file

    def write(self, text: str) -> None:
        """Replace the text."""
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(name, 0o644)
            os.replace(name, self.path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise

    def show(self, status: Status) -> None:
        """Write the status of a process that is live, and remove the file of one that is not."""
        if status.is_live:
            self.write(status.ready_json() + "\n")
        else:
            self.remove()

    def remove(self) -> None:
        """Remove the file, if it is there."""
        with suppress(OSError):
            self.path.unlink()
