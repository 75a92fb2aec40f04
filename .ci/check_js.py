"""Checks the types of the dashboard's scripts with TypeScript, where Node is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TYPESCRIPT = "typescript@5.9.3"


def main() -> int:
    """Return the exit status of the check."""
    npx = shutil.which("npx")
    if npx is None:
        print("There is no Node here: the types of the dashboard's scripts are not checked.")
        return 0
    project = Path(__file__).with_name("tsconfig.json")
    return subprocess.run(
        [npx, "--yes", "-p", TYPESCRIPT, "tsc", "-p", str(project)], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
