"""Install the lowest versions that pyproject.toml allows, and see that Penstock works with them.

    python .ci/floors.py

They go into virtual environments of their own, below .venv, which are kept for as long as
pyproject.toml stays the same. Tools for development are not among them. LangGraph has one for
itself: what it needs does not work with the lowest versions of the others.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv" / "floors"
SMOKE = Path(__file__).with_name("smoke.py")

_FLOOR = re.compile(r"(?P<name>[\w.-]+)(\[[\w,-]+\])?>=(?P<version>[\d.]+)")
_TOOLS = ("bench", "dev")
_ALONE = "langgraph"


def main() -> None:
    """Install what is old, and run the smoke test with it."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    groups = extras(project)
    alone = {_ALONE: groups.pop(_ALONE)}
    for folder, pinned, group in (
        (FOLDER, floors(project | {"optional-dependencies": groups}), groups),
        (FOLDER.with_name(f"floors-{_ALONE}"), pins(alone), extras(project)),
    ):
        stamp = folder / "pyproject.toml"
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != text:
            install(folder, pinned, group)
            stamp.write_text(text, encoding="utf-8")
        subprocess.run([python(folder), "-W", "error", str(SMOKE)], check=True, cwd=folder)


def floors(project: dict[str, Any]) -> list[str]:
    """Return `name==version` for each dependency of users, with its lowest version."""
    return pins({"": project["dependencies"], **extras(project)})


def pins(groups: dict[str, list[str]]) -> list[str]:
    """Return `name==version` for each dependency of some groups."""
    found = [_FLOOR.match(text) for group in groups.values() for text in group]
    if None in found:
        raise SystemExit("a dependency in pyproject.toml has no lowest version: write name>=1.2")
    return sorted({f"{each['name']}=={each['version']}" for each in found if each is not None})


def extras(project: dict[str, Any]) -> dict[str, list[str]]:
    """Return the optional dependencies, but for those of developers."""
    groups: dict[str, list[str]] = dict(project["optional-dependencies"])
    return {name: group for name, group in groups.items() if name not in _TOOLS}


def install(folder: Path, pinned: list[str], groups: dict[str, list[str]]) -> None:
    """Make an environment anew."""
    print("Installing", ", ".join(pinned), flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(pinned) + "\n", encoding="utf-8")
    command = [python(folder), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    command += ["-c", str(constraints), "-e", f"{ROOT}[{','.join(groups)}]"]
    subprocess.run(command, check=True)


def python(folder: Path) -> str:
    """Return the interpreter of an environment."""
    return str(folder / "bin" / "python")


if __name__ == "__main__":
    main()
