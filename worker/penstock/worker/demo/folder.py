"""The text files of a folder, whatever else lies in it."""

from __future__ import annotations

__all__ = ["Listing", "copy_texts", "default_folder", "read", "text_files"]

import os
import shutil
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LARGEST = 256 * 1024
"""Bytes of a file past which it is passed over."""

TOTAL = 6 * 1024 * 1024
"""Bytes of all files taken, about."""

ENTRIES = 50_000
"""Entries of folders looked at, so that a whole disk ends too."""

_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "dist", "build"})


@dataclass(frozen=True)
class Listing:
    """Which files of a folder are to be read; paths are relative to it, with slashes."""

    files: tuple[str, ...]
    more: int
    """Files left out because there are enough without them."""


def text_files(folder: str, limit: int) -> Listing:
    """Find the text files below a folder: the newest, if there are more than `limit`.

    Hidden files, links, what cannot be read, what is empty or large, and what is no text are passed
    over.
    """
    newest = sorted(_candidates(Path(folder)), key=lambda item: (-item[1], item[0]))
    chosen: list[str] = []
    size = 0
    for at, (path, _, length) in enumerate(newest):
        if len(chosen) == limit or size >= TOTAL:
            return Listing(tuple(sorted(chosen)), len(newest) - at)
        if _is_text(Path(folder, path)):
            chosen.append(path)
            size += length
    return Listing(tuple(sorted(chosen)), 0)


def read(folder: str, path: str) -> str:
    """Read a file as text; one that is gone or forbidden by now reads as nothing."""
    try:
        content = Path(folder, path).read_bytes()
    except OSError:
        return ""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def copy_texts(folder: Path, listing: Listing, target: Path) -> list[str]:
    """Copy the files of a listing, so that they stay as they are; returns those that could be."""
    copied: list[str] = []
    for path in listing.files:
        try:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / path, target / path)
            copied.append(path)
        except OSError:
            continue
    return copied


def default_folder() -> Path:
    """Return the default folder of the demo: Penstock's checkout, else its installed sources."""
    here = Path(__file__).resolve()
    for folder in (Path.cwd(), *here.parents[4:5]):
        if _is_checkout(folder):
            return folder
    return here.parents[2]


def _is_checkout(folder: Path) -> bool:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text())
    except (OSError, ValueError):
        return False
    return "name" in project.get("project", {}) and project["project"]["name"] == "penstock"


def _candidates(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Give path, time and size of the files that may be texts."""
    seen = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_skipped(name))
        for name in sorted(names):
            seen += 1
            if seen > ENTRIES:
                return
            path = Path(parent, name)
            if name.startswith("."):
                continue
            try:
                found = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode) and 0 < found.st_size <= LARGEST:
                yield path.relative_to(folder).as_posix(), found.st_mtime_ns, found.st_size


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED or name.endswith(".egg-info")


def _is_text(path: Path) -> bool:
    """Judge by the beginning: no zero bytes, hardly any control characters."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    odd = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    return bool(head.strip()) and b"\0" not in head and odd * 20 < len(head)
