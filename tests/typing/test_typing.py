"""Calls keep their types, and a wrong call is an error: what mypy says of the files beside this."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NAMES = ("calls.py", "final.py.txt", "mistakes.py.txt")

Found = dict[str, set[tuple[int, str]]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Line and code of each error, by file."""
    folder = tmp_path_factory.mktemp("typing")
    modules = [f"checked_{name.partition('.')[0]}.py" for name in NAMES]
    for name, module in zip(NAMES, modules, strict=True):
        shutil.copy(HERE / name, folder / module)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file", "pyproject.toml"),
            *("--no-error-summary", "--no-pretty", "--hide-error-context"),
            *(str(folder / module) for module in modules),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    errors: Found = {name: set() for name in NAMES}
    pattern = r"checked_(\w+)\.py:(\d+): error: .*\[([\w-]+)\]"
    for stem, line, code in re.findall(pattern, done.stdout):
        (name,) = (name for name in NAMES if name.startswith(f"{stem}."))
        errors[name].add((int(line), code))
    return errors


def expected() -> set[tuple[int, str]]:
    """Line and code of the mistakes, as their comments name them."""
    lines = (HERE / "mistakes.py.txt").read_text(encoding="utf-8").splitlines()
    return {
        (number, line.partition("  # ")[2])
        for number, line in enumerate(lines, 1)
        if "  # " in line
    }


def test_calls_have_the_types_of_their_functions(found: Found) -> None:
    assert found["calls.py"] == set()


def test_final_is_a_type(found: Found) -> None:
    assert found["final.py.txt"] == set()


def test_every_mistake_is_an_error_and_nothing_else_is(found: Found) -> None:
    assert len(expected()) == 14
    assert found["mistakes.py.txt"] == expected()
