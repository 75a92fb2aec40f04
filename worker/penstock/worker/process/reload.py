"""Restarts a command whenever source files change: the worker of `penstock dev`."""

from __future__ import annotations

__all__ = ["Reloader", "Watch", "source_folders"]

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from penstock.worker.process.app_source import file_of
from penstock.worker.redis_server import ending_with_parent

EVERY: Final = 0.4
"""Seconds between two checks of the files."""

SETTLE: Final = 0.15
"""Seconds that files have to stay the same before they are loaded: an editor saves several."""

STEADY: Final = 30.0
"""Seconds within which a command that was started again must not be killed once more."""

_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})


class Watch:
    """Knows which .py files below some folders have changed since it was last asked."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)
        self._seen = self._look()

    def changed(self) -> list[Path]:
        """Name the files that were changed, added or removed since the last call."""
        now = self._look()
        changed = [Path(name) for name, _ in now.items() ^ self._seen.items()]
        self._seen = now
        return sorted(set(changed))

    def _look(self) -> dict[str, tuple[int, int]]:
        return {name: mark for folder in self._folders for name, mark in _files(str(folder))}


def source_folders(app: Sequence[str]) -> list[Path]:
    """Name the folders whose files an app is made of: those of its files, and this one."""
    folders = {Path(file).resolve().parent for file in map(file_of, app) if file}
    if not folders or not all(map(file_of, app)):
        folders.add(Path.cwd())
    return [one for one in sorted(folders) if not any(other in one.parents for other in folders)]


class Reloader:
    """Keeps a command running; ends it and starts `again` when the watched files change.

    The command is ended by SIGTERM, and by SIGKILL if it takes longer than `patience`. If a signal
    ends it, it is started again at once, but not twice within `STEADY` seconds, as its own code may
    be the cause. If it ends otherwise, it is started again at the next change. It has a process
    group of its own, so that it gets Ctrl-C once, from here; on Linux it ends with this process.
    """

    def __init__(
        self, first: Sequence[str], again: Sequence[str], watch: Watch, patience: float
    ) -> None:
        self._first = first
        self._again = again
        self._watch = watch
        self._patience = patience
        self._child: subprocess.Popen[bytes] | None = None
        self._mended = -STEADY
        """When a signal had ended the command, and it was started again."""

    def run(
        self,
        on_change: Callable[[Sequence[Path]], None],
        on_end: Callable[[int, bool], None],
    ) -> None:
        """Go on until an exception, such as KeyboardInterrupt, comes; then end the command.

        `on_end` is given the status of a command that has ended, and whether it is started again.
        """
        try:
            self._start(self._first)
            while True:
                time.sleep(EVERY)
                self._notice_end(on_end)
                if changed := self._changed():
                    on_change(changed)
                    self.stop()
                    self._start(self._again)
        finally:
            self.stop()

    def stop(self) -> None:
        """End the command, and return when it has ended."""
        child, self._child = self._child, None
        if child is None:
            return
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(self._patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _start(self, command: Sequence[str]) -> None:
        self._child = subprocess.Popen(ending_with_parent(command), process_group=0)

    def _notice_end(self, on_end: Callable[[int, bool], None]) -> None:
        if self._child is None or self._child.poll() is None:
            return
        status, self._child = self._child.returncode, None
        now = time.monotonic()
        is_again = status < 0 and now - self._mended > STEADY
        on_end(status, is_again)
        if is_again:
            self._mended = now
            self._start(self._again)

    def _changed(self) -> list[Path]:
        changed = self._watch.changed()
        while changed:
            time.sleep(SETTLE)
            more = self._watch.changed()
            if not more:
                break
            changed = sorted({*changed, *more})
        return changed


def _files(folder: str) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError:  # removed meanwhile, or not ours to read
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _SKIPPED:
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                if not os.path.exists(os.path.join(entry.path, "pyvenv.cfg")):
                    yield from _files(entry.path)
            elif entry.name.endswith(".py"):
                status = entry.stat()
                yield entry.path, (status.st_mtime_ns, status.st_size)
        except OSError:
            continue
