"""Draws the picture of the agent's demo in the README: `python -m tests.docs.picture`.

It runs the demo, and draws what happens and what was checked.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from tests.docs.page import ROOT

PICTURE: Final = ROOT / "docs" / "pictures" / "agent.svg"
WIDTH: Final = 80
FONTS: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Rules that would load fonts from elsewhere."""
HAPPENING: Final = re.compile(r" +\d+\.\d s | {20}")
"""A line with the time, or one that goes on with what somebody says."""


def main() -> int:
    command = [str(Path(sys.executable).with_name("penstock")), "demo", "agent"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    PICTURE.write_text(draw(done.stdout), encoding="utf-8")
    print(PICTURE)
    return 0


def draw(printed: str) -> str:
    """Draw the lines with a time, and the promises."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    for line in printed.splitlines():
        if line.startswith("✓"):
            console.print(Text(line, "green"))
        elif "SIGKILL" in line:
            console.print(Text(line, "bold red"))
        elif HAPPENING.match(line):
            console.print(Text(line))
    return FONTS.sub("", console.export_svg(title="make demo-agent"))


if __name__ == "__main__":
    sys.exit(main())
