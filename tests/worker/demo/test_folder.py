"""The text files of a folder, whatever else lies in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from penstock.worker.demo import folder as module
from penstock.worker.demo.folder import Listing, copy_texts, default_folder, read, text_files

ROOT = Path(__file__).parents[3]


def write(folder: Path, path: str, content: bytes = b"some text") -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)


def test_what_is_no_text_of_the_folder_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "text.md")
    write(tmp_path, "deep/er/latin.txt", b"caf\xe9 noir")
    write(tmp_path, "empty.txt", b"")
    write(tmp_path, "blank.txt", b" \n\n")
    write(tmp_path, "zeros.bin", b"ab\0cd")
    write(tmp_path, "control.bin", b"\1\2\3\4 text")
    write(tmp_path, "large.txt", b"x" * (module.LARGEST + 1))
    write(tmp_path, ".hidden")
    write(tmp_path, ".git/config")
    write(tmp_path, "node_modules/x/index.js")
    (tmp_path / "link.md").symlink_to("text.md")
    (tmp_path / "deep/loop").symlink_to("..")
    os.mkfifo(tmp_path / "pipe")

    assert text_files(str(tmp_path), 10) == Listing(("deep/er/latin.txt", "text.md"), 0)


def test_of_too_many_files_the_newest_are_taken(tmp_path: Path) -> None:
    for age, name in enumerate(["new.md", "newer-than-old.md", "old.md"]):
        write(tmp_path, name)
        os.utime(tmp_path / name, (1_000_000 - age, 1_000_000 - age))

    assert text_files(str(tmp_path), 2) == Listing(("new.md", "newer-than-old.md"), 1)


def test_a_file_reads_as_utf8_else_as_latin1_else_as_nothing(tmp_path: Path) -> None:
    write(tmp_path, "utf8.txt", b"\xef\xbb\xbfcaf\xc3\xa9")
    write(tmp_path, "latin.txt", b"caf\xe9")

    assert read(str(tmp_path), "utf8.txt") == "café"
    assert read(str(tmp_path), "latin.txt") == "café"
    assert read(str(tmp_path), "gone.txt") == ""


def test_a_copy_leaves_out_what_is_gone_by_then(tmp_path: Path) -> None:
    write(tmp_path, "from/a/b.md")

    copied = copy_texts(tmp_path / "from", Listing(("a/b.md", "gone.md"), 0), tmp_path / "to")

    assert copied == ["a/b.md"]
    assert text_files(str(tmp_path / "to"), 10).files == ("a/b.md",)


def test_the_demo_reads_this_checkout_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert default_folder() == ROOT
